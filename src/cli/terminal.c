/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/terminal.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static unsigned int detect_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	unsigned long width = 0;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
		width = size.ws_col;
	} else if (columns) {
		width = strtoul(columns, NULL, 10);
	}
	if (width == 0) {
		return TERMINAL_WIDTH_DEFAULT;
	}
	if (width < TERMINAL_WIDTH_MIN) {
		return TERMINAL_WIDTH_MIN;
	}
	return width > TERMINAL_WIDTH_MAX ? TERMINAL_WIDTH_MAX : (unsigned int)width;
}

static bool detect_colour(int fd)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (no_color && *no_color) {
		return false;
	}
	return isatty(fd) && term && strcmp(term, "dumb") != 0;
}

struct terminal terminal_detect(FILE *file)
{
	int fd = fileno(file);

	return (struct terminal){
		.width = detect_width(fd),
		.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
		.colour = detect_colour(fd),
	};
}

const char *terminal_begin(const struct terminal *terminal, enum terminal_style style)
{
	if (!terminal->colour) {
		return "";
	}
	switch (style) {
	case TERMINAL_BOLD:
		return "\033[1m";
	case TERMINAL_GOOD:
		return "\033[32m";
	case TERMINAL_BAD:
		return "\033[31m";
	case TERMINAL_DIM:
		return "\033[2m";
	}
	return "";
}

const char *terminal_end(const struct terminal *terminal)
{
	return terminal->colour ? "\033[0m" : "";
}
