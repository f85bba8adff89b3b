/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sim_verbs.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sim_remote.h"
#include "cli/sim_show.h"
#include "cli/terminal.h"
#include "common/cleanup.h"

#define ERRNO_MAX 4095

/* -- command lines -- */

#define OPTION_HELP                            \
	{                                      \
		"help", no_argument, NULL, 'h' \
	}
#define OPTION_JSON                            \
	{                                      \
		"json", no_argument, NULL, 'j' \
	}
#define OPTION_END               \
	{                        \
		NULL, 0, NULL, 0 \
	}

/* As a person calls it: "sim freeze". */
struct full_name {
	char text[32];
};

static struct full_name name_of(const struct cli_command *command)
{
	struct full_name name;

	(void)snprintf(name.text, sizeof(name.text), "sim %s", command->name);
	return name;
}

/* Print the help, or say what is wrong with an option. */
static enum cli_status handle_option(const struct cli_command *command, int choice, char **argv)
{
	struct full_name name = name_of(command);

	if (choice == 'h') {
		(void)fputs(command->help, stdout);
		return CLI_OK;
	}
	if (choice == ':') {
		return cli_refuse(name.text, "option \"%s\" needs a value", argv[optind - 1]);
	}
	return cli_refuse_option(name.text, argv);
}

/* Whether a number is one of 32 bits. */
static bool read_number(const char *text, uint32_t *ret_number)
{
	unsigned long long number;
	char *end = NULL;

	if (!isdigit((unsigned char)*text)) {
		return false;
	}
	errno = 0;
	number = strtoull(text, &end, 0);
	if (errno != 0 || *end != '\0' || number > UINT32_MAX) {
		return false;
	}
	*ret_number = (uint32_t)number;
	return true;
}

/* An errno by its name, or its number. */
static bool read_errno(const char *text, int32_t *ret_errnum)
{
	uint32_t number = 0;

	if (read_number(text, &number)) {
		*ret_errnum = (int32_t)number;
		return number > 0 && number <= ERRNO_MAX;
	}
	for (int errnum = 1; errnum <= ERRNO_MAX; errnum++) {
		if (strcmp(errno_name(errnum), text) == 0) {
			*ret_errnum = errnum;
			return *text == 'E';
		}
	}
	return false;
}

/* Whether the number of arguments is right; else it is refused. */
static bool check_arguments(const struct cli_command *command, int argc, int least, int most)
{
	struct full_name name = name_of(command);

	if (argc - optind >= least && argc - optind <= most) {
		return true;
	}
	(void)cli_refuse(name.text, argc - optind < least ? "an argument is missing"
							  : "there are too many arguments");
	return false;
}

/* For verbs whose only option is --help: CLI_OK with *ret_go_on when there is more to do. */
static enum cli_status read_plain(const struct cli_command *command, int argc, char **argv,
				  int least, int most, bool *ret_go_on)
{
	static const struct option table[] = {OPTION_HELP, OPTION_END};
	int choice = getopt_long(argc, argv, ":", table, NULL);

	*ret_go_on = false;
	if (choice != -1) {
		return handle_option(command, choice, argv);
	}
	if (!check_arguments(command, argc, least, most)) {
		return CLI_USAGE;
	}
	*ret_go_on = true;
	return CLI_OK;
}

/* -- calls -- */

static enum cli_status connect_to_spaprd(struct client **ret_client)
{
	struct error error;

	if (client_new(ret_client, &error)) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return CLI_UNREACHABLE;
	}
	return CLI_OK;
}

/* The status of a call by its code. */
static enum cli_status judge(const struct client *client, int code, const struct error *error)
{
	if (code == 0) {
		return CLI_OK;
	}
	(void)fprintf(stderr, "spaprctl: %s\n", error->text);
	return client_is_unreachable(client) ? CLI_UNREACHABLE : CLI_FAILED;
}

static enum cli_status judge_table(int r)
{
	if (r < 0) {
		(void)fprintf(stderr, "spaprctl: can't make the table (%s)\n", errno_name(-r));
		return CLI_FAILED;
	}
	return CLI_OK;
}

