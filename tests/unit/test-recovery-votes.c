/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "eeh/recovery_private.h"
#include "recovery_story.h"
#include "unit.h"

/* With `count` participants, from cookie 1 on, up to their first vote. */
static void begin(struct story *story, uint32_t count)
{
	story_begin(story, NULL);
	for (uint32_t cookie = 1; cookie <= count; cookie++) {
		story_join(story, cookie);
	}
	story_freeze(story, "frozen error-detected");
	assert_int_equal(recovery_phase(story->recovery), RECOVERY_ERROR_DETECTED);
}

static void collect(struct story *story, const char *expected)
{
	story_result(story, PE_STOPPED_DMA, "save");
	story_result(story, PE_STOPPED_DMA, expected);
}

static void begin_mmio_enabled(struct story *story)
{
	begin(story, 2);
	story_vote(story, 1, VERDICT_CAN_RECOVER, "");
	story_vote(story, 2, VERDICT_CAN_RECOVER, "unfreeze-io");
	collect(story, "mmio-enabled");
	assert_int_equal(recovery_phase(story->recovery), RECOVERY_MMIO_ENABLED);
}

static void begin_slot_reset(struct story *story)
{
	begin(story, 2);
	story_vote(story, 1, VERDICT_NEED_RESET, "");
	story_vote(story, 2, VERDICT_CAN_RECOVER, "unfreeze-io");
	collect(story, "reset-hot");
	story_reset(story);
	story_result(story, PE_NORMAL, "slot-reset");
	assert_int_equal(recovery_phase(story->recovery), RECOVERY_SLOT_RESET);
}

/* -- ways through -- */

static void test_all_can_recover(void **state)
{
	struct story story;

	(void)state;
	begin_mmio_enabled(&story);
	story_vote(&story, 2, VERDICT_CAN_RECOVER, "");
	story_vote(&story, 1, VERDICT_RECOVERED, "unfreeze-dma");
	assert_int_equal(recovery_phase(story.recovery), RECOVERY_THAWING);
	story_result(&story, PE_NORMAL, "look");
	story_result(&story, PE_NORMAL, "verify");
	story_result(&story, PE_NORMAL, "resume recovered");
	assert_string_equal(story.done.text, "thawed");
	story_end(&story);
}

static void test_dma_alone_is_stopped(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_join(&story, 1);
	story_notice(&story, 1, PE_STOPPED_DMA, "look");
	story_result(&story, PE_STOPPED_DMA, "frozen error-detected");
	assert_int_equal(story.detected.condition, PE_STOPPED_DMA);
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "save");
	story_result(&story, PE_STOPPED_DMA, "mmio-enabled");
	story_vote(&story, 1, VERDICT_RECOVERED, "unfreeze-dma");
	story_end(&story);
}

static void test_mmio_alone_is_stopped(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_join(&story, 1);
	story_notice(&story, 1, PE_STOPPED_IO, "look");
	story_result(&story, PE_STOPPED_IO, "frozen error-detected");
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "unfreeze-io");
	story_result(&story, PE_NORMAL, "save");
	story_result(&story, PE_NORMAL, "mmio-enabled");
	story_vote(&story, 1, VERDICT_RECOVERED, "unfreeze-dma");
	story_result(&story, PE_NORMAL, "look");
	story_result(&story, PE_NORMAL, "verify");
	story_result(&story, PE_NORMAL, "resume recovered");
	story_end(&story);
}

/* The kernel says that it worked, and it did not. */
static void test_h44_thaw_that_does_nothing(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 1);
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "unfreeze-io");
	story_result(&story, PE_STOPPED, "save");
	story_result(&story, PE_STOPPED, "reset-hot");
	story_end(&story);

	begin_mmio_enabled(&story);
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "");
	story_vote(&story, 2, VERDICT_CAN_RECOVER, "unfreeze-dma");
	story_result(&story, PE_STOPPED_DMA, "look");
	story_result(&story, PE_STOPPED_DMA, "reset-hot");
	story_end(&story);
}

static void begin_thaw(struct story *story)
{
	begin_mmio_enabled(story);
	story_vote(story, 1, VERDICT_CAN_RECOVER, "");
	story_vote(story, 2, VERDICT_CAN_RECOVER, "unfreeze-dma");
}

