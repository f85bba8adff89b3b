/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCE tables of a VM (arch/powerpc/kvm/book3s_64_vio.c). As nothing runs in a VM they stay empty,
 * and what they are tied to need not be remembered. */
#include <errno.h>
#include <stdlib.h>

#include "sim/kvm_private.h"
#include "sim/model.h"

#define PAGE_SHIFT_MIN 12U
#define PAGE_SHIFT_MAX 34U
#define TCE_SIZE       UINT64_C(8)
#define POINTER_SIZE   UINT64_C(8)
#define TABLE_HEAD     UINT64_C(120) /* struct kvmppc_spapr_tce_table without its pages */

/* The largest allocation of a powerpc kernel. */
#define ALLOCATION_MAX (UINT64_C(16) * 1024 * 1024)

/* What a host that has a group for itself maps with: the default window, in pages of 4 KiB. */
#define HOST_PAGE_SHIFT 12U

struct sim_kvm_tce {
	struct sim_kvm_tce *next; /* in the VM's list */
	struct sim_kvm_vm *vm;
	uint64_t charge; /* host pages */
	struct sim_kvm_create_spapr_tce_64 shape;
};

static uint64_t pages_of(uint64_t bytes, unsigned int page_shift)
{
	return (bytes + ((UINT64_C(1) << page_shift) - 1)) >> page_shift;
}

/* kvm_vm_ioctl_create_spapr_tce; offset + size may wrap around there, too. */
static int check_shape(const struct sim_kvm_create_spapr_tce_64 *shape)
{
	if (shape->flags || shape->size == 0 || shape->page_shift < PAGE_SHIFT_MIN ||
	    shape->page_shift > PAGE_SHIFT_MAX ||
	    shape->offset + shape->size > UINT64_MAX >> shape->page_shift) {
		return -EINVAL;
	}
	return 0;
}

static bool has_liobn(const struct sim_kvm_vm *vm, uint64_t liobn)
{
	for (const struct sim_kvm_tce *table = vm->tables; table; table = table->next) {
		if (table->shape.liobn == liobn) {
			return true;
		}
	}
	return false;
}

static int table_new(struct sim_kvm_vm *vm, const struct sim_kvm_create_spapr_tce_64 *shape,
		     uint64_t charge, struct sim_kvm_tce **ret_table)
{
	struct sim_kvm_tce *table;

	if (has_liobn(vm, shape->liobn)) {
		return -EBUSY;
	}
	table = calloc(1, sizeof(*table));
	if (!table) {
		return -ENOMEM;
	}
	table->vm = kvm_vm_ref(vm);
	table->charge = charge;
	table->shape = *shape;
	table->next = vm->tables;
	vm->tables = table;
	*ret_table = table;
	return 0;
}

int kvm_tce_new(struct sim_kvm_vm *vm, const struct sim_caller *caller,
		const struct sim_kvm_create_spapr_tce_64 *create, struct sim_kvm_tce **ret_table)
{
	unsigned int page_shift = vm->model->host->page_shift;
	uint64_t table_pages;
	uint64_t head_size;
	uint64_t charge;
	int r = check_shape(create);

	if (r < 0) {
		return r;
	}
	table_pages = pages_of(create->size * TCE_SIZE, page_shift);
	head_size = TABLE_HEAD + table_pages * POINTER_SIZE;
	charge = table_pages + pages_of(head_size, page_shift);
	r = sim_mm_charge(vm->mm, caller, charge);
	if (r < 0) {
		return r;
	}
	r = head_size > ALLOCATION_MAX ? -ENOMEM : table_new(vm, create, charge, ret_table);
	if (r < 0) {
		sim_mm_discharge(vm->mm, charge);
	}
	return r;
}

void kvm_tce_close(struct sim_kvm_tce *table)
{
	struct sim_kvm_tce **link = &table->vm->tables;

	while (*link != table) {
		link = &(*link)->next;
	}
	*link = table->next;
	sim_mm_discharge(table->vm->mm, table->charge);
	kvm_vm_unref(table->vm);
	free(table);
}

/* kvm_spapr_tce_attach_iommu_group */
static bool fits(const struct sim_kvm_create_spapr_tce_64 *shape,
		 const struct sim_dump_window *window)
{
	return window->page_shift <= shape->page_shift &&
	       window->start == shape->offset << shape->page_shift &&
	       window->size >= shape->size << shape->page_shift;
}

/* The windows that a group's devices see: its container's, or without one the host's. A container
 * that has no IOMMU yet has taken the host's away. */
static void find_windows(const struct sim_group *group, struct sim_dump *ret_dump)
{
	const struct sim_container *container = group->container;

	ret_dump->window_count = 0;
	ret_dump->entry_count = 0;
	ret_dump->most = 0;
	if (!container) {
		ret_dump->window[ret_dump->window_count++] = (struct sim_dump_window){
			.size = group->phb->dma32_size,
			.page_shift = HOST_PAGE_SHIFT,
		};
	} else if (container->iommu && container->iommu->operations->dump) {
		container->iommu->operations->dump(container->iommu, 0, ret_dump);
	}
}

int kvm_tce_attach(const struct sim_kvm_vm *vm, const struct sim_kvm_tce *table,
		   const struct sim_group *group)
{
	struct sim_dump *dump;
	int r = -EINVAL;

	if (table->vm != vm) {
		return -EINVAL;
	}
	dump = malloc(sizeof(*dump));
	if (!dump) {
		return -ENOMEM;
	}
	find_windows(group, dump);
	for (uint32_t i = 0; i < dump->window_count && r < 0; i++) {
		r = fits(&table->shape, &dump->window[i]) ? 0 : -EINVAL;
	}
	free(dump);
	return r;
}
