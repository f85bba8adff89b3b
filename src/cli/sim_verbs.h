/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs of a running simulated host behind `spaprctl sim`: freeze, unplug, plug, fail, delay,
 * rules, tces, statistics. They speak to spaprd on the bus.
 */
#pragma once

#include "cli/cli.h"

/* All of them; the last is NULL. Their help and refusals say "sim" in front of the name. */
extern const struct cli_command *const sim_verbs[];

/* Run the verb that argv[0] names, with its own arguments. CLI_USAGE for one that isn't there. */
enum cli_status sim_verbs_run(int argc, char **argv);
