/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether the host itself uses a device, so that taking it away would hurt: the kernel takes a disk
 * from under a mounted file system, and an interface with its addresses and routes, without a word.
 *
 * Concepts
 *   disk       a block device below the device in sysfs, or one of an NVMe subsystem that has a
 *              controller there; with what is built on it (partitions, dm, md), by `holders`. In
 *              use: mounted (mountinfo, by number or by source), or a swap.
 *   interface  a network interface below the device, with those above it (bond, bridge, VLAN), by
 *              `master` and `upper_*`. In use: it carries a default route, IPv4 or IPv6.
 */
#pragma once

#include "common/error.h"

/* 0, ERROR_BUSY that names the mount point, swap or interface, or ERROR_KERNEL: it can't be known.
 */
int host_use_check(const char *sysfs_root, const char *proc, const char *device,
		   struct error *error);
