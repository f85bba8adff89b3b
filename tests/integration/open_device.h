/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A device that spaprd has opened and given to the test, which uses it as any program does: by
 * VFIO's calls. */
#pragma once

#include "world.h"

#define OPEN_DEVICE_CONFIG  256U
#define OPEN_DEVICE_VECTORS 8U /* of an MSI-X table, those that are looked at */

struct open_device {
	struct kernel *kernel;
	int fd; /* -1: none */
	uint64_t config_offset;
	int interrupts[OPEN_DEVICE_VECTORS]; /* eventfds, -1 without */
};

#define OPEN_DEVICE_NONE ((struct open_device){.fd = -1})

/* Device.Open, for a world of world_start_eeh. `refusal` as call has it: OPEN_DEVICE_NONE then. */
struct open_device open_device(const struct world *world, DBusConnection *client, const char *name,
			       const char *refusal);

/* spaprd keeps the device open. Takes OPEN_DEVICE_NONE. */
void open_device_close(struct open_device *device);

/* Whether the device is a bus master; and have it one that decodes memory. */
bool open_device_is_master(const struct open_device *device);
void open_device_make_master(const struct open_device *device);

/* All that programs see of a device and a reset takes: its config space and MSI-X table. */
struct open_device_registers {
	uint8_t config[OPEN_DEVICE_CONFIG];
	uint32_t vectors[OPEN_DEVICE_VECTORS * 4];
	unsigned int vector_count;
};

struct open_device_registers open_device_read(const struct open_device *device);

/*
 * Fails the test where they differ. What VFIO lets no program write in config space doesn't count:
 * whether MSI-X is on, which SET_IRQS decides, and the status register.
 */
void open_device_expect_same(const struct open_device_registers *before,
			     const struct open_device_registers *after);

/* Have MSI-X interrupts, as many as the table has (at most OPEN_DEVICE_VECTORS), and put something
 * of the test's own into the last of its vectors. */
void open_device_use_msix(struct open_device *device);
