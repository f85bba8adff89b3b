/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spapr/planner.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/range.h"

#define PAGE_SIZES_TEXT 96

static bool host_has_page(const struct planner_host *host, uint32_t page_shift)
{
	return page_shift < 64 && (host->page_sizes >> page_shift & 1) &&
	       table_page_shift_is_known(page_shift);
}

/* "12 16 21 30": the page shifts that the host has. */
static void list_page_shifts(const struct planner_host *host, char text[PAGE_SIZES_TEXT])
{
	int used = 0;

	text[0] = '\0';
	for (uint32_t shift = 0; shift < 64; shift++) {
		if (host_has_page(host, shift)) {
			used += snprintf(text + used, PAGE_SIZES_TEXT - (size_t)used, "%s%" PRIu32,
					 used > 0 ? " " : "", shift);
		}
	}
}

static int choose_page_shift(const struct planner_host *host, const struct memory_outlook *outlook,
			     uint32_t asked, uint32_t *ret_shift, struct error *error)
{
	char shifts[PAGE_SIZES_TEXT];
	uint64_t largest =
		outlook->any ? outlook->largest_page : UINT64_C(1) << host->rules.kernel_page_shift;

	list_page_shifts(host, shifts);
	if (asked != 0) {
		if (!host_has_page(host, asked)) {
			return error_set(error, ERROR_PAGE_SIZE, 0,
					 "page shift %" PRIu32 "; this host has %s", asked, shifts);
		}
		*ret_shift = asked;
		return 0;
	}
	for (uint32_t shift = floor_log2(largest); shift > 0; shift--) {
		if (host_has_page(host, shift)) {
			*ret_shift = shift;
			return 0;
		}
	}
	return error_set(error, ERROR_PAGE_SIZE, 0,
			 "the memory allows IOMMU pages of 0x%" PRIx64 " at most; this host has "
			 "page shifts %s",
			 largest, shifts);
}

/* The power of two that spans [0, last]; at least the smallest window. */
static int choose_size(const struct planner_host *host, const struct memory_outlook *outlook,
		       uint32_t page_shift, uint64_t *ret_size, struct error *error)
{
	unsigned int least = page_shift + floor_log2(table_least_tces(&host->rules));
	unsigned int shift;

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

static int check_size(const struct planner_host *host, uint32_t page_shift, uint64_t size,
		      struct error *error)
{
	uint64_t tces = table_tces(page_shift, size);

	if (!is_power_of_two(size)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "window size 0x%" PRIx64 " is not a power of two", size);
	}
	if (tces < table_least_tces(&host->rules)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "window size 0x%" PRIx64 " takes 0x%" PRIx64
				 " TCEs at page shift %" PRIu32
				 "; the smallest window has 0x%" PRIx64,
				 size, tces, page_shift, table_least_tces(&host->rules));
	}
	if (tces > host->rules.most_tces) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "window size 0x%" PRIx64 " takes 0x%" PRIx64
				 " TCEs at page shift %" PRIu32 "; at most 0x%" PRIx64
				 " are made, for the kernel walks them all at removal; use larger "
				 "pages or a smaller window",
				 size, tces, page_shift, host->rules.most_tces);
	}
	return 0;
}

static bool levels_fit(const struct planner_host *host, uint32_t page_shift, uint64_t size,
		       uint32_t levels, uint64_t piece_max)
{
	return levels <= host->max_levels &&
	       table_levels_are_legal(&host->rules, page_shift, size, levels) &&
	       table_piece_bytes(&host->rules, page_shift, size, levels) <= piece_max;
}

static uint32_t fewest_levels(const struct planner_host *host, uint32_t page_shift, uint64_t size,
			      uint64_t piece_max)
{
	for (uint32_t levels = 1; levels <= host->max_levels; levels++) {
		if (levels_fit(host, page_shift, size, levels, piece_max)) {
			return levels;
		}
	}
	return 0;
}

static int refuse_levels(const struct planner_host *host, uint32_t page_shift, uint64_t size,
			 uint32_t asked, struct error *error)
{
	uint32_t fitting = fewest_levels(host, page_shift, size, TABLE_PIECE_MAX);
	uint32_t levels = asked ? asked : host->max_levels;
	int code;

	if (levels > host->max_levels ||
	    !table_levels_are_legal(&host->rules, page_shift, size, levels)) {
		code = error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "a window of 0x%" PRIx64 " bytes at page shift %" PRIu32
				 " can't have %" PRIu32 " levels here (the host has %" PRIu32 ")",
				 size, page_shift, levels, host->max_levels);
	} else {
		code = error_set(error, ERROR_TABLE_MEMORY, 0,
				 "a window of 0x%" PRIx64 " bytes at page shift %" PRIu32
				 " with %" PRIu32 " levels needs pieces of 0x%" PRIx64
				 " bytes; the kernel allocates 0x%" PRIx64 " at most",
				 size, page_shift, levels,
				 table_piece_bytes(&host->rules, page_shift, size, levels),
				 TABLE_PIECE_MAX);
	}
	if (error && fitting != 0) {
		error_append(error, "; %" PRIu32 " would do", fitting);
	}
	return code;
}

static int choose_levels(const struct planner_host *host, uint32_t page_shift, uint64_t size,
			 uint32_t asked, uint32_t *ret_levels, struct error *error)
{
	uint32_t levels = asked;

	if (levels == 0) {
		levels = fewest_levels(host, page_shift, size, TABLE_PIECE_SAFE);
	}
	if (levels == 0) {
		levels = fewest_levels(host, page_shift, size, TABLE_PIECE_MAX);
	}
	if (levels == 0 || !levels_fit(host, page_shift, size, levels, TABLE_PIECE_MAX)) {
		return refuse_levels(host, page_shift, size, asked, error);
	}
	*ret_levels = levels;
	return 0;
}

int planner_plan(const struct planner_host *host, const struct memory_outlook *outlook,
		 const struct window_request *request, struct window_plan *ret_plan,
		 struct error *error)
{
	struct window_plan plan = {
		.size = request->size,
		.more_levels = request->levels == 0,
	};
	int r;

	r = choose_page_shift(host, outlook, request->page_shift, &plan.page_shift, error);
	if (r) {
		return r;
	}
	if (plan.size == 0) {
		r = choose_size(host, outlook, plan.page_shift, &plan.size, error);
		if (r) {
			return r;
		}
	}
	r = check_size(host, plan.page_shift, plan.size, error);
	if (r) {
		return r;
	}
	r = choose_levels(host, plan.page_shift, plan.size, request->levels, &plan.levels, error);
	if (r) {
		return r;
	}
	plan.locked_bytes =
		table_locked_bytes(&host->rules, plan.page_shift, plan.size, plan.levels);
	*ret_plan = plan;
	return 0;
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
