/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl bind and restore: taking the devices of a group from their drivers, and giving them
 * back. */
#pragma once

#include "cli/cli.h"
#include "cli/model.h"

extern const struct cli_command bind_command;
extern const struct cli_command restore_command;

/*
 * The object path of the device that a person means, by its name ("0001:01:00.0"), or of any device
 * of the group with that number. The path is the model's. 0 or a code with the error filled.
 */
int bind_find_device(const struct model *model, const char *text, const char **ret_path,
		     struct error *error);
