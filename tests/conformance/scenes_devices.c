/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices: what they say of themselves, and resets. */
#include <linux/vfio.h>
#include <sys/mman.h>

#include "scenes.h"

#define OF_NIC .group = NIC
#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX

static const struct question device_opening[] = {
	{"not joined", OPEN_DEVICE, {OF_NIC}},
	JOIN_NIC,
	{"no IOMMU", OPEN_DEVICE, {OF_NIC}},
	IOMMU,
	{"open", OPEN_DEVICE, {OF_NIC}},
	{"open again", GET_DEVICE_FD, {OF_NIC, .name = "{nic}"}},
	{"another group's", GET_DEVICE_FD, {OF_NIC, .name = "{edu}"}},
	{"bad name", BAD_POINTER_OF_GROUP, {OF_NIC, .number = VFIO_GROUP_GET_DEVICE_FD}},
	{"leave while it is open", UNSET_CONTAINER, {OF_NIC}},
	{"status", GET_STATUS, {OF_NIC}},
	{"a second group while it is open", SET_CONTAINER, {.group = EDU}},
	{"which leaves", UNSET_CONTAINER, {.group = EDU}},
	{"close the group", CLOSE_GROUP, {OF_NIC}},
	{"the group while the device is open", OPEN_GROUP, {OF_NIC}},
	{"the device lives", DEVICE_INFO, {OF_NIC}},
	{"the container lives", GET_INFO},
	{"close the container", CLOSE_CONTAINER},
	{"the device lives", DEVICE_INFO, {OF_NIC}},
	{"close the device", CLOSE_DEVICE, {OF_NIC}},
	{"the group is free", OPEN_GROUP, {OF_NIC}},
	{"status", GET_STATUS, {OF_NIC}},
	{"join another container", SET_CONTAINER, {.container = SECOND, OF_NIC}},
	{"TCE v2", SET_IOMMU, {.container = SECOND, .number = VFIO_SPAPR_TCE_v2_IOMMU}},
	{"type1", SET_IOMMU, {.container = SECOND, .number = VFIO_TYPE1v2_IOMMU}},
	{"open there", OPEN_DEVICE, {OF_NIC}},
	{"the last group's device, leave", UNSET_CONTAINER, {OF_NIC}},
	{"close", CLOSE_DEVICE, {OF_NIC}},
	{"leave", UNSET_CONTAINER, {OF_NIC}},
};

static const struct question device_not_viable[] = {
	{"join", SET_CONTAINER, {.group = NOT_VIABLE}},
	{"open", OPEN_DEVICE, {.group = NOT_VIABLE}},
	{"reset", RESET_DEVICE, {.group = NOT_VIABLE}},
};

