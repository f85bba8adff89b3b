/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What spaprd-simhost does with calls on a node that is open: ioctl, pread, pwrite, mmap. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "common/cleanup.h"
#include "sim/device.h"
#include "sim/kvm.h"
#include "sim/simhost_private.h"

#define PERCENT 100U

static void answer_result(struct simhost_request *request, int result, const void *body,
			  size_t size, int fd)
{
	simhost_answer(request, (struct sim_reply){.result = result}, body, size, fd);
}

/* ioctls */

/* An ioctl on its way. The argument has room for a string and for any structure. */
struct ioctl_call {
	struct sim_ioctl_request head;
	const struct sim_ioctl *entry; /* NULL for one that isn't in the table */
	struct simhost_node *node;
	const uint8_t *pieces;
	struct sim_argument argument;
	uint8_t data[SIM_ARGUMENT_MAX + 1] __attribute__((aligned(8)));
};

/* Turn the pieces behind a range into memory, up to the first that isn't whole. */
static int read_pieces(const struct simhost *simhost, const struct simhost_request *request,
		       struct ioctl_call *call)
{
	struct sim_pieces *pieces = &call->argument.pieces;

	if (call->head.pieces > 0) {
		pieces->piece = calloc(call->head.pieces, sizeof(*pieces->piece));
		if (!pieces->piece) {
			return -ENOMEM;
		}
	}
	for (uint32_t i = 0; i < call->head.pieces; i++) {
		struct sim_piece *piece = &pieces->piece[pieces->count];
		struct sim_wire_piece wire;
		int r;

		memcpy(&wire, call->pieces + i * sizeof(wire), sizeof(wire));
		if (wire.fd >= request->fds.count - call->head.fds) {
			return -EFAULT;
		}
		r = simhost_memory_new(request->fds.fd[call->head.fds + wire.fd], &wire,
				       simhost->host->page_shift, piece);
		if (r == -EFAULT) {
			return 0;
		}
		if (r < 0) {
			return r;
		}
		pieces->count++;
		if (piece->size < wire.size) {
			return 0;
		}
	}
	return 0;
}

/* Whether the argument's size is what the table says. */
static bool argument_fits(const struct ioctl_call *call)
{
	size_t size = call->head.argument_size;

	if (!call->entry || call->head.flags & SIM_IOCTL_UNREADABLE) {
		return size == 0;
	}
	switch (call->entry->argument) {
	case SIM_ARGUMENT_VALUE:
		return size == 0;
	case SIM_ARGUMENT_FD:
		return size == sizeof(int32_t);
	case SIM_ARGUMENT_SIZED:
		return size >= call->entry->in_size && size <= SIM_ARGUMENT_MAX;
	case SIM_ARGUMENT_STRUCT:
		/* KVM_SET_DEVICE_ATTR has fds behind it. */
		return size >= call->entry->in_size &&
		       size <= call->entry->in_size + SIM_KVM_ATTRIBUTE_FDS_MAX * sizeof(int32_t);
	case SIM_ARGUMENT_STRING:
		return size < SIM_STRING_MAX;
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
	if (call->head.pieces > SIM_PIECES_MAX || call->head.fds > request->fds.count) {
		return false;
	}
	pieces_size = call->head.pieces * sizeof(struct sim_wire_piece);
	if (request->head.size != sizeof(call->head) + pieces_size + call->head.argument_size) {
		return false;
	}
	call->pieces = request->body + sizeof(call->head);
	call->node = simhost_find_handle(process, call->head.handle);
	if (!call->node) {
		return true;
	}
	call->entry = sim_ioctl_find(call->node->node.kind, call->head.request);
	if (!argument_fits(call)) {
		return false;
	}
	memcpy(call->data, call->pieces + pieces_size, call->head.argument_size);
	call->argument.value = call->head.value;
	call->argument.data = call->head.flags & SIM_IOCTL_UNREADABLE ? NULL : call->data;
	call->argument.size = call->head.argument_size;
	return true;
}

/* The fds of an argument. One that the model keeps is no longer the request's. */
static int find_argument_fds(struct simhost *simhost, const struct simhost_request *request,
			     struct ioctl_call *call)
{
	if (call->head.fds == 0) {
		return 0;
	}
	call->argument.fds = calloc(call->head.fds, sizeof(*call->argument.fds));
	if (!call->argument.fds) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < call->head.fds; i++) {
		const struct simhost_node *node = simhost_find_node(simhost, request->fds.fd[i]);

		call->argument.fds[i] = (struct sim_argument_fd){
			.node = node ? node->node : SIM_NODE_NOTHING,
			.fd = request->fds.fd[i],
		};
	}
	call->argument.fd_count = call->head.fds;
	return 0;
}

static void free_argument_fds(struct simhost_request *request, struct ioctl_call *call)
{
	for (unsigned int i = 0; i < call->argument.fd_count; i++) {
		request->fds.fd[i] = call->argument.fds[i].fd;
	}
	free(call->argument.fds);
}

/* What goes on by itself may have begun, or what waited for it. */
static bool may_begin_something(enum sim_node_kind kind)
{
	return kind == SIM_NODE_DEVICE || kind == SIM_NODE_GROUP;
}

static void answer_ioctl(struct simhost *simhost, struct simhost_request *request,
			 struct ioctl_call *call, int result)
{
	struct sim_argument *argument = &call->argument;
	struct sim_reply reply = {
		.result = result,
		.fd_offset = (uint32_t)argument->fd_offset,
	};
	uint64_t milliseconds = (uint64_t)argument->blocks * simhost->host->settings.pace / PERCENT;
	/* A lack of room tells how much is needed. */
	bool writes = result >= 0 || result == -ENOSPC;
	size_t size = writes ? MIN(argument->out_size, SIM_ARGUMENT_MAX) : 0;
	int fd = -1;

