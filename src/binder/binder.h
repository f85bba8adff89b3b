/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Binding the devices of a group to a driver and giving them back, as one transaction.
 *
 * Concepts
 *   check     everything that can be known is looked at before anything is written: the devices
 *             are those of the group, the driver is there, nobody uses them.
 *   record    what a device was bound to and what its driver_override said is written to a file
 *             (binder/state.h) before it is touched, so that a crash loses nothing.
 *   verify    drivers_probe succeeds whether or not a driver took the device (bus_rescan_devices_
 *             helper), so the device's `driver` link is what counts.
 *   undo      when a step fails, all that was changed goes back in reverse. What can't be undone is
 *             told, and stays in the record for a later Restore.
 *   override  stays while a device is bound, so that no other probe takes it; Restore clears it
 *             with "\n", since an empty write changes nothing (driver_set_override).
 *   bridge    keeps its driver: pcieport lets VFIO have the group.
 */
#pragma once

#include <stddef.h>

#include "common/bind_protocol.h"
#include "host/kernel.h"

struct binder {
	struct kernel *kernel;
	const char *state; /* the folder of the records */
	const char *proc;  /* "/proc" */
};

/* Serve a request. The answer is filled in any case. */
void binder_serve(const struct binder *binder, const struct bind_request *request,
		  struct bind_answer *ret_answer);
