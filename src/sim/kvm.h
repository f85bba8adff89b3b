/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * KVM of a simulated host, as far as VFIO goes: a VM, its VFIO device, and TCE tables that speed a
 * guest up. Nothing runs in the VM.
 *
 * Concepts
 *   VM           belongs to the mm of its maker: from any other process its ioctls and those of its
 *                VFIO device are EIO. It lives as long as an fd of it, its device or its tables.
 *   VFIO device  one per VM. It holds the files of groups and devices that it was told of, so that
 *                closing such an fd doesn't close the group; they go with the device's last fd.
 *   table        the guest's view of a DMA window, known by its liobn. It can be tied to a group
 *                that has a window of the same start, with pages that are no larger and a size
 *                that is no smaller. Its memory is charged to the VM's mm.
 *
 * KVM_SET_DEVICE_ATTR of the VFIO device has a pointer to user memory in its structure
 * (attr.addr). Whoever makes the argument appends what that memory holds to the struct
 * kvm_device_attr in data and counts it in argument->size: one int32 for
 * KVM_DEV_VFIO_GROUP_ADD and _DEL, two for _SET_SPAPR_TCE (struct kvm_vfio_spapr_tce), each an fd,
 * so an index of argument->fds. When that memory can't be read nothing is appended: EFAULT. For any
 * other group or attribute nothing is looked at.
 */
#pragma once

#include <linux/kvm.h>

#include "sim/argument.h"

/* The kernel's header has these for powerpc only. */
struct sim_kvm_create_spapr_tce_64 {
	uint64_t liobn;
	uint32_t page_shift;
	uint32_t flags;
	uint64_t offset; /* in pages */
	uint64_t size;   /* in pages */
};
#define SIM_KVM_CREATE_SPAPR_TCE_64 _IOW(KVMIO, 0xa8, struct sim_kvm_create_spapr_tce_64)

#define SIM_KVM_ATTRIBUTE_FDS_MAX 2U

/* How many fds attr.addr of a struct kvm_device_attr points to: 0, 1 or 2. */
static inline unsigned int sim_kvm_attribute_fds(const struct kvm_device_attr *attribute)
{
	if (attribute->group != KVM_DEV_VFIO_GROUP) {
		return 0;
	}
	switch (attribute->attr) {
	case KVM_DEV_VFIO_GROUP_ADD:
	case KVM_DEV_VFIO_GROUP_DEL:
		return 1;
	case KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE:
		return SIM_KVM_ATTRIBUTE_FDS_MAX;
	default:
		return 0;
	}
}

/* The node that /dev/kvm is: on an LPAR, too, where no VM can be made. */
struct sim_node sim_kvm_open(struct sim_model *model);

/* The ioctls of a node of one of the four KVM kinds. New nodes are left in argument->new_node. */
int sim_kvm_ioctl(struct sim_node node, const struct sim_caller *caller, unsigned long request,
		  struct sim_argument *argument);

/* The last close of such a node. */
void sim_kvm_close(struct sim_node node);
