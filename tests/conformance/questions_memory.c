/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/vfio.h>

#include "subjects.h"

void test_register_arguments(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		{"argsz 0", REGISTER, {.size = MIB, .argsz = ARGSZ(0)}, -EINVAL},
		{"argsz 23", REGISTER, {.size = MIB, .argsz = ARGSZ(23)}, -EINVAL},
		{"flag 1", REGISTER, {.size = MIB, .flags = 1}, -EINVAL},
		{"flag 1 << 31", REGISTER, {.size = MIB, .flags = 1U << 31}, -EINVAL},
		{"misaligned address", REGISTER, {.offset = 0x800, .size = MIB}, -EINVAL},
		{"address + 1", REGISTER, {.offset = 1, .size = MIB}, -EINVAL},
		{"misaligned size", REGISTER, {.size = MIB + 0x800}, -EINVAL},
		{"size 1", REGISTER, {.size = 1}, -EINVAL},
		{"misaligned and unmapped", REGISTER, {.memory = NOWHERE, .size = 1}, -EINVAL},
		{"wrapping round", REGISTER, {.size = 0 - PAGE}, -EINVAL},
		{"wrapping round, unmapped",
		 REGISTER,
		 {.memory = NOWHERE, .offset = 0 - PAGE, .size = 2 * PAGE},
		 -EINVAL},
		{"nothing locked", LOCKED, NOTHING, 0},
		{"argsz 25", REGISTER, {.size = MIB, .argsz = ARGSZ(25)}, 0},
		{"locked", LOCKED, NOTHING, 1024},
		{"argsz 0", UNREGISTER, {.size = MIB, .argsz = ARGSZ(0)}, -EINVAL},
		{"argsz 23", UNREGISTER, {.size = MIB, .argsz = ARGSZ(23)}, -EINVAL},
		{"flag 1", UNREGISTER, {.size = MIB, .flags = 1}, -EINVAL},
		{"misaligned address", UNREGISTER, {.offset = 0x800, .size = MIB}, -EINVAL},
		{"misaligned size", UNREGISTER, {.size = MIB + 1}, -EINVAL},
		{"argsz 25", UNREGISTER, {.size = MIB, .argsz = ARGSZ(25)}, 0},
		{"nothing locked any more", LOCKED, NOTHING, 0},
	};

	ASK(*state, questions);
}

/* Where a part could be pinned the answer is the number of its pages, and nothing is registered. */
void test_register_memory_kinds(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		{"no mapping", REGISTER, {.offset = WHOLE_SIZE, .size = PAGE}, -EFAULT},
		{"address 0", REGISTER, {.memory = NOWHERE, .size = PAGE}, -EFAULT},
		{"the kernel's",
		 REGISTER,
		 {.memory = NOWHERE, .offset = KERNEL_ADDRESS, .size = PAGE},
		 -EFAULT},
		{"read-only", REGISTER, {.memory = READ_ONLY, .size = READ_ONLY_SIZE}, -EFAULT},
		{"no access", REGISTER, {.memory = NO_ACCESS, .size = NO_ACCESS_SIZE}, -EFAULT},
		{"past the file's end",
		 REGISTER,
		 {.memory = CUT_SHORT, .size = CUT_SHORT_SIZE},
		 64},
		{"only past it",
		 REGISTER,
		 {.memory = CUT_SHORT, .offset = CUT_SHORT_SIZE / 2, .size = PAGE},
		 -EFAULT},
		{"into a hole", REGISTER, {.size = WHOLE_SIZE + PAGE}, 1024},
		{"one page, then a hole",
		 REGISTER,
		 {.offset = WHOLE_SIZE - PAGE, .size = 2 * PAGE},
		 1},
		{"nothing locked", LOCKED, NOTHING, 0},
		{"not registered",
		 UNREGISTER,
		 {.memory = CUT_SHORT, .size = CUT_SHORT_SIZE},
		 -ENOENT},
		{"up to the file's end",
		 REGISTER,
		 {.memory = CUT_SHORT, .size = CUT_SHORT_SIZE / 2},
		 0},
		{"locked", LOCKED, NOTHING, 256},
	};

	ASK(*state, questions);
}