#define REGION(index_)                                                   \
	{"region " #index_, REGION_INFO, {OF_NIC, .index = (index_)}},   \
	{                                                                \
		"region " #index_ " with its capabilities", REGION_INFO, \
		{                                                        \
			OF_NIC, .index = (index_), .argsz = ARGSZ(512)   \
		}                                                        \
	}
#define REGIONS                                                                                 \
	REGION(0), REGION(1), REGION(2), REGION(3), REGION(4), REGION(5), REGION(6), REGION(7), \
		REGION(8), REGION(9), REGION(10)
#define IRQ(index_)                               \
	{                                         \
		"irq " #index_, IRQ_INFO,         \
		{                                 \
			OF_NIC, .index = (index_) \
		}                                 \
	}
#define IRQS IRQ(0), IRQ(1), IRQ(2), IRQ(3), IRQ(4), IRQ(5), IRQ(6), IRQ(UINT32_MAX)

static const struct question device_info_nic[] = {
	OPEN_NIC,
	{"info", DEVICE_INFO, {OF_NIC}},
	{"argsz 0", DEVICE_INFO, {OF_NIC, .argsz = ARGSZ(0)}},
	{"argsz 4", DEVICE_INFO, {OF_NIC, .argsz = ARGSZ(4)}},
	{"argsz 15", DEVICE_INFO, {OF_NIC, .argsz = ARGSZ(15)}},
	{"argsz 16", DEVICE_INFO, {OF_NIC, .argsz = ARGSZ(16)}},
	{"argsz 20", DEVICE_INFO, {OF_NIC, .argsz = ARGSZ(20)}},
	{"argsz 512", DEVICE_INFO, {OF_NIC, .argsz = ARGSZ(512)}},
	REGIONS,
	{"region, argsz 0", REGION_INFO, {OF_NIC, .argsz = ARGSZ(0)}},
	{"region, argsz 8", REGION_INFO, {OF_NIC, .argsz = ARGSZ(8)}},
	{"region, argsz 31", REGION_INFO, {OF_NIC, .argsz = ARGSZ(31)}},
	{"region 3, argsz 33", REGION_INFO, {OF_NIC, .index = 3, .argsz = ARGSZ(33)}},
	{"region 3, argsz 40", REGION_INFO, {OF_NIC, .index = 3, .argsz = ARGSZ(40)}},
	{"region of a very high number", REGION_INFO, {OF_NIC, .index = UINT32_MAX}},
	IRQS,
	{"irq, argsz 0", IRQ_INFO, {OF_NIC, .argsz = ARGSZ(0)}},
	{"irq, argsz 8", IRQ_INFO, {OF_NIC, .argsz = ARGSZ(8)}},
	{"irq, argsz 15", IRQ_INFO, {OF_NIC, .argsz = ARGSZ(15)}},
	{"irq, argsz 17", IRQ_INFO, {OF_NIC, .argsz = ARGSZ(17)}},
	{"unknown ioctl", UNKNOWN_OF_DEVICE, {OF_NIC}},
	{"info, bad pointer", BAD_POINTER_OF_DEVICE, {OF_NIC, .number = VFIO_DEVICE_GET_INFO}},
	{"region, bad pointer",
	 BAD_POINTER_OF_DEVICE,
	 {OF_NIC, .number = VFIO_DEVICE_GET_REGION_INFO}},
	{"irqs, bad pointer", BAD_POINTER_OF_DEVICE, {OF_NIC, .number = VFIO_DEVICE_SET_IRQS}},
	{"a container's ioctl", BAD_POINTER_OF_DEVICE, {OF_NIC, .number = VFIO_GET_API_VERSION}},
	{"as container of a group", SET_CONTAINER, {.group = EDU, .container = ITS_DEVICE}},
	{"nothing locked", LOCKED},
};

#undef OF_NIC
#define OF_NIC .group = EDU
static const struct question device_info_edu[] = {
	OPEN_EDU,
	{"info", DEVICE_INFO, {.group = EDU}},
	REGIONS,
	IRQS,
	{"reset", RESET_DEVICE, {.group = EDU}},
	{"hot reset info", HOT_RESET_INFO, {.group = EDU, .count = 8}},
	{"hot reset", HOT_RESET, {.group = EDU, .count = 1, .data = "e"}},
	{"leave while it is open", UNSET_CONTAINER, {.group = EDU}},
};
#undef OF_NIC
#define OF_NIC .group = NIC

static const struct question device_resets[] = {
	OPEN_NIC,
	{"reset", RESET_DEVICE, {OF_NIC}},
	{"info, room for 0", HOT_RESET_INFO, {OF_NIC}},
	{"info, room for 1", HOT_RESET_INFO, {OF_NIC, .count = 1}},
	{"info, room for 8", HOT_RESET_INFO, {OF_NIC, .count = 8}},
	{"info, argsz 0", HOT_RESET_INFO, {OF_NIC, .argsz = ARGSZ(0)}},
	{"info, argsz 11", HOT_RESET_INFO, {OF_NIC, .argsz = ARGSZ(11)}},
	{"info, argsz 12", HOT_RESET_INFO, {OF_NIC, .argsz = ARGSZ(12)}},
	{"no group", HOT_RESET, {OF_NIC}},
	{"argsz 0", HOT_RESET, {OF_NIC, .argsz = ARGSZ(0)}},
	{"argsz 11", HOT_RESET, {OF_NIC, .argsz = ARGSZ(11)}},
	{"flags", HOT_RESET, {OF_NIC, .flags = 1, .count = 1, .data = "n"}},
	{"argsz too small for the groups",
	 HOT_RESET,
	 {OF_NIC, .argsz = ARGSZ(12), .count = 1, .data = "n"}},
	{"very many groups", HOT_RESET, {OF_NIC, .count = 100000}},
	{"bad fd", HOT_RESET, {OF_NIC, .count = 1, .data = "x"}},
	{"fd -1", HOT_RESET, {OF_NIC, .count = 1, .data = "-"}},
	{"a container", HOT_RESET, {OF_NIC, .count = 1, .data = "c"}},
	{"another group", HOT_RESET, {OF_NIC, .count = 1, .data = "e"}},
	{"its group and another", HOT_RESET, {OF_NIC, .count = 2, .data = "ne"}},
	{"its group", HOT_RESET, {OF_NIC, .count = 1, .data = "n"}},
	{"command afterwards", READ_REGION, {OF_NIC, .index = CONFIG, .offset = 4, .size = 2}},
};

#define FEATURE_ROW(number_, size_)                                                          \
	{"probe " #number_, FEATURE, {OF_NIC, .flags = (number_) | (1U << 18)}},             \
		{"probe get " #number_, FEATURE, {OF_NIC, .flags = (number_) | (5U << 16)}}, \
		{"probe set " #number_, FEATURE, {OF_NIC, .flags = (number_) | (6U << 16)}}, \
	{                                                                                    \
		"get " #number_, FEATURE,                                                    \
		{                                                                            \
			OF_NIC, .flags = (number_) | (1U << 16), .size = (size_)             \
		}                                                                            \
	}

static const struct question device_features[] = {
	OPEN_NIC,
	FEATURE_ROW(0, 16),
	FEATURE_ROW(1, 8),
	FEATURE_ROW(2, 8),
	FEATURE_ROW(3, 8),
	FEATURE_ROW(4, 8),
	FEATURE_ROW(5, 8),
	FEATURE_ROW(6, 8),
	FEATURE_ROW(7, 8),
	FEATURE_ROW(8, 8),
	FEATURE_ROW(9, 8),
	FEATURE_ROW(10, 8),
	FEATURE_ROW(11, 8),
	FEATURE_ROW(1000, 8),
	{"nothing to do", FEATURE, {OF_NIC}},
	{"get and set", FEATURE, {OF_NIC, .flags = 3U << 16}},
	{"unknown flag", FEATURE, {OF_NIC, .flags = 1U << 20}},
	{"argsz 0", FEATURE, {OF_NIC, .flags = 1U << 18, .argsz = ARGSZ(0)}},
	{"argsz 7", FEATURE, {OF_NIC, .flags = 1U << 18, .argsz = ARGSZ(7)}},
	{"enter low power", FEATURE, {OF_NIC, .flags = 3 | (1U << 17)}},
	{"leave low power", FEATURE, {OF_NIC, .flags = 5 | (1U << 17)}},
	{"leave low power again", FEATURE, {OF_NIC, .flags = 5 | (1U << 17)}},
};

const struct scene_table SCENES_OF(devices)[] = {
	SCENE(device_opening),
	SCENE(device_not_viable),
	SCENE(device_info_nic),
	SCENE(device_info_edu),
	SCENE(device_resets),
	SCENE(device_features),
	SCENES_END,
};
