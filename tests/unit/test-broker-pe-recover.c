/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recoveries, from the freeze to the end, over a worker that plays the PE; and what may come in
 * between. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "pe_fixture.h"

#define POLICY_HEAD "[recovery default]\n"

static struct pe *attach_with(struct space *space, uint32_t group,
			      const struct recovery_policy *policy)
{
	struct pe *pe = stage_pe(group);

	stage_use(pe, policy);
	(void)stage_attach(space, group);
	stage_run_until(pe_condition(pe) == PE_NORMAL);
	return pe;
}

static struct pe *attach(struct space *space, uint32_t group)
{
	const struct recovery_policy policy = stage_quick_policy();

	return attach_with(space, group, &policy);
}

static uint32_t join(struct pe *pe, const char *client)
{
	uint32_t cookie = 0;

	assert_int_equal(pe_join(pe, client, &cookie, &stage.error), 0);
	return cookie;
}

static uint32_t recover(struct pe *pe, bool is_operator, int code)
{
	uint32_t event = 0;
	int r = pe_recover(pe, is_operator, &event, &stage.error);

	if (r != code) {
		fail_msg("code %d, not %d: %s", r, code, stage.error.text);
	}
	return event;
}

/* The order in which the signals of a group came, by their initials: FEMSRXD for Frozen,
 * ErrorDetected, MmioEnabled, SlotReset, Resume, Disconnect (X), RecoveryDone. */
static void check_signals(uint32_t group, const char *expected)
{
	static const char initials[] = {
		[RECOVERY_ACTION_OPERATE] = '?',        [RECOVERY_ACTION_FROZEN] = 'F',
		[RECOVERY_ACTION_ERROR_DETECTED] = 'E', [RECOVERY_ACTION_MMIO_ENABLED] = 'M',
		[RECOVERY_ACTION_SLOT_RESET] = 'S',     [RECOVERY_ACTION_RESUME] = 'R',
		[RECOVERY_ACTION_DISCONNECT] = 'X',     [RECOVERY_ACTION_DONE] = 'D',
		[RECOVERY_ACTION_NOTE] = '?',
	};
	char seen[64] = "";
	size_t length = 0;

	for (unsigned int i = 0; i < stage.signal_count && length < sizeof(seen) - 1; i++) {
		if (stage.signals[i].group == group) {
			seen[length++] = initials[stage.signals[i].action.kind];
		}
	}
	assert_string_equal(seen, expected);
}

/* -- the whole way -- */

static void test_unaware_devices_are_reset(void **state)
{
	struct pe *pe = attach(stage_space(), 0);
	const struct recovery_action *done;
	const struct record_event *event;
	uint64_t last = 0;

	(void)state;
	stage.played->pes[0].number = 2;
	done = stage_run_until_done();
	assert_true(done->recovered);
	check_signals(0, "FESRD");
	assert_int_equal(pe_condition(pe), PE_NORMAL);
	assert_int_equal(pe_phase(pe), RECOVERY_IDLE);
	assert_int_equal(pe_freezes(pe), 1);
	assert_int_equal(pe_freezes_left(pe), 4);
	/* What signals say is so when they come. */
	assert_int_equal(stage_last(RECOVERY_ACTION_FROZEN)->condition, PE_STOPPED);
	assert_int_equal(stage_last(RECOVERY_ACTION_DONE)->condition, PE_NORMAL);
	event = stage_event(pe);
	assert_int_equal(event->number, done->event);
	assert_int_equal(event->outcome, RECORD_RECOVERED);
	assert_int_equal(event->source, RECORD_BY_POLL);
	assert_int_equal(event->condition, PE_STOPPED);
	assert_true(event->took > 0 && event->took < 10000000);
	for (uint32_t i = 0; i < event->step_count; i++) {
		assert_true(event->steps[i].since >= last);
		last = event->steps[i].since;
	}
	assert_true(last <= event->took);
}

