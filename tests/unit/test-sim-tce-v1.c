/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCE v1 of the kernel model against what was measured on a powernv9 host with Linux 6.12. */
#include "sim_tce_fixture.h"

static int set_up_v1(void **state)
{
	return set_up_on(state, "powernv9", NULL, VFIO_SPAPR_TCE_IOMMU);
}

static int set_up_unset(void **state)
{
	return set_up_on(state, "powernv9", NULL, 0);
}

static void lose_window(struct sim_host *host)
{
	set_windows(host, 0, 0x1000, 1, 1);
}

static int set_up_windowless(void **state)
{
	return set_up_on(state, "powernv9", lose_window, VFIO_SPAPR_TCE_IOMMU);
}

static int enable(struct fixture *fixture)
{
	return value_ioctl(fixture, fixture->container, VFIO_IOMMU_ENABLE, 0);
}

static int disable(struct fixture *fixture)
{
	return value_ioctl(fixture, fixture->container, VFIO_IOMMU_DISABLE, 0);
}

static int map_pieces(struct fixture *fixture, uint64_t iova, uint64_t address, uint64_t size,
		      uint32_t flags, struct sim_pieces pieces)
{
	struct vfio_iommu_type1_dma_map dma = {
		.argsz = sizeof(dma),
		.flags = flags,
		.vaddr = address,
		.iova = iova,
		.size = size,
	};
	struct sim_argument argument = {.data = &dma, .pieces = pieces};
	int result =
		sim_node_ioctl(fixture->container, &fixture->caller, VFIO_IOMMU_MAP_DMA, &argument);

	sim_pieces_done(&argument.pieces);
	return result;
}

/* A map of memory that is all there. */
static int map_memory(struct fixture *fixture, uint64_t iova, uint64_t size)
{
	return map_pieces(fixture, iova, USER_ADDRESS, size, READ_WRITE,
			  one_piece(&nothing_operations, NULL, size, 12));
}

/* Memory that counts when it is let go. */
static unsigned int freed;

static void counted_free(void *memory)
{
	(void)memory;
	freed++;
}

static const struct sim_memory_operations counted_operations = {
	.read = nothing_read,
	.write = nothing_write,
	.free = counted_free,
};

static void test_v1_info_has_no_dynamic_windows(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_iommu_spapr_tce_info info = get_info(fixture);

	assert_int_equal(info.flags, 0);
	assert_int_equal(info.dma32_window_start, 0);
	assert_int_equal(info.dma32_window_size, 2 * GIB);
	assert_int_equal(info.ddw.pgsizes, 0);
	assert_int_equal(info.ddw.max_dynamic_windows_supported, 0);
	assert_int_equal(info.ddw.levels, 0);
}

static void test_h4_v2_calls_are_unknown(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), -ENOTTY);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), -ENOTTY);
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), -ENOTTY);
	assert_int_equal(remove_window(fixture, 0), -ENOTTY);
	assert_int_equal(value_ioctl(fixture, fixture->container, 0x3b99, 0), -ENOTTY);
}

static void test_h41_enable_charges_the_whole_window(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(map_memory(fixture, 0, MIB), -EPERM);
	assert_int_equal(unmap(fixture, 0, MIB), -EPERM);
	assert_int_equal(enable(fixture), 0);
	assert_int_equal(locked(fixture), 2097152 * KIB);
	assert_int_equal(enable(fixture), -EBUSY);
	/* The table is charged with the first MAP, what is mapped isn't. */
	assert_int_equal(map_memory(fixture, 0, 16 * MIB), 0);
	assert_int_equal(locked(fixture), (2097152 + 8192) * KIB);
	assert_int_equal(disable(fixture), 0);
	assert_int_equal(locked(fixture), 8192 * KIB);
	assert_int_equal(disable(fixture), 0);
	assert_int_equal(locked(fixture), 8192 * KIB);
	/* Mappings stay, but nobody can change them. */
	assert_int_equal(statistics(fixture).mapped_tces, 4096);
	assert_int_equal(unmap(fixture, 0, MIB), -EPERM);
	assert_int_equal(enable(fixture), 0);
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(locked(fixture), 0);
}

static void test_enable_over_the_limit_charges_nothing(void **state)
{
	struct fixture *fixture = *state;

	fixture->caller.memlock_limit = 2 * GIB - 4 * KIB;
	assert_int_equal(enable(fixture), -ENOMEM);
	assert_int_equal(locked(fixture), 0);
	assert_int_equal(map_memory(fixture, 0, MIB), -EPERM);
	fixture->caller.memlock_limit = 2 * GIB;
	assert_int_equal(enable(fixture), 0);
	/* No room for the table. */
	assert_int_equal(map_memory(fixture, 0, MIB), -ENOMEM);
	assert_int_equal(locked(fixture), 2 * GIB);
	assert_int_equal(statistics(fixture).leaked_locked_bytes, 0);
}

static void test_enable_without_a_window(void **state)
{
	assert_int_equal(enable(*state), -EPERM);
}

static void test_enable_binds_the_process(void **state)
{
	struct fixture *fixture = *state;
	struct sim_mm *other = sim_model_mm_new(fixture->model);

	fixture->caller.memlock_limit = 0;
	assert_int_equal(enable(fixture), -ENOMEM);
	fixture->caller = (struct sim_caller){.mm = other, .memlock_limit = NO_LIMIT};
	assert_int_equal(enable(fixture), -EPERM);
	assert_int_equal(disable(fixture), -EPERM);
	(void)sim_mm_unref(other);
}

