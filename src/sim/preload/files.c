/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions of the C library that look at a path by calls inside it: streams, directories, whole
 * trees, canonical names. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/param.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sim/preload/preload.h"
#include "sim/preload/real.h"

/* streams */

/* The flags that open would have for a stream's mode. */
static int flags_of_mode(const char *mode)
{
	bool both = strchr(mode, '+') != NULL;
	int flags = both ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;

	if (*mode != 'r') {
		flags |= O_CREAT | (*mode == 'a' ? O_APPEND : O_TRUNC);
	}
	return flags | (strchr(mode, 'e') ? O_CLOEXEC : 0);
}

static FILE *open_stream(const struct preload_path *path, const char *mode)
{
	int fd = preload_open(path, flags_of_mode(mode), 0666);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, mode);

	if (fd >= 0 && !stream) {
		int saved = errno;

		(void)REAL(close)(fd);
		errno = saved;
	}
	return stream;
}

PRELOAD_EXPORT FILE *fopen(const char *given, const char *mode)
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return path.kind == PRELOAD_OTHER ? REAL_LOOKED_UP(fopen)(given, mode)
					  : open_stream(&path, mode);
}

PRELOAD_EXPORT FILE *fopen64(const char *given, const char *mode)
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return path.kind == PRELOAD_OTHER ? REAL_LOOKED_UP(fopen64)(given, mode)
					  : open_stream(&path, mode);
}

PRELOAD_EXPORT FILE *freopen(const char *given, const char *mode, FILE *stream)
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return REAL_LOOKED_UP(freopen)(path.use, mode, stream);
}

PRELOAD_EXPORT FILE *freopen64(const char *given, const char *mode, FILE *stream)
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return REAL_LOOKED_UP(freopen64)(path.use, mode, stream);
}

/* directories */

PRELOAD_EXPORT DIR *opendir(const char *given)
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return REAL_LOOKED_UP(opendir)(path.use);
}

PRELOAD_EXPORT int scandir(const char *given, struct dirent ***entries,
			   int (*choose)(const struct dirent *entry),
			   int (*compare)(const struct dirent **a, const struct dirent **b))
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return REAL_LOOKED_UP(scandir)(path.use, entries, choose, compare);
}

PRELOAD_EXPORT int scandir64(const char *given, struct dirent64 ***entries,
			     int (*choose)(const struct dirent64 *entry),
			     int (*compare)(const struct dirent64 **a, const struct dirent64 **b))
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return REAL_LOOKED_UP(scandir64)(path.use, entries, choose, compare);
}

/* canonical names */

/* A name below a tree of the simulated host, as the program is to see it. */
static char *restore_name(char *name)
{
	if (name) {
		(void)preload_path_restore(name);
	}
	return name;
}

PRELOAD_EXPORT char *realpath(const char *given, char *resolved)
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return restore_name(
		REAL_LOOKED_UP(realpath)(path.kind == PRELOAD_STATUS ? given : path.use, resolved));
}

PRELOAD_EXPORT char *canonicalize_file_name(const char *given)
{
	return realpath(given, NULL);
}

char *__realpath_chk(const char *given, char *resolved, size_t room);

PRELOAD_EXPORT char *__realpath_chk(const char *given, char *resolved, size_t room)
{
	if (room < PATH_MAX) {
		abort();
	}
	return realpath(given, resolved);
}

/* patterns */

static void restore_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		(void)restore_name(names[i]);
	}
}

PRELOAD_EXPORT int glob(const char *pattern, int flags, int (*failed)(const char *path, int error),
			glob_t *found)
{
	struct preload_path path;
	int r;

	preload_path_find(&path, AT_FDCWD, pattern);
	r = REAL_LOOKED_UP(glob)(path.use, flags, failed, found);
	if (r == 0 && path.kind != PRELOAD_OTHER) {
		restore_names(found->gl_pathv + (flags & GLOB_DOOFFS ? found->gl_offs : 0),
			      found->gl_pathc);
	}
	return r;
}

