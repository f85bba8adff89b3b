/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `spaprctl device`: the command lines, and what is shown of the answers of a peer that is not
 * spaprd, on a bus of the test's own.
 */
#include <fcntl.h>
#include <getopt.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/device.h"
#include "cli/device_show.h"
#include "common/names.h"
#include "pe_peer.h"
#include "support/fake_service.h"
#include "support/private_bus.h"
#include "unit.h"

/* Of pe_peer.h: the first is open here, the second refuses. */
#define DEVICE_RIGHT BUS_PATH_DEVICE_PREFIX "0001_0a_00_0"

/* -- the peer -- */

static char asked[256]; /* the last call of Device, in words */

static void append(DBusMessageIter *iter, int type, const void *value)
{
	(void)dbus_message_iter_append_basic(iter, type, value);
}

/* A record of numbers: the small ones first, as the types say. */
static void append_record(DBusMessageIter *array, const char *types, const uint64_t *numbers)
{
	DBusMessageIter record;

	(void)dbus_message_iter_open_container(array, DBUS_TYPE_STRUCT, NULL, &record);
	for (size_t i = 0; types[i]; i++) {
		dbus_uint32_t small = (dbus_uint32_t)numbers[i];
		dbus_uint64_t large = numbers[i];

		append(&record, types[i], types[i] == DBUS_TYPE_UINT32 ? (void *)&small : &large);
	}
	(void)dbus_message_iter_close_container(array, &record);
}

static void append_records(DBusMessage *reply, const char *types, const uint64_t *numbers,
			   size_t count)
{
	char signature[16];
	DBusMessageIter iter;
	DBusMessageIter array;

	(void)snprintf(signature, sizeof(signature), "(%s)", types);
	dbus_message_iter_init_append(reply, &iter);
	(void)dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, signature, &array);
	for (size_t i = 0; i < count; i++) {
		append_record(&array, types, numbers + i * strlen(types));
	}
	(void)dbus_message_iter_close_container(&iter, &array);
}

/* "ReadRegion 0001_0a_00_0 7 4 2" */
static void remember(DBusMessage *call)
{
	size_t used = (size_t)snprintf(asked, sizeof(asked), "%s %s", dbus_message_get_member(call),
				       strrchr(dbus_message_get_path(call), '/') + 1);
	DBusMessageIter iter;

	if (!dbus_message_iter_init(call, &iter)) {
		return;
	}
	do {
		DBusBasicValue value = {.u64 = 0};

		dbus_message_iter_get_basic(&iter, &value);
		used += (size_t)snprintf(asked + used, sizeof(asked) - used, " %llx",
					 (unsigned long long)value.u64);
	} while (dbus_message_iter_next(&iter));
}

static void answer_read(DBusMessage *call, DBusMessage *reply)
{
	dbus_uint32_t region = 0;
	dbus_uint64_t offset = 0;
	dbus_uint32_t size = 0;
	dbus_uint64_t value;

	(void)dbus_message_get_args(call, NULL, DBUS_TYPE_UINT32, &region, DBUS_TYPE_UINT64,
				    &offset, DBUS_TYPE_UINT32, &size, DBUS_TYPE_INVALID);
	value = (UINT64_C(0x8877665544332211) + offset) & (UINT64_MAX >> (64 - 8 * size));
	(void)dbus_message_append_args(reply, DBUS_TYPE_UINT64, &value, DBUS_TYPE_INVALID);
}

static DBusMessage *answer_device(DBusMessage *call)
{
	static const uint64_t regions[] = {
		0, 15, 0x4000, 0, 1, 7, 3, 256, UINT64_C(7) << 40, 0, 9, 1, 64, UINT64_C(9) << 40,
		2};
	static const uint64_t areas[] = {0, 0x1000, 0x2000, 0x2000};
	static const uint64_t irqs[] = {0, 7, 1, 2, 9, 5, 8, 0, 1};
	DBusMessage *reply = dbus_message_new_method_return(call);

	if (strcmp(dbus_message_get_path(call), DEVICE_RIGHT) != 0) {
		dbus_message_unref(reply);
		return dbus_message_new_error(call, BUS_ERROR_PREFIX "Busy", "event 4 goes on");
	}
	if (dbus_message_has_member(call, "Regions")) {
		append_records(reply, "uuttt", regions, 3);
		return reply;
	}
	remember(call);
	if (dbus_message_has_member(call, "SparseAreas")) {
		append_records(reply, "tt", areas, 2);
	} else if (dbus_message_has_member(call, "Irqs")) {
		append_records(reply, "uuu", irqs, 3);
	} else if (dbus_message_has_member(call, "ReadRegion")) {
		answer_read(call, reply);
	} else if (dbus_message_has_member(call, "Open")) {
		const int fd = STDERR_FILENO;

		(void)dbus_message_append_args(reply, DBUS_TYPE_UNIX_FD, &fd, DBUS_TYPE_INVALID);
	}
	return reply;
}

