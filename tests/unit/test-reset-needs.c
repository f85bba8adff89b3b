/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Adapters that a hot reset doesn't bring back. */
#include <string.h>

#include "eeh/reset_needs.h"
#include "eeh/reset_needs_table.h"
#include "unit.h"

/* Binary search needs it, and two drivers can't claim one device. */
static void test_the_table_is_sorted_without_doubles(void **state)
{
	(void)state;
	assert_true(reset_need_count > 0);
	for (size_t i = 0; i < reset_need_count; i++) {
		const struct reset_need *need = &reset_needs[i];
		const struct reset_need *before = i > 0 ? need - 1 : NULL;

		assert_true(need->first <= need->last);
		assert_true(need->why && *need->why != '\0');
		if (before && (before->vendor > need->vendor ||
			       (before->vendor == need->vendor && before->last >= need->first))) {
			fail_msg("%04x:%04x comes after %04x:%04x", need->vendor, need->first,
				 before->vendor, before->last);
		}
	}
}

static void test_every_entry_is_found_at_both_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < reset_need_count; i++) {
		const struct reset_need *need = &reset_needs[i];

		assert_ptr_equal(device_needs_fundamental_reset(need->vendor, need->first),
				 need->why);
		assert_ptr_equal(device_needs_fundamental_reset(need->vendor, need->last),
				 need->why);
	}
}

/* One device of each list in the kernel's source. */
static void test_known_adapters(void **state)
{
	static const struct {
		uint16_t vendor;
		uint16_t device;
		const char *why;
	} known[] = {
		{0x1014, 0x044b, "genwqe"},  {0x1077, 0x2532, "qla2xxx"},
		{0x1077, 0x8022, "qla4xxx"}, {0x1077, 0x8000, "qlge"},
		{0x10df, 0xf100, "lpfc"},    {0x10df, 0xe300, "lpfc"},
		{0x10df, 0xe220, "eeh"},     {0x1425, 0x5401, "cxgb4"},
		{0x1425, 0x6492, "cxgb4"},   {0x14e4, 0x168e, "bnx2x"},
		{0x14e4, 0x1657, "eeh"},     {0x1077, 0x16a1, "bnx2x"},
		{0x9005, 0x028c, "aacraid"}, {0x19a2, 0x0710, "eeh"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		const char *why = device_needs_fundamental_reset(known[i].vendor, known[i].device);

		assert_non_null(why);
		assert_string_equal(why, known[i].why);
	}
}

static void test_others_do_not_need_it(void **state)
{
	static const struct {
		uint16_t vendor;
		uint16_t device;
	} others[] = {
		{0, 0},           {0xffff, 0xffff}, {0x8086, 0x10d3}, /* e1000e */
		{0x1234, 0x11e8},                                     /* edu */
		{0x10df, 0xfd00},                                     /* lpfc, but PCI-X */
		{0x1077, 0x2312}, /* qla2xxx, but an older chip */
		{0x1425, 0x5001}, /* cxgb4, but a function that it leaves alone */
		{0x1425, 0x540f}, /* between two ranges */
		{0x15b3, 0x1017}, /* mlx5 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		assert_null(device_needs_fundamental_reset(others[i].vendor, others[i].device));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_table_is_sorted_without_doubles),
		cmocka_unit_test(test_every_entry_is_found_at_both_ends),
		cmocka_unit_test(test_known_adapters),
		cmocka_unit_test(test_others_do_not_need_it),
	};

	return cmocka_run_group_tests_name("reset needs", tests, NULL, NULL);
}
