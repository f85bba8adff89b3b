/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tests by subject. Each starts from a fresh scene (question.h). */
#pragma once

#include "question.h"

/* Rows that many tables begin with. */
#define JOIN_EDU                                         \
	{                                                \
		"join", SET_CONTAINER, {.group = EDU}, 0 \
	}
#define SET_TCE_V2                                                          \
	{                                                                   \
		"TCE v2", SET_IOMMU, {.number = VFIO_SPAPR_TCE_v2_IOMMU}, 0 \
	}
#define REGISTER_ALL                                          \
	{                                                     \
		"register", REGISTER, {.size = WHOLE_SIZE}, 0 \
	}
#define UNREGISTER_ALL                                            \
	{                                                         \
		"unregister", UNREGISTER, {.size = WHOLE_SIZE}, 0 \
	}
#define DROP_DEFAULT                                              \
	{                                                         \
		"drop the default window", REMOVE, {.iova = 0}, 0 \
	}
#define IN_USE JOIN_EDU, SET_TCE_V2, REGISTER_ALL

/* questions_nodes.c: nodes, containers and groups before there is an IOMMU */
void test_opening(void **state);
void test_no_nodes(void **state);
void test_container_alone(void **state);
void test_container_without_iommu(void **state);
void test_group_status(void **state);
void test_joining(void **state);
void test_iommu_types(void **state);
void test_device_names(void **state);
void test_info(void **state);
void test_unknown_ioctls(void **state);

/* questions_memory.c */
void test_register_arguments(void **state);
void test_register_memory_kinds(void **state);
void test_register_regions(void **state);
void test_unregister(void **state);
void test_locked_memory(void **state);
void test_two_containers(void **state);
void test_alias(void **state);
void test_memory_dropped(void **state);

/* questions_windows.c */
void test_create_arguments(void **state);
void test_remove_arguments(void **state);
void test_slots(void **state);
void test_pending_create(void **state);
void test_pending_map(void **state);
void test_pending_unmap(void **state);
void test_pending_remove(void **state);
void test_geometry(void **state);
void test_geometry_refused(void **state);
void test_small_windows(void **state);

/* questions_mappings.c */
void test_map_unbound(void **state);
void test_map_arguments(void **state);
void test_map_replaces(void **state);
void test_map_regions(void **state);
void test_map_large_pages(void **state);
void test_unmap(void **state);
void test_remove_mapped(void **state);

/* questions_lifetimes.c */
void test_container_closed_first(void **state);
void test_group_closed_first(void **state);
void test_unset(void **state);
void test_two_groups(void **state);
void test_groups_before_iommu(void **state);

/* questions_processes.c */
void test_binding_by_register(void **state);
void test_binding_by_window_calls(void **state);
void test_no_binding(void **state);
void test_owner_killed(void **state);
void test_owner_robbed(void **state);
void test_two_owners(void **state);
void test_last_close_elsewhere(void **state);
void test_limits(void **state);

/* questions_dma.c */
void test_dma_default_window(void **state);
void test_dma_second_window(void **state);
void test_dma_permissions(void **state);
void test_dma_two_groups(void **state);
void test_dma_two_containers(void **state);
void test_dma_levels(void **state);
void test_dma_failed_map(void **state);
void test_dma_small_window(void **state);
