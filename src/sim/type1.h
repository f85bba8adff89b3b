/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The type1 backend: mappings of any page-aligned range within the host's IOVA ranges, as
 * drivers/vfio/vfio_iommu_type1.c has them.
 *
 * Concepts
 *   entry       a mapping (sim/entries.h). MAP_DMA over another is EEXIST; there are so many at
 *               most as the module's dma_entry_limit says (H55).
 *   v1 and v2   differ in UNMAP_DMA: v2 refuses a range that cuts a mapping in two, v1 takes away
 *               what begins in the range, whole, and ignores the rest.
 *   vaddr       the user address of a mapping, which can be taken back and set anew while DMA goes
 *               on (VFIO_UPDATE_VADDR), by another process, too: that then owns the mapping.
 *   dirty       with tracking on, GET_BITMAP says of each mapped page that it is: the IOMMU can't
 *               tell.
 *
 * A call with a dirty bitmap (VFIO_IOMMU_DIRTY_PAGES with FLAG_GET_BITMAP, VFIO_IOMMU_UNMAP_DMA
 * with FLAG_GET_DIRTY_BITMAP) has a pointer to user memory in its structure. Whoever makes the
 * argument appends what that memory holds, bitmap.size bytes, at SIM_TYPE1_BITMAP_OFFSET of data,
 * as far as there is room and it can be read, and counts it in argument->size. What out_size has
 * beyond that offset goes back there, not behind the structure. A bitmap that is needed beyond what
 * came is EFAULT.
 *
 * In statistics a mapping counts with its host pages as TCEs, and with those that are pinned, so
 * not with devices' registers, as pinned bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/iommu.h"

/* Both structures end there: that of UNMAP_DMA with its struct vfio_bitmap, and that of
 * DIRTY_PAGES with its struct vfio_iommu_type1_dirty_bitmap_get. */
#define SIM_TYPE1_BITMAP_OFFSET 48U

/* Whether a request with such an argument has a bitmap, and where in user memory. On a sPAPR host
 * VFIO_IOMMU_DIRTY_PAGES has the number of VFIO_IOMMU_SPAPR_REGISTER_MEMORY, where such flags are
 * refused. */
bool sim_type1_find_bitmap(unsigned long request, const void *data, size_t size,
			   uint64_t *ret_address, uint64_t *ret_size);

/* VFIO_CHECK_EXTENSION of a type1 host: 1 or 0. Some depend on whether the container has its IOMMU
 * already. */
int sim_type1_check_extension(const struct sim_container *container, uint64_t extension);

/* type is VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU or VFIO_TYPE1_NESTING_IOMMU, which no group can be
 * attached to. NULL when memory is out. */
struct sim_iommu *sim_type1_new(struct sim_container *container, uint64_t type);
