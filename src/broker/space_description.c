/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An address space's copy of what its worker says it consists of. */
#include <inttypes.h>
#include <string.h>

#include "broker/device.h"
#include "broker/manager.h"
#include "broker/space_private.h"
#include "common/log.h"

static struct group *find_group(struct space *space, uint32_t id)
{
	struct group *group = NULL;

	return manager_find_group(space->manager, id, &group, NULL) ? NULL : group;
}

static const struct worker_container *find_container(const struct worker_container *containers,
						     uint32_t count, uint32_t id)
{
	for (uint32_t i = 0; i < count; i++) {
		if (containers[i].container_id == id) {
			return &containers[i];
		}
	}
	return NULL;
}

static bool has_group(const struct worker_container *container, uint32_t group)
{
	for (uint32_t i = 0; i < container->group_count; i++) {
		if (container->groups[i] == group) {
			return true;
		}
	}
	return false;
}

void space_release_group(struct space *space, struct group *group)
{
	if (group && group->space == space) {
		group->space = NULL;
		group->container_id = 0;
		if (group->pe) {
			pe_group_changed(group->pe);
		}
		device_forget_group(space->manager, group);
		OBSERVE(space, group_changed, group);
	}
}

void space_forget_containers(struct space *space, const struct worker_container *kept,
			     uint32_t kept_count)
{
	for (uint32_t i = 0; i < space->container_count; i++) {
		const struct worker_container *old = &space->containers[i];
		const struct worker_container *now =
			find_container(kept, kept_count, old->container_id);

		if (!now) {
			log_write(LOG_DEBUG, LOG_SPACE(space->number),
				  "container %" PRIu32 " is gone", old->container_id);
			OBSERVE(space, container_removed, space, old);
		}
		for (uint32_t j = 0; j < old->group_count; j++) {
			if (!now || !has_group(now, old->groups[j])) {
				space_release_group(space, find_group(space, old->groups[j]));
			}
		}
	}
}

static void learn_groups(struct space *space, const struct worker_container *container)
{
	for (uint32_t i = 0; i < container->group_count; i++) {
		struct group *group = find_group(space, container->groups[i]);

		if (group && group->container_id != container->container_id) {
			log_write(LOG_DEBUG, LOG_SPACE(space->number),
				  "group %" PRIu32 " is in container %" PRIu32,
				  container->groups[i], container->container_id);
			group->space = space;
			group->container_id = container->container_id;
			OBSERVE(space, group_changed, group);
		}
	}
}

/* Whether a group is alone in its container changes with the others. */
static void tell_pes(struct space *space)
{
	for (uint32_t i = 0; i < space->container_count; i++) {
		const struct worker_container *container = &space->containers[i];

		for (uint32_t j = 0; j < container->group_count; j++) {
			struct group *group = find_group(space, container->groups[j]);

			if (group && group->pe) {
				pe_group_changed(group->pe);
			}
		}
	}
}

static void learn_containers(struct space *space, const struct worker_container *now,
			     uint32_t count)
{
	struct worker_container old[WORKER_CONTAINERS_MAX];
	uint32_t old_count = space->container_count;

	memcpy(old, space->containers, old_count * sizeof(*old));
	space_forget_containers(space, now, count);
	memcpy(space->containers, now, count * sizeof(*now));
	space->container_count = count;
	for (uint32_t i = 0; i < count; i++) {
		const struct worker_container *container = &space->containers[i];
		const struct worker_container *before =
			find_container(old, old_count, container->container_id);

		if (!before) {
			OBSERVE(space, container_added, space, container);
		} else if (memcmp(before, container, sizeof(*container)) != 0) {
			OBSERVE(space, container_changed, space, container);
		}
		learn_groups(space, container);
	}
	tell_pes(space);
}

/* Whether an array of plain records differs from the copy of it that we hold. */
static bool differs(const void *a, uint32_t a_count, const void *b, uint32_t b_count, size_t size)
{
	return a_count != b_count || memcmp(a, b, a_count * size) != 0;
}

