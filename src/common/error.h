/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors: what a caller is told, and how it travels.
 *
 * Concepts
 *   code    one of the outcomes of the D-Bus contract ("WindowOverlap"). They are the answers that
 * a caller can act on; the numbers travel between broker and worker and don't change. detail  one
 * sentence for a person that names the object, the numbers and what to do. errnum  the errno behind
 * it as a positive number, 0 when there was none. The text names it.
 *
 * Two kinds of function
 *   A function that takes a `struct error *` returns 0, or a positive code with the error filled.
 *   A function that doesn't returns 0 (or a useful number), or a negative errno.
 * Outputs stay untouched on failure in both.
 */
#pragma once

#include <stddef.h>

enum error_code {
	ERROR_NONE = 0,
	ERROR_INVALID_ARGUMENT,
	ERROR_NOT_FOUND,
	ERROR_GROUP_NOT_VIABLE,
	ERROR_GROUP_BUSY,
	ERROR_WINDOW_OVERLAP,
	ERROR_WINDOW_START,
	ERROR_NO_WINDOW_LEFT,
	ERROR_PAGE_SIZE,
	ERROR_TABLE_MEMORY,
	ERROR_OUTSIDE_WINDOW,
	ERROR_ALREADY_MAPPED,
	ERROR_NOT_MAPPED,
	ERROR_MEMORY_IN_USE,
	ERROR_MEMORY_UNKNOWN,
	ERROR_QUOTA_EXCEEDED,
	ERROR_UNSUPPORTED,
	ERROR_FROZEN,
	ERROR_EEH_UNAVAILABLE,
	ERROR_EEH_MANY_GROUPS,
	ERROR_RECOVERY_FAILED,
	ERROR_BUSY,
	ERROR_WORKER_LOST,
	ERROR_KERNEL,
	ERROR_DMA_FAULT,
	ERROR_ACCESS_DENIED,
	ERROR_NOT_JOINED,
	ERROR_VOTE_CLOSED,
	ERROR_QUARANTINED,
	ERROR_CODE_COUNT, /* not a code */
};

#define ERROR_TEXT_SIZE 512

struct error {
	enum error_code code;
	int errnum;
	char text[ERROR_TEXT_SIZE];
};

/*
 * Fill error (which may be NULL when only the code matters) and return code. The text becomes the
 * code's sentence, then the detail, then the name of errnum unless that is 0.
 */
int error_set(struct error *error, enum error_code code, int errnum, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Put more words behind the text of an error that is set; cut where the space ends. */
void error_append(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The full D-Bus error name of a code, "org.spaprd1.Error.WindowOverlap". Static. */
const char *error_bus_name(enum error_code code);

/* The sentence of a code, without a full stop. Static. */
const char *error_sentence(enum error_code code);

/* The code of a D-Bus error name, or ERROR_CODE_COUNT for a name that is not in the table. */
enum error_code error_code_from_bus_name(const char *name);

/* The name of an errno, "EBUSY"; "unknown errno" for a number that has none. Static. */
const char *errno_name(int errnum);
