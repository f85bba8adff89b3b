/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "test-bus-fixture.h"

#define INTERFACE_THING "org.spaprd1.Thing"
#define INTERFACE_OTHER "org.spaprd1.Other"
#define PATH_THING      "/org/spaprd1/thing/1"
#define OBJECT_MANAGER  "org.freedesktop.DBus.ObjectManager"

struct thing {
	dbus_uint32_t number;
	dbus_uint64_t bytes;
	bool no_memory;
	unsigned int reads;
	struct bus_object *object;
};

static void handle_add(struct bus_call *call, void *object)
{
	struct thing *thing = object;
	dbus_uint32_t a;
	dbus_uint32_t b;

	assert_int_equal(
		bus_call_read(call, DBUS_TYPE_UINT32, &a, DBUS_TYPE_UINT32, &b, DBUS_TYPE_INVALID),
		0);
	thing->number = a + b;
	bus_call_reply(call, DBUS_TYPE_UINT32, &thing->number, DBUS_TYPE_INVALID);
}

static void handle_nothing(struct bus_call *call, void *object)
{
	(void)object;
	bus_call_reply(call, DBUS_TYPE_INVALID);
}

static void handle_close(struct bus_call *call, void *object)
{
	struct thing *thing = object;

	thing->object = bus_object_remove(thing->object);
	bus_call_reply(call, DBUS_TYPE_INVALID);
}

static int get_number(void *object, DBusMessageIter *value)
{
	struct thing *thing = object;

	thing->reads++;
	if (thing->no_memory) {
		return -ENOMEM;
	}
	return dbus_message_iter_append_basic(value, DBUS_TYPE_UINT32, &thing->number) ? 0
										       : -ENOMEM;
}

static int get_bytes(void *object, DBusMessageIter *value)
{
	struct thing *thing = object;

	return dbus_message_iter_append_basic(value, DBUS_TYPE_UINT64, &thing->bytes) ? 0 : -ENOMEM;
}

static const struct bus_method thing_methods[] = {
	{"Add", "uu", "u", handle_add},
	{"Both", "", "", handle_nothing},
	{"Close", "", "", handle_close},
	{NULL, NULL, NULL, NULL},
};

static const struct bus_property thing_properties[] = {
	{"Number", "u", get_number, BUS_PROPERTY_CHANGES},
	{"Bytes", "t", get_bytes, BUS_PROPERTY_SILENT},
	{"Total", "t", get_bytes, BUS_PROPERTY_CHANGES},
	{NULL, NULL, NULL, BUS_PROPERTY_CONSTANT},
};

static const struct bus_signal thing_signals[] = {
	{"Happened", "us"},
	{NULL, NULL},
};

static const struct bus_interface thing_interface = {
	.name = INTERFACE_THING,
	.methods = thing_methods,
	.properties = thing_properties,
	.signals = thing_signals,
	.xml = "<interface name=\"" INTERFACE_THING "\"></interface>",
};

static const struct bus_method other_methods[] = {
	{"Both", "", "", handle_nothing},
	{NULL, NULL, NULL, NULL},
};

static const struct bus_interface other_interface = {
	.name = INTERFACE_OTHER,
	.methods = other_methods,
	.xml = "<interface name=\"" INTERFACE_OTHER "\"/>",
};

static const struct bus_interface *const thing_interfaces[] = {&thing_interface, &other_interface,
							       NULL};
static const struct bus_interface *const manager_interfaces[] = {&other_interface, NULL};

static void add_thing(struct bus_fixture *fixture, const char *path, struct thing *thing)
{
	assert_int_equal(
		bus_object_add(fixture->bus, path, thing_interfaces, thing, &thing->object), 0);
}

static DBusMessage *property_message(const char *member, const char *interface, const char *name)
{
	DBusMessage *message = bus_fixture_message(PATH_THING, DBUS_INTERFACE_PROPERTIES, member);

	assert_true(
		dbus_message_append_args(message, DBUS_TYPE_STRING, &interface, DBUS_TYPE_INVALID));
	if (name) {
		assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &name,
						     DBUS_TYPE_INVALID));
	}
	return message;
}

