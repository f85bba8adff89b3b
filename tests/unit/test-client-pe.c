/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libspaprd against a peer that has spaprd's name on a bus of the test's own. The peer records what
 * it is asked, and a second connection of the test's has it send signals, refuse, or be silent.
 */
#include <dbus/dbus.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spaprd/pe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/names.h"
#include "support/fake_service.h"
#include "support/private_bus.h"
#include "unit.h"

#define TEST_INTERFACE "org.spaprd1.Test"
#define GROUP          3U
#define GROUP_PATH     BUS_PATH_GROUP_PREFIX "3"
#define PATIENCE       5000 /* ms */

/* -- the peer: in a process of its own -- */

static char recorded[1024];
static char next_error[64]; /* that the next call is answered with */
static bool hold;           /* the next call is answered when Release is called */
static DBusMessage *held;
static dbus_uint32_t next_cookie = 7;

/* "Vote 3 7 5 can-recover;" */
static void record_call(DBusMessage *call)
{
	size_t used = strlen(recorded);
	DBusMessageIter iter;

	used += (size_t)snprintf(recorded + used, sizeof(recorded) - used, "%s %s",
				 dbus_message_get_member(call),
				 strrchr(dbus_message_get_path(call), '/') + 1);
	(void)dbus_message_iter_init(call, &iter);
	do {
		dbus_uint32_t number = 0;
		const char *text = NULL;

		if (dbus_message_iter_get_arg_type(&iter) == DBUS_TYPE_UINT32) {
			dbus_message_iter_get_basic(&iter, &number);
			used += (size_t)snprintf(recorded + used, sizeof(recorded) - used,
						 " %" PRIu32, number);
		} else if (dbus_message_iter_get_arg_type(&iter) == DBUS_TYPE_STRING) {
			dbus_message_iter_get_basic(&iter, &text);
			used += (size_t)snprintf(recorded + used, sizeof(recorded) - used, " %s",
						 text);
		}
	} while (dbus_message_iter_next(&iter));
	(void)snprintf(recorded + used, sizeof(recorded) - used, ";");
}

static DBusMessage *return_for(DBusMessage *call)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	const char *state = "stopped";

	if (dbus_message_has_member(call, "Join")) {
		(void)dbus_message_append_args(reply, DBUS_TYPE_UINT32, &next_cookie,
					       DBUS_TYPE_INVALID);
		next_cookie++;
	} else if (dbus_message_has_member(call, "Check")) {
		(void)dbus_message_append_args(reply, DBUS_TYPE_STRING, &state, DBUS_TYPE_INVALID);
	}
	return reply;
}

static DBusMessage *answer_pe(DBusMessage *call)
{
	DBusMessage *reply;

	record_call(call);
	if (dbus_message_get_no_reply(call)) {
		return NULL;
	}
	if (hold) {
		hold = false;
		held = dbus_message_ref(call);
		return NULL;
	}
	if (strcmp(next_error, "type") == 0) {
		reply = dbus_message_new_method_return(call);
		(void)dbus_message_append_args(reply, DBUS_TYPE_STRING, &(const char *){"?"},
					       DBUS_TYPE_STRING, &(const char *){"?"},
					       DBUS_TYPE_INVALID);
	} else if (next_error[0]) {
		reply = dbus_message_new_error(call, next_error, "as it was told");
	} else {
		return return_for(call);
	}
	next_error[0] = '\0';
	return reply;
}

