/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups that come to an address space and leave it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "vfio/space_mapping.h"

static void name_container(struct error *error, const char *which,
			   const struct container *container)
{
	if (error) {
		error_append(error, ", in %s %" PRIu32 " (%s)", which, container->id,
			     container_groups_format(container).text);
	}
}

static int check_attach(const struct space *space, uint32_t group, uint32_t container_id,
			struct error *error)
{
	unsigned int index = 0;
	const struct container *container = space_find_group(space, group, &index);

	if (container) {
		return error_set(error, ERROR_GROUP_BUSY, 0,
				 "group %" PRIu32 " is attached here already, in container %" PRIu32
				 "; detach it first",
				 group, container->id);
	}
	for (unsigned int i = 0; i < space->container_count; i++) {
		if (space->containers[i]->id == container_id) {
			return error_set(error, ERROR_INVALID_ARGUMENT, 0,
					 "container id %" PRIu32 " is in use", container_id);
		}
	}
	return 0;
}

/* Joining */

int space_check_windows(const struct space *space, const struct container *container,
			struct error *error)
{
	const struct container_capabilities *capabilities = &container->capabilities;

	for (unsigned int i = 0; capabilities->windows_are_books && i < space->window_count; i++) {
		const struct window *window = &space->windows[i];
		unsigned int around = 0;

		if (!(capabilities->page_sizes >> window->page_shift & 1)) {
			return error_set(error, ERROR_PAGE_SIZE, 0,
					 "the window %s has page shift %" PRIu32
					 ", which is none of the page sizes 0x%" PRIx64
					 " of container %" PRIu32,
					 range_format(window->range).text, window->page_shift,
					 capabilities->page_sizes, container->id);
		}
		while (around < capabilities->default_window_count &&
		       !range_contains(capabilities->default_windows[around].range,
				       window->range)) {
			around++;
		}
		if (around == capabilities->default_window_count) {
			return error_set(error, ERROR_WINDOW_START, 0,
					 "the window %s is outside the IOVA ranges of container "
					 "%" PRIu32,
					 range_format(window->range).text, container->id);
		}
	}
	return 0;
}

static bool may_join(const struct container *container, const struct space_attach *attach)
{
	const struct container_capabilities *capabilities = &container->capabilities;

	return !capabilities->one_group && container->group_count < WORKER_GROUPS_MAX &&
	       container->fixed == 0 && !container->groups[0].reset_asserted &&
	       (!attach->iommu_type || strcmp(attach->iommu_type, capabilities->iommu_type) == 0);
}

/* Whether a refusal may be about the two together, so that another container may take the group:
 * type1 says EINVAL or EBUSY, TCE EINVAL, EBUSY or, on an LPAR, EPERM; and windows that the
 * container could not have any more keep a group out (groups_changed). */
static bool does_not_fit(const struct error *error)
{
	if (error->code == ERROR_WINDOW_START || error->code == ERROR_PAGE_SIZE) {
		return true;
	}
	return error->code == ERROR_GROUP_BUSY &&
	       (error->errnum == EINVAL || error->errnum == EBUSY || error->errnum == EPERM);
}

/* Join a container, if the windows of the space survive that. 0 and *ret_joined, or a code that
 * ends the attach. The fd becomes -1 as long as the container has it. */
static int try_join(const struct space *space, struct container *container,
		    struct space_attach *attach, bool *ret_joined, struct error *error)
{
	struct error refused;
	int r;

	r = container_join(container, attach->group_fd, attach->group, &refused);
	if (r) {
		if (does_not_fit(&refused)) {
			return 0;
		}
		if (error) {
			*error = refused;
			error_append(error, ", joining container %" PRIu32, container->id);
		}
		return r;
	}
	attach->group_fd = -1;
	if (space_check_windows(space, container, NULL) == 0) {
		*ret_joined = true;
		return 0;
	}
	r = container_leave(container, attach->group, &attach->group_fd, error);
	if (r && error) {
		error_append(error,
			     "; the windows don't fit it in container %" PRIu32
			     ", where it stays: detach it",
			     container->id);
	}
	return r;
}

/* The first container that takes the group; ret_container is left alone if none does. */
static int join_one(const struct space *space, struct space_attach *attach,
		    struct container **ret_container, struct error *error)
{
	for (unsigned int i = 0; i < space->container_count; i++) {
		struct container *container = space->containers[i];
		bool joined = false;
		int r;

		if (!may_join(container, attach)) {
			continue;
		}
		r = try_join(space, container, attach, &joined, error);
		if (r) {
			return r;
		}
		if (joined) {
			*ret_container = container;
			return 0;
		}
	}
	return 0;
}

