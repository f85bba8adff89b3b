/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/container.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/device.h"
#include "sim/model.h"
#include "sim/tce.h"

/* containers */

static void unref_container(struct sim_container *container)
{
	struct sim_container **link = &container->model->containers;

	if (container->open || container->groups) {
		return;
	}
	while (*link != container) {
		link = &(*link)->next;
	}
	*link = container->next;
	free(container);
}

void sim_container_close(struct sim_container *container)
{
	container->open = false;
	unref_container(container);
}

/* What powernv's drivers answer: TCE v1, TCE v2, EEH. There is no type1. */
static int check_extension(uint64_t extension)
{
	return extension == VFIO_SPAPR_TCE_IOMMU || extension == VFIO_SPAPR_TCE_v2_IOMMU ||
	       extension == VFIO_EEH;
}

static void free_iommu(struct sim_container *container)
{
	container->iommu->operations->free(container->iommu);
	container->iommu = NULL;
}

/* All groups of the container, or none. */
static int attach_all(struct sim_container *container)
{
	const struct sim_iommu_operations *operations = container->iommu->operations;
	int r = 0;

	for (struct sim_group *group = container->groups; group; group = group->next) {
		r = operations->attach(container->iommu, group);
		if (r < 0) {
			for (struct sim_group *done = container->groups; done != group;
			     done = done->next) {
				operations->detach(container->iommu, done);
			}
			break;
		}
	}
	return r;
}

static int set_iommu(struct sim_container *container, uint64_t type)
{
	int r;

	if (!container->groups || container->iommu) {
		return -EINVAL;
	}
	if (!check_extension(type)) {
		return -ENODEV;
	}
	/* EEH is an extension but no IOMMU type. TCE v1 is refused here, where a kernel has it. */
	if (type != VFIO_SPAPR_TCE_v2_IOMMU) {
		return -EINVAL;
	}
	container->iommu = sim_tce_new(container, type);
	if (!container->iommu) {
		return -ENOMEM;
	}
	r = attach_all(container);
	if (r < 0) {
		free_iommu(container);
	}
	return r;
}

int sim_container_ioctl(struct sim_container *container, const struct sim_caller *caller,
			unsigned long request, struct sim_argument *argument)
{
	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return check_extension(argument->value);
	case VFIO_SET_IOMMU:
		return set_iommu(container, argument->value);
	default:
		return container->iommu ? container->iommu->operations->ioctl(
						  container->iommu, caller, request, argument)
					: -EINVAL;
	}
}

/* groups */

static void unlink_group(struct sim_group *group)
{
	struct sim_group **link = &group->container->groups;

	while (*link != group) {
		link = &(*link)->next;
	}
	*link = group->next;
	group->next = NULL;
	group->container = NULL;
}

static int attach(struct sim_group *group, const struct sim_argument_fd *fd)
{
	struct sim_container *container;
	int r;

	if (!fd) {
		return -EBADF;
	}
	if (group->container) {
		return -EINVAL;
	}
	if (fd->node.kind != SIM_NODE_CONTAINER) {
		return -EBADFD;
	}
	container = fd->node.container;
	/* A driver that isn't VFIO's owns the DMA of the whole group (H56). */
	if (!group->viable) {
		return -EPERM;
	}
	group->container = container;
	group->next = container->groups;
	container->groups = group;
	r = container->iommu ? container->iommu->operations->attach(container->iommu, group) : 0;
	if (r < 0) {
		unlink_group(group);
	}
	return r;
}

static void detach(struct sim_group *group)
{
	struct sim_container *container = group->container;

	unlink_group(group);
	if (container->iommu) {
		container->iommu->operations->detach(container->iommu, group);
		if (!container->groups) {
			free_iommu(container);
		}
	}
	unref_container(container);
}

/* A group that is neither open nor has an open device leaves its container. */
static void detach_unused(struct sim_group *group)
{
	if (group->container && !group->open && group->open_devices == 0) {
		detach(group);
	}
}

void sim_group_close(struct sim_group *group)
{
	group->open = false;
	detach_unused(group);
}

void sim_group_add_device(struct sim_group *group)
{
	group->open_devices++;
}

void sim_group_remove_device(struct sim_group *group)
{
	group->open_devices--;
	detach_unused(group);
}

static int handle_get_status(const struct sim_group *group, struct sim_argument *argument)
{
	struct vfio_group_status *status = argument->data;

	if (status->argsz < sizeof(*status)) {
		return -EINVAL;
	}
	status->flags = 0;
	if (group->container) {
		status->flags = VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET;
	} else if (group->viable) {
		status->flags = VFIO_GROUP_FLAGS_VIABLE;
	}
	argument->out_size = sizeof(*status);
	return 0;
}

int sim_group_ioctl(struct sim_group *group, unsigned long request, struct sim_argument *argument)
{
	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		return handle_get_status(group, argument);
	case VFIO_GROUP_SET_CONTAINER:
		return attach(group, sim_argument_fd(argument, *(int32_t *)argument->data));
	case VFIO_GROUP_UNSET_CONTAINER:
		if (!group->container) {
			return -EINVAL;
		}
		if (group->open_devices > 0) {
			return -EBUSY;
		}
		detach(group);
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return sim_device_open(group, argument->data, argument);
	default:
		return -ENOTTY;
	}
}
