/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables for a terminal, by libsmartcols. */
#pragma once

#include <libsmartcols.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/terminal.h"

struct table_column {
	const char *title;
	double width_hint; /* as libsmartcols has it: below 1 a part of the width, else columns */
	int flags;
};

/* An empty table that prints itself to the file. 0 or -ENOMEM. */
int table_new(FILE *file, const struct terminal *terminal, const struct table_column *columns,
	      size_t count, struct libscols_table **ret_table);

static inline void cleanup_table(struct libscols_table **table)
{
	if (*table) {
		scols_unref_table(*table);
	}
}

/* Fill a cell. Control characters become visible, as \x1b. 0 or -ENOMEM. */
int table_set(struct libscols_line *line, size_t column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
