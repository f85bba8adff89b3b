/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random requests of all kinds to a worker, compared after each with a model of what the address
 * space must be, and with what the tables of every group hold. Now and then an ioctl fails, or a
 * change takes so long that maps and unmaps overtake it.
 *
 * test-worker-model [first seed [count [steps]]]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "worker_model.h"

#define STEPS 150U

static const struct host hosts[] = {
	{"powernv9,pace=0", {"", "spapr-tce-v2", "spapr-tce"}, {0, 1, 2, 4}, 3, true, false},
	{"powernv9,pace=0", {"", "", ""}, {0, 1, 2, 4}, 3, true, false},
	{"x86,pace=0", {"", "type1v2", "type1"}, {7, 8, 9, 0}, 3, false, false},
	{"x86,pace=0", {"", "", ""}, {7, 8, 9, 0}, 3, false, false},
	{"pseries,pace=0", {"", "", "spapr-tce"}, {0, 1, 2, 4}, 3, true, true},
};

static const char *const faulty[] = {
	"VFIO_GROUP_SET_CONTAINER",
	"VFIO_SET_IOMMU",
	"VFIO_IOMMU_SPAPR_REGISTER_MEMORY",
	"VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY",
	"VFIO_IOMMU_SPAPR_TCE_CREATE",
	"VFIO_IOMMU_SPAPR_TCE_REMOVE",
	"VFIO_IOMMU_MAP_DMA",
	"VFIO_IOMMU_MAP_DMA",
	"VFIO_IOMMU_UNMAP_DMA",
	"VFIO_IOMMU_UNMAP_DMA",
};

/* A change with maps and unmaps that overtake it, if that is wanted: the code, with its answer the
 * last one. */
static int request_change(struct fixture *fixture, struct model *model, uint32_t type,
			  const void *body, size_t size, const int *fds, unsigned int count,
			  void (*take)(struct model *model, void *argument), void *argument)
{
	static struct answer own;
	struct map_request maps[4] = {{.id = 0}};
	uint32_t map_count = below(model, 3) == 0 && !model->may_fail ? 4 : 0;
	uint64_t id;

	id = send_request(fixture, type, body, size, fds, count);
	for (uint32_t i = 0; i < map_count; i++) {
		maps[i] = choose_map_request(model);
		send_map_request(fixture, &maps[i]);
	}
	for (uint32_t i = 0, got = 0; got <= map_count; got++) {
		receive_answer(fixture, &last_answer);
		if (last_answer.head.id == id) {
			own = last_answer;
			take(model, argument);
			continue;
		}
		assert_int_equal(last_answer.head.id, maps[i].id);
		take_map_answer(model, &maps[i++],
				type == WORKER_REMOVE_MEMORY || type == WORKER_ADD_MEMORY);
	}
	last_answer = own;
	return (int)own.head.code;
}

/* Comparing */

static void compare_containers(const struct model *model, const unsigned char *body, uint32_t count)
{
	assert_int_equal(count, model->container_count);
	for (uint32_t i = 0; i < count; i++) {
		struct worker_container wire;
		uint32_t groups = 0;

		memcpy(&wire, body + i * sizeof(wire), sizeof(wire));
		assert_int_equal(wire.container_id, model->container[i].id);
		for (uint32_t j = 0; j < wire.group_count; j++) {
			for (uint32_t k = 0; k < GROUPS; k++) {
				groups |= model->host->groups[k] == wire.groups[j] ? 1U << k : 0;
			}
		}
		assert_int_equal(groups, model->container[i].groups);
	}
}

static void compare_description(struct fixture *fixture, struct model *model)
{
	struct worker_description head;
	const unsigned char *at = last_answer.body + sizeof(head);
	uint32_t sections = 0;

	assert_int_equal(request(fixture, WORKER_DESCRIBE, NULL, 0, NULL, 0, NULL), 0);
	memcpy(&head, last_answer.body, sizeof(head));
	for (uint32_t i = 0; i < SECTIONS; i++) {
		sections += model->section[i].id ? 1 : 0;
	}
	assert_int_equal(head.memory_count, sections);
	for (uint32_t i = 0; i < head.memory_count; i++, at += sizeof(struct worker_memory)) {
		struct worker_memory memory;
		const struct model_section *section;

		memcpy(&memory, at, sizeof(memory));
		section = model_section(model, memory.gpa);
		assert_non_null(section);
		assert_int_equal(memory.id, section->id);
		assert_int_equal(memory.flags, section->flags);
	}
	assert_int_equal(head.window_count, model->window_count);
	assert_memory_equal(at, model->window, head.window_count * sizeof(struct worker_window));
	at += head.window_count * sizeof(struct worker_window);
	compare_containers(model, at, head.container_count);
}

