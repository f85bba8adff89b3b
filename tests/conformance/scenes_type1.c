/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/vfio.h>

#include "scenes.h"

#define IN_USE_TYPE1    JOIN_EDU, SET_TYPE1
#define IN_USE_TYPE1_V2 JOIN_EDU, SET_TYPE1_V2

static const struct question type1_info[] = {
	JOIN_EDU,
	{"info without an IOMMU", TYPE1_INFO},
	SET_TYPE1_V2,
	{"argsz 0", TYPE1_INFO, {.argsz = ARGSZ(0)}},
	{"argsz 15", TYPE1_INFO, {.argsz = ARGSZ(15)}},
	{"argsz 16", TYPE1_INFO, {.argsz = ARGSZ(16)}},
	{"argsz 20", TYPE1_INFO, {.argsz = ARGSZ(20)}},
	{"argsz 24", TYPE1_INFO, {.argsz = ARGSZ(24)}},
	{"argsz 64", TYPE1_INFO, {.argsz = ARGSZ(64)}},
	{"argsz 512", TYPE1_INFO, {.argsz = ARGSZ(512)}},
	{"flags are not looked at", TYPE1_INFO, {.argsz = ARGSZ(512), .flags = 0xff}},
	{"TCE's info", GET_INFO},
	{"map", MAP, {.size = MIB}},
	{"with a mapping", TYPE1_INFO, {.argsz = ARGSZ(512)}},
	{"a second group", SET_CONTAINER, {.group = NIC}},
	{"with two groups", TYPE1_INFO, {.argsz = ARGSZ(512)}},
	{"version", GET_API_VERSION},
	{"extension 1", CHECK_EXTENSION, {.number = VFIO_TYPE1_IOMMU}},
	{"extension 3", CHECK_EXTENSION, {.number = VFIO_TYPE1v2_IOMMU}},
	{"extension 4", CHECK_EXTENSION, {.number = VFIO_DMA_CC_IOMMU}},
	{"extension 6", CHECK_EXTENSION, {.number = VFIO_TYPE1_NESTING_IOMMU}},
	{"extension 9", CHECK_EXTENSION, {.number = VFIO_UNMAP_ALL}},
	{"extension 10", CHECK_EXTENSION, {.number = VFIO_UPDATE_VADDR}},
};

static const struct question type1_sets[] = {
	JOIN_EDU,
	{"nesting", SET_IOMMU, {.number = VFIO_TYPE1_NESTING_IOMMU}},
	{"cache coherence is no type", SET_IOMMU, {.number = VFIO_DMA_CC_IOMMU}},
	{"unmap all is no type", SET_IOMMU, {.number = VFIO_UNMAP_ALL}},
	{"no-IOMMU", SET_IOMMU, {.number = VFIO_NOIOMMU_IOMMU}},
	SET_TYPE1,
	{"type1 v2 then", SET_IOMMU, {.number = VFIO_TYPE1v2_IOMMU}},
	{"leave", UNSET_CONTAINER, {.group = EDU}},
	JOIN_EDU,
	SET_TYPE1_V2,
	{"register", REGISTER, {.size = WHOLE_SIZE}},
	{"create", CREATE, {.size = GIB}},
	{"remove", REMOVE},
	{"enable", ENABLE},
	{"disable", DISABLE},
	{"EEH", EEH, {.number = VFIO_EEH_PE_GET_STATE}},
	{"unknown", UNKNOWN_OF_CONTAINER},
	{"a group's", GROUP_IOCTL_OF_CONTAINER},
};

