/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/vfio.h>

#include "subjects.h"

void test_opening(void **state)
{
	static const struct question questions[] = {
		{"container again", OPEN_NODE, {.name = "/dev/vfio/vfio"}, 0},
		{"group that is open", OPEN_NODE, {.name = "/dev/vfio/0"}, -EBUSY},
		{"group that isn't viable and open", OPEN_NODE, {.name = "/dev/vfio/3"}, -EBUSY},
		{"close it", CLOSE_GROUP, {.group = NOT_VIABLE}, 0},
		{"open it again", OPEN_GROUP, {.group = NOT_VIABLE}, 0},
		{"close another", CLOSE_GROUP, {.group = EDU}, 0},
		{"a short time", OPEN_NODE, {.name = "/dev/vfio/0"}, 0},
		{"and again", OPEN_NODE, {.name = "/dev/vfio/0"}, 0},
		{"group without a VFIO device", OPEN_GROUP, {.group = NO_NODE}, -ENOENT},
		{"group that there is not", OPEN_NODE, {.name = "/dev/vfio/99"}, -ENOENT},
		{"no number", OPEN_NODE, {.name = "/dev/vfio/x"}, -ENOENT},
		{"number with a zero", OPEN_NODE, {.name = "/dev/vfio/00"}, -ENOENT},
		{"number with a sign", OPEN_NODE, {.name = "/dev/vfio/+0"}, -ENOENT},
		{"number and more", OPEN_NODE, {.name = "/dev/vfio/0x"}, -ENOENT},
		{"file below a node", OPEN_NODE, {.name = "/dev/vfio/0/x"}, -ENOTDIR},
		{"slash after a node", OPEN_NODE, {.name = "/dev/vfio/0/"}, -ENOTDIR},
		{"file below the container", OPEN_NODE, {.name = "/dev/vfio/vfio/x"}, -ENOTDIR},
		{"file below no node", OPEN_NODE, {.name = "/dev/vfio/99/x"}, -ENOENT},
		{"longer than the container", OPEN_NODE, {.name = "/dev/vfio/vfiox"}, -ENOENT},
		{"shorter than the container", OPEN_NODE, {.name = "/dev/vfio/vfi"}, -ENOENT},
		{"no name", OPEN_NODE, {.name = ""}, -ENOENT},
	};

	ASK(*state, questions);
}

void test_no_nodes(void **state)
{
	static const struct question questions[] = {
		{"fd -1", VERSION_OF_FD, {.container = MINUS_ONE}, -EBADF},
		{"fd that isn't open", VERSION_OF_FD, {.container = NOT_OPEN}, -EBADF},
		{"another device", VERSION_OF_FD, {.container = DEV_NULL}, -ENOTTY},
		{"a socket", VERSION_OF_FD, {.container = A_SOCKET}, -ENOTTY},
		{"a group", VERSION_OF_FD, {.container = ITS_OWN_GROUP}, -ENOTTY},
		{"a container", VERSION_OF_FD, {.container = SECOND}, 0},
	};

	ASK(*state, questions);
}

#define EXTENSION(number_, result)                                                    \
	{                                                                             \
		"extension " #number_, CHECK_EXTENSION, {.number = (number_)}, result \
	}
#define EXTENSIONS                                                                                \
	EXTENSION(0, 0), EXTENSION(1, 0), EXTENSION(2, 1), EXTENSION(3, 0), EXTENSION(4, 0),      \
		EXTENSION(5, 1), EXTENSION(6, 0), EXTENSION(7, 1), EXTENSION(8, 0),               \
		EXTENSION(9, 0), EXTENSION(10, 0), EXTENSION(11, 0), EXTENSION(12, 0),            \
		EXTENSION(13, 0), EXTENSION(14, 0), EXTENSION(1000, 0), EXTENSION(UINT32_MAX, 0), \
		EXTENSION((UINT64_C(1) << 32) + 7, 0), EXTENSION((UINT64_C(1) << 63) + 7, 0)

