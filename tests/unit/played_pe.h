/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PEs that a lying worker plays, by a script that it shares with the test: a file that both map,
 * named by SPAPRD_TEST_PES. They go through the states that a real one goes through (measured on
 * powernv), but for what the script says.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/worker_protocol.h"
#include "played_device.h"

#define ENV_PLAYED_PES "SPAPRD_TEST_PES"

#define PLAYED_GROUPS  64U /* groups 0 to 63 */
#define PLAYED_LOG_MAX 4096U

/* What is not true of an answer. */
enum played_lie {
	PLAYED_TRUTH,
	PLAYED_SHORT,    /* its end is missing */
	PLAYED_LONG,     /* there is more than there should be */
	PLAYED_SILENT,   /* more devices are silent than there are */
	PLAYED_DEVICES,  /* more are open than the group has */
	PLAYED_RESERVED, /* a field that has no meaning */
	PLAYED_STRANGER, /* registers of a device that isn't in the group */
	PLAYED_ENDLESS,  /* a name without an end */
	PLAYED_CONFIG,   /* config space of an odd size */
	PLAYED_AER,      /* a capability of an odd size */
	PLAYED_OFFSET,   /* … beyond config space */
	PLAYED_FDLESS,   /* a device without its fd */
	PLAYED_LIES,
};

struct played_operation {
	uint32_t failures; /* so many times it fails, with: */
	uint32_t code;
	int32_t errnum;
	bool idle;  /* it says that it worked, and changes nothing */
	bool held;  /* it isn't answered as long as this is set */
	bool fatal; /* the worker ends instead of answering */
};

struct played_pe {
	uint32_t number;     /* VFIO_EEH_PE_STATE_* */
	uint32_t looks_left; /* with that number; then the PE is normal again. 0: it stays */
	uint32_t devices;
	uint32_t silent;
	uint32_t lie;          /* enum played_lie, of the next answer */
	uint32_t opened;       /* devices, since the start */
	bool has_event;        /* the last one that was opened came with an eventfd */
	uint32_t open_code;    /* what opening a device fails with, or 0 */
	bool open_held;        /* opening isn't answered as long as this is set */
	uint32_t detach_code;  /* what detaching fails with, or 0 */
	uint32_t detach_flags; /* of the last one */
	uint32_t detaches;     /* that were asked for */
	struct played_device device;
	uint32_t counts[WORKER_PE_OPERATION_COUNT]; /* how often each was asked for */
	struct played_operation operations[WORKER_PE_OPERATION_COUNT];
};

struct played_entry {
	uint32_t group;
	uint32_t operation;
	uint64_t when; /* CLOCK_MONOTONIC, µs */
};

struct played_pes {
	struct played_pe pes[PLAYED_GROUPS];
	char device[PLAYED_GROUPS][WORKER_DEVICE_NAME_SIZE]; /* that has registers, one each */
	struct played_entry log[PLAYED_LOG_MAX];
	uint32_t log_count;
};

/* -- the test's part -- */

/* Make the script, all PEs normal, and tell workers of it that are started later. */
volatile struct played_pes *played_pes_new(void);
void played_pes_free(volatile struct played_pes *pes);

/* -- the worker's part -- */

/* Whether there is a script. */
bool played_pes_open(void);

/* Answer one of WORKER_OPERATE_PE, WORKER_OPEN_DEVICE and WORKER_CALL_DEVICE. */
void played_pe_operate(const struct worker_request *request, const void *data);
void played_pe_open_device(const struct worker_request *request, const void *data);
void played_pe_call_device(const struct worker_request *request, const void *data);

/* Refuse WORKER_DETACH_GROUP, if the script says so. */
bool played_pe_refuses_detach(const struct worker_request *request, const void *data);
