/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How PEs are watched: polling, Check, the ERR interrupt, and what a look says. */
#include <string.h>
#include <unistd.h>

#include "broker/device_alarm.h"
#include "pe_fixture.h"

#define LOOKS(group) stage_asked(group, WORKER_PE_LOOK)

static struct recovery_policy patient_policy(void)
{
	struct recovery_policy policy = stage_quick_policy();

	policy.idle_poll = 3600000;
	policy.fast_poll = 3600000;
	return policy;
}

/* A PE that was looked at for the first time, and isn't polled again. */
static struct pe *attach_patient(struct space *space, uint32_t group)
{
	struct recovery_policy policy = patient_policy();
	struct pe *pe;

	stage_use(stage_pe(group), &policy);
	pe = stage_attach(space, group);
	stage_run_until(pe_condition(pe) == PE_NORMAL);
	assert_int_equal(LOOKS(group), 1);
	return pe;
}

/* -- when -- */

static void test_free_group_is_left_alone(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct pe_answer answer;

	(void)state;
	(void)stage_space();
	stage_use(stage_pe(0), &policy);
	stage_run(100);
	assert_int_equal(LOOKS(0), 0);
	assert_int_equal(pe_condition(stage_pe(0)), PE_UNKNOWN);
	answer = stage_check(stage_pe(0));
	assert_int_equal(answer.error.code, ERROR_NOT_FOUND);
	assert_non_null(strstr(answer.error.text, "group 0"));
}

static void test_attached_group_is_looked_at(void **state)
{
	struct pe *pe = attach_patient(stage_space(), 0);

	(void)state;
	assert_true(stage.changed & PE_CHANGED_STATE);
	assert_string_equal(pe_condition_state(pe_condition(pe)), "normal");
	stage_run(100);
	assert_int_equal(LOOKS(0), 1);
}

static void test_h46_looked_at_at_the_idle_rate(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct pe *pe = attach_patient(stage_space(), 0);
	uint32_t before = LOOKS(0);

	(void)state;
	policy.idle_poll = 50;
	stage_use(pe, &policy);
	stage_run(1025);
	/* 20, and less on a machine that is busy. */
	assert_in_range(LOOKS(0) - before, 6, 22);
}

/* An hour between looks, but for the time after a hint. */
static void test_fast_rate_after_a_hint(void **state)
{
	struct recovery_policy policy = patient_policy();
	struct pe *pe = attach_patient(stage_space(), 0);
	uint32_t before;

	(void)state;
	policy.fast_poll = 20;
	policy.fast_poll_for = 300;
	stage_use(pe, &policy);
	(void)stage_check(pe);
	before = LOOKS(0);
	stage_run(350);
	assert_in_range(LOOKS(0) - before, 4, 17);
	before = LOOKS(0);
	stage_run(100);
	assert_int_equal(LOOKS(0), before);
}

/* All come at the same time, and are then looked at all over the interval. */
static void test_spread(void **state)
{
	enum { INTERVAL = 1600, PARTS = 8 };
	struct recovery_policy policy = stage_quick_policy();
	struct space *space = stage_space();
	unsigned int parts[PARTS] = {0};
	unsigned int looks[PLAYED_GROUPS] = {0};
	uint32_t first;

	(void)state;
	policy.idle_poll = INTERVAL;
	for (uint32_t i = 0; i < PLAYED_GROUPS; i++) {
		(void)attach_patient(space, i);
	}
	for (uint32_t i = 0; i < PLAYED_GROUPS; i++) {
		stage_use(stage_pe(i), &policy);
	}
	stage_run(INTERVAL);
	first = stage.played->log_count;
	stage_run(2 * INTERVAL);
	for (uint32_t i = first; i < stage.played->log_count; i++) {
		volatile struct played_entry *entry = &stage.played->log[i];

		looks[entry->group]++;
		parts[entry->when / 1000 % INTERVAL * PARTS / INTERVAL]++;
	}
	for (uint32_t i = 0; i < PLAYED_GROUPS; i++) {
		assert_in_range(looks[i], 1, 4);
	}
	for (unsigned int i = 0; i < PARTS; i++) {
		assert_in_range(parts[i], 2, 48); /* 16 on average */
	}
}

