/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules: which operation each acts on, and for how long. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/faults.h"
#include "unit.h"

#define MAP       "VFIO_IOMMU_MAP_DMA"
#define UNMAP     "VFIO_IOMMU_UNMAP_DMA"
#define RESET_HOT "VFIO_EEH_PE_RESET_HOT"
#define GROUP     "open:/dev/vfio/0"

static struct sim_rule rule_of(const char *operation, struct sim_rule rule)
{
	sim_rule_name(&rule, operation);
	return rule;
}

static uint32_t add(struct sim_faults *faults, const char *operation, struct sim_rule rule)
{
	struct error error;
	uint32_t id = 0;

	rule = rule_of(operation, rule);
	assert_int_equal(sim_faults_add(faults, &rule, &id, &error), 0);
	assert_int_not_equal(id, 0);
	return id;
}

static int refuse(struct sim_faults *faults, const char *operation, struct sim_rule rule)
{
	struct error error;
	uint32_t id = 77;
	int code;

	rule = rule_of(operation, rule);
	code = sim_faults_add(faults, &rule, &id, &error);
	assert_int_equal(id, 77);
	return code;
}

static int fail_next(struct sim_faults *faults, const char *operation, uint32_t skip, int errnum)
{
	struct sim_rule rule =
		rule_of(operation, (struct sim_rule){.skip = skip, .errnum = errnum});
	struct error error;

	return sim_faults_fail_next(faults, &rule, &error);
}

static int delay(struct sim_faults *faults, const char *operation, uint32_t milliseconds)
{
	struct sim_rule rule = rule_of(operation, (struct sim_rule){.milliseconds = milliseconds});
	struct error error;

	return sim_faults_delay(faults, &rule, &error);
}

/* The results of so many operations, as a string: a letter for each that a rule acts on, by its
 * result (-1 is 'a', 1 is 'A'), else a dot. */
static const char *run(struct sim_faults *faults, const char *operation, unsigned int count)
{
	static char text[64];

	for (unsigned int i = 0; i < count; i++) {
		int result = sim_faults_take_result(faults, operation);

		text[i] = '.';
		if (result < 0) {
			text[i] = "abcdefgh"[-result - 1];
		} else if (result > 0) {
			text[i] = "ABCDEFGH"[result - 1];
		}
	}
	text[count] = '\0';
	return text;
}

static void test_nothing(void **state)
{
	struct sim_faults faults = {.first = NULL};
	struct sim_listed_rule rules[SIM_RULES_MAX];

	(void)state;
	assert_string_equal(run(&faults, MAP, 3), "...");
	assert_int_equal(sim_faults_take_delay(&faults, MAP), 0);
	assert_int_equal(sim_faults_list(&faults, rules), 0);
	sim_faults_done(&faults);
}

