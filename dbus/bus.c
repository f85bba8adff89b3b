/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/param.h>

#include "common/cleanup.h"
#include "common/fd_limit.h"
#include "dbus/bus_private.h"

/* Fds of messages that are not handled yet; at more the connection is not read for a while. */
#define RECEIVED_FDS_MAX 4096

/* Fds of one message: what a socket takes (SCM_MAX_FD of the kernel). libdbus's own limit is 16; a
 * message with more, which a bus may be told to let through, would cost the connection. */
#define MESSAGE_FDS_MAX 253

/* Messages */

static DBusHandlerResult handle_signal(struct bus *bus, DBusMessage *message)
{
	if (dbus_message_is_signal(message, DBUS_INTERFACE_LOCAL, "Disconnected")) {
		bus_disconnected disconnected = steal_pointer(bus->disconnected);

		senders_handle_disconnected(bus);
		if (disconnected) {
			disconnected(bus, bus->disconnected_userdata);
		}
		return DBUS_HANDLER_RESULT_HANDLED;
	}
	if (dbus_message_is_signal(message, DBUS_INTERFACE_DBUS, "NameOwnerChanged") &&
	    dbus_message_has_sender(message, DBUS_SERVICE_DBUS)) {
		senders_handle_owner_changed(bus, message);
		return DBUS_HANDLER_RESULT_HANDLED;
	}
	return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
}

static DBusHandlerResult handle_message(DBusConnection *connection, DBusMessage *message,
					void *userdata)
{
	(void)connection;
	switch (dbus_message_get_type(message)) {
	case DBUS_MESSAGE_TYPE_METHOD_CALL:
		return dispatch_call(userdata, message);
	case DBUS_MESSAGE_TYPE_SIGNAL:
		return handle_signal(userdata, message);
	default:
		return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
	}
}

int connection_send(DBusConnection *connection, DBusMessage *message)
{
	if (!dbus_connection_get_is_connected(connection)) {
		return 0;
	}
	return dbus_connection_send(connection, message, NULL) ? 0 : -ENOMEM;
}

int errno_of_dbus_error(const DBusError *error)
{
	static const struct {
		const char *name;
		int errnum;
	} table[] = {
		{DBUS_ERROR_NO_MEMORY, ENOMEM},       {DBUS_ERROR_FILE_NOT_FOUND, ENOENT},
		{DBUS_ERROR_NO_SERVER, ECONNREFUSED}, {DBUS_ERROR_DISCONNECTED, ENOTCONN},
		{DBUS_ERROR_ACCESS_DENIED, EACCES},   {DBUS_ERROR_AUTH_FAILED, EACCES},
		{DBUS_ERROR_BAD_ADDRESS, EINVAL},     {DBUS_ERROR_LIMITS_EXCEEDED, EUSERS},
		{DBUS_ERROR_NO_REPLY, ETIMEDOUT},     {DBUS_ERROR_TIMEOUT, ETIMEDOUT},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (dbus_error_has_name(error, table[i].name)) {
			return -table[i].errnum;
		}
	}
	return -EIO;
}

/* The bus */

static int bus_start(struct bus *bus)
{
	int r = objects_init(bus);

	if (r < 0) {
		return r;
	}
	if (!dbus_connection_add_filter(bus->connection, handle_message, bus, NULL)) {
		return -ENOMEM;
	}
	bus->filtering = true;
	r = bus_loop_new(bus->event, bus->connection, &bus->loop);
	return r < 0 ? r : senders_init(bus);
}

/* Undo bus_start and free the bus; the connection is left alone. */
static void bus_stop(struct bus *bus)
{
	senders_done(bus);
	objects_done(bus);
	bus->loop = bus_loop_free(bus->loop);
	if (bus->filtering) {
		dbus_connection_remove_filter(bus->connection, handle_message, bus);
	}
	(void)sd_event_unref(bus->event);
	free(bus);
}

int bus_new(sd_event *event, DBusConnection *connection, struct bus **ret_bus)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus) {
		return -ENOMEM;
	}
	dbus_connection_set_exit_on_disconnect(connection, FALSE);
	dbus_connection_set_max_message_unix_fds(connection, MESSAGE_FDS_MAX);
	dbus_connection_set_max_received_unix_fds(connection,
						  MIN(RECEIVED_FDS_MAX, fd_limit_reserve() / 4));
	bus->event = sd_event_ref(event);
	bus->connection = connection;
	r = bus_start(bus);
	if (r < 0) {
		bus->closing = true;
		bus_stop(bus);
		return r;
	}
	*ret_bus = bus;
	return 0;
}

static void connection_close(DBusConnection *connection)
{
	dbus_connection_close(connection);
	dbus_connection_unref(connection);
}

int bus_connect_system(sd_event *event, struct bus **ret_bus)
{
	DBusError error = DBUS_ERROR_INIT;
	DBusConnection *connection = dbus_bus_get_private(DBUS_BUS_SYSTEM, &error);
	int r;

	if (!connection) {
		r = errno_of_dbus_error(&error);
		dbus_error_free(&error);
		return r;
	}
	r = bus_new(event, connection, ret_bus);
	if (r < 0) {
		connection_close(connection);
	}
	return r;
}

struct bus *bus_free(struct bus *bus)
{
	DBusConnection *connection;

	if (!bus) {
		return NULL;
	}
	connection = bus->connection;
	bus->closing = true;
	dbus_connection_flush(connection);
	bus_stop(bus);
	connection_close(connection);
	return NULL;
}

void bus_set_disconnected(struct bus *bus, bus_disconnected disconnected, void *userdata)
{
	bus->disconnected = disconnected;
	bus->disconnected_userdata = userdata;
}

int bus_request_name(struct bus *bus, const char *name, struct error *error)
{
	DBusError failure = DBUS_ERROR_INIT;
	int result =
		dbus_bus_request_name(bus->connection, name, DBUS_NAME_FLAG_DO_NOT_QUEUE, &failure);
	int r = 0;

	switch (result) {
	case DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER:
	case DBUS_REQUEST_NAME_REPLY_ALREADY_OWNER:
		bus->name_owned = true;
		break;
	case DBUS_REQUEST_NAME_REPLY_EXISTS:
	case DBUS_REQUEST_NAME_REPLY_IN_QUEUE:
		r = error_set(error, ERROR_BUSY, 0,
			      "the bus name %s is owned already; is another spaprd running?", name);
		break;
	default:
		r = error_set(error,
			      dbus_error_has_name(&failure, DBUS_ERROR_ACCESS_DENIED)
				      ? ERROR_ACCESS_DENIED
				      : ERROR_KERNEL,
			      0, "the bus didn't give the name %s: %s", name, failure.message);
	}
	dbus_error_free(&failure);
	return r;
}

DBusConnection *bus_connection(struct bus *bus)
{
	return bus->connection;
}
