/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What policy decides of PEs: how they are watched, whether they are recovered, and how often. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eeh.h"

#define MANUAL QUICK_POLICY "mode = manual\n"
#define ONCE   QUICK_TIMES "most-freezes = 1\n"
#define UNWATCHED                                                                          \
	"[recovery]\nidle-poll = 1h\nfast-poll = 20ms\nfast-poll-for = 0s\nhold = 100ms\n" \
	"settle = 1500ms\nmode = manual\n"
#define ONE_DEVICE QUICK_POLICY "[recovery 8086:10d3]\nmode = manual\n"

/* A kernel leaves what is frozen as it is when its group is let go: the next test would find it so.
 */
static void thaw(const struct world *world, const struct eeh_stage *stage)
{
	pe_wait_for_text(world, &stage->observer, "Recovery", "awaiting-request");
	pe_operate(world, &stage->observer, "Enable", NULL);
	pe_expect_check(world, &stage->observer, "normal");
}

static void expect_source(const struct world *world, const struct observer *observer,
			  uint32_t event, const char *source)
{
	char *text = pe_event_text(world, observer, event, "Source");

	assert_string_equal(text, source);
	free(text);
}

/* -- noticing -- */

static void test_h46_a_freeze_is_noticed_by_polling(void **state)
{
	const struct world *world = *state;
	struct pe_signal frozen;
	struct eeh_stage stage;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->edu, MANUAL);
	freeze_pe(world, world->host->edu, FREEZE_BOTH);
	/* Nobody asks. */
	frozen = observer_expect(&stage.observer, "Frozen");
	assert_string_equal(frozen.text, "stopped");
	expect_source(world, &stage.observer, frozen.event, "poll");
	pe_expect_text(world, &stage.observer, "State", "stopped");
	thaw(world, &stage);
	eeh_stage_close(world, &stage);
}

static void test_check_is_faster_than_a_slow_poll(void **state)
{
	const struct world *world = *state;
	struct pe_signal frozen;
	struct eeh_stage stage;
	uint64_t began;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, UNWATCHED);
	pe_expect_check(world, &stage.observer, "normal");
	(void)usleep(300000);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	assert_false(observer_next(&stage.observer, 1000, &frozen));
	began = now_in_ms();
	pe_expect_check(world, &stage.observer, "stopped");
	frozen = observer_expect(&stage.observer, "Frozen");
	assert_true(now_in_ms() - began < 1000);
	expect_source(world, &stage.observer, frozen.event, "check");
	thaw(world, &stage);
	eeh_stage_close(world, &stage);
}

/* -- manual mode -- */

static void test_manual_mode_waits(void **state)
{
	const struct world *world = *state;
	struct pe_signal signal;
	struct eeh_stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, MANUAL "first-reset = fundamental\n");
	observer_join(&stage.observer);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	signal = observer_expect(&stage.observer, "Frozen");
	event = signal.event;
	assert_false(observer_next(&stage.observer, 1000, &signal));
	pe_expect_text(world, &stage.observer, "Recovery", "awaiting-request");
	pe_expect_text(world, &stage.observer, "State", "stopped");
	assert_int_equal(pe_recover(world->client, &stage.observer, NULL), event);
	assert_int_equal(observer_answer_error(&stage.observer, "need-reset"), event);
	assert_int_equal(observer_expect(&stage.observer, "SlotReset").event, event);
	observer_vote(&stage.observer, event, "recovered", NULL);
	assert_int_equal(observer_expect_done(&stage.observer, true).event, event);
	pe_expect_check(world, &stage.observer, "normal");
	eeh_stage_close(world, &stage);
}

