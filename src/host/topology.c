/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/topology.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/driver.h"
#include "common/names.h"
#include "host/device_tree.h"
#include "host/topology_private.h"

const char *host_kind_name(enum host_kind kind)
{
	switch (kind) {
	case HOST_KIND_TYPE1:
		return "type1";
	case HOST_KIND_POWERNV:
		return "powernv";
	case HOST_KIND_PSERIES:
		return "pseries";
	}
	return "unknown";
}

static void cleanup_directory(DIR **directory)
{
	if (*directory) {
		(void)closedir(*directory);
	}
}

static void cleanup_topology(struct topology **topology)
{
	(void)topology_free(*topology);
}

static void free_group(struct topology_group *group)
{
	for (size_t i = 0; i < group->device_count; i++) {
		free(group->devices[i]);
	}
	free(group->devices);
	free(group);
}

struct topology *topology_free(struct topology *topology)
{
	if (topology) {
		for (size_t i = 0; i < topology->group_count; i++) {
			free_group(topology->groups[i]);
		}
		for (size_t i = 0; i < topology->gone_group_count; i++) {
			free_group(topology->gone_groups[i]);
		}
		for (size_t i = 0; i < topology->gone_device_count; i++) {
			free(topology->gone_devices[i]);
		}
		free(topology->gone_groups);
		free(topology->gone_devices);
		free(topology->sysfs_root);
		free(topology->phbs);
		free(topology->groups);
		free(topology);
	}
	return NULL;
}

/* A whole number in a file, "0x1234\n" or decimal. 0 or -errno. */
static int read_number(const char *path, unsigned long most, unsigned long *ret_value)
{
	cleanup(cleanup_file) FILE *file = fopen(path, "re");
	char text[32];
	char *end = NULL;
	unsigned long value;

	if (!file) {
		return -errno;
	}
	if (!fgets(text, sizeof(text), file)) {
		return -EIO;
	}
	errno = 0;
	value = strtoul(text, &end, 0);
	if (errno || end == text || (*end != '\n' && *end != '\0') || value > most) {
		return -EBADMSG;
	}
	*ret_value = value;
	return 0;
}

static int read_device_number(const char *sysfs_root, const char *device, const char *attribute,
			      unsigned long most, unsigned long *ret_value, struct error *error)
{
	char path[PATH_MAX];
	int r;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/%s", sysfs_root, device,
		       attribute);
	r = read_number(path, most, ret_value);
	return r < 0 ? error_set(error, ERROR_KERNEL, -r, "can't read a number from %s", path) : 0;
}

int topology_read_device(const char *sysfs_root, const char *name, uint32_t group,
			 struct topology_device *ret_device, struct error *error)
{
	struct topology_device device = {.group = group};
	unsigned long vendor = 0;
	unsigned long id = 0;
	unsigned long class = 0;
	int r;

	if (strlen(name) >= sizeof(device.name)) {
		return error_set(error, ERROR_KERNEL, 0,
				 "device %s of group %" PRIu32
				 " has a name that is too long for a PCI device",
				 name, group);
	}
	(void)snprintf(device.name, sizeof(device.name), "%s", name);
	r = read_device_number(sysfs_root, name, "vendor", UINT16_MAX, &vendor, error);
	if (r) {
		return r;
	}
	r = read_device_number(sysfs_root, name, "device", UINT16_MAX, &id, error);
	if (r) {
		return r;
	}
	r = read_device_number(sysfs_root, name, "class", 0xffffff, &class, error);
	if (r) {
		return r;
	}
	device.vendor = (uint16_t)vendor;
	device.device = (uint16_t)id;
	device.class = (uint32_t) class;
	*ret_device = device;
	return 0;
}

static int compare_devices(const void *a, const void *b)
{
	const struct topology_device *const *left = a;
	const struct topology_device *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

int topology_insert_device(struct topology_group *group, struct topology_device *device)
{
	struct topology_device **grown = reallocarray(group->devices, group->device_count + 1,
						      sizeof(struct topology_device *));

	if (!grown) {
		return -ENOMEM;
	}
	group->devices = grown;
	grown[group->device_count++] = device;
	qsort(grown, group->device_count, sizeof(struct topology_device *), compare_devices);
	return 0;
}

static int add_device(struct topology_group *group, const struct topology_device *device)
{
	struct topology_device *added = malloc(sizeof(*added));

	if (!added) {
		return -ENOMEM;
	}
	*added = *device;
	if (topology_insert_device(group, added) < 0) {
		free(added);
		return -ENOMEM;
	}
	return 0;
}

/* Platform devices can be in groups too; only PCI devices are ours. */
static bool is_pci_device(const char *sysfs_root, const char *name)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s", sysfs_root, name);
	return access(path, F_OK) == 0;
}

