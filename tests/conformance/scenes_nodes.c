/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/vfio.h>

#include "scenes.h"

static const struct question opening[] = {
	{"container again", OPEN_NODE, {.name = "/dev/vfio/vfio"}},
	{"group that is open", OPEN_NODE, {.name = "/dev/vfio/{edu#}"}},
	{"group that isn't viable and open", OPEN_NODE, {.name = "/dev/vfio/{not viable#}"}},
	{"close it", CLOSE_GROUP, {.group = NOT_VIABLE}},
	{"open it again", OPEN_GROUP, {.group = NOT_VIABLE}},
	{"close another", CLOSE_GROUP, {.group = EDU}},
	{"a short time", OPEN_NODE, {.name = "/dev/vfio/{edu#}"}},
	{"and again", OPEN_NODE, {.name = "/dev/vfio/{edu#}"}},
	{"group without a VFIO device", OPEN_GROUP, {.group = NO_NODE}},
	{"group that there is not", OPEN_NODE, {.name = "/dev/vfio/99"}},
	{"no number", OPEN_NODE, {.name = "/dev/vfio/x"}},
	{"number with a zero", OPEN_NODE, {.name = "/dev/vfio/0{edu#}"}},
	{"number with a sign", OPEN_NODE, {.name = "/dev/vfio/+{edu#}"}},
	{"number and more", OPEN_NODE, {.name = "/dev/vfio/{edu#}x"}},
	{"file below a node", OPEN_NODE, {.name = "/dev/vfio/{edu#}/x"}},
	{"slash after a node", OPEN_NODE, {.name = "/dev/vfio/{edu#}/"}},
	{"file below the container", OPEN_NODE, {.name = "/dev/vfio/vfio/x"}},
	{"file below no node", OPEN_NODE, {.name = "/dev/vfio/99/x"}},
	{"longer than the container", OPEN_NODE, {.name = "/dev/vfio/vfiox"}},
	{"shorter than the container", OPEN_NODE, {.name = "/dev/vfio/vfi"}},
	{"no name", OPEN_NODE, {.name = ""}},
};

static const struct question no_nodes[] = {
	{"fd -1", GET_API_VERSION, {.container = MINUS_ONE}},
	{"fd that isn't open", GET_API_VERSION, {.container = NOT_OPEN}},
	{"another device", GET_API_VERSION, {.container = DEV_NULL}},
	{"a socket", GET_API_VERSION, {.container = A_SOCKET}},
	{"a group", GET_API_VERSION, {.container = ITS_OWN_GROUP}},
	{"a container", GET_API_VERSION, {.container = SECOND}},
};

#define EXTENSION(number_)                              \
	{                                               \
		"extension " #number_, CHECK_EXTENSION, \
		{                                       \
			.number = (number_)             \
		}                                       \
	}
#define EXTENSIONS                                                                           \
	EXTENSION(0), EXTENSION(1), EXTENSION(2), EXTENSION(3), EXTENSION(4), EXTENSION(5),  \
		EXTENSION(6), EXTENSION(7), EXTENSION(8), EXTENSION(9), EXTENSION(10),       \
		EXTENSION(11), EXTENSION(12), EXTENSION(13), EXTENSION(14), EXTENSION(1000), \
		EXTENSION(UINT32_MAX), EXTENSION((UINT64_C(1) << 32) + 7),                   \
		EXTENSION((UINT64_C(1) << 63) + 7)

/* What a container without an IOMMU refuses. */
#define NO_IOMMU                                                                                \
	{"info", GET_INFO}, {"info, argsz 0", GET_INFO, {.argsz = ARGSZ(0)}},                   \
		{"register", REGISTER, {.size = WHOLE_SIZE}},                                   \
		{"register nothing mapped", REGISTER, {.offset = WHOLE_SIZE, .size = PAGE}},    \
		{"unregister", UNREGISTER, {.size = WHOLE_SIZE}}, {"map", MAP, {.size = PAGE}}, \
		{"unmap", UNMAP, {.size = PAGE}}, {"create", CREATE, {.size = GIB}},            \
		{"remove", REMOVE, {.iova = 0}}, {"enable", ENABLE}, {"disable", DISABLE},      \
		{"unknown ioctl", UNKNOWN_OF_CONTAINER},                                        \
	{                                                                                       \
		"ioctl of a group", GROUP_IOCTL_OF_CONTAINER                                    \
	}

