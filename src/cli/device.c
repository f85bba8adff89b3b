/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/device.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/device_show.h"
#include "cli/text.h"
#include "common/cleanup.h"

/* -- what is shown -- */

/* Reads a command line with --json and so many arguments. Whether there is more to do. */
static bool read_json(const struct cli_command *command, int argc, char **argv, int arguments,
		      bool *ret_json, enum cli_status *ret_status)
{
	static const struct option table[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int choice;

	while ((choice = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (choice != 'j') {
			*ret_status = pe_handle_option(command, choice, argv);
			return false;
		}
		*ret_json = true;
	}
	*ret_status = CLI_USAGE;
	return pe_check_arguments(command, argc, arguments, arguments);
}

static enum cli_status judge_output(int r)
{
	if (r < 0) {
		(void)fprintf(stderr, "spaprctl: there is no memory for the output\n");
	}
	return r < 0 ? CLI_FAILED : CLI_OK;
}

static enum cli_status run_list(int argc, char **argv)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	struct terminal terminal;
	enum cli_status status;
	bool json = false;

	if (!read_json(&device_list_command, argc, argv, 0, &json, &status)) {
		return status;
	}
	status = pe_session_open(&session);
	if (status) {
		return status;
	}
	if (json) {
		device_show_list_json(stdout, session.model);
		return CLI_OK;
	}
	terminal = terminal_detect(stdout);
	return judge_output(device_show_list(stdout, &terminal, session.model));
}

const struct cli_command device_list_command = {
	.name = "device list",
	.summary = "list the devices",
	.help = "usage: spaprctl device list [--json]\n"
		"\n"
		"Lists the devices in IOMMU groups: what they are, their driver, group and "
		"address space,\n"
		"whether spaprd has them open, and where they are plugged in.\n"
		"\n"
		"Example: spaprctl device list\n",
	.run = run_list,
};

static enum cli_status run_show(int argc, char **argv)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	cleanup(device_regions_done) struct device_regions regions = DEVICE_REGIONS_NONE;
	cleanup(device_irqs_done) struct device_irqs irqs = DEVICE_IRQS_NONE;
	const struct model_device *device = NULL;
	struct terminal terminal;
	enum cli_status status;
	struct error error;
	bool json = false;
	bool whole;
	int r;

	if (!read_json(&device_show_command, argc, argv, 1, &json, &status)) {
		return status;
	}
	status = device_session_open(&session, argv[optind], &device);
	if (status) {
		return status;
	}
	r = device->open ? device_read_regions(session.client, device, &regions, &error) : 0;
	r = r == 0 && device->open ? device_read_irqs(session.client, device, &irqs, &error) : r;
	whole = device->open && r == 0;
	if (json) {
		device_show_json(stdout, session.model, device, whole ? &regions : NULL,
				 whole ? &irqs : NULL);
	} else {
		terminal = terminal_detect(stdout);
		status = judge_output(device_show(stdout, &terminal, session.model, device,
						  whole ? &regions : NULL, whole ? &irqs : NULL));
	}
	return r ? pe_session_judge(&session, r, &error) : status;
}

const struct cli_command device_show_command = {
	.name = "device show",
	.summary = "show a device, with its regions and interrupts",
	.help = "usage: spaprctl device show DEVICE [--json]\n"
		"\n"
		"Shows a device; its regions and interrupts as well when it is open.\n"
		"\n"
		"Example: spaprctl device show 0001:01:00.0\n",
	.run = run_show,
};

static enum cli_status run_regions(int argc, char **argv)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	cleanup(device_regions_done) struct device_regions regions = DEVICE_REGIONS_NONE;
	const struct model_device *device = NULL;
	struct terminal terminal;
	enum cli_status status;
	struct error error;
	bool json = false;

	if (!read_json(&device_regions_command, argc, argv, 1, &json, &status)) {
		return status;
	}
	status = device_session_open(&session, argv[optind], &device);
	if (status == CLI_OK) {
		status = pe_session_judge(
			&session, device_read_regions(session.client, device, &regions, &error),
			&error);
	}
	if (status) {
		return status;
	}
	if (json) {
		device_show_regions_json(stdout, &regions);
		return CLI_OK;
	}
	terminal = terminal_detect(stdout);
	return judge_output(device_show_regions(stdout, &terminal, &regions));
}

const struct cli_command device_regions_command = {
	.name = "device regions",
	.summary = "list the regions of a device that is open",
	.help = "usage: spaprctl device regions DEVICE [--json]\n"
		"\n"
		"Lists the regions of a device that is open: BARs, ROM, config space, and what its "
		"driver\n"
		"adds; whether they can be read and written, and which parts can be mapped.\n"
		"\n"
		"Example: spaprctl device regions 0001:01:00.0\n",
	.run = run_regions,
};