/* The arguments are the signal's: path, member, event, and what is behind that. */
static void send_signal(DBusMessage *call)
{
	const char *path = NULL;
	const char *member = NULL;
	const char *text = NULL;
	dbus_uint32_t event = 0;
	dbus_bool_t recovered = FALSE;
	dbus_uint32_t milliseconds = 4321;
	DBusMessage *signal;

	(void)dbus_message_get_args(call, NULL, DBUS_TYPE_STRING, &path, DBUS_TYPE_STRING, &member,
				    DBUS_TYPE_UINT32, &event, DBUS_TYPE_STRING, &text,
				    DBUS_TYPE_INVALID);
	signal = dbus_message_new_signal(path, BUS_INTERFACE_PE, member);
	(void)dbus_message_append_args(signal, DBUS_TYPE_UINT32, &event, DBUS_TYPE_INVALID);
	if (strcmp(member, "RecoveryDone") == 0) {
		recovered = strcmp(text, "recovered") == 0;
		(void)dbus_message_append_args(signal, DBUS_TYPE_BOOLEAN, &recovered,
					       DBUS_TYPE_UINT32, &milliseconds, DBUS_TYPE_STRING,
					       &text, DBUS_TYPE_INVALID);
	} else if (strcmp(member, "ErrorDetected") == 0 || *text) {
		(void)dbus_message_append_args(signal, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
	}
	fake_service_send(signal);
}

static DBusMessage *answer(DBusMessage *call)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	const char *text = recorded;

	if (dbus_message_has_interface(call, BUS_INTERFACE_PE)) {
		dbus_message_unref(reply);
		return answer_pe(call);
	}
	if (dbus_message_has_member(call, "Recorded")) {
		(void)dbus_message_append_args(reply, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
		recorded[0] = '\0';
	} else if (dbus_message_has_member(call, "Signal")) {
		send_signal(call);
	} else if (dbus_message_has_member(call, "Fail")) {
		(void)dbus_message_get_args(call, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
		(void)snprintf(next_error, sizeof(next_error), "%s", text);
	} else if (dbus_message_has_member(call, "Hold")) {
		hold = true;
	} else if (held) {
		fake_service_send(return_for(held));
		dbus_message_unref(held);
		held = NULL;
	}
	return reply;
}

/* -- the test's world -- */

struct world {
	struct private_bus bus;
	pid_t peer;
	DBusConnection *control; /* of the test's own */
	struct spaprd_client *client;
	struct spaprd_pe *pe;
	char log[2048];           /* what the callbacks were told */
	char calls[2048];         /* what the peer was asked */
	enum spaprd_vote vote[4]; /* what the callbacks return, by step */
	bool vote_inside;         /* with spaprd_pe_vote in the callback */
	bool leave_inside;
};

__attribute__((format(printf, 2, 3))) static void note(struct world *world, const char *format, ...)
{
	size_t used = strlen(world->log);
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(world->log + used, sizeof(world->log) - used, format, arguments);
	va_end(arguments);
}

static void start_peer(struct world *world)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	world->peer = fork();
	assert_true(world->peer >= 0);
	if (world->peer == 0) {
		fake_service_run(ready[1], answer);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
}

static void stop_peer(struct world *world)
{
	if (world->peer > 0) {
		(void)kill(world->peer, SIGKILL);
		(void)waitpid(world->peer, NULL, 0);
	}
	world->peer = -1;
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->bus = PRIVATE_BUS_NONE;
	world->peer = -1;
	assert_int_equal(private_bus_start(&world->bus), 0);
	world->control = dbus_bus_get_private(DBUS_BUS_SYSTEM, NULL);
	assert_non_null(world->control);
	dbus_connection_set_exit_on_disconnect(world->control, FALSE);
	assert_int_equal(spaprd_client_connect_blocking(&world->client, NULL), 0);
	*state = world;
	return 0;
}

static int set_up_with_peer(void **state)
{
	if (set_up(state) == 0) {
		start_peer(*state);
	}
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	world->client = spaprd_client_free(world->client);
	dbus_connection_close(world->control);
	dbus_connection_unref(world->control);
	stop_peer(world);
	private_bus_stop(&world->bus);
	free(world);
	dbus_shutdown();
	return 0;
}

/* -- what the test has the peer do -- */

static DBusMessage *ask_peer(struct world *world, const char *member, int type, ...)
{
	DBusMessage *call = dbus_message_new_method_call(BUS_NAME, "/test", TEST_INTERFACE, member);
	DBusMessage *reply;
	va_list arguments;

	va_start(arguments, type);
	assert_true(dbus_message_append_args_valist(call, type, arguments));
	va_end(arguments);
	reply = dbus_connection_send_with_reply_and_block(world->control, call, PATIENCE, NULL);
	assert_non_null(reply);
	dbus_message_unref(call);
	return reply;
}

static void tell_peer(struct world *world, const char *member, const char *text)
{
	dbus_message_unref(ask_peer(world, member, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID));
}

static void signal_at(struct world *world, const char *path, const char *member, uint32_t event,
		      const char *text)
{
	dbus_message_unref(ask_peer(world, "Signal", DBUS_TYPE_STRING, &path, DBUS_TYPE_STRING,
				    &member, DBUS_TYPE_UINT32, &event, DBUS_TYPE_STRING, &text,
				    DBUS_TYPE_INVALID));
}

static void signal_pe(struct world *world, const char *member, uint32_t event, const char *text)
{
	signal_at(world, GROUP_PATH, member, event, text);
}

static void read_calls(struct world *world)
{
	DBusMessage *reply = ask_peer(world, "Recorded", DBUS_TYPE_INVALID);
	size_t used = strlen(world->calls);
	const char *text = NULL;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID));
	(void)snprintf(world->calls + used, sizeof(world->calls) - used, "%s", text);
	dbus_message_unref(reply);
}

