/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kinds of memory, where it may be, and what devices see of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma.h"
#include "world.h"

#define READ_ONLY 1U
#define IDENTITY  2U
#define DEVICE    4U
#define SKIPPED   256U /* in the property Memory */

#define MEMORY_SIZE (UINT64_C(1) << 20)
#define ADDRESS     UINT64_C(0x10000000) /* in the default window of every host */
#define BIT_63      (UINT64_C(1) << 63)
#define DMA_SIZE    256U

struct stage {
	const struct world *world;
	const struct lab_host *host;
	DBusConnection *client;
	char *space;
	int fd;
	unsigned char *memory;
	uint64_t page;
};

/* An address space without anything, and memory. */
static void stage_open(struct stage *stage, const struct world *world)
{
	*stage = (struct stage){.world = world,
				.host = world->host,
				.client = world->client,
				.page = (uint64_t)world->page_size};
	stage->space = space_create(stage->client, "memory");
	stage->fd = memory_new(MEMORY_SIZE);
	stage->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, stage->fd, 0);
	assert_true(stage->memory != MAP_FAILED);
}

static void stage_close(struct stage *stage)
{
	space_close(stage->client, stage->space);
	assert_int_equal(munmap(stage->memory, MEMORY_SIZE), 0);
	(void)close(stage->fd);
	wait_until_nothing_is_left(stage->world);
}

static void stage_attach(struct stage *stage)
{
	attach(stage->client, stage->space, stage->host->edu, NULL);
	dma_prepare(stage->world, stage->host->edu);
}

static uint32_t add(const struct stage *stage, uint64_t gpa, uint64_t size, uint32_t flags,
		    const char *refusal)
{
	return add_memory(stage->client, stage->space, stage->fd, 0, gpa, size, flags, refusal);
}

static uint64_t number_of(const struct stage *stage, const char *property)
{
	return get_number(stage->client, stage->space, BUS_INTERFACE_SPACE, property);
}

static unsigned int count_of(const struct stage *stage, const char *property)
{
	return get_count(stage->client, stage->space, BUS_INTERFACE_SPACE, property);
}

/* The flags of a section in the property Memory. */
static uint32_t flags_of(const struct stage *stage, uint32_t id)
{
	DBusMessage *reply =
		get_property(stage->client, stage->space, BUS_INTERFACE_SPACE, "Memory");
	uint32_t flags = UINT32_MAX;
	DBusMessageIter variant;
	DBusMessageIter array;
	DBusMessageIter entry;

	assert_true(dbus_message_iter_init(reply, &array));
	dbus_message_iter_recurse(&array, &variant);
	dbus_message_iter_recurse(&variant, &array);
	while (dbus_message_iter_get_arg_type(&array) == DBUS_TYPE_STRUCT) {
		dbus_uint32_t number = 0;

		dbus_message_iter_recurse(&array, &entry);
		dbus_message_iter_get_basic(&entry, &number);
		for (int i = 0; i < 4; i++) {
			(void)dbus_message_iter_next(&entry);
		}
		if (number == id) {
			dbus_message_iter_get_basic(&entry, &flags);
		}
		(void)dbus_message_iter_next(&array);
	}
	dbus_message_unref(reply);
	return flags;
}

/* Whether bytes come from one IOVA to another by DMA; both see the memory at these offsets. */
static bool dma_arrives(const struct stage *stage, uint64_t source_iova, uint64_t source_offset,
			uint64_t target_iova, uint64_t target_offset)
{
	static unsigned char turn;
	unsigned char *source = stage->memory + source_offset;
	unsigned char *target = stage->memory + target_offset;

	turn++;
	for (unsigned int i = 0; i < DMA_SIZE; i++) {
		source[i] = (unsigned char)(i * 3 + turn * 17 + 1);
	}
	memset(target, 0, DMA_SIZE);
	dma_copy(stage->world, stage->host->edu, source_iova, target_iova, DMA_SIZE);
	return memcmp(source, target, DMA_SIZE) == 0;
}

/* What Translate says of an address that is mapped. */
static void check_translation(const struct stage *stage, uint64_t iova, uint64_t gpa, uint64_t left,
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

static void check_not_mapped(const struct stage *stage, uint64_t iova)
{
	(void)call(stage->client, stage->space, BUS_INTERFACE_SPACE, "Translate", "NotMapped",
		   DBUS_TYPE_UINT64, &iova, DBUS_TYPE_INVALID);
}

/* The only mapping that ListMappings tells of. */
static void check_only_mapping(const struct stage *stage, uint64_t iova, uint64_t gpa,
			       uint64_t size, uint64_t prot)
{
	uint64_t from = 0;
	dbus_uint32_t most = 10;
	DBusMessage *reply =
		call(stage->client, stage->space, BUS_INTERFACE_SPACE, "ListMappings", NULL,
		     DBUS_TYPE_UINT64, &from, DBUS_TYPE_UINT32, &most, DBUS_TYPE_INVALID);
	dbus_uint64_t *numbers = NULL;
	int count = 0;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_ARRAY, DBUS_TYPE_UINT64, &numbers,
					  &count, DBUS_TYPE_INVALID));
	assert_int_equal(count, 4);
	assert_int_equal(numbers[0], iova);
	assert_int_equal(numbers[1], gpa);
	assert_int_equal(numbers[2], size);
	assert_int_equal(numbers[3], prot);
	dbus_message_unref(reply);
}

