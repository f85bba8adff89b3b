/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policies/recovery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policies/recovery_values.h"

#define NAME_SIZE (POLICY_SET_NAME_MAX + 1)

/* -- names -- */

bool recovery_is_set_name(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

	/* Who writes "8086" or "pe" has left something out. */
	return length > 0 && length <= POLICY_SET_NAME_MAX && text[length] == '\0' &&
	       text[0] >= 'a' && text[0] <= 'z' && strcmp(text, "pe") != 0;
}

/* Some hexadecimal digits, at most 8. How many there were; 0: there are none, or more. */
static size_t parse_hex(const char *text, uint32_t *ret_number)
{
	size_t length = strspn(text, "0123456789abcdef");
	uint32_t number = 0;

	if (length == 0 || length > 8) {
		return 0;
	}
	for (size_t i = 0; i < length; i++) {
		unsigned int digit = text[i] <= '9' ? (unsigned int)(text[i] - '0')
						    : (unsigned int)(text[i] - 'a' + 10);

		number = number << 4 | digit;
	}
	*ret_number = number;
	return length;
}

bool policy_parse_device(const char *text, struct policy_device *ret_device)
{
	uint32_t vendor = 0;
	uint32_t device = 0;

	if (parse_hex(text, &vendor) != 4 || text[4] != ':' || parse_hex(text + 5, &device) != 4 ||
	    text[9] != '\0') {
		return false;
	}
	*ret_device = (struct policy_device){(uint16_t)vendor, (uint16_t)device};
	return true;
}

bool policy_parse_pe(const char *text, uint32_t *ret_phb, uint32_t *ret_pe_number)
{
	uint32_t phb = 0;
	uint32_t pe_number = 0;
	size_t length = parse_hex(text, &phb);
	size_t rest;

	if (length == 0 || text[length] != ':') {
		return false;
	}
	text += length + 1;
	rest = parse_hex(text, &pe_number);
	/* That number stands for one that is not known. */
	if (rest == 0 || text[rest] != '\0' || phb == UINT32_MAX || pe_number == UINT32_MAX) {
		return false;
	}
	*ret_phb = phb;
	*ret_pe_number = pe_number;
	return true;
}

static void print_device(const struct policy_device *device, char ret_name[static NAME_SIZE])
{
	(void)snprintf(ret_name, NAME_SIZE, "%04x:%04x", device->vendor, device->device);
}

static void print_pe(uint32_t phb, uint32_t pe_number, char ret_name[static NAME_SIZE])
{
	(void)snprintf(ret_name, NAME_SIZE, "pe %04" PRIx32 ":%02" PRIx32, phb, pe_number);
}

bool recovery_parse_name(const char *text, char ret_name[static NAME_SIZE], bool *ret_is_set)
{
	struct policy_device device;
	uint32_t phb = 0;
	uint32_t pe_number = 0;
	bool is_set = text[0] == '\0' || recovery_is_set_name(text);

	if (is_set) {
		(void)snprintf(ret_name, NAME_SIZE, "%s", text[0] ? text : POLICY_DEFAULT_SET);
	} else if (policy_parse_device(text, &device)) {
		print_device(&device, ret_name);
	} else if (strncmp(text, "pe", 2) == 0 && strspn(text + 2, " \t") > 0 &&
		   policy_parse_pe(text + 2 + strspn(text + 2, " \t"), &phb, &pe_number)) {
		print_pe(phb, pe_number, ret_name);
	} else {
		return false;
	}
	*ret_is_set = is_set;
	return true;
}

/* -- sections -- */

static const struct policy_recovery *find(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->recovery_count; i++) {
		if (strcmp(policy->recoveries[i].name, name) == 0) {
			return &policy->recoveries[i];
		}
	}
	return NULL;
}

int recovery_section_get(struct policy *policy, const char *name, bool is_set, size_t *ret_index)
{
	const struct policy_recovery *found = find(policy, name);
	struct policy_recovery *recoveries;

	if (found) {
		*ret_index = (size_t)(found - policy->recoveries);
		return 0;
	}
	if (policy->recovery_count == POLICY_RECOVERIES_MAX) {
		return -E2BIG;
	}
	recoveries = reallocarray(policy->recoveries, policy->recovery_count + 1,
				  sizeof(*policy->recoveries));
	if (!recoveries) {
		return -ENOMEM;
	}
	policy->recoveries = recoveries;
	recoveries[policy->recovery_count] = (struct policy_recovery){.is_set = is_set};
	(void)snprintf(recoveries[policy->recovery_count].name, NAME_SIZE, "%s", name);
	*ret_index = policy->recovery_count++;
	return 0;
}

/* What a section is based on; NULL: on the built-in defaults. */
static const struct policy_recovery *base_of(const struct policy *policy,
					     const struct policy_recovery *recovery)
{
	if (recovery->use[0]) {
		return find(policy, recovery->use);
	}
	return recovery->is_set ? NULL : &policy->recoveries[0];
}

/* -- check -- */

