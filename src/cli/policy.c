/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/policy.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "cli/json.h"
#include "cli/table.h"
#include "common/cleanup.h"

#define CHECK "policy check"

static void cleanup_policy(struct policy **policy)
{
	(void)policy_free(*policy);
}

/* -- text -- */

enum column {
	COLUMN_KEY,
	COLUMN_VALUE,
	COLUMN_FROM,
};

static const struct table_column columns[] = {
	[COLUMN_KEY] = {"KEY", 0, 0},
	[COLUMN_VALUE] = {"VALUE", 0, 0},
	[COLUMN_FROM] = {"FROM", 0, 0},
};

static int add_key(struct libscols_table *table, const struct policy *policy, enum policy_key key)
{
	const struct policy_origin *origin = &policy->origins[key];
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line || table_set(line, COLUMN_KEY, "%s", policy_key_name(key)) < 0 ||
	    table_set(line, COLUMN_VALUE, "%s", policy_format(policy, key).text) < 0) {
		return -ENOMEM;
	}
	return origin->file ? table_set(line, COLUMN_FROM, "%s:%u", origin->file, origin->line)
			    : table_set(line, COLUMN_FROM, "default");
}

int policy_show_text(FILE *file, const struct terminal *terminal, const struct policy *policy)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r = table_new(file, terminal, columns, sizeof(columns) / sizeof(*columns), &table);

	for (unsigned int key = 0; r == 0 && key < POLICY_KEY_COUNT; key++) {
		r = add_key(table, policy, (enum policy_key)key);
	}
	if (r < 0) {
		return r;
	}
	(void)fprintf(file, "%s[%s]%s\n", terminal_begin(terminal, TERMINAL_BOLD),
		      policy_key_section(POLICY_IOMMU_TYPE), terminal_end(terminal));
	return scols_print_table(table);
}

/* -- JSON -- */

static void show_key(struct json *json, const struct policy *policy, enum policy_key key)
{
	const struct policy_origin *origin = &policy->origins[key];

	json_begin_object(json, policy_key_name(key));
	json_string(json, "value", policy_format(policy, key).text);
	if (origin->file) {
		json_string(json, "file", origin->file);
		json_number(json, "line", origin->line);
	} else {
		json_null(json, "file");
		json_null(json, "line");
	}
	json_end_object(json);
}

void policy_show_json(FILE *file, const struct policy *policy)
{
	struct json json = JSON(file);

	json_begin_object(&json, NULL);
	json_begin_array(&json, "files");
	for (size_t i = 0; i < policy->file_count; i++) {
		json_string(&json, NULL, policy->files[i]);
	}
	json_end_array(&json);
	json_begin_object(&json, policy_key_section(POLICY_IOMMU_TYPE));
	for (unsigned int key = 0; key < POLICY_KEY_COUNT; key++) {
		show_key(&json, policy, (enum policy_key)key);
	}
	json_end_object(&json);
	json_end_object(&json);
}

/* -- spaprctl policy check -- */

static const char check_help[] =
	"usage: spaprctl policy check [--json] [DIR...]\n"
	"\n"
	"Reads the policy files as spaprd would, which need not run, and shows what would apply:\n"
	"each key with its value and the file and line that it is from, or \"default\". A mistake\n"
	"is told with its file and line; then nothing would apply, and the exit status is 1.\n"
	"\n"
	"  DIR     the folders to read, in that order, and not the system's\n"
	"  --json  for programs\n"
	"\n"
	"Example: spaprctl policy check /etc/spaprd\n";

static enum cli_status check(const struct policy_folders *folders, bool json)
{
	cleanup(cleanup_policy) struct policy *policy = NULL;
	struct terminal terminal = terminal_detect(stdout);
	struct error error;
	int r;

	if (policy_load(folders, &policy, &error)) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return CLI_FAILED;
	}
	if (json) {
		policy_show_json(stdout, policy);
		return CLI_OK;
	}
	r = policy_show_text(stdout, &terminal, policy);
	if (r < 0) {
		(void)fprintf(stderr, "spaprctl: can't make the table (%s)\n", errno_name(-r));
		return CLI_FAILED;
	}
	return CLI_OK;
}

static enum cli_status run_check(int argc, char **argv)
{
	static const struct option table[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct policy_folders folders = {.must_exist = true};
	bool json = false;
	int choice;

	while ((choice = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (choice == 'h') {
			(void)fputs(check_help, stdout);
			return CLI_OK;
		}
		if (choice != 'j') {
			return cli_refuse_option(CHECK, argv);
		}
		json = true;
	}
	folders.paths = (const char *const *)(argv + optind);
	folders.count = (size_t)(argc - optind);
	return check(folders.count > 0 ? &folders : &policy_system_folders, json);
}

static enum cli_status run(int argc, char **argv)
{
	static const struct option table[] = {
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	/* The plus: options behind the subcommand are the subcommand's. */
	int choice = getopt_long(argc, argv, "+", table, NULL);

	if (choice != -1) {
		return cli_handle_option(&policy_command, choice, argv);
	}
	if (optind == argc) {
		return cli_refuse("policy", "a subcommand is missing");
	}
	if (strcmp(argv[optind], "check") != 0) {
		return cli_refuse("policy", "there is no subcommand \"%s\"", argv[optind]);
	}
	argc -= optind;
	argv += optind;
	optind = 0; /* start again, for the options of the subcommand */
	return run_check(argc, argv);
}

const struct cli_command policy_command = {
	.name = "policy",
	.summary = "check the policy files: what would apply, and from where",
	.help = "usage: spaprctl policy check [--json] [DIR...]\n"
		"\n"
		"  check   read the policy files and show what would apply\n"
		"  --help  this text; after the subcommand: about that one\n"
		"\n"
		"Example: spaprctl policy check\n",
	.run = run,
};
