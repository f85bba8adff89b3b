/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many mappings at once, all or nothing, and the rules that hold for one and for many: by the DMA
 * of a device. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma.h"
#include "world.h"

#define MEMORY_SIZE (UINT64_C(64) << 20)
#define GPA         UINT64_C(0x4000000)
#define PAGE        UINT64_C(0x1000) /* of the default window */
#define MANY        10000U
#define QUAD        4U
#define PAIR        2U

/* An address space with the edu device, 64 MiB of memory, and the test's own view of them. */
struct stage {
	const struct world *world;
	DBusConnection *client;
	char *space;
	int fd;
	unsigned char *memory;
};

static void stage_open(struct stage *stage, const struct world *world)
{
	*stage = (struct stage){.world = world, .client = world->client};
	stage->space = space_create(stage->client, "mappings");
	attach(stage->client, stage->space, world->host->edu, NULL);
	stage->fd = memory_new(MEMORY_SIZE);
	stage->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, stage->fd, 0);
	assert_true(stage->memory != MAP_FAILED);
	(void)add_memory(stage->client, stage->space, stage->fd, 0, GPA, MEMORY_SIZE, 0, NULL);
	dma_prepare(world, world->host->edu);
}

static void stage_close(struct stage *stage)
{
	space_close(stage->client, stage->space);
	assert_int_equal(munmap(stage->memory, MEMORY_SIZE), 0);
	(void)close(stage->fd);
	wait_until_nothing_is_left(stage->world);
}

static void call_many(struct stage *stage, const char *method, const uint64_t *numbers,
		      unsigned int count, const char *refusal)
{
	const dbus_uint64_t *array = (const dbus_uint64_t *)numbers;
	DBusMessage *reply =
		call(stage->client, stage->space, BUS_INTERFACE_SPACE, method, refusal,
		     DBUS_TYPE_ARRAY, DBUS_TYPE_UINT64, &array, (int)count, DBUS_TYPE_INVALID);

	if (reply) {
		dbus_message_unref(reply);
	}
}

static void map_many(struct stage *stage, const uint64_t (*quads)[QUAD], unsigned int count,
		     const char *refusal)
{
	call_many(stage, "MapMany", quads[0], count * QUAD, refusal);
}

static void unmap_many(struct stage *stage, const uint64_t (*pairs)[PAIR], unsigned int count,
		       const char *refusal)
{
	call_many(stage, "UnmapMany", pairs[0], count * PAIR, refusal);
}

static uint64_t mapping_count(const struct stage *stage)
{
	return get_number(stage->client, stage->space, BUS_INTERFACE_SPACE, "Mappings");
}

static void expect_text(const char *part)
{
	if (!strstr(last_error_text(), part)) {
		fail_msg("\"%s\" is not in \"%s\"", part, last_error_text());
	}
}

/* Copy by DMA from one page to another, by their IOVAs and the pages of memory that these should
 * lead to. Whether the bytes arrived. */
static bool dma_arrives(struct stage *stage, uint64_t source_iova, uint64_t source_page,
			uint64_t target_iova, uint64_t target_page)
{
	static unsigned char turn;
	unsigned char *source = stage->memory + source_page * PAGE;
	unsigned char *target = stage->memory + target_page * PAGE;
	const uint32_t size = 128;

	turn++;
	for (uint32_t i = 0; i < size; i++) {
		source[i] = (unsigned char)(i * 7 + turn * 13 + 1);
	}
	memset(target, 0, size);
	dma_copy(stage->world, stage->world->host->edu, source_iova, target_iova, size);
	return memcmp(source, target, size) == 0;
}

/* Page i of memory is mapped at iova_of(i): no two that follow each other in memory do so there. */
static uint64_t iova_of(uint64_t page)
{
	return page * 7919 % MANY * 2 * PAGE;
}

static bool page_arrives(struct stage *stage, uint64_t page)
{
	return dma_arrives(stage, iova_of(page), page, iova_of(MANY - 1), MANY - 1);
}

