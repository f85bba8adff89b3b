/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program that serves a simulated host to several processes. Its protocol: sim/protocol.h. */
#pragma once

#include "sim/host.h"

#define SIMHOST_EXIT_FAILURE 1
#define SIMHOST_EXIT_USAGE   2 /* wrong options, or a host that isn't known */

struct simhost_options {
	int socket_fd;           /* a first connection, taken; -1 for none */
	const char *listen_path; /* where to listen; NULL for nowhere */
};

/*
 * Serve the host until SIGTERM; with a first connection, also until the last connection has closed.
 * Makes the sysfs tree, and removes it. 0 or -errno.
 */
int simhost_run(const struct sim_host *host, const struct simhost_options *options);
