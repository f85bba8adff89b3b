/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a client has mapped through the kernel seam: which file is behind which of its addresses.
 * The simulated host needs it to find the memory of a registration. Not locked here.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/packet.h"
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

/*
 * The pieces behind a range from its start on, as far as it is mapped for writing without a hole,
 * with duplicates of their fds. 0 or -errno: EMSGSIZE when there are more than PACKET_FDS_MAX.
 */
int sim_mappings_collect(const struct sim_mappings *mappings, uint64_t address, uint64_t size,
			 struct sim_wire_piece pieces[PACKET_FDS_MAX], struct packet_fds *ret_fds);
