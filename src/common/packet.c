/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/cleanup.h"

void packet_fds_done(struct packet_fds *fds)
{
	for (unsigned int i = 0; i < fds->count; i++) {
		fds->fd[i] = fd_close(fds->fd[i]);
	}
	fds->count = 0;
}

int packet_fds_take(struct packet_fds *fds, unsigned int index)
{
	return index < fds->count ? steal_fd(&fds->fd[index]) : -1;
}

int packet_send(int socket, const void *head, size_t head_size, const void *body, size_t body_size,
		const int *fds, unsigned int count)
{
	struct iovec parts[2] = {
		{.iov_base = (void *)head, .iov_len = head_size},
		{.iov_base = (void *)body, .iov_len = body_size},
	};
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * PACKET_FDS_MAX)];
	} control;
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = body_size ? 2 : 1};
	ssize_t sent;

	if (count > PACKET_FDS_MAX) {
		return -EINVAL;
	}
	if (count > 0) {
		struct cmsghdr *rights;

		memset(&control, 0, sizeof(control));
		message.msg_control = control.space;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(rights), fds, sizeof(int) * count);
	}
	do {
		sent = sendmsg(socket, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* Close the fds of a message that has more than a packet may have. */
static void close_all(const struct cmsghdr *rights, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(rights) + i * sizeof(fd), sizeof(fd));
		(void)fd_close(fd);
	}
}

/* Returns whether the fds fit: the room for credentials takes fds, too, when there are none. */
static bool take_control(struct msghdr *message, struct packet_fds *fds, pid_t *pid)
{
	for (struct cmsghdr *entry = CMSG_FIRSTHDR(message); entry;
	     entry = CMSG_NXTHDR(message, entry)) {
		if (entry->cmsg_level != SOL_SOCKET) {
			continue;
		}
		if (entry->cmsg_type == SCM_RIGHTS) {
			size_t count = (entry->cmsg_len - CMSG_LEN(0)) / sizeof(int);

			if (count > PACKET_FDS_MAX) {
				close_all(entry, count);
				return false;
			}
			fds->count = (unsigned int)count;
			memcpy(fds->fd, CMSG_DATA(entry), sizeof(int) * fds->count);
		} else if (entry->cmsg_type == SCM_CREDENTIALS) {
			struct ucred credentials;

			memcpy(&credentials, CMSG_DATA(entry), sizeof(credentials));
			*pid = credentials.pid;
		}
	}
	return true;
}

ssize_t packet_receive(int socket, void *buffer, size_t size, struct packet_fds *ret_fds,
		       pid_t *ret_pid)
{
	struct iovec part = {.iov_base = buffer, .iov_len = size};
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * PACKET_FDS_MAX) +
			   CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	struct packet_fds fds = PACKET_FDS_NONE;
	pid_t pid = 0;
	ssize_t received;

	do {
		received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	} while (received < 0 && errno == EINTR);
	if (received < 0) {
		return -errno;
	}
	if (!take_control(&message, &fds, &pid) || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		packet_fds_done(&fds);
		return -EMSGSIZE;
	}
	*ret_fds = fds;
	if (ret_pid) {
		*ret_pid = pid;
	}
	return received;
}

int packet_socketpair(int ret_sockets[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_sockets) < 0 ? -errno : 0;
}

bool packet_adopt_socket(int fd)
{
	socklen_t size = sizeof(int);
	int domain = 0;
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
	       fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}
