/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* [access]: which devices and drivers may be bound, and what may be handed out. */
#include <stdio.h>
#include <string.h>

#include "policies/policy.h"
#include "unit.h"

static struct policy *parse(const char *lines)
{
	struct policy *policy = NULL;
	struct error error;
	char text[1024];

	assert_int_equal(policy_new(&policy), 0);
	(void)snprintf(text, sizeof(text), "[access]\n%s\n", lines);
	if (policy_parse(policy, "test.conf", text, strlen(text), &error)) {
		fail_msg("%s", error.text);
	}
	return policy;
}

static const struct access_device nic = {"0001:01:00.0", 0x8086, 0x10d3, 0x020000};
static const struct access_device disk = {"0002:01:00.1", 0x1af4, 0x1042, 0x010000};
static const struct access_device bridge = {"0001:00:00.0", 0x1014, 0x04c1, 0x060400};

static void test_defaults(void **state)
{
	static const char *const defaults[POLICY_ACCESS_KEY_COUNT] = {"all", "vfio-pci", "no",
								      "30s"};
	struct policy *policy = parse("");

	(void)state;
	for (unsigned int key = 0; key < POLICY_ACCESS_KEY_COUNT; key++) {
		assert_string_equal(
			policy_access_format(&policy->access, (enum policy_access_key)key).text,
			defaults[key]);
		assert_null(policy->access_origins[key].file);
	}
	assert_true(access_allows_device(&policy->access, &nic));
	assert_true(access_allows_driver(&policy->access, "vfio-pci"));
	assert_false(access_allows_driver(&policy->access, "vfio"));
	assert_false(policy->access.delegate);
	(void)policy_free(policy);
}

/* Each value is read and shown as itself. */
static void test_values(void **state)
{
	static const char *const lines[] = {
		"bind-devices = all",
		"bind-devices = none",
		"bind-devices = 8086:*",
		"bind-devices = 8086:10d3 1af4:*",
		"bind-devices = 0001:01:00.0 abcd:ff:1f.7",
		"bind-devices = class:0200 class:02",
		"bind-devices = class:0000 class:00",
		"bind-drivers = vfio-pci",
		"bind-drivers = mlx5_vfio_pci vfio-pci",
		"delegate = no",
		"delegate = yes",
		"release-timeout = 1s",
		"release-timeout = 1500ms",
		"release-timeout = 1h",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct policy *policy = parse(lines[i]);
		char shown[320];
		unsigned int key = 0;

		/* cmocka's assertions end the test, which not all checkers know. */
		while (key + 1 < POLICY_ACCESS_KEY_COUNT && !policy->access_origins[key].file) {
			key++;
		}
		assert_non_null(policy->access_origins[key].file);
		assert_int_equal(policy->access_origins[key].line, 2);
		(void)snprintf(
			shown, sizeof(shown), "%s = %s",
			policy_access_key_name((enum policy_access_key)key),
			policy_access_format(&policy->access, (enum policy_access_key)key).text);
		assert_string_equal(shown, lines[i]);
		(void)policy_free(policy);
	}
}

struct matching {
	const char *line;
	bool nic;
	bool disk;
};

static void test_devices(void **state)
{
	static const struct matching matchings[] = {
		{"bind-devices = all", true, true},
		{"bind-devices = none", false, false},
		{"bind-devices = 8086:*", true, false},
		{"bind-devices = 8086:10d3", true, false},
		{"bind-devices = 8086:1042 1af4:10d3", false, false},
		{"bind-devices = 1af4:1042\t8086:10d3", true, true},
		{"bind-devices = 0002:01:00.1", false, true},
		{"bind-devices = class:01", false, true},
		{"bind-devices = class:0200", true, false},
		{"bind-devices = class:0201", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(matchings) / sizeof(*matchings); i++) {
		struct policy *policy = parse(matchings[i].line);

		assert_int_equal(access_allows_device(&policy->access, &nic), matchings[i].nic);
		assert_int_equal(access_allows_device(&policy->access, &disk), matchings[i].disk);
		(void)policy_free(policy);
	}
}

/* A bridge takes its whole bus along: no rule lets one go. */
static void test_bridges(void **state)
{
	struct policy *policy = parse("bind-devices = class:0604 0001:00:00.0 1014:04c1");

	(void)state;
	assert_false(access_allows_device(&policy->access, &bridge));
	assert_false(access_allows_device(&access_policy_default, &bridge));
	assert_true(access_is_bridge(0x060401));
	assert_true(access_is_bridge(0x060700));
	assert_true(access_is_bridge(0x060980));
	assert_false(access_is_bridge(0x060100)); /* an ISA bridge has no PCI bus */
	(void)policy_free(policy);
}

static void test_drivers(void **state)
{
	struct policy *policy = parse("bind-drivers = mlx5_vfio_pci pci-stub");

	(void)state;
	assert_true(access_allows_driver(&policy->access, "mlx5_vfio_pci"));
	assert_true(access_allows_driver(&policy->access, "pci-stub"));
	assert_false(access_allows_driver(&policy->access, "vfio-pci"));
	assert_string_equal(policy->access.bind_drivers[0], "mlx5_vfio_pci");
	(void)policy_free(policy);
}

/* A later list replaces the whole of an earlier one. */
static void test_later_files(void **state)
{
	static const char later[] = "[access]\nbind-devices = 1af4:*\n";
	struct policy *policy = parse("bind-devices = 8086:* class:02 class:03\ndelegate = yes");
	struct error error;

	(void)state;
	assert_int_equal(policy_parse(policy, "later.conf", later, strlen(later), &error), 0);
	assert_false(access_allows_device(&policy->access, &nic));
	assert_true(access_allows_device(&policy->access, &disk));
	assert_true(policy->access.delegate);
	assert_string_equal(policy->access_origins[POLICY_ACCESS_BIND_DEVICES].file, "later.conf");
	assert_string_equal(policy->access_origins[POLICY_ACCESS_DELEGATE].file, "test.conf");
	(void)policy_free(policy);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
		cmocka_unit_test(test_devices),  cmocka_unit_test(test_bridges),
		cmocka_unit_test(test_drivers),  cmocka_unit_test(test_later_files),
	};

	return cmocka_run_group_tests_name("policy-access", tests, NULL, NULL);
}
