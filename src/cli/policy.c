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

/* -- a PE -- */

bool policy_pe_parse(const char *text, struct policy_pe *ret_pe)
{
	struct policy_pe pe = {.device_count = 0};
	bool is_first = true;
	char item[32];

	do {
		size_t length = strcspn(text, ",");

		if (length >= sizeof(item) || pe.device_count == POLICY_CHECK_DEVICES_MAX) {
			return false;
		}
		(void)snprintf(item, sizeof(item), "%.*s", (int)length, text);
		if (is_first ? !policy_parse_pe(item, &pe.phb, &pe.pe_number)
			     : !policy_parse_device(item, &pe.devices[pe.device_count++])) {
			return false;
		}
		is_first = false;
		text += length;
	} while (*text++ == ',');
	*ret_pe = pe;
	return true;
}

static const struct policy_recovery *section_of(const struct policy *policy,
						const struct policy_pe *pe)
{
	return policy_find_section(policy, pe->phb, pe->pe_number, pe->devices, pe->device_count);
}

static struct policy_resolved resolve(const struct policy *policy,
				      const struct policy_recovery *recovery)
{
	struct policy_resolved resolved;

	policy_resolve(policy, recovery, &resolved);
	return resolved;
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

static int new_table(FILE *file, const struct terminal *terminal, struct libscols_table **ret_table)
{
	return table_new(file, terminal, columns, sizeof(columns) / sizeof(*columns), ret_table);
}

/* A line without the last cell; NULL: no memory. */
static struct libscols_line *add_line(struct libscols_table *table, const char *key,
				      const char *value)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	return line && table_set(line, COLUMN_KEY, "%s", key) == 0 &&
			       table_set(line, COLUMN_VALUE, "%s", value) == 0
		       ? line
		       : NULL;
}

static int set_origin(struct libscols_line *line, const struct policy_origin *origin)
{
	if (!line) {
		return -ENOMEM;
	}
	return origin->file ? table_set(line, COLUMN_FROM, "%s:%u", origin->file, origin->line)
			    : table_set(line, COLUMN_FROM, "default");
}

static void print_heading(FILE *file, const struct terminal *terminal, const char *section,
			  const char *name)
{
	(void)fprintf(file, "%s[%s%s%s]%s\n", terminal_begin(terminal, TERMINAL_BOLD), section,
		      name[0] ? " " : "", name, terminal_end(terminal));
}

static int show_window(FILE *file, const struct terminal *terminal, const struct policy *policy)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r = new_table(file, terminal, &table);

	for (unsigned int i = 0; r == 0 && i < POLICY_KEY_COUNT; i++) {
		enum policy_key key = (enum policy_key)i;

		r = set_origin(
			add_line(table, policy_key_name(key), policy_format(policy, key).text),
			&policy->origins[key]);
	}
	if (r < 0) {
		return r;
	}
	print_heading(file, terminal, policy_key_section(POLICY_IOMMU_TYPE), "");
	return scols_print_table(table);
}

static int show_access(FILE *file, const struct terminal *terminal, const struct policy *policy)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r = new_table(file, terminal, &table);

	for (unsigned int i = 0; r == 0 && i < POLICY_ACCESS_KEY_COUNT; i++) {
		enum policy_access_key key = (enum policy_access_key)i;

		r = set_origin(add_line(table, policy_access_key_name(key),
					policy_access_format(&policy->access, key).text),
			       &policy->access_origins[key]);
	}
	if (r < 0) {
		return r;
	}
	(void)fprintf(file, "\n");
	print_heading(file, terminal, POLICY_ACCESS_SECTION, "");
	return scols_print_table(table);
}

/* A value of another section's is told by that one's name: its own table says where it is from. */
static int add_recovery_key(struct libscols_table *table, const struct policy_recovery *recovery,
			    const struct policy_resolved *resolved, enum policy_recovery_key key)
{
	static const struct policy_origin nowhere;
	const struct policy_recovery *from = resolved->from[key];
	struct libscols_line *line = add_line(table, policy_recovery_key_name(key),
					      policy_recovery_format(&resolved->values, key).text);

	if (!line || !from || from == recovery) {
		return set_origin(line, from ? &from->origins[key] : &nowhere);
	}
	return table_set(line, COLUMN_FROM, POLICY_USE_KEY " %s", from->name);
}

