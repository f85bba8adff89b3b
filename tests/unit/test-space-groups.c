/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups that come to an address space and leave it, and the containers that they share. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "space_fixture.h"

static const struct space_policy replaying = {.replay_shared = true};

static const struct container *container_of_group(const struct fixture *fixture, uint32_t group)
{
	const struct container *container = NULL;

	for (unsigned int i = 0; (container = space_container(fixture->space, i)); i++) {
		if (container_group_index(container, group) < container->group_count) {
			break;
		}
	}
	return container;
}

static void print(const struct fixture *fixture, uint32_t group, char text[SNAPSHOT_SIZE])
{
	fake_container_print(container_of_group(fixture, group), text, SNAPSHOT_SIZE);
}

/* Two groups in one container, two sections, and two mappings that are apart. */
static void share_and_map(struct fixture *fixture)
{
	fake_host.leaving_clears = true;
	assert_int_equal(attach(fixture, 1), 0);
	assert_int_equal(attach_shared(fixture, 2), 0);
	assert_int_equal(add_memory(fixture, 0, 0, NULL), 0);
	assert_int_equal(add_memory(fixture, MEMORY_SIZE, 0, NULL), 0);
	assert_int_equal(map(fixture, 0x10000, 0, 0x1000), 0);
	assert_int_equal(map(fixture, 0x20000, MEMORY_SIZE, 0x1000), 0);
}

static void test_attach_refuses(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fake_host.refuse_new = 1;
	assert_int_equal(attach(&fixture, 1), ERROR_GROUP_NOT_VIABLE);
	fake_host.refuse_new = 0;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(detach(&fixture, 2), ERROR_NOT_FOUND);
	assert_non_null(strstr(fixture.error.text, "group 2 is not attached"));
	assert_int_equal(detach(&fixture, 1), 0);
	assert_int_equal(detach(&fixture, 1), ERROR_NOT_FOUND);
	fixture_close(&fixture);
}

static void test_attach_twice(void **state)
{
	struct fixture fixture;
	struct space_attach again = attach_request(2, 7);

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach_shared(&fixture, 2), 0);
	for (unsigned int i = 0; i < 2; i++) {
		again.share = i > 0;
		again.container_fd = make_node();
		again.group_fd = make_node();
		fake_host.calls = 0;
		assert_int_equal(attach_by(&fixture, &again), ERROR_GROUP_BUSY);
		assert_non_null(strstr(fixture.error.text, "in container 101"));
		assert_int_equal(fake_host.calls, 0);
	}
	fixture_close(&fixture);
}

/* A container's id is its own as long as it lives. */
static void test_container_ids(void **state)
{
	struct space_attach second = attach_request(2, 101);
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	second.container_fd = make_node();
	second.group_fd = make_node();
	assert_int_equal(attach_by(&fixture, &second), ERROR_INVALID_ARGUMENT);
	assert_non_null(strstr(fixture.error.text, "container id 101"));
	assert_int_equal(detach(&fixture, 1), 0);
	assert_int_equal(fixture.outcome.container_id, 101);
	second.container_fd = make_node();
	second.group_fd = make_node();
	assert_int_equal(attach_by(&fixture, &second), 0);
	assert_int_equal(fixture.outcome.container_id, 101);
	fixture_close(&fixture);
}

static void test_too_many_containers(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	for (uint32_t i = 0; i < WORKER_CONTAINERS_MAX; i++) {
		assert_int_equal(attach(&fixture, i), 0);
	}
	assert_int_equal(attach(&fixture, 1000), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(fake_host.live, WORKER_CONTAINERS_MAX);
	fake_host.refuse_join = 1;
	assert_int_equal(attach_shared(&fixture, 1000), ERROR_QUOTA_EXCEEDED);
	fake_host.refuse_join = 0;
	assert_int_equal(attach_shared(&fixture, 1000), 0);
	assert_int_equal(fixture.outcome.container_id, 100);
	fixture_close(&fixture);
}

static void test_too_many_groups(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	for (uint32_t i = 0; i < WORKER_GROUPS_MAX; i++) {
		assert_int_equal(attach_shared(&fixture, i), 0);
		assert_int_equal(fixture.outcome.container_id, 100);
	}
	fake_host.joins = 0;
	assert_int_equal(attach_shared(&fixture, 500), 0);
	assert_int_equal(fixture.outcome.container_id, 600);
	assert_int_equal(fake_host.joins, 0);
	assert_int_equal(fixture.outcome.container->group_count, 1);
	fixture_close(&fixture);
}

static void test_sharing(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach_shared(&fixture, 1), 0);
	assert_int_equal(fixture.outcome.container_id, 101);
	assert_int_equal(attach_shared(&fixture, 2), 0);
	assert_int_equal(fixture.outcome.container_id, 101);
	assert_ptr_equal(fixture.outcome.container, space_container(fixture.space, 0));
	assert_int_equal(fixture.outcome.container->group_count, 2);
	assert_int_equal(fixture.outcome.container->groups[1].number, 2);
	assert_null(space_container(fixture.space, 1));
	/* One leaves, the other stays. */
	assert_int_equal(detach(&fixture, 1), 0);
	assert_int_equal(fixture.outcome.container_id, 101);
	assert_int_equal(space_container(fixture.space, 0)->groups[0].number, 2);
	assert_int_equal(detach(&fixture, 2), 0);
	assert_int_equal(fake_host.live, 0);
	fixture_close(&fixture);
}