static void test_record(void **state)
{
	static const char *const steps[] = {
		"look",       "frozen",    "error-detected", "save",   "reset-hot",
		"deactivate", "configure", "restore",        "verify", "slot-reset",
		"resume",     "state",     "unfreeze-io",
	};
	struct pe *pe = attach(stage_space(), 0);
	const struct record_event *event;
	const char *last_state = "MMIO and DMA stopped";

	(void)state;
	stage.played->pes[0].number = 2;
	(void)stage_run_until_done();
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		if (!stage_step(pe, steps[i])) {
			fail_msg("no step %s", steps[i]);
		}
	}
	assert_int_equal(stage_step(pe, "reset-hot")->took, 7000);
	event = stage_event(pe);
	assert_true(event->register_count >= 1);
	assert_string_equal(event->registers[0].device, "0001:00:00.0");
	assert_int_equal(event->registers[0].config_size, WORKER_CONFIG_SIZE);
	assert_int_equal(event->registers[0].config[0x42], 0x42);
	assert_int_equal(event->registers[0].aer_size, WORKER_AER_SIZE);
	assert_int_equal(event->registers[0].aer_offset, 0x100);
	assert_int_equal(event->registers[0].aer[7], 14);
	assert_true(stage.changed & PE_CHANGED_LOG);
	/* The condition is there when it changes, and not else. */
	for (uint32_t i = 0; i < event->step_count; i++) {
		if (strcmp(event->steps[i].name, "state") == 0) {
			assert_string_not_equal(event->steps[i].text, last_state);
			last_state = event->steps[i].text;
		}
	}
	assert_string_equal(last_state, "normal");
}

static void test_participants_need_no_reset(void **state)
{
	struct pe *pe = attach(stage_space(), 0);
	uint32_t cookie = join(pe, ":1.1");
	uint32_t event;

	(void)state;
	stage.played->pes[0].number = 4;
	stage_run_until(pe_phase(pe) == RECOVERY_ERROR_DETECTED);
	event = stage_last(RECOVERY_ACTION_ERROR_DETECTED)->action.event;
	assert_int_equal(pe_vote(pe, ":1.1", cookie, event, "can-recover", NULL), 0);
	stage_run_until(pe_phase(pe) == RECOVERY_MMIO_ENABLED);
	assert_int_equal(pe_vote(pe, ":1.1", cookie, event, "recovered", NULL), 0);
	assert_true(stage_run_until_done()->recovered);
	check_signals(0, "FEMRD");
	assert_int_equal(stage_asked(0, WORKER_PE_RESET_HOT), 0);
	assert_int_equal(stage_asked(0, WORKER_PE_VERIFY), 1);
}

/* Firmware that refuses a reset is asked again. */
static void test_reset_is_tried_again(void **state)
{
	struct pe *pe = attach(stage_space(), 0);

	(void)state;
	stage.played->pes[0].operations[WORKER_PE_RESET_HOT] =
		(struct played_operation){.failures = 2, .code = ERROR_KERNEL, .errnum = EIO};
	stage.played->pes[0].number = 2;
	assert_true(stage_run_until_done()->recovered);
	assert_int_equal(stage_asked(0, WORKER_PE_RESET_HOT), 3);
	assert_non_null(strstr(stage_step(pe, "reset-hot")->text, "played worker"));
}

/* A worker that is busy with the group's container is not a kernel that fails. */
static void test_busy_worker_is_waited_for(void **state)
{
	struct pe *pe = attach(stage_space(), 0);

	(void)state;
	stage.played->pes[0].operations[WORKER_PE_RESET_HOT] =
		(struct played_operation){.failures = 5, .code = ERROR_BUSY};
	stage.played->pes[0].number = 2;
	assert_true(stage_run_until_done()->recovered);
	assert_int_equal(stage_asked(0, WORKER_PE_RESET_HOT), 6);
	assert_null(strstr(stage_step(pe, "reset-hot")->text, "played worker"));
	stage.played->pes[0].operations[WORKER_PE_SAVE] =
		(struct played_operation){.failures = 5, .code = ERROR_QUOTA_EXCEEDED};
	stage.played->pes[0].number = 2;
	assert_true(stage_run_until_done()->recovered);
	assert_null(strstr(stage_step(pe, "save")->text, "played worker"));
}