static void test_10000_pages_in_random_order(void **state)
{
	const struct world *world = *state;
	uint64_t(*quads)[QUAD] = calloc(MANY, sizeof(*quads));
	uint64_t(*pairs)[PAIR] = calloc(MANY, sizeof(*pairs));
	struct stage stage;

	assert_non_null(quads);
	assert_non_null(pairs);
	stage_open(&stage, world);
	for (uint64_t i = 0; i < MANY; i++) {
		quads[i][0] = iova_of(i);
		quads[i][1] = GPA + i * PAGE;
		quads[i][2] = PAGE;
		quads[i][3] = PROT_DEVICE_BOTH;
	}
	map_many(&stage, quads, MANY, NULL);
	assert_int_equal(mapping_count(&stage), MANY);
	for (uint64_t page = 0; page < MANY - 1; page += 1111) {
		assert_true(page_arrives(&stage, page));
	}
	/* The free page behind one. */
	assert_false(dma_arrives(&stage, PAGE, 0, iova_of(MANY - 1), MANY - 1));
	/* All the even ones go. */
	for (uint64_t i = 0; i < MANY / 2; i++) {
		pairs[i][0] = iova_of(2 * i);
		pairs[i][1] = PAGE;
	}
	unmap_many(&stage, pairs, MANY / 2, NULL);
	assert_int_equal(mapping_count(&stage), MANY / 2);
	assert_false(page_arrives(&stage, 1234));
	assert_true(page_arrives(&stage, 1235));
	stage_close(&stage);
	free(quads);
	free(pairs);
}

/* What is contiguous is one step for the kernel, but each mapping can go alone. */
static void test_contiguous_mappings_stay_apart(void **state)
{
	const struct world *world = *state;
	uint64_t(*quads)[QUAD] = calloc(MANY, sizeof(*quads));
	struct stage stage;

	assert_non_null(quads);
	stage_open(&stage, world);
	for (uint64_t i = 0; i < MANY; i++) {
		uint64_t page = i * 7919 % MANY;

		quads[i][0] = page * PAGE;
		quads[i][1] = GPA + page * PAGE;
		quads[i][2] = PAGE;
		quads[i][3] = PROT_DEVICE_BOTH;
	}
	map_many(&stage, quads, MANY, NULL);
	assert_int_equal(mapping_count(&stage), MANY);
	assert_true(dma_arrives(&stage, 5000 * PAGE, 5000, 17 * PAGE, 17));
	unmap(stage.client, stage.space, 5000 * PAGE, PAGE, NULL);
	assert_false(dma_arrives(&stage, 5000 * PAGE, 5000, 17 * PAGE, 17));
	assert_true(dma_arrives(&stage, 4999 * PAGE, 4999, 5001 * PAGE, 5001));
	unmap(stage.client, stage.space, 0, 5000 * PAGE, NULL);
	unmap(stage.client, stage.space, 5001 * PAGE, (MANY - 5001) * PAGE, NULL);
	assert_int_equal(mapping_count(&stage), 0);
	stage_close(&stage);
	free(quads);
}

/* Whatever is wrong with one entry, none is made, and the text says which it is. */
static void test_map_many_is_all_or_nothing(void **state)
{
	static const struct {
		uint64_t bad[QUAD];
		const char *refusal;
	} cases[] = {
		{{0x8000, GPA, PAGE, 0}, "InvalidArgument"},
		{{0x8000, GPA, PAGE, 4}, "InvalidArgument"},
		{{0x8000, GPA, PAGE, (UINT64_C(1) << 32) + 1}, "InvalidArgument"},
		{{0x8000, GPA, 0, 3}, "InvalidArgument"},
		{{0x8000, GPA, 0 - PAGE, 3}, "InvalidArgument"},
		{{0 - PAGE, GPA, 2 * PAGE, 3}, "InvalidArgument"},
		{{0x8800, GPA, PAGE, 3}, "PageSize"},
		{{0x8000, GPA + 0x800, PAGE, 3}, "PageSize"},
		{{0x8000, GPA + MEMORY_SIZE, PAGE, 3}, "MemoryUnknown"},
		{{0x8000, GPA + MEMORY_SIZE - PAGE, 2 * PAGE, 3}, "MemoryUnknown"},
		{{0x10000, GPA, PAGE, 3}, "AlreadyMapped"},
		{{0xf000, GPA, 2 * PAGE, 3}, "AlreadyMapped"},
	};
	const struct world *world = *state;
	uint64_t quads[][QUAD] = {
		{0x0, GPA, PAGE, 3},
		{0x1000, GPA + PAGE, PAGE, 3},
		{0, 0, 0, 0},
		{0x20000, GPA + 2 * PAGE, PAGE, 3},
	};
	const uint64_t overlapping[][QUAD] = {
		{0x2000, GPA, PAGE, 3}, {0x8000, GPA, PAGE, 3}, {0x1000, GPA, 2 * PAGE, 3}};
	struct stage stage;

	stage_open(&stage, world);
	map(stage.client, stage.space, 0x10000, GPA + 9 * PAGE, PAGE, PROT_DEVICE_BOTH, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memcpy(quads[2], cases[i].bad, sizeof(quads[2]));
		map_many(&stage, quads, 4, cases[i].refusal);
		expect_text("in entry 2 ");
		assert_int_equal(mapping_count(&stage), 1);
	}
	quads[2][0] = world->host->nowhere;
	quads[2][1] = GPA;
	quads[2][2] = PAGE;
	map_many(&stage, quads, 4, "OutsideWindow");
	map_many(&stage, overlapping, 3, "InvalidArgument");
	expect_text("entries 2 and 0 ");
	assert_int_equal(mapping_count(&stage), 1);
	assert_false(dma_arrives(&stage, 0, 0, 0x10000, 9));
	assert_false(dma_arrives(&stage, 0x10000, 9, 0x20000, 2));
	quads[2][0] = 0x8000;
	map_many(&stage, quads, 4, NULL);
	assert_int_equal(mapping_count(&stage), 5);
	assert_true(dma_arrives(&stage, 0x1000, 1, 0x20000, 2));
	stage_close(&stage);
}

