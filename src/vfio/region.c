/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/region.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/trace.h"
#include "common/worker_protocol.h"
#include "vfio/device.h"
#include "vfio/irq.h"
#include "vfio/refusal.h"

/* Of one answer: more than any device says of one region. */
#define ANSWER_MAX UINT32_C(65536)
/* The kernel may say more while it is asked: so often it is asked again. */
#define ANSWERS_MAX 4U

/* What a register of two bytes reads as where nobody answers. */
#define NO_ANSWER UINT16_MAX

/* vfio_pci_ioctl_get_region_info */
static const struct refusal info_refusals[] = {
	{ENODEV, ERROR_NOT_FOUND, "the device is gone"},
	{0, ERROR_NONE, NULL},
};

/* vfio_pci_rw, vfio_pci_bar_rw */
static const struct refusal access_refusals[] = {
	{ENODEV, ERROR_NOT_FOUND, "the device is gone"},
	{EINVAL, ERROR_UNSUPPORTED, "the kernel doesn't let programs do that there"},
	{EIO, ERROR_KERNEL,
	 "the device doesn't answer: its memory is off (command register), or it is in low power"},
	{0, ERROR_NONE, NULL},
};

/* vfio_pci_core_mmap */
static const struct refusal map_refusals[] = {
	{ENODEV, ERROR_NOT_FOUND, "the device is gone"},
	{EINVAL, ERROR_UNSUPPORTED, "the kernel doesn't let programs map that"},
	{0, ERROR_NONE, NULL},
};

/* reading what there is */

static int no_memory(const struct device *device, struct error *error)
{
	return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the regions of device %s",
			 device->name);
}

/* *ret_info, with what comes behind it, is the caller's to free. NULL: there is no such region. */
static int ask(const struct device *device, uint32_t index, struct vfio_region_info **ret_info,
	       struct error *error)
{
	uint32_t size = sizeof(struct vfio_region_info);

	for (unsigned int i = 0; i < ANSWERS_MAX && size <= ANSWER_MAX; i++) {
		cleanup(cleanup_free) struct vfio_region_info *info = calloc(1, size);
		int r;

		if (!info) {
			return no_memory(device, error);
		}
		info->argsz = size;
		info->index = index;
		r = kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_GET_REGION_INFO, info);
		if (r == -EINVAL) {
			*ret_info = NULL;
			return 0;
		}
		if (r != 0) {
			return refusal_set(error, info_refusals, r,
					   "ask for region %" PRIu32 " of device %s", index,
					   device->name);
		}
		if (info->argsz <= size) {
			info->argsz = size;
			*ret_info = steal_pointer(info);
			return 0;
		}
		size = info->argsz;
	}
	return error_set(error, ERROR_KERNEL, 0,
			 "the kernel wants to say 0x%" PRIx32 " bytes of region %" PRIu32
			 " of device %s, which has no end",
			 size, index, device->name);
}

static int damaged(const struct device *device, const struct region *region, uint64_t number,
		   const char *what, struct error *error)
{
	return error_set(error, ERROR_KERNEL, 0,
			 "what the kernel says of region %" PRIu32 " of device %s is damaged: %s "
			 "(0x%" PRIx64 ")",
			 region->index, device->name, what, number);
}

static int add_area(const struct device *device, struct region *region, uint64_t offset,
		    uint64_t size, struct error *error)
{
	if (size == 0) {
		return 0;
	}
	if (offset >= region->size || size > region->size - offset) {
		return damaged(device, region, offset, "an area outside of the region", error);
	}
	region->areas[region->area_count++] = (struct region_area){.offset = offset, .size = size};
	trace_region_sparse_area(device->name, region->index, offset, size);
	return 0;
}

