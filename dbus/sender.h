/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Senders: who a unique bus name is, and when it leaves.
 *
 * The bus is asked once for the uid of a name; it is remembered until the name leaves the bus. What
 * is remembered is bounded by the connections that the bus has.
 */
#pragma once

#include <sys/types.h>

#include "dbus/bus.h"

struct bus_sender;
struct bus_sender_watch;

/*
 * The answer to a lookup: a sender, or NULL and why not. The sender may be used until it leaves;
 * who keeps the pointer longer than this callback watches it.
 */
typedef void (*bus_sender_ready)(struct bus_sender *sender, const struct error *error,
				 void *userdata);

/*
 * Look a unique name up. ready is called exactly once: before this function returns when the sender
 * is known, else from the loop (or by bus_free). Its errors: ERROR_NOT_FOUND when the name isn't
 * on the bus (any more), ERROR_ACCESS_DENIED when the bus doesn't tell its uid. 0, or a negative
 * errno and ready will not be called: EINVAL for what is not a unique name, ENOMEM, ENOTCONN.
 */
int bus_sender_get(struct bus *bus, const char *name, bus_sender_ready ready, void *userdata);

const char *bus_sender_name(const struct bus_sender *sender);
uid_t bus_sender_uid(const struct bus_sender *sender);

/* The sender has left the bus; its pointer is not valid after the callbacks. */
typedef void (*bus_sender_gone)(void *userdata);

/*
 * Have gone called once, from the loop, when the sender leaves. The watch is the caller's until
 * bus_sender_unwatch, also after the call and after bus_free. 0 or -ENOMEM.
 */
int bus_sender_watch(struct bus_sender *sender, bus_sender_gone gone, void *userdata,
		     struct bus_sender_watch **ret_watch);

/* End a watch; gone is not called any more. Takes NULL, returns NULL. May be called by any gone. */
struct bus_sender_watch *bus_sender_unwatch(struct bus_sender_watch *watch);
