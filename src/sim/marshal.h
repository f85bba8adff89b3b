/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The argument of an ioctl on its way to the simulated host and back: what the kernel would copy
 * from and to the caller's memory, with the fds in it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/ioctls.h"
#include "sim/mappings.h"
#include "sim/protocol.h"

#define SIM_SMALL_ARGUMENT 512

/* The memory of a program that may give any address: a careful copy of one that isn't there stops
 * where the kernel would fault, a plain one ends the program. */
struct sim_caller_memory {
	bool careful;
};

/* How many bytes of size could be copied, from the first on. */
size_t sim_caller_read(struct sim_caller_memory memory, void *data, uint64_t address, size_t size);

/* Whether all could be written. */
bool sim_caller_write(struct sim_caller_memory memory, uint64_t address, const void *data,
		      size_t size);

struct sim_outgoing {
	struct sim_ioctl_request head;
	const struct sim_ioctl *entry; /* NULL: none */
	uint8_t *argument;             /* head.argument_size bytes; in `small`, or owned */
	struct sim_piece_list pieces;
	int *fds; /* the argument's, which stay the caller's, then the pieces'; owned */
	unsigned int fd_count;
	uint8_t small[SIM_SMALL_ARGUMENT] __attribute__((aligned(8)));
};

void sim_outgoing_done(struct sim_outgoing *outgoing);

/*
 * Copy the argument as the table says what it is (entry NULL: a number), with its fds. outgoing is
 * zeros but for the request and the handle, and to be done with in any case. 0 or -errno. A pointer
 * to nothing is no failure: it is for the model to answer, when it would look.
 */
int sim_marshal(struct sim_outgoing *outgoing, const struct sim_ioctl *entry,
		struct sim_caller_memory memory, uint64_t argument);

/* How much may come back of a structure of any size: what it says itself, and at least what came.
 * Not all that it says may have been there to be read. */
size_t sim_marshalled_room(const struct sim_outgoing *outgoing);

/* The range of memory that a marshalled ioctl is about. Returns false for those without. */
bool sim_marshalled_range(const struct sim_outgoing *outgoing, uint64_t *ret_address,
			  uint64_t *ret_size);
