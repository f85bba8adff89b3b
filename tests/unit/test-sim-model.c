/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel model against what was measured on a powernv9 host with Linux 6.12: nodes, callers,
 * lifetimes, DMA. */
#include "sim_model_fixture.h"

/* nodes */

static void test_set_up_and_tear_down(void **state)
{
	struct sim_statistics now = statistics(*state);

	assert_int_equal(now.open_containers, 1);
	assert_int_equal(now.containers, 1);
	assert_int_equal(now.open_groups, 1);
	assert_int_equal(now.attached_groups, 1);
	assert_int_equal(now.live_mms, 1);
	assert_int_equal(now.windows, 0);
	assert_int_equal(now.locked_bytes, 0);
	assert_int_equal(now.kernel_damage, 0);
}

static void test_nodes_that_open(void **state)
{
	static const char *const missing[] = {
		"/dev/vfio/4",  "/dev/vfio/5",   "/dev/vfio/",
		"/dev/vfio/00", "/dev/vfio/0x0", "/dev/vfio",
		"/dev/vfio/vf", "/dev/null",     "",
		"/dev/vfio/ 1",
	};
	struct fixture *fixture = *state;
	struct sim_node node;

	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		assert_int_equal(sim_model_open(fixture->model, missing[i], &node), -ENOENT);
	}
	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/3", &node), 0);
	sim_node_close(node);
}

static void test_group_opens_once(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node node;

	assert_int_equal(sim_model_open(fixture->model, GROUP_EDU, &node), -EBUSY);
	sim_node_close(fixture->group);
	assert_int_equal(sim_model_open(fixture->model, GROUP_EDU, &fixture->group), 0);
}

static uint32_t group_status(struct fixture *fixture, struct sim_node group)
{
	struct vfio_group_status status = {.argsz = sizeof(status), .flags = 0xff};

	assert_int_equal(
		struct_ioctl(fixture, group, VFIO_GROUP_GET_STATUS, &status, sizeof(status)), 0);
	return status.flags;
}

static void test_group_viability(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_group_status small = {.argsz = 4};
	struct sim_node node;

	assert_int_equal(group_status(fixture, fixture->group),
			 VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET);
	assert_int_equal(sim_model_open(fixture->model, GROUP_E1000E, &node), 0);
	assert_int_equal(group_status(fixture, node), VFIO_GROUP_FLAGS_VIABLE);
	assert_int_equal(struct_ioctl(fixture, node, VFIO_GROUP_GET_STATUS, &small, sizeof(small)),
			 -EINVAL);
	sim_node_close(node);
	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/3", &node), 0);
	assert_int_equal(group_status(fixture, node), 0);
	assert_int_equal(join(fixture, node, fixture->container), -EPERM);
	sim_node_close(node);
}

