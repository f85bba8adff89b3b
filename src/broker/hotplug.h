/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices and groups that come and go: the kernel's uevents are listened to, and topology and
 * records are brought up to date from sysfs. A uevent says what to look at; what is true is what
 * sysfs says then. Only that something was away for a moment is taken from the uevent itself.
 *
 * Concepts
 *   lost     when uevents come faster than they are read the kernel drops some (ENOBUFS):
 *            everything is compared then
 *   settling not all is there when its uevent comes: on powernv a device gets its group after it
 * was added (pcibios_bus_add_device), and a group goes after its last device
 *            (pnv_pci_release_device). So what is open is looked at again a few times.
 *
 * A group whose node goes, or which goes itself, while an address space has it, is taken from that
 * at once (broker/release.h).
 */
#pragma once

#include "broker/manager.h"

struct hotplug;

/*
 * Begin to listen, and compare once, for what happened since the topology was read. 0, or
 * ERROR_KERNEL: the kernel has no uevents for us.
 */
int hotplug_new(struct manager *manager, struct hotplug **ret_hotplug, struct error *error);

/* Takes NULL, returns NULL. To be freed before the manager. */
struct hotplug *hotplug_free(struct hotplug *hotplug);
