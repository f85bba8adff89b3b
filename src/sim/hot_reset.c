/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resets of a whole bus: who would be hit, and doing it (vfio_pci_ioctl_get_pci_hot_reset_info,
 * vfio_pci_ioctl_pci_hot_reset). */
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/param.h>

#include "sim/function.h"

int sim_function_hot_reset_info(struct sim_function *function, struct sim_argument *argument)
{
	struct vfio_pci_hot_reset_info *info = argument->data;
	const size_t each = sizeof(struct vfio_pci_dependent_device);
	size_t most = 0;
	struct sim_function *other;
	uint32_t count = 0;

	if (info->argsz < sizeof(*info)) {
		return -EINVAL;
	}
	if (!sim_function_has_bus_reset(function)) {
		return -ENODEV;
	}
	most = (MIN(info->argsz, SIM_ARGUMENT_MAX) - sizeof(*info)) / each;
	for (size_t i = 0; (other = sim_function_next_on_bus(function, &i)); count++) {
		const struct sim_device *device = other->device;
		struct vfio_pci_dependent_device hit = {
			.segment = (uint16_t)function->model->host->phbs[device->phb].number,
			.bus = device->bus,
			.devfn = device->devfn,
		};

		if (count >= most) {
			continue;
		}
		if (!other->group) {
			return -EPERM; /* isn't isolated */
		}
		hit.group_id = other->group->number;
		memcpy((uint8_t *)info + sizeof(*info) + count * each, &hit, each);
	}
	info->flags = 0;
	info->count = count;
	/* What fits is written, with how many there are, even so. */
	argument->out_size = sizeof(*info) + MIN(count, most) * each;
	return count > most ? -ENOSPC : 0;
}

/* The groups that came along. */
struct owned {
	struct sim_argument *argument;
	const int32_t *index;
	uint32_t count;
};

/* 0, -EBADF: one isn't open; -EINVAL: one isn't a group. */
static int check_fds(const struct owned *owned)
{
	for (uint32_t i = 0; i < owned->count; i++) {
		const struct sim_argument_fd *fd =
			sim_argument_fd(owned->argument, owned->index[i]);

		if (!fd) {
			return -EBADF;
		}
		if (fd->node.kind != SIM_NODE_GROUP) {
			return -EINVAL;
		}
	}
	return 0;
}

static bool has_group(const struct owned *owned, const struct sim_group *group)
{
	for (uint32_t i = 0; i < owned->count; i++) {
		struct sim_node node = sim_argument_fd(owned->argument, owned->index[i])->node;

		if (node.group == group && !sim_group_is_revoked(node)) {
			return true;
		}
	}
	return false;
}

/* vfio_pci_dev_set_hot_reset: all of the bus is vfio-pci's, and of groups that the caller has. */
static int check_owners(const struct sim_function *function, const struct owned *owned)
{
	const struct sim_function *other;

	for (size_t i = 0; (other = sim_function_next_on_bus(function, &i));) {
		if (!sim_function_is_vfio(other) || !has_group(owned, other->group)) {
			return -EINVAL;
		}
	}
	return 0;
}

static uint32_t count_on_bus(const struct sim_function *function)
{
	uint32_t count = 0;

	for (size_t i = 0; sim_function_next_on_bus(function, &i);) {
		count++;
	}
	return count;
}

int sim_function_hot_reset(struct sim_function *function, struct sim_argument *argument)
{
	const struct vfio_pci_hot_reset *reset = argument->data;
	struct owned owned = {
		.argument = argument,
		.index = reset->group_fds,
		.count = reset->count,
	};
	struct sim_function *other;
	uint32_t blocks = 0;
	int r;

	/* A count of 0 is for devices that were opened without a group. */
	if (reset->argsz < sizeof(*reset) || reset->flags || reset->count == 0) {
		return -EINVAL;
	}
	if (!sim_function_has_bus_reset(function)) {
		return -ENODEV;
	}
	if (reset->count > count_on_bus(function)) {
		return -EINVAL;
	}
	if (argument->size < sizeof(*reset) + reset->count * sizeof(int32_t)) {
		return -EFAULT;
	}
	r = check_fds(&owned);
	if (r == 0) {
		r = check_owners(function, &owned);
	}
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; (other = sim_function_next_on_bus(function, &i));) {
		if (other->leaving) {
			return -EAGAIN; /* pci_bus_trylock */
		}
	}
	for (size_t i = 0; (other = sim_function_next_on_bus(function, &i));) {
		sim_function_reset_registers(other);
		blocks = MAX(blocks, other->device->reset_milliseconds);
	}
	argument->blocks += blocks;
	return 0;
}
