/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The record of what happened to PEs: one entry for each event, in a ring with a bound.
 *
 * Times are in microseconds; "since" is since the event began.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eeh/state.h"
#include "eeh/vote.h"

#define RECORD_EVENTS_MAX 64 /* of one PE; the oldest one goes for a new one */
#define RECORD_STEPS_MAX \
	256 /* of one event; the last one ("left-out") says how many more there were */
#define RECORD_DEVICES_MAX 64
#define RECORD_TEXT_SIZE   160
#define RECORD_CONFIG_SIZE 256
#define RECORD_AER_SIZE    72
#define RECORD_NAME_SIZE   16

enum record_outcome {
	RECORD_RUNNING,
	RECORD_RECOVERED,
	RECORD_FAILED,
	RECORD_ABORTED, /* the group or its worker went */
};

/* "running", "recovered", "failed", "aborted". Static. */
const char *record_outcome_name(enum record_outcome outcome);

/* How a freeze was noticed. */
enum record_source {
	RECORD_BY_POLL,
	RECORD_BY_NEIGHBOUR, /* a look after another PE of the same host bridge was found frozen */
	RECORD_BY_CHECK,
	RECORD_BY_INTERRUPT, /* the ERR interrupt */
	RECORD_BY_REQUEST,   /* Recover of a PE that was not known to be frozen */
	RECORD_BY_OPERATION, /* another operation of a client's came across it */
};

const char *record_source_name(enum record_source source);

struct record_step {
	uint64_t since; /* when it ended, or happened */
	uint64_t took;  /* 0 for what has no length */
	char name[24];  /* "unfreeze-io", "error-detected", "vote", "state", "note" */
	char text[RECORD_TEXT_SIZE];
};

/* A device's registers before the reset. */
struct record_registers {
	char device[RECORD_NAME_SIZE];
	uint32_t config_size; /* bytes, 0: it did not answer */
	uint32_t aer_size;
	uint32_t aer_offset;
	uint8_t config[RECORD_CONFIG_SIZE];
	uint8_t aer[RECORD_AER_SIZE];
};

struct record_event {
	uint32_t number;
	uint64_t began;      /* CLOCK_REALTIME */
	uint64_t since_base; /* CLOCK_MONOTONIC when it began */
	uint64_t took;       /* up to the end; 0 while it is running (outcome) */
	enum record_source source;
	enum pe_condition condition; /* at the start */
	enum record_outcome outcome;
	char why[RECORD_TEXT_SIZE]; /* the reason of the outcome */
	struct record_step *steps;
	uint32_t step_count;
	uint32_t steps_left_out; /* for lack of room or memory */
	struct record_registers *registers;
	uint32_t register_count;
};

struct record; /* the ring of one PE */

/* 0 or -ENOMEM. */
int record_new(struct record **ret_record);

/* Takes NULL, returns NULL. */
struct record *record_free(struct record *record);

/* Have memory come from `reallocate` (as realloc) from now on: for tests of a lack of it. */
void record_set_allocator(struct record *record, void *(*reallocate)(void *memory, size_t size));

/* Begin an event. One that is still running is ended as aborted. When there is no memory the event
 * has less steps, or is not kept at all: a recovery never fails for it. */
void record_begin(struct record *record, uint32_t number, uint64_t realtime, uint64_t monotonic,
		  enum record_source source, enum pe_condition condition);

/* Something about the running event; without one nothing happens. */
void record_step(struct record *record, uint64_t monotonic, uint64_t took, const char *name,
		 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Whether the last step of the running event is of that name and text, as far as it was kept. */
bool record_repeats(const struct record *record, const char *name, const char *text);

/* Copies the registers of one device; of more than RECORD_DEVICES_MAX the rest is left out. */
void record_registers(struct record *record, const struct record_registers *registers);

void record_end(struct record *record, uint64_t monotonic, enum record_outcome outcome,
		const char *why);

/* Events from the oldest on, NULL after the last; the running one is the last. Valid until the next
 * record_begin. */
const struct record_event *record_event(const struct record *record, unsigned int index);