#define MAP_ARGUMENTS                                                                              \
	{"argsz 0", MAP, {.size = PAGE, .argsz = ARGSZ(0)}},                                       \
		{"argsz 31", MAP, {.size = PAGE, .argsz = ARGSZ(31)}},                             \
		{"argsz 33", MAP, {.size = PAGE, .argsz = ARGSZ(33)}},                             \
		{"again", MAP, {.size = PAGE}},                                                    \
		{"no flags", MAP, {.iova = MIB, .size = PAGE, .no_flags = true}},                  \
		{"flag 4", MAP, {.iova = MIB, .size = PAGE, .flags = 4}},                          \
		{"flags 4 and both", MAP, {.iova = MIB, .size = PAGE, .flags = 7}},                \
		{"flag 16 and both", MAP, {.iova = MIB, .size = PAGE, .flags = 0x13}},             \
		{"read", MAP, {.iova = MIB, .size = PAGE, .flags = VFIO_DMA_MAP_FLAG_READ}},       \
		{"write", MAP, {.iova = 2 * MIB, .size = PAGE, .flags = VFIO_DMA_MAP_FLAG_WRITE}}, \
		{"size 0", MAP, {.iova = 3 * MIB, .size = 0}},                                     \
		{"IOVA + 1", MAP, {.iova = 3 * MIB + 1, .size = PAGE}},                            \
		{"misaligned address", MAP, {.iova = 3 * MIB, .offset = 0x800, .size = PAGE}},     \
		{"misaligned size", MAP, {.iova = 3 * MIB, .size = 0x800}},                        \
		{"wrapping round", MAP, {.iova = 0 - PAGE, .size = 2 * PAGE}},                     \
		{"the last page", MAP, {.iova = 0 - PAGE, .size = PAGE}},                          \
		{"beyond 48 bits", MAP, {.iova = UINT64_C(1) << 48, .size = PAGE}},                \
		{"beyond 52 bits", MAP, {.iova = UINT64_C(1) << 52, .size = PAGE}},                \
		{"below 39 bits", MAP, {.iova = (UINT64_C(1) << 39) - PAGE, .size = PAGE}},        \
		{"beyond 39 bits", MAP, {.iova = UINT64_C(1) << 39, .size = PAGE}},                \
		{"the interrupts' place", MAP, {.iova = 0xfee00000, .size = PAGE}},                \
		{"just before it", MAP, {.iova = 0xfee00000 - PAGE, .size = PAGE}},                \
		{"into it", MAP, {.iova = 0xfee00000 - 2 * PAGE, .size = 4 * PAGE}},               \
		{"just after it", MAP, {.iova = 0xfef00000, .size = PAGE}},                        \
		{"read-only memory", MAP, {.iova = 4 * MIB, .memory = READ_ONLY, .size = PAGE}},   \
		{"read-only memory, to read",                                                      \
		 MAP,                                                                              \
		 {.iova = 4 * MIB, .memory = READ_ONLY, .size = PAGE, .flags = 1}},                \
		{"no access", MAP, {.iova = 5 * MIB, .memory = NO_ACCESS, .size = PAGE}},          \
		{"address 0", MAP, {.iova = 5 * MIB, .memory = NOWHERE, .size = PAGE}},            \
		{"the kernel's",                                                                   \
		 MAP,                                                                              \
		 {.iova = 5 * MIB, .memory = NOWHERE, .offset = KERNEL_ADDRESS, .size = PAGE}},    \
		{"into the hole",                                                                  \
		 MAP,                                                                              \
		 {.iova = 5 * MIB, .offset = WHOLE_SIZE - PAGE, .size = 2 * PAGE}},                \
		{"past the file's end",                                                            \
		 MAP,                                                                              \
		 {.iova = 5 * MIB, .memory = CUT_SHORT, .size = CUT_SHORT_SIZE}},                  \
		{"private memory",                                                                 \
		 MAP,                                                                              \
		 {.iova = 8 * MIB, .memory = PRIVATE, .size = PRIVATE_SIZE}},                      \
		{"all memory", MAP, {.iova = 16 * MIB, .size = WHOLE_SIZE}},                       \
		{"overlapping its end", MAP, {.iova = 20 * MIB - PAGE, .size = 2 * PAGE}},         \
		{"inside it", MAP, {.iova = 17 * MIB, .size = PAGE}},                              \
		{"around it", MAP, {.iova = 15 * MIB, .size = 4 * MIB}},                           \
		{"beside it", MAP, {.iova = 20 * MIB, .size = MIB}},                               \
	{                                                                                          \
		"locked", LOCKED                                                                   \
	}

static const struct question type1_map[] = {
	IN_USE_TYPE1,       {"unmap before any map", UNMAP, {.size = PAGE}},
	MAP_ARGUMENTS,      {"leave", UNSET_CONTAINER, {.group = EDU}},
	{"locked", LOCKED},
};

static const struct question type1_v2_map[] = {
	IN_USE_TYPE1_V2,    {"unmap before any map", UNMAP, {.size = PAGE}},
	MAP_ARGUMENTS,      {"leave", UNSET_CONTAINER, {.group = EDU}},
	{"locked", LOCKED},
};

