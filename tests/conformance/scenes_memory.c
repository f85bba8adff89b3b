/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/vfio.h>

#include "scenes.h"

static const struct question register_arguments[] = {
	JOIN_EDU,
	SET_TCE_V2,
	{"argsz 0", REGISTER, {.size = MIB, .argsz = ARGSZ(0)}},
	{"argsz 23", REGISTER, {.size = MIB, .argsz = ARGSZ(23)}},
	{"flag 1", REGISTER, {.size = MIB, .flags = 1}},
	{"flag 1 << 31", REGISTER, {.size = MIB, .flags = 1U << 31}},
	{"misaligned address", REGISTER, {.offset = 0x800, .size = MIB}},
	{"address + 1", REGISTER, {.offset = 1, .size = MIB}},
	{"misaligned size", REGISTER, {.size = MIB + 0x800}},
	{"size 1", REGISTER, {.size = 1}},
	{"misaligned and unmapped", REGISTER, {.memory = NOWHERE, .size = 1}},
	{"wrapping round", REGISTER, {.size = 0 - PAGE}},
	{"wrapping round, unmapped",
	 REGISTER,
	 {.memory = NOWHERE, .offset = 0 - PAGE, .size = 2 * PAGE}},
	{"nothing locked", LOCKED},
	{"argsz 25", REGISTER, {.size = MIB, .argsz = ARGSZ(25)}},
	{"locked", LOCKED},
	{"argsz 0", UNREGISTER, {.size = MIB, .argsz = ARGSZ(0)}},
	{"argsz 23", UNREGISTER, {.size = MIB, .argsz = ARGSZ(23)}},
	{"flag 1", UNREGISTER, {.size = MIB, .flags = 1}},
	{"misaligned address", UNREGISTER, {.offset = 0x800, .size = MIB}},
	{"misaligned size", UNREGISTER, {.size = MIB + 1}},
	{"argsz 25", UNREGISTER, {.size = MIB, .argsz = ARGSZ(25)}},
	{"nothing locked any more", LOCKED},
};

/* Where a part could be pinned the answer is the number of its pages, and nothing is registered. */
static const struct question register_memory_kinds[] = {
	JOIN_EDU,
	SET_TCE_V2,
	{"no mapping", REGISTER, {.offset = WHOLE_SIZE, .size = PAGE}},
	{"address 0", REGISTER, {.memory = NOWHERE, .size = PAGE}},
	{"the kernel's", REGISTER, {.memory = NOWHERE, .offset = KERNEL_ADDRESS, .size = PAGE}},
	{"read-only", REGISTER, {.memory = READ_ONLY, .size = READ_ONLY_SIZE}},
	{"no access", REGISTER, {.memory = NO_ACCESS, .size = NO_ACCESS_SIZE}},
	{"past the file's end", REGISTER, {.memory = CUT_SHORT, .size = CUT_SHORT_SIZE}},
	{"only past it",
	 REGISTER,
	 {.memory = CUT_SHORT, .offset = CUT_SHORT_SIZE / 2, .size = PAGE}},
	{"into a hole", REGISTER, {.size = WHOLE_SIZE + PAGE}},
	{"one page, then a hole", REGISTER, {.offset = WHOLE_SIZE - PAGE, .size = 2 * PAGE}},
	{"nothing locked", LOCKED},
	{"not registered", UNREGISTER, {.memory = CUT_SHORT, .size = CUT_SHORT_SIZE}},
	{"up to the file's end", REGISTER, {.memory = CUT_SHORT, .size = CUT_SHORT_SIZE / 2}},
	{"locked", LOCKED},
};

static const struct question register_regions[] = {
	JOIN_EDU,
	SET_TCE_V2,
	{"the middle", REGISTER, {.offset = MIB, .size = 2 * MIB}},
	{"the same again", REGISTER, {.offset = MIB, .size = 2 * MIB}},
	{"its first part", REGISTER, {.offset = MIB, .size = MIB}},
	{"its last part", REGISTER, {.offset = 2 * MIB, .size = MIB}},
	{"a page in it", REGISTER, {.offset = 2 * MIB, .size = PAGE}},
	{"over its start", REGISTER, {.size = 2 * MIB}},
	{"over its end", REGISTER, {.offset = 2 * MIB, .size = 2 * MIB}},
	{"all around it", REGISTER, {.size = WHOLE_SIZE}},
	{"a part and a hole", REGISTER, {.offset = 2 * MIB, .size = 2 * MIB + PAGE}},
	{"locked once", LOCKED},
	{"just before it", REGISTER, {.size = MIB}},
	{"just after it", REGISTER, {.offset = 3 * MIB, .size = MIB}},
	{"all locked", LOCKED},
	{"two neighbours as one", REGISTER, {.size = 3 * MIB}},
	{"still locked", LOCKED},
};

static const struct question unregister[] = {
	JOIN_EDU,
	SET_TCE_V2,
	{"before any register", UNREGISTER, {.size = WHOLE_SIZE}},
	REGISTER_ALL,
	{"its first part", UNREGISTER, {.size = MIB}},
	{"its last part", UNREGISTER, {.offset = 3 * MIB, .size = MIB}},
	{"more than it", UNREGISTER, {.size = WHOLE_SIZE + PAGE}},
	{"unknown", UNREGISTER, {.memory = READ_ONLY, .size = PAGE}},
	{"address 0", UNREGISTER, {.memory = NOWHERE, .size = PAGE}},
	{"size 0", UNREGISTER, {.size = 0}},
	{"wrapping round", UNREGISTER, {.size = 0 - PAGE}},
	{"all still locked", LOCKED},
	UNREGISTER_ALL,
	{"again", UNREGISTER, {.size = WHOLE_SIZE}},
	{"nothing locked", LOCKED},
	REGISTER_ALL,
	{"locked again", LOCKED},
};

