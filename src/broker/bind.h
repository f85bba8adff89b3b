/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The broker's end of spaprd-bind (common/bind_protocol.h): who may have which group bound, and
 * waiting for the process that does it.
 *
 * Concepts
 *   helper    one process for one request. systemd starts it for a connection to its socket, which
 *             is how a spaprd without the right to write to sysfs has one; where there is no such
 *             socket, or the host is simulated, spaprd starts it itself.
 *   deadline  the kernel may wait for a device's user or for a driver without end, and nothing ends
 *             that wait. Then the caller is told so, the helper goes on, and its group is busy
 *             until it has come to an end.
 * Nothing is kept here over a restart of spaprd: what was bound stands in the helper's own records.
 */
#pragma once

#include <stdbool.h>

#include "common/bind_protocol.h"
#include "common/error.h"

struct binding;
struct group;
struct manager;

/* Groups that helpers are at work for at the same time. */
#define BINDINGS_MAX 32U

/* When the caller is told that it takes longer, in milliseconds. */
#define BINDING_TIMEOUT 20000U

struct binding_order {
	enum bind_operation operation;
	const char *driver; /* BIND_BIND: "" is the first of bind-drivers */
	bool force;         /* also what the host uses */
};

/* Called once, in the loop. error->code is ERROR_NONE when it worked. The answer is valid during
 * the call, NULL where none came. */
typedef void (*binding_handler)(void *userdata, const struct error *error,
				const struct bind_answer *answer);

/*
 * Have all devices of a group bound, or given back. 0, or a code and the handler is not called:
 *
 * ERROR_ACCESS_DENIED   the policy allows the driver or a device not to be bound
 * ERROR_GROUP_BUSY      the group is in an address space, or delegated
 * ERROR_BUSY            a helper is at work for the group, or for too many
 * ERROR_NOT_FOUND       the group is gone from the host
 * ERROR_KERNEL          there is no helper to be had
 *
 * The handler's are those of struct bind_answer, ERROR_BUSY when the deadline has passed, and
 * ERROR_KERNEL when the helper ended without an answer.
 */
int binding_begin(struct manager *manager, struct group *group, const struct binding_order *order,
		  binding_handler handler, void *userdata, struct error *error);

/* ERROR_BUSY while the group is being bound: nobody attaches it then. */
int binding_check(const struct manager *manager, const struct group *group, struct error *error);

/* When the manager ends: forgets the helpers, which go on. Nobody is called. */
void binding_forget_all(struct manager *manager);
