/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel model for tests: an edu device's group in a container with TCE v2. */
#pragma once

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/model.h"
#include "unit.h"

#define KIB           UINT64_C(1024)
#define MIB           (1024 * KIB)
#define GIB           (1024 * MIB)
#define TIB           (1024 * GIB)
#define USER_ADDRESS  UINT64_C(0x7fff00000000)
#define SECOND_WINDOW (UINT64_C(1) << 59)
#define READ_WRITE    (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define EDU           "0000:01:00.0"
#define E1000E        "0001:01:00.0"
#define GROUP_EDU     "/dev/vfio/0"
#define GROUP_E1000E  "/dev/vfio/1"
#define NO_LIMIT      UINT64_MAX

/* memory of a test */

struct buffer {
	uint8_t *bytes;
	uint64_t size;
};

static inline int buffer_read(void *memory, uint64_t offset, void *data, size_t size)
{
	memcpy(data, ((struct buffer *)memory)->bytes + offset, size);
	return 0;
}

static inline int buffer_write(void *memory, uint64_t offset, const void *data, size_t size)
{
	memcpy(((struct buffer *)memory)->bytes + offset, data, size);
	return 0;
}

static inline void buffer_free(void *memory)
{
	free(((struct buffer *)memory)->bytes);
	free(memory);
}

static const struct sim_memory_operations buffer_operations = {
	.read = buffer_read,
	.write = buffer_write,
	.free = buffer_free,
};

/* Memory that nobody looks into costs nothing, so that it can be large. */
static inline int nothing_read(void *memory, uint64_t offset, void *data, size_t size)
{
	(void)memory;
	(void)offset;
	memset(data, 0, size);
	return 0;
}

static inline int nothing_write(void *memory, uint64_t offset, const void *data, size_t size)
{
	(void)memory;
	(void)offset;
	(void)data;
	(void)size;
	return 0;
}

static inline void nothing_free(void *memory)
{
	(void)memory;
}

static const struct sim_memory_operations nothing_operations = {
	.read = nothing_read,
	.write = nothing_write,
	.free = nothing_free,
};

/* the fixture: an edu device's group in a container with TCE v2 */

struct fixture {
	struct sim_host *host;
	struct sim_model *model;
	struct sim_mm *mm;
	struct sim_caller caller;
	struct sim_node container;
	struct sim_node group;
	uint8_t data[SIM_ARGUMENT_MAX] __attribute__((aligned(8)));
};

static inline int value_ioctl(struct fixture *fixture, struct sim_node node, unsigned long request,
			      uint64_t value)
{
	struct sim_argument argument = {.value = value, .data = fixture->data};

	return sim_node_ioctl(node, &fixture->caller, request, &argument);
}

static inline int struct_ioctl(struct fixture *fixture, struct sim_node node, unsigned long request,
			       void *structure, size_t size)
{
	struct sim_argument argument = {.data = fixture->data};
	int result;

	memset(fixture->data, 0, sizeof(fixture->data));
	memcpy(fixture->data, structure, size);
	result = sim_node_ioctl(node, &fixture->caller, request, &argument);
	if (result >= 0) {
		memcpy(structure, fixture->data, argument.out_size);
	}
	return result;
}

static inline int join(struct fixture *fixture, struct sim_node group, struct sim_node container)
{
	struct sim_argument_fd fd = {.node = container, .fd = -1};
	struct sim_argument argument = {
		.data = fixture->data,
		.fds = &fd,
		.fd_count = 1,
	};

	memset(fixture->data, 0, sizeof(int32_t)); /* the index of the fd */
	return sim_node_ioctl(group, &fixture->caller, VFIO_GROUP_SET_CONTAINER, &argument);
}

static inline int set_up_host(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_int_equal(sim_host_new_builtin("powernv9", &fixture->host), 0);
	assert_int_equal(sim_model_new(fixture->host, &fixture->model), 0);
	fixture->mm = sim_model_mm_new(fixture->model);
	assert_non_null(fixture->mm);
	fixture->caller = (struct sim_caller){
		.mm = fixture->mm,
		.memlock_limit = NO_LIMIT,
	};
	*state = fixture;
	return 0;
}

