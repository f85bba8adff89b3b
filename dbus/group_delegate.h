/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Group: handing a group to a VMM. */
#pragma once

#include <dbus/dbus.h>

struct bus_call;
struct group_face;

void group_handle_delegate(struct bus_call *call, void *object);

/* The property Delegated. */
int group_get_delegated(void *object, DBusMessageIter *value);

/* When the face goes: who has the group is not watched any more. */
void group_forget_delegate(struct group_face *face);