/* What a container without an IOMMU refuses. */
#define NO_IOMMU                                                                                  \
	{"info", GET_INFO, NOTHING, -EINVAL},                                                     \
		{"info, argsz 0", GET_INFO, {.argsz = ARGSZ(0)}, -EINVAL},                        \
		{"register", REGISTER, {.size = WHOLE_SIZE}, -EINVAL},                            \
		{"register nothing mapped",                                                       \
		 REGISTER,                                                                        \
		 {.offset = WHOLE_SIZE, .size = PAGE},                                            \
		 -EINVAL},                                                                        \
		{"unregister", UNREGISTER, {.size = WHOLE_SIZE}, -EINVAL},                        \
		{"map", MAP, {.size = PAGE}, -EINVAL}, {"unmap", UNMAP, {.size = PAGE}, -EINVAL}, \
		{"create", CREATE, {.size = GIB}, -EINVAL},                                       \
		{"remove", REMOVE, {.iova = 0}, -EINVAL}, {"enable", ENABLE, NOTHING, -EINVAL},   \
		{"disable", DISABLE, NOTHING, -EINVAL},                                           \
		{"unknown ioctl", UNKNOWN_OF_CONTAINER, NOTHING, -EINVAL},                        \
	{                                                                                         \
		"ioctl of a group", GROUP_IOCTL_OF_CONTAINER, NOTHING, -EINVAL                    \
	}

void test_container_alone(void **state)
{
	static const struct question questions[] = {
		{"version", GET_API_VERSION, NOTHING, 0},
		EXTENSIONS,
		{"no type", SET_IOMMU, {.number = 0}, -EINVAL},
		{"type1", SET_IOMMU, {.number = VFIO_TYPE1_IOMMU}, -EINVAL},
		{"TCE v1", SET_IOMMU, {.number = VFIO_SPAPR_TCE_IOMMU}, -EINVAL},
		{"TCE v2", SET_IOMMU, {.number = VFIO_SPAPR_TCE_v2_IOMMU}, -EINVAL},
		{"unknown type", SET_IOMMU, {.number = 99}, -EINVAL},
		NO_IOMMU,
		{"nothing locked", LOCKED, NOTHING, 0},
	};

	ASK(*state, questions);
}

void test_container_without_iommu(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU, {"version", GET_API_VERSION, NOTHING, 0}, EXTENSIONS,
		NO_IOMMU, {"nothing locked", LOCKED, NOTHING, 0},
	};

	ASK(*state, questions);
}

void test_group_status(void **state)
{
	static const struct question questions[] = {
		{"viable", GET_STATUS, {.group = EDU}, 1},
		{"flags are not looked at", GET_STATUS, {.group = EDU, .flags = 0xff}, 1},
		{"argsz 0", GET_STATUS, {.group = EDU, .argsz = ARGSZ(0)}, -EINVAL},
		{"argsz 4", GET_STATUS, {.group = EDU, .argsz = ARGSZ(4)}, -EINVAL},
		{"argsz 7", GET_STATUS, {.group = EDU, .argsz = ARGSZ(7)}, -EINVAL},
		{"argsz 9", GET_STATUS, {.group = EDU, .argsz = ARGSZ(9)}, 1},
		{"argsz 100", GET_STATUS, {.group = EDU, .argsz = ARGSZ(100)}, 1},
		{"not viable", GET_STATUS, {.group = NOT_VIABLE}, 0},
		JOIN_EDU,
		{"joined", GET_STATUS, {.group = EDU}, 3},
		{"another one", GET_STATUS, {.group = NIC}, 1},
		SET_TCE_V2,
		{"with an IOMMU", GET_STATUS, {.group = EDU}, 3},
		{"with argsz 4", GET_STATUS, {.group = EDU, .argsz = ARGSZ(4)}, -EINVAL},
		{"leave", UNSET_CONTAINER, {.group = EDU}, 0},
		{"left", GET_STATUS, {.group = EDU}, 1},
	};

	ASK(*state, questions);
}

