/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory sections: the memory of an address space, piece by piece.
 *
 * Concepts
 *   section       a range of an address space's memory (gpa), backed by a part of an fd.
 *   gpa           an address in the address space's memory, chosen by the client.
 *   kind          ram, which devices may read and write, or only read (WORKER_MEMORY_READ_ONLY);
 *                 identity: ram that devices see at its gpa as soon as there is a container,
 * without a Map; ram-device: a part of a device's region, for other devices to reach. backing page
 * the page size behind the fd: the host's, or that of its huge pages. largest page  the largest
 * IOMMU page that the kernel will take for the section: the smallest power of two in its backing
 * page, its address here and its size (mm_iommu_do_alloc, mem->pageshift). skipped       a section
 * that exists, but that no listener sees, and that nothing can be mapped to: one with address bit
 * 63 set, which is no address that a device could have, or a ram-device that the host doesn't take.
 *
 * A section is mapped into this process, since VFIO names memory by address, but its bytes are
 * never read or written here. The fd is not kept: the mapping holds the file (of a ram-device the
 * device, which stays open as long as the section is there).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/range.h"
#include "common/worker_protocol.h"
#include "host/kernel.h"

struct window;

enum section_state {
	SECTION_ARRIVING, /* being registered: no Map yet */
	SECTION_PRESENT,
	SECTION_LEAVING, /* being unregistered: no Map any more */
};

struct section {
	uint32_t id;
	uint32_t flags; /* WORKER_MEMORY_* of a request */
	enum section_state state;
	uint64_t offset; /* in the fd */
	struct range gpa;
	void *address; /* in this process; NULL: a ram-device that isn't mapped */
	uint64_t backing_page;
	uint64_t largest_page;
	uint64_t mappings; /* in the ledger, that lie in this section */
	/* Failed Unmaps that may have left TCEs pointing here, and failed Maps after which the
	 * kernel may keep it */
	uint64_t strays;
	/* identity: where listeners are to map it; valid for the call only */
	const struct window *window;
	bool skipped;
	bool refused; /* by the container that arrives; its change alone touches this */
	char because[WORKER_REASON_SIZE]; /* why, for the client */
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
 * Check an fd (which stays the caller's) and map the part asked for. `takes` is what is allowed
 * besides sealed memfds (WORKER_TAKES_*). The section is ARRIVING and has no id. A ram-device that
 * the kernel doesn't map is skipped.
 *
 * ERROR_INVALID_ARGUMENT  a flag is not known or doesn't go with another; the fd is not that of
 *                         memory that is allowed, isn't open for reading and writing, or is sealed
 *                         against writing (the kernel pins for writing whatever the section is for:
 *                         FOLL_WRITE in mm_iommu_do_alloc); or, for a ram-device, is not that of a
 *                         VFIO device; the range isn't inside the file or inside what can be mapped
 *                         of a region, wraps, or isn't aligned to the backing page
 * ERROR_KERNEL            the kernel doesn't map it
 */
int section_new(struct kernel *kernel, int fd, const struct section_request *request,
		uint32_t takes, struct section **ret_section, struct error *error);

/* Takes NULL, returns NULL. */
struct section *section_free(struct section *section);

/* From here on no listener hears of it, and none has heard of it. */
void section_skip(struct section *section, const char *because);

/* A container that arrives doesn't take it: it is skipped when that container counts. */
void section_refuse(struct section *section, const char *because);

/* QEMU's listeners pass over such an address, too (vfio_listener_skipped_section): in a VMM it is
 * where a BAR is while the guest finds out how large it is. */
#define SECTION_ADDRESS_SKIPPED (UINT64_C(1) << 63)

/* Whether listeners could do something with it at all. */
static inline bool section_can_be_seen(const struct section *section)
{
	return section->address && !(section->gpa.start & SECTION_ADDRESS_SKIPPED);
}

static inline bool section_is_skipped(const struct section *section)
{
	return section->skipped;
}

/* What it locks where sections are pinned. */
static inline uint64_t section_pinned_bytes(const struct section *section)
{
	return section_is_skipped(section) ? 0 : section->gpa.size;
}

static inline bool section_is_device(const struct section *section)
{
	return (section->flags & WORKER_MEMORY_RAM_DEVICE) != 0;
}

/* Whether what a host doesn't take of it is reported, and no failure. */
static inline bool section_may_be_refused(const struct section *section)
{
	return section_is_device(section);
}

static inline bool section_is_identity(const struct section *section)
{
	return (section->flags & WORKER_MEMORY_IDENTITY) && !section_is_skipped(section);
}

/* What devices may do with all of it: WORKER_PROT_*. */
static inline uint32_t section_prot(const struct section *section)
{
	return section->flags & WORKER_MEMORY_READ_ONLY ? WORKER_PROT_READ
							: WORKER_PROT_READ | WORKER_PROT_WRITE;
}

static inline void *section_address(const struct section *section, uint64_t gpa)
{
	return (char *)section->address + (gpa - section->gpa.start);
}
