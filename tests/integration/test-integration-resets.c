/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Resets of devices and address spaces, and what a device is like when its address space has let it
 * go: no bus master, for the kernel may then give it all memory. Only config space is looked at.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eeh.h"
#include "open_device.h"

#define MANUAL      QUICK_POLICY "mode = manual\n"
#define MEMORY_SIZE UINT64_C(0x100000)
#define PAGE        UINT64_C(0x10000)

static void reset_device(const struct world *world, const char *name, const char *refusal)
{
	DBusMessage *reply = call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER,
				  "GetDevice", NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID);
	const char *path = NULL;
	DBusMessage *done;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &path,
					  DBUS_TYPE_INVALID));
	done = call(world->client, path, BUS_INTERFACE_DEVICE, "Reset", refusal, DBUS_TYPE_INVALID);
	dbus_message_unref(reply);
	if (done) {
		dbus_message_unref(done);
	}
}

static void reset_space(const struct world *world, const char *space, const char *refusal)
{
	DBusMessage *done = call(world->client, space, BUS_INTERFACE_SPACE, "Reset", refusal,
				 DBUS_TYPE_INVALID);

	if (done) {
		dbus_message_unref(done);
	}
}

/* An address space with some memory mapped. */
static char *make_space(const struct world *world, const char *device)
{
	char *space = space_create(world->client, "resets");
	int fd = memory_new(MEMORY_SIZE);

	attach(world->client, space, device, NULL);
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)close(fd);
	map(world->client, space, PAGE, 0, PAGE, PROT_DEVICE_BOTH, NULL);
	return space;
}

static void expect_mapped(const struct world *world, const char *space)
{
	assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "Mappings"), 1);
	/* The kernel has it as well: else this would be refused, or leave nothing to map over. */
	unmap(world->client, space, PAGE, PAGE, NULL);
	map(world->client, space, PAGE, 0, PAGE, PROT_DEVICE_BOTH, NULL);
}

/* Each kind of device: one that is reset with its bus, and one that knows power states. On an LPAR
 * nothing resets the first. */
static void test_each_device(void **state)
{
	const struct world *world = *state;
	const char *const names[] = {world->host->edu, world->host->nic};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *space = make_space(world, names[i]);
		struct open_device device;
		bool none = i == 0 && strcmp(world->host->kind, "pseries") == 0;

		reset_device(world, names[i], "NotFound");
		device = open_device(world, world->client, names[i], NULL);
		open_device_make_master(&device);
		assert_true(open_device_is_master(&device));
		reset_device(world, names[i], none ? "Unsupported" : NULL);
		assert_false(open_device_is_master(&device));
		expect_mapped(world, space);
		open_device_close(&device);
		space_close(world->client, space);
		wait_until_nothing_is_left(world);
	}
}

static void test_space(void **state)
{
	const struct world *world = *state;
	char *space = make_space(world, world->host->nic);
	struct open_device device;

	reset_space(world, space, NULL); /* nothing is open */
	device = open_device(world, world->client, world->host->nic, NULL);
	open_device_make_master(&device);
	reset_space(world, space, NULL);
	assert_false(open_device_is_master(&device));
	expect_mapped(world, space);
	open_device_close(&device);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

/* The kernel's reset would say that it worked. */
static void test_frozen_device(void **state)
{
	const struct world *world = *state;
	struct open_device device;
	struct eeh_stage stage;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, MANUAL);
	device = open_device(world, world->client, world->host->nic, NULL);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	pe_wait_for_text(world, &stage.observer, "Recovery", "awaiting-request");
	reset_device(world, world->host->nic, "Frozen");
	pe_expect_check(world, &stage.observer, "stopped");
	open_device_close(&device);
	eeh_stage_close(world, &stage);
}

/* H40: seen through a fd of the test's own, which outlives the address space: it is spaprd that
 * stops the device, not the kernel when that is closed. */
static void test_h40_close_stops_devices(void **state)
{
	const struct world *world = *state;
	char *space = make_space(world, world->host->nic);
	struct open_device device = open_device(world, world->client, world->host->nic, NULL);

	open_device_make_master(&device);
	space_close(world->client, space);
	assert_false(open_device_is_master(&device));
	open_device_close(&device);
	wait_until_nothing_is_left(world);
}

static void test_h40_detach_stops_devices(void **state)
{
	const struct world *world = *state;
	char *space = space_create(world->client, "resets");
	struct open_device device;

	attach(world->client, space, world->host->nic, NULL);
	device = open_device(world, world->client, world->host->nic, NULL);
	open_device_make_master(&device);
	detach(world->client, space, world->host->nic, NULL);
	assert_false(open_device_is_master(&device));
	open_device_close(&device);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

/* A frozen PE is reset before the last close of its device thaws it. */
static void test_h40_frozen_pe_is_reset(void **state)
{
	const struct world *world = *state;
	struct open_device device;
	struct eeh_stage stage;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, MANUAL);
	device = open_device(world, world->client, world->host->nic, NULL);
	open_device_make_master(&device);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	pe_wait_for_text(world, &stage.observer, "Recovery", "awaiting-request");
	space_close(world->client, stage.space);
	/* It answers, as that of a PE that is frozen, or being reset, doesn't. */
	assert_false(open_device_is_master(&device));
	open_device_close(&device);
	observer_close(&stage.observer);
	wait_until_nothing_is_left(world);
	stage = eeh_stage_open(world, world->host->nic, MANUAL);
	pe_expect_check(world, &stage.observer, "normal");
	eeh_stage_close(world, &stage);
}

