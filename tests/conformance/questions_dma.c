/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a device sees through the windows. Both ends of a copy lie in one memory. */
#include <errno.h>
#include <linux/vfio.h>

#include "subjects.h"

#define ONE_PAGE       .size = PAGE
#define FROM_0_TO_1    .iova = 0, .target = PAGE, .target_offset = PAGE
#define LAST_PAGE      (DEFAULT_WINDOW - PAGE)
#define LAST_OF_MEMORY (WHOLE_SIZE - PAGE)

void test_dma_default_window(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		{"before any map", DMA, {FROM_0_TO_1}, BLOCKED},
		{"map the source", MAP, {ONE_PAGE}, 0},
		{"no target", DMA, {FROM_0_TO_1}, BLOCKED},
		{"map the target", MAP, {.iova = PAGE, .offset = PAGE, ONE_PAGE}, 0},
		{"both", DMA, {FROM_0_TO_1}, ARRIVED},
		{"the last page", MAP, {.iova = LAST_PAGE, .offset = LAST_OF_MEMORY, ONE_PAGE}, 0},
		{"to the last page",
		 DMA,
		 {.iova = 0, .target = LAST_PAGE + 0x80, .target_offset = LAST_OF_MEMORY + 0x80},
		 ARRIVED},
		{"other memory at the target", MAP, {.iova = PAGE, .offset = MIB, ONE_PAGE}, 0},
		{"the old one", DMA, {FROM_0_TO_1}, BLOCKED},
		{"the new one", DMA, {.target = PAGE, .target_offset = MIB}, ARRIVED},
		{"unmap the target", UNMAP, {.iova = PAGE, ONE_PAGE}, 0},
		{"after unmap", DMA, {.target = PAGE, .target_offset = MIB}, BLOCKED},
		{"map it again", MAP, {.iova = PAGE, .offset = PAGE, ONE_PAGE}, 0},
		{"as before", DMA, {FROM_0_TO_1}, ARRIVED},
		{"remove the window", REMOVE, {.iova = 0}, 0},
		{"after remove", DMA, {FROM_0_TO_1}, BLOCKED},
	};

	ASK(*state, questions);
}

#define IN_SECOND(address) (SECOND_WINDOW + (address))

void test_dma_second_window(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		DROP_DEFAULT,
		{"first", CREATE, {.size = GIB}, 0},
		{"second, two levels",
		 CREATE,
		 {.size = GIB, .levels = 2, .start = SECOND_WINDOW},
		 0},
		{"map in the first", MAP, {ONE_PAGE}, 0},
		{"map in the second", MAP, {.iova = IN_SECOND(MIB), .offset = PAGE, ONE_PAGE}, 0},
		{"from the first to the second",
		 DMA,
		 {.target = IN_SECOND(MIB), .target_offset = PAGE},
		 ARRIVED},
		{"its last page",
		 MAP,
		 {.iova = IN_SECOND(GIB) - PAGE, .offset = LAST_OF_MEMORY, ONE_PAGE},
		 0},
		{"within the second",
		 DMA,
		 {.iova = IN_SECOND(MIB),
		  .offset = PAGE,
		  .target = IN_SECOND(GIB) - PAGE,
		  .target_offset = LAST_OF_MEMORY},
		 ARRIVED},
		{"unmap its first", UNMAP, {.iova = IN_SECOND(MIB), ONE_PAGE}, 0},
		{"to it", DMA, {.target = IN_SECOND(MIB), .target_offset = PAGE}, BLOCKED},
		{"to its last",
		 DMA,
		 {.target = IN_SECOND(GIB) - PAGE, .target_offset = LAST_OF_MEMORY},
		 ARRIVED},
		{"remove the second", REMOVE, {.iova = SECOND_WINDOW}, 0},
		{"to where its last was",
		 DMA,
		 {.target = IN_SECOND(GIB) - PAGE, .target_offset = LAST_OF_MEMORY},
		 BLOCKED},
	};

	ASK(*state, questions);
}

/* A page that a device may write it may read as well. */
void test_dma_permissions(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		{"source to read", MAP, {ONE_PAGE, .flags = VFIO_DMA_MAP_FLAG_READ}, 0},
		{"target to write",
		 MAP,
		 {.iova = PAGE, .offset = PAGE, ONE_PAGE, .flags = VFIO_DMA_MAP_FLAG_WRITE},
		 0},
		{"as allowed", DMA, {FROM_0_TO_1}, ARRIVED},
		{"read what is to be written",
		 DMA,
		 {.iova = PAGE,
		  .offset = PAGE,
		  .target = PAGE + 0x100,
		  .target_offset = PAGE + 0x100},
		 ARRIVED},
		{"write what is to be read",
		 DMA,
		 {.iova = PAGE, .offset = PAGE, .target = 0x100, .target_offset = 0x100},
		 BLOCKED},
		{"target to read",
		 MAP,
		 {.iova = PAGE, .offset = PAGE, ONE_PAGE, .flags = VFIO_DMA_MAP_FLAG_READ},
		 0},
		{"no more written", DMA, {FROM_0_TO_1}, BLOCKED},
		{"target to do both", MAP, {.iova = PAGE, .offset = PAGE, ONE_PAGE}, 0},
		{"written again", DMA, {FROM_0_TO_1}, ARRIVED},
	};

	ASK(*state, questions);
}

