/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many mappings at once, and what is cancelled, in a real worker on a simulated host. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "common/cleanup.h"
#include "worker_fixture.h"

#define MIB UINT64_C(0x100000)
#define GIB UINT64_C(0x40000000)

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int make_entries(const void *entries, size_t size, int seals)
{
	int fd = memfd_create("entries", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, entries, size), size);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int send_many(struct fixture *fixture, uint32_t type, int fd, uint32_t count)
{
	struct worker_many body = {.count = count};

	return request(fixture, type, &body, sizeof(body), &fd, 1, NULL);
}

static int map_many(struct fixture *fixture, const struct worker_mapping *mappings, uint32_t count)
{
	cleanup(cleanup_fd) int fd = make_entries(mappings, count * sizeof(*mappings), SEALS);

	return send_many(fixture, WORKER_MAP_MANY, fd, count);
}

static int unmap_many(struct fixture *fixture, const struct worker_unmap *ranges, uint32_t count)
{
	cleanup(cleanup_fd) int fd = make_entries(ranges, count * sizeof(*ranges), SEALS);

	return send_many(fixture, WORKER_UNMAP_MANY, fd, count);
}

static struct worker_mapping page_mapping(uint64_t iova_page, uint64_t gpa_page)
{
	return (struct worker_mapping){
		.iova = iova_page * PAGE, .gpa = gpa_page * PAGE, .size = PAGE, .prot = 3};
}

static void open_with_memory(struct fixture *fixture, uint64_t size)
{
	fixture_open(fixture);
	assert_int_equal(attach(fixture, 0), 0);
	assert_int_equal(add_memory(fixture, 0, size, NULL), 0);
}

static void expect_last(const char *text)
{
	if (!strstr((const char *)last_answer.body, text)) {
		print_error("\"%s\" is not in \"%s\"\n", text, (const char *)last_answer.body);
	}
	assert_non_null(strstr((const char *)last_answer.body, text));
}

/* One call takes them in, and out again; none is left alone by a failure in their middle. */
static void test_10000_pages(void **state)
{
	const uint32_t count = 10000;
	struct worker_mapping *mappings = calloc(count, sizeof(*mappings));
	struct worker_unmap *ranges = calloc(count, sizeof(*ranges));
	struct fixture fixture;

	(void)state;
	assert_non_null(mappings);
	assert_non_null(ranges);
	open_with_memory(&fixture, 64 * MIB);
	for (uint32_t i = 0; i < count; i++) {
		/* Each number once, since 7919 is a prime; no two follow each other. */
		uint64_t page = (uint64_t)i * 7919 % count;

		mappings[i] = page_mapping(page * 2, page);
		ranges[i] = (struct worker_unmap){page * 2 * PAGE, PAGE};
	}
	fixture_fail(&fixture, "VFIO_IOMMU_MAP_DMA", count / 2, EINVAL);
	assert_int_equal(map_many(&fixture, mappings, count), ERROR_PAGE_SIZE);
	assert_int_equal(last_answer.head.counts.mappings, 0);
	assert_int_equal(fixture_statistics(&fixture).mapped_tces, 0);
	assert_int_equal(map_many(&fixture, mappings, count), 0);
	assert_int_equal(last_answer.head.counts.mappings, count);
	assert_int_equal(fixture_statistics(&fixture).mapped_tces, count);
	assert_int_equal(map_many(&fixture, mappings, count), ERROR_ALREADY_MAPPED);
	expect_last("in entry 0 ");
	fixture_fail(&fixture, "VFIO_IOMMU_UNMAP_DMA", count / 2, EIO);
	assert_int_equal(unmap_many(&fixture, ranges, count), ERROR_KERNEL);
	assert_int_equal(last_answer.head.counts.mappings, count);
	assert_int_equal(fixture_statistics(&fixture).mapped_tces, count);
	assert_int_equal(unmap_many(&fixture, ranges, count), 0);
	assert_int_equal(last_answer.head.counts.mappings, 0);
	assert_int_equal(fixture_statistics(&fixture).mapped_tces, 0);
	fixture_close(&fixture);
	free(mappings);
	free(ranges);
}

