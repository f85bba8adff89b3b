/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mappings of an address space. */
#include "vfio/space_mapping.h"

#include <inttypes.h>

static int find_window(const struct space *space, struct range iova,
		       const struct window **ret_window, struct error *error)
{
	const struct window *window = space_window_around(space, iova);

	if (window) {
		*ret_window = window;
		return 0;
	}
	if (space->container_count == 0) {
		(void)error_set(error, ERROR_OUTSIDE_WINDOW, 0,
				"%s; there is no window, since no group is attached",
				range_format(iova).text);
		return ERROR_OUTSIDE_WINDOW;
	}
	(void)error_set(error, ERROR_OUTSIDE_WINDOW, 0, "%s; the windows are: %s",
			range_format(iova).text, space_windows_format(space).text);
	return ERROR_OUTSIDE_WINDOW;
}

static int find_section(const struct space *space, struct range memory, uint32_t prot,
			struct section **ret_section, struct error *error)
{
	struct section *section = space_section_at(space, memory.start);

	if (!section) {
		(void)error_set(error, ERROR_MEMORY_UNKNOWN, 0, "no section has gpa 0x%" PRIx64,
				memory.start);
		return ERROR_MEMORY_UNKNOWN;
	}
	if (!range_contains(section->gpa, memory)) {
		(void)error_set(error, ERROR_MEMORY_UNKNOWN, 0,
				"%s goes past section %" PRIu32 ", which is %s",
				range_format(memory).text, section->id,
				range_format(section->gpa).text);
		return ERROR_MEMORY_UNKNOWN;
	}
	if (section_is_skipped(section)) {
		(void)error_set(error, ERROR_MEMORY_UNKNOWN, 0,
				"section %" PRIu32 " at %s is skipped: %s", section->id,
				range_format(section->gpa).text, section->because);
		return ERROR_MEMORY_UNKNOWN;
	}
	if (section->state != SECTION_PRESENT) {
		(void)error_set(error, ERROR_BUSY, 0, "section %" PRIu32 " at %s is being %s",
				section->id, range_format(section->gpa).text,
				section->state == SECTION_ARRIVING ? "added" : "removed");
		return ERROR_BUSY;
	}
	if ((section->flags & WORKER_MEMORY_READ_ONLY) && (prot & WORKER_PROT_WRITE)) {
		(void)error_set(error, ERROR_INVALID_ARGUMENT, 0,
				"section %" PRIu32 " at %s is read-only; map it with prot 1",
				section->id, range_format(section->gpa).text);
		return ERROR_INVALID_ARGUMENT;
	}
	*ret_section = section;
	return 0;
}

static int check_pages(const struct window *window, const struct section *section,
		       struct range iova, uint64_t gpa, struct error *error)
{
	uint64_t page = UINT64_C(1) << window->page_shift;
	uint64_t address = (uint64_t)(uintptr_t)section_address(section, gpa);

	if (!is_aligned(iova.start | gpa | iova.size, page)) {
		return error_set(error, ERROR_PAGE_SIZE, 0,
				 "iova 0x%" PRIx64 ", gpa 0x%" PRIx64 " and size 0x%" PRIx64
				 " must be multiples of 0x%" PRIx64 " in the window %s",
				 iova.start, gpa, iova.size, page,
				 range_format(window->range).text);
	}
	if (section->largest_page < page || !is_aligned(address, page)) {
		return error_set(error, ERROR_PAGE_SIZE, 0,
				 "section %" PRIu32 " has pages of 0x%" PRIx64
				 " bytes and allows IOMMU pages of 0x%" PRIx64
				 "; the window %s has 0x%" PRIx64,
				 section->id, section->backing_page, section->largest_page,
				 range_format(window->range).text, page);
	}
	return 0;
}

static int check_map(uint64_t iova, uint64_t gpa, uint64_t size, uint32_t prot, struct error *error)
{
	if (!range_is_valid(iova, size) || !range_is_valid(gpa, size)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "size 0x%" PRIx64 " is 0 or wraps around from iova 0x%" PRIx64
				 " or gpa 0x%" PRIx64,
				 size, iova, gpa);
	}
	if (prot == 0 || (prot & ~(WORKER_PROT_READ | WORKER_PROT_WRITE))) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "prot 0x%" PRIx32 "; use 1 (the device reads), 2 (it writes) or 3",
				 prot);
	}
	return 0;
}

