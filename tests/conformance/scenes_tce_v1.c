/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sPAPR TCE v1: one window, and memory that is pinned page by page as it is mapped. */
#include <linux/vfio.h>

#include "scenes.h"

#define IN_USE_V1                \
	JOIN_EDU, SET_TCE_V1,    \
	{                        \
		"enable", ENABLE \
	}

static const struct question v1_states[] = {
	{"enable without a group", ENABLE},
	JOIN_EDU,
	{"enable without an IOMMU", ENABLE},
	SET_TCE_V1,
	{"again", SET_IOMMU, {.number = VFIO_SPAPR_TCE_IOMMU}},
	{"TCE v2 then", SET_IOMMU, {.number = VFIO_SPAPR_TCE_v2_IOMMU}},
	{"map before enable", MAP, {.size = PAGE}},
	{"unmap before enable", UNMAP, {.size = PAGE}},
	{"disable before enable", DISABLE},
	{"locked", LOCKED},
	{"enable", ENABLE},
	{"locked", LOCKED},
	{"enable again", ENABLE},
	{"locked", LOCKED},
	{"map", MAP, {.size = PAGE}},
	{"locked", LOCKED},
	{"disable", DISABLE},
	{"locked", LOCKED},
	{"disable again", DISABLE},
	{"map after disable", MAP, {.iova = PAGE, .size = PAGE}},
	{"unmap after disable", UNMAP, {.size = PAGE}},
	{"enable once more", ENABLE},
	{"map", MAP, {.size = PAGE}},
	{"leave", UNSET_CONTAINER, {.group = EDU}},
	{"locked", LOCKED},
	{"enable after that", ENABLE},
};

static const struct question v1_info[] = {
	JOIN_EDU,
	SET_TCE_V1,
	{"info", GET_INFO},
	{"argsz 0", GET_INFO, {.argsz = ARGSZ(0)}},
	{"argsz 15", GET_INFO, {.argsz = ARGSZ(15)}},
	{"argsz 16", GET_INFO, {.argsz = ARGSZ(16)}},
	{"argsz 33", GET_INFO, {.argsz = ARGSZ(33)}},
	{"flags", GET_INFO, {.flags = 0xff}},
	{"type1 info", TYPE1_INFO},
	{"extension 2", CHECK_EXTENSION, {.number = 2}},
	{"extension 5", CHECK_EXTENSION, {.number = 5}},
	{"extension 7", CHECK_EXTENSION, {.number = 7}},
};

static const struct question v1_unknown[] = {
	IN_USE_V1,
	REGISTER_ALL,
	UNREGISTER_ALL,
	{"create", CREATE, {.size = GIB}},
	{"remove", REMOVE, {.iova = 0}},
	{"dirty pages", DIRTY_PAGES, {.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START}},
	{"unknown", UNKNOWN_OF_CONTAINER},
	{"locked", LOCKED},
};

static const struct question v1_map[] = {
	IN_USE_V1,
	{"argsz 0", MAP, {.size = PAGE, .argsz = ARGSZ(0)}},
	{"argsz 31", MAP, {.size = PAGE, .argsz = ARGSZ(31)}},
	{"argsz 33", MAP, {.size = PAGE, .argsz = ARGSZ(33)}},
	{"no flags", MAP, {.size = PAGE, .no_flags = true}},
	{"flag 4", MAP, {.size = PAGE, .flags = 4}},
	{"flag 16 and both", MAP, {.size = PAGE, .flags = 0x13}},
	{"read", MAP, {.size = PAGE, .flags = VFIO_DMA_MAP_FLAG_READ}},
	{"write", MAP, {.size = PAGE, .flags = VFIO_DMA_MAP_FLAG_WRITE}},
	{"size 0", MAP, {.size = 0}},
	{"IOVA + 1", MAP, {.iova = 1, .size = PAGE}},
	{"misaligned address", MAP, {.offset = 0x800, .size = PAGE}},
	{"misaligned size", MAP, {.size = 0x800}},
	{"read-only memory, to read", MAP, {.memory = READ_ONLY, .size = PAGE, .flags = 1}},
	{"read-only memory, to write", MAP, {.memory = READ_ONLY, .size = PAGE, .flags = 2}},
	{"no access", MAP, {.memory = NO_ACCESS, .size = PAGE}},
	{"address 0", MAP, {.memory = NOWHERE, .size = PAGE}},
	{"into the hole", MAP, {.offset = WHOLE_SIZE - PAGE, .size = 2 * PAGE}},
	{"past the file's end",
	 MAP,
	 {.memory = CUT_SHORT, .offset = CUT_SHORT_SIZE / 2 - PAGE, .size = 2 * PAGE}},
	{"private memory", MAP, {.memory = PRIVATE, .size = PRIVATE_SIZE}},
	{"outside", MAP, {FROM_END(0), .size = PAGE}},
	{"the second window", MAP, {.iova = SECOND_WINDOW, .size = PAGE}},
	{"last page", MAP, {FROM_END(0 - PAGE), .size = PAGE}},
	{"all memory", MAP, {.iova = MIB, .size = WHOLE_SIZE}},
	{"over it", MAP, {.iova = MIB, .offset = MIB, .size = PAGE}},
	{"locked", LOCKED},
	{"unmap, argsz 0", UNMAP, {.size = PAGE, .argsz = ARGSZ(0)}},
	{"unmap, argsz 23", UNMAP, {.size = PAGE, .argsz = ARGSZ(23)}},
	{"unmap, flag 1", UNMAP, {.size = PAGE, .flags = 1}},
	{"unmap a hole", UNMAP, {.iova = 16 * MIB, .size = PAGE}},
	{"unmap at IOVA + 1", UNMAP, {.iova = 1, .size = PAGE}},
	{"unmap a part", UNMAP, {.iova = MIB, .size = 3 * PAGE}},
	{"unmap outside", UNMAP, {FROM_END(0), .size = PAGE}},
	{"unmap misaligned", UNMAP, {.size = 0x800}},
	{"unmap nothing", UNMAP, {.size = 0}},
	{"unmap all", UNMAP, {.whole_window = true}},
	{"locked", LOCKED},
};