static void test_when_a_rule_acts(void **state)
{
	static const struct {
		struct sim_rule rule;
		const char *expected;
	} cases[] = {
		{{.errnum = 1}, "aaaaaaaaaa"},
		{{.errnum = 1, .times = 1}, "a........."},
		{{.errnum = 1, .times = 3}, "aaa......."},
		{{.errnum = 1, .skip = 2}, "..aaaaaaaa"},
		{{.errnum = 1, .skip = 2, .times = 1}, "..a......."},
		{{.errnum = 1, .every = 1}, "aaaaaaaaaa"},
		{{.errnum = 1, .every = 3}, "..a..a..a."},
		{{.errnum = 1, .every = 3, .skip = 1}, "...a..a..a"},
		{{.errnum = 1, .every = 3, .skip = 1, .times = 2}, "...a..a..."},
		{{.result = 1, .every = 4}, "...A...A.."},
		{{.milliseconds = 9}, ".........."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sim_faults faults = {.first = NULL};

		(void)add(&faults, MAP, cases[i].rule);
		assert_string_equal(run(&faults, UNMAP, 5), ".....");
		assert_string_equal(run(&faults, MAP, 10), cases[i].expected);
		/* What has acted often enough is gone. */
		assert_int_equal(faults.count, cases[i].rule.times == 0);
		sim_faults_done(&faults);
	}
}

static void test_the_oldest_acts(void **state)
{
	struct sim_faults faults = {.first = NULL};

	(void)state;
	(void)add(&faults, MAP, (struct sim_rule){.errnum = 1, .every = 2});
	(void)add(&faults, MAP, (struct sim_rule){.errnum = 2, .times = 2});
	/* To the second, what the first acted on doesn't count. */
	assert_string_equal(run(&faults, MAP, 6), "baba.a");
	sim_faults_done(&faults);
}

static void test_delay_and_failure_are_decided_apart(void **state)
{
	struct sim_faults faults = {.first = NULL};

	(void)state;
	(void)add(&faults, MAP, (struct sim_rule){.errnum = 1, .times = 1});
	(void)add(&faults, MAP, (struct sim_rule){.milliseconds = 5, .errnum = 2, .times = 1});
	(void)add(&faults, MAP, (struct sim_rule){.milliseconds = 7});
	assert_int_equal(sim_faults_take_delay(&faults, MAP), 5);
	assert_int_equal(sim_faults_take_result(&faults, MAP), -1);
	assert_int_equal(sim_faults_take_delay(&faults, MAP), 7);
	assert_int_equal(sim_faults_take_result(&faults, MAP), -2);
	assert_int_equal(sim_faults_take_delay(&faults, MAP), 7);
	assert_int_equal(sim_faults_take_result(&faults, MAP), 0);
	assert_int_equal(faults.count, 1);
	sim_faults_done(&faults);
}

static void test_parts_of_the_eeh_ioctl(void **state)
{
	struct sim_faults faults = {.first = NULL};

	(void)state;
	(void)add(&faults, RESET_HOT, (struct sim_rule){.errnum = 1});
	assert_string_equal(run(&faults, "VFIO_EEH_PE_GET_STATE", 2), "..");
	assert_string_equal(run(&faults, "VFIO_EEH_PE_OP", 2), "..");
	assert_string_equal(run(&faults, RESET_HOT, 2), "aa");
	/* The name of the ioctl is that of all its parts. */
	(void)add(&faults, "VFIO_EEH_PE_OP", (struct sim_rule){.errnum = 2});
	assert_string_equal(run(&faults, "VFIO_EEH_PE_GET_STATE", 2), "bb");
	assert_string_equal(run(&faults, "VFIO_EEH_PE_OP", 1), "b");
	assert_string_equal(run(&faults, RESET_HOT, 1), "a");
	assert_string_equal(run(&faults, MAP, 1), ".");
	sim_faults_done(&faults);
}

/* Ioctls that share a number are told apart by nobody. */
static void test_either_name_of_a_number(void **state)
{
	static const char *const names[][2] = {
		{"VFIO_IOMMU_GET_INFO", "VFIO_IOMMU_SPAPR_TCE_GET_INFO"},
		{"VFIO_IOMMU_DIRTY_PAGES", "VFIO_IOMMU_SPAPR_REGISTER_MEMORY"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct sim_faults faults = {.first = NULL};

		(void)add(&faults, names[i][0], (struct sim_rule){.errnum = 1, .times = 1});
		(void)add(&faults, names[i][1], (struct sim_rule){.errnum = 2, .times = 1});
		assert_string_equal(run(&faults, names[i][1], 3), "ab.");
		sim_faults_done(&faults);
	}
}

static void test_steps(void **state)
{
	struct sim_faults faults = {.first = NULL};

	(void)state;
	(void)add(&faults, "kernel:put-tce", (struct sim_rule){.result = 1, .times = 1});
	(void)add(&faults, "kernel:use-region", (struct sim_rule){.errnum = 1, .skip = 1});
	(void)add(&faults, "kernel:remove-window", (struct sim_rule){.errnum = 2});
	assert_string_equal(run(&faults, "kernel:put-tce", 2), "A.");
	assert_string_equal(run(&faults, "kernel:use-region", 3), ".aa");
	assert_string_equal(run(&faults, "kernel:remove-window", 1), "b");
	sim_faults_done(&faults);
	assert_int_equal(refuse(&faults, "kernel:", (struct sim_rule){.errnum = 1}),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(refuse(&faults, "kernel:put-tce", (struct sim_rule){.milliseconds = 1}),
			 ERROR_INVALID_ARGUMENT);
}

static void test_a_name_is_the_kernels(void **state)
{
	struct sim_faults faults = {.first = NULL};

	(void)state;
	(void)add(&faults, "KVM_CREATE_SPAPR_TCE_64", (struct sim_rule){.errnum = 1});
	sim_faults_done(&faults);
}

static void test_regions(void **state)
{
	struct sim_faults faults = {.first = NULL};

	(void)state;
	(void)add(&faults, "read:7", (struct sim_rule){.errnum = 1});
	(void)add(&faults, "mmap:10", (struct sim_rule){.errnum = 2});
	assert_string_equal(run(&faults, "read:7", 1), "a");
	assert_string_equal(run(&faults, "read:0", 1), ".");
	assert_string_equal(run(&faults, "write:7", 1), ".");
	assert_string_equal(run(&faults, "mmap:10", 1), "b");
	sim_faults_done(&faults);
}

static void test_fail_next(void **state)
{
	struct sim_faults faults = {.first = NULL};

	(void)state;
	assert_int_equal(fail_next(&faults, MAP, 1, 1), 0);
	assert_int_equal(fail_next(&faults, MAP, 0, 2), 0);
	assert_int_equal(fail_next(&faults, GROUP, 0, 3), 0);
	assert_string_equal(run(&faults, MAP, 4), "ba..");
	/* Taken back, for one operation, and only what this verb made. */
	assert_int_equal(fail_next(&faults, MAP, 0, 1), 0);
	(void)add(&faults, MAP, (struct sim_rule){.errnum = 4, .times = 1});
	assert_int_equal(fail_next(&faults, MAP, 0, 0), 0);
	assert_string_equal(run(&faults, MAP, 2), "d.");
	assert_string_equal(run(&faults, GROUP, 2), "c.");
	assert_int_equal(faults.count, 0);
	sim_faults_done(&faults);
}

static void test_delay_lasts(void **state)
{
	struct sim_faults faults = {.first = NULL};

	(void)state;
	assert_int_equal(delay(&faults, MAP, 5), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sim_faults_take_delay(&faults, MAP), 5);
	}
	assert_int_equal(delay(&faults, MAP, 7), 0);
	assert_int_equal(sim_faults_take_delay(&faults, MAP), 7);
	assert_int_equal(faults.count, 1);
	assert_int_equal(delay(&faults, MAP, 0), 0);
	assert_int_equal(sim_faults_take_delay(&faults, MAP), 0);
	assert_int_equal(faults.count, 0);
	assert_int_equal(delay(&faults, MAP, SIM_DELAY_MAX_MILLIS + 1), ERROR_INVALID_ARGUMENT);
	assert_int_equal(delay(&faults, "nonsense", 0), ERROR_INVALID_ARGUMENT);
}

static void test_taking_back_and_listing(void **state)
{
	struct sim_faults faults = {.first = NULL};
	struct sim_listed_rule rules[SIM_RULES_MAX];
	struct error error;
	uint32_t first;
	uint32_t second;

	(void)state;
	first = add(&faults, MAP, (struct sim_rule){.errnum = 1, .every = 2, .skip = 3});
	second = add(&faults, GROUP, (struct sim_rule){.milliseconds = 4});
	assert_int_not_equal(first, second);
	assert_string_equal(run(&faults, MAP, 8), "....a.a.");
	assert_int_equal(sim_faults_list(&faults, rules), 2);
	assert_int_equal(rules[0].id, first);
	assert_int_equal(rules[0].acted, 2);
	assert_string_equal(rules[0].rule.operation, MAP);
	assert_int_equal(rules[0].rule.every, 2);
	assert_int_equal(rules[0].rule.skip, 3);
	assert_int_equal(rules[1].id, second);
	assert_int_equal(rules[1].acted, 0);
	assert_int_equal(sim_faults_remove(&faults, first, &error), 0);
	assert_int_equal(sim_faults_remove(&faults, first, &error), ERROR_NOT_FOUND);
	assert_int_equal(sim_faults_list(&faults, rules), 1);
	assert_int_equal(rules[0].id, second);
	sim_faults_done(&faults);
	assert_int_equal(sim_faults_list(&faults, rules), 0);
	/* A number is never used twice. */
	assert_true(add(&faults, MAP, (struct sim_rule){.errnum = 1}) > second);
	sim_faults_done(&faults);
}

static void test_rules_that_make_no_sense(void **state)
{
	static const struct {
		const char *operation;
		struct sim_rule rule;
	} cases[] = {
		{"", {.errnum = 1}},
		{"nonsense", {.errnum = 1}},
		{"VFIO_IOMMU_MAP", {.errnum = 1}},
		{"VFIO_EEH_PE_NOTHING", {.errnum = 1}},
		{MAP, {.skip = 1}},
		{MAP, {.errnum = -1}},
		{MAP, {.errnum = 4096}},
		{MAP, {.result = -1}},
		{MAP, {.result = 1, .errnum = 1}},
		{GROUP, {.result = 1}},
		{"read:7", {.result = 1}},
		{"read:", {.errnum = 1}},
		{"write:x", {.errnum = 1}},
		{"mmap:07", {.errnum = 1}},
		{"seek:7", {.errnum = 1}},
		/* Not that of what it begins with. */
		{"read:1000000000000000000000000000000000000000000000000000000000000",
		 {.errnum = 1}},
		{"open:/dev/vfio/0000000000000000000000000000000000000000000000000", {.errnum = 1}},
		{MAP, {.milliseconds = SIM_DELAY_MAX_MILLIS + 1}},
	};
	struct sim_faults faults = {.first = NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(refuse(&faults, cases[i].operation, cases[i].rule),
				 ERROR_INVALID_ARGUMENT);
	}
	assert_int_equal(faults.count, 0);
}

static void test_no_more_than_fit(void **state)
{
	struct sim_faults faults = {.first = NULL};

	(void)state;
	for (unsigned int i = 0; i < SIM_RULES_MAX; i++) {
		assert_int_equal(fail_next(&faults, MAP, 0, 1), 0);
	}
	assert_int_equal(refuse(&faults, MAP, (struct sim_rule){.errnum = 1}),
			 ERROR_QUOTA_EXCEEDED);
	assert_string_equal(run(&faults, MAP, 1), "a");
	(void)add(&faults, MAP, (struct sim_rule){.errnum = 2});
	sim_faults_done(&faults);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_when_a_rule_acts),
		cmocka_unit_test(test_the_oldest_acts),
		cmocka_unit_test(test_delay_and_failure_are_decided_apart),
		cmocka_unit_test(test_parts_of_the_eeh_ioctl),
		cmocka_unit_test(test_either_name_of_a_number),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_a_name_is_the_kernels),
		cmocka_unit_test(test_regions),
		cmocka_unit_test(test_fail_next),
		cmocka_unit_test(test_delay_lasts),
		cmocka_unit_test(test_taking_back_and_listing),
		cmocka_unit_test(test_rules_that_make_no_sense),
		cmocka_unit_test(test_no_more_than_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
