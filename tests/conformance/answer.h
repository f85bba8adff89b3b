/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An answer: what a call returned, and what came back besides.
 *
 * Of a structure those fields are shown that the call changed, as the caller put in what it put in.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ANSWER_TEXT 1600

struct answer {
	enum {
		ANSWER_CALL,      /* result, and errnum if it is -1 */
		ANSWER_TOLD,      /* text only */
		ANSWER_NOT_ASKED, /* text is the harm that it would do */
	} kind;
	long result;
	int errnum;
	uint64_t start; /* of a window that was made */
	char text[ANSWER_TEXT];
};

struct field {
	const char *name;
	size_t offset;
	size_t size; /* 1, 2, 4, 8 */
};

#define FIELD(type, member)                                                     \
	{                                                                       \
#member, offsetof(type, member), sizeof(((type *)NULL)->member) \
	}

/* What a call has just returned, with errno. */
void answer_call(struct answer *answer, long result);

void answer_tell(struct answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Add to the text. */
void answer_add(struct answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void answer_refuse(struct answer *answer, const char *harm);

/* Add the fields in which the two differ. */
void answer_changes(struct answer *answer, const struct field *fields, size_t count,
		    const void *before, const void *after);

/* Add bytes, or their number and a sum of them when they are many. */
void answer_bytes(struct answer *answer, const void *bytes, size_t count);

/* "0", "-1 EINVAL", and the text. */
void answer_print(const struct answer *answer, char *ret_line, size_t size);

/* FNV-1a, to go on from an earlier sum; the first is 0. */
uint64_t answer_sum(uint64_t sum, const void *bytes, size_t count);
