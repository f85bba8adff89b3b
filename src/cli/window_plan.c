/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/window_plan.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/window.h"
#include "common/cleanup.h"
#include "common/names.h"
#include "common/range.h"
#include "common/size.h"

#define COMMAND    "window plan"
#define LEVELS_MAX 99 /* more digits are a mistake */

/* What is asked; 0 leaves it open. */
struct request {
	uint64_t size;
	uint32_t page_shift;
	uint32_t levels;
	uint64_t memory;
	uint64_t backing_page;
	bool json;
};

struct choice {
	uint64_t size;
	uint32_t page_shift; /* below 64 */
	uint32_t levels;
	uint64_t locked_bytes;
	uint64_t tces;
	uint64_t piece_bytes;
	const char *refusal; /* the name of an error, or "" */
};

/* Strings belong to the reply. */
struct plan {
	DBusMessage *reply;
	struct choice *choices;
	size_t count;
	uint32_t chosen; /* below count, or UINT32_MAX */
	const char *explanation;
};

static void cleanup_plan(struct plan *plan)
{
	free(plan->choices);
	cleanup_message(&plan->reply);
}

/* -- the call -- */

static dbus_bool_t append_option(DBusMessageIter *dictionary, const char *name, uint64_t number)
{
	dbus_uint64_t copy = number;
	DBusMessageIter entry;
	DBusMessageIter value;

	return number == 0 ||
	       (dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
		dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &name) &&
		dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "t", &value) &&
		dbus_message_iter_append_basic(&value, DBUS_TYPE_UINT64, &copy) &&
		dbus_message_iter_close_container(&entry, &value) &&
		dbus_message_iter_close_container(dictionary, &entry));
}

static dbus_bool_t append_request(DBusMessage *call, const struct request *request)
{
	dbus_uint64_t size = request->size;
	DBusMessageIter arguments;
	DBusMessageIter dictionary;

	dbus_message_iter_init_append(call, &arguments);
	return dbus_message_iter_append_basic(&arguments, DBUS_TYPE_UINT64, &size) &&
	       dbus_message_iter_append_basic(&arguments, DBUS_TYPE_UINT32, &request->page_shift) &&
	       dbus_message_iter_append_basic(&arguments, DBUS_TYPE_UINT32, &request->levels) &&
	       dbus_message_iter_open_container(&arguments, DBUS_TYPE_ARRAY, "{sv}", &dictionary) &&
	       append_option(&dictionary, "memory", request->memory) &&
	       append_option(&dictionary, "backing-page", request->backing_page) &&
	       dbus_message_iter_close_container(&arguments, &dictionary);
}

/* The fields of one structure of the array, in order. */
static struct choice read_choice(DBusMessageIter *array)
{
	struct choice choice = {.size = 0};
	void *const fields[] = {
		&choice.size, &choice.page_shift,  &choice.levels,  &choice.locked_bytes,
		&choice.tces, &choice.piece_bytes, &choice.refusal,
	};
	DBusMessageIter entry;

	dbus_message_iter_recurse(array, &entry);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		dbus_message_iter_get_basic(&entry, fields[i]);
		(void)dbus_message_iter_next(&entry);
	}
	return choice;
}

static int read_plan(struct plan *plan, struct error *error)
{
	DBusMessageIter arguments;
	DBusMessageIter array;

	(void)dbus_message_iter_init(plan->reply, &arguments);
	plan->count = (size_t)dbus_message_iter_get_element_count(&arguments);
	plan->choices = calloc(plan->count + 1, sizeof(*plan->choices)); /* one more: never none */
	if (!plan->choices) {
		return error_say(error, "there is no memory for the choices");
	}
	dbus_message_iter_recurse(&arguments, &array);
	for (size_t i = 0; i < plan->count; i++) {
		plan->choices[i] = read_choice(&array);
		(void)dbus_message_iter_next(&array);
		if (plan->choices[i].page_shift >= 64) {
			return error_say(error,
					 "spaprd's answer can't be right: choice %zu has the page "
					 "shift %" PRIu32,
					 i, plan->choices[i].page_shift);
		}
	}
	(void)dbus_message_iter_next(&arguments);
	dbus_message_iter_get_basic(&arguments, &plan->chosen);
	(void)dbus_message_iter_next(&arguments);
	dbus_message_iter_get_basic(&arguments, &plan->explanation);
	if (plan->chosen >= plan->count && plan->chosen != UINT32_MAX) {
		return error_say(error, "spaprd's answer can't be right: choice %" PRIu32 " of %zu",
				 plan->chosen, plan->count);
	}
	return 0;
}

static int ask(struct client *client, const char *path, const struct request *request,
	       struct plan *plan, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(path, BUS_INTERFACE_SPACE, "Plan");
	int r;

	call = client_message_if(call && append_request(call, request), call);
	r = client_call(client, call, "a(tuuttts)us", &plan->reply, error);
	return r ? r : read_plan(plan, error);
}

