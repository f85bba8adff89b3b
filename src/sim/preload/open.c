/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening: nodes, files of the simulated host's trees, and what the process's status says. */
#include <errno.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sim/client.h"
#include "sim/preload/preload.h"
#include "sim/preload/real.h"

#define STATUS_SIZE 16384

/* the process's status */

/* The line of the locked memory, which the simulated kernel charged: the real one locks nothing. */
static void put_locked(char *status, size_t size, uint64_t bytes)
{
	static const char key[] = "\nVmLck:";
	char *line = strstr(status, key);
	char *end = line ? strchr(line + 1, '\n') : NULL;
	char text[64];
	size_t length;
	size_t rest;

	if (!end) {
		return;
	}
	bytes += strtoull(line + sizeof(key) - 1, NULL, 10) * 1024;
	/* As fs/proc/task_mmu.c prints it (task_mem). */
	length = (size_t)snprintf(text, sizeof(text), "\nVmLck:\t%8" PRIu64 " kB", bytes / 1024);
	rest = strlen(end) + 1;
	if ((size_t)(line - status) + length + rest <= size) {
		memmove(line + length, end, rest);
		memcpy(line, text, length);
	}
}

static size_t read_status(const char *path, char *text, size_t size)
{
	int fd = REAL(openat)(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t got = 1;

	while (fd >= 0 && got > 0 && length < size - 1) {
		got = REAL(read)(fd, text + length, size - 1 - length);
		length += got > 0 ? (size_t)got : 0;
	}
	if (fd >= 0) {
		(void)REAL(close)(fd);
	}
	text[length] = '\0';
	return length;
}

/* A file with the text, for reading from its start. */
static int make_file(const char *name, const char *text, bool closes)
{
	size_t length = strlen(text);
	int fd = memfd_create(name, closes ? MFD_CLOEXEC : 0);

	if (fd < 0) {
		return -1;
	}
	if (REAL(write)(fd, text, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET) < 0) {
		(void)REAL(close)(fd);
		errno = EIO;
		return -1;
	}
	return fd;
}

static int open_status(const char *path, int flags)
{
	struct kernel *kernel = preload_kernel_if_connected();
	uint64_t bytes = 0;
	char *text;
	int fd;

	/* Of a process that has nothing to do with the host, nothing is locked there. */
	if (!kernel || flags & O_PATH || (flags & O_ACCMODE) != O_RDONLY ||
	    sim_kernel_locked(kernel, &bytes) < 0) {
		return REAL(openat)(AT_FDCWD, path, flags, 0);
	}
	text = malloc(STATUS_SIZE);
	if (!text) {
		errno = ENOMEM;
		return -1;
	}
	(void)read_status(path, text, STATUS_SIZE);
	put_locked(text, STATUS_SIZE, bytes);
	fd = make_file("status", text, flags & O_CLOEXEC);
	free(text);
	return fd;
}

/* nodes */

/* What the modes of the nodes allow. What else is wrong is found later. */
static bool may_open(const char *path, int flags)
{
	static const int wanted[] = {
		[O_RDONLY] = R_OK, [O_WRONLY] = W_OK, [O_RDWR] = R_OK | W_OK, [O_ACCMODE] = F_OK};

	return REAL(faccessat)(AT_FDCWD, path, wanted[flags & O_ACCMODE], AT_EACCESS) == 0 ||
	       errno != EACCES;
}

static int open_node(const struct preload_path *path, int flags)
{
	struct kernel *kernel = preload_kernel();
	int saved = errno;
	int fd;

	if (!kernel) {
		return -1;
	}
	if (!may_open(path->use, flags)) {
		return -1;
	}
	fd = kernel_open_node(kernel, path->name);
	if (fd < 0) {
		errno = -fd;
		return -1;
	}
	if (flags & O_DIRECTORY) {
		(void)REAL(close)(fd);
		errno = ENOTDIR;
		return -1;
	}
	if (!(flags & O_CLOEXEC)) {
		(void)REAL(fcntl)(fd, F_SETFD, 0);
	}
	preload_fd_note(fd, true);
	errno = saved;
	return fd;
}

int preload_open(const struct preload_path *path, int flags, mode_t mode)
{
	if (path->kind == PRELOAD_NODE && !(flags & O_PATH)) {
		return open_node(path, flags);
	}
	if (path->kind == PRELOAD_STATUS) {
		return open_status(path->use, flags);
	}
	return REAL(openat)(AT_FDCWD, path->use, flags, mode);
}

/* the calls */

static int open_at(int dirfd, const char *given, int flags, mode_t mode)
{
	struct preload_path path;
	int fd;

	if (!preload_is_on()) {
		return REAL(openat)(dirfd, given, flags, mode);
	}
	preload_path_find(&path, dirfd, given);
	fd = path.kind == PRELOAD_OTHER ? REAL(openat)(dirfd, given, flags, mode)
					: preload_open(&path, flags, mode);
	/* A number that was closed where nobody saw it is another file now. */
	if (fd >= 0 && path.kind != PRELOAD_NODE) {
		preload_fd_note(fd, false);
	}
	return fd;
}

/* There is a mode only when a file may be made. */
#define MODE_ARGUMENT(flags)                                               \
	({                                                                 \
		mode_t mode_ = 0;                                          \
		if ((flags)&O_CREAT || ((flags)&O_TMPFILE) == O_TMPFILE) { \
			va_list arguments_;                                \
			va_start(arguments_, flags);                       \
			mode_ = va_arg(arguments_, mode_t);                \
			va_end(arguments_);                                \
		}                                                          \
		mode_;                                                     \
	})

PRELOAD_EXPORT int open(const char *path, int flags, ...)
{
	return open_at(AT_FDCWD, path, flags, MODE_ARGUMENT(flags));
}

PRELOAD_EXPORT int open64(const char *path, int flags, ...)
{
	return open_at(AT_FDCWD, path, flags, MODE_ARGUMENT(flags));
}

PRELOAD_EXPORT int openat(int dirfd, const char *path, int flags, ...)
{
	return open_at(dirfd, path, flags, MODE_ARGUMENT(flags));
}

PRELOAD_EXPORT int openat64(int dirfd, const char *path, int flags, ...)
{
	return open_at(dirfd, path, flags, MODE_ARGUMENT(flags));
}

PRELOAD_EXPORT int creat(const char *path, mode_t mode)
{
	return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

PRELOAD_EXPORT int creat64(const char *path, mode_t mode)
{
	return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* What programs that were compiled with _FORTIFY_SOURCE call when there is no mode. */

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);

PRELOAD_EXPORT int __open_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

PRELOAD_EXPORT int __open64_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

PRELOAD_EXPORT int __openat_2(int dirfd, const char *path, int flags)
{
	return open_at(dirfd, path, flags, 0);
}

PRELOAD_EXPORT int __openat64_2(int dirfd, const char *path, int flags)
{
	return open_at(dirfd, path, flags, 0);
}
