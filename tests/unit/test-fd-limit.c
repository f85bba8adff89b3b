/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/resource.h>

#include "common/fd_limit.h"
#include "unit.h"

static void set_limit(rlim_t soft)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = soft;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void test_low(void **state)
{
	(void)state;
	set_limit(64);
	assert_int_equal(fd_limit_reserve(), 32);
	assert_true(fd_limit_allows(31));
	assert_false(fd_limit_allows(32));
	assert_false(fd_limit_allows(-1));
}

static void test_usual(void **state)
{
	(void)state;
	set_limit(1024);
	assert_int_equal(fd_limit_reserve(), 128);
	assert_true(fd_limit_allows(1024 - 128 - 1));
	assert_false(fd_limit_allows(1024 - 128));
	set_limit(1600);
	assert_int_equal(fd_limit_reserve(), 200);
}

static void test_raise(void **state)
{
	struct rlimit limit;

	(void)state;
	set_limit(64);
	assert_int_equal(fd_limit_raise(), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(limit.rlim_cur == limit.rlim_max || limit.rlim_cur == FD_LIMIT_WANTED);
	/* Never downwards. */
	assert_int_equal(fd_limit_raise(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_low),
		cmocka_unit_test(test_usual),
		cmocka_unit_test(test_raise),
	};

	return cmocka_run_group_tests_name("fd limit", tests, NULL, NULL);
}
