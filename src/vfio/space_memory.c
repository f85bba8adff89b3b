/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of an address space, and those who listen to it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/trace.h"
#include "vfio/space_private.h"

uint64_t space_section_bytes(const struct space *space)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < space->section_count; i++) {
		bytes += section_pinned_bytes(space->sections[i]);
	}
	return bytes;
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

/* What it will lock, and where it will be seen, if that is at its own address. */
static int prepare_section(struct space *space, struct section *section, struct error *error)
{
	int r = space_check_pinning(space, section_pinned_bytes(section), error);

	if (r || !section_is_identity(section) || space->container_count == 0) {
		return r;
	}
	r = space_check_map_locked(space, section->gpa.size, error);
	if (r) {
		return r;
	}
	return space_identity_enter(space, section, error);
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
	r = section_new(space->settings.kernel, fd, request, space->policy.memory, &section, error);
	if (r) {
		return r;
	}
	r = prepare_section(space, section, error);
	if (r) {
		(void)section_free(section);
		return r;
	}
	section->id = ++space->last_section_id;
	trace_section_add(section->gpa.start, section->gpa.size, section->flags);
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

/* Back to as it was before. */
static int give_up_section(struct space *space, struct section *section, int code)
{
	space_identity_leave(space, section);
	space_section_drop(space, section);
	trace_section_remove(section->gpa.start, section->gpa.size);
	(void)section_free(section);
	return code;
}

/* A container may still have it: then it is as one that could not be removed, for the kernel knows
 * these addresses of ours. */
static int strand_section(struct space *space, struct section *section, int code)
{
	space_identity_leave(space, section);
	section->state = SECTION_LEAVING;
	return code;
}

/* It is registered everywhere, but can't be mapped where it should be. */
static int take_back_section(struct space *space, struct section *section, int code)
{
	bool unreverted = section->strays > 0;

	for (unsigned int i = 0; i < space->container_count && section->strays == 0; i++) {
		unreverted |= container_memory_remove(space->containers[i], section, NULL) != 0;
	}
	return unreverted ? strand_section(space, section, code)
			  : give_up_section(space, section, code);
}

int space_finish_memory_add(struct space_change *change, struct space_outcome *ret_outcome,
			    struct error *error)
{
	struct section *section = change->section;
	int r;

	if (change->code && change->unreverted) {
		return strand_section(change->space, section, change->code);
	}
	if (change->code && !section_may_be_refused(section)) {
		return give_up_section(change->space, section, change->code);
	}
	if (change->code) {
		section_skip(section, change->error.text);
	}
	r = space_identity_map(change->space, section, error);
	if (r) {
		return take_back_section(change->space, section, r);
	}
	section->state = SECTION_PRESENT;
	*ret_outcome = (struct space_outcome){.section = section};
	if (section_is_skipped(section)) {
		ret_outcome->skipped[ret_outcome->skipped_count++] = section;
	}
	return 0;
}

/* Sections for a container that arrives */

int space_add_sections(const struct space *space, struct container *container, struct error *error)
{
	for (unsigned int i = 0; i < space->section_count; i++) {
		struct section *section = space->sections[i];
		struct error refused = {.code = ERROR_NONE};
		int r = container_memory_add(container, section, &refused);

		if (r && section_may_be_refused(section) && space->container_count == 0) {
			section_refuse(section, refused.text);
		} else if (r) {
			*error = refused;
			while (i-- > 0) {
				(void)container_memory_remove(container, space->sections[i], NULL);
			}
			return r;
		}
	}
	return 0;
}

void space_forget_refusals(struct space *space)
{
	for (unsigned int i = 0; i < space->section_count; i++) {
		struct section *section = space->sections[i];

		if (section_may_be_refused(section) && section_can_be_seen(section)) {
			section->skipped = false;
			section->refused = false;
		}
	}
}

void space_settle_refusals(struct space *space, struct space_outcome *outcome)
{
	for (unsigned int i = 0; i < space->section_count; i++) {
		struct section *section = space->sections[i];

		if (section->refused) {
			section->refused = false;
			section->skipped = true;
			outcome->skipped[outcome->skipped_count++] = section;
		}
	}
}

/* Removing */

static bool belongs_to_user(const struct space *space, const struct section *section,
			    const struct mapping *mapping)
{
	return range_contains_address(section->gpa, mapping->gpa) &&
	       !space_identity_has(space, mapping);
}

/* ERROR_MEMORY_IN_USE while something points into the section, or not all containers have it. */
static int check_unused(const struct space *space, const struct section *section,
			struct error *error)
{
	uint64_t mappings = section->mappings - (space_identity_is_mapped(space, section) ? 1 : 0);
	struct ledger_cursor cursor = ledger_seek(space->ledger, 0);
	struct mapping mapping;

	if (section->state == SECTION_LEAVING) {
		return error_set(error, ERROR_MEMORY_IN_USE, 0,
				 "section %" PRIu32 " at %s was left in some containers only, for "
				 "taking it back failed; close the address space",
				 section->id, range_format(section->gpa).text);
	}
	if (mappings > 0) {
		while (ledger_step(&cursor, &mapping) &&
		       !belongs_to_user(space, section, &mapping)) {
		}
		return error_set(error, ERROR_MEMORY_IN_USE, 0,
				 "section %" PRIu32 " at %s has %" PRIu64
				 " mappings, the first is at iova %s; unmap them first",
				 section->id, range_format(section->gpa).text, mappings,
				 range_format(mapping.iova).text);
	}
	if (section->strays > 0) {
		return error_set(error, ERROR_MEMORY_IN_USE, 0,
				 "section %" PRIu32 " at %s may still be in an IOMMU table, or "
				 "held by the kernel, since a Map failed and could not be taken "
				 "back; close the address space",
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
	/* At once, so that Maps meanwhile needn't know of it. */
	r = space_identity_unmap(space, section, error);
	if (r) {
		return section->strays > 0 ? strand_section(space, section, r) : r;
	}
	section->state = SECTION_LEAVING;
	change->section = section;
	*ret_change = space_change_start(steal_pointer(change));
	return 0;
}

int space_finish_memory_remove(struct space_change *change, struct error *error)
{
	struct section *section = change->section;

	/* Some container may have lost it for good: then nobody may map it any more, but the
	 * addresses stay taken until the space closes. */
	if (change->code && change->unreverted) {
		return strand_section(change->space, section, change->code);
	}
	if (change->code && space_identity_map(change->space, section, NULL)) {
		if (error) {
			error_append(error, "; nor can it be mapped at its own address again");
		}
		return strand_section(change->space, section, change->code);
	}
	if (change->code) {
		section->state = SECTION_PRESENT;
		return change->code;
	}
	return give_up_section(change->space, section, 0);
}
