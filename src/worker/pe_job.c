/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/pe_job.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "eeh/pe.h"
#include "eeh/snapshot.h"
#include "vfio/device.h"
#include "vfio/irq.h"
#include "vfio/reset.h"

struct pe_job {
	struct slow_job slow; /* must be first */
	uint32_t type;
	uint64_t id;
	struct space_hold hold;
	int code; /* of work */
	struct error error;
	/* WORKER_OPEN_DEVICE */
	char name[WORKER_DEVICE_NAME_SIZE];
	struct device_events events; /* to be taken by the device */
	struct device *device;       /* that was opened */
	/* WORKER_OPERATE_PE */
	struct worker_operate_pe request;
	bool refused; /* by us: the kernel was not asked */
	struct worker_pe pe;
	struct worker_registers *registers; /* of WORKER_PE_SAVE, owned */
	unsigned int register_count;
};

static struct pe_target target_of(const struct pe_job *job)
{
	return (struct pe_target){
		.kernel = job->hold.container->kernel,
		.container_fd = job->hold.container->fd,
		.group = job->hold.group,
	};
}

/* Opening devices */

static struct device_events steal_events(struct pe_job *job)
{
	struct device_events events = job->events;

	job->events = DEVICE_EVENTS_NONE;
	return events;
}

static void work_open(struct slow_job *slow)
{
	struct pe_job *job = pe_job_of(slow);
	struct pe_target target = target_of(job);

	job->code = pe_check_thawed(&target, job->hold.container, job->name, &job->error);
	if (job->code == 0) {
		job->code = device_open(job->hold.container->kernel, job->hold.group->fd, job->name,
					steal_events(job), &job->device, &job->error);
	}
}

/* Operating */

static int look(const struct pe_job *job, struct worker_pe *ret_pe, struct error *error)
{
	const struct worker_operate_pe request = {
		.group = job->hold.group->number,
		.operation = WORKER_PE_LOOK,
	};
	struct pe_target target = target_of(job);

	return pe_operate(&target, &request, ret_pe, error);
}

/* Something that is done to each open device: to all of them, whatever fails. The first failure. */
static int for_each_device(struct pe_job *job,
			   int (*operate)(struct pe_job *job, struct device *device,
					  struct error *error))
{
	int code = 0;

	for (struct device *device = job->hold.group->devices; device; device = device->next) {
		struct error error;
		int r = operate(job, device, &error);

		if (r && code == 0) {
			code = r;
			job->error = error;
		}
	}
	return code;
}

static int save(struct pe_job *job, struct device *device, struct error *error)
{
	struct worker_registers registers = {.name = ""};
	int r = snapshot_take(device, &registers, error);

	if (r == 0 && job->register_count < WORKER_REGISTERS_MAX) {
		job->registers[job->register_count++] = registers;
	}
	return r;
}

static int restore(struct pe_job *job, struct device *device, struct error *error)
{
	(void)job;
	return snapshot_restore(device, error);
}

static int isolate(struct pe_job *job, struct device *device, struct error *error)
{
	(void)job;
	return snapshot_isolate(device, error);
}

/* One of the operations that are not the kernel's. */
static int operate_devices(struct pe_job *job)
{
	switch ((enum worker_pe_operation)job->request.operation) {
	case WORKER_PE_SAVE:
		return for_each_device(job, save);
	case WORKER_PE_RESTORE:
		return for_each_device(job, restore);
	case WORKER_PE_ISOLATE:
		return for_each_device(job, isolate);
	case WORKER_PE_VERIFY: /* the books are the owner's: pe_job_finish */
	case WORKER_PE_LOOK:
	case WORKER_PE_ENABLE:
	case WORKER_PE_DISABLE:
	case WORKER_PE_UNFREEZE_IO:
	case WORKER_PE_UNFREEZE_DMA:
	case WORKER_PE_RESET_HOT:
	case WORKER_PE_RESET_FUNDAMENTAL:
	case WORKER_PE_DEACTIVATE:
	case WORKER_PE_CONFIGURE:
	case WORKER_PE_INJECT:
	case WORKER_PE_OPERATION_COUNT:
		break;
	}
	return 0;
}

static bool asserts_reset(const struct pe_job *job)
{
	return job->request.operation == WORKER_PE_RESET_HOT ||
	       job->request.operation == WORKER_PE_RESET_FUNDAMENTAL;
}