static int show_recovery(FILE *file, const struct terminal *terminal, const struct policy *policy,
			 const struct policy_recovery *recovery)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	const struct policy_resolved resolved = resolve(policy, recovery);
	int r = new_table(file, terminal, &table);

	if (r == 0 && recovery->use[0]) {
		r = set_origin(add_line(table, POLICY_USE_KEY, recovery->use),
			       &recovery->use_origin);
	}
	for (unsigned int key = 0; r == 0 && key < POLICY_RECOVERY_KEY_COUNT; key++) {
		r = add_recovery_key(table, recovery, &resolved, (enum policy_recovery_key)key);
	}
	if (r < 0) {
		return r;
	}
	print_heading(file, terminal, POLICY_RECOVERY_SECTION, recovery->name);
	return scols_print_table(table);
}

int policy_show_text(FILE *file, const struct terminal *terminal, const struct policy *policy)
{
	int r = show_window(file, terminal, policy);

	r = r ? r : show_access(file, terminal, policy);
	for (size_t i = 0; r == 0 && i < policy->recovery_count; i++) {
		(void)fprintf(file, "\n");
		r = show_recovery(file, terminal, policy, &policy->recoveries[i]);
	}
	return r;
}

int policy_show_pe_text(FILE *file, const struct terminal *terminal, const struct policy *policy,
			const struct policy_pe *pe)
{
	const struct policy_recovery *recovery = section_of(policy, pe);

	(void)fprintf(file, "policy: %s\n\n", resolve(policy, recovery).values.name);
	return show_recovery(file, terminal, policy, recovery);
}

/* -- JSON -- */

static void show_value(struct json *json, const char *value, const struct policy_origin *origin)
{
	json_string(json, "value", value);
	if (origin->file) {
		json_string(json, "file", origin->file);
		json_number(json, "line", origin->line);
	} else {
		json_null(json, "file");
		json_null(json, "line");
	}
}

static void show_files(struct json *json, const struct policy *policy)
{
	json_begin_array(json, "files");
	for (size_t i = 0; i < policy->file_count; i++) {
		json_string(json, NULL, policy->files[i]);
	}
	json_end_array(json);
}

static void show_window_json(struct json *json, const struct policy *policy)
{
	json_begin_object(json, policy_key_section(POLICY_IOMMU_TYPE));
	for (unsigned int i = 0; i < POLICY_KEY_COUNT; i++) {
		enum policy_key key = (enum policy_key)i;

		json_begin_object(json, policy_key_name(key));
		show_value(json, policy_format(policy, key).text, &policy->origins[key]);
		json_end_object(json);
	}
	json_end_object(json);
}

/* The section that a value is from, whatever its file. */
static void show_access_json(struct json *json, const struct policy *policy)
{
	json_begin_object(json, POLICY_ACCESS_SECTION);
	for (unsigned int i = 0; i < POLICY_ACCESS_KEY_COUNT; i++) {
		enum policy_access_key key = (enum policy_access_key)i;

		json_begin_object(json, policy_access_key_name(key));
		show_value(json, policy_access_format(&policy->access, key).text,
			   &policy->access_origins[key]);
		json_end_object(json);
	}
	json_end_object(json);
}

static void show_section_name(struct json *json, const struct policy_recovery *recovery)
{
	if (recovery) {
		json_string(json, "section", recovery->name);
	} else {
		json_null(json, "section");
	}
}

static void show_recovery_json(struct json *json, const struct policy *policy,
			       const struct policy_recovery *recovery)
{
	static const struct policy_origin nowhere;
	const struct policy_resolved resolved = resolve(policy, recovery);

	json_begin_object(json, recovery->name);
	if (recovery->use[0]) {
		json_begin_object(json, POLICY_USE_KEY);
		show_value(json, recovery->use, &recovery->use_origin);
		show_section_name(json, recovery);
		json_end_object(json);
	}
	for (unsigned int i = 0; i < POLICY_RECOVERY_KEY_COUNT; i++) {
		enum policy_recovery_key key = (enum policy_recovery_key)i;
		const struct policy_recovery *from = resolved.from[key];

		json_begin_object(json, policy_recovery_key_name(key));
		show_value(json, policy_recovery_format(&resolved.values, key).text,
			   from ? &from->origins[key] : &nowhere);
		show_section_name(json, from);
		json_end_object(json);
	}
	json_end_object(json);
}

void policy_show_json(FILE *file, const struct policy *policy)
{
	struct json json = JSON(file);

	json_begin_object(&json, NULL);
	show_files(&json, policy);
	show_window_json(&json, policy);
	show_access_json(&json, policy);
	json_begin_object(&json, POLICY_RECOVERY_SECTION);
	for (size_t i = 0; i < policy->recovery_count; i++) {
		show_recovery_json(&json, policy, &policy->recoveries[i]);
	}
	json_end_object(&json);
	json_end_object(&json);
}

