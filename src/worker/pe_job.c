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

struct pe_job {
	struct slow_job slow; /* must be first */
	uint32_t type;
	uint64_t id;
	struct space_hold hold;
	int code; /* of work */
	struct error error;
	/* WORKER_OPEN_DEVICE */
	char name[WORKER_DEVICE_NAME_SIZE];
	int error_event;       /* to be taken by the device, or -1 */
	struct device *device; /* that was opened */
	/* WORKER_OPERATE_PE */
	struct worker_operate_pe request;
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

/* The kernel thaws a frozen PE when a device of it is opened (eeh_dev_open, field note H45), and
 * nobody would know that it was frozen. In a container of several groups it can't be asked whose
 * state it is (H42). */
static int check_thawed(const struct pe_job *job, struct error *error)
{
	const struct container *container = job->hold.container;
	struct vfio_eeh_pe_op op = {.argsz = sizeof(op), .op = VFIO_EEH_PE_GET_STATE};
	int r;

	if (!container->capabilities.eeh || container->group_count > 1) {
		return 0;
	}
	r = kernel_ioctl(container->kernel, container->fd, VFIO_EEH_PE_OP, &op);
	if (r > 0) {
		return error_set(error, ERROR_FROZEN, 0,
				 "the PE of group %" PRIu32
				 " is in state %d, and to open device %s would thaw it; recover it "
				 "first",
				 job->hold.group->number, r, job->name);
	}
	/* What has no PE can't be frozen. */
	if (r < 0 && r != -ENODEV) {
		return error_set(error, ERROR_KERNEL, -r,
				 "the kernel doesn't tell the state of the PE of group %" PRIu32
				 ", and to open device %s would thaw it if it is frozen",
				 job->hold.group->number, job->name);
	}
	return 0;
}

static void work_open(struct slow_job *slow)
{
	struct pe_job *job = pe_job_of(slow);

	job->code = check_thawed(job, &job->error);
	if (job->code == 0) {
		job->code = device_open(job->hold.container->kernel, job->hold.group->fd, job->name,
					steal_fd(&job->error_event), &job->device, &job->error);
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

static void work_operate(struct slow_job *slow)
{
	struct pe_job *job = pe_job_of(slow);
	struct pe_target target = target_of(job);
	uint64_t began = clock_nanoseconds();
	uint64_t took;

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

static int check_name(const char name[WORKER_DEVICE_NAME_SIZE], struct error *error)
{
	size_t length = strnlen(name, WORKER_DEVICE_NAME_SIZE);
	bool good = length > 0 && length < WORKER_DEVICE_NAME_SIZE;

	/* No blanks either: the kernel takes words behind the name (vfio_pci_core_match). */
	for (size_t i = 0; good && i < length; i++) {
		good = name[i] > ' ' && name[i] <= '~';
	}
	return good ? 0
		    : error_set(error, ERROR_INVALID_ARGUMENT, 0,
				"the name of a device has 1 to %d printable characters",
				WORKER_DEVICE_NAME_SIZE - 1);
}

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
	job->error_event = fd_close(job->error_event);
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
	job->error_event = -1;
	r = space_hold_group(space, group, kind, &job->hold, error);
	if (r) {
		(void)free_job(job);
		return r;
	}
	*ret_job = job;
	return 0;
}

static int begin_open(struct space *space, struct request *request, struct pe_job **ret_job,
		      struct pe_outcome *ret_outcome, struct error *error)
{
	const struct worker_open_device *wire = &request->body.open_device;
	const struct device *device;
	int r = check_name(wire->name, error);

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
		(*ret_job)->error_event = packet_fds_take(&request->fds, 0);
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
	if (job->type != WORKER_OPERATE_PE) {
		return;
	}
	if (job->request.operation == WORKER_PE_RESET_HOT ||
	    job->request.operation == WORKER_PE_RESET_FUNDAMENTAL) {
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
