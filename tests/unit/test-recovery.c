/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "eeh/recovery.h"
#include "recovery_story.h"
#include "unit.h"

static void test_idle(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	assert_true(recovery_deadline(story.recovery) == UINT64_MAX);
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_IDLE);
	assert_int_equal(recovery_event(story.recovery), 0);
	assert_int_equal(recovery_freezes(story.recovery), 0);
	assert_int_equal(recovery_freezes_left(story.recovery, story.now), 5);
	assert_true(recovery_lets_operate(story.recovery));
	recovery_expire(story.recovery, UINT64_MAX - 1);
	story_notice(&story, 1, PE_NORMAL, "");
	story_notice(&story, 1, PE_RESET, "");
	story_notice(&story, 1, PE_UNKNOWN, "");
	story_notice(&story, 0, PE_STOPPED, "");
	story_end(&story);
	assert_null(recovery_free(NULL));
}

/* -- noticing -- */

static void test_h43_one_sample_is_none(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_notice(&story, 7, PE_STOPPED, "look");
	assert_int_equal(recovery_event(story.recovery), 0);
	assert_false(recovery_lets_operate(story.recovery));
	story_result(&story, PE_NORMAL, "");
	assert_string_equal(story.note, "false alarm: normal");
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_IDLE);
	assert_int_equal(recovery_freezes(story.recovery), 0);
	assert_int_equal(recovery_freezes_left(story.recovery, story.now), 5);
	story_end(&story);
}

static void test_samples_that_say_nothing(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_notice(&story, 7, PE_STOPPED, "look");
	story_result(&story, PE_UNKNOWN, "");
	story_expire(&story, 100, "look");
	story_error(&story, PE_STOPPED, "");
	story_expire(&story, 100, "look");
	story_result(&story, PE_UNKNOWN, "");
	assert_string_equal(story.note, "false alarm: unknown");
	assert_true(recovery_lets_operate(story.recovery));
	/* Twice nothing, then the freeze. */
	story_notice(&story, 8, PE_STOPPED, "look");
	story_result(&story, PE_UNKNOWN, "");
	story_expire(&story, 100, "look");
	story_result(&story, PE_STOPPED, "frozen error-detected unfreeze-io");
	assert_int_equal(story.frozen.event, 8);
	assert_int_equal(recovery_event(story.recovery), 8);
	story_end(&story);
}

static void test_h43_gone_takes_two_looks(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_notice(&story, 1, PE_GONE, "look");
	story_result(&story, PE_GONE, "frozen isolate");
	assert_int_equal(story.frozen.condition, PE_GONE);
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_FAILED);
	story_result(&story, PE_GONE, "disconnect failed");
	assert_string_equal(story.done.text, "gone for good: no reset helps");
	story_end(&story);

	story_begin(&story, NULL);
	story_notice(&story, 1, PE_STOPPED, "look");
	story_result(&story, PE_GONE, "look");
	story_result(&story, PE_STOPPED, "frozen error-detected unfreeze-io");
	/* An operation that ends with it is looked after as well. */
	story_result(&story, PE_GONE, "look");
	story_result(&story, PE_STOPPED, "save");
	story_result(&story, PE_GONE, "look");
	story_result(&story, PE_STOPPED, "reset-hot");
	story_result(&story, PE_GONE, "look");
	story_result(&story, PE_STOPPED, "");
	story_expire(&story, 1000, "reset-hot");
	story_result(&story, PE_GONE, "look");
	story_result(&story, PE_GONE, "isolate");
	story_result(&story, PE_GONE, "disconnect failed");
	story_end(&story);
}

static void test_h43_gone_while_thawing(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_join(&story, 1);
	story_notice(&story, 1, PE_STOPPED_DMA, "look");
	story_result(&story, PE_STOPPED_DMA, "frozen error-detected");
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "save");
	story_result(&story, PE_STOPPED_DMA, "mmio-enabled");
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "unfreeze-dma");
	story_result(&story, PE_GONE, "look");
	story_result(&story, PE_NORMAL, "reset-hot");
	story_end(&story);
}

