/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/hotplug.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "broker/inventory.h"
#include "broker/release.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "host/topology_change.h"
#include "host/uevent.h"

#define BATCH 64 /* uevents that are read before others have their turn */

/* When what is open is looked at again: after so long, and twice as long each time. */
#define SETTLE_USEC  UINT64_C(100000)
#define SETTLE_LOOKS 6U

#define OPEN_MAX 64U /* devices without a group; with more all are looked at */

struct hotplug {
	struct manager *manager;
	int fd;
	sd_event_source *source;
	sd_event_source *settle_timer;
	sd_event_source *sweep; /* before the loop waits: groups that have left are let go */
	unsigned int looks_left;
	uint64_t pause; /* until the next look, µs */
	char open[OPEN_MAX][TOPOLOGY_NAME_SIZE];
	unsigned int open_count;
};

/* -- what the topology tells -- */

static void handle_group_added(struct manager *manager, struct topology_group *group)
{
	if (inventory_add_group(manager, group) < 0) {
		log_write(LOG_ERR, LOG_GROUP(group->id), "no memory for a new group");
	} else {
		log_write(LOG_INFO, LOG_GROUP(group->id), "the host has a group more");
	}
}

static void handle_group_removed(struct manager *manager, struct topology_group *host)
{
	struct group *group = host->owner;

	log_write(LOG_INFO, LOG_GROUP(host->id), "the group is gone");
	if (group && group->space) {
		release_take(manager, group, true);
	}
	inventory_remove_group(manager, host);
}

static void handle_device_added(struct manager *manager, struct topology_group *group,
				struct topology_device *device)
{
	if (inventory_add_device(manager, group, device) < 0) {
		log_write(LOG_ERR, LOG_GROUP(group->id), "no memory for the device %s",
			  device->name);
	} else {
		log_write(LOG_INFO, LOG_GROUP(group->id), "the device %s is there", device->name);
	}
}

static void handle_change(void *userdata, enum topology_event event, struct topology_group *group,
			  struct topology_device *device)
{
	struct hotplug *hotplug = userdata;
	struct manager *manager = hotplug->manager;

	switch (event) {
	case TOPOLOGY_GROUP_ADDED:
		handle_group_added(manager, group);
		break;
	case TOPOLOGY_DEVICE_ADDED:
		handle_device_added(manager, group, device);
		break;
	case TOPOLOGY_DEVICE_REMOVED:
		log_write(LOG_INFO, LOG_GROUP(group->id), "the device %s is gone", device->name);
		inventory_remove_device(manager, device);
		break;
	case TOPOLOGY_GROUP_REMOVED:
		handle_group_removed(manager, group);
		break;
	}
}

static void report(int code, const struct error *error)
{
	if (code) {
		log_write(LOG_WARNING, LOG_NO_OBJECT, "a change of the host: %s, ignoring",
			  error->text);
	}
}

static struct topology_listener listener_of(struct hotplug *hotplug)
{
	return (struct topology_listener){.happened = handle_change, .userdata = hotplug};
}

static void look_at_all(struct hotplug *hotplug)
{
	struct topology_listener listener = listener_of(hotplug);
	struct error error;

	report(topology_look_at_all(hotplug->manager->topology, &listener, &error), &error);
}

/* -- settling -- */

static void keep_open(struct hotplug *hotplug, const char *name)
{
	for (unsigned int i = 0; i < hotplug->open_count; i++) {
		if (strcmp(hotplug->open[i], name) == 0) {
			return;
		}
	}
	if (hotplug->open_count < OPEN_MAX) {
		memcpy(hotplug->open[hotplug->open_count++], name, TOPOLOGY_NAME_SIZE);
	}
}

/* One that has no group may get it still, or is none of ours, such as a bridge. */
static void look_at_device(struct hotplug *hotplug, const char *name)
{
	struct topology_listener listener = listener_of(hotplug);
	bool grouped = false;
	struct error error;

	report(topology_look_at_device(hotplug->manager->topology, name, &listener, &grouped,
				       &error),
	       &error);
	if (!grouped) {
		keep_open(hotplug, name);
	}
}

