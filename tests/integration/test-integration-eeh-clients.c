/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clients that do what they shouldn't while a PE is recovered, and processes that go in the middle
 * of it: each is told what is wrong, and the recovery is unharmed.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eeh.h"
#include "open_device.h"

#define FUNDAMENTAL QUICK_POLICY "first-reset = fundamental\n"
#define IMPATIENT   FUNDAMENTAL "vote-timeout = 1s\n"

#define CHECKS 600U

/* Freeze it, and wait until votes are asked for. The event. */
static uint32_t begin_event(const struct world *world, const struct observer *observer)
{
	struct pe_signal signal;

	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	(void)observer_expect(observer, "Frozen");
	signal = observer_expect(observer, "ErrorDetected");
	assert_string_equal(signal.text, "frozen");
	return signal.event;
}

/* The rest of one that nobody needs a reset for. */
static void finish_event(const struct world *world, const struct observer *observer, uint32_t event)
{
	assert_int_equal(observer_expect(observer, "MmioEnabled").event, event);
	observer_vote(observer, event, "recovered", NULL);
	assert_int_equal(observer_expect(observer, "Resume").event, event);
	assert_int_equal(observer_expect_done(observer, true).event, event);
	pe_expect_check(world, observer, "normal");
}

/* -- votes -- */

static void test_bad_votes(void **state)
{
	const struct world *world = *state;
	struct observer stranger;
	struct observer late;
	struct eeh_stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, FUNDAMENTAL);
	stranger = observer_open(world, world->host->nic);
	late = observer_open(world, world->host->nic);
	observer_join(&stage.observer);
	observer_vote(&stage.observer, 1, "can-recover", "NotFound"); /* there is no event */
	event = begin_event(world, &stage.observer);
	/* Who did not join, who uses another's cookie, and who came too late. */
	stranger.cookie = stage.observer.cookie + 1000;
	observer_vote(&stranger, event, "can-recover", "NotJoined");
	observer_leave(&stranger, "NotJoined");
	stranger.cookie = stage.observer.cookie;
	observer_vote(&stranger, event, "disconnect", DBUS_ERROR_ACCESS_DENIED);
	observer_leave(&stranger, DBUS_ERROR_ACCESS_DENIED);
	observer_join(&late);
	observer_vote(&late, event, "disconnect", "VoteClosed");
	/* Another event, words that there aren't, and one that doesn't fit the step. */
	observer_vote(&stage.observer, event + 1, "can-recover", "NotFound");
	observer_vote(&stage.observer, event, "maybe", "InvalidArgument");
	observer_vote(&stage.observer, event, "none", "InvalidArgument");
	observer_vote(&stage.observer, event, "recovered", "InvalidArgument");
	assert_non_null(strstr(last_error_text(), "can-recover"));
	observer_vote(&stage.observer, event, "can-recover", NULL);
	assert_int_equal(observer_expect(&stage.observer, "MmioEnabled").event, event);
	observer_vote(&stage.observer, event, "recovered", NULL);
	(void)observer_expect(&stage.observer, "Resume");
	assert_int_equal(observer_expect_done(&stage.observer, true).event, event);
	observer_vote(&stage.observer, event, "recovered", "NotFound"); /* it is over */
	observer_close(&stranger);
	observer_close(&late);
	eeh_stage_close(world, &stage);
}

static void test_two_votes_in_one_step(void **state)
{
	const struct world *world = *state;
	struct observer other;
	struct eeh_stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, FUNDAMENTAL);
	other = observer_open(world, world->host->nic);
	observer_join(&stage.observer);
	observer_join(&other);
	event = begin_event(world, &stage.observer);
	observer_vote(&stage.observer, event, "can-recover", NULL);
	observer_vote(&stage.observer, event, "disconnect", "VoteClosed");
	observer_vote(&other, event, "can-recover", NULL);
	(void)observer_expect(&stage.observer, "MmioEnabled");
	observer_vote(&other, event, "recovered", NULL);
	observer_vote(&other, event, "need-reset", "VoteClosed");
	observer_vote(&stage.observer, event, "recovered", NULL);
	assert_int_equal(observer_expect_done(&stage.observer, true).event, event);
	assert_int_equal(pe_event_steps(world, &stage.observer, event, "reset-fundamental", NULL),
			 0);
	observer_close(&other);
	eeh_stage_close(world, &stage);
}

