/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resets of what an address space has open, and stopping it before groups are let go. */
#include <inttypes.h>
#include <string.h>

#include "vfio/space_private.h"

/* The groups that something is done with, at most all. */
struct groups {
	const struct group *group[WORKER_CONTAINERS_MAX * WORKER_GROUPS_MAX];
	unsigned int count;
};

static struct reset_scope make_scope(const struct container *container, struct group *group,
				     const struct groups *groups, bool all)
{
	return (struct reset_scope){
		.group = group,
		.pe_is_alone = container->capabilities.eeh && container->group_count == 1,
		.groups = groups->group,
		.group_count = groups->count,
		.all = all,
	};
}

static void add_groups(struct groups *groups, const struct container *container)
{
	for (unsigned int i = 0; i < container->group_count; i++) {
		groups->group[groups->count++] = &container->groups[i];
	}
}

static struct groups find_groups(const struct space *space)
{
	struct groups groups = {.count = 0};

	for (unsigned int i = 0; i < space->container_count; i++) {
		add_groups(&groups, space->containers[i]);
	}
	return groups;
}

/* -- resets on request: all groups are held -- */

/* What is held stays where it is, and nothing joins its containers; what comes meanwhile is linked
 * behind it, by another thread than the one that resets. */
static struct groups find_held(const struct space *space, unsigned int held)
{
	struct groups groups = {.count = 0};

	for (unsigned int i = 0; groups.count < held; i++) {
		add_groups(&groups, space->containers[i]);
	}
	return groups;
}

int space_hold_all(struct space *space, unsigned int *ret_held, struct error *error)
{
	struct space_hold hold;
	unsigned int held = 0;
	struct groups groups = find_groups(space);
	int r = 0;

	while (r == 0 && held < groups.count) {
		r = space_hold_group(space, groups.group[held]->number, HOLD_GROUP, &hold, error);
		held += r == 0;
	}
	if (r) {
		space_release_all(space, held);
		return r;
	}
	*ret_held = held;
	return 0;
}

void space_release_all(struct space *space, unsigned int held)
{
	for (unsigned int i = 0; i < space->container_count; i++) {
		struct container *container = space->containers[i];

		for (unsigned int j = 0; j < container->group_count && held > 0; j++, held--) {
			struct space_hold hold = {.container = container,
						  .group = &container->groups[j]};

			space_release_group(space, &hold);
		}
	}
}

/* The container of a group that is held. */
static struct container *find_container(const struct space *space, unsigned int held,
					uint32_t number)
{
	for (unsigned int i = 0, seen = 0; seen < held; i++) {
		struct container *container = space->containers[i];

		if (container_group_index(container, number) < container->group_count) {
			return container;
		}
		seen += container->group_count;
	}
	return NULL;
}

int space_reset_device(const struct space *space, const struct space_hold *hold, unsigned int held,
		       uint32_t number, const char *name, struct error *error)
{
	struct groups own = {.group = {hold ? hold->group : NULL}, .count = 1};
	struct groups groups = hold ? own : find_held(space, held);
	struct container *container = hold ? hold->container : find_container(space, held, number);
	struct group *group;
	struct device *device;
	struct reset_scope scope;

	if (!container) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "group %" PRIu32 " is not attached to this address space", number);
	}
	group = &container->groups[container_group_index(container, number)];
	device = group_find_device(group, name);
	if (!device) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "device %s of group %" PRIu32 " is not open: open it first", name,
				 number);
	}
	scope = make_scope(container, group, &groups, false);
	group_forget_resets(group);
	return device_reset(device, &scope, error);
}

/* Those that VFIO_DEVICE_RESET is enough for come last: a reset of the bus may spare it. */
static bool comes_first(const struct device *device)
{
	struct reset_means means = reset_read_means(device);

	return !reset_is_enough(&means);
}

/* A round of resets. */
struct round {
	const struct groups *groups;
	bool first; /* of the two rounds */
	void (*tell)(void *userdata, const struct space_reset *reset);
	void *userdata;
};

static void reset_group(const struct round *round, const struct container *container,
			struct group *group)
{
	struct reset_scope scope = make_scope(container, group, round->groups, true);

	for (struct device *device = group->devices; device; device = device->next) {
		struct space_reset reset = {.device = device};

		if (comes_first(device) == round->first) {
			(void)device_reset(device, &scope, &reset.error);
			reset.way = device->reset_way;
			round->tell(round->userdata, &reset);
		}
	}
}

