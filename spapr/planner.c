/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spapr/planner.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/range.h"

#define PAGE_SIZES_TEXT 160

/* A request with everything that it is judged by. */
struct planning {
	const struct planner_host *host;
	const struct memory_outlook *outlook;
	const struct window_request *request;
	uint64_t policy_pages; /* one bit for each that policy allows */
	uint64_t most_tces;
	uint64_t safe_piece;
};

static struct planning planning_make(const struct planner_host *host,
				     const struct memory_outlook *outlook,
				     const struct window_limits *limits,
				     const struct window_request *request)
{
	struct planning planning = {
		.host = host,
		.outlook = outlook,
		.request = request,
		.policy_pages = limits->page_sizes ? limits->page_sizes : UINT64_MAX,
		.most_tces = host->rules.most_tces,
		.safe_piece = limits->table_piece ? limits->table_piece : TABLE_PIECE_SAFE,
	};

	if (limits->most_tces != 0 && limits->most_tces < planning.most_tces) {
		planning.most_tces = limits->most_tces;
	}
	if (planning.safe_piece > TABLE_PIECE_MAX) {
		planning.safe_piece = TABLE_PIECE_MAX;
	}
	return planning;
}

/* -- page sizes -- */

static bool host_has_page(const struct planner_host *host, uint32_t page_shift)
{
	return page_shift < 64 && (host->page_sizes >> page_shift & 1);
}

/* One that the kernel gets right, too. */
static bool page_is_good(const struct planner_host *host, uint32_t page_shift)
{
	return host_has_page(host, page_shift) && table_page_shift_is_known(page_shift);
}

/* "12 16 21 30": the page shifts that the host has. */
static void list_page_shifts(const struct planner_host *host, char text[PAGE_SIZES_TEXT])
{
	int used = 0;

	text[0] = '\0';
	for (uint32_t shift = 0; shift < 64; shift++) {
		if (page_is_good(host, shift)) {
			used += snprintf(text + used, PAGE_SIZES_TEXT - (size_t)used, "%s%" PRIu32,
					 used > 0 ? " " : "", shift);
		}
	}
}

/* Without memory there will be some, of the kernel's pages at least. */
static uint64_t largest_page(const struct planning *planning)
{
	return planning->outlook->any ? planning->outlook->largest_page
				      : UINT64_C(1) << planning->host->rules.kernel_page_shift;
}

static int check_page(const struct planning *planning, uint32_t page_shift, struct error *error)
{
	char shifts[PAGE_SIZES_TEXT];

	if (!page_is_good(planning->host, page_shift)) {
		list_page_shifts(planning->host, shifts);
		return error_set(error, ERROR_PAGE_SIZE, 0,
				 "page shift %" PRIu32 "; this host has %s", page_shift, shifts);
	}
	if (!(planning->policy_pages >> page_shift & 1)) {
		return error_set(error, ERROR_PAGE_SIZE, 0,
				 "page shift %" PRIu32
				 " is not among the IOMMU page sizes that may be used, 0x%" PRIx64
				 " (policy, or other containers of the address space)",
				 page_shift, planning->policy_pages);
	}
	if (planning->request->page_shift == 0 &&
	    UINT64_C(1) << page_shift > largest_page(planning)) {
		return error_set(error, ERROR_PAGE_SIZE, 0,
				 "page shift %" PRIu32 "; the memory allows IOMMU pages of "
				 "0x%" PRIx64 " at most",
				 page_shift, largest_page(planning));
	}
	return 0;
}

/* The largest page shift below `below` that can be used, or 0. */
static uint32_t next_page_shift(const struct planning *planning, uint32_t below)
{
	for (uint32_t shift = below; shift-- > 0;) {
		if (check_page(planning, shift, NULL) == 0) {
			return shift;
		}
	}
	return 0;
}

/* -- sizes -- */

/* The power of two that spans [0, last]; at least the smallest window. */
static int choose_size(const struct planning *planning, uint32_t page_shift, uint64_t *ret_size,
		       struct error *error)
{
	const struct memory_outlook *outlook = planning->outlook;
	unsigned int least = page_shift + floor_log2(table_least_tces(&planning->host->rules));
	unsigned int shift;

