/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the library knows: the simulated host, and which fds are its nodes. */
#include "sim/preload/preload.h"

#include <errno.h>
#include <limits.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "sim/client.h"
#include "sim/preload/real.h"

/* Fds beyond have no note, and are looked at by each call that may be about a node. */
#define NOTES_SIZE 65536

/* Connections are out of the way of what programs count on: from this fd on, or, where there are
 * not so many, among the last. */
#define PRIVATE_FDS_FIRST 960
#define PRIVATE_FDS_ROOM  64

enum note {
	NOTE_NONE,
	NOTE_NODE, /* or not any more: it is always asked */
	NOTE_PRIVATE,
};

static struct {
	bool on;
	size_t page_size; /* 0: this machine's */
	char socket[PATH_MAX];
	pthread_mutex_t lock; /* held while connecting, and around fork */
	struct kernel *kernel;
	/* Zero in a child of a fork, which the memory of a vfork isn't: so also children of forks
	 * that call no handlers see that the connections aren't theirs. */
	unsigned char *mark;
	pid_t pid;    /* whose memory this is, which a vfork's child borrows */
	bool greeted; /* as a new program */
	uint8_t notes[NOTES_SIZE];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool preload_is_on(void)
{
	return state.on;
}

size_t preload_page_size(void)
{
	return state.page_size;
}

/* the simulated host */

static int first_private_fd(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    limit.rlim_cur >= PRIVATE_FDS_FIRST + PRIVATE_FDS_ROOM) {
		return PRIVATE_FDS_FIRST;
	}
	return (int)(limit.rlim_cur - MIN(PRIVATE_FDS_ROOM, limit.rlim_cur / 4));
}

static void note(int fd, enum note note)
{
	if (fd >= 0 && fd < NOTES_SIZE) {
		__atomic_store_n(&state.notes[fd], (uint8_t)note, __ATOMIC_RELAXED);
	}
}

static enum note note_of(int fd)
{
	return fd >= 0 && fd < NOTES_SIZE
		       ? (enum note)__atomic_load_n(&state.notes[fd], __ATOMIC_RELAXED)
		       : NOTE_NONE;
}

static void note_connection(int fd, bool is_open)
{
	note(fd, is_open ? NOTE_PRIVATE : NOTE_NONE);
}

static int connect_locked(void)
{
	struct sim_kernel_options options = {
		.careful = true,
		.new_program = !state.greeted,
		.first_fd = first_private_fd(),
		.note_connection = note_connection,
	};
	struct kernel *kernel = NULL;
	int connection = -1;
	int r = sim_connect(state.socket, &connection);

	if (r == 0) {
		r = sim_kernel_new_with(connection, &options, &kernel);
	}
	if (r == 0) {
		state.greeted = true;
		__atomic_store_n(&state.kernel, kernel, __ATOMIC_RELEASE);
	}
	return r;
}

/* A child that came by a fork without handlers: nothing that it has in memory can be trusted to be
 * whole, and the connections are its parent's. */
static void begin_again(void)
{
	if (state.mark && *state.mark == 0) {
		state.kernel = NULL;
		(void)pthread_mutex_init(&state.lock, NULL);
		state.pid = getpid();
		*state.mark = 1;
	}
}

struct kernel *preload_kernel_if_connected(void)
{
	begin_again();
	return __atomic_load_n(&state.kernel, __ATOMIC_ACQUIRE);
}

struct kernel *preload_kernel(void)
{
	struct kernel *kernel = preload_kernel_if_connected();
	int r = 0;

	if (kernel || !state.on) {
		return kernel;
	}
	(void)pthread_mutex_lock(&state.lock);
	if (!state.kernel) {
		r = connect_locked();
	}
	kernel = state.kernel;
	(void)pthread_mutex_unlock(&state.lock);
	if (!kernel) {
		errno = -r;
	}
	return kernel;
}

/* fork */

static void handle_before_fork(void)
{
	(void)pthread_mutex_lock(&state.lock);
	if (state.kernel) {
		sim_kernel_before_fork(state.kernel);
	}
}