static DBusMessage *set_message(const char *interface, const char *name)
{
	DBusMessage *message = property_message("Set", interface, name);
	DBusMessageIter iter;
	DBusMessageIter value;
	dbus_uint32_t number = 1;

	dbus_message_iter_init_append(message, &iter);
	assert_true(dbus_message_iter_open_container(&iter, DBUS_TYPE_VARIANT, "u", &value));
	assert_true(dbus_message_iter_append_basic(&value, DBUS_TYPE_UINT32, &number));
	assert_true(dbus_message_iter_close_container(&iter, &value));
	return message;
}

static DBusMessage *add_message(const char *path, const char *interface)
{
	DBusMessage *message = bus_fixture_message(path, interface, "Add");
	dbus_uint32_t a = 40;
	dbus_uint32_t b = 2;

	assert_true(dbus_message_append_args(message, DBUS_TYPE_UINT32, &a, DBUS_TYPE_UINT32, &b,
					     DBUS_TYPE_INVALID));
	return message;
}

/* How many entries the a{…} at the cursor has, and their keys one after another. */
static unsigned int read_keys(DBusMessageIter *iter, char *keys, size_t size)
{
	DBusMessageIter dict;
	unsigned int count = 0;

	keys[0] = '\0';
	dbus_message_iter_recurse(iter, &dict);
	for (; dbus_message_iter_get_arg_type(&dict) != DBUS_TYPE_INVALID;
	     dbus_message_iter_next(&dict)) {
		DBusMessageIter entry;
		const char *key;
		size_t used = strlen(keys);

		dbus_message_iter_recurse(&dict, &entry);
		dbus_message_iter_get_basic(&entry, &key);
		(void)snprintf(keys + used, size - used, "%s ", key);
		count++;
	}
	return count;
}

static void test_set_up_and_tear_down(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 1};

	add_thing(fixture, PATH_THING, &thing);
	assert_string_equal(bus_object_path(thing.object), PATH_THING);
	assert_null(bus_object_remove(thing.object));
	assert_null(bus_object_remove(NULL));
	assert_null(bus_free(NULL));
}

static void test_add_is_refused(void **state)
{
	static struct bus_property many[BUS_PROPERTIES_MAX + 2];
	const struct bus_interface crowded = {.name = "a.b", .properties = many, .xml = ""};
	const struct bus_interface *const list[] = {&crowded, NULL};
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 1};
	struct bus_object *object = NULL;

	for (unsigned int i = 0; i <= BUS_PROPERTIES_MAX; i++) {
		many[i] = thing_properties[0];
	}
	add_thing(fixture, PATH_THING, &thing);
	assert_int_equal(
		bus_object_add(fixture->bus, PATH_THING, thing_interfaces, &thing, &object),
		-EEXIST);
	assert_int_equal(bus_object_add(fixture->bus, "no/path", thing_interfaces, &thing, &object),
			 -EINVAL);
	assert_int_equal(bus_object_add(fixture->bus, "/a", list, &thing, &object), -EINVAL);
	assert_null(object);
	thing.object = bus_object_remove(thing.object);
}

static void test_call(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 1};
	DBusMessage *reply;
	dbus_uint32_t sum = 0;

	add_thing(fixture, PATH_THING, &thing);
	for (int with_interface = 0; with_interface < 2; with_interface++) {
		reply = bus_fixture_call(
			fixture, add_message(PATH_THING, with_interface ? INTERFACE_THING : NULL));
		assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &sum,
						  DBUS_TYPE_INVALID));
		assert_int_equal(sum, 42);
		dbus_message_unref(reply);
	}
	thing.object = bus_object_remove(thing.object);
}

