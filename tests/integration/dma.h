/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DMA by a device of the world: the simulated host does it itself; on a real kernel the edu device
 * is told to, through its registers in sysfs.
 */
#pragma once

#include "world.h"

/* At most so many bytes at a time. */
#define DMA_MAX 4096U

/* Have the device ready for DMA (memory space and bus master on). */
void dma_prepare(const struct world *world, const char *device);

/*
 * Have the device read `size` bytes from `source` and write them to `target`, both IOVAs. Whether
 * they arrived is for the caller to look: a device can't tell, and on real hardware nobody is told
 * of a fault.
 */
void dma_copy(const struct world *world, const char *device, uint64_t source, uint64_t target,
	      uint32_t size);