/* -- Check -- */

static void ask(struct pe *pe, unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		assert_int_equal(pe_check(pe, stage_handle_answer, NULL, &stage.error), 0);
	}
}

static void test_checks_share_a_look(void **state)
{
	struct pe *pe = attach_patient(stage_space(), 0);

	(void)state;
	ask(pe, 20);
	stage_run_until(stage.answer_count == 20);
	assert_int_equal(LOOKS(0), 2);
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(stage.answers[i].error.code, ERROR_NONE);
		assert_int_equal(stage.answers[i].condition, PE_NORMAL);
	}
}

/* A look that had begun may have seen what was before the question. */
static void test_check_is_not_answered_by_an_old_look(void **state)
{
	struct pe *pe = attach_patient(stage_space(), 0);

	(void)state;
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = true;
	ask(pe, 1);
	stage_run_until(LOOKS(0) == 2);
	ask(pe, 3);
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = false;
	stage_run_until(stage.answer_count == 1);
	assert_int_equal(LOOKS(0), 2);
	stage_run_until(stage.answer_count == 4);
	assert_int_equal(LOOKS(0), 3);
}

/* However fast the questions come, the firmware is asked now and then. */
static void test_flood(void **state)
{
	struct pe *pe = attach_patient(stage_space(), 0);
	uint64_t end = pe_now() + 300000;
	unsigned int refused = 0;
	unsigned int asked = 0;

	(void)state;
	while (pe_now() < end) {
		int r = pe_check(pe, stage_handle_answer, NULL, &stage.error);

		asked++;
		if (r) {
			assert_int_equal(r, ERROR_QUOTA_EXCEEDED);
			refused++;
			assert_true(sd_event_run(stage.event, 1000) >= 0);
		}
		if (stage.answer_count > STAGE_ANSWERS_MAX - 2 * PE_CHECKS_MAX) {
			stage.answer_count = 0;
		}
	}
	stage.answer_count = 0;
	assert_true(asked > 500 && refused > 0);
	assert_in_range(LOOKS(0), 3, 62);
	assert_int_equal(pe->waiter_count <= PE_CHECKS_MAX, true);
	assert_non_null(strstr(stage.error.text, "64"));
	stage_run_until(pe->waiter_count == 0);
	assert_int_equal(stage_check(pe).condition, PE_NORMAL);
}

/* -- the ERR interrupt -- */

static void test_error_event(void **state)
{
	const uint64_t one = 1;
	struct recovery_policy policy = patient_policy();
	struct pe *pe = attach_patient(stage_space(), 0);
	struct host_device *device = pe_group(pe)->devices;
	int event = device_alarm_error_event(stage.manager, device);

	(void)state;
	policy.manual = true;
	stage_use(pe, &policy);
	assert_true(event >= 0);
	assert_int_equal(device_alarm_error_event(stage.manager, device), event);
	assert_int_equal(device_open(stage.manager, device, stage_handle_other_answer, NULL, NULL),
			 0);
	stage_run_until(device->open);
	stage.played->pes[0].number = 2;
	assert_int_equal(write(event, &one, sizeof(one)), sizeof(one));
	stage_run_until(pe_phase(pe) == RECOVERY_AWAITING_REQUEST);
	assert_int_equal(stage_event(pe)->source, RECORD_BY_INTERRUPT);
}

/* -- what a look says -- */

/* With a poll that is far away: one PE that is found frozen has the others of its bridge looked at.
 */
