/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/json.h"

#include <inttypes.h>

static void write_text(struct json *json, const char *text)
{
	(void)fputc('"', json->file);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\') {
			(void)fprintf(json->file, "\\%c", *c);
		} else if (*c < 0x20) {
			(void)fprintf(json->file, "\\u%04x", *c);
		} else {
			(void)fputc(*c, json->file);
		}
	}
	(void)fputc('"', json->file);
}

static void begin_line(struct json *json)
{
	if (json->depth > 0 && !json->compact) {
		(void)fprintf(json->file, "\n%*s", (int)(2 * json->depth), "");
	}
}

static void begin_value(struct json *json, const char *key)
{
	if (json->has_values) {
		(void)fputs(json->compact ? ", " : ",", json->file);
	}
	begin_line(json);
	if (key) {
		write_text(json, key);
		(void)fputs(": ", json->file);
	}
	json->has_values = true;
}

static void begin(struct json *json, const char *key, char bracket)
{
	begin_value(json, key);
	(void)fputc(bracket, json->file);
	json->depth++;
	json->has_values = false;
}

static void end(struct json *json, char bracket)
{
	json->depth--;
	if (json->has_values && !json->compact) {
		(void)fprintf(json->file, "\n%*s", (int)(2 * json->depth), "");
	}
	(void)fputc(bracket, json->file);
	if (json->depth == 0) {
		(void)fputc('\n', json->file);
	}
	json->has_values = true;
}

void json_begin_object(struct json *json, const char *key)
{
	begin(json, key, '{');
}

void json_end_object(struct json *json)
{
	end(json, '}');
}

void json_begin_array(struct json *json, const char *key)
{
	begin(json, key, '[');
}

void json_end_array(struct json *json)
{
	end(json, ']');
}

void json_string(struct json *json, const char *key, const char *value)
{
	begin_value(json, key);
	write_text(json, value);
}

void json_number(struct json *json, const char *key, uint64_t value)
{
	begin_value(json, key);
	(void)fprintf(json->file, "%" PRIu64, value);
}

void json_address(struct json *json, const char *key, uint64_t value)
{
	begin_value(json, key);
	(void)fprintf(json->file, "\"0x%" PRIx64 "\"", value);
}

void json_bytes(struct json *json, const char *key, const void *bytes, size_t size)
{
	begin_value(json, key);
	(void)fputc('"', json->file);
	for (size_t i = 0; i < size; i++) {
		(void)fprintf(json->file, "%02x", ((const unsigned char *)bytes)[i]);
	}
	(void)fputc('"', json->file);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin_value(json, key);
	(void)fputs(value ? "true" : "false", json->file);
}

void json_null(struct json *json, const char *key)
{
	begin_value(json, key);
	(void)fputs("null", json->file);
}
