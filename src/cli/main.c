/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl: what spaprd has, for a person. */
#include <dbus/dbus.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cli/bind.h"
#include "cli/cli.h"
#include "cli/device.h"
#include "cli/pe.h"
#include "cli/policy.h"
#include "cli/release.h"
#include "cli/sim.h"
#include "cli/topology.h"
#include "cli/window.h"

static const struct cli_command *const commands[] = {
	&status_command,  &topology_command, &demo_command,   &bind_command,
	&restore_command, &release_command,  &device_command, &pe_command,
	&window_command,  &policy_command,   &sim_command,    NULL,
};

static void print_help(void)
{
	(void)printf("usage: spaprctl SUBCOMMAND [OPTION...]\n"
		     "\n"
		     "Shows the groups, address spaces and DMA windows that spaprd manages.\n"
		     "\n");
	for (size_t i = 0; commands[i]; i++) {
		(void)printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
	}
	(void)printf("\n"
		     "  --help     this text; after a subcommand: about that one\n"
		     "  --version\n"
		     "\n"
		     "Example: spaprctl status\n"
		     "\n"
		     "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 spaprd can't be "
		     "reached.\n"
		     "DBUS_SYSTEM_BUS_ADDRESS names another bus than the system's.\n");
}

static enum cli_status run_command(int argc, char **argv)
{
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(argv[0], commands[i]->name) == 0) {
			optind = 0; /* start again, for the options of the subcommand */
			return commands[i]->run(argc, argv);
		}
	}
	return cli_refuse(NULL, "there is no subcommand \"%s\"", argv[0]);
}

static enum cli_status run(int argc, char **argv)
{
	static const struct option table[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};

	opterr = 0;
	/* The plus: options behind the subcommand are the subcommand's. */
	switch (getopt_long(argc, argv, "+", table, NULL)) {
	case -1:
		break;
	case 'h':
		print_help();
		return CLI_OK;
	case 'V':
		(void)printf("spaprctl " SPAPRD_VERSION "\n");
		return CLI_OK;
	default:
		return cli_refuse_option(NULL, argv);
	}
	if (optind == argc) {
		return cli_refuse(NULL, "a subcommand is missing");
	}
	return run_command(argc - optind, argv + optind);
}

int main(int argc, char **argv)
{
	enum cli_status status;

	(void)setlocale(LC_ALL, "");
	status = run(argc, argv);
	dbus_shutdown();
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("spaprctl: can't write the output");
		status = status == CLI_OK ? CLI_FAILED : status;
	}
	return (int)status;
}
