/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCE v1: a container with one group and its default window, for who asks for it. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma.h"
#include "world.h"

#define MEMORY_SIZE (UINT64_C(16) << 20)

static const struct attach_options as_v1 = {.iommu_type = "spapr-tce"};

/* An address space with the edu device, memory, and the test's own view of it. */
struct stage {
	const struct world *world;
	const struct lab_host *host;
	DBusConnection *client;
	char *space;
	char *container;
	int fd;
	unsigned char *memory;
};

static void stage_open(struct stage *stage, const struct world *world)
{
	*stage = (struct stage){.world = world, .host = world->host, .client = world->client};
	stage->space = space_create(stage->client, "v1");
	stage->container = attach_with(stage->client, stage->space, stage->host->edu, &as_v1, NULL);
	stage->fd = memory_new(MEMORY_SIZE);
	stage->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, stage->fd, 0);
	assert_true(stage->memory != MAP_FAILED);
	(void)add_memory(stage->client, stage->space, stage->fd, 0, 0, MEMORY_SIZE, 0, NULL);
	dma_prepare(world, stage->host->edu);
}

static void stage_close(struct stage *stage)
{
	free(stage->container);
	space_close(stage->client, stage->space);
	assert_int_equal(munmap(stage->memory, MEMORY_SIZE), 0);
	(void)close(stage->fd);
	wait_until_nothing_is_left(stage->world);
}

/* Copy by DMA within what is mapped from iova on, of which nothing is left from before. */
static bool dma_arrives(struct stage *stage, uint64_t iova, uint64_t gpa)
{
	unsigned char *source = stage->memory + gpa;
	unsigned char *target = source + 0x800;
	const uint32_t size = 256;
	static unsigned char turn;

	memset(source, ++turn, size);
	memset(target, 0, size);
	dma_copy(stage->world, stage->host->edu, iova, iova + 0x800, size);
	return memcmp(source, target, size) == 0;
}

static uint64_t locked(const struct stage *stage)
{
	return get_number(stage->client, stage->space, BUS_INTERFACE_SPACE, "LockedBytes");
}

static void test_container(void **state)
{
	const struct world *world = *state;
	struct stage stage;
	char *type;

	skip_without_tce(world);
	stage_open(&stage, world);
	type = get_text(stage.client, stage.container, BUS_INTERFACE_CONTAINER, "IommuType");
	assert_string_equal(type, "spapr-tce");
	free(type);
	assert_int_equal(
		get_number(stage.client, stage.container, BUS_INTERFACE_CONTAINER, "PageSizes"),
		0x1000);
	assert_int_equal(
		get_number(stage.client, stage.container, BUS_INTERFACE_CONTAINER, "MaxWindows"),
		1);
	assert_int_equal(get_count(stage.client, stage.space, BUS_INTERFACE_SPACE, "Windows"), 1);
	/* Neither are there others, nor can it do without. */
	(void)create_window(stage.client, stage.space, (struct window){WINDOW_ANYWHERE, 0, 0, 0},
			    "Unsupported");
	remove_window(stage.client, stage.space, 0, "Unsupported");
	assert_int_equal(get_count(stage.client, stage.space, BUS_INTERFACE_SPACE, "Windows"), 1);
	stage_close(&stage);
}

/* The first TCE of the window, alone and with others, and the last. */
static void test_mappings(void **state)
{
	const struct world *world = *state;
	struct stage stage;
	uint64_t last;

	skip_without_tce(world);
	stage_open(&stage, world);
	last = stage.host->default_window - 0x1000;
	map(stage.client, stage.space, 0, 0x3000, 0x1000, PROT_DEVICE_BOTH, NULL);
	assert_true(dma_arrives(&stage, 0, 0x3000));
	unmap(stage.client, stage.space, 0, 0x1000, NULL);
	assert_false(dma_arrives(&stage, 0, 0x3000));
	map(stage.client, stage.space, 0, 0, MEMORY_SIZE, PROT_DEVICE_BOTH, NULL);
	assert_true(dma_arrives(&stage, 0, 0));
	assert_true(dma_arrives(&stage, 0x1000, 0x1000));
	assert_true(dma_arrives(&stage, MEMORY_SIZE - 0x1000, MEMORY_SIZE - 0x1000));
	map(stage.client, stage.space, last, 0x5000, 0x1000, PROT_DEVICE_BOTH, NULL);
	assert_true(dma_arrives(&stage, last, 0x5000));
	map(stage.client, stage.space, last, 0, 0x2000, PROT_DEVICE_BOTH, "OutsideWindow");
	map(stage.client, stage.space, 0x2000, 0, 0x1000, PROT_DEVICE_BOTH, "AlreadyMapped");
	unmap(stage.client, stage.space, 0, MEMORY_SIZE, NULL);
	assert_false(dma_arrives(&stage, 0x1000, 0x1000));
	assert_int_equal(get_number(stage.client, stage.space, BUS_INTERFACE_SPACE, "Mappings"), 1);
	stage_close(&stage);
}

/* The whole window is charged at once, and its table by the first map; at an LPAR that is counted
 * twice. What is mapped isn't charged. */
static void test_h41_locked_bytes(void **state)
{
	const struct world *world = *state;
	struct stage stage;
	uint64_t charged;
	pid_t worker;

	skip_without_tce(world);
	stage_open(&stage, world);
	worker = worker_pid(world, stage.space);
	assert_int_equal(locked(&stage), stage.host->default_window);
	assert_int_equal(locked_bytes_of(world, worker), stage.host->default_window);
	map(stage.client, stage.space, 0, 0, MEMORY_SIZE, PROT_DEVICE_BOTH, NULL);
	charged = locked_bytes_of(world, worker);
	assert_true(charged > stage.host->default_window);
	if (strcmp(stage.host->kind, "powernv") == 0) {
		assert_int_equal(locked(&stage), charged);
	} else {
		assert_int_equal(locked(&stage) - stage.host->default_window,
				 2 * (charged - stage.host->default_window));
	}
	stage_close(&stage);
}

/* No group joins another one there. */
static void test_groups_are_apart(void **state)
{
	const struct world *world = *state;
	struct stage stage;
	char *other;

	skip_without_tce(world);
	if (!world->host->edu_2) {
		skip_because("the host has one edu device");
	}
	stage_open(&stage, world);
	other = attach_with(stage.client, stage.space, stage.host->edu_2, &as_v1, NULL);
	assert_string_not_equal(other, stage.container);
	map(stage.client, stage.space, 0, 0, 0x4000, PROT_DEVICE_BOTH, NULL);
	assert_true(dma_arrives(&stage, 0, 0));
	detach(stage.client, stage.space, stage.host->edu_2, NULL);
	assert_true(dma_arrives(&stage, 0x1000, 0x1000));
	free(other);
	stage_close(&stage);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_container),
		cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_h41_locked_bytes),
		cmocka_unit_test(test_groups_are_apart),
	};

	return cmocka_run_group_tests_name("tce-v1", tests, world_start, world_stop);
}
