/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `spaprctl topology` prints, for eyes and as JSON. */
#include <stdlib.h>
#include <string.h>

#include "cli/topology.h"
#include "unit.h"

static const char *const lone_device[] = {"/d/2"};
static const char *const device_paths[] = {"/d/0", "/d/1", "/d/gone"};

#define STRINGS(array)                                                              \
	{                                                                           \
		(const char **)(uintptr_t)(array), sizeof(array) / sizeof(*(array)) \
	}

static struct model_device devices[] = {
	{.path = "/d/0",
	 .name = "0001:01:00.0",
	 .vendor = 0x8086,
	 .device = 0x10d3,
	 .class = 0x020000,
	 .driver = "vfio-pci",
	 .group = "/g/1",
	 .location = "UOPWR-P1-C5-T1"},
	{.path = "/d/1",
	 .name = "0001:01:00.1",
	 .vendor = 0x8086,
	 .device = 0x10d3,
	 .class = 0x020000,
	 .driver = "e1000e",
	 .group = "/g/1",
	 .location = "a\033[31m"},
	{.path = "/d/2",
	 .name = "0002:01:00.0",
	 .vendor = 0x1234,
	 .device = 0x11e8,
	 .class = 0x7f0001,
	 .driver = "",
	 .group = "/g/2",
	 .location = ""},
};

static struct model_group groups[] = {
	{.path = "/g/1",
	 .id = 1,
	 .devices = STRINGS(device_paths),
	 .space = "/",
	 .container = "/",
	 .quarantine = "",
	 .pe_number = 0x1fd,
	 .phb_id = 1},
	{.path = "/g/2",
	 .id = 2,
	 .viable = true,
	 .devices = STRINGS(lone_device),
	 .space = "/s/4",
	 .container = "/",
	 .quarantine = "",
	 .pe_number = 0xfd,
	 .phb_id = 2},
	{.path = "/g/3",
	 .id = 3,
	 .viable = true,
	 .devices = {NULL, 0},
	 .space = "/",
	 .container = "/",
	 .quarantine = "",
	 .pe_number = MODEL_UNKNOWN,
	 .phb_id = MODEL_UNKNOWN},
};

static struct model_pe pes[] = {
	{.path = "/g/2", .state = "stopped", .recovery = "frozen", .policy = "default"},
};

static struct model_space spaces[] = {
	{.path = "/s/4", .number = 4, .name = "", .owner = ""},
};

static struct model_phb phbs[] = {
	{.domain = 0, /* with nothing but its number */
	 .node = "pciex@0",
	 .id = MODEL_UNKNOWN,
	 .kind = "",
	 .location = "",
	 .pes = MODEL_UNKNOWN,
	 .reserved_pe = MODEL_UNKNOWN,
	 .liobn = MODEL_UNKNOWN,
	 .msis = MODEL_UNKNOWN},
	{.domain = 1,
	 .node = "pciex@1",
	 .id = 1,
	 .kind = "ibm,power9-pciex",
	 .location = "UOPWR-P1-C5",
	 .pes = 512,
	 .reserved_pe = 0x1ff,
	 .tce_sizes = 0x40211000,
	 .default_window = {0, 0x80000000},
	 .liobn = MODEL_UNKNOWN,
	 .eeh = MODEL_ANSWER_YES,
	 .msis = 4088},
	{.domain = 2,
	 .node = "pci@2",
	 .id = MODEL_UNKNOWN,
	 .kind = "IBM,Logical_PHB",
	 .location = "",
	 .pes = MODEL_UNKNOWN,
	 .reserved_pe = MODEL_UNKNOWN,
	 .ddw = MODEL_ANSWER_YES,
	 .ddw_reset = MODEL_ANSWER_NO,
	 .default_window = {0, 0x40000000},
	 .liobn = 0x80000300,
	 .eeh = MODEL_ANSWER_NO,
	 .msis = 3328},
};

