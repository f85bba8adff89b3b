/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/container.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/backend.h"
#include "sim/model.h"

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

static int set_iommu(struct sim_container *container, uint64_t type)
{
	if (!container->groups || container->backend) {
		return -EINVAL;
	}
	if (!check_extension(type)) {
		return -ENODEV;
	}
	/* EEH is an extension but no IOMMU type. TCE v1 is refused here, where a kernel has it. */
	if (type != VFIO_SPAPR_TCE_v2_IOMMU) {
		return -EINVAL;
	}
	container->backend =
		sim_backend_new(container->model->host->page_shift, &container->model->damage);
	if (!container->backend) {
		return -ENOMEM;
	}
	sim_backend_attach(container->backend, true);
	return 0;
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
		return container->backend ? sim_backend_ioctl(container->backend, container->groups,
							      caller, request, argument)
					  : -EINVAL;
	}
}

/* groups */

static int attach(struct sim_group *group, struct sim_container *container)
{
	if (group->container) {
		return -EINVAL;
	}
	if (!container) {
		return -EBADFD;
	}
	/* A driver that isn't VFIO's owns the DMA of the whole group (H56). */
	if (!group->viable) {
		return -EPERM;
	}
	if (container->backend) {
		sim_backend_attach(container->backend, !container->groups);
	}
	group->container = container;
	group->next = container->groups;
	container->groups = group;
	return 0;
}

static void detach(struct sim_group *group)
{
	struct sim_container *container = group->container;
	struct sim_group **link = &container->groups;

	while (*link != group) {
		link = &(*link)->next;
	}
	*link = group->next;
	group->next = NULL;
	group->container = NULL;
	if (container->backend) {
		sim_backend_detach(container->backend);
		if (!container->groups) {
			container->backend = sim_backend_free(container->backend);
		}
	}
	unref_container(container);
}

void sim_group_close(struct sim_group *group)
{
	if (group->container) {
		detach(group);
	}
	group->open = false;
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

/* The name is looked up first, among the devices that vfio-pci has. */
static int handle_get_device_fd(const struct sim_group *group, const char *name)
{
	const struct sim_host *host = group->model->host;
	int index = sim_host_find_device(host, name);

	if (index < 0 || host->devices[index].group != (int)group->number ||
	    strcmp(host->devices[index].driver, SIM_DRIVER_VFIO) != 0) {
		return -ENODEV;
	}
	if (!group->container || !group->container->backend) {
		return -EINVAL;
	}
	/* Devices of this simulated host can't be opened. */
	return -EOPNOTSUPP;
}

int sim_group_ioctl(struct sim_group *group, unsigned long request, struct sim_argument *argument)
{
	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		return handle_get_status(group, argument);
	case VFIO_GROUP_SET_CONTAINER:
		return attach(group, argument->container);
	case VFIO_GROUP_UNSET_CONTAINER:
		if (!group->container) {
			return -EINVAL;
		}
		detach(group);
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return handle_get_device_fd(group, argument->data);
	default:
		return -ENOTTY;
	}
}