void policy_show_pe_json(FILE *file, const struct policy *policy, const struct policy_pe *pe)
{
	const struct policy_recovery *recovery = section_of(policy, pe);
	struct json json = JSON(file);

	json_begin_object(&json, NULL);
	show_files(&json, policy);
	json_string(&json, "policy", resolve(policy, recovery).values.name);
	json_begin_object(&json, POLICY_RECOVERY_SECTION);
	show_recovery_json(&json, policy, recovery);
	json_end_object(&json);
	json_end_object(&json);
}

/* -- spaprctl policy check -- */

static const char check_help[] =
	"usage: spaprctl policy check [--json] [--for PHB:PE[,VVVV:DDDD...]] [DIR...]\n"
	"\n"
	"Reads the policy files as spaprd would, which need not run, and shows what would apply:\n"
	"each key with its value and the file and line that it is from, or \"default\", or "
	"\"use\"\n"
	"and the set of recovery values that it is from. A mistake is told with its file and "
	"line;\n"
	"then nothing would apply, and the exit status is 1.\n"
	"\n"
	"  DIR     the folders to read, in that order, and not the system's\n"
	"  --for   how that PE would be recovered: its PHB and PE number, and the vendor and\n"
	"          device numbers of its devices, all in hexadecimal; it need not exist\n"
	"  --json  for programs\n"
	"\n"
	"Example: spaprctl policy check --for 0001:fd,8086:10d3 /etc/spaprd\n";

/* What the command line asks for. */
struct request {
	bool json;
	bool has_pe;
	struct policy_pe pe;
};

static int show(const struct request *request, const struct policy *policy)
{
	struct terminal terminal = terminal_detect(stdout);

	if (request->json && request->has_pe) {
		policy_show_pe_json(stdout, policy, &request->pe);
		return 0;
	}
	if (request->json) {
		policy_show_json(stdout, policy);
		return 0;
	}
	return request->has_pe ? policy_show_pe_text(stdout, &terminal, policy, &request->pe)
			       : policy_show_text(stdout, &terminal, policy);
}

static enum cli_status check(const struct policy_folders *folders, const struct request *request)
{
	cleanup(cleanup_policy) struct policy *policy = NULL;
	struct error error;
	int r;

	if (policy_load(folders, &policy, &error)) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return CLI_FAILED;
	}
	r = show(request, policy);
	if (r < 0) {
		(void)fprintf(stderr, "spaprctl: can't make the table (%s)\n", errno_name(-r));
		return CLI_FAILED;
	}
	return CLI_OK;
}

static enum cli_status run_check(int argc, char **argv)
{
	static const struct option table[] = {
		{"for", required_argument, NULL, 'f'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct policy_folders folders = {.must_exist = true};
	struct request request = {.json = false};
	int choice;

	while ((choice = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (choice) {
		case 'f':
			if (!policy_pe_parse(optarg, &request.pe)) {
				return cli_refuse(CHECK,
						  "\"%s\" is no PE, such as 0001:fd or "
						  "0001:fd,8086:10d3 with a device",
						  optarg);
			}
			request.has_pe = true;
			break;
		case 'j':
			request.json = true;
			break;
		case 'h':
			(void)fputs(check_help, stdout);
			return CLI_OK;
		default:
			return cli_refuse_option(CHECK, argv);
		}
	}
	folders.paths = (const char *const *)(argv + optind);
	folders.count = (size_t)(argc - optind);
	return check(folders.count > 0 ? &folders : &policy_system_folders, &request);
}

static void print_help(void)
{
	(void)fputs(policy_command.help, stdout);
}

static enum cli_status run(int argc, char **argv)
{
	enum cli_status status = CLI_OK;

	if (!cli_find_subcommand("policy", print_help, &argc, &argv, &status)) {
		return status;
	}
	return strcmp(argv[0], "check") == 0
		       ? run_check(argc, argv)
		       : cli_refuse("policy", "there is no subcommand \"%s\"", argv[0]);
}

const struct cli_command policy_command = {
	.name = "policy",
	.summary = "check the policy files: what would apply, and from where",
	.help = "usage: spaprctl policy check [--json] [--for PHB:PE[,VVVV:DDDD...]] [DIR...]\n"
		"\n"
		"  check   read the policy files and show what would apply\n"
		"  --help  this text; after the subcommand: about that one\n"
		"\n"
		"Example: spaprctl policy check\n",
	.run = run,
};
