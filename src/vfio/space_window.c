/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The windows of an address space. */
#include <inttypes.h>
#include <string.h>

#include "vfio/space_private.h"

struct create_step {
	const struct window_plan *plan;
	uint64_t start; /* WORKER_WINDOW_ANYWHERE until a container has chosen one */
	struct window window;
};

struct remove_step {
	struct window window;
};

const struct window *space_window_around(const struct space *space, struct range iova)
{
	for (unsigned int i = 0; i < space->window_count; i++) {
		if (range_contains(space->windows[i].range, iova)) {
			return &space->windows[i];
		}
	}
	return NULL;
}

void space_window_insert(struct space *space, const struct window *window)
{
	unsigned int index = 0;

	while (index < space->window_count &&
	       space->windows[index].range.start < window->range.start) {
		index++;
	}
	memmove(space->windows + index + 1, space->windows + index,
		(space->window_count - index) * sizeof(*space->windows));
	space->windows[index] = *window;
	space->window_count++;
}

void space_window_drop(struct space *space, uint64_t start)
{
	unsigned int index = 0;

	while (index < space->window_count && space->windows[index].range.start != start) {
		index++;
	}
	if (index == space->window_count) {
		return;
	}
	space->window_count--;
	memmove(space->windows + index, space->windows + index + 1,
		(space->window_count - index) * sizeof(*space->windows));
}

static struct memory_outlook look_at_memory(const struct space *space)
{
	struct memory_outlook outlook = {.any = space->section_count > 0,
					 .largest_page = UINT64_MAX};

	for (unsigned int i = 0; i < space->section_count; i++) {
		const struct section *section = space->sections[i];

		outlook.last = range_last(section->gpa);
		if (section->largest_page < outlook.largest_page) {
			outlook.largest_page = section->largest_page;
		}
	}
	return outlook;
}

static const struct window *find_overlap(const struct space *space, struct range range)
{
	for (unsigned int i = 0; i < space->window_count; i++) {
		if (range_overlaps(space->windows[i].range, range)) {
			return &space->windows[i];
		}
	}
	return NULL;
}

static int check_start(const struct space *space, const struct window_request *request,
		       const struct window_plan *plan, struct error *error)
{
	struct range range = {request->start, plan->size};
	const struct window *overlap;

	if (request->start == WORKER_WINDOW_ANYWHERE) {
		return 0;
	}
	if (!range_is_valid(range.start, range.size) ||
	    !is_aligned(range.start, UINT64_C(1) << plan->page_shift)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "a window of 0x%" PRIx64 " bytes can't start at 0x%" PRIx64
				 " with page shift %" PRIu32,
				 plan->size, request->start, plan->page_shift);
	}
	overlap = find_overlap(space, range);
	if (overlap) {
		return error_set(error, ERROR_WINDOW_OVERLAP, 0,
				 "%s overlaps the window %s; RemoveWindow(0x%" PRIx64 ") first",
				 range_format(range).text, range_format(overlap->range).text,
				 overlap->range.start);
	}
	return 0;
}

/* Whether every container has room for one more. */
static int check_room(const struct space *space, struct error *error)
{
	for (unsigned int i = 0; i < space->container_count; i++) {
		const struct container *container = space->containers[i];

		if (space->window_count >= container->capabilities.max_windows ||
		    space->window_count >= WORKER_WINDOWS_MAX) {
			return error_set(error, ERROR_NO_WINDOW_LEFT, 0,
					 "container %" PRIu32 " (%s) can have %" PRIu32
					 " windows and has %u; remove one first",
					 container->id, container_groups_format(container).text,
					 container->capabilities.max_windows, space->window_count);
		}
	}
	return 0;
}

/*
 * The plan of the first container, which every other must accept as it is. What the tables lock
 * counts once for each container.
 */
static int plan_window(const struct space *space, const struct window_request *request,
		       struct window_plan *ret_plan, struct error *error)
{
	struct memory_outlook outlook = look_at_memory(space);
	struct window_request fixed = *request;
	struct window_plan plan = {.size = 0};
	uint64_t locked = 0;

