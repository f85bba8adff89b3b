/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libspapr: DMA windows, mappings, EEH and KVM for a program that owns its VFIO container.
 *
 * Concepts
 *   host     the kernel that the program runs on.
 *   space    an address space: what some devices see. Memory sections, windows, mappings, and the
 *            containers that make them real; all groups of a space see the same.
 *   group    the smallest set of devices that the IOMMU tells apart, by its number (/dev/vfio/N).
 *            On POWER it is a PE (partitionable endpoint).
 *   section  a range of the space's memory, backed by a part of an fd.
 *   gpa      an address in the space's memory, chosen by the program (a VMM's guest address).
 *   iova     an address as a device uses it, inside a window.
 *   window   a range of iova with one IOMMU page size; on POWER a table of TCEs in the kernel.
 *   mapping  a range of iova that leads to a gpa. Mappings mean the same on every host: they never
 *            overlap, and are removed as they were made.
 *   EEH      what POWER does when a device errs: its PE is frozen, registers read as all ones and
 *            DMA is dropped, until somebody recovers it.
 *   KVM      a guest whose TCE tables are tied to the windows maps and unmaps by itself.
 *
 * The kernel ties a container to the process that used it first, and a VM to the one that made it:
 * from any other process, a forked child, too, their calls fail. A space is used by the process
 * that made it.
 *
 * Threads: the library has none, and no locks. All that belongs to one space, its devices, too, is
 * used by one thread at a time; spaces that share a struct spapr_kvm count as one. Different spaces
 * don't disturb each other.
 *
 * Time: adding and removing memory, attaching and detaching a group, opening, closing and resetting
 * a device take up to seconds, and so do removing a large window and resets of a PE; the caller
 * waits, and no signal ends that. Mapping and the rest take microseconds, or as long as pages have
 * to be pinned on hosts that do that with each mapping (type1).
 *
 * Addresses and sizes are in bytes. Ranges are half-open. Functions that can fail return 0, or an
 * enum spapr_error_code, and then fill an error, which may be NULL; outputs stay untouched, and
 * nothing has changed unless the text says otherwise. A NULL where a pointer is wanted is not
 * looked for, but where it is said that one may be NULL. Functions that free something take NULL
 * and return NULL.
 */
#ifndef SPAPR_SPAPR_H
#define SPAPR_SPAPR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spapr_host;
struct spapr_space;
struct spapr_device;
struct spapr_kvm;

/* -- errors -- */

/* What a program may act on. The numbers don't change; later versions may have more. */
enum spapr_error_code {
	SPAPR_OK = 0,
	SPAPR_ERROR_INVALID_ARGUMENT = 1,
	SPAPR_ERROR_NOT_FOUND = 2,
	SPAPR_ERROR_GROUP_NOT_VIABLE = 3, /* a device of the group has another driver */
	SPAPR_ERROR_GROUP_BUSY = 4,       /* somebody else has the group, or it is here already */
	SPAPR_ERROR_WINDOW_OVERLAP = 5,
	SPAPR_ERROR_WINDOW_START = 6, /* the platform puts windows elsewhere */
	SPAPR_ERROR_NO_WINDOW_LEFT = 7,
	SPAPR_ERROR_PAGE_SIZE = 8,
	SPAPR_ERROR_TABLE_MEMORY = 9, /* no memory for a window's table */
	SPAPR_ERROR_OUTSIDE_WINDOW = 10,
	SPAPR_ERROR_ALREADY_MAPPED = 11,
	SPAPR_ERROR_NOT_MAPPED = 12,
	SPAPR_ERROR_MEMORY_IN_USE = 13,
	SPAPR_ERROR_MEMORY_UNKNOWN = 14,
	SPAPR_ERROR_QUOTA_EXCEEDED = 15, /* locked memory, as a rule: RLIMIT_MEMLOCK */
	SPAPR_ERROR_UNSUPPORTED = 16,
	SPAPR_ERROR_FROZEN = 17, /* the PE is not in its normal state */
	SPAPR_ERROR_EEH_UNAVAILABLE = 18,
	SPAPR_ERROR_EEH_MANY_GROUPS = 19, /* the group is not alone in its container */
	SPAPR_ERROR_RECOVERY_FAILED = 20,
	SPAPR_ERROR_BUSY = 21,
	SPAPR_ERROR_KERNEL = 23,        /* any other failure of the kernel's, by its errno */
	SPAPR_ERROR_ACCESS_DENIED = 25, /* a node may not be opened here; or the VM, or the
					   container that KVM should know of, is another process's.
					   All else that is done with such a container is
					   SPAPR_ERROR_KERNEL, with the errno EPERM */
	SPAPR_ERROR_QUARANTINED = 28,   /* a device could not be stopped */
};