PRELOAD_EXPORT int glob64(const char *pattern, int flags,
			  int (*failed)(const char *path, int error), glob64_t *found)
{
	struct preload_path path;
	int r;

	preload_path_find(&path, AT_FDCWD, pattern);
	r = REAL_LOOKED_UP(glob64)(path.use, flags, failed, found);
	if (r == 0 && path.kind != PRELOAD_OTHER) {
		restore_names(found->gl_pathv + (flags & GLOB_DOOFFS ? found->gl_offs : 0),
			      found->gl_pathc);
	}
	return r;
}

/* trees */

typedef int tree_function(const char *path, const struct stat *status, int type, struct FTW *where);
typedef int plain_tree_function(const char *path, const struct stat *status, int type);

/* The function that a thread's walk gives files to. */
static __thread union {
	tree_function *tree;
	plain_tree_function *plain;
} walker;

static int give_file(const char *path, const struct stat *status, int type, struct FTW *where)
{
	char shown[PATH_MAX];
	struct FTW shown_where = *where;

	(void)snprintf(shown, sizeof(shown), "%s", path);
	(void)preload_path_restore(shown);
	shown_where.base -= (int)strlen(path) - (int)strlen(shown);
	return walker.tree(shown, status, type, &shown_where);
}

static int give_plain_file(const char *path, const struct stat *status, int type)
{
	char shown[PATH_MAX];

	(void)snprintf(shown, sizeof(shown), "%s", path);
	(void)preload_path_restore(shown);
	return walker.plain(shown, status, type);
}

static int walk(const char *given, tree_function *function, int fds, int flags)
{
	__typeof__(walker) before = walker;
	struct preload_path path;
	int r;

	preload_path_find(&path, AT_FDCWD, given);
	if (path.kind == PRELOAD_OTHER) {
		return REAL_LOOKED_UP(nftw)(given, function, fds, flags);
	}
	walker.tree = function;
	r = REAL_LOOKED_UP(nftw)(path.use, give_file, fds, flags);
	walker = before;
	return r;
}

static int walk_plainly(const char *given, plain_tree_function *function, int fds)
{
	__typeof__(walker) before = walker;
	struct preload_path path;
	int r;

	preload_path_find(&path, AT_FDCWD, given);
	if (path.kind == PRELOAD_OTHER) {
		return REAL_LOOKED_UP(ftw)(given, function, fds);
	}
	walker.plain = function;
	r = REAL_LOOKED_UP(ftw)(path.use, give_plain_file, fds);
	walker = before;
	return r;
}

PRELOAD_EXPORT int nftw(const char *path, tree_function *function, int fds, int flags)
{
	return walk(path, function, fds, flags);
}

PRELOAD_EXPORT int nftw64(const char *path, __nftw64_func_t function, int fds, int flags)
{
	return walk(path, (tree_function *)function, fds, flags);
}

PRELOAD_EXPORT int ftw(const char *path, plain_tree_function *function, int fds)
{
	return walk_plainly(path, function, fds);
}

PRELOAD_EXPORT int ftw64(const char *path, __ftw64_func_t function, int fds)
{
	return walk_plainly(path, (plain_tree_function *)function, fds);
}

/* the size of pages */

PRELOAD_EXPORT long sysconf(int name)
{
	size_t page = preload_page_size();

	return name == _SC_PAGESIZE && page ? (long)page : REAL_LOOKED_UP(sysconf)(name);
}

PRELOAD_EXPORT int getpagesize(void)
{
	size_t page = preload_page_size();

	return page ? (int)page : REAL_LOOKED_UP(getpagesize)();
}

PRELOAD_EXPORT unsigned long getauxval(unsigned long type)
{
	size_t page = preload_page_size();

	return type == AT_PAGESZ && page ? page : REAL_LOOKED_UP(getauxval)(type);
}
