/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the topology share. */
#pragma once

#include "host/topology.h"

/* Read a PCI device of a group. 0 or ERROR_KERNEL, which names the file. */
int topology_read_device(const char *sysfs_root, const char *name, uint32_t group,
			 struct topology_device *ret_device, struct error *error);

/* All of a group but its devices. */
void topology_read_group(const struct topology *topology, struct topology_group *group);

/* What depends on the group's devices. */
void topology_learn_devices(const struct topology *topology, struct topology_group *group);

/* Put a record among those of its group, or of the topology, in its order; it is owned then. 0 or
 * -ENOMEM. */
int topology_insert_device(struct topology_group *group, struct topology_device *device);
int topology_insert_group(struct topology *topology, struct topology_group *group);

/*
 * topology_phb.c: the PHBs of the tree, and which EEH there is. ERROR_KERNEL names the root.
 */
int topology_read_phbs(struct topology *topology, const struct device_tree *tree,
		       struct error *error);

/* Find the PHB that a group lies below, by the PCI domain of its devices or of its name; the PHB
 * learns from the group whether it has EEH. */
void topology_place_group(const struct topology *topology, struct topology_group *group);
