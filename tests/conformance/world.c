/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "world.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICES      "/sys/bus/pci/devices"
#define DEVICES_MOST 64
#define VFIO_DRIVER  "vfio-pci"

#define EDU_ID UINT32_C(0x123411e8)
#define NIC_ID UINT32_C(0x808610d3)

struct device {
	char name[NAME_SIZE];
	char driver[NAME_SIZE];
	char group[NAME_SIZE];
	uint32_t id; /* vendor and device */
};

struct world world;

static const char *const role_names[GROUPS] = {
	[EDU] = "edu",         [NIC] = "nic", [EDU_2] = "edu 2", [NOT_VIABLE] = "not viable",
	[NO_NODE] = "no node",
};

/* -- devices -- */

/* The last part of a link's target, "" if there is none. */
static void read_link(const char *device, const char *link, char ret_name[static NAME_SIZE])
{
	char path[128];
	char target[256];
	ssize_t length;
	const char *last;

	ret_name[0] = '\0';
	(void)snprintf(path, sizeof(path), DEVICES "/%s/%s", device, link);
	length = readlink(path, target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = '\0';
		last = strrchr(target, '/');
		(void)snprintf(ret_name, NAME_SIZE, "%.31s", last ? last + 1 : target);
	}
}

static uint32_t read_number(const char *device, const char *attribute)
{
	char path[128];
	char text[32] = "";
	int fd;

	(void)snprintf(path, sizeof(path), DEVICES "/%s/%s", device, attribute);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!read(fd, text, sizeof(text) - 1);
		(void)close(fd);
	}
	return (uint32_t)strtoul(text, NULL, 16);
}

static int compare_devices(const void *left, const void *right)
{
	const struct device *one = left;
	const struct device *other = right;

	return strcmp(one->name, other->name);
}

static size_t find_devices(struct device devices[static DEVICES_MOST])
{
	DIR *directory = opendir(DEVICES);
	size_t count = 0;
	const struct dirent *entry;

	while (directory && count < DEVICES_MOST && (entry = readdir(directory))) {
		struct device *device = &devices[count];

		if (entry->d_name[0] == '.') {
			continue;
		}
		(void)snprintf(device->name, NAME_SIZE, "%.31s", entry->d_name);
		read_link(device->name, "driver", device->driver);
		read_link(device->name, "iommu_group", device->group);
		device->id = read_number(device->name, "vendor") << 16 |
			     read_number(device->name, "device");
		count++;
	}
	if (directory) {
		(void)closedir(directory);
	}
	qsort(devices, count, sizeof(devices[0]), compare_devices);
	return count;
}

/* -- roles -- */

/* What of the same group is bound to another driver, NULL if nothing is. Ports don't count. */
static const struct device *find_sibling(const struct device *devices, size_t count,
					 const struct device *device)
{
	for (size_t i = 0; i < count; i++) {
		const struct device *other = &devices[i];

		if (other != device && strcmp(other->group, device->group) == 0 &&
		    other->driver[0] && strcmp(other->driver, VFIO_DRIVER) != 0 &&
		    strcmp(other->driver, "pcieport") != 0) {
			return other;
		}
	}
	return NULL;
}

static bool has_node(const struct device *device)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/dev/vfio/%s", device->group);
	return access(path, F_OK) == 0;
}

static enum group find_role(const struct device *device, const struct device *sibling)
{
	if (device->id != EDU_ID && device->id != NIC_ID) {
		return GROUPS;
	}
	if (!device->driver[0] && !has_node(device)) {
		return NO_NODE;
	}
	if (strcmp(device->driver, VFIO_DRIVER) != 0) {
		return GROUPS;
	}
	if (sibling) {
		return NOT_VIABLE;
	}
	if (device->id == NIC_ID) {
		return NIC;
	}
	return world.role[EDU].device[0] ? EDU_2 : EDU;
}

static void set_role(const struct device *device, const struct device *sibling)
{
	enum group group = find_role(device, sibling);
	struct role *role = &world.role[group];

	if (group == GROUPS || role->device[0]) {
		return;
	}
	memcpy(role->device, device->name, NAME_SIZE);
	memcpy(role->number, device->group, NAME_SIZE);
	if (sibling) {
		memcpy(role->sibling, sibling->name, NAME_SIZE);
	}
}

