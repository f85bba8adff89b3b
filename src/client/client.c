/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/names.h"

#define OWNER_RULE                                                                                 \
	"type='signal',sender='" DBUS_SERVICE_DBUS "',interface='" DBUS_INTERFACE_DBUS "',member=" \
	"'NameOwnerChanged',arg0='" BUS_NAME "'"

/* -- what runs -- */

void client_begin(struct spaprd_client *client)
{
	client->busy++;
}

static void free_left(struct spaprd_client *client)
{
	struct spaprd_pe **link = &client->pes;

	while (*link) {
		struct spaprd_pe *pe = *link;

		if (pe->left) {
			*link = pe->next;
			free(pe);
		} else {
			link = &pe->next;
		}
	}
}

static void set_alarm(struct spaprd_client *client)
{
	uint64_t when = NEVER;

	for (const struct spaprd_pe *pe = client->pes; pe; pe = pe->next) {
		when = pe->retry_at < when ? pe->retry_at : when;
	}
	if (when != client->alarm) {
		bus_watch_set_alarm(&client->watch, when);
		client->alarm = when;
	}
}

void client_end(struct spaprd_client *client)
{
	if (--client->busy == 0) {
		free_left(client);
		set_alarm(client);
	}
}

/* -- signals -- */

void client_match(struct spaprd_pe *pe, bool begin)
{
	DBusConnection *connection = pe->client->connection;
	char rule[192];

	(void)snprintf(rule, sizeof(rule),
		       "type='signal',sender='" BUS_NAME "',interface='" BUS_INTERFACE_PE
		       "',path='%s'",
		       pe->path);
	/* Without a place for an error they don't wait for the bus. */
	if (begin) {
		dbus_bus_add_match(connection, rule, NULL);
	} else {
		dbus_bus_remove_match(connection, rule, NULL);
	}
}

static void handle_owner_changed(struct spaprd_client *client, DBusMessage *message)
{
	const char *name = NULL;
	const char *before = NULL;
	const char *now = NULL;

	if (!dbus_message_get_args(message, NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_STRING,
				   &before, DBUS_TYPE_STRING, &now, DBUS_TYPE_INVALID) ||
	    strcmp(name, BUS_NAME) != 0) {
		return;
	}
	(void)snprintf(client->owner, sizeof(client->owner), "%s", now);
	for (struct spaprd_pe *pe = client->pes; pe; pe = pe->next) {
		pe_handle_owner(pe, before, now);
	}
}

static void handle_disconnected(struct spaprd_client *client)
{
	client->connected = false;
	for (struct spaprd_pe *pe = client->pes; pe; pe = pe->next) {
		pe_handle_disconnected(pe);
	}
}

/* Signals that others send to this connection alone need no match rule: look at the sender. */
static void handle_pe_signal(struct spaprd_client *client, DBusMessage *message)
{
	for (struct spaprd_pe *pe = client->pes; pe; pe = pe->next) {
		if (dbus_message_has_sender(message, client->owner) &&
		    dbus_message_has_path(message, pe->path)) {
			pe_handle_signal(pe, message);
		}
	}
}

static DBusHandlerResult handle_message(DBusConnection *connection, DBusMessage *message,
					void *data)
{
	struct spaprd_client *client = data;

	(void)connection;
	client_begin(client);
	if (dbus_message_is_signal(message, DBUS_INTERFACE_LOCAL, "Disconnected")) {
		handle_disconnected(client);
	} else if (dbus_message_is_signal(message, DBUS_INTERFACE_DBUS, "NameOwnerChanged") &&
		   dbus_message_has_sender(message, DBUS_SERVICE_DBUS)) {
		handle_owner_changed(client, message);
	} else if (dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_SIGNAL &&
		   dbus_message_has_interface(message, BUS_INTERFACE_PE)) {
		handle_pe_signal(client, message);
	}
	client_end(client);
	/* Others may want it as well. */
	return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
}

/* -- the connection -- */

/* The alarm of 0 has what came during the making handled. */
static int set_up(struct spaprd_client *client)
{
	int r = bus_watch_init(&client->watch);

	if (r < 0) {
		return r;
	}
	if (!dbus_connection_add_filter(client->connection, handle_message, client, NULL)) {
		return -ENOMEM;
	}
	if (client->owned && bus_watch_add(&client->watch, client->connection) < 0) {
		dbus_connection_remove_filter(client->connection, handle_message, client);
		return -ENOMEM;
	}
	dbus_bus_add_match(client->connection, OWNER_RULE, NULL);
	bus_watch_set_alarm(&client->watch, 0);
	client->alarm = 0;
	return 0;
}

