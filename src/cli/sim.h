/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl sim SUBCOMMAND: all that has to do with simulated hosts. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command sim_command;