#define SPAPR_ERROR_TEXT_SIZE 512

struct spapr_error {
	uint32_t code;                    /* enum spapr_error_code */
	int32_t errnum;                   /* the errno behind it, positive; 0: there is none */
	char text[SPAPR_ERROR_TEXT_SIZE]; /* one line for a person: what, the numbers, what to do */
};

/* "WindowOverlap", as spaprd has it on the bus; "" for a number that is none. Static. */
const char *spapr_error_name(uint32_t code);

/* -- the host -- */

/*
 * The running kernel. To have a program run on a simulated host it is started by `spaprctl sim
 * exec`; it needs not know. SPAPR_ERROR_KERNEL
 */
int spapr_host_open(struct spapr_host **ret_host, struct spapr_error *ret_error);

/* All spaces, and all struct spapr_kvm, have been freed. */
struct spapr_host *spapr_host_free(struct spapr_host *host);

/* -- spaces -- */

/* What becomes of the default window that a container comes with. */
enum spapr_default_window {
	SPAPR_DEFAULT_WINDOW_AUTO = 0,   /* it is kept */
	SPAPR_DEFAULT_WINDOW_KEEP = 1,   /* no function removes it */
	SPAPR_DEFAULT_WINDOW_REMOVE = 2, /* it goes at once, where it can be had back */
	SPAPR_DEFAULT_WINDOW_SWAP = 3,   /* it goes when the first window is created, likewise */
};

/* `size` is sizeof(struct spapr_space_options), by which later versions of the library know what an
 * older program has; what is more than an older library knows has to be 0. All other members may
 * be 0. */
struct spapr_space_options {
	size_t size;
	uint32_t default_window;  /* enum spapr_default_window */
	uint32_t reserved;        /* 0 */
	uint64_t page_sizes;      /* the IOMMU pages that windows may have, a bit for each;
				     0: all that the host has */
	uint64_t most_tces;       /* of one window, for its removal takes time by them; 0: what is
				     safe on the host */
	uint64_t locked_limit;    /* bytes that may be locked for the space; 0: RLIMIT_MEMLOCK as
				     it was when the host was opened */
	uint64_t reserved_too[2]; /* 0 */
};

/* An empty space. options may be NULL. SPAPR_ERROR_INVALID_ARGUMENT, SPAPR_ERROR_KERNEL */
int spapr_space_new(struct spapr_host *host, const struct spapr_space_options *options,
		    struct spapr_space **ret_space, struct spapr_error *ret_error);

/*
 * Take groups out of KVM, stop the devices, unmap, remove windows and memory and let the groups go,
 * in the order in which nothing can be hurt. All handles of devices are freed; the space is empty,
 * has no VM any more, and may be used anew. Blocks.
 *
 * SPAPR_ERROR_ACCESS_DENIED  another process made the space
 * SPAPR_ERROR_QUARANTINED    a device can't be stopped: its group is kept, without windows, for on
 *                            some hosts a device of a group that nobody has may reach all memory.
 * To try again, call it again.
 */
int spapr_space_close(struct spapr_space *space, struct spapr_error *ret_error);

/* Close the space, and free it. What spapr_space_close would keep is let go. In a forked child
 * nothing happens: the devices are the parent's. */
struct spapr_space *spapr_space_free(struct spapr_space *space);

/*
 * Reset all open devices of the space, as a machine's reset does: each by the best way that there
 * is for it. They are no bus masters afterwards. The first failure is told, after all were tried.
 * SPAPR_ERROR_FROZEN (also where a reset of the PE is asserted), SPAPR_ERROR_BUSY (the kernel wants
 * a device back), SPAPR_ERROR_UNSUPPORTED, SPAPR_ERROR_KERNEL
 */
int spapr_space_reset(struct spapr_space *space, struct spapr_error *ret_error);

