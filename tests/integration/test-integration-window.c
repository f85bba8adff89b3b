/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The main job: a window, a mapping, and the DMA of a device through it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma.h"
#include "world.h"

#define MEMORY_SIZE (UINT64_C(16) << 20)
#define GPA         UINT64_C(0x100000)

/* An address space with the edu device, 16 MiB of memory, and the test's own view of them. */
struct stage {
	const struct world *world;
	const struct lab_host *host;
	DBusConnection *client;
	char *space;
	int fd;
	unsigned char *memory;
	uint32_t memory_id;
};

static void stage_open(struct stage *stage, const struct world *world)
{
	*stage = (struct stage){.world = world, .host = world->host, .client = world->client};
	stage->space = space_create(stage->client, "window");
	attach(stage->client, stage->space, stage->host->edu, NULL);
	stage->fd = memory_new(MEMORY_SIZE);
	stage->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, stage->fd, 0);
	assert_true(stage->memory != MAP_FAILED);
	stage->memory_id =
		add_memory(stage->client, stage->space, stage->fd, 0, GPA, MEMORY_SIZE, 0, NULL);
	dma_prepare(world, stage->host->edu);
}

static void stage_close(struct stage *stage)
{
	space_close(stage->client, stage->space);
	assert_int_equal(munmap(stage->memory, MEMORY_SIZE), 0);
	(void)close(stage->fd);
	wait_until_nothing_is_left(stage->world);
}

/* Bytes that no earlier transfer has left in the device's buffer. */
static void fill_fresh(unsigned char *bytes, size_t size)
{
	static size_t turn;

	turn++;
	for (size_t i = 0; i < size; i++) {
		bytes[i] = (unsigned char)(i * 7 + turn * 13 + 1);
	}
}

/*
 * Copy by DMA from one IOVA to another; both are mapped to the memory at these offsets. Tells
 * whether the bytes arrived.
 */
static bool dma_arrives(struct stage *stage, uint64_t source_iova, uint64_t source_offset,
			uint64_t target_iova, uint64_t target_offset)
{
	unsigned char *source = stage->memory + source_offset;
	unsigned char *target = stage->memory + target_offset;
	const uint32_t size = 256;

	fill_fresh(source, size);
	memset(target, 0, size);
	dma_copy(stage->world, stage->host->edu, source_iova, target_iova, size);
	return memcmp(source, target, size) == 0;
}

static void check_translation(struct stage *stage, uint64_t iova, uint64_t gpa, uint64_t left,
			      uint32_t prot)
{
	DBusMessage *reply = call(stage->client, stage->space, BUS_INTERFACE_SPACE, "Translate",
				  NULL, DBUS_TYPE_UINT64, &iova, DBUS_TYPE_INVALID);
	dbus_uint64_t got_gpa = 0;
	dbus_uint64_t got_left = 0;
	dbus_uint32_t got_prot = 0;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT64, &got_gpa, DBUS_TYPE_UINT64,
					  &got_left, DBUS_TYPE_UINT32, &got_prot,
					  DBUS_TYPE_INVALID));
	assert_int_equal(got_gpa, gpa);
	assert_int_equal(got_left, left);
	assert_int_equal(got_prot, prot);
	dbus_message_unref(reply);
}

static void check_locked_bytes(const struct stage *stage)
{
	pid_t worker = worker_pid(stage->world, stage->space);
	uint64_t said = get_number(stage->client, stage->space, BUS_INTERFACE_SPACE, "LockedBytes");

	assert_int_not_equal(worker, 0);
	assert_int_equal(said, locked_bytes_of(stage->world, worker));
}

static uint64_t count_of(const struct stage *stage, const char *property)
{
	return get_number(stage->client, stage->space, BUS_INTERFACE_SPACE, property);
}

