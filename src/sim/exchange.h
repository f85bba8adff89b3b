/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One request and its reply on a connection that nobody else uses meanwhile. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/packet.h"
#include "sim/protocol.h"

/* A request: up to two parts of a body, and fds that stay the caller's. */
struct sim_message {
	enum sim_request_type type;
	uint64_t id;
	const void *head;
	size_t head_size;
	const void *body;
	size_t body_size;
	const int *fds;
	unsigned int fd_count;
};

/* The most that the heads of a message have together. */
#define SIM_HEAD_MAX 256

/* Send a request. 0 or -errno. */
int sim_message_send(int connection, const struct sim_message *message);

/*
 * Send a request and wait for its reply. Returns the reply's result, or a negative errno when there
 * is none: EPIPE when the host is gone, EPROTO when the reply isn't one. Up to *size bytes of body
 * go into body, and *size becomes their number; the reply's one fd, if it has one, goes to *ret_fd
 * where that isn't NULL. *ret_broken says whether the connection is of no more use.
 */
int sim_exchange(int connection, const struct sim_message *message, void *body, size_t *size,
		 int *ret_fd, bool *ret_broken);
