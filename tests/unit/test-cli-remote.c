/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls to a peer that is not spaprd, on a bus of the test's own. The peer's answers depend on the
 * object path, or for DMA on the device's name: right ones, ones of another type, ones with
 * impossible values; or it ends without an answer.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/remote.h"
#include "common/names.h"
#include "support/private_bus.h"
#include "unit.h"

#define RIGHT  "/right"
#define TYPE   "/type"
#define VALUE  "/value"
#define VANISH "/vanish"

static const struct model_window any_window = {.range = {.start = REMOTE_ANY_START}};

/* -- the peer -- */

/* The path, or the device for the calls about DMA, which go to the manager. */
static const char *find_mode(DBusMessage *call)
{
	const char *path = dbus_message_get_path(call);
	const char *device = NULL;
	DBusMessageIter iter;

	if (strcmp(path, BUS_PATH_MANAGER) != 0 || !dbus_message_iter_init(call, &iter) ||
	    dbus_message_iter_get_arg_type(&iter) != DBUS_TYPE_STRING) {
		return path;
	}
	dbus_message_iter_get_basic(&iter, &device);
	return device;
}

static dbus_bool_t append_path(DBusMessage *reply)
{
	const char *path = "/org/spaprd1/space/3/container/1";

	return dbus_message_append_args(reply, DBUS_TYPE_OBJECT_PATH, &path, DBUS_TYPE_INVALID);
}

static dbus_bool_t append_window(DBusMessage *reply, bool right)
{
	dbus_uint64_t start = UINT64_C(1) << 59;
	dbus_uint64_t size = right ? 0x1000000 : 0;
	dbus_uint32_t page_shift = 16;
	dbus_uint32_t levels = 2;

	return dbus_message_append_args(reply, DBUS_TYPE_UINT64, &start, DBUS_TYPE_UINT64, &size,
					DBUS_TYPE_UINT32, &page_shift, DBUS_TYPE_UINT32, &levels,
					DBUS_TYPE_INVALID);
}

/* Two mappings; or, when asked for at most one, half a mapping; or one that has no size. */
static dbus_bool_t append_mappings(DBusMessage *call, DBusMessage *reply, bool right)
{
	static const dbus_uint64_t quads[] = {0x1000, 0x2000, 0x3000, 3, 0x8000, 0, 0x1000, 1};
	static const dbus_uint64_t empty[] = {0x1000, 0x2000, 0, 3};
	const dbus_uint64_t *numbers = right ? quads : empty;
	dbus_uint64_t from = 0;
	dbus_uint32_t most = 0;
	int count = right ? 8 : 4;

	(void)dbus_message_get_args(call, NULL, DBUS_TYPE_UINT64, &from, DBUS_TYPE_UINT32, &most,
				    DBUS_TYPE_INVALID);
	if (!right && most == 1) {
		count = 2;
	}
	return dbus_message_append_args(reply, DBUS_TYPE_ARRAY, DBUS_TYPE_UINT64, &numbers, count,
					DBUS_TYPE_INVALID);
}

static dbus_bool_t append_bytes(DBusMessage *reply, bool right)
{
	const char *bytes = "bytes";

	return dbus_message_append_args(reply, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &bytes,
					right ? 5 : 4, DBUS_TYPE_INVALID);
}

static dbus_bool_t append_answer(DBusMessage *call, DBusMessage *reply, bool right)
{
	const char *method = dbus_message_get_member(call);
	dbus_uint32_t id = 9;

	if (strcmp(method, "AttachGroup") == 0) {
		return append_path(reply);
	}
	if (strcmp(method, "AddMemory") == 0) {
		return dbus_message_append_args(reply, DBUS_TYPE_UINT32, &id, DBUS_TYPE_INVALID);
	}
	if (strcmp(method, "CreateWindow") == 0) {
		return append_window(reply, right);
	}
	if (strcmp(method, "ListMappings") == 0) {
		return append_mappings(call, reply, right);
	}
	return strcmp(method, "DmaRead") != 0 || append_bytes(reply, right);
}

