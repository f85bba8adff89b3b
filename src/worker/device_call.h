/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Quick calls to devices that are open: WORKER_CALL_DEVICE. Carried out at once, on the thread that
 * owns the space; none of them waits for a device.
 */
#pragma once

#include <stddef.h>

#include "common/error.h"
#include "vfio/space.h"
#include "worker/request.h"

/* Bytes of the body of a reply at most. */
#define DEVICE_CALL_BODY_MAX (WORKER_REGIONS_MAX * sizeof(struct worker_region))

/*
 * Carry out a request of this type. fds may be taken from it. 0 with the reply's body and its size,
 * or a code:
 *
 * ERROR_INVALID_ARGUMENT  there is no such call; a field, or fds, that the call has no use for; a
 *                         name that is none; interrupts that are the broker's (ERR and REQ, which
 *                         it hears of for all, WORKER_EVENT_*)
 * and what space_use_device, vfio/region.h and vfio/irq.h answer.
 */
int device_call(const struct space *space, struct request *request,
		unsigned char body[DEVICE_CALL_BODY_MAX], size_t *ret_size, struct error *error);
