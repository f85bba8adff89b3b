/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The address space over containers that only keep books. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "common/worker_protocol.h"
#include "fake_container.h"
#include "unit.h"
#include "vfio/space.h"

#define MEMORY_SIZE   UINT64_C(0x100000)
#define SNAPSHOT_SIZE 16384

struct fixture {
	struct kernel *kernel;
	struct space *space;
	struct error error;
};

static int make_memory(uint64_t size)
{
	int fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return fd;
}

static void fixture_open_limited(struct fixture *fixture, uint64_t locked_limit)
{
	struct space_settings settings = {.open_container = fake_container_open,
					  .locked_limit = locked_limit};

	fake_host = (struct fake_host){.calls = 0};
	*fixture = (struct fixture){.kernel = NULL};
	assert_int_equal(kernel_linux_new(&fixture->kernel), 0);
	settings.kernel = fixture->kernel;
	assert_int_equal(space_new(&settings, &fixture->space), 0);
}

static void fixture_open(struct fixture *fixture)
{
	fixture_open_limited(fixture, UINT64_MAX);
}

static void fixture_close(struct fixture *fixture)
{
	fake_host.fail = 0;
	fixture->space = space_free(fixture->space);
	fixture->kernel = kernel_free(fixture->kernel);
	assert_int_equal(fake_host.live, 0);
}

static int complete(struct space_change *change, struct space_outcome *ret_outcome,
		    struct error *error)
{
	space_change_work(change);
	return space_change_finish(change, ret_outcome, error);
}

static struct space_attach attach_request(uint32_t group, uint32_t container)
{
	return (struct space_attach){
		.container_fd = -1, .group_fd = -1, .group = group, .container_id = container};
}

static uint64_t locked_bytes(const struct space *space)
{
	struct space_locked locked = space_locked(space);

	return locked.pins + locked.tables + locked.leaks;
}

static int attach(struct fixture *fixture, uint32_t group)
{
	struct space_attach request = attach_request(group, group + 100);
	struct space_change *change = NULL;
	int r = space_attach_begin(fixture->space, &request, &change, &fixture->error);

	return r ? r : complete(change, NULL, &fixture->error);
}

static int detach(struct fixture *fixture, uint32_t group)
{
	struct space_change *change = NULL;
	int r = space_detach_begin(fixture->space, group, &change, &fixture->error);

	return r ? r : complete(change, NULL, &fixture->error);
}

static int add_memory(struct fixture *fixture, uint64_t gpa, uint32_t flags, uint32_t *ret_id)
{
	struct section_request request = {.gpa = gpa, .size = MEMORY_SIZE, .flags = flags};
	struct space_outcome outcome = {.section = NULL};
	struct space_change *change = NULL;
	cleanup(cleanup_fd) int fd = make_memory(MEMORY_SIZE);
	int r;

	r = space_memory_add_begin(fixture->space, fd, &request, &change, &fixture->error);
	if (r == 0) {
		r = complete(change, &outcome, &fixture->error);
	}
	if (r == 0 && ret_id) {
		*ret_id = outcome.section->id;
	}
	return r;
}

static int remove_memory(struct fixture *fixture, uint32_t id)
{
	struct space_change *change = NULL;
	int r = space_memory_remove_begin(fixture->space, id, &change, &fixture->error);

	return r ? r : complete(change, NULL, &fixture->error);
}

static int map(struct fixture *fixture, uint64_t iova, uint64_t gpa, uint64_t size)
{
	return space_map(fixture->space, iova, gpa, size, 3, &fixture->error);
}

static int unmap(struct fixture *fixture, uint64_t iova, uint64_t size)
{
	return space_unmap(fixture->space, iova, size, &fixture->error);
}

static int create_window(struct fixture *fixture, uint64_t start, struct window *ret_window)
{
	struct window_request request = {.start = start, .size = 0x10000000};
	struct window window;
	int r = space_window_create(fixture->space, &request, &window, &fixture->error);

	if (r == 0 && ret_window) {
		*ret_window = window;
	}
	return r;
}

