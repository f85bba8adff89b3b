/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/confine.h"

#include <errno.h>
#include <linux/vfio.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The part of an ioctl number that names the driver. */
#define IOCTL_TYPE_MASK 0xff00U

/* What makes clone() start a thread of this process, and nothing else. */
#define THREAD_FLAGS \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD)

/* What a C library may ask for in addition: where the thread finds its data and its number. All
 * other flags make namespaces, processes, or signals at the end. */
#define THREAD_OPTIONS                                                                    \
	(CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | \
	 CLONE_DETACHED)

static const int allowed_calls[] = {
	/* sockets and files that are there */
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pread64), /* a device's regions */
	SCMP_SYS(pwrite64),
	SCMP_SYS(close),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(fstatfs),
	SCMP_SYS(fstatfs64), /* what fstatfs() is on ppc64 */
	SCMP_SYS(lseek),
	/* memory */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(brk),
	SCMP_SYS(madvise),
	SCMP_SYS(sysinfo), /* qsort, to know how much it may take */
	/* threads, time, signals */
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list), /* in each new thread, as is the next one */
	SCMP_SYS(rseq),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), /* malloc, in the second thread */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getrandom),
	/* the end */
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static int allow_calls(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < sizeof(allowed_calls) / sizeof(allowed_calls[0]); i++) {
		int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);

		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* VFIO's ioctls, memory that can't be executed, and signals to this process only: others of our uid
 * are the workers of other tenants. */
static int allow_with_arguments(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(
		filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
		SCMP_A1(SCMP_CMP_MASKED_EQ, IOCTL_TYPE_MASK, (scmp_datum_t)VFIO_TYPE << 8));

	if (r == 0) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	}
	if (r == 0) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	}
	if (r == 0) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	}
	return r;
}

/*
 * Threads of the slow pool, but no processes. The flags are clone()'s first argument on all that we
 * run on (not on s390). Those of clone3() lie in memory, where a filter can't see them: the C
 * library takes ENOSYS for an old kernel and goes back to clone().
 */
static int allow_threads(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	return r < 0 ? r
		     : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
					SCMP_A0(SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)THREAD_OPTIONS,
						THREAD_FLAGS));
}

static int load_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!filter) {
		return -ENOMEM;
	}
	/* The first thread of the slow pool runs already. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0) {
		r = allow_calls(filter);
	}
	if (r == 0) {
		r = allow_with_arguments(filter);
	}
	if (r == 0) {
		r = allow_threads(filter);
	}
	if (r == 0) {
		r = seccomp_load(filter);
	}
	seccomp_release(filter);
	return r;
}

int confine(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return -errno;
	}
#ifdef SPAPRD_SANITIZE
	/* The sanitizers read /proc and trace this process at its end. */
	(void)load_filter;
	return 0;
#else
	/* No tracing by others of our uid, and no core file with a tenant's memory in it. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
		return -errno;
	}
	return load_filter();
#endif
}
