/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "spapr/planner.h"
#include "unit.h"

#define MIB(n) ((uint64_t)(n) << 20)
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

static const struct window_limits no_limits;

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
	int r = planner_plan(host, &outlook, &no_limits, &request, &plan, &error);

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

	assert_int_equal(planner_plan(host, &outlook, &no_limits, &request, &plan, &error), code);
	assert_int_equal(error.code, code);
	if (!strstr(error.text, text)) {
		print_error("%s\n", error.text);
	}
	assert_non_null(strstr(error.text, text));
	/* The text may be of no interest. */
	assert_int_equal(planner_plan(host, &outlook, &no_limits, &request, &plan, NULL), code);
}

static void test_all_open(void **state)
{
	const struct window_request open = {.size = 0};

	(void)state;
	expect(&power9, memory(GIB(1), 0x1000), open,
	       (struct window_plan){.page_shift = 12, .size = GIB(1), .levels = 1});
	expect(&power9, memory(GIB(1) + 1, 0x1000), open,
	       (struct window_plan){.page_shift = 12, .size = GIB(2), .levels = 1});
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
	       ERROR_TABLE_MEMORY, "is too large for a table of this host");
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
static void test_h7_page_sizes_that_the_kernel_gets_wrong(void **state)
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

/* What the host says counts, though the arithmetic would allow more. */
static void test_levels_of_the_host(void **state)
{
	struct planner_host host = power9;

	(void)state;
	host.max_levels = 2;
	expect(&host, nothing, (struct window_request){.size = TIB(1), .page_shift = 16},
	       (struct window_plan){.page_shift = 16, .size = TIB(1), .levels = 2});
	refuse(&host, nothing,
	       (struct window_request){.size = TIB(1), .page_shift = 16, .levels = 3},
	       ERROR_INVALID_ARGUMENT, "can't have 3 levels here (the host has 2); 2 would do");
}

/* -- policy -- */

static void expect_limited(struct window_limits limits, struct memory_outlook outlook,
			   struct window_request request, uint32_t page_shift, uint32_t levels)
{
	struct window_plan plan;
	struct error error = {.text = ""};
	int r = planner_plan(&power9, &outlook, &limits, &request, &plan, &error);

	if (r) {
		print_error("%s\n", error.text);
	}
	assert_int_equal(r, 0);
	assert_int_equal(plan.page_shift, page_shift);
	assert_int_equal(plan.levels, levels);
}

static void refuse_limited(struct window_limits limits, struct memory_outlook outlook,
			   struct window_request request, enum error_code code, const char *text)
{
	struct window_plan plan;
	struct error error = {.text = ""};

	assert_int_equal(planner_plan(&power9, &outlook, &limits, &request, &plan, &error), code);
	if (!strstr(error.text, text)) {
		print_error("%s\n", error.text);
	}
	assert_non_null(strstr(error.text, text));
}

static void test_policy_of_page_sizes(void **state)
{
	const struct window_limits small = {.page_sizes = 0x11000};
	const struct window_limits none = {.page_sizes = 0x1000000};
	const struct window_request open = {.size = 0};

	(void)state;
	expect_limited(small, memory(GIB(1), 0x200000), open, 16, 1);
	refuse_limited(small, memory(GIB(1), 0x1000), (struct window_request){.page_shift = 21},
		       ERROR_PAGE_SIZE, "0x11000 (policy");
	refuse_limited(none, memory(GIB(1), 0x1000), open, ERROR_PAGE_SIZE,
		       "page shifts 12 16 21 30, of which only those in 0x1000000 may be used");
	/* What would help, if it were allowed. */
	refuse_limited(small, memory(TIB(128), 0x200000), open, ERROR_QUOTA_EXCEEDED,
		       "pages of 0x200000 (shift 21) would do, if policy allowed them");
}

static void test_h32_policy_only_lowers_what_a_removal_costs(void **state)
{
	const struct window_limits less = {.most_tces = 1 << 20};
	const struct window_limits more = {.most_tces = UINT64_MAX};
	const struct window_request open = {.size = 0};

	(void)state;
	expect_limited(less, memory(GIB(4), 0x1000), open, 12, 2);
	refuse_limited(less, memory(GIB(8), 0x1000), open, ERROR_QUOTA_EXCEEDED,
		       "at most 0x100000 are made");
	expect_limited(less, memory(GIB(8), 0x10000), open, 16, 1);
	expect_limited(more, memory(TIB(4), 0x1000), open, 12, 2);
	refuse_limited(more, memory(TIB(8), 0x1000), open, ERROR_QUOTA_EXCEEDED,
		       "at most 0x40000000 are made");
}

