/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/type1_window.h"

#include <inttypes.h>
#include <stdio.h>

#define RANGES_TEXT     256
#define PAGE_SIZES_TEXT 96

static uint32_t smallest_shift(uint64_t page_sizes)
{
	return (uint32_t)__builtin_ctzll(page_sizes);
}

unsigned int type1_default_windows(const struct type1_info *host,
				   struct window ret_windows[WORKER_WINDOWS_MAX])
{
	for (unsigned int i = 0; i < host->range_count; i++) {
		ret_windows[i] = (struct window){
			.range = host->ranges[i],
			.page_shift = smallest_shift(host->page_sizes),
			.levels = 1,
		};
	}
	return host->range_count;
}

/* Unlike range_contains, for ranges that wrap around as well. */
static bool is_inside(struct range outer, struct range inner)
{
	return range_is_valid(inner.start, inner.size) && range_contains(outer, inner);
}

static bool host_contains(const struct type1_info *host, struct range range)
{
	for (unsigned int i = 0; i < host->range_count; i++) {
		if (is_inside(host->ranges[i], range)) {
			return true;
		}
	}
	return false;
}

/* "[0x0, 0xfee00000) [0xfef00000, …)" */
static void list_ranges(const struct type1_info *host, char text[RANGES_TEXT])
{
	int used = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < host->range_count && used < RANGES_TEXT; i++) {
		used += snprintf(text + used, (size_t)(RANGES_TEXT - used), "%s%s",
				 i > 0 ? " " : "", range_format(host->ranges[i]).text);
	}
}

static int refuse_place(const struct type1_info *host, struct range range, struct error *error)
{
	char ranges[RANGES_TEXT];

	list_ranges(host, ranges);
	return error_set(error, ERROR_WINDOW_START, 0,
			 "%s is not inside one of the IOVA ranges of this container: %s",
			 range_format(range).text, ranges);
}

int type1_windows_check_host(const struct type1_windows *windows, const struct type1_info *host,
			     struct error *error)
{
	for (unsigned int i = 0; i < windows->count; i++) {
		const struct window *window = &windows->made[i];

		if (!host_contains(host, window->range)) {
			return refuse_place(host, window->range, error);
		}
		if (!(host->page_sizes >> window->page_shift & 1)) {
			return error_set(error, ERROR_PAGE_SIZE, 0,
					 "the window %s has page shift %" PRIu32
					 ", which is none of the page sizes 0x%" PRIx64,
					 range_format(window->range).text, window->page_shift,
					 host->page_sizes);
		}
	}
	return 0;
}

/* plans */

/* "12 21 30" */
static void list_page_shifts(uint64_t page_sizes, char text[PAGE_SIZES_TEXT])
{
	int used = 0;

	text[0] = '\0';
	for (; page_sizes != 0 && used < PAGE_SIZES_TEXT; page_sizes &= page_sizes - 1) {
		used += snprintf(text + used, (size_t)(PAGE_SIZES_TEXT - used), "%s%" PRIu32,
				 used > 0 ? " " : "", smallest_shift(page_sizes));
	}
}

static int choose_page_shift(uint64_t page_sizes, uint32_t asked, uint32_t *ret_shift,
			     struct error *error)
{
	char shifts[PAGE_SIZES_TEXT];

	if (asked == 0 && page_sizes != 0) {
		*ret_shift = smallest_shift(page_sizes);
		return 0;
	}
	if (asked != 0 && asked < 64 && (page_sizes >> asked & 1)) {
		*ret_shift = asked;
		return 0;
	}
	list_page_shifts(page_sizes, shifts);
	return error_set(error, ERROR_PAGE_SIZE, 0,
			 "page shift %" PRIu32 " (0: any); a window can have %s here", asked,
			 page_sizes != 0 ? shifts : "none, for policy allows none of the host's");
}