static void test_neighbours_are_suspected(void **state)
{
	struct space *space = stage_space();
	struct pe *first = attach_patient(space, 0);
	struct pe *second = attach_patient(space, 1);

	(void)state;
	stage.played->pes[1].number = PE_NUMBER_STOPPED;
	stage.played->pes[0].number = PE_NUMBER_STOPPED;
	assert_int_equal(stage_check(first).error.code, ERROR_NONE);
	stage_run_until(stage_count(RECOVERY_ACTION_DONE) == 2);
	assert_int_equal(stage_event(first)->source, RECORD_BY_CHECK);
	assert_int_equal(stage_event(second)->source, RECORD_BY_NEIGHBOUR);
}

static void test_h43_gone_for_good_reads_as_stopped(void **state)
{
	struct pe *pe = attach_patient(stage_space(), 0);

	(void)state;
	stage_write_state(0, "0x00000002 0x00000801\n");
	stage.played->pes[0].number = 2;
	assert_int_equal(stage_check(pe).condition, PE_GONE);
	assert_string_equal(pe_condition_state(pe_condition(pe)), "stopped");
}

/* A number that doesn't need them is not checked against the flags. */
static void test_h43_error_reads_as_normal(void **state)
{
	struct recovery_policy policy = patient_policy();
	struct pe *pe = attach_patient(stage_space(), 0);

	(void)state;
	policy.manual = true;
	stage_use(pe, &policy);
	/* -5, which decodes as 0, of a PE whose device doesn't answer. */
	stage_write_state(0, "0xfffffffb 0x00000000\n");
	stage.played->pes[0].devices = 1;
	stage.played->pes[0].silent = 1;
	assert_int_equal(stage_check(pe).condition, PE_UNKNOWN);
	assert_int_equal(LOOKS(0), 1 + PE_UNKNOWN_LOOKS);
	assert_int_equal(stage_count(RECOVERY_ACTION_FROZEN), 0);
	/* The device answers again. */
	stage.played->pes[0].silent = 0;
	assert_int_equal(stage_check(pe).condition, PE_NORMAL);
}

/* One sample is none. */
static void test_h43_one_sample_is_no_event(void **state)
{
	struct pe *pe = attach_patient(stage_space(), 0);

	(void)state;
	stage.played->pes[0].looks_left = 1;
	stage.played->pes[0].number = 2;
	assert_int_equal(stage_check(pe).condition, PE_STOPPED);
	stage_run_until(recovery_lets_operate(pe->recovery));
	assert_int_equal(LOOKS(0), 3);
	assert_int_equal(pe_condition(pe), PE_NORMAL);
	assert_int_equal(stage.signal_count, 0);
	assert_null(stage_event(pe));
	assert_int_equal(pe_freezes(pe), 0);
}

static void test_look_that_fails(void **state)
{
	struct pe *pe = attach_patient(stage_space(), 0);
	volatile struct played_operation *look = &stage.played->pes[0].operations[WORKER_PE_LOOK];
	struct pe_answer answer;

	(void)state;
	look->code = ERROR_BUSY;
	look->failures = PE_UNKNOWN_LOOKS - 1;
	assert_int_equal(stage_check(pe).condition, PE_NORMAL);
	assert_int_equal(look->failures, 0);
	look->failures = PE_UNKNOWN_LOOKS;
	answer = stage_check(pe);
	assert_int_equal(answer.error.code, ERROR_BUSY);
	assert_int_equal(pe_condition(pe), PE_NORMAL);
	assert_int_equal(look->failures, 0);
	assert_int_equal(stage_check(pe).error.code, ERROR_NONE);
}

/* Polling goes on after failures. */
static void test_polls_that_fail(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct pe *pe = attach_patient(stage_space(), 0);

	(void)state;
	stage.played->pes[0].operations[WORKER_PE_LOOK].code = ERROR_KERNEL;
	stage.played->pes[0].operations[WORKER_PE_LOOK].failures = 10;
	stage_use(pe, &policy);
	stage_run_until(LOOKS(0) > 14);
	assert_int_equal(pe_condition(pe), PE_NORMAL);
}

