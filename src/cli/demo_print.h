/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How `spaprctl demo` tells what it does.
 *
 * Concepts
 *   step    a sentence for a person, then calls
 *   call    what was asked of whom, as a user would write it, and what came of it: done, or failed
 *
 * A step's mark (a check or a cross) stands before its sentence, so the sentence waits for the
 * first call to end. Names from the bus may stand in calls and results: they are made safe to
 * print.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "cli/terminal.h"

struct demo_print {
	FILE *file;
	struct terminal terminal;
	const char *sentence; /* of the step, until it is printed */
	char call[256];       /* of the call under way */
	unsigned int checks;  /* calls that did what they should */
};

/* Begin a step; the sentence is static. */
void demo_print_step(struct demo_print *print, const char *sentence);

/* Begin a call; the text says what is called with which arguments. */
void demo_print_call(struct demo_print *print, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The call did what it should, and this is what came of it. */
void demo_print_done(struct demo_print *print, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The call, or the step before its first call, did not. */
void demo_print_failed(struct demo_print *print, const char *text);
