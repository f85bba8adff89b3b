/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory of the process itself, whatever is mapped there: shown to the simulated host by way of
 * /proc/self/mem, which a process may always open for itself.
 *
 * What travels is the address space, not the pages: bytes are read and written where they lie at
 * the time of the DMA. Memory that is unmapped while it is registered is gone for the host at once,
 * and what is mapped there later is what it sees, where a kernel would keep the old pages pinned.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A run of pages of one size. */
struct sim_extent {
	uint64_t size;
	unsigned int page_shift; /* SIM_PAGE_SHIFT_REGISTERS: they are a device's registers */
};

/* /proc/self/mem for reading and writing, CLOEXEC. -errno where the process may not open it. */
int sim_process_memory_open(void);

/*
 * How far the range is mapped, from its start on, by memory that can be pinned for writing: plain
 * memory and files, but no device's region unless with_regions; with to_read also what may only be
 * read. Fills up to room extents and returns their number (0: nothing is there), or -errno. No
 * allocation, and little stack.
 */
int sim_process_memory_find(uint64_t address, uint64_t size, bool with_regions, bool to_read,
			    struct sim_extent *extents, size_t room);
