/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The windows of an address space. */
#include <inttypes.h>
#include <string.h>

#include "vfio/space_private.h"

struct create_step {
	const struct window_plan *plan;
	uint64_t start;                /* WORKER_WINDOW_ANYWHERE until a container has chosen one */
	const struct window *replaced; /* goes first; or NULL */
	bool lost;                     /* a container could not have that again */
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

/* Containers */

/* A window that isn't where it should be is removed again. */
static int refuse_start(struct container *container, const struct window *window, uint64_t asked,
			struct error *error)
{
	int undo = container_window_remove(container, window->range.start, NULL);

	return error_set(error, ERROR_WINDOW_START, 0,
			 "the platform starts this window at 0x%" PRIx64 ", not at 0x%" PRIx64
			 " as asked%s",
			 window->range.start, asked,
			 undo ? "; it could not be removed again" : "; it was removed again");
}

int space_window_make(struct container *container, const struct window_plan *plan, uint64_t start,
		      struct window *ret_window, struct error *error)
{
	struct window window;
	int r;

	r = container_window_create(container, plan, &window, error);
	if (r) {
		return r;
	}
	if (start != WORKER_WINDOW_ANYWHERE && window.range.start != start) {
		return refuse_start(container, &window, start, error);
	}
	*ret_window = window;
	return 0;
}

int space_window_remake(struct container *container, const struct window *window,
			struct error *error)
{
	bool books = container->capabilities.windows_are_books;
	struct window_plan plan = {
		.start = books ? window->range.start : WORKER_WINDOW_ANYWHERE,
		.size = window->range.size,
		.page_shift = window->page_shift,
		.levels = window->levels,
		.more_levels = true,
	};
	struct window again;

	return space_window_make(container, &plan, window->range.start, &again, error);
}

/* A window without mappings that a container could not have back: then none has it. */
static void forget_window(struct space *space, uint64_t start, struct error *error)
{
	for (unsigned int i = 0; i < space->container_count; i++) {
		(void)container_window_remove(space->containers[i], start, NULL);
	}
	space_window_drop(space, start);
	if (error) {
		error_append(error,
			     "; the window that started at 0x%" PRIx64
			     " is gone from the address space",
			     start);
	}
}

/* Mappings in it */

static bool find_mapping(const struct space *space, struct range range, struct mapping *ret_mapping)
{
	return ledger_next(space->ledger, range.start, ret_mapping) &&
	       range_overlaps(ret_mapping->iova, range);
}

static int check_unmapped(const struct space *space, const struct window *window,
			  struct error *error)
{
	struct mapping mapping;

	if (find_mapping(space, window->range, &mapping)) {
		return error_set(error, ERROR_MEMORY_IN_USE, 0,
				 "the window %s has mappings, the first is %s; unmap them first",
				 range_format(window->range).text, range_format(mapping.iova).text);
	}
	return 0;
}

/* The default window */

static bool is_precious(const struct space *space)
{
	for (unsigned int i = 0; i < space->container_count; i++) {
		if (space->containers[i]->capabilities.default_window_is_precious) {
			return true;
		}
	}
	return false;
}

static bool has_made_windows(const struct space *space)
{
	for (unsigned int i = 0; i < space->window_count; i++) {
		if (!space->windows[i].by_default) {
			return true;
		}
	}
	return false;
}

/* The default window that a request is about: the one around its start where windows are books,
 * else the largest. NULL if there is none (any more). */
static const struct window *find_default(const struct space *space, uint64_t start)
{
	bool books = space->containers[0]->capabilities.windows_are_books;
	const struct window *found = NULL;

	for (unsigned int i = 0; i < space->window_count; i++) {
		const struct window *window = &space->windows[i];
		bool wanted = !books || start == WORKER_WINDOW_ANYWHERE ||
			      range_contains_address(window->range, start);

		if (window->by_default && wanted &&
		    (!found || window->range.size > found->range.size)) {
			found = window;
		}
	}
	return found;
}

static int refuse_kept(const struct window *window, struct error *error)
{
	return error_set(error, ERROR_UNSUPPORTED, 0,
			 "policy keeps the default window %s ([window] default-window = keep)",
			 range_format(window->range).text);
}

/* A hypervisor gives one window beside the default one, also when that is gone; and as long as it
 * has given it, the default window can't be had back (spapr_tce_create_table). */
static int check_precious(const struct space *space, const struct window *window,
			  struct error *error)
{
	if (is_precious(space) && has_made_windows(space)) {
		return error_set(error, ERROR_NO_WINDOW_LEFT, 0,
				 "the default window %s can't make room for another one, for there "
				 "is one beside it already; remove that first",
				 range_format(window->range).text);
	}
	return 0;
}

/* The window whose place the new one is to take, NULL for none. */
static int choose_replaced(const struct space *space, const struct window_request *request,
			   const struct window **ret_replaced, struct error *error)
{
	const struct window *window = find_default(space, request->start);
	struct mapping mapping;
	int r;

	*ret_replaced = NULL;
	if (!window) {
		return 0;
	}
	if (!(request->flags & WORKER_WINDOW_REPLACE_DEFAULT)) {
		/* By policy, but only where it costs nobody anything. */
		if (space->policy.default_window == WORKER_DEFAULT_WINDOW_SWAP &&
		    !is_precious(space) && !has_made_windows(space) &&
		    !find_mapping(space, window->range, &mapping)) {
			*ret_replaced = window;
		}
		return 0;
	}
	if (space->policy.default_window == WORKER_DEFAULT_WINDOW_KEEP) {
		return refuse_kept(window, error);
	}
	r = check_unmapped(space, window, error);
	if (r == 0) {
		r = check_precious(space, window, error);
	}
	if (r == 0) {
		*ret_replaced = window;
	}
	return r;
}

/* Where windows are books, a window is in the place of another only if it starts there. */
static uint64_t choose_start(const struct space *space, const struct window_request *request,
			     const struct window *replaced)
{
	uint64_t page = UINT64_C(1) << (request->page_shift & 63);

	if (!replaced || request->start != WORKER_WINDOW_ANYWHERE ||
	    !space->containers[0]->capabilities.windows_are_books) {
		return request->start;
	}
	return (replaced->range.start + (page - 1)) & ~(page - 1);
}

/* Checks before a window is created */

static const struct window *find_overlap(const struct space *space, struct range range,
					 const struct window *except)
{
	for (unsigned int i = 0; i < space->window_count; i++) {
		const struct window *window = &space->windows[i];

		if (window != except && range_overlaps(window->range, range)) {
			return window;
		}
	}
	return NULL;
}

static int check_start(const struct space *space, const struct window_plan *plan,
		       const struct window *replaced, struct error *error)
{
	struct range range = {plan->start, plan->size};
	const struct window *overlap;

	if (plan->start == WORKER_WINDOW_ANYWHERE) {
		return 0;
	}
	if (!range_is_valid(range.start, range.size) ||
	    !is_aligned(range.start, UINT64_C(1) << plan->page_shift)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "a window of 0x%" PRIx64 " bytes can't start at 0x%" PRIx64
				 " with page shift %" PRIu32,
				 plan->size, plan->start, plan->page_shift);
	}
	overlap = find_overlap(space, range, replaced);
	if (overlap) {
		return error_set(error, ERROR_WINDOW_OVERLAP, 0,
				 "%s overlaps the window %s; RemoveWindow(0x%" PRIx64 ") first",
				 range_format(range).text, range_format(overlap->range).text,
				 overlap->range.start);
	}
	return 0;
}

