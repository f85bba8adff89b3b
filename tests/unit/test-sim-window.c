/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel model against what was measured on a powernv9 host with Linux 6.12: windows, their
 * tables, and what is charged for them. */
#include "sim_model_fixture.h"

/* windows */

static void test_h26_slots_decide_the_start(void **state)
{
	struct fixture *fixture = *state;
	uint64_t start = 1;

	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(locked(fixture), 0);
	assert_int_equal(create(fixture, 16, GIB, 1, &start), 0);
	assert_int_equal(start, 0);
	assert_int_equal(create(fixture, 16, GIB, 1, &start), 0);
	assert_int_equal(start, SECOND_WINDOW);
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), -ENOSPC);
	/* A slot is used again. */
	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 12, GIB, 2, &start), 0);
	assert_int_equal(start, 0);
}

static void test_h27_create_makes_the_pending_default_window(void **state)
{
	struct fixture *fixture = *state;
	uint64_t start = 0;

	assert_int_equal(create(fixture, 16, GIB, 1, &start), 0);
	assert_int_equal(start, SECOND_WINDOW);
	assert_int_equal(statistics(fixture).windows, 2);
	/* Removing it now is a real removal, and brings no other. */
	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(statistics(fixture).windows, 1);
	assert_int_equal(remove_window(fixture, 0), -EINVAL);
}

static void test_h27_remove_cancels_the_pending_default_window(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(remove_window(fixture, GIB), -EINVAL);
	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(remove_window(fixture, 0), -EINVAL);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), -ENXIO);
}

static void test_h28_remove_takes_any_address_inside(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(create(fixture, 16, GIB, 1, NULL), 0);
	assert_int_equal(remove_window(fixture, SECOND_WINDOW + GIB), -EINVAL);
	assert_int_equal(remove_window(fixture, SECOND_WINDOW + GIB - 1), 0);
	assert_int_equal(remove_window(fixture, GIB + 5), 0);
	assert_int_equal(statistics(fixture).windows, 0);
}

static void test_remove_with_live_mappings(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), 0);
	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(statistics(fixture).mapped_tces, 0);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(locked(fixture), 0);
}

static void test_h29_failed_create_leaks_locked_memory(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(remove_window(fixture, 0), 0);
	/* 64 GiB at 64 KiB: five levels are one too many. */
	assert_int_equal(create(fixture, 16, 64 * GIB, 5, NULL), -EINVAL);
	assert_int_equal(locked(fixture), 16440 * KIB);
	assert_int_equal(statistics(fixture).leaked_locked_bytes, 16440 * KIB);
	/* 2^40 at 64 KiB in one piece is a table of 2^27 bytes. */
	assert_int_equal(create(fixture, 16, TIB, 1, NULL), -ENOMEM);
	assert_int_equal(locked(fixture), 16440 * KIB + 256 * MIB);
	sim_node_close(fixture->group);
	assert_int_equal(locked(fixture), 16440 * KIB + 256 * MIB);
	fixture->group.kind = SIM_NODE_NONE;
}

struct charge_row {
	unsigned int page_shift;
	uint64_t size;
	unsigned int levels;
	int result;
	uint64_t charged_kib;
};

static void test_h30_locked_memory_of_windows(void **state)
{
	static const struct charge_row rows[] = {
		/* measured: VmLck */
		{16, 4 * GIB, 1, 0, 1024},
		{16, GIB, 1, 0, 256},
		{12, 2 * GIB, 1, 0, 8192},
		{12, GIB, 1, 0, 4096},
		{12, GIB, 2, 0, 4104},
		{16, 64 * GIB, 1, 0, 16384},
		{16, 64 * GIB, 2, 0, 16400},
		{16, 64 * GIB, 3, 0, 16424},
		{16, 64 * GIB, 4, 0, 16432},
		/* measured: no locked memory leaked */
		{12, GIB, 0, -EINVAL, 0},
		{12, GIB, 9, -EINVAL, 0},
		{63, GIB, 1, -EINVAL, 0},
		{0, GIB, 1, -EINVAL, 0},
		{13, GIB, 1, -EINVAL, 0},
		{12, 0, 1, -EINVAL, 0},
		{16, 4 * KIB, 1, -EINVAL, 0},
		{12, 3 * GIB, 1, -EINVAL, 0},
	};
	struct fixture *fixture = *state;

	assert_int_equal(remove_window(fixture, 0), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct charge_row *row = &rows[i];

		assert_int_equal(create(fixture, row->page_shift, row->size, row->levels, NULL),
				 row->result);
		assert_int_equal(locked(fixture), row->charged_kib * KIB);
		if (row->result == 0) {
			assert_int_equal(statistics(fixture).table_bytes, row->charged_kib * KIB);
			assert_int_equal(remove_window(fixture, 0), 0);
		}
	}
	assert_int_equal(statistics(fixture).leaked_locked_bytes, 0);
}

