/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/range.h"
#include "unit.h"

static const struct range to_the_end = {.start = UINT64_MAX - 0xfff, .size = 0x1000};

static void test_valid(void **state)
{
	(void)state;
	assert_true(range_is_valid(0, 1));
	assert_true(range_is_valid(0x1000, 0x1000));
	assert_true(range_is_valid(to_the_end.start, to_the_end.size));
	assert_true(range_is_valid(0, UINT64_MAX));
	assert_false(range_is_valid(0, 0));
	assert_false(range_is_valid(UINT64_MAX, 2));
	assert_false(range_is_valid(0x1000, UINT64_MAX));
}

static void test_overlap(void **state)
{
	struct range low = {.start = 0x1000, .size = 0x1000};
	struct range next = {.start = 0x2000, .size = 0x1000};

	(void)state;
	assert_false(range_overlaps(low, next));
	assert_false(range_overlaps(next, low));
	next.start--;
	assert_true(range_overlaps(low, next));
	assert_true(range_overlaps(next, low));
	assert_true(range_overlaps(to_the_end, to_the_end));
	assert_false(range_overlaps(low, to_the_end));
}

static void test_contains(void **state)
{
	struct range outer = {.start = 0x1000, .size = 0x2000};

	(void)state;
	assert_true(range_contains(outer, outer));
	assert_true(range_contains(outer, (struct range){.start = 0x2000, .size = 0x1000}));
	assert_false(range_contains(outer, (struct range){.start = 0x2000, .size = 0x1001}));
	assert_false(range_contains(outer, (struct range){.start = 0xfff, .size = 0x10}));
	/* An end past 2^64 must not look small. */
	assert_false(range_contains(outer, to_the_end));
	assert_true(range_contains_address(to_the_end, UINT64_MAX));
	assert_false(range_contains_address(outer, 0x3000));
}

static void test_format(void **state)
{
	(void)state;
	assert_string_equal(range_format((struct range){0x1000, 0x1000}).text, "[0x1000, 0x2000)");
	assert_string_equal(range_format(to_the_end).text,
			    "[0xfffffffffffff000, 0x10000000000000000)");
	assert_string_equal(range_format((struct range){UINT64_MAX, UINT64_MAX}).text,
			    "[0xffffffffffffffff, 0x1fffffffffffffffe)");
	assert_string_equal(range_format((struct range){0x1000, 0}).text, "[0x1000, 0x1000)");
}

static void test_powers(void **state)
{
	(void)state;
	assert_true(is_power_of_two(1));
	assert_true(is_power_of_two(UINT64_C(1) << 63));
	assert_false(is_power_of_two(0));
	assert_false(is_power_of_two(0x3000));
	assert_int_equal(floor_log2(1), 0);
	assert_int_equal(floor_log2(0xffff), 15);
	assert_int_equal(floor_log2(UINT64_MAX), 63);
	assert_true(is_aligned(0, 0x1000));
	assert_false(is_aligned(0x800, 0x1000));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),    cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_contains), cmocka_unit_test(test_format),
		cmocka_unit_test(test_powers),
	};

	return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
