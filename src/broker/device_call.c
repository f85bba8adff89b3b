/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/device_call.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/device.h"
#include "broker/device_alarm.h"
#include "broker/manager.h"
#include "common/cleanup.h"
#include "common/fd_limit.h"
#include "common/log.h"
#include "common/packet.h"

/* A call that waits for its answer. */
struct waiting_call {
	struct pe_turn
		turn; /* while the PE is looked at: the worker would be busy with the group */
	struct packet_fds fds; /* until it is sent, then; owned */
	struct host_device *device;
	struct space *space; /* that was asked; the group may have left it when it answers */
	struct worker_call_device request;
	device_answer_handler handler;
	void *userdata;
	/* Of an error or request interrupt that is set, while the worker is asked whether there is
	 * one: the client's, owned. -1: nothing of that. */
	enum device_alarm alarm;
	int alarm_fd;
	unsigned int alarm_drops; /* when that was asked for */
};

static void call_free(struct waiting_call *call)
{
	(void)fd_close(call->alarm_fd);
	packet_fds_done(&call->fds);
	free(call);
}

static void call_finish(struct waiting_call *call, const struct device_answer *answer)
{
	call->handler(call->userdata, answer);
	call_free(call);
}

/* -- soundness -- */

static bool info_is_sound(const struct worker_device_info *info, size_t size)
{
	return size == sizeof(*info) && info->regions <= WORKER_REGIONS_MAX &&
	       info->irqs <= WORKER_IRQS_MAX && info->reset_works <= 1;
}

/* In ascending order, so that none is there twice. */
static bool regions_are_sound(const struct worker_region *regions, size_t size)
{
	size_t count = size / sizeof(*regions);

	if (size % sizeof(*regions) != 0 || count > WORKER_REGIONS_MAX) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (regions[i].index >= WORKER_REGIONS_MAX || regions[i].reserved != 0 ||
		    regions[i].size > UINT64_MAX - regions[i].offset ||
		    (i > 0 && regions[i].index <= regions[i - 1].index)) {
			return false;
		}
	}
	return true;
}

static bool areas_are_sound(const struct worker_area *areas, size_t size)
{
	size_t count = size / sizeof(*areas);

	if (size % sizeof(*areas) != 0 || count > WORKER_AREAS_MAX) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (areas[i].size > UINT64_MAX - areas[i].offset) {
			return false;
		}
	}
	return true;
}

static bool irqs_are_sound(const struct worker_irq *irqs, size_t size)
{
	size_t count = size / sizeof(*irqs);

	if (size % sizeof(*irqs) != 0 || count > WORKER_IRQS_MAX) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (irqs[i].index >= WORKER_IRQS_MAX || irqs[i].reserved != 0 ||
		    (i > 0 && irqs[i].index <= irqs[i - 1].index)) {
			return false;
		}
	}
	return true;
}

/* Whether all bits beyond so many bytes are 0. */
static bool value_fits(uint64_t value, uint32_t bytes)
{
	return bytes >= sizeof(value) || value >> (8 * bytes) == 0;
}

/* Checks the body, and tells what of an answer it is. */
static bool read_body(const struct worker_call_device *request, const struct worker_answer *answer,
		      struct device_answer *ret_answer)
{
	switch ((enum worker_device_call)request->call) {
	case WORKER_DEVICE_INFO:
		ret_answer->info = answer->body;
		return info_is_sound(answer->body, answer->size);
	case WORKER_DEVICE_FIND_REGION:
	case WORKER_DEVICE_REGIONS:
		ret_answer->regions = answer->body;
		ret_answer->count = (uint32_t)(answer->size / sizeof(struct worker_region));
		return regions_are_sound(answer->body, answer->size) &&
		       (request->call == WORKER_DEVICE_REGIONS || ret_answer->count == 1);
	case WORKER_DEVICE_AREAS:
		ret_answer->areas = answer->body;
		ret_answer->count = (uint32_t)(answer->size / sizeof(struct worker_area));
		return areas_are_sound(answer->body, answer->size);
	case WORKER_DEVICE_IRQS:
		ret_answer->irqs = answer->body;
		ret_answer->count = (uint32_t)(answer->size / sizeof(struct worker_irq));
		return irqs_are_sound(answer->body, answer->size);
	case WORKER_DEVICE_READ_REGION:
		if (answer->size != sizeof(ret_answer->value)) {
			return false;
		}
		memcpy(&ret_answer->value, answer->body, sizeof(ret_answer->value));
		return value_fits(ret_answer->value, request->size);
	case WORKER_DEVICE_WRITE_REGION:
	case WORKER_DEVICE_SET_IRQS:
	case WORKER_DEVICE_MASK_IRQ:
	case WORKER_DEVICE_UNMASK_IRQ:
	case WORKER_DEVICE_DISABLE_IRQ:
		return answer->size == 0;
	case WORKER_DEVICE_CALL_COUNT:
		break;
	}
	return false;
}

/* -- answers -- */

