/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Driving a PE's recovery: what happens goes in, what is to be done comes out, and all of it into
 * the record and the journal. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker/pe_private.h"
#include "common/log.h"

/* How late the recovery's own deadlines may be. */
#define DEADLINE_LATENESS_USEC UINT64_C(1000)

/* -- the journal -- */

struct number_text {
	char text[16];
};

static struct number_text number_text(uint32_t number, bool known)
{
	struct number_text result = {.text = ""};

	if (known) {
		(void)snprintf(result.text, sizeof(result.text), "%" PRIu32, number);
	}
	return result;
}

static const char *unless_empty(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

void pe_log(const struct pe *pe, int priority, const char *step, const char *outcome,
	    const char *format, ...)
{
	const struct topology_group *host = pe->group->host;
	struct log_object object = LOG_NO_OBJECT;
	const struct number_text event = number_text(pe->event, pe->event != 0);
	const struct number_text phb = number_text(host->phb_id, host->phb_id != TOPOLOGY_UNKNOWN);
	const struct number_text number =
		number_text(host->pe_number, host->pe_number != TOPOLOGY_UNKNOWN);
	const struct log_field fields[] = {
		{"SPAPRD_EVENT", unless_empty(event.text)},
		{"SPAPRD_PHB", unless_empty(phb.text)},
		{"SPAPRD_PE", unless_empty(number.text)},
		{"SPAPRD_LOCATION", unless_empty(pe->location)},
		{"SPAPRD_STATE", pe_condition_state(pe->condition)},
		{"SPAPRD_POLICY", pe->policy.name},
		{"SPAPRD_STEP", step},
		{"SPAPRD_OUTCOME", outcome},
	};
	char text[4 * RECOVERY_TEXT_SIZE];
	va_list arguments;

	object.group = (int)host->id;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_write_fields(priority, object, fields, sizeof(fields) / sizeof(*fields), "%s", text);
}

/* One step of the event: into the record, and into the journal for those who want all of it. */
static void note_step(struct pe *pe, uint64_t took, const char *step, const char *text)
{
	record_step(pe->record, pe_now(), took, step, "%s", text);
	pe->untold |= PE_CHANGED_LOG;
	pe_log(pe, LOG_DEBUG, step, NULL, "event %" PRIu32 ": %s%s%s", pe->event, step,
	       text[0] != '\0' ? ": " : "", text);
}

static void note_condition(struct pe *pe)
{
	if (pe->condition != pe->recorded_condition) {
		pe->recorded_condition = pe->condition;
		note_step(pe, 0, "state", pe_condition_text(pe->condition));
	}
}

/* -- events -- */

static uint64_t real_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* A number for an event that may begin. */
static void use_number(struct pe *pe, enum record_source source)
{
	struct manager *manager = pe->manager;

	if (++manager->next_event == 0) {
		manager->next_event = 1;
	}
	pe->noticed_by = source;
	pe->noticed = pe_now();
}

static void begin_event(struct pe *pe, uint32_t event)
{
	const struct topology_group *host = pe->group->host;
	struct error error;

	pe->event = event;
	if (host->device_count > 0) {
		topology_read_location(pe->manager->topology, host->devices[0], pe->location);
	}
	pe->recorded_condition = pe->condition;
	record_begin(pe->record, event, real_now() - (pe_now() - pe->noticed), pe->noticed,
		     pe->noticed_by, pe->condition);
	pe->untold |= PE_CHANGED_LOG;
	pe_log(pe, LOG_WARNING, "begin", NULL, "event %" PRIu32 ": %s: %s, by %s%s%s", event,
	       pe_name(pe).text, pe_condition_text(pe->condition),
	       record_source_name(pe->noticed_by), pe->location[0] != '\0' ? ", at " : "",
	       pe->location);
	(void)error_set(&error, ERROR_BUSY, 0, "%s is being recovered: event %" PRIu32,
			pe_name(pe).text, event);
	pe_refuse_turns(pe, &error);
	pe->wanted = false;
	pe_answer_waiters(pe, NULL);
}

/* A freeze that was noticed becomes an event when the recovery has made sure of it. */
static void follow_event(struct pe *pe, uint32_t event)
{
	if (event != 0 && event != pe->event) {
		begin_event(pe, event);
	}
}

void pe_notice(struct pe *pe, enum record_source source)
{
	if (!pe->asserted && !pe->asked_back &&
	    recovery_notice(pe->recovery, pe_now_in_machine(), pe->manager->next_event,
			    pe->condition)) {
		use_number(pe, source);
	}
	if (recovery_event(pe->recovery) != 0) {
		note_condition(pe);
	}
	pe_drive(pe);
}

static int begin_recovery(struct pe *pe, uint32_t *ret_event, struct error *error)
{
	uint32_t next = pe->manager->next_event;
	uint32_t last = pe->event;
	int r = recovery_request(pe->recovery, pe_now_in_machine(), next, ret_event, error);

	if (r) {
		return r;
	}
	pe->asserted = false;
	if (*ret_event == next) {
		use_number(pe, RECORD_BY_REQUEST);
	}
	follow_event(pe, *ret_event);
	if (*ret_event == last) {
		note_step(pe, 0, "recover", "somebody asked for it");
	}
	pe_drive(pe);
	return 0;
}

int pe_recover(struct pe *pe, bool is_operator, uint32_t *ret_event, struct error *error)
{
	int r = pe_check_usable(pe, error);

	if (r == 0 && recovery_phase(pe->recovery) == RECOVERY_FAILED && !is_operator) {
		r = error_set(error, ERROR_ACCESS_DENIED, 0,
			      "%s has been given up: only an operator may have it recovered",
			      pe_name(pe).text);
	}
	if (r == 0) {
		r = pe_check_reset(pe, error);
	}
	if (r == 0) {
		r = pe_check_request(pe, error);
	}
	return r ? r : begin_recovery(pe, ret_event, error);
}

/* -- actions -- */

static uint32_t find_operation(enum recovery_operation operation)
{
	switch (operation) {
	case RECOVERY_OPERATION_LOOK:
		return WORKER_PE_LOOK;
	case RECOVERY_OPERATION_UNFREEZE_IO:
		return WORKER_PE_UNFREEZE_IO;
	case RECOVERY_OPERATION_UNFREEZE_DMA:
		return WORKER_PE_UNFREEZE_DMA;
	case RECOVERY_OPERATION_RESET_HOT:
		return WORKER_PE_RESET_HOT;
	case RECOVERY_OPERATION_RESET_FUNDAMENTAL:
		return WORKER_PE_RESET_FUNDAMENTAL;
	case RECOVERY_OPERATION_DEACTIVATE:
		return WORKER_PE_DEACTIVATE;
	case RECOVERY_OPERATION_CONFIGURE:
		return WORKER_PE_CONFIGURE;
	case RECOVERY_OPERATION_SAVE:
		return WORKER_PE_SAVE;
	case RECOVERY_OPERATION_RESTORE:
		return WORKER_PE_RESTORE;
	case RECOVERY_OPERATION_VERIFY:
		return WORKER_PE_VERIFY;
	case RECOVERY_OPERATION_ISOLATE:
		return WORKER_PE_ISOLATE;
	case RECOVERY_OPERATION_COUNT:
		break;
	}
	return WORKER_PE_LOOK;
}

static void operate(struct pe *pe, enum recovery_operation operation)
{
	const struct worker_operate_pe body = {.group = pe->group->host->id,
					       .operation = find_operation(operation)};
	const struct recovery_result failure = {.code = ERROR_KERNEL, .errnum = ENOMEM};

	if (pe_ask(pe, PE_REQUEST_RECOVERY, &body, &pe->step) < 0) {
		recovery_operation_done(pe->recovery, pe_now_in_machine(), &failure);
		return;
	}
	pe->step->operation = operation;
	pe_take_turn(pe, &pe->step->turn);
}

static const char *signal_name(enum recovery_action_kind kind)
{
	switch (kind) {
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
		return "done";
	case RECOVERY_ACTION_NOTE:
	case RECOVERY_ACTION_OPERATE:
		break;
	}
	return "note";
}

static void end_event(struct pe *pe, const struct recovery_action *action)
{
	enum record_outcome outcome = action->recovered ? RECORD_RECOVERED
				      : pe->aborting    ? RECORD_ABORTED
							: RECORD_FAILED;

	record_end(pe->record, pe_now(), outcome, action->text);
	pe->untold |= PE_CHANGED_LOG;
	pe_log(pe, outcome == RECORD_FAILED ? LOG_ERR : LOG_WARNING, "end",
	       record_outcome_name(outcome), "event %" PRIu32 ": %s is %s after %" PRIu32 " ms%s%s",
	       pe->event, pe_name(pe).text, record_outcome_name(outcome), action->milliseconds,
	       action->text[0] != '\0' ? ": " : "", action->text);
}

static void note(struct pe *pe, const struct recovery_action *action)
{
	if (action->event == pe->event) {
		note_step(pe, 0, "note", action->text);
	} else { /* no event came of it */
		pe_log(pe, LOG_DEBUG, "note", NULL, "%s: %s", pe_name(pe).text, action->text);
	}
}

static void act(struct pe *pe, const struct recovery_action *action)
{
	const struct pe_observer *observer = pe->manager->pe_observer;

	switch (action->kind) {
	case RECOVERY_ACTION_OPERATE:
		operate(pe, action->operation);
		return;
	case RECOVERY_ACTION_NOTE:
		note(pe, action);
		return;
	case RECOVERY_ACTION_DONE:
		end_event(pe, action);
		break;
	case RECOVERY_ACTION_FROZEN:
		note_step(pe, 0, signal_name(action->kind), pe_condition_text(action->condition));
		pe_suspect_neighbours(pe);
		break;
	case RECOVERY_ACTION_ERROR_DETECTED:
	case RECOVERY_ACTION_MMIO_ENABLED:
	case RECOVERY_ACTION_SLOT_RESET:
	case RECOVERY_ACTION_RESUME:
	case RECOVERY_ACTION_DISCONNECT:
		note_step(pe, 0, signal_name(action->kind), action->text);
		break;
	}
	/* Who is told of something finds it so. */
	pe_tell(pe);
	if (observer) {
		observer->signalled(pe->manager->pe_observer_userdata, pe, action);
	}
}

static int handle_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pe *pe = userdata;

	(void)source;
	(void)usec;
	recovery_expire(pe->recovery, pe_now_in_machine());
	pe_drive(pe);
	return 0;
}

