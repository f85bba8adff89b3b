/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The broker's objects on the bus, over workers that may lie. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service_fixture.h"

/* A client that keeps what InterfacesAdded says must not believe that nobody owns the space. */
static void test_owner_in_signals(void **state)
{
	struct bus_client other;
	DBusPendingCall *pending = NULL;
	DBusMessage *message = create_message(true);
	const char *owner;

	(void)state;
	assert_int_equal(setenv(ENV_ROLE, "honest", 1), 0);
	bus_client_open(stage.bus, &other);
	owner = dbus_bus_get_unique_name(other.connection);
	assert_true(dbus_connection_send_with_reply(other.connection, message, &pending, 10000));
	dbus_message_unref(message);
	while (!dbus_pending_call_get_completed(pending)) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	dbus_pending_call_unref(pending);
	(void)unsetenv(ENV_ROLE);
	bus_fixture_settle(stage.bus);
	assert_true(last_signal_has("InterfacesAdded", owner));
	assert_int_equal(bus_fixture_count_signals(stage.bus, "PropertiesChanged"), 0);
	bus_client_close(&other);
	while (bus_fixture_count_signals(stage.bus, "PropertiesChanged") == 0) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	assert_true(last_signal_has("PropertiesChanged", "Owner"));
	assert_non_null(stage.manager->spaces);
}

static void test_honest_worker(void **state)
{
	struct space *space = create("honest");

	(void)state;
	dbus_message_unref(bus_fixture_call(stage.bus, attach_message(space, GROUP)));
	assert_int_equal(space->container_count, 1);
	assert_ptr_equal(stage.manager->groups[0]->space, space);
}

static void handle_return(DBusPendingCall *pending, void *userdata)
{
	unsigned int *changes = userdata;

	(void)pending;
	*changes = bus_fixture_count_signals(stage.bus, "PropertiesChanged");
}

/* A client that keeps properties has the new ones when its call returns: space and group. */
static void test_changes_before_the_return(void **state)
{
	DBusMessage *message = attach_message(create("honest"), GROUP);
	DBusPendingCall *pending = NULL;
	unsigned int changes = 0;

	(void)state;
	assert_true(dbus_connection_send_with_reply(stage.bus->client.connection, message, &pending,
						    10000));
	dbus_message_unref(message);
	assert_true(dbus_pending_call_set_notify(pending, handle_return, &changes, NULL));
	while (!dbus_pending_call_get_completed(pending)) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	dbus_pending_call_unref(pending);
	assert_int_equal(changes, 2);
}

/* libdbus reads nothing more, for nobody, while messages of more than 63 MiB are held. */
static void test_long_calls_that_wait_stall_nobody(void **state)
{
	const int count = 4 * 1000000;
	dbus_uint64_t *numbers = calloc((size_t)count, sizeof(*numbers));
	struct space *space = create("honest");
	DBusPendingCall *pending[3] = {NULL};
	dbus_uint32_t group = GROUP;
	DBusMessage *message;

	(void)state;
	assert_non_null(numbers);
	worker_process_kill(space->worker, SIGSTOP);
	for (size_t i = 0; i < 3; i++) {
		message = space_message(space, "MapMany");
		assert_true(dbus_message_append_args(message, DBUS_TYPE_ARRAY, DBUS_TYPE_UINT64,
						     &numbers, count, DBUS_TYPE_INVALID));
		assert_true(dbus_connection_send_with_reply(stage.bus->client.connection, message,
							    &pending[i], 60000));
		dbus_message_unref(message);
	}
	free(numbers);
	message = dbus_message_new_method_call(BUS_NAME, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER,
					       "GetGroup");
	assert_true(dbus_message_append_args(message, DBUS_TYPE_UINT32, &group, DBUS_TYPE_INVALID));
	succeed(message);
	worker_process_kill(space->worker, SIGKILL);
	for (size_t i = 0; i < 3; i++) {
		while (!dbus_pending_call_get_completed(pending[i])) {
			assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
		}
		dbus_pending_call_unref(pending[i]);
	}
}

static bool balloon_is_inhibited(const struct space *space)
{
	const char *interface = BUS_INTERFACE_SPACE;
	const char *name = "BalloonInhibited";
	char path[64];
	DBusMessage *message;
	DBusMessage *answer;
	DBusMessageIter iter;
	DBusMessageIter value;
	dbus_bool_t inhibited = FALSE;

	(void)snprintf(path, sizeof(path), BUS_PATH_SPACE_PREFIX "%u", space->number);
	message = bus_fixture_message(path, DBUS_INTERFACE_PROPERTIES, "Get");
	assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &interface,
					     DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID));
	answer = bus_fixture_call(stage.bus, message);
	assert_true(dbus_message_iter_init(answer, &iter));
	dbus_message_iter_recurse(&iter, &value);
	dbus_message_iter_get_basic(&value, &inhibited);
	dbus_message_unref(answer);
	return inhibited;
}

/* Memory is locked when there are both sections and a container; and that is told. */
static void test_balloon(void **state)
{
	struct space *space = create("honest");

	(void)state;
	add_memory(space, 0);
	assert_false(balloon_is_inhibited(space));
	bus_fixture_forget_signals(stage.bus);
	succeed(attach_message(space, GROUP));
	assert_true(balloon_is_inhibited(space));
	assert_true(signals_of_have(space, "BalloonInhibited"));
	bus_fixture_forget_signals(stage.bus);
	detach_group(space, GROUP);
	assert_false(balloon_is_inhibited(space));
	assert_true(signals_of_have(space, "BalloonInhibited"));
}