static void test_late_vote(void **state)
{
	const struct world *world = *state;
	struct pe_signal signal;
	struct eeh_stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, IMPATIENT);
	observer_join(&stage.observer);
	event = begin_event(world, &stage.observer);
	pe_wait_for_text(world, &stage.observer, "Recovery", "resetting");
	observer_vote(&stage.observer, event, "can-recover", "VoteClosed");
	signal = observer_expect_done(&stage.observer, true);
	assert_int_equal(signal.event, event);
	assert_true(pe_event_steps(world, &stage.observer, event, "reset-fundamental", NULL) > 0);
	eeh_stage_close(world, &stage);
}

static void test_leaving_in_the_middle(void **state)
{
	const struct world *world = *state;
	struct eeh_stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, FUNDAMENTAL);
	observer_join(&stage.observer);
	event = begin_event(world, &stage.observer);
	observer_leave(&stage.observer, NULL);
	observer_leave(&stage.observer, "NotJoined");
	assert_int_equal(observer_expect_done(&stage.observer, true).event, event);
	assert_true(pe_event_steps(world, &stage.observer, event, "reset-fundamental", NULL) > 0);
	eeh_stage_close(world, &stage);
}

/* -- operations and floods -- */

static void test_operations_during_a_recovery(void **state)
{
	static const char *const operations[] = {"Enable",      "Disable",   "UnfreezeIo",
						 "UnfreezeDma", "Configure", "hot",
						 "fundamental", "deactivate"};
	const struct world *world = *state;
	struct eeh_stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, FUNDAMENTAL);
	observer_join(&stage.observer);
	event = begin_event(world, &stage.observer);
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		pe_operate(world, &stage.observer, operations[i], "Busy");
	}
	(void)pe_recover(world->client, &stage.observer, "Busy");
	detach(world->client, stage.space, world->host->nic, "Busy");
	(void)open_device(world, world->client, world->host->nic, "Frozen");
	pe_expect_check(world, &stage.observer, "stopped");
	observer_vote(&stage.observer, event, "can-recover", NULL);
	finish_event(world, &stage.observer, event);
	pe_operate(world, &stage.observer, "Enable", NULL);
	eeh_stage_close(world, &stage);
}

/* More Checks than anybody needs: each is answered, by a state or by a refusal with a name. */
static void test_flood_of_checks(void **state)
{
	static DBusPendingCall *pending[CHECKS];
	const struct world *world = *state;
	unsigned int states = 0;
	struct eeh_stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, FUNDAMENTAL);
	observer_join(&stage.observer);
	event = begin_event(world, &stage.observer);
	for (size_t i = 0; i < CHECKS; i++) {
		pending[i] = pe_send(world->client, &stage.observer, "Check", NULL);
	}
	observer_vote(&stage.observer, event, "can-recover", NULL);
	finish_event(world, &stage.observer, event);
	for (size_t i = 0; i < CHECKS; i++) {
		struct pe_reply reply = pe_receive(pending[i]);

		states += reply.error[0] == '\0';
		if (reply.error[0] != '\0' &&
		    strcmp(reply.error, BUS_ERROR_PREFIX "QuotaExceeded") != 0 &&
		    strcmp(reply.error, DBUS_ERROR_LIMITS_EXCEEDED) != 0) {
			fail_msg("%s: %s", reply.error, reply.text);
		}
	}
	assert_true(states > 0);
	eeh_stage_close(world, &stage);
}

/* The same while nothing else is going on: they are no more than a few looks. */
static void test_flood_of_checks_of_a_sound_pe(void **state)
{
	static DBusPendingCall *pending[CHECKS];
	const struct world *world = *state;
	struct eeh_stage stage;

	skip_without_eeh(world);
	stage = eeh_stage_open(world, world->host->nic, FUNDAMENTAL);
	for (size_t i = 0; i < CHECKS; i++) {
		pending[i] = pe_send(stage.observer.connection, &stage.observer, "Check", NULL);
	}
	/* Others are served meanwhile. */
	assert_int_equal(pe_number(world, &stage.observer, "Participants"), 0);
	for (size_t i = 0; i < CHECKS; i++) {
		struct pe_reply reply = pe_receive(pending[i]);

		if (reply.error[0] == '\0') {
			assert_string_equal(reply.text, "normal");
		}
	}
	pe_expect_check(world, &stage.observer, "normal");
	eeh_stage_close(world, &stage);
}

/* -- those who go in the middle -- */

/*
 * What was under way is over, and who comes next finds a PE that works, or one that is recovered
 * first: no kernel thaws what is frozen when its group is let go.
 */