static inline int set_up(void **state)
{
	struct fixture *fixture;

	(void)set_up_host(state);
	fixture = *state;
	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/vfio", &fixture->container), 0);
	assert_int_equal(sim_model_open(fixture->model, GROUP_EDU, &fixture->group), 0);
	assert_int_equal(join(fixture, fixture->group, fixture->container), 0);
	assert_int_equal(
		value_ioctl(fixture, fixture->container, VFIO_SET_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU),
		0);
	return 0;
}

static inline struct sim_statistics statistics(struct fixture *fixture)
{
	struct sim_statistics result;

	sim_model_statistics(fixture->model, fixture->mm, &result);
	return result;
}

/* Close everything and look that nothing stays. */
static inline int tear_down(void **state)
{
	struct fixture *fixture = *state;

	sim_node_close(fixture->group);
	sim_node_close(fixture->container);
	fixture->mm = sim_mm_unref(fixture->mm);
	assert_null(fixture->model->mms);
	assert_null(fixture->model->containers);
	fixture->model = sim_model_free(fixture->model);
	fixture->host = sim_host_free(fixture->host);
	free(fixture);
	return 0;
}

/* calls */

static inline struct sim_pieces one_piece(const struct sim_memory_operations *operations,
					  void *memory, uint64_t size, unsigned int page_shift)
{
	struct sim_pieces pieces = {.piece = calloc(1, sizeof(*pieces.piece)), .count = 1};

	pieces.piece[0] = (struct sim_piece){
		.operations = operations,
		.memory = memory,
		.size = size,
		.page_shift = page_shift,
	};
	return pieces;
}

static inline int register_pieces(struct fixture *fixture, uint64_t address, uint64_t size,
				  struct sim_pieces pieces)
{
	struct vfio_iommu_spapr_register_memory memory = {
		.argsz = sizeof(memory),
		.vaddr = address,
		.size = size,
	};
	struct sim_argument argument = {.data = &memory, .pieces = pieces};
	int result = sim_node_ioctl(fixture->container, &fixture->caller,
				    VFIO_IOMMU_SPAPR_REGISTER_MEMORY, &argument);

	sim_pieces_done(&argument.pieces);
	return result;
}

static inline int register_memory(struct fixture *fixture, uint64_t address, uint64_t size)
{
	return register_pieces(fixture, address, size,
			       one_piece(&nothing_operations, NULL, size, 12));
}

static inline int unregister_memory(struct fixture *fixture, uint64_t address, uint64_t size)
{
	struct vfio_iommu_spapr_register_memory memory = {
		.argsz = sizeof(memory),
		.vaddr = address,
		.size = size,
	};

	return struct_ioctl(fixture, fixture->container, VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY,
			    &memory, sizeof(memory));
}

static inline int map(struct fixture *fixture, uint64_t iova, uint64_t address, uint64_t size,
		      uint32_t flags)
{
	struct vfio_iommu_type1_dma_map dma = {
		.argsz = sizeof(dma),
		.flags = flags,
		.vaddr = address,
		.iova = iova,
		.size = size,
	};

	return struct_ioctl(fixture, fixture->container, VFIO_IOMMU_MAP_DMA, &dma, sizeof(dma));
}

static inline int unmap(struct fixture *fixture, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap dma = {.argsz = 24, .iova = iova, .size = size};

	return struct_ioctl(fixture, fixture->container, VFIO_IOMMU_UNMAP_DMA, &dma, sizeof(dma));
}

static inline int create(struct fixture *fixture, unsigned int page_shift, uint64_t size,
			 unsigned int levels, uint64_t *ret_start)
{
	struct vfio_iommu_spapr_tce_create window = {
		.argsz = sizeof(window),
		.page_shift = page_shift,
		.window_size = size,
		.levels = levels,
		.start_addr = 0x1234,
	};
	int result = struct_ioctl(fixture, fixture->container, VFIO_IOMMU_SPAPR_TCE_CREATE, &window,
				  sizeof(window));

	if (result != 0) {
		assert_int_equal(window.start_addr, 0x1234);
	}
	if (ret_start) {
		*ret_start = window.start_addr;
	}
	return result;
}

static inline int remove_window(struct fixture *fixture, uint64_t start)
{
	struct vfio_iommu_spapr_tce_remove window = {.argsz = sizeof(window), .start_addr = start};

	return struct_ioctl(fixture, fixture->container, VFIO_IOMMU_SPAPR_TCE_REMOVE, &window,
			    sizeof(window));
}

static inline uint64_t locked(struct fixture *fixture)
{
	return statistics(fixture).caller_locked_bytes;
}

#define MODEL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
