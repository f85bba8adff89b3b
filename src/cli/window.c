/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/window.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/remote.h"
#include "cli/text.h"
#include "cli/window_dtb.h"
#include "cli/window_plan.h"
#include "common/cleanup.h"
#include "common/names.h"

static const struct cli_command *const subcommands[] = {
	&window_plan_command,
	&window_dtb_command,
	NULL,
};

/* -- address spaces -- */

static int copy_path(const char *prefix, const char *rest, char **ret_path, struct error *error)
{
	char *path = NULL;

	if (asprintf(&path, "%s%s", prefix, rest) < 0) {
		return error_say(error, "there is no memory for a path");
	}
	*ret_path = path;
	return 0;
}

int window_find_named(const struct model *model, const char *name, const char **ret_path,
		      struct error *error)
{
	const struct model_space *found = NULL;

	for (size_t i = 0; i < model->space_count; i++) {
		const struct model_space *space = &model->spaces[i];

		if (strcmp(space->name, name) != 0) {
			continue;
		}
		if (found) {
			return error_say(error,
					 "the address spaces %" PRIu32 " and %" PRIu32
					 " have the name \"%s\"; use a number",
					 found->number, space->number, name);
		}
		found = space;
	}
	if (!found) {
		return error_say(error, "there is no address space \"%s\"; see \"spaprctl status\"",
				 name);
	}
	*ret_path = found->path;
	return 0;
}

int window_find_space(struct client *client, const char *text, char **ret_path, struct error *error)
{
	cleanup(cleanup_model) struct model *model = NULL;
	const char *path = NULL;
	int r;

	if (*text != '\0' && strspn(text, "0123456789") == strlen(text)) {
		return copy_path(BUS_PATH_SPACE_PREFIX, text, ret_path, error);
	}
	if (dbus_validate_path(text, NULL)) {
		return copy_path("", text, ret_path, error);
	}
	r = remote_read_model(client, &model, error);
	if (r == 0) {
		r = window_find_named(model, text, &path, error);
	}
	return r ? r : copy_path("", path, ret_path, error);
}

/* -- the command -- */

static void print_help(void)
{
	(void)printf("usage: spaprctl window SUBCOMMAND [OPTION...]\n"
		     "\n"
		     "The DMA windows of an address space:\n"
		     "\n");
	for (size_t i = 0; subcommands[i]; i++) {
		(void)printf("  %-10s %s\n", subcommands[i]->name, subcommands[i]->summary);
	}
	(void)printf("\n"
		     "  --help     this text; after a subcommand: about that one\n"
		     "\n"
		     "Example: spaprctl window plan 0 --memory 1T --backing-page 2M\n");
}

static enum cli_status run(int argc, char **argv)
{
	enum cli_status status = CLI_OK;

	if (!cli_find_subcommand("window", print_help, &argc, &argv, &status)) {
		return status;
	}
	for (size_t i = 0; subcommands[i]; i++) {
		if (strcmp(argv[0], subcommands[i]->name) == 0) {
			return subcommands[i]->run(argc, argv);
		}
	}
	return cli_refuse("window", "there is no subcommand \"%s\"", argv[0]);
}

const struct cli_command window_command = {
	.name = "window",
	.summary = "plan DMA windows, and describe them for a guest",
	.run = run,
};