#define UNMAP_ARGUMENTS                                                                            \
	{"map", MAP, {.size = MIB}}, {"and beside it", MAP, {.iova = MIB, .size = MIB}},           \
		{"and apart", MAP, {.iova = 4 * MIB, .size = MIB}},                                \
		{"argsz 0", UNMAP, {.size = PAGE, .argsz = ARGSZ(0)}},                             \
		{"argsz 23", UNMAP, {.size = PAGE, .argsz = ARGSZ(23)}},                           \
		{"argsz 25", UNMAP, {.iova = 64 * MIB, .size = PAGE, .argsz = ARGSZ(25)}},         \
		{"flag 4", UNMAP, {.size = MIB, .flags = 4}},                                      \
		{"flag 8", UNMAP, {.size = MIB, .flags = 8}},                                      \
		{"dirty bitmap", UNMAP, {.size = MIB, .flags = 1}},                                \
		{"size 0", UNMAP, {.size = 0}}, {"IOVA + 1", UNMAP, {.iova = 1, .size = PAGE}},    \
		{"misaligned size", UNMAP, {.size = 0x800}},                                       \
		{"wrapping round", UNMAP, {.iova = 0 - PAGE, .size = 2 * PAGE}},                   \
		{"a hole", UNMAP, {.iova = 2 * MIB, .size = MIB}},                                 \
		{"a part, at the start", UNMAP, {.size = PAGE}},                                   \
		{"a part, inside", UNMAP, {.iova = PAGE, .size = PAGE}},                           \
		{"a part, at the end", UNMAP, {.iova = MIB - PAGE, .size = PAGE}},                 \
		{"a part of each", UNMAP, {.iova = MIB / 2, .size = MIB}}, {"locked", LOCKED},     \
		{"one, around it", UNMAP, {.iova = 3 * MIB, .size = 4 * MIB}}, {"locked", LOCKED}, \
		{"both", UNMAP, {.size = 2 * MIB}}, {"locked", LOCKED},                            \
		{"map anew", MAP, {.size = MIB}},                                                  \
		{"all, with a size", UNMAP, {.size = MIB, .flags = 2}},                            \
		{"all, with an IOVA", UNMAP, {.iova = PAGE, .flags = 2}},                          \
		{"all", UNMAP, {.flags = 2}}, {"all again", UNMAP, {.flags = 2}},                  \
		{"map anew", MAP, {.size = MIB}}, {"the whole space", UNMAP, {.size = 0 - PAGE}},  \
	{                                                                                          \
		"locked", LOCKED                                                                   \
	}

static const struct question type1_unmap[] = {IN_USE_TYPE1, UNMAP_ARGUMENTS};
static const struct question type1_v2_unmap[] = {IN_USE_TYPE1_V2, UNMAP_ARGUMENTS};

static const struct question type1_dirty[] = {
	IN_USE_TYPE1_V2,
	{"start", DIRTY_PAGES, {.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START}},
	{"start again", DIRTY_PAGES, {.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START}},
	{"no flag", DIRTY_PAGES},
	{"two flags", DIRTY_PAGES, {.flags = 3}},
	{"unknown flag", DIRTY_PAGES, {.flags = 8}},
	{"argsz 0", DIRTY_PAGES, {.flags = 1, .argsz = ARGSZ(0)}},
	{"bitmap, argsz 8", DIRTY_PAGES, {.flags = 4}},
	{"stop", DIRTY_PAGES, {.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP}},
	{"bitmap after stop", DIRTY_PAGES, {.flags = 4}},
	{"stop again", DIRTY_PAGES, {.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP}},
};

