/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `spaprctl status` prints, for eyes and as JSON. */
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/status.h"
#include "unit.h"

/* -- a strict JSON checker: RFC 8259's grammar, nothing more -- */

static bool skip_value(const char **text);

static void skip_space(const char **text)
{
	*text += strspn(*text, " \t\n\r");
}

static bool skip_character(const char **text, char c)
{
	if (**text != c) {
		return false;
	}
	(*text)++;
	return true;
}

static bool skip_word(const char **text, const char *word)
{
	if (strncmp(*text, word, strlen(word)) != 0) {
		return false;
	}
	*text += strlen(word);
	return true;
}

static bool skip_string(const char **text)
{
	if (!skip_character(text, '"')) {
		return false;
	}
	for (; **text != '"'; (*text)++) {
		if ((unsigned char)**text < 0x20) {
			return false;
		}
		if (**text != '\\') {
			continue;
		}
		(*text)++;
		if (**text == 'u') {
			if (strspn(*text + 1, "0123456789abcdefABCDEF") < 4) {
				return false;
			}
			*text += 4;
		} else if (!**text || !strchr("\"\\/bfnrt", **text)) {
			return false;
		}
	}
	return skip_character(text, '"');
}

/* Only what the writer makes: decimal numbers without a sign, a fraction or a leading zero. */
static bool skip_number(const char **text)
{
	size_t digits = strspn(*text, "0123456789");

	if (digits == 0 || (digits > 1 && **text == '0')) {
		return false;
	}
	*text += digits;
	return true;
}

static bool skip_members(const char **text, char last, bool keys)
{
	skip_space(text);
	if (skip_character(text, last)) {
		return true;
	}
	do {
		skip_space(text);
		if (keys && !(skip_string(text) && skip_character(text, ':'))) {
			return false;
		}
		if (!skip_value(text)) {
			return false;
		}
		skip_space(text);
	} while (skip_character(text, ','));
	return skip_character(text, last);
}

static bool skip_value(const char **text)
{
	skip_space(text);
	switch (**text) {
	case '{':
		(*text)++;
		return skip_members(text, '}', true);
	case '[':
		(*text)++;
		return skip_members(text, ']', false);
	case '"':
		return skip_string(text);
	case 't':
		return skip_word(text, "true");
	case 'f':
		return skip_word(text, "false");
	case 'n':
		return skip_word(text, "null");
	default:
		return skip_number(text);
	}
}

static bool is_json(const char *text)
{
	bool valid = skip_value(&text);

	skip_space(&text);
	return valid && *text == '\0';
}

static void test_checker(void **state)
{
	(void)state;
	assert_true(is_json("{}"));
	assert_true(is_json(" {\"a\": [1, 2, {\"b\": null}], \"c\": \"\\u00e4\\n\"}\n"));
	assert_false(is_json(""));
	assert_false(is_json("{\"a\": 1,}"));
	assert_false(is_json("[1 2]"));
	assert_false(is_json("[01]"));
	assert_false(is_json("\"\n\""));
	assert_false(is_json("{} {}"));
	assert_false(is_json("{\"a\"}"));
}

/* -- hosts -- */

static const struct model empty_host = {
	.host = {.version = "1.0", .kind = "powernv", .page_size = 65536},
};

static const char *const device_paths[] = {"/d/0", "/d/1"};
static const char *const lone_device[] = {"/d/2"};
static const char *const container_paths[] = {"/s/1/c/2", "/s/1/c/gone"};
static const char *const group_paths[] = {"/g/0"};
static const char *const iommu_types[] = {"spapr-tce-v2"};

#define STRINGS(array)                                                              \
	{                                                                           \
		(const char **)(uintptr_t)(array), sizeof(array) / sizeof(*(array)) \
	}