/* -- freeze -- */

static const struct cli_command freeze_command;

static enum cli_status run_freeze(int argc, char **argv)
{
	cleanup(cleanup_client) struct client *client = NULL;
	enum cli_status status;
	struct error error;
	uint32_t group = 0;
	bool go_on;

	status = read_plain(&freeze_command, argc, argv, 1, 2, &go_on);
	if (!go_on) {
		return status;
	}
	if (!read_number(argv[optind], &group)) {
		return cli_refuse("sim freeze", "\"%s\" is no number of a group", argv[optind]);
	}
	status = connect_to_spaprd(&client);
	return status ? status
		      : judge(client,
			      sim_remote_freeze(client, group,
						optind + 1 < argc ? argv[optind + 1] : "both",
						&error),
			      &error);
}

static const struct cli_command freeze_command = {
	.name = "freeze",
	.summary = "have the hardware stop a PE",
	.help = "usage: spaprctl sim freeze GROUP [io|dma|both|permanent|unavailable]\n"
		"\n"
		"Stops the MMIO, the DMA, or both (without a word: both) of a group's PE, as "
		"hardware\n"
		"does after an error.\n"
		"\n"
		"  permanent    both, for good: no reset helps any more\n"
		"  unavailable  the bridge above it is fenced and the host recovers it; any other\n"
		"               freeze ends that\n"
		"\n"
		"Example: spaprctl sim freeze 0 dma\n",
	.run = run_freeze,
};

/* -- unplug, plug -- */

static enum cli_status run_plugging(const struct cli_command *command, int argc, char **argv,
				    int (*call)(struct client *client, const char *device,
						struct error *error))
{
	cleanup(cleanup_client) struct client *client = NULL;
	enum cli_status status;
	struct error error;
	bool go_on;

	status = read_plain(command, argc, argv, 1, 1, &go_on);
	if (!go_on) {
		return status;
	}
	status = connect_to_spaprd(&client);
	return status ? status : judge(client, call(client, argv[optind], &error), &error);
}

static const struct cli_command unplug_command;
static const struct cli_command plug_command;

static enum cli_status run_unplug(int argc, char **argv)
{
	return run_plugging(&unplug_command, argc, argv, sim_remote_unplug);
}

static enum cli_status run_plug(int argc, char **argv)
{
	return run_plugging(&plug_command, argc, argv, sim_remote_plug);
}

static const struct cli_command unplug_command = {
	.name = "unplug",
	.summary = "pull a device out",
	.help = "usage: spaprctl sim unplug DEVICE\n"
		"\n"
		"Pulls a device out. One that is open is asked back first, by its request "
		"interrupt,\n"
		"and goes when its last file is closed; the command doesn't wait for that.\n"
		"\n"
		"Example: spaprctl sim unplug 0000:01:00.0\n",
	.run = run_unplug,
};

static const struct cli_command plug_command = {
	.name = "plug",
	.summary = "put a device back",
	.help = "usage: spaprctl sim plug DEVICE\n"
		"\n"
		"Puts a device back that was pulled out, bound to the driver that it had at the "
		"start.\n"
		"\n"
		"Example: spaprctl sim plug 0000:01:00.0\n",
	.run = run_plug,
};

/* -- fail -- */

static const struct cli_command fail_command;

static enum cli_status refuse_value(const char *option, const char *value)
{
	return cli_refuse("sim fail", "\"%s\" is no value for --%s", value, option);
}

/* Take one option of sim fail. CLI_OK, or refused. */
static enum cli_status read_fail_option(struct sim_remote_rule *rule, int choice, bool *times_given,
					char **argv)
{
	uint32_t number = 0;
	bool right = choice == 'e' || (optarg && read_number(optarg, &number));

	switch (choice) {
	case 'e':
		return read_errno(optarg, &rule->errnum) ? CLI_OK : refuse_value("errno", optarg);
	case 'r':
		rule->result = (int32_t)number;
		return right && number <= INT32_MAX ? CLI_OK : refuse_value("result", optarg);
	case 's':
		rule->skip = number;
		return right ? CLI_OK : refuse_value("skip", optarg);
	case 'n':
		rule->every = number;
		return right ? CLI_OK : refuse_value("every", optarg);
	case 't':
		rule->times = number;
		*times_given = true;
		return right ? CLI_OK : refuse_value("times", optarg);
	default:
		return handle_option(&fail_command, choice, argv);
	}
}

