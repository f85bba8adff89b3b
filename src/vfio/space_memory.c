/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of an address space, and those who listen to it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "vfio/space_private.h"

uint64_t space_section_bytes(const struct space *space)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < space->section_count; i++) {
		bytes += space->sections[i]->gpa.size;
	}
	return bytes;
}

/* What registering a section, or all of them, will lock: nothing if another container has it. */
int space_check_pinning(const struct space *space, const struct container *container,
			uint64_t bytes, struct error *error)
{
	bool first = container && space->container_count == 0;
	bool pins = container ? first && container->capabilities.pinning == CONTAINER_PINS_SECTIONS
			      : space->container_count > 0 &&
					space->containers[0]->capabilities.pinning ==
						CONTAINER_PINS_SECTIONS;

	return pins ? space_check_locked(space, bytes, error) : 0;
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

	r = space_change_new(space, CHANGE_MEMORY_ADD, &change, error);
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
	r = space_check_pinning(space, NULL, request->size, error);
	if (r) {
		(void)section_free(section);
		return r;
	}
	section->id = ++space->last_section_id;
	space_section_insert(space, section);
	change->section = section;
	*ret_change = space_change_start(steal_pointer(change));
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

void space_work_memory(struct space_change *change)
{
	struct space *space = change->space;
	bool add = change->kind == CHANGE_MEMORY_ADD;

	change->code = step_everywhere(space->containers, space->container_count,
				       add ? &add_everywhere : &remove_everywhere, change->section,
				       &change->unreverted, &change->error);
}

int space_finish_memory_add(struct space_change *change, struct space_outcome *ret_outcome,
			    struct error *error)
{
	(void)error;
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

	r = space_change_new(space, CHANGE_MEMORY_REMOVE, &change, error);
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
	*ret_change = space_change_start(steal_pointer(change));
	return 0;
}

int space_finish_memory_remove(struct space_change *change, struct error *error)
{
	(void)error;
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
