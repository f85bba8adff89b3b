/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a device list says, put onto the host; it may not contradict the tree. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "sim/host_private.h"
#include "sim/pci_config.h"

#define BRIDGES_MAX       256 /* one above the other; so many buses there are */
#define BAR_COUNT         6U
#define RESOURCE_IO       0x100U /* IORESOURCE_IO and so on */
#define RESOURCE_MEM      0x200U
#define RESOURCE_UNSET    0x20000000U
#define DMA_ENTRY_LIMIT   65535 /* vfio_iommu_type1's dma_entry_limit */
#define TYPE1_PAGE_SIZES  UINT64_C(0x40201000)
#define RESERVED_LINE_MAX 64U
#define VENDOR_OF_VF      0xffff /* what a virtual function's config space has */

#define WRONG(maker, line, ...) \
	device_list_error((maker)->host->list, line, (maker)->error, __VA_ARGS__)

/* the host */

static int refuse_key(struct host_maker *maker, enum host_key key, const char *why)
{
	unsigned int line = maker->host->list->host.line[key];

	return line ? WRONG(maker, line, "%s", why) : 0;
}

static int check_platform(struct host_maker *maker)
{
	const struct listed_host *listed = &maker->host->list->host;
	unsigned int line = listed->line[HOST_KEY_PLATFORM];

	if (line == 0 || listed->platform == maker->host->platform) {
		return 0;
	}
	return maker->host->fdt
		       ? WRONG(maker, line, "the device tree is one of another platform")
		       : WRONG(maker, line, "a host of this platform is made from a device tree");
}

/* What only some platforms have. */
static int check_keys(struct host_maker *maker)
{
	static const enum host_key type1_keys[] = {
		HOST_KEY_IOVA_RANGES, HOST_KEY_DMA_ENTRY_LIMIT,  HOST_KEY_IOMMU,
		HOST_KEY_GROUP_TYPE,  HOST_KEY_RESERVED_REGIONS,
	};
	const struct sim_host *host = maker->host;
	int r = check_platform(maker);

	if (r) {
		return r;
	}
	if (host->platform == SIM_TYPE1) {
		return refuse_key(maker, HOST_KEY_EEH, "only POWER hosts have EEH");
	}
	for (size_t i = 0; i < sizeof(type1_keys) / sizeof(*type1_keys); i++) {
		r = refuse_key(maker, type1_keys[i], "this is for hosts of platform type1");
		if (r) {
			return r;
		}
	}
	return host->platform == SIM_POWERNV
		       ? refuse_key(maker, HOST_KEY_PAGE_SIZES,
				    "the device tree says it: ibm,supported-tce-sizes")
		       : 0;
}

static int apply_type1(struct host_maker *maker)
{
	struct sim_host *host = maker->host;
	const struct listed_host *listed = &host->list->host;
	size_t used = 0;

	host->iova_ranges = calloc(DEVICE_LIST_RANGES_MAX, sizeof(*host->iova_ranges));
	host->reserved_regions = calloc(listed->region_count + 1, RESERVED_LINE_MAX);
	if (!host->iova_ranges || !host->reserved_regions) {
		return error_set(maker->error, ERROR_KERNEL, ENOMEM, "no memory for the ranges");
	}
	memcpy(host->iova_ranges, listed->iova_ranges, sizeof(listed->iova_ranges));
	host->iova_range_count = listed->iova_range_count;
	if (host->iova_range_count == 0) {
		host->iova_ranges[0] = (struct sim_iova_range){.first = 0, .last = UINT64_MAX};
		host->iova_range_count = 1;
	}
	for (size_t i = 0; i < listed->region_count; i++) {
		used += (size_t)snprintf(host->reserved_regions + used, RESERVED_LINE_MAX,
					 "0x%016" PRIx64 " 0x%016" PRIx64 " %s\n",
					 listed->regions[i].first, listed->regions[i].last,
					 listed->regions[i].type);
	}
	host->dma_entry_limit =
		listed->line[HOST_KEY_DMA_ENTRY_LIMIT] ? listed->dma_entry_limit : DMA_ENTRY_LIMIT;
	(void)snprintf(host->iommu, sizeof(host->iommu), "%s", listed->iommu);
	(void)snprintf(host->group_type, sizeof(host->group_type), "%s",
		       listed->line[HOST_KEY_GROUP_TYPE] ? listed->group_type : "DMA");
	return 0;
}

