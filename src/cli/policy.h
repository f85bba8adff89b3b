/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl policy: what the policy files come to. */
#pragma once

#include <stdio.h>

#include "cli/cli.h"
#include "cli/terminal.h"
#include "policies/policy.h"

extern const struct cli_command policy_command;

/* Each key with its value and where that is from, in tables. 0 or -ENOMEM. */
int policy_show_text(FILE *file, const struct terminal *terminal, const struct policy *policy);

/* The same, and the files that were read, as one JSON object. */
void policy_show_json(FILE *file, const struct policy *policy);
