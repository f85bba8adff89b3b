/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A dbus-daemon of the test's own, which ends with the test whatever happens to it. */
#pragma once

#include <sys/types.h>

struct private_bus {
	pid_t pid;
	char address[256];
};

#define PRIVATE_BUS_NONE ((struct private_bus){.pid = -1})

/*
 * Start a daemon on which everybody may do everything, and make it the system bus of this process
 * and its children (DBUS_SYSTEM_BUS_ADDRESS). It is ready when this returns. 0 or -errno.
 */
int private_bus_start(struct private_bus *ret_bus);

/* End the daemon. Its clients are disconnected. May be called twice. */
void private_bus_stop(struct private_bus *bus);