/* -- what may not be -- */

static void test_h42_shared_container(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct space *space = stage_space();
	struct pe *pe = attach_patient(space, 0);
	struct pe_answer answer;
	uint32_t before;

	(void)state;
	stage_use(pe, &policy);
	stage_share(space, 1);
	assert_int_equal(stage.manager->groups[1]->container_id,
			 stage.manager->groups[0]->container_id);
	assert_int_equal(pe_condition(pe), PE_UNKNOWN);
	before = LOOKS(0) + LOOKS(1);
	stage_run(100);
	assert_int_equal(LOOKS(0) + LOOKS(1), before);
	answer = stage_check(pe);
	assert_int_equal(answer.error.code, ERROR_EEH_MANY_GROUPS);
	assert_non_null(strstr(answer.error.text, "group 0"));
	assert_non_null(strstr(answer.error.text, "with 1:"));
	answer = stage_operate(stage_pe(1), WORKER_PE_RESET_HOT);
	assert_int_equal(answer.error.code, ERROR_EEH_MANY_GROUPS);
	assert_non_null(strstr(answer.error.text, "with 0:"));
	assert_int_equal(stage_asked(1, WORKER_PE_RESET_HOT), 0);
	/* It is alone again. */
	assert_int_equal(space_detach_group(space, stage.manager->groups[1], false,
					    stage_handle_other_answer, NULL, &stage.error),
			 0);
	stage_run_until(pe_condition(pe) == PE_NORMAL);
}

static void check_lie(enum played_lie lie)
{
	struct space *space = stage_space();
	struct pe *pe = attach_patient(space, 0);
	uint32_t asked = LOOKS(0);

	stage.played->pes[0].lie = lie;
	stage.other_answers = 0;
	assert_int_equal(stage_check(pe).error.code, ERROR_WORKER_LOST);
	assert_non_null(strstr(stage.answers[stage.answer_count - 1].error.text, "make no sense"));
	stage_run_until(stage.manager->space_count == 0);
	assert_null(stage.manager->groups[0]->space);
	assert_int_equal(pe_condition(pe), PE_UNKNOWN);
	assert_true(LOOKS(0) > asked);
	stage.played->pes[0].counts[WORKER_PE_LOOK] = 0;
}

static void test_lies(void **state)
{
	(void)state;
	check_lie(PLAYED_SHORT);
	check_lie(PLAYED_LONG);
	check_lie(PLAYED_SILENT);
	check_lie(PLAYED_DEVICES);
	check_lie(PLAYED_RESERVED);
}

static void test_worker_without_eeh(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach_patient(space, 0);

	(void)state;
	space->containers[0].eeh = 0;
	assert_int_equal(stage_check(pe).error.code, ERROR_EEH_UNAVAILABLE);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, pe_fixture_set_up, pe_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_free_group_is_left_alone),
		TEST(test_attached_group_is_looked_at),
		TEST(test_h46_looked_at_at_the_idle_rate),
		TEST(test_fast_rate_after_a_hint),
		cmocka_unit_test_setup_teardown(test_spread, pe_fixture_set_up_many,
						pe_fixture_tear_down),
		TEST(test_checks_share_a_look),
		TEST(test_check_is_not_answered_by_an_old_look),
		TEST(test_flood),
		TEST(test_error_event),
		TEST(test_neighbours_are_suspected),
		TEST(test_h43_gone_for_good_reads_as_stopped),
		TEST(test_h43_error_reads_as_normal),
		TEST(test_h43_one_sample_is_no_event),
		TEST(test_look_that_fails),
		TEST(test_polls_that_fail),
		TEST(test_h42_shared_container),
		TEST(test_lies),
		TEST(test_worker_without_eeh),
	};

	return pe_fixture_main("broker-pe-watch", tests);
}
