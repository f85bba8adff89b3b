/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way of an event from the first reset on. The functions for what a stage has waited for are in
 * the order of the way. */
#include <stdio.h>

#include "eeh/recovery_private.h"

void recovery_try_reset(struct recovery *recovery, uint64_t now)
{
	recovery->tries++;
	recovery->settled = false;
	recovery->configured = false;
	recovery->thawed = false;
	recovery->hold_until = recovery_after(now, recovery->policy.hold);
	recovery->settle_until =
		recovery_after(now, (uint64_t)recovery->policy.hold + recovery->policy.settle);
	recovery_enter(recovery, now, STAGE_ASSERT);
}

void recovery_start_reset(struct recovery *recovery, uint64_t now)
{
	enum recovery_reset first = recovery->policy.first_reset;

	recovery->resetting = true;
	recovery->tries = 0;
	recovery->fundamental = first == RECOVERY_RESET_FUNDAMENTAL ||
				(first == RECOVERY_RESET_AUTO && recovery->needs_fundamental);
	recovery_try_reset(recovery, now);
}

static const char *reset_name(const struct recovery *recovery)
{
	return recovery_operation_name(recovery->fundamental ? RECOVERY_OPERATION_RESET_FUNDAMENTAL
							     : RECOVERY_OPERATION_RESET_HOT);
}

/* The reset didn't help: once more, by another kind, or not at all. */
void recovery_try_failed(struct recovery *recovery, uint64_t now, const char *why)
{
	bool used_up = recovery->tries >= recovery->policy.reset_tries;

	if (used_up && (recovery->fundamental || recovery->policy.no_escalation)) {
		recovery_fail(recovery, now, "%s, try %u, the last: %s", reset_name(recovery),
			      recovery->tries, why);
		return;
	}
	recovery_note(recovery, "%s, try %u: %s", reset_name(recovery), recovery->tries, why);
	if (used_up) {
		recovery->fundamental = true;
		recovery->tries = 0;
	}
	/* Nothing helps while the host works on the bridge above (H48). */
	if (recovery->condition == PE_UNAVAILABLE && now < recovery->host_by) {
		recovery_wait_for_host(recovery, now);
	} else {
		recovery_pause_until(recovery, STAGE_RETRY_PAUSE,
				     recovery_after(now, recovery->policy.retry_pause));
	}
}

void recovery_handle_retry_pause(struct recovery *recovery, uint64_t now)
{
	recovery_try_reset(recovery, now);
}

void recovery_handle_hold(struct recovery *recovery, uint64_t now)
{
	recovery_enter(recovery, now, STAGE_DEACTIVATE);
}

/* Firmware's EIO is normal (measured: "Error -6 on fundamental reset"). */
void recovery_handle_assert(struct recovery *recovery, uint64_t now,
			    const struct recovery_result *result)
{
	if (result->code != 0) {
		recovery_try_failed(recovery, now, "it was refused");
	} else if (now < recovery->hold_until) {
		recovery_pause_until(recovery, STAGE_HOLD, recovery->hold_until);
	} else {
		recovery_handle_hold(recovery, now);
	}
}

void recovery_handle_settle(struct recovery *recovery, uint64_t now)
{
	recovery_enter(recovery, now, STAGE_NORMAL_LOOK);
}

void recovery_handle_deactivate(struct recovery *recovery, uint64_t now,
				const struct recovery_result *result)
{
	if (result->code != 0) {
		recovery_try_failed(recovery, now, "it did not end");
		return;
	}
	recovery->normal_by = recovery_after(now, recovery->policy.normal_timeout);
	if (now < recovery->settle_until) {
		recovery_pause_until(recovery, STAGE_SETTLE, recovery->settle_until);
	} else {
		recovery_handle_settle(recovery, now);
	}
}

