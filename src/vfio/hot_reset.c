/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/hot_reset.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/trace.h"
#include "vfio/refusal.h"

/* Devices on one bus, at first; and the times that more may have come meanwhile. */
#define DEVICES_GUESS 8U
#define INFO_TRIES    4U

/* More have no room on the busses of one bridge: a count beyond is none. */
#define DEVICES_MAX 65536U

/* vfio_pci_ioctl_get_pci_hot_reset_info */
static const struct refusal info_refusals[] = {
	{ENODEV, ERROR_UNSUPPORTED, "no bridge resets its bus"},
	{EPERM, ERROR_UNSUPPORTED, "a device on its bus is in no IOMMU group"},
	{EINVAL, ERROR_KERNEL, "the kernel has another idea of that call"},
	{ENOTTY, ERROR_UNSUPPORTED, "the kernel's driver of the device resets no bus"},
	{0, ERROR_NONE, NULL},
};

/* vfio_pci_ioctl_pci_hot_reset_groups, vfio_pci_dev_set_hot_reset */
static const struct refusal reset_refusals[] = {
	{ENODEV, ERROR_UNSUPPORTED, "no bridge resets its bus"},
	{EINVAL, ERROR_UNSUPPORTED,
	 "a device on its bus is bound to another driver, or came meanwhile; bind all to vfio-pci"},
	{EPERM, ERROR_UNSUPPORTED, "a device on its bus belongs to somebody else"},
	{ENOTTY, ERROR_UNSUPPORTED, "none of the bridge's ways to reset it has worked"},
	{EAGAIN, ERROR_KERNEL, "the kernel is at something else with a device of the bus"},
	{EBUSY, ERROR_KERNEL, "the kernel is at something else with a device of the bus"},
	{0, ERROR_NONE, NULL},
};

struct hit_name {
	char text[WORKER_DEVICE_NAME_SIZE];
};

static struct hit_name name_of(const struct vfio_pci_dependent_device *hit)
{
	struct hit_name name;

	(void)snprintf(name.text, sizeof(name.text), "%04x:%02x:%02x.%x",
		       (unsigned int)hit->segment, (unsigned int)hit->bus,
		       (unsigned int)hit->devfn >> 3, (unsigned int)hit->devfn & 7);
	return name;
}

static struct vfio_pci_hot_reset_info *new_info(uint32_t room)
{
	size_t size = sizeof(struct vfio_pci_hot_reset_info) +
		      room * sizeof(struct vfio_pci_dependent_device);
	struct vfio_pci_hot_reset_info *info = calloc(1, size);

	if (info) {
		info->argsz = (uint32_t)size;
	}
	return info;
}

/* Devices may come between the question how many there are and the next one. */
static int read_info(const struct device *device, struct vfio_pci_hot_reset_info **ret_info,
		     struct error *error)
{
	uint32_t room = DEVICES_GUESS;
	int r = -ENOSPC;

	for (unsigned int i = 0; i < INFO_TRIES && r == -ENOSPC; i++) {
		cleanup(cleanup_free) struct vfio_pci_hot_reset_info *info = new_info(room);

		if (!info) {
			return error_set(error, ERROR_KERNEL, ENOMEM,
					 "no memory for the devices on the bus of %s",
					 device->name);
		}
		r = kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
				 info);
		if (r == 0 && info->count <= room) {
			*ret_info = steal_pointer(info);
			return 0;
		}
		room = info->count < DEVICES_MAX ? info->count + 1 : DEVICES_MAX;
	}
	return refusal_set(error, info_refusals, r != 0 ? r : -EINVAL,
			   "find out what is on the bus of device %s", device->name);
}

static const struct group *find_group(const struct reset_scope *scope, uint32_t number)
{
	for (unsigned int i = 0; i < scope->group_count; i++) {
		if (scope->groups[i]->number == number) {
			return scope->groups[i];
		}
	}
	return NULL;
}

/* Refuse to hit what isn't ours, all of which is named. */
static int check_owners(const struct device *device, const struct reset_scope *scope,
			const struct vfio_pci_hot_reset_info *info, struct error *error)
{
	int r = 0;

	for (uint32_t i = 0; i < info->count; i++) {
		const struct vfio_pci_dependent_device *hit = &info->devices[i];

		if (find_group(scope, hit->group_id)) {
			continue;
		}
		if (r == 0) {
			r = error_set(error, ERROR_UNSUPPORTED, 0,
				      "a reset of the bus of device %s would hit devices whose "
				      "groups are not in this address space, attach them first:",
				      device->name);
		}
		error_append(error, " %s (group %" PRIu32 ")", name_of(hit).text, hit->group_id);
	}
	return r;
}

