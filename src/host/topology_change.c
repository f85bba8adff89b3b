/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/topology_change.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "host/topology_private.h"

static void cleanup_directory(DIR **directory)
{
	if (*directory) {
		(void)closedir(*directory);
	}
}

static int refuse_memory(struct error *error)
{
	return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a change of the host");
}

static void tell(const struct topology_listener *listener, enum topology_event event,
		 struct topology_group *group, struct topology_device *device)
{
	listener->happened(listener->userdata, event, group, device);
}

/* -- arrays of pointers -- */

/* Room for one more. */
static int grow(void ***array, size_t count)
{
	void **grown = reallocarray(*array, count + 1, sizeof(void *));

	if (!grown) {
		return -ENOMEM;
	}
	*array = grown;
	return 0;
}

static void take_out(void **array, size_t *count, const void *entry)
{
	size_t i = 0;

	while (array[i] != entry) {
		i++;
	}
	(*count)--;
	memmove(&array[i], &array[i + 1], (*count - i) * sizeof(void *));
}

/* -- groups -- */

static bool group_is_there(const struct topology *topology, uint32_t id)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_IOMMU_GROUPS "/%" PRIu32,
		       topology->sysfs_root, id);
	return access(path, F_OK) == 0;
}

/* The record that the group had before, out of those that are gone; or a new one. */
static struct topology_group *find_record(struct topology *topology, uint32_t id)
{
	struct topology_group *group;

	for (size_t i = 0; i < topology->gone_group_count; i++) {
		if (topology->gone_groups[i]->id == id) {
			group = topology->gone_groups[i];
			take_out((void **)topology->gone_groups, &topology->gone_group_count,
				 group);
			return group;
		}
	}
	group = calloc(1, sizeof(*group));
	if (group) {
		group->id = id;
	}
	return group;
}

/* It is not told of yet. */
static int add_group(struct topology *topology, uint32_t id, struct topology_group **ret_group,
		     struct error *error)
{
	struct topology_group *group;

	/* So that the record can be kept when there is no room in the list. */
	if (grow((void ***)&topology->gone_groups, topology->gone_group_count) < 0) {
		return refuse_memory(error);
	}
	group = find_record(topology, id);
	if (!group) {
		return refuse_memory(error);
	}
	if (topology_insert_group(topology, group) < 0) {
		topology->gone_groups[topology->gone_group_count++] = group;
		return refuse_memory(error);
	}
	topology_read_group(topology, group);
	topology_learn_devices(topology, group);
	*ret_group = group;
	return 0;
}

/* A group without devices that sysfs doesn't have any more. */
static int settle_group(struct topology *topology, struct topology_group *group,
			const struct topology_listener *listener, struct error *error)
{
	if (group->device_count > 0 || group_is_there(topology, group->id)) {
		return 0;
	}
	if (grow((void ***)&topology->gone_groups, topology->gone_group_count) < 0) {
		return refuse_memory(error);
	}
	take_out((void **)topology->groups, &topology->group_count, group);
	topology->gone_groups[topology->gone_group_count++] = group;
	tell(listener, TOPOLOGY_GROUP_REMOVED, group, NULL);
	return 0;
}

/* -- devices -- */

static struct topology_device *find_gone_device(const struct topology *topology, const char *name,
						uint32_t group)
{
	for (size_t i = 0; i < topology->gone_device_count; i++) {
		struct topology_device *device = topology->gone_devices[i];

		if (device->group == group && strcmp(device->name, name) == 0) {
			return device;
		}
	}
	return NULL;
}

/* A copy in the record that it had before, or in a new one. */
static int insert_device(struct topology *topology, struct topology_group *group,
			 const struct topology_device *now, struct topology_device **ret_device,
			 struct error *error)
{
	struct topology_device *gone = find_gone_device(topology, now->name, group->id);
	struct topology_device *device = gone ? gone : calloc(1, sizeof(*device));
	void *owner = gone ? gone->owner : NULL;

	if (!device) {
		return refuse_memory(error);
	}
	if (topology_insert_device(group, device) < 0) {
		if (!gone) {
			free(device);
		}
		return refuse_memory(error);
	}
	if (gone) {
		take_out((void **)topology->gone_devices, &topology->gone_device_count, gone);
	}
	*device = *now;
	device->owner = owner;
	*ret_device = device;
	return 0;
}

static int add_device(struct topology *topology, const struct topology_device *now,
		      const struct topology_listener *listener, struct error *error)
{
	struct topology_group *group = topology_find_group(topology, now->group);
	struct topology_device *device = NULL;
	bool is_new = !group;
	int r = group ? 0 : add_group(topology, now->group, &group, error);

	if (!group) {
		return r;
	}
	r = insert_device(topology, group, now, &device, error);
	/* Whether it has EEH is known by its devices, and is to be known when it is told of. */
	topology_learn_devices(topology, group);
	if (is_new) {
		tell(listener, TOPOLOGY_GROUP_ADDED, group, NULL);
	}
	if (r == 0) {
		tell(listener, TOPOLOGY_DEVICE_ADDED, group, device);
	}
	return r;
}

static int lose(struct topology *topology, struct topology_device *device,
		const struct topology_listener *listener, struct error *error)
{
	struct topology_group *group = topology_find_group(topology, device->group);

	if (grow((void ***)&topology->gone_devices, topology->gone_device_count) < 0) {
		return refuse_memory(error);
	}
	take_out((void **)group->devices, &group->device_count, device);
	topology->gone_devices[topology->gone_device_count++] = device;
	tell(listener, TOPOLOGY_DEVICE_REMOVED, group, device);
	return settle_group(topology, group, listener, error);
}

