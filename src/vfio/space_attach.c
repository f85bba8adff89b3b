/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups that come to an address space and leave it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "vfio/space_private.h"

static bool container_has_group(const struct container *container, uint32_t group)
{
	return container_group_index(container, group) < container->group_count;
}

static int check_attach(const struct space *space, uint32_t group, uint32_t container_id,
			struct error *error)
{
	for (unsigned int i = 0; i < space->container_count; i++) {
		if (space->containers[i]->id == container_id) {
			return error_set(error, ERROR_INVALID_ARGUMENT, 0,
					 "container id %" PRIu32 " is in use", container_id);
		}
		if (container_has_group(space->containers[i], group)) {
			return error_set(error, ERROR_GROUP_BUSY, 0,
					 "group %" PRIu32 " is attached here already", group);
		}
	}
	if (space->container_count == WORKER_CONTAINERS_MAX) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "an address space has at most %d containers",
				 WORKER_CONTAINERS_MAX);
	}
	return 0;
}

int space_attach_begin(struct space *space, const struct space_attach *attach,
		       struct space_change **ret_change, struct error *error)
{
	struct container_request request = {
		.container_fd = attach->container_fd,
		.group_fd = attach->group_fd,
		.group = attach->group,
		.id = attach->container_id,
		.iommu_type = attach->iommu_type,
	};
	cleanup(cleanup_free) struct space_change *change = NULL;
	struct container *container;
	int r;

	r = check_attach(space, attach->group, attach->container_id, error);
	if (r == 0) {
		r = space_change_new(space, CHANGE_ATTACH, &change, error);
	}
	if (r) {
		(void)kernel_close(space->settings.kernel, attach->container_fd);
		(void)kernel_close(space->settings.kernel, attach->group_fd);
		return r;
	}
	r = space->settings.open_container(space->settings.kernel, &request, &container, error);
	if (r) {
		return r;
	}
	r = space_check_pinning(space, container, space_section_bytes(space), error);
	if (r) {
		space_free_container(space, container);
		return r;
	}
	container->groups[0].balloon_allowed = attach->balloon_allowed;
	change->container = container;
	*ret_change = space_change_start(steal_pointer(change));
	return 0;
}

void space_work_attach(struct space_change *change)
{
	struct space *space = change->space;

	for (unsigned int i = 0; i < space->section_count; i++) {
		change->code =
			container_memory_add(change->container, space->sections[i], &change->error);
		if (change->code == 0) {
			continue;
		}
		while (i-- > 0) {
			(void)container_memory_remove(change->container, space->sections[i], NULL);
		}
		return;
	}
}

int space_finish_attach(struct space_change *change, struct space_outcome *ret_outcome,
			struct error *error)
{
	static const struct range all = {0, UINT64_MAX};
	struct space *space = change->space;
	struct container *container = change->container;
	bool worked = change->code == 0;
	int r = change->code;

	if (worked) {
		r = space_replay_windows(space, container, error);
	}
	if (worked && r == 0 && ledger_count(space->ledger) > 0) {
		r = space_check_new_tables(space, container, container_pending_bytes(container),
					   error);
	}
	if (worked && r == 0) {
		r = space_replay_mappings(space, container, all, error);
	}
	if (r) {
		if (error) {
			error_append(error, ", in the new container %" PRIu32 " (%s)",
				     container->id, container_groups_format(container).text);
		}
		if (worked) {
			space_close_container(space, container);
		} else {
			space_free_container(space, container);
		}
		return r;
	}
	space->containers[space->container_count++] = container;
	*ret_outcome =
		(struct space_outcome){.container = container, .container_id = container->id};
	return 0;
}

static struct container *find_group(const struct space *space, uint32_t group,
				    unsigned int *ret_index)
{
	for (unsigned int i = 0; i < space->container_count; i++) {
		if (container_has_group(space->containers[i], group)) {
			*ret_index = i;
			return space->containers[i];
		}
	}
	return NULL;
}

/* Its mappings go at once, so that Maps meanwhile needn't know of it. */
int space_detach_begin(struct space *space, uint32_t group, struct space_change **ret_change,
		       struct error *error)
{
	cleanup(cleanup_free) struct space_change *change = NULL;
	struct container *container;
	unsigned int index;
	int r;

	r = space_change_new(space, CHANGE_DETACH, &change, error);
	if (r) {
		return r;
	}
	container = find_group(space, group, &index);
	if (!container) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "group %" PRIu32 " is not attached to this address space", group);
	}
	if (space->container_count == 1 && ledger_count(space->ledger) > 0) {
		return error_set(error, ERROR_MEMORY_IN_USE, 0,
				 "group %" PRIu32 " is the last one, and %" PRIu64
				 " mappings exist; unmap them first",
				 group, ledger_count(space->ledger));
	}
	r = space_unmap_container(space, container, false, error);
	if (r) {
		return r;
	}
	change->windows_left = !space_remove_windows(space, container);
	space->container_count--;
	for (; index < space->container_count; index++) {
		space->containers[index] = space->containers[index + 1];
	}
	if (space->container_count == 0) {
		space->window_count = 0;
	}
	change->container = container;
	*ret_change = space_change_start(steal_pointer(change));
	return 0;
}

void space_work_detach(struct space_change *change)
{
	/* The group's leaving releases what is left, in the right order: windows, then memory. */
	if (!change->windows_left) {
		space_remove_sections(change->space, change->container);
	}
}

int space_finish_detach(struct space_change *change, struct space_outcome *ret_outcome,
			struct error *error)
{
	(void)error;
	*ret_outcome = (struct space_outcome){.container_id = change->container->id};
	space_free_container(change->space, change->container);
	return 0;
}