static DBusHandlerResult handle_message(DBusConnection *connection, DBusMessage *message,
					void *userdata)
{
	dbus_bool_t strange = TRUE;
	const char *mode;
	DBusMessage *reply;

	(void)userdata;
	if (dbus_message_get_type(message) != DBUS_MESSAGE_TYPE_METHOD_CALL) {
		return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
	}
	mode = find_mode(message);
	if (strcmp(mode, VANISH) == 0) {
		_exit(0);
	}
	reply = dbus_message_new_method_return(message);
	if (strcmp(mode, TYPE) == 0) {
		(void)dbus_message_append_args(reply, DBUS_TYPE_BOOLEAN, &strange,
					       DBUS_TYPE_INVALID);
	} else {
		(void)append_answer(message, reply, strcmp(mode, RIGHT) == 0);
	}
	(void)dbus_connection_send(connection, reply, NULL);
	dbus_message_unref(reply);
	return DBUS_HANDLER_RESULT_HANDLED;
}

__attribute__((noreturn)) static void run_peer(int ready)
{
	DBusConnection *connection;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	connection = dbus_bus_get_private(DBUS_BUS_SYSTEM, NULL);
	if (!connection || !dbus_connection_add_filter(connection, handle_message, NULL, NULL) ||
	    dbus_bus_request_name(connection, BUS_NAME, 0, NULL) < 0 || write(ready, "", 1) != 1) {
		_exit(1);
	}
	while (dbus_connection_read_write_dispatch(connection, -1)) {
	}
	_exit(0);
}

/* -- the test's world -- */

struct world {
	struct private_bus bus;
	struct client *client;
	pid_t peer;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct error error;

	assert_non_null(world);
	world->bus = PRIVATE_BUS_NONE;
	assert_int_equal(private_bus_start(&world->bus), 0);
	assert_int_equal(client_new(&world->client, &error), 0);
	*state = world;
	return 0;
}

