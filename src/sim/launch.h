/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting a simulated host as a child process. */
#pragma once

#include <sys/types.h>

/*
 * Start program (the path of spaprd-simhost) for the host that a text names (sim_host_open; NULL is
 * SIM_HOST_DEFAULT) and return the first connection to it, CLOEXEC, and its pid, which the caller
 * reaps. The host ends by itself, removing its sysfs tree, when all connections have closed.
 *
 * Returns when the host is ready: 0 or -errno. ENODEV: there is no such host, or something in its
 * settings or files is wrong, which the program has said on standard error; EIO: it ended before it
 * was ready; ETIMEDOUT: it was not ready in time; ENOENT and the like: the program can't be
 * executed. On failure there is no child left.
 */
int sim_launch(const char *program, const char *host, int *ret_connection, pid_t *ret_pid);

/* The same with a host that also listens at a socket, which it makes at listen_path, for those that
 * come later (sim_connect). It ends when the last connection has closed, all the same. */
int sim_launch_listening(const char *program, const char *host, const char *listen_path,
			 int *ret_connection, pid_t *ret_pid);