static int read_group_devices(const struct topology *topology, struct topology_group *group,
			      struct error *error)
{
	char path[PATH_MAX];
	cleanup(cleanup_directory) DIR *directory = NULL;
	struct dirent *entry;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_IOMMU_GROUPS "/%" PRIu32 "/devices",
		       topology->sysfs_root, group->id);
	directory = opendir(path);
	if (!directory) {
		return error_set(error, ERROR_KERNEL, errno, "can't list %s", path);
	}
	while ((entry = readdir(directory))) {
		struct topology_device device;
		int r;

		if (entry->d_name[0] == '.' ||
		    !is_pci_device(topology->sysfs_root, entry->d_name)) {
			continue;
		}
		r = topology_read_device(topology->sysfs_root, entry->d_name, group->id, &device,
					 error);
		if (r) {
			return r;
		}
		if (add_device(group, &device) < 0) {
			return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the devices");
		}
	}
	return 0;
}

/* The PE behind a group, from the name that the kernel gives groups on POWER. */
static void read_group_name(const char *sysfs_root, struct topology_group *group)
{
	char path[PATH_MAX];
	cleanup(cleanup_file) FILE *file = NULL;
	char text[64];
	unsigned int domain;
	unsigned int pe;
	int used = 0;

	group->phb_id = TOPOLOGY_UNKNOWN;
	group->pe_number = TOPOLOGY_UNKNOWN;
	(void)snprintf(path, sizeof(path), "%s/" SYSFS_IOMMU_GROUPS "/%" PRIu32 "/name", sysfs_root,
		       group->id);
	file = fopen(path, "re");
	if (!file || !fgets(text, sizeof(text), file)) {
		return; /* other architectures don't name their groups */
	}
	/* NOLINTNEXTLINE(cert-err34-c): a number that overflows is one that we don't know */
	if (sscanf(text, "domain%u-pe%x%n", &domain, &pe, &used) == 2 &&
	    (text[used] == '\n' || text[used] == '\0')) {
		group->phb_id = domain;
		group->pe_number = pe;
	}
}

/* Any of them will do: the kernel makes the file for each device that it has EEH for. */
static bool group_has_eeh(const char *sysfs_root, const struct topology_group *group)
{
	for (size_t i = 0; i < group->device_count; i++) {
		char path[PATH_MAX];

		(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/" SYSFS_EEH_STATE,
			       sysfs_root, group->devices[i]->name);
		if (access(path, F_OK) == 0) {
			return true;
		}
	}
	return false;
}

void topology_read_group(const struct topology *topology, struct topology_group *group)
{
	read_group_name(topology->sysfs_root, group);
}

void topology_learn_devices(const struct topology *topology, struct topology_group *group)
{
	group->eeh = group_has_eeh(topology->sysfs_root, group);
	topology_place_group(topology, group);
	for (size_t i = 0; i < group->device_count; i++) {
		topology_read_location(topology, group->devices[i], group->devices[i]->location);
	}
}

static int compare_groups(const void *a, const void *b)
{
	uint32_t left = (*(const struct topology_group *const *)a)->id;
	uint32_t right = (*(const struct topology_group *const *)b)->id;

	return (left > right) - (left < right);
}

int topology_insert_group(struct topology *topology, struct topology_group *group)
{
	struct topology_group **grown = reallocarray(topology->groups, topology->group_count + 1,
						     sizeof(struct topology_group *));

	if (!grown) {
		return -ENOMEM;
	}
	topology->groups = grown;
	grown[topology->group_count++] = group;
	qsort(grown, topology->group_count, sizeof(struct topology_group *), compare_groups);
	return 0;
}

static int add_group(struct topology *topology, const char *name)
{
	struct topology_group *group;
	char *end = NULL;
	unsigned long id;

	errno = 0;
	id = strtoul(name, &end, 10);
	if (errno || end == name || *end != '\0' || id >= UINT32_MAX) {
		return 0; /* ".", "..", and nothing else */
	}
	group = calloc(1, sizeof(*group));
	if (!group) {
		return -ENOMEM;
	}
	group->id = (uint32_t)id;
	if (topology_insert_group(topology, group) < 0) {
		free(group);
		return -ENOMEM;
	}
	return 0;
}

static int read_groups(struct topology *topology, struct error *error)
{
	char path[PATH_MAX];
	cleanup(cleanup_directory) DIR *directory = NULL;
	struct dirent *entry;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_IOMMU_GROUPS, topology->sysfs_root);
	directory = opendir(path);
	if (!directory) {
		if (errno == ENOENT) {
			return 0; /* no IOMMU: a host with nothing to manage */
		}
		return error_set(error, ERROR_KERNEL, errno, "can't list %s", path);
	}
	while ((entry = readdir(directory))) {
		if (add_group(topology, entry->d_name) < 0) {
			return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the groups");
		}
	}
	return 0;
}