static int check_use(const struct policy *policy, const struct policy_recovery *recovery,
		     struct error *error)
{
	const struct policy_origin *origin = &recovery->use_origin;

	if (!recovery->use[0] || base_of(policy, recovery)) {
		return 0;
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, 0,
			 "%s:%u: use = %s: there is no [recovery %s]", origin->file, origin->line,
			 recovery->use, recovery->use);
}

/* A section that is based on itself, by way of others. */
static int refuse_circle(const struct policy *policy, const struct policy_recovery *recovery,
			 struct error *error)
{
	const struct policy_origin *origin = &recovery->use_origin;
	const struct policy_recovery *next = base_of(policy, recovery);
	char way[ERROR_TEXT_SIZE];
	size_t used = (size_t)snprintf(way, sizeof(way), "%s", recovery->name);

	while (next != recovery && used < sizeof(way)) {
		used += (size_t)snprintf(way + used, sizeof(way) - used, " uses %s, which",
					 next->name);
		next = base_of(policy, next);
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, 0,
			 "%s:%u: use = %s: that is a circle: %s uses %s", origin->file,
			 origin->line, recovery->use, way, recovery->name);
}

int policy_check(const struct policy *policy, struct error *error)
{
	/* In which walk, from 1 on, a section was come to. What an earlier walk has come to is in
	 * order. */
	cleanup(cleanup_free) size_t *walks = calloc(policy->recovery_count, sizeof(*walks));
	int r = 0;

	if (!walks) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the policy");
	}
	for (size_t i = 0; r == 0 && i < policy->recovery_count; i++) {
		r = check_use(policy, &policy->recoveries[i], error);
	}
	for (size_t i = 0; r == 0 && i < policy->recovery_count; i++) {
		const struct policy_recovery *next = &policy->recoveries[i];

		while (next && walks[next - policy->recoveries] == 0) {
			walks[next - policy->recoveries] = i + 1;
			next = base_of(policy, next);
		}
		if (next && walks[next - policy->recoveries] == i + 1) {
			r = refuse_circle(policy, next, error);
		}
	}
	return r;
}

/* -- what applies -- */

const struct policy_recovery *policy_find_section(const struct policy *policy, uint32_t phb,
						  uint32_t pe_number,
						  const struct policy_device *devices,
						  size_t device_count)
{
	const struct policy_recovery *found;
	char name[NAME_SIZE];

	/* No section is about what is not known. */
	print_pe(phb, pe_number, name);
	found = find(policy, name);
	for (size_t i = 0; !found && i < device_count; i++) {
		print_device(&devices[i], name);
		found = find(policy, name);
	}
	return found ? found : &policy->recoveries[0];
}

/* The section's name, and what it is an alias of, if it is nothing else. */
static void print_name(const struct policy_recovery *recovery,
		       char ret_name[static RECOVERY_POLICY_NAME_SIZE])
{
	bool is_alias = recovery->use[0] != '\0';

	for (unsigned int key = 0; key < POLICY_RECOVERY_KEY_COUNT; key++) {
		is_alias = is_alias && !recovery->origins[key].file;
	}
	memset(ret_name, 0, RECOVERY_POLICY_NAME_SIZE);
	if (is_alias) {
		(void)snprintf(ret_name, RECOVERY_POLICY_NAME_SIZE, "%s (%s)", recovery->name,
			       recovery->use);
	} else {
		(void)snprintf(ret_name, RECOVERY_POLICY_NAME_SIZE, "%s", recovery->name);
	}
}

/* What a section says, where those before it say nothing. */
static void take_values(struct policy_resolved *resolved, const struct policy_recovery *section)
{
	for (unsigned int key = 0; key < POLICY_RECOVERY_KEY_COUNT; key++) {
		if (!resolved->from[key] && section->origins[key].file) {
			resolved->from[key] = section;
			recovery_key_copy(&resolved->values, &section->values,
					  (enum policy_recovery_key)key);
		}
	}
}

void policy_resolve(const struct policy *policy, const struct policy_recovery *recovery,
		    struct policy_resolved *ret_resolved)
{
	struct policy_resolved resolved = {.values = RECOVERY_POLICY_DEFAULT};
	const struct policy_recovery *section = recovery;

	/* Not for ever round a circle, which only policy_check finds. */
	for (size_t i = 0; i < policy->recovery_count; i++) {
		take_values(&resolved, section);
		if (!base_of(policy, section)) {
			break;
		}
		section = base_of(policy, section);
	}
	print_name(recovery, resolved.values.name);
	*ret_resolved = resolved;
}

void policy_find_recovery(const struct policy *policy, uint32_t phb, uint32_t pe_number,
			  const struct policy_device *devices, size_t device_count,
			  struct recovery_policy *ret_recovery)
{
	struct policy_resolved resolved = {.values = RECOVERY_POLICY_DEFAULT};

	if (policy) {
		policy_resolve(policy,
			       policy_find_section(policy, phb, pe_number, devices, device_count),
			       &resolved);
	}
	*ret_recovery = resolved.values;
}
