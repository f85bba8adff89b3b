/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mappings of an address space, one and many, over containers that only keep books. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "space_fixture.h"

#define PAGE UINT64_C(0x1000)

/* Two containers with all of the default window, 256 pages of memory at 0, as many at 1 MiB. */
static void open_two(struct fixture *fixture)
{
	fixture_open(fixture);
	assert_int_equal(attach(fixture, 1), 0);
	assert_int_equal(attach(fixture, 2), 0);
	assert_int_equal(add_memory(fixture, 0, 0, NULL), 0);
	assert_int_equal(add_memory(fixture, MEMORY_SIZE, 0, NULL), 0);
	fake_host.calls = 0;
}

static struct mapping page_mapping(uint64_t iova_page, uint64_t gpa_page)
{
	return (struct mapping){
		.iova = {iova_page * PAGE, PAGE}, .gpa = gpa_page * PAGE, .prot = 3};
}

static int map_many(struct fixture *fixture, const struct mapping *mappings, size_t count)
{
	fake_host.calls = 0;
	return space_map_many(fixture->space, mappings, count, &fixture->error);
}

static int unmap_many(struct fixture *fixture, const struct range *ranges, size_t count)
{
	fake_host.calls = 0;
	return space_unmap_many(fixture->space, ranges, count, &fixture->error);
}

static uint64_t mapping_count(const struct fixture *fixture)
{
	return ledger_count(space_ledger(fixture->space));
}

static void expect_text(const struct fixture *fixture, const char *part)
{
	if (!strstr(fixture->error.text, part)) {
		print_error("\"%s\" is not in \"%s\"\n", part, fixture->error.text);
	}
	assert_non_null(strstr(fixture->error.text, part));
}

/* A request is refused, says why, asks no container, and changes nothing. */
static void expect_refusal(struct fixture *fixture, const struct mapping *mappings, size_t count,
			   int code, const char *text)
{
	static char before[SNAPSHOT_SIZE];
	static char after[SNAPSHOT_SIZE];

	snapshot(fixture, before);
	assert_int_equal(map_many(fixture, mappings, count), code);
	expect_text(fixture, text);
	assert_int_equal(fake_host.calls, 0);
	snapshot(fixture, after);
	assert_string_equal(after, before);
}

static void expect_unmap_refusal(struct fixture *fixture, const struct range *ranges, size_t count,
				 int code, const char *text)
{
	static char before[SNAPSHOT_SIZE];
	static char after[SNAPSHOT_SIZE];

	snapshot(fixture, before);
	assert_int_equal(unmap_many(fixture, ranges, count), code);
	expect_text(fixture, text);
	assert_int_equal(fake_host.calls, 0);
	snapshot(fixture, after);
	assert_string_equal(after, before);
}

static void test_many_in_any_order(void **state)
{
	/* Pages 8, 9, 10 follow each other in memory as well; 11 doesn't, 20 is alone. */
	const struct mapping mappings[] = {page_mapping(10, 2), page_mapping(20, 5),
					   page_mapping(8, 0), page_mapping(11, 9),
					   page_mapping(9, 1)};
	const struct range ranges[] = {{20 * PAGE, PAGE}, {10 * PAGE, 2 * PAGE}, {8 * PAGE, PAGE}};
	struct fixture fixture;
	struct mapping mapping;

	(void)state;
	open_two(&fixture);
	assert_int_equal(map_many(&fixture, mappings, 5), 0);
	/* Three pieces in each of two containers. */
	assert_int_equal(fake_host.calls, 6);
	assert_int_equal(mapping_count(&fixture), 5);
	assert_int_equal(space_translate(fixture.space, 9 * PAGE + 5, &mapping, NULL), 0);
	assert_int_equal(mapping.iova.start, 9 * PAGE);
	assert_int_equal(mapping.gpa, PAGE);
	assert_int_equal(space_section(fixture.space, 0)->mappings, 5);
	/* They stayed apart: some can go alone. */
	assert_int_equal(unmap_many(&fixture, ranges, 3), 0);
	assert_int_equal(fake_host.calls, 6);
	assert_int_equal(mapping_count(&fixture), 1);
	assert_int_equal(space_section(fixture.space, 0)->mappings, 1);
	assert_int_equal(unmap(&fixture, 9 * PAGE, PAGE), 0);
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
}

