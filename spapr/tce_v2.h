/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The TCE v2 container (VFIO_SPAPR_TCE_v2_IOMMU): registered memory and dynamic DMA windows, on
 * POWER hosts and LPARs.
 *
 * Several groups can share one on powernv; the kernel's EEH operations are only right with one. In
 * an LPAR a window belongs to the PE that made it, and a second group can't join (EPERM from
 * spapr_tce_set_window, field note H34).
 *
 * GET_INFO tells of the first group only (H39), and nothing is read again when groups come and go.
 * So a group that joins isn't trusted to have what the first one has: the kernel gives it the
 * windows that there are, or the joining fails; and it makes each later window for all groups or,
 * where one of them can't have it, takes it back from all (tce_iommu_create_window).
 *
 * An LPAR's default window is precious: the hypervisor gives it back to a CREATE of its very size
 * and page size, but only as long as no other window is there, and then its start is 0 again
 * (spapr_tce_create_table, H37).
 */
#pragma once

#include "vfio/container.h"

extern const struct container_kind tce_v2_kind;
