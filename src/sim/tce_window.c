/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <libfdt.h>
#include <linux/vfio.h>

#include "sim/faults.h"
#include "sim/lpar.h"
#include "sim/model.h"
#include "sim/tce_private.h"

#define SECOND_WINDOW_START (UINT64_C(1) << 59)
#define PAGE_SHIFT_4K       12
#define PAGE_SHIFT_MAX      63

/* An IODA2 PHB: the kernel invalidates its TCE cache with one write for each page of a range. */
#define COMPATIBLE_IODA2 "ibm,ioda2-phb"

int tce_find_slot(const struct tce *tce, uint64_t iova)
{
	for (int slot = 0; slot < SIM_WINDOWS; slot++) {
		const struct sim_table *table = tce->tables[slot];

		if (table && sim_table_contains(table, iova >> table->page_shift)) {
			return slot;
		}
	}
	return -1;
}

struct sim_table *tce_find_table(const struct tce *tce, uint64_t iova)
{
	int slot = tce_find_slot(tce, iova);

	return slot < 0 ? NULL : tce->tables[slot];
}

static int find_free_slot(const struct tce *tce)
{
	for (int slot = 0; slot < SIM_WINDOWS; slot++) {
		if (!tce->tables[slot]) {
			return slot;
		}
	}
	return -ENOSPC;
}

/* The platform's create_table, on powernv: the slot decides where a window starts (H26). */
static int create_table(struct tce *tce, struct sim_group *group, unsigned int slot,
			struct sim_shape shape, struct sim_table **ret_table)
{
	struct sim_lpar *lpar = sim_lpar_of(group);
	struct sim_table *table = NULL;
	uint64_t start = slot == 0 ? 0 : SECOND_WINDOW_START;
	int r;

	if (!lpar) {
		return sim_table_new(shape, tce->page_shift, start, ret_table);
	}
	r = sim_table_new_flat(shape, 0, sim_lpar_charge(shape), &table);
	if (r < 0) {
		return r;
	}
	r = sim_lpar_create(lpar, slot, shape, &start);
	if (r < 0) {
		(void)sim_table_free(table);
		return r;
	}
	table->first = start >> shape.page_shift;
	lpar->tables[slot] = table;
	*ret_table = table;
	return 0;
}

static uint64_t charge_of(const struct tce *tce, const struct sim_group *group,
			  struct sim_shape shape)
{
	return sim_lpar_of(group) ? sim_lpar_charge(shape)
				  : sim_shape_charge(shape, tce->page_shift);
}

/* tce_iommu_create_table */
static int create_charged_table(struct tce *tce, const struct sim_caller *caller, unsigned int slot,
				struct sim_shape shape, struct sim_table **ret_table)
{
	struct sim_group *group = tce->iommu.container->groups;
	uint64_t charge = charge_of(tce, group, shape);
	uint64_t pages = charge >> tce->page_shift;
	int r;

	if (charge == 0) {
		return -EINVAL;
	}
	r = sim_mm_charge(tce->mm, caller, pages);
	if (r < 0) {
		return r;
	}
	r = create_table(tce, group, slot, shape, ret_table);
	if (r < 0) {
		/* The kernel doesn't take the charge back (H29). */
		tce->mm->leaked_pages += pages;
	}
	return r;
}

/* tce_iommu_free_table */
static void free_table(struct tce *tce, struct sim_table *table)
{
	sim_mm_discharge(tce->mm, table->charge >> tce->page_shift);
	(void)sim_table_free(table);
}

/* The platform's set_window, which on powernv never fails. */
static int set_window(const struct sim_group *group, unsigned int slot,
		      const struct sim_table *table)
{
	const struct sim_lpar *lpar = sim_lpar_of(group);

	return lpar ? sim_lpar_set_window(lpar, slot, table) : 0;
}

/* That the platform won't take a window away is ignored, and its table freed although hardware
 * still points to it (H35). */
static void unset_window(const struct sim_group *group, unsigned int slot)
{
	struct sim_lpar *lpar = sim_lpar_of(group);
	bool refused;

	if (lpar && !lpar->tables[slot]) {
		return;
	}
	refused = sim_model_take_step(group->model, SIM_STEP_REMOVE_WINDOW) != 0;
	if (lpar) {
		sim_lpar_unset_window(lpar, slot, refused);
	} else if (refused) {
		group->model->damage++;
	}
}

static void unset_everywhere(const struct tce *tce, unsigned int slot)
{
	for (const struct sim_group *group = tce->iommu.container->groups; group;
	     group = group->next) {
		unset_window(group, slot);
	}
}

