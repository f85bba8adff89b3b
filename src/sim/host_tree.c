/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a flattened device tree says of the host. The tree may be anybody's: everything is checked.
 */
#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/host_private.h"

#define COMPATIBLE_IODA2 "ibm,ioda2-phb"
#define COMPATIBLE_IODA3 "ibm,ioda3-phb"
#define NODE_DEPTH_MAX   64 /* FDT_MAX_DEPTH of the kernel's unflatten_dt_nodes */
#define NODES_MAX        131072U
#define NAME_MAX_LENGTH  200U /* becomes a file's name */
#define OF_PATH_SIZE     2048
#define PE_COUNT_MAX     65536U
#define DMA32_MAX        (UINT64_C(1) << 32)
#define CELL             sizeof(fdt32_t)

/* What QEMU's hypervisor answers to ibm,query-pe-dma-window: the tree has the token of that call,
 * not its answer. 4K, 64K, 2M and 16M (query_page_size_to_mask). */
#define LPAR_PAGE_SIZES UINT64_C(0x1211000)
#define LPAR_4K_ONLY    UINT64_C(0x1000)

#define POWERNV_LEVELS  5 /* POWERNV_IOMMU_MAX_LEVELS */
#define POWERNV_WINDOWS 2 /* IOMMU_TABLE_GROUP_MAX_TABLES */

