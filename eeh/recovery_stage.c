/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stages of an event, each of which waits for one thing, and who goes on when that has come:
 * recovery_way.c, and recovery_reset.c from the first reset on.
 */
#include <stdio.h>
#include <string.h>

#include "eeh/recovery_private.h"

struct stage {
	enum recovery_phase phase;
	enum recovery_operation operation; /* where there is a handle_result */
	void (*handle_result)(struct recovery *recovery, uint64_t now,
			      const struct recovery_result *result);
	void (*handle_time)(struct recovery *recovery, uint64_t now);
	void (*handle_votes)(struct recovery *recovery, uint64_t now);
};

static const struct stage stages[STAGE_COUNT] = {
	[STAGE_IDLE] = {.phase = RECOVERY_IDLE},
	[STAGE_CONFIRM] = {.phase = RECOVERY_IDLE,
			   .operation = RECOVERY_OPERATION_LOOK,
			   .handle_result = recovery_handle_confirm},
	[STAGE_CONFIRM_PAUSE] = {.phase = RECOVERY_IDLE,
				 .handle_time = recovery_handle_confirm_pause},
	[STAGE_REQUESTED] = {.phase = RECOVERY_COLLECTING,
			     .operation = RECOVERY_OPERATION_LOOK,
			     .handle_result = recovery_handle_requested},
	[STAGE_AWAIT_REQUEST] = {.phase = RECOVERY_AWAITING_REQUEST},
	[STAGE_AWAIT_REQUEST_LOOK] = {.phase = RECOVERY_AWAITING_REQUEST,
				      .operation = RECOVERY_OPERATION_LOOK,
				      .handle_result = recovery_handle_await_request_look},
	[STAGE_AWAIT_HOST] = {.phase = RECOVERY_AWAITING_HOST,
			      .handle_time = recovery_handle_await_host},
	[STAGE_AWAIT_HOST_LOOK] = {.phase = RECOVERY_AWAITING_HOST,
				   .operation = RECOVERY_OPERATION_LOOK,
				   .handle_result = recovery_handle_await_host_look},
	[STAGE_ERROR_DETECTED] = {.phase = RECOVERY_ERROR_DETECTED,
				  .handle_votes = recovery_handle_error_detected},
	[STAGE_COLLECT_THAW] = {.phase = RECOVERY_COLLECTING,
				.operation = RECOVERY_OPERATION_UNFREEZE_IO,
				.handle_result = recovery_handle_collect_thaw},
	[STAGE_COLLECT_SAVE] = {.phase = RECOVERY_COLLECTING,
				.operation = RECOVERY_OPERATION_SAVE,
				.handle_result = recovery_handle_collect_save},
	[STAGE_MMIO_ENABLED] = {.phase = RECOVERY_MMIO_ENABLED,
				.handle_votes = recovery_handle_mmio_enabled},
	[STAGE_THAW_DMA] = {.phase = RECOVERY_THAWING,
			    .operation = RECOVERY_OPERATION_UNFREEZE_DMA,
			    .handle_result = recovery_handle_thaw_dma},
	[STAGE_THAW_LOOK] = {.phase = RECOVERY_THAWING,
			     .operation = RECOVERY_OPERATION_LOOK,
			     .handle_result = recovery_handle_thaw_look},
	[STAGE_THAW_VERIFY] = {.phase = RECOVERY_THAWING,
			       .operation = RECOVERY_OPERATION_VERIFY,
			       .handle_result = recovery_handle_thaw_verify},
	/* or the other kind */
	[STAGE_ASSERT] = {.phase = RECOVERY_RESETTING,
			  .operation = RECOVERY_OPERATION_RESET_HOT,
			  .handle_result = recovery_handle_assert},
	[STAGE_HOLD] = {.phase = RECOVERY_RESETTING, .handle_time = recovery_handle_hold},
	[STAGE_DEACTIVATE] = {.phase = RECOVERY_RESETTING,
			      .operation = RECOVERY_OPERATION_DEACTIVATE,
			      .handle_result = recovery_handle_deactivate},
	[STAGE_SETTLE] = {.phase = RECOVERY_SETTLING, .handle_time = recovery_handle_settle},
	[STAGE_NORMAL_LOOK] = {.phase = RECOVERY_SETTLING,
			       .operation = RECOVERY_OPERATION_LOOK,
			       .handle_result = recovery_handle_normal_look},
	[STAGE_NORMAL_PAUSE] = {.phase = RECOVERY_SETTLING,
				.handle_time = recovery_handle_normal_pause},
	[STAGE_CONFIGURE] = {.phase = RECOVERY_RESTORING,
			     .operation = RECOVERY_OPERATION_CONFIGURE,
			     .handle_result = recovery_handle_configure},
	[STAGE_UNFREEZE_IO] = {.phase = RECOVERY_RESTORING,
			       .operation = RECOVERY_OPERATION_UNFREEZE_IO,
			       .handle_result = recovery_handle_unfreeze_io},
	[STAGE_UNFREEZE_DMA] = {.phase = RECOVERY_RESTORING,
				.operation = RECOVERY_OPERATION_UNFREEZE_DMA,
				.handle_result = recovery_handle_unfreeze_dma},
	[STAGE_RESTORE] = {.phase = RECOVERY_RESTORING,
			   .operation = RECOVERY_OPERATION_RESTORE,
			   .handle_result = recovery_handle_restore},
	[STAGE_VERIFY] = {.phase = RECOVERY_RESTORING,
			  .operation = RECOVERY_OPERATION_VERIFY,
			  .handle_result = recovery_handle_verify},
	[STAGE_SLOT_RESET] = {.phase = RECOVERY_SLOT_RESET,
			      .handle_votes = recovery_handle_slot_reset},
	[STAGE_LAST_LOOK] = {.phase = RECOVERY_SLOT_RESET,
			     .operation = RECOVERY_OPERATION_LOOK,
			     .handle_result = recovery_handle_last_look},
	[STAGE_RETRY_PAUSE] = {.phase = RECOVERY_RESETTING,
			       .handle_time = recovery_handle_retry_pause},
	[STAGE_ISOLATE] = {.phase = RECOVERY_FAILED,
			   .operation = RECOVERY_OPERATION_ISOLATE,
			   .handle_result = recovery_handle_isolate},
	[STAGE_STUCK] = {.phase = RECOVERY_FAILED, .handle_result = recovery_handle_stuck},
	[STAGE_LATE_ISOLATE] = {.phase = RECOVERY_FAILED,
				.operation = RECOVERY_OPERATION_ISOLATE,
				.handle_result = recovery_handle_late_isolate},
	[STAGE_FAILED] = {.phase = RECOVERY_FAILED},
};