/* What is one step for the kernel, and what isn't. */
static void test_pieces(void **state)
{
	struct mapping mappings[4];
	struct fixture fixture;

	(void)state;
	open_two(&fixture);
	for (unsigned int i = 0; i < 4; i++) {
		mappings[i] = page_mapping(i, i);
	}
	mappings[2].prot = 1;
	assert_int_equal(map_many(&fixture, mappings, 4), 0);
	assert_int_equal(fake_host.calls, 2 * 3);
	/* Two sections touch at 1 MiB, but not in this process. */
	mappings[0] = page_mapping(100, 255);
	mappings[1] = page_mapping(101, 256);
	assert_int_equal(map_many(&fixture, mappings, 2), 0);
	assert_int_equal(fake_host.calls, 2 * 2);
	/* Contiguous IOVAs that are not, in memory. */
	mappings[0] = page_mapping(110, 7);
	mappings[1] = page_mapping(111, 6);
	assert_int_equal(map_many(&fixture, mappings, 2), 0);
	assert_int_equal(fake_host.calls, 2 * 2);
	fixture_close(&fixture);
}

/* The error names the entry, by its place in the request. */
static void test_h5_many_outside_a_window(void **state)
{
	struct mapping mappings[] = {page_mapping(2, 0), page_mapping(1, 1), page_mapping(0, 2)};
	struct fixture fixture;

	(void)state;
	open_two(&fixture);
	/* The first page is inside: that is all that the kernel looks at. */
	mappings[1].iova = (struct range){FAKE_DEFAULT_SIZE - PAGE, 2 * PAGE};
	expect_refusal(&fixture, mappings, 3, ERROR_OUTSIDE_WINDOW, "in entry 1 ");
	assert_int_equal(map(&fixture, FAKE_DEFAULT_SIZE - PAGE, 0, 2 * PAGE),
			 ERROR_OUTSIDE_WINDOW);
	assert_int_equal(fake_host.calls, 0);
	fixture_close(&fixture);
}

static void test_h6_many_empty_or_wrapping(void **state)
{
	struct mapping mappings[] = {page_mapping(2, 0), page_mapping(1, 1), page_mapping(0, 2)};
	const struct range empty[] = {{0, PAGE}, {PAGE, 0}};
	const struct range wrapping[] = {{0, PAGE}, {0 - PAGE, 2 * PAGE}};
	struct fixture fixture;

	(void)state;
	open_two(&fixture);
	mappings[2].iova.size = 0;
	expect_refusal(&fixture, mappings, 3, ERROR_INVALID_ARGUMENT, "in entry 2 ");
	mappings[2].iova = (struct range){0 - PAGE, 2 * PAGE};
	expect_refusal(&fixture, mappings, 3, ERROR_INVALID_ARGUMENT, "wraps around");
	mappings[2] = page_mapping(0, 0);
	mappings[2].gpa = 0 - PAGE;
	mappings[2].iova.size = 2 * PAGE;
	expect_refusal(&fixture, mappings, 3, ERROR_INVALID_ARGUMENT, "wraps around");
	assert_int_equal(map(&fixture, 0, 0, 0), ERROR_INVALID_ARGUMENT);
	assert_int_equal(map(&fixture, 0, 0, PAGE), 0);
	expect_unmap_refusal(&fixture, empty, 2, ERROR_INVALID_ARGUMENT, "in entry 1 ");
	expect_unmap_refusal(&fixture, wrapping, 2, ERROR_INVALID_ARGUMENT, "wraps around");
	fixture_close(&fixture);
}

