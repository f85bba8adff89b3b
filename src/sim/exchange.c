/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/exchange.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"

/* The largest reply to a synchronous request: a path, or an ioctl's structure. */
#define REPLY_MAX (sizeof(struct sim_reply) + 4096)

int sim_message_send(int connection, const struct sim_message *message)
{
	struct sim_request request = {
		.version = SIM_PROTOCOL_VERSION,
		.type = (uint32_t)message->type,
		.id = message->id,
		.size = (uint32_t)(message->head_size + message->body_size),
		.fds = message->fd_count,
	};
	uint8_t head[SIM_HEAD_MAX];

	if (sizeof(request) + message->head_size > sizeof(head)) {
		return -EMSGSIZE;
	}
	memcpy(head, &request, sizeof(request));
	if (message->head_size > 0) {
		memcpy(head + sizeof(request), message->head, message->head_size);
	}
	return packet_send(connection, head, sizeof(request) + message->head_size, message->body,
			   message->body_size, message->fds, message->fd_count);
}

/* Whether a packet of that size is the whole reply to the message. */
static bool reply_fits(const struct sim_reply *reply, size_t size, const struct packet_fds *fds,
		       const struct sim_message *message, size_t body_size)
{
	return reply->version == SIM_PROTOCOL_VERSION && reply->type == (uint32_t)message->type &&
	       reply->id == message->id && reply->size == size - sizeof(*reply) &&
	       reply->size <= body_size && reply->fds == fds->count;
}

int sim_exchange(int connection, const struct sim_message *message, void *body, size_t *size,
		 int *ret_fd, bool *ret_broken)
{
	uint8_t packet[REPLY_MAX] __attribute__((aligned(8)));
	struct packet_fds fds = PACKET_FDS_NONE;
	struct sim_reply reply = {.version = 0};
	ssize_t received;
	int r = sim_message_send(connection, message);

	*ret_broken = true;
	if (r < 0) {
		return r;
	}
	received = packet_receive(connection, packet, sizeof(packet), &fds, NULL);
	if (received <= 0) {
		return received < 0 && received != -ECONNRESET ? (int)received : -EPIPE;
	}
	if ((size_t)received >= sizeof(reply)) {
		memcpy(&reply, packet, sizeof(reply));
		*ret_broken = !reply_fits(&reply, (size_t)received, &fds, message, *size);
	}
	if (*ret_broken) {
		packet_fds_done(&fds);
		return -EPROTO;
	}
	if (reply.size > 0) {
		memcpy(body, packet + sizeof(reply), reply.size);
	}
	*size = reply.size;
	if (ret_fd && reply.result >= 0) {
		*ret_fd = packet_fds_take(&fds, 0);
	}
	packet_fds_done(&fds);
	return reply.result;
}
