/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a device sees through the windows. Both ends of a copy lie in one memory. */
#include <errno.h>
#include <linux/vfio.h>

#include "scenes.h"

#define ONE_PAGE       .size = PAGE
#define FROM_0_TO_1    .iova = 0, .target = PAGE, .target_offset = PAGE
#define LAST_OF_MEMORY (WHOLE_SIZE - PAGE)

static const struct question dma_default_window[] = {
	IN_USE,
	{"before any map", DMA, {FROM_0_TO_1}},
	{"map the source", MAP, {ONE_PAGE}},
	{"no target", DMA, {FROM_0_TO_1}},
	{"map the target", MAP, {.iova = PAGE, .offset = PAGE, ONE_PAGE}},
	{"both", DMA, {FROM_0_TO_1}},
	{"the last page", MAP, {FROM_END(0 - PAGE), .offset = LAST_OF_MEMORY, ONE_PAGE}},
	{"to the last page",
	 DMA,
	 {.iova = 0, TARGET_FROM_END(0x80 - PAGE), .target_offset = LAST_OF_MEMORY + 0x80}},
	{"other memory at the target", MAP, {.iova = PAGE, .offset = MIB, ONE_PAGE}},
	{"the old one", DMA, {FROM_0_TO_1}},
	{"the new one", DMA, {.target = PAGE, .target_offset = MIB}},
	{"unmap the target", UNMAP, {.iova = PAGE, ONE_PAGE}},
	{"after unmap", DMA, {.target = PAGE, .target_offset = MIB}},
	{"map it again", MAP, {.iova = PAGE, .offset = PAGE, ONE_PAGE}},
	{"as before", DMA, {FROM_0_TO_1}},
	{"remove the window", REMOVE, {.iova = 0}},
	{"after remove", DMA, {FROM_0_TO_1}},
};

#define IN_SECOND(address) (SECOND_WINDOW + (address))

static const struct question dma_second_window[] = {
	IN_USE,
	DROP_DEFAULT,
	{"first", CREATE, {.size = GIB}},
	{"second, two levels", CREATE, {.size = GIB, .levels = 2}},
	{"map in the first", MAP, {ONE_PAGE}},
	{"map in the second", MAP, {.iova = IN_SECOND(MIB), .offset = PAGE, ONE_PAGE}},
	{"from the first to the second", DMA, {.target = IN_SECOND(MIB), .target_offset = PAGE}},
	{"its last page", MAP, {.iova = IN_SECOND(GIB) - PAGE, .offset = LAST_OF_MEMORY, ONE_PAGE}},
	{"within the second",
	 DMA,
	 {.iova = IN_SECOND(MIB),
	  .offset = PAGE,
	  .target = IN_SECOND(GIB) - PAGE,
	  .target_offset = LAST_OF_MEMORY}},
	{"unmap its first", UNMAP, {.iova = IN_SECOND(MIB), ONE_PAGE}},
	{"to it", DMA, {.target = IN_SECOND(MIB), .target_offset = PAGE}},
	{"to its last", DMA, {.target = IN_SECOND(GIB) - PAGE, .target_offset = LAST_OF_MEMORY}},
	{"remove the second", REMOVE, {.iova = SECOND_WINDOW}},
	{"to where its last was",
	 DMA,
	 {.target = IN_SECOND(GIB) - PAGE, .target_offset = LAST_OF_MEMORY}},
};

/* A page that a device may write it may read as well. */
static const struct question dma_permissions[] = {
	IN_USE,
	{"source to read", MAP, {ONE_PAGE, .flags = VFIO_DMA_MAP_FLAG_READ}},
	{"target to write",
	 MAP,
	 {.iova = PAGE, .offset = PAGE, ONE_PAGE, .flags = VFIO_DMA_MAP_FLAG_WRITE}},
	{"as allowed", DMA, {FROM_0_TO_1}},
	{"read what is to be written",
	 DMA,
	 {.iova = PAGE, .offset = PAGE, .target = PAGE + 0x100, .target_offset = PAGE + 0x100}},
	{"write what is to be read",
	 DMA,
	 {.iova = PAGE, .offset = PAGE, .target = 0x100, .target_offset = 0x100}},
	{"target to read",
	 MAP,
	 {.iova = PAGE, .offset = PAGE, ONE_PAGE, .flags = VFIO_DMA_MAP_FLAG_READ}},
	{"no more written", DMA, {FROM_0_TO_1}},
	{"target to do both", MAP, {.iova = PAGE, .offset = PAGE, ONE_PAGE}},
	{"written again", DMA, {FROM_0_TO_1}},
};

