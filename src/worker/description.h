/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The address space and its parts in the layouts of common/worker_protocol.h. */
#pragma once

#include <stddef.h>

#include "common/worker_protocol.h"
#include "vfio/space.h"

/* Large enough for the description of a full address space, and for a list of mappings. */
#define DESCRIPTION_SIZE (WORKER_MESSAGE_MAX - sizeof(struct worker_reply))

struct worker_memory describe_memory(const struct section *section);
struct worker_skipped describe_skipped(const struct section *section);
struct worker_window describe_window(const struct window *window);
struct worker_choice describe_choice(const struct window_choice *choice);
struct worker_container describe_container(const struct container *container);

/* The body of the reply to WORKER_DESCRIBE; returns its size. */
size_t describe_space(const struct space *space, unsigned char body[DESCRIPTION_SIZE]);

/* The body of the reply to WORKER_LIST_MAPPINGS; returns its size. */
size_t describe_mappings(const struct space *space, uint64_t from, uint32_t most,
			 unsigned char body[DESCRIPTION_SIZE]);
