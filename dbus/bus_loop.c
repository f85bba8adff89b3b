/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus/bus_loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#include "common/error.h"
#include "common/log.h"

/* Messages dispatched before other sources of the loop get their turn. */
#define DISPATCH_BATCH 32

/* After libdbus ran out of memory: how long until it is asked again. */
#define RETRY_USEC 50000U

/* How late a timeout of libdbus may be, so that the loop can wake up for several at once. */
#define ACCURACY_USEC 10000U

/* At most so many watches share an fd: libdbus makes one to read and one to write. */
#define WATCHES_PER_FD 2

struct loop_fd {
	struct bus_loop *loop;
	struct loop_fd *next;
	int fd;
	sd_event_source *source;
	uint32_t events; /* what the source waits for now */
	DBusWatch *watches[WATCHES_PER_FD];
};

struct bus_loop {
	sd_event *event;
	DBusConnection *connection;
	struct loop_fd *fds;
	sd_event_source *dispatch; /* a defer source, on while messages wait to be dispatched */
	sd_event_source *retry;    /* a timer, for when dispatching needs memory */
};

struct loop_timeout {
	sd_event_source *source;
	DBusTimeout *timeout;
};

/* Watches */

static uint32_t events_of_watch(DBusWatch *watch)
{
	unsigned int flags = dbus_watch_get_flags(watch);

	if (!dbus_watch_get_enabled(watch)) {
		return 0;
	}
	return (flags & DBUS_WATCH_READABLE ? (uint32_t)EPOLLIN : 0U) |
	       (flags & DBUS_WATCH_WRITABLE ? (uint32_t)EPOLLOUT : 0U);
}

static unsigned int watch_flags_of_events(uint32_t events)
{
	return (events & EPOLLIN ? (unsigned int)DBUS_WATCH_READABLE : 0U) |
	       (events & EPOLLOUT ? (unsigned int)DBUS_WATCH_WRITABLE : 0U) |
	       (events & EPOLLHUP ? (unsigned int)DBUS_WATCH_HANGUP : 0U) |
	       (events & EPOLLERR ? (unsigned int)DBUS_WATCH_ERROR : 0U);
}

static int handle_fd_prepare(sd_event_source *source, void *userdata)
{
	struct loop_fd *fd = userdata;
	uint32_t events = 0;
	int r;

	for (unsigned int i = 0; i < WATCHES_PER_FD; i++) {
		events |= fd->watches[i] ? events_of_watch(fd->watches[i]) : 0;
	}
	if (events == fd->events) {
		return 0;
	}
	r = sd_event_source_set_io_events(source, events);
	if (r >= 0) {
		fd->events = events;
	}
	return r;
}

/* A watch may go away, and the other one with it, while it is handled (when the peer hangs up). */
static int handle_fd_io(sd_event_source *source, int number, uint32_t revents, void *userdata)
{
	struct loop_fd *fd = userdata;
	uint32_t failed = revents & (uint32_t)(EPOLLHUP | EPOLLERR);

	(void)source;
	(void)number;
	for (unsigned int i = 0; i < WATCHES_PER_FD; i++) {
		DBusWatch *watch = fd->watches[i];
		uint32_t events = watch ? (revents & events_of_watch(watch)) | failed : 0;

		/* FALSE means that memory is short: the fd stays ready and the loop comes back. */
		if (events) {
			(void)dbus_watch_handle(watch, watch_flags_of_events(events));
		}
	}
	return 0;
}

static struct loop_fd *loop_fd_find(struct bus_loop *loop, int number)
{
	struct loop_fd *fd = loop->fds;

	while (fd && fd->fd != number) {
		fd = fd->next;
	}
	return fd;
}

static struct loop_fd *loop_fd_new(struct bus_loop *loop, int number)
{
	struct loop_fd *fd = calloc(1, sizeof(*fd));

