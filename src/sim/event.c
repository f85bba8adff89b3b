/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/event.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define EVENTFD_LINK "anon_inode:[eventfd]"

static bool is_eventfd(int fd)
{
	char path[32];
	char target[sizeof(EVENTFD_LINK)] = "";

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target)) == (ssize_t)strlen(EVENTFD_LINK) &&
	       strncmp(target, EVENTFD_LINK, strlen(EVENTFD_LINK)) == 0;
}

int sim_event_take(struct sim_argument *argument, int32_t index, int *ret_fd)
{
	struct sim_argument_fd *given = sim_argument_fd(argument, index);
	int fd;

	if (!given) {
		return -EBADF;
	}
	if (given->node.kind != SIM_NODE_NONE || given->fd < 0 || !is_eventfd(given->fd)) {
		return -EINVAL;
	}
	/* A duplicate, for one call may name the same fd for several vectors. */
	fd = fcntl(given->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	*ret_fd = fd;
	return 0;
}

void sim_event_signal(int fd)
{
	const uint64_t one = 1;
	struct pollfd state = {.fd = fd, .events = POLLOUT};

	/* Never wait for a program that lets its count run full. */
	if (fd >= 0 && poll(&state, 1, 0) == 1 && state.revents & POLLOUT) {
		(void)!write(fd, &one, sizeof(one));
	}
}

bool sim_event_consume(int fd)
{
	uint64_t count = 0;
	struct iovec to = {.iov_base = &count, .iov_len = sizeof(count)};

	/* The open file is the program's too, so that O_NONBLOCK isn't ours to set. */
	return fd >= 0 && preadv2(fd, &to, 1, -1, RWF_NOWAIT) == (ssize_t)sizeof(count);
}