void test_joining(void **state)
{
	static const struct question questions[] = {
		{"leave without a container", UNSET_CONTAINER, {.group = EDU}, -EINVAL},
		{"fd -1", SET_CONTAINER, {.container = MINUS_ONE}, -EBADF},
		{"fd that isn't open", SET_CONTAINER, {.container = NOT_OPEN}, -EBADF},
		{"another device", SET_CONTAINER, {.container = DEV_NULL}, -EBADFD},
		{"a socket", SET_CONTAINER, {.container = A_SOCKET}, -EBADFD},
		{"the group itself", SET_CONTAINER, {.container = ITS_OWN_GROUP}, -EBADFD},
		{"not viable", SET_CONTAINER, {.group = NOT_VIABLE}, -EPERM},
		{"its status then", GET_STATUS, {.group = NOT_VIABLE}, 0},
		{"not viable, leave", UNSET_CONTAINER, {.group = NOT_VIABLE}, -EINVAL},
		{"not viable, fd -1",
		 SET_CONTAINER,
		 {.group = NOT_VIABLE, .container = MINUS_ONE},
		 -EBADF},
		{"not viable, another device",
		 SET_CONTAINER,
		 {.group = NOT_VIABLE, .container = DEV_NULL},
		 -EBADFD},
		JOIN_EDU,
		{"join again", SET_CONTAINER, {.group = EDU}, -EINVAL},
		{"join another", SET_CONTAINER, {.group = EDU, .container = SECOND}, -EINVAL},
		{"joined, fd -1", SET_CONTAINER, {.container = MINUS_ONE}, -EBADF},
		{"joined, another device", SET_CONTAINER, {.container = DEV_NULL}, -EINVAL},
		{"a second group", SET_CONTAINER, {.group = NIC}, 0},
		{"a third, not viable", SET_CONTAINER, {.group = NOT_VIABLE}, -EPERM},
		{"leave", UNSET_CONTAINER, {.group = EDU}, 0},
		{"leave again", UNSET_CONTAINER, {.group = EDU}, -EINVAL},
		{"join another then", SET_CONTAINER, {.group = EDU, .container = SECOND}, 0},
		{"leave it", UNSET_CONTAINER, {.group = EDU}, 0},
		{"the second leaves", UNSET_CONTAINER, {.group = NIC}, 0},
	};

	ASK(*state, questions);
}

void test_iommu_types(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		{"none", SET_IOMMU, {.number = 0}, -ENODEV},
		{"type1", SET_IOMMU, {.number = VFIO_TYPE1_IOMMU}, -ENODEV},
		{"type1 v2", SET_IOMMU, {.number = VFIO_TYPE1v2_IOMMU}, -ENODEV},
		{"no-IOMMU", SET_IOMMU, {.number = VFIO_NOIOMMU_IOMMU}, -ENODEV},
		{"an extension, no type", SET_IOMMU, {.number = VFIO_EEH}, -EINVAL},
		{"unknown", SET_IOMMU, {.number = 99}, -ENODEV},
		{"2^32 + 7", SET_IOMMU, {.number = (UINT64_C(1) << 32) + 7}, -ENODEV},
		SET_TCE_V2,
		{"TCE v2 again", SET_IOMMU, {.number = VFIO_SPAPR_TCE_v2_IOMMU}, -EINVAL},
		{"TCE v1 then", SET_IOMMU, {.number = VFIO_SPAPR_TCE_IOMMU}, -EINVAL},
		{"type1 then", SET_IOMMU, {.number = VFIO_TYPE1_IOMMU}, -EINVAL},
		EXTENSIONS,
		{"version", GET_API_VERSION, NOTHING, 0},
		{"costs nothing", LOCKED, NOTHING, 0},
		{"leave", UNSET_CONTAINER, {.group = EDU}, 0},
		{"gone with the last group", GET_INFO, NOTHING, -EINVAL},
		JOIN_EDU,
		{"not back with the next", GET_INFO, NOTHING, -EINVAL},
		SET_TCE_V2,
		{"only when set", GET_INFO, NOTHING, 0},
	};

	ASK(*state, questions);
}

