/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "common/cleanup.h"

int table_new(FILE *file, const struct terminal *terminal, const struct table_column *columns,
	      size_t count, struct libscols_table **ret_table)
{
	cleanup(cleanup_table) struct libscols_table *table = scols_new_table();

	if (!table) {
		return -ENOMEM;
	}
	(void)scols_table_set_stream(table, file);
	(void)scols_table_set_termwidth(table, terminal->width);
	(void)scols_table_enable_colors(table, terminal->colour);
	(void)scols_table_enable_ascii(table, !terminal->utf8);
	(void)scols_table_enable_minout(table, 1);
	for (size_t i = 0; i < count; i++) {
		if (!scols_table_new_column(table, columns[i].title, columns[i].width_hint,
					    columns[i].flags)) {
			return -ENOMEM;
		}
	}
	*ret_table = steal_pointer(table);
	return 0;
}

int table_set(struct libscols_line *line, size_t column, const char *format, ...)
{
	char *text = NULL;
	va_list arguments;
	int r;

	va_start(arguments, format);
	r = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (r < 0) {
		return -ENOMEM;
	}
	/* libsmartcols itself makes control characters visible. */
	r = scols_line_refer_data(line, column, text);
	if (r < 0) {
		free(text);
	}
	return r;
}