static void test_unmap_many_is_all_or_nothing(void **state)
{
	static const struct {
		uint64_t bad[PAIR];
		const char *refusal;
	} cases[] = {
		{{0x4000, PAGE}, "NotMapped"},             /* nothing there */
		{{0x2000, 3 * PAGE}, "NotMapped"},         /* a hole at its end */
		{{0x2000, PAGE}, "NotMapped"},             /* half a mapping */
		{{0x3000, PAGE}, "NotMapped"},             /* the other half */
		{{0x2000, 0}, "InvalidArgument"},          /* nothing */
		{{0x2000, 0 - PAGE}, "InvalidArgument"},   /* wraps */
		{{0x1000, 3 * PAGE}, "InvalidArgument"},   /* overlaps the first */
		{{UINT64_MAX, 1}, "NotMapped"},            /* the last byte of all */
		{{0x2000, UINT64_MAX}, "InvalidArgument"}, /* wraps by much */
	};
	const struct world *world = *state;
	const uint64_t quads[][QUAD] = {
		{0x0, GPA, PAGE, 3},
		{0x1000, GPA + PAGE, PAGE, 3},
		{0x2000, GPA + 2 * PAGE, 2 * PAGE, 3},
		{0x8000, GPA + 8 * PAGE, PAGE, 3},
	};
	uint64_t pairs[][PAIR] = {{0x0, 2 * PAGE}, {0, 0}, {0x8000, PAGE}};
	struct stage stage;

	stage_open(&stage, world);
	map_many(&stage, quads, 4, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memcpy(pairs[1], cases[i].bad, sizeof(pairs[1]));
		unmap_many(&stage, pairs, 3, cases[i].refusal);
		assert_int_equal(mapping_count(&stage), 4);
	}
	assert_true(dma_arrives(&stage, 0, 0, 0x8000, 8));
	assert_true(dma_arrives(&stage, 0x1000, 1, 0x3000, 3));
	pairs[1][0] = 0x2000;
	pairs[1][1] = 2 * PAGE;
	unmap_many(&stage, pairs, 3, NULL);
	assert_int_equal(mapping_count(&stage), 0);
	assert_false(dma_arrives(&stage, 0, 0, 0x8000, 8));
	stage_close(&stage);
}

static void test_numbers_that_are_no_entries(void **state)
{
	const struct world *world = *state;
	const uint64_t numbers[] = {0, GPA, PAGE, 3, 1};
	struct stage stage;

	stage_open(&stage, world);
	for (unsigned int count = 0; count < 6; count++) {
		if (count != QUAD) {
			call_many(&stage, "MapMany", numbers, count, "InvalidArgument");
		}
	}
	call_many(&stage, "UnmapMany", numbers, 0, "InvalidArgument");
	call_many(&stage, "UnmapMany", numbers, 1, "InvalidArgument");
	call_many(&stage, "UnmapMany", numbers, 3, "InvalidArgument");
	assert_int_equal(mapping_count(&stage), 0);
	stage_close(&stage);
}

