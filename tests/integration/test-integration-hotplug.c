/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that are pulled out and put back while they, and others, are in use. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma.h"
#include "open_device.h"
#include "plug.h"
#include "world.h"

#define MEMORY_SIZE UINT64_C(0x400000)
#define DMA_SIZE    256U
#define SHORT_TIME  "[access]\nrelease-timeout = 1s\n"

/* An address space with memory and, once a group is there, mappings. */
struct stage {
	const struct world *world;
	char *space;
	int fd;
	unsigned char *memory;
	unsigned char last; /* that was written, so that each transfer is another one */
};

static void stage_open(struct stage *stage, const struct world *world, const char *name)
{
	*stage = (struct stage){.world = world};
	stage->space = space_create(world->client, name);
	stage->fd = memory_new(MEMORY_SIZE);
	stage->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, stage->fd, 0);
	assert_true(stage->memory != MAP_FAILED);
	(void)add_memory(world->client, stage->space, stage->fd, 0, 0, MEMORY_SIZE, 0, NULL);
}

static void stage_close(struct stage *stage)
{
	space_close(stage->world->client, stage->space);
	(void)munmap(stage->memory, MEMORY_SIZE);
	(void)close(stage->fd);
}

static void stage_map(const struct stage *stage)
{
	map(stage->world->client, stage->space, 0, 0, 0x10000, PROT_DEVICE_BOTH, NULL);
}

static uint64_t count_of(const struct stage *stage, const char *property)
{
	return get_number(stage->world->client, stage->space, BUS_INTERFACE_SPACE, property);
}

/* The edu device does DMA through the space's mapping. */
static void expect_dma(struct stage *stage)
{
	memset(stage->memory, ++stage->last, DMA_SIZE);
	memset(stage->memory + 0x4000, 0, DMA_SIZE);
	dma_copy(stage->world, stage->world->host->edu, 0, 0x4000, DMA_SIZE);
	assert_memory_equal(stage->memory, stage->memory + 0x4000, DMA_SIZE);
}

static bool has_no_containers(void *userdata)
{
	const struct stage *stage = userdata;

	return get_count(stage->world->client, stage->space, BUS_INTERFACE_SPACE, "Containers") ==
	       0;
}

static bool has_one_container(void *userdata)
{
	const struct stage *stage = userdata;

	return get_count(stage->world->client, stage->space, BUS_INTERFACE_SPACE, "Containers") ==
	       1;
}

static uint64_t deadline_of(const struct world *world, const char *device)
{
	char path[PLUG_PATH_SIZE];

	plug_device_path(device, path);
	return get_number(world->client, path, BUS_INTERFACE_DEVICE, "ReleaseDeadline");
}

static bool is_asked_back(void *userdata)
{
	const struct world *world = userdata;

	return deadline_of(world, world->host->nic) != 0;
}

static bool nic_is_hidden(void *userdata)
{
	const struct world *world = userdata;

	return !plug_is_shown(world, world->host->nic);
}

#define skip_unless_removable(world)                                                            \
	do {                                                                                    \
		if (!plug_can_remove((world), (world)->host->nic)) {                            \
			skip_because("the kernel lets no device be pulled out here");           \
		}                                                                               \
		if ((world)->real && strcmp((world)->host->kind, "pseries") == 0) {             \
			skip_because(                                                           \
				"the host's driver takes a device that is put back, and "       \
				"then an LPAR has no windows for VFIO at its bridge any more"); \
		}                                                                               \
	} while (0)

/* -- devices that nobody has open -- */

static void test_nobody_has_it(void **state)
{
	const struct world *world = *state;
	const char *nic = world->host->nic;
	struct removal removal;
	struct stage stage;

	skip_unless_removable(world);
	for (int round = 0; round < 2; round++) {
		removal = plug_begin_removal(world, nic);
		plug_end_removal(world, &removal);
		plug_put_back(world, nic);
		/* It is as good as it was. */
		stage_open(&stage, world, "back");
		attach(world->client, stage.space, nic, NULL);
		stage_map(&stage);
		stage_close(&stage);
	}
	wait_until_nothing_is_left(world);
}

