/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One match tells of every unique name that leaves the bus. A match for each sender would run into
 * the bus's limit of matches, and the bus compares each signal with all of them.
 *
 * There is no gap between asking and the match: the bus handles both in order. A name that left
 * before the question gets an error for an answer; one that leaves after it is announced after the
 * answer.
 */
#include "dbus/sender.h"

#include <assert.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "dbus/bus_private.h"

#define MATCH_LEAVING                                                             \
	"type='signal',sender='" DBUS_SERVICE_DBUS "',path='" DBUS_PATH_DBUS "'," \
	"interface='" DBUS_INTERFACE_DBUS "',member='NameOwnerChanged',arg2=''"

struct sender_waiter {
	STAILQ_ENTRY(sender_waiter) next;
	bus_sender_ready ready;
	void *userdata;
};

STAILQ_HEAD(sender_waiters, sender_waiter);

struct bus_sender_watch {
	LIST_ENTRY(bus_sender_watch) next;
	struct bus_sender *sender; /* NULL when it has left */
	bus_sender_gone gone;
	void *userdata;
};

struct bus_sender {
	const char *name; /* owned; first, as it is the key of bus->senders */
	struct bus *bus;
	uid_t uid;
	DBusPendingCall *pending;      /* the question for the uid, while it is open */
	LIST_ENTRY(bus_sender) asking; /* in bus->asking while pending */
	struct sender_waiters waiters;
	LIST_HEAD(bus_sender_watch_list, bus_sender_watch) watches;
};

static int sender_compare(const void *a, const void *b)
{
	const struct bus_sender *left = a;
	const struct bus_sender *right = b;

	return strcmp(left->name, right->name);
}

static struct bus_sender *sender_find(struct bus *bus, const char *name)
{
	struct bus_sender key = {.name = name};
	struct bus_sender **found = tfind(&key, &bus->senders, sender_compare);

	return found ? *found : NULL;
}

static struct bus_sender *sender_new(struct bus *bus, const char *name)
{
	struct bus_sender *sender = calloc(1, sizeof(*sender));

	if (!sender) {
		return NULL;
	}
	STAILQ_INIT(&sender->waiters);
	LIST_INIT(&sender->watches);
	sender->bus = bus;
	sender->name = strdup(name);
	if (!sender->name || !tsearch(sender, &bus->senders, sender_compare)) {
		free((char *)sender->name);
		free(sender);
		return NULL;
	}
	return sender;
}

static void sender_forget(struct bus_sender *sender)
{
	(void)tdelete(sender, &sender->bus->senders, sender_compare);
}

static void sender_end_question(struct bus_sender *sender)
{
	if (sender->pending) {
		LIST_REMOVE(sender, asking);
		dbus_pending_call_cancel(sender->pending);
		dbus_pending_call_unref(steal_pointer(sender->pending));
	}
}

/* Call everybody who waits, with the sender or with an error. They may look up others meanwhile. */
static void sender_settle(struct bus_sender *sender, const struct error *error)
{
	struct sender_waiter *waiter;

	while ((waiter = STAILQ_FIRST(&sender->waiters))) {
		STAILQ_REMOVE_HEAD(&sender->waiters, next);
		waiter->ready(error ? NULL : sender, error, waiter->userdata);
		free(waiter);
	}
}

/* A sender that is forgotten already: tell whoever waits or watches, and free it. */
static void sender_end(struct bus_sender *sender, const struct error *error, bool tell_watches)
{
	struct bus_sender_watch *watch;

	sender_end_question(sender);
	sender_settle(sender, error);
	while ((watch = LIST_FIRST(&sender->watches))) {
		LIST_REMOVE(watch, next);
		watch->sender = NULL;
		if (tell_watches) {
			watch->gone(watch->userdata);
		}
	}
	free((char *)sender->name);
	free(sender);
}

/* The question for the uid */

static int read_uid(DBusMessage *reply, const char *name, uid_t *ret_uid, struct error *error)
{
	const char *text = "an answer of the wrong type";
	dbus_uint32_t uid;

	if (dbus_message_is_error(reply, DBUS_ERROR_NAME_HAS_NO_OWNER)) {
		return error_set(error, ERROR_NOT_FOUND, 0, "client %s has left the bus", name);
	}
	if (dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_METHOD_RETURN &&
	    dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &uid, DBUS_TYPE_INVALID)) {
		*ret_uid = uid;
		return 0;
	}
	if (dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_ERROR) {
		(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text,
					    DBUS_TYPE_INVALID);
	}
	return error_set(error, ERROR_ACCESS_DENIED, 0,
			 "the bus doesn't tell which user client %s is: %s", name, text);
}

static void handle_uid(DBusPendingCall *pending, void *userdata)
{
	struct bus_sender *sender = userdata;
	DBusMessage *reply = dbus_pending_call_steal_reply(pending);
	struct error error;
	int r = read_uid(reply, sender->name, &sender->uid, &error);

	dbus_message_unref(reply);
	sender_end_question(sender);
	if (r == 0) {
		sender_settle(sender, NULL);
	} else {
		sender_forget(sender);
		sender_end(sender, &error, true);
	}
}