/* -- kinds -- */

static void test_read_only_memory(void **state)
{
	struct stage stage;
	uint32_t id;

	stage_open(&stage, *state);
	stage_attach(&stage);
	id = add(&stage, ADDRESS, MEMORY_SIZE, READ_ONLY, NULL);
	assert_int_equal(flags_of(&stage, id), READ_ONLY);
	map(stage.client, stage.space, 0, ADDRESS, 2 * stage.page, PROT_DEVICE_BOTH,
	    "InvalidArgument");
	map(stage.client, stage.space, 0, ADDRESS, 2 * stage.page, PROT_DEVICE_WRITES,
	    "InvalidArgument");
	map(stage.client, stage.space, 0, ADDRESS, 2 * stage.page, PROT_DEVICE_READS, NULL);
	/* Read, but not written. */
	assert_false(dma_arrives(&stage, 0, 0, stage.page, stage.page));
	stage_close(&stage);
}

static void test_unknown_kinds(void **state)
{
	struct stage stage;

	stage_open(&stage, *state);
	(void)add(&stage, ADDRESS, MEMORY_SIZE, 8, "InvalidArgument");
	(void)add(&stage, ADDRESS, MEMORY_SIZE, SKIPPED, "InvalidArgument");
	(void)add(&stage, ADDRESS, MEMORY_SIZE, IDENTITY | DEVICE, "InvalidArgument");
	/* What a memfd has is no device's memory. */
	(void)add(&stage, ADDRESS, MEMORY_SIZE, DEVICE, "InvalidArgument");
	assert_non_null(strstr(last_error_text(), "VFIO device"));
	assert_int_equal(count_of(&stage, "Memory"), 0);
	stage_close(&stage);
}

/* -- addresses -- */

static void test_alignment(void **state)
{
	struct stage stage;
	uint64_t half;

	stage_open(&stage, *state);
	half = stage.page / 2;
	(void)add(&stage, ADDRESS + half, stage.page, 0, "InvalidArgument");
	(void)add(&stage, ADDRESS, stage.page + half, 0, "InvalidArgument");
	(void)add(&stage, ADDRESS, half, 0, "InvalidArgument");
	(void)add_memory(stage.client, stage.space, stage.fd, half, ADDRESS, stage.page, 0,
			 "InvalidArgument");
	(void)add(&stage, ADDRESS, 0, 0, "InvalidArgument");
	assert_int_equal(count_of(&stage, "Memory"), 0);
	(void)add_memory(stage.client, stage.space, stage.fd, stage.page, ADDRESS, stage.page, 0,
			 NULL);
	stage_close(&stage);
}

/* Nothing can be mapped to what lies in the upper half of all addresses, but it is there. */
static void test_upper_half(void **state)
{
	uint64_t end = 0 - MEMORY_SIZE;
	struct stage stage;
	uint32_t first;
	uint32_t last;

	stage_open(&stage, *state);
	stage_attach(&stage);
	first = add(&stage, BIT_63, MEMORY_SIZE, 0, NULL);
	last = add(&stage, end, MEMORY_SIZE, IDENTITY, NULL);
	assert_int_equal(flags_of(&stage, first), SKIPPED);
	assert_int_equal(flags_of(&stage, last), SKIPPED | IDENTITY);
	assert_int_equal(number_of(&stage, "Mappings"), 0);
	check_not_mapped(&stage, end);
	map(stage.client, stage.space, 0, BIT_63, stage.page, PROT_DEVICE_BOTH, "MemoryUnknown");
	assert_non_null(strstr(last_error_text(), "bit 63"));
	map(stage.client, stage.space, 0, 0 - stage.page, stage.page, PROT_DEVICE_BOTH,
	    "MemoryUnknown");
	(void)add(&stage, 0 - stage.page, 2 * stage.page, 0, "InvalidArgument");
	(void)add(&stage, 0 - stage.page, stage.page, 0, "MemoryInUse");
	(void)add(&stage, BIT_63 - stage.page, 2 * stage.page, 0, "MemoryInUse");
	/* Across the border it is as any other. */
	remove_memory(stage.client, stage.space, first, NULL);
	first = add(&stage, BIT_63 - stage.page, 2 * stage.page, 0, NULL);
	assert_int_equal(flags_of(&stage, first), 0);
	map(stage.client, stage.space, 0, BIT_63 - stage.page, 2 * stage.page, PROT_DEVICE_BOTH,
	    NULL);
	assert_true(dma_arrives(&stage, 0, 0, stage.page, stage.page));
	stage_close(&stage);
}