static struct model make_host(void)
{
	return (struct model){
		.host = {.version = "1.0",
			 .kind = "powernv",
			 .simulated = true,
			 .page_size = 4096,
			 .memory_installed = UINT64_C(2) << 30,
			 .memory_max = UINT64_C(4) << 30,
			 .phbs = {phbs, 3},
			 .eeh_firmware = "opal"},
		.groups = groups,
		.group_count = 3,
		.pes = pes,
		.pe_count = 1,
		.devices = devices,
		.device_count = 3,
		.spaces = spaces,
		.space_count = 1,
	};
}

static const struct model empty_host = {
	.host = {.version = "1.0", .kind = "type1", .eeh_firmware = ""},
};

static char *print(const struct model *model, unsigned int width)
{
	const struct terminal plain = {.width = width};
	char *output = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&output, &size);

	assert_non_null(file);
	if (width > 0) {
		assert_int_equal(topology_show_text(file, &plain, model), 0);
	} else {
		topology_show_json(file, model);
	}
	assert_int_equal(fclose(file), 0);
	return output;
}

static void expect_text(const struct model *model, unsigned int width, const char *expected)
{
	char *output = print(model, width);

	assert_string_equal(output, expected);
	free(output);
}

static void test_text_of_an_empty_host(void **state)
{
	(void)state;
	expect_text(&empty_host, 80,
		    "type1 host: 0 B memory\n"
		    "\n"
		    "no host bridges and no IOMMU groups\n");
}

static void test_text_of_a_full_host(void **state)
{
	struct model model = make_host();

	(void)state;
	expect_text(
		&model, 120,
		"simulated powernv host: 2 GiB memory, 4 GiB at most, EEH by OPAL\n"
		"\n"
		"PHB, PE, DEVICE   ID         KIND              LOCATION        DETAILS\n"
		"PHB 0000\n"
		"PHB 0001          OPAL 1     ibm,power9-pciex  UOPWR-P1-C5     512 PEs, 0x1ff "
		"reserved, 4088 MSIs, EEH\n"
		"|                                                              TCEs of 4 KiB, 64 "
		"KiB, 2 MiB, 1 GiB\n"
		"|                                                              window [0x0, "
		"0x80000000)\n"
		"`-PE 0x1fd        group 1                                      not viable: "
		"e1000e\n"
		"  |-0001:01:00.0  8086:10d3  Ethernet          UOPWR-P1-C5-T1  vfio-pci\n"
		"  `-0001:01:00.1  8086:10d3  Ethernet          a\\x1b[31m       e1000e\n"
		"PHB 0002                     IBM,Logical_PHB                   3328 MSIs, no EEH\n"
		"|                                                              window [0x0, "
		"0x40000000), LIOBN 0x80000300, DDW without reset\n"
		"`-PE 0xfd         group 2                                      space 4, stopped, "
		"recovery frozen\n"
		"  `-0002:01:00.0  1234:11e8  class 0x7f0001                    no driver\n"
		"group 3                                                        needs vfio-pci\n");
}

/* Without host bridges groups are the roots. */
static void test_text_without_phbs(void **state)
{
	struct model model = make_host();

	(void)state;
	model.host.phbs.count = 0;
	model.host.kind = "type1";
	model.host.eeh_firmware = "";
	model.host.memory_max = model.host.memory_installed;
	model.pe_count = 0;
	groups[0].pe_number = MODEL_UNKNOWN;
	expect_text(
		&model, 80,
		"simulated type1 host: 2 GiB memory\n"
		"\n"
		"PHB, PE, DEVICE  ID         KIND            LOCATION        DETAILS\n"
		"group 1                                                     not viable: e1000e\n"
		"|-0001:01:00.0   8086:10d3  Ethernet        UOPWR-P1-C5-T1  vfio-pci\n"
		"`-0001:01:00.1   8086:10d3  Ethernet        a\\x1b[31m       e1000e\n"
		"PE 0xfd          group 2                                    space 4\n"
		"`-0002:01:00.0   1234:11e8  class 0x7f0001                  no driver\n"
		"group 3                                                     needs vfio-pci\n");
	groups[0].pe_number = 0x1fd;
}

/* A PE that nobody has, but that stopped. */
static void test_stopped_pe_that_is_free(void **state)
{
	struct model model = make_host();
	char *output;

	(void)state;
	groups[1].space = "/";
	devices[2].driver = "vfio-pci";
	output = print(&model, 120);
	assert_non_null(strstr(output, "  free, stopped\n"));
	free(output);
	groups[1].space = "/s/4";
	devices[2].driver = "";
}