static void test_unknown_things_are_named(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 1};
	const char *text;

	add_thing(fixture, PATH_THING, &thing);
	text = bus_fixture_call_fails(fixture, add_message("/nowhere", INTERFACE_THING),
				      DBUS_ERROR_UNKNOWN_OBJECT);
	assert_non_null(strstr(text, "/nowhere"));
	text = bus_fixture_call_fails(fixture, add_message("/org/spaprd1/thing", INTERFACE_THING),
				      DBUS_ERROR_UNKNOWN_OBJECT);
	assert_non_null(strstr(text, "/org/spaprd1/thing"));
	text = bus_fixture_call_fails(fixture, add_message(PATH_THING, "org.spaprd1.Thin"),
				      DBUS_ERROR_UNKNOWN_INTERFACE);
	assert_non_null(strstr(text, INTERFACE_THING " " INTERFACE_OTHER));
	text = bus_fixture_call_fails(fixture,
				      bus_fixture_message(PATH_THING, INTERFACE_THING, "Subtract"),
				      DBUS_ERROR_UNKNOWN_METHOD);
	assert_non_null(strstr(text, "Subtract"));
	(void)bus_fixture_call_fails(fixture, bus_fixture_message(PATH_THING, NULL, "Subtract"),
				     DBUS_ERROR_UNKNOWN_METHOD);
	text = bus_fixture_call_fails(fixture, bus_fixture_message(PATH_THING, NULL, "Both"),
				      DBUS_ERROR_UNKNOWN_METHOD);
	assert_non_null(strstr(text, "more than one"));
	thing.object = bus_object_remove(thing.object);
}

static void test_wrong_signature_names_both(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 1};
	DBusMessage *message = bus_fixture_message(PATH_THING, INTERFACE_THING, "Add");
	dbus_uint64_t wide = 1;
	const char *text;

	add_thing(fixture, PATH_THING, &thing);
	assert_true(dbus_message_append_args(message, DBUS_TYPE_UINT64, &wide, DBUS_TYPE_INVALID));
	text = bus_fixture_call_fails(fixture, message, DBUS_ERROR_INVALID_ARGS);
	assert_non_null(strstr(text, "(uu)"));
	assert_non_null(strstr(text, "(t)"));
	(void)bus_fixture_call_fails(
		fixture, bus_fixture_message(PATH_THING, DBUS_INTERFACE_PROPERTIES, "Get"),
		DBUS_ERROR_INVALID_ARGS);
	thing.object = bus_object_remove(thing.object);
}

static void test_get(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 7};
	static const char *const interfaces[] = {INTERFACE_THING, ""};

	add_thing(fixture, PATH_THING, &thing);
	for (unsigned int i = 0; i < 2; i++) {
		DBusMessage *reply =
			bus_fixture_call(fixture, property_message("Get", interfaces[i], "Number"));
		DBusMessageIter iter;
		DBusMessageIter value;
		dbus_uint32_t number = 0;

		assert_true(dbus_message_has_signature(reply, "v"));
		dbus_message_iter_init(reply, &iter);
		dbus_message_iter_recurse(&iter, &value);
		dbus_message_iter_get_basic(&value, &number);
		assert_int_equal(number, 7);
		dbus_message_unref(reply);
	}
	thing.object = bus_object_remove(thing.object);
}

static void test_property_errors(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 7};

	add_thing(fixture, PATH_THING, &thing);
	(void)bus_fixture_call_fails(fixture, property_message("Get", INTERFACE_THING, "Size"),
				     DBUS_ERROR_UNKNOWN_PROPERTY);
	(void)bus_fixture_call_fails(fixture, property_message("Get", "", "Size"),
				     DBUS_ERROR_UNKNOWN_PROPERTY);
	(void)bus_fixture_call_fails(fixture, property_message("Get", "a.b", "Number"),
				     DBUS_ERROR_UNKNOWN_INTERFACE);
	(void)bus_fixture_call_fails(fixture, property_message("GetAll", "a.b", NULL),
				     DBUS_ERROR_UNKNOWN_INTERFACE);
	(void)bus_fixture_call_fails(fixture, set_message(INTERFACE_THING, "Number"),
				     DBUS_ERROR_PROPERTY_READ_ONLY);
	(void)bus_fixture_call_fails(fixture, set_message(INTERFACE_THING, "Size"),
				     DBUS_ERROR_UNKNOWN_PROPERTY);
	(void)bus_fixture_call_fails(fixture, set_message("a.b", "Number"),
				     DBUS_ERROR_UNKNOWN_INTERFACE);
	thing.no_memory = true;
	(void)bus_fixture_call_fails(fixture, property_message("Get", INTERFACE_THING, "Number"),
				     DBUS_ERROR_NO_MEMORY);
	(void)bus_fixture_call_fails(fixture, property_message("GetAll", INTERFACE_THING, NULL),
				     DBUS_ERROR_NO_MEMORY);
	thing.no_memory = false;
	thing.object = bus_object_remove(thing.object);
}