/* The rule that a command line means. CLI_OK with an operation in it when there is more to do. */
static enum cli_status read_fail(int argc, char **argv, struct sim_remote_rule *rule)
{
	static const struct option table[] = {
		{"errno", required_argument, NULL, 'e'},
		{"result", required_argument, NULL, 'r'},
		{"skip", required_argument, NULL, 's'},
		{"every", required_argument, NULL, 'n'},
		{"times", required_argument, NULL, 't'},
		OPTION_HELP,
		OPTION_END,
	};
	bool times_given = false;
	int choice;

	while ((choice = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		enum cli_status status;

		if (choice == 'h') {
			return handle_option(&fail_command, choice, argv);
		}
		status = read_fail_option(rule, choice, &times_given, argv);
		if (status != CLI_OK) {
			return status;
		}
	}
	if (!check_arguments(&fail_command, argc, 1, 1)) {
		return CLI_USAGE;
	}
	if ((rule->errnum == 0) == (rule->result == 0)) {
		return cli_refuse("sim fail", "it needs --errno or --result, and not both");
	}
	if (!times_given && rule->every == 0) {
		rule->times = 1;
	}
	rule->operation = argv[optind];
	return CLI_OK;
}

static enum cli_status run_fail(int argc, char **argv)
{
	cleanup(cleanup_client) struct client *client = NULL;
	struct sim_remote_rule rule = {.operation = NULL};
	enum cli_status status = read_fail(argc, argv, &rule);
	struct error error;
	uint32_t id = 0;

	if (!rule.operation) {
		return status;
	}
	status = connect_to_spaprd(&client);
	if (status == CLI_OK) {
		status = judge(client, sim_remote_add_rule(client, &rule, &id, &error), &error);
	}
	if (status == CLI_OK) {
		(void)printf("rule %" PRIu32 "\n", id);
	}
	return status;
}

static const struct cli_command fail_command = {
	.name = "fail",
	.summary = "have the kernel refuse an operation",
	.help = "usage: spaprctl sim fail OPERATION --errno ERRNO [--skip N] [--every N] [--times "
		"N]\n"
		"\n"
		"Makes an operation of the simulated kernel fail: an ioctl by its name, what\n"
		"VFIO_EEH_PE_OP is to do (VFIO_EEH_PE_RESET_HOT), open: and the path of a node,\n"
		"attribute: and the path of a file below sysfs that is written to,\n"
		"read:, write: or mmap: and the number of a device's region, or a step inside of "
		"a\n"
		"call: kernel:use-region, kernel:put-tce, kernel:remove-window.\n"
		"\n"
		"  --errno   what it fails with, EIO or 5\n"
		"  --result  instead of that, a positive number that an ioctl answers\n"
		"  --skip    let so many pass before\n"
		"  --every   then act on each so-many-th, until it is taken back\n"
		"  --times   act so often; without it once, 0 is until it is taken back\n"
		"\n"
		"Example: spaprctl sim fail VFIO_IOMMU_MAP_DMA --errno ENOMEM --every 3\n",
	.run = run_fail,
};

/* -- delay -- */

static const struct cli_command delay_command;

static enum cli_status run_delay(int argc, char **argv)
{
	cleanup(cleanup_client) struct client *client = NULL;
	uint32_t milliseconds = 0;
	enum cli_status status;
	struct error error;
	bool go_on;

