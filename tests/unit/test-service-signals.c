/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What address spaces say on the bus, and in the log, without being asked. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "service_fixture.h"

/* Have what is logged end up in a file, until end_log. */
static int begin_log(int *ret_saved)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	*ret_saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	assert_true(*ret_saved >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	return fd;
}

static void end_log(int fd, int saved, char text[1024])
{
	ssize_t size;

	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	size = pread(fd, text, 1023, 0);
	assert_true(size >= 0);
	text[size] = '\0';
	(void)fd_close(saved);
	(void)fd_close(fd);
}

static DBusMessage *find_signal(const char *member)
{
	for (unsigned int i = 0; i < stage.bus->signal_count; i++) {
		if (strcmp(dbus_message_get_member(stage.bus->signals[i]), member) == 0) {
			return stage.bus->signals[i];
		}
	}
	return NULL;
}

/* Attach a group and detach it again. The container that it was in. */
static dbus_uint32_t lose_a_group(struct space *space)
{
	dbus_uint32_t container;

	succeed(attach_message(space, GROUP));
	container = space->containers[0].container_id;
	bus_fixture_forget_signals(stage.bus);
	detach_group(space, GROUP);
	bus_fixture_settle(stage.bus);
	return container;
}

/* H33: mappings that were gone for a moment, or for good, are told of, though the call succeeds. */
static void test_h33_replay_is_said(void **state)
{
	struct space *space = create("forgetful");
	const char *path = NULL;
	dbus_uint64_t replayed = 0;
	dbus_uint64_t lost = 0;
	dbus_uint32_t container;
	char expected[96];
	char text[1024];
	DBusMessage *signal;
	int saved;
	int log;

	(void)state;
	log = begin_log(&saved);
	container = lose_a_group(space);
	end_log(log, saved, text);
	assert_int_equal(bus_fixture_count_signals(stage.bus, "MappingsReplayed"), 1);
	signal = find_signal("MappingsReplayed");
	assert_string_equal(dbus_message_get_interface(signal), BUS_INTERFACE_SPACE);
	(void)snprintf(expected, sizeof(expected), BUS_PATH_SPACE_PREFIX "%u", space->number);
	assert_string_equal(dbus_message_get_path(signal), expected);
	assert_true(dbus_message_get_args(signal, NULL, DBUS_TYPE_OBJECT_PATH, &path,
					  DBUS_TYPE_UINT64, &replayed, DBUS_TYPE_UINT64, &lost,
					  DBUS_TYPE_INVALID));
	(void)snprintf(expected, sizeof(expected), BUS_PATH_SPACE_PREFIX "%u/container/%u",
		       space->number, container);
	assert_string_equal(path, expected);
	assert_int_equal(replayed, 3);
	assert_int_equal(lost, 1);
	assert_non_null(strstr(text, "3 were made again, 1 could not be and are gone"));
}

static void test_nothing_to_say(void **state)
{
	char text[1024];
	int saved;
	int log;

	(void)state;
	log = begin_log(&saved);
	(void)lose_a_group(create("honest"));
	end_log(log, saved, text);
	assert_int_equal(bus_fixture_count_signals(stage.bus, "MappingsReplayed"), 0);
	assert_null(strstr(text, "made again"));
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, service_fixture_set_up, service_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_h33_replay_is_said),
		TEST(test_nothing_to_say),
	};

	return service_fixture_main("service signals", tests);
}
