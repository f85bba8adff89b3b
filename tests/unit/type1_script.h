/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kernel for type1 containers that expects a list of ioctls, with results for each. */
#pragma once

#include <errno.h>
#include <linux/vfio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/worker_protocol.h"
#include "unit.h"
#include "vfio/type1.h"

#define CONTAINER_FD 1000
#define GROUP_FD     1001
#define SECOND_FD    1002
#define PAGE         UINT64_C(0x1000)
#define MEMORY       UINT64_C(0x100000000)
#define HIGH         UINT64_C(0xfef00000)
#define GIB(n)       ((uint64_t)(n) << 30)

#define READ_WRITE (WORKER_PROT_READ | WORKER_PROT_WRITE)

/* What one call must look like, and what it gives. */
struct expectation {
	unsigned long request;
	uint64_t start; /* iova; or the extension; or the first IOVA range's last address */
	uint64_t size;
	uint64_t value;      /* bytes that an UNMAP tells; the address of a MAP */
	uint64_t page_sizes; /* of an info */
	uint32_t flags;      /* of the group's status or of a MAP; the entries left of an info */
	int result;
};

struct script {
	struct kernel kernel;
	const struct expectation *next;
	unsigned int closed;
};

static inline void play_map(const struct expectation *expected, const void *argument)
{
	struct vfio_iommu_type1_dma_map map;

	memcpy(&map, argument, sizeof(map));
	assert_int_equal(map.argsz, sizeof(map));
	assert_int_equal(map.iova, expected->start);
	assert_int_equal(map.size, expected->size);
	assert_int_equal(map.flags, expected->flags);
	assert_int_equal(map.vaddr, expected->value);
}

static inline void play_unmap(const struct expectation *expected, void *argument)
{
	struct vfio_iommu_type1_dma_unmap unmap;

	memcpy(&unmap, argument, sizeof(unmap));
	assert_int_equal(unmap.argsz, sizeof(unmap));
	assert_int_equal(unmap.flags, 0);
	assert_int_equal(unmap.iova, expected->start);
	assert_int_equal(unmap.size, expected->size);
	if (expected->result == 0) {
		unmap.size = expected->value;
		memcpy(argument, &unmap, sizeof(unmap));
	}
}

/* Two IOVA ranges and the entries left, or what fits. */
static inline void play_info(const struct expectation *expected, void *argument)
{
	struct {
		struct vfio_iommu_type1_info info;
		struct vfio_info_cap_header left_header;
		uint64_t left;
		struct vfio_info_cap_header ranges_header;
		uint32_t count;
		uint32_t reserved;
		struct vfio_iova_range range[2];
	} answer = {
		.info = {.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
			 .iova_pgsizes = expected->page_sizes},
		.left_header = {.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, .version = 1},
		.left = expected->flags,
		.ranges_header = {.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, .version = 1},
		.count = 2,
		.range = {{0, expected->start}, {HIGH, GIB(1024) - 1}},
	};
	uint32_t room;

	memcpy(&room, argument, sizeof(room));
	answer.info.argsz = room;
	if (room < sizeof(answer)) {
		answer.info.argsz = sizeof(answer);
		memcpy(argument, &answer.info, sizeof(answer.info));
		return;
	}
	answer.info.cap_offset = sizeof(answer.info);
	answer.left_header.next = offsetof(typeof(answer), ranges_header);
	memcpy(argument, &answer, sizeof(answer));
}

