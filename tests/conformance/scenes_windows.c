/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/vfio.h>

#include "scenes.h"

static const struct question create_arguments[] = {
	JOIN_EDU,
	SET_TCE_V2,
	DROP_DEFAULT,
	{"argsz 0", CREATE, {.size = GIB, .argsz = ARGSZ(0)}},
	{"argsz 39", CREATE, {.size = GIB, .argsz = ARGSZ(39)}},
	{"flag 1", CREATE, {.size = GIB, .flags = 1}},
	{"flag 1 << 31", CREATE, {.size = GIB, .flags = 1U << 31}},
	{"page shift 0", CREATE, {.size = GIB, .no_page_shift = true}},
	{"page shift 11", CREATE, {.size = GIB, .page_shift = 11}},
	{"page shift 13", CREATE, {.size = GIB, .page_shift = 13}},
	{"page shift 24", CREATE, {.size = GIB, .page_shift = 24}},
	{"page shift 31", CREATE, {.size = GIB, .page_shift = 31}},
	{"page shift 63", CREATE, {.size = GIB, .page_shift = 63}},
	{"size 0", CREATE, {.size = 0}},
	{"size 1.5 GiB", CREATE, {.size = GIB + GIB / 2}},
	{"size 1 GiB + 1 page", CREATE, {.size = GIB + PAGE}},
	{"size 1 GiB - 1", CREATE, {.size = GIB - 1}},
	{"no level", CREATE, {.size = GIB, .no_levels = true}},
	{"6 levels", CREATE, {.size = GIB, .levels = 6}},
	{"9 levels", CREATE, {.size = GIB, .levels = 9}},
	{"2^32 - 1 levels", CREATE, {.size = GIB, .levels = UINT32_MAX}},
	{"nothing locked", LOCKED},
	{"argsz 41", CREATE, {.size = GIB, .argsz = ARGSZ(41)}},
	{"locked", LOCKED},
};

static const struct question remove_arguments[] = {
	JOIN_EDU,
	SET_TCE_V2,
	{"argsz 0", REMOVE, {.argsz = ARGSZ(0)}},
	{"argsz 15", REMOVE, {.argsz = ARGSZ(15)}},
	{"flag 1", REMOVE, {.flags = 1}},
	{"an address in the pending window", REMOVE, {.iova = PAGE}},
	{"the second window", REMOVE, {.iova = SECOND_WINDOW}},
	{"argsz 17", REMOVE, {.argsz = ARGSZ(17)}},
	{"again", REMOVE, {.iova = 0}},
	{"a window", CREATE, {.size = GIB}},
	{"a second", CREATE, {.size = GIB, .page_shift = 16}},
	{"flag 1", REMOVE, {.flags = 1}},
	{"argsz 15", REMOVE, {.argsz = ARGSZ(15)}},
	{"just after the first", REMOVE, {.iova = GIB}},
	{"just before the second", REMOVE, {.iova = SECOND_WINDOW - 1}},
	{"just after the second", REMOVE, {.iova = SECOND_WINDOW + GIB}},
	{"highest address", REMOVE, {.iova = UINT64_MAX}},
	{"last byte of the first", REMOVE, {.iova = GIB - 1}},
	{"the first again", REMOVE, {.iova = 0}},
	{"inside the second", REMOVE, {.iova = SECOND_WINDOW + 5 * MIB + 1}},
	{"nothing locked", LOCKED},
};

static const struct question slots[] = {
	JOIN_EDU,
	SET_TCE_V2,
	DROP_DEFAULT,
	{"first", CREATE, {.size = GIB, .page_shift = 16}},
	{"second", CREATE, {.size = GIB}},
	{"third", CREATE, {.size = GIB}},
	{"third, of a bad page size", CREATE, {.size = GIB, .page_shift = 13}},
	{"third, with a flag", CREATE, {.size = GIB, .flags = 1}},
	{"remove the first", REMOVE, {.iova = 0}},
	{"its slot again", CREATE, {.size = 2 * GIB, .page_shift = 21}},
	{"remove the second", REMOVE, {.iova = SECOND_WINDOW}},
	{"its slot again", CREATE, {.size = 4 * GIB, .page_shift = 30}},
	{"remove both: one", REMOVE, {.iova = SECOND_WINDOW}},
	{"remove both: two", REMOVE, {.iova = 0}},
	{"starts at 0 again", CREATE, {.size = GIB}},
};

