/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recoveries on request, and those that are ended from outside. */
#include <string.h>

#include "eeh/recovery.h"
#include "recovery_story.h"
#include "unit.h"

static void test_manual(void **state)
{
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;
	struct story story;

	(void)state;
	policy.manual = true;
	story_begin(&story, &policy);
	story_join(&story, 1);
	story_freeze(&story, "frozen");
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_AWAITING_REQUEST);
	assert_true(recovery_deadline(story.recovery) == UINT64_MAX);
	assert_true(recovery_lets_operate(story.recovery));
	assert_int_equal(recovery_event(story.recovery), 1);
	story_notice(&story, 2, PE_STOPPED, "");
	/* Who joins before it goes on takes part. */
	story_join(&story, 2);
	story_request(&story, 3, 1, "look");
	assert_false(recovery_lets_operate(story.recovery));
	story_result(&story, PE_STOPPED, "error-detected");
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "");
	story_vote(&story, 2, VERDICT_CAN_RECOVER, "unfreeze-io");
	assert_int_equal(recovery_freezes(story.recovery), 1);
	story_end(&story);
}

static void test_manual_over_budget(void **state)
{
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;
	struct story story;

	(void)state;
	policy.manual = true;
	policy.most_freezes = 0;
	story_begin(&story, &policy);
	story_freeze(&story, "frozen");
	story_request(&story, 2, 1, "look");
	story_result(&story, PE_STOPPED, "isolate");
	story_result(&story, PE_STOPPED, "disconnect failed");
	story_end(&story);
}

static void test_manual_thawed_by_hand(void **state)
{
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;
	struct story story;

	(void)state;
	policy.manual = true;
	story_begin(&story, &policy);
	story_freeze(&story, "frozen");
	/* One sample is none. */
	story_notice(&story, 2, PE_NORMAL, "look");
	story_result(&story, PE_STOPPED, "");
	story_notice(&story, 2, PE_NORMAL, "look");
	story_silent(&story, PE_NORMAL, "");
	story_notice(&story, 2, PE_NORMAL, "look");
	story_result(&story, PE_NORMAL, "recovered");
	assert_int_equal(story.done.event, 1);
	assert_string_equal(story.done.text, "thawed by somebody else");
	/* The next freeze is another event. */
	story_notice(&story, 2, PE_STOPPED, "look");
	story_result(&story, PE_STOPPED, "frozen");
	assert_int_equal(story.frozen.event, 2);
	/* What is gone is not waited for. */
	story_notice(&story, 3, PE_GONE, "look");
	story_result(&story, PE_GONE, "isolate");
	story_result(&story, PE_GONE, "disconnect failed");
	story_end(&story);
}

/* What is asked for once is asked for once. */
static void test_manual_waits_each_time(void **state)
{
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;
	struct story story;

	(void)state;
	policy.manual = true;
	story_begin(&story, &policy);
	story_request(&story, 1, 1, "look");
	story_result(&story, PE_NORMAL, "error-detected save");
	story_result(&story, PE_NORMAL, "reset-hot");
	story_reset(&story);
	story_result(&story, PE_NORMAL, "slot-reset look");
	story_result(&story, PE_NORMAL, "resume recovered");
	story_notice(&story, 2, PE_STOPPED, "look");
	story_result(&story, PE_STOPPED, "frozen");
	story_end(&story);
}

/* Who thaws it after the host's reset has to see to its registers, too. */
static void test_manual_thawed_after_the_host(void **state)
{
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;
	struct story story;

	(void)state;
	policy.manual = true;
	story_begin(&story, &policy);
	story_notice(&story, 1, PE_UNAVAILABLE, "look");
	story_result(&story, PE_UNAVAILABLE, "frozen");
	story_expire(&story, 1000, "look");
	story_result(&story, PE_STOPPED, "");
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_AWAITING_REQUEST);
	story_notice(&story, 2, PE_NORMAL, "look");
	story_result(&story, PE_NORMAL, "recovered");
	story_request(&story, 2, 2, "look");
	story_result(&story, PE_NORMAL, "error-detected save");
	story_end(&story);
}

/* A request while it is being looked at is not lost. */
static void test_request_during_a_look(void **state)
{
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;
	struct story story;

	(void)state;
	policy.manual = true;
	story_begin(&story, &policy);
	story_notice(&story, 1, PE_STOPPED, "look");
	story_request(&story, 2, 1, "");
	story_result(&story, PE_STOPPED, "frozen error-detected unfreeze-io");
	story_end(&story);

	story_begin(&story, &policy);
	story_notice(&story, 1, PE_STOPPED, "look");
	story_result(&story, PE_UNKNOWN, "");
	story_request(&story, 2, 1, "look");
	story_result(&story, PE_NORMAL, "error-detected save");
	story_end(&story);

	story_begin(&story, &policy);
	story_freeze(&story, "frozen");
	story_notice(&story, 2, PE_NORMAL, "look");
	story_request(&story, 2, 1, "");
	story_result(&story, PE_NORMAL, "error-detected save");
	story_end(&story);
}