/* After a doubt it goes on as if nothing had been, but for the reset. */
static void test_h43_seemed_gone(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_join(&story, 1);
	story_freeze(&story, "frozen error-detected");
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "unfreeze-io");
	story_result(&story, PE_GONE, "look");
	story_result(&story, PE_STOPPED_DMA, "save");
	story_result(&story, PE_STOPPED_DMA, "reset-hot");
	story_reset(&story);
	story_result(&story, PE_NORMAL, "slot-reset");
	story_end(&story);
}

/* -- reset -- */

static void test_unaware_is_reset(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_freeze(&story, "frozen error-detected unfreeze-io");
	assert_int_equal(story.frozen.condition, PE_STOPPED);
	assert_int_equal(story.detected.condition, PE_STOPPED);
	assert_int_equal(recovery_event(story.recovery), 1);
	assert_int_equal(recovery_freezes(story.recovery), 1);
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_COLLECTING);
	story_result(&story, PE_STOPPED_DMA, "save");
	story_result(&story, PE_STOPPED_DMA, "reset-hot");
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_RESETTING);
	story_reset(&story);
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_RESTORING);
	story_result(&story, PE_NORMAL, "slot-reset look");
	story_result(&story, PE_NORMAL, "resume recovered");
	assert_string_equal(story.done.text, "reset-hot, try 1");
	assert_int_equal(story.done.milliseconds, 3900);
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_IDLE);
	assert_int_equal(recovery_event(story.recovery), 0);
	assert_true(recovery_deadline(story.recovery) == UINT64_MAX);
	story_end(&story);
}

/* The last look has to say that all is well, not only that nothing is known to be wrong. */
static void test_last_look(void **state)
{
	static const enum pe_condition conditions[] = {PE_UNKNOWN, PE_RESET, PE_STOPPED};
	struct story story;

	(void)state;
	for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++) {
		story_begin_reset(&story, NULL, "reset-hot");
		story_reset(&story);
		story_result(&story, PE_NORMAL, "slot-reset look");
		story_result(&story, conditions[i], "");
		story_expire(&story, 1000, "reset-hot");
		story_end(&story);
	}
	story_begin_reset(&story, NULL, "reset-hot");
	story_reset(&story);
	story_result(&story, PE_NORMAL, "slot-reset look");
	story_silent(&story, PE_NORMAL, "");
	assert_string_equal(story.note, "reset-hot, try 1: not normal after its users");
	story_end(&story);
}

/* A reset that the kernel doesn't wait for. */
static void test_hold_and_settle(void **state)
{
	struct story story;

	(void)state;
	story_begin_reset(&story, NULL, "reset-hot");
	story_result(&story, PE_RESET, "");
	story_expire(&story, 250, "deactivate");
	story_result(&story, PE_NORMAL, "");
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_SETTLING);
	story_expire(&story, 1800, "look");
	story_end(&story);

	/* What the kernel waits counts: 100 ms in the one, 400 ms in the other operation. */
	story_begin_reset(&story, NULL, "reset-hot");
	story.now += 100;
	story_result(&story, PE_RESET, "");
	story_expire(&story, 150, "deactivate");
	story.now += 400;
	story_result(&story, PE_NORMAL, "");
	story_expire(&story, 1400, "look");
	story_end(&story);
}

static void test_firmware_refuses_and_then_does_it(void **state)
{
	struct story story;

	(void)state;
	story_begin_reset(&story, NULL, "reset-hot");
	story_error(&story, PE_STOPPED, "");
	assert_string_equal(story.note, "reset-hot, try 1: it was refused");
	story_expire(&story, 1000, "reset-hot");
	story_error(&story, PE_STOPPED, "");
	story_expire(&story, 1000, "reset-hot");
	story_reset(&story);
	story_result(&story, PE_NORMAL, "slot-reset look");
	story_result(&story, PE_NORMAL, "resume recovered");
	assert_string_equal(story.done.text, "reset-hot, try 3");
	assert_int_equal(story.done.milliseconds, 5900);
	story_end(&story);
}

