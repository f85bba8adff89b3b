/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/group.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <string.h>

#include "common/trace.h"
#include "vfio/device.h"
#include "vfio/refusal.h"

static const struct refusal status_refusals[] = {
	{ENOTTY, ERROR_INVALID_ARGUMENT, "the fd is not that of a VFIO group"},
	{EINVAL, ERROR_INVALID_ARGUMENT, "the fd is not that of a VFIO group"},
	{EBADF, ERROR_INVALID_ARGUMENT, "the fd is not that of a VFIO group"},
	{ENODEV, ERROR_NOT_FOUND, "the group's devices are gone"},
	{0, ERROR_NONE, NULL},
};

/* vfio_group_ioctl_set_container, iommu_group_claim_dma_owner */
static const struct refusal attach_refusals[] = {
	{EBUSY, ERROR_GROUP_BUSY,
	 "a driver or another container uses the group; release its devices there first"},
	{EPERM, ERROR_GROUP_BUSY, "another owner holds the group's DMA; release it there first"},
	{EINVAL, ERROR_GROUP_BUSY, "the group belongs to a container already"},
	{EBADF, ERROR_INVALID_ARGUMENT, "the container fd is not that of a VFIO container"},
	{EBADFD, ERROR_INVALID_ARGUMENT, "the container fd is not that of a VFIO container"},
	{ENODEV, ERROR_NOT_FOUND, "the group's devices are gone"},
	{0, ERROR_NONE, NULL},
};

/* vfio_group_ioctl_unset_container */
static const struct refusal detach_refusals[] = {
	{EBUSY, ERROR_BUSY, "another program has a device of the group open; close it there first"},
	{0, ERROR_NONE, NULL},
};

static int check_viable(const struct group *group, struct error *error)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	int r;

	r = kernel_ioctl(group->kernel, group->fd, VFIO_GROUP_GET_STATUS, &status);
	if (r != 0) {
		return refusal_set(error, status_refusals, r, "status of group %" PRIu32,
				   group->number);
	}
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		return error_set(error, ERROR_GROUP_NOT_VIABLE, 0,
				 "group %" PRIu32 " has a device that is bound to another driver; "
				 "bind all its devices to vfio-pci",
				 group->number);
	}
	if (status.flags & VFIO_GROUP_FLAGS_CONTAINER_SET) {
		return error_set(error, ERROR_GROUP_BUSY, 0,
				 "group %" PRIu32 " belongs to a container already; detach it "
				 "there first",
				 group->number);
	}
	return 0;
}

int group_attach(struct group *group, int container_fd, struct error *error)
{
	int r;

	r = check_viable(group, error);
	if (r) {
		return r;
	}
	r = kernel_ioctl(group->kernel, group->fd, VFIO_GROUP_SET_CONTAINER, &container_fd);
	trace_group_attach(group->number, container_fd, r);
	if (r != 0) {
		return refusal_set(error, attach_refusals, r, "attach group %" PRIu32,
				   group->number);
	}
	group->attached = true;
	group->container_fd = container_fd;
	return 0;
}

bool group_is_gone(const struct group *group)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};

	return kernel_ioctl(group->kernel, group->fd, VFIO_GROUP_GET_STATUS, &status) == -ENODEV;
}

struct device *group_find_device(const struct group *group, const char *name)
{
	struct device *device = group->devices;

	while (device && strcmp(device->name, name) != 0) {
		device = device->next;
	}
	return device;
}

void group_quiesce(struct group *group)
{
	for (struct device *device = group->devices; device; device = device->next) {
		device_quiesce(device);
	}
}

void group_go_on(struct group *group)
{
	for (struct device *device = group->devices; device; device = device->next) {
		device_go_on(device);
	}
}

/* Before devices are closed: without the reset's end their BARs are not there, and a kernel that
 * switches MSI-X off for the last user would write to one. */
void group_end_reset(struct group *group)
{
	struct vfio_eeh_pe_op op = {.argsz = sizeof(op), .op = VFIO_EEH_PE_RESET_DEACTIVATE};

	if (group->reset_asserted && group->attached) {
		group->reset_asserted =
			kernel_ioctl(group->kernel, group->container_fd, VFIO_EEH_PE_OP, &op) != 0;
	}
}

void group_close_devices(struct group *group)
{
	group_end_reset(group);
	while (group->devices) {
		struct device *device = group->devices;

		group->devices = device->next;
		(void)device_close(device);
	}
}

/* Whether the kernel says that the group is in no container. */
static bool has_left(const struct group *group)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	int r = kernel_ioctl(group->kernel, group->fd, VFIO_GROUP_GET_STATUS, &status);

	return r == -ENODEV || (r == 0 && !(status.flags & VFIO_GROUP_FLAGS_CONTAINER_SET));
}

int group_detach(struct group *group, struct error *error)
{
	int r;

	if (!group->attached) {
		return 0;
	}
	/* The kernel lets no group go that has a device open (container_users). */
	group_close_devices(group);
	r = kernel_ioctl(group->kernel, group->fd, VFIO_GROUP_UNSET_CONTAINER, NULL);
	trace_group_detach(group->number, r);
	/* Groups whose devices are gone have left already. What hasn't would leave when its fd is
	 * closed, behind the back of those who put right what its leaving has cleared. */
	if (r != 0 && r != -ENODEV && !(r == -EINVAL && has_left(group))) {
		return refusal_set(error, detach_refusals, r, "let group %" PRIu32 " go",
				   group->number);
	}
	group->attached = false;
	return 0;
}

void group_done(struct group *group)
{
	/* A failure means that another program has a device open; when it closes that, the group
	 * leaves. */
	(void)group_detach(group, NULL);
	group_close_devices(group);
	if (group->kernel) {
		group->fd = kernel_close(group->kernel, group->fd);
	}
	*group = GROUP_NULL;
}
