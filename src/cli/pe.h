/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl pe: PEs, what is done to them, and their recoveries. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command pe_command;

/* The subcommands; the last is NULL. Their names are "pe list", for messages. */
extern const struct cli_command *const pe_subcommands[];

extern const struct cli_command pe_list_command;
extern const struct cli_command pe_watch_command;
extern const struct cli_command pe_recover_command;
extern const struct cli_command pe_check_command;
extern const struct cli_command pe_freeze_command;
extern const struct cli_command pe_inject_command;
extern const struct cli_command pe_reset_command;
extern const struct cli_command pe_enable_command;
extern const struct cli_command pe_disable_command;
extern const struct cli_command pe_unfreeze_io_command;
extern const struct cli_command pe_unfreeze_dma_command;
extern const struct cli_command pe_configure_command;
extern const struct cli_command pe_log_command;
