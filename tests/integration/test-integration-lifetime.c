/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may act, and what is left when a client, a worker or spaprd itself ends, in whichever way. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

#define MEMORY_SIZE UINT64_C(0x400000)

#define ROLE_CLIENT   "client"
#define ROLE_STRANGER "stranger"

#define MAPPINGS_IN_USE 2

/* An address space with a group, memory, a second window and mappings. */
static char *space_in_use(DBusConnection *client, const struct lab_host *host, const char *device)
{
	char *space = space_create(client, "in use");
	int fd = memory_new(MEMORY_SIZE);
	struct window window;

	attach(client, space, device, NULL);
	(void)add_memory(client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)close(fd);
	make_room(client, host, space);
	window = create_window(client, space, (struct window){WINDOW_ANYWHERE, 0, 0, 0}, NULL);
	map(client, space, window.start, 0, MEMORY_SIZE, PROT_DEVICE_BOTH, NULL);
	map(client, space, 0, 0, 0x10000, PROT_DEVICE_BOTH, NULL);
	return space;
}

/* Something that only an address space that still has a worker can do. */
static void work(DBusConnection *client, const char *space)
{
	int fd = memory_new(MEMORY_SIZE);

	(void)add_memory(client, space, fd, 0, MEMORY_SIZE, MEMORY_SIZE, 0, NULL);
	(void)close(fd);
	unmap(client, space, 0, 0x10000, NULL);
}

/* Gone, or dead and waiting for a parent that isn't ours to care. */
static bool process_has_ended(void *userdata)
{
	char path[64];
	char state = 'Z';
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)*(pid_t *)userdata);
	file = fopen(path, "re");
	if (file) {
		/* NOLINTNEXTLINE(cert-err34-c): what can't be read is gone */
		if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) {
			state = 'Z';
		}
		(void)fclose(file);
	}
	return state == 'Z';
}

