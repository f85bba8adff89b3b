/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "integration/dma.h"
#include "sim/client.h"
#include "sim/control.h"
#include "sim/launch.h"

/* -- start and end -- */

static bool world_is_real(void)
{
	const char *world = getenv("SPAPRD_TEST_WORLD");

	return world && strcmp(world, "real") == 0;
}

bool host_is_asked_about(void)
{
	char machine[64] = "";
	FILE *file;

	if (!world_is_real()) {
		return true;
	}
	file = fopen("/proc/device-tree/compatible", "re");
	/* The first of its strings. */
	if (file) {
		(void)!fread(machine, 1, sizeof(machine) - 1, file);
		(void)fclose(file);
	}
	return sysconf(_SC_PAGESIZE) == 4096 &&
	       (strcmp(machine, "qemu,powernv9") == 0 || strcmp(machine, "qemu,powernv10") == 0);
}

/* The simulated host's program lies one directory above the tests. */
static void simhost_path(char ret_path[static PATH_MAX])
{
	const char *given = getenv(ENV_SIMHOST);
	ssize_t length = readlink("/proc/self/exe", ret_path, PATH_MAX - 32);

	assert_true(length > 0);
	ret_path[length] = '\0';
	*strrchr(ret_path, '/') = '\0';
	(void)snprintf(strrchr(ret_path, '/'), 32, "/spaprd-simhost");
	if (given) {
		(void)snprintf(ret_path, PATH_MAX, "%s", given);
	}
}

void host_start(struct host *host, uint64_t memlock_limit)
{
	char name[64] = "powernv9";
	char path[PATH_MAX];
	int connection = -1;

	*host = HOST_NONE;
	host->real = world_is_real();
	if (host->real) {
		assert_int_equal(kernel_linux_new(&host->kernel), 0);
		return;
	}
	if (memlock_limit) {
		(void)snprintf(name, sizeof(name), "powernv9,memlock=%" PRIu64, memlock_limit);
	}
	simhost_path(path);
	assert_int_equal(sim_launch(path, name, &connection, &host->simhost), 0);
	assert_int_equal(sim_kernel_new(connection, &host->kernel), 0);
	assert_int_equal(sim_connection_new(host->kernel, &host->control), 0);
}

void host_stop(struct host *host)
{
	int status = -1;

	cleanup_fd(&host->control);
	host->kernel = kernel_free(host->kernel);
	if (host->simhost > 0) {
		assert_int_equal(waitpid(host->simhost, &status, 0), host->simhost);
		assert_int_equal(status, 0);
	}
	*host = HOST_NONE;
}

void host_share(const struct host *host, struct host *ret_shared, int *ret_connection)
{
	*ret_shared = HOST_NONE;
	ret_shared->real = host->real;
	*ret_connection = -1;
	if (!host->real) {
		assert_int_equal(sim_connection_new(host->kernel, ret_connection), 0);
		assert_int_equal(sim_connection_new(host->kernel, &ret_shared->control), 0);
	}
}

void host_adopt(struct host *host, const struct host *shared, int connection)
{
	/* The parent's fds of the connections are closed, or they would outlive it. */
	cleanup_fd(&host->control);
	host->kernel = kernel_free(host->kernel);
	*host = *shared;
	if (host->real) {
		assert_int_equal(kernel_linux_new(&host->kernel), 0);
	} else {
		assert_int_equal(sim_kernel_new(connection, &host->kernel), 0);
	}
}

/* -- looking -- */

static struct sim_control_reply receive_reply(const struct host *host)
{
	struct sim_control_reply reply = SIM_CONTROL_REPLY_NONE;

	assert_int_equal(sim_control_receive(host->control, &reply), 0);
	return reply;
}

static struct sim_statistics ask_statistics(const struct host *host)
{
	struct sim_control_reply reply;

	assert_int_equal(sim_control_statistics(host->control, 1), 0);
	reply = receive_reply(host);
	assert_int_equal(reply.code, ERROR_NONE);
	return reply.statistics;
}

static uint64_t read_locked_kib(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t kib = UINT64_MAX;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "VmLck:", 6) == 0) {
			kib = strtoull(line + 6, NULL, 10);
		}
	}
	(void)fclose(file);
	return kib;
}

uint64_t host_locked_kib(const struct host *host)
{
	return host->real ? read_locked_kib() : ask_statistics(host).caller_locked_bytes / 1024;
}

uint64_t host_damage(const struct host *host)
{
	return host->real ? 0 : ask_statistics(host).kernel_damage;
}

/* -- DMA -- */

void host_prepare_dma(const struct host *host, const char *device)
{
	const struct world world = {.real = host->real};

	dma_prepare(&world, device);
}

static void copy_by_simulator(const struct host *host, const char *device, uint64_t source,
			      uint64_t target, uint32_t size)
{
	static uint8_t buffer[DMA_MAX];
	struct sim_control_reply reply;

	assert_int_equal(sim_control_dma_read(host->control, 2, device, source, size), 0);
	reply = receive_reply(host);
	if (reply.code == ERROR_NONE) {
		assert_int_equal(reply.size, size);
		memcpy(buffer, reply.data, size);
	}
	sim_control_reply_done(&reply);
	assert_int_equal(sim_control_dma_write(host->control, 3, device, target, buffer, size), 0);
	reply = receive_reply(host);
	sim_control_reply_done(&reply);
}

void host_copy_by_dma(const struct host *host, const char *device, uint64_t source, uint64_t target,
		      uint32_t size)
{
	const struct world world = {.real = host->real};

	assert_true(size <= DMA_MAX);
	if (host->real) {
		dma_copy(&world, device, source, target, size);
	} else {
		copy_by_simulator(host, device, source, target, size);
	}
}
