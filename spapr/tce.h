/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the TCE containers, v1 and v2, have in common: above all MAP and UNMAP.
 *
 * The kernel takes both at their word (vfio_iommu_spapr_tce.c). What stands between a request and
 * its memory is here, whatever the caller has checked before:
 *
 *   bounds     it checks the first page only, and writes past the end of the table. So the range is
 *              inside one of this container's own windows, isn't empty and doesn't wrap (H5, H6),
 *              and start, size and address are aligned to the window's page: else it fails with
 *              the result +1, errno untouched (H1).
 *   results    anything but 0 is a failure, positive numbers too (H1). What looks like EINTR,
 *              EAGAIN or EBUSY can be a hypervisor's answer (H2): nothing is tried again.
 *   meanings   EPERM has five of them; which one it is follows from what is known here (H3).
 *              Before the first REGISTER (v2) or ENABLE (v1) nothing is asked at all (H22).
 *   pieces     the kernel neither rests nor looks for signals inside a MAP, so it gets at most
 *              65536 TCEs at a time (H8); in between, the container's owner can stop it.
 *   threads    the kernel locks nothing either: a MAP that meets an UNREGISTER of its memory ends
 *              early and says 0 (H11). All functions here are called by the one thread that owns
 *              the address space. Only the prereg listener runs on another one, for sections that
 *              are arriving or leaving, which nobody maps.
 *   the rest   MAP replaces without a word, and a failed one has undone part of what it replaced
 *              and leaves the rest (H9, H10); UNMAP takes holes and parts (H14). So the ledger
 *              decides what may be asked, and a failed MAP is followed by an UNMAP of its range. A
 *              mapping that devices may only write they can also read on powernv (H15).
 *   counts     a TCE that can't be put in its place stays counted, and the region with it: later
 *              UNREGISTER says 0 and lets nothing go (H12, H18), and who registers the addresses
 *              again gets the old pages. So the caller is told to keep the memory as it is
 *              (container_kept_memory).
 *
 * The first TCE of a window
 *
 * A MAP that fails at its first page makes the kernel invalidate a range of 0 TCEs. On POWER8
 * (pnv_pci_phb3_tce_invalidate) the loop over such a range ends at once, unless it begins at TCE 0,
 * where the last one is number -1: then it never ends, and the CPU is gone. A MAP or UNMAP of size
 * 0 does the same. So at the start of a window no MAP is asked for that could fail at its first
 * page. Of what could make it fail, a v2 container excludes:
 *
 *   the memory isn't registered, or has pages that are too small. Both are properties of a region
 *   as a whole (mm_iommu_do_alloc, mem->pageshift), and a mapping lies in one section, which is one
 *   region. They can't fail for pages that are not larger than the kernel's.
 *
 *   no memory for the node of the table that holds the TCE. With one level it was made with the
 *   window. With more it is made by the first MAP that needs it, never by an UNMAP, and stays as
 *   long as the window.
 *
 * Hence this order: of a map of several pages, all but the first go first; when the second page is
 * mapped, region and node are proven for the first, which goes last and alone. A single page is
 * rehearsed where it could fail: mapped at the window's second TCE, and unmapped there, before it
 * is mapped at the first. That TCE is free for it as long as no Map has used it. If one has, the
 * node is there, and the section's page size (section.h) is what stands for the region's. What
 * a rehearsal shows to the device is memory that it is about to see anyway.
 *
 * v1 pins at MAP, so the page itself must not fail: it is made present and writable before
 * (secure_page), and not asked for if that can't be done. Its one window has one level.
 *
 * All hosts are treated alike, and the second window's start as well, where nothing would happen.
 */
#pragma once

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/range.h"
#include "spapr/table.h"
#include "spapr/window.h"
#include "vfio/container.h"
#include "vfio/refusal.h"

/* The default window's. */
#define TCE_DEFAULT_PAGE_SHIFT 12U

/* The kernel neither reschedules nor looks for signals inside a MAP (tce_iommu_build). */
#define TCE_MAP_MAX 65536U

struct tce;

/* In what v1 and v2 differ. */
struct tce_version {
	/* Whether the kernel takes MAP and UNMAP; once it does, it goes on. */
	bool (*is_ready)(const struct tce *tce);
	const char *not_ready; /* why it doesn't, and what to do */
	bool counts_tces;      /* the kernel counts those that point into a region */
	/* Make sure that the kernel can pin the page of memory at an address of this process. NULL:
	 * it has done so. ERROR_KERNEL */
	int (*secure_page)(void *address, struct error *error);
};

/* Embedded as the first member of each. */
struct tce {
	struct container container; /* must be first */
	const struct tce_version *version;
	struct vfio_iommu_spapr_tce_info info; /* what the kernel said at the start */
	struct window_set windows;
};

static inline struct tce *tce_of(struct container *container)
{
	return (struct tce *)container;
}

static inline const struct tce *tce_of_const(const struct container *container)
{
	return (const struct tce *)container;
}

/* VFIO_SET_IOMMU (tce_iommu_attach_group, tce_iommu_take_ownership) */
extern const struct refusal tce_set_iommu_refusals[];

/*
 * Ask what the host has, and fill in what the capabilities of both versions say alike: the default
 * window, EEH, and that a group that leaves clears the others' mappings. ERROR_NOT_FOUND (the group
 * is gone), ERROR_KERNEL
 */
int tce_read_info(struct tce *tce, struct vfio_iommu_spapr_tce_info *ret_info, struct error *error);

/* Begin the books of the windows: only the default one, pending. The capabilities are filled. */
void tce_set_up_windows(struct tce *tce, const struct table_rules *rules);

/*
 * Operations of a container (vfio/container.h). map: ERROR_INVALID_ARGUMENT, ERROR_OUTSIDE_WINDOW,
 * ERROR_PAGE_SIZE, ERROR_MEMORY_UNKNOWN (not ready), ERROR_TABLE_MEMORY, ERROR_NOT_FOUND (the group
 * is gone), ERROR_BUSY (cancelled), ERROR_KERNEL. unmap: the same but the last four, and
 * ERROR_KERNEL.
 */
int tce_map(struct container *container, const struct window *window, struct range iova,
	    void *address, uint32_t prot, struct error *error);
int tce_unmap(struct container *container, struct range iova, struct error *error);
int tce_settle(struct container *container, struct error *error);
uint64_t tce_locked_bytes(const struct container *container);
uint64_t tce_pending_bytes(const struct container *container);
uint64_t tce_leaked_bytes(const struct container *container);

/* Whether the kernel still says the same of the host's windows (VFIO_IOMMU_SPAPR_TCE_GET_INFO).
 * What it holds in them it doesn't tell. ERROR_RECOVERY_FAILED */
int tce_verify(const struct container *container, struct error *error);
