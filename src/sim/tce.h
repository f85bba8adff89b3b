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
 *   damage           MAP and UNMAP check only their first page against the window (H5). What a
 *                    kernel would then read or write beyond its table isn't done here but counted.
 */
#pragma once

#include "sim/iommu.h"

#define SIM_WINDOWS 2

/* type is VFIO_SPAPR_TCE_IOMMU or VFIO_SPAPR_TCE_v2_IOMMU. NULL when memory is out. */
struct sim_iommu *sim_tce_new(struct sim_container *container, uint64_t type);