	status = read_plain(&delay_command, argc, argv, 2, 2, &go_on);
	if (!go_on) {
		return status;
	}
	if (!read_number(argv[optind + 1], &milliseconds)) {
		return cli_refuse("sim delay", "\"%s\" is no number of milliseconds",
				  argv[optind + 1]);
	}
	status = connect_to_spaprd(&client);
	return status ? status
		      : judge(client, sim_remote_delay(client, argv[optind], milliseconds, &error),
			      &error);
}

static const struct cli_command delay_command = {
	.name = "delay",
	.summary = "have the kernel be slow",
	.help = "usage: spaprctl sim delay OPERATION MILLISECONDS\n"
		"\n"
		"Lets each operation of that name, as sim fail has them, wait before it begins, "
		"from "
		"now\n"
		"on; with 0 no more.\n"
		"\n"
		"Example: spaprctl sim delay VFIO_IOMMU_SPAPR_REGISTER_MEMORY 500\n",
	.run = run_delay,
};

/* -- rules -- */

static const struct cli_command rules_command;

static enum cli_status show_rules(struct client *client, bool json)
{
	struct sim_remote_rules rules = SIM_REMOTE_RULES_NONE;
	struct terminal terminal = terminal_detect(stdout);
	struct error error;
	enum cli_status status =
		judge(client, sim_remote_list_rules(client, &rules, &error), &error);

	if (status == CLI_OK && json) {
		sim_show_rules_json(stdout, &rules);
	} else if (status == CLI_OK) {
		status = judge_table(sim_show_rules(stdout, &terminal, &rules));
	}
	sim_remote_rules_done(&rules);
	return status;
}

static enum cli_status run_rules(int argc, char **argv)
{
	static const struct option table[] = {
		{"clear", no_argument, NULL, 'c'},
		{"remove", required_argument, NULL, 'r'},
		OPTION_JSON,
		OPTION_HELP,
		OPTION_END,
	};
	cleanup(cleanup_client) struct client *client = NULL;
	bool clear = false;
	bool json = false;
	bool remove = false;
	uint32_t id = 0;
	enum cli_status status;
	struct error error;
	int choice;

