/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/vfio.h>

#include "subjects.h"

void test_create_arguments(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		DROP_DEFAULT,
		{"argsz 0", CREATE, {.size = GIB, .argsz = ARGSZ(0)}, -EINVAL},
		{"argsz 39", CREATE, {.size = GIB, .argsz = ARGSZ(39)}, -EINVAL},
		{"flag 1", CREATE, {.size = GIB, .flags = 1}, -EINVAL},
		{"flag 1 << 31", CREATE, {.size = GIB, .flags = 1U << 31}, -EINVAL},
		{"page shift 0", CREATE, {.size = GIB, .no_page_shift = true}, -EINVAL},
		{"page shift 11", CREATE, {.size = GIB, .page_shift = 11}, -EINVAL},
		{"page shift 13", CREATE, {.size = GIB, .page_shift = 13}, -EINVAL},
		{"page shift 24", CREATE, {.size = GIB, .page_shift = 24}, -EINVAL},
		{"page shift 31", CREATE, {.size = GIB, .page_shift = 31}, -EINVAL},
		{"page shift 63", CREATE, {.size = GIB, .page_shift = 63}, -EINVAL},
		{"size 0", CREATE, {.size = 0}, -EINVAL},
		{"size 1.5 GiB", CREATE, {.size = GIB + GIB / 2}, -EINVAL},
		{"size 1 GiB + 1 page", CREATE, {.size = GIB + PAGE}, -EINVAL},
		{"size 1 GiB - 1", CREATE, {.size = GIB - 1}, -EINVAL},
		{"no level", CREATE, {.size = GIB, .no_levels = true}, -EINVAL},
		{"6 levels", CREATE, {.size = GIB, .levels = 6}, -EINVAL},
		{"9 levels", CREATE, {.size = GIB, .levels = 9}, -EINVAL},
		{"2^32 - 1 levels", CREATE, {.size = GIB, .levels = UINT32_MAX}, -EINVAL},
		{"nothing locked", LOCKED, NOTHING, 0},
		{"argsz 41", CREATE, {.size = GIB, .argsz = ARGSZ(41)}, 0},
		{"locked", LOCKED, NOTHING, 4096},
	};

	ASK(*state, questions);
}

void test_remove_arguments(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		{"argsz 0", REMOVE, {.argsz = ARGSZ(0)}, -EINVAL},
		{"argsz 15", REMOVE, {.argsz = ARGSZ(15)}, -EINVAL},
		{"flag 1", REMOVE, {.flags = 1}, -EINVAL},
		{"an address in the pending window", REMOVE, {.iova = PAGE}, -EINVAL},
		{"the second window", REMOVE, {.iova = SECOND_WINDOW}, -EINVAL},
		{"argsz 17", REMOVE, {.argsz = ARGSZ(17)}, 0},
		{"again", REMOVE, {.iova = 0}, -EINVAL},
		{"a window", CREATE, {.size = GIB}, 0},
		{"a second", CREATE, {.size = GIB, .page_shift = 16, .start = SECOND_WINDOW}, 0},
		{"flag 1", REMOVE, {.flags = 1}, -EINVAL},
		{"argsz 15", REMOVE, {.argsz = ARGSZ(15)}, -EINVAL},
		{"just after the first", REMOVE, {.iova = GIB}, -EINVAL},
		{"just before the second", REMOVE, {.iova = SECOND_WINDOW - 1}, -EINVAL},
		{"just after the second", REMOVE, {.iova = SECOND_WINDOW + GIB}, -EINVAL},
		{"highest address", REMOVE, {.iova = UINT64_MAX}, -EINVAL},
		{"last byte of the first", REMOVE, {.iova = GIB - 1}, 0},
		{"the first again", REMOVE, {.iova = 0}, -EINVAL},
		{"inside the second", REMOVE, {.iova = SECOND_WINDOW + 5 * MIB + 1}, 0},
		{"nothing locked", LOCKED, NOTHING, 0},
	};

	ASK(*state, questions);
}

void test_slots(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		DROP_DEFAULT,
		{"first", CREATE, {.size = GIB, .page_shift = 16}, 0},
		{"second", CREATE, {.size = GIB, .start = SECOND_WINDOW}, 0},
		{"third", CREATE, {.size = GIB}, -ENOSPC},
		{"third, of a bad page size", CREATE, {.size = GIB, .page_shift = 13}, -ENOSPC},
		{"third, with a flag", CREATE, {.size = GIB, .flags = 1}, -EINVAL},
		{"remove the first", REMOVE, {.iova = 0}, 0},
		{"its slot again", CREATE, {.size = 2 * GIB, .page_shift = 21}, 0},
		{"remove the second", REMOVE, {.iova = SECOND_WINDOW}, 0},
		{"its slot again",
		 CREATE,
		 {.size = 4 * GIB, .page_shift = 30, .start = SECOND_WINDOW},
		 0},
		{"remove both: one", REMOVE, {.iova = SECOND_WINDOW}, 0},
		{"remove both: two", REMOVE, {.iova = 0}, 0},
		{"starts at 0 again", CREATE, {.size = GIB}, 0},
	};

	ASK(*state, questions);
}