/* The section that the next MemorySkipped names, and why; 0 when none comes in ten seconds. */
static uint32_t wait_for_skipped(DBusConnection *client, char *ret_why, size_t size)
{
	for (int i = 0; i < 1000; i++) {
		DBusMessage *message;

		(void)dbus_connection_read_write(client, 10);
		while ((message = dbus_connection_pop_message(client))) {
			dbus_uint32_t id = 0;
			const char *why = NULL;

			if (dbus_message_is_signal(message, BUS_INTERFACE_SPACE, "MemorySkipped") &&
			    dbus_message_get_args(message, NULL, DBUS_TYPE_UINT32, &id,
						  DBUS_TYPE_STRING, &why, DBUS_TYPE_INVALID)) {
				(void)snprintf(ret_why, size, "%s", why);
			}
			dbus_message_unref(message);
			if (id) {
				return id;
			}
		}
	}
	return 0;
}

static void test_skipped_memory_is_told(void **state)
{
	DBusConnection *watcher = client_open();
	struct stage stage;
	char why[256] = "";
	uint32_t id;

	dbus_bus_add_match(watcher, "type='signal',interface='" BUS_INTERFACE_SPACE "'", NULL);
	stage_open(&stage, *state);
	(void)add(&stage, ADDRESS, MEMORY_SIZE, 0, NULL);
	id = add(&stage, BIT_63, MEMORY_SIZE, 0, NULL);
	assert_int_equal(wait_for_skipped(watcher, why, sizeof(why)), id);
	assert_non_null(strstr(why, "bit 63"));
	client_close(watcher);
	stage_close(&stage);
}

/* -- identity -- */

static void test_identity_memory(void **state)
{
	struct stage stage;
	uint32_t id;

	stage_open(&stage, *state);
	stage_attach(&stage);
	id = add(&stage, ADDRESS, MEMORY_SIZE, IDENTITY, NULL);
	assert_int_equal(flags_of(&stage, id), IDENTITY);
	assert_int_equal(number_of(&stage, "Mappings"), 1);
	assert_int_equal(number_of(&stage, "MappedBytes"), MEMORY_SIZE);
	check_translation(&stage, ADDRESS + 0x10, ADDRESS + 0x10, MEMORY_SIZE - 0x10,
			  PROT_DEVICE_BOTH);
	check_only_mapping(&stage, ADDRESS, ADDRESS, MEMORY_SIZE, PROT_DEVICE_BOTH);
	assert_true(dma_arrives(&stage, ADDRESS, 0, ADDRESS + MEMORY_SIZE - DMA_SIZE,
				MEMORY_SIZE - DMA_SIZE));
	/* Seen elsewhere as well. */
	map(stage.client, stage.space, 0, ADDRESS, stage.page, PROT_DEVICE_BOTH, NULL);
	assert_true(dma_arrives(&stage, 0, 0, ADDRESS + stage.page, stage.page));
	stage_close(&stage);
}

static void test_identity_memory_goes_as_it_came(void **state)
{
	struct stage stage;
	uint32_t id;

	stage_open(&stage, *state);
	stage_attach(&stage);
	id = add(&stage, ADDRESS, MEMORY_SIZE, IDENTITY, NULL);
	unmap(stage.client, stage.space, ADDRESS, MEMORY_SIZE, "MemoryInUse");
	assert_non_null(strstr(last_error_text(), "RemoveMemory"));
	unmap(stage.client, stage.space, ADDRESS, stage.page, "NotMapped");
	map(stage.client, stage.space, ADDRESS, ADDRESS, stage.page, PROT_DEVICE_BOTH,
	    "AlreadyMapped");
	remove_window(stage.client, stage.space, 0, "MemoryInUse");
	/* What a user has mapped must go first. */
	map(stage.client, stage.space, 0, ADDRESS, stage.page, PROT_DEVICE_BOTH, NULL);
	remove_memory(stage.client, stage.space, id, "MemoryInUse");
	assert_true(dma_arrives(&stage, ADDRESS, 0, ADDRESS + stage.page, stage.page));
	unmap(stage.client, stage.space, 0, stage.page, NULL);
	remove_memory(stage.client, stage.space, id, NULL);
	check_not_mapped(&stage, ADDRESS);
	assert_int_equal(number_of(&stage, "Mappings"), 0);
	assert_false(dma_arrives(&stage, ADDRESS, 0, ADDRESS + stage.page, stage.page));
	stage_close(&stage);
}

