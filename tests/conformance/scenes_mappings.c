/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/vfio.h>

#include "scenes.h"

static const struct question map_unbound[] = {
	JOIN_EDU,
	SET_TCE_V2,
	{"map", MAP, {.size = PAGE}},
	{"map, argsz 0", MAP, {.size = PAGE, .argsz = ARGSZ(0)}},
	{"map, unknown flag", MAP, {.size = PAGE, .flags = 0x10}},
	{"unmap", UNMAP, {.size = PAGE}},
	{"unmap, argsz 0", UNMAP, {.size = PAGE, .argsz = ARGSZ(0)}},
	{"a register that fails", REGISTER, {.memory = READ_ONLY, .size = PAGE}},
	{"map after it", MAP, {.size = PAGE}},
	DROP_DEFAULT,
	{"create", CREATE, {.size = GIB}},
	{"map with a window, but no memory", MAP, {.size = PAGE}},
	{"unmap with a window, but no memory", UNMAP, {.size = PAGE}},
	REGISTER_ALL,
	UNREGISTER_ALL,
	{"map when memory is gone again", MAP, {.size = PAGE}},
	{"unmap when memory is gone again", UNMAP, {.size = PAGE}},
};

static const struct question map_arguments[] = {
	IN_USE,
	{"argsz 0", MAP, {.size = PAGE, .argsz = ARGSZ(0)}},
	{"argsz 31", MAP, {.size = PAGE, .argsz = ARGSZ(31)}},
	{"argsz 33", MAP, {.size = PAGE, .argsz = ARGSZ(33)}},
	{"no flags", MAP, {.size = PAGE, .no_flags = true}},
	{"flag 4", MAP, {.size = PAGE, .flags = 4}},
	{"flag 16 and both", MAP, {.size = PAGE, .flags = 0x13}},
	{"read", MAP, {.size = PAGE, .flags = VFIO_DMA_MAP_FLAG_READ}},
	{"write", MAP, {.size = PAGE, .flags = VFIO_DMA_MAP_FLAG_WRITE}},
	{"size 0", MAP, {.size = 0}},
	{"size 0 without flags", MAP, {.size = 0, .no_flags = true}},
	{"size 0 of nothing registered", MAP, {.memory = NOWHERE, .size = 0}},
	{"size 0 outside", MAP, {FROM_END(0), .size = 0}},
	{"size 0 at a misaligned IOVA", MAP, {.iova = 1, .size = 0}},
	{"IOVA + 1", MAP, {.iova = 1, .size = PAGE}},
	{"IOVA + 0x800", MAP, {.iova = PAGE + 0x800, .size = PAGE}},
	{"misaligned address", MAP, {.offset = 0x800, .size = PAGE}},
	{"misaligned size", MAP, {.size = 0x800}},
	{"misaligned IOVA and size", MAP, {.iova = 1, .size = 0x800}},
	{"misaligned IOVA, no flags", MAP, {.iova = 1, .size = PAGE, .no_flags = true}},
	{"misaligned IOVA of nothing registered",
	 MAP,
	 {.iova = 1, .memory = NOWHERE, .size = PAGE}},
	{"not registered", MAP, {.memory = READ_ONLY, .size = PAGE}},
	{"address 0", MAP, {.memory = NOWHERE, .size = PAGE}},
	{"just after the window", MAP, {FROM_END(0), .size = PAGE}},
	{"where the second would be", MAP, {.iova = SECOND_WINDOW, .size = PAGE}},
	{"1 << 63", MAP, {.iova = UINT64_C(1) << 63, .size = PAGE}},
	{"outside and misaligned", MAP, {FROM_END(1), .size = 1}},
	{"last page", MAP, {FROM_END(0 - PAGE), .size = PAGE}},
	{"last byte", MAP, {FROM_END(UINT64_MAX), .size = PAGE}},
	{"last pages", MAP, {FROM_END(0 - MIB), .size = MIB}},
	{"all memory", MAP, {.iova = MIB, .size = WHOLE_SIZE}},
};

