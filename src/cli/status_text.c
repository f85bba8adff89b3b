/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/group_use.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"

/* For all words about a section. */
#define DETAILS_SIZE 96U

/* -- the host -- */

static void print_host(FILE *file, const struct terminal *terminal, const struct model_host *host)
{
	(void)fprintf(file, "%sspaprd ", terminal_begin(terminal, TERMINAL_BOLD));
	text_print(file, host->version);
	(void)fprintf(file, "%s, %s", terminal_end(terminal), host->simulated ? "simulated " : "");
	text_print(file, host->kind);
	(void)fprintf(file, " host: %s memory, %s pages, %s locked\n",
		      size_format(host->memory_max).text, size_format(host->page_size).text,
		      size_format(host->locked_bytes).text);
}

/* -- groups and devices -- */

enum group_column {
	GROUP_NAME, /* of a device: its address */
	GROUP_ID,   /* of a group: the PE */
	GROUP_KIND, /* of a group: the PHB */
	GROUP_DRIVER,
	GROUP_USE,
};

static const struct table_column group_columns[] = {
	[GROUP_NAME] = {"GROUP", 0, SCOLS_FL_TREE},
	[GROUP_ID] = {"ID", 0, 0},
	[GROUP_KIND] = {"KIND", 0, SCOLS_FL_TRUNC},
	[GROUP_DRIVER] = {"DRIVER", 0, 0},
	[GROUP_USE] = {"USE", 0, 0},
};

/* A number with its name in front; nothing where the host doesn't tell. */
static int set_number(struct libscols_line *line, size_t column, const char *name, uint32_t number)
{
	return number == MODEL_UNKNOWN ? 0 : table_set(line, column, "%s 0x%" PRIx32, name, number);
}

static int set_use(struct libscols_line *line, const struct model *model,
		   const struct model_group *group)
{
	struct group_use use = group_use_describe(model, group);

	if (use.colour) {
		(void)scols_cell_set_color(scols_line_get_cell(line, GROUP_USE), use.colour);
	}
	return table_set(line, GROUP_USE, "%s", use.text);
}

static int add_device(struct libscols_table *table, struct libscols_line *parent,
		      const struct model_device *device)
{
	struct libscols_line *line = scols_table_new_line(table, parent);
	const char *kind = pci_class_name(device->class);

	if (!line || table_set(line, GROUP_NAME, "%s", device->name) < 0 ||
	    table_set(line, GROUP_ID, "%04x:%04x", device->vendor, device->device) < 0 ||
	    table_set(line, GROUP_DRIVER, "%s", device->driver[0] ? device->driver : "-") < 0) {
		return -ENOMEM;
	}
	return kind ? table_set(line, GROUP_KIND, "%s", kind)
		    : table_set(line, GROUP_KIND, "class 0x%06" PRIx32, device->class);
}

static int add_group(struct libscols_table *table, const struct model *model,
		     const struct model_group *group)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line || table_set(line, GROUP_NAME, "%" PRIu32, group->id) < 0 ||
	    set_number(line, GROUP_ID, "PE", group->pe_number) < 0 ||
	    set_number(line, GROUP_KIND, "PHB", group->phb_id) < 0 ||
	    set_use(line, model, group) < 0) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < group->devices.count; i++) {
		const struct model_device *device =
			model_find_device(model, group->devices.items[i]);

		if (device && add_device(table, line, device) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

static int print_groups(FILE *file, const struct terminal *terminal, const struct model *model)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r;

	if (model->group_count == 0) {
		(void)fprintf(file, "\nno IOMMU groups\n");
		return 0;
	}
	r = table_new(file, terminal, group_columns, sizeof(group_columns) / sizeof(*group_columns),
		      &table);
	for (size_t i = 0; i < model->group_count && r == 0; i++) {
		r = add_group(table, model, &model->groups[i]);
	}
	if (r < 0) {
		return r;
	}
	(void)scols_table_set_column_separator(table, "  ");
	(void)fputc('\n', file);
	return scols_print_table(table);
}

/* -- address spaces -- */

enum part_column {
	PART_NAME,
	PART_RANGE,
	PART_SIZE,
	PART_DETAILS,
};

static const struct table_column part_columns[] = {
	[PART_NAME] = {"", 0, 0},
	[PART_RANGE] = {"", 0, 0},
	[PART_SIZE] = {"", 0, SCOLS_FL_RIGHT},
	[PART_DETAILS] = {"", 0, 0},
};

/* The groups of a container as words: "group 0", "groups 0, 3". */
static char *list_groups(const struct model *model, const struct model_container *container)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file) {
		return NULL;
	}
	(void)fprintf(file, "group%s", container->groups.count == 1 ? "" : "s");
	for (size_t i = 0; i < container->groups.count; i++) {
		const struct model_group *group =
			model_find_group(model, container->groups.items[i]);

		(void)fprintf(file, "%s ", i > 0 ? "," : "");
		if (group) {
			(void)fprintf(file, "%" PRIu32, group->id);
		} else {
			(void)fputs(container->groups.items[i], file);
		}
	}
	if (fclose(file) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int add_container(struct libscols_table *table, const struct model *model, const char *path)
{
	const struct model_container *container = model_find_container(model, path);
	struct libscols_line *line = scols_table_new_line(table, NULL);
	cleanup(cleanup_free) char *groups = container ? list_groups(model, container) : NULL;

	if (!line) {
		return -ENOMEM;
	}
	if (!container) { /* listed, but not shown */
		return table_set(line, PART_NAME, "  %s", path);
	}
	if (!groups || table_set(line, PART_NAME, "  container %" PRIu32, container->number) < 0) {
		return -ENOMEM;
	}
	return table_set(line, PART_RANGE, "%s, %s", container->iommu_type, groups);
}

/* What is special about a section: "read-only, identity". */
static void describe_flags(uint32_t flags, char *ret_text, size_t size)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} words[] = {
		{MODEL_MEMORY_READ_ONLY, "read-only"},
		{MODEL_MEMORY_IDENTITY, "identity"},
		{MODEL_MEMORY_RAM_DEVICE, "of a device"},
		{MODEL_MEMORY_SKIPPED, "skipped: in no container"},
	};
	size_t used = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (flags & words[i].flag) {
			used += (size_t)snprintf(ret_text + used, size - used, "%s%s",
						 used > 0 ? ", " : "", words[i].text);
		}
	}
}

