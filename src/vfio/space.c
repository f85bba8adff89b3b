/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/space.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vfio/space_private.h"

int space_new(const struct space_settings *settings, struct space **ret_space)
{
	struct space *space = calloc(1, sizeof(*space));

	if (!space || ledger_new(&space->ledger) < 0) {
		free(space);
		return -ENOMEM;
	}
	space->settings = *settings;
	*ret_space = space;
	return 0;
}

void space_free_container(struct space *space, struct container *container)
{
	space->leaked_bytes += container_leaked_bytes(container);
	(void)container_free(container);
}

void space_remove_sections(const struct space *space, struct container *container)
{
	for (unsigned int i = 0; i < space->section_count; i++) {
		(void)container_memory_remove(container, space->sections[i], NULL);
	}
}

void space_close_container(struct space *space, struct container *container)
{
	(void)space_unmap_container(space, container, true, NULL);
	if (space_remove_windows(space, container)) {
		space_remove_sections(space, container);
	}
	space_free_container(space, container);
}

void space_close(struct space *space)
{
	struct mapping mapping;

	while (space->container_count > 0) {
		space_close_container(space, space->containers[--space->container_count]);
	}
	space->window_count = 0;
	while (ledger_next(space->ledger, 0, &mapping)) {
		(void)ledger_erase(space->ledger, mapping.iova);
	}
	while (space->section_count > 0) {
		(void)section_free(space->sections[--space->section_count]);
	}
}

struct space *space_free(struct space *space)
{
	if (space) {
		space_close(space);
		(void)ledger_free(space->ledger);
		free(space);
	}
	return NULL;
}

int step_everywhere(struct container *const *containers, unsigned int count,
		    const struct step *step, void *argument, bool *ret_unreverted,
		    struct error *error)
{
	for (unsigned int i = 0; i < count; i++) {
		int r = step->apply(containers[i], argument, error);

		if (r == 0) {
			continue;
		}
		if (error) {
			error_append(error, ", in container %" PRIu32 " (%s)", containers[i]->id,
				     container_groups_format(containers[i]).text);
		}
		for (unsigned int j = i + (step->revert_failed ? 1 : 0); step->revert && j-- > 0;) {
			if (step->revert(containers[j], argument, NULL) == 0) {
				continue;
			}
			if (ret_unreverted) {
				*ret_unreverted = true;
			}
			if (error) {
				error_append(error, "; container %" PRIu32 " could not be restored",
					     containers[j]->id);
			}
		}
		return r;
	}
	return 0;
}

unsigned int space_section_index(const struct space *space, uint64_t gpa)
{
	unsigned int low = 0;
	unsigned int high = space->section_count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (range_last(space->sections[middle]->gpa) < gpa) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

struct section *space_section_at(const struct space *space, uint64_t gpa)
{
	unsigned int index = space_section_index(space, gpa);

	if (index == space->section_count ||
	    !range_contains_address(space->sections[index]->gpa, gpa)) {
		return NULL;
	}
	return space->sections[index];
}

void space_section_insert(struct space *space, struct section *section)
{
	unsigned int index = space_section_index(space, section->gpa.start);

	memmove(space->sections + index + 1, space->sections + index,
		(space->section_count - index) * sizeof(struct section *));
	space->sections[index] = section;
	space->section_count++;
}

void space_section_drop(struct space *space, const struct section *section)
{
	unsigned int index = space_section_index(space, section->gpa.start);

	space->section_count--;
	memmove(space->sections + index, space->sections + index + 1,
		(space->section_count - index) * sizeof(struct section *));
}

const struct ledger *space_ledger(const struct space *space)
{
	return space->ledger;
}

void space_set_policy(struct space *space, const struct space_policy *policy)
{
	space->policy = *policy;
}

/* Whether the sections are locked. */
static bool pins_memory(const struct space *space)
{
	return space->container_count > 0 &&
	       space->containers[0]->capabilities.pinning == CONTAINER_PINS_SECTIONS;
}

struct space_locked space_locked(const struct space *space)
{
	struct space_locked locked = {.leaks = space->leaked_bytes};
	bool pinned = pins_memory(space);

	for (unsigned int i = 0; i < space->container_count; i++) {
		uint64_t leaked = container_leaked_bytes(space->containers[i]);

		locked.tables += container_locked_bytes(space->containers[i]) - leaked;
		locked.leaks += leaked;
	}
	for (unsigned int i = 0; pinned && i < space->section_count; i++) {
		if (space->sections[i]->state != SECTION_ARRIVING) {
			locked.pins += space->sections[i]->gpa.size;
		}
	}
	return locked;
}

uint64_t space_locked_bytes(const struct space *space)
{
	struct space_locked locked = space_locked(space);

	return locked.pins + locked.tables + locked.leaks;
}

/* What is being locked right now: the kernel may have charged it already. */
static uint64_t arriving_bytes(const struct space *space)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; pins_memory(space) && i < space->section_count; i++) {
		if (space->sections[i]->state == SECTION_ARRIVING) {
			bytes += space->sections[i]->gpa.size;
		}
	}
	return bytes;
}

int space_check_locked(const struct space *space, uint64_t more, struct error *error)
{
	uint64_t limit = space->settings.locked_limit;
	uint64_t locked = space_locked_bytes(space) + arriving_bytes(space);

	if (more > limit || locked > limit - more) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "this would lock 0x%" PRIx64 " bytes more than the 0x%" PRIx64
				 " that are locked or being locked; the limit (RLIMIT_MEMLOCK) is "
				 "0x%" PRIx64,
				 more, locked, limit);
	}
	return 0;
}

int space_check_new_tables(const struct space *space, const struct container *container,
			   uint64_t more, struct error *error)
{
	return space_check_locked(space, container_locked_bytes(container) + more, error);
}

const struct section *space_section(const struct space *space, unsigned int index)
{
	for (unsigned int i = 0; i < space->section_count; i++) {
		if (space->sections[i]->state != SECTION_ARRIVING && index-- == 0) {
			return space->sections[i];
		}
	}
	return NULL;
}

const struct window *space_window(const struct space *space, unsigned int index)
{
	return index < space->window_count ? &space->windows[index] : NULL;
}

const struct container *space_container(const struct space *space, unsigned int index)
{
	return index < space->container_count ? space->containers[index] : NULL;
}
