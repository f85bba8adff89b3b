/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for fds. Nodes have no poll of their own, so a kernel says that they are ready for
 * reading and writing at any time (vfs_poll, DEFAULT_POLLMASK), and that epoll can't have them
 * (EPERM). The sockets that they are would wait, and hang up.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "sim/preload/preload.h"
#include "sim/preload/real.h"

#define ALWAYS_READY (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)

/* More of them are kept in memory that is allocated. */
#define ENTRIES_ON_STACK 64

static bool is_always_ready(int fd)
{
	enum sim_node_kind kind;
	unsigned int number;

	return preload_fd_find(fd, &kind, &number) && kind != SIM_NODE_UEVENTS;
}

/* poll */

static bool has_node(const struct pollfd *fds, nfds_t count)
{
	for (nfds_t i = 0; i < count; i++) {
		if (preload_fd_may_be_node(fds[i].fd) && is_always_ready(fds[i].fd)) {
			return true;
		}
	}
	return false;
}

/* Let the kernel look at the others, without waiting when a node is ready. */
static int poll_with_nodes(struct pollfd *fds, nfds_t count, struct pollfd *others,
			   const struct timespec *timeout, const sigset_t *signals)
{
	static const struct timespec none = {.tv_sec = 0};
	int ready = 0;
	int r;

	for (nfds_t i = 0; i < count; i++) {
		others[i] = fds[i];
		if (is_always_ready(fds[i].fd)) {
			others[i].fd = -1;
			fds[i].revents = (short)(fds[i].events & ALWAYS_READY);
			ready += fds[i].revents != 0;
		}
	}
	r = REAL_LOOKED_UP(ppoll)(others, count, ready > 0 ? &none : timeout, signals);
	for (nfds_t i = 0; i < count && r >= 0; i++) {
		if (others[i].fd >= 0 || fds[i].fd < 0) {
			fds[i].revents = others[i].revents;
		}
	}
	return r < 0 ? r : r + ready;
}

static int poll_nodes(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		      const sigset_t *signals)
{
	struct pollfd few[ENTRIES_ON_STACK];
	struct pollfd *others =
		count <= ENTRIES_ON_STACK ? few : reallocarray(NULL, count, sizeof(*others));
	int r;

	if (!others) {
		errno = ENOMEM;
		return -1;
	}
	r = poll_with_nodes(fds, count, others, timeout, signals);
	if (others != few) {
		int saved = errno;

		free(others);
		errno = saved;
	}
	return r;
}

PRELOAD_EXPORT int poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
	struct timespec timeout = {
		.tv_sec = milliseconds / 1000,
		.tv_nsec = milliseconds % 1000 * 1000000L,
	};

	return preload_is_on() && has_node(fds, count)
		       ? poll_nodes(fds, count, milliseconds < 0 ? NULL : &timeout, NULL)
		       : REAL_LOOKED_UP(poll)(fds, count, milliseconds);
}

PRELOAD_EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
			 const sigset_t *signals)
{
	return preload_is_on() && has_node(fds, count)
		       ? poll_nodes(fds, count, timeout, signals)
		       : REAL_LOOKED_UP(ppoll)(fds, count, timeout, signals);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int milliseconds, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		const sigset_t *signals, size_t room);

static void check_room(nfds_t count, size_t room)
{
	if (room / sizeof(struct pollfd) < count) {
		abort();
	}
}

PRELOAD_EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int milliseconds, size_t room)
{
	check_room(count, room);
	return poll(fds, count, milliseconds);
}

PRELOAD_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
			       const sigset_t *signals, size_t room)
{
	check_room(count, room);
	return ppoll(fds, count, timeout, signals);
}

/* select */

struct sets {
	fd_set readable;
	fd_set writable;
};

/* Take the nodes out of a set. Returns how many there were. */
static int take_nodes(int count, fd_set *set, fd_set *ret_nodes)
{
	int found = 0;

	FD_ZERO(ret_nodes);
	for (int fd = 0; set && fd < count && fd < FD_SETSIZE; fd++) {
		if (FD_ISSET(fd, set) && preload_fd_may_be_node(fd) && is_always_ready(fd)) {
			FD_CLR(fd, set);
			FD_SET(fd, ret_nodes);
			found++;
		}
	}
	return found;
}

static void put_nodes(int count, fd_set *set, const fd_set *nodes)
{
	for (int fd = 0; set && fd < count && fd < FD_SETSIZE; fd++) {
		if (FD_ISSET(fd, nodes)) {
			FD_SET(fd, set);
		}
	}
}

/* Nodes are taken out for the real call, and put back as ready. */
static int take_all(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
		    struct sets *nodes)
{
	fd_set never;

	if (!preload_is_on()) {
		return 0;
	}
	(void)take_nodes(count, exceptional, &never);
	return take_nodes(count, readable, &nodes->readable) +
	       take_nodes(count, writable, &nodes->writable);
}

PRELOAD_EXPORT int select(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
			  struct timeval *timeout)
{
	struct timeval none = {.tv_sec = 0};
	struct sets nodes;
	int ready = take_all(count, readable, writable, exceptional, &nodes);
	int r = REAL_LOOKED_UP(select)(count, readable, writable, exceptional,
				       ready > 0 ? &none : timeout);

	if (ready > 0) {
		put_nodes(count, readable, &nodes.readable);
		put_nodes(count, writable, &nodes.writable);
	}
	return r < 0 ? r : r + ready;
}

PRELOAD_EXPORT int pselect(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
			   const struct timespec *timeout, const sigset_t *signals)
{
	static const struct timespec none = {.tv_sec = 0};
	struct sets nodes;
	int ready = take_all(count, readable, writable, exceptional, &nodes);
	int r = REAL_LOOKED_UP(pselect)(count, readable, writable, exceptional,
					ready > 0 ? &none : timeout, signals);

	if (ready > 0) {
		put_nodes(count, readable, &nodes.readable);
		put_nodes(count, writable, &nodes.writable);
	}
	return r < 0 ? r : r + ready;
}

/* epoll */

PRELOAD_EXPORT int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	if (preload_fd_may_be_node(fd) && is_always_ready(fd)) {
		errno = EPERM;
		return -1;
	}
	return REAL_LOOKED_UP(epoll_ctl)(epoll, operation, fd, event);
}
