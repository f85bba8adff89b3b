/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libspaprd-sim.so: puts itself between a program and its system calls (LD_PRELOAD), so that the
 * program finds a simulated host where it looks for VFIO. Set up by `spaprctl sim exec`, through
 * the environment (common/names.h); without that it leaves everything alone.
 *
 * Concepts
 *   diverted path   below /dev/vfio, /dev/kvm, or one of those parts of /sys and /proc that tell of
 *                   PCI devices, IOMMUs, VFIO and firmware. Its files are looked for in the
 *                   simulated host's trees; what is not there is not there, whatever this machine
 *                   has.
 *   node            an open fd of the simulated host. It is a socket in truth. What is known of
 *                   each fd is one byte, read without a lock, so that calls on others cost nothing.
 *   private fd      a connection of this library. It has a high number, and the program can't close
 *                   it.
 *   real function   the next one of that name, or, before the dynamic linker has come to this
 *                   library, the system call itself: nothing here allocates memory, takes a lock
 *                   or looks for symbols until the program opens something diverted.
 *
 * Which calls of libraries never come by here: those that a C library makes inside itself, and
 * system calls made by syscall(2). The functions that open or look at a path for the program
 * (fopen, opendir, realpath, glob, nftw, ...) are therefore diverted by themselves.
 *
 * After fork the child makes a connection of its own when it needs one. In the child of a vfork,
 * which shares its parent's memory, nothing is noted down.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "host/kernel.h"
#include "sim/ioctls.h"

#define PRELOAD_EXPORT __attribute__((visibility("default")))

/* What a path stands for. */
enum preload_kind {
	PRELOAD_OTHER,  /* nothing of ours */
	PRELOAD_FILE,   /* a file or directory in one of the simulated host's trees, or one
			   outside that a way leads to which begins there */
	PRELOAD_NODE,   /* the name of a node, to be opened by it */
	PRELOAD_STATUS, /* the process's own /proc/PID/status */
};

/* A path as the program gave it, and what to use instead. */
struct preload_path {
	enum preload_kind kind;
	const char *use; /* what to open or look at: in text, or what was given */
	char text[PATH_MAX];
	char name[PATH_MAX]; /* PRELOAD_NODE: its usual name, "/dev/vfio/vfio" */
};

/* The simulated host's trees. Returns false when the names are too long. */
bool preload_paths_set(const char *sysfs_root, const char *dev_root);

/* Find out what a path, below dirfd unless absolute, stands for. Keeps errno. */
void preload_path_find(struct preload_path *path, int dirfd, const char *given);

/* Replace a tree of the simulated host, at the start of text, by what it stands for, which is
 * shorter. Returns whether it was there. */
bool preload_path_restore(char *text);

/* state (state.c) */

/* Whether there is a simulated host at all. */
bool preload_is_on(void);

/* The page size that the program is to see, when it is larger than this machine's; else 0. */
size_t preload_page_size(void);

/* The simulated host's kernel, connected to when it is needed first; NULL with errno when it can't
 * be had. */
struct kernel *preload_kernel(void);

/* The same, but NULL when nothing was connected yet. */
struct kernel *preload_kernel_if_connected(void);

/* fds (state.c) */

/* Whether an fd may be a node: cheap, and true for some that turn out to be none. */
bool preload_fd_may_be_node(int fd);

/* Note that it may, or that it surely isn't one. */
void preload_fd_note(int fd, bool may_be_node);

/* Note that an fd is the duplicate of another. */
void preload_fd_note_duplicate(int fd, int of);

/* One of this library's own, which the program has no business with. */
bool preload_fd_is_private(int fd);

/* Whether an fd is a node, and which; asks the simulated host if need be. Keeps errno. */
bool preload_fd_find(int fd, enum sim_node_kind *ret_kind, unsigned int *ret_number);

/* The same for an fd of which nothing was noted: one that came from elsewhere. */
bool preload_fd_find_unnoted(int fd, enum sim_node_kind *ret_kind, unsigned int *ret_number);

/* what nodes look like (stat.c) */

/* Make what stat says of a name in the simulated /dev, or of a node's fd, what it is to say. */
void preload_fill_stat(struct stat *status, enum sim_node_kind kind, unsigned int number);

/* An open of something diverted: an fd, or -1 with errno. */
int preload_open(const struct preload_path *path, int flags, mode_t mode);

/* Return a result as system calls do: -errno becomes -1 and errno. */
long preload_result(long result);
