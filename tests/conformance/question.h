/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions to a kernel, as rows of tables. What is answered is not in them: a real kernel says it.
 *
 * Concepts
 *   question  one call with its arguments. A table of them is asked from top to bottom: each row
 *             finds the state that those above it left.
 *
 *   scene     a table, and what it is about: two containers, a node fd for each group, and memory.
 *             They are there before the first question, and after the last everything is closed. A
 *             scene has a process of its own.
 *
 *   peer      another process with the scene's fds, which a row starts, and which the rows after
 *             THEN_PEER are asked by.
 *
 *   role      what a device or group is in these questions (world.h): each host has devices of its
 *             own for them.
 *
 * Some requests are not asked because they harm a real kernel: see guard.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ask {
	ASK_NONE,
	/* opening and closing */
	OPEN_CONTAINER,
	CLOSE_CONTAINER,
	OPEN_GROUP,
	CLOSE_GROUP,
	OPEN_NODE, /* by name (see scene_text); closed again at once */
	/* memory of the process */
	DROP_MEMORY, /* unmap a memory */
	MAKE_MEMORY, /* map it again, at the same address */
	/* a container, or what stands instead of one */
	GET_API_VERSION,
	CHECK_EXTENSION, /* number */
	SET_IOMMU,       /* number */
	GET_INFO,        /* of sPAPR TCE */
	TYPE1_INFO,
	ENABLE,
	DISABLE,
	UNKNOWN_OF_CONTAINER,
	GROUP_IOCTL_OF_CONTAINER,
	REGISTER,   /* memory, offset, size */
	UNREGISTER, /* the same */
	MAP,        /* iova, memory, offset, size; flags, both permissions by default */
	UNMAP,      /* iova, size */
	CREATE,     /* size, page_shift (12 by default), levels (1 by default) */
	REMOVE,     /* iova */
	EEH,        /* number: the operation; errors: what INJECT takes */
	DIRTY_PAGES,
	BAD_POINTER_OF_CONTAINER, /* number: an ioctl */
	/* read, write and mmap of any node: kind */
	READ_NODE,
	WRITE_NODE,
	MMAP_NODE,
	/* a group */
	GET_STATUS,
	SET_CONTAINER,
	UNSET_CONTAINER,
	GET_DEVICE_FD, /* name; the fd is closed again at once */
	UNKNOWN_OF_GROUP,
	CONTAINER_IOCTL_OF_GROUP,
	BAD_POINTER_OF_GROUP, /* number: an ioctl */
	/* a device: that of a group's role */
	OPEN_DEVICE, /* and keep it */
	CLOSE_DEVICE,
	DEVICE_INFO,
	REGION_INFO, /* index */
	IRQ_INFO,    /* index */
	SET_IRQS,    /* flags, index, start, count; data */
	SIGNALS,     /* how often the eventfd `number` was signalled since it was asked
			last */
	RESET_DEVICE,
	HOT_RESET_INFO, /* count: of entries there is room for */
	HOT_RESET,      /* count, data: the groups */
	FEATURE,        /* flags: feature and what to do; size: of the data */
	UNKNOWN_OF_DEVICE,
	BAD_POINTER_OF_DEVICE, /* number: an ioctl */
	READ_REGION,           /* index, offset, size: shows the bytes, or a sum of many */
	WRITE_REGION,          /* index, offset, size; number: the bytes as little-endian
				  number */
	MMAP_REGION,           /* index, offset, size, number: PROT_ */
	/* KVM */
	OPEN_KVM,
	CLOSE_KVM,
	KVM_VERSION,
	KVM_EXTENSION, /* number */
	MAKE_VM,
	CLOSE_VM,
	MAKE_VFIO_DEVICE, /* flags, number: the type */
	CLOSE_VFIO_DEVICE,
	MAKE_TCE_TABLE, /* of the VM: offset, size, page_shift, flags, iova: liobn */
	CLOSE_TCE_TABLE,
	VFIO_DEVICE_ATTRIBUTE, /* number: SET, GET or HAS; index: KVM_DEV_VFIO_…,
				  count: ADD … */
	/* sysfs and its like, by name */
	READ_LINK,
	READ_FILE,
	LIST,
	IS_THERE,
	/* looking */
	LOCKED, /* what is locked for the asking process, in KiB */
	DMA,    /* the device of a group copies memory from iova to target: arrived or
		   not. What lies at    iova and target: offset, target_offset in a memory
		 */
	/* other processes: these have no answer */
	START_PEER, /* number: enum peer_kind */
	THEN_PEER,  /* who is asked from here on */
	THEN_SELF,
	PEER_EXECS,     /* the peer executes this program again, with its fds, and goes on
			 */
	PASS_CONTAINER, /* the peer gets the fd by SCM_RIGHTS, in place of one that it
			   has */
	PASS_GROUP,
	PASS_DEVICE,
	END_PEER,
	KILL_PEER,
	ASKS,
};

