/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/control.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "common/packet.h"
#include "sim/exchange.h"

/* As much of an operation's name, if it is too long, as its refusal shows. */
#define CUT_NAME_SIZE 32

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

/* A request with nothing but a head, which may be empty. */
static int send_head(int connection, enum sim_request_type type, uint64_t id, const void *head,
		     size_t size)
{
	struct sim_message message = {.type = type, .id = id, .head = head, .head_size = size};

	return sim_message_send(connection, &message);
}

int sim_control_statistics(int connection, uint64_t id)
{
	return send_head(connection, SIM_STATISTICS, id, NULL, 0);
}

int sim_control_add_rule(int connection, uint64_t id, const struct sim_rule *rule)
{
	return send_head(connection, SIM_ADD_RULE, id, rule, sizeof(*rule));
}

int sim_control_remove_rule(int connection, uint64_t id, uint32_t rule)
{
	struct sim_rule_id wire = {.id = rule};

	return send_head(connection, SIM_REMOVE_RULE, id, &wire, sizeof(wire));
}

int sim_control_clear_rules(int connection, uint64_t id)
{
	return send_head(connection, SIM_CLEAR_RULES, id, NULL, 0);
}

int sim_control_list_rules(int connection, uint64_t id)
{
	return send_head(connection, SIM_LIST_RULES, id, NULL, 0);
}

int sim_control_fail_next(int connection, uint64_t id, const char *operation, uint32_t skip,
			  int32_t errnum)
{
	struct sim_rule rule = {.skip = skip, .errnum = errnum};

	sim_rule_name(&rule, operation);
	return send_head(connection, SIM_FAIL_NEXT, id, &rule, sizeof(rule));
}

int sim_control_delay(int connection, uint64_t id, const char *operation, uint32_t milliseconds)
{
	struct sim_rule rule = {.milliseconds = milliseconds};

	sim_rule_name(&rule, operation);
	return send_head(connection, SIM_DELAY, id, &rule, sizeof(rule));
}

int sim_control_freeze(int connection, uint64_t id, uint32_t group, uint32_t what)
{
	struct sim_freeze_request freeze = {.group = group, .what = what};

	return send_head(connection, SIM_FREEZE, id, &freeze, sizeof(freeze));
}

static int send_device(int connection, enum sim_request_type type, uint64_t id, const char *device)
{
	struct sim_device_request request = {.device = ""};

	(void)snprintf(request.device, sizeof(request.device), "%s", device);
	return send_head(connection, type, id, &request, sizeof(request));
}

int sim_control_unplug(int connection, uint64_t id, const char *device)
{
	return send_device(connection, SIM_UNPLUG, id, device);
}

int sim_control_plug(int connection, uint64_t id, const char *device)
{
	return send_device(connection, SIM_PLUG, id, device);
}

int sim_control_dump(int connection, uint64_t id, uint32_t group, uint64_t from, uint32_t most)
{
	struct sim_dump_request request = {.group = group, .from = from, .most = most};

	return send_head(connection, SIM_DUMP, id, &request, sizeof(request));
}

void sim_rule_name(struct sim_rule *rule, const char *operation)
{
	bool fits = strlen(operation) < sizeof(rule->operation);

	/* One that is cut must not become the name of another operation. */
	(void)snprintf(rule->operation, sizeof(rule->operation), "%s%.*s",
		       fits ? "" : "too long: ", fits ? SIM_NAME_SIZE : CUT_NAME_SIZE, operation);
}

/* replies */

static void *copy_body(const uint8_t *body, size_t size)
{
	void *copy = calloc(1, MAX(size, 1U));

	if (copy && size > 0) {
		memcpy(copy, body, size);
	}
	return copy;
}

static int read_data(const uint8_t *body, size_t size, struct sim_control_reply *answer)
{
	answer->size = size;
	answer->data = copy_body(body, size);
	return answer->data ? 0 : -ENOMEM;
}

/* Names go on to others, who expect text. */
static bool is_name(const char *name)
{
	size_t length = strnlen(name, SIM_NAME_SIZE);

	for (size_t i = 0; i < length; i++) {
		if (name[i] < ' ' || name[i] > '~') {
			return false;
		}
	}
	return length < SIM_NAME_SIZE;
}

static int read_rules(const uint8_t *body, size_t size, struct sim_control_reply *answer)
{
	if (size % sizeof(*answer->rules) != 0) {
		return -EPROTO;
	}
	answer->rule_count = size / sizeof(*answer->rules);
	answer->rules = copy_body(body, size);
	if (!answer->rules) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < answer->rule_count; i++) {
		if (!is_name(answer->rules[i].rule.operation)) {
			return -EPROTO;
		}
	}
	return 0;
}

static int read_dump(const uint8_t *body, size_t size, struct sim_control_reply *answer)
{
	struct sim_dump *dump;

	if (size < offsetof(struct sim_dump, entry) || size > sizeof(*dump)) {
		return -EPROTO;
	}
	dump = calloc(1, sizeof(*dump));
	if (!dump) {
		return -ENOMEM;
	}
	memcpy(dump, body, size);
	answer->dump = dump;
	return dump->window_count <= SIM_DUMP_WINDOWS &&
			       size == offsetof(struct sim_dump, entry) +
					       dump->entry_count * sizeof(dump->entry[0])
		       ? 0
		       : -EPROTO;
}

/* A body of a size that is known. */
static int read_fixed(const uint8_t *body, size_t size, void *ret_body, size_t wanted)
{
	if (size != wanted) {
		return -EPROTO;
	}
	memcpy(ret_body, body, wanted);
	return 0;
}

/* Fill the answer from a reply that is known to be whole. */
static int read_reply(const struct sim_reply *reply, const uint8_t *body,
		      struct sim_control_reply *answer)
{
	struct sim_rule_id rule;

	answer->id = reply->id;
	answer->type = reply->type;
	answer->code = (enum error_code)reply->code;
	if (reply->code != ERROR_NONE) {
		(void)snprintf(answer->text, sizeof(answer->text), "%.*s",
			       (int)MIN(reply->size, ERROR_TEXT_SIZE), (const char *)body);
		return 0;
	}
	switch (reply->type) {
	case SIM_STATISTICS:
		return read_fixed(body, reply->size, &answer->statistics,
				  sizeof(answer->statistics));
	case SIM_DMA_READ:
		return read_data(body, reply->size, answer);
	case SIM_ADD_RULE:
		if (read_fixed(body, reply->size, &rule, sizeof(rule)) < 0) {
			return -EPROTO;
		}
		answer->rule = rule.id;
		return 0;
	case SIM_LIST_RULES:
		return read_rules(body, reply->size, answer);
	case SIM_DUMP:
		return read_dump(body, reply->size, answer);
	default:
		return 0;
	}
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
	free(reply->rules);
	free(reply->dump);
	*reply = SIM_CONTROL_REPLY_NONE;
}
