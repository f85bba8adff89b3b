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

struct irq;
struct region;
struct snapshot;

struct device {
	struct device *next;   /* of the group's */
	struct kernel *kernel; /* not owned */
	char name[WORKER_DEVICE_NAME_SIZE];
	int fd;         /* owned */
	uint32_t flags; /* VFIO_DEVICE_FLAGS_* */
	/* As the kernel numbers them, with those that the device doesn't have. */
	uint32_t region_numbers;
	uint32_t irq_numbers;
	struct region *regions; /* vfio/region.h, owned */
	uint32_t region_count;
	struct irq *irqs; /* vfio/irq.h, owned */
	uint32_t irq_count;
	/* The region of its config space, PCI. */
	uint64_t config_offset;
	uint64_t config_size;
	bool quiesced;                   /* device_quiesce has changed something */
	enum worker_reset_way reset_way; /* of the reset that is under way (vfio/reset.h) */
	struct snapshot *snapshot;       /* owned, eeh/snapshot.h; NULL: none was taken */
	struct snapshot *(*free_snapshot)(struct snapshot *snapshot);
};

/* Eventfds that a device rings from its opening on; -1: none. */
struct device_events {
	int error;   /* the error interrupt: PCI Express told of an error */
	int request; /* the kernel wants the device back: it is unbound or unplugged */
};

#define DEVICE_EVENTS_NONE ((struct device_events){.error = -1, .request = -1})

/*
 * Open a device of a group, and read what regions and interrupts it has: blocks for up to seconds,
 * since it is reset. The events are taken in any case; a device without such an interrupt goes
 * without.
 *
 * ERROR_NOT_FOUND         the group has no device of that name
 * ERROR_INVALID_ARGUMENT  an event is no eventfd
 * ERROR_UNSUPPORTED       it is no PCI device
 * ERROR_GROUP_BUSY, ERROR_KERNEL
 */
int device_open(struct kernel *kernel, int group_fd, const char *name, struct device_events events,
		struct device **ret_device, struct error *error);

/* Takes NULL, returns NULL. May reset the device. */
struct device *device_close(struct device *device);

/* Whether VFIO_DEVICE_RESET does something: the kernel knows a way to reset the function alone. */
bool device_reset_works(const struct device *device);

/*
 * After a reset, which may have taken MSI and MSI-X enable and the MSI-X table behind the kernel's
 * back (that of its PE does; eeh_reset_device): make again what irq_set has wired. The device has
 * to answer. A device without such wiring is left alone. What irq_set answers (vfio/irq.h); then it
 * can be tried again.
 */
int device_rewire(struct device *device, struct error *error);

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
