/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl status */
#include "cli/status.h"

#include <errno.h>
#include <getopt.h>

#include "cli/cli.h"
#include "cli/remote.h"
#include "cli/text.h"
#include "common/cleanup.h"

static enum cli_status print(const struct model *model, bool json)
{
	struct terminal terminal = terminal_detect(stdout);
	int r;

	if (json) {
		status_print_json(stdout, model);
		return CLI_OK;
	}
	r = status_print_text(stdout, &terminal, model);
	if (r < 0) {
		(void)fprintf(stderr, "spaprctl: can't make the tables (%s)\n", errno_name(-r));
		return CLI_FAILED;
	}
	return CLI_OK;
}

static enum cli_status show(bool json)
{
	cleanup(cleanup_client) struct client *client = NULL;
	cleanup(cleanup_model) struct model *model = NULL;
	struct error error;

	if (client_new(&client, &error)) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return CLI_UNREACHABLE;
	}
	if (remote_read_model(client, &model, &error)) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return client_is_unreachable(client) ? CLI_UNREACHABLE : CLI_FAILED;
	}
	return print(model, json);
}

static enum cli_status run(int argc, char **argv)
{
	static const struct option table[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool json = false;
	int choice;

	while ((choice = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (choice != 'j') {
			return cli_handle_option(&status_command, choice, argv);
		}
		json = true;
	}
	if (optind < argc) {
		return cli_refuse("status", "status takes no argument \"%s\"", argv[optind]);
	}
	return show(json);
}

const struct cli_command status_command = {
	.name = "status",
	.summary = "show the host, its groups and devices, and the address spaces",
	.help = "usage: spaprctl status [--json]\n"
		"\n"
		"Shows the host, its groups with their devices, and each address space with its\n"
		"containers, memory and DMA windows. Ranges are half-open: [start, end).\n"
		"\n"
		"  --json  everything, for programs: sizes and counts are numbers of bytes or\n"
		"          pieces, addresses are strings \"0x...\" since many readers keep numbers "
		"in\n"
		"          53 bits, null is unknown or not there\n"
		"\n"
		"Example: spaprctl status --json | jq '.spaces[].windows'\n",
	.run = run,
};
