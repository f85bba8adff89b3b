/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A spaprd with little to spend: what doesn't fit is refused with the numbers, and the rest goes
 * on. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "world.h"

/* With the table of a default window of 1 GiB, the smallest there is, it is more than the limit. */
#define MEMORY_SIZE (UINT64_C(5) << 20)

/* The kernel would answer ENOMEM to each of these, and leave a part of a failed CREATE charged. */
static void test_locked_memory(void **state)
{
	const struct window small = {WINDOW_ANYWHERE, UINT64_C(64) << 20, 12, 1};
	const struct world *world = *state;
	char *space;
	int fd;
	uint32_t id;

	skip_without_tce(world);
	space = space_create(world->client, "little");
	fd = memory_new(4 * MEMORY_SIZE);
	assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "LockedLimit"),
			 LIMIT_LOCKED);
	attach(world->client, space, world->host->edu, NULL);
	(void)add_memory(world->client, space, fd, 0, 0, 2 * MEMORY_SIZE, 0, "QuotaExceeded");
	/* What it takes, and what may be locked. */
	assert_non_null(strstr(last_error_text(), "0xa00000"));
	assert_non_null(strstr(last_error_text(), "0x600000"));
	id = add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)add_memory(world->client, space, fd, 0, MEMORY_SIZE, MEMORY_SIZE, 0, "QuotaExceeded");
	/* The kernel makes the default window's table at the first use of any window. */
	map(world->client, space, 0, 0, MEMORY_SIZE, PROT_DEVICE_BOTH, "QuotaExceeded");
	(void)create_window(world->client, space, small, "QuotaExceeded");
	assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "LockedBytes"),
			 MEMORY_SIZE);
	assert_int_equal(locked_bytes_of(world, worker_pid(world, space)), MEMORY_SIZE);
	assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "Mappings"), 0);
	/* Without it there is room for a smaller one. */
	remove_window(world->client, space, 0, NULL);
	map(world->client, space, create_window(world->client, space, small, NULL).start, 0,
	    MEMORY_SIZE, PROT_DEVICE_BOTH, NULL);
	unmap(world->client, space, 0, MEMORY_SIZE, NULL);
	/* What is given back can be used again. */
	remove_memory(world->client, space, id, NULL);
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	space_close(world->client, space);
	(void)close(fd);
	wait_until_nothing_is_left(world);
}

static void check_locked(const struct world *world, const char *space, uint64_t bytes)
{
	assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "LockedBytes"),
			 bytes);
	assert_int_equal(locked_bytes_of(world, worker_pid(world, space)), bytes);
}

/* The same where each mapping locks the memory behind it. */
static void test_locked_mappings(void **state)
{
	const struct world *world = *state;
	char *space;
	int fd;

	skip_with_tce(world);
	space = space_create(world->client, "little");
	fd = memory_new(4 * MEMORY_SIZE);
	attach(world->client, space, world->host->edu, NULL);
	(void)add_memory(world->client, space, fd, 0, 0, 4 * MEMORY_SIZE, 0, NULL);
	check_locked(world, space, 0);
	map(world->client, space, 0, 0, 2 * MEMORY_SIZE, PROT_DEVICE_BOTH, "QuotaExceeded");
	assert_non_null(strstr(last_error_text(), "0xa00000"));
	assert_non_null(strstr(last_error_text(), "0x600000"));
	map(world->client, space, 0, 0, MEMORY_SIZE, PROT_DEVICE_BOTH, NULL);
	check_locked(world, space, MEMORY_SIZE);
	/* The same memory once more: the kernel counts each mapping. */
	map(world->client, space, 2 * MEMORY_SIZE, 0, MEMORY_SIZE, PROT_DEVICE_BOTH,
	    "QuotaExceeded");
	assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "Mappings"), 1);
	/* A second group sees what is mapped, and locks nothing. */
	attach(world->client, space, world->host->nic, NULL);
	check_locked(world, space, MEMORY_SIZE);
	/* What is given back can be used again. */
	unmap(world->client, space, 0, MEMORY_SIZE, NULL);
	check_locked(world, space, 0);
	map(world->client, space, 2 * MEMORY_SIZE, MEMORY_SIZE, MEMORY_SIZE, PROT_DEVICE_BOTH,
	    NULL);
	check_locked(world, space, MEMORY_SIZE);
	space_close(world->client, space);
	(void)close(fd);
	wait_until_nothing_is_left(world);
}