/* As many as the protocol takes, in one run. */
static void test_most(void **state)
{
	struct worker_mapping *mappings = calloc(WORKER_MANY_MAX, sizeof(*mappings));
	struct worker_window window = {
		.start = WORKER_WINDOW_ANYWHERE, .size = 4 * GIB, .page_shift = 12};
	struct fixture fixture;

	(void)state;
	assert_non_null(mappings);
	open_with_memory(&fixture, 4 * GIB);
	assert_int_equal(create_window(&fixture, &window), 0);
	for (uint64_t i = 0; i < WORKER_MANY_MAX; i++) {
		mappings[i] = page_mapping(window.start / PAGE + i, i);
	}
	assert_int_equal(map_many(&fixture, mappings, WORKER_MANY_MAX), 0);
	assert_int_equal(last_answer.head.counts.mappings, WORKER_MANY_MAX);
	assert_int_equal(fixture_statistics(&fixture).mapped_tces, WORKER_MANY_MAX);
	fixture_close(&fixture);
	free(mappings);
}

/* The fd is taken for a stranger's, and a refusal changes nothing. */
static void test_wrong_entries(void **state)
{
	struct worker_mapping mappings[2] = {page_mapping(0, 0), page_mapping(1, 1)};
	struct fixture fixture;
	int pipes[2];
	int fd;

	(void)state;
	open_with_memory(&fixture, MIB);
	fd = make_entries(mappings, sizeof(mappings), F_SEAL_SHRINK);
	assert_int_equal(send_many(&fixture, WORKER_MAP_MANY, fd, 2), ERROR_INVALID_ARGUMENT);
	expect_last("sealed");
	(void)close(fd);
	fd = make_entries(mappings, sizeof(mappings), F_SEAL_WRITE);
	assert_int_equal(send_many(&fixture, WORKER_MAP_MANY, fd, 2), ERROR_INVALID_ARGUMENT);
	assert_int_equal(send_many(&fixture, WORKER_UNMAP_MANY, fd, 4), ERROR_INVALID_ARGUMENT);
	(void)close(fd);
	fd = make_entries(mappings, sizeof(mappings), SEALS);
	assert_int_equal(send_many(&fixture, WORKER_MAP_MANY, fd, 0), ERROR_INVALID_ARGUMENT);
	assert_int_equal(send_many(&fixture, WORKER_MAP_MANY, fd, 1), ERROR_INVALID_ARGUMENT);
	assert_int_equal(send_many(&fixture, WORKER_MAP_MANY, fd, 3), ERROR_INVALID_ARGUMENT);
	expect_last("64 bytes, but 3 entries have 96");
	assert_int_equal(send_many(&fixture, WORKER_UNMAP_MANY, fd, 2), ERROR_INVALID_ARGUMENT);
	assert_int_equal(send_many(&fixture, WORKER_MAP_MANY, fd, WORKER_MANY_MAX + 1),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(send_many(&fixture, WORKER_MAP_MANY, fd, UINT32_MAX),
			 ERROR_INVALID_ARGUMENT);
	expect_last("4294967295 entries");
	(void)close(fd);
	/* As long as the count says, but none, or too many. */
	fd = make_entries(mappings, 0, SEALS);
	assert_int_equal(send_many(&fixture, WORKER_MAP_MANY, fd, 0), ERROR_INVALID_ARGUMENT);
	assert_int_equal(send_many(&fixture, WORKER_UNMAP_MANY, fd, 0), ERROR_INVALID_ARGUMENT);
	(void)close(fd);
	fd = make_entries(mappings, sizeof(mappings), 0);
	assert_int_equal(ftruncate(fd, (WORKER_MANY_MAX + 1) * sizeof(*mappings)), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, SEALS), 0);
	assert_int_equal(send_many(&fixture, WORKER_MAP_MANY, fd, WORKER_MANY_MAX + 1),
			 ERROR_INVALID_ARGUMENT);
	expect_last("1000001 entries; one call takes 1 to 1000000");
	(void)close(fd);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(send_many(&fixture, WORKER_MAP_MANY, pipes[0], 2), ERROR_INVALID_ARGUMENT);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	/* What would be a good prot if it were cut to 32 bits. */
	mappings[1].prot = (UINT64_C(1) << 32) + 3;
	assert_int_equal(map_many(&fixture, mappings, 2), ERROR_INVALID_ARGUMENT);
	expect_last("in entry 1 ");
	assert_int_equal(last_answer.head.counts.mappings, 0);
	mappings[1].prot = 3;
	assert_int_equal(map_many(&fixture, mappings, 2), 0);
	fixture_close(&fixture);
}

