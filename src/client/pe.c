/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Joining, voting, asking: what goes to spaprd about one PE. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "common/clock.h"
#include "common/names.h"

#define RETRY_PAUSE_MIN 1000U  /* ms */
#define RETRY_PAUSE_MAX 60000U /* ms */

#define TOLD_NOTHING 1 /* no errnum */

/* -- joining -- */

static void tell_membership(struct spaprd_pe *pe, int errnum, const char *text)
{
	if (pe->left || pe->told == errnum) {
		return;
	}
	pe->told = errnum;
	if (pe->callbacks.membership) {
		pe->callbacks.membership(pe->userdata, pe, errnum, text);
	}
}

static void wait_to_retry(struct spaprd_pe *pe)
{
	pe->state = PE_RETRYING;
	pe->retry_at = clock_milliseconds() + pe->retry_pause;
	pe->retry_pause *= 2;
	if (pe->retry_pause > RETRY_PAUSE_MAX) {
		pe->retry_pause = RETRY_PAUSE_MAX;
	}
}

/* Only the first one may have the bus start spaprd: one that was stopped is to stay so. */
static int send_join(struct spaprd_pe *pe, bool start)
{
	DBusMessage *message = call_prepare(pe->path, "Join");

	if (message) {
		dbus_message_set_auto_start(message, start);
	}
	pe->retry_at = NEVER;
	pe->state = PE_JOINING;
	return call_send(pe, CALL_JOIN, 0, message);
}

static void join_again(struct spaprd_pe *pe)
{
	if (send_join(pe, false) < 0) {
		wait_to_retry(pe);
	}
}

void pe_retry(struct spaprd_pe *pe, uint64_t now)
{
	if (!pe->left && pe->retry_at <= now) {
		join_again(pe);
	}
}

static void handle_joined(struct spaprd_pe *pe, DBusMessage *reply)
{
	const char *owner = dbus_message_get_sender(reply);
	dbus_uint32_t cookie = 0;

	(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &cookie, DBUS_TYPE_INVALID);
	(void)snprintf(pe->client->owner, sizeof(pe->client->owner), "%s", owner ? owner : "");
	pe->cookie = cookie;
	pe->state = PE_JOINED;
	pe->retry_pause = RETRY_PAUSE_MIN;
	tell_membership(pe, 0, "");
}

static void handle_join_failed(struct spaprd_pe *pe, const struct spaprd_error *error)
{
	switch (error->errnum) {
	case -ECONNRESET: /* which is told for itself */
		return;
	case -EACCES:
		pe->state = PE_OUT;
		break;
	case -EHOSTDOWN:
		pe->state = PE_WAITING;
		break;
	default:
		wait_to_retry(pe);
		break;
	}
	tell_membership(pe, error->errnum, error->text);
}

/* -- what happens -- */

void pe_handle_reply(const struct call *call, DBusMessage *reply)
{
	static const char *const signatures[] = {
		[CALL_JOIN] = "u", [CALL_VOTE] = "", [CALL_CHECK] = "s"};
	struct spaprd_pe *pe = call->pe;
	struct spaprd_error error = {.errnum = 0};
	const char *state = error.text;
	int r = client_check_reply(call->connection, reply, signatures[call->kind], &error);

	switch (call->kind) {
	case CALL_JOIN:
		if (r == 0) {
			handle_joined(pe, reply);
		} else {
			handle_join_failed(pe, &error);
		}
		break;
	case CALL_VOTE:
		if (r < 0) {
			pe_tell_vote_failed(pe, call->event, r, error.text);
		}
		break;
	case CALL_CHECK:
		pe->checking = false;
		if (r == 0) {
			(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &state,
						    DBUS_TYPE_INVALID);
		}
		if (pe->callbacks.checked) {
			pe->callbacks.checked(pe->userdata, pe, r, state);
		}
		break;
	}
}

/* The cookie is void, and so is what was under way. */
static void lose_membership(struct spaprd_pe *pe, enum pe_state state)
{
	pe->state = state;
	pe->cookie = 0;
	pe->event = 0;
	pe->step = 0;
	pe->retry_at = NEVER;
}

void pe_handle_owner(struct spaprd_pe *pe, const char *before, const char *now)
{
	if (pe->left || pe->state == PE_OUT) {
		return;
	}
	/* A Join that was sent when nobody had the name goes to the one who has it now. */
	if (pe->state == PE_JOINING && !*before) {
		return;
	}
	/* The bus answers the other calls in the place of who left. */
	call_forget(pe, true);
	if (pe->state == PE_JOINED) {
		lose_membership(pe, PE_WAITING);
		tell_membership(pe, -EHOSTDOWN, "spaprd has left the bus");
	}
	if (pe->left) {
		return;
	}
	lose_membership(pe, PE_WAITING);
	if (*now) {
		pe->retry_pause = RETRY_PAUSE_MIN;
		join_again(pe);
	}
}

void pe_handle_disconnected(struct spaprd_pe *pe)
{
	lose_membership(pe, PE_OUT);
	tell_membership(pe, -ECONNRESET, "the bus closed the connection");
}

/* -- votes -- */

void pe_tell_vote_failed(struct spaprd_pe *pe, uint32_t event, int errnum, const char *text)
{
	if (pe->callbacks.vote_failed) {
		pe->callbacks.vote_failed(pe->userdata, pe, event, errnum, text);
	}
}

