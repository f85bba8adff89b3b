/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The worker: one address space behind one socket.
 *
 * Concepts
 *   at once      requests about mappings, and questions: answered as they come.
 *   in line      requests that change the structure (groups, memory, windows): one at a time, in
 *                the order of their arrival, while the others go on.
 *   beside       requests about one group's PE and devices (pe_job.h): each begins at once and goes
 *                on beside all others, or is refused since there is one for that group.
 *   full socket  a broker that doesn't read its replies: they are kept, and nothing more is read
 *                until they are out. The loop never waits for the socket.
 *   urgent       the broker's word that WORKER_CLOSE is coming (WORKER_URGENT_SIGNAL), or its end
 *                being closed: a map that is under way is taken back.
 *   end          after WORKER_CLOSE, or when the broker's end is closed: what is under way is
 *                completed, what waits in line is answered ERROR_BUSY, and the space is torn down
 *                in order.
 *
 * Requests are checked as if a stranger had sent them (common/worker_protocol.h). One that isn't
 * understood but has an id is answered ERROR_INVALID_ARGUMENT, one whose fds found no room
 * ERROR_QUOTA_EXCEEDED; anything else is logged and dropped.
 */
#pragma once

#include "host/kernel.h"
#include "vfio/space.h"

struct worker;

struct worker_settings {
	struct kernel *kernel; /* not owned */
	container_opener *open_container;
	uint64_t locked_limit;
	int socket;          /* not owned; non-blocking */
	unsigned int number; /* of the address space, for the log */
};

/* Starts the slow pool. 0 or -errno. */
int worker_new(const struct worker_settings *settings, struct worker **ret_worker);

/* Takes NULL, returns NULL. */
struct worker *worker_free(struct worker *worker);

/* Serve the socket until the end. 0 after an orderly one, or -errno. */
int worker_run(struct worker *worker);