static const struct question container_alone[] = {
	{"version", GET_API_VERSION},
	EXTENSIONS,
	{"no type", SET_IOMMU, {.number = 0}},
	{"type1", SET_IOMMU, {.number = VFIO_TYPE1_IOMMU}},
	{"TCE v1", SET_IOMMU, {.number = VFIO_SPAPR_TCE_IOMMU}},
	{"TCE v2", SET_IOMMU, {.number = VFIO_SPAPR_TCE_v2_IOMMU}},
	{"unknown type", SET_IOMMU, {.number = 99}},
	NO_IOMMU,
	{"nothing locked", LOCKED},
};

static const struct question container_without_iommu[] = {
	JOIN_EDU, {"version", GET_API_VERSION}, EXTENSIONS, NO_IOMMU, {"nothing locked", LOCKED},
};

static const struct question group_status[] = {
	{"viable", GET_STATUS, {.group = EDU}},
	{"flags are not looked at", GET_STATUS, {.group = EDU, .flags = 0xff}},
	{"argsz 0", GET_STATUS, {.group = EDU, .argsz = ARGSZ(0)}},
	{"argsz 4", GET_STATUS, {.group = EDU, .argsz = ARGSZ(4)}},
	{"argsz 7", GET_STATUS, {.group = EDU, .argsz = ARGSZ(7)}},
	{"argsz 9", GET_STATUS, {.group = EDU, .argsz = ARGSZ(9)}},
	{"argsz 100", GET_STATUS, {.group = EDU, .argsz = ARGSZ(100)}},
	{"not viable", GET_STATUS, {.group = NOT_VIABLE}},
	JOIN_EDU,
	{"joined", GET_STATUS, {.group = EDU}},
	{"another one", GET_STATUS, {.group = NIC}},
	SET_TCE_V2,
	{"with an IOMMU", GET_STATUS, {.group = EDU}},
	{"with argsz 4", GET_STATUS, {.group = EDU, .argsz = ARGSZ(4)}},
	{"leave", UNSET_CONTAINER, {.group = EDU}},
	{"left", GET_STATUS, {.group = EDU}},
};

static const struct question joining[] = {
	{"leave without a container", UNSET_CONTAINER, {.group = EDU}},
	{"fd -1", SET_CONTAINER, {.container = MINUS_ONE}},
	{"fd that isn't open", SET_CONTAINER, {.container = NOT_OPEN}},
	{"another device", SET_CONTAINER, {.container = DEV_NULL}},
	{"a socket", SET_CONTAINER, {.container = A_SOCKET}},
	{"the group itself", SET_CONTAINER, {.container = ITS_OWN_GROUP}},
	{"not viable", SET_CONTAINER, {.group = NOT_VIABLE}},
	{"its status then", GET_STATUS, {.group = NOT_VIABLE}},
	{"not viable, leave", UNSET_CONTAINER, {.group = NOT_VIABLE}},
	{"not viable, fd -1", SET_CONTAINER, {.group = NOT_VIABLE, .container = MINUS_ONE}},
	{"not viable, another device", SET_CONTAINER, {.group = NOT_VIABLE, .container = DEV_NULL}},
	JOIN_EDU,
	{"join again", SET_CONTAINER, {.group = EDU}},
	{"join another", SET_CONTAINER, {.group = EDU, .container = SECOND}},
	{"joined, fd -1", SET_CONTAINER, {.container = MINUS_ONE}},
	{"joined, another device", SET_CONTAINER, {.container = DEV_NULL}},
	{"a second group", SET_CONTAINER, {.group = NIC}},
	{"a third, not viable", SET_CONTAINER, {.group = NOT_VIABLE}},
	{"leave", UNSET_CONTAINER, {.group = EDU}},
	{"leave again", UNSET_CONTAINER, {.group = EDU}},
	{"join another then", SET_CONTAINER, {.group = EDU, .container = SECOND}},
	{"leave it", UNSET_CONTAINER, {.group = EDU}},
	{"the second leaves", UNSET_CONTAINER, {.group = NIC}},
};

