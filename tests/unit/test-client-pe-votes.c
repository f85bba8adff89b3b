/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a participant of libspaprd is told of an event, how it votes, and its hints. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client_fixture.h"
#include "unit.h"

/* -- steps -- */

static void test_every_callback(void **state)
{
	struct world *world = *state;

	join_group(world);
	world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_CAN_RECOVER;
	world->vote[SPAPRD_STEP_MMIO_ENABLED] = SPAPRD_VOTE_NEED_RESET;
	world->vote[SPAPRD_STEP_SLOT_RESET] = SPAPRD_VOTE_RECOVERED;
	peer_signal(world, "Frozen", 5, "stopped");
	peer_signal(world, "ErrorDetected", 5, "frozen");
	expect_log(world, "error-detected 5 1;");
	expect_calls(world, "Vote 3 7 5 can-recover;");
	peer_signal(world, "MmioEnabled", 5, "");
	expect_log(world, "mmio-enabled 5;");
	expect_calls(world, "Vote 3 7 5 need-reset;");
	peer_signal(world, "SlotReset", 5, "");
	expect_log(world, "slot-reset 5;");
	expect_calls(world, "Vote 3 7 5 recovered;");
	peer_signal(world, "Resume", 5, "");
	peer_signal(world, "RecoveryDone", 5, "recovered");
	expect_log(world, "resume 5;done 5 1 4321 recovered;");
	peer_signal(world, "Disconnect", 6, "");
	peer_signal(world, "RecoveryDone", 6, "too many freezes");
	expect_log(world, "disconnect 6;done 6 0 4321 too many freezes;");
	expect_silence(world);
}

static void test_every_vote_in_every_step(void **state)
{
	static const struct {
		const char *signal;
		const char *channel;
		enum spaprd_step step;
		bool takes[5]; /* by vote */
	} steps[] = {
		{"ErrorDetected", "unavailable", SPAPRD_STEP_ERROR_DETECTED, {0, 0, 1, 1, 1}},
		{"MmioEnabled", "", SPAPRD_STEP_MMIO_ENABLED, {0, 1, 1, 1, 1}},
		{"SlotReset", "", SPAPRD_STEP_SLOT_RESET, {0, 1, 0, 1, 1}},
	};
	struct world *world = *state;

	join_group(world);
	for (size_t i = 0; i < 3; i++) {
		for (int vote = SPAPRD_VOTE_RECOVERED; vote <= SPAPRD_VOTE_DISCONNECT; vote++) {
			bool right = steps[i].takes[vote];
			char calls[64];

			world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_LATER;
			world->vote[steps[i].step] = (enum spaprd_vote)vote;
			peer_signal(world, "ErrorDetected", 5, "unavailable");
			if (i > 0) {
				peer_signal(world, steps[i].signal, 5, steps[i].channel);
			}
			(void)snprintf(calls, sizeof(calls), "Vote 3 7 5 %s;",
				       right ? spaprd_vote_name((enum spaprd_vote)vote)
					     : "need-reset");
			expect_calls(world, calls);
			assert_true((strstr(world->log, "vote-failed 5 -22 the step takes ") !=
				     NULL) == !right);
			assert_non_null(strstr(world->log, "error-detected 5 2;"));
			world->log[0] = '\0';
		}
	}
}

static void test_callbacks_that_are_missing(void **state)
{
	const struct spaprd_pe_callbacks least = {
		.size = sizeof(least),
		.error_detected = all_callbacks.error_detected,
	};
	struct world *world = *state;

	world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_CAN_RECOVER;
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &least, world, &world->pe, NULL), 0);
	expect_calls(world, "Join 3;");
	while (!spaprd_pe_is_joined(world->pe)) {
		(void)spaprd_client_wait(world->client, 10);
	}
	peer_signal(world, "ErrorDetected", 5, "something new");
	expect_log(world, "error-detected 5 0;");
	expect_calls(world, "Vote 3 7 5 can-recover;");
	peer_signal(world, "MmioEnabled", 5, "");
	expect_calls(world, "Vote 3 7 5 recovered;");
	peer_tell(world, "Fail", BUS_ERROR_PREFIX "VoteClosed");
	peer_signal(world, "SlotReset", 5, "");
	expect_calls(world, "Vote 3 7 5 recovered;");
	peer_signal(world, "Resume", 5, "");
	peer_signal(world, "Disconnect", 5, "");
	peer_signal(world, "RecoveryDone", 5, "recovered");
	assert_int_equal(spaprd_pe_check(world->pe, NULL), 0);
	expect_calls(world, "Check 3;");
	expect_silence(world);
}

