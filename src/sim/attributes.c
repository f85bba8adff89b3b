/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What spaprd-simhost does with writes to sysfs, and when it is asked who has a node open. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#include "common/holders.h"
#include "common/names.h"
#include "sim/binding.h"
#include "sim/simhost_private.h"

/* How often a request that waits for an unbinding is looked at. */
#define WAIT_MILLISECONDS 1U

static void answer_result(struct simhost_request *request, int result, const void *body,
			  size_t size)
{
	simhost_answer(request, (struct sim_reply){.result = result}, body, size, -1);
}

void simhost_handle_attribute(struct simhost *simhost, struct simhost_request *request)
{
	struct sim_attribute attribute;
	int r;

	if (request->head.size < sizeof(attribute) || request->fds.count > 0) {
		simhost_refuse(request);
		return;
	}
	memcpy(&attribute, request->body, sizeof(attribute));
	if (!memchr(attribute.path, '\0', sizeof(attribute.path))) {
		simhost_refuse(request);
		return;
	}
	r = sim_binding_write(simhost->model, attribute.path,
			      (const char *)request->body + sizeof(attribute),
			      request->head.size - sizeof(attribute), request->again);
	if (r == -EINPROGRESS) {
		request->again = true;
		simhost_wake(simhost);
		r = simhost_put_off(simhost, request, WAIT_MILLISECONDS) ? r : -ENOMEM;
	}
	if (r != -EINPROGRESS) {
		answer_result(request, r, NULL, 0);
	}
}

/* -- holders -- */

static bool is_node_of(const struct simhost_node *node, const char *path)
{
	char name[64];

	if (node->node.kind == SIM_NODE_CONTAINER) {
		return strcmp(path, NODE_CONTAINER) == 0;
	}
	if (node->node.kind != SIM_NODE_GROUP) {
		return false;
	}
	(void)snprintf(name, sizeof(name), NODE_GROUP_PREFIX "%u", node->node.group->number);
	return strcmp(path, name) == 0;
}

void simhost_handle_holders(struct simhost *simhost, struct simhost_request *request)
{
	int32_t pids[SIM_HOLDERS_MAX];
	pid_t found[SIM_HOLDERS_MAX];
	char path[SIM_PATH_SIZE];
	size_t count = 0;

	if (request->head.size >= sizeof(path)) {
		simhost_refuse(request);
		return;
	}
	memcpy(path, request->body, request->head.size);
	path[request->head.size] = '\0';
	for (const struct simhost_node *node = simhost->nodes; node; node = node->next) {
		char link[64];
		int r;

		if (!is_node_of(node, path)) {
			continue;
		}
		(void)snprintf(link, sizeof(link), "socket:[%" PRIu64 "]", (uint64_t)node->inode);
		r = holders_find("/proc", link, found, SIM_HOLDERS_MAX - count);
		for (int i = 0; i < r; i++) {
			pids[count++] = found[i];
		}
	}
	answer_result(request, 0, pids, count * sizeof(*pids));
}