/* Who asks for the reset of one device doesn't ask for that of others. */
static int check_bystanders(const struct device *device, const struct reset_scope *scope,
			    const struct vfio_pci_hot_reset_info *info, struct error *error)
{
	for (uint32_t i = 0; !scope->all && i < info->count; i++) {
		struct hit_name name = name_of(&info->devices[i]);

		if (strcmp(name.text, device->name) != 0 &&
		    group_find_device(find_group(scope, info->devices[i].group_id), name.text)) {
			return error_set(error, ERROR_UNSUPPORTED, 0,
					 "a reset of the bus of device %s would hit %s, which is "
					 "open, too: reset the address space",
					 device->name, name.text);
		}
	}
	return 0;
}

/* The fds of the groups, each once. */
static struct vfio_pci_hot_reset *new_reset(const struct reset_scope *scope,
					    const struct vfio_pci_hot_reset_info *info)
{
	size_t size = sizeof(struct vfio_pci_hot_reset) + scope->group_count * sizeof(int32_t);
	struct vfio_pci_hot_reset *reset = calloc(1, size);

	for (unsigned int i = 0; reset && i < scope->group_count; i++) {
		uint32_t j = 0;

		while (j < info->count && info->devices[j].group_id != scope->groups[i]->number) {
			j++;
		}
		if (j < info->count) {
			reset->group_fds[reset->count++] = scope->groups[i]->fd;
		}
	}
	if (reset) {
		reset->argsz = (uint32_t)(sizeof(*reset) + reset->count * sizeof(int32_t));
	}
	return reset;
}

static struct device *find_hit(const struct reset_scope *scope,
			       const struct vfio_pci_dependent_device *hit)
{
	return group_find_device(find_group(scope, hit->group_id), name_of(hit).text);
}

/* No bus mastering goes on, nor comes back with the config space that the kernel saves. */
static void quiesce_hit(const struct reset_scope *scope, const struct vfio_pci_hot_reset_info *info)
{
	for (uint32_t i = 0; i < info->count; i++) {
		struct device *device = find_hit(scope, &info->devices[i]);

		if (device) {
			device_quiesce(device);
		}
	}
}

static void mark_hit(const struct reset_scope *scope, const struct vfio_pci_hot_reset_info *info)
{
	for (uint32_t i = 0; i < info->count; i++) {
		struct device *device = find_hit(scope, &info->devices[i]);

		if (device) {
			device->reset_way = WORKER_RESET_BUS;
		}
	}
}

static void trace_hit(const struct device *device, const struct vfio_pci_hot_reset_info *info)
{
	trace_hot_reset(device->name, info->count);
	for (uint32_t i = 0; i < info->count; i++) {
		const struct vfio_pci_dependent_device *hit = &info->devices[i];

		trace_hot_reset_device(device->name,
				       (uint32_t)hit->segment << 16 | (uint32_t)hit->bus << 8 |
					       hit->devfn,
				       hit->group_id);
	}
}

int hot_reset_bus(struct device *device, const struct reset_scope *scope, struct error *error)
{
	cleanup(cleanup_free) struct vfio_pci_hot_reset_info *info = NULL;
	cleanup(cleanup_free) struct vfio_pci_hot_reset *reset = NULL;
	int r = read_info(device, &info, error);

	if (!info) {
		return r;
	}
	r = check_owners(device, scope, info, error);
	if (r == 0) {
		r = check_bystanders(device, scope, info, error);
	}
	if (r) {
		return r;
	}
	reset = new_reset(scope, info);
	if (!reset) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a reset of the bus");
	}
	trace_hit(device, info);
	quiesce_hit(scope, info);
	r = kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_PCI_HOT_RESET, reset);
	trace_hot_reset_result(device->name, r);
	if (r != 0) {
		return refusal_set(error, reset_refusals, r, "reset the bus of device %s",
				   device->name);
	}
	mark_hit(scope, info);
	device->reset_way = WORKER_RESET_BUS;
	return 0;
}
