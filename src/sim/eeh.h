/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * EEH of a simulated host: the state of each PE, and what VFIO_EEH_PE_OP does to it.
 *
 * Concepts
 *   frozen    of a PE's MMIO and DMA each is stopped or not; GET_STATE tells by one number (0, 2,
 *             4, 5), a reset that is asserted by 1 or 2, as the firmware has it.
 *   thawing   opening and closing a device, ENABLE and DEACTIVATE clear a freeze (H45).
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
};

/* The PE of one group. */
struct sim_pe_state {
	bool io_stopped;
	bool dma_stopped;
	bool reset_asserted;
	bool unavailable; /* for good: no reset helps any more */
	uint32_t freezes; /* since the start */
};

/* VFIO_EEH_PE_OP of a container with its backend: all its groups, one after the other, up to the
 * first that doesn't answer 0 (H42). The result as the kernel has it. */
int sim_eeh_pe_op(struct sim_container *container, struct sim_argument *argument);

/* What hardware does to a PE after an error. 0 or a code with the error filled. */
int sim_eeh_freeze(struct sim_model *model, uint32_t group, enum sim_freeze what,
		   struct error *error);

/* A DMA that the IOMMU refused: freezes the PE where the host's hardware does. */
void sim_eeh_handle_dma_fault(struct sim_group *group);

/* A device of the group is opened, or closed. */
void sim_eeh_handle_device_open(struct sim_group *group);
void sim_eeh_handle_device_close(struct sim_group *group);
