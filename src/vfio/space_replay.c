/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The windows of an address space for a container that comes. */
#include <inttypes.h>

#include "common/log.h"
#include "vfio/space_private.h"

struct window_list {
	struct window items[WORKER_WINDOWS_MAX];
	unsigned int count;
};

struct narrow_step {
	const struct window_list *from;
	const struct window_list *to;
};

static bool same_range(struct range a, struct range b)
{
	return a.start == b.start && a.size == b.size;
}

static bool list_has(const struct window *windows, unsigned int count, const struct window *window)
{
	for (unsigned int i = 0; i < count; i++) {
		if (same_range(windows[i].range, window->range) &&
		    windows[i].page_shift == window->page_shift) {
			return true;
		}
	}
	return false;
}

/* The first container */

/* Whether a default window went as policy wants it. What can't be removed, or not be had back, is
 * kept. */
static int remove_by_policy(const struct space *space, struct container *container,
			    const struct window *window, bool *ret_removed, struct error *error)
{
	int r = ERROR_UNSUPPORTED;

	*ret_removed = false;
	if (space->policy.default_window != WORKER_DEFAULT_WINDOW_REMOVE) {
		return 0;
	}
	if (!container->capabilities.default_window_is_precious) {
		r = container_window_remove(container, window->range.start, error);
	}
	if (r == ERROR_UNSUPPORTED) {
		log_info("container %" PRIu32 " (%s) keeps its default window %s against policy "
			 "([window] default-window = remove), for it could not be had back",
			 container->id, container_groups_format(container).text,
			 range_format(window->range).text);
		return 0;
	}
	*ret_removed = r == 0;
	return r;
}

static int take_windows(struct space *space, struct container *container, struct error *error)
{
	const struct container_capabilities *capabilities = &container->capabilities;
	struct window_list list = {.count = 0};

	for (unsigned int i = 0; i < capabilities->default_window_count; i++) {
		struct window window = capabilities->default_windows[i];
		bool removed;
		int r;

		r = remove_by_policy(space, container, &window, &removed, error);
		if (r) {
			return r;
		}
		window.by_default = true;
		if (!removed) {
			list.items[list.count++] = window;
		}
	}
	for (unsigned int i = 0; i < list.count; i++) {
		space_window_insert(space, &list.items[i]);
	}
	return 0;
}

/* Further containers with windows of the kernel's */

static int replay_window(const struct space *space, struct container *container,
			 const struct window *window, struct error *error)
{
	/* What the others have is allowed, whatever policy says by now. */
	static const struct window_limits all = {.page_sizes = 0};
	struct memory_outlook outlook = space_memory_outlook(space);
	struct window_request request = {
		.start = window->range.start,
		.size = window->range.size,
		.page_shift = window->page_shift,
		.levels = window->levels,
	};
	struct window_plan plan;
	int r;

	r = container_window_plan(container, &request, &outlook, &all, &plan, error);
	if (r == 0) {
		r = space_check_locked(space, plan.locked_bytes, error);
	}
	return r ? r : space_window_remake(container, window, error);
}

/* Replay all windows but `except` (which may be NULL). */
static int replay_others(const struct space *space, struct container *container,
			 const struct window *except, struct error *error)
{
	for (unsigned int i = 0; i < space->window_count; i++) {
		int r;

		if (except && same_range(space->windows[i].range, except->range)) {
			continue;
		}
		r = replay_window(space, container, &space->windows[i], error);
		if (r) {
			return r;
		}
	}
	return 0;
}

static bool overlaps_any(const struct space *space, struct range range)
{
	for (unsigned int i = 0; i < space->window_count; i++) {
		if (range_overlaps(space->windows[i].range, range)) {
			return true;
		}
	}
	return false;
}

/*
 * A host fills its window slots from the first on, and the slot decides the start (powernv: 0, then
 * 1 << 59). So the default window keeps its slot until the others are made, unless one of them has
 * taken its place in the other containers, or it has the only slot.
 */
static int replay_tables(const struct space *space, struct container *container,
			 struct error *error)
{
	const struct container_capabilities *capabilities = &container->capabilities;
	const struct window *own = &capabilities->default_windows[0];
	bool keep;
	bool in_the_way;
	int r;