static void test_set_container(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node other;
	struct sim_node nothing = {.kind = SIM_NODE_NONE};

	assert_int_equal(join(fixture, fixture->group, fixture->container), -EINVAL);
	assert_int_equal(join(fixture, fixture->group, nothing), -EINVAL);
	assert_int_equal(sim_model_open(fixture->model, GROUP_E1000E, &other), 0);
	assert_int_equal(join(fixture, other, nothing), -EBADFD);
	assert_int_equal(join(fixture, other, fixture->group), -EBADFD);
	assert_int_equal(value_ioctl(fixture, other, VFIO_GROUP_UNSET_CONTAINER, 0), -EINVAL);
	assert_int_equal(join(fixture, other, fixture->container), 0);
	assert_int_equal(value_ioctl(fixture, other, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	sim_node_close(other);
}

static void test_extensions(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node fresh;

	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/vfio", &fresh), 0);
	for (uint64_t extension = 0; extension < 15; extension++) {
		int expected = extension == 2 || extension == 5 || extension == 7;

		assert_int_equal(value_ioctl(fixture, fresh, VFIO_CHECK_EXTENSION, extension),
				 expected);
		assert_int_equal(
			value_ioctl(fixture, fixture->container, VFIO_CHECK_EXTENSION, extension),
			expected);
	}
	assert_int_equal(value_ioctl(fixture, fresh, VFIO_GET_API_VERSION, 0), VFIO_API_VERSION);
	sim_node_close(fresh);
}

static void test_set_iommu(void **state)
{
	static const uint64_t unknown[] = {0, 1, 3, 8, 99};
	struct fixture *fixture = *state;
	struct sim_node container;
	struct sim_node group;

	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_SET_IOMMU, 7), -EINVAL);
	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/vfio", &container), 0);
	assert_int_equal(sim_model_open(fixture->model, GROUP_E1000E, &group), 0);
	assert_int_equal(value_ioctl(fixture, container, VFIO_SET_IOMMU, 7), -EINVAL);
	assert_int_equal(join(fixture, group, container), 0);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		assert_int_equal(value_ioctl(fixture, container, VFIO_SET_IOMMU, unknown[i]),
				 -ENODEV);
	}
	assert_int_equal(value_ioctl(fixture, container, VFIO_SET_IOMMU, VFIO_EEH), -EINVAL);
	assert_int_equal(value_ioctl(fixture, container, VFIO_IOMMU_ENABLE, 0), -EINVAL);
	assert_int_equal(value_ioctl(fixture, container, VFIO_SET_IOMMU, 7), 0);
	assert_int_equal(value_ioctl(fixture, container, VFIO_IOMMU_ENABLE, 0), -ENOTTY);
	assert_int_equal(value_ioctl(fixture, container, VFIO_IOMMU_DISABLE, 0), -ENOTTY);
	assert_int_equal(value_ioctl(fixture, container, 0x3b99, 0), -ENOTTY);
	assert_int_equal(value_ioctl(fixture, group, 0x3b99, 0), -ENOTTY);
	sim_node_close(group);
	sim_node_close(container);
}

static int get_device(struct fixture *fixture, const char *name)
{
	struct sim_argument argument = {.data = (void *)(uintptr_t)name};

	return sim_node_ioctl(fixture->group, &fixture->caller, VFIO_GROUP_GET_DEVICE_FD,
			      &argument);
}

static void test_get_device_fd(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(get_device(fixture, "0000:01:00.7"), -ENODEV);
	assert_int_equal(get_device(fixture, E1000E), -ENODEV);
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(get_device(fixture, EDU), -EINVAL);
	assert_int_equal(get_device(fixture, E1000E), -ENODEV);
}

/* capabilities */

static void test_get_info(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_iommu_spapr_tce_info info = {.argsz = sizeof(info)};
	struct vfio_iommu_spapr_tce_info part = {.argsz = 16};
	struct vfio_iommu_spapr_tce_info small = {.argsz = 15};

	assert_int_equal(struct_ioctl(fixture, fixture->container, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
				      &info, sizeof(info)),
			 0);
	assert_int_equal(info.flags, VFIO_IOMMU_SPAPR_INFO_DDW);
	assert_int_equal(info.dma32_window_start, 0);
	assert_int_equal(info.dma32_window_size, 2 * GIB);
	assert_int_equal(info.ddw.pgsizes, 0x40211000);
	assert_int_equal(info.ddw.max_dynamic_windows_supported, 2);
	assert_int_equal(info.ddw.levels, 5);
	assert_int_equal(struct_ioctl(fixture, fixture->container, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
				      &part, sizeof(part)),
			 0);
	assert_int_equal(part.dma32_window_size, 2 * GIB);
	assert_int_equal(part.ddw.pgsizes, 0);
	assert_int_equal(struct_ioctl(fixture, fixture->container, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
				      &small, sizeof(small)),
			 -EINVAL);
}

/* limits and the calling process */

