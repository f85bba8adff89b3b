/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/group_use.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/topology.h"
#include "common/cleanup.h"

enum column {
	COLUMN_NAME, /* the tree */
	COLUMN_ID, /* of a PHB: OPAL's number, of a PE: the group, of a device: vendor and device */
	COLUMN_KIND,
	COLUMN_LOCATION,
	COLUMN_DETAILS,
};

static const struct table_column columns[] = {
	[COLUMN_NAME] = {"PHB, PE, DEVICE", 0, SCOLS_FL_TREE},
	[COLUMN_ID] = {"ID", 0, 0},
	[COLUMN_KIND] = {"KIND", 0, 0},
	[COLUMN_LOCATION] = {"LOCATION", 0, 0},
	[COLUMN_DETAILS] = {"DETAILS", 0, SCOLS_FL_WRAP},
};

/* -- a bridge in up to three lines -- */

struct words {
	FILE *file;
	bool any;       /* in this line */
	bool any_lines; /* before this one */
};

__attribute__((format(printf, 2, 3))) static void say(struct words *words, const char *format, ...)
{
	va_list arguments;

	if (words->any) {
		(void)fputs(", ", words->file);
	} else if (words->any_lines) {
		(void)fputc('\n', words->file);
	}
	va_start(arguments, format);
	(void)vfprintf(words->file, format, arguments);
	va_end(arguments);
	words->any = true;
}

static void end_line(struct words *words)
{
	words->any_lines = words->any_lines || words->any;
	words->any = false;
}

static void say_numbers(struct words *words, const struct model_phb *phb)
{
	if (phb->pes != MODEL_UNKNOWN) {
		say(words, "%" PRIu32 " PEs", phb->pes);
	}
	if (phb->reserved_pe != MODEL_UNKNOWN) {
		say(words, "0x%" PRIx32 " reserved", phb->reserved_pe);
	}
	if (phb->msis != MODEL_UNKNOWN) {
		say(words, "%" PRIu32 " MSIs", phb->msis);
	}
	if (phb->eeh != MODEL_ANSWER_UNKNOWN) {
		say(words, phb->eeh == MODEL_ANSWER_YES ? "EEH" : "no EEH");
	}
}

static void say_tce_sizes(struct words *words, uint64_t sizes)
{
	const char *before = "TCEs of ";

	for (unsigned int shift = 0; shift < 64; shift++) {
		if (sizes >> shift & 1) {
			say(words, "%s%s", before, size_format(UINT64_C(1) << shift).text);
			before = "";
		}
	}
}

static void say_windows(struct words *words, const struct model_phb *phb)
{
	if (phb->default_window.size > 0) {
		say(words, "window %s", range_format(phb->default_window).text);
	}
	if (phb->liobn != MODEL_UNKNOWN) {
		say(words, "LIOBN 0x%" PRIx32, phb->liobn);
	}
	if (phb->ddw == MODEL_ANSWER_NO) {
		say(words, "no DDW");
	} else if (phb->ddw == MODEL_ANSWER_YES) {
		say(words,
		    phb->ddw_reset == MODEL_ANSWER_YES ? "DDW with reset" : "DDW without reset");
	}
}

