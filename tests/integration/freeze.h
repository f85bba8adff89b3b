/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stops a PE of the world, as hardware does after an error: the simulated host has a verb for
 * it; on an emulated one the registers of its host bridge are written, through /dev/mem.
 */
#pragma once

#include "world.h"

enum freeze {
	FREEZE_IO = 1,
	FREEZE_DMA = 2,
	FREEZE_BOTH = 3,
};

/* Why no PE can be frozen here, in words; NULL: it can be done. */
const char *freeze_obstacle(const struct world *world);

/* Stop MMIO, DMA or both of the PE that a device is in. The device may be open or not. */
void freeze_pe(const struct world *world, const char *device, enum freeze what);

/* For what is about PEs. */
#define skip_without_eeh(world)                              \
	do {                                                 \
		if (!(world)->host->has_eeh) {               \
			skip_because("the host has no EEH"); \
		}                                            \
	} while (0)

/* For what is about PEs that freeze. */
#define skip_without_freezes(world)                                 \
	do {                                                        \
		skip_without_eeh(world);                            \
		if (freeze_obstacle(world)) {                       \
			skip_because("%s", freeze_obstacle(world)); \
		}                                                   \
	} while (0)
