/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl window dtb: the windows of an address space as a guest's device tree says them. */
#pragma once

#include "cli/cli.h"

/* "window dtb": argv[0] is "dtb". */
extern const struct cli_command window_dtb_command;