/* NULL when there is no memory. */
static char *describe_phb(const struct model_phb *phb)
{
	char *text = NULL;
	size_t size = 0;
	struct words words = {.file = open_memstream(&text, &size)};

	if (!words.file) {
		return NULL;
	}
	say_numbers(&words, phb);
	end_line(&words);
	say_tce_sizes(&words, phb->tce_sizes);
	end_line(&words);
	say_windows(&words, phb);
	if (fclose(words.file) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* -- the tree -- */

static int add_device(struct libscols_table *table, struct libscols_line *parent,
		      const struct model_device *device)
{
	struct libscols_line *line = scols_table_new_line(table, parent);
	const char *kind = pci_class_name(device->class);

	if (!line || table_set(line, COLUMN_NAME, "%s", device->name) < 0 ||
	    table_set(line, COLUMN_ID, "%04x:%04x", device->vendor, device->device) < 0 ||
	    table_set(line, COLUMN_LOCATION, "%s", device->location) < 0 ||
	    table_set(line, COLUMN_DETAILS, "%s",
		      device->driver[0] ? device->driver : "no driver") < 0) {
		return -ENOMEM;
	}
	return kind ? table_set(line, COLUMN_KIND, "%s", kind)
		    : table_set(line, COLUMN_KIND, "class 0x%06" PRIx32, device->class);
}

static int set_group_names(struct libscols_line *line, const struct model_group *group)
{
	if (group->pe_number == MODEL_UNKNOWN) {
		return table_set(line, COLUMN_NAME, "group %" PRIu32, group->id);
	}
	return table_set(line, COLUMN_NAME, "PE 0x%" PRIx32, group->pe_number) < 0
		       ? -ENOMEM
		       : table_set(line, COLUMN_ID, "group %" PRIu32, group->id);
}

static int add_group(struct libscols_table *table, struct libscols_line *parent,
		     const struct model *model, const struct model_group *group)
{
	struct libscols_line *line = scols_table_new_line(table, parent);
	struct group_use use = group_use_describe(model, group);
	const struct model_pe *pe = model_find_pe(model, group->path);
	bool frozen = pe && strcmp(use.text, "free") == 0 && strncmp(pe->state, "stopped", 7) == 0;

	if (!line || set_group_names(line, group) < 0) {
		return -ENOMEM;
	}
	(void)scols_cell_set_color(scols_line_get_cell(line, COLUMN_DETAILS),
				   frozen ? "red" : use.colour);
	if (table_set(line, COLUMN_DETAILS, "%s%s%s", use.text, frozen ? ", " : "",
		      frozen ? pe->state : "") < 0) {
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

static int add_phb(struct libscols_table *table, const struct model *model,
		   const struct model_phb *phb)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	cleanup(cleanup_free) char *details = describe_phb(phb);
	int r = 0;

	if (!line || !details || table_set(line, COLUMN_NAME, "PHB %04" PRIx32, phb->domain) < 0 ||
	    table_set(line, COLUMN_KIND, "%s", phb->kind) < 0 ||
	    table_set(line, COLUMN_LOCATION, "%s", phb->location) < 0 ||
	    table_set(line, COLUMN_DETAILS, "%s", details) < 0) {
		return -ENOMEM;
	}
	if (phb->id != MODEL_UNKNOWN) {
		r = table_set(line, COLUMN_ID, "OPAL %" PRIu32, phb->id);
	}
	for (size_t i = 0; i < model->group_count && r == 0; i++) {
		if (topology_group_is_below(&model->groups[i], phb)) {
			r = add_group(table, line, model, &model->groups[i]);
		}
	}
	return r;
}

/* A bridge's line is of several, which are broken where it says and not anywhere. */
static int break_details(struct libscols_table *table)
{
	struct libscols_column *details = scols_table_get_column(table, COLUMN_DETAILS);
	int r = scols_column_set_safechars(details, "\n");

	return r == 0 ? scols_column_set_wrapfunc(details, scols_wrapnl_chunksize,
						  scols_wrapnl_nextchunk, NULL)
		      : r;
}

static int add_all(struct libscols_table *table, const struct model *model)
{
	int r = 0;

	for (size_t i = 0; i < model->host.phbs.count && r == 0; i++) {
		r = add_phb(table, model, &model->host.phbs.items[i]);
	}
	for (size_t i = 0; i < model->group_count && r == 0; i++) {
		if (topology_group_is_alone(model, &model->groups[i])) {
			r = add_group(table, NULL, model, &model->groups[i]);
		}
	}
	return r;
}

/* -- the host -- */

static void print_host(FILE *file, const struct terminal *terminal, const struct model_host *host)
{
	(void)fprintf(file, "%s%s", terminal_begin(terminal, TERMINAL_BOLD),
		      host->simulated ? "simulated " : "");
	text_print(file, host->kind);
	(void)fprintf(file, " host%s: %s memory", terminal_end(terminal),
		      size_format(host->memory_installed).text);
	if (host->memory_max != host->memory_installed) {
		(void)fprintf(file, ", %s at most", size_format(host->memory_max).text);
	}
	if (strcmp(host->eeh_firmware, "opal") == 0) {
		(void)fputs(", EEH by OPAL", file);
	} else if (host->eeh_firmware[0] != '\0') {
		(void)fputs(", EEH by RTAS", file);
	}
	(void)fputc('\n', file);
}

int topology_show_text(FILE *file, const struct terminal *terminal, const struct model *model)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r;

	print_host(file, terminal, &model->host);
	(void)fputc('\n', file);
	if (model->group_count == 0 && model->host.phbs.count == 0) {
		(void)fputs("no host bridges and no IOMMU groups\n", file);
		return 0;
	}
	r = table_new(file, terminal, columns, sizeof(columns) / sizeof(*columns), &table);
	if (r == 0) {
		r = break_details(table);
	}
	if (r == 0) {
		r = add_all(table, model);
	}
	if (r < 0) {
		return r;
	}
	(void)scols_table_set_column_separator(table, "  ");
	return scols_print_table(table);
}
