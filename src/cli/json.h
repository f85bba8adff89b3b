/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing JSON, with line breaks and indentation.
 *
 * The functions write what they are told, in order: within an object each value has a key, within
 * an array the key is NULL. Strings are UTF-8, as everything from the bus is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *file;
	unsigned int depth;
	bool has_values; /* something stands before the next value, on its level */
	bool compact;    /* no line breaks but the last one: an object is a line */
};

#define JSON(to)      ((struct json){.file = (to)})
#define JSON_LINE(to) ((struct json){.file = (to), .compact = true})

void json_begin_object(struct json *json, const char *key);
void json_end_object(struct json *json);
void json_begin_array(struct json *json, const char *key);
void json_end_array(struct json *json);

void json_string(struct json *json, const char *key, const char *value);
void json_number(struct json *json, const char *key, uint64_t value);
/* Bytes as hexadecimal digits, without spaces. */
void json_bytes(struct json *json, const char *key, const void *bytes, size_t size);
/* A string "0x…": readers that make numbers into floating point would lose an address's low bits.
 */
void json_address(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
