/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's arithmetic, compared with what real kernels were seen to charge and to accept. */
#include <unistd.h>

#include "spapr/table.h"
#include "unit.h"

#define GIB(n) ((uint64_t)(n) << 30)
#define TIB(n) ((uint64_t)(n) << 40)

static const struct table_rules small_pages = {
	.kernel_page_shift = 12, .hypervisor = false, .most_tces = 1 << 30};
static const struct table_rules large_pages = {
	.kernel_page_shift = 16, .hypervisor = false, .most_tces = 1 << 30};
static const struct table_rules partition = {
	.kernel_page_shift = 16, .hypervisor = true, .most_tces = 1 << 24};

static uint64_t locked_kib(uint32_t page_shift, uint64_t size, uint32_t levels)
{
	return table_locked_bytes(&small_pages, page_shift, size, levels) >> 10;
}

/* VmLck of a process on powernv9 with a kernel of 4 KiB pages. */
static void test_h30_measured_charges(void **state)
{
	(void)state;
	assert_int_equal(locked_kib(12, GIB(2), 1), 8192);
	assert_int_equal(locked_kib(16, GIB(4), 1), 1024);
	assert_int_equal(locked_kib(16, GIB(1), 1), 256);
	assert_int_equal(locked_kib(12, GIB(1), 1), 4096);
	assert_int_equal(locked_kib(12, GIB(1), 2), 4104);
	assert_int_equal(locked_kib(16, GIB(64), 1), 16384);
	assert_int_equal(locked_kib(16, GIB(64), 2), 16400);
	assert_int_equal(locked_kib(16, GIB(64), 3), 16424);
	assert_int_equal(locked_kib(16, GIB(64), 4), 16432);
	assert_int_equal(locked_kib(16, GIB(64), 5), 16440);
}

static void test_h30_partition_charges(void **state)
{
	(void)state;
	assert_int_equal(table_locked_bytes(&partition, 12, GIB(1), 1), 2 << 20);
	assert_int_equal(table_locked_bytes(&partition, 24, GIB(1), 1), 0);
	assert_int_equal(table_piece_bytes(&partition, 12, TIB(1), 1), 0);
	assert_true(table_levels_are_legal(&partition, 12, GIB(1), 1));
	assert_false(table_levels_are_legal(&partition, 12, GIB(1), 2));
	assert_int_equal(table_least_tces(&partition), 1);
}

static void test_h31_legal_levels(void **state)
{
	(void)state;
	/* Seen: the mask says 5, but above 4 is EINVAL for 2 GiB of 4 KiB pages. */
	assert_true(table_levels_are_legal(&small_pages, 12, GIB(2), 4));
	assert_false(table_levels_are_legal(&small_pages, 12, GIB(2), 5));
	assert_false(table_levels_are_legal(&small_pages, 16, GIB(64), 5));
	assert_false(table_levels_are_legal(&small_pages, 12, GIB(2), 0));
	assert_false(table_levels_are_legal(&small_pages, 12, GIB(2), 6));
	/* With 64 KiB kernel pages a level has 13 bits at least. */
	assert_true(table_levels_are_legal(&large_pages, 12, GIB(2), 3));
	assert_false(table_levels_are_legal(&large_pages, 12, GIB(2), 4));
	assert_true(table_levels_are_legal(&large_pages, 16, GIB(2), 2));
	assert_false(table_levels_are_legal(&large_pages, 16, GIB(2), 3));
	assert_true(table_levels_are_legal(&large_pages, 30, TIB(8), 1));
	assert_false(table_levels_are_legal(&large_pages, 30, TIB(8), 2));
	/* A window is at most 2^54. */
	assert_true(table_levels_are_legal(&small_pages, 30, UINT64_C(1) << 54, 1));
	assert_false(table_levels_are_legal(&small_pages, 30, UINT64_C(1) << 55, 1));
}

static void test_pieces(void **state)
{
	(void)state;
	/* Seen: 2^40 of 64 KiB pages in one level wants a table of 2^27 bytes in one piece. */
	assert_int_equal(table_piece_bytes(&small_pages, 16, TIB(1), 1), 1 << 27);
	assert_int_equal(table_piece_bytes(&small_pages, 16, TIB(1), 2), 1 << 15);
	assert_int_equal(table_piece_bytes(&small_pages, 16, TIB(1), 3), 1 << 11 << 1);
	assert_int_equal(table_piece_bytes(&large_pages, 16, TIB(1), 3), 1 << 16);
	assert_int_equal(table_least_tces(&small_pages), 512);
	assert_int_equal(table_least_tces(&large_pages), 8192);
}

static void test_page_shifts(void **state)
{
	static const uint64_t known = UINT64_C(1) << 12 | 1 << 16 | 1 << 21 | 1 << 24 | 1 << 25 |
				      1 << 26 | 1 << 27 | 1 << 28 | 1 << 30;

	(void)state;
	for (uint32_t shift = 0; shift < 64; shift++) {
		assert_int_equal(table_page_shift_is_known(shift), known >> shift & 1);
	}
	assert_false(table_page_shift_is_known(UINT32_MAX));
}

static void test_rules(void **state)
{
	(void)state;
	assert_true(table_rules_of(1, 0).hypervisor);
	assert_false(table_rules_of(5, 0).hypervisor);
	assert_int_equal(table_rules_of(5, 0).most_tces, 1 << 30);
	assert_int_equal(table_rules_of(1, 0).most_tces, 1 << 24);
	assert_int_equal(table_rules_of(5, 16).kernel_page_shift, 16);
	assert_int_equal(1 << table_rules_of(5, 0).kernel_page_shift, sysconf(_SC_PAGESIZE));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_h30_measured_charges),
		cmocka_unit_test(test_h30_partition_charges),
		cmocka_unit_test(test_h31_legal_levels),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_page_shifts),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests_name("tce-table", tests, NULL, NULL);
}
