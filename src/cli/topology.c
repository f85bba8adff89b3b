/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl topology */
#include "cli/topology.h"

#include <getopt.h>

#include "cli/remote.h"
#include "cli/text.h"
#include "common/cleanup.h"

bool topology_group_is_below(const struct model_group *group, const struct model_phb *phb)
{
	return group->phb_id == phb->domain;
}

bool topology_group_is_alone(const struct model *model, const struct model_group *group)
{
	for (size_t i = 0; i < model->host.phbs.count; i++) {
		if (topology_group_is_below(group, &model->host.phbs.items[i])) {
			return false;
		}
	}
	return true;
}

static enum cli_status print(const struct model *model, bool json)
{
	struct terminal terminal = terminal_detect(stdout);
	int r;

	if (json) {
		topology_show_json(stdout, model);
		return CLI_OK;
	}
	r = topology_show_text(stdout, &terminal, model);
	if (r < 0) {
		(void)fprintf(stderr, "spaprctl: can't make the tree (%s)\n", errno_name(-r));
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
			return cli_handle_option(&topology_command, choice, argv);
		}
		json = true;
	}
	if (optind < argc) {
		return cli_refuse("topology", "topology takes no argument \"%s\"", argv[optind]);
	}
	return show(json);
}

const struct cli_command topology_command = {
	.name = "topology",
	.summary = "show the host bridges, the PEs below them and their devices, as a tree",
	.help = "usage: spaprctl topology [--json]\n"
		"\n"
		"Shows the memory that the host has, and as a tree its PCI host bridges (PHBs), "
		"the\n"
		"groups below each (on POWER a group is a PE), and their devices. Of a PHB: how "
		"many\n"
		"PEs it has room for, the page sizes of its TCEs, its default window, its MSIs "
		"and\n"
		"whether the kernel has EEH for it; in a partition also whether windows can be "
		"made\n"
		"and the default one had back (DDW). Where there are no PHBs, groups stand alone.\n"
		"\n"
		"  --json  everything, for programs: sizes and counts are numbers, addresses are\n"
		"          strings \"0x...\", null is unknown or not there\n"
		"\n"
		"Example: spaprctl topology --json | jq '.phbs[] | {domain, location, pes}'\n",
	.run = run,
};