static void test_late_votes(void **state)
{
	struct world *world = *state;
	struct spaprd_pe *pe;
	struct spaprd_error error;

	join_group(world);
	pe = world->pe;
	assert_int_equal(
		spaprd_pe_vote(pe, 5, SPAPRD_STEP_ERROR_DETECTED, SPAPRD_VOTE_NEED_RESET, &error),
		-ESTALE);
	peer_signal(world, "ErrorDetected", 5, "frozen");
	expect_log(world, "error-detected 5 1;");
	expect_silence(world);
	assert_int_equal(
		spaprd_pe_vote(pe, 4, SPAPRD_STEP_ERROR_DETECTED, SPAPRD_VOTE_NEED_RESET, &error),
		-ESTALE);
	assert_non_null(strstr(error.text, "event 4"));
	assert_int_equal(
		spaprd_pe_vote(pe, 5, SPAPRD_STEP_ERROR_DETECTED, SPAPRD_VOTE_RECOVERED, &error),
		-EINVAL);
	assert_non_null(strstr(error.text, "can-recover, need-reset or disconnect"));
	assert_int_equal(
		spaprd_pe_vote(pe, 5, SPAPRD_STEP_ERROR_DETECTED, SPAPRD_VOTE_LATER, &error),
		-EINVAL);
	assert_int_equal(
		spaprd_pe_vote(pe, 5, SPAPRD_STEP_ERROR_DETECTED, SPAPRD_VOTE_CAN_RECOVER, &error),
		0);
	expect_calls(world, "Vote 3 7 5 can-recover;");
	/* Once is all. */
	assert_int_equal(
		spaprd_pe_vote(pe, 5, SPAPRD_STEP_ERROR_DETECTED, SPAPRD_VOTE_CAN_RECOVER, &error),
		-ESTALE);
	/* A vote for a step that is over is no vote for the next one. */
	peer_signal(world, "SlotReset", 5, "");
	expect_log(world, "slot-reset 5;");
	assert_int_equal(
		spaprd_pe_vote(pe, 5, SPAPRD_STEP_MMIO_ENABLED, SPAPRD_VOTE_RECOVERED, &error),
		-ESTALE);
	peer_signal(world, "RecoveryDone", 5, "recovered");
	expect_log(world, "done 5 1 4321 recovered;");
	assert_int_equal(
		spaprd_pe_vote(pe, 5, SPAPRD_STEP_SLOT_RESET, SPAPRD_VOTE_RECOVERED, &error),
		-ESTALE);
	expect_silence(world);
}

static void test_a_vote_inside_of_the_callback(void **state)
{
	struct world *world = *state;

	join_group(world);
	world->vote_inside = true;
	world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_DISCONNECT;
	peer_signal(world, "ErrorDetected", 5, "frozen");
	expect_log(world, "error-detected 5 1;");
	expect_calls(world, "Vote 3 7 5 disconnect;");
	expect_silence(world);
}

static void test_leaving_inside_of_the_callback(void **state)
{
	struct world *world = *state;

	join_group(world);
	world->leave_inside = true;
	world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_DISCONNECT;
	peer_signal(world, "ErrorDetected", 5, "frozen");
	expect_log(world, "error-detected 5 1;");
	expect_calls(world, "Leave 3 7;");
	expect_silence(world);
}

static void test_a_vote_that_is_refused(void **state)
{
	struct world *world = *state;

	join_group(world);
	world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_CAN_RECOVER;
	peer_tell(world, "Fail", BUS_ERROR_PREFIX "VoteClosed");
	peer_signal(world, "ErrorDetected", 5, "frozen");
	expect_log(world, "error-detected 5 1;vote-failed 5 -116 as it was told;");
}

