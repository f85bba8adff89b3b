/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/pe.h"

#include <stdio.h>
#include <string.h>

const struct cli_command *const pe_subcommands[] = {
	&pe_list_command,        &pe_watch_command,
	&pe_recover_command,     &pe_check_command,
	&pe_log_command,         &pe_freeze_command,
	&pe_inject_command,      &pe_reset_command,
	&pe_enable_command,      &pe_disable_command,
	&pe_unfreeze_io_command, &pe_unfreeze_dma_command,
	&pe_configure_command,   NULL,
};

/* "list" of "pe list". */
static const char *own_name(const struct cli_command *command)
{
	return command->name + strlen("pe ");
}

static void print_help(void)
{
	(void)printf("usage: spaprctl pe SUBCOMMAND [OPTION...]\n"
		     "\n"
		     "PEs (partitionable endpoints) that hardware can freeze, and their recovery:\n"
		     "\n");
	for (size_t i = 0; pe_subcommands[i]; i++) {
		(void)printf("  %-12s %s\n", own_name(pe_subcommands[i]),
			     pe_subcommands[i]->summary);
	}
	(void)printf("\n"
		     "  --help       this text; after a subcommand: about that one\n"
		     "\n"
		     "A GROUP is the number of an IOMMU group, or the PCI address of a device in "
		     "it.\n"
		     "\n"
		     "Example: spaprctl pe watch 0001:01:00.0\n");
}

static enum cli_status run(int argc, char **argv)
{
	enum cli_status status = CLI_OK;

	if (!cli_find_subcommand("pe", print_help, &argc, &argv, &status)) {
		return status;
	}
	for (size_t i = 0; pe_subcommands[i]; i++) {
		if (strcmp(argv[0], own_name(pe_subcommands[i])) == 0) {
			return pe_subcommands[i]->run(argc, argv);
		}
	}
	return cli_refuse("pe", "there is no subcommand \"%s\"", argv[0]);
}

const struct cli_command pe_command = {
	.name = "pe",
	.summary = "show, watch, operate and recover PEs",
	.run = run,
};
