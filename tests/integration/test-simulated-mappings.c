/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps that take long and are not waited for, and a host that runs out of entries: on the simulated
 * host, which is slow when it is told to be, and whose memory costs nothing.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

#define PAGE        UINT64_C(0x1000)
#define MEMORY_SIZE (UINT64_C(1) << 30) /* the whole default window of an LPAR */
#define QUAD        4U
#define ENTRIES_MAX 65535U /* dma_entry_limit of vfio_iommu_type1 */

static double seconds(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Each MAP takes so long from now on; 0: no longer than usual. */
static void slow_maps(const struct world *world, dbus_uint32_t milliseconds)
{
	const char *operation = "VFIO_IOMMU_MAP_DMA";

	dbus_message_unref(call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, "Delay",
				NULL, DBUS_TYPE_STRING, &operation, DBUS_TYPE_UINT32, &milliseconds,
				DBUS_TYPE_INVALID));
}

static char *space_with_memory(const struct world *world)
{
	char *space = space_create(world->client, "mappings");
	int fd = memory_new(MEMORY_SIZE);

	attach(world->client, space, world->host->edu, NULL);
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)close(fd);
	return space;
}

/* Map 1 GiB: four pieces of a second each. The first is under way when this returns. */
static DBusPendingCall *start_huge_map(const struct world *world, const char *space)
{
	DBusMessage *message =
		dbus_message_new_method_call(BUS_NAME, space, BUS_INTERFACE_SPACE, "Map");
	DBusPendingCall *pending = NULL;
	const dbus_uint64_t zero = 0;
	const dbus_uint64_t size = MEMORY_SIZE;
	const dbus_uint32_t prot = PROT_DEVICE_BOTH;

	slow_maps(world, 1000);
	assert_non_null(message);
	assert_true(dbus_message_append_args(message, DBUS_TYPE_UINT64, &zero, DBUS_TYPE_UINT64,
					     &zero, DBUS_TYPE_UINT64, &size, DBUS_TYPE_UINT32,
					     &prot, DBUS_TYPE_INVALID));
	assert_true(dbus_connection_send_with_reply(world->client, message, &pending, 60000));
	dbus_connection_flush(world->client);
	dbus_message_unref(message);
	(void)usleep(300000);
	return pending;
}

static void expect_error(DBusPendingCall *pending, const char *name)
{
	DBusMessage *reply;

	dbus_pending_call_block(pending);
	reply = dbus_pending_call_steal_reply(pending);
	assert_non_null(reply);
	assert_true(dbus_message_is_error(reply, name));
	dbus_message_unref(reply);
	dbus_pending_call_unref(pending);
}

/* H8: a Close does not wait for a Map that takes long. */
static void test_h8_close_during_a_huge_map(void **state)
{
	const struct world *world = *state;
	DBusPendingCall *pending;
	char *space;
	double start;

	skip_without_tce(world);
	space = space_with_memory(world);
	pending = start_huge_map(world, space);
	start = seconds();
	space_close(world->client, space);
	/* The piece that is under way can't be stopped; three more would follow it. */
	assert_true(seconds() - start < 2.5);
	expect_error(pending, "org.spaprd1.Error.Busy");
	slow_maps(world, 0);
	wait_until_nothing_is_left(world);
}

/* The same when the client goes away: its address space goes with it. */
static void test_h8_owner_leaves_during_a_huge_map(void **state)
{
	const struct world *world = *state;
	struct world other = *world;
	DBusPendingCall *pending;
	char *space;
	double start;

	skip_without_tce(world);
	other.client = client_open();
	space = space_with_memory(&other);
	pending = start_huge_map(&other, space);
	dbus_pending_call_unref(pending);
	free(space);
	start = seconds();
	client_close(other.client);
	slow_maps(world, 0);
	wait_until_nothing_is_left(world);
	assert_true(seconds() - start < 2.5);
}

/* More mappings than a type1 container has entries: adjacent ones share one, while that helps. */
static void test_more_mappings_than_entries(void **state)
{
	const struct world *world = *state;
	const unsigned int count = ENTRIES_MAX + 1000;
	uint64_t(*quads)[QUAD];
	const dbus_uint64_t *numbers;
	char *space;

	skip_with_tce(world);
	quads = calloc(count, sizeof(*quads));
	assert_non_null(quads);
	space = space_with_memory(world);
	for (uint64_t i = 0; i < count; i++) {
		quads[i][0] = i * PAGE;
		quads[i][1] = i * PAGE;
		quads[i][2] = PAGE;
		quads[i][3] = PROT_DEVICE_BOTH;
	}
	numbers = (const dbus_uint64_t *)quads[0];
	dbus_message_unref(call(world->client, space, BUS_INTERFACE_SPACE, "MapMany", NULL,
				DBUS_TYPE_ARRAY, DBUS_TYPE_UINT64, &numbers, (int)(count * QUAD),
				DBUS_TYPE_INVALID));
	assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "Mappings"), count);
	/* The kernel has one entry, which goes as a whole. */
	unmap(world->client, space, 0, PAGE, "Busy");
	unmap(world->client, space, 0, count * PAGE, NULL);
	/* Every other page: none can share. */
	for (uint64_t i = 0; i < count; i++) {
		quads[i][0] = i * 2 * PAGE;
	}
	(void)call(world->client, space, BUS_INTERFACE_SPACE, "MapMany", "QuotaExceeded",
		   DBUS_TYPE_ARRAY, DBUS_TYPE_UINT64, &numbers, (int)(count * QUAD),
		   DBUS_TYPE_INVALID);
	assert_non_null(strstr(last_error_text(), "66535 more mappings (66535 entries"));
	assert_non_null(strstr(last_error_text(), "room for 65535 entries more"));
	assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "Mappings"), 0);
	map(world->client, space, 0, 0, PAGE, PROT_DEVICE_BOTH, NULL);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
	free(quads);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_h8_close_during_a_huge_map),
		cmocka_unit_test(test_h8_owner_leaves_during_a_huge_map),
		cmocka_unit_test(test_more_mappings_than_entries),
	};

	return cmocka_run_group_tests_name("simulated-mappings", tests, world_start, world_stop);
}
