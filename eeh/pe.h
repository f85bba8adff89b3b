/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations on the PE of a group that is alone in its container, one to one with the kernel's
 * VFIO_EEH_PE_OP (drivers/vfio/vfio_spapr_eeh.c, arch/powerpc/kernel/eeh.c).
 *
 * They block: a reset for seconds, in a sleep that no signal ends (field note H49). Call them from
 * a thread that can wait, one at a time for each PE.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/worker_protocol.h"
#include "host/kernel.h"
#include "vfio/container.h"
#include "vfio/group.h"

/* What an operation is about; nothing of it is owned. */
struct pe_target {
	struct kernel *kernel;
	int container_fd;
	const struct group *group; /* with its open devices */
};

/*
 * Carry out one of WORKER_PE_LOOK to WORKER_PE_INJECT, and look at the state. Zero is all that
 * counts as success: a positive answer to anything but GET_STATE is a failure, too (H1).
 *
 * ERROR_EEH_UNAVAILABLE   the container or the PE has no EEH (EPERM, ENODEV, ENOENT)
 * ERROR_INVALID_ARGUMENT  an error that can't be injected (ERANGE, EINVAL)
 * ERROR_UNSUPPORTED       the firmware doesn't inject (ENXIO, EIO on powernv)
 * ERROR_KERNEL            anything else; EIO of a reset is the firmware's, and may be tried again
 */
int pe_operate(const struct pe_target *target, const struct worker_operate_pe *request,
	       struct worker_pe *ret_pe, struct error *error);

/* GET_STATE alone: a PE_NUMBER_*, PE_NUMBER_UNKNOWN when it fails. */
uint32_t pe_read_number(const struct pe_target *target);

/*
 * Whether a device of the group may be opened or closed without thawing its PE behind everybody's
 * back (eeh_dev_open, eeh_dev_release; field note H45). `container` is the target's. In one of
 * several groups it can't be asked whose state it is (H42), and without EEH there is nothing to
 * ask. ERROR_FROZEN, ERROR_KERNEL
 */
int pe_check_thawed(const struct pe_target *target, const struct container *container,
		    const char *device, struct error *error);

/* See whether all open devices answer (device_answers): how many there are and how many don't. */
void pe_look_at_devices(const struct pe_target *target, uint32_t *ret_devices,
			uint32_t *ret_silent);

/* The operation's name, "reset-hot"; "" for a number that is none. Static. */
const char *pe_operation_name(uint32_t operation);
