/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way of an event: how it begins, the thaw, and how it ends. The functions for what a stage has
 * waited for are in the order of the way. */
#include <stdio.h>

#include "eeh/recovery_private.h"

/* Looks that may say nothing before a notice is dropped. */
#define SAMPLES_MAX 3

/* -- the end -- */

static void end_event(struct recovery *recovery, uint64_t now, enum recovery_stage stage)
{
	recovery_push_done(recovery, now, stage == STAGE_IDLE);
	recovery_clear_event(recovery);
	recovery->stage = stage;
}

void recovery_end_failed(struct recovery *recovery, uint64_t now, enum recovery_stage stage)
{
	(void)recovery_push(recovery, RECOVERY_ACTION_DISCONNECT);
	end_event(recovery, now, stage);
}

void recovery_fail(struct recovery *recovery, uint64_t now, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(recovery->why, sizeof(recovery->why), format, arguments);
	va_end(arguments);
	/* Bus mastering will be off. */
	recovery->registers_lost = true;
	recovery_enter(recovery, now, STAGE_ISOLATE);
}

void recovery_handle_isolate(struct recovery *recovery, uint64_t now,
			     const struct recovery_result *result)
{
	(void)result;
	recovery_end_failed(recovery, now, STAGE_FAILED);
}

void recovery_handle_late_isolate(struct recovery *recovery, uint64_t now,
				  const struct recovery_result *result)
{
	(void)now;
	(void)result;
	recovery_clear_event(recovery);
	recovery->stage = STAGE_FAILED;
}

/* What didn't end has ended after all; its event has failed long ago. */
void recovery_handle_stuck(struct recovery *recovery, uint64_t now,
			   const struct recovery_result *result)
{
	(void)result;
	recovery_enter(recovery, now, STAGE_LATE_ISOLATE);
}

void recovery_resume(struct recovery *recovery, uint64_t now)
{
	(void)recovery_push(recovery, RECOVERY_ACTION_RESUME);
	end_event(recovery, now, STAGE_IDLE);
}

/* -- the beginning -- */

static void detect_error(struct recovery *recovery, uint64_t now)
{
	recovery_enrol(recovery);
	recovery_push(recovery, RECOVERY_ACTION_ERROR_DETECTED)->condition = recovery->channel;
	recovery_open_step(recovery, now, STAGE_ERROR_DETECTED);
}

/* The host is not in the way, or no more. */
static void go_on(struct recovery *recovery, uint64_t now)
{
	if (recovery->resetting) {
		recovery_try_reset(recovery, now);
	} else if (recovery->policy.manual && !recovery->requested) {
		recovery->stage = STAGE_AWAIT_REQUEST;
	} else if (recovery->over_budget) {
		recovery_fail(recovery, now, "more than %u freezes in %u s",
			      recovery->policy.most_freezes,
			      recovery->policy.freeze_window_seconds);
	} else {
		detect_error(recovery, now);
	}
}

/* The host resets the bridge above, and leaves the PE frozen (H48). */
void recovery_wait_for_host(struct recovery *recovery, uint64_t now)
{
	uint64_t next = recovery_after(now, recovery->policy.idle_poll);

	if (recovery->host_by == NEVER) {
		recovery->host_by = recovery_after(now, recovery->policy.host_timeout);
	}
	recovery->must_reset = true;
	recovery->registers_lost = true;
	recovery_pause_until(recovery, STAGE_AWAIT_HOST,
			     next < recovery->host_by ? next : recovery->host_by);
}

void recovery_handle_await_host(struct recovery *recovery, uint64_t now)
{
	recovery_enter(recovery, now, STAGE_AWAIT_HOST_LOOK);
}