static void test_h30_locked_memory_step_by_step(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, 16 * MIB), 0);
	assert_int_equal(locked(fixture), 16384 * KIB);
	assert_int_equal(create(fixture, 16, 4 * GIB, 1, NULL), 0);
	assert_int_equal(locked(fixture), 25600 * KIB);
	assert_int_equal(remove_window(fixture, SECOND_WINDOW), 0);
	assert_int_equal(locked(fixture), 24576 * KIB);
	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(locked(fixture), 16384 * KIB);
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(locked(fixture), 0);
}

static void test_h31_levels_of_a_large_window(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(remove_window(fixture, 0), 0);
	/* One level is one allocation: 16 MiB of it are 128 GiB at 64 KiB and 8 GiB at 4 KiB. */
	assert_int_equal(create(fixture, 16, 128 * GIB, 1, NULL), 0);
	assert_int_equal(create(fixture, 12, 8 * GIB, 1, NULL), 0);
	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 16, 256 * GIB, 1, NULL), -ENOMEM);
	assert_int_equal(create(fixture, 12, 16 * GIB, 1, NULL), -ENOMEM);
	assert_int_equal(create(fixture, 16, TIB, 2, NULL), 0);
	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 16, TIB, 3, NULL), 0);
	assert_int_equal(remove_window(fixture, 0), 0);
	/* The bits of all levels and the page shift stay below 55. */
	assert_int_equal(create(fixture, 12, 2 * GIB, 4, NULL), 0);
	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 12, 2 * GIB, 5, NULL), -EINVAL);
	assert_int_equal(create(fixture, 30, 2 * GIB, 2, NULL), 0);
	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 30, 2 * GIB, 3, NULL), -EINVAL);
	assert_int_equal(create(fixture, 12, UINT64_C(1) << 54, 3, NULL), 0);
	assert_int_equal(create(fixture, 12, UINT64_C(1) << 63, 3, NULL), -ENOSPC);
	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 12, UINT64_C(1) << 63, 3, NULL), -EINVAL);
}

static void test_small_window_is_a_page_of_tces(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 12, 4 * KIB, 1, NULL), 0);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, 2 * MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 2 * MIB, READ_WRITE), 0);
	assert_int_equal(statistics(fixture).kernel_damage, 0);
	assert_int_equal(map(fixture, 2 * MIB, USER_ADDRESS, 4 * KIB, READ_WRITE), -ENXIO);
}

static void test_sparse_window_costs_nothing(void **state)
{
	struct fixture *fixture = *state;
	uint64_t size = UINT64_C(1) << 40;

	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 12, size, 3, NULL), 0);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	for (uint64_t iova = 0; iova < size; iova += size / 1024) {
		assert_int_equal(map(fixture, iova, USER_ADDRESS, 4 * KIB, READ_WRITE), 0);
	}
	assert_int_equal(statistics(fixture).mapped_tces, 1024);
	assert_int_equal(unmap(fixture, 0, size / 2), 0);
	assert_int_equal(statistics(fixture).mapped_tces, 512);
	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(statistics(fixture).pinned_bytes, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		MODEL_TEST(test_h26_slots_decide_the_start),
		MODEL_TEST(test_h27_create_makes_the_pending_default_window),
		MODEL_TEST(test_h27_remove_cancels_the_pending_default_window),
		MODEL_TEST(test_h28_remove_takes_any_address_inside),
		MODEL_TEST(test_remove_with_live_mappings),
		MODEL_TEST(test_h29_failed_create_leaks_locked_memory),
		MODEL_TEST(test_h30_locked_memory_of_windows),
		MODEL_TEST(test_h30_locked_memory_step_by_step),
		MODEL_TEST(test_h31_levels_of_a_large_window),
		MODEL_TEST(test_small_window_is_a_page_of_tces),
		MODEL_TEST(test_sparse_window_costs_nothing),
	};

	return cmocka_run_group_tests_name("sim-window", tests, NULL, NULL);
}
