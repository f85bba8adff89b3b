/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AddressSpace.Plan over workers that answer, and over workers that answer what is no plan. */
#include <string.h>

#include "service_fixture.h"

/* A call of Plan with one option, or NULL. */
static DBusMessage *plan_message(const struct space *space, const char *option,
				 const char *signature)
{
	DBusMessage *message = space_message(space, "Plan");
	const dbus_uint64_t size = 0;
	const dbus_uint32_t small = 0;
	const dbus_uint64_t number = 0x10000;
	DBusMessageIter iter;
	DBusMessageIter dictionary;
	DBusMessageIter entry;
	DBusMessageIter value;

	dbus_message_iter_init_append(message, &iter);
	assert_true(dbus_message_iter_append_basic(&iter, DBUS_TYPE_UINT64, &size) &&
		    dbus_message_iter_append_basic(&iter, DBUS_TYPE_UINT32, &small) &&
		    dbus_message_iter_append_basic(&iter, DBUS_TYPE_UINT32, &small) &&
		    dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &dictionary));
	if (option) {
		assert_true(dbus_message_iter_open_container(&dictionary, DBUS_TYPE_DICT_ENTRY,
							     NULL, &entry) &&
			    dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &option) &&
			    dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature,
							     &value) &&
			    dbus_message_iter_append_basic(&value, signature[0], &number) &&
			    dbus_message_iter_close_container(&entry, &value) &&
			    dbus_message_iter_close_container(&dictionary, &entry));
	}
	assert_true(dbus_message_iter_close_container(&iter, &dictionary));
	return message;
}

static void expect_error(DBusMessage *message, const char *name)
{
	DBusMessage *answer = bus_fixture_call(stage.bus, message);

	assert_int_equal(dbus_message_get_type(answer), DBUS_MESSAGE_TYPE_ERROR);
	assert_string_equal(dbus_message_get_error_name(answer), name);
	dbus_message_unref(answer);
}

static void next(DBusMessageIter *iter, void *value)
{
	dbus_message_iter_get_basic(iter, value);
	(void)dbus_message_iter_next(iter);
}

/* The one choice of the worker's, with that error, and what was chosen. */
static void check_plan(const char *role, const char *error, dbus_uint32_t expected)
{
	DBusMessage *answer =
		bus_fixture_call(stage.bus, plan_message(create(role), "memory", "t"));
	dbus_uint64_t wide[4];
	dbus_uint32_t small[2];
	dbus_uint32_t chosen = 77;
	const char *text = NULL;
	DBusMessageIter iter;
	DBusMessageIter array;
	DBusMessageIter entry;

	assert_true(dbus_message_has_signature(answer, "a(tuuttts)us"));
	(void)dbus_message_iter_init(answer, &iter);
	assert_int_equal(dbus_message_iter_get_element_count(&iter), 1);
	dbus_message_iter_recurse(&iter, &array);
	dbus_message_iter_recurse(&array, &entry);
	next(&entry, &wide[0]);
	next(&entry, &small[0]);
	next(&entry, &small[1]);
	next(&entry, &wide[1]);
	next(&entry, &wide[2]);
	next(&entry, &wide[3]);
	next(&entry, &text);
	assert_int_equal(wide[0], 0x40000000);
	assert_int_equal(small[0], 16);
	assert_int_equal(small[1], 2);
	assert_int_equal(wide[1], 0x5000);
	assert_int_equal(wide[2], 0x4000);
	assert_int_equal(wide[3], 0x6000);
	assert_string_equal(text, error);
	(void)dbus_message_iter_next(&iter);
	next(&iter, &chosen);
	assert_int_equal(chosen, expected);
	next(&iter, &text);
	assert_string_equal(text, "because");
	dbus_message_unref(answer);
}

static void test_plan(void **state)
{
	(void)state;
	check_plan("honest", "", 0);
	check_plan("pessimist", BUS_ERROR_PREFIX "TableMemory", UINT32_MAX);
}

static void test_what_is_no_plan(void **state)
{
	static const char *const roles[] = {"headless", "counter", "talker", "chooser",
					    "short",    "coder",   "mute",   "babbler"};

	(void)state;
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		expect_error(plan_message(create(roles[i]), NULL, NULL),
			     BUS_ERROR_PREFIX "KernelError");
	}
}

static void test_options(void **state)
{
	struct space *space = create("honest");

	(void)state;
	succeed(plan_message(space, NULL, NULL));
	succeed(plan_message(space, "backing-page", "t"));
	expect_error(plan_message(space, "memory", "x"), BUS_ERROR_PREFIX "InvalidArgument");
	expect_error(plan_message(space, "size", "t"), BUS_ERROR_PREFIX "InvalidArgument");
	expect_error(plan_message(space, "", "t"), BUS_ERROR_PREFIX "InvalidArgument");
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, service_fixture_set_up, service_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_plan),
		TEST(test_what_is_no_plan),
		TEST(test_options),
	};

	return service_fixture_main("service plan", tests);
}
