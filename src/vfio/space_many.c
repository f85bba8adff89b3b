/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Maps and unmaps of an address space, one or many at once: all or nothing. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "vfio/space_mapping.h"

/* Pieces between two looks at whether to stop. */
#define PIECES_PER_TURN 64

/* A mapping of a request. */
struct entry {
	struct map_piece piece;
	size_t index; /* in the request */
};

struct many_maps {
	const struct space *space;
	struct entry *entries; /* in order of IOVA */
	size_t count;
	size_t reached; /* the entries that a container was asked for up to a failure */
	bool numbered;  /* error texts tell the entry */
};

struct many_unmaps {
	const struct space *space;
	struct range *ranges; /* in order, none touches the next */
	size_t count;
	size_t reached;
};

static int name_entry(struct error *error, size_t index, int code)
{
	if (error) {
		error_append(error, ", in entry %zu (counted from 0)", index);
	}
	return code;
}

/* Mapping */

static int compare_entries(const void *a, const void *b)
{
	uint64_t left = ((const struct entry *)a)->piece.mapping.iova.start;
	uint64_t right = ((const struct entry *)b)->piece.mapping.iova.start;

	return left < right ? -1 : left > right;
}

static void sort_entries(struct entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (compare_entries(&entries[i - 1], &entries[i]) > 0) {
			qsort(entries, count, sizeof(*entries), compare_entries);
			return;
		}
	}
}

static int check_apart(struct range a, size_t a_index, struct range b, size_t b_index,
		       struct error *error)
{
	if (!range_overlaps(a, b)) {
		return 0;
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, 0,
			 "entries %zu and %zu (counted from 0) overlap: %s and %s", a_index,
			 b_index, range_format(a).text, range_format(b).text);
}

/* Check the entries one by one, and then against each other, for which they are sorted. */
static int check_entries(const struct space *space, struct many_maps *many, struct error *error)
{
	for (size_t i = 0; i < many->count; i++) {
		int r = map_piece_check(space, &many->entries[i].piece, error);

		if (r) {
			return many->numbered ? name_entry(error, i, r) : r;
		}
	}
	sort_entries(many->entries, many->count);
	for (size_t i = 1; i < many->count; i++) {
		const struct entry *before = &many->entries[i - 1];
		const struct entry *entry = &many->entries[i];
		int r = check_apart(before->piece.mapping.iova, before->index,
				    entry->piece.mapping.iova, entry->index, error);

		if (r) {
			return r;
		}
	}
	return 0;
}

/* Put entries from one on together to a piece. Returns the one behind it. */
static size_t next_piece(const struct many_maps *many, size_t from, bool merge,
			 struct map_piece *ret_piece)
{
	*ret_piece = many->entries[from++].piece;
	while (merge && from < many->count &&
	       map_piece_take(ret_piece, &many->entries[from].piece)) {
		from++;
	}
	return from;
}

static uint64_t count_merged(const struct many_maps *many)
{
	struct map_piece piece;
	uint64_t count = 0;

	for (size_t i = 0; i < many->count; count++) {
		i = next_piece(many, i, true, &piece);
	}
	return count;
}

/* Before the kernel is asked: what it counts must suffice. */
static int check_limits(const struct space *space, const struct many_maps *many,
			struct error *error)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < many->count; i++) {
		const struct map_piece *piece = &many->entries[i].piece;

		bytes += section_is_device(piece->section) ? 0 : piece->mapping.iova.size;
	}
	for (unsigned int i = 0; i < space->container_count; i++) {
		const struct container *container = space->containers[i];
		uint64_t left = container_maps_left(container);
		uint64_t merged;

		if (left >= many->count) {
			continue;
		}
		merged = count_merged(many);
		if (left < merged) {
			return refuse_entries(space, container, many->count, merged, error);
		}
	}
	return space_check_map_locked(space, bytes, error);
}

static int refuse_note(const struct many_maps *many, const struct entry *entry, int result,
		       const struct mapping *overlap, struct error *error)
{
	int r;

	if (result == -EEXIST) {
		r = error_set(error, ERROR_ALREADY_MAPPED, 0,
			      "%s overlaps the mapping %s to gpa 0x%" PRIx64 "; unmap it first",
			      range_format(entry->piece.mapping.iova).text,
			      range_format(overlap->iova).text, overlap->gpa);
	} else {
		r = error_set(error, ERROR_KERNEL, -result, "no memory to note a mapping");
	}
	return many->numbered ? name_entry(error, entry->index, r) : r;
}

static void unnote_entries(struct space *space, const struct many_maps *many, size_t count)
{
	while (count-- > 0) {
		(void)ledger_erase(space->ledger, many->entries[count].piece.mapping.iova);
	}
}

