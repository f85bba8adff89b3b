/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulated host end to end: one process, by way of the kernel seam. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "sim_fixture.h"

static void test_start_and_end(void **state)
{
	struct sim_fixture *fixture = *state;
	struct sim_statistics statistics = sim_fixture_statistics(fixture);

	assert_int_equal(statistics.open_containers, 0);
	assert_int_equal(statistics.live_mms, 1);
	assert_int_equal(statistics.connections, 2);
	assert_int_equal(access(fixture->kernel->sysfs_root, R_OK), 0);
}

static void test_unknown_host_is_said_at_once(void **state)
{
	int connection = -1;
	pid_t pid = -1;

	(void)state;
	assert_int_equal(sim_launch(simhost_program(), "powernv99", &connection, &pid), -ENODEV);
	assert_int_equal(sim_launch("/nonexistent/simhost", NULL, &connection, &pid), -ENOENT);
	assert_int_equal(sim_launch("/bin/true", NULL, &connection, &pid), -EIO);
	assert_int_equal(connection, -1);
}

static void test_peer_that_is_no_host(void **state)
{
	struct kernel *kernel = NULL;
	int sockets[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	assert_int_equal(send(sockets[1], "hello", 5, 0), 5);
	assert_int_equal(sim_kernel_new(sockets[0], &kernel), -EPROTO);
	cleanup_fd(&sockets[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	cleanup_fd(&sockets[1]);
	assert_int_equal(sim_kernel_new(sockets[0], &kernel), -EPIPE);
}

static void test_nodes(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	int container = kernel_open_node(kernel, NODE_CONTAINER);
	int group;

	assert_true(container >= 0);
	assert_true(fcntl(container, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(kernel_ioctl_value(kernel, container, VFIO_GET_API_VERSION, 0), 0);
	assert_int_equal(kernel_ioctl_value(kernel, container, VFIO_CHECK_EXTENSION, 7), 1);
	assert_int_equal(kernel_ioctl_value(kernel, container, VFIO_CHECK_EXTENSION, 1), 0);
	assert_int_equal(kernel_open_node(kernel, "/dev/vfio/4"), -ENOENT);
	assert_int_equal(kernel_open_node(kernel, "/dev/vfio/4/x"), -ENOENT);
	assert_int_equal(kernel_open_node(kernel, GROUP_EDU "/"), -ENOTDIR);
	assert_int_equal(kernel_open_node(kernel, NODE_CONTAINER "/x"), -ENOTDIR);
	assert_int_equal(kernel_open_node(kernel, NODE_CONTAINER "x"), -ENOENT);
	assert_int_equal(kernel_open_node(kernel, "/dev"), -ENOENT);
	assert_int_equal(kernel_open_node(kernel, "/dev/null"), -ENOENT);
	assert_int_equal(kernel_open_node(kernel, ""), -ENOENT);
	group = kernel_open_node(kernel, GROUP_EDU);
	assert_true(group >= 0);
	assert_int_equal(kernel_open_node(kernel, GROUP_EDU), -EBUSY);
	(void)kernel_close(kernel, group);
	/* A close is done when it returns. */
	group = kernel_open_node(kernel, GROUP_EDU);
	assert_true(group >= 0);
	assert_int_equal(kernel_ioctl_value(kernel, group, 0x3b99, 0), -ENOTTY);
	(void)kernel_close(kernel, group);
	(void)kernel_close(kernel, container);
	assert_int_equal(sim_fixture_statistics(fixture).containers, 0);
}

static void test_fds_that_are_no_nodes(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	int group = kernel_open_node(kernel, GROUP_EDU);
	int container = kernel_open_node(kernel, NODE_CONTAINER);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int sockets[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	assert_int_equal(kernel_ioctl_value(kernel, null, VFIO_GET_API_VERSION, 0), -ENOTTY);
	assert_int_equal(kernel_ioctl_value(kernel, sockets[0], VFIO_GET_API_VERSION, 0), -ENOTTY);
	assert_int_equal(kernel_ioctl_value(kernel, -1, VFIO_GET_API_VERSION, 0), -EBADF);
	assert_int_equal(sim_join(kernel, group, null), -EBADFD);
	assert_int_equal(sim_join(kernel, group, sockets[0]), -EBADFD);
	assert_int_equal(sim_join(kernel, group, group), -EBADFD);
	assert_int_equal(sim_join(kernel, group, -1), -EBADF);
	assert_int_equal(sim_join(kernel, group, container), 0);
	/* A number that is used again is another node. */
	(void)kernel_close(kernel, container);
	container = kernel_open_node(kernel, NODE_CONTAINER);
	assert_int_equal(sim_join(kernel, group, container), -EINVAL);
	assert_int_equal(kernel_ioctl_value(kernel, group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(sim_join(kernel, group, container), 0);
	cleanup_fd(&sockets[0]);
	cleanup_fd(&sockets[1]);
	cleanup_fd(&null);
	(void)kernel_close(kernel, group);
	(void)kernel_close(kernel, container);
}

/* An fd number may change hands behind the kernel's back. */
static void test_reused_fd_number(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	int container = kernel_open_node(kernel, NODE_CONTAINER);
	int group = kernel_open_node(kernel, GROUP_EDU);

	assert_int_equal(kernel_ioctl_value(kernel, container, VFIO_GET_API_VERSION, 0), 0);
	assert_int_equal(dup3(group, container, O_CLOEXEC), container);
	assert_int_equal(sim_fixture_statistics(fixture).open_containers, 0);
	assert_int_equal(kernel_ioctl_value(kernel, container, VFIO_GET_API_VERSION, 0), -ENOTTY);
	(void)kernel_close(kernel, group);
	assert_int_equal(sim_fixture_statistics(fixture).open_groups, 1);
	(void)kernel_close(kernel, container);
	assert_int_equal(sim_fixture_statistics(fixture).open_groups, 0);
}

static void test_structures_come_back(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct vfio_iommu_spapr_tce_info info = {.argsz = sizeof(info)};
	struct vfio_group_status status = {.argsz = sizeof(status)};
	struct vfio_iommu_spapr_tce_create window = {
		.argsz = sizeof(window),
		.page_shift = 16,
		.window_size = UINT64_C(1) << 40,
		.levels = 2,
	};

	assert_int_equal(kernel_ioctl(kernel, space.group, VFIO_GROUP_GET_STATUS, &status), 0);
	assert_int_equal(status.flags, 3);
	assert_int_equal(
		kernel_ioctl(kernel, space.container, VFIO_IOMMU_SPAPR_TCE_GET_INFO, &info), 0);
	assert_int_equal(info.ddw.pgsizes, 0x40211000);
	assert_int_equal(
		kernel_ioctl(kernel, space.container, VFIO_IOMMU_SPAPR_TCE_CREATE, &window), 0);
	assert_int_equal(window.start_addr, UINT64_C(1) << 59);
	assert_int_equal(kernel_ioctl(kernel, space.group, VFIO_GROUP_GET_DEVICE_FD,
				      (void *)(uintptr_t) "0009:09:09.0"),
			 -ENODEV);
	sim_space_close(kernel, &space);
	assert_int_equal(sim_fixture_statistics(fixture).windows, 0);
}

static void test_bytes_arrive(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(kernel, MIB);
	struct sim_control_reply reply;

	assert_int_equal(sim_register(kernel, space.container, memory.bytes, memory.size), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, 0x40000, memory.bytes, memory.size),
			 0);
	assert_int_equal(sim_control_dma_write(fixture->control, 1, EDU, 0x40fff, "simulated", 10),
			 0);
	assert_int_equal(sim_fixture_reply(fixture, 1).code, ERROR_NONE);
	assert_memory_equal(memory.bytes + 0xfff, "simulated", 10);
	memcpy(memory.bytes + 0x2000, "from memory", 12);
	assert_int_equal(sim_control_dma_read(fixture->control, 2, EDU, 0x42000, 12), 0);
	reply = sim_fixture_reply(fixture, 2);
	assert_int_equal(reply.size, 12);
	assert_memory_equal(reply.data, "from memory", 12);
	sim_control_reply_done(&reply);
	assert_int_equal(sim_unmap_dma(kernel, space.container, 0x40000, memory.size), 0);
	assert_int_equal(sim_unregister(kernel, space.container, memory.bytes, memory.size), 0);
	assert_int_equal(sim_fixture_statistics(fixture).pinned_bytes, 0);
	sim_test_memory_done(kernel, &memory);
	sim_space_close(kernel, &space);
}

static void test_largest_dma(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(kernel, MIB);
	static uint8_t data[SIM_DMA_MAX + 1];
	struct sim_control_reply reply;

	memset(data, 0xa5, sizeof(data));
	assert_int_equal(sim_register(kernel, space.container, memory.bytes, memory.size), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, 0, memory.bytes, memory.size), 0);
	assert_int_equal(sim_control_dma_write(fixture->control, 1, EDU, 8, data, SIM_DMA_MAX), 0);
	assert_int_equal(sim_fixture_reply(fixture, 1).code, ERROR_NONE);
	assert_memory_equal(memory.bytes + 8, data, SIM_DMA_MAX);
	assert_int_equal(memory.bytes[SIM_DMA_MAX + 8], 0);
	assert_int_equal(sim_control_dma_write(fixture->control, 2, EDU, 8, data, sizeof(data)), 0);
	assert_int_equal(sim_fixture_reply(fixture, 2).code, ERROR_INVALID_ARGUMENT);
	assert_int_equal(sim_control_dma_read(fixture->control, 3, EDU, 8, sizeof(data)), 0);
	assert_int_equal(sim_fixture_reply(fixture, 3).code, ERROR_INVALID_ARGUMENT);
	/* More answers than a socket holds. */
	for (uint64_t id = 10; id < 30; id++) {
		assert_int_equal(sim_control_dma_read(fixture->control, id, EDU, 8, SIM_DMA_MAX),
				 0);
	}
	for (uint64_t id = 10; id < 30; id++) {
		reply = sim_fixture_reply(fixture, id);
		assert_int_equal(reply.size, SIM_DMA_MAX);
		assert_memory_equal(reply.data, data, SIM_DMA_MAX);
		sim_control_reply_done(&reply);
	}
	sim_test_memory_done(kernel, &memory);
	sim_space_close(kernel, &space);
}

static void test_faults_are_told(void **state)
{
	struct sim_fixture *fixture = *state;
	struct sim_control_reply reply;

	assert_int_equal(sim_control_dma_read(fixture->control, 1, EDU, 0x5000, 4), 0);
	reply = sim_fixture_reply(fixture, 1);
	assert_int_equal(reply.code, ERROR_DMA_FAULT);
	assert_non_null(strstr(reply.text, EDU));
	assert_non_null(strstr(reply.text, "0x5000"));
	assert_null(reply.data);
	assert_int_equal(sim_control_dma_read(fixture->control, 2, "nothing", 0, 4), 0);
	assert_int_equal(sim_fixture_reply(fixture, 2).code, ERROR_NOT_FOUND);
}

/* What was pinned stays when its owner unmaps it, and isn't what comes to lie there later. */
static void test_pinned_pages_outlive_their_mapping(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(kernel, MIB);
	uint8_t *address = memory.bytes;
	struct sim_control_reply reply;

	memcpy(memory.bytes, "old pages", 10);
	assert_int_equal(sim_register(kernel, space.container, address, MIB), 0);
	sim_test_memory_done(kernel, &memory);
	assert_int_equal(sim_map_dma(kernel, space.container, 0, address, MIB), 0);
	assert_int_equal(sim_control_dma_read(fixture->control, 1, EDU, 0, 10), 0);
	reply = sim_fixture_reply(fixture, 1);
	assert_memory_equal(reply.data, "old pages", 10);
	sim_control_reply_done(&reply);
	assert_int_equal(sim_register(kernel, space.container, address, MIB), -EBUSY);
	assert_int_equal(sim_unmap_dma(kernel, space.container, 0, MIB), 0);
	assert_int_equal(sim_unregister(kernel, space.container, address, MIB), 0);
	assert_int_equal(sim_register(kernel, space.container, address, MIB), -EFAULT);
	sim_space_close(kernel, &space);
}

/* Memory that nobody told the seam of: the bytes move where they lie. */
static void test_plain_memory(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	uint8_t *plain = aligned_alloc(65536, MIB);
	struct sim_control_reply reply;

	assert_non_null(plain);
	memset(plain, 'p', MIB);
	assert_int_equal(sim_register(kernel, space.container, plain, MIB), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, 0, plain, MIB), 0);
	assert_int_equal(sim_control_dma_write(fixture->control, 1, EDU, 0x1ffe, "here", 4), 0);
	assert_int_equal(sim_fixture_reply(fixture, 1).code, ERROR_NONE);
	assert_memory_equal(plain + 0x1ffd, "pherep", 6);
	assert_int_equal(sim_control_dma_read(fixture->control, 2, EDU, 0x1ffd, 6), 0);
	reply = sim_fixture_reply(fixture, 2);
	assert_int_equal(reply.code, ERROR_NONE);
	assert_memory_equal(reply.data, "pherep", 6);
	sim_control_reply_done(&reply);
	sim_space_close(kernel, &space);
	free(plain);
}

static void test_memory_that_cannot_be_registered(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(kernel, 2 * MIB);
	void *plain = mmap(NULL, MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *address = NULL;

	/* Not to be written, not mapped at all, and partly so. */
	assert_ptr_not_equal(plain, MAP_FAILED);
	assert_int_equal(sim_register(kernel, space.container, plain, MIB), -EFAULT);
	assert_int_equal(mprotect(plain, MIB / 2, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(sim_register(kernel, space.container, plain, MIB), 128);
	assert_int_equal(munmap(plain, MIB), 0);
	assert_int_equal(sim_register(kernel, space.container, plain, MIB), -EFAULT);
	/* Mapped read-only. */
	assert_int_equal(kernel_map(kernel, memory.fd, 0, MIB, PROT_READ, &address), 0);
	assert_int_equal(sim_register(kernel, space.container, address, MIB), -EFAULT);
	assert_int_equal(kernel_unmap(kernel, address, MIB), 0);
	/* A hole: the pages in front of it are said to be pinned, but nothing is. */
	assert_int_equal(kernel_unmap(kernel, memory.bytes + MIB, MIB / 2), 0);
	assert_int_equal(sim_register(kernel, space.container, memory.bytes, 2 * MIB), 256);
	assert_int_equal(sim_register(kernel, space.container, memory.bytes + MIB, MIB / 2),
			 -EFAULT);
	assert_int_equal(
		sim_register(kernel, space.container, memory.bytes + MIB + MIB / 2, MIB / 2), 0);
	/* A file that became shorter. */
	assert_int_equal(ftruncate(memory.fd, 8192), 0);
	assert_int_equal(sim_register(kernel, space.container, memory.bytes, MIB), 2);
	assert_int_equal(sim_fixture_statistics(fixture).pinned_bytes, MIB / 2);
	sim_test_memory_done(kernel, &memory);
	sim_space_close(kernel, &space);
}

/* A file that shrinks after it was registered must not kill the host. */
static void test_file_that_shrinks(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(kernel, MIB);
	struct stat status;

	assert_int_equal(sim_register(kernel, space.container, memory.bytes, MIB), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, 0, memory.bytes, MIB), 0);
	assert_int_equal(ftruncate(memory.fd, 4096), 0);
	assert_int_equal(sim_control_dma_write(fixture->control, 1, EDU, 0x8000, "gone", 4), 0);
	assert_int_equal(sim_fixture_reply(fixture, 1).code, ERROR_DMA_FAULT);
	assert_int_equal(sim_control_dma_read(fixture->control, 2, EDU, 0x8000, 4), 0);
	assert_int_equal(sim_fixture_reply(fixture, 2).code, ERROR_DMA_FAULT);
	assert_int_equal(fstat(memory.fd, &status), 0);
	assert_int_equal(status.st_size, 4096);
	sim_test_memory_done(kernel, &memory);
	sim_space_close(kernel, &space);
}

/* A range over several mappings, in pieces. */
static void test_registration_of_pieces(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(kernel, MIB);
	void *address = NULL;
	uint8_t *moved;

	/* Map the second half of the file right behind the first half, by hand of the seam. */
	assert_int_equal(kernel_unmap(kernel, memory.bytes + MIB / 2, MIB / 2), 0);
	assert_int_equal(
		kernel_map(kernel, memory.fd, MIB / 2, MIB / 2, PROT_READ | PROT_WRITE, &address),
		0);
	moved = address;
	if (moved == memory.bytes + MIB / 2) {
		assert_int_equal(sim_register(kernel, space.container, memory.bytes, MIB), 0);
		assert_int_equal(sim_map_dma(kernel, space.container, 0, memory.bytes, MIB), 0);
		assert_int_equal(
			sim_control_dma_write(fixture->control, 1, EDU, MIB / 2 - 4, "12345678", 8),
			0);
		assert_int_equal(sim_fixture_reply(fixture, 1).code, ERROR_NONE);
		assert_memory_equal(memory.bytes + MIB / 2 - 4, "12345678", 8);
	}
	assert_int_equal(kernel_unmap(kernel, moved, MIB / 2), 0);
	memory.size = MIB / 2;
	sim_test_memory_done(kernel, &memory);
	sim_space_close(kernel, &space);
}

/* rules */

static void test_fail_next(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(kernel, MIB);
	int other;

	sim_fixture_fail_next(fixture, "VFIO_IOMMU_MAP_DMA", 1, ENOMEM);
	sim_fixture_fail_next(fixture, "open:" GROUP_E1000E, 0, EACCES);
	assert_int_equal(sim_register(kernel, space.container, memory.bytes, MIB), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, 0, memory.bytes, MIB), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, MIB, memory.bytes, MIB), -ENOMEM);
	assert_int_equal(sim_fixture_statistics(fixture).mapped_tces, 256);
	assert_int_equal(sim_map_dma(kernel, space.container, MIB, memory.bytes, MIB), 0);
	assert_int_equal(kernel_open_node(kernel, GROUP_E1000E), -EACCES);
	other = kernel_open_node(kernel, GROUP_E1000E);
	assert_true(other >= 0);
	(void)kernel_close(kernel, other);
	sim_test_memory_done(kernel, &memory);
	sim_space_close(kernel, &space);
}

static void test_rules_that_make_no_sense(void **state)
{
	struct sim_fixture *fixture = *state;

	assert_int_equal(sim_control_fail_next(fixture->control, 1, "VFIO_NOTHING", 0, EIO), 0);
	assert_int_equal(sim_fixture_reply(fixture, 1).code, ERROR_INVALID_ARGUMENT);
	assert_int_equal(sim_control_remove_rule(fixture->control, 2, 1), 0);
	assert_int_equal(sim_fixture_reply(fixture, 2).code, ERROR_NOT_FOUND);
	assert_int_equal(sim_control_fail_next(fixture->control, 3, "VFIO_IOMMU_MAP_DMA", 0, -5),
			 0);
	assert_int_equal(sim_fixture_reply(fixture, 3).code, ERROR_INVALID_ARGUMENT);
	assert_int_equal(sim_control_delay(fixture->control, 4, "VFIO_IOMMU_MAP_DMA", UINT32_MAX),
			 0);
	assert_int_equal(sim_fixture_reply(fixture, 4).code, ERROR_INVALID_ARGUMENT);
}

/* What lasts, and the odd answers that a kernel gives (H1). */
static void test_lasting_rules(void **state)
{
	struct sim_rule rule = {.result = 1, .every = 2};
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct sim_control_reply reply;
	uint32_t id;

	sim_rule_name(&rule, "VFIO_IOMMU_UNMAP_DMA");
	assert_int_equal(sim_control_add_rule(fixture->control, 1, &rule), 0);
	id = sim_fixture_reply(fixture, 1).rule;
	assert_int_not_equal(id, 0);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(sim_unmap_dma(kernel, space.container, 0, MIB),
				 i % 2 == 1 ? 1 : -EPERM);
	}
	assert_int_equal(sim_control_list_rules(fixture->control, 2), 0);
	reply = sim_fixture_reply(fixture, 2);
	assert_int_equal(reply.rule_count, 1);
	assert_int_equal(reply.rules[0].id, id);
	assert_int_equal(reply.rules[0].acted, 3);
	assert_memory_equal(&reply.rules[0].rule, &rule, sizeof(rule));
	sim_control_reply_done(&reply);
	assert_int_equal(sim_control_clear_rules(fixture->control, 3), 0);
	assert_int_equal(sim_fixture_reply(fixture, 3).code, ERROR_NONE);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sim_unmap_dma(kernel, space.container, 0, MIB), -EPERM);
	}
	sim_space_close(kernel, &space);
}

static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct slow_call {
	struct kernel *kernel;
	int container;
	double ended;
	int result;
};

static void *call_slowly(void *argument)
{
	struct slow_call *call = argument;

	call->result = kernel_ioctl_value(call->kernel, call->container, VFIO_GET_API_VERSION, 0);
	call->ended = now();
	return NULL;
}

static void test_delay_holds_up_its_caller_only(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	int container = kernel_open_node(kernel, NODE_CONTAINER);
	struct slow_call call = {.kernel = kernel, .container = container, .result = -1};
	double started = now();
	pthread_t thread;

	sim_fixture_delay(fixture, "VFIO_GET_API_VERSION", 400);
	assert_int_equal(pthread_create(&thread, NULL, call_slowly, &call), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(kernel_ioctl_value(kernel, container, VFIO_CHECK_EXTENSION, 7), 1);
	}
	assert_true(now() - started < 0.35);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(call.result, VFIO_API_VERSION);
	assert_true(call.ended - started >= 0.39);
	/* Once only. */
	started = now();
	assert_int_equal(kernel_ioctl_value(kernel, container, VFIO_GET_API_VERSION, 0), 0);
	assert_true(now() - started < 0.35);
	(void)kernel_close(kernel, container);
}

#define THREADS 8
#define ROUNDS  200

static void *open_and_close(void *argument)
{
	struct kernel *kernel = argument;

	for (int i = 0; i < ROUNDS; i++) {
		int container = kernel_open_node(kernel, NODE_CONTAINER);

		if (container < 0 ||
		    kernel_ioctl_value(kernel, container, VFIO_CHECK_EXTENSION, 7) != 1) {
			return argument;
		}
		(void)kernel_close(kernel, container);
	}
	return NULL;
}

static void test_many_threads(void **state)
{
	struct sim_fixture *fixture = *state;
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, fixture->kernel),
				 0);
	}
	for (int i = 0; i < THREADS; i++) {
		void *failed = NULL;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(sim_fixture_statistics(fixture).containers, 0);
}