static void look_at_open(struct hotplug *hotplug)
{
	struct topology_listener listener = listener_of(hotplug);
	unsigned int count = hotplug->open_count;
	char names[OPEN_MAX][TOPOLOGY_NAME_SIZE];
	struct error error;

	if (count == OPEN_MAX) {
		look_at_all(hotplug);
		return;
	}
	memcpy(names, hotplug->open, sizeof(names));
	hotplug->open_count = 0;
	for (unsigned int i = 0; i < count; i++) {
		look_at_device(hotplug, names[i]);
	}
	report(topology_look_at_groups(hotplug->manager->topology, &listener, &error), &error);
}

static int handle_settle(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct hotplug *hotplug = userdata;

	(void)usec;
	look_at_open(hotplug);
	if (--hotplug->looks_left == 0) {
		hotplug->open_count = 0;
		return 0;
	}
	hotplug->pause *= 2;
	(void)sd_event_source_set_time_relative(source, hotplug->pause);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void settle(struct hotplug *hotplug)
{
	hotplug->looks_left = SETTLE_LOOKS;
	hotplug->pause = SETTLE_USEC;
	(void)sd_event_source_set_time_relative(hotplug->settle_timer, hotplug->pause);
	(void)sd_event_source_set_enabled(hotplug->settle_timer, SD_EVENT_ONESHOT);
}

/* A group that is gone may leave its address space at any moment, and the list only here. */
static int handle_sweep(sd_event_source *source, void *userdata)
{
	struct hotplug *hotplug = userdata;

	(void)source;
	inventory_sweep(hotplug->manager);
	return 0;
}

/* -- uevents -- */

static void handle_driver(struct manager *manager, const struct uevent *uevent)
{
	struct host_device *device = NULL;

	if (manager_find_device(manager, uevent->name, &device, NULL)) {
		return; /* one without a group */
	}
	if (uevent->action == UEVENT_UNBIND) {
		/* It has been closed, then: before its worker says so, or with its group kept where
		 * it is by others. One that nobody asked for is open since, and the uevent late. */
		if (device->open && device->release_deadline != 0) {
			device_forget(manager, device);
		}
		if (!device->open) {
			release_done(device); /* the kernel waits for nobody any more */
		}
	}
	if (manager->observer && manager->observer->driver_changed) {
		manager->observer->driver_changed(manager->observer_userdata, device);
	}
}

static void handle_pci(struct hotplug *hotplug, const struct uevent *uevent)
{
	struct manager *manager = hotplug->manager;
	struct topology_listener listener = listener_of(hotplug);
	struct error error;

	switch (uevent->action) {
	case UEVENT_REMOVE:
		report(topology_lose_device(manager->topology, uevent->name, &listener, &error),
		       &error);
		break;
	case UEVENT_ADD:
	case UEVENT_CHANGE:
		look_at_device(hotplug, uevent->name);
		break;
	case UEVENT_BIND:
	case UEVENT_UNBIND:
		look_at_device(hotplug, uevent->name);
		handle_driver(manager, uevent);
		break;
	}
}

/* The node of a group whose last VFIO device goes is revoked, and the group is in no container any
 * more, whoever has it open; one that comes is another one. */
static void handle_node(struct hotplug *hotplug, const struct uevent *uevent)
{
	struct manager *manager = hotplug->manager;
	struct group *group = NULL;

	if (manager_find_group(manager, uevent->group, &group, NULL)) {
		return;
	}
	if (uevent->action == UEVENT_REMOVE && group->space) {
		release_take(manager, group, true);
	}
	if (manager->observer && manager->observer->viability_changed) {
		manager->observer->viability_changed(manager->observer_userdata, group);
	}
}

static void handle_uevent(struct hotplug *hotplug, const char *data, size_t size)
{
	struct uevent uevent;

	if (!uevent_parse(data, size, &uevent)) {
		return;
	}
	switch (uevent.subject) {
	case UEVENT_PCI_DEVICE:
		handle_pci(hotplug, &uevent);
		break;
	case UEVENT_VFIO_GROUP:
		handle_node(hotplug, &uevent);
		break;
	}
	settle(hotplug);
}

/* Whether a message is the kernel's: other programs can send to a netlink socket, too. */
static bool is_from_kernel(const struct msghdr *message)
{
	const struct sockaddr_nl *address = message->msg_name;

	return message->msg_namelen < sizeof(*address) || address->nl_family != AF_NETLINK ||
	       address->nl_pid == 0;
}

/* One message. Its size, 0 at the end, or -errno. */
static ssize_t receive(int fd, char buffer[static UEVENT_SIZE_MAX], bool *ret_trusted)
{
	struct sockaddr_nl address = {.nl_family = AF_UNSPEC};
	struct iovec part = {.iov_base = buffer, .iov_len = UEVENT_SIZE_MAX};
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_iov = &part,
		.msg_iovlen = 1,
	};
	ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT);

	if (size < 0) {
		return -errno;
	}
	*ret_trusted = !(message.msg_flags & MSG_TRUNC) && is_from_kernel(&message);
	return size;
}

