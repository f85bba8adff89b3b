/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changing files by their names: what is meant for the simulated host must never reach this
 * machine's. Names below its /dev can be changed, as in any devtmpfs. In /sys nothing can be made,
 * removed or renamed (EPERM, as kernfs has no such calls); modes, owners and times can be set.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <utime.h>

#include "sim/preload/preload.h"
#include "sim/preload/real.h"

#define SYS "/sys"
#define DEV "/dev"

/* A name to do something with. */
struct target {
	struct preload_path path;
	int dirfd;
	const char *name;
	bool is_ours;
};

static void find_target(struct target *target, int dirfd, const char *given)
{
	preload_path_find(&target->path, dirfd, given);
	target->is_ours = target->path.kind == PRELOAD_FILE || target->path.kind == PRELOAD_NODE;
	target->dirfd = target->is_ours ? AT_FDCWD : dirfd;
	target->name = target->is_ours ? target->path.use : given;
}

/* Which directory the place of a file in one of the trees stands for: SYS, DEV, or NULL. */
static const char *find_top(const char *place)
{
	char text[PATH_MAX];

	(void)snprintf(text, sizeof(text), "%s", place);
	if (!preload_path_restore(text)) {
		return NULL;
	}
	return strncmp(text, SYS "/", strlen(SYS "/")) == 0 || strcmp(text, SYS) == 0 ? SYS : DEV;
}

/* The same for names which are to come or go: false, with errno, where that can't be. */
static bool find_changing(struct target *target, int dirfd, const char *given)
{
	const char *top;

	find_target(target, dirfd, given);
	top = target->is_ours ? find_top(target->name) : NULL;
	if (top && strcmp(top, SYS) == 0) {
		errno = EPERM;
		return false;
	}
	return true;
}

/* modes, owners, times */

PRELOAD_EXPORT int fchmodat(int dirfd, const char *given, mode_t mode, int flags)
{
	struct target target;

	find_target(&target, dirfd, given);
	return REAL_LOOKED_UP(fchmodat)(target.dirfd, target.name, mode, flags);
}

PRELOAD_EXPORT int chmod(const char *given, mode_t mode)
{
	return fchmodat(AT_FDCWD, given, mode, 0);
}

PRELOAD_EXPORT int fchownat(int dirfd, const char *given, uid_t user, gid_t group, int flags)
{
	struct target target;

	find_target(&target, dirfd, given);
	return REAL_LOOKED_UP(fchownat)(target.dirfd, target.name, user, group, flags);
}

PRELOAD_EXPORT int chown(const char *given, uid_t user, gid_t group)
{
	return fchownat(AT_FDCWD, given, user, group, 0);
}

PRELOAD_EXPORT int lchown(const char *given, uid_t user, gid_t group)
{
	return fchownat(AT_FDCWD, given, user, group, AT_SYMLINK_NOFOLLOW);
}

PRELOAD_EXPORT int utimensat(int dirfd, const char *given, const struct timespec times[2],
			     int flags)
{
	struct target target;

	find_target(&target, dirfd, given);
	return REAL_LOOKED_UP(utimensat)(target.dirfd, target.name, times, flags);
}

PRELOAD_EXPORT int utimes(const char *given, const struct timeval times[2])
{
	struct target target;

	find_target(&target, AT_FDCWD, given);
	return REAL_LOOKED_UP(utimes)(target.name, times);
}

PRELOAD_EXPORT int utime(const char *given, const struct utimbuf *times)
{
	struct target target;

	find_target(&target, AT_FDCWD, given);
	return REAL_LOOKED_UP(utime)(target.name, times);
}

/* names that come and go */

PRELOAD_EXPORT int unlinkat(int dirfd, const char *given, int flags)
{
	struct target target;

	return find_changing(&target, dirfd, given)
		       ? REAL_LOOKED_UP(unlinkat)(target.dirfd, target.name, flags)
		       : -1;
}

PRELOAD_EXPORT int unlink(const char *given)
{
	return unlinkat(AT_FDCWD, given, 0);
}

PRELOAD_EXPORT int rmdir(const char *given)
{
	return unlinkat(AT_FDCWD, given, AT_REMOVEDIR);
}

PRELOAD_EXPORT int remove(const char *given)
{
	struct target target;

	return find_changing(&target, AT_FDCWD, given) ? REAL_LOOKED_UP(remove)(target.name) : -1;
}

PRELOAD_EXPORT int mkdirat(int dirfd, const char *given, mode_t mode)
{
	struct target target;

	return find_changing(&target, dirfd, given)
		       ? REAL_LOOKED_UP(mkdirat)(target.dirfd, target.name, mode)
		       : -1;
}

PRELOAD_EXPORT int mkdir(const char *given, mode_t mode)
{
	return mkdirat(AT_FDCWD, given, mode);
}