static void compare_list(struct fixture *fixture, const struct model *model)
{
	struct worker_list list = {.most = WORKER_MAPPINGS_PER_REPLY};

	assert_int_equal(request(fixture, WORKER_LIST_MAPPINGS, &list, sizeof(list), NULL, 0, NULL),
			 0);
	assert_int_equal(last_answer.head.size,
			 model->mapping_count * sizeof(struct worker_mapping));
	assert_memory_equal(last_answer.body, model->mapping, last_answer.head.size);
}

/* One entry of a table must be what the mappings say, page by page. */
static void compare_entry(struct model *model, const struct sim_dump_entry *entry)
{
	for (uint64_t done = 0; done < entry->size; done += PAGE) {
		const struct worker_mapping *mapping =
			model_overlap(model, (struct range){entry->iova + done, 1});
		struct model_section *section;
		uint64_t gpa;

		assert_non_null(mapping);
		gpa = mapping->gpa + (entry->iova + done - mapping->iova);
		section = model_section(model, gpa);
		assert_non_null(section);
		if (section->base == 0) {
			section->base = entry->ua + done - gpa;
		}
		assert_int_equal(entry->ua + done - gpa, section->base);
		assert_int_equal(entry->permissions & mapping->prot, mapping->prot);
	}
}

static void compare_tables(struct fixture *fixture, struct model *model, uint32_t group)
{
	struct sim_control_reply reply = SIM_CONTROL_REPLY_NONE;
	uint64_t mapped = 0;
	uint64_t bytes = 0;

	assert_int_equal(sim_control_dump(fixture->control, 9, model->host->groups[group], 0,
					  SIM_DUMP_ENTRIES),
			 0);
	assert_int_equal(sim_control_receive(fixture->control, &reply), 0);
	assert_int_equal(reply.code, 0);
	assert_int_equal(reply.dump->more, 0);
	for (uint32_t i = 0; i < reply.dump->entry_count; i++) {
		compare_entry(model, &reply.dump->entry[i]);
		mapped += reply.dump->entry[i].size;
	}
	for (uint32_t i = 0; i < model->mapping_count; i++) {
		bytes += model->mapping[i].size;
	}
	assert_int_equal(mapped, bytes);
	sim_control_reply_done(&reply);
}

static void compare(struct fixture *fixture, struct model *model)
{
	struct sim_statistics now;
	uint32_t groups = 0;
	bool v1 = false;

	for (uint32_t i = 0; i < model->container_count; i++) {
		v1 = v1 || model->container[i].v1;
	}
	compare_description(fixture, model);
	compare_list(fixture, model);
	for (uint32_t i = 0; i < model->host->group_count; i++) {
		if (model_container(model, i)) {
			compare_tables(fixture, model, i);
			groups++;
		}
	}
	now = fixture_statistics(fixture);
	assert_int_equal(now.attached_groups, groups);
	assert_int_equal(now.containers, model->container_count);
	assert_int_equal(now.leaked_pinned_bytes, 0);
	assert_int_equal(now.kernel_damage, 0);
	assert_int_equal(last_answer.head.counts.mappings, model->mapping_count);
	/* What a table costs in a v1 container on an LPAR can't be known. */
	if (!v1 || !model->host->lpar) {
		assert_int_equal(last_answer.head.counts.locked_pins +
					 last_answer.head.counts.locked_tables,
				 now.locked_bytes - now.leaked_locked_bytes);
	}
}

/* Steps */

static void plan_failure(struct fixture *fixture, struct model *model)
{
	static const int errnums[] = {EIO, EFAULT, EBUSY};

	const char *operation = faulty[below(model, sizeof(faulty) / sizeof(faulty[0]))];
	int errnum = errnums[below(model, 3)];

	/* After others a hypervisor's host holds the memory for good (H12). */
	if (model->host->lpar && strcmp(operation, "VFIO_IOMMU_MAP_DMA") == 0) {
		errnum = EINVAL;
	}
	if (below(model, 5) == 0) {
		fixture_fail(fixture, operation, below(model, 4), errnum);
		model->may_fail = true;
	}
}

