/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel model against what was measured on a powernv9 host with Linux 6.12: registered memory
 * and mappings. */
#include "sim_model_fixture.h"

/* registered memory */

static void test_register_refusals(void **state)
{
	struct fixture *fixture = *state;
	uint64_t size = 16 * MIB;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, size), 0);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, size), -EBUSY);
	assert_int_equal(register_memory(fixture, USER_ADDRESS + 1, size), -EINVAL);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, size + 1), -EINVAL);
	assert_int_equal(register_memory(fixture, UINT64_MAX - 0xfff, 0x2000), -EINVAL);
	assert_int_equal(register_memory(fixture, USER_ADDRESS + GIB, 0), -ENOMEM);
	assert_int_equal(locked(fixture), size);
	assert_int_equal(statistics(fixture).registered_regions, 1);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS + 1, size), -EINVAL);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, 0), -ENOENT);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, size), 0);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, size), -ENOENT);
	assert_int_equal(locked(fixture), 0);
}

static void test_h1_half_mapped_range_returns_pages_pinned(void **state)
{
	struct fixture *fixture = *state;
	struct sim_pieces pieces = one_piece(&nothing_operations, NULL, 2 * MIB, 12);

	assert_int_equal(register_pieces(fixture, USER_ADDRESS, 4 * MIB, pieces), 512);
	assert_int_equal(register_pieces(fixture, USER_ADDRESS, 4 * MIB, SIM_PIECES_NONE), -EFAULT);
	assert_int_equal(locked(fixture), 0);
	assert_int_equal(statistics(fixture).pinned_bytes, 0);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, 4 * MIB), -ENOENT);
}

static void test_device_registers_cannot_be_registered(void **state)
{
	struct fixture *fixture = *state;
	struct sim_pieces pieces = one_piece(&nothing_operations, NULL, MIB, 12);

	pieces.piece[0].registers = true;
	assert_int_equal(register_pieces(fixture, USER_ADDRESS, MIB, pieces), -EFAULT);
	assert_int_equal(locked(fixture), 0);
}

static void test_h17_regions_are_exact(void **state)
{
	struct fixture *fixture = *state;
	uint64_t size = 4 * MIB;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, size), 0);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, 2 * size), -EINVAL);
	assert_int_equal(register_memory(fixture, USER_ADDRESS + MIB, MIB), -EINVAL);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), -ENOENT);
	assert_int_equal(register_memory(fixture, USER_ADDRESS + size, size), 0);
	/* Two regions side by side aren't one. */
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, 2 * size), -ENOENT);
	assert_int_equal(locked(fixture), 2 * size);
}

static void test_h17_overlap_is_seen_last(void **state)
{
	struct fixture *fixture = *state;
	uint64_t size = 4 * MIB;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, size), 0);
	assert_int_equal(register_memory(fixture, USER_ADDRESS + 2 * size, size), 0);
	/* What overlaps is charged and pinned first. */
	fixture->caller.memlock_limit = 3 * size - 4 * KIB;
	assert_int_equal(register_memory(fixture, USER_ADDRESS + MIB, size), -ENOMEM);
	fixture->caller.memlock_limit = 3 * size;
	assert_int_equal(register_pieces(fixture, USER_ADDRESS + MIB, size,
					 one_piece(&nothing_operations, NULL, MIB, 12)),
			 256);
	assert_int_equal(register_pieces(fixture, USER_ADDRESS + MIB, size, SIM_PIECES_NONE),
			 -EFAULT);
	assert_int_equal(register_memory(fixture, USER_ADDRESS + MIB, size), -EINVAL);
	/* On either side, and around. */
	assert_int_equal(register_memory(fixture, USER_ADDRESS + 2 * size - MIB, size), -EINVAL);
	assert_int_equal(register_memory(fixture, USER_ADDRESS - MIB, MIB + 4 * KIB), -EINVAL);
	fixture->caller.memlock_limit = NO_LIMIT;
	assert_int_equal(register_memory(fixture, USER_ADDRESS - MIB, 4 * size), -EINVAL);
	assert_int_equal(locked(fixture), 2 * size);
	assert_int_equal(register_memory(fixture, USER_ADDRESS + size, size), 0);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS + size, size), 0);
	assert_int_equal(statistics(fixture).registered_regions, 2);
}