/* -- groups -- */

#define SPAPR_ATTACH_SHARE 1U /* in a container that is there, if one takes it: not with EEH */

/*
 * Attach a group by its number: opens /dev/vfio/vfio and /dev/vfio/N. It gets the space's memory,
 * windows and mappings, and KVM gets it if the space uses that. flags: SPAPR_ATTACH_*
 *
 * SPAPR_ERROR_NOT_FOUND         there is no such node: no device of the group has a VFIO driver
 * SPAPR_ERROR_GROUP_NOT_VIABLE, SPAPR_ERROR_GROUP_BUSY
 * SPAPR_ERROR_WINDOW_START, SPAPR_ERROR_PAGE_SIZE, SPAPR_ERROR_NO_WINDOW_LEFT: the group's
 *                               container can't have the space's windows
 * SPAPR_ERROR_ACCESS_DENIED     the nodes may not be opened here, or the VM is another process's
 * SPAPR_ERROR_QUOTA_EXCEEDED, SPAPR_ERROR_UNSUPPORTED, SPAPR_ERROR_KERNEL
 */
int spapr_group_attach(struct spapr_space *space, uint32_t group, uint32_t flags,
		       struct spapr_error *ret_error);

/*
 * The same with open nodes, such as spaprd's Group.Delegate hands out: those of /dev/vfio/N and of
 * /dev/vfio/vfio (-1: it is opened), neither used before. Both are taken, whatever the outcome. A
 * duplicate that the program keeps keeps the group, even when it has been detached.
 */
int spapr_group_attach_fds(struct spapr_space *space, uint32_t group, int group_fd,
			   int container_fd, uint32_t flags, struct spapr_error *ret_error);

/*
 * Take a group out of KVM, stop and close its devices, and let it go. The handles of devices that
 * were closed are freed, also where the group stays after all (SPAPR_ERROR_BUSY of one that shares
 * its container).
 * SPAPR_ERROR_NOT_FOUND
 * SPAPR_ERROR_MEMORY_IN_USE  it is the space's last group, and there are mappings
 * SPAPR_ERROR_BUSY           another process has a device of it open
 * SPAPR_ERROR_QUARANTINED    a device can't be stopped: the group stays attached, for what it would
 *                            write to next is not known
 * SPAPR_ERROR_KERNEL
 */
int spapr_group_detach(struct spapr_space *space, uint32_t group, struct spapr_error *ret_error);

/* What the kernel says of the container of a group. */
struct spapr_container {
	char iommu_type[16];  /* "spapr-tce-v2", "spapr-tce", "type1v2", "type1" */
	uint64_t page_sizes;  /* of its IOMMU, a bit for each */
	uint32_t max_windows; /* at a time */
	uint32_t max_levels;  /* of a window's table */
	uint32_t groups;      /* that are in it */
	uint32_t has_eeh;     /* 0 or 1 */
};

/* SPAPR_ERROR_NOT_FOUND */
int spapr_group_container(const struct spapr_space *space, uint32_t group,
			  struct spapr_container *ret_container, struct spapr_error *ret_error);

/* -- memory -- */

#define SPAPR_MEMORY_READ_ONLY  1U /* devices only read it */
#define SPAPR_MEMORY_IDENTITY   2U /* devices see it at its gpa, without a mapping */
#define SPAPR_MEMORY_RAM_DEVICE 4U /* part of a device's region, for other devices to reach */

/*
 * Add a section: size bytes of an fd from offset on become those at gpa. The fd stays the caller's
 * and may be closed; the library maps the part once more, and never touches its bytes. All are
 * multiples of the page behind the fd; sections don't overlap. On POWER the memory is locked now,
 * else when it is mapped. A ram-device that the host doesn't take is no failure: nothing can be
 * mapped to it. As long as it is there it keeps its device open, whose group can't be detached:
 * remove it first. ret_id may be NULL.
 *
 * SPAPR_ERROR_INVALID_ARGUMENT  something isn't aligned, or lies outside the file; or the fd is not
 *                               that of shared memory (memfd, hugetlbfs, tmpfs) or of a device
 * SPAPR_ERROR_MEMORY_IN_USE     it overlaps a section
 * SPAPR_ERROR_QUOTA_EXCEEDED    it would lock more than is allowed
 * SPAPR_ERROR_OUTSIDE_WINDOW, SPAPR_ERROR_PAGE_SIZE, SPAPR_ERROR_ALREADY_MAPPED: identity sections
 * SPAPR_ERROR_KERNEL
 */