static int set_everywhere(const struct tce *tce, unsigned int slot, const struct sim_table *table)
{
	for (const struct sim_group *group = tce->iommu.container->groups; group;
	     group = group->next) {
		int r = set_window(group, slot, table);

		if (r < 0) {
			unset_everywhere(tce, slot);
			return r;
		}
	}
	return 0;
}

int tce_create_window(struct tce *tce, const struct sim_caller *caller, struct sim_shape shape,
		      uint64_t *ret_start)
{
	/* The first of the groups speaks for all (H39). */
	const struct sim_phb *phb = tce->iommu.container->groups->phb;
	int slot = find_free_slot(tce);
	struct sim_table *table = NULL;
	int r;

	if (slot < 0) {
		return slot;
	}
	if (shape.page_shift > PAGE_SHIFT_MAX ||
	    !(phb->page_sizes & UINT64_C(1) << shape.page_shift)) {
		return -EINVAL;
	}
	r = create_charged_table(tce, caller, (unsigned int)slot, shape, &table);
	if (r < 0) {
		return r;
	}
	r = set_everywhere(tce, (unsigned int)slot, table);
	if (r < 0) {
		free_table(tce, table);
		return r;
	}
	tce->tables[slot] = table;
	*ret_start = table->first << table->page_shift;
	return 0;
}

int tce_create_default(struct tce *tce, const struct sim_caller *caller)
{
	struct sim_shape shape = {
		.page_shift = PAGE_SHIFT_4K,
		.size = tce->iommu.container->groups->phb->dma32_size,
		.levels = 1,
	};
	uint64_t start;
	int r;

	if (!tce->default_pending) {
		return 0;
	}
	r = tce_create_window(tce, caller, shape, &start);
	if (r == 0) {
		tce->default_pending = false;
	}
	return r;
}

/* tce_iommu_remove_window */
void tce_remove_window(struct tce *tce, unsigned int slot)
{
	struct sim_table *table = tce->tables[slot];

	tce_clear_table(tce, table);
	unset_everywhere(tce, slot);
	tce->tables[slot] = NULL;
	free_table(tce, table);
}

/* groups */

static bool is_ioda2(const struct sim_group *group)
{
	const void *fdt = group->model->host->fdt;
	int node = fdt ? fdt_subnode_offset(fdt, 0, group->phb->node) : -1;

	return node >= 0 && fdt_node_check_compatible(fdt, node, COMPATIBLE_IODA2) == 0;
}

/* tce_iommu_take_ownership: a group that joins gets the windows that there are. In an LPAR no group
 * but the one that made them can (H34). */
static int take_windows(const struct tce *tce, const struct sim_group *group)
{
	for (unsigned int slot = 0; slot < SIM_WINDOWS; slot++) {
		int r = tce->tables[slot] ? set_window(group, slot, tce->tables[slot]) : 0;

		/* A group that one can't be set for has none that would be unset. */
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* tce_iommu_attach_group */
int tce_attach(struct sim_iommu *iommu, struct sim_group *group)
{
	struct tce *tce = (struct tce *)iommu;
	int r;

	if (tce->v2 && group->phb->windows == 0) {
		return -EINVAL;
	}
	if (!tce->v2 && tce->groups > 0) {
		return -EBUSY;
	}
	r = take_windows(tce, group);
	if (tce->groups == 0 && !tce->tables[0]) {
		tce->default_pending = true;
	}
	if (r == 0) {
		tce->groups++;
		tce->kills_each = tce->kills_each || is_ioda2(group);
	}
	return r;
}

/* tce_iommu_detach_group */
void tce_detach(struct sim_iommu *iommu, struct sim_group *group)
{
	struct tce *tce = (struct tce *)iommu;

	tce->groups--;
	for (unsigned int slot = 0; slot < SIM_WINDOWS; slot++) {
		if (!tce->tables[slot]) {
			continue;
		}
		/* The others' mappings are gone, too (H33). */
		tce_clear_table(tce, tce->tables[slot]);
		unset_window(group, slot);
	}
	iommu->container->blocks += tce_take_spent(tce);
}

void tce_free_windows(struct tce *tce)
{
	for (unsigned int slot = 0; slot < SIM_WINDOWS; slot++) {
		struct sim_table *table = tce->tables[slot];

		if (!table) {
			continue;
		}
		tce->tables[slot] = NULL;
		free_table(tce, table);
	}
	tce->iommu.container->blocks += tce_take_spent(tce);
}
