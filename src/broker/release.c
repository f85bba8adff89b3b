/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/release.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "broker/device_alarm.h"
#include "broker/manager.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/names.h"

#define RETRY_USEC  UINT64_C(1000000)
#define HOLDERS_MAX 8

/* The kernel rings every ten seconds, and whenever somebody signals the process that waits in it:
 * who keeps it waiting is said once, and then every hour. */
#define NAME_HOLDERS_USEC UINT64_C(3600000000)

#define WHY_ASKED "the kernel wants the device back: somebody unbinds or unplugs it"

static const struct access_policy *access_policy(const struct manager *manager)
{
	return manager->policies ? &manager->policies->access : &access_policy_default;
}

static void tell(struct host_device *device)
{
	struct manager *manager = device->manager;

	if (manager->observer && manager->observer->device_changed) {
		manager->observer->device_changed(manager->observer_userdata, device,
						  DEVICE_CHANGED_RELEASE);
	}
}

/* -- taking groups -- */

/* What is being done about a group that is to be taken. */
struct taking {
	struct manager *manager;
	struct group *group;
	bool only_gone;
	bool asked; /* the worker has not answered yet */
	bool left;  /* the group has; the answer is all that is still to come */
	sd_event_source *timer;
};

static void try_to_take(struct taking *taking);

static int handle_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	try_to_take(userdata);
	return 0;
}

static void retry_later(struct taking *taking)
{
	taking->timer = sd_event_source_disable_unref(taking->timer);
	(void)sd_event_add_time_relative(taking->manager->event, &taking->timer, CLOCK_MONOTONIC,
					 RETRY_USEC, 0, handle_retry, taking);
}

static void forget_taking(struct group *group)
{
	struct taking *taking = steal_pointer(group->taking);

	if (taking) {
		taking->timer = sd_event_source_disable_unref(taking->timer);
		free(taking);
	}
}

/* Whether it is worth to ask once more: another program's file is waited for without asking, since
 * what follows its close tells of itself. */
static bool is_busy(const struct error *error)
{
	return error->code == ERROR_BUSY && error->errnum == 0;
}

static void handle_taken(void *userdata, const struct worker_answer *answer)
{
	struct taking *taking = userdata;
	struct group *group = taking->group;

	taking->asked = false;
	if (!taking->left && is_busy(&answer->error)) {
		retry_later(taking);
		return;
	}
	if (answer->error.code == ERROR_NONE) {
		log_info("group %" PRIu32 " was taken from its address space", group->host->id);
	} else if (answer->error.code != ERROR_GROUP_BUSY &&
		   answer->error.code != ERROR_NOT_FOUND &&
		   answer->error.code != ERROR_WORKER_LOST) {
		log_write(LOG_WARNING, LOG_GROUP(group->host->id),
			  "group %" PRIu32 " can't be taken from its address space: %s",
			  group->host->id, answer->error.text);
	}
	forget_taking(group);
}

/* Whoever is at something with it, is no more: a recovery would only wait for what does not come.
 */
static void try_to_take(struct taking *taking)
{
	struct group *group = taking->group;
	uint32_t flags = WORKER_DETACH_FORCE | (taking->only_gone ? WORKER_DETACH_IF_GONE : 0U);
	struct error error;

	if (!group->space || group->space->closing) {
		forget_taking(group);
		return;
	}
	if (group->container_id == 0) { /* it is just being attached */
		retry_later(taking);
		return;
	}
	if (group->pe && !taking->only_gone) {
		pe_taken(group->pe);
	}
	taking->asked = true;
	if (space_take_group(group->space, group, flags, handle_taken, taking, &error)) {
		taking->asked = false;
		log_write(LOG_WARNING, LOG_GROUP(group->host->id),
			  "group %" PRIu32 " can't be taken from its address space: %s",
			  group->host->id, error.text);
		retry_later(taking);
	}
}

void release_take(struct manager *manager, struct group *group, bool only_gone)
{
	if (!group->space || group->space->closing) {
		return;
	}
	if (group->taking) {
		/* What is under way may be too mild. */
		group->taking->only_gone = group->taking->only_gone && only_gone;
		return;
	}
	group->taking = calloc(1, sizeof(*group->taking));
	if (!group->taking) {
		log_error("no memory to take group %" PRIu32 " from its address space",
			  group->host->id);
		return;
	}
	group->taking->manager = manager;
	group->taking->group = group;
	group->taking->only_gone = only_gone;
	try_to_take(group->taking);
}

void release_group_left(struct group *group)
{
	if (group->taking && group->taking->asked) {
		group->taking->left = true;
	} else {
		forget_taking(group);
	}
}

