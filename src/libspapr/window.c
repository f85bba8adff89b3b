/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Windows and mappings. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "libspapr/handles.h"

_Static_assert(SPAPR_DEVICE_READS == WORKER_PROT_READ, "rights are the engine's");
_Static_assert(SPAPR_DEVICE_WRITES == WORKER_PROT_WRITE, "rights are the engine's");
_Static_assert(SPAPR_WINDOW_REPLACE_DEFAULT == WORKER_WINDOW_REPLACE_DEFAULT,
	       "flags are the engine's");
_Static_assert(SPAPR_MANY_MAX == WORKER_MANY_MAX, "limits are the engine's");

/* windows */

static struct spapr_window describe(const struct window *window)
{
	return (struct spapr_window){
		.start = window->range.start,
		.size = window->range.size,
		.page_shift = window->page_shift,
		.levels = window->levels,
	};
}

static int check_create(const struct spapr_space *space, uint32_t flags, struct error *error)
{
	if (flags & ~SPAPR_WINDOW_REPLACE_DEFAULT) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "flags 0x%" PRIx32
				 " of a window; there is 1 (in place of the default one)",
				 flags);
	}
	return space->swaps || flags & SPAPR_WINDOW_REPLACE_DEFAULT
		       ? spapr_kvm_check_replace(space, error)
		       : 0;
}

int spapr_window_create(struct spapr_space *space, const struct spapr_window *wanted,
			uint32_t flags, struct spapr_window *ret_window,
			struct spapr_error *ret_error)
{
	struct window_request request = {
		.start = wanted->start,
		.size = wanted->size,
		.page_shift = wanted->page_shift,
		.levels = wanted->levels,
		.flags = flags,
	};
	struct window window;
	struct error error;
	int r = check_create(space, flags, &error);

	if (r == 0) {
		r = space_window_create(space->space, &request, &window, &error);
	}
	if (r == 0 && ret_window) {
		*ret_window = describe(&window);
	}
	return spapr_finish(r, &error, ret_error);
}

int spapr_window_remove(struct spapr_space *space, uint64_t start, struct spapr_error *ret_error)
{
	struct error error;
	int r = spapr_kvm_remove_window(space, start, &error);

	return spapr_finish(r, &error, ret_error);
}

unsigned int spapr_windows(const struct spapr_space *space, struct spapr_window *ret_windows,
			   unsigned int most)
{
	const struct window *window;
	unsigned int count = 0;

	while ((window = space_window(space->space, count))) {
		if (count < most) {
			ret_windows[count] = describe(window);
		}
		count++;
	}
	return count;
}

/* mappings */

int spapr_map(struct spapr_space *space, uint64_t iova, uint64_t gpa, uint64_t size, uint32_t prot,
	      struct spapr_error *ret_error)
{
	struct error error;
	int r = space_map(space->space, iova, gpa, size, prot, &error);

	return spapr_finish(r, &error, ret_error);
}

int spapr_unmap(struct spapr_space *space, uint64_t iova, uint64_t size,
		struct spapr_error *ret_error)
{
	struct error error;
	int r = space_unmap(space->space, iova, size, &error);

	return spapr_finish(r, &error, ret_error);
}

static int check_count(size_t count, struct error *error)
{
	return count == 0 || count > WORKER_MANY_MAX
		       ? error_set(error, ERROR_INVALID_ARGUMENT, 0,
				   "%zu mappings at once; there can be 1 to %u", count,
				   WORKER_MANY_MAX)
		       : 0;
}

static int no_memory(struct error *error)
{
	return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a list of mappings");
}

/* The ledger looks at prot as a byte; and what later versions may mean is refused by this one. */
static int map_many(struct space *space, const struct spapr_mapping *wanted, size_t count,
		    struct error *error)
{
	cleanup(cleanup_free) struct mapping *mappings = calloc(count, sizeof(*mappings));

	if (!mappings) {
		return no_memory(error);
	}
	for (size_t i = 0; i < count; i++) {
		if (wanted[i].reserved) {
			return error_set(error, ERROR_INVALID_ARGUMENT, 0,
					 "mapping %zu has a reserved member that is not 0", i);
		}
		mappings[i] = (struct mapping){
			.iova = {wanted[i].iova, wanted[i].size},
			.gpa = wanted[i].gpa,
			.prot = wanted[i].prot,
		};
	}
	return space_map_many(space, mappings, count, error);
}

int spapr_map_many(struct spapr_space *space, const struct spapr_mapping *mappings, size_t count,
		   struct spapr_error *ret_error)
{
	struct error error;
	int r = check_count(count, &error);

	if (r == 0) {
		r = map_many(space->space, mappings, count, &error);
	}
	return spapr_finish(r, &error, ret_error);
}

static int unmap_many(struct space *space, const struct spapr_mapping *mappings, size_t count,
		      struct error *error)
{
	cleanup(cleanup_free) struct range *ranges = calloc(count, sizeof(*ranges));

	if (!ranges) {
		return no_memory(error);
	}
	for (size_t i = 0; i < count; i++) {
		ranges[i] = (struct range){mappings[i].iova, mappings[i].size};
	}
	return space_unmap_many(space, ranges, count, error);
}

int spapr_unmap_many(struct spapr_space *space, const struct spapr_mapping *mappings, size_t count,
		     struct spapr_error *ret_error)
{
	struct error error;
	int r = check_count(count, &error);

	if (r == 0) {
		r = unmap_many(space->space, mappings, count, &error);
	}
	return spapr_finish(r, &error, ret_error);
}

static struct spapr_mapping describe_mapping(const struct mapping *mapping)
{
	return (struct spapr_mapping){
		.iova = mapping->iova.start,
		.gpa = mapping->gpa,
		.size = mapping->iova.size,
		.prot = mapping->prot,
	};
}

int spapr_translate(const struct spapr_space *space, uint64_t iova,
		    struct spapr_mapping *ret_mapping, struct spapr_error *ret_error)
{
	struct mapping mapping;
	struct error error;
	int r = space_translate(space->space, iova, &mapping, &error);

	if (r == 0) {
		uint64_t skipped = iova - mapping.iova.start;

		*ret_mapping = describe_mapping(&mapping);
		ret_mapping->iova += skipped;
		ret_mapping->gpa += skipped;
		ret_mapping->size -= skipped;
	}
	return spapr_finish(r, &error, ret_error);
}

size_t spapr_mappings(const struct spapr_space *space, uint64_t from,
		      struct spapr_mapping *ret_mappings, size_t most)
{
	struct ledger_cursor cursor = ledger_seek(space_ledger(space->space), from);
	struct mapping mapping;
	size_t count = 0;

	while (count < most && ledger_step(&cursor, &mapping)) {
		ret_mappings[count++] = describe_mapping(&mapping);
	}
	return count;
}