/* The kernel waits for a device of it: a reset would wait for that. */
static void test_device_is_asked_back(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach(space, 0);
	uint32_t looks;

	(void)state;
	stage.played->pes[0].operations[WORKER_PE_SAVE].held = true;
	stage.played->pes[0].number = 2;
	stage_run_until(stage_asked(0, WORKER_PE_SAVE) > 0);
	pe_asked_back(pe);
	check_signals(0, "FEXD");
	assert_int_equal(stage_event(pe)->outcome, RECORD_ABORTED);
	assert_non_null(strstr(stage_event(pe)->why, "wants a device of it back"));
	assert_int_equal(pe_phase(pe), RECOVERY_IDLE);
	stage.played->pes[0].operations[WORKER_PE_SAVE].held = false;
	/* It is looked at, and frozen, and nothing begins. */
	looks = stage_asked(0, WORKER_PE_LOOK);
	stage_run_until(stage_asked(0, WORKER_PE_LOOK) > looks + 2);
	check_signals(0, "FEXD");
	(void)recover(pe, true, ERROR_BUSY);
	assert_int_equal(stage_operate(pe, WORKER_PE_RESET_HOT).error.code, ERROR_BUSY);
	assert_int_equal(stage_operate(pe, WORKER_PE_RESET_FUNDAMENTAL).error.code, ERROR_BUSY);
	assert_int_equal(stage_asked(0, WORKER_PE_RESET_HOT), 0);
	assert_int_equal(stage_asked(0, WORKER_PE_RESET_FUNDAMENTAL), 0);
	/* Its owner may do as asked; then it is as new. */
	assert_int_equal(space_detach_group(space, stage.manager->groups[0], false,
					    stage_handle_other_answer, NULL, &stage.error),
			 0);
	stage_run_until(!stage.manager->groups[0]->space);
	stage.played->pes[0].number = 0;
	assert_ptr_equal(attach(space, 0), pe);
	stage.played->pes[0].number = 2;
	assert_true(stage_run_until_done()->recovered);
	assert_int_equal(stage_asked(0, WORKER_PE_RESET_HOT), 1);
}

/* A client that has as many calls waiting as it may doesn't harm the recovery. */
static void test_flooded_worker(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach(space, 0);
	const struct worker_translate body = {.iova = 0};
	unsigned int sent = 0;

	(void)state;
	stage.played->pes[0].operations[WORKER_PE_SAVE].held = true;
	stage.played->pes[0].number = 2;
	stage_run_until(stage_asked(0, WORKER_PE_SAVE) > 0);
	while (space_request(space, WORKER_TRANSLATE, &body, sizeof(body), NULL, 0,
			     stage_handle_other_answer, NULL, &stage.error) == 0) {
		sent++;
	}
	assert_int_equal(stage.error.code, ERROR_QUOTA_EXCEEDED);
	stage.other_answers = 0;
	stage.played->pes[0].operations[WORKER_PE_SAVE].held = false;
	assert_true(stage_run_until_done()->recovered);
	stage_run_until(stage.other_answers == sent);
	assert_int_equal(stage_asked(0, WORKER_PE_RESET_HOT), 1);
	assert_null(strstr(stage_step(pe, "reset-hot")->text, "waiting"));
}

static void test_failure(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach(space, 0);
	uint32_t looks;

	(void)state;
	stage.played->pes[0].operations[WORKER_PE_RESET_HOT] =
		(struct played_operation){.failures = 99, .code = ERROR_KERNEL, .errnum = EIO};
	stage.played->pes[0].operations[WORKER_PE_RESET_FUNDAMENTAL] =
		stage.played->pes[0].operations[WORKER_PE_RESET_HOT];
	stage.played->pes[0].number = 2;
	assert_false(stage_run_until_done()->recovered);
	check_signals(0, "FEXD");
	assert_int_equal(pe_phase(pe), RECOVERY_FAILED);
	assert_int_equal(stage_event(pe)->outcome, RECORD_FAILED);
	assert_non_null(strstr(stage_event(pe)->why, "reset-fundamental"));
	assert_int_equal(stage_asked(0, WORKER_PE_ISOLATE), 1);
	/* It stays so, and is left alone. */
	looks = stage_asked(0, WORKER_PE_LOOK);
	stage_run(100);
	assert_int_equal(stage_asked(0, WORKER_PE_LOOK), looks);
	assert_int_equal(stage_operate(pe, WORKER_PE_ENABLE).error.code, ERROR_RECOVERY_FAILED);
	pe->condition = PE_NORMAL; /* as it is when a participant gave it up */
	assert_int_equal(pe_check_open(pe, &stage.error), ERROR_RECOVERY_FAILED);
	assert_int_equal(space_detach_group(space, stage.manager->groups[0], false,
					    stage_handle_other_answer, NULL, &stage.error),
			 ERROR_RECOVERY_FAILED);
	(void)recover(pe, false, ERROR_ACCESS_DENIED);
	/* An operator has it tried once more. */
	stage.played->pes[0].operations[WORKER_PE_RESET_HOT].failures = 0;
	(void)recover(pe, true, 0);
	assert_true(stage_run_until_done()->recovered);
	assert_int_equal(pe_phase(pe), RECOVERY_IDLE);
}

