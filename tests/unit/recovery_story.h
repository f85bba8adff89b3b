/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stories of a recovery: an input, and in one line what comes of it, "frozen error-detected look".
 * Notes are left out of the line. What must always hold is watched meanwhile (recovery_watch.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "eeh/recovery.h"
#include "recovery_watch.h"

struct story {
	struct recovery *recovery;
	struct recovery_policy policy;
	struct watch watch;
	uint64_t now;
	char line[512];
	char note[RECOVERY_TEXT_SIZE]; /* the last one */
	struct recovery_action done;   /* the last one of each */
	struct recovery_action frozen;
	struct recovery_action detected;
};

/* With the default policy, or another one. */
void story_begin(struct story *story, const struct recovery_policy *policy);
void story_end(struct story *story);

/* Inputs. */
void story_notice(struct story *story, uint32_t event, enum pe_condition condition,
		  const char *expected);
void story_result(struct story *story, enum pe_condition condition, const char *expected);
void story_silent(struct story *story, enum pe_condition condition, const char *expected);
void story_error(struct story *story, enum pe_condition condition, const char *expected); /* EIO */
void story_expire(struct story *story, uint64_t after, const char *expected); /* just then */
void story_request(struct story *story, uint32_t event, uint32_t used, const char *expected);
void story_join(struct story *story, uint32_t cookie);
void story_leave(struct story *story, uint32_t cookie, const char *expected);
void story_vote(struct story *story, uint32_t cookie, enum verdict verdict, const char *expected);
void story_abort(struct story *story, const char *expected);

/* The usual parts. */
void story_freeze(struct story *story, const char *expected); /* event 1, stopped, confirmed */
void story_reset(struct story *story); /* from the reset under way to the votes after it */

/* A new story whose event 1 has come to its first reset, "reset-hot". */
void story_begin_reset(struct story *story, const struct recovery_policy *policy,
		       const char *reset);

/* A whole event that nobody takes part in. */
void story_recover(struct story *story, uint32_t event);
