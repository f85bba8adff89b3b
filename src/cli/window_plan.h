/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl window plan: which window an address space can have, and why. */
#pragma once

#include "cli/cli.h"

/* "window plan": argv[0] is "plan". */
extern const struct cli_command window_plan_command;