static void end_worker(const struct waiting_call *call, size_t size, struct error *error)
{
	(void)error_set(error, ERROR_WORKER_LOST, EPROTO,
			"the worker of address space %u answered for %s in %zu bytes that make no "
			"sense, and is ended",
			call->space->number, call->device->host->name, size);
	log_write(LOG_ERR, LOG_SPACE(call->space->number), "%s", error->text);
	worker_process_kill(call->space->worker, SIGKILL);
}

static bool has_irq(const struct device_answer *answer, uint32_t index)
{
	for (uint32_t i = 0; answer->irqs && i < answer->count; i++) {
		if (answer->irqs[i].index == index) {
			return answer->irqs[i].count > 0;
		}
	}
	return false;
}

/* The worker has said which interrupts there are. */
static int keep_alarm(struct waiting_call *call, const struct device_answer *answer,
		      struct error *error)
{
	struct host_device *device = call->device;
	uint32_t index =
		call->alarm == DEVICE_ALARM_ERROR ? VFIO_PCI_ERR_IRQ_INDEX : VFIO_PCI_REQ_IRQ_INDEX;

	if (!device->open || device->group->space != call->space) {
		return error_set(error, ERROR_NOT_FOUND, 0, "%s was closed meanwhile",
				 device->host->name);
	}
	if (!has_irq(answer, index)) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "%s has no interrupt with index %" PRIu32 ": see Irqs",
				 device->host->name, index);
	}
	/* Else it was disabled meanwhile, which needs no worker and so is faster. */
	if (device_alarm_drops(device, call->alarm) == call->alarm_drops) {
		device_alarm_keep(device, call->alarm, steal_fd(&call->alarm_fd));
	}
	return 0;
}

/* What drivers take for a hint as well (eeh_check_failure). */
static bool is_all_ones(const struct waiting_call *call, const struct device_answer *answer)
{
	return call->request.call == WORKER_DEVICE_READ_REGION &&
	       answer->value == UINT64_MAX >> (64 - 8 * call->request.size);
}

static void handle_answer(void *userdata, const struct worker_answer *worker_answer)
{
	struct waiting_call *call = userdata;
	struct pe *pe = call->device->group->pe;
	struct device_answer answer = {.error = worker_answer->error};
	bool here = call->device->group->space == call->space;

	if (answer.error.code == ERROR_NONE) {
		if (!read_body(&call->request, worker_answer, &answer)) {
			answer = (struct device_answer){.count = 0};
			end_worker(call, worker_answer->size, &answer.error);
		} else if (call->alarm_fd >= 0) {
			(void)keep_alarm(call, &answer, &answer.error);
		}
	}
	if (pe && here &&
	    (answer.error.code == ERROR_FROZEN ||
	     (answer.error.code == ERROR_NONE && is_all_ones(call, &answer)))) {
		pe_suspect(pe);
	}
	call_finish(call, &answer);
}

/* -- asking -- */

static int check_open(const struct host_device *device, struct error *error)
{
	int r = device_check_attached(device, error);

	if (r == 0 && !device->open) {
		r = error_set(error, ERROR_NOT_FOUND, 0, "%s is not open: call its Open first",
			      device->host->name);
	}
	return r;
}

/* Which sizes and addresses a region has its worker knows; what a number is of that size, not. */
static int check_value(const struct worker_call_device *request, struct error *error)
{
	bool writes = request->call == WORKER_DEVICE_WRITE_REGION;
	uint32_t size = request->size;

	if (request->call != WORKER_DEVICE_READ_REGION && !writes) {
		return 0;
	}
	if (size != 1 && size != 2 && size != 4 && size != 8) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "a register of %" PRIu32 " bytes; pass 1, 2, 4 or 8", size);
	}
	if (writes && !value_fits(request->value, size)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "0x%" PRIx64 " does not fit into %" PRIu32 " bytes",
				 request->value, size);
	}
	return 0;
}

static int check_fds(const struct worker_call_device *request, unsigned int fd_count,
		     struct error *error)
{
	bool sets = request->call == WORKER_DEVICE_SET_IRQS;

	if (fd_count > PACKET_FDS_MAX || (sets && fd_count == 0)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%u eventfds; pass 1 to %d with one call, and more with further "
				 "calls whose start is higher",
				 fd_count, PACKET_FDS_MAX);
	}
	if (sets && device_alarm_of(request->index) != DEVICE_ALARM_COUNT &&
	    (fd_count != 1 || request->start != 0)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%u eventfds from %" PRIu32 " on; interrupt index %" PRIu32
				 " has one, number 0",
				 fd_count, request->start, request->index);
	}
	return 0;
}

static struct waiting_call *call_new(struct host_device *device,
				     const struct worker_call_device *request,
				     device_answer_handler handler, void *userdata,
				     struct error *error)
{
	struct waiting_call *call = calloc(1, sizeof(*call));

	if (!call) {
		(void)error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the request");
		return NULL;
	}
	call->device = device;
	call->space = device->group->space;
	call->request = *request;
	call->request.group = device->group->host->id;
	memset(call->request.name, 0, sizeof(call->request.name));
	(void)snprintf(call->request.name, sizeof(call->request.name), "%s", device->host->name);
	call->handler = handler;
	call->userdata = userdata;
	call->alarm_fd = -1;
	return call;
}

