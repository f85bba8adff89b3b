/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus/group_delegate.h"

#include <errno.h>

#include "broker/delegation.h"
#include "common/cleanup.h"
#include "dbus/faces.h"

static void handle_owner_gone(void *userdata)
{
	struct group_face *face = userdata;

	face->delegate_watch = bus_sender_unwatch(face->delegate_watch);
	delegation_owner_left(face->group);
}

static void do_delegate(struct bus_call *call, struct group_face *face, struct bus_sender *sender)
{
	struct bus_sender_watch *watch = NULL;
	cleanup(cleanup_fd) int fd = -1;
	struct error error;

	if (bus_sender_watch(sender, handle_owner_gone, face, &watch) < 0) {
		(void)error_set(&error, ERROR_KERNEL, ENOMEM, "no memory for a delegation");
		bus_call_fail(call, &error);
		return;
	}
	if (delegation_begin(face->service->manager, face->group, bus_sender_name(sender),
			     bus_sender_uid(sender), &fd, &error)) {
		(void)bus_sender_unwatch(watch);
		bus_call_fail(call, &error);
		return;
	}
	/* Of an owner that has left, if any: the group was found free since. */
	(void)bus_sender_unwatch(face->delegate_watch);
	face->delegate_watch = watch;
	bus_flush_changes(face->service->bus);
	bus_call_reply(call, DBUS_TYPE_UNIX_FD, &fd, DBUS_TYPE_INVALID);
}

void group_handle_delegate(struct bus_call *call, void *object)
{
	face_authorise_group_operator(call, object, do_delegate);
}

int group_get_delegated(void *object, DBusMessageIter *value)
{
	const struct group_face *face = object;

	return face_append_text(value, delegation_owner(face->group));
}

void group_forget_delegate(struct group_face *face)
{
	face->delegate_watch = bus_sender_unwatch(face->delegate_watch);
}
