/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "sim/client_private.h"
#include "sim/model.h"
#include "sim/protocol.h"

/* Nodes with larger fds are identified at each call. */
#define KNOWN_FDS_MAX 65536

/* connections */

/* Give a new connection a number where it is out of the way. Returns the fd. */
static int place_connection(const struct sim_kernel *sim, int fd)
{
	int moved =
		sim->options.first_fd > fd ? fcntl(fd, F_DUPFD_CLOEXEC, sim->options.first_fd) : -1;

	if (moved >= 0) {
		(void)fd_close(fd);
		fd = moved;
	}
	if (sim->options.note_connection) {
		sim->options.note_connection(fd, true);
	}
	return fd;
}

/* Takes -1, returns -1. */
static int close_connection(const struct sim_kernel *sim, int fd)
{
	if (fd >= 0 && sim->options.note_connection) {
		sim->options.note_connection(fd, false);
	}
	return fd_close(fd);
}

static int connect_once_more(struct sim_kernel *sim, int *ret_connection)
{
	struct sim_message message = {.type = SIM_CONNECT};
	struct sim_answer answer = SIM_ANSWER_NONE;
	bool broken;
	int r;

	(void)pthread_mutex_lock(&sim->root_lock);
	r = sim_exchange(sim->root, &message, &answer, &broken);
	(void)pthread_mutex_unlock(&sim->root_lock);
	if (r < 0) {
		return r;
	}
	if (answer.fd < 0) {
		return -EPROTO;
	}
	*ret_connection = answer.fd;
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
	return r < 0 ? r : place_connection(sim, connection);
}

static void put_connection(struct sim_kernel *sim, int connection, bool broken)
{
	(void)pthread_mutex_lock(&sim->lock);
	if (!broken && sim->idle_count < IDLE_CONNECTIONS_MAX) {
		sim->idle[sim->idle_count++] = connection;
		connection = -1;
	}
	(void)pthread_mutex_unlock(&sim->lock);
	(void)close_connection(sim, connection);
}

int sim_client_call(struct sim_kernel *sim, const struct sim_message *message,
		    struct sim_answer *answer)
{
	int connection = take_connection(sim);
	bool broken;
	int r;

	if (connection < 0) {
		return connection;
	}
	r = sim_exchange(connection, message, answer, &broken);
	put_connection(sim, connection, broken);
	return r;
}

int sim_client_call_for_fd(struct sim_kernel *sim, const struct sim_message *message,
			   struct sim_answer *answer)
{
	int r = sim_client_call(sim, message, answer);

	if (r < 0) {
		return r;
	}
	return answer->fd >= 0 ? answer->fd : -EPROTO;
}

/* nodes */

static int sim_open_node(struct kernel *kernel, const char *path)
{
	struct sim_message message = {.type = SIM_OPEN, .body = path, .body_size = strlen(path)};
	struct sim_answer answer = SIM_ANSWER_NONE;

	if (message.body_size == 0 || message.body_size >= SIM_PATH_SIZE) {
		return -ENOENT;
	}
	return sim_client_call_for_fd((struct sim_kernel *)kernel, &message, &answer);
}

static int sim_open_uevents(struct kernel *kernel)
{
	int fd = sim_open_node(kernel, SIM_NODE_PATH_UEVENTS);

	if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		int r = -errno;

		(void)fd_close(fd);
		return r;
	}
	return fd;
}

static bool find_known(struct sim_kernel *sim, int fd, const struct stat *status,
		       struct known_node *ret_node)
{
	bool found = false;

	(void)pthread_mutex_lock(&sim->lock);
	if ((size_t)fd < sim->known_size) {
		const struct known_node *node = &sim->known[fd];

		found = node->handle && node->inode == status->st_ino &&
			node->device == status->st_dev;
		if (found) {
			*ret_node = *node;
		}
	}
	(void)pthread_mutex_unlock(&sim->lock);
	return found;
}

static void forget_fd(struct sim_kernel *sim, int fd)
{
	(void)pthread_mutex_lock(&sim->lock);
	if (fd >= 0 && (size_t)fd < sim->known_size) {
		sim->known[fd].handle = 0;
	}
	(void)pthread_mutex_unlock(&sim->lock);
}

/* Have room for an fd in the table. */
static bool reserve_known_locked(struct sim_kernel *sim, int fd)
{
	size_t size = MAX(sim->known_size, 16U);
	struct known_node *grown;

	while (size <= (size_t)fd) {
		size *= 2;
	}
	if (size == sim->known_size) {
		return true;
	}
	grown = fd < KNOWN_FDS_MAX ? reallocarray(sim->known, size, sizeof(*grown)) : NULL;
	if (!grown) {
		return false;
	}
	memset(grown + sim->known_size, 0, (size - sim->known_size) * sizeof(*grown));
	sim->known = grown;
	sim->known_size = size;
	return true;
}

