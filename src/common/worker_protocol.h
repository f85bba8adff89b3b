/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The messages between the broker and a worker.
 *
 * Concepts
 *   One SOCK_SEQPACKET socket per worker; one message is one packet, in native byte order. The
 * broker sends requests, the worker sends one reply to each. Requests that only touch mappings are
 * answered at once; those that change the structure of the address space (groups, memory, windows)
 * or plan a change are carried out one at a time, in order, and may take seconds: a later Map can
 * be answered before an earlier AddMemory. Those that operate on one group (its PE, its devices) go
 * on beside all others, one at a time for each group: a second one is refused with ERROR_BUSY, as
 * is whatever would take the group away meanwhile. The id ties a reply to its request. Every struct
 * has a fixed layout: no pointers, no padding, little to check but sizes and ranges. A worker
 * checks every field as if a stranger had sent it. The worker ends when the broker's end of the
 * socket is closed for good, after an orderly teardown.
 *
 * Addresses and sizes are in bytes.
 */
#pragma once

#include <signal.h>
#include <stdint.h>

/* Raised when a layout changes. A peer refuses any other number. */
#define WORKER_PROTOCOL_VERSION 3

/* The fds a worker is started with, by number. */
#define WORKER_SOCKET_FD 3
#define WORKER_SIM_FD    4 /* a connection to spaprd-simhost, only when simulated */

/*
 * Sent by the broker right behind WORKER_CLOSE, so that what takes long is not waited for: a map
 * that is under way is taken back, and it and all that comes before WORKER_CLOSE is answered
 * ERROR_BUSY. A worker that is not ready yet is not hurt, for this one is ignored by default.
 */
#define WORKER_URGENT_SIGNAL SIGURG

enum worker_request_type {
	WORKER_DESCRIBE = 1,  /* no body; reply worker_description */
	WORKER_SET_POLICY,    /* worker_policy; no reply body. Until then, and at the start, every
				 field is as its value 0 says */
	WORKER_ATTACH_GROUP,  /* worker_attach; fds: container node, group node; reply
				 worker_container: the one that the group is in, then
				 worker_skipped[] */
	WORKER_DETACH_GROUP,  /* worker_detach; reply worker_detached */
	WORKER_ADD_MEMORY,    /* worker_memory (id ignored); fds: memory; reply worker_memory, then
				 worker_skipped[] */
	WORKER_REMOVE_MEMORY, /* worker_remove_memory; no reply body */
	WORKER_CREATE_WINDOW, /* worker_window; reply worker_window */
	WORKER_REMOVE_WINDOW, /* worker_remove_window; no reply body */
	WORKER_MAP,           /* worker_map; no reply body */
	WORKER_UNMAP,         /* worker_unmap; no reply body */
	WORKER_MAP_MANY,      /* worker_many; fds: a memfd with worker_mapping[]; no reply body */
	WORKER_UNMAP_MANY,    /* worker_many; fds: a memfd with worker_unmap[]; no reply body */
	WORKER_PLAN,          /* worker_plan; reply worker_plan_result, worker_choice[], and the
				 explanation without a terminating zero */
	WORKER_TRANSLATE,     /* worker_translate; reply worker_translation */
	WORKER_LIST_MAPPINGS, /* worker_list; reply worker_mapping[] */
	WORKER_OPEN_DEVICE, /* worker_open_device; fds: none, or an eventfd that the device's error
			       interrupt rings; no reply body; fds: the device */
	WORKER_OPERATE_PE,  /* worker_operate_pe; reply worker_pe, then worker_registers[] for
			       WORKER_PE_SAVE */
	WORKER_CLOSE,       /* no body: tear down in order, answer, end */
	WORKER_REQUEST_TYPE_COUNT,
};

/* Whole message sizes stay under this, so that a default socket buffer takes several. */
#define WORKER_MESSAGE_MAX 65536

#define WORKER_MAPPINGS_PER_REPLY 1024
#define WORKER_MEMORY_MAX         512      /* sections of one address space */
#define WORKER_WINDOWS_MAX        32       /* windows of one address space */
#define WORKER_CONTAINERS_MAX     64       /* containers of one address space */
#define WORKER_GROUPS_MAX         32       /* groups of one container */
#define WORKER_CHOICES_MAX        128      /* choices of a plan */
#define WORKER_EXPLANATION_MAX    4096     /* bytes of a plan's explanation */
#define WORKER_MANY_MAX           1000000U /* entries of one MapMany or UnmapMany */

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
	/* Locked by the kernel, by its own arithmetic: */
	uint64_t locked_pins;   /* memory that devices may reach */
	uint64_t locked_tables; /* TCE tables of windows */
	uint64_t locked_leaks;  /* what the kernel does not take back before the process ends */
};

