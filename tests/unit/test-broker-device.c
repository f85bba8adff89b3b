/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that are opened through the worker of their group. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/space_private.h"
#include "pe_fixture.h"

static struct error last_error;
static unsigned int fds_seen;
static unsigned int answers;

static void handle_opened(void *userdata, const struct worker_answer *answer)
{
	struct stat status;

	(void)userdata;
	answers++;
	last_error = answer->error;
	if (answer->error.code == ERROR_NONE) {
		assert_int_equal(answer->fd_count, 1);
		assert_int_equal(fstat(answer->fds[0], &status), 0);
		fds_seen++;
	}
}

static struct host_device *device_of(uint32_t group)
{
	return stage.manager->groups[group]->devices;
}

static int begin(uint32_t group)
{
	return device_open(stage.manager, device_of(group), handle_opened, NULL, &stage.error);
}

/* Open the group's device, and the code of that. */
static int open_device(uint32_t group)
{
	unsigned int before = answers;
	int r = begin(group);

	if (r == 0) {
		stage_run_until(answers > before);
		r = (int)last_error.code;
	}
	return r;
}

static int set_up(void **state)
{
	answers = 0;
	fds_seen = 0;
	return pe_fixture_set_up(state);
}

static struct pe *attach(struct space *space)
{
	struct recovery_policy policy = stage_quick_policy();
	struct pe *pe = stage_pe(0);

	policy.idle_poll = 3600000;
	policy.manual = true;
	stage_use(pe, &policy);
	(void)stage_attach(space, 0);
	stage_run_until(pe_condition(pe) == PE_NORMAL);
	return pe;
}

static void test_open(void **state)
{
	struct space *space = stage_space();

	(void)state;
	assert_int_equal(open_device(0), ERROR_NOT_FOUND);
	assert_non_null(strstr(stage.error.text, "0001:00:00.0"));
	(void)attach(space);
	assert_false(device_of(0)->open);
	assert_int_equal(open_device(0), 0);
	assert_int_equal(fds_seen, 1);
	assert_true(device_of(0)->open);
	assert_int_equal(stage.device_changes, 1);
	/* Its ERR interrupt rings for the PE. */
	assert_true(stage.played->pes[0].has_event);
	/* Once more is no news. */
	assert_int_equal(open_device(0), 0);
	assert_int_equal(fds_seen, 2);
	assert_int_equal(stage.device_changes, 1);
	assert_false(device_of(1)->open);
	/* It was open as long as the group was there. */
	space_end(space);
	stage_run_until(stage.manager->space_count == 0);
	assert_false(device_of(0)->open);
	assert_int_equal(stage.device_changes, 2);
}

/* Without EEH there is no PE, and errors are told to whoever asks for them. */
static void test_open_without_eeh(void **state)
{
	struct space *space = stage_space();

	(void)state;
	stage.manager->groups[1]->pe = pe_free(stage.manager->groups[1]->pe);
	(void)stage_attach(space, 1);
	assert_int_equal(open_device(1), 0);
	assert_true(stage.played->pes[1].has_event);
	assert_true(device_of(1)->open);
	assert_int_equal(stage.manager->groups[1]->openings, 0);
}

static void test_refusal_of_the_worker(void **state)
{
	(void)state;
	(void)attach(stage_space());
	stage.played->pes[0].open_code = ERROR_GROUP_BUSY;
	assert_int_equal(open_device(0), ERROR_GROUP_BUSY);
	assert_false(device_of(0)->open);
	stage.played->pes[0].open_code = 0;
	assert_int_equal(open_device(0), 0);
}

static void test_open_without_an_fd(void **state)
{
	(void)state;
	(void)attach(stage_space());
	stage.played->pes[0].lie = PLAYED_FDLESS;
	assert_int_equal(open_device(0), ERROR_WORKER_LOST);
	stage_run_until(stage.manager->space_count == 0);
	assert_false(device_of(0)->open);
}

/* A worker that says that it has the group no more, and answers then. */
static void test_answer_when_the_group_has_left(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct space *space = stage_space();
		unsigned int before = answers;

		(void)attach(space);
		stage.played->pes[0].open_held = true;
		stage.played->pes[0].lie = i == 0 ? PLAYED_TRUTH : PLAYED_LONG;
		assert_int_equal(begin(0), 0);
		space_release_group(space, stage.manager->groups[0]);
		stage.played->pes[0].open_held = false;
		stage_run_until(answers > before);
		assert_false(device_of(0)->open);
		assert_int_equal(last_error.code, i == 0 ? ERROR_NONE : ERROR_WORKER_LOST);
		if (i == 0) {
			space_end(space);
		}
		stage_run_until(stage.manager->space_count == 0);
	}
}

/* Opening would thaw it, and nobody would know that it was frozen. */
static void test_h45_frozen_pe_is_not_opened(void **state)
{
	struct pe *pe;

	(void)state;
	pe = attach(stage_space());
	stage.played->pes[0].number = 2;
	(void)stage_check(pe);
	assert_int_equal(open_device(0), ERROR_FROZEN);
	assert_non_null(strstr(stage.error.text, "MMIO and DMA stopped"));
	stage_run_until(pe_phase(pe) == RECOVERY_AWAITING_REQUEST);
	assert_int_equal(open_device(0), ERROR_FROZEN);
	assert_int_equal(stage.played->pes[0].opened, 0);
}

