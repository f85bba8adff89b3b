/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The adapter alone: connections on the loop, without a bus of ours. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "test-bus-fixture.h"

struct loop_state {
	struct bus_fixture fixture; /* only daemon and event are in use */
	struct bus_client a;
	struct bus_client b;
	bool disconnected;
	bool received;
	size_t received_size;
};

static int set_up(void **state)
{
	struct loop_state *loop = calloc(1, sizeof(*loop));

	assert_non_null(loop);
	*state = loop;
	assert_int_equal(private_bus_start(&loop->fixture.daemon), 0);
	assert_true(sd_event_new(&loop->fixture.event) >= 0);
	bus_client_open(&loop->fixture, &loop->a);
	bus_client_open(&loop->fixture, &loop->b);
	return 0;
}

static int tear_down(void **state)
{
	struct loop_state *loop = *state;

	bus_client_close(&loop->a);
	bus_client_close(&loop->b);
	private_bus_stop(&loop->fixture.daemon);
	(void)sd_event_unref(loop->fixture.event);
	free(loop);
	dbus_shutdown();
	return 0;
}

static DBusHandlerResult receive(DBusConnection *connection, DBusMessage *message, void *userdata)
{
	struct loop_state *loop = userdata;
	const char *bytes;
	int size;

	(void)connection;
	if (dbus_message_is_signal(message, DBUS_INTERFACE_LOCAL, "Disconnected")) {
		loop->disconnected = true;
		return DBUS_HANDLER_RESULT_HANDLED;
	}
	if (dbus_message_get_type(message) != DBUS_MESSAGE_TYPE_METHOD_CALL) {
		return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
	}
	if (dbus_message_get_args(message, NULL, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &bytes, &size,
				  DBUS_TYPE_INVALID)) {
		loop->received_size = (size_t)size;
		loop->received = true;
	}
	return DBUS_HANDLER_RESULT_HANDLED; /* and no reply */
}

static void handle_pending(DBusPendingCall *pending, void *userdata)
{
	(void)pending;
	*(bool *)userdata = true;
}

static DBusPendingCall *send_to_b(struct loop_state *loop, const char *member, size_t size,
				  int timeout, bool *done)
{
	DBusMessage *message = dbus_message_new_method_call(
		dbus_bus_get_unique_name(loop->b.connection), "/", "org.example.Test", member);
	DBusPendingCall *pending = NULL;

	if (size > 0) {
		char *bytes = calloc(1, size);

		assert_true(dbus_message_append_args(message, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE,
						     &bytes, (int)size, DBUS_TYPE_INVALID));
		free(bytes);
	}
	assert_true(
		dbus_connection_send_with_reply(loop->a.connection, message, &pending, timeout));
	assert_true(dbus_pending_call_set_notify(pending, handle_pending, done, NULL));
	dbus_message_unref(message);
	return pending;
}

static void test_set_up_and_tear_down(void **state)
{
	struct loop_state *loop = *state;

	assert_true(dbus_connection_get_is_connected(loop->a.connection));
	assert_null(bus_loop_free(NULL));
}

/* All that the daemon had to say before has arrived, too. */
static void ask_daemon(struct loop_state *loop, struct bus_client *client)
{
	DBusMessage *message = dbus_message_new_method_call(DBUS_SERVICE_DBUS, DBUS_PATH_DBUS,
							    DBUS_INTERFACE_DBUS, "GetId");
	DBusPendingCall *pending = NULL;
	bool done = false;

	assert_true(dbus_connection_send_with_reply(client->connection, message, &pending, -1));
	assert_true(dbus_pending_call_set_notify(pending, handle_pending, &done, NULL));
	bus_fixture_run_until(&loop->fixture, &done);
	dbus_pending_call_unref(pending);
	dbus_message_unref(message);
}

static void test_call_is_answered(void **state)
{
	struct loop_state *loop = *state;

	ask_daemon(loop, &loop->a);
	ask_daemon(loop, &loop->b);
}

