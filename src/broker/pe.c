/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/pe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/pe_private.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "eeh/reset_needs.h"

/* -- clocks -- */

uint64_t pe_now(void)
{
	return clock_microseconds();
}

uint64_t pe_now_in_machine(void)
{
	return pe_now() / 1000;
}

int pe_set_timer(struct pe *pe, sd_event_source **timer, uint64_t usec, uint64_t accuracy,
		 sd_event_time_handler_t handler)
{
	int r;

	if (!*timer) {
		return sd_event_add_time(pe->manager->event, timer, CLOCK_MONOTONIC, usec, accuracy,
					 handler, pe);
	}
	r = sd_event_source_set_time(*timer, usec);
	if (r >= 0) {
		r = sd_event_source_set_time_accuracy(*timer, accuracy);
	}
	return r < 0 ? r : sd_event_source_set_enabled(*timer, SD_EVENT_ONESHOT);
}

void pe_stop_timer(sd_event_source *timer)
{
	(void)sd_event_source_set_enabled(timer, SD_EVENT_OFF);
}

/* -- the object -- */

static void find_policy(const struct pe *pe, struct recovery_policy *ret_policy)
{
	const struct topology_group *host = pe->group->host;
	struct policy_device *devices = calloc(host->device_count + 1, sizeof(*devices));

	/* Without memory the sections of devices are not found, and the others are. */
	for (size_t i = 0; devices && i < host->device_count; i++) {
		devices[i].vendor = host->devices[i]->vendor;
		devices[i].device = host->devices[i]->device;
	}
	policy_find_recovery(pe->manager->policies, host->phb_id, host->pe_number, devices,
			     devices ? host->device_count : 0, ret_policy);
	free(devices);
}

static bool needs_fundamental(const struct topology_group *host)
{
	for (size_t i = 0; i < host->device_count; i++) {
		if (device_needs_fundamental_reset(host->devices[i]->vendor,
						   host->devices[i]->device)) {
			return true;
		}
	}
	return false;
}

static void cleanup_pe(struct pe **pe)
{
	(void)pe_free(*pe);
}

int pe_new(struct manager *manager, struct group *group, struct pe **ret_pe)
{
	cleanup(cleanup_pe) struct pe *pe = calloc(1, sizeof(*pe));
	int r;

	if (!pe) {
		return -ENOMEM;
	}
	pe->manager = manager;
	pe->group = group;
	find_policy(pe, &pe->policy);
	r = recovery_new(&pe->policy, &pe->recovery);
	if (r < 0) {
		return r;
	}
	recovery_set_needs_fundamental(pe->recovery, needs_fundamental(group->host));
	pe->told_freezes_left = pe_freezes_left(pe);
	r = record_new(&pe->record);
	if (r < 0) {
		return r;
	}
	*ret_pe = steal_pointer(pe);
	return 0;
}

struct pe *pe_free(struct pe *pe)
{
	struct error error;

	if (pe) {
		(void)error_set(&error, ERROR_WORKER_LOST, 0, "spaprd is ending");
		pe_drop_turns(pe, &error);
		pe_answer_waiters(pe, &error);
		pe->look_timer = sd_event_source_disable_unref(pe->look_timer);
		pe->busy_timer = sd_event_source_disable_unref(pe->busy_timer);
		pe->deadline_timer = sd_event_source_disable_unref(pe->deadline_timer);
		while (pe->participants) {
			struct pe_participant *next = pe->participants->next;

			free(pe->participants);
			pe->participants = next;
		}
		pe->recovery = recovery_free(pe->recovery);
		pe->record = record_free(pe->record);
		free(pe);
	}
	return NULL;
}

struct pe_name pe_name(const struct pe *pe)
{
	const struct topology_group *host = pe->group->host;
	struct pe_name name;

	if (host->phb_id == TOPOLOGY_UNKNOWN || host->pe_number == TOPOLOGY_UNKNOWN) {
		(void)snprintf(name.text, sizeof(name.text), "the PE of group %" PRIu32, host->id);
	} else {
		(void)snprintf(name.text, sizeof(name.text),
			       "PE %04" PRIx32 ":%02" PRIx32 " of group %" PRIu32, host->phb_id,
			       host->pe_number, host->id);
	}
	return name;
}

