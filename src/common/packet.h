/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets: one message of a SOCK_SEQPACKET socket, with the fds that travel along (SCM_RIGHTS).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PACKET_FDS_MAX 16

/* The fds of a received packet. The holder owns them. */
struct packet_fds {
	int fd[PACKET_FDS_MAX];
	unsigned int count;
};

#define PACKET_FDS_NONE ((struct packet_fds){.count = 0})

/* Close all fds that are left. */
void packet_fds_done(struct packet_fds *fds);

/* Hand fd number `index` over to the caller, -1 if there is none. */
int packet_fds_take(struct packet_fds *fds, unsigned int index);

/*
 * Send one packet made of two parts (the second may be empty) with copies of count fds, which stay
 * the caller's. 0 or -errno: EAGAIN when a non-blocking socket is full, EPIPE when the peer is gone
 * (SIGPIPE is never raised).
 */
int packet_send(int socket, const void *head, size_t head_size, const void *body, size_t body_size,
		const int *fds, unsigned int count);

/*
 * Receive one packet into buffer. Returns its size, 0 when the peer closed, or -errno: EMSGSIZE for
 * a packet larger than the buffer or with too many fds (they are closed; nothing is taken). Fds are
 * CLOEXEC from birth. If ret_pid is not NULL, it becomes the sender's pid, or 0 when the socket
 * doesn't have SO_PASSCRED.
 */
ssize_t packet_receive(int socket, void *buffer, size_t size, struct packet_fds *ret_fds,
		       pid_t *ret_pid);

/* A connected pair of packet sockets, CLOEXEC, blocking. 0 or -errno. */
int packet_socketpair(int ret_sockets[2]);

/* Whether an inherited fd is a packet socket of this machine; it becomes CLOEXEC. */
bool packet_adopt_socket(int fd);