/* The socket takes far less at once: the write watch must carry the rest. */
static void test_message_larger_than_the_socket(void **state)
{
	struct loop_state *loop = *state;
	DBusPendingCall *pending;
	bool done = false;

	assert_true(dbus_connection_add_filter(loop->b.connection, receive, loop, NULL));
	pending = send_to_b(loop, "Take", 8U << 20, -1, &done);
	assert_true(dbus_connection_has_messages_to_send(loop->a.connection));
	bus_fixture_run_until(&loop->fixture, &loop->received);
	assert_int_equal(loop->received_size, 8U << 20);
	dbus_pending_call_cancel(pending);
	dbus_pending_call_unref(pending);
}

static void test_timeouts_fire(void **state)
{
	static const int milliseconds[3] = {60000, 60, 20};
	struct loop_state *loop = *state;
	DBusPendingCall *pending[3];
	bool done[3] = {false, false, false};

	assert_true(dbus_connection_add_filter(loop->b.connection, receive, loop, NULL));
	for (int i = 0; i < 3; i++) {
		pending[i] = send_to_b(loop, "Ignore", 0, milliseconds[i], &done[i]);
	}
	for (int i = 2; i > 0; i--) {
		DBusMessage *reply;

		bus_fixture_run_until(&loop->fixture, &done[i]);
		reply = dbus_pending_call_steal_reply(pending[i]);
		assert_true(dbus_message_is_error(reply, DBUS_ERROR_NO_REPLY));
		dbus_message_unref(reply);
		dbus_pending_call_unref(pending[i]);
	}
	assert_false(done[0]);
	dbus_pending_call_cancel(pending[0]);
	dbus_pending_call_unref(pending[0]);
}

/* libdbus drops both watches of the fd while one of them is handled. */
static void test_daemon_goes_away(void **state)
{
	struct loop_state *loop = *state;
	DBusPendingCall *pending;
	bool done = false;

	assert_true(dbus_connection_add_filter(loop->a.connection, receive, loop, NULL));
	pending = send_to_b(loop, "Ignore", 0, -1, &done);
	private_bus_stop(&loop->fixture.daemon);
	bus_fixture_run_until(&loop->fixture, &loop->disconnected);
	assert_false(dbus_connection_get_is_connected(loop->a.connection));
	dbus_pending_call_unref(pending);
	while (sd_event_run(loop->fixture.event, 0) > 0) {
	}
}

static void run_until_idle(struct loop_state *loop)
{
	unsigned int rounds = 0;

	while (sd_event_run(loop->fixture.event, 0) > 0) {
		assert_true(rounds++ < 1000);
	}
}

/* A loop with nothing to do sleeps: no source stays ready. */
static void test_idle_loop_sleeps(void **state)
{
	struct loop_state *loop = *state;

	ask_daemon(loop, &loop->a);
	ask_daemon(loop, &loop->b);
	run_until_idle(loop);
	assert_int_equal(sd_event_run(loop->fixture.event, 20000), 0);
}

static void test_freed_with_all_under_way(void **state)
{
	struct loop_state *loop = *state;
	DBusPendingCall *pending;
	bool done = false;

	pending = send_to_b(loop, "Take", 8U << 20, 30, &done);
	loop->a.loop = bus_loop_free(loop->a.loop);
	run_until_idle(loop);
	assert_true(dbus_connection_has_messages_to_send(loop->a.connection));
	assert_int_equal(bus_loop_new(loop->fixture.event, loop->a.connection, &loop->a.loop), 0);
	bus_fixture_run_until(&loop->fixture, &done);
	dbus_pending_call_unref(pending);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_set_up_and_tear_down, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_call_is_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_message_larger_than_the_socket, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_timeouts_fire, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon_goes_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_idle_loop_sleeps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_freed_with_all_under_way, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("bus-loop", tests, NULL, NULL);
}
