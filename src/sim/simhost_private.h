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
 *   deferred  a request that a rule makes wait: it is carried out, and answered, by a timer. Or an
 *             answer that comes late, for a call that blocks: what it does is done already.
 *   tick      while something goes on by itself (registers that are mapped, devices on their way
 *             out) a timer looks at it each millisecond.
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
struct simhost_names;
struct simhost_ring;

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
	uint64_t position; /* where read and write go on */
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

/* Fds that came with a request. The holder owns them. */
struct simhost_fds {
	int *fd;
	unsigned int count;
};

#define SIMHOST_FDS_NONE ((struct simhost_fds){.fd = NULL, .count = 0})

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
	struct simhost_fds fds;          /* of the request that is to come */
	bool broken;
};

/* A request as it came, checked as far as its head goes. */
struct simhost_request {
	struct simhost_connection *connection;
	pid_t pid;
	struct sim_request head;
	const uint8_t *body;
	struct simhost_fds fds; /* what is left is closed when the request is done */
	int result;             /* that a rule has it answer instead of being carried out, or 0 */
	bool again;             /* it was begun before, and waits for what it began */
};

struct simhost_deferred {
	struct simhost *simhost;
	struct simhost_deferred *next;
	sd_event_source *timer;
	struct simhost_request request;
	bool is_answer; /* the request is done, and the rest is its answer */
	struct sim_reply reply;
	size_t size;
	int fd;
	uint8_t body[];
};

