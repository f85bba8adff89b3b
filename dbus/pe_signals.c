/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The signals of org.spaprd1.Pe, and word of its properties. */
#include <inttypes.h>
#include <stdio.h>

#include "common/log.h"
#include "common/names.h"
#include "dbus/pe_methods.h"

const struct bus_signal pe_face_signals[] = {
	{"Frozen", "us"}, {"ErrorDetected", "us"}, {"MmioEnabled", "u"},     {"SlotReset", "u"},
	{"Resume", "u"},  {"Disconnect", "u"},     {"RecoveryDone", "ubus"}, {.name = NULL},
};

static void handle_changed(void *userdata, struct pe *pe, unsigned int what)
{
	const struct group_face *face = pe_group(pe)->face;

	(void)userdata;
	if (!face) {
		return;
	}
	if (what & PE_CHANGED_STATE) {
		bus_object_changed(face->object, BUS_INTERFACE_PE, "State", NULL);
	}
	if (what & PE_CHANGED_RECOVERY) {
		bus_object_changed(face->object, BUS_INTERFACE_PE, "Recovery", NULL);
	}
	if (what & PE_CHANGED_FREEZES) {
		bus_object_changed(face->object, BUS_INTERFACE_PE, "Freezes", "FreezesLeft", NULL);
	}
	if (what & PE_CHANGED_POLICY) {
		bus_object_changed(face->object, BUS_INTERFACE_PE, "Policy", "FreezesLeft", NULL);
	}
	if (what & PE_CHANGED_CLIENTS) {
		bus_object_changed(face->object, BUS_INTERFACE_PE, "Participants", NULL);
	}
}

/* What a signal carries besides the event's number. */
static int emit_text(const struct group_face *face, const char *name, uint32_t event,
		     const char *text)
{
	return bus_object_emit(face->object, BUS_INTERFACE_PE, name, DBUS_TYPE_UINT32, &event,
			       DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
}

static int emit_event(const struct group_face *face, const char *name, uint32_t event)
{
	return bus_object_emit(face->object, BUS_INTERFACE_PE, name, DBUS_TYPE_UINT32, &event,
			       DBUS_TYPE_INVALID);
}

static int emit_done(const struct group_face *face, const struct recovery_action *action)
{
	char text[RECOVERY_TEXT_SIZE];
	const char *why = text;
	dbus_bool_t recovered = action->recovered;

	(void)snprintf(text, sizeof(text), "%s", action->text);
	bus_text_make_valid(text);
	return bus_object_emit(face->object, BUS_INTERFACE_PE, "RecoveryDone", DBUS_TYPE_UINT32,
			       &action->event, DBUS_TYPE_BOOLEAN, &recovered, DBUS_TYPE_UINT32,
			       &action->milliseconds, DBUS_TYPE_STRING, &why, DBUS_TYPE_INVALID);
}

static int emit(const struct group_face *face, const struct recovery_action *action)
{
	switch (action->kind) {
	case RECOVERY_ACTION_FROZEN:
		return emit_text(face, "Frozen", action->event,
				 pe_condition_state(action->condition));
	case RECOVERY_ACTION_ERROR_DETECTED:
		return emit_text(face, "ErrorDetected", action->event,
				 action->condition == PE_UNAVAILABLE ? "unavailable" : "frozen");
	case RECOVERY_ACTION_MMIO_ENABLED:
		return emit_event(face, "MmioEnabled", action->event);
	case RECOVERY_ACTION_SLOT_RESET:
		return emit_event(face, "SlotReset", action->event);
	case RECOVERY_ACTION_RESUME:
		return emit_event(face, "Resume", action->event);
	case RECOVERY_ACTION_DISCONNECT:
		return emit_event(face, "Disconnect", action->event);
	case RECOVERY_ACTION_DONE:
		return emit_done(face, action);
	case RECOVERY_ACTION_OPERATE:
	case RECOVERY_ACTION_NOTE:
		break;
	}
	return 0;
}

/* Who hears a signal has the properties that led to it. */
static void handle_signalled(void *userdata, struct pe *pe, const struct recovery_action *action)
{
	const struct group_face *face = pe_group(pe)->face;
	int r;

	(void)userdata;
	if (!face) {
		return;
	}
	bus_flush_changes(face->service->bus);
	r = emit(face, action);
	if (r < 0) {
		log_error("group %" PRIu32 ": can't tell what its recovery is at (event %" PRIu32
			  "): %s, ignoring",
			  face->group->host->id, action->event, errno_name(-r));
	}
}

const struct pe_observer pe_face_observer = {
	.changed = handle_changed,
	.signalled = handle_signalled,
};
