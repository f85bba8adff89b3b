/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices that come and go, and the uevents that tell of it.
 *
 * Concepts
 *   unplugging  a device that is open is asked back by its request interrupt, at once and every ten
 *               seconds, and goes when its last file is closed, as the kernel's removal waits for
 *               it (vfio_unregister_group_dev). From the beginning on it can't be opened or reset
 * any more. revoking    a group whose last vfio device goes loses its node and its container. Who
 * has it open has an fd that answers ENODEV. When a device is plugged in again, the node is back;
 * other than with the kernel, which makes another group then, opening it answers EBUSY up to the
 * close of the old fd. uevent      "add@/devices/…" and its KEY=VALUE strings, each with a
 * terminating zero, as the kernel's netlink socket has it. A listener gets those after it began to
 * listen.
 *
 * The model's `changed` is called when the function itself comes or goes: before the uevents that
 * tell of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "sim/argument.h"

struct sim_model;

/* Begin, or do, the removal of a device. 0 or a code with the error filled: NotFound: there is no
 * such device, or it is unplugged; Busy: it is on its way already; Unsupported: it is a bridge. */
int sim_hotplug_unplug(struct sim_model *model, const char *device, struct error *error);

/* Bring a device of the host back that was unplugged. It is bound to the driver it had at the
 * start. 0 or a code with the error filled: NotFound; Busy: it is there; Kernel: no memory. */
int sim_hotplug_plug(struct sim_model *model, const char *device, struct error *error);

/* Go on with what waits: call it when a device file was closed, and at each tick (a second is often
 * enough). now_milliseconds is of any clock that never goes back. Returns whether something still
 * waits. */
bool sim_hotplug_tick(struct sim_model *model, uint64_t now_milliseconds);
