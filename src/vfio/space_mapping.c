/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mappings of an address space. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "vfio/space_private.h"

#define WINDOWS_TEXT 256

/* A mapping with all that the containers need to know. */
struct map_step {
	const struct window *window;
	struct range iova;
	void *address;
	uint32_t prot;
};

struct unmap_step {
	const struct space *space;
	struct range iova;
};

static int apply_map(struct container *container, void *argument, struct error *error)
{
	const struct map_step *map = argument;

	return container_map(container, map->window, map->iova, map->address, map->prot, error);
}

static int revert_map(struct container *container, void *argument, struct error *error)
{
	const struct map_step *map = argument;

	return container_unmap(container, map->iova, error);
}

/* A MAP that fails half-way leaves entries before and after the failed one (tce_iommu_build_v2). */
static const struct step map_everywhere = {
	.apply = apply_map,
	.revert = revert_map,
	.revert_failed = true,
};

/* "[0x0, 0x80000000) [0x800000000000000, …)" */
static void list_windows(const struct space *space, char text[WINDOWS_TEXT])
{
	int used = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < space->window_count && used < WINDOWS_TEXT; i++) {
		used += snprintf(text + used, (size_t)(WINDOWS_TEXT - used), "%s%s",
				 i > 0 ? " " : "", range_format(space->windows[i].range).text);
	}
}

static int find_window(const struct space *space, struct range iova,
		       const struct window **ret_window, struct error *error)
{
	char windows[WINDOWS_TEXT];
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
	list_windows(space, windows);
	(void)error_set(error, ERROR_OUTSIDE_WINDOW, 0, "%s; the windows are: %s",
			range_format(iova).text, space->window_count ? windows : "none");
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

/* The first Map of a container may make the table of its default window. */
static int check_tables(const struct space *space, struct error *error)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < space->container_count; i++) {
		bytes += container_pending_bytes(space->containers[i]);
	}
	return bytes > 0 ? space_check_locked(space, bytes, error) : 0;
}

static int note_mapping(struct space *space, const struct mapping *mapping, struct error *error)
{
	struct mapping overlap;
	int r = ledger_insert(space->ledger, mapping, &overlap);

	if (r == -EEXIST) {
		return error_set(error, ERROR_ALREADY_MAPPED, 0,
				 "%s overlaps the mapping %s to gpa 0x%" PRIx64 "; unmap it first",
				 range_format(mapping->iova).text, range_format(overlap.iova).text,
				 overlap.gpa);
	}
	return r < 0 ? error_set(error, ERROR_KERNEL, -r, "no memory to note a mapping") : 0;
}

int space_map(struct space *space, uint64_t iova, uint64_t gpa, uint64_t size, uint32_t prot,
	      struct error *error)
{
	struct map_step step = {.iova = {iova, size}, .prot = prot};
	struct mapping mapping = {.iova = {iova, size}, .gpa = gpa, .prot = prot};
	struct section *section = NULL;
	bool stray = false;
	int r;

	r = check_map(iova, gpa, size, prot, error);
	if (r) {
		return r;
	}
	r = find_window(space, step.iova, &step.window, error);
	if (r) {
		return r;
	}
	r = find_section(space, (struct range){gpa, size}, prot, &section, error);
	if (r) {
		return r;
	}
	r = check_pages(step.window, section, step.iova, gpa, error);
	if (r) {
		return r;
	}
	r = check_tables(space, error);
	if (r) {
		return r;
	}
	/* The ledger first: taking an entry back can't fail. */
	r = note_mapping(space, &mapping, error);
	if (r) {
		return r;
	}
	step.address = section_address(section, gpa);
	r = step_everywhere(space->containers, space->container_count, &map_everywhere, &step,
			    &stray, error);
	if (r) {
		(void)ledger_erase(space->ledger, mapping.iova);
		section->strays += stray ? 1 : 0;
		return r;
	}
	section->mappings++;
	return 0;
}

