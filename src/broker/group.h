/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A group as the broker sees it: what the host says of it, and the address space that has it. */
#pragma once

#include <stdint.h>

#include "host/topology.h"

struct space;

struct group {
	const struct topology_group *host;
	/* The address space that has the group or is about to; NULL when it is free. */
	struct space *space;
	uint32_t container_id; /* meaningful with space; 0 while it is being attached */
	void *face;            /* the observer's own */
};