static uint64_t running_memory_size(void)
{
	struct sysinfo info;

	return sysinfo(&info) < 0 ? 0 : (uint64_t)info.totalram * info.mem_unit;
}

static enum host_kind find_kind(const struct device_tree *tree)
{
	if (device_tree_is_powernv(tree)) {
		return HOST_KIND_POWERNV;
	}
	/* Arm and others have device trees as well. */
	return device_tree_is_pseries(tree) ? HOST_KIND_PSERIES : HOST_KIND_TYPE1;
}

static void read_memory(struct topology *topology, const struct device_tree *tree)
{
	struct device_tree_memory memory = {.installed = 0};

	if (tree) {
		memory = device_tree_read_memory(tree);
	}
	if (memory.maximum == 0) {
		memory.installed = running_memory_size();
		memory.maximum = memory.installed;
	}
	topology->memory_installed = memory.installed;
	topology->memory_max = memory.maximum;
}

static int read_platform(struct topology *topology, struct error *error)
{
	cleanup(cleanup_free) struct device_tree *tree = NULL;
	int r = device_tree_find(topology->sysfs_root, &tree);

	if (r < 0 && r != -ENOENT) {
		return error_set(error, ERROR_KERNEL, -r,
				 "can't read the device tree, %s/" SYSFS_FDT
				 " or the files of %s/" SYSFS_DEVICE_TREE,
				 topology->sysfs_root, topology->sysfs_root);
	}
	read_memory(topology, tree);
	topology->kind = tree ? find_kind(tree) : HOST_KIND_TYPE1;
	return tree ? topology_read_phbs(topology, tree, error) : 0;
}

int topology_read(const char *sysfs_root, struct topology **ret_topology, struct error *error)
{
	cleanup(cleanup_topology) struct topology *topology = calloc(1, sizeof(*topology));
	int r;

	if (topology) {
		topology->sysfs_root = strdup(sysfs_root);
	}
	if (!topology || !topology->sysfs_root) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the topology");
	}
	r = read_platform(topology, error);
	if (r) {
		return r;
	}
	r = read_groups(topology, error);
	if (r) {
		return r;
	}
	for (size_t i = 0; i < topology->group_count; i++) {
		struct topology_group *group = topology->groups[i];

		topology_read_group(topology, group);
		r = read_group_devices(topology, group, error);
		if (r) {
			return r;
		}
		topology_learn_devices(topology, group);
	}
	*ret_topology = steal_pointer(topology);
	return 0;
}

struct topology_group *topology_find_group(const struct topology *topology, uint32_t id)
{
	const struct topology_group key = {.id = id};
	const struct topology_group *const key_pointer = &key;
	struct topology_group **found;

	if (topology->group_count == 0) {
		return NULL;
	}
	found = bsearch(&key_pointer, topology->groups, topology->group_count,
			sizeof(struct topology_group *), compare_groups);
	return found ? *found : NULL;
}

struct topology_device *topology_find_device(const struct topology *topology, const char *name)
{
	for (size_t i = 0; i < topology->group_count; i++) {
		const struct topology_group *group = topology->groups[i];

		for (size_t j = 0; j < group->device_count; j++) {
			if (strcmp(group->devices[j]->name, name) == 0) {
				return group->devices[j];
			}
		}
	}
	return NULL;
}

void topology_read_driver(const struct topology *topology, const struct topology_device *device,
			  char ret_driver[static TOPOLOGY_DRIVER_SIZE])
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	ssize_t length;
	const char *name;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/driver",
		       topology->sysfs_root, device->name);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	name = strrchr(target, '/');
	(void)snprintf(ret_driver, TOPOLOGY_DRIVER_SIZE, "%.*s", TOPOLOGY_DRIVER_SIZE - 1,
		       name ? name + 1 : "");
}

/* -- EEH -- */

int topology_read_eeh_state(const struct topology *topology, const struct topology_group *group,
			    uint32_t ret_words[static 2])
{
	char path[PATH_MAX];
	cleanup(cleanup_file) FILE *file = NULL;
	char text[64];
	unsigned int firmware;
	unsigned int kernel;
	int used = 0;

	if (group->device_count == 0) {
		return -ENODEV;
	}
	/* The kernel finds a group's PE by its first device (field note H50). */
	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/" SYSFS_EEH_STATE,
		       topology->sysfs_root, group->devices[0]->name);
	file = fopen(path, "re");
	if (!file) {
		return -errno;
	}
	errno = 0;
	if (!fgets(text, sizeof(text), file)) {
		return errno ? -errno : -ENODATA;
	}
	/* NOLINTNEXTLINE(cert-err34-c): eight digits don't overflow */
	if (sscanf(text, "0x%8x 0x%8x%n", &firmware, &kernel, &used) != 2 ||
	    (text[used] != '\n' && text[used] != '\0')) {
		return -ENODATA;
	}
	ret_words[0] = firmware;
	ret_words[1] = kernel;
	return 0;
}