static void reset_groups(const struct space *space, const struct round *round)
{
	for (unsigned int i = 0, seen = 0; seen < round->groups->count; i++) {
		struct container *container = space->containers[i];

		for (unsigned int j = 0; j < container->group_count; j++, seen++) {
			reset_group(round, container, &container->groups[j]);
		}
	}
}

void space_reset(const struct space *space, unsigned int held,
		 void (*tell)(void *userdata, const struct space_reset *reset), void *userdata)
{
	struct groups groups = find_held(space, held);
	struct round round = {.groups = &groups, .first = true, .tell = tell, .userdata = userdata};

	/* None goes on with DMA while another is reset, with which it may have shared a task. */
	for (unsigned int i = 0, seen = 0; seen < held; i++) {
		struct container *container = space->containers[i];

		container_quiesce(container);
		for (unsigned int j = 0; j < container->group_count; j++, seen++) {
			group_forget_resets(&container->groups[j]);
		}
	}
	reset_groups(space, &round);
	round.first = false;
	reset_groups(space, &round);
}

/* -- for good -- */

int space_stop_group(struct container *container, struct group *group, struct error *error)
{
	struct groups groups = {.group = {group}, .count = 1};
	struct reset_scope scope = make_scope(container, group, &groups, true);

	scope.for_good = true;
	return group_stop(&scope, error);
}

/* One that was tried is known. */
static bool is_to_be_stopped(const struct group *group)
{
	return group->devices && !group->stopped && group->obstacle.why[0] == '\0';
}

void space_stop_container(const struct space *space, struct container *container)
{
	struct groups groups = find_groups(space);

	for (unsigned int i = 0; i < container->group_count; i++) {
		struct reset_scope scope =
			make_scope(container, &container->groups[i], &groups, true);

		scope.for_good = true;
		if (is_to_be_stopped(scope.group)) {
			(void)group_stop(&scope, NULL);
		}
	}
}

struct container *space_next_to_stop(const struct space *space, unsigned int *index)
{
	while (*index < space->container_count) {
		struct container *container = space->containers[(*index)++];

		for (unsigned int i = 0; i < container->group_count; i++) {
			if (is_to_be_stopped(&container->groups[i])) {
				return container;
			}
		}
	}
	return NULL;
}

/* -- groups that are kept -- */

const struct group *space_next_kept(const struct space *space, unsigned int *index)
{
	unsigned int number = 0;

	for (unsigned int i = 0; i < space->container_count; i++) {
		const struct container *container = space->containers[i];

		for (unsigned int j = 0; j < container->group_count; j++) {
			if (container->groups[j].obstacle.why[0] != '\0' && number++ == *index) {
				(*index)++;
				return &container->groups[j];
			}
		}
	}
	return NULL;
}

int space_stop_again(struct space *space, uint32_t number, bool anyway, struct error *error)
{
	unsigned int index = 0;
	struct container *container = space_find_group(space, number, &index);
	struct group *group;
	int r;

	if (!container) {
		return error_set(error, ERROR_NOT_FOUND, 0, "group %" PRIu32 " is not kept here",
				 number);
	}
	group = &container->groups[container_group_index(container, number)];
	r = space_stop_group(container, group, error);
	if (r == 0 || anyway) {
		group_close_devices(group);
		return 0;
	}
	return r;
}

int space_let_go(struct space *space, uint32_t number, struct error *error)
{
	unsigned int index = 0;
	struct container *container = space_find_group(space, number, &index);

	if (container->group_count > 1) {
		return container_leave(container, number, NULL, error);
	}
	space_unlink_container(space, index);
	space_free_container(space, container);
	return 0;
}

void space_let_stopped_go(struct space *space)
{
	for (unsigned int i = space->container_count; i-- > 0;) {
		struct container *container = space->containers[i];

		for (unsigned int j = container->group_count; j-- > 0;) {
			bool last = container->group_count == 1;

			if (container->groups[j].stopped &&
			    space_let_go(space, container->groups[j].number, NULL) == 0 && last) {
				break;
			}
		}
	}
}

bool space_keeps(const struct container *container)
{
	for (unsigned int i = 0; i < container->group_count; i++) {
		if (container->groups[i].obstacle.why[0] != '\0') {
			return true;
		}
	}
	return false;
}
