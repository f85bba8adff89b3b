/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/lpar.h"

#include <errno.h>
#include <string.h>

#include "common/range.h"
#include "sim/container.h"
#include "sim/model.h"

#define PAGE_SHIFT_4K    12
#define TCE_SHIFT        3
#define DYNAMIC_START    (UINT64_C(1) << 59)
#define CHARGE_OF_LEVELS UINT64_C(0xffffffff)

/* The largest window that ibm,query-pe-dma-windows offers, in TCEs: as measured. */
#define LARGEST_BLOCK (UINT64_C(1) << 37)

/* The default window is always one of firmware's. */
#define FIRMWARE_WINDOWS(lpar) (1 + (lpar)->dynamic_windows)

void sim_lpar_init(struct sim_lpar *lpar, const struct sim_phb *phb)
{
	*lpar = (struct sim_lpar){.phb = phb, .has_default = true};
}

struct sim_lpar *sim_lpar_of(const struct sim_group *group)
{
	const struct sim_model *model = group->model;

	return model->lpars ? &model->lpars[group->phb - model->host->phbs] : NULL;
}

/* Whether the node has ibm,ddw-applicable; where it hasn't, the number of windows is -1 (H38). */
static bool has_ddw(const struct sim_lpar *lpar)
{
	return lpar->phb->windows != UINT32_MAX;
}

/* reset_dma_window and what restores the property. Without firmware's reset call it is silently
 * left out, and the property is restored all the same (H37). */
static void restore_default(struct sim_lpar *lpar)
{
	if (lpar->phb->resets_windows) {
		lpar->dynamic_windows = 0;
	}
	lpar->has_default = true;
}

void sim_lpar_take_ownership(struct sim_lpar *lpar)
{
	/* Without ibm,ddw-applicable nothing is removed (remove_dma_window_named). */
	if (lpar && has_ddw(lpar)) {
		lpar->has_default = false;
	}
}

void sim_lpar_release_ownership(struct sim_lpar *lpar)
{
	if (lpar) {
		restore_default(lpar);
	}
}

uint64_t sim_lpar_charge(struct sim_shape shape)
{
	return shape.levels > 1 ? CHARGE_OF_LEVELS : shape.size >> (shape.page_shift - TCE_SHIFT);
}

/* Put the node on failed_ddw_pdn_list, which nothing ever empties (H36). */
static int fail(struct sim_lpar *lpar)
{
	lpar->failed = true;
	return -ENODEV;
}

static bool is_default_request(const struct sim_lpar *lpar, struct sim_shape shape)
{
	return shape.size <= lpar->phb->dma32_size && shape.page_shift == PAGE_SHIFT_4K;
}

/* ibm,create-pe-dma-window */
static int create_dynamic(struct sim_lpar *lpar, struct sim_shape shape, uint64_t *ret_start)
{
	unsigned int window_shift = floor_log2(shape.size);

	if (!has_ddw(lpar)) {
		return fail(lpar);
	}
	/* A larger request does no harm, nor does one of less than a page: the kernel compares by a
	 * shift, whose negative width leaves nothing of the largest block. */
	if (window_shift < shape.page_shift ||
	    LARGEST_BLOCK < UINT64_C(1) << (window_shift - shape.page_shift)) {
		return -EINVAL;
	}
	if (FIRMWARE_WINDOWS(lpar) >= lpar->phb->windows) {
		return fail(lpar);
	}
	lpar->dynamic_windows++;
	lpar->has_dynamic = true;
	*ret_start = DYNAMIC_START;
	return 0;
}

int sim_lpar_create(struct sim_lpar *lpar, unsigned int slot, struct sim_shape shape,
		    uint64_t *ret_start)
{
	bool is_default = is_default_request(lpar, shape);

	if (!is_power_of_two(shape.size) || shape.levels > 1) {
		return -EINVAL;
	}
	if (lpar->failed) {
		return -ENODEV;
	}
	if (slot == 0 && lpar->has_dynamic && !(is_default && lpar->has_default)) {
		return -EPERM;
	}
	if (slot == 0 && is_default && !lpar->has_default) {
		restore_default(lpar);
		*ret_start = 0;
		return 0;
	}
	return create_dynamic(lpar, shape, ret_start);
}

int sim_lpar_set_window(const struct sim_lpar *lpar, unsigned int slot,
			const struct sim_table *table)
{
	return lpar->tables[slot] == table ? 0 : -EPERM;
}

void sim_lpar_unset_window(struct sim_lpar *lpar, unsigned int slot, bool refused)
{
	const struct sim_table *table = lpar->tables[slot];

	lpar->tables[slot] = NULL;
	/* As is_default_window_table tells them apart. */
	if (slot == 0 && table->page_shift == PAGE_SHIFT_4K &&
	    table->entries << table->page_shift <= lpar->phb->dma32_size) {
		lpar->has_default = false;
	} else {
		lpar->has_dynamic = false;
		/* Where a reset took all of them away there is none to be counted. */
		lpar->dynamic_windows -= !refused && lpar->dynamic_windows > 0;
	}
}
