/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory sections: the memory of an address space, piece by piece.
 *
 * Concepts
 *   section       a range of an address space's memory (gpa), backed by a part of an fd.
 *   gpa           an address in the address space's memory, chosen by the client.
 *   backing page  the page size behind the fd: the host's, or that of its huge pages.
 *   largest page  the largest IOMMU page that the kernel will take for the section: the smallest
 *                 power of two in its backing page, its address here and its size
 *                 (mm_iommu_do_alloc, mem->pageshift).
 *
 * A section is mapped into this process, since VFIO names memory by address, but its bytes are
 * never read or written here. The fd is not kept: the mapping holds the file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/range.h"
#include "host/kernel.h"

enum section_state {
	SECTION_ARRIVING, /* being registered: no Map yet */
	SECTION_PRESENT,
	SECTION_LEAVING, /* being unregistered: no Map any more */
};

struct section {
	uint32_t id;
	uint32_t flags; /* WORKER_MEMORY_* */
	enum section_state state;
	uint64_t offset; /* in the fd */
	struct range gpa;
	void *address; /* in this process */
	uint64_t backing_page;
	uint64_t largest_page;
	uint64_t mappings; /* in the ledger, that lie in this section */
	uint64_t strays;   /* failed Unmaps that may have left TCEs pointing here */
	struct kernel *kernel;
};

/* What a section is made of. */
struct section_request {
	uint64_t offset;
	uint64_t gpa;
	uint64_t size;
	uint32_t flags;
};

/*
 * Check an fd (which stays the caller's) and map the part asked for. The section is ARRIVING and
 * has no id.
 *
 * ERROR_INVALID_ARGUMENT  the fd is no memfd or hugetlbfs file, isn't open for reading and writing,
 *                         can shrink, or is sealed against writing (the kernel pins for writing
 *                         whatever the section is for: FOLL_WRITE in mm_iommu_do_alloc); the range
 *                         isn't inside the file, wraps, or isn't aligned to the backing page
 * ERROR_UNSUPPORTED       a flag that this version doesn't have
 * ERROR_KERNEL            the kernel doesn't map it
 */
int section_new(struct kernel *kernel, int fd, const struct section_request *request,
		struct section **ret_section, struct error *error);

/* Takes NULL, returns NULL. */
struct section *section_free(struct section *section);

static inline void *section_address(const struct section *section, uint64_t gpa)
{
	return (char *)section->address + (gpa - section->gpa.start);
}