static void test_close(void **state)
{
	const struct world *world = *state;
	char *space = space_in_use(world->client, world->host, world->host->edu);
	pid_t worker = worker_pid(world, space);

	assert_int_not_equal(worker, 0);
	space_close(world->client, space);
	/* When Close has returned the worker is gone: its groups are free at once. */
	assert_true(process_has_ended(&worker));
	space = space_in_use(world->client, world->host, world->host->edu);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

static void test_owner_disconnects(void **state)
{
	const struct world *world = *state;
	DBusConnection *owner = client_open();
	char *space = space_in_use(owner, world->host, world->host->edu);

	client_close(owner);
	wait_until_nothing_is_left(world);
	(void)call(world->client, space, BUS_INTERFACE_SPACE, "Close", DBUS_ERROR_UNKNOWN_OBJECT,
		   DBUS_TYPE_INVALID);
	free(space);
}

/*
 * Other processes are this program, started anew with a role: one that was only forked would carry
 * on with the tests when one of its own checks fails.
 */
static pid_t start_role(const char *role, const char *argument, int output)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (output >= 0) {
			(void)dup2(output, STDOUT_FILENO);
		}
		execl("/proc/self/exe", role, argument, NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	return pid;
}

/* Makes an address space, says so, and waits to be killed. */
static int play_client(const char *device)
{
	DBusConnection *client = client_open();

	(void)space_in_use(client, lab_host_find(), device);
	(void)!write(STDOUT_FILENO, "r", 1);
	return pause();
}

static pid_t start_client(const char *device)
{
	int ready[2];
	pid_t pid;
	char byte = 0;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = start_role(ROLE_CLIENT, device, ready[1]);
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	return pid;
}

static void test_client_is_killed(void **state)
{
	const struct world *world = *state;
	pid_t clients[2] = {start_client(world->host->edu), start_client(world->host->nic)};

	assert_int_equal(kill(clients[0], SIGKILL), 0);
	assert_int_equal(waitpid(clients[0], NULL, 0), clients[0]);
	assert_int_equal(kill(clients[1], SIGKILL), 0);
	assert_int_equal(waitpid(clients[1], NULL, 0), clients[1]);
	wait_until_nothing_is_left(world);
}

/* A client that leaves with calls under way. */
static void test_client_leaves_in_the_middle(void **state)
{
	const struct world *world = *state;

	for (int round = 0; round < 5; round++) {
		DBusConnection *owner = client_open();
		char *space = space_create(owner, "hurried");
		int fd = memory_new(MEMORY_SIZE);

		attach(owner, space, world->host->edu, NULL);
		for (uint64_t i = 0; i < 8; i++) {
			DBusMessage *message = dbus_message_new_method_call(
				BUS_NAME, space, BUS_INTERFACE_SPACE, "AddMemory");
			dbus_uint64_t offset = 0;
			dbus_uint64_t gpa = i * MEMORY_SIZE;
			dbus_uint64_t size = MEMORY_SIZE;
			dbus_uint32_t flags = 0;

			assert_true(dbus_message_append_args(
				message, DBUS_TYPE_UNIX_FD, &fd, DBUS_TYPE_UINT64, &offset,
				DBUS_TYPE_UINT64, &gpa, DBUS_TYPE_UINT64, &size, DBUS_TYPE_UINT32,
				&flags, DBUS_TYPE_INVALID));
			assert_true(dbus_connection_send(owner, message, NULL));
			dbus_message_unref(message);
		}
		dbus_connection_flush(owner);
		client_close(owner);
		(void)close(fd);
		free(space);
		/* Until it is torn down the group is busy. */
		wait_until_nothing_is_left(world);
	}
}

/* -- a worker's death -- */

struct lost {
	DBusConnection *client;
	char space[64];
	char why[128];
};

/* Take WorkerLost out of what the connection has received. */
static bool worker_lost_came(void *userdata)
{
	struct lost *lost = userdata;
	DBusMessage *message;

	(void)dbus_connection_read_write(lost->client, 10);
	while ((message = dbus_connection_pop_message(lost->client))) {
		if (dbus_message_is_signal(message, BUS_INTERFACE_MANAGER, "WorkerLost")) {
			const char *space = NULL;
			const char *why = NULL;

			assert_true(dbus_message_get_args(message, NULL, DBUS_TYPE_OBJECT_PATH,
							  &space, DBUS_TYPE_STRING, &why,
							  DBUS_TYPE_INVALID));
			(void)snprintf(lost->space, sizeof(lost->space), "%s", space);
			(void)snprintf(lost->why, sizeof(lost->why), "%s", why);
		}
		dbus_message_unref(message);
	}
	return lost->space[0] != '\0';
}

static void test_worker_is_killed(void **state)
{
	const struct world *world = *state;
	struct lost lost = {.client = client_open()};
	char *victim;
	char *other;

	dbus_bus_add_match(lost.client, "type='signal',interface='" BUS_INTERFACE_MANAGER "'",
			   NULL);
	dbus_connection_flush(lost.client);
	victim = space_in_use(world->client, world->host, world->host->edu);
	other = space_in_use(world->client, world->host, world->host->nic);
	assert_int_equal(kill(worker_pid(world, victim), SIGKILL), 0);
	wait_for(worker_lost_came, &lost, "WorkerLost comes");
	assert_string_equal(lost.space, victim);
	assert_non_null(strstr(lost.why, "SIGKILL"));
	(void)call(world->client, victim, BUS_INTERFACE_SPACE, "Close", DBUS_ERROR_UNKNOWN_OBJECT,
		   DBUS_TYPE_INVALID);
	/* Nothing has happened to the other one, and the group is free. */
	work(world->client, other);
	free(victim);
	victim = space_in_use(world->client, world->host, world->host->edu);
	space_close(world->client, victim);
	space_close(world->client, other);
	client_close(lost.client);
	wait_until_nothing_is_left(world);
}

static void test_worker_is_killed_with_calls_waiting(void **state)
{
	const struct world *world = *state;
	char *space = space_in_use(world->client, world->host, world->host->edu);
	DBusPendingCall *waiting = NULL;
	dbus_uint64_t iova = 0x10000;
	dbus_uint64_t zero = 0;
	dbus_uint64_t size = 0x1000;
	dbus_uint32_t prot = PROT_DEVICE_BOTH;
	DBusMessage *message;
	DBusMessage *reply;
	pid_t worker = worker_pid(world, space);

	/* A stopped worker answers nothing. */
	assert_int_equal(kill(worker, SIGSTOP), 0);
	message = dbus_message_new_method_call(BUS_NAME, space, BUS_INTERFACE_SPACE, "Map");
	assert_true(dbus_message_append_args(message, DBUS_TYPE_UINT64, &iova, DBUS_TYPE_UINT64,
					     &zero, DBUS_TYPE_UINT64, &size, DBUS_TYPE_UINT32,
					     &prot, DBUS_TYPE_INVALID));
	assert_true(dbus_connection_send_with_reply(world->client, message, &waiting, 60000));
	dbus_message_unref(message);
	dbus_connection_flush(world->client);
	/* The broker goes on meanwhile. */
	assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "Mappings"),
			 MAPPINGS_IN_USE);
	assert_int_equal(kill(worker, SIGKILL), 0);
	dbus_pending_call_block(waiting);
	reply = dbus_pending_call_steal_reply(waiting);
	assert_true(dbus_message_is_error(reply, BUS_ERROR_PREFIX "WorkerLost"));
	dbus_message_unref(reply);
	dbus_pending_call_unref(waiting);
	free(space);
	wait_until_nothing_is_left(world);
}

