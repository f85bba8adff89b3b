/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys of [recovery]: their names, and their values as text. */
#pragma once

#include "policies/policy.h"

/* POLICY_RECOVERY_KEY_COUNT for a name that is none. */
enum policy_recovery_key recovery_key_find(const char *name);

/* What a key's value may be, and why, for messages. */
struct policy_value recovery_key_expects(enum policy_recovery_key key);

/* Whether the text is a value of the key, which is then put into the values. */
bool recovery_key_set(struct recovery_policy *values, enum policy_recovery_key key,
		      const char *text);

void recovery_key_copy(struct recovery_policy *to, const struct recovery_policy *from,
		       enum policy_recovery_key key);
