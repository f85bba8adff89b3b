/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PE jobs: what is done with one group while everything else goes on. Its devices are opened, and
 * its PE is operated on.
 *
 * A job has three parts: begin and finish on the thread that owns the space, and work, in the slow
 * pool. In between the group is held (space_hold_group), so that there is one job for each group.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "vfio/space.h"
#include "worker/request.h"
#include "worker/slow_pool.h"

struct pe_job;

/* What is answered. */
struct pe_outcome {
	size_t size; /* of the body */
	int fd;      /* of a device, which stays its group's; or -1 */
};

/*
 * Begin what a request of REQUEST_BESIDE wants. Either there is a job then, to be given to the slow
 * pool, or *ret_job is NULL and ret_outcome is the answer: a device that is open is just handed out
 * once more. Nothing of the request is needed afterwards; fds may be taken from it.
 *
 * ERROR_INVALID_ARGUMENT (no such operation, an error to be injected where none is, a bad name),
 * ERROR_KERNEL (no memory), and what space_hold_group answers
 */
int pe_job_begin(struct space *space, struct request *request, struct pe_job **ret_job,
		 struct pe_outcome *ret_outcome, struct error *error);

/* The same job for the slow pool, and back again. */
struct slow_job *pe_job_slow(struct pe_job *job);
struct pe_job *pe_job_of(struct slow_job *slow);

/* Of its request. */
uint32_t pe_job_type(const struct pe_job *job);
uint64_t pe_job_id(const struct pe_job *job);

/* Bytes of the body at most. */
#define PE_JOB_BODY_MAX \
	(sizeof(struct worker_pe) + WORKER_REGISTERS_MAX * sizeof(struct worker_registers))

/*
 * Complete a job that the pool is done with: let the group go and free the job. 0 with the outcome
 * and its body, or a code:
 * ERROR_FROZEN           the PE is not in its normal state, and opening would thaw it
 * ERROR_RECOVERY_FAILED  WORKER_PE_VERIFY found a difference (space_verify_group)
 * and what device_open (vfio/device.h), pe_operate (eeh/pe.h) and eeh/snapshot.h answer.
 */
int pe_job_finish(struct pe_job *job, struct space *space, unsigned char body[PE_JOB_BODY_MAX],
		  struct pe_outcome *ret_outcome, struct error *error);
