/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/vfio.h>

#include "subjects.h"

/* A failing call with a misaligned IOVA has this answer instead of an error. */
#define MISALIGNED 1

void test_map_unbound(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		{"map", MAP, {.size = PAGE}, -EPERM},
		{"map, argsz 0", MAP, {.size = PAGE, .argsz = ARGSZ(0)}, -EPERM},
		{"map, unknown flag", MAP, {.size = PAGE, .flags = 0x10}, -EPERM},
		{"unmap", UNMAP, {.size = PAGE}, -EPERM},
		{"unmap, argsz 0", UNMAP, {.size = PAGE, .argsz = ARGSZ(0)}, -EPERM},
		{"a register that fails", REGISTER, {.memory = READ_ONLY, .size = PAGE}, -EFAULT},
		{"map after it", MAP, {.size = PAGE}, -EPERM},
		DROP_DEFAULT,
		{"create", CREATE, {.size = GIB}, 0},
		{"map with a window, but no memory", MAP, {.size = PAGE}, -EPERM},
		{"unmap with a window, but no memory", UNMAP, {.size = PAGE}, -EPERM},
		REGISTER_ALL,
		UNREGISTER_ALL,
		{"map when memory is gone again", MAP, {.size = PAGE}, -EINVAL},
		{"unmap when memory is gone again", UNMAP, {.size = PAGE}, 0},
	};

	ASK(*state, questions);
}

void test_map_arguments(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		{"argsz 0", MAP, {.size = PAGE, .argsz = ARGSZ(0)}, -EINVAL},
		{"argsz 31", MAP, {.size = PAGE, .argsz = ARGSZ(31)}, -EINVAL},
		{"argsz 33", MAP, {.size = PAGE, .argsz = ARGSZ(33)}, 0},
		{"no flags", MAP, {.size = PAGE, .no_flags = true}, -EINVAL},
		{"flag 4", MAP, {.size = PAGE, .flags = 4}, -EINVAL},
		{"flag 16 and both", MAP, {.size = PAGE, .flags = 0x13}, -EINVAL},
		{"read", MAP, {.size = PAGE, .flags = VFIO_DMA_MAP_FLAG_READ}, 0},
		{"write", MAP, {.size = PAGE, .flags = VFIO_DMA_MAP_FLAG_WRITE}, 0},
		{"size 0", MAP, {.size = 0}, 0},
		{"size 0 without flags", MAP, {.size = 0, .no_flags = true}, -EINVAL},
		{"size 0 of nothing registered", MAP, {.memory = NOWHERE, .size = 0}, 0},
		{"size 0 outside", MAP, {.iova = DEFAULT_WINDOW, .size = 0}, -ENXIO},
		{"size 0 at a misaligned IOVA", MAP, {.iova = 1, .size = 0}, MISALIGNED},
		{"IOVA + 1", MAP, {.iova = 1, .size = PAGE}, MISALIGNED},
		{"IOVA + 0x800", MAP, {.iova = PAGE + 0x800, .size = PAGE}, MISALIGNED},
		{"misaligned address", MAP, {.offset = 0x800, .size = PAGE}, -EINVAL},
		{"misaligned size", MAP, {.size = 0x800}, -EINVAL},
		{"misaligned IOVA and size", MAP, {.iova = 1, .size = 0x800}, -EINVAL},
		{"misaligned IOVA, no flags",
		 MAP,
		 {.iova = 1, .size = PAGE, .no_flags = true},
		 -EINVAL},
		{"misaligned IOVA of nothing registered",
		 MAP,
		 {.iova = 1, .memory = NOWHERE, .size = PAGE},
		 MISALIGNED},
		{"not registered", MAP, {.memory = READ_ONLY, .size = PAGE}, -EINVAL},
		{"address 0", MAP, {.memory = NOWHERE, .size = PAGE}, -EINVAL},
		{"just after the window", MAP, {.iova = DEFAULT_WINDOW, .size = PAGE}, -ENXIO},
		{"where the second would be", MAP, {.iova = SECOND_WINDOW, .size = PAGE}, -ENXIO},
		{"1 << 63", MAP, {.iova = UINT64_C(1) << 63, .size = PAGE}, -ENXIO},
		{"outside and misaligned", MAP, {.iova = DEFAULT_WINDOW + 1, .size = 1}, -ENXIO},
		{"last page", MAP, {.iova = DEFAULT_WINDOW - PAGE, .size = PAGE}, 0},
		{"last byte", MAP, {.iova = DEFAULT_WINDOW - 1, .size = PAGE}, MISALIGNED},
		{"last pages", MAP, {.iova = DEFAULT_WINDOW - MIB, .size = MIB}, 0},
		{"all memory", MAP, {.iova = MIB, .size = WHOLE_SIZE}, 0},
	};

	ASK(*state, questions);
}