/* Dispatch until the callbacks' notes are these; they are forgotten then. */
static void expect_log(struct world *world, const char *expected)
{
	for (int i = 0; i < PATIENCE / 10 && strcmp(world->log, expected) != 0; i++) {
		(void)spaprd_client_wait(world->client, 10);
	}
	assert_string_equal(world->log, expected);
	world->log[0] = '\0';
}

/* Likewise what the peer was asked. */
static void expect_calls(struct world *world, const char *expected)
{
	for (int i = 0; i < PATIENCE / 10 && strcmp(world->calls, expected) != 0; i++) {
		(void)spaprd_client_wait(world->client, 10);
		read_calls(world);
	}
	assert_string_equal(world->calls, expected);
	world->calls[0] = '\0';
}

/* Whatever is under way has time to arrive: the peer has answered a call on the same connection,
 * and after that a bit. */
static void expect_silence(struct world *world)
{
	for (int i = 0; i < 10; i++) {
		(void)spaprd_client_wait(world->client, 10);
	}
	read_calls(world);
	assert_string_equal(world->log, "");
	assert_string_equal(world->calls, "");
}

/* -- callbacks -- */

static enum spaprd_vote vote_for(struct world *world, struct spaprd_pe *pe, uint32_t event,
				 enum spaprd_step step)
{
	if (world->leave_inside) {
		world->pe = spaprd_pe_leave(pe);
	}
	if (world->vote_inside) {
		assert_int_equal(spaprd_pe_vote(pe, event, step, world->vote[step], NULL), 0);
	}
	return world->vote[step];
}

static enum spaprd_vote error_detected(void *userdata, struct spaprd_pe *pe, uint32_t event,
				       enum spaprd_channel channel)
{
	note(userdata, "error-detected %" PRIu32 " %d;", event, (int)channel);
	return vote_for(userdata, pe, event, SPAPRD_STEP_ERROR_DETECTED);
}

static enum spaprd_vote mmio_enabled(void *userdata, struct spaprd_pe *pe, uint32_t event)
{
	note(userdata, "mmio-enabled %" PRIu32 ";", event);
	return vote_for(userdata, pe, event, SPAPRD_STEP_MMIO_ENABLED);
}

static enum spaprd_vote slot_reset(void *userdata, struct spaprd_pe *pe, uint32_t event)
{
	note(userdata, "slot-reset %" PRIu32 ";", event);
	return vote_for(userdata, pe, event, SPAPRD_STEP_SLOT_RESET);
}

static void resume(void *userdata, struct spaprd_pe *pe, uint32_t event)
{
	(void)pe;
	note(userdata, "resume %" PRIu32 ";", event);
}

static void disconnect(void *userdata, struct spaprd_pe *pe, uint32_t event)
{
	(void)pe;
	note(userdata, "disconnect %" PRIu32 ";", event);
}

static void done(void *userdata, struct spaprd_pe *pe, uint32_t event, int recovered,
		 uint32_t milliseconds, const char *why)
{
	(void)pe;
	note(userdata, "done %" PRIu32 " %d %" PRIu32 " %s;", event, recovered, milliseconds, why);
}

