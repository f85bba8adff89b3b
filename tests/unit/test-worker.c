/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worker process on the simulated host: requests good and bad, and its ends. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "worker_fixture.h"

#define MIB UINT64_C(0x100000)

/* Devices of the simulated powernv9 host: groups 0 to 2 are usable, 3 isn't viable. */
#define DEVICE_OF_GROUP_0  "0000:01:00.0"
#define GROUP_NOT_VIABLE   3
#define DEFAULT_TABLE_SIZE UINT64_C(0x800000)

static uint64_t locked_bytes(const struct worker_counts *counts)
{
	return counts->locked_pins + counts->locked_tables + counts->locked_leaks;
}

static void expect_locked(struct fixture *fixture)
{
	struct sim_statistics now = fixture_statistics(fixture);

	assert_int_equal(locked_bytes(&last_answer.head.counts), now.locked_bytes);
}

static void test_eof(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fixture_close(&fixture);
}

static void test_by_hand(void **state)
{
	char self[PATH_MAX];
	char program[PATH_MAX];
	int status = 0;
	pid_t pid;

	(void)state;
	self[readlink("/proc/self/exe", self, sizeof(self) - 1)] = '\0';
	assert_true(snprintf(program, sizeof(program), "%s/../spaprd-worker", dirname(self)) <
		    PATH_MAX);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(WORKER_SOCKET_FD);
		(void)dup2(open("/dev/null", O_RDWR | O_CLOEXEC), STDERR_FILENO);
		(void)execl(program, program, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 2);
}

/* The value of a field of the worker's /proc/PID/status. */
static long read_status(const struct fixture *fixture, const char *field)
{
	char path[64];
	char line[256];
	long value = -1;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", fixture->worker);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, field, strlen(field)) == 0) {
			value = strtol(line + strlen(field), NULL, 10);
		}
	}
	(void)fclose(file);
	return value;
}