static int set_up_peer(void **state)
{
	struct world *world;
	int ready[2];
	char byte;

	(void)set_up(state);
	world = *state;
	assert_int_equal(pipe(ready), 0);
	world->peer = fork();
	assert_true(world->peer >= 0);
	if (world->peer == 0) {
		run_peer(ready[1]);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	world->client = client_free(world->client);
	if (world->peer > 0) {
		(void)kill(world->peer, SIGKILL);
		(void)waitpid(world->peer, NULL, 0);
	}
	private_bus_stop(&world->bus);
	free(world);
	dbus_shutdown(); /* libdbus would remember the address of this test's bus */
	return 0;
}

/* -- tests -- */

static void test_nobody_is_there(void **state)
{
	struct world *world = *state;
	struct model *model = NULL;
	struct error error;

	assert_false(client_is_unreachable(world->client));
	assert_int_equal(remote_read_model(world->client, &model, &error), ERROR_KERNEL);
	assert_true(client_is_unreachable(world->client));
	assert_non_null(strstr(error.text, "spaprd is not running"));
}

static void test_no_bus(void **state)
{
	struct world *world = *state;
	struct client *client = NULL;
	struct error error;

	private_bus_stop(&world->bus);
	assert_int_equal(client_new(&client, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, "can't reach the bus that DBUS_SYSTEM_BUS_ADDRESS"));
	assert_null(client);
	/* A connection from before. */
	assert_int_equal(remote_close_space(world->client, RIGHT, &error), ERROR_KERNEL);
	assert_true(client_is_unreachable(world->client));
}

static void test_right_answers(void **state)
{
	struct world *world = *state;
	struct remote_mapping mapping = {.range = {0, 0x1000}};
	struct remote_mappings mappings = {.count = 0};
	struct model_window window = {.levels = 0};
	struct range gpa = {0, 0x1000};
	char *container = NULL;
	uint32_t id = 0;
	char bytes[5];
	struct error error;

	assert_int_equal(remote_attach_group(world->client, RIGHT, 1, &container, &error), 0);
	assert_string_equal(container, "/org/spaprd1/space/3/container/1");
	free(container);
	assert_int_equal(remote_add_memory(world->client, RIGHT, 0, 0, gpa, 0, &id, &error), 0);
	assert_int_equal(id, 9);
	assert_int_equal(remote_create_window(world->client, RIGHT, &any_window, &window, &error),
			 0);
	assert_int_equal(window.range.size, 0x1000000);
	assert_int_equal(window.levels, 2);
	assert_int_equal(remote_map(world->client, RIGHT, &mapping, &error), 0);
	assert_int_equal(remote_list_mappings(world->client, RIGHT, 9, &mappings, &error), 0);
	assert_int_equal(mappings.count, 2);
	assert_int_equal(mappings.items[0].range.size, 0x3000);
	assert_int_equal(mappings.items[1].prot, 1);
	free(mappings.items);
	assert_int_equal(remote_dma_write(world->client, RIGHT, 0, "x", 1, &error), 0);
	assert_int_equal(remote_dma_read(world->client, RIGHT, 0, bytes, 5, &error), 0);
	assert_memory_equal(bytes, "bytes", 5);
	assert_int_equal(remote_close_space(world->client, RIGHT, &error), 0);
}

static void check_not_right(int r, const struct error *error)
{
	assert_int_equal(r, ERROR_KERNEL);
	assert_non_null(strstr(error->text, "spaprd's answer can't be right"));
}

static void test_answers_of_another_type(void **state)
{
	struct world *world = *state;
	struct client *client = world->client;
	struct remote_mapping mapping = {.range = {0, 0x1000}};
	struct remote_mappings mappings = {.count = 0};
	struct model_window window = {.levels = 0};
	struct range gpa = {0, 0x1000};
	char *container = NULL;
	uint32_t id = 0;
	char bytes[5];
	struct error error;

	check_not_right(remote_attach_group(client, TYPE, 1, &container, &error), &error);
	check_not_right(remote_add_memory(client, TYPE, 0, 0, gpa, 0, &id, &error), &error);
	check_not_right(remote_create_window(client, TYPE, &any_window, &window, &error), &error);
	check_not_right(remote_map(client, TYPE, &mapping, &error), &error);
	check_not_right(remote_list_mappings(client, TYPE, 9, &mappings, &error), &error);
	check_not_right(remote_dma_write(client, TYPE, 0, "x", 1, &error), &error);
	check_not_right(remote_dma_read(client, TYPE, 0, bytes, 5, &error), &error);
	check_not_right(remote_close_space(client, TYPE, &error), &error);
	assert_null(container);
	assert_null(mappings.items);
	assert_false(client_is_unreachable(client));
}

static void test_impossible_answers(void **state)
{
	struct world *world = *state;
	struct client *client = world->client;
	struct remote_mappings mappings = {.count = 0};
	struct model_window window = {.levels = 7};
	char bytes[5];
	struct error error;

	check_not_right(remote_create_window(client, VALUE, &any_window, &window, &error), &error);
	assert_int_equal(window.levels, 7);
	check_not_right(remote_list_mappings(client, VALUE, 1, &mappings, &error), &error);
	check_not_right(remote_list_mappings(client, VALUE, 9, &mappings, &error), &error);
	check_not_right(remote_dma_read(client, VALUE, 0, bytes, 5, &error), &error);
	assert_null(mappings.items);
}

static void test_peer_ends(void **state)
{
	struct world *world = *state;
	struct error error;

	assert_int_equal(remote_close_space(world->client, VANISH, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, "spaprd ended before it answered Close"));
	assert_true(client_is_unreachable(world->client));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nobody_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_bus, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_right_answers, set_up_peer, tear_down),
		cmocka_unit_test_setup_teardown(test_answers_of_another_type, set_up_peer,
						tear_down),
		cmocka_unit_test_setup_teardown(test_impossible_answers, set_up_peer, tear_down),
		cmocka_unit_test_setup_teardown(test_peer_ends, set_up_peer, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
