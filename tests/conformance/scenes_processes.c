/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/vfio.h>

#include "scenes.h"

#define LEAVE                             \
	{                                 \
		"leave", UNSET_CONTAINER, \
		{                         \
			.group = EDU      \
		}                         \
	}

#define LEAVE_TO_ANYBODY                                         \
	LEAVE, {"nothing locked", LOCKED}, JOIN_EDU, SET_TCE_V2, \
		{"then anybody may", REGISTER, {.size = PAGE}},  \
	{                                                        \
		"and has it locked", LOCKED                      \
	}

/* What a process may not do whose container belongs to another, whatever the arguments. */
#define ALL_REFUSED                                                                      \
	{"register", REGISTER, {.size = MIB}},                                           \
		{"register, argsz 0", REGISTER, {.size = MIB, .argsz = ARGSZ(0)}},       \
		{"register a hole", REGISTER, {.offset = WHOLE_SIZE, .size = PAGE}},     \
		{"unregister", UNREGISTER, {.size = MIB}}, {"map", MAP, {.size = PAGE}}, \
		{"unmap", UNMAP, {.size = PAGE}}, {"create", CREATE, {.size = GIB}},     \
		{"remove", REMOVE, {.iova = 0}}, {"info", GET_INFO}, {"enable", ENABLE}, \
		{"EEH state", EEH, {.number = VFIO_EEH_PE_GET_STATE}},                   \
	{                                                                                \
		"unknown ioctl", UNKNOWN_OF_CONTAINER                                    \
	}

/* What it may. */
#define STILL_ALLOWED                                                                    \
	{"version", GET_API_VERSION},                                                    \
		{"extension", CHECK_EXTENSION, {.number = VFIO_SPAPR_TCE_v2_IOMMU}},     \
		{"set the IOMMU again", SET_IOMMU, {.number = VFIO_SPAPR_TCE_v2_IOMMU}}, \
		{"status", GET_STATUS, {.group = EDU}},                                  \
		{"another group joins", SET_CONTAINER, {.group = NIC}},                  \
		{"and leaves", UNSET_CONTAINER, {.group = NIC}},                         \
	{                                                                                \
		"nothing locked here", LOCKED                                            \
	}

#define REFUSED ALL_REFUSED, STILL_ALLOWED

static const struct question binding_by_register[] = {
	JOIN_EDU,
	SET_TCE_V2,
	PEER(FORKED),
	THE_PEER,
	{"info", GET_INFO},
	REGISTER_ALL,
	{"map", MAP, {.size = PAGE}},
	{"locked for the owner", LOCKED},
	ITSELF,
	REFUSED,
	PEER_ENDS,
	REFUSED,
	LEAVE_TO_ANYBODY,
};

/* A call binds as soon as it is made, even if it is refused. */
#define BOUND_BY(...) \
	JOIN_EDU, SET_TCE_V2, PEER(FORKED), THE_PEER, __VA_ARGS__, ITSELF, REFUSED, PEER_ENDS, LEAVE

static const struct question binding_by_window_calls[] = {
	BOUND_BY({"create, argsz 0", CREATE, {.size = GIB, .argsz = ARGSZ(0)}}),
	BOUND_BY({"remove with a flag", REMOVE, {.flags = 1}}),
	BOUND_BY({"register a hole", REGISTER, {.offset = WHOLE_SIZE, .size = PAGE}}),
	BOUND_BY({"register, argsz 0", REGISTER, {.size = PAGE, .argsz = ARGSZ(0)}}),
};

/* These leave the container free for the first who registers memory or makes a window. */
static const struct question no_binding[] = {
	JOIN_EDU,
	SET_TCE_V2,
	PEER(FORKED),
	THE_PEER,
	{"info", GET_INFO},
	{"map", MAP, {.size = PAGE}},
	{"unmap", UNMAP, {.size = PAGE}},
	{"unregister", UNREGISTER, {.size = MIB}},
	{"unknown", UNKNOWN_OF_CONTAINER},
	{"extension", CHECK_EXTENSION, {.number = VFIO_EEH}},
	{"EEH state", EEH, {.number = VFIO_EEH_PE_GET_STATE}},
	ITSELF,
	{"register", REGISTER, {.size = WHOLE_SIZE}},
	{"map", MAP, {.size = PAGE}},
	{"locked", LOCKED},
	PEER_ENDS,
};

