/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `spaprctl sim`: the verbs' command lines, their calls to a peer that is not spaprd, on a bus of
 * the test's own, and what is shown. The peer's answers depend on the group, or on the operation.
 */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/sim_remote.h"
#include "cli/sim_show.h"
#include "cli/sim_verbs.h"
#include "common/names.h"
#include "support/fake_service.h"
#include "support/private_bus.h"
#include "unit.h"

#define GROUP_RIGHT   1U
#define GROUP_TYPE    2U
#define GROUP_ORDER   3U
#define GROUP_ENDLESS 4U
#define GROUP_LAST    5U

/* -- the peer -- */

static void append(DBusMessageIter *iter, int type, const void *value)
{
	(void)dbus_message_iter_append_basic(iter, type, value);
}

static void append_window(DBusMessageIter *array)
{
	const dbus_uint64_t numbers[] = {0, 0x80000000, 3};
	const dbus_uint32_t small[] = {12, 1};
	DBusMessageIter entry;

	(void)dbus_message_iter_open_container(array, DBUS_TYPE_STRUCT, NULL, &entry);
	append(&entry, DBUS_TYPE_UINT64, &numbers[0]);
	append(&entry, DBUS_TYPE_UINT64, &numbers[1]);
	append(&entry, DBUS_TYPE_UINT32, &small[0]);
	append(&entry, DBUS_TYPE_UINT32, &small[1]);
	append(&entry, DBUS_TYPE_UINT64, &numbers[2]);
	(void)dbus_message_iter_close_container(array, &entry);
}

static void append_entry(DBusMessageIter *array, dbus_uint64_t iova, dbus_uint64_t size,
			 dbus_uint32_t permissions)
{
	const dbus_uint64_t address = 0x7f0000000000 + iova;
	DBusMessageIter entry;

	(void)dbus_message_iter_open_container(array, DBUS_TYPE_STRUCT, NULL, &entry);
	append(&entry, DBUS_TYPE_UINT64, &iova);
	append(&entry, DBUS_TYPE_UINT64, &address);
	append(&entry, DBUS_TYPE_UINT64, &size);
	append(&entry, DBUS_TYPE_UINT32, &permissions);
	(void)dbus_message_iter_close_container(array, &entry);
}

/* Two entries, one in each answer; or both in the wrong order; or none, and always more; or the
 * last that there can be, and more. */
static void append_dump(DBusMessage *call, DBusMessage *reply)
{
	dbus_uint32_t group = 0;
	dbus_uint64_t from = 0;
	dbus_bool_t more = TRUE;
	DBusMessageIter iter;
	DBusMessageIter array;

	(void)dbus_message_get_args(call, NULL, DBUS_TYPE_UINT32, &group, DBUS_TYPE_UINT64, &from,
				    DBUS_TYPE_INVALID);
	dbus_message_iter_init_append(reply, &iter);
	if (group == GROUP_TYPE) {
		append(&iter, DBUS_TYPE_BOOLEAN, &more);
		return;
	}
	(void)dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "(ttuut)", &array);
	append_window(&array);
	(void)dbus_message_iter_close_container(&iter, &array);
	(void)dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "(tttu)", &array);
	if (group == GROUP_ORDER) {
		append_entry(&array, 0x8000, 0x1000, 2);
	}
	if (group == GROUP_LAST) {
		append_entry(&array, UINT64_MAX - 0xfff, 0x1000, 3);
	} else if (group != GROUP_ENDLESS && from <= 0x1000) {
		append_entry(&array, 0x1000, 0x2000, 3);
	} else if (group != GROUP_ENDLESS) {
		append_entry(&array, 0x8000, 0x1000, 1);
		more = FALSE;
	}
	(void)dbus_message_iter_close_container(&iter, &array);
	append(&iter, DBUS_TYPE_BOOLEAN, &more);
}

