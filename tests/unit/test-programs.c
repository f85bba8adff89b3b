/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/programs.h"
#include "unit.h"

#define VARIABLE "SPAPRD_TEST_PROGRAM"

static void test_beside_the_running_one(void **state)
{
	char path[PATH_MAX] = "";

	(void)state;
	assert_int_equal(program_find("test-programs", VARIABLE, path), 0);
	assert_int_equal(path[0], '/');
	assert_non_null(strstr(path, "/test-programs"));
	assert_int_equal(program_find("no-such-program", VARIABLE, path), -ENOENT);
}

static void test_by_environment(void **state)
{
	char path[PATH_MAX] = "";
	char longer[PATH_MAX + 10];

	(void)state;
	assert_int_equal(setenv(VARIABLE, "/bin/sh", 1), 0);
	assert_int_equal(program_find("anything", VARIABLE, path), 0);
	assert_string_equal(path, "/bin/sh");
	assert_int_equal(setenv(VARIABLE, "/nonexistent", 1), 0);
	assert_int_equal(program_find("anything", VARIABLE, path), -ENOENT);
	assert_int_equal(setenv(VARIABLE, "/etc/passwd", 1), 0);
	assert_int_equal(program_find("anything", VARIABLE, path), -EACCES);
	memset(longer, '/', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(setenv(VARIABLE, longer, 1), 0);
	assert_int_equal(program_find("anything", VARIABLE, path), -ENAMETOOLONG);
	assert_int_equal(unsetenv(VARIABLE), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beside_the_running_one),
		cmocka_unit_test(test_by_environment),
	};

	return cmocka_run_group_tests_name("programs", tests, NULL, NULL);
}