PRELOAD_EXPORT int mknodat(int dirfd, const char *given, mode_t mode, dev_t device)
{
	struct target target;

	return find_changing(&target, dirfd, given)
		       ? REAL_LOOKED_UP(mknodat)(target.dirfd, target.name, mode, device)
		       : -1;
}

PRELOAD_EXPORT int mknod(const char *given, mode_t mode, dev_t device)
{
	return mknodat(AT_FDCWD, given, mode, device);
}

PRELOAD_EXPORT int symlinkat(const char *content, int dirfd, const char *given)
{
	struct target target;

	return find_changing(&target, dirfd, given)
		       ? REAL_LOOKED_UP(symlinkat)(content, target.dirfd, target.name)
		       : -1;
}

PRELOAD_EXPORT int symlink(const char *content, const char *given)
{
	return symlinkat(content, AT_FDCWD, given);
}

PRELOAD_EXPORT int linkat(int from_dirfd, const char *from, int to_dirfd, const char *to, int flags)
{
	struct target old;
	struct target new;

	return find_changing(&old, from_dirfd, from) && find_changing(&new, to_dirfd, to)
		       ? REAL_LOOKED_UP(linkat)(old.dirfd, old.name, new.dirfd, new.name, flags)
		       : -1;
}

PRELOAD_EXPORT int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

PRELOAD_EXPORT int renameat2(int from_dirfd, const char *from, int to_dirfd, const char *to,
			     unsigned int flags)
{
	struct target old;
	struct target new;

	return find_changing(&old, from_dirfd, from) && find_changing(&new, to_dirfd, to)
		       ? REAL_LOOKED_UP(renameat2)(old.dirfd, old.name, new.dirfd, new.name, flags)
		       : -1;
}

PRELOAD_EXPORT int renameat(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
	return renameat2(from_dirfd, from, to_dirfd, to, 0);
}

PRELOAD_EXPORT int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* A file of /sys keeps its length, as one of kernfs does. */
static int truncate_at(const char *given, off_t length)
{
	struct target target;

	if (!find_changing(&target, AT_FDCWD, given)) {
		return REAL(faccessat)(AT_FDCWD, target.name, W_OK, AT_EACCESS);
	}
	return REAL_LOOKED_UP(truncate)(target.name, length);
}

PRELOAD_EXPORT int truncate(const char *given, off_t length)
{
	return truncate_at(given, length);
}

PRELOAD_EXPORT int truncate64(const char *given, off64_t length)
{
	return truncate_at(given, length);
}

/* file systems: programs look whether they are in /sys */

/* What to ask about instead of a name. The name has to be there. */
static const char *find_asked(struct target *target, const char *given)
{
	const char *top;

	find_target(target, AT_FDCWD, given);
	top = target->is_ours ? find_top(target->name) : NULL;
	return top && REAL(faccessat)(AT_FDCWD, target->name, F_OK, 0) == 0 ? top : target->name;
}

/* The same for an fd, or NULL. */
static const char *find_asked_fd(int fd)
{
	char link[64];
	char place[PATH_MAX];
	int saved = errno;
	ssize_t length = -1;

	if (preload_is_on()) {
		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		length = REAL(readlinkat)(AT_FDCWD, link, place, sizeof(place) - 1);
		errno = saved;
	}
	if (length <= 0) {
		return NULL;
	}
	place[length] = '\0';
	return find_top(place);
}

PRELOAD_EXPORT int statfs(const char *given, struct statfs *status)
{
	struct target target;

	return REAL_LOOKED_UP(statfs)(find_asked(&target, given), status);
}

PRELOAD_EXPORT int statfs64(const char *given, struct statfs64 *status)
{
	struct target target;

	return REAL_LOOKED_UP(statfs64)(find_asked(&target, given), status);
}

PRELOAD_EXPORT int fstatfs(int fd, struct statfs *status)
{
	const char *asked = find_asked_fd(fd);

	return asked ? REAL_LOOKED_UP(statfs)(asked, status) : REAL_LOOKED_UP(fstatfs)(fd, status);
}

PRELOAD_EXPORT int fstatfs64(int fd, struct statfs64 *status)
{
	const char *asked = find_asked_fd(fd);

	return asked ? REAL_LOOKED_UP(statfs64)(asked, status)
		     : REAL_LOOKED_UP(fstatfs64)(fd, status);
}

PRELOAD_EXPORT int statvfs(const char *given, struct statvfs *status)
{
	struct target target;

	return REAL_LOOKED_UP(statvfs)(find_asked(&target, given), status);
}

PRELOAD_EXPORT int statvfs64(const char *given, struct statvfs64 *status)
{
	struct target target;

	return REAL_LOOKED_UP(statvfs64)(find_asked(&target, given), status);
}