int spapr_memory_add(struct spapr_space *space, int fd, uint64_t offset, uint64_t gpa,
		     uint64_t size, uint32_t flags, uint32_t *ret_id,
		     struct spapr_error *ret_error);

/* Remove a section by its id. SPAPR_ERROR_NOT_FOUND, SPAPR_ERROR_MEMORY_IN_USE (there are mappings
 * to it), SPAPR_ERROR_KERNEL */
int spapr_memory_remove(struct spapr_space *space, uint32_t id, struct spapr_error *ret_error);

/* Bytes that the kernel has locked for the space: memory, and windows' tables. */
uint64_t spapr_locked_bytes(const struct spapr_space *space);

/* -- windows -- */

#define SPAPR_WINDOW_ANYWHERE UINT64_MAX

/* The new window takes the place of the default one, also where that can't be had back. */
#define SPAPR_WINDOW_REPLACE_DEFAULT 1U

struct spapr_window {
	uint64_t start;
	uint64_t size;
	uint32_t page_shift; /* log2 of the size of its pages: 12 to 34 */
	uint32_t levels;     /* of its table: 1 to 5 */
};

/*
 * Create a window in the containers of all groups; there is one group at least. In `wanted` start
 * is SPAPR_WINDOW_ANYWHERE or the one it must have, and 0 leaves the choice of each of the others.
 * flags: SPAPR_WINDOW_*. What became of it is in ret_window, which may be NULL.
 *
 * SPAPR_ERROR_NOT_FOUND       no group is attached
 * SPAPR_ERROR_WINDOW_START    the platform puts it elsewhere
 * SPAPR_ERROR_WINDOW_OVERLAP, SPAPR_ERROR_NO_WINDOW_LEFT, SPAPR_ERROR_PAGE_SIZE,
 * SPAPR_ERROR_TABLE_MEMORY, SPAPR_ERROR_QUOTA_EXCEEDED, SPAPR_ERROR_UNSUPPORTED
 * SPAPR_ERROR_MEMORY_IN_USE   there are mappings in the default window that is to be replaced
 * SPAPR_ERROR_INVALID_ARGUMENT, SPAPR_ERROR_KERNEL
 */
int spapr_window_create(struct spapr_space *space, const struct spapr_window *wanted,
			uint32_t flags, struct spapr_window *ret_window,
			struct spapr_error *ret_error);

/*
 * Remove the window that starts exactly there; the guest's TCE table that it may have is untied
 * first (spapr_window_set_kvm_table).
 * SPAPR_ERROR_NOT_FOUND, SPAPR_ERROR_MEMORY_IN_USE (there are mappings in it),
 * SPAPR_ERROR_UNSUPPORTED (it can't be had back, or the host keeps it), SPAPR_ERROR_KERNEL
 */
int spapr_window_remove(struct spapr_space *space, uint64_t start, struct spapr_error *ret_error);

/* The windows in order of start: at most `most` are written. Returns how many there are. */
unsigned int spapr_windows(const struct spapr_space *space, struct spapr_window *ret_windows,
			   unsigned int most);

/* -- mappings -- */

#define SPAPR_DEVICE_READS  1U
#define SPAPR_DEVICE_WRITES 2U

struct spapr_mapping {
	uint64_t iova;
	uint64_t gpa;
	uint64_t size;
	uint32_t prot;     /* SPAPR_DEVICE_*, at least one */
	uint32_t reserved; /* 0 */
};

/*
 * Map inside one window and one section; all in multiples of the window's page.
 *
 * SPAPR_ERROR_MEMORY_UNKNOWN  the gpas are not those of one section
 * SPAPR_ERROR_OUTSIDE_WINDOW, SPAPR_ERROR_PAGE_SIZE
 * SPAPR_ERROR_ALREADY_MAPPED  a mapping is in the way
 * SPAPR_ERROR_QUOTA_EXCEEDED, SPAPR_ERROR_TABLE_MEMORY
 * SPAPR_ERROR_INVALID_ARGUMENT, SPAPR_ERROR_KERNEL
 */
