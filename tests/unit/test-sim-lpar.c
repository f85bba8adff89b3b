/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The DMA windows of an LPAR against what was measured on pseries with Linux 6.12. */
#include "sim_tce_fixture.h"

/* The device of the first group. */
#define LPAR_EDU "0000:00:01.0"

/* What a window of two levels is charged and never given back. */
#define LEVELS_LEAK (4194300 * KIB)

static void be_without_reset(struct sim_host *host)
{
	for (size_t i = 0; i < host->phb_count; i++) {
		host->phbs[i].resets_windows = false;
	}
}

static void be_without_windows(struct sim_host *host)
{
	set_windows(host, GIB, 0x1000, 0, 0);
}

static void be_without_ddw(struct sim_host *host)
{
	set_windows(host, GIB, 0x1000, 0, UINT32_MAX);
}

static int set_up_pseries(void **state)
{
	return set_up_on(state, "pseries", NULL, VFIO_SPAPR_TCE_v2_IOMMU);
}

static int set_up_without_reset(void **state)
{
	return set_up_on(state, "pseries", be_without_reset, VFIO_SPAPR_TCE_v2_IOMMU);
}

static int set_up_without_windows(void **state)
{
	return set_up_on(state, "pseries", be_without_windows, 0);
}

static int set_up_without_ddw(void **state)
{
	return set_up_on(state, "pseries", be_without_ddw, VFIO_SPAPR_TCE_v2_IOMMU);
}

static void leave_and_come_back(struct fixture *fixture)
{
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(join(fixture, fixture->group, fixture->container), 0);
	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_SET_IOMMU, 7), 0);
}

static void test_capabilities(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_iommu_spapr_tce_info info = get_info(fixture);
	struct sim_node fresh;

	assert_int_equal(info.flags, VFIO_IOMMU_SPAPR_INFO_DDW);
	assert_int_equal(info.dma32_window_size, GIB);
	assert_int_equal(info.ddw.pgsizes, 0x1211000);
	assert_int_equal(info.ddw.max_dynamic_windows_supported, 2);
	assert_int_equal(info.ddw.levels, 1);
	for (uint64_t extension = 0; extension < 15; extension++) {
		assert_int_equal(
			value_ioctl(fixture, fixture->container, VFIO_CHECK_EXTENSION, extension),
			extension == 2 || extension == 7);
	}
	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/vfio", &fresh), 0);
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(join(fixture, fixture->group, fresh), 0);
	assert_int_equal(value_ioctl(fixture, fresh, VFIO_SET_IOMMU, VFIO_EEH), -ENODEV);
	assert_int_equal(value_ioctl(fixture, fresh, VFIO_SET_IOMMU, VFIO_SPAPR_TCE_IOMMU), 0);
	sim_node_close(fresh);
}

/* The probe's own series of calls. */
static void test_windows_step_by_step(void **state)
{
	struct fixture *fixture = *state;
	uint64_t start = 1;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, 16 * MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 16 * MIB, READ_WRITE), 0);
	assert_int_equal(locked(fixture), 18432 * KIB);
	assert_int_equal(create(fixture, 13, GIB, 1, NULL), -EINVAL);
	assert_int_equal(create(fixture, 16, 0, 1, NULL), -EINVAL);
	assert_int_equal(locked(fixture), 18432 * KIB);
	/* A size that is no power of two is seen too late (H29). */
	assert_int_equal(create(fixture, 16, 3 * GIB / 2, 1, NULL), -EINVAL);
	assert_int_equal(locked(fixture), 18624 * KIB);
	assert_int_equal(create(fixture, 16, GIB, 1, &start), 0);
	assert_int_equal(start, SECOND_WINDOW);
	assert_int_equal(locked(fixture), 18752 * KIB);
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), -ENOSPC);
	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(locked(fixture), 16704 * KIB);
	assert_int_equal(get_info(fixture).dma32_window_size, GIB);
	assert_int_equal(remove_window(fixture, SECOND_WINDOW), 0);
	assert_int_equal(locked(fixture), 16576 * KIB);
	/* What could be the default window is the default window. */
	assert_int_equal(create(fixture, 12, GIB, 1, &start), 0);
	assert_int_equal(start, 0);
	assert_int_equal(locked(fixture), 18624 * KIB);
	assert_int_equal(create(fixture, 12, GIB, 2, NULL), -EINVAL);
	assert_int_equal(locked(fixture), 4212924 * KIB);
	assert_int_equal(create(fixture, 12, GIB, 2, NULL), -EINVAL);
	assert_int_equal(remove_window(fixture, GIB / 2), 0);
	assert_int_equal(locked(fixture), 8405176 * KIB);
	assert_int_equal(statistics(fixture).leaked_locked_bytes, 2 * LEVELS_LEAK + 192 * KIB);
}