static void test_get_all(void **state)
{
	static const struct {
		const char *interface;
		const char *keys;
	} cases[] = {
		{INTERFACE_THING, "Number Bytes Total "},
		{"", "Number Bytes Total "},
		{INTERFACE_OTHER, ""},
		{DBUS_INTERFACE_PROPERTIES, ""},
	};
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 7};

	add_thing(fixture, PATH_THING, &thing);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		DBusMessage *reply = bus_fixture_call(
			fixture, property_message("GetAll", cases[i].interface, NULL));
		DBusMessageIter iter;
		char keys[256];

		assert_true(dbus_message_has_signature(reply, "a{sv}"));
		dbus_message_iter_init(reply, &iter);
		(void)read_keys(&iter, keys, sizeof(keys));
		assert_string_equal(keys, cases[i].keys);
		dbus_message_unref(reply);
	}
	thing.object = bus_object_remove(thing.object);
}

static void test_changes_are_sent_once(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 7};
	DBusMessageIter iter;
	char keys[64];

	add_thing(fixture, PATH_THING, &thing);
	bus_fixture_settle(fixture);
	bus_fixture_forget_signals(fixture);
	thing.reads = 0;
	for (thing.number = 0; thing.number < 100; thing.number++) {
		bus_object_changed(thing.object, INTERFACE_THING, "Number", "Bytes", NULL);
	}
	bus_object_changed(thing.object, INTERFACE_THING, "Total", NULL);
	bus_fixture_settle(fixture);
	assert_int_equal(thing.reads, 1);
	assert_int_equal(fixture->signal_count, 1);
	assert_true(dbus_message_is_signal(fixture->signals[0], DBUS_INTERFACE_PROPERTIES,
					   "PropertiesChanged"));
	assert_true(dbus_message_has_path(fixture->signals[0], PATH_THING));
	assert_true(dbus_message_has_signature(fixture->signals[0], "sa{sv}as"));
	dbus_message_iter_init(fixture->signals[0], &iter);
	dbus_message_iter_next(&iter);
	assert_int_equal(read_keys(&iter, keys, sizeof(keys)), 2);
	assert_string_equal(keys, "Number Total ");
	thing.object = bus_object_remove(thing.object);
}

static void test_silent_and_removed_send_nothing(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 7};

	add_thing(fixture, PATH_THING, &thing);
	bus_object_changed(thing.object, INTERFACE_THING, "Bytes", NULL);
	bus_fixture_settle(fixture);
	bus_object_changed(thing.object, INTERFACE_THING, "Number", NULL);
	thing.object = bus_object_remove(thing.object);
	bus_fixture_settle(fixture);
	assert_int_equal(bus_fixture_count_signals(fixture, "PropertiesChanged"), 0);
	assert_int_equal(bus_fixture_count_signals(fixture, "InterfacesAdded"), 1);
	assert_int_equal(bus_fixture_count_signals(fixture, "InterfacesRemoved"), 1);
}

/* A change that found no memory goes out with the next one. */
static void test_change_without_memory(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 7};

	add_thing(fixture, PATH_THING, &thing);
	thing.no_memory = true;
	bus_object_changed(thing.object, INTERFACE_THING, "Number", NULL);
	bus_fixture_settle(fixture);
	assert_int_equal(bus_fixture_count_signals(fixture, "PropertiesChanged"), 0);
	thing.no_memory = false;
	bus_object_changed(thing.object, INTERFACE_THING, "Total", NULL);
	bus_fixture_settle(fixture);
	assert_int_equal(bus_fixture_count_signals(fixture, "PropertiesChanged"), 1);
	thing.object = bus_object_remove(thing.object);
}

