/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an ioctl of the simulated host comes with, and what it leaves.
 *
 * Fds in an argument are not numbers of the caller's here: each such field holds the index of one
 * of `fds`, or, where the caller gave none that is open, SIM_FD_MINUS_ONE or SIM_FD_CLOSED.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sim/ioctls.h"
#include "sim/mm.h"

struct sim_container;
struct sim_device_file;
struct sim_group;
struct sim_kvm_tce;
struct sim_kvm_vfio;
struct sim_kvm_vm;
struct sim_model;

/* An open node; which member counts, the kind says. */
struct sim_node {
	enum sim_node_kind kind;
	uint32_t life; /* of a group: which of its lives the file belongs to (sim/container.h) */
	union {
		struct sim_container *container;
		struct sim_group *group;
		struct sim_device_file *device_file;
		struct sim_model *model; /* of SIM_NODE_KVM */
		struct sim_kvm_vm *kvm_vm;
		struct sim_kvm_vfio *kvm_vfio;
		struct sim_kvm_tce *kvm_tce;
	};
};

#define SIM_NODE_NOTHING ((struct sim_node){.kind = SIM_NODE_NONE})

#define SIM_FD_MINUS_ONE (-1) /* a negative number, which some calls give a meaning */
#define SIM_FD_CLOSED    (-2) /* a number that is no open fd */

struct sim_argument_fd {
	struct sim_node node; /* SIM_NODE_NONE: no node of this host */
	int fd;               /* the file itself; who keeps it sets this to -1 */
};

struct sim_argument {
	uint64_t value; /* SIM_ARGUMENT_VALUE */
	/* A structure or a string, at least SIM_ARGUMENT_MAX bytes of room; NULL when the caller's
	 * memory can't be read: then whoever would look at it answers EFAULT. */
	void *data;
	size_t size; /* of what came */
	struct sim_argument_fd *fds;
	unsigned int fd_count;
	struct sim_pieces pieces; /* behind the range of memory that the call is about; taken */

	/* Set by the ioctl. */
	size_t out_size; /* how much of data is written back; a failure may set it, too (ENOSPC) */
	struct sim_node
		new_node; /* whose fd is the call's result, or goes into data at fd_offset */
	size_t fd_offset; /* where in data; 0: it is the result */
	uint32_t blocks;  /* milliseconds that the call takes to return; others go on */
};

/*
 * Answered, instead of a result, by an ioctl that needs the memory behind its range and came
 * without pieces: the client asks again, with them. Nothing has happened that the same call would
 * do twice. Answered again, nothing is there at all, and the result is EFAULT. (As an errno the
 * number is ERESTARTSYS, which no program ever sees.)
 */
#define SIM_NEEDS_MEMORY (-512)

/* The same where memory that the program may only read will do, as devices will not write it. Also
 * answered when the pieces that came, of memory that may be written, end early. (ERESTARTNOINTR) */
#define SIM_NEEDS_MEMORY_TO_READ (-513)

/* The fd of a field that holds an index; NULL for one that isn't open. */
struct sim_argument_fd *sim_argument_fd(struct sim_argument *argument, int32_t index);