	if (!fd) {
		return NULL;
	}
	fd->loop = loop;
	fd->fd = number;
	if (sd_event_add_io(loop->event, &fd->source, number, 0, handle_fd_io, fd) < 0) {
		free(fd);
		return NULL;
	}
	/* The source frees its userdata: an fd may go away while its source is at work. */
	(void)sd_event_source_set_destroy_callback(fd->source, free);
	(void)sd_event_source_set_prepare(fd->source, handle_fd_prepare);
	fd->next = loop->fds;
	loop->fds = fd;
	return fd;
}

static void loop_fd_free(struct loop_fd *fd)
{
	struct loop_fd **link = &fd->loop->fds;

	while (*link != fd) {
		link = &(*link)->next;
	}
	*link = fd->next;
	(void)sd_event_source_disable_unref(fd->source);
}

static dbus_bool_t add_watch(DBusWatch *watch, void *data)
{
	struct bus_loop *loop = data;
	int number = dbus_watch_get_unix_fd(watch);
	struct loop_fd *fd = loop_fd_find(loop, number);

	if (!fd) {
		fd = loop_fd_new(loop, number);
	}
	for (unsigned int i = 0; fd && i < WATCHES_PER_FD; i++) {
		if (!fd->watches[i]) {
			fd->watches[i] = watch;
			dbus_watch_set_data(watch, fd, NULL);
			return TRUE;
		}
	}
	return FALSE;
}

static void remove_watch(DBusWatch *watch, void *data)
{
	struct loop_fd *fd = dbus_watch_get_data(watch);
	bool used = false;

	(void)data;
	if (!fd) {
		return;
	}
	for (unsigned int i = 0; i < WATCHES_PER_FD; i++) {
		if (fd->watches[i] == watch) {
			fd->watches[i] = NULL;
		}
		used = used || fd->watches[i];
	}
	dbus_watch_set_data(watch, NULL, NULL);
	if (!used) {
		loop_fd_free(fd);
	}
}

/* handle_fd_prepare looks at all watches before the loop sleeps. */
static void watch_toggled(DBusWatch *watch, void *data)
{
	(void)watch;
	(void)data;
}

/* Timeouts */

static int timeout_arm(struct loop_timeout *timeout)
{
	uint64_t usec = (uint64_t)dbus_timeout_get_interval(timeout->timeout) * 1000U;
	int r;

	if (!dbus_timeout_get_enabled(timeout->timeout)) {
		return sd_event_source_set_enabled(timeout->source, SD_EVENT_OFF);
	}
	r = sd_event_source_set_time_relative(timeout->source, usec);
	return r < 0 ? r : sd_event_source_set_enabled(timeout->source, SD_EVENT_ONESHOT);
}

/* A timeout of libdbus is periodic. Handling it may remove it: so it is armed again before. */
static int handle_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct loop_timeout *timeout = userdata;
	int r = timeout_arm(timeout);

	(void)source;
	(void)usec;
	(void)dbus_timeout_handle(timeout->timeout);
	return r;
}

static void timeout_free(void *memory)
{
	struct loop_timeout *timeout = memory;

	if (timeout->source) {
		(void)sd_event_source_disable_unref(timeout->source);
	}
	free(timeout);
}

static dbus_bool_t add_timeout(DBusTimeout *libdbus_timeout, void *data)
{
	struct bus_loop *loop = data;
	struct loop_timeout *timeout = calloc(1, sizeof(*timeout));

	if (!timeout) {
		return FALSE;
	}
	timeout->timeout = libdbus_timeout;
	if (sd_event_add_time_relative(loop->event, &timeout->source, CLOCK_MONOTONIC, 0,
				       ACCURACY_USEC, handle_timeout, timeout) < 0 ||
	    timeout_arm(timeout) < 0) {
		timeout_free(timeout);
		return FALSE;
	}
	dbus_timeout_set_data(libdbus_timeout, timeout, timeout_free);
	return TRUE;
}

static void remove_timeout(DBusTimeout *libdbus_timeout, void *data)
{
	(void)data;
	dbus_timeout_set_data(libdbus_timeout, NULL, NULL);
}

