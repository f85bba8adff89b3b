/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define OBJECT_FIELDS  5 /* priority, identifier, and what log_object has */
#define FIELDS_MAX     (OBJECT_FIELDS + LOG_FIELDS_MAX)
#define FIELD_SIZE     256
#define ABOUT_SIZE     64
#define TEXT_SIZE      1024
#define MESSAGE_PREFIX "MESSAGE="

static struct {
	const char *program;
	int lowest_priority;
	bool journal;
} log_state = {.program = "spaprd", .lowest_priority = LOG_INFO, .journal = false};

/* The service manager says in JOURNAL_STREAM ("device:inode") whether stderr is the journal. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char *colon = NULL;
	struct stat status;
	unsigned long long device;
	unsigned long long inode;

	if (!stream || fstat(STDERR_FILENO, &status) < 0) {
		return false;
	}
	device = strtoull(stream, &colon, 10);
	if (*colon != ':') {
		return false;
	}
	inode = strtoull(colon + 1, NULL, 10);
	return device == status.st_dev && inode == status.st_ino;
}

void log_open(const char *program, int lowest_priority)
{
	log_state.program = program;
	log_state.lowest_priority = lowest_priority;
	log_state.journal = stderr_is_journal();
}

void log_open_stderr(const char *program, int lowest_priority)
{
	log_state.program = program;
	log_state.lowest_priority = lowest_priority;
	log_state.journal = false;
}

struct field_list {
	char text[FIELDS_MAX][FIELD_SIZE];
	struct iovec vector[FIELDS_MAX + 1];
	int count;
};

static void add_field(struct field_list *list, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add_field(struct field_list *list, const char *format, ...)
{
	va_list arguments;
	char *text = list->text[list->count];
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, FIELD_SIZE, format, arguments);
	va_end(arguments);
	if (length < 0) {
		return;
	}
	list->vector[list->count].iov_base = text;
	list->vector[list->count].iov_len = length < FIELD_SIZE ? (size_t)length : FIELD_SIZE - 1;
	list->count++;
}

static void write_journal(int priority, struct log_object object, const struct log_field *fields,
			  size_t count, char *message, size_t length)
{
	struct field_list list = {.count = 0};

	add_field(&list, "PRIORITY=%d", priority);
	add_field(&list, "SYSLOG_IDENTIFIER=%s", log_state.program);
	if (object.client) {
		add_field(&list, "SPAPRD_CLIENT=%s", object.client);
	}
	if (object.space >= 0) {
		add_field(&list, "SPAPRD_SPACE=%d", object.space);
	}
	if (object.group >= 0) {
		add_field(&list, "SPAPRD_GROUP=%d", object.group);
	}
	for (size_t i = 0; i < count && i < LOG_FIELDS_MAX; i++) {
		if (fields[i].value) {
			add_field(&list, "%s=%s", fields[i].name, fields[i].value);
		}
	}
	list.vector[list.count].iov_base = message;
	list.vector[list.count].iov_len = length;
	(void)sd_journal_sendv(list.vector, list.count + 1);
}

static void write_stderr(struct log_object object, const char *text)
{
	char about[3 * ABOUT_SIZE] = "";
	int used = 0;

	if (object.space >= 0) {
		used += snprintf(about + used, ABOUT_SIZE, "space %d: ", object.space);
	}
	if (object.group >= 0) {
		used += snprintf(about + used, ABOUT_SIZE, "group %d: ", object.group);
	}
	if (object.client) {
		(void)snprintf(about + used, ABOUT_SIZE, "client %s: ", object.client);
	}
	(void)fprintf(stderr, "%s: %s%s\n", log_state.program, about, text);
}

static void write_line(int priority, struct log_object object, const struct log_field *fields,
		       size_t count, const char *format, va_list arguments)
	__attribute__((format(printf, 5, 0)));

static void write_line(int priority, struct log_object object, const struct log_field *fields,
		       size_t count, const char *format, va_list arguments)
{
	char message[sizeof(MESSAGE_PREFIX) + TEXT_SIZE] = MESSAGE_PREFIX;
	char *text = message + sizeof(MESSAGE_PREFIX) - 1;
	int length;

	if (priority > log_state.lowest_priority) {
		return;
	}
	length = vsnprintf(text, TEXT_SIZE, format, arguments);
	if (length < 0) {
		return;
	}
	if (length >= TEXT_SIZE) {
		length = TEXT_SIZE - 1;
	}
	if (log_state.journal) {
		write_journal(priority, object, fields, count, message,
			      sizeof(MESSAGE_PREFIX) - 1 + (size_t)length);
	} else {
		write_stderr(object, text);
	}
}

void log_write_fields(int priority, struct log_object object, const struct log_field *fields,
		      size_t count, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(priority, object, fields, count, format, arguments);
	va_end(arguments);
}

void log_write(int priority, struct log_object object, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(priority, object, NULL, 0, format, arguments);
	va_end(arguments);
}
