/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `spaprctl policy check` prints, for eyes and as JSON. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/policy.h"
#include "unit.h"

static struct policy *site_policy(void)
{
	static const char text[] = "[window]\npage-sizes = 4K 64K\n\nmost-tces = 0x10000000\n"
				   "[recovery 8086:10d3]\nuse = slow\nhold = 1s\n"
				   "[recovery slow]\nsettle = 5s\nhold = 2s\n"
				   "[recovery pe 1:fd]\nuse = slow\n"
				   "[recovery]\nretry-pause = 2s\n"
				   "[recovery 14e4:1657]\nmode = manual\n"
				   "[access]\nbind-devices = 8086:*\n";
	struct policy *policy = NULL;
	struct error error;

	assert_int_equal(policy_new(&policy), 0);
	assert_int_equal(policy_parse(policy, "/etc/spaprd/site.conf", text, strlen(text), &error),
			 0);
	return policy;
}

/* What a function prints, to be freed. */
static char *text_of(const struct policy *policy, const struct policy_pe *pe, bool json)
{
	const struct terminal terminal = {.width = 80};
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	if (json && pe) {
		policy_show_pe_json(file, policy, pe);
	} else if (json) {
		policy_show_json(file, policy);
	} else {
		assert_int_equal(pe ? policy_show_pe_text(file, &terminal, policy, pe)
				    : policy_show_text(file, &terminal, policy),
				 0);
	}
	assert_int_equal(fclose(file), 0);
	return text;
}

#define SECTION_OF_DEVICE                                       \
	"[recovery 8086:10d3]\n"                                \
	"KEY               VALUE     FROM\n"                    \
	"use               slow      /etc/spaprd/site.conf:6\n" \
	"mode              automatic default\n"                 \
	"first-reset       auto      default\n"                 \
	"escalate          yes       default\n"                 \
	"injection         no        default\n"                 \
	"idle-poll         1s        default\n"                 \
	"fast-poll         100ms     default\n"                 \
	"fast-poll-for     5s        default\n"                 \
	"vote-timeout      10s       default\n"                 \
	"hold              1s        /etc/spaprd/site.conf:7\n" \
	"settle            5s        use slow\n"                \
	"retry-pause       1s        default\n"                 \
	"reset-tries       3         default\n"                 \
	"normal-timeout    5min      default\n"                 \
	"host-timeout      5min      default\n"                 \
	"operation-timeout 330s      default\n"                 \
	"most-freezes      5         default\n"                 \
	"freeze-window     1h        default\n"

static void test_text(void **state)
{
	static const char window[] = "[window]\n"
				     "KEY               VALUE  FROM\n"
				     "iommu-type        auto   default\n"
				     "container-sharing auto   default\n"
				     "default-window    auto   default\n"
				     "page-sizes        4K 64K /etc/spaprd/site.conf:2\n"
				     "most-tces         256M   /etc/spaprd/site.conf:4\n"
				     "table-piece       auto   default\n"
				     "shared-detach     refuse default\n"
				     "memory-files      sealed default\n"
				     "\n"
				     "[access]\n"
				     "KEY             VALUE    FROM\n"
				     "bind-devices    8086:*   /etc/spaprd/site.conf:18\n"
				     "bind-drivers    vfio-pci default\n"
				     "delegate        no       default\n"
				     "release-timeout 30s      default\n"
				     "\n"
				     "[recovery default]\n"
				     "KEY               VALUE     FROM\n"
				     "mode              automatic default\n";
	struct policy *policy = site_policy();
	char *text = text_of(policy, NULL, false);

	(void)state;
	if (strncmp(text, window, strlen(window)) != 0) {
		fail_msg("%s", text);
	}
	assert_non_null(strstr(text, "\nretry-pause       2s        /etc/spaprd/site.conf:14\n"));
	assert_non_null(strstr(text, "\n\n" SECTION_OF_DEVICE "\n[recovery slow]\n"));
	/* One that uses the default without saying so. */
	assert_non_null(strstr(text, "\n\n[recovery 14e4:1657]\nKEY               VALUE  FROM\n"
				     "mode              manual /etc/spaprd/site.conf:16\n"));
	assert_non_null(strstr(text, "\nretry-pause       2s     use default\n"));
	free(text);
	(void)policy_free(policy);
}