	if (planning->request->size != 0) {
		*ret_size = planning->request->size;
		return 0;
	}
	if (!outlook->any) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the address space has no memory to take the window's size from; "
				 "add memory first or give a size");
	}
	shift = outlook->last == 0 ? 0 : floor_log2(outlook->last) + 1;
	shift = shift > least ? shift : least;
	if (shift > 63) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "memory reaches up to 0x%" PRIx64
				 ", which no window spans; give a size",
				 outlook->last);
	}
	*ret_size = UINT64_C(1) << shift;
	return 0;
}

static bool has_few_tces(const struct planning *planning, uint32_t page_shift, uint64_t size)
{
	return table_tces(page_shift, size) < table_least_tces(&planning->host->rules);
}

static int check_size(const struct planning *planning, uint32_t page_shift, uint64_t size,
		      struct error *error)
{
	uint64_t tces = table_tces(page_shift, size);

	if (!is_power_of_two(size)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "window size 0x%" PRIx64 " is not a power of two", size);
	}
	if (has_few_tces(planning, page_shift, size)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "window size 0x%" PRIx64 " takes 0x%" PRIx64
				 " TCEs at page shift %" PRIu32
				 "; the smallest window has 0x%" PRIx64,
				 size, tces, page_shift, table_least_tces(&planning->host->rules));
	}
	if (tces > planning->most_tces) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "window size 0x%" PRIx64 " takes 0x%" PRIx64
				 " TCEs at page shift %" PRIu32 "; at most 0x%" PRIx64
				 " are made, for the kernel walks them all at removal",
				 size, tces, page_shift, planning->most_tces);
	}
	return 0;
}

/* -- levels -- */

static bool levels_are_legal(const struct planner_host *host, uint32_t page_shift, uint64_t size,
			     uint32_t levels)
{
	return levels <= host->max_levels &&
	       table_levels_are_legal(&host->rules, page_shift, size, levels);
}

static bool levels_fit(const struct planner_host *host, uint32_t page_shift, uint64_t size,
		       uint32_t levels, uint64_t piece_max)
{
	return levels_are_legal(host, page_shift, size, levels) &&
	       table_piece_bytes(&host->rules, page_shift, size, levels) <= piece_max;
}

static uint32_t most_levels(const struct planner_host *host)
{
	return host->max_levels < TABLE_LEVELS_MAX ? host->max_levels : TABLE_LEVELS_MAX;
}

static uint32_t fewest_levels(const struct planner_host *host, uint32_t page_shift, uint64_t size,
			      uint64_t piece_max)
{
	for (uint32_t levels = 1; levels <= most_levels(host); levels++) {
		if (levels_fit(host, page_shift, size, levels, piece_max)) {
			return levels;
		}
	}
	return 0;
}

/* The fewest with the smallest pieces that there can be: where none are safe, these come nearest.
 */
static uint32_t smallest_pieces(const struct planner_host *host, uint32_t page_shift, uint64_t size)
{
	uint64_t least = TABLE_PIECE_MAX + 1;
	uint32_t best = 0;

	for (uint32_t levels = 1; levels <= most_levels(host); levels++) {
		if (levels_fit(host, page_shift, size, levels, least - 1)) {
			least = table_piece_bytes(&host->rules, page_shift, size, levels);
			best = levels;
		}
	}
	return best;
}

static int check_levels(const struct planning *planning, uint32_t page_shift, uint64_t size,
			uint32_t levels, struct error *error)
{
	const struct planner_host *host = planning->host;
	uint64_t piece;

	if (!levels_are_legal(host, page_shift, size, levels)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "a window of 0x%" PRIx64 " bytes at page shift %" PRIu32
				 " can't have %" PRIu32 " levels here (the host has %" PRIu32 ")",
				 size, page_shift, levels, host->max_levels);
	}
	piece = table_piece_bytes(&host->rules, page_shift, size, levels);
	if (piece > TABLE_PIECE_MAX) {
		return error_set(error, ERROR_TABLE_MEMORY, 0,
				 "a window of 0x%" PRIx64 " bytes at page shift %" PRIu32
				 " with %" PRIu32 " levels needs pieces of 0x%" PRIx64
				 " bytes; the kernel allocates 0x%" PRIx64 " at most",
				 size, page_shift, levels, piece, TABLE_PIECE_MAX);
	}
	return 0;
}