/* Whether every container has room for one more. */
static int check_room(const struct space *space, const struct window *replaced, struct error *error)
{
	unsigned int count = space->window_count - (replaced ? 1 : 0);

	for (unsigned int i = 0; i < space->container_count; i++) {
		const struct container *container = space->containers[i];

		if (count >= container->capabilities.max_windows || count >= WORKER_WINDOWS_MAX) {
			return error_set(error, ERROR_NO_WINDOW_LEFT, 0,
					 "container %" PRIu32 " (%s) can have %" PRIu32
					 " windows and has %u; remove one first",
					 container->id, container_groups_format(container).text,
					 container->capabilities.max_windows, count);
		}
	}
	return 0;
}

/* What a container doesn't lock when its default window goes: the table that it has, or the one
 * that would be made before any other window (tce_iommu_create_default_window). */
static uint64_t bytes_without(const struct space *space, const struct container *container,
			      const struct window *window)
{
	static const struct window_limits all = {.page_sizes = 0};
	struct memory_outlook outlook = space_memory_outlook(space);
	uint64_t pending = container_pending_bytes(container);
	struct window_request request = {
		.start = window->range.start,
		.size = window->range.size,
		.page_shift = window->page_shift,
		.levels = window->levels,
	};
	struct window_plan plan;

	if (pending > 0) {
		return pending;
	}
	return container_window_plan(container, &request, &outlook, &all, &plan, NULL)
		       ? 0
		       : plan.locked_bytes;
}

static int check_locked(const struct space *space, const struct window_plan *plan,
			const struct window *replaced, struct error *error)
{
	uint64_t less = 0;

	for (unsigned int i = 0; replaced && i < space->container_count; i++) {
		less += bytes_without(space, space->containers[i], replaced);
	}
	return space_check_locked(space, plan->locked_bytes > less ? plan->locked_bytes - less : 0,
				  error);
}

static int check_containers(const struct space *space, struct error *error)
{
	if (space->container_count == 0) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "the address space has no windows, since no group is attached; "
				 "attach one first");
	}
	return 0;
}

static int prepare(const struct space *space, const struct window_request *request,
		   const struct memory_outlook *outlook, struct window_plan *ret_plan,
		   const struct window **ret_replaced, struct error *error)
{
	struct window_request placed = *request;
	const struct window *replaced = NULL;
	struct window_plan plan = {.size = 0};
	int r;

	r = check_containers(space, error);
	if (r == 0) {
		r = choose_replaced(space, request, &replaced, error);
	}
	if (r) {
		return r;
	}
	placed.start = choose_start(space, request, replaced);
	r = space_plan_window(space, &placed, outlook, &plan, error);
	if (r) {
		return r;
	}
	if (!space->containers[0]->capabilities.windows_are_books) {
		plan.start = request->start;
	}
	r = check_start(space, &plan, replaced, error);
	if (r == 0) {
		r = check_room(space, replaced, error);
	}
	if (r == 0) {
		r = check_locked(space, &plan, replaced, error);
	}
	if (r) {
		return r;
	}
	/* The table that the kernel would make along with it isn't made. */
	plan.locked_bytes -= replaced ? space_pending_bytes(space) : 0;
	*ret_plan = plan;
	*ret_replaced = replaced;
	return 0;
}