static const struct question iommu_types[] = {
	JOIN_EDU,
	{"none", SET_IOMMU, {.number = 0}},
	{"type1", SET_IOMMU, {.number = VFIO_TYPE1_IOMMU}},
	{"type1 v2", SET_IOMMU, {.number = VFIO_TYPE1v2_IOMMU}},
	{"no-IOMMU", SET_IOMMU, {.number = VFIO_NOIOMMU_IOMMU}},
	{"an extension, no type", SET_IOMMU, {.number = VFIO_EEH}},
	{"unknown", SET_IOMMU, {.number = 99}},
	{"2^32 + 7", SET_IOMMU, {.number = (UINT64_C(1) << 32) + 7}},
	SET_TCE_V2,
	{"TCE v2 again", SET_IOMMU, {.number = VFIO_SPAPR_TCE_v2_IOMMU}},
	{"TCE v1 then", SET_IOMMU, {.number = VFIO_SPAPR_TCE_IOMMU}},
	{"type1 then", SET_IOMMU, {.number = VFIO_TYPE1_IOMMU}},
	EXTENSIONS,
	{"version", GET_API_VERSION},
	{"costs nothing", LOCKED},
	{"leave", UNSET_CONTAINER, {.group = EDU}},
	{"gone with the last group", GET_INFO},
	JOIN_EDU,
	{"not back with the next", GET_INFO},
	SET_TCE_V2,
	{"only when set", GET_INFO},
};

#define NAME(text)                                    \
	{                                             \
		"device \"" text "\"", GET_DEVICE_FD, \
		{                                     \
			.name = (text)                \
		}                                     \
	}

static const struct question device_names[] = {
	NAME("{edu}"),
	NAME("{nic}"),
	NAME("0009:01:00.0"),
	NAME(""),
	{"in a group that isn't viable",
	 GET_DEVICE_FD,
	 {.group = NOT_VIABLE, .name = "{not viable}"}},
	{"its sibling with another driver",
	 GET_DEVICE_FD,
	 {.group = NOT_VIABLE, .name = "{sibling}"}},
	JOIN_EDU,
	NAME("{edu}"),
	NAME("{nic}"),
	SET_TCE_V2,
	NAME("{nic}"),
	NAME("0009:01:00.0"),
	NAME("{edu short}"),
	NAME("{edu}0"),
	NAME(""),
};

static const struct question info[] = {
	JOIN_EDU,
	SET_TCE_V2,
	{"argsz 32", GET_INFO},
	{"flags are not looked at", GET_INFO, {.flags = 0xff}},
	{"argsz 0", GET_INFO, {.argsz = ARGSZ(0)}},
	{"argsz 15", GET_INFO, {.argsz = ARGSZ(15)}},
	{"argsz 16", GET_INFO, {.argsz = ARGSZ(16)}},
	{"argsz 24", GET_INFO, {.argsz = ARGSZ(24)}},
	{"argsz 31", GET_INFO, {.argsz = ARGSZ(31)}},
	{"argsz 33", GET_INFO, {.argsz = ARGSZ(33)}},
	{"argsz 4096", GET_INFO, {.argsz = ARGSZ(4096)}},
	{"nothing locked", LOCKED},
	DROP_DEFAULT,
	{"without the default window", GET_INFO},
	{"a large window", CREATE, {.size = 64 * GIB, .page_shift = 16}},
	{"with another window", GET_INFO},
};

static const struct question unknown_ioctls[] = {
	{"group", UNKNOWN_OF_GROUP},
	{"group, a container's", CONTAINER_IOCTL_OF_GROUP},
	JOIN_EDU,
	SET_TCE_V2,
	{"container", UNKNOWN_OF_CONTAINER},
	{"container, a group's", GROUP_IOCTL_OF_CONTAINER},
	{"TCE v1's enable", ENABLE},
	{"TCE v1's disable", DISABLE},
	{"group in use", UNKNOWN_OF_GROUP},
	{"group in use, a container's", CONTAINER_IOCTL_OF_GROUP},
};

const struct scene_table SCENES_OF(nodes)[] = {
	SCENE(opening),
	SCENE(no_nodes),
	SCENE(container_alone),
	SCENE(container_without_iommu),
	SCENE(group_status),
	SCENE(joining),
	SCENE(iommu_types),
	SCENE(device_names),
	SCENE(info),
	SCENE(unknown_ioctls),
	SCENES_END,
};