static void membership(void *userdata, struct spaprd_pe *pe, int errnum, const char *text)
{
	assert_int_equal(spaprd_pe_is_joined(pe), errnum == 0);
	note(userdata, "membership %d %s;", errnum, text);
}

static void vote_failed(void *userdata, struct spaprd_pe *pe, uint32_t event, int errnum,
			const char *text)
{
	(void)pe;
	note(userdata, "vote-failed %" PRIu32 " %d %s;", event, errnum, text);
}

static void checked(void *userdata, struct spaprd_pe *pe, int errnum, const char *text)
{
	(void)pe;
	note(userdata, "checked %d %s;", errnum, text);
}

static const struct spaprd_pe_callbacks all = {
	.size = sizeof(all),
	.error_detected = error_detected,
	.mmio_enabled = mmio_enabled,
	.slot_reset = slot_reset,
	.resume = resume,
	.disconnect = disconnect,
	.done = done,
	.membership = membership,
	.vote_failed = vote_failed,
	.checked = checked,
};

static const struct spaprd_pe_callbacks least = {
	.size = sizeof(least),
	.error_detected = error_detected,
};

static void join(struct world *world)
{
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &all, world, &world->pe, NULL), 0);
	expect_log(world, "membership 0 ;");
	expect_calls(world, "Join 3;");
}

/* -- joining and leaving -- */

static void test_join_and_leave(void **state)
{
	struct world *world = *state;

	assert_int_equal(spaprd_pe_join(world->client, GROUP, &all, world, &world->pe, NULL), 0);
	assert_int_equal(spaprd_pe_is_joined(world->pe), 0);
	expect_log(world, "membership 0 ;");
	assert_int_equal(spaprd_pe_is_joined(world->pe), 1);
	assert_int_equal(spaprd_pe_group(world->pe), GROUP);
	expect_calls(world, "Join 3;");
	assert_null(spaprd_pe_leave(world->pe));
	expect_calls(world, "Leave 3 7;");
	assert_null(spaprd_pe_leave(NULL));
	assert_null(spaprd_client_free(NULL));
	/* Nobody is there any more to hear it. */
	signal_pe(world, "ErrorDetected", 5, "frozen");
	expect_silence(world);
}

static void test_callbacks_that_can_not_be(void **state)
{
	struct world *world = *state;
	struct spaprd_pe_callbacks wrong = all;
	struct spaprd_pe *pe = NULL;
	struct spaprd_error error;

	wrong.size = sizeof(wrong) - 1;
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &wrong, world, &pe, &error), -EINVAL);
	assert_int_equal(error.errnum, -EINVAL);
	assert_non_null(strstr(error.text, "size"));
	wrong.size = sizeof(wrong);
	wrong.error_detected = NULL;
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &wrong, world, &pe, &error), -EINVAL);
	assert_non_null(strstr(error.text, "error_detected"));
	assert_null(pe);
	expect_silence(world);
}

/* It is told once, and tried again: twice in vain, for that is told once, too. */
static void test_a_refused_join_is_tried_again(void **state)
{
	struct world *world = *state;

	tell_peer(world, "Fail", BUS_ERROR_PREFIX "NotFound");
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &all, world, &world->pe, NULL), 0);
	expect_log(world, "membership -2 as it was told;");
	tell_peer(world, "Fail", BUS_ERROR_PREFIX "NotFound");
	expect_calls(world, "Join 3;Join 3;");
	expect_log(world, "membership 0 ;");
	expect_calls(world, "Join 3;");
}

static void test_access_denied_is_the_end(void **state)
{
	struct world *world = *state;

	tell_peer(world, "Fail", DBUS_ERROR_ACCESS_DENIED);
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &all, world, &world->pe, NULL), 0);
	expect_log(world, "membership -13 as it was told;");
	expect_calls(world, "Join 3;");
	for (int i = 0; i < 12; i++) {
		(void)spaprd_client_wait(world->client, 100);
	}
	expect_silence(world);
}

