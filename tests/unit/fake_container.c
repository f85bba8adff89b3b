/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_container.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/worker_protocol.h"
#include "vfio/identity.h"

#define SECTIONS_MAX 16
#define MAPPINGS_MAX 256

struct fake_container {
	struct container container;
	struct memory_listener listener;
	const struct section *section[SECTIONS_MAX];
	unsigned int sections;
	struct window window[2]; /* by slot; size 0: free */
	struct range mapping[MAPPINGS_MAX];
	unsigned int mappings;
	bool started;
};

struct fake_host fake_host;

static bool fails(struct error *error, const char *what)
{
	fake_host.calls++;
	if (fake_host.fail == 0 || fake_host.calls < fake_host.fail ||
	    (fake_host.calls > fake_host.fail && !fake_host.fail_on)) {
		return false;
	}
	fake_host.failed++;
	(void)error_set(error, ERROR_KERNEL, EIO, "%s", what);
	return true;
}

static struct fake_container *fake_of_listener(struct memory_listener *listener)
{
	return (struct fake_container *)((char *)listener -
					 offsetof(struct fake_container, listener));
}

static int fake_memory_add(struct memory_listener *listener, const struct section *section,
			   struct error *error)
{
	struct fake_container *fake = fake_of_listener(listener);

	if (fails(error, "memory_add")) {
		return ERROR_KERNEL;
	}
	if (fake_host.refuse_devices && (section->flags & WORKER_MEMORY_RAM_DEVICE)) {
		return error_set(error, ERROR_KERNEL, EFAULT, "a device's memory");
	}
	for (unsigned int i = 0; i < fake->sections; i++) {
		if (fake->section[i] == section) {
			return error_set(error, ERROR_KERNEL, EBUSY, "registered twice");
		}
	}
	fake->section[fake->sections++] = section;
	return 0;
}

static int fake_memory_remove(struct memory_listener *listener, const struct section *section,
			      struct error *error)
{
	struct fake_container *fake = fake_of_listener(listener);

	if (fails(error, "memory_remove")) {
		return ERROR_KERNEL;
	}
	for (unsigned int i = 0; i < fake->sections; i++) {
		if (fake->section[i] == section) {
			fake->section[i] = fake->section[--fake->sections];
			return 0;
		}
	}
	return error_set(error, ERROR_KERNEL, ENOENT, "not registered");
}

static const struct memory_listener_operations fake_listener_operations = {
	.name = "fake",
	.takes_long = true,
	.add = fake_memory_add,
	.remove = fake_memory_remove,
};

static int fake_start(struct container *container, struct error *error)
{
	struct fake_container *fake = (struct fake_container *)container;

	if (container_start_bytes(container) > 0 && fails(error, "start")) {
		return ERROR_KERNEL;
	}
	fake->started = true;
	return 0;
}

static uint64_t fake_start_bytes(const struct container *container)
{
	return container->capabilities.pinning == CONTAINER_PINS_AT_START ? fake_host.start_bytes
									  : 0;
}

static void find_ranges(struct container *container)
{
	if (container->capabilities.windows_are_books) {
		container->capabilities.default_windows[0].range.size =
			container->group_count > 1 ? FAKE_DEFAULT_SIZE / 2 : FAKE_DEFAULT_SIZE;
	}
}

/* A group joins; and one leaves, which clears the mappings as a kernel may. */
static int fake_join(struct container *container, int group_fd, uint32_t group, struct error *error)
{
	fake_host.joins++;
	if (fake_host.refuse_join || (fake_host.join_id && fake_host.join_id != container->id)) {
		return error_set(
			error,
			fake_host.refuse_join_code ? fake_host.refuse_join_code : ERROR_GROUP_BUSY,
			fake_host.refuse_join_errnum ? fake_host.refuse_join_errnum : EINVAL,
			"no second group");
	}
	if (fails(error, "join")) {
		return ERROR_KERNEL;
	}
	container->groups[container->group_count++] =
		(struct group){.kernel = container->kernel, .number = group, .fd = group_fd};
	find_ranges(container);
	return 0;
}

static int fake_leave(struct container *container, uint32_t group, int *ret_group_fd,
		      struct error *error)
{
	struct fake_container *fake = (struct fake_container *)container;
	unsigned int index = container_group_index(container, group);

