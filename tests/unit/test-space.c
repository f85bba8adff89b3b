/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The address space over containers that only keep books. */
#include <string.h>

#include "common/cleanup.h"
#include "common/worker_protocol.h"
#include "fake_container.h"
#include "space_fixture.h"
#include "vfio/space.h"

static void test_empty(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_null(space_section(fixture.space, 0));
	assert_null(space_window(fixture.space, 0));
	assert_null(space_container(fixture.space, 0));
	assert_int_equal(locked_bytes(fixture.space), 0);
	assert_null(space_free(NULL));
	fixture_close(&fixture);
}

static void test_no_group(void **state)
{
	struct fixture fixture;
	uint32_t id = 0;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(add_memory(&fixture, 0, 0, &id), 0);
	assert_int_equal(locked_bytes(fixture.space), 0);
	assert_int_equal(map(&fixture, 0, 0, 0x1000), ERROR_OUTSIDE_WINDOW);
	assert_non_null(strstr(fixture.error.text, "no group is attached"));
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, NULL), ERROR_NOT_FOUND);
	assert_int_equal(space_window_remove(fixture.space, 0, &fixture.error), ERROR_NOT_FOUND);
	assert_int_equal(detach(&fixture, 1), ERROR_NOT_FOUND);
	assert_int_equal(remove_memory(&fixture, id), 0);
	assert_int_equal(remove_memory(&fixture, id), ERROR_NOT_FOUND);
	fixture_close(&fixture);
}

static void test_map_and_unmap(void **state)
{
	struct fixture fixture;
	struct mapping mapping;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, 0x10000, 0x2000, 0x3000), 0);
	assert_int_equal(space_translate(fixture.space, 0x11000, &mapping, &fixture.error), 0);
	assert_int_equal(mapping.gpa, 0x2000);
	assert_int_equal(space_translate(fixture.space, 0x13000, &mapping, &fixture.error),
			 ERROR_NOT_MAPPED);
	assert_int_equal(locked_bytes(fixture.space), MEMORY_SIZE + 0x1000);
	assert_int_equal(unmap(&fixture, 0x10000, 0x3000), 0);
	assert_int_equal(ledger_count(space_ledger(fixture.space)), 0);
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
}

