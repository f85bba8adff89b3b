/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/device.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "broker/manager.h"
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

static void set_open(struct manager *manager, struct host_device *device, bool open)
{
	if (device->open != open) {
		device->open = open;
		if (manager->observer && manager->observer->device_changed) {
			manager->observer->device_changed(manager->observer_userdata, device);
		}
	}
}

void device_forget_group(struct manager *manager, struct group *group)
{
	for (struct host_device *device = group->devices; device; device = device->next) {
		set_open(manager, device, false);
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
	if (worked && opening->group->space == opening->space) {
		set_open(opening->manager, opening->device, true);
	} else if (!worked && answer->error.code == ERROR_FROZEN && opening->group->pe) {
		pe_suspect(opening->group->pe);
	}
	finish(opening, answer);
}

static int check_group(const struct host_device *device, struct error *error)
{
	const struct group *group = device->group;

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
	return group->pe ? pe_check_open(group->pe, error) : 0;
}

static int ask(struct opening *opening, struct error *error)
{
	struct group *group = opening->group;
	struct worker_open_device body = {.group = group->host->id};
	int event = group->pe ? pe_error_event(group->pe) : -1;
	int r = check_group(opening->device, error);

	if (r) {
		return r;
	}
	(void)snprintf(body.name, sizeof(body.name), "%s", opening->device->host->name);
	opening->space = group->space;
	return space_request(group->space, WORKER_OPEN_DEVICE, &body, sizeof(body), &event,
			     event >= 0 ? 1 : 0, handle_answer, opening, error);
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
	int r = check_group(device, error);

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
