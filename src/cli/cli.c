/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum cli_status cli_refuse(const char *command, const char *format, ...)
{
	va_list arguments;

	(void)fputs("spaprctl: ", stderr);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "; try \"spaprctl %s%s--help\"\n", command ? command : "",
		      command ? " " : "");
	return CLI_USAGE;
}

enum cli_status cli_refuse_option(const char *command, char **argv)
{
	const char *option = argv[optind - 1];

	if (strncmp(option, "--", 2) == 0) {
		return cli_refuse(command, "there is no option \"%s\"", option);
	}
	/* A letter; of several in one argument, getopt_long is not past that argument yet. */
	return cli_refuse(command, "there is no option \"-%c\"", optopt);
}

enum cli_status cli_handle_option(const struct cli_command *command, int choice, char **argv)
{
	if (choice == 'h') {
		(void)fputs(command->help, stdout);
		return CLI_OK;
	}
	return cli_refuse_option(command->name, argv);
}

bool cli_find_subcommand(const char *command, void (*print_help)(void), int *argc, char ***argv,
			 enum cli_status *ret_status)
{
	static const struct option table[] = {
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	/* The plus: options behind the subcommand are the subcommand's. */
	int choice = getopt_long(*argc, *argv, "+", table, NULL);

	if (choice == 'h') {
		print_help();
		*ret_status = CLI_OK;
		return false;
	}
	if (choice != -1) {
		*ret_status = cli_refuse_option(command, *argv);
		return false;
	}
	if (optind == *argc) {
		*ret_status = cli_refuse(command, "a subcommand is missing");
		return false;
	}
	*argc -= optind;
	*argv += optind;
	optind = 0; /* start again, for the options of the subcommand */
	return true;
}
