/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Method calls that nobody waits for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"
#include "common/names.h"

DBusMessage *call_prepare(const char *path, const char *method)
{
	return dbus_message_new_method_call(BUS_NAME, path, BUS_INTERFACE_PE, method);
}

void call_leave(DBusConnection *connection, const char *owner, const char *path, uint32_t cookie)
{
	dbus_uint32_t number = cookie;
	DBusMessage *message = dbus_message_new_method_call(owner, path, BUS_INTERFACE_PE, "Leave");

	if (message &&
	    dbus_message_append_args(message, DBUS_TYPE_UINT32, &number, DBUS_TYPE_INVALID)) {
		dbus_message_set_no_reply(message, TRUE);
		(void)dbus_connection_send(connection, message, NULL);
	}
	if (message) {
		dbus_message_unref(message);
	}
}

static void unlink_call(struct call *call)
{
	struct call **link = &call->pe->client->calls;

	while (*link != call) {
		link = &(*link)->next;
	}
	*link = call->next;
}

/* A cookie that came too late. */
static void give_back(const struct call *call, DBusMessage *reply)
{
	const char *owner = dbus_message_get_sender(reply);
	dbus_uint32_t cookie = 0;

	if (owner && client_check_reply(call->connection, reply, "u", NULL) == 0) {
		(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &cookie,
					    DBUS_TYPE_INVALID);
		call_leave(call->connection, owner, call->path, cookie);
	}
}

static void handle_reply(DBusPendingCall *pending, void *data)
{
	DBusMessage *reply = dbus_pending_call_steal_reply(pending);
	struct call *call = data;
	struct spaprd_client *client;

	if (!call->pe) {
		give_back(call, reply);
		dbus_message_unref(reply);
		return;
	}
	client = call->pe->client;
	unlink_call(call);
	client_begin(client);
	pe_handle_reply(call, reply);
	client_end(client);
	dbus_message_unref(reply);
	dbus_pending_call_unref(pending);
}

/* Sends; the call goes with the pending call from then on. */
static int send_call(struct call *call, DBusMessage *message)
{
	if (!dbus_connection_send_with_reply(call->connection, message, &call->pending,
					     DBUS_TIMEOUT_INFINITE)) {
		return -ENOMEM;
	}
	if (!call->pending) {
		return -ECONNRESET;
	}
	if (!dbus_pending_call_set_notify(call->pending, handle_reply, call, free)) {
		dbus_pending_call_cancel(call->pending);
		dbus_pending_call_unref(call->pending);
		return -ENOMEM;
	}
	return 0;
}

int call_send(struct spaprd_pe *pe, enum call_kind kind, uint32_t event, DBusMessage *message)
{
	struct call *call = message ? calloc(1, sizeof(*call)) : NULL;
	int r = -ENOMEM;

	if (call) {
		call->pe = pe;
		call->connection = pe->client->connection;
		call->kind = kind;
		call->event = event;
		(void)snprintf(call->path, sizeof(call->path), "%s", pe->path);
		r = send_call(call, message);
	}
	if (message) {
		dbus_message_unref(message);
	}
	if (r < 0) {
		free(call);
		return r;
	}
	call->next = pe->client->calls;
	pe->client->calls = call;
	return 0;
}

static void forget_call(struct call *call)
{
	DBusPendingCall *pending = call->pending;

	unlink_call(call);
	call->pe = NULL;
	if (call->kind != CALL_JOIN) {
		dbus_pending_call_cancel(pending);
	}
	dbus_pending_call_unref(pending);
}

void call_forget(struct spaprd_pe *pe, bool joins_only)
{
	struct call *next;

	for (struct call *call = pe->client->calls; call; call = next) {
		next = call->next;
		if (call->pe == pe && (call->kind == CALL_JOIN || !joins_only)) {
			forget_call(call);
		}
	}
}
