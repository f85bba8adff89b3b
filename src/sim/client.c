/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "sim/argument.h"
#include "sim/exchange.h"
#include "sim/ioctls.h"
#include "sim/mappings.h"

/* More calls at a time make connections that are closed again afterwards. */
#define IDLE_CONNECTIONS_MAX 16

/* A node that was identified, by the fd number through which it was. */
struct known_node {
	int fd;
	dev_t device;
	ino_t inode;
	uint64_t handle;
	enum sim_node_kind kind;
};

/*
 * A call takes a connection for itself, so that one that waits holds up no other. The first
 * connection only makes more of them: that is answered at once, always.
 */
struct sim_kernel {
	struct kernel kernel;
	pthread_mutex_t root_lock; /* held over an exchange on root */
	int root;
	pthread_mutex_t lock; /* guards the rest, never held over an exchange */
	int idle[IDLE_CONNECTIONS_MAX];
	unsigned int idle_count;
	struct known_node *known;
	size_t known_count;
	struct sim_mappings mappings;
};

/* connections */

static int connect_once_more(struct sim_kernel *sim, int *ret_connection)
{
	struct sim_message message = {.type = SIM_CONNECT};
	size_t size = 0;
	bool broken;
	int fd = -1;
	int r;

	(void)pthread_mutex_lock(&sim->root_lock);
	r = sim_exchange(sim->root, &message, NULL, &size, &fd, &broken);
	(void)pthread_mutex_unlock(&sim->root_lock);
	if (r < 0) {
		return r;
	}
	if (fd < 0) {
		return -EPROTO;
	}
	*ret_connection = fd;
	return 0;
}

static int take_connection(struct sim_kernel *sim)
{
	int connection = -1;
	int r;

	(void)pthread_mutex_lock(&sim->lock);
	if (sim->idle_count > 0) {
		connection = sim->idle[--sim->idle_count];
	}
	(void)pthread_mutex_unlock(&sim->lock);
	if (connection >= 0) {
		return connection;
	}
	r = connect_once_more(sim, &connection);
	return r < 0 ? r : connection;
}

static void put_connection(struct sim_kernel *sim, int connection, bool broken)
{
	(void)pthread_mutex_lock(&sim->lock);
	if (!broken && sim->idle_count < IDLE_CONNECTIONS_MAX) {
		sim->idle[sim->idle_count++] = connection;
		connection = -1;
	}
	(void)pthread_mutex_unlock(&sim->lock);
	(void)fd_close(connection);
}

/* One exchange on a connection of its own. */
static int call(struct sim_kernel *sim, const struct sim_message *message, void *body, size_t *size,
		int *ret_fd)
{
	int connection = take_connection(sim);
	bool broken;
	int r;

	if (connection < 0) {
		return connection;
	}
	r = sim_exchange(connection, message, body, size, ret_fd, &broken);
	put_connection(sim, connection, broken);
	return r;
}

/* nodes */

static int sim_open_node(struct kernel *kernel, const char *path)
{
	struct sim_message message = {.type = SIM_OPEN, .body = path, .body_size = strlen(path)};
	size_t size = 0;
	int fd = -1;
	int r;

	if (message.body_size == 0 || message.body_size >= SIM_PATH_SIZE) {
		return -ENOENT;
	}
	r = call((struct sim_kernel *)kernel, &message, NULL, &size, &fd);
	if (r < 0) {
		return r;
	}
	return fd >= 0 ? fd : -EPROTO;
}

static bool find_known(struct sim_kernel *sim, int fd, const struct stat *status,
		       struct known_node *ret_node)
{
	bool found = false;

	(void)pthread_mutex_lock(&sim->lock);
	for (size_t i = 0; i < sim->known_count && !found; i++) {
		const struct known_node *node = &sim->known[i];

		if (node->fd == fd && node->inode == status->st_ino &&
		    node->device == status->st_dev) {
			*ret_node = *node;
			found = true;
		}
	}
	(void)pthread_mutex_unlock(&sim->lock);
	return found;
}

static void forget_fd_locked(struct sim_kernel *sim, int fd)
{
	size_t i = 0;

	while (i < sim->known_count) {
		if (sim->known[i].fd == fd) {
			sim->known[i] = sim->known[--sim->known_count];
		} else {
			i++;
		}
	}
}

/* If there is no memory to remember it, the node is identified again next time. */
static void remember(struct sim_kernel *sim, const struct known_node *node)
{
	struct known_node *grown;

	(void)pthread_mutex_lock(&sim->lock);
	forget_fd_locked(sim, node->fd);
	grown = reallocarray(sim->known, sim->known_count + 1, sizeof(*grown));
	if (grown) {
		sim->known = grown;
		grown[sim->known_count++] = *node;
	}
	(void)pthread_mutex_unlock(&sim->lock);
}

/* Find out which node an fd is. 0; EBADF (negative): the fd isn't open; ENOTTY: it is no node of
 * the simulated host. */
