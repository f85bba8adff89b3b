/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/bind.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/json.h"
#include "cli/remote.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/names.h"

/* What the command line asks for. */
struct request {
	const struct cli_command *command;
	const char *what;   /* a device or a group */
	const char *driver; /* "" leaves it to the policy */
	bool force;
	bool json;
};

/* -- who is meant -- */

int bind_find_device(const struct model *model, const char *text, const char **ret_path,
		     struct error *error)
{
	char *end = NULL;
	unsigned long number = strtoul(text, &end, 10);
	bool is_number = text[0] >= '0' && text[0] <= '9' && *end == '\0';

	for (size_t i = 0; i < model->device_count && !is_number; i++) {
		if (strcmp(model->devices[i].name, text) == 0) {
			*ret_path = model->devices[i].path;
			return 0;
		}
	}
	for (size_t i = 0; i < model->group_count && is_number; i++) {
		if (model->groups[i].id == number && model->groups[i].devices.count > 0) {
			*ret_path = model->groups[i].devices.items[0];
			return 0;
		}
	}
	return error_say(error,
			 is_number ? "there is no group %s with a device; see spaprctl status"
				   : "there is no device %s, such as 0001:01:00.0; see spaprctl "
				     "status",
			 text);
}

/* -- the call -- */

/* Options, of which a Restore has none. */
static dbus_bool_t append_restore(DBusMessage *call)
{
	DBusMessageIter arguments;
	DBusMessageIter dictionary;

	dbus_message_iter_init_append(call, &arguments);
	return dbus_message_iter_open_container(&arguments, DBUS_TYPE_ARRAY, "{sv}", &dictionary) &&
	       dbus_message_iter_close_container(&arguments, &dictionary);
}

static dbus_bool_t append_force(DBusMessageIter *dictionary)
{
	const char *name = "force";
	dbus_bool_t force = TRUE;
	DBusMessageIter entry;
	DBusMessageIter value;

	return dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
	       dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &name) &&
	       dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "b", &value) &&
	       dbus_message_iter_append_basic(&value, DBUS_TYPE_BOOLEAN, &force) &&
	       dbus_message_iter_close_container(&entry, &value) &&
	       dbus_message_iter_close_container(dictionary, &entry);
}

static dbus_bool_t append_bind(DBusMessage *call, const struct request *request)
{
	DBusMessageIter arguments;
	DBusMessageIter dictionary;

	dbus_message_iter_init_append(call, &arguments);
	return dbus_message_iter_append_basic(&arguments, DBUS_TYPE_STRING, &request->driver) &&
	       dbus_message_iter_open_container(&arguments, DBUS_TYPE_ARRAY, "{sv}", &dictionary) &&
	       (!request->force || append_force(&dictionary)) &&
	       dbus_message_iter_close_container(&arguments, &dictionary);
}

static DBusMessage *prepare(const struct request *request, const char *path)
{
	DBusMessage *call;

	if (request->command == &restore_command) {
		call = client_prepare(path, BUS_INTERFACE_DEVICE, "RestoreWith");
		return client_message_if(call && append_restore(call), call);
	}
	call = client_prepare(path, BUS_INTERFACE_DEVICE, "BindWith");
	return client_message_if(call && append_bind(call, request), call);
}

static int ask(struct client *client, const struct request *request, DBusMessage **ret_reply,
	       struct error *error)
{
	cleanup(cleanup_model) struct model *model = NULL;
	cleanup(cleanup_message) DBusMessage *call = NULL;
	const char *path = NULL;
	int r = remote_read_model(client, &model, error);

	r = r ? r : bind_find_device(model, request->what, &path, error);
	if (r) {
		return r;
	}
	call = prepare(request, path);
	return client_call(client, call, "a(sss)", ret_reply, error);
}

/* -- what is shown -- */

enum column {
	COLUMN_DEVICE,
	COLUMN_FROM,
	COLUMN_TO,
	COLUMN_COUNT,
};

static const struct table_column columns[] = {
	[COLUMN_DEVICE] = {"DEVICE", 0, 0},
	[COLUMN_FROM] = {"FROM", 0, 0},
	[COLUMN_TO] = {"TO", 0, 0},
};

/* The three strings of one structure of the array. */
static void read_result(DBusMessageIter *array, const char *ret_texts[static COLUMN_COUNT])
{
	DBusMessageIter entry;

	dbus_message_iter_recurse(array, &entry);
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		dbus_message_iter_get_basic(&entry, &ret_texts[i]);
		(void)dbus_message_iter_next(&entry);
	}
}

