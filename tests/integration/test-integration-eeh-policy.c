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

struct stage {
	char *space;
	struct observer observer;
};

static struct stage stage_open(const struct world *world, const char *device, const char *policy)
{
	struct stage stage;

	set_policy(world, policy, NULL);
	stage.space = space_create(world->client, "policy");
	attach(world->client, stage.space, device, NULL);
	stage.observer = observer_open(world, device);
	return stage;
}

/* A kernel leaves what is frozen as it is when its group is let go: the next test would find it so.
 */
static void thaw(const struct world *world, const struct stage *stage)
{
	pe_wait_for_text(world, &stage->observer, "Recovery", "awaiting-request");
	pe_operate(world, &stage->observer, "Enable", NULL);
	pe_expect_check(world, &stage->observer, "normal");
}

static void stage_close(const struct world *world, struct stage *stage)
{
	observer_close(&stage->observer);
	space_close(world->client, stage->space);
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
	struct stage stage;

	skip_without_freezes(world);
	stage = stage_open(world, world->host->edu, MANUAL);
	freeze_pe(world, world->host->edu, FREEZE_BOTH);
	/* Nobody asks. */
	frozen = observer_expect(&stage.observer, "Frozen");
	assert_string_equal(frozen.text, "stopped");
	expect_source(world, &stage.observer, frozen.event, "poll");
	pe_expect_text(world, &stage.observer, "State", "stopped");
	thaw(world, &stage);
	stage_close(world, &stage);
	wait_until_nothing_is_left(world);
}

static void test_check_is_faster_than_a_slow_poll(void **state)
{
	const struct world *world = *state;
	struct pe_signal frozen;
	struct stage stage;
	uint64_t began;

	skip_without_freezes(world);
	stage = stage_open(world, world->host->nic, UNWATCHED);
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
	stage_close(world, &stage);
	wait_until_nothing_is_left(world);
}

/* -- manual mode -- */

static void test_manual_mode_waits(void **state)
{
	const struct world *world = *state;
	struct pe_signal signal;
	struct stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = stage_open(world, world->host->nic, MANUAL "first-reset = fundamental\n");
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
	stage_close(world, &stage);
	wait_until_nothing_is_left(world);
}

static void test_recover_of_a_sound_pe(void **state)
{
	const struct world *world = *state;
	struct stage stage;
	uint32_t event;

	skip_without_eeh(world);
	stage = stage_open(world, world->host->nic, QUICK_POLICY "first-reset = fundamental\n");
	event = pe_recover(world->client, &stage.observer, NULL);
	assert_int_not_equal(event, 0);
	assert_int_equal(observer_expect_done(&stage.observer, true).event, event);
	expect_source(world, &stage.observer, event, "request");
	assert_true(pe_event_steps(world, &stage.observer, event, "reset-fundamental", NULL) > 0);
	pe_expect_check(world, &stage.observer, "normal");
	stage_close(world, &stage);
	wait_until_nothing_is_left(world);
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
	struct stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = stage_open(world, world->host->nic, ONCE);
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
	stage_close(world, &stage);
	wait_until_nothing_is_left(world);
}

/* -- which policy applies -- */

static void test_policy_of_one_device(void **state)
{
	const struct world *world = *state;
	struct pe_signal signal;
	struct stage nic;
	struct stage edu;
	char *of_nic;

	skip_without_freezes(world);
	nic = stage_open(world, world->host->nic, ONE_DEVICE);
	edu = stage_open(world, world->host->edu,
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
	stage_close(world, &nic);
	stage_close(world, &edu);
	wait_until_nothing_is_left(world);
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
