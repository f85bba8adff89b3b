/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/demo_print.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "common/cleanup.h"

#define SENTENCE_INDENT 2
#define CALL_INDENT     4
#define RESULT_INDENT   6

void demo_print_step(struct demo_print *print, const char *sentence)
{
	print->sentence = sentence;
	print->call[0] = '\0';
}

void demo_print_call(struct demo_print *print, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(print->call, sizeof(print->call), format, arguments);
	va_end(arguments);
	text_disarm(print->call);
}

static void print_sentence(struct demo_print *print, bool good)
{
	const struct terminal *terminal = &print->terminal;
	const char *mark = good ? "+" : "x";

	if (!print->sentence) {
		return;
	}
	if (terminal->utf8) {
		mark = good ? "✓" : "✗";
	}
	(void)fprintf(print->file, "%s%s%s ",
		      terminal_begin(terminal, good ? TERMINAL_GOOD : TERMINAL_BAD), mark,
		      terminal_end(terminal));
	text_print_wrapped(print->file, print->sentence, SENTENCE_INDENT, SENTENCE_INDENT,
			   terminal->width);
	print->sentence = NULL;
}

/* The result follows the call on its line if it fits there, else it has lines of its own. */
static void print_call(struct demo_print *print, const char *result)
{
	const struct terminal *terminal = &print->terminal;
	const char *arrow = terminal->utf8 ? "→" : "->";
	unsigned int used = CALL_INDENT + text_columns(print->call);
	bool fits = used + 1 + text_columns(arrow) + 1 + text_columns(result) <= terminal->width;

	(void)fprintf(print->file, "%*s%s%s%s", CALL_INDENT, "",
		      terminal_begin(terminal, TERMINAL_DIM), print->call, terminal_end(terminal));
	if (!result[0]) {
		(void)fputc('\n', print->file);
		return;
	}
	if (fits) {
		(void)fprintf(print->file, " %s ", arrow);
	} else {
		used = RESULT_INDENT;
		(void)fprintf(print->file, "\n%*s%s ", RESULT_INDENT, "", arrow);
	}
	text_print_wrapped(print->file, result, used + text_columns(arrow) + 1,
			   RESULT_INDENT + text_columns(arrow) + 1, terminal->width);
}

void demo_print_done(struct demo_print *print, const char *format, ...)
{
	cleanup(cleanup_free) char *result = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&result, format, arguments);
	va_end(arguments);
	if (length < 0) {
		result = NULL; /* undefined by then */
	} else {
		text_disarm(result);
	}
	print_sentence(print, true);
	print_call(print, result ? result : "");
	print->checks++;
	(void)fflush(print->file);
}

void demo_print_failed(struct demo_print *print, const char *text)
{
	print_sentence(print, false);
	print_call(print, text);
	(void)fflush(print->file);
}