static void test_pe_text(void **state)
{
	struct policy *policy = site_policy();
	struct policy_pe pe;
	char *text;

	(void)state;
	assert_true(policy_pe_parse("1:fe,1234:5678,8086:10d3,14e4:1657", &pe));
	text = text_of(policy, &pe, false);
	assert_string_equal(text, "policy: 8086:10d3\n\n" SECTION_OF_DEVICE);
	free(text);
	assert_true(policy_pe_parse("0001:fd,8086:10d3", &pe));
	text = text_of(policy, &pe, false);
	assert_int_equal(strncmp(text, "policy: pe 0001:fd (slow)\n\n[recovery pe 0001:fd]\n", 48),
			 0);
	free(text);
	assert_true(policy_pe_parse("2:fd", &pe));
	text = text_of(policy, &pe, false);
	assert_non_null(strstr(text, "policy: default\n\n[recovery default]\n"));
	assert_null(strstr(text, "[window]"));
	free(text);
	(void)policy_free(policy);
}

static void test_json(void **state)
{
	static const char begin[] = "{\n"
				    "  \"files\": [\n"
				    "    \"/etc/spaprd/site.conf\"\n"
				    "  ],\n"
				    "  \"window\": {\n"
				    "    \"iommu-type\": {\n"
				    "      \"value\": \"auto\",\n"
				    "      \"file\": null,\n"
				    "      \"line\": null\n"
				    "    },\n";
	static const char middle[] = "    \"most-tces\": {\n"
				     "      \"value\": \"256M\",\n"
				     "      \"file\": \"/etc/spaprd/site.conf\",\n"
				     "      \"line\": 4\n"
				     "    },\n";
	static const char access[] = "  },\n"
				     "  \"access\": {\n"
				     "    \"bind-devices\": {\n"
				     "      \"value\": \"8086:*\",\n"
				     "      \"file\": \"/etc/spaprd/site.conf\",\n"
				     "      \"line\": 18\n"
				     "    },\n";
	static const char device[] = "    \"8086:10d3\": {\n"
				     "      \"use\": {\n"
				     "        \"value\": \"slow\",\n"
				     "        \"file\": \"/etc/spaprd/site.conf\",\n"
				     "        \"line\": 6,\n"
				     "        \"section\": \"8086:10d3\"\n"
				     "      },\n"
				     "      \"mode\": {\n"
				     "        \"value\": \"automatic\",\n"
				     "        \"file\": null,\n"
				     "        \"line\": null,\n"
				     "        \"section\": null\n"
				     "      },\n";
	static const char settle[] = "      \"settle\": {\n"
				     "        \"value\": \"5s\",\n"
				     "        \"file\": \"/etc/spaprd/site.conf\",\n"
				     "        \"line\": 9,\n"
				     "        \"section\": \"slow\"\n"
				     "      },\n";
	struct policy *policy = site_policy();
	char *text = text_of(policy, NULL, true);

	(void)state;
	assert_int_equal(strncmp(text, begin, strlen(begin)), 0);
	assert_non_null(strstr(text, middle));
	for (unsigned int key = 0; key < POLICY_KEY_COUNT; key++) {
		assert_non_null(strstr(text, policy_key_name((enum policy_key)key)));
	}
	for (unsigned int key = 0; key < POLICY_RECOVERY_KEY_COUNT; key++) {
		assert_non_null(
			strstr(text, policy_recovery_key_name((enum policy_recovery_key)key)));
	}
	for (unsigned int key = 0; key < POLICY_ACCESS_KEY_COUNT; key++) {
		assert_non_null(strstr(text, policy_access_key_name((enum policy_access_key)key)));
	}
	assert_non_null(strstr(text, access));
	assert_non_null(strstr(text, "  },\n  \"recovery\": {\n    \"default\": {\n"));
	assert_non_null(strstr(text, device));
	assert_non_null(strstr(strstr(text, device), settle));
	free(text);
	(void)policy_free(policy);
}

static void test_pe_json(void **state)
{
	static const char begin[] = "{\n"
				    "  \"files\": [\n"
				    "    \"/etc/spaprd/site.conf\"\n"
				    "  ],\n"
				    "  \"policy\": \"pe 0001:fd (slow)\",\n"
				    "  \"recovery\": {\n"
				    "    \"pe 0001:fd\": {\n"
				    "      \"use\": {\n";
	struct policy *policy = site_policy();
	struct policy_pe pe;
	char *text;

	(void)state;
	assert_true(policy_pe_parse("0001:fd,8086:10d3", &pe));
	text = text_of(policy, &pe, true);
	assert_int_equal(strncmp(text, begin, strlen(begin)), 0);
	assert_null(strstr(text, "window\""
				 ": {\n    \"iommu-type"));
	assert_null(strstr(text, "8086:10d3"));
	free(text);
	(void)policy_free(policy);
}