static int tree_error(struct host_maker *maker, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int tree_error(struct host_maker *maker, const char *path, const char *format, ...)
{
	char text[ERROR_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return error_set(maker->error, ERROR_INVALID_ARGUMENT, 0, "%s: /%s: %s", maker->fdt_name,
			 path, text);
}

/* cells */

/* A property of cells. */
struct cells {
	const fdt32_t *cell;
	int count;
};

static struct cells get_cells(const void *fdt, int node, const char *name)
{
	int size = 0;
	const void *data = fdt_getprop(fdt, node, name, &size);

	return (struct cells){.cell = data, .count = data ? size / (int)CELL : 0};
}

/* One cell, or a value for a missing one. */
static uint32_t get_cell(const void *fdt, int node, const char *name, int index, uint32_t missing)
{
	struct cells cells = get_cells(fdt, node, name);

	return index < cells.count ? fdt32_ld(&cells.cell[index]) : missing;
}

static uint64_t cell_pair(const fdt32_t *cell)
{
	return (uint64_t)fdt32_ld(&cell[0]) << 32 | fdt32_ld(&cell[1]);
}

static bool has_string(const void *fdt, int node, const char *name, const char *wanted)
{
	int size = 0;
	const char *value = fdt_getprop(fdt, node, name, &size);

	return value && size == (int)strlen(wanted) + 1 && memcmp(value, wanted, (size_t)size) == 0;
}

/* the tree as a whole */

/* Names become files below the root of a sysfs tree, which they must not leave. */
static bool is_good_name(const char *name)
{
	size_t length = name ? strlen(name) : 0;

	return length > 0 && length <= NAME_MAX_LENGTH && !strchr(name, '/') &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int check_properties(struct host_maker *maker, int node, const char *node_name)
{
	const void *fdt = maker->host->fdt;
	int property;

	fdt_for_each_property_offset(property, fdt, node)
	{
		const char *name = NULL;

		if (!fdt_getprop_by_offset(fdt, property, &name, NULL) || !is_good_name(name)) {
			return tree_error(maker, node_name,
					  "the name of a property is empty, too long or a path");
		}
	}
	return 0;
}

static int check_nodes(struct host_maker *maker)
{
	const void *fdt = maker->host->fdt;
	size_t count = 0;
	int depth = 0;

	for (int node = 0; node >= 0; node = fdt_next_node(fdt, node, &depth)) {
		const char *name = node == 0 ? "" : fdt_get_name(fdt, node, NULL);
		int r;

		if (depth < 0) {
			break;
		}
		if (node != 0 && !is_good_name(name)) {
			return tree_error(maker, "...",
					  "the name of a node is empty, too long or a path");
		}
		if (depth >= NODE_DEPTH_MAX) {
			return tree_error(maker, name, "nodes lie more than %d deep",
					  NODE_DEPTH_MAX);
		}
		if (++count > NODES_MAX) {
			return tree_error(maker, "", "the tree has more than %u nodes", NODES_MAX);
		}
		r = check_properties(maker, node, name);
		if (r) {
			return r;
		}
	}
	return 0;
}

/* As the kernel's machine descriptions probe for themselves. */
static enum sim_platform find_platform(const void *fdt)
{
	if (fdt_node_check_compatible(fdt, 0, "ibm,powernv") == 0) {
		return SIM_POWERNV;
	}
	if (has_string(fdt, 0, "device_type", "chrp") && fdt_path_offset(fdt, "/rtas") >= 0) {
		return SIM_PSERIES;
	}
	return SIM_TYPE1;
}

/* PHBs */

static bool is_number_free(const struct sim_host *host, uint32_t number)
{
	for (size_t i = 0; i + 1 < host->phb_count; i++) {
		if (host->phbs[i].number == number) {
			return false;
		}
	}
	return true;
}

/* get_phb_number of arch/powerpc/kernel/pci-common.c, aliases aside. */
static uint32_t number_phb(struct host_maker *maker, int node)
{
	const struct sim_host *host = maker->host;
	const void *fdt = host->fdt;
	struct cells domain = get_cells(fdt, node, "linux,pci-domain");
	struct cells opal = get_cells(fdt, node, "ibm,opal-phbid");
	uint32_t number;

	if (domain.count > 0) {
		number = fdt32_ld(domain.cell) & 0xffff;
	} else if (opal.count >= 2) {
		number = (uint32_t)cell_pair(opal.cell) & 0xffff;
	} else {
		number = get_cell(fdt, node, "reg", 1, 0) & 0xffff;
	}
	if (is_number_free(host, number)) {
		return number;
	}
	while (!is_number_free(host, maker->next_phb)) {
		maker->next_phb++;
	}
	return maker->next_phb;
}

/* pnv_ioda_parse_tce_sizes */
static int read_page_sizes(struct host_maker *maker, int node, struct sim_phb *phb)
{
	const void *fdt = maker->host->fdt;
	struct cells shifts = get_cells(fdt, node, "ibm,supported-tce-sizes");

	for (int i = 0; i < shifts.count; i++) {
		uint32_t shift = fdt32_ld(&shifts.cell[i]);

		if (shift < 12 || shift > 63) {
			return tree_error(maker, phb->node,
					  "ibm,supported-tce-sizes has 2^%" PRIu32 " bytes", shift);
		}
		phb->page_sizes |= UINT64_C(1) << shift;
	}
	if (shifts.count == 0) {
		bool ioda2 = fdt_node_check_compatible(fdt, node, COMPATIBLE_IODA2) == 0;

		phb->page_sizes = ioda2 ? UINT64_C(0x11011000) : UINT64_C(0x11000);
	}
	return 0;
}

/* The 32-bit DMA window ends where PCI memory space begins (pnv_pci_init_ioda_phb). */
static uint64_t read_memory_base(const void *fdt, int node)
{
	struct cells ranges = get_cells(fdt, node, "ranges");

	for (int i = 0; i + 7 <= ranges.count; i += 7) {
		uint32_t space = fdt32_ld(&ranges.cell[i]) >> 24 & 3;

		if (space == 2) {
			return cell_pair(&ranges.cell[i + 1]);
		}
	}
	return 0;
}

static int read_powernv_phb(struct host_maker *maker, int node, struct sim_phb *phb)
{
	const void *fdt = maker->host->fdt;

	phb->pe_count = get_cell(fdt, node, "ibm,opal-num-pes", 0, 1);
	phb->reserved_pe = get_cell(fdt, node, "ibm,opal-reserved-pe", 0, 0);
	phb->dma32_size = read_memory_base(fdt, node);
	phb->levels = POWERNV_LEVELS;
	phb->windows = POWERNV_WINDOWS;
	phb->eeh = true;
	if (phb->pe_count < 2 || phb->pe_count > PE_COUNT_MAX ||
	    phb->reserved_pe >= phb->pe_count) {
		return tree_error(maker, phb->node,
				  "ibm,opal-num-pes of %" PRIu32
				  " with ibm,opal-reserved-pe of %" PRIu32,
				  phb->pe_count, phb->reserved_pe);
	}
	if (phb->dma32_size < 4096 || phb->dma32_size > DMA32_MAX ||
	    (phb->dma32_size & (phb->dma32_size - 1)) != 0) {
		return tree_error(maker, phb->node,
				  "ranges begin at 0x%" PRIx64
				  ", which leaves no default DMA window below",
				  phb->dma32_size);
	}
	return read_page_sizes(maker, node, phb);
}

/* of_parse_dma_window */
static int read_dma_window(struct host_maker *maker, int node, struct sim_phb *phb)
{
	const void *fdt = maker->host->fdt;
	struct cells window = get_cells(fdt, node, "ibm,dma-window");
	uint32_t address_cells = get_cell(fdt, node, "ibm,#dma-address-cells", 0,
					  get_cell(fdt, node, "#address-cells", 0, 1));
	uint32_t size_cells = get_cell(fdt, node, "ibm,#dma-size-cells", 0,
				       get_cell(fdt, node, "#size-cells", 0, 1));
	uint64_t start = 0;
	uint64_t size = 0;

	if (address_cells < 1 || address_cells > 2 || size_cells < 1 || size_cells > 2 ||
	    window.count != (int)(1 + address_cells + size_cells)) {
		return tree_error(maker, phb->node,
				  "ibm,dma-window has %d cells, but its address %" PRIu32
				  " and its size %" PRIu32,
				  window.count, address_cells, size_cells);
	}
	for (uint32_t i = 0; i < address_cells; i++) {
		start = start << 32 | fdt32_ld(&window.cell[1 + i]);
	}
	for (uint32_t i = 0; i < size_cells; i++) {
		size = size << 32 | fdt32_ld(&window.cell[1 + address_cells + i]);
	}
	if (start != 0 || size < 4096 || size > DMA32_MAX || (size & (size - 1)) != 0) {
		return tree_error(maker, phb->node,
				  "ibm,dma-window of 0x%" PRIx64 " bytes at 0x%" PRIx64
				  ": the default window begins at 0 and is a power of two up to "
				  "2^32",
				  size, start);
	}
	phb->dma32_size = size;
	return 0;
}

/* spapr_tce_init_table_group */
static int read_pseries_phb(struct host_maker *maker, int node, struct sim_phb *phb)
{
	const void *fdt = maker->host->fdt;
	bool dynamic = get_cells(fdt, node, "ibm,ddw-applicable").count >= 3;

	phb->pe_count = 1;
	phb->levels = dynamic ? 1 : 0;
	phb->windows = dynamic ? POWERNV_WINDOWS : UINT_MAX;
	phb->page_sizes = dynamic ? LPAR_PAGE_SIZES : LPAR_4K_ONLY;
	phb->resets_windows = get_cell(fdt, node, "ibm,ddw-extensions", 0, 0) >= 1 &&
			      get_cells(fdt, node, "ibm,ddw-extensions").count >= 2;
	return get_cells(fdt, node, "ibm,dma-window").count > 0 ? read_dma_window(maker, node, phb)
								: 0;
}

/* devices */

static int check_bus(struct host_maker *maker, const struct sim_device *device)
{
	const struct sim_host *host = maker->host;
	const struct sim_device *bridge = &host->devices[device->parent];

	if (device->bus == bridge->bus) {
		return tree_error(maker, device->of_path, "it lies on the bus of its own bridge");
	}
	return 0;
}

static int read_device(struct host_maker *maker, int node, unsigned int phb, int parent,
		       const char *path)
{
	const void *fdt = maker->host->fdt;
	uint32_t address = get_cell(fdt, node, "reg", 0, 0);
	struct pci_address where = {
		.domain = (uint16_t)maker->host->phbs[phb].number,
		.bus = (uint8_t)(address >> 16),
		.devfn = (uint8_t)(address >> 8),
	};
	struct sim_device *device = host_add_device(maker, where);

	if (!device) {
		return (int)maker->error->code;
	}
	maker->extras[maker->host->device_count - 1].node = node;
	device->parent = parent;
	device->phb = phb;
	device->vendor = (uint16_t)get_cell(fdt, node, "vendor-id", 0, 0);
	device->device = (uint16_t)get_cell(fdt, node, "device-id", 0, 0);
	device->class_code = get_cell(fdt, node, "class-code", 0, 0) & 0xffffff;
	device->revision = (uint8_t)get_cell(fdt, node, "revision-id", 0, 0);
	device->subsystem_vendor = (uint16_t)get_cell(fdt, node, "subsystem-vendor-id", 0, 0);
	device->subsystem_device = (uint16_t)get_cell(fdt, node, "subsystem-id", 0, 0);
	device->of_path = strdup(path);
	if (!device->of_path) {
		return error_set(maker->error, ERROR_KERNEL, ENOMEM, "no memory for a path");
	}
	return parent >= 0 ? check_bus(maker, device) : 0;
}

/* Nodes that are no PCI functions (slots, ports of adapters) have no vendor or no address. */
static bool is_function(const void *fdt, int node)
{
	return get_cells(fdt, node, "vendor-id").count > 0 &&
	       get_cells(fdt, node, "reg").count >= 5;
}

/* Add the devices below a node. check_nodes has bounded the depth. */
static int add_devices(struct host_maker *maker, int above, unsigned int phb, int parent,
		       int window, const char *path_above)
{
	const void *fdt = maker->host->fdt;
	int node;

	fdt_for_each_subnode(node, fdt, above)
	{
		int index = (int)maker->host->device_count;
		char path[OF_PATH_SIZE];
		int below = window;
		int r;

		if (!is_function(fdt, node)) {
			continue;
		}
		if (snprintf(path, sizeof(path), "%s/%s", path_above,
			     fdt_get_name(fdt, node, NULL)) >= (int)sizeof(path)) {
			return tree_error(maker, path, "its path is too long");
		}
		r = read_device(maker, node, phb, parent, path);
		if (r) {
			return r;
		}
		/* pci_dma_find looks upwards from the device itself. */
		if (get_cells(fdt, node, "ibm,dma-window").count > 0) {
			below = node;
		}
		maker->extras[index].window = below;
		if (sim_device_is_bridge(&maker->host->devices[index])) {
			r = add_devices(maker, node, phb, index, below, path);
		}
		if (r) {
			return r;
		}
	}
	return 0;
}

static int add_phb(struct host_maker *maker, int node, const char *path)
{
	struct sim_host *host = maker->host;
	struct sim_phb *phb = host_add_phb(maker);
	bool window = get_cells(host->fdt, node, "ibm,dma-window").count > 0;
	int r;

	if (!phb) {
		return (int)maker->error->code;
	}
	phb->node = fdt_get_name(host->fdt, node, NULL);
	phb->number = number_phb(maker, node);
	phb->has_window = host->platform != SIM_PSERIES || window;
	r = host->platform == SIM_PSERIES ? read_pseries_phb(maker, node, phb)
					  : read_powernv_phb(maker, node, phb);
	return r ? r
		 : add_devices(maker, node, (unsigned int)host->phb_count - 1, -1,
			       window ? node : -1, path);
}

/* of_device_is_available */
static bool is_available(const void *fdt, int node)
{
	return !fdt_getprop(fdt, node, "status", NULL) || has_string(fdt, node, "status", "okay") ||
	       has_string(fdt, node, "status", "ok");
}

/* pnv_pci_init: those of IODA2 first, wherever they are. */
static int add_powernv_phbs(struct host_maker *maker, const char *compatible)
{
	const void *fdt = maker->host->fdt;
	int node = fdt_node_offset_by_compatible(fdt, -1, compatible);

	for (; node >= 0; node = fdt_node_offset_by_compatible(fdt, node, compatible)) {
		char path[OF_PATH_SIZE];
		int r;

		if (!is_available(fdt, node)) {
			continue;
		}
		if (node == 0 || fdt_get_path(fdt, node, path, sizeof(path)) < 0) {
			return tree_error(maker, "", "a PHB has no path, or one that is too long");
		}
		r = add_phb(maker, node, path + 1);
		if (r) {
			return r;
		}
	}
	return 0;
}

/* find_and_init_phbs */
static int add_pseries_phbs(struct host_maker *maker)
{
	const void *fdt = maker->host->fdt;
	int node;

	fdt_for_each_subnode(node, fdt, 0)
	{
		int r;

		if (!has_string(fdt, node, "device_type", "pci") &&
		    !has_string(fdt, node, "device_type", "pciex")) {
			continue;
		}
		r = add_phb(maker, node, fdt_get_name(fdt, node, NULL));
		if (r) {
			return r;
		}
	}
	return 0;
}

int host_read_tree(struct host_maker *maker)
{
	struct sim_host *host = maker->host;
	int r = fdt_check_full(host->fdt, host->fdt_size);

	if (r == 0 && fdt_path_offset(host->fdt, "/") != 0) {
		r = -FDT_ERR_BADSTRUCTURE;
	}
	if (r < 0) {
		return error_set(maker->error, ERROR_INVALID_ARGUMENT, 0,
				 "%s: no device tree, or a broken one: %s", maker->fdt_name,
				 fdt_strerror(r));
	}
	r = check_nodes(maker);
	if (r) {
		return r;
	}
	host->platform = find_platform(host->fdt);
	switch (host->platform) {
	case SIM_POWERNV:
		r = add_powernv_phbs(maker, COMPATIBLE_IODA2);
		return r ? r : add_powernv_phbs(maker, COMPATIBLE_IODA3);
	case SIM_PSERIES:
		return add_pseries_phbs(maker);
	case SIM_TYPE1:
		break; /* the list has its devices */
	}
	return 0;
}
