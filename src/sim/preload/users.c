/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program that becomes another user. The simulated host's socket is for the user who started it,
 * so the connection is made before; and the kernel hides such a process's memory from itself
 * (PR_SET_DUMPABLE becomes 0), where DMA has to reach it.
 */
#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sim/preload/preload.h"
#include "sim/preload/real.h"

struct change {
	int dumpable;
};

static struct change change_begin(void)
{
	int errnum = errno;
	struct change change = {.dumpable = 0};

	if (preload_is_on()) {
		(void)preload_kernel();
		change.dumpable = prctl(PR_GET_DUMPABLE);
	}
	errno = errnum;
	return change;
}

static int change_end(struct change change, int result)
{
	int errnum = errno;

	/* Other values than 1 are the kernel's to give. */
	if (result == 0 && change.dumpable == 1) {
		(void)prctl(PR_SET_DUMPABLE, 1);
	}
	errno = errnum;
	return result;
}

static void *look_up(void **cache, const char *name)
{
	void *found = real_function_look_up(cache, name);

	if (!found) {
		errno = ENOSYS;
	}
	return found;
}

PRELOAD_EXPORT int setuid(uid_t user)
{
	static void *cache;
	int (*real)(uid_t) = look_up(&cache, "setuid");
	struct change change = change_begin();

	return real ? change_end(change, real(user)) : -1;
}

PRELOAD_EXPORT int seteuid(uid_t effective)
{
	static void *cache;
	int (*real)(uid_t) = look_up(&cache, "seteuid");
	struct change change = change_begin();

	return real ? change_end(change, real(effective)) : -1;
}

PRELOAD_EXPORT int setreuid(uid_t user, uid_t effective)
{
	static void *cache;
	int (*real)(uid_t, uid_t) = look_up(&cache, "setreuid");
	struct change change = change_begin();

	return real ? change_end(change, real(user, effective)) : -1;
}

PRELOAD_EXPORT int setresuid(uid_t user, uid_t effective, uid_t saved)
{
	static void *cache;
	int (*real)(uid_t, uid_t, uid_t) = look_up(&cache, "setresuid");
	struct change change = change_begin();

	return real ? change_end(change, real(user, effective, saved)) : -1;
}
