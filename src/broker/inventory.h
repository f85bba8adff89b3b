/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The manager's records of groups and devices, made from the topology's and kept up with it; see
 * broker/device.h for how long they live. What changes is told to the manager's observer.
 */
#pragma once

#include "broker/manager.h"

/* Records for all that the topology has. ERROR_KERNEL: no memory. */
int inventory_fill(struct manager *manager, struct error *error);

/* Frees all records, those of what is gone as well. */
void inventory_free(struct manager *manager);

/* A group or device has come, or come back. 0 or -ENOMEM, and then there is no record of it. */
int inventory_add_group(struct manager *manager, struct topology_group *host);
int inventory_add_device(struct manager *manager, struct topology_group *group,
			 struct topology_device *host);

/* It has gone. A group stays where it is while an address space has it. One that there is no record
 * of is fine. */
void inventory_remove_device(struct manager *manager, struct topology_device *host);
void inventory_remove_group(struct manager *manager, struct topology_group *host);

/* Groups that are gone, and that no address space has any more, leave the list. */
void inventory_sweep(struct manager *manager);
