/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The slow thread: carries out one change of the address space at a time, so that the loop can go
 * on answering. It does nothing but call space_change_work.
 */
#pragma once

#include <stdbool.h>

#include "vfio/space.h"

struct slow_thread;

/* Start the thread. 0 or -errno. */
int slow_thread_new(struct slow_thread **ret_thread);

/* Wait for what it is doing, end it, free it. Takes NULL, returns NULL. */
struct slow_thread *slow_thread_free(struct slow_thread *thread);

/* Readable when a change is done. */
int slow_thread_fd(const struct slow_thread *thread);

/* Give it a change. It must have none. */
void slow_thread_start(struct slow_thread *thread, struct space_change *change);

/* Take the change that is done, or NULL when there is none (yet). Never waits. */
struct space_change *slow_thread_take(struct slow_thread *thread);

/* Wait until the change is done and take it; NULL when it has none. */
struct space_change *slow_thread_wait(struct slow_thread *thread);
