/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logging: to the journal with structured fields when a service manager runs us, else to standard
 * error. A failure is logged once, by the function that gives up on it.
 */
#pragma once

#include <stddef.h>
#include <syslog.h>

/* Which object a line is about. Unset members are NULL or -1 and are left out. */
struct log_object {
	const char *client; /* unique bus name */
	int space;
	int group;
};

#define LOG_NO_OBJECT     ((struct log_object){.client = NULL, .space = -1, .group = -1})
#define LOG_SPACE(number) ((struct log_object){.client = NULL, .space = (int)(number), .group = -1})
#define LOG_GROUP(number) ((struct log_object){.client = NULL, .space = -1, .group = (int)(number)})

/* Choose journal or standard error and the lowest priority shown (LOG_DEBUG … LOG_ERR). */
void log_open(const char *program, int lowest_priority);

/* Write to standard error whatever it is: for a confined process, which can't open the journal's
 * socket. */
void log_open_stderr(const char *program, int lowest_priority);

/* More about a line, for the journal alone: name "SPAPRD_EVENT", in capitals. */
struct log_field {
	const char *name;
	const char *value; /* one line; NULL: the field is left out */
};

/* At most so many; a value that is too long is cut. */
#define LOG_FIELDS_MAX 12U

void log_write_fields(int priority, struct log_object object, const struct log_field *fields,
		      size_t count, const char *format, ...) __attribute__((format(printf, 5, 6)));

void log_write(int priority, struct log_object object, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...) log_write(LOG_ERR, LOG_NO_OBJECT, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, LOG_NO_OBJECT, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, LOG_NO_OBJECT, __VA_ARGS__)
