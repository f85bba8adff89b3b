/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/vfio.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"
#include "worker/confine.h"
#include "worker/slow_pool.h"

static bool refused(long result)
{
	return result < 0 && errno == EPERM;
}

/* The number of the first thing that isn't as it should be, or 0. */
static int try_all(void)
{
	static char *const arguments[] = {(char *)"true", NULL};
	int number = 0;
	void *memory;

	if (confine() < 0) {
		return 1;
	}
	if (!refused(open("/dev/null", O_RDONLY | O_CLOEXEC))) {
		return 2;
	}
	if (!refused(socket(AF_UNIX, SOCK_STREAM, 0))) {
		return 3;
	}
	if (!refused(execv("/bin/true", arguments))) {
		return 4;
	}
	if (!refused(fork())) {
		return 5;
	}
	if (!refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL))) {
		return 6;
	}
	if (!refused(ioctl(STDERR_FILENO, TIOCSTI, ""))) {
		return 7;
	}
	/* One of VFIO's gets through, and finds that this is no VFIO fd. */
	if (ioctl(STDERR_FILENO, VFIO_GET_API_VERSION, &number) >= 0 || errno == EPERM) {
		return 8;
	}
	memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory != MAP_FAILED) {
		return 9;
	}
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || !refused(mprotect(memory, 4096, PROT_READ | PROT_EXEC))) {
		return 10;
	}
	if (!refused(kill(getppid(), 0))) {
		return 11;
	}
	/* A signal to itself, as abort() sends, but to nobody else. */
	if (tgkill(getpid(), gettid(), 0) < 0) {
		return 12;
	}
	if (!refused(tgkill(getppid(), getppid(), 0))) {
		return 13;
	}
	free(malloc(1 << 20));
	return munmap(memory, 4096) == 0 && write(STDERR_FILENO, "", 0) == 0 ? 0 : 14;
}

/* A container belongs to the mm that has first used it, and answers EPERM to any other for good: so
 * no process comes of the worker's. */
static int try_children(void)
{
	static char *const arguments[] = {(char *)"true", NULL};

	if (confine() < 0) {
		return 1;
	}
	if (!refused(fork())) {
		return 2;
	}
	return refused(execv("/bin/true", arguments)) ? 0 : 3;
}

#define THREADS 40

static atomic_int begun;

/* What a thread that comes later does: it is confined, too, and has memory of its own. None ends
 * before all are there. */
static void work(struct slow_job *job)
{
	(void)job;
	free(malloc(1 << 20));
	if (!refused(open("/dev/null", O_RDONLY | O_CLOEXEC)) || !refused(fork())) {
		_exit(20);
	}
	atomic_fetch_add(&begun, 1);
	for (int i = 0; atomic_load(&begun) < THREADS; i++) {
		if (i > 10000) {
			_exit(21);
		}
		(void)usleep(1000);
	}
}

/* The slow pool starts threads when they are needed; processes are refused whatever they share. */
static int try_threads(void)
{
	static char *const arguments[] = {(char *)"true", NULL};
	struct clone_args wanted = {.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD};
	struct slow_job jobs[THREADS];
	struct slow_pool *pool = NULL;
	pid_t child;

	if (slow_pool_new(THREADS, &pool) < 0 || confine() < 0) {
		return 1;
	}
	for (int i = 0; i < THREADS; i++) {
		jobs[i].work = work;
		slow_pool_start(pool, &jobs[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		if (!slow_pool_wait(pool)) {
			return 2;
		}
	}
	/* Not by an answer that would have the C library do without the flags. */
	if (syscall(SYS_clone3, &wanted, sizeof(wanted)) != -1 || errno != ENOSYS) {
		return 3;
	}
	if (posix_spawn(&child, "/bin/true", NULL, NULL, arguments, NULL) != EPERM) {
		return 4;
	}
	/* A process that shares all but its number, and a thread with a namespace of its own. */
	if (!refused(syscall(SYS_clone,
			     CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND, 0,
			     0, 0, 0)) ||
	    !refused(syscall(SYS_clone,
			     CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND |
				     CLONE_THREAD | CLONE_NEWNET,
			     0, 0, 0, 0))) {
		return 5;
	}
	return slow_pool_free(pool) ? 6 : 0;
}

static void test_threads(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
#ifdef SPAPRD_SANITIZE
	skip();
#endif
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		_exit(try_threads());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_h23_no_other_process_has_the_containers(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
#ifdef SPAPRD_SANITIZE
	skip();
#endif
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		_exit(try_children());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_confined(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
#ifdef SPAPRD_SANITIZE
	skip();
#endif
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		_exit(try_all());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_confined),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_h23_no_other_process_has_the_containers),
	};

	return cmocka_run_group_tests_name("worker-confine", tests, NULL, NULL);
}
