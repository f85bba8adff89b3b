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

#include <stdatomic.h>

#include "vfio/container.h"
#include "vfio/listener.h"

struct prereg {
	struct memory_listener listener; /* must be first */
	const struct container *container;
	/* Whether anything was registered yet: only then the kernel takes MAP and UNMAP. Set by the
	 * thread that registers. */
	atomic_bool registered;
};

/*
 * A listener for a container that outlives it.
 *
 * add pins and registers a section, and blocks for as long as pinning takes. ERROR_QUOTA_EXCEEDED
 * (locked memory), ERROR_KERNEL
 *
 * remove undoes that. No TCE may point into the section: the kernel would answer 0 and keep it
 * pinned for the life of this process (mm_iommu_put).
 */
void prereg_init(struct prereg *prereg, const struct container *container);
