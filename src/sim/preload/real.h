/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The functions that this library stands in front of.
 *
 * REAL(name) is the next function of that name, as soon as the library is initialised; before, and
 * where there is none, a system call stands for it. Functions that are no system calls have none,
 * and are looked up when they are first called (REAL_LOOKED_UP).
 */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

struct real_functions {
	int (*openat)(int dirfd, const char *path, int flags, ...);
	int (*close)(int fd);
	int (*close_range)(unsigned int first, unsigned int last, int flags);
	int (*dup)(int fd);
	int (*dup2)(int fd, int to);
	int (*dup3)(int fd, int to, int flags);
	int (*fcntl)(int fd, int command, ...);
	int (*ioctl)(int fd, unsigned long request, ...);
	ssize_t (*read)(int fd, void *data, size_t size);
	ssize_t (*write)(int fd, const void *data, size_t size);
	ssize_t (*pread)(int fd, void *data, size_t size, off_t offset);
	ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset);
	ssize_t (*readv)(int fd, const struct iovec *parts, int count);
	ssize_t (*writev)(int fd, const struct iovec *parts, int count);
	ssize_t (*preadv)(int fd, const struct iovec *parts, int count, off_t offset);
	ssize_t (*pwritev)(int fd, const struct iovec *parts, int count, off_t offset);
	void *(*mmap)(void *address, size_t length, int prot, int flags, int fd, off_t offset);
	int (*munmap)(void *address, size_t length);
	int (*fstatat)(int dirfd, const char *path, struct stat *status, int flags);
	int (*fstat)(int fd, struct stat *status);
	int (*statx)(int dirfd, const char *path, int flags, unsigned int mask,
		     struct statx *status);
	int (*faccessat)(int dirfd, const char *path, int mode, int flags);
	ssize_t (*readlinkat)(int dirfd, const char *path, char *text, size_t size);
	int (*inotify_add_watch)(int fd, const char *path, uint32_t mask);
	int (*socket)(int domain, int type, int protocol);
	int (*bind)(int fd, const struct sockaddr *address, socklen_t size);
	int (*getsockname)(int fd, struct sockaddr *address, socklen_t *size);
	int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t size);
	ssize_t (*recvmsg)(int fd, struct msghdr *message, int flags);
	ssize_t (*recvfrom)(int fd, void *data, size_t size, int flags, struct sockaddr *address,
			    socklen_t *address_size);
};

extern struct real_functions real_functions;

#define REAL(name) (real_functions.name)

/* Look all of the above up. */
void real_functions_find(void);

/* The next function of that name, found once: REAL_LOOKED_UP(fopen)(path, mode). */
void *real_function_look_up(void **cache, const char *name);

#define REAL_LOOKED_UP(name)                                                \
	({                                                                  \
		static void *cache_;                                        \
		(__typeof__(&(name)))real_function_look_up(&cache_, #name); \
	})
