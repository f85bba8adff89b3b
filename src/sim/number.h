/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers out of text: nothing but digits, no sign, no space in front, no overflow. */
#pragma once

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Decimal, or hexadecimal with 0x, up to most; what stands behind it goes to *ret_rest. */
static inline bool number_take(const char *text, uint64_t most, uint64_t *ret_value,
			       const char **ret_rest)
{
	bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hexadecimal ? text + 2 : text;
	char *end = NULL;
	unsigned long long value;

	if (hexadecimal ? !isxdigit((unsigned char)*digits) : !isdigit((unsigned char)*digits)) {
		return false;
	}
	errno = 0;
	value = strtoull(digits, &end, hexadecimal ? 16 : 10);
	if (errno || value > most) {
		return false;
	}
	*ret_value = value;
	*ret_rest = end;
	return true;
}

/* Nothing may stand behind it. */
static inline bool number_parse(const char *text, uint64_t most, uint64_t *ret_value)
{
	const char *rest;
	uint64_t value;

	if (!number_take(text, most, &value, &rest) || *rest != '\0') {
		return false;
	}
	*ret_value = value;
	return true;
}
