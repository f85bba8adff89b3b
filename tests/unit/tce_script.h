/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests of the TCE containers: a kernel that expects a list of ioctls, with results for each.
 * Each test ends by seeing that all of them were made, and no other. */
#pragma once

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "common/worker_protocol.h"
#include "spapr/tce_v1.h"
#include "spapr/tce_v2.h"
#include "unit.h"

#define CONTAINER_FD 1000
#define GROUP_FD     1001

/* Where the memory lies that a test maps, unless it has real memory. */
#define MEMORY UINT64_C(0x100000000)

#define GIB(n)        ((uint64_t)(n) << 30)
#define SECOND_WINDOW (UINT64_C(1) << 59)

/* What one call must look like, and what it gives. Fields of 0 aren't looked at. */
struct expectation {
	unsigned long request;
	uint64_t start; /* iova, or the start of a window */
	uint64_t size;
	uint64_t from;  /* of a MAP: the offset in the memory */
	uint32_t flags; /* of the group's status or of a MAP; levels of a CREATE */
	uint32_t shift; /* of a CREATE */
	int result;
	const struct vfio_iommu_spapr_tce_info *info;
};

struct script {
	struct kernel kernel;
	const struct expectation *next;
	uint64_t memory;
	unsigned int closed;
};

static inline void play_map(const struct script *script, const struct expectation *expected,
			    const void *argument)
{
	struct vfio_iommu_type1_dma_map map;

	memcpy(&map, argument, sizeof(map));
	assert_int_equal(map.argsz, sizeof(map));
	assert_int_equal(map.iova, expected->start);
	assert_int_equal(map.size, expected->size);
	assert_int_equal(map.flags, expected->flags);
	assert_int_equal(map.vaddr, script->memory + expected->from);
}

/* Its size stays as it was, as the kernel has it (field note H14). */
static inline void play_unmap(const struct expectation *expected, const void *argument)
{
	struct vfio_iommu_type1_dma_unmap unmap;

	memcpy(&unmap, argument, sizeof(unmap));
	assert_int_equal(unmap.argsz, sizeof(unmap));
	assert_int_equal(unmap.flags, 0);
	assert_int_equal(unmap.iova, expected->start);
	assert_int_equal(unmap.size, expected->size);
}

static inline void play_create(const struct expectation *expected, void *argument)
{
	struct vfio_iommu_spapr_tce_create create;

	memcpy(&create, argument, sizeof(create));
	assert_int_equal(create.argsz, sizeof(create));
	assert_int_equal(create.flags, 0);
	assert_int_equal(create.window_size, expected->size);
	assert_int_equal(create.page_shift, expected->shift);
	assert_int_equal(create.levels, expected->flags);
	create.start_addr = expected->start;
	memcpy(argument, &create, sizeof(create));
}

static inline int script_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct script *script = (struct script *)kernel;
	const struct expectation *expected = script->next++;

	assert_int_equal(request, expected->request);
	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		assert_true(fd >= GROUP_FD);
		if (expected->result == 0) {
			((struct vfio_group_status *)argument)->flags = expected->flags;
		}
		break;
	case VFIO_GROUP_SET_CONTAINER:
		assert_int_equal(*(int *)argument, CONTAINER_FD);
		break;
	case VFIO_GROUP_UNSET_CONTAINER:
		assert_true(fd >= GROUP_FD);
		break;
	case VFIO_SET_IOMMU:
		assert_int_equal((uintptr_t)argument, expected->flags);
		break;
	case VFIO_IOMMU_SPAPR_TCE_GET_INFO:
		if (expected->info) {
			memcpy(argument, expected->info, sizeof(*expected->info));
		}
		break;
	case VFIO_IOMMU_MAP_DMA:
		play_map(script, expected, argument);
		break;
	case VFIO_IOMMU_UNMAP_DMA:
		play_unmap(expected, argument);
		break;
	case VFIO_IOMMU_SPAPR_TCE_CREATE:
		play_create(expected, argument);
		break;
	case VFIO_IOMMU_SPAPR_TCE_REMOVE:
		assert_int_equal(((struct vfio_iommu_spapr_tce_remove *)argument)->start_addr,
				 expected->start);
		break;
	default:
		break;
	}
	return expected->result;
}