/* Everything that a failed operation must leave alone. */
static void snapshot(const struct fixture *fixture, char text[SNAPSHOT_SIZE])
{
	struct ledger_cursor cursor = ledger_seek(space_ledger(fixture->space), 0);
	const struct container *container;
	const struct section *section;
	const struct window *window;
	struct mapping mapping;
	size_t used = 0;

	for (unsigned int i = 0; (section = space_section(fixture->space, i)); i++) {
		used += (size_t)snprintf(text + used, SNAPSHOT_SIZE - used,
					 "section %" PRIu32 " %s state %d mappings %" PRIu64 "\n",
					 section->id, range_format(section->gpa).text,
					 section->state, section->mappings);
	}
	for (unsigned int i = 0; (window = space_window(fixture->space, i)); i++) {
		used += (size_t)snprintf(text + used, SNAPSHOT_SIZE - used, "window %s\n",
					 range_format(window->range).text);
	}
	while (ledger_step(&cursor, &mapping)) {
		used += (size_t)snprintf(text + used, SNAPSHOT_SIZE - used, "mapping %s\n",
					 range_format(mapping.iova).text);
	}
	for (unsigned int i = 0; (container = space_container(fixture->space, i)); i++) {
		fake_container_print(container, text + used, SNAPSHOT_SIZE - used);
		used += strlen(text + used);
	}
	(void)snprintf(text + used, SNAPSHOT_SIZE - used, "%u live, %" PRIu64 " locked\n",
		       fake_host.live, locked_bytes(fixture->space));
}

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
	assert_int_equal(add_memory(&fixture, 0x1000000, WORKER_MEMORY_IDENTITY, NULL),
			 ERROR_UNSUPPORTED);
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
	int fd = make_memory(MEMORY_SIZE);

	(void)state;
	fixture_open_limited(&fixture, 2 * MEMORY_SIZE + 0x1000);
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

static void test_other_default_window(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	fake_host.other_default = true;
	/* Its own default window is in the way and goes; the space's takes its place. */
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, FAKE_DEFAULT_SIZE - 0x1000, 0, 0x1000), 0);
	fixture_close(&fixture);
}

static void test_attach_refuses(void **state)
{
	struct space_attach group_again = attach_request(1, 7);
	struct fixture fixture;
	struct space_change *change = NULL;

	(void)state;
	fixture_open(&fixture);
	fake_host.refuse_new = 1;
	assert_int_equal(attach(&fixture, 1), ERROR_GROUP_NOT_VIABLE);
	fake_host.refuse_new = 0;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 1), ERROR_INVALID_ARGUMENT);
	assert_int_equal(space_attach_begin(fixture.space, &group_again, &change, &fixture.error),
			 ERROR_GROUP_BUSY);
	fixture_close(&fixture);
}

/* While a section comes or goes, others can be mapped, and nothing else changes. */
static void test_during_change(void **state)
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

/* The operations that are made to fail at each of their steps. */

static int operate_map(struct fixture *fixture)
{
	return map(fixture, 0x40000, 0, 0x4000);
}

static int operate_unmap(struct fixture *fixture)
{
	return unmap(fixture, 0x10000, 0x4000);
}

static int operate_add(struct fixture *fixture)
{
	return add_memory(fixture, 0x10000000, 0, NULL);
}

static int operate_remove(struct fixture *fixture)
{
	return remove_memory(fixture, 3);
}

static int operate_create(struct fixture *fixture)
{
	return create_window(fixture, WORKER_WINDOW_ANYWHERE, NULL);
}

static int operate_remove_window(struct fixture *fixture)
{
	int r = create_window(fixture, WORKER_WINDOW_ANYWHERE, NULL);

	fake_host.calls = 0;
	return r ? r : space_window_remove(fixture->space, FAKE_WINDOW_1, &fixture->error);
}

static int operate_attach(struct fixture *fixture)
{
	return attach(fixture, 9);
}

