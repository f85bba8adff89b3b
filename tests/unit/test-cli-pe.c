/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `spaprctl pe`: the command lines, and what is shown of the answers of a peer that is not spaprd,
 * on a bus of the test's own. What it answers depends on the group.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/pe.h"
#include "common/names.h"
#include "pe_peer.h"
#include "support/fake_service.h"
#include "support/private_bus.h"
#include "unit.h"

/* -- the test's world -- */

struct world {
	struct private_bus bus;
	DBusConnection *control; /* of the test's own */
	pid_t peer;
	char output[16384]; /* of the last command */
	char errors[2048];
	char asked[256];
};

static void start_peer(struct world *world)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	world->peer = fork();
	assert_true(world->peer >= 0);
	if (world->peer == 0) {
		fake_service_run(ready[1], pe_peer_answer);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->bus = PRIVATE_BUS_NONE;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	assert_int_equal(private_bus_start(&world->bus), 0);
	world->control = dbus_bus_get_private(DBUS_BUS_SYSTEM, NULL);
	assert_non_null(world->control);
	dbus_connection_set_exit_on_disconnect(world->control, FALSE);
	start_peer(world);
	*state = world;
	return 0;
}

static int set_up_real(void **state)
{
	int r;

	pe_peer_simulated = false;
	r = set_up(state);
	pe_peer_simulated = true;
	return r;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	dbus_connection_close(world->control);
	dbus_connection_unref(world->control);
	(void)kill(world->peer, SIGKILL);
	(void)waitpid(world->peer, NULL, 0);
	private_bus_stop(&world->bus);
	free(world);
	dbus_shutdown();
	return 0;
}

static DBusMessage *ask_peer(struct world *world, const char *path, const char *member)
{
	DBusMessage *call =
		dbus_message_new_method_call(BUS_NAME, path, "org.spaprd1.Test", member);
	DBusMessage *reply =
		dbus_connection_send_with_reply_and_block(world->control, call, 5000, NULL);

	assert_non_null(reply);
	dbus_message_unref(call);
	return reply;
}

static void read_asked(struct world *world)
{
	DBusMessage *reply = ask_peer(world, "/test", "Asked");
	const char *text = NULL;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID));
	(void)snprintf(world->asked, sizeof(world->asked), "%s", text);
	dbus_message_unref(reply);
}

/* A command in a process of its own: it blocks signals, and reads from the terminal. */
static enum cli_status run_line(const char *line)
{
	char text[256];
	char *arguments[24];
	char *rest = NULL;
	int count = 0;

	(void)snprintf(text, sizeof(text), "%s", line);
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		arguments[count++] = word;
	}
	arguments[count] = NULL;
	opterr = 0;
	optind = 0;
	return pe_command.run(count, arguments);
}

struct child {
	pid_t pid;
	int output;
	int errors;
};

static struct child start_line(const char *line, int input)
{
	struct child child = {.pid = -1};
	int output[2];
	int errors[2];

	assert_int_equal(pipe(output), 0);
	assert_int_equal(pipe(errors), 0);
	(void)fflush(stdout);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		enum cli_status status;

		(void)dup2(input, STDIN_FILENO);
		(void)dup2(output[1], STDOUT_FILENO);
		(void)dup2(errors[1], STDERR_FILENO);
		(void)close(output[1]);
		(void)close(errors[1]);
		status = run_line(line);
		(void)fflush(stdout);
		_exit((int)status);
	}
	(void)close(output[1]);
	(void)close(errors[1]);
	child.output = output[0];
	child.errors = errors[0];
	return child;
}

static void read_all(int fd, char *text, size_t size)
{
	size_t used = strlen(text);
	ssize_t got;

	while (used + 1 < size && (got = read(fd, text + used, size - used - 1)) > 0) {
		used += (size_t)got;
		text[used] = '\0';
	}
	(void)close(fd);
}

/* The exit status, or -1 when a signal ended it. */
static int end_line(struct world *world, const struct child *child)
{
	int status = 0;

	read_all(child->output, world->output, sizeof(world->output));
	read_all(child->errors, world->errors, sizeof(world->errors));
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run(struct world *world, const char *line)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct child child = start_line(line, null);

	(void)close(null);
	world->output[0] = '\0';
	world->errors[0] = '\0';
	return end_line(world, &child);
}

#define ASSERT_HAS(text, part)                                         \
	do {                                                           \
		if (!strstr(text, part)) {                             \
			fail_msg("\"%s\" is not in:\n%s", part, text); \
		}                                                      \
	} while (0)

