/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `spaprctl window` and `spaprctl window plan`: the command lines, and what is shown of the answer
 * of a peer that is not spaprd, on a bus of the test's own. The answer depends on the number of the
 * address space.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/window.h"
#include "common/names.h"
#include "support/fake_service.h"
#include "support/private_bus.h"
#include "unit.h"

#define RIGHT      "1"
#define NOTHING    "2" /* no choice, and nothing chosen */
#define TYPE       "3"
#define PAGE_SHIFT "4"
#define CHOSEN     "5"
#define REFUSE     "6"
#define ECHO       "7" /* says in the explanation what it was asked */

/* -- the peer -- */

static void append(DBusMessageIter *iter, int type, const void *value)
{
	(void)dbus_message_iter_append_basic(iter, type, value);
}

static void append_choice(DBusMessageIter *array, dbus_uint32_t page_shift, dbus_uint64_t tces,
			  const char *refusal)
{
	const dbus_uint64_t size = UINT64_C(1) << 40;
	const dbus_uint64_t locked = UINT64_C(264) << 20;
	const dbus_uint64_t piece = 0x8000;
	const dbus_uint32_t levels = 2;
	DBusMessageIter entry;

	(void)dbus_message_iter_open_container(array, DBUS_TYPE_STRUCT, NULL, &entry);
	append(&entry, DBUS_TYPE_UINT64, &size);
	append(&entry, DBUS_TYPE_UINT32, &page_shift);
	append(&entry, DBUS_TYPE_UINT32, &levels);
	append(&entry, DBUS_TYPE_UINT64, &locked);
	append(&entry, DBUS_TYPE_UINT64, &tces);
	append(&entry, DBUS_TYPE_UINT64, &piece);
	append(&entry, DBUS_TYPE_STRING, &refusal);
	(void)dbus_message_iter_close_container(array, &entry);
}

/* Two choices, the second of which is the best. */
static void append_plan(DBusMessage *reply, const char *number, const char *explanation)
{
	const bool none = strcmp(number, NOTHING) == 0;
	dbus_uint32_t chosen = none ? UINT32_MAX : strcmp(number, CHOSEN) == 0 ? 2 : 1;
	DBusMessageIter iter;
	DBusMessageIter array;

	dbus_message_iter_init_append(reply, &iter);
	(void)dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "(tuuttts)", &array);
	if (!none) {
		append_choice(&array, 13, 0, "org.spaprd1.Error.PageSize");
		append_choice(&array, strcmp(number, PAGE_SHIFT) == 0 ? 64 : 16, 1 << 24, "");
	}
	(void)dbus_message_iter_close_container(&iter, &array);
	append(&iter, DBUS_TYPE_UINT32, &chosen);
	append(&iter, DBUS_TYPE_STRING, &explanation);
}

