/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "test-bus-fixture.h"

#define INTERFACE_PEN "org.spaprd1.Pen"
#define PATH_PEN      "/org/spaprd1/pen"

/* Keeps one call and says that it came. */
struct pen {
	struct bus_object *object;
	struct bus_call *kept;
	bool came;
	int fd;
	int append_result;
};

static void handle_keep(struct bus_call *call, void *object)
{
	struct pen *pen = object;

	pen->kept = call;
	pen->came = true;
}

static void handle_take(struct bus_call *call, void *object)
{
	struct pen *pen = object;
	dbus_uint64_t size = 0;

	assert_int_equal(bus_call_read(call, DBUS_TYPE_UNIX_FD, &pen->fd, DBUS_TYPE_UINT64, &size,
				       DBUS_TYPE_INVALID),
			 0);
	bus_call_reply(call, DBUS_TYPE_UNIX_FD, &pen->fd, DBUS_TYPE_INVALID);
}

/* Runs out of fds for the second argument. */
static void handle_take_two(struct bus_call *call, void *object)
{
	struct rlimit limit;
	struct rlimit low;
	int first = dup(STDOUT_FILENO);
	int fds[2] = {100, 100};

	(void)object;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)first + 1;
	(void)close(first);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(bus_call_read(call, DBUS_TYPE_UNIX_FD, &fds[0], DBUS_TYPE_UNIX_FD, &fds[1],
				       DBUS_TYPE_INVALID),
			 -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(fds[0], -1);
	assert_int_equal(fds[1], -1);
	assert_int_equal(fcntl(first, F_GETFD), -1);
	bus_call_reply(call, DBUS_TYPE_INVALID);
}

/* Is sent the index of an fd, and no fd. */
static void handle_take_none(struct bus_call *call, void *object)
{
	dbus_uint64_t size = 0;
	int fd = 100;

	(void)object;
	assert_int_equal(bus_call_read(call, DBUS_TYPE_UNIX_FD, &fd, DBUS_TYPE_UINT64, &size,
				       DBUS_TYPE_INVALID),
			 -EBADF);
	assert_int_equal(fd, -1);
	bus_call_reply(call, DBUS_TYPE_INVALID);
}

static int append_with_result(DBusMessageIter *iter, void *userdata)
{
	struct pen *pen = userdata;
	const char *text = "written";

	return dbus_message_iter_append_basic(iter, DBUS_TYPE_STRING, &text) ? pen->append_result
									     : -ENOMEM;
}

static void handle_write(struct bus_call *call, void *object)
{
	bus_call_reply_with(call, append_with_result, object);
}

static void handle_wrong(struct bus_call *call, void *object)
{
	dbus_uint32_t number = 1;

	(void)object;
	bus_call_reply(call, DBUS_TYPE_UINT32, &number, DBUS_TYPE_INVALID);
}

static void handle_big(struct bus_call *call, void *object)
{
	int size = 16 << 20;
	char *bytes = calloc(1, (size_t)size);

	(void)object;
	assert_non_null(bytes);
	bus_call_reply(call, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &bytes, size, DBUS_TYPE_INVALID);
	free(bytes);
}

/* Reads nothing, and keeps the call without its fds. */
static void handle_keep_without_fds(struct bus_call *call, void *object)
{
	bus_call_drop_arguments(call);
	handle_keep(call, object);
}

static const struct bus_method methods[] = {
	{"KeepWithoutFds", "h", "", handle_keep_without_fds},
	{"Keep", "s", "s", handle_keep},
	{"Take", "ht", "h", handle_take},
	{"TakeTwo", "hh", "", handle_take_two},
	{"TakeNone", "ht", "", handle_take_none},
	{"Write", "", "s", handle_write},
	{"Wrong", "", "s", handle_wrong},
	{"Big", "", "ay", handle_big},
	{NULL, NULL, NULL, NULL},
};

static const struct bus_interface interface = {.name = INTERFACE_PEN,
					       .methods = methods,
					       .xml = "<interface name=\"" INTERFACE_PEN "\"/>"};

static const struct bus_interface *const interfaces[] = {&interface, NULL};

static void add_pen(struct bus_fixture *fixture, struct pen *pen)
{
	pen->fd = -1;
	assert_int_equal(bus_object_add(fixture->bus, PATH_PEN, interfaces, pen, &pen->object), 0);
}

static DBusMessage *pen_message(const char *member)
{
	return bus_fixture_message(PATH_PEN, INTERFACE_PEN, member);
}

static DBusMessage *keep_message(void)
{
	DBusMessage *message = pen_message("Keep");
	const char *text = "for later";

	assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID));
	return message;
}

