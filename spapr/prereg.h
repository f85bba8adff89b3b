/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The prereg listener: makes the sections of an address space known to a TCE v2 container.
 *
 * The kernel pins a registered region page by page and charges it to the process, once however many
 * containers register it (mm_iommu_new); MAP then only takes addresses inside. It searches regions
 * by process, not by container, so each container registers each section it may map: else one
 * container's end would leave another mapping memory that nobody holds (tce_iommu_release).
 */
#pragma once

#include "common/error.h"
#include "host/kernel.h"
#include "vfio/section.h"

/*
 * Pin and register a section. Blocks for as long as pinning takes.
 * ERROR_QUOTA_EXCEEDED (locked memory), ERROR_KERNEL
 */
int prereg_add(struct kernel *kernel, int container_fd, const struct section *section,
	       struct error *error);

/*
 * Undo that. No TCE may point into the section: the kernel would answer 0 and keep it pinned for
 * the life of this process (mm_iommu_put).
 */
int prereg_remove(struct kernel *kernel, int container_fd, const struct section *section,
		  struct error *error);