static void test_memlock_limit(void **state)
{
	struct fixture *fixture = *state;

	fixture->caller.memlock_limit = 8 * MIB;
	assert_int_equal(register_memory(fixture, USER_ADDRESS, 8 * MIB + 4 * KIB), -ENOMEM);
	assert_int_equal(locked(fixture), 0);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, 4 * KIB), 0);
	/* The default window's table is 8 MiB. */
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 4 * KIB, READ_WRITE), -ENOMEM);
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), -ENOMEM);
	assert_int_equal(locked(fixture), 4 * KIB);
	assert_int_equal(statistics(fixture).leaked_locked_bytes, 0);
	fixture->caller.memlock_limit = 9 * MIB;
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), 0);
}

static void test_h23_container_belongs_to_the_first_caller(void **state)
{
	struct fixture *fixture = *state;
	struct sim_mm *other = sim_model_mm_new(fixture->model);
	struct vfio_iommu_spapr_tce_info info = {.argsz = sizeof(info)};

	assert_non_null(other);
	/* What is refused binds all the same. */
	assert_int_equal(register_memory(fixture, USER_ADDRESS + 1, MIB), -EINVAL);
	fixture->caller.mm = other;
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), -EPERM);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), -EPERM);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), -EPERM);
	assert_int_equal(unmap(fixture, 0, MIB), -EPERM);
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), -EPERM);
	assert_int_equal(remove_window(fixture, 0), -EPERM);
	assert_int_equal(struct_ioctl(fixture, fixture->container, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
				      &info, sizeof(info)),
			 -EPERM);
	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_CHECK_EXTENSION, 7), 1);
	/* Groups come and go by anybody. */
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(join(fixture, fixture->group, fixture->container), 0);
	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_SET_IOMMU, 7), 0);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	fixture->caller.mm = fixture->mm;
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), -EPERM);
	(void)sim_mm_unref(other);
	/* The owner is dead, and the container still its. */
	assert_int_equal(statistics(fixture).live_mms, 2);
	assert_int_equal(statistics(fixture).pinned_bytes, MIB);
	assert_int_equal(create(fixture, 16, GIB, 1, NULL), -EPERM);
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(statistics(fixture).live_mms, 1);
	assert_int_equal(statistics(fixture).pinned_bytes, 0);
}

static void test_get_info_and_map_do_not_bind(void **state)
{
	struct fixture *fixture = *state;
	struct sim_mm *other = sim_model_mm_new(fixture->model);
	struct vfio_iommu_spapr_tce_info info = {.argsz = sizeof(info)};

	assert_int_equal(struct_ioctl(fixture, fixture->container, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
				      &info, sizeof(info)),
			 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), -EPERM);
	fixture->caller.mm = other;
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	(void)sim_mm_unref(other);
}

/* lifetimes */

static void test_h24_container_closed_first_lives_on(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	sim_node_close(fixture->container);
	fixture->container.kind = SIM_NODE_NONE;
	assert_int_equal(statistics(fixture).containers, 1);
	assert_int_equal(statistics(fixture).open_containers, 0);
	assert_int_equal(locked(fixture), MIB);
	assert_int_equal(group_status(fixture, fixture->group), 3);
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(statistics(fixture).containers, 0);
	assert_int_equal(locked(fixture), 0);
}

static void test_h25_last_group_takes_the_backend_away(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_iommu_spapr_tce_info info = {.argsz = sizeof(info)};

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), 0);
	sim_node_close(fixture->group);
	assert_int_equal(locked(fixture), 0);
	assert_int_equal(statistics(fixture).windows, 0);
	assert_int_equal(struct_ioctl(fixture, fixture->container, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
				      &info, sizeof(info)),
			 -EINVAL);
	/* The container is as good as new. */
	assert_int_equal(sim_model_open(fixture->model, GROUP_EDU, &fixture->group), 0);
	assert_int_equal(join(fixture, fixture->group, fixture->container), 0);
	assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_SET_IOMMU, 7), 0);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
}