/* An operator may let the group go, and it is as new then. */
static void test_failed_group_is_let_go(void **state)
{
	struct space *space = stage_space();
	struct recovery_policy policy = stage_quick_policy();
	unsigned int before;
	struct pe *pe;

	(void)state;
	policy.most_freezes = 0;
	pe = attach_with(space, 0, &policy);
	stage.played->pes[0].number = 2;
	assert_false(stage_run_until_done()->recovered);
	before = stage.other_answers;
	assert_int_equal(space_detach_group(space, stage.manager->groups[0], true,
					    stage_handle_other_answer, NULL, &stage.error),
			 0);
	stage_run_until(stage.other_answers > before);
	assert_int_equal(pe_phase(pe), RECOVERY_IDLE);
	assert_int_equal(pe_freezes(pe), 1);
	/* The failure stays what it was. */
	assert_int_equal(stage_event(pe)->outcome, RECORD_FAILED);
}

/* The kernel doesn't count, so we do. */
static void test_h47_own_budget(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct pe *pe;

	(void)state;
	policy.most_freezes = 2;
	pe = attach_with(stage_space(), 0, &policy);
	for (unsigned int i = 1; i <= 2; i++) {
		stage.played->pes[0].number = 2;
		assert_true(stage_run_until_done()->recovered);
		assert_int_equal(pe_freezes(pe), i);
		assert_int_equal(pe_freezes_left(pe), 2 - i);
	}
	stage.played->pes[0].number = 2;
	assert_false(stage_run_until_done()->recovered);
	assert_int_equal(pe_freezes(pe), 3);
	assert_int_equal(pe_phase(pe), RECOVERY_FAILED);
	assert_int_equal(stage_asked(0, WORKER_PE_RESET_HOT), 2);
}

/* Unfreezing "works", and the PE is still frozen: it must not end there. */
static void test_h44_thaw_that_did_nothing(void **state)
{
	struct pe *pe = attach(stage_space(), 0);
	uint32_t cookie = join(pe, ":1.1");
	uint32_t event;

	(void)state;
	stage.played->pes[0].operations[WORKER_PE_UNFREEZE_DMA].idle = true;
	stage.played->pes[0].number = 4;
	stage_run_until(pe_phase(pe) == RECOVERY_ERROR_DETECTED);
	event = stage_last(RECOVERY_ACTION_ERROR_DETECTED)->action.event;
	assert_int_equal(pe_vote(pe, ":1.1", cookie, event, "can-recover", NULL), 0);
	stage_run_until(pe_phase(pe) == RECOVERY_MMIO_ENABLED);
	assert_int_equal(pe_vote(pe, ":1.1", cookie, event, "recovered", NULL), 0);
	stage_run_until(pe_phase(pe) == RECOVERY_SLOT_RESET);
	assert_int_equal(stage_asked(0, WORKER_PE_RESET_HOT), 1);
	assert_int_equal(pe_vote(pe, ":1.1", cookie, event, "recovered", NULL), 0);
	assert_true(stage_run_until_done()->recovered);
}

/* Gone for good is not frozen: nothing helps, and that is known at once. */
static void test_h43_what_is_gone_is_given_up(void **state)
{
	struct pe *pe = attach(stage_space(), 0);

	(void)state;
	stage_write_state(0, "0x00000002 0x00000801\n");
	stage.played->pes[0].number = 2;
	assert_false(stage_run_until_done()->recovered);
	assert_int_equal(stage_asked(0, WORKER_PE_RESET_HOT), 0);
	assert_non_null(strstr(stage_event(pe)->why, "gone"));
}

/* -- manual -- */

static void test_manual_mode(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct pe *pe;
	uint32_t event;

	(void)state;
	policy.manual = true;
	pe = attach_with(stage_space(), 0, &policy);
	stage.played->pes[0].number = 2;
	stage_run_until(pe_phase(pe) == RECOVERY_AWAITING_REQUEST);
	event = stage_last(RECOVERY_ACTION_FROZEN)->action.event;
	stage_run(100);
	check_signals(0, "F");
	assert_int_equal(stage_asked(0, WORKER_PE_UNFREEZE_IO), 0);
	/* Operations are a client's business now, and are recorded. */
	assert_int_equal(stage_operate(pe, WORKER_PE_UNFREEZE_IO).condition, PE_STOPPED_DMA);
	assert_non_null(stage_step(pe, "unfreeze-io"));
	assert_int_equal(recover(pe, false, 0), event);
	(void)recover(pe, true, ERROR_BUSY);
	assert_true(stage_run_until_done()->recovered);
	assert_int_equal(stage_event(pe)->number, event);
	assert_non_null(stage_step(pe, "recover"));
}

