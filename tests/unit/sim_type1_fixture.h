/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel model for tests: a type1 host with an edu device's group in a container. */
#pragma once

#include <stdio.h>

#include "sim/type1.h"
#include "sim_model_fixture.h"

#define PAGE          UINT64_C(0x1000)
#define PAGE_SIZES    UINT64_C(0x40201000)
#define ENTRY_LIMIT   8U
#define SECOND_DEVICE "0000:02:00.0"
#define MSI_FIRST     UINT64_C(0xfee00000)
#define MSI_LAST      UINT64_C(0xfeefffff)
#define IOVA          UINT64_C(0x10000000)

/* the fixture: the host "x86", with a group in a container that has no IOMMU type yet */

/* Open the node of the group that a device is in. */
static inline int open_group_of(struct fixture *fixture, const char *device,
				struct sim_node *ret_group)
{
	int index = sim_host_find_device(fixture->host, device);
	char path[32];

	assert_true(index >= 0);
	(void)snprintf(path, sizeof(path), "/dev/vfio/%d", fixture->host->devices[index].group);
	return sim_model_open(fixture->model, path, ret_group);
}

static inline int set_up_type1_host(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_int_equal(sim_host_new_builtin("x86", &fixture->host), 0);
	assert_int_equal(fixture->host->platform, SIM_TYPE1);
	assert_int_equal(fixture->host->dma_entry_limit, 65535);
	assert_int_equal(fixture->host->settings.kernel, SIM_KERNEL(6, 12));
	assert_int_equal(fixture->host->iova_range_count, 2);
	fixture->host->dma_entry_limit = ENTRY_LIMIT;
	assert_int_equal(sim_model_new(fixture->host, &fixture->model), 0);
	fixture->mm = sim_model_mm_new(fixture->model);
	assert_non_null(fixture->mm);
	fixture->caller = (struct sim_caller){.mm = fixture->mm, .memlock_limit = NO_LIMIT};
	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/vfio", &fixture->container), 0);
	assert_int_equal(open_group_of(fixture, EDU, &fixture->group), 0);
	assert_int_equal(join(fixture, fixture->group, fixture->container), 0);
	*state = fixture;
	return 0;
}

static inline int set_up_type(void **state, uint64_t type)
{
	struct fixture *fixture;

	(void)set_up_type1_host(state);
	fixture = *state;
	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_SET_IOMMU, type), 0);
	return 0;
}

static inline int set_up_v1(void **state)
{
	return set_up_type(state, VFIO_TYPE1_IOMMU);
}

static inline int set_up_v2(void **state)
{
	return set_up_type(state, VFIO_TYPE1v2_IOMMU);
}

static inline uint64_t last_iova(const struct fixture *fixture)
{
	return fixture->host->iova_ranges[1].last;
}

/* calls */

static inline int map_pieces(struct fixture *fixture, const struct sim_caller *caller,
			     struct vfio_iommu_type1_dma_map dma, struct sim_pieces pieces)
{
	struct sim_argument argument = {.data = &dma, .size = sizeof(dma), .pieces = pieces};
	int result = sim_node_ioctl(fixture->container, caller, VFIO_IOMMU_MAP_DMA, &argument);

	sim_pieces_done(&argument.pieces);
	return result;
}

static inline struct vfio_iommu_type1_dma_map map_of(uint64_t iova, uint64_t size)
{
	return (struct vfio_iommu_type1_dma_map){
		.argsz = sizeof(struct vfio_iommu_type1_dma_map),
		.flags = READ_WRITE,
		.vaddr = USER_ADDRESS,
		.iova = iova,
		.size = size,
	};
}

/* Memory without contents, as much as is mapped. */
static inline int map_nothing(struct fixture *fixture, uint64_t iova, uint64_t size)
{
	return map_pieces(fixture, &fixture->caller, map_of(iova, size),
			  one_piece(&nothing_operations, NULL, size, 12));
}

/* Any mapping, with 16 pages of memory behind it. */
static inline int map_changed(struct fixture *fixture, struct vfio_iommu_type1_dma_map dma)
{
	return map_pieces(fixture, &fixture->caller, dma,
			  one_piece(&nothing_operations, NULL, 16 * PAGE, 12));
}

static inline int unmap_flags(struct fixture *fixture, uint64_t iova, uint64_t *size,
			      uint32_t flags)
{
	struct vfio_iommu_type1_dma_unmap dma = {
		.argsz = sizeof(dma),
		.flags = flags,
		.iova = iova,
		.size = *size,
	};
	int result =
		struct_ioctl(fixture, fixture->container, VFIO_IOMMU_UNMAP_DMA, &dma, sizeof(dma));

	*size = dma.size;
	return result;
}

/* Unmap and look at the size that comes back. */
static inline void expect_unmap(struct fixture *fixture, uint64_t iova, uint64_t size, int result,
				uint64_t unmapped)
{
	assert_int_equal(unmap_flags(fixture, iova, &size, 0), result);
	if (result == 0) {
		assert_int_equal(size, unmapped);
	}
}

static inline uint64_t mapped(struct fixture *fixture)
{
	return statistics(fixture).mapped_tces * PAGE;
}

static inline int reads(struct fixture *fixture, uint64_t iova)
{
	struct error error;
	uint8_t byte;

	return sim_model_dma_read(fixture->model, EDU, iova, &byte, 1, &error);
}

#define TYPE1_TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
