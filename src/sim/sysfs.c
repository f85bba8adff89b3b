/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <libfdt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "sim/protocol.h"

#define CONFIG_SIZE       256
#define RESOURCES_BRIDGE  17
#define RESOURCES_PLAIN   13
#define CLASS_BRIDGE      0x0604U
#define TREE_BASE         "firmware/devicetree/base"
#define PROPERTIES_OF_OUR "spaprd,"
#define REMOVE_OPEN_FDS   1 /* a lack of fds must not leave the tree behind */

/* Building stops at the first failure, which stays in error. */
struct builder {
	int root; /* directory fd */
	int error;
};

/* A path below the root, or in it the target of a link. */
struct path {
	char text[PATH_MAX];
};

static struct path make_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct path make_path(const char *format, ...)
{
	struct path path;
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(path.text, sizeof(path.text), format, arguments);
	va_end(arguments);
	return path;
}

static void fail(struct builder *builder)
{
	if (builder->error == 0) {
		builder->error = -errno;
	}
}

/* Make a directory and those above it. */
static void add_directory(struct builder *builder, const char *path)
{
	struct path part = make_path("%s", path);

	for (char *slash = strchr(part.text, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(builder->root, part.text, 0755) < 0 && errno != EEXIST) {
			fail(builder);
		}
		*slash = '/';
	}
	if (mkdirat(builder->root, part.text, 0755) < 0 && errno != EEXIST) {
		fail(builder);
	}
}

static void add_bytes(struct builder *builder, const char *path, const void *bytes, size_t size)
{
	int fd = openat(builder->root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) {
		fail(builder);
	}
	(void)fd_close(fd);
}

static void add_text(struct builder *builder, const char *directory, const char *name,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));

static void add_text(struct builder *builder, const char *directory, const char *name,
		     const char *format, ...)
{
	char text[RESOURCES_BRIDGE * 64];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	add_bytes(builder, make_path("%s/%s", directory, name).text, text, strlen(text));
}

/* A link below the directory, to a target below the root: as many steps up as the path has
 * directories. */
static void add_link(struct builder *builder, const char *directory, const char *name,
		     const char *target)
{
	struct path link = make_path("%s/%s", directory, name);
	struct path relative = make_path("%s", "");
	size_t used = 0;

	for (const char *slash = strchr(link.text, '/'); slash; slash = strchr(slash + 1, '/')) {
		used += (size_t)snprintf(relative.text + used, sizeof(relative.text) - used, "../");
	}
	(void)snprintf(relative.text + used, sizeof(relative.text) - used, "%s", target);
	if (symlinkat(relative.text, builder->root, link.text) < 0) {
		fail(builder);
	}
}

/* devices */

static bool is_bridge(const struct sim_device *device)
{
	return device->class_code >> 8 == CLASS_BRIDGE;
}

/* "devices/pci0000:00/0000:00:00.0/0000:01:00.0" */
static struct path device_path(const struct sim_host *host, const struct sim_device *device)
{
	struct path above;

	if (device->parent < 0) {
		return make_path("devices/pci%04x:%02x/%s", host->phbs[device->phb].number,
				 device->bus, device->name);
	}
	above = device_path(host, &host->devices[device->parent]);
	return make_path("%s/%s", above.text, device->name);
}

static void put_16(uint8_t *config, size_t offset, uint16_t value)
{
	config[offset] = (uint8_t)value;
	config[offset + 1] = (uint8_t)(value >> 8);
}

static bool has_sibling(const struct sim_host *host, const struct sim_device *device)
{
	for (size_t i = 0; i < host->device_count; i++) {
		const struct sim_device *other = &host->devices[i];

		if (other != device && other->phb == device->phb && other->bus == device->bus &&
		    other->devfn >> 3 == device->devfn >> 3) {
			return true;
		}
	}
	return false;
}

/* The header of the config space, without base addresses. */
static void add_config(struct builder *builder, const struct sim_host *host,
		       const struct sim_device *device, const char *directory)
{
	uint8_t config[CONFIG_SIZE] = {0};

	put_16(config, 0x00, device->vendor);
	put_16(config, 0x02, device->device);
	config[0x08] = device->revision;
	config[0x09] = (uint8_t)device->class_code;
	config[0x0a] = (uint8_t)(device->class_code >> 8);
	config[0x0b] = (uint8_t)(device->class_code >> 16);
	config[0x0e] = (uint8_t)((is_bridge(device) ? 0x01 : 0x00) |
				 (has_sibling(host, device) ? 0x80 : 0x00));
	if (!is_bridge(device)) {
		put_16(config, 0x2c, device->subsystem_vendor);
		put_16(config, 0x2e, device->subsystem_device);
	}
	add_bytes(builder, make_path("%s/config", directory).text, config, sizeof(config));
}

static void add_resource(struct builder *builder, const struct sim_device *device,
			 const char *directory)
{
	unsigned int lines = is_bridge(device) ? RESOURCES_BRIDGE : RESOURCES_PLAIN;
	char text[RESOURCES_BRIDGE * 64] = "";
	size_t used = 0;

	for (unsigned int i = 0; i < lines; i++) {
		const struct sim_resource *resource = &device->resource[i];

		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "0x%016" PRIx64 " 0x%016" PRIx64 " 0x%016" PRIx64 "\n",
					 resource->start, resource->end, resource->flags);
	}
	add_text(builder, directory, "resource", "%s", text);
}

