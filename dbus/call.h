/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A method call on its way.
 *
 * A handler gets a call and owns it until it answers, once: now, or after the loop has gone round
 * for seconds. Each answer frees the call. A call depends on nothing: the object may be removed and
 * the connection lost meanwhile. Calls that want no reply are answered like the others.
 *
 * An answer never fails for its caller: when there is no memory for it, the client is told so.
 */
#pragma once

#include <dbus/dbus.h>

#include "common/error.h"

struct bus_call;

/* Adds values to an answer or a signal. 0 or -errno (-ENOMEM when libdbus says FALSE). */
typedef int (*bus_append)(DBusMessageIter *iter, void *userdata);

/*
 * The message. Its signature is the method's: reading it with dbus_message_iter_init needs no
 * checks of types. Valid as long as the call.
 */
DBusMessage *bus_call_message(const struct bus_call *call);

/* The unique name of the client. Valid as long as the call. */
const char *bus_call_sender(const struct bus_call *call);

/*
 * Read the arguments as dbus_message_get_args does, with the method's own types: strings belong to
 * the message, string arrays to the caller. Each fd read, here or by dbus_message_iter_get_basic,
 * is a new CLOEXEC duplicate that the caller closes (the iterator gives -1 when it fails). 0,
 * -EMFILE when an fd could not be duplicated, or -EBADF when the message has no fd for an argument
 * that is one; then no fd is left open.
 */
int bus_call_read(const struct bus_call *call, int first_type, ...);

/*
 * Let go of the arguments, and of the fds that came with them: for a call that is read and is going
 * to wait. So waiting calls can't use up our fds, nor what libdbus holds of messages at a time (63
 * MiB), beyond which it reads nothing more from the bus, for nobody. Nothing that belongs to the
 * message can be read any more.
 */
void bus_call_drop_arguments(struct bus_call *call);

/* Answer with values as dbus_message_append_args takes them; DBUS_TYPE_INVALID alone for none. */
void bus_call_reply(struct bus_call *call, int first_type, ...);

/* Answer with the values that append adds. */
void bus_call_reply_with(struct bus_call *call, bus_append append, void *userdata);

/* Answer with an error: the bus name of its code, and its text. */
void bus_call_fail(struct bus_call *call, const struct error *error);

/* Answer with an error that is not in our own table, such as the standard ones of D-Bus. */
void bus_call_fail_named(struct bus_call *call, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Make a text one that libdbus takes, which aborts on what is not UTF-8: each byte of one that is
 * not and is no ASCII becomes a question mark.
 */
void bus_text_make_valid(char *text);

/* Drop a call without an answer: for clients that are gone. Takes NULL, returns NULL. */
struct bus_call *bus_call_free(struct bus_call *call);