static void append_option(DBusMessageIter *dictionary, const char *name, int type, uint32_t value)
{
	const char signature[] = {(char)type, '\0'};
	DBusMessageIter entry;
	DBusMessageIter variant;

	(void)dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append(&entry, DBUS_TYPE_STRING, &name);
	(void)dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant);
	append(&variant, type, &value);
	(void)dbus_message_iter_close_container(&entry, &variant);
	(void)dbus_message_iter_close_container(dictionary, &entry);
}

/* One rule, with an option more than anybody knows. */
static void append_rules(DBusMessage *reply)
{
	const dbus_uint32_t numbers[] = {7, 2};
	const char *operation = "VFIO_IOMMU_MAP_DMA";
	DBusMessageIter iter;
	DBusMessageIter array;
	DBusMessageIter rule;
	DBusMessageIter dictionary;

	dbus_message_iter_init_append(reply, &iter);
	(void)dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "(usua{sv})", &array);
	(void)dbus_message_iter_open_container(&array, DBUS_TYPE_STRUCT, NULL, &rule);
	append(&rule, DBUS_TYPE_UINT32, &numbers[0]);
	append(&rule, DBUS_TYPE_STRING, &operation);
	append(&rule, DBUS_TYPE_UINT32, &numbers[1]);
	(void)dbus_message_iter_open_container(&rule, DBUS_TYPE_ARRAY, "{sv}", &dictionary);
	append_option(&dictionary, "errno", DBUS_TYPE_INT32, 12);
	append_option(&dictionary, "every", DBUS_TYPE_UINT32, 3);
	append_option(&dictionary, "colour", DBUS_TYPE_UINT32, 1);
	(void)dbus_message_iter_close_container(&rule, &dictionary);
	(void)dbus_message_iter_close_container(&array, &rule);
	(void)dbus_message_iter_close_container(&iter, &array);
}

