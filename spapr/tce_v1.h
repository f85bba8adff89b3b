/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The TCE v1 container (VFIO_SPAPR_TCE_IOMMU): one group with its default window, for kernels that
 * refuse v2.
 *
 * Concepts
 *   enable  what makes it ready. The kernel charges the process for the whole default window at
 *           once, whatever is mapped (tce_iommu_enable, field note H41), and gives that back at
 *           disable. MAP and UNMAP need it.
 *   pages   are pinned by each MAP (tce_iommu_use_page), for writing whatever the mapping is for,
 *           and aren't charged. So there is no listener, and nothing to register.
 *   table   made by the first MAP or UNMAP, and charged in addition. It stays until the group
 *           leaves. v1 doesn't tell a bare-metal host from an LPAR, so it is counted as powernv
 *           charges it (pnv_pci_ioda2_get_table_size), which at an LPAR is twice what it is.
 *
 * There are no other windows: to plan, create or remove one is ERROR_UNSUPPORTED.
 */
#pragma once

#include "vfio/container.h"

extern const struct container_kind tce_v1_kind;
