/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words, numbers and times, as the values of policies have them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A list of them ends with one without text. */
struct word {
	const char *text;
	uint32_t value;
};

/* Whether the text is a word of the list. */
bool word_parse(const struct word *words, const char *text, uint32_t *ret_value);

/* The word of a value, "" when there is none. Static. */
const char *word_of(const struct word *words, uint32_t value);

/* "65536", "0x10000" or "64K". */
bool quantity_parse(const char *text, uint64_t *ret_value);

/* With the largest suffix that leaves it whole. */
void quantity_print(uint64_t value, char *ret_text, size_t size);

/* "250ms", "10s", "5min" or "1h", in milliseconds. A number without a unit is no time. */
bool time_parse(const char *text, uint32_t *ret_milliseconds);

/* With the largest unit that leaves it whole. */
void time_print(uint32_t milliseconds, char *ret_text, size_t size);