/* Recover of a PE that nobody knows to be frozen resets it. */
static void test_recover_of_a_normal_pe(void **state)
{
	struct pe *pe = attach(stage_space(), 0);
	uint32_t event = recover(pe, false, 0);

	(void)state;
	assert_int_equal(stage_run_until_done()->event, event);
	assert_int_equal(stage_event(pe)->source, RECORD_BY_REQUEST);
	assert_int_equal(stage_asked(0, WORKER_PE_RESET_HOT), 1);
}

/* -- meanwhile -- */

/* An operation that isn't answered until it is let go. */
static void hold(uint32_t operation, bool held)
{
	stage.played->pes[0].operations[operation].held = held;
}

static void freeze_and_hold(uint32_t operation)
{
	hold(operation, true);
	stage.played->pes[0].number = 2;
	stage_run_until(stage_asked(0, operation) > 0);
}

static void test_everything_else_is_refused_meanwhile(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach(space, 0);
	uint32_t answers;

	(void)state;
	freeze_and_hold(WORKER_PE_RESET_HOT);
	assert_int_equal(stage_operate(pe, WORKER_PE_ENABLE).error.code, ERROR_BUSY);
	assert_non_null(strstr(stage.error.text, "event 1"));
	assert_non_null(strstr(stage.error.text, "resetting"));
	(void)recover(pe, true, ERROR_BUSY);
	assert_int_equal(space_detach_group(space, stage.manager->groups[0], true,
					    stage_handle_other_answer, NULL, &stage.error),
			 ERROR_BUSY);
	assert_int_equal(pe_check_open(pe, &stage.error), ERROR_FROZEN);
	/* Flooding it with Check changes nothing, and is answered at once. */
	answers = stage.answer_count;
	for (unsigned int i = 0; i < 100; i++) {
		assert_int_equal(pe_check(pe, stage_handle_answer, NULL, &stage.error), 0);
	}
	assert_int_equal(stage.answer_count, answers + 100);
	assert_int_equal(stage.answers[answers].condition, PE_STOPPED_DMA);
	hold(WORKER_PE_RESET_HOT, false);
	assert_true(stage_run_until_done()->recovered);
	assert_int_equal(stage_asked(0, WORKER_PE_ENABLE), 0);
}

static void test_operation_that_waits_is_refused_by_a_freeze(void **state)
{
	const struct worker_operate_pe request = {.operation = WORKER_PE_CONFIGURE};
	struct pe *pe = attach(stage_space(), 0);

	(void)state;
	stage.played->pes[0].number = 2;
	hold(WORKER_PE_LOOK, true);
	stage_run_until(pe->look);
	assert_int_equal(pe_operate(pe, &request, stage_handle_answer, NULL, &stage.error), 0);
	assert_int_equal(stage.answer_count, 0);
	hold(WORKER_PE_LOOK, false);
	assert_true(stage_run_until_done()->recovered);
	assert_int_equal(stage.answer_count, 1);
	assert_int_equal(stage.answers[0].error.code, ERROR_BUSY);
}

static void test_policy_changes_in_the_middle(void **state)
{
	struct pe *pe = attach(stage_space(), 0);

	(void)state;
	freeze_and_hold(WORKER_PE_RESET_HOT);
	stage_load_policy(POLICY_HEAD "mode = manual\nidle-poll = 10ms\nhold = 100ms\n"
				      "settle = 1500ms\n");
	assert_true(pe_policy(pe)->manual);
	hold(WORKER_PE_RESET_HOT, false);
	assert_true(stage_run_until_done()->recovered);
	/* The next one goes by it. */
	stage.played->pes[0].number = 2;
	stage_run_until(pe_phase(pe) == RECOVERY_AWAITING_REQUEST);
}

/* -- the end of the world in each step -- */

static const uint32_t steps[] = {
	WORKER_PE_LOOK,       WORKER_PE_UNFREEZE_IO, WORKER_PE_SAVE,    WORKER_PE_RESET_HOT,
	WORKER_PE_DEACTIVATE, WORKER_PE_CONFIGURE,   WORKER_PE_RESTORE, WORKER_PE_VERIFY,
};

#define STEP_COUNT (sizeof(steps) / sizeof(*steps))