/* A page that is mapped twice and unmapped once holds nothing any more. */
void test_map_replaces(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		{"map", MAP, {.size = MIB}, 0},
		{"the same again", MAP, {.size = MIB}, 0},
		{"other memory there", MAP, {.offset = MIB, .size = MIB}, 0},
		{"over its end", MAP, {.iova = MIB - PAGE, .size = 2 * PAGE}, 0},
		{"with other permissions", MAP, {.size = PAGE, .flags = VFIO_DMA_MAP_FLAG_READ}, 0},
		{"unmap", UNMAP, {.size = MIB + PAGE}, 0},
		UNREGISTER_ALL,
		{"only the table is left", LOCKED, NOTHING, 8192},
	};

	ASK(*state, questions);
}

void test_map_regions(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		{"first half", REGISTER, {.size = WHOLE_SIZE / 2}, 0},
		{"more than it", MAP, {.size = WHOLE_SIZE / 2 + PAGE}, -EINVAL},
		{"its last page and one more",
		 MAP,
		 {.offset = WHOLE_SIZE / 2 - PAGE, .size = 2 * PAGE},
		 -EINVAL},
		{"no entry is left", UNREGISTER, {.size = WHOLE_SIZE / 2}, 0},
		{"it is free", LOCKED, NOTHING, 8192},
		{"first half", REGISTER, {.size = WHOLE_SIZE / 2}, 0},
		{"second half", REGISTER, {.offset = WHOLE_SIZE / 2, .size = WHOLE_SIZE / 2}, 0},
		{"both as one", MAP, {.size = WHOLE_SIZE}, 0},
		/* What was mapped before is gone as far as the failing call came. */
		{"over it, into the hole",
		 MAP,
		 {.iova = 0, .offset = WHOLE_SIZE - PAGE, .size = 2 * PAGE},
		 -EINVAL},
		{"unmap", UNMAP, {.size = WHOLE_SIZE}, 0},
		{"free the first half", UNREGISTER, {.size = WHOLE_SIZE / 2}, 0},
		{"free the second half",
		 UNREGISTER,
		 {.offset = WHOLE_SIZE / 2, .size = WHOLE_SIZE / 2},
		 0},
		{"all is free", LOCKED, NOTHING, 8192},
	};

	ASK(*state, questions);
}

/* The memory has pages of 4 KiB. */
#define ALIGNED .alignment = (2 * MIB)

void test_map_large_pages(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		DROP_DEFAULT,
		{"64 KiB", CREATE, {.size = GIB, .page_shift = 16}, 0},
		{"2 MiB", CREATE, {.size = GIB, .page_shift = 21, .start = SECOND_WINDOW}, 0},
		{"64 KiB of small pages", MAP, {ALIGNED, .size = 64 * KIB}, -EINVAL},
		{"4 KiB in a window of 64 KiB", MAP, {ALIGNED, .size = PAGE}, -EINVAL},
		{"size 0", MAP, {ALIGNED, .size = 0}, 0},
		{"size 0, address + 4 KiB", MAP, {ALIGNED, .offset = PAGE, .size = 0}, -EINVAL},
		{"IOVA + 4 KiB", MAP, {ALIGNED, .iova = PAGE, .size = 64 * KIB}, MISALIGNED},
		{"IOVA and address + 4 KiB",
		 MAP,
		 {ALIGNED, .iova = PAGE, .offset = PAGE, .size = 64 * KIB},
		 -EINVAL},
		{"1 MiB of small pages", MAP, {ALIGNED, .size = MIB}, -EINVAL},
		{"2 MiB of small pages",
		 MAP,
		 {ALIGNED, .iova = SECOND_WINDOW, .size = 2 * MIB},
		 -EINVAL},
		{"64 KiB in a window of 2 MiB",
		 MAP,
		 {ALIGNED, .iova = SECOND_WINDOW, .size = 64 * KIB},
		 -EINVAL},
		{"IOVA + 64 KiB in a window of 2 MiB",
		 MAP,
		 {ALIGNED, .iova = SECOND_WINDOW + 64 * KIB, .size = 2 * MIB},
		 MISALIGNED},
		{"unmap 64 KiB", UNMAP, {.size = 64 * KIB}, 0},
		{"unmap 4 KiB", UNMAP, {.size = PAGE}, -EINVAL},
		{"unmap at IOVA + 4 KiB", UNMAP, {.iova = PAGE, .size = 64 * KIB}, MISALIGNED},
		{"unmap 2 MiB", UNMAP, {.iova = SECOND_WINDOW, .size = 2 * MIB}, 0},
		{"unmap 64 KiB of 2 MiB",
		 UNMAP,
		 {.iova = SECOND_WINDOW, .size = 64 * KIB},
		 -EINVAL},
		UNREGISTER_ALL,
	};

	ASK(*state, questions);
}

