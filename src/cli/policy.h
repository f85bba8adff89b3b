/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl policy: what the policy files come to. */
#pragma once

#include <stdio.h>

#include "cli/cli.h"
#include "cli/terminal.h"
#include "policies/policy.h"

/* More devices of one PE are refused. */
#define POLICY_CHECK_DEVICES_MAX 32U

extern const struct cli_command policy_command;

/* A PE that may not be there, to ask what would apply to it. */
struct policy_pe {
	uint32_t phb;
	uint32_t pe_number;
	struct policy_device devices[POLICY_CHECK_DEVICES_MAX];
	size_t device_count;
};

/* Read "0001:fd" or "0001:fd,8086:10d3,14e4:1657". Whether it is one; else *ret_pe is as before. */
bool policy_pe_parse(const char *text, struct policy_pe *ret_pe);

/* Each key of each section with its value and where that is from, in tables. 0 or -ENOMEM. */
int policy_show_text(FILE *file, const struct terminal *terminal, const struct policy *policy);

/* The same, and the files that were read, as one JSON object. */
void policy_show_json(FILE *file, const struct policy *policy);

/* Only the section [recovery ...] that applies to a PE, and under which name. */
int policy_show_pe_text(FILE *file, const struct terminal *terminal, const struct policy *policy,
			const struct policy_pe *pe);
void policy_show_pe_json(FILE *file, const struct policy *policy, const struct policy_pe *pe);
