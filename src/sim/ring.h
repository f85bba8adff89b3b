/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps and unmaps without a round trip: memory that the simulated host shares with one process for
 * one container.
 *
 * Concepts
 *   view   what the host shows there: the windows, and the memory that is registered. From it the
 *          process can tell of a plain MAP or UNMAP that it will succeed, by the same rules as the
 *          model: such a call is posted, and returns 0 at once. Any other goes the long way.
 *   entry  a call that was posted. The host carries all of them out, in order, before it does
 *          anything else: before any request of anybody, before a DMA, before it looks at a
 *          device's registers. So nobody can see that they come late.
 *   epoch  counts up; odd while the host is at work, when the view may change. A process looks at
 *          the epoch before it looks at the view, writes it into the entry, and looks again when
 *          the entry is posted. If it is another one by then, the call goes the long way as well,
 *          since nobody knows whether the host has still taken the entry, or drops it for its old
 *          epoch: doing a MAP or an UNMAP twice is doing it once.
 *   trust  The host writes the view, and never reads it. It copies each entry, checks its epoch,
 *          and hands it to the model like any other call; the numbers of the process's that it
 *          goes by can at worst make it drop the ring. A process that dies in the middle has
 *          posted its entry or it hasn't.
 *
 * While rules wait for some operation (sim/faults.h) the view has no windows, so that each call is
 * seen by them. Only TCE v2 has rings.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SIM_RING_WINDOWS 2U
#define SIM_RING_REGIONS 512U
#define SIM_RING_ENTRIES 4096U /* a power of two */

/* The most TCEs that one posted call is about: no call of so few takes a kernel long. */
#define SIM_RING_TCES_MAX 256U

/* The host has dropped the ring: it will never be open again. */
#define SIM_RING_DEAD UINT64_MAX

struct sim_ring_window {
	uint64_t start;
	uint64_t size;
	uint32_t page_shift;
	uint32_t reserved;
};

struct sim_ring_region {
	uint64_t address;
	uint64_t size;
	uint32_t page_shift; /* the largest TCE page that may point into it */
	uint32_t reserved;
};

/* Flags as MAP_DMA has them; 0 is an UNMAP. */
struct sim_ring_entry {
	uint64_t epoch;
	uint64_t iova;
	uint64_t address;
	uint64_t size;
	uint32_t flags;
	uint32_t reserved;
};

/* The tail has a line of the cache for itself. */
struct sim_ring {       /* NOLINT(clang-analyzer-optin.performance.Padding) */
	uint64_t epoch; /* the host's */
	uint64_t head;  /* the host's: so many entries were taken */
	uint32_t window_count;
	uint32_t region_count; /* ordered by address */
	struct sim_ring_window window[SIM_RING_WINDOWS];
	struct sim_ring_region region[SIM_RING_REGIONS];
	uint64_t tail __attribute__((aligned(64))); /* the process's: so many were posted */
	struct sim_ring_entry entry[SIM_RING_ENTRIES];
};
