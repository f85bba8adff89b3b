/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resets, and how a worker comes to its end: devices first. */
#include <inttypes.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/worker_private.h"

/*
 * Without a broker there is nobody to release what is kept, and nobody who would find this process
 * again. A device that can't be stopped may be later, so that is tried so often, with such pauses;
 * then the kernel has the group, whatever that does.
 */
#define ORPHAN_TRIES             3U
#define ORPHAN_PAUSE_NANOSECONDS UINT64_C(1000000000)

/* -- resets -- */

static void start_reset_job(struct worker *worker, struct reset_job *job)
{
	reset_job_slow(job)->kind = JOB_RESET;
	worker->resets++;
	slow_pool_start(worker->slow, reset_job_slow(job));
}

/* WORKER_RELEASE_GROUP is only for what is kept. */
static int begin_reset(struct worker *worker, const struct request *request,
		       struct reset_job **ret_job, struct error *error)
{
	if (request->type != WORKER_RELEASE_GROUP) {
		return reset_job_begin(worker->space, request, ret_job, error);
	}
	if (worker->state != WORKER_KEEPING) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "the address space is not closed: nothing of it is kept");
	}
	if (worker->resets > 0) {
		return error_set(error, ERROR_BUSY, 0, "another group is being released");
	}
	return reset_job_begin_release(worker->space, request, ret_job, error);
}

void worker_start_reset(struct worker *worker, struct request *request)
{
	struct reset_job *job = NULL;
	struct error error;
	int r = begin_reset(worker, request, &job, &error);

	if (r) {
		worker_answer(worker, request->type, request->id, r, &error, NULL, 0);
	} else {
		start_reset_job(worker, job);
	}
	request_done(request);
}

void worker_finish_reset(struct worker *worker, struct reset_job *job)
{
	uint32_t type = reset_job_type(job);
	uint64_t id = reset_job_id(job);
	struct error error;
	size_t size = 0;
	int r = reset_job_finish(job, worker->body, &size, &error);

	worker->resets--;
	if (type != 0) {
		worker_answer(worker, type, id, r, &error, worker->body, size);
	}
}

bool worker_is_reset(uint32_t type)
{
	return type == WORKER_RESET_DEVICE || type == WORKER_RESET_SPACE ||
	       type == WORKER_RELEASE_GROUP;
}

/* -- the end -- */

/* Devices of several containers are stopped at the same time, for each may take seconds. */
static void begin_stops(struct worker *worker)
{
	struct container *container;
	unsigned int index = 0;

	worker->stopped = true;
	while ((container = space_next_to_stop(worker->space, &index))) {
		struct reset_job *job = reset_job_new_stop(worker->space, container);

		/* Without memory for a job space_close does it. */
		if (job) {
			start_reset_job(worker, job);
		}
	}
}

static bool keeps_groups(const struct worker *worker)
{
	unsigned int index = 0;

	return space_next_kept(worker->space, &index) != NULL;
}

/* Tear down, and say what is kept. */
static void close_space(struct worker *worker)
{
	size_t size;

	space_close(worker->space);
	worker->closed = true;
	if (worker->state != WORKER_CLOSING) {
		return;
	}
	size = reset_describe_kept(worker->space, worker->body);
	worker_answer(worker, WORKER_CLOSE, worker->close_id, 0, NULL, worker->body, size);
	if (size > 0 && worker->state == WORKER_CLOSING) {
		worker->state = WORKER_KEEPING;
	}
}

static void give_up_kept(struct worker *worker)
{
	const struct group *group;
	unsigned int index = 0;

	while ((group = space_next_kept(worker->space, &index))) {
		log_write(LOG_CRIT, LOG_SPACE(worker->settings.number),
			  "group %" PRIu32 " goes back to the kernel, since spaprd is gone, though "
			  "its device %s may do DMA to all memory: %s",
			  group->number, group->obstacle.device, group->obstacle.why);
	}
	worker->state = WORKER_ENDED;
}

/* An orphan that keeps groups. */
static void retry_kept(struct worker *worker)
{
	uint64_t now = clock_nanoseconds();
	struct reset_job *job;

	if (now < worker->next_try) {
		return;
	}
	job = worker->orphan_tries++ < ORPHAN_TRIES ? reset_job_new_retry(worker->space) : NULL;
	if (job) {
		worker->next_try = now + ORPHAN_PAUSE_NANOSECONDS;
		start_reset_job(worker, job);
	} else {
		give_up_kept(worker);
	}
}

int worker_patience(const struct worker *worker)
{
	uint64_t now = clock_nanoseconds();

	if (worker->state != WORKER_ORPHANED || !worker->closed || worker->resets > 0) {
		return -1;
	}
	return now < worker->next_try ? (int)((worker->next_try - now) / 1000000 + 1) : 0;
}

void worker_advance_end(struct worker *worker)
{
	if (worker->changing || worker->resets > 0 || space_holds_groups(worker->space)) {
		return;
	}
	if (!worker->stopped) {
		begin_stops(worker);
		if (worker->resets > 0) {
			return;
		}
	}
	if (!worker->closed) {
		close_space(worker);
	}
	if (keeps_groups(worker)) {
		if (worker->state == WORKER_ORPHANED) {
			retry_kept(worker);
		}
	} else if (worker->state == WORKER_ORPHANED || outbox_is_empty(&worker->outbox)) {
		worker->state = WORKER_ENDED;
	}
}