/* Says in the rule's number what the options were: errno, skip, every, times, a digit each. */
static void append_rule_number(DBusMessage *call, DBusMessage *reply)
{
	static const char *const names[] = {"errno", "skip", "every", "times"};
	dbus_uint32_t digits[4] = {0};
	dbus_uint32_t id;
	DBusMessageIter iter;
	DBusMessageIter dictionary;

	(void)dbus_message_iter_init(call, &iter);
	(void)dbus_message_iter_next(&iter);
	dbus_message_iter_recurse(&iter, &dictionary);
	while (dbus_message_iter_get_arg_type(&dictionary) == DBUS_TYPE_DICT_ENTRY) {
		const char *name = NULL;
		DBusMessageIter entry;
		DBusMessageIter value;

		dbus_message_iter_recurse(&dictionary, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		(void)dbus_message_iter_next(&entry);
		dbus_message_iter_recurse(&entry, &value);
		for (size_t i = 0; i < 4; i++) {
			if (strcmp(name, names[i]) == 0) {
				dbus_message_iter_get_basic(&value, &digits[i]);
			}
		}
		(void)dbus_message_iter_next(&dictionary);
	}
	id = 10000 + 1000 * digits[0] + 100 * digits[1] + 10 * digits[2] + digits[3];
	(void)dbus_message_append_args(reply, DBUS_TYPE_UINT32, &id, DBUS_TYPE_INVALID);
}

static void append_counters(DBusMessage *reply)
{
	const dbus_uint64_t value = 0x100000;
	const char *name = "pinned_bytes";
	DBusMessageIter iter;
	DBusMessageIter array;
	DBusMessageIter entry;

	dbus_message_iter_init_append(reply, &iter);
	(void)dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{st}", &array);
	(void)dbus_message_iter_open_container(&array, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append(&entry, DBUS_TYPE_STRING, &name);
	append(&entry, DBUS_TYPE_UINT64, &value);
	(void)dbus_message_iter_close_container(&array, &entry);
	(void)dbus_message_iter_close_container(&iter, &array);
}

static DBusMessage *answer(DBusMessage *call)
{
	const char *method = dbus_message_get_member(call);
	dbus_uint32_t id = 1;
	DBusMessage *reply;

	if (strcmp(method, "Unplug") == 0) {
		return dbus_message_new_error(call, BUS_ERROR_PREFIX "Busy", "it is on its way");
	}
	(void)dbus_message_get_args(call, NULL, DBUS_TYPE_UINT32, &id, DBUS_TYPE_INVALID);
	if (strcmp(method, "RemoveRule") == 0 && id == 0) {
		return dbus_message_new_error(call, BUS_ERROR_PREFIX "NotFound", "rule 0");
	}
	reply = dbus_message_new_method_return(call);
	if (strcmp(method, "DumpTces") == 0) {
		append_dump(call, reply);
	} else if (strcmp(method, "Rules") == 0) {
		append_rules(reply);
	} else if (strcmp(method, "AddRule") == 0) {
		append_rule_number(call, reply);
	} else if (strcmp(method, "Statistics") == 0) {
		append_counters(reply);
	}
	return reply;
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
	int ready[2];
	char byte;

	assert_non_null(world);
	world->bus = PRIVATE_BUS_NONE;
	assert_int_equal(private_bus_start(&world->bus), 0);
	assert_int_equal(client_new(&world->client, &error), 0);
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

	world->client = client_free(world->client);
	(void)kill(world->peer, SIGKILL);
	(void)waitpid(world->peer, NULL, 0);
	private_bus_stop(&world->bus);
	free(world);
	dbus_shutdown();
	return 0;
}

/* What something prints; released with free(). */
static char *print_with(int (*print)(FILE *file, const void *what), const void *what)
{
	char *output = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&output, &size);

	assert_non_null(file);
	assert_int_equal(print(file, what), 0);
	assert_int_equal(fclose(file), 0);
	return output;
}

static const struct terminal plain = {.width = 80};

/* -- TCEs -- */

static int print_tces(FILE *file, const void *what)
{
	return sim_show_tces(file, &plain, GROUP_RIGHT, what);
}

static int print_tces_json(FILE *file, const void *what)
{
	sim_show_tces_json(file, GROUP_RIGHT, what);
	return 0;
}

static void test_tces(void **state)
{
	struct world *world = *state;
	struct sim_remote_tces tces = SIM_REMOTE_TCES_NONE;
	struct error error;
	char *output;

	output = print_with(print_tces, &tces);
	assert_string_equal(output, "group 1 has no windows and no mappings\n");
	free(output);
	assert_int_equal(sim_remote_read_tces(world->client, GROUP_RIGHT, &tces, &error), 0);
	output = print_with(print_tces, &tces);
	assert_string_equal(output,
			    "         IOVA               SIZE BEHIND IT\n"
			    "window   [0x0, 0x80000000) 2 GiB 4 KiB pages, 1 level, 3 TCEs\n"
			    "  mapped [0x1000, 0x3000)  8 KiB 0x7f0000001000 rw\n"
			    "  mapped [0x8000, 0x9000)  4 KiB 0x7f0000008000 r-\n");
	free(output);
	output = print_with(print_tces_json, &tces);
	assert_non_null(strstr(output, "\"start\": \"0x8000\",\n      \"size\": 4096,\n      "
				       "\"address\": \"0x7f0000008000\",\n      \"readable\": true,"
				       "\n      \"writable\": false"));
	assert_non_null(strstr(output, "\"page_shift\": 12"));
	free(output);
	sim_remote_tces_done(&tces);
}

static void test_tces_that_can_not_be(void **state)
{
	struct world *world = *state;
	struct sim_remote_tces tces = SIM_REMOTE_TCES_NONE;
	struct error error;

	assert_int_equal(sim_remote_read_tces(world->client, GROUP_TYPE, &tces, &error),
			 ERROR_KERNEL);
	assert_int_equal(sim_remote_read_tces(world->client, GROUP_ORDER, &tces, &error),
			 ERROR_KERNEL);
	assert_non_null(strstr(error.text, "can't be right"));
	assert_null(tces.entries);
	/* More without an end is no more. */
	assert_int_equal(sim_remote_read_tces(world->client, GROUP_ENDLESS, &tces, &error), 0);
	assert_int_equal(tces.entry_count, 0);
	assert_int_equal(tces.window_count, 1);
	sim_remote_tces_done(&tces);
	assert_int_equal(sim_remote_read_tces(world->client, GROUP_LAST, &tces, &error), 0);
	assert_int_equal(tces.entry_count, 1);
	sim_remote_tces_done(&tces);
}

/* -- rules -- */

static int print_rules(FILE *file, const void *what)
{
	return sim_show_rules(file, &plain, what);
}

static int print_rules_json(FILE *file, const void *what)
{
	sim_show_rules_json(file, what);
	return 0;
}

static void test_rules(void **state)
{
	struct world *world = *state;
	struct sim_remote_rules rules = SIM_REMOTE_RULES_NONE;
	struct sim_remote_rule rule = {.operation = (char[]){"x"}, .errnum = 5, .times = 3};
	struct error error;
	uint32_t id = 0;
	char *output;

	output = print_with(print_rules, &rules);
	assert_string_equal(output, "no rules\n");
	free(output);
	assert_int_equal(sim_remote_list_rules(world->client, &rules, &error), 0);
	assert_int_equal(rules.count, 1);
	assert_int_equal(rules.items[0].every, 3);
	assert_int_equal(rules.items[0].times, 0);
	output = print_with(print_rules, &rules);
	assert_string_equal(output, "ID OPERATION          EFFECT            WHEN     ACTED\n"
				    " 7 VFIO_IOMMU_MAP_DMA fails with ENOMEM one in 3     2\n");
	free(output);
	output = print_with(print_rules_json, &rules);
	assert_string_equal(output, "[\n"
				    "  {\n"
				    "    \"id\": 7,\n"
				    "    \"operation\": \"VFIO_IOMMU_MAP_DMA\",\n"
				    "    \"errno\": \"ENOMEM\",\n"
				    "    \"every\": 3,\n"
				    "    \"acted\": 2\n"
				    "  }\n"
				    "]\n");
	free(output);
	sim_remote_rules_done(&rules);
	assert_int_equal(sim_remote_add_rule(world->client, &rule, &id, &error), 0);
	assert_int_equal(id, 15003);
	assert_int_equal(sim_remote_remove_rule(world->client, 1, &error), 0);
	assert_int_equal(sim_remote_clear_rules(world->client, &error), 0);
}

/* -- statistics -- */

static int print_counters(FILE *file, const void *what)
{
	return sim_show_counters(file, &plain, what);
}

static int print_counters_json(FILE *file, const void *what)
{
	sim_show_counters_json(file, what);
	return 0;
}

static void test_statistics(void **state)
{
	struct world *world = *state;
	struct sim_remote_counters counters = SIM_REMOTE_COUNTERS_NONE;
	struct error error;
	char *output;

	assert_int_equal(sim_remote_read_counters(world->client, &counters, &error), 0);
	output = print_with(print_counters, &counters);
	assert_string_equal(output, "NAME           COUNT \n"
				    "pinned_bytes 1048576 1 MiB\n");
	free(output);
	output = print_with(print_counters_json, &counters);
	assert_string_equal(output, "{\n  \"pinned_bytes\": 1048576\n}\n");
	free(output);
	sim_remote_counters_done(&counters);
}

/* -- command lines -- */

static enum cli_status run(const char *line)
{
	char text[128];
	char *arguments[16];
	char *rest = NULL;
	int count = 0;

	(void)snprintf(text, sizeof(text), "%s", line);
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		arguments[count++] = word;
	}
	arguments[count] = NULL;
	opterr = 0;
	return sim_verbs_run(count, arguments);
}

