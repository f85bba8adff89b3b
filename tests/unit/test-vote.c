/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <string.h>

#include "eeh/vote.h"
#include "unit.h"

/* eeh_result_priority: NONE, RECOVERED, CAN_RECOVER, DISCONNECT, NEED_RESET. */
static const enum verdict in_order[] = {VERDICT_NONE, VERDICT_RECOVERED, VERDICT_CAN_RECOVER,
					VERDICT_DISCONNECT, VERDICT_NEED_RESET};

#define COUNT (sizeof(in_order) / sizeof(*in_order))

static void test_largest_wins(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		for (size_t j = 0; j < COUNT; j++) {
			assert_int_equal(verdict_merge(in_order[i], in_order[j]),
					 in_order[i > j ? i : j]);
		}
	}
}

static void test_what_fits(void **state)
{
	static const bool fits[][COUNT] = {
		[VOTE_ERROR_DETECTED] = {false, false, true, true, true},
		[VOTE_MMIO_ENABLED] = {false, true, true, true, true},
		[VOTE_SLOT_RESET] = {false, true, false, true, true},
	};

	(void)state;
	for (unsigned int step = 0; step < sizeof(fits) / sizeof(*fits); step++) {
		const char *choices = verdict_choices((enum vote_step)step);

		for (size_t i = 0; i < COUNT; i++) {
			assert_int_equal(verdict_fits(in_order[i], (enum vote_step)step),
					 fits[step][i]);
			assert_int_equal(strstr(choices, verdict_name(in_order[i])) != NULL,
					 fits[step][i]);
		}
		assert_false(verdict_fits((enum verdict)COUNT, (enum vote_step)step));
		assert_false(verdict_fits((enum verdict)33, (enum vote_step)step));
	}
}

static void test_names(void **state)
{
	static const char *const bad[] = {"", "none", "can-recover ", "Recovered", "need_reset"};
	enum verdict verdict = VERDICT_NONE;

	(void)state;
	assert_string_equal(verdict_name(VERDICT_NONE), "none");
	for (size_t i = 1; i < COUNT; i++) {
		assert_true(verdict_parse(verdict_name(in_order[i]), &verdict));
		assert_int_equal(verdict, in_order[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_false(verdict_parse(bad[i], &verdict));
		assert_int_equal(verdict, VERDICT_NEED_RESET);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_largest_wins),
		cmocka_unit_test(test_what_fits),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
