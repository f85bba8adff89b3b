/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `spaprctl policy check` prints, for eyes and as JSON. */
#include <stdlib.h>
#include <string.h>

#include "cli/policy.h"
#include "unit.h"

static struct policy *site_policy(void)
{
	static const char text[] = "[window]\npage-sizes = 4K 64K\n\nmost-tces = 0x10000000\n";
	struct policy *policy = NULL;
	struct error error;

	assert_int_equal(policy_new(&policy), 0);
	assert_int_equal(policy_parse(policy, "/etc/spaprd/site.conf", text, strlen(text), &error),
			 0);
	return policy;
}

static void test_text(void **state)
{
	static const char expected[] = "[window]\n"
				       "KEY               VALUE  FROM\n"
				       "iommu-type        auto   default\n"
				       "container-sharing auto   default\n"
				       "default-window    auto   default\n"
				       "page-sizes        4K 64K /etc/spaprd/site.conf:2\n"
				       "most-tces         256M   /etc/spaprd/site.conf:4\n"
				       "table-piece       auto   default\n"
				       "shared-detach     refuse default\n"
				       "memory-files      sealed default\n";
	const struct terminal terminal = {.width = 80};
	struct policy *policy = site_policy();
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	assert_non_null(file);
	assert_int_equal(policy_show_text(file, &terminal, policy), 0);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(text, expected);
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
	struct policy *policy = site_policy();
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	assert_non_null(file);
	policy_show_json(file, policy);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(strncmp(text, begin, strlen(begin)), 0);
	assert_non_null(strstr(text, middle));
	for (unsigned int key = 0; key < POLICY_KEY_COUNT; key++) {
		assert_non_null(strstr(text, policy_key_name((enum policy_key)key)));
	}
	free(text);
	(void)policy_free(policy);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests_name("cli policy", tests, NULL, NULL);
}
