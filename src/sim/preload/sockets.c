/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sockets: those that listen to the kernel's uevents listen to the simulated host's instead, and
 * fds that arrive over any may be nodes.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sim/preload/preload.h"
#include "sim/preload/real.h"

/* What the kernel itself sends; udev's messages are group 2. */
#define UEVENT_GROUP_KERNEL 1U

static bool is_uevents(int fd)
{
	enum sim_node_kind kind;
	unsigned int number;

	return preload_fd_find(fd, &kind, &number) && kind == SIM_NODE_UEVENTS;
}

PRELOAD_EXPORT int socket(int domain, int type, int protocol)
{
	struct kernel *kernel;
	int fd;

	if (domain != AF_NETLINK || protocol != NETLINK_KOBJECT_UEVENT || !preload_is_on()) {
		fd = REAL(socket)(domain, type, protocol);
		/* A number that was closed where nobody saw it is another file now. */
		if (fd >= 0 && preload_fd_may_be_node(fd)) {
			preload_fd_note(fd, false);
		}
		return fd;
	}
	kernel = preload_kernel();
	if (!kernel) {
		return -1;
	}
	fd = kernel_open_uevents(kernel);
	if (fd >= 0) {
		(void)REAL(fcntl)(fd, F_SETFL, type & SOCK_NONBLOCK ? O_NONBLOCK : 0);
		(void)REAL(fcntl)(fd, F_SETFD, type & SOCK_CLOEXEC ? FD_CLOEXEC : 0);
		preload_fd_note(fd, true);
	}
	return (int)preload_result(fd);
}

/* Which groups it listens to is known. */
PRELOAD_EXPORT int bind(int fd, const struct sockaddr *address, socklen_t size)
{
	return is_uevents(fd) ? 0 : REAL(bind)(fd, address, size);
}

PRELOAD_EXPORT int getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
	struct sockaddr_nl netlink = {
		.nl_family = AF_NETLINK,
		.nl_pid = (uint32_t)getpid(),
		.nl_groups = UEVENT_GROUP_KERNEL,
	};

	if (!is_uevents(fd)) {
		return REAL(getsockname)(fd, address, size);
	}
	memcpy(address, &netlink, MIN(*size, sizeof(netlink)));
	*size = sizeof(netlink);
	return 0;
}

/* Options of netlink mean nothing to the socket that stands for one, and change nothing here. */
PRELOAD_EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	return level == SOL_NETLINK && is_uevents(fd)
		       ? 0
		       : REAL(setsockopt)(fd, level, name, value, size);
}

/* receiving */

/* The kernel sends: from no process, to the group, as root. */
static void put_sender(struct sockaddr *address, socklen_t room, socklen_t *ret_size)
{
	struct sockaddr_nl netlink = {
		.nl_family = AF_NETLINK,
		.nl_groups = UEVENT_GROUP_KERNEL,
	};

	if (address) {
		memcpy(address, &netlink, MIN(room, sizeof(netlink)));
		*ret_size = sizeof(netlink);
	}
}

static void put_credentials(struct msghdr *message)
{
	static const struct ucred kernel = {.pid = 0, .uid = 0, .gid = 0};

	for (struct cmsghdr *entry = CMSG_FIRSTHDR(message); entry;
	     entry = CMSG_NXTHDR(message, entry)) {
		if (entry->cmsg_level == SOL_SOCKET && entry->cmsg_type == SCM_CREDENTIALS) {
			memcpy(CMSG_DATA(entry), &kernel, sizeof(kernel));
		}
	}
}

/* An fd that came may be a node, or a number that one had which was closed where nobody saw it. */
static void note_fds(struct msghdr *message)
{
	for (struct cmsghdr *entry = CMSG_FIRSTHDR(message); entry;
	     entry = CMSG_NXTHDR(message, entry)) {
		size_t count = entry->cmsg_level == SOL_SOCKET && entry->cmsg_type == SCM_RIGHTS
				       ? (entry->cmsg_len - CMSG_LEN(0)) / sizeof(int)
				       : 0;

		for (size_t i = 0; i < count; i++) {
			struct stat status;
			int fd;

			memcpy(&fd, CMSG_DATA(entry) + i * sizeof(fd), sizeof(fd));
			preload_fd_note(fd,
					REAL(fstat)(fd, &status) == 0 && S_ISSOCK(status.st_mode));
		}
	}
}

PRELOAD_EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	bool uevents = preload_fd_may_be_node(fd) && is_uevents(fd);
	socklen_t room = message ? message->msg_namelen : 0; /* else it fails */
	ssize_t received = REAL(recvmsg)(fd, message, flags);
	int saved = errno;

	if (received >= 0 && message && preload_is_on()) {
		if (uevents) {
			put_sender(message->msg_name, room, &message->msg_namelen);
			put_credentials(message);
		} else {
			note_fds(message);
		}
	}
	errno = saved;
	return received;
}

PRELOAD_EXPORT ssize_t recvfrom(int fd, void *data, size_t size, int flags,
				struct sockaddr *address, socklen_t *address_size)
{
	bool uevents = preload_fd_may_be_node(fd) && is_uevents(fd);
	socklen_t room = address_size ? *address_size : 0;
	ssize_t received = REAL(recvfrom)(fd, data, size, flags, address, address_size);

	if (received >= 0 && uevents && address_size) {
		put_sender(address, room, address_size);
	}
	return received;
}