enum peer_kind {
	FORKED,
	LIMITED, /* another user, who may lock LIMIT_LOCKED bytes */
	EMPTY,   /* a fork that has closed all fds */
};

#define LIMIT_LOCKED (UINT64_C(6) << 20)

enum container {
	FIRST,
	SECOND,
	CONTAINERS,
	/* instead of a container */
	NOT_OPEN,
	MINUS_ONE,
	DEV_NULL,
	ITS_OWN_GROUP,
	A_SOCKET,
	AN_EVENT,
	ITS_DEVICE,
};

/* Roles: see world.h. */
enum group {
	EDU,
	NIC,
	EDU_2,
	NOT_VIABLE,
	NO_NODE,
	GROUPS,
};

enum memory {
	WHOLE,     /* WHOLE_SIZE bytes, readable and writable, then a HOLE_SIZE where
		      nothing is */
	READ_ONLY, /* mapped for reading only */
	NO_ACCESS, /* mapped with no permission */
	CUT_SHORT, /* mapped twice as long as its file */
	ALIAS,     /* WHOLE again, at another address */
	PRIVATE,   /* a private mapping without a file */
	NOWHERE,   /* addresses from 0 on */
	MEMORIES,
};

enum node_kind {
	A_CONTAINER,
	A_GROUP,
	A_DEVICE,
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
#define PRIVATE_SIZE   (MIB)

#define KERNEL_ADDRESS UINT64_C(0xc000000000000000)
#define SECOND_WINDOW  (UINT64_C(1) << 59) /* where powernv puts it */
#define EVENTS         8

/* A size of the ioctl's structure that is not the right one; without it the right one is given. */
#define ARGSZ(size) ((size) + 1U)

struct arguments {
	uint64_t offset;
	uint64_t alignment; /* of the address, which is rounded up for it; offset is added then */
	uint64_t size;
	uint64_t iova;
	uint64_t target;
	uint64_t target_offset;
	uint64_t number;
	/* Of SET_IRQS with an eventfd flag, one letter for each: '0' to '7' an eventfd, '-' is
	 * -1, 'x' a number that is not open, 'n' /dev/null. With a bool flag '0' and '1'. Of
	 * HOT_RESET groups: 'e', 'n', '2', 'v' in the order of enum group; '-', 'x', and 'c' a
	 * container. */
	const char *data;
	const char *name;
	enum container container;
	enum group group;
	enum memory memory;
	enum node_kind kind;
	uint32_t argsz;
	uint32_t flags;
	uint32_t page_shift;
	uint32_t levels;
	uint32_t index;
	uint32_t start;
	uint32_t count;
	uint32_t errors[2]; /* INJECT's type and function */
	bool no_flags;      /* MAP without any */
	bool whole_window;  /* of the default window, added to the size */
	bool of_made;       /* the IOVA counts from the start of the window that was made last */
	bool from_end;      /* the IOVA counts from the end of the default window */
	bool target_from_end;
	bool no_levels; /* 0, where 0 would mean the default */
	bool no_page_shift;
};

struct question {
	const char *what;
	enum ask ask;
	struct arguments with;
};

struct scene_table {
	const char *name;
	const struct question *questions;
	size_t count;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