enum recovery_phase recovery_stage_phase(enum recovery_stage stage)
{
	return stages[stage].phase;
}

static void operate(struct recovery *recovery, uint64_t now, enum recovery_operation operation)
{
	recovery->operating = true;
	recovery->operation = operation;
	recovery->overdue = recovery_after(now, recovery->policy.operation_timeout);
	recovery_push(recovery, RECOVERY_ACTION_OPERATE)->operation = operation;
}

void recovery_enter(struct recovery *recovery, uint64_t now, enum recovery_stage stage)
{
	enum recovery_operation operation = stages[stage].operation;

	recovery->stage = stage;
	if (stage == STAGE_ASSERT && recovery->fundamental) {
		operation = RECOVERY_OPERATION_RESET_FUNDAMENTAL;
	}
	operate(recovery, now, operation);
}

void recovery_pause_until(struct recovery *recovery, enum recovery_stage stage, uint64_t until)
{
	recovery->stage = stage;
	recovery->wake = until;
}

enum pe_condition recovery_seen(const struct recovery_result *result)
{
	return result->code == 0 ? result->condition : PE_UNKNOWN;
}

bool recovery_is_back(const struct recovery_result *result)
{
	return recovery_seen(result) == PE_NORMAL && result->silent == 0;
}

bool recovery_is_stopped(enum pe_condition condition)
{
	return condition == PE_STOPPED || condition == PE_STOPPED_DMA || condition == PE_STOPPED_IO;
}

static void note_failure(struct recovery *recovery, const struct recovery_result *result)
{
	recovery_note(recovery, "%s: %s%s%s", recovery_operation_name(recovery->operation),
		      error_sentence((enum error_code)result->code), result->errnum ? ", " : "",
		      result->errnum ? errno_name(result->errnum) : "");
}

