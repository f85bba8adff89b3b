/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli/json.h"
#include "cli/pe_show.h"
#include "cli/text.h"

#define DUMP_WIDTH 16U

/* -- a story -- */

static void print_word(FILE *file, const char *before, const char *text)
{
	(void)fputs(before, file);
	text_print(file, text);
}

static void print_number(FILE *file, const char *name, uint32_t number)
{
	if (number != MODEL_UNKNOWN) {
		(void)fprintf(file, ", %s 0x%" PRIx32, name, number);
	}
}

/* "2026-11-22 22:38:44.123", by the local clock. */
static void print_time(FILE *file, uint64_t microseconds)
{
	time_t seconds = (time_t)(microseconds / 1000000);
	struct tm parts;
	char text[32] = "";

	if (localtime_r(&seconds, &parts)) {
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
	}
	(void)fprintf(file, "%s.%03u", text, (unsigned int)(microseconds / 1000 % 1000));
}

static void print_heading(FILE *file, const struct terminal *terminal, const struct pe_event *event)
{
	(void)fprintf(file, "%sevent %" PRIu32 "%s: group %" PRIu32,
		      terminal_begin(terminal, TERMINAL_BOLD), event->number,
		      terminal_end(terminal), event->group);
	print_number(file, "PHB", event->phb);
	print_number(file, "PE", event->pe);
	if (event->location[0]) {
		print_word(file, ", at ", event->location);
	}
	(void)fputc('\n', file);
	(void)fputs("  ", file);
	print_time(file, event->began);
	print_word(file, ", found by ", event->source);
	print_word(file, ": ", event->state);
	print_word(file, ", policy ", event->policy);
	for (size_t i = 0; i < event->devices.count; i++) {
		print_word(file, i == 0 ? "\n  devices " : " ", event->devices.items[i]);
	}
	(void)fputc('\n', file);
}

static void print_step(FILE *file, const struct pe_step *step)
{
	char took[32] = "";

	if (step->took > 0) {
		(void)snprintf(took, sizeof(took), "%" PRIu64 ".%03u ms", step->took / 1000,
			       (unsigned int)(step->took % 1000));
	}
	(void)fprintf(file, "  %+5" PRId64 ".%06u s %14s  ", (int64_t)(step->since / 1000000),
		      (unsigned int)(step->since % 1000000), took);
	text_print(file, step->name);
	if (step->text[0]) {
		print_word(file, ": ", step->text);
	}
	(void)fputc('\n', file);
}

static enum terminal_style style_of(const char *outcome)
{
	if (strcmp(outcome, "recovered") == 0) {
		return TERMINAL_GOOD;
	}
	return strcmp(outcome, "running") == 0 ? TERMINAL_DIM : TERMINAL_BAD;
}

static void print_outcome(FILE *file, const struct terminal *terminal, const struct pe_event *event)
{
	(void)fputs("  ", file);
	(void)fputs(terminal_begin(terminal, style_of(event->outcome)), file);
	text_print(file, event->outcome);
	(void)fputs(terminal_end(terminal), file);
	if (strcmp(event->outcome, "running") != 0) {
		(void)fprintf(file, " after %" PRIu32 ".%03" PRIu32 " s",
			      event->milliseconds / 1000, event->milliseconds % 1000);
	}
	if (event->why[0]) {
		print_word(file, ": ", event->why);
	}
	(void)fputc('\n', file);
}

/* Lines of 16 bytes behind their offset, as lspci has them. */
static void print_dump(FILE *file, const struct pe_bytes *bytes, uint32_t offset)
{
	for (size_t i = 0; i < bytes->size; i++) {
		if (i % DUMP_WIDTH == 0) {
			(void)fprintf(file, "    %03zx:", offset + i);
		}
		(void)fprintf(file, " %02x", bytes->bytes[i]);
		if (i % DUMP_WIDTH == DUMP_WIDTH - 1 || i + 1 == bytes->size) {
			(void)fputc('\n', file);
		}
	}
}