/* -- what is asked -- */

static void test_each_subcommand_asks(void **state)
{
	static const struct {
		const char *line;
		const char *asked;
	} cases[] = {
		{"pe enable 2", "Enable 2"},
		{"pe disable 2", "Disable 2"},
		{"pe unfreeze-io 2", "UnfreezeIo 2"},
		{"pe unfreeze-dma 0001:0A:00.0", "UnfreezeDma 2"},
		{"pe configure 2", "Configure 2"},
		{"pe reset 2 hot", "Reset 2 hot"},
		{"pe reset 2 fundamental", "Reset 2 fundamental"},
		{"pe reset 2 deactivate", "Reset 2 deactivate"},
		{"pe check 2", "Check 2"},
		{"pe recover 0x2", "Recover 2"},
		{"pe freeze 2", "Freeze spaprd1 2 both"},
		{"pe freeze 02:00.0 dma", "Freeze spaprd1 3 dma"},
		{"pe freeze 2 permanent", "Freeze spaprd1 2 permanent"},
		{"pe inject 2 --type 64 --function dma-wr-target --address 0x1000 --mask "
		 "0xfffffffffffff000 --yes-i-mean-it",
		 "Inject 2 1 13 1000 fffffffffffff000"},
		{"pe inject --type 32 --function ld-mem-addr --address 0 --mask 0 "
		 "--yes-i-mean-it 2",
		 "Inject 2 0 0 0 0"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int status = run(world, cases[i].line);

		if (status != CLI_OK) {
			fail_msg("%s: %d, %s", cases[i].line, status, world->errors);
		}
		read_asked(world);
		assert_string_equal(world->asked, cases[i].asked);
	}
}

static void test_bad_command_lines(void **state)
{
	static const char *const lines[] = {
		"pe",
		"pe nonsense",
		"pe --nonsense",
		"pe list 2",
		"pe list --nonsense",
		"pe enable",
		"pe enable 2 3",
		"pe enable --json",
		"pe disable",
		"pe unfreeze-io",
		"pe unfreeze-dma",
		"pe configure",
		"pe check",
		"pe recover",
		"pe recover 2 3",
		"pe recover --nonsense",
		"pe reset 2",
		"pe reset 2 warm",
		"pe freeze",
		"pe freeze 2 lukewarm",
		"pe freeze 2 io more",
		"pe inject 2",
		"pe inject 2 --type 16 --function ld-mem-addr --address 0 --mask 0 --yes-i-mean-it",
		"pe inject 2 --type 32 --function nothing --address 0 --mask 0 --yes-i-mean-it",
		"pe inject 2 --type 32 --function ld-mem-addr --address -1 --mask 0",
		"pe inject 2 --type 32 --function ld-mem-addr --address 0 --mask x",
		"pe inject 2 --type 32 --function ld-mem-addr --address 0 --yes-i-mean-it",
		"pe inject --type 32 --function ld-mem-addr --address 0 --mask 0 --yes-i-mean-it",
		/* There is no terminal to ask at. */
		"pe inject 2 --type 32 --function ld-mem-addr --address 0 --mask 0",
		"pe log --event",
		"pe log --event 0",
		"pe log --event x",
		"pe log --nonsense",
		"pe watch --nonsense",
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		int status = run(world, lines[i]);

		if (status != CLI_USAGE || world->output[0] || !strstr(world->errors, "--help")) {
			fail_msg("%s: %d, %s%s", lines[i], status, world->errors, world->output);
		}
	}
	read_asked(world);
	assert_string_equal(world->asked, "");
}

static void test_errors_are_told(void **state)
{
	static const struct {
		const char *line;
		const char *text;
	} cases[] = {
		{"pe enable 3", "spaprctl: event 4 goes on\n"},
		{"pe check 3", "spaprctl: event 4 goes on\n"},
		{"pe reset 3 hot", "spaprctl: event 4 goes on\n"},
		{"pe check 6", "can't be right: Check returned \"t\" instead of \"s\""},
		{"pe recover 6", "can't be right: Recover returned \"t\" instead of \"u\""},
		{"pe check 4", "there is no group 4; "},
		{"pe check 0001:0b:00.0", "there is no device 0001:0b:00.0; "},
		/* The short form is that of domain 0. */
		{"pe check 0a:00.0", "there is no device 0a:00.0; "},
		{"pe check 5", "group 5 has no PE"},
		{"pe watch 2 5", "group 5 has no PE"},
		{"pe log 5", "group 5 has no PE"},
		{"pe log --event 8", "there is no event 8 in the record"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(run(world, cases[i].line), CLI_FAILED);
		ASSERT_HAS(world->errors, cases[i].text);
		assert_string_equal(world->output, "");
	}
}

static void test_no_service(void **state)
{
	static const char *const lines[] = {"pe list",      "pe log",     "pe watch",
					    "pe recover 2", "pe check 2", "pe freeze 2"};
	struct world *world = *state;

	(void)kill(world->peer, SIGKILL);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		assert_int_equal(run(world, lines[i]), CLI_UNREACHABLE);
		ASSERT_HAS(world->errors, "spaprctl: spaprd ");
	}
}

static void test_a_real_host_is_not_frozen(void **state)
{
	struct world *world = *state;

	assert_int_equal(run(world, "pe freeze 2"), CLI_FAILED);
	ASSERT_HAS(world->errors, "software does not freeze its hardware");
	ASSERT_HAS(world->errors, "spaprctl pe inject");
	read_asked(world);
	assert_string_equal(world->asked, "");
}

static int inject_at_terminal(struct world *world, const char *answer_typed)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct child child;
	int status;
	int slave;

	assert_true(terminal >= 0);
	assert_int_equal(grantpt(terminal), 0);
	assert_int_equal(unlockpt(terminal), 0);
	slave = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	assert_int_equal(write(terminal, answer_typed, strlen(answer_typed)),
			 (int)strlen(answer_typed));
	world->output[0] = '\0';
	world->errors[0] = '\0';
	child = start_line("pe inject 2 --type 32 --function st-io-data --address 16 --mask 0",
			   slave);
	status = end_line(world, &child);
	(void)close(slave);
	(void)close(terminal);
	ASSERT_HAS(world->errors, "group 2");
	read_asked(world);
	return status;
}