/* -- the default window -- */

/* A page size that POWER8's bridges have, and those of its successors don't. */
#define PHB3_PAGE (UINT64_C(1) << 24)

static void read_window(int container)
{
	struct vfio_iommu_spapr_tce_info info = {.argsz = sizeof(info)};

	if (ioctl(container, VFIO_SET_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU) == 0 &&
	    ioctl(container, VFIO_IOMMU_SPAPR_TCE_GET_INFO, &info) == 0) {
		world.window_start = info.dma32_window_start;
		world.window_size = info.dma32_window_size;
		world.many_windows = info.ddw.levels == 1;
		world.is_phb3 = !world.many_windows && info.ddw.pgsizes & PHB3_PAGE;
		world.slow_windows = world.many_windows || world.is_phb3;
		world.is_tce = true;
	}
}

/* What a program that executes itself finds out only once. */
#define KNOWN_WINDOW "CONFORMANCE_WINDOW"

static bool recall_window(void)
{
	char *known = getenv(KNOWN_WINDOW);

	if (!known) {
		return false;
	}
	world.window_start = strtoull(known, &known, 16);
	world.window_size = strtoull(known, &known, 16);
	world.is_tce = strtoul(known, &known, 10);
	world.many_windows = strtoul(known, &known, 10);
	world.is_phb3 = strtoul(known, &known, 10);
	world.slow_windows = world.many_windows || world.is_phb3;
	return true;
}

static void keep_window(void)
{
	char known[96];

	(void)snprintf(known, sizeof(known), "%" PRIx64 " %" PRIx64 " %u %u %u", world.window_start,
		       world.window_size, world.is_tce, world.many_windows, world.is_phb3);
	(void)setenv(KNOWN_WINDOW, known, 1);
}

static void find_window(void)
{
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	char path[64];
	int group;

	(void)snprintf(path, sizeof(path), "/dev/vfio/%s", world.role[NIC].number);
	group = open(path, O_RDWR | O_CLOEXEC);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) == 0) {
		read_window(container);
	}
	(void)close(group);
	(void)close(container);
}

void world_find(void)
{
	static struct device devices[DEVICES_MOST];
	size_t count = find_devices(devices);

	for (enum group group = EDU; group < GROUPS; group++) {
		(void)snprintf(world.role[group].number, NAME_SIZE, "none");
	}
	for (size_t i = 0; i < count; i++) {
		set_role(&devices[i], find_sibling(devices, count, &devices[i]));
	}
	world.page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	world.window_size = 2 * GIB;
	if (!recall_window()) {
		find_window();
		keep_window();
	}
}

/* -- names -- */

static void append(char *text, size_t size, const char *piece, size_t length)
{
	size_t used = strlen(text);

	(void)snprintf(text + used, size - used, "%.*s", (int)length, piece);
}

/* What stands in braces. */
static void append_name(char *text, size_t size, const char *name, size_t length)
{
	for (enum group group = EDU; group < GROUPS; group++) {
		const struct role *role = &world.role[group];
		const char *device = role->device[0] ? role->device : "none";
		size_t role_length = strlen(role_names[group]);

		if (strncmp(name, role_names[group], role_length) != 0) {
			continue;
		}
		if (length == role_length) {
			append(text, size, device, strlen(device));
		} else if (length == role_length + 1 && name[role_length] == '#') {
			append(text, size, role->number, strlen(role->number));
		} else if (strncmp(name + role_length, " short", length - role_length) == 0) {
			append(text, size, device, strlen(device) - 1);
		}
	}
	if (strncmp(name, "sibling", length) == 0) {
		append(text, size, world.role[NOT_VIABLE].sibling, NAME_SIZE);
	}
}

void world_text(const char *pattern, char *ret_text, size_t size)
{
	ret_text[0] = '\0';
	while (*pattern) {
		size_t length = strcspn(pattern, "{");
		const char *end;

		append(ret_text, size, pattern, length);
		pattern += length;
		end = *pattern ? strchr(pattern, '}') : NULL;
		if (end) {
			append_name(ret_text, size, pattern + 1, (size_t)(end - pattern - 1));
			pattern = end + 1;
		}
	}
}