/* The freezes that were noticed until now stay. */
static void check_aborted(struct pe *pe, uint32_t freezes)
{
	assert_int_equal(pe_phase(pe), RECOVERY_IDLE);
	assert_int_equal(pe_condition(pe), PE_UNKNOWN);
	assert_int_equal(pe_freezes(pe), freezes);
	assert_null(pe->current);
	assert_null(pe->first_turn);
	if (freezes > 0) {
		assert_false(stage_last(RECOVERY_ACTION_DONE)->action.recovered);
		assert_int_equal(stage_event(pe)->outcome, RECORD_ABORTED);
		assert_int_equal(stage_count(RECOVERY_ACTION_DONE), 1);
	} else {
		assert_int_equal(stage.signal_count, 0);
	}
}

static void reset_play(void)
{
	for (uint32_t i = 0; i < WORKER_PE_OPERATION_COUNT; i++) {
		stage.played->pes[0].counts[i] = 0;
		stage.played->pes[0].operations[i].held = false;
		stage.played->pes[0].operations[i].fatal = false;
	}
	stage.played->pes[0].number = 0;
	stage.signal_count = 0;
}

/* As many freezes are within its budget. */
static struct pe *attach_for_steps(struct space *space)
{
	struct recovery_policy policy = stage_quick_policy();

	policy.most_freezes = STEP_COUNT;
	return attach_with(space, 0, &policy);
}

static void test_worker_dies_in_each_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < STEP_COUNT; i++) {
		struct pe *pe = attach_for_steps(stage_space());

		stage.played->pes[0].operations[steps[i]].fatal = true;
		stage.played->pes[0].number = 2;
		stage_run_until(stage.manager->space_count == 0);
		check_aborted(pe, (uint32_t)i); /* a look is before the first */
		reset_play();
	}
}

static void test_space_is_closed_in_each_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < STEP_COUNT; i++) {
		struct space *space = stage_space();
		struct pe *pe = attach_for_steps(space);

		freeze_and_hold(steps[i]);
		assert_int_equal(space_close(space, NULL, NULL, &stage.error), 0);
		check_aborted(pe, (uint32_t)i); /* a look is before the first */
		hold(steps[i], false);
		stage_run_until(stage.manager->space_count == 0);
		check_aborted(pe, (uint32_t)i); /* a look is before the first */
		reset_play();
	}
}

/* While votes are waited for nothing is under way in the worker. */
static void test_space_is_closed_among_votes(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach(space, 0);
	uint32_t cookie = join(pe, ":1.1");

	(void)state;
	stage.played->pes[0].number = 2;
	stage_run_until(pe_phase(pe) == RECOVERY_ERROR_DETECTED);
	space_end(space);
	check_aborted(pe, 1);
	assert_int_equal(pe_vote(pe, ":1.1", cookie, 1, "can-recover", &stage.error),
			 ERROR_NOT_FOUND);
	stage_run_until(stage.manager->space_count == 0);
	/* It takes part again when the group is back, though it did nothing for that. */
	assert_int_equal(pe_participants(pe), 1);
	stage.signal_count = 0;
	stage.played->pes[0].number = 0;
	(void)attach(stage_space(), 0);
	stage.played->pes[0].number = 2;
	stage_run_until(pe_phase(pe) == RECOVERY_ERROR_DETECTED);
	assert_int_equal(pe_vote(pe, ":1.1", cookie, 2, "need-reset", &stage.error), 0);
}

/* Manual mode: nothing is done, so that the group may go. */
static void test_group_leaves_in_the_middle(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct space *space = stage_space();
	unsigned int before;
	struct pe *pe;

	(void)state;
	policy.manual = true;
	pe = attach_with(space, 0, &policy);
	stage.played->pes[0].number = 2;
	stage_run_until(pe_phase(pe) == RECOVERY_AWAITING_REQUEST);
	before = stage.other_answers;
	assert_int_equal(space_detach_group(space, stage.manager->groups[0], false,
					    stage_handle_other_answer, NULL, &stage.error),
			 0);
	stage_run_until(stage.other_answers > before);
	check_aborted(pe, 1);
	assert_non_null(strstr(stage_event(pe)->why, "left the address space"));
}

/* A worker that has another group join in the middle, though it was not to. */
static void test_another_group_comes_in_the_middle(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct space *space = stage_space();
	struct space_attach_options options = {.share = true};
	unsigned int before;
	struct pe *pe;

	(void)state;
	policy.manual = true;
	pe = attach_with(space, 0, &policy);
	before = stage.other_answers;
	stage.played->pes[0].number = 2;
	stage_run_until(recovery_event(pe->recovery) == 0 && pe->look);
	assert_int_equal(space_attach_group(space, stage.manager->groups[1], &options,
					    stage_handle_other_answer, NULL, &stage.error),
			 0);
	stage_run_until(stage.other_answers > before);
	assert_int_equal(pe_phase(pe), RECOVERY_IDLE);
	assert_int_equal(pe_condition(pe), PE_UNKNOWN);
}