static void test_injection_asks_at_a_terminal(void **state)
{
	struct world *world = *state;

	assert_int_equal(inject_at_terminal(world, "no\n"), CLI_FAILED);
	ASSERT_HAS(world->errors, "nothing was done");
	assert_string_equal(world->asked, "");
	assert_int_equal(inject_at_terminal(world, "y\n"), CLI_FAILED);
	assert_string_equal(world->asked, "");
	assert_int_equal(inject_at_terminal(world, "yes\n"), CLI_OK);
	assert_string_equal(world->asked, "Inject 2 0 9 10 0");
}

/* -- what is shown -- */

static void test_check(void **state)
{
	struct world *world = *state;

	assert_int_equal(run(world, "pe check 2"), CLI_OK);
	assert_string_equal(world->output, "stopped-dma\n");
}

static void test_an_operation_tells_its_time(void **state)
{
	struct world *world = *state;

	assert_int_equal(run(world, "pe reset 2 hot"), CLI_OK);
	assert_string_equal(world->output, "reset-hot: 412 ms\n");
}

static void test_list(void **state)
{
	struct world *world = *state;

	assert_int_equal(setenv("COLUMNS", "120", 1), 0);
	assert_int_equal(run(world, "pe list"), CLI_OK);
	assert_string_equal(
		world->output,
		"GROUP PHB/PE   LOCATION        DEVICES      STATE   RECOVERY LEFT POLICY  SPACE\n"
		"    2 0x1/0xfd U78D3.ND1-P1-C3 0001:0a:00.0 normal  idle        4 default     -\n"
		"    3 -        -               0000:02:00.0 stopped failed      0 default     -\n"
		"    6 -        U78D3.ND1-P1-C3              normal  idle        4 default     "
		"-\n");
	assert_int_equal(run(world, "pe list --json"), CLI_OK);
	ASSERT_HAS(world->output, "\"group\": 2,\n    \"phb\": 1,\n    \"pe\": 253,\n    "
				  "\"location\": \"U78D3.ND1-P1-C3\",\n    \"devices\": [\n      "
				  "\"0001:0a:00.0\"\n    ],\n    \"state\": \"normal\",\n    "
				  "\"recovery\": \"idle\",\n    \"freezes\": 1,\n    "
				  "\"freezes_left\": 4,\n    \"participants\": 1,\n    "
				  "\"policy\": \"default\",\n    \"space\": null");
	ASSERT_HAS(world->output, "\"group\": 3,\n    \"phb\": null,\n    \"pe\": null,\n    "
				  "\"location\": null");
	assert_null(strstr(world->output, "\"group\": 5"));
}