static int choose_levels(const struct planning *planning, uint32_t page_shift, uint64_t size,
			 uint32_t *ret_levels, struct error *error)
{
	const struct planner_host *host = planning->host;
	uint32_t levels = planning->request->levels;
	int r;

	if (levels == 0) {
		levels = fewest_levels(host, page_shift, size, planning->safe_piece);
	}
	if (levels == 0) {
		levels = smallest_pieces(host, page_shift, size);
	}
	if (levels == 0) {
		return error_set(error, ERROR_TABLE_MEMORY, 0,
				 "a window of 0x%" PRIx64 " bytes at page shift %" PRIu32
				 " is too large for a table of this host, with up to %" PRIu32
				 " levels and pieces of 0x%" PRIx64 " bytes",
				 size, page_shift, host->max_levels, TABLE_PIECE_MAX);
	}
	r = check_levels(planning, page_shift, size, levels, error);
	if (r) {
		uint32_t fitting = fewest_levels(host, page_shift, size, TABLE_PIECE_MAX);

		if (error && fitting != 0) {
			error_append(error, "; %" PRIu32 " would do", fitting);
		}
		return r;
	}
	*ret_levels = levels;
	return 0;
}

/* -- the plan -- */

/* With pages of that shift, which has been checked. */
static int plan_with_page(const struct planning *planning, uint32_t page_shift,
			  struct window_plan *ret_plan, struct error *error)
{
	struct window_plan plan = {
		.start = WORKER_WINDOW_ANYWHERE,
		.page_shift = page_shift,
		.more_levels = planning->request->levels == 0,
	};
	int r;

	r = choose_size(planning, page_shift, &plan.size, error);
	if (r) {
		return r;
	}
	r = check_size(planning, page_shift, plan.size, error);
	if (r) {
		return r;
	}
	r = choose_levels(planning, page_shift, plan.size, &plan.levels, error);
	if (r) {
		return r;
	}
	plan.locked_bytes =
		table_locked_bytes(&planning->host->rules, page_shift, plan.size, plan.levels);
	*ret_plan = plan;
	return 0;
}

/* Whether there would be a plan with pages of that shift, whatever memory and policy allow. */
static bool page_would_do(const struct planning *planning, uint32_t page_shift)
{
	struct window_plan plan;

	return page_is_good(planning->host, page_shift) &&
	       plan_with_page(planning, page_shift, &plan, NULL) == 0;
}

/* Say which larger pages would do, and what they take. */
static void append_hint(const struct planning *planning, uint32_t page_shift, struct error *error)
{
	uint32_t shift = page_shift + 1;

	while (shift < 64 && !page_would_do(planning, shift)) {
		shift++;
	}
	if (shift == 64 && planning->request->levels == 0) {
		error_append(error, "; no page size of this host makes it possible: ask for a "
				    "smaller window");
	}
	if (shift == 64) {
		return;
	}
	error_append(error, "; IOMMU pages of 0x%" PRIx64 " (shift %" PRIu32 ") would do",
		     UINT64_C(1) << shift, shift);
	if (!(planning->policy_pages >> shift & 1)) {
		error_append(error, ", if policy allowed them");
	}
	if (UINT64_C(1) << shift > largest_page(planning)) {
		error_append(error,
			     ", with hugetlbfs pages of that size behind the memory (transparent "
			     "huge pages don't count)");
	}
}

static int refuse_all_pages(const struct planning *planning, struct error *error)
{
	char shifts[PAGE_SIZES_TEXT];

	list_page_shifts(planning->host, shifts);
	(void)error_set(error, ERROR_PAGE_SIZE, 0,
			"the memory allows IOMMU pages of 0x%" PRIx64
			" at most; this host has page shifts %s",
			largest_page(planning), shifts);
	if (error && planning->policy_pages != UINT64_MAX) {
		error_append(error, ", of which only those in 0x%" PRIx64 " may be used",
			     planning->policy_pages);
	}
	return ERROR_PAGE_SIZE;
}

