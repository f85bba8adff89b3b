/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host that the questions are put to: the simulated one or, when SPAPRD_TEST_WORLD=real, the
 * running kernel. Both have the devices of integration/world.h, each alone in its group but for
 * the one that is not viable.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "host/kernel.h"

struct host {
	bool real;
	struct kernel *kernel;
	int control;   /* a connection for the simulated host's own verbs, else -1 */
	pid_t simhost; /* else 0 */
};

#define HOST_NONE ((struct host){.control = -1})

/* False on a real host whose answers are known to be other ones: what was measured is powernv9,
 * which powernv10 is like, with pages of 4 KiB. */
bool host_is_asked_about(void);

/*
 * Start the simulated host, or use the real one. With a limit (not 0) each process may lock so many
 * bytes of the simulated host's; on the real one a process sets its own.
 */
void host_start(struct host *host, uint64_t memlock_limit);
/* Fails the test when the simulated host doesn't end in order. */
void host_stop(struct host *host);

/*
 * A host is used by one process only. Connections for another are made before it is forked, by
 * host_share, and it takes them with host_adopt, in place of its parent's.
 */
void host_share(const struct host *host, struct host *ret_shared, int *ret_connection);
void host_adopt(struct host *host, const struct host *shared, int connection);

/* What the kernel has locked for the calling process, in KiB. */
uint64_t host_locked_kib(const struct host *host);

/* How often the simulated host was driven beyond the end of a table. */
uint64_t host_damage(const struct host *host);

/* Have a device ready for DMA. */
void host_prepare_dma(const struct host *host, const char *device);

/*
 * Have a device read `size` bytes (4096 at most) at an IOVA and write them to another. The device
 * keeps what it last read, so a read that fails lets the write carry old bytes.
 */
void host_copy_by_dma(const struct host *host, const char *device, uint64_t source, uint64_t target,
		      uint32_t size);