void pe_tell(struct pe *pe)
{
	const struct pe_observer *observer = pe->manager->pe_observer;
	enum recovery_phase phase = recovery_phase(pe->recovery);
	uint32_t freezes = recovery_freezes(pe->recovery);
	uint32_t freezes_left = pe_freezes_left(pe);
	unsigned int what = pe->untold;

	if (pe->condition != pe->told_condition) {
		what |= PE_CHANGED_STATE;
	}
	if (phase != pe->told_phase) {
		what |= PE_CHANGED_RECOVERY;
	}
	if (freezes != pe->told_freezes || freezes_left != pe->told_freezes_left) {
		what |= PE_CHANGED_FREEZES;
	}
	pe->told_condition = pe->condition;
	pe->told_phase = phase;
	pe->told_freezes = freezes;
	pe->told_freezes_left = freezes_left;
	pe->untold = 0;
	if (observer && what) {
		observer->changed(pe->manager->pe_observer_userdata, pe, what);
	}
}

/* -- what may be done -- */

static const struct worker_container *find_container(const struct group *group)
{
	const struct space *space = group->space;

	for (uint32_t i = 0; space && i < space->container_count; i++) {
		if (space->containers[i].container_id == group->container_id) {
			return &space->containers[i];
		}
	}
	return NULL;
}

static int refuse_many(const struct pe *pe, const struct worker_container *container,
		       struct error *error)
{
	(void)error_set(error, ERROR_EEH_MANY_GROUPS, 0,
			"the kernel would act on all groups of container %" PRIu32
			", and group %" PRIu32 " shares it with",
			container->container_id, pe->group->host->id);
	for (uint32_t i = 0; error && i < container->group_count; i++) {
		if (container->groups[i] != pe->group->host->id) {
			error_append(error, " %" PRIu32, container->groups[i]);
		}
	}
	if (error) {
		error_append(error, ": attach it with own-container");
	}
	return ERROR_EEH_MANY_GROUPS;
}

int pe_check_usable(const struct pe *pe, struct error *error)
{
	const struct group *group = pe->group;
	const struct worker_container *container = find_container(group);

	if (!group->space) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "group %" PRIu32 " is in no address space: attach it first",
				 group->host->id);
	}
	if (pe->ended) {
		return error_set(error, ERROR_WORKER_LOST, 0, "address space %u",
				 group->space->number);
	}
	if (group->space->closing) {
		return error_set(error, ERROR_BUSY, 0, "address space %u is being closed",
				 group->space->number);
	}
	if (!container) {
		return error_set(error, ERROR_BUSY, 0,
				 "group %" PRIu32 " is being attached: ask again when it is",
				 group->host->id);
	}
	if (container->group_count != 1) {
		return refuse_many(pe, container, error);
	}
	if (!container->eeh) {
		return error_set(error, ERROR_EEH_UNAVAILABLE, 0,
				 "container %" PRIu32 " of group %" PRIu32 " has no EEH",
				 container->container_id, group->host->id);
	}
	return 0;
}

int pe_check_recovery(const struct pe *pe, struct error *error)
{
	if (recovery_lets_operate(pe->recovery)) {
		return 0;
	}
	if (recovery_phase(pe->recovery) == RECOVERY_FAILED) {
		return error_set(error, ERROR_BUSY, 0,
				 "the recovery of %s has failed, and its last operation has not "
				 "ended: ask again when it has",
				 pe_name(pe).text);
	}
	if (recovery_event(pe->recovery) == 0) {
		return error_set(error, ERROR_BUSY, 0,
				 "%s may be frozen, and is looked at: ask again when that is known",
				 pe_name(pe).text);
	}
	return error_set(error, ERROR_BUSY, 0,
			 "%s is being recovered: event %" PRIu32 ", %s; wait for its RecoveryDone",
			 pe_name(pe).text, recovery_event(pe->recovery),
			 recovery_phase_name(recovery_phase(pe->recovery)));
}

