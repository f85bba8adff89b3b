/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The type1 backend of the kernel model against vfio_iommu_type1.c of Linux 6.12: which call gets
 * which errno, and what stays mapped. */
#include "sim_type1_fixture.h"

#define NESTING          VFIO_TYPE1_NESTING_IOMMU
#define INFO_SIZE        24U
#define CAPS_SIZE        (32U + 16U + 48U)
#define MEMLOCK_PAGES    16U
#define KERNEL_OVERFLOWS SIM_KERNEL(7, 2)

static int check_extension(struct fixture *fixture, uint64_t extension)
{
	return value_ioctl(fixture, fixture->container, VFIO_CHECK_EXTENSION, extension);
}

static int set_iommu(struct fixture *fixture, uint64_t type)
{
	return value_ioctl(fixture, fixture->container, VFIO_SET_IOMMU, type);
}

/* extensions and types */

static void test_extensions_that_need_an_iommu_come_with_it(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t always[] = {VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU, NESTING, VFIO_UNMAP_ALL};
	const uint64_t never[] = {0,
				  VFIO_SPAPR_TCE_IOMMU,
				  VFIO_DMA_CC_IOMMU,
				  VFIO_EEH,
				  VFIO_SPAPR_TCE_v2_IOMMU,
				  VFIO_NOIOMMU_IOMMU,
				  11,
				  1000};

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
			assert_int_equal(check_extension(fixture, always[i]), 1);
		}
		for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
			assert_int_equal(check_extension(fixture, never[i]), 0);
		}
		assert_int_equal(check_extension(fixture, VFIO_UPDATE_VADDR), round);
		if (round == 0) {
			assert_int_equal(set_iommu(fixture, VFIO_TYPE1v2_IOMMU), 0);
		}
	}
	fixture->host->settings.kernel = SIM_KERNEL(7, 2);
	assert_int_equal(check_extension(fixture, NESTING), 0);
}

static void test_set_iommu_takes_types_only(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t missing[] = {0,
				    VFIO_SPAPR_TCE_IOMMU,
				    VFIO_DMA_CC_IOMMU,
				    VFIO_SPAPR_TCE_v2_IOMMU,
				    VFIO_UPDATE_VADDR,
				    99};
	struct sim_node lonely;

	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		assert_int_equal(set_iommu(fixture, missing[i]), -ENODEV);
	}
	/* Extensions of the driver that are no types, and a type that no IOMMU of x86 has. */
	assert_int_equal(set_iommu(fixture, VFIO_UNMAP_ALL), -EINVAL);
	assert_int_equal(set_iommu(fixture, NESTING), -EINVAL);
	assert_int_equal(set_iommu(fixture, VFIO_TYPE1_IOMMU), 0);
	assert_int_equal(set_iommu(fixture, VFIO_TYPE1v2_IOMMU), -EINVAL);

	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/vfio", &lonely), 0);
	assert_int_equal(value_ioctl(fixture, lonely, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU), -EINVAL);
	sim_node_close(lonely);
}

static void test_ioctls_of_others_are_unknown(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_IOMMU_ENABLE, 0), -ENOTTY);
	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_EEH_PE_OP, 0), -ENOTTY);
	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_IOMMU_SPAPR_TCE_CREATE, 0),
			 -ENOTTY);
}

/* GET_INFO */

static int get_info(struct fixture *fixture, uint32_t argsz, size_t *ret_size)
{
	struct sim_argument argument = {.data = fixture->data, .size = argsz};
	int result;

	memset(fixture->data, 0xa5, sizeof(fixture->data));
	memcpy(fixture->data, &argsz, sizeof(argsz));
	result = sim_node_ioctl(fixture->container, &fixture->caller, VFIO_IOMMU_GET_INFO,
				&argument);
	*ret_size = argument.out_size;
	return result;
}

