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

static void write_window(FILE *file, const struct policy *policy)
{
	(void)fprintf(file, "[window]\n");
	for (unsigned int i = 0; i < POLICY_KEY_COUNT; i++) {
		enum policy_key key = (enum policy_key)i;

		(void)fprintf(file, "%s = %s\n", policy_key_name(key),
			      policy_format(policy, key).text);
		must(policy->origins[key].line == 0 || policy->origins[key].file);
	}
}

static void write_access(FILE *file, const struct policy *policy)
{
	(void)fprintf(file, "[" POLICY_ACCESS_SECTION "]\n");
	for (unsigned int i = 0; i < POLICY_ACCESS_KEY_COUNT; i++) {
		enum policy_access_key key = (enum policy_access_key)i;

		(void)fprintf(file, "%s = %s\n", policy_access_key_name(key),
			      policy_access_format(&policy->access, key).text);
		must(policy->access_origins[key].line == 0 || policy->access_origins[key].file);
	}
	must(policy->access.bind_driver_count > 0 && policy->access.release_timeout >= 1000);
}

static void check_access(const struct policy *policy, const struct policy *again)
{
	for (unsigned int i = 0; i < POLICY_ACCESS_KEY_COUNT; i++) {
		enum policy_access_key key = (enum policy_access_key)i;

		must(strcmp(policy_access_format(&again->access, key).text,
			    policy_access_format(&policy->access, key).text) == 0);
	}
}

/* What the section itself says. */
static void write_recovery(FILE *file, const struct policy_recovery *recovery)
{
	(void)fprintf(file, "[recovery %s]\n", recovery->name);
	if (recovery->use[0]) {
		must(recovery->use_origin.file && recovery->use_origin.line > 0);
		(void)fprintf(file, "use = %s\n", recovery->use);
	}
	for (unsigned int i = 0; i < POLICY_RECOVERY_KEY_COUNT; i++) {
		enum policy_recovery_key key = (enum policy_recovery_key)i;

		if (recovery->origins[key].file) {
			(void)fprintf(file, "%s = %s\n", policy_recovery_key_name(key),
				      policy_recovery_format(&recovery->values, key).text);
		}
	}
}

/* What applies in the end is the same, and legal. */
static void check_recovery(const struct policy *policy, const struct policy *again, size_t index)
{
	struct policy_resolved resolved;
	struct policy_resolved other;

	policy_resolve(policy, &policy->recoveries[index], &resolved);
	policy_resolve(again, &again->recoveries[index], &other);
	must(strcmp(resolved.values.name, other.values.name) == 0);
	for (unsigned int i = 0; i < POLICY_RECOVERY_KEY_COUNT; i++) {
		enum policy_recovery_key key = (enum policy_recovery_key)i;

		must(strcmp(policy_recovery_format(&resolved.values, key).text,
			    policy_recovery_format(&other.values, key).text) == 0);
	}
	must(resolved.values.hold >= 100 && resolved.values.settle >= 1500 &&
	     resolved.values.idle_poll >= 10 && resolved.values.fast_poll >= 10 &&
	     resolved.values.reset_tries >= 1 && resolved.values.freeze_window_seconds >= 1);
}

/* What is shown of a policy makes the same one. */
static void check(const struct policy *policy)
{
	struct policy *again = new_policy();
	struct error error;
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	must(file);
	write_window(file, policy);
	write_access(file, policy);
	for (size_t i = 0; i < policy->recovery_count; i++) {
		write_recovery(file, &policy->recoveries[i]);
	}
	must(fclose(file) == 0);
	must(policy_parse(again, "again", text, size, &error) == 0);
	for (unsigned int key = 0; key < POLICY_KEY_COUNT; key++) {
		must(strcmp(policy_format(again, (enum policy_key)key).text,
			    policy_format(policy, (enum policy_key)key).text) == 0);
	}
	check_access(policy, again);
	must(again->recovery_count == policy->recovery_count);
	must(policy_check(policy, &error) == policy_check(again, &error));
	for (size_t i = 0; i < policy->recovery_count; i++) {
		check_recovery(policy, again, i);
	}
	(void)policy_free(again);
	free(text);
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