static void test_command_lines(void **state)
{
	static const struct {
		const char *line;
		enum cli_status status;
	} cases[] = {
		{"nonsense", CLI_USAGE},
		{"freeze", CLI_USAGE},
		{"freeze x", CLI_USAGE},
		{"freeze -1", CLI_USAGE},
		{"freeze 4294967296", CLI_USAGE},
		{"freeze 1 io more", CLI_USAGE},
		{"freeze 1", CLI_OK},
		{"freeze 1 dma", CLI_OK},
		{"freeze --help", CLI_OK},
		{"freeze --nonsense", CLI_USAGE},
		{"unplug", CLI_USAGE},
		{"unplug a b", CLI_USAGE},
		{"unplug 0000:01:00.0", CLI_FAILED},
		{"plug 0000:01:00.0", CLI_OK},
		{"fail", CLI_USAGE},
		{"fail x", CLI_USAGE},
		{"fail x --errno", CLI_USAGE},
		{"fail x --errno EIO --result 1", CLI_USAGE},
		{"fail x --errno NOTHING", CLI_USAGE},
		{"fail x --errno 0", CLI_USAGE},
		{"fail x --errno 4096", CLI_USAGE},
		{"fail x --errno EIO --skip x", CLI_USAGE},
		{"fail x --errno EIO --every -1", CLI_USAGE},
		{"fail x --result 2147483648", CLI_USAGE},
		{"fail x --errno EIO", CLI_OK},
		{"fail --every 2 x --errno 5 --times 3 --skip 1", CLI_OK},
		{"fail x --result 1", CLI_OK},
		{"fail --help", CLI_OK},
		{"delay x", CLI_USAGE},
		{"delay x y", CLI_USAGE},
		{"delay x 5", CLI_OK},
		{"rules x", CLI_USAGE},
		{"rules --remove", CLI_USAGE},
		{"rules --remove x", CLI_USAGE},
		{"rules --remove 3", CLI_OK},
		{"rules --remove 0", CLI_FAILED},
		{"rules --clear", CLI_OK},
		{"rules", CLI_OK},
		{"rules --json", CLI_OK},
		{"tces", CLI_USAGE},
		{"tces x", CLI_USAGE},
		{"tces 1", CLI_OK},
		{"tces 1 --json", CLI_OK},
		{"tces 2", CLI_FAILED},
		{"statistics 1", CLI_USAGE},
		{"statistics", CLI_OK},
		{"statistics --json", CLI_OK},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum cli_status status = run(cases[i].line);

		if (status != cases[i].status) {
			fail_msg("sim %s: %d instead of %d", cases[i].line, (int)status,
				 (int)cases[i].status);
		}
	}
}

