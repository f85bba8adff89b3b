/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Quick calls of a device that is open: its regions, registers and interrupts. The worker answers
 * them at once, or with ERROR_BUSY while something takes long with the group. A look at its PE does
 * not: who comes then waits for its end.
 */
#pragma once

#include <stdint.h>

#include "common/error.h"
#include "common/worker_protocol.h"

struct host_device;

/* Calls of one group that may wait for a look at the same time. */
#define DEVICE_CALLS_MAX 256U

/* What a call is answered with, checked: a worker is a stranger. Valid during the call of the
 * handler. */
struct device_answer {
	struct error error; /* code ERROR_NONE: it worked, and that of these is there which was
			       asked for: */
	const struct worker_device_info *info; /* WORKER_DEVICE_INFO */
	const struct worker_region *regions;   /* WORKER_DEVICE_REGIONS; _FIND_REGION: one */
	const struct worker_area *areas;       /* WORKER_DEVICE_AREAS */
	const struct worker_irq *irqs;         /* WORKER_DEVICE_IRQS */
	uint64_t value;                        /* WORKER_DEVICE_READ_REGION */
	uint32_t count;                        /* of regions, areas, interrupts */
};

typedef void (*device_answer_handler)(void *userdata, const struct device_answer *answer);

/*
 * Make a call; the group and name in the request don't matter. The fds are those of
 * WORKER_DEVICE_SET_IRQS, and stay the caller's. The handler is called once, which may be before
 * this returns. 0, or a code and the handler is not called:
 *
 * ERROR_NOT_FOUND         the group is in no address space, or the device is not open, or gone
 * ERROR_FROZEN            the PE is frozen: nothing but ones would be read
 * ERROR_BUSY              the PE is being recovered or operated on, or a reset of it is asserted,
 *                         in which an access would be an error of the machine; or its address space
 *                         is being closed
 * ERROR_RECOVERY_FAILED   the PE was given up
 * ERROR_INVALID_ARGUMENT  fds that can't be sent or kept, a size that no register has, a value
 *                         that is larger than its size
 * ERROR_QUOTA_EXCEEDED    WORKER_PENDING_MAX requests wait for the worker, DEVICE_CALLS_MAX for a
 *                         look, or no file is left
 * and what a worker answers to WORKER_CALL_DEVICE. In the steps of a recovery where participants
 * set their devices up (MmioEnabled, SlotReset) calls are let through.
 *
 * Error and request interrupts (broker/device_alarm.h) are set and disabled here, and not in the
 * worker. A register that reads as all ones may be the first that is seen of a freeze: the PE is
 * looked at.
 */
int device_call(struct host_device *device, const struct worker_call_device *request,
		const int *fds, unsigned int fd_count, device_answer_handler handler,
		void *userdata, struct error *error);