static void test_one_group_only(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node other;

	assert_int_equal(sim_model_open(fixture->model, GROUP_E1000E, &other), 0);
	assert_int_equal(join(fixture, other, fixture->container), -EBUSY);
	assert_int_equal(statistics(fixture).attached_groups, 1);
	sim_node_close(other);
}

static void test_two_groups_have_no_v1(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node other;

	assert_int_equal(sim_model_open(fixture->model, GROUP_E1000E, &other), 0);
	assert_int_equal(join(fixture, other, fixture->container), 0);
	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_SET_IOMMU, 2), -EBUSY);
	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_SET_IOMMU, 7), 0);
	sim_node_close(other);
}

static void test_map_asks_for_memory_last(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), -EPERM);
	assert_int_equal(unreadable_ioctl(fixture, fixture->container, VFIO_IOMMU_MAP_DMA), -EPERM);
	assert_int_equal(enable(fixture), 0);
	assert_int_equal(unreadable_ioctl(fixture, fixture->container, VFIO_IOMMU_MAP_DMA),
			 -EFAULT);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, 4), -EINVAL);
	assert_int_equal(map(fixture, 2 * GIB, USER_ADDRESS, MIB, READ_WRITE), -ENXIO);
	assert_int_equal(map(fixture, 0, USER_ADDRESS + 1, MIB, READ_WRITE), -EINVAL);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, 0), -EINVAL);
	assert_int_equal(map(fixture, 0x800, USER_ADDRESS, MIB, READ_WRITE), 1);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 0, READ_WRITE), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), SIM_NEEDS_MEMORY);
	assert_int_equal(statistics(fixture).mapped_tces, 0);
}

static void test_map_of_missing_memory_is_rolled_back(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(enable(fixture), 0);
	assert_int_equal(map_memory(fixture, 0, 64 * KIB), 0);
	/* The first four pages are there; what they replaced is gone (H10). */
	assert_int_equal(map_pieces(fixture, 0, USER_ADDRESS + GIB, 64 * KIB, READ_WRITE,
				    one_piece(&nothing_operations, NULL, 16 * KIB, 12)),
			 -EFAULT);
	assert_int_equal(statistics(fixture).mapped_tces, 12);
}

/* They have no page: pin_user_pages_fast can't do it. */
static void test_device_registers_cannot_be_mapped(void **state)
{
	struct fixture *fixture = *state;
	struct sim_pieces pieces = one_piece(&nothing_operations, NULL, MIB, 12);

	pieces.piece[0].registers = true;
	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_IOMMU_ENABLE, 0), 0);
	assert_int_equal(map_pieces(fixture, 0, USER_ADDRESS, MIB, READ_WRITE, pieces), -EFAULT);
	assert_int_equal(statistics(fixture).mapped_tces, 0);
}

static void test_pages_stay_pinned_until_their_last_tce(void **state)
{
	struct fixture *fixture = *state;

	freed = 0;
	assert_int_equal(enable(fixture), 0);
	assert_int_equal(map_pieces(fixture, 0, USER_ADDRESS, 64 * KIB, READ_WRITE,
				    one_piece(&counted_operations, NULL, 64 * KIB, 12)),
			 0);
	assert_int_equal(unmap(fixture, 0, 32 * KIB), 0);
	assert_int_equal(freed, 0);
	/* Mapped over without a word (H9). */
	assert_int_equal(map_memory(fixture, 32 * KIB, 32 * KIB), 0);
	assert_int_equal(freed, 1);
	assert_int_equal(map_pieces(fixture, MIB, USER_ADDRESS, 64 * KIB, READ_WRITE,
				    one_piece(&counted_operations, NULL, 64 * KIB, 12)),
			 0);
	sim_node_close(fixture->group);
	assert_int_equal(freed, 2);
	fixture->group.kind = SIM_NODE_NONE;
}

static void test_dma_reaches_what_v1_mapped(void **state)
{
	struct fixture *fixture = *state;
	struct buffer *buffer = malloc(sizeof(*buffer));

	*buffer = (struct buffer){.bytes = calloc(1, 8 * KIB), .size = 8 * KIB};
	assert_int_equal(enable(fixture), 0);
	assert_int_equal(map_pieces(fixture, GIB, USER_ADDRESS, 8 * KIB, READ_WRITE,
				    one_piece(&buffer_operations, buffer, 8 * KIB, 12)),
			 0);
	assert_int_equal(sim_model_dma_write(fixture->model, EDU, GIB + 0xffc, "in pages", 8, NULL),
			 0);
	assert_memory_equal(buffer->bytes + 0xffc, "in pages", 8);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define V1_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_v1, tear_down)
		V1_TEST(test_v1_info_has_no_dynamic_windows),
		V1_TEST(test_h4_v2_calls_are_unknown),
		V1_TEST(test_h41_enable_charges_the_whole_window),
		V1_TEST(test_enable_over_the_limit_charges_nothing),
		cmocka_unit_test_setup_teardown(test_enable_without_a_window, set_up_windowless,
						tear_down),
		V1_TEST(test_enable_binds_the_process),
		V1_TEST(test_one_group_only),
		cmocka_unit_test_setup_teardown(test_two_groups_have_no_v1, set_up_unset,
						tear_down),
		V1_TEST(test_map_asks_for_memory_last),
		V1_TEST(test_map_of_missing_memory_is_rolled_back),
		V1_TEST(test_device_registers_cannot_be_mapped),
		V1_TEST(test_pages_stay_pinned_until_their_last_tce),
		V1_TEST(test_dma_reaches_what_v1_mapped),
	};

	return cmocka_run_group_tests_name("sim-tce-v1", tests, NULL, NULL);
}
