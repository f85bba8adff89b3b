/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of spaprd-simhost share.
 *
 * Concepts
 *   node      the host's end of the socket pair whose other end a client holds as an open node.
 *             Nothing is ever read from it: that it hangs up means the last close.
 *   process   a client process, known by pid and watched by a pidfd, so that a pid that is used
 *             again is another process. It has an mm, and the handles of the nodes that it showed.
 *   watch     an epoll of all nodes and pidfds. It is looked through before each request, so that
 *             what happened before the request was sent is seen before it is answered: as with a
 *             kernel, where close is done when it returns.
 *   deferred  a request that a rule makes wait. It is carried out, and answered, by a timer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#include "common/packet.h"
#include "sim/faults.h"
#include "sim/model.h"
#include "sim/protocol.h"

struct simhost;

enum watched_kind {
	WATCHED_NODE,
	WATCHED_PROCESS,
};

/* The first member of what is in the watch. */
struct watched {
	enum watched_kind kind;
};

struct simhost_node {
	struct watched watched;
	struct simhost_node *next;
	struct sim_node node;
	int fd;
	dev_t device; /* of the client's end */
	ino_t inode;
};

struct simhost_handle {
	uint64_t number;
	struct simhost_node *node;
};

struct simhost_process {
	struct watched watched;
	struct simhost_process *next;
	pid_t pid;
	int pidfd;
	struct sim_mm *mm;
	struct simhost_handle *handles;
	size_t handle_count;
};

/* A reply that didn't fit into the socket yet. */
struct simhost_pending {
	struct simhost_pending *next;
	size_t size;
	int fd; /* to send along, owned; -1 for none */
	uint8_t packet[];
};

struct simhost_connection {
	struct simhost *simhost;
	struct simhost_connection *next;
	int fd;
	sd_event_source *source;
	struct simhost_pending *pending; /* oldest first; while there is one, nothing is read */
	bool broken;
};

/* A request as it came, checked as far as its head goes. */
struct simhost_request {
	struct simhost_connection *connection;
	pid_t pid;
	struct sim_request head;
	const uint8_t *body;
	struct packet_fds fds; /* what is left is closed when the request is done */
};

struct simhost_deferred {
	struct simhost *simhost;
	struct simhost_deferred *next;
	sd_event_source *timer;
	struct simhost_request request;
	uint8_t body[];
};

struct simhost {
	sd_event *event;
	const struct sim_host *host;
	struct sim_model *model;
	struct sim_faults faults;
	char *sysfs_root;
	const char *bound_path; /* of the socket to listen at, once it is ours */
	int watch;              /* epoll fd */
	struct simhost_connection *connections;
	struct simhost_node *nodes;
	struct simhost_process *processes;
	struct simhost_deferred *deferred;
	uint64_t last_handle;
	bool ends_unused; /* when no connection is left */
	uint8_t buffer[SIM_MESSAGE_MAX] __attribute__((aligned(8)));
};

/* connections (simhost.c) */

/* Serve one more connection; takes fd. 0 or -errno. */
int simhost_add_connection(struct simhost *simhost, int fd);

/* Answer a request. Takes fd, which may be -1. A failure breaks the connection, which is looked at
 * later. */
void simhost_answer(struct simhost_request *request, struct sim_reply reply, const void *body,
		    size_t size, int fd);

/* requests (requests.c) */

/* Carry a request out and answer it; closes its fds. A request that makes no sense breaks the
 * connection. */
void simhost_handle_request(struct simhost *simhost, struct simhost_request *request);

/* The operation that a request is, for the rules: "open:/dev/vfio/vfio"; empty for those that have
 * no name. */
struct simhost_operation {
	char name[sizeof(SIM_OPERATION_OPEN) + SIM_PATH_SIZE];
};
struct simhost_operation simhost_operation_of(struct simhost *simhost,
					      const struct simhost_request *request);

/* nodes and processes (clients.c) */

/* Look at all that hung up or ended. */
void simhost_look_through_watch(struct simhost *simhost);

/* Make the socket pair of a node, which is taken; on failure, too. 0 or -errno. */
int simhost_add_node(struct simhost *simhost, struct sim_node node, int *ret_client_fd);

/* The node whose client's end this fd is, or NULL. */
struct simhost_node *simhost_find_node(struct simhost *simhost, int fd);

/* The process of a pid, made when it is seen first. NULL when it is gone or memory is out. */
struct simhost_process *simhost_require_process(struct simhost *simhost, pid_t pid);

/* The process's handle of a node, made when it is asked for first; 0 when memory is out. */
uint64_t simhost_require_handle(struct simhost *simhost, struct simhost_process *process,
				struct simhost_node *node);

/* The node of a process's handle, or NULL. */
struct simhost_node *simhost_find_handle(const struct simhost_process *process, uint64_t number);

/* Close all nodes and forget all processes. */
void simhost_drop_clients(struct simhost *simhost);

/* memory (memory.c) */

/*
 * Make a piece of memory from an fd, which is taken. Only what the file has is in it, in whole
 * pages. 0; EFAULT (negative): the fd is no file that can be written, or nothing of it is in the
 * range; ENOMEM.
 */
int simhost_memory_new(int fd, uint64_t offset, uint64_t size, unsigned int page_shift,
		       struct sim_piece *ret_piece);
