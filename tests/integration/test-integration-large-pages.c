/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Windows with each size of IOMMU pages, in each place that a window can have, and DMA through
 * them. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma.h"
#include "world.h"

#define MEMORY_SIZE (UINT64_C(32) << 20)
#define GPA         UINT64_C(0x10000000)
#define DMA_SIZE    256

/* The edu device and memory of one page size. */
struct stage {
	const struct world *world;
	const struct lab_host *host;
	DBusConnection *client;
	char *space;
	int fd;
	unsigned char *memory;
};

static void stage_open(struct stage *stage, const struct world *world, int fd)
{
	*stage = (struct stage){
		.world = world, .host = world->host, .client = world->client, .fd = fd};
	stage->space = space_create(stage->client, "pages");
	attach(stage->client, stage->space, stage->host->edu, NULL);
	stage->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(stage->memory != MAP_FAILED);
	(void)add_memory(stage->client, stage->space, fd, 0, GPA, MEMORY_SIZE, 0, NULL);
	dma_prepare(world, stage->host->edu);
}

static void stage_close(struct stage *stage)
{
	space_close(stage->client, stage->space);
	assert_int_equal(munmap(stage->memory, MEMORY_SIZE), 0);
	(void)close(stage->fd);
	wait_until_nothing_is_left(stage->world);
}

static bool dma_arrives(const struct stage *stage, uint64_t source_iova, uint64_t source_offset,
			uint64_t target_iova, uint64_t target_offset)
{
	static unsigned char turn;
	unsigned char *source = stage->memory + source_offset;
	unsigned char *target = stage->memory + target_offset;

	turn++;
	for (unsigned int i = 0; i < DMA_SIZE; i++) {
		source[i] = (unsigned char)(i * 5 + turn * 11 + 1);
	}
	memset(target, 0, DMA_SIZE);
	dma_copy(stage->world, stage->host->edu, source_iova, target_iova, DMA_SIZE);
	return memcmp(source, target, DMA_SIZE) == 0;
}

/* Two pages of the window, mapped crosswise so that nothing arrives by accident; DMA from one to
 * the other, at the far end of each; and no more after Unmap. */
static void check_pages(const struct stage *stage, uint64_t window, uint32_t page_shift)
{
	uint64_t page = UINT64_C(1) << page_shift;
	uint64_t far = page - DMA_SIZE;

	map(stage->client, stage->space, window, GPA + page, page, PROT_DEVICE_BOTH, NULL);
	map(stage->client, stage->space, window + page, GPA, page, PROT_DEVICE_BOTH, NULL);
	assert_true(dma_arrives(stage, window + far, page + far, window + page + far, far));
	assert_true(dma_arrives(stage, window + page, 0, window, page));
	unmap(stage->client, stage->space, window + page, page, NULL);
	assert_false(dma_arrives(stage, window, page, window + page, 0));
	/* A part of a page of the IOMMU can't be mapped. */
	if (page > (uint64_t)stage->world->page_size) {
		map(stage->client, stage->space, window + page, GPA, page / 2, PROT_DEVICE_BOTH,
		    "PageSize");
	}
	unmap(stage->client, stage->space, window, page, NULL);
}

static void check_locked_bytes(const struct stage *stage)
{
	pid_t worker = worker_pid(stage->world, stage->space);

	assert_int_not_equal(worker, 0);
	assert_int_equal(
		get_number(stage->client, stage->space, BUS_INTERFACE_SPACE, "LockedBytes"),
		locked_bytes_of(stage->world, worker));
}

/* A window with such pages beside the default one, and where the host has more than that to give
 * one in its place. */
static void check_windows(const struct stage *stage, uint32_t page_shift)
{
	/* Not less than a kernel page full of TCEs. */
	struct window wanted = {WINDOW_ANYWHERE, UINT64_C(1) << (page_shift + 19), page_shift, 0};
	struct window window = create_window(stage->client, stage->space, wanted, NULL);

	assert_int_equal(window.start, stage->host->second_window);
	assert_int_equal(window.page_shift, page_shift);
	check_pages(stage, window.start, page_shift);
	check_locked_bytes(stage);
	remove_window(stage->client, stage->space, window.start, NULL);
	if (stage->host->windows_without_default < 2) {
		return;
	}
	remove_window(stage->client, stage->space, 0, NULL);
	window = create_window(stage->client, stage->space, wanted, NULL);
	assert_int_equal(window.start, 0);
	check_pages(stage, 0, page_shift);
	check_locked_bytes(stage);
	remove_window(stage->client, stage->space, 0, NULL);
	/* And the default window, as it was. */
	wanted = (struct window){0, stage->host->default_window, 12, 1};
	(void)create_window(stage->client, stage->space, wanted, NULL);
}

static void test_pages_of_the_host(void **state)
{
	const struct world *world = *state;
	struct stage stage;

	skip_without_tce(world);
	stage_open(&stage, world, memory_new(MEMORY_SIZE));
	check_windows(&stage, 12);
	if (world->page_size >= 0x10000) {
		check_windows(&stage, 16);
	}
	stage_close(&stage);
}

static void test_large_pages(void **state)
{
	const struct world *world = *state;
	struct stage stage;
	int fd;

	skip_without_tce(world);
	fd = memory_new_huge(world, MEMORY_SIZE, world->host->huge_memory_shift);
	if (fd < 0) {
		skip_because("the host has no huge pages of 2^%u bytes",
			     world->host->huge_memory_shift);
	}
	stage_open(&stage, world, fd);
	check_windows(&stage, 12);
	check_windows(&stage, 16);
	check_windows(&stage, world->host->huge_shift);
	stage_close(&stage);
}

/* What is behind the memory decides, and the planner knows: the largest that fits. */
static void test_choice_of_pages(void **state)
{
	const struct world *world = *state;
	struct window open = {WINDOW_ANYWHERE, 0, 0, 0};
	struct window window;
	struct stage stage;
	int fd;

	skip_without_tce(world);
	fd = memory_new_huge(world, MEMORY_SIZE, world->host->huge_memory_shift);
	if (fd < 0) {
		skip_because("the host has no huge pages of 2^%u bytes",
			     world->host->huge_memory_shift);
	}
	stage_open(&stage, world, fd);
	window = create_window(stage.client, stage.space, open, NULL);
	assert_true(window.page_shift <= world->host->huge_memory_shift);
	assert_true(window.page_shift > 12);
	assert_true(window.size >= GPA + MEMORY_SIZE);
	check_pages(&stage, window.start, window.page_shift);
	stage_close(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_of_the_host),
		cmocka_unit_test(test_large_pages),
		cmocka_unit_test(test_choice_of_pages),
	};

	return cmocka_run_group_tests(tests, world_start, world_stop);
}
