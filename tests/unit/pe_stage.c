/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pe_stage.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LOOP_TIMEOUT_USEC 10000000
#define LOOP_TURN_USEC    10000
#define AWAIT_SECONDS     30

struct pe_script *pe_script;

static const char group_path[] = BUS_PATH_GROUP_PREFIX "1";

int pe_stage_set_up(void **state)
{
	char path[64];
	int r = service_fixture_set_up_with_eeh(state);

	(void)snprintf(path, sizeof(path), "%s/pe-script", stage.sysfs);
	assert_int_equal(setenv(ENV_PE_SCRIPT, path, 1), 0);
	pe_script = pe_script_map();
	assert_non_null(pe_script);
	(void)snprintf(pe_script->state_file, sizeof(pe_script->state_file), "%s/" EEH_STATE_FILE,
		       stage.sysfs);
	return r;
}

int pe_stage_tear_down(void **state)
{
	int r;

	pe_script->held = 0;
	r = service_fixture_tear_down(state);
	(void)munmap(pe_script, sizeof(*pe_script));
	(void)unsetenv(ENV_PE_SCRIPT);
	return r;
}

static time_t now(void)
{
	struct timespec now = {.tv_sec = 0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

time_t pe_deadline(void)
{
	return now() + AWAIT_SECONDS;
}

void pe_run_until(time_t end, const char *what)
{
	if (now() > end) {
		fail_msg("it never came: %s", what);
	}
	assert_true(sd_event_run(stage.bus->event, LOOP_TURN_USEC) >= 0);
}

struct space *pe_attach(void)
{
	struct space *space = create("pe");

	succeed(attach_message(space, GROUP));
	pe_await_text("State", "normal");
	bus_fixture_forget_signals(stage.bus);
	return space;
}

struct bus_client *pe_open_stranger(struct bus_client *client)
{
	if (geteuid() != 0) {
		return NULL;
	}
	assert_int_equal(seteuid(OTHER_UID), 0);
	bus_client_open(stage.bus, client);
	assert_int_equal(seteuid(0), 0);
	return client;
}

/* -- calls -- */

DBusMessage *pe_message(const char *method)
{
	return bus_fixture_message(group_path, BUS_INTERFACE_PE, method);
}

DBusMessage *pe_message_with(const char *method, int first_type, ...)
{
	DBusMessage *message = pe_message(method);
	va_list values;

	va_start(values, first_type);
	assert_true(dbus_message_append_args_valist(message, first_type, values));
	va_end(values);
	return message;
}

const struct bus_client *pe_client(void)
{
	return &stage.bus->client;
}

DBusMessage *pe_call(const struct bus_client *client, DBusMessage *message)
{
	DBusPendingCall *pending = NULL;
	DBusMessage *answer;

	assert_true(dbus_connection_send_with_reply(client->connection, message, &pending, 30000));
	dbus_message_unref(message);
	while (!dbus_pending_call_get_completed(pending)) {
		assert_true(sd_event_run(stage.bus->event, 3 * (uint64_t)LOOP_TIMEOUT_USEC) > 0);
	}
	answer = dbus_pending_call_steal_reply(pending);
	dbus_pending_call_unref(pending);
	return answer;
}

const char *pe_call_fails(const struct bus_client *client, DBusMessage *message, const char *name)
{
	static char text[2048];
	char whole[128];
	DBusMessage *answer = pe_call(client, message);
	const char *said = "";

	(void)snprintf(whole, sizeof(whole), "%s%s", strchr(name, '.') ? "" : BUS_ERROR_PREFIX,
		       name);
	if (dbus_message_get_type(answer) != DBUS_MESSAGE_TYPE_ERROR) {
		fail_msg("no error, though it should be %s", whole);
	}
	assert_true(
		dbus_message_get_args(answer, NULL, DBUS_TYPE_STRING, &said, DBUS_TYPE_INVALID));
	(void)snprintf(text, sizeof(text), "%s", said);
	if (!dbus_message_is_error(answer, whole)) {
		fail_msg("not %s but %s: %s", whole, dbus_message_get_error_name(answer), text);
	}
	dbus_message_unref(answer);
	return text;
}

dbus_uint32_t pe_call_number(const struct bus_client *client, const char *method)
{
	DBusMessage *answer = pe_call(client, pe_message(method));
	dbus_uint32_t number = 0;

	if (!dbus_message_get_args(answer, NULL, DBUS_TYPE_UINT32, &number, DBUS_TYPE_INVALID)) {
		fail_msg("%s: %s", method, dbus_message_get_error_name(answer));
	}
	dbus_message_unref(answer);
	return number;
}

/* -- properties -- */

DBusMessage *pe_get(const char *name, DBusMessageIter *ret_value)
{
	const char *interface = BUS_INTERFACE_PE;
	DBusMessage *message = bus_fixture_message(group_path, DBUS_INTERFACE_PROPERTIES, "Get");
	DBusMessage *answer;
	DBusMessageIter iter;

	assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &interface,
					     DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID));
	answer = bus_fixture_call(stage.bus, message);
	assert_int_equal(dbus_message_get_type(answer), DBUS_MESSAGE_TYPE_METHOD_RETURN);
	assert_true(dbus_message_iter_init(answer, &iter));
	dbus_message_iter_recurse(&iter, ret_value);
	return answer;
}