struct simhost {
	sd_event *event;
	const struct sim_host *host;
	struct sim_model *model;
	struct sim_faults faults;
	char *sysfs_root;
	struct simhost_names *names;
	const char *bound_path; /* of the socket to listen at, once it is ours */
	int watch;              /* epoll fd */
	struct simhost_connection *connections;
	struct simhost_node *nodes;
	struct simhost_process *processes;
	struct simhost_deferred *deferred;
	struct simhost_ring *rings;
	sd_event_source *ticker;
	bool ticking;
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

/* Answer it only after so many milliseconds. */
void simhost_answer_later(struct simhost *simhost, struct simhost_request *request,
			  uint32_t milliseconds, struct sim_reply reply, const void *body,
			  size_t size, int fd);

/* Have it handled again after so many milliseconds. Whether that can be. */
bool simhost_put_off(struct simhost *simhost, struct simhost_request *request,
		     uint32_t milliseconds);

/* Let the timer look whether something goes on by itself. */
void simhost_wake(struct simhost *simhost);

/* fds of requests (simhost.c) */

void simhost_fds_done(struct simhost_fds *fds);

/* Hand fd number `index` over to the caller, -1 if there is none. */
int simhost_fds_take(struct simhost_fds *fds, unsigned int index);

/* requests (requests.c) */

/* A request that no client of ours would send: ends its connection. */
void simhost_refuse(struct simhost_request *request);

/* Carry a request out and answer it; closes its fds. A request that makes no sense breaks the
 * connection. */
void simhost_handle_request(struct simhost *simhost, struct simhost_request *request);

/* The operation that a request is, for the rules: "open:/dev/vfio/vfio"; empty for those that have
 * no name, and when there are no rules. */
struct simhost_operation {
	char name[sizeof(SIM_OPERATION_ATTRIBUTE) + SIM_PATH_SIZE];
};
struct simhost_operation simhost_operation_of(struct simhost *simhost,
					      const struct simhost_request *request);

/* Do the same with one of the verbs from SIM_FAIL_NEXT on (verbs.c). */
void simhost_handle_verb(struct simhost *simhost, struct simhost_request *request);

/* Do the same with those about sysfs and its devices' users (attributes.c). */
void simhost_handle_attribute(struct simhost *simhost, struct simhost_request *request);
void simhost_handle_holders(struct simhost *simhost, struct simhost_request *request);

/* Do the same with one of the calls on a node that is open (calls.c). */
void simhost_handle_ioctl(struct simhost *simhost, struct simhost_request *request,
			  struct simhost_process *process);
void simhost_handle_pread(struct simhost *simhost, struct simhost_request *request,
			  struct simhost_process *process);
void simhost_handle_pwrite(struct simhost *simhost, struct simhost_request *request,
			   struct simhost_process *process);
void simhost_handle_mmap(struct simhost *simhost, struct simhost_request *request,
			 struct simhost_process *process);

/* nodes and processes (clients.c) */

/* Look at all that hung up or ended. */
void simhost_look_through_watch(struct simhost *simhost);

/* Make the socket pair of a node, which is taken; on failure, too. 0 or -errno. */
int simhost_add_node(struct simhost *simhost, struct sim_node node, int *ret_client_fd);

/* The node whose client's end this fd is, or NULL. */
struct simhost_node *simhost_find_node(struct simhost *simhost, int fd);

/* The process of a pid, made when it is seen first. NULL when it is gone or memory is out. */
struct simhost_process *simhost_require_process(struct simhost *simhost, pid_t pid);

/* The process executes another program: it has a new mm, and an old one that is gone but for what
 * is bound to it. 0 or -ENOMEM. */
int simhost_renew_process(struct simhost *simhost, struct simhost_process *process);

/* Who calls, for the model: with what it may lock. */
struct sim_caller simhost_caller_of(const struct simhost *simhost,
				    const struct simhost_process *process);

/* The process's handle of a node, made when it is asked for first; 0 when memory is out. */
uint64_t simhost_require_handle(struct simhost *simhost, struct simhost_process *process,
				struct simhost_node *node);

/* The node of a process's handle, or NULL. */
struct simhost_node *simhost_find_handle(const struct simhost_process *process, uint64_t number);

/* Tell all that listen of a uevent. */
void simhost_send_uevent(struct simhost *simhost, const char *uevent, size_t size);

/* Close all nodes and forget all processes. */
void simhost_drop_clients(struct simhost *simhost);

/* memory (memory.c) */

/*
 * Make a piece of memory from an fd, which stays the caller's: a file's, of which only what it has
 * is in the piece, in whole pages; or a process's /proc/PID/mem, where offset is the address, and
 * the pages' size is what the client says. 0; EFAULT (negative): the fd is no file that can be
 * written, or nothing of it is in the range; ENOMEM.
 */
int simhost_memory_new(int fd, const struct sim_wire_piece *wire, unsigned int page_shift,
		       struct sim_piece *ret_piece);

/* The size of the pages behind an fd, as a shift: those of hugetlbfs or of SIM_HUGE_FILE_NAME, else
 * the host's. */
unsigned int simhost_page_shift_of(int fd, unsigned int page_shift);

/* rings (rings.c, sim/ring.h) */

/* Close all rings and carry out what was posted: before anything else is done. */
void simhost_close_rings(struct simhost *simhost);

/* Open them again, with what there is now. */
void simhost_open_rings(struct simhost *simhost);

/* Drop the rings of a process and a node; NULL: of any. They are closed. */
void simhost_drop_rings(struct simhost *simhost, const struct simhost_process *process,
			const struct simhost_node *node);

void simhost_handle_ring(struct simhost *simhost, struct simhost_request *request,
			 struct simhost_process *process);

/* names (names.c) */

/*
 * What a client may list for /dev: a directory with the names of the nodes that can be opened, as
 * plain files, and with those nodes' modes. Beside the sysfs tree. 0 or -errno; on failure nothing
 * is left behind.
 */
int simhost_names_new(struct sim_model *model, const char *sysfs_root,
		      struct simhost_names **ret_names);

/* Remove it. Takes NULL, returns NULL. */
struct simhost_names *simhost_names_free(struct simhost_names *names);

const char *simhost_names_root(const struct simhost_names *names);

/* Look again which nodes there are. */
void simhost_names_update(struct simhost_names *names, const struct sim_model *model);
