/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The recovery of one PE: the kernel's PCI error recovery protocol
 * (Documentation/PCI/pci-error-recovery.rst, eeh_handle_normal_event in
 * arch/powerpc/kernel/eeh_driver.c) for programs outside the kernel.
 *
 * A state machine without a clock, a bus or a kernel: what happens goes in with the time of it, and
 * what is to be done comes out as actions, to be taken one after the other
 * (recovery_take_action) after each input. While actions are left, what could add to them without
 * bound is refused or left alone: notices, results, times, requests and votes. An operation is the
 * last action of its input. Nothing here fails for lack of memory once it is made.
 *
 * Concepts
 *   event        one freeze and what became of it, by a number that is chosen by the caller, not 0.
 *   participant  who joined, by a cookie. It votes in each step; who joins after error-detected
 *                was told takes part from the next event on. Who is late, leaves without having
 *                voted in the step under way, or leaves before it could look at the device
 *                (mmio-enabled), counts as unaware for the rest of the event: its vote is
 *                need-reset in this step (after a reset: it has none), and there is none of it
 *                later, so that a late vote can't be taken for one of another step.
 *   step         error-detected, mmio-enabled and slot-reset ask for votes; in between operations
 *                are carried out, one at a time.
 *   isolation    the devices of an event that failed are kept from their PE: it stays as it is, and
 *                nothing but recovery_request begins anew (permanent failure).
 *
 * The way of an event:
 *
 *   noticed, look, Frozen; unavailable: wait for the host, then reset; manual: wait for a request;
 *   budget; error-detected; thaw MMIO, save registers; then
 *     all can recover:  mmio-enabled, thaw DMA, look, verify, resume
 *     else:             reset (hot or fundamental; retried, escalated), hold, deactivate, settle,
 *                       wait until normal, configure, thaw if need be, restore, verify, slot-reset,
 *                       look, resume
 *
 * Whatever fails on the way with thawing leads to the reset; whatever fails after a reset, or the
 * PE found frozen again there, is a failed try of it. A PE is believed to be gone after two looks
 * in a row that say so (H43). While the host works on the bridge above, a failed try waits for that
 * (H48). Registers are saved only while they are the devices' own: not after a reset that failed,
 * the host's reset of the bridge, or the isolation, so that RESTORE has what was saved before.
 *
 * disconnect, the budget's end, a PE that is gone, or resets that are used up end in failure.
 * Times are in milliseconds of one clock that never goes back.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/recovery_policy.h"
#include "eeh/state.h"
#include "eeh/vote.h"

#define RECOVERY_PARTICIPANTS_MAX 64
#define RECOVERY_TEXT_SIZE        128

struct recovery;

enum recovery_phase {
	RECOVERY_IDLE,
	RECOVERY_AWAITING_REQUEST, /* manual mode: frozen, and nothing is done */
	RECOVERY_AWAITING_HOST,    /* the host recovers the bridge above */
	RECOVERY_ERROR_DETECTED,   /* votes */
	RECOVERY_COLLECTING,       /* MMIO is thawed, registers are saved */
	RECOVERY_MMIO_ENABLED,     /* votes */
	RECOVERY_THAWING,          /* DMA, and MMIO where that is still to be done */
	RECOVERY_RESETTING,        /* the reset is asserted, held, deasserted */
	RECOVERY_SETTLING,         /* until the PE is normal and its devices answer */
	RECOVERY_RESTORING,        /* configured, registers put back, windows verified */
	RECOVERY_SLOT_RESET,       /* votes */
	RECOVERY_FAILED,           /* permanent failure, from the isolation on: as idle, but that
				      nothing is noticed */
};

/* "idle", "awaiting-request", …: the property Recovery. Static. */
const char *recovery_phase_name(enum recovery_phase phase);

/* What the machine has done to a PE. */
enum recovery_operation {
	RECOVERY_OPERATION_LOOK, /* state, flags and a config read; nothing else */
	RECOVERY_OPERATION_UNFREEZE_IO,
	RECOVERY_OPERATION_UNFREEZE_DMA,
	RECOVERY_OPERATION_RESET_HOT,
	RECOVERY_OPERATION_RESET_FUNDAMENTAL,
	RECOVERY_OPERATION_DEACTIVATE,
	RECOVERY_OPERATION_CONFIGURE,
	RECOVERY_OPERATION_SAVE,    /* config space, MSI-X tables, for the record and for RESTORE */
	RECOVERY_OPERATION_RESTORE, /* what the reset took */
	RECOVERY_OPERATION_VERIFY,  /* windows and mappings against the ledger */
	RECOVERY_OPERATION_ISOLATE, /* keep the devices from DMA: they failed */
	RECOVERY_OPERATION_COUNT,
};

/* "look", "unfreeze-io", …: for the record. Static. */
const char *recovery_operation_name(enum recovery_operation operation);

enum recovery_action_kind {
	RECOVERY_ACTION_OPERATE, /* `operation`; ends with recovery_operation_done */
	RECOVERY_ACTION_FROZEN,  /* the signal Frozen, with `condition` */
	/* The signals. ERROR_DETECTED has in `condition` how it began: PE_UNAVAILABLE when the host
	 * has reset the bridge above, else the state that was found. */
	RECOVERY_ACTION_ERROR_DETECTED,
	RECOVERY_ACTION_MMIO_ENABLED,
	RECOVERY_ACTION_SLOT_RESET,
	RECOVERY_ACTION_RESUME,
	RECOVERY_ACTION_DISCONNECT, /* at most one, right before DONE */
	RECOVERY_ACTION_DONE, /* the signal RecoveryDone: `recovered`, `milliseconds`, `text` */
	RECOVERY_ACTION_NOTE, /* for the record only: `text` */
};