static void test_request_of_a_normal_pe(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_join(&story, 1);
	story_request(&story, 4, 4, "look");
	assert_int_equal(recovery_event(story.recovery), 4);
	story_result(&story, PE_NORMAL, "error-detected");
	assert_int_equal(story.detected.condition, PE_NORMAL);
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "save");
	story_result(&story, PE_NORMAL, "reset-hot");
	story_reset(&story);
	story_result(&story, PE_NORMAL, "slot-reset");
	story_vote(&story, 1, VERDICT_RECOVERED, "look");
	story_result(&story, PE_NORMAL, "resume recovered");
	assert_int_equal(recovery_freezes(story.recovery), 0);
	assert_int_equal(recovery_freezes_left(story.recovery, story.now), 5);
	/* One that is frozen, and nobody had noticed. */
	story_request(&story, 5, 5, "look");
	story_result(&story, PE_STOPPED_DMA, "frozen error-detected");
	assert_int_equal(recovery_freezes(story.recovery), 1);
	assert_int_equal(recovery_freezes_left(story.recovery, story.now), 4);
	story_end(&story);
}

static void test_request_refused(void **state)
{
	struct story story;
	struct error error;
	uint32_t event = 99;

	(void)state;
	story_begin_reset(&story, NULL, "reset-hot");
	assert_int_equal(recovery_request(story.recovery, story.now, 2, &event, &error),
			 ERROR_BUSY);
	assert_non_null(strstr(error.text, "event 1"));
	assert_non_null(strstr(error.text, "resetting"));
	assert_int_equal(event, 99);
	story_end(&story);

	story_begin(&story, NULL);
	assert_int_equal(recovery_request(story.recovery, story.now, 0, &event, &error),
			 ERROR_INVALID_ARGUMENT);
	story_end(&story);
}

/* -- operations that don't end, and the end of everything -- */

static void test_h49_operation_takes_too_long(void **state)
{
	struct story story;
	struct error error;
	uint32_t event;

	(void)state;
	story_begin_reset(&story, NULL, "reset-hot");
	story_expire(&story, 330000, "disconnect failed");
	assert_string_equal(story.done.text, "reset-hot has not ended in time");
	assert_false(recovery_lets_operate(story.recovery));
	assert_true(recovery_deadline(story.recovery) == UINT64_MAX);
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_FAILED);
	assert_int_equal(recovery_request(story.recovery, story.now, 2, &event, &error),
			 ERROR_BUSY);
	story_notice(&story, 2, PE_STOPPED, "");
	story.now += 1000000;
	story_error(&story, PE_STOPPED, "isolate");
	assert_false(recovery_lets_operate(story.recovery));
	story_result(&story, PE_STOPPED, "");
	assert_true(recovery_lets_operate(story.recovery));
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_FAILED);
	story_request(&story, 2, 2, "look");
	story_end(&story);
}

static void test_h49_look_takes_too_long(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_notice(&story, 1, PE_STOPPED_DMA, "look");
	story_expire(&story, 330000, "frozen disconnect failed");
	assert_int_equal(story.frozen.condition, PE_STOPPED_DMA);
	story_result(&story, PE_NORMAL, "isolate");
	/* And the isolation as well. */
	story_expire(&story, 330000, "");
	assert_false(recovery_lets_operate(story.recovery));
	story_error(&story, PE_NORMAL, "");
	assert_true(recovery_lets_operate(story.recovery));
	/* It is isolated: its registers are not its own, and thawing would not do. */
	story_join(&story, 1);
	story_request(&story, 2, 2, "look");
	story_result(&story, PE_STOPPED_DMA, "frozen error-detected");
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "reset-hot");
	story_end(&story);
}

static void test_h49_isolation_takes_too_long(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_notice(&story, 1, PE_GONE, "look");
	story_result(&story, PE_GONE, "frozen isolate");
	story_expire(&story, 330000, "disconnect failed");
	assert_string_equal(story.done.text, "gone for good: no reset helps");
	assert_false(recovery_lets_operate(story.recovery));
	story_result(&story, PE_GONE, "");
	assert_true(recovery_lets_operate(story.recovery));
	story_end(&story);
}

