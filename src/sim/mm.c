/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/mm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

/* The largest buddy allocation of a powerpc kernel is 16 MiB with either page size. The kernel pins
 * in chunks of so many pages as an array of pointers of that size holds. */
#define PIN_CHUNK_PAGES (UINT64_C(16) * 1024 * 1024 / 8)

void sim_pieces_done(struct sim_pieces *pieces)
{
	for (size_t i = 0; i < pieces->count; i++) {
		pieces->piece[i].operations->free(pieces->piece[i].memory);
	}
	free(pieces->piece);
	*pieces = SIM_PIECES_NONE;
}

uint64_t sim_pieces_size(const struct sim_pieces *pieces)
{
	uint64_t size = 0;

	for (size_t i = 0; i < pieces->count; i++) {
		size += pieces->piece[i].size;
	}
	return size;
}

/* mms */

struct sim_mm *sim_mm_new(struct sim_mm **list, unsigned int page_shift)
{
	struct sim_mm *mm = calloc(1, sizeof(*mm));

	if (!mm) {
		return NULL;
	}
	mm->references = 1;
	mm->page_shift = page_shift;
	mm->list = list;
	mm->next = *list;
	*list = mm;
	return mm;
}

struct sim_mm *sim_mm_ref(struct sim_mm *mm)
{
	mm->references++;
	return mm;
}

static void region_free(struct sim_region *region)
{
	sim_pieces_done(&region->pieces);
	free(region);
}

struct sim_mm *sim_mm_unref(struct sim_mm *mm)
{
	if (!mm || --mm->references > 0) {
		return NULL;
	}
	for (size_t i = 0; i < mm->region_count; i++) {
		region_free(mm->regions[i].region);
	}
	free(mm->regions);
	for (struct sim_mm **link = mm->list; *link; link = &(*link)->next) {
		if (*link == mm) {
			*link = mm->next;
			break;
		}
	}
	free(mm);
	return NULL;
}

int sim_mm_charge(struct sim_mm *mm, const struct sim_caller *caller, uint64_t pages)
{
	uint64_t limit = caller->memlock_limit;

	if (pages > 0 && limit != UINT64_MAX &&
	    mm->locked_pages + pages > limit >> mm->page_shift) {
		return -ENOMEM;
	}
	mm->locked_pages += pages;
	return 0;
}

void sim_mm_discharge(struct sim_mm *mm, uint64_t pages)
{
	mm->locked_pages -= MIN(pages, mm->locked_pages);
}

/* regions */

static uint64_t region_size(const struct sim_mm *mm, const struct sim_region *region)
{
	return region->pages << mm->page_shift;
}

/* How many regions begin at or before an address. */
static size_t count_until(const struct sim_mm *mm, uint64_t ua)
{
	size_t low = 0;
	size_t high = mm->region_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mm->regions[middle].ua <= ua) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

/* The region that begins last at or before an address, or NULL. */
static struct sim_region *find_region(const struct sim_mm *mm, uint64_t ua)
{
	size_t count = count_until(mm, ua);

	return count > 0 ? mm->regions[count - 1].region : NULL;
}

static int insert_region(struct sim_mm *mm, struct sim_region *region)
{
	size_t position = count_until(mm, region->ua);

	if (mm->region_count == mm->region_room) {
		size_t room = mm->region_room ? 2 * mm->region_room : 16;
		struct sim_region_entry *regions =
			reallocarray(mm->regions, room, sizeof(*regions));

		if (!regions) {
			return -ENOMEM;
		}
		mm->regions = regions;
		mm->region_room = room;
	}
	memmove(&mm->regions[position + 1], &mm->regions[position],
		(mm->region_count - position) * sizeof(*mm->regions));
	mm->regions[position] = (struct sim_region_entry){.ua = region->ua, .region = region};
	mm->region_count++;
	return 0;
}

static void remove_region(struct sim_mm *mm, const struct sim_region *region)
{
	size_t position = count_until(mm, region->ua) - 1;

	mm->region_count--;
	memmove(&mm->regions[position], &mm->regions[position + 1],
		(mm->region_count - position) * sizeof(*mm->regions));
}

struct sim_region *sim_mm_get(struct sim_mm *mm, uint64_t ua, uint64_t pages)
{
	struct sim_region *region = find_region(mm, ua);

	if (!region || region->ua != ua || region->pages != pages) {
		return NULL;
	}
	region->used++;
	return region;
}

/* The pages that can be pinned, of so many that are wanted: up to the first that can't. */
static uint64_t count_pages(const struct sim_mm *mm, const struct sim_pieces *pieces,
			    uint64_t wanted)
{
	uint64_t left = wanted << mm->page_shift;

	for (size_t i = 0; i < pieces->count && !pieces->piece[i].registers; i++) {
		left -= MIN(left, pieces->piece[i].size);
	}
	return wanted - ((left + ((UINT64_C(1) << mm->page_shift) - 1)) >> mm->page_shift);
}

/* What the pinning call for the last chunk answers when `have` bytes are there: 0 for all pages,
 * else the pages of the chunk that broke, or -EFAULT when it had none. */
static int pin_result(uint64_t pages, uint64_t have_pages)
{
	uint64_t chunk = MIN(PIN_CHUNK_PAGES, pages);
	uint64_t in_last;

	if (have_pages >= pages) {
		return 0;
	}
	in_last = have_pages % chunk;
	return in_last > 0 ? (int)in_last : -EFAULT;
}

static bool overlaps_region(const struct sim_mm *mm, uint64_t ua, uint64_t size)
{
	const struct sim_region *region = find_region(mm, ua + (size - 1));

	return region && ua < region->ua + region_size(mm, region);
}