static int plan_with_any_page(const struct planning *planning, struct window_plan *ret_plan,
			      uint32_t *ret_page_shift, struct error *error)
{
	uint32_t shift = next_page_shift(planning, 64);
	int code = ERROR_NONE;

	if (shift == 0) {
		return refuse_all_pages(planning, error);
	}
	while (shift != 0) {
		uint32_t next = next_page_shift(planning, shift);
		uint64_t size = planning->request->size;
		int r;

		/* A window with too few pages of a size is no reason to refuse it. */
		if (size != 0 && next != 0 && has_few_tces(planning, shift, size)) {
			shift = next;
			continue;
		}
		/* What the largest pages are refused for is what has to be known. */
		r = plan_with_page(planning, shift, ret_plan, code ? NULL : error);
		if (r == 0) {
			return 0;
		}
		if (code == ERROR_NONE) {
			code = r;
			*ret_page_shift = shift;
		}
		shift = next;
	}
	return code;
}

int planner_plan(const struct planner_host *host, const struct memory_outlook *outlook,
		 const struct window_limits *limits, const struct window_request *request,
		 struct window_plan *ret_plan, struct error *error)
{
	struct planning planning = planning_make(host, outlook, limits, request);
	uint32_t page_shift = request->page_shift;
	int r;

	if (page_shift == 0) {
		r = plan_with_any_page(&planning, ret_plan, &page_shift, error);
	} else {
		r = check_page(&planning, page_shift, error);
		if (r == 0) {
			r = plan_with_page(&planning, page_shift, ret_plan, error);
		}
	}
	if (error && (r == ERROR_QUOTA_EXCEEDED || r == ERROR_TABLE_MEMORY)) {
		append_hint(&planning, page_shift, error);
	}
	return r;
}

/* -- the choices -- */

/* Whether the arithmetic of tables means something for it. */
static bool has_table(const struct window_choice *choice)
{
	return table_page_shift_is_known(choice->page_shift) && is_power_of_two(choice->size) &&
	       table_tces(choice->page_shift, choice->size) > 0 && choice->levels > 0 &&
	       choice->levels <= TABLE_LEVELS_MAX;
}

static int judge(const struct planning *planning, const struct window_choice *choice)
{
	int r = check_page(planning, choice->page_shift, NULL);

	if (r == 0) {
		r = check_size(planning, choice->page_shift, choice->size, NULL);
	}
	return r ? r
		 : check_levels(planning, choice->page_shift, choice->size, choice->levels, NULL);
}

static struct window_choice make_choice(const struct planning *planning, uint32_t page_shift,
					uint64_t size, uint32_t levels)
{
	const struct table_rules *rules = &planning->host->rules;
	struct window_choice choice = {
		.size = size,
		.page_shift = page_shift,
		.levels = levels,
	};

	choice.code = (enum error_code)judge(planning, &choice);
	if (has_table(&choice)) {
		choice.tces = table_tces(page_shift, size);
		choice.locked_bytes = table_locked_bytes(rules, page_shift, size, levels);
		choice.piece_bytes = table_piece_bytes(rules, page_shift, size, levels);
	}
	return choice;
}

/* All numbers of levels for one page size. */
static unsigned int add_choices(const struct planning *planning, uint32_t page_shift,
				struct window_choice *choices, unsigned int room)
{
	uint32_t first = planning->request->levels ? planning->request->levels : 1;
	uint32_t last = planning->request->levels ? first : most_levels(planning->host);
	unsigned int count = 0;
	uint64_t size = 0;

	if (choose_size(planning, page_shift, &size, NULL)) {
		return 0;
	}
	for (uint32_t levels = first; levels <= last && count < room; levels++) {
		choices[count++] = make_choice(planning, page_shift, size, levels);
		if (levels == UINT32_MAX) {
			break;
		}
	}
	return count;
}

unsigned int planner_choices(const struct planner_host *host, const struct memory_outlook *outlook,
			     const struct window_limits *limits,
			     const struct window_request *request,
			     struct window_choice ret_choices[WORKER_CHOICES_MAX])
{
	struct planning planning = planning_make(host, outlook, limits, request);
	unsigned int count = 0;

	for (uint32_t shift = 64; shift-- > 0;) {
		if (request->page_shift ? shift == request->page_shift
					: host_has_page(host, shift)) {
			count += add_choices(&planning, shift, ret_choices + count,
					     WORKER_CHOICES_MAX - count);
		}
	}
	return count;
}

uint32_t planner_more_levels(const struct planner_host *host, const struct window_plan *plan,
			     uint32_t levels)
{
	levels++;
	return plan->more_levels && levels_fit(host, plan->page_shift, plan->size, levels,
					       TABLE_PIECE_MAX)
		       ? levels
		       : 0;
}