	if (result >= 0 && argument->new_node.kind != SIM_NODE_NONE) {
		int r = simhost_add_node(simhost, argument->new_node, &fd);

		if (r < 0) {
			reply.result = r;
			size = 0;
		}
	}
	if (milliseconds > 0) {
		simhost_answer_later(simhost, request, (uint32_t)MIN(milliseconds, UINT32_MAX),
				     reply, call->data, size, fd);
	} else {
		simhost_answer(request, reply, call->data, size, fd);
	}
}

static void carry_out(struct simhost *simhost, struct simhost_request *request,
		      const struct simhost_process *process, struct ioctl_call *call)
{
	struct sim_caller caller = simhost_caller_of(simhost, process);
	int r = read_pieces(simhost, request, call);

	if (r == 0) {
		r = find_argument_fds(simhost, request, call);
	}
	if (r == 0) {
		r = sim_node_ioctl(call->node->node, &caller, call->head.request, &call->argument);
	}
	sim_pieces_done(&call->argument.pieces);
	free_argument_fds(request, call);
	answer_ioctl(simhost, request, call, r);
	if (may_begin_something(call->node->node.kind)) {
		simhost_wake(simhost);
	}
}

void simhost_handle_ioctl(struct simhost *simhost, struct simhost_request *request,
			  struct simhost_process *process)
{
	struct ioctl_call *call = calloc(1, sizeof(*call));

	if (!call || !read_call(request, process, call)) {
		simhost_refuse(request);
	} else if (!call->node) {
		answer_result(request, -EBADF, NULL, 0, -1);
	} else {
		carry_out(simhost, request, process, call);
	}
	free(call);
}

/* reading, writing, mapping */

/* The node of a request that begins with a handle; NULL when it was answered already. */
static struct simhost_node *find_device(struct simhost_request *request,
					const struct simhost_process *process, uint64_t handle,
					int otherwise)
{
	struct simhost_node *node = simhost_find_handle(process, handle);

	if (!node || node->node.kind != SIM_NODE_DEVICE) {
		answer_result(request, node ? otherwise : -EBADF, NULL, 0, -1);
		return NULL;
	}
	return node;
}

static uint64_t choose_offset(const struct simhost_node *node, const struct sim_transfer *transfer)
{
	return transfer->offset == SIM_OFFSET_CURRENT ? node->position : transfer->offset;
}

/* Read and write go on behind what they moved. */
static void move_position(struct simhost_node *node, const struct sim_transfer *transfer,
			  ssize_t moved)
{
	if (transfer->offset == SIM_OFFSET_CURRENT && moved > 0) {
		node->position += (uint64_t)moved;
	}
}

void simhost_handle_pread(struct simhost *simhost, struct simhost_request *request,
			  struct simhost_process *process)
{
	uint8_t data[SIM_TRANSFER_MAX];
	struct sim_transfer transfer;
	struct simhost_node *node;
	ssize_t r;

	if (request->head.size != sizeof(transfer)) {
		simhost_refuse(request);
		return;
	}
	memcpy(&transfer, request->body, sizeof(transfer));
	if (transfer.size > sizeof(data)) {
		simhost_refuse(request);
		return;
	}
	node = find_device(request, process, transfer.handle, -EINVAL);
	if (!node) {
		return;
	}
	r = sim_device_read(node->node.device_file, choose_offset(node, &transfer), data,
			    transfer.size);
	move_position(node, &transfer, r);
	answer_result(request, (int)r, data, r > 0 ? (size_t)r : 0, -1);
	simhost_wake(simhost);
}

void simhost_handle_pwrite(struct simhost *simhost, struct simhost_request *request,
			   struct simhost_process *process)
{
	struct sim_transfer transfer;
	struct simhost_node *node;
	ssize_t r;

	if (request->head.size < sizeof(transfer)) {
		simhost_refuse(request);
		return;
	}
	memcpy(&transfer, request->body, sizeof(transfer));
	if (transfer.size > SIM_TRANSFER_MAX ||
	    transfer.size != request->head.size - sizeof(transfer)) {
		simhost_refuse(request);
		return;
	}
	node = find_device(request, process, transfer.handle, -EINVAL);
	if (!node) {
		return;
	}
	r = sim_device_write(node->node.device_file, choose_offset(node, &transfer),
			     request->body + sizeof(transfer), transfer.size);
	move_position(node, &transfer, r);
	answer_result(request, (int)r, NULL, 0, -1);
	simhost_wake(simhost);
}

void simhost_handle_mmap(struct simhost *simhost, struct simhost_request *request,
			 struct simhost_process *process)
{
	struct sim_map map = {.offset = 0};
	struct sim_map_request wanted;
	struct simhost_node *node;
	int fd = -1;
	int copy = -1;
	int r;

	if (request->head.size != sizeof(wanted)) {
		simhost_refuse(request);
		return;
	}
	memcpy(&wanted, request->body, sizeof(wanted));
	node = find_device(request, process, wanted.handle, -ENODEV);
	if (!node) {
		return;
	}
	r = sim_device_map(node->node.device_file, wanted.offset, wanted.size,
			   (int)wanted.protection, &fd, &map.offset);
	if (r == 0) {
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		r = copy < 0 ? -errno : 0;
	}
	answer_result(request, r, &map, r == 0 ? sizeof(map) : 0, copy);
	simhost_wake(simhost);
}
