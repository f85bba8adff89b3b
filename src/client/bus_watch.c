/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus_watch.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "common/cleanup.h"

static int add_fd(struct bus_watch *watch, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int bus_watch_init(struct bus_watch *watch)
{
	int r;

	*watch = BUS_WATCH_NONE;
	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	watch->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	r = watch->epoll_fd < 0 || watch->timer_fd < 0 ? -errno : add_fd(watch, watch->timer_fd);
	if (r < 0) {
		bus_watch_done(watch, NULL);
	}
	return r;
}

/* -- libdbus's side -- */

/* All watches of the connection are of one fd; epoll takes an fd once. */
static int update_events(struct bus_watch *watch)
{
	struct epoll_event event = {.events = 0};
	int fd = watch->count > 0 ? dbus_watch_get_unix_fd(watch->watches[0]) : -1;

	for (size_t i = 0; i < watch->count; i++) {
		unsigned int flags = dbus_watch_get_flags(watch->watches[i]);

		if (dbus_watch_get_enabled(watch->watches[i])) {
			event.events |= flags & DBUS_WATCH_READABLE ? (uint32_t)EPOLLIN : 0U;
			event.events |= flags & DBUS_WATCH_WRITABLE ? (uint32_t)EPOLLOUT : 0U;
		}
	}
	if (watch->bus_fd >= 0 && watch->bus_fd != fd) {
		(void)epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, watch->bus_fd, NULL);
		watch->bus_fd = -1;
	}
	event.data.fd = fd;
	if (fd >= 0 &&
	    epoll_ctl(watch->epoll_fd, watch->bus_fd >= 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
		      &event) < 0) {
		return -errno;
	}
	watch->bus_fd = fd;
	return 0;
}

static dbus_bool_t add_watch(DBusWatch *watch, void *data)
{
	struct bus_watch *self = data;

	if (self->count == BUS_WATCHES_MAX) {
		return FALSE;
	}
	self->watches[self->count++] = watch;
	if (update_events(self) < 0) {
		self->count--;
		return FALSE;
	}
	return TRUE;
}

static void remove_watch(DBusWatch *watch, void *data)
{
	struct bus_watch *self = data;
	size_t i = 0;

	while (i < self->count && self->watches[i] != watch) {
		i++;
	}
	if (i < self->count) {
		self->count--;
		memmove(&self->watches[i], &self->watches[i + 1],
			(self->count - i) * sizeof(DBusWatch *));
		(void)update_events(self);
	}
}

static void toggle_watch(DBusWatch *watch, void *data)
{
	(void)watch;
	(void)update_events(data);
}

int bus_watch_add(struct bus_watch *watch, DBusConnection *connection)
{
	return dbus_connection_set_watch_functions(connection, add_watch, remove_watch,
						   toggle_watch, watch, NULL)
		       ? 0
		       : -ENOMEM;
}

void bus_watch_done(struct bus_watch *watch, DBusConnection *connection)
{
	if (connection) {
		(void)dbus_connection_set_watch_functions(connection, NULL, NULL, NULL, NULL, NULL);
	}
	cleanup_fd(&watch->timer_fd);
	cleanup_fd(&watch->epoll_fd);
}

/* -- the program's side -- */

void bus_watch_set_alarm(struct bus_watch *watch, uint64_t when)
{
	/* Zero would stop the clock. */
	uint64_t milliseconds = when == 0 ? 1 : when;
	struct itimerspec timer = {.it_value = {0}};

	if (when != UINT64_MAX) {
		timer.it_value.tv_sec = (time_t)(milliseconds / 1000);
		timer.it_value.tv_nsec = (long)(milliseconds % 1000 * 1000000);
	}
	(void)timerfd_settime(watch->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

static unsigned int find_flags(uint32_t events)
{
	unsigned int flags = 0;

	flags |= events & EPOLLIN ? DBUS_WATCH_READABLE : 0U;
	flags |= events & EPOLLOUT ? DBUS_WATCH_WRITABLE : 0U;
	flags |= events & EPOLLERR ? DBUS_WATCH_ERROR : 0U;
	flags |= events & EPOLLHUP ? DBUS_WATCH_HANGUP : 0U;
	return flags;
}

/* Handling one watch can remove others, or all. */
static void handle_flags(struct bus_watch *watch, unsigned int flags)
{
	const unsigned int failures = DBUS_WATCH_ERROR | DBUS_WATCH_HANGUP;

	for (size_t i = 0; i < watch->count; i++) {
		DBusWatch *each = watch->watches[i];
		unsigned int own = flags & (dbus_watch_get_flags(each) | failures);

		if (own != 0 && dbus_watch_get_enabled(each)) {
			(void)dbus_watch_handle(each, own);
		}
	}
}

void bus_watch_handle(struct bus_watch *watch)
{
	struct epoll_event events[2];
	int count = epoll_wait(watch->epoll_fd, events, 2, 0);

	for (int i = 0; i < count; i++) {
		if (events[i].data.fd == watch->bus_fd) {
			handle_flags(watch, find_flags(events[i].events));
		}
	}
}
