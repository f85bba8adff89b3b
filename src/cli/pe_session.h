/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the subcommands of `spaprctl pe` begin with: spaprd, what it shows, and the PE meant. */
#pragma once

#include <stdint.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/model.h"

struct pe_session {
	struct client *client;
	struct model *model;
};

#define PE_SESSION_NONE ((struct pe_session){.client = NULL})

/* Connect and read what spaprd shows; a failure is told on stderr. */
enum cli_status pe_session_open(struct pe_session *session);

void pe_session_done(struct pe_session *session);

/* The status of a call by its code; a failure is told on stderr. */
enum cli_status pe_session_judge(const struct pe_session *session, int code,
				 const struct error *error);

/*
 * Find the group that has a PE, by its number or by the PCI address of a device in it (that of
 * domain 0 without the domain). The error says what is not there.
 */
int pe_find(const struct model *model, const char *text, const struct model_group **ret_group,
	    struct error *error);

/* Open a session and find the group. */
enum cli_status pe_session_open_group(struct pe_session *session, const char *text,
				      const struct model_group **ret_group);

/* -- command lines -- */

/* getopt_long's answer that a subcommand doesn't handle itself: the help, or a refusal. */
enum cli_status pe_handle_option(const struct cli_command *command, int choice, char **argv);

/* Whether the number of arguments behind the options is right; else it is refused. */
bool pe_check_arguments(const struct cli_command *command, int argc, int least, int most);

/* For those whose only option is --help. Whether there is more to do; else *ret_status. */
bool pe_read_plain(const struct cli_command *command, int argc, char **argv, int least, int most,
		   enum cli_status *ret_status);

/* Read a number, decimal or 0x…, up to `most`. Whether it is one. */
bool pe_read_number(const char *text, uint64_t most, uint64_t *ret_number);