struct attach {
	struct worker_attach body;
	uint32_t index;
	bool may_fail;
};

static bool any_identity(const struct model *model)
{
	for (uint32_t i = 0; i < SECTIONS; i++) {
		if (model->section[i].id && (model->section[i].flags & WORKER_MEMORY_IDENTITY)) {
			return true;
		}
	}
	return false;
}

static void take_attach(struct model *model, void *argument)
{
	const struct attach *attach = argument;
	struct worker_container wire;
	struct model_container *container = NULL;

	if (last_answer.head.code != 0) {
		/* No good reason, but: windows that this kind can't have, or an identity section
		 * that has no window. */
		if (!attach->may_fail) {
			check_code(model, (int)last_answer.head.code, 0);
		}
		return;
	}
	memcpy(&wire, last_answer.body, sizeof(wire));
	for (uint32_t i = 0; i < model->container_count; i++) {
		container = model->container[i].id == wire.container_id ? &model->container[i]
									: container;
	}
	if (!container) {
		assert_int_equal(wire.container_id, attach->body.container_id);
		container = &model->container[model->container_count++];
		*container = (struct model_container){
			.id = wire.container_id, .v1 = strcmp(wire.iommu_type, "spapr-tce") == 0};
	}
	container->groups |= 1U << attach->index;
	model->windows_unknown = model->container_count == 1;
}

static void refresh_windows(struct fixture *fixture, struct model *model)
{
	struct worker_description head;

	assert_int_equal(request(fixture, WORKER_DESCRIBE, NULL, 0, NULL, 0, NULL), 0);
	memcpy(&head, last_answer.body, sizeof(head));
	model->windows_unknown = false;
	model->window_count = head.window_count;
	memcpy(model->window,
	       last_answer.body + sizeof(head) + head.memory_count * sizeof(struct worker_memory),
	       head.window_count * sizeof(struct worker_window));
}

static int open_group(struct fixture *fixture, uint32_t group)
{
	char node[32];
	int fd;

	(void)snprintf(node, sizeof(node), "/dev/vfio/%u", group);
	fd = kernel_open_node(fixture->kernel, node);
	/* The worker's fd of the group is closed some time after it has answered. */
	for (int i = 0; i < 100 && fd < 0; i++) {
		(void)usleep(2000);
		fd = kernel_open_node(fixture->kernel, node);
	}
	assert_true(fd >= 0);
	return fd;
}

static void do_attach(struct fixture *fixture, struct model *model, uint32_t index)
{
	struct attach attach = {
		.body = {.group = model->host->groups[index],
			 .container_id = ++model->last_container,
			 .flags = below(model, 2) ? WORKER_ATTACH_SHARE : 0},
		.index = index,
	};
	const char *type = model->host->types[below(model, 3)];
	int fds[2];
	bool first = model->container_count == 0;

	memcpy(attach.body.iommu_type, type, strlen(type));
	attach.may_fail = any_identity(model) || !first;
	fds[0] = kernel_open_node(fixture->kernel, "/dev/vfio/vfio");
	fds[1] = open_group(fixture, attach.body.group);
	assert_true(fds[0] >= 0);
	(void)request_change(fixture, model, WORKER_ATTACH_GROUP, &attach.body, sizeof(attach.body),
			     fds, 2, take_attach, &attach);
	(void)kernel_close(fixture->kernel, fds[0]);
	(void)kernel_close(fixture->kernel, fds[1]);
	if (last_answer.head.code == 0) {
		refresh_windows(fixture, model);
	}
	for (uint32_t i = 0; first && last_answer.head.code == 0 && i < SECTIONS; i++) {
		if (model->section[i].id && (model->section[i].flags & WORKER_MEMORY_IDENTITY)) {
			struct worker_mapping own = own_mapping(&model->section[i]);

			model_insert(model, &own);
		}
	}
}

static uint32_t user_mappings(const struct model *model)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < model->mapping_count; i++) {
		count += is_identity(model, &model->mapping[i]) ? 0 : 1;
	}
	return count;
}

