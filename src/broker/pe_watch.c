/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PE is watched: when its state is looked at, and who waits for that. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "broker/pe_private.h"
#include "common/cleanup.h"
#include "common/log.h"

/* A timer may be late by this part of its interval: hundreds of PEs then wake the broker a few
 * times in an interval rather than once each. */
#define LATENESS_PART 16U

/* An event that waits for a request doesn't keep the state from being shown. */
static bool polls(const struct pe *pe)
{
	switch (recovery_phase(pe->recovery)) {
	case RECOVERY_IDLE:
	case RECOVERY_AWAITING_REQUEST:
		return !pe->asserted && !pe->operation;
	case RECOVERY_FAILED: /* it stays as it is */
	case RECOVERY_AWAITING_HOST:
	case RECOVERY_ERROR_DETECTED:
	case RECOVERY_COLLECTING:
	case RECOVERY_MMIO_ENABLED:
	case RECOVERY_THAWING:
	case RECOVERY_RESETTING:
	case RECOVERY_SETTLING:
	case RECOVERY_RESTORING:
	case RECOVERY_SLOT_RESET:
		return false;
	}
	return false;
}

static uint64_t find_interval(const struct pe *pe, uint64_t now)
{
	return UINT64_C(1000) *
	       (now < pe->hint_until ? pe->policy.fast_poll : pe->policy.idle_poll);
}

/*
 * The next moment of the group's own in intervals that are the same for all. Group numbers that
 * follow each other are spread evenly by the golden ratio's fraction, however many there are.
 */
static uint64_t find_next_poll(const struct pe *pe, uint64_t now, uint64_t interval)
{
	uint64_t place = (uint32_t)(pe->group->host->id * UINT32_C(2654435769));
	uint64_t phase = interval * place >> 32;
	/* Not twice in a row because the last one came late. */
	uint64_t from = pe->looked + interval / 2 > now ? pe->looked + interval / 2 : now + 1;
	uint64_t next = from - from % interval + phase;

	return next < from ? next + interval : next;
}

static int handle_look_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pe *pe = userdata;
	const struct worker_operate_pe body = {.group = pe->group->host->id,
					       .operation = WORKER_PE_LOOK};
	struct error error;

	(void)source;
	(void)usec;
	pe->looking_for = pe->wanted ? pe->wanted_by : RECORD_BY_POLL;
	pe->wanted = false;
	if (pe->look) {
		return 0;
	}
	if (pe_ask(pe, PE_REQUEST_LOOK, &body, &pe->look) == 0) {
		pe_take_turn(pe, &pe->look->turn);
	} else {
		(void)error_set(&error, ERROR_KERNEL, ENOMEM, "no memory to look at %s",
				pe_name(pe).text);
		pe_answer_waiters(pe, &error);
	}
	pe_update_watch(pe);
	return 0;
}

void pe_update_watch(struct pe *pe)
{
	uint64_t now = pe_now();
	uint64_t interval = find_interval(pe, now);
	uint64_t next = UINT64_MAX;
	uint64_t accuracy = interval / LATENESS_PART;

	if (pe->watched && !pe->look) {
		if (polls(pe)) {
			next = find_next_poll(pe, now, interval);
		}
		if (pe->wanted && recovery_lets_operate(pe->recovery)) {
			next = pe->looked + PE_LOOK_GAP_USEC;
			accuracy = 1;
		}
	}
	if (next == UINT64_MAX) {
		pe_stop_timer(pe->look_timer);
	} else if (pe_set_timer(pe, &pe->look_timer, next, accuracy, handle_look_timer) < 0) {
		pe_log(pe, LOG_ERR, "look", NULL, "can't set the timer of %s, ignoring",
		       pe_name(pe).text);
	}
}

/* -- looks that are asked for -- */

void pe_want_look(struct pe *pe, enum record_source source)
{
	/* The stronger reason counts: a poll only comes across what somebody has seen. */
	pe->wanted_by = pe->wanted && pe->wanted_by > source ? pe->wanted_by : source;
	pe->wanted = true;
	pe_update_watch(pe);
}