static int note_entries(struct space *space, const struct many_maps *many, struct error *error)
{
	for (size_t i = 0; i < many->count; i++) {
		struct mapping overlap;
		int r = ledger_insert(space->ledger, &many->entries[i].piece.mapping, &overlap);

		if (r < 0) {
			unnote_entries(space, many, i);
			return refuse_note(many, &many->entries[i], r, &overlap, error);
		}
	}
	return 0;
}

static bool is_interrupted(const struct space *space)
{
	return space->settings.interrupted &&
	       space->settings.interrupted(space->settings.interrupted_userdata);
}

static int apply_maps(struct container *container, void *argument, struct error *error)
{
	struct many_maps *many = argument;
	bool merge = container_merges(container, many->count);
	size_t next = 0;

	for (size_t turn = 1; next < many->count; turn++) {
		struct map_piece piece;
		int r;

		if (turn % PIECES_PER_TURN == 0 && is_interrupted(many->space)) {
			return error_set(error, ERROR_BUSY, 0,
					 "cancelled after %zu of %zu mappings", next, many->count);
		}
		next = next_piece(many, next, merge, &piece);
		many->reached = next;
		r = map_piece_apply(&piece, container, error);
		if (r) {
			return r;
		}
	}
	return 0;
}

/* The longest range without holes in one window, whatever it leads to. */
static size_t next_range(const struct many_maps *many, size_t from, struct range *ret_range)
{
	const struct map_piece *first = &many->entries[from].piece;
	struct range range = first->mapping.iova;

	for (from++; from < many->reached; from++) {
		const struct map_piece *piece = &many->entries[from].piece;

		if (piece->window != first->window ||
		    piece->mapping.iova.start != range_last(range) + 1) {
			break;
		}
		range.size += piece->mapping.iova.size;
	}
	*ret_range = range;
	return from;
}

/* As many as can be. What a MAP that failed has left isn't known (H10): that goes, too. */
static int revert_maps(struct container *container, void *argument, struct error *error)
{
	struct many_maps *many = argument;
	int result = 0;

	for (size_t i = 0; i < many->reached;) {
		struct range range;
		int r;

		i = next_range(many, i, &range);
		r = container_unmap(container, range, result ? NULL : error);
		result = result ? result : r;
	}
	/* The containers before the one that failed have all of them. */
	many->reached = many->count;
	return result;
}

/* A MAP that fails half-way leaves entries before and after the failed one (tce_iommu_build_v2). */
static const struct step map_everywhere = {
	.apply = apply_maps,
	.revert = revert_maps,
	.revert_failed = true,
};

/* Something may be left that points into each of the sections. */
static void note_strays(const struct many_maps *many)
{
	const struct section *last = NULL;

	for (size_t i = 0; i < many->count; i++) {
		struct section *section = many->entries[i].piece.section;

		if (section != last) {
			section->strays++;
			last = section;
		}
	}
}

static int map_all(struct space *space, struct many_maps *many, struct error *error)
{
	bool stray = false;
	int r;

	r = check_entries(space, many, error);
	if (r == 0) {
		r = check_limits(space, many, error);
	}
	/* The ledger first: taking entries back can't fail. */
	if (r == 0) {
		r = note_entries(space, many, error);
	}
	if (r) {
		return r;
	}
	r = step_everywhere(space->containers, space->container_count, &map_everywhere, many,
			    &stray, error);
	if (r) {
		unnote_entries(space, many, many->count);
		if (stray) {
			note_strays(many);
		}
		return r;
	}
	for (size_t i = 0; i < many->count; i++) {
		const struct map_piece *piece = &many->entries[i].piece;

		piece->section->mappings++;
		space->device_bytes +=
			section_is_device(piece->section) ? piece->mapping.iova.size : 0;
	}
	return 0;
}

int space_map(struct space *space, uint64_t iova, uint64_t gpa, uint64_t size, uint32_t prot,
	      struct error *error)
{
	struct entry entry = {
		.piece.mapping = {.iova = {iova, size}, .gpa = gpa, .prot = prot},
	};
	struct many_maps many = {.space = space, .entries = &entry, .count = 1};

	return map_all(space, &many, error);
}

int space_map_many(struct space *space, const struct mapping *mappings, size_t count,
		   struct error *error)
{
	cleanup(cleanup_free) struct entry *entries = malloc(count * sizeof(*entries));
	struct many_maps many = {
		.space = space, .entries = entries, .count = count, .numbered = true};

	if (!entries) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for %zu mappings", count);
	}
	for (size_t i = 0; i < count; i++) {
		entries[i] = (struct entry){.piece.mapping = mappings[i], .index = i};
	}
	return map_all(space, &many, error);
}

/* Unmapping */

static int apply_unmaps(struct container *container, void *argument, struct error *error)
{
	struct many_unmaps *many = argument;

	for (size_t i = 0; i < many->count; i++) {
		int r;

		many->reached = i + 1;
		r = space_unmap_range(many->space, container, many->ranges[i], container_unmap,
				      error);
		if (r) {
			return r;
		}
	}
	return 0;
}

