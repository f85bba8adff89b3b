/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several processes on one simulated host: whose memory it is, and what lives how long. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include "sim_fixture.h"

/* What a child does. Its exit status is 0 when all was as expected, else the line that wasn't. */
#define EXPECT(condition)                          \
	do {                                       \
		if (!(condition)) {                \
			_exit(__LINE__ % 255 + 1); \
		}                                  \
	} while (false)

/* A child with a kernel of its own. Returns 0 in the child. */
static pid_t fork_child(struct sim_fixture *fixture, struct kernel **ret_kernel)
{
	int connection = -1;
	pid_t pid;

	assert_int_equal(sim_connection_new(fixture->kernel, &connection), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		EXPECT(sim_kernel_new(connection, ret_kernel) == 0);
	} else {
		cleanup_fd(&connection);
	}
	return pid;
}

static void expect_success(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Memory in a child, where cmocka's assertions won't do. */
static uint8_t *map_memory(struct kernel *kernel, size_t size)
{
	int fd = memfd_create("child", MFD_CLOEXEC);
	void *address = NULL;

	EXPECT(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	EXPECT(kernel_map(kernel, fd, 0, size, PROT_READ | PROT_WRITE, &address) == 0);
	(void)close(fd);
	return address;
}

static void test_h23_child_is_another_caller(void **state)
{
	struct sim_fixture *fixture = *state;
	struct sim_space space = sim_space_open(fixture->kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(fixture->kernel, MIB);
	struct kernel *kernel = NULL;
	pid_t pid;

	assert_int_equal(sim_register(fixture->kernel, space.container, memory.bytes, MIB), 0);
	pid = fork_child(fixture, &kernel);
	if (pid == 0) {
		uint8_t *mine = map_memory(kernel, MIB);

		EXPECT(sim_register(kernel, space.container, mine, MIB) == -EPERM);
		EXPECT(sim_map_dma(kernel, space.container, 0, memory.bytes, MIB) == -EPERM);
		EXPECT(kernel_ioctl_value(kernel, space.container, VFIO_CHECK_EXTENSION, 7) == 1);
		_exit(0);
	}
	expect_success(pid);
	assert_int_equal(sim_map_dma(fixture->kernel, space.container, 0, memory.bytes, MIB), 0);
	sim_test_memory_done(fixture->kernel, &memory);
	sim_space_close(fixture->kernel, &space);
}

/* The broker opens, attaches and hands over; the first that registers owns the container. */
static void test_h23_container_handed_over(void **state)
{
	struct sim_fixture *fixture = *state;
	struct sim_space space = sim_space_open(fixture->kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(fixture->kernel, MIB);
	struct kernel *kernel = NULL;
	int gate[2];
	pid_t pid;

	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	pid = fork_child(fixture, &kernel);
	if (pid == 0) {
		uint8_t *mine = map_memory(kernel, MIB);

		EXPECT(sim_register(kernel, space.container, mine, MIB) == 0);
		EXPECT(sim_map_dma(kernel, space.container, 0, mine, MIB) == 0);
		EXPECT(write(gate[1], "x", 1) == 1);
		for (;;) {
			(void)pause();
		}
	}
	assert_int_equal(read(gate[0], &(char){0}, 1), 1);
	assert_int_equal(sim_register(fixture->kernel, space.container, memory.bytes, MIB), -EPERM);
	assert_int_equal(sim_fixture_statistics(fixture).mapped_tces, 256);
	assert_int_equal(sim_fixture_statistics(fixture).caller_locked_bytes, 0);
	assert_int_equal(sim_fixture_statistics(fixture).locked_bytes, 9 * MIB);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* The owner died, but the nodes are open here: nothing is let go, nobody may use it. */
	assert_int_equal(sim_fixture_statistics(fixture).mapped_tces, 256);
	assert_int_equal(sim_register(fixture->kernel, space.container, memory.bytes, MIB), -EPERM);
	assert_int_equal(sim_control_dma_write(fixture->control, 1, EDU, 0, "x", 1), 0);
	assert_int_equal(sim_fixture_reply(fixture, 1).code, ERROR_NONE);
	assert_int_equal(
		kernel_ioctl_value(fixture->kernel, space.group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(sim_fixture_statistics(fixture).pinned_bytes, 0);
	assert_int_equal(sim_fixture_statistics(fixture).live_mms, 1);
	cleanup_fd(&gate[0]);
	cleanup_fd(&gate[1]);
	sim_test_memory_done(fixture->kernel, &memory);
	sim_space_close(fixture->kernel, &space);
}

static void test_killed_child_releases_all(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = NULL;
	struct sim_statistics statistics;
	int gate[2];
	int status = -1;
	pid_t pid;

	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	pid = fork_child(fixture, &kernel);
	if (pid == 0) {
		struct sim_space space = sim_space_open(kernel, GROUP_EDU);
		uint8_t *mine = map_memory(kernel, MIB);

		EXPECT(sim_register(kernel, space.container, mine, MIB) == 0);
		EXPECT(sim_map_dma(kernel, space.container, 0, mine, MIB) == 0);
		/* Leak a region, too (H18). */
		EXPECT(sim_unregister(kernel, space.container, mine, MIB) == 0);
		EXPECT(write(gate[1], "x", 1) == 1);
		for (;;) {
			(void)pause();
		}
	}
	assert_int_equal(read(gate[0], &(char){0}, 1), 1);
	statistics = sim_fixture_statistics(fixture);
	assert_int_equal(statistics.leaked_pinned_bytes, MIB);
	assert_int_equal(statistics.live_mms, 2);
	assert_int_equal(kernel_open_node(fixture->kernel, GROUP_EDU), -EBUSY);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	statistics = sim_fixture_statistics(fixture);
	assert_int_equal(statistics.containers, 0);
	assert_int_equal(statistics.open_groups, 0);
	assert_int_equal(statistics.pinned_bytes, 0);
	assert_int_equal(statistics.locked_bytes, 0);
	assert_int_equal(statistics.live_mms, 1);
	/* The kernel's first, the one it called on, and the one that asks. */
	assert_int_equal(statistics.connections, 3);
	cleanup_fd(&gate[0]);
	cleanup_fd(&gate[1]);
}

/* A node that two processes hold is closed when both have let go. */
static void test_h24_last_close_anywhere(void **state)
{
	struct sim_fixture *fixture = *state;
	struct sim_space space = sim_space_open(fixture->kernel, GROUP_EDU);
	struct kernel *kernel = NULL;
	int gate[2];
	pid_t pid;

	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	pid = fork_child(fixture, &kernel);
	if (pid == 0) {
		char byte;

		(void)close(gate[1]);
		EXPECT(read(gate[0], &byte, 1) == 0);
		EXPECT(kernel_ioctl_value(kernel, space.group, VFIO_GROUP_UNSET_CONTAINER, 0) == 0);
		_exit(0);
	}
	sim_space_close(fixture->kernel, &space);
	assert_int_equal(sim_fixture_statistics(fixture).open_groups, 1);
	assert_int_equal(sim_fixture_statistics(fixture).attached_groups, 1);
	assert_int_equal(kernel_open_node(fixture->kernel, GROUP_EDU), -EBUSY);
	cleanup_fd(&gate[1]);
	expect_success(pid);
	assert_int_equal(sim_fixture_statistics(fixture).open_groups, 0);
	assert_int_equal(sim_fixture_statistics(fixture).containers, 0);
	cleanup_fd(&gate[0]);
}

static void test_host_outlives_its_first_client(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *second = NULL;
	int connection = -1;
	int container;

	assert_int_equal(sim_connection_new(fixture->kernel, &connection), 0);
	fixture->kernel = kernel_free(fixture->kernel);
	assert_int_equal(sim_kernel_new(connection, &second), 0);
	container = kernel_open_node(second, NODE_CONTAINER);
	assert_true(container >= 0);
	assert_int_equal(access(second->sysfs_root, R_OK), 0);
	(void)kernel_close(second, container);
	fixture->kernel = second;
}

/* The host's setting counts for each process, whatever this machine would let it lock. */
static void test_memlock_setting(void **state)
{
	struct vfio_iommu_spapr_tce_remove removed = {.argsz = sizeof(removed)};
	struct vfio_iommu_spapr_tce_create window = {
		.argsz = sizeof(window),
		.page_shift = 12,
		.window_size = 512 * MIB,
		.levels = 1,
	};
	struct kernel *kernel = NULL;
	struct sim_test_memory memory;
	struct sim_space space;
	int connection = -1;
	int status = -1;
	pid_t pid = 0;

	(void)state;
	assert_int_equal(
		sim_launch(simhost_program(), "powernv9,memlock=4194304", &connection, &pid), 0);
	assert_int_equal(sim_kernel_new(connection, &kernel), 0);
	assert_int_equal(kernel->locked_limit, 4 * MIB);
	space = sim_space_open(kernel, GROUP_EDU);
	memory = sim_test_memory_new(kernel, 8 * MIB);
	assert_int_equal(sim_register(kernel, space.container, memory.bytes, 8 * MIB), -ENOMEM);
	assert_int_equal(sim_register(kernel, space.container, memory.bytes, 3 * MIB), 0);
	/* The default window's table takes 8 MiB, the other 2 MiB. */
	assert_int_equal(sim_map_dma(kernel, space.container, 0, memory.bytes, 4096), -ENOMEM);
	assert_int_equal(
		kernel_ioctl(kernel, space.container, VFIO_IOMMU_SPAPR_TCE_REMOVE, &removed), 0);
	assert_int_equal(
		kernel_ioctl(kernel, space.container, VFIO_IOMMU_SPAPR_TCE_CREATE, &window),
		-ENOMEM);
	assert_int_equal(sim_unregister(kernel, space.container, memory.bytes, 3 * MIB), 0);
	assert_int_equal(sim_register(kernel, space.container, memory.bytes, 2 * MIB), 0);
	assert_int_equal(
		kernel_ioctl(kernel, space.container, VFIO_IOMMU_SPAPR_TCE_CREATE, &window), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, 0, memory.bytes, 4096), 0);
	sim_space_close(kernel, &space);
	sim_test_memory_done(kernel, &memory);
	(void)kernel_free(kernel);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_bad_settings(void **state)
{
	static const char *const bad[] = {
		"powernv9,memlock=",    "powernv9,memlock=-1",
		"powernv9,memlock=12x", "powernv9,memlock=99999999999999999999",
		"powernv9,colour=red",  "powernv9x,memlock=1",
		"power,memlock=1"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int connection = -1;
		pid_t pid = 0;

		assert_int_equal(sim_launch(simhost_program(), bad[i], &connection, &pid), -ENODEV);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sim_fixture_set_up, sim_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_h23_child_is_another_caller),    TEST(test_h23_container_handed_over),
		TEST(test_killed_child_releases_all),      TEST(test_h24_last_close_anywhere),
		TEST(test_host_outlives_its_first_client), cmocka_unit_test(test_memlock_setting),
		cmocka_unit_test(test_bad_settings),
	};

	return cmocka_run_group_tests_name("sim-processes", tests, NULL, NULL);
}