static void test_thawing_fails_to_a_reset(void **state)
{
	struct story story;

	(void)state;
	/* MMIO */
	begin(&story, 1);
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "unfreeze-io");
	story_error(&story, PE_STOPPED_DMA, "save");
	story_result(&story, PE_STOPPED_DMA, "reset-hot");
	story_end(&story);

	/* DMA */
	begin_thaw(&story);
	story_error(&story, PE_NORMAL, "reset-hot");
	story_end(&story);

	/* The look */
	begin_thaw(&story);
	story_result(&story, PE_NORMAL, "look");
	story_silent(&story, PE_NORMAL, "reset-hot");
	story_end(&story);
	begin_thaw(&story);
	story_result(&story, PE_NORMAL, "look");
	story_error(&story, PE_NORMAL, "reset-hot");
	story_end(&story);

	/* Windows and mappings */
	begin_thaw(&story);
	story_result(&story, PE_NORMAL, "look");
	story_result(&story, PE_NORMAL, "verify");
	story_error(&story, PE_NORMAL, "reset-hot");
	story_end(&story);
	begin_thaw(&story);
	story_result(&story, PE_NORMAL, "look");
	story_result(&story, PE_NORMAL, "verify");
	story_result(&story, PE_STOPPED, "reset-hot");
	story_end(&story);
}

/* eeh_result_priority: a reset outweighs the disconnect. */
static void test_votes_merge(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 3);
	story_vote(&story, 1, VERDICT_DISCONNECT, "");
	story_vote(&story, 2, VERDICT_NEED_RESET, "");
	story_vote(&story, 3, VERDICT_CAN_RECOVER, "unfreeze-io");
	assert_string_equal(story.note, "votes: need-reset");
	collect(&story, "reset-hot");
	story_end(&story);

	begin(&story, 2);
	story_vote(&story, 1, VERDICT_DISCONNECT, "");
	story_vote(&story, 2, VERDICT_CAN_RECOVER, "unfreeze-io");
	collect(&story, "isolate");
	story_result(&story, PE_STOPPED_DMA, "disconnect failed");
	assert_string_equal(story.done.text, "a participant gave it up");
	story_end(&story);
}

static void test_votes_when_mmio_is_enabled(void **state)
{
	struct story story;

	(void)state;
	begin_mmio_enabled(&story);
	story_vote(&story, 1, VERDICT_RECOVERED, "");
	story_vote(&story, 2, VERDICT_NEED_RESET, "reset-hot");
	story_end(&story);

	begin_mmio_enabled(&story);
	story_vote(&story, 1, VERDICT_DISCONNECT, "");
	story_vote(&story, 2, VERDICT_RECOVERED, "isolate");
	story_result(&story, PE_STOPPED_DMA, "disconnect failed");
	story_end(&story);
}

static void test_votes_after_the_reset(void **state)
{
	struct story story;

	(void)state;
	begin_slot_reset(&story);
	story_vote(&story, 1, VERDICT_RECOVERED, "");
	story_vote(&story, 2, VERDICT_RECOVERED, "look");
	story_result(&story, PE_NORMAL, "resume recovered");
	story_end(&story);

	begin_slot_reset(&story);
	story_vote(&story, 1, VERDICT_RECOVERED, "");
	story_vote(&story, 2, VERDICT_DISCONNECT, "isolate");
	story_result(&story, PE_NORMAL, "disconnect failed");
	assert_string_equal(story.done.text, "a participant gave it up after the reset");
	story_end(&story);
}

/* Each of them is a try. */
static void test_another_reset_is_voted_for(void **state)
{
	struct story story;

	(void)state;
	begin_slot_reset(&story);
	for (unsigned int i = 1; i < 6; i++) {
		const char *reset = i < 3 ? "reset-hot" : "reset-fundamental";

		story_vote(&story, 1, VERDICT_NEED_RESET, "");
		story_vote(&story, 2, VERDICT_RECOVERED, "");
		story_expire(&story, 1000, reset);
		story_reset(&story);
		story_result(&story, PE_NORMAL, "slot-reset");
	}
	story_vote(&story, 1, VERDICT_NEED_RESET, "");
	story_vote(&story, 2, VERDICT_RECOVERED, "isolate");
	story_result(&story, PE_NORMAL, "disconnect failed");
	story_end(&story);
}

