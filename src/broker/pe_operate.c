/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking the worker, one thing at a time. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "broker/pe_private.h"
#include "common/cleanup.h"

/* -- turns -- */

static void run_turns(struct pe *pe)
{
	if (pe->running) {
		return; /* the one who is at it goes on */
	}
	pe->running = true;
	while (!pe->current && pe->first_turn) {
		struct pe_turn *turn = pe->first_turn;

		pe->first_turn = turn->next;
		pe->current = turn;
		turn->begin(turn);
	}
	pe->running = false;
}

void pe_take_turn(struct pe *pe, struct pe_turn *turn)
{
	struct pe_turn **last = &pe->first_turn;

	/* A recovery doesn't wait for what it would refuse anyway. */
	while (*last && !turn->recovers) {
		last = &(*last)->next;
	}
	turn->next = *last;
	*last = turn;
	run_turns(pe);
}

void pe_end_turn(struct pe *pe, struct pe_turn *turn)
{
	if (pe->current == turn) {
		pe->current = NULL;
		run_turns(pe);
	}
}

/* Those that wait; of the others all, or all that are not the recovery's. */
static void refuse_turns(struct pe *pe, bool recovers, const struct error *error)
{
	struct pe_turn **link = &pe->first_turn;

	while (*link) {
		struct pe_turn *turn = *link;

		if (turn->recovers && !recovers) {
			link = &turn->next;
			continue;
		}
		*link = turn->next;
		if (turn->refuse) {
			turn->refuse(turn, error);
		}
	}
}

void pe_refuse_turns(struct pe *pe, const struct error *error)
{
	refuse_turns(pe, false, error);
}

/* -- requests -- */

/* Nobody waits for it any more: a client is told why. */
static void forget_request(struct pe_request *request, const struct error *error)
{
	struct pe *pe = request->pe;
	struct pe_answer answer = {.error = *error, .condition = pe->condition};

	request->pe = NULL;
	switch (request->kind) {
	case PE_REQUEST_LOOK:
		pe->look = NULL;
		break;
	case PE_REQUEST_OPERATION:
		pe->operation = NULL;
		request->handler(request->userdata, &answer);
		break;
	case PE_REQUEST_RECOVERY:
		pe->step = NULL;
		break;
	case PE_REQUEST_SAVE:
		pe->save = NULL;
		break;
	}
}

static void refuse_request(struct pe_turn *turn, const struct error *error)
{
	struct pe_request *request = (struct pe_request *)turn;

	forget_request(request, error);
	free(request);
}

void pe_drop_turns(struct pe *pe, const struct error *error)
{
	struct pe_request *request = steal_pointer(pe->asked);

	pe->current = NULL;
	if (request) {
		forget_request(request, error);
		if (request->waits) {
			free(request); /* no answer of it is under way */
		}
	}
	pe_stop_timer(pe->busy_timer);
	refuse_turns(pe, true, error);
}

/* -- answers -- */

/* Asserted even when the firmware refuses it (EIO): the kernel freezes the PE and blocks its config
 * space before it asks (eeh_pe_reset). */
static bool is_reset(uint32_t operation)
{
	return operation == WORKER_PE_RESET_HOT || operation == WORKER_PE_RESET_FUNDAMENTAL;
}

static void finish_operation(struct pe *pe, const struct pe_request *request,
			     struct pe_result *result)
{
	uint32_t operation = request->body.operation;
	uint64_t milliseconds = result->took / 1000;
	struct pe_answer answer = {
		.milliseconds = milliseconds < UINT32_MAX ? (uint32_t)milliseconds : UINT32_MAX,
	};
	bool worked = result->error.code == ERROR_NONE;

	if (worked) {
		pe->condition = result->condition;
		(void)pe_check_result(operation, result->condition, &result->error);
		/* Enable thaws, but leaves config space blocked (eeh_pe_change_owner). */
		if (operation == WORKER_PE_DEACTIVATE) {
			pe->asserted = false;
		}
	}
	if (is_reset(operation) && (worked || result->error.code == ERROR_KERNEL)) {
		pe->asserted = true;
	}
	pe_record_operation(pe, operation, result);
	answer.error = result->error;
	answer.condition = pe->condition;
	/* Who is answered has been told what it has come to. */
	pe_tell(pe);
	request->handler(request->userdata, &answer);
	if (!worked || result->condition == PE_UNKNOWN) {
		pe_want_look(pe, RECORD_BY_OPERATION);
	} else {
		pe_notice(pe, RECORD_BY_OPERATION);
	}
}

static void finish_request(struct pe *pe, struct pe_request *request, struct pe_result *result)
{
	switch (request->kind) {
	case PE_REQUEST_LOOK:
		pe->look = NULL;
		pe_finish_look(pe, &result->error, result->condition);
		break;
	case PE_REQUEST_OPERATION:
		pe->operation = NULL;
		finish_operation(pe, request, result);
		break;
	case PE_REQUEST_RECOVERY:
		pe->step = NULL;
		pe_finish_step(pe, request->operation, result);
		break;
	case PE_REQUEST_SAVE: /* for later: what fails is saved again when the PE is frozen */
		pe->save = NULL;
		break;
	}
}