void recovery_handle_await_host_look(struct recovery *recovery, uint64_t now,
				     const struct recovery_result *result)
{
	enum pe_condition condition = recovery_seen(result);
	bool works = condition == PE_UNAVAILABLE || condition == PE_UNKNOWN;

	if (works && now < recovery->host_by) {
		recovery_wait_for_host(recovery, now);
		return;
	}
	if (works) {
		recovery_note(recovery, "the host is not done with the bridge above: reset");
	}
	go_on(recovery, now);
}

/* Tell of the freeze, and count it; once for an event. */
void recovery_announce(struct recovery *recovery, uint64_t now, enum pe_condition condition)
{
	if (recovery->announced) {
		return;
	}
	recovery->announced = true;
	recovery_push(recovery, RECOVERY_ACTION_FROZEN)->condition = condition;
	if (recovery->counts) {
		recovery->freezes++;
		recovery->over_budget = !freeze_budget_spend(
			&recovery->budget, now, recovery->policy.most_freezes,
			(uint64_t)recovery->policy.freeze_window_seconds * 1000);
	}
}

/* From what was seen. */
static void set_out(struct recovery *recovery, uint64_t now, enum pe_condition condition)
{
	if (pe_condition_is_frozen(condition)) {
		recovery_announce(recovery, now, condition);
	}
	if (recovery->channel != PE_UNAVAILABLE) {
		recovery->channel = condition;
	}
	recovery->must_reset |= !recovery_is_stopped(condition);
	if (condition == PE_UNAVAILABLE) {
		recovery_wait_for_host(recovery, now);
	} else {
		go_on(recovery, now);
	}
}

void recovery_confirm(struct recovery *recovery, uint64_t now, uint32_t event,
		      enum pe_condition condition)
{
	recovery_clear_event(recovery);
	recovery->number = event;
	recovery->noticed = now;
	recovery->condition = condition;
	recovery->channel = condition;
	recovery->counts = true;
	recovery->gone = condition == PE_GONE ? 1 : 0;
	/* The host reset it (H48), even if it is done with that when we look again. */
	recovery->must_reset = condition == PE_UNAVAILABLE || recovery->registers_lost;
	recovery_enter(recovery, now, STAGE_CONFIRM);
}

void recovery_handle_confirm(struct recovery *recovery, uint64_t now,
			     const struct recovery_result *result)
{
	enum pe_condition condition = recovery_seen(result);

	if (pe_condition_is_frozen(condition)) {
		recovery->event = recovery->number;
		recovery->registers_lost |= recovery->channel == PE_UNAVAILABLE;
		set_out(recovery, now, condition);
	} else if (condition == PE_UNKNOWN && ++recovery->samples < SAMPLES_MAX) {
		recovery_pause_until(recovery, STAGE_CONFIRM_PAUSE,
				     recovery_after(now, recovery->policy.fast_poll));
	} else {
		recovery_note(recovery, "false alarm: %s", pe_condition_text(condition));
		recovery_clear_event(recovery);
		recovery->stage = STAGE_IDLE;
	}
}

void recovery_handle_confirm_pause(struct recovery *recovery, uint64_t now)
{
	recovery_enter(recovery, now, STAGE_CONFIRM);
}

void recovery_begin_requested(struct recovery *recovery, uint64_t now)
{
	recovery->requested = true;
	recovery->wake = NEVER;
	if (recovery->operating) {
		/* A look that is under way will do. */
		recovery->stage = STAGE_REQUESTED;
	} else {
		recovery_enter(recovery, now, STAGE_REQUESTED);
	}
}

void recovery_handle_requested(struct recovery *recovery, uint64_t now,
			       const struct recovery_result *result)
{
	set_out(recovery, now, recovery_seen(result));
}

void recovery_doubt_freeze(struct recovery *recovery, uint64_t now)
{
	recovery_enter(recovery, now, STAGE_AWAIT_REQUEST_LOOK);
}

