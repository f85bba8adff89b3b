/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of a PE share; see broker/pe.h for the words. */
#pragma once

#include <systemd/sd-event.h>

#include "broker/manager.h"
#include "broker/pe.h"
#include "broker/worker_process.h"

/* From the end of a look to the next one that a client or an interrupt may have: however many ask,
 * the firmware is asked no more often. */
#define PE_LOOK_GAP_USEC UINT64_C(5000)

/* Looks that make no sense, one after the other, before that is what is told. */
#define PE_UNKNOWN_LOOKS 3U

/* How long until a worker that was busy with the group is asked again, for a recovery. */
#define PE_BUSY_PAUSE_USEC UINT64_C(20000)

/* Who has joined; one name may have several cookies. */
struct pe_participant {
	struct pe_participant *next;
	uint32_t cookie;
	char client[]; /* unique bus name */
};

/* A client that waits for a look. */
struct pe_waiter {
	pe_answer_handler handler;
	void *userdata;
};

enum pe_request_kind {
	PE_REQUEST_LOOK,
	PE_REQUEST_OPERATION, /* a client's */
	PE_REQUEST_RECOVERY,
	PE_REQUEST_SAVE, /* for a client that joined */
};

/* Something that the worker is to be asked. */
struct pe_request {
	struct pe_turn turn;
	struct pe *pe; /* NULL when nobody waits for the answer any more */
	enum pe_request_kind kind;
	struct worker_operate_pe body;
	enum recovery_operation operation; /* of PE_REQUEST_RECOVERY */
	bool waits;                        /* to be sent once more: the worker was busy */
	uint64_t began;                    /* when it was first sent, µs */
	pe_answer_handler handler;         /* of PE_REQUEST_OPERATION */
	void *userdata;
};

struct pe {
	struct manager *manager;
	struct group *group;
	struct recovery_policy policy;
	struct recovery *recovery;
	struct record *record;
	struct pe_participant *participants;
	unsigned int participant_count;
	uid_t participants_uid; /* whose address space the group was in when the last one joined */
	/* watching */
	enum pe_condition condition;
	bool watched;
	bool ended;      /* the worker is lost; until the group is out of the address space */
	bool asserted;   /* a client's reset */
	bool asked_back; /* a device; until the group is out of the address space */
	bool wanted;     /* a look, as soon as may be */
	enum record_source wanted_by;
	unsigned int unknown_looks; /* one after the other */
	uint64_t looked;            /* when the last look ended, µs */
	uint64_t hint_until;        /* looked at often until then, µs */
	sd_event_source *look_timer;
	struct pe_request *look; /* that waits for its turn, or has it */
	enum record_source looking_for;
	unsigned int looking_waiters; /* the first of those that wait: it is for them */
	struct pe_waiter waiters[PE_CHECKS_MAX];
	unsigned int waiter_count;
	/* asking */
	struct pe_turn *current;
	struct pe_turn *first_turn; /* that wait */
	bool running;               /* turns are being begun */
	struct pe_request *asked;   /* whose answer is to come, or is waited for to be sent */
	struct pe_request *operation;
	struct pe_request *step; /* of the recovery */
	struct pe_request *save;
	sd_event_source *busy_timer;
	/* recovering */
	sd_event_source *deadline_timer;
	bool driving;  /* actions are being carried out */
	bool aborting; /* what ends now ends because the group or its worker went */
	enum record_source noticed_by;
	uint64_t noticed; /* when, µs */
	uint32_t event;   /* the one under way, or the last one; 0: there was none */
	enum pe_condition recorded_condition;  /* of that event, the last one */
	char location[TOPOLOGY_LOCATION_SIZE]; /* of its first device, when the event began */
	/* What the observer was told last. */
	enum pe_condition told_condition;
	enum recovery_phase told_phase;
	uint32_t told_freezes;
	uint32_t told_freezes_left;
	unsigned int untold; /* PE_CHANGED_*, besides these */
};

/* -- clocks -- */

uint64_t pe_now(void);            /* CLOCK_MONOTONIC, µs */
uint64_t pe_now_in_machine(void); /* the same in ms: the recovery's clock */
int pe_set_timer(struct pe *pe, sd_event_source **timer, uint64_t usec, uint64_t accuracy,
		 sd_event_time_handler_t handler);
