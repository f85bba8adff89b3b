/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "policies/policy.h"

static struct policy *new_policy(void)
{
	struct policy *policy = NULL;

	must(policy_new(&policy) == 0);
	return policy;
}

/* What is shown of a policy makes the same one. */
static void check(const struct policy *policy)
{
	struct policy *again = new_policy();
	struct error error;
	char text[4096];
	size_t used = (size_t)snprintf(text, sizeof(text), "[window]\n");

	for (unsigned int key = 0; key < POLICY_KEY_COUNT; key++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s = %s\n",
					 policy_key_name((enum policy_key)key),
					 policy_format(policy, (enum policy_key)key).text);
		must(used < sizeof(text));
		must(policy->origins[key].line == 0 || policy->origins[key].file);
	}
	must(policy_parse(again, "again", text, used, &error) == 0);
	for (unsigned int key = 0; key < POLICY_KEY_COUNT; key++) {
		must(strcmp(policy_format(again, (enum policy_key)key).text,
			    policy_format(policy, (enum policy_key)key).text) == 0);
	}
	(void)policy_free(again);
}

int fuzz_policy(const uint8_t *data, size_t size, struct error *error)
{
	/* Exactly so large, that a read behind it is found. */
	void *text = malloc(size > 0 ? size : 1);
	struct policy *policy = new_policy();
	int r;

	must(text);
	memcpy(text, data, size);
	r = policy_parse(policy, "fuzz", text, size, error);
	if (r == 0) {
		check(policy);
	} else {
		must(error->text[0] != '\0' && error->code == (enum error_code)r);
	}
	(void)policy_free(policy);
	free(text);
	return r;
}
