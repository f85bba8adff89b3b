/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Pe, as tests call it and listen to it. */
#pragma once

#include "freeze.h"
#include "world.h"

/* Policies that recover as quickly as they may. The file's section [recovery], for more keys to be
 * added. */
#define QUICK_TIMES                                                                       \
	"[recovery]\nidle-poll = 50ms\nfast-poll = 20ms\nhold = 100ms\nsettle = 1500ms\n" \
	"retry-pause = 0s\n"

/* And more often than PEs freeze in all tests of a program: the budget is the PE's, whoever has it.
 */
#define QUICK_POLICY QUICK_TIMES "most-freezes = 1000\n"

/* A PE, seen over a connection of its own. */
struct observer {
	DBusConnection *connection;
	uint32_t group;
	char path[48];
	uint32_t cookie; /* 0: it has not joined */
};

struct pe_signal {
	char name[24];
	uint32_t event;
	char text[256]; /* Frozen: the state; ErrorDetected: the channel; RecoveryDone: why */
	bool recovered;
	uint32_t milliseconds;
	uint64_t when; /* when it was taken from the connection, in ms */
};

/* Milliseconds of a clock that never goes back. */
uint64_t now_in_ms(void);

/* Hear the signals of a device's PE from now on. */
struct observer observer_open(const struct world *world, const char *device);

/* It leaves the bus. May be called twice. */
void observer_close(struct observer *observer);

void observer_join(struct observer *observer);
void observer_leave(struct observer *observer, const char *refusal);
void observer_vote(const struct observer *observer, uint32_t event, const char *verdict,
		   const char *refusal);

/* The next signal, if one comes in that time. */
bool observer_next(const struct observer *observer, unsigned int milliseconds,
		   struct pe_signal *ret_signal);

/* The next signal, which must be that one. */
struct pe_signal observer_expect(const struct observer *observer, const char *name);

/* The next RecoveryDone, whatever comes before; it must say that the PE was recovered, or not. */
struct pe_signal observer_expect_done(const struct observer *observer, bool recovered);

/* ErrorDetected (whatever comes before) and then the verdict on it. The event. */
uint32_t observer_answer_error(const struct observer *observer, const char *verdict);

/* A device's group in an address space of its own, and its PE, watched by nobody else. */
struct eeh_stage {
	char *space;
	struct observer observer;
};

struct eeh_stage eeh_stage_open(const struct world *world, const char *device, const char *policy);

/* For the only one: wait until nothing of it is left. */
void eeh_stage_close(const struct world *world, struct eeh_stage *stage);

/* Without that wait: another one is open, or the PE is beyond recovery. */
void eeh_stage_release(const struct world *world, struct eeh_stage *stage);

/* -- methods -- */

/* "hot", "fundamental", "deactivate" … by Reset; any other name is that of a method without
 * arguments. */
void pe_operate(const struct world *world, const struct observer *observer, const char *operation,
		const char *refusal);

/* Like it for a reset, again as long as the firmware answers EIO. How often it did. */
unsigned int pe_reset_stubbornly(const struct world *world, const struct observer *observer,
				 const char *kind);

/* Send a call without arguments, or with one string, and don't wait. Not over a connection that is
 * listened to before pe_receive: the reply would be taken for something that is no signal. */
DBusPendingCall *pe_send(DBusConnection *connection, const struct observer *observer,
			 const char *method, const char *argument);

/* What became of it: "" for a return, else the error's name. The pending call is released. */
struct pe_reply {
	char error[96];
	char text[512]; /* of the error, or a string that was returned */
};
struct pe_reply pe_receive(DBusPendingCall *pending);

/* Check must answer that state. */
void pe_expect_check(const struct world *world, const struct observer *observer, const char *state);

uint32_t pe_recover(DBusConnection *client, const struct observer *observer, const char *refusal);

/* -- properties -- */

/* Wait until a property is that text, or number. */
void pe_wait_for_text(const struct world *world, const struct observer *observer, const char *name,
		      const char *text);
uint32_t pe_number(const struct world *world, const struct observer *observer, const char *name);
void pe_expect_text(const struct world *world, const struct observer *observer, const char *name,
		    const char *text);

/* -- the record -- */

/* A string of an event: "Outcome", "Source", "Why" … Released with free(). */
char *pe_event_text(const struct world *world, const struct observer *observer, uint32_t event,
		    const char *key);

/* How many steps of that name an event has whose text contains the words (NULL: any). */
unsigned int pe_event_steps(const struct world *world, const struct observer *observer,
			    uint32_t event, const char *name, const char *words);

/* How many devices' registers an event has. */
unsigned int pe_event_registers(const struct world *world, const struct observer *observer,
				uint32_t event);

/* Print the event's steps, for one that failed. */
void pe_print_event(const struct world *world, const struct observer *observer, uint32_t event);

/* -- the simulated host only -- */

/* Have a real host's seconds for resets there: so many milliseconds. Elsewhere they take as long as
 * they do. */
void slow_down_resets(const struct world *world, uint32_t milliseconds);

/* Have the firmware refuse the next fundamental reset with EIO. Elsewhere it does at times. */
void refuse_a_reset(const struct world *world);
