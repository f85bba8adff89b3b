/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What happens to PEs, told as it happens: a line for each signal and each change of a property.
 *
 * It has no clock and no bus: messages go in with the time of them.
 */
#pragma once

#include <dbus/dbus.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/terminal.h"

struct pe_story;

struct pe_story_time {
	uint64_t realtime;  /* µs since 1970 */
	uint64_t monotonic; /* µs */
};

/* What a message was, for those who wait for an end. */
struct pe_story_end {
	bool done;    /* it was a RecoveryDone of a group that is told of */
	bool service; /* spaprd has left the bus */
	uint32_t event;
	bool recovered;
};

/* Tell of these groups, which are copied, or of all (count 0). NULL without memory. */
struct pe_story *pe_story_new(FILE *file, const struct terminal *terminal, bool json,
			      const uint32_t *groups, size_t count);

/* The unique name of spaprd: signals of others are not told. It is followed from then on. */
void pe_story_set_owner(struct pe_story *story, const char *owner);

/* An event is under way whose freeze is not told: when it began (µs, monotonic). */
void pe_story_begin(struct pe_story *story, uint32_t group, uint32_t event, uint64_t began);

/* Takes NULL, returns NULL. */
struct pe_story *pe_story_free(struct pe_story *story);

static inline void cleanup_story(struct pe_story **story)
{
	*story = pe_story_free(*story);
}

/* Tell what a message says; nothing of one that is about something else. */
struct pe_story_end pe_story_tell(struct pe_story *story, DBusMessage *message,
				  struct pe_story_time now);