/* The kernel would replace the mapping that is there (H9), or add to it. */
static void test_h9_overlap_is_refused(void **state)
{
	struct mapping mappings[] = {page_mapping(2, 0), page_mapping(1, 1), page_mapping(0, 2)};
	const struct range twice[] = {{0, 2 * PAGE}, {5 * PAGE, PAGE}, {PAGE, PAGE}};
	struct fixture fixture;

	(void)state;
	open_two(&fixture);
	mappings[2].iova.size = 3 * PAGE;
	expect_refusal(
		&fixture, mappings, 3, ERROR_INVALID_ARGUMENT,
		"entries 2 and 1 (counted from 0) overlap: [0x0, 0x3000) and [0x1000, 0x2000)");
	mappings[2] = mappings[0];
	expect_refusal(&fixture, mappings, 3, ERROR_INVALID_ARGUMENT, "overlap");
	assert_int_equal(map(&fixture, PAGE, 0, PAGE), 0);
	mappings[2] = page_mapping(0, 2);
	expect_refusal(&fixture, mappings, 3, ERROR_ALREADY_MAPPED, "in entry 1 ");
	assert_int_equal(map(&fixture, 0, 0, 2 * PAGE), ERROR_ALREADY_MAPPED);
	assert_int_equal(mapping_count(&fixture), 1);
	/* And the same for what goes. */
	assert_int_equal(map(&fixture, 0, 0, PAGE), 0);
	assert_int_equal(map(&fixture, 5 * PAGE, 0, PAGE), 0);
	expect_unmap_refusal(&fixture, twice, 3, ERROR_INVALID_ARGUMENT, "entries 0 and 2");
	fixture_close(&fixture);
}

static void test_many_refuses(void **state)
{
	struct mapping mappings[] = {page_mapping(2, 0), page_mapping(1, 1), page_mapping(0, 2)};
	struct fixture fixture;

	(void)state;
	open_two(&fixture);
	mappings[0].gpa = 2 * MEMORY_SIZE;
	expect_refusal(&fixture, mappings, 3, ERROR_MEMORY_UNKNOWN, "in entry 0 ");
	mappings[0] = page_mapping(2, 0);
	mappings[0].prot = 4;
	expect_refusal(&fixture, mappings, 3, ERROR_INVALID_ARGUMENT, "in entry 0 ");
	mappings[0].prot = UINT32_MAX;
	expect_refusal(&fixture, mappings, 3, ERROR_INVALID_ARGUMENT, "in entry 0 ");
	mappings[0] = page_mapping(2, 0);
	mappings[1].gpa = 0x800;
	expect_refusal(&fixture, mappings, 3, ERROR_PAGE_SIZE, "in entry 1 ");
	fixture_close(&fixture);
}

/* The kernel says 0 to an unmap of what isn't mapped (H14), and cuts what is. */
static void test_h14_holes_and_cuts_are_refused(void **state)
{
	const struct range hole[] = {{0, PAGE}, {2 * PAGE, 3 * PAGE}};
	const struct range cut[] = {{0, PAGE}, {2 * PAGE, PAGE}};
	const struct range nothing[] = {{9 * PAGE, PAGE}};
	struct fixture fixture;

	(void)state;
	open_two(&fixture);
	assert_int_equal(map(&fixture, 0, 0, PAGE), 0);
	assert_int_equal(map(&fixture, 2 * PAGE, 0, 2 * PAGE), 0);
	expect_unmap_refusal(&fixture, hole, 2, ERROR_NOT_MAPPED, "a hole at 0x4000");
	expect_unmap_refusal(&fixture, hole, 2, ERROR_NOT_MAPPED, "in entry 1 ");
	expect_unmap_refusal(&fixture, cut, 2, ERROR_NOT_MAPPED, "cuts the mapping");
	expect_unmap_refusal(&fixture, nothing, 1, ERROR_NOT_MAPPED, "in entry 0 ");
	assert_int_equal(unmap(&fixture, 9 * PAGE, PAGE), ERROR_NOT_MAPPED);
	assert_int_equal(unmap(&fixture, 2 * PAGE, PAGE), ERROR_NOT_MAPPED);
	assert_int_equal(fake_host.calls, 0);
	fixture_close(&fixture);
}

