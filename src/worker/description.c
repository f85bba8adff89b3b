/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/description.h"

#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct worker_description) +
			       WORKER_MEMORY_MAX * sizeof(struct worker_memory) +
			       WORKER_WINDOWS_MAX * sizeof(struct worker_window) +
			       WORKER_CONTAINERS_MAX * sizeof(struct worker_container) <=
		       DESCRIPTION_SIZE,
	       "a full address space fits one message");
_Static_assert(sizeof(struct worker_plan_result) +
			       WORKER_CHOICES_MAX * sizeof(struct worker_choice) +
			       WORKER_EXPLANATION_MAX <=
		       DESCRIPTION_SIZE,
	       "a plan fits one message");
_Static_assert(sizeof(struct worker_container) +
			       WORKER_SKIPPED_MAX * sizeof(struct worker_skipped) <=
		       DESCRIPTION_SIZE,
	       "what is skipped fits one message");
_Static_assert(WORKER_MAPPINGS_PER_REPLY * sizeof(struct worker_mapping) <= DESCRIPTION_SIZE,
	       "a list of mappings fits one message");

struct worker_memory describe_memory(const struct section *section)
{
	return (struct worker_memory){
		.id = section->id,
		.flags = section->flags | (section_is_skipped(section) ? WORKER_MEMORY_SKIPPED : 0),
		.offset = section->offset,
		.gpa = section->gpa.start,
		.size = section->gpa.size,
	};
}

struct worker_skipped describe_skipped(const struct section *section)
{
	struct worker_skipped result = {.id = section->id};

	_Static_assert(sizeof(result.why) == sizeof(section->because), "the whole reason");
	memcpy(result.why, section->because, sizeof(result.why));
	return result;
}

struct worker_window describe_window(const struct window *window)
{
	return (struct worker_window){
		.start = window->range.start,
		.size = window->range.size,
		.page_shift = window->page_shift,
		.levels = window->levels,
	};
}

struct worker_choice describe_choice(const struct window_choice *choice)
{
	return (struct worker_choice){
		.size = choice->size,
		.page_shift = choice->page_shift,
		.levels = choice->levels,
		.locked_bytes = choice->locked_bytes,
		.tces = choice->tces,
		.piece_bytes = choice->piece_bytes,
		.code = choice->code,
	};
}

struct worker_container describe_container(const struct container *container)
{
	const struct container_capabilities *capabilities = &container->capabilities;
	struct worker_container result = {
		.container_id = container->id,
		.group_count = container->group_count,
		.page_sizes = capabilities->page_sizes,
		.max_windows = capabilities->max_windows,
		.max_levels = capabilities->max_levels,
		.eeh = capabilities->eeh ? 1 : 0,
	};

	for (unsigned int i = 0; i < container->group_count; i++) {
		result.groups[i] = container->groups[i].number;
		result.balloon_inhibited |= container->groups[i].balloon_allowed ? 0 : 1;
	}
	if (capabilities->default_window_count > 0) {
		result.default_window_start = capabilities->default_windows[0].range.start;
		result.default_window_size = capabilities->default_windows[0].range.size;
	}
	(void)snprintf(result.iommu_type, sizeof(result.iommu_type), "%s",
		       capabilities->iommu_type);
	return result;
}

size_t describe_space(const struct space *space, unsigned char body[DESCRIPTION_SIZE])
{
	struct worker_description head = {.memory_count = 0};
	const struct container *container;
	const struct section *section;
	const struct window *window;
	size_t size = sizeof(head);

	while ((section = space_section(space, head.memory_count))) {
		struct worker_memory memory = describe_memory(section);

		memcpy(body + size, &memory, sizeof(memory));
		size += sizeof(memory);
		head.memory_count++;
	}
	while ((window = space_window(space, head.window_count))) {
		struct worker_window wire = describe_window(window);

		memcpy(body + size, &wire, sizeof(wire));
		size += sizeof(wire);
		head.window_count++;
	}
	while ((container = space_container(space, head.container_count))) {
		struct worker_container wire = describe_container(container);

		memcpy(body + size, &wire, sizeof(wire));
		size += sizeof(wire);
		head.container_count++;
	}
	memcpy(body, &head, sizeof(head));
	return size;
}

size_t describe_mappings(const struct space *space, uint64_t from, uint32_t most,
			 unsigned char body[DESCRIPTION_SIZE])
{
	struct ledger_cursor cursor = ledger_seek(space_ledger(space), from);
	struct mapping mapping;
	size_t size = 0;

	if (most > WORKER_MAPPINGS_PER_REPLY) {
		most = WORKER_MAPPINGS_PER_REPLY;
	}
	while (most-- > 0 && ledger_step(&cursor, &mapping)) {
		struct worker_mapping wire = {
			.iova = mapping.iova.start,
			.gpa = mapping.gpa,
			.size = mapping.iova.size,
			.prot = mapping.prot,
		};

		memcpy(body + size, &wire, sizeof(wire));
		size += sizeof(wire);
	}
	return size;
}
