/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the output can show. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#define TERMINAL_WIDTH_MIN     40
#define TERMINAL_WIDTH_DEFAULT 80
#define TERMINAL_WIDTH_MAX     120 /* longer lines are hard to read */

struct terminal {
	unsigned int width; /* in columns, from TERMINAL_WIDTH_MIN to TERMINAL_WIDTH_MAX */
	bool utf8;
	bool colour; /* only on a terminal, and never with NO_COLOR or TERM=dumb */
};

/* Look at the file, the locale (after setlocale) and the environment. */
struct terminal terminal_detect(FILE *file);

enum terminal_style {
	TERMINAL_BOLD,
	TERMINAL_GOOD,
	TERMINAL_BAD,
	TERMINAL_DIM,
};

/* The escape sequences that begin and end a style, "" without colour. Static. */
const char *terminal_begin(const struct terminal *terminal, enum terminal_style style);
const char *terminal_end(const struct terminal *terminal);
