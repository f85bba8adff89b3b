/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bus: one libdbus connection that lives on an sd-event loop.
 *
 * Concepts
 *   bus      the connection, its name, and everything that hangs on it: objects (dbus/object.h)
 *            and senders (dbus/sender.h)
 *   object   a path with interfaces, described by static tables; one driver answers for all
 *   call     a method call on its way, owned by its handler until answered (dbus/call.h)
 *   sender   a client, by its unique name, with its uid and word of its leaving
 *
 * All of it runs on the thread of the loop. Out of memory is -ENOMEM at the call that needed it.
 * Strings handed to libdbus must be valid UTF-8, and object paths valid: it aborts on others.
 */
#pragma once

#include <dbus/dbus.h>
#include <systemd/sd-event.h>

#include "common/error.h"

struct bus;

/*
 * Put a connection that has its unique name (dbus_bus_get_private, dbus_bus_register) on the loop.
 * Takes over the caller's reference, which must be to a private connection; on failure it stays the
 * caller's. Asks the bus for word of leaving clients: one blocking round trip. 0 or -errno.
 */
int bus_new(sd_event *event, DBusConnection *connection, struct bus **ret_bus);

/*
 * Connect to the system bus, or the one that DBUS_SYSTEM_BUS_ADDRESS names, and put the connection
 * on the loop. 0 or -errno: ENOENT or ECONNREFUSED when there is no bus, EACCES when it won't have
 * us.
 */
int bus_connect_system(sd_event *event, struct bus **ret_bus);

/*
 * Send what is still to be sent, close the connection, forget the senders. The objects must have
 * been removed. Lookups of senders that are under way end with an error; calls that are not
 * answered yet stay their owners', answers to them go nowhere. Must not be called out of a handler
 * of this bus. Takes NULL, returns NULL.
 */
struct bus *bus_free(struct bus *bus);

/* Called once, from the loop, when the connection is lost. Objects and calls stay valid. */
typedef void (*bus_disconnected)(struct bus *bus, void *userdata);

void bus_set_disconnected(struct bus *bus, bus_disconnected disconnected, void *userdata);

/*
 * Become the owner of a well-known name; blocks for one round trip. Signals are sent from then on.
 * 0, or ERROR_BUSY when another connection owns the name, ERROR_ACCESS_DENIED when the bus's policy
 * refuses, ERROR_KERNEL when the bus can't be reached.
 */
int bus_request_name(struct bus *bus, const char *name, struct error *error);

DBusConnection *bus_connection(struct bus *bus);