static int apply_host(struct host_maker *maker)
{
	struct sim_host *host = maker->host;
	const struct listed_host *listed = &host->list->host;
	int r = check_keys(maker);

	if (r) {
		return r;
	}
	if (host->settings.kernel == 0 && listed->line[HOST_KEY_KERNEL]) {
		host->settings.kernel = listed->kernel;
	}
	if (host->settings.page_shift == 0 && listed->line[HOST_KEY_PAGE_SIZE]) {
		host->settings.page_shift = listed->page_shift;
	}
	memcpy(host->huge_pages, listed->huge_pages, sizeof(host->huge_pages));
	host->huge_page_count = listed->huge_page_count;
	for (size_t i = 0; i < host->phb_count; i++) {
		struct sim_phb *phb = &host->phbs[i];

		if (listed->line[HOST_KEY_PAGE_SIZES] && phb->levels > 0) {
			phb->page_sizes = listed->page_sizes;
		}
		if (listed->line[HOST_KEY_EEH]) {
			phb->eeh = listed->eeh;
		}
	}
	return host->platform == SIM_TYPE1 ? apply_type1(maker) : 0;
}

/* values of a device */

/* A number that stands in the list and, maybe, in the tree or in the config space too. */
static int check_number(struct host_maker *maker, unsigned int line, const char *name,
			uint32_t listed, uint32_t there, const char *where)
{
	if (line == 0 || listed == there) {
		return 0;
	}
	return WRONG(maker, line, "%s = 0x%" PRIx32 ", but it is 0x%" PRIx32 " in the %s", name,
		     listed, there, where);
}

/* What device has comes from the tree or the config space, and must be what the list says. */
static int check_identity(struct host_maker *maker, const struct sim_device *device,
			  const struct listed_device *listed, const char *where)
{
	int r = check_number(maker, listed->line[DEVICE_KEY_VENDOR], "vendor", listed->vendor,
			     device->vendor, where);

	if (r == 0) {
		r = check_number(maker, listed->line[DEVICE_KEY_DEVICE], "device", listed->device,
				 device->device, where);
	}
	if (r == 0) {
		r = check_number(maker, listed->line[DEVICE_KEY_CLASS], "class", listed->class_code,
				 device->class_code, where);
	}
	if (r == 0) {
		r = check_number(maker, listed->line[DEVICE_KEY_REVISION], "revision",
				 listed->revision, device->revision, where);
	}
	return r;
}

static int check_config_header(struct host_maker *maker, const struct sim_device *device,
			       const struct listed_device *listed)
{
	unsigned int line = listed->line[DEVICE_KEY_CONFIG];
	const uint8_t *config = listed->config;
	uint32_t class_code = pci_config_get_32(config, PCI_CONFIG_REVISION) >> 8;
	bool bridge = (config[PCI_CONFIG_HEADER_TYPE] & 0x7f) == PCI_HEADER_BRIDGE;
	int r = 0;

	if (pci_config_get_16(config, PCI_CONFIG_VENDOR) != VENDOR_OF_VF) {
		r = check_number(maker, line, "config space: vendor",
				 pci_config_get_16(config, PCI_CONFIG_VENDOR), device->vendor,
				 "tree or in the list");
		if (r == 0) {
			r = check_number(maker, line, "config space: device",
					 pci_config_get_16(config, PCI_CONFIG_DEVICE),
					 device->device, "tree or in the list");
		}
	}
	if (r == 0) {
		r = check_number(maker, line, "config space: class", class_code, device->class_code,
				 "tree or in the list");
	}
	if (r == 0 && bridge != sim_device_is_bridge(device)) {
		r = WRONG(maker, line,
			  "config space: the header is %sthat of a bridge, the class %s",
			  bridge ? "" : "not ", bridge ? "is not" : "is");
	}
	return r;
}

/* Without a tree: from the config space in the list, or the list's keys. A virtual function has its
 * numbers nowhere in its config space. */
