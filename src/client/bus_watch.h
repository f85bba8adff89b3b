/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connection of libdbus behind one fd to poll: its socket, and an alarm clock. */
#pragma once

#include <dbus/dbus.h>
#include <stddef.h>
#include <stdint.h>

/* libdbus has one for reading and one for writing. */
#define BUS_WATCHES_MAX 4U

struct bus_watch {
	int epoll_fd;
	int timer_fd;
	int bus_fd; /* that is in the epoll set, or -1; not owned */
	DBusWatch *watches[BUS_WATCHES_MAX];
	size_t count;
};

#define BUS_WATCH_NONE ((struct bus_watch){.epoll_fd = -1, .timer_fd = -1, .bus_fd = -1})

/* The alarm clock alone. 0 or -errno. */
int bus_watch_init(struct bus_watch *watch);

/* The socket of a connection as well. 0 or -ENOMEM. */
int bus_watch_add(struct bus_watch *watch, DBusConnection *connection);

/* The connection, NULL if it was not added, has no watches afterwards. */
void bus_watch_done(struct bus_watch *watch, DBusConnection *connection);

/* Be readable from that time on (ms, CLOCK_MONOTONIC; UINT64_MAX: never). */
void bus_watch_set_alarm(struct bus_watch *watch, uint64_t when);

/* Read and write what can be, without waiting. */
void bus_watch_handle(struct bus_watch *watch);
