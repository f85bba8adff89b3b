/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The outbox: replies that wait for room in the socket, in order, with copies of their fds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/worker_protocol.h"

struct outbox_entry;

struct outbox {
	int socket; /* not owned; non-blocking */
	struct outbox_entry *first;
	struct outbox_entry **end;
};

void outbox_init(struct outbox *outbox, int socket);

/* Drop what waits. */
void outbox_done(struct outbox *outbox);

bool outbox_is_empty(const struct outbox *outbox);

/*
 * Send a reply, or keep it behind the others. reply->fds is 0 or 1: then fd goes along, which stays
 * the caller's. An fd that can be neither sent nor kept, for there are too many, makes the reply
 * one of ERROR_QUOTA_EXCEEDED. 0, -EPIPE (the peer is gone) or -ENOMEM.
 */
int outbox_put(struct outbox *outbox, const struct worker_reply *reply, const void *body, int fd);

/* Send what the socket takes now. 0 or -EPIPE. */
int outbox_flush(struct outbox *outbox);