/* Have the pen keep a call, which the client awaits. */
static DBusPendingCall *send_keep(struct bus_fixture *fixture, struct pen *pen)
{
	DBusMessage *message = keep_message();
	DBusPendingCall *pending = NULL;

	pen->came = false;
	assert_true(
		dbus_connection_send_with_reply(fixture->client.connection, message, &pending, -1));
	dbus_message_unref(message);
	bus_fixture_run_until(fixture, &pen->came);
	return pending;
}

static DBusMessage *wait_reply(struct bus_fixture *fixture, DBusPendingCall *pending)
{
	DBusMessage *reply;

	while (!dbus_pending_call_get_completed(pending)) {
		assert_true(sd_event_run(fixture->event, 10000000) > 0);
	}
	reply = dbus_pending_call_steal_reply(pending);
	dbus_pending_call_unref(pending);
	return reply;
}

static void test_dropped_fds(void **state)
{
	struct bus_fixture *fixture = *state;
	struct pen pen = {.fd = -1};
	DBusMessage *message = bus_fixture_message(PATH_PEN, INTERFACE_PEN, "KeepWithoutFds");
	DBusPendingCall *pending = NULL;
	DBusMessage *reply;
	int ends[2];
	char byte;

	add_pen(fixture, &pen);
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	assert_true(
		dbus_message_append_args(message, DBUS_TYPE_UNIX_FD, &ends[1], DBUS_TYPE_INVALID));
	(void)close(ends[1]);
	assert_true(
		dbus_connection_send_with_reply(fixture->client.connection, message, &pending, -1));
	dbus_message_unref(message);
	bus_fixture_run_until(fixture, &pen.came);
	bus_fixture_settle(fixture);
	/* Nobody has the end to write any more. */
	assert_int_equal(read(ends[0], &byte, 1), 0);
	(void)close(ends[0]);
	assert_string_equal(bus_call_sender(pen.kept),
			    dbus_bus_get_unique_name(fixture->client.connection));
	bus_call_reply(pen.kept, DBUS_TYPE_INVALID);
	reply = wait_reply(fixture, pending);
	assert_int_equal(dbus_message_get_type(reply), DBUS_MESSAGE_TYPE_METHOD_RETURN);
	dbus_message_unref(reply);
	(void)bus_object_remove(pen.object);
}

static void test_answered_later_in_any_order(void **state)
{
	struct bus_fixture *fixture = *state;
	struct pen pen = {.fd = -1};
	DBusPendingCall *pending[2];
	struct bus_call *calls[2];
	const char *answers[2] = {"first", "second"};

	add_pen(fixture, &pen);
	for (int i = 0; i < 2; i++) {
		pending[i] = send_keep(fixture, &pen);
		calls[i] = pen.kept;
	}
	bus_fixture_settle(fixture);
	assert_string_equal(bus_call_sender(calls[0]),
			    dbus_bus_get_unique_name(fixture->client.connection));
	for (int i = 1; i >= 0; i--) {
		bus_call_reply(calls[i], DBUS_TYPE_STRING, &answers[i], DBUS_TYPE_INVALID);
	}
	for (int i = 0; i < 2; i++) {
		DBusMessage *reply = wait_reply(fixture, pending[i]);
		const char *text = "";

		assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text,
						  DBUS_TYPE_INVALID));
		assert_string_equal(text, answers[i]);
		dbus_message_unref(reply);
	}
	pen.object = bus_object_remove(pen.object);
}

static void test_call_outlives_its_object(void **state)
{
	struct bus_fixture *fixture = *state;
	struct pen pen = {.fd = -1};
	DBusPendingCall *pending;
	DBusMessage *reply;
	struct error error;

	add_pen(fixture, &pen);
	pending = send_keep(fixture, &pen);
	pen.object = bus_object_remove(pen.object);
	(void)error_set(&error, ERROR_WORKER_LOST, EPIPE, "space %d", 3);
	bus_call_fail(pen.kept, &error);
	reply = wait_reply(fixture, pending);
	assert_true(dbus_message_is_error(reply, BUS_ERROR_PREFIX "WorkerLost"));
	dbus_message_unref(reply);
}