static void test_added_and_removed(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 7};
	DBusMessageIter iter;
	const char *path;
	char keys[128];

	add_thing(fixture, PATH_THING, &thing);
	thing.object = bus_object_remove(thing.object);
	bus_fixture_settle(fixture);
	assert_int_equal(fixture->signal_count, 2);
	assert_true(dbus_message_is_signal(fixture->signals[0], OBJECT_MANAGER, "InterfacesAdded"));
	assert_true(dbus_message_has_path(fixture->signals[0], BUS_PATH_MANAGER));
	assert_true(dbus_message_has_signature(fixture->signals[0], "oa{sa{sv}}"));
	dbus_message_iter_init(fixture->signals[0], &iter);
	dbus_message_iter_get_basic(&iter, &path);
	assert_string_equal(path, PATH_THING);
	dbus_message_iter_next(&iter);
	(void)read_keys(&iter, keys, sizeof(keys));
	assert_string_equal(keys, INTERFACE_THING " " INTERFACE_OTHER " ");
	assert_true(
		dbus_message_is_signal(fixture->signals[1], OBJECT_MANAGER, "InterfacesRemoved"));
	assert_true(dbus_message_has_signature(fixture->signals[1], "oas"));
}

/* When the value can't be had, there is no half an object. */
static void test_add_without_memory(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.no_memory = true};

	assert_int_equal(
		bus_object_add(fixture->bus, PATH_THING, thing_interfaces, &thing, &thing.object),
		-ENOMEM);
	assert_null(thing.object);
	bus_fixture_settle(fixture);
	assert_int_equal(fixture->signal_count, 0);
	(void)bus_fixture_call_fails(fixture, add_message(PATH_THING, INTERFACE_THING),
				     DBUS_ERROR_UNKNOWN_OBJECT);
}

static int append_happened(DBusMessageIter *iter, void *userdata)
{
	dbus_uint32_t number = 5;

	return dbus_message_iter_append_basic(iter, DBUS_TYPE_UINT32, &number) &&
			       dbus_message_iter_append_basic(iter, DBUS_TYPE_STRING, userdata)
		       ? 0
		       : -ENOMEM;
}

static void test_emit(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 7};
	const char *why = "because";

	add_thing(fixture, PATH_THING, &thing);
	bus_fixture_settle(fixture);
	bus_fixture_forget_signals(fixture);
	assert_int_equal(bus_object_emit(thing.object, INTERFACE_THING, "Happened",
					 DBUS_TYPE_UINT32, &thing.number, DBUS_TYPE_STRING, &why,
					 DBUS_TYPE_INVALID),
			 0);
	assert_int_equal(bus_object_emit_with(thing.object, INTERFACE_THING, "Happened",
					      append_happened, &why),
			 0);
	assert_int_equal(bus_object_emit(thing.object, INTERFACE_THING, "Happened",
					 DBUS_TYPE_STRING, &why, DBUS_TYPE_INVALID),
			 -EINVAL);
	assert_int_equal(bus_object_emit(thing.object, INTERFACE_THING, "Never", DBUS_TYPE_INVALID),
			 -EINVAL);
	assert_int_equal(bus_object_emit_with(thing.object, INTERFACE_OTHER, "Happened",
					      append_happened, &why),
			 -EINVAL);
	bus_fixture_settle(fixture);
	assert_int_equal(fixture->signal_count, 2);
	assert_true(dbus_message_is_signal(fixture->signals[1], INTERFACE_THING, "Happened"));
	thing.object = bus_object_remove(thing.object);
}

static void introspect(struct bus_fixture *fixture, const char *path, char *text, size_t size)
{
	DBusMessage *reply = bus_fixture_call(
		fixture, bus_fixture_message(path, DBUS_INTERFACE_INTROSPECTABLE, "Introspect"));
	const char *xml = "";

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &xml, DBUS_TYPE_INVALID));
	(void)snprintf(text, size, "%s", xml);
	dbus_message_unref(reply);
}

