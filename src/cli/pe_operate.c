/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The subcommands that are one call: operations, hints, freezes by the simulated host. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/pe.h"
#include "cli/pe_session.h"
#include "cli/sim_remote.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/names.h"

static DBusMessage *prepare(const struct model_group *group, const char *method)
{
	return client_prepare(group->path, BUS_INTERFACE_PE, method);
}

/* -- operations -- */

struct last_operation {
	const char *name;
	dbus_uint32_t milliseconds; /* in the kernel */
};

static bool read_last_operation(DBusMessage *reply, struct last_operation *ret_operation)
{
	DBusMessageIter iter;
	DBusMessageIter value;
	DBusMessageIter fields;
	char *signature;
	bool right;

	(void)dbus_message_iter_init(reply, &iter);
	dbus_message_iter_recurse(&iter, &value);
	signature = dbus_message_iter_get_signature(&value);
	right = signature && strcmp(signature, "(sus)") == 0;
	dbus_free(signature);
	if (right) {
		dbus_message_iter_recurse(&value, &fields);
		property_read_next(&fields, &ret_operation->name);
		property_read_next(&fields, &ret_operation->milliseconds);
	}
	return right;
}

/* What was done, and how long it took. */
static int tell_last_operation(struct client *client, const struct model_group *group,
			       struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(group->path, DBUS_INTERFACE_PROPERTIES, "Get");
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	const char *interface = BUS_INTERFACE_PE;
	const char *property = "LastOperation";
	struct last_operation last = {.name = NULL};
	int r;

	call = client_message_if(call && dbus_message_append_args(call, DBUS_TYPE_STRING,
								  &interface, DBUS_TYPE_STRING,
								  &property, DBUS_TYPE_INVALID),
				 call);
	r = client_call(client, call, "v", &reply, error);
	if (r) {
		return r;
	}
	if (!read_last_operation(reply, &last)) {
		return error_say(error, PROPERTIES_MALFORMED "LastOperation is not of type (sus)");
	}
	text_print(stdout, last.name);
	(void)printf(": %" PRIu32 " ms\n", last.milliseconds);
	return 0;
}

static enum cli_status operate(const char *text, const char *method, const char *argument)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	cleanup(cleanup_message) DBusMessage *call = NULL;
	const struct model_group *group = NULL;
	enum cli_status status = pe_session_open_group(&session, text, &group);
	struct error error;
	int r;

	if (status) {
		return status;
	}
	call = prepare(group, method);
	call = client_message_if(
		call && (!argument || dbus_message_append_args(call, DBUS_TYPE_STRING, &argument,
							       DBUS_TYPE_INVALID)),
		call);
	r = client_call_void(session.client, call, &error);
	r = r ? r : tell_last_operation(session.client, group, &error);
	return pe_session_judge(&session, r, &error);
}

static enum cli_status run_plain(const struct cli_command *command, const char *method, int argc,
				 char **argv)
{
	enum cli_status status;

	return pe_read_plain(command, argc, argv, 1, 1, &status)
		       ? operate(argv[optind], method, NULL)
		       : status;
}

static enum cli_status run_enable(int argc, char **argv)
{
	return run_plain(&pe_enable_command, "Enable", argc, argv);
}

static enum cli_status run_disable(int argc, char **argv)
{
	return run_plain(&pe_disable_command, "Disable", argc, argv);
}

static enum cli_status run_unfreeze_io(int argc, char **argv)
{
	return run_plain(&pe_unfreeze_io_command, "UnfreezeIo", argc, argv);
}

static enum cli_status run_unfreeze_dma(int argc, char **argv)
{
	return run_plain(&pe_unfreeze_dma_command, "UnfreezeDma", argc, argv);
}

static enum cli_status run_configure(int argc, char **argv)
{
	return run_plain(&pe_configure_command, "Configure", argc, argv);
}

static enum cli_status run_reset(int argc, char **argv)
{
	static const char *const kinds[] = {"hot", "fundamental", "deactivate"};
	enum cli_status status;

	if (!pe_read_plain(&pe_reset_command, argc, argv, 2, 2, &status)) {
		return status;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(argv[optind + 1], kinds[i]) == 0) {
			return operate(argv[optind], "Reset", kinds[i]);
		}
	}
	return cli_refuse(pe_reset_command.name, "\"%s\" is none of hot, fundamental, deactivate",
			  argv[optind + 1]);
}

const struct cli_command pe_enable_command = {
	.name = "pe enable",
	.summary = "switch EEH on for a PE",
	.help = "usage: spaprctl pe enable GROUP\n"
		"\n"
		"Switches EEH on for a PE. That clears a freeze, with nobody asked.\n"
		"\n"
		"Example: spaprctl pe enable 2\n",
	.run = run_enable,
};

const struct cli_command pe_disable_command = {
	.name = "pe disable",
	.summary = "switch EEH off for a PE",
	.help = "usage: spaprctl pe disable GROUP\n"
		"\n"
		"Switches EEH off for a PE: errors don't freeze it any more.\n"
		"\n"
		"Example: spaprctl pe disable 2\n",
	.run = run_disable,
};

