/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices as the broker sees them. One of a group that is in an address space is opened through the
 * worker that has its group. It stays open there until the group leaves, whatever becomes of the
 * fds that were given away (field note H45).
 */
#pragma once

#include <stdbool.h>

#include "broker/worker_process.h"
#include "common/error.h"
#include "host/topology.h"

struct group;
struct manager;

struct host_device {
	struct host_device *next; /* of the group's */
	const struct topology_device *host;
	struct group *group;
	void *face; /* the observer's own */
	bool open;  /* in its group's worker: the observer's device_changed tells when that changes
		     */
};

/* Devices of one group that may wait to be opened at the same time. */
#define DEVICE_OPENINGS_MAX 16U

/*
 * Have a device opened, or opened once more. The handler is called once, which may be before this
 * returns; a success has one
 * fd, the device, which is the caller's to duplicate. 0, or a code and the handler is not called:
 *
 * ERROR_NOT_FOUND        its group is in no address space
 * ERROR_FROZEN           its PE is frozen: opening would thaw it, and what happened would be lost
 * ERROR_BUSY             its PE is being recovered, or a reset of it is asserted
 * ERROR_RECOVERY_FAILED  its PE was given up
 * ERROR_QUOTA_EXCEEDED   DEVICE_OPENINGS_MAX wait
 * and what a worker answers to WORKER_OPEN_DEVICE.
 */
int device_open(struct manager *manager, struct host_device *device, worker_answer_handler handler,
		void *userdata, struct error *error);

/* For space.c: the group has left its address space, and with it all its devices were closed. */
void device_forget_group(struct manager *manager, struct group *group);
