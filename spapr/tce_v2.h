/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The TCE v2 container (VFIO_SPAPR_TCE_v2_IOMMU): registered memory and dynamic DMA windows, on
 * POWER hosts and LPARs. One group per container, since the kernel's EEH operations are only right
 * then.
 */
#pragma once

#include "vfio/container.h"

extern const struct container_kind tce_v2_kind;
