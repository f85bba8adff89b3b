/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The slow pool: jobs that run beside each other, wait in order, and come back. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "unit.h"
#include "worker/slow_pool.h"

#define JOBS 8

/* A job that waits until it is let go. */
struct test_job {
	struct slow_job slow; /* must be first */
	pthread_t thread;
	unsigned int turn; /* it was the n-th to begin, from 1 */
	bool free;         /* it doesn't wait */
	bool blocks_signals;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned int begun;
static unsigned int running;
static bool gate; /* open */
static struct test_job jobs[JOBS];

static void work(struct slow_job *slow)
{
	struct test_job *job = (struct test_job *)slow;
	sigset_t mask;

	(void)pthread_mutex_lock(&lock);
	job->turn = ++begun;
	job->thread = pthread_self();
	(void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
	job->blocks_signals = sigismember(&mask, SIGURG) == 1;
	running++;
	(void)pthread_cond_broadcast(&changed);
	while (!gate && !job->free) {
		(void)pthread_cond_wait(&changed, &lock);
	}
	running--;
	(void)pthread_mutex_unlock(&lock);
}

static void reset(bool open)
{
	(void)pthread_mutex_lock(&lock);
	begun = 0;
	gate = open;
	(void)pthread_mutex_unlock(&lock);
	memset(jobs, 0, sizeof(jobs));
	for (size_t i = 0; i < JOBS; i++) {
		jobs[i].slow.work = work;
	}
}

static void wait_for_begun(unsigned int count)
{
	(void)pthread_mutex_lock(&lock);
	while (begun < count) {
		(void)pthread_cond_wait(&changed, &lock);
	}
	(void)pthread_mutex_unlock(&lock);
}

static void open_gate(void)
{
	(void)pthread_mutex_lock(&lock);
	gate = true;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
}

static bool is_readable(const struct slow_pool *pool)
{
	struct pollfd entry = {.fd = slow_pool_fd(pool), .events = POLLIN};

	return poll(&entry, 1, 0) == 1;
}

static void test_new_free(void **state)
{
	struct slow_pool *pool = NULL;

	(void)state;
	assert_null(slow_pool_free(NULL));
	assert_int_equal(slow_pool_new(3, &pool), 0);
	assert_false(is_readable(pool));
	assert_null(slow_pool_take(pool));
	assert_null(slow_pool_wait(pool));
	assert_null(slow_pool_free(pool));
}

static void test_one(void **state)
{
	struct slow_pool *pool = NULL;

	(void)state;
	reset(false);
	assert_int_equal(slow_pool_new(1, &pool), 0);
	slow_pool_start(pool, &jobs[0].slow);
	wait_for_begun(1);
	assert_null(slow_pool_take(pool));
	assert_false(is_readable(pool));
	open_gate();
	assert_ptr_equal(slow_pool_wait(pool), &jobs[0].slow);
	assert_true(jobs[0].blocks_signals);
	assert_false(is_readable(pool));
	assert_null(slow_pool_wait(pool));
	assert_null(slow_pool_free(pool));
}

/* Jobs that don't end keep no other from beginning, as long as there may be threads. */
static void test_beside(void **state)
{
	struct slow_pool *pool = NULL;

	(void)state;
	reset(false);
	assert_int_equal(slow_pool_new(JOBS, &pool), 0);
	for (size_t i = 0; i < JOBS; i++) {
		slow_pool_start(pool, &jobs[i].slow);
	}
	wait_for_begun(JOBS);
	assert_int_equal(running, JOBS);
	open_gate();
	for (size_t i = 0; i < JOBS; i++) {
		assert_non_null(slow_pool_wait(pool));
	}
	assert_null(slow_pool_wait(pool));
	assert_null(slow_pool_free(pool));
}

/* Beyond the bound they wait, and are taken in order. */
static void test_bound(void **state)
{
	struct slow_pool *pool = NULL;

	(void)state;
	reset(false);
	assert_int_equal(slow_pool_new(2, &pool), 0);
	slow_pool_start(pool, &jobs[0].slow);
	slow_pool_start(pool, &jobs[1].slow);
	wait_for_begun(2);
	for (size_t i = 2; i < JOBS; i++) {
		jobs[i].free = true;
		slow_pool_start(pool, &jobs[i].slow);
	}
	assert_int_equal(begun, 2);
	assert_null(slow_pool_take(pool));
	open_gate();
	for (size_t i = 0; i < JOBS; i++) {
		assert_non_null(slow_pool_wait(pool));
	}
	for (unsigned int i = 0; i < JOBS; i++) {
		for (unsigned int j = 0; j < JOBS; j++) {
			assert_true(i == j || !pthread_equal(jobs[i].thread, jobs[j].thread) ||
				    (i < j) == (jobs[i].turn < jobs[j].turn));
		}
	}
	assert_null(slow_pool_free(pool));
}

/* A thread that has nothing to do takes the next job: none is started for it. */
static void test_threads_are_used_again(void **state)
{
	struct slow_pool *pool = NULL;

	(void)state;
	reset(true);
	assert_int_equal(slow_pool_new(JOBS, &pool), 0);
	for (size_t i = 0; i < JOBS; i++) {
		slow_pool_start(pool, &jobs[i].slow);
		assert_ptr_equal(slow_pool_wait(pool), &jobs[i].slow);
		assert_true(pthread_equal(jobs[i].thread, jobs[0].thread));
	}
	assert_null(slow_pool_free(pool));
}

/* The fd is readable as long as there is something to take. */
static void test_fd(void **state)
{
	struct pollfd entry = {.events = POLLIN};
	struct slow_pool *pool = NULL;
	unsigned int taken = 0;

	(void)state;
	reset(true);
	assert_int_equal(slow_pool_new(3, &pool), 0);
	for (size_t i = 0; i < JOBS; i++) {
		slow_pool_start(pool, &jobs[i].slow);
	}
	entry.fd = slow_pool_fd(pool);
	while (taken < JOBS) {
		assert_int_equal(poll(&entry, 1, 10000), 1);
		assert_non_null(slow_pool_take(pool));
		taken++;
	}
	assert_false(is_readable(pool));
	assert_null(slow_pool_take(pool));
	assert_null(slow_pool_free(pool));
}

/* What waits is done before the end. */
static void test_free_waits(void **state)
{
	struct slow_pool *pool = NULL;

	(void)state;
	reset(true);
	assert_int_equal(slow_pool_new(1, &pool), 0);
	for (size_t i = 0; i < JOBS; i++) {
		slow_pool_start(pool, &jobs[i].slow);
	}
	assert_null(slow_pool_free(pool));
	for (unsigned int i = 0; i < JOBS; i++) {
		assert_int_equal(jobs[i].turn, i + 1);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_free),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_beside),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_threads_are_used_again),
		cmocka_unit_test(test_fd),
		cmocka_unit_test(test_free_waits),
	};

	return cmocka_run_group_tests_name("slow-pool", tests, NULL, NULL);
}