/* left: bytes from the capability's start to the answer's end. */
static int read_areas(const struct device *device, struct region *region, const uint8_t *bytes,
		      size_t left, struct error *error)
{
	struct vfio_region_info_cap_sparse_mmap head;
	struct vfio_region_sparse_mmap_area area;
	int r = 0;

	if (left < sizeof(head)) {
		return damaged(device, region, left, "a capability without an end", error);
	}
	memcpy(&head, bytes, sizeof(head));
	if (head.nr_areas > WORKER_AREAS_MAX ||
	    head.nr_areas > (left - sizeof(head)) / sizeof(area) || region->areas) {
		return damaged(device, region, head.nr_areas, "the number of areas", error);
	}
	region->areas = calloc(head.nr_areas + 1, sizeof(*region->areas));
	if (!region->areas) {
		return no_memory(device, error);
	}
	for (uint32_t i = 0; i < head.nr_areas && r == 0; i++) {
		memcpy(&area, bytes + sizeof(head) + i * sizeof(area), sizeof(area));
		r = add_area(device, region, area.offset, area.size, error);
	}
	return r;
}

static int read_type(const struct device *device, struct region *region, const uint8_t *bytes,
		     size_t left, struct error *error)
{
	struct vfio_region_info_cap_type type;

	if (left < sizeof(type)) {
		return damaged(device, region, left, "a capability without an end", error);
	}
	memcpy(&type, bytes, sizeof(type));
	region->has_type = true;
	region->type = type.type;
	region->subtype = type.subtype;
	return 0;
}

static int read_capability(const struct device *device, struct region *region, uint16_t id,
			   const uint8_t *bytes, size_t left, struct error *error)
{
	region->capabilities++;
	if (id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
		return read_areas(device, region, bytes, left, error);
	}
	if (id == VFIO_REGION_INFO_CAP_TYPE) {
		return read_type(device, region, bytes, left, error);
	}
	region->msix_mappable |= id == VFIO_REGION_INFO_CAP_MSIX_MAPPABLE;
	return 0;
}

/* The kernel's chains go forward (vfio_info_cap_add), so that they have an end. */
static int read_capabilities(const struct device *device, struct region *region,
			     const struct vfio_region_info *info, struct error *error)
{
	const uint8_t *bytes = (const uint8_t *)info;
	uint32_t from = sizeof(*info);
	uint32_t at = info->flags & VFIO_REGION_INFO_FLAG_CAPS ? info->cap_offset : 0;

	while (at != 0) {
		struct vfio_info_cap_header header;
		int r;

		if (at < from || at > info->argsz - sizeof(header)) {
			return damaged(device, region, at, "the place of a capability", error);
		}
		memcpy(&header, bytes + at, sizeof(header));
		r = read_capability(device, region, header.id, bytes + at, info->argsz - at, error);
		if (r) {
			return r;
		}
		from = at + (uint32_t)sizeof(header);
		at = header.next;
	}
	return 0;
}

/* The whole, where the kernel doesn't restrict it. */
static int complete_areas(const struct device *device, struct region *region, struct error *error)
{
	if (!(region->flags & VFIO_REGION_INFO_FLAG_MMAP)) {
		region->area_count = 0;
		return 0;
	}
	if (region->areas) {
		return 0;
	}
	region->areas = calloc(1, sizeof(*region->areas));
	if (!region->areas) {
		return no_memory(device, error);
	}
	region->area_count = 1;
	region->areas[0] = (struct region_area){.offset = 0, .size = region->size};
	return 0;
}

/* Add a region to the device's, if there is one of that number. */
static int read_region(struct device *device, uint32_t index, struct error *error)
{
	struct region *region = &device->regions[device->region_count];
	cleanup(cleanup_free) struct vfio_region_info *info = NULL;
	int r = ask(device, index, &info, error);

	if (r || !info || info->size == 0) {
		return r;
	}
	*region = (struct region){
		.index = index,
		.flags = info->flags,
		.size = info->size,
		.offset = info->offset,
	};
	device->region_count++;
	trace_region_setup(device->name, index, info->flags, info->offset, info->size);
	if (info->offset > INT64_MAX || info->size > INT64_MAX - info->offset) {
		return damaged(device, region, info->offset, "offsets that no file has", error);
	}
	r = read_capabilities(device, region, info, error);
	if (r == 0) {
		r = complete_areas(device, region, error);
	}
	return r;
}