static void send_request(struct pe_request *request);

static int handle_busy_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pe *pe = userdata;

	(void)source;
	(void)usec;
	pe->asked->waits = false;
	send_request(pe->asked);
	return 0;
}

/*
 * The worker is at something else with the group or its container, or has too much to do: a
 * recovery waits for that, for it can't tell it from a failure of the PE.
 */
static bool waits_for_worker(struct pe_request *request, const struct pe_result *result)
{
	struct pe *pe = request->pe;
	uint64_t limit = UINT64_C(1000) * pe->policy.operation_timeout;
	bool busy = result->error.code == ERROR_BUSY || result->error.code == ERROR_QUOTA_EXCEEDED;

	request->waits = request->kind == PE_REQUEST_RECOVERY && busy && result->took < limit &&
			 pe_set_timer(pe, &pe->busy_timer, pe_now() + PE_BUSY_PAUSE_USEC, 1,
				      handle_busy_timer) >= 0;
	return request->waits;
}

static void handle_answer(void *userdata, const struct worker_answer *answer)
{
	struct pe_request *request = userdata;
	struct pe *pe = request->pe;
	struct pe_result result;

	if (!pe) {
		free(request); /* it came to an end before */
		return;
	}
	pe_read_answer(request, answer, &result);
	if (result.error.code == ERROR_WORKER_LOST) {
		pe_space_ends(pe, result.error.text);
		free(request);
		return;
	}
	if (waits_for_worker(request, &result)) {
		return;
	}
	pe->asked = NULL;
	finish_request(pe, request, &result);
	pe_end_turn(pe, &request->turn);
	free(request);
	pe_tell(pe);
	pe_update_watch(pe);
}

static void send_request(struct pe_request *request)
{
	struct pe *pe = request->pe;
	struct worker_answer failure = {.body = NULL};
	int r = pe_check_usable(pe, &failure.error);

	if (r == 0) {
		r = space_request(pe->group->space, WORKER_OPERATE_PE, &request->body,
				  sizeof(request->body), NULL, 0, handle_answer, request,
				  &failure.error);
	}
	if (r) {
		handle_answer(request, &failure);
	}
}

static void begin_request(struct pe_turn *turn)
{
	struct pe_request *request = (struct pe_request *)turn;

	request->pe->asked = request;
	request->began = pe_now();
	if (request->kind == PE_REQUEST_LOOK) {
		pe_begin_look(request->pe);
	}
	send_request(request);
}

int pe_ask(struct pe *pe, enum pe_request_kind kind, const struct worker_operate_pe *body,
	   struct pe_request **ret_request)
{
	struct pe_request *request = calloc(1, sizeof(*request));

	if (!request) {
		return -ENOMEM;
	}
	request->turn.begin = begin_request;
	request->turn.refuse = refuse_request;
	request->turn.recovers = kind == PE_REQUEST_RECOVERY;
	request->pe = pe;
	request->kind = kind;
	request->body = *body;
	*ret_request = request;
	return 0;
}

/* -- a client's -- */

static int check_operation(const struct pe *pe, const struct worker_operate_pe *request,
			   struct error *error)
{
	int r = pe_check_usable(pe, error);

	if (r) {
		return r;
	}
	if (request->operation == WORKER_PE_INJECT && !pe->policy.injection) {
		return error_set(error, ERROR_ACCESS_DENIED, 0,
				 "policy \"%s\" has no injection = yes in its [recovery]: errors "
				 "are not to be injected into %s",
				 pe->policy.name, pe_name(pe).text);
	}
	if (recovery_phase(pe->recovery) == RECOVERY_FAILED) {
		return error_set(error, ERROR_RECOVERY_FAILED, 0,
				 "%s has been given up: nothing but Recover, by an operator, is "
				 "done to it",
				 pe_name(pe).text);
	}
	r = is_reset(request->operation) ? pe_check_reset(pe, error) : 0;
	return r ? r : pe_check_request(pe, error);
}

int pe_operate(struct pe *pe, const struct worker_operate_pe *request, pe_answer_handler handler,
	       void *userdata, struct error *error)
{
	int r = check_operation(pe, request, error);

	if (r) {
		return r;
	}
	if (pe_ask(pe, PE_REQUEST_OPERATION, request, &pe->operation) < 0) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the operation");
	}
	pe->operation->body.group = pe->group->host->id;
	pe->operation->handler = handler;
	pe->operation->userdata = userdata;
	pe_take_turn(pe, &pe->operation->turn);
	pe_update_watch(pe);
	return 0;
}
