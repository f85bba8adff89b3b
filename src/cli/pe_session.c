/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/pe_session.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/remote.h"
#include "cli/text.h"

enum cli_status pe_session_judge(const struct pe_session *session, int code,
				 const struct error *error)
{
	if (code == 0) {
		return CLI_OK;
	}
	(void)fprintf(stderr, "spaprctl: %s\n", error->text);
	return client_is_unreachable(session->client) ? CLI_UNREACHABLE : CLI_FAILED;
}

enum cli_status pe_session_open(struct pe_session *session)
{
	struct error error;

	if (client_new(&session->client, &error)) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return CLI_UNREACHABLE;
	}
	return pe_session_judge(
		session, remote_read_model(session->client, &session->model, &error), &error);
}

void pe_session_done(struct pe_session *session)
{
	session->model = model_free(session->model);
	session->client = client_free(session->client);
}

/* -- the group -- */

static bool is_same_address(const char *name, const char *text)
{
	static const char domain[] = "0000:";

	return strcasecmp(name, text) == 0 || (strncmp(name, domain, strlen(domain)) == 0 &&
					       strcasecmp(name + strlen(domain), text) == 0);
}

static const struct model_group *find_by_device(const struct model *model, const char *text)
{
	for (size_t i = 0; i < model->device_count; i++) {
		if (is_same_address(model->devices[i].name, text)) {
			return model_find_group(model, model->devices[i].group);
		}
	}
	return NULL;
}

static const struct model_group *find_by_number(const struct model *model, uint64_t number)
{
	for (size_t i = 0; i < model->group_count; i++) {
		if (model->groups[i].id == number) {
			return &model->groups[i];
		}
	}
	return NULL;
}

int pe_find(const struct model *model, const char *text, const struct model_group **ret_group,
	    struct error *error)
{
	uint64_t number = 0;
	bool is_number = pe_read_number(text, UINT32_MAX, &number);
	const struct model_group *group =
		is_number ? find_by_number(model, number) : find_by_device(model, text);

	if (!group) {
		(void)error_say(error,
				"there is no %s %.64s; \"spaprctl pe list\" shows what there is",
				is_number ? "group" : "device", text);
		text_disarm(error->text);
		return (int)error->code;
	}
	if (!model_find_pe(model, group->path)) {
		return error_say(error, "group %" PRIu32 " has no PE: its host has no EEH for it",
				 group->id);
	}
	*ret_group = group;
	return 0;
}

enum cli_status pe_session_open_group(struct pe_session *session, const char *text,
				      const struct model_group **ret_group)
{
	enum cli_status status = pe_session_open(session);
	struct error error;

	return status ? status
		      : pe_session_judge(session, pe_find(session->model, text, ret_group, &error),
					 &error);
}

/* -- command lines -- */

enum cli_status pe_handle_option(const struct cli_command *command, int choice, char **argv)
{
	if (choice == ':') {
		return cli_refuse(command->name, "option \"%s\" needs a value", argv[optind - 1]);
	}
	return cli_handle_option(command, choice, argv);
}

bool pe_check_arguments(const struct cli_command *command, int argc, int least, int most)
{
	if (argc - optind >= least && argc - optind <= most) {
		return true;
	}
	(void)cli_refuse(command->name, argc - optind < least ? "an argument is missing"
							      : "there are too many arguments");
	return false;
}

bool pe_read_plain(const struct cli_command *command, int argc, char **argv, int least, int most,
		   enum cli_status *ret_status)
{
	static const struct option table[] = {
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int choice = getopt_long(argc, argv, ":", table, NULL);

	if (choice != -1) {
		*ret_status = pe_handle_option(command, choice, argv);
		return false;
	}
	*ret_status = CLI_USAGE;
	return pe_check_arguments(command, argc, least, most);
}

bool pe_read_number(const char *text, uint64_t most, uint64_t *ret_number)
{
	unsigned long long number;
	char *end = NULL;

	if (!isdigit((unsigned char)*text)) {
		return false;
	}
	errno = 0;
	number = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
	if (errno != 0 || *end != '\0' || number > most) {
		return false;
	}
	*ret_number = number;
	return true;
}
