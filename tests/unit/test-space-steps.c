/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All or nothing: whatever an address space is asked for, and whichever of the calls that this
 * takes fails in whichever container.
 */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "space_fixture.h"

#define CONTAINERS_MAX 4
#define GROUPS_MAX     3
#define NEW_GROUP      99U

/* What the error says when taking back failed, too. */
#define SAYS_SO "could not be restored"

struct operation {
	const char *name;
	int (*operate)(struct fixture *fixture);
	int (*prepare)(struct fixture *fixture); /* NULL: nothing */
	unsigned int calls;                      /* at least so many in each container, */
	unsigned int more;                       /* and so many besides */
	bool goes_through;                       /* it may succeed though a call failed */
	bool takes_id;                           /* which is never used again */
};

static enum container_pinning pinning_of_all;

static uint32_t group_number(unsigned int container, unsigned int group)
{
	return 1 + container * 10 + group;
}

static int operate_attach(struct fixture *fixture)
{
	return attach(fixture, NEW_GROUP);
}

static int operate_attach_shared(struct fixture *fixture)
{
	return attach_shared(fixture, NEW_GROUP);
}

static int prepare_detach(struct fixture *fixture)
{
	int r = attach(fixture, NEW_GROUP);

	return r ? r : map(fixture, 0x70000, 0, 0x1000);
}

static int operate_detach(struct fixture *fixture)
{
	return detach(fixture, NEW_GROUP);
}

static int prepare_detach_shared(struct fixture *fixture)
{
	return attach_shared(fixture, NEW_GROUP);
}

static int operate_add(struct fixture *fixture)
{
	return add_memory(fixture, 16 * MEMORY_SIZE, 0, NULL);
}

/* The third section, to which nothing is mapped. */
static int operate_remove(struct fixture *fixture)
{
	return remove_memory(fixture, 3);
}

static int operate_add_identity(struct fixture *fixture)
{
	return add_memory(fixture, 16 * MEMORY_SIZE, WORKER_MEMORY_IDENTITY, NULL);
}

/* The fourth is one. */
static int operate_remove_identity(struct fixture *fixture)
{
	return remove_memory(fixture, 4);
}

static int operate_create(struct fixture *fixture)
{
	return create_window(fixture, WORKER_WINDOW_ANYWHERE, NULL);
}

static int operate_remove_window(struct fixture *fixture)
{
	return remove_window(fixture, FAKE_WINDOW_1);
}

static int operate_map(struct fixture *fixture)
{
	return map(fixture, 0x40000, 0, 0x4000);
}

static int operate_unmap(struct fixture *fixture)
{
	return unmap(fixture, 0x10000, 0x4000);
}

static int operate_map_many(struct fixture *fixture)
{
	static const struct mapping many[] = {
		{.iova = {0x60000, 0x1000}, .gpa = 0, .prot = 3},
		{.iova = {0x40000, 0x1000}, .gpa = 0x8000, .prot = 3},
		{.iova = {0x41000, 0x2000}, .gpa = 0x9000, .prot = 3},
		{.iova = {0x50000, 0x1000}, .gpa = 2 * MEMORY_SIZE, .prot = 1},
	};

	return space_map_many(fixture->space, many, 4, &fixture->error);
}

static int operate_unmap_many(struct fixture *fixture)
{
	static const struct range many[] = {
		{0x20000, 0x1000}, {0x12000, 0x2000}, {0x10000, 0x2000}};

	return space_unmap_many(fixture->space, many, 3, &fixture->error);
}

