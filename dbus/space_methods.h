/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The methods of org.spaprd1.AddressSpace that have a file of their own, for the table in space.c.
 * Each authorises its caller (face_authorise), reads the arguments and answers the call.
 */
#pragma once

#include "dbus/faces.h"

/* What space.c and those files share: */

/*
 * Send a request to the worker. When it can't be sent, the call is answered here and the handler is
 * not called.
 */
void space_forward(struct bus_call *call, struct space_face *face, enum worker_request_type type,
		   const void *body, size_t size, worker_answer_handler handler);

/* Whether an answer is a success with a body of that size; else the call is answered here. */
bool space_answer_has(struct bus_call *call, const struct worker_answer *answer, size_t size);

/* The same for a body that begins so and goes on with any number of worker_skipped. */
bool space_answer_begins(struct bus_call *call, const struct worker_answer *answer, size_t size);

/* space_attach.c */
void space_handle_attach_group(struct bus_call *call, void *object);
void space_handle_detach_group(struct bus_call *call, void *object);

/* space_plan.c */
void space_handle_plan(struct bus_call *call, void *object);

/* space_guest.c */
void space_handle_describe_for_guest(struct bus_call *call, void *object);

/* space_many.c */
void space_handle_map_many(struct bus_call *call, void *object);
void space_handle_unmap_many(struct bus_call *call, void *object);