void recovery_handle_await_request_look(struct recovery *recovery, uint64_t now,
					const struct recovery_result *result)
{
	if (recovery_is_back(result)) {
		(void)snprintf(recovery->why, sizeof(recovery->why), "thawed by somebody else");
		/* Who also has to see to the registers. */
		recovery->registers_lost = false;
		end_event(recovery, now, STAGE_IDLE);
	} else {
		recovery->stage = STAGE_AWAIT_REQUEST;
	}
}

/* -- thaw -- */

/* The votes of error-detected, after what the PE said by itself. */
void recovery_decide(struct recovery *recovery, uint64_t now)
{
	bool readable = recovery->condition == PE_STOPPED_DMA || recovery->condition == PE_NORMAL;

	if (recovery->merged == VERDICT_DISCONNECT) {
		recovery_fail(recovery, now, "a participant gave it up");
	} else if (recovery->merged == VERDICT_CAN_RECOVER && readable && !recovery->must_reset) {
		(void)recovery_push(recovery, RECOVERY_ACTION_MMIO_ENABLED);
		recovery_open_step(recovery, now, STAGE_MMIO_ENABLED);
	} else {
		recovery_start_reset(recovery, now);
	}
}

/* A reset that nobody here has done, or an isolation, has overwritten the registers: those that
 * were saved before are better. */
void recovery_save(struct recovery *recovery, uint64_t now)
{
	if (recovery->registers_lost) {
		recovery_note(recovery, "registers are not saved: they are not the devices' own");
		recovery_decide(recovery, now);
	} else {
		recovery_enter(recovery, now, STAGE_COLLECT_SAVE);
	}
}

void recovery_handle_error_detected(struct recovery *recovery, uint64_t now)
{
	if (recovery->condition == PE_STOPPED || recovery->condition == PE_STOPPED_IO) {
		recovery_enter(recovery, now, STAGE_COLLECT_THAW);
	} else {
		recovery_save(recovery, now);
	}
}

/* UNFREEZE_IO claims to have worked even where it can't (H44): the state tells. */
void recovery_handle_collect_thaw(struct recovery *recovery, uint64_t now,
				  const struct recovery_result *result)
{
	recovery->must_reset |= result->code != 0;
	recovery_save(recovery, now);
}

void recovery_handle_collect_save(struct recovery *recovery, uint64_t now,
				  const struct recovery_result *result)
{
	(void)result;
	recovery_decide(recovery, now);
}

void recovery_handle_mmio_enabled(struct recovery *recovery, uint64_t now)
{
	switch (recovery->merged) {
	case VERDICT_DISCONNECT:
		recovery_fail(recovery, now, "a participant gave it up when MMIO was enabled");
		break;
	case VERDICT_NONE:
	case VERDICT_NEED_RESET:
		recovery_start_reset(recovery, now);
		break;
	case VERDICT_RECOVERED:
	case VERDICT_CAN_RECOVER:
		recovery_enter(recovery, now, STAGE_THAW_DMA);
		break;
	}
}

void recovery_handle_thaw_dma(struct recovery *recovery, uint64_t now,
			      const struct recovery_result *result)
{
	if (result->code != 0) {
		recovery_start_reset(recovery, now);
	} else {
		recovery_enter(recovery, now, STAGE_THAW_LOOK);
	}
}

void recovery_handle_thaw_look(struct recovery *recovery, uint64_t now,
			       const struct recovery_result *result)
{
	if (recovery_is_back(result)) {
		recovery_enter(recovery, now, STAGE_THAW_VERIFY);
	} else {
		recovery_note(recovery, "thawed, but %s, %u devices silent: reset",
			      pe_condition_text(recovery_seen(result)), result->silent);
		recovery_start_reset(recovery, now);
	}
}

void recovery_handle_thaw_verify(struct recovery *recovery, uint64_t now,
				 const struct recovery_result *result)
{
	if (result->code != 0 || pe_condition_is_frozen(result->condition)) {
		recovery_start_reset(recovery, now);
		return;
	}
	(void)snprintf(recovery->why, sizeof(recovery->why), "thawed");
	recovery_resume(recovery, now);
}
