/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside the recovery of a PE: recovery.c has its inputs and outputs, recovery_votes.c its
 * participants, recovery_stage.c its stages, recovery_way.c and recovery_reset.c what
 * happens in them.
 *
 * The state is one plain value without pointers, so that tests can copy and compare it.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "eeh/budget.h"
#include "eeh/recovery.h"

/* A time that doesn't come. */
#define NEVER UINT64_MAX

/*
 * Actions that may wait to be taken. While one waits, inputs that go on with an event are left
 * alone; only recovery_leave may then still end the step under way, once, and recovery_abort end
 * the event. An input adds six actions at most (notes on the operation and on the host,
 * ErrorDetected, notes on the votes and on the registers, an operation), the end of a step three of
 * these, the abort two. test-recovery-orders.c watches over that.
 */
#define RECOVERY_ACTIONS_MAX 16

/* Where an event is. Each stage waits for one thing: an operation, a time, votes, or an input. */
enum recovery_stage {
	STAGE_IDLE,
	STAGE_CONFIRM, /* LOOK: whether it is a freeze; the event has not begun yet */
	STAGE_CONFIRM_PAUSE,
	STAGE_REQUESTED, /* LOOK: what a request has to do with */
	STAGE_AWAIT_REQUEST,
	STAGE_AWAIT_REQUEST_LOOK, /* LOOK: whether somebody else has thawed it meanwhile */
	STAGE_AWAIT_HOST,
	STAGE_AWAIT_HOST_LOOK,
	STAGE_ERROR_DETECTED, /* votes */
	STAGE_COLLECT_THAW,
	STAGE_COLLECT_SAVE,
	STAGE_MMIO_ENABLED, /* votes */
	STAGE_THAW_DMA,
	STAGE_THAW_LOOK,
	STAGE_THAW_VERIFY,
	STAGE_ASSERT, /* the reset */
	STAGE_HOLD,
	STAGE_DEACTIVATE,
	STAGE_SETTLE,
	STAGE_NORMAL_LOOK, /* whether it is back */
	STAGE_NORMAL_PAUSE,
	STAGE_CONFIGURE,
	STAGE_UNFREEZE_IO, /* what the reset left frozen */
	STAGE_UNFREEZE_DMA,
	STAGE_RESTORE,
	STAGE_VERIFY,
	STAGE_SLOT_RESET, /* votes */
	STAGE_LAST_LOOK,  /* whether it is still normal after them */
	STAGE_RETRY_PAUSE,
	STAGE_ISOLATE,
	STAGE_STUCK, /* an operation doesn't end; the event has failed */
	STAGE_LATE_ISOLATE,
	STAGE_FAILED,
	STAGE_COUNT,
};

struct recovery_participant {
	uint32_t cookie;
	bool takes_part; /* in the event; it was neither late nor did it join afterwards */
	bool voted;      /* in the step under way */
};

struct recovery {
	struct recovery_policy policy;
	bool needs_fundamental;
	enum recovery_stage stage;

	/* the event */
	uint32_t event;              /* under way, or 0 */
	uint32_t number;             /* of the event that STAGE_CONFIRM may begin */
	uint64_t noticed;            /* when */
	enum pe_condition condition; /* last known */
	enum pe_condition channel;   /* what participants are told: how it began */
	uint32_t freezes;
	struct freeze_budget budget;
	bool over_budget;
	bool counts;          /* the freeze is a new one, for the budget */
	bool announced;       /* FROZEN is out */
	bool requested;       /* so manual mode doesn't wait */
	bool must_reset;      /* thawing won't do */
	uint64_t host_by;     /* until when the host is waited for; NEVER: it wasn't yet */
	unsigned int samples; /* that said nothing */
	unsigned int gone;    /* looks in a row that say so: one of them is none (H43) */
	char why[RECOVERY_TEXT_SIZE];

	/* What registers there are is not worth being saved: the host's reset took them, or an
	 * event that failed left them anyhow. Outlives events; ends when they are put back. */
	bool registers_lost;