static void test_policy_of_table_pieces(void **state)
{
	const struct window_request open = {.size = 0};

	(void)state;
	/* A table of 8 MiB. */
	expect_limited((struct window_limits){.table_piece = 0}, memory(GIB(4), 0x1000), open, 12,
		       2);
	expect_limited((struct window_limits){.table_piece = MIB(8)}, memory(GIB(4), 0x1000), open,
		       12, 1);
	/* What no kernel allocates isn't safe, whatever policy says. */
	expect_limited((struct window_limits){.table_piece = UINT64_MAX}, memory(GIB(8), 0x1000),
		       open, 12, 1);
	expect_limited((struct window_limits){.table_piece = UINT64_MAX}, memory(GIB(16), 0x1000),
		       open, 12, 2);
	/* A page is the smallest piece: 512 TCEs in each of three levels are 2^27. */
	expect_limited((struct window_limits){.table_piece = 0x1000}, memory(GIB(512), 0x1000),
		       open, 12, 3);
	/* Where none are small enough, the smallest. */
	expect_limited((struct window_limits){.table_piece = 1}, memory(GIB(512), 0x1000), open, 12,
		       3);
	expect_limited((struct window_limits){.table_piece = 1}, memory(GIB(1), 0x1000), open, 12,
		       2);
}

/* -- pages and memory -- */

static void test_h13_one_level_as_far_as_sensible(void **state)
{
	(void)state;
	expect(&power9, memory(GIB(2), 0x1000), (struct window_request){.size = 0},
	       (struct window_plan){.page_shift = 12, .size = GIB(2), .levels = 1});
	expect(&power9_64k, memory(GIB(32), 0x10000), (struct window_request){.size = 0},
	       (struct window_plan){.page_shift = 16, .size = GIB(32), .levels = 1});
	expect(&power9_64k, memory(GIB(64), 0x10000), (struct window_request){.size = 0},
	       (struct window_plan){.page_shift = 16, .size = GIB(64), .levels = 2});
}

static void test_h20_pages_no_larger_than_those_behind_the_memory(void **state)
{
	static const struct {
		uint64_t backing;
		uint32_t page_shift;
	} rows[] = {
		{0x1000, 12},   {0x2000, 12},   {0x8000, 12},     {0x10000, 16},
		{0x100000, 16}, {0x200000, 21}, {0x1000000, 21},  {GIB(1) - 1, 21},
		{GIB(1), 30},   {GIB(16), 30},  {UINT64_MAX, 30},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct window_request open = {.size = 0};
		struct memory_outlook outlook = memory(TIB(1), rows[i].backing);
		struct window_plan plan;

		assert_int_equal(planner_plan(&power9, &outlook, &no_limits, &open, &plan, NULL),
				 0);
		assert_int_equal(plan.page_shift, rows[i].page_shift);
	}
	refuse(&power9, memory(GIB(1), 0x800), (struct window_request){.size = 0}, ERROR_PAGE_SIZE,
	       "pages of 0x800 at most; this host has page shifts 12 16 21 30");
	/* Who asks for larger ones may be about to add other memory. */
	expect(&power9, memory(GIB(1), 0x1000), (struct window_request){.page_shift = 21},
	       (struct window_plan){.page_shift = 21, .size = GIB(1), .levels = 1});
}

/* A window that was asked for as small as that has smaller pages than the memory would allow. */
static void test_smaller_pages_for_small_windows(void **state)
{
	(void)state;
	expect(&power9, memory(GIB(1), GIB(1)), (struct window_request){.size = 64 << 20},
	       (struct window_plan){.page_shift = 16, .size = 64 << 20, .levels = 1});
	expect(&power9_64k, memory(GIB(1), GIB(1)), (struct window_request){.size = 64 << 20},
	       (struct window_plan){.page_shift = 12, .size = 64 << 20, .levels = 1});
	expect(&partition, memory(GIB(1), GIB(1)), (struct window_request){.size = 64 << 20},
	       (struct window_plan){.page_shift = 24, .size = 64 << 20, .levels = 1});
	expect(&partition, memory(GIB(1), GIB(1)), (struct window_request){.size = 8 << 20},
	       (struct window_plan){.page_shift = 21, .size = 8 << 20, .levels = 1});
	/* What is refused for the smallest pages is what counts. */
	refuse(&power9, memory(GIB(1), GIB(1)), (struct window_request){.size = 1 << 20},
	       ERROR_INVALID_ARGUMENT, "takes 0x100 TCEs at page shift 12");
	/* Pages whose table can't be had are passed over, too. */
	expect(&power9, memory(1, GIB(1)),
	       (struct window_request){.size = UINT64_C(1) << 51, .levels = 3},
	       (struct window_plan){.page_shift = 21, .size = UINT64_C(1) << 51, .levels = 3});
}