static void handle_after_fork_in_parent(void)
{
	if (state.kernel) {
		sim_kernel_after_fork_in_parent(state.kernel);
	}
	(void)pthread_mutex_unlock(&state.lock);
}

static void handle_after_fork_in_child(void)
{
	struct kernel *kernel = state.kernel;

	state.kernel = NULL;
	state.pid = getpid();
	if (state.mark) {
		*state.mark = 1;
	}
	if (kernel) {
		sim_kernel_after_fork_in_child(kernel);
	}
	(void)pthread_mutex_unlock(&state.lock);
}

static void make_mark(void)
{
	size_t size = (size_t)REAL_LOOKED_UP(sysconf)(_SC_PAGESIZE);
	void *page =
		REAL(mmap)(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED) {
		return;
	}
	if (madvise(page, size, MADV_WIPEONFORK) < 0) {
		(void)REAL(munmap)(page, size);
		return;
	}
	state.mark = page;
	*state.mark = 1;
}

/* the start */

static void choose_page_size(void)
{
	const char *shift = getenv(ENV_SIM_PAGE_SHIFT);
	size_t size = shift ? (size_t)1 << (strtoul(shift, NULL, 10) & 31) : 0;

	if (size > (size_t)REAL_LOOKED_UP(sysconf)(_SC_PAGESIZE)) {
		state.page_size = size;
	}
}

__attribute__((constructor)) static void begin(void)
{
	const char *socket = getenv(ENV_SIM_SOCKET);
	const char *sysfs = getenv(ENV_SIM_SYSFS);
	const char *dev = getenv(ENV_SIM_DEV);

	real_functions_find();
	if (!socket || !sysfs || !dev || strlen(socket) >= sizeof(state.socket) ||
	    !preload_paths_set(sysfs, dev)) {
		return;
	}
	memcpy(state.socket, socket, strlen(socket) + 1);
	choose_page_size();
	state.pid = getpid();
	make_mark();
	if (pthread_atfork(handle_before_fork, handle_after_fork_in_parent,
			   handle_after_fork_in_child) == 0) {
		state.on = true;
	}
}

/* fds */

bool preload_fd_may_be_node(int fd)
{
	return note_of(fd) == NOTE_NODE;
}

/* Whether this is the child of a vfork: its fds are its own, but the notes are its parent's. */
static bool borrows_memory(void)
{
	begin_again();
	return getpid() != state.pid;
}

void preload_fd_note(int fd, bool may_be_node)
{
	enum note before = note_of(fd);
	enum note after = may_be_node ? NOTE_NODE : NOTE_NONE;

	if (before != NOTE_PRIVATE && before != after && !borrows_memory()) {
		note(fd, after);
	}
}

void preload_fd_note_duplicate(int fd, int of)
{
	preload_fd_note(fd, preload_fd_may_be_node(of));
}

bool preload_fd_is_private(int fd)
{
	return note_of(fd) == NOTE_PRIVATE;
}

static bool find(int fd, enum sim_node_kind *ret_kind, unsigned int *ret_number)
{
	int saved = errno;
	struct kernel *kernel = preload_kernel();
	int r = kernel ? sim_kernel_identify(kernel, fd, ret_kind, ret_number) : -errno;

	if (r == -ENOTTY || r == -EBADF) {
		preload_fd_note(fd, false);
	} else if (r == 0) {
		preload_fd_note(fd, true);
	}
	errno = saved;
	return r == 0;
}

bool preload_fd_find(int fd, enum sim_node_kind *ret_kind, unsigned int *ret_number)
{
	return preload_fd_may_be_node(fd) && find(fd, ret_kind, ret_number);
}

bool preload_fd_find_unnoted(int fd, enum sim_node_kind *ret_kind, unsigned int *ret_number)
{
	struct stat status;
	int saved = errno;
	bool is_socket = state.on && fd >= 0 && !preload_fd_is_private(fd) &&
			 REAL(fstat)(fd, &status) == 0 && S_ISSOCK(status.st_mode);

	errno = saved;
	return is_socket && find(fd, ret_kind, ret_number);
}

long preload_result(long result)
{
	if (result < 0) {
		errno = (int)-result;
		return -1;
	}
	return result;
}
