/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/reset_job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vfio/device.h"
#include "vfio/reset.h"

/* In one reply. Of more, those that failed are told of first. */
#define RESETS_MAX (DESCRIPTION_SIZE / sizeof(struct worker_reset))
#define KEPT_MAX   (DESCRIPTION_SIZE / sizeof(struct worker_kept))

enum reset_kind {
	RESET_JOB_DEVICE,
	RESET_JOB_SPACE,
	RESET_JOB_RELEASE,
	RESET_JOB_STOP,
	RESET_JOB_RETRY,
};

struct reset_job {
	struct slow_job slow; /* must be first */
	enum reset_kind kind;
	uint32_t type;
	uint64_t id;
	struct space *space;
	struct container *container; /* of RESET_JOB_STOP */
	/* Of RESET_JOB_DEVICE: the device's group, or none, and all are held. */
	bool holds_one;
	struct space_hold hold;
	unsigned int held; /* if it isn't one: groups */
	uint32_t group;
	bool anyway;
	char name[WORKER_DEVICE_NAME_SIZE];
	int code; /* of work */
	struct error error;
	struct worker_reset *resets; /* of RESET_JOB_SPACE, owned */
	size_t reset_count;
};

/* -- work -- */

static struct worker_reset *find_place(struct reset_job *job, bool failed)
{
	if (job->reset_count < RESETS_MAX) {
		return &job->resets[job->reset_count++];
	}
	for (size_t i = RESETS_MAX; failed && i-- > 0;) {
		if (job->resets[i].way != WORKER_RESET_FAILED) {
			return &job->resets[i];
		}
	}
	return NULL;
}

static void note_reset(void *userdata, const struct space_reset *reset)
{
	bool failed = reset->way == WORKER_RESET_FAILED;
	struct worker_reset *place = find_place(userdata, failed);

	if (!place) {
		return;
	}
	*place = (struct worker_reset){.way = reset->way};
	memcpy(place->name, reset->device->name, sizeof(place->name));
	if (failed) {
		place->errnum = reset->error.errnum;
		(void)snprintf(place->why, sizeof(place->why), "%.*s", WORKER_REASON_SIZE - 1,
			       reset->error.text);
	}
}

/* All of them, once each: what can be stopped is none of the kept any more. */
static void retry(struct reset_job *job)
{
	const struct group *group;
	unsigned int index = 0;

	while ((group = space_next_kept(job->space, &index))) {
		if (space_stop_again(job->space, group->number, false, &job->error) == 0) {
			index--;
		}
	}
}

static void work(struct slow_job *slow)
{
	struct reset_job *job = reset_job_of(slow);

	switch (job->kind) {
	case RESET_JOB_DEVICE:
		job->code = space_reset_device(job->space, job->holds_one ? &job->hold : NULL,
					       job->held, job->group, job->name, &job->error);
		break;
	case RESET_JOB_SPACE:
		space_reset(job->space, job->held, note_reset, job);
		break;
	case RESET_JOB_RELEASE:
		job->code = space_stop_again(job->space, job->group, job->anyway, &job->error);
		break;
	case RESET_JOB_STOP:
		space_stop_container(job->space, job->container);
		break;
	case RESET_JOB_RETRY:
		retry(job);
		break;
	}
}

/* -- beginning -- */

static struct reset_job *new_job(struct space *space, enum reset_kind kind)
{
	struct reset_job *job = calloc(1, sizeof(*job));

	if (job) {
		job->slow.work = work;
		job->kind = kind;
		job->space = space;
	}
	return job;
}

static struct reset_job *free_job(struct reset_job *job)
{
	if (job) {
		free(job->resets);
		free(job);
	}
	return NULL;
}

static struct reset_job *new_request_job(struct space *space, const struct request *request,
					 enum reset_kind kind, struct error *error)
{
	struct reset_job *job = new_job(space, kind);

	if (job && kind == RESET_JOB_SPACE) {
		job->resets = calloc(RESETS_MAX, sizeof(*job->resets));
	}
	if (!job || (kind == RESET_JOB_SPACE && !job->resets)) {
		(void)error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a reset");
		return free_job(job);
	}
	job->type = request->type;
	job->id = request->id;
	return job;
}

static int find_device(const struct space *space, const struct worker_device *wire,
		       struct device **ret_device, struct error *error)
{
	if (wire->name[WORKER_DEVICE_NAME_SIZE - 1] != '\0') {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the name of a device has at most %d characters",
				 WORKER_DEVICE_NAME_SIZE - 1);
	}
	return space_use_device(space, wire->group, wire->name, ret_device, error);
}