static void test_hints(void **state)
{
	const struct window_request open = {.size = 0};

	(void)state;
	refuse(&power9, memory(TIB(64), 0x1000), open, ERROR_QUOTA_EXCEEDED,
	       "; IOMMU pages of 0x10000 (shift 16) would do, with hugetlbfs pages of that size "
	       "behind the memory (transparent huge pages don't count)");
	refuse(&power9, memory(TIB(128), 0x10000), open, ERROR_QUOTA_EXCEEDED,
	       "; IOMMU pages of 0x200000 (shift 21) would do, with hugetlbfs");
	refuse(&power9, memory(TIB(8), 0x10000), (struct window_request){.page_shift = 12},
	       ERROR_QUOTA_EXCEEDED, "; IOMMU pages of 0x10000 (shift 16) would do");
	refuse(&partition, memory(TIB(2), 0x10000), open, ERROR_QUOTA_EXCEEDED,
	       "; IOMMU pages of 0x200000 (shift 21) would do, with hugetlbfs");
	refuse(&partition, memory(TIB(1024), 0x10000), open, ERROR_QUOTA_EXCEEDED,
	       "no page size of this host makes it possible: ask for a smaller window");
	refuse(&power9, nothing,
	       (struct window_request){.size = TIB(1), .page_shift = 16, .levels = 1},
	       ERROR_TABLE_MEMORY, "; 2 would do; IOMMU pages of 0x200000 (shift 21) would do");
}

/* -- all of them -- */

static const struct planner_host *const hosts[] = {&power9, &power9_64k, &partition};

#define HOST_COUNT (sizeof(hosts) / sizeof(hosts[0]))

static void check_legal(const struct planner_host *host, const struct window_plan *plan)
{
	assert_true(host->page_sizes >> plan->page_shift & 1);
	assert_true(table_page_shift_is_known(plan->page_shift));
	assert_true(plan->levels >= 1 && plan->levels <= host->max_levels);
	assert_true(
		table_levels_are_legal(&host->rules, plan->page_shift, plan->size, plan->levels));
	assert_true(table_piece_bytes(&host->rules, plan->page_shift, plan->size, plan->levels) <=
		    TABLE_PIECE_MAX);
	assert_true(table_tces(plan->page_shift, plan->size) <= host->rules.most_tces);
	assert_true(table_tces(plan->page_shift, plan->size) >= table_least_tces(&host->rules));
}

/* Whether a choice is the plan, and can be had. */
static bool is_chosen(const struct window_choice *choice, const struct window_plan *plan)
{
	return choice->code == ERROR_NONE && choice->size == plan->size &&
	       choice->page_shift == plan->page_shift && choice->levels == plan->levels &&
	       choice->locked_bytes == plan->locked_bytes;
}

/* A choice can be had exactly when a request that leaves nothing open would get it. */
static void check_choice(const struct planner_host *host, const struct memory_outlook *outlook,
			 const struct window_request *request, const struct window_choice *choice)
{
	struct window_request same = {
		.size = choice->size, .page_shift = choice->page_shift, .levels = choice->levels};
	struct window_plan plan = {.size = 0};
	int r = planner_plan(host, outlook, &no_limits, &same, &plan, NULL);

	if (request->page_shift == 0 && UINT64_C(1) << choice->page_shift > outlook->largest_page) {
		r = ERROR_PAGE_SIZE;
	}
	assert_int_equal(choice->code, r);
	if (r == 0) {
		assert_true(is_chosen(choice, &plan));
		assert_int_equal(choice->tces, table_tces(plan.page_shift, plan.size));
		assert_int_equal(
			choice->piece_bytes,
			table_piece_bytes(&host->rules, plan.page_shift, plan.size, plan.levels));
	}
}

static void check_request(const struct planner_host *host, struct memory_outlook outlook,
			  struct window_request request)
{
	struct window_choice choices[WORKER_CHOICES_MAX];
	struct window_plan plan;
	unsigned int count = planner_choices(host, &outlook, &no_limits, &request, choices);
	unsigned int chosen = 0;
	bool planned = planner_plan(host, &outlook, &no_limits, &request, &plan, NULL) == 0;

