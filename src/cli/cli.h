/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What main.c and the subcommands share: exit statuses, and what a subcommand is. */
#pragma once

#include <stdbool.h>

enum cli_status {
	CLI_OK = 0,
	CLI_FAILED = 1,      /* refused, or it did not go as it should */
	CLI_USAGE = 2,       /* the command line is not understood */
	CLI_UNREACHABLE = 3, /* no bus, or no spaprd on it */
};

struct cli_command {
	const char *name;
	const char *summary;                           /* one line for `spaprctl --help` */
	const char *help;                              /* what `spaprctl NAME --help` prints */
	enum cli_status (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
};

extern const struct cli_command demo_command;
extern const struct cli_command status_command;

/* Say on stderr what is wrong with the command line of a subcommand (NULL: of the program) and
 * where help is. Returns CLI_USAGE. */
enum cli_status cli_refuse(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for the option that getopt_long, silenced by opterr = 0, has just not understood. */
enum cli_status cli_refuse_option(const char *command, char **argv);

/*
 * What getopt_long returned for an option that a subcommand doesn't handle itself: prints the help
 * for 'h', which each subcommand has as its long option "help", or refuses.
 */
enum cli_status cli_handle_option(const struct cli_command *command, int choice, char **argv);

/*
 * For a command with subcommands, whose own option is "help" alone. Either argv[0] is the name of a
 * subcommand from now on, whose options are to be read; or it is not, and *ret_status is the end:
 * the help was printed, or what is wrong was said.
 */
bool cli_find_subcommand(const char *command, void (*print_help)(void), int *argc, char ***argv,
			 enum cli_status *ret_status);
