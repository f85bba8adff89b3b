/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/device.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "broker/device_alarm.h"
#include "broker/device_call.h"
#include "broker/manager.h"
#include "broker/release.h"
#include "common/cleanup.h"
#include "common/log.h"

struct opening {
	struct pe_turn turn;
	struct manager *manager;
	struct group *group;
	struct space *space; /* that was asked; the group may have left it when it answers */
	struct host_device *device;
	worker_answer_handler handler;
	void *userdata;
};

static void tell(struct manager *manager, struct host_device *device, unsigned int what)
{
	if (manager->observer && manager->observer->device_changed) {
		manager->observer->device_changed(manager->observer_userdata, device, what);
	}
}

static void set_open(struct manager *manager, struct host_device *device, bool open)
{
	if (device->open != open) {
		device->open = open;
		tell(manager, device, DEVICE_CHANGED_OPEN);
	}
}

void device_forget(struct manager *manager, struct host_device *device)
{
	device_alarm_done(device);
	device->described = false; /* another one may be plugged in when it is opened again */
	set_open(manager, device, false);
	release_end(device);
}

void device_forget_group(struct manager *manager, struct group *group)
{
	for (struct host_device *device = group->devices; device; device = device->next) {
		device_forget(manager, device);
	}
	release_group_left(group);
}

/* -- what a device is found to be when it is open -- */

struct description {
	struct manager *manager;
	struct host_device *device;
};

static void handle_info(void *userdata, const struct device_answer *answer)
{
	struct description *description = userdata;
	struct host_device *device = description->device;

	if (answer->error.code == ERROR_NONE) {
		device->described = true;
		if (device->reset_works != (answer->info->reset_works != 0)) {
			device->reset_works = answer->info->reset_works != 0;
			tell(description->manager, device, DEVICE_CHANGED_RESET_WORKS);
		}
	} else {
		log_debug("%s can't be described: %s, ignoring", device->host->name,
			  answer->error.text);
	}
	free(description);
}

/* When that can't be known now, the next who opens the device asks again. */
static void describe(struct manager *manager, struct host_device *device)
{
	const struct worker_call_device request = {.call = WORKER_DEVICE_INFO};
	struct description *description = device->described ? NULL : malloc(sizeof(*description));

	if (description) {
		*description = (struct description){.manager = manager, .device = device};
		if (device_call(device, &request, NULL, 0, handle_info, description, NULL)) {
			free(description);
		}
	}
}

/* -- opening -- */

static void finish(struct opening *opening, const struct worker_answer *answer)
{
	struct pe *pe = opening->group->pe;

	opening->group->openings--;
	opening->handler(opening->userdata, answer);
	if (pe) {
		pe_end_turn(pe, &opening->turn);
	}
	free(opening);
}

static void fail(struct opening *opening, const struct error *error)
{
	struct worker_answer answer = {.error = *error};

	finish(opening, &answer);
}

/* Answers come before the worker is gone, and its address space with it. */
static void refuse_answer(struct opening *opening, const struct worker_answer *answer)
{
	struct space *space = opening->space;
	struct error error;

	(void)error_set(&error, ERROR_WORKER_LOST, EPROTO,
			"the worker of address space %u opened %s and answered with %zu bytes and "
			"%u fds, which makes no sense, and is ended",
			space->number, opening->device->host->name, answer->size, answer->fd_count);
	log_write(LOG_ERR, LOG_SPACE(space->number), "%s", error.text);
	worker_process_kill(space->worker, SIGKILL);
	fail(opening, &error);
}

static void handle_answer(void *userdata, const struct worker_answer *answer)
{
	struct opening *opening = userdata;
	bool worked = answer->error.code == ERROR_NONE;

	if (worked && (answer->size != 0 || answer->fd_count != 1)) {
		refuse_answer(opening, answer);
		return;
	}
	if (worked && opening->group->space == opening->space && !opening->device->gone) {
		set_open(opening->manager, opening->device, true);
		describe(opening->manager, opening->device);
	} else if (!worked && answer->error.code == ERROR_FROZEN && opening->group->pe) {
		pe_suspect(opening->group->pe);
	}
	finish(opening, answer);
}

int device_check_present(const struct host_device *device, struct error *error)
{
	return device->gone ? error_set(error, ERROR_NOT_FOUND, 0, "%s was unplugged",
					device->host->name)
			    : 0;
}

int device_check_attached(const struct host_device *device, struct error *error)
{
	const struct group *group = device->group;
	int r = device_check_present(device, error);

	if (r) {
		return r;
	}
	if (!group->space) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "%s is in group %" PRIu32
				 ", which is in no address space: attach it first",
				 device->host->name, group->host->id);
	}
	if (group->space->closing) {
		return error_set(error, ERROR_BUSY, 0, "address space %u of %s is being closed",
				 group->space->number, device->host->name);
	}
	if (group->container_id == 0) {
		return error_set(error, ERROR_BUSY, 0,
				 "group %" PRIu32 " of %s is being attached: ask again when it is",
				 group->host->id, device->host->name);
	}
	return 0;
}

static int check_open(const struct host_device *device, struct error *error)
{
	const struct pe *pe = device->group->pe;
	int r = device_check_attached(device, error);

	return r == 0 && pe ? pe_check_open(pe, error) : r;
}

static int ask(struct opening *opening, struct error *error)
{
	struct host_device *device = opening->device;
	struct worker_open_device body = {.group = device->group->host->id};
	int event = device_alarm_error_event(opening->manager, device);
	int fds[2];
	unsigned int count = 0;
	int r = check_open(device, error);

	if (r) {
		return r;
	}
	(void)snprintf(body.name, sizeof(body.name), "%s", device->host->name);
	if (event >= 0) {
		body.events |= WORKER_EVENT_ERROR;
		fds[count++] = event;
	}
	event = release_event(opening->manager, device);
	if (event >= 0) {
		body.events |= WORKER_EVENT_REQUEST;
		fds[count++] = event;
	}
	opening->space = device->group->space;
	return space_request(opening->space, WORKER_OPEN_DEVICE, &body, sizeof(body), fds, count,
			     handle_answer, opening, error);
}

static void begin(struct pe_turn *turn)
{
	struct opening *opening = (struct opening *)turn;
	struct error error;

	if (ask(opening, &error)) {
		fail(opening, &error);
	}
}

static void refuse(struct pe_turn *turn, const struct error *error)
{
	fail((struct opening *)turn, error);
}

int device_open(struct manager *manager, struct host_device *device, worker_answer_handler handler,
		void *userdata, struct error *error)
{
	cleanup(cleanup_free) struct opening *opening = NULL;
	struct group *group = device->group;
	int r = check_open(device, error);

	if (r) {
		return r;
	}
	if (group->openings == DEVICE_OPENINGS_MAX) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "%u devices of group %" PRIu32
				 " wait to be opened: wait for an answer",
				 DEVICE_OPENINGS_MAX, group->host->id);
	}
	opening = calloc(1, sizeof(*opening));
	if (!opening) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the request");
	}
	opening->turn.begin = begin;
	opening->turn.refuse = refuse;
	opening->manager = manager;
	opening->group = group;
	opening->device = device;
	opening->handler = handler;
	opening->userdata = userdata;
	group->openings++;
	if (group->pe) {
		pe_take_turn(group->pe, &steal_pointer(opening)->turn);
		return 0;
	}
	r = ask(opening, error);
	if (r) {
		group->openings--;
		return r;
	}
	(void)steal_pointer(opening); /* handle_answer frees it */
	return 0;
}
