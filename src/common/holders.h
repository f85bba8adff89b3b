/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which processes have a file open, as /proc tells. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * The processes that have an fd whose link in PROC/PID/fd reads as this: "/dev/vfio/7",
 * "socket:[1234]". Links are read and not followed, so that no dead file server is asked. Processes
 * whose fds this one may not see are left out: those of other users, unless it is root.
 *
 * How many were written to ret_pids, at most `most`, or -errno where PROC can't be read.
 */
int holders_find(const char *proc, const char *link, pid_t *ret_pids, size_t most);

#define HOLDER_NAME_SIZE 32U

/* The name of a process (PROC/PID/comm) without characters that a terminal acts upon; "?" where it
 * can't be read. */
void holder_name(const char *proc, pid_t pid, char ret_name[static HOLDER_NAME_SIZE]);