static int handle_ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct hotplug *hotplug = userdata;
	char buffer[UEVENT_SIZE_MAX];
	bool trusted = false;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		ssize_t size = receive(fd, buffer, &trusted);

		if (size == -ENOBUFS) {
			log_write(LOG_WARNING, LOG_NO_OBJECT,
				  "some uevents of the kernel are lost: looking at all devices");
			look_at_all(hotplug);
			settle(hotplug);
		} else if (size == -EAGAIN || size == -EINTR) {
			return 0;
		} else if (size <= 0) {
			log_error("no uevents come any more: %s; devices that come and go are not "
				  "noticed",
				  size < 0 ? errno_name((int)-size) : "the socket was closed");
			return sd_event_source_set_enabled(source, SD_EVENT_OFF);
		} else if (trusted) {
			handle_uevent(hotplug, buffer, (size_t)size);
		}
	}
	return 0;
}

/* -- the whole -- */

static void cleanup_hotplug(struct hotplug **hotplug)
{
	(void)hotplug_free(*hotplug);
}

static int listen_to_uevents(struct hotplug *hotplug)
{
	sd_event *event = hotplug->manager->event;
	int r;

	hotplug->fd = kernel_open_uevents(hotplug->manager->kernel);
	if (hotplug->fd < 0) {
		return hotplug->fd;
	}
	r = sd_event_add_io(event, &hotplug->source, hotplug->fd, EPOLLIN, handle_ready, hotplug);
	if (r >= 0) {
		r = sd_event_add_time(event, &hotplug->settle_timer, CLOCK_MONOTONIC, 0, 0,
				      handle_settle, hotplug);
	}
	if (r >= 0) {
		r = sd_event_source_set_enabled(hotplug->settle_timer, SD_EVENT_OFF);
	}
	if (r >= 0) {
		r = sd_event_add_post(event, &hotplug->sweep, handle_sweep, hotplug);
	}
	return r;
}

int hotplug_new(struct manager *manager, struct hotplug **ret_hotplug, struct error *error)
{
	cleanup(cleanup_hotplug) struct hotplug *hotplug = calloc(1, sizeof(*hotplug));
	int r;

	if (!hotplug) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory to listen to uevents");
	}
	hotplug->manager = manager;
	hotplug->fd = -1;
	r = listen_to_uevents(hotplug);
	if (r < 0) {
		return error_set(error, ERROR_KERNEL, -r, "can't listen to the kernel's uevents");
	}
	look_at_all(hotplug);
	settle(hotplug);
	*ret_hotplug = steal_pointer(hotplug);
	return 0;
}

struct hotplug *hotplug_free(struct hotplug *hotplug)
{
	if (hotplug) {
		hotplug->sweep = sd_event_source_disable_unref(hotplug->sweep);
		hotplug->settle_timer = sd_event_source_disable_unref(hotplug->settle_timer);
		hotplug->source = sd_event_source_disable_unref(hotplug->source);
		if (hotplug->fd >= 0) {
			hotplug->fd = kernel_close(hotplug->manager->kernel, hotplug->fd);
		}
		free(hotplug);
	}
	return NULL;
}