static inline int script_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct script *script = (struct script *)kernel;
	const struct expectation *expected = script->next++;

	(void)fd;
	assert_int_equal(request, expected->request);
	switch (request) {
	case VFIO_CHECK_EXTENSION:
	case VFIO_SET_IOMMU:
		assert_int_equal((uintptr_t)argument, expected->start);
		break;
	case VFIO_GROUP_GET_STATUS:
		if (expected->result == 0) {
			((struct vfio_group_status *)argument)->flags = expected->flags;
		}
		break;
	case VFIO_GROUP_SET_CONTAINER:
		assert_int_equal(*(int *)argument, CONTAINER_FD);
		break;
	case VFIO_IOMMU_GET_INFO:
		play_info(expected, argument);
		break;
	case VFIO_IOMMU_MAP_DMA:
		play_map(expected, argument);
		break;
	case VFIO_IOMMU_UNMAP_DMA:
		play_unmap(expected, argument);
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

static const struct kernel_operations script_operations = {
	.ioctl = script_ioctl,
	.close = script_close,
};

static inline struct script script_make(const struct expectation *expectations)
{
	return (struct script){.kernel = {.operations = &script_operations}, .next = expectations};
}

#define VIABLE VFIO_GROUP_FLAGS_VIABLE
#define ATTACH_BEGIN                                                        \
	{                                                                   \
		.request = VFIO_GET_API_VERSION, .result = VFIO_API_VERSION \
	}
#define EXTENSION(kind, have)                                                      \
	{                                                                          \
		.request = VFIO_CHECK_EXTENSION, .start = (kind), .result = (have) \
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
#define TYPE(kind, outcome)                                                     \
	{                                                                       \
		.request = VFIO_SET_IOMMU, .start = (kind), .result = (outcome) \
	}
#define INFO_ONCE(last, sizes, left)                                                    \
	{                                                                               \
		.request = VFIO_IOMMU_GET_INFO, .start = (last), .page_sizes = (sizes), \
		.flags = (left)                                                         \
	}
/* First for its size. */
#define INFO(last, sizes, left) INFO_ONCE(last, sizes, left), INFO_ONCE(last, sizes, left)
#define LEAVE                                         \
	{                                             \
		.request = VFIO_GROUP_UNSET_CONTAINER \
	}
#define ATTACH_WITH(left)                                                               \
	ATTACH_BEGIN, EXTENSION(VFIO_TYPE1v2_IOMMU, 1), EXTENSION(VFIO_TYPE1_IOMMU, 1), \
		STATUS(VIABLE), JOIN(0), TYPE(VFIO_TYPE1v2_IOMMU, 0),                   \
		INFO(0xfedfffff, 0x40201000, left)
#define ATTACH ATTACH_WITH(100)
#define MAP_PROT(at, bytes, address, prot, outcome)                                                \
	{                                                                                          \
		.request = VFIO_IOMMU_MAP_DMA, .start = (at), .size = (bytes), .value = (address), \
		.flags = (prot), .result = (outcome)                                               \
	}
/* The memory's first page is mapped at iova 0, and so on. */
#define MAP(at, bytes, outcome) MAP_PROT(at, bytes, MEMORY + (at), READ_WRITE, outcome)
#define UNMAP_TELLS(at, bytes, outcome, told)                                                     \
	{                                                                                         \
		.request = VFIO_IOMMU_UNMAP_DMA, .start = (at), .size = (bytes), .value = (told), \
		.result = (outcome)                                                               \
	}
#define UNMAP(at, bytes) UNMAP_TELLS(at, bytes, 0, bytes)
#define END                  \
	{                    \
		.request = 0 \
	}

static const struct container_kind *const kinds[] = {&type1v2_kind, &type1_kind, NULL};

static const struct container_request opening = {
	.container_fd = CONTAINER_FD,
	.group_fd = GROUP_FD,
	.group = 5,
	.id = 1,
};

static inline struct container *attach(struct script *script)
{
	struct container *container = NULL;
	struct error error = {.text = ""};

	if (container_open(&script->kernel, kinds, &opening, &container, &error) != 0) {
		fail_msg("%s", error.text);
	}
	return container;
}

static inline void detach(struct script *script, struct container *container)
{
	container_free(container);
	assert_int_equal(script->next->request, 0);
	assert_int_equal(script->closed, 2);
}

static inline void check_text(const struct error *error, const char *text)
{
	if (!strstr(error->text, text)) {
		fail_msg("\"%s\" does not say \"%s\"", error->text, text);
	}
}

/* as the address space calls it: memory page by page from iova 0 on */

static inline int map_at(struct container *container, uint64_t iova, uint64_t size,
			 uint64_t address, struct error *error)
{
	return container_map(container, &container->capabilities.default_windows[0],
			     (struct range){iova, size}, (void *)(uintptr_t)address, READ_WRITE,
			     error);
}

static inline int map(struct container *container, uint64_t iova, uint64_t size,
		      struct error *error)
{
	return map_at(container, iova, size, MEMORY + iova, error);
}

static inline int unmap(struct container *container, uint64_t iova, uint64_t size,
			struct error *error)
{
	return container_unmap(container, (struct range){iova, size}, error);
}