static void test_default_window(void **state)
{
	const struct world *world = *state;
	struct stage stage;
	uint64_t end;

	stage_open(&stage, world);
	end = stage.host->default_window;
	assert_int_equal(get_count(stage.client, stage.space, BUS_INTERFACE_SPACE, "Windows"),
			 stage.host->default_windows);
	map(stage.client, stage.space, 0, GPA, 0x4000, PROT_DEVICE_BOTH, NULL);
	assert_true(dma_arrives(&stage, 0, 0, 0x2000, 0x2000));
	/* The last pages of the window as well. */
	map(stage.client, stage.space, end - 0x2000, GPA + 0x8000, 0x2000, PROT_DEVICE_BOTH, NULL);
	assert_true(dma_arrives(&stage, end - 0x2000, 0x8000, end - 0x1000, 0x9000));
	assert_int_equal(count_of(&stage, "Mappings"), 2);
	assert_int_equal(count_of(&stage, "MappedBytes"), 0x6000);
	check_translation(&stage, 0x1010, GPA + 0x1010, 0x2ff0, PROT_DEVICE_BOTH);
	check_locked_bytes(&stage);
	unmap(stage.client, stage.space, 0, 0x4000, NULL);
	assert_false(dma_arrives(&stage, 0, 0, 0x2000, 0x2000));
	assert_int_equal(count_of(&stage, "Mappings"), 1);
	stage_close(&stage);
}

static void test_second_window(void **state)
{
	const struct world *world = *state;
	struct stage stage;
	struct window window;

	stage_open(&stage, world);
	make_room(stage.client, stage.host, stage.space);
	window = create_window(stage.client, stage.space, (struct window){WINDOW_ANYWHERE, 0, 0, 0},
			       NULL);
	assert_int_equal(window.start, stage.host->second_window);
	assert_true(window.size >= GPA + MEMORY_SIZE);
	assert_true(window.page_shift >= 12);
	assert_int_equal(get_count(stage.client, stage.space, BUS_INTERFACE_SPACE, "Windows"), 2);
	check_locked_bytes(&stage);
	/* The whole memory, and bytes at both ends of it. */
	map(stage.client, stage.space, window.start, GPA, MEMORY_SIZE, PROT_DEVICE_BOTH, NULL);
	assert_true(dma_arrives(&stage, window.start, 0, window.start + MEMORY_SIZE - 0x1000,
				MEMORY_SIZE - 0x1000));
	/* The other window knows nothing of it. */
	assert_false(dma_arrives(&stage, 0, 0, window.start + 0x1000, 0x1000));
	/* Behind the mapping, but in the window; and behind the window. */
	assert_false(dma_arrives(&stage, window.start, 0, window.start + MEMORY_SIZE, 0x1000));
	assert_false(dma_arrives(&stage, window.start, 0, window.start + window.size, 0x1000));
	unmap(stage.client, stage.space, window.start, MEMORY_SIZE, NULL);
	assert_false(dma_arrives(&stage, window.start, 0, window.start + 0x1000, 0x1000));
	remove_window(stage.client, stage.space, window.start, NULL);
	check_locked_bytes(&stage);
	stage_close(&stage);
}

static void test_window_instead_of_the_default_one(void **state)
{
	const struct world *world = *state;
	struct stage stage;
	struct window window;

	stage_open(&stage, world);
	remove_window(stage.client, stage.space, 0, NULL);
	assert_int_equal(get_count(stage.client, stage.space, BUS_INTERFACE_SPACE, "Windows"),
			 stage.host->default_windows - 1);
	map(stage.client, stage.space, 0, GPA, 0x1000, PROT_DEVICE_BOTH, "OutsideWindow");
	window = create_window(stage.client, stage.space,
			       (struct window){0, UINT64_C(1) << 30, 12, 1}, NULL);
	assert_int_equal(window.start, 0);
	assert_int_equal(window.size, UINT64_C(1) << 30);
	assert_int_equal(window.page_shift, 12);
	assert_int_equal(window.levels, 1);
	map(stage.client, stage.space, 0, GPA, 0x2000, PROT_DEVICE_BOTH, NULL);
	assert_true(dma_arrives(&stage, 0, 0, 0x1000, 0x1000));
	check_locked_bytes(&stage);
	stage_close(&stage);
}