int regions_read(struct device *device, uint32_t count, struct error *error)
{
	if (count > WORKER_REGIONS_MAX) {
		return error_set(error, ERROR_KERNEL, 0,
				 "the kernel says that device %s has %" PRIu32
				 " regions; at most %d are possible",
				 device->name, count, WORKER_REGIONS_MAX);
	}
	device->regions = calloc(count + 1, sizeof(*device->regions));
	device->region_count = 0;
	if (!device->regions) {
		return no_memory(device, error);
	}
	for (uint32_t i = 0; i < count; i++) {
		int r = read_region(device, i, error);

		if (r) {
			regions_done(device);
			return r;
		}
	}
	return 0;
}

void regions_done(struct device *device)
{
	for (uint32_t i = 0; i < device->region_count; i++) {
		region_unmap(device, &device->regions[i]);
		free(device->regions[i].areas);
	}
	free(device->regions);
	device->regions = NULL;
	device->region_count = 0;
}

/* finding */

int region_find(struct device *device, uint32_t index, struct region **ret_region,
		struct error *error)
{
	char text[128] = "";
	size_t length = 0;

	for (uint32_t i = 0; i < device->region_count; i++) {
		struct region *region = &device->regions[i];

		if (region->index == index) {
			*ret_region = region;
			return 0;
		}
		if (length < sizeof(text) - 1) {
			length += (size_t)snprintf(text + length, sizeof(text) - length,
						   "%s%" PRIu32, i ? ", " : "", region->index);
		}
	}
	return error_set(error, ERROR_NOT_FOUND, 0,
			 "device %s has no region %" PRIu32 "; those that it has: %s", device->name,
			 index, text);
}

int region_find_type(struct device *device, uint32_t type, uint32_t subtype,
		     struct region **ret_region, struct error *error)
{
	for (uint32_t i = 0; i < device->region_count; i++) {
		struct region *region = &device->regions[i];

		if (region->has_type && region->type == type && region->subtype == subtype) {
			trace_region_find(device->name, region->index, type, subtype);
			*ret_region = region;
			return 0;
		}
	}
	return error_set(error, ERROR_NOT_FOUND, 0,
			 "device %s has no region of type 0x%" PRIx32 " and subtype 0x%" PRIx32,
			 device->name, type, subtype);
}

/* registers */

struct access {
	struct device *device;
	const struct region *region;
	uint64_t offset;
	uint32_t size;
	bool writes;
};

static bool is_bar(const struct region *region)
{
	return region->index <= VFIO_PCI_BAR5_REGION_INDEX;
}

static int check_place(const struct access *access, struct error *error)
{
	const struct region *region = access->region;
	uint32_t size = access->size;
	uint32_t needed = access->writes ? VFIO_REGION_INFO_FLAG_WRITE : VFIO_REGION_INFO_FLAG_READ;

	if (size != 1 && size != 2 && size != 4 && size != 8) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "registers have 1, 2, 4 or 8 bytes, not %" PRIu32, size);
	}
	if (access->offset % size != 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "offset 0x%" PRIx64 " in region %" PRIu32
				 " of device %s is not a multiple of the %" PRIu32
				 " bytes to be accessed",
				 access->offset, region->index, access->device->name, size);
	}
	if (access->offset >= region->size || size > region->size - access->offset) {
		return error_set(
			error, ERROR_INVALID_ARGUMENT, 0,
			"%" PRIu32 " bytes at offset 0x%" PRIx64 " are not inside region %" PRIu32
			" of device %s, which has 0x%" PRIx64 " bytes",
			size, access->offset, region->index, access->device->name, region->size);
	}
	if (!(region->flags & needed)) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "region %" PRIu32 " of device %s can't be %s", region->index,
				 access->device->name, access->writes ? "written" : "read");
	}
	return 0;
}

/* The bit of the command register that a BAR or ROM needs. */
static int find_decode_bit(const struct access *access, uint16_t *ret_bit)
{
	uint32_t bar = 0;
	int r = 0;

	if (is_bar(access->region)) {
		r = device_read_config(access->device,
				       PCI_BASE_ADDRESS_0 + access->region->index * sizeof(bar),
				       &bar, sizeof(bar));
	}
	if (r == 0) {
		*ret_bit = le32toh(bar) & PCI_BASE_ADDRESS_SPACE_IO ? PCI_COMMAND_IO
								    : PCI_COMMAND_MEMORY;
	}
	return r;
}