static int print_table(DBusMessageIter *array)
{
	const struct terminal terminal = terminal_detect(stdout);
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r = table_new(stdout, &terminal, columns, COLUMN_COUNT, &table);

	while (r == 0 && dbus_message_iter_get_arg_type(array) == DBUS_TYPE_STRUCT) {
		struct libscols_line *line = scols_table_new_line(table, NULL);
		const char *texts[COLUMN_COUNT];

		read_result(array, texts);
		r = line ? 0 : -ENOMEM;
		for (size_t i = 0; r == 0 && i < COLUMN_COUNT; i++) {
			r = table_set(line, i, "%s", *texts[i] ? texts[i] : "none");
		}
		(void)dbus_message_iter_next(array);
	}
	return r < 0 ? r : scols_print_table(table);
}

static int print_json(DBusMessageIter *array)
{
	struct json json = JSON(stdout);

	json_begin_array(&json, NULL);
	for (; dbus_message_iter_get_arg_type(array) == DBUS_TYPE_STRUCT;
	     (void)dbus_message_iter_next(array)) {
		const char *texts[COLUMN_COUNT];

		read_result(array, texts);
		json_begin_object(&json, NULL);
		json_string(&json, "device", texts[COLUMN_DEVICE]);
		json_string(&json, "from", texts[COLUMN_FROM]);
		json_string(&json, "to", texts[COLUMN_TO]);
		json_end_object(&json);
	}
	json_end_array(&json);
	return 0;
}

static int print_results(DBusMessage *reply, bool as_json)
{
	DBusMessageIter arguments;
	DBusMessageIter array;

	(void)dbus_message_iter_init(reply, &arguments);
	dbus_message_iter_recurse(&arguments, &array);
	if (as_json) {
		return print_json(&array);
	}
	if (dbus_message_iter_get_arg_type(&array) == DBUS_TYPE_INVALID) {
		(void)puts("nothing had to be changed");
		return 0;
	}
	return print_table(&array);
}

static enum cli_status carry_out(const struct request *request)
{
	cleanup(cleanup_client) struct client *client = NULL;
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	struct error error;
	int r;

	if (client_new(&client, &error)) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return CLI_UNREACHABLE;
	}
	if (ask(client, request, &reply, &error)) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return client_is_unreachable(client) ? CLI_UNREACHABLE : CLI_FAILED;
	}
	r = print_results(reply, request->json);
	if (r < 0) {
		(void)fprintf(stderr, "spaprctl: can't make the table (%s)\n", errno_name(-r));
		return CLI_FAILED;
	}
	return CLI_OK;
}

/* -- the commands -- */

static enum cli_status run(const struct cli_command *command, const struct option *table, int argc,
			   char **argv)
{
	struct request request = {.command = command, .driver = ""};
	int choice;

	while ((choice = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		switch (choice) {
		case 'd':
			request.driver = optarg;
			break;
		case 'f':
			request.force = true;
			break;
		case 'j':
			request.json = true;
			break;
		case ':':
			return cli_refuse(command->name, "option \"%s\" needs a value",
					  argv[optind - 1]);
		default:
			return cli_handle_option(command, choice, argv);
		}
	}
	if (optind + 1 != argc) {
		return cli_refuse(command->name,
				  optind == argc
					  ? "a device or a group is missing"
					  : "there is one device or group, and more is given");
	}
	request.what = argv[optind];
	return carry_out(&request);
}

static enum cli_status run_bind(int argc, char **argv)
{
	static const struct option table[] = {
		{"driver", required_argument, NULL, 'd'},
		{"force", no_argument, NULL, 'f'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};

	return run(&bind_command, table, argc, argv);
}

static enum cli_status run_restore(int argc, char **argv)
{
	static const struct option table[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};

	return run(&restore_command, table, argc, argv);
}

const struct cli_command bind_command = {
	.name = "bind",
	.summary = "take the devices of a group from their drivers, for VFIO",
	.help = "usage: spaprctl bind DEVICE|GROUP [--driver NAME] [--force] [--json]\n"
		"\n"
		"Binds all devices of a group to a driver, vfio-pci unless policy says otherwise, "
		"or\n"
		"none of them: when a step fails, what was changed is put back. DEVICE is one of "
		"the\n"
		"group, such as 0001:01:00.0, GROUP its number. Bridges keep their driver. What\n"
		"the devices were bound to is remembered for spaprctl restore. For root.\n"
		"\n"
		"  --driver NAME  another driver, which policy allows ([access] bind-drivers)\n"
		"  --force        also what the host itself uses: a mounted disk, or the "
		"interface\n"
		"                 that carries the default route\n"
		"  --json         for programs\n"
		"\n"
		"Example: spaprctl bind 0003:01:00.0\n",
	.run = run_bind,
};

const struct cli_command restore_command = {
	.name = "restore",
	.summary = "give the devices of a group back to the drivers that they had",
	.help = "usage: spaprctl restore DEVICE|GROUP [--json]\n"
		"\n"
		"Gives the devices of a group that spaprctl bind took the drivers back that they "
		"had\n"
		"before, and puts their driver_override back or clears it. For root.\n"
		"\n"
		"  --json  for programs\n"
		"\n"
		"Example: spaprctl restore 3\n",
	.run = run_restore,
};
