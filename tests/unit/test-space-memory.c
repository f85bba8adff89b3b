/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of an address space: its kinds, where it may be, and what listeners make of it. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "space_fixture.h"
#include "vfio/space_private.h"

#define PAGE      UINT64_C(0x1000)
#define ADDRESS   UINT64_C(0x10000000) /* in the default window */
#define BIT_63    (UINT64_C(1) << 63)
#define IDENTITY  WORKER_MEMORY_IDENTITY
#define READ_ONLY WORKER_MEMORY_READ_ONLY

static char before[SNAPSHOT_SIZE];
static char after[SNAPSHOT_SIZE];

static void expect_unchanged(const struct fixture *fixture)
{
	snapshot(fixture, after);
	assert_string_equal(before, after);
}

static void expect_text(const struct fixture *fixture, const char *text)
{
	if (!strstr(fixture->error.text, text)) {
		fail_msg("\"%s\" is not in \"%s\"", text, fixture->error.text);
	}
}

static bool is_mapped(const struct fixture *fixture, uint64_t iova)
{
	struct mapping mapping;

	return space_translate(fixture->space, iova, &mapping, NULL) == 0;
}

/* What the containers have, without the rest. */
static unsigned int count_in_containers(const struct fixture *fixture, const char *what)
{
	const struct container *container;
	char text[4096];
	unsigned int count = 0;

	for (unsigned int i = 0; (container = space_container(fixture->space, i)); i++) {
		fake_container_print(container, text, sizeof(text));
		count += strstr(text, what) ? 1 : 0;
	}
	return count;
}

/* Addresses */

static void test_bit_63_is_skipped(void **state)
{
	struct fixture fixture;
	uint32_t id = 0;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	fake_host.calls = 0;
	assert_int_equal(add_memory(&fixture, BIT_63, 0, &id), 0);
	assert_int_equal(fixture.outcome.skipped_count, 1);
	assert_ptr_equal(fixture.outcome.skipped[0], fixture.outcome.section);
	assert_non_null(strstr(fixture.outcome.section->because, "bit 63"));
	assert_int_equal(add_memory(&fixture, 0 - MEMORY_SIZE, IDENTITY, NULL), 0);
	assert_int_equal(fake_host.calls, 0);
	assert_int_equal(locked_bytes(fixture.space), 0x1000);
	assert_false(is_mapped(&fixture, 0 - MEMORY_SIZE));
	assert_int_equal(map(&fixture, 0, BIT_63, PAGE), ERROR_MEMORY_UNKNOWN);
	expect_text(&fixture, "bit 63");
	assert_int_equal(map(&fixture, 0, 0 - PAGE, PAGE), ERROR_MEMORY_UNKNOWN);
	/* It is there all the same. */
	assert_int_equal(add_memory(&fixture, BIT_63, 0, NULL), ERROR_MEMORY_IN_USE);
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(count_in_containers(&fixture, "section"), 0);
	assert_int_equal(remove_memory(&fixture, id), 0);
	assert_int_equal(add_memory(&fixture, BIT_63, 0, NULL), 0);
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
}

static void test_near_the_end_of_addresses(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	/* Up to 2^63, across it, and up to 2^64. */
	assert_int_equal(add_memory(&fixture, BIT_63 - 2 * MEMORY_SIZE, 0, NULL), 0);
	assert_int_equal(add_memory(&fixture, BIT_63 - MEMORY_SIZE / 2, 0, NULL), 0);
	assert_int_equal(fixture.outcome.skipped_count, 0);
	assert_int_equal(count_in_containers(&fixture, "section 2"), 1);
	assert_int_equal(add_memory(&fixture, 0 - MEMORY_SIZE, 0, NULL), 0);
	assert_int_equal(add_memory(&fixture, 0 - MEMORY_SIZE / 2, 0, NULL),
			 ERROR_INVALID_ARGUMENT);
	expect_text(&fixture, "wraps around");
	assert_int_equal(add_memory(&fixture, 0 - MEMORY_SIZE - PAGE, 0, NULL),
			 ERROR_MEMORY_IN_USE);
	expect_text(&fixture, "[0xfffffffffff00000, 0x10000000000000000)");
	assert_int_equal(add_memory(&fixture, BIT_63 + PAGE, 0, NULL), ERROR_MEMORY_IN_USE);
	assert_int_equal(map(&fixture, 0, BIT_63 - PAGE, 2 * PAGE), 0);
	assert_int_equal(map(&fixture, 0x10000, BIT_63 + MEMORY_SIZE / 2 - PAGE, 2 * PAGE),
			 ERROR_MEMORY_UNKNOWN);
	assert_int_equal(map(&fixture, 0x10000, 0 - PAGE, 2 * PAGE), ERROR_INVALID_ARGUMENT);
	fixture_close(&fixture);
}