static void test_h33_detach_of_one_group_clears_all(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node other;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), 0);
	assert_int_equal(sim_model_open(fixture->model, GROUP_E1000E, &other), 0);
	assert_int_equal(join(fixture, other, fixture->container), 0);
	assert_int_equal(statistics(fixture).mapped_tces, 256);
	assert_int_equal(value_ioctl(fixture, other, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(statistics(fixture).mapped_tces, 0);
	assert_int_equal(statistics(fixture).windows, 1);
	assert_int_equal(unregister_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(statistics(fixture).pinned_bytes, 0);
	sim_node_close(other);
}

/* DMA */

static struct buffer *register_buffer(struct fixture *fixture, uint64_t size)
{
	struct buffer *buffer = malloc(sizeof(*buffer));

	buffer->bytes = calloc(1, size);
	buffer->size = size;
	assert_int_equal(register_pieces(fixture, USER_ADDRESS, size,
					 one_piece(&buffer_operations, buffer, size, 12)),
			 0);
	return buffer;
}

static void test_dma_moves_bytes(void **state)
{
	struct fixture *fixture = *state;
	struct buffer *buffer = register_buffer(fixture, 64 * KIB);
	char data[16];

	/* Two pages, the other way round. */
	assert_int_equal(map(fixture, 0x10000, USER_ADDRESS + 0x3000, 4 * KIB, READ_WRITE), 0);
	assert_int_equal(map(fixture, 0x11000, USER_ADDRESS + 0x1000, 4 * KIB, READ_WRITE), 0);
	assert_int_equal(
		sim_model_dma_write(fixture->model, EDU, 0x10ff8, "over the border", 16, NULL), 0);
	assert_memory_equal(buffer->bytes + 0x3ff8, "over the", 8);
	assert_memory_equal(buffer->bytes + 0x1000, " border", 8);
	assert_int_equal(sim_model_dma_read(fixture->model, EDU, 0x10ff8, data, 16, NULL), 0);
	assert_memory_equal(data, "over the border", 16);
}

static void test_dma_through_the_second_window(void **state)
{
	struct fixture *fixture = *state;
	struct buffer *buffer = register_buffer(fixture, 64 * KIB);
	uint64_t start = 0;

	assert_int_equal(create(fixture, 12, TIB, 3, &start), 0);
	assert_int_equal(map(fixture, start + TIB - 64 * KIB, USER_ADDRESS, 64 * KIB, READ_WRITE),
			 0);
	assert_int_equal(
		sim_model_dma_write(fixture->model, EDU, start + TIB - 8, "the end", 8, NULL), 0);
	assert_memory_equal(buffer->bytes + 64 * KIB - 8, "the end", 8);
}

static void expect_fault(struct fixture *fixture, const char *device, bool writes, uint64_t iova,
			 const char *missing)
{
	struct error error;
	char data[16] = "";
	int code = writes ? sim_model_dma_write(fixture->model, device, iova, data, 16, &error)
			  : sim_model_dma_read(fixture->model, device, iova, data, 16, &error);

	assert_int_equal(code, ERROR_DMA_FAULT);
	assert_non_null(strstr(error.text, device));
	assert_non_null(strstr(error.text, missing));
}

static void test_dma_faults(void **state)
{
	struct fixture *fixture = *state;
	struct buffer *buffer = register_buffer(fixture, 64 * KIB);

	/* Else the first of them would be the last. */
	fixture->host->settings.freezes = false;
	expect_fault(fixture, EDU, false, 0, "in no window");
	expect_fault(fixture, E1000E, false, 0, "no container");
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 4 * KIB, VFIO_DMA_MAP_FLAG_READ), 0);
	expect_fault(fixture, EDU, true, 0, "no write permission");
	expect_fault(fixture, EDU, false, 0x1000, "not valid");
	expect_fault(fixture, EDU, false, 2 * GIB, "in no window");
	/* What lies before the fault has moved. */
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 4 * KIB, READ_WRITE), 0);
	assert_int_equal(
		sim_model_dma_write(fixture->model, EDU, 0xff8, "partly arrived", 14, NULL),
		ERROR_DMA_FAULT);
	assert_memory_equal(buffer->bytes + 0xff8, "partly a", 8);
	assert_int_equal(unmap(fixture, 0, 4 * KIB), 0);
	expect_fault(fixture, EDU, false, 0, "not valid");
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	expect_fault(fixture, EDU, false, 0, "no container");
}

