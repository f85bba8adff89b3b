/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys of [access]: their names, and their values as text. */
#pragma once

#include "policies/policy.h"

/* POLICY_ACCESS_KEY_COUNT for a name that is none. */
enum policy_access_key access_key_find(const char *name);

/* What a key's value may be, for messages: "no or yes". Static. */
const char *access_key_expects(enum policy_access_key key);

/* Whether the text is a value of the key, which is then put into the access policy. */
bool access_key_set(struct access_policy *access, enum policy_access_key key, const char *text);