static void test_call_outlives_the_connection(void **state)
{
	struct bus_fixture *fixture = *state;
	struct pen pen = {.fd = -1};
	struct bus_call *calls[2];
	const char *text = "too late";
	struct error error;

	add_pen(fixture, &pen);
	for (int i = 0; i < 2; i++) {
		dbus_pending_call_unref(send_keep(fixture, &pen));
		calls[i] = pen.kept;
	}
	pen.object = bus_object_remove(pen.object);
	private_bus_stop(&fixture->daemon);
	while (sd_event_run(fixture->event, 10000) > 0) {
	}
	bus_call_reply(calls[0], DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
	fixture->bus = bus_free(fixture->bus);
	(void)error_set(&error, ERROR_BUSY, 0, "late");
	bus_call_fail(calls[1], &error);
}

static void test_call_outlives_the_bus(void **state)
{
	struct bus_fixture *fixture = *state;
	struct pen pen = {.fd = -1};
	DBusPendingCall *pending;
	DBusMessage *reply;
	const char *text = "too late";

	add_pen(fixture, &pen);
	pending = send_keep(fixture, &pen);
	pen.object = bus_object_remove(pen.object);
	fixture->bus = bus_free(fixture->bus);
	bus_call_reply(pen.kept, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
	reply = wait_reply(fixture, pending);
	assert_true(dbus_message_is_error(reply, DBUS_ERROR_NO_REPLY));
	dbus_message_unref(reply);
}

static void test_dropped(void **state)
{
	struct bus_fixture *fixture = *state;
	struct pen pen = {.fd = -1};

	add_pen(fixture, &pen);
	dbus_pending_call_unref(send_keep(fixture, &pen));
	assert_null(bus_call_free(pen.kept));
	assert_null(bus_call_free(NULL));
	pen.object = bus_object_remove(pen.object);
}

static DBusHandlerResult count_replies(DBusConnection *connection, DBusMessage *message,
				       void *userdata)
{
	int type = dbus_message_get_type(message);

	(void)connection;
	if (type == DBUS_MESSAGE_TYPE_METHOD_RETURN || type == DBUS_MESSAGE_TYPE_ERROR) {
		(*(unsigned int *)userdata)++;
	}
	return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
}

static void test_no_reply_wanted(void **state)
{
	struct bus_fixture *fixture = *state;
	struct pen pen = {.fd = -1};
	static const char *const members[] = {"Keep", "Write", "Wrong", "Unknown", "Keep"};
	unsigned int replies = 0;

	add_pen(fixture, &pen);
	assert_true(dbus_connection_add_filter(fixture->client.connection, count_replies, &replies,
					       NULL));
	for (unsigned int i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		DBusMessage *message =
			strcmp(members[i], "Keep") == 0 ? keep_message() : pen_message(members[i]);

		dbus_message_set_no_reply(message, TRUE);
		assert_true(dbus_connection_send(fixture->client.connection, message, NULL));
		dbus_message_unref(message);
		bus_fixture_settle(fixture);
		if (pen.kept) {
			struct error error;

			(void)error_set(&error, ERROR_BUSY, 0, "busy");
			bus_call_fail(steal_pointer(pen.kept), &error);
		}
	}
	bus_fixture_settle(fixture);
	assert_int_equal(replies, 0);
	dbus_connection_remove_filter(fixture->client.connection, count_replies, &replies);
	pen.object = bus_object_remove(pen.object);
}

static void test_fds_travel_both_ways(void **state)
{
	struct bus_fixture *fixture = *state;
	struct pen pen = {.fd = -1};
	int memory cleanup(cleanup_fd) = memfd_create("pen", MFD_CLOEXEC);
	int back cleanup(cleanup_fd) = -1;
	DBusMessage *message = pen_message("Take");
	DBusMessage *reply;
	dbus_uint64_t size = 0;
	struct stat sent;
	struct stat got;

	add_pen(fixture, &pen);
	assert_true(dbus_message_append_args(message, DBUS_TYPE_UNIX_FD, &memory, DBUS_TYPE_UINT64,
					     &size, DBUS_TYPE_INVALID));
	reply = bus_fixture_call(fixture, message);
	assert_true(
		dbus_message_get_args(reply, NULL, DBUS_TYPE_UNIX_FD, &back, DBUS_TYPE_INVALID));
	dbus_message_unref(reply);
	assert_int_equal(fstat(memory, &sent), 0);
	assert_int_equal(fstat(pen.fd, &got), 0);
	assert_int_equal(sent.st_ino, got.st_ino);
	assert_true(fcntl(pen.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(back, &got), 0);
	assert_int_equal(sent.st_ino, got.st_ino);
	cleanup_fd(&pen.fd);
	pen.object = bus_object_remove(pen.object);
}

static void test_no_fd_left_to_read(void **state)
{
	struct bus_fixture *fixture = *state;
	struct pen pen = {.fd = -1};
	DBusMessage *message = pen_message("TakeTwo");
	int fd = STDOUT_FILENO;
	DBusMessage *reply;

	add_pen(fixture, &pen);
	assert_true(dbus_message_append_args(message, DBUS_TYPE_UNIX_FD, &fd, DBUS_TYPE_UNIX_FD,
					     &fd, DBUS_TYPE_INVALID));
	reply = bus_fixture_call(fixture, message);
	assert_int_equal(dbus_message_get_type(reply), DBUS_MESSAGE_TYPE_METHOD_RETURN);
	dbus_message_unref(reply);
	pen.object = bus_object_remove(pen.object);
}

/* libdbus doesn't send such a message of itself: the type is changed in its bytes. */
static DBusMessage *message_without_its_fd(const char *member)
{
	DBusMessage *message = pen_message(member);
	dbus_uint32_t index = 0;
	dbus_uint64_t size = 0;
	char *bytes = NULL;
	int length = 0;
	char *signature;

	assert_true(dbus_message_append_args(message, DBUS_TYPE_UINT32, &index, DBUS_TYPE_UINT64,
					     &size, DBUS_TYPE_INVALID));
	dbus_message_set_serial(message, 1);
	assert_true(dbus_message_marshal(message, &bytes, &length));
	dbus_message_unref(message);
	signature = memmem(bytes, (size_t)length, "\2ut", sizeof("\2ut"));
	assert_non_null(signature);
	signature[1] = DBUS_TYPE_UNIX_FD;
	message = dbus_message_demarshal(bytes, length, NULL);
	dbus_free(bytes);
	assert_non_null(message);
	return message;
}

static void test_fd_that_did_not_come(void **state)
{
	struct bus_fixture *fixture = *state;
	struct pen pen = {.fd = -1};
	DBusMessage *copy;
	DBusMessage *message = message_without_its_fd("TakeNone");
	DBusMessage *reply;

	add_pen(fixture, &pen);
	/* Without the serial that it was written with. */
	copy = dbus_message_copy(message);
	dbus_message_unref(message);
	reply = bus_fixture_call(fixture, copy);
	assert_int_equal(dbus_message_get_type(reply), DBUS_MESSAGE_TYPE_METHOD_RETURN);
	dbus_message_unref(reply);
	pen.object = bus_object_remove(pen.object);
}

static void test_append_callback(void **state)
{
	struct bus_fixture *fixture = *state;
	struct pen pen = {.fd = -1};
	DBusMessage *reply;

	add_pen(fixture, &pen);
	reply = bus_fixture_call(fixture, pen_message("Write"));
	assert_true(dbus_message_has_signature(reply, "s"));
	dbus_message_unref(reply);
	pen.append_result = -ENOMEM;
	(void)bus_fixture_call_fails(fixture, pen_message("Write"), DBUS_ERROR_NO_MEMORY);
	pen.append_result = -EIO;
	assert_non_null(strstr(
		bus_fixture_call_fails(fixture, pen_message("Write"), DBUS_ERROR_FAILED), "EIO"));
	(void)bus_fixture_call_fails(fixture, pen_message("Wrong"), DBUS_ERROR_FAILED);
	pen.object = bus_object_remove(pen.object);
}

static void test_big_reply(void **state)
{
	struct bus_fixture *fixture = *state;
	struct pen pen = {.fd = -1};
	DBusMessage *reply;
	const char *bytes;
	int size = 0;

	add_pen(fixture, &pen);
	reply = bus_fixture_call(fixture, pen_message("Big"));
	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &bytes,
					  &size, DBUS_TYPE_INVALID));
	assert_int_equal(size, 16 << 20);
	dbus_message_unref(reply);
	pen.object = bus_object_remove(pen.object);
}

/* libdbus would abort on it. */
static void test_error_text_that_is_not_utf8(void **state)
{
	struct bus_fixture *fixture = *state;
	struct pen pen = {.fd = -1};
	DBusPendingCall *pending;
	DBusMessage *reply;
	const char *text = "";

	add_pen(fixture, &pen);
	pending = send_keep(fixture, &pen);
	bus_call_fail_named(pen.kept, DBUS_ERROR_FAILED, "driver \"%s\"", "caf\xe9");
	reply = wait_reply(fixture, pending);
	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID));
	assert_string_equal(text, "driver \"caf?\"");
	dbus_message_unref(reply);
	pen.object = bus_object_remove(pen.object);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, bus_fixture_set_up, bus_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_answered_later_in_any_order),
		TEST(test_call_outlives_its_object),
		TEST(test_call_outlives_the_connection),
		TEST(test_call_outlives_the_bus),
		TEST(test_dropped),
		TEST(test_no_reply_wanted),
		TEST(test_fds_travel_both_ways),
		TEST(test_dropped_fds),
		TEST(test_no_fd_left_to_read),
		TEST(test_fd_that_did_not_come),
		TEST(test_append_callback),
		TEST(test_big_reply),
		TEST(test_error_text_that_is_not_utf8),
	};

	return cmocka_run_group_tests_name("bus-call", tests, NULL, NULL);
}
