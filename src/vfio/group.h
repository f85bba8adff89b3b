/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups: the smallest set of devices that the IOMMU tells apart; a PE on POWER.
 *
 * A group is viable when none of its devices is bound to a driver other than VFIO's, and it belongs
 * to one container at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "host/kernel.h"

struct group {
	struct kernel *kernel;
	uint32_t number;
	int fd; /* of /dev/vfio/N, owned */
	bool attached;
	bool balloon_allowed; /* all its devices cope with memory that a balloon takes away */
};

#define GROUP_NULL ((struct group){.kernel = NULL, .number = 0, .fd = -1})

/*
 * Join a container. The group must be fresh.
 *
 * ERROR_GROUP_NOT_VIABLE  a device of it is bound to another driver
 * ERROR_GROUP_BUSY        it belongs to a container already, or somebody else owns its DMA
 * ERROR_INVALID_ARGUMENT  the fd is not that of a VFIO group
 */
int group_attach(struct group *group, int container_fd, struct error *error);

/* Whether all its devices were unplugged, or unbound: then it has left its container, whose ioctls
 * answer EINVAL if it was the last. */
bool group_is_gone(const struct group *group);

/*
 * Leave the container and keep the fd, which is fresh again. Takes a group that has none.
 * ERROR_BUSY (a device of the group is open, vfio_group_ioctl_unset_container), ERROR_KERNEL
 */
int group_detach(struct group *group, struct error *error);

/* Leave the container and close the fd, whatever the kernel says. Takes GROUP_NULL. */
void group_done(struct group *group);