static void use_up(struct story *story, const char *reset, const char *last)
{
	story_error(story, PE_STOPPED, "");
	story_expire(story, 1000, reset);
	story_error(story, PE_STOPPED, "");
	story_expire(story, 1000, reset);
	story_error(story, PE_STOPPED, last);
}

static void test_h51_hot_then_fundamental(void **state)
{
	struct story story;

	(void)state;
	story_begin_reset(&story, NULL, "reset-hot");
	use_up(&story, "reset-hot", "");
	story_expire(&story, 1000, "reset-fundamental");
	use_up(&story, "reset-fundamental", "isolate");
	story_result(&story, PE_STOPPED, "disconnect failed");
	assert_string_equal(story.done.text, "reset-fundamental, try 3, the last: it was refused");
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_FAILED);
	assert_true(recovery_deadline(story.recovery) == UINT64_MAX);
	story_notice(&story, 2, PE_STOPPED, "");
	story_end(&story);
}

static void test_no_escalation(void **state)
{
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;
	struct story story;

	(void)state;
	policy.no_escalation = true;
	story_begin_reset(&story, &policy, "reset-hot");
	use_up(&story, "reset-hot", "isolate");
	story_end(&story);
}

static void test_fundamental_first(void **state)
{
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;
	struct story story;

	(void)state;
	policy.first_reset = RECOVERY_RESET_FUNDAMENTAL;
	story_begin_reset(&story, &policy, "reset-fundamental");
	use_up(&story, "reset-fundamental", "isolate");
	story_end(&story);
}

static void test_h51_devices_that_need_fundamental(void **state)
{
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;
	struct story story;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		policy.first_reset = i == 0 ? RECOVERY_RESET_AUTO : RECOVERY_RESET_HOT;
		story_begin(&story, &policy);
		recovery_set_needs_fundamental(story.recovery, true);
		story_freeze(&story, "frozen error-detected unfreeze-io");
		story_result(&story, PE_STOPPED_DMA, "save");
		story_result(&story, PE_STOPPED_DMA, i == 0 ? "reset-fundamental" : "reset-hot");
		story_end(&story);
	}
}

static void test_reset_that_does_not_end(void **state)
{
	struct story story;

	(void)state;
	story_begin_reset(&story, NULL, "reset-hot");
	story.now += 3900;
	story_result(&story, PE_STOPPED, "deactivate");
	story_error(&story, PE_STOPPED, "");
	assert_string_equal(story.note, "reset-hot, try 1: it did not end");
	story_expire(&story, 1000, "reset-hot");
	story_end(&story);
}

static void begin_settled(struct story *story, const struct recovery_policy *policy)
{
	story_begin_reset(story, policy, "reset-hot");
	story->now += 3900;
	story_result(story, PE_STOPPED, "deactivate");
	story_result(story, PE_NORMAL, "look");
}

static void test_waits_until_normal(void **state)
{
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;
	struct story story;

	(void)state;
	policy.normal_timeout = 350;
	begin_settled(&story, &policy);
	story_result(&story, PE_RESET, "");
	story_expire(&story, 100, "look");
	story_silent(&story, PE_NORMAL, "");
	story_expire(&story, 100, "look");
	story_error(&story, PE_NORMAL, "");
	story_expire(&story, 100, "look");
	story_result(&story, PE_UNKNOWN, "");
	story_expire(&story, 50, "look");
	story_silent(&story, PE_NORMAL, "");
	assert_string_equal(story.note, "reset-hot, try 1: not normal in time afterwards");
	story_expire(&story, 1000, "reset-hot");
	story_end(&story);
}