/* A page that is mapped twice and unmapped once holds nothing any more. */
static const struct question map_replaces[] = {
	IN_USE,
	{"map", MAP, {.size = MIB}},
	{"the same again", MAP, {.size = MIB}},
	{"other memory there", MAP, {.offset = MIB, .size = MIB}},
	{"over its end", MAP, {.iova = MIB - PAGE, .size = 2 * PAGE}},
	{"with other permissions", MAP, {.size = PAGE, .flags = VFIO_DMA_MAP_FLAG_READ}},
	{"unmap", UNMAP, {.size = MIB + PAGE}},
	UNREGISTER_ALL,
	{"only the table is left", LOCKED},
};

static const struct question map_regions[] = {
	JOIN_EDU,
	SET_TCE_V2,
	{"first half", REGISTER, {.size = WHOLE_SIZE / 2}},
	{"more than it", MAP, {.size = WHOLE_SIZE / 2 + PAGE}},
	{"its last page and one more", MAP, {.offset = WHOLE_SIZE / 2 - PAGE, .size = 2 * PAGE}},
	{"no entry is left", UNREGISTER, {.size = WHOLE_SIZE / 2}},
	{"it is free", LOCKED},
	{"first half", REGISTER, {.size = WHOLE_SIZE / 2}},
	{"second half", REGISTER, {.offset = WHOLE_SIZE / 2, .size = WHOLE_SIZE / 2}},
	{"both as one", MAP, {.size = WHOLE_SIZE}},
	/* What was mapped before is gone as far as the failing call came. */
	{"over it, into the hole", MAP, {.iova = 0, .offset = WHOLE_SIZE - PAGE, .size = 2 * PAGE}},
	{"unmap", UNMAP, {.size = WHOLE_SIZE}},
	{"free the first half", UNREGISTER, {.size = WHOLE_SIZE / 2}},
	{"free the second half", UNREGISTER, {.offset = WHOLE_SIZE / 2, .size = WHOLE_SIZE / 2}},
	{"all is free", LOCKED},
};

/* The memory has pages of 4 KiB. */
#define ALIGNED .alignment = (2 * MIB)

static const struct question map_large_pages[] = {
	IN_USE,
	DROP_DEFAULT,
	{"64 KiB", CREATE, {.size = GIB, .page_shift = 16}},
	{"2 MiB", CREATE, {.size = GIB, .page_shift = 21}},
	{"64 KiB of small pages", MAP, {ALIGNED, .size = 64 * KIB}},
	{"4 KiB in a window of 64 KiB", MAP, {ALIGNED, .size = PAGE}},
	{"size 0", MAP, {ALIGNED, .size = 0}},
	{"size 0, address + 4 KiB", MAP, {ALIGNED, .offset = PAGE, .size = 0}},
	{"IOVA + 4 KiB", MAP, {ALIGNED, .iova = PAGE, .size = 64 * KIB}},
	{"IOVA and address + 4 KiB",
	 MAP,
	 {ALIGNED, .iova = PAGE, .offset = PAGE, .size = 64 * KIB}},
	{"1 MiB of small pages", MAP, {ALIGNED, .size = MIB}},
	{"2 MiB of small pages", MAP, {ALIGNED, .iova = SECOND_WINDOW, .size = 2 * MIB}},
	{"64 KiB in a window of 2 MiB", MAP, {ALIGNED, .iova = SECOND_WINDOW, .size = 64 * KIB}},
	{"IOVA + 64 KiB in a window of 2 MiB",
	 MAP,
	 {ALIGNED, .iova = SECOND_WINDOW + 64 * KIB, .size = 2 * MIB}},
	{"unmap 64 KiB", UNMAP, {.size = 64 * KIB}},
	{"unmap 4 KiB", UNMAP, {.size = PAGE}},
	{"unmap at IOVA + 4 KiB", UNMAP, {.iova = PAGE, .size = 64 * KIB}},
	{"unmap 2 MiB", UNMAP, {.iova = SECOND_WINDOW, .size = 2 * MIB}},
	{"unmap 64 KiB of 2 MiB", UNMAP, {.iova = SECOND_WINDOW, .size = 64 * KIB}},
	UNREGISTER_ALL,
};

