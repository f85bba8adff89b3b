/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The broker's end of one worker process: starting it, asking it, noticing its death.
 *
 * Requests are answered in the event loop, never inside worker_process_request. When the worker is
 * gone each request that is still waiting is answered with ERROR_WORKER_LOST.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/error.h"
#include "common/worker_protocol.h"

struct worker_process;

/* Requests of one worker that may wait for their answer at the same time. */
#define WORKER_PENDING_MAX 512

struct worker_answer {
	struct error error; /* code ERROR_NONE: it worked */
	const void *body;   /* valid during the call */
	size_t size;
	const int *fds; /* that came along, likewise: who wants to keep one duplicates it */
	unsigned int fd_count;
};

typedef void (*worker_answer_handler)(void *userdata, const struct worker_answer *answer);

/* Called with the counters of each answer, before its handler. */
typedef void (*worker_counts_handler)(void *userdata, const struct worker_counts *counts);

/* The process has ended and nothing is pending any more. why: "exit status 0", "killed by SIGKILL".
 */
typedef void (*worker_gone_handler)(void *userdata, const char *why);

struct worker_start {
	const char *program; /* the path of spaprd-worker */
	unsigned int space;  /* for its name and its log */
	int simhost;         /* a connection to hand over, or -1; stays the caller's */
	worker_counts_handler counts;
	worker_gone_handler gone;
	void *userdata;
};

/* SIGCHLD must be blocked in the caller. 0 or a code with the error filled. */
int worker_process_new(sd_event *event, const struct worker_start *start,
		       struct worker_process **ret_worker, struct error *error);

/*
 * Close the socket and forget the process: the worker then tears its address space down and ends by
 * itself. What still waits is answered with ERROR_WORKER_LOST; gone is not called. Takes NULL,
 * returns NULL.
 */
struct worker_process *worker_process_free(struct worker_process *worker);

/*
 * The same for a worker that holds nothing yet and has not been seen to end: it is killed and
 * reaped, so that nothing is left of it. Takes NULL, returns NULL.
 */
struct worker_process *worker_process_discard(struct worker_process *worker);

/* Somebody else looks after it from now on; what waits is answered to who asked. */
void worker_process_hand_over(struct worker_process *worker, worker_counts_handler counts,
			      worker_gone_handler gone, void *userdata);

/*
 * Send a request, with copies of the fds, which stay the caller's; the handler is called once,
 * later. 0, or a code (ERROR_QUOTA_EXCEEDED, ERROR_WORKER_LOST, ERROR_KERNEL) and the handler is
 * not called.
 */
int worker_process_request(struct worker_process *worker, enum worker_request_type type,
			   const void *body, size_t size, const int *fds, unsigned int fd_count,
			   worker_answer_handler handler, void *userdata, struct error *error);

pid_t worker_process_pid(const struct worker_process *worker);

/* Send a signal, as when it does not end in time. */
void worker_process_kill(struct worker_process *worker, int signal_number);