/* A container of its own. Both fds are taken. */
static int open_own(struct space *space, const struct space_attach *attach,
		    struct container **ret_container, struct error *error)
{
	struct container_request request = {
		.container_fd = attach->container_fd,
		.group_fd = attach->group_fd,
		.group = attach->group,
		.id = attach->container_id,
		.iommu_type = attach->iommu_type,
	};
	struct container *container;
	int r;

	r = space->settings.open_container(space->settings.kernel, &request, &container, error);
	if (r) {
		return r;
	}
	container->interrupted = space->settings.interrupted;
	container->interrupted_userdata = space->settings.interrupted_userdata;
	r = space_check_new_container(space, container, error);
	if (r == 0) {
		r = space_check_entries(space, container, error);
	}
	if (r == 0) {
		r = container_start(container, error);
	}
	if (r) {
		name_container(error, "the new container", container);
		space_free_container(space, container);
		return r;
	}
	space->arriving = container;
	if (space->container_count == 0) {
		space_forget_refusals(space);
	}
	*ret_container = container;
	return 0;
}

/* Join a container if that is wanted; else see whether there is room for another. */
static int begin_shared(struct space *space, struct space_attach *attach,
			struct container **ret_container, struct error *error)
{
	int r;

	r = check_attach(space, attach->group, attach->container_id, error);
	if (r == 0 && attach->share) {
		r = join_one(space, attach, ret_container, error);
	}
	if (r == 0 && !*ret_container && space->container_count == WORKER_CONTAINERS_MAX) {
		r = error_set(error, ERROR_QUOTA_EXCEEDED, 0,
			      "an address space has at most %d containers; detach a group first, "
			      "or let groups share",
			      WORKER_CONTAINERS_MAX);
	}
	return r;
}

int space_attach_begin(struct space *space, const struct space_attach *request,
		       struct space_change **ret_change, struct error *error)
{
	struct space_attach attach = *request;
	cleanup(cleanup_free) struct space_change *change = NULL;
	struct container *container = NULL;
	int r;

	r = space_change_new(space, CHANGE_ATTACH, &change, error);
	if (r == 0) {
		r = begin_shared(space, &attach, &container, error);
	}
	if (r || container) {
		(void)kernel_close(space->settings.kernel, attach.container_fd);
	}
	if (r) {
		(void)kernel_close(space->settings.kernel, attach.group_fd);
		return r;
	}
	change->linked = container != NULL;
	if (!container) {
		r = open_own(space, &attach, &container, error);
		if (r) {
			return r;
		}
	}
	container->groups[container->group_count - 1].balloon_allowed = attach.balloon_allowed;
	change->container = container;
	*ret_change = space_change_start(steal_pointer(change));
	return 0;
}

void space_work_attach(struct space_change *change)
{
	/* What is linked has it all. */
	if (!change->linked) {
		change->code = space_add_sections(change->space, change->container, &change->error);
	}
}

/* Windows, then mappings. */
static int replay(struct space *space, struct container *container, struct error *error)
{
	static const struct range all = {0, UINT64_MAX};
	int r;

	r = space_replay_windows(space, container, error);
	if (r == 0 && space->container_count == 0) {
		r = space_identity_enter_all(space, error);
	}
	if (r == 0) {
		r = space_check_replay(space, error);
	}
	if (r == 0) {
		r = space_replay_mappings(space, container, all, error);
	}
	return r ? r : space_narrow_windows(space, container, error);
}

static void give_up_arriving(struct space *space, bool worked)
{
	struct container *container = space->arriving;

	if (worked) {
		space_close_container(space, container);
	} else {
		space_free_container(space, container);
	}
	space->arriving = NULL;
	if (space->container_count == 0) {
		space->window_count = 0;
		space_identity_leave_all(space);
	}
}

int space_finish_attach(struct space_change *change, struct space_outcome *ret_outcome,
			struct error *error)
{
	struct space *space = change->space;
	struct container *container = change->container;
	int r = change->code;

	if (r == 0 && !change->linked) {
		r = replay(space, container, error);
	}
	if (r) {
		name_container(error, "the new container", container);
		give_up_arriving(space, change->code == 0);
		return r;
	}
	if (!change->linked) {
		space->containers[space->container_count++] = container;
		space->arriving = NULL;
	}
	*ret_outcome =
		(struct space_outcome){.container = container, .container_id = container->id};
	space_settle_refusals(space, ret_outcome);
	return 0;
}