static void test_pes(void **state)
{
	static const char *const nonsense[] = {
		"",
		",",
		"1",
		"8086:10d3,",
		"1:2,,8086:10d3",
		"1:2,8086:10D3",
		"1:2, 8086:10d3",
		"1:2;8086:10d3",
		",8086:10d3",
		"1:2,8086",
		"1:2,00000000000000000000000000000000000008086:10d3",
	};
	struct policy_pe pe = {.phb = 7};
	char many[512] = "1:2";
	size_t used = strlen(many);

	(void)state;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++) {
		if (policy_pe_parse(nonsense[i], &pe)) {
			fail_msg("\"%s\" is taken", nonsense[i]);
		}
	}
	assert_int_equal(pe.phb, 7);
	for (unsigned int i = 1; i <= POLICY_CHECK_DEVICES_MAX + 1; i++) {
		used += (size_t)snprintf(many + used, sizeof(many) - used, ",8086:10d3");
		assert_int_equal(policy_pe_parse(many, &pe), i <= POLICY_CHECK_DEVICES_MAX);
	}
	assert_int_equal(pe.device_count, POLICY_CHECK_DEVICES_MAX);
	assert_true(policy_pe_parse("1a:fd,8086:10d3,14e4:1657", &pe));
	assert_int_equal(pe.phb, 0x1a);
	assert_int_equal(pe.pe_number, 0xfd);
	assert_int_equal(pe.device_count, 2);
	assert_int_equal(pe.devices[1].vendor, 0x14e4);
	assert_int_equal(pe.devices[1].device, 0x1657);
}

/* -- the command -- */

/* The exit status of `spaprctl policy ARGUMENT...`, and what it printed where. */
static int run_command(const char *const argv[static 5], char ret_text[static 4096])
{
	char *arguments[6] = {NULL}; /* getopt_long may put them into another order */
	int count = 0;
	FILE *output = tmpfile();
	int saved_output = dup(STDOUT_FILENO);
	int saved_errors = dup(STDERR_FILENO);
	int status;
	size_t size;

	assert_non_null(output);
	(void)fflush(stdout);
	assert_true(dup2(fileno(output), STDOUT_FILENO) >= 0);
	assert_true(dup2(fileno(output), STDERR_FILENO) >= 0);
	while (count < 5 && argv[count]) {
		arguments[count] = (char *)argv[count];
		count++;
	}
	optind = 0;
	status = (int)policy_command.run(count, arguments);
	(void)fflush(stdout);
	(void)dup2(saved_output, STDOUT_FILENO);
	(void)dup2(saved_errors, STDERR_FILENO);
	(void)close(saved_output);
	(void)close(saved_errors);
	rewind(output);
	size = fread(ret_text, 1, 4095, output);
	ret_text[size] = '\0';
	(void)fclose(output);
	return status;
}

static void test_command(void **state)
{
	static const struct {
		const char *arguments[5];
		int status;
		const char *words;
	} cases[] = {
		{{"policy", "check", SHIPPED_FOLDER}, CLI_OK, "[recovery default]\nKEY "},
		{{"policy", "check", "--for", "1:fd", SHIPPED_FOLDER},
		 CLI_OK,
		 "policy: default\n\n[recovery default]\nKEY "},
		{{"policy", "check", "--for=1:fd", "--json", SHIPPED_FOLDER},
		 CLI_OK,
		 "\"policy\": \"default\""},
		{{"policy", "check", "--json", SHIPPED_FOLDER}, CLI_OK, "\"window\": {"},
		{{"policy", "check", "--for", "1:FD", SHIPPED_FOLDER},
		 CLI_USAGE,
		 "\"1:FD\" is no PE, such as 0001:fd or 0001:fd,8086:10d3 with a device"},
		{{"policy", "check", "--for"}, CLI_USAGE, "--for"},
		{{"policy", "check", "--help"}, CLI_OK, "--for   how that PE would be recovered"},
		{{"policy", "check", "/nowhere"}, CLI_FAILED, "/nowhere (ENOENT)"},
	};
	char text[4096];

	(void)state;
	opterr = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(run_command(cases[i].arguments, text), cases[i].status);
		if (!strstr(text, cases[i].words)) {
			fail_msg("\"%s\" is not in \"%s\"", cases[i].words, text);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text), cmocka_unit_test(test_pe_text),
		cmocka_unit_test(test_json), cmocka_unit_test(test_pe_json),
		cmocka_unit_test(test_pes),  cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests_name("cli policy", tests, NULL, NULL);
}
