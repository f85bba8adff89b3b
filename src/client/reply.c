/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a failure is: an errno, and a sentence. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "common/names.h"

int client_fail(struct spaprd_error *error, int errnum, const char *format, ...)
{
	va_list arguments;

	if (error) {
		error->errnum = errnum;
		va_start(arguments, format);
		(void)vsnprintf(error->text, sizeof(error->text), format, arguments);
		va_end(arguments);
	}
	return errnum;
}

static int find_errnum(const char *name)
{
	static const struct {
		const char *name;
		int errnum;
	} table[] = {
		{BUS_ERROR_PREFIX "InvalidArgument", -EINVAL},
		{BUS_ERROR_PREFIX "NotFound", -ENOENT},
		{BUS_ERROR_PREFIX "EehUnavailable", -ENODEV},
		{BUS_ERROR_PREFIX "EehManyGroups", -ENOTUNIQ},
		{BUS_ERROR_PREFIX "Busy", -EBUSY},
		{BUS_ERROR_PREFIX "QuotaExceeded", -EDQUOT},
		{BUS_ERROR_PREFIX "NotJoined", -ENOTCONN},
		{BUS_ERROR_PREFIX "VoteClosed", -ESTALE},
		{DBUS_ERROR_ACCESS_DENIED, -EACCES},
		{DBUS_ERROR_NO_MEMORY, -ENOMEM},
		/* A group that isn't there, or that has no such interface. */
		{DBUS_ERROR_UNKNOWN_OBJECT, -ENOENT},
		{DBUS_ERROR_UNKNOWN_INTERFACE, -ENODEV},
		{DBUS_ERROR_UNKNOWN_METHOD, -ENODEV},
		{DBUS_ERROR_SERVICE_UNKNOWN, -EHOSTDOWN},
		{DBUS_ERROR_NAME_HAS_NO_OWNER, -EHOSTDOWN},
		/* The bus, of one who left before it answered: there is no time limit of ours. */
		{DBUS_ERROR_NO_REPLY, -EHOSTDOWN},
		{DBUS_ERROR_DISCONNECTED, -ECONNRESET},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (strcmp(table[i].name, name) == 0) {
			return table[i].errnum;
		}
	}
	return -EREMOTEIO;
}

int client_check_reply(DBusConnection *connection, DBusMessage *reply, const char *signature,
		       struct spaprd_error *error)
{
	const char *name = dbus_message_get_error_name(reply);
	const char *text = "no more is known";

	if (dbus_message_get_type(reply) != DBUS_MESSAGE_TYPE_ERROR || !name) {
		if (dbus_message_has_signature(reply, signature)) {
			return 0;
		}
		return client_fail(error, -EPROTO,
				   "spaprd's answer can't be right: \"%.64s\" instead of \"%s\"",
				   dbus_message_get_signature(reply), signature);
	}
	if (!dbus_connection_get_is_connected(connection)) {
		return client_fail(error, -ECONNRESET, "the bus closed the connection");
	}
	(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
	return client_fail(error, find_errnum(name), "%.384s", text);
}