static void test_h15_write_only_may_be_read(void **state)
{
	struct fixture *fixture = *state;
	struct buffer *buffer = register_buffer(fixture, 4 * KIB);
	char data[8];

	memcpy(buffer->bytes, "secret!", 8);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 4 * KIB, VFIO_DMA_MAP_FLAG_WRITE), 0);
	assert_int_equal(sim_model_dma_read(fixture->model, EDU, 0, data, 8, NULL), 0);
	assert_memory_equal(data, "secret!", 8);
}

static void test_dma_arguments(void **state)
{
	static uint8_t data[SIM_DMA_MAX + 1];
	struct fixture *fixture = *state;

	assert_int_equal(sim_model_dma_read(fixture->model, "0009:01:00.0", 0, data, 1, NULL),
			 ERROR_NOT_FOUND);
	assert_int_equal(sim_model_dma_read(fixture->model, "0000:00:00.0", 0, data, 1, NULL),
			 ERROR_NOT_FOUND);
	assert_int_equal(sim_model_dma_read(fixture->model, EDU, 0, data, 0, NULL),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(sim_model_dma_read(fixture->model, EDU, 0, data, SIM_DMA_MAX + 1, NULL),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(sim_model_dma_read(fixture->model, EDU, UINT64_MAX, data, 2, NULL),
			 ERROR_INVALID_ARGUMENT);
}

/* A device of the second group reaches what the container maps. */
static void test_dma_by_a_second_group(void **state)
{
	struct fixture *fixture = *state;
	struct buffer *buffer = register_buffer(fixture, 4 * KIB);
	struct sim_node other;

	assert_int_equal(map(fixture, 0, USER_ADDRESS, 4 * KIB, READ_WRITE), 0);
	assert_int_equal(sim_model_open(fixture->model, GROUP_E1000E, &other), 0);
	assert_int_equal(join(fixture, other, fixture->container), 0);
	assert_int_equal(sim_model_dma_write(fixture->model, E1000E, 0, "packet", 7, NULL), 0);
	assert_memory_equal(buffer->bytes, "packet", 7);
	sim_node_close(other);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		MODEL_TEST(test_set_up_and_tear_down),
		cmocka_unit_test_setup_teardown(test_nodes_that_open, set_up_host, tear_down),
		MODEL_TEST(test_group_opens_once),
		MODEL_TEST(test_group_viability),
		MODEL_TEST(test_set_container),
		MODEL_TEST(test_extensions),
		MODEL_TEST(test_set_iommu),
		MODEL_TEST(test_get_device_fd),
		MODEL_TEST(test_get_info),
		MODEL_TEST(test_memlock_limit),
		MODEL_TEST(test_h23_container_belongs_to_the_first_caller),
		MODEL_TEST(test_get_info_and_map_do_not_bind),
		MODEL_TEST(test_h24_container_closed_first_lives_on),
		MODEL_TEST(test_h25_last_group_takes_the_backend_away),
		MODEL_TEST(test_h33_detach_of_one_group_clears_all),
		MODEL_TEST(test_dma_moves_bytes),
		MODEL_TEST(test_dma_through_the_second_window),
		MODEL_TEST(test_dma_faults),
		MODEL_TEST(test_h15_write_only_may_be_read),
		MODEL_TEST(test_dma_arguments),
		MODEL_TEST(test_dma_by_a_second_group),
	};

	return cmocka_run_group_tests_name("sim-model", tests, NULL, NULL);
}