int map_piece_check(const struct space *space, struct map_piece *piece, struct error *error)
{
	const struct mapping *mapping = &piece->mapping;
	struct range memory = {mapping->gpa, mapping->iova.size};
	int r;

	r = check_map(mapping->iova.start, mapping->gpa, mapping->iova.size, mapping->prot, error);
	if (r) {
		return r;
	}
	r = find_window(space, mapping->iova, &piece->window, error);
	if (r) {
		return r;
	}
	r = find_section(space, memory, mapping->prot, &piece->section, error);
	if (r) {
		return r;
	}
	return check_pages(piece->window, piece->section, mapping->iova, mapping->gpa, error);
}

bool map_piece_take(struct map_piece *piece, const struct map_piece *next)
{
	struct mapping *mapping = &piece->mapping;

	if (next->mapping.iova.start != range_last(mapping->iova) + 1 ||
	    next->mapping.gpa != mapping->gpa + mapping->iova.size ||
	    next->mapping.prot != mapping->prot || next->section != piece->section ||
	    next->window != piece->window) {
		return false;
	}
	mapping->iova.size += next->mapping.iova.size;
	return true;
}

int map_piece_apply(const struct map_piece *piece, struct container *container, struct error *error)
{
	int r = container_map(container, piece->window, piece->mapping.iova,
			      section_address(piece->section, piece->mapping.gpa),
			      piece->mapping.prot, error);

	piece->section->strays += container_kept_memory(container) ? 1 : 0;
	return r;
}

bool container_merges(const struct container *container, uint64_t count)
{
	uint64_t left = container_maps_left(container);

	return left == UINT64_MAX || left < count;
}

int refuse_entries(const struct space *space, const struct container *container, uint64_t count,
		   uint64_t merged, struct error *error)
{
	return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
			 "%" PRIu64 " more mappings (%" PRIu64 " entries when adjacent ones are "
			 "merged) beside the %" PRIu64 " there are: container %" PRIu32 " (%s) has "
			 "room for %" PRIu64 " entries more; map larger pieces, unmap others, or "
			 "raise dma_entry_limit of vfio_iommu_type1",
			 count, merged, ledger_count(space->ledger), container->id,
			 container_groups_format(container).text, container_maps_left(container));
}

/* The mappings in a range of the ledger as pieces, one after the other. */
struct piece_cursor {
	const struct space *space;
	struct ledger_cursor cursor;
	struct range iova;
	bool merge;
	bool more;
	struct map_piece next; /* if there is more */
};

static void pieces_advance(struct piece_cursor *pieces)
{
	struct mapping mapping;

	pieces->more = ledger_step(&pieces->cursor, &mapping) &&
		       mapping.iova.start <= range_last(pieces->iova);
	if (pieces->more) {
		pieces->next = (struct map_piece){
			.mapping = mapping,
			.window = space_window_around(pieces->space, mapping.iova),
			.section = space_section_at(pieces->space, mapping.gpa),
		};
	}
}

static struct piece_cursor pieces_seek(const struct space *space, struct range iova, bool merge)
{
	struct piece_cursor pieces = {
		.space = space,
		.cursor = ledger_seek(space->ledger, iova.start),
		.iova = iova,
		.merge = merge,
	};

	pieces_advance(&pieces);
	return pieces;
}

static bool pieces_step(struct piece_cursor *pieces, struct map_piece *ret_piece)
{
	if (!pieces->more) {
		return false;
	}
	*ret_piece = pieces->next;
	do {
		pieces_advance(pieces);
	} while (pieces->more && pieces->merge && map_piece_take(ret_piece, &pieces->next));
	return true;
}

static uint64_t count_pieces(const struct space *space, struct range iova, bool merge)
{
	struct piece_cursor pieces = pieces_seek(space, iova, merge);
	struct map_piece piece;
	uint64_t count = 0;

	while (pieces_step(&pieces, &piece)) {
		count++;
	}
	return count;
}

int space_check_entries(const struct space *space, const struct container *container,
			struct error *error)
{
	static const struct range all = {0, UINT64_MAX};
	uint64_t count = ledger_count(space->ledger);
	uint64_t merged;