void sim_client_remember(struct sim_kernel *sim, int fd, const struct known_node *node)
{
	(void)pthread_mutex_lock(&sim->lock);
	if (reserve_known_locked(sim, fd)) {
		sim->known[fd] = *node;
	}
	(void)pthread_mutex_unlock(&sim->lock);
}

int sim_client_identify(struct sim_kernel *sim, int fd, struct known_node *ret_node)
{
	struct sim_message message = {.type = SIM_IDENTIFY, .fds = &fd, .fd_count = 1};
	struct sim_identity identity;
	struct sim_answer answer = {.body = &identity, .size = sizeof(identity), .fd = -1};
	struct stat status;
	int r;

	if (fd < 0 || fstat(fd, &status) < 0) {
		return -EBADF;
	}
	if (!S_ISSOCK(status.st_mode)) {
		return -ENOTTY;
	}
	if (find_known(sim, fd, &status, ret_node)) {
		return 0;
	}
	r = sim_client_call(sim, &message, &answer);
	if (r < 0) {
		return r;
	}
	if (answer.size != sizeof(identity)) {
		return -EPROTO;
	}
	*ret_node = (struct known_node){
		.device = status.st_dev,
		.inode = status.st_ino,
		.handle = identity.handle,
		.kind = (enum sim_node_kind)identity.kind,
		.number = identity.number,
	};
	sim_client_remember(sim, fd, ret_node);
	return 0;
}

int sim_kernel_identify(struct kernel *sim, int fd, enum sim_node_kind *ret_kind,
			unsigned int *ret_number)
{
	struct known_node node;
	int r = sim_client_identify((struct sim_kernel *)sim, fd, &node);

	if (r == 0) {
		*ret_kind = node.kind;
		*ret_number = node.number;
	}
	return r;
}

static int sim_write_attribute(struct kernel *kernel, const char *path, const char *text)
{
	struct sim_attribute attribute = {.path = ""};
	struct sim_message message = {
		.type = SIM_WRITE_ATTRIBUTE,
		.head = &attribute,
		.head_size = sizeof(attribute),
		.body = text,
		.body_size = strlen(text),
	};
	struct sim_answer answer = SIM_ANSWER_NONE;

	if (strlen(path) >= sizeof(attribute.path)) {
		return -ENAMETOOLONG;
	}
	memcpy(attribute.path, path, strlen(path));
	return sim_client_call((struct sim_kernel *)kernel, &message, &answer);
}

static int sim_find_holders(struct kernel *kernel, const char *path, pid_t *ret_pids, size_t most)
{
	struct sim_message message = {
		.type = SIM_FIND_HOLDERS,
		.body = path,
		.body_size = strlen(path),
	};
	int32_t pids[SIM_HOLDERS_MAX];
	struct sim_answer answer = {.body = pids, .size = sizeof(pids), .fd = -1};
	size_t count;
	int r;

	if (message.body_size == 0 || message.body_size >= SIM_PATH_SIZE) {
		return -ENOENT;
	}
	r = sim_client_call((struct sim_kernel *)kernel, &message, &answer);
	if (r < 0) {
		return r;
	}
	count = MIN(answer.size / sizeof(*pids), most);
	for (size_t i = 0; i < count; i++) {
		ret_pids[i] = pids[i];
	}
	return (int)count;
}

static void sim_close(struct kernel *kernel, int fd)
{
	forget_fd((struct sim_kernel *)kernel, fd);
	(void)fd_close(fd);
}

int sim_kernel_locked(struct kernel *sim, uint64_t *ret_bytes)
{
	struct sim_message message = {.type = SIM_LOCKED};
	uint64_t bytes;
	struct sim_answer answer = {.body = &bytes, .size = sizeof(bytes), .fd = -1};
	int r = sim_client_call((struct sim_kernel *)sim, &message, &answer);

	if (r < 0) {
		return r;
	}
	if (answer.size != sizeof(bytes)) {
		return -EPROTO;
	}
	*ret_bytes = bytes;
	return 0;
}

/* the kernel */

static void close_connections(struct sim_kernel *sim)
{
	while (sim->idle_count > 0) {
		(void)close_connection(sim, sim->idle[--sim->idle_count]);
	}
	sim->root = close_connection(sim, sim->root);
}