#define STORY_OF_7                                                                         \
	"event 7: group 2, PHB 0x1, PE 0xfd, at U78D3.ND1-P1-C3\n"                         \
	"  2023-11-14 22:13:20.123, found by poll: MMIO and DMA stopped, policy default\n" \
	"  devices 0001:0a:00.0\n"                                                         \
	"     +0.001500 s                 vote: :1.7 need-reset\n"                         \
	"     +0.512250 s     500.000 ms  reset-hot: stopped ?[31m\n"                      \
	"  and 3 more steps, not kept\n"                                                   \
	"  recovered after 4.123 s: after a hot reset\n"

static void test_log(void **state)
{
	struct world *world = *state;

	assert_int_equal(run(world, "pe log 2 --event 7"), CLI_OK);
	assert_string_equal(world->output, STORY_OF_7);
	assert_int_equal(run(world, "pe log"), CLI_OK);
	assert_int_equal(
		strncmp(world->output, STORY_OF_7 "\nevent 9: ", strlen(STORY_OF_7 "\nevent 9: ")),
		0);
	ASSERT_HAS(world->output, "  running\n");
	assert_int_equal(run(world, "pe log 3"), CLI_OK);
	assert_string_equal(world->output, "no events\n");
	assert_int_equal(run(world, "pe log --event 7 --registers"), CLI_OK);
	assert_string_equal(world->output,
			    STORY_OF_7 "  0001:0a:00.0 config space\n"
				       "    000: 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n"
				       "    010: 10 11\n"
				       "  0001:0a:00.0 Advanced Error Reporting\n"
				       "    100: 00 01 02 03\n"
				       "  0001:0a:00.1 did not answer\n");
}

static void test_log_for_programs(void **state)
{
	static const char *const parts[] = {
		"\"event\": 7,\n    \"group\": 2,\n    \"phb\": 1,\n    \"pe\": 253,",
		"\"began_us\": 1700000000123456",
		"\"outcome\": \"recovered\"",
		"\"milliseconds\": 4123",
		"\"since_us\": 512250,\n        \"took_us\": 500000,",
		"\"name\": \"reset-hot\",\n        \"text\": \"stopped \\u001b[31m\"",
		"\"steps_left_out\": 3",
		"\"config\": \"000102030405060708090a0b0c0d0e0f1011\"",
		"\"aer_offset\": 256,\n        \"aer\": \"00010203\"",
		"\"config\": \"\"",
	};
	struct world *world = *state;

	assert_int_equal(run(world, "pe log --event 7 --json"), CLI_OK);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		ASSERT_HAS(world->output, parts[i]);
	}
	assert_int_equal(run(world, "pe log 3 --json"), CLI_OK);
	assert_string_equal(world->output, "[]\n");
}

/* -- recoveries -- */

static void test_recover(void **state)
{
	struct world *world = *state;

	assert_int_equal(run(world, "pe recover 2"), CLI_OK);
	assert_string_equal(world->output, "event 9\n");
	assert_int_equal(run(world, "pe recover 2 --wait"), CLI_OK);
	assert_int_equal(strncmp(world->output, "event 9\n", 8), 0);
	ASSERT_HAS(world->output, " frozen: stopped\n");
	ASSERT_HAS(world->output, " error-detected: frozen\n");
	ASSERT_HAS(world->output, " slot-reset\n");
	ASSERT_HAS(world->output, " resume\n");
	ASSERT_HAS(world->output, " recovery-done: recovered after 4.123 s: a hot reset\n");
	assert_int_equal(run(world, "pe recover 3 --wait"), CLI_FAILED);
	/* By the record, since no freeze is told. */
	ASSERT_HAS(world->output, " s  group 3    error-detected: frozen\n");
	ASSERT_HAS(world->output, " recovery-done: failed after 4.123 s: no reset helps\n");
}

/* The story is told again and again: nobody knows when the command listens. */
static int watch_story(struct world *world, const char *line, const char *path)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct child child = start_line(line, null);
	siginfo_t info = {.si_pid = 0};

	(void)close(null);
	world->output[0] = '\0';
	world->errors[0] = '\0';
	for (int i = 0; i < 250 && info.si_pid == 0; i++) {
		dbus_message_unref(ask_peer(world, path, "Story"));
		(void)usleep(20000);
		assert_int_equal(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOHANG | WNOWAIT),
				 0);
	}
	if (info.si_pid == 0) {
		(void)kill(child.pid, SIGKILL);
	}
	return end_line(world, &child);
}

