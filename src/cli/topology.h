/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `spaprctl topology`, and what it shows of a model. */
#pragma once

#include <stdio.h>

#include "cli/cli.h"
#include "cli/model.h"
#include "cli/terminal.h"

extern const struct cli_command topology_command;

/* A tree for eyes: PHBs, their groups, their devices; groups that no PHB is known of stand alone.
 * 0 or -errno. */
int topology_show_text(FILE *file, const struct terminal *terminal, const struct model *model);

/*
 * For programs: one JSON object. "phbs" have their "groups", "groups" are those that no PHB is
 * known of; a group has its "devices". Numbers and sizes are numbers, addresses strings "0x…", what
 * is unknown or not there is null.
 */
void topology_show_json(FILE *file, const struct model *model);

/* -- for both -- */

/* Whether the group lies below the PHB: its number is the PHB's domain. */
bool topology_group_is_below(const struct model_group *group, const struct model_phb *phb);

/* Whether it lies below none of the model's PHBs. */
bool topology_group_is_alone(const struct model *model, const struct model_group *group);
