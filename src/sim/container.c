/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/container.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "common/driver.h"
#include "sim/device.h"
#include "sim/function.h"
#include "sim/lpar.h"
#include "sim/model.h"
#include "sim/tce.h"
#include "sim/type1.h"

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

/* eeh_enabled: one for the whole host. */
static bool has_eeh(const struct sim_host *host)
{
	for (size_t i = 0; i < host->phb_count; i++) {
		if (host->phbs[i].eeh) {
			return true;
		}
	}
	return false;
}

/* What the IOMMU drivers of the platform answer (VFIO_CHECK_EXTENSION). */
static int check_extension(const struct sim_container *container, uint64_t extension)
{
	enum sim_platform platform = container->model->host->platform;

	if (platform == SIM_TYPE1) {
		return sim_type1_check_extension(container, extension);
	}
	switch (extension) {
	case VFIO_SPAPR_TCE_IOMMU:
	case VFIO_SPAPR_TCE_v2_IOMMU:
		return 1;
	case VFIO_EEH:
		return has_eeh(container->model->host);
	default:
		return 0;
	}
}

/* What the driver that has the extension makes when it is opened with it as a type: NULL with
 * -errno by ret_result. */
static struct sim_iommu *create_iommu(struct sim_container *container, uint64_t type,
				      int *ret_result)
{
	struct sim_iommu *iommu = NULL;

	*ret_result = 0;
	switch (type) {
	case VFIO_SPAPR_TCE_IOMMU:
	case VFIO_SPAPR_TCE_v2_IOMMU:
		iommu = sim_tce_new(container, type);
		break;
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_TYPE1_NESTING_IOMMU:
		iommu = sim_type1_new(container, type);
		break;
	default:
		/* An extension that is no type, as EEH. */
		*ret_result = -EINVAL;
		return NULL;
	}
	if (!iommu) {
		*ret_result = -ENOMEM;
	}
	return iommu;
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

/* The driver puts each group in front, and was given the one attached last first. */
static void reverse_groups(struct sim_container *container)
{
	struct sim_group *group = container->groups;

	container->groups = NULL;
	while (group) {
		struct sim_group *next = group->next;

		group->next = container->groups;
		container->groups = group;
		group = next;
	}
}

static int set_iommu(struct sim_container *container, uint64_t type)
{
	int r;

	if (!container->groups || container->iommu) {
		return -EINVAL;
	}
	if (check_extension(container, type) <= 0) {
		return -ENODEV;
	}
	container->iommu = create_iommu(container, type, &r);
	if (!container->iommu) {
		return r;
	}
	r = attach_all(container);
	if (r < 0) {
		free_iommu(container);
	} else {
		reverse_groups(container);
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
		return check_extension(container, argument->value);
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
	sim_lpar_take_ownership(sim_lpar_of(group));
	r = container->iommu ? container->iommu->operations->attach(container->iommu, group) : 0;
	if (r < 0) {
		unlink_group(group);
		sim_lpar_release_ownership(sim_lpar_of(group));
	}
	return r;
}

/* The milliseconds that it takes. */
static uint32_t detach(struct sim_group *group)
{
	struct sim_container *container = group->container;
	uint32_t blocks;

	unlink_group(group);
	if (container->iommu) {
		container->iommu->operations->detach(container->iommu, group);
		if (!container->groups) {
			free_iommu(container);
		}
	}
	sim_lpar_release_ownership(sim_lpar_of(group));
	blocks = container->blocks;
	container->blocks = 0;
	unref_container(container);
	return blocks;
}

/* A group that is neither open nor has an open device leaves its container. */
static void detach_unused(struct sim_group *group)
{
	if (group->container && !group->open && group->open_devices == 0) {
		(void)detach(group);
	}
}

bool sim_group_is_revoked(struct sim_node node)
{
	return node.kind == SIM_NODE_GROUP && node.life != node.group->life;
}

void sim_group_close(struct sim_node node)
{
	if (sim_group_is_revoked(node)) {
		node.group->revoked--;
		return;
	}
	node.group->open = false;
	detach_unused(node.group);
}

void sim_group_update(struct sim_group *group)
{
	const struct sim_model *model = group->model;
	bool had_node = group->has_node;

	group->has_node = false;
	group->viable = true;
	for (size_t i = 0; i < model->host->device_count; i++) {
		const struct sim_device *device = &model->host->devices[i];

		if (device->group != (int)group->number || !model->functions[i]) {
			continue;
		}
		group->has_node |= driver_is_vfio(model->functions[i]->driver);
		group->viable &= driver_allows_vfio(model->functions[i]->driver);
	}
	/* vfio_device_remove_group */
	if (had_node && !group->has_node) {
		if (group->container) {
			(void)detach(group);
		}
		group->revoked += group->open;
		group->open = false;
		group->life++;
	}
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

static int check_status(const struct vfio_group_status *status)
{
	if (!status) {
		return -EFAULT;
	}
	return status->argsz < sizeof(*status) ? -EINVAL : 0;
}

static int handle_get_status(const struct sim_group *group, struct sim_argument *argument)
{
	struct vfio_group_status *status = argument->data;
	int r = check_status(status);

	if (r < 0) {
		return r;
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

/* Without an iommu_group, and with no device in its list. */
static int revoked_ioctl(unsigned long request, struct sim_argument *argument)
{
	int r;

	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		r = check_status(argument->data);
		return r < 0 ? r : -ENODEV;
	case VFIO_GROUP_SET_CONTAINER:
		if (!argument->data) {
			return -EFAULT;
		}
		return sim_argument_fd(argument, *(int32_t *)argument->data) ? -ENODEV : -EBADF;
	case VFIO_GROUP_UNSET_CONTAINER:
		return -EINVAL;
	case VFIO_GROUP_GET_DEVICE_FD:
		return argument->data ? -ENODEV : -EFAULT;
	default:
		return -ENOTTY;
	}
}

int sim_group_ioctl(struct sim_node node, unsigned long request, struct sim_argument *argument)
{
	struct sim_group *group = node.group;

	if (sim_group_is_revoked(node)) {
		return revoked_ioctl(request, argument);
	}
	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		return handle_get_status(group, argument);
	case VFIO_GROUP_SET_CONTAINER:
		if (!argument->data) {
			return -EFAULT;
		}
		return attach(group, sim_argument_fd(argument, *(int32_t *)argument->data));
	case VFIO_GROUP_UNSET_CONTAINER:
		if (!group->container) {
			return -EINVAL;
		}
		if (group->open_devices > 0) {
			return -EBUSY;
		}
		argument->blocks += detach(group);
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return sim_device_open(group, argument->data, argument);
	default:
		return -ENOTTY;
	}
}