int space_window_prepare(const struct space *space, const struct window_request *request,
			 const struct memory_outlook *outlook, struct window_plan *ret_plan,
			 struct error *error)
{
	const struct window *replaced;

	return prepare(space, request, outlook, ret_plan, &replaced, error);
}

/* Creating */

/* Take back that the default window went. */
static int restore_replaced(struct container *container, struct create_step *create,
			    struct error *error)
{
	int r;

	if (!create->replaced) {
		return 0;
	}
	r = space_window_remake(container, create->replaced, NULL);
	if (r) {
		create->lost = true;
		if (error) {
			error_append(error, "; the default window %s could not be made again",
				     range_format(create->replaced->range).text);
		}
	}
	return r;
}

static int apply_create(struct container *container, void *argument, struct error *error)
{
	struct create_step *create = argument;
	struct window window = {.levels = 0};
	int r;

	if (create->replaced) {
		r = container_window_remove(container, create->replaced->range.start, error);
		if (r) {
			return r;
		}
	}
	r = space_window_make(container, create->plan, create->start, &window, error);
	if (r) {
		(void)restore_replaced(container, create, error);
		return r;
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
	struct create_step *create = argument;
	int r;

	r = container_window_remove(container, create->window.range.start, error);
	return r ? r : restore_replaced(container, create, error);
}

static const struct step create_everywhere = {.apply = apply_create, .revert = revert_create};

int space_window_create(struct space *space, const struct window_request *request,
			struct window *ret_window, struct error *error)
{
	struct memory_outlook outlook = space_memory_outlook(space);
	struct window_plan plan;
	struct window replaced = {.levels = 0};
	struct create_step create = {.plan = &plan};
	bool unreverted = false;
	int r;

	r = prepare(space, request, &outlook, &plan, &create.replaced, error);
	if (r) {
		return r;
	}
	create.start = plan.start;
	if (!space->containers[0]->capabilities.windows_are_books) {
		plan.start = WORKER_WINDOW_ANYWHERE;
	}
	if (create.replaced) {
		replaced = *create.replaced;
		create.replaced = &replaced;
	}
	r = step_everywhere(space->containers, space->container_count, &create_everywhere, &create,
			    &unreverted, error);
	if (r) {
		if (create.replaced && (create.lost || unreverted)) {
			forget_window(space, replaced.range.start, error);
		}
		return r;
	}
	if (create.replaced) {
		space_window_drop(space, replaced.range.start);
	}
	space_window_insert(space, &create.window);
	*ret_window = create.window;
	return 0;
}

/* Removing */

static int apply_remove(struct container *container, void *argument, struct error *error)
{
	const struct remove_step *remove = argument;

	return container_window_remove(container, remove->window.range.start, error);
}

/* Only as good as before if it gets its old start. */
static int revert_remove(struct container *container, void *argument, struct error *error)
{
	const struct remove_step *remove = argument;

	return space_window_remake(container, &remove->window, error);
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

/* Asked before any container is: what one keeps would have to be made again in the others. */
static int check_removable(const struct space *space, const struct window *window,
			   struct error *error)
{
	for (unsigned int i = 0; i < space->container_count; i++) {
		const struct container *container = space->containers[i];

		if (container->capabilities.windows_stay) {
			return error_set(error, ERROR_UNSUPPORTED, 0,
					 "container %" PRIu32 " (%s) keeps its window %s, for "
					 "%s containers have no other; detach it first",
					 container->id, container_groups_format(container).text,
					 range_format(window->range).text,
					 container->capabilities.iommu_type);
		}
	}
	return 0;
}

int space_window_remove(struct space *space, uint64_t start, struct error *error)
{
	struct remove_step remove = {.window = {.levels = 0}};
	bool unreverted = false;
	int r;

	r = check_containers(space, error);
	if (r == 0) {
		r = find_by_start(space, start, &remove.window, error);
	}
	if (r) {
		return r;
	}
	if (remove.window.by_default &&
	    space->policy.default_window == WORKER_DEFAULT_WINDOW_KEEP) {
		return refuse_kept(&remove.window, error);
	}
	r = check_removable(space, &remove.window, error);
	if (r == 0) {
		r = check_unmapped(space, &remove.window, error);
	}
	if (r) {
		return r;
	}
	r = step_everywhere(space->containers, space->container_count, &remove_everywhere, &remove,
			    &unreverted, error);
	if (r) {
		if (unreverted) {
			forget_window(space, start, error);
		}
		return r;
	}
	space_window_drop(space, start);
	return 0;
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
