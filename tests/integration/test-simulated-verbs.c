/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simulated host's verbs that are about its hardware, through spaprd: what the TCE tables hold,
 * PEs that freeze, devices that are unplugged while they are used.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eeh.h"
#include "world.h"

#define MEMORY_SIZE UINT64_C(0x100000)

static bool has_eeh(const struct world *world)
{
	return strcmp(world->host->kind, "powernv") == 0;
}

#define skip_without_second(world)                                         \
	do {                                                               \
		if (!(world)->host->edu_2) {                               \
			skip_because("the host has only one such device"); \
		}                                                          \
	} while (0)

static void check_text(const char *word)
{
	if (!strstr(last_error_text(), word)) {
		fail_msg("\"%s\" does not say %s", last_error_text(), word);
	}
}

/* An address space with memory and the edu device's group. */
static char *open_stage(const struct world *world, const char *name)
{
	char *space = space_create(world->client, name);
	int fd = memory_new(MEMORY_SIZE);

	attach(world->client, space, world->host->edu, NULL);
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)close(fd);
	return space;
}

/* -- the tables -- */

/* What DumpTces says of a group, put together from as many answers as it takes. */
struct dump {
	struct window window[2];
	int windows;
	uint64_t mapped; /* TCEs */
	struct {
		uint64_t iova;
		uint64_t address;
		uint64_t size;
		uint32_t permissions;
	} entry[64];
	int entries;
};

static void take(DBusMessageIter *part, void *ret_value)
{
	dbus_message_iter_get_basic(part, ret_value);
	(void)dbus_message_iter_next(part);
}

static void read_windows(DBusMessageIter *iter, struct dump *dump)
{
	DBusMessageIter array;

	dump->windows = dbus_message_iter_get_element_count(iter);
	dump->mapped = 0;
	assert_true(dump->windows <= 2);
	dbus_message_iter_recurse(iter, &array);
	for (int i = 0; i < dump->windows; i++) {
		DBusMessageIter part;
		uint64_t mapped = 0;

		dbus_message_iter_recurse(&array, &part);
		take(&part, &dump->window[i].start);
		take(&part, &dump->window[i].size);
		take(&part, &dump->window[i].page_shift);
		take(&part, &dump->window[i].levels);
		take(&part, &mapped);
		dump->mapped += mapped;
		(void)dbus_message_iter_next(&array);
	}
}

static void read_entries(DBusMessageIter *iter, struct dump *dump)
{
	DBusMessageIter array;

	dbus_message_iter_recurse(iter, &array);
	while (dbus_message_iter_get_arg_type(&array) == DBUS_TYPE_STRUCT) {
		DBusMessageIter part;
		int i = dump->entries++;

		assert_true(i < 64);
		dbus_message_iter_recurse(&array, &part);
		take(&part, &dump->entry[i].iova);
		take(&part, &dump->entry[i].address);
		take(&part, &dump->entry[i].size);
		take(&part, &dump->entry[i].permissions);
		(void)dbus_message_iter_next(&array);
	}
}

static struct dump dump_tces(const struct world *world, uint32_t group, uint32_t most)
{
	struct dump dump = {.windows = 0};
	dbus_bool_t more = TRUE;
	uint64_t from = 0;

	while (more) {
		DBusMessage *reply =
			call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, "DumpTces",
			     NULL, DBUS_TYPE_UINT32, &group, DBUS_TYPE_UINT64, &from,
			     DBUS_TYPE_UINT32, &most, DBUS_TYPE_INVALID);
		DBusMessageIter iter;

		assert_true(dbus_message_has_signature(reply, "a(ttuut)a(tttu)b"));
		assert_true(dbus_message_iter_init(reply, &iter));
		read_windows(&iter, &dump);
		(void)dbus_message_iter_next(&iter);
		read_entries(&iter, &dump);
		(void)dbus_message_iter_next(&iter);
		dbus_message_iter_get_basic(&iter, &more);
		dbus_message_unref(reply);
		if (dump.entries > 0) {
			from = dump.entry[dump.entries - 1].iova +
			       dump.entry[dump.entries - 1].size;
		}
	}
	return dump;
}

/* Each mapping of the space is an entry; memory is one piece, so addresses are gpas and a constant.
 */