static void test_windows_come_and_go_beside_another(void **state)
{
	const struct world *world = *state;
	struct stage stage;

	stage_open(&stage, world);
	map(stage.client, stage.space, 0, GPA, 0x2000, PROT_DEVICE_BOTH, NULL);
	make_room(stage.client, stage.host, stage.space);
	for (int i = 0; i < 3; i++) {
		struct window other = create_window(
			stage.client, stage.space, (struct window){WINDOW_ANYWHERE, 0, 0, 0}, NULL);

		assert_int_equal(other.start, stage.host->second_window);
		remove_window(stage.client, stage.space, other.start, NULL);
	}
	check_locked_bytes(&stage);
	assert_true(dma_arrives(&stage, 0, 0, 0x1000, 0x1000));
	stage_close(&stage);
}

static void test_levels_of_a_large_window(void **state)
{
	const struct world *world = *state;
	struct stage stage;
	struct window window;

	if (world->host->max_levels == 1) {
		skip_because("the host's tables have one level only");
	}
	stage_open(&stage, world);
	/* 256 MiB of TCEs at once is more than the kernel allocates in one piece. */
	window = create_window(stage.client, stage.space,
			       (struct window){WINDOW_ANYWHERE, UINT64_C(1) << 37, 12, 0}, NULL);
	assert_int_equal(window.size, UINT64_C(1) << 37);
	assert_true(window.levels > 1);
	check_locked_bytes(&stage);
	map(stage.client, stage.space, window.start + window.size - 0x2000, GPA, 0x2000,
	    PROT_DEVICE_BOTH, NULL);
	assert_true(dma_arrives(&stage, window.start + window.size - 0x2000, 0,
				window.start + window.size - 0x1000, 0x1000));
	stage_close(&stage);
}

static void test_protection(void **state)
{
	const struct world *world = *state;
	struct stage stage;

	stage_open(&stage, world);
	map(stage.client, stage.space, 0, GPA, 0x1000, PROT_DEVICE_READS, NULL);
	map(stage.client, stage.space, 0x1000, GPA + 0x1000, 0x1000, PROT_DEVICE_WRITES, NULL);
	assert_true(dma_arrives(&stage, 0, 0, 0x1000, 0x1000));
	/* A page that may only be read is not written. */
	assert_false(dma_arrives(&stage, 0, 0, 0x800, 0x800));
	stage_close(&stage);
}

static void test_list_mappings(void **state)
{
	const struct world *world = *state;
	struct stage stage;
	const dbus_uint64_t *quads = NULL;
	int count = 0;
	dbus_uint64_t from = 0x10000;
	dbus_uint32_t most = 2;
	DBusMessage *reply;

	stage_open(&stage, world);
	for (uint64_t i = 0; i < 4; i++) {
		map(stage.client, stage.space, i * 0x10000, GPA + i * 0x2000, 0x1000,
		    PROT_DEVICE_BOTH, NULL);
	}
	reply = call(stage.client, stage.space, BUS_INTERFACE_SPACE, "ListMappings", NULL,
		     DBUS_TYPE_UINT64, &from, DBUS_TYPE_UINT32, &most, DBUS_TYPE_INVALID);
	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_ARRAY, DBUS_TYPE_UINT64, &quads,
					  &count, DBUS_TYPE_INVALID));
	assert_int_equal(count, 8);
	assert_int_equal(quads[0], 0x10000);
	assert_int_equal(quads[1], GPA + 0x2000);
	assert_int_equal(quads[2], 0x1000);
	assert_int_equal(quads[3], PROT_DEVICE_BOTH);
	assert_int_equal(quads[4], 0x20000);
	dbus_message_unref(reply);
	/* Mappings that touch go in one step, a hole between them is refused. */
	map(stage.client, stage.space, 0x1000, GPA + 0x8000, 0x1000, PROT_DEVICE_BOTH, NULL);
	unmap(stage.client, stage.space, 0, 0x11000, "NotMapped");
	unmap(stage.client, stage.space, 0, 0x2000, NULL);
	assert_int_equal(count_of(&stage, "Mappings"), 3);
	stage_close(&stage);
}