static void test_isolation_fails(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_notice(&story, 1, PE_GONE, "look");
	story_result(&story, PE_GONE, "frozen isolate");
	story_error(&story, PE_GONE, "disconnect failed");
	assert_string_equal(story.note, "isolate: The kernel refused, EIO");
	story_end(&story);
}

static void test_abort(void **state)
{
	struct recovery_action action;
	struct story story;

	(void)state;
	story_begin_reset(&story, NULL, "reset-hot");
	story_abort(&story, "disconnect failed");
	assert_string_equal(story.done.text, "the group has left");
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_IDLE);
	/* They are the hardware's, whoever has it next. */
	assert_int_equal(recovery_freezes(story.recovery), 1);
	assert_int_equal(recovery_freezes_left(story.recovery, story.now), 4);
	/* Its operation is reported by a mistake. */
	recovery_operation_done(story.recovery, story.now,
				&(struct recovery_result){.condition = PE_STOPPED});
	assert_false(recovery_take_action(story.recovery, &action));
	story_abort(&story, "");
	/* With the registers of a new device. */
	story_recover(&story, 2);
	/* An operation that nobody has taken is not carried out. */
	assert_true(recovery_notice(story.recovery, story.now, 3, PE_STOPPED));
	recovery_abort(story.recovery, story.now, "gone");
	assert_false(recovery_take_action(story.recovery, &action));
	story_end(&story);
}

/* Nor does it begin anew for the next one who has the hardware. */
static void test_h47_budget_outlives_the_group(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	for (uint32_t event = 1; event <= 5; event++) {
		story_recover(&story, event);
		story_abort(&story, "");
	}
	story_notice(&story, 6, PE_STOPPED, "look");
	story_result(&story, PE_STOPPED, "frozen isolate");
	story_result(&story, PE_STOPPED, "disconnect failed");
	story_abort(&story, "");
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_IDLE);
	assert_int_equal(recovery_freezes_left(story.recovery, story.now), 0);
	story_end(&story);
}

static void test_abort_after_failure(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_notice(&story, 1, PE_GONE, "look");
	story_result(&story, PE_GONE, "frozen isolate");
	story_expire(&story, 330000, "disconnect failed");
	story_abort(&story, "");
	assert_true(recovery_lets_operate(story.recovery));
	story_recover(&story, 2);
	story_end(&story);
}

/* While actions are left, nothing goes on but what must. */
static void test_actions_are_left(void **state)
{
	struct story story;
	struct error error;
	uint32_t event;

	(void)state;
	story_begin(&story, NULL);
	assert_true(recovery_notice(story.recovery, story.now, 1, PE_STOPPED));
	assert_false(recovery_notice(story.recovery, story.now, 2, PE_STOPPED));
	recovery_operation_done(story.recovery, story.now,
				&(struct recovery_result){.condition = PE_NORMAL});
	recovery_expire(story.recovery, UINT64_MAX - 1);
	assert_int_equal(recovery_request(story.recovery, story.now, 2, &event, &error),
			 ERROR_BUSY);
	story_notice(&story, 2, PE_STOPPED, "look");
	story_end(&story);
}

static void test_policy_changes(void **state)
{
	struct story story;

	(void)state;
	story_begin_reset(&story, NULL, "reset-hot");
	story.policy.hold = 10;
	story.policy.settle = 20;
	story.policy.retry_pause = 30;
	recovery_set_policy(story.recovery, &story.policy);
	/* What has begun is kept. */
	story_result(&story, PE_STOPPED, "");
	story_expire(&story, 250, "deactivate");
	story_result(&story, PE_NORMAL, "");
	story_expire(&story, 1800, "look");
	story_result(&story, PE_NORMAL, "configure");
	story_error(&story, PE_NORMAL, "");
	story_expire(&story, 30, "reset-hot");
	story_result(&story, PE_STOPPED, "");
	story_expire(&story, 10, "deactivate");
	story_end(&story);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_manual_over_budget),
		cmocka_unit_test(test_manual_thawed_by_hand),
		cmocka_unit_test(test_manual_waits_each_time),
		cmocka_unit_test(test_manual_thawed_after_the_host),
		cmocka_unit_test(test_request_during_a_look),
		cmocka_unit_test(test_request_of_a_normal_pe),
		cmocka_unit_test(test_request_refused),
		cmocka_unit_test(test_h49_operation_takes_too_long),
		cmocka_unit_test(test_h49_look_takes_too_long),
		cmocka_unit_test(test_h49_isolation_takes_too_long),
		cmocka_unit_test(test_isolation_fails),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_h47_budget_outlives_the_group),
		cmocka_unit_test(test_abort_after_failure),
		cmocka_unit_test(test_actions_are_left),
		cmocka_unit_test(test_policy_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