static void test_introspection(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing manager = {.number = 0};
	struct thing thing = {.number = 7};
	char text[8192];

	assert_int_equal(bus_object_add(fixture->bus, BUS_PATH_MANAGER, manager_interfaces,
					&manager, &manager.object),
			 0);
	add_thing(fixture, PATH_THING, &thing);
	introspect(fixture, "/", text, sizeof(text));
	assert_non_null(strstr(text, "<node name=\"org\"/>"));
	assert_null(strstr(text, DBUS_INTERFACE_PROPERTIES));
	introspect(fixture, "/org/spaprd1/thing", text, sizeof(text));
	assert_non_null(strstr(text, "<node name=\"1\"/>"));
	introspect(fixture, BUS_PATH_MANAGER, text, sizeof(text));
	assert_non_null(strstr(text, OBJECT_MANAGER));
	assert_non_null(strstr(text, "<node name=\"thing\"/>"));
	introspect(fixture, PATH_THING, text, sizeof(text));
	assert_non_null(strstr(text, thing_interface.xml));
	assert_non_null(strstr(text, other_interface.xml));
	assert_non_null(strstr(text, DBUS_INTERFACE_PROPERTIES));
	assert_null(strstr(text, OBJECT_MANAGER));
	thing.object = bus_object_remove(thing.object);
	(void)bus_fixture_call_fails(fixture,
				     bus_fixture_message("/org/spaprd1/thing",
							 DBUS_INTERFACE_INTROSPECTABLE,
							 "Introspect"),
				     DBUS_ERROR_UNKNOWN_OBJECT);
	manager.object = bus_object_remove(manager.object);
}

/* libdbus answers Peer by itself. */
static void test_peer(void **state)
{
	struct bus_fixture *fixture = *state;

	bus_fixture_settle(fixture);
	(void)bus_fixture_call_fails(fixture, bus_fixture_message("/", DBUS_INTERFACE_PEER, "Pong"),
				     DBUS_ERROR_UNKNOWN_METHOD);
}

static void test_object_removed_by_its_handler(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 7};
	DBusMessage *reply;

	add_thing(fixture, PATH_THING, &thing);
	reply = bus_fixture_call(fixture,
				 bus_fixture_message(PATH_THING, INTERFACE_THING, "Close"));
	assert_int_equal(dbus_message_get_type(reply), DBUS_MESSAGE_TYPE_METHOD_RETURN);
	dbus_message_unref(reply);
	assert_null(thing.object);
}

#define MANY 5000

static void test_thousands_of_objects(void **state)
{
	static struct thing things[MANY];
	struct bus_fixture *fixture = *state;
	struct thing manager = {.number = 0};
	DBusMessageIter iter;
	DBusMessage *reply;
	char path[64];

	assert_int_equal(bus_object_add(fixture->bus, BUS_PATH_MANAGER, manager_interfaces,
					&manager, &manager.object),
			 0);
	dbus_bus_remove_match(fixture->client.connection,
			      "type='signal',path_namespace='" BUS_PATH_MANAGER "'", NULL);
	bus_fixture_settle(fixture);
	for (unsigned int i = 0; i < MANY; i++) {
		(void)snprintf(path, sizeof(path), "/org/spaprd1/space/%u/container/%u", i / 10, i);
		add_thing(fixture, path, &things[i]);
	}
	reply = bus_fixture_call(fixture, add_message(path, INTERFACE_THING));
	assert_int_equal(dbus_message_get_type(reply), DBUS_MESSAGE_TYPE_METHOD_RETURN);
	dbus_message_unref(reply);
	reply = bus_fixture_call(fixture, bus_fixture_message(BUS_PATH_MANAGER, OBJECT_MANAGER,
							      "GetManagedObjects"));
	assert_true(dbus_message_has_signature(reply, "a{oa{sa{sv}}}"));
	dbus_message_iter_init(reply, &iter);
	assert_int_equal(dbus_message_iter_get_element_count(&iter), MANY);
	dbus_message_unref(reply);
	(void)bus_fixture_call_fails(fixture,
				     bus_fixture_message(path, OBJECT_MANAGER, "GetManagedObjects"),
				     DBUS_ERROR_UNKNOWN_INTERFACE);
	for (unsigned int i = 0; i < MANY; i++) {
		things[i].object = bus_object_remove(things[i].object);
	}
	manager.object = bus_object_remove(manager.object);
	(void)bus_fixture_call_fails(
		fixture, bus_fixture_message("/org", DBUS_INTERFACE_INTROSPECTABLE, "Introspect"),
		DBUS_ERROR_UNKNOWN_OBJECT);
}

