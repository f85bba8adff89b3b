/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One request and its reply on a connection that nobody else uses meanwhile. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/packet.h"
#include "sim/protocol.h"

/* A request: up to two parts of a body, and fds that stay the caller's, SIM_FDS_MAX at most. */
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

/* What came back. */
struct sim_answer {
	void *body;         /* where the reply's body goes */
	size_t size;        /* how much fits; then how much there is */
	int fd;             /* that came along, owned by the caller; -1 for none */
	uint32_t fd_offset; /* as in sim_reply */
};

#define SIM_ANSWER_NONE ((struct sim_answer){.body = NULL, .size = 0, .fd = -1})

/*
 * Send a request and wait for its reply. Returns the reply's result, or a negative errno when there
 * is none: EPIPE when the host is gone, EPROTO when the reply isn't one. *ret_broken says whether
 * the connection is of no more use.
 */
int sim_exchange(int connection, const struct sim_message *message, struct sim_answer *answer,
		 bool *ret_broken);
