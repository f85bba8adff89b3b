/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The changes of an address space that take long: groups and memory. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "vfio/space_private.h"

enum change_kind {
	CHANGE_ATTACH,
	CHANGE_DETACH,
	CHANGE_MEMORY_ADD,
	CHANGE_MEMORY_REMOVE,
};

struct space_change {
	struct space *space;
	enum change_kind kind;
	struct container *container; /* attached or detached; not linked meanwhile */
	struct section *section;     /* arriving or leaving */
	bool windows_left;           /* in the container detached */
	int code;                    /* of work */
	bool unreverted;             /* work could not take back what it did */
	struct error error;          /* if code isn't 0 */
};

static int change_new(struct space *space, enum change_kind kind, struct space_change **ret_change,
		      struct error *error)
{
	struct space_change *change;

	if (space->changing) {
		(void)error_set(error, ERROR_BUSY, 0, "another change is under way");
		return ERROR_BUSY;
	}
	change = calloc(1, sizeof(*change));
	if (!change) {
		(void)error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a change");
		return ERROR_KERNEL;
	}
	change->space = space;
	change->kind = kind;
	*ret_change = change;
	return 0;
}

static struct space_change *change_start(struct space_change *change)
{
	change->space->changing = true;
	return change;
}

static int check_attach(const struct space *space, uint32_t group, uint32_t container_id,
			struct error *error)
{
	for (unsigned int i = 0; i < space->container_count; i++) {
		if (space->containers[i]->id == container_id) {
			return error_set(error, ERROR_INVALID_ARGUMENT, 0,
					 "container id %" PRIu32 " is in use", container_id);
		}
		if (space->containers[i]->group == group) {
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

static uint64_t section_bytes(const struct space *space)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < space->section_count; i++) {
		bytes += space->sections[i]->gpa.size;
	}
	return bytes;
}

/* What registering a section, or all of them, will lock: nothing if another container has it. */
static int check_pinning(const struct space *space, const struct container *container,
			 uint64_t bytes, struct error *error)
{
	bool first = container && space->container_count == 0;
	bool pins = container ? first && container->capabilities.pins_memory
			      : space->container_count > 0 &&
					space->containers[0]->capabilities.pins_memory;

	return pins ? space_check_locked(space, bytes, error) : 0;
}

int space_attach_begin(struct space *space, int container_fd, int group_fd, uint32_t group,
		       uint32_t container_id, struct space_change **ret_change, struct error *error)
{
	cleanup(cleanup_free) struct space_change *change = NULL;
	struct container *container;
	int r;

	r = check_attach(space, group, container_id, error);
	if (r == 0) {
		r = change_new(space, CHANGE_ATTACH, &change, error);
	}
	if (r) {
		(void)kernel_close(space->settings.kernel, container_fd);
		(void)kernel_close(space->settings.kernel, group_fd);
		return r;
	}
	r = space->settings.new_container(space->settings.kernel, container_fd, group_fd, group,
					  &container, error);
	if (r) {
		return r;
	}
	r = check_pinning(space, container, section_bytes(space), error);
	if (r) {
		space_free_container(space, container);
		return r;
	}
	container->id = container_id;
	change->container = container;
	*ret_change = change_start(steal_pointer(change));
	return 0;
}

static void work_attach(struct space_change *change)
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

static int finish_attach(struct space_change *change, struct space_outcome *ret_outcome,
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
			error_append(error,
				     ", in the new container %" PRIu32 " (group %" PRIu32 ")",
				     container->id, container->group);
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
		if (space->containers[i]->group == group) {
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

	r = change_new(space, CHANGE_DETACH, &change, error);
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
	*ret_change = change_start(steal_pointer(change));
	return 0;
}

static void work_detach(struct space_change *change)
{
	/* The group's leaving releases what is left, in the right order: windows, then memory. */
	if (!change->windows_left) {
		space_remove_sections(change->space, change->container);
	}
}

static int finish_detach(struct space_change *change, struct space_outcome *ret_outcome)
{
	*ret_outcome = (struct space_outcome){.container_id = change->container->id};
	space_free_container(change->space, change->container);
	return 0;
}

static int check_section(const struct space *space, const struct section_request *request,
			 struct error *error)
{
	struct range gpa = {request->gpa, request->size};
	unsigned int index = space_section_index(space, gpa.start);

	if (space->section_count == WORKER_MEMORY_MAX) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "an address space has at most %d memory sections",
				 WORKER_MEMORY_MAX);
	}
	if (space->last_section_id == UINT32_MAX) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0, "all section ids are used up");
	}
	if (range_is_valid(gpa.start, gpa.size) && index < space->section_count &&
	    range_overlaps(space->sections[index]->gpa, gpa)) {
		return error_set(error, ERROR_MEMORY_IN_USE, 0,
				 "%s overlaps section %" PRIu32 ", which is %s",
				 range_format(gpa).text, space->sections[index]->id,
				 range_format(space->sections[index]->gpa).text);
	}
	return 0;
}

int space_memory_add_begin(struct space *space, int fd, const struct section_request *request,
			   struct space_change **ret_change, struct error *error)
{
	cleanup(cleanup_free) struct space_change *change = NULL;
	struct section *section;
	int r;