static int add_memory(struct libscols_table *table, const struct model_memory *memory)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char details[DETAILS_SIZE];

	describe_flags(memory->flags, details, sizeof(details));
	if (!line || table_set(line, PART_NAME, "  memory %" PRIu32, memory->id) < 0 ||
	    table_set(line, PART_RANGE, "%s", range_format(memory->range).text) < 0 ||
	    table_set(line, PART_SIZE, "%s", size_format(memory->range.size).text) < 0) {
		return -ENOMEM;
	}
	return table_set(line, PART_DETAILS, "%s", details);
}

static int add_window(struct libscols_table *table, const struct model_window *window)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line || table_set(line, PART_NAME, "  window") < 0 ||
	    table_set(line, PART_RANGE, "%s", range_format(window->range).text) < 0 ||
	    table_set(line, PART_SIZE, "%s", size_format(window->range.size).text) < 0) {
		return -ENOMEM;
	}
	return table_set(line, PART_DETAILS, "%s pages, %" PRIu32 " level%s",
			 size_format(UINT64_C(1) << window->page_shift).text, window->levels,
			 window->levels == 1 ? "" : "s");
}

static int add_parts(struct libscols_table *table, const struct model *model,
		     const struct model_space *space)
{
	int r = 0;

	for (size_t i = 0; i < space->containers.count && r == 0; i++) {
		r = add_container(table, model, space->containers.items[i]);
	}
	for (size_t i = 0; i < space->memory.count && r == 0; i++) {
		r = add_memory(table, &space->memory.items[i]);
	}
	for (size_t i = 0; i < space->windows.count && r == 0; i++) {
		r = add_window(table, &space->windows.items[i]);
	}
	return r;
}

/* The sum, and what it is made of. */
static void print_locked(FILE *file, const struct model_space *space)
{
	const struct {
		const char *name;
		uint64_t bytes;
	} components[] = {
		{"memory", space->locked.pins},
		{"tables", space->locked.tables},
		{"leaked by the kernel", space->locked.leaks},
	};
	const char *before = " (";

	(void)fprintf(file, ", %s locked", size_format(space->locked_bytes).text);
	for (size_t i = 0; i < sizeof(components) / sizeof(*components); i++) {
		if (components[i].bytes > 0) {
			(void)fprintf(file, "%s%s %s", before, components[i].name,
				      size_format(components[i].bytes).text);
			before = ", ";
		}
	}
	(void)fputs(before[0] == ',' ? ")\n" : "\n", file);
}

static void print_space_heading(FILE *file, const struct terminal *terminal,
				const struct model_space *space)
{
	(void)fprintf(file, "\n%sspace %" PRIu32, terminal_begin(terminal, TERMINAL_BOLD),
		      space->number);
	if (space->name[0]) {
		(void)fputs(" \"", file);
		text_print(file, space->name);
		(void)fputc('"', file);
	}
	(void)fprintf(file, "%s of ", terminal_end(terminal));
	if (space->owner[0]) {
		text_print(file, space->owner);
		(void)fprintf(file, " (uid %" PRIu32 ")", space->uid);
	} else {
		(void)fprintf(file, "uid %" PRIu32 ", whose owner left", space->uid);
	}
	if (space->mappings == 0) {
		(void)fputs(": nothing mapped", file);
	} else {
		(void)fprintf(file, ": %" PRIu64 " mapping%s of %s", space->mappings,
			      space->mappings == 1 ? "" : "s",
			      size_format(space->mapped_bytes).text);
	}
	print_locked(file, space);
}

static int print_space(FILE *file, const struct terminal *terminal, const struct model *model,
		       const struct model_space *space)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r;

	print_space_heading(file, terminal, space);
	r = table_new(file, terminal, part_columns, sizeof(part_columns) / sizeof(*part_columns),
		      &table);
	if (r == 0) {
		(void)scols_table_enable_noheadings(table, 1);
		r = add_parts(table, model, space);
	}
	if (r == 0 && !scols_table_is_empty(table)) {
		r = scols_print_table(table);
	}
	return r;
}

int status_print_text(FILE *file, const struct terminal *terminal, const struct model *model)
{
	int r;

	print_host(file, terminal, &model->host);
	r = print_groups(file, terminal, model);
	if (r == 0 && model->space_count == 0) {
		(void)fprintf(file, "\nno address spaces\n");
	}
	for (size_t i = 0; i < model->space_count && r == 0; i++) {
		r = print_space(file, terminal, model, &model->spaces[i]);
	}
	return r;
}
