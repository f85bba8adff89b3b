/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/device.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/trace.h"
#include "vfio/irq.h"
#include "vfio/refusal.h"
#include "vfio/region.h"

/* What a register reads as where nobody answers. */
#define NO_ANSWER UINT32_MAX

/* vfio_group_ioctl_get_device_fd, vfio_df_group_open */
static const struct refusal open_refusals[] = {
	{ENODEV, ERROR_NOT_FOUND, "the group has no such device, or it isn't bound to vfio-pci"},
	{EBUSY, ERROR_GROUP_BUSY, "somebody else uses the device; close it there first"},
	{EPERM, ERROR_GROUP_BUSY, "another owner holds the device; release it there first"},
	{EINVAL, ERROR_KERNEL, "the kernel doesn't have the group in a container"},
	{0, ERROR_NONE, NULL},
};

/* vfio_pci_ioctl_get_info */
static const struct refusal info_refusals[] = {
	{ENODEV, ERROR_NOT_FOUND, "the device is gone"},
	{0, ERROR_NONE, NULL},
};

static int read_info(struct device *device, struct error *error)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};
	int r = kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_GET_INFO, &info);

	if (r != 0) {
		return refusal_set(error, info_refusals, r, "ask what device %s is", device->name);
	}
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI)) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "device %s is no PCI device (flags 0x%" PRIx32 ")", device->name,
				 info.flags);
	}
	device->flags = info.flags;
	device->region_numbers = info.num_regions;
	device->irq_numbers = info.num_irqs;
	return 0;
}

static int find_config(struct device *device, struct error *error)
{
	struct region *region = NULL;
	int r = region_find(device, VFIO_PCI_CONFIG_REGION_INDEX, &region, NULL);

	if (r != 0 || region->size < PCI_STD_HEADER_SIZEOF) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "device %s has 0x%" PRIx64
				 " bytes of config space, so it is no PCI device",
				 device->name, region ? region->size : 0);
	}
	device->config_offset = region->offset;
	device->config_size = region->size;
	return 0;
}

/* All that is known of the device from now on. */
static int describe(struct device *device, struct error *error)
{
	int r = read_info(device, error);

	if (r == 0) {
		r = regions_read(device, device->region_numbers, error);
	}
	if (r == 0) {
		r = find_config(device, error);
	}
	return r ? r : irqs_read(device, device->irq_numbers, error);
}

/* The event is taken. Only PCI Express devices have the error interrupt, and kernels before 4.0 not
 * the other one (vfio_pci_ioctl_get_irq_info). */
static int listen_to(struct device *device, uint32_t index, int *event, struct error *error)
{
	int fd = steal_fd(event);

	if (fd < 0) {
		return 0;
	}
	if (!irq_find(device, index)) {
		(void)fd_close(fd);
		return 0;
	}
	return irq_set(device, index, 0, &fd, 1, error);
}

static int open_fd(struct device *device, int group_fd, struct error *error)
{
	int r = kernel_ioctl(device->kernel, group_fd, VFIO_GROUP_GET_DEVICE_FD, device->name);

	if (r < 0) {
		return refusal_set(error, open_refusals, r, "open device %s", device->name);
	}
	device->fd = r;
	return 0;
}

static void cleanup_device(struct device **device)
{
	(void)device_close(*device);
}

static void cleanup_events(struct device_events *events)
{
	cleanup_fd(&events->error);
	cleanup_fd(&events->request);
}

int device_open(struct kernel *kernel, int group_fd, const char *name, struct device_events events,
		struct device **ret_device, struct error *error)
{
	cleanup(cleanup_events) struct device_events left = events;
	cleanup(cleanup_device) struct device *device = calloc(1, sizeof(*device));
	int r;

	if (!device) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for device %s", name);
	}
	device->kernel = kernel;
	device->fd = -1;
	strncpy(device->name, name, sizeof(device->name) - 1);
	r = open_fd(device, group_fd, error);
	if (r == 0) {
		r = describe(device, error);
	}
	if (r == 0) {
		r = listen_to(device, VFIO_PCI_ERR_IRQ_INDEX, &left.error, error);
	}
	if (r == 0) {
		r = listen_to(device, VFIO_PCI_REQ_IRQ_INDEX, &left.request, error);
	}
	if (r) {
		return r;
	}
	trace_device_open(device->name, device->flags, device->region_numbers, device->irq_numbers);
	*ret_device = steal_pointer(device);
	return 0;
}

struct device *device_close(struct device *device)
{
	if (device) {
		if (device->free_snapshot) {
			(void)device->free_snapshot(device->snapshot);
		}
		regions_done(device);
		device->fd = kernel_close(device->kernel, device->fd);
		irqs_done(device);
		trace_device_close(device->name);
		free(device);
	}
	return NULL;
}

bool device_reset_works(const struct device *device)
{
	return device->flags & VFIO_DEVICE_FLAGS_RESET;
}

int device_rewire(struct device *device, struct error *error)
{
	return irq_rewire(device, error);
}

static bool is_in_config(const struct device *device, uint64_t offset, size_t size)
{
	return offset <= device->config_size && size <= device->config_size - offset;
}

static int moved_all(ssize_t moved, size_t size)
{
	if (moved < 0) {
		return (int)moved;
	}
	return (size_t)moved == size ? 0 : -EIO;
}

int device_read_config(const struct device *device, uint64_t offset, void *data, size_t size)
{
	int r;

	if (!is_in_config(device, offset, size)) {
		return -EINVAL;
	}
	r = moved_all(
		kernel_read(device->kernel, device->fd, device->config_offset + offset, data, size),
		size);
	trace_config_read(device->name, offset, (uint32_t)size, r);
	return r;
}

int device_write_config(const struct device *device, uint64_t offset, const void *data, size_t size)
{
	int r;

	if (!is_in_config(device, offset, size)) {
		return -EINVAL;
	}
	r = moved_all(kernel_write(device->kernel, device->fd, device->config_offset + offset, data,
				   size),
		      size);
	trace_config_write(device->name, offset, (uint32_t)size, r);
	return r;
}

/* Not by its ids: vfio-pci answers for those itself (init_pci_cap_basic_perm), whatever state the
 * device is in. The class is read from the device. */
bool device_answers(const struct device *device)
{
	uint32_t word = 0;

	return device_read_config(device, PCI_CLASS_REVISION, &word, sizeof(word)) == 0 &&
	       word != NO_ANSWER;
}

/* The command register with bus mastering on or off. Whether it was otherwise, and is as wanted. */
static bool switch_master(const struct device *device, bool on)
{
	uint16_t wire = 0;
	uint16_t command;

	if (!device_answers(device) ||
	    device_read_config(device, PCI_COMMAND, &wire, sizeof(wire)) < 0) {
		return false;
	}
	command = le16toh(wire);
	if (((command & PCI_COMMAND_MASTER) != 0) == on) {
		return false;
	}
	wire = htole16((uint16_t)(command ^ PCI_COMMAND_MASTER));
	return device_write_config(device, PCI_COMMAND, &wire, sizeof(wire)) == 0;
}

void device_quiesce(struct device *device)
{
	device->quiesced = switch_master(device, false);
}

void device_go_on(struct device *device)
{
	if (device->quiesced) {
		(void)switch_master(device, true);
		device->quiesced = false;
	}
}
