/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * KVM: a VM's VFIO device, and the TCE tables that let a guest map and unmap without its VMM.
 *
 * Concepts
 *   VFIO device  one per VM (kvm_vfio_create). It is made for the first group and stays until the
 *                kvm_device is freed: it is to last as long as the VM.
 *   guest table  what KVM_CREATE_SPAPR_TCE_64 makes: the guest's view of a DMA window, which its
 *                hypercalls fill. Tied to a group (KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE) they fill the
 *                TCEs of the group's window as well.
 *   tie          KVM's hold on a window of a group by a table. Nothing unties one table from one
 *                group: all of a group's ties go when the group leaves the VFIO device
 *                (kvm_spapr_tce_release_iommu_group), and all of a table's when the last fd of it
 *                is closed (kvm_spapr_tce_release).
 *   link         what one address space has with a VM: its groups in the VFIO device, and the
 *                tables of its windows, each tied to all of its groups.
 *
 * KVM belongs to the process that made the VM: from any other, be it a child that has the same
 * fds, all of this is EIO (kvm_vm_ioctl, kvm_device_ioctl: kvm->mm). The order is KVM's:
 *   - a group is added before a table is tied to it, and taken out while its windows are there, for
 *     only then KVM finds the ties that it has to undo;
 *   - a window goes after its ties: what the guest maps into a table that is tied to a window which
 *     is gone keeps memory registered for good (mm_iommu_mapped_inc).
 *
 * Not thread-safe. The kernel warns once in its log when a group leaves that never had a table
 * (kvm_spapr_tce_release_vfio_group); that is harmless.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/range.h"
#include "common/worker_protocol.h"
#include "host/kernel.h"
#include "vfio/container.h"

struct kvm_device;

/*
 * For a VM. vm_fd is that of KVM_CREATE_VM, device_fd that of its VFIO device if there is one
 * already, else -1; both stay the caller's, and duplicates are kept. Nothing is asked of KVM yet
 * but whether the VM can be used here.
 *
 * ERROR_INVALID_ARGUMENT  vm_fd is not that of a VM, device_fd not that of a VFIO device
 * ERROR_ACCESS_DENIED     the VM belongs to another process
 * ERROR_UNSUPPORTED       this KVM has no VFIO device
 * ERROR_KERNEL
 */
int kvm_device_new(struct kernel *kernel, int vm_fd, int device_fd, struct kvm_device **ret_device,
		   struct error *error);

/* The VFIO device goes, if it was made here, and all groups with it. Takes NULL, returns NULL. */
struct kvm_device *kvm_device_free(struct kvm_device *device);

/* Whether the VM has its VFIO device, as far as it is known here. */
bool kvm_device_is_made(const struct kvm_device *device);

/*
 * Whether a window of an address space can have a guest table: "hardware table parameters are
 * compatible", as kvm_spapr_tce_attach_iommu_group has it. The window's pages are no larger than
 * the table's, it starts where the table does and is no smaller.
 */
struct kvm_table {
	int fd;
	struct range range;  /* that the guest sees: offset << page_shift, size << page_shift */
	uint32_t page_shift; /* 0: not told, and then range isn't, either */
};

/* ERROR_INVALID_ARGUMENT with the numbers that don't go together. */
int kvm_table_check(const struct kvm_table *table, const struct window *window,
		    struct error *error);

/* A group as KVM needs it: the very file that is in the container. Nothing is owned. */
struct kvm_group {
	uint32_t number;
	int fd;
};

struct kvm_tied_table {
	uint64_t start; /* of the window */
	int fd;         /* a duplicate, owned */
};

struct kvm_link {
	struct kvm_device *device; /* not owned; NULL: the address space has nothing with KVM */
	struct kvm_tied_table tables[WORKER_WINDOWS_MAX];
	unsigned int table_count;
};

#define KVM_LINK_NULL ((struct kvm_link){.device = NULL, .table_count = 0})

/*
 * A group joins: it is added, and all tables are tied to it; all or nothing. It is in its container
 * with its windows.
 * ERROR_ACCESS_DENIED, ERROR_BUSY (KVM has the group already, or the VM has a VFIO device that was
 * made elsewhere), ERROR_INVALID_ARGUMENT (a window doesn't fit its table), ERROR_KERNEL
 */
int kvm_link_add_group(struct kvm_link *link, const struct kvm_group *group, struct error *error);

/* A group leaves, with its ties, before it leaves its container. That KVM doesn't have it is no
 * failure. ERROR_ACCESS_DENIED, ERROR_KERNEL */
int kvm_link_remove_group(struct kvm_link *link, const struct kvm_group *group,
			  struct error *error);

/*
 * Tie a table to all groups that are there, and to all that come. The fd stays the caller's, and a
 * duplicate is kept.
 *
 * All or none: a failure takes the groups that have it out of the VFIO device and puts them back,
 * unless another window has a table, too, for what the guest maps there meanwhile would miss the
 * hardware. Then the text says to close the table's fd, which unties it.
 *
 * ERROR_INVALID_ARGUMENT  a window doesn't fit the table, or the table is not one of this VM
 * ERROR_BUSY              the window has a table
 * ERROR_ACCESS_DENIED, ERROR_QUOTA_EXCEEDED (more windows than there can be), ERROR_KERNEL
 */
int kvm_link_set_table(struct kvm_link *link, const struct window *window,
		       const struct kvm_table *table, const struct kvm_group *groups,
		       unsigned int count, struct error *error);

/* Whether the window that starts there has a table. */
bool kvm_link_has_table(const struct kvm_link *link, uint64_t start);

/*
 * Untie a window's table, before the window goes; if it then stays after all,
 * kvm_link_set_table. The duplicate is closed, and where no other window has a table, the groups
 * are taken out of the VFIO device and put back. Where one has, the table is untied when its last
 * fd is closed: the caller's must be closed before.
 *
 * ERROR_KERNEL, ERROR_ACCESS_DENIED: a group that could not be put back is not accelerated any
 * more; the table is untied.
 */
int kvm_link_clear_table(struct kvm_link *link, uint64_t start, const struct kvm_group *groups,
			 unsigned int count, struct error *error);

/* Forget all tables and close them. The groups have left. */
void kvm_link_done(struct kvm_link *link);