static void test_map_refuses(void **state)
{
	struct fixture fixture;
	uint32_t id = 0;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, &id), 0);
	assert_int_equal(add_memory(&fixture, 0x1000000, WORKER_MEMORY_READ_ONLY, NULL), 0);
	assert_int_equal(map(&fixture, 0, 0, 0), ERROR_INVALID_ARGUMENT);
	assert_int_equal(map(&fixture, UINT64_MAX - 0xfff, 0, 0x2000), ERROR_INVALID_ARGUMENT);
	assert_int_equal(map(&fixture, 0, UINT64_MAX - 0xfff, 0x2000), ERROR_INVALID_ARGUMENT);
	assert_int_equal(space_map(fixture.space, 0, 0, 0x1000, 0, &fixture.error),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(space_map(fixture.space, 0, 0, 0x1000, 4, &fixture.error),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(map(&fixture, 0, 0x1000000, 0x1000), ERROR_INVALID_ARGUMENT);
	assert_int_equal(space_map(fixture.space, 0, 0x1000000, 0x1000, 1, &fixture.error), 0);
	assert_int_equal(map(&fixture, 0x1000, MEMORY_SIZE, 0x1000), ERROR_MEMORY_UNKNOWN);
	assert_int_equal(map(&fixture, 0x1000, MEMORY_SIZE - 0x1000, 0x2000), ERROR_MEMORY_UNKNOWN);
	assert_int_equal(map(&fixture, FAKE_DEFAULT_SIZE, 0, 0x1000), ERROR_OUTSIDE_WINDOW);
	assert_int_equal(map(&fixture, FAKE_DEFAULT_SIZE - 0x1000, 0, 0x2000),
			 ERROR_OUTSIDE_WINDOW);
	assert_non_null(strstr(fixture.error.text, "[0x0, 0x80000000)"));
	assert_int_equal(map(&fixture, 0x1800, 0, 0x1000), ERROR_PAGE_SIZE);
	assert_int_equal(map(&fixture, 0x1000, 0x800, 0x1000), ERROR_PAGE_SIZE);
	assert_int_equal(map(&fixture, 0x1000, 0, 0x800), ERROR_PAGE_SIZE);
	assert_int_equal(map(&fixture, 0x2000, 0, 0x2000), 0);
	assert_int_equal(map(&fixture, 0x1000, 0, 0x2000), ERROR_ALREADY_MAPPED);
	assert_non_null(strstr(fixture.error.text, "[0x2000, 0x4000)"));
	assert_int_equal(ledger_count(space_ledger(fixture.space)), 2);
	assert_int_equal(remove_memory(&fixture, id), ERROR_MEMORY_IN_USE);
	assert_non_null(strstr(fixture.error.text, "[0x2000, 0x4000)"));
	assert_int_equal(space_window_remove(fixture.space, 0, &fixture.error),
			 ERROR_MEMORY_IN_USE);
	assert_int_equal(detach(&fixture, 1), ERROR_MEMORY_IN_USE);
	fixture_close(&fixture);
}

static void test_unmap_refuses(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, 0x1000, 0, 0x2000), 0);
	assert_int_equal(map(&fixture, 0x4000, 0, 0x1000), 0);
	fake_host.calls = 0;
	assert_int_equal(unmap(&fixture, 0x1000, 0), ERROR_INVALID_ARGUMENT);
	assert_int_equal(unmap(&fixture, 0x1000, UINT64_MAX), ERROR_INVALID_ARGUMENT);
	assert_int_equal(unmap(&fixture, 0x1000, 0x1000), ERROR_NOT_MAPPED);
	assert_non_null(strstr(fixture.error.text, "cuts the mapping [0x1000, 0x3000)"));
	assert_int_equal(unmap(&fixture, 0x1000, 0x4000), ERROR_NOT_MAPPED);
	assert_non_null(strstr(fixture.error.text, "a hole at 0x3000"));
	assert_int_equal(unmap(&fixture, 0x8000, 0x1000), ERROR_NOT_MAPPED);
	assert_int_equal(fake_host.calls, 0);
	/* Adjacent mappings go by one call. */
	assert_int_equal(map(&fixture, 0x3000, 0, 0x1000), 0);
	fake_host.calls = 0;
	assert_int_equal(unmap(&fixture, 0x1000, 0x4000), 0);
	assert_int_equal(fake_host.calls, 1);
	fixture_close(&fixture);
}

static void test_memory_refuses(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(add_memory(&fixture, MEMORY_SIZE, 0, NULL), 0);
	assert_int_equal(add_memory(&fixture, MEMORY_SIZE + 0x1000, 0, NULL), ERROR_MEMORY_IN_USE);
	assert_int_equal(add_memory(&fixture, 0x1000, 0, NULL), ERROR_MEMORY_IN_USE);
	assert_non_null(strstr(fixture.error.text, "[0x100000, 0x200000)"));
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(add_memory(&fixture, 0 - MEMORY_SIZE, 0, NULL), 0);
	assert_int_equal(add_memory(&fixture, 0x1000000, 8, NULL), ERROR_INVALID_ARGUMENT);
	fixture_close(&fixture);
}

static void test_512_sections(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	for (uint64_t i = 0; i < WORKER_MEMORY_MAX; i++) {
		assert_int_equal(
			add_memory(&fixture, i * 7 % WORKER_MEMORY_MAX * MEMORY_SIZE, 0, NULL), 0);
	}
	assert_int_equal(add_memory(&fixture, WORKER_MEMORY_MAX * MEMORY_SIZE, 0, NULL),
			 ERROR_QUOTA_EXCEEDED);
	for (unsigned int i = 0; i < WORKER_MEMORY_MAX; i++) {
		assert_int_equal(space_section(fixture.space, i)->gpa.start, i * MEMORY_SIZE);
	}
	fixture_close(&fixture);
}

