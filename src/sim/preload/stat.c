/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at files without opening them: stat and its kin, access, links. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/param.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "sim/preload/preload.h"
#include "sim/preload/real.h"

/* Device numbers: those of misc devices are fixed, VFIO's groups have one that a kernel chooses. */
#define MAJOR_MISC  10U
#define MINOR_VFIO  196U
#define MINOR_KVM   232U
#define MAJOR_GROUP 246U

#define MODE_CONTAINER 0666
#define MODE_GROUP     0600
#define MODE_KVM       0600

/* what nodes look like */

static void make_character_device(struct stat *status, mode_t mode, unsigned int major_number,
				  unsigned int minor_number)
{
	status->st_mode = S_IFCHR | mode;
	status->st_rdev = makedev(major_number, minor_number);
	status->st_size = 0;
}

void preload_fill_stat(struct stat *status, enum sim_node_kind kind, unsigned int number)
{
	switch (kind) {
	case SIM_NODE_CONTAINER:
		make_character_device(status, MODE_CONTAINER, MAJOR_MISC, MINOR_VFIO);
		break;
	case SIM_NODE_GROUP:
		make_character_device(status, MODE_GROUP, MAJOR_GROUP, number);
		break;
	case SIM_NODE_KVM:
		make_character_device(status, MODE_KVM, MAJOR_MISC, MINOR_KVM);
		break;
	case SIM_NODE_DEVICE:
	case SIM_NODE_KVM_VM:
	case SIM_NODE_KVM_VFIO:
	case SIM_NODE_KVM_TCE:
		status->st_mode = 0600; /* an anonymous inode has no type */
		break;
	case SIM_NODE_NONE:
	case SIM_NODE_UEVENTS:
		break;
	}
}

/* The file that has the node's name has its mode, which programs may have changed. */
static void fill_by_name(struct stat *status, const char *name)
{
	mode_t mode = status->st_mode & ~(mode_t)S_IFMT;

	if (strcmp(name, NODE_CONTAINER) == 0) {
		preload_fill_stat(status, SIM_NODE_CONTAINER, 0);
	} else if (strcmp(name, NODE_KVM) == 0) {
		preload_fill_stat(status, SIM_NODE_KVM, 0);
	} else {
		unsigned int number =
			(unsigned int)strtoul(name + strlen(NODE_GROUP_PREFIX), NULL, 10);

		preload_fill_stat(status, SIM_NODE_GROUP, number);
	}
	status->st_mode = (status->st_mode & S_IFMT) | mode;
}

/* stat */

static int stat_fd(int fd, struct stat *status)
{
	enum sim_node_kind kind;
	unsigned int number;
	int r = REAL(fstat)(fd, status);

	if (r == 0 && preload_fd_find(fd, &kind, &number)) {
		preload_fill_stat(status, kind, number);
	}
	return r;
}

static int stat_at(int dirfd, const char *given, struct stat *status, int flags)
{
	struct preload_path path;
	int r;

	if (!preload_is_on()) {
		return REAL(fstatat)(dirfd, given, status, flags);
	}
	if (flags & AT_EMPTY_PATH && given && !*given && dirfd != AT_FDCWD) {
		return stat_fd(dirfd, status);
	}
	preload_path_find(&path, dirfd, given);
	if (path.kind == PRELOAD_OTHER || path.kind == PRELOAD_STATUS) {
		return REAL(fstatat)(dirfd, given, status, flags);
	}
	r = REAL(fstatat)(AT_FDCWD, path.use, status, flags);
	if (r == 0 && path.kind == PRELOAD_NODE) {
		fill_by_name(status, path.name);
	}
	return r;
}

PRELOAD_EXPORT int stat(const char *path, struct stat *status)
{
	return stat_at(AT_FDCWD, path, status, 0);
}

