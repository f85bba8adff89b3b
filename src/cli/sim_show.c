/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sim_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"

/* -- rules -- */

enum rule_column {
	RULE_ID,
	RULE_OPERATION,
	RULE_EFFECT,
	RULE_WHEN,
	RULE_ACTED,
};

static const struct table_column rule_columns[] = {
	[RULE_ID] = {"ID", 0, SCOLS_FL_RIGHT},
	[RULE_OPERATION] = {"OPERATION", 0, 0},
	[RULE_EFFECT] = {"EFFECT", 0, 0},
	[RULE_WHEN] = {"WHEN", 0, 0},
	[RULE_ACTED] = {"ACTED", 0, SCOLS_FL_RIGHT},
};

/* Writes text; released with free(). NULL when memory is out. */
static char *describe(void (*write)(FILE *file, const struct sim_remote_rule *rule),
		      const struct sim_remote_rule *rule)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file) {
		return NULL;
	}
	write(file, rule);
	if (fclose(file) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void write_effect(FILE *file, const struct sim_remote_rule *rule)
{
	if (rule->milliseconds > 0) {
		(void)fprintf(file, "waits %" PRIu32 " ms%s", rule->milliseconds,
			      rule->errnum || rule->result ? ", " : "");
	}
	if (rule->errnum) {
		(void)fprintf(file, "fails with %s", errno_name(rule->errnum));
	} else if (rule->result) {
		(void)fprintf(file, "returns %" PRId32, rule->result);
	}
}

static void write_when(FILE *file, const struct sim_remote_rule *rule)
{
	if (rule->every > 1) {
		(void)fprintf(file, "one in %" PRIu32, rule->every);
	} else {
		(void)fputs("each", file);
	}
	if (rule->skip > 0) {
		(void)fprintf(file, " after %" PRIu32, rule->skip);
	}
	if (rule->times > 0) {
		(void)fprintf(file, ", %" PRIu32 " time%s", rule->times,
			      rule->times == 1 ? "" : "s");
	}
}

static int add_rule(struct libscols_table *table, const struct sim_remote_rule *rule)
{
	cleanup(cleanup_free) char *effect = describe(write_effect, rule);
	cleanup(cleanup_free) char *when = describe(write_when, rule);
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line || !effect || !when || table_set(line, RULE_ID, "%" PRIu32, rule->id) < 0 ||
	    table_set(line, RULE_OPERATION, "%s", rule->operation) < 0 ||
	    table_set(line, RULE_EFFECT, "%s", effect) < 0 ||
	    table_set(line, RULE_WHEN, "%s", when) < 0) {
		return -ENOMEM;
	}
	return table_set(line, RULE_ACTED, "%" PRIu32, rule->acted);
}

int sim_show_rules(FILE *file, const struct terminal *terminal,
		   const struct sim_remote_rules *rules)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r;

	if (rules->count == 0) {
		(void)fprintf(file, "no rules\n");
		return 0;
	}
	r = table_new(file, terminal, rule_columns, sizeof(rule_columns) / sizeof(*rule_columns),
		      &table);
	for (size_t i = 0; i < rules->count && r == 0; i++) {
		r = add_rule(table, &rules->items[i]);
	}
	return r < 0 ? r : scols_print_table(table);
}

static void write_option(struct json *json, const char *key, uint32_t value)
{
	if (value != 0) {
		json_number(json, key, value);
	}
}

void sim_show_rules_json(FILE *file, const struct sim_remote_rules *rules)
{
	struct json json = JSON(file);

	json_begin_array(&json, NULL);
	for (size_t i = 0; i < rules->count; i++) {
		const struct sim_remote_rule *rule = &rules->items[i];

		json_begin_object(&json, NULL);
		json_number(&json, "id", rule->id);
		json_string(&json, "operation", rule->operation);
		if (rule->errnum) {
			json_string(&json, "errno", errno_name(rule->errnum));
		}
		write_option(&json, "result", (uint32_t)rule->result);
		write_option(&json, "milliseconds", rule->milliseconds);
		write_option(&json, "skip", rule->skip);
		write_option(&json, "every", rule->every);
		write_option(&json, "times", rule->times);
		json_number(&json, "acted", rule->acted);
		json_end_object(&json);
	}
	json_end_array(&json);
}

/* -- TCEs -- */

enum tce_column {
	TCE_NAME,
	TCE_RANGE,
	TCE_SIZE,
	TCE_DETAILS,
};

static const struct table_column tce_columns[] = {
	[TCE_NAME] = {"", 0, 0},
	[TCE_RANGE] = {"IOVA", 0, 0},
	[TCE_SIZE] = {"SIZE", 0, SCOLS_FL_RIGHT},
	[TCE_DETAILS] = {"BEHIND IT", 0, 0},
};

