/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An address space as the broker sees it: who owns it, its worker process, and a copy of what the
 * worker says it consists of.
 *
 * Concepts
 *   description  memory, windows and containers, asked of the worker after each request that
 * changed them and before that request is answered. The broker never computes them itself, so a
 *                description is also all that it takes to know a worker again.
 *   closing      from the moment when the space is to end until its worker has ended. Its groups
 * stay taken meanwhile, and requests are refused with ERROR_BUSY.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "broker/worker_process.h"
#include "common/worker_protocol.h"

struct group;
struct manager;
struct space;

#define SPACE_NAME_MAX 128

/* What space_observer.changed tells of. */
#define SPACE_CHANGED_MEMORY     1U
#define SPACE_CHANGED_WINDOWS    2U
#define SPACE_CHANGED_CONTAINERS 4U

struct space_options {
	const char *name;  /* UTF-8, at most SPACE_NAME_MAX bytes; may be empty */
	const char *owner; /* unique bus name */
	uid_t uid;
	bool keep; /* lives on when its owner leaves */
};

/* Read by the observer; written by space.c only, but for `face`. */
struct space {
	struct manager *manager;
	struct space *next;
	void *face; /* the observer's own */
	unsigned int number;
	char *name;
	char *owner;
	uid_t uid;
	bool keep;
	bool closing;
	bool policy_due; /* the worker has not been told the latest one */
	struct worker_process *worker;
	sd_event_source *close_deadline;
	worker_answer_handler ready;
	void *ready_userdata;
	worker_answer_handler closed;
	void *closed_userdata;
	uint32_t next_container;
	struct worker_counts counts;
	struct worker_memory memory[WORKER_MEMORY_MAX];
	struct worker_window windows[WORKER_WINDOWS_MAX];
	struct worker_container containers[WORKER_CONTAINERS_MAX];
	uint32_t memory_count;
	uint32_t window_count;
	uint32_t container_count;
};

/*
 * Start a worker and tell it the policy. The space is in the manager's list from then on; `ready`
 * is called once when the worker has answered, or with ERROR_WORKER_LOST. 0 or a code.
 */
int space_new(struct manager *manager, const struct space_options *options,
	      worker_answer_handler ready, void *userdata, struct space **ret_space,
	      struct error *error);

/* Release everything of a space whose worker has ended or is to be left alone. */
struct space *space_free(struct space *space);

/*
 * Ask the worker. The handler is called once, later, with the worker's answer; for a request that
 * changes the structure when the new description is there. 0, or a code and the handler is not
 * called.
 */
int space_request(struct space *space, enum worker_request_type type, const void *body, size_t size,
		  const int *fds, unsigned int fd_count, worker_answer_handler handler,
		  void *userdata, struct error *error);

/*
 * Have the worker go by the manager's policy: it holds for every request that is sent later. When
 * it can't be told now, it is told before anything else is asked of it.
 */
void space_tell_policy(struct space *space);

/* How a group is to be attached. */
struct space_attach_options {
	char iommu_type[WORKER_IOMMU_TYPE_SIZE]; /* zero-padded; empty: the host's best */
	bool share;                              /* in a container that is there, if one takes it */
	bool balloon_allowed; /* all its devices cope with memory that a balloon takes away */
};

/*
 * Open the nodes of a group and have the worker attach it. The answer's body is a worker_container.
 * ERROR_GROUP_BUSY when an address space or another program has the group, ERROR_GROUP_NOT_VIABLE
 * with what each of its devices is bound to.
 */
int space_attach_group(struct space *space, struct group *group,
		       const struct space_attach_options *options, worker_answer_handler handler,
		       void *userdata, struct error *error);

/*
 * Detach a group, when what is under way with it has ended. The answer's body is a worker_detached.
 * ERROR_NOT_FOUND when the group is not in this address space, and what pe_check_detach answers:
 * only an operator may have a group whose recovery failed.
 */
int space_detach_group(struct space *space, struct group *group, bool is_operator,
		       worker_answer_handler handler, void *userdata, struct error *error);

/*
 * Take a group away whatever its owner thinks of that (WORKER_DETACH_* flags), and without waiting
 * for what is under way with it: the worker answers ERROR_BUSY as long as that goes on. As
 * space_detach_group else.
 */
int space_take_group(struct space *space, struct group *group, uint32_t flags,
		     worker_answer_handler handler, void *userdata, struct error *error);

/* The sum of the locked bytes in counts. */
uint64_t space_locked_bytes(const struct space *space);

/*
 * Whether the owner must not give pages of its memory away, as a memory balloon does: a container
 * has some, or may lock some with the next mapping, and one of its devices does not cope with that.
 */
bool space_inhibits_balloon(const struct space *space);

/*
 * End the space: the worker tears down in order and ends. The handler (may be NULL) is called when
 * the process is gone and the groups are free. ERROR_BUSY when that is under way already.
 */
int space_close(struct space *space, worker_answer_handler handler, void *userdata,
		struct error *error);

/*
 * End a space that nobody is left to ask for: in order, or by killing the worker when it can't even
 * be told. Nothing happens when it is being closed already.
 */
void space_end(struct space *space);