static const struct question v1_groups[] = {
	IN_USE_V1,
	{"a second group", SET_CONTAINER, {.group = NIC}},
	{"status", GET_STATUS, {.group = NIC}},
	{"the group in another container", SET_CONTAINER, {.container = SECOND, .group = NIC}},
	{"TCE v2 there", SET_IOMMU, {.container = SECOND, .number = VFIO_SPAPR_TCE_v2_IOMMU}},
	{"register there", REGISTER, {.container = SECOND, .size = WHOLE_SIZE}},
	{"map there", MAP, {.container = SECOND, .size = PAGE}},
	{"map here", MAP, {.size = PAGE}},
	{"locked", LOCKED},
	{"leave there", UNSET_CONTAINER, {.group = NIC}},
	{"locked", LOCKED},
	{"close the group", CLOSE_GROUP, {.group = EDU}},
	{"locked", LOCKED},
};

static const struct question v1_two_groups_first[] = {
	JOIN_EDU,           {"a second group", SET_CONTAINER, {.group = NIC}},          SET_TCE_V1,
	{"enable", ENABLE}, {"TCE v2", SET_IOMMU, {.number = VFIO_SPAPR_TCE_v2_IOMMU}},
};

static const struct question v1_binding[] = {
	JOIN_EDU,
	SET_TCE_V1,
	PEER(FORKED),
	THE_PEER,
	{"info", GET_INFO},
	{"map", MAP, {.size = PAGE}},
	{"enable", ENABLE},
	{"locked", LOCKED},
	{"map", MAP, {.size = PAGE}},
	ITSELF,
	{"info", GET_INFO},
	{"enable", ENABLE},
	{"disable", DISABLE},
	{"map", MAP, {.iova = PAGE, .size = PAGE}},
	{"unmap", UNMAP, {.size = PAGE}},
	{"locked", LOCKED},
	PEER_ENDS,
	{"disable", DISABLE},
	{"leave", UNSET_CONTAINER, {.group = EDU}},
	JOIN_EDU,
	SET_TCE_V1,
	{"enable", ENABLE},
};

static const struct question v1_dma[] = {
	IN_USE_V1,
	{"before any map", DMA, {.iova = 0, .target = PAGE, .target_offset = PAGE}},
	{"map", MAP, {.size = 2 * PAGE}},
	{"copy", DMA, {.iova = 0, .target = PAGE, .target_offset = PAGE}},
	{"read-only", MAP, {.iova = PAGE, .offset = PAGE, .size = PAGE, .flags = 1}},
	{"copy to it", DMA, {.iova = 0, .target = PAGE, .target_offset = PAGE}},
	{"disable", DISABLE},
	{"copy", DMA, {.iova = 0, .target = PAGE, .target_offset = PAGE}},
	{"close the device", CLOSE_DEVICE, {.group = EDU}},
	{"leave", UNSET_CONTAINER, {.group = EDU}},
};

const struct scene_table SCENES_OF(tce_v1)[] = {
	SCENE(v1_states),  SCENE(v1_info),   SCENE(v1_unknown),
	SCENE(v1_map),     SCENE(v1_groups), SCENE(v1_two_groups_first),
	SCENE(v1_binding), SCENE(v1_dma),    SCENES_END,
};