PRELOAD_EXPORT int lstat(const char *path, struct stat *status)
{
	return stat_at(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

PRELOAD_EXPORT int fstat(int fd, struct stat *status)
{
	return stat_fd(fd, status);
}

PRELOAD_EXPORT int fstatat(int dirfd, const char *path, struct stat *status, int flags)
{
	return stat_at(dirfd, path, status, flags);
}

/* On 64-bit machines both structures are the same. */
_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "one stat for both sizes of offsets");

PRELOAD_EXPORT int stat64(const char *path, struct stat64 *status)
{
	return stat_at(AT_FDCWD, path, (struct stat *)status, 0);
}

PRELOAD_EXPORT int lstat64(const char *path, struct stat64 *status)
{
	return stat_at(AT_FDCWD, path, (struct stat *)status, AT_SYMLINK_NOFOLLOW);
}

PRELOAD_EXPORT int fstat64(int fd, struct stat64 *status)
{
	return stat_fd(fd, (struct stat *)status);
}

PRELOAD_EXPORT int fstatat64(int dirfd, const char *path, struct stat64 *status, int flags)
{
	return stat_at(dirfd, path, (struct stat *)status, flags);
}

/* What programs from before glibc 2.33 call. */

int __xstat(int version, const char *path, struct stat *status);
int __lxstat(int version, const char *path, struct stat *status);
int __fxstat(int version, int fd, struct stat *status);
int __fxstatat(int version, int dirfd, const char *path, struct stat *status, int flags);
int __xstat64(int version, const char *path, struct stat64 *status);
int __lxstat64(int version, const char *path, struct stat64 *status);
int __fxstat64(int version, int fd, struct stat64 *status);
int __fxstatat64(int version, int dirfd, const char *path, struct stat64 *status, int flags);

PRELOAD_EXPORT int __xstat(int version, const char *path, struct stat *status)
{
	(void)version;
	return stat_at(AT_FDCWD, path, status, 0);
}

PRELOAD_EXPORT int __lxstat(int version, const char *path, struct stat *status)
{
	(void)version;
	return stat_at(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

PRELOAD_EXPORT int __fxstat(int version, int fd, struct stat *status)
{
	(void)version;
	return stat_fd(fd, status);
}

PRELOAD_EXPORT int __fxstatat(int version, int dirfd, const char *path, struct stat *status,
			      int flags)
{
	(void)version;
	return stat_at(dirfd, path, status, flags);
}

PRELOAD_EXPORT int __xstat64(int version, const char *path, struct stat64 *status)
{
	(void)version;
	return stat_at(AT_FDCWD, path, (struct stat *)status, 0);
}

PRELOAD_EXPORT int __lxstat64(int version, const char *path, struct stat64 *status)
{
	(void)version;
	return stat_at(AT_FDCWD, path, (struct stat *)status, AT_SYMLINK_NOFOLLOW);
}

PRELOAD_EXPORT int __fxstat64(int version, int fd, struct stat64 *status)
{
	(void)version;
	return stat_fd(fd, (struct stat *)status);
}

PRELOAD_EXPORT int __fxstatat64(int version, int dirfd, const char *path, struct stat64 *status,
				int flags)
{
	(void)version;
	return stat_at(dirfd, path, (struct stat *)status, flags);
}

/* statx */

/* Newer kernels take no path for an empty one. */
static bool is_empty(const char *given)
{
	return !given || !*given;
}

/* Take over what nodes look like. */
static void copy_to_statx(struct statx *to, const struct stat *from)
{
	to->stx_mode = (uint16_t)from->st_mode;
	to->stx_size = (uint64_t)from->st_size;
	to->stx_rdev_major = major(from->st_rdev);
	to->stx_rdev_minor = minor(from->st_rdev);
}

PRELOAD_EXPORT int statx(int dirfd, const char *given, int flags, unsigned int mask,
			 struct statx *status)
{
	struct preload_path path;
	struct stat looks = {.st_mode = 0};
	enum sim_node_kind kind;
	unsigned int number;
	int r;

	if (!preload_is_on()) {
		return REAL(statx)(dirfd, given, flags, mask, status);
	}
	preload_path_find(&path, dirfd, given);
	if (path.kind == PRELOAD_FILE || path.kind == PRELOAD_NODE) {
		r = REAL(statx)(AT_FDCWD, path.use, flags, mask, status);
		if (r == 0 && path.kind == PRELOAD_NODE) {
			looks.st_mode = status->stx_mode;
			fill_by_name(&looks, path.name);
			copy_to_statx(status, &looks);
		}
		return r;
	}
	r = REAL(statx)(dirfd, given, flags, mask, status);
	if (r == 0 && flags & AT_EMPTY_PATH && is_empty(given) &&
	    preload_fd_find(dirfd, &kind, &number)) {
		preload_fill_stat(&looks, kind, number);
		copy_to_statx(status, &looks);
	}
	return r;
}

/* access */

static int access_at(int dirfd, const char *given, int mode, int flags)
{
	struct preload_path path;

	preload_path_find(&path, dirfd, given);
	return path.kind == PRELOAD_FILE || path.kind == PRELOAD_NODE
		       ? REAL(faccessat)(AT_FDCWD, path.use, mode, flags)
		       : REAL(faccessat)(dirfd, given, mode, flags);
}

PRELOAD_EXPORT int access(const char *path, int mode)
{
	return access_at(AT_FDCWD, path, mode, 0);
}

PRELOAD_EXPORT int faccessat(int dirfd, const char *path, int mode, int flags)
{
	return access_at(dirfd, path, mode, flags);
}

PRELOAD_EXPORT int eaccess(const char *path, int mode)
{
	return access_at(AT_FDCWD, path, mode, AT_EACCESS);
}

PRELOAD_EXPORT int euidaccess(const char *path, int mode)
{
	return access_at(AT_FDCWD, path, mode, AT_EACCESS);
}

/* links */

/* What follows the name of a directory of the process's own fds, or NULL. */
static const char *skip_own_fds(const char *path)
{
	static const char *const names[] = {"/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/"};
	char own[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(path, names[i], strlen(names[i])) == 0) {
			return path + strlen(names[i]);
		}
	}
	(void)snprintf(own, sizeof(own), "/proc/%d/fd/", (int)getpid());
	return strncmp(path, own, strlen(own)) == 0 ? path + strlen(own) : NULL;
}

/* What /proc/self/fd/N of a node links to. */
static bool describe_node(const char *given, char text[PATH_MAX])
{
	enum sim_node_kind kind;
	unsigned int number;
	char *end;
	long fd;

	given = skip_own_fds(given);
	if (!given) {
		return false;
	}
	fd = strtol(given, &end, 10);
	if (end == given || *end || fd < 0 || fd > INT_MAX ||
	    !preload_fd_find((int)fd, &kind, &number)) {
		return false;
	}
	switch (kind) {
	case SIM_NODE_CONTAINER:
		(void)snprintf(text, PATH_MAX, NODE_CONTAINER);
		return true;
	case SIM_NODE_GROUP:
		(void)snprintf(text, PATH_MAX, NODE_GROUP_PREFIX "%u", number);
		return true;
	case SIM_NODE_DEVICE:
		(void)snprintf(text, PATH_MAX, "anon_inode:[vfio-device]");
		return true;
	case SIM_NODE_KVM:
		(void)snprintf(text, PATH_MAX, NODE_KVM);
		return true;
	case SIM_NODE_KVM_VM:
		(void)snprintf(text, PATH_MAX, "anon_inode:kvm-vm");
		return true;
	case SIM_NODE_KVM_VFIO:
	case SIM_NODE_KVM_TCE:
		(void)snprintf(text, PATH_MAX, "anon_inode:kvm-%s",
			       kind == SIM_NODE_KVM_VFIO ? "vfio" : "spapr-tce");
		return true;
	case SIM_NODE_NONE:
	case SIM_NODE_UEVENTS:
		break;
	}
	return false;
}

/* A link that shows a directory of the simulated host shows what it stands for. */
static ssize_t read_link_at(int dirfd, const char *given, char *text, size_t size)
{
	struct preload_path path;
	char whole[PATH_MAX];
	ssize_t length;

	if (!preload_is_on() || !given) {
		return REAL(readlinkat)(dirfd, given, text, size);
	}
	preload_path_find(&path, dirfd, given);
	if (path.kind == PRELOAD_FILE || path.kind == PRELOAD_NODE) {
		return REAL(readlinkat)(AT_FDCWD, path.use, text, size);
	}
	if (strncmp(given, "/proc/", strlen("/proc/")) != 0 && !skip_own_fds(given)) {
		return REAL(readlinkat)(dirfd, given, text, size);
	}
	if (!describe_node(given, whole)) {
		length = REAL(readlinkat)(dirfd, given, whole, sizeof(whole) - 1);
		if (length < 0) {
			return length;
		}
		whole[length] = '\0';
		(void)preload_path_restore(whole);
	}
	length = (ssize_t)MIN(strlen(whole), size);
	memcpy(text, whole, (size_t)length);
	return length;
}

PRELOAD_EXPORT ssize_t readlink(const char *path, char *text, size_t size)
{
	return read_link_at(AT_FDCWD, path, text, size);
}

PRELOAD_EXPORT ssize_t readlinkat(int dirfd, const char *path, char *text, size_t size)
{
	return read_link_at(dirfd, path, text, size);
}

ssize_t __readlink_chk(const char *path, char *text, size_t size, size_t room);
ssize_t __readlinkat_chk(int dirfd, const char *path, char *text, size_t size, size_t room);

PRELOAD_EXPORT ssize_t __readlink_chk(const char *path, char *text, size_t size, size_t room)
{
	return read_link_at(AT_FDCWD, path, text, MIN(size, room));
}

PRELOAD_EXPORT ssize_t __readlinkat_chk(int dirfd, const char *path, char *text, size_t size,
					size_t room)
{
	return read_link_at(dirfd, path, text, MIN(size, room));
}

/* extended attributes, of which there are none: that is for this machine's file system to say */

PRELOAD_EXPORT ssize_t getxattr(const char *given, const char *name, void *value, size_t size)
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return REAL_LOOKED_UP(getxattr)(path.use, name, value, size);
}

PRELOAD_EXPORT ssize_t lgetxattr(const char *given, const char *name, void *value, size_t size)
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return REAL_LOOKED_UP(lgetxattr)(path.use, name, value, size);
}

PRELOAD_EXPORT ssize_t listxattr(const char *given, char *list, size_t size)
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return REAL_LOOKED_UP(listxattr)(path.use, list, size);
}

PRELOAD_EXPORT ssize_t llistxattr(const char *given, char *list, size_t size)
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return REAL_LOOKED_UP(llistxattr)(path.use, list, size);
}

/* being told of changes */

PRELOAD_EXPORT int inotify_add_watch(int fd, const char *given, uint32_t mask)
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return REAL(inotify_add_watch)(fd, path.kind == PRELOAD_STATUS ? given : path.use, mask);
}