/* -- failing steps -- */

static const struct mapping many[] = {
	{.iova = {0x20000, 0x1000}, .gpa = 0x0, .prot = 3},
	{.iova = {0x10000, 0x1000}, .gpa = 0x0, .prot = 3},
	{.iova = {0x21000, 0x2000}, .gpa = 0x1000, .prot = 3},
	{.iova = {0x11000, 0x1000}, .gpa = 0x9000, .prot = 1},
	{.iova = {0x30000, 0x1000}, .gpa = 0x101000, .prot = 2},
};

#define MANY_COUNT (sizeof(many) / sizeof(many[0]))

/* Every map or unmap fails in turn, be it once or from then on. */
static bool fail_step(unsigned int step, bool unmaps, unsigned int entries_max)
{
	static char before[SNAPSHOT_SIZE];
	static char after[SNAPSHOT_SIZE];
	const struct range ranges[] = {
		{0x30000, 0x1000}, {0x10000, 0x1000}, {0x11000, 0x1000}, {0x20000, 0x3000}};
	struct fixture fixture;
	bool failed;
	int r;

	open_two(&fixture);
	fake_host.entries_max = entries_max;
	assert_int_equal(map(&fixture, 0x12000, 0, PAGE), 0);
	if (unmaps) {
		assert_int_equal(map_many(&fixture, many, MANY_COUNT), 0);
	}
	snapshot(&fixture, before);
	fake_host.calls = 0;
	fake_host.fail = step;
	r = unmaps ? unmap_many(&fixture, ranges, 4) : map_many(&fixture, many, MANY_COUNT);
	failed = fake_host.failed > 0;
	fake_host.fail = 0;
	assert_int_equal(r, failed ? ERROR_KERNEL : 0);
	if (failed) {
		snapshot(&fixture, after);
		assert_string_equal(after, before);
		expect_text(&fixture, "in container 10");
		/* As good as new. */
		r = unmaps ? unmap_many(&fixture, ranges, 4) : map_many(&fixture, many, MANY_COUNT);
		assert_int_equal(r, 0);
	}
	assert_int_equal(mapping_count(&fixture), unmaps ? 1 : 1 + MANY_COUNT);
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
	return failed;
}

/* H10: what a MAP that failed has left isn't known, so the range is made clean, everywhere. */
static void test_h10_many_all_or_none(void **state)
{
	unsigned int step;

	(void)state;
	for (step = 1; fail_step(step, false, 0);) {
		step++;
	}
	/* Four pieces in two containers. */
	assert_int_equal(step - 1, 8);
	for (step = 1; fail_step(step, false, 100);) {
		step++;
	}
	assert_int_equal(step - 1, 2 * MANY_COUNT);
}

/* H16: a device that finds a hole where there was a mapping is frozen. So an Unmap that fails
 * leaves none. */
static void test_h16_failed_unmap_leaves_no_hole(void **state)
{
	unsigned int step;

	(void)state;
	for (step = 1; fail_step(step, true, 0);) {
		step++;
	}
	/* Three ranges in two containers. */
	assert_int_equal(step - 1, 6);
	for (step = 1; fail_step(step, true, 100);) {
		step++;
	}
	assert_int_equal(step - 1, 6);
}

/* When taking back fails as well, the memory can't go, and the text says so. */
static void test_strays(void **state)
{
	struct fixture fixture;

	(void)state;
	open_two(&fixture);
	fake_host.fail = 3;
	fake_host.fail_on = true;
	assert_int_equal(map_many(&fixture, many, MANY_COUNT), ERROR_KERNEL);
	expect_text(&fixture, "could not be restored");
	fake_host.fail = 0;
	assert_int_equal(mapping_count(&fixture), 0);
	assert_true(space_section(fixture.space, 0)->strays > 0);
	assert_true(space_section(fixture.space, 1)->strays > 0);
	assert_int_equal(remove_memory(&fixture, 1), ERROR_MEMORY_IN_USE);
	assert_int_equal(remove_memory(&fixture, 2), ERROR_MEMORY_IN_USE);
	fixture_close(&fixture);
}