static void take_identity(struct sim_device *device, const struct listed_device *listed)
{
	const uint8_t *config = listed->config;

	device->vendor = listed->vendor;
	device->device = listed->device;
	device->class_code = listed->class_code;
	device->revision = listed->revision;
	if (!config) {
		return;
	}
	device->class_code = pci_config_get_32(config, PCI_CONFIG_REVISION) >> 8;
	device->revision = config[PCI_CONFIG_REVISION];
	if (pci_config_get_16(config, PCI_CONFIG_VENDOR) != VENDOR_OF_VF) {
		device->vendor = pci_config_get_16(config, PCI_CONFIG_VENDOR);
		device->device = pci_config_get_16(config, PCI_CONFIG_DEVICE);
	}
}

static int take_config(struct host_maker *maker, struct sim_device *device,
		       const struct listed_device *listed)
{
	const uint8_t *config = listed->config;
	bool large;

	if (!config) {
		return 0;
	}
	large = listed->config_end > 256 || pci_config_find(config, 256, PCI_CAPABILITY_EXPRESS);
	device->config_size = listed->config_size ? listed->config_size : large ? 4096 : 256;
	device->config = malloc(device->config_size);
	if (!device->config) {
		return error_set(maker->error, ERROR_KERNEL, ENOMEM, "no memory for config space");
	}
	memcpy(device->config, config, device->config_size);
	pci_config_power_on(device->config, device->config_size);
	return check_config_header(maker, device, listed);
}

static int take_subsystem(struct host_maker *maker, struct sim_device *device,
			  const struct listed_device *listed)
{
	unsigned int line = listed->line[DEVICE_KEY_SUBSYSTEM];
	uint16_t vendor = listed->subsystem_vendor;
	uint16_t id = listed->subsystem_device;

	if (line == 0 && listed->config) {
		pci_config_subsystem(device->config, &vendor, &id);
	} else if (line == 0) {
		return 0;
	}
	if (device->subsystem_vendor != 0 && device->subsystem_vendor != vendor) {
		return WRONG(maker, line ? line : listed->line[DEVICE_KEY_CONFIG],
			     "subsystem vendor 0x%x, but it is 0x%x in the tree", vendor,
			     device->subsystem_vendor);
	}
	device->subsystem_vendor = vendor;
	device->subsystem_device = id;
	return 0;
}

static int take_resources(struct host_maker *maker, struct sim_device *device,
			  const struct listed_device *listed)
{
	for (size_t i = 0; i < SIM_RESOURCES; i++) {
		const struct sim_resource *resource = &listed->resource[i];
		uint64_t size = resource->end - resource->start + 1;

		if (listed->line[DEVICE_KEY_RESOURCE_0 + i] == 0) {
			continue;
		}
		if (i < BAR_COUNT && (resource->flags & (RESOURCE_IO | RESOURCE_MEM)) != 0 &&
		    resource->end != resource->start && (size & (size - 1)) != 0) {
			return WRONG(maker, listed->line[DEVICE_KEY_RESOURCE_0 + i],
				     "a BAR of 0x%" PRIx64 " bytes, which is no power of two",
				     size);
		}
		device->resource[i] = *resource;
	}
	return 0;
}

/* Their numbers have no holes. */
static int take_regions(struct host_maker *maker, struct sim_device *device,
			const struct listed_device *listed)
{
	const unsigned int *line = &listed->line[DEVICE_KEY_REGION_0];

	for (size_t i = 0; i < SIM_EXTRA_REGIONS_MAX; i++) {
		if (line[i] && device->extra_region_count < i) {
			return WRONG(maker, line[i], "there is no region before this one");
		}
		device->extra_region_count += line[i] != 0;
	}
	device->extra_region = listed->regions;
	return 0;
}

/* A PE number is what powernv has; elsewhere sysfs's numbers mean something else, or nothing. */
static int check_pe(struct host_maker *maker, const struct listed_device *listed)
{
	unsigned int line = listed->line[DEVICE_KEY_PE];

	return line && maker->host->platform != SIM_POWERNV
		       ? WRONG(maker, line, "PE numbers are for hosts of platform powernv")
		       : 0;
}

