/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "common/error.h"
#include "unit.h"

static void test_table_is_complete(void **state)
{
	(void)state;
	for (unsigned int code = ERROR_NONE; code < ERROR_CODE_COUNT; code++) {
		const char *name = error_bus_name((enum error_code)code);

		assert_non_null(name);
		assert_non_null(error_sentence((enum error_code)code));
		assert_int_equal(error_code_from_bus_name(name), code);
	}
	assert_int_equal(error_code_from_bus_name("org.example.Unheard"), ERROR_CODE_COUNT);
	/* A number from outside the table is an error all the same. */
	assert_string_equal(error_bus_name(ERROR_CODE_COUNT), error_bus_name(ERROR_KERNEL));
}

static void test_text(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(error_set(&error, ERROR_GROUP_BUSY, EBUSY, "group %d is open", 7),
			 ERROR_GROUP_BUSY);
	assert_int_equal(error.code, ERROR_GROUP_BUSY);
	assert_int_equal(error.errnum, EBUSY);
	assert_string_equal(error.text, "The group is in use: group 7 is open (EBUSY)");
	error_append(&error, "; held by %s", "qemu");
	assert_string_equal(error.text,
			    "The group is in use: group 7 is open (EBUSY); held by qemu");
	assert_int_equal(error_set(NULL, ERROR_BUSY, 0, "nobody listens"), ERROR_BUSY);
}

static void test_long_text_is_cut(void **state)
{
	struct error error;
	char longer[2 * ERROR_TEXT_SIZE];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	(void)error_set(&error, ERROR_KERNEL, EIO, "%s", longer);
	error_append(&error, "%s", longer);
	assert_int_equal(strlen(error.text), ERROR_TEXT_SIZE - 1);
}

static void test_errno_name(void **state)
{
	(void)state;
	assert_string_equal(errno_name(EPERM), "EPERM");
	assert_string_equal(errno_name(123456), "unknown errno");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_is_complete),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_long_text_is_cut),
		cmocka_unit_test(test_errno_name),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