/* The power of two that spans [0, last], of a page at least. */
static int choose_size(const struct memory_outlook *outlook, uint32_t page_shift,
		       uint64_t *ret_size, struct error *error)
{
	unsigned int shift;

	if (!outlook->any) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the address space has no memory to take the window's size from; "
				 "add memory first or give a size");
	}
	shift = outlook->last == 0 ? 0 : floor_log2(outlook->last) + 1;
	if (shift > 63) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "memory reaches up to 0x%" PRIx64
				 ", which no window spans; give a size",
				 outlook->last);
	}
	*ret_size = UINT64_C(1) << (shift > page_shift ? shift : page_shift);
	return 0;
}

static int check_form(const struct window_request *request, const struct window_plan *plan,
		      struct error *error)
{
	uint64_t page = UINT64_C(1) << plan->page_shift;

	if (request->levels > 1) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%" PRIu32 " levels; a type1 window has no table of its own, use "
				 "1 or 0",
				 request->levels);
	}
	if (!is_aligned(plan->size, page)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "window size 0x%" PRIx64 " is not a multiple of its pages of "
				 "0x%" PRIx64 " bytes",
				 plan->size, page);
	}
	if (request->start != WORKER_WINDOW_ANYWHERE &&
	    (!is_aligned(request->start, page) || !range_is_valid(request->start, plan->size))) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "a window of 0x%" PRIx64 " bytes can't start at 0x%" PRIx64
				 " with page shift %" PRIu32,
				 plan->size, request->start, plan->page_shift);
	}
	return 0;
}

static const struct window *find_overlap(const struct type1_windows *windows, struct range range)
{
	for (unsigned int i = 0; i < windows->count; i++) {
		if (range_overlaps(windows->made[i].range, range)) {
			return &windows->made[i];
		}
	}
	return NULL;
}

/* The lowest place for so many bytes in one of the host's ranges. ret_fits: whether there would be
 * one without the windows that there are. */
static bool find_place_in(const struct type1_windows *windows, struct range around, uint64_t size,
			  uint64_t page, struct range *ret_place, bool *ret_fits)
{
	struct range place = {(around.start + (page - 1)) & ~(page - 1), size};
	const struct window *obstacle;

	if (!is_inside(around, place)) {
		return false;
	}
	*ret_fits = true;
	while ((obstacle = find_overlap(windows, place))) {
		uint64_t last = range_last(obstacle->range) | (page - 1);

		place.start = last + 1;
		if (last >= range_last(around) || !is_inside(around, place)) {
			return false;
		}
	}
	*ret_place = place;
	return true;
}

static int choose_place(const struct type1_windows *windows, const struct window_plan *plan,
			uint64_t *ret_start, struct error *error)
{
	const struct type1_info *host = &windows->host;
	char ranges[RANGES_TEXT];
	struct range place;
	bool fits = false;

	for (unsigned int i = 0; i < host->range_count; i++) {
		if (find_place_in(windows, host->ranges[i], plan->size,
				  UINT64_C(1) << plan->page_shift, &place, &fits)) {
			*ret_start = place.start;
			return 0;
		}
	}
	list_ranges(host, ranges);
	if (fits) {
		return error_set(
			error, ERROR_NO_WINDOW_LEFT, 0,
			"windows leave no 0x%" PRIx64
			" bytes free of the container's IOVA ranges (%s); remove one first",
			plan->size, ranges);
	}
	return error_set(error, ERROR_UNSUPPORTED, 0,
			 "a window of 0x%" PRIx64
			 " bytes is larger than each of the container's IOVA ranges: %s",
			 plan->size, ranges);
}

/* A place that was asked for, or any; what is in its way is told when it is made. */
static int plan_place(const struct type1_windows *windows, const struct window_request *request,
		      struct window_plan *plan, struct error *error)
{
	struct range range = {request->start, plan->size};

	if (request->start == WORKER_WINDOW_ANYWHERE) {
		return choose_place(windows, plan, &plan->start, error);
	}
	if (!host_contains(&windows->host, range)) {
		return refuse_place(&windows->host, range, error);
	}
	plan->start = request->start;
	return 0;
}

