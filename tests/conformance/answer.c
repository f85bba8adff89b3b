/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BYTES_SHOWN 64

void answer_call(struct answer *answer, long result)
{
	answer->errnum = result == -1 ? errno : 0;
	answer->result = result;
	answer->kind = ANSWER_CALL;
}

__attribute__((format(printf, 2, 0))) static void add(struct answer *answer, const char *format,
						      va_list arguments)
{
	size_t used = strlen(answer->text);

	(void)vsnprintf(answer->text + used, sizeof(answer->text) - used, format, arguments);
}

void answer_add(struct answer *answer, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(answer, format, arguments);
	va_end(arguments);
}

void answer_tell(struct answer *answer, const char *format, ...)
{
	va_list arguments;

	answer->kind = ANSWER_TOLD;
	va_start(arguments, format);
	add(answer, format, arguments);
	va_end(arguments);
}

void answer_refuse(struct answer *answer, const char *harm)
{
	answer->kind = ANSWER_NOT_ASKED;
	(void)snprintf(answer->text, sizeof(answer->text), "not asked: it %s", harm);
}

static uint64_t load(const void *from, const struct field *field)
{
	const uint8_t *start = (const uint8_t *)from + field->offset;
	uint64_t whole = 0;
	uint32_t half;
	uint16_t quarter;

	switch (field->size) {
	case 8:
		memcpy(&whole, start, 8);
		return whole;
	case 4:
		memcpy(&half, start, 4);
		return half;
	case 2:
		memcpy(&quarter, start, 2);
		return quarter;
	default:
		return *start;
	}
}

void answer_changes(struct answer *answer, const struct field *fields, size_t count,
		    const void *before, const void *after)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = load(after, &fields[i]);

		if (value != load(before, &fields[i])) {
			answer_add(answer, " %s=%#" PRIx64, fields[i].name, value);
		}
	}
}

uint64_t answer_sum(uint64_t sum, const void *bytes, size_t count)
{
	const uint8_t *byte = bytes;

	sum = sum ? sum : UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < count; i++) {
		sum = (sum ^ byte[i]) * UINT64_C(0x100000001b3);
	}
	return sum;
}

void answer_bytes(struct answer *answer, const void *bytes, size_t count)
{
	const uint8_t *byte = bytes;

	if (count > BYTES_SHOWN) {
		answer_add(answer, " %zu bytes, sum %016" PRIx64, count,
			   answer_sum(0, bytes, count));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		answer_add(answer, "%s%02x", i % 4 == 0 ? " " : "", byte[i]);
	}
}

void answer_print(const struct answer *answer, char *ret_line, size_t size)
{
	const char *text = answer->text[0] == ' ' ? answer->text + 1 : answer->text;

	if (answer->kind != ANSWER_CALL) {
		(void)snprintf(ret_line, size, "%s", text);
		return;
	}
	(void)snprintf(ret_line, size, "%ld%s%s%s%s", answer->result,
		       answer->result == -1 ? " " : "",
		       answer->result == -1 ? strerrorname_np(answer->errnum) : "",
		       *text ? " " : "", text);
}