/* -- a limited number of entries -- */

static void test_entries_stay_apart(void **state)
{
	struct mapping mappings[8];
	struct fixture fixture;

	(void)state;
	open_two(&fixture);
	fake_host.entries_max = 8;
	for (unsigned int i = 0; i < 8; i++) {
		mappings[i] = page_mapping(i, i);
	}
	/* There is room for each, and so each can go alone. */
	assert_int_equal(map_many(&fixture, mappings, 8), 0);
	assert_int_equal(fake_host.calls, 16);
	assert_int_equal(unmap(&fixture, 3 * PAGE, PAGE), 0);
	/* All that touch go by one call. */
	fake_host.calls = 0;
	assert_int_equal(unmap(&fixture, 4 * PAGE, 4 * PAGE), 0);
	assert_int_equal(fake_host.calls, 2);
	fixture_close(&fixture);
}

static void test_entries_merge_when_they_must(void **state)
{
	const struct range two[] = {{7 * PAGE, PAGE}, {2 * PAGE, 2 * PAGE}};
	const struct range all[] = {{4 * PAGE, 4 * PAGE}, {0, 4 * PAGE}};
	struct mapping mappings[8];
	struct fixture fixture;

	(void)state;
	open_two(&fixture);
	fake_host.entries_max = 7;
	for (unsigned int i = 0; i < 8; i++) {
		mappings[i] = page_mapping(i, i < 4 ? i : i + 1);
	}
	assert_int_equal(map_many(&fixture, mappings, 8), 0);
	assert_int_equal(fake_host.calls, 4);
	assert_int_equal(mapping_count(&fixture), 8);
	/* That has its price. */
	fake_host.calls = 0;
	assert_int_equal(unmap(&fixture, 2 * PAGE, 2 * PAGE), ERROR_BUSY);
	expect_text(&fixture, "[0x0, 0x4000) goes as a whole");
	expect_text(&fixture, "in container 101 (group 1)");
	assert_int_equal(fake_host.calls, 0);
	expect_unmap_refusal(&fixture, two, 2, ERROR_BUSY, "in entry 1 ");
	assert_int_equal(unmap_many(&fixture, all, 2), 0);
	assert_int_equal(mapping_count(&fixture), 0);
	fixture_close(&fixture);
}

static void test_entries_run_out(void **state)
{
	struct mapping mappings[6];
	struct fixture fixture;

	(void)state;
	open_two(&fixture);
	fake_host.entries_max = 3;
	for (unsigned int i = 0; i < 6; i++) {
		mappings[i] = page_mapping(i / 2 * 10 + i % 2, i);
	}
	assert_int_equal(map(&fixture, 100 * PAGE, 0, PAGE), 0);
	/* Three pieces, room for two. */
	expect_refusal(
		&fixture, mappings, 6, ERROR_QUOTA_EXCEEDED,
		"6 more mappings (3 entries when adjacent ones are merged) beside the 1 there "
		"are: container 101 (group 1) has room for 2 entries more");
	assert_int_equal(map_many(&fixture, mappings, 4), 0);
	fake_host.calls = 0;
	assert_int_equal(map(&fixture, 200 * PAGE, 0, PAGE), ERROR_QUOTA_EXCEEDED);
	expect_text(&fixture, "room for 0 entries more");
	assert_int_equal(fake_host.calls, 0);
	fixture_close(&fixture);
}

