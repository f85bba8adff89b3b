/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/slow_pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/cleanup.h"

struct job_list {
	struct slow_job *first;
	struct slow_job **end;
};

struct slow_pool {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* anything below, which the lock guards */
	struct job_list todo;
	struct job_list done;
	unsigned int waiting; /* in todo */
	unsigned int busy;    /* jobs that are being worked on */
	unsigned int idle;    /* threads that are about to take a job, or wait for one */
	bool end;
	int event;
	/* the owner's: */
	unsigned int most_threads;
	unsigned int thread_count;
	pthread_t threads[];
};

static void list_init(struct job_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void list_put(struct job_list *list, struct slow_job *job)
{
	job->next = NULL;
	*list->end = job;
	list->end = &job->next;
}

static struct slow_job *list_take(struct job_list *list)
{
	struct slow_job *job = list->first;

	if (job) {
		list->first = job->next;
		if (!list->first) {
			list->end = &list->first;
		}
	}
	return job;
}

/* Work on one job, outside of the lock, which is held before and afterwards. */
static void work(struct slow_pool *pool, struct slow_job *job)
{
	const uint64_t one = 1;

	pool->waiting--;
	pool->idle--;
	pool->busy++;
	(void)pthread_mutex_unlock(&pool->lock);
	job->work(job);
	(void)pthread_mutex_lock(&pool->lock);
	pool->busy--;
	pool->idle++;
	list_put(&pool->done, job);
	(void)pthread_cond_broadcast(&pool->changed);
	/* Can't fail: the counter is far from its end. */
	(void)!write(pool->event, &one, sizeof(one));
}

static void *run(void *argument)
{
	struct slow_pool *pool = argument;

	(void)pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct slow_job *job = list_take(&pool->todo);

		if (job) {
			work(pool, job);
		} else if (pool->end) {
			break;
		} else {
			(void)pthread_cond_wait(&pool->changed, &pool->lock);
		}
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* One more thread. Signals are the loop's. The lock is held, or there is no other thread. 0 or
 * -errno. */
static int add_thread(struct slow_pool *pool)
{
	sigset_t all;
	sigset_t before;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&pool->threads[pool->thread_count], NULL, run, pool);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0) {
		pool->thread_count++;
		pool->idle++;
	}
	return -r;
}

int slow_pool_new(unsigned int most_threads, struct slow_pool **ret_pool)
{
	struct slow_pool *pool = calloc(1, sizeof(*pool) + most_threads * sizeof(pool->threads[0]));
	int r;

	if (!pool) {
		return -ENOMEM;
	}
	pool->most_threads = most_threads;
	list_init(&pool->todo);
	list_init(&pool->done);
	(void)pthread_mutex_init(&pool->lock, NULL);
	(void)pthread_cond_init(&pool->changed, NULL);
	pool->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = pool->event < 0 ? -errno : add_thread(pool);
	if (r < 0) {
		(void)slow_pool_free(pool);
		return r;
	}
	*ret_pool = pool;
	return 0;
}

struct slow_pool *slow_pool_free(struct slow_pool *pool)
{
	if (pool) {
		(void)pthread_mutex_lock(&pool->lock);
		pool->end = true;
		(void)pthread_cond_broadcast(&pool->changed);
		(void)pthread_mutex_unlock(&pool->lock);
		while (pool->thread_count > 0) {
			(void)pthread_join(pool->threads[--pool->thread_count], NULL);
		}
		(void)pthread_cond_destroy(&pool->changed);
		(void)pthread_mutex_destroy(&pool->lock);
		(void)fd_close(pool->event);
		free(pool);
	}
	return NULL;
}

int slow_pool_fd(const struct slow_pool *pool)
{
	return pool->event;
}

void slow_pool_start(struct slow_pool *pool, struct slow_job *job)
{
	(void)pthread_mutex_lock(&pool->lock);
	list_put(&pool->todo, job);
	pool->waiting++;
	/* Where no thread can be started the others do it, one after the other. */
	if (pool->waiting > pool->idle && pool->thread_count < pool->most_threads) {
		(void)add_thread(pool);
	}
	(void)pthread_cond_broadcast(&pool->changed);
	(void)pthread_mutex_unlock(&pool->lock);
}

static struct slow_job *take(struct slow_pool *pool, bool wait)
{
	struct slow_job *job;
	uint64_t count;

	(void)pthread_mutex_lock(&pool->lock);
	while (wait && !pool->done.first && pool->waiting + pool->busy > 0) {
		(void)pthread_cond_wait(&pool->changed, &pool->lock);
	}
	job = list_take(&pool->done);
	if (!pool->done.first) {
		(void)!read(pool->event, &count, sizeof(count));
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return job;
}

struct slow_job *slow_pool_take(struct slow_pool *pool)
{
	return take(pool, false);
}

struct slow_job *slow_pool_wait(struct slow_pool *pool)
{
	return take(pool, true);
}
