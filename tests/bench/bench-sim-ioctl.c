/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast the simulated host's map ioctls are next to a real ioctl that does nothing: so that a
 * benchmark of a program on the simulated host measures the program.
 *
 * Run by itself it uses the kernel seam, as spaprd does. Run by `spaprctl sim exec` it is a program
 * like any other and uses plain system calls (--plain).
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/names.h"
#include "sim/client.h"
#include "sim/launch.h"

#define ROUNDS      500000
#define MEMORY_SIZE ((size_t)1 << 20)
#define PAGE_SIZE   4096U
#define GROUP       "/dev/vfio/0"

/* The calls, by the seam or plainly. */
struct host {
	struct kernel *kernel; /* NULL: plainly */
};

static int call(const struct host *host, int fd, unsigned long request, void *argument)
{
	if (host->kernel) {
		return kernel_ioctl(host->kernel, fd, request, argument);
	}
	return ioctl(fd, request, argument);
}

static int open_node(const struct host *host, const char *path)
{
	return host->kernel ? kernel_open_node(host->kernel, path) : open(path, O_RDWR | O_CLOEXEC);
}

static void require(bool condition, const char *what)
{
	if (!condition) {
		(void)fprintf(stderr, "bench-sim-ioctl: %s\n", what);
		exit(EXIT_FAILURE);
	}
}

static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double measure_null(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	double start = now();

	for (int i = 0; i < ROUNDS; i++) {
		require(ioctl(null, VFIO_IOMMU_MAP_DMA, NULL) < 0, "/dev/null is a container");
	}
	return (now() - start) / ROUNDS;
}

static int open_container(const struct host *host, int *ret_group)
{
	int container = open_node(host, NODE_CONTAINER);

	*ret_group = open_node(host, GROUP);
	require(container >= 0 && *ret_group >= 0, "no nodes");
	require(call(host, *ret_group, VFIO_GROUP_SET_CONTAINER, &container) == 0, "no container");
	require(call(host, container, VFIO_SET_IOMMU, (void *)VFIO_SPAPR_TCE_v2_IOMMU) == 0,
		"no IOMMU");
	return container;
}

/* One page in, and out again. */
static double measure_maps(const struct host *host, int container, void *memory)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.size = PAGE_SIZE,
	};
	struct vfio_iommu_type1_dma_unmap unmap = {.argsz = sizeof(unmap), .size = PAGE_SIZE};
	double start = now();

	for (unsigned int i = 0; i < ROUNDS; i++) {
		map.iova = unmap.iova = (uint64_t)(i % 65536) * PAGE_SIZE;
		require(call(host, container, VFIO_IOMMU_MAP_DMA, &map) == 0, "MAP");
		require(call(host, container, VFIO_IOMMU_UNMAP_DMA, &unmap) == 0, "UNMAP");
	}
	/* What was posted is done when another call has an answer. */
	require(call(host, container, VFIO_CHECK_EXTENSION, (void *)VFIO_SPAPR_TCE_v2_IOMMU) == 1,
		"CHECK_EXTENSION");
	return (now() - start) / (2.0 * ROUNDS);
}

static void run(const struct host *host)
{
	struct vfio_iommu_spapr_register_memory memory = {
		.argsz = sizeof(memory),
		.size = MEMORY_SIZE,
	};
	void *bytes = aligned_alloc(65536, MEMORY_SIZE);
	double null = measure_null();
	int group;
	int container = open_container(host, &group);
	double maps;

	require(bytes != NULL, "no memory");
	memory.vaddr = (uintptr_t)bytes;
	require(call(host, container, VFIO_IOMMU_SPAPR_REGISTER_MEMORY, &memory) == 0, "REGISTER");
	maps = measure_maps(host, container, bytes);
	(void)printf("sim map ioctl %.0f ns/op, real ioctl on /dev/null %.0f ns/op, ratio %.1f\n",
		     maps, null, maps / null);
	(void)close(container);
	(void)close(group);
	free(bytes);
}

/* The program lies one directory above this one. */
static const char *simhost_program(void)
{
	static char program[PATH_MAX + 32];
	char path[PATH_MAX];
	const char *given = getenv(ENV_SIMHOST);
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	require(length > 0, "/proc is missing");
	path[length] = '\0';
	(void)snprintf(program, sizeof(program), "%s/../spaprd-simhost", dirname(path));
	return given ? given : program;
}

int main(int argc, char **argv)
{
	struct host host = {.kernel = NULL};
	int connection = -1;
	pid_t pid = 0;

	if (argc > 1 && strcmp(argv[1], "--plain") == 0) {
		run(&host);
		return EXIT_SUCCESS;
	}
	require(sim_launch(simhost_program(), NULL, &connection, &pid) == 0, "no simulated host");
	require(sim_kernel_new(connection, &host.kernel) == 0, "no kernel");
	run(&host);
	host.kernel = kernel_free(host.kernel);
	(void)waitpid(pid, NULL, 0);
	return EXIT_SUCCESS;
}