static const struct question owner_killed[] = {
	JOIN_EDU,
	SET_TCE_V2,
	PEER(FORKED),
	THE_PEER,
	REGISTER_ALL,
	{"map", MAP, {.size = WHOLE_SIZE}},
	{"second window", CREATE, {.size = GIB}},
	PEER_DIES,
	REFUSED,
	LEAVE_TO_ANYBODY,
};

/* The owner has nothing more of a container that another process emptied. */
static const struct question owner_robbed[] = {
	JOIN_EDU,
	SET_TCE_V2,
	PEER(FORKED),
	THE_PEER,
	REGISTER_ALL,
	{"map", MAP, {.size = WHOLE_SIZE}},
	{"locked for the owner", LOCKED},
	ITSELF,
	LEAVE,
	{"nothing locked here", LOCKED},
	JOIN_EDU,
	SET_TCE_V2,
	{"register", REGISTER, {.size = MIB}},
	THE_PEER,
	{"nothing locked there", LOCKED},
	ALL_REFUSED,
	PEER_ENDS,
};

/* Each has a container, and pays for its own. */
static const struct question two_owners[] = {
	IN_USE,
	{"map", MAP, {.size = PAGE}},
	{"locked here", LOCKED},
	PEER(FORKED),
	THE_PEER,
	{"a group that is open elsewhere", OPEN_NODE, {.name = "/dev/vfio/{edu#}"}},
	{"join", SET_CONTAINER, {.container = SECOND, .group = NIC}},
	{"TCE v2", SET_IOMMU, {.container = SECOND, .number = VFIO_SPAPR_TCE_v2_IOMMU}},
	{"register", REGISTER, {.container = SECOND, .size = MIB}},
	{"locked there", LOCKED},
	{"the other's", REGISTER, {.container = FIRST, .size = MIB}},
	ITSELF,
	{"locked here as before", LOCKED},
	{"the other's", GET_INFO, {.container = SECOND}},
	LEAVE,
	THE_PEER,
	{"locked there as before", LOCKED},
	{"unregister", UNREGISTER, {.container = SECOND, .size = MIB}},
	{"nothing there", LOCKED},
	PEER_ENDS,
};

/* A node is released by its last close, wherever that is. */
#define USE                                                         \
	PEER(FORKED), THE_PEER, JOIN_EDU, SET_TCE_V2, REGISTER_ALL, \
		{"map", MAP, {.size = WHOLE_SIZE}}, ITSELF
#define LET_GO                                                                                   \
	{"close the group", CLOSE_GROUP, {.group = EDU}},                                        \
		{"it is still open", OPEN_NODE, {.name = "/dev/vfio/{edu#}"}},                   \
		{"the container is in use", GET_INFO}, {"close the container", CLOSE_CONTAINER}, \
	{                                                                                        \
		"the group is still open", OPEN_GROUP,                                           \
		{                                                                                \
			.group = EDU                                                             \
		}                                                                                \
	}
#define TAKE_AGAIN                                                    \
	{"the group is free", OPEN_GROUP, {.group = EDU}},            \
		{"and has no container", GET_STATUS, {.group = EDU}}, \
	{                                                             \
		"a new container", OPEN_CONTAINER                     \
	}

static const struct question last_close_elsewhere[] = {
	USE, LET_GO, PEER_DIES, TAKE_AGAIN, USE, LET_GO, PEER_ENDS, TAKE_AGAIN,
};

