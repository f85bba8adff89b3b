/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support/fake_service.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/names.h"

static DBusConnection *service;

void fake_service_send(DBusMessage *message)
{
	(void)dbus_connection_send(service, message, NULL);
	dbus_message_unref(message);
}

static DBusHandlerResult handle_message(DBusConnection *connection, DBusMessage *message,
					void *userdata)
{
	fake_service_answer *const *answer = userdata;
	DBusMessage *reply;

	if (dbus_message_get_type(message) != DBUS_MESSAGE_TYPE_METHOD_CALL) {
		return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
	}
	reply = (*answer)(message);
	if (reply) {
		(void)dbus_connection_send(connection, reply, NULL);
		dbus_message_unref(reply);
	}
	return DBUS_HANDLER_RESULT_HANDLED;
}

void fake_service_run(int ready, fake_service_answer *answer)
{
	DBusConnection *connection;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	connection = dbus_bus_get_private(DBUS_BUS_SYSTEM, NULL);
	service = connection;
	if (!connection || !dbus_connection_add_filter(connection, handle_message, &answer, NULL) ||
	    dbus_bus_request_name(connection, BUS_NAME, 0, NULL) < 0 || write(ready, "", 1) != 1) {
		_exit(1);
	}
	while (dbus_connection_read_write_dispatch(connection, -1)) {
	}
	_exit(0);
}