/* Takes the reference on the connection when it works. */
static int new_client(DBusConnection *connection, bool owned, struct spaprd_client **ret_client,
		      struct spaprd_error *ret_error)
{
	struct spaprd_client *client = calloc(1, sizeof(*client));
	int r = -ENOMEM;

	if (client) {
		client->connection = connection;
		client->owned = owned;
		client->connected = true;
		client->watch = BUS_WATCH_NONE;
		r = set_up(client);
	}
	if (r < 0) {
		if (client) {
			bus_watch_done(&client->watch, NULL);
		}
		free(client);
		return client_fail(ret_error, r, "can't watch the connection to the bus: %s",
				   strerror(-r));
	}
	*ret_client = client;
	return 0;
}

int spaprd_client_connect_blocking(struct spaprd_client **ret_client,
				   struct spaprd_error *ret_error)
{
	DBusError reason = DBUS_ERROR_INIT;
	DBusConnection *connection = dbus_bus_get_private(DBUS_BUS_SYSTEM, &reason);
	int r;

	if (!connection) {
		r = client_fail(ret_error,
				dbus_error_has_name(&reason, DBUS_ERROR_NO_MEMORY) ? -ENOMEM
										   : -ECONNREFUSED,
				"can't reach the system bus: %.256s; DBUS_SYSTEM_BUS_ADDRESS can "
				"name another one",
				reason.message);
		dbus_error_free(&reason);
		return r;
	}
	dbus_connection_set_exit_on_disconnect(connection, FALSE);
	r = new_client(connection, true, ret_client, ret_error);
	if (r < 0) {
		dbus_connection_close(connection);
		dbus_connection_unref(connection);
	}
	return r;
}

int spaprd_client_new(struct DBusConnection *connection, struct spaprd_client **ret_client,
		      struct spaprd_error *ret_error)
{
	int r;

	if (!dbus_connection_get_is_connected(connection)) {
		return client_fail(ret_error, -ECONNRESET, "the bus closed the connection");
	}
	r = new_client(connection, false, ret_client, ret_error);
	if (r == 0) {
		(void)dbus_connection_ref(connection);
	}
	return r;
}

struct spaprd_client *spaprd_client_free(struct spaprd_client *client)
{
	if (!client) {
		return NULL;
	}
	client_begin(client);
	for (struct spaprd_pe *pe = client->pes; pe; pe = pe->next) {
		(void)spaprd_pe_leave(pe);
	}
	client_end(client);
	bus_watch_done(&client->watch, client->owned ? client->connection : NULL);
	dbus_connection_remove_filter(client->connection, handle_message, client);
	if (client->owned) {
		dbus_connection_close(client->connection);
	} else if (client->connected) {
		dbus_bus_remove_match(client->connection, OWNER_RULE, NULL);
	}
	dbus_connection_unref(client->connection);
	free(client);
	return NULL;
}

/* -- the loop -- */

int spaprd_client_fd(const struct spaprd_client *client)
{
	return client->watch.epoll_fd;
}

int spaprd_pe_dispatch(struct spaprd_client *client)
{
	uint64_t now;

	client_begin(client);
	if (client->owned) {
		bus_watch_handle(&client->watch);
		while (dbus_connection_dispatch(client->connection) == DBUS_DISPATCH_DATA_REMAINS) {
		}
	}
	now = clock_milliseconds();
	for (struct spaprd_pe *pe = client->pes; pe; pe = pe->next) {
		pe_retry(pe, now);
	}
	client_end(client);
	return client->connected ? 0 : -ECONNRESET;
}

int spaprd_client_wait(struct spaprd_client *client, int milliseconds)
{
	struct pollfd fd = {.fd = client->watch.epoll_fd, .events = POLLIN};

	/* Nothing would end the wait. */
	if (!client->connected) {
		return -ECONNRESET;
	}
	if (poll(&fd, 1, milliseconds) < 0 && errno != EINTR) {
		return -errno;
	}
	return spaprd_pe_dispatch(client);
}
