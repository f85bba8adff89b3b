/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/size.h"
#include "unit.h"

static void check_size(uint64_t bytes, const char *expected)
{
	assert_string_equal(size_format(bytes).text, expected);
}

static void test_sizes(void **state)
{
	(void)state;
	check_size(0, "0 B");
	check_size(1, "1 B");
	check_size(1023, "1023 B");
	check_size(1024, "1 KiB");
	check_size(65536, "64 KiB");
	check_size(UINT64_C(16) << 20, "16 MiB");
	check_size(UINT64_C(1) << 60, "1 EiB");
	check_size(UINT64_C(1) << 63, "8 EiB");
}

static void test_rounded_sizes_have_a_decimal(void **state)
{
	(void)state;
	check_size(1025, "1.0 KiB");
	check_size(1536, "1.5 KiB");
	check_size((UINT64_C(1) << 30) + 4096, "1.0 GiB");
	/* Rounding up to the next unit goes there. */
	check_size((UINT64_C(1) << 20) - 1, "1.0 MiB");
	check_size((UINT64_C(1) << 59) - (UINT64_C(1) << 31), "512.0 PiB");
	check_size(UINT64_MAX, "16.0 EiB");
}

static void check_parsed(const char *text, uint64_t expected)
{
	uint64_t bytes = 1;

	assert_true(size_parse(text, &bytes));
	assert_int_equal(bytes, expected);
}

static void test_parse(void **state)
{
	(void)state;
	check_parsed("0", 0);
	check_parsed("4096", 4096);
	check_parsed("010", 10);
	check_parsed("0x1000", 4096);
	check_parsed("12 B", 12);
	check_parsed("64K", 65536);
	check_parsed("2 MiB", 2 << 20);
	check_parsed("1TiB", UINT64_C(1) << 40);
	check_parsed("15E", UINT64_C(15) << 60);
	check_parsed("0xffffffffffffffff", UINT64_MAX);
}

static void test_what_is_no_size(void **state)
{
	static const char *const texts[] = {"",     "K",   "-1",  "+1",     " 1",
					    "1.5G", "1KB", "1k",  "1KiB ",  "1x",
					    "16E",  "0x",  "1Ki", "1 KiBs", "0x10000000000000000"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		uint64_t bytes = 1;

		assert_false(size_parse(texts[i], &bytes));
		assert_int_equal(bytes, 1);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_rounded_sizes_have_a_decimal),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_what_is_no_size),
	};

	return cmocka_run_group_tests_name("size", tests, NULL, NULL);
}