static void test_an_answer_that_can_not_be(void **state)
{
	struct world *world = *state;

	tell_peer(world, "Fail", "type");
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &all, world, &world->pe, NULL), 0);
	expect_log(world, "membership -71 spaprd's answer can't be right: \"ss\" instead of "
			  "\"u\";");
}

/* The cookie that comes later is given back. */
static void test_leaving_before_the_answer(void **state)
{
	struct world *world = *state;

	tell_peer(world, "Hold", "");
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &all, world, &world->pe, NULL), 0);
	expect_calls(world, "Join 3;");
	(void)spaprd_pe_leave(world->pe);
	tell_peer(world, "Release", "");
	expect_calls(world, "Leave 3 7;");
	expect_silence(world);
}

static void test_two_participants(void **state)
{
	struct world *world = *state;
	struct spaprd_pe *other = NULL;

	join(world);
	assert_int_equal(spaprd_pe_join(world->client, 4, &all, world, &other, NULL), 0);
	expect_log(world, "membership 0 ;");
	expect_calls(world, "Join 4;");
	world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_CAN_RECOVER;
	signal_at(world, BUS_PATH_GROUP_PREFIX "4", "ErrorDetected", 9, "frozen");
	expect_log(world, "error-detected 9 1;");
	expect_calls(world, "Vote 4 8 9 can-recover;");
}

/* -- steps -- */