int pe_send_vote(struct spaprd_pe *pe, enum spaprd_vote vote)
{
	DBusMessage *message = call_prepare(pe->path, "Vote");
	const char *verdict = spaprd_vote_name(vote);
	dbus_uint32_t cookie = pe->cookie;
	dbus_uint32_t event = pe->event;
	int r;

	if (message &&
	    !dbus_message_append_args(message, DBUS_TYPE_UINT32, &cookie, DBUS_TYPE_UINT32, &event,
				      DBUS_TYPE_STRING, &verdict, DBUS_TYPE_INVALID)) {
		dbus_message_unref(message);
		message = NULL;
	}
	if (message) {
		dbus_message_set_auto_start(message, FALSE);
	}
	r = call_send(pe, CALL_VOTE, event, message);
	pe->step = r < 0 ? pe->step : 0;
	return r;
}

static int fail_to_send(int r, struct spaprd_error *ret_error)
{
	return client_fail(ret_error, r,
			   r == -ENOMEM ? "there is no memory for a call"
					: "the bus closed the connection");
}

int spaprd_pe_vote(struct spaprd_pe *pe, uint32_t event, enum spaprd_step step,
		   enum spaprd_vote vote, struct spaprd_error *ret_error)
{
	int r;

	if (pe->state != PE_JOINED || pe->left) {
		return client_fail(ret_error, -ENOTCONN,
				   "not taking part in the recoveries of group %" PRIu32 " now",
				   pe->group);
	}
	if (event == 0 || event != pe->event || step != pe->step) {
		return client_fail(ret_error, -ESTALE,
				   "the step %s of event %" PRIu32 " on group %" PRIu32
				   " does not ask for a vote of ours now",
				   spaprd_step_name(step), event, pe->group);
	}
	if (!step_takes(step, vote)) {
		return client_fail(ret_error, -EINVAL, "the step %s takes %s, and not \"%s\"",
				   spaprd_step_name(step), step_choices(step),
				   spaprd_vote_name(vote));
	}
	r = pe_send_vote(pe, vote);
	return r < 0 ? fail_to_send(r, ret_error) : 0;
}

/* -- hints -- */

int spaprd_pe_check(struct spaprd_pe *pe, struct spaprd_error *ret_error)
{
	DBusMessage *message;
	int r;

	if (pe->checking || pe->left) {
		return 0;
	}
	message = call_prepare(pe->path, "Check");
	if (message) {
		dbus_message_set_auto_start(message, FALSE);
	}
	r = call_send(pe, CALL_CHECK, 0, message);
	if (r < 0) {
		return fail_to_send(r, ret_error);
	}
	pe->checking = true;
	return 0;
}

/* -- beginning and end -- */

/* There is no older version of the library yet, whose programs have less. */
static int check_callbacks(const struct spaprd_pe_callbacks *callbacks,
			   struct spaprd_error *ret_error)
{
	if (callbacks->size != sizeof(*callbacks)) {
		return client_fail(ret_error, -EINVAL,
				   "struct spaprd_pe_callbacks has a size of %zu here, and not %zu",
				   sizeof(*callbacks), callbacks->size);
	}
	if (!callbacks->error_detected) {
		return client_fail(ret_error, -EINVAL, "the callback error_detected is missing");
	}
	return 0;
}

int spaprd_pe_join(struct spaprd_client *client, uint32_t group,
		   const struct spaprd_pe_callbacks *callbacks, void *userdata,
		   struct spaprd_pe **ret_pe, struct spaprd_error *ret_error)
{
	struct spaprd_pe *pe;
	int r = check_callbacks(callbacks, ret_error);

	if (r < 0) {
		return r;
	}
	pe = client->connected ? calloc(1, sizeof(*pe)) : NULL;
	if (!pe) {
		return fail_to_send(client->connected ? -ENOMEM : -ECONNRESET, ret_error);
	}
	pe->client = client;
	pe->group = group;
	(void)snprintf(pe->path, sizeof(pe->path), BUS_PATH_GROUP_PREFIX "%" PRIu32, group);
	pe->callbacks = *callbacks;
	pe->userdata = userdata;
	pe->retry_pause = RETRY_PAUSE_MIN;
	pe->told = TOLD_NOTHING;
	client_match(pe, true);
	r = send_join(pe, true);
	if (r < 0) {
		client_match(pe, false);
		free(pe);
		return fail_to_send(r, ret_error);
	}
	pe->next = client->pes;
	client->pes = pe;
	*ret_pe = pe;
	return 0;
}

struct spaprd_pe *spaprd_pe_leave(struct spaprd_pe *pe)
{
	struct spaprd_client *client;

	if (!pe || pe->left) {
		return NULL;
	}
	client = pe->client;
	client_begin(client);
	call_forget(pe, false);
	if (client->connected) {
		if (pe->state == PE_JOINED) {
			call_leave(client->connection, client->owner, pe->path, pe->cookie);
		}
		client_match(pe, false);
	}
	pe->left = true;
	pe->retry_at = NEVER;
	client_end(client);
	return NULL;
}

/* -- questions -- */

uint32_t spaprd_pe_group(const struct spaprd_pe *pe)
{
	return pe->group;
}

int spaprd_pe_is_joined(const struct spaprd_pe *pe)
{
	return pe->state == PE_JOINED;
}