/* The worker has seen what the broker doesn't know yet. */
static void test_h45_freeze_that_the_worker_comes_across(void **state)
{
	struct pe *pe;

	(void)state;
	pe = attach(stage_space());
	stage.played->pes[0].number = 2;
	stage.played->pes[0].open_code = ERROR_FROZEN;
	assert_int_equal(open_device(0), ERROR_FROZEN);
	stage_run_until(pe_phase(pe) == RECOVERY_AWAITING_REQUEST);
	assert_int_equal(stage_event(pe)->source, RECORD_BY_OPERATION);
}

static void test_open_during_an_asserted_reset(void **state)
{
	struct pe *pe;

	(void)state;
	pe = attach(stage_space());
	assert_int_equal(stage_operate(pe, WORKER_PE_RESET_HOT).error.code, ERROR_NONE);
	/* What it looks like doesn't matter. */
	stage.played->pes[0].number = 0;
	assert_int_equal(stage_check(pe).condition, PE_NORMAL);
	assert_int_equal(open_device(0), ERROR_BUSY);
	assert_non_null(strstr(stage.error.text, "deactivate"));
}

static void test_open_during_a_recovery(void **state)
{
	uint32_t event = 0;
	struct pe *pe;

	(void)state;
	pe = attach(stage_space());
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = true;
	assert_int_equal(pe_recover(pe, false, &event, &stage.error), 0);
	assert_int_equal(open_device(0), ERROR_BUSY);
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = false;
	assert_true(stage_run_until_done()->recovered);
	assert_int_equal(open_device(0), 0);
}

/* Several wait for each other, and for a look; more than that are refused. */
static void test_queue(void **state)
{
	struct pe *pe;

	(void)state;
	pe = attach(stage_space());
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = true;
	assert_int_equal(pe_check(pe, stage_handle_answer, NULL, &stage.error), 0);
	stage_run_until(stage_asked(0, WORKER_PE_LOOK) == 2);
	for (unsigned int i = 0; i < DEVICE_OPENINGS_MAX; i++) {
		assert_int_equal(begin(0), 0);
	}
	assert_int_equal(begin(0), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(stage.played->pes[0].opened, 0);
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = false;
	stage_run_until(answers == DEVICE_OPENINGS_MAX);
	assert_int_equal(fds_seen, DEVICE_OPENINGS_MAX);
	assert_int_equal(stage.manager->groups[0]->openings, 0);
}

/* What waits behind a look that finds a freeze is not opened. */
static void test_h45_freeze_overtakes_the_queue(void **state)
{
	struct pe *pe;

	(void)state;
	pe = attach(stage_space());
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = true;
	assert_int_equal(pe_check(pe, stage_handle_answer, NULL, &stage.error), 0);
	stage_run_until(stage_asked(0, WORKER_PE_LOOK) == 2);
	assert_int_equal(begin(0), 0);
	stage.played->pes[0].number = 2;
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = false;
	stage_run_until(answers == 1);
	assert_int_not_equal(last_error.code, ERROR_NONE);
	assert_int_equal(stage.played->pes[0].opened, 0);
}

static void test_worker_that_dies(void **state)
{
	struct space *space = stage_space();

	(void)state;
	(void)attach(space);
	stage.played->pes[0].open_held = true;
	assert_int_equal(begin(0), 0);
	assert_int_equal(begin(0), 0);
	stage_run(20);
	worker_process_kill(space->worker, SIGKILL);
	stage_run_until(stage.manager->space_count == 0);
	assert_int_equal(answers, 2);
	assert_int_equal(last_error.code, ERROR_WORKER_LOST);
	assert_int_equal(stage.manager->groups[0]->openings, 0);
	assert_false(device_of(0)->open);
}

/* The space ends before the device is open: who asked is told, and nothing is left open. */
static void test_closing_space(void **state)
{
	struct space *space = stage_space();

	(void)state;
	(void)attach(space);
	stage.played->pes[0].open_held = true;
	assert_int_equal(begin(0), 0);
	stage_run(20);
	assert_int_equal(space_close(space, NULL, NULL, &stage.error), 0);
	assert_int_not_equal(begin(0), 0);
	stage.played->pes[0].open_held = false;
	stage_run_until(stage.manager->space_count == 0);
	assert_int_equal(answers, 1);
	assert_false(device_of(0)->open);
	assert_int_equal(stage.manager->groups[0]->openings, 0);
}

/* It was unplugged before the worker answers: its record is none of an open device. */
static void test_device_that_goes(void **state)
{
	(void)state;
	(void)attach(stage_space());
	stage.played->pes[0].open_held = true;
	assert_int_equal(begin(0), 0);
	stage_run(20);
	device_of(0)->gone = true;
	stage.played->pes[0].open_held = false;
	stage_run_until(answers == 1);
	assert_false(device_of(0)->open);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, pe_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_open),
		TEST(test_open_without_eeh),
		TEST(test_device_that_goes),
		TEST(test_refusal_of_the_worker),
		TEST(test_open_without_an_fd),
		TEST(test_answer_when_the_group_has_left),
		TEST(test_h45_frozen_pe_is_not_opened),
		TEST(test_h45_freeze_that_the_worker_comes_across),
		TEST(test_open_during_an_asserted_reset),
		TEST(test_open_during_a_recovery),
		TEST(test_queue),
		TEST(test_h45_freeze_overtakes_the_queue),
		TEST(test_worker_that_dies),
		TEST(test_closing_space),
	};

	return pe_fixture_main("broker-device", tests);
}
