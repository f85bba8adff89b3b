/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Half-open ranges of addresses, [start, start + size).
 *
 * A range is never empty and may end at 2^64 exactly, which does not fit a uint64_t: code compares
 * last addresses (range_last), never ends. All ranges are printed by range_format, so that logs and
 * error messages read alike.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct range {
	uint64_t start;
	uint64_t size;
};

/* Long enough for "[0x" 16 digits ", 0x1" 16 digits ")" and the terminating zero. */
struct range_text {
	char text[48];
};

/* Whether start and size make a range: not empty, and not past 2^64. */
static inline bool range_is_valid(uint64_t start, uint64_t size)
{
	return size > 0 && start + (size - 1) >= start;
}

static inline uint64_t range_last(struct range range)
{
	return range.start + (range.size - 1);
}

static inline bool range_overlaps(struct range a, struct range b)
{
	return a.start <= range_last(b) && b.start <= range_last(a);
}

static inline bool range_contains(struct range outer, struct range inner)
{
	return outer.start <= inner.start && range_last(inner) <= range_last(outer);
}

static inline bool range_contains_address(struct range range, uint64_t address)
{
	return range.start <= address && address <= range_last(range);
}

/* Whether value is a multiple of alignment, a power of two. */
static inline bool is_aligned(uint64_t value, uint64_t alignment)
{
	return (value & (alignment - 1)) == 0;
}

static inline bool is_power_of_two(uint64_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

/* The position of the highest bit of value, which is not 0. */
static inline unsigned int floor_log2(uint64_t value)
{
	return 63U - (unsigned int)__builtin_clzll(value);
}

/* The range as text, "[0x10000, 0x20000)". Takes any start and size, valid or not. */
struct range_text range_format(struct range range);