/* A group that comes later gets what is there: memory, windows, mappings. */
static void test_two_groups(void **state)
{
	const struct world *world = *state;
	struct stage stage;

	stage_open(&stage, world);
	map(stage.client, stage.space, 0, GPA, 0x4000, PROT_DEVICE_BOTH, NULL);
	attach(stage.client, stage.space, stage.host->nic, NULL);
	/* Without EEH groups share a container. */
	assert_int_equal(get_count(stage.client, stage.space, BUS_INTERFACE_SPACE, "Containers"),
			 stage.host->has_tce ? 2 : 1);
	check_locked_bytes(&stage);
	assert_true(dma_arrives(&stage, 0, 0, 0x2000, 0x2000));
	/* And the first keeps it when the second leaves. */
	detach(stage.client, stage.space, stage.host->nic, NULL);
	assert_true(dma_arrives(&stage, 0, 0, 0x2000, 0x2000));
	check_locked_bytes(&stage);
	stage_close(&stage);
}

static void test_dma_of_a_second_group(void **state)
{
	const struct world *world = *state;
	struct stage stage;

	if (!world->host->edu_2) {
		skip_because("the host has no second device that can do DMA on command");
	}
	stage_open(&stage, world);
	map(stage.client, stage.space, 0, GPA, 0x4000, PROT_DEVICE_BOTH, NULL);
	attach(stage.client, stage.space, stage.host->edu_2, NULL);
	dma_prepare(stage.world, stage.host->edu_2);
	memset(stage.memory, 0x5a, 256);
	memset(stage.memory + 0x2000, 0, 256);
	dma_copy(stage.world, stage.host->edu_2, 0, 0x2000, 256);
	assert_memory_equal(stage.memory, stage.memory + 0x2000, 256);
	detach(stage.client, stage.space, stage.host->edu_2, NULL);
	assert_true(dma_arrives(&stage, 0, 0, 0x2000, 0x2000));
	stage_close(&stage);
}

static void test_memory_comes_and_goes(void **state)
{
	const struct world *world = *state;
	uint64_t page = (uint64_t)world->page_size;
	struct stage stage;
	int other;
	uint32_t id;

	stage_open(&stage, world);
	other = memory_new(4 * page);
	id = add_memory(stage.client, stage.space, other, page, GPA + MEMORY_SIZE, 3 * page, 0,
			NULL);
	assert_int_not_equal(id, stage.memory_id);
	assert_int_equal(get_count(stage.client, stage.space, BUS_INTERFACE_SPACE, "Memory"), 2);
	check_locked_bytes(&stage);
	map(stage.client, stage.space, 0, GPA + MEMORY_SIZE, 0x1000, PROT_DEVICE_BOTH, NULL);
	remove_memory(stage.client, stage.space, id, "MemoryInUse");
	unmap(stage.client, stage.space, 0, 0x1000, NULL);
	remove_memory(stage.client, stage.space, id, NULL);
	remove_memory(stage.client, stage.space, id, "NotFound");
	map(stage.client, stage.space, 0, GPA + MEMORY_SIZE, 0x1000, PROT_DEVICE_BOTH,
	    "MemoryUnknown");
	check_locked_bytes(&stage);
	stage_close(&stage);
	(void)close(other);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_window),
		cmocka_unit_test(test_second_window),
		cmocka_unit_test(test_window_instead_of_the_default_one),
		cmocka_unit_test(test_windows_come_and_go_beside_another),
		cmocka_unit_test(test_levels_of_a_large_window),
		cmocka_unit_test(test_protection),
		cmocka_unit_test(test_list_mappings),
		cmocka_unit_test(test_two_groups),
		cmocka_unit_test(test_dma_of_a_second_group),
		cmocka_unit_test(test_memory_comes_and_goes),
	};

	return cmocka_run_group_tests_name("window", tests, world_start, world_stop);
}
