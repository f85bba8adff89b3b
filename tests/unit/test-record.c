/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eeh/record.h"
#include "unit.h"

#define BASE 5000U

static unsigned int allocations_left;

static void *allocate_some(void *memory, size_t size)
{
	if (allocations_left == 0) {
		return NULL;
	}
	allocations_left--;
	return realloc(memory, size);
}

static struct record *new_record(void)
{
	struct record *record = NULL;

	assert_int_equal(record_new(&record), 0);
	return record;
}

static void begin(struct record *record, uint32_t number)
{
	record_begin(record, number, 1000000U + number, BASE, RECORD_BY_POLL, PE_STOPPED);
}

static void test_empty(void **state)
{
	struct record *record = new_record();

	(void)state;
	assert_null(record_event(record, 0));
	/* Without an event there is nothing to tell of. */
	record_step(record, BASE, 1, "note", "nothing");
	record_registers(record, &(struct record_registers){.config_size = 1});
	record_end(record, BASE, RECORD_FAILED, "nothing");
	assert_null(record_event(record, 0));
	assert_null(record_free(record));
	assert_null(record_free(NULL));
}

static void test_repeats(void **state)
{
	struct record *record = new_record();
	char text[RECORD_TEXT_SIZE + 10];

	(void)state;
	assert_false(record_repeats(record, "look", "normal"));
	begin(record, 1);
	assert_false(record_repeats(record, "look", "normal"));
	record_step(record, BASE, 0, "look", "normal");
	assert_true(record_repeats(record, "look", "normal"));
	assert_false(record_repeats(record, "look", "frozen"));
	assert_false(record_repeats(record, "save", "normal"));
	/* The last one counts, as far as it was kept. */
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	record_step(record, BASE, 0, "note", "%s", text);
	assert_false(record_repeats(record, "look", "normal"));
	assert_true(record_repeats(record, "note", text));
	record_end(record, BASE, RECORD_FAILED, "");
	assert_false(record_repeats(record, "note", text));
	(void)record_free(record);
}

static void test_event(void **state)
{
	struct record *record = new_record();
	struct record_registers registers = {.device = "0001:01:00.0", .config_size = 256};
	const struct record_event *event;

	(void)state;
	registers.config[4] = 6;
	record_begin(record, 7, 123456789, BASE, RECORD_BY_CHECK, PE_STOPPED_DMA);
	record_step(record, BASE + 10, 4, "unfreeze-io", "%s, %d", "EIO", 5);
	record_registers(record, &registers);
	registers.config[4] = 9;
	record_step(record, BASE + 30, 0, "vote", "cookie 3: can-recover");
	event = record_event(record, 0);
	assert_non_null(event);
	assert_int_equal(event->outcome, RECORD_RUNNING);
	assert_int_equal(event->took, 0);
	record_end(record, BASE + 100, RECORD_RECOVERED, "thawed");
	assert_int_equal(event->number, 7);
	assert_int_equal(event->began, 123456789);
	assert_int_equal(event->took, 100);
	assert_int_equal(event->source, RECORD_BY_CHECK);
	assert_int_equal(event->condition, PE_STOPPED_DMA);
	assert_int_equal(event->outcome, RECORD_RECOVERED);
	assert_string_equal(event->why, "thawed");
	assert_int_equal(event->step_count, 2);
	assert_int_equal(event->steps_left_out, 0);
	assert_int_equal(event->steps[0].since, 10);
	assert_int_equal(event->steps[0].took, 4);
	assert_string_equal(event->steps[0].name, "unfreeze-io");
	assert_string_equal(event->steps[0].text, "EIO, 5");
	assert_int_equal(event->steps[1].since, 30);
	assert_int_equal(event->register_count, 1);
	assert_string_equal(event->registers[0].device, "0001:01:00.0");
	assert_int_equal(event->registers[0].config[4], 6);
	/* What comes after its end is not part of it. */
	record_step(record, BASE + 200, 0, "note", "late");
	record_end(record, BASE + 200, RECORD_FAILED, "late");
	assert_int_equal(event->step_count, 2);
	assert_int_equal(event->outcome, RECORD_RECOVERED);
	record_free(record);
}

static void test_a_running_event_is_aborted(void **state)
{
	struct record *record = new_record();

	(void)state;
	begin(record, 1);
	begin(record, 2);
	assert_int_equal(record_event(record, 0)->outcome, RECORD_ABORTED);
	assert_int_equal(record_event(record, 1)->outcome, RECORD_RUNNING);
	assert_null(record_event(record, 2));
	record_free(record);
}

static void test_oldest_events_go(void **state)
{
	struct record *record = new_record();

	(void)state;
	for (uint32_t i = 1; i <= 3 * RECORD_EVENTS_MAX + 5; i++) {
		uint32_t kept = i < RECORD_EVENTS_MAX ? i : RECORD_EVENTS_MAX;

		begin(record, i);
		record_step(record, BASE, 0, "note", "%u", i);
		assert_int_equal(record_event(record, 0)->number, i - kept + 1);
		assert_int_equal(record_event(record, kept - 1)->number, i);
		assert_int_equal(record_event(record, kept - 1)->step_count, 1);
		assert_null(record_event(record, kept));
		record_end(record, BASE, RECORD_RECOVERED, "");
	}
	record_free(record);
}