	if (count <= container_maps_left(container)) {
		return 0;
	}
	merged = count_pieces(space, all, true);
	return merged > container_maps_left(container)
		       ? refuse_entries(space, container, count, merged, error)
		       : 0;
}

int space_replay_mappings(const struct space *space, struct container *container, struct range iova,
			  struct error *error)
{
	bool merge = container_maps_left(container) == UINT64_MAX ||
		     container_merges(container, count_pieces(space, iova, false));
	struct piece_cursor pieces = pieces_seek(space, iova, merge);
	struct map_piece piece;
	int result = 0;

	while (pieces_step(&pieces, &piece)) {
		int r = map_piece_apply(&piece, container, result ? NULL : error);

		result = result ? result : r;
	}
	return result;
}

/* The longest range from `from` on that is mapped without holes inside one window. */
static bool next_run(const struct space *space, uint64_t from, struct range *ret_run)
{
	struct ledger_cursor cursor = ledger_seek(space->ledger, from);
	const struct window *window;
	struct mapping mapping;
	struct range run;

	if (!ledger_step(&cursor, &mapping)) {
		return false;
	}
	run = mapping.iova;
	window = space_window_around(space, run);
	while (ledger_step(&cursor, &mapping) && mapping.iova.start == range_last(run) + 1 &&
	       range_contains(window->range, mapping.iova)) {
		run.size += mapping.iova.size;
	}
	*ret_run = run;
	return true;
}

int space_unmap_container(const struct space *space, struct container *container, bool anyway,
			  struct error *error)
{
	uint64_t from = 0;
	struct range run;

	while (next_run(space, from, &run)) {
		int r = container_unmap(container, run, error);

		if (r && !anyway) {
			/* The failed run, too: what is left of it is unknown. */
			struct range before = {0, range_last(run)};

			if (space_replay_mappings(space, container, before, NULL) && error) {
				error_append(error, "; mappings could not be restored");
			}
			return r;
		}
		if (range_last(run) == UINT64_MAX) {
			return 0;
		}
		from = range_last(run) + 1;
	}
	return 0;
}

int space_unmap_range(const struct space *space, struct container *container, struct range iova,
		      container_unmap_function *unmap, struct error *error)
{
	for (;;) {
		struct range first = {iova.start, 1};
		const struct window *window = space_window_around(space, first);
		struct range part = iova;
		int r;

		if (range_last(part) > range_last(window->range)) {
			part.size = range_last(window->range) - part.start + 1;
		}
		r = unmap(container, part, error);
		if (r || part.size == iova.size) {
			return r;
		}
		iova.start += part.size;
		iova.size -= part.size;
	}
}

int space_check_unmap(const struct space *space, struct range iova, struct error *error)
{
	struct mapping cut;
	uint64_t hole;

	if (!range_is_valid(iova.start, iova.size)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "size 0x%" PRIx64 " is 0 or wraps around from iova 0x%" PRIx64,
				 iova.size, iova.start);
	}
	switch (ledger_cover(space->ledger, iova, &hole, &cut)) {
	case LEDGER_COVER_WHOLE:
		return space_identity_check_unmap(space, iova, error);
	case LEDGER_COVER_HOLE:
		return error_set(error, ERROR_NOT_MAPPED, 0, "%s has a hole at 0x%" PRIx64,
				 range_format(iova).text, hole);
	case LEDGER_COVER_CUT:
		break;
	}
	return error_set(error, ERROR_NOT_MAPPED, 0, "%s cuts the mapping %s; unmap it as a whole",
			 range_format(iova).text, range_format(cut.iova).text);
}

void space_forget_mappings(struct space *space, struct range iova)
{
	struct mapping mapping;

	while (ledger_next(space->ledger, iova.start, &mapping) &&
	       mapping.iova.start <= range_last(iova)) {
		struct section *section = space_section_at(space, mapping.gpa);

		(void)ledger_erase(space->ledger, mapping.iova);
		section->mappings--;
		space->device_bytes -= section_is_device(section) ? mapping.iova.size : 0;
	}
}

int space_translate(const struct space *space, uint64_t iova, struct mapping *ret_mapping,
		    struct error *error)
{
	if (!ledger_find(space->ledger, iova, ret_mapping)) {
		return error_set(error, ERROR_NOT_MAPPED, 0, "nothing is mapped at iova 0x%" PRIx64,
				 iova);
	}
	return 0;
}
