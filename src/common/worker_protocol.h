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
 *   Before a group is let go, by WORKER_DETACH_GROUP or at the end, its open devices are stopped:
 * they are reset, answer, and are no bus masters (vfio/reset.h). A group where that fails is kept:
 * WORKER_DETACH_GROUP answers ERROR_QUARANTINED and has taken nothing, and after WORKER_CLOSE the
 * worker lives on with such groups, without windows and memory. Without a broker it tries to stop
 * them a few times more, and then ends with a critical line in its log.
 *
 * Addresses and sizes are in bytes.
 */
#pragma once

#include <signal.h>
#include <stdint.h>

/* Raised when a layout changes. A peer refuses any other number. */
#define WORKER_PROTOCOL_VERSION 4

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
	WORKER_OPEN_DEVICE,   /* worker_open_device; fds: the eventfds that its flags speak of, in
				 their order; no reply body; fds: the device */
	WORKER_CALL_DEVICE,   /* worker_call_device; fds: eventfds for WORKER_DEVICE_SET_IRQS; reply
				 as enum worker_device_call has it */
	WORKER_RESET_DEVICE,  /* worker_device; no reply body */
	WORKER_RESET_SPACE,   /* no body; reply worker_reset[], one for each open device */
	WORKER_RELEASE_GROUP, /* worker_release; no reply body */
	WORKER_OPERATE_PE,    /* worker_operate_pe; reply worker_pe, then worker_registers[] for
				 WORKER_PE_SAVE */
	WORKER_CLOSE, /* no body: tear down in order and answer with worker_kept[]; end, unless
			 groups are kept: then serve nothing but WORKER_RELEASE_GROUP, and end when
			 the last of them was let go */
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

/*
 * Take the group away whatever its owner thinks of that: what is mapped when the last container
 * goes is unmapped with it, and groups that share a container lose their mappings for a moment,
 * which policy has no say in then. ERROR_BUSY all the same when another program has a device of a
 * group open that shares its container: it leaves when that is closed, which the kernel tells.
 */
#define WORKER_DETACH_FORCE 1U
/* Only if its devices are gone, so that the kernel has taken the group out of its container
 * already; ERROR_GROUP_BUSY: it is there. */
#define WORKER_DETACH_IF_GONE 2U

struct worker_detach {
	uint32_t group;
	uint32_t flags; /* WORKER_DETACH_* */
};

struct worker_detached {
	uint32_t container_id; /* that the group was in */
	uint32_t reserved;
	uint64_t replayed; /* mappings that the group's leaving cleared for the others, and that
			      were made again */
	uint64_t lost; /* that could not be made again, or went with the last container: they are
			  gone from the address space */
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
	uint32_t events; /* WORKER_EVENT_* */
	char name[WORKER_DEVICE_NAME_SIZE];
};

/* What the eventfds are for that come along with WORKER_OPEN_DEVICE. */
#define WORKER_EVENT_ERROR   1U /* the error interrupt */
#define WORKER_EVENT_REQUEST 2U /* the kernel wants the device back: VFIO_PCI_REQ_IRQ_INDEX */

/* -- Devices that are open. For all: ERROR_NOT_FOUND (the group is not here, or the device is not
 * open), ERROR_BUSY (something takes long with the group, or a reset of its PE is asserted). -- */

struct worker_device {
	uint32_t group;
	uint32_t reserved;
	char name[WORKER_DEVICE_NAME_SIZE];
};

