/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Long random walks through one recovery: real times, many participants, policies that change on
 * the way, inputs that come while actions are left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eeh/recovery_private.h"
#include "recovery_watch.h"
#include "unit.h"

#define WALKS   40U
#define STEPS   20000U
#define COOKIES 80U /* more than may join */

struct walk {
	uint64_t seed;
	uint64_t now;
	uint32_t next_event;
	struct recovery_policy policy;
	struct recovery *recovery;
	struct watch watch;
	bool joined[COOKIES + 1];
	uint32_t joined_count;
	uint32_t events;
};

static uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static uint32_t below(struct walk *walk, uint32_t limit)
{
	return (uint32_t)(random_next(&walk->seed) % limit);
}

static void change_policy(struct walk *walk)
{
	walk->policy = RECOVERY_POLICY_DEFAULT;
	walk->policy.manual = below(walk, 4) == 0;
	walk->policy.no_escalation = below(walk, 3) == 0;
	walk->policy.first_reset = (enum recovery_reset)below(walk, 3);
	walk->policy.most_freezes = 1 + below(walk, 40);
	walk->policy.freeze_window_seconds = 1 + below(walk, 2000);
	walk->policy.normal_timeout = 1 + below(walk, 2000);
	walk->policy.host_timeout = 1 + below(walk, 4000);
	recovery_set_policy(walk->recovery, &walk->policy);
	recovery_set_needs_fundamental(walk->recovery, below(walk, 2));
}

static void do_result(struct walk *walk)
{
	/* Mostly what one hopes for, so that events get far. */
	static const enum pe_condition conditions[] = {
		PE_NORMAL,      PE_NORMAL,  PE_NORMAL, PE_NORMAL,      PE_NORMAL,
		PE_STOPPED,     PE_STOPPED, PE_RESET,  PE_STOPPED_DMA, PE_STOPPED_IO,
		PE_UNAVAILABLE, PE_GONE,    PE_UNKNOWN};
	struct recovery_result result = {
		.condition = conditions[below(walk, sizeof(conditions) / sizeof(*conditions))],
		.silent = below(walk, 10) == 0,
	};

	if (!walk->watch.operating) {
		return;
	}
	/* What is noticed is mostly so. */
	if (walk->watch.event == 0 && below(walk, 4) != 0) {
		result.condition = PE_STOPPED;
	}
	if (below(walk, 12) == 0) {
		result.code = ERROR_KERNEL;
		result.errnum = 5;
	}
	walk->now += below(walk, 4) == 0 ? below(walk, 5000) : below(walk, 5);
	if (walk->now > recovery_deadline(walk->recovery)) {
		walk->now = recovery_deadline(walk->recovery);
	}
	recovery_operation_done(walk->recovery, walk->now, &result);
	watch_result(&walk->watch, &result);
}

static void do_time(struct walk *walk)
{
	uint64_t deadline = recovery_deadline(walk->recovery);

	/* Operations rarely take too long. */
	if (deadline == UINT64_MAX || (walk->watch.operating && below(walk, 50) != 0)) {
		return;
	}
	walk->now = deadline;
	watch_no_vote(&walk->watch);
	recovery_expire(walk->recovery, walk->now);
}

static void do_vote(struct walk *walk)
{
	enum verdict verdict = (enum verdict)below(walk, 5);
	uint32_t cookie = below(walk, COOKIES + 1);
	uint32_t event = recovery_event(walk->recovery) + (below(walk, 20) == 0);
	struct recovery before;
	struct error error;

	memcpy(&before, walk->recovery, sizeof(before));
	if (recovery_vote(walk->recovery, walk->now, cookie, event, verdict, &error) == 0) {
		watch_vote(&walk->watch, verdict);
	} else {
		assert_memory_equal(walk->recovery, &before, sizeof(before));
	}
}

/* Everybody votes the same, or most do. */
static void do_votes(struct walk *walk)
{
	enum verdict verdict = (enum verdict)(1 + below(walk, 4));

	for (uint32_t cookie = 1; cookie <= COOKIES; cookie++) {
		uint32_t event = recovery_event(walk->recovery);

		if (walk->recovery->action_count == 0 &&
		    recovery_vote(walk->recovery, walk->now, cookie, event, verdict, NULL) == 0) {
			watch_vote(&walk->watch, verdict);
		}
	}
}