/* All of them, page by page, in order. */
static void test_lists_of_many(void **state)
{
	const struct world *world = *state;
	uint64_t(*quads)[QUAD] = calloc(MANY, sizeof(*quads));
	dbus_uint32_t most = UINT32_MAX;
	dbus_uint64_t from = 0;
	struct stage stage;
	uint64_t seen = 0;
	int count = -1;

	assert_non_null(quads);
	stage_open(&stage, world);
	for (uint64_t i = 0; i < MANY; i++) {
		quads[i][0] = iova_of(i);
		quads[i][1] = GPA + i * PAGE;
		quads[i][2] = PAGE;
		quads[i][3] = 1 + i % 3;
	}
	map_many(&stage, quads, MANY, NULL);
	while (count != 0) {
		const dbus_uint64_t *list = NULL;
		DBusMessage *reply =
			call(stage.client, stage.space, BUS_INTERFACE_SPACE, "ListMappings", NULL,
			     DBUS_TYPE_UINT64, &from, DBUS_TYPE_UINT32, &most, DBUS_TYPE_INVALID);

		assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_ARRAY, DBUS_TYPE_UINT64,
						  &list, &count, DBUS_TYPE_INVALID));
		for (int i = 0; i < count; i += (int)QUAD) {
			uint64_t page = (list[i + 1] - GPA) / PAGE;

			assert_int_equal(list[i], seen * 2 * PAGE);
			assert_int_equal(list[i], iova_of(page));
			assert_int_equal(list[i + 3], 1 + page % 3);
			from = list[i] + list[i + 2];
			seen++;
		}
		dbus_message_unref(reply);
	}
	assert_int_equal(seen, MANY);
	stage_close(&stage);
	free(quads);
}

/* A second container gets the same, and takes part in each step. */
static void test_many_in_two_containers(void **state)
{
	static const struct attach_options options = {.own_container = true};
	const struct world *world = *state;
	const uint64_t quads[][QUAD] = {
		{0x0, GPA, PAGE, 3}, {0x9000, GPA + PAGE, PAGE, 3}, {0x1000, GPA + PAGE, PAGE, 3}};
	const uint64_t pairs[][PAIR] = {{0x9000, PAGE}, {0x0, 2 * PAGE}};
	struct stage stage;

	stage_open(&stage, world);
	free(attach_with(stage.client, stage.space, world->host->nic, &options, NULL));
	assert_int_equal(get_count(stage.client, stage.space, BUS_INTERFACE_SPACE, "Containers"),
			 2);
	map_many(&stage, quads, 3, NULL);
	assert_true(dma_arrives(&stage, 0, 0, 0x9000, 1));
	detach(stage.client, stage.space, world->host->nic, NULL);
	assert_true(dma_arrives(&stage, 0x1000, 1, 0, 0));
	unmap_many(&stage, pairs, 2, NULL);
	assert_int_equal(mapping_count(&stage), 0);
	assert_false(dma_arrives(&stage, 0x1000, 1, 0, 0));
	stage_close(&stage);
}

/* A type1 container has so many entries and not one more; the same page of memory everywhere, so
 * that no two mappings can share one. */
static void test_all_entries_of_the_host(void **state)
{
	const struct world *world = *state;
	const unsigned int all = 65535; /* dma_entry_limit of vfio_iommu_type1 */
	uint64_t(*quads)[QUAD];
	struct stage stage;

	skip_with_tce(world);
	quads = calloc(all, sizeof(*quads));
	assert_non_null(quads);
	stage_open(&stage, world);
	for (uint64_t i = 0; i < all; i++) {
		quads[i][0] = i * PAGE;
		quads[i][1] = GPA;
		quads[i][2] = PAGE;
		quads[i][3] = PROT_DEVICE_BOTH;
	}
	map_many(&stage, quads, all, NULL);
	assert_int_equal(mapping_count(&stage), all);
	map(stage.client, stage.space, all * PAGE, GPA, PAGE, PROT_DEVICE_BOTH, "QuotaExceeded");
	unmap(stage.client, stage.space, 0, PAGE, NULL);
	map(stage.client, stage.space, all * PAGE, GPA + PAGE, PAGE, PROT_DEVICE_BOTH, NULL);
	assert_true(dma_arrives(&stage, (all - 1) * PAGE, 0, all * PAGE, 1));
	stage_close(&stage);
	free(quads);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_10000_pages_in_random_order),
		cmocka_unit_test(test_contiguous_mappings_stay_apart),
		cmocka_unit_test(test_map_many_is_all_or_nothing),
		cmocka_unit_test(test_unmap_many_is_all_or_nothing),
		cmocka_unit_test(test_numbers_that_are_no_entries),
		cmocka_unit_test(test_lists_of_many),
		cmocka_unit_test(test_many_in_two_containers),
		cmocka_unit_test(test_all_entries_of_the_host),
	};

	return cmocka_run_group_tests_name("mappings", tests, world_start, world_stop);
}