/* H42: EEH acts on all groups of a container, and tells of none in particular. */
static void test_h42_own_container_unless_shared(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(attach(&fixture, i), 0);
		assert_int_equal(fixture.outcome.container->group_count, 1);
	}
	assert_int_equal(fake_host.joins, 0);
	fixture_close(&fixture);
}

static void test_balloon_is_of_the_group(void **state)
{
	struct space_attach second = attach_request(2, 102);
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	second.share = true;
	second.balloon_allowed = true;
	assert_int_equal(attach_by(&fixture, &second), 0);
	assert_false(fixture.outcome.container->groups[0].balloon_allowed);
	assert_true(fixture.outcome.container->groups[1].balloon_allowed);
	fixture_close(&fixture);
}

static void test_h34_only_compatible_containers(void **state)
{
	struct space_attach other_kind = attach_request(3, 103);
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fake_host.one_group = true;
	assert_int_equal(attach(&fixture, 1), 0);
	fake_host.one_group = false;
	assert_int_equal(attach_shared(&fixture, 2), 0);
	assert_int_equal(fixture.outcome.container_id, 102);
	assert_int_equal(fake_host.joins, 0);
	other_kind.share = true;
	other_kind.iommu_type = "type1v2";
	assert_int_equal(attach_by(&fixture, &other_kind), 0);
	assert_int_equal(fixture.outcome.container_id, 103);
	assert_int_equal(fake_host.joins, 0);
	other_kind.group = 4;
	other_kind.container_id = 104;
	other_kind.iommu_type = "fake";
	assert_int_equal(attach_by(&fixture, &other_kind), 0);
	assert_int_equal(fixture.outcome.container_id, 102);
	fixture_close(&fixture);
}

/* What may be about the two together lets the next container have its turn, and what is about the
 * group alone doesn't. */
static void test_passed_over(void **state)
{
	static const int fitting[] = {EINVAL, EBUSY, EPERM};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		fixture_open(&fixture);
		assert_int_equal(attach(&fixture, 1), 0);
		assert_int_equal(attach(&fixture, 2), 0);
		fake_host.refuse_join_errnum = fitting[i];
		fake_host.join_id = 102;
		assert_int_equal(attach_shared(&fixture, 3), 0);
		assert_int_equal(fixture.outcome.container_id, 102);
		assert_int_equal(fake_host.joins, 2);
		fake_host.refuse_join = 1;
		assert_int_equal(attach_shared(&fixture, 4), 0);
		assert_int_equal(fixture.outcome.container_id, 104);
		assert_int_equal(fake_host.joins, 4);
		fixture_close(&fixture);
	}
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	fake_host.refuse_join = 1;
	fake_host.refuse_join_errnum = ENODEV;
	assert_int_equal(attach_shared(&fixture, 3), ERROR_GROUP_BUSY);
	assert_non_null(strstr(fixture.error.text, "joining container 101"));
	assert_int_equal(fake_host.joins, 1);
	assert_int_equal(fake_host.live, 2);
	fixture_close(&fixture);
}

/* A container that could not have its windows any more, with the group, is passed over, too. */
static void test_passed_over_for_windows(void **state)
{
	static const enum error_code codes[] = {ERROR_WINDOW_START, ERROR_PAGE_SIZE};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		fixture_open(&fixture);
		assert_int_equal(attach(&fixture, 1), 0);
		fake_host.refuse_join = 1;
		fake_host.refuse_join_code = codes[i];
		assert_int_equal(attach_shared(&fixture, 2), 0);
		assert_int_equal(fixture.outcome.container_id, 102);
		fixture_close(&fixture);
	}
}

