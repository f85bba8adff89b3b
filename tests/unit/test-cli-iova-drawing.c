/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "cli/iova_drawing.h"
#include "unit.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define LEGEND "  . not mapped  - to 1/3  + to 2/3  * more  # all\n"

static const struct terminal plain = {.width = 40};

static char *draw(const struct terminal *terminal, const struct model_windows *windows,
		  const struct range *mappings, size_t mapping_count)
{
	char *output = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&output, &size);

	assert_non_null(file);
	iova_drawing_print(file, terminal, windows, mappings, mapping_count);
	assert_int_equal(fclose(file), 0);
	return output;
}

/* Draw one window with pages of 2^page_shift and compare. */
static void check_window(struct range range, uint32_t page_shift, const struct range *mappings,
			 size_t mapping_count, const char *expected)
{
	struct model_window window = {.range = range, .page_shift = page_shift, .levels = 1};
	struct model_windows windows = {&window, 1};
	char *output = draw(&plain, &windows, mappings, mapping_count);

	assert_string_equal(output, expected);
	free(output);
}

static void test_nothing(void **state)
{
	struct model_windows windows = {.count = 0};
	char *output = draw(&plain, &windows, NULL, 0);

	(void)state;
	assert_string_equal(output, "  no windows\n");
	free(output);
}

static void test_empty_window(void **state)
{
	(void)state;
	check_window((struct range){0, 2 * GIB}, 12, NULL, 0,
		     "  [0x0, 0x80000000)  2 GiB in pages of 4 KiB\n"
		     "  |................................|\n"
		     "   0 B mapped; one character is 64 MiB\n" LEGEND);
}

static void test_shades(void **state)
{
	/* Cells of a window of 8 MiB in pages of 1 MiB are pages... */
	static const struct range pages[] = {{MIB, MIB}, {4 * MIB, 2 * MIB}};
	/* ... and of 96 MiB they are 4 MiB. */
	static const struct range parts[] = {
		{0, 1},
		{4 * MIB, 2 * MIB},
		{8 * MIB, 3 * MIB},
		{12 * MIB, 4 * MIB - 1},
		{16 * MIB, 4 * MIB},
	};

	(void)state;
	check_window((struct range){0, 8 * MIB}, 20, pages, COUNT(pages),
		     "  [0x0, 0x800000)  8 MiB in pages of 1 MiB\n"
		     "  |.#..##..|\n"
		     "   3 MiB mapped; one character is 1 MiB\n" LEGEND);
	check_window((struct range){0, 96 * MIB}, 0, parts, COUNT(parts),
		     "  [0x0, 0x6000000)  96 MiB in pages of 1 B\n"
		     "  |-+**#...................|\n"
		     "   13 MiB mapped; one character is 4 MiB\n" LEGEND);
}

static void test_one_page_of_a_tebibyte(void **state)
{
	static const struct range mapping = {UINT64_C(1) << 59 | 512 * GIB, 4096};

	(void)state;
	check_window((struct range){UINT64_C(1) << 59, TIB}, 12, &mapping, 1,
		     "  [0x800000000000000, 0x800010000000000)  1 TiB in pages of 4 KiB\n"
		     "  |................-...............|\n"
		     "   4 KiB mapped; one character is 32 GiB\n" LEGEND);
}

static void test_end_of_the_address_space(void **state)
{
	static const struct range mapping = {UINT64_MAX - 4095, 4096};

	(void)state;
	check_window((struct range){UINT64_C(1) << 63, UINT64_C(1) << 63}, 16, &mapping, 1,
		     "  [0x8000000000000000, 0x10000000000000000)  8 EiB in pages of 64 KiB\n"
		     "  |...............................-|\n"
		     "   4 KiB mapped; one character is 256 PiB\n" LEGEND);
	/* The largest range there is: no power of two, and its last cell is a byte short. */
	check_window((struct range){0, UINT64_MAX}, 63, &(struct range){0, UINT64_MAX}, 1,
		     "  [0x0, 0xffffffffffffffff)  16.0 EiB in pages of 8 EiB\n"
		     "  |##|\n"
		     "   16.0 EiB mapped; one character is 8 EiB\n" LEGEND);
}

static void test_mappings_need_not_be_right(void **state)
{
	static const struct range mappings[] = {
		{0, GIB},             /* begins below the window */
		{GIB, MIB},           /* twice the same */
		{GIB, MIB},           /* */
		{GIB + 7 * MIB, GIB}, /* goes beyond it */
		{8 * GIB, GIB},       /* above it */
		{GIB, 0},             /* no range */
		{UINT64_MAX, 2},      /* no range */
	};

	(void)state;
	check_window((struct range){GIB, 8 * MIB}, 20, mappings, COUNT(mappings),
		     "  [0x40000000, 0x40800000)  8 MiB in pages of 1 MiB\n"
		     "  |#......#|\n"
		     "   2 MiB mapped; one character is 1 MiB\n" LEGEND);
}

static void test_holes(void **state)
{
	struct model_window items[] = {
		{.range = {0, GIB}, .page_shift = 12},
		{.range = {GIB, GIB}, .page_shift = 12}, /* right behind */
		{.range = {UINT64_C(1) << 59, GIB}, .page_shift = 16},
		{.range = {UINT64_C(1) << 63, UINT64_C(1) << 63}, .page_shift = 24},
	};
	struct model_windows windows = {items, COUNT(items)};
	char *output = draw(&plain, &windows, NULL, 0);
	char *near = strstr(output, "  :  a hole of 512.0 PiB\n");
	char *far = strstr(output, "  :  a hole of 7.5 EiB\n  [0x8000000000000000, ");

	(void)state;
	assert_non_null(near);
	assert_true(far > near);
	assert_null(strstr(output, "0x40000000)  1 GiB in pages of 4 KiB\n  :"));
	free(output);
}

static void test_utf8(void **state)
{
	static const struct terminal wide = {.width = 80, .utf8 = true};
	static const struct range mapping = {0, GIB / 2 + GIB / 128};
	struct model_window items[] = {
		{.range = {0, GIB}, .page_shift = 12},
		{.range = {4 * GIB, 4096}, .page_shift = 12},
	};
	struct model_windows windows = {items, COUNT(items)};
	char *output = draw(&wide, &windows, &mapping, 1);

	(void)state;
	assert_string_equal(output,
			    "  [0x0, 0x40000000)  1 GiB in pages of 4 KiB\n"
			    "  │████████████████████████████████▒·······························│\n"
			    "   520 MiB mapped; one character is 16 MiB\n"
			    "  ⋮  a hole of 3 GiB\n"
			    "  [0x100000000, 0x100001000)  4 KiB in pages of 4 KiB\n"
			    "  │·│\n"
			    "   0 B mapped; one character is 4 KiB\n"
			    "  · not mapped  ░ to 1/3  ▒ to 2/3  ▓ more  █ all\n");
	free(output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_empty_window),
		cmocka_unit_test(test_shades),
		cmocka_unit_test(test_one_page_of_a_tebibyte),
		cmocka_unit_test(test_end_of_the_address_space),
		cmocka_unit_test(test_mappings_need_not_be_right),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
