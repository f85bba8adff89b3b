/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cleanup attributes: a variable marked with one is released when its scope ends. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(function) __attribute__((cleanup(function)))

/* Take what a variable holds and leave its empty value behind: ownership moves to the caller. */
#define steal_pointer(pointer)                           \
	({                                               \
		__typeof__(pointer) stolen_ = (pointer); \
		(pointer) = NULL;                        \
		stolen_;                                 \
	})

static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

/* Close a valid fd, keep errno, return -1 to assign. EINTR is not retried: on Linux the fd is gone.
 */
static inline int fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0) {
		(void)close(fd);
	}
	errno = saved;
	return -1;
}

static inline void cleanup_fd(int *fd)
{
	*fd = fd_close(*fd);
}

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_file(FILE **file)
{
	if (*file) {
		(void)fclose(*file);
	}
}
