/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "unit.h"

static char written[4096];

/* Catches standard error while a function writes to it. */
static void capture(void (*write_lines)(void))
{
	int memory = memfd_create("stderr", MFD_CLOEXEC);
	int saved = dup(STDERR_FILENO);
	ssize_t size;

	assert_true(memory >= 0 && saved >= 0);
	assert_true(dup2(memory, STDERR_FILENO) >= 0);
	write_lines();
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	size = pread(memory, written, sizeof(written) - 1, 0);
	assert_true(size >= 0);
	written[size] = '\0';
	cleanup_fd(&memory);
	cleanup_fd(&saved);
}

static void write_some(void)
{
	log_open_stderr("test", LOG_INFO);
	log_error("number %d", 7);
	log_debug("not shown");
	log_write(LOG_WARNING, LOG_SPACE(3), "about a space");
	log_write(LOG_INFO, (struct log_object){.client = ":1.5", .space = 3, .group = 9},
		  "about all");
}

static void write_long(void)
{
	static char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	log_open_stderr("test", LOG_DEBUG);
	log_debug("%s", text);
}

static void test_lines(void **state)
{
	(void)state;
	capture(write_some);
	assert_string_equal(written, "test: number 7\n"
				     "test: space 3: about a space\n"
				     "test: space 3: group 9: client :1.5: about all\n");
}

/* A line of any length stays one line. */
static void test_long_line(void **state)
{
	(void)state;
	capture(write_long);
	assert_true(strlen(written) > 1000 && strlen(written) < 1100);
	assert_int_equal(written[strlen(written) - 1], '\n');
}

/* JOURNAL_STREAM that names another file than standard error is not believed. */
static void write_with_stream(void)
{
	(void)setenv("JOURNAL_STREAM", "1:2", 1);
	log_open("test", LOG_INFO);
	log_info("first");
	(void)setenv("JOURNAL_STREAM", "nonsense", 1);
	log_open("test", LOG_INFO);
	log_info("second");
	(void)unsetenv("JOURNAL_STREAM");
}

static void test_journal_stream(void **state)
{
	(void)state;
	capture(write_with_stream);
	assert_string_equal(written, "test: first\ntest: second\n");
}

/* -- the journal -- */

static char fields[32][512];
static int field_count;

/* In place of the library's: what would have gone to the journal. */
int sd_journal_sendv_with_location(const char *file, const char *line, const char *func,
				   const struct iovec *iov, int n)
{
	(void)file;
	(void)line;
	(void)func;
	field_count = n;
	for (int i = 0; i < n; i++) {
		(void)snprintf(fields[i], sizeof(fields[i]), "%.*s", (int)iov[i].iov_len,
			       (const char *)iov[i].iov_base);
	}
	return 0;
}

static bool has_field(const char *text)
{
	for (int i = 0; i < field_count; i++) {
		if (strcmp(fields[i], text) == 0) {
			return true;
		}
	}
	return false;
}

/* Standard error as the service manager would have it. */
static void open_journal(void)
{
	struct stat status;
	char stream[64];

	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		       (unsigned long long)status.st_ino);
	(void)setenv("JOURNAL_STREAM", stream, 1);
	log_open("test", LOG_INFO);
	(void)unsetenv("JOURNAL_STREAM");
}

static const struct log_field about_event[] = {
	{"SPAPRD_EVENT", "7"},
	{"SPAPRD_LOCATION", NULL},
	{"SPAPRD_STEP", "reset-hot"},
};

static void test_journal_fields(void **state)
{
	(void)state;
	open_journal();
	log_write_fields(LOG_WARNING, (struct log_object){.client = ":1.5", .space = 3, .group = 9},
			 about_event, 3, "number %d", 7);
	assert_int_equal(field_count, 8);
	assert_true(has_field("MESSAGE=number 7"));
	assert_true(has_field("PRIORITY=4"));
	assert_true(has_field("SYSLOG_IDENTIFIER=test"));
	assert_true(has_field("SPAPRD_CLIENT=:1.5"));
	assert_true(has_field("SPAPRD_SPACE=3"));
	assert_true(has_field("SPAPRD_GROUP=9"));
	assert_true(has_field("SPAPRD_EVENT=7"));
	assert_true(has_field("SPAPRD_STEP=reset-hot"));
	/* What nobody wants to see isn't sent either. */
	field_count = 0;
	log_write_fields(LOG_DEBUG, LOG_NO_OBJECT, about_event, 3, "number %d", 8);
	assert_int_equal(field_count, 0);
	log_write(LOG_INFO, LOG_SPACE(3), "plain");
	assert_int_equal(field_count, 4);
	assert_true(has_field("MESSAGE=plain"));
}

/* More fields than there is room for, and longer ones. */
static void test_journal_bounds(void **state)
{
	struct log_field many[LOG_FIELDS_MAX + 3];
	char value[400];

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (size_t i = 0; i < LOG_FIELDS_MAX + 3; i++) {
		many[i] = (struct log_field){.name = "SPAPRD_LONG", .value = value};
	}
	open_journal();
	log_write_fields(LOG_ERR, (struct log_object){.client = ":1.5", .space = 3, .group = 9},
			 many, LOG_FIELDS_MAX + 3, "text");
	assert_int_equal(field_count, LOG_FIELDS_MAX + 6);
	assert_true(has_field("MESSAGE=text"));
	assert_true(strncmp(fields[5], "SPAPRD_LONG=vvv", 15) == 0 && strlen(fields[5]) == 255);
}

static void write_fields(void)
{
	log_open_stderr("test", LOG_INFO);
	log_write_fields(LOG_INFO, (struct log_object){.space = -1, .group = 4}, about_event, 3,
			 "a step");
}

/* Who reads standard error has the text. */
static void test_fields_on_stderr(void **state)
{
	(void)state;
	capture(write_fields);
	assert_string_equal(written, "test: group 4: a step\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),          cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_journal_stream), cmocka_unit_test(test_journal_fields),
		cmocka_unit_test(test_journal_bounds), cmocka_unit_test(test_fields_on_stderr),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
