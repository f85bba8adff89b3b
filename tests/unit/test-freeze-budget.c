/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "eeh/budget.h"
#include "unit.h"

#define MOST   5
#define WINDOW 3600000U
#define BEGIN  1000000U

/* As with the kernel's eeh_max_freezes: five are recovered, the sixth is the last. */
static void test_h47_sixth_freeze_is_too_many(void **state)
{
	struct freeze_budget budget = {0};

	(void)state;
	assert_int_equal(freeze_budget_left(&budget, BEGIN, MOST, WINDOW), MOST);
	for (uint32_t i = 1; i <= MOST; i++) {
		assert_true(freeze_budget_spend(&budget, BEGIN + i, MOST, WINDOW));
		assert_int_equal(freeze_budget_left(&budget, BEGIN + i, MOST, WINDOW), MOST - i);
	}
	assert_false(freeze_budget_spend(&budget, BEGIN + WINDOW, MOST, WINDOW));
	assert_int_equal(freeze_budget_left(&budget, BEGIN + WINDOW, MOST, WINDOW), 0);
}

static void test_window_begins_with_the_first_freeze(void **state)
{
	struct freeze_budget budget = {0};

	(void)state;
	for (uint32_t i = 0; i < MOST; i++) {
		assert_true(
			freeze_budget_spend(&budget, BEGIN + i * (WINDOW / MOST), MOST, WINDOW));
	}
	assert_int_equal(freeze_budget_left(&budget, BEGIN + WINDOW, MOST, WINDOW), 0);
	/* It doesn't slide: all of it comes back at once. */
	assert_int_equal(freeze_budget_left(&budget, BEGIN + WINDOW + 1, MOST, WINDOW), MOST);
	assert_true(freeze_budget_spend(&budget, BEGIN + WINDOW + 1, MOST, WINDOW));
	assert_int_equal(freeze_budget_left(&budget, BEGIN + WINDOW + 1, MOST, WINDOW), MOST - 1);
	assert_int_equal(budget.start, BEGIN + WINDOW + 1);
}

static void test_none_allowed(void **state)
{
	struct freeze_budget budget = {0};

	(void)state;
	assert_int_equal(freeze_budget_left(&budget, 0, 0, WINDOW), 0);
	assert_false(freeze_budget_spend(&budget, 0, 0, WINDOW));
}

static void test_a_smaller_budget_applies_at_once(void **state)
{
	struct freeze_budget budget = {0};

	(void)state;
	assert_true(freeze_budget_spend(&budget, BEGIN, MOST, WINDOW));
	assert_true(freeze_budget_spend(&budget, BEGIN, MOST, WINDOW));
	assert_int_equal(freeze_budget_left(&budget, BEGIN, 1, WINDOW), 0);
	assert_false(freeze_budget_spend(&budget, BEGIN, 2, WINDOW));
	assert_int_equal(freeze_budget_left(&budget, BEGIN + 2, MOST, 1), MOST);
}

static void test_count_does_not_wrap(void **state)
{
	struct freeze_budget budget = {.used = UINT32_MAX, .start = BEGIN};

	(void)state;
	assert_false(freeze_budget_spend(&budget, BEGIN, MOST, WINDOW));
	assert_int_equal(budget.used, UINT32_MAX);
	assert_int_equal(freeze_budget_left(&budget, BEGIN, MOST, WINDOW), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_h47_sixth_freeze_is_too_many),
		cmocka_unit_test(test_window_begins_with_the_first_freeze),
		cmocka_unit_test(test_none_allowed),
		cmocka_unit_test(test_a_smaller_budget_applies_at_once),
		cmocka_unit_test(test_count_does_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