/* Whether the stage belongs to an event, and is not its end. */
static bool is_on_the_way(enum recovery_stage stage)
{
	return stage != STAGE_ISOLATE && stage != STAGE_STUCK && stage != STAGE_LATE_ISOLATE;
}

/* One look that says "gone" is none (H43): firmware that doesn't answer looks the same. */
static void doubt_end(struct recovery *recovery, uint64_t now)
{
	if (recovery->gone <= 1) {
		recovery->doubting |= recovery->operation != RECOVERY_OPERATION_LOOK;
		operate(recovery, now, RECOVERY_OPERATION_LOOK);
		return;
	}
	if (!recovery->event) {
		recovery->event = recovery->number;
	}
	if (recovery->stage == STAGE_CONFIRM || recovery->stage == STAGE_REQUESTED) {
		recovery_announce(recovery, now, PE_GONE);
	}
	recovery_fail(recovery, now, "gone for good: no reset helps");
}

/* It isn't gone; what the operation was to do is not known to be done. */
static void handle_doubt(struct recovery *recovery, uint64_t now)
{
	recovery->doubting = false;
	recovery->must_reset = true;
	if (recovery->resetting) {
		recovery_try_failed(recovery, now, "seemed to be gone");
	} else if (recovery->stage == STAGE_COLLECT_THAW) {
		recovery_save(recovery, now);
	} else if (recovery->stage == STAGE_COLLECT_SAVE) {
		recovery_decide(recovery, now);
	} else {
		recovery_start_reset(recovery, now);
	}
}

void recovery_operation_ended(struct recovery *recovery, uint64_t now,
			      const struct recovery_result *result)
{
	if (result->code != 0) {
		note_failure(recovery, result);
	}
	if (is_on_the_way(recovery->stage) && result->condition == PE_GONE) {
		doubt_end(recovery, now);
	} else if (is_on_the_way(recovery->stage) && recovery->doubting) {
		handle_doubt(recovery, now);
	} else {
		stages[recovery->stage].handle_result(recovery, now, result);
	}
}

void recovery_step_ended(struct recovery *recovery, uint64_t now)
{
	stages[recovery->stage].handle_votes(recovery, now);
}

void recovery_time_came(struct recovery *recovery, uint64_t now)
{
	stages[recovery->stage].handle_time(recovery, now);
}

/* It can't be cancelled. So its event fails, and nobody touches the PE before it has ended. */
void recovery_operation_overdue(struct recovery *recovery, uint64_t now)
{
	recovery_note(recovery, "%s has not ended in time",
		      recovery_operation_name(recovery->operation));
	if (recovery->stage == STAGE_LATE_ISOLATE) {
		return;
	}
	if (!recovery->event) {
		recovery->event = recovery->number;
		recovery_announce(recovery, now, recovery->channel);
	}
	if (recovery->stage != STAGE_ISOLATE) {
		(void)snprintf(recovery->why, sizeof(recovery->why), "%s has not ended in time",
			       recovery_operation_name(recovery->operation));
	}
	recovery->registers_lost = true;
	recovery_end_failed(recovery, now,
			    recovery->stage == STAGE_ISOLATE ? STAGE_LATE_ISOLATE : STAGE_STUCK);
}

void recovery_clear_event(struct recovery *recovery)
{
	recovery->event = 0;
	recovery->number = 0;
	recovery->noticed = 0;
	recovery->condition = PE_UNKNOWN;
	recovery->channel = PE_UNKNOWN;
	recovery->over_budget = false;
	recovery->counts = false;
	recovery->announced = false;
	recovery->requested = false;
	recovery->must_reset = false;
	recovery->host_by = NEVER;
	recovery->samples = 0;
	recovery->gone = 0;
	recovery->doubting = false;
	recovery->resetting = false;
	recovery->fundamental = false;
	recovery->tries = 0;
	recovery->hold_until = 0;
	recovery->settle_until = 0;
	recovery->normal_by = 0;
	recovery->settled = false;
	recovery->configured = false;
	recovery->thawed = false;
	recovery->merged = VERDICT_NONE;
	memset(recovery->why, 0, sizeof(recovery->why));
	for (uint32_t i = 0; i < recovery->participant_count; i++) {
		recovery->participants[i].takes_part = false;
		recovery->participants[i].voted = false;
	}
}