static int replay_mapping(const struct space *space, struct container *container,
			  const struct mapping *mapping, struct error *error)
{
	const struct section *section = space_section_at(space, mapping->gpa);
	const struct window *window = space_window_around(space, mapping->iova);

	return container_map(container, window, mapping->iova,
			     section_address(section, mapping->gpa), mapping->prot, error);
}

int space_replay_mappings(const struct space *space, struct container *container, struct range iova,
			  struct error *error)
{
	struct ledger_cursor cursor = ledger_seek(space->ledger, iova.start);
	struct mapping mapping;
	int result = 0;

	while (ledger_step(&cursor, &mapping) && mapping.iova.start <= range_last(iova)) {
		int r = replay_mapping(space, container, &mapping, result ? NULL : error);

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

/* Unmapping crosses from one window into the next where they touch: one call for each. */
static int apply_unmap(struct container *container, void *argument, struct error *error)
{
	const struct unmap_step *unmap = argument;
	struct range left = unmap->iova;

	for (;;) {
		struct range first = {left.start, 1};
		const struct window *window = space_window_around(unmap->space, first);
		struct range part = left;
		int r;

		if (range_last(part) > range_last(window->range)) {
			part.size = range_last(window->range) - part.start + 1;
		}
		r = container_unmap(container, part, error);
		if (r || part.size == left.size) {
			return r;
		}
		left.start += part.size;
		left.size -= part.size;
	}
}

static int revert_unmap(struct container *container, void *argument, struct error *error)
{
	const struct unmap_step *unmap = argument;

	/* Mapping over what is still mapped replaces it by the same. */
	return space_replay_mappings(unmap->space, container, unmap->iova, error);
}

static const struct step unmap_everywhere = {
	.apply = apply_unmap,
	.revert = revert_unmap,
	.revert_failed = true,
};

static int check_unmap(const struct space *space, struct range iova, struct error *error)
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
		return 0;
	case LEDGER_COVER_HOLE:
		return error_set(error, ERROR_NOT_MAPPED, 0, "%s has a hole at 0x%" PRIx64,
				 range_format(iova).text, hole);
	case LEDGER_COVER_CUT:
		break;
	}
	return error_set(error, ERROR_NOT_MAPPED, 0, "%s cuts the mapping %s; unmap it as a whole",
			 range_format(iova).text, range_format(cut.iova).text);
}

/* Take a range of whole mappings out of the books. */
static void forget_mappings(struct space *space, struct range iova)
{
	struct mapping mapping;

	while (ledger_next(space->ledger, iova.start, &mapping) &&
	       mapping.iova.start <= range_last(iova)) {
		struct section *section = space_section_at(space, mapping.gpa);

		(void)ledger_erase(space->ledger, mapping.iova);
		section->mappings--;
	}
}

int space_unmap(struct space *space, uint64_t iova, uint64_t size, struct error *error)
{
	struct unmap_step step = {.space = space, .iova = {iova, size}};
	int r;

	r = check_unmap(space, step.iova, error);
	if (r) {
		return r;
	}
	r = step_everywhere(space->containers, space->container_count, &unmap_everywhere, &step,
			    NULL, error);
	if (r) {
		return r;
	}
	forget_mappings(space, step.iova);
	return 0;
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

int space_map_many(struct space *space, const struct mapping *mappings, size_t count,
		   struct error *error)
{
	for (size_t i = 0; i < count; i++) {
		int r = space_map(space, mappings[i].iova.start, mappings[i].gpa,
				  mappings[i].iova.size, mappings[i].prot, error);

		if (r) {
			while (i-- > 0) {
				(void)space_unmap(space, mappings[i].iova.start,
						  mappings[i].iova.size, NULL);
			}
			return r;
		}
	}
	return 0;
}

int space_unmap_many(struct space *space, const struct range *ranges, size_t count,
		     struct error *error)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		r = space_unmap(space, ranges[i].start, ranges[i].size, error);
	}
	return r;
}
