/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/host.h"

#include <ctype.h>
#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "sim/hosts.h"

#define PAGE_SHIFT 12

#define COMPATIBLE_PHB     "ibm,ioda3-phb"
#define PROPERTY_PHB_ID    "ibm,opal-phbid"
#define PROPERTY_PE_COUNT  "ibm,opal-num-pes"
#define PROPERTY_TCE_SIZES "ibm,supported-tce-sizes"
#define PROPERTY_DRIVER    "spaprd,driver"
#define PROPERTY_SUBSYSTEM "spaprd,subsystem"
#define PROPERTY_RESOURCE  "spaprd,resource"

#define RESOURCE_CELLS    7
#define OF_PATH_SIZE      256
#define PE_RESERVED_COUNT 2 /* the reserved one and the root bus's */

/* A property of cells. */
struct cells {
	const fdt32_t *cell;
	int count;
};

static struct cells get_cells(const void *fdt, int node, const char *name)
{
	int size = 0;
	const void *data = fdt_getprop(fdt, node, name, &size);

	return (struct cells){.cell = data, .count = data ? size / (int)sizeof(fdt32_t) : 0};
}

/* One cell, 0 where it is missing. */
static uint32_t get_cell(const void *fdt, int node, const char *name, int index)
{
	struct cells cells = get_cells(fdt, node, name);

	return index < cells.count ? fdt32_to_cpu(cells.cell[index]) : 0;
}

static uint64_t cell_pair(const fdt32_t *cell)
{
	return (uint64_t)fdt32_to_cpu(cell[0]) << 32 | fdt32_to_cpu(cell[1]);
}

static void *grow(void *array, size_t count, size_t element_size)
{
	return reallocarray(array, count + 1, element_size);
}

/* PHBs */

static uint64_t read_page_sizes(const void *fdt, int node)
{
	struct cells shifts = get_cells(fdt, node, PROPERTY_TCE_SIZES);
	uint64_t sizes = 0;

	for (int i = 0; i < shifts.count; i++) {
		sizes |= UINT64_C(1) << (fdt32_to_cpu(shifts.cell[i]) & 63);
	}
	return sizes;
}

static int add_phb(struct sim_host *host, int node)
{
	struct sim_phb *phbs = grow(host->phbs, host->phb_count, sizeof(*phbs));
	struct sim_phb *phb;

	if (!phbs) {
		return -ENOMEM;
	}
	host->phbs = phbs;
	phb = &phbs[host->phb_count];
	*phb = (struct sim_phb){
		.node = fdt_get_name(host->fdt, node, NULL),
		.number = get_cell(host->fdt, node, PROPERTY_PHB_ID, 1),
		.pe_count = get_cell(host->fdt, node, PROPERTY_PE_COUNT, 0),
		/* The 32-bit DMA window ends where PCI memory space begins. */
		.dma32_size = get_cell(host->fdt, node, "ranges", 2),
		.page_sizes = read_page_sizes(host->fdt, node),
		.levels = 5,
		.windows = 2,
		.eeh = true,
	};
	if (phb->pe_count <= PE_RESERVED_COUNT || phb->dma32_size == 0 || phb->page_sizes == 0) {
		return -EBADMSG;
	}
	host->phb_count++;
	return 0;
}

/* PEs */

static int find_pe(struct sim_host *host, unsigned int phb, uint8_t bus)
{
	uint32_t on_phb = 0;
	struct sim_pe *pes;

	for (size_t i = 0; i < host->pe_count; i++) {
		if (host->pes[i].phb == phb && host->pes[i].bus == bus) {
			return (int)i;
		}
		on_phb += host->pes[i].phb == phb;
	}
	if (on_phb + PE_RESERVED_COUNT >= host->phbs[phb].pe_count) {
		return -EBADMSG;
	}
	pes = grow(host->pes, host->pe_count, sizeof(*pes));
	if (!pes) {
		return -ENOMEM;
	}
	host->pes = pes;
	pes[host->pe_count] = (struct sim_pe){
		.phb = phb,
		.bus = bus,
		.number = host->phbs[phb].pe_count - PE_RESERVED_COUNT - 1 - on_phb,
	};
	return (int)host->pe_count++;
}

/* devices */

static void read_resources(const void *fdt, int node, struct sim_device *device)
{
	struct cells cells = get_cells(fdt, node, PROPERTY_RESOURCE);

	for (int i = 0; i + RESOURCE_CELLS <= cells.count; i += RESOURCE_CELLS) {
		const fdt32_t *cell = &cells.cell[i];
		uint32_t index = fdt32_to_cpu(cell[0]);

		if (index < SIM_RESOURCES) {
			device->resource[index] = (struct sim_resource){
				.start = cell_pair(&cell[1]),
				.end = cell_pair(&cell[3]),
				.flags = cell_pair(&cell[5]),
			};
		}
	}
}