static void test_last_id(void **state)
{
	struct fixture fixture;
	uint32_t id = 0;

	(void)state;
	fixture_open(&fixture);
	fixture.space->last_section_id = UINT32_MAX - 1;
	assert_int_equal(add_memory(&fixture, 0, 0, &id), 0);
	assert_int_equal(id, UINT32_MAX);
	assert_int_equal(remove_memory(&fixture, id), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), ERROR_QUOTA_EXCEEDED);
	expect_text(&fixture, "used up");
	fixture_close(&fixture);
}

/* H21: what can't be locked isn't pinned first to find that out. */
/* The kernel would say 0, and keep the pages. */
static void test_h18_mapped_memory_stays(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, PAGE, 0, PAGE), 0);
	fake_host.calls = 0;
	assert_int_equal(remove_memory(&fixture, 1), ERROR_MEMORY_IN_USE);
	expect_text(&fixture, "has 1 mappings, the first is at iova [0x1000, 0x2000)");
	assert_int_equal(fake_host.calls, 0);
	assert_int_equal(unmap(&fixture, PAGE, PAGE), 0);
	assert_int_equal(remove_memory(&fixture, 1), 0);
	fixture_close(&fixture);
}

static void test_h21_the_limit_comes_before_the_kernel(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open_limited(&fixture, MEMORY_SIZE + 0x1000);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	fake_host.calls = 0;
	snapshot(&fixture, before);
	assert_int_equal(add_memory(&fixture, MEMORY_SIZE, 0, NULL), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(fake_host.calls, 0);
	expect_unchanged(&fixture);
	/* Nobody locks what is skipped. */
	assert_int_equal(add_memory(&fixture, BIT_63, 0, NULL), 0);
	fixture_close(&fixture);
}

/* Random sections, against a list of them */

#define ROUNDS       4000
#define SECTIONS_MAX 64

struct model {
	struct range range[SECTIONS_MAX];
	uint32_t id[SECTIONS_MAX];
	unsigned int count;
};

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Around the places where arithmetic breaks. */
static struct section_request random_request(uint64_t *seed)
{
	static const uint64_t places[] = {0, UINT64_C(1) << 32, BIT_63, 0 - 64 * PAGE};
	uint64_t place = places[next_random(seed) % 4];
	uint64_t size = next_random(seed) % 9 * PAGE;

	return (struct section_request){
		.gpa = place - 16 * PAGE + next_random(seed) % 80 * PAGE,
		.size = next_random(seed) % 50 ? size : 0 - size,
	};
}

static int expected_code(const struct model *model, const struct section_request *request)
{
	struct range range = {request->gpa, request->size};

	if (request->size == 0 || request->gpa > UINT64_MAX - (request->size - 1)) {
		return ERROR_INVALID_ARGUMENT;
	}
	for (unsigned int i = 0; i < model->count; i++) {
		uint64_t last = model->range[i].start + (model->range[i].size - 1);

		if (range.start <= last &&
		    model->range[i].start <= request->gpa - 1 + request->size) {
			return ERROR_MEMORY_IN_USE;
		}
	}
	return request->size > 8 * PAGE ? ERROR_INVALID_ARGUMENT : 0;
}

static void expect_same_sections(const struct fixture *fixture, const struct model *model)
{
	const struct section *last = NULL;
	const struct section *section;
	unsigned int count = 0;

	while ((section = space_section(fixture->space, count))) {
		unsigned int i = 0;

		while (i < model->count && model->id[i] != section->id) {
			i++;
		}
		assert_true(i < model->count);
		assert_int_equal(section->gpa.start, model->range[i].start);
		assert_int_equal(section->gpa.size, model->range[i].size);
		assert_int_equal(section_is_skipped(section), section->gpa.start >= BIT_63);
		assert_true(!last || last->gpa.start < section->gpa.start);
		last = section;
		count++;
	}
	assert_int_equal(count, model->count);
}

static void add_at_random(struct fixture *fixture, int fd, struct model *model, uint64_t *seed)
{
	struct section_request request = random_request(seed);
	int expected = expected_code(model, &request);
	struct space_change *change = NULL;
	int r = space_memory_add_begin(fixture->space, fd, &request, &change, &fixture->error);

	if (r == 0) {
		r = complete(change, &fixture->outcome, &fixture->error);
	}
	if (r != expected) {
		print_error("%s\n", fixture->error.text);
	}
	assert_int_equal(r, expected);
	if (r == 0) {
		model->range[model->count] = (struct range){request.gpa, request.size};
		model->id[model->count++] = fixture->outcome.section->id;
	}
}

static void test_random_sections(void **state)
{
	cleanup(cleanup_fd) int fd = make_memory(8 * PAGE);
	struct model model = {.count = 0};
	uint64_t seed = 0x9e3779b97f4a7c15;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		if (model.count < SECTIONS_MAX && next_random(&seed) % 3) {
			add_at_random(&fixture, fd, &model, &seed);
		} else if (model.count > 0) {
			unsigned int i = (unsigned int)(next_random(&seed) % model.count);

			assert_int_equal(remove_memory(&fixture, model.id[i]), 0);
			assert_int_equal(remove_memory(&fixture, model.id[i]), ERROR_NOT_FOUND);
			model.id[i] = model.id[--model.count];
			model.range[i] = model.range[model.count];
		}
		expect_same_sections(&fixture, &model);
	}
	fixture_close(&fixture);
}

