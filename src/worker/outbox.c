/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/packet.h"

struct outbox_entry {
	struct outbox_entry *next;
	struct worker_reply reply;
	unsigned char body[];
};

void outbox_init(struct outbox *outbox, int socket)
{
	outbox->socket = socket;
	outbox->first = NULL;
	outbox->end = &outbox->first;
}

static void drop_first(struct outbox *outbox)
{
	struct outbox_entry *entry = outbox->first;

	outbox->first = entry->next;
	if (!outbox->first) {
		outbox->end = &outbox->first;
	}
	free(entry);
}

void outbox_done(struct outbox *outbox)
{
	while (outbox->first) {
		drop_first(outbox);
	}
}

bool outbox_is_empty(const struct outbox *outbox)
{
	return !outbox->first;
}

/* 0, -EAGAIN, or -EPIPE for whatever else is wrong with the socket. */
static int send_reply(int socket, const struct worker_reply *reply, const void *body)
{
	int r = packet_send(socket, reply, sizeof(*reply), body, reply->size, NULL, 0);

	return r == 0 || r == -EAGAIN ? r : -EPIPE;
}

static int keep(struct outbox *outbox, const struct worker_reply *reply, const void *body)
{
	struct outbox_entry *entry = malloc(sizeof(*entry) + reply->size);

	if (!entry) {
		return -ENOMEM;
	}
	entry->next = NULL;
	entry->reply = *reply;
	if (reply->size > 0) {
		memcpy(entry->body, body, reply->size);
	}
	*outbox->end = entry;
	outbox->end = &entry->next;
	return 0;
}

int outbox_put(struct outbox *outbox, const struct worker_reply *reply, const void *body)
{
	int r = -EAGAIN;

	if (outbox_is_empty(outbox)) {
		r = send_reply(outbox->socket, reply, body);
	}
	return r == -EAGAIN ? keep(outbox, reply, body) : r;
}

int outbox_flush(struct outbox *outbox)
{
	while (outbox->first) {
		int r = send_reply(outbox->socket, &outbox->first->reply, outbox->first->body);

		if (r < 0) {
			return r == -EAGAIN ? 0 : r;
		}
		drop_first(outbox);
	}
	return 0;
}