/* -- late, leaving, joining -- */

static void test_late_counts_as_unaware(void **state)
{
	struct story story;
	struct error error;

	(void)state;
	begin(&story, 2);
	story.now += 5000;
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "");
	story_expire(&story, 5000, "unfreeze-io");
	assert_string_equal(story.note, "1 of 2 participants did not vote in time: need-reset");
	collect(&story, "reset-hot");
	story_reset(&story);
	story_result(&story, PE_NORMAL, "slot-reset");
	/* It isn't waited for any more, nor heard. */
	assert_int_equal(recovery_vote(story.recovery, story.now, 2, 1, VERDICT_RECOVERED, &error),
			 ERROR_VOTE_CLOSED);
	assert_non_null(strstr(error.text, "late before"));
	story_vote(&story, 1, VERDICT_RECOVERED, "look");
	story_result(&story, PE_NORMAL, "resume recovered");
	/* In the next event it takes part. */
	story_notice(&story, 2, PE_STOPPED, "look");
	story_result(&story, PE_STOPPED, "frozen error-detected");
	story_vote(&story, 2, VERDICT_CAN_RECOVER, "");
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "unfreeze-io");
	story_end(&story);
}

static void test_late_when_mmio_is_enabled(void **state)
{
	struct story story;

	(void)state;
	begin_mmio_enabled(&story);
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "");
	story_expire(&story, 10000, "reset-hot");
	story_end(&story);
}

static void test_late_after_the_reset(void **state)
{
	struct story story;

	(void)state;
	begin_slot_reset(&story);
	story_expire(&story, 10000, "look");
	story_result(&story, PE_NORMAL, "resume recovered");
	story_end(&story);
}

static void test_leaving_without_a_vote(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 2);
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "");
	story_leave(&story, 2, "unfreeze-io");
	collect(&story, "reset-hot");
	story_reset(&story);
	story_result(&story, PE_NORMAL, "slot-reset");
	story_leave(&story, 1, "look");
	story_result(&story, PE_NORMAL, "resume recovered");
	story_end(&story);

	/* The others are waited for. */
	begin(&story, 3);
	story_leave(&story, 2, "");
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "");
	story_vote(&story, 3, VERDICT_CAN_RECOVER, "unfreeze-io");
	collect(&story, "reset-hot");
	story_end(&story);
}

static void test_leaving_after_the_vote(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 2);
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "");
	story_leave(&story, 1, "");
	story_vote(&story, 2, VERDICT_CAN_RECOVER, "unfreeze-io");
	/* It isn't there to look at its part of the device. */
	collect(&story, "reset-hot");
	story_end(&story);

	begin(&story, 2);
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "");
	story_vote(&story, 2, VERDICT_CAN_RECOVER, "unfreeze-io");
	collect(&story, "mmio-enabled");
	/* It was there. */
	story_vote(&story, 1, VERDICT_RECOVERED, "");
	story_leave(&story, 1, "");
	story_vote(&story, 2, VERDICT_RECOVERED, "unfreeze-dma");
	story_end(&story);
}

/* Nobody looks at its part of the device, so it isn't thawed. */
static void test_leaving_before_mmio_is_enabled(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 2);
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "");
	story_vote(&story, 2, VERDICT_CAN_RECOVER, "unfreeze-io");
	story_leave(&story, 1, "");
	collect(&story, "reset-hot");
	story_end(&story);
}

static void test_leaving_while_nothing_is_asked(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 2);
	story_vote(&story, 1, VERDICT_NEED_RESET, "");
	story_vote(&story, 2, VERDICT_NEED_RESET, "unfreeze-io");
	collect(&story, "reset-hot");
	story_leave(&story, 1, "");
	story_leave(&story, 2, "");
	story_reset(&story);
	story_result(&story, PE_NORMAL, "slot-reset look");
	story_end(&story);
}

static void test_joining_during_an_event(void **state)
{
	struct story story;
	struct error error;

	(void)state;
	begin(&story, 1);
	story_join(&story, 9);
	assert_int_equal(recovery_vote(story.recovery, story.now, 9, 1, VERDICT_DISCONNECT, &error),
			 ERROR_VOTE_CLOSED);
	assert_non_null(strstr(error.text, "next event"));
	/* Nor is it waited for. */
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "unfreeze-io");
	story_end(&story);
}

