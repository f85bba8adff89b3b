/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The TCE v2 container (VFIO_SPAPR_TCE_v2_IOMMU): registered memory and dynamic DMA windows, on
 * POWER hosts and LPARs. One group per container, since the kernel's EEH operations are only right
 * then.
 */
#pragma once

#include "vfio/container.h"

/* A container_factory. */
int tce_v2_new(struct kernel *kernel, int container_fd, int group_fd, uint32_t group,
	       struct container **ret_container, struct error *error);