static enum cli_status run_irqs(int argc, char **argv)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	cleanup(device_irqs_done) struct device_irqs irqs = DEVICE_IRQS_NONE;
	const struct model_device *device = NULL;
	struct terminal terminal;
	enum cli_status status;
	struct error error;
	bool json = false;

	if (!read_json(&device_irqs_command, argc, argv, 1, &json, &status)) {
		return status;
	}
	status = device_session_open(&session, argv[optind], &device);
	if (status == CLI_OK) {
		status = pe_session_judge(
			&session, device_read_irqs(session.client, device, &irqs, &error), &error);
	}
	if (status) {
		return status;
	}
	if (json) {
		device_show_irqs_json(stdout, &irqs);
		return CLI_OK;
	}
	terminal = terminal_detect(stdout);
	return judge_output(device_show_irqs(stdout, &terminal, &irqs));
}

const struct cli_command device_irqs_command = {
	.name = "device irqs",
	.summary = "list the interrupts of a device that is open",
	.help = "usage: spaprctl device irqs DEVICE [--json]\n"
		"\n"
		"Lists the kinds of interrupts that a device has which is open, and how many of "
		"each.\n"
		"\n"
		"Example: spaprctl device irqs 0001:01:00.0\n",
	.run = run_irqs,
};

/* -- what is done -- */

static enum cli_status run_open(int argc, char **argv)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	cleanup(cleanup_message) DBusMessage *call = NULL;
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	const struct model_device *device = NULL;
	enum cli_status status;
	struct error error;

	if (!pe_read_plain(&device_open_command, argc, argv, 1, 1, &status)) {
		return status;
	}
	status = device_session_open(&session, argv[optind], &device);
	if (status) {
		return status;
	}
	/* The fd goes with the reply; spaprd keeps the device open. */
	call = device_prepare(device, "Open");
	return pe_session_judge(&session, client_call(session.client, call, "h", &reply, &error),
				&error);
}

const struct cli_command device_open_command = {
	.name = "device open",
	.summary = "have spaprd open a device",
	.help = "usage: spaprctl device open DEVICE\n"
		"\n"
		"Has spaprd open a device, which resets it. It stays open until its group leaves "
		"the\n"
		"address space; nothing happens when it is open.\n"
		"\n"
		"Example: spaprctl device open 0001:01:00.0\n",
	.run = run_open,
};

static enum cli_status run_reset(int argc, char **argv)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	cleanup(cleanup_message) DBusMessage *call = NULL;
	const struct model_device *device = NULL;
	enum cli_status status;
	struct error error;

	if (!pe_read_plain(&device_reset_command, argc, argv, 1, 1, &status)) {
		return status;
	}
	status = device_session_open(&session, argv[optind], &device);
	if (status) {
		return status;
	}
	call = device_prepare(device, "Reset");
	return pe_session_judge(&session, client_call_void(session.client, call, &error), &error);
}

const struct cli_command device_reset_command = {
	.name = "device reset",
	.summary = "reset a device that is open",
	.help = "usage: spaprctl device reset DEVICE\n"
		"\n"
		"Resets a device that is open: alone if it can be, else with all devices of its "
		"bus, if\n"
		"these are in the same address space.\n"
		"\n"
		"Example: spaprctl device reset 0001:01:00.0\n",
	.run = run_reset,
};

/* -- the command -- */

const struct cli_command *const device_subcommands[] = {
	&device_list_command,    &device_show_command,  &device_open_command,
	&device_regions_command, &device_irqs_command,  &device_read_command,
	&device_write_command,   &device_reset_command, NULL,
};

/* "list" of "device list". */
static const char *own_name(const struct cli_command *command)
{
	return command->name + strlen("device ");
}

static void print_help(void)
{
	(void)printf("usage: spaprctl device SUBCOMMAND [OPTION...]\n"
		     "\n"
		     "Devices, their regions, registers and interrupts:\n"
		     "\n");
	for (size_t i = 0; device_subcommands[i]; i++) {
		(void)printf("  %-10s %s\n", own_name(device_subcommands[i]),
			     device_subcommands[i]->summary);
	}
	(void)printf("\n"
		     "  --help     this text; after a subcommand: about that one\n"
		     "\n"
		     "A DEVICE is named by its PCI address. All but list, show and open are for "
		     "devices that\n"
		     "are open, and for who may act on the address space that has them.\n"
		     "\n"
		     "Example: spaprctl device show 0001:01:00.0\n");
}

static enum cli_status run(int argc, char **argv)
{
	enum cli_status status = CLI_OK;

	if (!cli_find_subcommand("device", print_help, &argc, &argv, &status)) {
		return status;
	}
	for (size_t i = 0; device_subcommands[i]; i++) {
		if (strcmp(argv[0], own_name(device_subcommands[i])) == 0) {
			return device_subcommands[i]->run(argc, argv);
		}
	}
	return cli_refuse("device", "there is no subcommand \"%s\"", argv[0]);
}

const struct cli_command device_command = {
	.name = "device",
	.summary = "show devices, their registers and interrupts, and reset them",
	.run = run,
};