void space_learn_description(struct space *space, const struct worker_description *description)
{
	const struct worker_memory *memory = (const void *)(description + 1);
	const struct worker_window *windows = (const void *)(memory + description->memory_count);
	const struct worker_container *containers =
		(const void *)(windows + description->window_count);
	unsigned int what = 0;

	if (differs(memory, description->memory_count, space->memory, space->memory_count,
		    sizeof(*memory))) {
		memcpy(space->memory, memory, description->memory_count * sizeof(*memory));
		space->memory_count = description->memory_count;
		what |= SPACE_CHANGED_MEMORY;
	}
	if (differs(windows, description->window_count, space->windows, space->window_count,
		    sizeof(*windows))) {
		memcpy(space->windows, windows, description->window_count * sizeof(*windows));
		space->window_count = description->window_count;
		what |= SPACE_CHANGED_WINDOWS;
	}
	if (differs(containers, description->container_count, space->containers,
		    space->container_count, sizeof(*containers))) {
		learn_containers(space, containers, description->container_count);
		what |= SPACE_CHANGED_CONTAINERS;
	}
	if (what) {
		OBSERVE(space, space_changed, space, what);
	}
}

/* A name that can go on the bus: a few printable characters, and zeros to the end. */
static bool iommu_type_is_sound(const char type[static WORKER_IOMMU_TYPE_SIZE])
{
	size_t length = strnlen(type, WORKER_IOMMU_TYPE_SIZE);

	for (size_t i = 0; i < length; i++) {
		if (type[i] < 0x20 || type[i] > 0x7e) {
			return false;
		}
	}
	return length < WORKER_IOMMU_TYPE_SIZE;
}

/* A worker can only have groups that it was given: not those of another address space. */
static bool container_is_sound(struct space *space, const struct worker_container *container)
{
	if (!iommu_type_is_sound(container->iommu_type) || container->container_id == 0 ||
	    container->group_count == 0 || container->group_count > WORKER_GROUPS_MAX) {
		return false;
	}
	for (uint32_t i = 0; i < container->group_count; i++) {
		struct group *group = find_group(space, container->groups[i]);

		if (!group || group->space != space) {
			return false;
		}
		for (uint32_t j = 0; j < i; j++) {
			if (container->groups[j] == container->groups[i]) {
				return false;
			}
		}
	}
	return true;
}

/* Whether one of the first containers has the id or a group of the one after them. */
static bool is_taken(const struct worker_container *containers, uint32_t count)
{
	const struct worker_container *next = &containers[count];

	if (find_container(containers, count, next->container_id)) {
		return true;
	}
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t j = 0; j < next->group_count; j++) {
			if (has_group(&containers[i], next->groups[j])) {
				return true;
			}
		}
	}
	return false;
}

static bool containers_are_sound(struct space *space, const struct worker_description *description)
{
	const struct worker_memory *memory = (const void *)(description + 1);
	const struct worker_window *windows = (const void *)(memory + description->memory_count);
	const struct worker_container *containers =
		(const void *)(windows + description->window_count);

	for (uint32_t i = 0; i < description->container_count; i++) {
		if (!container_is_sound(space, &containers[i]) || is_taken(containers, i)) {
			return false;
		}
	}
	return true;
}

bool space_description_is_sound(struct space *space, const struct worker_answer *answer)
{
	const struct worker_description *description = answer->body;

	return answer->size >= sizeof(*description) &&
	       description->memory_count <= WORKER_MEMORY_MAX &&
	       description->window_count <= WORKER_WINDOWS_MAX &&
	       description->container_count <= WORKER_CONTAINERS_MAX &&
	       answer->size ==
		       sizeof(*description) +
			       description->memory_count * sizeof(struct worker_memory) +
			       description->window_count * sizeof(struct worker_window) +
			       description->container_count * sizeof(struct worker_container) &&
	       containers_are_sound(space, description);
}