/* The limit of one address space is not that of another: each is a process. */
static void test_two_spaces(void **state)
{
	const struct world *world = *state;
	char *one;
	char *two;
	int fd;

	one = space_create(world->client, "one");
	two = space_create(world->client, "two");
	fd = memory_new(MEMORY_SIZE);
	attach(world->client, one, world->host->edu, NULL);
	attach(world->client, two, world->host->nic, NULL);
	(void)add_memory(world->client, one, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)add_memory(world->client, two, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	if (!world->host->has_tce) {
		/* It is each mapping that locks memory. */
		map(world->client, one, 0, 0, MEMORY_SIZE, PROT_DEVICE_BOTH, NULL);
		map(world->client, two, 0, 0, MEMORY_SIZE, PROT_DEVICE_BOTH, NULL);
	}
	assert_int_equal(
		get_number(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "LockedBytes"),
		2 * MEMORY_SIZE);
	space_close(world->client, one);
	space_close(world->client, two);
	(void)close(fd);
	wait_until_nothing_is_left(world);
}

/* CreateAddressSpace that may fail: the path, or NULL. */
static char *try_create(const struct world *world)
{
	DBusMessage *message = dbus_message_new_method_call(
		BUS_NAME, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "CreateAddressSpace");
	DBusMessageIter iter;
	DBusMessageIter options;
	DBusMessage *reply;
	DBusError error = DBUS_ERROR_INIT;
	const char *path = NULL;
	char *copy = NULL;

	dbus_message_iter_init_append(message, &iter);
	assert_true(dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &options));
	assert_true(dbus_message_iter_close_container(&iter, &options));
	reply = dbus_connection_send_with_reply_and_block(world->client, message, 60000, &error);
	dbus_message_unref(message);
	if (reply) {
		assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &path,
						  DBUS_TYPE_INVALID));
		copy = strdup(path);
		dbus_message_unref(reply);
	} else {
		if (!strstr(error.message, "EMFILE")) {
			fail_msg("\"%s\" does not name EMFILE", error.message);
		}
		dbus_error_free(&error);
	}
	return copy;
}

static void test_files(void **state)
{
	const struct world *world = *state;
	char *spaces[LIMIT_FDS] = {NULL};
	int fd = memory_new(MEMORY_SIZE);
	unsigned int count = 0;

	while (count < LIMIT_FDS && (spaces[count] = try_create(world))) {
		count++;
	}
	assert_true(count > 1 && count < LIMIT_FDS);
	/* A message with an fd still gets through: libdbus would drop the connection without room.
	 */
	remove_memory(world->client, spaces[0],
		      add_memory(world->client, spaces[0], fd, 0, 0, MEMORY_SIZE, 0, NULL), NULL);
	/* Those that are there work as before, and one that goes makes room. */
	assert_int_equal(get_count(world->client, spaces[0], BUS_INTERFACE_SPACE, "Windows"), 0);
	space_close(world->client, spaces[--count]);
	spaces[count] = try_create(world);
	assert_non_null(spaces[count]);
	count++;
	while (count > 0) {
		space_close(world->client, spaces[--count]);
	}
	(void)close(fd);
	wait_until_nothing_is_left(world);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locked_memory),
		cmocka_unit_test(test_locked_mappings),
		cmocka_unit_test(test_two_spaces),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("limits", tests, world_start_limited, world_stop);
}
