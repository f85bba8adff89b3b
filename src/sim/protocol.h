/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The packets between a simulated host and its clients.
 *
 * Concepts
 *   One packet is one message of a SOCK_SEQPACKET socket: a head, then a body whose size the head
 *   gives. A client sends a sim_request and gets one sim_reply with the same id. Native byte order,
 *   fixed layouts.
 *
 *   The host looks at the credentials of each packet for the calling process. Connections belong to
 *   nobody: the same one may serve several processes, one after the other.
 *
 *   A node is known by a handle. A process gets one by sending the node's fd along once
 *   (SIM_IDENTIFY): so it proves that it holds it. Handles are numbers that are never used twice,
 *   and good for that process only.
 *
 *   Fds in the argument of an ioctl travel along, and the field of each holds the place that it has
 *   among them, or SIM_FD_MINUS_ONE or SIM_FD_CLOSED (sim/argument.h). When there are more than one
 *   packet carries, packets of type SIM_FDS go before, which have no reply.
 *
 *   Memory is shown to the host as pieces: parts of files, or parts of the process's own address
 *   space by way of its /proc/self/mem.
 *
 *   The host checks everything as if a stranger had sent it. A packet that can't be understood ends
 *   the connection; what is understood but wrong gets an answer.
 */
#pragma once

#include <stdint.h>

#include "sim/control.h"
#include "sim/ioctls.h"

/* Raised when a layout changes. */
#define SIM_PROTOCOL_VERSION 6

/* More than the largest message, which is a DMA's. */
#define SIM_MESSAGE_MAX (SIM_DMA_MAX + 4096U)

#define SIM_PATH_SIZE 256  /* of a node */
#define SIM_ROOT_SIZE 1024 /* of a tree of files */

/* The most fds that one request has, together with the SIM_FDS before it. */
#define SIM_FDS_MAX 4096U

/* The most pieces behind one range. */
#define SIM_PIECES_MAX 1024U

/* The most bytes of one PREAD or PWRITE; more is done by several. */
#define SIM_TRANSFER_MAX SIM_ARGUMENT_MAX

/* The name of a device region's memfd, as memfd_create has it: a kernel couldn't pin that memory.
 */
#define SIM_REGION_FILE_NAME "spaprd-simhost-region"

/* A memfd of this name and a size behind it, "hugetlb-16M", has huge pages of that size on the
 * simulated host, whatever the machine has that it runs on: K, M or G. */
#define SIM_HUGE_FILE_NAME "hugetlb-"

enum sim_request_type {
	SIM_HELLO = 1,   /* no body, or a sim_greeting; the reply's is a sim_hello */
	SIM_CONNECT,     /* no body; the reply has the fd of a new connection */
	SIM_OPEN,        /* path, without a terminating zero; the reply has the node's fd */
	SIM_IDENTIFY,    /* no body, one fd; the reply's is a sim_identity */
	SIM_IOCTL,       /* sim_ioctl_request, pieces, argument; fds: the argument's, then what is
			    behind the pieces; the reply's body goes back into the argument, and its
			    fd is the call's result or goes into the argument, too */
	SIM_PREAD,       /* sim_transfer; the reply's body is the data, its result their size */
	SIM_PWRITE,      /* sim_transfer, then the data */
	SIM_MMAP,        /* sim_map_request; the reply has the fd to map, its body is a sim_map */
	SIM_PAGE_SIZE,   /* no body, one fd; the reply's is a uint64_t: bytes of a page behind it */
	SIM_LOCKED,      /* no body; the reply's is a uint64_t: bytes charged to the process */
	SIM_RING,        /* sim_ring_request; the reply has the fd of a sim_ring (sim/ring.h) */
	SIM_FDS,         /* no body, no reply: fds of the next request of this connection */
	SIM_DMA_READ,    /* sim_dma; the reply's body is the data */
	SIM_DMA_WRITE,   /* sim_dma, then the data */
	SIM_STATISTICS,  /* no body; the reply's is a sim_statistics */
	SIM_FAIL_NEXT,   /* sim_rule */
	SIM_DELAY,       /* sim_rule */
	SIM_ADD_RULE,    /* sim_rule; the reply's body is a sim_rule_id */
	SIM_REMOVE_RULE, /* sim_rule_id */
	SIM_CLEAR_RULES, /* no body */
	SIM_LIST_RULES,  /* no body; the reply's is an array of sim_listed_rule */
	SIM_FREEZE,      /* sim_freeze_request */
	SIM_UNPLUG,      /* sim_device_request */
	SIM_PLUG,        /* sim_device_request */
	SIM_DUMP, /* sim_dump_request; the reply's body is a sim_dump, up to its last entry */
	SIM_WRITE_ATTRIBUTE, /* sim_attribute, then the text */
	SIM_FIND_HOLDERS,    /* path; the reply's body is an array of int32_t: pids */
	SIM_REQUEST_TYPE_COUNT,
};

