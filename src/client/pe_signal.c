/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The signals of org.spaprd1.Pe, as calls of the participant's callbacks. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"

static bool step_is_under_way(const struct spaprd_pe *pe, uint32_t event, unsigned int step)
{
	return !pe->left && pe->event == event && pe->step == step;
}

/* Handle what a callback returned; it may have voted itself, or left. */
static void take_vote(struct spaprd_pe *pe, uint32_t event, unsigned int step,
		      enum spaprd_vote vote)
{
	char text[128];
	int r;

	if (vote == SPAPRD_VOTE_LATER || !step_is_under_way(pe, event, step)) {
		return;
	}
	r = pe_send_vote(pe, step_takes(step, vote) ? vote : SPAPRD_VOTE_NEED_RESET);
	if (r < 0) {
		(void)snprintf(text, sizeof(text), "the vote could not be sent: %s", strerror(-r));
		pe_tell_vote_failed(pe, event, r, text);
	} else if (!step_takes(step, vote)) {
		(void)snprintf(text, sizeof(text),
			       "the step takes %s, and not \"%s\"; the vote is need-reset",
			       step_choices(step), spaprd_vote_name(vote));
		pe_tell_vote_failed(pe, event, -EINVAL, text);
	}
}

static enum spaprd_channel read_channel(const char *word)
{
	if (strcmp(word, "frozen") == 0) {
		return SPAPRD_CHANNEL_FROZEN;
	}
	return strcmp(word, "unavailable") == 0 ? SPAPRD_CHANNEL_UNAVAILABLE : SPAPRD_CHANNEL_OTHER;
}

static void handle_error_detected(struct spaprd_pe *pe, uint32_t event, DBusMessage *signal)
{
	const char *channel = "";

	(void)dbus_message_get_args(signal, NULL, DBUS_TYPE_UINT32, &event, DBUS_TYPE_STRING,
				    &channel, DBUS_TYPE_INVALID);
	pe->event = event;
	pe->step = SPAPRD_STEP_ERROR_DETECTED;
	take_vote(pe, event, SPAPRD_STEP_ERROR_DETECTED,
		  pe->callbacks.error_detected(pe->userdata, pe, event, read_channel(channel)));
}

/* The two steps that follow: of an event that began before we joined they aren't for us. */
static void handle_step(struct spaprd_pe *pe, uint32_t event, enum spaprd_step step,
			enum spaprd_vote (*callback)(void *userdata, struct spaprd_pe *pe,
						     uint32_t event))
{
	if (event != pe->event) {
		return;
	}
	pe->step = step;
	take_vote(pe, event, step,
		  callback ? callback(pe->userdata, pe, event) : SPAPRD_VOTE_RECOVERED);
}

static void handle_mmio_enabled(struct spaprd_pe *pe, uint32_t event, DBusMessage *signal)
{
	(void)signal;
	handle_step(pe, event, SPAPRD_STEP_MMIO_ENABLED, pe->callbacks.mmio_enabled);
}

static void handle_slot_reset(struct spaprd_pe *pe, uint32_t event, DBusMessage *signal)
{
	(void)signal;
	handle_step(pe, event, SPAPRD_STEP_SLOT_RESET, pe->callbacks.slot_reset);
}

static void handle_resume(struct spaprd_pe *pe, uint32_t event, DBusMessage *signal)
{
	(void)signal;
	if (event != pe->event) {
		return;
	}
	pe->step = 0;
	if (pe->callbacks.resume) {
		pe->callbacks.resume(pe->userdata, pe, event);
	}
}

static void handle_disconnect(struct spaprd_pe *pe, uint32_t event, DBusMessage *signal)
{
	(void)signal;
	pe->step = 0;
	if (pe->callbacks.disconnect) {
		pe->callbacks.disconnect(pe->userdata, pe, event);
	}
}

static void handle_done(struct spaprd_pe *pe, uint32_t event, DBusMessage *signal)
{
	dbus_bool_t recovered = FALSE;
	dbus_uint32_t milliseconds = 0;
	const char *why = "";

	(void)dbus_message_get_args(signal, NULL, DBUS_TYPE_UINT32, &event, DBUS_TYPE_BOOLEAN,
				    &recovered, DBUS_TYPE_UINT32, &milliseconds, DBUS_TYPE_STRING,
				    &why, DBUS_TYPE_INVALID);
	pe->event = 0;
	pe->step = 0;
	if (pe->callbacks.done) {
		pe->callbacks.done(pe->userdata, pe, event, recovered != FALSE, milliseconds, why);
	}
}

void pe_handle_signal(struct spaprd_pe *pe, DBusMessage *signal)
{
	static const struct {
		const char *member;
		const char *signature;
		void (*handle)(struct spaprd_pe *pe, uint32_t event, DBusMessage *signal);
	} table[] = {
		{"ErrorDetected", "us", handle_error_detected},
		{"MmioEnabled", "u", handle_mmio_enabled},
		{"SlotReset", "u", handle_slot_reset},
		{"Resume", "u", handle_resume},
		{"Disconnect", "u", handle_disconnect},
		{"RecoveryDone", "ubus", handle_done},
	};
	dbus_uint32_t event = 0;

	if (pe->left || pe->state != PE_JOINED) {
		return;
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (dbus_message_has_member(signal, table[i].member) &&
		    dbus_message_has_signature(signal, table[i].signature)) {
			DBusMessageIter iter;

			(void)dbus_message_iter_init(signal, &iter);
			dbus_message_iter_get_basic(&iter, &event);
			table[i].handle(pe, event, signal);
			return;
		}
	}
}
