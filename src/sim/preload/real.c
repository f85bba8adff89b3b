/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/preload/real.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* system calls */

static int call_openat(int dirfd, const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = va_arg(arguments, mode_t);
	va_end(arguments);
	return (int)syscall(SYS_openat, dirfd, path, flags, mode);
}

static int call_close(int fd)
{
	return (int)syscall(SYS_close, fd);
}

static int call_close_range(unsigned int first, unsigned int last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

static int call_dup(int fd)
{
	return (int)syscall(SYS_dup, fd);
}

static int call_dup3(int fd, int to, int flags)
{
	return (int)syscall(SYS_dup3, fd, to, flags);
}

static int call_dup2(int fd, int to)
{
	/* Onto itself dup3 fails. */
	if (fd == to) {
		return syscall(SYS_fcntl, fd, F_GETFD) < 0 ? -1 : fd;
	}
	return call_dup3(fd, to, 0);
}

static int call_fcntl(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return (int)syscall(SYS_fcntl, fd, command, argument);
}

static int call_ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return (int)syscall(SYS_ioctl, fd, request, argument);
}

static ssize_t call_read(int fd, void *data, size_t size)
{
	return syscall(SYS_read, fd, data, size);
}

static ssize_t call_write(int fd, const void *data, size_t size)
{
	return syscall(SYS_write, fd, data, size);
}

static ssize_t call_pread(int fd, void *data, size_t size, off_t offset)
{
	return syscall(SYS_pread64, fd, data, size, offset);
}

static ssize_t call_pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return syscall(SYS_pwrite64, fd, data, size, offset);
}

static ssize_t call_readv(int fd, const struct iovec *parts, int count)
{
	return syscall(SYS_readv, fd, parts, count);
}

static ssize_t call_writev(int fd, const struct iovec *parts, int count)
{
	return syscall(SYS_writev, fd, parts, count);
}

/* The upper half of the offset is for machines where a register holds no more than the lower. */
static ssize_t call_preadv(int fd, const struct iovec *parts, int count, off_t offset)
{
	return syscall(SYS_preadv, fd, parts, count, offset, 0);
}

static ssize_t call_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	return syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

static void *call_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	return (void *)syscall(SYS_mmap, address, length, prot, flags, fd, offset);
}

static int call_munmap(void *address, size_t length)
{
	return (int)syscall(SYS_munmap, address, length);
}

static int call_fstatat(int dirfd, const char *path, struct stat *status, int flags)
{
	return (int)syscall(SYS_newfstatat, dirfd, path, status, flags);
}

static int call_fstat(int fd, struct stat *status)
{
	return (int)syscall(SYS_fstat, fd, status);
}

static int call_statx(int dirfd, const char *path, int flags, unsigned int mask,
		      struct statx *status)
{
	return (int)syscall(SYS_statx, dirfd, path, flags, mask, status);
}

static int call_faccessat(int dirfd, const char *path, int mode, int flags)
{
	return (int)syscall(SYS_faccessat2, dirfd, path, mode, flags);
}

static ssize_t call_readlinkat(int dirfd, const char *path, char *text, size_t size)
{
	return syscall(SYS_readlinkat, dirfd, path, text, size);
}

static int call_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

static int call_socket(int domain, int type, int protocol)
{
	return (int)syscall(SYS_socket, domain, type, protocol);
}

static int call_bind(int fd, const struct sockaddr *address, socklen_t size)
{
	return (int)syscall(SYS_bind, fd, address, size);
}

static int call_getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
	return (int)syscall(SYS_getsockname, fd, address, size);
}

static int call_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	return (int)syscall(SYS_setsockopt, fd, level, name, value, size);
}

static ssize_t call_recvmsg(int fd, struct msghdr *message, int flags)
{
	return syscall(SYS_recvmsg, fd, message, flags);
}

static ssize_t call_recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *address,
			     socklen_t *address_size)
{
	return syscall(SYS_recvfrom, fd, data, size, flags, address, address_size);
}