/* Identity sections */

static void test_identity_comes_and_goes(void **state)
{
	struct fixture fixture;
	struct mapping mapping;
	uint32_t id = 0;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	snapshot(&fixture, before);
	assert_int_equal(add_memory(&fixture, ADDRESS, IDENTITY, &id), 0);
	assert_int_equal(space_translate(fixture.space, ADDRESS + PAGE, &mapping, NULL), 0);
	assert_int_equal(mapping.iova.start, ADDRESS);
	assert_int_equal(mapping.iova.size, MEMORY_SIZE);
	assert_int_equal(mapping.gpa, ADDRESS);
	assert_int_equal(mapping.prot, 3);
	assert_int_equal(ledger_count(space_ledger(fixture.space)), 1);
	assert_int_equal(count_in_containers(&fixture, "mapping [0x10000000, 0x10100000)"), 2);
	assert_int_equal(remove_memory(&fixture, id), 0);
	expect_unchanged(&fixture);
	assert_int_equal(add_memory(&fixture, ADDRESS, IDENTITY | READ_ONLY, &id), 0);
	assert_int_equal(space_translate(fixture.space, ADDRESS, &mapping, NULL), 0);
	assert_int_equal(mapping.prot, 1);
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
}

static void test_identity_belongs_to_its_section(void **state)
{
	struct fixture fixture;
	uint32_t id = 0;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, ADDRESS, IDENTITY, &id), 0);
	assert_int_equal(map(&fixture, ADDRESS + MEMORY_SIZE, ADDRESS, PAGE), 0);
	snapshot(&fixture, before);
	assert_int_equal(unmap(&fixture, ADDRESS, MEMORY_SIZE), ERROR_MEMORY_IN_USE);
	expect_text(&fixture, "RemoveMemory(1)");
	assert_int_equal(unmap(&fixture, ADDRESS, MEMORY_SIZE + PAGE), ERROR_MEMORY_IN_USE);
	assert_int_equal(unmap(&fixture, ADDRESS, PAGE), ERROR_NOT_MAPPED);
	assert_int_equal(map(&fixture, ADDRESS, ADDRESS, PAGE), ERROR_ALREADY_MAPPED);
	assert_int_equal(remove_window(&fixture, 0), ERROR_MEMORY_IN_USE);
	/* What the user has mapped is in the way; the section's own isn't. */
	assert_int_equal(remove_memory(&fixture, id), ERROR_MEMORY_IN_USE);
	expect_text(&fixture, "has 1 mappings, the first is at iova [0x10100000, 0x10101000)");
	expect_unchanged(&fixture);
	assert_int_equal(unmap(&fixture, ADDRESS + MEMORY_SIZE, PAGE), 0);
	assert_int_equal(remove_memory(&fixture, id), 0);
	assert_int_equal(remove_window(&fixture, 0), 0);
	fixture_close(&fixture);
}

