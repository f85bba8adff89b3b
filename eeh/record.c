/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "eeh/record.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_FIRST     16
#define REGISTERS_FIRST 1

struct record {
	/* A ring; the running event is the last one. */
	struct record_event *events[RECORD_EVENTS_MAX];
	unsigned int first;
	unsigned int count;
	bool running; /* false for one that could not be kept */
	void *(*reallocate)(void *memory, size_t size);
};

const char *record_outcome_name(enum record_outcome outcome)
{
	static const char *const names[] = {
		[RECORD_RUNNING] = "running",
		[RECORD_RECOVERED] = "recovered",
		[RECORD_FAILED] = "failed",
		[RECORD_ABORTED] = "aborted",
	};

	return names[outcome];
}

const char *record_source_name(enum record_source source)
{
	static const char *const names[] = {
		[RECORD_BY_POLL] = "poll",           [RECORD_BY_CHECK] = "check",
		[RECORD_BY_INTERRUPT] = "interrupt", [RECORD_BY_REQUEST] = "request",
		[RECORD_BY_OPERATION] = "operation", [RECORD_BY_NEIGHBOUR] = "neighbour",
	};

	return names[source];
}

/* -- the ring -- */

int record_new(struct record **ret_record)
{
	struct record *record = calloc(1, sizeof(*record));

	if (!record) {
		return -ENOMEM;
	}
	record->reallocate = realloc;
	*ret_record = record;
	return 0;
}

void record_set_allocator(struct record *record, void *(*reallocate)(void *memory, size_t size))
{
	record->reallocate = reallocate;
}

static struct record_event *event_free(struct record_event *event)
{
	if (event) {
		free(event->steps);
		free(event->registers);
		free(event);
	}
	return NULL;
}

struct record *record_free(struct record *record)
{
	if (record) {
		for (unsigned int i = 0; i < RECORD_EVENTS_MAX; i++) {
			record->events[i] = event_free(record->events[i]);
		}
		free(record);
	}
	return NULL;
}

const struct record_event *record_event(const struct record *record, unsigned int index)
{
	return index < record->count ? record->events[(record->first + index) % RECORD_EVENTS_MAX]
				     : NULL;
}

static struct record_event *running_event(const struct record *record)
{
	return record->running
		       ? record->events[(record->first + record->count - 1) % RECORD_EVENTS_MAX]
		       : NULL;
}

/* Put an event at the end of the ring, in place of the oldest one if it is full. */
static void append(struct record *record, struct record_event *event)
{
	unsigned int index = (record->first + record->count) % RECORD_EVENTS_MAX;

	if (record->count == RECORD_EVENTS_MAX) {
		(void)event_free(record->events[index]);
		record->first = (record->first + 1) % RECORD_EVENTS_MAX;
	} else {
		record->count++;
	}
	record->events[index] = event;
}

/* -- events -- */

void record_begin(struct record *record, uint32_t number, uint64_t realtime, uint64_t monotonic,
		  enum record_source source, enum pe_condition condition)
{
	struct record_event *event;

	record_end(record, monotonic, RECORD_ABORTED, "another event has begun");
	event = record->reallocate(NULL, sizeof(*event));
	if (!event) {
		return;
	}
	*event = (struct record_event){
		.number = number,
		.began = realtime,
		.since_base = monotonic,
		.source = source,
		.condition = condition,
		.outcome = RECORD_RUNNING,
	};
	append(record, event);
	record->running = true;
}

/*
 * Have room for one more in an array that doubles, from `first` on. The capacity is not kept: both
 * are powers of two, so the array is full whenever the count is one. NULL without memory.
 */
static void *make_room(const struct record *record, void *array, uint32_t count, uint32_t first,
		       size_t size)
{
	if (count > 0 && (count < first || (count & (count - 1)) != 0)) {
		return array;
	}
	return record->reallocate(array, (count == 0 ? first : 2 * (size_t)count) * size);
}

/* A place for one more step, NULL without memory. */
static struct record_step *add_step(const struct record *record, struct record_event *event)
{
	struct record_step *steps =
		make_room(record, event->steps, event->step_count, STEPS_FIRST, sizeof(*steps));

	if (!steps) {
		return NULL;
	}
	event->steps = steps;
	return &steps[event->step_count++];
}

static void fill_step(struct record_step *step, uint64_t since, uint64_t took, const char *name)
{
	*step = (struct record_step){.since = since, .took = took};
	(void)snprintf(step->name, sizeof(step->name), "%s", name);
}

/* One more step that is not kept; the last place says so. */
static void leave_out(const struct record *record, struct record_event *event, uint64_t since)
{
	struct record_step *step = event->step_count == RECORD_STEPS_MAX
					   ? &event->steps[RECORD_STEPS_MAX - 1]
					   : add_step(record, event);

	event->steps_left_out++;
	if (step) {
		fill_step(step, since, 0, "left-out");
		(void)snprintf(step->text, sizeof(step->text), "%u steps", event->steps_left_out);
	}
}

void record_step(struct record *record, uint64_t monotonic, uint64_t took, const char *name,
		 const char *format, ...)
{
	struct record_event *event = running_event(record);
	struct record_step *step;
	va_list arguments;

	if (!event) {
		return;
	}
	if (event->step_count >= RECORD_STEPS_MAX - 1) {
		leave_out(record, event, monotonic - event->since_base);
		return;
	}
	step = add_step(record, event);
	if (!step) {
		event->steps_left_out++;
		return;
	}
	fill_step(step, monotonic - event->since_base, took, name);
	va_start(arguments, format);
	(void)vsnprintf(step->text, sizeof(step->text), format, arguments);
	va_end(arguments);
}

bool record_repeats(const struct record *record, const char *name, const char *text)
{
	const struct record_event *event = running_event(record);
	const struct record_step *last =
		event && event->step_count > 0 ? &event->steps[event->step_count - 1] : NULL;

	return last && strcmp(last->name, name) == 0 &&
	       strncmp(last->text, text, sizeof(last->text) - 1) == 0;
}

void record_registers(struct record *record, const struct record_registers *registers)
{
	struct record_event *event = running_event(record);
	struct record_registers *array;

	if (!event || event->register_count == RECORD_DEVICES_MAX) {
		return;
	}
	array = make_room(record, event->registers, event->register_count, REGISTERS_FIRST,
			  sizeof(*array));
	if (array) {
		event->registers = array;
		array[event->register_count++] = *registers;
	}
}

void record_end(struct record *record, uint64_t monotonic, enum record_outcome outcome,
		const char *why)
{
	struct record_event *event = running_event(record);

	if (!event) {
		return;
	}
	event->took = monotonic - event->since_base;
	event->outcome = outcome;
	(void)snprintf(event->why, sizeof(event->why), "%s", why);
	record->running = false;
}