static int apply_device(struct host_maker *maker, size_t index, const struct listed_device *listed)
{
	struct sim_device *device = &maker->host->devices[index];
	bool from_tree = maker->extras[index].node >= 0;
	int r;

	maker->extras[index].listed = listed;
	device->driver = listed->driver;
	if (!from_tree) {
		take_identity(device, listed);
	}
	r = check_identity(maker, device, listed, from_tree ? "device tree" : "config space");
	if (r == 0) {
		r = take_config(maker, device, listed);
	}
	if (r == 0) {
		r = take_subsystem(maker, device, listed);
	}
	if (r == 0) {
		r = take_resources(maker, device, listed);
	}
	if (r == 0) {
		r = take_regions(maker, device, listed);
	}
	if (r == 0) {
		r = check_pe(maker, listed);
	}
	if (listed->line[DEVICE_KEY_RESET]) {
		(void)snprintf(device->reset_method, sizeof(device->reset_method), "%s",
			       listed->reset);
	}
	device->reset_milliseconds = listed->reset_milliseconds;
	return r;
}

/* devices of the tree */

static int check_bridge(struct host_maker *maker, const struct sim_device *device,
			const struct listed_device *listed)
{
	unsigned int line = listed->line[DEVICE_KEY_BRIDGE];
	const char *there = device->parent < 0 ? "none" : maker->host->devices[device->parent].name;
	char name[SIM_DEVICE_NAME_SIZE] = "none";

	if (!listed->on_root_bus) {
		pci_address_print(listed->bridge, name);
	}
	if (line == 0 || strcmp(name, there) == 0) {
		return 0;
	}
	return WRONG(maker, line, "bridge = %s, but it is %s in the device tree", name, there);
}

static int apply_to_tree(struct host_maker *maker)
{
	struct sim_host *host = maker->host;
	const struct device_list *list = host->list;
	cleanup(cleanup_free) bool *used = calloc(list->device_count + 1, sizeof(*used));

	if (!used) {
		return error_set(maker->error, ERROR_KERNEL, ENOMEM, "no memory for the devices");
	}
	for (size_t i = 0; i < host->device_count; i++) {
		struct pci_address address = host_device_address(host, &host->devices[i]);
		const struct listed_device *listed = device_list_find(list, address);
		int r = listed ? apply_device(maker, i, listed) : 0;

		if (r == 0 && listed) {
			used[listed - list->devices] = true;
			r = check_bridge(maker, &host->devices[i], listed);
		}
		if (r) {
			return r;
		}
	}
	for (size_t i = 0; i < list->device_count; i++) {
		char name[SIM_DEVICE_NAME_SIZE];

		if (!used[i]) {
			pci_address_print(list->devices[i].address, name);
			return WRONG(maker, list->devices[i].section,
				     "device %s is not in the device tree", name);
		}
	}
	return 0;
}

/* devices of a list alone */

static int find_type1_phb(struct host_maker *maker, uint16_t domain, unsigned int *ret_phb)
{
	struct sim_host *host = maker->host;
	const struct listed_host *listed = &host->list->host;
	struct sim_phb *phb;

	for (size_t i = 0; i < host->phb_count; i++) {
		if (host->phbs[i].number == domain) {
			*ret_phb = (unsigned int)i;
			return 0;
		}
	}
	phb = host_add_phb(maker);
	if (!phb) {
		return (int)maker->error->code;
	}
	phb->node = "";
	phb->number = domain;
	phb->page_sizes = listed->line[HOST_KEY_PAGE_SIZES] ? listed->page_sizes : TYPE1_PAGE_SIZES;
	*ret_phb = (unsigned int)host->phb_count - 1;
	return 0;
}

#define NOT_ADDED (-1)
#define ADDING    (-2)

