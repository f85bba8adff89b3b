/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CLOCK_MONOTONIC in one number. */
#pragma once

#include <stdint.h>
#include <time.h>

#define CLOCK_NANOSECONDS UINT64_C(1000000000)

static inline uint64_t clock_nanoseconds(void)
{
	struct timespec now = {.tv_sec = 0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * CLOCK_NANOSECONDS + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_microseconds(void)
{
	return clock_nanoseconds() / 1000;
}

static inline uint64_t clock_milliseconds(void)
{
	return clock_nanoseconds() / 1000000;
}
