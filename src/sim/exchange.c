/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/exchange.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"

/* Replies up to this size are received on the stack, which may be a small one: larger are those to
 * ioctls with structures of any size, and what a PREAD read. */
#define SMALL_REPLY_SIZE 3072

/* Send the fds that have no room in the request itself. Their number, or -errno. */
static int send_first_fds(int connection, const struct sim_message *message)
{
	unsigned int sent = 0;

	while (message->fd_count - sent > PACKET_FDS_MAX) {
		struct sim_request request = {
			.version = SIM_PROTOCOL_VERSION,
			.type = SIM_FDS,
			.id = message->id,
			.fds = PACKET_FDS_MAX,
		};
		int r = packet_send(connection, &request, sizeof(request), NULL, 0,
				    message->fds + sent, PACKET_FDS_MAX);

		if (r < 0) {
			return r;
		}
		sent += PACKET_FDS_MAX;
	}
	return (int)sent;
}

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
	int sent;

	if (sizeof(request) + message->head_size > sizeof(head) ||
	    message->fd_count > SIM_FDS_MAX) {
		return -EMSGSIZE;
	}
	memcpy(head, &request, sizeof(request));
	if (message->head_size > 0) {
		memcpy(head + sizeof(request), message->head, message->head_size);
	}
	sent = send_first_fds(connection, message);
	if (sent < 0) {
		return sent;
	}
	return packet_send(connection, head, sizeof(request) + message->head_size, message->body,
			   message->body_size, message->fd_count ? message->fds + sent : NULL,
			   message->fd_count - (unsigned int)sent);
}

/* Whether a packet of that size is the whole reply to the message. */
static bool reply_fits(const struct sim_reply *reply, size_t size, const struct packet_fds *fds,
		       const struct sim_message *message, size_t body_size)
{
	return reply->version == SIM_PROTOCOL_VERSION && reply->type == (uint32_t)message->type &&
	       reply->id == message->id && reply->size == size - sizeof(*reply) &&
	       reply->size <= body_size && reply->fds == fds->count;
}

/* Take a reply of room bytes at most into packet. */
static int receive_reply(int connection, const struct sim_message *message, uint8_t *packet,
			 size_t room, struct sim_answer *answer, bool *ret_broken)
{
	struct packet_fds fds = PACKET_FDS_NONE;
	struct sim_reply reply = {.version = 0};
	ssize_t received = packet_receive(connection, packet, room, &fds, NULL);

	/* There is room for all bytes of a reply: what was lost is an fd, for which there is none.
	 */
	if (received == -EMSGSIZE) {
		return -EMFILE;
	}
	if (received <= 0) {
		return received < 0 && received != -ECONNRESET ? (int)received : -EPIPE;
	}
	if ((size_t)received >= sizeof(reply)) {
		memcpy(&reply, packet, sizeof(reply));
		*ret_broken = !reply_fits(&reply, (size_t)received, &fds, message, answer->size);
	}
	if (*ret_broken) {
		packet_fds_done(&fds);
		return -EPROTO;
	}
	if (reply.size > 0) {
		memcpy(answer->body, packet + sizeof(reply), reply.size);
	}
	answer->size = reply.size;
	answer->fd_offset = reply.fd_offset;
	answer->fd = reply.result >= 0 ? packet_fds_take(&fds, 0) : -1;
	packet_fds_done(&fds);
	return reply.result;
}

int sim_exchange(int connection, const struct sim_message *message, struct sim_answer *answer,
		 bool *ret_broken)
{
	uint8_t small[SMALL_REPLY_SIZE] __attribute__((aligned(8)));
	size_t room = sizeof(struct sim_reply) + answer->size;
	uint8_t *packet = room <= sizeof(small) ? small : malloc(room);
	int r;

	*ret_broken = false;
	if (!packet) {
		return -ENOMEM;
	}
	*ret_broken = true;
	r = sim_message_send(connection, message);
	if (r == 0) {
		r = receive_reply(connection, message, packet, room, answer, ret_broken);
	}
	if (packet != small) {
		free(packet);
	}
	return r;
}