/* Steps of an event that began before, signals of other types, and those of others. */
static void test_signals_that_are_not_ours(void **state)
{
	struct world *world = *state;
	DBusMessage *forged;
	dbus_uint32_t event = 5;
	char client_name[32];

	/* The names go up: the test's own, the client's, the peer's. */
	(void)snprintf(client_name, sizeof(client_name), ":1.1");
	join_group(world);
	peer_signal(world, "MmioEnabled", 5, "");
	peer_signal(world, "SlotReset", 5, "");
	peer_signal(world, "Resume", 5, "");
	peer_signal(world, "Resume", 5, "more than there should be");
	peer_signal(world, "Nonsense", 5, "");
	peer_signal_at(world, BUS_PATH_GROUP_PREFIX "33", "Disconnect", 5, "");
	/* The bus hands it on without any match. */
	forged = dbus_message_new_signal(GROUP_PATH, BUS_INTERFACE_PE, "Disconnect");
	(void)dbus_message_append_args(forged, DBUS_TYPE_UINT32, &event, DBUS_TYPE_INVALID);
	(void)dbus_message_set_destination(forged, client_name);
	assert_true(dbus_connection_send(world->control, forged, NULL));
	dbus_connection_flush(world->control);
	expect_silence(world);
	/* From the right one it would count. */
	dbus_message_unref(forged);
	peer_signal(world, "Disconnect", 5, "");
	expect_log(world, "disconnect 5;");
}

/* -- hints -- */

static void test_checks(void **state)
{
	struct world *world = *state;

	join_group(world);
	peer_tell(world, "Hold", "");
	/* While one is under way they are one. */
	for (int i = 0; i < 100; i++) {
		assert_int_equal(spaprd_pe_check(world->pe, NULL), 0);
	}
	expect_calls(world, "Check 3;");
	peer_tell(world, "Release", "");
	expect_log(world, "checked 0 stopped;");
	peer_tell(world, "Fail", BUS_ERROR_PREFIX "QuotaExceeded");
	assert_int_equal(spaprd_pe_check(world->pe, NULL), 0);
	expect_log(world, "checked -122 as it was told;");
	expect_calls(world, "Check 3;");
}

static void test_errors_have_their_errnos(void **state)
{
	static const struct {
		const char *name;
		int errnum;
	} cases[] = {
		{BUS_ERROR_PREFIX "InvalidArgument", -EINVAL},
		{BUS_ERROR_PREFIX "NotFound", -ENOENT},
		{BUS_ERROR_PREFIX "EehUnavailable", -ENODEV},
		{BUS_ERROR_PREFIX "EehManyGroups", -ENOTUNIQ},
		{BUS_ERROR_PREFIX "Busy", -EBUSY},
		{BUS_ERROR_PREFIX "NotJoined", -ENOTCONN},
		{BUS_ERROR_PREFIX "WorkerLost", -EREMOTEIO},
		{DBUS_ERROR_UNKNOWN_METHOD, -ENODEV},
		{DBUS_ERROR_UNKNOWN_OBJECT, -ENOENT},
	};
	struct world *world = *state;

	join_group(world);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char log[64];

		peer_tell(world, "Fail", cases[i].name);
		assert_int_equal(spaprd_pe_check(world->pe, NULL), 0);
		(void)snprintf(log, sizeof(log), "checked %d as it was told;", cases[i].errnum);
		expect_log(world, log);
	}
}

/* -- words -- */

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(spaprd_vote_name(SPAPRD_VOTE_LATER), "later");
	assert_string_equal(spaprd_vote_name((enum spaprd_vote)9), "");
	assert_string_equal(spaprd_step_name(SPAPRD_STEP_ERROR_DETECTED), "error-detected");
	assert_string_equal(spaprd_step_name(SPAPRD_STEP_MMIO_ENABLED), "mmio-enabled");
	assert_string_equal(spaprd_step_name(SPAPRD_STEP_SLOT_RESET), "slot-reset");
	assert_string_equal(spaprd_step_name((enum spaprd_step)9), "");
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, client_fixture_set_up_with_peer, \
					client_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_every_callback),
		TEST(test_every_vote_in_every_step),
		TEST(test_callbacks_that_are_missing),
		TEST(test_late_votes),
		TEST(test_a_vote_inside_of_the_callback),
		TEST(test_leaving_inside_of_the_callback),
		TEST(test_a_vote_that_is_refused),
		TEST(test_signals_that_are_not_ours),
		TEST(test_checks),
		TEST(test_errors_have_their_errnos),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