/* While a reset of the PE is asserted its BARs are lost, so that an access may end the host. Its
 * config space is blocked then: all ones, or -ENODEV (eeh_pe_reset, EEH_PE_CFG_BLOCKED). */
static int no_answer(const struct access *access, int r, struct error *error)
{
	return error_set(error, ERROR_FROZEN, -r,
			 "the command register of device %s doesn't answer, so region %" PRIu32
			 " is not accessed: its PE is frozen or being reset, or the device is gone",
			 access->device->name, access->region->index);
}

static int check_decoding(const struct access *access, struct error *error)
{
	const struct device *device = access->device;
	uint16_t command = 0;
	uint16_t bit = 0;
	int r = 0;

	if (access->region->index > VFIO_PCI_ROM_REGION_INDEX) {
		return 0;
	}
	r = device_read_config(device, PCI_COMMAND, &command, sizeof(command));
	command = le16toh(command);
	if (r == 0) {
		r = find_decode_bit(access, &bit);
	}
	if (r < 0 || command == NO_ANSWER) {
		return no_answer(access, r, error);
	}
	if (command & bit) {
		return 0;
	}
	return error_set(
		error, ERROR_INVALID_ARGUMENT, 0,
		"device %s doesn't answer in region %" PRIu32
		": its command register is 0x%04x, without bit %d (%s); set that in region "
		"%d, offset 4, first",
		device->name, access->region->index, command, bit == PCI_COMMAND_MEMORY ? 1 : 0,
		bit == PCI_COMMAND_MEMORY ? "memory" : "I/O", VFIO_PCI_CONFIG_REGION_INDEX);
}

static int check_access(const struct access *access, struct error *error)
{
	int r = check_place(access, error);

	return r ? r : check_decoding(access, error);
}

/* Where the register is in memory; NULL: it isn't mapped. */
static volatile void *find_mapped(const struct access *access)
{
	const struct region *region = access->region;

	for (uint32_t i = 0; i < region->area_count; i++) {
		const struct region_area *area = &region->areas[i];

		if (area->address && access->offset >= area->offset &&
		    access->offset - area->offset < area->size &&
		    access->size <= area->size - (access->offset - area->offset)) {
			return (char *)area->address + (access->offset - area->offset);
		}
	}
	return NULL;
}

/* One load of the register's size, for registers may have effects. In order with what comes before
 * and after: on POWER it needn't be by itself. */
static uint64_t load(const volatile void *at, uint32_t size)
{
	uint64_t value;

	atomic_thread_fence(memory_order_seq_cst);
	switch (size) {
	case 1:
		value = *(const volatile uint8_t *)at;
		break;
	case 2:
		value = le16toh(*(const volatile uint16_t *)at);
		break;
	case 4:
		value = le32toh(*(const volatile uint32_t *)at);
		break;
	default:
		value = le64toh(*(const volatile uint64_t *)at);
		break;
	}
	atomic_thread_fence(memory_order_seq_cst);
	return value;
}

static void store(volatile void *at, uint32_t size, uint64_t value)
{
	atomic_thread_fence(memory_order_seq_cst);
	switch (size) {
	case 1:
		*(volatile uint8_t *)at = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)at = htole16((uint16_t)value);
		break;
	case 4:
		*(volatile uint32_t *)at = htole32((uint32_t)value);
		break;
	default:
		*(volatile uint64_t *)at = htole64(value);
		break;
	}
	atomic_thread_fence(memory_order_seq_cst);
}

/* What was moved by the fd. */
static int check_moved(const struct access *access, ssize_t moved, struct error *error)
{
	int r = moved < 0 ? (int)moved : (size_t)moved == access->size ? 0 : -EIO;

	return r < 0 ? refusal_set(error, access_refusals, r,
				   "%s %" PRIu32 " bytes at 0x%" PRIx64 " of region %" PRIu32
				   " of device %s",
				   access->writes ? "write" : "read", access->size, access->offset,
				   access->region->index, access->device->name)
		     : 0;
}

