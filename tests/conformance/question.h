/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions to a kernel, as rows of tables.
 *
 * Concepts
 *   question  one call with its arguments and the result that a real kernel gives. A table of them
 *             is asked from top to bottom: each row finds the state that those above it left.
 *   scene     what the questions are about: two containers, a node fd for each group, and memory.
 *             It is there before the first question, and after the last everything is closed.
 *   peer      a second process with the scene's fds, and memory of its own.
 *
 * Expected results are what a real kernel answered, never what it ought to answer. Some requests
 * are not asked because they harm a real kernel: MAP and UNMAP past the end of a window, REGISTER
 * of size 0, and UNREGISTER of memory that is still mapped.
 */
#pragma once

#include "host.h"
#include "integration/world.h"

enum ask {
	/* opening and closing */
	OPEN_CONTAINER,
	CLOSE_CONTAINER,
	OPEN_GROUP,
	CLOSE_GROUP,
	OPEN_NODE,   /* by name; closed again at once */
	DROP_MEMORY, /* unmap ALIAS from the process */
	/* ioctls */
	GET_API_VERSION,
	CHECK_EXTENSION, /* number */
	SET_IOMMU,       /* number */
	GET_INFO,
	ENABLE,
	DISABLE,
	UNKNOWN_OF_CONTAINER,
	REGISTER,   /* memory, offset, size */
	UNREGISTER, /* the same */
	MAP,        /* iova, memory, offset, size; flags, both permissions by default */
	UNMAP,      /* iova, size */
	CREATE,     /* size, page_shift (12 by default), levels (1 by default); start is checked */
	REMOVE,     /* iova */
	GET_STATUS, /* the result is the flags when there is no error */
	SET_CONTAINER,
	UNSET_CONTAINER,
	GET_DEVICE_FD, /* name */
	UNKNOWN_OF_GROUP,
	CONTAINER_IOCTL_OF_GROUP,
	VERSION_OF_FD, /* container, or what stands instead of one */
	GROUP_IOCTL_OF_CONTAINER,
	/* looking */
	LOCKED, /* the result is what is locked for the calling process, in KiB */
	DMA,    /* the device of a group copies memory from iova to target: the result is ARRIVED or
		   BLOCKED. What lies at iova and target: offset, target_offset in memory WHOLE */
};

#define ARRIVED 1
#define BLOCKED 0

enum container {
	FIRST,
	SECOND,
	CONTAINERS,
	/* instead of a container, for SET_CONTAINER and VERSION_OF_FD */
	NOT_OPEN,
	MINUS_ONE,
	DEV_NULL,
	ITS_OWN_GROUP,
	A_SOCKET,
};

enum group {
	EDU,
	NIC,
	EDU_2,
	NOT_VIABLE,
	NO_NODE,
	GROUPS,
};

enum memory {
	WHOLE,     /* WHOLE_SIZE bytes, readable and writable, then a HOLE_SIZE where nothing is */
	READ_ONLY, /* mapped for reading only */
	NO_ACCESS, /* mapped with no permission */
	CUT_SHORT, /* mapped twice as long as its file */
	ALIAS,     /* WHOLE again, at another address */
	NOWHERE,   /* addresses from 0 on */
	MEMORIES,
};

#define KIB UINT64_C(0x400)
#define MIB UINT64_C(0x100000)
#define GIB UINT64_C(0x40000000)
#define TIB UINT64_C(0x10000000000)

#define WHOLE_SIZE     (4 * MIB)
#define HOLE_SIZE      MIB
#define READ_ONLY_SIZE (64 * KIB)
#define NO_ACCESS_SIZE (64 * KIB)
#define CUT_SHORT_SIZE (512 * KIB)

#define PAGE           (4 * KIB)
#define KERNEL_ADDRESS UINT64_C(0xc000000000000000)

/* A size of the ioctl's structure that is not the right one; without it the right one is given. */
#define ARGSZ(size) ((size) + 1U)

struct arguments {
	enum container container;
	enum group group;
	uint32_t argsz;
	uint32_t flags;
	bool no_flags; /* MAP without any */
	enum memory memory;
	uint64_t offset;
	uint64_t alignment; /* of the address, which is rounded up for it; offset is added then */
	uint64_t size;
	uint64_t iova;
	uint64_t target;
	uint64_t target_offset;
	uint32_t page_shift;
	uint32_t levels;
	bool no_levels; /* 0, where 0 would mean the default */
	bool no_page_shift;
	uint64_t start; /* where a window that could be created is expected */
	uint64_t number;
	const char *name;
};

/* For a row without arguments. */
#define NOTHING                    \
	{                          \
		.container = FIRST \
	}

struct question {
	const char *what;
	enum ask ask;
	struct arguments with;
	int64_t result;
};

struct scene {
	struct host host;
	int container[CONTAINERS];
	int group[GROUPS];
	uint8_t *memory[MEMORIES];
	bool alias_dropped;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* For cmocka: the scene with open containers and the groups EDU, NIC, EDU_2, NOT_VIABLE. The
 * state is a struct scene. Tear-down also checks that nothing stays locked. */
int scene_set_up(void **state);
/* The same where a limited process may lock LIMIT_LOCKED bytes. */
int scene_set_up_limited(void **state);
int scene_tear_down(void **state);

/* Ask all; fails the test if an answer is not the expected one, after the last question. */
void ask_all(struct scene *scene, const struct question *questions, size_t count);
#define ASK(scene, questions) ask_all(scene, questions, COUNT(questions))

/* The number of questions that this process asked, and all its peers. */
unsigned int questions_asked(void);

/* -- another process -- */

struct table {
	const struct question *questions;
	size_t count;
};

#define TABLE(questions) ((struct table){questions, COUNT(questions)})
#define NO_TABLE         ((struct table){.count = 0})

struct peer {
	pid_t pid;
	int release; /* it goes on when this is closed */
};

/*
 * Make a peer that asks the first table, and wait until it has; it keeps the scene's fds and asks
 * the second when it is told to end. A limited one may lock LIMIT_LOCKED bytes, in a scene that was
 * set up so.
 */
struct peer peer_start(struct scene *scene, struct table first, struct table second, bool limited);
/* Let it end in order, or by SIGKILL. */
void peer_end(struct peer *peer);
void peer_kill(struct peer *peer);