void release_done_group(struct group *group)
{
	forget_taking(group);
}

/* -- devices that are asked back -- */

static int handle_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct host_device *device = userdata;

	(void)source;
	(void)usec;
	log_write(LOG_WARNING, LOG_GROUP(device->group->host->id),
		  "nobody let go of %s in time: group %" PRIu32 " is taken from address space %u",
		  device->host->name, device->group->host->id,
		  device->group->space ? device->group->space->number : 0);
	release_take(device->manager, device->group, false);
	return 0;
}

static void ask_owner(struct host_device *device)
{
	struct manager *manager = device->manager;
	uint32_t seconds = (access_policy(manager)->release_timeout + 999) / 1000;
	uint64_t usec = UINT64_C(1000) * access_policy(manager)->release_timeout;

	device->release_deadline = clock_microseconds() + usec;
	(void)sd_event_source_disable_unref(device->release_timer);
	device->release_timer = NULL;
	if (sd_event_add_time(manager->event, &device->release_timer, CLOCK_MONOTONIC,
			      device->release_deadline, 0, handle_deadline, device) < 0) {
		log_error("no memory to wait for the release of %s: it is taken at once",
			  device->host->name);
		release_take(manager, device->group, false);
	}
	if (device->group->pe) {
		pe_asked_back(device->group->pe);
	}
	log_info("%s is asked back by the kernel: address space %u has %" PRIu32
		 " s to detach group %" PRIu32,
		 device->host->name, device->group->space ? device->group->space->number : 0,
		 seconds, device->group->host->id);
	tell(device);
	/* The kernel shows no driver any more, and says so by a uevent only at the end. */
	if (manager->observer && manager->observer->driver_changed) {
		manager->observer->driver_changed(manager->observer_userdata, device);
	}
	if (manager->observer && manager->observer->release_requested) {
		manager->observer->release_requested(manager->observer_userdata, device, seconds,
						     WHY_ASKED);
	}
}

/* It is closed here, and the kernel still waits. */
static void name_holders(struct host_device *device)
{
	uint64_t now = clock_microseconds();
	char path[32];
	char text[128] = "";
	size_t used = 0;
	pid_t pids[HOLDERS_MAX];
	int count;

	if (device->holders_named != 0 && now - device->holders_named < NAME_HOLDERS_USEC) {
		return;
	}
	device->holders_named = now;
	(void)snprintf(path, sizeof(path), NODE_GROUP_PREFIX "%" PRIu32, device->group->host->id);
	count = kernel_find_holders(device->manager->kernel, path, pids, HOLDERS_MAX);
	for (int i = 0; i < count && i < HOLDERS_MAX; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%d",
					 i > 0 ? ", " : " process ", (int)pids[i]);
	}
	log_write(LOG_WARNING, LOG_GROUP(device->group->host->id),
		  "%s is closed here, and the kernel waits on: another program has a copy of its "
		  "fd%s%s",
		  device->host->name, count > 0 ? ", perhaps" : "", text);
}

/* Nothing has rung since. */
static bool take_rings(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

static int handle_request_event(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct host_device *device = userdata;

	(void)source;
	(void)events;
	if (!take_rings(fd)) {
		return 0;
	}
	device_alarm_ring(device, DEVICE_ALARM_REQUEST);
	if (device->open && device->release_deadline == 0) {
		ask_owner(device);
	} else if (!device->open && !device->gone && device->group->openings == 0) {
		name_holders(device);
	}
	return 0;
}

int release_event(struct manager *manager, struct host_device *device)
{
	cleanup(cleanup_fd) int fd = -1;

	if (device->request_event >= 0) {
		return device->request_event;
	}
	fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	device->manager = manager;
	if (fd >= 0 && sd_event_add_io(manager->event, &device->request_source, fd, EPOLLIN,
				       handle_request_event, device) >= 0) {
		device->request_event = steal_fd(&fd);
	}
	return device->request_event;
}

void release_end(struct host_device *device)
{
	device->release_timer = sd_event_source_disable_unref(device->release_timer);
	if (device->release_deadline == 0 || device->gone) {
		release_done(device);
	} else {
		/* What rang before the close is no sign that the kernel waits on. */
		(void)take_rings(device->request_event);
	}
	if (device->release_deadline != 0) {
		device->release_deadline = 0;
		tell(device);
	}
}

void release_done(struct host_device *device)
{
	device->release_timer = sd_event_source_disable_unref(device->release_timer);
	device->request_source = sd_event_source_disable_unref(device->request_source);
	device->request_event = fd_close(device->request_event);
	device->holders_named = 0;
}