/* A process that may lock 6 MiB. What was charged for what then failed is given back. */
static const struct question limits[] = {
	JOIN_EDU,
	SET_TCE_V2,
	PEER(LIMITED),
	THE_PEER,
	{"2 MiB", REGISTER, {.size = 2 * MIB}},
	{"locked", LOCKED},
	{"a first map's window", MAP, {.size = PAGE}},
	{"unmap's", UNMAP, {.size = PAGE}},
	{"create's, pending", CREATE, {.size = GIB, .page_shift = 16}},
	{"still locked", LOCKED},
	DROP_DEFAULT,
	{"a window too large", CREATE, {.size = 2 * GIB}},
	{"still locked", LOCKED},
	{"a window that fills it", CREATE, {.size = GIB}},
	{"all locked", LOCKED},
	{"one page more", REGISTER, {.offset = 2 * MIB, .size = PAGE}},
	{"the same again, which is no more", REGISTER, {.size = 2 * MIB}},
	{"what overlaps", REGISTER, {.size = MIB}},
	{"a small window", CREATE, {.size = MIB, .page_shift = 16}},
	{"map", MAP, {.size = 2 * MIB}},
	{"remove the window", REMOVE, {.iova = 0}},
	{"room again", REGISTER, {.offset = 2 * MIB, .size = 2 * MIB}},
	{"locked", LOCKED},
	{"a node of root's", OPEN_NODE, {.name = "/dev/vfio/{edu 2#}"}},
	{"the container's node", OPEN_NODE, {.name = "/dev/vfio/vfio"}},
	{"locked at last", LOCKED},
	PEER_ENDS,
};

static const struct question limits_of_tce_v1[] = {
	JOIN_EDU,
	SET_TCE_V1,
	PEER(LIMITED),
	THE_PEER,
	{"enable", ENABLE},
	{"locked", LOCKED},
	{"map", MAP, {.size = PAGE}},
	{"disable", DISABLE},
	PEER_ENDS,
};

static const struct question limits_of_type1[] = {
	JOIN_EDU,
	SET_TYPE1_V2,
	PEER(LIMITED),
	THE_PEER,
	{"2 MiB", MAP, {.size = 2 * MIB}},
	{"locked", LOCKED},
	{"the same elsewhere", MAP, {.iova = 4 * MIB, .size = 2 * MIB}},
	{"locked", LOCKED},
	{"the other half", MAP, {.iova = 8 * MIB, .offset = 2 * MIB, .size = 2 * MIB}},
	{"locked", LOCKED},
	{"a page more", MAP, {.iova = 16 * MIB, .offset = 2 * MIB, .size = PAGE}},
	{"locked", LOCKED},
	{"unmap", UNMAP, {.size = 2 * MIB}},
	{"locked", LOCKED},
	PEER_ENDS,
	{"unmap what the peer mapped", UNMAP, {.iova = 4 * MIB, .size = 2 * MIB}},
};

/* What a process had before it executed another program is no more its own. */
static const struct question execution[] = {
	JOIN_EDU,
	SET_TCE_V2,
	PEER(FORKED),
	THE_PEER,
	REGISTER_ALL,
	{"map", MAP, {.size = MIB}},
	{"locked", LOCKED},
	{"executes", PEER_EXECS},
	{"nothing locked", LOCKED},
	ALL_REFUSED,
	{"status", GET_STATUS, {.group = EDU}},
	{"leave", UNSET_CONTAINER, {.group = EDU}},
	JOIN_EDU,
	SET_TCE_V2,
	REGISTER_ALL,
	{"map", MAP, {.size = MIB}},
	{"locked", LOCKED},
	ITSELF,
	ALL_REFUSED,
	THE_PEER,
	{"executes", PEER_EXECS},
	ALL_REFUSED,
	PEER_ENDS,
	REFUSED,
	LEAVE,
};

