/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The current directory, which may be one of the simulated host's trees. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sim/preload/preload.h"
#include "sim/preload/real.h"

PRELOAD_EXPORT int chdir(const char *given)
{
	struct preload_path path;

	preload_path_find(&path, AT_FDCWD, given);
	return REAL_LOOKED_UP(chdir)(path.kind == PRELOAD_STATUS ? given : path.use);
}

/* What stands for the current directory, when that is in a tree of the simulated host. */
static bool find_current(char path[PATH_MAX])
{
	int saved = errno;
	bool found = preload_is_on() && syscall(SYS_getcwd, path, PATH_MAX) > 0 &&
		     preload_path_restore(path);

	errno = saved;
	return found;
}

/* As getcwd has it: without a buffer one is allocated. */
static char *give(const char *path, char *buffer, size_t size)
{
	size_t length = strlen(path) + 1;

	if (size == 0 && buffer) {
		errno = EINVAL;
		return NULL;
	}
	if (size > 0 && size < length) {
		errno = ERANGE;
		return NULL;
	}
	buffer = buffer ? buffer : malloc(MAX(size, length));
	return buffer ? memcpy(buffer, path, length) : NULL;
}

PRELOAD_EXPORT char *getcwd(char *buffer, size_t size)
{
	char path[PATH_MAX];

	return find_current(path) ? give(path, buffer, size) : REAL_LOOKED_UP(getcwd)(buffer, size);
}

PRELOAD_EXPORT char *get_current_dir_name(void)
{
	char path[PATH_MAX];

	return find_current(path) ? give(path, NULL, 0) : REAL_LOOKED_UP(get_current_dir_name)();
}

char *__getcwd_chk(char *buffer, size_t size, size_t room);

PRELOAD_EXPORT char *__getcwd_chk(char *buffer, size_t size, size_t room)
{
	if (size > room) {
		abort();
	}
	return getcwd(buffer, size);
}