static struct libscols_line *add_range(struct libscols_table *table, struct libscols_line *parent,
				       const char *name, struct range range)
{
	struct libscols_line *line = scols_table_new_line(table, parent);

	if (!line || table_set(line, TCE_NAME, "%s", name) < 0 ||
	    table_set(line, TCE_RANGE, "%s", range_format(range).text) < 0 ||
	    table_set(line, TCE_SIZE, "%s", size_format(range.size).text) < 0) {
		return NULL;
	}
	return line;
}

static int add_window(struct libscols_table *table, const struct sim_remote_window *window)
{
	struct libscols_line *line = add_range(table, NULL, "window", window->range);

	return line ? table_set(line, TCE_DETAILS,
				"%s pages, %" PRIu32 " level%s, %" PRIu64 " TCE%s",
				size_format(UINT64_C(1) << (window->page_shift & 63U)).text,
				window->levels, window->levels == 1 ? "" : "s", window->mapped,
				window->mapped == 1 ? "" : "s")
		    : -ENOMEM;
}

static int add_entry(struct libscols_table *table, const struct sim_remote_entry *entry)
{
	struct libscols_line *line = add_range(table, NULL, "  mapped", entry->range);

	return line ? table_set(line, TCE_DETAILS, "0x%" PRIx64 " %s%s", entry->address,
				entry->readable ? "r" : "-", entry->writable ? "w" : "-")
		    : -ENOMEM;
}

int sim_show_tces(FILE *file, const struct terminal *terminal, uint32_t group,
		  const struct sim_remote_tces *tces)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r;

	if (tces->window_count == 0 && tces->entry_count == 0) {
		(void)fprintf(file, "group %" PRIu32 " has no windows and no mappings\n", group);
		return 0;
	}
	r = table_new(file, terminal, tce_columns, sizeof(tce_columns) / sizeof(*tce_columns),
		      &table);
	for (size_t i = 0; i < tces->window_count && r == 0; i++) {
		r = add_window(table, &tces->windows[i]);
	}
	for (size_t i = 0; i < tces->entry_count && r == 0; i++) {
		r = add_entry(table, &tces->entries[i]);
	}
	return r < 0 ? r : scols_print_table(table);
}

static void write_range(struct json *json, struct range range)
{
	json_address(json, "start", range.start);
	json_number(json, "size", range.size);
}

void sim_show_tces_json(FILE *file, uint32_t group, const struct sim_remote_tces *tces)
{
	struct json json = JSON(file);

	json_begin_object(&json, NULL);
	json_number(&json, "group", group);
	json_begin_array(&json, "windows");
	for (size_t i = 0; i < tces->window_count; i++) {
		const struct sim_remote_window *window = &tces->windows[i];

		json_begin_object(&json, NULL);
		write_range(&json, window->range);
		json_number(&json, "page_shift", window->page_shift);
		json_number(&json, "levels", window->levels);
		json_number(&json, "mapped", window->mapped);
		json_end_object(&json);
	}
	json_end_array(&json);
	json_begin_array(&json, "mapped");
	for (size_t i = 0; i < tces->entry_count; i++) {
		const struct sim_remote_entry *entry = &tces->entries[i];

		json_begin_object(&json, NULL);
		write_range(&json, entry->range);
		json_address(&json, "address", entry->address);
		json_bool(&json, "readable", entry->readable);
		json_bool(&json, "writable", entry->writable);
		json_end_object(&json);
	}
	json_end_array(&json);
	json_end_object(&json);
}

/* -- statistics -- */

static const struct table_column counter_columns[] = {
	{"NAME", 0, 0},
	{"COUNT", 0, SCOLS_FL_RIGHT},
	{"", 0, SCOLS_FL_RIGHT},
};

/* Bytes are told twice: exactly, and for eyes. */
static int add_counter(struct libscols_table *table, const struct sim_remote_counter *counter)
{
	static const char bytes[] = "_bytes";
	struct libscols_line *line = scols_table_new_line(table, NULL);
	size_t length = strlen(counter->name);

	if (!line || table_set(line, 0, "%s", counter->name) < 0 ||
	    table_set(line, 1, "%" PRIu64, counter->value) < 0) {
		return -ENOMEM;
	}
	if (counter->value == 0 || length < strlen(bytes) ||
	    strcmp(counter->name + length - strlen(bytes), bytes) != 0) {
		return 0;
	}
	return table_set(line, 2, "%s", size_format(counter->value).text);
}

int sim_show_counters(FILE *file, const struct terminal *terminal,
		      const struct sim_remote_counters *counters)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r = table_new(file, terminal, counter_columns,
			  sizeof(counter_columns) / sizeof(*counter_columns), &table);

	for (size_t i = 0; i < counters->count && r == 0; i++) {
		r = add_counter(table, &counters->items[i]);
	}
	return r < 0 ? r : scols_print_table(table);
}

void sim_show_counters_json(FILE *file, const struct sim_remote_counters *counters)
{
	struct json json = JSON(file);

	json_begin_object(&json, NULL);
	for (size_t i = 0; i < counters->count; i++) {
		json_number(&json, counters->items[i].name, counters->items[i].value);
	}
	json_end_object(&json);
}
