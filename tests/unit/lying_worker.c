/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lying_worker.h"

#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "common/packet.h"
#include "common/worker_protocol.h"
#include "played_pe.h"

#define CONTAINERS_MAX WORKER_CONTAINERS_MAX

struct lie {
	struct worker_description description;
	struct worker_memory memory;
	struct worker_container containers[CONTAINERS_MAX];
	struct worker_policy policy;
	uint32_t policies; /* how often it was told */
};

static void reply_code(const struct worker_request *request, enum error_code code, const void *body,
		       size_t size)
{
	struct worker_reply head = {
		.version = WORKER_PROTOCOL_VERSION,
		.type = request->type,
		.id = request->id,
		.code = code,
		.size = (uint32_t)size,
		.counts = {.locked_pins = 1, .locked_tables = 20, .locked_leaks = 300},
	};

	(void)packet_send(WORKER_SOCKET_FD, &head, sizeof(head), body, size, NULL, 0);
}

static void reply(const struct worker_request *request, const void *body, size_t size)
{
	reply_code(request, ERROR_NONE, body, size);
}

static void name_type(struct worker_container *container, const char *type)
{
	(void)snprintf(container->iommu_type, sizeof(container->iommu_type), "%s", type);
}

/* What a worker may not say of its containers. */
static void misdescribe(struct lie *lie, const char *role)
{
	struct worker_container *container = &lie->containers[0];

	if (strcmp(role, "thief") == 0) {
		container->groups[0] = LYING_WORKER_THEFT;
	} else if (strcmp(role, "stranger") == 0) {
		container->groups[0] = 77;
	} else if (strcmp(role, "text") == 0) {
		name_type(container, "\xff\xfe");
	} else if (strcmp(role, "endless") == 0) {
		memset(container->iommu_type, 'x', sizeof(container->iommu_type));
	} else if (strcmp(role, "nameless") == 0) {
		container->container_id = 0;
	} else if (strcmp(role, "empty") == 0) {
		container->group_count = 0;
	} else if (strcmp(role, "crowd") == 0) {
		container->group_count = WORKER_GROUPS_MAX + 1;
	} else if (strcmp(role, "stutterer") == 0) {
		container->groups[1] = container->groups[0];
		container->group_count = 2;
	} else if (strcmp(role, "twin") == 0) {
		lie->containers[1].container_id = container->container_id;
	} else if (strcmp(role, "double") == 0) {
		lie->containers[1] = *container;
		lie->containers[1].container_id++;
		lie->description.container_count = 2;
	}
}

/* The container that the group is in then. */
static const struct worker_container *attach(struct lie *lie, const struct worker_attach *attach,
					     const char *role)
{
	bool joins = (attach->flags & WORKER_ATTACH_SHARE) && lie->description.container_count > 0;
	struct worker_container *container =
		&lie->containers[joins ? 0 : lie->description.container_count++];

	if (!joins) {
		*container = (struct worker_container){
			.container_id = attach->container_id,
			.eeh = played_pes_open(),
		};
		name_type(container, attach->iommu_type[0] ? attach->iommu_type : "spapr-tce-v2");
	}
	container->groups[container->group_count++] = attach->group;
	container->balloon_inhibited |= !(attach->flags & WORKER_ATTACH_BALLOON);
	misdescribe(lie, role);
	return container;
}

static void remove_group(struct worker_container *container, uint32_t index)
{
	container->group_count--;
	memmove(&container->groups[index], &container->groups[index + 1],
		(container->group_count - index) * sizeof(*container->groups));
}

static void remove_container(struct lie *lie, uint32_t index)
{
	lie->description.container_count--;
	memmove(&lie->containers[index], &lie->containers[index + 1],
		(lie->description.container_count - index) * sizeof(*lie->containers));
}

static struct worker_detached detach(struct lie *lie, const struct worker_detach *detach)
{
	struct worker_detached detached = {.container_id = 0};

	for (uint32_t i = 0; i < lie->description.container_count; i++) {
		struct worker_container *container = &lie->containers[i];

		for (uint32_t j = 0; j < container->group_count; j++) {
			if (container->groups[j] == detach->group) {
				detached.container_id = container->container_id;
				remove_group(container, j);
			}
		}
		if (container->group_count == 0) {
			remove_container(lie, i--);
		}
	}
	return detached;
}

/* A worker that tells what it was told, in the words of a translation. */
static void tell_policy(const struct worker_request *request, const struct lie *lie)
{
	struct worker_translation translation = {.gpa = lie->policy.page_sizes,
						 .left = lie->policies};

	reply(request, &translation, sizeof(translation));
}

static void take_policy(const struct worker_request *request, struct lie *lie,
			const struct worker_policy *policy, const char *role)
{
	static const char words[] = "no";

	lie->policies++;
	if (strcmp(role, "defiant") == 0 || (strcmp(role, "stubborn") == 0 && lie->policies > 1)) {
		reply_code(request, ERROR_INVALID_ARGUMENT, words, sizeof(words) - 1);
		return;
	}
	lie->policy = *policy;
	reply(request, NULL, 0);
}

