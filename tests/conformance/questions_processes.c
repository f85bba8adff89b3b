/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/vfio.h>

#include "subjects.h"

static const struct question join[] = {
	JOIN_EDU,
	SET_TCE_V2,
};

static const struct question leave[] = {
	{"leave", UNSET_CONTAINER, {.group = EDU}, 0},
	{"nothing locked", LOCKED, NOTHING, 0},
	JOIN_EDU,
	SET_TCE_V2,
	{"then anybody may", REGISTER, {.size = PAGE}, 0},
	{"and has it locked", LOCKED, NOTHING, 4},
};

/* What a process may not do whose container belongs to another, whatever the arguments. */
#define ALL_REFUSED                                                                             \
	{"register", REGISTER, {.size = MIB}, -EPERM},                                          \
		{"register, argsz 0", REGISTER, {.size = MIB, .argsz = ARGSZ(0)}, -EPERM},      \
		{"register a hole", REGISTER, {.offset = WHOLE_SIZE, .size = PAGE}, -EPERM},    \
		{"unregister", UNREGISTER, {.size = MIB}, -EPERM},                              \
		{"map", MAP, {.size = PAGE}, -EPERM}, {"unmap", UNMAP, {.size = PAGE}, -EPERM}, \
		{"create", CREATE, {.size = GIB}, -EPERM},                                      \
		{"remove", REMOVE, {.iova = 0}, -EPERM}, {"info", GET_INFO, NOTHING, -EPERM},   \
		{"enable", ENABLE, NOTHING, -EPERM},                                            \
	{                                                                                       \
		"unknown ioctl", UNKNOWN_OF_CONTAINER, NOTHING, -EPERM                          \
	}

/* What it may. */
#define STILL_ALLOWED                                                                             \
	{"version", GET_API_VERSION, NOTHING, 0},                                                 \
		{"extension", CHECK_EXTENSION, {.number = VFIO_SPAPR_TCE_v2_IOMMU}, 1},           \
		{"set the IOMMU again", SET_IOMMU, {.number = VFIO_SPAPR_TCE_v2_IOMMU}, -EINVAL}, \
		{"status", GET_STATUS, {.group = EDU}, 3},                                        \
		{"another group joins", SET_CONTAINER, {.group = NIC}, 0},                        \
		{"and leaves", UNSET_CONTAINER, {.group = NIC}, 0},                               \
	{                                                                                         \
		"nothing locked here", LOCKED, NOTHING, 0                                         \
	}

static const struct question refused[] = {
	ALL_REFUSED,
	STILL_ALLOWED,
};

void test_binding_by_register(void **state)
{
	static const struct question owner[] = {
		{"info", GET_INFO, NOTHING, 0},
		REGISTER_ALL,
		{"map", MAP, {.size = PAGE}, 0},
		{"locked for the owner", LOCKED, NOTHING, 12288},
	};
	struct peer peer;

	ASK(*state, join);
	peer = peer_start(*state, TABLE(owner), NO_TABLE, false);
	ASK(*state, refused);
	peer_end(&peer);
	ASK(*state, refused);
	ASK(*state, leave);
}

/* A call binds as soon as it is made, even if it is refused. */
void test_binding_by_window_calls(void **state)
{
	static const struct question create[] = {
		{"create, argsz 0", CREATE, {.size = GIB, .argsz = ARGSZ(0)}, -EINVAL},
	};
	static const struct question remove[] = {
		{"remove with a flag", REMOVE, {.flags = 1}, -EINVAL},
	};
	static const struct question reg[] = {
		{"register a hole", REGISTER, {.offset = WHOLE_SIZE, .size = PAGE}, -EFAULT},
	};
	static const struct table binding[] = {
		{create, COUNT(create)},
		{remove, COUNT(remove)},
		{reg, COUNT(reg)},
	};

	for (size_t i = 0; i < COUNT(binding); i++) {
		static const struct question out[] = {
			{"leave", UNSET_CONTAINER, {.group = EDU}, 0},
		};
		struct peer peer;

		ASK(*state, join);
		peer = peer_start(*state, binding[i], NO_TABLE, false);
		ASK(*state, refused);
		peer_end(&peer);
		ASK(*state, out);
	}
}

/* These leave the container free for the first who registers memory or makes a window. */
void test_no_binding(void **state)
{
	static const struct question harmless[] = {
		{"info", GET_INFO, NOTHING, 0},
		{"map", MAP, {.size = PAGE}, -EPERM},
		{"unmap", UNMAP, {.size = PAGE}, -EPERM},
		{"unregister", UNREGISTER, {.size = MIB}, -EPERM},
		{"unknown", UNKNOWN_OF_CONTAINER, NOTHING, -ENOTTY},
		{"extension", CHECK_EXTENSION, {.number = VFIO_EEH}, 1},
	};
	static const struct question after[] = {
		{"register", REGISTER, {.size = WHOLE_SIZE}, 0},
		{"map", MAP, {.size = PAGE}, 0},
		{"locked", LOCKED, NOTHING, 12288},
	};
	struct peer peer;

	ASK(*state, join);
	peer = peer_start(*state, TABLE(harmless), NO_TABLE, false);
	ASK(*state, after);
	peer_end(&peer);
}

void test_owner_killed(void **state)
{
	static const struct question owner[] = {
		REGISTER_ALL,
		{"map", MAP, {.size = WHOLE_SIZE}, 0},
		{"second window", CREATE, {.size = GIB, .start = SECOND_WINDOW}, 0},
	};
	struct peer peer;

	ASK(*state, join);
	peer = peer_start(*state, TABLE(owner), NO_TABLE, false);
	peer_kill(&peer);
	ASK(*state, refused);
	ASK(*state, leave);
}