/* Without --times a rule acts once; with --every it lasts, as the peer tells by the number. */
static void test_how_long_a_failure_lasts(void **state)
{
	static const struct {
		const char *line;
		const char *expected;
	} cases[] = {
		{"fail x --errno 5", "rule 15001\n"},
		{"fail x --errno 5 --times 0", "rule 15000\n"},
		{"fail x --errno 5 --every 2", "rule 15020\n"},
		{"fail x --errno 5 --every 2 --times 3 --skip 4", "rule 15423\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *output = NULL;
		size_t size = 0;
		FILE *real = stdout;

		stdout = open_memstream(&output, &size);
		assert_non_null(stdout);
		assert_int_equal(run(cases[i].line), CLI_OK);
		(void)fclose(stdout);
		stdout = real;
		assert_string_equal(output, cases[i].expected);
		free(output);
	}
}

static void test_every_verb_has_help(void **state)
{
	(void)state;
	for (size_t i = 0; sim_verbs[i]; i++) {
		assert_non_null(sim_verbs[i]->summary);
		assert_non_null(strstr(sim_verbs[i]->help, "usage: spaprctl sim "));
		assert_non_null(strstr(sim_verbs[i]->help, sim_verbs[i]->name));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_tces),
		TEST(test_tces_that_can_not_be),
		TEST(test_rules),
		TEST(test_statistics),
		TEST(test_command_lines),
		TEST(test_how_long_a_failure_lasts),
		cmocka_unit_test(test_every_verb_has_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