struct worker_reply {
	uint32_t version;
	uint32_t type;
	uint64_t id;
	uint32_t code; /* enum error_code; if not 0 the body is the text, without a terminating zero
			*/
	int32_t errnum; /* behind code, positive, or 0 */
	uint32_t size;  /* of the body */
	uint32_t fds;   /* how many fds travel along */
	struct worker_counts counts;
};

/* What may be done with the default window of a container. */
enum worker_default_window {
	WORKER_DEFAULT_WINDOW_AUTO,   /* as the platform is best served: kept */
	WORKER_DEFAULT_WINDOW_KEEP,   /* neither RemoveWindow nor CreateWindow touch it */
	WORKER_DEFAULT_WINDOW_REMOVE, /* it goes when the first group comes, where it can be had
					 back */
	WORKER_DEFAULT_WINDOW_SWAP,   /* the first CreateWindow takes its place, where it can be had
					 back */
};

/* Which memory an address space takes, besides sealed memfds. */
#define WORKER_TAKES_UNSEALED  1U /* memfds that can shrink */
#define WORKER_TAKES_HUGETLBFS 2U /* files on hugetlbfs */
#define WORKER_TAKES_TMPFS     4U /* files on tmpfs */

struct worker_policy {
	uint64_t page_sizes;  /* the IOMMU pages that windows may have; 0: all that the host has */
	uint64_t most_tces;   /* of one window; 0: what the platform's removal cost allows */
	uint64_t table_piece; /* bytes of a table level that count as a safe allocation; 0:
				 the planner's own */
	uint32_t default_window; /* enum worker_default_window */
	uint32_t replay_shared;  /* 1: a group may leave a shared container though that clears
				    the others' mappings for a moment; 0: refused while there are any
				  */
	uint32_t memory;         /* WORKER_TAKES_* */
	uint32_t reserved;
};

#define WORKER_IOMMU_TYPE_SIZE 16

#define WORKER_ATTACH_SHARE   1U /* try the containers that are there first */
#define WORKER_ATTACH_BALLOON 2U /* all devices of the group cope with a balloon */

struct worker_attach {
	uint32_t group;
	uint32_t container_id; /* of a new container; chosen by the broker, unique in the space */
	char iommu_type[WORKER_IOMMU_TYPE_SIZE]; /* zero-padded; empty: the host's best */
	uint32_t flags;                          /* WORKER_ATTACH_* */
	uint32_t reserved;
};

struct worker_container {
	uint32_t container_id;
	uint32_t group_count;
	uint32_t groups[WORKER_GROUPS_MAX];      /* in order of joining, then zeros */
	char iommu_type[WORKER_IOMMU_TYPE_SIZE]; /* "spapr-tce-v2", zero-padded */
	uint64_t page_sizes;                     /* one bit for each IOMMU page size */
	uint64_t default_window_start;           /* of the first, if there are several */
	uint64_t default_window_size;
	uint32_t max_windows;
	uint32_t max_levels;
	uint32_t eeh;               /* 0 or 1 */
	uint32_t balloon_inhibited; /* 0 or 1: a device of it needs the memory to stay as it is */
};

struct worker_detach {
	uint32_t group;
	uint32_t reserved;
};

struct worker_detached {
	uint32_t container_id; /* that the group was in */
	uint32_t reserved;
	uint64_t replayed; /* mappings that the group's leaving cleared for the others, and that
			      were made again */
	uint64_t lost;     /* that could not be made again: they are gone from the address space */
};

#define WORKER_MEMORY_READ_ONLY  1U
#define WORKER_MEMORY_IDENTITY   2U
#define WORKER_MEMORY_RAM_DEVICE 4U
/* In replies only: no container has the section, for devices can't reach it (address bit 63), or it
 * is a ram-device that the host doesn't map. */
#define WORKER_MEMORY_SKIPPED 0x100U

struct worker_memory {
	uint32_t id; /* chosen by the worker, not 0, never used twice */
	uint32_t flags;
	uint64_t offset; /* in the fd */
	uint64_t gpa;
	uint64_t size;
};

#define WORKER_REASON_SIZE 252
#define WORKER_SKIPPED_MAX 128 /* in one reply; of more, only the flags tell */

/* A section that is skipped from now on. */
struct worker_skipped {
	uint32_t id;
	char why[WORKER_REASON_SIZE]; /* zero-padded text, with at least one zero */
};

struct worker_remove_memory {
	uint32_t id;
	uint32_t reserved;
};

#define WORKER_WINDOW_ANYWHERE UINT64_MAX

/* The new window takes the place of the default one, also where that can't be had back. */
#define WORKER_WINDOW_REPLACE_DEFAULT 1U

