/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory listeners: those who have to know of an address space's memory.
 *
 * Each container has a few, and tells them of every section that comes and goes. Two kinds exist:
 * the prereg listener of TCE v2 (spapr/prereg.h), which registers sections with the kernel, and the
 * container's own (vfio/identity.h), which maps identity sections 1:1.
 */
#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "vfio/section.h"

struct memory_listener;

struct memory_listener_operations {
	const char *name;
	/*
	 * Whether add and remove take long. Then they are called in the slow pool, while maps and
	 * unmaps of other sections go on; else on the thread that owns the address space.
	 */
	bool takes_long;
	/* 0, or a code and nothing has happened; but what was mapped by one that doesn't take long
	 * isn't known then, and remove takes it back. */
	int (*add)(struct memory_listener *listener, const struct section *section,
		   struct error *error);
	int (*remove)(struct memory_listener *listener, const struct section *section,
		      struct error *error);
};

/* Embedded in each implementation. */
struct memory_listener {
	const struct memory_listener_operations *operations;
};

static inline int memory_listener_add(struct memory_listener *listener,
				      const struct section *section, struct error *error)
{
	return listener->operations->add(listener, section, error);
}

static inline int memory_listener_remove(struct memory_listener *listener,
					 const struct section *section, struct error *error)
{
	return listener->operations->remove(listener, section, error);
}