static DBusMessage *answer(DBusMessage *call)
{
	const char *text = asked;
	DBusMessage *reply;

	if (dbus_message_has_interface(call, BUS_INTERFACE_DEVICE)) {
		return answer_device(call);
	}
	if (!dbus_message_has_member(call, "Asked")) {
		return pe_peer_answer(call);
	}
	reply = dbus_message_new_method_return(call);
	(void)dbus_message_append_args(reply, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
	return reply;
}

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
		fake_service_run(ready[1], answer);
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
	assert_int_equal(private_bus_start(&world->bus), 0);
	world->control = dbus_bus_get_private(DBUS_BUS_SYSTEM, NULL);
	assert_non_null(world->control);
	dbus_connection_set_exit_on_disconnect(world->control, FALSE);
	start_peer(world);
	*state = world;
	return 0;
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

static void read_asked(struct world *world)
{
	DBusMessage *call =
		dbus_message_new_method_call(BUS_NAME, "/test", "org.spaprd1.Test", "Asked");
	DBusMessage *reply =
		dbus_connection_send_with_reply_and_block(world->control, call, 5000, NULL);
	const char *text = NULL;

	assert_non_null(reply);
	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID));
	(void)snprintf(world->asked, sizeof(world->asked), "%s", text);
	dbus_message_unref(call);
	dbus_message_unref(reply);
}

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
	return device_command.run(count, arguments);
}

static void read_all(int fd, char *text, size_t size)
{
	size_t used = 0;
	ssize_t got;

	while (used + 1 < size && (got = read(fd, text + used, size - used - 1)) > 0) {
		used += (size_t)got;
	}
	text[used] = '\0';
	(void)close(fd);
}

/* A command in a process of its own. Its exit status, or -1 when a signal ended it. */
static int run(struct world *world, const char *line)
{
	int output[2];
	int errors[2];
	int status = 0;
	pid_t pid;

	assert_int_equal(pipe(output), 0);
	assert_int_equal(pipe(errors), 0);
	(void)fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(output[1], STDOUT_FILENO);
		(void)dup2(errors[1], STDERR_FILENO);
		(void)close(output[1]);
		(void)close(errors[1]);
		status = (int)run_line(line);
		(void)fflush(stdout);
		_exit(status);
	}
	(void)close(output[1]);
	(void)close(errors[1]);
	read_all(output[0], world->output, sizeof(world->output));
	read_all(errors[0], world->errors, sizeof(world->errors));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void run_well(struct world *world, const char *line)
{
	int status = run(world, line);

	if (status != CLI_OK) {
		fail_msg("%s: %d, %s", line, status, world->errors);
	}
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
		{"device open 0001:0a:00.0", "Open 0001_0a_00_0"},
		{"device reset 0001:0A:00.0", "Reset 0001_0a_00_0"},
		{"device regions 0001:0a:00.0", "SparseAreas 0001_0a_00_0 0"},
		{"device irqs 0001:0a:00.0", "Irqs 0001_0a_00_0"},
		{"device read 0001:0a:00.0 config 0x10", "ReadRegion 0001_0a_00_0 7 10 4"},
		{"device read 0001:0a:00.0 BAR3 16 --size 8", "ReadRegion 0001_0a_00_0 3 10 8"},
		{"device read 0001:0a:00.0 rom 0 --size 1", "ReadRegion 0001_0a_00_0 6 0 1"},
		{"device read --size 2 0001:0a:00.0 vga 2", "ReadRegion 0001_0a_00_0 8 2 2"},
		{"device read 0001:0a:00.0 11 0 --count 3", "ReadRegion 0001_0a_00_0 b 8 4"},
		{"device write 0001:0a:00.0 config 4 0x6 --size 2",
		 "WriteRegion 0001_0a_00_0 7 4 2 6"},
		{"device write 0001:0a:00.0 bar5 0 0xffffffffffffffff --size 8",
		 "WriteRegion 0001_0a_00_0 5 0 8 ffffffffffffffff"},
		{"device write 0001:0a:00.0 0 8 4294967295",
		 "WriteRegion 0001_0a_00_0 0 8 4 ffffffff"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		run_well(world, cases[i].line);
		read_asked(world);
		assert_string_equal(world->asked, cases[i].asked);
	}
}