static void describe(const struct worker_request *request, const struct lie *lie)
{
	char body[sizeof(*lie)];
	size_t size = sizeof(lie->description);

	memcpy(body, &lie->description, size);
	if (lie->description.memory_count > 0) {
		memcpy(body + size, &lie->memory, sizeof(lie->memory));
		size += sizeof(lie->memory);
	}
	for (uint32_t i = 0; i < lie->description.container_count; i++) {
		memcpy(body + size, &lie->containers[i], sizeof(lie->containers[i]));
		size += sizeof(lie->containers[i]);
	}
	reply(request, body, size);
}

/* A plan with one choice, or what is none: each role spoils one thing. */
static void plan(const struct worker_request *request, const char *role)
{
	struct {
		struct worker_plan_result head;
		struct worker_choice choice;
		char explanation[8];
	} body = {
		.head = {.count = 1, .chosen = 0, .explanation_size = 7},
		.choice = {.size = 0x40000000,
			   .page_shift = 16,
			   .levels = 2,
			   .tces = 0x4000,
			   .locked_bytes = 0x5000,
			   .piece_bytes = 0x6000},
		.explanation = "because",
	};
	size_t size = sizeof(body.head) + sizeof(body.choice) + body.head.explanation_size;

	if (strcmp(role, "headless") == 0) {
		size = sizeof(body.head) - 1;
	} else if (strcmp(role, "counter") == 0) {
		body.head.count = WORKER_CHOICES_MAX + 1;
	} else if (strcmp(role, "talker") == 0) {
		body.head.explanation_size = WORKER_EXPLANATION_MAX + 1;
	} else if (strcmp(role, "chooser") == 0) {
		body.head.chosen = 1;
	} else if (strcmp(role, "short") == 0) {
		size--;
	} else if (strcmp(role, "coder") == 0) {
		body.choice.code = ERROR_CODE_COUNT;
	} else if (strcmp(role, "mute") == 0) {
		body.explanation[3] = '\0';
	} else if (strcmp(role, "babbler") == 0) {
		body.explanation[3] = '\xff';
	} else if (strcmp(role, "pessimist") == 0) {
		body.choice.code = ERROR_TABLE_MEMORY;
		body.head.chosen = WORKER_CHOICE_NONE;
	}
	reply(request, &body, size);
}

int lying_worker_play(const char *role)
{
	static _Alignas(uint64_t) char buffer[WORKER_MESSAGE_MAX];
	struct lie lie = {.description = {.container_count = 0}};
	struct packet_fds fds;

	while (packet_receive(WORKER_SOCKET_FD, buffer, sizeof(buffer), &fds, NULL) > 0) {
		struct worker_request request;

		memcpy(&request, buffer, sizeof(request));
		packet_fds_done(&fds);
		if (request.type == WORKER_DESCRIBE) {
			describe(&request, &lie);
		} else if (request.type == WORKER_ATTACH_GROUP) {
			reply(&request,
			      attach(&lie, (const void *)(buffer + sizeof(request)), role),
			      sizeof(struct worker_container));
		} else if (request.type == WORKER_OPERATE_PE) {
			played_pe_operate(&request, buffer + sizeof(request));
		} else if (request.type == WORKER_OPEN_DEVICE) {
			played_pe_open_device(&request, buffer + sizeof(request));
		} else if (request.type == WORKER_CALL_DEVICE) {
			played_pe_call_device(&request, buffer + sizeof(request));
		} else if (request.type == WORKER_DETACH_GROUP) {
			struct worker_detached detached;

			if (played_pe_refuses_detach(&request, buffer + sizeof(request))) {
				continue;
			}
			detached = detach(&lie, (const void *)(buffer + sizeof(request)));
			if (strcmp(role, "forgetful") == 0) {
				detached.replayed = 3;
				detached.lost = 1;
			}
			reply(&request, &detached, sizeof(detached));
		} else if (request.type == WORKER_SET_POLICY) {
			take_policy(&request, &lie, (const void *)(buffer + sizeof(request)), role);
		} else if (request.type == WORKER_PLAN) {
			plan(&request, role);
		} else if (request.type == WORKER_TRANSLATE) {
			tell_policy(&request, &lie);
		} else if (request.type == WORKER_ADD_MEMORY) {
			memcpy(&lie.memory, buffer + sizeof(request), sizeof(lie.memory));
			lie.description.memory_count = 1;
			reply(&request, &lie.memory, sizeof(lie.memory));
		} else if (request.type == WORKER_CLOSE && strcmp(role, "silent") != 0) {
			reply(&request, NULL, 0);
			return 0;
		}
	}
	return 0;
}