	r = change_new(space, CHANGE_MEMORY_ADD, &change, error);
	if (r) {
		return r;
	}
	r = check_section(space, request, error);
	if (r) {
		return r;
	}
	r = section_new(space->settings.kernel, fd, request, &section, error);
	if (r) {
		return r;
	}
	r = check_pinning(space, NULL, request->size, error);
	if (r) {
		(void)section_free(section);
		return r;
	}
	section->id = ++space->last_section_id;
	space_section_insert(space, section);
	change->section = section;
	*ret_change = change_start(steal_pointer(change));
	return 0;
}

static int apply_add(struct container *container, void *argument, struct error *error)
{
	return container_memory_add(container, argument, error);
}

static int apply_remove(struct container *container, void *argument, struct error *error)
{
	return container_memory_remove(container, argument, error);
}

static const struct step add_everywhere = {.apply = apply_add, .revert = apply_remove};
static const struct step remove_everywhere = {.apply = apply_remove, .revert = apply_add};

static void work_memory(struct space_change *change)
{
	struct space *space = change->space;
	bool add = change->kind == CHANGE_MEMORY_ADD;

	change->code = step_everywhere(space->containers, space->container_count,
				       add ? &add_everywhere : &remove_everywhere, change->section,
				       &change->unreverted, &change->error);
}

static int finish_memory_add(struct space_change *change, struct space_outcome *ret_outcome)
{
	/* A container may still have it: then it is as one that could not be removed, for the
	 * kernel knows these addresses of ours. */
	if (change->code && change->unreverted) {
		change->section->state = SECTION_LEAVING;
		return change->code;
	}
	if (change->code) {
		space_section_drop(change->space, change->section);
		(void)section_free(change->section);
		return change->code;
	}
	change->section->state = SECTION_PRESENT;
	*ret_outcome = (struct space_outcome){.section = change->section};
	return 0;
}

/* ERROR_MEMORY_IN_USE while something points into the section, or not all containers have it. */
static int check_unused(const struct space *space, const struct section *section,
			struct error *error)
{
	struct ledger_cursor cursor = ledger_seek(space->ledger, 0);
	struct mapping mapping;

	if (section->state == SECTION_LEAVING) {
		return error_set(error, ERROR_MEMORY_IN_USE, 0,
				 "section %" PRIu32 " at %s was left in some containers only, for "
				 "taking it back failed; close the address space",
				 section->id, range_format(section->gpa).text);
	}
	if (section->mappings > 0) {
		while (ledger_step(&cursor, &mapping) &&
		       !range_contains_address(section->gpa, mapping.gpa)) {
		}
		return error_set(error, ERROR_MEMORY_IN_USE, 0,
				 "section %" PRIu32 " at %s has %" PRIu64
				 " mappings, the first is at iova %s; unmap them first",
				 section->id, range_format(section->gpa).text, section->mappings,
				 range_format(mapping.iova).text);
	}
	if (section->strays > 0) {
		return error_set(error, ERROR_MEMORY_IN_USE, 0,
				 "section %" PRIu32 " at %s may still be in an IOMMU table, since "
				 "taking back a failed Map failed; close the address space",
				 section->id, range_format(section->gpa).text);
	}
	return 0;
}

int space_memory_remove_begin(struct space *space, uint32_t id, struct space_change **ret_change,
			      struct error *error)
{
	cleanup(cleanup_free) struct space_change *change = NULL;
	struct section *section = NULL;
	int r;

	r = change_new(space, CHANGE_MEMORY_REMOVE, &change, error);
	if (r) {
		return r;
	}
	for (unsigned int i = 0; i < space->section_count && !section; i++) {
		section = space->sections[i]->id == id ? space->sections[i] : NULL;
	}
	if (!section) {
		return error_set(error, ERROR_NOT_FOUND, 0, "no memory section has id %" PRIu32,
				 id);
	}
	r = check_unused(space, section, error);
	if (r) {
		return r;
	}
	section->state = SECTION_LEAVING;
	change->section = section;
	*ret_change = change_start(steal_pointer(change));
	return 0;
}

static int finish_memory_remove(struct space_change *change)
{
	if (change->code && !change->unreverted) {
		change->section->state = SECTION_PRESENT;
		return change->code;
	}
	/* Some container may have lost it for good: then nobody may map it any more, but the
	 * addresses stay taken until the space closes. */
	if (change->code) {
		return change->code;
	}
	space_section_drop(change->space, change->section);
	(void)section_free(change->section);
	return 0;
}

void space_change_work(struct space_change *change)
{
	switch (change->kind) {
	case CHANGE_ATTACH:
		work_attach(change);
		break;
	case CHANGE_DETACH:
		work_detach(change);
		break;
	case CHANGE_MEMORY_ADD:
	case CHANGE_MEMORY_REMOVE:
		work_memory(change);
		break;
	}
}

int space_change_finish(struct space_change *change, struct space_outcome *ret_outcome,
			struct error *error)
{
	struct space_outcome outcome = {.section = NULL};
	int r = 0;

	change->space->changing = false;
	if (change->code && error) {
		*error = change->error;
	}
	switch (change->kind) {
	case CHANGE_ATTACH:
		r = finish_attach(change, &outcome, error);
		break;
	case CHANGE_DETACH:
		r = finish_detach(change, &outcome);
		break;
	case CHANGE_MEMORY_ADD:
		r = finish_memory_add(change, &outcome);
		break;
	case CHANGE_MEMORY_REMOVE:
		r = finish_memory_remove(change);
		break;
	}
	if (r == 0 && ret_outcome) {
		*ret_outcome = outcome;
	}
	free(change);
	return r;
}
