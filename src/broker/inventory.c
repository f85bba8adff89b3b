/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/inventory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker/delegation.h"
#include "broker/device_alarm.h"
#include "broker/release.h"

/* Tell the observer, if there is one that wants to know. */
#define TELL(manager, event, record)                                                        \
	do {                                                                                \
		if ((manager)->observer && (manager)->observer->event) {                    \
			(manager)->observer->event((manager)->observer_userdata, (record)); \
		}                                                                           \
	} while (0)

/* -- freeing -- */

static void free_devices(struct host_device *devices)
{
	while (devices) {
		struct host_device *device = devices;

		devices = device->next;
		release_done(device);
		device_alarm_done(device);
		free(device);
	}
}

static void free_group(struct group *group)
{
	group->pe = pe_free(group->pe);
	group->delegation = delegation_free(group->delegation);
	release_done_group(group);
	free_devices(group->devices);
	free_devices(group->gone_devices);
	free(group);
}

void inventory_free(struct manager *manager)
{
	for (size_t i = 0; i < manager->group_count; i++) {
		free_group(manager->groups[i]);
	}
	for (size_t i = 0; i < manager->gone_group_count; i++) {
		free_group(manager->gone_groups[i]);
	}
	free(manager->groups);
	free(manager->gone_groups);
	manager->groups = NULL;
	manager->gone_groups = NULL;
	manager->group_count = 0;
	manager->gone_group_count = 0;
}

/* -- groups -- */

/* Room for one more. */
static int grow(struct group ***groups, size_t count)
{
	struct group **grown = reallocarray(*groups, count + 1, sizeof(struct group *));

	if (!grown) {
		return -ENOMEM;
	}
	*groups = grown;
	return 0;
}

/* In order of their numbers. */
static void insert(struct group **groups, size_t *count, struct group *group)
{
	size_t at = *count;

	while (at > 0 && groups[at - 1]->host->id > group->host->id) {
		groups[at] = groups[at - 1];
		at--;
	}
	groups[at] = group;
	(*count)++;
}

static void take_out(struct group **groups, size_t *count, size_t at)
{
	(*count)--;
	memmove(&groups[at], &groups[at + 1], (*count - at) * sizeof(struct group *));
}

static int new_group(struct manager *manager, struct topology_group *host)
{
	size_t total = manager->group_count + manager->gone_group_count;
	struct group *group;

	/* Room in both lists for all that there are, so that to go and to come back takes no
	 * memory. */
	if (grow(&manager->groups, total) < 0 || grow(&manager->gone_groups, total) < 0) {
		return -ENOMEM;
	}
	group = calloc(1, sizeof(*group));
	if (!group) {
		return -ENOMEM;
	}
	group->host = host;
	host->owner = group;
	insert(manager->groups, &manager->group_count, group);
	return 0;
}

/* The record of a group that was here before, or NULL. One that is in an address space still never
 * left the list. */
static struct group *revive_group(struct manager *manager, const struct topology_group *host)
{
	struct group *group = host->owner;

	for (size_t i = 0; group && i < manager->gone_group_count; i++) {
		if (manager->gone_groups[i] == group) {
			take_out(manager->gone_groups, &manager->gone_group_count, i);
			insert(manager->groups, &manager->group_count, group);
			break;
		}
	}
	return group;
}

int inventory_add_group(struct manager *manager, struct topology_group *host)
{
	struct group *group = revive_group(manager, host);
	int r = group ? 0 : new_group(manager, host);

	if (r < 0) {
		return r;
	}
	group = host->owner;
	group->gone = false;
	if (host->eeh && !group->pe) {
		r = pe_new(manager, group, &group->pe);
	}
	TELL(manager, group_added, group);
	return r;
}

static void drop_group(struct manager *manager, size_t at)
{
	struct group *group = manager->groups[at];

	take_out(manager->groups, &manager->group_count, at);
	manager->gone_groups[manager->gone_group_count++] = group;
	TELL(manager, group_removed, group);
}

void inventory_sweep(struct manager *manager)
{
	for (size_t i = manager->group_count; i > 0; i--) {
		const struct group *group = manager->groups[i - 1];

		if (group->gone && !group->space) {
			drop_group(manager, i - 1);
		}
	}
}

void inventory_remove_group(struct manager *manager, struct topology_group *host)
{
	struct group *group = host->owner;

	if (group) {
		group->gone = true;
		inventory_sweep(manager);
	}
}

/* -- devices -- */

/* Take a device out of a list it is in. */
static void unlink_device(struct host_device **list, const struct host_device *device)
{
	while (*list && *list != device) {
		list = &(*list)->next;
	}
	*list = device->next;
}

/* In order of their names, as the topology has them. */
static void link_device(struct host_device **list, struct host_device *device)
{
	while (*list && strcmp((*list)->host->name, device->host->name) < 0) {
		list = &(*list)->next;
	}
	device->next = *list;
	*list = device;
}

static struct host_device *new_device(struct group *group, struct topology_device *host)
{
	struct host_device *device = calloc(1, sizeof(*device));

	if (device) {
		device->group = group;
		device->host = host;
		device->request_event = -1;
		host->owner = device;
	}
	return device;
}

static int learn_devices(struct manager *manager, struct group *group)
{
	if (group->pe) {
		pe_devices_changed(group->pe);
		return 0;
	}
	return group->host->eeh ? pe_new(manager, group, &group->pe) : 0;
}

static int add_device(struct group *group, struct topology_device *host,
		      struct host_device **ret_device)
{
	struct host_device *device = host->owner;

	if (device) {
		unlink_device(&group->gone_devices, device);
	} else {
		device = new_device(group, host);
	}
	if (!device) {
		return -ENOMEM;
	}
	device->gone = false;
	device->reset_works = false;
	device->described = false;
	link_device(&group->devices, device);
	*ret_device = device;
	return 0;
}

int inventory_add_device(struct manager *manager, struct topology_group *group,
			 struct topology_device *host)
{
	struct group *owner = group->owner;
	struct host_device *device = NULL;
	int r = owner ? add_device(owner, host, &device) : -ENOMEM;

	if (r < 0) {
		return r;
	}
	TELL(manager, device_added, device);
	r = learn_devices(manager, owner);
	TELL(manager, group_devices_changed, owner);
	return r;
}

void inventory_remove_device(struct manager *manager, struct topology_device *host)
{
	struct host_device *device = host->owner;
	struct group *group = device ? device->group : NULL;

	if (!device) {
		return;
	}
	unlink_device(&group->devices, device);
	link_device(&group->gone_devices, device);
	device->gone = true;
	device_forget(manager, device);
	(void)learn_devices(manager, group);
	/* Nobody is to find a device there that the bus doesn't have any more. */
	TELL(manager, group_devices_changed, group);
	TELL(manager, device_removed, device);
}

/* -- from the start -- */

int inventory_fill(struct manager *manager, struct error *error)
{
	const struct topology *topology = manager->topology;

	for (size_t i = 0; i < topology->group_count; i++) {
		struct topology_group *group = topology->groups[i];
		struct host_device *device = NULL;
		int r = inventory_add_group(manager, group);

		for (size_t j = 0; r == 0 && j < group->device_count; j++) {
			r = add_device(group->owner, group->devices[j], &device);
		}
		if (r < 0) {
			return error_set(error, ERROR_KERNEL, -r, "no memory for group %" PRIu32,
					 group->id);
		}
	}
	return 0;
}