int spapr_map(struct spapr_space *space, uint64_t iova, uint64_t gpa, uint64_t size, uint32_t prot,
	      struct spapr_error *ret_error);

/* Remove whole mappings that follow each other. SPAPR_ERROR_NOT_MAPPED (there is a hole, or it cuts
 * a mapping), SPAPR_ERROR_MEMORY_IN_USE (an identity section's), SPAPR_ERROR_INVALID_ARGUMENT,
 * SPAPR_ERROR_BUSY, SPAPR_ERROR_KERNEL */
int spapr_unmap(struct spapr_space *space, uint64_t iova, uint64_t size,
		struct spapr_error *ret_error);

/* How many can be mapped or unmapped at once; there is one at least. */
#define SPAPR_MANY_MAX 1000000U

/* Many at once, in any order, all or none. As spapr_map; the text tells which. */
int spapr_map_many(struct spapr_space *space, const struct spapr_mapping *mappings, size_t count,
		   struct spapr_error *ret_error);

/* Likewise; of each mapping only iova and size are looked at. */
int spapr_unmap_many(struct spapr_space *space, const struct spapr_mapping *mappings, size_t count,
		     struct spapr_error *ret_error);

/* What an iova leads to: from there to the end of its mapping. SPAPR_ERROR_NOT_MAPPED */
int spapr_translate(const struct spapr_space *space, uint64_t iova,
		    struct spapr_mapping *ret_mapping, struct spapr_error *ret_error);

/* The mappings that end above an iova, in order: at most `most` are written, and how many is
 * returned. */
size_t spapr_mappings(const struct spapr_space *space, uint64_t from,
		      struct spapr_mapping *ret_mappings, size_t most);

/* -- EEH: for a group that is alone in its container -- */

/* VFIO_EEH_PE_OP, and what the library does itself. */
enum spapr_eeh_operation {
	SPAPR_EEH_ENABLE = 2, /* and thaw all */
	SPAPR_EEH_DISABLE = 3,
	SPAPR_EEH_UNFREEZE_IO = 4,
	SPAPR_EEH_UNFREEZE_DMA = 5,
	SPAPR_EEH_RESET_HOT = 6,         /* assert; blocks for seconds */
	SPAPR_EEH_RESET_FUNDAMENTAL = 7, /* likewise */
	SPAPR_EEH_DEACTIVATE = 8,        /* end a reset */
	SPAPR_EEH_CONFIGURE = 9,         /* put bridges and BARs back after a reset */
	SPAPR_EEH_SAVE = 11, /* remember config space and MSI-X of the open devices that answer */
	SPAPR_EEH_RESTORE = 12, /* put back what a reset took of that */
};

/* What the PE is. GET_STATE alone doesn't tell: a PE that is gone for good reads as stopped. */
enum spapr_eeh_condition {
	SPAPR_EEH_UNKNOWN = 0, /* what was seen makes no sense: look again */
	SPAPR_EEH_NORMAL = 1,
	SPAPR_EEH_IN_RESET = 2, /* a reset is asserted */
	SPAPR_EEH_STOPPED = 3,  /* MMIO and DMA */
	SPAPR_EEH_STOPPED_DMA = 4,
	SPAPR_EEH_STOPPED_IO = 5,  /* MMIO only */
	SPAPR_EEH_UNAVAILABLE = 6, /* the host recovers the bridge above, or the firmware the PE */
	SPAPR_EEH_GONE = 7,        /* for good: no reset helps */
};

struct spapr_eeh_look {
	uint32_t number;    /* what GET_STATE says, VFIO_EEH_PE_STATE_*; UINT32_MAX: nothing */
	uint32_t condition; /* enum spapr_eeh_condition, by all that is known */
	uint32_t devices;   /* that are open here */
	uint32_t silent;    /* of them, those whose config space reads as all ones */
};

/*
 * Look at a group's PE; nothing is changed.
 * SPAPR_ERROR_NOT_FOUND, SPAPR_ERROR_EEH_UNAVAILABLE, SPAPR_ERROR_EEH_MANY_GROUPS
 */
int spapr_eeh_look(struct spapr_space *space, uint32_t group, struct spapr_eeh_look *ret_look,
		   struct spapr_error *ret_error);