int topology_lose_device(struct topology *topology, const char *name,
			 const struct topology_listener *listener, struct error *error)
{
	struct topology_device *device = topology_find_device(topology, name);

	return device ? lose(topology, device, listener, error) : 0;
}

/* The group that sysfs says a device is in. Whether it is in one. */
static bool find_group_of(const struct topology *topology, const char *name, uint32_t *ret_group)
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	const char *number;
	char *end = NULL;
	unsigned long id;
	ssize_t length;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/iommu_group",
		       topology->sysfs_root, name);
	length = readlink(path, target, sizeof(target) - 1);
	if (length <= 0) {
		return false;
	}
	target[length] = '\0';
	number = strrchr(target, '/');
	if (!number || number[1] < '0' || number[1] > '9') {
		return false;
	}
	errno = 0;
	id = strtoul(number + 1, &end, 10);
	if (errno || *end != '\0' || id >= UINT32_MAX) {
		return false;
	}
	*ret_group = (uint32_t)id;
	return true;
}

static bool is_the_same(const struct topology_device *a, const struct topology_device *b)
{
	return a->group == b->group && a->vendor == b->vendor && a->device == b->device &&
	       a->class == b->class;
}

int topology_look_at_device(struct topology *topology, const char *name,
			    const struct topology_listener *listener, bool *ret_grouped,
			    struct error *error)
{
	struct topology_device *known = topology_find_device(topology, name);
	struct topology_device now = {.group = 0};
	uint32_t group = 0;
	int r;

	*ret_grouped = find_group_of(topology, name, &group);
	if (!*ret_grouped) {
		return known ? lose(topology, known, listener, error) : 0;
	}
	r = topology_read_device(topology->sysfs_root, name, group, &now, error);
	if (r) {
		return r;
	}
	if (known && is_the_same(known, &now)) {
		return 0;
	}
	r = known ? lose(topology, known, listener, error) : 0;
	return r ? r : add_device(topology, &now, listener, error);
}

/* -- everything -- */

/* Whether a group's directory has a number for a name. */
static bool read_group_id(const char *name, uint32_t *ret_id)
{
	char *end = NULL;
	unsigned long id;

	errno = 0;
	id = strtoul(name, &end, 10);
	if (errno || end == name || *end != '\0' || id >= UINT32_MAX) {
		return false;
	}
	*ret_id = (uint32_t)id;
	return true;
}

static int find_new_groups(struct topology *topology, const struct topology_listener *listener,
			   struct error *error)
{
	char path[PATH_MAX];
	cleanup(cleanup_directory) DIR *directory = NULL;
	struct dirent *entry;
	int r = 0;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_IOMMU_GROUPS, topology->sysfs_root);
	directory = opendir(path);
	if (!directory) {
		return errno == ENOENT
			       ? 0
			       : error_set(error, ERROR_KERNEL, errno, "can't list %s", path);
	}
	while (r == 0 && (entry = readdir(directory))) {
		struct topology_group *group = NULL;
		uint32_t id = 0;

		if (read_group_id(entry->d_name, &id) && !topology_find_group(topology, id)) {
			r = add_group(topology, id, &group, error);
		}
		if (group) {
			tell(listener, TOPOLOGY_GROUP_ADDED, group, NULL);
		}
	}
	return r;
}

int topology_look_at_groups(struct topology *topology, const struct topology_listener *listener,
			    struct error *error)
{
	int r = 0;

	for (size_t i = topology->group_count; r == 0 && i > 0; i--) {
		r = settle_group(topology, topology->groups[i - 1], listener, error);
	}
	return r ? r : find_new_groups(topology, listener, error);
}

/* Names of devices, to go through while the lists change. */
struct names {
	char (*name)[TOPOLOGY_NAME_SIZE];
	size_t count;
};

static void cleanup_names(struct names *names)
{
	free(names->name);
}

static int add_name(struct names *names, const char *name)
{
	char(*grown)[TOPOLOGY_NAME_SIZE];

	if (name[0] == '.' || strlen(name) >= TOPOLOGY_NAME_SIZE) {
		return 0;
	}
	grown = reallocarray(names->name, names->count + 1, sizeof(*grown));
	if (!grown) {
		return -ENOMEM;
	}
	names->name = grown;
	(void)snprintf(grown[names->count++], TOPOLOGY_NAME_SIZE, "%s", name);
	return 0;
}

static int list_known(const struct topology *topology, struct names *names)
{
	int r = 0;

	for (size_t i = 0; i < topology->group_count; i++) {
		const struct topology_group *group = topology->groups[i];

		for (size_t j = 0; r == 0 && j < group->device_count; j++) {
			r = add_name(names, group->devices[j]->name);
		}
	}
	return r;
}

static int list_present(const struct topology *topology, struct names *names)
{
	char path[PATH_MAX];
	cleanup(cleanup_directory) DIR *directory = NULL;
	struct dirent *entry;
	int r = 0;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES, topology->sysfs_root);
	directory = opendir(path);
	while (r == 0 && directory && (entry = readdir(directory))) {
		r = add_name(names, entry->d_name);
	}
	return r;
}

int topology_look_at_all(struct topology *topology, const struct topology_listener *listener,
			 struct error *error)
{
	cleanup(cleanup_names) struct names names = {.count = 0};
	struct error other;
	int result = 0;

	if (list_known(topology, &names) < 0 || list_present(topology, &names) < 0) {
		return refuse_memory(error);
	}
	for (size_t i = 0; i < names.count; i++) {
		bool grouped = false;
		int r = topology_look_at_device(topology, names.name[i], listener, &grouped,
						result ? &other : error);

		result = result ? result : r;
	}
	if (topology_look_at_groups(topology, listener, result ? &other : error)) {
		result = ERROR_KERNEL;
	}
	return result;
}