/* Neither a recovery nor its failure ends because another group comes. */
static void test_h42_nobody_joins_a_pe_in_recovery(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct space *space = stage_space();
	struct pe *pe;

	(void)state;
	policy.most_freezes = 0;
	policy.manual = true;
	pe = attach_with(space, 0, &policy);
	assert_false(pe_keeps_alone(pe));
	stage.played->pes[0].number = 2;
	stage_run_until(pe_phase(pe) == RECOVERY_AWAITING_REQUEST);
	assert_true(pe_keeps_alone(pe));
	stage_share(space, 1);
	assert_int_equal(space->container_count, 2);
	assert_int_equal(pe_phase(pe), RECOVERY_AWAITING_REQUEST);
	(void)recover(pe, false, 0);
	assert_false(stage_run_until_done()->recovered);
	assert_int_equal(pe_phase(pe), RECOVERY_FAILED);
	assert_true(pe_keeps_alone(pe));
}

/* … nor do the registers that were saved give way to those of a device that was isolated. */
static void test_join_of_what_was_given_up_saves_nothing(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct pe *pe;

	(void)state;
	policy.most_freezes = 0;
	pe = attach_with(stage_space(), 0, &policy);
	stage.played->pes[0].number = 2;
	assert_false(stage_run_until_done()->recovered);
	(void)join(pe, ":1.1");
	(void)stage_check(pe);
	assert_int_equal(stage_asked(0, WORKER_PE_SAVE), 0);
}

/* On request the budget begins anew, which is told. */
static void test_new_budget_is_told(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct pe *pe;

	(void)state;
	policy.most_freezes = 1;
	pe = attach_with(stage_space(), 0, &policy);
	for (unsigned int i = 0; i < 2; i++) {
		stage.played->pes[0].number = 2;
		(void)stage_run_until_done();
	}
	assert_int_equal(pe_phase(pe), RECOVERY_FAILED);
	assert_int_equal(pe_freezes_left(pe), 0);
	stage.changed = 0;
	stage.played->pes[0].number = 0;
	(void)recover(pe, true, 0);
	assert_int_equal(pe_freezes_left(pe), 1);
	assert_true(stage.changed & PE_CHANGED_FREEZES);
}

/* Somebody else's PE is nobody's to vote on. */
static void test_cookies_end_with_the_user(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach(space, 0);
	uint32_t cookie = join(pe, ":1.1");

	(void)state;
	space_end(space);
	stage_run_until(stage.manager->space_count == 0);
	assert_int_equal(pe_participants(pe), 1);
	space = stage_space();
	space->uid = 1001;
	stage.changed = 0;
	(void)attach(space, 0);
	assert_int_equal(pe_participants(pe), 0);
	assert_true(stage.changed & PE_CHANGED_CLIENTS);
	assert_int_equal(pe_vote(pe, ":1.1", cookie, 1, "disconnect", &stage.error),
			 ERROR_NOT_JOINED);
	stage.played->pes[0].number = 2;
	assert_true(stage_run_until_done()->recovered);
}

/* A worker that can't be asked any more, which the next step finds. */
static void test_lost_worker_is_no_failure(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach(space, 0);
	uint32_t cookie = join(pe, ":1.1");

	(void)state;
	stage.played->pes[0].number = 2;
	stage_run_until(pe_phase(pe) == RECOVERY_ERROR_DETECTED);
	worker_process_kill(space->worker, SIGKILL);
	(void)usleep(100000);
	assert_int_equal(
		pe_vote(pe, ":1.1", cookie, stage_event(pe)->number, "need-reset", &stage.error),
		0);
	check_aborted(pe, 1);
}

static void test_broker_ends_in_the_middle(void **state)
{
	struct pe *pe = attach(stage_space(), 0);

	(void)state;
	(void)pe;
	freeze_and_hold(WORKER_PE_RESET_HOT);
	worker_process_kill(stage.manager->spaces->worker, SIGKILL);
	stage.signal_count = 0;
	stage.manager = manager_free(stage.manager);
	assert_int_equal(stage.signal_count, 0); /* nobody is there to be told */
}