static void test_confined(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(request(&fixture, WORKER_DESCRIBE, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(read_status(&fixture, "NoNewPrivs:"), 1);
#ifndef SPAPRD_SANITIZE
	assert_int_equal(read_status(&fixture, "Threads:"), 2);
	assert_int_equal(read_status(&fixture, "Seccomp:"), 2);
#endif
	fixture_close(&fixture);
}

static void test_whole_path(void **state)
{
	cleanup(cleanup_fd) int memory = make_memory(16 * MIB);
	struct worker_window window = {.start = WORKER_WINDOW_ANYWHERE};
	struct worker_translate translate = {.iova = 0x3008};
	struct worker_translation translation;
	struct fixture fixture;
	uint32_t id = 0;
	char bytes[6] = "";

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(last_answer.head.size, sizeof(struct worker_container));
	expect_locked(&fixture);
	assert_int_equal(add_memory_fd(&fixture, memory, 0, 16 * MIB, 0, &id), 0);
	expect_locked(&fixture);
	assert_int_equal(map(&fixture, 0x2000, 0x5000, 2 * PAGE, 3), 0);
	assert_int_equal(last_answer.head.counts.mappings, 1);
	assert_int_equal(last_answer.head.counts.mapped_bytes, 2 * PAGE);
	assert_int_equal(locked_bytes(&last_answer.head.counts), 16 * MIB + DEFAULT_TABLE_SIZE);
	expect_locked(&fixture);
	fixture_dma_write(&fixture, DEVICE_OF_GROUP_0, 0x2ffe, "hello", 5);
	assert_int_equal(pread(memory, bytes, 5, 0x5ffe), 5);
	assert_string_equal(bytes, "hello");
	assert_int_equal(
		request(&fixture, WORKER_TRANSLATE, &translate, sizeof(translate), NULL, 0, NULL),
		0);
	memcpy(&translation, last_answer.body, sizeof(translation));
	assert_int_equal(translation.gpa, 0x6008);
	assert_int_equal(translation.left, PAGE - 8);
	assert_int_equal(translation.prot, 3);
	assert_int_equal(create_window(&fixture, &window), 0);
	assert_int_equal(window.start, UINT64_C(1) << 59);
	assert_int_equal(window.size, 16 * MIB);
	assert_int_equal(window.page_shift, 12);
	assert_int_equal(window.levels, 1);
	expect_locked(&fixture);
	assert_int_equal(map(&fixture, window.start, 0, 16 * MIB, 3), 0);
	assert_int_equal(unmap(&fixture, window.start, 16 * MIB), 0);
	assert_int_equal(remove_window(&fixture, window.start), 0);
	assert_int_equal(unmap(&fixture, 0x2000, 2 * PAGE), 0);
	assert_int_equal(remove_memory(&fixture, id), 0);
	expect_locked(&fixture);
	assert_int_equal(detach(&fixture, 0), 0);
	assert_int_equal(locked_bytes(&last_answer.head.counts), 0);
	expect_locked(&fixture);
	assert_int_equal(request(&fixture, WORKER_CLOSE, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(fixture_wait(&fixture), 0);
	fixture_close_host(&fixture);
}

static void test_describe(void **state)
{
	struct worker_description description;
	struct worker_container container;
	struct worker_memory memory;
	struct worker_window window;
	struct fixture fixture;
	const unsigned char *body = last_answer.body;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, MIB, MIB, NULL), 0);
	assert_int_equal(request(&fixture, WORKER_DESCRIBE, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(last_answer.head.size,
			 sizeof(description) + sizeof(memory) + sizeof(window) + sizeof(container));
	memcpy(&description, body, sizeof(description));
	memcpy(&memory, body + sizeof(description), sizeof(memory));
	memcpy(&window, body + sizeof(description) + sizeof(memory), sizeof(window));
	memcpy(&container, body + sizeof(description) + sizeof(memory) + sizeof(window),
	       sizeof(container));
	assert_int_equal(description.memory_count, 1);
	assert_int_equal(description.window_count, 1);
	assert_int_equal(description.container_count, 1);
	assert_int_equal(memory.gpa, MIB);
	assert_int_equal(memory.size, MIB);
	assert_int_equal(window.start, 0);
	assert_int_equal(window.size, UINT64_C(0x80000000));
	assert_int_equal(window.page_shift, 12);
	assert_int_equal(container.container_id, 101);
	assert_int_equal(container.groups[0], 1);
	assert_string_equal(container.iommu_type, "spapr-tce-v2");
	assert_int_equal(container.page_sizes, 0x40211000);
	assert_int_equal(container.max_windows, 2);
	assert_int_equal(container.max_levels, 5);
	assert_int_equal(container.eeh, 1);
	fixture_close(&fixture);
}

static void test_list(void **state)
{
	struct worker_list list = {.from = 0, .most = UINT32_MAX};
	struct worker_mapping mapping;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(add_memory(&fixture, 0, MIB, NULL), 0);
	for (uint64_t i = 0; i < WORKER_MAPPINGS_PER_REPLY + 10; i++) {
		assert_int_equal(map(&fixture, i * 2 * PAGE, 0, PAGE, 1), 0);
	}
	assert_int_equal(
		request(&fixture, WORKER_LIST_MAPPINGS, &list, sizeof(list), NULL, 0, NULL), 0);
	assert_int_equal(last_answer.head.size, WORKER_MAPPINGS_PER_REPLY * sizeof(mapping));
	memcpy(&mapping, last_answer.body + last_answer.head.size - sizeof(mapping),
	       sizeof(mapping));
	assert_int_equal(mapping.iova, 2 * PAGE * (WORKER_MAPPINGS_PER_REPLY - 1));
	list.from = mapping.iova + mapping.size;
	assert_int_equal(
		request(&fixture, WORKER_LIST_MAPPINGS, &list, sizeof(list), NULL, 0, NULL), 0);
	assert_int_equal(last_answer.head.size, 10 * sizeof(mapping));
	list.most = 0;
	assert_int_equal(
		request(&fixture, WORKER_LIST_MAPPINGS, &list, sizeof(list), NULL, 0, NULL), 0);
	assert_int_equal(last_answer.head.size, 0);
	fixture_close(&fixture);
}

static void test_wrong_states(void **state)
{
	struct worker_window window = {.start = WORKER_WINDOW_ANYWHERE, .size = MIB};
	struct fixture fixture;
	uint32_t id = 0;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(detach(&fixture, 0), ERROR_NOT_FOUND);
	assert_int_equal(create_window(&fixture, &window), ERROR_NOT_FOUND);
	assert_int_equal(remove_window(&fixture, 0), ERROR_NOT_FOUND);
	assert_int_equal(map(&fixture, 0, 0, PAGE, 3), ERROR_OUTSIDE_WINDOW);
	assert_int_equal(unmap(&fixture, 0, PAGE), ERROR_NOT_MAPPED);
	assert_int_equal(remove_memory(&fixture, 1), ERROR_NOT_FOUND);
	assert_int_equal(add_memory(&fixture, 0, MIB, &id), 0);
	assert_int_equal(attach(&fixture, GROUP_NOT_VIABLE), ERROR_GROUP_NOT_VIABLE);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(map(&fixture, 0, 0, PAGE, 3), 0);
	assert_int_equal(remove_memory(&fixture, id), ERROR_MEMORY_IN_USE);
	assert_int_equal(remove_window(&fixture, 0), ERROR_MEMORY_IN_USE);
	assert_int_equal(remove_window(&fixture, PAGE), ERROR_NOT_FOUND);
	assert_int_equal(detach(&fixture, 0), ERROR_MEMORY_IN_USE);
	assert_int_equal(map(&fixture, 0, 0, PAGE, 3), ERROR_ALREADY_MAPPED);
	assert_int_equal(unmap(&fixture, 0, 2 * PAGE), ERROR_NOT_MAPPED);
	fixture_close(&fixture);
}

static void test_pending_default_window(void **state)
{
	struct worker_window window = {.start = 0, .size = 32 * MIB, .page_shift = 16};
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(fixture_statistics(&fixture).windows, 0);
	assert_int_equal(create_window(&fixture, &window), ERROR_WINDOW_OVERLAP);
	/* Cancelled, not removed: no table was ever charged. */
	assert_int_equal(remove_window(&fixture, 0), 0);
	assert_int_equal(locked_bytes(&last_answer.head.counts), 0);
	assert_int_equal(create_window(&fixture, &window), 0);
	assert_int_equal(window.start, 0);
	expect_locked(&fixture);
	window = (struct worker_window){.start = 64 * MIB, .size = 4 * MIB, .page_shift = 12};
	assert_int_equal(create_window(&fixture, &window), ERROR_WINDOW_START);
	expect_locked(&fixture);
	window = (struct worker_window){.start = WORKER_WINDOW_ANYWHERE, .size = 4 * MIB};
	assert_int_equal(create_window(&fixture, &window), 0);
	assert_int_equal(create_window(&fixture, &window), ERROR_WINDOW_OVERLAP);
	window.start = WORKER_WINDOW_ANYWHERE;
	assert_int_equal(create_window(&fixture, &window), ERROR_NO_WINDOW_LEFT);
	fixture_close(&fixture);
}

static void test_window_refuses(void **state)
{
	static const struct {
		struct worker_window window;
		enum error_code code;
	} cases[] = {
		{{.size = 3 * MIB}, ERROR_INVALID_ARGUMENT},
		{{.size = PAGE}, ERROR_INVALID_ARGUMENT},
		{{.size = MIB, .page_shift = 13}, ERROR_PAGE_SIZE},
		{{.size = MIB, .page_shift = 63}, ERROR_PAGE_SIZE},
		{{.size = MIB, .page_shift = 64}, ERROR_PAGE_SIZE},
		{{.size = MIB, .page_shift = UINT32_MAX}, ERROR_PAGE_SIZE},
		{{.size = UINT64_C(1) << 43, .page_shift = 12}, ERROR_QUOTA_EXCEEDED},
		{{.size = UINT64_C(1) << 63, .page_shift = 30}, ERROR_QUOTA_EXCEEDED},
		{{.size = UINT64_C(1) << 40, .page_shift = 16, .levels = 1}, ERROR_TABLE_MEMORY},
		{{.size = 4 * MIB, .page_shift = 12, .levels = 6}, ERROR_INVALID_ARGUMENT},
		{{.size = 4 * MIB, .page_shift = 12, .levels = 5}, ERROR_INVALID_ARGUMENT},
		{{.size = 0}, ERROR_INVALID_ARGUMENT},
		{{.size = MIB, .flags = 6}, ERROR_INVALID_ARGUMENT},
	};
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct worker_window window = cases[i].window;

		window.start = WORKER_WINDOW_ANYWHERE;
		assert_int_equal(create_window(&fixture, &window), cases[i].code);
		assert_int_equal(locked_bytes(&last_answer.head.counts), 0);
	}
	assert_non_null(strstr((const char *)last_answer.body,
			       "window flags 0x6 are not known; there is 1"));
	assert_int_equal(fixture_statistics(&fixture).leaked_locked_bytes, 0);
	fixture_close(&fixture);
}

static void test_big_window(void **state)
{
	struct worker_window window = {
		.start = WORKER_WINDOW_ANYWHERE, .size = UINT64_C(1) << 40, .page_shift = 16};
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(create_window(&fixture, &window), 0);
	assert_int_equal(window.levels, 2);
	expect_locked(&fixture);
	assert_int_equal(remove_window(&fixture, window.start), 0);
	/* An ENOMEM leads to one level more, and its charge stays. */
	window = (struct worker_window){
		.start = WORKER_WINDOW_ANYWHERE, .size = UINT64_C(1) << 40, .page_shift = 16};
	fixture_fail(&fixture, "VFIO_IOMMU_SPAPR_TCE_CREATE", 0, ENOMEM);
	assert_int_equal(create_window(&fixture, &window), 0);
	assert_int_equal(window.levels, 3);
	window.levels = 2;
	assert_int_equal(remove_window(&fixture, window.start), 0);
	fixture_fail(&fixture, "VFIO_IOMMU_SPAPR_TCE_CREATE", 0, ENOMEM);
	window.start = WORKER_WINDOW_ANYWHERE;
	assert_int_equal(create_window(&fixture, &window), ERROR_TABLE_MEMORY);
	assert_int_equal(last_answer.head.errnum, ENOMEM);
	fixture_close(&fixture);
}

/* Many TCEs go in several calls, and a failure in a later one leaves nothing. */
static void test_map_fails_half_way(void **state)
{
	struct fixture fixture;
	uint32_t id = 0;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(add_memory(&fixture, 0, 1024 * MIB, &id), 0);
	fixture_fail(&fixture, "VFIO_IOMMU_MAP_DMA", 2, EINVAL);
	assert_int_equal(map(&fixture, 0, 0, 1024 * MIB, 3), ERROR_PAGE_SIZE);
	assert_int_equal(last_answer.head.counts.mappings, 0);
	assert_int_equal(fixture_statistics(&fixture).mapped_tces, 0);
	assert_int_equal(map(&fixture, 0, 0, 1024 * MIB, 3), 0);
	assert_int_equal(fixture_statistics(&fixture).mapped_tces, 0x40000);
	fixture_fail(&fixture, "VFIO_IOMMU_UNMAP_DMA", 0, EIO);
	assert_int_equal(unmap(&fixture, 0, 1024 * MIB), ERROR_KERNEL);
	assert_int_equal(last_answer.head.counts.mappings, 1);
	assert_int_equal(fixture_statistics(&fixture).mapped_tces, 0x40000);
	assert_int_equal(unmap(&fixture, 0, 1024 * MIB), 0);
	assert_int_equal(remove_memory(&fixture, id), 0);
	expect_locked(&fixture);
	fixture_close(&fixture);
}

static void test_register_fails(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	fixture_fail(&fixture, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 1, ENOMEM);
	assert_int_equal(add_memory(&fixture, 0, MIB, NULL), ERROR_QUOTA_EXCEEDED);
	assert_non_null(strstr((const char *)last_answer.body, "container 101 (group 1)"));
	assert_int_equal(fixture_statistics(&fixture).registered_regions, 0);
	assert_int_equal(add_memory(&fixture, 0, MIB, NULL), 0);
	expect_locked(&fixture);
	fixture_fail(&fixture, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 0, EFAULT);
	assert_int_equal(attach(&fixture, 2), ERROR_KERNEL);
	assert_int_equal(fixture_statistics(&fixture).attached_groups, 2);
	assert_int_equal(attach(&fixture, 2), 0);
	fixture_close(&fixture);
}

static void test_wrong_fds(void **state)
{
	struct worker_memory memory = {.size = MIB};
	struct worker_attach body = {.group = 0, .container_id = 1};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int directory = open("/", O_RDONLY | O_CLOEXEC);
	int path = open("/tmp", O_PATH | O_CLOEXEC);
	int unsealed = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int sealed = make_memory(MIB);
	int small = make_memory(PAGE);
	struct fixture fixture;
	char node[32];
	int read_only;
	int pipes[2];
	int wrong[8];
	int fds[2];

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(ftruncate(unsealed, (off_t)MIB), 0);
	assert_int_equal(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE), 0);
	(void)snprintf(node, sizeof(node), "/proc/self/fd/%d", small);
	read_only = open(node, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	memcpy(wrong, (int[]){null, directory, path, unsealed, sealed, small, read_only, pipes[0]},
	       sizeof(wrong));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(request(&fixture, WORKER_ADD_MEMORY, &memory, sizeof(memory),
					 &wrong[i], 1, NULL),
				 ERROR_INVALID_ARGUMENT);
		fds[0] = wrong[i];
		fds[1] = wrong[i];
		assert_int_equal(
			request(&fixture, WORKER_ATTACH_GROUP, &body, sizeof(body), fds, 2, NULL),
			ERROR_INVALID_ARGUMENT);
	}
	/* The two nodes in the wrong order. */
	fds[1] = kernel_open_node(fixture.kernel, "/dev/vfio/vfio");
	fds[0] = kernel_open_node(fixture.kernel, "/dev/vfio/0");
	assert_int_equal(request(&fixture, WORKER_ATTACH_GROUP, &body, sizeof(body), fds, 2, NULL),
			 ERROR_INVALID_ARGUMENT);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		(void)fd_close(wrong[i]);
	}
	(void)fd_close(pipes[1]);
	(void)kernel_close(fixture.kernel, fds[0]);
	(void)kernel_close(fixture.kernel, fds[1]);
	fixture_close(&fixture);
}

static int send_raw(struct fixture *fixture, struct worker_request head, const void *body,
		    size_t size)
{
	assert_int_equal(packet_send(fixture->socket, &head, sizeof(head), body, size, NULL, 0), 0);
	receive_answer(fixture, &last_answer);
	assert_int_equal(last_answer.head.id, head.id);
	return (int)last_answer.head.code;
}

static void test_bad_headers(void **state)
{
	struct worker_request good = {.version = WORKER_PROTOCOL_VERSION,
				      .type = WORKER_MAP,
				      .id = 1000,
				      .size = sizeof(struct worker_map)};
	struct worker_map body = {.size = PAGE, .prot = 3};
	struct worker_request head;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	head = good;
	head.version++;
	assert_int_equal(send_raw(&fixture, head, &body, sizeof(body)), ERROR_INVALID_ARGUMENT);
	head = good;
	head.id = 0;
	assert_int_equal(send_raw(&fixture, head, &body, sizeof(body)), ERROR_INVALID_ARGUMENT);
	for (uint32_t type = 0; type < 40; type++) {
		head = good;
		head.type = type;
		head.size = sizeof(body) - 4;
		assert_int_equal(send_raw(&fixture, head, &body, sizeof(body) - 4),
				 ERROR_INVALID_ARGUMENT);
	}
	head = good;
	head.size = UINT32_MAX;
	assert_int_equal(send_raw(&fixture, head, &body, sizeof(body)), ERROR_INVALID_ARGUMENT);
	assert_int_equal(send_raw(&fixture, good, &body, sizeof(body) - 1), ERROR_INVALID_ARGUMENT);
	head = good;
	head.fds = 1;
	assert_int_equal(send_raw(&fixture, head, &body, sizeof(body)), ERROR_INVALID_ARGUMENT);
	body.reserved = 1;
	assert_int_equal(send_raw(&fixture, good, &body, sizeof(body)), ERROR_INVALID_ARGUMENT);
	body.reserved = 0;
	assert_int_equal(send_raw(&fixture, good, &body, sizeof(body)), ERROR_OUTSIDE_WINDOW);
	fixture_close(&fixture);
}

/* What can't be answered is dropped, and surplus fds are closed. */
static void test_garbage(void **state)
{
	static const unsigned char noise[WORKER_MESSAGE_MAX + 100] = {0xa5};
	cleanup(cleanup_fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int many[PACKET_FDS_MAX];
	struct fixture fixture;
	int size = 1 << 20;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(setsockopt(fixture.socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	for (size_t i = 0; i < PACKET_FDS_MAX; i++) {
		many[i] = null;
	}
	assert_int_equal(send(fixture.socket, noise, 0, 0), 0);
	assert_int_equal(packet_send(fixture.socket, noise, 1, NULL, 0, NULL, 0), 0);
	assert_int_equal(packet_send(fixture.socket, noise, 23, NULL, 0, many, PACKET_FDS_MAX), 0);
	assert_int_equal(packet_send(fixture.socket, noise, sizeof(noise), NULL, 0, many, 3), 0);
	assert_int_equal(packet_send(fixture.socket, noise, WORKER_MESSAGE_MAX, NULL, 0, many, 3),
			 0);
	receive_answer(&fixture, &last_answer);
	assert_int_equal(last_answer.head.code, ERROR_INVALID_ARGUMENT);
	assert_int_equal(
		request(&fixture, WORKER_MAP, noise, sizeof(struct worker_map), many, 5, NULL),
		ERROR_INVALID_ARGUMENT);
	assert_int_equal(request(&fixture, WORKER_DESCRIBE, NULL, 0, NULL, 0, NULL), 0);
	fixture_close(&fixture);
}

/* A worker that can't take any fd says so, for somebody waits for its reply. */
static void test_no_room_for_fds(void **state)
{
	struct rlimit none = {.rlim_cur = WORKER_SOCKET_FD};
	struct rlimit limit;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	/* It runs, and has all its own fds. */
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(prlimit(fixture.worker, RLIMIT_NOFILE, NULL, &limit), 0);
	none.rlim_max = limit.rlim_max;
	assert_int_equal(prlimit(fixture.worker, RLIMIT_NOFILE, &none, NULL), 0);
	assert_int_equal(add_memory(&fixture, 0, MIB, NULL), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(prlimit(fixture.worker, RLIMIT_NOFILE, &limit, NULL), 0);
	assert_int_equal(add_memory(&fixture, 0, MIB, NULL), 0);
	fixture_close(&fixture);
}

static void fill(struct fixture *fixture)
{
	struct worker_window window = {.start = WORKER_WINDOW_ANYWHERE};

	assert_int_equal(attach(fixture, 0), 0);
	assert_int_equal(add_memory(fixture, 0, MIB, NULL), 0);
	assert_int_equal(add_memory(fixture, MIB, MIB, NULL), 0);
	assert_int_equal(attach(fixture, 1), 0);
	assert_int_equal(create_window(fixture, &window), 0);
	assert_int_equal(map(fixture, 0, 0, MIB, 3), 0);
	assert_int_equal(map(fixture, window.start, MIB, PAGE, 1), 0);
	expect_locked(fixture);
	assert_int_equal(attach(fixture, 2), 0);
	expect_locked(fixture);
	assert_int_equal(fixture_statistics(fixture).mapped_tces, 3 * (0x100 + 1));
}

static void test_eof_in_use(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fill(&fixture);
	fixture_close(&fixture);
}

static void test_close_in_use(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fill(&fixture);
	assert_int_equal(request(&fixture, WORKER_CLOSE, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(last_answer.head.counts.mappings, 0);
	assert_int_equal(locked_bytes(&last_answer.head.counts), 0);
	assert_int_equal(fixture_wait(&fixture), 0);
	fixture_close_host(&fixture);
}

static void test_kill(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fill(&fixture);
	assert_int_equal(kill(fixture.worker, SIGKILL), 0);
	assert_int_equal(fixture_wait(&fixture), -SIGKILL);
	fixture_close_host(&fixture);
}

/* Only the socket ends a worker. */
static void test_signals(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(request(&fixture, WORKER_DESCRIBE, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(kill(fixture.worker, SIGTERM), 0);
	assert_int_equal(kill(fixture.worker, SIGINT), 0);
	assert_int_equal(request(&fixture, WORKER_DESCRIBE, NULL, 0, NULL, 0, NULL), 0);
	fixture_close(&fixture);
}

/* A group that goes takes its mappings along; the other groups keep theirs. */
static void test_detach_of_several(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fill(&fixture);
	assert_int_equal(detach(&fixture, 1), 0);
	assert_int_equal(last_answer.head.counts.mappings, 2);
	assert_int_equal(fixture_statistics(&fixture).mapped_tces, 2 * (0x100 + 1));
	expect_locked(&fixture);
	fixture_dma_write(&fixture, DEVICE_OF_GROUP_0, 0x80, "x", 1);
	assert_int_equal(attach(&fixture, 1), 0);
	expect_locked(&fixture);
	fixture_close(&fixture);
}

static uint64_t send_add_memory(struct fixture *fixture, uint64_t gpa)
{
	cleanup(cleanup_fd) int fd = make_memory(MIB);
	struct worker_memory body = {.gpa = gpa, .size = MIB};

	return send_request(fixture, WORKER_ADD_MEMORY, &body, sizeof(body), &fd, 1);
}

/* H18: memory that a TCE may still point to isn't unregistered, or the kernel would keep it. */
static void test_h18_detach_with_a_stray(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, MIB, NULL), 0);
	assert_int_equal(map(&fixture, 0, 0, PAGE, 3), 0);
	fixture_fail(&fixture, "VFIO_IOMMU_MAP_DMA", 1, EIO);
	fixture_fail(&fixture, "VFIO_IOMMU_UNMAP_DMA", 1, EIO);
	assert_int_equal(map(&fixture, 0x10000, 0, PAGE, 3), ERROR_KERNEL);
	assert_int_equal(fixture_statistics(&fixture).mapped_tces, 3);
	assert_int_equal(unmap(&fixture, 0, PAGE), 0);
	assert_int_equal(detach(&fixture, 1), 0);
	fixture_fail(&fixture, "VFIO_IOMMU_SPAPR_TCE_REMOVE", 0, EIO);
	assert_int_equal(detach(&fixture, 0), 0);
	assert_int_equal(fixture_statistics(&fixture).leaked_pinned_bytes, 0);
	expect_locked(&fixture);
	fixture_close(&fixture);
}

/* While one section is being pinned, others are mapped, and structural requests wait. */
static void test_h11_maps_while_registering(void **state)
{
	struct worker_map body = {.iova = PAGE, .gpa = 0, .size = PAGE, .prot = 3};
	struct worker_remove_window remove = {.start = 0x1234};
	struct fixture fixture;
	uint64_t add;
	uint64_t window;
	uint64_t mapping;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(add_memory(&fixture, 0, MIB, NULL), 0);
	fixture_delay(&fixture, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 700);
	add = send_add_memory(&fixture, MIB);
	window = send_request(&fixture, WORKER_REMOVE_WINDOW, &remove, sizeof(remove), NULL, 0);
	mapping = send_request(&fixture, WORKER_MAP, &body, sizeof(body), NULL, 0);
	body = (struct worker_map){.iova = 0, .gpa = MIB, .size = PAGE, .prot = 3};
	receive_answer(&fixture, &last_answer);
	assert_int_equal(last_answer.head.id, mapping);
	assert_int_equal(last_answer.head.code, 0);
	mapping = send_request(&fixture, WORKER_MAP, &body, sizeof(body), NULL, 0);
	receive_answer(&fixture, &last_answer);
	assert_int_equal(last_answer.head.id, mapping);
	assert_int_equal(last_answer.head.code, ERROR_BUSY);
	receive_answer(&fixture, &last_answer);
	assert_int_equal(last_answer.head.id, add);
	assert_int_equal(last_answer.head.code, 0);
	receive_answer(&fixture, &last_answer);
	assert_int_equal(last_answer.head.id, window);
	assert_int_equal(last_answer.head.code, ERROR_NOT_FOUND);
	assert_int_equal(map(&fixture, 0, MIB, PAGE, 3), 0);
	fixture_close(&fixture);
}

static void test_close_while_registering(void **state)
{
	struct fixture fixture;
	uint64_t first;
	uint64_t second;
	uint64_t close_id;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	fixture_delay(&fixture, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 300);
	first = send_add_memory(&fixture, 0);
	second = send_add_memory(&fixture, MIB);
	close_id = send_request(&fixture, WORKER_CLOSE, NULL, 0, NULL, 0);
	receive_answer(&fixture, &last_answer);
	assert_int_equal(last_answer.head.id, second);
	assert_int_equal(last_answer.head.code, ERROR_BUSY);
	receive_answer(&fixture, &last_answer);
	assert_int_equal(last_answer.head.id, first);
	assert_int_equal(last_answer.head.code, 0);
	receive_answer(&fixture, &last_answer);
	assert_int_equal(last_answer.head.id, close_id);
	assert_int_equal(last_answer.head.code, 0);
	assert_int_equal(fixture_wait(&fixture), 0);
	fixture_close_host(&fixture);
}

static void test_eof_while_registering(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	fixture_delay(&fixture, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 300);
	(void)send_add_memory(&fixture, 0);
	(void)send_add_memory(&fixture, MIB);
	fixture_close(&fixture);
}

/* Too many requests in line are refused, not kept. */
static void test_long_line(void **state)
{
	struct worker_remove_memory body = {.id = 77};
	struct fixture fixture;
	unsigned int busy = 0;
	unsigned int done = 0;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	fixture_delay(&fixture, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 500);
	(void)send_add_memory(&fixture, 0);
	for (unsigned int i = 0; i < 300; i++) {
		(void)send_request(&fixture, WORKER_REMOVE_MEMORY, &body, sizeof(body), NULL, 0);
	}
	for (unsigned int i = 0; i < 301; i++) {
		receive_answer(&fixture, &last_answer);
		busy += last_answer.head.code == ERROR_BUSY;
		done += last_answer.head.code == ERROR_NOT_FOUND;
	}
	assert_int_equal(busy, 300 - 256);
	assert_int_equal(done, 256);
	fixture_close(&fixture);
}

/* A broker that doesn't read for a while loses no reply, and gets them in order. */
static void test_full_socket(void **state)
{
	struct worker_list body = {.most = UINT32_MAX};
	struct worker_request head = {.version = WORKER_PROTOCOL_VERSION,
				      .type = WORKER_LIST_MAPPINGS,
				      .size = sizeof(body)};
	struct fixture fixture;
	uint64_t received = 0;
	int flags;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(add_memory(&fixture, 0, MIB, NULL), 0);
	for (uint64_t i = 0; i < 500; i++) {
		assert_int_equal(map(&fixture, i * 2 * PAGE, 0, PAGE, 1), 0);
	}
	flags = fcntl(fixture.socket, F_GETFL);
	assert_int_equal(fcntl(fixture.socket, F_SETFL, flags | O_NONBLOCK), 0);
	for (;;) {
		int r;

		head.id++;
		r = packet_send(fixture.socket, &head, sizeof(head), &body, sizeof(body), NULL, 0);
		if (r == -EAGAIN) {
			/* Full for good: the worker has stopped reading. */
			(void)usleep(100000);
			r = packet_send(fixture.socket, &head, sizeof(head), &body, sizeof(body),
					NULL, 0);
		}
		if (r < 0) {
			assert_int_equal(r, -EAGAIN);
			break;
		}
	}
	assert_true(head.id > 10);
	assert_int_equal(fcntl(fixture.socket, F_SETFL, flags), 0);
	while (++received < head.id) {
		receive_answer(&fixture, &last_answer);
		assert_int_equal(last_answer.head.id, received);
		assert_int_equal(last_answer.head.size, 500 * sizeof(struct worker_mapping));
	}
	fixture_close(&fixture);
}

/* … and one that goes away without reading doesn't keep the worker. */
static void test_full_socket_eof(void **state)
{
	struct fixture fixture;
	unsigned int full = 0;

	(void)state;
	fixture_open(&fixture);
	fill(&fixture);
	assert_int_equal(fcntl(fixture.socket, F_SETFL, O_NONBLOCK), 0);
	while (full < 100) {
		struct worker_request head = {
			.version = WORKER_PROTOCOL_VERSION, .type = WORKER_DESCRIBE, .id = 1};

		if (packet_send(fixture.socket, &head, sizeof(head), NULL, 0, NULL, 0) < 0) {
			(void)usleep(1000);
			full++;
		}
	}
	fixture_close(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eof),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_confined),
		cmocka_unit_test(test_whole_path),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_wrong_states),
		cmocka_unit_test(test_pending_default_window),
		cmocka_unit_test(test_window_refuses),
		cmocka_unit_test(test_big_window),
		cmocka_unit_test(test_map_fails_half_way),
		cmocka_unit_test(test_register_fails),
		cmocka_unit_test(test_wrong_fds),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_no_room_for_fds),
		cmocka_unit_test(test_eof_in_use),
		cmocka_unit_test(test_close_in_use),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_detach_of_several),
		cmocka_unit_test(test_h18_detach_with_a_stray),
		cmocka_unit_test(test_h11_maps_while_registering),
		cmocka_unit_test(test_close_while_registering),
		cmocka_unit_test(test_eof_while_registering),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_full_socket),
		cmocka_unit_test(test_full_socket_eof),
	};

	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