struct real_functions real_functions = {
	.openat = call_openat,
	.close = call_close,
	.close_range = call_close_range,
	.dup = call_dup,
	.dup2 = call_dup2,
	.dup3 = call_dup3,
	.fcntl = call_fcntl,
	.ioctl = call_ioctl,
	.read = call_read,
	.write = call_write,
	.pread = call_pread,
	.pwrite = call_pwrite,
	.readv = call_readv,
	.writev = call_writev,
	.preadv = call_preadv,
	.pwritev = call_pwritev,
	.mmap = call_mmap,
	.munmap = call_munmap,
	.fstatat = call_fstatat,
	.fstat = call_fstat,
	.statx = call_statx,
	.faccessat = call_faccessat,
	.readlinkat = call_readlinkat,
	.inotify_add_watch = call_inotify_add_watch,
	.socket = call_socket,
	.bind = call_bind,
	.getsockname = call_getsockname,
	.setsockopt = call_setsockopt,
	.recvmsg = call_recvmsg,
	.recvfrom = call_recvfrom,
};

/* looking up */

#define FIND(name)                                              \
	do {                                                    \
		void *found = dlsym(RTLD_NEXT, #name);          \
		if (found) {                                    \
			*(void **)&real_functions.name = found; \
		}                                               \
	} while (0)

void real_functions_find(void)
{
	FIND(openat);
	FIND(close);
	FIND(close_range);
	FIND(dup);
	FIND(dup2);
	FIND(dup3);
	FIND(fcntl);
	FIND(ioctl);
	FIND(read);
	FIND(write);
	FIND(pread);
	FIND(pwrite);
	FIND(readv);
	FIND(writev);
	FIND(preadv);
	FIND(pwritev);
	FIND(mmap);
	FIND(munmap);
	FIND(fstatat);
	FIND(fstat);
	FIND(statx);
	FIND(faccessat);
	FIND(readlinkat);
	FIND(inotify_add_watch);
	FIND(socket);
	FIND(bind);
	FIND(getsockname);
	FIND(setsockopt);
	FIND(recvmsg);
	FIND(recvfrom);
}

void *real_function_look_up(void **cache, const char *name)
{
	void *found = __atomic_load_n(cache, __ATOMIC_ACQUIRE);

	if (!found) {
		found = dlsym(RTLD_NEXT, name);
		__atomic_store_n(cache, found, __ATOMIC_RELEASE);
	}
	return found;
}

/* What the sources that are shared with other programs call: never the diverted functions. The
 * linker directs their calls here (--wrap). */

int __wrap_open(const char *path, int flags, ...);
int __wrap_close(int fd);
int __wrap_fcntl(int fd, int command, ...);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __wrap_readlink(const char *path, char *text, size_t size);
int __wrap_fstat(int fd, struct stat *status);
void *__wrap_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *address, size_t length);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
long __wrap_sysconf(int name);

int __wrap_open(const char *path, int flags, ...)
{
	return REAL(openat)(AT_FDCWD, path, flags, 0);
}

int __wrap_close(int fd)
{
	return REAL(close)(fd);
}

int __wrap_fcntl(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return REAL(fcntl)(fd, command, argument);
}

ssize_t __wrap_read(int fd, void *data, size_t size)
{
	return REAL(read)(fd, data, size);
}

ssize_t __wrap_readlink(const char *path, char *text, size_t size)
{
	return REAL(readlinkat)(AT_FDCWD, path, text, size);
}

int __wrap_fstat(int fd, struct stat *status)
{
	return REAL(fstat)(fd, status);
}

void *__wrap_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	return REAL(mmap)(address, length, prot, flags, fd, offset);
}

int __wrap_munmap(void *address, size_t length)
{
	return REAL(munmap)(address, length);
}

int __wrap_socket(int domain, int type, int protocol)
{
	return REAL(socket)(domain, type, protocol);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	return REAL(setsockopt)(fd, level, name, value, size);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	return REAL(recvmsg)(fd, message, flags);
}

long __wrap_sysconf(int name)
{
	return REAL_LOOKED_UP(sysconf)(name);
}