/* Add a device after those above it. indices: where in the host each of the list is. */
static int add_listed(struct host_maker *maker, size_t which, int *indices, unsigned int depth)
{
	const struct device_list *list = maker->host->list;
	const struct listed_device *listed = &list->devices[which];
	unsigned int line = listed->line[DEVICE_KEY_BRIDGE];
	const struct listed_device *bridge = NULL;
	struct sim_device *device;
	unsigned int phb = 0;
	int r;

	if (indices[which] >= 0) {
		return 0;
	}
	if (indices[which] == ADDING || depth > BRIDGES_MAX) {
		return WRONG(maker, line, "the bridges lie above each other in a circle");
	}
	indices[which] = ADDING;
	if (line != 0 && !listed->on_root_bus) {
		bridge = device_list_find(list, listed->bridge);
		if (!bridge || bridge->address.domain != listed->address.domain ||
		    bridge->address.bus == listed->address.bus) {
			return WRONG(maker, line,
				     "there is no such bridge to this bus in the list");
		}
		r = add_listed(maker, (size_t)(bridge - list->devices), indices, depth + 1);
		if (r) {
			return r;
		}
	}
	r = find_type1_phb(maker, listed->address.domain, &phb);
	if (r) {
		return r;
	}
	device = host_add_device(maker, listed->address);
	if (!device) {
		return (int)maker->error->code;
	}
	indices[which] = (int)maker->host->device_count - 1;
	device->phb = phb;
	device->parent = bridge ? indices[bridge - list->devices] : -1;
	r = apply_device(maker, (size_t)indices[which], listed);
	if (r == 0 && bridge && !sim_device_is_bridge(&maker->host->devices[device->parent])) {
		r = WRONG(maker, line, "%s is no bridge",
			  maker->host->devices[device->parent].name);
	}
	return r;
}

static int add_all_listed(struct host_maker *maker)
{
	size_t count = maker->host->list->device_count;
	cleanup(cleanup_free) int *indices = calloc(count + 1, sizeof(*indices));

	if (!indices) {
		return error_set(maker->error, ERROR_KERNEL, ENOMEM, "no memory for the devices");
	}
	for (size_t i = 0; i < count; i++) {
		indices[i] = NOT_ADDED;
	}
	for (size_t i = 0; i < count; i++) {
		int r = add_listed(maker, i, indices, 0);

		if (r) {
			return r;
		}
	}
	return 0;
}

/* BARs */

struct bar {
	uint64_t start;
	uint64_t end;
	uint64_t space; /* memory, or the I/O ports of one PHB */
	unsigned int line;
	const struct sim_device *device;
};

static int compare_bars(const void *a, const void *b)
{
	const struct bar *left = a;
	const struct bar *right = b;

	if (left->space != right->space) {
		return left->space < right->space ? -1 : 1;
	}
	return (left->start > right->start) - (left->start < right->start);
}

static size_t gather_bars(const struct host_maker *maker, struct bar *bars)
{
	const struct sim_host *host = maker->host;
	size_t count = 0;

	for (size_t i = 0; i < host->device_count * BAR_COUNT; i++) {
		const struct sim_device *device = &host->devices[i / BAR_COUNT];
		const struct sim_resource *resource = &device->resource[i % BAR_COUNT];
		const struct listed_device *listed = maker->extras[i / BAR_COUNT].listed;

		/* What firmware and kernel have not placed begins anywhere. */
		if (!listed || resource->start == 0 || (resource->flags & RESOURCE_UNSET)) {
			continue;
		}
		bars[count++] = (struct bar){
			.start = resource->start,
			.end = resource->end,
			.space = resource->flags & RESOURCE_IO ? device->phb + UINT64_C(1) : 0,
			.line = listed->line[DEVICE_KEY_RESOURCE_0 + i % BAR_COUNT],
			.device = device,
		};
	}
	return count;
}

static int check_bars(struct host_maker *maker)
{
	size_t most = maker->host->device_count * BAR_COUNT;
	cleanup(cleanup_free) struct bar *bars = calloc(most + 1, sizeof(*bars));
	size_t count;

	if (!bars) {
		return error_set(maker->error, ERROR_KERNEL, ENOMEM, "no memory for the BARs");
	}
	count = gather_bars(maker, bars);
	qsort(bars, count, sizeof(*bars), compare_bars);
	for (size_t i = 1; i < count; i++) {
		const struct bar *before = &bars[i - 1];
		const struct bar *bar = &bars[i];

		if (before->space == bar->space && before->end >= bar->start) {
			return WRONG(maker, bar->line > before->line ? bar->line : before->line,
				     "BARs of %s and %s overlap at 0x%" PRIx64,
				     before->device->name, bar->device->name, bar->start);
		}
	}
	return 0;
}

int host_apply_list(struct host_maker *maker)
{
	int r = apply_host(maker);

	if (r) {
		return r;
	}
	r = maker->host->platform == SIM_TYPE1 ? add_all_listed(maker) : apply_to_tree(maker);
	return r ? r : check_bars(maker);
}