static void test_host_that_is_gone(void **state)
{
	struct sim_fixture *fixture = *state;
	int container = kernel_open_node(fixture->kernel, NODE_CONTAINER);
	struct sim_control_reply reply;
	int status;

	assert_int_equal(kill(fixture->pid, SIGTERM), 0);
	assert_int_equal(waitpid(fixture->pid, &status, 0), fixture->pid);
	assert_int_equal(status, 0);
	assert_int_equal(access(fixture->kernel->sysfs_root, F_OK), -1);
	assert_int_equal(kernel_ioctl_value(fixture->kernel, container, VFIO_GET_API_VERSION, 0),
			 -EPIPE);
	assert_int_equal(kernel_open_node(fixture->kernel, NODE_CONTAINER), -EPIPE);
	assert_int_equal(sim_control_receive(fixture->control, &reply), -EPIPE);
	(void)kernel_close(fixture->kernel, container);
	cleanup_fd(&fixture->control);
	fixture->kernel = kernel_free(fixture->kernel);
	free(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sim_fixture_set_up, sim_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_start_and_end),
		cmocka_unit_test(test_unknown_host_is_said_at_once),
		cmocka_unit_test(test_peer_that_is_no_host),
		TEST(test_nodes),
		TEST(test_fds_that_are_no_nodes),
		TEST(test_reused_fd_number),
		TEST(test_structures_come_back),
		TEST(test_bytes_arrive),
		TEST(test_largest_dma),
		TEST(test_faults_are_told),
		TEST(test_pinned_pages_outlive_their_mapping),
		TEST(test_plain_memory),
		TEST(test_memory_that_cannot_be_registered),
		TEST(test_file_that_shrinks),
		TEST(test_registration_of_pieces),
		TEST(test_fail_next),
		TEST(test_lasting_rules),
		TEST(test_rules_that_make_no_sense),
		TEST(test_delay_holds_up_its_caller_only),
		TEST(test_many_threads),
		cmocka_unit_test_setup(test_host_that_is_gone, sim_fixture_set_up),
	};

	return cmocka_run_group_tests_name("sim-client", tests, NULL, NULL);
}
