/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words and numbers for eyes. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "common/error.h"
#include "common/size.h"

/* The kind of a PCI device by its class (0x020000: "Ethernet"); NULL for one without a name here.
 */
const char *pci_class_name(uint32_t class);

/*
 * Make text from others safe to print: control characters, which could drive the terminal, become
 * '?'. In place; what is not ASCII stays as it is, but for the control characters there.
 */
void text_disarm(char *text);

/* Print text that may be armed. */
void text_print(FILE *file, const char *text);

/*
 * Print text in lines of at most width columns, broken at spaces, all but the first behind indent
 * columns of space. The first begins at the column that the cursor has: `used` columns are taken.
 * Words longer than a line stand alone, and a range is one word. A newline comes at the end.
 */
void text_print_wrapped(FILE *file, const char *text, unsigned int used, unsigned int indent,
			unsigned int width);

/* The columns that UTF-8 text takes, all of its characters being one column wide. */
unsigned int text_columns(const char *text);

/* Fill error with text of this program's own, without a sentence of the table. Returns the code,
 * ERROR_KERNEL, which stands for all that has no code. */
int error_say(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
