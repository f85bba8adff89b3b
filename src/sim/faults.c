/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/faults.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "sim/ioctls.h"

#define ERRNO_MAX 4095 /* of the kernel's */

/* What a rule can decide about an operation. */
enum aspect {
	ASPECT_DELAY,
	ASPECT_RESULT,
	ASPECT_COUNT,
};

/* How far a rule is with one of them. */
struct progress {
	uint32_t skipped;
	uint32_t passed; /* since it acted last */
	uint32_t acted;
};

struct sim_fault {
	struct sim_fault *next;
	uint32_t id;
	enum sim_rule_maker maker;
	struct sim_rule rule;
	struct progress progress[ASPECT_COUNT];
};

static void unlink_fault(struct sim_faults *faults, struct sim_fault **link)
{
	struct sim_fault *fault = *link;

	*link = fault->next;
	faults->count--;
	free(fault);
}

void sim_faults_done(struct sim_faults *faults)
{
	while (faults->first) {
		unlink_fault(faults, &faults->first);
	}
}

/* making rules */

static bool decides(const struct sim_rule *rule, enum aspect aspect)
{
	return aspect == ASPECT_DELAY ? rule->milliseconds > 0
				      : rule->errnum != 0 || rule->result != 0;
}

static bool begins_with(const char *operation, const char *word)
{
	return strncmp(operation, word, strlen(word)) == 0;
}

static bool is_region_number(const char *text)
{
	return *text >= '0' && *text <= '9' && (text[1] == '\0' || *text != '0') &&
	       strspn(text, "0123456789") == strlen(text);
}

/* Whether an operation is none of ioctl: opening a node, reading, writing or mapping a region. */
static bool is_call(const char *operation)
{
	static const char *const transfers[] = {SIM_OPERATION_READ, SIM_OPERATION_WRITE,
						SIM_OPERATION_MAP};

	for (size_t i = 0; i < sizeof(transfers) / sizeof(*transfers); i++) {
		if (begins_with(operation, transfers[i])) {
			return is_region_number(operation + strlen(transfers[i]));
		}
	}
	return begins_with(operation, SIM_OPERATION_OPEN) ||
	       begins_with(operation, SIM_OPERATION_ATTRIBUTE);
}

static bool is_step(const char *operation)
{
	static const char *const steps[] = {SIM_STEP_USE_REGION, SIM_STEP_PUT_TCE,
					    SIM_STEP_REMOVE_WINDOW};

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		if (strcmp(operation, steps[i]) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_known(const char *operation)
{
	return is_call(operation) || is_step(operation) || sim_operation_is_known(operation);
}

/* What is wrong with the name, or with a number; NULL when nothing is. */
static const char *find_defect(const struct sim_rule *rule)
{
	if (!is_known(rule->operation)) {
		return "there is no such operation; take the name of an ioctl or of an EEH "
		       "operation, open: and the path of a node, attribute: and the path of a file "
		       "below "
		       "sysfs, read:, write: or mmap: and the "
		       "number of a region, or one of " SIM_STEP_USE_REGION ", " SIM_STEP_PUT_TCE
		       " and " SIM_STEP_REMOVE_WINDOW;
	}
	if (is_step(rule->operation) && rule->milliseconds > 0) {
		return "a step inside of a call takes no time of its own";
	}
	if (rule->errnum < 0 || rule->errnum > ERRNO_MAX) {
		return "that is no errno";
	}
	if (rule->result < 0 || (rule->result > 0 && is_call(rule->operation))) {
		return "a result is a positive number, and of an ioctl";
	}
	if (rule->errnum != 0 && rule->result != 0) {
		return "it can't have both an errno and a result";
	}
	if (rule->milliseconds > SIM_DELAY_MAX_MILLIS) {
		return "a delay is an hour at most";
	}
	return NULL;
}

static int check(const struct sim_rule *rule, struct error *error)
{
	const char *defect = find_defect(rule);

	return defect ? error_set(error, ERROR_INVALID_ARGUMENT, 0, "rule for %s: %s",
				  rule->operation, defect)
		      : 0;
}

static int add(struct sim_faults *faults, const struct sim_rule *rule, enum sim_rule_maker maker,
	       uint32_t *ret_id, struct error *error)
{
	struct sim_fault **link = &faults->first;
	struct sim_fault *fault;

	if (faults->count >= SIM_RULES_MAX) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0, "%u rules are there already",
				 faults->count);
	}
	fault = calloc(1, sizeof(*fault));
	if (!fault) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "rule for %s", rule->operation);
	}
	fault->id = ++faults->last_id;
	fault->maker = maker;
	fault->rule = *rule;
	while (*link) {
		link = &(*link)->next;
	}
	*link = fault;
	faults->count++;
	*ret_id = fault->id;
	return 0;
}

int sim_faults_add(struct sim_faults *faults, const struct sim_rule *rule, uint32_t *ret_id,
		   struct error *error)
{
	int code = check(rule, error);

	if (!code && !decides(rule, ASPECT_DELAY) && !decides(rule, ASPECT_RESULT)) {
		code = error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "rule for %s: it needs an errno, a result or milliseconds",
				 rule->operation);
	}
	return code ? code : add(faults, rule, SIM_RULE_ADDED, ret_id, error);
}