struct worker_window {
	uint64_t start;      /* request: WORKER_WINDOW_ANYWHERE leaves it to the platform */
	uint64_t size;       /* request: 0 leaves it to the planner, as do the next two */
	uint32_t page_shift; /* log2 of the IOMMU page size */
	uint32_t levels;
	uint32_t flags; /* WORKER_WINDOW_*, 0 in replies */
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

/* The entries lie from the start of the memfd on, which is exactly that long and sealed against
 * writing and shrinking. */
struct worker_many {
	uint32_t count; /* 1 to WORKER_MANY_MAX */
	uint32_t reserved;
};

/* What would become of a window request; 0 leaves each of the first three open. */
struct worker_plan {
	uint64_t size;
	uint32_t page_shift;
	uint32_t levels;
	uint64_t memory;       /* plan for memory up to this address; 0: what there is */
	uint64_t backing_page; /* and for pages of this size behind it; 0: what there is */
};

#define WORKER_CHOICE_NONE UINT32_MAX

struct worker_plan_result {
	uint32_t count;            /* of choices */
	uint32_t chosen;           /* index, or WORKER_CHOICE_NONE */
	uint32_t explanation_size; /* bytes */
	uint32_t reserved;
};

struct worker_choice {
	uint64_t size;
	uint32_t page_shift;
	uint32_t levels;
	uint64_t locked_bytes; /* that creating the window locks, in all containers together */
	uint64_t tces;
	uint64_t piece_bytes; /* the largest piece of memory that its table takes at once, or 0 */
	uint32_t code;        /* enum error_code: why it can't be had, or 0 */
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

#define WORKER_DEVICE_NAME_SIZE 16 /* "0001:01:00.0", zero-padded, with at least one zero */

/*
 * Open a device of a group, or hand out once more what is open; then the eventfd is of no use, for
 * the first one stays. The worker keeps it open until the group leaves, for a last close would thaw
 * a frozen PE (field note H45). ERROR_FROZEN: its PE is not in the normal state, and opening would
 * thaw it; that can only be told where the group is alone in its container. ERROR_NOT_FOUND: the
 * group has no such device, or is not here. ERROR_INVALID_ARGUMENT: also for an fd that is no
 * eventfd.
 */
struct worker_open_device {
	uint32_t group;
	uint32_t reserved;
	char name[WORKER_DEVICE_NAME_SIZE];
};

/* What is done to a PE: VFIO_EEH_PE_OP, but for the last ones, and then a look at its state. */
enum worker_pe_operation {
	WORKER_PE_LOOK = 1, /* nothing but the look, and a config read of each open device */
	WORKER_PE_ENABLE,
	WORKER_PE_DISABLE,
	WORKER_PE_UNFREEZE_IO,
	WORKER_PE_UNFREEZE_DMA,
	WORKER_PE_RESET_HOT,
	WORKER_PE_RESET_FUNDAMENTAL,
	WORKER_PE_DEACTIVATE,
	WORKER_PE_CONFIGURE,
	WORKER_PE_INJECT,
	WORKER_PE_SAVE,    /* remember the registers of the open devices that answer */
	WORKER_PE_RESTORE, /* put back what a reset took of them */
	WORKER_PE_VERIFY,  /* whether windows and mappings are as the books have them:
			      ERROR_RECOVERY_FAILED */
	WORKER_PE_ISOLATE, /* no open device may be a bus master any more */
	WORKER_PE_OPERATION_COUNT,
};

struct worker_operate_pe {
	uint32_t group;
	uint32_t operation; /* enum worker_pe_operation */
	/* of WORKER_PE_INJECT (struct vfio_eeh_pe_err), else 0: */
	uint32_t error_type;
	uint32_t error_function;
	uint64_t address;
	uint64_t mask;
};

#define WORKER_PE_NUMBER_UNKNOWN UINT32_MAX

struct worker_pe {
	uint32_t number;  /* VFIO_EEH_PE_STATE_*, or WORKER_PE_NUMBER_UNKNOWN */
	uint32_t devices; /* that are open */
	uint32_t silent;  /* of them, those whose config space did not answer */
	uint32_t reserved;
	uint64_t nanoseconds; /* that the operation took, without the look */
};

#define WORKER_CONFIG_SIZE   256
#define WORKER_AER_SIZE      72 /* the capability Advanced Error Reporting, PCI Express 7.8.4 */
#define WORKER_REGISTERS_MAX 64 /* records in one reply */

/* What was saved of a device. */
struct worker_registers {
	char name[WORKER_DEVICE_NAME_SIZE];
	uint32_t
		config_size; /* bytes that were read: WORKER_CONFIG_SIZE, or 0: it did not answer */
	uint32_t aer_size;   /* likewise; 0 without that capability */
	uint32_t aer_offset;
	uint32_t msix_entries; /* of the MSI-X table that were saved */
	uint8_t config[WORKER_CONFIG_SIZE];
	uint8_t aer[WORKER_AER_SIZE];
};