/* A thread that waits for the close of a device can't be ended, and holds the group: nobody could
 * close it then (eeh_pe_reset, pci_bus_lock). */
static int check_reset(const struct pe_job *job, struct error *error)
{
	const struct group *group = job->hold.group;
	const struct device *wanted = asserts_reset(job) ? group_find_wanted_back(group) : NULL;

	return wanted ? error_set(error, ERROR_BUSY, 0,
				  "the kernel wants %s back, and a reset of its PE would wait for "
				  "that: detach group %" PRIu32,
				  wanted->name, group->number)
		      : 0;
}

/* Once it is asserted the devices have no BARs: it is too late then. WORKER_PE_RESTORE wires again.
 */
static void unwire_before_reset(const struct pe_job *job)
{
	const struct group *group = job->hold.group;

	if (!asserts_reset(job) || group->reset_asserted) {
		return;
	}
	for (struct device *device = group->devices; device; device = device->next) {
		irq_unwire(device);
	}
}

static void work_operate(struct slow_job *slow)
{
	struct pe_job *job = pe_job_of(slow);
	struct pe_target target = target_of(job);
	uint64_t began = clock_nanoseconds();
	uint64_t took;

	job->code = check_reset(job, &job->error);
	if (job->code) {
		job->refused = true;
		return;
	}
	unwire_before_reset(job);
	if (job->request.operation <= WORKER_PE_INJECT) {
		job->code = pe_operate(&target, &job->request, &job->pe, &job->error);
		return;
	}
	job->code = operate_devices(job);
	took = clock_nanoseconds() - began;
	if (job->code == 0) {
		job->code = look(job, &job->pe, &job->error);
	}
	job->pe.nanoseconds = took;
}

/* Beginning */

static int check_operation(const struct worker_operate_pe *request, struct error *error)
{
	uint64_t bits =
		request->error_type | request->error_function | request->address | request->mask;

	if (request->operation < WORKER_PE_LOOK ||
	    request->operation >= WORKER_PE_OPERATION_COUNT) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "there is no operation %" PRIu32 " on a PE", request->operation);
	}
	if (request->operation != WORKER_PE_INJECT && bits != 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "operation %" PRIu32 " on a PE injects no error",
				 request->operation);
	}
	return 0;
}

static struct pe_job *free_job(struct pe_job *job)
{
	cleanup_fd(&job->events.error);
	cleanup_fd(&job->events.request);
	free(job->registers);
	free(job);
	return NULL;
}

/* Hold a group for a request. */
static int new_job(struct space *space, const struct request *request, uint32_t group,
		   struct pe_job **ret_job, struct error *error)
{
	bool operates = request->type == WORKER_OPERATE_PE;
	enum space_hold_kind kind = !operates ? HOLD_GROUP
				    : request->body.operate_pe.operation == WORKER_PE_LOOK
					    ? HOLD_ALONE_TO_LOOK
					    : HOLD_ALONE;
	struct pe_job *job = calloc(1, sizeof(*job));
	int r;

	if (!job) {
		(void)error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a job");
		return ERROR_KERNEL;
	}
	job->slow.work = operates ? work_operate : work_open;
	job->type = request->type;
	job->id = request->id;
	job->events = DEVICE_EVENTS_NONE;
	r = space_hold_group(space, group, kind, &job->hold, error);
	if (r) {
		(void)free_job(job);
		return r;
	}
	*ret_job = job;
	return 0;
}

/* They come in the order of the flags. */
static struct device_events take_events(struct request *request)
{
	uint32_t wanted = request->body.open_device.events;
	struct device_events events = DEVICE_EVENTS_NONE;
	unsigned int next = 0;

	if (wanted & WORKER_EVENT_ERROR) {
		events.error = packet_fds_take(&request->fds, next++);
	}
	if (wanted & WORKER_EVENT_REQUEST) {
		events.request = packet_fds_take(&request->fds, next);
	}
	return events;
}

static int begin_open(struct space *space, struct request *request, struct pe_job **ret_job,
		      struct pe_outcome *ret_outcome, struct error *error)
{
	const struct worker_open_device *wire = &request->body.open_device;
	const struct device *device;
	unsigned int events = (unsigned int)__builtin_popcount(wire->events);
	int r = request_check_name(wire->name, error);