void test_register_regions(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		{"the middle", REGISTER, {.offset = MIB, .size = 2 * MIB}, 0},
		{"the same again", REGISTER, {.offset = MIB, .size = 2 * MIB}, -EBUSY},
		{"its first part", REGISTER, {.offset = MIB, .size = MIB}, -EINVAL},
		{"its last part", REGISTER, {.offset = 2 * MIB, .size = MIB}, -EINVAL},
		{"a page in it", REGISTER, {.offset = 2 * MIB, .size = PAGE}, -EINVAL},
		{"over its start", REGISTER, {.size = 2 * MIB}, -EINVAL},
		{"over its end", REGISTER, {.offset = 2 * MIB, .size = 2 * MIB}, -EINVAL},
		{"all around it", REGISTER, {.size = WHOLE_SIZE}, -EINVAL},
		{"a part and a hole", REGISTER, {.offset = 2 * MIB, .size = 2 * MIB + PAGE}, 512},
		{"locked once", LOCKED, NOTHING, 2048},
		{"just before it", REGISTER, {.size = MIB}, 0},
		{"just after it", REGISTER, {.offset = 3 * MIB, .size = MIB}, 0},
		{"all locked", LOCKED, NOTHING, 4096},
		{"two neighbours as one", REGISTER, {.size = 3 * MIB}, -EINVAL},
		{"still locked", LOCKED, NOTHING, 4096},
	};

	ASK(*state, questions);
}

void test_unregister(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		{"before any register", UNREGISTER, {.size = WHOLE_SIZE}, -EPERM},
		REGISTER_ALL,
		{"its first part", UNREGISTER, {.size = MIB}, -ENOENT},
		{"its last part", UNREGISTER, {.offset = 3 * MIB, .size = MIB}, -ENOENT},
		{"more than it", UNREGISTER, {.size = WHOLE_SIZE + PAGE}, -ENOENT},
		{"unknown", UNREGISTER, {.memory = READ_ONLY, .size = PAGE}, -ENOENT},
		{"address 0", UNREGISTER, {.memory = NOWHERE, .size = PAGE}, -ENOENT},
		{"size 0", UNREGISTER, {.size = 0}, -ENOENT},
		{"wrapping round", UNREGISTER, {.size = 0 - PAGE}, -ENOENT},
		{"all still locked", LOCKED, NOTHING, 4096},
		UNREGISTER_ALL,
		{"again", UNREGISTER, {.size = WHOLE_SIZE}, -ENOENT},
		{"nothing locked", LOCKED, NOTHING, 0},
		REGISTER_ALL,
		{"locked again", LOCKED, NOTHING, 4096},
	};

	ASK(*state, questions);
}

/* Tables count twice: the hardware's, and the kernel's notes of what is behind each entry. */
void test_locked_memory(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		{"nothing", LOCKED, NOTHING, 0},
		REGISTER_ALL,
		{"memory", LOCKED, NOTHING, 4096},
		{"map", MAP, {.size = PAGE}, 0},
		{"and the default window", LOCKED, NOTHING, 12288},
		{"map more", MAP, {.iova = MIB, .offset = MIB, .size = 2 * MIB}, 0},
		{"maps cost nothing", LOCKED, NOTHING, 12288},
		{"second window",
		 CREATE,
		 {.size = GIB, .page_shift = 16, .start = SECOND_WINDOW},
		 0},
		{"and the second window", LOCKED, NOTHING, 12544},
		{"a third", CREATE, {.size = GIB, .page_shift = 16}, -ENOSPC},
		{"which costs nothing", LOCKED, NOTHING, 12544},
		DROP_DEFAULT,
		{"without the default window", LOCKED, NOTHING, 4352},
		UNREGISTER_ALL,
		{"without memory", LOCKED, NOTHING, 256},
		{"remove the second", REMOVE, {.iova = SECOND_WINDOW}, 0},
		{"nothing again", LOCKED, NOTHING, 0},
	};

	ASK(*state, questions);
}

#define OF_SECOND .container = SECOND