/* -- what can't be stopped: only a simulated host has such devices -- */

static void add_rule(const struct world *world, const char *operation)
{
	DBusMessage *message = dbus_message_new_method_call(BUS_NAME, BUS_PATH_MANAGER,
							    BUS_INTERFACE_SIMULATOR, "AddRule");
	const char *name = "errno";
	dbus_int32_t errnum = EIO;
	DBusMessageIter iter;
	DBusMessageIter options;
	DBusMessageIter entry;
	DBusMessageIter value;

	dbus_message_iter_init_append(message, &iter);
	assert_true(dbus_message_iter_append_basic(&iter, DBUS_TYPE_STRING, &operation));
	assert_true(dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &options));
	assert_true(dbus_message_iter_open_container(&options, DBUS_TYPE_DICT_ENTRY, NULL, &entry));
	assert_true(dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &name));
	assert_true(dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "i", &value));
	assert_true(dbus_message_iter_append_basic(&value, DBUS_TYPE_INT32, &errnum));
	assert_true(dbus_message_iter_close_container(&entry, &value));
	assert_true(dbus_message_iter_close_container(&options, &entry));
	assert_true(dbus_message_iter_close_container(&iter, &options));
	dbus_message_unref(call_message(world->client, message, NULL));
}

static void clear_rules(const struct world *world)
{
	dbus_message_unref(call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR,
				"ClearRules", NULL, DBUS_TYPE_INVALID));
}

static void release(const struct world *world, const char *group, bool anyway, const char *refusal)
{
	dbus_bool_t argument = anyway;
	DBusMessage *reply = call(world->client, group, BUS_INTERFACE_GROUP, "Release", refusal,
				  DBUS_TYPE_BOOLEAN, &argument, DBUS_TYPE_INVALID);

	if (reply) {
		dbus_message_unref(reply);
	}
}

static void expect_quarantine(const struct world *world, const char *group, const char *words)
{
	char *why = get_text(world->client, group, BUS_INTERFACE_GROUP, "Quarantine");
	char *space = get_text(world->client, group, BUS_INTERFACE_GROUP, "AddressSpace");

	if (*words == '\0' ? *why != '\0' : !strstr(why, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, why);
	}
	assert_string_equal(space, "/");
	free(why);
	free(space);
}

static void test_h40_quarantine(void **state)
{
	static const char *const operations[] = {"VFIO_DEVICE_RESET", "VFIO_DEVICE_PCI_HOT_RESET",
						 "VFIO_EEH_PE_OP"};
	const struct world *world = *state;
	struct open_device device;
	char group[64];
	char *space;

	if (world->real) {
		skip_because("the emulated devices of the lab can be reset");
	}
	space = make_space(world, world->host->nic);
	(void)snprintf(group, sizeof(group), BUS_PATH_GROUP_PREFIX "%u",
		       group_of(world->client, world->host->nic));
	device = open_device(world, world->client, world->host->nic, NULL);
	open_device_close(&device);
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		add_rule(world, operations[i]);
	}
	detach(world->client, space, world->host->nic, "MemoryInUse");
	unmap(world->client, space, PAGE, PAGE, NULL);
	detach(world->client, space, world->host->nic, "Quarantined");
	assert_non_null(strstr(last_error_text(), world->host->nic));
	/* It is as it was. */
	map(world->client, space, PAGE, 0, PAGE, PROT_DEVICE_BOTH, NULL);
	space_close(world->client, space);
	expect_quarantine(world, group, world->host->nic);
	space = space_create(world->client, "next");
	attach(world->client, space, world->host->nic, "Quarantined");
	release(world, group, false, "Quarantined");
	expect_quarantine(world, group, world->host->nic);
	clear_rules(world);
	release(world, group, false, NULL);
	expect_quarantine(world, group, "");
	release(world, group, false, "NotFound");
	attach(world->client, space, world->host->nic, NULL);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_each_device, forget_policy),
		cmocka_unit_test_teardown(test_space, forget_policy),
		cmocka_unit_test_teardown(test_frozen_device, forget_policy),
		cmocka_unit_test_teardown(test_h40_close_stops_devices, forget_policy),
		cmocka_unit_test_teardown(test_h40_detach_stops_devices, forget_policy),
		cmocka_unit_test_teardown(test_h40_frozen_pe_is_reset, forget_policy),
		cmocka_unit_test_teardown(test_h40_quarantine, forget_policy),
	};

	return cmocka_run_group_tests_name("integration-resets", tests, world_start_eeh,
					   world_stop);
}