	if (capabilities->default_window_count == 0) {
		return replay_others(space, container, NULL, error);
	}
	keep = list_has(space->windows, space->window_count, own);
	in_the_way = !keep && (overlaps_any(space, own->range) ||
			       space->window_count >= capabilities->max_windows);
	if (in_the_way) {
		r = container_window_remove(container, own->range.start, error);
		if (r) {
			return r;
		}
	}
	r = replay_others(space, container, keep ? own : NULL, error);
	if (r || keep || in_the_way) {
		return r;
	}
	return container_window_remove(container, own->range.start, error);
}

/* Further containers whose windows are books */

static bool find_common(struct range a, struct range b, uint32_t page_shift,
			struct range *ret_range)
{
	uint64_t page = UINT64_C(1) << page_shift;
	uint64_t start = a.start > b.start ? a.start : b.start;
	uint64_t last = range_last(a) < range_last(b) ? range_last(a) : range_last(b);
	uint64_t first = (start + (page - 1)) & ~(page - 1);

	if (first < start || last < first) {
		return false;
	}
	*ret_range = (struct range){first, (last - first + 1) & ~(page - 1)};
	return ret_range->size > 0;
}

static int add_window(struct window_list *list, const struct window *window,
		      const struct container *container, struct error *error)
{
	if (list->count == WORKER_WINDOWS_MAX) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "the windows of the address space and the IOVA ranges of "
				 "container %" PRIu32 " have more than %d ranges in common",
				 container->id, WORKER_WINDOWS_MAX);
	}
	list->items[list->count++] = *window;
	return 0;
}

/* What a default window of the space and those of a container have in common. */
static int add_common(const struct window *window, const struct container *container,
		      struct window_list *list, struct error *error)
{
	const struct container_capabilities *capabilities = &container->capabilities;

	int r = 0;

	for (unsigned int i = 0; r == 0 && i < capabilities->default_window_count; i++) {
		const struct window *own = &capabilities->default_windows[i];
		struct window common = *window;

		if (own->page_shift > common.page_shift) {
			common.page_shift = own->page_shift;
		}
		if (find_common(window->range, own->range, common.page_shift, &common.range)) {
			r = add_window(list, &common, container, error);
		}
	}
	return r;
}

/* A window made by request: the container has it as it is, or not at all. */
static int add_whole(const struct window *window, const struct container *container,
		     struct window_list *list, struct error *error)
{
	const struct container_capabilities *capabilities = &container->capabilities;
	const struct window *nearest = NULL;

	for (unsigned int i = 0; i < capabilities->default_window_count; i++) {
		const struct window *own = &capabilities->default_windows[i];

		if (range_contains(own->range, window->range) &&
		    (capabilities->page_sizes >> window->page_shift & 1)) {
			return add_window(list, window, container, error);
		}
		if (!nearest || own->range.start <= window->range.start) {
			nearest = own;
		}
	}
	return error_set(error, ERROR_WINDOW_START, 0,
			 "the window %s with page shift %" PRIu32
			 " doesn't fit the IOVA range %s of "
			 "container %" PRIu32 ", whose page sizes are 0x%" PRIx64
			 "; remove the window first",
			 range_format(window->range).text, window->page_shift,
			 nearest ? range_format(nearest->range).text : "(none)", container->id,
			 capabilities->page_sizes);
}

static int check_mapping(const struct window_list *list, unsigned int *index,
			 const struct mapping *mapping, struct error *error)
{
	const struct window *window;

	while (*index < list->count &&
	       range_last(list->items[*index].range) < mapping->iova.start) {
		++*index;
	}
	window = *index < list->count ? &list->items[*index] : NULL;
	if (!window || !range_contains(window->range, mapping->iova) ||
	    !is_aligned(mapping->iova.start | mapping->iova.size | mapping->gpa,
			UINT64_C(1) << window->page_shift)) {
		return error_set(error, ERROR_WINDOW_START, 0,
				 "the windows that all containers can have leave no place for the "
				 "mapping %s: the nearest is %s; unmap it first",
				 range_format(mapping->iova).text,
				 window ? range_format(window->range).text : "(none)");
	}
	return 0;
}