static int operate_wrong_start(struct fixture *fixture)
{
	return create_window(fixture, FAKE_DEFAULT_SIZE, NULL) == ERROR_WINDOW_START ? 0
										     : ERROR_KERNEL;
}

static void fill(struct fixture *fixture)
{
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(add_memory(fixture, i == 1 ? 0 : i * MEMORY_SIZE, 0, NULL), 0);
		assert_int_equal(attach(fixture, i), 0);
	}
	assert_int_equal(map(fixture, 0x10000, 0, 0x2000), 0);
	assert_int_equal(map(fixture, 0x12000, 0x8000, 0x2000), 0);
	assert_int_equal(map(fixture, 0x20000, 2 * MEMORY_SIZE, 0x1000), 0);
}

/* Let the step-th call fail. Whether there was one. */
static bool fail_at(int (*operate)(struct fixture *), unsigned int step)
{
	char before[SNAPSHOT_SIZE];
	char after[SNAPSHOT_SIZE];
	struct fixture fixture;
	int r;

	fixture_open(&fixture);
	fill(&fixture);
	snapshot(&fixture, before);
	fake_host.calls = 0;
	fake_host.fail = step;
	r = operate(&fixture);
	if (fake_host.failed == 0) {
		assert_int_equal(r, 0);
		fixture_close(&fixture);
		return false;
	}
	snapshot(&fixture, after);
	assert_int_equal(r, ERROR_KERNEL);
	assert_non_null(strstr(fixture.error.text, "container"));
	assert_string_equal(after, before);
	fake_host.fail = 0;
	assert_int_equal(operate(&fixture), 0);
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
	return true;
}

static void test_all_or_nothing(void **state)
{
	static int (*const operations[])(struct fixture *) = {
		operate_map,    operate_unmap,  operate_add,
		operate_remove, operate_create, operate_attach,
	};
	/* An attach takes a call for each section and each mapping. */
	static const unsigned int expected[] = {3, 3, 3, 3, 3, 6};

	(void)state;
	for (unsigned int i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		unsigned int step = 1;

		while (fail_at(operations[i], step)) {
			step++;
		}
		assert_int_equal(step - 1, expected[i]);
	}
}

/* Removing a window and failing in the n-th container: the others get it back. */
static void test_remove_window_fails(void **state)
{
	(void)state;
	for (unsigned int step = 1; step <= 3; step++) {
		char before[SNAPSHOT_SIZE];
		char after[SNAPSHOT_SIZE];
		struct fixture fixture;

		fixture_open(&fixture);
		fill(&fixture);
		assert_int_equal(operate_create(&fixture), 0);
		snapshot(&fixture, before);
		fake_host.calls = 0;
		fake_host.fail = step;
		assert_int_equal(space_window_remove(fixture.space, FAKE_WINDOW_1, &fixture.error),
				 ERROR_KERNEL);
		snapshot(&fixture, after);
		assert_string_equal(after, before);
		fixture_close(&fixture);
	}
	for (unsigned int step = 1; step <= 2; step++) {
		struct fixture fixture;

		fixture_open(&fixture);
		fill(&fixture);
		assert_int_equal(operate_wrong_start(&fixture), 0);
		assert_int_equal(operate_remove_window(&fixture), 0);
		fixture_close(&fixture);
	}
}

/* A detach fails as long as that changes nothing; from then on it goes through. */
static void test_detach_fails(void **state)
{
	bool went_through = false;

	(void)state;
	for (unsigned int step = 1;; step++) {
		char before[SNAPSHOT_SIZE];
		char after[SNAPSHOT_SIZE];
		struct fixture fixture;
		int r;

		fixture_open(&fixture);
		fill(&fixture);
		snapshot(&fixture, before);
		fake_host.calls = 0;
		fake_host.fail = step;
		r = detach(&fixture, 2);
		snapshot(&fixture, after);
		if (r) {
			assert_false(went_through);
			assert_string_equal(after, before);
		} else {
			went_through = true;
			fake_host.fail = 0;
			assert_int_equal(fake_host.live, 2);
			assert_int_equal(map(&fixture, 0x60000, 0, 0x1000), 0);
		}
		if (fake_host.failed == 0) {
			assert_true(step > 3);
			fixture_close(&fixture);
			break;
		}
		fixture_close(&fixture);
	}
	assert_true(went_through);
}

