/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-bus-fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/names.h"

static DBusHandlerResult record_signal(DBusConnection *connection, DBusMessage *message,
				       void *userdata)
{
	struct bus_fixture *fixture = userdata;

	(void)connection;
	if (dbus_message_get_type(message) != DBUS_MESSAGE_TYPE_SIGNAL ||
	    dbus_message_has_sender(message, DBUS_SERVICE_DBUS) ||
	    dbus_message_has_path(message, DBUS_PATH_LOCAL)) {
		return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
	}
	assert_true(fixture->signal_count < FIXTURE_SIGNALS_MAX);
	fixture->signals[fixture->signal_count++] = dbus_message_ref(message);
	return DBUS_HANDLER_RESULT_HANDLED;
}

void bus_client_open(struct bus_fixture *fixture, struct bus_client *client)
{
	client->connection = dbus_connection_open_private(fixture->daemon.address, NULL);
	assert_non_null(client->connection);
	dbus_connection_set_exit_on_disconnect(client->connection, FALSE);
	assert_true(dbus_bus_register(client->connection, NULL));
	assert_int_equal(bus_loop_new(fixture->event, client->connection, &client->loop), 0);
}

void bus_client_close(struct bus_client *client)
{
	client->loop = bus_loop_free(client->loop);
	if (client->connection) {
		dbus_connection_close(client->connection);
		dbus_connection_unref(client->connection);
		client->connection = NULL;
	}
}

int bus_fixture_set_up(void **state)
{
	struct bus_fixture *fixture = calloc(1, sizeof(*fixture));
	struct error error = {.code = ERROR_NONE};

	assert_non_null(fixture);
	*state = fixture;
	assert_int_equal(private_bus_start(&fixture->daemon), 0);
	assert_true(sd_event_new(&fixture->event) >= 0);
	assert_int_equal(bus_connect_system(fixture->event, &fixture->bus), 0);
	assert_int_equal(bus_request_name(fixture->bus, BUS_NAME, &error), 0);
	bus_client_open(fixture, &fixture->client);
	assert_true(dbus_connection_add_filter(fixture->client.connection, record_signal, fixture,
					       NULL));
	dbus_bus_add_match(fixture->client.connection,
			   "type='signal',path_namespace='" BUS_PATH_MANAGER "'", NULL);
	dbus_connection_flush(fixture->client.connection);
	return 0;
}

/* dbus_shutdown frees what libdbus keeps, so that leaks of ours stand out. */
int bus_fixture_tear_down(void **state)
{
	struct bus_fixture *fixture = *state;

	bus_fixture_forget_signals(fixture);
	bus_client_close(&fixture->client);
	fixture->bus = bus_free(fixture->bus);
	private_bus_stop(&fixture->daemon);
	(void)sd_event_unref(fixture->event);
	free(fixture);
	dbus_shutdown();
	return 0;
}

DBusMessage *bus_fixture_message(const char *path, const char *interface, const char *member)
{
	DBusMessage *message = dbus_message_new_method_call(BUS_NAME, path, interface, member);

	assert_non_null(message);
	return message;
}

static void handle_reply(DBusPendingCall *pending, void *userdata)
{
	DBusMessage **reply = userdata;

	*reply = dbus_pending_call_steal_reply(pending);
}

DBusMessage *bus_fixture_call(struct bus_fixture *fixture, DBusMessage *message)
{
	DBusPendingCall *pending = NULL;
	DBusMessage *reply = NULL;

	assert_true(dbus_connection_send_with_reply(fixture->client.connection, message, &pending,
						    10000));
	assert_non_null(pending);
	assert_true(dbus_pending_call_set_notify(pending, handle_reply, &reply, NULL));
	while (!reply) {
		assert_true(sd_event_run(fixture->event, UINT64_MAX) >= 0);
	}
	dbus_pending_call_unref(pending);
	dbus_message_unref(message);
	return reply;
}

const char *bus_fixture_call_fails(struct bus_fixture *fixture, DBusMessage *message,
				   const char *error_name)
{
	static char text[2048];
	DBusMessage *reply = bus_fixture_call(fixture, message);
	const char *said = "";

	assert_int_equal(dbus_message_get_type(reply), DBUS_MESSAGE_TYPE_ERROR);
	assert_string_equal(dbus_message_get_error_name(reply), error_name);
	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &said, DBUS_TYPE_INVALID));
	(void)snprintf(text, sizeof(text), "%s", said);
	dbus_message_unref(reply);
	return text;
}

void bus_fixture_run_until(struct bus_fixture *fixture, const bool *flag)
{
	while (!*flag) {
		int r = sd_event_run(fixture->event, 10000000);

		assert_true(r > 0);
	}
}

void bus_fixture_settle(struct bus_fixture *fixture)
{
	dbus_message_unref(
		bus_fixture_call(fixture, bus_fixture_message("/", DBUS_INTERFACE_PEER, "Ping")));
}

void bus_fixture_forget_signals(struct bus_fixture *fixture)
{
	while (fixture->signal_count > 0) {
		dbus_message_unref(fixture->signals[--fixture->signal_count]);
	}
}

unsigned int bus_fixture_count_signals(const struct bus_fixture *fixture, const char *member)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < fixture->signal_count; i++) {
		count += dbus_message_has_member(fixture->signals[i], member);
	}
	return count;
}