struct recovery_action {
	enum recovery_action_kind kind;
	uint32_t event;
	enum recovery_operation operation;
	enum pe_condition condition;
	bool recovered;
	uint32_t milliseconds; /* since the freeze was noticed */
	char text[RECOVERY_TEXT_SIZE];
};

/* How an operation ended. */
struct recovery_result {
	int code;                    /* 0 or an enum error_code */
	int errnum;                  /* behind code */
	enum pe_condition condition; /* afterwards, as far as known */
	uint32_t silent;             /* open devices that did not answer a config read */
};

/* The policy holds until recovery_set_policy. 0 or -ENOMEM. */
int recovery_new(const struct recovery_policy *policy, struct recovery **ret_recovery);

/* Takes NULL, returns NULL. */
struct recovery *recovery_free(struct recovery *recovery);

/* An event that is under way keeps the times that have begun. */
void recovery_set_policy(struct recovery *recovery, const struct recovery_policy *policy);

/* Whether the PE's devices are known to need a fundamental reset, which RECOVERY_RESET_AUTO goes
 * by. */
void recovery_set_needs_fundamental(struct recovery *recovery, bool needs);

/* -- inputs -- */

/*
 * The PE was found to be in a condition. When that is frozen (pe_condition_is_frozen), and no event
 * is under way, the machine looks once more, for one sample is none (H43). Then either an event
 * begins with the number `event` (not 0), which FROZEN tells, or it was a false alarm, which a note
 * tells. Whether the number was taken; until FROZEN no event is under way. In RECOVERY_FAILED
 * nothing begins. While an event waits for a request, PE_NORMAL and PE_GONE (after another look)
 * end it: somebody has thawed the PE by hand, or nothing can be done.
 */
bool recovery_notice(struct recovery *recovery, uint64_t now, uint32_t event,
		     enum pe_condition condition);

/* The operation of the last RECOVERY_ACTION_OPERATE has ended. */
void recovery_operation_done(struct recovery *recovery, uint64_t now,
			     const struct recovery_result *result);

/* recovery_deadline has come; harmless before.
 * An operation that takes longer than policy says can't be cancelled: its event fails at once, and
 * recovery_lets_operate says no until it is reported after all and the devices are isolated. */
void recovery_expire(struct recovery *recovery, uint64_t now);

/*
 * Begin a recovery on request, though the PE may be normal (then it is reset), or go on with one
 * that waits for that. After a failure the budget begins anew. *ret_event: the number of the event
 * that goes on (or was noticed, and is looked at still), or `event`, which is used then. An event
 * that a request begins has no FROZEN when the PE isn't frozen; when it is, that counts as a freeze
 * like any other, but after a failure.
 * ERROR_BUSY              one is under way, and goes on
 * ERROR_INVALID_ARGUMENT  `event` is 0
 */
int recovery_request(struct recovery *recovery, uint64_t now, uint32_t event, uint32_t *ret_event,
		     struct error *error);

/* The PE is not ours any more: its group or the worker has gone. An operation that is under way
 * will not be reported. What is under way fails with that text (DISCONNECT, DONE), and the phase is
 * RECOVERY_IDLE. Freezes and their budget are the hardware's, whoever has it: they stay, as do
 * participants. */
void recovery_abort(struct recovery *recovery, uint64_t now, const char *why);

/* -- participants -- */

/* ERROR_QUOTA_EXCEEDED. ERROR_INVALID_ARGUMENT: the cookie is 0, or one that has joined */
int recovery_join(struct recovery *recovery, uint32_t cookie, struct error *error);

/* ERROR_NOT_JOINED */
int recovery_leave(struct recovery *recovery, uint64_t now, uint32_t cookie, struct error *error);

/*
 * ERROR_NOT_JOINED        no such participant
 * ERROR_NOT_FOUND         the event is not the one under way (or none is); the text names that
 * ERROR_VOTE_CLOSED       it voted in this step already, was late before, joined after
 *                         error-detected was told, or no step asks for votes now
 * ERROR_INVALID_ARGUMENT  the verdict doesn't fit the step; the text names those that do
 */
int recovery_vote(struct recovery *recovery, uint64_t now, uint32_t cookie, uint32_t event,
		  enum verdict verdict, struct error *error);

/* -- outputs -- */

/* The next thing to do, until there is none. Whether there was one. */
bool recovery_take_action(struct recovery *recovery, struct recovery_action *ret_action);

/* When to call recovery_expire; UINT64_MAX: never. That is only so when nothing is awaited but
 * other inputs: no event is under way, it waits for a request, or an operation is overdue already.
 */
uint64_t recovery_deadline(const struct recovery *recovery);

enum recovery_phase recovery_phase(const struct recovery *recovery);

/* The event under way, from FROZEN or a request on to DONE, or 0. */
uint32_t recovery_event(const struct recovery *recovery);

/* Whether others may operate on the PE: no event is under way, or it waits for a request; and the
 * machine has no operation out. */
bool recovery_lets_operate(const struct recovery *recovery);

/* All freezes that were confirmed, and how many more the budget allows. */
uint32_t recovery_freezes(const struct recovery *recovery);
uint32_t recovery_freezes_left(const struct recovery *recovery, uint64_t now);