static const struct question unmap[] = {
	IN_USE,
	{"map", MAP, {.size = MIB}},
	{"argsz 0", UNMAP, {.size = PAGE, .argsz = ARGSZ(0)}},
	{"argsz 23", UNMAP, {.size = PAGE, .argsz = ARGSZ(23)}},
	{"argsz 24", UNMAP, {.size = PAGE, .argsz = ARGSZ(24)}},
	{"argsz 25", UNMAP, {.size = PAGE, .argsz = ARGSZ(25)}},
	{"flag 1", UNMAP, {.size = PAGE, .flags = 1}},
	{"flag 2", UNMAP, {.size = PAGE, .flags = 2}},
	{"a hole", UNMAP, {.size = PAGE}},
	{"never mapped", UNMAP, {.iova = GIB, .size = GIB / 2}},
	{"a part", UNMAP, {.iova = 16 * PAGE, .size = PAGE}},
	{"around a hole", UNMAP, {.iova = 15 * PAGE, .size = 3 * PAGE}},
	{"size 0", UNMAP, {.size = 0}},
	{"size 0 at IOVA + 1", UNMAP, {.iova = 1, .size = 0}},
	{"IOVA + 1", UNMAP, {.iova = 1, .size = PAGE}},
	{"IOVA + 0x800", UNMAP, {.iova = 0x800, .size = PAGE}},
	{"misaligned size", UNMAP, {.size = 0x800}},
	{"misaligned both", UNMAP, {.iova = 1, .size = 0x800}},
	{"outside", UNMAP, {FROM_END(0), .size = PAGE}},
	{"outside, misaligned", UNMAP, {FROM_END(1), .size = 1}},
	{"outside, size 0", UNMAP, {FROM_END(0), .size = 0}},
	{"where the second would be", UNMAP, {.iova = SECOND_WINDOW, .size = PAGE}},
	{"the whole window", UNMAP, {.whole_window = true}},
	UNREGISTER_ALL,
	{"only the table is left", LOCKED},
};

static const struct question remove_mapped[] = {
	IN_USE,
	{"map", MAP, {.size = WHOLE_SIZE}},
	{"second window", CREATE, {.size = GIB}},
	{"map there", MAP, {.iova = SECOND_WINDOW, .size = WHOLE_SIZE}},
	{"its last page", MAP, {.iova = SECOND_WINDOW + GIB - PAGE, .size = PAGE}},
	{"just after it", MAP, {.iova = SECOND_WINDOW + GIB, .size = PAGE}},
	{"just before it", MAP, {.iova = SECOND_WINDOW - PAGE, .size = PAGE}},
	{"remove the default window", REMOVE, {.iova = 0}},
	{"map there no more", MAP, {.size = PAGE}},
	{"unmap there no more", UNMAP, {.size = PAGE}},
	{"unmap in the second", UNMAP, {.iova = SECOND_WINDOW, .size = MIB}},
	{"remove the second", REMOVE, {.iova = SECOND_WINDOW}},
	UNREGISTER_ALL,
	{"nothing is left", LOCKED},
};

const struct scene_table SCENES_OF(mappings)[] = {
	SCENE(map_unbound), SCENE(map_arguments), SCENE(map_replaces), SCENE(map_regions),
	SCENE(unmap),       SCENE(remove_mapped), SCENES_END,
};

/* A second window fails where a hypervisor has room for one, which spoils the bridge. */
const struct scene_table SCENES_OF(second_mappings)[] = {
	SCENE(map_large_pages),
	SCENES_END,
};
