/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An open device that a worker plays: it has a BAR, config space, a region of a type, and INTx,
 * MSI-X, ERR and REQ. What is written to it, wherever, is what is read.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/worker_protocol.h"

#define PLAYED_REGION_TYPE    0x80001234U
#define PLAYED_REGION_SUBTYPE 7U

/* What is not true of an answer. */
enum played_device_lie {
	PLAYED_DEVICE_TRUTH,
	PLAYED_DEVICE_SHORT,    /* its end is missing */
	PLAYED_DEVICE_LONG,     /* there is more than there should be */
	PLAYED_DEVICE_MANY,     /* more than there may be */
	PLAYED_DEVICE_ORDER,    /* not in ascending order */
	PLAYED_DEVICE_TWICE,    /* the same again */
	PLAYED_DEVICE_INDEX,    /* a number that nothing has */
	PLAYED_DEVICE_RESERVED, /* a field that has no meaning */
	PLAYED_DEVICE_WRAP,     /* beyond the end of all addresses */
	PLAYED_DEVICE_LARGE,    /* a value that the register can't have */
	PLAYED_DEVICE_LIES,
};

/* The test and the worker's process have it in common. */
struct played_device {
	uint64_t value; /* of its registers */
	uint32_t lie;   /* enum played_device_lie, of all answers but INFO's, unless lies_of_info */
	bool lies_of_info;
	bool no_alarms; /* it has neither ERR nor REQ */
	bool reset_works;
	bool held;     /* nothing but INFO is answered as long as this is set */
	uint32_t code; /* what calls but INFO fail with, or 0 */
	uint32_t calls[WORKER_DEVICE_CALL_COUNT];
	uint32_t fds;                   /* that came with the last one */
	struct worker_call_device last; /* but INFO */
};

/* In the worker: answer WORKER_CALL_DEVICE. Without a script (NULL) as a device that works. */
void played_device_call(const struct worker_request *request, const void *data,
			volatile struct played_device *script);