	assert_true(count <= WORKER_CHOICES_MAX);
	for (unsigned int i = 0; i < count; i++) {
		check_choice(host, &outlook, &request, &choices[i]);
		chosen += planned && is_chosen(&choices[i], &plan) ? 1 : 0;
	}
	assert_int_equal(chosen, planned ? 1 : 0);
	if (planned) {
		check_legal(host, &plan);
	}
}

/* Whatever is asked, a plan is one that the kernel takes: nothing is learned by failing. */
static void test_h29_every_plan_is_legal(void **state)
{
	(void)state;
	for (size_t h = 0; h < HOST_COUNT; h++) {
		for (unsigned int i = 0; i < 64 * 64 * 8; i++) {
			struct window_request request = {.size = UINT64_C(1) << (i & 63),
							 .page_shift = i >> 6 & 63,
							 .levels = i >> 12};

			check_request(hosts[h], memory(UINT64_C(1) << (i & 63), 0x10000), request);
			request.size = 0;
			check_request(hosts[h], memory(UINT64_C(1) << (i & 63), 0x10000), request);
			request.size = (UINT64_C(3) << (i & 63)) | 1;
			check_request(hosts[h], memory(GIB(1), UINT64_C(1) << (i & 31)), request);
		}
	}
}

static void test_choices(void **state)
{
	const struct window_request open = {.size = 0};
	struct memory_outlook outlook = memory(TIB(1), 0x10000);
	struct window_choice choices[WORKER_CHOICES_MAX];
	struct planner_host strange = power9;

	(void)state;
	/* Four page sizes, five levels. */
	assert_int_equal(planner_choices(&power9, &outlook, &no_limits, &open, choices), 20);
	assert_int_equal(choices[0].page_shift, 30);
	assert_int_equal(choices[0].levels, 1);
	assert_int_equal(choices[0].code, ERROR_PAGE_SIZE);
	assert_int_equal(choices[9].page_shift, 21);
	assert_int_equal(choices[9].levels, 5);
	/* One level of 64 KiB pages: 128 MiB in one piece. */
	assert_int_equal(choices[10].page_shift, 16);
	assert_int_equal(choices[10].code, ERROR_TABLE_MEMORY);
	assert_int_equal(choices[10].piece_bytes, MIB(128));
	assert_int_equal(choices[11].code, ERROR_NONE);
	assert_int_equal(choices[11].tces, 1 << 24);
	assert_int_equal(choices[14].code, ERROR_INVALID_ARGUMENT);
	assert_int_equal(choices[15].page_shift, 12);
	assert_int_equal(planner_choices(&partition, &outlook, &no_limits, &open, choices), 4);
	assert_int_equal(planner_choices(&power9, &nothing, &no_limits, &open, choices), 0);
	assert_int_equal(planner_choices(&power9, &outlook, &no_limits,
					 &(struct window_request){.page_shift = 13}, choices),
			 5);
	assert_int_equal(choices[0].code, ERROR_PAGE_SIZE);
	assert_int_equal(choices[0].tces, 0);
	assert_int_equal(planner_choices(&power9, &outlook, &no_limits,
					 &(struct window_request){.page_shift = 1000}, choices),
			 0);
	assert_int_equal(planner_choices(&power9, &outlook, &no_limits,
					 &(struct window_request){.levels = UINT32_MAX}, choices),
			 4);
	assert_int_equal(choices[2].code, ERROR_INVALID_ARGUMENT);
	/* Claims of a host that can't be right. */
	strange.page_sizes = UINT64_MAX;
	strange.max_levels = UINT32_MAX;
	assert_true(planner_choices(&strange, &outlook, &no_limits, &open, choices) <=
		    WORKER_CHOICES_MAX);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_open),
		cmocka_unit_test(test_without_memory),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_h7_page_sizes_that_the_kernel_gets_wrong),
		cmocka_unit_test(test_more_levels),
		cmocka_unit_test(test_levels_of_the_host),
		cmocka_unit_test(test_policy_of_page_sizes),
		cmocka_unit_test(test_h32_policy_only_lowers_what_a_removal_costs),
		cmocka_unit_test(test_policy_of_table_pieces),
		cmocka_unit_test(test_h13_one_level_as_far_as_sensible),
		cmocka_unit_test(test_h20_pages_no_larger_than_those_behind_the_memory),
		cmocka_unit_test(test_smaller_pages_for_small_windows),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_h29_every_plan_is_legal),
		cmocka_unit_test(test_choices),
	};

	return cmocka_run_group_tests_name("planner", tests, NULL, NULL);
}