static void test_every_callback(void **state)
{
	struct world *world = *state;

	join(world);
	world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_CAN_RECOVER;
	world->vote[SPAPRD_STEP_MMIO_ENABLED] = SPAPRD_VOTE_NEED_RESET;
	world->vote[SPAPRD_STEP_SLOT_RESET] = SPAPRD_VOTE_RECOVERED;
	signal_pe(world, "Frozen", 5, "stopped");
	signal_pe(world, "ErrorDetected", 5, "frozen");
	expect_log(world, "error-detected 5 1;");
	expect_calls(world, "Vote 3 7 5 can-recover;");
	signal_pe(world, "MmioEnabled", 5, "");
	expect_log(world, "mmio-enabled 5;");
	expect_calls(world, "Vote 3 7 5 need-reset;");
	signal_pe(world, "SlotReset", 5, "");
	expect_log(world, "slot-reset 5;");
	expect_calls(world, "Vote 3 7 5 recovered;");
	signal_pe(world, "Resume", 5, "");
	signal_pe(world, "RecoveryDone", 5, "recovered");
	expect_log(world, "resume 5;done 5 1 4321 recovered;");
	signal_pe(world, "Disconnect", 6, "");
	signal_pe(world, "RecoveryDone", 6, "too many freezes");
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

	join(world);
	for (size_t i = 0; i < 3; i++) {
		for (int vote = SPAPRD_VOTE_RECOVERED; vote <= SPAPRD_VOTE_DISCONNECT; vote++) {
			bool right = steps[i].takes[vote];
			char calls[64];

			world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_LATER;
			world->vote[steps[i].step] = (enum spaprd_vote)vote;
			signal_pe(world, "ErrorDetected", 5, "unavailable");
			if (i > 0) {
				signal_pe(world, steps[i].signal, 5, steps[i].channel);
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
	struct world *world = *state;

	world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_CAN_RECOVER;
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &least, world, &world->pe, NULL), 0);
	expect_calls(world, "Join 3;");
	while (!spaprd_pe_is_joined(world->pe)) {
		(void)spaprd_client_wait(world->client, 10);
	}
	signal_pe(world, "ErrorDetected", 5, "something new");
	expect_log(world, "error-detected 5 0;");
	expect_calls(world, "Vote 3 7 5 can-recover;");
	signal_pe(world, "MmioEnabled", 5, "");
	expect_calls(world, "Vote 3 7 5 recovered;");
	tell_peer(world, "Fail", BUS_ERROR_PREFIX "VoteClosed");
	signal_pe(world, "SlotReset", 5, "");
	expect_calls(world, "Vote 3 7 5 recovered;");
	signal_pe(world, "Resume", 5, "");
	signal_pe(world, "Disconnect", 5, "");
	signal_pe(world, "RecoveryDone", 5, "recovered");
	assert_int_equal(spaprd_pe_check(world->pe, NULL), 0);
	expect_calls(world, "Check 3;");
	expect_silence(world);
}

static void test_late_votes(void **state)
{
	struct world *world = *state;
	struct spaprd_pe *pe;
	struct spaprd_error error;

	join(world);
	pe = world->pe;
	assert_int_equal(
		spaprd_pe_vote(pe, 5, SPAPRD_STEP_ERROR_DETECTED, SPAPRD_VOTE_NEED_RESET, &error),
		-ESTALE);
	signal_pe(world, "ErrorDetected", 5, "frozen");
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
	signal_pe(world, "SlotReset", 5, "");
	expect_log(world, "slot-reset 5;");
	assert_int_equal(
		spaprd_pe_vote(pe, 5, SPAPRD_STEP_MMIO_ENABLED, SPAPRD_VOTE_RECOVERED, &error),
		-ESTALE);
	signal_pe(world, "RecoveryDone", 5, "recovered");
	expect_log(world, "done 5 1 4321 recovered;");
	assert_int_equal(
		spaprd_pe_vote(pe, 5, SPAPRD_STEP_SLOT_RESET, SPAPRD_VOTE_RECOVERED, &error),
		-ESTALE);
	expect_silence(world);
}

static void test_a_vote_inside_of_the_callback(void **state)
{
	struct world *world = *state;

	join(world);
	world->vote_inside = true;
	world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_DISCONNECT;
	signal_pe(world, "ErrorDetected", 5, "frozen");
	expect_log(world, "error-detected 5 1;");
	expect_calls(world, "Vote 3 7 5 disconnect;");
	expect_silence(world);
}

static void test_leaving_inside_of_the_callback(void **state)
{
	struct world *world = *state;

	join(world);
	world->leave_inside = true;
	world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_DISCONNECT;
	signal_pe(world, "ErrorDetected", 5, "frozen");
	expect_log(world, "error-detected 5 1;");
	expect_calls(world, "Leave 3 7;");
	expect_silence(world);
}

static void test_a_vote_that_is_refused(void **state)
{
	struct world *world = *state;

	join(world);
	world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_CAN_RECOVER;
	tell_peer(world, "Fail", BUS_ERROR_PREFIX "VoteClosed");
	signal_pe(world, "ErrorDetected", 5, "frozen");
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
	join(world);
	signal_pe(world, "MmioEnabled", 5, "");
	signal_pe(world, "SlotReset", 5, "");
	signal_pe(world, "Resume", 5, "");
	signal_pe(world, "Resume", 5, "more than there should be");
	signal_pe(world, "Nonsense", 5, "");
	signal_at(world, BUS_PATH_GROUP_PREFIX "33", "Disconnect", 5, "");
	/* The bus hands it on without any match. */
	forged = dbus_message_new_signal(GROUP_PATH, BUS_INTERFACE_PE, "Disconnect");
	(void)dbus_message_append_args(forged, DBUS_TYPE_UINT32, &event, DBUS_TYPE_INVALID);
	(void)dbus_message_set_destination(forged, client_name);
	assert_true(dbus_connection_send(world->control, forged, NULL));
	dbus_connection_flush(world->control);
	expect_silence(world);
	/* From the right one it would count. */
	dbus_message_unref(forged);
	signal_pe(world, "Disconnect", 5, "");
	expect_log(world, "disconnect 5;");
}

/* -- hints -- */

static void test_checks(void **state)
{
	struct world *world = *state;

	join(world);
	tell_peer(world, "Hold", "");
	/* While one is under way they are one. */
	for (int i = 0; i < 100; i++) {
		assert_int_equal(spaprd_pe_check(world->pe, NULL), 0);
	}
	expect_calls(world, "Check 3;");
	tell_peer(world, "Release", "");
	expect_log(world, "checked 0 stopped;");
	tell_peer(world, "Fail", BUS_ERROR_PREFIX "QuotaExceeded");
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

	join(world);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char log[64];

		tell_peer(world, "Fail", cases[i].name);
		assert_int_equal(spaprd_pe_check(world->pe, NULL), 0);
		(void)snprintf(log, sizeof(log), "checked %d as it was told;", cases[i].errnum);
		expect_log(world, log);
	}
}

