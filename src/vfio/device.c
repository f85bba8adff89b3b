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
#include "vfio/refusal.h"

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

/* vfio_pci_ioctl_get_region_info */
static const struct refusal region_refusals[] = {
	{ENODEV, ERROR_NOT_FOUND, "the device is gone"},
	{0, ERROR_NONE, NULL},
};

/* vfio_pci_set_ctx_trigger_single, eventfd_ctx_fdget */
static const struct refusal event_refusals[] = {
	{EINVAL, ERROR_INVALID_ARGUMENT, "the fd for the error interrupt is no eventfd"},
	{EBADF, ERROR_INVALID_ARGUMENT, "the fd for the error interrupt is no eventfd"},
	{ENODEV, ERROR_NOT_FOUND, "the device is gone"},
	{0, ERROR_NONE, NULL},
};

static int find_config(struct device *device, struct error *error)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	int r = kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_GET_REGION_INFO, &info);

	if (r != 0) {
		return refusal_set(error, region_refusals, r, "find the config space of device %s",
				   device->name);
	}
	if (info.size < PCI_STD_HEADER_SIZEOF) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "device %s has 0x%" PRIx64
				 " bytes of config space, so it is no PCI device",
				 device->name, (uint64_t)info.size);
	}
	device->config_offset = info.offset;
	device->config_size = info.size;
	return 0;
}

/* Only PCI Express devices have it (vfio_pci_ioctl_get_irq_info). */
static bool has_error_interrupt(const struct device *device)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = VFIO_PCI_ERR_IRQ_INDEX};

	return kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_GET_IRQ_INFO, &info) == 0 &&
	       info.count > 0 && (info.flags & VFIO_IRQ_INFO_EVENTFD);
}

static int listen_to_errors(struct device *device, int event, struct error *error)
{
	union {
		struct vfio_irq_set set;
		unsigned char bytes[sizeof(struct vfio_irq_set) + sizeof(int32_t)];
	} argument = {
		.set = {.argsz = sizeof(argument),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_ERR_IRQ_INDEX,
			.count = 1},
	};
	int32_t number = event;
	int r;

	if (event < 0 || !has_error_interrupt(device)) {
		return 0;
	}
	memcpy(argument.bytes + sizeof(argument.set), &number, sizeof(number));
	r = kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_SET_IRQS, &argument);
	return r != 0 ? refusal_set(error, event_refusals, r, "have device %s tell of its errors",
				    device->name)
		      : 0;
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

int device_open(struct kernel *kernel, int group_fd, const char *name, int error_event,
		struct device **ret_device, struct error *error)
{
	cleanup(cleanup_device) struct device *device = calloc(1, sizeof(*device));
	int r;

	if (!device) {
		(void)fd_close(error_event);
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for device %s", name);
	}
	device->kernel = kernel;
	device->fd = -1;
	device->error_event = error_event;
	strncpy(device->name, name, sizeof(device->name) - 1);
	r = open_fd(device, group_fd, error);
	if (r == 0) {
		r = find_config(device, error);
	}
	if (r == 0) {
		r = listen_to_errors(device, error_event, error);
	}
	if (r) {
		return r;
	}
	*ret_device = steal_pointer(device);
	return 0;
}

struct device *device_close(struct device *device)
{
	if (device) {
		if (device->free_snapshot) {
			(void)device->free_snapshot(device->snapshot);
		}
		device->fd = kernel_close(device->kernel, device->fd);
		device->error_event = fd_close(device->error_event);
		free(device);
	}
	return NULL;
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
	if (!is_in_config(device, offset, size)) {
		return -EINVAL;
	}
	return moved_all(
		kernel_read(device->kernel, device->fd, device->config_offset + offset, data, size),
		size);
}

int device_write_config(const struct device *device, uint64_t offset, const void *data, size_t size)
{
	if (!is_in_config(device, offset, size)) {
		return -EINVAL;
	}
	return moved_all(kernel_write(device->kernel, device->fd, device->config_offset + offset,
				      data, size),
			 size);
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
