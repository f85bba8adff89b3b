/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker_model.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"

#define SLOTS 24U /* pages that are mapped at either end of a window */

uint32_t below(struct model *model, uint32_t limit)
{
	model->seed ^= model->seed << 13;
	model->seed ^= model->seed >> 7;
	model->seed ^= model->seed << 17;
	return (uint32_t)(model->seed % limit);
}

/* The model */

const struct worker_mapping *model_overlap(const struct model *model, struct range iova)
{
	for (uint32_t i = 0; i < model->mapping_count; i++) {
		struct range other = {model->mapping[i].iova, model->mapping[i].size};

		if (range_overlaps(other, iova)) {
			return &model->mapping[i];
		}
	}
	return NULL;
}

const struct worker_window *model_window(const struct model *model, struct range iova)
{
	for (uint32_t i = 0; i < model->window_count; i++) {
		struct range window = {model->window[i].start, model->window[i].size};

		if (range_contains(window, iova)) {
			return &model->window[i];
		}
	}
	return NULL;
}

struct model_section *model_section(struct model *model, uint64_t gpa)
{
	for (uint32_t i = 0; i < SECTIONS; i++) {
		struct model_section *section = &model->section[i];

		if (section->id && gpa >= section->gpa && gpa - section->gpa < SECTION_SIZE) {
			return section;
		}
	}
	return NULL;
}

bool is_identity(const struct model *model, const struct worker_mapping *mapping)
{
	for (uint32_t i = 0; i < SECTIONS; i++) {
		const struct model_section *section = &model->section[i];

		if (section->id && (section->flags & WORKER_MEMORY_IDENTITY) &&
		    mapping->iova == section->gpa && mapping->gpa == section->gpa &&
		    mapping->size == SECTION_SIZE) {
			return true;
		}
	}
	return false;
}

void model_insert(struct model *model, const struct worker_mapping *mapping)
{
	uint32_t index = 0;

	assert_true(model->mapping_count < MAPPINGS);
	while (index < model->mapping_count && model->mapping[index].iova < mapping->iova) {
		index++;
	}
	memmove(model->mapping + index + 1, model->mapping + index,
		(model->mapping_count - index) * sizeof(*mapping));
	model->mapping[index] = *mapping;
	model->mapping_count++;
}

void model_erase(struct model *model, struct range iova)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < model->mapping_count; i++) {
		struct range other = {model->mapping[i].iova, model->mapping[i].size};

		if (!range_overlaps(other, iova)) {
			model->mapping[kept++] = model->mapping[i];
		}
	}
	model->mapping_count = kept;
}

struct worker_mapping own_mapping(const struct model_section *section)
{
	return (struct worker_mapping){
		.iova = section->gpa,
		.gpa = section->gpa,
		.size = SECTION_SIZE,
		.prot = section->flags & WORKER_MEMORY_READ_ONLY ? 1 : 3,
	};
}

struct model_container *model_container(struct model *model, uint32_t group)
{
	for (uint32_t i = 0; i < model->container_count; i++) {
		if (model->container[i].groups >> group & 1) {
			return &model->container[i];
		}
	}
	return NULL;
}

/* A place where something may be mapped: at either end of a window, or near it. */
static uint64_t choose_iova(struct model *model)
{
	const struct worker_window *window;
	uint64_t page = below(model, SLOTS) * PAGE;

	if (model->window_count == 0 || below(model, 30) == 0) {
		return below(model, 2) ? page : 0 - page;
	}
	window = &model->window[below(model, model->window_count)];
	return below(model, 4) ? window->start + page : window->start + window->size - page;
}

/* Requests */

static int code_of_map(struct model *model, const struct worker_mapping *wanted)
{
	struct range iova = {wanted->iova, wanted->size};
	const struct worker_window *window;
	const struct model_section *section;

	if (!range_is_valid(iova.start, iova.size)) {
		return ERROR_INVALID_ARGUMENT;
	}
	window = model_window(model, iova);
	if (!window) {
		return ERROR_OUTSIDE_WINDOW;
	}
	section = model_section(model, wanted->gpa);
	if (!section || wanted->gpa + wanted->size > section->gpa + SECTION_SIZE) {
		return ERROR_MEMORY_UNKNOWN;
	}
	if ((section->flags & WORKER_MEMORY_READ_ONLY) && (wanted->prot & 2)) {
		return ERROR_INVALID_ARGUMENT;
	}
	if (window->page_shift > 12) {
		return ERROR_PAGE_SIZE;
	}
	return model_overlap(model, iova) ? ERROR_ALREADY_MAPPED : 0;
}

static int code_of_unmap(struct model *model, struct range iova)
{
	uint64_t at = iova.start;
	int code = 0;

	if (!range_is_valid(iova.start, iova.size)) {
		return ERROR_INVALID_ARGUMENT;
	}
	while (at <= range_last(iova)) {
		const struct worker_mapping *mapping = model_overlap(model, (struct range){at, 1});

		if (!mapping || mapping->iova != at ||
		    mapping->iova + (mapping->size - 1) > range_last(iova)) {
			return ERROR_NOT_MAPPED;
		}
		code = is_identity(model, mapping) ? ERROR_MEMORY_IN_USE : code;
		if (mapping->iova + (mapping->size - 1) == range_last(iova)) {
			break;
		}
		at += mapping->size;
	}
	return code;
}