static void finish_access(const struct access *access)
{
	if (is_bar(access->region)) {
		irq_rearm(access->device);
	}
}

int region_read(struct device *device, const struct region *region, uint64_t offset, uint32_t size,
		uint64_t *ret_value, struct error *error)
{
	const struct access access = {device, region, offset, size, false};
	const volatile void *at;
	uint64_t value = 0;
	int r = check_access(&access, error);

	if (r) {
		return r;
	}
	at = find_mapped(&access);
	if (at) {
		value = load(at, size);
	} else {
		r = check_moved(&access,
				kernel_read(device->kernel, device->fd, region->offset + offset,
					    &value, size),
				error);
		value = le64toh(value);
	}
	finish_access(&access);
	if (r == 0) {
		trace_region_read(device->name, region->index, offset, size, value);
		*ret_value = value;
	}
	return r;
}

int region_write(struct device *device, const struct region *region, uint64_t offset, uint32_t size,
		 uint64_t value, struct error *error)
{
	const struct access access = {device, region, offset, size, true};
	uint64_t wire = htole64(value);
	volatile void *at;
	int r = check_access(&access, error);

	if (r) {
		return r;
	}
	if (size < sizeof(value) && value >> 8 * size != 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the value 0x%" PRIx64 " has more than %" PRIu32 " bytes", value,
				 size);
	}
	at = find_mapped(&access);
	if (at) {
		store(at, size, value);
	} else {
		r = check_moved(&access,
				kernel_write(device->kernel, device->fd, region->offset + offset,
					     &wire, size),
				error);
	}
	finish_access(&access);
	if (r == 0) {
		trace_region_write(device->name, region->index, offset, size, value);
	}
	return r;
}

/* mapping */

static uint64_t page_size(const struct kernel *kernel)
{
	return kernel->page_shift ? UINT64_C(1) << kernel->page_shift
				  : (uint64_t)sysconf(_SC_PAGESIZE);
}

/* A BAR that is smaller than a page is mapped with what is left of that (vfio_pci_core_mmap). */
static int map_area(const struct device *device, const struct region *region,
		    struct region_area *area, struct error *error)
{
	uint64_t page = page_size(device->kernel);
	size_t size = (size_t)((area->size + page - 1) & ~(page - 1));
	int prot = (region->flags & VFIO_REGION_INFO_FLAG_READ ? PROT_READ : 0) |
		   (region->flags & VFIO_REGION_INFO_FLAG_WRITE ? PROT_WRITE : 0);
	void *address = NULL;
	int r = kernel_map(device->kernel, device->fd, region->offset + area->offset, size, prot,
			   &address);

	trace_region_map(device->name, region->index, area->offset, size, r);
	if (r != 0) {
		return refusal_set(error, map_refusals, r,
				   "map 0x%" PRIx64 " bytes at 0x%" PRIx64 " of region %" PRIu32
				   " of device %s",
				   area->size, area->offset, region->index, device->name);
	}
	area->address = address;
	area->mapped = size;
	return 0;
}

int region_map(struct device *device, struct region *region, struct error *error)
{
	if (region->area_count == 0) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "region %" PRIu32 " of device %s can't be mapped", region->index,
				 device->name);
	}
	for (uint32_t i = 0; i < region->area_count && !region->areas[i].address; i++) {
		int r = map_area(device, region, &region->areas[i], error);

		if (r) {
			region_unmap(device, region);
			return r;
		}
	}
	return 0;
}

void region_unmap(struct device *device, struct region *region)
{
	for (uint32_t i = 0; i < region->area_count; i++) {
		struct region_area *area = &region->areas[i];

		if (area->address) {
			(void)kernel_unmap(device->kernel, area->address, area->mapped);
			trace_region_unmap(device->name, region->index, area->offset, area->size);
			area->address = NULL;
			area->mapped = 0;
		}
	}
}