/* A container that comes gets the mappings by the same rules. */
static void test_entries_in_a_new_container(void **state)
{
	struct mapping mappings[8];
	struct fixture fixture;
	unsigned int before;

	(void)state;
	open_two(&fixture);
	for (unsigned int i = 0; i < 8; i++) {
		mappings[i] = page_mapping(i, i < 4 ? i : i + 1);
	}
	assert_int_equal(map_many(&fixture, mappings, 8), 0);
	fake_host.calls = 0;
	assert_int_equal(attach(&fixture, 3), 0);
	before = fake_host.calls;
	assert_int_equal(detach(&fixture, 3), 0);
	/* Room for each: six calls more than for two pieces. */
	fake_host.entries_max = 8;
	fake_host.calls = 0;
	assert_int_equal(attach(&fixture, 3), 0);
	assert_int_equal(fake_host.calls, before + 6);
	assert_int_equal(detach(&fixture, 3), 0);
	fake_host.entries_max = 7;
	fake_host.calls = 0;
	assert_int_equal(attach(&fixture, 3), 0);
	assert_int_equal(fake_host.calls, before);
	assert_int_equal(detach(&fixture, 3), 0);
	assert_int_equal(map(&fixture, 100 * PAGE, 0, PAGE), 0);
	fake_host.entries_max = 2;
	assert_int_equal(attach(&fixture, 3), ERROR_QUOTA_EXCEEDED);
	expect_text(&fixture, "9 more mappings (3 entries");
	fake_host.entries_max = 0;
	fixture_close(&fixture);
}

/* -- cancelling -- */

struct patience {
	unsigned int asked;
	unsigned int left; /* questions until it says stop */
};

static bool is_over(void *userdata)
{
	struct patience *patience = userdata;

	patience->asked++;
	return patience->left == 0 || --patience->left == 0;
}