/* The ranges of IOVA shrink when a group joins: a window that is outside then keeps it out. */
static void test_joining_shrinks_ranges(void **state)
{
	struct fixture fixture;
	char before[SNAPSHOT_SIZE];
	char after[SNAPSHOT_SIZE];

	(void)state;
	fixture_open(&fixture);
	fake_host.windows_are_books = true;
	assert_int_equal(attach(&fixture, 1), 0);
	print(&fixture, 1, before);
	assert_int_equal(attach_shared(&fixture, 2), 0);
	assert_int_equal(fixture.outcome.container_id, 102);
	assert_int_equal(fake_host.joins, 1);
	print(&fixture, 1, after);
	assert_string_equal(after, before);
	assert_int_equal(
		container_of_group(&fixture, 1)->capabilities.default_windows[0].range.size,
		FAKE_DEFAULT_SIZE);
	fixture_close(&fixture);
	/* If it can't leave again, it is there, and the error says so. */
	fixture_open(&fixture);
	fake_host.windows_are_books = true;
	assert_int_equal(attach(&fixture, 1), 0);
	fake_host.calls = 0;
	fake_host.fail = 2;
	assert_int_equal(attach_shared(&fixture, 2), ERROR_KERNEL);
	assert_non_null(strstr(fixture.error.text, "where it stays: detach it"));
	assert_int_equal(container_of_group(&fixture, 2)->id, 101);
	assert_int_equal(detach(&fixture, 2), 0);
	fixture_close(&fixture);
}

/* H17: to register the same range twice in one container is EBUSY. */
static void test_h17_joining_registers_nothing(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, 0, 0, 0x1000), 0);
	fake_host.calls = 0;
	assert_int_equal(attach_shared(&fixture, 2), 0);
	assert_int_equal(fake_host.calls, 1);
	fixture_close(&fixture);
}

/* H19: memory is found in the whole process, but must not go with the container that has it: each
 * has all of it. */
static void test_h19_each_container_has_all_memory(void **state)
{
	struct fixture fixture;
	char text[SNAPSHOT_SIZE];

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(add_memory(&fixture, MEMORY_SIZE, 0, NULL), 0);
	assert_int_equal(attach(&fixture, 3), 0);
	assert_int_equal(map(&fixture, 0, MEMORY_SIZE, 0x1000), 0);
	for (uint32_t i = 1; i <= 3; i++) {
		print(&fixture, i, text);
		assert_non_null(strstr(text, "section 1 section 2 window"));
	}
	assert_int_equal(detach(&fixture, 1), 0);
	for (uint32_t i = 2; i <= 3; i++) {
		print(&fixture, i, text);
		assert_non_null(strstr(text, "section 1 section 2 window"));
		assert_non_null(strstr(text, "mapping [0x0, 0x1000)"));
	}
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
}

/* H25: with its last group a container loses all that it has, so that it isn't used again. */
static void test_h25_last_group_ends_container(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, NULL), 0);
	assert_int_equal(map(&fixture, 0, 0, 0x1000), 0);
	assert_int_equal(detach(&fixture, 1), ERROR_MEMORY_IN_USE);
	assert_non_null(strstr(fixture.error.text, "group 1 is the last one"));
	assert_int_equal(unmap(&fixture, 0, 0x1000), 0);
	assert_int_equal(detach(&fixture, 1), 0);
	assert_null(space_window(fixture.space, 0));
	assert_null(space_container(fixture.space, 0));
	assert_int_equal(locked_bytes(fixture.space), 0);
	assert_non_null(space_section(fixture.space, 0));
	assert_int_equal(fake_host.live, 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(map(&fixture, 0, 0, 0x1000), 0);
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
}