/* -- what is shown -- */

static void print_json(const struct plan *plan)
{
	struct json json = JSON(stdout);

	json_begin_object(&json, NULL);
	json_begin_array(&json, "choices");
	for (size_t i = 0; i < plan->count; i++) {
		const struct choice *choice = &plan->choices[i];

		json_begin_object(&json, NULL);
		json_number(&json, "size", choice->size);
		json_number(&json, "page_size", UINT64_C(1) << choice->page_shift);
		json_number(&json, "levels", choice->levels);
		json_number(&json, "locked_bytes", choice->locked_bytes);
		json_number(&json, "tces", choice->tces);
		json_number(&json, "piece_bytes", choice->piece_bytes);
		if (choice->refusal[0]) {
			json_string(&json, "error", choice->refusal);
		} else {
			json_null(&json, "error");
		}
		json_end_object(&json);
	}
	json_end_array(&json);
	if (plan->chosen < plan->count) {
		json_number(&json, "chosen", plan->chosen);
	} else {
		json_null(&json, "chosen");
	}
	json_string(&json, "explanation", plan->explanation);
	json_end_object(&json);
}

enum column {
	COLUMN_CHOSEN,
	COLUMN_PAGE,
	COLUMN_LEVELS,
	COLUMN_SIZE,
	COLUMN_TCES,
	COLUMN_LOCKED,
	COLUMN_PIECE,
	COLUMN_REFUSAL,
};

static const struct table_column columns[] = {
	[COLUMN_CHOSEN] = {"", 0, 0},
	[COLUMN_PAGE] = {"PAGES", 0, SCOLS_FL_RIGHT},
	[COLUMN_LEVELS] = {"LEVELS", 0, SCOLS_FL_RIGHT},
	[COLUMN_SIZE] = {"SIZE", 0, SCOLS_FL_RIGHT},
	[COLUMN_TCES] = {"TCES", 0, SCOLS_FL_RIGHT},
	[COLUMN_LOCKED] = {"LOCKS", 0, SCOLS_FL_RIGHT},
	[COLUMN_PIECE] = {"PIECE", 0, SCOLS_FL_RIGHT},
	[COLUMN_REFUSAL] = {"CAN'T BE HAD FOR", 0, SCOLS_FL_TRUNC},
};

/* "PageSize" for "org.spaprd1.Error.PageSize". */
static const char *short_name(const char *refusal)
{
	const char *dot = strrchr(refusal, '.');

	return dot ? dot + 1 : refusal;
}

/* What a choice without a table would cost means nothing. */
static int set_cost(struct libscols_line *line, const struct choice *choice)
{
	if (choice->tces == 0) {
		return 0;
	}
	if (table_set(line, COLUMN_TCES, "%" PRIu64, choice->tces) < 0 ||
	    table_set(line, COLUMN_LOCKED, "%s", size_format(choice->locked_bytes).text) < 0) {
		return -ENOMEM;
	}
	return choice->piece_bytes == 0
		       ? 0
		       : table_set(line, COLUMN_PIECE, "%s", size_format(choice->piece_bytes).text);
}

static int add_choice(struct libscols_table *table, const struct choice *choice, bool chosen)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line || table_set(line, COLUMN_CHOSEN, "%s", chosen ? "*" : "") < 0 ||
	    table_set(line, COLUMN_PAGE, "%s",
		      size_format(UINT64_C(1) << choice->page_shift).text) < 0 ||
	    table_set(line, COLUMN_LEVELS, "%" PRIu32, choice->levels) < 0 ||
	    table_set(line, COLUMN_SIZE, "%s", size_format(choice->size).text) < 0 ||
	    set_cost(line, choice) < 0) {
		return -ENOMEM;
	}
	if (chosen) {
		(void)scols_line_set_color(line, "green");
	}
	return table_set(line, COLUMN_REFUSAL, "%s", short_name(choice->refusal));
}

static int print_table(const struct terminal *terminal, const struct plan *plan)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r = table_new(stdout, terminal, columns, sizeof(columns) / sizeof(*columns), &table);

	for (size_t i = 0; i < plan->count && r == 0; i++) {
		r = add_choice(table, &plan->choices[i], i == plan->chosen);
	}
	return r ? r : scols_print_table(table);
}

static int print_text(const struct plan *plan)
{
	struct terminal terminal = terminal_detect(stdout);
	cleanup(cleanup_free) char *explanation = strdup(plan->explanation);
	int r;

	if (!explanation) {
		return -ENOMEM;
	}
	if (plan->count > 0) {
		r = print_table(&terminal, plan);
		if (r < 0) {
			return r;
		}
		(void)fputc('\n', stdout);
	}
	text_disarm(explanation);
	text_print_wrapped(stdout, explanation, 0, 0, terminal.width);
	return 0;
}

