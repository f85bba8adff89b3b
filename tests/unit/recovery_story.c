/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recovery_story.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "eeh/recovery_private.h"
#include "unit.h"

static const char *word(const struct recovery_action *action)
{
	switch (action->kind) {
	case RECOVERY_ACTION_OPERATE:
		return recovery_operation_name(action->operation);
	case RECOVERY_ACTION_FROZEN:
		return "frozen";
	case RECOVERY_ACTION_ERROR_DETECTED:
		return "error-detected";
	case RECOVERY_ACTION_MMIO_ENABLED:
		return "mmio-enabled";
	case RECOVERY_ACTION_SLOT_RESET:
		return "slot-reset";
	case RECOVERY_ACTION_RESUME:
		return "resume";
	case RECOVERY_ACTION_DISCONNECT:
		return "disconnect";
	case RECOVERY_ACTION_DONE:
		return action->recovered ? "recovered" : "failed";
	case RECOVERY_ACTION_NOTE:
		break;
	}
	return NULL;
}

/* Copy what waits to be taken; the watch takes it. */
static void read_actions(struct story *story)
{
	const struct recovery *recovery = story->recovery;

	story->line[0] = '\0';
	for (uint32_t i = 0; i < recovery->action_count; i++) {
		const struct recovery_action *action =
			&recovery->actions[(recovery->first_action + i) % RECOVERY_ACTIONS_MAX];
		const char *name = word(action);
		size_t length = strlen(story->line);

		if (name) {
			(void)snprintf(story->line + length, sizeof(story->line) - length, "%s%s",
				       length ? " " : "", name);
		} else {
			memcpy(story->note, action->text, sizeof(story->note));
		}
		if (action->kind == RECOVERY_ACTION_DONE) {
			story->done = *action;
		} else if (action->kind == RECOVERY_ACTION_FROZEN) {
			story->frozen = *action;
		} else if (action->kind == RECOVERY_ACTION_ERROR_DETECTED) {
			story->detected = *action;
		}
	}
}

static void expect(struct story *story, const char *expected)
{
	read_actions(story);
	(void)watch_actions(&story->watch, story->recovery, &story->policy, story->now);
	assert_string_equal(story->line, expected);
}

void story_begin(struct story *story, const struct recovery_policy *policy)
{
	*story = (struct story){.policy = RECOVERY_POLICY_DEFAULT, .now = 1000000};
	if (policy) {
		story->policy = *policy;
	}
	assert_int_equal(recovery_new(&story->policy, &story->recovery), 0);
}

void story_end(struct story *story)
{
	story->recovery = recovery_free(story->recovery);
	assert_null(story->recovery);
}

void story_notice(struct story *story, uint32_t event, enum pe_condition condition,
		  const char *expected)
{
	(void)recovery_notice(story->recovery, story->now, event, condition);
	expect(story, expected);
}

static void report(struct story *story, const struct recovery_result *result, const char *expected)
{
	recovery_operation_done(story->recovery, story->now, result);
	watch_result(&story->watch, result);
	expect(story, expected);
}

void story_result(struct story *story, enum pe_condition condition, const char *expected)
{
	report(story, &(struct recovery_result){.condition = condition}, expected);
}

void story_silent(struct story *story, enum pe_condition condition, const char *expected)
{
	report(story, &(struct recovery_result){.condition = condition, .silent = 1}, expected);
}

void story_error(struct story *story, enum pe_condition condition, const char *expected)
{
	report(story,
	       &(struct recovery_result){
		       .code = ERROR_KERNEL, .errnum = EIO, .condition = condition},
	       expected);
}

void story_expire(struct story *story, uint64_t after, const char *expected)
{
	assert_int_equal(recovery_deadline(story->recovery), story->now + after);
	if (after > 0) {
		recovery_expire(story->recovery, story->now + after - 1);
		expect(story, "");
	}
	story->now += after;
	watch_no_vote(&story->watch);
	recovery_expire(story->recovery, story->now);
	expect(story, expected);
}

void story_request(struct story *story, uint32_t event, uint32_t used, const char *expected)
{
	struct error error;
	uint32_t chosen = 0;

	if (recovery_request(story->recovery, story->now, event, &chosen, &error)) {
		fail_msg("%s", error.text);
	}
	assert_int_equal(chosen, used);
	watch_request(&story->watch, chosen);
	expect(story, expected);
}

void story_join(struct story *story, uint32_t cookie)
{
	assert_int_equal(recovery_join(story->recovery, cookie, NULL), 0);
	expect(story, "");
}

void story_leave(struct story *story, uint32_t cookie, const char *expected)
{
	watch_no_vote(&story->watch);
	assert_int_equal(recovery_leave(story->recovery, story->now, cookie, NULL), 0);
	expect(story, expected);
}

void story_vote(struct story *story, uint32_t cookie, enum verdict verdict, const char *expected)
{
	struct error error;

	if (recovery_vote(story->recovery, story->now, cookie, recovery_event(story->recovery),
			  verdict, &error)) {
		fail_msg("%s", error.text);
	}
	watch_vote(&story->watch, verdict);
	expect(story, expected);
}

void story_abort(struct story *story, const char *expected)
{
	recovery_abort(story->recovery, story->now, "the group has left");
	watch_abort(&story->watch);
	expect(story, expected);
}

void story_freeze(struct story *story, const char *expected)
{
	story_notice(story, 1, PE_STOPPED, "look");
	story_result(story, PE_STOPPED, expected);
}

void story_reset(struct story *story)
{
	/* It blocks for longer than is to be waited. */
	story->now += 3900;
	story_result(story, PE_STOPPED, "deactivate");
	story_result(story, PE_NORMAL, "look");
	story_result(story, PE_NORMAL, "configure");
	story_result(story, PE_NORMAL, "restore");
	story_result(story, PE_NORMAL, "verify");
}

void story_begin_reset(struct story *story, const struct recovery_policy *policy, const char *reset)
{
	story_begin(story, policy);
	story_freeze(story, "frozen error-detected unfreeze-io");
	story_result(story, PE_STOPPED_DMA, "save");
	story_result(story, PE_STOPPED_DMA, reset);
}

void story_recover(struct story *story, uint32_t event)
{
	story_notice(story, event, PE_STOPPED, "look");
	story_result(story, PE_STOPPED, "frozen error-detected unfreeze-io");
	story_result(story, PE_STOPPED_DMA, "save");
	story_result(story, PE_STOPPED_DMA, "reset-hot");
	story_reset(story);
	story_result(story, PE_NORMAL, "slot-reset look");
	story_result(story, PE_NORMAL, "resume recovered");
}
