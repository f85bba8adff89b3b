/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The subcommands that read and write registers. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli/device.h"
#include "cli/device_session.h"
#include "cli/json.h"
#include "common/cleanup.h"

#define COUNT_MAX 4096U /* of registers that are read with one command */

struct wanted {
	const char *device;
	uint32_t region;
	uint64_t offset;
	uint32_t size;
	uint64_t value; /* to write */
	uint32_t count; /* to read */
	bool json;
};

/* -- calls -- */

static DBusMessage *prepare(const struct model_device *device, const struct wanted *wanted,
			    const char *method)
{
	DBusMessage *call = device_prepare(device, method);
	dbus_uint64_t offset = wanted->offset;

	return client_message_if(call && dbus_message_append_args(call, DBUS_TYPE_UINT32,
								  &wanted->region, DBUS_TYPE_UINT64,
								  &offset, DBUS_TYPE_UINT32,
								  &wanted->size, DBUS_TYPE_INVALID),
				 call);
}

static int read_one(struct client *client, const struct model_device *device,
		    const struct wanted *wanted, uint64_t *ret_value, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = prepare(device, wanted, "ReadRegion");
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	dbus_uint64_t value = 0;
	int r = client_call(client, call, "t", &reply, error);

	if (r == 0) {
		(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT64, &value,
					    DBUS_TYPE_INVALID);
		*ret_value = value;
	}
	return r;
}

static int write_one(struct client *client, const struct model_device *device,
		     const struct wanted *wanted, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = prepare(device, wanted, "WriteRegion");
	dbus_uint64_t value = wanted->value;

	call = client_message_if(
		call && dbus_message_append_args(call, DBUS_TYPE_UINT64, &value, DBUS_TYPE_INVALID),
		call);
	return client_call_void(client, call, error);
}

/* -- command lines -- */

enum {
	OPTION_SIZE = 's',
	OPTION_COUNT = 'n',
	OPTION_JSON = 'j',
};