static void print_registers(FILE *file, const struct pe_registers *registers)
{
	print_word(file, "  ", registers->device);
	(void)fputs(registers->config.size > 0 ? " config space\n" : " did not answer\n", file);
	print_dump(file, &registers->config, 0);
	if (registers->aer.size > 0) {
		print_word(file, "  ", registers->device);
		(void)fputs(" Advanced Error Reporting\n", file);
		print_dump(file, &registers->aer, registers->aer_offset);
	}
}

void pe_show_events(FILE *file, const struct terminal *terminal, const struct pe_events *events,
		    bool registers)
{
	if (events->count == 0) {
		(void)fprintf(file, "no events\n");
	}
	for (size_t i = 0; i < events->count; i++) {
		const struct pe_event *event = &events->items[i];

		if (i > 0) {
			(void)fputc('\n', file);
		}
		print_heading(file, terminal, event);
		for (size_t j = 0; j < event->steps.count; j++) {
			print_step(file, &event->steps.items[j]);
		}
		if (event->steps_left_out > 0) {
			(void)fprintf(file, "  and %" PRIu32 " more steps, not kept\n",
				      event->steps_left_out);
		}
		print_outcome(file, terminal, event);
		for (size_t j = 0; registers && j < event->registers.count; j++) {
			print_registers(file, &event->registers.items[j]);
		}
	}
}

/* -- JSON -- */

static void write_known(struct json *json, const char *key, uint32_t number)
{
	if (number == MODEL_UNKNOWN) {
		json_null(json, key);
	} else {
		json_number(json, key, number);
	}
}

static void write_steps(struct json *json, const struct pe_event *event)
{
	json_begin_array(json, "steps");
	for (size_t i = 0; i < event->steps.count; i++) {
		const struct pe_step *step = &event->steps.items[i];

		json_begin_object(json, NULL);
		json_number(json, "since_us", step->since);
		json_number(json, "took_us", step->took);
		json_string(json, "name", step->name);
		json_string(json, "text", step->text);
		json_end_object(json);
	}
	json_end_array(json);
	json_number(json, "steps_left_out", event->steps_left_out);
}

static void write_registers(struct json *json, const struct pe_event *event)
{
	json_begin_array(json, "registers");
	for (size_t i = 0; i < event->registers.count; i++) {
		const struct pe_registers *registers = &event->registers.items[i];

		json_begin_object(json, NULL);
		json_string(json, "device", registers->device);
		json_bytes(json, "config", registers->config.bytes, registers->config.size);
		json_number(json, "aer_offset", registers->aer_offset);
		json_bytes(json, "aer", registers->aer.bytes, registers->aer.size);
		json_end_object(json);
	}
	json_end_array(json);
}

static void write_event(struct json *json, const struct pe_event *event)
{
	json_begin_object(json, NULL);
	json_number(json, "event", event->number);
	json_number(json, "group", event->group);
	write_known(json, "phb", event->phb);
	write_known(json, "pe", event->pe);
	json_string(json, "location", event->location);
	json_begin_array(json, "devices");
	for (size_t i = 0; i < event->devices.count; i++) {
		json_string(json, NULL, event->devices.items[i]);
	}
	json_end_array(json);
	json_string(json, "policy", event->policy);
	json_number(json, "began_us", event->began);
	json_string(json, "source", event->source);
	json_string(json, "state", event->state);
	json_string(json, "outcome", event->outcome);
	json_string(json, "why", event->why);
	json_number(json, "milliseconds", event->milliseconds);
	write_steps(json, event);
	write_registers(json, event);
	json_end_object(json);
}

void pe_show_events_json(FILE *file, const struct pe_events *events)
{
	struct json json = JSON(file);

	json_begin_array(&json, NULL);
	for (size_t i = 0; i < events->count; i++) {
		write_event(&json, &events->items[i]);
	}
	json_end_array(&json);
}