/* Without a container it waits. */
static void test_identity_waits_for_containers(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(add_memory(&fixture, ADDRESS, IDENTITY, NULL), 0);
	assert_int_equal(add_memory(&fixture, 2 * ADDRESS, 0, NULL), 0);
	assert_false(is_mapped(&fixture, ADDRESS));
	assert_int_equal(attach(&fixture, 1), 0);
	assert_true(is_mapped(&fixture, ADDRESS));
	assert_false(is_mapped(&fixture, 2 * ADDRESS));
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(count_in_containers(&fixture, "mapping [0x10000000, 0x10100000)"), 2);
	assert_int_equal(map(&fixture, 0, 2 * ADDRESS, PAGE), 0);
	assert_int_equal(detach(&fixture, 1), 0);
	assert_int_equal(detach(&fixture, 2), ERROR_MEMORY_IN_USE);
	expect_text(&fixture, "1 mappings");
	assert_int_equal(unmap(&fixture, 0, PAGE), 0);
	assert_int_equal(detach(&fixture, 2), 0);
	assert_false(is_mapped(&fixture, ADDRESS));
	assert_int_equal(fake_host.closed_in_use, 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_true(is_mapped(&fixture, ADDRESS));
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
}

static void test_identity_must_fit(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 4 * ADDRESS, 0, NULL), 0);
	assert_int_equal(map(&fixture, ADDRESS + PAGE, 4 * ADDRESS, PAGE), 0);
	snapshot(&fixture, before);
	fake_host.calls = 0;
	assert_int_equal(add_memory(&fixture, FAKE_DEFAULT_SIZE - PAGE, IDENTITY, NULL),
			 ERROR_OUTSIDE_WINDOW);
	expect_text(&fixture, "[0x0, 0x80000000)");
	assert_int_equal(add_memory(&fixture, ADDRESS, IDENTITY, NULL), ERROR_ALREADY_MAPPED);
	expect_text(&fixture, "[0x10001000, 0x10002000)");
	assert_int_equal(fake_host.calls, 0);
	expect_unchanged(&fixture);
	fixture_close(&fixture);
}

static void test_identity_must_suit_the_pages(void **state)
{
	struct window_request request = {
		.start = WORKER_WINDOW_ANYWHERE, .size = 0x10000000, .page_shift = 16};
	struct fixture fixture;
	struct window window;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(space_window_create(fixture.space, &request, &window, &fixture.error), 0);
	snapshot(&fixture, before);
	assert_int_equal(add_memory(&fixture, window.range.start, IDENTITY, NULL), ERROR_PAGE_SIZE);
	expect_text(&fixture, "has 0x10000");
	expect_unchanged(&fixture);
	fixture_close(&fixture);
}