static void do_detach(struct fixture *fixture, struct model *model, uint32_t index)
{
	struct model_container *container = model_container(model, index);
	bool last = container->groups == 1U << index;
	struct worker_detached detached;
	int expected = 0;
	int code;

	if (last && model->container_count == 1 && user_mappings(model) > 0) {
		expected = ERROR_MEMORY_IN_USE;
	}
	if (!last && model->host->tce && model->mapping_count > 0 && !model->policy.replay_shared) {
		expected = ERROR_MEMORY_IN_USE;
	}
	code = detach(fixture, model->host->groups[index]);
	check_code(model, code, expected);
	if (code) {
		return;
	}
	memcpy(&detached, last_answer.body, sizeof(detached));
	assert_int_equal(detached.container_id, container->id);
	assert_true(model->wild || detached.lost == 0);
	assert_int_equal(detached.replayed + detached.lost,
			 !last && model->host->tce ? model->mapping_count : 0);
	container->groups &= ~(1U << index);
	if (!last) {
		return;
	}
	model->container_count--;
	memmove(container, container + 1,
		(size_t)(&model->container[model->container_count] - container) *
			sizeof(*container));
	if (model->container_count == 0) {
		model->mapping_count = 0;
		model->window_count = 0;
	}
}

static void do_group(struct fixture *fixture, struct model *model)
{
	uint32_t index = below(model, model->host->group_count);

	if (model_container(model, index)) {
		do_detach(fixture, model, index);
	} else {
		do_attach(fixture, model, index);
	}
}

struct memory {
	struct worker_memory body;
	struct model_section *section;
	int expected;
};

static void take_add(struct model *model, void *argument)
{
	struct memory *memory = argument;
	struct worker_memory wire;
	int expected = memory->expected;

	check_code(model, (int)last_answer.head.code, expected);
	if (last_answer.head.code != 0) {
		return;
	}
	memcpy(&wire, last_answer.body, sizeof(wire));
	memory->section->id = wire.id;
	memory->section->flags = wire.flags;
	memory->section->base = 0;
	assert_int_equal(wire.flags, memory->body.flags);
	if ((wire.flags & WORKER_MEMORY_IDENTITY) && model->container_count > 0) {
		struct worker_mapping own = own_mapping(memory->section);

		/* It was in the worker's books from the beginning of the change on. */
		model_erase(model, (struct range){own.iova, own.size});
		model_insert(model, &own);
	}
}

static void do_add(struct fixture *fixture, struct model *model, struct model_section *section)
{
	static const uint32_t flags[] = {0,
					 0,
					 0,
					 WORKER_MEMORY_READ_ONLY,
					 WORKER_MEMORY_IDENTITY,
					 WORKER_MEMORY_IDENTITY | WORKER_MEMORY_READ_ONLY};
	struct memory memory = {
		.body = {.gpa = section->gpa,
			 .size = SECTION_SIZE,
			 .flags = flags[below(model, 6)]},
		.section = section,
	};
	cleanup(cleanup_fd) int fd = make_memory(SECTION_SIZE);

	if ((memory.body.flags & WORKER_MEMORY_IDENTITY) && model->container_count > 0) {
		struct range iova = {section->gpa, SECTION_SIZE};
		const struct worker_window *window = model_window(model, iova);

		memory.expected = !window                      ? ERROR_OUTSIDE_WINDOW
				  : window->page_shift > 12    ? ERROR_PAGE_SIZE
				  : model_overlap(model, iova) ? ERROR_ALREADY_MAPPED
							       : 0;
		/* Maps meanwhile would have to know of it. */
		(void)request(fixture, WORKER_ADD_MEMORY, &memory.body, sizeof(memory.body), &fd, 1,
			      NULL);
		take_add(model, &memory);
		return;
	}
	(void)request_change(fixture, model, WORKER_ADD_MEMORY, &memory.body, sizeof(memory.body),
			     &fd, 1, take_add, &memory);
}

static bool section_is_used(const struct model *model, const struct model_section *section)
{
	for (uint32_t i = 0; i < model->mapping_count; i++) {
		const struct worker_mapping *mapping = &model->mapping[i];

		if (mapping->gpa - section->gpa < SECTION_SIZE && !is_identity(model, mapping)) {
			return true;
		}
	}
	return false;
}