/* It is there with the first group, and for each one. */
static void test_identity_memory_waits_for_groups(void **state)
{
	struct stage stage;

	stage_open(&stage, *state);
	(void)add(&stage, ADDRESS, MEMORY_SIZE, IDENTITY, NULL);
	check_not_mapped(&stage, ADDRESS);
	attach(stage.client, stage.space, stage.host->nic, NULL);
	check_translation(&stage, ADDRESS, ADDRESS, MEMORY_SIZE, PROT_DEVICE_BOTH);
	stage_attach(&stage);
	assert_true(dma_arrives(&stage, ADDRESS, 0, ADDRESS + stage.page, stage.page));
	detach(stage.client, stage.space, stage.host->nic, NULL);
	assert_true(dma_arrives(&stage, ADDRESS, 0, ADDRESS + stage.page, stage.page));
	detach(stage.client, stage.space, stage.host->edu, NULL);
	check_not_mapped(&stage, ADDRESS);
	assert_int_equal(count_of(&stage, "Memory"), 1);
	stage_attach(&stage);
	assert_true(dma_arrives(&stage, ADDRESS, 0, ADDRESS + stage.page, stage.page));
	stage_close(&stage);
}

static void test_identity_memory_must_fit(void **state)
{
	struct stage stage;
	uint64_t nowhere;
	uint32_t id;

	stage_open(&stage, *state);
	nowhere = stage.host->nowhere;
	stage_attach(&stage);
	(void)add(&stage, nowhere, MEMORY_SIZE, IDENTITY, "OutsideWindow");
	assert_int_equal(count_of(&stage, "Memory"), 0);
	assert_int_equal(number_of(&stage, "Mappings"), 0);
	/* Without a group there is no window that could refuse it; the first group does. */
	detach(stage.client, stage.space, stage.host->edu, NULL);
	id = add(&stage, nowhere, MEMORY_SIZE, IDENTITY, NULL);
	attach(stage.client, stage.space, stage.host->edu, "OutsideWindow");
	assert_int_equal(count_of(&stage, "Containers"), 0);
	remove_memory(stage.client, stage.space, id, NULL);
	stage_attach(&stage);
	stage_close(&stage);
}

static void test_read_only_identity_memory(void **state)
{
	struct stage stage;

	stage_open(&stage, *state);
	stage_attach(&stage);
	(void)add(&stage, ADDRESS, MEMORY_SIZE, IDENTITY | READ_ONLY, NULL);
	check_translation(&stage, ADDRESS, ADDRESS, MEMORY_SIZE, PROT_DEVICE_READS);
	assert_false(dma_arrives(&stage, ADDRESS, 0, ADDRESS + stage.page, stage.page));
	stage_close(&stage);
}

/* -- huge pages -- */

static void test_huge_memory(void **state)
{
	const struct world *world = *state;
	unsigned int shift = world->host->huge_memory_shift ? world->host->huge_memory_shift : 21;
	uint64_t huge = UINT64_C(1) << shift;
	unsigned char *own;
	struct stage stage;
	int fd = memory_new_huge(world, 2 * huge, shift);

	if (fd < 0) {
		skip_because("the machine has no huge pages of 2^%u bytes", shift);
	}
	stage_open(&stage, world);
	stage_attach(&stage);
	(void)add_memory(stage.client, stage.space, fd, 0, stage.page, huge, 0, "InvalidArgument");
	(void)add_memory(stage.client, stage.space, fd, stage.page, 0, huge, 0, "InvalidArgument");
	(void)add_memory(stage.client, stage.space, fd, 0, 0, stage.page, 0, "InvalidArgument");
	(void)add_memory(stage.client, stage.space, fd, 0, ADDRESS, 2 * huge, IDENTITY, NULL);
	own = stage.memory;
	stage.memory = mmap(NULL, 2 * huge, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(stage.memory != MAP_FAILED);
	assert_true(dma_arrives(&stage, ADDRESS + huge, huge, ADDRESS, 0));
	assert_int_equal(munmap(stage.memory, 2 * huge), 0);
	stage.memory = own;
	(void)close(fd);
	stage_close(&stage);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_only_memory),
		cmocka_unit_test(test_unknown_kinds),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_upper_half),
		cmocka_unit_test(test_skipped_memory_is_told),
		cmocka_unit_test(test_identity_memory),
		cmocka_unit_test(test_identity_memory_goes_as_it_came),
		cmocka_unit_test(test_identity_memory_waits_for_groups),
		cmocka_unit_test(test_identity_memory_must_fit),
		cmocka_unit_test(test_read_only_identity_memory),
		cmocka_unit_test(test_huge_memory),
	};

	return cmocka_run_group_tests_name("integration-memory", tests, world_start, world_stop);
}
