/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What spaprd shows before anybody has an address space: host, groups, devices, the tree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

static void test_set_up(void **state)
{
	const struct world *world = *state;

	assert_int_not_equal(world->spaprd, 0);
}

static void test_manager_properties(void **state)
{
	const struct world *world = *state;
	char *host = get_text(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "Host");
	char *version = get_text(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "Version");

	assert_string_equal(host, world->host->kind);
	assert_string_equal(version, SPAPRD_VERSION);
	assert_int_equal(
		get_number(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "Simulated"),
		!world->real);
	assert_int_equal(
		get_number(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "PageSize"),
		world->page_size);
	assert_int_equal(
		get_number(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "LockedBytes"),
		0);
	assert_true(get_number(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER,
			       "MemoryMax") >= UINT64_C(1) << 30);
	assert_int_equal(
		get_count(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "IommuTypes"), 2);
	free(host);
	free(version);
}

static void group_path(uint32_t id, char ret_path[static 64])
{
	(void)snprintf(ret_path, 64, BUS_PATH_GROUP_PREFIX "%u", id);
}

struct expected_device {
	const char *name;
	unsigned int vendor;
	unsigned int device;
	unsigned int class;
	const char *driver;
};

static void check_device(const struct world *world, const struct expected_device *expected)
{
	DBusMessage *reply =
		call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "GetDevice", NULL,
		     DBUS_TYPE_STRING, &expected->name, DBUS_TYPE_INVALID);
	const char *path = NULL;
	char *name;
	char *driver;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &path,
					  DBUS_TYPE_INVALID));
	name = get_text(world->client, path, BUS_INTERFACE_DEVICE, "Name");
	driver = get_text(world->client, path, BUS_INTERFACE_DEVICE, "Driver");
	assert_string_equal(name, expected->name);
	assert_string_equal(driver, expected->driver);
	assert_int_equal(get_number(world->client, path, BUS_INTERFACE_DEVICE, "Vendor"),
			 expected->vendor);
	assert_int_equal(get_number(world->client, path, BUS_INTERFACE_DEVICE, "Device"),
			 expected->device);
	assert_int_equal(get_number(world->client, path, BUS_INTERFACE_DEVICE, "Class"),
			 expected->class);
	free(name);
	free(driver);
	dbus_message_unref(reply);
}

static void test_devices(void **state)
{
	const struct world *world = *state;
	const struct expected_device expected[] = {
		{world->host->edu, 0x1234, 0x11e8, 0x00ff00, "vfio-pci"},
		{world->host->nic, 0x8086, 0x10d3, 0x020000, "vfio-pci"},
		{world->host->not_viable, 0x8086, 0x10d3, 0x020000, "vfio-pci"},
		{world->host->sibling, 0x8086, 0x10d3, 0x020000, "e1000e"},
		{world->host->edu_2, 0x1234, 0x11e8, 0x00ff00, "vfio-pci"},
		{world->host->unbound, 0x8086, 0x10d3, 0x020000, ""},
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		/* The last two are not on every host. */
		if (expected[i].name) {
			check_device(world, &expected[i]);
		}
	}
}

static void check_group(const struct world *world, const char *device, bool viable,
			unsigned int devices)
{
	uint32_t id = group_of(world->client, device);
	char path[64];
	char *space;

	group_path(id, path);
	assert_int_equal(get_number(world->client, path, BUS_INTERFACE_GROUP, "Id"), id);
	assert_int_equal(get_number(world->client, path, BUS_INTERFACE_GROUP, "Viable"), viable);
	assert_int_equal(get_count(world->client, path, BUS_INTERFACE_GROUP, "Devices"), devices);
	if (world->host->has_tce) {
		/* The PHB's number is the PCI domain; a PE number fits the host's table of PEs. */
		assert_int_equal(get_number(world->client, path, BUS_INTERFACE_GROUP, "PhbId"),
				 strtoul(device, NULL, 16));
		assert_true(get_number(world->client, path, BUS_INTERFACE_GROUP, "PeNumber") <
			    0x10000);
	} else {
		assert_int_equal(get_number(world->client, path, BUS_INTERFACE_GROUP, "PhbId"),
				 UINT32_MAX);
		assert_int_equal(get_number(world->client, path, BUS_INTERFACE_GROUP, "PeNumber"),
				 UINT32_MAX);
	}
	space = get_text(world->client, path, BUS_INTERFACE_GROUP, "AddressSpace");
	assert_string_equal(space, "/");
	free(space);
}