static void expect_usable(const struct world *world)
{
	struct eeh_stage stage = eeh_stage_open(world, world->host->nic, FUNDAMENTAL);
	uint32_t event;

	pe_wait_for_text(world, &stage.observer, "State", "normal");
	pe_wait_for_text(world, &stage.observer, "Recovery", "idle");
	pe_expect_check(world, &stage.observer, "normal");
	observer_close(&stage.observer);
	stage.observer = observer_open(world, world->host->nic);
	observer_join(&stage.observer);
	event = begin_event(world, &stage.observer);
	observer_vote(&stage.observer, event, "can-recover", NULL);
	finish_event(world, &stage.observer, event);
	eeh_stage_close(world, &stage);
}

static bool space_is_gone(void *userdata)
{
	static const char *const names[] = {BUS_INTERFACE_SPACE, "Name"};
	const struct eeh_stage *stage = userdata;
	DBusMessage *message = dbus_message_new_method_call(BUS_NAME, stage->space,
							    DBUS_INTERFACE_PROPERTIES, "Get");
	DBusError error = DBUS_ERROR_INIT;
	DBusMessage *reply;
	bool is_gone;

	assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &names[0], DBUS_TYPE_STRING,
					     &names[1], DBUS_TYPE_INVALID));
	reply = dbus_connection_send_with_reply_and_block(stage->observer.connection, message,
							  10000, &error);
	is_gone = dbus_error_has_name(&error, DBUS_ERROR_UNKNOWN_OBJECT);
	dbus_error_free(&error);
	dbus_message_unref(message);
	if (reply) {
		dbus_message_unref(reply);
	}
	return is_gone;
}

static void test_worker_killed_while_votes_are_due(void **state)
{
	const struct world *world = *state;
	struct pe_signal done;
	struct eeh_stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, FUNDAMENTAL);
	observer_join(&stage.observer);
	event = begin_event(world, &stage.observer);
	assert_int_equal(kill(worker_pid(world, stage.space), SIGKILL), 0);
	done = observer_expect_done(&stage.observer, false);
	assert_int_equal(done.event, event);
	assert_string_not_equal(done.text, "");
	observer_vote(&stage.observer, event, "can-recover", "NotFound");
	wait_for(space_is_gone, &stage, "the address space is gone");
	observer_close(&stage.observer);
	free(stage.space);
	wait_until_nothing_is_left(world);
	expect_usable(world);
}

static void test_worker_killed_during_a_reset(void **state)
{
	const struct world *world = *state;
	struct eeh_stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, QUICK_POLICY "first-reset = hot\n");
	slow_down_resets(world, 2000);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	event = observer_expect(&stage.observer, "Frozen").event;
	pe_wait_for_text(world, &stage.observer, "Recovery", "resetting");
	(void)usleep(500000);
	assert_int_equal(kill(worker_pid(world, stage.space), SIGKILL), 0);
	assert_int_equal(observer_expect_done(&stage.observer, false).event, event);
	wait_for(space_is_gone, &stage, "the address space is gone");
	observer_close(&stage.observer);
	free(stage.space);
	slow_down_resets(world, 0);
	wait_until_nothing_is_left(world);
	expect_usable(world);
}

/* The address space goes with its owner, recovery or not. */
static void test_owner_leaves_the_bus(void **state)
{
	const struct world *world = *state;
	DBusConnection *owner;
	struct eeh_stage stage;
	uint32_t event;

	skip_without_freezes(world);
	owner = client_open();
	set_policy(world, FUNDAMENTAL, NULL);
	stage.space = space_create(owner, "leaving");
	attach(owner, stage.space, world->host->nic, NULL);
	stage.observer = observer_open(world, world->host->nic);
	observer_join(&stage.observer);
	event = begin_event(world, &stage.observer);
	client_close(owner);
	assert_int_equal(observer_expect_done(&stage.observer, false).event, event);
	wait_for(space_is_gone, &stage, "the address space is gone");
	observer_close(&stage.observer);
	free(stage.space);
	wait_until_nothing_is_left(world);
	expect_usable(world);
}

#define TEST(function) cmocka_unit_test_teardown(function, forget_policy)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_bad_votes),
		TEST(test_two_votes_in_one_step),
		TEST(test_late_vote),
		TEST(test_leaving_in_the_middle),
		TEST(test_operations_during_a_recovery),
		TEST(test_flood_of_checks),
		TEST(test_flood_of_checks_of_a_sound_pe),
		TEST(test_worker_killed_while_votes_are_due),
		TEST(test_worker_killed_during_a_reset),
		TEST(test_owner_leaves_the_bus),
	};

	return cmocka_run_group_tests_name("eeh-clients", tests, world_start_eeh, world_stop);
}
