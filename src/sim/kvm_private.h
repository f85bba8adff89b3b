/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of the simulated KVM. */
#pragma once

#include "sim/kvm.h"

struct sim_kvm_vm {
	struct sim_model *model;
	struct sim_mm *mm; /* its maker's; a reference is held */
	unsigned int references;
	struct sim_kvm_vfio *vfio;  /* the VFIO device, or NULL; not a reference */
	struct sim_kvm_tce *tables; /* that are open; not references */
};

struct sim_kvm_vm *kvm_vm_ref(struct sim_kvm_vm *vm);
void kvm_vm_unref(struct sim_kvm_vm *vm);

/* tables */

/* KVM_CREATE_SPAPR_TCE_64. 0; EINVAL (negative): flags, size or page shift; ENOMEM: over the limit,
 * or more than one allocation holds; EBUSY: the VM has that liobn. */
int kvm_tce_new(struct sim_kvm_vm *vm, const struct sim_caller *caller,
		const struct sim_kvm_create_spapr_tce_64 *create, struct sim_kvm_tce **ret_table);

void kvm_tce_close(struct sim_kvm_tce *table);

/* Tie a table to the group's windows. 0; -EINVAL: it isn't this VM's, or no window fits. */
int kvm_tce_attach(const struct sim_kvm_vm *vm, const struct sim_kvm_tce *table,
		   const struct sim_group *group);