	if (fails(error, "leave")) {
		return ERROR_KERNEL;
	}
	if (ret_group_fd) {
		*ret_group_fd = container->groups[index].fd;
	} else {
		group_done(&container->groups[index]);
	}
	container->group_count--;
	memmove(container->groups + index, container->groups + index + 1,
		(container->group_count - index) * sizeof(*container->groups));
	if (container->capabilities.leaving_clears) {
		fake->mappings = 0;
	}
	find_ranges(container);
	return 0;
}

static int fake_window_plan(const struct container *container, const struct window_request *request,
			    const struct memory_outlook *outlook,
			    const struct window_limits *limits, struct window_plan *ret_plan,
			    struct error *error)
{
	(void)container;
	(void)outlook;
	(void)limits;
	if (request->page_shift == 13) {
		return error_set(error, ERROR_PAGE_SIZE, 0, "13");
	}
	*ret_plan = (struct window_plan){
		.start = WORKER_WINDOW_ANYWHERE,
		.size = request->size ? request->size : 0x1000000,
		.page_shift = request->page_shift ? request->page_shift : 12,
		.levels = request->levels ? request->levels : 1,
		.locked_bytes = 0x1000,
	};
	return 0;
}

static unsigned int fake_window_choices(const struct container *container,
					const struct window_request *request,
					const struct memory_outlook *outlook,
					const struct window_limits *limits,
					struct window_choice ret_choices[WORKER_CHOICES_MAX])
{
	struct window_plan plan = {.size = 0};

	if (fake_window_plan(container, request, outlook, limits, &plan, NULL)) {
		return 0;
	}
	ret_choices[0] = (struct window_choice){
		.size = plan.size,
		.page_shift = plan.page_shift,
		.levels = plan.levels,
		.locked_bytes = plan.locked_bytes,
		.tces = plan.size >> plan.page_shift,
	};
	return 1;
}

static int fake_window_create(struct container *container, const struct window_plan *plan,
			      struct window *ret_window, struct error *error)
{
	struct fake_container *fake = (struct fake_container *)container;
	unsigned int slot = fake->window[0].range.size ? 1 : 0;

	if (fails(error, "window_create")) {
		return ERROR_KERNEL;
	}
	if (fake->window[slot].range.size) {
		return error_set(error, ERROR_NO_WINDOW_LEFT, ENOSPC, "two windows");
	}
	fake->window[slot] = (struct window){
		.range = {slot ? FAKE_WINDOW_1 : FAKE_WINDOW_0, plan->size},
		.page_shift = plan->page_shift,
		.levels = plan->levels,
	};
	*ret_window = fake->window[slot];
	return 0;
}

static int fake_window_remove(struct container *container, uint64_t start, struct error *error)
{
	struct fake_container *fake = (struct fake_container *)container;

	if (fails(error, "window_remove")) {
		return ERROR_KERNEL;
	}
	for (unsigned int slot = 0; slot < 2; slot++) {
		if (fake->window[slot].range.size && fake->window[slot].range.start == start) {
			fake->window[slot] = (struct window){.range = {0, 0}};
			return 0;
		}
	}
	return error_set(error, ERROR_NOT_FOUND, EINVAL, "no window");
}

static void note(struct fake_container *fake, uint64_t start, uint64_t size)
{
	if (fake->mappings == MAPPINGS_MAX) {
		abort();
	}
	if (size > 0) {
		fake->mapping[fake->mappings++] = (struct range){start, size};
	}
}

/* What lies outside of the range is kept: the kernel knows pages, and no mappings. */
static void forget(struct fake_container *fake, struct range iova)
{
	struct fake_container old = *fake;

	fake->mappings = 0;
	for (unsigned int i = 0; i < old.mappings; i++) {
		struct range mapping = old.mapping[i];

		if (!range_overlaps(iova, mapping)) {
			note(fake, mapping.start, mapping.size);
			continue;
		}
		if (mapping.start < iova.start) {
			note(fake, mapping.start, iova.start - mapping.start);
		}
		if (range_last(mapping) > range_last(iova)) {
			note(fake, range_last(iova) + 1, range_last(mapping) - range_last(iova));
		}
	}
}

