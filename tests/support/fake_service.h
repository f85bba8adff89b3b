/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process that has spaprd's name on the bus and answers every call as a test wants it. */
#pragma once

#include <dbus/dbus.h>

/* The reply to a call, which the caller unrefs; NULL for none, or for one that is sent later. */
typedef DBusMessage *fake_service_answer(DBusMessage *call);

/* In the service: send something that is no reply, or a late one. Takes the message. */
void fake_service_send(DBusMessage *message);

/* Serve until killed, also by the parent's end. Writes a byte to `ready` once the name is owned.
 * For a forked child. */
__attribute__((noreturn)) void fake_service_run(int ready, fake_service_answer *answer);
