/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MAP_DMA and UNMAP_DMA of a type1 container. */
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "common/range.h"
#include "sim/type1_private.h"

#define PERMISSIONS ((uint32_t)VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define MAP_FLAGS   (PERMISSIONS | VFIO_DMA_MAP_FLAG_VADDR)
#define UNMAP_FLAGS                                                                 \
	((uint32_t)VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP | VFIO_DMA_UNMAP_FLAG_ALL | \
	 VFIO_DMA_UNMAP_FLAG_VADDR)

/* MAP_DMA */

/* Everything about the range itself (vfio_dma_do_map). */
static int check_map(const struct type1 *type1, const struct vfio_iommu_type1_dma_map *map)
{
	bool sets_vaddr = map->flags & VFIO_DMA_MAP_FLAG_VADDR;
	bool has_permissions = map->flags & PERMISSIONS;

	if (map->argsz < sizeof(*map) || map->flags & ~MAP_FLAGS || map->size == 0) {
		return -EINVAL;
	}
	if (!range_is_valid(map->iova, map->size) || !range_is_valid(map->vaddr, map->size)) {
		return type1_wrap_error(type1);
	}
	if (sets_vaddr == has_permissions ||
	    !is_aligned(map->size | map->iova | map->vaddr, type1_page_size(type1))) {
		return -EINVAL;
	}
	return 0;
}

/* The caller takes a mapping over from the process that has it on its account
 * (vfio_change_dma_owner). */
static int change_owner(struct sim_entry *entry, const struct sim_caller *caller)
{
	int r;

	if (entry->mm == caller->mm) {
		return 0;
	}
	r = sim_mm_charge(caller->mm, caller, entry->locked);
	if (r == 0) {
		sim_mm_discharge(entry->mm, entry->locked);
		(void)sim_mm_unref(entry->mm);
		entry->mm = sim_mm_ref(caller->mm);
	}
	return r;
}

static int set_vaddr(struct type1 *type1, const struct sim_caller *caller, struct sim_entry *entry,
		     const struct vfio_iommu_type1_dma_map *map)
{
	int r;

	if (!entry) {
		return -ENOENT;
	}
	if (!entry->vaddr_invalid || entry->iova != map->iova || entry->size != map->size) {
		return -EINVAL;
	}
	r = change_owner(entry, caller);
	if (r == 0) {
		/* The pages stay those that were pinned. */
		entry->region.ua = map->vaddr;
		entry->vaddr_invalid = false;
		type1->invalid_vaddrs--;
	}
	return r;
}

static bool is_in_iova_ranges(const struct sim_host *host, uint64_t iova, uint64_t last)
{
	for (size_t i = 0; i < host->iova_range_count; i++) {
		if (host->iova_ranges[i].first <= iova && last <= host->iova_ranges[i].last) {
			return true;
		}
	}
	return host->iova_range_count == 0;
}

/* Charge page by page, as they are pinned (vfio_pin_pages_remote): what is missing first decides
 * whether it is memory or the right to lock it. A device's registers are mapped, but there is no
 * page to be charged (is_invalid_reserved_pfn). */
static int charge(const struct type1 *type1, const struct sim_caller *caller, uint64_t pages,
		  const struct sim_pieces *pieces, uint64_t *ret_locked)
{
	uint64_t left = pages;
	uint64_t locked = 0;
	int r;

	for (size_t i = 0; i < pieces->count; i++) {
		const struct sim_piece *piece = &pieces->piece[i];
		uint64_t part = MIN(left, piece->size >> type1->host->page_shift);

		left -= part;
		locked += piece->registers ? 0 : part;
	}
	r = sim_mm_charge(caller->mm, caller, locked);
	if (r == 0 && left > 0) {
		sim_mm_discharge(caller->mm, locked);
		r = -EFAULT;
	}
	*ret_locked = locked;
	return r;
}

/* Intel's page tables have no write-only pages since Linux 5.12 (__domain_mapping): a device that
 * may write may also read. */
static uint32_t permissions_of(uint32_t flags)
{
	return flags & VFIO_DMA_MAP_FLAG_WRITE ? PERMISSIONS : flags & PERMISSIONS;
}