void pe_hint(struct pe *pe)
{
	pe->hint_until = pe_now() + UINT64_C(1000) * pe->policy.fast_poll_for;
}

void pe_suspect(struct pe *pe)
{
	pe_hint(pe);
	pe_want_look(pe, RECORD_BY_OPERATION);
}

void pe_suspect_neighbours(const struct pe *pe)
{
	const struct manager *manager = pe->manager;
	uint32_t phb = pe->group->host->phb_id;

	for (size_t i = 0; phb != TOPOLOGY_UNKNOWN && i < manager->group_count; i++) {
		struct pe *other = manager->groups[i]->pe;

		if (other && other != pe && !other->wanted && other->watched &&
		    other->group->host->phb_id == phb) {
			pe_want_look(other, RECORD_BY_NEIGHBOUR);
		}
	}
}

/* The first of those that wait. They may ask again, and are the last ones then. */
static void answer_waiters(struct pe *pe, unsigned int count, const struct error *error)
{
	struct pe_waiter waiters[PE_CHECKS_MAX];
	struct pe_answer answer = {.condition = pe->condition};

	if (error) {
		answer.error = *error;
	}
	memcpy(waiters, pe->waiters, count * sizeof(*waiters));
	pe->waiter_count -= count;
	memmove(pe->waiters, pe->waiters + count, pe->waiter_count * sizeof(*waiters));
	for (unsigned int i = 0; i < count; i++) {
		waiters[i].handler(waiters[i].userdata, &answer);
	}
}

void pe_answer_waiters(struct pe *pe, const struct error *error)
{
	pe->looking_waiters = 0;
	answer_waiters(pe, pe->waiter_count, error);
}

/* Whether what is known has to do: nothing may be asked of the worker in between. */
static bool is_occupied(const struct pe *pe)
{
	return pe->operation || !recovery_lets_operate(pe->recovery);
}

int pe_check(struct pe *pe, pe_answer_handler handler, void *userdata, struct error *error)
{
	const struct pe_answer known = {.condition = pe->condition};
	int r = pe_check_usable(pe, error);

	if (r) {
		return r;
	}
	if (is_occupied(pe)) {
		handler(userdata, &known);
		return 0;
	}
	if (pe->waiter_count == PE_CHECKS_MAX) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "%u calls of Check wait for a look at %s: wait for an answer",
				 PE_CHECKS_MAX, pe_name(pe).text);
	}
	pe->waiters[pe->waiter_count++] =
		(struct pe_waiter){.handler = handler, .userdata = userdata};
	pe_hint(pe);
	pe_want_look(pe, RECORD_BY_CHECK);
	return 0;
}

void pe_begin_look(struct pe *pe)
{
	if (pe->wanted && pe->wanted_by > pe->looking_for) {
		pe->looking_for = pe->wanted_by;
	}
	pe->wanted = false;
	pe->looking_waiters = pe->waiter_count;
}

void pe_finish_look(struct pe *pe, const struct error *error, enum pe_condition condition)
{
	enum record_source source = pe->looking_for;
	unsigned int count = pe->looking_waiters;
	bool senseless = error->code != ERROR_NONE || condition == PE_UNKNOWN;

	pe->looked = pe_now();
	pe->looking_waiters = 0;
	pe->unknown_looks = senseless ? pe->unknown_looks + 1 : 0;
	if (senseless && pe->unknown_looks < PE_UNKNOWN_LOOKS) {
		/* It may have changed while it was looked at, or the worker was busy with it. */
		pe_want_look(pe, source);
		return;
	}
	pe->unknown_looks = 0;
	pe->condition = error->code != ERROR_NONE ? pe->condition : condition;
	pe_tell(pe);
	answer_waiters(pe, count, error->code != ERROR_NONE ? error : NULL);
	pe_notice(pe, source);
	pe_update_watch(pe);
}

/* -- the ERR interrupt -- */

void pe_error_rang(struct pe *pe)
{
	if (pe->watched) {
		pe_hint(pe);
		pe_want_look(pe, RECORD_BY_INTERRUPT);
	}
}
