/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KVM's VFIO device. A host without KVM has no node. */
#include <linux/kvm.h>
#include <linux/vfio.h>

#include "scenes.h"

#define SET_ATTRIBUTE 0
#define GET_ATTRIBUTE 1
#define HAS_ATTRIBUTE 2
#define ADD           1
#define DEL           2
#define SET_SPAPR_TCE 3
#define FILES         1

#define ATTRIBUTE(what, request, group_, attribute_, ...)                                    \
	{                                                                                    \
		what, VFIO_DEVICE_ATTRIBUTE,                                                 \
		{                                                                            \
			.number = request, .index = group_, .count = attribute_, __VA_ARGS__ \
		}                                                                            \
	}
#define TABLE(what, ...)              \
	{                             \
		what, MAKE_TCE_TABLE, \
		{                     \
			__VA_ARGS__   \
		}                     \
	}
#define MACHINE                    \
	{"open", OPEN_KVM},        \
	{                          \
		"machine", MAKE_VM \
	}
#define VFIO_DEVICE                                 \
	{                                           \
		"VFIO device", MAKE_VFIO_DEVICE,    \
		{                                   \
			.number = KVM_DEV_TYPE_VFIO \
		}                                   \
	}

static const struct question kvm_nodes[] = {
	{"open", OPEN_KVM},
	{"version", KVM_VERSION},
	{"extension: device control", KVM_EXTENSION, {.number = KVM_CAP_DEVICE_CTRL}},
	{"extension: TCE tables", KVM_EXTENSION, {.number = KVM_CAP_SPAPR_TCE}},
	{"extension: 64-bit TCE tables", KVM_EXTENSION, {.number = KVM_CAP_SPAPR_TCE_64}},
	{"extension: VFIO's TCE tables", KVM_EXTENSION, {.number = KVM_CAP_SPAPR_TCE_VFIO}},
	{"extension: unknown", KVM_EXTENSION, {.number = 100000}},
	{"machine of a bad type", MAKE_VM, {.number = 99}},
	{"machine", MAKE_VM},
	{"the machine's extension: VFIO's TCE tables",
	 KVM_EXTENSION,
	 {.container = SECOND, .number = KVM_CAP_SPAPR_TCE_VFIO}},
	{"device of a bad type", MAKE_VFIO_DEVICE, {.number = 99}},
	{"device of a very bad type", MAKE_VFIO_DEVICE, {.number = 1000000}},
	{"device with unknown flags", MAKE_VFIO_DEVICE, {.number = KVM_DEV_TYPE_VFIO, .flags = 2}},
	{"device, only to see", MAKE_VFIO_DEVICE, {.number = KVM_DEV_TYPE_VFIO, .flags = 1}},
	VFIO_DEVICE,
	{"a second one", MAKE_VFIO_DEVICE, {.number = KVM_DEV_TYPE_VFIO}},
	{"close the device", CLOSE_VFIO_DEVICE},
	{"another one", MAKE_VFIO_DEVICE, {.number = KVM_DEV_TYPE_VFIO}},
	{"close KVM", CLOSE_KVM},
	{"close the machine", CLOSE_VM},
	ATTRIBUTE("the device without its machine", HAS_ATTRIBUTE, FILES, ADD),
};

static const struct question kvm_attributes[] = {
	MACHINE,
	VFIO_DEVICE,
	ATTRIBUTE("has add", HAS_ATTRIBUTE, FILES, ADD),
	ATTRIBUTE("has del", HAS_ATTRIBUTE, FILES, DEL),
	ATTRIBUTE("has set TCE", HAS_ATTRIBUTE, FILES, SET_SPAPR_TCE),
	ATTRIBUTE("has 4", HAS_ATTRIBUTE, FILES, 4),
	ATTRIBUTE("has 0", HAS_ATTRIBUTE, FILES, 0),
	ATTRIBUTE("has group 2", HAS_ATTRIBUTE, 2, ADD),
	ATTRIBUTE("has group 0", HAS_ATTRIBUTE, 0, ADD),
	ATTRIBUTE("get", GET_ATTRIBUTE, FILES, ADD),
	ATTRIBUTE("unknown group", SET_ATTRIBUTE, 2, ADD),
	ATTRIBUTE("unknown attribute", SET_ATTRIBUTE, FILES, 9),
	ATTRIBUTE("flags", SET_ATTRIBUTE, FILES, ADD, .flags = 1),
	ATTRIBUTE("bad pointer", SET_ATTRIBUTE, FILES, ADD, .start = 8),
	ATTRIBUTE("add fd -1", SET_ATTRIBUTE, FILES, ADD, .container = MINUS_ONE),
	ATTRIBUTE("add what is not open", SET_ATTRIBUTE, FILES, ADD, .container = NOT_OPEN),
	ATTRIBUTE("add another device", SET_ATTRIBUTE, FILES, ADD, .container = DEV_NULL),
	ATTRIBUTE("add a container", SET_ATTRIBUTE, FILES, ADD, .container = SECOND),
	ATTRIBUTE("del what was not added", SET_ATTRIBUTE, FILES, DEL),
	ATTRIBUTE("add", SET_ATTRIBUTE, FILES, ADD),
	ATTRIBUTE("add again", SET_ATTRIBUTE, FILES, ADD),
	ATTRIBUTE("add another", SET_ATTRIBUTE, FILES, ADD, .group = NIC),
	ATTRIBUTE("del", SET_ATTRIBUTE, FILES, DEL),
	ATTRIBUTE("del again", SET_ATTRIBUTE, FILES, DEL),
	ATTRIBUTE("del fd -1", SET_ATTRIBUTE, FILES, DEL, .container = MINUS_ONE),
	ATTRIBUTE("set TCE, not added", SET_ATTRIBUTE, FILES, SET_SPAPR_TCE),
	ATTRIBUTE("set TCE, no table", SET_ATTRIBUTE, FILES, SET_SPAPR_TCE, .group = NIC),
	{"the group joins", SET_CONTAINER, {.group = NIC}},
	{"close the group while it is added", CLOSE_GROUP, {.group = NIC}},
	{"open it", OPEN_GROUP, {.group = NIC}},
	{"close the device", CLOSE_VFIO_DEVICE},
	{"open it then", OPEN_GROUP, {.group = NIC}},
};