static int identify(struct sim_kernel *sim, int fd, struct known_node *ret_node)
{
	struct sim_message message = {.type = SIM_IDENTIFY, .fds = &fd, .fd_count = 1};
	struct sim_identity identity;
	size_t size = sizeof(identity);
	struct stat status;
	int r;

	if (fstat(fd, &status) < 0) {
		return -EBADF;
	}
	if (!S_ISSOCK(status.st_mode)) {
		return -ENOTTY;
	}
	if (find_known(sim, fd, &status, ret_node)) {
		return 0;
	}
	r = call(sim, &message, &identity, &size, NULL);
	if (r < 0) {
		return r;
	}
	if (size != sizeof(identity)) {
		return -EPROTO;
	}
	*ret_node = (struct known_node){
		.fd = fd,
		.device = status.st_dev,
		.inode = status.st_ino,
		.handle = identity.handle,
		.kind = (enum sim_node_kind)identity.kind,
	};
	remember(sim, ret_node);
	return 0;
}

static void sim_close(struct kernel *kernel, int fd)
{
	struct sim_kernel *sim = (struct sim_kernel *)kernel;

	(void)pthread_mutex_lock(&sim->lock);
	forget_fd_locked(sim, fd);
	(void)pthread_mutex_unlock(&sim->lock);
	(void)fd_close(fd);
}

/* ioctls */

/* What goes along with an ioctl: pieces, then the argument. */
struct ioctl_body {
	uint8_t bytes[PACKET_FDS_MAX * sizeof(struct sim_wire_piece) + SIM_ARGUMENT_MAX];
	size_t size;
	struct packet_fds fds;
};

static void append_bytes(struct ioctl_body *body, const void *bytes, size_t size)
{
	memcpy(body->bytes + body->size, bytes, size);
	body->size += size;
}

static int append_pieces(struct sim_kernel *sim, struct ioctl_body *body, const void *argument)
{
	struct sim_wire_piece pieces[PACKET_FDS_MAX];
	struct vfio_iommu_spapr_register_memory memory;
	int r;

	memcpy(&memory, argument, sizeof(memory));
	(void)pthread_mutex_lock(&sim->lock);
	r = sim_mappings_collect(&sim->mappings, memory.vaddr, memory.size, pieces, &body->fds);
	(void)pthread_mutex_unlock(&sim->lock);
	if (r == 0) {
		append_bytes(body, pieces, body->fds.count * sizeof(pieces[0]));
	}
	return r;
}

/* Put an fd of the argument into what travels along. Returns what stands for it, or -errno. */
static int32_t append_fd(struct ioctl_body *body, unsigned int pieces, int fd)
{
	int copy;

	if (fd < 0) {
		return SIM_FD_MINUS_ONE;
	}
	if (body->fds.count == PACKET_FDS_MAX) {
		return -EMSGSIZE;
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0) {
		return errno == EBADF ? SIM_FD_CLOSED : -errno;
	}
	body->fds.fd[body->fds.count++] = copy;
	return (int32_t)(body->fds.count - 1 - pieces);
}

/* Put the argument into head and body, as the table says what it is. */
static int marshal(struct sim_kernel *sim, const struct sim_ioctl *entry, void *argument,
		   struct sim_ioctl_request *head, struct ioctl_body *body)
{
	size_t length;
	int32_t index;
	int fd;
	int r;

	switch (entry ? entry->argument : SIM_ARGUMENT_VALUE) {
	case SIM_ARGUMENT_VALUE:
		head->value = (uintptr_t)argument;
		return 0;
	case SIM_ARGUMENT_FD:
		memcpy(&fd, argument, sizeof(fd));
		index = append_fd(body, head->pieces, fd);
		if (index < SIM_FD_CLOSED) {
			return index;
		}
		append_bytes(body, &index, sizeof(index));
		head->argument_size = sizeof(index);
		head->fds = body->fds.count - head->pieces;
		return 0;
	case SIM_ARGUMENT_STRING:
		length = strnlen(argument, SIM_STRING_MAX);
		if (length == SIM_STRING_MAX) {
			return -EINVAL;
		}
		append_bytes(body, argument, length);
		head->argument_size = (uint32_t)length;
		return 0;
	case SIM_ARGUMENT_SIZED:
		length = MIN(MAX(*(const uint32_t *)argument, entry->in_size), SIM_ARGUMENT_MAX);
		append_bytes(body, argument, length);
		head->argument_size = (uint32_t)length;
		return 0;
	case SIM_ARGUMENT_STRUCT:
		break;
	}
	if (entry->request == VFIO_IOMMU_SPAPR_REGISTER_MEMORY) {
		r = append_pieces(sim, body, argument);
		if (r < 0) {
			return r;
		}
		head->pieces = body->fds.count;
	}
	append_bytes(body, argument, entry->in_size);
	head->argument_size = (uint32_t)entry->in_size;
	return 0;
}