/* When taking back fails, too, the error says so and the memory stays. */
static void test_stray_keeps_memory(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fill(&fixture);
	fake_host.calls = 0;
	fake_host.fail = 2;
	fake_host.fail_on = true;
	assert_int_equal(map(&fixture, 0x50000, 3 * MEMORY_SIZE, 0x1000), ERROR_KERNEL);
	assert_non_null(strstr(fixture.error.text, "could not be restored"));
	fake_host.fail = 0;
	assert_int_equal(ledger_count(space_ledger(fixture.space)), 3);
	assert_int_equal(remove_memory(&fixture, 3), ERROR_MEMORY_IN_USE);
	fixture_close(&fixture);
}

/* Memory that some containers have and some don't can't be mapped, nor can another try to remove it
 * make it as good as new. */
static void test_half_removed_memory(void **state)
{
	static const unsigned int both[] = {1, 0};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fixture fixture;
		uint32_t id = 4;
		uint64_t locked;

		fixture_open(&fixture);
		fill(&fixture);
		locked = locked_bytes(fixture.space);
		if (both[i]) {
			assert_int_equal(add_memory(&fixture, 8 * MEMORY_SIZE, 0, &id), 0);
		}
		fake_host.calls = 0;
		fake_host.fail = 2;
		fake_host.fail_on = true;
		assert_int_equal(both[i] ? remove_memory(&fixture, id)
					 : add_memory(&fixture, 8 * MEMORY_SIZE, 0, NULL),
				 ERROR_KERNEL);
		assert_non_null(strstr(fixture.error.text, "could not be restored"));
		fake_host.fail = 0;
		fake_host.fail_on = false;
		assert_int_equal(locked_bytes(fixture.space), locked + MEMORY_SIZE);
		assert_int_equal(remove_memory(&fixture, id), ERROR_MEMORY_IN_USE);
		assert_int_equal(map(&fixture, 0x50000, 8 * MEMORY_SIZE, 0x1000), ERROR_BUSY);
		fixture_close(&fixture);
	}
}

/* H29: what a container has leaked outlives it, as long as this process. */
static void test_leak_outlives_container(void **state)
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

static void test_last_group_takes_windows(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, NULL), 0);
	assert_int_equal(detach(&fixture, 1), 0);
	assert_null(space_window(fixture.space, 0));
	assert_int_equal(locked_bytes(fixture.space), 0);
	assert_non_null(space_section(fixture.space, 0));
	assert_int_equal(fake_host.live, 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(map(&fixture, 0, 0, 0x1000), 0);
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_no_group),
		cmocka_unit_test(test_map_and_unmap),
		cmocka_unit_test(test_map_refuses),
		cmocka_unit_test(test_unmap_refuses),
		cmocka_unit_test(test_memory_refuses),
		cmocka_unit_test(test_memory_limit),
		cmocka_unit_test(test_limit_during_change),
		cmocka_unit_test(test_limit_of_new_container),
		cmocka_unit_test(test_512_sections),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_replay_windows),
		cmocka_unit_test(test_other_default_window),
		cmocka_unit_test(test_attach_refuses),
		cmocka_unit_test(test_during_change),
		cmocka_unit_test(test_all_or_nothing),
		cmocka_unit_test(test_remove_window_fails),
		cmocka_unit_test(test_detach_fails),
		cmocka_unit_test(test_stray_keeps_memory),
		cmocka_unit_test(test_half_removed_memory),
		cmocka_unit_test(test_leak_outlives_container),
		cmocka_unit_test(test_last_group_takes_windows),
	};

	return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