/* H33: a group that leaves clears the mappings of those that stay. */
static void test_h33_shared_leave_is_refused(void **state)
{
	struct fixture fixture;
	char before[SNAPSHOT_SIZE];
	char after[SNAPSHOT_SIZE];

	(void)state;
	fixture_open(&fixture);
	share_and_map(&fixture);
	assert_int_equal(attach_shared(&fixture, 3), 0);
	snapshot(&fixture, before);
	fake_host.calls = 0;
	assert_int_equal(detach(&fixture, 2), ERROR_MEMORY_IN_USE);
	assert_non_null(strstr(fixture.error.text, "with groups 1, 3, which would lose the 2 "));
	assert_non_null(strstr(fixture.error.text, "unmap them first"));
	assert_non_null(strstr(fixture.error.text, "shared-detach"));
	assert_int_equal(fake_host.calls, 0);
	snapshot(&fixture, after);
	assert_string_equal(after, before);
	assert_int_equal(unmap(&fixture, 0x10000, 0x1000), 0);
	assert_int_equal(unmap(&fixture, 0x20000, 0x1000), 0);
	assert_int_equal(detach(&fixture, 2), 0);
	assert_int_equal(fixture.outcome.replayed, 0);
	fixture_close(&fixture);
}

static void test_h33_shared_leave_is_replayed(void **state)
{
	struct fixture fixture;
	char before[SNAPSHOT_SIZE];
	char after[SNAPSHOT_SIZE];

	(void)state;
	fixture_open(&fixture);
	space_set_policy(fixture.space, &replaying);
	share_and_map(&fixture);
	assert_int_equal(attach(&fixture, 3), 0);
	print(&fixture, 1, before);
	fake_host.calls = 0;
	assert_int_equal(detach(&fixture, 2), 0);
	assert_int_equal(fixture.outcome.container_id, 101);
	assert_int_equal(fixture.outcome.replayed, 2);
	assert_int_equal(fixture.outcome.lost, 0);
	/* The other container isn't asked for anything. */
	assert_int_equal(fake_host.calls, 3);
	print(&fixture, 1, after);
	assert_non_null(strstr(before, "(groups 1, 2):"));
	assert_non_null(strstr(after, "(group 1):"));
	assert_string_equal(strchr(after, ':'), strchr(before, ':'));
	fixture_close(&fixture);
}

/* Where nothing is cleared, nothing is made again. */
static void test_leaving_that_clears_nothing(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach_shared(&fixture, 2), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, 0x10000, 0, 0x1000), 0);
	fake_host.calls = 0;
	assert_int_equal(detach(&fixture, 2), 0);
	assert_int_equal(fake_host.calls, 1);
	assert_int_equal(fixture.outcome.replayed, 0);
	fixture_close(&fixture);
}

/* H33: what can't be made again is gone everywhere, and counted. */
static void test_h33_lost_mappings_are_gone(void **state)
{
	struct fixture fixture;
	struct mapping mapping;
	char text[SNAPSHOT_SIZE];

	(void)state;
	fixture_open(&fixture);
	space_set_policy(fixture.space, &replaying);
	share_and_map(&fixture);
	assert_int_equal(attach(&fixture, 3), 0);
	fake_host.fail_map = (struct range){0x20000, 0x1000};
	assert_int_equal(detach(&fixture, 2), 0);
	fake_host.fail_map = (struct range){0, 0};
	assert_int_equal(fixture.outcome.replayed, 1);
	assert_int_equal(fixture.outcome.lost, 1);
	assert_int_equal(space_translate(fixture.space, 0x20000, &mapping, &fixture.error),
			 ERROR_NOT_MAPPED);
	assert_int_equal(space_translate(fixture.space, 0x10000, &mapping, &fixture.error), 0);
	for (uint32_t i = 1; i <= 3; i += 2) {
		print(&fixture, i, text);
		assert_non_null(strstr(text, "mapping [0x10000, 0x11000)"));
		assert_null(strstr(text, "[0x20000, 0x21000)"));
	}
	/* Nothing points to the second section any more. */
	assert_int_equal(remove_memory(&fixture, 2), 0);
	assert_int_equal(remove_memory(&fixture, 1), ERROR_MEMORY_IN_USE);
	fixture_close(&fixture);
}

/* H18: to unregister memory that some table may still point to would pin it for good. */
static void test_h18_lost_but_not_unmapped(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	space_set_policy(fixture.space, &replaying);
	share_and_map(&fixture);
	assert_int_equal(attach(&fixture, 3), 0);
	fake_host.fail_map = (struct range){0x20000, 0x1000};
	fake_host.fail_unmap = 103;
	assert_int_equal(detach(&fixture, 2), 0);
	assert_int_equal(fixture.outcome.lost, 1);
	fake_host.fail_unmap = 0;
	assert_int_equal(remove_memory(&fixture, 2), ERROR_MEMORY_IN_USE);
	assert_non_null(strstr(fixture.error.text, "may still be in an IOMMU table"));
	fixture_close(&fixture);
}