static void take_remove(struct model *model, void *argument)
{
	struct memory *memory = argument;

	check_code(model, (int)last_answer.head.code, memory->expected);
	if (last_answer.head.code == 0) {
		memory->section->id = 0;
	}
}

static void do_remove(struct fixture *fixture, struct model *model, struct model_section *section)
{
	struct worker_remove_memory body = {.id = section->id};
	struct memory memory = {.section = section};
	bool identity = (section->flags & WORKER_MEMORY_IDENTITY) && model->container_count > 0;

	memory.expected = section_is_used(model, section) ? ERROR_MEMORY_IN_USE : 0;
	if (identity) {
		int code = remove_memory(fixture, section->id);

		if (code == 0) {
			model_erase(model, (struct range){section->gpa, SECTION_SIZE});
		}
		take_remove(model, &memory);
		return;
	}
	(void)request_change(fixture, model, WORKER_REMOVE_MEMORY, &body, sizeof(body), NULL, 0,
			     take_remove, &memory);
}

static void do_memory(struct fixture *fixture, struct model *model)
{
	struct model_section *section = &model->section[below(model, SECTIONS)];

	if (section->id) {
		do_remove(fixture, model, section);
	} else {
		do_add(fixture, model, section);
	}
}

static void do_create(struct fixture *fixture, struct model *model)
{
	struct worker_window window = {
		.start = WORKER_WINDOW_ANYWHERE,
		.size = UINT64_C(1) << (20 + below(model, 8)),
		.page_shift = below(model, 6) ? 12 : 16,
		.levels = below(model, 3) && model->host->tce ? 1 + below(model, 2) : 0,
		.flags = below(model, 3) ? 0 : WORKER_WINDOW_REPLACE_DEFAULT,
	};
	uint32_t before = model->window_count;

	if (below(model, 3) == 0) {
		window.start = model->host->tce ? (below(model, 2) ? 0 : UINT64_C(1) << 59)
						: below(model, 64) * (UINT64_C(1) << 28);
	}
	if (request(fixture, WORKER_CREATE_WINDOW, &window, sizeof(window), NULL, 0, NULL)) {
		return;
	}
	memcpy(&window, last_answer.body, sizeof(window));
	refresh_windows(fixture, model);
	assert_true(model->window_count == before || model->window_count == before + 1);
	assert_non_null(model_window(model, (struct range){window.start, window.size}));
	for (uint32_t i = 0; i < model->mapping_count; i++) {
		struct range iova = {model->mapping[i].iova, model->mapping[i].size};

		assert_non_null(model_window(model, iova));
	}
}

static void do_remove_window(struct fixture *fixture, struct model *model)
{
	struct worker_window window;
	struct range range;

	if (model->window_count == 0) {
		assert_int_not_equal(remove_window(fixture, 0), 0);
		return;
	}
	window = model->window[below(model, model->window_count)];
	range = (struct range){window.start, window.size};
	if (model_overlap(model, range)) {
		assert_int_not_equal(remove_window(fixture, window.start), 0);
		return;
	}
	if (remove_window(fixture, window.start) == 0) {
		uint32_t before = model->window_count;

		refresh_windows(fixture, model);
		assert_int_equal(model->window_count, before - 1);
		assert_null(model_window(model, range));
	}
}

static void do_policy(struct fixture *fixture, struct model *model)
{
	model->policy = (struct worker_policy){.default_window = below(model, 4),
					       .replay_shared = below(model, 4) > 0};
	assert_int_equal(request(fixture, WORKER_SET_POLICY, &model->policy, sizeof(model->policy),
				 NULL, 0, NULL),
			 0);
}

static void do_maps(struct fixture *fixture, struct model *model)
{
	struct map_request maps = choose_map_request(model);

	send_map_request(fixture, &maps);
	receive_answer(fixture, &last_answer);
	assert_int_equal(last_answer.head.id, maps.id);
	take_map_answer(model, &maps, 0);
}

static void do_step(struct fixture *fixture, struct model *model)
{
	uint32_t choice = below(model, 100);

	plan_failure(fixture, model);
	if (choice < 55) {
		do_maps(fixture, model);
	} else if (choice < 70) {
		do_memory(fixture, model);
	} else if (choice < 82) {
		do_group(fixture, model);
	} else if (choice < 90) {
		do_create(fixture, model);
	} else if (choice < 97) {
		do_remove_window(fixture, model);
	} else {
		do_policy(fixture, model);
	}
	if (model->may_fail && (!model->wild || below(model, 3) == 0)) {
		(void)fixture_take_back(fixture);
	}
}

