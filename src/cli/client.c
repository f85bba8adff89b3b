/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/client.h"

#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "common/cleanup.h"
#include "common/names.h"

#define DEFAULT_ADDRESS_VARIABLE "DBUS_SYSTEM_BUS_ADDRESS"
#define SPAWN_ERROR_PREFIX       "org.freedesktop.DBus.Error.Spawn."

struct client {
	DBusConnection *connection;
	bool unreachable;
};

/* -- the connection -- */

static void connection_end(DBusConnection *connection)
{
	dbus_connection_close(connection);
	dbus_connection_unref(connection);
}

static int say_no_bus(const DBusError *reason, struct error *error)
{
	const char *address = getenv(DEFAULT_ADDRESS_VARIABLE);

	if (address) {
		(void)error_say(error,
				"can't reach the bus that " DEFAULT_ADDRESS_VARIABLE
				" names, \"%.128s\": %.256s",
				address, reason->message);
	} else {
		(void)error_say(error,
				"can't reach the system bus: %.256s; " DEFAULT_ADDRESS_VARIABLE
				" can name another one",
				reason->message);
	}
	text_disarm(error->text);
	return (int)error->code;
}

int client_new(struct client **ret_client, struct error *error)
{
	DBusError reason = DBUS_ERROR_INIT;
	DBusConnection *connection = dbus_bus_get_private(DBUS_BUS_SYSTEM, &reason);
	struct client *client;

	if (!connection) {
		(void)say_no_bus(&reason, error);
		dbus_error_free(&reason);
		return (int)error->code;
	}
	dbus_connection_set_exit_on_disconnect(connection, FALSE);
	client = calloc(1, sizeof(*client));
	if (!client) {
		connection_end(connection);
		return error_say(error, "there is no memory for a connection");
	}
	client->connection = connection;
	*ret_client = client;
	return 0;
}

struct client *client_free(struct client *client)
{
	if (client) {
		connection_end(client->connection);
	}
	free(client);
	return NULL;
}

DBusConnection *client_connection(const struct client *client)
{
	return client->connection;
}

int client_subscribe(struct client *client, const char *rule, struct error *error)
{
	DBusError reason = DBUS_ERROR_INIT;

	dbus_bus_add_match(client->connection, rule, &reason);
	if (!dbus_error_is_set(&reason)) {
		return 0;
	}
	client->unreachable = !dbus_connection_get_is_connected(client->connection);
	(void)error_say(error, "the bus does not let spaprctl listen: %.256s", reason.message);
	text_disarm(error->text);
	dbus_error_free(&reason);
	return (int)error->code;
}

bool client_is_unreachable(const struct client *client)
{
	return client->unreachable;
}

/* -- replies -- */

static bool is_one_of(const char *name, const char *const *names)
{
	while (*names && strcmp(name, *names) != 0) {
		names++;
	}
	return *names != NULL;
}

/* The cases in which spaprd isn't there; false when the error is another one. */
static bool explain_absence(const char *name, const char *method, const char *text, bool from_bus,
			    struct error *error)
{
	static const char *const absent[] = {DBUS_ERROR_SERVICE_UNKNOWN,
					     DBUS_ERROR_NAME_HAS_NO_OWNER, NULL};
	static const char *const silent[] = {DBUS_ERROR_NO_REPLY, DBUS_ERROR_TIMEOUT,
					     DBUS_ERROR_TIMED_OUT, NULL};

	if (is_one_of(name, absent)) {
		(void)error_say(error, "spaprd is not running: start it with \"spaprd\" as root, "
				       "or with \"spaprd --simulate\" on a simulated host");
	} else if (is_one_of(name, silent) && from_bus) {
		(void)error_say(error, "spaprd ended before it answered %s", method);
	} else if (is_one_of(name, silent)) {
		(void)error_say(error, "spaprd did not answer %s within %d s", method,
				CLIENT_TIMEOUT_SECONDS);
	} else if (strcmp(name, DBUS_ERROR_DISCONNECTED) == 0) {
		(void)error_say(error, "the bus closed the connection during %s", method);
	} else if (strncmp(name, SPAWN_ERROR_PREFIX, strlen(SPAWN_ERROR_PREFIX)) == 0) {
		(void)error_say(error, "the bus could not start spaprd: %s", text);
	} else {
		return false;
	}
	return true;
}

