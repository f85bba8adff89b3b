/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The windows of type1 containers, and what becomes of them when groups come and go. */
#include "type1_script.h"

static const struct window_limits no_limits;

static const struct memory_outlook no_memory;

static int plan(struct container *container, struct window_request request,
		struct window_plan *ret_plan, struct error *error)
{
	return container_window_plan(container, &request, &no_memory, &no_limits, ret_plan, error);
}

static uint64_t create(struct container *container, uint64_t start, uint64_t size, uint32_t shift)
{
	struct window_plan made = {.size = 0};
	struct window window = {.levels = 0};
	struct error error = {.text = ""};

	if (plan(container,
		 (struct window_request){.start = start, .size = size, .page_shift = shift}, &made,
		 &error) != 0 ||
	    container_window_create(container, &made, &window, &error) != 0) {
		fail_msg("%s", error.text);
	}
	assert_int_equal(window.range.size, size);
	assert_int_equal(window.page_shift, shift);
	assert_int_equal(window.levels, 1);
	return window.range.start;
}

static void refuse_plan(struct container *container, struct window_request request,
			enum error_code code, const char *text)
{
	struct window_plan unused = {.levels = 77};
	struct error error = {.text = ""};

	assert_int_equal(plan(container, request, &unused, &error), code);
	check_text(&error, text);
	assert_int_equal(unused.levels, 77);
}

