/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The slow pool: threads that carry out what blocks in the kernel, so that the loop can go on
 * answering. A thread takes one job at a time; another thread is started when all are busy, up to a
 * bound, beyond which jobs wait in order. Threads that are there stay.
 */
#pragma once

#include <stdbool.h>

struct slow_job {
	struct slow_job *next;
	void (*work)(struct slow_job *job); /* on a thread of the pool */
	unsigned int kind;                  /* its owner's */
};

struct slow_pool;

/* Start the first thread. most_threads is at least 1. 0 or -errno. */
int slow_pool_new(unsigned int most_threads, struct slow_pool **ret_pool);

/* Wait for all jobs, end the threads, free it. Jobs that were not taken back are the caller's
 * again. Takes NULL, returns NULL. */
struct slow_pool *slow_pool_free(struct slow_pool *pool);

/* Readable when a job is done. */
int slow_pool_fd(const struct slow_pool *pool);

/* Have a job done. It stays the caller's, who leaves it alone until it is taken back. Where another
 * thread is due but can't be started, the job waits for those that are there. */
void slow_pool_start(struct slow_pool *pool, struct slow_job *job);

/* Take a job that is done, or NULL when there is none (yet). Never waits. */
struct slow_job *slow_pool_take(struct slow_pool *pool);

/* Wait until one is done and take it; NULL when none is under way. */
struct slow_job *slow_pool_wait(struct slow_pool *pool);