static void test_h30_charge_without_a_user_view(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 12, 2 * GIB, 1, NULL), 0);
	assert_int_equal(locked(fixture), 4096 * KIB);
	assert_int_equal(remove_window(fixture, SECOND_WINDOW), 0);
	/* Less than a page of TCEs is nothing, and a table is no larger than asked for. */
	assert_int_equal(create(fixture, 24, GIB, 0, NULL), 0);
	assert_int_equal(locked(fixture), 0);
	assert_int_equal(statistics(fixture).table_bytes, 512);
	assert_int_equal(remove_window(fixture, SECOND_WINDOW + GIB), -EINVAL);
	assert_int_equal(remove_window(fixture, SECOND_WINDOW + GIB - 1), 0);
}

static void test_second_dynamic_window_spoils_the_phb(void **state)
{
	struct fixture *fixture = *state;
	uint64_t start = 0;

	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 12, 2 * GIB, 1, &start), 0);
	assert_int_equal(start, SECOND_WINDOW);
	/* Firmware still has the default window, and no room for a third (H36). */
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), -ENODEV);
	assert_int_equal(remove_window(fixture, start), 0);
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), -ENODEV);
	assert_int_equal(create(fixture, 12, GIB, 1, NULL), -ENODEV);
	assert_int_equal(statistics(fixture).leaked_locked_bytes, (128 + 128 + 2048) * KIB);
	/* It is the PHB's state: a new backend has no default window either. */
	leave_and_come_back(fixture);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), -ENODEV);
}

static void test_other_phbs_are_not_spoilt(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node container = fixture->container;
	struct sim_node other_container;
	struct sim_node other;

	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 12, 2 * GIB, 1, NULL), 0);
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), -ENODEV);
	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/vfio", &other_container), 0);
	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/1", &other), 0);
	assert_int_equal(join(fixture, other, other_container), 0);
	assert_int_equal(value_ioctl(fixture, other_container, VFIO_SET_IOMMU, 7), 0);
	fixture->container = other_container;
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), 0);
	fixture->container = container;
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), -ENODEV);
	sim_node_close(other);
	sim_node_close(other_container);
}

static void test_h36_too_large_is_the_safe_failure(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 12, UINT64_C(1) << 50, 1, NULL), -EINVAL);
	assert_int_equal(statistics(fixture).leaked_locked_bytes, UINT64_C(1) << 41);
	assert_int_equal(create(fixture, 12, UINT64_C(1) << 49, 1, NULL), 0);
}

static void test_h37_default_window_beside_a_dynamic_one(void **state)
{
	struct fixture *fixture = *state;
	uint64_t start = 1;

	assert_int_equal(create(fixture, 16, GIB, 1, NULL), 0);
	assert_int_equal(remove_window(fixture, 0), 0);
	/* Making it again would take the other with it. */
	assert_int_equal(create(fixture, 12, GIB, 1, NULL), -EPERM);
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), -EPERM);
	assert_int_equal(remove_window(fixture, SECOND_WINDOW), 0);
	/* A smaller one of its pages will do. */
	assert_int_equal(create(fixture, 12, MIB, 1, &start), 0);
	assert_int_equal(start, 0);
	assert_int_equal(create(fixture, 16, GIB, 1, &start), 0);
	assert_int_equal(start, SECOND_WINDOW);
}

static void test_h37_without_reset_all_looks_the_same(void **state)
{
	struct fixture *fixture = *state;
	uint64_t start = 1;

	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 12, GIB, 1, &start), 0);
	assert_int_equal(start, 0);
	assert_int_equal(create(fixture, 16, GIB, 1, &start), 0);
	assert_int_equal(start, SECOND_WINDOW);
}

static void test_h34_second_group(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node other;

	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/1", &other), 0);
	/* No window yet: it may join, but then there can't be any. */
	assert_int_equal(join(fixture, other, fixture->container), 0);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), -EPERM);
	assert_int_equal(locked(fixture), MIB);
	assert_int_equal(value_ioctl(fixture, other, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), 0);
	assert_int_equal(join(fixture, other, fixture->container), -EPERM);
	assert_int_equal(statistics(fixture).mapped_tces, 256);
	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(join(fixture, other, fixture->container), 0);
	sim_node_close(other);
}

static void test_h38_no_windows_no_v2(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_SET_IOMMU, 7), -EINVAL);
	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_SET_IOMMU, 2), 0);
}

static void test_h38_without_ddw_there_are_too_many(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(get_info(fixture).ddw.max_dynamic_windows_supported, UINT32_MAX);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), -ENODEV);
	assert_int_equal(statistics(fixture).windows, 0);
}

static void test_h12_map_past_the_end_leaks_a_count(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	/* H_PARAMETER, which looks like EINTR (H2); what was mapped is taken back. */
	assert_int_equal(map(fixture, GIB - 16 * KIB, USER_ADDRESS, 64 * KIB, READ_WRITE), -EINTR);
	assert_int_equal(statistics(fixture).mapped_tces, 0);
	assert_int_equal(statistics(fixture).kernel_damage, 1);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(statistics(fixture).leaked_pinned_bytes, MIB);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), -ENOENT);
}

