/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container's own listener: maps identity sections 1:1, so that devices see their memory at the
 * very addresses that it has in the address space.
 *
 * It maps what comes while the container is linked. A new container gets the mappings of the
 * sections that are there by replay, as all others (vfio/space.h).
 */
#pragma once

#include "vfio/container.h"

/*
 * Have a container listen, after the listeners that it has: memory must be registered before it can
 * be mapped.
 *
 * add maps a section of WORKER_MEMORY_IDENTITY, which lies in section->window, and takes no notice
 * of others; it answers what container_map does. After a failure remove takes back what was done.
 *
 * remove unmaps it.
 */
void identity_listen(struct container *container);