static const struct option read_options[] = {
	{"size", required_argument, NULL, OPTION_SIZE},
	{"count", required_argument, NULL, OPTION_COUNT},
	{"json", no_argument, NULL, OPTION_JSON},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const struct option write_options[] = {
	{"size", required_argument, NULL, OPTION_SIZE},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool read_size(const char *text, uint32_t *ret_size)
{
	uint64_t size = 0;

	if (!pe_read_number(text, 8, &size) || (size != 1 && size != 2 && size != 4 && size != 8)) {
		return false;
	}
	*ret_size = (uint32_t)size;
	return true;
}

static enum cli_status read_option(const struct cli_command *command, int choice, char **argv,
				   struct wanted *wanted)
{
	uint64_t count = 0;

	switch (choice) {
	case OPTION_SIZE:
		return read_size(optarg, &wanted->size)
			       ? CLI_OK
			       : cli_refuse(command->name, "\"%s\" is none of 1, 2, 4, 8", optarg);
	case OPTION_COUNT:
		if (!pe_read_number(optarg, COUNT_MAX, &count) || count == 0) {
			return cli_refuse(command->name, "\"%s\" is no count from 1 to %u", optarg,
					  COUNT_MAX);
		}
		wanted->count = (uint32_t)count;
		return CLI_OK;
	case OPTION_JSON:
		wanted->json = true;
		return CLI_OK;
	default:
		return pe_handle_option(command, choice, argv);
	}
}

/* DEVICE REGION OFFSET, behind the options. */
static enum cli_status read_place(const struct cli_command *command, char **arguments,
				  struct wanted *wanted)
{
	wanted->device = arguments[0];
	if (!device_region_parse(arguments[1], &wanted->region)) {
		return cli_refuse(command->name,
				  "\"%s\" is no region: bar0 to bar5, rom, config, vga or a number",
				  arguments[1]);
	}
	if (!pe_read_number(arguments[2], UINT64_MAX, &wanted->offset)) {
		return cli_refuse(command->name, "\"%s\" is no offset", arguments[2]);
	}
	return CLI_OK;
}

/* Whether there is something to be done; else *ret_status. */
static bool read_line(const struct cli_command *command, const struct option *options, int argc,
		      char **argv, int arguments, struct wanted *wanted,
		      enum cli_status *ret_status)
{
	int choice;

	*wanted = (struct wanted){.size = 4, .count = 1};
	while ((choice = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		*ret_status = read_option(command, choice, argv, wanted);
		if (*ret_status || choice == 'h') {
			return false;
		}
	}
	*ret_status = CLI_USAGE;
	if (!pe_check_arguments(command, argc, arguments, arguments)) {
		return false;
	}
	*ret_status = read_place(command, argv + optind, wanted);
	return *ret_status == CLI_OK;
}

/* -- read -- */

static void begin_json(struct json *json, const struct wanted *wanted,
		       const struct model_device *device)
{
	json_begin_object(json, NULL);
	json_string(json, "device", device->name);
	json_number(json, "region", wanted->region);
	json_address(json, "offset", wanted->offset);
	json_number(json, "size", wanted->size);
	json_begin_array(json, "values");
}

static void end_json(struct json *json)
{
	json_end_array(json);
	json_end_object(json);
}

static int read_values(struct pe_session *session, const struct model_device *device,
		       const struct wanted *wanted, uint64_t *ret_values, struct error *error)
{
	struct wanted one = *wanted;
	int r = 0;

	for (uint32_t i = 0; i < wanted->count && r == 0; i++) {
		one.offset = wanted->offset + (uint64_t)i * wanted->size;
		r = read_one(session->client, device, &one, &ret_values[i], error);
	}
	return r;
}

static void print_values(const struct wanted *wanted, const struct model_device *device,
			 const uint64_t *values)
{
	struct json json = JSON(stdout);
	int digits = (int)(2 * wanted->size);

	if (wanted->json) {
		begin_json(&json, wanted, device);
	}
	for (uint32_t i = 0; i < wanted->count; i++) {
		uint64_t offset = wanted->offset + (uint64_t)i * wanted->size;

		if (wanted->json) {
			json_address(&json, NULL, values[i]);
		} else if (wanted->count > 1) {
			(void)printf("0x%04" PRIx64 ": 0x%0*" PRIx64 "\n", offset, digits,
				     values[i]);
		} else {
			(void)printf("0x%0*" PRIx64 "\n", digits, values[i]);
		}
	}
	if (wanted->json) {
		end_json(&json);
	}
}

static enum cli_status run_read(int argc, char **argv)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	static uint64_t values[COUNT_MAX];
	const struct model_device *device = NULL;
	struct wanted wanted;
	enum cli_status status;
	struct error error;

	if (!read_line(&device_read_command, read_options, argc, argv, 3, &wanted, &status)) {
		return status;
	}
	status = device_session_open(&session, wanted.device, &device);
	if (status) {
		return status;
	}
	status = pe_session_judge(&session, read_values(&session, device, &wanted, values, &error),
				  &error);
	if (status == CLI_OK) {
		print_values(&wanted, device, values);
	}
	return status;
}

const struct cli_command device_read_command = {
	.name = "device read",
	.summary = "read registers of a device that is open",
	.help = "usage: spaprctl device read DEVICE REGION OFFSET [--size BYTES] [--count N] "
		"[--json]\n"
		"\n"
		"Reads registers of a device that is open (\"spaprctl device open\"), and prints "
		"them in\n"
		"hexadecimal. REGION is bar0 to bar5, rom, config, vga, or a number. Reading a "
		"register\n"
		"of a BAR may do something to the device.\n"
		"\n"
		"  --size BYTES  1, 2, 4 or 8 (without: 4); OFFSET is a multiple of it\n"
		"  --count N     so many registers, one after the other, up to 4096\n"
		"  --json        print JSON\n"
		"  --help        this text\n"
		"\n"
		"Example: spaprctl device read 0001:01:00.0 config 0 --size 2\n",
	.run = run_read,
};

/* -- write -- */

static enum cli_status run_write(int argc, char **argv)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	const struct model_device *device = NULL;
	struct wanted wanted;
	enum cli_status status;
	struct error error;
	uint64_t most;

	if (!read_line(&device_write_command, write_options, argc, argv, 4, &wanted, &status)) {
		return status;
	}
	most = UINT64_MAX >> (64 - 8 * wanted.size);
	if (!pe_read_number(argv[optind + 3], most, &wanted.value)) {
		return cli_refuse(device_write_command.name,
				  "\"%s\" is no number that fits into %" PRIu32 " bytes",
				  argv[optind + 3], wanted.size);
	}
	status = device_session_open(&session, wanted.device, &device);
	return status ? status
		      : pe_session_judge(&session,
					 write_one(session.client, device, &wanted, &error),
					 &error);
}

const struct cli_command device_write_command = {
	.name = "device write",
	.summary = "write a register of a device that is open",
	.help = "usage: spaprctl device write DEVICE REGION OFFSET VALUE [--size BYTES]\n"
		"\n"
		"Writes one register of a device that is open, at once and without asking. A wrong "
		"one can\n"
		"stop the device, or have it write to memory that is mapped for it.\n"
		"\n"
		"  --size BYTES  1, 2, 4 or 8 (without: 4); OFFSET is a multiple of it\n"
		"  --help        this text\n"
		"\n"
		"Example: spaprctl device write 0001:01:00.0 config 4 0x6 --size 2\n",
	.run = run_write,
};