static void test_name_is_taken(void **state)
{
	struct bus_fixture *fixture = *state;
	struct bus *second = NULL;
	struct error error = {.code = ERROR_NONE};

	assert_int_equal(bus_connect_system(fixture->event, &second), 0);
	assert_int_equal(bus_request_name(second, BUS_NAME, &error), ERROR_BUSY);
	assert_non_null(strstr(error.text, BUS_NAME));
	assert_int_equal(bus_request_name(second, "org.freedesktop.DBus", &error), ERROR_KERNEL);
	second = bus_free(second);
}

/* Before the name is owned nobody is told anything. */
static void test_silence_without_the_name(void **state)
{
	struct bus_fixture *fixture = *state;
	struct bus *unnamed = NULL;
	struct bus_object *object = NULL;
	struct thing thing = {.number = 7};
	const char *why = "";

	assert_int_equal(bus_connect_system(fixture->event, &unnamed), 0);
	assert_int_equal(bus_object_add(unnamed, PATH_THING, thing_interfaces, &thing, &object), 0);
	bus_object_changed(object, INTERFACE_THING, "Number", NULL);
	assert_int_equal(
		bus_object_emit_with(object, INTERFACE_THING, "Happened", append_happened, &why),
		0);
	object = bus_object_remove(object);
	assert_false(dbus_connection_has_messages_to_send(bus_connection(unnamed)));
	unnamed = bus_free(unnamed);
	bus_fixture_settle(fixture);
	assert_int_equal(fixture->signal_count, 0);
}

static void handle_disconnected(struct bus *bus, void *userdata)
{
	assert_non_null(bus);
	*(bool *)userdata = true;
}

static void test_connection_is_lost(void **state)
{
	struct bus_fixture *fixture = *state;
	struct thing thing = {.number = 7};
	bool lost = false;

	add_thing(fixture, PATH_THING, &thing);
	bus_set_disconnected(fixture->bus, handle_disconnected, &lost);
	private_bus_stop(&fixture->daemon);
	bus_fixture_run_until(fixture, &lost);
	bus_object_changed(thing.object, INTERFACE_THING, "Number", NULL);
	while (sd_event_run(fixture->event, 0) > 0) {
	}
	thing.object = bus_object_remove(thing.object);
}

static void test_no_bus(void **state)
{
	struct bus_fixture *fixture = *state;
	struct bus *bus = NULL;

	private_bus_stop(&fixture->daemon);
	assert_int_equal(bus_connect_system(fixture->event, &bus), -ECONNREFUSED);
	assert_null(bus);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, bus_fixture_set_up, bus_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_set_up_and_tear_down),
		TEST(test_add_is_refused),
		TEST(test_call),
		TEST(test_unknown_things_are_named),
		TEST(test_wrong_signature_names_both),
		TEST(test_get),
		TEST(test_property_errors),
		TEST(test_get_all),
		TEST(test_changes_are_sent_once),
		TEST(test_silent_and_removed_send_nothing),
		TEST(test_change_without_memory),
		TEST(test_added_and_removed),
		TEST(test_add_without_memory),
		TEST(test_emit),
		TEST(test_introspection),
		TEST(test_peer),
		TEST(test_object_removed_by_its_handler),
		TEST(test_thousands_of_objects),
		TEST(test_name_is_taken),
		TEST(test_silence_without_the_name),
		TEST(test_connection_is_lost),
		TEST(test_no_bus),
	};

	return cmocka_run_group_tests_name("bus-object", tests, NULL, NULL);
}
