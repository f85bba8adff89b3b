/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A container that only keeps books: for tests of what stands above it. Any of its operations can
 * be made to fail.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vfio/container.h"

#define FAKE_WINDOW_0 UINT64_C(0)
#define FAKE_WINDOW_1 (UINT64_C(1) << 59)

#define FAKE_DEFAULT_SIZE UINT64_C(0x80000000)

/* How all fake containers of a test behave. */
struct fake_host {
	unsigned int calls;               /* operations so far that can fail */
	unsigned int fail;                /* the number of the one that fails, from 1; 0: none */
	bool fail_on;                     /* all after it fail, too */
	unsigned int failed;              /* how many did */
	unsigned int live;                /* containers that exist */
	unsigned int closed_in_use;       /* containers freed with something left in them */
	unsigned int refuse_new;          /* no container can be opened */
	unsigned int refuse_join;         /* no container takes a second group */
	uint32_t join_id;                 /* no other does; 0: all do */
	int refuse_join_errnum;           /* what they say; 0: EINVAL */
	enum error_code refuse_join_code; /* likewise; 0: ERROR_GROUP_BUSY */
	unsigned int joins;               /* tried */
	struct range fail_map;            /* maps of this range fail, all of them */
	bool refuse_devices;              /* no listener takes a ram-device */
	unsigned int fail_unmap;          /* unmaps in the container of this id fail, all of them */
	unsigned int entries_max; /* maps that each takes, which go as a whole; 0: any number */
	/* New containers: */
	enum container_pinning pinning;
	uint64_t start_bytes; /* that starting one locks */
	int better_refused;   /* the errno that a better kind was refused with, or 0 */
	bool one_group;
	bool eeh;
	bool leaving_clears;
	bool windows_are_books; /* and the range of IOVA is half as large once a group has joined */
	uint64_t pending_bytes; /* that the next map of each container will lock */
	uint64_t leaked_bytes;  /* of each container */
	bool differs;           /* the kernel says something else than at the start */
	bool other_default;     /* new containers have another default window */
};

extern struct fake_host fake_host;

/* A container_opener. */
int fake_container_open(struct kernel *kernel, const struct container_request *request,
			struct container **ret_container, struct error *error);

/* What a container has, as text. */
void fake_container_print(const struct container *container, char *text, size_t size);