static void sim_free(struct kernel *kernel)
{
	struct sim_kernel *sim = (struct sim_kernel *)kernel;

	close_connections(sim);
	sim_mappings_done(&sim->mappings);
	sim_client_free_rings(sim);
	(void)pthread_mutex_destroy(&sim->ring_lock);
	(void)pthread_mutex_destroy(&sim->lock);
	(void)pthread_mutex_destroy(&sim->root_lock);
	free(sim->known);
	free(sim->dev_root);
	free(sim->kernel.sysfs_root);
	free(sim);
}

static const struct kernel_operations sim_operations = {
	.open_node = sim_open_node,
	.ioctl = sim_client_ioctl,
	.page_size = sim_client_page_size,
	.map = sim_client_map,
	.unmap = sim_client_unmap,
	.read = sim_client_read,
	.write = sim_client_write,
	.open_uevents = sim_open_uevents,
	.write_attribute = sim_write_attribute,
	.find_holders = sim_find_holders,
	.close = sim_close,
	.free = sim_free,
};

static int say_hello(struct sim_kernel *sim)
{
	struct sim_greeting greeting = {
		.flags = sim->options.new_program ? SIM_GREETING_NEW_PROGRAM : 0,
	};
	struct sim_message message = {
		.type = SIM_HELLO,
		.head = &greeting,
		.head_size = sizeof(greeting),
	};
	struct sim_hello hello;
	struct sim_answer answer = {.body = &hello, .size = sizeof(hello), .fd = -1};
	bool broken;
	int r = sim_exchange(sim->root, &message, &answer, &broken);

	if (r < 0) {
		return r;
	}
	if (answer.size != sizeof(hello)) {
		return -EPROTO;
	}
	sim->kernel.locked_limit = hello.memlock_limit;
	sim->page_shift = hello.page_shift;
	sim->kernel.page_shift = hello.page_shift;
	sim->kernel.sysfs_root = strndup(hello.sysfs_root, sizeof(hello.sysfs_root));
	sim->dev_root = strndup(hello.dev_root, sizeof(hello.dev_root));
	return sim->kernel.sysfs_root && sim->dev_root ? 0 : -ENOMEM;
}

int sim_kernel_new_with(int connection, const struct sim_kernel_options *options,
			struct kernel **ret_kernel)
{
	struct sim_kernel *sim = calloc(1, sizeof(*sim));
	int r;

	if (!sim) {
		(void)fd_close(connection);
		return -ENOMEM;
	}
	sim->kernel.operations = &sim_operations;
	sim->options = *options;
	sim->memory.careful = options->careful;
	sim->root = place_connection(sim, connection);
	(void)pthread_mutex_init(&sim->lock, NULL);
	(void)pthread_mutex_init(&sim->root_lock, NULL);
	(void)pthread_mutex_init(&sim->ring_lock, NULL);
	r = say_hello(sim);
	if (r < 0) {
		sim_free(&sim->kernel);
		return r;
	}
	*ret_kernel = &sim->kernel;
	return 0;
}

int sim_kernel_new(int connection, struct kernel **ret_kernel)
{
	static const struct sim_kernel_options options = {.careful = false};

	return sim_kernel_new_with(connection, &options, ret_kernel);
}

int sim_connection_new(struct kernel *sim, int *ret_connection)
{
	return connect_once_more((struct sim_kernel *)sim, ret_connection);
}

int sim_connect(const char *path, int *ret_connection)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int on = 1;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	/* Credentials are to be there before the host has accepted the connection. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int r = -errno;

		(void)fd_close(fd);
		return r;
	}
	*ret_connection = fd;
	return 0;
}

const char *sim_kernel_dev_root(const struct kernel *sim)
{
	return ((const struct sim_kernel *)sim)->dev_root;
}

unsigned int sim_kernel_page_shift(const struct kernel *sim)
{
	return ((const struct sim_kernel *)sim)->page_shift;
}

/* fork */

void sim_kernel_before_fork(struct kernel *kernel)
{
	struct sim_kernel *sim = (struct sim_kernel *)kernel;

	(void)pthread_mutex_lock(&sim->root_lock);
	(void)pthread_mutex_lock(&sim->lock);
	(void)pthread_mutex_lock(&sim->ring_lock);
}

void sim_kernel_after_fork_in_parent(struct kernel *kernel)
{
	struct sim_kernel *sim = (struct sim_kernel *)kernel;

	(void)pthread_mutex_unlock(&sim->ring_lock);
	(void)pthread_mutex_unlock(&sim->lock);
	(void)pthread_mutex_unlock(&sim->root_lock);
}

void sim_kernel_after_fork_in_child(struct kernel *kernel)
{
	sim_kernel_after_fork_in_parent(kernel);
	sim_free(kernel);
}