	for (unsigned int i = 0; i < space->container_count; i++) {
		struct window_plan own;
		int r;

		r = container_window_plan(space->containers[i], &fixed, &outlook,
					  &space->policy.window, &own, error);
		if (r) {
			return r;
		}
		if (i == 0) {
			plan = own;
			fixed.size = plan.size;
			fixed.page_shift = plan.page_shift;
			fixed.levels = plan.levels;
		}
		locked += own.locked_bytes;
	}
	plan.locked_bytes = locked;
	*ret_plan = plan;
	return 0;
}

/* A window that isn't where it should be is removed again. */
static int refuse_start(struct container *container, const struct window *window, uint64_t asked,
			struct error *error)
{
	int undo = container_window_remove(container, window->range.start, NULL);

	(void)error_set(error, ERROR_WINDOW_START, 0,
			"the platform starts this window at 0x%" PRIx64 ", not at 0x%" PRIx64
			" as asked%s",
			window->range.start, asked,
			undo ? "; it could not be removed again" : "; it was removed again");
	return ERROR_WINDOW_START;
}

static int apply_create(struct container *container, void *argument, struct error *error)
{
	struct create_step *create = argument;
	struct window window;
	int r;

	r = container_window_create(container, create->plan, &window, error);
	if (r) {
		return r;
	}
	if (create->start != WORKER_WINDOW_ANYWHERE && window.range.start != create->start) {
		return refuse_start(container, &window, create->start, error);
	}
	/* The first container's answer becomes the demand on the others. */
	if (create->window.range.size == 0) {
		create->window = window;
		create->start = window.range.start;
	}
	return 0;
}

static int revert_create(struct container *container, void *argument, struct error *error)
{
	const struct create_step *create = argument;

	return container_window_remove(container, create->window.range.start, error);
}

static const struct step create_everywhere = {.apply = apply_create, .revert = revert_create};

static int check_containers(const struct space *space, struct error *error)
{
	if (space->container_count == 0) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "the address space has no windows, since no group is attached; "
				 "attach one first");
	}
	return 0;
}

int space_window_create(struct space *space, const struct window_request *request,
			struct window *ret_window, struct error *error)
{
	struct window_plan plan;
	struct create_step create = {.plan = &plan, .start = request->start};
	int r;

	r = check_containers(space, error);
	if (r) {
		return r;
	}
	r = plan_window(space, request, &plan, error);
	if (r) {
		return r;
	}
	r = check_start(space, request, &plan, error);
	if (r) {
		return r;
	}
	r = check_room(space, error);
	if (r) {
		return r;
	}
	r = space_check_locked(space, plan.locked_bytes, error);
	if (r) {
		return r;
	}
	r = step_everywhere(space->containers, space->container_count, &create_everywhere, &create,
			    NULL, error);
	if (r) {
		return r;
	}
	space_window_insert(space, &create.window);
	*ret_window = create.window;
	return 0;
}

static int apply_remove(struct container *container, void *argument, struct error *error)
{
	const struct remove_step *remove = argument;

	return container_window_remove(container, remove->window.range.start, error);
}

/* Create it again; only as good as before if it gets its old start. */
static int revert_remove(struct container *container, void *argument, struct error *error)
{
	const struct remove_step *remove = argument;
	struct window_plan plan = {
		.size = remove->window.range.size,
		.page_shift = remove->window.page_shift,
		.levels = remove->window.levels,
		.more_levels = true,
	};
	struct window window;
	int r;

	r = container_window_create(container, &plan, &window, error);
	if (r == 0 && window.range.start != remove->window.range.start) {
		r = refuse_start(container, &window, remove->window.range.start, error);
	}
	return r;
}

static const struct step remove_everywhere = {.apply = apply_remove, .revert = revert_remove};