static void test_get_info_without_room_says_how_much_it_takes(void **state)
{
	struct fixture *fixture = *state;
	const struct vfio_iommu_type1_info *info = (const void *)fixture->data;
	const uint32_t sizes[] = {16, 20, 24, INFO_SIZE + CAPS_SIZE - 1};
	size_t size;

	assert_int_equal(get_info(fixture, 0, &size), -EINVAL);
	assert_int_equal(get_info(fixture, 15, &size), -EINVAL);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(get_info(fixture, sizes[i], &size), 0);
		assert_int_equal(size, sizes[i] < INFO_SIZE ? sizes[i] : INFO_SIZE);
		assert_int_equal(info->argsz, INFO_SIZE + CAPS_SIZE);
		assert_int_equal(info->flags, VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS);
		assert_int_equal(info->iova_pgsizes, PAGE_SIZES);
		if (size == INFO_SIZE) {
			assert_int_equal(info->cap_offset, 0);
		}
		assert_int_equal(fixture->data[size], 0xa5);
	}
}

static const struct vfio_info_cap_header *capability(const uint8_t *data, uint32_t offset)
{
	return (const void *)(data + offset);
}

static void test_get_info_chains_migration_room_and_ranges(void **state)
{
	struct fixture *fixture = *state;
	const struct vfio_iommu_type1_info *info = (const void *)fixture->data;
	const struct vfio_iommu_type1_info_cap_migration *migration;
	const struct vfio_iommu_type1_info_dma_avail *avail;
	const struct vfio_iommu_type1_info_cap_iova_range *iova;
	size_t size;

	assert_int_equal(map_nothing(fixture, IOVA, PAGE), 0);
	assert_int_equal(get_info(fixture, 4096, &size), 0);
	assert_int_equal(size, INFO_SIZE + CAPS_SIZE);
	assert_int_equal(info->argsz, 4096);
	assert_int_equal(info->cap_offset, INFO_SIZE);

	migration = (const void *)capability(fixture->data, info->cap_offset);
	assert_int_equal(migration->header.id, VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION);
	assert_int_equal(migration->header.version, 1);
	assert_int_equal(migration->flags, 0);
	assert_int_equal(migration->pgsize_bitmap, PAGE);
	assert_int_equal(migration->max_dirty_bitmap_size, 256 * MIB);

	avail = (const void *)capability(fixture->data, migration->header.next);
	assert_int_equal(avail->header.id, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
	assert_int_equal(avail->avail, ENTRY_LIMIT - 1);

	iova = (const void *)capability(fixture->data, avail->header.next);
	assert_int_equal(iova->header.id, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	assert_int_equal(iova->header.next, 0);
	assert_int_equal(iova->nr_iovas, 2);
	assert_int_equal(iova->iova_ranges[0].start, 0);
	assert_int_equal(iova->iova_ranges[0].end, MSI_FIRST - 1);
	assert_int_equal(iova->iova_ranges[1].start, MSI_LAST + 1);
	assert_int_equal(iova->iova_ranges[1].end, last_iova(fixture));
}

static void test_pages_below_the_hosts_are_hidden(void **state)
{
	struct fixture *fixture = *state;
	const struct vfio_iommu_type1_info *info = (const void *)fixture->data;
	size_t size;

	for (size_t i = 0; i < fixture->host->phb_count; i++) {
		fixture->host->phbs[i].page_sizes = 0x200200;
	}
	assert_int_equal(get_info(fixture, 16, &size), 0);
	assert_int_equal(info->iova_pgsizes, 0x201000);
	for (size_t i = 0; i < fixture->host->phb_count; i++) {
		fixture->host->phbs[i].page_sizes = 0x210000;
	}
	assert_int_equal(get_info(fixture, 16, &size), 0);
	assert_int_equal(info->iova_pgsizes, 0x210000);
	assert_int_equal(map_nothing(fixture, PAGE, 64 * KIB), -EINVAL);
	assert_int_equal(map_nothing(fixture, 64 * KIB, 64 * KIB), 0);
}

/* MAP_DMA */

static void test_map_refuses_what_is_no_mapping(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_iommu_type1_dma_map dma = map_of(IOVA, PAGE);

	dma.argsz = 31;
	assert_int_equal(map_changed(fixture, dma), -EINVAL);
	dma = map_of(IOVA, PAGE);
	dma.flags = 0;
	assert_int_equal(map_changed(fixture, dma), -EINVAL);
	dma.flags = READ_WRITE | 1U << 3;
	assert_int_equal(map_changed(fixture, dma), -EINVAL);
	dma.flags = READ_WRITE | VFIO_DMA_MAP_FLAG_VADDR;
	assert_int_equal(map_changed(fixture, dma), -EINVAL);
	assert_int_equal(map_changed(fixture, map_of(IOVA, 0)), -EINVAL);
	assert_int_equal(map_changed(fixture, map_of(IOVA + 0x800, PAGE)), -EINVAL);
	assert_int_equal(map_changed(fixture, map_of(IOVA, 0x800)), -EINVAL);
	dma = map_of(IOVA, PAGE);
	dma.vaddr += 0x800;
	assert_int_equal(map_changed(fixture, dma), -EINVAL);
	assert_int_equal(statistics(fixture).locked_bytes, 0);
}

static void test_a_range_that_wraps_has_another_errno_in_later_kernels(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t top = -PAGE;
	uint64_t size = 2 * PAGE;
	struct vfio_iommu_type1_dma_map dma = map_of(IOVA, 2 * PAGE);

	dma.vaddr = top;
	assert_int_equal(map_changed(fixture, map_of(top, 2 * PAGE)), -EINVAL);
	assert_int_equal(map_changed(fixture, dma), -EINVAL);
	assert_int_equal(unmap_flags(fixture, top, &size, 0), -EINVAL);
	fixture->host->settings.kernel = KERNEL_OVERFLOWS;
	assert_int_equal(map_changed(fixture, map_of(top, 2 * PAGE)), -EOVERFLOW);
	assert_int_equal(map_changed(fixture, dma), -EOVERFLOW);
	assert_int_equal(unmap_flags(fixture, top, &size, 0), -EOVERFLOW);
}

static void test_unmap_up_to_the_very_end_finds_nothing_in_earlier_kernels(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(map_nothing(fixture, IOVA, PAGE), 0);
	expect_unmap(fixture, IOVA, -IOVA, 0, 0);
	assert_int_equal(mapped(fixture), PAGE);
	fixture->host->settings.kernel = KERNEL_OVERFLOWS;
	expect_unmap(fixture, IOVA, -IOVA, 0, PAGE);
	assert_int_equal(mapped(fixture), 0);
}

static void test_h55_overlap_is_eexist(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(map_nothing(fixture, IOVA, 4 * PAGE), 0);
	assert_int_equal(map_nothing(fixture, IOVA, 4 * PAGE), -EEXIST);
	assert_int_equal(map_nothing(fixture, IOVA + PAGE, PAGE), -EEXIST);
	assert_int_equal(map_nothing(fixture, IOVA - PAGE, 2 * PAGE), -EEXIST);
	assert_int_equal(map_nothing(fixture, IOVA - PAGE, 8 * PAGE), -EEXIST);
	assert_int_equal(map_nothing(fixture, IOVA + 3 * PAGE, 2 * PAGE), -EEXIST);
	assert_int_equal(map_nothing(fixture, IOVA - PAGE, PAGE), 0);
	assert_int_equal(map_nothing(fixture, IOVA + 4 * PAGE, PAGE), 0);
	assert_int_equal(mapped(fixture), 6 * PAGE);
}

static void test_h55_too_many_mappings_are_enospc(void **state)
{
	struct fixture *fixture = *state;

	for (uint64_t i = 0; i < ENTRY_LIMIT; i++) {
		assert_int_equal(map_nothing(fixture, IOVA + 2 * i * PAGE, PAGE), 0);
	}
	assert_int_equal(map_nothing(fixture, IOVA + PAGE, PAGE), -ENOSPC);
	/* An overlap is looked for before, the IOVA ranges after. */
	assert_int_equal(map_nothing(fixture, IOVA, PAGE), -EEXIST);
	assert_int_equal(map_nothing(fixture, MSI_FIRST, PAGE), -ENOSPC);
	expect_unmap(fixture, IOVA, PAGE, 0, PAGE);
	assert_int_equal(map_nothing(fixture, IOVA + PAGE, PAGE), 0);
}

static void test_h55_iova_must_lie_in_one_range(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(map_nothing(fixture, MSI_FIRST, PAGE), -EINVAL);
	assert_int_equal(map_nothing(fixture, MSI_LAST + 1 - PAGE, PAGE), -EINVAL);
	assert_int_equal(map_nothing(fixture, MSI_FIRST - PAGE, 2 * PAGE), -EINVAL);
	assert_int_equal(map_nothing(fixture, MSI_FIRST - PAGE, 2 * MIB), -EINVAL);
	assert_int_equal(map_nothing(fixture, last_iova(fixture) + 1, PAGE), -EINVAL);
	assert_int_equal(map_nothing(fixture, MSI_FIRST - PAGE, PAGE), 0);
	assert_int_equal(map_nothing(fixture, MSI_LAST + 1, PAGE), 0);
	assert_int_equal(map_nothing(fixture, last_iova(fixture) + 1 - PAGE, PAGE), 0);
	assert_int_equal(map_nothing(fixture, 0, PAGE), 0);
}

static void test_memory_is_asked_for_after_all_other_checks(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_iommu_type1_dma_map dma = map_of(IOVA, PAGE);

	assert_int_equal(map(fixture, IOVA, USER_ADDRESS, PAGE, READ_WRITE), SIM_NEEDS_MEMORY);
	assert_int_equal(mapped(fixture), 0);
	assert_int_equal(map(fixture, MSI_FIRST, USER_ADDRESS, PAGE, READ_WRITE), -EINVAL);
	assert_int_equal(map_changed(fixture, dma), 0);
	assert_int_equal(map(fixture, IOVA, USER_ADDRESS, PAGE, READ_WRITE), -EEXIST);
}

static void test_what_is_missing_first_decides(void **state)
{
	struct fixture *fixture = *state;
	struct sim_caller poor = fixture->caller;

	poor.memlock_limit = MEMLOCK_PAGES * PAGE;
	assert_int_equal(map_pieces(fixture, &poor, map_of(IOVA, MEMLOCK_PAGES * PAGE),
				    one_piece(&nothing_operations, NULL, MEMLOCK_PAGES * PAGE, 12)),
			 0);
	expect_unmap(fixture, IOVA, MEMLOCK_PAGES * PAGE, 0, MEMLOCK_PAGES * PAGE);
	/* All is there, but too much. */
	assert_int_equal(map_pieces(fixture, &poor, map_of(IOVA, 17 * PAGE),
				    one_piece(&nothing_operations, NULL, 17 * PAGE, 12)),
			 -ENOMEM);
	/* Not all is there: the hole lies before the limit, at it, and behind. */
	assert_int_equal(map_pieces(fixture, &poor, map_of(IOVA, 32 * PAGE),
				    one_piece(&nothing_operations, NULL, 8 * PAGE, 12)),
			 -EFAULT);
	assert_int_equal(map_pieces(fixture, &poor, map_of(IOVA, 32 * PAGE),
				    one_piece(&nothing_operations, NULL, 16 * PAGE, 12)),
			 -EFAULT);
	assert_int_equal(map_pieces(fixture, &poor, map_of(IOVA, 32 * PAGE),
				    one_piece(&nothing_operations, NULL, 17 * PAGE, 12)),
			 -ENOMEM);
	assert_int_equal(statistics(fixture).locked_bytes, 0);
	assert_int_equal(mapped(fixture), 0);
}

/* UNMAP_DMA */

static void test_unmap_refuses_what_is_no_range(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_iommu_type1_dma_unmap dma = {.argsz = 23, .iova = IOVA, .size = PAGE};
	uint64_t size = PAGE;

	assert_int_equal(
		struct_ioctl(fixture, fixture->container, VFIO_IOMMU_UNMAP_DMA, &dma, sizeof(dma)),
		-EINVAL);
	assert_int_equal(unmap_flags(fixture, IOVA, &size, 1U << 3), -EINVAL);
	expect_unmap(fixture, IOVA, 0, -EINVAL, 0);
	expect_unmap(fixture, IOVA + 0x800, PAGE, -EINVAL, 0);
	expect_unmap(fixture, IOVA, 0x800, -EINVAL, 0);
}

static void test_h55_v2_refuses_to_cut_a_mapping(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(map_nothing(fixture, IOVA, 4 * PAGE), 0);
	assert_int_equal(map_nothing(fixture, IOVA + 8 * PAGE, 4 * PAGE), 0);
	expect_unmap(fixture, IOVA, 2 * PAGE, -EINVAL, 0);
	expect_unmap(fixture, IOVA + PAGE, PAGE, -EINVAL, 0);
	expect_unmap(fixture, IOVA + 2 * PAGE, 2 * PAGE, -EINVAL, 0);
	expect_unmap(fixture, IOVA, 10 * PAGE, -EINVAL, 0);
	expect_unmap(fixture, IOVA + 4 * PAGE, 4 * PAGE, 0, 0);
	assert_int_equal(mapped(fixture), 8 * PAGE);
	expect_unmap(fixture, IOVA - PAGE, 14 * PAGE, 0, 8 * PAGE);
	expect_unmap(fixture, IOVA, 4 * PAGE, 0, 0);
	assert_int_equal(statistics(fixture).locked_bytes, 0);
}

static void test_h55_v1_takes_what_begins_in_the_range(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(map_nothing(fixture, IOVA, 4 * PAGE), 0);
	assert_int_equal(map_nothing(fixture, IOVA + 4 * PAGE, 4 * PAGE), 0);
	/* Nothing behind a mapping that begins before the range is looked at any more. */
	expect_unmap(fixture, IOVA + PAGE, PAGE, 0, 0);
	expect_unmap(fixture, IOVA + 2 * PAGE, 6 * PAGE, 0, 0);
	assert_int_equal(mapped(fixture), 8 * PAGE);
	expect_unmap(fixture, IOVA, PAGE, 0, 4 * PAGE);
	expect_unmap(fixture, IOVA, 5 * PAGE, 0, 4 * PAGE);
	assert_int_equal(mapped(fixture), 0);
}

static void test_unmap_all_takes_no_range(void **state)
{
	struct fixture *fixture = *state;
	uint64_t size = 0;

	assert_int_equal(map_nothing(fixture, 0, PAGE), 0);
	assert_int_equal(map_nothing(fixture, last_iova(fixture) + 1 - PAGE, PAGE), 0);
	assert_int_equal(unmap_flags(fixture, IOVA, &size, VFIO_DMA_UNMAP_FLAG_ALL), -EINVAL);
	size = PAGE;
	assert_int_equal(unmap_flags(fixture, 0, &size, VFIO_DMA_UNMAP_FLAG_ALL), -EINVAL);
	size = 0;
	assert_int_equal(unmap_flags(fixture, 0, &size, VFIO_DMA_UNMAP_FLAG_ALL), 0);
	assert_int_equal(size, 2 * PAGE);
	assert_int_equal(unmap_flags(fixture, 0, &size, VFIO_DMA_UNMAP_FLAG_ALL), -EINVAL);
	size = 0;
	assert_int_equal(unmap_flags(fixture, 0, &size, VFIO_DMA_UNMAP_FLAG_ALL), 0);
	assert_int_equal(size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TYPE1_TEST(test_extensions_that_need_an_iommu_come_with_it, set_up_type1_host),
		TYPE1_TEST(test_set_iommu_takes_types_only, set_up_type1_host),
		TYPE1_TEST(test_ioctls_of_others_are_unknown, set_up_v2),
		TYPE1_TEST(test_get_info_without_room_says_how_much_it_takes, set_up_v1),
		TYPE1_TEST(test_get_info_chains_migration_room_and_ranges, set_up_v2),
		TYPE1_TEST(test_pages_below_the_hosts_are_hidden, set_up_v2),
		TYPE1_TEST(test_map_refuses_what_is_no_mapping, set_up_v2),
		TYPE1_TEST(test_a_range_that_wraps_has_another_errno_in_later_kernels, set_up_v2),
		TYPE1_TEST(test_unmap_up_to_the_very_end_finds_nothing_in_earlier_kernels,
			   set_up_v2),
		TYPE1_TEST(test_h55_overlap_is_eexist, set_up_v2),
		TYPE1_TEST(test_h55_too_many_mappings_are_enospc, set_up_v2),
		TYPE1_TEST(test_h55_iova_must_lie_in_one_range, set_up_v2),
		TYPE1_TEST(test_memory_is_asked_for_after_all_other_checks, set_up_v2),
		TYPE1_TEST(test_what_is_missing_first_decides, set_up_v2),
		TYPE1_TEST(test_unmap_refuses_what_is_no_range, set_up_v2),
		TYPE1_TEST(test_h55_v2_refuses_to_cut_a_mapping, set_up_v2),
		TYPE1_TEST(test_h55_v1_takes_what_begins_in_the_range, set_up_v1),
		TYPE1_TEST(test_unmap_all_takes_no_range, set_up_v1),
	};

	return cmocka_run_group_tests_name("sim-type1", tests, NULL, NULL);
}