/* -- the service and the bus come and go -- */

static void test_a_service_that_comes_later(void **state)
{
	struct world *world = *state;

	assert_int_equal(spaprd_pe_join(world->client, GROUP, &all, world, &world->pe, NULL), 0);
	for (int i = 0; i < PATIENCE / 10 && !world->log[0]; i++) {
		(void)spaprd_client_wait(world->client, 10);
	}
	assert_int_equal(strncmp(world->log, "membership -112 ", 16), 0);
	world->log[0] = '\0';
	assert_int_equal(spaprd_pe_vote(world->pe, 1, SPAPRD_STEP_ERROR_DETECTED,
					SPAPRD_VOTE_NEED_RESET, NULL),
			 -ENOTCONN);
	start_peer(world);
	expect_log(world, "membership 0 ;");
	expect_calls(world, "Join 3;");
}

static void test_a_service_that_is_started_again(void **state)
{
	struct world *world = *state;

	join(world);
	signal_pe(world, "ErrorDetected", 5, "frozen");
	expect_log(world, "error-detected 5 1;");
	stop_peer(world);
	expect_log(world, "membership -112 spaprd has left the bus;");
	start_peer(world);
	expect_log(world, "membership 0 ;");
	expect_calls(world, "Join 3;");
	/* What was under way before is not any more. */
	assert_int_equal(spaprd_pe_vote(world->pe, 5, SPAPRD_STEP_ERROR_DETECTED,
					SPAPRD_VOTE_NEED_RESET, NULL),
			 -ESTALE);
	signal_pe(world, "SlotReset", 5, "");
	expect_silence(world);
}

/* The answer to the first Join never comes; what a check was told is told. */
static void test_a_service_that_ends_before_it_answers(void **state)
{
	struct world *world = *state;

	tell_peer(world, "Hold", "");
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &all, world, &world->pe, NULL), 0);
	expect_calls(world, "Join 3;");
	stop_peer(world);
	start_peer(world);
	expect_log(world, "membership 0 ;");
	expect_calls(world, "Join 3;");
	tell_peer(world, "Hold", "");
	assert_int_equal(spaprd_pe_check(world->pe, NULL), 0);
	expect_calls(world, "Check 3;");
	stop_peer(world);
	for (int i = 0; i < PATIENCE / 10 && !strstr(world->log, "checked"); i++) {
		(void)spaprd_client_wait(world->client, 10);
	}
	assert_non_null(strstr(world->log, "checked -112 "));
}

static void test_a_bus_that_ends(void **state)
{
	struct world *world = *state;
	struct spaprd_pe *pe = NULL;
	struct pollfd fd = {.fd = spaprd_client_fd(world->client), .events = POLLIN};

	join(world);
	private_bus_stop(&world->bus);
	assert_int_equal(poll(&fd, 1, PATIENCE), 1);
	expect_log(world, "membership -104 the bus closed the connection;");
	assert_int_equal(spaprd_pe_dispatch(world->client), -ECONNRESET);
	assert_int_equal(spaprd_client_wait(world->client, -1), -ECONNRESET);
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &all, world, &pe, NULL), -ECONNRESET);
	assert_int_equal(spaprd_pe_check(world->pe, NULL), -ECONNRESET);
	assert_null(pe);
}

static void test_no_bus(void **state)
{
	struct spaprd_client *client = NULL;
	struct spaprd_error error;

	(void)state;
	assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:abstract=spaprd-none", 1), 0);
	assert_int_equal(spaprd_client_connect_blocking(&client, &error), -ECONNREFUSED);
	assert_non_null(strstr(error.text, "can't reach the system bus"));
	assert_null(client);
	dbus_shutdown(); /* it has the address */
}

/* -- the loop -- */

