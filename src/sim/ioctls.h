/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ioctls that the simulated host knows, and what each takes: the one table from which the
 * client copies arguments, the model dispatches and fault rules get their names.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum sim_node_kind {
	SIM_NODE_NONE = 0,
	SIM_NODE_CONTAINER,
	SIM_NODE_GROUP,
};

enum sim_argument_kind {
	SIM_ARGUMENT_VALUE,  /* the argument itself is a number, or isn't looked at */
	SIM_ARGUMENT_STRUCT, /* it points to a structure that begins with argsz */
	SIM_ARGUMENT_FD,     /* it points to an int, the fd of another node */
	SIM_ARGUMENT_STRING,
};

struct sim_ioctl {
	enum sim_node_kind node;
	enum sim_argument_kind argument;
	unsigned long request;
	const char *name;
	size_t in_size;  /* of a structure: what the kernel reads, whatever argsz says */
	size_t out_size; /* the most that it writes back */
};

/* Longer strings are refused as the kernel does, with EINVAL. */
#define SIM_STRING_MAX 4096U

/* The largest in_size and out_size of the table. */
#define SIM_ARGUMENT_MAX 128U

/* The entry of a request on that kind of node, or NULL. */
const struct sim_ioctl *sim_ioctl_find(enum sim_node_kind node, unsigned long request);

/* The entry of that name, or NULL. */
const struct sim_ioctl *sim_ioctl_find_name(const char *name);
