/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the client share: client.c (connections, nodes), client_ioctl.c (ioctls, and
 * the rings beside them), client_memory.c (bytes and mappings). */
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include "sim/argument.h"
#include "sim/client.h"
#include "sim/exchange.h"
#include "sim/mappings.h"
#include "sim/marshal.h"
#include "sim/ring_client.h"

/* More calls at a time make connections that are closed again afterwards. */
#define IDLE_CONNECTIONS_MAX 16

/* A node that was identified; its place in the table is the fd through which it was. */
struct known_node {
	dev_t device;
	ino_t inode;
	uint64_t handle; /* 0: none is known */
	enum sim_node_kind kind;
	unsigned int number;
	bool wants_memory; /* its maps come with the memory behind them */
	unsigned int maps; /* that went the long way; RING_ASKED: for a ring, once */
};

/*
 * A call takes a connection for itself, so that one that waits holds up no other. The first
 * connection only makes more of them: that is answered at once, always.
 */
struct sim_kernel {
	struct kernel kernel;
	struct sim_kernel_options options;
	struct sim_caller_memory memory;
	unsigned int page_shift;
	char *dev_root;
	pthread_mutex_t root_lock; /* held over an exchange on root */
	int root;
	pthread_mutex_t lock; /* guards the rest, never held over an exchange */
	int idle[IDLE_CONNECTIONS_MAX];
	unsigned int idle_count;
	struct known_node *known;
	size_t known_size;
	struct sim_mappings mappings;
	pthread_mutex_t ring_lock; /* guards the rings, never held over an exchange */
	struct sim_ring_client *rings;
};

/* One exchange on a connection of its own. */
int sim_client_call(struct sim_kernel *sim, const struct sim_message *message,
		    struct sim_answer *answer);

/* A call that is answered by an fd, or by -errno. */
int sim_client_call_for_fd(struct sim_kernel *sim, const struct sim_message *message,
			   struct sim_answer *answer);

/* Find out which node an fd is. 0; EBADF (negative): the fd isn't open; ENOTTY: it is no node of
 * the simulated host. */
int sim_client_identify(struct sim_kernel *sim, int fd, struct known_node *ret_node);

/* Keep what is known of a node. If there is no room, it is identified again next time. */
void sim_client_remember(struct sim_kernel *sim, int fd, const struct known_node *node);

/* Let go of all rings. */
void sim_client_free_rings(struct sim_kernel *sim);

/* operations (host/kernel.h) */

int sim_client_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument);
ssize_t sim_client_read(struct kernel *kernel, int fd, uint64_t offset, void *data, size_t size);
ssize_t sim_client_write(struct kernel *kernel, int fd, uint64_t offset, const void *data,
			 size_t size);
int sim_client_page_size(struct kernel *kernel, int fd, uint64_t *ret_size);
int sim_client_map(struct kernel *kernel, int fd, uint64_t offset, size_t length, int prot,
		   void **ret_address);
int sim_client_unmap(struct kernel *kernel, void *address, size_t length);