/* Take back what a verb made for an operation. */
static void remove_made(struct sim_faults *faults, const char *operation, enum sim_rule_maker maker)
{
	struct sim_fault **link = &faults->first;

	while (*link) {
		struct sim_fault *fault = *link;

		if (fault->maker == maker && strcmp(fault->rule.operation, operation) == 0) {
			unlink_fault(faults, link);
		} else {
			link = &fault->next;
		}
	}
}

int sim_faults_fail_next(struct sim_faults *faults, const struct sim_rule *rule,
			 struct error *error)
{
	struct sim_rule once = {.skip = rule->skip, .errnum = rule->errnum, .times = 1};
	int code = check(rule, error);
	uint32_t id;

	if (code) {
		return code;
	}
	if (rule->errnum == 0) {
		remove_made(faults, rule->operation, SIM_RULE_FAIL_NEXT);
		return 0;
	}
	memcpy(once.operation, rule->operation, sizeof(once.operation));
	return add(faults, &once, SIM_RULE_FAIL_NEXT, &id, error);
}

int sim_faults_delay(struct sim_faults *faults, const struct sim_rule *rule, struct error *error)
{
	struct sim_rule lasting = {.milliseconds = rule->milliseconds};
	int code = check(rule, error);
	uint32_t id;

	if (code) {
		return code;
	}
	remove_made(faults, rule->operation, SIM_RULE_DELAY);
	memcpy(lasting.operation, rule->operation, sizeof(lasting.operation));
	return rule->milliseconds == 0 ? 0 : add(faults, &lasting, SIM_RULE_DELAY, &id, error);
}

int sim_faults_remove(struct sim_faults *faults, uint32_t id, struct error *error)
{
	for (struct sim_fault **link = &faults->first; *link; link = &(*link)->next) {
		if ((*link)->id == id) {
			unlink_fault(faults, link);
			return 0;
		}
	}
	return error_set(error, ERROR_NOT_FOUND, 0, "rule %u", id);
}

static uint32_t count_acted(const struct sim_fault *fault)
{
	const struct progress *progress = fault->progress;

	return progress[ASPECT_DELAY].acted > progress[ASPECT_RESULT].acted
		       ? progress[ASPECT_DELAY].acted
		       : progress[ASPECT_RESULT].acted;
}

uint32_t sim_faults_list(const struct sim_faults *faults, struct sim_listed_rule *rules)
{
	uint32_t count = 0;

	for (const struct sim_fault *fault = faults->first; fault && count < SIM_RULES_MAX;
	     fault = fault->next) {
		rules[count++] = (struct sim_listed_rule){
			.id = fault->id,
			.acted = count_acted(fault),
			.rule = fault->rule,
		};
	}
	return count;
}

/* applying them */

/* Whether a rule names an operation: by its own name, or by that of the ioctl that it is part of.
 */
static bool names(const struct sim_rule *rule, const char *operation)
{
	const char *ioctl = sim_operation_ioctl(operation);

	return sim_operation_is_same(rule->operation, operation) ||
	       (ioctl && strcmp(rule->operation, ioctl) == 0);
}

static bool is_used_up(const struct sim_fault *fault, enum aspect aspect)
{
	return !decides(&fault->rule, aspect) ||
	       (fault->rule.times > 0 && fault->progress[aspect].acted >= fault->rule.times);
}

/* Count one operation. Returns whether the rule acts on it. */
static bool step(struct sim_fault *fault, enum aspect aspect)
{
	struct progress *progress = &fault->progress[aspect];

	if (progress->skipped < fault->rule.skip) {
		progress->skipped++;
		return false;
	}
	if (++progress->passed < fault->rule.every) {
		return false;
	}
	progress->passed = 0;
	progress->acted += progress->acted < UINT32_MAX;
	return true;
}

/* What the oldest rule that acts on an operation says. Returns false when none does. */
static bool take(struct sim_faults *faults, const char *operation, enum aspect aspect,
		 struct sim_rule *ret_rule)
{
	for (struct sim_fault **link = &faults->first; *link; link = &(*link)->next) {
		struct sim_fault *fault = *link;

		if (is_used_up(fault, aspect) || !names(&fault->rule, operation) ||
		    !step(fault, aspect)) {
			continue;
		}
		*ret_rule = fault->rule;
		if (is_used_up(fault, ASPECT_DELAY) && is_used_up(fault, ASPECT_RESULT)) {
			unlink_fault(faults, link);
		}
		return true;
	}
	return false;
}

uint32_t sim_faults_take_delay(struct sim_faults *faults, const char *operation)
{
	struct sim_rule rule;

	return take(faults, operation, ASPECT_DELAY, &rule) ? rule.milliseconds : 0;
}

int sim_faults_take_result(struct sim_faults *faults, const char *operation)
{
	struct sim_rule rule;

	if (!take(faults, operation, ASPECT_RESULT, &rule)) {
		return 0;
	}
	return rule.errnum != 0 ? -rule.errnum : rule.result;
}
