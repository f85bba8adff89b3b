/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client_fixture.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fake_service.h"
#include "unit.h"

#define TEST_INTERFACE "org.spaprd1.Test"

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

/* -- the world -- */

__attribute__((format(printf, 2, 3))) static void note(struct world *world, const char *format, ...)
{
	size_t used = strlen(world->log);
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(world->log + used, sizeof(world->log) - used, format, arguments);
	va_end(arguments);
}

void peer_start(struct world *world)
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

void peer_stop(struct world *world)
{
	if (world->peer > 0) {
		(void)kill(world->peer, SIGKILL);
		(void)waitpid(world->peer, NULL, 0);
	}
	world->peer = -1;
}

int client_fixture_set_up(void **state)
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

int client_fixture_set_up_with_peer(void **state)
{
	if (client_fixture_set_up(state) == 0) {
		peer_start(*state);
	}
	return 0;
}

int client_fixture_tear_down(void **state)
{
	struct world *world = *state;

	world->client = spaprd_client_free(world->client);
	dbus_connection_close(world->control);
	dbus_connection_unref(world->control);
	peer_stop(world);
	private_bus_stop(&world->bus);
	free(world);
	dbus_shutdown();
	return 0;
}

/* -- what the test has the peer do -- */

static DBusMessage *peer_ask(struct world *world, const char *member, int type, ...)
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

void peer_tell(struct world *world, const char *member, const char *text)
{
	dbus_message_unref(peer_ask(world, member, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID));
}

void peer_signal_at(struct world *world, const char *path, const char *member, uint32_t event,
		    const char *text)
{
	dbus_message_unref(peer_ask(world, "Signal", DBUS_TYPE_STRING, &path, DBUS_TYPE_STRING,
				    &member, DBUS_TYPE_UINT32, &event, DBUS_TYPE_STRING, &text,
				    DBUS_TYPE_INVALID));
}

void peer_signal(struct world *world, const char *member, uint32_t event, const char *text)
{
	peer_signal_at(world, GROUP_PATH, member, event, text);
}

void peer_read_calls(struct world *world)
{
	DBusMessage *reply = peer_ask(world, "Recorded", DBUS_TYPE_INVALID);
	size_t used = strlen(world->calls);
	const char *text = NULL;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID));
	(void)snprintf(world->calls + used, sizeof(world->calls) - used, "%s", text);
	dbus_message_unref(reply);
}

void expect_log(struct world *world, const char *expected)
{
	for (int i = 0; i < PATIENCE / 10 && strcmp(world->log, expected) != 0; i++) {
		(void)spaprd_client_wait(world->client, 10);
	}
	assert_string_equal(world->log, expected);
	world->log[0] = '\0';
}

void expect_calls(struct world *world, const char *expected)
{
	for (int i = 0; i < PATIENCE / 10 && strcmp(world->calls, expected) != 0; i++) {
		(void)spaprd_client_wait(world->client, 10);
		peer_read_calls(world);
	}
	assert_string_equal(world->calls, expected);
	world->calls[0] = '\0';
}

void expect_silence(struct world *world)
{
	for (int i = 0; i < 10; i++) {
		(void)spaprd_client_wait(world->client, 10);
	}
	peer_read_calls(world);
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

const struct spaprd_pe_callbacks all_callbacks = {
	.size = sizeof(all_callbacks),
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

/* -- the test joins -- */

void join_group(struct world *world)
{
	assert_int_equal(
		spaprd_pe_join(world->client, GROUP, &all_callbacks, world, &world->pe, NULL), 0);
	expect_log(world, "membership 0 ;");
	expect_calls(world, "Join 3;");
}
