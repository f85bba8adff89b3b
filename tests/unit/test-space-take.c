/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups that are taken from an address space whose owner has not let go of them. */
#include <string.h>

#include "space_fixture.h"

static int take_by(struct fixture *fixture, const struct space_take *take)
{
	struct space_change *change = NULL;
	int r = space_take_begin(fixture->space, take, &change, &fixture->error);

	return r ? r : complete(change, &fixture->outcome, &fixture->error);
}

static int take(struct fixture *fixture, uint32_t group)
{
	return take_by(fixture, &(struct space_take){.group = group});
}

static void print_first(const struct fixture *fixture, char text[SNAPSHOT_SIZE])
{
	fake_container_print(space_container(fixture->space, 0), text, SNAPSHOT_SIZE);
}

/* What is mapped, windows, and identity mappings: with the last group all goes, but memory. */
static void test_last_one(void **state)
{
	struct fixture fixture;
	struct mapping mapping;
	uint32_t id = 0;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, &id), 0);
	assert_int_equal(add_memory(&fixture, 0x10000000, WORKER_MEMORY_IDENTITY, NULL), 0);
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, NULL), 0);
	assert_int_equal(map(&fixture, 0x10000, 0, 0x1000), 0);
	assert_int_equal(map(&fixture, 0x20000, 0x1000, 0x1000), 0);
	assert_int_equal(detach(&fixture, 1), ERROR_MEMORY_IN_USE);
	assert_int_equal(take(&fixture, 1), 0);
	assert_int_equal(fixture.outcome.container_id, 101);
	assert_int_equal(fixture.outcome.lost, 2);
	assert_int_equal(fixture.outcome.replayed, 0);
	assert_null(space_container(fixture.space, 0));
	assert_null(space_window(fixture.space, 0));
	assert_int_equal(locked_bytes(fixture.space), 0);
	assert_int_equal(space_translate(fixture.space, 0x10000, &mapping, &fixture.error),
			 ERROR_NOT_MAPPED);
	/* Another one gets memory and identity mapping, and nothing of what was mapped. */
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(space_translate(fixture.space, 0x10000000, &mapping, &fixture.error), 0);
	assert_int_equal(space_translate(fixture.space, 0x10000, &mapping, &fixture.error),
			 ERROR_NOT_MAPPED);
	assert_int_equal(map(&fixture, 0x10000, 0, 0x1000), 0);
	assert_int_equal(unmap(&fixture, 0x10000, 0x1000), 0);
	/* Nothing points to the memory any more. */
	assert_int_equal(remove_memory(&fixture, id), 0);
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
}

/* A container that is gone in the kernel refuses to unmap: the books are put right all the same. */
static void test_last_one_that_can_not_be_unmapped(void **state)
{
	struct fixture fixture;
	struct mapping mapping;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, 0x10000, 0, 0x1000), 0);
	fake_host.fail_unmap = 101;
	assert_int_equal(take(&fixture, 1), 0);
	assert_int_equal(fixture.outcome.lost, 1);
	assert_null(space_container(fixture.space, 0));
	assert_int_equal(space_translate(fixture.space, 0x10000, &mapping, &fixture.error),
			 ERROR_NOT_MAPPED);
	fake_host.fail_unmap = 0;
	fixture_close(&fixture);
}

/* Other containers keep what they have, and aren't asked for anything. */
static void test_one_container_of_two(void **state)
{
	struct fixture fixture;
	char before[SNAPSHOT_SIZE];
	char after[SNAPSHOT_SIZE];

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, NULL), 0);
	assert_int_equal(map(&fixture, 0x10000, 0, 0x1000), 0);
	print_first(&fixture, before);
	assert_int_equal(take(&fixture, 2), 0);
	assert_int_equal(fixture.outcome.container_id, 102);
	assert_int_equal(fixture.outcome.lost, 0);
	print_first(&fixture, after);
	assert_string_equal(after, before);
	assert_non_null(space_window(fixture.space, 0));
	assert_int_equal(unmap(&fixture, 0x10000, 0x1000), 0);
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
}

/* H33: policy has no say in it, and those that stay get their mappings back. */
static void test_h33_one_of_a_shared_container(void **state)
{
	struct fixture fixture;
	char before[SNAPSHOT_SIZE];
	char after[SNAPSHOT_SIZE];

	(void)state;
	fixture_open(&fixture);
	fake_host.leaving_clears = true;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach_shared(&fixture, 2), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, 0x10000, 0, 0x1000), 0);
	assert_int_equal(map(&fixture, 0x20000, 0x1000, 0x1000), 0);
	print_first(&fixture, before);
	assert_int_equal(detach(&fixture, 2), ERROR_MEMORY_IN_USE);
	assert_int_equal(take(&fixture, 2), 0);
	assert_int_equal(fixture.outcome.replayed, 2);
	assert_int_equal(fixture.outcome.lost, 0);
	print_first(&fixture, after);
	assert_string_equal(strchr(after, ':'), strchr(before, ':'));
	fixture_close(&fixture);
}

/* What is there is not taken when it was to be gone. */
static void test_only_if_gone(void **state)
{
	const struct space_take gone = {.group = 1, .only_if_gone = true};
	struct fixture fixture;
	char before[SNAPSHOT_SIZE];
	char after[SNAPSHOT_SIZE];

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, 0x10000, 0, 0x1000), 0);
	snapshot(&fixture, before);
	assert_int_equal(take_by(&fixture, &gone), ERROR_GROUP_BUSY);
	assert_non_null(strstr(fixture.error.text, "group 1 is in container 101 as ever"));
	snapshot(&fixture, after);
	assert_string_equal(after, before);
	fixture_close(&fixture);
}

static void test_refusals(void **state)
{
	struct fixture fixture;
	struct space_hold hold;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(take(&fixture, 1), ERROR_NOT_FOUND);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(space_hold_group(fixture.space, 1, HOLD_GROUP, &hold, &fixture.error), 0);
	/* Something that takes long goes on with it: later. */
	assert_int_equal(take(&fixture, 1), ERROR_BUSY);
	assert_int_equal(fixture.error.errnum, 0);
	space_release_group(fixture.space, &hold);
	assert_int_equal(take(&fixture, 1), 0);
	assert_int_equal(take(&fixture, 1), ERROR_NOT_FOUND);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_one),
		cmocka_unit_test(test_last_one_that_can_not_be_unmapped),
		cmocka_unit_test(test_one_container_of_two),
		cmocka_unit_test(test_h33_one_of_a_shared_container),
		cmocka_unit_test(test_only_if_gone),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests_name("space-take", tests, NULL, NULL);
}