static void do_join_or_leave(struct walk *walk)
{
	uint32_t cookie = 1 + below(walk, COOKIES);

	if (walk->joined[cookie]) {
		watch_no_vote(&walk->watch);
		assert_int_equal(recovery_leave(walk->recovery, walk->now, cookie, NULL), 0);
		walk->joined[cookie] = false;
		walk->joined_count--;
	} else if (walk->joined_count < RECOVERY_PARTICIPANTS_MAX) {
		assert_int_equal(recovery_join(walk->recovery, cookie, NULL), 0);
		walk->joined[cookie] = true;
		walk->joined_count++;
	} else {
		assert_int_equal(recovery_join(walk->recovery, cookie, NULL), ERROR_QUOTA_EXCEEDED);
	}
}

static void do_notice(struct walk *walk)
{
	enum pe_condition condition = (enum pe_condition)below(walk, PE_GONE + 1);

	if (recovery_notice(walk->recovery, walk->now, walk->next_event, condition)) {
		walk->next_event++;
	}
}

static void do_request(struct walk *walk)
{
	uint32_t event = 0;

	if (recovery_request(walk->recovery, walk->now, walk->next_event, &event, NULL) == 0) {
		watch_request(&walk->watch, event);
		walk->next_event += event == walk->next_event;
	}
}

static void do_something(struct walk *walk)
{
	uint32_t choice = below(walk, 1000);

	walk->now += below(walk, 3);
	if (choice < 400) {
		do_result(walk);
	} else if (choice < 600) {
		do_time(walk);
	} else if (choice < 700) {
		do_vote(walk);
	} else if (choice < 760) {
		do_votes(walk);
	} else if (choice < 800) {
		do_join_or_leave(walk);
	} else if (choice < 960) {
		do_notice(walk);
	} else if (choice < 996) {
		do_request(walk);
	} else if (choice < 998) {
		recovery_abort(walk->recovery, walk->now, "gone");
		watch_abort(&walk->watch);
	} else if (!walk->watch.event) {
		change_policy(walk);
	}
}

static struct recovery *new_recovery(void)
{
	const struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;
	struct recovery *recovery = NULL;

	assert_int_equal(recovery_new(&policy, &recovery), 0);
	return recovery;
}

static void go(struct walk *walk)
{
	walk->recovery = new_recovery();
	change_policy(walk);
	for (unsigned int i = 0; i < STEPS; i++) {
		uint64_t deadline;

		/* Nobody is late in calling. */
		deadline = recovery_deadline(walk->recovery);
		walk->now = walk->now < deadline ? walk->now : deadline;
		do_something(walk);
		(void)watch_actions(&walk->watch, walk->recovery, &walk->policy, 0);
		walk->events += walk->watch.dones;
	}
	walk->recovery = recovery_free(walk->recovery);
}

static void test_walks(void **state)
{
	uint32_t events = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= WALKS; seed++) {
		struct walk walk = {.seed = seed * 0x9e3779b97f4a7c15U, .next_event = 1};

		print_message("seed %ju\n", (uintmax_t)seed);
		go(&walk);
		events += walk.events;
	}
	print_message("%u events\n", events);
	assert_true(events > WALKS * 100);
}

/* Inputs of all kinds, and nobody takes the actions for a while: they stay bounded. */
static void test_actions_that_nobody_takes(void **state)
{
	unsigned int most = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= WALKS; seed++) {
		struct walk walk = {.seed = seed * 0xbf58476d1ce4e5b9U, .next_event = 1};
		struct recovery_action action;

		print_message("seed %ju\n", (uintmax_t)seed);
		walk.recovery = new_recovery();
		for (unsigned int i = 0; i < STEPS; i++) {
			struct recovery_result result = {
				.condition = (enum pe_condition)below(&walk, PE_GONE + 1)};

			if (below(&walk, 3) == 0) {
				recovery_operation_done(walk.recovery, walk.now, &result);
			} else if (below(&walk, 3) == 0) {
				recovery_expire(walk.recovery, walk.now);
				walk.now += below(&walk, 20000);
			} else if (below(&walk, 4) == 0) {
				do_join_or_leave(&walk);
			} else if (below(&walk, 30) == 0) {
				recovery_abort(walk.recovery, walk.now, "gone");
			} else {
				do_notice(&walk);
			}
			if (walk.recovery->action_count > most) {
				most = walk.recovery->action_count;
			}
			assert_true(walk.recovery->action_count < RECOVERY_ACTIONS_MAX);
			while (below(&walk, 3) == 0 &&
			       recovery_take_action(walk.recovery, &action)) {
			}
		}
		recovery_free(walk.recovery);
	}
	print_message("at most %u actions were left\n", most);
	assert_true(most > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks),
		cmocka_unit_test(test_actions_that_nobody_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