/* A window that is there before the first use makes itself known by its cost, 8 MiB. */
#define PENDING                               \
	JOIN_EDU, SET_TCE_V2,                 \
	{                                     \
		"pending", LOCKED, NOTHING, 0 \
	}

void test_pending_create(void **state)
{
	static const struct question questions[] = {
		PENDING,
		{"argsz too small", CREATE, {.size = GIB, .argsz = ARGSZ(39)}, -EINVAL},
		{"flag 1", CREATE, {.size = GIB, .flags = 1}, -EINVAL},
		{"still pending", LOCKED, NOTHING, 0},
		{"a bad page size", CREATE, {.size = GIB, .page_shift = 13}, -EINVAL},
		{"made by the refused one", LOCKED, NOTHING, 8192},
		{"create", CREATE, {.size = GIB, .page_shift = 16, .start = SECOND_WINDOW}, 0},
		{"both", LOCKED, NOTHING, 8448},
		{"no third", CREATE, {.size = GIB}, -ENOSPC},
		DROP_DEFAULT,
		{"one", LOCKED, NOTHING, 256},
		{"no more pending", CREATE, {.size = GIB}, 0},
	};

	ASK(*state, questions);
}

void test_pending_map(void **state)
{
	static const struct question questions[] = {
		PENDING,
		{"map before any register", MAP, {.size = PAGE}, -EPERM},
		{"still pending", LOCKED, NOTHING, 0},
		REGISTER_ALL,
		{"registered", LOCKED, NOTHING, 4096},
		{"argsz 31", MAP, {.size = PAGE, .argsz = ARGSZ(31)}, -EINVAL},
		{"unknown flag", MAP, {.size = PAGE, .flags = 0x10}, -EINVAL},
		{"after bad arguments", LOCKED, NOTHING, 4096},
		{"outside every window", MAP, {.iova = DEFAULT_WINDOW, .size = PAGE}, -ENXIO},
		{"made by the refused one", LOCKED, NOTHING, 12288},
		{"map", MAP, {.size = PAGE}, 0},
		{"made once", LOCKED, NOTHING, 12288},
	};

	ASK(*state, questions);
}

void test_pending_unmap(void **state)
{
	static const struct question questions[] = {
		PENDING,
		{"unmap before any register", UNMAP, {.size = PAGE}, -EPERM},
		REGISTER_ALL,
		{"flag 1", UNMAP, {.size = PAGE, .flags = 1}, -EINVAL},
		{"argsz 23", UNMAP, {.size = PAGE, .argsz = ARGSZ(23)}, -EINVAL},
		{"after bad arguments", LOCKED, NOTHING, 4096},
		{"unmap", UNMAP, {.size = PAGE}, 0},
		{"made", LOCKED, NOTHING, 12288},
	};

	ASK(*state, questions);
}

void test_pending_remove(void **state)
{
	static const struct question questions[] = {
		PENDING,
		REGISTER_ALL,
		{"another than it", REMOVE, {.iova = SECOND_WINDOW}, -EINVAL},
		{"still pending", LOCKED, NOTHING, 4096},
		DROP_DEFAULT,
		{"map without a window", MAP, {.size = PAGE}, -ENXIO},
		{"unmap without a window", UNMAP, {.size = PAGE}, -ENXIO},
		{"nothing made", LOCKED, NOTHING, 4096},
		{"create", CREATE, {.size = GIB}, 0},
		{"create another", CREATE, {.size = GIB, .start = SECOND_WINDOW}, 0},
		{"a second group", SET_CONTAINER, {.group = NIC}, 0},
		{"leaves again", UNSET_CONTAINER, {.group = NIC}, 0},
		{"remove one", REMOVE, {.iova = 0}, 0},
		{"remove the other", REMOVE, {.iova = SECOND_WINDOW}, 0},
		{"a group after that", SET_CONTAINER, {.group = NIC}, 0},
		{"makes none pending", MAP, {.size = PAGE}, -ENXIO},
	};

	ASK(*state, questions);
}

/* A window at 0 of a shape, what it costs, and its end. */
#define SHAPE(size_, page_shift_, levels_, kib)                                               \
	{#size_ ", page shift " #page_shift_ ", levels " #levels_,                            \
	 CREATE,                                                                              \
	 {.size = (size_), .page_shift = (page_shift_), .levels = (levels_)},                 \
	 0},                                                                                  \
		{#size_ ", page shift " #page_shift_ ", levels " #levels_ ": locked", LOCKED, \
		 NOTHING, kib},                                                               \
	{                                                                                     \
		"remove it", REMOVE, {.iova = 0}, 0                                           \
	}

