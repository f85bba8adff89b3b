/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of the world that are pulled out and put back: by the simulated host's verbs, or by what
 * a real kernel has in sysfs (remove, rescan), where they are bound to vfio-pci again.
 */
#pragma once

#include "world.h"

/* A removal that is under way: a real kernel keeps the one waiting who began it, as long as
 * somebody has the device open. */
struct removal {
	char device[16];
	pid_t child; /* 0: none */
};

/* Whether devices can be pulled out here. */
bool plug_can_remove(const struct world *world, const char *device);

/* Begin to pull a device out. It goes at once unless it is open. */
struct removal plug_begin_removal(const struct world *world, const char *device);

/* Wait until the device is gone, and its object from the bus. */
void plug_end_removal(const struct world *world, struct removal *removal);

/* Put it back: it is on the bus again, bound to vfio-pci, and its group has a node. */
void plug_put_back(const struct world *world, const char *device);

/* Whether the device is on the bus. */
bool plug_is_shown(const struct world *world, const char *device);

/* The path of a device on the bus, in the caller's memory. */
#define PLUG_PATH_SIZE 64
void plug_device_path(const char *device, char ret_path[static PLUG_PATH_SIZE]);