static void check_against_mappings(const struct world *world, const char *space,
				   const struct dump *dump)
{
	const dbus_uint64_t *quads = NULL;
	dbus_uint64_t from = 0;
	dbus_uint32_t most = 1000;
	int count = 0;
	DBusMessage *reply =
		call(world->client, space, BUS_INTERFACE_SPACE, "ListMappings", NULL,
		     DBUS_TYPE_UINT64, &from, DBUS_TYPE_UINT32, &most, DBUS_TYPE_INVALID);

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_ARRAY, DBUS_TYPE_UINT64, &quads,
					  &count, DBUS_TYPE_INVALID));
	assert_int_equal(dump->entries, count / 4);
	for (int i = 0; i < dump->entries; i++) {
		const dbus_uint64_t *quad = quads + (ptrdiff_t)4 * i;

		assert_int_equal(dump->entry[i].iova, quad[0]);
		assert_int_equal(dump->entry[i].address - dump->entry[0].address,
				 quad[1] - quads[1]);
		assert_int_equal(dump->entry[i].size, quad[2]);
		assert_int_equal(dump->entry[i].permissions, PROT_DEVICE_BOTH);
	}
	dbus_message_unref(reply);
}

static void test_the_tables_hold_what_is_listed(void **state)
{
	const struct world *world = *state;
	uint32_t group;
	struct dump dump;
	char *space;

	skip_without_tce(world);
	group = group_of(world->client, world->host->edu);
	dump = dump_tces(world, group, 10);
	assert_int_equal(dump.windows, 0);
	assert_int_equal(dump.entries, 0);
	space = open_stage(world, "tables");
	for (uint64_t i = 0; i < 20; i++) {
		map(world->client, space, i * 0x10000, i * 0x3000, 0x1000 * (1 + i % 3),
		    PROT_DEVICE_BOTH, NULL);
	}
	for (uint32_t most = 7; most <= 1000; most *= 10) {
		dump = dump_tces(world, group, most);
		assert_int_equal(dump.windows, 1);
		assert_int_equal(dump.window[0].start, 0);
		assert_int_equal(dump.window[0].size, world->host->default_window);
		assert_int_equal(dump.window[0].page_shift, 12);
		assert_int_equal(dump.mapped, get_statistic(world, "mapped_tces"));
		check_against_mappings(world, space, &dump);
	}
	unmap(world->client, space, 0x30000, 0x1000, NULL);
	dump = dump_tces(world, group, 1000);
	assert_int_equal(dump.entries, 19);
	check_against_mappings(world, space, &dump);
	space_close(world->client, space);
	assert_int_equal(dump_tces(world, group, 10).windows, 0);
	group = 4096;
	(void)call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, "DumpTces", "NotFound",
		   DBUS_TYPE_UINT32, &group, DBUS_TYPE_UINT64, &(dbus_uint64_t){0},
		   DBUS_TYPE_UINT32, &(dbus_uint32_t){1}, DBUS_TYPE_INVALID);
	wait_until_nothing_is_left(world);
}

/* -- freezes -- */

/* Have a device write, and see whether that is a fault. */
static void dma_write(const struct world *world, const char *device, uint64_t iova,
		      const char *refusal)
{
	static const char *const data = "written";
	DBusMessage *reply =
		call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, "DmaWrite", refusal,
		     DBUS_TYPE_STRING, &device, DBUS_TYPE_UINT64, &iova, DBUS_TYPE_ARRAY,
		     DBUS_TYPE_BYTE, &data, 7, DBUS_TYPE_INVALID);

	if (reply) {
		dbus_message_unref(reply);
	}
}

static void freeze(const struct world *world, uint32_t group, const char *what, const char *refusal)
{
	DBusMessage *reply =
		call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, "Freeze", refusal,
		     DBUS_TYPE_UINT32, &group, DBUS_TYPE_STRING, &what, DBUS_TYPE_INVALID);

	if (reply) {
		dbus_message_unref(reply);
	}
}

/* It is the hardware that is looked at here, so spaprd leaves it alone. */
#define MANUAL "[recovery]\nmode = manual\n"

static void thaw(const struct world *world, const char *device)
{
	struct observer observer = observer_open(world, device);

	pe_wait_for_text(world, &observer, "Recovery", "awaiting-request");
	pe_operate(world, &observer, "Enable", NULL);
	observer_close(&observer);
}