void test_geometry(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		DROP_DEFAULT,
		SHAPE(GIB, 12, 1, 4096),
		SHAPE(GIB, 12, 2, 4104),
		SHAPE(2 * GIB, 12, 1, 8192),
		SHAPE(2 * GIB, 12, 2, 8208),
		SHAPE(2 * GIB, 12, 3, 8216),
		SHAPE(2 * GIB, 12, 4, 8224),
		SHAPE(2 * GIB, 16, 1, 512),
		SHAPE(2 * GIB, 16, 2, 520),
		SHAPE(2 * GIB, 16, 3, 528),
		SHAPE(2 * GIB, 16, 4, 536),
		SHAPE(2 * GIB, 21, 1, 16),
		SHAPE(2 * GIB, 21, 2, 24),
		SHAPE(2 * GIB, 21, 3, 32),
		SHAPE(2 * GIB, 30, 1, 8),
		SHAPE(2 * GIB, 30, 2, 16),
		SHAPE(64 * GIB, 16, 1, 16384),
		SHAPE(64 * GIB, 16, 2, 16400),
		SHAPE(64 * GIB, 16, 3, 16424),
		SHAPE(64 * GIB, 16, 4, 16432),
		SHAPE(64 * GIB, 21, 1, 512),
		SHAPE(64 * GIB, 30, 1, 8),
		SHAPE(TIB, 16, 2, 262208),
		SHAPE(TIB, 16, 3, 262664),
		SHAPE(TIB, 21, 1, 8192),
		SHAPE(TIB, 21, 2, 8208),
		SHAPE(TIB, 30, 1, 16),
		{"nothing locked", LOCKED, NOTHING, 0},
	};

	ASK(*state, questions);
}

/* What is charged for such a window is not given back: asked by a process of its own, which ends.
 */
#define REFUSED_SHAPE(size_, page_shift_, levels_, error, kib)                               \
	{#size_ ", page shift " #page_shift_ ", levels " #levels_,                           \
	 CREATE,                                                                             \
	 {.size = (size_), .page_shift = (page_shift_), .levels = (levels_)},                \
	 error},                                                                             \
	{                                                                                    \
#size_ ", page shift " #page_shift_ ", levels " #levels_ ": locked", LOCKED, \
			NOTHING, kib                                                         \
	}

void test_geometry_refused(void **state)
{
	static const struct question before[] = {
		JOIN_EDU,
		SET_TCE_V2,
	};
	static const struct question refused[] = {
		DROP_DEFAULT,
		REFUSED_SHAPE(GIB, 12, 5, -EINVAL, 4128),
		REFUSED_SHAPE(GIB, 16, 5, -EINVAL, 4416),
		REFUSED_SHAPE(GIB, 21, 4, -EINVAL, 4448),
		REFUSED_SHAPE(2 * GIB, 30, 3, -EINVAL, 4472),
		REFUSED_SHAPE(64 * GIB, 16, 5, -EINVAL, 20912),
		REFUSED_SHAPE(TIB, 16, 1, -ENOMEM, 283056),
		REFUSED_SHAPE(TIB / 4, 16, 1, -ENOMEM, 348592),
		REFUSED_SHAPE(64 * KIB, 16, 5, -EINVAL, 348632),
		REFUSED_SHAPE(PAGE, 16, 1, -EINVAL, 348632),
		{"one that can be had", CREATE, {.size = GIB, .page_shift = 16}, 0},
		{"is charged as ever", LOCKED, NOTHING, 348888},
		{"remove it", REMOVE, {.iova = 0}, 0},
		{"leaves what leaked", LOCKED, NOTHING, 348632},
	};
	static const struct question after[] = {
		{"leave", UNSET_CONTAINER, {.group = EDU}, 0},
		{"nothing locked here", LOCKED, NOTHING, 0},
	};
	struct peer peer;

	ASK(*state, before);
	peer = peer_start(*state, TABLE(refused), NO_TABLE, false);
	peer_end(&peer);
	ASK(*state, after);
}

void test_small_windows(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		DROP_DEFAULT,
		SHAPE(PAGE, 12, 1, 8),
		SHAPE(64 * KIB, 12, 1, 8),
		SHAPE(64 * KIB, 16, 1, 8),
		SHAPE(2 * MIB, 21, 1, 8),
		SHAPE(2 * MIB, 12, 1, 8),
		SHAPE(4 * MIB, 12, 1, 16),
		SHAPE(GIB, 30, 1, 8),
		/* Smaller than one of its pages. */
		SHAPE(MIB, 21, 1, 8),
		{"nothing locked", LOCKED, NOTHING, 0},
		{"one page", CREATE, {.size = PAGE}, 0},
		REGISTER_ALL,
		{"map it", MAP, {.size = PAGE}, 0},
		/* A table has room for 512 entries at least. */
		{"map what is in the table beyond it", MAP, {.iova = MIB, .size = PAGE}, 0},
		{"unmap that", UNMAP, {.iova = MIB, .size = PAGE}, 0},
		{"map beyond the table", MAP, {.iova = 2 * MIB, .size = PAGE}, -ENXIO},
		{"remove beyond the window", REMOVE, {.iova = MIB}, 0},
	};

	ASK(*state, questions);
}
