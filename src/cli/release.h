/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl release: let a group out of quarantine. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command release_command;
