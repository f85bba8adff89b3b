/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "eeh/recovery.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eeh/recovery_private.h"

/* -- names -- */

const char *recovery_phase_name(enum recovery_phase phase)
{
	static const char *const names[] = {
		[RECOVERY_IDLE] = "idle",
		[RECOVERY_AWAITING_REQUEST] = "awaiting-request",
		[RECOVERY_AWAITING_HOST] = "awaiting-host",
		[RECOVERY_ERROR_DETECTED] = "error-detected",
		[RECOVERY_COLLECTING] = "collecting",
		[RECOVERY_MMIO_ENABLED] = "mmio-enabled",
		[RECOVERY_THAWING] = "thawing",
		[RECOVERY_RESETTING] = "resetting",
		[RECOVERY_SETTLING] = "settling",
		[RECOVERY_RESTORING] = "restoring",
		[RECOVERY_SLOT_RESET] = "slot-reset",
		[RECOVERY_FAILED] = "failed",
	};

	return names[phase];
}

const char *recovery_operation_name(enum recovery_operation operation)
{
	static const char *const names[RECOVERY_OPERATION_COUNT] = {
		[RECOVERY_OPERATION_LOOK] = "look",
		[RECOVERY_OPERATION_UNFREEZE_IO] = "unfreeze-io",
		[RECOVERY_OPERATION_UNFREEZE_DMA] = "unfreeze-dma",
		[RECOVERY_OPERATION_RESET_HOT] = "reset-hot",
		[RECOVERY_OPERATION_RESET_FUNDAMENTAL] = "reset-fundamental",
		[RECOVERY_OPERATION_DEACTIVATE] = "deactivate",
		[RECOVERY_OPERATION_CONFIGURE] = "configure",
		[RECOVERY_OPERATION_SAVE] = "save",
		[RECOVERY_OPERATION_RESTORE] = "restore",
		[RECOVERY_OPERATION_VERIFY] = "verify",
		[RECOVERY_OPERATION_ISOLATE] = "isolate",
	};

	return names[operation];
}

/* -- actions -- */

struct recovery_action *recovery_push(struct recovery *recovery, enum recovery_action_kind kind)
{
	uint32_t index = (recovery->first_action + recovery->action_count) % RECOVERY_ACTIONS_MAX;
	struct recovery_action *action = &recovery->actions[index];

	assert(recovery->action_count < RECOVERY_ACTIONS_MAX);
	recovery->action_count++;
	memset(action, 0, sizeof(*action));
	action->kind = kind;
	action->event = recovery->event ? recovery->event : recovery->number;
	return action;
}

void recovery_note(struct recovery *recovery, const char *format, ...)
{
	struct recovery_action *action = recovery_push(recovery, RECOVERY_ACTION_NOTE);
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(action->text, sizeof(action->text), format, arguments);
	va_end(arguments);
}

void recovery_push_done(struct recovery *recovery, uint64_t now, bool recovered)
{
	struct recovery_action *action = recovery_push(recovery, RECOVERY_ACTION_DONE);
	uint64_t took = now - recovery->noticed;

	action->recovered = recovered;
	action->milliseconds = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
	memcpy(action->text, recovery->why, sizeof(action->text));
}

bool recovery_take_action(struct recovery *recovery, struct recovery_action *ret_action)
{
	if (recovery->action_count == 0) {
		return false;
	}
	*ret_action = recovery->actions[recovery->first_action];
	recovery->first_action = (recovery->first_action + 1) % RECOVERY_ACTIONS_MAX;
	recovery->action_count--;
	return true;
}

/* -- making -- */

int recovery_new(const struct recovery_policy *policy, struct recovery **ret_recovery)
{
	struct recovery *recovery = calloc(1, sizeof(*recovery));

	if (!recovery) {
		return -ENOMEM;
	}
	recovery->policy = *policy;
	recovery->overdue = NEVER;
	recovery->wake = NEVER;
	recovery_clear_event(recovery);
	*ret_recovery = recovery;
	return 0;
}

struct recovery *recovery_free(struct recovery *recovery)
{
	free(recovery);
	return NULL;
}

void recovery_set_policy(struct recovery *recovery, const struct recovery_policy *policy)
{
	recovery->policy = *policy;
}

void recovery_set_needs_fundamental(struct recovery *recovery, bool needs)
{
	recovery->needs_fundamental = needs;
}

/* -- inputs -- */

uint64_t recovery_after(uint64_t now, uint64_t milliseconds)
{
	return milliseconds < NEVER - now ? now + milliseconds : NEVER;
}

bool recovery_notice(struct recovery *recovery, uint64_t now, uint32_t event,
		     enum pe_condition condition)
{
	if (recovery->action_count > 0) {
		return false;
	}
	if (recovery->stage == STAGE_AWAIT_REQUEST &&
	    (condition == PE_NORMAL || condition == PE_GONE)) {
		recovery->gone = condition == PE_GONE ? 1 : 0;
		recovery_doubt_freeze(recovery, now);
		return false;
	}
	if (recovery->stage != STAGE_IDLE || event == 0 || !pe_condition_is_frozen(condition)) {
		return false;
	}
	recovery_confirm(recovery, now, event, condition);
	return true;
}

