/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process's side of a ring (sim/ring.h). Not locked here: one thread at a time posts. */
#pragma once

#include <stdbool.h>

#include "sim/ring.h"

struct sim_ring_client {
	struct sim_ring_client *next;
	uint64_t handle; /* of the container */
	struct sim_ring *ring;
	uint64_t tail;
	uint32_t last_region; /* the one that was found last */
};

/* Map a ring. Takes fd. 0 or -errno. A child of a fork doesn't have it. */
int sim_ring_client_new(uint64_t handle, int fd, struct sim_ring_client **ret_client);

/* Takes NULL, returns NULL. */
struct sim_ring_client *sim_ring_client_free(struct sim_ring_client *client);

bool sim_ring_client_is_dead(const struct sim_ring_client *client);

/* Post a call. Returns true when it is done, with 0 as its result; false when it has to go the long
 * way. */
bool sim_ring_client_post(struct sim_ring_client *client, const struct sim_ring_entry *entry);
