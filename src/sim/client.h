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
 *   memory      behind an address that kernel_map gave lies a file, whose pages stay pinned as a
 *               kernel's would. Any other memory of the process can be registered as well: bytes
 *               are moved where they lie, but what is unmapped while it is registered is gone
 *               (sim/process_memory.h). A process that may not open its /proc/self has only
 *               kernel_map.
 *
 * A forked child must not use its parent's kernel; it makes its own from a connection that was made
 * for it. What a process maps or registers is its own in any case.
 */
#pragma once

#include <stdbool.h>

#include "host/kernel.h"
#include "sim/ioctls.h"

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

/* Connect to the socket at which a simulated host listens. 0 or -errno. */
int sim_connect(const char *path, int *ret_connection);

/* for the library that puts itself between a program and its system calls (sim/preload/preload.h)
 */

struct sim_kernel_options {
	bool careful;     /* arguments may point anywhere: EFAULT, as a kernel has it */
	bool new_program; /* the process executes another program than before: a new mm */
	int first_fd;     /* connections have numbers from here on, as far as there are such */
	/* Told of each connection that is made or about to be closed. NULL: nobody is. */
	void (*note_connection)(int fd, bool is_open);
};

int sim_kernel_new_with(int connection, const struct sim_kernel_options *options,
			struct kernel **ret_kernel);

/* What stands for /dev in the simulated host, as far as names go. Lives as long as sim. */
const char *sim_kernel_dev_root(const struct kernel *sim);

/* The page shift of the simulated host's kernel. */
unsigned int sim_kernel_page_shift(const struct kernel *sim);

/* Which node an open fd is, and a group's number. 0; ENOTTY (negative): none of this host; other
 * errnos as of an ioctl. */
int sim_kernel_identify(struct kernel *sim, int fd, enum sim_node_kind *ret_kind,
			unsigned int *ret_number);

/* What to mmap instead of a node's fd: a file, owned by the caller, and an offset in it. 0 or
 * -errno. */
int sim_kernel_find_region(struct kernel *sim, int fd, uint64_t offset, size_t length, int prot,
			   int *ret_fd, uint64_t *ret_offset);

/* The offset for kernel_read and kernel_write that goes on where the last one ended, as read(2) and
 * write(2) do. */
#define SIM_KERNEL_OFFSET_CURRENT UINT64_MAX

/* Bytes that the simulated kernel charged to this process. 0 or -errno. */
int sim_kernel_locked(struct kernel *sim, uint64_t *ret_bytes);

/* Around fork, where another thread may be in a call: hold the locks before it, let go of them in
 * the parent, and let go of all that is the parent's in the child. */
void sim_kernel_before_fork(struct kernel *kernel);
void sim_kernel_after_fork_in_parent(struct kernel *kernel);
void sim_kernel_after_fork_in_child(struct kernel *kernel);
