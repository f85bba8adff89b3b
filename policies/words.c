/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policies/words.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* -- words -- */

bool word_parse(const struct word *words, const char *text, uint32_t *ret_value)
{
	while (words->text && strcmp(words->text, text) != 0) {
		words++;
	}
	if (words->text) {
		*ret_value = words->value;
	}
	return words->text != NULL;
}

const char *word_of(const struct word *words, uint32_t value)
{
	while (words->text && words->value != value) {
		words++;
	}
	return words->text ? words->text : "";
}

/* -- numbers -- */

static const char suffixes[] = "KMGT";

/* What a suffix multiplies by, as a power of two; -1 for what is none. */
static int suffix_shift(const char *suffix)
{
	const char *found = strchr(suffixes, suffix[0]);

	if (suffix[0] == '\0') {
		return 0;
	}
	return found && suffix[1] == '\0' ? 10 * (int)(found - suffixes + 1) : -1;
}

/* strtoull alone would take signs, blanks and octal too. */
bool quantity_parse(const char *text, uint64_t *ret_value)
{
	bool hex = text[0] == '0' && text[1] == 'x';
	unsigned int base = hex ? 16 : 10;
	uint64_t value = 0;
	int shift;

	text += hex ? 2 : 0;
	if (!isxdigit((unsigned char)*text)) {
		return false;
	}
	for (; hex ? isxdigit((unsigned char)*text) : isdigit((unsigned char)*text); text++) {
		unsigned int digit =
			isdigit((unsigned char)*text)
				? (unsigned int)(*text - '0')
				: (unsigned int)(tolower((unsigned char)*text) - 'a' + 10);

		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value)) {
			return false;
		}
	}
	shift = suffix_shift(text);
	if (shift < 0 || value > UINT64_MAX >> shift) {
		return false;
	}
	*ret_value = value << shift;
	return true;
}

void quantity_print(uint64_t value, char *ret_text, size_t size)
{
	char suffix[2] = "";
	const char *next = suffixes;

	while (*next && value != 0 && value >> 10 << 10 == value) {
		value >>= 10;
		suffix[0] = *next++;
	}
	(void)snprintf(ret_text, size, "%" PRIu64 "%s", value, suffix);
}

/* -- times -- */

/* In milliseconds; the largest first. */
static const struct word units[] = {
	{"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};

bool time_parse(const char *text, uint32_t *ret_milliseconds)
{
	const char *unit = text + strspn(text, "0123456789");
	uint32_t value = 0;
	uint32_t factor;

	if (unit == text || !word_parse(units, unit, &factor)) {
		return false;
	}
	for (; text < unit; text++) {
		if (__builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(value, (uint32_t)(*text - '0'), &value)) {
			return false;
		}
	}
	return !__builtin_mul_overflow(value, factor, ret_milliseconds);
}

void time_print(uint32_t milliseconds, char *ret_text, size_t size)
{
	const struct word *unit = units;

	while (milliseconds == 0 ? unit->value != 1000 : milliseconds % unit->value != 0) {
		unit++;
	}
	(void)snprintf(ret_text, size, "%" PRIu32 "%s", milliseconds / unit->value, unit->text);
}