/* The most pids of one answer. */
#define SIM_HOLDERS_MAX 256U

#define SIM_ATTRIBUTE_PATH_SIZE 128

struct sim_attribute {
	char path[SIM_ATTRIBUTE_PATH_SIZE]; /* below sysfs; terminated */
};

struct sim_request {
	uint32_t version; /* SIM_PROTOCOL_VERSION */
	uint32_t type;    /* enum sim_request_type */
	uint64_t id;
	uint32_t size; /* of the body */
	uint32_t fds;  /* that travel along, in this packet and the SIM_FDS before */
};

struct sim_reply {
	uint32_t version;
	uint32_t type;
	uint64_t id;
	int32_t result; /* of the calls of a kernel: what they return, negative errno included */
	uint32_t code;  /* of the host's own verbs: enum error_code; if not 0, the body is the text
			 */
	uint32_t size;
	uint32_t fds;       /* 0 or 1 */
	uint32_t fd_offset; /* of an ioctl: where in the argument the fd's number goes; 0: it is the
			       result */
	uint32_t reserved;
};

/* The process executes a program that it didn't execute before: its address space is a new one. */
#define SIM_GREETING_NEW_PROGRAM 1U

struct sim_greeting {
	uint32_t flags;
	uint32_t reserved;
};

struct sim_hello {
	uint64_t memlock_limit; /* bytes that a process may lock, UINT64_MAX: no limit */
	uint32_t page_shift;    /* of the host's kernel */
	uint32_t reserved;
	char sysfs_root[SIM_ROOT_SIZE]; /* what stands for /sys; terminated */
	char dev_root[SIM_ROOT_SIZE];   /* what stands for /dev: its names only; terminated */
};

struct sim_identity {
	uint64_t handle; /* not 0 */
	uint32_t kind;   /* enum sim_node_kind */
	uint32_t number; /* of a group */
};

/* The argument's memory can't be read by the caller. */
#define SIM_IOCTL_UNREADABLE 1U

/* It was asked before, without the memory that it turned out to need: rules don't count it twice.
 */
#define SIM_IOCTL_AGAIN 2U

struct sim_ioctl_request {
	uint64_t handle;
	uint64_t request;
	uint64_t value; /* the argument where it is a number */
	uint32_t argument_size;
	uint32_t pieces; /* how many sim_wire_pieces there are */
	uint32_t fds;    /* of the argument: the first of those that travel along */
	uint32_t flags;
};

/* Memory behind a range, in order from its first address on. */
struct sim_wire_piece {
	uint64_t offset; /* in the fd; for /proc/self/mem the address */
	uint64_t size;
	uint32_t fd;         /* its place among those that travel along, after the argument's */
	uint32_t page_shift; /* of an address, or SIM_PAGE_SHIFT_REGISTERS; a file's are known */
};

/* At the address a device's registers are mapped. */
#define SIM_PAGE_SHIFT_REGISTERS 0U

/* The offset of read and write, which go on where the last one ended. */
#define SIM_OFFSET_CURRENT UINT64_MAX

struct sim_transfer {
	uint64_t handle;
	uint64_t offset;
	uint32_t size;
	uint32_t reserved;
};

struct sim_map_request {
	uint64_t handle;
	uint64_t offset;
	uint64_t size;
	uint32_t protection; /* as mmap has it */
	uint32_t reserved;
};

struct sim_map {
	uint64_t offset; /* in the fd */
};

struct sim_ring_request {
	uint64_t handle; /* of a container */
};

struct sim_dma {
	char device[SIM_NAME_SIZE]; /* terminated */
	uint64_t iova;
	uint32_t size;
	uint32_t reserved;
};

struct sim_rule_id {
	uint32_t id;
	uint32_t reserved;
};

struct sim_freeze_request {
	uint32_t group;
	uint32_t what; /* enum sim_freeze */
};

struct sim_device_request {
	char device[SIM_NAME_SIZE]; /* terminated */
};

struct sim_dump_request {
	uint64_t from; /* IOVA */
	uint32_t group;
	uint32_t most; /* entries; more than SIM_DUMP_ENTRIES is that many */
};