/* What spaprd, or the bus in its place, does not want to do. */
static void explain_refusal(const char *name, const char *text, bool from_bus, struct error *error)
{
	enum error_code code = error_code_from_bus_name(name);

	if (code == ERROR_CODE_COUNT || code == ERROR_NONE) {
		(void)error_say(error, "%s (%s)", text, name);
		return;
	}
	if (from_bus) {
		(void)error_say(error,
				"the bus does not let you call spaprd: be root or in the group "
				"spaprd (%s)",
				text);
	} else {
		(void)error_say(error, "%s", text);
	}
	error->code = code;
}

static const char *error_message(DBusMessage *reply)
{
	const char *text = NULL;

	if (!dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID)) {
		return "no more is known";
	}
	return text;
}

int client_reply_check(DBusMessage *reply, const char *method, const char *signature,
		       bool *ret_unreachable, struct error *error)
{
	const char *name = dbus_message_get_error_name(reply);
	const char *sender = dbus_message_get_sender(reply);
	bool from_bus = sender && strcmp(sender, DBUS_SERVICE_DBUS) == 0;

	if (dbus_message_get_type(reply) != DBUS_MESSAGE_TYPE_ERROR) {
		if (dbus_message_has_signature(reply, signature)) {
			return 0;
		}
		return error_say(error,
				 "spaprd's answer can't be right: %s returned \"%.64s\" instead of "
				 "\"%s\"; is it of another version than spaprctl " SPAPRD_VERSION
				 "?",
				 method, dbus_message_get_signature(reply), signature);
	}
	name = name ? name : DBUS_ERROR_FAILED;
	if (explain_absence(name, method, error_message(reply), from_bus, error)) {
		*ret_unreachable = true;
	} else {
		explain_refusal(name, error_message(reply), from_bus, error);
	}
	text_disarm(error->text);
	return (int)error->code;
}

/* -- calls -- */

DBusMessage *client_prepare(const char *path, const char *interface, const char *method)
{
	return dbus_message_new_method_call(BUS_NAME, path, interface, method);
}

/* The reply, or NULL when the connection is lost or there is no memory. */
static DBusMessage *exchange(struct client *client, DBusMessage *call)
{
	DBusPendingCall *pending = NULL;
	DBusMessage *reply;

	if (!dbus_connection_send_with_reply(client->connection, call, &pending,
					     1000 * CLIENT_TIMEOUT_SECONDS) ||
	    !pending) {
		return NULL;
	}
	dbus_pending_call_block(pending);
	reply = dbus_pending_call_steal_reply(pending);
	dbus_pending_call_unref(pending);
	return reply;
}

int client_call(struct client *client, DBusMessage *call, const char *signature,
		DBusMessage **ret_reply, struct error *error)
{
	DBusMessage *reply cleanup(cleanup_message) = NULL;
	int r;

	if (!call) {
		return error_say(error, "there is no memory for a method call");
	}
	reply = exchange(client, call);
	if (!reply) {
		client->unreachable = !dbus_connection_get_is_connected(client->connection);
		return error_say(error, "%s could not be sent: %s", dbus_message_get_member(call),
				 client->unreachable ? "the bus closed the connection"
						     : "there is no memory");
	}
	r = client_reply_check(reply, dbus_message_get_member(call), signature,
			       &client->unreachable, error);
	if (r) {
		return r;
	}
	*ret_reply = steal_pointer(reply);
	return 0;
}

DBusMessage *client_message_if(bool filled, DBusMessage *message)
{
	if (!filled && message) {
		dbus_message_unref(message);
		return NULL;
	}
	return message;
}

int client_call_void(struct client *client, DBusMessage *call, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *reply = NULL;

	return client_call(client, call, "", &reply, error);
}