/* The owner has nothing more of a container that another process emptied. */
void test_owner_robbed(void **state)
{
	static const struct question owner[] = {
		REGISTER_ALL,
		{"map", MAP, {.size = WHOLE_SIZE}, 0},
		{"locked for the owner", LOCKED, NOTHING, 12288},
	};
	static const struct question rob[] = {
		{"leave", UNSET_CONTAINER, {.group = EDU}, 0},
		{"nothing locked here", LOCKED, NOTHING, 0},
		JOIN_EDU,
		SET_TCE_V2,
		{"register", REGISTER, {.size = MIB}, 0},
	};
	static const struct question robbed[] = {
		{"nothing locked there", LOCKED, NOTHING, 0},
		ALL_REFUSED,
	};
	struct peer peer;

	ASK(*state, join);
	peer = peer_start(*state, TABLE(owner), TABLE(robbed), false);
	ASK(*state, rob);
	peer_end(&peer);
}

/* Each has a container, and pays for its own. */
void test_two_owners(void **state)
{
	static const struct question mine[] = {
		IN_USE,
		{"map", MAP, {.size = PAGE}, 0},
		{"locked here", LOCKED, NOTHING, 12288},
	};
	static const struct question yours[] = {
		{"a group that is open elsewhere", OPEN_NODE, {.name = "/dev/vfio/0"}, -EBUSY},
		{"join", SET_CONTAINER, {.container = SECOND, .group = NIC}, 0},
		{"TCE v2", SET_IOMMU, {.container = SECOND, .number = VFIO_SPAPR_TCE_v2_IOMMU}, 0},
		{"register", REGISTER, {.container = SECOND, .size = MIB}, 0},
		{"locked there", LOCKED, NOTHING, 1024},
		{"the other's", REGISTER, {.container = FIRST, .size = MIB}, -EPERM},
	};
	static const struct question then[] = {
		{"locked there as before", LOCKED, NOTHING, 1024},
		{"unregister", UNREGISTER, {.container = SECOND, .size = MIB}, 0},
		{"nothing there", LOCKED, NOTHING, 0},
	};
	static const struct question mine_still[] = {
		{"locked here as before", LOCKED, NOTHING, 12288},
		{"the other's", GET_INFO, {.container = SECOND}, -EPERM},
		{"leave", UNSET_CONTAINER, {.group = EDU}, 0},
	};
	struct peer peer;

	ASK(*state, mine);
	peer = peer_start(*state, TABLE(yours), TABLE(then), false);
	ASK(*state, mine_still);
	peer_end(&peer);
}

/* A node is released by its last close, wherever that is. */
void test_last_close_elsewhere(void **state)
{
	static const struct question use[] = {
		JOIN_EDU,
		SET_TCE_V2,
		REGISTER_ALL,
		{"map", MAP, {.size = WHOLE_SIZE}, 0},
	};
	static const struct question let_go[] = {
		{"close the group", CLOSE_GROUP, {.group = EDU}, 0},
		{"it is still open", OPEN_NODE, {.name = "/dev/vfio/0"}, -EBUSY},
		{"the container is in use", GET_INFO, NOTHING, -EPERM},
		{"close the container", CLOSE_CONTAINER, NOTHING, 0},
		{"the group is still open", OPEN_GROUP, {.group = EDU}, -EBUSY},
	};
	static const struct question take_again[] = {
		{"the group is free", OPEN_GROUP, {.group = EDU}, 0},
		{"and has no container", GET_STATUS, {.group = EDU}, 1},
		{"a new container", OPEN_CONTAINER, NOTHING, 0},
	};
	struct peer peer = peer_start(*state, TABLE(use), NO_TABLE, false);

	ASK(*state, let_go);
	peer_kill(&peer);
	ASK(*state, take_again);
	peer = peer_start(*state, TABLE(use), NO_TABLE, false);
	ASK(*state, let_go);
	peer_end(&peer);
	ASK(*state, take_again);
}

/* A process that may lock 6 MiB. What was charged for what then failed is given back. */
void test_limits(void **state)
{
	static const struct question limited[] = {
		{"2 MiB", REGISTER, {.size = 2 * MIB}, 0},
		{"locked", LOCKED, NOTHING, 2048},
		{"a first map's window", MAP, {.size = PAGE}, -ENOMEM},
		{"unmap's", UNMAP, {.size = PAGE}, -ENOMEM},
		{"create's, pending", CREATE, {.size = GIB, .page_shift = 16}, -ENOMEM},
		{"still locked", LOCKED, NOTHING, 2048},
		DROP_DEFAULT,
		{"a window too large", CREATE, {.size = 2 * GIB}, -ENOMEM},
		{"still locked", LOCKED, NOTHING, 2048},
		{"a window that fills it", CREATE, {.size = GIB}, 0},
		{"all locked", LOCKED, NOTHING, 6144},
		{"one page more", REGISTER, {.offset = 2 * MIB, .size = PAGE}, -ENOMEM},
		{"the same again, which is no more", REGISTER, {.size = 2 * MIB}, -EBUSY},
		{"what overlaps", REGISTER, {.size = MIB}, -ENOMEM},
		{"a small window", CREATE, {.size = MIB, .page_shift = 16}, -ENOMEM},
		{"map", MAP, {.size = 2 * MIB}, 0},
		{"remove the window", REMOVE, {.iova = 0}, 0},
		{"room again", REGISTER, {.offset = 2 * MIB, .size = 2 * MIB}, 0},
		{"locked", LOCKED, NOTHING, 4096},
	};
	struct peer peer;

	ASK(*state, join);
	peer = peer_start(*state, TABLE(limited), NO_TABLE, true);
	peer_end(&peer);
}
