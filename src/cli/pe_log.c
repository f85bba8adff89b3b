/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl pe list, and spaprctl pe log: what there is, and what was. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli/pe.h"
#include "cli/pe_session.h"
#include "cli/pe_show.h"
#include "common/cleanup.h"

/* -- list -- */

static enum cli_status show_list(bool json)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	struct terminal terminal = terminal_detect(stdout);
	enum cli_status status = pe_session_open(&session);
	int r;

	if (status != CLI_OK) {
		return status;
	}
	if (json) {
		pe_show_list_json(stdout, session.model);
		return CLI_OK;
	}
	r = pe_show_list(stdout, &terminal, session.model);
	if (r < 0) {
		(void)fprintf(stderr, "spaprctl: can't make the table (%s)\n", errno_name(-r));
		return CLI_FAILED;
	}
	return CLI_OK;
}

static enum cli_status run_list(int argc, char **argv)
{
	static const struct option table[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool json = false;
	int choice;

	while ((choice = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (choice != 'j') {
			return pe_handle_option(&pe_list_command, choice, argv);
		}
		json = true;
	}
	return pe_check_arguments(&pe_list_command, argc, 0, 0) ? show_list(json) : CLI_USAGE;
}

const struct cli_command pe_list_command = {
	.name = "pe list",
	.summary = "show all PEs, their states and their recoveries",
	.help = "usage: spaprctl pe list [--json]\n"
		"\n"
		"Shows each group that has a PE. LOCATION is the host's code of the slot, LEFT "
		"how\n"
		"many more freezes the policy allows.\n"
		"\n"
		"  --json  an array, for programs; null is unknown or not there\n"
		"\n"
		"Example: spaprctl pe list --json | jq '.[] | select(.state != \"normal\")'\n",
	.run = run_list,
};

/* -- log -- */

struct log_request {
	uint32_t event; /* 0: all */
	bool json;
	bool registers;
};

static int read_group(const struct pe_session *session, const char *path,
		      const struct log_request *request, struct pe_events *events,
		      struct error *error)
{
	size_t before = events->count;
	int r = pe_events_read(session->client, path, request->event, request->event ? 1 : 0,
			       events, error);

	/* What comes is that number or the next one above. */
	if (r == 0 && request->event && events->count > before &&
	    events->items[before].number != request->event) {
		pe_events_drop_last(events);
	}
	return r;
}

static int read_groups(const struct pe_session *session, int count, char **groups,
		       const struct log_request *request, struct pe_events *events,
		       struct error *error)
{
	const struct model *model = session->model;
	const struct model_group *group = NULL;
	int r = 0;

	for (int i = 0; i < count && r == 0; i++) {
		r = pe_find(model, groups[i], &group, error);
		r = r ? r : read_group(session, group->path, request, events, error);
	}
	for (size_t i = 0; count == 0 && i < model->pe_count && r == 0; i++) {
		r = read_group(session, model->pes[i].path, request, events, error);
	}
	return r;
}

static enum cli_status show_log(int count, char **groups, const struct log_request *request)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	cleanup(pe_events_done) struct pe_events events = PE_EVENTS_NONE;
	struct terminal terminal = terminal_detect(stdout);
	enum cli_status status = pe_session_open(&session);
	struct error error;

	if (status == CLI_OK) {
		status = pe_session_judge(
			&session, read_groups(&session, count, groups, request, &events, &error),
			&error);
	}
	if (status != CLI_OK) {
		return status;
	}
	if (request->event && events.count == 0) {
		(void)fprintf(stderr, "spaprctl: there is no event %" PRIu32 " in the record\n",
			      request->event);
		return CLI_FAILED;
	}
	pe_events_sort(&events);
	if (request->json) {
		pe_show_events_json(stdout, &events);
	} else {
		pe_show_events(stdout, &terminal, &events, request->registers);
	}
	return CLI_OK;
}

static enum cli_status run_log(int argc, char **argv)
{
	static const struct option table[] = {
		{"event", required_argument, NULL, 'e'},
		{"json", no_argument, NULL, 'j'},
		{"registers", no_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct log_request request = {.event = 0};
	uint64_t number = 0;
	int choice;

	while ((choice = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (choice == 'j') {
			request.json = true;
		} else if (choice == 'r') {
			request.registers = true;
		} else if (choice != 'e') {
			return pe_handle_option(&pe_log_command, choice, argv);
		} else if (!pe_read_number(optarg, UINT32_MAX, &number) || number == 0) {
			return cli_refuse(pe_log_command.name, "\"%s\" is no number of an event",
					  optarg);
		}
	}
	request.event = (uint32_t)number;
	return show_log(argc - optind, argv + optind, &request);
}

const struct cli_command pe_log_command = {
	.name = "pe log",
	.summary = "tell what happened to PEs",
	.help = "usage: spaprctl pe log [GROUP...] [--event N] [--registers] [--json]\n"
		"\n"
		"Tells the events of these groups, or of all: how each was noticed, its steps "
		"with\n"
		"the time since it began and the time that they took, votes, and the outcome.\n"
		"\n"
		"  --event      only that one\n"
		"  --registers  also the devices' registers before the reset, as dumps\n"
		"  --json       an array with all of it, for programs; times with _us are in\n"
		"               microseconds, registers are hexadecimal digits\n"
		"\n"
		"Example: spaprctl pe log 2 --registers\n",
	.run = run_log,
};