static const struct operation operations[] = {
	{"attach", operate_attach, NULL, 0, 7, false, false},
	{"attach shared", operate_attach_shared, NULL, 0, 1, false, false},
	{"detach", operate_detach, prepare_detach, 0, 6, true, false},
	{"detach shared", operate_detach, prepare_detach_shared, 0, 4, true, false},
	{"add memory", operate_add, NULL, 1, 0, false, true},
	{"remove memory", operate_remove, NULL, 1, 0, false, false},
	{"add identity memory", operate_add_identity, NULL, 2, 0, false, true},
	{"remove identity memory", operate_remove_identity, NULL, 2, 0, false, false},
	{"create window", operate_create, NULL, 1, 0, false, false},
	{"remove window", operate_remove_window, operate_create, 1, 0, false, false},
	{"map", operate_map, NULL, 1, 0, false, false},
	{"unmap", operate_unmap, NULL, 1, 0, false, false},
	{"map many", operate_map_many, NULL, 3, 0, false, false},
	{"unmap many", operate_unmap_many, NULL, 2, 0, false, false},
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* Containers with groups, three sections with mappings to two of them, and an identity section. */
static void fill(struct fixture *fixture, unsigned int containers, unsigned int groups)
{
	const struct space_policy policy = {.replay_shared = true};

	fake_host.pinning = pinning_of_all;
	fake_host.start_bytes = MEMORY_SIZE;
	fake_host.leaving_clears = true;
	space_set_policy(fixture->space, &policy);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(add_memory(fixture, UINT64_C(2) * i * MEMORY_SIZE, 0, NULL), 0);
	}
	assert_int_equal(add_memory(fixture, 8 * MEMORY_SIZE, WORKER_MEMORY_IDENTITY, NULL), 0);
	for (unsigned int i = 0; i < containers; i++) {
		assert_int_equal(attach(fixture, group_number(i, 0)), 0);
		fake_host.join_id = fixture->outcome.container_id;
		for (unsigned int j = 1; j < groups; j++) {
			assert_int_equal(attach_shared(fixture, group_number(i, j)), 0);
			assert_int_equal(fixture->outcome.container_id, fake_host.join_id);
		}
	}
	fake_host.join_id = 0;
	assert_int_equal(map(fixture, 0x10000, 0, 0x2000), 0);
	assert_int_equal(map(fixture, 0x12000, 0x8000, 0x2000), 0);
	assert_int_equal(map(fixture, 0x20000, 2 * MEMORY_SIZE, 0x1000), 0);
}

static void make_ready(struct fixture *fixture, const struct operation *operation,
		       unsigned int containers, unsigned int groups)
{
	fixture_open(fixture);
	fill(fixture, containers, groups);
	if (operation->prepare) {
		assert_int_equal(operation->prepare(fixture), 0);
	}
	fake_host.calls = 0;
	fixture->error.text[0] = '\0';
}

/* What the operation does if nothing fails, and how many calls it takes. */
static unsigned int look_at_success(const struct operation *operation, unsigned int containers,
				    unsigned int groups, char *after)
{
	struct fixture fixture;
	unsigned int calls;

	make_ready(&fixture, operation, containers, groups);
	assert_int_equal(operation->operate(&fixture), 0);
	calls = fake_host.calls;
	assert_true(calls >= operation->calls * containers + operation->more);
	snapshot(&fixture, after);
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
	return calls;
}

static bool says_so(const struct error *error)
{
	return strstr(error->text, SAYS_SO) ||
	       strstr(error->text, "nor can it be mapped at its own address again");
}

static void fail_once(const struct operation *operation, unsigned int containers,
		      unsigned int groups, unsigned int step, const char *success)
{
	static char before[SNAPSHOT_SIZE];
	static char after[SNAPSHOT_SIZE];
	struct fixture fixture;
	int r;

	make_ready(&fixture, operation, containers, groups);
	snapshot(&fixture, before);
	fake_host.fail = step;
	r = operation->operate(&fixture);
	assert_int_equal(fake_host.failed, 1);
	snapshot(&fixture, after);
	if (r == 0) {
		assert_true(operation->goes_through);
		assert_string_equal(after, success);
		assert_int_equal(fixture.outcome.lost, 0);
		fixture_close(&fixture);
		return;
	}
	assert_int_equal(r, ERROR_KERNEL);
	assert_int_equal(fixture.error.code, ERROR_KERNEL);
	assert_string_equal(after, before);
	assert_false(says_so(&fixture.error));
	assert_non_null(strstr(fixture.error.text, "container"));
	/* Nothing is left that would be in the way. */
	fake_host.fail = 0;
	assert_int_equal(operation->operate(&fixture), 0);
	snapshot(&fixture, after);
	if (!operation->takes_id) {
		assert_string_equal(after, success);
	}
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
}

static void fail_from(const struct operation *operation, unsigned int containers,
		      unsigned int groups, unsigned int step)
{
	static char before[SNAPSHOT_SIZE];
	static char after[SNAPSHOT_SIZE];
	struct fixture fixture;
	uint64_t mappings;
	int r;

	make_ready(&fixture, operation, containers, groups);
	mappings = ledger_count(space_ledger(fixture.space));
	snapshot(&fixture, before);
	fake_host.fail = step;
	fake_host.fail_on = true;
	r = operation->operate(&fixture);
	assert_true(fake_host.failed > 0);
	snapshot(&fixture, after);
	if (r == 0) {
		assert_true(operation->goes_through);
		assert_int_equal(ledger_count(space_ledger(fixture.space)),
				 mappings - fixture.outcome.lost);
	} else if (strcmp(after, before) != 0) {
		assert_true(says_so(&fixture.error));
	}
	fixture_close(&fixture);
}