/* Once it is back, or frozen still: DEACTIVATE thaws, but reports nothing of that. */
void recovery_handle_normal_look(struct recovery *recovery, uint64_t now,
				 const struct recovery_result *result)
{
	bool stopped = recovery_is_stopped(recovery_seen(result));
	bool again = stopped && (recovery->thawed || recovery->settled);

	recovery->settled = recovery_is_back(result);
	if (again) {
		recovery_try_failed(recovery, now, "stopped again");
	} else if (!recovery->configured && (recovery->settled || stopped)) {
		recovery_enter(recovery, now, STAGE_CONFIGURE);
	} else if (stopped) {
		recovery_enter(recovery, now, STAGE_UNFREEZE_IO);
	} else if (recovery->settled) {
		recovery_enter(recovery, now, STAGE_RESTORE);
	} else if (now < recovery->normal_by) {
		uint64_t next = recovery_after(now, recovery->policy.fast_poll);

		recovery_pause_until(recovery, STAGE_NORMAL_PAUSE,
				     next < recovery->normal_by ? next : recovery->normal_by);
	} else {
		recovery_try_failed(recovery, now, "not normal in time afterwards");
	}
}

void recovery_handle_normal_pause(struct recovery *recovery, uint64_t now)
{
	recovery_enter(recovery, now, STAGE_NORMAL_LOOK);
}

void recovery_handle_configure(struct recovery *recovery, uint64_t now,
			       const struct recovery_result *result)
{
	if (result->code != 0) {
		recovery_try_failed(recovery, now, "the bridges could not be configured");
		return;
	}
	recovery->configured = true;
	if (recovery->settled && recovery->condition == PE_NORMAL) {
		recovery_enter(recovery, now, STAGE_RESTORE);
	} else {
		recovery_enter(recovery, now, STAGE_NORMAL_LOOK);
	}
}

void recovery_handle_unfreeze_io(struct recovery *recovery, uint64_t now,
				 const struct recovery_result *result)
{
	if (result->code != 0) {
		recovery_try_failed(recovery, now, "MMIO could not be thawed afterwards");
	} else {
		recovery_enter(recovery, now, STAGE_UNFREEZE_DMA);
	}
}

void recovery_handle_unfreeze_dma(struct recovery *recovery, uint64_t now,
				  const struct recovery_result *result)
{
	if (result->code != 0) {
		recovery_try_failed(recovery, now, "DMA could not be thawed afterwards");
		return;
	}
	recovery->thawed = true;
	recovery_enter(recovery, now, STAGE_NORMAL_LOOK);
}

void recovery_handle_restore(struct recovery *recovery, uint64_t now,
			     const struct recovery_result *result)
{
	if (result->code != 0) {
		recovery_try_failed(recovery, now, "registers could not be put back");
	} else if (pe_condition_is_frozen(result->condition)) {
		recovery_try_failed(recovery, now, "stopped again while registers were put back");
	} else {
		recovery->registers_lost = false;
		recovery_enter(recovery, now, STAGE_VERIFY);
	}
}

void recovery_handle_verify(struct recovery *recovery, uint64_t now,
			    const struct recovery_result *result)
{
	if (result->code != 0) {
		recovery_fail(recovery, now, "windows or mappings are not what they were: %s",
			      error_sentence((enum error_code)result->code));
	} else if (pe_condition_is_frozen(result->condition)) {
		recovery_try_failed(recovery, now, "stopped again");
	} else {
		(void)recovery_push(recovery, RECOVERY_ACTION_SLOT_RESET);
		recovery_open_step(recovery, now, STAGE_SLOT_RESET);
	}
}

void recovery_handle_slot_reset(struct recovery *recovery, uint64_t now)
{
	switch (recovery->merged) {
	case VERDICT_DISCONNECT:
		recovery_fail(recovery, now, "a participant gave it up after the reset");
		break;
	case VERDICT_NEED_RESET:
		recovery_try_failed(recovery, now, "a participant needs another one");
		break;
	case VERDICT_NONE:
	case VERDICT_RECOVERED:
	case VERDICT_CAN_RECOVER:
		recovery_enter(recovery, now, STAGE_LAST_LOOK);
		break;
	}
}

/* What the participants did may have frozen it again. */
void recovery_handle_last_look(struct recovery *recovery, uint64_t now,
			       const struct recovery_result *result)
{
	if (pe_condition_is_frozen(recovery_seen(result))) {
		recovery_try_failed(recovery, now, "stopped again by its users");
		return;
	}
	if (!recovery_is_back(result)) {
		recovery_try_failed(recovery, now, "not normal after its users");
		return;
	}
	(void)snprintf(recovery->why, sizeof(recovery->why), "%s, try %u", reset_name(recovery),
		       recovery->tries);
	recovery_resume(recovery, now);
}
