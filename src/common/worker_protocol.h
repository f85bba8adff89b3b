/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The messages between the broker and a worker.
 *
 * Concepts
 *   One SOCK_SEQPACKET socket per worker; one message is one packet, in native byte order. The
 * broker sends requests, the worker sends one reply to each. Requests that only touch mappings are
 * answered at once; those that change the structure of the address space (groups, memory, windows)
 * are carried out one at a time, in order, and may take seconds: a later Map can be answered before
 * an earlier AddMemory. The id ties a reply to its request. Every struct has a fixed layout: no
 * pointers, no padding, little to check but sizes and ranges. A worker checks every field as if a
 * stranger had sent it. The worker ends when the broker's end of the socket is closed for good,
 * after an orderly teardown.
 *
 * Addresses and sizes are in bytes.
 */
#pragma once

#include <stdint.h>

/* Raised when a layout changes. A peer refuses any other number. */
#define WORKER_PROTOCOL_VERSION 1

/* The fds a worker is started with, by number. */
#define WORKER_SOCKET_FD 3
#define WORKER_SIM_FD    4 /* a connection to spaprd-simhost, only when simulated */

enum worker_request_type {
	WORKER_DESCRIBE = 1,  /* no body; reply worker_description */
	WORKER_ATTACH_GROUP,  /* worker_attach; fds: container node, group node; reply
				 worker_container */
	WORKER_DETACH_GROUP,  /* worker_detach; reply worker_container with only container_id filled
			       */
	WORKER_ADD_MEMORY,    /* worker_memory (id ignored); fds: memory; reply worker_memory */
	WORKER_REMOVE_MEMORY, /* worker_remove_memory; no reply body */
	WORKER_CREATE_WINDOW, /* worker_window; reply worker_window */
	WORKER_REMOVE_WINDOW, /* worker_remove_window; no reply body */
	WORKER_MAP,           /* worker_map; no reply body */
	WORKER_UNMAP,         /* worker_unmap; no reply body */
	WORKER_TRANSLATE,     /* worker_translate; reply worker_translation */
	WORKER_LIST_MAPPINGS, /* worker_list; reply worker_mapping[] */
	WORKER_CLOSE,         /* no body: tear down in order, answer, end */
	WORKER_REQUEST_TYPE_COUNT,
};

/* Whole message sizes stay under this, so that a default socket buffer takes several. */
#define WORKER_MESSAGE_MAX 65536

#define WORKER_MAPPINGS_PER_REPLY 1024
#define WORKER_MEMORY_MAX         512 /* sections of one address space */
#define WORKER_WINDOWS_MAX        8   /* windows of one address space */
#define WORKER_CONTAINERS_MAX     64  /* containers of one address space */

struct worker_request {
	uint32_t version; /* WORKER_PROTOCOL_VERSION */
	uint32_t type;    /* enum worker_request_type */
	uint64_t id;      /* chosen by the broker, not 0 */
	uint32_t size;    /* of the body that follows */
	uint32_t fds;     /* how many fds travel along */
};

/* Counters of the address space after the request; in every reply, for the broker's properties. */
struct worker_counts {
	uint64_t mappings;
	uint64_t mapped_bytes;
	uint64_t
		locked_bytes; /* registered memory and TCE tables, by the kernel's own arithmetic */
};

struct worker_reply {
	uint32_t version;
	uint32_t type;
	uint64_t id;
	uint32_t code; /* enum error_code; if not 0 the body is the text, without a terminating zero
			*/
	int32_t errnum; /* behind code, positive, or 0 */
	uint32_t size;  /* of the body */
	uint32_t reserved;
	struct worker_counts counts;
};

struct worker_attach {
	uint32_t group;
	uint32_t container_id; /* chosen by the broker, unique in the address space */
};

#define WORKER_IOMMU_TYPE_SIZE 16

struct worker_container {
	uint32_t container_id;
	uint32_t group;
	char iommu_type[WORKER_IOMMU_TYPE_SIZE]; /* "spapr-tce-v2", zero-padded */
	uint64_t page_sizes;                     /* one bit for each IOMMU page size */
	uint64_t default_window_start;
	uint64_t default_window_size;
	uint32_t max_windows;
	uint32_t max_levels;
	uint32_t eeh; /* 0 or 1 */
	uint32_t reserved;
};

struct worker_detach {
	uint32_t group;
	uint32_t reserved;
};

#define WORKER_MEMORY_READ_ONLY  1U
#define WORKER_MEMORY_IDENTITY   2U
#define WORKER_MEMORY_RAM_DEVICE 4U

struct worker_memory {
	uint32_t id; /* chosen by the worker, not 0, never used twice */
	uint32_t flags;
	uint64_t offset; /* in the fd */
	uint64_t gpa;
	uint64_t size;
};

struct worker_remove_memory {
	uint32_t id;
	uint32_t reserved;
};

#define WORKER_WINDOW_ANYWHERE UINT64_MAX

struct worker_window {
	uint64_t start;      /* request: WORKER_WINDOW_ANYWHERE leaves it to the platform */
	uint64_t size;       /* request: 0 leaves it to the planner, as do the next two */
	uint32_t page_shift; /* log2 of the IOMMU page size */
	uint32_t levels;
	uint32_t flags; /* none are defined */
	uint32_t reserved;
};

struct worker_remove_window {
	uint64_t start;
};

#define WORKER_PROT_READ  1U /* the device may read */
#define WORKER_PROT_WRITE 2U /* the device may write */

struct worker_map {
	uint64_t iova;
	uint64_t gpa;
	uint64_t size;
	uint32_t prot;
	uint32_t reserved;
};

struct worker_unmap {
	uint64_t iova;
	uint64_t size;
};

struct worker_translate {
	uint64_t iova;
};

struct worker_translation {
	uint64_t gpa;
	uint64_t left; /* bytes of the mapping from iova on */
	uint32_t prot;
	uint32_t reserved;
};

struct worker_list {
	uint64_t from; /* mappings that end above this address */
	uint32_t most; /* at most so many; the worker cuts it to WORKER_MAPPINGS_PER_REPLY */
	uint32_t reserved;
};

struct worker_mapping {
	uint64_t iova;
	uint64_t gpa;
	uint64_t size;
	uint64_t prot;
};

/* Followed by memory_count worker_memory, window_count worker_window, container_count
 * worker_container. */
struct worker_description {
	uint32_t memory_count;
	uint32_t window_count;
	uint32_t container_count;
	uint32_t reserved;
};