int pe_check_reset(const struct pe *pe, struct error *error)
{
	return pe->asked_back
		       ? error_set(error, ERROR_BUSY, 0,
				   "the kernel wants a device of group %" PRIu32
				   " back, for which a reset of %s would wait: detach the group",
				   pe->group->host->id, pe_name(pe).text)
		       : 0;
}

int pe_check_request(const struct pe *pe, struct error *error)
{
	int r = pe_check_recovery(pe, error);

	if (r == 0 && pe->operation) {
		r = error_set(error, ERROR_BUSY, 0, "%s of %s is under way: wait for it",
			      pe_client_operation_name(pe->operation->body.operation),
			      pe_name(pe).text);
	}
	return r;
}

int pe_check_detach(const struct pe *pe, bool is_operator, struct error *error)
{
	int r = pe_check_request(pe, error);

	if (r) {
		return r;
	}
	if (recovery_phase(pe->recovery) == RECOVERY_FAILED && !is_operator) {
		return error_set(error, ERROR_RECOVERY_FAILED, 0,
				 "%s has been given up, and stays isolated: only an operator may "
				 "let its group go",
				 pe_name(pe).text);
	}
	return 0;
}

int pe_check_open(const struct pe *pe, struct error *error)
{
	if (pe_condition_is_frozen(pe->condition)) {
		return error_set(error, ERROR_FROZEN, 0,
				 "%s is frozen (%s), and opening a device would thaw it: recover "
				 "it first",
				 pe_name(pe).text, pe_condition_text(pe->condition));
	}
	if (recovery_phase(pe->recovery) == RECOVERY_FAILED) {
		return error_set(error, ERROR_RECOVERY_FAILED, 0,
				 "%s has been given up, and its devices are kept from DMA",
				 pe_name(pe).text);
	}
	if (pe->asserted) {
		return error_set(error, ERROR_BUSY, 0,
				 "a reset of %s is asserted: end it with Reset(\"deactivate\")",
				 pe_name(pe).text);
	}
	return pe_check_recovery(pe, error);
}

int pe_check_access(const struct pe *pe, struct error *error)
{
	enum recovery_phase phase = recovery_phase(pe->recovery);
	int r;

	if ((phase == RECOVERY_MMIO_ENABLED || phase == RECOVERY_SLOT_RESET) && !pe->step) {
		return 0;
	}
	r = pe_check_open(pe, error);
	return r ? r : pe_check_request(pe, error);
}

/* -- participants that go -- */

static void remove_participant(struct pe *pe, struct pe_participant **link, const char *how)
{
	struct pe_participant *participant = *link;

	record_step(pe->record, pe_now(), 0, "leave", "%s, 0x%" PRIx32 ": %s", participant->client,
		    participant->cookie, how);
	(void)recovery_leave(pe->recovery, pe_now_in_machine(), participant->cookie, NULL);
	*link = participant->next;
	pe->participant_count--;
	pe->untold |= PE_CHANGED_CLIENTS;
	free(participant);
}

/* -- for the broker -- */

static void leave_space(struct pe *pe, enum error_code code, const char *why)
{
	struct error error;

	(void)error_set(&error, code, 0, "%s: %s", pe_name(pe).text, why);
	pe->watched = false;
	pe->asserted = false;
	pe->wanted = false;
	pe->unknown_looks = 0;
	pe->hint_until = 0;
	pe->condition = PE_UNKNOWN;
	pe_drop_turns(pe, &error);
	pe_answer_waiters(pe, &error);
	pe_abort(pe, why);
	pe_update_watch(pe);
}

static const char *explain_unusable(const struct pe *pe)
{
	const struct worker_container *container = find_container(pe->group);

	return container && container->group_count > 1 ? "another group has come to its container"
						       : "its group has left the address space";
}

/* Whoever had the group before has no say in what becomes of it. */
static void forget_participants(struct pe *pe)
{
	while (pe->participants) {
		remove_participant(pe, &pe->participants,
				   "the group is in another user's address space");
	}
	pe_drive(pe);
}

