/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/window_dtb.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/window.h"
#include "common/cleanup.h"
#include "common/names.h"

#define COMMAND "window dtb"

/* The bytes belong to the reply. */
static int describe(struct client *client, const char *space, DBusMessage **ret_reply,
		    const unsigned char **ret_bytes, size_t *ret_size, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = NULL;
	cleanup(cleanup_free) char *path = NULL;
	int size = 0;
	int r;

	r = window_find_space(client, space, &path, error);
	if (r) {
		return r;
	}
	call = client_prepare(path, BUS_INTERFACE_SPACE, "DescribeForGuest");
	r = client_call(client, call, "ay", ret_reply, error);
	if (r) {
		return r;
	}
	(void)dbus_message_get_args(*ret_reply, NULL, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, ret_bytes,
				    &size, DBUS_TYPE_INVALID);
	*ret_size = (size_t)size;
	return 0;
}

/* Standard output is flushed, and looked at for errors, by main. */
static enum cli_status write_file(const char *name, const unsigned char *bytes, size_t size)
{
	FILE *file = fopen(name, "we");
	bool written;

	if (!file) {
		(void)fprintf(stderr, "spaprctl: can't open %s (%s)\n", name, errno_name(errno));
		return CLI_FAILED;
	}
	written = fwrite(bytes, 1, size, file) == size;
	if (fclose(file) != 0 || !written) {
		(void)fprintf(stderr, "spaprctl: can't write %s (%s)\n", name, errno_name(errno));
		return CLI_FAILED;
	}
	return CLI_OK;
}

static enum cli_status write_tree(const char *space, const char *output)
{
	cleanup(cleanup_client) struct client *client = NULL;
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	const unsigned char *bytes = NULL;
	struct error error;
	size_t size = 0;

	if (client_new(&client, &error)) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return CLI_UNREACHABLE;
	}
	if (describe(client, space, &reply, &bytes, &size, &error)) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return client_is_unreachable(client) ? CLI_UNREACHABLE : CLI_FAILED;
	}
	if (output) {
		return write_file(output, bytes, size);
	}
	(void)fwrite(bytes, 1, size, stdout);
	return CLI_OK;
}

static enum cli_status run(int argc, char **argv)
{
	static const struct option table[] = {
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *output = NULL;
	int choice;

	while ((choice = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (choice == 'h') {
			(void)fputs(window_dtb_command.help, stdout);
			return CLI_OK;
		}
		if (choice == ':') {
			return cli_refuse(COMMAND, "option \"%s\" needs a value", argv[optind - 1]);
		}
		if (choice != 'o') {
			return cli_refuse_option(COMMAND, argv);
		}
		output = optarg;
	}
	if (optind == argc) {
		return cli_refuse(COMMAND, "an address space is missing");
	}
	if (optind + 1 < argc) {
		return cli_refuse(COMMAND, "there is one address space, \"%s\" is too much",
				  argv[optind + 1]);
	}
	if (!output && isatty(STDOUT_FILENO)) {
		return cli_refuse(COMMAND, "a device tree is not for a terminal; give a file with "
					   "--output, or send it to dtc -I dtb -O dts");
	}
	return write_tree(argv[optind], output);
}

const struct cli_command window_dtb_command = {
	.name = "dtb",
	.summary = "write the windows of an address space as a guest's device tree says them",
	.help = "usage: spaprctl window dtb SPACE [--output FILE]\n"
		"\n"
		"Writes a flattened device tree with one node, /pci. Its properties belong into "
		"the\n"
		"node of the guest's PCI host bridge: ibm,dma-window for the window that 32-bit\n"
		"devices reach, linux,dma64-ddr-window-info or linux,direct64-ddr-window-info for\n"
		"the other. SPACE is the number of the address space, its name or its path.\n"
		"\n"
		"  --output FILE  where to; standard output otherwise, unless that is a terminal\n"
		"\n"
		"Example: spaprctl window dtb 0 | dtc -I dtb -O dts\n",
	.run = run,
};
