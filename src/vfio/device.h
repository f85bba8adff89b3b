/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An open VFIO device.
 *
 * The first open of a device resets it, and thaws its PE if that is frozen; so does the last close
 * (field note H45). Who has a copy of its fd keeps it open.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/worker_protocol.h"
#include "host/kernel.h"

struct snapshot;

struct device {
	struct device *next;   /* of the group's */
	struct kernel *kernel; /* not owned */
	char name[WORKER_DEVICE_NAME_SIZE];
	int fd;          /* owned */
	int error_event; /* an eventfd that the ERR interrupt rings, owned; or -1 */
	/* The region of its config space, PCI. */
	uint64_t config_offset;
	uint64_t config_size;
	bool quiesced;             /* device_quiesce has changed something */
	struct snapshot *snapshot; /* owned, eeh/snapshot.h; NULL: none was taken */
	struct snapshot *(*free_snapshot)(struct snapshot *snapshot);
};

/*
 * Open a device of a group: blocks for up to seconds, since it is reset. error_event is taken in
 * any case (-1: none); a device without the ERR interrupt goes without.
 *
 * ERROR_NOT_FOUND         the group has no device of that name
 * ERROR_INVALID_ARGUMENT  error_event is no eventfd
 * ERROR_UNSUPPORTED       it is no PCI device
 * ERROR_GROUP_BUSY, ERROR_KERNEL
 */
int device_open(struct kernel *kernel, int group_fd, const char *name, int error_event,
		struct device **ret_device, struct error *error);

/* Takes NULL, returns NULL. May reset the device. */
struct device *device_close(struct device *device);

/* Config space, little-endian. 0 or -errno; a short read or write is -EIO, one past the end
 * -EINVAL.
 */
int device_read_config(const struct device *device, uint64_t offset, void *data, size_t size);
int device_write_config(const struct device *device, uint64_t offset, const void *data,
			size_t size);

/* Whether the device answers: its class and revision don't read as all ones. (Its ids never do:
 * vfio-pci has them itself.) */
bool device_answers(const struct device *device);

/*
 * Before what the device may reach is taken from it: it is no bus master any more, as far as it
 * answers, for DMA to what isn't mapped freezes the whole PE (field note H16). device_go_on puts
 * that back, when nothing was taken after all.
 */
void device_quiesce(struct device *device);
void device_go_on(struct device *device);
