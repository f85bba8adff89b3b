/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VFIO containers and groups: how they are opened, joined and let go.
 *
 * Concepts
 *   container  what an open of /dev/vfio/vfio makes. It lives until it is closed and no group is
 *              attached to it any more, in whichever order that comes (H24).
 *   group      one per PE. Its node opens once at a time; the last close detaches it.
 *   life       of a group: from the first device bound to vfio-pci to the last. A file of an
 *              earlier life is revoked: it can only be closed, and doesn't keep the node, which is
 *              another one now, from being opened.
 *   backend    what SET_IOMMU gives a container and the detaching of its last group takes away
 *              again, with all windows and registrations (H25).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/argument.h"
#include "sim/eeh.h"
#include "sim/host.h"
#include "sim/iommu.h"

struct sim_model;

struct sim_container {
	struct sim_model *model;
	struct sim_container *next; /* in the model's list */
	bool open;
	struct sim_iommu *iommu;  /* NULL before SET_IOMMU */
	struct sim_group *groups; /* with an IOMMU in its order, the one attached last first */
	uint32_t blocks;          /* milliseconds that the detaching under way takes */
};

struct sim_group {
	struct sim_model *model;
	uint32_t number;
	const struct sim_phb *phb;
	bool has_node; /* a device is bound to vfio-pci */
	bool viable;   /* and none to another driver */
	bool open;
	uint32_t life;        /* the number of this one */
	unsigned int revoked; /* files of earlier lives that are still open */
	unsigned int open_devices;
	struct sim_pe_state pe;
	struct sim_container *container;
	struct sim_group *next; /* in the container's list */
};

/* An ioctl's result as the kernel has it: 0 or more, positive failures (H1) included, or a negative
 * errno. */
int sim_container_ioctl(struct sim_container *container, const struct sim_caller *caller,
			unsigned long request, struct sim_argument *argument);
int sim_group_ioctl(struct sim_node node, unsigned long request, struct sim_argument *argument);

/* Whether a node is the file of a group that has lost all its devices since. */
bool sim_group_is_revoked(struct sim_node node);

/* A device of the group is opened, or closed: while there is one the group stays in its container,
 * and its node can't be opened again. */
void sim_group_add_device(struct sim_group *group);
void sim_group_remove_device(struct sim_group *group);

/* Look again at which of its devices are there, and who has them: when one has come or gone. A
 * group that has lost its last vfio device leaves its container. */
void sim_group_update(struct sim_group *group);

/* The last close of a node. The container may be gone afterwards. */
void sim_container_close(struct sim_container *container);
void sim_group_close(struct sim_node node);