/* The kernel finds the memory of a MAP among what the container has registered. */
static bool is_registered(const struct fake_container *fake, const void *address, uint64_t size)
{
	for (unsigned int i = 0; i < fake->sections; i++) {
		struct range memory = {(uint64_t)(uintptr_t)fake->section[i]->address,
				       fake->section[i]->gpa.size};

		if (range_contains(memory, (struct range){(uint64_t)(uintptr_t)address, size})) {
			return true;
		}
	}
	return false;
}

/* Like the kernel: replaces silently, and leaves something behind when it fails. */
static int fake_map(struct container *container, const struct window *window, struct range iova,
		    void *address, uint32_t prot, struct error *error)
{
	struct fake_container *fake = (struct fake_container *)container;
	bool failed = fails(error, "map") ||
		      (fake_host.fail_map.size > 0 && range_overlaps(fake_host.fail_map, iova));

	(void)prot;
	if (!range_contains(window->range, iova) || !fake->started) {
		abort();
	}
	if (!is_registered(fake, address, iova.size)) {
		return error_set(error, ERROR_KERNEL, EINVAL, "the memory isn't registered");
	}
	forget(fake, iova);
	note(fake, iova.start, iova.size);
	return failed ? ERROR_KERNEL : 0;
}

/* Likewise: a failure has unmapped something. */
static int fake_unmap(struct container *container, struct range iova, struct error *error)
{
	struct fake_container *fake = (struct fake_container *)container;
	bool failed = fails(error, "unmap") || fake_host.fail_unmap == container->id;

	for (unsigned int slot = 0; slot < 2; slot++) {
		if (range_overlaps(iova, fake->window[slot].range) &&
		    fake->window[slot].range.size &&
		    !range_contains(fake->window[slot].range, iova)) {
			abort();
		}
	}
	if (failed) {
		iova.size = iova.size > 0x1000 ? 0x1000 : iova.size;
	}
	forget(fake, iova);
	return failed ? ERROR_KERNEL : 0;
}

static uint64_t fake_maps_left(const struct container *container)
{
	const struct fake_container *fake = (const struct fake_container *)container;

	return fake_host.entries_max > 0 ? fake_host.entries_max - fake->mappings : UINT64_MAX;
}

static int fake_check_unmap(const struct container *container, struct range iova,
			    struct error *error)
{
	const struct fake_container *fake = (const struct fake_container *)container;

	for (unsigned int i = 0; fake_host.entries_max > 0 && i < fake->mappings; i++) {
		if (range_overlaps(iova, fake->mapping[i]) &&
		    !range_contains(iova, fake->mapping[i])) {
			return error_set(error, ERROR_BUSY, 0, "%s goes as a whole",
					 range_format(fake->mapping[i]).text);
		}
	}
	return 0;
}

static uint64_t fake_locked_bytes(const struct container *container)
{
	const struct fake_container *fake = (const struct fake_container *)container;

	return fake_host.leaked_bytes + (fake->started ? fake_start_bytes(container) : 0) +
	       (fake->window[0].range.size ? 0x1000U : 0) +
	       (fake->window[1].range.size ? 0x1000U : 0);
}

static uint64_t fake_pending_bytes(const struct container *container)
{
	(void)container;
	return fake_host.pending_bytes;
}

static uint64_t fake_leaked_bytes(const struct container *container)
{
	(void)container;
	return fake_host.leaked_bytes;
}

static void fake_free(struct container *container)
{
	struct fake_container *fake = (struct fake_container *)container;

	if (fake->sections || fake->mappings) {
		fake_host.closed_in_use++;
	}
	fake_host.live--;
	container_done(container);
	free(fake);
}

static int fake_verify(const struct container *container, struct error *error)
{
	return fake_host.differs ? error_set(error, ERROR_RECOVERY_FAILED, 0,
					     "container %" PRIu32 " differs", container->id)
				 : 0;
}

