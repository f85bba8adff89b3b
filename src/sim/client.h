/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel seam over a simulated host, which is a process of its own (spaprd-simhost).
 *
 * Concepts
 *   connection  a packet socket to the simulated host. It can be handed to another process, which
 *               makes a kernel of its own from it; so all see the same host.
 *   node        what kernel_open_node returns is a socket, too: it can be passed and duplicated,
 *               and its last close anywhere is the release that a kernel would see.
 *   caller      the simulated host takes the calling process from the credentials of each packet:
 *               a container belongs to the process that first registered memory or created a
 *               window, and any other gets EPERM.
 *
 * Memory that is going to be registered must be mapped by kernel_map: what stands behind any other
 * address is unknown to the simulated host, and registering it is EFAULT.
 *
 * A forked child must not use its parent's kernel; it makes its own from a connection that was made
 * for it. What a process maps or registers is its own in any case. A process that executes another
 * program is still the same caller, where a real kernel would see a new one.
 */
#pragma once

#include "host/kernel.h"

/*
 * The kernel of the simulated host at the other end of connection, which is taken (on failure,
 * too). Asks the host for its sysfs root. 0 or -errno: EPIPE when the host is gone, EPROTO when the
 * peer is no simulated host of this version.
 */
int sim_kernel_new(int connection, struct kernel **ret_kernel);

/*
 * One more connection to the same simulated host, CLOEXEC and blocking, for another process or for
 * the verbs of sim/control.h. sim must come from sim_kernel_new. The caller owns *ret_connection.
 * 0 or -errno.
 */
int sim_connection_new(struct kernel *sim, int *ret_connection);