/* What one process maps another may unmap, and pays no more. */
static const struct question type1_processes[] = {
	JOIN_EDU,
	SET_TYPE1_V2,
	{"map here", MAP, {.size = MIB}},
	{"locked here", LOCKED},
	PEER(FORKED),
	THE_PEER,
	{"nothing locked there", LOCKED},
	{"map there", MAP, {.iova = MIB, .size = MIB}},
	{"locked there", LOCKED},
	{"unmap the other's", UNMAP, {.size = MIB}},
	{"locked there", LOCKED},
	ITSELF,
	{"locked here", LOCKED},
	{"map here again", MAP, {.size = MIB}},
	{"over the peer's", MAP, {.iova = MIB, .size = MIB}},
	PEER_ENDS,
	{"locked here", LOCKED},
	{"unmap the peer's", UNMAP, {.iova = MIB, .size = MIB}},
	{"unmap all", UNMAP, {.size = 2 * MIB}},
	{"locked here", LOCKED},
	LEAVE,
};

/* The fds travel, and what they are stays. */
static const struct question passing[] = {
	PEER(EMPTY),
	THE_PEER,
	{"has no container", GET_API_VERSION},
	{"has no group", GET_STATUS, {.group = EDU}},
	{"gets the container", PASS_CONTAINER},
	{"gets the group", PASS_GROUP, {.group = EDU}},
	{"has a container", GET_API_VERSION},
	{"has a group", GET_STATUS, {.group = EDU}},
	JOIN_EDU,
	SET_TCE_V2,
	REGISTER_ALL,
	{"map", MAP, {.size = MIB}},
	{"locked", LOCKED},
	ITSELF,
	{"status", GET_STATUS, {.group = EDU}},
	{"register", REGISTER, {.size = MIB}},
	{"join", SET_CONTAINER, {.group = EDU}},
	{"close the group", CLOSE_GROUP, {.group = EDU}},
	{"open it", OPEN_GROUP, {.group = EDU}},
	{"close the container", CLOSE_CONTAINER},
	THE_PEER,
	{"map more", MAP, {.iova = MIB, .size = MIB}},
	{"leave", UNSET_CONTAINER, {.group = EDU}},
	JOIN_EDU,
	PEER_ENDS,
	{"open the group", OPEN_GROUP, {.group = EDU}},
	{"status", GET_STATUS, {.group = EDU}},
};

/* A device's fd in another process. */
static const struct question passing_a_device[] = {
	JOIN_NIC,
	SET_TCE_V2,
	SET_TYPE1_V2,
	{"open the device", OPEN_DEVICE, {.group = NIC}},
	PEER(EMPTY),
	THE_PEER,
	{"gets the device", PASS_DEVICE, {.group = NIC}},
	{"info", DEVICE_INFO, {.group = NIC}},
	{"config", READ_REGION, {.group = NIC, .index = VFIO_PCI_CONFIG_REGION_INDEX, .size = 8}},
	ITSELF,
	{"close the device", CLOSE_DEVICE, {.group = NIC}},
	{"leave", UNSET_CONTAINER, {.group = NIC}},
	{"close the group", CLOSE_GROUP, {.group = NIC}},
	{"open the group", OPEN_GROUP, {.group = NIC}},
	THE_PEER,
	{"reset", RESET_DEVICE, {.group = NIC}},
	{"config", READ_REGION, {.group = NIC, .index = VFIO_PCI_CONFIG_REGION_INDEX, .size = 8}},
	{"executes", PEER_EXECS},
	{"config", READ_REGION, {.group = NIC, .index = VFIO_PCI_CONFIG_REGION_INDEX, .size = 8}},
	PEER_ENDS,
	{"open the group", OPEN_GROUP, {.group = NIC}},
	{"status", GET_STATUS, {.group = NIC}},
};

const struct scene_table SCENES_OF(processes)[] = {
	SCENE(binding_by_register),
	SCENE(binding_by_window_calls),
	SCENE(no_binding),
	SCENE(owner_killed),
	SCENE(owner_robbed),
	SCENE(two_owners),
	SCENE(last_close_elsewhere),
	SCENE(limits),
	SCENE(limits_of_tce_v1),
	SCENE(limits_of_type1),
	SCENE(execution),
	SCENE(type1_processes),
	SCENE(passing),
	SCENE(passing_a_device),
	SCENES_END,
};
