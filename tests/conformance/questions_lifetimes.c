/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/vfio.h>

#include "subjects.h"

/* With 12 MiB locked. */
#define MAPPED                                      \
	IN_USE,                                     \
	{                                           \
		"map", MAP, {.size = WHOLE_SIZE}, 0 \
	}

void test_container_closed_first(void **state)
{
	static const struct question questions[] = {
		MAPPED,
		{"close the container", CLOSE_CONTAINER, NOTHING, 0},
		{"it lives on", LOCKED, NOTHING, 12288},
		{"the group has it", GET_STATUS, {.group = EDU}, 3},
		{"the group joins another", SET_CONTAINER, {.container = SECOND}, -EINVAL},
		{"a stranger's device", GET_DEVICE_FD, {.name = "0009:01:00.0"}, -ENODEV},
		{"leave", UNSET_CONTAINER, {.group = EDU}, 0},
		{"all is gone", LOCKED, NOTHING, 0},
		{"the group is free", GET_STATUS, {.group = EDU}, 1},
		{"and joins another", SET_CONTAINER, {.container = SECOND}, 0},
		{"which is closed", CLOSE_CONTAINER, {.container = SECOND}, 0},
		{"then the group", CLOSE_GROUP, {.group = EDU}, 0},
		{"open it again", OPEN_GROUP, {.group = EDU}, 0},
		{"it is free", GET_STATUS, {.group = EDU}, 1},
		{"a new container", OPEN_CONTAINER, NOTHING, 0},
		MAPPED,
		{"in use again", LOCKED, NOTHING, 12288},
	};

	ASK(*state, questions);
}

void test_group_closed_first(void **state)
{
	static const struct question questions[] = {
		MAPPED,
		{"close the group", CLOSE_GROUP, {.group = EDU}, 0},
		{"all is gone", LOCKED, NOTHING, 0},
		{"info", GET_INFO, NOTHING, -EINVAL},
		{"register", REGISTER, {.size = PAGE}, -EINVAL},
		{"open it again", OPEN_GROUP, {.group = EDU}, 0},
		{"it is free", GET_STATUS, {.group = EDU}, 1},
		{"the old container", SET_CONTAINER, {.group = EDU}, 0},
		{"has no IOMMU", GET_INFO, NOTHING, -EINVAL},
		SET_TCE_V2,
		{"and no memory", MAP, {.size = PAGE}, -EPERM},
		REGISTER_ALL,
		{"its windows are new", MAP, {.size = PAGE}, 0},
		{"in use again", LOCKED, NOTHING, 12288},
	};

	ASK(*state, questions);
}

void test_unset(void **state)
{
	static const struct question questions[] = {
		MAPPED,
		{"second window", CREATE, {.size = GIB, .start = SECOND_WINDOW}, 0},
		{"map there", MAP, {.iova = SECOND_WINDOW, .size = MIB}, 0},
		{"all of it", LOCKED, NOTHING, 16384},
		{"leave", UNSET_CONTAINER, {.group = EDU}, 0},
		{"all is gone", LOCKED, NOTHING, 0},
		{"leave again", UNSET_CONTAINER, {.group = EDU}, -EINVAL},
		{"extensions as ever", CHECK_EXTENSION, {.number = VFIO_SPAPR_TCE_v2_IOMMU}, 1},
		{"another group", SET_CONTAINER, {.group = NIC}, 0},
		SET_TCE_V2,
		REGISTER_ALL,
		{"map for it", MAP, {.size = WHOLE_SIZE}, 0},
		{"no second window", MAP, {.iova = SECOND_WINDOW, .size = PAGE}, -ENXIO},
		{"in use", LOCKED, NOTHING, 12288},
	};

	ASK(*state, questions);
}

/* That a group goes costs the others their mappings. */
void test_two_groups(void **state)
{
	static const struct question questions[] = {
		MAPPED,
		{"another group", SET_CONTAINER, {.group = NIC}, 0},
		{"costs nothing", LOCKED, NOTHING, 12288},
		{"its status", GET_STATUS, {.group = NIC}, 3},
		{"map more", MAP, {.iova = GIB, .size = MIB}, 0},
		{"info", GET_INFO, NOTHING, 0},
		{"second window", CREATE, {.size = GIB, .start = SECOND_WINDOW}, 0},
		{"map there", MAP, {.iova = SECOND_WINDOW, .size = MIB}, 0},
		{"the other group leaves", UNSET_CONTAINER, {.group = NIC}, 0},
		{"windows stay", LOCKED, NOTHING, 16384},
		UNREGISTER_ALL,
		{"it was unmapped", LOCKED, NOTHING, 12288},
		REGISTER_ALL,
		{"map again", MAP, {.size = WHOLE_SIZE}, 0},
		{"the other group again", SET_CONTAINER, {.group = NIC}, 0},
		{"a third", SET_CONTAINER, {.group = EDU_2}, 0},
		{"the first leaves", UNSET_CONTAINER, {.group = EDU}, 0},
		{"info for the others", GET_INFO, NOTHING, 0},
		UNREGISTER_ALL,
		{"it was unmapped again", LOCKED, NOTHING, 12288},
		{"a group is closed", CLOSE_GROUP, {.group = NIC}, 0},
		{"windows stay", LOCKED, NOTHING, 12288},
		{"the last leaves", UNSET_CONTAINER, {.group = EDU_2}, 0},
		{"all is gone", LOCKED, NOTHING, 0},
		{"info", GET_INFO, NOTHING, -EINVAL},
	};

	ASK(*state, questions);
}

void test_groups_before_iommu(void **state)
{
	static const struct question questions[] = {
		JOIN_EDU,
		{"another group", SET_CONTAINER, {.group = NIC}, 0},
		SET_TCE_V2,
		{"nothing locked", LOCKED, NOTHING, 0},
		{"the first leaves", UNSET_CONTAINER, {.group = EDU}, 0},
		REGISTER_ALL,
		{"the default window is still to come", MAP, {.size = MIB}, 0},
		{"one table", LOCKED, NOTHING, 12288},
		{"the first again", SET_CONTAINER, {.group = EDU}, 0},
		{"no other table", LOCKED, NOTHING, 12288},
		{"drop the default window", REMOVE, {.iova = 0}, 0},
		{"the other leaves", UNSET_CONTAINER, {.group = NIC}, 0},
		{"no new window", MAP, {.size = MIB}, -ENXIO},
		{"create", CREATE, {.size = GIB}, 0},
		{"map", MAP, {.size = MIB}, 0},
		{"the other again", SET_CONTAINER, {.group = NIC}, 0},
		{"a group is closed", CLOSE_GROUP, {.group = EDU}, 0},
		{"the window stays", MAP, {.size = MIB}, 0},
		{"the last is closed", CLOSE_GROUP, {.group = NIC}, 0},
		{"all is gone", LOCKED, NOTHING, 0},
	};

	ASK(*state, questions);
}
