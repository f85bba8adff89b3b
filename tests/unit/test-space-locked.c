/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an address space locks, by component, and the limit that holds before the kernel is asked.
 */
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "space_fixture.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)

static void assert_locked(const struct fixture *fixture, uint64_t pins, uint64_t tables,
			  uint64_t leaks)
{
	struct space_locked locked = space_locked(fixture->space);

	assert_int_equal(locked.pins, pins);
	assert_int_equal(locked.tables, tables);
	assert_int_equal(locked.leaks, leaks);
}

/* The process has sections registered once, whatever containers have them. */
static void test_sections_count_once(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_locked(&fixture, 0, 0, 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach_shared(&fixture, 2), 0);
	assert_locked(&fixture, MEMORY_SIZE, 0x1000, 0);
	assert_int_equal(attach(&fixture, 3), 0);
	assert_int_equal(add_memory(&fixture, MEMORY_SIZE, 0, NULL), 0);
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, NULL), 0);
	assert_locked(&fixture, 2 * MEMORY_SIZE, 0x4000, 0);
	/* Mappings add nothing to that. */
	assert_int_equal(map(&fixture, 0x10000, 0, 0x3000), 0);
	assert_locked(&fixture, 2 * MEMORY_SIZE, 0x4000, 0);
	fixture_close(&fixture);
}

/* type1 pins what is mapped, in each container anew. */
static void test_mappings_count_in_each_container(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fake_host.pinning = CONTAINER_PINS_MAPPINGS;
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_locked(&fixture, 0, 0x1000, 0);
	assert_int_equal(map(&fixture, 0x10000, 0, 0x3000), 0);
	assert_int_equal(attach_shared(&fixture, 2), 0);
	assert_locked(&fixture, 0x3000, 0x1000, 0);
	assert_int_equal(attach(&fixture, 3), 0);
	assert_locked(&fixture, 0x6000, 0x2000, 0);
	assert_int_equal(unmap(&fixture, 0x10000, 0x3000), 0);
	assert_locked(&fixture, 0, 0x2000, 0);
	fixture_close(&fixture);
}

/* TCE v1 locks its default window at the start. */
static void test_start_counts_for_good(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fake_host.pinning = CONTAINER_PINS_AT_START;
	fake_host.start_bytes = FAKE_DEFAULT_SIZE;
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_locked(&fixture, FAKE_DEFAULT_SIZE, 0x1000, 0);
	assert_int_equal(map(&fixture, 0x10000, 0, 0x3000), 0);
	assert_locked(&fixture, FAKE_DEFAULT_SIZE, 0x1000, 0);
	fixture_close(&fixture);
}

static void test_mixed_kinds(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fake_host.start_bytes = 64 * MIB;
	fake_host.pinning = CONTAINER_PINS_AT_START;
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(map(&fixture, 0x10000, 0, 0x3000), 0);
	fake_host.pinning = CONTAINER_PINS_SECTIONS;
	assert_int_equal(attach(&fixture, 2), 0);
	assert_locked(&fixture, 64 * MIB + MEMORY_SIZE, 0x2000, 0);
	fake_host.pinning = CONTAINER_PINS_MAPPINGS;
	assert_int_equal(attach(&fixture, 3), 0);
	assert_locked(&fixture, 64 * MIB + MEMORY_SIZE + 0x3000, 0x3000, 0);
	assert_int_equal(detach(&fixture, 1), 0);
	assert_locked(&fixture, MEMORY_SIZE + 0x3000, 0x2000, 0);
	assert_int_equal(detach(&fixture, 2), 0);
	assert_locked(&fixture, 0x3000, 0x1000, 0);
	fixture_close(&fixture);
}

static void test_error_has_all_numbers(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open_limited(&fixture, MEMORY_SIZE + 0x6000);
	fake_host.leaked_bytes = 0x5000;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(add_memory(&fixture, MEMORY_SIZE, 0, NULL), ERROR_QUOTA_EXCEEDED);
	assert_non_null(strstr(fixture.error.text, "lock 0x100000 bytes"));
	assert_non_null(strstr(fixture.error.text, "0x106000 are locked"));
	assert_non_null(strstr(fixture.error.text,
			       "pins 0x100000, tables 0x1000, leaks 0x5000, being locked 0x0"));
	assert_non_null(strstr(fixture.error.text, "(RLIMIT_MEMLOCK) is 0x106000"));
	assert_non_null(strstr(fixture.error.text, "raise it, or remove"));
	fixture_close(&fixture);
}