/* As the kernel may do it by chance: at an address that would suit larger pages. */
static int map_well_aligned(struct kernel *kernel, int fd, uint64_t offset, size_t length, int prot,
			    void **ret_address)
{
	size_t room = length + 0x10000;
	char *start = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *address = start + (-(uintptr_t)start & 0xffff);

	(void)kernel;
	assert_true(mmap(address, length, prot, MAP_SHARED | MAP_FIXED, fd, (off_t)offset) ==
		    address);
	if (address > start) {
		assert_int_equal(munmap(start, (size_t)(address - start)), 0);
	}
	assert_int_equal(munmap(address + length, (size_t)(start + room - address) - length), 0);
	*ret_address = address;
	return 0;
}

/* H20: what counts is the pages, not how the addresses are aligned. */
static void test_h20_alignment_makes_no_large_pages(void **state)
{
	struct window_request request = {
		.start = WORKER_WINDOW_ANYWHERE, .size = 0x10000000, .page_shift = 16};
	struct kernel_operations operations;
	struct fixture fixture;
	struct window window;

	(void)state;
	fixture_open(&fixture);
	operations = *fixture.kernel->operations;
	operations.map = map_well_aligned;
	fixture.kernel->operations = &operations;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(space_window_create(fixture.space, &request, &window, &fixture.error), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_true(is_aligned((uintptr_t)fixture.outcome.section->address, 0x10000));
	fake_host.calls = 0;
	assert_int_equal(map(&fixture, window.range.start, 0, 0x10000), ERROR_PAGE_SIZE);
	assert_int_equal(add_memory(&fixture, window.range.start, IDENTITY, NULL), ERROR_PAGE_SIZE);
	assert_int_equal(fake_host.calls, 0);
	fixture_close(&fixture);
}

/* The first container decides whether it is possible. */
static void test_identity_that_does_not_fit_at_the_first_attach(void **state)
{
	struct fixture fixture;
	uint32_t id = 0;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(add_memory(&fixture, ADDRESS, IDENTITY, NULL), 0);
	assert_int_equal(add_memory(&fixture, FAKE_DEFAULT_SIZE, IDENTITY, &id), 0);
	snapshot(&fixture, before);
	assert_int_equal(attach(&fixture, 1), ERROR_OUTSIDE_WINDOW);
	expect_text(&fixture, "[0x0, 0x80000000)");
	expect_unchanged(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
	assert_int_equal(remove_memory(&fixture, id), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	fixture_close(&fixture);
}

/* Memory that maps lock counts before it is mapped. */
static void test_identity_is_limited(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open_limited(&fixture, MEMORY_SIZE + 0x2000);
	fake_host.pinning = CONTAINER_PINS_MAPPINGS;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, ADDRESS, IDENTITY, NULL), 0);
	snapshot(&fixture, before);
	assert_int_equal(add_memory(&fixture, 2 * ADDRESS, IDENTITY, NULL), ERROR_QUOTA_EXCEEDED);
	expect_unchanged(&fixture);
	assert_int_equal(add_memory(&fixture, 2 * ADDRESS, 0, NULL), 0);
	fixture_close(&fixture);
}

/* Each step fails once */

#define CONTAINERS 3

static int add_identity(struct fixture *fixture)
{
	return add_memory(fixture, ADDRESS, IDENTITY, NULL);
}

static int remove_identity(struct fixture *fixture)
{
	return remove_memory(fixture, 2);
}

static int attach_another(struct fixture *fixture)
{
	return attach(fixture, 9);
}

static void open_full(struct fixture *fixture)
{
	fixture_open(fixture);
	for (uint32_t group = 1; group <= CONTAINERS; group++) {
		assert_int_equal(attach(fixture, group), 0);
	}
	assert_int_equal(add_memory(fixture, 0, 0, NULL), 0);
	assert_int_equal(map(fixture, 0, 0, PAGE), 0);
}

/* Returns how many steps there are. */
static unsigned int fail_each_step(bool with_section, int (*operation)(struct fixture *fixture))
{
	for (unsigned int step = 1;; step++) {
		struct fixture fixture;
		int r;

		open_full(&fixture);
		if (with_section) {
			assert_int_equal(add_identity(&fixture), 0);
		}
		snapshot(&fixture, before);
		fake_host.calls = 0;
		fake_host.failed = 0;
		fake_host.fail = step;
		r = operation(&fixture);
		if (fake_host.failed == 0) {
			assert_int_equal(r, 0);
			fixture_close(&fixture);
			assert_int_equal(fake_host.closed_in_use, 0);
			return step - 1;
		}
		assert_int_equal(r, ERROR_KERNEL);
		expect_unchanged(&fixture);
		/* Nothing stands in the way of another try. */
		fake_host.fail = 0;
		assert_int_equal(operation(&fixture), 0);
		fixture_close(&fixture);
		assert_int_equal(fake_host.closed_in_use, 0);
	}
}

static void test_each_step_is_taken_back(void **state)
{
	(void)state;
	/* Registered, and mapped; and the other way round. */
	assert_int_equal(fail_each_step(false, add_identity), 2 * CONTAINERS);
	assert_int_equal(fail_each_step(true, remove_identity), 2 * CONTAINERS);
	/* Opened, two sections registered, two mappings made. */
	assert_int_equal(fail_each_step(true, attach_another), 5);
}

/* When taking back fails as well, nobody maps the section any more, and it can't be removed. */
static void test_what_cannot_be_taken_back(void **state)
{
	(void)state;
	for (unsigned int step = 2; step <= 2 * CONTAINERS; step++) {
		struct fixture fixture;

		open_full(&fixture);
		fake_host.calls = 0;
		fake_host.fail = step;
		fake_host.fail_on = true;
		assert_int_equal(add_identity(&fixture), ERROR_KERNEL);
		fake_host.fail = 0;
		fake_host.fail_on = false;
		assert_int_not_equal(map(&fixture, 0x10000, ADDRESS, PAGE), 0);
		assert_false(is_mapped(&fixture, ADDRESS));
		assert_int_equal(remove_memory(&fixture, 2), ERROR_MEMORY_IN_USE);
		expect_text(&fixture, "close the address space");
		assert_int_equal(add_identity(&fixture), ERROR_MEMORY_IN_USE);
		assert_int_equal(map(&fixture, 0x10000, PAGE, PAGE), 0);
		fixture_close(&fixture);
	}
}

static void test_removal_that_cannot_be_taken_back(void **state)
{
	(void)state;
	for (unsigned int step = 1; step <= 2 * CONTAINERS; step++) {
		struct fixture fixture;

		open_full(&fixture);
		assert_int_equal(add_identity(&fixture), 0);
		fake_host.calls = 0;
		fake_host.fail = step;
		fake_host.fail_on = true;
		assert_int_equal(remove_identity(&fixture), ERROR_KERNEL);
		fake_host.fail = 0;
		fake_host.fail_on = false;
		assert_int_equal(remove_identity(&fixture), ERROR_MEMORY_IN_USE);
		expect_text(&fixture, "close the address space");
		assert_int_not_equal(map(&fixture, 0x10000, ADDRESS, PAGE), 0);
		fixture_close(&fixture);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bit_63_is_skipped),
		cmocka_unit_test(test_near_the_end_of_addresses),
		cmocka_unit_test(test_last_id),
		cmocka_unit_test(test_h18_mapped_memory_stays),
		cmocka_unit_test(test_h21_the_limit_comes_before_the_kernel),
		cmocka_unit_test(test_random_sections),
		cmocka_unit_test(test_identity_comes_and_goes),
		cmocka_unit_test(test_identity_belongs_to_its_section),
		cmocka_unit_test(test_identity_waits_for_containers),
		cmocka_unit_test(test_identity_must_fit),
		cmocka_unit_test(test_identity_must_suit_the_pages),
		cmocka_unit_test(test_h20_alignment_makes_no_large_pages),
		cmocka_unit_test(test_identity_that_does_not_fit_at_the_first_attach),
		cmocka_unit_test(test_identity_is_limited),
		cmocka_unit_test(test_each_step_is_taken_back),
		cmocka_unit_test(test_what_cannot_be_taken_back),
		cmocka_unit_test(test_removal_that_cannot_be_taken_back),
	};

	return cmocka_run_group_tests_name("space-memory", tests, NULL, NULL);
}