static void test_quarantine(void **state)
{
	struct model model = make_host();
	char *output;

	(void)state;
	groups[2].quarantine = "0001:01:00.0: the reset failed";
	output = print(&model, 120);
	assert_non_null(strstr(output, "  quarantine: 0001:01:00.0: the reset failed\n"));
	free(output);
	output = print(&model, 0);
	assert_non_null(strstr(output, "\"quarantine\": \"0001:01:00.0: the reset failed\""));
	free(output);
	groups[2].quarantine = "";
}

/* -- JSON -- */

static void expect_words(const char *output, const char *const *words, size_t count)
{
	const char *from = output;

	/* In this order. */
	for (size_t i = 0; i < count; i++) {
		const char *found = strstr(from, words[i]);

		if (!found) {
			fail_msg("%s is not, or not there, in %s", words[i], output);
			return;
		}
		from = found + strlen(words[i]);
	}
}

static void test_json_of_a_full_host(void **state)
{
	static const char *const words[] = {
		"\"version\": \"1.0\"",
		"\"kind\": \"powernv\"",
		"\"memory_installed\": 2147483648",
		"\"memory_max\": 4294967296",
		"\"eeh_firmware\": \"opal\"",
		"\"phbs\": [",
		"\"domain\": 0,",
		"\"id\": null",
		"\"kind\": null",
		"\"location\": null",
		"\"pes\": null",
		"\"reserved_pe\": null",
		"\"tce_sizes\": null",
		"\"ddw\": null",
		"\"ddw_reset\": null",
		"\"default_window\": null",
		"\"liobn\": null",
		"\"msis\": null",
		"\"eeh\": null",
		"\"groups\": []",
		"\"domain\": 1,",
		"\"location\": \"UOPWR-P1-C5\"",
		"\"pes\": 512",
		"\"reserved_pe\": 511",
		"4096,",
		"65536,",
		"2097152,",
		"1073741824\n",
		"\"start\": \"0x0\"",
		"\"size\": 2147483648",
		"\"msis\": 4088",
		"\"eeh\": true",
		"\"pe_number\": 509",
		"\"viable\": false",
		"\"quarantine\": null",
		"\"space\": null",
		"\"state\": null",
		"\"name\": \"0001:01:00.0\"",
		"\"class_name\": \"Ethernet\"",
		"\"driver\": \"vfio-pci\"",
		"\"location\": \"UOPWR-P1-C5-T1\"",
		"\"location\": \"a\\u001b[31m\"",
		"\"domain\": 2,",
		"\"ddw\": true",
		"\"ddw_reset\": false",
		"\"liobn\": 2147484416",
		"\"eeh\": false",
		"\"space\": 4",
		"\"state\": \"stopped\"",
		"\"recovery\": \"frozen\"",
		"\"class_name\": null",
		"\"driver\": null",
		"\"location\": null",
		"\"groups\": [",
		"\"id\": 3",
		"\"pe_number\": null",
		"\"devices\": []",
	};
	struct model model = make_host();
	char *output = print(&model, 0);

	(void)state;
	expect_words(output, words, sizeof(words) / sizeof(*words));
	free(output);
}

static void test_json_of_an_empty_host(void **state)
{
	static const char *const words[] = {"\"eeh_firmware\": null", "\"phbs\": []",
					    "\"groups\": []"};
	char *output = print(&empty_host, 0);

	(void)state;
	expect_words(output, words, sizeof(words) / sizeof(*words));
	free(output);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_of_an_empty_host),
		cmocka_unit_test(test_text_of_a_full_host),
		cmocka_unit_test(test_text_without_phbs),
		cmocka_unit_test(test_stopped_pe_that_is_free),
		cmocka_unit_test(test_quarantine),
		cmocka_unit_test(test_json_of_a_full_host),
		cmocka_unit_test(test_json_of_an_empty_host),
	};

	return cmocka_run_group_tests_name("cli-topology", tests, NULL, NULL);
}
