/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The TCE v2 backend of a container: preregistered memory, windows, mappings.
 *
 * Concepts
 *   bound            the backend belongs to the mm of the first call that registers memory,
 *                    creates or removes a window, even if that call is refused. From then on any
 *                    other process gets EPERM (H23).
 *   enabled          memory was registered once; before, MAP and UNMAP are EPERM (H22).
 *   pending default  after the first group is attached there is no window yet: the first MAP,
 *                    UNMAP or CREATE makes the default window, in slot 0; REMOVE of address 0
 *                    cancels it (H27).
 *   slot             there are two windows at most. The slot decides where one starts: 0, or
 *                    1 << 59 (H26).
 *   damage           MAP and UNMAP check only their first page against the window (H5). What a
 *                    kernel would then read or write beyond its table isn't done here but counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/mm.h"
#include "sim/table.h"

#define SIM_WINDOWS 2

struct sim_argument;
struct sim_group;

/* Memory that this container registered. */
struct sim_registration {
	struct sim_registration *next;
	struct sim_region *region;
};

struct sim_backend {
	unsigned int page_shift; /* of the host */
	uint64_t *damage;        /* the model's counter */
	struct sim_mm *mm;       /* NULL until bound */
	bool enabled;
	bool default_pending;
	struct sim_table *tables[SIM_WINDOWS];
	struct sim_registration *registrations;
};

/* NULL when memory is out. */
struct sim_backend *sim_backend_new(unsigned int page_shift, uint64_t *damage);

/* Take away windows and registrations. Takes NULL, returns NULL. */
struct sim_backend *sim_backend_free(struct sim_backend *backend);

/* A group joins; first: no other is attached. */
void sim_backend_attach(struct sim_backend *backend, bool first);

/* A group goes. As in Linux 6.12 this empties the tables for the others, too (H33). */
void sim_backend_detach(struct sim_backend *backend);

/* An ioctl that VFIO itself doesn't know. group is the first of the container's. */
int sim_backend_ioctl(struct sim_backend *backend, const struct sim_group *group,
		      const struct sim_caller *caller, unsigned long request,
		      struct sim_argument *argument);

/* The window that an address lies in, or NULL. */
struct sim_table *sim_backend_find_table(const struct sim_backend *backend, uint64_t iova);
