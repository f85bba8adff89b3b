/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "spapr/planner.h"
#include "unit.h"

#define GIB(n) ((uint64_t)(n) << 30)
#define TIB(n) ((uint64_t)(n) << 40)

static const struct planner_host power9 = {
	.page_sizes = 0x40211000,
	.max_levels = 5,
	.rules = {.kernel_page_shift = 12, .most_tces = 1 << 30},
};

static const struct planner_host power9_64k = {
	.page_sizes = 0x40211000,
	.max_levels = 5,
	.rules = {.kernel_page_shift = 16, .most_tces = 1 << 30},
};

static const struct planner_host partition = {
	.page_sizes = 0x1211000,
	.max_levels = 1,
	.rules = {.kernel_page_shift = 16, .hypervisor = true, .most_tces = 1 << 24},
};

static const struct memory_outlook nothing = {.any = false, .largest_page = UINT64_MAX};

static struct memory_outlook memory(uint64_t end, uint64_t page)
{
	return (struct memory_outlook){.any = true, .last = end - 1, .largest_page = page};
}

static void expect(const struct planner_host *host, struct memory_outlook outlook,
		   struct window_request request, struct window_plan expected)
{
	struct window_plan plan;
	struct error error = {.text = ""};
	int r = planner_plan(host, &outlook, &request, &plan, &error);

	if (r) {
		print_error("%s\n", error.text);
	}
	assert_int_equal(r, 0);
	assert_int_equal(plan.page_shift, expected.page_shift);
	assert_int_equal(plan.size, expected.size);
	assert_int_equal(plan.levels, expected.levels);
	assert_int_equal(plan.more_levels, request.levels == 0);
	assert_int_equal(plan.locked_bytes,
			 table_locked_bytes(&host->rules, plan.page_shift, plan.size, plan.levels));
}

static void refuse(const struct planner_host *host, struct memory_outlook outlook,
		   struct window_request request, enum error_code code, const char *text)
{
	struct window_plan plan;
	struct error error = {.text = ""};

	assert_int_equal(planner_plan(host, &outlook, &request, &plan, &error), code);
	assert_int_equal(error.code, code);
	if (!strstr(error.text, text)) {
		print_error("%s\n", error.text);
	}
	assert_non_null(strstr(error.text, text));
	/* The text may be of no interest. */
	assert_int_equal(planner_plan(host, &outlook, &request, &plan, NULL), code);
}

static void test_all_open(void **state)
{
	const struct window_request open = {.size = 0};

	(void)state;
	expect(&power9, memory(GIB(1), 0x1000), open,
	       (struct window_plan){.page_shift = 12, .size = GIB(1), .levels = 2});
	expect(&power9, memory(GIB(1) + 1, 0x1000), open,
	       (struct window_plan){.page_shift = 12, .size = GIB(2), .levels = 2});
	expect(&power9, memory(GIB(3), 0x200000), open,
	       (struct window_plan){.page_shift = 21, .size = GIB(4), .levels = 1});
	/* 1 MiB pages are memory's, not the host's: the next smaller page. */
	expect(&power9, memory(GIB(3), 0x100000), open,
	       (struct window_plan){.page_shift = 16, .size = GIB(4), .levels = 1});
	/* The smallest window has a kernel page full of TCEs. */
	expect(&power9, memory(0x1000, 0x1000), open,
	       (struct window_plan){.page_shift = 12, .size = 0x200000, .levels = 1});
	expect(&power9, memory(GIB(1), GIB(1)), open,
	       (struct window_plan){.page_shift = 30, .size = GIB(512), .levels = 1});
	expect(&power9_64k, memory(TIB(1), 0x10000), open,
	       (struct window_plan){.page_shift = 16, .size = TIB(1), .levels = 2});
	expect(&partition, memory(GIB(64), 0x10000), open,
	       (struct window_plan){.page_shift = 16, .size = GIB(64), .levels = 1});
	expect(&partition, memory(GIB(64), 0x1000000), open,
	       (struct window_plan){.page_shift = 24, .size = GIB(64), .levels = 1});
}

static void test_without_memory(void **state)
{
	(void)state;
	refuse(&power9, nothing, (struct window_request){.size = 0}, ERROR_INVALID_ARGUMENT,
	       "add memory first or give a size");
	expect(&power9, nothing, (struct window_request){.size = GIB(4)},
	       (struct window_plan){.page_shift = 12, .size = GIB(4), .levels = 2});
	expect(&power9_64k, nothing, (struct window_request){.size = GIB(4)},
	       (struct window_plan){.page_shift = 16, .size = GIB(4), .levels = 1});
}

static void test_levels(void **state)
{
	(void)state;
	expect(&power9, nothing, (struct window_request){.size = TIB(1), .page_shift = 16},
	       (struct window_plan){.page_shift = 16, .size = TIB(1), .levels = 2});
	expect(&power9, nothing, (struct window_request){.size = TIB(4), .page_shift = 12},
	       (struct window_plan){.page_shift = 12, .size = TIB(4), .levels = 2});
	expect(&power9, nothing,
	       (struct window_request){.size = TIB(4), .page_shift = 12, .levels = 3},
	       (struct window_plan){.page_shift = 12, .size = TIB(4), .levels = 3});
	refuse(&power9, nothing,
	       (struct window_request){.size = TIB(1), .page_shift = 16, .levels = 1},
	       ERROR_TABLE_MEMORY, "2 would do");
	refuse(&power9, nothing,
	       (struct window_request){.size = GIB(2), .page_shift = 12, .levels = 5},
	       ERROR_INVALID_ARGUMENT, "can't have 5 levels");
	refuse(&power9, nothing,
	       (struct window_request){.size = GIB(2), .page_shift = 12, .levels = UINT32_MAX},
	       ERROR_INVALID_ARGUMENT, "levels");
	/* An LPAR would leak 4 GiB of charge. */
	refuse(&partition, nothing,
	       (struct window_request){.size = GIB(2), .page_shift = 16, .levels = 2},
	       ERROR_INVALID_ARGUMENT, "1 would do");
	refuse(&power9, nothing,
	       (struct window_request){.size = UINT64_C(1) << 55, .page_shift = 30},
	       ERROR_INVALID_ARGUMENT, "levels");
}