static void test_memory_limit(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open_limited(&fixture, MEMORY_SIZE + 0x1000);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(add_memory(&fixture, MEMORY_SIZE, 0, NULL), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, NULL),
			 ERROR_QUOTA_EXCEEDED);
	fake_host.pending_bytes = 1;
	assert_int_equal(map(&fixture, 0, 0, 0x1000), ERROR_QUOTA_EXCEEDED);
	fake_host.pending_bytes = 0;
	assert_int_equal(map(&fixture, 0, 0, 0x1000), 0);
	fixture_close(&fixture);
}

/* What is under way counts, too: the kernel may have charged it already. */
static void test_limit_during_change(void **state)
{
	struct section_request request = {.gpa = MEMORY_SIZE, .size = MEMORY_SIZE};
	struct space_change *change = NULL;
	struct fixture fixture;
	int fd = -1;

	(void)state;
	fixture_open_limited(&fixture, 2 * MEMORY_SIZE + 0x1000);
	fd = make_memory(MEMORY_SIZE);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(
		space_memory_add_begin(fixture.space, fd, &request, &change, &fixture.error), 0);
	(void)fd_close(fd);
	fake_host.pending_bytes = 0x1000;
	assert_int_equal(map(&fixture, 0, 0, 0x1000), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(complete(change, NULL, &fixture.error), 0);
	fixture_close(&fixture);
}

/* A new container's tables count before it is linked, each of them. */
static void test_limit_of_new_container(void **state)
{
	struct fixture fixture;

	(void)state;
	/* Room for two tables of the first container and one more. */
	fixture_open_limited(&fixture, MEMORY_SIZE + 0x3000);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, NULL), 0);
	assert_int_equal(attach(&fixture, 2), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(space_window_remove(fixture.space, FAKE_WINDOW_1, &fixture.error), 0);
	assert_int_equal(map(&fixture, 0, 0, 0x1000), 0);
	fake_host.pending_bytes = 0x1000;
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(attach(&fixture, 3), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(fake_host.live, 2);
	fixture_close(&fixture);
}

/* Refused before it is started, with what would help; to the byte. */
static void test_h41_start_limit(void **state)
{
	struct fixture fixture;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		fixture_open_limited(&fixture, FAKE_DEFAULT_SIZE + 0x1000 + 0x2000 - 1 + i);
		fake_host.pinning = CONTAINER_PINS_AT_START;
		fake_host.start_bytes = FAKE_DEFAULT_SIZE;
		fake_host.pending_bytes = 0x2000;
		fake_host.better_refused = EPERM;
		assert_int_equal(attach(&fixture, 1), i == 0 ? ERROR_QUOTA_EXCEEDED : 0);
		/* Neither opening it nor, if it was refused, starting it took more. */
		assert_int_equal(fake_host.calls, i == 0 ? 1 : 2);
		assert_int_equal(fake_host.live, i);
		if (i == 0) {
			assert_non_null(strstr(fixture.error.text, "lock 0x80003000 bytes"));
			assert_non_null(strstr(
				fixture.error.text,
				"use spapr-tce-v2, which the kernel has just refused (EPERM)"));
			assert_locked(&fixture, 0, 0, 0);
		}
		fixture_close(&fixture);
	}
}

static void test_start_fails(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fake_host.pinning = CONTAINER_PINS_AT_START;
	fake_host.start_bytes = MIB;
	fake_host.fail = 2;
	assert_int_equal(attach(&fixture, 1), ERROR_KERNEL);
	assert_non_null(
		strstr(fixture.error.text, "start (EIO), in the new container 101 (group 1)"));
	assert_int_equal(fake_host.live, 0);
	assert_locked(&fixture, 0, 0, 0);
	fixture_close(&fixture);
}