/* The arguments as text: size, page shift, levels, and the options in order. */
static void describe_call(DBusMessage *call, char *text, size_t size)
{
	dbus_uint64_t bytes = 0;
	dbus_uint32_t shift = 0;
	dbus_uint32_t levels = 0;
	DBusMessageIter iter;
	DBusMessageIter dictionary;
	int used;

	(void)dbus_message_iter_init(call, &iter);
	dbus_message_iter_get_basic(&iter, &bytes);
	(void)dbus_message_iter_next(&iter);
	dbus_message_iter_get_basic(&iter, &shift);
	(void)dbus_message_iter_next(&iter);
	dbus_message_iter_get_basic(&iter, &levels);
	(void)dbus_message_iter_next(&iter);
	used = snprintf(text, size, "%llx %u %u", (unsigned long long)bytes, shift, levels);
	dbus_message_iter_recurse(&iter, &dictionary);
	while (dbus_message_iter_get_arg_type(&dictionary) == DBUS_TYPE_DICT_ENTRY) {
		const char *name = NULL;
		DBusMessageIter entry;
		DBusMessageIter value;

		dbus_message_iter_recurse(&dictionary, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		(void)dbus_message_iter_next(&entry);
		dbus_message_iter_recurse(&entry, &value);
		dbus_message_iter_get_basic(&value, &bytes);
		used += snprintf(text + used, size - (size_t)used, " %s=%llx", name,
				 (unsigned long long)bytes);
		(void)dbus_message_iter_next(&dictionary);
	}
}

static DBusMessage *answer(DBusMessage *call)
{
	const char *number = strrchr(dbus_message_get_path(call), '/') + 1;
	const char *text = "text";
	char explanation[256] = "Chosen for \x1b a reason.";
	DBusMessage *reply;

	if (!dbus_message_is_method_call(call, BUS_INTERFACE_SPACE, "Plan") ||
	    !dbus_message_has_signature(call, "tuua{sv}") || strcmp(number, REFUSE) == 0) {
		return dbus_message_new_error(call, BUS_ERROR_PREFIX "NotFound", "no group");
	}
	reply = dbus_message_new_method_return(call);
	if (strcmp(number, TYPE) == 0) {
		(void)dbus_message_append_args(reply, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
		return reply;
	}
	if (strcmp(number, ECHO) == 0) {
		describe_call(call, explanation, sizeof(explanation));
	}
	append_plan(reply, number, explanation);
	return reply;
}

/* -- the test's world -- */

struct world {
	struct private_bus bus;
	pid_t peer;
	char output[8192]; /* of the last command */
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	int ready[2];
	char byte;

	assert_non_null(world);
	world->bus = PRIVATE_BUS_NONE;
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
	free(world);
	dbus_shutdown();
	return 0;
}

#define ARGUMENTS_MAX 16

/* Run "window ARGUMENTS" with the words of a line, and keep the output. */
static enum cli_status run(struct world *world, const char *line)
{
	char words[256] = "window ";
	char *argv[ARGUMENTS_MAX] = {NULL};
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);
	enum cli_status status;
	char *rest = NULL;
	int argc = 0;
	size_t length;

	(void)strncat(words, line, sizeof(words) - strlen(words) - 1);
	for (char *word = strtok_r(words, " ", &rest); word && argc < ARGUMENTS_MAX - 1;
	     word = strtok_r(NULL, " ", &rest)) {
		argv[argc++] = word;
	}
	assert_true(file && saved >= 0);
	(void)fflush(stdout);
	assert_int_equal(dup2(fileno(file), STDOUT_FILENO), STDOUT_FILENO);
	optind = 0;
	opterr = 0;
	status = window_command.run(argc, argv);
	(void)fflush(stdout);
	assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
	(void)close(saved);
	rewind(file);
	length = fread(world->output, 1, sizeof(world->output) - 1, file);
	world->output[length] = '\0';
	(void)fclose(file);
	return status;
}

static void expect(const struct world *world, const char *text)
{
	if (!strstr(world->output, text)) {
		fail_msg("no \"%s\" in:\n%s", text, world->output);
	}
}

static void test_table(void **state)
{
	struct world *world = *state;

	assert_int_equal(run(world, "plan " RIGHT), CLI_OK);
	expect(world, "* 64 KiB      2 1 TiB 16777216 264 MiB 32 KiB");
	expect(world, "   8 KiB      2 1 TiB");
	expect(world, "PageSize\n");
	assert_null(strstr(world->output, "org.spaprd1"));
	/* What it says can't drive the terminal. */
	expect(world, "\nChosen for ? a reason.\n");
	assert_int_equal(run(world, "plan /org/spaprd1/space/" RIGHT), CLI_OK);
	expect(world, "* 64 KiB");
	assert_int_equal(run(world, "plan " NOTHING), CLI_FAILED);
	assert_string_equal(world->output, "Chosen for ? a reason.\n");
}

static void test_json(void **state)
{
	struct world *world = *state;

	assert_int_equal(run(world, "plan --json " RIGHT), CLI_OK);
	expect(world, "\"size\": 1099511627776");
	expect(world, "\"page_size\": 65536");
	expect(world, "\"levels\": 2");
	expect(world, "\"locked_bytes\": 276824064");
	expect(world, "\"tces\": 16777216");
	expect(world, "\"piece_bytes\": 32768");
	expect(world, "\"error\": \"org.spaprd1.Error.PageSize\"");
	expect(world, "\"error\": null");
	expect(world, "\"chosen\": 1");
	expect(world, "\"explanation\": \"Chosen");
	assert_int_equal(run(world, "plan " NOTHING " --json"), CLI_FAILED);
	expect(world, "\"choices\": []");
	expect(world, "\"chosen\": null");
}

static void test_what_is_asked(void **state)
{
	struct world *world = *state;

	assert_int_equal(run(world, "plan " ECHO), CLI_OK);
	expect(world, "\n0 0 0\n");
	assert_int_equal(run(world, "plan --size 1T --page-size 64K --levels 3 --memory 0x10000 "
				    "--backing-page 2MiB " ECHO),
			 CLI_OK);
	expect(world, "\n10000000000 16 3 memory=10000 backing-page=200000\n");
	assert_int_equal(run(world, "plan " ECHO " --memory 4096"), CLI_OK);
	expect(world, "\n0 0 0 memory=1000\n");
}

static void test_answers_that_can_not_be_right(void **state)
{
	struct world *world = *state;

	assert_int_equal(run(world, "plan " TYPE), CLI_FAILED);
	assert_int_equal(run(world, "plan " PAGE_SHIFT), CLI_FAILED);
	assert_int_equal(run(world, "plan " CHOSEN), CLI_FAILED);
	assert_int_equal(run(world, "plan " REFUSE), CLI_FAILED);
	/* Who has this name can't be found out. */
	assert_int_equal(run(world, "plan name"), CLI_FAILED);
	assert_string_equal(world->output, "");
}

static void test_command_lines(void **state)
{
	static const char *const wrong[] = {
		"",
		"--json",
		"plans",
		"plan",
		"plan 1 2",
		"plan --yes 1",
		"plan --size",
		"plan --size 0 1",
		"plan --size x 1",
		"plan --page-size 3K 1",
		"plan --page-size 1 1",
		"plan --levels 0 1",
		"plan --levels -1 1",
		"plan --levels 100 1",
		"plan --levels 1x 1",
		"plan --memory 0 1",
		"plan --backing-page 1.5M 1",
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(run(world, wrong[i]), CLI_USAGE);
		assert_string_equal(world->output, "");
	}
	assert_int_equal(run(world, "--help"), CLI_OK);
	expect(world, "\n  plan ");
	expect(world, "\n  dtb ");
	assert_int_equal(run(world, "plan --help"), CLI_OK);
	expect(world, "usage: spaprctl window plan SPACE");
	assert_int_equal(run(world, "dtb --help"), CLI_OK);
	expect(world, "usage: spaprctl window dtb");
}

static void test_nobody_there(void **state)
{
	struct world *world = *state;

	assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere", 1), 0);
	assert_int_equal(run(world, "plan " RIGHT), CLI_UNREACHABLE);
}

static void test_names(void **state)
{
	struct model_space spaces[] = {
		{.path = "/a", .number = 3, .name = "vm"},
		{.path = "/b", .number = 4, .name = "twin"},
		{.path = "/c", .number = 5, .name = "twin"},
	};
	const struct model model = {.spaces = spaces, .space_count = 3};
	const char *path = NULL;
	struct error error;

	(void)state;
	assert_int_equal(window_find_named(&model, "vm", &path, &error), 0);
	assert_string_equal(path, "/a");
	assert_int_not_equal(window_find_named(&model, "twin", &path, &error), 0);
	assert_non_null(strstr(error.text, "4 and 5 have the name \"twin\""));
	assert_int_not_equal(window_find_named(&model, "no", &path, &error), 0);
	assert_non_null(strstr(error.text, "there is no address space \"no\""));
	assert_string_equal(path, "/a");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_answers_that_can_not_be_right, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_command_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody_there, set_up, tear_down),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("cli-window", tests, NULL, NULL);
}