static void test_h18_unregister_while_mapped_leaks(void **state)
{
	struct fixture *fixture = *state;
	struct sim_statistics now;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), 0);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), 0);
	now = statistics(fixture);
	assert_int_equal(now.leaked_pinned_bytes, MIB);
	assert_int_equal(now.registered_regions, 0);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), -ENOENT);
	assert_int_equal(unmap(fixture, 0, MIB), 0);
	/* Registering again doesn't heal it, and one may map it all the same. */
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), 0);
	sim_node_close(fixture->group);
	sim_node_close(fixture->container);
	now = statistics(fixture);
	assert_int_equal(now.containers, 0);
	assert_int_equal(now.leaked_pinned_bytes, MIB);
	assert_int_equal(now.caller_locked_bytes, MIB);
	fixture->container.kind = SIM_NODE_NONE;
	fixture->group.kind = SIM_NODE_NONE;
}

static void test_h22_map_needs_registration(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), -EPERM);
	assert_int_equal(unmap(fixture, 0, MIB), -EPERM);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), -EPERM);
	assert_int_equal(statistics(fixture).windows, 0);
}

/* A second container of the same process, with the e1000e's group. */
struct second {
	struct sim_node container;
	struct sim_node group;
};

static struct second open_second(struct fixture *fixture)
{
	struct second second;

	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/vfio", &second.container), 0);
	assert_int_equal(sim_model_open(fixture->model, GROUP_E1000E, &second.group), 0);
	assert_int_equal(join(fixture, second.group, second.container), 0);
	assert_int_equal(value_ioctl(fixture, second.container, VFIO_SET_IOMMU, 7), 0);
	return second;
}

static void test_h19_regions_belong_to_the_process(void **state)
{
	struct fixture *fixture = *state;
	struct second second = open_second(fixture);
	struct sim_node first = fixture->container;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	fixture->container = second.container;
	assert_int_equal(register_memory(fixture, USER_ADDRESS + GIB, MIB), 0);
	/* The second container maps what the first registered … */
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), 0);
	/* … and may register it, too: it is charged once. */
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(locked(fixture), 2 * MIB + 8 * MIB);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), 0);
	fixture->container = first;
	/* The first closes while the second's TCEs point into its region. */
	sim_node_close(fixture->group);
	assert_int_equal(statistics(fixture).leaked_pinned_bytes, MIB);
	sim_node_close(second.group);
	sim_node_close(second.container);
	assert_int_equal(statistics(fixture).pinned_bytes, MIB);
	assert_int_equal(locked(fixture), MIB);
	fixture->group.kind = SIM_NODE_NONE;
}

static void test_h20_page_size_of_a_region(void **state)
{
	struct fixture *fixture = *state;
	uint64_t size = 32 * MIB;
	uint64_t start;

	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 16, GIB, 1, &start), 0);
	/* Plain pages: no TCE of 64 KiB may point to them. */
	assert_int_equal(register_memory(fixture, USER_ADDRESS, size), 0);
	assert_int_equal(map(fixture, start, USER_ADDRESS, MIB, READ_WRITE), -EINVAL);
	/* Pages of 2 MiB: it may. */
	assert_int_equal(register_pieces(fixture, USER_ADDRESS + GIB, size,
					 one_piece(&nothing_operations, NULL, size, 21)),
			 0);
	assert_int_equal(map(fixture, start, USER_ADDRESS + GIB, MIB, READ_WRITE), 0);
	/* The range's own alignment counts, too. */
	assert_int_equal(register_pieces(fixture, USER_ADDRESS + 2 * GIB + 4 * KIB, size,
					 one_piece(&nothing_operations, NULL, size, 21)),
			 0);
	assert_int_equal(
		map(fixture, start + MIB, USER_ADDRESS + 2 * GIB + 64 * KIB, MIB, READ_WRITE),
		-EINVAL);
	/* Huge pages followed by plain ones pass for huge until one looks at the page. */
	struct sim_pieces mixed = {.piece = calloc(2, sizeof(*mixed.piece)), .count = 2};

	for (size_t i = 0; i < 2; i++) {
		mixed.piece[i] = (struct sim_piece){
			.operations = &nothing_operations,
			.size = size / 2,
			.page_shift = i == 0 ? 21 : 12,
		};
	}
	assert_int_equal(register_pieces(fixture, USER_ADDRESS + 3 * GIB, size, mixed), 0);
	assert_int_equal(map(fixture, start + MIB, USER_ADDRESS + 3 * GIB, 64 * KIB, READ_WRITE),
			 0);
	assert_int_equal(map(fixture, start + 2 * MIB, USER_ADDRESS + 3 * GIB + size / 2, 64 * KIB,
			     READ_WRITE),
			 -EPERM);
}

/* mappings */

