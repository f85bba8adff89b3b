/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A simulated host for tests: started, asked for its statistics, ended. */
#pragma once

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "sim/client.h"
#include "sim/control.h"
#include "sim/launch.h"
#include "unit.h"

#define EDU          "0000:01:00.0"
#define GROUP_EDU    "/dev/vfio/0"
#define GROUP_E1000E "/dev/vfio/1"
#define MIB          UINT64_C(0x100000)

struct sim_fixture {
	struct kernel *kernel;
	int control;
	pid_t pid;
};

/* The program lies one directory above the tests. */
static inline const char *simhost_program(void)
{
	static char program[PATH_MAX + 32];
	char path[PATH_MAX];
	const char *given = getenv(ENV_SIMHOST);
	ssize_t length;

	if (given) {
		return given;
	}
	length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	assert_true(length > 0);
	path[length] = '\0';
	(void)snprintf(program, sizeof(program), "%s/../spaprd-simhost", dirname(path));
	return program;
}

static inline int sim_fixture_set_up(void **state)
{
	struct sim_fixture *fixture = calloc(1, sizeof(*fixture));
	int connection = -1;

	assert_non_null(fixture);
	assert_int_equal(sim_launch(simhost_program(), NULL, &connection, &fixture->pid), 0);
	assert_int_equal(sim_kernel_new(connection, &fixture->kernel), 0);
	assert_int_equal(sim_connection_new(fixture->kernel, &fixture->control), 0);
	*state = fixture;
	return 0;
}

/* The host ends by itself, and in order, when nobody uses it. */
static inline int sim_fixture_tear_down(void **state)
{
	struct sim_fixture *fixture = *state;
	int status = -1;

	cleanup_fd(&fixture->control);
	fixture->kernel = kernel_free(fixture->kernel);
	assert_int_equal(waitpid(fixture->pid, &status, 0), fixture->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	free(fixture);
	return 0;
}

static inline struct sim_control_reply sim_fixture_reply(struct sim_fixture *fixture, uint64_t id)
{
	struct sim_control_reply reply = SIM_CONTROL_REPLY_NONE;

	assert_int_equal(sim_control_receive(fixture->control, &reply), 0);
	assert_int_equal(reply.id, id);
	return reply;
}

static inline struct sim_statistics sim_fixture_statistics(struct sim_fixture *fixture)
{
	struct sim_control_reply reply;

	assert_int_equal(sim_control_statistics(fixture->control, 77), 0);
	reply = sim_fixture_reply(fixture, 77);
	assert_int_equal(reply.code, ERROR_NONE);
	return reply.statistics;
}

/* Let a rule be made that must be accepted. */
static inline void sim_fixture_fail_next(struct sim_fixture *fixture, const char *operation,
					 uint32_t skip, int32_t errnum)
{
	assert_int_equal(sim_control_fail_next(fixture->control, 78, operation, skip, errnum), 0);
	assert_int_equal(sim_fixture_reply(fixture, 78).code, ERROR_NONE);
}

/* The same, for one delay. */
static inline void sim_fixture_delay(struct sim_fixture *fixture, const char *operation,
				     uint32_t milliseconds)
{
	struct sim_rule rule = {.milliseconds = milliseconds, .times = 1};

	sim_rule_name(&rule, operation);
	assert_int_equal(sim_control_add_rule(fixture->control, 79, &rule), 0);
	assert_int_equal(sim_fixture_reply(fixture, 79).code, ERROR_NONE);
}

/* Calls on a container and a group, for short */

static inline int sim_join(struct kernel *kernel, int group, int container)
{
	return kernel_ioctl(kernel, group, VFIO_GROUP_SET_CONTAINER, &container);
}

static inline int sim_register(struct kernel *kernel, int container, const void *address,
			       size_t size)
{
	struct vfio_iommu_spapr_register_memory memory = {
		.argsz = sizeof(memory),
		.vaddr = (uintptr_t)address,
		.size = size,
	};

	return kernel_ioctl(kernel, container, VFIO_IOMMU_SPAPR_REGISTER_MEMORY, &memory);
}

static inline int sim_unregister(struct kernel *kernel, int container, const void *address,
				 size_t size)
{
	struct vfio_iommu_spapr_register_memory memory = {
		.argsz = sizeof(memory),
		.vaddr = (uintptr_t)address,
		.size = size,
	};

	return kernel_ioctl(kernel, container, VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, &memory);
}

static inline int sim_map_dma(struct kernel *kernel, int container, uint64_t iova,
			      const void *address, size_t size)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)address,
		.iova = iova,
		.size = size,
	};

	return kernel_ioctl(kernel, container, VFIO_IOMMU_MAP_DMA, &map);
}

static inline int sim_unmap_dma(struct kernel *kernel, int container, uint64_t iova, size_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = size,
	};

	return kernel_ioctl(kernel, container, VFIO_IOMMU_UNMAP_DMA, &unmap);
}

/* A container with one group and TCE v2. */
struct sim_space {
	int container;
	int group;
};

static inline struct sim_space sim_space_open(struct kernel *kernel, const char *group)
{
	struct sim_space space = {
		.container = kernel_open_node(kernel, NODE_CONTAINER),
		.group = kernel_open_node(kernel, group),
	};

	assert_true(space.container >= 0);
	assert_true(space.group >= 0);
	assert_int_equal(sim_join(kernel, space.group, space.container), 0);
	assert_int_equal(kernel_ioctl_value(kernel, space.container, VFIO_SET_IOMMU,
					    VFIO_SPAPR_TCE_v2_IOMMU),
			 0);
	return space;
}

static inline void sim_space_close(struct kernel *kernel, struct sim_space *space)
{
	space->group = kernel_close(kernel, space->group);
	space->container = kernel_close(kernel, space->container);
}

/* Memory mapped through the seam, and the fd behind it. */
struct sim_test_memory {
	int fd;
	uint8_t *bytes;
	size_t size;
};

static inline struct sim_test_memory sim_test_memory_new(struct kernel *kernel, size_t size)
{
	struct sim_test_memory memory = {.fd = memfd_create("test", MFD_CLOEXEC), .size = size};
	void *address = NULL;

	assert_true(memory.fd >= 0);
	assert_int_equal(ftruncate(memory.fd, (off_t)size), 0);
	assert_int_equal(kernel_map(kernel, memory.fd, 0, size, PROT_READ | PROT_WRITE, &address),
			 0);
	memory.bytes = address;
	return memory;
}

static inline void sim_test_memory_done(struct kernel *kernel, struct sim_test_memory *memory)
{
	assert_int_equal(kernel_unmap(kernel, memory->bytes, memory->size), 0);
	cleanup_fd(&memory->fd);
}