/* The one that goes takes its own windows and mappings along, and nothing of others. */
static void test_attached(void **state)
{
	const struct world *world = *state;
	struct removal removal;
	struct stage other;
	struct stage stage;

	skip_unless_removable(world);
	stage_open(&other, world, "other");
	attach(world->client, other.space, world->host->edu, NULL);
	dma_prepare(world, world->host->edu);
	stage_map(&other);
	expect_dma(&other);
	stage_open(&stage, world, "unplugged");
	attach(world->client, stage.space, world->host->nic, NULL);
	stage_map(&stage);
	removal = plug_begin_removal(world, world->host->nic);
	wait_for(has_no_containers, &stage, "its address space has let the group go");
	plug_end_removal(world, &removal);
	assert_int_equal(get_count(world->client, stage.space, BUS_INTERFACE_SPACE, "Windows"), 0);
	assert_int_equal(count_of(&stage, "Mappings"), 0);
	assert_int_equal(count_of(&other, "Mappings"), 1);
	expect_dma(&other);
	/* The address space goes on, with the device when that is back. */
	plug_put_back(world, world->host->nic);
	attach(world->client, stage.space, world->host->nic, NULL);
	stage_map(&stage);
	expect_dma(&other);
	stage_close(&stage);
	stage_close(&other);
	wait_until_nothing_is_left(world);
}

/* Two groups of one address space: what is mapped stays mapped for the one that stays. */
static void test_one_of_two(void **state)
{
	const struct world *world = *state;
	const struct attach_options own = {.own_container = true};
	struct removal removal;
	struct stage stage;

	skip_unless_removable(world);
	stage_open(&stage, world, "two");
	free(attach_with(world->client, stage.space, world->host->edu, &own, NULL));
	free(attach_with(world->client, stage.space, world->host->nic, &own, NULL));
	dma_prepare(world, world->host->edu);
	stage_map(&stage);
	expect_dma(&stage);
	removal = plug_begin_removal(world, world->host->nic);
	wait_for(has_one_container, &stage, "the group that was pulled out has left");
	plug_end_removal(world, &removal);
	assert_int_equal(count_of(&stage, "Mappings"), 1);
	expect_dma(&stage);
	map(world->client, stage.space, 0x100000, 0x100000, 0x10000, PROT_DEVICE_BOTH, NULL);
	plug_put_back(world, world->host->nic);
	free(attach_with(world->client, stage.space, world->host->nic, &own, NULL));
	assert_int_equal(count_of(&stage, "Mappings"), 2);
	expect_dma(&stage);
	stage_close(&stage);
	wait_until_nothing_is_left(world);
}

static bool has_lost_a_group(void *userdata)
{
	const struct stage *stage = userdata;
	DBusMessage *reply =
		get_property(stage->world->client, stage->space, BUS_INTERFACE_SPACE, "Containers");
	DBusMessageIter iter;
	DBusMessageIter variant;
	DBusMessageIter array;
	const char *container = NULL;
	unsigned int count;

	assert_true(dbus_message_iter_init(reply, &iter));
	dbus_message_iter_recurse(&iter, &variant);
	dbus_message_iter_recurse(&variant, &array);
	dbus_message_iter_get_basic(&array, &container);
	count = get_count(stage->world->client, container, BUS_INTERFACE_CONTAINER, "Groups");
	dbus_message_unref(reply);
	return count == 1;
}

/* H33: the kernel clears the table of all groups of the container; they have their mappings back
 * without anybody having asked. */
static void test_h33_others_of_its_container(void **state)
{
	struct world *world = *state;
	struct removal removal;
	struct stage stage;

	skip_unless_removable(world);
	set_policy(world, "[window]\ncontainer-sharing = yes\n", NULL);
	stage_open(&stage, world, "shared");
	attach(world->client, stage.space, world->host->edu, NULL);
	attach(world->client, stage.space, world->host->nic, NULL);
	dma_prepare(world, world->host->edu);
	if (!has_one_container(&stage)) {
		stage_close(&stage);
		skip_because("groups can't share a container here");
	}
	stage_map(&stage);
	expect_dma(&stage);
	removal = plug_begin_removal(world, world->host->nic);
	wait_for(has_lost_a_group, &stage, "the group that was pulled out has left its container");
	expect_dma(&stage);
	plug_end_removal(world, &removal);
	assert_int_equal(count_of(&stage, "Mappings"), 1);
	plug_put_back(world, world->host->nic);
	stage_close(&stage);
	wait_until_nothing_is_left(world);
}

