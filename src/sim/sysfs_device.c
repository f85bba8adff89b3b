/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PCI device's directory, in the formats of drivers/pci/pci-sysfs.c. */
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "sim/pci_config.h"
#include "sim/sysfs_private.h"

#define RESOURCES_BRIDGE  17
#define RESOURCES_PLAIN   13
#define BAR_COUNT         6
#define RESOURCE_BAR      0x300U /* I/O ports or memory */
#define RESOURCE_PREFETCH 0x2000U
#define UEVENT_SIZE       2048
#define COMPATIBLES_MAX   16
/* EEH_DEV_SYSFS and others of asm/eeh.h. */
#define EEH_MODE_SYSFS      0x200
#define EEH_MODE_BRIDGE     0x001
#define EEH_MODE_ROOT_PORT  0x002
#define EEH_MODE_DOWNSTREAM 0x004

#define EXPRESS_ROOT_PORT  4
#define EXPRESS_DOWNSTREAM 6

struct device_directory {
	struct sysfs_builder *builder;
	const struct sim_host *host;
	const struct sim_device *device;
	struct sysfs_path path;
	bool has_children;
};

struct sysfs_path sysfs_device_path(const struct sim_host *host, const struct sim_device *device)
{
	struct sysfs_path above;

	if (device->parent < 0) {
		return sysfs_path("devices/pci%04x:%02x/%s", host->phbs[device->phb].number,
				  device->bus, device->name);
	}
	above = sysfs_device_path(host, &host->devices[device->parent]);
	return sysfs_path("%s/%s", above.text, device->name);
}

struct sysfs_path sysfs_iommu_name(const struct sim_host *host, const struct sim_device *device)
{
	if (device->group == SIM_NO_GROUP) {
		return sysfs_path("%s", "");
	}
	if (host->platform == SIM_TYPE1) {
		return sysfs_path("%s", host->iommu);
	}
	return sysfs_path("iommu-phb%04x", host->phbs[device->phb].number);
}

static struct sysfs_path modalias(const struct sim_device *device)
{
	return sysfs_path("pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X", device->vendor,
			  device->device, device->subsystem_vendor, device->subsystem_device,
			  device->class_code >> 16, device->class_code >> 8 & 0xff,
			  device->class_code & 0xff);
}

/* numbers and words */

static void add_numbers(const struct device_directory *directory)
{
	const struct sim_device *device = directory->device;
	const struct {
		const char *name;
		int digits;
		unsigned int value;
	} numbers[] = {
		{"vendor", 4, device->vendor},
		{"device", 4, device->device},
		{"class", 6, device->class_code},
		{"revision", 2, device->revision},
		{"subsystem_vendor", 4, device->subsystem_vendor},
		{"subsystem_device", 4, device->subsystem_device},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		sysfs_add_text(directory->builder, directory->path.text, numbers[i].name,
			       "0x%0*x\n", numbers[i].digits, numbers[i].value);
	}
}

/* A driver of the host enables its device; vfio-pci does when it is opened. */
static bool is_enabled(const struct device_directory *directory)
{
	const char *driver = directory->device->driver;

	return sim_device_is_bridge(directory->device)
		       ? directory->has_children
		       : *driver != '\0' && strcmp(driver, SIM_DRIVER_VFIO) != 0;
}

static const char *power_state(const struct device_directory *directory)
{
	bool used = *directory->device->driver != '\0' || directory->has_children;

	return used ? "D0" : "unknown";
}

static void add_words(const struct device_directory *directory)
{
	const struct sim_device *device = directory->device;
	bool overridden = *device->driver != '\0' && !sim_device_is_bridge(device);
	/* powernv's chips are nodes. */
	bool has_node = directory->host->platform == SIM_POWERNV;
	const struct {
		const char *name;
		const char *text;
	} words[] = {
		{"ari_enabled", "0"},
		{"broken_parity_status", "0"},
		{"consistent_dma_mask_bits", "32"},
		{"dma_mask_bits", "32"},
		{"driver_override", overridden ? device->driver : "(null)"},
		{"enable", is_enabled(directory) ? "1" : "0"},
		{"irq", "0"},
		{"local_cpulist", "0"},
		{"local_cpus", "1"},
		{"msi_bus", "1"},
		{"numa_node", has_node ? "0" : "-1"},
		{"power_state", power_state(directory)},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		sysfs_add_text(directory->builder, directory->path.text, words[i].name, "%s\n",
			       words[i].text);
	}
	sysfs_add_text(directory->builder, directory->path.text, "modalias", "%s\n",
		       modalias(device).text);
}

static void add_resets(const struct device_directory *directory)
{
	static const char *const triggers[] = {"remove", "rescan"};
	static const char *const reset[] = {"reset"};
	const struct sim_device *device = directory->device;

	sysfs_add_triggers(directory->builder, directory->path.text, triggers, 2);
	if (*device->reset_method != '\0') {
		sysfs_add_triggers(directory->builder, directory->path.text, reset, 1);
		sysfs_add_text(directory->builder, directory->path.text, "reset_method", "%s\n",
			       device->reset_method);
	}
}