/* The kernel takes it for gone, firmware has no room for another: so the PHB is spoilt (H36). */
static void test_h35_window_that_firmware_keeps(void **state)
{
	struct fixture *fixture = *state;
	struct sim_faults faults = {.first = NULL};
	uint64_t start = 0;

	assert_int_equal(create(fixture, 16, GIB, 1, &start), 0);
	fail_step(fixture, &faults, SIM_STEP_REMOVE_WINDOW, 0, EIO);
	assert_int_equal(remove_window(fixture, start), 0);
	assert_int_equal(statistics(fixture).windows, 1);
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), -ENODEV);
	end_steps(fixture, &faults);
}

static void test_h2_hypervisor_codes_look_like_an_errno(void **state)
{
	struct fixture *fixture = *state;
	struct sim_faults faults = {.first = NULL};

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	fail_step(fixture, &faults, SIM_STEP_PUT_TCE, 3, 11); /* H_PERMISSION */
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), -EAGAIN);
	assert_int_equal(statistics(fixture).mapped_tces, 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), 0);
	end_steps(fixture, &faults);
}

static void test_unmap_past_the_end_is_harmless(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), 0);
	/* The probe's "whole 2 GiB window", of which this host has half. */
	assert_in_range(time_unmap(fixture, 0, 2 * GIB), 700, 1000);
	assert_int_equal(statistics(fixture).kernel_damage, 0);
	assert_int_equal(statistics(fixture).mapped_tces, 0);
}

static void test_smaller_default_window_is_not_smaller_in_firmware(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(remove_window(fixture, 0), 0);
	assert_int_equal(create(fixture, 12, MIB, 1, NULL), 0);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, MIB - 4 * KIB, USER_ADDRESS, 8 * KIB, READ_WRITE), 0);
	assert_int_equal(statistics(fixture).kernel_damage, 1);
	assert_int_equal(statistics(fixture).mapped_tces, 1);
}

static void test_write_only_may_not_be_read(void **state)
{
	struct fixture *fixture = *state;
	char data[8] = "";

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 4 * KIB, VFIO_DMA_MAP_FLAG_WRITE), 0);
	assert_int_equal(sim_model_dma_write(fixture->model, LPAR_EDU, 0, data, 8, NULL), 0);
	assert_int_equal(sim_model_dma_read(fixture->model, LPAR_EDU, 0, data, 8, NULL),
			 ERROR_DMA_FAULT);
}

static void test_h32_two_calls_for_each_tce(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), 0);
	/* measured: 319 ms; a table of 16384 entries takes 16 */
	assert_in_range(time_remove(fixture, 0), 250, 320);
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), 0);
	assert_in_range(time_remove(fixture, SECOND_WINDOW), 12, 20);
	/* A sparse one costs its size: nobody waits for that here. */
	assert_int_equal(create(fixture, 12, UINT64_C(1) << 48, 1, NULL), 0);
	assert_true(time_remove(fixture, SECOND_WINDOW) > 60 * 60 * 1000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define LPAR_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_pseries, tear_down)
		LPAR_TEST(test_capabilities),
		LPAR_TEST(test_windows_step_by_step),
		LPAR_TEST(test_h30_charge_without_a_user_view),
		LPAR_TEST(test_second_dynamic_window_spoils_the_phb),
		LPAR_TEST(test_other_phbs_are_not_spoilt),
		LPAR_TEST(test_h36_too_large_is_the_safe_failure),
		LPAR_TEST(test_h37_default_window_beside_a_dynamic_one),
		cmocka_unit_test_setup_teardown(test_h37_without_reset_all_looks_the_same,
						set_up_without_reset, tear_down),
		LPAR_TEST(test_h34_second_group),
		cmocka_unit_test_setup_teardown(test_h38_no_windows_no_v2, set_up_without_windows,
						tear_down),
		cmocka_unit_test_setup_teardown(test_h38_without_ddw_there_are_too_many,
						set_up_without_ddw, tear_down),
		LPAR_TEST(test_h12_map_past_the_end_leaks_a_count),
		LPAR_TEST(test_h35_window_that_firmware_keeps),
		LPAR_TEST(test_h2_hypervisor_codes_look_like_an_errno),
		LPAR_TEST(test_unmap_past_the_end_is_harmless),
		LPAR_TEST(test_smaller_default_window_is_not_smaller_in_firmware),
		LPAR_TEST(test_write_only_may_not_be_read),
		LPAR_TEST(test_h32_two_calls_for_each_tce),
	};

	return cmocka_run_group_tests_name("sim-lpar", tests, NULL, NULL);
}