/* H8: between the pieces of many there is time to cancel; then none of them is left. */
static void test_h8_many_can_be_cancelled(void **state)
{
	static char before[SNAPSHOT_SIZE];
	static char after[SNAPSHOT_SIZE];
	struct patience patience = {.left = 2};
	struct space_settings settings = {
		.open_container = fake_container_open,
		.locked_limit = UINT64_MAX,
		.interrupted = is_over,
		.interrupted_userdata = &patience,
	};
	struct mapping *mappings = calloc(200, sizeof(*mappings));
	struct fixture fixture;

	(void)state;
	assert_non_null(mappings);
	fixture_open(&fixture);
	settings.kernel = fixture.kernel;
	fixture.space = space_free(fixture.space);
	assert_int_equal(space_new(&settings, &fixture.space), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	/* Alternating in memory: no two are one piece, but the books join them. */
	for (unsigned int i = 0; i < 200; i++) {
		mappings[i] = page_mapping(i, i ^ 1);
	}
	snapshot(&fixture, before);
	assert_int_equal(map_many(&fixture, mappings, 200), ERROR_BUSY);
	expect_text(&fixture, "cancelled after 127 of 200 mappings");
	assert_int_equal(patience.asked, 2);
	snapshot(&fixture, after);
	assert_string_equal(after, before);
	/* A container is told whom to ask. */
	assert_ptr_equal(space_container(fixture.space, 0)->interrupted_userdata, &patience);
	patience.left = UINT32_MAX;
	assert_int_equal(map_many(&fixture, mappings, 200), 0);
	fixture_close(&fixture);
	free(mappings);
}

/* -- limits of locked memory -- */

static void test_many_locked_memory(void **state)
{
	struct mapping mappings[] = {page_mapping(0, 0), page_mapping(2, 1), page_mapping(4, 2)};
	struct fixture fixture;

	(void)state;
	/* Each map pins, in each container; a table has one page. */
	fixture_open_limited(&fixture, 2 * PAGE + 5 * PAGE);
	fake_host.pinning = CONTAINER_PINS_MAPPINGS;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	expect_refusal(&fixture, mappings, 3, ERROR_QUOTA_EXCEEDED, "0x6000 bytes");
	assert_int_equal(map_many(&fixture, mappings, 2), 0);
	fixture_close(&fixture);
}

/* -- at random -- */

#define MODEL_PAGES 48U

static uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* What must come of a request: each entry alone is good, and none meets another. */
static void model_map(struct fixture *fixture, bool mapped[MODEL_PAGES], uint64_t *seed)
{
	struct mapping mappings[12];
	bool wanted[MODEL_PAGES] = {false};
	size_t count = 1 + random_next(seed) % 12;
	bool good = true;
	int r;

	for (size_t i = 0; i < count; i++) {
		uint64_t page = random_next(seed) % MODEL_PAGES;

		mappings[i] = page_mapping(page, random_next(seed) % 4 ? page : page ^ 1);
		good = good && !mapped[page] && !wanted[page];
		wanted[page] = true;
	}
	r = map_many(fixture, mappings, count);
	assert_int_equal(r == 0, good);
	for (unsigned int page = 0; good && page < MODEL_PAGES; page++) {
		mapped[page] = mapped[page] || wanted[page];
	}
}

static void model_unmap(struct fixture *fixture, bool mapped[MODEL_PAGES], uint64_t *seed)
{
	struct range ranges[6];
	bool wanted[MODEL_PAGES] = {false};
	size_t count = 1 + random_next(seed) % 6;
	bool good = true;
	int r;

	for (size_t i = 0; i < count; i++) {
		uint64_t first = random_next(seed) % MODEL_PAGES;
		uint64_t pages = 1 + random_next(seed) % 3;

		pages = first + pages > MODEL_PAGES ? MODEL_PAGES - first : pages;
		ranges[i] = (struct range){first * PAGE, pages * PAGE};
		for (uint64_t page = first; page < first + pages; page++) {
			good = good && mapped[page] && !wanted[page];
			wanted[page] = true;
		}
	}
	r = unmap_many(fixture, ranges, count);
	assert_int_equal(r == 0, good);
	for (unsigned int page = 0; good && page < MODEL_PAGES; page++) {
		mapped[page] = mapped[page] && !wanted[page];
	}
}

static void test_many_against_model(void **state)
{
	uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
	bool mapped[MODEL_PAGES] = {false};
	struct fixture fixture;

	(void)state;
	open_two(&fixture);
	for (unsigned int i = 0; i < 20000; i++) {
		struct mapping mapping;
		uint64_t count = 0;

		if (random_next(&seed) % 2) {
			model_map(&fixture, mapped, &seed);
		} else {
			model_unmap(&fixture, mapped, &seed);
		}
		for (unsigned int page = 0; page < MODEL_PAGES; page++) {
			count += mapped[page] ? 1 : 0;
			assert_int_equal(
				ledger_find(space_ledger(fixture.space), page * PAGE, &mapping),
				mapped[page]);
		}
		assert_int_equal(mapping_count(&fixture), count);
		assert_int_equal(space_section(fixture.space, 0)->mappings, count);
	}
	fixture_close(&fixture);
	assert_int_equal(fake_host.closed_in_use, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_in_any_order),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_many_refuses),
		cmocka_unit_test(test_h5_many_outside_a_window),
		cmocka_unit_test(test_h6_many_empty_or_wrapping),
		cmocka_unit_test(test_h8_many_can_be_cancelled),
		cmocka_unit_test(test_h9_overlap_is_refused),
		cmocka_unit_test(test_h10_many_all_or_none),
		cmocka_unit_test(test_h14_holes_and_cuts_are_refused),
		cmocka_unit_test(test_h16_failed_unmap_leaves_no_hole),
		cmocka_unit_test(test_strays),
		cmocka_unit_test(test_entries_stay_apart),
		cmocka_unit_test(test_entries_merge_when_they_must),
		cmocka_unit_test(test_entries_run_out),
		cmocka_unit_test(test_entries_in_a_new_container),
		cmocka_unit_test(test_many_locked_memory),
		cmocka_unit_test(test_many_against_model),
	};

	return cmocka_run_group_tests_name("space-mapping", tests, NULL, NULL);
}