static int read_device(struct sim_host *host, int node, unsigned int phb, int parent,
		       const char *of_path, struct sim_device *device)
{
	const void *fdt = host->fdt;
	uint32_t address = get_cell(fdt, node, "reg", 0);
	const char *driver = fdt_getprop(fdt, node, PROPERTY_DRIVER, NULL);

	*device = (struct sim_device){
		.driver = driver ? driver : "",
		.parent = parent,
		.phb = phb,
		.group = SIM_NO_GROUP,
		.bus = (uint8_t)(address >> 16),
		.devfn = (uint8_t)(address >> 8),
		.vendor = (uint16_t)get_cell(fdt, node, "vendor-id", 0),
		.device = (uint16_t)get_cell(fdt, node, "device-id", 0),
		.class_code = get_cell(fdt, node, "class-code", 0),
		.revision = (uint8_t)get_cell(fdt, node, "revision-id", 0),
		.subsystem_vendor = (uint16_t)get_cell(fdt, node, PROPERTY_SUBSYSTEM, 0),
		.subsystem_device = (uint16_t)get_cell(fdt, node, PROPERTY_SUBSYSTEM, 1),
	};
	(void)snprintf(device->name, sizeof(device->name), "%04x:%02x:%02x.%x",
		       host->phbs[phb].number & 0xffff, device->bus, device->devfn >> 3,
		       device->devfn & 7U);
	read_resources(fdt, node, device);
	if (parent >= 0) {
		device->group = find_pe(host, phb, device->bus);
		if (device->group < 0) {
			return device->group;
		}
	}
	device->of_path = strdup(of_path);
	return device->of_path ? 0 : -ENOMEM;
}

/* Add the devices below a node. A tree is no deeper than PCI has buses, and libfdt checks it. */
static int add_devices(struct sim_host *host, int above, unsigned int phb, int parent,
		       const char *of_path)
{
	int node;

	fdt_for_each_subnode(node, host->fdt, above)
	{
		char path[OF_PATH_SIZE];
		struct sim_device *devices =
			grow(host->devices, host->device_count, sizeof(*devices));
		int index = (int)host->device_count;
		int r;

		if (!devices) {
			return -ENOMEM;
		}
		host->devices = devices;
		if (snprintf(path, sizeof(path), "%s/%s", of_path,
			     fdt_get_name(host->fdt, node, NULL)) >= (int)sizeof(path)) {
			return -EBADMSG;
		}
		r = read_device(host, node, phb, parent, path, &devices[index]);
		if (r < 0) {
			return r;
		}
		host->device_count++;
		r = add_devices(host, node, phb, index, path);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int read_tree(struct sim_host *host)
{
	int node;

	fdt_for_each_subnode(node, host->fdt, 0)
	{
		int r;

		if (fdt_node_check_compatible(host->fdt, node, COMPATIBLE_PHB) != 0) {
			continue;
		}
		r = add_phb(host, node);
		if (r == 0) {
			unsigned int phb = (unsigned int)host->phb_count - 1;

			r = add_devices(host, node, phb, -1, host->phbs[phb].node);
		}
		if (r < 0) {
			return r;
		}
	}
	return host->pe_count > 0 ? 0 : -EBADMSG;
}

int sim_host_new(const char *name, const void *fdt, size_t fdt_size, struct sim_host **ret_host)
{
	struct sim_host *host;
	int r;

	if (fdt_check_full(fdt, fdt_size) != 0) {
		return -EBADMSG;
	}
	host = calloc(1, sizeof(*host));
	if (!host) {
		return -ENOMEM;
	}
	host->name = name;
	host->fdt = fdt;
	host->fdt_size = fdt_size;
	host->page_shift = PAGE_SHIFT;
	host->settings = SIM_SETTINGS_DEFAULT;
	r = read_tree(host);
	if (r < 0) {
		(void)sim_host_free(host);
		return r;
	}
	*ret_host = host;
	return 0;
}

/* What stands behind the comma, in place. */
static int read_settings(const char *settings, uint64_t *ret_memlock_limit)
{
	static const char memlock[] = "memlock=";
	char *end = NULL;
	unsigned long long bytes;

	if (*settings == '\0') {
		return 0;
	}
	if (strncmp(settings, memlock, strlen(memlock)) != 0 ||
	    !isdigit((unsigned char)settings[strlen(memlock)])) {
		return -EINVAL;
	}
	errno = 0;
	bytes = strtoull(settings + strlen(memlock), &end, 10);
	if (errno || *end != '\0') {
		return -EINVAL;
	}
	*ret_memlock_limit = bytes;
	return 0;
}

int sim_host_new_builtin(const char *name, struct sim_host **ret_host)
{
	size_t length = strcspn(name, ",");
	uint64_t memlock_limit = UINT64_MAX;
	int r = read_settings(name + length + (name[length] == ','), &memlock_limit);

	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < sim_builtin_host_count; i++) {
		const struct sim_builtin_host *builtin = &sim_builtin_hosts[i];

		if (strlen(builtin->name) == length && strncmp(builtin->name, name, length) == 0) {
			r = sim_host_new(builtin->name, builtin->fdt, builtin->fdt_size, ret_host);
			if (r == 0) {
				(*ret_host)->settings.memlock_limit = memlock_limit;
			}
			return r;
		}
	}
	return -ENODEV;
}

struct sim_host *sim_host_free(struct sim_host *host)
{
	if (host) {
		for (size_t i = 0; i < host->device_count; i++) {
			free(host->devices[i].of_path);
		}
		free(host->devices);
		free(host->phbs);
		free(host->pes);
		free(host);
	}
	return NULL;
}

int sim_host_find_device(const struct sim_host *host, const char *name)
{
	for (size_t i = 0; i < host->device_count; i++) {
		if (strcmp(host->devices[i].name, name) == 0) {
			return (int)i;
		}
	}
	return -1;
}
