/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "dbus/bus_private.h"

struct bus_call {
	DBusConnection *connection;
	DBusMessage *message;
	const struct bus_method *method; /* NULL until the driver has found it */
};

struct bus_call *bus_call_new(DBusConnection *connection, DBusMessage *message)
{
	struct bus_call *call = malloc(sizeof(*call));

	if (!call) {
		return NULL;
	}
	call->connection = dbus_connection_ref(connection);
	call->message = dbus_message_ref(message);
	call->method = NULL;
	return call;
}

struct bus_call *bus_call_free(struct bus_call *call)
{
	if (call) {
		dbus_message_unref(call->message);
		dbus_connection_unref(call->connection);
		free(call);
	}
	return NULL;
}

void bus_call_set_method(struct bus_call *call, const struct bus_method *method)
{
	call->method = method;
}

DBusMessage *bus_call_message(const struct bus_call *call)
{
	return call->message;
}

const char *bus_call_sender(const struct bus_call *call)
{
	const char *sender = dbus_message_get_sender(call->message);

	return sender ? sender : "";
}

/*
 * libdbus leaves to its caller what it had read before an argument fails. So that this can be
 * released, what owns something is made empty first, and released after a failure.
 */
static void outputs_release(int first_type, va_list outputs, bool only_empty)
{
	for (int type = first_type; type != DBUS_TYPE_INVALID; type = va_arg(outputs, int)) {
		int element = type == DBUS_TYPE_ARRAY ? va_arg(outputs, int) : DBUS_TYPE_INVALID;
		void *output = va_arg(outputs, void *);

		if (type == DBUS_TYPE_ARRAY) {
			(void)va_arg(outputs, int *);
		}
		if (type == DBUS_TYPE_UNIX_FD) {
			int *fd = output;

			*fd = only_empty ? -1 : fd_close(*fd);
		} else if (element != DBUS_TYPE_INVALID && !dbus_type_is_fixed(element)) {
			char ***strings = output;

			if (!only_empty) {
				dbus_free_string_array(*strings);
			}
			*strings = NULL;
		}
	}
}

int bus_call_read(const struct bus_call *call, int first_type, ...)
{
	DBusError error = DBUS_ERROR_INIT;
	va_list outputs;
	int r = 0;

	va_start(outputs, first_type);
	outputs_release(first_type, outputs, true);
	va_end(outputs);
	va_start(outputs, first_type);
	if (!dbus_message_get_args_valist(call->message, &error, first_type, outputs)) {
		r = dbus_error_has_name(&error, DBUS_ERROR_INCONSISTENT_MESSAGE) ? -EBADF : -EMFILE;
	}
	va_end(outputs);
	dbus_error_free(&error);
	if (r < 0) {
		va_start(outputs, first_type);
		outputs_release(first_type, outputs, false);
		va_end(outputs);
	}
	return r;
}

/* What an answer needs of the message, without its body. NULL: no memory. */
static DBusMessage *message_copy_header(DBusMessage *message)
{
	DBusMessage *copy = dbus_message_new_method_call(NULL, dbus_message_get_path(message),
							 dbus_message_get_interface(message),
							 dbus_message_get_member(message));

	if (!copy || !dbus_message_set_sender(copy, dbus_message_get_sender(message))) {
		if (copy) {
			dbus_message_unref(copy);
		}
		return NULL;
	}
	dbus_message_set_serial(copy, dbus_message_get_serial(message));
	dbus_message_set_no_reply(copy, dbus_message_get_no_reply(message));
	return copy;
}

/* Whether the arguments may be long, or fds. */
static bool has_unbounded_arguments(DBusMessage *message)
{
	static const char unbounded[] = {DBUS_TYPE_ARRAY,   DBUS_TYPE_UNIX_FD,     DBUS_TYPE_STRING,
					 DBUS_TYPE_VARIANT, DBUS_TYPE_OBJECT_PATH, '\0'};

	return strpbrk(dbus_message_get_signature(message), unbounded) != NULL;
}

void bus_call_drop_arguments(struct bus_call *call)
{
	DBusMessage *header =
		has_unbounded_arguments(call->message) ? message_copy_header(call->message) : NULL;

	if (header) {
		dbus_message_unref(call->message);
		call->message = header;
	}
}

/* Answers */

static bool wants_reply(const struct bus_call *call)
{
	return !dbus_message_get_no_reply(call->message) &&
	       dbus_connection_get_is_connected(call->connection);
}

/* Send what there is and let the call go. */
static void send_and_free(struct bus_call *call, DBusMessage *reply)
{
	int r = reply ? connection_send(call->connection, reply) : -ENOMEM;

	if (r < 0) {
		log_error("Failed to answer %s to %s: %s", dbus_message_get_member(call->message),
			  bus_call_sender(call), errno_name(-r));
	}
	if (reply) {
		dbus_message_unref(reply);
	}
	(void)bus_call_free(call);
}

static void fail(struct bus_call *call, const char *name, const char *text)
{
	if (!wants_reply(call)) {
		(void)bus_call_free(call);
		return;
	}
	send_and_free(call, dbus_message_new_error(call->message, name, text));
}

/* Check a reply that was built with the result r, and send it, or an error in its place. */
static void finish(struct bus_call *call, DBusMessage *reply, int r)
{
	const char *expected = call->method ? call->method->out : "";

	if (r == 0 && dbus_message_has_signature(reply, expected)) {
		send_and_free(call, reply);
		return;
	}
	if (r == 0) {
		log_error("The answer to %s is (%s), not (%s)",
			  dbus_message_get_member(call->message), dbus_message_get_signature(reply),
			  expected);
	}
	if (reply) {
		dbus_message_unref(reply);
	}
	if (r == -ENOMEM) {
		fail(call, DBUS_ERROR_NO_MEMORY, "No memory for the answer");
	} else {
		bus_call_fail_named(call, DBUS_ERROR_FAILED, "The answer could not be made (%s)",
				    errno_name(r ? -r : EPROTO));
	}
}

void bus_call_reply(struct bus_call *call, int first_type, ...)
{
	DBusMessage *reply;
	va_list values;
	bool done;

	if (!wants_reply(call)) {
		(void)bus_call_free(call);
		return;
	}
	reply = dbus_message_new_method_return(call->message);
	va_start(values, first_type);
	done = reply && dbus_message_append_args_valist(reply, first_type, values);
	va_end(values);
	finish(call, reply, done ? 0 : -ENOMEM);
}

void bus_call_reply_with(struct bus_call *call, bus_append append, void *userdata)
{
	DBusMessageIter iter;
	DBusMessage *reply;
	int r = -ENOMEM;

	if (!wants_reply(call)) {
		(void)bus_call_free(call);
		return;
	}
	reply = dbus_message_new_method_return(call->message);
	if (reply) {
		dbus_message_iter_init_append(reply, &iter);
		r = append(&iter, userdata);
	}
	finish(call, reply, r);
}

/* A cut or foreign text is better than none. */
void bus_text_make_valid(char *text)
{
	if (dbus_validate_utf8(text, NULL)) {
		return;
	}
	for (char *byte = text; *byte; byte++) {
		if ((unsigned char)*byte >= 0x80) {
			*byte = '?';
		}
	}
}

void bus_call_fail(struct bus_call *call, const struct error *error)
{
	bus_call_fail_named(call, error_bus_name(error->code), "%s", error->text);
}

void bus_call_fail_named(struct bus_call *call, const char *name, const char *format, ...)
{
	char text[2 * ERROR_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	bus_text_make_valid(text);
	fail(call, name, text);
}
