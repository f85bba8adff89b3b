/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sim.h"

#include <stdio.h>
#include <string.h>

#include "cli/sim_collect.h"
#include "cli/sim_exec.h"
#include "cli/sim_hosts.h"
#include "cli/sim_verbs.h"

/* What needs no spaprd. */
static const struct cli_command *const own[] = {
	&sim_exec_command,
	&sim_hosts_command,
	&sim_collect_command,
	NULL,
};

static void print_list(const struct cli_command *const *commands)
{
	for (size_t i = 0; commands[i]; i++) {
		(void)printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
	}
}

static void print_help(void)
{
	(void)printf("usage: spaprctl sim SUBCOMMAND [OPTION...]\n"
		     "\n"
		     "Simulated hosts:\n"
		     "\n");
	print_list(own);
	(void)printf(
		"\n"
		"What happens to the host of a spaprd that simulates one (spaprd --simulate):\n"
		"\n");
	print_list(sim_verbs);
	(void)printf("\n"
		     "  --help     this text; after a subcommand: about that one\n"
		     "\n"
		     "Example: spaprctl sim exec -- ls /sys/kernel/iommu_groups\n");
}

static const struct cli_command *find(const struct cli_command *const *commands, const char *name)
{
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(commands[i]->name, name) == 0) {
			return commands[i];
		}
	}
	return NULL;
}

static enum cli_status run_subcommand(int argc, char **argv)
{
	const struct cli_command *command = find(own, argv[0]);

	if (command) {
		return command->run(argc, argv);
	}
	if (find(sim_verbs, argv[0])) {
		return sim_verbs_run(argc, argv);
	}
	return cli_refuse("sim", "there is no subcommand \"%s\"", argv[0]);
}

static enum cli_status run(int argc, char **argv)
{
	enum cli_status status = CLI_OK;

	if (!cli_find_subcommand("sim", print_help, &argc, &argv, &status)) {
		return status;
	}
	return run_subcommand(argc, argv);
}

const struct cli_command sim_command = {
	.name = "sim",
	.summary = "simulated hosts: run programs on them, and let things happen to them",
	.run = run,
};