/* From near 2^64, none wanted, and page by page to the end. */
static void test_bounds_of_lists(void **state)
{
	struct worker_list list = {.from = UINT64_MAX, .most = 10};
	struct worker_translate translate = {.iova = UINT64_MAX};
	struct worker_mapping mappings[3] = {page_mapping(0, 0), page_mapping(1, 1),
					     page_mapping(0x7ffff, 2)};
	struct worker_mapping last;
	struct fixture fixture;

	(void)state;
	open_with_memory(&fixture, MIB);
	assert_int_equal(map_many(&fixture, mappings, 3), 0);
	assert_int_equal(
		request(&fixture, WORKER_LIST_MAPPINGS, &list, sizeof(list), NULL, 0, NULL), 0);
	assert_int_equal(last_answer.head.size, 0);
	list.from = 2 * GIB - 1;
	assert_int_equal(
		request(&fixture, WORKER_LIST_MAPPINGS, &list, sizeof(list), NULL, 0, NULL), 0);
	assert_int_equal(last_answer.head.size, sizeof(last));
	memcpy(&last, last_answer.body, sizeof(last));
	assert_memory_equal(&last, &mappings[2], sizeof(last));
	list = (struct worker_list){.from = PAGE - 1, .most = 1};
	assert_int_equal(
		request(&fixture, WORKER_LIST_MAPPINGS, &list, sizeof(list), NULL, 0, NULL), 0);
	assert_memory_equal(last_answer.body, &mappings[0], sizeof(last));
	assert_int_equal(
		request(&fixture, WORKER_TRANSLATE, &translate, sizeof(translate), NULL, 0, NULL),
		ERROR_NOT_MAPPED);
	fixture_close(&fixture);
}

/* -- cancelling -- */

