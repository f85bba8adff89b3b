/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * EEH of a simulated host: the state of each PE, and what VFIO_EEH_PE_OP does to it.
 *
 * Concepts
 *   frozen    of a PE's MMIO and DMA each is stopped or not; GET_STATE tells by one number (0, 2,
 *             4, 5), and on an LPAR a reset that is asserted by 1.
 *   isolated  the kernel has noticed a freeze of both. Thawing doesn't end that: only a reset, or
 *             a change of owner while the PE is frozen.
 *   thawing   opening and closing a device, ENABLE and DEACTIVATE clear a freeze (H45).
 *   host      recovers the PEs that aren't passed through, when it notices. What is frozen when its
 *             group is let go stays so, for nobody reads from it: the next owner finds it frozen.
 *   silence   of a PE that is passed through the kernel tells nobody: no interrupt, no uevent
 *             (H46). Its sysfs file shows it, and who asks is told.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct sim_argument;
struct sim_container;
struct sim_group;
struct sim_model;

enum sim_freeze {
	SIM_FREEZE_IO = 1,
	SIM_FREEZE_DMA = 2,
	SIM_FREEZE_BOTH = 3,
	/* The hardware is gone for good: frozen, and nothing helps. The state reads as stopped, and
	 * thawing claims to work (H43, H44). */
	SIM_FREEZE_PERMANENT = 4,
	/* The bridge above was fenced, and the host recovers it: the state reads as unavailable,
	 * and the devices are reset. A freeze of any other kind ends that: the host is through,
	 * and has left the PE frozen (H48). */
	SIM_FREEZE_UNAVAILABLE = 8,
};

/* The PE of one group. */
struct sim_pe_state {
	bool io_stopped;  /* all reads from its registers are ones, writes are lost */
	bool dma_stopped; /* none of its DMA arrives */
	/* From an asserting reset up to DEACTIVATE: config space is blocked, registers and DMA are
	 * stopped. Whoever leaves before leaves it so. */
	bool reset_asserted;
	bool isolated;
	bool host_recovers; /* the bridge above it */
	bool unavailable;   /* for good: no reset helps any more */
	uint32_t freezes;   /* since the start */
};

/*
 * VFIO_EEH_PE_OP of a container with its backend: all its groups, one after the other, up to the
 * first that doesn't answer 0 (H42). The result as the kernel has it: GET_STATE's is a state. The
 * time that a reset takes goes into argument->blocks.
 */
int sim_eeh_pe_op(struct sim_container *container, struct sim_argument *argument);

/* What hardware does to a PE after an error. 0 or a code with the error filled: NotFound: no such
 * group; EehUnavailable: the host has no EEH, or the PE is gone for good. */
int sim_eeh_freeze(struct sim_model *model, uint32_t number, enum sim_freeze what,
		   struct error *error);

/* A DMA that the IOMMU refused: freezes the PE where the host's hardware does. */
void sim_eeh_handle_dma_fault(struct sim_group *group);

/* What keeps all DMA of a PE from reaching the IOMMU, in plain words; NULL when nothing does. */
const char *sim_eeh_find_dma_obstacle(const struct sim_group *group);

/* A device of the group is opened (before it is reset), or closed. Does nothing without EEH. */
void sim_eeh_handle_device_open(struct sim_group *group);
void sim_eeh_handle_device_close(struct sim_group *group);

/* The two words of the file eeh_pe_state in sysfs: the firmware's flags, and the kernel's. Looking
 * is enough for the kernel to notice a freeze. */
#define SIM_EEH_SYSFS_WORDS 2
void sim_eeh_sysfs_state(const struct sim_group *group, uint32_t ret_words[SIM_EEH_SYSFS_WORDS]);