/* Whether there is such a window is what the exit status says. */
static enum cli_status print(const struct plan *plan, bool json)
{
	int r = 0;

	if (json) {
		print_json(plan);
	} else {
		r = print_text(plan);
	}
	if (r < 0) {
		(void)fprintf(stderr, "spaprctl: can't make the table (%s)\n", errno_name(-r));
		return CLI_FAILED;
	}
	return plan->chosen < plan->count ? CLI_OK : CLI_FAILED;
}

/* -- the command line -- */

static enum cli_status show(const char *space, const struct request *request)
{
	cleanup(cleanup_client) struct client *client = NULL;
	cleanup(cleanup_free) char *path = NULL;
	cleanup(cleanup_plan) struct plan plan = {.reply = NULL};
	struct error error;
	int r;

	if (client_new(&client, &error)) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return CLI_UNREACHABLE;
	}
	r = window_find_space(client, space, &path, &error);
	if (r == 0) {
		r = ask(client, path, request, &plan, &error);
	}
	if (r) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return client_is_unreachable(client) ? CLI_UNREACHABLE : CLI_FAILED;
	}
	return print(&plan, request->json);
}

static bool read_size(const char *text, uint64_t *ret_bytes)
{
	return size_parse(text, ret_bytes) && *ret_bytes != 0;
}

static bool read_page_shift(const char *text, uint32_t *ret_shift)
{
	uint64_t page = 0;

	/* A page of one byte would leave the choice open. */
	if (!read_size(text, &page) || !is_power_of_two(page) || page == 1) {
		return false;
	}
	*ret_shift = floor_log2(page);
	return true;
}

static bool read_levels(const char *text, uint32_t *ret_levels)
{
	char *end = NULL;
	unsigned long levels = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || levels == 0 || levels > LEVELS_MAX) {
		return false;
	}
	*ret_levels = (uint32_t)levels;
	return true;
}

/* Whether the option's value is one. */
static bool read_option(struct request *request, int choice, const char *value)
{
	switch (choice) {
	case 's':
		return read_size(value, &request->size);
	case 'p':
		return read_page_shift(value, &request->page_shift);
	case 'l':
		return read_levels(value, &request->levels);
	case 'm':
		return read_size(value, &request->memory);
	case 'b':
		return read_size(value, &request->backing_page);
	default:
		request->json = true;
		return true;
	}
}

static enum cli_status run(int argc, char **argv)
{
	static const struct option table[] = {
		{"size", required_argument, NULL, 's'},
		{"page-size", required_argument, NULL, 'p'},
		{"levels", required_argument, NULL, 'l'},
		{"memory", required_argument, NULL, 'm'},
		{"backing-page", required_argument, NULL, 'b'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct request request = {.size = 0};
	int index = 0;
	int choice;

	while ((choice = getopt_long(argc, argv, ":", table, &index)) != -1) {
		if (choice == 'h') {
			(void)fputs(window_plan_command.help, stdout);
			return CLI_OK;
		}
		if (choice == ':') {
			return cli_refuse(COMMAND, "option \"%s\" needs a value", argv[optind - 1]);
		}
		if (choice == '?') {
			return cli_refuse_option(COMMAND, argv);
		}
		if (!read_option(&request, choice, optarg)) {
			return cli_refuse(COMMAND, "\"%s\" is no value for --%s", optarg,
					  table[index].name);
		}
	}
	if (argc - optind != 1) {
		return cli_refuse(COMMAND, optind == argc ? "an address space is missing"
							  : "there are too many arguments");
	}
	return show(argv[optind], &request);
}

const struct cli_command window_plan_command = {
	.name = "plan",
	.summary = "show which window an address space can have, and why",
	.help = "usage: spaprctl window plan SPACE [--size BYTES] [--page-size BYTES] [--levels "
		"N]\n"
		"                            [--memory BYTES] [--backing-page BYTES] [--json]\n"
		"\n"
		"Shows all ways to have a window in an address space (its number, name or path):\n"
		"IOMMU page size, levels of the TCE table, size; what each locks, and the largest\n"
		"piece of memory that its table takes at once. The one that CreateWindow would\n"
		"choose has an asterisk, and why is said below. Nothing is created.\n"
		"\n"
		"  --size, --page-size, --levels  as they would be asked for; open without\n"
		"  --memory        plan for memory up to this address instead of what there is\n"
		"  --backing-page  and for pages of this size behind it\n"
		"  --json          for programs: numbers of bytes; \"chosen\" is an index, or "
		"null\n"
		"\n"
		"BYTES is a number, with K, M, G, T, P or E for units of 1024. The exit status is "
		"1\n"
		"when there is no such window.\n"
		"\n"
		"Example: spaprctl window plan 0 --memory 1T --backing-page 2M\n",
	.run = run,
};