static const struct question type1_groups[] = {
	IN_USE_TYPE1_V2,
	{"map", MAP, {.size = MIB}},
	{"locked", LOCKED},
	{"a second group", SET_CONTAINER, {.group = NIC}},
	{"locked", LOCKED},
	{"a third", SET_CONTAINER, {.group = EDU_2}},
	{"the first leaves", UNSET_CONTAINER, {.group = EDU}},
	{"the mapping is there", MAP, {.size = MIB}},
	{"the second leaves", UNSET_CONTAINER, {.group = NIC}},
	{"the third leaves", UNSET_CONTAINER, {.group = EDU_2}},
	{"locked", LOCKED},
	{"info", TYPE1_INFO},
	{"two containers: one", SET_CONTAINER, {.group = EDU}},
	SET_TYPE1_V2,
	{"two containers: two", SET_CONTAINER, {.container = SECOND, .group = NIC}},
	{"type1 there", SET_IOMMU, {.container = SECOND, .number = VFIO_TYPE1_IOMMU}},
	{"map in one", MAP, {.size = MIB}},
	{"map in two", MAP, {.container = SECOND, .size = MIB}},
	{"counted twice", LOCKED},
	{"close the group", CLOSE_GROUP, {.group = NIC}},
	{"counted once", LOCKED},
	{"close the container", CLOSE_CONTAINER},
	{"still counted", LOCKED},
	{"leave", UNSET_CONTAINER, {.group = EDU}},
	{"no more", LOCKED},
};

static const struct question type1_dropped[] = {
	IN_USE_TYPE1_V2,
	{"map", MAP, {.memory = ALIAS, .size = WHOLE_SIZE}},
	{"drop it", DROP_MEMORY, {.memory = ALIAS}},
	{"still locked", LOCKED},
	{"map elsewhere what is gone", MAP, {.iova = 8 * MIB, .memory = ALIAS, .size = PAGE}},
	{"a device still reaches it", DMA, {.target = MIB, .target_offset = MIB}},
	{"unmap", UNMAP, {.size = WHOLE_SIZE}},
	{"no longer locked", LOCKED},
	{"a device no longer does", DMA, {.target = MIB, .target_offset = MIB}},
};

#define FROM_0_TO_1 .iova = 0, .target = PAGE, .target_offset = PAGE

static const struct question type1_dma[] = {
	IN_USE_TYPE1_V2,
	{"before any map", DMA, {FROM_0_TO_1}},
	{"map the source", MAP, {.size = PAGE, .flags = VFIO_DMA_MAP_FLAG_READ}},
	{"no target", DMA, {FROM_0_TO_1}},
	{"map the target",
	 MAP,
	 {.iova = PAGE, .offset = PAGE, .size = PAGE, .flags = VFIO_DMA_MAP_FLAG_WRITE}},
	{"both", DMA, {FROM_0_TO_1}},
	{"by mapped registers", DMA, {FROM_0_TO_1, .number = 1}},
	{"read what is to be written",
	 DMA,
	 {.iova = PAGE, .offset = PAGE, .target = PAGE + 0x100, .target_offset = PAGE + 0x100}},
	{"write what is to be read", DMA, {.iova = 0, .target = 0x100, .target_offset = 0x100}},
	{"far away", MAP, {.iova = GIB * 64, .offset = MIB, .size = MIB}},
	{"from there",
	 DMA,
	 {.iova = GIB * 64, .offset = MIB, .target = PAGE, .target_offset = PAGE}},
	{"to there", DMA, {.iova = 0, .target = GIB * 64, .target_offset = MIB}},
	{"unmap the target", UNMAP, {.iova = PAGE, .size = PAGE}},
	{"after unmap", DMA, {FROM_0_TO_1}},
	{"private memory", MAP, {.iova = 8 * MIB, .memory = PRIVATE, .size = PRIVATE_SIZE}},
	{"within it",
	 DMA,
	 {.iova = 8 * MIB, .memory = PRIVATE, .target = 8 * MIB + PAGE, .target_offset = PAGE}},
	{"another group", SET_CONTAINER, {.group = EDU_2}},
	{"the other's", DMA, {.group = EDU_2, .target = GIB * 64, .target_offset = MIB}},
	{"close the other's", CLOSE_DEVICE, {.group = EDU_2}},
	{"the other leaves", UNSET_CONTAINER, {.group = EDU_2}},
	{"the first still has it", DMA, {.target = GIB * 64, .target_offset = MIB}},
};

const struct scene_table SCENES_OF(type1)[] = {
	SCENE(type1_info),    SCENE(type1_sets),     SCENE(type1_map),   SCENE(type1_v2_map),
	SCENE(type1_unmap),   SCENE(type1_v2_unmap), SCENE(type1_dirty), SCENE(type1_groups),
	SCENE(type1_dropped), SCENE(type1_dma),      SCENES_END,
};
