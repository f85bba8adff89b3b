/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/release.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/client.h"
#include "cli/remote.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/names.h"

static int find_group(const struct model *model, uint32_t number, const char **ret_path,
		      struct error *error)
{
	for (size_t i = 0; i < model->group_count; i++) {
		if (model->groups[i].id == number) {
			*ret_path = model->groups[i].path;
			return 0;
		}
	}
	return error_say(error, "there is no group %" PRIu32 "; see spaprctl status", number);
}

static int ask(struct client *client, uint32_t number, bool anyway, struct error *error)
{
	cleanup(cleanup_model) struct model *model = NULL;
	cleanup(cleanup_message) DBusMessage *call = NULL;
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	dbus_bool_t argument = anyway;
	const char *path = NULL;
	int r = remote_read_model(client, &model, error);

	r = r ? r : find_group(model, number, &path, error);
	if (r) {
		return r;
	}
	call = client_prepare(path, BUS_INTERFACE_GROUP, "Release");
	call = client_message_if(call && dbus_message_append_args(call, DBUS_TYPE_BOOLEAN,
								  &argument, DBUS_TYPE_INVALID),
				 call);
	return client_call(client, call, "", &reply, error);
}

static enum cli_status release(uint32_t number, bool anyway)
{
	cleanup(cleanup_client) struct client *client = NULL;
	struct error error;

	if (client_new(&client, &error)) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return CLI_UNREACHABLE;
	}
	if (ask(client, number, anyway, &error)) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return client_is_unreachable(client) ? CLI_UNREACHABLE : CLI_FAILED;
	}
	(void)printf("group %" PRIu32 " is released\n", number);
	return CLI_OK;
}

static enum cli_status run(int argc, char **argv)
{
	static const struct option table[] = {
		{"anyway", no_argument, NULL, 'a'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool anyway = false;
	unsigned long number;
	char *end;
	int choice;

	while ((choice = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (choice != 'a') {
			return cli_handle_option(&release_command, choice, argv);
		}
		anyway = true;
	}
	if (optind + 1 != argc) {
		return cli_refuse("release", optind == argc
						     ? "a group is missing"
						     : "there is one group, and more is given");
	}
	errno = 0;
	number = strtoul(argv[optind], &end, 10);
	if (errno != 0 || argv[optind][0] < '0' || argv[optind][0] > '9' || *end != '\0' ||
	    number > UINT32_MAX) {
		return cli_refuse("release", "\"%s\" is not the number of a group", argv[optind]);
	}
	return release((uint32_t)number, anyway);
}

const struct cli_command release_command = {
	.name = "release",
	.summary = "let a group out of quarantine",
	.help = "usage: spaprctl release GROUP [--anyway]\n"
		"\n"
		"Tries once more to stop the devices of a group that was kept when its address\n"
		"space was closed, and lets it go. spaprctl status shows which groups are in\n"
		"quarantine, and why. For root.\n"
		"\n"
		"  --anyway  also when a device is still not stopped: it may then write to any\n"
		"            memory of the host, unless it is powered off\n"
		"\n"
		"Example: spaprctl release 3\n",
	.run = run,
};