/* Tables count twice: the hardware's, and the kernel's notes of what is behind each entry. */
static const struct question locked_memory[] = {
	JOIN_EDU,
	SET_TCE_V2,
	{"nothing", LOCKED},
	REGISTER_ALL,
	{"memory", LOCKED},
	{"map", MAP, {.size = PAGE}},
	{"and the default window", LOCKED},
	{"map more", MAP, {.iova = MIB, .offset = MIB, .size = 2 * MIB}},
	{"maps cost nothing", LOCKED},
	{"second window", CREATE, {.size = GIB, .page_shift = 16}},
	{"and the second window", LOCKED},
	{"a third", CREATE, {.size = GIB, .page_shift = 16}},
	{"which costs nothing", LOCKED},
	DROP_DEFAULT,
	{"without the default window", LOCKED},
	UNREGISTER_ALL,
	{"without memory", LOCKED},
	{"remove the second", REMOVE, {.iova = SECOND_WINDOW}},
	{"nothing again", LOCKED},
};

#define OF_SECOND .container = SECOND

/* Registered memory belongs to the process; containers share it. */
static const struct question two_containers[] = {
	IN_USE,
	{"join the second", SET_CONTAINER, {OF_SECOND, .group = NIC}},
	{"TCE v2", SET_IOMMU, {OF_SECOND, .number = VFIO_SPAPR_TCE_v2_IOMMU}},
	{"map before its register", MAP, {OF_SECOND, .size = PAGE}},
	{"register there too", REGISTER, {OF_SECOND, .size = WHOLE_SIZE}},
	{"locked once", LOCKED},
	{"a part there", REGISTER, {OF_SECOND, .size = MIB}},
	{"again there", REGISTER, {OF_SECOND, .size = WHOLE_SIZE}},
	{"map there", MAP, {OF_SECOND, .size = PAGE}},
	{"a table there", LOCKED},
	UNREGISTER_ALL,
	{"kept for the second", LOCKED},
	{"again", UNREGISTER, {.size = WHOLE_SIZE}},
	{"map in the first what the second has", MAP, {.size = PAGE}},
	{"another table", LOCKED},
	{"unmap in the first", UNMAP, {.size = PAGE}},
	{"unmap in the second", UNMAP, {OF_SECOND, .size = PAGE}},
	{"unregister in the second", UNREGISTER, {OF_SECOND, .size = WHOLE_SIZE}},
	{"only tables", LOCKED},
	{"map what is gone", MAP, {.size = PAGE}},
};

/* Regions are addresses: the same memory at two of them is two regions, each counted. */
static const struct question alias[] = {
	IN_USE,
	{"register it again elsewhere", REGISTER, {.memory = ALIAS, .size = WHOLE_SIZE}},
	{"locked twice", LOCKED},
	{"map one", MAP, {.size = MIB}},
	{"map the other", MAP, {.iova = MIB, .memory = ALIAS, .size = MIB}},
	{"unmap one", UNMAP, {.size = MIB}},
	UNREGISTER_ALL,
	{"one of them", LOCKED},
	{"map what is gone", MAP, {.size = PAGE}},
	{"unmap the other", UNMAP, {.iova = MIB, .size = MIB}},
	{"unregister the other", UNREGISTER, {.memory = ALIAS, .size = WHOLE_SIZE}},
	{"only the table", LOCKED},
};

/* Nobody is told when a process unmaps registered memory: it stays as it was. */
static const struct question memory_dropped[] = {
	JOIN_EDU,
	SET_TCE_V2,
	{"register", REGISTER, {.memory = ALIAS, .size = WHOLE_SIZE}},
	{"map", MAP, {.memory = ALIAS, .size = MIB}},
	{"drop it", DROP_MEMORY, {.memory = ALIAS}},
	{"still locked", LOCKED},
	{"map more of it", MAP, {.iova = MIB, .memory = ALIAS, .offset = MIB, .size = MIB}},
	{"a device still reaches it",
	 DMA,
	 {.iova = 0, .offset = 0, .target = MIB, .target_offset = MIB}},
	{"a part of it again", REGISTER, {.memory = ALIAS, .size = PAGE}},
	{"all of it again", REGISTER, {.memory = ALIAS, .size = WHOLE_SIZE}},
	{"unmap", UNMAP, {.size = 2 * MIB}},
	{"unregister", UNREGISTER, {.memory = ALIAS, .size = WHOLE_SIZE}},
	{"no longer locked", LOCKED},
	{"register what is no more", REGISTER, {.memory = ALIAS, .size = WHOLE_SIZE}},
};

const struct scene_table SCENES_OF(memory)[] = {
	SCENE(register_arguments),
	SCENE(register_memory_kinds),
	SCENE(register_regions),
	SCENE(unregister),
	SCENE(locked_memory),
	SCENE(two_containers),
	SCENE(alias),
	SCENE(memory_dropped),
	SCENES_END,
};