/* -- locations -- */

/* A property of a device tree's node that is a text, one that can be shown. Whether there was one.
 */
static bool read_text_property(const char *node, const char *property,
			       char ret_text[static TOPOLOGY_LOCATION_SIZE])
{
	char path[PATH_MAX];
	cleanup(cleanup_file) FILE *file = NULL;
	char text[TOPOLOGY_LOCATION_SIZE];
	size_t size;

	if (snprintf(path, sizeof(path), "%s/%s", node, property) >= (int)sizeof(path)) {
		return false;
	}
	file = fopen(path, "re");
	size = file ? fread(text, 1, sizeof(text), file) : 0;
	if (size < 2 || !memchr(text, '\0', size)) {
		return false;
	}
	for (size_t i = 0; text[i] != '\0'; i++) {
		if (text[i] < 0x20 || text[i] > 0x7e) {
			return false;
		}
	}
	(void)snprintf(ret_text, TOPOLOGY_LOCATION_SIZE, "%s", text);
	return text[0] != '\0';
}

/* Cut the last part of a path off. Whether what is left still lies below another one. */
static bool path_ascend(char *path, const char *top)
{
	char *slash = strrchr(path, '/');

	if (slash) {
		*slash = '\0';
	}
	return slash && strlen(path) > strlen(top);
}

static bool read_node_location(char *node, const char *tree,
			       char ret_location[static TOPOLOGY_LOCATION_SIZE])
{
	if (strncmp(node, tree, strlen(tree)) != 0 || node[strlen(tree)] != '/') {
		return false;
	}
	do {
		if (read_text_property(node, TREE_SLOT_LOCATION, ret_location) ||
		    read_text_property(node, TREE_LOCATION, ret_location)) {
			return true;
		}
	} while (path_ascend(node, tree));
	return false;
}

void topology_read_location(const struct topology *topology, const struct topology_device *device,
			    char ret_location[static TOPOLOGY_LOCATION_SIZE])
{
	char path[PATH_MAX];
	char folder[PATH_MAX]; /* of the device, then of the bridges above it */
	char root[PATH_MAX];
	char tree[PATH_MAX];

	ret_location[0] = '\0';
	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s", topology->sysfs_root,
		       device->name);
	if (!realpath(path, folder) || !realpath(topology->sysfs_root, root)) {
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/" SYSFS_DEVICE_TREE, topology->sysfs_root);
	if (!realpath(path, tree)) {
		return;
	}
	do {
		char node[PATH_MAX];

		/* A virtual function has no node of its own: the bridge above it has. */
		if (snprintf(path, sizeof(path), "%s/of_node", folder) < (int)sizeof(path) &&
		    realpath(path, node)) {
			(void)read_node_location(node, tree, ret_location);
			return;
		}
	} while (path_ascend(folder, root));
}

bool topology_group_is_viable(const struct topology *topology, const struct topology_group *group)
{
	for (size_t i = 0; i < group->device_count; i++) {
		char driver[TOPOLOGY_DRIVER_SIZE];

		topology_read_driver(topology, group->devices[i], driver);
		if (!driver_allows_vfio(driver)) {
			return false;
		}
	}
	return true;
}

void topology_explain_group(const struct topology *topology, const struct topology_group *group,
			    struct error *error)
{
	bool given = false;
	bool foreign = false;

	for (size_t i = 0; i < group->device_count; i++) {
		const struct topology_device *device = group->devices[i];
		char driver[TOPOLOGY_DRIVER_SIZE];

		topology_read_driver(topology, device, driver);
		if (driver[0] == '\0') {
			error_append(error, "; %s has no driver", device->name);
		} else {
			error_append(error, "; %s is bound to %s", device->name, driver);
			given = given || driver_is_vfio(driver);
		}
		if (!driver_allows_vfio(driver)) {
			error_append(error, ": unbind it or bind it to vfio-pci");
			foreign = true;
		}
	}
	if (!given) {
		error_append(error, "; bind a device of group %" PRIu32 " to vfio-pci", group->id);
	}
	if (!given || foreign) {
		error_append(error, "; \"spaprctl bind %" PRIu32 "\" does that for the whole group",
			     group->id);
	}
}