static void set_deadline(struct pe *pe)
{
	uint64_t deadline = recovery_deadline(pe->recovery);

	if (deadline == UINT64_MAX) {
		pe_stop_timer(pe->deadline_timer);
	} else if (pe_set_timer(pe, &pe->deadline_timer, deadline * 1000, DEADLINE_LATENESS_USEC,
				handle_deadline) < 0) {
		pe_log(pe, LOG_ERR, "deadline", NULL, "can't set the timer of %s, ignoring",
		       pe_name(pe).text);
	}
}

void pe_drive(struct pe *pe)
{
	struct recovery_action action;

	if (pe->driving) {
		return; /* the one who is at it goes on */
	}
	pe->driving = true;
	follow_event(pe, recovery_event(pe->recovery));
	while (recovery_take_action(pe->recovery, &action)) {
		if (action.kind != RECOVERY_ACTION_NOTE && action.kind != RECOVERY_ACTION_OPERATE) {
			follow_event(pe, action.event);
		}
		act(pe, &action);
	}
	pe->driving = false;
	pe->aborting = false;
	set_deadline(pe);
	pe_tell(pe);
	pe_update_watch(pe);
}

/* -- what has ended -- */

static void note_registers(struct pe *pe, const struct worker_registers *saved)
{
	struct record_registers registers = {
		.config_size = saved->config_size,
		.aer_size = saved->aer_size,
		.aer_offset = saved->aer_offset,
	};

	(void)snprintf(registers.device, sizeof(registers.device), "%s", saved->name);
	memcpy(registers.config, saved->config, saved->config_size);
	memcpy(registers.aer, saved->aer, saved->aer_size);
	record_registers(pe->record, &registers);
}