static const struct question dma_two_groups[] = {
	IN_USE,
	{"map", MAP, {.size = MIB}},
	{"second window", CREATE, {.size = GIB}},
	{"map there", MAP, {.iova = SECOND_WINDOW, .size = MIB}},
	{"not joined", DMA, {.group = EDU_2, FROM_0_TO_1}},
	{"join", SET_CONTAINER, {.group = EDU_2}},
	{"the first", DMA, {.group = EDU, FROM_0_TO_1}},
	{"the other", DMA, {.group = EDU_2, FROM_0_TO_1}},
	{"the other, second window",
	 DMA,
	 {.group = EDU_2,
	  .iova = PAGE,
	  .offset = PAGE,
	  .target = IN_SECOND(3 * PAGE),
	  .target_offset = 3 * PAGE}},
	{"the other leaves with an open device", UNSET_CONTAINER, {.group = EDU_2}},
	{"close the device", CLOSE_DEVICE, {.group = EDU_2}},
	{"the other leaves", UNSET_CONTAINER, {.group = EDU_2}},
	{"the other has nothing", DMA, {.group = EDU_2, FROM_0_TO_1}},
	{"nor has the first", DMA, {.group = EDU, FROM_0_TO_1}},
	{"map again", MAP, {.size = MIB}},
	{"the first is well again", DMA, {.group = EDU, FROM_0_TO_1}},
};

/* The same IOVAs, each device by its own container's windows. */
static const struct question dma_two_containers[] = {
	IN_USE,
	{"join the second", SET_CONTAINER, {.container = SECOND, .group = EDU_2}},
	{"TCE v2", SET_IOMMU, {.container = SECOND, .number = VFIO_SPAPR_TCE_v2_IOMMU}},
	{"register", REGISTER, {.container = SECOND, .size = WHOLE_SIZE}},
	{"map in the first", MAP, {.size = 2 * PAGE}},
	{"not in the second", DMA, {.group = EDU_2, FROM_0_TO_1}},
	{"map there", MAP, {.container = SECOND, .offset = MIB, .size = 2 * PAGE}},
	{"the first", DMA, {.group = EDU, FROM_0_TO_1}},
	{"the second",
	 DMA,
	 {.group = EDU_2, .offset = MIB, .target = PAGE, .target_offset = MIB + PAGE}},
	{"the second, the first's memory", DMA, {.group = EDU_2, FROM_0_TO_1}},
	{"unmap in the first", UNMAP, {.size = 2 * PAGE}},
	{"the first no more", DMA, {.group = EDU, FROM_0_TO_1}},
	{"the second as before",
	 DMA,
	 {.group = EDU_2, .offset = MIB, .target = PAGE, .target_offset = MIB + PAGE}},
	{"unmap there", UNMAP, {.container = SECOND, .size = 2 * PAGE}},
};

#define FAR (64 * GIB - PAGE)

static const struct question dma_levels[] = {
	IN_USE,
	DROP_DEFAULT,
	{"four levels", CREATE, {.size = 64 * GIB, .levels = 4}},
	{"map its first page", MAP, {ONE_PAGE}},
	{"map its last page", MAP, {.iova = FAR, .offset = PAGE, ONE_PAGE}},
	{"from end to end", DMA, {.target = FAR, .target_offset = PAGE}},
	{"to between", DMA, {.target = FAR / 2, .target_offset = PAGE}},
	{"unmap its last page", UNMAP, {.iova = FAR, ONE_PAGE}},
	{"to its end", DMA, {.target = FAR, .target_offset = PAGE}},
};

/* A map that fails midway takes away what was there as far as it came, and leaves what follows. */
static const struct question dma_failed_map[] = {
	IN_USE,
	{"map four pages", MAP, {.size = 4 * PAGE}},
	{"to the second", DMA, {FROM_0_TO_1}},
	{"over the second and third, into the hole",
	 MAP,
	 {.iova = PAGE, .offset = LAST_OF_MEMORY, .size = 2 * PAGE}},
	{"the second is gone", DMA, {FROM_0_TO_1}},
	{"nor is it the new one", DMA, {.target = PAGE, .target_offset = LAST_OF_MEMORY}},
	{"the third is there", DMA, {.target = 2 * PAGE, .target_offset = 2 * PAGE}},
	{"misaligned over the third", MAP, {.iova = 2 * PAGE + 1, .size = PAGE}},
	{"the third is there", DMA, {.target = 2 * PAGE, .target_offset = 2 * PAGE}},
	{"misaligned unmap of the third", UNMAP, {.iova = 2 * PAGE + 1, .size = PAGE}},
	{"the third is there", DMA, {.target = 2 * PAGE, .target_offset = 2 * PAGE}},
};

/* What a table has room for can be used, though the window that was asked for is smaller. */
static const struct question dma_small_window[] = {
	IN_USE,
	DROP_DEFAULT,
	{"one page", CREATE, {.size = PAGE}},
	{"map it", MAP, {ONE_PAGE}},
	{"map beyond it", MAP, {.iova = 511 * PAGE, .offset = PAGE, ONE_PAGE}},
	{"to beyond it", DMA, {.target = 511 * PAGE, .target_offset = PAGE}},
	{"to where nothing is", DMA, {.target = 510 * PAGE, .target_offset = PAGE}},
	{"to beyond the table", DMA, {.target = 512 * PAGE, .target_offset = PAGE}},
};

const struct scene_table SCENES_OF(dma)[] = {
	SCENE(dma_default_window), SCENE(dma_permissions),
	SCENE(dma_two_groups),     SCENE(dma_two_containers),
	SCENE(dma_levels),         SCENE(dma_failed_map),
	SCENE(dma_small_window),   SCENES_END,
};

/* A second window fails where a hypervisor has room for one, which spoils the bridge. */
const struct scene_table SCENES_OF(second_dma)[] = {
	SCENE(dma_second_window),
	SCENES_END,
};