static int check_mappings(const struct space *space, const struct window_list *list,
			  struct error *error)
{
	struct ledger_cursor cursor = ledger_seek(space->ledger, 0);
	struct mapping mapping;
	unsigned int index = 0;
	int r = 0;

	while (r == 0 && ledger_step(&cursor, &mapping)) {
		r = check_mapping(list, &index, &mapping, error);
	}
	return r;
}

/* The windows that the space can have together with a container. */
static int find_common_windows(const struct space *space, const struct container *container,
			       struct window_list *ret_list, struct error *error)
{
	int r = 0;

	ret_list->count = 0;
	for (unsigned int i = 0; r == 0 && i < space->window_count; i++) {
		const struct window *window = &space->windows[i];

		r = window->by_default ? add_common(window, container, ret_list, error)
				       : add_whole(window, container, ret_list, error);
	}
	if (r == 0 && ret_list->count == 0 && space->window_count > 0) {
		r = error_set(error, ERROR_WINDOW_START, 0,
			      "the windows of the address space and the IOVA ranges of container "
			      "%" PRIu32 " have nothing in common; the first window is %s",
			      container->id, range_format(space->windows[0].range).text);
	}
	return r ? r : check_mappings(space, ret_list, error);
}

/* Change a container's books. */
static int rewrite_books(struct container *container, const struct window_list *from,
			 const struct window_list *to, struct error *error)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < from->count; i++) {
		if (!list_has(to->items, to->count, &from->items[i])) {
			r = container_window_remove(container, from->items[i].range.start, error);
		}
	}
	for (unsigned int i = 0; r == 0 && i < to->count; i++) {
		if (!list_has(from->items, from->count, &to->items[i])) {
			r = space_window_remake(container, &to->items[i], error);
		}
	}
	return r;
}

static int apply_narrow(struct container *container, void *argument, struct error *error)
{
	const struct narrow_step *narrow = argument;

	return rewrite_books(container, narrow->from, narrow->to, error);
}

/* However far it got. */
static int revert_narrow(struct container *container, void *argument, struct error *error)
{
	const struct narrow_step *narrow = argument;
	struct window_list none = {.count = 0};

	for (unsigned int i = 0; i < narrow->to->count; i++) {
		(void)container_window_remove(container, narrow->to->items[i].range.start, NULL);
	}
	for (unsigned int i = 0; i < narrow->from->count; i++) {
		(void)container_window_remove(container, narrow->from->items[i].range.start, NULL);
	}
	return rewrite_books(container, &none, narrow->from, error);
}

static const struct step narrow_everywhere = {
	.apply = apply_narrow,
	.revert = revert_narrow,
	.revert_failed = true,
};

static struct window_list list_windows(const struct window *windows, unsigned int count)
{
	struct window_list list = {.count = count};

	for (unsigned int i = 0; i < count; i++) {
		list.items[i] = windows[i];
	}
	return list;
}

int space_narrow_windows(struct space *space, const struct container *container,
			 struct error *error)
{
	struct window_list from = list_windows(space->windows, space->window_count);
	struct window_list to;
	struct narrow_step narrow = {.from = &from, .to = &to};
	int r;

	if (!container->capabilities.windows_are_books || space->container_count == 0) {
		return 0;
	}
	r = find_common_windows(space, container, &to, error);
	if (r == 0) {
		r = step_everywhere(space->containers, space->container_count, &narrow_everywhere,
				    &narrow, NULL, error);
	}
	if (r) {
		return r;
	}
	space->window_count = 0;
	for (unsigned int i = 0; i < to.count; i++) {
		space_window_insert(space, &to.items[i]);
	}
	return 0;
}

static int replay_books(const struct space *space, struct container *container, struct error *error)
{
	struct window_list from = list_windows(container->capabilities.default_windows,
					       container->capabilities.default_window_count);
	struct window_list to;
	int r;

	r = find_common_windows(space, container, &to, error);
	return r ? r : rewrite_books(container, &from, &to, error);
}

int space_replay_windows(struct space *space, struct container *container, struct error *error)
{
	if (space->container_count == 0) {
		return take_windows(space, container, error);
	}
	return container->capabilities.windows_are_books ? replay_books(space, container, error)
							 : replay_tables(space, container, error);
}
