/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the worker share: worker*.c. */
#pragma once

#include "worker/description.h"
#include "worker/outbox.h"
#include "worker/request.h"
#include "worker/reset_job.h"
#include "worker/slow_pool.h"
#include "worker/worker.h"

enum worker_state {
	WORKER_SERVING,
	WORKER_CLOSING,  /* WORKER_CLOSE came */
	WORKER_KEEPING,  /* it was answered, with groups that are kept */
	WORKER_ORPHANED, /* the broker's end is closed */
	WORKER_ENDED,
};

/* What a job of the slow pool is. */
enum job_kind {
	JOB_PE, /* worker/pe_job.h */
	JOB_CHANGE,
	JOB_RESET, /* worker/reset_job.h */
};

struct line_entry {
	struct line_entry *next;
	struct request request;
};

/* The change that is under way; one at a time. */
struct change_job {
	struct slow_job slow; /* must be first */
	struct space_change *change;
	uint32_t type; /* of its request */
	uint64_t id;
};

struct worker {
	struct worker_settings settings;
	struct space *space;
	struct slow_pool *slow;
	struct outbox outbox;
	enum worker_state state;
	uint64_t close_id; /* of WORKER_CLOSE */
	/* the end */
	bool stopped;        /* devices are, or are being stopped */
	bool closed;         /* the space is, but for what is kept */
	unsigned int resets; /* jobs that are under way */
	unsigned int orphan_tries;
	uint64_t next_try; /* CLOCK_MONOTONIC, ns */
	/* in line */
	struct line_entry *first;
	struct line_entry **end;
	unsigned int line_length;
	bool changing; /* the slow pool has the change */
	struct change_job change;
	unsigned char packet[WORKER_MESSAGE_MAX];
	unsigned char body[DESCRIPTION_SIZE];
	struct space_plan plan;
};

/* Send the outcome of a request: code 0 with a body, or the error. */
void worker_answer(struct worker *worker, uint32_t type, uint64_t id, int code,
		   const struct error *error, const void *body, size_t size);

/* -- worker_end.c -- */

/* Requests that reset_job.h carries out. */
bool worker_is_reset(uint32_t type);
void worker_start_reset(struct worker *worker, struct request *request);

/* The pool is done with one. */
void worker_finish_reset(struct worker *worker, struct reset_job *job);

/* Once nothing is under way: stop the devices, tear down, say so, and end when that is out and
 * nothing is kept. */
void worker_advance_end(struct worker *worker);

/* How long poll may wait for events, in milliseconds. */
int worker_patience(const struct worker *worker);