static void test_last_step_tells_of_the_rest(void **state)
{
	struct record *record = new_record();
	const struct record_event *event;
	char text[RECORD_TEXT_SIZE];

	(void)state;
	begin(record, 1);
	for (unsigned int i = 0; i < 3 * RECORD_STEPS_MAX; i++) {
		record_step(record, BASE + i, 1, "note", "%u", i);
		event = record_event(record, 0);
		assert_true(event->step_count <= RECORD_STEPS_MAX);
		(void)snprintf(text, sizeof(text), "%u",
			       i < RECORD_STEPS_MAX - 1 ? i : RECORD_STEPS_MAX - 2);
		assert_string_equal(
			event->steps[i < RECORD_STEPS_MAX - 1 ? i : RECORD_STEPS_MAX - 2].text,
			text);
	}
	event = record_event(record, 0);
	assert_int_equal(event->step_count, RECORD_STEPS_MAX);
	assert_int_equal(event->steps_left_out, 2 * RECORD_STEPS_MAX + 1);
	assert_string_equal(event->steps[RECORD_STEPS_MAX - 1].name, "left-out");
	assert_string_equal(event->steps[RECORD_STEPS_MAX - 1].text, "513 steps");
	assert_int_equal(event->steps[RECORD_STEPS_MAX - 1].since, 3 * RECORD_STEPS_MAX - 1);
	record_free(record);
}

static void test_registers_are_bounded(void **state)
{
	struct record *record = new_record();
	struct record_registers registers = {.config_size = 0};

	(void)state;
	begin(record, 1);
	for (uint32_t i = 0; i < RECORD_DEVICES_MAX + 3; i++) {
		registers.aer_offset = i;
		record_registers(record, &registers);
	}
	assert_int_equal(record_event(record, 0)->register_count, RECORD_DEVICES_MAX);
	for (uint32_t i = 0; i < RECORD_DEVICES_MAX; i++) {
		assert_int_equal(record_event(record, 0)->registers[i].aer_offset, i);
	}
	record_free(record);
}

static void test_long_texts_are_cut(void **state)
{
	struct record *record = new_record();
	char text[2 * RECORD_TEXT_SIZE];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	begin(record, 1);
	record_step(record, BASE, 0, text, "%s", text);
	record_end(record, BASE, RECORD_FAILED, text);
	assert_int_equal(strlen(record_event(record, 0)->steps[0].text), RECORD_TEXT_SIZE - 1);
	assert_int_equal(strlen(record_event(record, 0)->why), RECORD_TEXT_SIZE - 1);
	assert_true(strlen(record_event(record, 0)->steps[0].name) > 0);
	record_free(record);
}

/* Each allocation fails once; what could be kept is right. */
static void test_no_memory(void **state)
{
	const struct record_registers registers = {.config_size = 256};

	(void)state;
	for (unsigned int allowed = 0; allowed < 8; allowed++) {
		struct record *record = new_record();
		const struct record_event *event;

		begin(record, 1);
		record_end(record, BASE, RECORD_RECOVERED, "");
		allocations_left = allowed;
		record_set_allocator(record, allocate_some);
		begin(record, 2);
		for (unsigned int i = 0; i < 40; i++) {
			record_step(record, BASE + i, 0, "note", "%u", i);
			record_registers(record, &registers);
		}
		record_end(record, BASE + 9, RECORD_FAILED, "why");
		assert_int_equal(record_event(record, 0)->number, 1);
		assert_int_equal(record_event(record, 0)->outcome, RECORD_RECOVERED);
		event = record_event(record, 1);
		assert_int_equal(event != NULL, allowed > 0);
		if (event) {
			assert_int_equal(event->outcome, RECORD_FAILED);
			assert_int_equal(event->step_count + event->steps_left_out, 40);
			assert_true(event->register_count < 40);
		}
		/* Memory is back. */
		record_set_allocator(record, realloc);
		begin(record, 3);
		assert_int_equal(record_event(record, event ? 2 : 1)->number, 3);
		record_free(record);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(record_outcome_name(RECORD_RUNNING), "running");
	assert_string_equal(record_outcome_name(RECORD_RECOVERED), "recovered");
	assert_string_equal(record_outcome_name(RECORD_FAILED), "failed");
	assert_string_equal(record_outcome_name(RECORD_ABORTED), "aborted");
	assert_string_equal(record_source_name(RECORD_BY_POLL), "poll");
	assert_string_equal(record_source_name(RECORD_BY_CHECK), "check");
	assert_string_equal(record_source_name(RECORD_BY_INTERRUPT), "interrupt");
	assert_string_equal(record_source_name(RECORD_BY_REQUEST), "request");
	assert_string_equal(record_source_name(RECORD_BY_OPERATION), "operation");
	assert_string_equal(record_source_name(RECORD_BY_NEIGHBOUR), "neighbour");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_repeats),
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_a_running_event_is_aborted),
		cmocka_unit_test(test_oldest_events_go),
		cmocka_unit_test(test_last_step_tells_of_the_rest),
		cmocka_unit_test(test_registers_are_bounded),
		cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
