/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "unit.h"

static void test_pci_classes(void **state)
{
	(void)state;
	assert_string_equal(pci_class_name(0x020000), "Ethernet");
	assert_string_equal(pci_class_name(0x010802), "NVMe storage");
	assert_string_equal(pci_class_name(0x010801), "NVM storage");
	assert_string_equal(pci_class_name(0x02ff00), "network");
	assert_null(pci_class_name(0x7f0000));
	assert_null(pci_class_name(UINT32_MAX));
}

static void check_disarmed(const char *text, const char *expected)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	text_disarm(copy);
	assert_string_equal(copy, expected);
	free(copy);
}

static void test_disarm(void **state)
{
	(void)state;
	check_disarmed("", "");
	check_disarmed("plain text", "plain text");
	check_disarmed("\033[31mred\n\x7f", "?[31mred??");
	check_disarmed("Gerät → ░", "Gerät → ░");
	check_disarmed("\xc2\x9b"
		       "31m",
		       "??31m");        /* U+009B begins a sequence, too */
	check_disarmed("\xc2", "\xc2"); /* cut in the middle of a character */
}

static void check_wrapped(const char *text, unsigned int used, unsigned int indent,
			  unsigned int width, const char *expected)
{
	char *output = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&output, &size);

	assert_non_null(file);
	text_print_wrapped(file, text, used, indent, width);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(output, expected);
	free(output);
}

static void test_wrap(void **state)
{
	(void)state;
	check_wrapped("", 0, 2, 20, "\n");
	check_wrapped("one two", 0, 2, 7, "one two\n");
	check_wrapped("one two", 1, 2, 7, "one\n  two\n");
	check_wrapped("  spaces   everywhere ", 0, 2, 40, "spaces everywhere\n");
	check_wrapped("a word-longer-than-a-line b", 0, 2, 10,
		      "a\n  word-longer-than-a-line\n  b\n");
	/* Characters count, not bytes. */
	check_wrapped("░░░ ░░░", 0, 2, 7, "░░░ ░░░\n");
	check_wrapped("in [0x0, 0x1000) now", 0, 2, 12, "in\n  [0x0, 0x1000)\n  now\n");
}

static void test_columns(void **state)
{
	(void)state;
	assert_int_equal(text_columns(""), 0);
	assert_int_equal(text_columns("abc"), 3);
	assert_int_equal(text_columns("→░"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pci_classes),
		cmocka_unit_test(test_disarm),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