static void add_driver(struct builder *builder, const struct sim_device *device,
		       const char *directory)
{
	struct path driver = make_path("bus/pci/drivers/%s", device->driver);

	if (!*device->driver) {
		add_text(builder, directory, "driver_override", "(null)\n");
		return;
	}
	add_directory(builder, driver.text);
	add_link(builder, directory, "driver", driver.text);
	add_link(builder, driver.text, device->name, directory);
	add_text(builder, directory, "driver_override", "%s\n", device->driver);
}

static void add_group_membership(struct builder *builder, const struct sim_host *host,
				 const struct sim_device *device, const char *directory)
{
	struct path group = make_path(SYSFS_IOMMU_GROUPS "/%d", device->group);

	add_link(builder, directory, "iommu_group", group.text);
	add_link(builder, make_path("%s/devices", group.text).text, device->name, directory);
	add_text(builder, directory, "eeh_pe_config_addr", "0x%x\n",
		 host->pes[device->group].number);
}

static void add_device(struct builder *builder, const struct sim_host *host,
		       const struct sim_device *device)
{
	struct path path = device_path(host, device);
	const char *directory = path.text;

	add_directory(builder, directory);
	add_text(builder, directory, "vendor", "0x%04x\n", device->vendor);
	add_text(builder, directory, "device", "0x%04x\n", device->device);
	add_text(builder, directory, "class", "0x%06x\n", device->class_code);
	add_text(builder, directory, "revision", "0x%02x\n", device->revision);
	add_text(builder, directory, "subsystem_vendor", "0x%04x\n", device->subsystem_vendor);
	add_text(builder, directory, "subsystem_device", "0x%04x\n", device->subsystem_device);
	add_text(builder, directory, "devspec", "/%s\n", device->of_path);
	add_config(builder, host, device, directory);
	add_resource(builder, device, directory);
	add_driver(builder, device, directory);
	add_link(builder, directory, "subsystem", "bus/pci");
	add_link(builder, directory, "of_node", make_path(TREE_BASE "/%s", device->of_path).text);
	add_link(builder, SYSFS_PCI_DEVICES, device->name, directory);
	if (device->group != SIM_NO_GROUP) {
		add_group_membership(builder, host, device, directory);
	}
}

static void add_group(struct builder *builder, const struct sim_host *host, size_t number)
{
	struct path group = make_path(SYSFS_IOMMU_GROUPS "/%zu", number);
	const struct sim_pe *pe = &host->pes[number];

	add_directory(builder, make_path("%s/devices", group.text).text);
	add_text(builder, group.text, "name", "domain%u-pe%x\n", host->phbs[pe->phb].number,
		 pe->number);
	add_text(builder, group.text, "type", "unknown\n");
	add_text(builder, group.text, "reserved_regions", "%s", "");
}

/* device tree */

static void add_properties(struct builder *builder, const void *fdt, int node,
			   const char *directory)
{
	int property;

	fdt_for_each_property_offset(property, fdt, node)
	{
		const char *name = NULL;
		int size = 0;
		const void *data = fdt_getprop_by_offset(fdt, property, &name, &size);

		if (data && strncmp(name, PROPERTIES_OF_OUR, strlen(PROPERTIES_OF_OUR)) != 0) {
			add_bytes(builder, make_path("%s/%s", directory, name).text, data,
				  (size_t)size);
		}
	}
}

static void add_tree(struct builder *builder, const void *fdt, int node, const char *directory)
{
	int below;

	add_directory(builder, directory);
	add_properties(builder, fdt, node, directory);
	fdt_for_each_subnode(below, fdt, node)
	{
		add_tree(builder, fdt, below,
			 make_path("%s/%s", directory, fdt_get_name(fdt, below, NULL)).text);
	}
}

static void add_all(struct builder *builder, const struct sim_host *host)
{
	add_directory(builder, SYSFS_IOMMU_GROUPS);
	add_directory(builder, SYSFS_PCI_DEVICES);
	add_directory(builder, "bus/pci/drivers");
	add_tree(builder, host->fdt, 0, TREE_BASE);
	add_bytes(builder, SYSFS_FDT, host->fdt, host->fdt_size);
	for (size_t i = 0; i < host->pe_count; i++) {
		add_group(builder, host, i);
	}
	for (size_t i = 0; i < host->device_count; i++) {
		add_device(builder, host, &host->devices[i]);
	}
}

int sim_sysfs_new(const struct sim_host *host, char **ret_root)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	/* A client is told the root in a SIM_HELLO, which has room for so much. */
	bool usable = base && *base == '/' && strlen(base) < SIM_ROOT_SIZE / 2;
	struct path path = make_path("%s/spaprd-simhost-XXXXXX", usable ? base : "/tmp");
	struct builder builder = {.root = -1, .error = 0};
	char *root;

	if (!mkdtemp(path.text)) {
		path = make_path("/tmp/spaprd-simhost-XXXXXX");
		if (!mkdtemp(path.text)) {
			return -errno;
		}
	}
	root = strdup(path.text);
	if (!root) {
		(void)rmdir(path.text);
		return -ENOMEM;
	}
	builder.root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (builder.root < 0) {
		fail(&builder);
	} else {
		add_all(&builder, host);
	}
	(void)fd_close(builder.root);
	if (builder.error < 0) {
		(void)sim_sysfs_free(root);
		return builder.error;
	}
	*ret_root = root;
	return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	(void)remove(path);
	return 0;
}

char *sim_sysfs_free(char *root)
{
	if (root) {
		(void)nftw(root, remove_entry, REMOVE_OPEN_FDS, FTW_DEPTH | FTW_PHYS);
		free(root);
	}
	return NULL;
}