/* A window that is there before the first use makes itself known by its cost, 8 MiB. */
#define PENDING                   \
	JOIN_EDU, SET_TCE_V2,     \
	{                         \
		"pending", LOCKED \
	}

static const struct question pending_create[] = {
	PENDING,
	{"argsz too small", CREATE, {.size = GIB, .argsz = ARGSZ(39)}},
	{"flag 1", CREATE, {.size = GIB, .flags = 1}},
	{"still pending", LOCKED},
	{"a bad page size", CREATE, {.size = GIB, .page_shift = 13}},
	{"made by the refused one", LOCKED},
	{"create", CREATE, {.size = GIB, .page_shift = 16}},
	{"both", LOCKED},
	{"no third", CREATE, {.size = GIB}},
	DROP_DEFAULT,
	{"one", LOCKED},
	{"no more pending", CREATE, {.size = GIB}},
};

static const struct question pending_map[] = {
	PENDING,
	{"map before any register", MAP, {.size = PAGE}},
	{"still pending", LOCKED},
	REGISTER_ALL,
	{"registered", LOCKED},
	{"argsz 31", MAP, {.size = PAGE, .argsz = ARGSZ(31)}},
	{"unknown flag", MAP, {.size = PAGE, .flags = 0x10}},
	{"after bad arguments", LOCKED},
	{"outside every window", MAP, {FROM_END(0), .size = PAGE}},
	{"made by the refused one", LOCKED},
	{"map", MAP, {.size = PAGE}},
	{"made once", LOCKED},
};

static const struct question pending_unmap[] = {
	PENDING,
	{"unmap before any register", UNMAP, {.size = PAGE}},
	REGISTER_ALL,
	{"flag 1", UNMAP, {.size = PAGE, .flags = 1}},
	{"argsz 23", UNMAP, {.size = PAGE, .argsz = ARGSZ(23)}},
	{"after bad arguments", LOCKED},
	{"unmap", UNMAP, {.size = PAGE}},
	{"made", LOCKED},
};

static const struct question pending_remove[] = {
	PENDING,
	REGISTER_ALL,
	{"another than it", REMOVE, {.iova = SECOND_WINDOW}},
	{"still pending", LOCKED},
	DROP_DEFAULT,
	{"map without a window", MAP, {.size = PAGE}},
	{"unmap without a window", UNMAP, {.size = PAGE}},
	{"nothing made", LOCKED},
	{"create", CREATE, {.size = GIB}},
	{"create another", CREATE, {.size = GIB}},
	{"a second group", SET_CONTAINER, {.group = NIC}},
	{"leaves again", UNSET_CONTAINER, {.group = NIC}},
	{"remove one", REMOVE, {.iova = 0}},
	{"remove the other", REMOVE, {.iova = SECOND_WINDOW}},
	{"a group after that", SET_CONTAINER, {.group = NIC}},
	{"makes none pending", MAP, {.size = PAGE}},
};

/* A window at 0 of a shape, what it costs, and its end. */
#define SHAPE(size_, page_shift_, levels_)                                     \
	{#size_ ", page shift " #page_shift_ ", levels " #levels_,             \
	 CREATE,                                                               \
	 {.size = (size_), .page_shift = (page_shift_), .levels = (levels_)}}, \
		{"locked", LOCKED},                                            \
	{                                                                      \
		"remove it", REMOVE,                                           \
		{                                                              \
			.of_made = true                                        \
		}                                                              \
	}

