/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resets of devices that are open, on request. Nothing of windows and mappings changes by them, and
 * the devices are no bus masters afterwards. */
#pragma once

#include "broker/worker_process.h"
#include "common/error.h"

struct host_device;
struct manager;
struct space;

/*
 * Reset one device (vfio/reset.h, device_reset), when what is under way with its PE has ended. The
 * handler is called once, which may be before this returns. 0, or a code and it is not called:
 *
 * ERROR_NOT_FOUND        its group is in no address space, or the device is not open
 * ERROR_FROZEN           its PE is: recover it
 * ERROR_BUSY             its PE is being recovered, or a reset of it is asserted
 * ERROR_RECOVERY_FAILED  its PE was given up
 * and what a worker answers to WORKER_RESET_DEVICE.
 */
int device_reset(struct manager *manager, struct host_device *device, worker_answer_handler handler,
		 void *userdata, struct error *error);

/*
 * Reset all devices of an address space that are open. The answer's body is worker_reset[]; when a
 * device could not be reset it is ERROR_KERNEL, which names each that could not, and why.
 * ERROR_BUSY and ERROR_RECOVERY_FAILED for each PE of the address space, as above; a frozen one is
 * told of like any other failure.
 */
int space_reset(struct space *space, worker_answer_handler handler, void *userdata,
		struct error *error);