static struct worker_mapping choose_map(struct model *model)
{
	return (struct worker_mapping){
		.iova = choose_iova(model),
		.gpa = model->section[below(model, SECTIONS)].gpa +
		       below(model, SECTION_PAGES) * PAGE,
		.size = (1 + below(model, 4)) * PAGE,
		.prot = 1 + below(model, 3),
	};
}

static struct range choose_unmap(struct model *model)
{
	const struct worker_mapping *mapping;
	struct range range = {choose_iova(model), (1 + below(model, 8)) * PAGE};
	uint32_t index;

	if (model->mapping_count == 0 || below(model, 4) == 0) {
		return range;
	}
	index = below(model, model->mapping_count);
	mapping = &model->mapping[index];
	range = (struct range){mapping->iova, mapping->size};
	while (++index < model->mapping_count &&
	       model->mapping[index].iova == range.start + range.size && below(model, 2)) {
		range.size += model->mapping[index].size;
	}
	return range;
}

void check_code(const struct model *model, int code, int expected)
{
	if (code == expected || (code != 0 && model->may_fail)) {
		return;
	}
	print_error("step %u: code %d, not %d: %.*s\n", model->step, code, expected,
		    (int)last_answer.head.size, (const char *)last_answer.body);
	assert_int_equal(code, expected);
}

static int make_list(const void *entries, size_t size)
{
	int fd = memfd_create("many", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, entries, size), size);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	return fd;
}

struct map_request choose_map_request(struct model *model)
{
	struct map_request request = {.count = 1};
	uint32_t choice = below(model, 10);
	bool map = choice < 6;
	bool many = choice == 5 || choice == 9;

	request.type = map ? (many ? WORKER_MAP_MANY : WORKER_MAP)
			   : (many ? WORKER_UNMAP_MANY : WORKER_UNMAP);
	request.count = many ? 1 + below(model, MANY) : 1;
	for (uint32_t i = 0; i < request.count; i++) {
		request.map[i] = choose_map(model);
		request.unmap[i] = choose_unmap(model);
		/* Often one behind the other. */
		if (i > 0 && below(model, 2)) {
			request.map[i].iova = request.map[i - 1].iova + request.map[i - 1].size;
			request.map[i].gpa = request.map[i - 1].gpa + request.map[i - 1].size;
			request.map[i].prot = request.map[i - 1].prot;
		}
	}
	return request;
}

void send_map_request(struct fixture *fixture, struct map_request *request)
{
	struct worker_many many = {.count = request->count};
	cleanup(cleanup_fd) int fd = -1;

	if (request->type == WORKER_MAP) {
		struct worker_map map = {.iova = request->map[0].iova,
					 .gpa = request->map[0].gpa,
					 .size = request->map[0].size,
					 .prot = (uint32_t)request->map[0].prot};

		request->id = send_request(fixture, WORKER_MAP, &map, sizeof(map), NULL, 0);
	} else if (request->type == WORKER_UNMAP) {
		request->id = send_request(fixture, WORKER_UNMAP, &request->unmap[0],
					   sizeof(request->unmap[0]), NULL, 0);
	} else {
		fd = request->type == WORKER_MAP_MANY
			     ? make_list(request->map, request->count * sizeof(*request->map))
			     : make_list(request->unmap, request->count * sizeof(*request->unmap));
		request->id = send_request(fixture, request->type, &many, sizeof(many), &fd, 1);
	}
}

static int code_of_map_many(struct model *model, const struct map_request *request)
{
	int code = 0;

	for (uint32_t i = 0; i < request->count; i++) {
		int one = code_of_map(model, &request->map[i]);

		if (one && one != ERROR_ALREADY_MAPPED) {
			return one;
		}
		code = code ? code : one;
	}
	for (uint32_t i = 0; i < request->count; i++) {
		for (uint32_t j = 0; j < i; j++) {
			struct range a = {request->map[i].iova, request->map[i].size};
			struct range b = {request->map[j].iova, request->map[j].size};

			if (range_overlaps(a, b)) {
				return ERROR_INVALID_ARGUMENT;
			}
		}
	}
	return code;
}

static int code_of_unmap_many(struct model *model, const struct map_request *request)
{
	for (uint32_t i = 0; i < request->count; i++) {
		int one = code_of_unmap(model, request->unmap[i]);

		if (one) {
			return one;
		}
	}
	for (uint32_t i = 0; i < request->count; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (range_overlaps(request->unmap[i], request->unmap[j])) {
				return ERROR_INVALID_ARGUMENT;
			}
		}
	}
	return 0;
}

void take_map_answer(struct model *model, const struct map_request *request, uint32_t leaving)
{
	bool map = request->type == WORKER_MAP || request->type == WORKER_MAP_MANY;
	int code = (int)last_answer.head.code;
	int expected = map ? code_of_map_many(model, request) : code_of_unmap_many(model, request);

	/* A section that leaves or arrives. */
	if (map && leaving && code == ERROR_BUSY) {
		return;
	}
	if (!model->windows_unknown) {
		check_code(model, code, expected);
	}
	for (uint32_t i = 0; code == 0 && i < request->count; i++) {
		if (map) {
			model_insert(model, &request->map[i]);
		} else {
			model_erase(model, request->unmap[i]);
		}
	}
}
