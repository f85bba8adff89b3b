/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl window: what has to do with the DMA windows of an address space. */
#pragma once

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/model.h"

extern const struct cli_command window_command;

/*
 * The object path of the address space that a person means: by its number, its path, or its name.
 * The caller frees it. 0 or a code with the error filled; a name that none has, or several.
 */
int window_find_space(struct client *client, const char *text, char **ret_path,
		      struct error *error);

/* -- for window_find_space and its test -- */

/* The space with that name; the path is the model's. */
int window_find_named(const struct model *model, const char *name, const char **ret_path,
		      struct error *error);
