/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The methods of org.spaprd1.Simulator as functions: one call each, blocking, what comes back
 * checked. All return 0 or a code with the error filled, as client_call does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/client.h"
#include "common/range.h"

int sim_remote_freeze(struct client *client, uint32_t group, const char *what, struct error *error);
int sim_remote_unplug(struct client *client, const char *device, struct error *error);
int sim_remote_plug(struct client *client, const char *device, struct error *error);
int sim_remote_delay(struct client *client, const char *operation, uint32_t milliseconds,
		     struct error *error);

/* -- rules -- */

/* An option of a rule that isn't given is 0. */
struct sim_remote_rule {
	uint32_t id;
	uint32_t acted;
	char *operation; /* owned, in a list */
	int32_t errnum;
	int32_t result;
	uint32_t milliseconds;
	uint32_t skip;
	uint32_t every;
	uint32_t times;
};

struct sim_remote_rules {
	struct sim_remote_rule *items; /* the oldest first */
	size_t count;
};

#define SIM_REMOTE_RULES_NONE ((struct sim_remote_rules){.items = NULL})

int sim_remote_add_rule(struct client *client, const struct sim_remote_rule *rule, uint32_t *ret_id,
			struct error *error);
int sim_remote_remove_rule(struct client *client, uint32_t id, struct error *error);
int sim_remote_clear_rules(struct client *client, struct error *error);
int sim_remote_list_rules(struct client *client, struct sim_remote_rules *ret_rules,
			  struct error *error);
void sim_remote_rules_done(struct sim_remote_rules *rules);

/* -- what the host holds -- */

struct sim_remote_window {
	struct range range; /* of IOVA */
	uint32_t page_shift;
	uint32_t levels;
	uint64_t mapped; /* TCEs */
};

struct sim_remote_entry {
	struct range range; /* of IOVA */
	uint64_t address;   /* the user address behind it */
	bool readable;      /* by the device */
	bool writable;
};

/* All that the tables of one group hold. */
struct sim_remote_tces {
	struct sim_remote_window *windows;
	size_t window_count;
	struct sim_remote_entry *entries; /* ascending */
	size_t entry_count;
};

#define SIM_REMOTE_TCES_NONE ((struct sim_remote_tces){.windows = NULL})

int sim_remote_read_tces(struct client *client, uint32_t group, struct sim_remote_tces *ret_tces,
			 struct error *error);
void sim_remote_tces_done(struct sim_remote_tces *tces);

struct sim_remote_counter {
	char *name; /* owned */
	uint64_t value;
};

struct sim_remote_counters {
	struct sim_remote_counter *items;
	size_t count;
};

#define SIM_REMOTE_COUNTERS_NONE ((struct sim_remote_counters){.items = NULL})

int sim_remote_read_counters(struct client *client, struct sim_remote_counters *ret_counters,
			     struct error *error);
void sim_remote_counters_done(struct sim_remote_counters *counters);