static int sender_send_question(struct bus_sender *sender, DBusMessage *message)
{
	if (!dbus_message_append_args(message, DBUS_TYPE_STRING, &sender->name,
				      DBUS_TYPE_INVALID) ||
	    !dbus_connection_send_with_reply(sender->bus->connection, message, &sender->pending,
					     DBUS_TIMEOUT_USE_DEFAULT)) {
		return -ENOMEM;
	}
	if (!sender->pending) {
		return -ENOTCONN;
	}
	LIST_INSERT_HEAD(&sender->bus->asking, sender, asking);
	return dbus_pending_call_set_notify(sender->pending, handle_uid, sender, NULL) ? 0
										       : -ENOMEM;
}

static int sender_ask(struct bus_sender *sender)
{
	DBusMessage *message = dbus_message_new_method_call(
		DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "GetConnectionUnixUser");
	int r;

	if (!message) {
		return -ENOMEM;
	}
	r = sender_send_question(sender, message);
	dbus_message_unref(message);
	return r;
}

/* Lookups */

static struct bus_sender *sender_find_or_ask(struct bus *bus, const char *name, int *ret_error)
{
	struct bus_sender *sender = sender_find(bus, name);

	if (sender) {
		return sender;
	}
	sender = sender_new(bus, name);
	*ret_error = sender ? sender_ask(sender) : -ENOMEM;
	if (sender && *ret_error < 0) {
		sender_forget(sender);
		sender_end(sender, NULL, false);
		return NULL;
	}
	return sender;
}

static int sender_wait(struct bus_sender *sender, bus_sender_ready ready, void *userdata)
{
	struct sender_waiter *waiter = calloc(1, sizeof(*waiter));

	if (!waiter) {
		return -ENOMEM;
	}
	waiter->ready = ready;
	waiter->userdata = userdata;
	STAILQ_INSERT_TAIL(&sender->waiters, waiter, next);
	return 0;
}

int bus_sender_get(struct bus *bus, const char *name, bus_sender_ready ready, void *userdata)
{
	struct bus_sender *sender;
	int r = 0;

	if (name[0] != ':' || !dbus_validate_bus_name(name, NULL)) {
		return -EINVAL;
	}
	if (bus->closing || !dbus_connection_get_is_connected(bus->connection)) {
		return -ENOTCONN;
	}
	sender = sender_find_or_ask(bus, name, &r);
	if (!sender) {
		return r;
	}
	if (sender->pending) {
		return sender_wait(sender, ready, userdata);
	}
	ready(sender, NULL, userdata);
	return 0;
}

const char *bus_sender_name(const struct bus_sender *sender)
{
	return sender->name;
}

uid_t bus_sender_uid(const struct bus_sender *sender)
{
	return sender->uid;
}

/* Watches */

int bus_sender_watch(struct bus_sender *sender, bus_sender_gone gone, void *userdata,
		     struct bus_sender_watch **ret_watch)
{
	struct bus_sender_watch *watch = calloc(1, sizeof(*watch));

	if (!watch) {
		return -ENOMEM;
	}
	watch->sender = sender;
	watch->gone = gone;
	watch->userdata = userdata;
	LIST_INSERT_HEAD(&sender->watches, watch, next);
	*ret_watch = watch;
	return 0;
}

struct bus_sender_watch *bus_sender_unwatch(struct bus_sender_watch *watch)
{
	if (watch) {
		if (watch->sender) {
			LIST_REMOVE(watch, next);
		}
		free(watch);
	}
	return NULL;
}

void senders_handle_owner_changed(struct bus *bus, DBusMessage *message)
{
	const char *name;
	const char *old_owner;
	const char *new_owner;
	struct bus_sender *sender;
	struct error error;

	if (!dbus_message_get_args(message, NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_STRING,
				   &old_owner, DBUS_TYPE_STRING, &new_owner, DBUS_TYPE_INVALID) ||
	    new_owner[0] != '\0') {
		return;
	}
	sender = sender_find(bus, name);
	if (sender) {
		(void)error_set(&error, ERROR_NOT_FOUND, 0, "client %s has left the bus", name);
		sender_forget(sender);
		sender_end(sender, &error, true);
	}
}

/* libdbus forgets the questions that are open then, and never tells. */
void senders_handle_disconnected(struct bus *bus)
{
	struct bus_sender *sender;
	struct error error;

	(void)error_set(&error, ERROR_NOT_FOUND, 0, "the connection to the bus is lost");
	while ((sender = LIST_FIRST(&bus->asking))) {
		/* sender_end takes it off the list. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		assert(sender->pending);
		sender_forget(sender);
		sender_end(sender, &error, true);
	}
}

/* The set of senders */

int senders_init(struct bus *bus)
{
	DBusError error = DBUS_ERROR_INIT;
	int r;

	LIST_INIT(&bus->asking);
	dbus_bus_add_match(bus->connection, MATCH_LEAVING, &error);
	if (!dbus_error_is_set(&error)) {
		return 0;
	}
	r = errno_of_dbus_error(&error);
	dbus_error_free(&error);
	return r;
}

static void end_for_closing(void *memory)
{
	struct error error;

	(void)error_set(&error, ERROR_NOT_FOUND, 0, "the connection to the bus is closed");
	sender_end(memory, &error, false);
}

void senders_done(struct bus *bus)
{
	tdestroy(steal_pointer(bus->senders), end_for_closing);
}
