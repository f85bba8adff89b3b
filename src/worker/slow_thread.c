/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/slow_thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/cleanup.h"

struct slow_thread {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* anything below, which the lock guards */
	struct space_change *todo;
	struct space_change *done;
	bool started;
	bool busy; /* between todo and done */
	bool end;
	int event;
};

static void *run(void *argument)
{
	struct slow_thread *thread = argument;
	const uint64_t one = 1;

	(void)pthread_mutex_lock(&thread->lock);
	thread->started = true;
	(void)pthread_cond_broadcast(&thread->changed);
	for (;;) {
		struct space_change *change;

		while (!thread->todo && !thread->end) {
			(void)pthread_cond_wait(&thread->changed, &thread->lock);
		}
		if (!thread->todo) {
			break;
		}
		change = steal_pointer(thread->todo);
		thread->busy = true;
		(void)pthread_mutex_unlock(&thread->lock);
		space_change_work(change);
		(void)pthread_mutex_lock(&thread->lock);
		thread->busy = false;
		thread->done = change;
		(void)pthread_cond_broadcast(&thread->changed);
		/* Can't fail: the counter is far from its end. */
		(void)!write(thread->event, &one, sizeof(one));
	}
	(void)pthread_mutex_unlock(&thread->lock);
	return NULL;
}

/*
 * Signals are the loop's. Returns when the thread runs: what the C library does at its start must
 * be done before the process is confined.
 */
static int start(struct slow_thread *thread)
{
	sigset_t all;
	sigset_t before;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread->thread, NULL, run, thread);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		return -r;
	}
	(void)pthread_mutex_lock(&thread->lock);
	while (!thread->started) {
		(void)pthread_cond_wait(&thread->changed, &thread->lock);
	}
	(void)pthread_mutex_unlock(&thread->lock);
	return 0;
}

int slow_thread_new(struct slow_thread **ret_thread)
{
	struct slow_thread *thread = calloc(1, sizeof(*thread));
	int r;

	if (!thread) {
		return -ENOMEM;
	}
	thread->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (thread->event < 0) {
		r = -errno;
		free(thread);
		return r;
	}
	(void)pthread_mutex_init(&thread->lock, NULL);
	(void)pthread_cond_init(&thread->changed, NULL);
	r = start(thread);
	if (r < 0) {
		(void)fd_close(thread->event);
		free(thread);
		return r;
	}
	*ret_thread = thread;
	return 0;
}

struct slow_thread *slow_thread_free(struct slow_thread *thread)
{
	if (thread) {
		(void)pthread_mutex_lock(&thread->lock);
		thread->end = true;
		(void)pthread_cond_broadcast(&thread->changed);
		(void)pthread_mutex_unlock(&thread->lock);
		(void)pthread_join(thread->thread, NULL);
		(void)pthread_cond_destroy(&thread->changed);
		(void)pthread_mutex_destroy(&thread->lock);
		(void)fd_close(thread->event);
		free(thread);
	}
	return NULL;
}

int slow_thread_fd(const struct slow_thread *thread)
{
	return thread->event;
}

void slow_thread_start(struct slow_thread *thread, struct space_change *change)
{
	(void)pthread_mutex_lock(&thread->lock);
	thread->todo = change;
	(void)pthread_cond_broadcast(&thread->changed);
	(void)pthread_mutex_unlock(&thread->lock);
}

static struct space_change *take(struct slow_thread *thread, bool wait)
{
	struct space_change *change;
	uint64_t count;

	(void)pthread_mutex_lock(&thread->lock);
	while (wait && !thread->done && (thread->todo || thread->busy)) {
		(void)pthread_cond_wait(&thread->changed, &thread->lock);
	}
	change = steal_pointer(thread->done);
	(void)!read(thread->event, &count, sizeof(count));
	(void)pthread_mutex_unlock(&thread->lock);
	return change;
}

struct space_change *slow_thread_take(struct slow_thread *thread)
{
	return take(thread, false);
}

struct space_change *slow_thread_wait(struct slow_thread *thread)
{
	return take(thread, true);
}