/* DEACTIVATE reports nothing of its thawing. */
static void test_thaws_what_is_stopped_after_the_reset(void **state)
{
	struct story story;

	(void)state;
	begin_settled(&story, NULL);
	story_silent(&story, PE_STOPPED, "configure");
	story_result(&story, PE_STOPPED, "look");
	story_silent(&story, PE_STOPPED, "unfreeze-io");
	story_result(&story, PE_STOPPED_DMA, "unfreeze-dma");
	story_result(&story, PE_NORMAL, "look");
	story_result(&story, PE_NORMAL, "restore");
	story_end(&story);

	/* Only once, though. */
	begin_settled(&story, NULL);
	story_silent(&story, PE_STOPPED, "configure");
	story_result(&story, PE_STOPPED, "look");
	story_silent(&story, PE_STOPPED, "unfreeze-io");
	story_result(&story, PE_STOPPED_DMA, "unfreeze-dma");
	story_result(&story, PE_NORMAL, "look");
	story_result(&story, PE_STOPPED, "");
	assert_string_equal(story.note, "reset-hot, try 1: stopped again");
	story_end(&story);

	for (unsigned int i = 0; i < 2; i++) {
		begin_settled(&story, NULL);
		story_silent(&story, PE_STOPPED, "configure");
		story_result(&story, PE_STOPPED, "look");
		story_silent(&story, PE_STOPPED, "unfreeze-io");
		if (i == 0) {
			story_error(&story, PE_STOPPED, "");
		} else {
			story_result(&story, PE_STOPPED, "unfreeze-dma");
			story_error(&story, PE_STOPPED, "");
		}
		story_expire(&story, 1000, "reset-hot");
		story_end(&story);
	}
}

static void test_failures_after_the_reset_are_failed_tries(void **state)
{
	struct story story;

	(void)state;
	begin_settled(&story, NULL);
	story_result(&story, PE_NORMAL, "configure");
	story_error(&story, PE_NORMAL, "");
	story_expire(&story, 1000, "reset-hot");
	story_end(&story);

	begin_settled(&story, NULL);
	story_result(&story, PE_NORMAL, "configure");
	story_result(&story, PE_STOPPED, "look");
	story_result(&story, PE_STOPPED, "");
	story_expire(&story, 1000, "reset-hot");
	story_end(&story);

	begin_settled(&story, NULL);
	story_result(&story, PE_NORMAL, "configure");
	story_result(&story, PE_NORMAL, "restore");
	story_error(&story, PE_NORMAL, "");
	story_expire(&story, 1000, "reset-hot");
	story_end(&story);

	begin_settled(&story, NULL);
	story_result(&story, PE_NORMAL, "configure");
	story_result(&story, PE_NORMAL, "restore");
	story_result(&story, PE_STOPPED_DMA, "");
	story_expire(&story, 1000, "reset-hot");
	story_end(&story);
}

/* Each try is a new one. */
static void test_second_try_may_thaw_again(void **state)
{
	struct story story;

	(void)state;
	begin_settled(&story, NULL);
	story_silent(&story, PE_STOPPED, "configure");
	story_result(&story, PE_STOPPED, "look");
	story_silent(&story, PE_STOPPED, "unfreeze-io");
	story_result(&story, PE_STOPPED_DMA, "unfreeze-dma");
	story_result(&story, PE_NORMAL, "look");
	story_result(&story, PE_NORMAL, "restore");
	story_error(&story, PE_NORMAL, "");
	story_expire(&story, 1000, "reset-hot");
	story.now += 3900;
	story_result(&story, PE_STOPPED, "deactivate");
	story_result(&story, PE_NORMAL, "look");
	story_silent(&story, PE_STOPPED, "configure");
	story_result(&story, PE_STOPPED, "look");
	story_silent(&story, PE_STOPPED, "unfreeze-io");
	story_end(&story);
}

static void test_windows_that_are_lost_fail_it(void **state)
{
	struct story story;

	(void)state;
	story_begin_reset(&story, NULL, "reset-hot");
	story_reset(&story);
	story_error(&story, PE_NORMAL, "isolate");
	story_result(&story, PE_NORMAL, "disconnect failed");
	assert_non_null(strstr(story.done.text, "windows or mappings"));
	story_end(&story);

	story_begin_reset(&story, NULL, "reset-hot");
	story_reset(&story);
	story_result(&story, PE_STOPPED, "");
	story_expire(&story, 1000, "reset-hot");
	story_end(&story);
}