/* Bridges have their bus numbers in their config space. */
static void add_bus_numbers(const struct device_directory *directory)
{
	const uint8_t *config = directory->device->config;

	if (sim_device_is_bridge(directory->device)) {
		sysfs_add_text(directory->builder, directory->path.text, "secondary_bus_number",
			       "%u\n", config[PCI_CONFIG_SECONDARY]);
		sysfs_add_text(directory->builder, directory->path.text, "subordinate_bus_number",
			       "%u\n", config[PCI_CONFIG_SUBORDINATE]);
	}
}

static unsigned int eeh_mode(const struct sim_device *device)
{
	int type = pci_config_express_type(device->config, device->config_size);

	if (!sim_device_is_bridge(device)) {
		return EEH_MODE_SYSFS;
	}
	if (type == EXPRESS_ROOT_PORT) {
		return EEH_MODE_SYSFS | EEH_MODE_BRIDGE | EEH_MODE_ROOT_PORT;
	}
	return EEH_MODE_SYSFS | EEH_MODE_BRIDGE |
	       (type == EXPRESS_DOWNSTREAM ? EEH_MODE_DOWNSTREAM : 0);
}

static void add_eeh(const struct device_directory *directory)
{
	const struct sim_device *device = directory->device;
	struct sysfs_builder *builder = directory->builder;

	if (!directory->host->phbs[device->phb].eeh) {
		return;
	}
	sysfs_add_text(builder, directory->path.text, "eeh_mode", "0x%x\n", eeh_mode(device));
	sysfs_add_text(builder, directory->path.text, "eeh_pe_config_addr", "0x%x\n", device->pe);
	/* Active in all respects; and EEH_PE_PRI_BUS. */
	sysfs_add_text(builder, directory->path.text, "eeh_pe_state", "0x%08x 0x%08x\n", 0x78U,
		       0x800U);
}

/* BARs */

static void add_bar_files(const struct device_directory *directory)
{
	for (size_t i = 0; i < BAR_COUNT; i++) {
		const struct sim_resource *resource = &directory->device->resource[i];
		uint64_t size = resource->end - resource->start + 1;

		if (!(resource->flags & RESOURCE_BAR) || resource->end == resource->start) {
			continue;
		}
		sysfs_add_hole(directory->builder, directory->path.text,
			       sysfs_path("resource%zu", i).text, size);
		if (resource->flags & RESOURCE_PREFETCH) {
			sysfs_add_hole(directory->builder, directory->path.text,
				       sysfs_path("resource%zu_wc", i).text, size);
		}
	}
}

/* IORESOURCE_SIZEALIGN. A powernv host gives each BAR a page of its own at least: one that is less
 * is aligned by more than its size (pci_request_resource_alignment). */
#define RESOURCE_MEMORY       0x200U
#define RESOURCE_SIZE_ALIGNED 0x40000U

static uint64_t find_flags(const struct sim_host *host, const struct sim_resource *resource)
{
	bool is_less = resource->flags & RESOURCE_BAR && resource->flags & RESOURCE_MEMORY &&
		       resource->end - resource->start + 1 < UINT64_C(1) << host->page_shift;

	return host->platform == SIM_POWERNV && is_less
		       ? resource->flags & ~(uint64_t)RESOURCE_SIZE_ALIGNED
		       : resource->flags;
}

static void add_resources(const struct device_directory *directory)
{
	const struct sim_device *device = directory->device;
	unsigned int lines = sim_device_is_bridge(device) ? RESOURCES_BRIDGE : RESOURCES_PLAIN;
	char text[RESOURCES_BRIDGE * 64] = "";
	size_t used = 0;

	for (unsigned int i = 0; i < lines; i++) {
		const struct sim_resource *resource = &device->resource[i];

		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "0x%016" PRIx64 " 0x%016" PRIx64 " 0x%016" PRIx64 "\n",
					 resource->start, resource->end,
					 find_flags(directory->host, resource));
	}
	sysfs_add_text(directory->builder, directory->path.text, "resource", "%s", text);
	add_bar_files(directory);
}

/* uevent, as of_device_uevent and pci_uevent write it */

struct uevent {
	char text[UEVENT_SIZE];
	size_t used;
};

static void put(struct uevent *uevent, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct uevent *uevent, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(uevent->text + uevent->used, sizeof(uevent->text) - uevent->used, format,
			   arguments);
	va_end(arguments);
	if (length > 0 && (size_t)length < sizeof(uevent->text) - uevent->used) {
		uevent->used += (size_t)length;
	} else {
		uevent->text[uevent->used] = '\0'; /* no room for the line */
	}
}

