/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reset jobs: resets of open devices, on request and before groups are let go, in the slow pool
 * (worker/slow_pool.h).
 *
 * A reset on request holds all groups of the space, for the bus that it resets may be that of
 * several, or only the device's, where that has a reset of its own. The others come when the space
 * is being closed or is closed already, and nothing else is done with it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "vfio/space.h"
#include "worker/description.h"
#include "worker/request.h"
#include "worker/slow_pool.h"

struct reset_job;

/*
 * Begin WORKER_RESET_DEVICE or WORKER_RESET_SPACE. ERROR_NOT_FOUND, ERROR_INVALID_ARGUMENT (a bad
 * name), ERROR_BUSY (something takes long with a group that is to be held), ERROR_KERNEL (no
 * memory)
 */
int reset_job_begin(struct space *space, const struct request *request, struct reset_job **ret_job,
		    struct error *error);

/* Begin WORKER_RELEASE_GROUP, in a space that is closed but for the groups that are kept.
 * ERROR_NOT_FOUND: it is none of them. */
int reset_job_begin_release(struct space *space, const struct request *request,
			    struct reset_job **ret_job, struct error *error);

/* Stop the devices of a container before the space is closed; or try once more with all groups that
 * are kept. NULL for lack of memory. */
struct reset_job *reset_job_new_stop(struct space *space, struct container *container);
struct reset_job *reset_job_new_retry(struct space *space);

/* The same job for the slow pool, and back again; its kind is the caller's to set. */
struct slow_job *reset_job_slow(struct reset_job *job);
struct reset_job *reset_job_of(struct slow_job *slow);

/* Of its request; 0: there was none. */
uint32_t reset_job_type(const struct reset_job *job);
uint64_t reset_job_id(const struct reset_job *job);

/*
 * Complete a job that the pool is done with, and free it. 0 with the body, or what
 * space_reset_device and space_stop_again answer.
 */
int reset_job_finish(struct reset_job *job, unsigned char body[DESCRIPTION_SIZE], size_t *ret_size,
		     struct error *error);

/* The body of the reply to WORKER_CLOSE; returns its size. */
size_t reset_describe_kept(const struct space *space, unsigned char body[DESCRIPTION_SIZE]);
