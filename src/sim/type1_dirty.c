/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dirty pages of a type1 container. No IOMMU here can tell which pages a device wrote, so the
 * kernel reports all that are mapped (update_user_bitmap), and there is nothing to remember. */
#include <errno.h>
#include <limits.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/param.h>

#include "common/range.h"
#include "sim/type1_private.h"

#define WORD_BITS     UINT64_C(64)
#define WORD_SIZE     sizeof(uint64_t)
#define TRACKED_PAGES ((uint64_t)INT_MAX) /* of one mapping, at most */
#define DIRTY_FLAGS                                                                       \
	((uint32_t)VFIO_IOMMU_DIRTY_PAGES_FLAG_START | VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP | \
	 VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP)

static uint64_t words_of(uint64_t bits)
{
	return (bits + WORD_BITS - 1) / WORD_BITS;
}

/* argsz and flags come first in both structures, and the bitmap last. */
struct bitmap_call {
	uint32_t argsz;
	uint32_t flags;
	uint64_t iova;
	uint64_t size;
	struct vfio_bitmap bitmap;
};

_Static_assert(sizeof(struct bitmap_call) == SIM_TYPE1_BITMAP_OFFSET, "bitmaps come behind");

bool sim_type1_find_bitmap(unsigned long request, const void *data, size_t size,
			   uint64_t *ret_address, uint64_t *ret_size)
{
	struct bitmap_call call;
	uint32_t flag;

	if (request == VFIO_IOMMU_DIRTY_PAGES) {
		flag = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP;
	} else if (request == VFIO_IOMMU_UNMAP_DMA) {
		flag = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
	} else {
		return false;
	}
	if (size < sizeof(call)) {
		return false;
	}
	memcpy(&call, data, sizeof(call));
	if (call.flags != flag || call.argsz < sizeof(call)) {
		return false;
	}
	*ret_address = (uintptr_t)call.bitmap.data;
	*ret_size = call.bitmap.size;
	return true;
}

bool type1_can_track(const struct type1 *type1, const struct sim_entry *entry)
{
	return entry->size / type1_page_size(type1) <= TRACKED_PAGES;
}

/* access_ok: the upper half of the addresses is the kernel's. */
static bool is_user_range(uint64_t address, uint64_t size)
{
	return address + size >= address && address + size <= UINT64_C(1) << 63;
}

int type1_check_bitmap(const struct vfio_bitmap *bitmap, uint64_t size)
{
	uint64_t pages;

	if (!is_user_range((uintptr_t)bitmap->data, bitmap->size)) {
		return -EINVAL;
	}
	/* A page size of 0 is refused later, as each that isn't the smallest. */
	pages = bitmap->pgsize ? size >> __builtin_ctzll(bitmap->pgsize) : size;
	if (pages == 0 || bitmap->size == 0 || bitmap->size > TYPE1_BITMAP_SIZE_MAX ||
	    bitmap->size < words_of(pages) * WORD_SIZE) {
		return -EINVAL;
	}
	return 0;
}

int type1_write_bitmap(const struct type1 *type1, const struct sim_entry *entry, uint64_t base,
		       struct sim_argument *argument)
{
	uint64_t page_size = type1_page_size(type1);
	uint64_t first = (entry->iova - base) / page_size;
	uint64_t end = first + entry->size / page_size;
	uint64_t end_offset = SIM_TYPE1_BITMAP_OFFSET + words_of(end) * WORD_SIZE;
	uint8_t *bytes = (uint8_t *)argument->data + SIM_TYPE1_BITMAP_OFFSET;

	if (end_offset > argument->size) {
		return -EFAULT;
	}
	/* Whole words are written. In the first, bits below the entry's are kept, in the last,
	 * those above it are cleared: what the next entry has there comes later. */
	for (uint64_t word = first / WORD_BITS; word < words_of(end); word++) {
		uint64_t low = word * WORD_BITS;
		uint64_t bits = 0;

		if (low < first) {
			memcpy(&bits, bytes + word * WORD_SIZE, WORD_SIZE);
			bits &= (UINT64_C(1) << (first - low)) - 1;
		}
		for (uint64_t bit = MAX(first, low); bit < MIN(end, low + WORD_BITS); bit++) {
			bits |= UINT64_C(1) << (bit - low);
		}
		memcpy(bytes + word * WORD_SIZE, &bits, WORD_SIZE);
	}
	argument->out_size = MAX(argument->out_size, (size_t)end_offset);
	return 0;
}

static int start_tracking(struct type1 *type1)
{
	for (size_t i = 0; i < type1->entries.count && !type1->tracking; i++) {
		if (!type1_can_track(type1, type1->entries.entry[i])) {
			return -EINVAL;
		}
	}
	type1->tracking = true;
	return 0;
}

static int write_bitmaps(const struct type1 *type1, uint64_t iova, uint64_t size,
			 struct sim_argument *argument)
{
	const struct sim_entries *entries = &type1->entries;
	uint64_t last = iova + (size - 1);
	int r = 0;

	if (sim_entries_cut(entries, iova, last)) {
		return -EINVAL;
	}
	for (size_t i = sim_entries_find(entries, iova);
	     i < entries->count && entries->entry[i]->iova <= last && r == 0; i++) {
		r = type1_write_bitmap(type1, entries->entry[i], iova, argument);
	}
	return r;
}

static int get_bitmap(const struct type1 *type1, struct sim_argument *argument)
{
	const size_t begin = offsetof(struct vfio_iommu_type1_dirty_bitmap, data);
	const struct vfio_iommu_type1_dirty_bitmap *dirty = argument->data;
	struct vfio_iommu_type1_dirty_bitmap_get range;
	uint64_t page_size = type1_page_size(type1);
	int r;

	if (dirty->argsz - begin < sizeof(range)) {
		return -EINVAL;
	}
	if (argument->size < begin + sizeof(range)) {
		return -EFAULT;
	}
	memcpy(&range, (const uint8_t *)argument->data + begin, sizeof(range));
	if (range.size == 0) {
		return -EINVAL;
	}
	if (!range_is_valid(range.iova, range.size) ||
	    (range.iova + range.size == 0 && !type1_reaches_end(type1))) {
		return type1_wrap_error(type1);
	}
	r = type1_check_bitmap(&range.bitmap, range.size);
	if (r < 0) {
		return r;
	}
	if (range.bitmap.pgsize != page_size || !is_aligned(range.iova | range.size, page_size) ||
	    !type1->tracking) {
		return -EINVAL;
	}
	return write_bitmaps(type1, range.iova, range.size, argument);
}

int type1_handle_dirty_pages(struct type1 *type1, struct sim_argument *argument)
{
	const struct vfio_iommu_type1_dirty_bitmap *dirty = argument->data;

	if (!type1->v2) {
		return -EACCES;
	}
	if (argument->size < sizeof(*dirty)) {
		return -EFAULT;
	}
	if (dirty->argsz < sizeof(*dirty) || dirty->flags & ~DIRTY_FLAGS) {
		return -EINVAL;
	}
	switch (dirty->flags) {
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_START:
		return start_tracking(type1);
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP:
		type1->tracking = false;
		return 0;
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP:
		return get_bitmap(type1, argument);
	default:
		return -EINVAL; /* none, or more than one */
	}
}