static int revert_unmaps(struct container *container, void *argument, struct error *error)
{
	struct many_unmaps *many = argument;
	int result = 0;

	for (size_t i = 0; i < many->reached; i++) {
		/* Mapping over what is still mapped replaces it by the same. */
		int r = space_replay_mappings(many->space, container, many->ranges[i],
					      result ? NULL : error);

		result = result ? result : r;
	}
	many->reached = many->count;
	return result;
}

static const struct step unmap_everywhere = {
	.apply = apply_unmaps,
	.revert = revert_unmaps,
	.revert_failed = true,
};

static int check_part(struct container *container, struct range iova, struct error *error)
{
	return container_check_unmap(container, iova, error);
}

/* Some containers can only unmap what was mapped at once as a whole. */
static int check_containers(const struct space *space, const struct many_unmaps *many,
			    size_t *ret_range, struct error *error)
{
	for (size_t i = 0; i < many->count; i++) {
		for (unsigned int j = 0; j < space->container_count; j++) {
			struct container *container = space->containers[j];
			int r = space_unmap_range(space, container, many->ranges[i], check_part,
						  error);

			if (r) {
				if (error) {
					error_append(error, ", in container %" PRIu32 " (%s)",
						     container->id,
						     container_groups_format(container).text);
				}
				*ret_range = i;
				return r;
			}
		}
	}
	return 0;
}

static int unmap_all(struct space *space, struct many_unmaps *many, struct error *error)
{
	int r = step_everywhere(space->containers, space->container_count, &unmap_everywhere, many,
				NULL, error);

	for (size_t i = 0; r == 0 && i < many->count; i++) {
		space_forget_mappings(space, many->ranges[i]);
	}
	return r;
}

int space_unmap(struct space *space, uint64_t iova, uint64_t size, struct error *error)
{
	struct range range = {iova, size};
	struct many_unmaps many = {.space = space, .ranges = &range, .count = 1};
	size_t failed;
	int r;

	r = space_check_unmap(space, range, error);
	if (r == 0) {
		r = check_containers(space, &many, &failed, error);
	}
	return r ? r : unmap_all(space, &many, error);
}

/* A range of a request. */
struct request_range {
	struct range range;
	size_t index;
};

static int compare_ranges(const void *a, const void *b)
{
	uint64_t left = ((const struct request_range *)a)->range.start;
	uint64_t right = ((const struct request_range *)b)->range.start;

	return left < right ? -1 : left > right;
}

static int check_ranges(const struct space *space, struct request_range *ranges, size_t count,
			struct error *error)
{
	for (size_t i = 0; i < count; i++) {
		int r = space_check_unmap(space, ranges[i].range, error);

		if (r) {
			return name_entry(error, i, r);
		}
	}
	qsort(ranges, count, sizeof(*ranges), compare_ranges);
	for (size_t i = 1; i < count; i++) {
		int r = check_apart(ranges[i - 1].range, ranges[i - 1].index, ranges[i].range,
				    ranges[i].index, error);

		if (r) {
			return r;
		}
	}
	return 0;
}

/* Make one of those that touch. */
static size_t join_ranges(const struct request_range *ranges, size_t count, struct range *joined)
{
	size_t joined_count = 0;

	for (size_t i = 0; i < count; i++) {
		if (joined_count > 0 &&
		    ranges[i].range.start == range_last(joined[joined_count - 1]) + 1) {
			joined[joined_count - 1].size += ranges[i].range.size;
		} else {
			joined[joined_count++] = ranges[i].range;
		}
	}
	return joined_count;
}

/* The first entry of a joined range. */
static size_t find_index(const struct request_range *ranges, struct range joined)
{
	while (ranges->range.start != joined.start) {
		ranges++;
	}
	return ranges->index;
}

static int unmap_sorted(struct space *space, struct request_range *ranges, size_t count,
			struct range *joined, struct error *error)
{
	struct many_unmaps many = {.space = space, .ranges = joined};
	size_t failed = 0;
	int r;

	r = check_ranges(space, ranges, count, error);
	if (r) {
		return r;
	}
	many.count = join_ranges(ranges, count, joined);
	r = check_containers(space, &many, &failed, error);
	return r ? name_entry(error, find_index(ranges, joined[failed]), r)
		 : unmap_all(space, &many, error);
}

int space_unmap_many(struct space *space, const struct range *ranges, size_t count,
		     struct error *error)
{
	cleanup(cleanup_free) struct request_range *sorted = malloc(count * sizeof(*sorted));
	cleanup(cleanup_free) struct range *joined = malloc(count * sizeof(*joined));

	if (!sorted || !joined) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for %zu ranges", count);
	}
	for (size_t i = 0; i < count; i++) {
		sorted[i] = (struct request_range){.range = ranges[i], .index = i};
	}
	return unmap_sorted(space, sorted, count, joined, error);
}
