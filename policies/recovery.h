/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sections [recovery NAME] of a policy: how they are made, and whether they go together. */
#pragma once

#include "policies/policy.h"

/* What may stand behind "recovery", for messages. */
#define RECOVERY_SECTION_EXPECTS                                                               \
	"nothing, the name of a set (lower-case letters, digits and dashes, a letter first), " \
	"VVVV:DDDD or pe PHB:PE (numbers in lower-case hexadecimal)"

/* Whether the text is the name of a set. */
bool recovery_is_set_name(const char *text);

/* Read what stands behind "recovery" in a section's brackets. Whether it may: then the section's
 * name as it is always written, and whether it is a set. */
bool recovery_parse_name(const char *text, char ret_name[static POLICY_SET_NAME_MAX + 1],
			 bool *ret_is_set);

/* The section of that name, which is made if need be. -ENOMEM; -E2BIG: there are
 * POLICY_RECOVERIES_MAX. */
int recovery_section_get(struct policy *policy, const char *name, bool is_set, size_t *ret_index);