static void test_stopped_again_by_its_users(void **state)
{
	struct story story;

	(void)state;
	story_begin_reset(&story, NULL, "reset-hot");
	story_reset(&story);
	story_result(&story, PE_NORMAL, "slot-reset look");
	story_result(&story, PE_STOPPED, "");
	story_expire(&story, 1000, "reset-hot");
	story_end(&story);
}

/* What can't be saved is not in the way. */
static void test_collecting_may_fail(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_freeze(&story, "frozen error-detected unfreeze-io");
	story_error(&story, PE_STOPPED, "save");
	assert_string_equal(story.note, "unfreeze-io: The kernel refused, EIO");
	story_error(&story, PE_STOPPED, "reset-hot");
	story_end(&story);
}

/* -- the host -- */

static void test_h48_waits_for_the_host_and_resets(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_join(&story, 1);
	story_notice(&story, 1, PE_UNAVAILABLE, "look");
	story_result(&story, PE_UNAVAILABLE, "frozen");
	assert_int_equal(story.frozen.condition, PE_UNAVAILABLE);
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_AWAITING_HOST);
	story_expire(&story, 1000, "look");
	story_result(&story, PE_UNAVAILABLE, "");
	story_expire(&story, 1000, "look");
	story_error(&story, PE_STOPPED, "");
	story_expire(&story, 1000, "look");
	story_result(&story, PE_STOPPED, "error-detected");
	assert_int_equal(story.detected.condition, PE_UNAVAILABLE);
	/* The host has reset the device: what was saved before is better, and thawing won't do. */
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "unfreeze-io");
	story_result(&story, PE_STOPPED_DMA, "reset-hot");
	story_end(&story);

	/* It was done when we looked again. */
	story_begin(&story, NULL);
	story_join(&story, 1);
	story_notice(&story, 1, PE_UNAVAILABLE, "look");
	story_result(&story, PE_STOPPED, "frozen error-detected");
	assert_int_equal(story.detected.condition, PE_UNAVAILABLE);
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "unfreeze-io");
	story_result(&story, PE_STOPPED_DMA, "reset-hot");
	story_end(&story);
}

static void test_h48_host_that_never_ends(void **state)
{
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;
	struct story story;

	(void)state;
	policy.host_timeout = 1500;
	story_begin(&story, &policy);
	story_notice(&story, 1, PE_UNAVAILABLE, "look");
	story_result(&story, PE_UNAVAILABLE, "frozen");
	story_expire(&story, 1000, "look");
	story_result(&story, PE_UNAVAILABLE, "");
	story_expire(&story, 500, "look");
	story_result(&story, PE_UNAVAILABLE, "error-detected reset-hot");
	/* No more waiting for it. */
	story_error(&story, PE_UNAVAILABLE, "");
	story_expire(&story, 1000, "reset-hot");
	story_end(&story);
}

static void test_h48_host_comes_in_between(void **state)
{
	struct story story;

	(void)state;
	story_begin_reset(&story, NULL, "reset-hot");
	story_error(&story, PE_UNAVAILABLE, "");
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_AWAITING_HOST);
	story_expire(&story, 1000, "look");
	story_result(&story, PE_UNAVAILABLE, "");
	story_expire(&story, 1000, "look");
	story_result(&story, PE_STOPPED, "reset-hot");
	story_reset(&story);
	story_result(&story, PE_NORMAL, "slot-reset look");
	story_result(&story, PE_NORMAL, "resume recovered");
	assert_string_equal(story.done.text, "reset-hot, try 2");
	story_end(&story);
}

/* -- budget -- */