	if (r == 0 && events != request->fds.count) {
		r = error_set(error, ERROR_INVALID_ARGUMENT, 0,
			      "the flags 0x%" PRIx32 " speak of %u eventfds, and %u came along",
			      wire->events, events, request->fds.count);
	}
	if (r) {
		return r;
	}
	device = space_find_device(space, wire->group, wire->name);
	if (device) {
		ret_outcome->fd = device->fd;
		return 0;
	}
	r = new_job(space, request, wire->group, ret_job, error);
	if (r == 0) {
		memcpy((*ret_job)->name, wire->name, sizeof(wire->name));
		(*ret_job)->events = take_events(request);
	}
	return r;
}

static int begin_operate(struct space *space, const struct request *request,
			 struct pe_job **ret_job, struct error *error)
{
	const struct worker_operate_pe *wire = &request->body.operate_pe;
	struct worker_registers *registers = NULL;
	int r = check_operation(wire, error);

	if (r == 0 && wire->operation == WORKER_PE_SAVE) {
		registers = calloc(WORKER_REGISTERS_MAX, sizeof(*registers));
		if (!registers) {
			return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a job");
		}
	}
	if (r == 0) {
		r = new_job(space, request, wire->group, ret_job, error);
	}
	if (r) {
		free(registers);
		return r;
	}
	(*ret_job)->registers = registers;
	(*ret_job)->request = *wire;
	return 0;
}

int pe_job_begin(struct space *space, struct request *request, struct pe_job **ret_job,
		 struct pe_outcome *ret_outcome, struct error *error)
{
	*ret_job = NULL;
	*ret_outcome = (struct pe_outcome){.size = 0, .fd = -1};
	return request->type == WORKER_OPERATE_PE
		       ? begin_operate(space, request, ret_job, error)
		       : begin_open(space, request, ret_job, ret_outcome, error);
}

struct slow_job *pe_job_slow(struct pe_job *job)
{
	return &job->slow;
}

struct pe_job *pe_job_of(struct slow_job *slow)
{
	return (struct pe_job *)slow;
}

uint32_t pe_job_type(const struct pe_job *job)
{
	return job->type;
}

uint64_t pe_job_id(const struct pe_job *job)
{
	return job->id;
}

/* Finishing */

/* The device is the group's from now on. */
static void finish_open(struct pe_job *job, struct pe_outcome *outcome)
{
	struct group *group = job->hold.group;

	job->device->next = group->devices;
	group->devices = job->device;
	outcome->fd = job->device->fd;
}

static int finish_operate(struct pe_job *job, const struct space *space, unsigned char *body,
			  struct pe_outcome *outcome)
{
	size_t registers_size = job->register_count * sizeof(*job->registers);

	if (job->request.operation == WORKER_PE_VERIFY) {
		uint64_t began = clock_nanoseconds();
		int r = space_verify_group(space, &job->hold, &job->error);

		if (r) {
			return r;
		}
		job->pe.nanoseconds = clock_nanoseconds() - began;
	}
	memcpy(body, &job->pe, sizeof(job->pe));
	if (registers_size > 0) {
		memcpy(body + sizeof(job->pe), job->registers, registers_size);
	}
	outcome->size = sizeof(job->pe) + registers_size;
	return 0;
}

/* A reset that the firmware refuses leaves the PE blocked like one that it carries out. */
static void note_reset(const struct pe_job *job)
{
	if (job->type != WORKER_OPERATE_PE || job->refused) {
		return;
	}
	if (asserts_reset(job)) {
		job->hold.group->reset_asserted = true;
	} else if (job->request.operation == WORKER_PE_DEACTIVATE && job->code == 0) {
		job->hold.group->reset_asserted = false;
	}
}

int pe_job_finish(struct pe_job *job, struct space *space, unsigned char body[PE_JOB_BODY_MAX],
		  struct pe_outcome *ret_outcome, struct error *error)
{
	struct pe_outcome outcome = {.size = 0, .fd = -1};
	int r = job->code;

	note_reset(job);
	if (r == 0 && job->hold.lets_join) {
		r = space_check_alone(&job->hold, &job->error);
	}
	if (r == 0 && job->type == WORKER_OPERATE_PE) {
		r = finish_operate(job, space, body, &outcome);
	} else if (r == 0) {
		finish_open(job, &outcome);
	}
	space_release_group(space, &job->hold);
	if (r) {
		*error = job->error;
	} else {
		*ret_outcome = outcome;
	}
	(void)free_job(job);
	return r;
}