int type1_windows_plan(const struct type1_windows *windows, const struct window_request *request,
		       const struct memory_outlook *outlook, const struct window_limits *limits,
		       struct window_plan *ret_plan, struct error *error)
{
	uint64_t page_sizes =
		windows->host.page_sizes & (limits->page_sizes ? limits->page_sizes : UINT64_MAX);
	struct window_plan plan = {.size = request->size, .levels = 1};
	int r;

	r = choose_page_shift(page_sizes, request->page_shift, &plan.page_shift, error);
	if (r == 0 && plan.size == 0) {
		r = choose_size(outlook, plan.page_shift, &plan.size, error);
	}
	if (r == 0) {
		r = check_form(request, &plan, error);
	}
	if (r == 0) {
		r = plan_place(windows, request, &plan, error);
	}
	if (r == 0) {
		*ret_plan = plan;
	}
	return r;
}

unsigned int type1_windows_choices(const struct type1_windows *windows,
				   const struct window_request *request,
				   const struct memory_outlook *outlook,
				   const struct window_limits *limits,
				   struct window_choice ret_choices[WORKER_CHOICES_MAX])
{
	uint64_t sizes = windows->host.page_sizes;
	unsigned int count = 0;

	for (; sizes != 0; sizes &= sizes - 1) {
		struct window_request one = *request;
		struct window_plan plan;
		struct window_choice choice = {
			.page_shift = smallest_shift(sizes),
			.levels = request->levels ? request->levels : 1,
		};

		if (request->page_shift != 0 && request->page_shift != choice.page_shift) {
			continue;
		}
		one.page_shift = choice.page_shift;
		choice.size = one.size;
		if (choice.size == 0 &&
		    choose_size(outlook, choice.page_shift, &choice.size, NULL)) {
			continue;
		}
		choice.code = (enum error_code)type1_windows_plan(windows, &one, outlook, limits,
								  &plan, NULL);
		choice.tces = choice.size >> choice.page_shift;
		ret_choices[count++] = choice;
	}
	return count;
}

/* what there is */

int type1_windows_create(struct type1_windows *windows, const struct window_plan *plan,
			 struct window *ret_window, struct error *error)
{
	struct window window = {
		.range = {plan->start, plan->size},
		.page_shift = plan->page_shift,
		.levels = plan->levels,
	};
	const struct window *obstacle;
	int r = 0;

	if (windows->count == WORKER_WINDOWS_MAX) {
		return error_set(error, ERROR_NO_WINDOW_LEFT, 0,
				 "the container has %d windows; remove one first",
				 WORKER_WINDOWS_MAX);
	}
	if (plan->start == WORKER_WINDOW_ANYWHERE) {
		r = choose_place(windows, plan, &window.range.start, error);
	} else if (!host_contains(&windows->host, window.range)) {
		r = refuse_place(&windows->host, window.range, error);
	}
	if (r) {
		return r;
	}
	obstacle = find_overlap(windows, window.range);
	if (obstacle) {
		return error_set(error, ERROR_WINDOW_OVERLAP, 0, "%s overlaps the window %s",
				 range_format(window.range).text,
				 range_format(obstacle->range).text);
	}
	windows->made[windows->count++] = window;
	*ret_window = window;
	return 0;
}

int type1_windows_remove(struct type1_windows *windows, uint64_t start, struct error *error)
{
	unsigned int index = 0;

	while (index < windows->count && windows->made[index].range.start != start) {
		index++;
	}
	if (index == windows->count) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "the container has no window that starts at 0x%" PRIx64, start);
	}
	windows->made[index] = windows->made[--windows->count];
	return 0;
}

int type1_windows_check_inside(const struct type1_windows *windows, struct range iova,
			       struct error *error)
{
	for (unsigned int i = 0; i < windows->count; i++) {
		if (is_inside(windows->made[i].range, iova)) {
			return 0;
		}
	}
	return error_set(error, ERROR_OUTSIDE_WINDOW, 0,
			 "%s; the container has no window around it", range_format(iova).text);
}