static void test_map_refusals(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_iommu_type1_dma_map small = {.argsz = 31, .flags = 1};
	struct vfio_iommu_type1_dma_unmap flagged = {.argsz = sizeof(flagged), .flags = 1};

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(struct_ioctl(fixture, fixture->container, VFIO_IOMMU_MAP_DMA, &small,
				      sizeof(small)),
			 -EINVAL);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 4 * KIB, 4), -EINVAL);
	assert_int_equal(statistics(fixture).windows, 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 4 * KIB, 0), -EINVAL);
	assert_int_equal(statistics(fixture).windows, 1);
	assert_int_equal(map(fixture, 0, USER_ADDRESS + 1, 4 * KIB, 3), -EINVAL);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 4 * KIB + 1, 3), -EINVAL);
	assert_int_equal(map(fixture, 0, USER_ADDRESS + MIB, 4 * KIB, 3), -EINVAL);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 0, 3), 0);
	assert_int_equal(map(fixture, 2 * GIB, USER_ADDRESS, 4 * KIB, 3), -ENXIO);
	assert_int_equal(unmap(fixture, 2 * GIB, 4 * KIB), -ENXIO);
	assert_int_equal(unmap(fixture, 0, 4 * KIB + 1), -EINVAL);
	assert_int_equal(struct_ioctl(fixture, fixture->container, VFIO_IOMMU_UNMAP_DMA, &flagged,
				      sizeof(flagged)),
			 -EINVAL);
	assert_int_equal(statistics(fixture).mapped_tces, 0);
}

static void test_h1_misaligned_iova_returns_one(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0x800, USER_ADDRESS, 4 * KIB, READ_WRITE), 1);
	assert_int_equal(unmap(fixture, 0x800, 4 * KIB), 1);
	assert_int_equal(statistics(fixture).mapped_tces, 0);
}

static void test_h5_map_past_window_end_is_damage(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 2 * GIB - 16 * KIB, USER_ADDRESS, 64 * KIB, READ_WRITE), 0);
	assert_int_equal(statistics(fixture).kernel_damage, 12);
	assert_int_equal(statistics(fixture).mapped_tces, 4);
	assert_int_equal(unmap(fixture, 2 * GIB - 16 * KIB, 64 * KIB), 0);
	assert_int_equal(statistics(fixture).kernel_damage, 24);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(statistics(fixture).leaked_pinned_bytes, 0);
}

static void test_h9_map_over_a_mapping_replaces_it(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(register_memory(fixture, USER_ADDRESS + GIB, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS + GIB, MIB, READ_WRITE), 0);
	assert_int_equal(statistics(fixture).mapped_tces, 256);
	/* The old region has no mapping left. */
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(statistics(fixture).leaked_pinned_bytes, 0);
}

static void test_h10_failed_map_clears_what_it_replaced(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 64 * KIB, READ_WRITE), 0);
	/* The range leaves the region after four pages. */
	assert_int_equal(map(fixture, 0, USER_ADDRESS + MIB - 16 * KIB, 64 * KIB, READ_WRITE),
			 -EINVAL);
	assert_int_equal(statistics(fixture).mapped_tces, 12);
	assert_int_equal(unmap(fixture, 0, 64 * KIB), 0);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(statistics(fixture).pinned_bytes, 0);
}

static void test_h14_unmap_of_a_hole_is_fine(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), 0);
	assert_int_equal(unmap(fixture, GIB, MIB), 0);
	assert_int_equal(unmap(fixture, 0, 4 * KIB), 0);
	assert_int_equal(unmap(fixture, 0, 4 * KIB), 0);
	assert_int_equal(unmap(fixture, 0, 0), 0);
	assert_int_equal(statistics(fixture).mapped_tces, 255);
	assert_int_equal(unmap(fixture, 0, 2 * GIB), 0);
	assert_int_equal(statistics(fixture).mapped_tces, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		MODEL_TEST(test_register_refusals),
		MODEL_TEST(test_h1_half_mapped_range_returns_pages_pinned),
		MODEL_TEST(test_device_registers_cannot_be_registered),
		MODEL_TEST(test_h17_regions_are_exact),
		MODEL_TEST(test_h17_overlap_is_seen_last),
		MODEL_TEST(test_h18_unregister_while_mapped_leaks),
		MODEL_TEST(test_h22_map_needs_registration),
		MODEL_TEST(test_h19_regions_belong_to_the_process),
		MODEL_TEST(test_h20_page_size_of_a_region),
		MODEL_TEST(test_map_refusals),
		MODEL_TEST(test_h1_misaligned_iova_returns_one),
		MODEL_TEST(test_h5_map_past_window_end_is_damage),
		MODEL_TEST(test_h9_map_over_a_mapping_replaces_it),
		MODEL_TEST(test_h10_failed_map_clears_what_it_replaced),
		MODEL_TEST(test_h14_unmap_of_a_hole_is_fine),
	};

	return cmocka_run_group_tests_name("sim-memory", tests, NULL, NULL);
}
