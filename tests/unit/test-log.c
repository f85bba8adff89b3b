/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_journal_stream),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