void test_dma_two_groups(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		{"map", MAP, {.size = MIB}, 0},
		{"second window", CREATE, {.size = GIB, .start = SECOND_WINDOW}, 0},
		{"map there", MAP, {.iova = SECOND_WINDOW, .size = MIB}, 0},
		{"not joined", DMA, {.group = EDU_2, FROM_0_TO_1}, BLOCKED},
		{"join", SET_CONTAINER, {.group = EDU_2}, 0},
		{"the first", DMA, {.group = EDU, FROM_0_TO_1}, ARRIVED},
		{"the other", DMA, {.group = EDU_2, FROM_0_TO_1}, ARRIVED},
		{"the other, second window",
		 DMA,
		 {.group = EDU_2,
		  .iova = PAGE,
		  .offset = PAGE,
		  .target = IN_SECOND(3 * PAGE),
		  .target_offset = 3 * PAGE},
		 ARRIVED},
		{"the other leaves", UNSET_CONTAINER, {.group = EDU_2}, 0},
		{"the other has nothing", DMA, {.group = EDU_2, FROM_0_TO_1}, BLOCKED},
		{"nor has the first", DMA, {.group = EDU, FROM_0_TO_1}, BLOCKED},
		{"map again", MAP, {.size = MIB}, 0},
		{"the first is well again", DMA, {.group = EDU, FROM_0_TO_1}, ARRIVED},
	};

	ASK(*state, questions);
}

/* The same IOVAs, each device by its own container's windows. */
void test_dma_two_containers(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		{"join the second", SET_CONTAINER, {.container = SECOND, .group = EDU_2}, 0},
		{"TCE v2", SET_IOMMU, {.container = SECOND, .number = VFIO_SPAPR_TCE_v2_IOMMU}, 0},
		{"register", REGISTER, {.container = SECOND, .size = WHOLE_SIZE}, 0},
		{"map in the first", MAP, {.size = 2 * PAGE}, 0},
		{"not in the second", DMA, {.group = EDU_2, FROM_0_TO_1}, BLOCKED},
		{"map there", MAP, {.container = SECOND, .offset = MIB, .size = 2 * PAGE}, 0},
		{"the first", DMA, {.group = EDU, FROM_0_TO_1}, ARRIVED},
		{"the second",
		 DMA,
		 {.group = EDU_2, .offset = MIB, .target = PAGE, .target_offset = MIB + PAGE},
		 ARRIVED},
		{"the second, the first's memory", DMA, {.group = EDU_2, FROM_0_TO_1}, BLOCKED},
		{"unmap in the first", UNMAP, {.size = 2 * PAGE}, 0},
		{"the first no more", DMA, {.group = EDU, FROM_0_TO_1}, BLOCKED},
		{"the second as before",
		 DMA,
		 {.group = EDU_2, .offset = MIB, .target = PAGE, .target_offset = MIB + PAGE},
		 ARRIVED},
		{"unmap there", UNMAP, {.container = SECOND, .size = 2 * PAGE}, 0},
	};

	ASK(*state, questions);
}

#define FAR (64 * GIB - PAGE)

void test_dma_levels(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		DROP_DEFAULT,
		{"four levels", CREATE, {.size = 64 * GIB, .levels = 4}, 0},
		{"map its first page", MAP, {ONE_PAGE}, 0},
		{"map its last page", MAP, {.iova = FAR, .offset = PAGE, ONE_PAGE}, 0},
		{"from end to end", DMA, {.target = FAR, .target_offset = PAGE}, ARRIVED},
		{"to between", DMA, {.target = FAR / 2, .target_offset = PAGE}, BLOCKED},
		{"unmap its last page", UNMAP, {.iova = FAR, ONE_PAGE}, 0},
		{"to its end", DMA, {.target = FAR, .target_offset = PAGE}, BLOCKED},
	};

	ASK(*state, questions);
}

/* A map that fails midway takes away what was there as far as it came, and leaves what follows. */
void test_dma_failed_map(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		{"map four pages", MAP, {.size = 4 * PAGE}, 0},
		{"to the second", DMA, {FROM_0_TO_1}, ARRIVED},
		{"over the second and third, into the hole",
		 MAP,
		 {.iova = PAGE, .offset = LAST_OF_MEMORY, .size = 2 * PAGE},
		 -EINVAL},
		{"the second is gone", DMA, {FROM_0_TO_1}, BLOCKED},
		{"nor is it the new one",
		 DMA,
		 {.target = PAGE, .target_offset = LAST_OF_MEMORY},
		 BLOCKED},
		{"the third is there",
		 DMA,
		 {.target = 2 * PAGE, .target_offset = 2 * PAGE},
		 ARRIVED},
		{"misaligned over the third", MAP, {.iova = 2 * PAGE + 1, .size = PAGE}, 1},
		{"the third is there",
		 DMA,
		 {.target = 2 * PAGE, .target_offset = 2 * PAGE},
		 ARRIVED},
		{"misaligned unmap of the third", UNMAP, {.iova = 2 * PAGE + 1, .size = PAGE}, 1},
		{"the third is there",
		 DMA,
		 {.target = 2 * PAGE, .target_offset = 2 * PAGE},
		 ARRIVED},
	};

	ASK(*state, questions);
}

/* What a table has room for can be used, though the window that was asked for is smaller. */
void test_dma_small_window(void **state)
{
	static const struct question questions[] = {
		IN_USE,
		DROP_DEFAULT,
		{"one page", CREATE, {.size = PAGE}, 0},
		{"map it", MAP, {ONE_PAGE}, 0},
		{"map beyond it", MAP, {.iova = 511 * PAGE, .offset = PAGE, ONE_PAGE}, 0},
		{"to beyond it", DMA, {.target = 511 * PAGE, .target_offset = PAGE}, ARRIVED},
		{"to where nothing is",
		 DMA,
		 {.target = 510 * PAGE, .target_offset = PAGE},
		 BLOCKED},
		{"to beyond the table",
		 DMA,
		 {.target = 512 * PAGE, .target_offset = PAGE},
		 BLOCKED},
	};

	ASK(*state, questions);
}
