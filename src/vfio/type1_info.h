/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel says of a type1 container (VFIO_IOMMU_GET_INFO and its chain of capabilities).
 *
 * Concepts
 *   IOVA range  a range that the IOMMU of every group can translate and that no interrupt messages
 *               or other reserved regions lie in. It shrinks when groups join and grows when they
 *               leave (vfio_iommu_type1_attach_group).
 *   entry       a mapping as the kernel has it. There are so many at most as vfio_iommu_type1's
 *               parameter dma_entry_limit says, for each container.
 */
#pragma once

#include <stdint.h>

#include "common/error.h"
#include "common/range.h"
#include "common/worker_protocol.h"
#include "host/kernel.h"

struct type1_info {
	uint64_t page_sizes; /* one bit for each, at least one */
	/* In order, apart from each other, and made of whole pages of the smallest size; at least
	 * one. When the kernel has more, the largest are kept: what is left out can't be mapped. */
	struct range ranges[WORKER_WINDOWS_MAX];
	unsigned int range_count;
	uint64_t entries_left;
};

/*
 * Kernels before 5.4 don't tell the ranges: then it is one, of all addresses but the last page.
 * That is left out of any range, since kernels before 6.18 map but never unmap what ends at 2^64
 * (vfio_find_dma), and its size would not fit. Nor do kernels before 5.10 tell how many entries are
 * left: then it is the kernel's default.
 *
 * ERROR_KERNEL       the kernel refuses, or its answer makes no sense
 * ERROR_UNSUPPORTED  there are no IOVA ranges of a page or more
 */
int type1_info_read(struct kernel *kernel, int fd, struct type1_info *ret_info,
		    struct error *error);