/* Leaving */

/* What is mapped where the last group leaves needs another container. */
static int check_last(const struct space_change *change, struct error *error)
{
	const struct space *space = change->space;
	const struct container *container = change->container;
	/* Identity sections wait for the next container. */
	uint64_t mappings = ledger_count(space->ledger) - space_identity_count(space);

	if (space->container_count == 1 && mappings > 0 && !change->forced) {
		return error_set(error, ERROR_MEMORY_IN_USE, 0,
				 "%s is the last one, and %" PRIu64
				 " mappings exist; unmap them first",
				 container_groups_format(container).text, mappings);
	}
	return 0;
}

/* The last group of a container: what is mapped goes at once, so that Maps meanwhile needn't know
 * of it. */
static int take_apart(struct space_change *change, struct error *error)
{
	static const struct range all = {0, UINT64_MAX};
	struct space *space = change->space;
	struct container *container = change->container;
	unsigned int index = 0;
	int r = check_last(change, error);

	if (r) {
		return r;
	}
	container_quiesce(container);
	r = space_unmap_container(space, container, change->forced, error);
	if (r) {
		container_go_on(container);
		name_container(error, "container", container);
		return r;
	}
	change->windows_left = !space_remove_windows(space, container);
	(void)space_find_group(space, change->group, &index);
	space_unlink_container(space, index);
	if (space->container_count == 0) {
		space->window_count = 0;
		space_identity_leave_all(space);
		change->lost = ledger_count(space->ledger);
		space_forget_mappings(space, all);
	}
	return 0;
}

/* Its devices are stopped before anything is taken from them; meanwhile nothing else is done with
 * it. */
static void begin_stop(struct space_change *change, struct group *group)
{
	group_quiesce(group);
	group->held = true;
	change->stopping = group;
	change->space->leaving = change->container;
}

static int begin_last(struct space_change *change, struct error *error)
{
	struct container *container = change->container;
	int r;

	if (!container->groups[0].devices) {
		return take_apart(change, error);
	}
	r = check_last(change, error);
	if (r == 0) {
		begin_stop(change, &container->groups[0]);
	}
	return r;
}

static int check_clearing(const struct space_change *change, struct error *error)
{
	const struct space *space = change->space;
	const struct container *container = change->container;
	uint32_t group = change->group;

	if (space->policy.replay_shared || change->forced) {
		return 0;
	}
	return error_set(error, ERROR_MEMORY_IN_USE, 0,
			 "group %" PRIu32 " shares container %" PRIu32 " with %s, which would lose "
			 "the %" PRIu64 " mappings for a moment when it leaves; unmap them first, "
			 "or allow that by the policy shared-detach=replay",
			 group, container->id, space_others_format(container, group).text,
			 ledger_count(space->ledger));
}

/* Take a mapping that one container can't have any more out of all of them. */
static void lose_mapping(struct space *space, const struct mapping *mapping)
{
	struct section *section = space_section_at(space, mapping->gpa);
	bool stray = false;

	for (unsigned int i = 0; i < space->container_count; i++) {
		stray = container_unmap(space->containers[i], mapping->iova, NULL) != 0 || stray;
	}
	space_forget_mappings(space, mapping->iova);
	section->strays += stray ? 1 : 0;
}

/* Make all mappings real again in a container that has lost them. What can't be is lost. */
static void replay_cleared(struct space_change *change)
{
	static const struct range all = {0, UINT64_MAX};
	struct space *space = change->space;
	struct mapping mapping;
	uint64_t from = 0;

	change->replayed = ledger_count(space->ledger);
	if (space_replay_mappings(space, change->container, all, NULL) == 0) {
		return;
	}
	/* One by one, to find out which: over those that are there again, that changes nothing. */
	while (ledger_next(space->ledger, from, &mapping)) {
		if (space_replay_mappings(space, change->container, mapping.iova, NULL) != 0) {
			lose_mapping(space, &mapping);
			change->lost++;
			change->replayed--;
		}
		if (range_last(mapping.iova) == UINT64_MAX) {
			return;
		}
		from = range_last(mapping.iova) + 1;
	}
}