static void test_groups(void **state)
{
	const struct world *world = *state;

	check_group(world, world->host->edu, true, 1);
	check_group(world, world->host->nic, true, 1);
	check_group(world, world->host->not_viable, false, 2);
	if (world->host->unbound) {
		check_group(world, world->host->unbound, true, 1);
	}
}

static void test_unknown_names(void **state)
{
	const struct world *world = *state;
	uint32_t group = 4294967295U;
	const char *device = "0000:99:00.0";

	(void)call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "GetGroup", "NotFound",
		   DBUS_TYPE_UINT32, &group, DBUS_TYPE_INVALID);
	assert_non_null(strstr(last_error_text(), "4294967295"));
	(void)call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "GetDevice", "NotFound",
		   DBUS_TYPE_STRING, &device, DBUS_TYPE_INVALID);
	assert_non_null(strstr(last_error_text(), device));
	(void)call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "Nonsense",
		   DBUS_ERROR_UNKNOWN_METHOD, DBUS_TYPE_INVALID);
	(void)call(world->client, BUS_PATH_MANAGER, "org.spaprd1.Nonsense", "GetGroup",
		   DBUS_ERROR_UNKNOWN_INTERFACE, DBUS_TYPE_UINT32, &group, DBUS_TYPE_INVALID);
	(void)call(world->client, "/org/spaprd1/space/4294967295", BUS_INTERFACE_SPACE, "Close",
		   DBUS_ERROR_UNKNOWN_OBJECT, DBUS_TYPE_INVALID);
	(void)call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "GetGroup",
		   DBUS_ERROR_INVALID_ARGS, DBUS_TYPE_STRING, &device, DBUS_TYPE_INVALID);
}

static void append_option(DBusMessageIter *dictionary, const char *key, int type,
			  const char *signature, const void *value)
{
	DBusMessageIter entry;
	DBusMessageIter variant;

	assert_true(
		dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry));
	assert_true(dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key));
	assert_true(
		dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant));
	assert_true(dbus_message_iter_append_basic(&variant, type, value));
	assert_true(dbus_message_iter_close_container(&entry, &variant));
	assert_true(dbus_message_iter_close_container(dictionary, &entry));
}

static void refuse_option(const struct world *world, const char *key, int type,
			  const char *signature, const void *value)
{
	DBusMessage *message = dbus_message_new_method_call(
		BUS_NAME, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "CreateAddressSpace");
	DBusMessageIter iter;
	DBusMessageIter dictionary;
	DBusError error = DBUS_ERROR_INIT;

	dbus_message_iter_init_append(message, &iter);
	assert_true(dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &dictionary));
	append_option(&dictionary, key, type, signature, value);
	assert_true(dbus_message_iter_close_container(&iter, &dictionary));
	assert_null(
		dbus_connection_send_with_reply_and_block(world->client, message, 60000, &error));
	assert_string_equal(error.name, BUS_ERROR_PREFIX "InvalidArgument");
	dbus_error_free(&error);
	dbus_message_unref(message);
}

