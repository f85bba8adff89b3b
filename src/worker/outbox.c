/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/packet.h"

struct outbox_entry {
	struct outbox_entry *next;
	struct worker_reply reply;
	int fd; /* owned, or -1 */
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
	(void)fd_close(entry->fd);
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

/* What a reply becomes whose fd can't go along. */
static struct worker_reply refuse_fd(const struct worker_reply *reply, int errnum,
				     struct error *error)
{
	struct worker_reply refusal = *reply;

	refusal.code = (uint32_t)error_set(error, ERROR_QUOTA_EXCEEDED, errnum,
					   "the worker has no room for one more fd, or too many "
					   "are under way (RLIMIT_NOFILE)");
	refusal.errnum = errnum;
	refusal.size = (uint32_t)strlen(error->text);
	refusal.fds = 0;
	return refusal;
}

/* 0, -EAGAIN, or -EPIPE for whatever else is wrong with the socket. */
static int send_reply(int socket, const struct worker_reply *reply, const void *body, int fd)
{
	int r = packet_send(socket, reply, sizeof(*reply), body, reply->size, &fd, reply->fds);

	if (r == -ETOOMANYREFS && reply->fds > 0) {
		struct error error;
		struct worker_reply refusal = refuse_fd(reply, ETOOMANYREFS, &error);

		r = packet_send(socket, &refusal, sizeof(refusal), error.text, refusal.size, NULL,
				0);
	}
	return r == 0 || r == -EAGAIN ? r : -EPIPE;
}

/* Takes the fd. */
static int keep(struct outbox *outbox, const struct worker_reply *reply, const void *body, int fd)
{
	struct outbox_entry *entry = malloc(sizeof(*entry) + reply->size);

	if (!entry) {
		(void)fd_close(fd);
		return -ENOMEM;
	}
	entry->next = NULL;
	entry->reply = *reply;
	entry->fd = fd;
	if (reply->size > 0) {
		memcpy(entry->body, body, reply->size);
	}
	*outbox->end = entry;
	outbox->end = &entry->next;
	return 0;
}

/* With a copy of the fd: the device may be closed before the reply is out. */
static int keep_copy(struct outbox *outbox, const struct worker_reply *reply, const void *body,
		     int fd)
{
	struct worker_reply refusal;
	struct error error;
	int copy;

	if (reply->fds == 0) {
		return keep(outbox, reply, body, -1);
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy >= 0) {
		return keep(outbox, reply, body, copy);
	}
	refusal = refuse_fd(reply, errno, &error);
	return keep(outbox, &refusal, error.text, -1);
}

int outbox_put(struct outbox *outbox, const struct worker_reply *reply, const void *body, int fd)
{
	int r = -EAGAIN;

	if (outbox_is_empty(outbox)) {
		r = send_reply(outbox->socket, reply, body, fd);
	}
	return r == -EAGAIN ? keep_copy(outbox, reply, body, fd) : r;
}

int outbox_flush(struct outbox *outbox)
{
	while (outbox->first) {
		const struct outbox_entry *entry = outbox->first;
		int r = send_reply(outbox->socket, &entry->reply, entry->body, entry->fd);

		if (r < 0) {
			return r == -EAGAIN ? 0 : r;
		}
		drop_first(outbox);
	}
	return 0;
}