#define NAME(text, result)                                                     \
	{                                                                      \
		"device \"" text "\"", GET_DEVICE_FD, {.name = (text)}, result \
	}

void test_device_names(void **state)
{
	static const struct question questions[] = {
		NAME(DEVICE_EDU, -EINVAL),
		NAME(DEVICE_NIC, -ENODEV),
		NAME("0009:01:00.0", -ENODEV),
		NAME("", -ENODEV),
		{"in a group that isn't viable",
		 GET_DEVICE_FD,
		 {.group = NOT_VIABLE, .name = DEVICE_NOT_VIABLE},
		 -EINVAL},
		{"its sibling with another driver",
		 GET_DEVICE_FD,
		 {.group = NOT_VIABLE, .name = "0003:01:00.1"},
		 -ENODEV},
		JOIN_EDU,
		NAME(DEVICE_EDU, -EINVAL),
		NAME(DEVICE_NIC, -ENODEV),
		SET_TCE_V2,
		NAME(DEVICE_NIC, -ENODEV),
		NAME("0009:01:00.0", -ENODEV),
		NAME("0000:01:00.", -ENODEV),
		NAME("0000:01:00.00", -ENODEV),
		NAME("", -ENODEV),
	};

	ASK(*state, questions);
}

void test_info(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		SET_TCE_V2,
		{"argsz 32", GET_INFO, NOTHING, 0},
		{"flags are not looked at", GET_INFO, {.flags = 0xff}, 0},
		{"argsz 0", GET_INFO, {.argsz = ARGSZ(0)}, -EINVAL},
		{"argsz 15", GET_INFO, {.argsz = ARGSZ(15)}, -EINVAL},
		{"argsz 16", GET_INFO, {.argsz = ARGSZ(16)}, 0},
		{"argsz 24", GET_INFO, {.argsz = ARGSZ(24)}, 0},
		{"argsz 31", GET_INFO, {.argsz = ARGSZ(31)}, 0},
		{"argsz 33", GET_INFO, {.argsz = ARGSZ(33)}, 0},
		{"argsz 4096", GET_INFO, {.argsz = ARGSZ(4096)}, 0},
		{"nothing locked", LOCKED, NOTHING, 0},
		DROP_DEFAULT,
		{"without the default window", GET_INFO, NOTHING, 0},
		{"a large window", CREATE, {.size = 64 * GIB, .page_shift = 16}, 0},
		{"with another window", GET_INFO, NOTHING, 0},
	};

	ASK(*state, questions);
}

void test_unknown_ioctls(void **state)
{
	static const struct question questions[] = {
		{"group", UNKNOWN_OF_GROUP, NOTHING, -ENOTTY},
		{"group, a container's", CONTAINER_IOCTL_OF_GROUP, NOTHING, -ENOTTY},
		JOIN_EDU,
		SET_TCE_V2,
		{"container", UNKNOWN_OF_CONTAINER, NOTHING, -ENOTTY},
		{"container, a group's", GROUP_IOCTL_OF_CONTAINER, NOTHING, -ENOTTY},
		{"TCE v1's enable", ENABLE, NOTHING, -ENOTTY},
		{"TCE v1's disable", DISABLE, NOTHING, -ENOTTY},
		{"group in use", UNKNOWN_OF_GROUP, NOTHING, -ENOTTY},
		{"group in use, a container's", CONTAINER_IOCTL_OF_GROUP, NOTHING, -ENOTTY},
	};

	ASK(*state, questions);
}