/* Registered memory belongs to the process; containers share it. */
void test_two_containers(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		{"join the second", SET_CONTAINER, {OF_SECOND, .group = NIC}, 0},
		{"TCE v2", SET_IOMMU, {OF_SECOND, .number = VFIO_SPAPR_TCE_v2_IOMMU}, 0},
		{"map before its register", MAP, {OF_SECOND, .size = PAGE}, -EPERM},
		{"register there too", REGISTER, {OF_SECOND, .size = WHOLE_SIZE}, 0},
		{"locked once", LOCKED, NOTHING, 4096},
		{"a part there", REGISTER, {OF_SECOND, .size = MIB}, -EINVAL},
		{"again there", REGISTER, {OF_SECOND, .size = WHOLE_SIZE}, -EBUSY},
		{"map there", MAP, {OF_SECOND, .size = PAGE}, 0},
		{"a table there", LOCKED, NOTHING, 12288},
		UNREGISTER_ALL,
		{"kept for the second", LOCKED, NOTHING, 12288},
		{"again", UNREGISTER, {.size = WHOLE_SIZE}, -ENOENT},
		{"map in the first what the second has", MAP, {.size = PAGE}, 0},
		{"another table", LOCKED, NOTHING, 20480},
		{"unmap in the first", UNMAP, {.size = PAGE}, 0},
		{"unmap in the second", UNMAP, {OF_SECOND, .size = PAGE}, 0},
		{"unregister in the second", UNREGISTER, {OF_SECOND, .size = WHOLE_SIZE}, 0},
		{"only tables", LOCKED, NOTHING, 16384},
		{"map what is gone", MAP, {.size = PAGE}, -EINVAL},
	};

	ASK(*state, questions);
}

/* Regions are addresses: the same memory at two of them is two regions, each counted. */
void test_alias(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		{"register it again elsewhere", REGISTER, {.memory = ALIAS, .size = WHOLE_SIZE}, 0},
		{"locked twice", LOCKED, NOTHING, 8192},
		{"map one", MAP, {.size = MIB}, 0},
		{"map the other", MAP, {.iova = MIB, .memory = ALIAS, .size = MIB}, 0},
		{"unmap one", UNMAP, {.size = MIB}, 0},
		UNREGISTER_ALL,
		{"one of them", LOCKED, NOTHING, 12288},
		{"map what is gone", MAP, {.size = PAGE}, -EINVAL},
		{"unmap the other", UNMAP, {.iova = MIB, .size = MIB}, 0},
		{"unregister the other", UNREGISTER, {.memory = ALIAS, .size = WHOLE_SIZE}, 0},
		{"only the table", LOCKED, NOTHING, 8192},
	};

	ASK(*state, questions);
}

/* Nobody is told when a process unmaps registered memory: it stays as it was. */
void test_memory_dropped(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		{"register", REGISTER, {.memory = ALIAS, .size = WHOLE_SIZE}, 0},
		{"map", MAP, {.memory = ALIAS, .size = MIB}, 0},
		{"drop it", DROP_MEMORY, NOTHING, 0},
		{"still locked", LOCKED, NOTHING, 12288},
		{"map more of it",
		 MAP,
		 {.iova = MIB, .memory = ALIAS, .offset = MIB, .size = MIB},
		 0},
		{"a device still reaches it",
		 DMA,
		 {.iova = 0, .offset = 0, .target = MIB, .target_offset = MIB},
		 ARRIVED},
		{"a part of it again", REGISTER, {.memory = ALIAS, .size = PAGE}, -EFAULT},
		{"all of it again", REGISTER, {.memory = ALIAS, .size = WHOLE_SIZE}, -EBUSY},
		{"unmap", UNMAP, {.size = 2 * MIB}, 0},
		{"unregister", UNREGISTER, {.memory = ALIAS, .size = WHOLE_SIZE}, 0},
		{"no longer locked", LOCKED, NOTHING, 8192},
		{"register what is no more",
		 REGISTER,
		 {.memory = ALIAS, .size = WHOLE_SIZE},
		 -EFAULT},
	};

	ASK(*state, questions);
}
