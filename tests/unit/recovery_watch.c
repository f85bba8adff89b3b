/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recovery_watch.h"

#include <string.h>

#include "unit.h"

void watch_request(struct watch *watch, uint32_t event)
{
	if (watch->event == 0) {
		watch->event = event;
	}
	assert_int_equal(watch->event, event);
}

void watch_result(struct watch *watch, const struct recovery_result *result)
{
	assert_true(watch->operating);
	watch->operating = false;
	watch->overdue = false;
	if (watch->event == 0) {
		/* Of an event that has failed, or has not begun. */
		watch->isolating = false;
	} else if (watch->operation == RECOVERY_OPERATION_LOOK && result->code == 0 &&
		   result->condition == PE_NORMAL && result->silent == 0) {
		watch->looked_normal = true;
	}
}

void watch_vote(struct watch *watch, enum verdict verdict)
{
	assert_true(watch->voting);
	if (verdict == VERDICT_DISCONNECT) {
		watch->disconnect_votes = true;
	} else {
		watch->other_votes = true;
	}
}

void watch_no_vote(struct watch *watch)
{
	watch->other_votes = true;
}

void watch_abort(struct watch *watch)
{
	watch->operating = false;
	watch->overdue = false;
	watch->isolating = false;
}

/* The votes of a step count when what follows it begins. */
static void close_step(struct watch *watch)
{
	if (watch->voting) {
		watch->given_up = watch->disconnect_votes && !watch->other_votes;
	}
	watch->voting = false;
	watch->disconnect_votes = false;
	watch->other_votes = false;
}

static void judge_reset(struct watch *watch, const struct recovery_policy *policy,
			enum recovery_operation operation)
{
	bool fundamental = operation == RECOVERY_OPERATION_RESET_FUNDAMENTAL;

	assert_true(watch->detected);
	assert_false(watch->given_up);
	assert_true(fundamental || watch->resets[1] == 0);
	assert_true(++watch->resets[fundamental] <= policy->reset_tries);
	assert_false(fundamental && policy->no_escalation && watch->resets[0] > 0);
	watch->reset = true;
	watch->looked_normal = false;
}

static void judge_operation(struct watch *watch, const struct recovery_policy *policy,
			    enum recovery_operation operation)
{
	close_step(watch);
	assert_false(watch->operating);
	assert_false(watch->isolating);
	watch->operating = true;
	watch->operation = operation;
	switch (operation) {
	case RECOVERY_OPERATION_LOOK:
		break;
	case RECOVERY_OPERATION_UNFREEZE_IO:
		assert_true(watch->detected);
		break;
	case RECOVERY_OPERATION_UNFREEZE_DMA:
		assert_true(watch->detected);
		assert_false(watch->given_up);
		break;
	case RECOVERY_OPERATION_RESET_HOT:
	case RECOVERY_OPERATION_RESET_FUNDAMENTAL:
		judge_reset(watch, policy, operation);
		break;
	case RECOVERY_OPERATION_SAVE:
		/* What is read after a reset is nobody's. */
		assert_true(watch->detected);
		assert_false(watch->reset);
		break;
	case RECOVERY_OPERATION_DEACTIVATE:
	case RECOVERY_OPERATION_CONFIGURE:
		assert_true(watch->reset);
		assert_false(watch->given_up);
		break;
	case RECOVERY_OPERATION_RESTORE:
		assert_true(watch->reset);
		assert_true(watch->looked_normal);
		break;
	case RECOVERY_OPERATION_VERIFY:
		assert_true(watch->looked_normal);
		assert_false(watch->given_up);
		break;
	case RECOVERY_OPERATION_ISOLATE:
		watch->isolating = true;
		break;
	case RECOVERY_OPERATION_COUNT:
		fail();
	}
}