static int pin(struct type1 *type1, const struct sim_caller *caller,
	       const struct vfio_iommu_type1_dma_map *map, struct sim_pieces *pieces)
{
	uint64_t pages = map->size >> type1->host->page_shift;
	struct sim_entry *entry = calloc(1, sizeof(*entry));
	uint64_t locked = 0;
	int r = entry ? charge(type1, caller, pages, pieces, &locked) : -ENOMEM;

	if (r < 0) {
		free(entry);
		return r;
	}
	*entry = (struct sim_entry){
		.iova = map->iova,
		.size = map->size,
		.permissions = permissions_of(map->flags),
		.mm = sim_mm_ref(caller->mm),
		.locked = locked,
		.region =
			{
				.ua = map->vaddr,
				.pages = pages,
				.page_shift = type1->host->page_shift,
				.used = 1,
				.mapped = 1,
				.owners = 1,
				.pieces = *pieces,
			},
	};
	*pieces = SIM_PIECES_NONE;
	/* With tracking on, a bitmap is made for it at last, which may be too large. */
	r = type1->tracking && !type1_can_track(type1, entry)
		    ? -EINVAL
		    : sim_entries_insert(&type1->entries, entry);
	if (r < 0) {
		(void)sim_entry_free(entry);
	}
	return r;
}

int type1_handle_map(struct type1 *type1, const struct sim_caller *caller,
		     struct sim_argument *argument)
{
	const struct vfio_iommu_type1_dma_map *map = argument->data;
	struct sim_entry *entry;
	int r = check_map(type1, map);

	if (r < 0) {
		return r;
	}
	entry = sim_entries_overlap(&type1->entries, map->iova, map->size);
	if (map->flags & VFIO_DMA_MAP_FLAG_VADDR) {
		return set_vaddr(type1, caller, entry, map);
	}
	if (entry) {
		return -EEXIST;
	}
	if (type1->entries.count >= type1->host->dma_entry_limit) {
		return -ENOSPC;
	}
	if (!is_in_iova_ranges(type1->host, map->iova, map->iova + (map->size - 1))) {
		return -EINVAL;
	}
	/* vfio_pin_pages_remote pins for writing only where devices may write. */
	if (!(map->flags & VFIO_DMA_MAP_FLAG_WRITE) &&
	    sim_pieces_size(&argument->pieces) < map->size) {
		return SIM_NEEDS_MEMORY_TO_READ;
	}
	if (argument->pieces.count == 0) {
		return SIM_NEEDS_MEMORY;
	}
	return pin(type1, caller, map, &argument->pieces);
}

/* UNMAP_DMA */

/* What a call takes away, or only the vaddrs of it. */
struct unmapping {
	uint32_t flags;
	uint64_t iova;
	uint64_t last;
	size_t first; /* of the entries */
	size_t end;
	uint64_t unmapped; /* bytes */
};

/* Entries that lie in the range. v1 stops at once at one that begins before it. */
static void find_entries(const struct type1 *type1, struct unmapping *unmapping)
{
	const struct sim_entries *entries = &type1->entries;
	size_t first = sim_entries_find(entries, unmapping->iova);
	size_t end = first;

	if (unmapping->last == UINT64_MAX && !(unmapping->flags & VFIO_DMA_UNMAP_FLAG_ALL) &&
	    !type1_reaches_end(type1)) {
		first = entries->count;
		end = first;
	}
	while (end < entries->count && entries->entry[end]->iova <= unmapping->last) {
		end++;
	}
	if (!type1->v2 && end > first && entries->entry[first]->iova < unmapping->iova) {
		end = first;
	}
	unmapping->first = first;
	unmapping->end = end;
}

/* All of them, or none when one has lost its vaddr already. */
static int invalidate_vaddrs(struct type1 *type1, struct unmapping *unmapping)
{
	for (size_t i = unmapping->first; i < unmapping->end; i++) {
		if (type1->entries.entry[i]->vaddr_invalid) {
			return -EINVAL;
		}
	}
	for (size_t i = unmapping->first; i < unmapping->end; i++) {
		type1->entries.entry[i]->vaddr_invalid = true;
		type1->invalid_vaddrs++;
		unmapping->unmapped += type1->entries.entry[i]->size;
	}
	return 0;
}

