/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of libspaprd share. */
#pragma once

#include <dbus/dbus.h>
#include <spaprd/pe.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/bus_watch.h"

#define BUS_NAME_SIZE 256 /* the longest, and a zero */

#define GROUP_PATH_SIZE 48

#define NEVER UINT64_MAX

struct spaprd_client {
	DBusConnection *connection;
	bool owned;                /* the connection is the client's own */
	bool connected;            /* the bus has not closed it */
	char owner[BUS_NAME_SIZE]; /* the unique name of spaprd; "" when it isn't there or not known
				    */
	struct bus_watch watch;
	uint64_t alarm;        /* that is set, ms, or NEVER */
	struct spaprd_pe *pes; /* also those that were left, until nothing runs any more */
	struct call *calls;
	unsigned int busy; /* callbacks may be running */
};

enum pe_state {
	PE_WAITING,  /* for spaprd to come to the bus */
	PE_JOINING,  /* the answer to Join is due */
	PE_RETRYING, /* at retry_at */
	PE_JOINED,
	PE_OUT, /* for good */
};

struct spaprd_pe {
	struct spaprd_pe *next;
	struct spaprd_client *client;
	uint32_t group;
	char path[GROUP_PATH_SIZE];
	struct spaprd_pe_callbacks callbacks;
	void *userdata;
	bool left; /* by its program */
	enum pe_state state;
	uint32_t cookie;   /* while joined */
	uint32_t event;    /* the one that is taken part in, or 0 */
	unsigned int step; /* that asks for a vote now: enum spaprd_step, or 0 */
	bool checking;
	uint64_t retry_at;        /* ms, or NEVER */
	unsigned int retry_pause; /* ms */
	int told;                 /* the last errnum that membership was told */
};

enum call_kind {
	CALL_JOIN,
	CALL_VOTE,
	CALL_CHECK,
};

/*
 * A method call whose reply is due. It belongs to its pending call of libdbus. One to Join that
 * nobody waits for any more has no PE and is in no client's list, which it may outlive: its cookie
 * is given back when it comes.
 */
struct call {
	struct call *next;
	struct spaprd_pe *pe;
	DBusConnection *connection; /* not a reference: it has the pending call */
	DBusPendingCall *pending;   /* a reference while in a list */
	enum call_kind kind;
	uint32_t event; /* of CALL_VOTE */
	char path[GROUP_PATH_SIZE];
};

/* -- errors: reply.c -- */

/* Fill an error, which may be NULL, and return its errnum. */
int client_fail(struct spaprd_error *error, int errnum, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What a reply says: 0, when it is a return of that signature, or an error. */
int client_check_reply(DBusConnection *connection, DBusMessage *reply, const char *signature,
		       struct spaprd_error *error);

/* -- the connection: client.c -- */

/* Callbacks may run between these; what was left goes with the last end. */
void client_begin(struct spaprd_client *client);
void client_end(struct spaprd_client *client);

/* Begin or end to get the signals of a PE. */
void client_match(struct spaprd_pe *pe, bool begin);

/* -- calls: call.c -- */

/* A call of org.spaprd1.Pe, or NULL without memory. */
DBusMessage *call_prepare(const char *path, const char *method);

/* Send a call whose reply goes to pe_handle_reply. Takes the message, which may be NULL.
 * -ENOMEM, -ECONNRESET */
int call_send(struct spaprd_pe *pe, enum call_kind kind, uint32_t event, DBusMessage *message);

/* Tell spaprd, by its unique name, that a cookie is not needed any more. */
void call_leave(DBusConnection *connection, const char *owner, const char *path, uint32_t cookie);

/* Nothing that is under way, or no Join, concerns this PE any more. */
void call_forget(struct spaprd_pe *pe, bool joins_only);

/* -- what happens: pe.c -- */

void pe_handle_reply(const struct call *call, DBusMessage *reply);

/* spaprd came to the bus, left it, or was replaced there. */
void pe_handle_owner(struct spaprd_pe *pe, const char *before, const char *now);

void pe_handle_disconnected(struct spaprd_pe *pe);

/* Join again, if that is due at `now`. */
void pe_retry(struct spaprd_pe *pe, uint64_t now);

/* Send the vote for the step that asks; it doesn't any more. 0 or -errno. */
int pe_send_vote(struct spaprd_pe *pe, enum spaprd_vote vote);

/* Tell the callback. */
void pe_tell_vote_failed(struct spaprd_pe *pe, uint32_t event, int errnum, const char *text);

/* -- pe_signal.c -- */

/* A signal of spaprd's on the path of the PE. */
void pe_handle_signal(struct spaprd_pe *pe, DBusMessage *signal);

/* -- words.c -- */

bool step_takes(unsigned int step, enum spaprd_vote vote);

/* "can-recover, need-reset or disconnect". Static. */
const char *step_choices(unsigned int step);