static void judge_done(struct watch *watch, const struct recovery_action *action)
{
	enum recovery_operation operation = watch->operation;
	bool operating = watch->operating;
	uint8_t dones = watch->dones;

	assert_int_equal(action->recovered, !watch->disconnected);
	/* Thawed by somebody else while it waited for a request: nobody was told anything. */
	assert_int_equal(action->recovered, watch->resumed || (!watch->disconnected &&
							       watch->frozen && !watch->detected));
	assert_true(action->text[0] != '\0');
	memset(watch, 0, sizeof(*watch));
	watch->operating = operating;
	watch->overdue = operating;
	watch->operation = operation;
	watch->dones = (uint8_t)(dones + 1);
}

static void judge(struct watch *watch, const struct recovery_policy *policy,
		  const struct recovery_action *action)
{
	if (action->kind == RECOVERY_ACTION_FROZEN) {
		assert_true(watch->event == 0 || watch->event == action->event);
		watch->event = action->event;
	}
	assert_true(action->event == watch->event || watch->event == 0);
	switch (action->kind) {
	case RECOVERY_ACTION_OPERATE:
		judge_operation(watch, policy, action->operation);
		return;
	case RECOVERY_ACTION_NOTE:
		assert_true(action->text[0] != '\0');
		return;
	case RECOVERY_ACTION_FROZEN:
		assert_true(pe_condition_is_frozen(action->condition));
		assert_false(watch->frozen || watch->detected);
		watch->frozen = true;
		return;
	case RECOVERY_ACTION_ERROR_DETECTED:
		assert_false(watch->detected);
		watch->detected = true;
		watch->looked_normal = false;
		watch->voting = true;
		break;
	case RECOVERY_ACTION_MMIO_ENABLED:
		assert_true(watch->detected);
		assert_false(watch->reset || watch->given_up);
		watch->voting = true;
		break;
	case RECOVERY_ACTION_SLOT_RESET:
		assert_true(watch->reset && watch->looked_normal);
		assert_false(watch->given_up);
		watch->voting = true;
		break;
	case RECOVERY_ACTION_RESUME:
		assert_true(watch->detected && watch->looked_normal);
		assert_false(watch->resumed || watch->given_up || watch->isolating);
		watch->resumed = true;
		break;
	case RECOVERY_ACTION_DISCONNECT:
		assert_false(watch->disconnected || watch->resumed);
		watch->disconnected = true;
		break;
	case RECOVERY_ACTION_DONE:
		judge_done(watch, action);
		return;
	}
	assert_true(watch->event != 0);
	assert_false(watch->disconnected && watch->resumed);
}

/* What the properties say, and whether somebody will wake it. */
static void judge_properties(const struct watch *watch, const struct recovery *recovery)
{
	enum recovery_phase phase = recovery_phase(recovery);
	bool at_rest = recovery_lets_operate(recovery);
	uint64_t deadline = recovery_deadline(recovery);

	assert_int_equal(recovery_event(recovery), watch->event);
	if (at_rest) {
		assert_false(watch->operating);
		assert_true(deadline == UINT64_MAX);
		assert_true(phase == RECOVERY_IDLE || phase == RECOVERY_FAILED ||
			    phase == RECOVERY_AWAITING_REQUEST);
	} else if (watch->overdue) {
		assert_true(deadline == UINT64_MAX);
		assert_int_equal(phase, RECOVERY_FAILED);
		assert_int_equal(watch->event, 0);
	} else if (watch->event) {
		assert_true(deadline != UINT64_MAX);
	}
	if (watch->event && at_rest) {
		assert_int_equal(phase, RECOVERY_AWAITING_REQUEST);
	}
}

unsigned int watch_actions(struct watch *watch, struct recovery *recovery,
			   const struct recovery_policy *policy, uint64_t now)
{
	struct recovery_action action;
	unsigned int count = 0;

	watch->dones = 0;
	for (; recovery_take_action(recovery, &action); count++) {
		judge(watch, policy, &action);
	}
	assert_true(watch->dones <= 1);
	assert_true(now <= recovery_deadline(recovery));
	judge_properties(watch, recovery);
	return count;
}
