/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record of PEs, as ListEvents has it, as plain structures. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cli/client.h"
#include "cli/properties.h"

struct pe_step {
	uint64_t since; /* the event began, when the step ended; µs */
	uint64_t took;  /* µs */
	const char *name;
	const char *text;
};

struct pe_steps {
	struct pe_step *items;
	size_t count;
};

struct pe_bytes {
	const unsigned char *bytes;
	size_t size;
};

/* A device before the reset. */
struct pe_registers {
	const char *device;
	struct pe_bytes config; /* size 0: it did not answer */
	uint32_t aer_offset;
	struct pe_bytes aer;
};

struct pe_registers_list {
	struct pe_registers *items;
	size_t count;
};

struct pe_event {
	uint32_t number;
	uint32_t group;
	uint32_t phb; /* or MODEL_UNKNOWN, as the next */
	uint32_t pe;
	const char *location; /* "" where the host has none */
	struct property_strings devices;
	const char *policy;
	uint64_t began; /* µs since 1970 */
	const char *source;
	const char *state;
	const char *outcome; /* running, recovered, failed, aborted */
	const char *why;
	uint32_t milliseconds;
	struct pe_steps steps;
	uint32_t steps_left_out;
	struct pe_registers_list registers;
};

/* Strings belong to the replies. */
struct pe_events {
	DBusMessage **replies;
	size_t reply_count;
	struct pe_event *items;
	size_t count;
};

#define PE_EVENTS_NONE ((struct pe_events){.items = NULL})

/* Add the events of a group, by its path, from that number on, at most so many (0: all). 0 or a
 * code, after which they are only to be freed. */
int pe_events_read(struct client *client, const char *path, uint32_t from, uint32_t most,
		   struct pe_events *events, struct error *error);

/* The same of a reply, of which a reference is taken. */
int pe_events_add(struct pe_events *events, DBusMessage *reply, struct error *error);

/* By the time at which they began. */
void pe_events_sort(struct pe_events *events);

/* Forget the last event; there is one. */
void pe_events_drop_last(struct pe_events *events);

void pe_events_done(struct pe_events *events);