#define ENTRIES(size_) .page_shift = 12, .size = (size_) / 4096

static const struct question kvm_tables[] = {
	MACHINE,
	VFIO_DEVICE,
	TABLE("no size", .iova = 0x80000001, .page_shift = 12),
	TABLE("page shift 11", .iova = 0x80000001, .page_shift = 11, .size = 16),
	TABLE("page shift 0", .iova = 0x80000001, .page_shift = 0, .size = 16),
	TABLE("page shift 35", .iova = 0x80000001, .page_shift = 35, .size = 16),
	TABLE("flags", .iova = 0x80000001, .page_shift = 12, .size = 16, .flags = 1),
	TABLE("too large", .iova = 0x80000001, .page_shift = 12, .size = UINT64_MAX),
	TABLE("table", .iova = 0x80000001, ENTRIES(2 * GIB)),
	{"locked", LOCKED},
	TABLE("the same liobn", .iova = 0x80000001, ENTRIES(2 * GIB)),
	TABLE("another liobn", .iova = 0x80000002, ENTRIES(GIB)),
	{"locked", LOCKED},
	{"close it", CLOSE_TCE_TABLE},
	{"locked", LOCKED},
	TABLE("the first liobn again", .iova = 0x80000001, ENTRIES(2 * GIB)),
};

static const struct question kvm_acceleration[] = {
	MACHINE,
	VFIO_DEVICE,
	JOIN_EDU,
	SET_TCE_V2,
	REGISTER_ALL,
	DROP_DEFAULT,
	{"create", CREATE, {.size = GIB}},
	ATTRIBUTE("add", SET_ATTRIBUTE, FILES, ADD),
	ATTRIBUTE("set TCE without a table", SET_ATTRIBUTE, FILES, SET_SPAPR_TCE),
	TABLE("too small", .iova = 0x80000001, ENTRIES(GIB / 2)),
	ATTRIBUTE("set TCE", SET_ATTRIBUTE, FILES, SET_SPAPR_TCE),
	TABLE("too large", .iova = 0x80000002, ENTRIES(2 * GIB)),
	ATTRIBUTE("set TCE", SET_ATTRIBUTE, FILES, SET_SPAPR_TCE),
	TABLE("larger pages", .iova = 0x80000003, .page_shift = 16, .size = GIB >> 16),
	ATTRIBUTE("set TCE", SET_ATTRIBUTE, FILES, SET_SPAPR_TCE),
	TABLE("another start", .iova = 0x80000004, ENTRIES(GIB), .offset = 16),
	ATTRIBUTE("set TCE", SET_ATTRIBUTE, FILES, SET_SPAPR_TCE),
	TABLE("fitting", .iova = 0x80000005, ENTRIES(GIB)),
	ATTRIBUTE("set TCE", SET_ATTRIBUTE, FILES, SET_SPAPR_TCE),
	ATTRIBUTE("set TCE again", SET_ATTRIBUTE, FILES, SET_SPAPR_TCE),
	{"map by VFIO", MAP, {.size = PAGE}},
	{"unmap by VFIO", UNMAP, {.size = PAGE}},
	{"remove the window", REMOVE, {.iova = 0}},
	ATTRIBUTE("set TCE", SET_ATTRIBUTE, FILES, SET_SPAPR_TCE),
	{"create another", CREATE, {.size = GIB}},
	ATTRIBUTE("set TCE", SET_ATTRIBUTE, FILES, SET_SPAPR_TCE),
	PEER(FORKED),
	THE_PEER,
	ATTRIBUTE("add", SET_ATTRIBUTE, FILES, ADD, .group = NIC),
	{"another's machine's device", MAKE_VFIO_DEVICE, {.number = KVM_DEV_TYPE_VFIO}},
	{"another's machine", KVM_EXTENSION, {.container = SECOND, .number = KVM_CAP_DEVICE_CTRL}},
	PEER_ENDS,
	ATTRIBUTE("del", SET_ATTRIBUTE, FILES, DEL),
	{"leave", UNSET_CONTAINER, {.group = EDU}},
	{"locked", LOCKED},
};

const struct scene_table SCENES_OF(kvm)[] = {
	SCENE(kvm_nodes), SCENE(kvm_attributes), SCENE(kvm_tables), SCENE(kvm_acceleration),
	SCENES_END,
};
