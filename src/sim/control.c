/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "common/packet.h"
#include "sim/exchange.h"

static int send_dma(int connection, enum sim_request_type type, uint64_t id, const char *device,
		    uint64_t iova, uint32_t size, const void *data)
{
	struct sim_dma dma = {.iova = iova, .size = size};
	struct sim_message message = {
		.type = type,
		.id = id,
		.head = &dma,
		.head_size = sizeof(dma),
		.body = data,
		/* What is too much is refused by the host, which sees the size. */
		.body_size = data ? MIN(size, SIM_DMA_MAX) : 0,
	};

	/* A name that is cut here is none that the host knows. */
	(void)snprintf(dma.device, sizeof(dma.device), "%s", device);
	return sim_message_send(connection, &message);
}

int sim_control_dma_read(int connection, uint64_t id, const char *device, uint64_t iova,
			 uint32_t size)
{
	return send_dma(connection, SIM_DMA_READ, id, device, iova, size, NULL);
}

int sim_control_dma_write(int connection, uint64_t id, const char *device, uint64_t iova,
			  const void *data, uint32_t size)
{
	return send_dma(connection, SIM_DMA_WRITE, id, device, iova, size, data);
}

int sim_control_statistics(int connection, uint64_t id)
{
	struct sim_message message = {.type = SIM_STATISTICS, .id = id};

	return sim_message_send(connection, &message);
}

static int send_rule(int connection, enum sim_request_type type, uint64_t id, const char *operation,
		     struct sim_rule rule)
{
	struct sim_message message = {
		.type = type,
		.id = id,
		.head = &rule,
		.head_size = sizeof(rule),
	};

	(void)snprintf(rule.operation, sizeof(rule.operation), "%s", operation);
	return sim_message_send(connection, &message);
}

int sim_control_fail_next(int connection, uint64_t id, const char *operation, uint32_t skip,
			  int32_t errnum)
{
	struct sim_rule rule = {.skip = skip, .errnum = errnum};

	return send_rule(connection, SIM_FAIL_NEXT, id, operation, rule);
}

int sim_control_delay(int connection, uint64_t id, const char *operation, uint32_t milliseconds)
{
	struct sim_rule rule = {.milliseconds = milliseconds};

	return send_rule(connection, SIM_DELAY, id, operation, rule);
}

/* Fill the answer from a reply that is known to be whole. */
static int read_reply(const struct sim_reply *reply, const uint8_t *body,
		      struct sim_control_reply *answer)
{
	answer->id = reply->id;
	answer->code = (enum error_code)reply->code;
	if (reply->code != ERROR_NONE) {
		(void)snprintf(answer->text, sizeof(answer->text), "%.*s",
			       (int)MIN(reply->size, ERROR_TEXT_SIZE), (const char *)body);
		return 0;
	}
	if (reply->type == SIM_STATISTICS) {
		if (reply->size != sizeof(answer->statistics)) {
			return -EPROTO;
		}
		memcpy(&answer->statistics, body, sizeof(answer->statistics));
	} else if (reply->type == SIM_DMA_READ) {
		answer->data = malloc(MAX(reply->size, 1U));
		if (!answer->data) {
			return -ENOMEM;
		}
		memcpy(answer->data, body, reply->size);
		answer->size = reply->size;
	}
	return 0;
}

static int parse_reply(const uint8_t *packet, size_t size, struct sim_control_reply *answer)
{
	struct sim_reply reply;

	if (size < sizeof(reply)) {
		return -EPROTO;
	}
	memcpy(&reply, packet, sizeof(reply));
	if (reply.version != SIM_PROTOCOL_VERSION || reply.size != size - sizeof(reply) ||
	    reply.code >= ERROR_CODE_COUNT) {
		return -EPROTO;
	}
	return read_reply(&reply, packet + sizeof(reply), answer);
}

int sim_control_receive(int connection, struct sim_control_reply *ret_reply)
{
	struct sim_control_reply answer = SIM_CONTROL_REPLY_NONE;
	struct packet_fds fds = PACKET_FDS_NONE;
	uint8_t *packet = malloc(SIM_MESSAGE_MAX);
	ssize_t received;
	int r;

	if (!packet) {
		return -ENOMEM;
	}
	received = packet_receive(connection, packet, SIM_MESSAGE_MAX, &fds, NULL);
	packet_fds_done(&fds);
	if (received > 0) {
		r = parse_reply(packet, (size_t)received, &answer);
	} else {
		r = received < 0 && received != -ECONNRESET ? (int)received : -EPIPE;
	}
	free(packet);
	if (r < 0) {
		sim_control_reply_done(&answer);
		return r;
	}
	*ret_reply = answer;
	return 0;
}

void sim_control_reply_done(struct sim_control_reply *reply)
{
	free(reply->data);
	*reply = SIM_CONTROL_REPLY_NONE;
}