/* A group in use, one that isn't viable, one without a driver, one that is free and has nothing. */
static struct model make_full_host(void)
{
	static struct model_group groups[] = {
		{"/g/0", 0, true, STRINGS(lone_device), "/s/1", "/s/1/c/2", 0x1fd, 0, ""},
		{"/g/1", 1, false, STRINGS(device_paths), "/", "/", MODEL_UNKNOWN, MODEL_UNKNOWN,
		 ""},
		{"/g/2", 2, true, {NULL, 0}, "/", "/", 1, 2, ""},
		{"/g/3", 3, false, {NULL, 0}, "/", "/", 1, 3, "0003:01:00.0: still a bus master"},
	};
	static struct model_device devices[] = {
		{"/d/0", "0001:01:00.0", 0x8086, 0x10d3, 0x020000, "vfio-pci", "/g/1", "", false,
		 false},
		{"/d/1", "0001:01:00.1", 0x8086, 0x10d3, 0x020000, "e1000e", "/g/1", "", false,
		 false},
		{"/d/2", "0000:01:00.0", 0x1234, 0x11e8, 0x7f0001, "", "/g/0", "", false, false},
	};
	static struct model_memory memory[] = {
		{1, {0, 0x1000000}, 0x2000, 3},
		{2, {UINT64_C(1) << 63, 0x1000}, 0, 4 | 256},
	};
	static struct model_window windows[] = {
		{{0, 0x80000000}, 12, 1},
		{{UINT64_C(1) << 63, UINT64_C(1) << 63}, 16, 4},
	};
	static struct model_space spaces[] = {
		{"/s/1",
		 1,
		 "a \"b\"\033[31m\\\n",
		 ":1.7",
		 1000,
		 {memory, 2},
		 {windows, 2},
		 STRINGS(container_paths),
		 2,
		 UINT64_C(17) << 20,
		 25300000,
		 {16777216, 8522784, 0}},
		{"/s/4",
		 4,
		 "",
		 "",
		 0,
		 {NULL, 0},
		 {NULL, 0},
		 {NULL, 0},
		 0,
		 0,
		 UINT64_MAX,
		 {0, 0, UINT64_MAX}},
	};
	static struct model_container containers[] = {
		{"/s/1/c/2",
		 2,
		 "spapr-tce-v2",
		 STRINGS(group_paths),
		 0x11000,
		 {0, 0x80000000},
		 2,
		 5,
		 true},
		{"/s/4/c/1", 1, "spapr-tce-v2", {NULL, 0}, 0, {0, 0}, 1, 1, false},
	};

	return (struct model){
		.host = {"1.0",
			 "powernv",
			 true,
			 4096,
			 STRINGS(iommu_types),
			 UINT64_C(2) << 30,
			 25300000,
			 UINT64_C(2) << 30,
			 {NULL, 0},
			 ""},
		.groups = groups,
		.group_count = 4,
		.devices = devices,
		.device_count = 3,
		.spaces = spaces,
		.space_count = 2,
		.containers = containers,
		.container_count = 2,
	};
}

static char *print_text(const struct model *model)
{
	static const struct terminal plain = {.width = 80};
	char *output = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&output, &size);

	assert_non_null(file);
	assert_int_equal(status_print_text(file, &plain, model), 0);
	assert_int_equal(fclose(file), 0);
	return output;
}

static char *print_json(const struct model *model)
{
	char *output = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&output, &size);

	assert_non_null(file);
	status_print_json(file, model);
	assert_int_equal(fclose(file), 0);
	return output;
}

/* -- tests -- */

static void test_text_of_an_empty_host(void **state)
{
	char *output = print_text(&empty_host);

	(void)state;
	assert_string_equal(output,
			    "spaprd 1.0, powernv host: 0 B memory, 64 KiB pages, 0 B locked\n"
			    "\n"
			    "no IOMMU groups\n"
			    "\n"
			    "no address spaces\n");
	free(output);
}