/*
 * Operate on a group's PE (enum spapr_eeh_operation). Windows and mappings survive all of them. A
 * reset switches MSI and MSI-X off, and SPAPR_EEH_RESTORE wires them again.
 * SPAPR_ERROR_NOT_FOUND, SPAPR_ERROR_EEH_UNAVAILABLE, SPAPR_ERROR_EEH_MANY_GROUPS,
 * SPAPR_ERROR_INVALID_ARGUMENT, SPAPR_ERROR_BUSY (the kernel wants a device back, and a reset would
 * wait for that for ever; or a reset is asserted, in which nothing can be saved or restored),
 * SPAPR_ERROR_RECOVERY_FAILED (a device can't be restored; all others are),
 * SPAPR_ERROR_KERNEL (EIO of a reset is the firmware's, and may be tried again)
 */
int spapr_eeh_operate(struct spapr_space *space, uint32_t group, uint32_t operation,
		      struct spapr_error *ret_error);

/*
 * Inject an error (VFIO_EEH_PE_INJECT_ERR): type and function as <asm/eeh.h> has them, address and
 * mask of the platform. As spapr_eeh_operate, and SPAPR_ERROR_UNSUPPORTED (the firmware doesn't).
 */
int spapr_eeh_inject(struct spapr_space *space, uint32_t group, uint32_t type, uint32_t function,
		     uint64_t address, uint64_t mask, struct spapr_error *ret_error);

/* "normal", "MMIO stopped", "gone for good"; for a number that is none "unknown". Static. */
const char *spapr_eeh_condition_text(uint32_t condition);

/* -- KVM -- */

/*
 * A VM, by the fd of KVM_CREATE_VM, for spaces of this process. device_fd is that of its VFIO
 * device if the program has made one (KVM_CREATE_DEVICE), else -1: then one is made when the first
 * group comes, and stays until spapr_kvm_free. Both fds stay the caller's, and duplicates are kept.
 *
 * SPAPR_ERROR_ACCESS_DENIED     the VM was made by another process
 * SPAPR_ERROR_INVALID_ARGUMENT  an fd is not what it should be
 * SPAPR_ERROR_UNSUPPORTED       this KVM was built without VFIO
 * SPAPR_ERROR_KERNEL
 */
int spapr_kvm_new(struct spapr_host *host, int vm_fd, int device_fd, struct spapr_kvm **ret_kvm,
		  struct spapr_error *ret_error);

/* When the VM ends: all spaces that used it have been freed. */
struct spapr_kvm *spapr_kvm_free(struct spapr_kvm *kvm);

/*
 * Have KVM know all groups of a space, those that are there and those that come (a group is taken
 * out before it is detached). A space has one VM, and keeps it. All groups or none.
 *
 * SPAPR_ERROR_BUSY           the space has a VM; or the VM's one VFIO device was made elsewhere
 * SPAPR_ERROR_ACCESS_DENIED  the VM belongs to another process
 * SPAPR_ERROR_KERNEL
 */
int spapr_space_use_kvm(struct spapr_space *space, struct spapr_kvm *kvm,
			struct spapr_error *ret_error);

/* A guest's TCE table, as KVM_CREATE_SPAPR_TCE_64 makes it. */
struct spapr_kvm_table {
	int fd;              /* stays the caller's */
	uint32_t page_shift; /* of the request; 0 when it isn't known, and then all that follows */
	uint64_t offset;     /* of the request, in pages */
	uint64_t size;       /* likewise */
};

/*
 * Tie a guest's TCE table to the window that starts there, for all groups of the space, those that
 * come later, too: what the guest's hypercalls put into the table then goes to the devices' TCEs
 * without the VMM. The memory has to be there (spapr_memory_add). Such TCEs are none of the
 * library's mappings, and are cleared when the window goes.
 *
 * The window must have pages that are no larger than the table's, start where it does and be no
 * smaller. All groups or none; where another window has a table, a failure can't be taken back, and
 * the text says to close this one.
 *
 * What the guest has put into the table before a group comes is not copied to that group's TCEs:
 * have the guest do it again, or map it (spapr_map). A group that is refused to be detached has
 * been out of KVM for a moment, and misses what the guest maps meanwhile.
 *
 * spapr_window_remove unties it. Where another window of the space has a table, too, only the last
 * close of this one's fd does (and of its mmap): close it first.
 *
 * SPAPR_ERROR_NOT_FOUND         no window starts there, or the space has no VM
 * SPAPR_ERROR_INVALID_ARGUMENT  the table doesn't fit (with the numbers), or isn't the VM's
 * SPAPR_ERROR_BUSY              the window has one
 * SPAPR_ERROR_UNSUPPORTED       KVM has no TCE tables: not on POWER
 * SPAPR_ERROR_ACCESS_DENIED     the VM belongs to another process
 * SPAPR_ERROR_KERNEL
 */