static const struct container_operations fake_operations = {
	.start = fake_start,
	.start_bytes = fake_start_bytes,
	.join = fake_join,
	.leave = fake_leave,
	.window_plan = fake_window_plan,
	.window_choices = fake_window_choices,
	.window_create = fake_window_create,
	.window_remove = fake_window_remove,
	.map = fake_map,
	.unmap = fake_unmap,
	.maps_left = fake_maps_left,
	.check_unmap = fake_check_unmap,
	.locked_bytes = fake_locked_bytes,
	.pending_bytes = fake_pending_bytes,
	.leaked_bytes = fake_leaked_bytes,
	.verify = fake_verify,
	.free = fake_free,
};

int fake_container_open(struct kernel *kernel, const struct container_request *request,
			struct container **ret_container, struct error *error)
{
	struct fake_container *fake;

	(void)kernel_close(kernel, request->container_fd);
	if (fake_host.refuse_new) {
		(void)kernel_close(kernel, request->group_fd);
		return error_set(error, ERROR_GROUP_NOT_VIABLE, 0, "refused");
	}
	if (fails(error, "open a container")) {
		(void)kernel_close(kernel, request->group_fd);
		return ERROR_KERNEL;
	}
	fake = calloc(1, sizeof(*fake));
	if (!fake) {
		abort();
	}
	fake->listener.operations = &fake_listener_operations;
	fake->container = (struct container){
		.operations = &fake_operations,
		.kernel = kernel,
		.fd = -1,
		.id = request->id,
		.groups = {{.kernel = kernel, .number = request->group, .fd = request->group_fd}},
		.group_count = 1,
		.better_refused = fake_host.better_refused,
		.listeners = {&fake->listener},
		.listener_count = 1,
		.capabilities = {.iommu_type = "fake",
				 .page_sizes = 0x1000,
				 .max_windows = 2,
				 .max_levels = 1,
				 .pinning = fake_host.pinning,
				 .one_group = fake_host.one_group,
				 .eeh = fake_host.eeh,
				 .leaving_clears = fake_host.leaving_clears,
				 .windows_are_books = fake_host.windows_are_books,
				 .default_window_count = 1},
	};
	fake->window[0] = (struct window){
		.range = {FAKE_WINDOW_0,
			  fake_host.other_default ? FAKE_DEFAULT_SIZE / 2 : FAKE_DEFAULT_SIZE},
		.page_shift = 12,
		.levels = 1,
	};
	fake->container.capabilities.default_windows[0] = fake->window[0];
	identity_listen(&fake->container);
	fake_host.live++;
	*ret_container = &fake->container;
	return 0;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *left = a;
	const struct range *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

/* In order, and as one where one continues the other. */
static void join_mappings(struct fake_container *fake)
{
	unsigned int joined = 0;

	qsort(fake->mapping, fake->mappings, sizeof(fake->mapping[0]), compare_ranges);
	for (unsigned int i = 1; i < fake->mappings; i++) {
		if (range_last(fake->mapping[joined]) + 1 == fake->mapping[i].start) {
			fake->mapping[joined].size += fake->mapping[i].size;
		} else {
			fake->mapping[++joined] = fake->mapping[i];
		}
	}
	fake->mappings = fake->mappings > 0 ? joined + 1 : 0;
}

static int compare_sections(const void *a, const void *b)
{
	const struct section *left = *(const struct section *const *)a;
	const struct section *right = *(const struct section *const *)b;

	return left->gpa.start < right->gpa.start ? -1 : left->gpa.start > right->gpa.start;
}

void fake_container_print(const struct container *container, char *text, size_t size)
{
	struct fake_container fake = *(const struct fake_container *)container;
	size_t used = 0;

	join_mappings(&fake);
	qsort(fake.section, fake.sections, sizeof(struct section *), compare_sections);
	used += (size_t)snprintf(text, size, "container %" PRIu32 " (%s):", container->id,
				 container_groups_format(container).text);
	for (unsigned int i = 0; i < fake.sections; i++) {
		used += (size_t)snprintf(text + used, size - used, " section %" PRIu32,
					 fake.section[i]->id);
	}
	for (unsigned int i = 0; i < 2; i++) {
		used += (size_t)snprintf(text + used, size - used, " window %s",
					 range_format(fake.window[i].range).text);
	}
	for (unsigned int i = 0; i < fake.mappings; i++) {
		used += (size_t)snprintf(text + used, size - used, " mapping %s",
					 range_format(fake.mapping[i]).text);
	}
	(void)snprintf(text + used, size - used, "\n");
}