static void test_bad_command_lines(void **state)
{
	static const char *const lines[] = {
		"device",
		"device nonsense",
		"device --nonsense",
		"device list 0001:0a:00.0",
		"device list --nonsense",
		"device show",
		"device show 0001:0a:00.0 0000:02:00.0",
		"device open",
		"device open 0001:0a:00.0 --json",
		"device reset",
		"device regions",
		"device irqs --nonsense 0001:0a:00.0",
		"device read",
		"device read 0001:0a:00.0",
		"device read 0001:0a:00.0 config",
		"device read 0001:0a:00.0 bar6 0",
		"device read 0001:0a:00.0 config x",
		"device read 0001:0a:00.0 config -1",
		"device read 0001:0a:00.0 config 0 1",
		"device read 0001:0a:00.0 config 0 --size 3",
		"device read 0001:0a:00.0 config 0 --size 16",
		"device read 0001:0a:00.0 config 0 --size",
		"device read 0001:0a:00.0 config 0 --count 0",
		"device read 0001:0a:00.0 config 0 --count 4097",
		"device write 0001:0a:00.0 config 0",
		"device write 0001:0a:00.0 config 0 x",
		"device write 0001:0a:00.0 config 0 0x100 --size 1",
		"device write 0001:0a:00.0 config 0 0x100000000",
		"device write 0001:0a:00.0 config 0 1 --count 2",
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
		{"device open 02:00.0", "spaprctl: event 4 goes on\n"},
		{"device reset 02:00.0", "spaprctl: event 4 goes on\n"},
		{"device regions 02:00.0", "spaprctl: event 4 goes on\n"},
		{"device irqs 02:00.0", "spaprctl: event 4 goes on\n"},
		{"device read 02:00.0 config 0 --count 4", "spaprctl: event 4 goes on\n"},
		{"device write 02:00.0 config 0 1", "spaprctl: event 4 goes on\n"},
		{"device show 0001:0b:00.0", "there is no device 0001:0b:00.0"},
		/* The short form is that of domain 0. */
		{"device open 0a:00.0", "there is no device 0a:00.0"},
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
	struct world *world = *state;

	(void)kill(world->peer, SIGKILL);
	(void)waitpid(world->peer, NULL, 0);
	assert_int_equal(run(world, "device list"), CLI_UNREACHABLE);
	assert_int_equal(run(world, "device read 0001:0a:00.0 config 0"), CLI_UNREACHABLE);
}

static void test_help(void **state)
{
	struct world *world = *state;
	char line[64];

	run_well(world, "device --help");
	for (size_t i = 0; device_subcommands[i]; i++) {
		ASSERT_HAS(world->output, device_subcommands[i]->summary);
	}
	for (size_t i = 0; device_subcommands[i]; i++) {
		(void)snprintf(line, sizeof(line), "%s --help", device_subcommands[i]->name);
		run_well(world, line);
		assert_string_equal(world->output, device_subcommands[i]->help);
	}
}

/* -- what is shown -- */

static void test_values(void **state)
{
	struct world *world = *state;

	run_well(world, "device read 0001:0a:00.0 config 0 --size 1");
	assert_string_equal(world->output, "0x11\n");
	run_well(world, "device read 0001:0a:00.0 config 0 --size 8");
	assert_string_equal(world->output, "0x8877665544332211\n");
	run_well(world, "device read 0001:0a:00.0 config 0x20 --size 2 --count 2");
	assert_string_equal(world->output, "0x0020: 0x2231\n0x0022: 0x2233\n");
	run_well(world, "device read 0001:0a:00.0 config 4 --size 2 --count 2 --json");
	ASSERT_HAS(world->output, "\"region\": 7");
	ASSERT_HAS(world->output, "\"0x2215\"");
	ASSERT_HAS(world->output, "\"0x2217\"");
	run_well(world, "device write 0001:0a:00.0 config 4 0");
	assert_string_equal(world->output, "");
}

static void test_regions(void **state)
{
	struct world *world = *state;

	run_well(world, "device regions 0001:0a:00.0");
	ASSERT_HAS(world->output, "bar0");
	ASSERT_HAS(world->output, "16 KiB");
	ASSERT_HAS(world->output, "[0x0, 0x1000)");
	ASSERT_HAS(world->output, "[0x2000, 0x4000)");
	ASSERT_HAS(world->output, "config");
	ASSERT_HAS(world->output, "0x70000000000");
	run_well(world, "device regions 0001:0a:00.0 --json");
	ASSERT_HAS(world->output, "\"name\": \"config\"");
	ASSERT_HAS(world->output, "\"name\": null");
	ASSERT_HAS(world->output, "\"offset\": \"0x2000\"");
	ASSERT_HAS(world->output, "\"writable\": false");
}

static void test_irqs(void **state)
{
	struct world *world = *state;

	run_well(world, "device irqs 0001:0a:00.0");
	ASSERT_HAS(world->output, "INTx");
	ASSERT_HAS(world->output, "eventfd mask automask");
	ASSERT_HAS(world->output, "MSI-X");
	ASSERT_HAS(world->output, "eventfd noresize");
	run_well(world, "device irqs 0001:0a:00.0 --json");
	ASSERT_HAS(world->output, "\"name\": \"MSI-X\"");
	ASSERT_HAS(world->output, "\"count\": 5");
}

static void test_list(void **state)
{
	struct world *world = *state;

	run_well(world, "device list");
	ASSERT_HAS(world->output, "0001:0a:00.0");
	ASSERT_HAS(world->output, "8086:8086");
	ASSERT_HAS(world->output, "vfio-pci");
	run_well(world, "device list --json");
	ASSERT_HAS(world->output, "\"name\": \"0001:0a:00.0\"");
	ASSERT_HAS(world->output, "\"open\": false");
	ASSERT_HAS(world->output, "\"address_space\": null");
}

/* One that is not open is asked nothing. */
static void test_show(void **state)
{
	struct world *world = *state;

	run_well(world, "device show 02:00.0");
	ASSERT_HAS(world->output, "0000:02:00.0");
	ASSERT_HAS(world->output, "class 0x020000");
	ASSERT_HAS(world->output, "not known before it was open");
	run_well(world, "device show 02:00.0 --json");
	ASSERT_HAS(world->output, "\"regions\": null");
}

/* What there is of one that is open. */
static void test_show_all(void **state)
{
	static struct device_area area = {.offset = 0x1000, .size = 0x1000};
	static struct device_region region = {.index = VFIO_PCI_BAR2_REGION_INDEX,
					      .size = 0x2000,
					      .areas = &area,
					      .area_count = 1};
	static struct device_irq irq = {.index = VFIO_PCI_ERR_IRQ_INDEX, .count = 1};
	const struct device_regions regions = {.items = &region, .count = 1};
	const struct device_irqs irqs = {.items = &irq, .count = 1};
	const struct model_device device = {.name = "0001:0a:00.0",
					    .driver = "vfio-pci",
					    .group = "/",
					    .location = "U1",
					    .open = true,
					    .reset_works = true};
	const struct terminal terminal = {.width = 80};
	const struct model model = {.device_count = 0};
	char text[2048] = "";
	FILE *file = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_non_null(file);
	assert_int_equal(device_show(file, &terminal, &model, &device, &regions, &irqs), 0);
	(void)fclose(file);
	ASSERT_HAS(text, "it can be reset alone");
	ASSERT_HAS(text, "bar2");
	ASSERT_HAS(text, "ERR");
	file = fmemopen(text, sizeof(text), "w");
	assert_non_null(file);
	device_show_json(file, &model, &device, &regions, &irqs);
	(void)fclose(file);
	ASSERT_HAS(text, "\"reset_works\": true");
	ASSERT_HAS(text, "\"name\": \"bar2\"");
	ASSERT_HAS(text, "\"name\": \"ERR\"");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_each_subcommand_asks),
		TEST(test_bad_command_lines),
		TEST(test_errors_are_told),
		TEST(test_no_service),
		TEST(test_help),
		TEST(test_values),
		TEST(test_regions),
		TEST(test_irqs),
		TEST(test_list),
		TEST(test_show),
		cmocka_unit_test(test_show_all),
	};

	return cmocka_run_group_tests_name("cli-device", tests, NULL, NULL);
}
