/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices that the kernel asks back, and groups that are taken from their owners.
 *
 * Concepts
 *   request   somebody unbinds or unplugs a device that is open, and the kernel waits for its
 * users, without an end (vfio_unregister_group_dev). It rings the device's request interrupt at
 *             once, and again every ten seconds (vfio_pci_core_request).
 *   deadline  from the first ring on, for as long as policy says. Until then it is the owner's turn
 *             to detach the group, or close the address space. Another ring doesn't move it.
 *             No reset of the group's PE is begun from then on (pe_asked_back).
 *   taking    at the deadline the group is detached by force (WORKER_DETACH_FORCE): its devices are
 *             stopped and closed, what is mapped goes along with the last container, and other
 *             containers are not touched. A group whose devices are gone already is taken at once,
 *             since the kernel has taken it out of its container, and has cleared the mappings of
 *             those that share that (field note H33). A worker that is busy with the group is asked
 *             once more, a second later.
 *   holder    a program that has a copy of the device's fd: the kernel waits on for that, which
 *             nobody here can help; it is named in the journal, once and then every hour.
 */
#pragma once

#include <stdbool.h>

#include "broker/device.h"

/*
 * The eventfd that the request interrupt of a device is to ring, made and watched from the first
 * call on: send it along with WORKER_OPEN_DEVICE. It stays the device's, until that is closed; and
 * when the kernel waits for it then, until it has it. -1: there is none, and the kernel's wish will
 * not be heard.
 */
int release_event(struct manager *manager, struct host_device *device);

/* The device was closed: nothing is asked of anybody any more. Tells the observer. */
void release_end(struct host_device *device);

/*
 * Take a group from its address space, as soon as may be; only_gone: if its devices are gone, which
 * its worker knows. Nothing happens when no address space has it, or one that is being closed.
 */
void release_take(struct manager *manager, struct group *group, bool only_gone);

/* The group has left its address space, however that came: it is not to be taken from the next. */
void release_group_left(struct group *group);

/* Free what a device, or a group, has of this: the records end, or the kernel has the device. */
void release_done(struct host_device *device);
void release_done_group(struct group *group);