/* Even all of them may be lost. */
static void test_replay_of_all_lost(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	space_set_policy(fixture.space, &replaying);
	share_and_map(&fixture);
	fake_host.fail_map = (struct range){0, UINT64_MAX};
	assert_int_equal(detach(&fixture, 2), 0);
	assert_int_equal(fixture.outcome.replayed, 0);
	assert_int_equal(fixture.outcome.lost, 2);
	assert_int_equal(ledger_count(space_ledger(fixture.space)), 0);
	assert_int_equal(remove_memory(&fixture, 1), 0);
	assert_int_equal(remove_memory(&fixture, 2), 0);
	fixture_close(&fixture);
}

/* A new container with several groups to come gets all, whoever is there. */
static void test_replay_for_every_pinning(void **state)
{
	static const enum container_pinning pinnings[] = {
		CONTAINER_PINS_SECTIONS, CONTAINER_PINS_MAPPINGS, CONTAINER_PINS_AT_START};
	struct fixture fixture;

	(void)state;
	for (unsigned int i = 0; i < 9; i++) {
		char first[SNAPSHOT_SIZE];
		char last[SNAPSHOT_SIZE];

		fixture_open(&fixture);
		fake_host.start_bytes = 0x1000000;
		fake_host.pinning = pinnings[i / 3];
		assert_int_equal(attach(&fixture, 1), 0);
		assert_int_equal(attach_shared(&fixture, 2), 0);
		assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
		assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, NULL), 0);
		assert_int_equal(map(&fixture, 0x10000, 0, 0x1000), 0);
		assert_int_equal(map(&fixture, FAKE_WINDOW_1, 0x1000, 0x2000), 0);
		fake_host.pinning = pinnings[i % 3];
		assert_int_equal(attach(&fixture, 3), 0);
		print(&fixture, 1, first);
		print(&fixture, 3, last);
		assert_string_equal(strchr(first, ':'), strchr(last, ':'));
		fixture_close(&fixture);
	}
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

/* Nobody joins or leaves while another change is under way. */
static void test_one_change_at_a_time(void **state)
{
	struct space_attach first = attach_request(1, 101);
	struct space_attach second = attach_request(2, 102);
	struct space_change *change = NULL;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	first.group_fd = make_node();
	assert_int_equal(space_attach_begin(fixture.space, &first, &change, &fixture.error), 0);
	second.share = true;
	second.container_fd = make_node();
	second.group_fd = make_node();
	assert_int_equal(attach_by(&fixture, &second), ERROR_BUSY);
	assert_int_equal(detach(&fixture, 1), ERROR_BUSY);
	assert_int_equal(complete(change, NULL, &fixture.error), 0);
	assert_int_equal(detach(&fixture, 1), 0);
	fixture_close(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach_refuses),
		cmocka_unit_test(test_attach_twice),
		cmocka_unit_test(test_container_ids),
		cmocka_unit_test(test_too_many_containers),
		cmocka_unit_test(test_too_many_groups),
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_h42_own_container_unless_shared),
		cmocka_unit_test(test_balloon_is_of_the_group),
		cmocka_unit_test(test_h34_only_compatible_containers),
		cmocka_unit_test(test_passed_over),
		cmocka_unit_test(test_passed_over_for_windows),
		cmocka_unit_test(test_joining_shrinks_ranges),
		cmocka_unit_test(test_h17_joining_registers_nothing),
		cmocka_unit_test(test_h19_each_container_has_all_memory),
		cmocka_unit_test(test_h25_last_group_ends_container),
		cmocka_unit_test(test_h33_shared_leave_is_refused),
		cmocka_unit_test(test_h33_shared_leave_is_replayed),
		cmocka_unit_test(test_leaving_that_clears_nothing),
		cmocka_unit_test(test_h33_lost_mappings_are_gone),
		cmocka_unit_test(test_h18_lost_but_not_unmapped),
		cmocka_unit_test(test_replay_of_all_lost),
		cmocka_unit_test(test_replay_for_every_pinning),
		cmocka_unit_test(test_other_default_window),
		cmocka_unit_test(test_one_change_at_a_time),
	};

	return cmocka_run_group_tests_name("space groups", tests, NULL, NULL);
}