static void test_limits(void **state)
{
	(void)state;
	refuse(&power9, nothing, (struct window_request){.size = TIB(8), .page_shift = 12},
	       ERROR_QUOTA_EXCEEDED, "0x80000000 TCEs");
	refuse(&partition, nothing, (struct window_request){.size = TIB(2), .page_shift = 16},
	       ERROR_QUOTA_EXCEEDED, "at most 0x1000000");
	refuse(&power9, nothing, (struct window_request){.size = 0x1ff000, .page_shift = 12},
	       ERROR_INVALID_ARGUMENT, "not a power of two");
	refuse(&power9, nothing, (struct window_request){.size = 0x100000, .page_shift = 12},
	       ERROR_INVALID_ARGUMENT, "the smallest window has 0x200");
	refuse(&power9, nothing, (struct window_request){.size = 1, .page_shift = 12},
	       ERROR_INVALID_ARGUMENT, "0x0 TCEs");
	refuse(&power9, nothing, (struct window_request){.size = GIB(1), .page_shift = 24},
	       ERROR_PAGE_SIZE, "this host has 12 16 21 30");
	refuse(&power9, nothing, (struct window_request){.size = GIB(1), .page_shift = 1000},
	       ERROR_PAGE_SIZE, "page shift 1000");
	refuse(&power9, (struct memory_outlook){true, UINT64_MAX, 0x1000},
	       (struct window_request){.size = 0}, ERROR_QUOTA_EXCEEDED, "which no window spans");
	refuse(&power9, memory(UINT64_C(1) << 60, 0x1000), (struct window_request){.size = 0},
	       ERROR_QUOTA_EXCEEDED, "TCEs");
}

/* A host may claim a page size that its kernel gets wrong. */
static void test_broken_page_size(void **state)
{
	struct planner_host host = power9;

	(void)state;
	host.page_sizes |= UINT64_C(1) << 34;
	refuse(&host, nothing, (struct window_request){.size = TIB(64), .page_shift = 34},
	       ERROR_PAGE_SIZE, "this host has 12 16 21 30");
	expect(&host, memory(TIB(64), UINT64_C(1) << 34), (struct window_request){.size = 0},
	       (struct window_plan){.page_shift = 30, .size = TIB(64), .levels = 1});
	host.page_sizes = UINT64_C(1) << 34;
	refuse(&host, memory(TIB(64), UINT64_C(1) << 34), (struct window_request){.size = 0},
	       ERROR_PAGE_SIZE, "this host has page shifts ");
}

static void test_more_levels(void **state)
{
	struct window_plan plan = {
		.size = GIB(2), .page_shift = 12, .levels = 2, .more_levels = true};

	(void)state;
	assert_int_equal(planner_more_levels(&power9, &plan, 2), 3);
	assert_int_equal(planner_more_levels(&power9, &plan, 3), 4);
	assert_int_equal(planner_more_levels(&power9, &plan, 4), 0);
	plan.more_levels = false;
	assert_int_equal(planner_more_levels(&power9, &plan, 2), 0);
	plan.more_levels = true;
	assert_int_equal(planner_more_levels(&partition, &plan, 1), 0);
}

/* Whatever is asked, a plan is one that the kernel takes. */
static void test_every_plan_is_legal(void **state)
{
	static const struct planner_host *const hosts[] = {&power9, &power9_64k, &partition};

	(void)state;
	for (size_t h = 0; h < 3; h++) {
		for (unsigned int i = 0; i < 64 * 64 * 8; i++) {
			struct window_request request = {.size = UINT64_C(1) << (i & 63),
							 .page_shift = i >> 6 & 63,
							 .levels = i >> 12};
			struct memory_outlook outlook = memory(UINT64_C(1) << (i & 63), 0x10000);
			struct window_plan plan;

			if (planner_plan(hosts[h], &outlook, &request, &plan, NULL)) {
				continue;
			}
			assert_true(hosts[h]->page_sizes >> plan.page_shift & 1);
			assert_true(plan.levels >= 1 && plan.levels <= hosts[h]->max_levels);
			assert_true(table_levels_are_legal(&hosts[h]->rules, plan.page_shift,
							   plan.size, plan.levels));
			assert_true(table_piece_bytes(&hosts[h]->rules, plan.page_shift, plan.size,
						      plan.levels) <= TABLE_PIECE_MAX);
			assert_true(table_tces(plan.page_shift, plan.size) <=
				    hosts[h]->rules.most_tces);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_open),
		cmocka_unit_test(test_without_memory),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_broken_page_size),
		cmocka_unit_test(test_more_levels),
		cmocka_unit_test(test_every_plan_is_legal),
	};

	return cmocka_run_group_tests_name("planner", tests, NULL, NULL);
}