static void test_bad_options(void **state)
{
	const struct world *world = *state;
	char longer[200];
	const char *text = longer;
	dbus_uint32_t number = 1;

	memset(longer, 'n', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	refuse_option(world, "name", DBUS_TYPE_STRING, "s", &text);
	refuse_option(world, "name", DBUS_TYPE_UINT32, "u", &number);
	refuse_option(world, "keep", DBUS_TYPE_UINT32, "u", &number);
	refuse_option(world, "colour", DBUS_TYPE_UINT32, "u", &number);
	wait_until_nothing_is_left(world);
}

static void test_introspection(void **state)
{
	static const char *const expected[] = {"<node name=\"group\"", "<node name=\"device\"",
					       "CreateAddressSpace",
					       "org.freedesktop.DBus.ObjectManager", "WorkerLost"};
	const struct world *world = *state;
	DBusMessage *reply = call(world->client, BUS_PATH_MANAGER, DBUS_INTERFACE_INTROSPECTABLE,
				  "Introspect", NULL, DBUS_TYPE_INVALID);
	const char *xml = NULL;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &xml, DBUS_TYPE_INVALID));
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		if (!strstr(xml, expected[i])) {
			fail_msg("introspection lacks %s", expected[i]);
		}
	}
	assert_int_equal(strstr(xml, "DmaRead") != NULL, !world->real);
	dbus_message_unref(reply);
}

static unsigned int count_managed(const struct world *world, const char *prefix)
{
	DBusMessage *reply =
		call(world->client, BUS_PATH_MANAGER, "org.freedesktop.DBus.ObjectManager",
		     "GetManagedObjects", NULL, DBUS_TYPE_INVALID);
	DBusMessageIter iter;
	DBusMessageIter objects;
	unsigned int count = 0;

	assert_string_equal(dbus_message_get_signature(reply), "a{oa{sa{sv}}}");
	assert_true(dbus_message_iter_init(reply, &iter));
	dbus_message_iter_recurse(&iter, &objects);
	while (dbus_message_iter_get_arg_type(&objects) == DBUS_TYPE_DICT_ENTRY) {
		DBusMessageIter entry;
		const char *path = NULL;

		dbus_message_iter_recurse(&objects, &entry);
		dbus_message_iter_get_basic(&entry, &path);
		count += strncmp(path, prefix, strlen(prefix)) == 0;
		(void)dbus_message_iter_next(&objects);
	}
	dbus_message_unref(reply);
	return count;
}

static void test_object_manager(void **state)
{
	const struct world *world = *state;
	const struct lab_host *host = world->host;
	unsigned int groups = 3U + (host->edu_2 != NULL) + (host->unbound != NULL);
	char *space;

	assert_true(count_managed(world, BUS_PATH_GROUP_PREFIX) >= groups);
	assert_true(count_managed(world, BUS_PATH_DEVICE_PREFIX) > groups);
	assert_int_equal(count_managed(world, BUS_PATH_SPACE_PREFIX), 0);
	space = space_create(world->client, "seen");
	assert_int_equal(count_managed(world, BUS_PATH_SPACE_PREFIX), 1);
	attach(world->client, space, host->edu, NULL);
	/* And its container. */
	assert_int_equal(count_managed(world, BUS_PATH_SPACE_PREFIX), 2);
	space_close(world->client, space);
	assert_int_equal(count_managed(world, BUS_PATH_SPACE_PREFIX), 0);
}

/* The host's best kind of container, and the windows that it comes with. */
static void test_first_attach(void **state)
{
	const struct world *world = *state;
	char *space = space_create(world->client, "first");
	const struct attach_options none = {.own_container = false};
	char *container = attach_with(world->client, space, world->host->edu, &none, NULL);
	char *type = get_text(world->client, container, BUS_INTERFACE_CONTAINER, "IommuType");

	assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Containers"), 1);
	assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Windows"),
			 world->host->default_windows);
	assert_string_equal(type, world->host->has_tce ? "spapr-tce-v2" : "type1v2");
	assert_int_equal(get_number(world->client, container, BUS_INTERFACE_CONTAINER, "MaxLevels"),
			 world->host->max_levels);
	free(type);
	free(container);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_up),        cmocka_unit_test(test_manager_properties),
		cmocka_unit_test(test_devices),       cmocka_unit_test(test_groups),
		cmocka_unit_test(test_unknown_names), cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_introspection), cmocka_unit_test(test_object_manager),
		cmocka_unit_test(test_first_attach),
	};

	return cmocka_run_group_tests_name("service", tests, world_start, world_stop);
}
