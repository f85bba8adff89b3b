/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What spaprd-simhost does with each kind of request. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "common/cleanup.h"
#include "sim/device.h"
#include "sim/simhost_private.h"

void simhost_refuse(struct simhost_request *request)
{
	request->connection->broken = true;
}

static void answer_result(struct simhost_request *request, int result, const void *body,
			  size_t size, int fd)
{
	simhost_answer(request, (struct sim_reply){.result = result}, body, size, fd);
}

static void answer_code(struct simhost_request *request, int code, const struct error *error)
{
	simhost_answer(request, (struct sim_reply){.code = (uint32_t)code}, error->text,
		       code ? strlen(error->text) : 0, -1);
}

/* nodes */

static void handle_hello(struct simhost *simhost, struct simhost_request *request,
			 struct simhost_process *process)
{
	struct sim_hello hello = {.page_shift = simhost->host->page_shift};
	struct sim_greeting greeting = {.flags = 0};
	int r = 0;

	if (request->head.size != 0 && request->head.size != sizeof(greeting)) {
		simhost_refuse(request);
		return;
	}
	memcpy(&greeting, request->body, request->head.size);
	if (greeting.flags & SIM_GREETING_NEW_PROGRAM) {
		r = simhost_renew_process(simhost, process);
	}
	hello.memlock_limit = simhost_caller_of(simhost, process).memlock_limit;
	(void)snprintf(hello.sysfs_root, sizeof(hello.sysfs_root), "%s", simhost->sysfs_root);
	(void)snprintf(hello.dev_root, sizeof(hello.dev_root), "%s",
		       simhost_names_root(simhost->names));
	answer_result(request, r, &hello, sizeof(hello), -1);
}

static void handle_connect(struct simhost *simhost, struct simhost_request *request)
{
	int sockets[2];
	int r = packet_socketpair(sockets);

	if (r == 0) {
		r = simhost_add_connection(simhost, sockets[0]);
		if (r < 0) {
			(void)fd_close(sockets[1]);
		}
	}
	answer_result(request, r, NULL, 0, r < 0 ? -1 : sockets[1]);
}

static bool read_path(const struct simhost_request *request, char path[SIM_PATH_SIZE])
{
	if (request->head.size >= SIM_PATH_SIZE) {
		return false;
	}
	memcpy(path, request->body, request->head.size);
	path[request->head.size] = '\0';
	return true;
}

static void handle_open(struct simhost *simhost, struct simhost_request *request)
{
	char path[SIM_PATH_SIZE];
	struct sim_node node;
	int client_fd = -1;
	int r;

	if (!read_path(request, path)) {
		simhost_refuse(request);
		return;
	}
	r = sim_model_open(simhost->model, path, &node);
	if (r == 0) {
		r = simhost_add_node(simhost, node, &client_fd);
	}
	answer_result(request, r, NULL, 0, client_fd);
}

static void handle_identify(struct simhost *simhost, struct simhost_request *request,
			    struct simhost_process *process)
{
	struct sim_identity identity = {.handle = 0};
	struct simhost_node *node;

	if (request->fds.count != 1) {
		simhost_refuse(request);
		return;
	}
	node = simhost_find_node(simhost, request->fds.fd[0]);
	if (!node) {
		answer_result(request, -ENOTTY, NULL, 0, -1);
		return;
	}
	identity.kind = (uint32_t)node->node.kind;
	identity.number = node->node.kind == SIM_NODE_GROUP ? node->node.group->number : 0;
	identity.handle = simhost_require_handle(simhost, process, node);
	answer_result(request, identity.handle ? 0 : -ENOMEM, &identity, sizeof(identity), -1);
}

static void handle_page_size(struct simhost *simhost, struct simhost_request *request)
{
	uint64_t size;

	if (request->fds.count != 1) {
		simhost_refuse(request);
		return;
	}
	size = UINT64_C(1) << simhost_page_shift_of(request->fds.fd[0], simhost->host->page_shift);
	answer_result(request, 0, &size, sizeof(size), -1);
}

static void handle_locked(struct simhost_request *request, const struct simhost_process *process)
{
	uint64_t bytes = process->mm->locked_pages << process->mm->page_shift;

	answer_result(request, 0, &bytes, sizeof(bytes), -1);
}

/* the host's own verbs */

