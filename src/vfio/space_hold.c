/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups that something is done with that takes long. */
#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>

#include "vfio/space_private.h"

struct container *space_find_group(const struct space *space, uint32_t group,
				   unsigned int *ret_index)
{
	for (unsigned int i = 0; i < space->container_count; i++) {
		if (container_group_index(space->containers[i], group) <
		    space->containers[i]->group_count) {
			*ret_index = i;
			return space->containers[i];
		}
	}
	return NULL;
}

struct container_groups_text space_others_format(const struct container *container, uint32_t group)
{
	unsigned int index = container_group_index(container, group);
	struct container others = {.group_count = 0};

	for (unsigned int i = 0; i < container->group_count; i++) {
		if (i != index) {
			others.groups[others.group_count++] = container->groups[i];
		}
	}
	return container_groups_format(&others);
}

/* A group of several would have the others operated on as well, and what is told of its PE could be
 * about theirs. */
static int check_alone(const struct container *container, uint32_t group, struct error *error)
{
	if (!container->capabilities.eeh) {
		return error_set(error, ERROR_EEH_UNAVAILABLE, 0,
				 "group %" PRIu32 " is in container %" PRIu32
				 " (%s), for which the kernel has no EEH",
				 group, container->id, container->capabilities.iommu_type);
	}
	if (container->group_count > 1) {
		return error_set(error, ERROR_EEH_MANY_GROUPS, 0,
				 "group %" PRIu32 " shares container %" PRIu32
				 " with %s, and the kernel would operate on all of them; detach "
				 "them first, and attach each to a container of its own",
				 group, container->id, space_others_format(container, group).text);
	}
	return 0;
}

int space_check_alone(const struct space_hold *hold, struct error *error)
{
	return check_alone(hold->container, hold->group->number, error);
}

static int check_free(const struct space *space, const struct container *container,
		      const struct group *group, struct error *error)
{
	if (group->held) {
		return error_set(error, ERROR_BUSY, 0,
				 "an operation on group %" PRIu32
				 " is under way; wait until it is done",
				 group->number);
	}
	if (container == space->leaving) {
		return error_set(error, ERROR_BUSY, 0,
				 "a group is leaving container %" PRIu32 " of group %" PRIu32,
				 container->id, group->number);
	}
	return 0;
}

static int not_here(uint32_t group, struct error *error)
{
	return error_set(error, ERROR_NOT_FOUND, 0,
			 "group %" PRIu32 " is not attached to this address space", group);
}

int space_hold_group(struct space *space, uint32_t group, enum space_hold_kind kind,
		     struct space_hold *ret_hold, struct error *error)
{
	unsigned int index = 0;
	struct container *container = space_find_group(space, group, &index);
	struct group *held;
	int r;

	if (!container) {
		return not_here(group, error);
	}
	r = kind == HOLD_GROUP ? 0 : check_alone(container, group, error);
	if (r) {
		return r;
	}
	held = &container->groups[container_group_index(container, group)];
	r = check_free(space, container, held, error);
	if (r) {
		return r;
	}
	held->held = true;
	container->holds++;
	*ret_hold = (struct space_hold){
		.container = container,
		.group = held,
		.lets_join = kind == HOLD_ALONE_TO_LOOK,
	};
	container->fixed += !ret_hold->lets_join;
	return 0;
}

const struct device *space_find_device(const struct space *space, uint32_t group, const char *name)
{
	unsigned int index = 0;
	const struct container *container = space_find_group(space, group, &index);

	/* Those of a group that leaves are about to be closed. */
	return container && container != space->leaving
		       ? group_find_device(
				 &container->groups[container_group_index(container, group)], name)
		       : NULL;
}

int space_use_device(const struct space *space, uint32_t group, const char *name,
		     struct device **ret_device, struct error *error)
{
	unsigned int index = 0;
	const struct container *container = space_find_group(space, group, &index);
	const struct group *used;
	struct device *device;
	int r;

	if (!container) {
		return not_here(group, error);
	}
	used = &container->groups[container_group_index(container, group)];
	r = check_free(space, container, used, error);
	if (r) {
		return r;
	}
	if (used->reset_asserted) {
		return error_set(
			error, ERROR_BUSY, 0,
			"a reset of the PE of group %" PRIu32
			" is asserted, and its devices have no registers meanwhile; end it "
			"first",
			group);
	}
	device = group_find_device(used, name);
	if (!device) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "device %s of group %" PRIu32 " is not open; open it first", name,
				 group);
	}
	*ret_device = device;
	return 0;
}

void space_release_group(struct space *space, const struct space_hold *hold)
{
	(void)space;
	hold->group->held = false;
	hold->container->holds--;
	hold->container->fixed -= !hold->lets_join;
}

int space_check_not_held(const struct container *container, uint32_t group, struct error *error)
{
	for (unsigned int i = 0; i < container->group_count; i++) {
		const struct group *other = &container->groups[i];

		if (other->held) {
			return error_set(error, ERROR_BUSY, 0,
					 "group %" PRIu32 " can't leave container %" PRIu32
					 ", for an operation on group %" PRIu32
					 " is under way, which can't be interrupted; wait until it "
					 "is done",
					 group, container->id, other->number);
		}
	}
	return 0;
}

bool space_holds_groups(const struct space *space)
{
	for (unsigned int i = 0; i < space->container_count; i++) {
		if (space->containers[i]->holds > 0) {
			return true;
		}
	}
	return false;
}

/* verifying */

static int verify_membership(const struct space_hold *hold, struct error *error)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	const struct group *group = hold->group;
	int r = kernel_ioctl(group->kernel, group->fd, VFIO_GROUP_GET_STATUS, &status);

	if (r != 0) {
		return error_set(error, ERROR_RECOVERY_FAILED, r < 0 ? -r : 0,
				 "the kernel doesn't tell the status of group %" PRIu32,
				 group->number);
	}
	if (!(status.flags & VFIO_GROUP_FLAGS_CONTAINER_SET)) {
		return error_set(error, ERROR_RECOVERY_FAILED, 0,
				 "group %" PRIu32 " has left container %" PRIu32
				 "; detach it and attach it again",
				 group->number, hold->container->id);
	}
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		return error_set(error, ERROR_RECOVERY_FAILED, 0,
				 "group %" PRIu32
				 " is not viable any more: a device of it is bound "
				 "to another driver; bind all its devices to vfio-pci",
				 group->number);
	}
	return 0;
}

/* Both are in order of IOVA, so that the mappings which aren't inside of a window are found next to
 * the edges: the first one of each gap between windows. */
static int verify_mappings(const struct space *space, struct error *error)
{
	struct mapping mapping;
	uint64_t from = 0;

	for (unsigned int i = 0; i <= space->window_count; i++) {
		const struct window *window = space_window(space, i);

		if (!ledger_next(space->ledger, from, &mapping)) {
			return 0;
		}
		if (!window || mapping.iova.start < window->range.start ||
		    mapping.iova.start < from) {
			return error_set(error, ERROR_RECOVERY_FAILED, 0,
					 "the mapping %s is not inside of a window (%s)",
					 range_format(mapping.iova).text,
					 space_windows_format(space).text);
		}
		if (range_last(window->range) == UINT64_MAX) {
			return 0;
		}
		from = range_last(window->range) + 1;
	}
	return 0;
}

int space_verify_group(const struct space *space, const struct space_hold *hold,
		       struct error *error)
{
	int r = verify_membership(hold, error);

	if (r == 0) {
		r = container_verify(hold->container, error);
	}
	return r ? r : verify_mappings(space, error);
}
