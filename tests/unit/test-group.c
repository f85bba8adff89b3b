/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which devices of a group have to cope with a memory balloon. */
#include <string.h>

#include "broker/group.h"
#include "unit.h"

static struct topology_device port = {.name = "0000:00:01.0", .class = 0x060400};
static struct topology_device first = {.name = "0000:01:00.0", .class = 0x020000};
static struct topology_device second = {.name = "0000:01:00.1", .class = 0x020000};
/* A bridge of another kind. */
static struct topology_device other_bridge = {.name = "0000:01:00.2", .class = 0x068000};

static struct topology_device *devices[] = {&port, &first, &second, &other_bridge};

static const struct topology_group host = {.id = 7, .devices = devices, .device_count = 4};
static const struct group group = {.host = &host};

static void expect_allowed(bool allowed, size_t count, const char *const *names)
{
	struct error error;
	bool found = !allowed;

	if (group_allows_balloon(&group, names, count, &found, &error)) {
		fail_msg("%s", error.text);
	}
	assert_int_equal(found, allowed);
}

static void expect_refused(const char *words, size_t count, const char *const *names)
{
	struct error error = {.text = ""};
	bool found = true;

	assert_int_equal(group_allows_balloon(&group, names, count, &found, &error),
			 ERROR_INVALID_ARGUMENT);
	assert_true(found);
	if (!strstr(error.text, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, error.text);
	}
}

static void test_all_or_none(void **state)
{
	static const char *const all[] = {"0000:01:00.2", "0000:01:00.0", "0000:01:00.1"};
	static const char *const with_bridge[] = {"0000:01:00.0", "0000:01:00.1", "0000:01:00.2",
						  "0000:00:01.0"};
	static const char *const twice[] = {"0000:01:00.0", "0000:01:00.1", "0000:01:00.2",
					    "0000:01:00.0"};

	(void)state;
	expect_allowed(false, 0, NULL);
	expect_allowed(true, 3, all);
	expect_allowed(true, 4, with_bridge);
	expect_allowed(true, 4, twice);
}

static void test_mixed(void **state)
{
	static const char *const one[] = {"0000:01:00.1"};
	static const char *const bridge[] = {"0000:00:01.0"};
	static const char *const twice[] = {"0000:01:00.0", "0000:01:00.0", "0000:01:00.0"};

	(void)state;
	expect_refused("group 7 or for none; missing: 0000:01:00.0 0000:01:00.2", 1, one);
	expect_refused("missing: 0000:01:00.0 0000:01:00.1 0000:01:00.2", 1, bridge);
	expect_refused("missing: 0000:01:00.1 0000:01:00.2", 3, twice);
}

static void test_foreign(void **state)
{
	static const char *const foreign[] = {"0000:01:00.0", "0000:01:00.1", "0000:01:00.2",
					      "0000:02:00.0"};
	static const char *const empty[] = {""};

	(void)state;
	expect_refused("device \"0000:02:00.0\" is not in group 7", 4, foreign);
	expect_refused("device \"\" is not in group 7", 1, empty);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_or_none),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_foreign),
	};

	return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