	/* the operation */
	bool operating;
	bool doubting; /* it is a LOOK that interrupts a stage, which found the PE to be gone */
	enum recovery_operation operation;
	uint64_t overdue; /* when */

	/* the reset */
	bool resetting; /* at least one was tried */
	bool fundamental;
	uint32_t tries;      /* of this kind that have begun */
	uint64_t hold_until; /* asserted */
	uint64_t settle_until;
	uint64_t normal_by;
	bool settled; /* the last look was good */
	bool configured;
	bool thawed;

	uint64_t wake; /* what the stage waits for */

	/* votes */
	struct recovery_participant participants[RECOVERY_PARTICIPANTS_MAX];
	uint32_t participant_count;
	enum verdict merged; /* in the step under way, or the last one */

	/* actions, a ring */
	struct recovery_action actions[RECOVERY_ACTIONS_MAX];
	uint32_t first_action;
	uint32_t action_count;
};

/* -- recovery.c -- */

/* An action of the event, to be filled further. */
struct recovery_action *recovery_push(struct recovery *recovery, enum recovery_action_kind kind);

void recovery_note(struct recovery *recovery, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The end of an event: DONE with recovery->why. */
void recovery_push_done(struct recovery *recovery, uint64_t now, bool recovered);

/* now + milliseconds, or NEVER. */
uint64_t recovery_after(uint64_t now, uint64_t milliseconds);

/* -- recovery_votes.c -- */

/* Everybody who has joined takes part from here on. */
void recovery_enrol(struct recovery *recovery);

/* Ask for votes in the stage; with nobody to ask the step ends at once. */
void recovery_open_step(struct recovery *recovery, uint64_t now, enum recovery_stage stage);

/* Those who have not voted are late; the step ends. */
void recovery_close_step(struct recovery *recovery, uint64_t now);

/* Which step asks for votes in the stage. Whether one does. */
bool recovery_stage_step(enum recovery_stage stage, enum vote_step *ret_step);

/* -- recovery_stage.c -- */

enum recovery_phase recovery_stage_phase(enum recovery_stage stage);

/* A stage that waits for an operation, which is asked for. */
void recovery_enter(struct recovery *recovery, uint64_t now, enum recovery_stage stage);

/* A stage that waits for a time. */
void recovery_pause_until(struct recovery *recovery, enum recovery_stage stage, uint64_t until);

/* Go on after votes (recovery->merged), an operation, a time. */
void recovery_step_ended(struct recovery *recovery, uint64_t now);
void recovery_operation_ended(struct recovery *recovery, uint64_t now,
			      const struct recovery_result *result);
void recovery_time_came(struct recovery *recovery, uint64_t now);

/* The operation under way takes too long. */
void recovery_operation_overdue(struct recovery *recovery, uint64_t now);

/* What belongs to one event alone is as before the first. */
void recovery_clear_event(struct recovery *recovery);

/* What a result says: PE_UNKNOWN when the operation failed, for then it may say anything. */
enum pe_condition recovery_seen(const struct recovery_result *result);

/* Whether the PE is normal and all of its devices answer. */
bool recovery_is_back(const struct recovery_result *result);

/* Frozen, and neither gone nor in the host's hands. */
bool recovery_is_stopped(enum pe_condition condition);

/* -- recovery_way.c -- */

/* Look whether the PE that was noticed is frozen (a new event). */
void recovery_confirm(struct recovery *recovery, uint64_t now, uint32_t event,
		      enum pe_condition condition);

/* Look what the PE of the request is like; the event has begun. */
void recovery_begin_requested(struct recovery *recovery, uint64_t now);

/* Look whether somebody else has ended what waits for a request. */
void recovery_doubt_freeze(struct recovery *recovery, uint64_t now);

/* Tell of the freeze, and count it; once for an event. */
void recovery_announce(struct recovery *recovery, uint64_t now, enum pe_condition condition);

/* The host resets the bridge above, and leaves the PE frozen (H48). */
void recovery_wait_for_host(struct recovery *recovery, uint64_t now);

/* Save the registers, if they are worth it, and decide by the votes of error-detected. */
void recovery_save(struct recovery *recovery, uint64_t now);
void recovery_decide(struct recovery *recovery, uint64_t now);

/* The end of an event; what follows it is STAGE_IDLE when it has recovered. */
void recovery_resume(struct recovery *recovery, uint64_t now);
void recovery_end_failed(struct recovery *recovery, uint64_t now, enum recovery_stage stage);

/* Permanent failure. */
void recovery_fail(struct recovery *recovery, uint64_t now, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* -- recovery_reset.c -- */

/* The first reset of an event, and another one. */
void recovery_start_reset(struct recovery *recovery, uint64_t now);
void recovery_try_reset(struct recovery *recovery, uint64_t now);

/* The reset didn't help: once more, by another kind, or not at all. */
void recovery_try_failed(struct recovery *recovery, uint64_t now, const char *why);

/* -- what the stages call; in recovery_way.c and recovery_reset.c -- */

void recovery_handle_await_host(struct recovery *recovery, uint64_t now);
void recovery_handle_await_host_look(struct recovery *recovery, uint64_t now,
				     const struct recovery_result *result);
void recovery_handle_confirm(struct recovery *recovery, uint64_t now,
			     const struct recovery_result *result);
void recovery_handle_confirm_pause(struct recovery *recovery, uint64_t now);
void recovery_handle_requested(struct recovery *recovery, uint64_t now,
			       const struct recovery_result *result);
void recovery_handle_await_request_look(struct recovery *recovery, uint64_t now,
					const struct recovery_result *result);
void recovery_handle_error_detected(struct recovery *recovery, uint64_t now);
void recovery_handle_collect_thaw(struct recovery *recovery, uint64_t now,
				  const struct recovery_result *result);
void recovery_handle_collect_save(struct recovery *recovery, uint64_t now,
				  const struct recovery_result *result);
void recovery_handle_mmio_enabled(struct recovery *recovery, uint64_t now);
void recovery_handle_thaw_dma(struct recovery *recovery, uint64_t now,
			      const struct recovery_result *result);
void recovery_handle_thaw_look(struct recovery *recovery, uint64_t now,
			       const struct recovery_result *result);
void recovery_handle_thaw_verify(struct recovery *recovery, uint64_t now,
				 const struct recovery_result *result);
void recovery_handle_isolate(struct recovery *recovery, uint64_t now,
			     const struct recovery_result *result);
void recovery_handle_late_isolate(struct recovery *recovery, uint64_t now,
				  const struct recovery_result *result);
void recovery_handle_stuck(struct recovery *recovery, uint64_t now,
			   const struct recovery_result *result);
void recovery_handle_retry_pause(struct recovery *recovery, uint64_t now);
void recovery_handle_hold(struct recovery *recovery, uint64_t now);
void recovery_handle_assert(struct recovery *recovery, uint64_t now,
			    const struct recovery_result *result);
void recovery_handle_settle(struct recovery *recovery, uint64_t now);
void recovery_handle_deactivate(struct recovery *recovery, uint64_t now,
				const struct recovery_result *result);
void recovery_handle_normal_look(struct recovery *recovery, uint64_t now,
				 const struct recovery_result *result);
void recovery_handle_normal_pause(struct recovery *recovery, uint64_t now);
void recovery_handle_configure(struct recovery *recovery, uint64_t now,
			       const struct recovery_result *result);
void recovery_handle_unfreeze_io(struct recovery *recovery, uint64_t now,
				 const struct recovery_result *result);
void recovery_handle_unfreeze_dma(struct recovery *recovery, uint64_t now,
				  const struct recovery_result *result);
void recovery_handle_restore(struct recovery *recovery, uint64_t now,
			     const struct recovery_result *result);
void recovery_handle_verify(struct recovery *recovery, uint64_t now,
			    const struct recovery_result *result);
void recovery_handle_slot_reset(struct recovery *recovery, uint64_t now);
void recovery_handle_last_look(struct recovery *recovery, uint64_t now,
			       const struct recovery_result *result);