void test_unmap(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		{"map", MAP, {.size = MIB}, 0},
		{"argsz 0", UNMAP, {.size = PAGE, .argsz = ARGSZ(0)}, -EINVAL},
		{"argsz 23", UNMAP, {.size = PAGE, .argsz = ARGSZ(23)}, -EINVAL},
		{"argsz 24", UNMAP, {.size = PAGE, .argsz = ARGSZ(24)}, 0},
		{"argsz 25", UNMAP, {.size = PAGE, .argsz = ARGSZ(25)}, 0},
		{"flag 1", UNMAP, {.size = PAGE, .flags = 1}, -EINVAL},
		{"flag 2", UNMAP, {.size = PAGE, .flags = 2}, -EINVAL},
		{"a hole", UNMAP, {.size = PAGE}, 0},
		{"never mapped", UNMAP, {.iova = GIB, .size = GIB / 2}, 0},
		{"a part", UNMAP, {.iova = 16 * PAGE, .size = PAGE}, 0},
		{"around a hole", UNMAP, {.iova = 15 * PAGE, .size = 3 * PAGE}, 0},
		{"size 0", UNMAP, {.size = 0}, 0},
		{"size 0 at IOVA + 1", UNMAP, {.iova = 1, .size = 0}, MISALIGNED},
		{"IOVA + 1", UNMAP, {.iova = 1, .size = PAGE}, MISALIGNED},
		{"IOVA + 0x800", UNMAP, {.iova = 0x800, .size = PAGE}, MISALIGNED},
		{"misaligned size", UNMAP, {.size = 0x800}, -EINVAL},
		{"misaligned both", UNMAP, {.iova = 1, .size = 0x800}, -EINVAL},
		{"outside", UNMAP, {.iova = DEFAULT_WINDOW, .size = PAGE}, -ENXIO},
		{"outside, misaligned", UNMAP, {.iova = DEFAULT_WINDOW + 1, .size = 1}, -ENXIO},
		{"outside, size 0", UNMAP, {.iova = DEFAULT_WINDOW, .size = 0}, -ENXIO},
		{"where the second would be", UNMAP, {.iova = SECOND_WINDOW, .size = PAGE}, -ENXIO},
		{"the whole window", UNMAP, {.size = DEFAULT_WINDOW}, 0},
		UNREGISTER_ALL,
		{"only the table is left", LOCKED, NOTHING, 8192},
	};

	ASK(*state, questions);
}

void test_remove_mapped(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		{"map", MAP, {.size = WHOLE_SIZE}, 0},
		{"second window", CREATE, {.size = GIB, .start = SECOND_WINDOW}, 0},
		{"map there", MAP, {.iova = SECOND_WINDOW, .size = WHOLE_SIZE}, 0},
		{"its last page", MAP, {.iova = SECOND_WINDOW + GIB - PAGE, .size = PAGE}, 0},
		{"just after it", MAP, {.iova = SECOND_WINDOW + GIB, .size = PAGE}, -ENXIO},
		{"just before it", MAP, {.iova = SECOND_WINDOW - PAGE, .size = PAGE}, -ENXIO},
		{"remove the default window", REMOVE, {.iova = 0}, 0},
		{"map there no more", MAP, {.size = PAGE}, -ENXIO},
		{"unmap there no more", UNMAP, {.size = PAGE}, -ENXIO},
		{"unmap in the second", UNMAP, {.iova = SECOND_WINDOW, .size = MIB}, 0},
		{"remove the second", REMOVE, {.iova = SECOND_WINDOW}, 0},
		UNREGISTER_ALL,
		{"nothing is left", LOCKED, NOTHING, 0},
	};

	ASK(*state, questions);
}