static void timeout_toggled(DBusTimeout *libdbus_timeout, void *data)
{
	struct loop_timeout *timeout = dbus_timeout_get_data(libdbus_timeout);
	int r = timeout ? timeout_arm(timeout) : 0;

	(void)data;
	if (r < 0) {
		log_error("Failed to set a timeout of the bus: %s", errno_name(-r));
	}
}

/* Dispatching */

static void dispatch_later(struct bus_loop *loop, DBusDispatchStatus status)
{
	bool remains = status == DBUS_DISPATCH_DATA_REMAINS;
	bool short_of_memory = status == DBUS_DISPATCH_NEED_MEMORY;

	(void)sd_event_source_set_enabled(loop->dispatch, remains ? SD_EVENT_ON : SD_EVENT_OFF);
	if (short_of_memory) {
		(void)sd_event_source_set_time_relative(loop->retry, RETRY_USEC);
	}
	(void)sd_event_source_set_enabled(loop->retry,
					  short_of_memory ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* May be called by libdbus from anywhere, so messages are dispatched from the loop only. */
static void handle_dispatch_status(DBusConnection *connection, DBusDispatchStatus status,
				   void *data)
{
	(void)connection;
	dispatch_later(data, status);
}

static void dispatch_batch(struct bus_loop *loop)
{
	DBusDispatchStatus status = dbus_connection_get_dispatch_status(loop->connection);

	for (unsigned int i = 0; i < DISPATCH_BATCH && status == DBUS_DISPATCH_DATA_REMAINS; i++) {
		status = dbus_connection_dispatch(loop->connection);
	}
	dispatch_later(loop, status);
}

static int handle_dispatch(sd_event_source *source, void *userdata)
{
	(void)source;
	dispatch_batch(userdata);
	return 0;
}

static int handle_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	dispatch_batch(userdata);
	return 0;
}

/* The adapter */

static int loop_attach(struct bus_loop *loop)
{
	int r = sd_event_add_defer(loop->event, &loop->dispatch, handle_dispatch, loop);

	if (r < 0) {
		return r;
	}
	r = sd_event_add_time_relative(loop->event, &loop->retry, CLOCK_MONOTONIC, 0, ACCURACY_USEC,
				       handle_retry, loop);
	if (r < 0) {
		return r;
	}
	if (!dbus_connection_set_watch_functions(loop->connection, add_watch, remove_watch,
						 watch_toggled, loop, NULL) ||
	    !dbus_connection_set_timeout_functions(loop->connection, add_timeout, remove_timeout,
						   timeout_toggled, loop, NULL)) {
		return -ENOMEM;
	}
	/* A wake-up function is for other threads that send on the connection; there are none. */
	dbus_connection_set_wakeup_main_function(loop->connection, NULL, NULL, NULL);
	dbus_connection_set_dispatch_status_function(loop->connection, handle_dispatch_status, loop,
						     NULL);
	dispatch_later(loop, dbus_connection_get_dispatch_status(loop->connection));
	return 0;
}

int bus_loop_new(sd_event *event, DBusConnection *connection, struct bus_loop **ret_loop)
{
	struct bus_loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop) {
		return -ENOMEM;
	}
	loop->event = sd_event_ref(event);
	loop->connection = connection;
	r = loop_attach(loop);
	if (r < 0) {
		(void)bus_loop_free(loop);
		return r;
	}
	*ret_loop = loop;
	return 0;
}

struct bus_loop *bus_loop_free(struct bus_loop *loop)
{
	if (!loop) {
		return NULL;
	}
	dbus_connection_set_dispatch_status_function(loop->connection, NULL, NULL, NULL);
	(void)dbus_connection_set_timeout_functions(loop->connection, NULL, NULL, NULL, NULL, NULL);
	(void)dbus_connection_set_watch_functions(loop->connection, NULL, NULL, NULL, NULL, NULL);
	(void)sd_event_source_disable_unref(loop->dispatch);
	(void)sd_event_source_disable_unref(loop->retry);
	(void)sd_event_unref(loop->event);
	free(loop);
	return NULL;
}
