/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sPAPR TCE backend: v1 (one default window, charged as a whole by ENABLE) and v2
 * (preregistered memory, dynamic windows).
 *
 * Concepts
 *   bound            the backend belongs to the mm of the first call that registers memory,
 *                    creates or removes a window or enables, even if that call is refused. From
 *                    then on any other process gets EPERM (H23).
 *   enabled          v2: memory was registered once; v1: ENABLE was called. Before, MAP and UNMAP
 *                    are EPERM (H22).
 *   pending default  after the first group is attached there is no window yet: the first MAP,
 *                    UNMAP or CREATE makes the default window, in slot 0; REMOVE of address 0
 *                    cancels it (H27).
 *   slot             there are two windows at most. What address one gets is the platform's rule.
 *   v1               pins what it maps page by page, without registration: the memory comes with
 *                    MAP, which answers SIM_NEEDS_MEMORY without it. That is asked for when the
 *                    kernel would look at it: the default window exists by then.
 *   spent            what a kernel would take to walk over a table goes into argument->blocks, in
 *                    real time, however empty the table is.
 *   damage           MAP and UNMAP check only their first page against the window (H5). What a
 *                    kernel would then read or write beyond its table isn't done here but counted.
 */
#pragma once

#include "sim/iommu.h"
#include "sim/table.h"

/* type is VFIO_SPAPR_TCE_IOMMU or VFIO_SPAPR_TCE_v2_IOMMU. NULL when memory is out. */
struct sim_iommu *sim_tce_new(struct sim_container *container, uint64_t type);

/* A window, for those who look from outside. */
struct sim_tce_window {
	uint64_t start;
	uint64_t size;
	unsigned int page_shift;
};

/*
 * The windows in which a plain MAP or UNMAP by this mm works: whole pages of theirs, inside one of
 * them, from memory that the mm has registered. Returns their number; 0 where something else would
 * count first (another backend, another mm, no memory yet, a pending default window).
 */
unsigned int sim_tce_find_windows(const struct sim_iommu *iommu, const struct sim_mm *mm,
				  struct sim_tce_window windows[SIM_WINDOWS]);
