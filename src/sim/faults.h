/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules of a simulated host (struct sim_rule, sim/control.h): who made them, how far each is,
 * and what they say about one operation.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/control.h"

/* What is no ioctl: such a word, and a node's path or a region's number. */
#define SIM_OPERATION_OPEN  "open:"
#define SIM_OPERATION_READ  "read:"
#define SIM_OPERATION_WRITE "write:"
#define SIM_OPERATION_MAP   "mmap:"
/* And a path below sysfs: "attribute:bus/pci/drivers_probe". */
#define SIM_OPERATION_ATTRIBUTE "attribute:"

/* Steps inside of calls, which a rule can have go wrong where a kernel has no better answer than it
 * has: what a MAP takes a region for, each TCE that it puts, and taking a window from a PE. */
#define SIM_STEP_USE_REGION    "kernel:use-region"    /* it is just being unregistered (H11) */
#define SIM_STEP_PUT_TCE       "kernel:put-tce"       /* the platform answers that (H2, H12) */
#define SIM_STEP_REMOVE_WINDOW "kernel:remove-window" /* which nobody looks at (H35) */

/* Who made a rule: what one of these verbs made, it can also take back by name. */
enum sim_rule_maker {
	SIM_RULE_ADDED,
	SIM_RULE_FAIL_NEXT,
	SIM_RULE_DELAY,
};

struct sim_fault;

/* Empty when all is zero. */
struct sim_faults {
	struct sim_fault *first; /* the oldest */
	uint32_t count;
	uint32_t last_id;
};

void sim_faults_done(struct sim_faults *faults);

/* The three verbs that make rules, as sim/control.h has them. 0 or a code with the error filled. */
int sim_faults_add(struct sim_faults *faults, const struct sim_rule *rule, uint32_t *ret_id,
		   struct error *error);
int sim_faults_fail_next(struct sim_faults *faults, const struct sim_rule *rule,
			 struct error *error);
int sim_faults_delay(struct sim_faults *faults, const struct sim_rule *rule, struct error *error);

/* Take one back. 0, or ERROR_NOT_FOUND with the error filled. */
int sim_faults_remove(struct sim_faults *faults, uint32_t id, struct error *error);

/* Write up to SIM_RULES_MAX of them, the oldest first. Returns their number. */
uint32_t sim_faults_list(const struct sim_faults *faults, struct sim_listed_rule *rules);

/*
 * What the rules say about an operation that comes, by its most exact name: first when it begins,
 * then what it answers. Each counts the operation once; both are asked when it comes, also where it
 * is to begin late.
 */

/* The milliseconds that it is to wait, or 0. */
uint32_t sim_faults_take_delay(struct sim_faults *faults, const char *operation);

/* What it answers instead of being carried out, a negative errno or a positive result; or 0. */
int sim_faults_take_result(struct sim_faults *faults, const char *operation);
