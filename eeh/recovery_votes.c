/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who takes part in the recovery of a PE, and their votes. */
#include <stdio.h>

#include "eeh/recovery_private.h"

bool recovery_stage_step(enum recovery_stage stage, enum vote_step *ret_step)
{
	if (stage == STAGE_ERROR_DETECTED) {
		*ret_step = VOTE_ERROR_DETECTED;
	} else if (stage == STAGE_MMIO_ENABLED) {
		*ret_step = VOTE_MMIO_ENABLED;
	} else if (stage == STAGE_SLOT_RESET) {
		*ret_step = VOTE_SLOT_RESET;
	} else {
		return false;
	}
	return true;
}

static struct recovery_participant *find(struct recovery *recovery, uint32_t cookie)
{
	for (uint32_t i = 0; cookie != 0 && i < recovery->participant_count; i++) {
		if (recovery->participants[i].cookie == cookie) {
			return &recovery->participants[i];
		}
	}
	return NULL;
}

static bool is_awaited(const struct recovery_participant *participant)
{
	return participant->takes_part && !participant->voted;
}

static bool awaits_somebody(const struct recovery *recovery)
{
	for (uint32_t i = 0; i < recovery->participant_count; i++) {
		if (is_awaited(&recovery->participants[i])) {
			return true;
		}
	}
	return false;
}

/* -- steps -- */

void recovery_enrol(struct recovery *recovery)
{
	for (uint32_t i = 0; i < recovery->participant_count; i++) {
		recovery->participants[i].takes_part = true;
	}
}

void recovery_open_step(struct recovery *recovery, uint64_t now, enum recovery_stage stage)
{
	recovery->stage = stage;
	recovery->merged = VERDICT_NONE;
	for (uint32_t i = 0; i < recovery->participant_count; i++) {
		recovery->participants[i].voted = false;
	}
	recovery->wake = recovery_after(now, recovery->policy.vote_timeout);
	if (!awaits_somebody(recovery)) {
		recovery_close_step(recovery, now);
	}
}

/* Who doesn't vote is unaware. That takes a reset; after one it says nothing. */
static void count_unaware(struct recovery *recovery)
{
	if (recovery->stage != STAGE_SLOT_RESET) {
		recovery->merged = verdict_merge(recovery->merged, VERDICT_NEED_RESET);
	}
}

/* How many were late. */
static unsigned int count_late(struct recovery *recovery)
{
	unsigned int late = 0;

	for (uint32_t i = 0; i < recovery->participant_count; i++) {
		struct recovery_participant *participant = &recovery->participants[i];

		if (is_awaited(participant)) {
			participant->takes_part = false;
			count_unaware(recovery);
			late++;
		}
	}
	return late;
}

void recovery_close_step(struct recovery *recovery, uint64_t now)
{
	unsigned int late = count_late(recovery);

	recovery->wake = NEVER;
	if (late > 0) {
		recovery_note(recovery, "%u of %u participants did not vote in time: %s", late,
			      recovery->participant_count, verdict_name(recovery->merged));
	} else {
		recovery_note(recovery, "votes: %s", verdict_name(recovery->merged));
	}
	recovery_step_ended(recovery, now);
}

/* -- participants -- */

int recovery_join(struct recovery *recovery, uint32_t cookie, struct error *error)
{
	if (cookie == 0 || find(recovery, cookie)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0, "cookie %u is not a new one",
				 cookie);
	}
	if (recovery->participant_count == RECOVERY_PARTICIPANTS_MAX) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "%u participants have joined already, the most there can be",
				 recovery->participant_count);
	}
	recovery->participants[recovery->participant_count++] =
		(struct recovery_participant){.cookie = cookie};
	return 0;
}

/* The rest of the participants, without one. */
static void take_out(struct recovery *recovery, struct recovery_participant *participant)
{
	recovery->participant_count--;
	*participant = recovery->participants[recovery->participant_count];
	recovery->participants[recovery->participant_count] = (struct recovery_participant){0};
}

int recovery_leave(struct recovery *recovery, uint64_t now, uint32_t cookie, struct error *error)
{
	struct recovery_participant *participant = find(recovery, cookie);
	struct recovery_participant left;
	enum vote_step step;

	if (!participant) {
		return error_set(error, ERROR_NOT_JOINED, 0, "cookie %u", cookie);
	}
	left = *participant;
	take_out(recovery, participant);
	if (!left.takes_part) {
		return 0;
	}
	if (!recovery_stage_step(recovery->stage, &step)) {
		/* It was to look at the device before DMA is thawed. */
		recovery->must_reset |= recovery_phase(recovery) == RECOVERY_COLLECTING;
	} else if (left.voted) {
		recovery->must_reset |= step == VOTE_ERROR_DETECTED; /* likewise */
	} else {
		count_unaware(recovery);
		if (!awaits_somebody(recovery)) {
			recovery_close_step(recovery, now);
		}
	}
	return 0;
}

static int refuse_event(const struct recovery *recovery, uint32_t event, struct error *error)
{
	if (recovery->event) {
		return error_set(error, ERROR_NOT_FOUND, 0, "event %u: event %u is under way",
				 event, recovery->event);
	}
	return error_set(error, ERROR_NOT_FOUND, 0, "event %u: no event is under way", event);
}

/* Why a participant can't vote now, NULL if it can. */
static const char *find_obstacle(const struct recovery *recovery,
				 const struct recovery_participant *participant)
{
	enum vote_step step;

	if (!recovery_stage_step(recovery->stage, &step) || recovery->action_count > 0) {
		return "no step asks for votes now";
	}
	if (!participant->takes_part) {
		return "it was late before, or joined after the recovery began, and takes part "
		       "from "
		       "the next event on";
	}
	return participant->voted ? "it has voted in this step" : NULL;
}

int recovery_vote(struct recovery *recovery, uint64_t now, uint32_t cookie, uint32_t event,
		  enum verdict verdict, struct error *error)
{
	struct recovery_participant *participant = find(recovery, cookie);
	enum vote_step step = VOTE_ERROR_DETECTED;
	const char *obstacle;

	if (!participant) {
		return error_set(error, ERROR_NOT_JOINED, 0, "cookie %u", cookie);
	}
	if (event == 0 || event != recovery->event) {
		return refuse_event(recovery, event, error);
	}
	obstacle = find_obstacle(recovery, participant);
	if (obstacle) {
		return error_set(error, ERROR_VOTE_CLOSED, 0, "event %u (%s), cookie %u: %s", event,
				 recovery_phase_name(recovery_phase(recovery)), cookie, obstacle);
	}
	(void)recovery_stage_step(recovery->stage, &step);
	if (!verdict_fits(verdict, step)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0, "event %u (%s) asks for %s",
				 event, recovery_phase_name(recovery_phase(recovery)),
				 verdict_choices(step));
	}
	participant->voted = true;
	recovery->merged = verdict_merge(recovery->merged, verdict);
	if (!awaits_somebody(recovery)) {
		recovery_close_step(recovery, now);
	}
	return 0;
}