static const struct question geometry[] = {
	JOIN_EDU,
	SET_TCE_V2,
	DROP_DEFAULT,
	SHAPE(GIB, 12, 1),
	SHAPE(GIB, 12, 2),
	SHAPE(2 * GIB, 12, 1),
	SHAPE(2 * GIB, 12, 2),
	SHAPE(2 * GIB, 12, 3),
	SHAPE(2 * GIB, 12, 4),
	SHAPE(2 * GIB, 16, 1),
	SHAPE(2 * GIB, 16, 2),
	SHAPE(2 * GIB, 16, 3),
	SHAPE(2 * GIB, 16, 4),
	SHAPE(2 * GIB, 21, 1),
	SHAPE(2 * GIB, 21, 2),
	SHAPE(2 * GIB, 21, 3),
	SHAPE(2 * GIB, 30, 1),
	SHAPE(2 * GIB, 30, 2),
	SHAPE(64 * GIB, 16, 1),
	SHAPE(64 * GIB, 16, 2),
	SHAPE(64 * GIB, 16, 3),
	SHAPE(64 * GIB, 16, 4),
	SHAPE(64 * GIB, 21, 1),
	SHAPE(64 * GIB, 30, 1),
	SHAPE(TIB, 16, 2),
	SHAPE(TIB, 16, 3),
	SHAPE(TIB, 21, 1),
	SHAPE(TIB, 21, 2),
	SHAPE(TIB, 30, 1),
	SHAPE(GIB, 24, 1),
	SHAPE(64 * GIB, 24, 1),
	SHAPE(64 * GIB, 24, 2),
	SHAPE(4 * GIB, 28, 1),
	SHAPE(TIB, 28, 1),
	{"nothing locked", LOCKED},
};

/* What is charged for such a window is not given back: asked by a process of its own, which
 * ends. */
#define REFUSED_SHAPE(size_, page_shift_, levels_)                                        \
	{                                                                                 \
#size_ ", page shift " #page_shift_ ", levels " #levels_, CREATE,         \
		{                                                                         \
			.size = (size_), .page_shift = (page_shift_), .levels = (levels_) \
		}                                                                         \
	}

static const struct question geometry_refused[] = {
	JOIN_EDU,
	SET_TCE_V2,
	PEER(FORKED),
	THE_PEER,
	DROP_DEFAULT,
	REFUSED_SHAPE(GIB, 12, 5),
	REFUSED_SHAPE(GIB, 16, 5),
	REFUSED_SHAPE(GIB, 21, 4),
	REFUSED_SHAPE(2 * GIB, 30, 3),
	REFUSED_SHAPE(64 * GIB, 16, 5),
	REFUSED_SHAPE(TIB, 16, 1),
	REFUSED_SHAPE(TIB / 4, 16, 1),
	REFUSED_SHAPE(64 * KIB, 16, 5),
	REFUSED_SHAPE(4 * KIB, 16, 1),
	{"one that can be had", CREATE, {.size = GIB, .page_shift = 16}},
	{"is charged as ever", LOCKED},
	{"remove it", REMOVE, {.iova = 0}},
	{"leaves what leaked", LOCKED},
	ITSELF,
	PEER_ENDS,
	{"leave", UNSET_CONTAINER, {.group = EDU}},
	{"nothing locked here", LOCKED},
};

static const struct question small_windows[] = {
	JOIN_EDU,
	SET_TCE_V2,
	DROP_DEFAULT,
	SHAPE(PAGE, 12, 1),
	SHAPE(64 * KIB, 12, 1),
	SHAPE(64 * KIB, 16, 1),
	SHAPE(2 * MIB, 21, 1),
	SHAPE(2 * MIB, 12, 1),
	SHAPE(4 * MIB, 12, 1),
	SHAPE(GIB, 30, 1),
	/* Smaller than one of its pages. */
	SHAPE(MIB, 21, 1),
	{"nothing locked", LOCKED},
	{"one page", CREATE, {.size = PAGE}},
	REGISTER_ALL,
	{"map it", MAP, {.size = PAGE}},
	/* A table has room for 512 entries at least. */
	{"map what is in the table beyond it", MAP, {.iova = MIB, .size = PAGE}},
	{"unmap that", UNMAP, {.iova = MIB, .size = PAGE}},
	{"map beyond the table", MAP, {.iova = 2 * MIB, .size = PAGE}},
	{"remove beyond the window", REMOVE, {.iova = MIB}},
};

const struct scene_table SCENES_OF(windows)[] = {
	SCENE(pending_map), SCENE(pending_unmap), SCENE(geometry), SCENE(small_windows), SCENES_END,
};

/* A second window fails where a hypervisor has room for one, which spoils the bridge. */
const struct scene_table SCENES_OF(second_windows)[] = {
	SCENE(create_arguments),
	SCENE(pending_create),
	SCENE(remove_arguments),
	SCENE(slots),
	SCENE(pending_remove),
	SCENE(geometry_refused),
	SCENES_END,
};
