/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of the type1 backend. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/entries.h"
#include "sim/host.h"
#include "sim/type1.h"

/* Bytes of a bitmap, at most: for INT_MAX pages. */
#define TYPE1_BITMAP_SIZE_MAX UINT64_C(0x10000000)

struct type1 {
	struct sim_iommu iommu;
	const struct sim_host *host;
	bool v2;
	bool tracking; /* of dirty pages */
	struct sim_entries entries;
	unsigned int invalid_vaddrs; /* entries whose vaddr was taken back */
};

/* The smallest page size that GET_INFO shows, which all addresses and sizes are multiples of. */
uint64_t type1_page_size(const struct type1 *type1);

/* Whether a range may end at 2^64 exactly. Before Linux 6.18 UNMAP_DMA of such a one finds nothing,
 * and GET_BITMAP takes it for one that wraps around. */
bool type1_reaches_end(const struct type1 *type1);

/* What a range gets that wraps around: EINVAL, from Linux 6.18 on EOVERFLOW (negative). */
int type1_wrap_error(const struct type1 *type1);

/* ioctls */

int type1_handle_map(struct type1 *type1, const struct sim_caller *caller,
		     struct sim_argument *argument);
int type1_handle_unmap(struct type1 *type1, struct sim_argument *argument);
int type1_handle_dirty_pages(struct type1 *type1, struct sim_argument *argument);

/* dirty bitmaps */

struct vfio_bitmap;

/* What is wrong with a bitmap for so many bytes of IOVA space before anything else is looked at:
 * 0 or -EINVAL. */
int type1_check_bitmap(const struct vfio_bitmap *bitmap, uint64_t size);

/* Put an entry's bits into the argument's bitmap, whose first bit is for base. 0 or -EFAULT. */
int type1_write_bitmap(const struct type1 *type1, const struct sim_entry *entry, uint64_t base,
		       struct sim_argument *argument);

/* Whether an entry is small enough to be tracked. */
bool type1_can_track(const struct type1 *type1, const struct sim_entry *entry);