bool pe_keeps_alone(const struct pe *pe)
{
	return recovery_phase(pe->recovery) != RECOVERY_IDLE ||
	       !recovery_lets_operate(pe->recovery);
}

void pe_group_changed(struct pe *pe)
{
	bool usable;

	if (!pe->group->space) {
		pe->ended = false;
		pe->asked_back = false;
	} else if (pe->participants && pe->group->space->uid != pe->participants_uid) {
		forget_participants(pe);
	}
	usable = pe_check_usable(pe, NULL) == 0;
	if (pe->watched && !usable) {
		leave_space(pe, ERROR_NOT_FOUND, explain_unusable(pe));
	} else if (usable && !pe->watched) {
		pe->watched = true;
		pe_want_look(pe, RECORD_BY_POLL);
	}
}

bool pe_is_operating(const struct pe *pe)
{
	return pe->asked && pe->asked->kind != PE_REQUEST_LOOK;
}

bool pe_is_looking(const struct pe *pe)
{
	return pe->asked &&
	       (pe->asked->kind == PE_REQUEST_LOOK || pe->asked->kind == PE_REQUEST_SAVE);
}

void pe_space_ends(struct pe *pe, const char *why)
{
	pe->ended = pe->group->space != NULL;
	leave_space(pe, ERROR_WORKER_LOST, why);
}

void pe_taken(struct pe *pe)
{
	if (!pe->ended) {
		pe->ended = pe->group->space != NULL;
		leave_space(pe, ERROR_NOT_FOUND, "its group is taken from the address space");
	}
}

void pe_asked_back(struct pe *pe)
{
	const char *why = "the kernel wants a device of it back: detach its group";
	struct error error;

	pe->asked_back = true;
	/* One that has failed stays so: its resets are over. */
	if (pe_keeps_alone(pe) && recovery_phase(pe->recovery) != RECOVERY_FAILED) {
		(void)error_set(&error, ERROR_BUSY, 0, "%s: %s", pe_name(pe).text, why);
		pe_drop_turns(pe, &error);
		pe_abort(pe, why);
	}
}

void pe_devices_changed(struct pe *pe)
{
	recovery_set_needs_fundamental(pe->recovery, needs_fundamental(pe->group->host));
	pe_policy_changed(pe);
}

void pe_policy_changed(struct pe *pe)
{
	struct recovery_policy policy;

	memset(&policy, 0, sizeof(policy));
	find_policy(pe, &policy);
	pe->policy = policy;
	recovery_set_policy(pe->recovery, &policy);
	pe->untold |= PE_CHANGED_POLICY;
	pe_drive(pe);
	pe_update_watch(pe);
}

/* -- participants -- */

static struct pe_participant **find_participant(struct pe *pe, uint32_t cookie)
{
	struct pe_participant **link = &pe->participants;

	while (*link && (*link)->cookie != cookie) {
		link = &(*link)->next;
	}
	return link;
}

/* A cookie that belongs to the client. */
static int check_participant(struct pe *pe, const char *client, uint32_t cookie,
			     struct error *error)
{
	const struct pe_participant *participant = *find_participant(pe, cookie);

	if (!participant) {
		return error_set(error, ERROR_NOT_JOINED, 0,
				 "nobody takes part in recoveries of %s with cookie 0x%" PRIx32
				 ": Join gives one",
				 pe_name(pe).text, cookie);
	}
	if (strcmp(participant->client, client) != 0) {
		return error_set(error, ERROR_ACCESS_DENIED, 0,
				 "cookie 0x%" PRIx32 " of %s was given to another client", cookie,
				 pe_name(pe).text);
	}
	return 0;
}

/* NULL: no memory. */
static struct pe_participant *new_participant(const char *client, uint32_t cookie)
{
	size_t size = strlen(client) + 1;
	struct pe_participant *participant = malloc(sizeof(*participant) + size);

	if (participant) {
		participant->cookie = cookie;
		memcpy(participant->client, client, size);
	}
	return participant;
}

/* What its program has set up until now is what a reset must not lose. What is left of a device
 * that was given up is not. */
