/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/pe_show.h"
#include "cli/table.h"
#include "common/cleanup.h"

enum column {
	COLUMN_GROUP,
	COLUMN_PE,
	COLUMN_LOCATION,
	COLUMN_DEVICES,
	COLUMN_STATE,
	COLUMN_RECOVERY,
	COLUMN_LEFT,
	COLUMN_POLICY,
	COLUMN_SPACE,
};

static const struct table_column columns[] = {
	[COLUMN_GROUP] = {"GROUP", 0, SCOLS_FL_RIGHT},
	[COLUMN_PE] = {"PHB/PE", 0, 0},
	[COLUMN_LOCATION] = {"LOCATION", 0, 0},
	[COLUMN_DEVICES] = {"DEVICES", 0, SCOLS_FL_WRAP},
	[COLUMN_STATE] = {"STATE", 0, 0},
	[COLUMN_RECOVERY] = {"RECOVERY", 0, 0},
	[COLUMN_LEFT] = {"LEFT", 0, SCOLS_FL_RIGHT},
	[COLUMN_POLICY] = {"POLICY", 0, 0},
	[COLUMN_SPACE] = {"SPACE", 0, SCOLS_FL_RIGHT},
};

static char *list_devices(const struct model *model, const struct model_group *group)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file) {
		return NULL;
	}
	for (size_t i = 0; i < group->devices.count; i++) {
		const struct model_device *device =
			model_find_device(model, group->devices.items[i]);

		(void)fprintf(file, "%s%s", i > 0 ? " " : "",
			      device ? device->name : group->devices.items[i]);
	}
	if (fclose(file) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int set_numbers(struct libscols_line *line, const struct model_group *group)
{
	return group->pe_number == MODEL_UNKNOWN || group->phb_id == MODEL_UNKNOWN
		       ? table_set(line, COLUMN_PE, "-")
		       : table_set(line, COLUMN_PE, "0x%" PRIx32 "/0x%" PRIx32, group->phb_id,
				   group->pe_number);
}

static const char *colour_of(const struct model_pe *pe)
{
	if (strcmp(pe->recovery, "failed") == 0) {
		return "red";
	}
	if (strcmp(pe->state, "normal") == 0) {
		return "green";
	}
	return strcmp(pe->state, "unknown") == 0 ? NULL : "red";
}

static int set_state(struct libscols_line *line, const struct model_pe *pe)
{
	const char *colour = colour_of(pe);

	if (colour) {
		(void)scols_cell_set_color(scols_line_get_cell(line, COLUMN_STATE), colour);
	}
	if (table_set(line, COLUMN_STATE, "%s", pe->state) < 0 ||
	    table_set(line, COLUMN_RECOVERY, "%s", pe->recovery) < 0 ||
	    table_set(line, COLUMN_LEFT, "%" PRIu32, pe->freezes_left) < 0) {
		return -ENOMEM;
	}
	return table_set(line, COLUMN_POLICY, "%s", pe->policy);
}

static int add_group(struct libscols_table *table, const struct model *model,
		     const struct model_group *group, const struct model_pe *pe)
{
	const struct model_space *space = model_find_space(model, group->space);
	cleanup(cleanup_free) char *devices = list_devices(model, group);
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line || !devices || table_set(line, COLUMN_GROUP, "%" PRIu32, group->id) < 0 ||
	    set_numbers(line, group) < 0 ||
	    table_set(line, COLUMN_LOCATION, "%s", pe->location[0] ? pe->location : "-") < 0 ||
	    table_set(line, COLUMN_DEVICES, "%s", devices) < 0 || set_state(line, pe) < 0) {
		return -ENOMEM;
	}
	return space ? table_set(line, COLUMN_SPACE, "%" PRIu32, space->number)
		     : table_set(line, COLUMN_SPACE, "-");
}

int pe_show_list(FILE *file, const struct terminal *terminal, const struct model *model)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r;

	if (model->pe_count == 0) {
		(void)fprintf(file, "no PEs: the host has no EEH\n");
		return 0;
	}
	r = table_new(file, terminal, columns, sizeof(columns) / sizeof(*columns), &table);
	for (size_t i = 0; i < model->group_count && r == 0; i++) {
		const struct model_group *group = &model->groups[i];
		const struct model_pe *pe = model_find_pe(model, group->path);

		r = pe ? add_group(table, model, group, pe) : 0;
	}
	return r < 0 ? r : scols_print_table(table);
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

static void write_location(struct json *json, const char *location)
{
	if (location[0]) {
		json_string(json, "location", location);
	} else {
		json_null(json, "location");
	}
}

static void write_group(struct json *json, const struct model *model,
			const struct model_group *group, const struct model_pe *pe)
{
	const struct model_space *space = model_find_space(model, group->space);

	json_begin_array(json, "devices");
	for (size_t i = 0; i < group->devices.count; i++) {
		const struct model_device *device =
			model_find_device(model, group->devices.items[i]);

		json_string(json, NULL, device ? device->name : group->devices.items[i]);
	}
	json_end_array(json);
	json_string(json, "state", pe->state);
	json_string(json, "recovery", pe->recovery);
	json_number(json, "freezes", pe->freezes);
	json_number(json, "freezes_left", pe->freezes_left);
	json_number(json, "participants", pe->participants);
	json_string(json, "policy", pe->policy);
	write_known(json, "space", space ? space->number : MODEL_UNKNOWN);
}

void pe_show_list_json(FILE *file, const struct model *model)
{
	struct json json = JSON(file);

	json_begin_array(&json, NULL);
	for (size_t i = 0; i < model->group_count; i++) {
		const struct model_group *group = &model->groups[i];
		const struct model_pe *pe = model_find_pe(model, group->path);

		if (pe) {
			json_begin_object(&json, NULL);
			json_number(&json, "group", group->id);
			write_known(&json, "phb", group->phb_id);
			write_known(&json, "pe", group->pe_number);
			write_location(&json, pe->location);
			write_group(&json, model, group, pe);
			json_end_object(&json);
		}
	}
	json_end_array(&json);
}