/* What comes before an entry whose bitmap can't be written is gone. */
static int remove_entries(struct type1 *type1, struct unmapping *unmapping,
			  struct sim_argument *argument)
{
	size_t i;
	int r = 0;

	for (i = unmapping->first; i < unmapping->end; i++) {
		const struct sim_entry *entry = type1->entries.entry[i];

		if (unmapping->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP) {
			r = type1_write_bitmap(type1, entry, unmapping->iova, argument);
		}
		if (r < 0) {
			break;
		}
		unmapping->unmapped += entry->size;
		type1->invalid_vaddrs -= entry->vaddr_invalid;
	}
	sim_entries_remove(&type1->entries, unmapping->first, i - unmapping->first);
	return r;
}

static int check_unmap_range(const struct type1 *type1,
			     const struct vfio_iommu_type1_dma_unmap *unmap)
{
	uint64_t page_size = type1_page_size(type1);

	if (!is_aligned(unmap->iova, page_size)) {
		return -EINVAL;
	}
	if (unmap->flags & VFIO_DMA_UNMAP_FLAG_ALL) {
		return unmap->iova || unmap->size ? -EINVAL : 0;
	}
	if (unmap->size == 0 || !is_aligned(unmap->size, page_size)) {
		return -EINVAL;
	}
	return range_is_valid(unmap->iova, unmap->size) ? 0 : type1_wrap_error(type1);
}

static int check_unmap_bitmap(const struct vfio_iommu_type1_dma_unmap *unmap, size_t size,
			      struct vfio_bitmap *ret_bitmap)
{
	if (unmap->flags & (VFIO_DMA_UNMAP_FLAG_ALL | VFIO_DMA_UNMAP_FLAG_VADDR) ||
	    unmap->argsz < SIM_TYPE1_BITMAP_OFFSET) {
		return -EINVAL;
	}
	if (size < SIM_TYPE1_BITMAP_OFFSET) {
		return -EFAULT;
	}
	memcpy(ret_bitmap, unmap->data, sizeof(*ret_bitmap));
	return type1_check_bitmap(ret_bitmap, unmap->size);
}

static int do_unmap(struct type1 *type1, struct unmapping *unmapping, struct sim_argument *argument)
{
	if (type1->v2 && !(unmapping->flags & VFIO_DMA_UNMAP_FLAG_ALL) &&
	    sim_entries_cut(&type1->entries, unmapping->iova, unmapping->last)) {
		return -EINVAL;
	}
	find_entries(type1, unmapping);
	if (unmapping->flags & VFIO_DMA_UNMAP_FLAG_VADDR) {
		return invalidate_vaddrs(type1, unmapping);
	}
	return remove_entries(type1, unmapping, argument);
}

int type1_handle_unmap(struct type1 *type1, struct sim_argument *argument)
{
	struct vfio_iommu_type1_dma_unmap *unmap = argument->data;
	bool wants_bitmap = unmap->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
	struct vfio_bitmap bitmap = {.pgsize = 0};
	struct unmapping unmapping;
	int r = 0;

	if (unmap->argsz < sizeof(*unmap) || unmap->flags & ~UNMAP_FLAGS) {
		return -EINVAL;
	}
	if (wants_bitmap) {
		r = check_unmap_bitmap(unmap, argument->size, &bitmap);
	}
	if (r == 0 && wants_bitmap && !type1->tracking) {
		r = -EINVAL;
	}
	if (r == 0) {
		r = check_unmap_range(type1, unmap);
	}
	if (r < 0) {
		return r;
	}
	if (wants_bitmap && bitmap.pgsize != type1_page_size(type1)) {
		return -EINVAL;
	}
	unmapping = (struct unmapping){
		.flags = unmap->flags,
		.iova = unmap->iova,
		.last = unmap->flags & VFIO_DMA_UNMAP_FLAG_ALL ? UINT64_MAX
							       : unmap->iova + (unmap->size - 1),
	};
	argument->out_size = sizeof(*unmap);
	r = do_unmap(type1, &unmapping, argument);
	if (r == 0) {
		unmap->size = unmapping.unmapped;
	}
	return r;
}
