/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/fd_limit.h"

#include <errno.h>
#include <sys/param.h>
#include <sys/resource.h>

/* What is kept back of a limit that is not very low. */
#define RESERVE_LEAST 128U

int fd_limit_raise(void)
{
	struct rlimit limit;
	rlim_t wanted;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
		return -errno;
	}
	wanted = MIN(limit.rlim_max, (rlim_t)FD_LIMIT_WANTED);
	if (limit.rlim_cur >= wanted) {
		return 0;
	}
	limit.rlim_cur = wanted;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

static unsigned int current_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
		return 0;
	}
	return (unsigned int)MIN(limit.rlim_cur, (rlim_t)FD_LIMIT_WANTED);
}

unsigned int fd_limit_reserve(void)
{
	unsigned int limit = current_limit();

	return MAX(limit / 8, MIN(limit / 2, RESERVE_LEAST));
}

bool fd_limit_allows(int fd)
{
	return (unsigned int)fd < current_limit() - fd_limit_reserve();
}
