/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must hold of a recovery whatever happens: a watch is told of all inputs and sees all
 * actions, and knows nothing of how the recovery comes to them. A plain value, without pointers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "eeh/recovery.h"

struct watch {
	uint32_t event; /* as the actions and requests tell */
	bool operating;
	bool overdue; /* the operation is out, and its event has failed */
	bool frozen;  /* what was signalled */
	bool detected;
	bool resumed;
	bool disconnected;
	bool isolating;
	bool reset;         /* one was asked for */
	bool looked_normal; /* since the last one */
	bool given_up;      /* all voted disconnect */
	bool voting;        /* the last signal asked for votes */
	bool disconnect_votes;
	bool other_votes; /* or somebody who did not vote */
	uint8_t resets[2];
	uint8_t dones; /* in the last batch of actions */
	enum recovery_operation operation;
};

/* Inputs that were taken. */
void watch_request(struct watch *watch, uint32_t event);
void watch_result(struct watch *watch, const struct recovery_result *result);
void watch_vote(struct watch *watch, enum verdict verdict);
void watch_no_vote(struct watch *watch); /* somebody has left, or is late */

/* Take all actions, judge each of them, and then the recovery's properties. Returns how many there
 * were. */
unsigned int watch_actions(struct watch *watch, struct recovery *recovery,
			   const struct recovery_policy *policy, uint64_t now);

/* The PE is not ours any more. */
void watch_abort(struct watch *watch);