static void put_compatibles(struct uevent *uevent, const void *fdt, int node)
{
	int count = fdt_stringlist_count(fdt, node, "compatible");

	count = count > COMPATIBLES_MAX ? COMPATIBLES_MAX : count;
	for (int i = 0; i < count; i++) {
		const char *text = fdt_stringlist_get(fdt, node, "compatible", i, NULL);

		put(uevent, "OF_COMPATIBLE_%d=%s\n", i, text ? text : "");
	}
	put(uevent, "OF_COMPATIBLE_N=%d\n", count > 0 ? count : 0);
}

static void put_aliases(struct uevent *uevent, const void *fdt, const char *path)
{
	int aliases = fdt_path_offset(fdt, "/aliases");
	int count = 0;
	int property;

	if (aliases < 0) {
		return;
	}
	fdt_for_each_property_offset(property, fdt, aliases)
	{
		const char *name = NULL;
		int size = 0;
		const char *target = fdt_getprop_by_offset(fdt, property, &name, &size);

		if (target && *target == '/' && strnlen(target, (size_t)size) < (size_t)size &&
		    strcmp(target + 1, path) == 0) {
			put(uevent, "OF_ALIAS_%d=%s\n", count++, name);
		}
	}
}

static void put_node(struct uevent *uevent, const void *fdt, const char *path)
{
	struct sysfs_path full = sysfs_path("/%s", path);
	int node = fdt_path_offset(fdt, full.text);
	const char *name = strrchr(full.text, '/') + 1;
	const char *type;
	int size = 0;

	if (node < 0) {
		return;
	}
	put(uevent, "OF_NAME=%.*s\nOF_FULLNAME=%s\n", (int)strcspn(name, "@"), name, full.text);
	type = fdt_getprop(fdt, node, "device_type", &size);
	if (type && size > 0 && type[size - 1] == '\0') {
		put(uevent, "OF_TYPE=%s\n", type);
	}
	put_compatibles(uevent, fdt, node);
	put_aliases(uevent, fdt, path);
}

static void add_uevent(const struct device_directory *directory, const char *driver)
{
	const struct sim_device *device = directory->device;
	struct uevent uevent = {.used = 0};

	if (*driver != '\0') {
		put(&uevent, "DRIVER=%s\n", driver);
	}
	if (device->of_path) {
		put_node(&uevent, directory->host->fdt, device->of_path);
	}
	put(&uevent,
	    "PCI_CLASS=%04X\nPCI_ID=%04X:%04X\nPCI_SUBSYS_ID=%04X:%04X\nPCI_SLOT_NAME=%s\n",
	    device->class_code, device->vendor, device->device, device->subsystem_vendor,
	    device->subsystem_device, device->name);
	put(&uevent, "MODALIAS=%s\n", modalias(device).text);
	sysfs_add_text(directory->builder, directory->path.text, "uevent", "%s", uevent.text);
}

void sysfs_add_device_uevent(struct sysfs_builder *builder, const struct sim_host *host,
			     size_t index, const char *driver)
{
	const struct device_directory directory = {
		.builder = builder,
		.host = host,
		.device = &host->devices[index],
		.path = sysfs_device_path(host, &host->devices[index]),
	};

	add_uevent(&directory, driver);
}

/* links */

static void add_links(const struct device_directory *directory)
{
	const struct sim_device *device = directory->device;
	struct sysfs_builder *builder = directory->builder;
	const char *path = directory->path.text;
	struct sysfs_path iommu = sysfs_iommu_name(directory->host, device);

	sysfs_add_link(builder, path, "subsystem", "bus/pci");
	sysfs_add_link(builder, SYSFS_PCI_DEVICES, device->name, path);
	if (device->of_path) {
		sysfs_add_link(builder, path, "of_node",
			       sysfs_path(TREE_BASE "/%s", device->of_path).text);
		sysfs_add_text(builder, path, "devspec", "/%s\n", device->of_path);
	}
	if (*iommu.text != '\0') {
		sysfs_add_link(builder, path, "iommu",
			       sysfs_path(VIRTUAL_IOMMU "/%s", iommu.text).text);
	}
}

void sysfs_add_device_files(struct sysfs_builder *builder, const struct sim_host *host,
			    size_t index)
{
	struct device_directory directory = {
		.builder = builder,
		.host = host,
		.device = &host->devices[index],
		.path = sysfs_device_path(host, &host->devices[index]),
	};

	for (size_t i = index + 1; i < host->device_count && !directory.has_children; i++) {
		directory.has_children = host->devices[i].parent == (int)index;
	}
	sysfs_add_directory(builder, directory.path.text);
	add_numbers(&directory);
	add_words(&directory);
	add_resets(&directory);
	add_bus_numbers(&directory);
	add_eeh(&directory);
	add_resources(&directory);
	add_uevent(&directory, directory.device->driver);
	add_links(&directory);
	sysfs_add_bytes(builder, directory.path.text, "config", 0644, directory.device->config,
			directory.device->config_size);
}