static double seconds(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void receive_code(struct fixture *fixture, uint64_t id, uint32_t code)
{
	receive_answer(fixture, &last_answer);
	assert_int_equal(last_answer.head.id, id);
	assert_int_equal(last_answer.head.code, code);
}

/* Eight pieces of half a second each; the first is under way when this returns. */
static uint64_t send_huge_map(struct fixture *fixture)
{
	struct worker_map body = {.size = 2 * GIB, .prot = 3};
	uint64_t id;

	open_with_memory(fixture, 2 * GIB);
	fixture_slow(fixture, "VFIO_IOMMU_MAP_DMA", 500);
	id = send_request(fixture, WORKER_MAP, &body, sizeof(body), NULL, 0);
	(void)usleep(200000);
	return id;
}

/* H8: nothing in the kernel's MAP looks for signals, so the worker does, between pieces. */
static void test_h8_close_cancels_a_map(void **state)
{
	struct worker_list list = {.most = 1};
	struct fixture fixture;
	double start;
	uint64_t map_id;
	uint64_t list_id;
	uint64_t close_id;

	(void)state;
	map_id = send_huge_map(&fixture);
	list_id = send_request(&fixture, WORKER_LIST_MAPPINGS, &list, sizeof(list), NULL, 0);
	start = seconds();
	close_id = send_request(&fixture, WORKER_CLOSE, NULL, 0, NULL, 0);
	assert_int_equal(kill(fixture.worker, WORKER_URGENT_SIGNAL), 0);
	receive_code(&fixture, map_id, ERROR_BUSY);
	assert_int_equal(last_answer.head.counts.mappings, 0);
	receive_code(&fixture, list_id, ERROR_BUSY);
	receive_code(&fixture, close_id, 0);
	/* All of it would take four seconds. */
	assert_true(seconds() - start < 2);
	assert_int_equal(fixture_wait(&fixture), 0);
	fixture_close_host(&fixture);
}

/* The same when the broker is gone. */
static void test_h8_eof_cancels_a_map(void **state)
{
	struct fixture fixture;
	double start;

	(void)state;
	(void)send_huge_map(&fixture);
	start = seconds();
	fixture_close(&fixture);
	assert_true(seconds() - start < 2);
}

/* Between two pieces of many, too. */
static void test_h8_close_cancels_many(void **state)
{
	const uint32_t count = 4000;
	struct worker_mapping *mappings = calloc(count, sizeof(*mappings));
	struct worker_many body = {.count = count};
	struct fixture fixture;
	uint64_t map_id;
	uint64_t close_id;
	double start;
	int fd;

	(void)state;
	assert_non_null(mappings);
	open_with_memory(&fixture, 64 * MIB);
	for (uint32_t i = 0; i < count; i++) {
		mappings[i] = page_mapping((uint64_t)i * 2, i);
	}
	fixture_slow(&fixture, "VFIO_IOMMU_MAP_DMA", 2);
	fd = make_entries(mappings, count * sizeof(*mappings), SEALS);
	map_id = send_request(&fixture, WORKER_MAP_MANY, &body, sizeof(body), &fd, 1);
	(void)usleep(200000);
	start = seconds();
	close_id = send_request(&fixture, WORKER_CLOSE, NULL, 0, NULL, 0);
	assert_int_equal(kill(fixture.worker, WORKER_URGENT_SIGNAL), 0);
	receive_code(&fixture, map_id, ERROR_BUSY);
	expect_last("of 4000 mappings");
	receive_code(&fixture, close_id, 0);
	/* All of it would take eight seconds. */
	assert_true(seconds() - start < 4);
	assert_int_equal(fixture_wait(&fixture), 0);
	fixture_close_host(&fixture);
	(void)close(fd);
	free(mappings);
}

/* It may come at any time: before the worker takes notice, and when there is nothing to cancel. */
static void test_urgent_without_need(void **state)
{
	struct worker_window window = {.start = WORKER_WINDOW_ANYWHERE, .size = MIB};
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(kill(fixture.worker, WORKER_URGENT_SIGNAL), 0);
	fixture_close(&fixture);
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(kill(fixture.worker, WORKER_URGENT_SIGNAL), 0);
	/* From now on there is only one thing to be had. */
	assert_int_equal(create_window(&fixture, &window), ERROR_BUSY);
	assert_int_equal(map(&fixture, 0, 0, PAGE, 3), ERROR_BUSY);
	assert_int_equal(request(&fixture, WORKER_CLOSE, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(fixture_wait(&fixture), 0);
	fixture_close_host(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_10000_pages),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_wrong_entries),
		cmocka_unit_test(test_bounds_of_lists),
		cmocka_unit_test(test_h8_close_cancels_a_map),
		cmocka_unit_test(test_h8_eof_cancels_a_map),
		cmocka_unit_test(test_h8_close_cancels_many),
		cmocka_unit_test(test_urgent_without_need),
	};

	return cmocka_run_group_tests_name("worker-many", tests, NULL, NULL);
}