dbus_uint32_t pe_get_number(const char *name)
{
	dbus_uint32_t number = 0;
	DBusMessageIter value;
	DBusMessage *answer = pe_get(name, &value);

	assert_int_equal(dbus_message_iter_get_arg_type(&value), DBUS_TYPE_UINT32);
	dbus_message_iter_get_basic(&value, &number);
	dbus_message_unref(answer);
	return number;
}

const char *pe_get_text(const char *name)
{
	static char text[256];
	const char *said = NULL;
	DBusMessageIter value;
	DBusMessage *answer = pe_get(name, &value);

	assert_int_equal(dbus_message_iter_get_arg_type(&value), DBUS_TYPE_STRING);
	dbus_message_iter_get_basic(&value, &said);
	(void)snprintf(text, sizeof(text), "%s", said);
	dbus_message_unref(answer);
	return text;
}

/* -- signals -- */

void pe_await(const char *member)
{
	time_t end = pe_deadline();

	while (bus_fixture_count_signals(stage.bus, member) == 0) {
		pe_run_until(end, member);
	}
}

void pe_await_text(const char *property, const char *text)
{
	time_t end = pe_deadline();

	while (strcmp(pe_get_text(property), text) != 0) {
		pe_run_until(end, text);
	}
}

unsigned int pe_find_signal(const char *member)
{
	for (unsigned int i = 0; i < stage.bus->signal_count; i++) {
		if (dbus_message_has_member(stage.bus->signals[i], member)) {
			return i;
		}
	}
	fail_msg("there was no %s", member);
	return 0;
}

/* The value of a dictionary's entry, when that is a string; else "". */
static const char *entry_text(DBusMessageIter *entry)
{
	const char *text = "";
	DBusMessageIter value;

	(void)dbus_message_iter_next(entry);
	dbus_message_iter_recurse(entry, &value);
	if (dbus_message_iter_get_arg_type(&value) == DBUS_TYPE_STRING) {
		dbus_message_iter_get_basic(&value, &text);
	}
	return text;
}

bool pe_signal_tells(DBusMessage *signal, const char *property, const char *value)
{
	const char *interface = NULL;
	DBusMessageIter iter;
	DBusMessageIter changes;

	if (!dbus_message_has_member(signal, "PropertiesChanged")) {
		return false;
	}
	assert_true(dbus_message_iter_init(signal, &iter));
	dbus_message_iter_get_basic(&iter, &interface);
	(void)dbus_message_iter_next(&iter);
	dbus_message_iter_recurse(&iter, &changes);
	while (strcmp(interface, BUS_INTERFACE_PE) == 0 &&
	       dbus_message_iter_get_arg_type(&changes) == DBUS_TYPE_DICT_ENTRY) {
		const char *name = NULL;
		DBusMessageIter entry;

		dbus_message_iter_recurse(&changes, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		if (strcmp(name, property) == 0 && strcmp(entry_text(&entry), value) == 0) {
			return true;
		}
		(void)dbus_message_iter_next(&changes);
	}
	return false;
}

dbus_uint32_t pe_signal_event(const char *member)
{
	DBusMessageIter iter;
	dbus_uint32_t event = 0;

	assert_true(dbus_message_iter_init(stage.bus->signals[pe_find_signal(member)], &iter));
	dbus_message_iter_get_basic(&iter, &event);
	return event;
}
