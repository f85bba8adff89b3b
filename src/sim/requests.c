/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What spaprd-simhost does with each kind of request. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "sim/simhost_private.h"

/* A request that no client of ours would send. */
static void refuse(struct simhost_request *request)
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

static void handle_hello(struct simhost *simhost, struct simhost_request *request)
{
	struct sim_hello hello = {.memlock_limit = simhost->host->settings.memlock_limit};

	(void)snprintf(hello.sysfs_root, sizeof(hello.sysfs_root), "%s", simhost->sysfs_root);
	answer_result(request, 0, &hello, sizeof(hello), -1);
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
		refuse(request);
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
		refuse(request);
		return;
	}
	node = simhost_find_node(simhost, request->fds.fd[0]);
	if (!node) {
		answer_result(request, -ENOTTY, NULL, 0, -1);
		return;
	}
	identity.kind = (uint32_t)node->node.kind;
	identity.handle = simhost_require_handle(simhost, process, node);
	answer_result(request, identity.handle ? 0 : -ENOMEM, &identity, sizeof(identity), -1);
}

/* ioctls */

/* An ioctl on its way. The argument has room for a string and for any structure. */
struct ioctl_call {
	struct sim_ioctl_request head;
	const struct sim_ioctl *entry; /* NULL for one that isn't in the table */
	struct simhost_node *node;
	uint8_t data[SIM_ARGUMENT_MAX + 1] __attribute__((aligned(8)));
	struct sim_argument argument;
	struct sim_argument_fd fds[PACKET_FDS_MAX];
};

