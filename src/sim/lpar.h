/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The DMA windows of a PHB in an LPAR: what pseries' kernel keeps of them in the device tree and in
 * its lists, and what the hypervisor's RTAS calls answer (spapr_tce_create_table and the calls
 * beside it in arch/powerpc/platforms/pseries/iommu.c; hw/ppc/spapr_rtas_ddw.c in QEMU).
 *
 * Concepts
 *   default      the window that firmware made, of 4 KiB pages from 0 on. The kernel takes its
 *                property out of the tree when a PE gets a DMA owner, but that property is too
 *                short to be taken for a dynamic window's, so firmware is never told: for the
 *                hypervisor the default window is always there and counts.
 *   DDW          a dynamic DMA window. Only firmware makes it, and chooses its start: 1 << 59, for
 *                it is never the only window.
 *   failed       what the kernel's list of failed nodes has: once a create went wrong in firmware
 *                every later one is refused, for as long as the host runs (H36).
 *
 * The state belongs to the PHB, not to a container: it outlives both.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/host.h"
#include "sim/table.h"

struct sim_group;

struct sim_lpar {
	const struct sim_phb *phb;
	bool has_default; /* its property is in the tree */
	bool has_dynamic; /* the one DDW that the kernel looks for (find_existing_ddw) */
	bool failed;
	unsigned int dynamic_windows;                /* that firmware has */
	const struct sim_table *tables[SIM_WINDOWS]; /* of the PE, by slot */
};

/* As after boot. */
void sim_lpar_init(struct sim_lpar *lpar, const struct sim_phb *phb);

/* Of the group's PHB; NULL on any other platform. */
struct sim_lpar *sim_lpar_of(const struct sim_group *group);

/* The group gets, or loses, a DMA owner other than the kernel. NULL for lpar does nothing. */
void sim_lpar_take_ownership(struct sim_lpar *lpar);
void sim_lpar_release_ownership(struct sim_lpar *lpar);

/* What a table is charged: bytes, or 0 where there can be no such window. Levels above 1, which
 * never make a table, are charged nearly 4 GiB (H29). */
uint64_t sim_lpar_charge(struct sim_shape shape);

/*
 * Make a window in a slot and return its start. EINVAL: more than one level, no power of two, or
 * more entries than firmware has; ENODEV: firmware refused (then the PHB is failed from now on) or
 * had refused before; EPERM: slot 0 while the other slot has a DDW (H37).
 */
int sim_lpar_create(struct sim_lpar *lpar, unsigned int slot, struct sim_shape shape,
		    uint64_t *ret_start);

/* 0 for the PE whose window it is; EPERM for any other (H34). */
int sim_lpar_set_window(const struct sim_lpar *lpar, unsigned int slot,
			const struct sim_table *table);

/* Of a window that the PE has in that slot. When firmware won't let a dynamic window go,
 * that isn't noticed, and only firmware still has it (H35). */
void sim_lpar_unset_window(struct sim_lpar *lpar, unsigned int slot, bool refused);