/* What the worker says, whatever was expected. */
static void refresh(struct fixture *fixture, struct model *model)
{
	struct worker_list list = {.most = WORKER_MAPPINGS_PER_REPLY};
	struct worker_description head;
	const unsigned char *at;

	refresh_windows(fixture, model);
	memcpy(&head, last_answer.body, sizeof(head));
	at = last_answer.body + sizeof(head);
	for (uint32_t i = 0; i < SECTIONS; i++) {
		model->section[i].id = 0;
	}
	for (uint32_t i = 0; i < head.memory_count; i++, at += sizeof(struct worker_memory)) {
		struct worker_memory memory;

		memcpy(&memory, at, sizeof(memory));
		for (uint32_t j = 0; j < SECTIONS; j++) {
			if (model->section[j].gpa == memory.gpa) {
				model->section[j].id = memory.id;
				model->section[j].flags = memory.flags;
			}
		}
	}
	at += head.window_count * sizeof(struct worker_window);
	compare_containers(model, at, head.container_count);
	assert_int_equal(request(fixture, WORKER_LIST_MAPPINGS, &list, sizeof(list), NULL, 0, NULL),
			 0);
	model->mapping_count = last_answer.head.size / sizeof(struct worker_mapping);
	memcpy(model->mapping, last_answer.body, last_answer.head.size);
}

/* Several failures at a time: what can't be taken back is told, and never hurts the host. */
static void run_wild(const struct host *host, uint64_t seed, unsigned int count)
{
	struct model model = {.host = host, .seed = seed, .wild = true};
	struct sim_statistics now;
	struct fixture fixture;

	fixture_open_on(&fixture, host->name);
	for (uint32_t i = 0; i < SECTIONS; i++) {
		model.section[i].gpa = (i + i / 2) * SECTION_SIZE;
	}
	for (model.step = 0; model.step < count; model.step++) {
		for (uint32_t i = 0; i < 4; i++) {
			plan_failure(&fixture, &model);
		}
		model.may_fail = true;
		do_step(&fixture, &model);
		refresh(&fixture, &model);
		now = fixture_statistics(&fixture);
		assert_int_equal(now.leaked_pinned_bytes, 0);
		assert_int_equal(now.kernel_damage, 0);
	}
	fixture_close(&fixture);
}

static void run(const struct host *host, uint64_t seed, unsigned int steps)
{
	struct model model = {.host = host, .seed = seed};
	struct fixture fixture;

	fixture_open_on(&fixture, host->name);
	for (uint32_t i = 0; i < SECTIONS; i++) {
		/* Some touch each other. */
		model.section[i].gpa = (i + i / 2) * SECTION_SIZE;
	}
	for (model.step = 0; model.step < steps; model.step++) {
		model.may_fail = false;
		do_step(&fixture, &model);
		compare(&fixture, &model);
	}
	fixture_close(&fixture);
}

static uint64_t first_seed = 1;
static uint64_t seeds = 1;
static unsigned int steps = STEPS;

static void test_against_model(void **state)
{
	(void)state;
	for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
		for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
			print_message("seed %" PRIu64 ", %s\n", seed, hosts[i].name);
			run(&hosts[i], (seed + i) * 0x9e3779b97f4a7c15U, steps);
		}
	}
}

static void test_many_failures(void **state)
{
	(void)state;
	for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
		for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
			print_message("seed %" PRIu64 ", %s\n", seed, hosts[i].name);
			run_wild(&hosts[i], (seed + i) * 0x9e3779b97f4a7c15U, steps);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_model),
						  cmocka_unit_test(test_many_failures)};

	first_seed = argc > 1 ? strtoull(argv[1], NULL, 0) : first_seed;
	seeds = argc > 2 ? strtoull(argv[2], NULL, 0) : seeds;
	steps = argc > 3 ? (unsigned int)strtoul(argv[3], NULL, 0) : steps;
	return cmocka_run_group_tests_name("worker-model", tests, NULL, NULL);
}