static void test_windows(void **state)
{
	struct fixture fixture;
	struct window window = {.range = {1, 0}};

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(create_window(&fixture, 0x1000, NULL), ERROR_WINDOW_OVERLAP);
	assert_non_null(strstr(fixture.error.text, "RemoveWindow(0x0) first"));
	assert_int_equal(create_window(&fixture, FAKE_DEFAULT_SIZE, NULL), ERROR_WINDOW_START);
	assert_non_null(strstr(fixture.error.text, "0x800000000000000, not at 0x80000000"));
	assert_int_equal(create_window(&fixture, UINT64_MAX - 0xfff, NULL), ERROR_INVALID_ARGUMENT);
	assert_int_equal(create_window(&fixture, FAKE_DEFAULT_SIZE + 0x800, NULL),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, &window), 0);
	assert_int_equal(window.range.start, FAKE_WINDOW_1);
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, NULL),
			 ERROR_NO_WINDOW_LEFT);
	assert_int_equal(space_window_remove(fixture.space, FAKE_WINDOW_1 + 0x1000, &fixture.error),
			 ERROR_NOT_FOUND);
	assert_int_equal(space_window_remove(fixture.space, 0, &fixture.error), 0);
	assert_int_equal(create_window(&fixture, 0, &window), 0);
	assert_int_equal(window.range.start, 0);
	fixture_close(&fixture);
}

/* A new container gets its windows at the same starts, whatever slots they are in. */
static void test_replay_windows(void **state)
{
	struct fixture fixture;
	struct window window = {.range = {1, 0}};

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, &window), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(space_window_remove(fixture.space, 0, &fixture.error), 0);
	assert_int_equal(attach(&fixture, 3), 0);
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, &window), 0);
	assert_int_equal(window.range.start, 0);
	assert_int_equal(attach(&fixture, 4), 0);
	assert_int_equal(space_window_remove(fixture.space, FAKE_WINDOW_1, &fixture.error), 0);
	assert_int_equal(attach(&fixture, 5), 0);
	assert_null(space_window(fixture.space, 1));
	fixture_close(&fixture);
}

/* While a section comes or goes, others can be mapped, and nothing else changes. */
static void test_h11_during_change(void **state)
{
	struct section_request request = {.gpa = MEMORY_SIZE, .size = MEMORY_SIZE};
	struct space_attach second_group = attach_request(2, 2);
	cleanup(cleanup_fd) int fd = make_memory(MEMORY_SIZE);
	struct space_change *change = NULL;
	struct space_change *second = NULL;
	struct space_outcome outcome;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(
		space_memory_add_begin(fixture.space, fd, &request, &change, &fixture.error), 0);
	assert_int_equal(map(&fixture, 0, MEMORY_SIZE, 0x1000), ERROR_BUSY);
	assert_int_equal(map(&fixture, 0, 0, 0x1000), 0);
	assert_int_equal(unmap(&fixture, 0, 0x1000), 0);
	assert_null(space_section(fixture.space, 1));
	assert_int_equal(space_memory_remove_begin(fixture.space, 1, &second, &fixture.error),
			 ERROR_BUSY);
	assert_int_equal(complete(change, &outcome, &fixture.error), 0);
	assert_int_equal(outcome.section->id, 2);
	assert_int_equal(space_memory_remove_begin(fixture.space, 2, &change, &fixture.error), 0);
	assert_int_equal(map(&fixture, 0, MEMORY_SIZE, 0x1000), ERROR_BUSY);
	assert_non_null(space_section(fixture.space, 1));
	assert_int_equal(complete(change, NULL, &fixture.error), 0);
	assert_int_equal(map(&fixture, 0, MEMORY_SIZE, 0x1000), ERROR_MEMORY_UNKNOWN);
	/* Mappings made while a group comes are there when it has come. */
	assert_int_equal(space_attach_begin(fixture.space, &second_group, &change, &fixture.error),
			 0);
	assert_int_equal(map(&fixture, 0, 0, 0x1000), 0);
	assert_int_equal(complete(change, NULL, &fixture.error), 0);
	fixture_close(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),          cmocka_unit_test(test_no_group),
		cmocka_unit_test(test_map_and_unmap),  cmocka_unit_test(test_map_refuses),
		cmocka_unit_test(test_unmap_refuses),  cmocka_unit_test(test_memory_refuses),
		cmocka_unit_test(test_512_sections),   cmocka_unit_test(test_windows),
		cmocka_unit_test(test_replay_windows), cmocka_unit_test(test_h11_during_change),
	};

	return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