static int send_call(struct waiting_call *call, const int *fds, unsigned int fd_count,
		     struct error *error)
{
	return space_request(call->space, WORKER_CALL_DEVICE, &call->request, sizeof(call->request),
			     fds, fd_count, handle_answer, call, error);
}

/* -- waiting for a look -- */

static void end_waiting(struct waiting_call *call, const struct error *error)
{
	struct pe *pe = call->device->group->pe;
	const struct device_answer answer = {.error = *error};

	call->device->group->calls--;
	call->handler(call->userdata, &answer);
	if (pe) {
		pe_end_turn(pe, &call->turn);
	}
	call_free(call);
}

static int send_waiting(struct waiting_call *call, struct error *error)
{
	struct group *group = call->device->group;
	int r = check_open(call->device, error);

	if (r == 0 && group->space != call->space) {
		r = error_set(error, ERROR_NOT_FOUND, 0, "%s has left its address space",
			      call->device->host->name);
	}
	r = r ? r : pe_check_access(group->pe, error);
	return r ? r : send_call(call, call->fds.fd, call->fds.count, error);
}

/* The worker answers requests in their order: what comes after this one needs not wait for it. */
static void begin_waiting(struct pe_turn *turn)
{
	struct waiting_call *call = (struct waiting_call *)turn;
	struct group *group = call->device->group;
	struct error error;

	if (send_waiting(call, &error)) {
		end_waiting(call, &error);
		return;
	}
	packet_fds_done(&call->fds);
	group->calls--;
	pe_end_turn(group->pe, &call->turn);
}

static void refuse_waiting(struct pe_turn *turn, const struct error *error)
{
	end_waiting((struct waiting_call *)turn, error);
}

static int keep_fds(struct waiting_call *call, const int *fds, unsigned int fd_count,
		    struct error *error)
{
	for (unsigned int i = 0; i < fd_count; i++) {
		int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);

		if (fd >= 0) {
			call->fds.fd[call->fds.count++] = fd;
		}
		if (fd < 0 || !fd_limit_allows(fd)) {
			return error_set(error, ERROR_QUOTA_EXCEEDED, fd < 0 ? errno : EMFILE,
					 "spaprd has no file left for the interrupts of %s: try "
					 "again later",
					 call->device->host->name);
		}
	}
	return 0;
}

static int wait_for_look(struct waiting_call *call, const int *fds, unsigned int fd_count,
			 struct error *error)
{
	struct group *group = call->device->group;
	int r;

	if (group->calls == DEVICE_CALLS_MAX) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "%u calls for devices of group %" PRIu32
				 " wait: wait for an answer",
				 DEVICE_CALLS_MAX, group->host->id);
	}
	r = keep_fds(call, fds, fd_count, error);
	if (r) {
		return r;
	}
	group->calls++;
	call->turn.begin = begin_waiting;
	call->turn.refuse = refuse_waiting;
	pe_take_turn(group->pe, &call->turn);
	return 0;
}

/* The call is freed when it can't be sent. */
static int send_or_wait(struct waiting_call *call, const int *fds, unsigned int fd_count,
			struct error *error)
{
	const struct pe *pe = call->device->group->pe;
	int r = pe && pe_is_looking(pe) ? wait_for_look(call, fds, fd_count, error)
					: send_call(call, fds, fd_count, error);

	if (r) {
		call_free(call);
	}
	return r;
}

/* Whether the device has such an interrupt only its worker knows. */
static int set_alarm(struct waiting_call *call, enum device_alarm alarm, int fd,
		     struct error *error)
{
	int r = device_alarm_copy(call->device, fd, &call->alarm_fd, error);

	if (r) {
		call_free(call);
		return r;
	}
	call->alarm = alarm;
	call->alarm_drops = device_alarm_drops(call->device, alarm);
	call->request.call = WORKER_DEVICE_IRQS;
	call->request.index = 0;
	return send_or_wait(call, NULL, 0, error);
}

int device_call(struct host_device *device, const struct worker_call_device *request,
		const int *fds, unsigned int fd_count, device_answer_handler handler,
		void *userdata, struct error *error)
{
	enum device_alarm alarm = device_alarm_of(request->index);
	struct waiting_call *call;
	int r = check_fds(request, fd_count, error);

	r = r ? r : check_value(request, error);
	r = r ? r : check_open(device, error);
	if (r == 0 && request->call == WORKER_DEVICE_DISABLE_IRQ && alarm != DEVICE_ALARM_COUNT) {
		device_alarm_drop(device, alarm);
		handler(userdata, &(struct device_answer){.count = 0});
		return 0;
	}
	if (r == 0 && device->group->pe) {
		r = pe_check_access(device->group->pe, error);
	}
	if (r) {
		return r;
	}
	call = call_new(device, request, handler, userdata, error);
	if (!call) {
		return ERROR_KERNEL;
	}
	if (request->call == WORKER_DEVICE_SET_IRQS && alarm != DEVICE_ALARM_COUNT) {
		return set_alarm(call, alarm, fds[0], error);
	}
	return send_or_wait(call, fds, fd_count, error);
}