/* Looks go on for minutes while the host, or a device, is waited for: what comes to the same as the
 * step before it is none, so that there is room for the others. */
static void note_result(struct pe *pe, const char *name, const struct pe_result *result)
{
	char silence[RECORD_TEXT_SIZE];
	const char *text = pe_condition_text(result->condition);

	if (result->error.code != ERROR_NONE) {
		text = result->error.text;
	} else if (result->silent > 0) {
		(void)snprintf(silence, sizeof(silence), "%s; devices that don't answer: %" PRIu32,
			       text, result->silent);
		text = silence;
	}
	if (!record_repeats(pe->record, name, text)) {
		note_step(pe, result->took, name, text);
	}
}

void pe_finish_step(struct pe *pe, enum recovery_operation operation,
		    const struct pe_result *result)
{
	const struct recovery_result done = {
		.code = (int)result->error.code,
		.errnum = result->error.errnum,
		.condition = result->condition,
		.silent = result->silent,
	};

	if (result->error.code == ERROR_NONE) {
		pe->condition = result->condition;
	}
	recovery_operation_done(pe->recovery, pe_now_in_machine(), &done);
	/* What made the event is its first step, and comes before what is to be done now. */
	follow_event(pe, recovery_event(pe->recovery));
	note_result(pe, recovery_operation_name(operation), result);
	for (unsigned int i = 0; i < result->register_count; i++) {
		note_registers(pe, &result->registers[i]);
	}
	note_condition(pe);
	pe_drive(pe);
}

void pe_record_operation(struct pe *pe, uint32_t operation, const struct pe_result *result)
{
	if (recovery_event(pe->recovery) != 0) {
		note_result(pe, pe_client_operation_name(operation), result);
	}
}

void pe_abort(struct pe *pe, const char *why)
{
	pe->aborting = true;
	recovery_abort(pe->recovery, pe_now_in_machine(), why);
	pe_drive(pe);
}