int spapr_window_set_kvm_table(struct spapr_space *space, uint64_t start,
			       const struct spapr_kvm_table *table, struct spapr_error *ret_error);

/* -- devices -- */

/*
 * While a reset of a PE is asserted (SPAPR_EEH_RESET_HOT until SPAPR_EEH_DEACTIVATE) all functions
 * about its devices answer SPAPR_ERROR_BUSY.
 *
 * Open a device of an attached group, by its PCI address ("0001:01:00.0"). Blocks, for that resets
 * the device. The eventfds, or -1, are rung from then on: error_event by the ERR interrupt (PCI
 * Express told of an error), request_event when the kernel wants the device back (it is unbound or
 * unplugged: close it soon). Duplicates are kept. The handle is the space's: it is freed by
 * spapr_device_close, and with the group's detaching or the space.
 *
 * SPAPR_ERROR_NOT_FOUND  the group has no such device, or is not attached
 * SPAPR_ERROR_FROZEN     its PE is not in the normal state, and opening would thaw it
 * SPAPR_ERROR_BUSY       it is open here already
 * SPAPR_ERROR_GROUP_BUSY, SPAPR_ERROR_INVALID_ARGUMENT, SPAPR_ERROR_UNSUPPORTED,
 * SPAPR_ERROR_KERNEL
 */
int spapr_device_open(struct spapr_space *space, uint32_t group, const char *name, int error_event,
		      int request_event, struct spapr_device **ret_device,
		      struct spapr_error *ret_error);

/* Close it: it is no bus master any more, its regions are unmapped, and the kernel resets it once
 * more, unless a duplicate of its fd or a ram-device is left (SPAPR_MEMORY_RAM_DEVICE). The handle
 * is freed. SPAPR_ERROR_FROZEN (its PE is not in the normal state, and closing would thaw it: it
 * stays open), SPAPR_ERROR_KERNEL */
int spapr_device_close(struct spapr_device *device, struct spapr_error *ret_error);

/* The VFIO fd of the device; it stays the library's. */
int spapr_device_fd(const struct spapr_device *device);

/* A region of a device: a BAR, its config space, what its driver adds. */
struct spapr_region {
	uint32_t index;
	uint32_t flags; /* VFIO_REGION_INFO_FLAG_* */
	uint64_t size;
	uint64_t offset; /* in the device's fd */
	uint32_t type;   /* VFIO_REGION_TYPE_* of a region with a type, else 0 */
	uint32_t subtype;
};

/* The regions in order of index: at most `most` are written; how many there are is in ret_count.
 * SPAPR_ERROR_KERNEL */
int spapr_device_regions(const struct spapr_device *device, struct spapr_region *ret_regions,
			 unsigned int most, unsigned int *ret_count, struct spapr_error *ret_error);

/* The region of a vendor's type and subtype. SPAPR_ERROR_NOT_FOUND */
int spapr_region_find(const struct spapr_device *device, uint32_t type, uint32_t subtype,
		      struct spapr_region *ret_region, struct spapr_error *ret_error);

/*
 * Read or write a register of 1, 2, 4 or 8 bytes at a multiple of that, little-endian, as a number.
 * An access to a BAR unmasks an INTx that rang, unless it is masked by spapr_irq_mask.
 * SPAPR_ERROR_INVALID_ARGUMENT (it is not inside the region, not aligned, or the device's memory is
 * switched off), SPAPR_ERROR_UNSUPPORTED (the region can't be read or written),
 * SPAPR_ERROR_NOT_FOUND (no such region, or the device is gone), SPAPR_ERROR_KERNEL
 */