/* Nothing waits, and the fd says when there is something. */
static void test_the_fd(void **state)
{
	struct world *world = *state;
	struct pollfd fd = {.fd = spaprd_client_fd(world->client), .events = POLLIN};

	join(world);
	while (poll(&fd, 1, 50) > 0) {
		assert_int_equal(spaprd_pe_dispatch(world->client), 0);
	}
	assert_int_equal(spaprd_pe_dispatch(world->client), 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
	signal_pe(world, "Disconnect", 5, "");
	assert_int_equal(poll(&fd, 1, PATIENCE), 1);
	assert_string_equal(world->log, "");
	expect_log(world, "disconnect 5;");
	assert_int_equal(spaprd_client_wait(world->client, 0), 0);
}

/* The test dispatches: libspaprd has no part in that. */
static void test_a_connection_of_the_callers(void **state)
{
	struct world *world = *state;
	DBusConnection *connection = dbus_bus_get_private(DBUS_BUS_SYSTEM, NULL);
	struct spaprd_client *client = NULL;
	struct spaprd_pe *pe = NULL;
	struct spaprd_pe *late = NULL;

	assert_non_null(connection);
	assert_int_equal(spaprd_client_new(connection, &client, NULL), 0);
	tell_peer(world, "Fail", BUS_ERROR_PREFIX "Busy");
	assert_int_equal(spaprd_pe_join(client, GROUP, &all, world, &pe, NULL), 0);
	while (strcmp(world->log, "membership -16 as it was told;") != 0) {
		assert_true(dbus_connection_read_write_dispatch(connection, PATIENCE));
	}
	world->log[0] = '\0';
	assert_int_equal(spaprd_client_wait(client, PATIENCE), 0); /* for the retry */
	while (strcmp(world->log, "membership 0 ;") != 0) {
		(void)spaprd_client_wait(client, 10);
		assert_true(dbus_connection_read_write_dispatch(connection, 10));
	}
	tell_peer(world, "Hold", "");
	assert_int_equal(spaprd_pe_join(client, 4, &all, world, &late, NULL), 0);
	dbus_connection_flush(connection);
	expect_calls(world, "Join 3;Join 3;Join 4;");
	assert_null(spaprd_client_free(client));
	dbus_connection_flush(connection);
	expect_calls(world, "Leave 3 7;");
	/* The connection is as it was; a cookie that came too late is given back. */
	tell_peer(world, "Release", "");
	while (strcmp(world->calls, "Leave 4 8;") != 0) {
		assert_true(dbus_connection_read_write_dispatch(connection, 10));
		read_calls(world);
	}
	world->calls[0] = '\0';
	dbus_connection_close(connection);
	assert_int_equal(spaprd_client_new(connection, &client, NULL), -ECONNRESET);
	dbus_connection_unref(connection);
}

/* All is freed with the client: the leak sanitizer watches. */
static void test_free_with_everything_under_way(void **state)
{
	struct world *world = *state;
	struct spaprd_pe *pe = NULL;

	join(world);
	tell_peer(world, "Hold", "");
	assert_int_equal(spaprd_pe_check(world->pe, NULL), 0);
	expect_calls(world, "Check 3;");
	for (uint32_t group = 10; group < 20; group++) {
		assert_int_equal(spaprd_pe_join(world->client, group, &all, world, &pe, NULL), 0);
	}
	world->client = spaprd_client_free(world->client);
	assert_string_equal(world->log, "");
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_with_peer, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_join_and_leave),
		TEST(test_callbacks_that_can_not_be),
		TEST(test_a_refused_join_is_tried_again),
		TEST(test_access_denied_is_the_end),
		TEST(test_an_answer_that_can_not_be),
		TEST(test_leaving_before_the_answer),
		TEST(test_two_participants),
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
		cmocka_unit_test_setup_teardown(test_a_service_that_comes_later, set_up, tear_down),
		TEST(test_a_service_that_is_started_again),
		TEST(test_a_service_that_ends_before_it_answers),
		TEST(test_a_bus_that_ends),
		cmocka_unit_test(test_no_bus),
		TEST(test_the_fd),
		TEST(test_a_connection_of_the_callers),
		TEST(test_free_with_everything_under_way),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