void pe_stop_timer(sd_event_source *timer);

/* -- pe.c -- */

/* The container of a group that is alone in it, and may be operated on. 0, or the codes that all
 * operations may answer (broker/pe.h). */
int pe_check_usable(const struct pe *pe, struct error *error);

/* Tell the observer what is not as it was told last. */
void pe_tell(struct pe *pe);

/* ERROR_BUSY: an event goes on and doesn't wait for a request. */
int pe_check_recovery(const struct pe *pe, struct error *error);

/* ERROR_BUSY: no reset can be begun any more, see pe_asked_back. */
int pe_check_reset(const struct pe *pe, struct error *error);

/* The same as pe_check_recovery, and ERROR_BUSY when an operation of a client's is under way. */
int pe_check_request(const struct pe *pe, struct error *error);

/* "PE 0001:fd of group 3", or "the PE of group 3". */
struct pe_name {
	char text[64];
};

struct pe_name pe_name(const struct pe *pe);

/* -- pe_watch.c -- */

/* A look is due as soon as may be. */
void pe_want_look(struct pe *pe, enum record_source source);

/* The same for the other PEs of its host bridge: what freezes one, such as a fence of the bridge,
 * often freezes them all. */
void pe_suspect_neighbours(const struct pe *pe);

/* For the time that policy says the PE is looked at often. */
void pe_hint(struct pe *pe);

/* Set the timer as it has to be now. */
void pe_update_watch(struct pe *pe);

/* The look has its turn now: it is for all who wait. */
void pe_begin_look(struct pe *pe);

/* The worker has answered a look: the condition, or why there is none. */
void pe_finish_look(struct pe *pe, const struct error *error, enum pe_condition condition);

/* Answer all clients that wait for a look, with the condition or with an error. */
void pe_answer_waiters(struct pe *pe, const struct error *error);

/* -- pe_operate.c -- */

/* Something to ask the worker, once its turn is taken; it frees itself. 0 or -ENOMEM. */
int pe_ask(struct pe *pe, enum pe_request_kind kind, const struct worker_operate_pe *body,
	   struct pe_request **ret_request);

/* Drop all that waits and forget what is under way: everybody who waits is answered so. */
void pe_drop_turns(struct pe *pe, const struct error *error);

/* A recovery begins: turns that wait and don't belong to it are not to be. */
void pe_refuse_turns(struct pe *pe, const struct error *error);

/* -- pe_answer.c -- */

/* What the worker said of a request, after its soundness has been checked. */
struct pe_result {
	struct error error;
	enum pe_condition condition; /* PE_UNKNOWN with an error */
	uint32_t silent;
	uint64_t took; /* µs */
	const struct worker_registers *registers;
	unsigned int register_count;
};

/* Read an answer. One that is unsound ends the worker, and is ERROR_WORKER_LOST. */
void pe_read_answer(const struct pe_request *request, const struct worker_answer *answer,
		    struct pe_result *ret_result);

/* Field note H44: what "worked" and left the PE so did not. ERROR_RECOVERY_FAILED */
int pe_check_result(uint32_t operation, enum pe_condition condition, struct error *error);

/* "reset-hot": the name of a WORKER_PE_* that a client may ask for. Static. */
const char *pe_client_operation_name(uint32_t operation);

/* -- pe_recover.c -- */

/* A condition that was seen: an event may begin. Nothing happens while a reset is asserted. */
void pe_notice(struct pe *pe, enum record_source source);

/* What the recovery has asked of the worker has ended. */
void pe_finish_step(struct pe *pe, enum recovery_operation operation,
		    const struct pe_result *result);

/* A client's operation has ended: for the record. */
void pe_record_operation(struct pe *pe, uint32_t operation, const struct pe_result *result);

/* Carry out what the recovery wants done, and set its timer. */
void pe_drive(struct pe *pe);

/* The PE is not ours any more. */
void pe_abort(struct pe *pe, const char *why);

/* One line of the journal, with what is known of the PE as fields; step and outcome may be NULL. */
void pe_log(const struct pe *pe, int priority, const char *step, const char *outcome,
	    const char *format, ...) __attribute__((format(printf, 5, 6)));