static void fail_each_call(enum container_pinning pinning)
{
	static char success[SNAPSHOT_SIZE];

	pinning_of_all = pinning;
	for (unsigned int i = 0; i < OPERATIONS * CONTAINERS_MAX * GROUPS_MAX; i++) {
		const struct operation *operation = &operations[i / CONTAINERS_MAX / GROUPS_MAX];
		unsigned int containers = i / GROUPS_MAX % CONTAINERS_MAX + 1;
		unsigned int groups = i % GROUPS_MAX + 1;
		unsigned int calls = look_at_success(operation, containers, groups, success);

		for (unsigned int step = 1; step <= calls; step++) {
			print_message("%s, %u containers of %u, call %u of %u\n", operation->name,
				      containers, groups, step, calls);
			fail_once(operation, containers, groups, step, success);
			fail_from(operation, containers, groups, step);
		}
	}
}

static void test_each_call_fails(void **state)
{
	(void)state;
	fail_each_call(CONTAINER_PINS_SECTIONS);
}

static void test_each_call_fails_with_pinned_mappings(void **state)
{
	(void)state;
	fail_each_call(CONTAINER_PINS_MAPPINGS);
}

static void test_each_call_fails_with_pinning_at_start(void **state)
{
	(void)state;
	fail_each_call(CONTAINER_PINS_AT_START);
}

/* When taking back fails, too, the error says so and the memory stays. */
static void test_h18_stray_keeps_memory(void **state)
{
	struct fixture fixture;

	(void)state;
	pinning_of_all = CONTAINER_PINS_SECTIONS;
	fixture_open(&fixture);
	fill(&fixture, 3, 1);
	fake_host.calls = 0;
	fake_host.fail = 2;
	fake_host.fail_on = true;
	assert_int_equal(map(&fixture, 0x50000, 4 * MEMORY_SIZE, 0x1000), ERROR_KERNEL);
	assert_non_null(strstr(fixture.error.text, SAYS_SO));
	fake_host.fail = 0;
	assert_int_equal(ledger_count(space_ledger(fixture.space)), 4);
	assert_int_equal(remove_memory(&fixture, 3), ERROR_MEMORY_IN_USE);
	fixture_close(&fixture);
}

/* Memory that some containers have and some don't can't be mapped, nor can another try to remove it
 * make it as good as new. */
static void test_half_removed_memory(void **state)
{
	static const unsigned int both[] = {1, 0};

	(void)state;
	pinning_of_all = CONTAINER_PINS_SECTIONS;
	for (size_t i = 0; i < 2; i++) {
		struct fixture fixture;
		uint32_t id = 5;
		uint64_t locked;

		fixture_open(&fixture);
		fill(&fixture, 3, 1);
		locked = locked_bytes(fixture.space);
		if (both[i]) {
			assert_int_equal(add_memory(&fixture, 9 * MEMORY_SIZE, 0, &id), 0);
		}
		fake_host.calls = 0;
		fake_host.fail = 2;
		fake_host.fail_on = true;
		assert_int_equal(both[i] ? remove_memory(&fixture, id)
					 : add_memory(&fixture, 9 * MEMORY_SIZE, 0, NULL),
				 ERROR_KERNEL);
		assert_non_null(strstr(fixture.error.text, SAYS_SO));
		fake_host.fail = 0;
		fake_host.fail_on = false;
		assert_int_equal(locked_bytes(fixture.space), locked + MEMORY_SIZE);
		assert_int_equal(remove_memory(&fixture, id), ERROR_MEMORY_IN_USE);
		assert_int_equal(map(&fixture, 0x50000, 9 * MEMORY_SIZE, 0x1000), ERROR_BUSY);
		fixture_close(&fixture);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call_fails),
		cmocka_unit_test(test_each_call_fails_with_pinned_mappings),
		cmocka_unit_test(test_each_call_fails_with_pinning_at_start),
		cmocka_unit_test(test_h18_stray_keeps_memory),
		cmocka_unit_test(test_half_removed_memory),
	};

	return cmocka_run_group_tests_name("space steps", tests, NULL, NULL);
}
