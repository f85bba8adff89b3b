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
 *   The host checks everything as if a stranger had sent it. A packet that can't be understood ends
 *   the connection; what is understood but wrong gets an answer.
 */
#pragma once

#include <stdint.h>

#include "sim/control.h"

/* Raised when a layout changes. */
#define SIM_PROTOCOL_VERSION 3

/* More than the largest message, which is a DMA's. */
#define SIM_MESSAGE_MAX (SIM_DMA_MAX + 4096U)

#define SIM_PATH_SIZE 256  /* of a node */
#define SIM_ROOT_SIZE 1024 /* of the sysfs tree */

enum sim_request_type {
	SIM_HELLO = 1,  /* no body; the reply's is a sim_hello */
	SIM_CONNECT,    /* no body; the reply has the fd of a new connection */
	SIM_OPEN,       /* path, without a terminating zero; the reply has the node's fd */
	SIM_IDENTIFY,   /* no body, one fd; the reply's is a sim_identity */
	SIM_IOCTL,      /* sim_ioctl_request, pieces, argument; fds: what is behind the pieces; the
			   reply's body goes back into the argument */
	SIM_DMA_READ,   /* sim_dma; the reply's body is the data */
	SIM_DMA_WRITE,  /* sim_dma, then the data */
	SIM_STATISTICS, /* no body; the reply's is a sim_statistics */
	SIM_FAIL_NEXT,  /* sim_rule */
	SIM_DELAY,      /* sim_rule */
	SIM_REQUEST_TYPE_COUNT,
};

struct sim_request {
	uint32_t version; /* SIM_PROTOCOL_VERSION */
	uint32_t type;    /* enum sim_request_type */
	uint64_t id;
	uint32_t size; /* of the body */
	uint32_t fds;  /* that travel along */
};

struct sim_reply {
	uint32_t version;
	uint32_t type;
	uint64_t id;
	int32_t result; /* of HELLO … IOCTL: what the call returns, negative errno included */
	uint32_t code;  /* of the others: enum error_code; if not 0, the body is the text */
	uint32_t size;
	uint32_t fds;
};

struct sim_hello {
	uint64_t memlock_limit;         /* bytes that a process may lock, UINT64_MAX: no limit */
	char sysfs_root[SIM_ROOT_SIZE]; /* terminated */
};

struct sim_identity {
	uint64_t handle; /* not 0 */
	uint32_t kind;   /* enum sim_node_kind */
	uint32_t reserved;
};

struct sim_ioctl_request {
	uint64_t handle;
	uint64_t request;
	uint64_t value; /* the argument where it is a number */
	uint32_t argument_size;
	uint32_t pieces; /* each with an fd of its own, the first of those that travel along */
	uint32_t fds;    /* in the argument, the rest of those; fields there hold their index */
	uint32_t reserved;
};

/* Memory behind the range of a registration, in order from its first address on. */
struct sim_wire_piece {
	uint64_t offset; /* in the fd */
	uint64_t size;
};

struct sim_dma {
	char device[SIM_NAME_SIZE]; /* terminated */
	uint64_t iova;
	uint32_t size;
	uint32_t reserved;
};

struct sim_rule {
	char operation[SIM_NAME_SIZE]; /* terminated */
	uint32_t skip;
	int32_t errnum;
	uint32_t milliseconds;
	uint32_t reserved;
};