/* An operation that never ends is the recovery's failure, and its late end changes nothing. */
static void test_operation_that_does_not_end(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct pe *pe;

	(void)state;
	policy.operation_timeout = 100;
	pe = attach_with(stage_space(), 0, &policy);
	freeze_and_hold(WORKER_PE_RESET_HOT);
	assert_false(stage_run_until_done()->recovered);
	assert_non_null(strstr(stage_event(pe)->why, "reset-hot"));
	assert_int_equal(pe_phase(pe), RECOVERY_FAILED);
	(void)recover(pe, true, ERROR_BUSY);
	assert_non_null(
		strstr(stage.error.text, "has failed, and its last operation has not ended"));
	hold(WORKER_PE_RESET_HOT, false);
	stage_run_until(stage_asked(0, WORKER_PE_ISOLATE) == 1);
	stage_run_until(recovery_lets_operate(pe->recovery));
	assert_int_equal(pe_phase(pe), RECOVERY_FAILED);
	assert_int_equal(stage_count(RECOVERY_ACTION_DONE), 1);
}

/* What is waited for doesn't fill the record. */
static void test_looks_that_say_the_same(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	unsigned int looks = 0;
	const struct record_event *event;
	struct pe *pe;

	(void)state;
	policy.reset_tries = 1;
	pe = attach_with(stage_space(), 0, &policy);
	stage.played->pes[0].number = 2;
	stage.played->pes[0].devices = 1;
	stage.played->pes[0].silent = 1;
	assert_false(stage_run_until_done()->recovered);
	assert_true(stage_asked(0, WORKER_PE_LOOK) > 20);
	event = stage_event(pe);
	for (uint32_t i = 0; i < event->step_count; i++) {
		looks += strcmp(event->steps[i].name, "look") == 0;
	}
	assert_in_range(looks, 2, 8);
	assert_int_equal(event->steps_left_out, 0);
}

/* -- many -- */

/* Each has an event of its own, and all numbers are different. */
static void test_storm(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct space *space = stage_space();
	bool seen[PLAYED_GROUPS + 1] = {false};

	(void)state;
	for (uint32_t i = 0; i < PLAYED_GROUPS; i++) {
		(void)attach_with(space, i, &policy);
	}
	for (uint32_t i = 0; i < PLAYED_GROUPS; i++) {
		stage.played->pes[i].number = 2;
	}
	stage_run_until(stage_count(RECOVERY_ACTION_DONE) == PLAYED_GROUPS);
	for (uint32_t i = 0; i < PLAYED_GROUPS; i++) {
		const struct record_event *event = stage_event(stage_pe(i));

		check_signals(i, "FESRD");
		assert_int_equal(event->outcome, RECORD_RECOVERED);
		assert_true(event->number <= PLAYED_GROUPS && !seen[event->number]);
		seen[event->number] = true;
	}
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, pe_fixture_set_up, pe_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_unaware_devices_are_reset),
		TEST(test_record),
		TEST(test_participants_need_no_reset),
		TEST(test_reset_is_tried_again),
		TEST(test_busy_worker_is_waited_for),
		TEST(test_device_is_asked_back),
		TEST(test_flooded_worker),
		TEST(test_failure),
		TEST(test_failed_group_is_let_go),
		TEST(test_h47_own_budget),
		TEST(test_h44_thaw_that_did_nothing),
		TEST(test_h43_what_is_gone_is_given_up),
		TEST(test_manual_mode),
		TEST(test_recover_of_a_normal_pe),
		TEST(test_everything_else_is_refused_meanwhile),
		TEST(test_operation_that_waits_is_refused_by_a_freeze),
		TEST(test_policy_changes_in_the_middle),
		TEST(test_worker_dies_in_each_step),
		TEST(test_space_is_closed_in_each_step),
		TEST(test_space_is_closed_among_votes),
		TEST(test_group_leaves_in_the_middle),
		TEST(test_another_group_comes_in_the_middle),
		TEST(test_h42_nobody_joins_a_pe_in_recovery),
		TEST(test_join_of_what_was_given_up_saves_nothing),
		TEST(test_new_budget_is_told),
		TEST(test_cookies_end_with_the_user),
		TEST(test_lost_worker_is_no_failure),
		TEST(test_broker_ends_in_the_middle),
		TEST(test_operation_that_does_not_end),
		TEST(test_looks_that_say_the_same),
		cmocka_unit_test_setup_teardown(test_storm, pe_fixture_set_up_many,
						pe_fixture_tear_down),
	};

	return pe_fixture_main("broker-pe-recover", tests);
}