/* -- refusals -- */

struct refusal {
	uint32_t cookie;
	uint32_t event;
	enum verdict verdict;
	int code;
	const char *text;
};

static void expect_refused(struct story *story, const struct refusal *refusal)
{
	struct recovery before;
	struct error error;

	memcpy(&before, story->recovery, sizeof(before));
	assert_int_equal(recovery_vote(story->recovery, story->now, refusal->cookie, refusal->event,
				       refusal->verdict, &error),
			 refusal->code);
	assert_int_equal(error.code, refusal->code);
	if (!strstr(error.text, refusal->text)) {
		fail_msg("\"%s\" is not in \"%s\"", refusal->text, error.text);
	}
	assert_memory_equal(story->recovery, &before, sizeof(before));
}

static void test_refused_votes(void **state)
{
	static const struct refusal open[] = {
		{0, 1, VERDICT_NEED_RESET, ERROR_NOT_JOINED, "cookie 0"},
		{7, 1, VERDICT_NEED_RESET, ERROR_NOT_JOINED, "cookie 7"},
		{7, 9, VERDICT_NONE, ERROR_NOT_JOINED, "cookie 7"},
		{1, 0, VERDICT_NEED_RESET, ERROR_NOT_FOUND, "event 1 is under way"},
		{1, 2, VERDICT_NEED_RESET, ERROR_NOT_FOUND, "event 2: event 1 is under way"},
		{1, 1, VERDICT_NONE, ERROR_INVALID_ARGUMENT, "can-recover, need-reset or"},
		{1, 1, VERDICT_RECOVERED, ERROR_INVALID_ARGUMENT, "can-recover, need-reset or"},
	};
	static const struct refusal twice = {1, 1, VERDICT_CAN_RECOVER, ERROR_VOTE_CLOSED,
					     "has voted in this step"};
	static const struct refusal collecting = {1, 1, VERDICT_CAN_RECOVER, ERROR_VOTE_CLOSED,
						  "event 1 (collecting), cookie 1: no step"};
	struct story story;

	(void)state;
	begin(&story, 2);
	for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++) {
		expect_refused(&story, &open[i]);
	}
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "");
	expect_refused(&story, &twice);
	story_vote(&story, 2, VERDICT_CAN_RECOVER, "unfreeze-io");
	expect_refused(&story, &collecting);
	/* The recovery is unharmed. */
	collect(&story, "mmio-enabled");
	story_end(&story);
}

static void test_refused_without_an_event(void **state)
{
	static const struct refusal none = {1, 1, VERDICT_NEED_RESET, ERROR_NOT_FOUND,
					    "no event is under way"};
	static const struct refusal zero = {1, 0, VERDICT_NEED_RESET, ERROR_NOT_FOUND,
					    "no event is under way"};
	static const struct refusal waiting = {1, 1, VERDICT_NEED_RESET, ERROR_VOTE_CLOSED,
					       "awaiting-request"};
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;
	struct story story;

	(void)state;
	policy.manual = true;
	story_begin(&story, &policy);
	story_join(&story, 1);
	expect_refused(&story, &none);
	expect_refused(&story, &zero);
	story_notice(&story, 1, PE_STOPPED, "look");
	expect_refused(&story, &none);
	story_result(&story, PE_STOPPED, "frozen");
	expect_refused(&story, &waiting);
	story_end(&story);
}

static void test_refused_in_other_steps(void **state)
{
	static const struct refusal slot_reset = {1, 1, VERDICT_CAN_RECOVER, ERROR_INVALID_ARGUMENT,
						  "(slot-reset) asks for recovered, need-reset or"};
	static const struct refusal mmio = {1, 1, VERDICT_NONE, ERROR_INVALID_ARGUMENT,
					    "(mmio-enabled) asks for recovered, can-recover"};
	static const struct refusal over = {1, 1, VERDICT_RECOVERED, ERROR_NOT_FOUND,
					    "no event is under way"};
	struct story story;

	(void)state;
	begin_mmio_enabled(&story);
	expect_refused(&story, &mmio);
	story_end(&story);

	begin_slot_reset(&story);
	expect_refused(&story, &slot_reset);
	story_vote(&story, 1, VERDICT_RECOVERED, "");
	story_vote(&story, 2, VERDICT_RECOVERED, "look");
	story_result(&story, PE_NORMAL, "resume recovered");
	expect_refused(&story, &over);
	story_end(&story);
}

