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
#include "common/worker_protocol.h"
#include "host/kernel.h"

struct device;

/* What keeps a group from being let go. */
struct group_obstacle {
	char device[WORKER_DEVICE_NAME_SIZE];
	char why[WORKER_REASON_SIZE]; /* "": nothing */
};

struct group {
	struct kernel *kernel;
	uint32_t number;
	int fd; /* of /dev/vfio/N, owned */
	bool attached;
	int container_fd; /* that it is attached to, not owned */
	bool held;        /* space_hold_group */
	/* A reset of its PE was asserted, or refused by the firmware, and not ended: until then its
	 * config space is blocked, for the next owner, too (eeh_pe_reset). */
	bool reset_asserted;
	bool balloon_allowed; /* all its devices cope with memory that a balloon takes away */
	bool stopped;         /* its devices are, by the last group_stop (vfio/reset.h) */
	struct group_obstacle obstacle; /* of the last group_stop */
	/* Open ones (vfio/device.h), owned: they are closed before the group leaves its container.
	 */
	struct device *devices;
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

/* An open device, or NULL. */
struct device *group_find_device(const struct group *group, const char *name);

/* All its open devices stop to do DMA, or go on if that was a mistake (device_quiesce). */
void group_quiesce(struct group *group);
void group_go_on(struct group *group);

/*
 * Close its devices, leave the container and keep the fd, which is fresh again. Takes a group that
 * has none.
 * ERROR_BUSY (another program has a device of the group open, vfio_group_ioctl_unset_container),
 * ERROR_KERNEL
 */
int group_detach(struct group *group, struct error *error);

/* Leave the container and close the fd, whatever the kernel says. Takes GROUP_NULL. */
void group_done(struct group *group);

/* End a reset of its PE that is asserted, if one is: reset_asserted tells whether it is still. */
void group_end_reset(struct group *group);

/* End a reset that is asserted, and close its devices that are open here. Blocks for seconds: the
 * last close of each resets it. */
void group_close_devices(struct group *group);