static void test_a_refused_dma_freezes_its_pe_only(void **state)
{
	const struct world *world = *state;
	char *space;

	skip_without_tce(world);
	skip_without_eeh(world);
	skip_without_second(world);
	set_policy(world, MANUAL, NULL);
	space = open_stage(world, "fault");
	attach(world->client, space, world->host->edu_2, NULL);
	map(world->client, space, 0, 0, 0x1000, PROT_DEVICE_BOTH, NULL);
	dma_write(world, world->host->edu, 0, NULL);
	dma_write(world, world->host->edu, 0x100000, "DmaFault");
	dma_write(world, world->host->edu, 0, "DmaFault");
	check_text("frozen");
	dma_write(world, world->host->edu_2, 0, NULL);
	/* Who has it next finds it so. */
	detach(world->client, space, world->host->edu, NULL);
	attach(world->client, space, world->host->edu, NULL);
	dma_write(world, world->host->edu, 0, "DmaFault");
	thaw(world, world->host->edu);
	dma_write(world, world->host->edu, 0, NULL);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

static void test_freezes_by_verb(void **state)
{
	const struct world *world = *state;
	uint32_t group;
	char *space;

	skip_without_tce(world);
	skip_without_eeh(world);
	set_policy(world, MANUAL, NULL);
	group = group_of(world->client, world->host->edu);
	space = open_stage(world, "freeze");
	map(world->client, space, 0, 0, 0x1000, PROT_DEVICE_BOTH, NULL);
	freeze(world, group, "io", NULL);
	dma_write(world, world->host->edu, 0, NULL);
	freeze(world, group, "dma", NULL);
	dma_write(world, world->host->edu, 0, "DmaFault");
	check_text("frozen");
	freeze(world, group, "nonsense", "InvalidArgument");
	freeze(world, 4096, "both", "NotFound");
	/* Maps don't mind. */
	map(world->client, space, 0x1000, 0x1000, 0x1000, PROT_DEVICE_BOTH, NULL);
	unmap(world->client, space, 0x1000, 0x1000, NULL);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

static void test_a_host_without_eeh_does_not_freeze(void **state)
{
	const struct world *world = *state;
	uint32_t group;

	skip_without_tce(world);
	if (has_eeh(world)) {
		skip_because("the host has EEH");
	}
	group = group_of(world->client, world->host->edu);
	freeze(world, group, "both", "EehUnavailable");
}

/* -- devices that go -- */

static void plugging(const struct world *world, const char *verb, const char *device,
		     const char *refusal)
{
	DBusMessage *reply = call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, verb,
				  refusal, DBUS_TYPE_STRING, &device, DBUS_TYPE_INVALID);

	if (reply) {
		dbus_message_unref(reply);
	}
}

static bool has_no_containers(void *userdata)
{
	DBusConnection *client = client_open();
	unsigned int count = get_count(client, userdata, BUS_INTERFACE_SPACE, "Containers");

	client_close(client);
	return count == 0;
}

static void test_unplug_in_use(void **state)
{
	const struct world *world = *state;
	char *other;
	char *space;

	skip_without_tce(world);
	skip_without_second(world);
	space = open_stage(world, "unplugged");
	other = space_create(world->client, "other");
	attach(world->client, other, world->host->edu_2, NULL);
	map(world->client, space, 0, 0, 0x1000, PROT_DEVICE_BOTH, NULL);
	dma_write(world, world->host->edu, 0, NULL);
	plugging(world, "Unplug", world->host->edu, NULL);
	plugging(world, "Unplug", world->host->edu, "NotFound");
	plugging(world, "Unplug", "0009:09:09.0", "NotFound");
	dma_write(world, world->host->edu, 0, "NotFound");
	check_text("unplugged");
	wait_for(has_no_containers, space, "the group that was pulled out was taken");
	map(world->client, space, 0x1000, 0x1000, 0x1000, PROT_DEVICE_BOTH, "OutsideWindow");
	/* Its group has left the container with it; the rest of the host works on. */
	assert_int_equal(get_statistic(world, "attached_groups"), 1);
	assert_int_equal(get_statistic(world, "mapped_tces"), 0);
	remove_window(world->client, other, 0, NULL);
	space_close(world->client, space);
	plugging(world, "Plug", world->host->edu, NULL);
	plugging(world, "Plug", world->host->edu, "Busy");
	space = open_stage(world, "plugged");
	map(world->client, space, 0, 0, 0x1000, PROT_DEVICE_BOTH, NULL);
	dma_write(world, world->host->edu, 0, NULL);
	space_close(world->client, space);
	space_close(world->client, other);
	wait_until_nothing_is_left(world);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_tables_hold_what_is_listed),
		cmocka_unit_test(test_unplug_in_use),
	};
	static const struct CMUnitTest freezing[] = {
		cmocka_unit_test(test_a_refused_dma_freezes_its_pe_only),
		cmocka_unit_test(test_freezes_by_verb),
		cmocka_unit_test(test_a_host_without_eeh_does_not_freeze),
	};
	int failed = cmocka_run_group_tests_name("verbs", tests, world_start, world_stop);

	return failed +
	       cmocka_run_group_tests_name("freezes", freezing, world_start_freezing, world_stop);
}