/* -- access -- */

/* Another user, who tries what only the owner may. */
static int play_stranger(const char *space)
{
	DBusConnection *client;

	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0) {
		return 2;
	}
	client = client_open();
	map(client, space, 0x100000, 0, 0x1000, PROT_DEVICE_BOTH, DBUS_ERROR_ACCESS_DENIED);
	(void)call(client, space, BUS_INTERFACE_SPACE, "Close", DBUS_ERROR_ACCESS_DENIED,
		   DBUS_TYPE_INVALID);
	/* Looking is allowed. */
	assert_int_equal(get_number(client, space, BUS_INTERFACE_SPACE, "Mappings"),
			 MAPPINGS_IN_USE);
	client_close(client);
	return 0;
}

static void test_strangers_are_refused(void **state)
{
	const struct world *world = *state;
	char *space;
	int status = 0;
	pid_t pid;

	if (geteuid() != 0) {
		skip_because("only root can be somebody else");
	}
	space = space_in_use(world->client, world->host, world->host->edu);
	pid = start_role(ROLE_STRANGER, space, -1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

/* Another connection of the same user may act on it. */
static void test_same_user_is_let_in(void **state)
{
	const struct world *world = *state;
	DBusConnection *friend = client_open();
	char *space = space_in_use(world->client, world->host, world->host->edu);

	work(friend, space);
	space_close(friend, space);
	client_close(friend);
	wait_until_nothing_is_left(world);
}

/* -- the end of spaprd; each of these starts it anew -- */

static void test_spaprd_is_told_to_end(void **state)
{
	void *other = NULL;
	struct world *world;
	pid_t worker;
	char *space;
	int status = -1;

	assert_int_equal(world_stop(state), 0);
	assert_int_equal(world_start(&other), 0);
	world = other;
	space = space_in_use(world->client, world->host, world->host->edu);
	worker = worker_pid(world, space);
	assert_int_equal(kill(world->spaprd, SIGTERM), 0);
	assert_int_equal(waitpid(world->spaprd, &status, 0), world->spaprd);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	wait_for(process_has_ended, &worker, "the worker has ended");
	world->spaprd = 0;
	(void)world_stop(&other);
	assert_int_equal(world_start(state), 0);
	free(space);
}

/* Without a service manager that keeps their sockets, workers tear down and end with the broker. */
static void test_spaprd_is_killed(void **state)
{
	void *other = NULL;
	struct world *world;
	pid_t worker;
	char *space;

	assert_int_equal(world_stop(state), 0);
	assert_int_equal(world_start(&other), 0);
	world = other;
	space = space_in_use(world->client, world->host, world->host->edu);
	worker = worker_pid(world, space);
	assert_int_equal(kill(world->spaprd, SIGKILL), 0);
	(void)waitpid(world->spaprd, NULL, 0);
	wait_for(process_has_ended, &worker, "the worker has ended");
	world->spaprd = 0;
	(void)world_stop(&other);
	free(space);
	/* The next one finds the groups free. */
	assert_int_equal(world_start(state), 0);
	world = *state;
	space = space_in_use(world->client, world->host, world->host->edu);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_owner_disconnects),
		cmocka_unit_test(test_client_is_killed),
		cmocka_unit_test(test_client_leaves_in_the_middle),
		cmocka_unit_test(test_worker_is_killed),
		cmocka_unit_test(test_worker_is_killed_with_calls_waiting),
		cmocka_unit_test(test_strangers_are_refused),
		cmocka_unit_test(test_same_user_is_let_in),
		cmocka_unit_test(test_spaprd_is_told_to_end),
		cmocka_unit_test(test_spaprd_is_killed),
	};

	if (argc == 2 && strcmp(argv[0], ROLE_CLIENT) == 0) {
		return play_client(argv[1]);
	}
	if (argc == 2 && strcmp(argv[0], ROLE_STRANGER) == 0) {
		return play_stranger(argv[1]);
	}
	return cmocka_run_group_tests_name("lifetime", tests, world_start, world_stop);
}