static void test_h55_nothing_outside_of_windows(void **state)
{
	static const struct expectation expectations[] = {ATTACH, MAP(GIB(1), PAGE, 0), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	/* The interrupts' range, its borders, and behind the last address. */
	assert_int_equal(map(container, 0xfee00000, PAGE, &error), ERROR_OUTSIDE_WINDOW);
	assert_int_equal(map(container, 0xfedff000, 0x2000, &error), ERROR_OUTSIDE_WINDOW);
	assert_int_equal(map(container, HIGH - PAGE, 0x2000, &error), ERROR_OUTSIDE_WINDOW);
	assert_int_equal(map(container, GIB(1024), PAGE, &error), ERROR_OUTSIDE_WINDOW);
	/* From the second window around into the first. */
	assert_int_equal(map(container, HIGH, 0x2000 - HIGH, &error), ERROR_OUTSIDE_WINDOW);
	/* Where there is no window any more, and where there is one again. */
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(map(container, 0, PAGE, &error), ERROR_OUTSIDE_WINDOW);
	assert_int_equal(create(container, GIB(1), 0x2000, 12), GIB(1));
	assert_int_equal(map(container, GIB(1), PAGE, &error), 0);
	assert_int_equal(map(container, GIB(1) + PAGE, 0x2000, &error), ERROR_OUTSIDE_WINDOW);
	detach(&script, container);
}

static void test_windows_in_the_place_of_a_default_one(void **state)
{
	static const struct expectation expectations[] = {ATTACH, LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	/* The default ones have all there is. */
	refuse_plan(container, (struct window_request){WORKER_WINDOW_ANYWHERE, PAGE, 0, 0, 0},
		    ERROR_NO_WINDOW_LEFT, "[0x0, 0xfee00000)");
	assert_int_equal(container_window_remove(container, PAGE, &error), ERROR_NOT_FOUND);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(container_window_remove(container, 0, &error), ERROR_NOT_FOUND);
	/* From below, with pages of their own. */
	assert_int_equal(create(container, WORKER_WINDOW_ANYWHERE, 0x3000, 12), 0);
	assert_int_equal(create(container, WORKER_WINDOW_ANYWHERE, 0x200000, 21), 0x200000);
	assert_int_equal(create(container, WORKER_WINDOW_ANYWHERE, PAGE, 12), 0x3000);
	assert_int_equal(create(container, GIB(1), GIB(1), 30), GIB(1));
	/* Too large for what is left below and between. */
	assert_int_equal(create(container, WORKER_WINDOW_ANYWHERE, GIB(1), 12), GIB(2));
	refuse_plan(container, (struct window_request){WORKER_WINDOW_ANYWHERE, GIB(1), 0, 0, 0},
		    ERROR_NO_WINDOW_LEFT, "0x40000000 bytes free");
	assert_int_equal(container_window_remove(container, GIB(1), &error), 0);
	assert_int_equal(create(container, WORKER_WINDOW_ANYWHERE, GIB(1), 30), GIB(1));
	assert_int_equal(container_window_remove(container, HIGH, &error), 0);
	assert_int_equal(create(container, WORKER_WINDOW_ANYWHERE, GIB(8), 30), GIB(4));
	/* What lies there already is told by whoever makes it. */
	assert_int_equal(
		container_window_create(
			container,
			&(struct window_plan){.start = GIB(5), .size = PAGE, .page_shift = 12},
			&window, &error),
		ERROR_WINDOW_OVERLAP);
	check_text(&error, "overlaps the window [0x100000000, 0x300000000)");
	assert_int_equal(
		container_window_create(
			container,
			&(struct window_plan){.start = 0xfee00000, .size = PAGE, .page_shift = 12},
			&window, &error),
		ERROR_WINDOW_START);
	detach(&script, container);
}

static void test_plans_refused(void **state)
{
	static const struct expectation expectations[] = {ATTACH, LEAVE, END};
	const struct memory_outlook too_high = {.any = true, .last = UINT64_C(1) << 63};
	const struct window_limits large_pages = {.page_sizes = 0x40000000};
	const struct window_limits no_pages = {.page_sizes = 0x10000};
	const uint64_t any = WORKER_WINDOW_ANYWHERE;
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	const struct window_request sized = {any, GIB(1), 0, 0, 0};
	const struct window_request spanning = {any, 0, 0, 0, 0};
	const struct window_request small = {any, GIB(1), 12, 0, 0};
	struct window_plan made;
	struct error error;

	(void)state;
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	refuse_plan(container, (struct window_request){any, GIB(1), 13, 1, 0}, ERROR_PAGE_SIZE,
		    "12 21 30");
	refuse_plan(container, (struct window_request){any, GIB(1), 64 + 12, 1, 0}, ERROR_PAGE_SIZE,
		    "12 21 30");
	refuse_plan(container, (struct window_request){any, GIB(1), 12, 2, 0},
		    ERROR_INVALID_ARGUMENT, "2 levels");
	refuse_plan(container, (struct window_request){any, 0x1800, 12, 1, 0},
		    ERROR_INVALID_ARGUMENT, "0x1800 is not a multiple");
	refuse_plan(container, (struct window_request){any, 0x201000, 21, 1, 0},
		    ERROR_INVALID_ARGUMENT, "is not a multiple");
	refuse_plan(container, (struct window_request){0x800, PAGE, 12, 1, 0},
		    ERROR_INVALID_ARGUMENT, "can't start at 0x800");
	refuse_plan(container, (struct window_request){-PAGE, 0x2000, 12, 1, 0},
		    ERROR_INVALID_ARGUMENT, "can't start at");
	refuse_plan(container, (struct window_request){GIB(1023), GIB(2), 12, 1, 0},
		    ERROR_WINDOW_START, "[0xfef00000, 0x10000000000)");
	refuse_plan(container, (struct window_request){GIB(3), GIB(2), 12, 1, 0},
		    ERROR_WINDOW_START, "[0xc0000000, 0x140000000) is not inside");
	refuse_plan(container, (struct window_request){any, GIB(1024), 12, 1, 0}, ERROR_UNSUPPORTED,
		    "larger than each");
	refuse_plan(container, spanning, ERROR_INVALID_ARGUMENT, "add memory first");
	assert_int_equal(
		container_window_plan(container, &spanning, &too_high, &no_limits, &made, &error),
		ERROR_QUOTA_EXCEEDED);
	assert_int_equal(
		container_window_plan(container, &small, &no_memory, &large_pages, &made, &error),
		ERROR_PAGE_SIZE);
	assert_int_equal(
		container_window_plan(container, &sized, &no_memory, &no_pages, &made, &error),
		ERROR_PAGE_SIZE);
	check_text(&error, "policy");
	assert_int_equal(
		container_window_plan(container, &sized, &no_memory, &large_pages, &made, &error),
		0);
	assert_int_equal(made.page_shift, 30);
	detach(&script, container);
}

/* What is left open: the smallest pages, and the power of two that spans the memory. */
static void test_open_requests(void **state)
{
	static const struct expectation expectations[] = {ATTACH, LEAVE, END};
	const struct window_request open = {WORKER_WINDOW_ANYWHERE, 0, 0, 0, 0};
	struct memory_outlook outlook = {.any = true, .last = 0x10fffff, .largest_page = PAGE};
	struct window_choice choices[WORKER_CHOICES_MAX];
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window_plan made;
	struct error error;

	(void)state;
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(
		container_window_plan(container, &open, &outlook, &no_limits, &made, &error), 0);
	assert_int_equal(made.start, 0);
	assert_int_equal(made.size, 0x2000000);
	assert_int_equal(made.page_shift, 12);
	assert_int_equal(made.levels, 1);
	assert_int_equal(made.locked_bytes, 0);
	assert_false(made.more_levels);
	assert_int_equal(container_window_choices(container, &open, &outlook, &no_limits, choices),
			 3);
	assert_int_equal(choices[0].page_shift, 12);
	assert_int_equal(choices[0].size, 0x2000000);
	assert_int_equal(choices[0].tces, 0x2000);
	assert_int_equal(choices[0].code, ERROR_NONE);
	assert_int_equal(choices[2].page_shift, 30);
	assert_int_equal(choices[2].size, GIB(1));
	assert_int_equal(choices[2].levels, 1);
	assert_int_equal(choices[2].locked_bytes, 0);
	/* The smallest memory there is. */
	outlook.last = 0;
	assert_int_equal(
		container_window_plan(container, &open, &outlook, &no_limits, &made, &error), 0);
	assert_int_equal(made.size, PAGE);
	/* No memory, so no size to talk of. */
	assert_int_equal(
		container_window_choices(container, &open, &no_memory, &no_limits, choices), 0);
	detach(&script, container);
}

static void test_choices_that_are_not_legal(void **state)
{
	static const struct expectation expectations[] = {ATTACH, LEAVE, END};
	const struct window_limits huge_pages = {.page_sizes = 0x40200000};
	const struct window_request request = {GIB(1), 0x600000, 0, 0, 0};
	const struct window_request one = {GIB(1), 0x600000, 21, 3, 0};
	struct window_choice choices[WORKER_CHOICES_MAX];
	struct script script = script_make(expectations);
	struct container *container = attach(&script);

	(void)state;
	assert_int_equal(
		container_window_choices(container, &request, &no_memory, &huge_pages, choices), 3);
	assert_int_equal(choices[0].code, ERROR_PAGE_SIZE);
	assert_int_equal(choices[1].code, ERROR_NONE);
	assert_int_equal(choices[2].code, ERROR_INVALID_ARGUMENT);
	assert_int_equal(container_window_choices(container, &one, &no_memory, &no_limits, choices),
			 1);
	assert_int_equal(choices[0].page_shift, 21);
	assert_int_equal(choices[0].levels, 3);
	assert_int_equal(choices[0].code, ERROR_INVALID_ARGUMENT);
	detach(&script, container);
}

static void test_as_many_windows_as_there_can_be(void **state)
{
	static const struct expectation expectations[] = {ATTACH, LEAVE, END};
	struct window_plan plan_again = {
		.start = WORKER_WINDOW_ANYWHERE, .size = PAGE, .page_shift = 12, .levels = 1};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	/* Each below the one before. */
	for (uint64_t i = WORKER_WINDOWS_MAX - 1; i > 0; i--) {
		assert_int_equal(create(container, 2 * i * PAGE, PAGE, 12), 2 * i * PAGE);
	}
	assert_int_equal(container_window_create(container, &plan_again, &window, &error),
			 ERROR_NO_WINDOW_LEFT);
	assert_int_equal(container_window_remove(container, 0x4000, &error), 0);
	assert_int_equal(container_window_create(container, &plan_again, &window, &error), 0);
	assert_int_equal(window.range.start, 0);
	detach(&script, container);
}

/* groups */

#define JOIN_SECOND STATUS(VIABLE), JOIN(0)

static int join(struct container *container, struct error *error)
{
	return container_join(container, SECOND_FD, 6, error);
}

/* A group whose devices have other reserved regions makes less of the host's ranges. */
static void test_ranges_shrink_and_grow_with_groups(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH,      MAP(0x2000, PAGE, 0),
		JOIN_SECOND, INFO(0x7fffffff, 0x40001000, 49),
		LEAVE,       INFO(0xfedfffff, 0x40201000, 99),
		LEAVE,       END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(map(container, 0x2000, PAGE, &error), 0);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(create(container, 0, GIB(1), 12), 0);
	assert_int_equal(join(container, &error), 0);
	assert_int_equal(container->group_count, 2);
	assert_int_equal(container->capabilities.default_window_count, 2);
	assert_int_equal(container->capabilities.default_windows[0].range.size, 0x80000000);
	assert_int_equal(container->capabilities.page_sizes, 0x40001000);
	/* Those that are left, whatever there was before. */
	assert_int_equal(container_maps_left(container), 49);
	refuse_plan(container, (struct window_request){GIB(2), GIB(1), 0, 0, 0}, ERROR_WINDOW_START,
		    "[0x0, 0x80000000)");
	refuse_plan(container, (struct window_request){GIB(1), GIB(1), 21, 0, 0}, ERROR_PAGE_SIZE,
		    "12 30");
	assert_int_equal(container_leave(container, 6, NULL, &error), 0);
	assert_int_equal(container->capabilities.default_windows[0].range.size, 0xfee00000);
	assert_int_equal(create(container, GIB(2), GIB(1), 21), GIB(2));
	script.closed--;
	detach(&script, container);
}

static void test_joins_that_would_break_windows(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH,
		JOIN_SECOND,
		INFO(0x7fffffff, 0x40201000, 100),
		LEAVE,
		INFO(0xfedfffff, 0x40201000, 100),
		JOIN_SECOND,
		INFO(0xfedfffff, 0x40200000, 100),
		LEAVE,
		INFO(0xfedfffff, 0x40201000, 100),
		JOIN_SECOND,
		{.request = VFIO_IOMMU_GET_INFO, .result = -EIO},
		LEAVE,
		INFO(0xfedfffff, 0x40201000, 100),
		LEAVE,
		END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(join(container, &error), ERROR_WINDOW_START);
	check_text(&error, "[0x0, 0xfee00000) is not inside");
	assert_int_equal(container->group_count, 1);
	assert_int_equal(container->capabilities.default_windows[0].range.size, 0xfee00000);
	assert_int_equal(join(container, &error), ERROR_PAGE_SIZE);
	check_text(&error, "page shift 12");
	assert_int_equal(join(container, &error), ERROR_KERNEL);
	assert_int_equal(container->group_count, 1);
	assert_int_equal(container->capabilities.page_sizes, 0x40201000);
	/* The group's fd is for another container to take. */
	assert_int_equal(script.closed, 0);
	detach(&script, container);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_h55_nothing_outside_of_windows),
		cmocka_unit_test(test_windows_in_the_place_of_a_default_one),
		cmocka_unit_test(test_plans_refused),
		cmocka_unit_test(test_open_requests),
		cmocka_unit_test(test_choices_that_are_not_legal),
		cmocka_unit_test(test_as_many_windows_as_there_can_be),
		cmocka_unit_test(test_ranges_shrink_and_grow_with_groups),
		cmocka_unit_test(test_joins_that_would_break_windows),
	};

	return cmocka_run_group_tests_name("type1-window", tests, NULL, NULL);
}