static void test_watch_until_done(void **state)
{
	struct world *world = *state;

	assert_int_equal(watch_story(world, "pe watch --until-done", "/2"), CLI_OK);
	ASSERT_HAS(world->output, "group 2    recovery-done: recovered after 4.123 s");
	assert_int_equal(watch_story(world, "pe watch 0000:02:00.0 --until-done --json", "/3"),
			 CLI_FAILED);
	ASSERT_HAS(world->output, "\"what\": \"recovery-done\", \"recovered\": false, "
				  "\"milliseconds\": 4123, \"why\": \"no reset helps\"}\n");
}

/* Of another group nothing is told; ^C is an end like another. */
static void test_watch_until_interrupted(void **state)
{
	struct world *world = *state;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct child child = start_line("pe watch 2 --json", null);
	ssize_t got;

	(void)close(null);
	world->output[0] = '\0';
	world->errors[0] = '\0';
	assert_int_equal(fcntl(child.output, F_SETFL, O_NONBLOCK), 0);
	do {
		dbus_message_unref(ask_peer(world, "/3", "Story"));
		dbus_message_unref(ask_peer(world, "/2", "Story"));
		(void)usleep(20000);
		got = read(child.output, world->output, sizeof(world->output) - 1);
	} while (got <= 0);
	world->output[got] = '\0';
	assert_int_equal(fcntl(child.output, F_SETFL, 0), 0);
	assert_int_equal(kill(child.pid, SIGINT), 0);
	assert_int_equal(end_line(world, &child), CLI_OK);
	ASSERT_HAS(world->output, "\"group\": 2, ");
	assert_null(strstr(world->output, "\"group\": 3"));
}

static void test_a_service_that_ends_while_waited_for(void **state)
{
	struct world *world = *state;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct child child = start_line("pe watch 2 --until-done", null);

	(void)close(null);
	world->output[0] = '\0';
	world->errors[0] = '\0';
	/* It may end before the command listens: then it is started again. */
	for (int i = 0; i < 50; i++) {
		siginfo_t info = {.si_pid = 0};

		(void)usleep(100000);
		(void)kill(world->peer, SIGKILL);
		(void)waitpid(world->peer, NULL, 0);
		(void)usleep(100000);
		start_peer(world);
		assert_int_equal(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOHANG | WNOWAIT),
				 0);
		if (info.si_pid != 0) {
			break;
		}
	}
	assert_int_equal(end_line(world, &child), CLI_UNREACHABLE);
	ASSERT_HAS(world->errors, "spaprctl: spaprd ");
}

/* -- help -- */

static void test_every_subcommand_has_help(void **state)
{
	struct world *world = *state;

	assert_int_equal(run(world, "pe --help"), CLI_OK);
	ASSERT_HAS(world->output, "Example: ");
	for (size_t i = 0; pe_subcommands[i]; i++) {
		char line[64];

		ASSERT_HAS(world->output, pe_subcommands[i]->summary);
		(void)snprintf(line, sizeof(line), "usage: spaprctl %s", pe_subcommands[i]->name);
		ASSERT_HAS(pe_subcommands[i]->help, line);
		ASSERT_HAS(pe_subcommands[i]->help, "\nExample: spaprctl pe ");
	}
	for (size_t i = 0; pe_subcommands[i]; i++) {
		char line[64];

		(void)snprintf(line, sizeof(line), "%s --help", pe_subcommands[i]->name);
		assert_int_equal(run(world, line), CLI_OK);
		assert_string_equal(world->output, pe_subcommands[i]->help);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_each_subcommand_asks),
		TEST(test_bad_command_lines),
		TEST(test_errors_are_told),
		TEST(test_no_service),
		cmocka_unit_test_setup_teardown(test_a_real_host_is_not_frozen, set_up_real,
						tear_down),
		TEST(test_injection_asks_at_a_terminal),
		TEST(test_check),
		TEST(test_an_operation_tells_its_time),
		TEST(test_list),
		TEST(test_log),
		TEST(test_log_for_programs),
		TEST(test_recover),
		TEST(test_watch_until_done),
		TEST(test_watch_until_interrupted),
		TEST(test_a_service_that_ends_while_waited_for),
		TEST(test_every_subcommand_has_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