static inline void script_close(struct kernel *kernel, int fd)
{
	(void)fd;
	((struct script *)kernel)->closed++;
}

/* Of a kernel with 4 KiB pages. */
static inline struct script script_make(const struct expectation *expectations)
{
	static const struct kernel_operations operations = {
		.ioctl = script_ioctl,
		.close = script_close,
	};

	return (struct script){
		.kernel = {.operations = &operations, .page_shift = 12},
		.next = expectations,
		.memory = MEMORY,
	};
}

/* hosts */

#define TCE_INFO_SIZE sizeof(struct vfio_iommu_spapr_tce_info)

static const struct vfio_iommu_spapr_tce_info powernv9 = {
	.argsz = TCE_INFO_SIZE,
	.flags = VFIO_IOMMU_SPAPR_INFO_DDW,
	.dma32_window_size = 0x80000000,
	.ddw = {.pgsizes = 0x40211000, .max_dynamic_windows_supported = 2, .levels = 5},
};

static const struct vfio_iommu_spapr_tce_info partition = {
	.argsz = TCE_INFO_SIZE,
	.flags = VFIO_IOMMU_SPAPR_INFO_DDW,
	.dma32_window_size = 0x40000000,
	.ddw = {.pgsizes = 0x1211000, .max_dynamic_windows_supported = 2, .levels = 1},
};

/* calls */

#define VIABLE VFIO_GROUP_FLAGS_VIABLE
#define ATTACH_BEGIN                                                        \
	{                                                                   \
		.request = VFIO_GET_API_VERSION, .result = VFIO_API_VERSION \
	}
#define EXTENSION(have)                                           \
	{                                                         \
		.request = VFIO_CHECK_EXTENSION, .result = (have) \
	}
#define STATUS(bits)                                              \
	{                                                         \
		.request = VFIO_GROUP_GET_STATUS, .flags = (bits) \
	}
#define GONE                                                        \
	{                                                           \
		.request = VFIO_GROUP_GET_STATUS, .result = -ENODEV \
	}
#define JOIN(outcome)                                                    \
	{                                                                \
		.request = VFIO_GROUP_SET_CONTAINER, .result = (outcome) \
	}
#define TYPE(iommu, outcome)                                                     \
	{                                                                        \
		.request = VFIO_SET_IOMMU, .flags = (iommu), .result = (outcome) \
	}
#define INFO(host)                                                       \
	{                                                                \
		.request = VFIO_IOMMU_SPAPR_TCE_GET_INFO, .info = (host) \
	}
#define INFO_FAILS(outcome)                                                   \
	{                                                                     \
		.request = VFIO_IOMMU_SPAPR_TCE_GET_INFO, .result = (outcome) \
	}
#define LEAVE                                         \
	{                                             \
		.request = VFIO_GROUP_UNSET_CONTAINER \
	}
#define ATTACH_TO(host, eeh)                                                                   \
	ATTACH_BEGIN, EXTENSION(1), STATUS(VIABLE), JOIN(0), TYPE(VFIO_SPAPR_TCE_v2_IOMMU, 0), \
		INFO(host), EXTENSION(eeh)
#define ATTACH ATTACH_TO(&powernv9, 1)
#define REGISTER_RESULT(outcome)                                                 \
	{                                                                        \
		.request = VFIO_IOMMU_SPAPR_REGISTER_MEMORY, .result = (outcome) \
	}
#define CREATE_SHIFT(page, at, bytes, level, outcome)                                   \
	{                                                                               \
		.request = VFIO_IOMMU_SPAPR_TCE_CREATE, .start = (at), .size = (bytes), \
		.flags = (level), .shift = (page), .result = (outcome)                  \
	}
#define CREATE(at, bytes, level, outcome) CREATE_SHIFT(16, at, bytes, level, outcome)
#define REMOVE(at)                                                    \
	{                                                             \
		.request = VFIO_IOMMU_SPAPR_TCE_REMOVE, .start = (at) \
	}
#define MAP_FROM(at, offset, bytes, outcome)                                                     \
	{                                                                                        \
		.request = VFIO_IOMMU_MAP_DMA, .start = (at), .size = (bytes), .from = (offset), \
		.flags = 3, .result = (outcome)                                                  \
	}
