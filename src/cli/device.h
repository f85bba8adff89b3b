/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl device: devices, their regions, registers and interrupts. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command device_command;

/* The subcommands; the last is NULL. Their names are "device list", for messages. */
extern const struct cli_command *const device_subcommands[];

extern const struct cli_command device_list_command;
extern const struct cli_command device_show_command;
extern const struct cli_command device_open_command;
extern const struct cli_command device_regions_command;
extern const struct cli_command device_irqs_command;
extern const struct cli_command device_read_command;
extern const struct cli_command device_write_command;
extern const struct cli_command device_reset_command;