/* Only huge pages may be larger than the host's; once one was seen, the kernel doesn't go back. */
static unsigned int largest_page_shift(const struct sim_mm *mm, uint64_t ua, uint64_t size,
				       const struct sim_pieces *pieces)
{
	unsigned int result = (unsigned int)__builtin_ctzll(ua | size);
	unsigned int page_shift = mm->page_shift;

	for (size_t i = 0; i < pieces->count; i++) {
		if (result > mm->page_shift && pieces->piece[i].page_shift > mm->page_shift) {
			page_shift = pieces->piece[i].page_shift;
		}
		result = MIN(result, page_shift);
	}
	return result;
}

static int pin(struct sim_mm *mm, uint64_t ua, uint64_t pages, struct sim_pieces *pieces,
	       struct sim_region **ret_region)
{
	uint64_t size = pages << mm->page_shift;
	struct sim_region *region;
	int result;

	if (pages == 0) {
		return -ENOMEM; /* an array of no page addresses can't be allocated */
	}
	result = pin_result(pages, count_pages(mm, pieces, pages));
	if (result) {
		return result;
	}
	if (overlaps_region(mm, ua, size)) {
		return -EINVAL;
	}
	region = calloc(1, sizeof(*region));
	if (!region) {
		return -ENOMEM;
	}
	region->ua = ua;
	region->pages = pages;
	region->page_shift = largest_page_shift(mm, ua, size, pieces);
	region->used = 1;
	region->mapped = 1;
	result = insert_region(mm, region);
	if (result < 0) {
		free(region);
		return result;
	}
	region->pieces = *pieces;
	*pieces = SIM_PIECES_NONE;
	*ret_region = region;
	return 0;
}

int sim_mm_pin(struct sim_mm *mm, const struct sim_caller *caller, uint64_t ua, uint64_t pages,
	       struct sim_pieces *pieces, struct sim_region **ret_region)
{
	int result = sim_mm_charge(mm, caller, pages);

	if (result == 0) {
		result = pin(mm, ua, pages, pieces, ret_region);
		if (result) {
			sim_mm_discharge(mm, pages);
		}
	}
	sim_pieces_done(pieces);
	return result;
}

int sim_mm_put(struct sim_mm *mm, struct sim_region *region)
{
	if (region->used > 1) {
		region->used--;
		return 0;
	}
	if (region->mapped != 1) {
		return -EBUSY;
	}
	remove_region(mm, region);
	sim_mm_discharge(mm, region->pages);
	region_free(region);
	return 0;
}

struct sim_region *sim_mm_lookup(struct sim_mm *mm, uint64_t ua, uint64_t size)
{
	struct sim_region *region = find_region(mm, ua);

	return region && ua + size > ua && ua + size <= region->ua + region_size(mm, region)
		       ? region
		       : NULL;
}

/* The piece that holds an address, and how far into it that is. */
static const struct sim_piece *find_piece(const struct sim_region *region, uint64_t ua,
					  uint64_t *ret_offset)
{
	uint64_t offset = ua - region->ua;

	for (size_t i = 0; i < region->pieces.count; i++) {
		const struct sim_piece *piece = &region->pieces.piece[i];

		if (offset < piece->size) {
			*ret_offset = offset;
			return piece;
		}
		offset -= piece->size;
	}
	return NULL;
}

unsigned int sim_region_page_shift_at(const struct sim_region *region, uint64_t ua,
				      uint64_t *ret_size)
{
	uint64_t offset = 0;
	const struct sim_piece *piece = find_piece(region, ua, &offset);

	if (!piece || piece->registers) {
		*ret_size = 0;
		return 0;
	}
	*ret_size = piece->size - offset;
	return piece->page_shift;
}

struct sim_region *sim_region_new_loose(uint64_t ua, uint64_t size, unsigned int page_shift,
					struct sim_pieces *pieces)
{
	struct sim_region *region = calloc(1, sizeof(*region));

	if (region) {
		region->ua = ua;
		region->pages = size >> page_shift;
		region->page_shift = page_shift;
		region->mapped = 1;
		region->loose = true;
		region->pieces = *pieces;
		*pieces = SIM_PIECES_NONE;
	}
	return region;
}

void sim_region_map(struct sim_region *region)
{
	region->mapped++;
}

void sim_region_unmap(struct sim_region *region)
{
	if (region->mapped > 1) {
		region->mapped--;
	} else if (region->loose) {
		region_free(region);
	}
}

int sim_region_read(const struct sim_region *region, uint64_t ua, void *data, size_t size)
{
	uint8_t *next = data;

	while (size > 0) {
		uint64_t offset;
		const struct sim_piece *piece = find_piece(region, ua, &offset);
		size_t part;
		int result;

		if (!piece) {
			return -EFAULT;
		}
		part = (size_t)MIN(size, piece->size - offset);
		result = piece->operations->read(piece->memory, offset, next, part);
		if (result < 0) {
			return result;
		}
		ua += part;
		next += part;
		size -= part;
	}
	return 0;
}

int sim_region_write(const struct sim_region *region, uint64_t ua, const void *data, size_t size)
{
	const uint8_t *next = data;

	while (size > 0) {
		uint64_t offset;
		const struct sim_piece *piece = find_piece(region, ua, &offset);
		size_t part;
		int result;

		if (!piece) {
			return -EFAULT;
		}
		part = (size_t)MIN(size, piece->size - offset);
		result = piece->operations->write(piece->memory, offset, next, part);
		if (result < 0) {
			return result;
		}
		ua += part;
		next += part;
		size -= part;
	}
	return 0;
}
