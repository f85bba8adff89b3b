/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The VFIO ABI of a powernv host, as questions (question.h) to whatever stands behind the kernel
 * seam. A real kernel's answers are the measure, so where this fails on the simulated host the
 * simulated host is wrong.
 */
#include <stdio.h>
#include <unistd.h>

#include "subjects.h"

#define TEST(function) cmocka_unit_test_setup_teardown(function, scene_set_up, scene_tear_down)

static void test_nothing(void **state)
{
	assert_non_null(*state);
}

static const struct CMUnitTest tests[] = {
	TEST(test_nothing),
	TEST(test_opening),
	TEST(test_no_nodes),
	TEST(test_container_alone),
	TEST(test_container_without_iommu),
	TEST(test_group_status),
	TEST(test_joining),
	TEST(test_iommu_types),
	TEST(test_device_names),
	TEST(test_info),
	TEST(test_unknown_ioctls),
	TEST(test_register_arguments),
	TEST(test_register_memory_kinds),
	TEST(test_register_regions),
	TEST(test_unregister),
	TEST(test_locked_memory),
	TEST(test_two_containers),
	TEST(test_alias),
	TEST(test_memory_dropped),
	TEST(test_create_arguments),
	TEST(test_remove_arguments),
	TEST(test_slots),
	TEST(test_pending_create),
	TEST(test_pending_map),
	TEST(test_pending_unmap),
	TEST(test_pending_remove),
	TEST(test_geometry),
	TEST(test_geometry_refused),
	TEST(test_small_windows),
	TEST(test_map_unbound),
	TEST(test_map_arguments),
	TEST(test_map_replaces),
	TEST(test_map_regions),
	TEST(test_map_large_pages),
	TEST(test_unmap),
	TEST(test_remove_mapped),
	TEST(test_container_closed_first),
	TEST(test_group_closed_first),
	TEST(test_unset),
	TEST(test_two_groups),
	TEST(test_groups_before_iommu),
	TEST(test_binding_by_register),
	TEST(test_binding_by_window_calls),
	TEST(test_no_binding),
	TEST(test_owner_killed),
	TEST(test_owner_robbed),
	TEST(test_two_owners),
	TEST(test_last_close_elsewhere),
	cmocka_unit_test_setup_teardown(test_limits, scene_set_up_limited, scene_tear_down),
	TEST(test_dma_default_window),
	TEST(test_dma_second_window),
	TEST(test_dma_permissions),
	TEST(test_dma_two_groups),
	TEST(test_dma_two_containers),
	TEST(test_dma_levels),
	TEST(test_dma_failed_map),
	TEST(test_dma_small_window),
};

int main(void)
{
	int failed;

	if (!host_is_asked_about()) {
		(void)printf("the questions are about other hosts than this one\n");
		return 0;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)printf("%u questions asked\n", questions_asked());
	return failed;
}
