/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl sim collect: a capture of this host's PCI side, for spaprd to simulate elsewhere. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command sim_collect_command;

/* argv[0] is "collect". */
enum cli_status sim_collect_run(int argc, char **argv);
