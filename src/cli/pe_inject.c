/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl pe inject */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/pe.h"
#include "cli/pe_session.h"
#include "common/cleanup.h"
#include "common/names.h"

/* EEH_ERR_TYPE_* and EEH_ERR_FUNC_* (arch/powerpc/include/uapi/asm/eeh.h), by their numbers. */
static const char *const types[] = {"32", "64"};
static const char *const functions[] = {
	"ld-mem-addr",   "ld-mem-data", "ld-io-addr",  "ld-io-data",    "ld-cfg-addr",
	"ld-cfg-data",   "st-mem-addr", "st-mem-data", "st-io-addr",    "st-io-data",
	"st-cfg-addr",   "st-cfg-data", "dma-rd-addr", "dma-rd-data",   "dma-rd-master",
	"dma-rd-target", "dma-wr-addr", "dma-wr-data", "dma-wr-master", "dma-wr-target",
};

#define COUNT(names) (sizeof(names) / sizeof(*(names)))

struct request {
	const char *group; /* NULL: there is nothing to do */
	uint32_t type;
	uint32_t function;
	uint64_t address;
	uint64_t mask;
	bool meant;
	unsigned int given; /* a bit for each option, by its place in the alphabet */
};

static unsigned int bit_of(int choice)
{
	return 1U << (unsigned int)(choice - 'a');
}

static bool find_name(const char *const *names, size_t count, const char *text,
		      uint32_t *ret_number)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], text) == 0) {
			*ret_number = (uint32_t)i;
			return true;
		}
	}
	return false;
}

static enum cli_status read_option(struct request *request, int choice, char **argv)
{
	const char *name;
	bool right;

	switch (choice) {
	case 't':
		name = "type";
		right = find_name(types, COUNT(types), optarg, &request->type);
		break;
	case 'f':
		name = "function";
		right = find_name(functions, COUNT(functions), optarg, &request->function);
		break;
	case 'a':
		name = "address";
		right = pe_read_number(optarg, UINT64_MAX, &request->address);
		break;
	case 'm':
		name = "mask";
		right = pe_read_number(optarg, UINT64_MAX, &request->mask);
		break;
	case 'y':
		request->meant = true;
		return CLI_OK;
	default:
		return pe_handle_option(&pe_inject_command, choice, argv);
	}
	request->given |= bit_of(choice);
	return right ? CLI_OK
		     : cli_refuse(pe_inject_command.name, "\"%s\" is no value for --%s", optarg,
				  name);
}

static enum cli_status read_request(int argc, char **argv, struct request *request)
{
	static const struct option table[] = {
		{"type", required_argument, NULL, 't'},
		{"function", required_argument, NULL, 'f'},
		{"address", required_argument, NULL, 'a'},
		{"mask", required_argument, NULL, 'm'},
		{"yes-i-mean-it", no_argument, NULL, 'y'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const unsigned int all = bit_of('t') | bit_of('f') | bit_of('a') | bit_of('m');
	int choice;

	while ((choice = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		enum cli_status status = read_option(request, choice, argv);

		if (status != CLI_OK || choice == 'h') {
			return status;
		}
	}
	if (!pe_check_arguments(&pe_inject_command, argc, 1, 1)) {
		return CLI_USAGE;
	}
	if (request->given != all) {
		return cli_refuse(pe_inject_command.name,
				  "it needs --type, --function, --address and --mask");
	}
	request->group = argv[optind];
	return CLI_OK;
}

/* Ask, where there is somebody to ask. */
static enum cli_status confirm(const struct request *request, const struct model_group *group)
{
	char line[16] = "";

	if (request->meant) {
		return CLI_OK;
	}
	if (!isatty(STDIN_FILENO)) {
		return cli_refuse(pe_inject_command.name,
				  "it makes hardware fail: without a terminal it needs "
				  "--yes-i-mean-it");
	}
	(void)fprintf(stderr,
		      "This has hardware make an error in group %" PRIu32
		      ", which hits whoever uses it. Go on? [yes/no] ",
		      group->id);
	if (!fgets(line, sizeof(line), stdin) || strcmp(line, "yes\n") != 0) {
		(void)fprintf(stderr, "spaprctl: nothing was done\n");
		return CLI_FAILED;
	}
	return CLI_OK;
}

static int inject(struct client *client, const struct model_group *group,
		  const struct request *request, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(group->path, BUS_INTERFACE_PE, "Inject");

	call = client_message_if(
		call && dbus_message_append_args(
				call, DBUS_TYPE_UINT32, &request->type, DBUS_TYPE_UINT32,
				&request->function, DBUS_TYPE_UINT64, &request->address,
				DBUS_TYPE_UINT64, &request->mask, DBUS_TYPE_INVALID),
		call);
	return client_call_void(client, call, error);
}

static enum cli_status run(int argc, char **argv)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	struct request request = {.group = NULL};
	const struct model_group *group = NULL;
	enum cli_status status = read_request(argc, argv, &request);
	struct error error;

	if (!request.group) {
		return status;
	}
	status = pe_session_open_group(&session, request.group, &group);
	if (status == CLI_OK) {
		status = confirm(&request, group);
	}
	return status ? status
		      : pe_session_judge(&session, inject(session.client, group, &request, &error),
					 &error);
}

const struct cli_command pe_inject_command = {
	.name = "pe inject",
	.summary = "have hardware make an error",
	.help = "usage: spaprctl pe inject GROUP --type 32|64 --function NAME --address ADDRESS\n"
		"                          --mask MASK [--yes-i-mean-it]\n"
		"\n"
		"Has hardware make an error, to see what becomes of it, where the firmware and "
		"the\n"
		"policy allow that. It is for root and the user that spaprd runs as.\n"
		"\n"
		"  --type           the width of the address\n"
		"  --function       the access that fails: ld- or st- (load, store), mem-, io- or\n"
		"                   cfg-, addr or data: ld-mem-addr; or dma-rd- or dma-wr-, and\n"
		"                   addr, data, master or target: dma-wr-data\n"
		"  --address        on the bus\n"
		"  --mask           which bits of it count\n"
		"  --yes-i-mean-it  don't ask; without a terminal it has to be there\n"
		"\n"
		"Example: spaprctl pe inject 2 --type 64 --function dma-wr-addr --address 0 --mask "
		"0\n",
	.run = run,
};
