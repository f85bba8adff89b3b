/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting a simulated host as a child process. */
#pragma once

#include <sys/types.h>

/*
 * Start program (the path of spaprd-simhost) for the built-in host of that name ("powernv9", or
 * NULL for the default) and return the first connection to it, CLOEXEC, and its pid, which the
 * caller reaps. The host ends by itself, removing its sysfs tree, when all connections have closed.
 *
 * Returns when the host is ready: 0 or -errno. ENODEV: there is no host of that name; EIO: it ended
 * before it was ready; ETIMEDOUT: it was not ready in time; ENOENT and the like: the program can't
 * be executed. On failure there is no child left.
 */
int sim_launch(const char *program, const char *host, int *ret_connection, pid_t *ret_pid);