/* Turn the pieces of a registration into memory, up to the first that isn't whole. */
static int read_pieces(struct simhost *simhost, struct simhost_request *request,
		       const uint8_t *wire, uint32_t count, struct sim_pieces *ret_pieces)
{
	struct sim_pieces pieces = SIM_PIECES_NONE;

	if (count > 0) {
		pieces.piece = calloc(count, sizeof(*pieces.piece));
		if (!pieces.piece) {
			return -ENOMEM;
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		struct sim_wire_piece piece;
		int r;

		memcpy(&piece, wire + i * sizeof(piece), sizeof(piece));
		r = simhost_memory_new(packet_fds_take(&request->fds, i), piece.offset, piece.size,
				       simhost->host->page_shift, &pieces.piece[pieces.count]);
		if (r == 0 && pieces.piece[pieces.count++].size < piece.size) {
			break;
		}
		if (r == -EFAULT) {
			break;
		}
		if (r < 0) {
			sim_pieces_done(&pieces);
			return r;
		}
	}
	*ret_pieces = pieces;
	return 0;
}

/* Whether the argument's size is what the table says. */
static bool argument_fits(const struct ioctl_call *call)
{
	if (!call->entry) {
		return call->head.argument_size == 0;
	}
	switch (call->entry->argument) {
	case SIM_ARGUMENT_VALUE:
		return call->head.argument_size == 0;
	case SIM_ARGUMENT_FD:
		return call->head.argument_size == sizeof(int32_t);
	case SIM_ARGUMENT_SIZED:
		return call->head.argument_size >= call->entry->in_size &&
		       call->head.argument_size <= SIM_ARGUMENT_MAX;
	case SIM_ARGUMENT_STRUCT:
		return call->head.argument_size == call->entry->in_size;
	case SIM_ARGUMENT_STRING:
		return call->head.argument_size < SIM_STRING_MAX;
	}
	return false;
}

/* Take a call apart. Returns false for one that makes no sense. */
static bool read_call(const struct simhost_request *request, const struct simhost_process *process,
		      struct ioctl_call *call)
{
	size_t pieces_size;

	if (request->head.size < sizeof(call->head)) {
		return false;
	}
	memcpy(&call->head, request->body, sizeof(call->head));
	if (call->head.pieces > PACKET_FDS_MAX || call->head.fds > PACKET_FDS_MAX ||
	    call->head.pieces + call->head.fds != request->fds.count) {
		return false;
	}
	pieces_size = call->head.pieces * sizeof(struct sim_wire_piece);
	if (request->head.size != sizeof(call->head) + pieces_size + call->head.argument_size) {
		return false;
	}
	call->node = simhost_find_handle(process, call->head.handle);
	call->entry = call->node ? sim_ioctl_find(call->node->node.kind, call->head.request) : NULL;
	if (!call->node) {
		return true;
	}
	if (!argument_fits(call)) {
		return false;
	}
	memcpy(call->data, request->body + sizeof(call->head) + pieces_size,
	       call->head.argument_size);
	return true;
}

/* The fds of an argument, which stay the request's. */
static void find_argument_fds(struct simhost *simhost, const struct simhost_request *request,
			      struct ioctl_call *call)
{
	for (uint32_t i = 0; i < call->head.fds; i++) {
		int fd = request->fds.fd[call->head.pieces + i];
		const struct simhost_node *node = simhost_find_node(simhost, fd);

		call->fds[i] = (struct sim_argument_fd){
			.node = node ? node->node : SIM_NODE_NOTHING,
			.fd = fd,
		};
	}
	call->argument.fds = call->fds;
	call->argument.fd_count = call->head.fds;
}

static void handle_ioctl(struct simhost *simhost, struct simhost_request *request,
			 struct simhost_process *process)
{
	struct sim_caller caller = {
		.mm = process->mm,
		.memlock_limit = simhost->host->settings.memlock_limit,
	};
	struct ioctl_call call = {.argument = {.pieces = SIM_PIECES_NONE}};
	int r;

	if (!read_call(request, process, &call)) {
		refuse(request);
		return;
	}
	if (!call.node) {
		answer_result(request, -EBADF, NULL, 0, -1);
		return;
	}
	r = read_pieces(simhost, request, request->body + sizeof(call.head), call.head.pieces,
			&call.argument.pieces);
	if (r == 0) {
		call.argument.value = call.head.value;
		call.argument.data = call.data;
		call.argument.size = call.head.argument_size;
		find_argument_fds(simhost, request, &call);
		r = sim_node_ioctl(call.node->node, &caller, call.head.request, &call.argument);
	}
	sim_pieces_done(&call.argument.pieces);
	answer_result(request, r, call.data, r >= 0 ? call.argument.out_size : 0, -1);
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
		refuse(request);
		return;
	}
	memcpy(&dma, request->body, sizeof(dma));
	data = malloc(SIM_DMA_MAX);
	if (!data || !is_terminated(dma.device)) {
		free(data);
		refuse(request);
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
		refuse(request);
		return;
	}
	memcpy(&dma, request->body, sizeof(dma));
	/* A size above the limit comes with less data, and is refused by the model. */
	if (!is_terminated(dma.device) ||
	    (dma.size <= SIM_DMA_MAX && dma.size != request->head.size - sizeof(dma))) {
		refuse(request);
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

static void handle_rule(struct simhost *simhost, struct simhost_request *request)
{
	struct sim_rule rule;
	struct error error;
	int code;

	if (request->head.size != sizeof(rule)) {
		refuse(request);
		return;
	}
	memcpy(&rule, request->body, sizeof(rule));
	if (!is_terminated(rule.operation)) {
		refuse(request);
		return;
	}
	code = request->head.type == SIM_DELAY
		       ? sim_faults_add_delay(&simhost->faults, rule.operation, rule.milliseconds,
					      &error)
		       : sim_faults_add_failure(&simhost->faults, rule.operation, rule.skip,
						rule.errnum, &error);
	answer_code(request, code, &error);
}

/* dispatch */

/* The ioctl's name, when the request is one of the table. */
static const struct sim_ioctl *find_named_ioctl(struct simhost *simhost,
						const struct simhost_request *request)
{
	const struct simhost_process *process = simhost_require_process(simhost, request->pid);
	struct sim_ioctl_request head;
	const struct simhost_node *node;

	if (!process || request->head.size < sizeof(head)) {
		return NULL;
	}
	memcpy(&head, request->body, sizeof(head));
	node = simhost_find_handle(process, head.handle);
	return node ? sim_ioctl_find(node->node.kind, head.request) : NULL;
}

struct simhost_operation simhost_operation_of(struct simhost *simhost,
					      const struct simhost_request *request)
{
	struct simhost_operation operation = {.name = ""};
	char path[SIM_PATH_SIZE];

	if (request->head.type == SIM_OPEN && read_path(request, path)) {
		(void)snprintf(operation.name, sizeof(operation.name), SIM_OPERATION_OPEN "%s",
			       path);
	} else if (request->head.type == SIM_IOCTL) {
		const struct sim_ioctl *entry = find_named_ioctl(simhost, request);

		(void)snprintf(operation.name, sizeof(operation.name), "%s",
			       entry ? entry->name : "");
	}
	return operation;
}

static void dispatch(struct simhost *simhost, struct simhost_request *request,
		     struct simhost_process *process)
{
	switch ((enum sim_request_type)request->head.type) {
	case SIM_HELLO:
		handle_hello(simhost, request);
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
		handle_ioctl(simhost, request, process);
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
		handle_rule(simhost, request);
		break;
	case SIM_REQUEST_TYPE_COUNT:
		refuse(request);
		break;
	}
}

void simhost_handle_request(struct simhost *simhost, struct simhost_request *request)
{
	struct simhost_process *process = simhost_require_process(simhost, request->pid);
	struct simhost_operation operation;
	int errnum;

	/* Who sent it is gone, and so nobody waits for the answer. */
	if (!process || request->head.type == 0 || request->head.type >= SIM_REQUEST_TYPE_COUNT) {
		refuse(request);
		packet_fds_done(&request->fds);
		return;
	}
	operation = simhost_operation_of(simhost, request);
	errnum = *operation.name ? sim_faults_take_failure(&simhost->faults, operation.name) : 0;
	if (errnum) {
		answer_result(request, -errnum, NULL, 0, -1);
	} else {
		dispatch(simhost, request, process);
	}
	packet_fds_done(&request->fds);
}
