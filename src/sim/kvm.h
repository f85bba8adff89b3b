/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * KVM of a simulated host, as far as VFIO goes: a VM, its VFIO device, and TCE tables that speed a
 * guest up. Nothing runs in the VM.
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

/* /dev/kvm is opened. 0 or -errno. */
int sim_kvm_open(struct sim_node *ret_node);

/* The ioctls of a node of one of the four KVM kinds. */
int sim_kvm_ioctl(struct sim_node node, const struct sim_caller *caller, unsigned long request,
		  struct sim_argument *argument);

/* The last close of such a node. */
void sim_kvm_close(struct sim_node node);