/* What no container has, and memory of another device, is nothing to be given away. */
static void test_balloon_without_ram(void **state)
{
	struct space *skipped = create("honest");
	struct space *device;

	(void)state;
	add_memory(skipped, WORKER_MEMORY_SKIPPED);
	succeed(attach_message(skipped, GROUP));
	assert_false(balloon_is_inhibited(skipped));
	device = create("honest");
	add_memory(device, WORKER_MEMORY_RAM_DEVICE);
	succeed(attach_message(device, OTHER_GROUP));
	assert_false(balloon_is_inhibited(device));
}

/* All devices of each group have to allow it. */
static void test_balloon_allowed(void **state)
{
	static const char *const names[] = {OTHER_DEVICE, DEVICE, NULL};
	static const char *const none[] = {NULL};
	const struct option allowed = {"balloon-allowed", "as", .names = names};
	const struct option empty = {"balloon-allowed", "as", .names = none};
	struct space *space = create("honest");

	(void)state;
	add_memory(space, 0);
	succeed(attach_message_with(space, GROUP, &allowed));
	assert_false(balloon_is_inhibited(space));
	succeed(attach_message_with(space, OTHER_GROUP, &empty));
	assert_true(balloon_is_inhibited(space));
}

/* What LockedBytes is made of. */
static void test_locked(void **state)
{
	const char *interface = BUS_INTERFACE_SPACE;
	const char *name = "Locked";
	struct space *space = create("honest");
	uint64_t sum = 0;
	unsigned int count = 0;
	char path[64];
	DBusMessage *message;
	DBusMessage *answer;
	DBusMessageIter iter;
	DBusMessageIter value;
	DBusMessageIter entries;

	(void)state;
	(void)snprintf(path, sizeof(path), BUS_PATH_SPACE_PREFIX "%u", space->number);
	message = bus_fixture_message(path, DBUS_INTERFACE_PROPERTIES, "Get");
	assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &interface,
					     DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID));
	answer = bus_fixture_call(stage.bus, message);
	assert_true(dbus_message_iter_init(answer, &iter));
	dbus_message_iter_recurse(&iter, &value);
	dbus_message_iter_recurse(&value, &entries);
	while (dbus_message_iter_get_arg_type(&entries) == DBUS_TYPE_DICT_ENTRY) {
		static const char *const names[] = {"pins", "tables", "leaks"};
		const char *component = NULL;
		dbus_uint64_t bytes = 0;
		DBusMessageIter entry;

		dbus_message_iter_recurse(&entries, &entry);
		dbus_message_iter_get_basic(&entry, &component);
		(void)dbus_message_iter_next(&entry);
		dbus_message_iter_get_basic(&entry, &bytes);
		assert_string_equal(component, count < 3 ? names[count] : "");
		count++;
		sum = sum * 1000 + bytes;
		(void)dbus_message_iter_next(&entries);
	}
	assert_int_equal(sum, 1020300);
	dbus_message_unref(answer);
	assert_int_equal(space_locked_bytes(space), 321);
}

/* -- lies -- */

/* A description that can't be true ends its worker, and nobody else's. */
static void test_lies(void **state)
{
	static const char *const roles[] = {"thief", "stranger", "text",      "endless", "nameless",
					    "empty", "crowd",    "stutterer", "double"};
	struct space *honest = create("honest");

	(void)state;
	dbus_message_unref(bus_fixture_call(stage.bus, attach_message(honest, OTHER_GROUP)));
	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
		struct space *liar = create(roles[i]);

		(void)bus_fixture_call_fails(stage.bus, attach_message(liar, GROUP),
					     BUS_ERROR_PREFIX "WorkerLost");
		run_until_gone(liar);
		assert_ptr_equal(stage.manager->spaces, honest);
		assert_ptr_equal(stage.manager->groups[1]->space, honest);
		assert_null(stage.manager->groups[0]->space);
	}
	assert_int_equal(honest->container_count, 1);
}

/* Two containers with one name; that takes two groups. */
static void test_lie_about_two_containers(void **state)
{
	const struct option own = {"own-container", "b", {.bool_val = TRUE}, NULL};
	struct space *liar = create("twin");

	(void)state;
	succeed(attach_message_with(liar, GROUP, &own));
	(void)bus_fixture_call_fails(stage.bus, attach_message_with(liar, OTHER_GROUP, &own),
				     BUS_ERROR_PREFIX "WorkerLost");
	run_until_gone(liar);
	assert_null(stage.manager->groups[0]->space);
	assert_null(stage.manager->groups[1]->space);
}

/* What waits when spaprd itself ends is answered, and so does not leak. */
static void test_end_with_calls_waiting(void **state)
{
	struct worker_map map = {.size = 4096};
	struct space *space = create("silent");

	(void)state;
	assert_int_equal(space_request(space, WORKER_MAP, &map, sizeof(map), NULL, 0, handle_answer,
				       NULL, NULL),
			 0);
	assert_int_equal(space_request(space, WORKER_CREATE_WINDOW, &(struct worker_window){0},
				       sizeof(struct worker_window), NULL, 0, handle_answer, NULL,
				       NULL),
			 0);
	assert_int_equal(space_close(space, handle_answer, NULL, NULL), 0);
	stage.service = service_free(stage.service);
	stage.manager = manager_free(stage.manager);
	assert_int_equal(stage.answers, 3);
	assert_int_equal(stage.last_code, ERROR_WORKER_LOST);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, service_fixture_set_up, service_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_owner_in_signals),
		TEST(test_honest_worker),
		TEST(test_changes_before_the_return),
		TEST(test_long_calls_that_wait_stall_nobody),
		TEST(test_balloon),
		TEST(test_balloon_without_ram),
		TEST(test_balloon_allowed),
		TEST(test_locked),
		TEST(test_lies),
		TEST(test_lie_about_two_containers),
		TEST(test_end_with_calls_waiting),
	};

	return service_fixture_main("service", tests);
}