/* Have the group leave those that stay, whose devices do no DMA while their mappings are gone. */
static int leave(struct space_change *change, struct error *error)
{
	struct space *space = change->space;
	struct container *container = change->container;
	bool clears = container->capabilities.leaving_clears && ledger_count(space->ledger) > 0;
	int r = clears ? check_clearing(change, error) : 0;

	if (r) {
		return r;
	}
	if (clears) {
		container_quiesce(container);
	}
	r = container_leave(container, change->group, NULL, error);
	if (r) {
		name_container(error, "container", container);
	} else if (clears) {
		replay_cleared(change);
	}
	if (clears) {
		container_go_on(container);
	}
	return r;
}

/* One of several groups. It leaves at once, unless devices of it have to be closed first. */
static int begin_leave(struct space_change *change, struct error *error)
{
	struct space *space = change->space;
	struct container *container = change->container;
	struct group *group = &container->groups[container_group_index(container, change->group)];
	int r;

	change->linked = true;
	if (!group->devices) {
		return leave(change, error);
	}
	/* What leaving is going to be refused for is better known before they are closed. */
	r = container->capabilities.leaving_clears && ledger_count(space->ledger) > 0
		    ? check_clearing(change, error)
		    : 0;
	if (r == 0) {
		begin_stop(change, group);
	}
	return r;
}

static int check_gone(const struct container *container, uint32_t group, struct error *error)
{
	if (group_is_gone(&container->groups[container_group_index(container, group)])) {
		return 0;
	}
	return error_set(error, ERROR_GROUP_BUSY, 0,
			 "group %" PRIu32 " is in container %" PRIu32 " as ever", group,
			 container->id);
}

static int begin_detach(struct space *space, uint32_t group, const struct space_take *take,
			struct space_change **ret_change, struct error *error)
{
	cleanup(cleanup_free) struct space_change *change = NULL;
	unsigned int index = 0;
	int r;

	r = space_change_new(space, CHANGE_DETACH, &change, error);
	if (r) {
		return r;
	}
	change->forced = take != NULL;
	change->group = group;
	change->container = space_find_group(space, group, &index);
	if (!change->container) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "group %" PRIu32 " is not attached to this address space", group);
	}
	r = take && take->only_if_gone ? check_gone(change->container, group, error) : 0;
	if (r == 0) {
		r = space_check_not_held(change->container, group, error);
	}
	if (r == 0) {
		r = change->container->group_count == 1 ? begin_last(change, error)
							: begin_leave(change, error);
	}
	if (r) {
		return r;
	}
	*ret_change = space_change_start(steal_pointer(change));
	return 0;
}

int space_detach_begin(struct space *space, uint32_t group, struct space_change **ret_change,
		       struct error *error)
{
	return begin_detach(space, group, NULL, ret_change, error);
}

int space_take_begin(struct space *space, const struct space_take *take,
		     struct space_change **ret_change, struct error *error)
{
	return begin_detach(space, take->group, take, ret_change, error);
}

static void work_stop(struct space_change *change)
{
	struct group *group = change->stopping;

	change->code = space_stop_group(change->container, group, &change->error);
	if (change->code == 0 && change->linked) {
		group_close_devices(group);
	}
}

void space_work_detach(struct space_change *change)
{
	if (change->stopping) {
		work_stop(change);
		return;
	}
	/* The group's leaving releases what is left, in the right order: windows, then memory. */
	if (!change->linked && !change->windows_left) {
		space_remove_sections(change->space, change->container);
	}
	/* Last: with the close of a device that the kernel wants back it takes the group out of the
	 * container, and releases the memory, without a lock against calls of the container
	 * (tce_iommu_release). */
	for (unsigned int i = 0; !change->linked && i < change->container->group_count; i++) {
		group_close_devices(&change->container->groups[i]);
	}
}

bool space_advance_detach(struct space_change *change)
{
	struct group *group = change->stopping;

	if (!group) {
		return false;
	}
	change->stopping = NULL;
	change->space->leaving = NULL;
	group->held = false;
	if (change->code == 0) {
		change->code = change->linked ? leave(change, &change->error)
					      : take_apart(change, &change->error);
	}
	if (change->code) {
		/* It may be used again, and may be stopped another time. */
		group->stopped = false;
		memset(&group->obstacle, 0, sizeof(group->obstacle));
	}
	return change->code == 0 && !change->linked;
}

int space_finish_detach(struct space_change *change, struct space_outcome *ret_outcome,
			struct error *error)
{
	(void)error; /* it is the change's */
	if (change->code) {
		return change->code;
	}
	*ret_outcome = (struct space_outcome){
		.container_id = change->container->id,
		.replayed = change->replayed,
		.lost = change->lost,
	};
	if (!change->linked) {
		space_free_container(change->space, change->container);
	}
	return 0;
}