/* Nobody can answer what was not said yet. */
static void test_refused_before_it_is_asked(void **state)
{
	static const struct refusal early = {1, 1, VERDICT_CAN_RECOVER, ERROR_VOTE_CLOSED,
					     "no step asks"};
	const struct recovery_result stopped = {.condition = PE_STOPPED};
	struct story story;

	(void)state;
	story_begin(&story, NULL);
	story_join(&story, 1);
	story_notice(&story, 1, PE_STOPPED, "look");
	recovery_operation_done(story.recovery, story.now, &stopped);
	expect_refused(&story, &early);
	story_end(&story);
}

static void test_joining_is_bounded(void **state)
{
	struct story story;
	struct error error;

	(void)state;
	story_begin(&story, NULL);
	for (uint32_t cookie = 1; cookie <= RECOVERY_PARTICIPANTS_MAX; cookie++) {
		story_join(&story, cookie);
	}
	assert_int_equal(recovery_join(story.recovery, 1000, &error), ERROR_QUOTA_EXCEEDED);
	assert_non_null(strstr(error.text, "64 participants"));
	assert_int_equal(recovery_join(story.recovery, 64, &error), ERROR_INVALID_ARGUMENT);
	assert_int_equal(recovery_join(story.recovery, 0, &error), ERROR_INVALID_ARGUMENT);
	assert_int_equal(recovery_leave(story.recovery, story.now, 1000, &error), ERROR_NOT_JOINED);
	assert_int_equal(recovery_leave(story.recovery, story.now, 0, &error), ERROR_NOT_JOINED);
	story_leave(&story, 5, "");
	story_join(&story, 1000);
	/* Each of them is asked. */
	story_freeze(&story, "frozen error-detected");
	for (uint32_t cookie = 1; cookie <= RECOVERY_PARTICIPANTS_MAX; cookie++) {
		if (cookie != 5) {
			story_vote(&story, cookie, VERDICT_CAN_RECOVER, "");
		}
	}
	story_vote(&story, 1000, VERDICT_CAN_RECOVER, "unfreeze-io");
	story_end(&story);
}

/* Participants outlive what happens to the PE. */
static void test_participants_stay(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 1);
	story_abort(&story, "disconnect failed");
	story_freeze(&story, "frozen error-detected");
	story_vote(&story, 1, VERDICT_CAN_RECOVER, "unfreeze-io");
	story_end(&story);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_can_recover),
		cmocka_unit_test(test_dma_alone_is_stopped),
		cmocka_unit_test(test_mmio_alone_is_stopped),
		cmocka_unit_test(test_h44_thaw_that_does_nothing),
		cmocka_unit_test(test_thawing_fails_to_a_reset),
		cmocka_unit_test(test_votes_merge),
		cmocka_unit_test(test_votes_when_mmio_is_enabled),
		cmocka_unit_test(test_votes_after_the_reset),
		cmocka_unit_test(test_another_reset_is_voted_for),
		cmocka_unit_test(test_late_counts_as_unaware),
		cmocka_unit_test(test_late_when_mmio_is_enabled),
		cmocka_unit_test(test_late_after_the_reset),
		cmocka_unit_test(test_leaving_without_a_vote),
		cmocka_unit_test(test_leaving_after_the_vote),
		cmocka_unit_test(test_leaving_before_mmio_is_enabled),
		cmocka_unit_test(test_leaving_while_nothing_is_asked),
		cmocka_unit_test(test_joining_during_an_event),
		cmocka_unit_test(test_refused_votes),
		cmocka_unit_test(test_refused_without_an_event),
		cmocka_unit_test(test_refused_in_other_steps),
		cmocka_unit_test(test_refused_before_it_is_asked),
		cmocka_unit_test(test_joining_is_bounded),
		cmocka_unit_test(test_participants_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
