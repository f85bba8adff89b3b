/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection to spaprd: method calls that wait for their reply.
 *
 * Failures come as a struct error whose code is that of spaprd's own error table, or ERROR_KERNEL
 * for all others; its text is for a person, safe to print, and says what to do. Whether spaprd
 * could be talked to at all, client_is_unreachable tells.
 */
#pragma once

#include <dbus/dbus.h>
#include <stdbool.h>

#include "common/error.h"

/* How long a reply may take: closing an address space can include PE resets of seconds. */
#define CLIENT_TIMEOUT_SECONDS 60

struct client;

/* Connect to the system bus. Whether spaprd is there, the first call tells. 0 or a code. */
int client_new(struct client **ret_client, struct error *error);

/* Takes NULL, returns NULL. */
struct client *client_free(struct client *client);

static inline void cleanup_client(struct client **client)
{
	*client = client_free(*client);
}

/* A call of spaprd's to be filled and sent, or NULL when there is no memory. */
DBusMessage *client_prepare(const char *path, const char *interface, const char *method);

static inline void cleanup_message(DBusMessage **message)
{
	if (*message) {
		dbus_message_unref(*message);
	}
}

/*
 * Send a call (NULL: there was no memory for it) and wait for a reply of that signature.
 * *ret_reply is a new reference. 0 or a code.
 */
int client_call(struct client *client, DBusMessage *call, const char *signature,
		DBusMessage **ret_reply, struct error *error);

/* A call that was filled, or when it wasn't NULL, which client_call explains: it is taken then. */
DBusMessage *client_message_if(bool filled, DBusMessage *message);

/* Send a call that returns nothing. */
int client_call_void(struct client *client, DBusMessage *call, struct error *error);

/* Get the signals that a match rule describes: they wait in the connection. 0 or a code. */
int client_subscribe(struct client *client, const char *rule, struct error *error);

/* For those who read signals. It stays the client's. */
DBusConnection *client_connection(const struct client *client);

/* Whether a call failed because spaprd isn't there, has left, or doesn't answer. */
bool client_is_unreachable(const struct client *client);

/* -- for client_call and its test -- */

/*
 * What a reply says: 0 when it is a return of that signature, else a code. *ret_unreachable is set
 * when it was not spaprd that answered; a refusal of the bus's policy is none of that.
 */
int client_reply_check(DBusMessage *reply, const char *method, const char *signature,
		       bool *ret_unreachable, struct error *error);