static void test_recover_of_a_sound_pe(void **state)
{
	const struct world *world = *state;
	struct eeh_stage stage;
	uint32_t event;

	skip_without_eeh(world);
	stage = eeh_stage_open(world, world->host->nic, QUICK_POLICY "first-reset = fundamental\n");
	event = pe_recover(world->client, &stage.observer, NULL);
	assert_int_not_equal(event, 0);
	assert_int_equal(observer_expect_done(&stage.observer, true).event, event);
	expect_source(world, &stage.observer, event, "request");
	assert_true(pe_event_steps(world, &stage.observer, event, "reset-fundamental", NULL) > 0);
	pe_expect_check(world, &stage.observer, "normal");
	eeh_stage_close(world, &stage);
}

/* -- the budget -- */

static void recover_by_thawing(const struct world *world, const struct observer *observer)
{
	uint32_t event;

	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	event = observer_answer_error(observer, "can-recover");
	assert_int_equal(observer_expect(observer, "MmioEnabled").event, event);
	observer_vote(observer, event, "recovered", NULL);
	assert_int_equal(observer_expect_done(observer, true).event, event);
}

static void test_h47_the_budget_runs_out(void **state)
{
	const struct world *world = *state;
	struct pe_signal done;
	struct eeh_stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, ONCE);
	observer_join(&stage.observer);
	assert_int_equal(pe_number(world, &stage.observer, "FreezesLeft"), 1);
	recover_by_thawing(world, &stage.observer);
	assert_int_equal(pe_number(world, &stage.observer, "FreezesLeft"), 0);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	done = observer_expect_done(&stage.observer, false);
	pe_expect_text(world, &stage.observer, "Recovery", "failed");
	pe_expect_text(world, &stage.observer, "State", "stopped");
	assert_int_equal(pe_number(world, &stage.observer, "Freezes"), 2);
	/* Nothing is done to it any more; it is not even asked for votes. */
	assert_int_equal(pe_event_steps(world, &stage.observer, done.event, "unfreeze-io", NULL),
			 0);
	pe_operate(world, &stage.observer, "UnfreezeIo", "RecoveryFailed");
	/* An operator begins anew. */
	event = pe_recover(world->client, &stage.observer, NULL);
	assert_int_equal(observer_answer_error(&stage.observer, "need-reset"), event);
	assert_int_equal(observer_expect(&stage.observer, "SlotReset").event, event);
	observer_vote(&stage.observer, event, "recovered", NULL);
	assert_int_equal(observer_expect_done(&stage.observer, true).event, event);
	pe_expect_check(world, &stage.observer, "normal");
	eeh_stage_close(world, &stage);
}

/* -- which policy applies -- */

static void test_policy_of_one_device(void **state)
{
	const struct world *world = *state;
	struct pe_signal signal;
	struct eeh_stage nic;
	struct eeh_stage edu;
	char *of_nic;

	skip_without_freezes(world);
	nic = eeh_stage_open(world, world->host->nic, ONE_DEVICE);
	edu = eeh_stage_open(world, world->host->edu,
			     ONE_DEVICE "[recovery 1234:11e8]\n"
					"first-reset = fundamental\n");
	of_nic = get_text(world->client, nic.observer.path, BUS_INTERFACE_PE, "Policy");
	assert_non_null(strstr(of_nic, "8086:10d3"));
	free(of_nic);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	freeze_pe(world, world->host->edu, FREEZE_BOTH);
	(void)observer_expect_done(&edu.observer, true);
	(void)observer_expect(&nic.observer, "Frozen");
	assert_false(observer_next(&nic.observer, 100, &signal));
	thaw(world, &nic);
	eeh_stage_release(world, &nic);
	eeh_stage_close(world, &edu);
}

#define TEST(function) cmocka_unit_test_teardown(function, forget_policy)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_h46_a_freeze_is_noticed_by_polling),
		/* The first one of its PE, which must not have frozen before. */
		TEST(test_h47_the_budget_runs_out),
		TEST(test_check_is_faster_than_a_slow_poll),
		TEST(test_manual_mode_waits),
		TEST(test_recover_of_a_sound_pe),
		TEST(test_policy_of_one_device),
	};

	return cmocka_run_group_tests_name("eeh-policy", tests, world_start_eeh, world_stop);
}
