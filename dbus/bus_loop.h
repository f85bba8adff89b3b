/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The adapter: all of libdbus' watches, timeouts and dispatching on one sd-event loop.
 *
 * libdbus makes two watches, one for reading and one for writing, on the same fd; epoll takes an fd
 * once. So the watches of one fd share an event source, whose events are set just before the loop
 * sleeps: libdbus turns its write watch on and off many times for one message.
 */
#pragma once

#include <dbus/dbus.h>
#include <systemd/sd-event.h>

struct bus_loop;

/* Serve the connection from the loop until bus_loop_free. Borrows the connection. 0 or -errno. */
int bus_loop_new(sd_event *event, DBusConnection *connection, struct bus_loop **ret_loop);

/* Stop serving; must be done while the connection still exists. Takes NULL, returns NULL. */
struct bus_loop *bus_loop_free(struct bus_loop *loop);