/* Quick calls, answered at once. What a call does not use of worker_call_device is 0. */
enum worker_device_call {
	WORKER_DEVICE_INFO = 1,     /* reply worker_device_info */
	WORKER_DEVICE_REGIONS,      /* reply worker_region[] */
	WORKER_DEVICE_AREAS,        /* index; reply worker_area[]: what of a region can be mapped */
	WORKER_DEVICE_FIND_REGION,  /* offset: type, value: subtype; reply worker_region, one */
	WORKER_DEVICE_READ_REGION,  /* index, offset, size; reply uint64_t */
	WORKER_DEVICE_WRITE_REGION, /* index, offset, size, value; no reply body */
	WORKER_DEVICE_IRQS,         /* reply worker_irq[] */
	WORKER_DEVICE_SET_IRQS,    /* index, start; fds: eventfds, one for each interrupt from start
				      on; no reply body. Not of errors and requests, nor the next
				      three: WORKER_EVENT_* */
	WORKER_DEVICE_MASK_IRQ,    /* index: all interrupts of it; no reply body */
	WORKER_DEVICE_UNMASK_IRQ,  /* likewise */
	WORKER_DEVICE_DISABLE_IRQ, /* likewise */
	WORKER_DEVICE_CALL_COUNT,
};

struct worker_call_device {
	uint32_t group;
	uint32_t call; /* enum worker_device_call */
	char name[WORKER_DEVICE_NAME_SIZE];
	uint32_t index; /* of a region or of interrupts */
	uint32_t start;
	uint32_t size; /* bytes: 1, 2, 4 or 8 */
	uint32_t reserved;
	uint64_t offset; /* from the region's start */
	uint64_t value;  /* little-endian registers, as a number */
};

struct worker_device_info {
	uint32_t flags; /* VFIO_DEVICE_FLAGS_* */
	uint32_t regions;
	uint32_t irqs;
	uint32_t reset_works; /* 0 or 1: VFIO_DEVICE_RESET */
};

#define WORKER_REGIONS_MAX 256 /* of one device */
#define WORKER_AREAS_MAX   256 /* of one region */
#define WORKER_IRQS_MAX    64  /* kinds of interrupts of one device */

struct worker_region {
	uint32_t index;
	uint32_t flags; /* VFIO_REGION_INFO_FLAG_* */
	uint64_t size;
	uint64_t offset;       /* in the device's fd */
	uint32_t capabilities; /* how many */
	uint32_t type;         /* VFIO_REGION_TYPE_*, of a capability; 0: it has none */
	uint32_t subtype;
	uint32_t reserved;
};

struct worker_area {
	uint64_t offset; /* from the region's start */
	uint64_t size;
};

struct worker_irq {
	uint32_t index; /* VFIO_PCI_*_IRQ_INDEX */
	uint32_t flags; /* VFIO_IRQ_INFO_* */
	uint32_t count;
	uint32_t reserved;
};

/* How a device was reset with its address space. */
enum worker_reset_way {
	WORKER_RESET_NOT_NEEDED,
	WORKER_RESET_FUNCTION, /* VFIO_DEVICE_RESET */
	WORKER_RESET_BUS,      /* VFIO_DEVICE_PCI_HOT_RESET, together with others */
	WORKER_RESET_PE,       /* VFIO_EEH_PE_RESET_HOT and _DEACTIVATE */
	WORKER_RESET_FAILED,
};

struct worker_reset {
	char name[WORKER_DEVICE_NAME_SIZE];
	uint32_t way;   /* enum worker_reset_way */
	int32_t errnum; /* of WORKER_RESET_FAILED */
	char why[WORKER_REASON_SIZE];
	uint32_t reserved;
};

/* A group that was not let go, since a device of it could not be stopped: a group without an owner
 * may do DMA to all memory (pnv_ioda2_release_ownership, field note H40). */
struct worker_kept {
	uint32_t group;
	char name[WORKER_DEVICE_NAME_SIZE]; /* of the device */
	char why[WORKER_REASON_SIZE];
};

/* Try once more to stop the devices of a group that is kept, and let it go; or let it go whatever
 * its devices do. ERROR_QUARANTINED: still not, and then it is kept on. ERROR_NOT_FOUND: it is not
 * kept. ERROR_BUSY: another one is being released. */
#define WORKER_RELEASE_ANYWAY 1U

struct worker_release {
	uint32_t group;
	uint32_t flags; /* WORKER_RELEASE_* */
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