int spapr_region_read(struct spapr_device *device, uint32_t region, uint64_t offset, uint32_t size,
		      uint64_t *ret_value, struct spapr_error *ret_error);
int spapr_region_write(struct spapr_device *device, uint32_t region, uint64_t offset, uint32_t size,
		       uint64_t value, struct spapr_error *ret_error);

/* A part of a region that can be mapped into memory. */
struct spapr_area {
	uint64_t offset; /* from the region's start */
	uint64_t size;
	void *address; /* where it is mapped, or NULL */
};

/* The areas of a region, as spapr_device_regions. SPAPR_ERROR_NOT_FOUND (no such region) */
int spapr_region_areas(struct spapr_device *device, uint32_t region, struct spapr_area *ret_areas,
		       unsigned int most, unsigned int *ret_count, struct spapr_error *ret_error);

/*
 * Map all areas of a region into this process: all or none, and spapr_region_areas tells where. One
 * that is mapped stays so; all are unmapped with the device. Who uses the addresses sees to byte
 * order (registers are little-endian) and to the order of accesses, and that the device's memory is
 * switched on in its command register: else SIGBUS.
 * SPAPR_ERROR_NOT_FOUND, SPAPR_ERROR_UNSUPPORTED (nothing of it can be mapped), SPAPR_ERROR_KERNEL
 */
int spapr_region_map(struct spapr_device *device, uint32_t region, struct spapr_error *ret_error);

/* What isn't mapped stays so. SPAPR_ERROR_NOT_FOUND (no such region) */
int spapr_region_unmap(struct spapr_device *device, uint32_t region, struct spapr_error *ret_error);

/* A kind of interrupts. */
struct spapr_irq {
	uint32_t index; /* VFIO_PCI_INTX_IRQ_INDEX, _MSI_, _MSIX_, _ERR_, _REQ_ */
	uint32_t flags; /* VFIO_IRQ_INFO_* */
	uint32_t count;
	uint32_t reserved;
};

/* As spapr_device_regions. */
int spapr_device_irqs(const struct spapr_device *device, struct spapr_irq *ret_irqs,
		      unsigned int most, unsigned int *ret_count, struct spapr_error *ret_error);

/*
 * Have interrupts of a kind ring eventfds, one for each from `start` on; others of the kind stay as
 * they are. The fds stay the caller's, and duplicates are kept: what a reset takes is put back. The
 * kernel masks INTx when it rings, until spapr_irq_unmask or an access to a BAR. All or nothing, or
 * the text says so. On POWER more messages than are enabled disable all of the kind for a moment.
 * SPAPR_ERROR_INVALID_ARGUMENT (not inside what the kind has, an fd is no eventfd, or another kind
 * of INTx, MSI and MSI-X is on), SPAPR_ERROR_NOT_FOUND (the device has none of the kind),
 * SPAPR_ERROR_QUOTA_EXCEEDED (the host has no more messages), SPAPR_ERROR_KERNEL
 */
int spapr_irq_set(struct spapr_device *device, uint32_t index, uint32_t start, const int *fds,
		  uint32_t count, struct spapr_error *ret_error);

/* Mask, unmask (INTx alone) or switch off all interrupts of a kind. SPAPR_ERROR_NOT_FOUND (none is
 * wired), SPAPR_ERROR_UNSUPPORTED, SPAPR_ERROR_KERNEL */
int spapr_irq_mask(struct spapr_device *device, uint32_t index, struct spapr_error *ret_error);
int spapr_irq_unmask(struct spapr_device *device, uint32_t index, struct spapr_error *ret_error);
int spapr_irq_disable(struct spapr_device *device, uint32_t index, struct spapr_error *ret_error);

/*
 * Reset a device by the best way that there is, and see that it answers and is no bus master. Its
 * interrupts are wired as before.
 * SPAPR_ERROR_FROZEN (recover its PE instead), SPAPR_ERROR_BUSY (the kernel wants a device of the
 * group back), SPAPR_ERROR_UNSUPPORTED (there is no way; the text says why), SPAPR_ERROR_KERNEL (it
 * failed, or had no effect)
 */
int spapr_device_reset(struct spapr_device *device, struct spapr_error *ret_error);

#ifdef __cplusplus
}
#endif

#endif