static void test_h47_budget(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	for (uint32_t event = 1; event <= 5; event++) {
		assert_int_equal(recovery_freezes_left(story.recovery, story.now), 6 - event);
		story_recover(&story, event);
	}
	assert_int_equal(recovery_freezes(story.recovery), 5);
	assert_int_equal(recovery_freezes_left(story.recovery, story.now), 0);
	story_notice(&story, 6, PE_STOPPED, "look");
	story_result(&story, PE_STOPPED, "frozen isolate");
	story_result(&story, PE_STOPPED, "disconnect failed");
	assert_string_equal(story.done.text, "more than 5 freezes in 3600 s");
	/* On request it begins anew. */
	story_request(&story, 7, 7, "look");
	assert_int_equal(recovery_freezes_left(story.recovery, story.now), 5);
	story_result(&story, PE_STOPPED, "frozen error-detected unfreeze-io");
	assert_int_equal(recovery_freezes(story.recovery), 6);
	/* The registers are those of an isolated device. */
	story_result(&story, PE_STOPPED_DMA, "reset-hot");
	story_reset(&story);
	story_result(&story, PE_NORMAL, "slot-reset look");
	story_result(&story, PE_NORMAL, "resume recovered");
	assert_int_equal(recovery_freezes_left(story.recovery, story.now), 5);
	/* They are the device's own again. */
	story_recover(&story, 8);
	story_end(&story);
}

static void test_h47_window_passes(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	for (uint32_t event = 1; event <= 12; event++) {
		story_recover(&story, event);
		story.now += 3600U * 1000 / 5;
	}
	story_end(&story);
}

static void test_names(void **state)
{
	static const char *const phases[] = {"idle",           "awaiting-request", "awaiting-host",
					     "error-detected", "collecting",       "mmio-enabled",
					     "thawing",        "resetting",        "settling",
					     "restoring",      "slot-reset",       "failed"};
	static const char *const operations[] = {
		"look",       "unfreeze-io", "unfreeze-dma", "reset-hot", "reset-fundamental",
		"deactivate", "configure",   "save",         "restore",   "verify",
		"isolate"};

	(void)state;
	assert_int_equal(sizeof(phases) / sizeof(*phases), RECOVERY_FAILED + 1);
	assert_int_equal(sizeof(operations) / sizeof(*operations), RECOVERY_OPERATION_COUNT);
	for (unsigned int i = 0; i <= RECOVERY_FAILED; i++) {
		assert_string_equal(recovery_phase_name((enum recovery_phase)i), phases[i]);
	}
	for (unsigned int i = 0; i < RECOVERY_OPERATION_COUNT; i++) {
		assert_string_equal(recovery_operation_name((enum recovery_operation)i),
				    operations[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_h43_one_sample_is_none),
		cmocka_unit_test(test_samples_that_say_nothing),
		cmocka_unit_test(test_h43_gone_takes_two_looks),
		cmocka_unit_test(test_h43_gone_while_thawing),
		cmocka_unit_test(test_h43_seemed_gone),
		cmocka_unit_test(test_unaware_is_reset),
		cmocka_unit_test(test_last_look),
		cmocka_unit_test(test_hold_and_settle),
		cmocka_unit_test(test_firmware_refuses_and_then_does_it),
		cmocka_unit_test(test_h51_hot_then_fundamental),
		cmocka_unit_test(test_no_escalation),
		cmocka_unit_test(test_fundamental_first),
		cmocka_unit_test(test_h51_devices_that_need_fundamental),
		cmocka_unit_test(test_reset_that_does_not_end),
		cmocka_unit_test(test_waits_until_normal),
		cmocka_unit_test(test_thaws_what_is_stopped_after_the_reset),
		cmocka_unit_test(test_failures_after_the_reset_are_failed_tries),
		cmocka_unit_test(test_second_try_may_thaw_again),
		cmocka_unit_test(test_windows_that_are_lost_fail_it),
		cmocka_unit_test(test_stopped_again_by_its_users),
		cmocka_unit_test(test_collecting_may_fail),
		cmocka_unit_test(test_h48_waits_for_the_host_and_resets),
		cmocka_unit_test(test_h48_host_that_never_ends),
		cmocka_unit_test(test_h48_host_comes_in_between),
		cmocka_unit_test(test_h47_budget),
		cmocka_unit_test(test_h47_window_passes),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