static void test_text_of_a_full_host(void **state)
{
	struct model model = make_full_host();
	char *output = print_text(&model);

	(void)state;
	assert_string_equal(
		output,
		"spaprd 1.0, simulated powernv host: 2 GiB memory, 4 KiB pages, 24.1 MiB locked\n"
		"\n"
		"GROUP           ID         KIND            DRIVER    USE\n"
		"0               PE 0x1fd   PHB 0x0                   space 1\n"
		"`-0000:01:00.0  1234:11e8  class 0x7f0001  -\n"
		"1                                                    not viable: e1000e\n"
		"|-0001:01:00.0  8086:10d3  Ethernet        vfio-pci\n"
		"`-0001:01:00.1  8086:10d3  Ethernet        e1000e\n"
		"2               PE 0x1     PHB 0x2                   needs vfio-pci\n"
		"3               PE 0x1     PHB 0x3                   quarantine: 0003:01:00.0: "
		"still "
		"a bus master\n"
		"\n"
		"space 1 \"a \"b\"?[31m\\?\" of :1.7 (uid 1000): 2 mappings of 17 MiB, 24.1 MiB "
		"locked (memory 16 MiB, tables 8.1 MiB)\n"
		"  container 2 spapr-tce-v2, group 0\n"
		"  /s/1/c/gone\n"
		"  memory 1    [0x0, 0x1000000)                          16 MiB read-only, "
		"identity\n"
		"  memory 2    [0x8000000000000000, 0x8000000000001000)   4 KiB of a device, "
		"skipped: in no container\n"
		"  window      [0x0, 0x80000000)                          2 GiB 4 KiB pages, 1 "
		"level\n"
		"  window      [0x8000000000000000, 0x10000000000000000)  8 EiB 64 KiB pages, 4 "
		"levels\n"
		"\n"
		"space 4 of uid 0, whose owner left: nothing mapped, 16.0 EiB locked (leaked by "
		"the kernel "
		"16.0 EiB)\n");
	free(output);
}

static void test_json_of_an_empty_host(void **state)
{
	char *output = print_json(&empty_host);

	(void)state;
	assert_true(is_json(output));
	assert_non_null(strstr(output, "\"groups\": []"));
	assert_non_null(strstr(output, "\"spaces\": []"));
	free(output);
}

static void test_json_of_a_full_host(void **state)
{
	static const char *const expected[] = {
		"\"version\": \"1.0\"",
		"\"memory_max\": 2147483648",
		"\"pe_number\": null",
		"\"driver\": null",
		"\"name\": \"a \\\"b\\\"\\u001b[31m\\\\\\u000a\"",
		"\"start\": \"0x8000000000000000\",\n          \"size\": 9223372036854775808",
		"\"offset\": \"0x2000\"",
		"\"read_only\": true",
		"\"ram_device\": false,\n          \"skipped\": false",
		"\"ram_device\": true,\n          \"skipped\": true",
		"\"locked_bytes\": 18446744073709551615",
		"\"locked\": {\n        \"pins\": 16777216,\n",
		"\"tables\": 8522784,\n        \"leaks\": 0\n      },",
		"\"owner\": null",
		"\"page_sizes\": [\n            4096,\n            65536\n          ]",
	};
	struct model model = make_full_host();
	char *output = print_json(&model);

	(void)state;
	assert_true(is_json(output));
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		if (!strstr(output, expected[i])) {
			fail_msg("%s is not in\n%s", expected[i], output);
		}
	}
	free(output);
}

static void test_json_writer(void **state)
{
	char *output = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&output, &size);
	struct json json = JSON(file);

	(void)state;
	assert_non_null(file);
	json_begin_object(&json, NULL);
	json_begin_array(&json, "none");
	json_end_array(&json);
	json_begin_array(&json, "some");
	json_bool(&json, NULL, true);
	json_null(&json, NULL);
	json_begin_object(&json, NULL);
	json_end_object(&json);
	json_end_array(&json);
	json_address(&json, "address", UINT64_MAX);
	json_end_object(&json);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(output, "{\n"
				    "  \"none\": [],\n"
				    "  \"some\": [\n"
				    "    true,\n"
				    "    null,\n"
				    "    {}\n"
				    "  ],\n"
				    "  \"address\": \"0xffffffffffffffff\"\n"
				    "}\n");
	assert_true(is_json(output));
	free(output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checker),
		cmocka_unit_test(test_json_writer),
		cmocka_unit_test(test_text_of_an_empty_host),
		cmocka_unit_test(test_text_of_a_full_host),
		cmocka_unit_test(test_json_of_an_empty_host),
		cmocka_unit_test(test_json_of_a_full_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