	while ((choice = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (choice == 'r' && !read_number(optarg, &id)) {
			return cli_refuse("sim rules", "\"%s\" is no number of a rule", optarg);
		}
		if (!strchr("cjr", choice)) {
			return handle_option(&rules_command, choice, argv);
		}
		clear = clear || choice == 'c';
		json = json || choice == 'j';
		remove = remove || choice == 'r';
	}
	if (!check_arguments(&rules_command, argc, 0, 0)) {
		return CLI_USAGE;
	}
	status = connect_to_spaprd(&client);
	if (status != CLI_OK) {
		return status;
	}
	if (clear) {
		return judge(client, sim_remote_clear_rules(client, &error), &error);
	}
	return remove ? judge(client, sim_remote_remove_rule(client, id, &error), &error)
		      : show_rules(client, json);
}

static const struct cli_command rules_command = {
	.name = "rules",
	.summary = "show, or take back, what sim fail and sim delay said",
	.help = "usage: spaprctl sim rules [--json | --clear | --remove ID]\n"
		"\n"
		"Shows the rules by which operations fail or wait, and how often each has acted.\n"
		"\n"
		"  --clear   take all of them back\n"
		"  --remove  take one back\n"
		"  --json    for programs: what a rule doesn't have is left out\n",
	.run = run_rules,
};

/* -- tces, statistics -- */

/* The command line of a verb that only shows: CLI_OK with *ret_go_on when there is more to do. */
static enum cli_status read_show(const struct cli_command *command, int argc, char **argv,
				 int arguments, bool *ret_json, bool *ret_go_on)
{
	static const struct option table[] = {OPTION_JSON, OPTION_HELP, OPTION_END};
	int choice;

	*ret_json = false;
	*ret_go_on = false;
	while ((choice = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (choice != 'j') {
			return handle_option(command, choice, argv);
		}
		*ret_json = true;
	}
	if (!check_arguments(command, argc, arguments, arguments)) {
		return CLI_USAGE;
	}
	*ret_go_on = true;
	return CLI_OK;
}

static enum cli_status show_tces(struct client *client, uint32_t group, bool json)
{
	struct sim_remote_tces tces = SIM_REMOTE_TCES_NONE;
	struct terminal terminal = terminal_detect(stdout);
	struct error error;
	enum cli_status status =
		judge(client, sim_remote_read_tces(client, group, &tces, &error), &error);

	if (status == CLI_OK && json) {
		sim_show_tces_json(stdout, group, &tces);
	} else if (status == CLI_OK) {
		status = judge_table(sim_show_tces(stdout, &terminal, group, &tces));
	}
	sim_remote_tces_done(&tces);
	return status;
}

static const struct cli_command tces_command;

static enum cli_status run_tces(int argc, char **argv)
{
	cleanup(cleanup_client) struct client *client = NULL;
	enum cli_status status;
	uint32_t group = 0;
	bool json;
	bool go_on;

	status = read_show(&tces_command, argc, argv, 1, &json, &go_on);
	if (!go_on) {
		return status;
	}
	if (!read_number(argv[optind], &group)) {
		return cli_refuse("sim tces", "\"%s\" is no number of a group", argv[optind]);
	}
	status = connect_to_spaprd(&client);
	return status ? status : show_tces(client, group, json);
}

static const struct cli_command tces_command = {
	.name = "tces",
	.summary = "show what the tables of a group hold",
	.help = "usage: spaprctl sim tces GROUP [--json]\n"
		"\n"
		"Shows the windows of a group's container and what is mapped in them, read from "
		"the\n"
		"tables of the simulated kernel: ranges of IOVA, half-open, the user address "
		"behind "
		"each\n"
		"in the process that mapped it, and whether the device may read (r) and write "
		"(w).\n"
		"\n"
		"  --json  for programs: addresses are strings \"0x...\", sizes are numbers\n"
		"\n"
		"Example: spaprctl sim tces 0 --json | jq '.mapped | length'\n",
	.run = run_tces,
};

static enum cli_status show_counters(struct client *client, bool json)
{
	struct sim_remote_counters counters = SIM_REMOTE_COUNTERS_NONE;
	struct terminal terminal = terminal_detect(stdout);
	struct error error;
	enum cli_status status =
		judge(client, sim_remote_read_counters(client, &counters, &error), &error);

	if (status == CLI_OK && json) {
		sim_show_counters_json(stdout, &counters);
	} else if (status == CLI_OK) {
		status = judge_table(sim_show_counters(stdout, &terminal, &counters));
	}
	sim_remote_counters_done(&counters);
	return status;
}

static const struct cli_command statistics_command;

static enum cli_status run_statistics(int argc, char **argv)
{
	cleanup(cleanup_client) struct client *client = NULL;
	enum cli_status status;
	bool json;
	bool go_on;

	status = read_show(&statistics_command, argc, argv, 0, &json, &go_on);
	if (!go_on) {
		return status;
	}
	status = connect_to_spaprd(&client);
	return status ? status : show_counters(client, json);
}

static const struct cli_command statistics_command = {
	.name = "statistics",
	.summary = "show what the simulated kernel holds",
	.help = "usage: spaprctl sim statistics [--json]\n"
		"\n"
		"Shows how much of everything the simulated kernel holds. When nothing is in use "
		"all "
		"are 0,\n"
		"but for live_mms, connections, and kernel_damage.\n",
	.run = run_statistics,
};

/* -- all -- */

const struct cli_command *const sim_verbs[] = {
	&freeze_command, &unplug_command, &plug_command,       &fail_command, &delay_command,
	&rules_command,  &tces_command,   &statistics_command, NULL,
};

enum cli_status sim_verbs_run(int argc, char **argv)
{
	for (size_t i = 0; sim_verbs[i]; i++) {
		if (strcmp(argv[0], sim_verbs[i]->name) == 0) {
			optind = 0; /* start again, for the options of the verb */
			return sim_verbs[i]->run(argc, argv);
		}
	}
	return cli_refuse("sim", "there is no verb \"%s\"", argv[0]);
}