static bool is_terminated(const char name[SIM_NAME_SIZE])
{
	return memchr(name, '\0', SIM_NAME_SIZE) != NULL;
}

static void handle_dma_read(struct simhost *simhost, struct simhost_request *request)
{
	struct sim_dma dma;
	struct error error;
	uint8_t *data;
	int code;

	if (request->head.size != sizeof(dma)) {
		simhost_refuse(request);
		return;
	}
	memcpy(&dma, request->body, sizeof(dma));
	data = malloc(SIM_DMA_MAX);
	if (!data || !is_terminated(dma.device)) {
		free(data);
		simhost_refuse(request);
		return;
	}
	code = sim_model_dma_read(simhost->model, dma.device, dma.iova, data, dma.size, &error);
	if (code) {
		answer_code(request, code, &error);
	} else {
		simhost_answer(request, (struct sim_reply){.code = ERROR_NONE}, data, dma.size, -1);
	}
	free(data);
}

static void handle_dma_write(struct simhost *simhost, struct simhost_request *request)
{
	struct sim_dma dma;
	struct error error;

	if (request->head.size < sizeof(dma)) {
		simhost_refuse(request);
		return;
	}
	memcpy(&dma, request->body, sizeof(dma));
	/* A size above the limit comes with less data, and is refused by the model. */
	if (!is_terminated(dma.device) ||
	    (dma.size <= SIM_DMA_MAX && dma.size != request->head.size - sizeof(dma))) {
		simhost_refuse(request);
		return;
	}
	answer_code(request,
		    sim_model_dma_write(simhost->model, dma.device, dma.iova,
					request->body + sizeof(dma), dma.size, &error),
		    &error);
}

/* One whose client has hung up may not have been looked at yet. */
static bool is_connected(const struct simhost_connection *connection)
{
	struct pollfd state = {.fd = connection->fd, .events = 0};

	return poll(&state, 1, 0) == 0;
}

static void handle_statistics(struct simhost *simhost, struct simhost_request *request,
			      const struct simhost_process *process)
{
	struct sim_statistics statistics;

	sim_model_statistics(simhost->model, process->mm, &statistics);
	for (const struct simhost_connection *connection = simhost->connections; connection;
	     connection = connection->next) {
		statistics.connections += is_connected(connection);
	}
	simhost_answer(request, (struct sim_reply){.code = ERROR_NONE}, &statistics,
		       sizeof(statistics), -1);
}

/* dispatch */

/* The name of the ioctl that a request is, or of what is in its argument; empty for one that isn't
 * of the table, or was counted before. */
static const char *name_ioctl(struct simhost *simhost, const struct simhost_request *request)
{
	const struct simhost_process *process = simhost_require_process(simhost, request->pid);
	struct sim_ioctl_request head;
	const struct simhost_node *node;
	const struct sim_ioctl *entry;

	if (!process || request->head.size < sizeof(head)) {
		return "";
	}
	memcpy(&head, request->body, sizeof(head));
	node = simhost_find_handle(process, head.handle);
	entry = node ? sim_ioctl_find(node->node.kind, head.request) : NULL;
	if (!entry || head.flags & SIM_IOCTL_AGAIN ||
	    head.argument_size > request->head.size - sizeof(head)) {
		return "";
	}
	/* The argument is what a request ends with. */
	return sim_operation_name(entry, request->body + request->head.size - head.argument_size,
				  head.argument_size);
}

/* The word for a transfer, or NULL for another request. */
static const char *find_transfer_word(const struct simhost_request *request)
{
	switch (request->head.type) {
	case SIM_PREAD:
		return SIM_OPERATION_READ;
	case SIM_PWRITE:
		return SIM_OPERATION_WRITE;
	case SIM_MMAP:
		return SIM_OPERATION_MAP;
	default:
		return NULL;
	}
}

/* "read:7": the region of a device that a transfer begins in. All of them begin with a handle and
 * an offset. */
static void name_transfer(struct simhost *simhost, const struct simhost_request *request,
			  const char *word, struct simhost_operation *operation)
{
	const struct simhost_process *process = simhost_require_process(simhost, request->pid);
	struct sim_transfer transfer;
	const struct simhost_node *node;
	uint64_t offset;

	if (!process || request->head.size < sizeof(transfer)) {
		return;
	}
	memcpy(&transfer, request->body, sizeof(transfer));
	node = simhost_find_handle(process, transfer.handle);
	if (!node || node->node.kind != SIM_NODE_DEVICE) {
		return;
	}
	offset = transfer.offset == SIM_OFFSET_CURRENT ? node->position : transfer.offset;
	(void)snprintf(operation->name, sizeof(operation->name), "%s%u", word,
		       (unsigned int)(offset >> SIM_REGION_SHIFT));
}

