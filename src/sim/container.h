/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VFIO containers and groups: how they are opened, joined and let go.
 *
 * Concepts
 *   container  what an open of /dev/vfio/vfio makes. It lives until it is closed and no group is
 *              attached to it any more, in whichever order that comes (H24).
 *   group      one per PE. Its node opens once at a time; the last close detaches it.
 *   backend    what SET_IOMMU gives a container and the detaching of its last group takes away
 *              again, with all windows and registrations (H25).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/host.h"
#include "sim/mm.h"

struct sim_backend;
struct sim_model;

struct sim_container {
	struct sim_model *model;
	struct sim_container *next; /* in the model's list */
	bool open;
	struct sim_backend *backend;
	struct sim_group *groups; /* the one attached last comes first */
};

struct sim_group {
	struct sim_model *model;
	uint32_t number;
	const struct sim_phb *phb;
	bool has_node; /* a device is bound to vfio-pci */
	bool viable;   /* and none to another driver */
	bool open;
	struct sim_container *container;
	struct sim_group *next; /* in the container's list */
};

/* What an ioctl comes with. */
struct sim_argument {
	uint64_t value;                  /* SIM_ARGUMENT_VALUE */
	void *data;                      /* a structure of at least SIM_ARGUMENT_MAX bytes, or a
					    string */
	size_t out_size;                 /* set by the ioctl: how much of data is written back */
	struct sim_container *container; /* SIM_ARGUMENT_FD; NULL for what is no container */
	struct sim_pieces pieces;        /* REGISTER_MEMORY: behind the range; taken */
};

/* An ioctl's result as the kernel has it: 0 or more, positive failures (H1) included, or a negative
 * errno. */
int sim_container_ioctl(struct sim_container *container, const struct sim_caller *caller,
			unsigned long request, struct sim_argument *argument);
int sim_group_ioctl(struct sim_group *group, unsigned long request, struct sim_argument *argument);

/* The last close of a node. The container may be gone afterwards. */
void sim_container_close(struct sim_container *container);
void sim_group_close(struct sim_group *group);