static int sim_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct sim_kernel *sim = (struct sim_kernel *)kernel;
	uint8_t answer[SIM_ARGUMENT_MAX];
	struct ioctl_body body = {.size = 0, .fds = PACKET_FDS_NONE};
	struct sim_ioctl_request head = {.request = request};
	const struct sim_ioctl *entry;
	struct sim_message message;
	struct known_node node;
	size_t answer_size;
	int r = identify(sim, fd, &node);

	if (r < 0) {
		return r;
	}
	entry = sim_ioctl_find(node.kind, request);
	answer_size = entry ? entry->out_size : 0;
	head.handle = node.handle;
	r = marshal(sim, entry, argument, &head, &body);
	if (r < 0) {
		return r;
	}
	message = (struct sim_message){
		.type = SIM_IOCTL,
		.head = &head,
		.head_size = sizeof(head),
		.body = body.bytes,
		.body_size = body.size,
		.fds = body.fds.fd,
		.fd_count = body.fds.count,
	};
	r = call(sim, &message, answer, &answer_size, NULL);
	packet_fds_done(&body.fds);
	if (r >= 0 && answer_size > 0) {
		memcpy(argument, answer, answer_size);
	}
	return r;
}

/* memory */

static int sim_map(struct kernel *kernel, int fd, uint64_t offset, size_t length, int prot,
		   void **ret_address)
{
	struct sim_kernel *sim = (struct sim_kernel *)kernel;
	struct sim_mapping mapping = {.size = length, .offset = offset, .fd = fd, .prot = prot};
	void *address = mmap(NULL, length, prot, MAP_SHARED, fd, (off_t)offset);
	int r;

	if (address == MAP_FAILED) {
		return -errno;
	}
	mapping.address = (uintptr_t)address;
	(void)pthread_mutex_lock(&sim->lock);
	/* Whatever was here before was unmapped without our knowing. */
	r = sim_mappings_remove(&sim->mappings, mapping.address, mapping.size);
	if (r == 0) {
		r = sim_mappings_add(&sim->mappings, &mapping);
	}
	(void)pthread_mutex_unlock(&sim->lock);
	if (r < 0) {
		(void)munmap(address, length);
		return r;
	}
	*ret_address = address;
	return 0;
}

static int sim_unmap(struct kernel *kernel, void *address, size_t length)
{
	struct sim_kernel *sim = (struct sim_kernel *)kernel;
	int r;

	/* Forget first: as soon as the range is free another thread may map something there. */
	(void)pthread_mutex_lock(&sim->lock);
	r = sim_mappings_remove(&sim->mappings, (uintptr_t)address, length);
	(void)pthread_mutex_unlock(&sim->lock);
	if (munmap(address, length) < 0) {
		return -errno;
	}
	return r;
}

/* the kernel */

static void sim_free(struct kernel *kernel)
{
	struct sim_kernel *sim = (struct sim_kernel *)kernel;

	for (unsigned int i = 0; i < sim->idle_count; i++) {
		(void)fd_close(sim->idle[i]);
	}
	(void)fd_close(sim->root);
	sim_mappings_done(&sim->mappings);
	(void)pthread_mutex_destroy(&sim->lock);
	(void)pthread_mutex_destroy(&sim->root_lock);
	free(sim->known);
	free(sim->kernel.sysfs_root);
	free(sim);
}

static const struct kernel_operations sim_operations = {
	.open_node = sim_open_node,
	.ioctl = sim_ioctl,
	.map = sim_map,
	.unmap = sim_unmap,
	.close = sim_close,
	.free = sim_free,
};

static int say_hello(struct sim_kernel *sim)
{
	struct sim_message message = {.type = SIM_HELLO};
	struct sim_hello hello;
	size_t size = sizeof(hello);
	bool broken;
	int r = sim_exchange(sim->root, &message, &hello, &size, NULL, &broken);

	if (r < 0) {
		return r;
	}
	if (size != sizeof(hello)) {
		return -EPROTO;
	}
	sim->kernel.locked_limit = hello.memlock_limit;
	sim->kernel.sysfs_root = strndup(hello.sysfs_root, sizeof(hello.sysfs_root));
	return sim->kernel.sysfs_root ? 0 : -ENOMEM;
}

int sim_kernel_new(int connection, struct kernel **ret_kernel)
{
	struct sim_kernel *sim = calloc(1, sizeof(*sim));
	int r;

	if (!sim) {
		(void)fd_close(connection);
		return -ENOMEM;
	}
	sim->kernel.operations = &sim_operations;
	sim->root = connection;
	(void)pthread_mutex_init(&sim->lock, NULL);
	(void)pthread_mutex_init(&sim->root_lock, NULL);
	r = say_hello(sim);
	if (r < 0) {
		sim_free(&sim->kernel);
		return r;
	}
	*ret_kernel = &sim->kernel;
	return 0;
}

int sim_connection_new(struct kernel *sim, int *ret_connection)
{
	return connect_once_more((struct sim_kernel *)sim, ret_connection);
}