static void save_devices(struct pe *pe)
{
	const struct worker_operate_pe body = {.group = pe->group->host->id,
					       .operation = WORKER_PE_SAVE};

	/* Without memory the recovery saves what it can, as it does without participants. */
	if (!pe->save && recovery_phase(pe->recovery) == RECOVERY_IDLE && !pe->asserted &&
	    pe_ask(pe, PE_REQUEST_SAVE, &body, &pe->save) == 0) {
		pe_take_turn(pe, &pe->save->turn);
	}
}

int pe_join(struct pe *pe, const char *client, uint32_t *ret_cookie, struct error *error)
{
	cleanup(cleanup_free) struct pe_participant *participant = NULL;
	int r = pe_check_usable(pe, error);

	if (r) {
		return r;
	}
	if (pe->manager->next_cookie == 0) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "all cookies have been given away: restart spaprd");
	}
	participant = new_participant(client, pe->manager->next_cookie);
	if (!participant) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a participant");
	}
	r = recovery_join(pe->recovery, participant->cookie, error);
	if (r) {
		return r;
	}
	*ret_cookie = pe->manager->next_cookie++;
	participant->next = pe->participants;
	pe->participants = steal_pointer(participant);
	pe->participant_count++;
	pe->participants_uid = pe->group->space->uid;
	pe->untold |= PE_CHANGED_CLIENTS;
	record_step(pe->record, pe_now(), 0, "join", "%s as 0x%" PRIx32, client, *ret_cookie);
	save_devices(pe);
	pe_drive(pe);
	return 0;
}

int pe_leave(struct pe *pe, const char *client, uint32_t cookie, struct error *error)
{
	int r = check_participant(pe, client, cookie, error);

	if (r == 0) {
		remove_participant(pe, find_participant(pe, cookie), "it said so");
		pe_drive(pe);
	}
	return r;
}

void pe_forget_client(struct pe *pe, const char *client)
{
	struct pe_participant **link = &pe->participants;

	while (*link) {
		if (strcmp((*link)->client, client) == 0) {
			remove_participant(pe, link, "it left the bus");
		} else {
			link = &(*link)->next;
		}
	}
	pe_drive(pe);
}

bool pe_has_client(const struct pe *pe, const char *client)
{
	for (const struct pe_participant *p = pe->participants; p; p = p->next) {
		if (strcmp(p->client, client) == 0) {
			return true;
		}
	}
	return false;
}

int pe_vote(struct pe *pe, const char *client, uint32_t cookie, uint32_t event, const char *verdict,
	    struct error *error)
{
	enum recovery_phase phase = recovery_phase(pe->recovery);
	enum verdict parsed = VERDICT_NONE;
	int r = check_participant(pe, client, cookie, error);

	if (r) {
		return r;
	}
	if (!verdict_parse(verdict, &parsed)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "\"%.32s\" is no verdict; there are can-recover, recovered, "
				 "need-reset and disconnect",
				 verdict);
	}
	r = recovery_vote(pe->recovery, pe_now_in_machine(), cookie, event, parsed, error);
	if (r == 0) {
		record_step(pe->record, pe_now(), 0, "vote", "%s, 0x%" PRIx32 ": %s in %s", client,
			    cookie, verdict_name(parsed), recovery_phase_name(phase));
		pe->untold |= PE_CHANGED_LOG;
		pe_drive(pe);
	}
	return r;
}

/* -- properties -- */

const struct group *pe_group(const struct pe *pe)
{
	return pe->group;
}

enum pe_condition pe_condition(const struct pe *pe)
{
	return pe->condition;
}

enum recovery_phase pe_phase(const struct pe *pe)
{
	return recovery_phase(pe->recovery);
}

uint32_t pe_freezes(const struct pe *pe)
{
	return recovery_freezes(pe->recovery);
}

uint32_t pe_freezes_left(const struct pe *pe)
{
	return recovery_freezes_left(pe->recovery, pe_now_in_machine());
}

uint32_t pe_participants(const struct pe *pe)
{
	return pe->participant_count;
}

const struct recovery_policy *pe_policy(const struct pe *pe)
{
	return &pe->policy;
}

const struct record *pe_record(const struct pe *pe)
{
	return pe->record;
}
