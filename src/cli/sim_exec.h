/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl sim exec: run a program against a simulated host. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command sim_exec_command;

/* argv[0] is "exec". Returns what the program returned, or ends as it ended. */
enum cli_status sim_exec_run(int argc, char **argv);
