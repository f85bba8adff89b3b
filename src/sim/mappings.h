/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory behind a client's addresses, which the simulated host needs for a registration: for
 * what was mapped through the kernel seam the file behind it, for anything else the process's own
 * memory (sim/process_memory.h). Not locked here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/protocol.h"

struct sim_mapping {
	uint64_t address;
	uint64_t size;
	uint64_t offset; /* in the file */
	int fd;          /* owned */
	int prot;
};

struct sim_mappings {
	struct sim_mapping *mapping;
	size_t count;
};

void sim_mappings_done(struct sim_mappings *mappings);

/* Remember a mapping with a duplicate of its fd. 0 or -errno. */
int sim_mappings_add(struct sim_mappings *mappings, const struct sim_mapping *mapping);

/* Forget a range, which may be a part of mappings. 0 or -errno; then some may be forgotten. */
int sim_mappings_remove(struct sim_mappings *mappings, uint64_t address, uint64_t size);

/* Pieces as they travel: each names its fd by its place in `fds`. */
struct sim_piece_list {
	struct sim_wire_piece *piece; /* owned */
	uint32_t count;
	int *fds; /* owned, with the fds in it */
	unsigned int fd_count;
};

#define SIM_PIECE_LIST_NONE \
	((struct sim_piece_list){.piece = NULL, .count = 0, .fds = NULL, .fd_count = 0})

void sim_piece_list_done(struct sim_piece_list *list);

/*
 * The pieces behind a range from its start on, as far as it is mapped for writing without a hole,
 * and SIM_PIECES_MAX at most; with to_read also what may only be read. Of the process's own
 * memory a simulated device's regions are left out unless with_regions; the host knows their files.
 * 0 or -errno; *ret_list is to be done with when 0.
 */
int sim_mappings_collect(const struct sim_mappings *mappings, uint64_t address, uint64_t size,
			 bool with_regions, bool to_read, struct sim_piece_list *ret_list);
