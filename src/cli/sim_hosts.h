/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl sim hosts: the simulated hosts that are built in. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command sim_hosts_command;