/* What is needed for the best reset that the device has. */
static int hold(struct reset_job *job, const struct device *device, struct error *error)
{
	struct reset_means means = {.works = false};

	if (device) {
		means = reset_read_means(device);
	}
	job->holds_one = reset_is_enough(&means);
	return job->holds_one
		       ? space_hold_group(job->space, job->group, HOLD_GROUP, &job->hold, error)
		       : space_hold_all(job->space, &job->held, error);
}

int reset_job_begin(struct space *space, const struct request *request, struct reset_job **ret_job,
		    struct error *error)
{
	const struct worker_device *wire = &request->body.device;
	bool one = request->type == WORKER_RESET_DEVICE;
	struct device *device = NULL;
	struct reset_job *job;
	int r = one ? find_device(space, wire, &device, error) : 0;

	if (r) {
		return r;
	}
	job = new_request_job(space, request, one ? RESET_JOB_DEVICE : RESET_JOB_SPACE, error);
	if (!job) {
		return ERROR_KERNEL;
	}
	if (one) {
		job->group = wire->group;
		memcpy(job->name, wire->name, sizeof(job->name));
	}
	r = hold(job, device, error);
	if (r) {
		(void)free_job(job);
		return r;
	}
	*ret_job = job;
	return 0;
}

static bool is_kept(const struct space *space, uint32_t number)
{
	const struct group *group;
	unsigned int index = 0;

	while ((group = space_next_kept(space, &index))) {
		if (group->number == number) {
			return true;
		}
	}
	return false;
}

int reset_job_begin_release(struct space *space, const struct request *request,
			    struct reset_job **ret_job, struct error *error)
{
	const struct worker_release *wire = &request->body.release;
	struct reset_job *job;

	if (!is_kept(space, wire->group)) {
		return error_set(error, ERROR_NOT_FOUND, 0, "group %" PRIu32 " is not kept here",
				 wire->group);
	}
	job = new_request_job(space, request, RESET_JOB_RELEASE, error);
	if (!job) {
		return ERROR_KERNEL;
	}
	job->group = wire->group;
	job->anyway = (wire->flags & WORKER_RELEASE_ANYWAY) != 0;
	*ret_job = job;
	return 0;
}

struct reset_job *reset_job_new_stop(struct space *space, struct container *container)
{
	struct reset_job *job = new_job(space, RESET_JOB_STOP);

	if (job) {
		job->container = container;
	}
	return job;
}

struct reset_job *reset_job_new_retry(struct space *space)
{
	return new_job(space, RESET_JOB_RETRY);
}

struct slow_job *reset_job_slow(struct reset_job *job)
{
	return &job->slow;
}

struct reset_job *reset_job_of(struct slow_job *slow)
{
	return (struct reset_job *)slow;
}

uint32_t reset_job_type(const struct reset_job *job)
{
	return job->type;
}

uint64_t reset_job_id(const struct reset_job *job)
{
	return job->id;
}

/* -- finishing -- */

static int finish(struct reset_job *job, unsigned char *body, size_t *ret_size)
{
	switch (job->kind) {
	case RESET_JOB_DEVICE:
		if (job->holds_one) {
			space_release_group(job->space, &job->hold);
		} else {
			space_release_all(job->space, job->held);
		}
		return job->code;
	case RESET_JOB_SPACE:
		space_release_all(job->space, job->held);
		*ret_size = job->reset_count * sizeof(*job->resets);
		if (*ret_size > 0) {
			memcpy(body, job->resets, *ret_size);
		}
		return 0;
	case RESET_JOB_RELEASE:
		return job->code ? job->code : space_let_go(job->space, job->group, &job->error);
	case RESET_JOB_STOP:
		return 0;
	case RESET_JOB_RETRY:
		space_let_stopped_go(job->space);
		return 0;
	}
	return 0;
}

int reset_job_finish(struct reset_job *job, unsigned char body[DESCRIPTION_SIZE], size_t *ret_size,
		     struct error *error)
{
	int r;

	*ret_size = 0;
	r = finish(job, body, ret_size);
	if (r) {
		*error = job->error;
	}
	(void)free_job(job);
	return r;
}

size_t reset_describe_kept(const struct space *space, unsigned char body[DESCRIPTION_SIZE])
{
	const struct group *group;
	unsigned int index = 0;
	size_t count = 0;

	while (count < KEPT_MAX && (group = space_next_kept(space, &index))) {
		struct worker_kept kept = {.group = group->number};

		memcpy(kept.name, group->obstacle.device, sizeof(kept.name));
		memcpy(kept.why, group->obstacle.why, sizeof(kept.why));
		memcpy(body + count++ * sizeof(kept), &kept, sizeof(kept));
	}
	return count * sizeof(struct worker_kept);
}
