/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/vfio.h>

#include "scenes.h"

/* With 12 MiB locked. */
#define MAPPED                             \
	IN_USE,                            \
	{                                  \
		"map", MAP,                \
		{                          \
			.size = WHOLE_SIZE \
		}                          \
	}

static const struct question container_closed_first[] = {
	MAPPED,
	{"close the container", CLOSE_CONTAINER},
	{"it lives on", LOCKED},
	{"the group has it", GET_STATUS, {.group = EDU}},
	{"the group joins another", SET_CONTAINER, {.container = SECOND}},
	{"a stranger's device", GET_DEVICE_FD, {.name = "0009:01:00.0"}},
	{"leave", UNSET_CONTAINER, {.group = EDU}},
	{"all is gone", LOCKED},
	{"the group is free", GET_STATUS, {.group = EDU}},
	{"and joins another", SET_CONTAINER, {.container = SECOND}},
	{"which is closed", CLOSE_CONTAINER, {.container = SECOND}},
	{"then the group", CLOSE_GROUP, {.group = EDU}},
	{"open it again", OPEN_GROUP, {.group = EDU}},
	{"it is free", GET_STATUS, {.group = EDU}},
	{"a new container", OPEN_CONTAINER},
	MAPPED,
	{"in use again", LOCKED},
};

static const struct question group_closed_first[] = {
	MAPPED,
	{"close the group", CLOSE_GROUP, {.group = EDU}},
	{"all is gone", LOCKED},
	{"info", GET_INFO},
	{"register", REGISTER, {.size = PAGE}},
	{"open it again", OPEN_GROUP, {.group = EDU}},
	{"it is free", GET_STATUS, {.group = EDU}},
	{"the old container", SET_CONTAINER, {.group = EDU}},
	{"has no IOMMU", GET_INFO},
	SET_TCE_V2,
	{"and no memory", MAP, {.size = PAGE}},
	REGISTER_ALL,
	{"its windows are new", MAP, {.size = PAGE}},
	{"in use again", LOCKED},
};

static const struct question unset[] = {
	MAPPED,
	{"second window", CREATE, {.size = GIB}},
	{"map there", MAP, {.iova = SECOND_WINDOW, .size = MIB}},
	{"all of it", LOCKED},
	{"leave", UNSET_CONTAINER, {.group = EDU}},
	{"all is gone", LOCKED},
	{"leave again", UNSET_CONTAINER, {.group = EDU}},
	{"extensions as ever", CHECK_EXTENSION, {.number = VFIO_SPAPR_TCE_v2_IOMMU}},
	{"another group", SET_CONTAINER, {.group = NIC}},
	SET_TCE_V2,
	REGISTER_ALL,
	{"map for it", MAP, {.size = WHOLE_SIZE}},
	{"no second window", MAP, {.iova = SECOND_WINDOW, .size = PAGE}},
	{"in use", LOCKED},
};

/* That a group goes costs the others their mappings. */
static const struct question two_groups[] = {
	MAPPED,
	{"another group", SET_CONTAINER, {.group = NIC}},
	{"costs nothing", LOCKED},
	{"its status", GET_STATUS, {.group = NIC}},
	{"map more", MAP, {.iova = GIB, .size = MIB}},
	{"info", GET_INFO},
	{"second window", CREATE, {.size = GIB}},
	{"map there", MAP, {.iova = SECOND_WINDOW, .size = MIB}},
	{"the other group leaves", UNSET_CONTAINER, {.group = NIC}},
	{"windows stay", LOCKED},
	UNREGISTER_ALL,
	{"it was unmapped", LOCKED},
	REGISTER_ALL,
	{"map again", MAP, {.size = WHOLE_SIZE}},
	{"the other group again", SET_CONTAINER, {.group = NIC}},
	{"a third", SET_CONTAINER, {.group = EDU_2}},
	{"the first leaves", UNSET_CONTAINER, {.group = EDU}},
	{"info for the others", GET_INFO},
	UNREGISTER_ALL,
	{"it was unmapped again", LOCKED},
	{"a group is closed", CLOSE_GROUP, {.group = NIC}},
	{"windows stay", LOCKED},
	{"the last leaves", UNSET_CONTAINER, {.group = EDU_2}},
	{"all is gone", LOCKED},
	{"info", GET_INFO},
};

static const struct question groups_before_iommu[] = {
	JOIN_EDU,
	{"another group", SET_CONTAINER, {.group = NIC}},
	SET_TCE_V2,
	{"nothing locked", LOCKED},
	{"the first leaves", UNSET_CONTAINER, {.group = EDU}},
	REGISTER_ALL,
	{"the default window is still to come", MAP, {.size = MIB}},
	{"one table", LOCKED},
	{"the first again", SET_CONTAINER, {.group = EDU}},
	{"no other table", LOCKED},
	{"drop the default window", REMOVE, {.iova = 0}},
	{"the other leaves", UNSET_CONTAINER, {.group = NIC}},
	{"no new window", MAP, {.size = MIB}},
	{"create", CREATE, {.size = GIB}},
	{"map", MAP, {.size = MIB}},
	{"the other again", SET_CONTAINER, {.group = NIC}},
	{"a group is closed", CLOSE_GROUP, {.group = EDU}},
	{"the window stays", MAP, {.size = MIB}},
	{"the last is closed", CLOSE_GROUP, {.group = NIC}},
	{"all is gone", LOCKED},
};

const struct scene_table SCENES_OF(lifetimes)[] = {
	SCENE(container_closed_first),
	SCENE(group_closed_first),
	SCENE(unset),
	SCENE(two_groups),
	SCENE(groups_before_iommu),
	SCENES_END,
};
