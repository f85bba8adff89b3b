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

/* Take everything of the space out of a container, as far as possible. */
static void empty_container(struct space *space, struct container *container)
{
	container_quiesce(container);
	(void)space_unmap_container(space, container, true, NULL);
	if (space_remove_windows(space, container)) {
		space_remove_sections(space, container);
	}
}

void space_close_container(struct space *space, struct container *container)
{
	empty_container(space, container);
	space_free_container(space, container);
}

void space_unlink_container(struct space *space, unsigned int index)
{
	space->container_count--;
	for (; index < space->container_count; index++) {
		space->containers[index] = space->containers[index + 1];
	}
}

/* Those of its groups that can be let go. */
static void let_others_go(struct container *container)
{
	for (unsigned int i = container->group_count; i-- > 0;) {
		if (container->groups[i].obstacle.why[0] == '\0') {
			(void)container_leave(container, container->groups[i].number, NULL, NULL);
		}
	}
}

/* A container with a group that is kept stays, empty: without windows its devices reach nothing. */
static void close_containers(struct space *space)
{
	for (unsigned int i = space->container_count; i-- > 0;) {
		struct container *container = space->containers[i];

		empty_container(space, container);
		if (space_keeps(container)) {
			let_others_go(container);
		} else {
			space_unlink_container(space, i);
			space_free_container(space, container);
		}
	}
}

void space_close(struct space *space)
{
	struct container *container;
	struct mapping mapping;
	unsigned int index = 0;

	while ((container = space_next_to_stop(space, &index))) {
		space_stop_container(space, container);
	}
	close_containers(space);
	space->window_count = 0;
	while (ledger_next(space->ledger, 0, &mapping)) {
		(void)ledger_erase(space->ledger, mapping.iova);
	}
	space->device_bytes = 0;
	while (space->section_count > 0) {
		(void)section_free(space->sections[--space->section_count]);
	}
}

struct space *space_free(struct space *space)
{
	if (space) {
		space_close(space);
		while (space->container_count > 0) {
			space_free_container(space, space->containers[--space->container_count]);
		}
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

/* Whether a container that is linked has the sections locked. */
static bool pins_sections(const struct space *space)
{
	for (unsigned int i = 0; i < space->container_count; i++) {
		if (space->containers[i]->capabilities.pinning == CONTAINER_PINS_SECTIONS) {
			return true;
		}
	}
	return false;
}

static uint64_t section_bytes_in(const struct space *space, bool arriving)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < space->section_count; i++) {
		if (!section_is_skipped(space->sections[i]) &&
		    (space->sections[i]->state == SECTION_ARRIVING) == arriving) {
			bytes += section_pinned_bytes(space->sections[i]);
		}
	}
	return bytes;
}

/* What all mappings lock where each map pins: a device's memory has no pages to be locked
 * (vfio_pin_pages_remote, is_invalid_reserved_pfn). */
static uint64_t mapped_bytes(const struct space *space)
{
	return ledger_bytes(space->ledger) - space->device_bytes;
}

/* What one container adds. Its mappings are those of the ledger. */
static void add_container(const struct space *space, const struct container *container,
			  struct space_locked *locked)
{
	uint64_t leaked = container_leaked_bytes(container);
	uint64_t tables = container_locked_bytes(container) - leaked;

	switch (container->capabilities.pinning) {
	case CONTAINER_PINS_SECTIONS:
		break;
	case CONTAINER_PINS_MAPPINGS:
		locked->pins += mapped_bytes(space);
		break;
	case CONTAINER_PINS_AT_START:
		tables -= container_start_bytes(container);
		locked->pins += container_start_bytes(container);
		break;
	}
	locked->tables += tables;
	locked->leaks += leaked;
}

struct space_locked space_locked(const struct space *space)
{
	struct space_locked locked = {.leaks = space->leaked_bytes};

	for (unsigned int i = 0; i < space->container_count; i++) {
		add_container(space, space->containers[i], &locked);
	}
	if (pins_sections(space)) {
		locked.pins += section_bytes_in(space, false);
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
	bool pinned = pins_sections(space);
	uint64_t bytes = pinned ? section_bytes_in(space, true) : 0;

	if (space->arriving) {
		bytes += container_locked_bytes(space->arriving);
		if (!pinned && space->arriving->capabilities.pinning == CONTAINER_PINS_SECTIONS) {
			bytes += space_section_bytes(space);
		}
	}
	return bytes;
}

int space_check_locked(const struct space *space, uint64_t more, struct error *error)
{
	uint64_t limit = space->settings.locked_limit;
	struct space_locked locked = space_locked(space);
	uint64_t arriving = arriving_bytes(space);
	uint64_t used = locked.pins + locked.tables + locked.leaks + arriving;

	if (more > limit || used > limit - more) {
		return error_set(
			error, ERROR_QUOTA_EXCEEDED, 0,
			"this would lock 0x%" PRIx64 " bytes, and 0x%" PRIx64
			" are locked (pins 0x%" PRIx64 ", tables 0x%" PRIx64 ", leaks 0x%" PRIx64
			", being locked 0x%" PRIx64 "); the limit (RLIMIT_MEMLOCK) is 0x%" PRIx64
			"; raise it, or remove memory, windows or mappings first",
			more, used, locked.pins, locked.tables, locked.leaks, arriving, limit);
	}
	return 0;
}

int space_check_pinning(const struct space *space, uint64_t bytes, struct error *error)
{
	return pins_sections(space) ? space_check_locked(space, bytes, error) : 0;
}

/* What mappings lock in a container: themselves where each map pins, and tables to be made. */
static uint64_t map_bytes(const struct container *container, uint64_t bytes)
{
	return container_pending_bytes(container) +
	       (container->capabilities.pinning == CONTAINER_PINS_MAPPINGS ? bytes : 0);
}

int space_check_replay(const struct space *space, struct error *error)
{
	uint64_t bytes = mapped_bytes(space);

	return bytes > 0 ? space_check_locked(space, map_bytes(space->arriving, bytes), error) : 0;
}

int space_check_new_container(const struct space *space, const struct container *container,
			      struct error *error)
{
	uint64_t mapped = mapped_bytes(space);
	uint64_t start = container_start_bytes(container);
	uint64_t more = container_locked_bytes(container) + start;
	int r;

	if (container->capabilities.pinning == CONTAINER_PINS_SECTIONS && !pins_sections(space)) {
		more += space_section_bytes(space);
	}
	/* What is started locks memory to map, so that without a table it would be for nothing. */
	if (mapped > 0 || start > 0) {
		more += map_bytes(container, mapped);
	}
	r = space_check_locked(space, more, error);
	if (r && start > 0 && error) {
		error_append(error,
			     "; %s containers lock all of their default window, 0x%" PRIx64
			     " bytes, at the start: use spapr-tce-v2",
			     container->capabilities.iommu_type, start);
		if (container->better_refused) {
			error_append(error, ", which the kernel has just refused (%s)",
				     errno_name(container->better_refused));
		}
	}
	return r;
}

int space_check_map_locked(const struct space *space, uint64_t bytes, struct error *error)
{
	uint64_t more = 0;

	for (unsigned int i = 0; i < space->container_count; i++) {
		uint64_t own = map_bytes(space->containers[i], bytes);

		more = own > UINT64_MAX - more ? UINT64_MAX : more + own;
	}
	return more > 0 ? space_check_locked(space, more, error) : 0;
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
