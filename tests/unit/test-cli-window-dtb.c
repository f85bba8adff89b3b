/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `spaprctl window dtb`: its command line, and what it writes of the answer of a peer that is not
 * spaprd, on a bus of the test's own. The answer depends on the number of the address space.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dbus/dbus.h>

#include "cli/window_dtb.h"
#include "common/names.h"
#include "support/fake_service.h"
#include "support/private_bus.h"
#include "unit.h"

#define RIGHT  "1"
#define TYPE   "2"
#define REFUSE "3"

/* A zero in it: it is no text. */
static const unsigned char tree[] = {0xd0, 0x0d, 0xfe, 0xed, 0, 0, 1, 2, 0, 0xff};

/* -- the peer -- */

static DBusMessage *answer(DBusMessage *call)
{
	const char *path = dbus_message_get_path(call);
	const unsigned char *bytes = tree;
	const char *text = "text";
	DBusMessage *reply;

	if (strcmp(path, BUS_PATH_SPACE_PREFIX REFUSE) == 0) {
		return dbus_message_new_error(call, BUS_ERROR_PREFIX "Unsupported", "no TCEs here");
	}
	reply = dbus_message_new_method_return(call);
	if (strcmp(path, BUS_PATH_SPACE_PREFIX TYPE) == 0) {
		(void)dbus_message_append_args(reply, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
	} else if (dbus_message_is_method_call(call, BUS_INTERFACE_SPACE, "DescribeForGuest")) {
		(void)dbus_message_append_args(reply, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &bytes,
					       (int)sizeof(tree), DBUS_TYPE_INVALID);
	}
	return reply;
}

/* -- the test's world -- */

struct world {
	struct private_bus bus;
	pid_t peer;
	char file[32];
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	int ready[2];
	char byte;
	int fd;

	assert_non_null(world);
	world->bus = PRIVATE_BUS_NONE;
	(void)strcpy(world->file, "/tmp/window-dtb-XXXXXX");
	fd = mkstemp(world->file);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(private_bus_start(&world->bus), 0);
	assert_int_equal(pipe(ready), 0);
	world->peer = fork();
	assert_true(world->peer >= 0);
	if (world->peer == 0) {
		fake_service_run(ready[1], answer);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	(void)kill(world->peer, SIGKILL);
	(void)waitpid(world->peer, NULL, 0);
	private_bus_stop(&world->bus);
	assert_int_equal(unlink(world->file), 0);
	free(world);
	dbus_shutdown();
	return 0;
}

static enum cli_status run(const char *first, const char *second, const char *third)
{
	const char *argv[] = {"dtb", first, second, third, NULL};
	int argc = 1;

	while (argv[argc]) {
		argc++;
	}
	optind = 0;
	opterr = 0;
	return window_dtb_command.run(argc, (char **)(uintptr_t)argv);
}

static void check_file(const struct world *world, size_t expected)
{
	unsigned char bytes[64];
	FILE *file = fopen(world->file, "re");

	assert_non_null(file);
	assert_int_equal(fread(bytes, 1, sizeof(bytes), file), expected);
	assert_memory_equal(bytes, tree, expected);
	(void)fclose(file);
}

static void test_file(void **state)
{
	const struct world *world = *state;

	check_file(world, 0);
	assert_int_equal(run("--output", world->file, RIGHT), CLI_OK);
	check_file(world, sizeof(tree));
	assert_int_equal(run("--output", world->file, BUS_PATH_SPACE_PREFIX RIGHT), CLI_OK);
	check_file(world, sizeof(tree));
	/* What is refused leaves the file alone. */
	assert_int_equal(run(REFUSE, "--output", world->file), CLI_FAILED);
	assert_int_equal(run(TYPE, "--output", world->file), CLI_FAILED);
	check_file(world, sizeof(tree));
	assert_int_equal(run(RIGHT, "--output", "/nowhere/at/all"), CLI_FAILED);
	assert_int_equal(run(RIGHT, "--output", "/dev/full"), CLI_FAILED);
}

/* Run with something else as standard output. */
static enum cli_status run_onto(int fd, const char *space)
{
	int saved = dup(STDOUT_FILENO);
	enum cli_status status;

	assert_true(saved >= 0);
	(void)fflush(stdout);
	assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
	status = run(space, NULL, NULL);
	(void)fflush(stdout);
	assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
	(void)close(saved);
	return status;
}

static void test_standard_output(void **state)
{
	const struct world *world = *state;
	int fd = open(world->file, O_WRONLY | O_TRUNC | O_CLOEXEC);
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	assert_true(fd >= 0 && terminal >= 0);
	assert_int_equal(run_onto(fd, RIGHT), CLI_OK);
	check_file(world, sizeof(tree));
	assert_int_equal(run_onto(terminal, RIGHT), CLI_USAGE);
	(void)close(terminal);
	(void)close(fd);
}

static void test_command_line(void **state)
{
	(void)state;
	assert_int_equal(run("--help", NULL, NULL), CLI_OK);
	assert_int_equal(run(NULL, NULL, NULL), CLI_USAGE);
	assert_int_equal(run("--output", "/dev/null", NULL), CLI_USAGE);
	assert_int_equal(run("--dts", RIGHT, NULL), CLI_USAGE);
	assert_int_equal(run(RIGHT, RIGHT, NULL), CLI_USAGE);
	/* An address space of that name, which is not there. */
	assert_int_equal(run("x", "--output", "/dev/null"), CLI_FAILED);
}

/* What is said on standard error, which goes to the world's file meanwhile. */
static void check_complaint(const struct world *world, const char *first, const char *expected)
{
	int fd = open(world->file, O_RDWR | O_TRUNC | O_CLOEXEC);
	int saved = dup(STDERR_FILENO);
	char text[256] = "";
	enum cli_status status;

	assert_true(fd >= 0 && saved >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	status = run(first, NULL, NULL);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	(void)close(saved);
	assert_int_equal(status, CLI_USAGE);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	(void)close(fd);
	assert_non_null(strstr(text, expected));
}

static void test_complaints(void **state)
{
	const struct world *world = *state;

	check_complaint(world, "--output", "option \"--output\" needs a value");
	check_complaint(world, "--dts", "there is no option \"--dts\"");
}

static void test_nobody_there(void **state)
{
	const struct world *world = *state;

	assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere", 1), 0);
	assert_int_equal(run(RIGHT, "--output", world->file), CLI_UNREACHABLE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_standard_output, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_command_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_complaints, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody_there, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("cli-window-dtb", tests, NULL, NULL);
}
