/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the client makes of replies; no bus is needed for that. */
#include <stdbool.h>
#include <string.h>

#include "cli/client.h"
#include "unit.h"

static DBusMessage *new_error(const char *name, const char *sender, const char *text)
{
	DBusMessage *message = dbus_message_new(DBUS_MESSAGE_TYPE_ERROR);

	assert_non_null(message);
	assert_true(dbus_message_set_error_name(message, name));
	assert_true(!sender || dbus_message_set_sender(message, sender));
	assert_true(!text ||
		    dbus_message_append_args(message, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID));
	return message;
}

/* An error reply has to give that code, that reachability and these words. */
static void check_error(DBusMessage *message, enum error_code code, bool unreachable,
			const char *words)
{
	struct error error = {.code = ERROR_NONE};
	bool found = false;

	assert_int_equal(client_reply_check(message, "Map", "", &found, &error), code);
	assert_int_equal(error.code, code);
	assert_int_equal(found, unreachable);
	assert_non_null(strstr(error.text, words));
	dbus_message_unref(message);
}

static void test_returns(void **state)
{
	DBusMessage *message = dbus_message_new(DBUS_MESSAGE_TYPE_METHOD_RETURN);
	struct error error = {.code = ERROR_NONE};
	bool unreachable = false;
	dbus_uint32_t number = 1;

	(void)state;
	assert_int_equal(client_reply_check(message, "Map", "", &unreachable, &error), 0);
	assert_true(
		dbus_message_append_args(message, DBUS_TYPE_UINT32, &number, DBUS_TYPE_INVALID));
	assert_int_equal(client_reply_check(message, "Map", "u", &unreachable, &error), 0);
	assert_int_equal(client_reply_check(message, "Map", "t", &unreachable, &error),
			 ERROR_KERNEL);
	assert_non_null(strstr(error.text, "Map returned \"u\" instead of \"t\""));
	assert_false(unreachable);
	dbus_message_unref(message);
}

static void test_refusals(void **state)
{
	(void)state;
	check_error(new_error("org.spaprd1.Error.GroupBusy", ":1.2", "it is taken"),
		    ERROR_GROUP_BUSY, false, "it is taken");
	check_error(new_error(DBUS_ERROR_ACCESS_DENIED, ":1.2", "you are uid 7"),
		    ERROR_ACCESS_DENIED, false, "you are uid 7");
	check_error(new_error(DBUS_ERROR_ACCESS_DENIED, DBUS_SERVICE_DBUS, "Rejected"),
		    ERROR_ACCESS_DENIED, false, "the group spaprd (Rejected)");
	check_error(new_error("org.example.Strange", ":1.2", "what"), ERROR_KERNEL, false,
		    "what (org.example.Strange)");
	/* The name of no error. */
	check_error(new_error("org.spaprd1.Error.None", ":1.2", "fine"), ERROR_KERNEL, false,
		    "org.spaprd1.Error.None");
}

static void test_text_is_optional_and_disarmed(void **state)
{
	DBusMessage *message = new_error("org.spaprd1.Error.Busy", ":1.2", NULL);
	dbus_uint32_t number = 1;

	(void)state;
	assert_true(
		dbus_message_append_args(message, DBUS_TYPE_UINT32, &number, DBUS_TYPE_INVALID));
	check_error(message, ERROR_BUSY, false, "no more is known");
	check_error(new_error("org.spaprd1.Error.Busy", ":1.2", NULL), ERROR_BUSY, false,
		    "no more is known");
	check_error(new_error("org.spaprd1.Error.Busy", ":1.2", "\033[2J"), ERROR_BUSY, false,
		    "?[2J");
}

static void test_absence(void **state)
{
	(void)state;
	check_error(new_error(DBUS_ERROR_SERVICE_UNKNOWN, DBUS_SERVICE_DBUS, "x"), ERROR_KERNEL,
		    true, "spaprd is not running: start it");
	check_error(new_error(DBUS_ERROR_NAME_HAS_NO_OWNER, DBUS_SERVICE_DBUS, "x"), ERROR_KERNEL,
		    true, "spaprd is not running: start it");
	check_error(new_error(DBUS_ERROR_NO_REPLY, DBUS_SERVICE_DBUS, "x"), ERROR_KERNEL, true,
		    "ended before it answered Map");
	check_error(new_error(DBUS_ERROR_NO_REPLY, NULL, "x"), ERROR_KERNEL, true,
		    "did not answer Map within");
	check_error(new_error(DBUS_ERROR_DISCONNECTED, NULL, "x"), ERROR_KERNEL, true,
		    "the bus closed the connection");
	check_error(new_error("org.freedesktop.DBus.Error.Spawn.ExecFailed", DBUS_SERVICE_DBUS,
			      "no such file"),
		    ERROR_KERNEL, true, "could not start spaprd: no such file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_returns),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_text_is_optional_and_disarmed),
		cmocka_unit_test(test_absence),
	};
	int failures = cmocka_run_group_tests(tests, NULL, NULL);

	dbus_shutdown();
	return failures;
}