/* -- devices that are open: their owners are asked -- */

/* The nic, attached, mapped and open. */
static struct open_device open_nic(struct stage *stage, const struct world *world)
{
	stage_open(stage, world, "open");
	attach(world->client, stage->space, world->host->nic, NULL);
	stage_map(stage);
	return open_device(world, world->client, world->host->nic, NULL);
}

static void test_owner_lets_go(void **state)
{
	struct world *world = *state;
	struct open_device device;
	struct removal removal;
	struct stage stage;

	skip_unless_removable(world);
	device = open_nic(&stage, world);
	removal = plug_begin_removal(world, world->host->nic);
	wait_for(is_asked_back, world, "the owner is asked");
	assert_true(plug_is_shown(world, world->host->nic));
	/* Until then it can be used, and its registers be saved. */
	(void)open_device_is_master(&device);
	open_device_close(&device);
	unmap(world->client, stage.space, 0, 0x10000, NULL);
	detach(world->client, stage.space, world->host->nic, NULL);
	plug_end_removal(world, &removal);
	plug_put_back(world, world->host->nic);
	assert_int_equal(deadline_of(world, world->host->nic), 0);
	stage_close(&stage);
	wait_until_nothing_is_left(world);
}

/* The owner does nothing but to close its fd: at the deadline the group is taken, mapped or not. */
static void test_deadline(void **state)
{
	struct world *world = *state;
	struct open_device device;
	struct removal removal;
	struct stage other;
	struct stage stage;

	skip_unless_removable(world);
	set_policy(world, SHORT_TIME, NULL);
	stage_open(&other, world, "other");
	attach(world->client, other.space, world->host->edu, NULL);
	dma_prepare(world, world->host->edu);
	stage_map(&other);
	device = open_nic(&stage, world);
	open_device_close(&device);
	removal = plug_begin_removal(world, world->host->nic);
	wait_for(has_no_containers, &stage, "the group was taken at the deadline");
	plug_end_removal(world, &removal);
	assert_int_equal(get_count(world->client, stage.space, BUS_INTERFACE_SPACE, "Windows"), 0);
	assert_int_equal(count_of(&stage, "Mappings"), 0);
	expect_dma(&other);
	plug_put_back(world, world->host->nic);
	stage_close(&stage);
	stage_close(&other);
	wait_until_nothing_is_left(world);
}

/* A program that keeps its fd keeps the kernel waiting, and nobody else. */
static void test_fd_is_kept(void **state)
{
	struct world *world = *state;
	struct open_device device;
	struct removal removal;
	struct stage stage;

	skip_unless_removable(world);
	set_policy(world, SHORT_TIME, NULL);
	device = open_nic(&stage, world);
	removal = plug_begin_removal(world, world->host->nic);
	wait_for(has_no_containers, &stage, "the group was taken at the deadline");
	assert_true(plug_is_shown(world, world->host->nic));
	assert_int_equal(deadline_of(world, world->host->nic), 0);
	/* The address space is as good as ever. */
	attach(world->client, stage.space, world->host->edu, NULL);
	stage_map(&stage);
	open_device_close(&device);
	wait_for(nic_is_hidden, world, "the device goes when its last fd is closed");
	plug_end_removal(world, &removal);
	plug_put_back(world, world->host->nic);
	stage_close(&stage);
	wait_until_nothing_is_left(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_has_it),
		cmocka_unit_test(test_attached),
		cmocka_unit_test(test_one_of_two),
		cmocka_unit_test_teardown(test_h33_others_of_its_container, forget_policy),
		cmocka_unit_test(test_owner_lets_go),
		cmocka_unit_test_teardown(test_deadline, forget_policy),
		cmocka_unit_test_teardown(test_fd_is_kept, forget_policy),
	};

	return cmocka_run_group_tests_name("hotplug", tests, world_start_eeh, world_stop);
}
