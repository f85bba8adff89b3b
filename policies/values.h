/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys of policies: their names, and their values as text. */
#pragma once

#include "policies/policy.h"

/* POLICY_KEY_COUNT for a name that is none. */
enum policy_key policy_key_find(const char *name);

/* What a key's value may be, for messages: "auto, yes or no". Static. */
const char *policy_key_expects(enum policy_key key);

/* Whether the text is a value of the key, which is then put into the window policy. */
bool policy_key_set(struct window_policy *window, enum policy_key key, const char *text);