static int find_by_start(const struct space *space, uint64_t start, struct window *ret_window,
			 struct error *error)
{
	for (unsigned int i = 0; i < space->window_count; i++) {
		const struct window *window = &space->windows[i];

		if (window->range.start == start) {
			*ret_window = *window;
			return 0;
		}
		if (range_contains_address(window->range, start)) {
			return error_set(error, ERROR_NOT_FOUND, 0,
					 "0x%" PRIx64 " is inside the window %s, not its start",
					 start, range_format(window->range).text);
		}
	}
	return error_set(error, ERROR_NOT_FOUND, 0, "no window starts at 0x%" PRIx64, start);
}

int space_window_remove(struct space *space, uint64_t start, struct error *error)
{
	struct remove_step remove = {.window = {.levels = 0}};
	struct mapping mapping;
	int r;

	r = check_containers(space, error);
	if (r) {
		return r;
	}
	r = find_by_start(space, start, &remove.window, error);
	if (r) {
		return r;
	}
	if (ledger_next(space->ledger, start, &mapping) &&
	    range_overlaps(mapping.iova, remove.window.range)) {
		return error_set(error, ERROR_MEMORY_IN_USE, 0,
				 "the window %s has mappings, the first is %s; unmap them first",
				 range_format(remove.window.range).text,
				 range_format(mapping.iova).text);
	}
	r = step_everywhere(space->containers, space->container_count, &remove_everywhere, &remove,
			    NULL, error);
	if (r) {
		return r;
	}
	space_window_drop(space, start);
	return 0;
}

static bool same_range(struct range a, struct range b)
{
	return a.start == b.start && a.size == b.size;
}

/* Whether the space has a window that the container's default window is. */
static bool has_window(const struct space *space, const struct window *window)
{
	for (unsigned int i = 0; i < space->window_count; i++) {
		if (same_range(space->windows[i].range, window->range) &&
		    space->windows[i].page_shift == window->page_shift) {
			return true;
		}
	}
	return false;
}

static int replay_window(const struct space *space, struct container *container,
			 const struct window *window, struct error *error)
{
	struct memory_outlook outlook = look_at_memory(space);
	struct window_request request = {
		.start = window->range.start,
		.size = window->range.size,
		.page_shift = window->page_shift,
		.levels = window->levels,
	};
	struct window_plan plan;
	struct window made;
	int r;

	r = container_window_plan(container, &request, &outlook, &space->policy.window, &plan,
				  error);
	if (r) {
		return r;
	}
	r = space_check_new_tables(space, container, plan.locked_bytes, error);
	if (r) {
		return r;
	}
	plan.more_levels = true;
	r = container_window_create(container, &plan, &made, error);
	if (r == 0 && made.range.start != window->range.start) {
		r = refuse_start(container, &made, window->range.start, error);
	}
	return r;
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

/*
 * A host fills its window slots from the first on, and the slot decides the start (powernv: 0, then
 * 1 << 59). So the default window keeps its slot until the others are made, unless one of them has
 * taken its place in the other containers.
 */
int space_replay_windows(struct space *space, struct container *container, struct error *error)
{
	const struct window *own = &container->capabilities.default_windows[0];
	bool keep;
	bool in_the_way;
	int r;

	if (space->container_count == 0) {
		for (unsigned int i = 0; i < container->capabilities.default_window_count; i++) {
			space_window_insert(space, &own[i]);
		}
		return 0;
	}
	if (container->capabilities.default_window_count == 0) {
		return replay_others(space, container, NULL, error);
	}
	keep = has_window(space, own);
	in_the_way = !keep && find_overlap(space, own->range);
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

bool space_remove_windows(const struct space *space, struct container *container)
{
	bool gone = true;

	/* From the top: on an LPAR the dynamic windows have to go before the default one. */
	for (unsigned int i = space->window_count; i-- > 0;) {
		int r = container_window_remove(container, space->windows[i].range.start, NULL);

		gone = gone && (r == 0 || r == ERROR_NOT_FOUND);
	}
	return gone;
}

int space_window_plan(const struct space *space, const struct worker_plan *request,
		      struct space_plan *ret_plan, struct error *error)
{
	(void)request;
	(void)ret_plan;
	return check_containers(space, error);
}