/* Of a mapping that begins with the window and the memory. */
#define MAP(at, bytes, outcome) MAP_FROM(at, (at) & (SECOND_WINDOW - 1), bytes, outcome)
#define UNMAP(at, bytes, outcome)                                                \
	{                                                                        \
		.request = VFIO_IOMMU_UNMAP_DMA, .start = (at), .size = (bytes), \
		.result = (outcome)                                              \
	}
/* The table of the default window is made. */
#define SETTLE UNMAP(0, 0x1000, 0)
#define END                  \
	{                    \
		.request = 0 \
	}

static const struct container_kind *const kinds_v2[] = {&tce_v2_kind, NULL};
static const struct container_kind *const kinds_v1[] = {&tce_v1_kind, NULL};
static const struct container_kind *const kinds_both[] = {&tce_v2_kind, &tce_v1_kind, NULL};

static inline int open_as(struct script *script, const struct container_kind *const *kinds,
			  const char *iommu_type, struct container **ret_container,
			  struct error *error)
{
	struct container_request request = {
		.container_fd = CONTAINER_FD,
		.group_fd = GROUP_FD,
		.group = 5,
		.id = 1,
		.iommu_type = iommu_type,
	};

	return container_open(&script->kernel, kinds, &request, ret_container, error);
}

static inline struct container *attach_as(struct script *script,
					  const struct container_kind *const *kinds)
{
	struct container *container = NULL;
	struct error error;

	assert_int_equal(open_as(script, kinds, NULL, &container, &error), 0);
	return container;
}

static inline struct container *attach(struct script *script)
{
	return attach_as(script, kinds_v2);
}

/* All that was expected has been asked. */
static inline void detach(struct script *script, struct container *container)
{
	container_free(container);
	assert_int_equal(script->next->request, 0);
	assert_int_equal(script->closed, 2);
}

static inline void assert_says(const struct error *error, const char *words)
{
	if (!strstr(error->text, words)) {
		print_error("%s\n", error->text);
	}
	assert_non_null(strstr(error->text, words));
}

/* An attaching that must fail. */
static inline void refuse(const struct expectation *expectations,
			  const struct container_kind *const *kinds, const char *iommu_type,
			  enum error_code code, const char *words)
{
	struct script script = script_make(expectations);
	struct container *container = NULL;
	struct error error = {.text = ""};

	assert_int_equal(open_as(&script, kinds, iommu_type, &container, &error), code);
	assert_says(&error, words);
	assert_null(container);
	assert_int_equal(script.next->request, 0);
	assert_int_equal(script.closed, 2);
}

/* Register some memory. */
static inline void add_memory(struct container *container)
{
	static const struct section section = {.gpa = {0, 0x10000000}};
	struct error error;

	assert_int_equal(container_memory_add(container, &section, &error), 0);
}

/* Map what begins at an offset in the memory, for reading and writing. */
static inline int map_from(struct script *script, struct container *container, uint64_t start,
			   uint64_t from, uint64_t size, struct error *error)
{
	/* Whatever the caller believes of the window. */
	struct window window = {.range = {0, UINT64_MAX}, .page_shift = 12, .levels = 1};

	return container_map(container, &window, (struct range){start, size},
			     (void *)(uintptr_t)(script->memory + from), 3, error);
}

/* The same where the memory begins with the window. */
static inline int map_at(struct script *script, struct container *container, uint64_t start,
			 uint64_t size, struct error *error)
{
	return map_from(script, container, start, start & (SECOND_WINDOW - 1), size, error);
}

static inline int unmap_at(struct container *container, uint64_t start, uint64_t size,
			   struct error *error)
{
	return container_unmap(container, (struct range){start, size}, error);
}

/* Create a window as it is, without asking the planner. */
static inline int create_as(struct container *container, uint32_t page_shift, uint64_t size,
			    uint32_t levels, struct window *ret_window, struct error *error)
{
	struct window_plan plan = {.start = WORKER_WINDOW_ANYWHERE,
				   .size = size,
				   .page_shift = page_shift,
				   .levels = levels};

	return container_window_create(container, &plan, ret_window, error);
}