struct simhost_operation simhost_operation_of(struct simhost *simhost,
					      const struct simhost_request *request)
{
	struct simhost_operation operation = {.name = ""};
	char path[SIM_PATH_SIZE];

	if (!simhost->faults.first) {
		return operation; /* nobody asks */
	}
	if (request->head.type == SIM_OPEN && read_path(request, path)) {
		(void)snprintf(operation.name, sizeof(operation.name), SIM_OPERATION_OPEN "%s",
			       path);
	} else if (request->head.type == SIM_WRITE_ATTRIBUTE) {
		(void)snprintf(operation.name, sizeof(operation.name),
			       SIM_OPERATION_ATTRIBUTE "%.*s",
			       (int)strnlen((const char *)request->body,
					    MIN(request->head.size, SIM_ATTRIBUTE_PATH_SIZE)),
			       (const char *)request->body);
	} else if (request->head.type == SIM_IOCTL) {
		(void)snprintf(operation.name, sizeof(operation.name), "%s",
			       name_ioctl(simhost, request));
	} else if (find_transfer_word(request)) {
		name_transfer(simhost, request, find_transfer_word(request), &operation);
	}
	return operation;
}

static void dispatch(struct simhost *simhost, struct simhost_request *request,
		     struct simhost_process *process)
{
	switch ((enum sim_request_type)request->head.type) {
	case SIM_HELLO:
		handle_hello(simhost, request, process);
		break;
	case SIM_CONNECT:
		handle_connect(simhost, request);
		break;
	case SIM_OPEN:
		handle_open(simhost, request);
		break;
	case SIM_IDENTIFY:
		handle_identify(simhost, request, process);
		break;
	case SIM_IOCTL:
		simhost_handle_ioctl(simhost, request, process);
		break;
	case SIM_PREAD:
		simhost_handle_pread(simhost, request, process);
		break;
	case SIM_PWRITE:
		simhost_handle_pwrite(simhost, request, process);
		break;
	case SIM_MMAP:
		simhost_handle_mmap(simhost, request, process);
		break;
	case SIM_PAGE_SIZE:
		handle_page_size(simhost, request);
		break;
	case SIM_LOCKED:
		handle_locked(request, process);
		break;
	case SIM_DMA_READ:
		handle_dma_read(simhost, request);
		break;
	case SIM_DMA_WRITE:
		handle_dma_write(simhost, request);
		break;
	case SIM_STATISTICS:
		handle_statistics(simhost, request, process);
		break;
	case SIM_FAIL_NEXT:
	case SIM_DELAY:
	case SIM_ADD_RULE:
	case SIM_REMOVE_RULE:
	case SIM_CLEAR_RULES:
	case SIM_LIST_RULES:
	case SIM_FREEZE:
	case SIM_UNPLUG:
	case SIM_PLUG:
	case SIM_DUMP:
		simhost_handle_verb(simhost, request);
		break;
	case SIM_WRITE_ATTRIBUTE:
		simhost_handle_attribute(simhost, request);
		break;
	case SIM_FIND_HOLDERS:
		simhost_handle_holders(simhost, request);
		break;
	case SIM_RING:
		simhost_handle_ring(simhost, request, process);
		break;
	case SIM_FDS: /* taken where requests are received */
	case SIM_REQUEST_TYPE_COUNT:
		simhost_refuse(request);
		break;
	}
}

void simhost_handle_request(struct simhost *simhost, struct simhost_request *request)
{
	struct simhost_process *process = simhost_require_process(simhost, request->pid);

	/* Who sent it is gone, and so nobody waits for the answer. */
	if (!process || request->head.type == 0 || request->head.type >= SIM_REQUEST_TYPE_COUNT) {
		simhost_refuse(request);
		simhost_fds_done(&request->fds);
		return;
	}
	if (request->result) {
		answer_result(request, request->result, NULL, 0, -1);
	} else {
		dispatch(simhost, request, process);
	}
	simhost_fds_done(&request->fds);
}