/* Where each map pins, the limit is met map by map, once for each container. */
static void test_map_limit(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open_limited(&fixture, 0x2000 + 0x8000);
	fake_host.pinning = CONTAINER_PINS_MAPPINGS;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, 0, 0, 0x5000), ERROR_QUOTA_EXCEEDED);
	assert_non_null(strstr(fixture.error.text, "lock 0xa000 bytes"));
	assert_int_equal(ledger_count(space_ledger(fixture.space)), 0);
	assert_int_equal(map(&fixture, 0, 0, 0x4000), 0);
	assert_int_equal(map(&fixture, 0x10000, 0, 0x1000), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(unmap(&fixture, 0, 0x4000), 0);
	assert_int_equal(map(&fixture, 0x10000, 0, 0x1000), 0);
	fixture_close(&fixture);
}

/* So it is for mappings that a new container takes over, also those made while it came. */
static void test_limit_of_replay(void **state)
{
	struct space_attach request = attach_request(2, 102);
	struct space_change *change = NULL;
	struct fixture fixture;

	(void)state;
	fixture_open_limited(&fixture, 0x2000 + 0x8000);
	fake_host.pinning = CONTAINER_PINS_MAPPINGS;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, 0, 0, 0x5000), 0);
	fake_host.calls = 0;
	assert_int_equal(attach(&fixture, 2), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(fake_host.calls, 1);
	assert_int_equal(unmap(&fixture, 0, 0x5000), 0);
	request.group_fd = make_node();
	assert_int_equal(space_attach_begin(fixture.space, &request, &change, &fixture.error), 0);
	assert_int_equal(map(&fixture, 0, 0, 0x5000), 0);
	assert_int_equal(complete(change, NULL, &fixture.error), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(fake_host.live, 1);
	assert_int_equal(unmap(&fixture, 0, 0x1000), ERROR_NOT_MAPPED);
	assert_int_equal(unmap(&fixture, 0, 0x5000), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	fixture_close(&fixture);
}

/* While a container comes that has all sections pinned, they count. */
static void test_limit_while_container_comes(void **state)
{
	struct space_attach request = attach_request(2, 102);
	struct space_change *change = NULL;
	struct fixture fixture;

	(void)state;
	fixture_open_limited(&fixture, MEMORY_SIZE + 0x2000 + 0x4000);
	fake_host.pinning = CONTAINER_PINS_MAPPINGS;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	fake_host.pinning = CONTAINER_PINS_SECTIONS;
	assert_int_equal(space_attach_begin(fixture.space, &request, &change, &fixture.error), 0);
	assert_int_equal(map(&fixture, 0, 0, 0x5000), ERROR_QUOTA_EXCEEDED);
	assert_non_null(strstr(fixture.error.text, "being locked 0x101000"));
	assert_int_equal(map(&fixture, 0, 0, 0x4000), 0);
	assert_int_equal(complete(change, NULL, &fixture.error), 0);
	assert_locked(&fixture, MEMORY_SIZE + 0x4000, 0x2000, 0);
	fixture_close(&fixture);
}

/* H29: what a container has leaked outlives it, as long as this process. */
static void test_h29_leak_outlives_container(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	fake_host.leaked_bytes = 0x5000;
	assert_int_equal(locked_bytes(fixture.space), 0x6000);
	assert_int_equal(detach(&fixture, 1), 0);
	assert_int_equal(locked_bytes(fixture.space), 0x5000);
	fixture_close(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections_count_once),
		cmocka_unit_test(test_mappings_count_in_each_container),
		cmocka_unit_test(test_start_counts_for_good),
		cmocka_unit_test(test_mixed_kinds),
		cmocka_unit_test(test_error_has_all_numbers),
		cmocka_unit_test(test_memory_limit),
		cmocka_unit_test(test_limit_during_change),
		cmocka_unit_test(test_limit_of_new_container),
		cmocka_unit_test(test_h41_start_limit),
		cmocka_unit_test(test_start_fails),
		cmocka_unit_test(test_map_limit),
		cmocka_unit_test(test_limit_of_replay),
		cmocka_unit_test(test_limit_while_container_comes),
		cmocka_unit_test(test_h29_leak_outlives_container),
	};

	return cmocka_run_group_tests_name("space locked", tests, NULL, NULL);
}