void recovery_operation_done(struct recovery *recovery, uint64_t now,
			     const struct recovery_result *result)
{
	/* An operation that was not taken yet can't have ended. */
	if (!recovery->operating || recovery->action_count > 0) {
		return;
	}
	recovery->operating = false;
	recovery->overdue = NEVER;
	if (result->condition != PE_UNKNOWN) {
		recovery->condition = result->condition;
	}
	recovery->gone = result->condition == PE_GONE ? recovery->gone + 1 : 0;
	recovery_operation_ended(recovery, now, result);
}

void recovery_expire(struct recovery *recovery, uint64_t now)
{
	enum vote_step step;

	if (recovery->action_count > 0) {
		return;
	}
	if (recovery->operating && now >= recovery->overdue) {
		recovery->overdue = NEVER;
		recovery_operation_overdue(recovery, now);
	} else if (now >= recovery->wake) {
		recovery->wake = NEVER;
		if (recovery_stage_step(recovery->stage, &step)) {
			recovery_close_step(recovery, now);
		} else {
			recovery_time_came(recovery, now);
		}
	}
}

static int refuse_request(const struct recovery *recovery, struct error *error)
{
	if (recovery->event) {
		return error_set(error, ERROR_BUSY, 0, "event %u is being recovered (%s)",
				 recovery->event, recovery_phase_name(recovery_phase(recovery)));
	}
	return error_set(error, ERROR_BUSY, 0, "what the last event began has not ended yet");
}

/* A request when no event is under way. */
static void begin_request(struct recovery *recovery, uint64_t now, uint32_t event)
{
	bool failed = recovery->stage == STAGE_FAILED;

	recovery_clear_event(recovery);
	recovery->event = event;
	recovery->noticed = now;
	recovery->counts = !failed;
	/* Thawing alone would leave the devices isolated, or as a reset has left them. */
	recovery->must_reset = recovery->registers_lost;
	if (failed) {
		recovery->budget = (struct freeze_budget){0};
	}
}

/* Whether nothing has been decided of what was noticed, so that a request can do that. */
static bool is_undecided(enum recovery_stage stage)
{
	return stage == STAGE_CONFIRM || stage == STAGE_CONFIRM_PAUSE ||
	       stage == STAGE_AWAIT_REQUEST || stage == STAGE_AWAIT_REQUEST_LOOK;
}

int recovery_request(struct recovery *recovery, uint64_t now, uint32_t event, uint32_t *ret_event,
		     struct error *error)
{
	bool between = recovery->stage == STAGE_IDLE || recovery->stage == STAGE_FAILED;

	if (recovery->action_count > 0 || !(between || is_undecided(recovery->stage))) {
		return refuse_request(recovery, error);
	}
	if (between && event == 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0, "event 0 is none");
	}
	if (between) {
		begin_request(recovery, now, event);
	} else if (!recovery->event) {
		recovery->event = recovery->number;
	}
	*ret_event = recovery->event;
	recovery_begin_requested(recovery, now);
	return 0;
}

/* An operation that nobody has taken yet is not to be carried out. It is the last action. */
static void drop_operation(struct recovery *recovery)
{
	uint32_t last = recovery->first_action + recovery->action_count + RECOVERY_ACTIONS_MAX - 1;

	if (recovery->action_count > 0 &&
	    recovery->actions[last % RECOVERY_ACTIONS_MAX].kind == RECOVERY_ACTION_OPERATE) {
		recovery->action_count--;
	}
}

void recovery_abort(struct recovery *recovery, uint64_t now, const char *why)
{
	drop_operation(recovery);
	if (recovery->event) {
		(void)snprintf(recovery->why, sizeof(recovery->why), "%s", why);
		(void)recovery_push(recovery, RECOVERY_ACTION_DISCONNECT);
		recovery_push_done(recovery, now, false);
	}
	recovery_clear_event(recovery);
	recovery->stage = STAGE_IDLE;
	recovery->operating = false;
	recovery->overdue = NEVER;
	recovery->wake = NEVER;
	recovery->registers_lost = false;
}

/* -- outputs -- */

uint64_t recovery_deadline(const struct recovery *recovery)
{
	return recovery->overdue < recovery->wake ? recovery->overdue : recovery->wake;
}

enum recovery_phase recovery_phase(const struct recovery *recovery)
{
	return recovery_stage_phase(recovery->stage);
}

uint32_t recovery_event(const struct recovery *recovery)
{
	return recovery->event;
}

bool recovery_lets_operate(const struct recovery *recovery)
{
	return recovery->stage == STAGE_IDLE || recovery->stage == STAGE_AWAIT_REQUEST ||
	       recovery->stage == STAGE_FAILED;
}

static uint64_t freeze_window(const struct recovery *recovery)
{
	return (uint64_t)recovery->policy.freeze_window_seconds * 1000;
}

uint32_t recovery_freezes(const struct recovery *recovery)
{
	return recovery->freezes;
}

uint32_t recovery_freezes_left(const struct recovery *recovery, uint64_t now)
{
	return freeze_budget_left(&recovery->budget, now, recovery->policy.most_freezes,
				  freeze_window(recovery));
}