const struct cli_command pe_unfreeze_io_command = {
	.name = "pe unfreeze-io",
	.summary = "thaw the MMIO of a PE",
	.help = "usage: spaprctl pe unfreeze-io GROUP\n"
		"\n"
		"Thaws the registers of a PE's devices, and leaves their DMA stopped.\n"
		"\n"
		"Example: spaprctl pe unfreeze-io 0001:01:00.0\n",
	.run = run_unfreeze_io,
};

const struct cli_command pe_unfreeze_dma_command = {
	.name = "pe unfreeze-dma",
	.summary = "thaw the DMA of a PE",
	.help = "usage: spaprctl pe unfreeze-dma GROUP\n"
		"\n"
		"Thaws the DMA of a PE's devices, which go on with it at once.\n"
		"\n"
		"Example: spaprctl pe unfreeze-dma 0001:01:00.0\n",
	.run = run_unfreeze_dma,
};

const struct cli_command pe_configure_command = {
	.name = "pe configure",
	.summary = "set a PE's bridges and devices up after a reset",
	.help = "usage: spaprctl pe configure GROUP\n"
		"\n"
		"Sets a PE's bridges and devices up again after a reset, as the host had them.\n"
		"\n"
		"Example: spaprctl pe configure 2\n",
	.run = run_configure,
};

const struct cli_command pe_reset_command = {
	.name = "pe reset",
	.summary = "assert a reset of a PE, or end it",
	.help = "usage: spaprctl pe reset GROUP hot|fundamental|deactivate\n"
		"\n"
		"Asserts a reset of a PE; deactivate ends it. What it takes of config space is "
		"not put\n"
		"back: \"pe recover\" does all of it.\n"
		"\n"
		"Example: spaprctl pe reset 2 hot && spaprctl pe reset 2 deactivate\n",
	.run = run_reset,
};

/* -- check -- */

static enum cli_status run_check(int argc, char **argv)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	cleanup(cleanup_message) DBusMessage *call = NULL;
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	const struct model_group *group = NULL;
	const char *state = NULL;
	enum cli_status status;
	struct error error;

	if (!pe_read_plain(&pe_check_command, argc, argv, 1, 1, &status)) {
		return status;
	}
	status = pe_session_open_group(&session, argv[optind], &group);
	if (status) {
		return status;
	}
	call = prepare(group, "Check");
	status = pe_session_judge(&session, client_call(session.client, call, "s", &reply, &error),
				  &error);
	if (status == CLI_OK) {
		(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &state,
					    DBUS_TYPE_INVALID);
		text_print(stdout, state);
		(void)fputc('\n', stdout);
	}
	return status;
}

const struct cli_command pe_check_command = {
	.name = "pe check",
	.summary = "look at the state of a PE now",
	.help = "usage: spaprctl pe check GROUP\n"
		"\n"
		"Has spaprd look at a PE at once, and prints its state: normal, reset, stopped,\n"
		"stopped-dma, unavailable or unknown. A freeze that it finds is taken up like any "
		"other.\n"
		"\n"
		"Example: spaprctl pe check 0001:01:00.0\n",
	.run = run_check,
};

/* -- freeze -- */

static bool is_freeze(const char *what)
{
	static const char *const words[] = {"io", "dma", "both", "permanent"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(what, words[i]) == 0) {
			return true;
		}
	}
	return false;
}

static enum cli_status run_freeze(int argc, char **argv)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	const struct model_group *group = NULL;
	enum cli_status status;
	struct error error;
	const char *what;

	if (!pe_read_plain(&pe_freeze_command, argc, argv, 1, 2, &status)) {
		return status;
	}
	what = optind + 1 < argc ? argv[optind + 1] : "both";
	if (!is_freeze(what)) {
		return cli_refuse(pe_freeze_command.name,
				  "\"%s\" is none of io, dma, both, permanent", what);
	}
	status = pe_session_open_group(&session, argv[optind], &group);
	if (status) {
		return status;
	}
	if (!session.model->host.simulated) {
		(void)fprintf(stderr,
			      "spaprctl: the host is a real one, and software does not freeze its "
			      "hardware; \"spaprctl pe inject\" has it make an error, where the "
			      "firmware and the policy allow that\n");
		return CLI_FAILED;
	}
	return pe_session_judge(&session,
				sim_remote_freeze(session.client, group->id, what, &error), &error);
}

const struct cli_command pe_freeze_command = {
	.name = "pe freeze",
	.summary = "have a simulated host stop a PE",
	.help = "usage: spaprctl pe freeze GROUP [io|dma|both|permanent]\n"
		"\n"
		"Has a simulated host stop the MMIO, the DMA, or both (without a word: both) of a "
		"PE;\n"
		"permanent is both, for good. A real host's hardware is not frozen by software: "
		"see\n"
		"\"spaprctl pe inject --help\".\n"
		"\n"
		"Example: spaprctl pe freeze 2 dma\n",
	.run = run_freeze,
};
