/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sections [recovery NAME] of policies: their values, which of them applies to a PE, and the
 * sets that are shipped. Defects are in policies/ (test-policy). */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "policies/policy.h"
#include "policy_place.h"
#include "unit.h"

#define UNKNOWN UINT32_MAX

static struct policy *new_policy(void)
{
	struct policy *policy = NULL;

	assert_int_equal(policy_new(&policy), 0);
	return policy;
}

/* One more file, on top of the others. */
static void add(struct policy *policy, const char *name, const char *text)
{
	struct error error;

	if (policy_parse(policy, name, text, strlen(text), &error)) {
		fail_msg("%s", error.text);
	}
}

static struct policy *parse(const char *text)
{
	struct policy *policy = new_policy();
	struct error error;

	add(policy, "test.conf", text);
	if (policy_check(policy, &error)) {
		fail_msg("%s", error.text);
	}
	return policy;
}

/* What applies to PEs that no section is about. */
static struct recovery_policy default_of(const struct policy *policy)
{
	struct recovery_policy values;

	policy_find_recovery(policy, UNKNOWN, UNKNOWN, NULL, 0, &values);
	return values;
}

static const struct policy_recovery *section_of(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->recovery_count; i++) {
		if (strcmp(policy->recoveries[i].name, name) == 0) {
			return &policy->recoveries[i];
		}
	}
	fail_msg("there is no [recovery %s]", name);
	return NULL;
}

static struct policy_resolved resolved_of(const struct policy *policy, const char *name)
{
	struct policy_resolved resolved;

	policy_resolve(policy, section_of(policy, name), &resolved);
	return resolved;
}

static void expect_same(const struct recovery_policy *a, const struct recovery_policy *b)
{
	assert_string_equal(a->name, b->name);
	for (unsigned int key = 0; key < POLICY_RECOVERY_KEY_COUNT; key++) {
		assert_string_equal(policy_recovery_format(a, (enum policy_recovery_key)key).text,
				    policy_recovery_format(b, (enum policy_recovery_key)key).text);
	}
}

/* -- values -- */

/* As its manual says, and as the kernel has it. */
static const char *const defaults[POLICY_RECOVERY_KEY_COUNT] = {
	[POLICY_RECOVERY_MODE] = "automatic",
	[POLICY_RECOVERY_FIRST_RESET] = "auto",
	[POLICY_RECOVERY_ESCALATE] = "yes",
	[POLICY_RECOVERY_INJECTION] = "no",
	[POLICY_RECOVERY_IDLE_POLL] = "1s",
	[POLICY_RECOVERY_FAST_POLL] = "100ms",
	[POLICY_RECOVERY_FAST_POLL_FOR] = "5s",
	[POLICY_RECOVERY_VOTE_TIMEOUT] = "10s",
	[POLICY_RECOVERY_HOLD] = "250ms",
	[POLICY_RECOVERY_SETTLE] = "1800ms",
	[POLICY_RECOVERY_RETRY_PAUSE] = "1s",
	[POLICY_RECOVERY_RESET_TRIES] = "3",
	[POLICY_RECOVERY_NORMAL_TIMEOUT] = "5min",
	[POLICY_RECOVERY_HOST_TIMEOUT] = "5min",
	[POLICY_RECOVERY_OPERATION_TIMEOUT] = "330s",
	[POLICY_RECOVERY_MOST_FREEZES] = "5",
	[POLICY_RECOVERY_FREEZE_WINDOW] = "1h",
};

static void test_defaults(void **state)
{
	const struct recovery_policy expected = RECOVERY_POLICY_DEFAULT;
	const struct policy_device device = {0x8086, 0x10d3};
	struct recovery_policy values;
	struct policy *policy = new_policy();

	(void)state;
	assert_int_equal(policy->recovery_count, 1);
	policy_find_recovery(NULL, 1, 0xfd, &device, 1, &values);
	expect_same(&values, &expected);
	policy_find_recovery(policy, 1, 0xfd, &device, 1, &values);
	expect_same(&values, &expected);
	for (unsigned int key = 0; key < POLICY_RECOVERY_KEY_COUNT; key++) {
		assert_string_equal(
			policy_recovery_format(&values, (enum policy_recovery_key)key).text,
			defaults[key]);
	}
	(void)policy_free(policy);
}

/* Each key reaches its field. */
static void test_fields(void **state)
{
	struct policy *policy = parse("[recovery]\n"
				      "mode = manual\n"
				      "first-reset = fundamental\n"
				      "escalate = no\n"
				      "injection = yes\n"
				      "idle-poll = 11ms\n"
				      "fast-poll = 12ms\n"
				      "fast-poll-for = 13ms\n"
				      "vote-timeout = 14s\n"
				      "hold: 115ms ; a comment\n"
				      "\tsettle = 1516ms\r\n"
				      "retry-pause=17ms\n"
				      "reset-tries = 8\n"
				      "normal-timeout = 19s\n"
				      "host-timeout = 20min\n"
				      "operation-timeout = 1h\n"
				      "most-freezes = 22\n"
				      "freeze-window = 23000ms\n");
	struct recovery_policy values = default_of(policy);

	(void)state;
	assert_true(values.manual && values.no_escalation && values.injection);
	assert_int_equal(values.first_reset, RECOVERY_RESET_FUNDAMENTAL);
	assert_int_equal(values.idle_poll, 11);
	assert_int_equal(values.fast_poll, 12);
	assert_int_equal(values.fast_poll_for, 13);
	assert_int_equal(values.vote_timeout, 14000);
	assert_int_equal(values.hold, 115);
	assert_int_equal(values.settle, 1516);
	assert_int_equal(values.retry_pause, 17);
	assert_int_equal(values.reset_tries, 8);
	assert_int_equal(values.normal_timeout, 19000);
	assert_int_equal(values.host_timeout, 1200000);
	assert_int_equal(values.operation_timeout, 3600000);
	assert_int_equal(values.most_freezes, 22);
	assert_int_equal(values.freeze_window_seconds, 23);
	for (unsigned int key = 0; key < POLICY_RECOVERY_KEY_COUNT; key++) {
		assert_string_equal(policy->recoveries[0].origins[key].file, "test.conf");
		assert_int_equal(policy->recoveries[0].origins[key].line, key + 2);
	}
	(void)policy_free(policy);
}

/* -- each key -- */

/* What each key takes, as it is shown again, and what it doesn't. */
static const struct {
	const char *legal[6];
	const char *illegal[6];
} words[POLICY_RECOVERY_KEY_COUNT] = {
	[POLICY_RECOVERY_MODE] = {{"automatic", "manual"}, {"auto", "Manual", "0", "manual now"}},
	[POLICY_RECOVERY_FIRST_RESET] = {{"auto", "hot", "fundamental"},
					 {"none", "deactivate", "hot fundamental"}},
	[POLICY_RECOVERY_ESCALATE] = {{"yes", "no"}, {"1", "true", "off"}},
	[POLICY_RECOVERY_INJECTION] = {{"no", "yes"}, {"1", "true", "on"}},
	[POLICY_RECOVERY_IDLE_POLL] = {{"10ms", "999ms", "59min", "1h"},
				       {"9ms", "0s", "3601s", "2h", "1000", "10"}},
	[POLICY_RECOVERY_FAST_POLL] = {{"10ms", "1h"}, {"9ms", "0s", "3601s", "10"}},
	[POLICY_RECOVERY_FAST_POLL_FOR] = {{"0s", "1ms", "1h"}, {"0", "3601s", "-1s"}},
	[POLICY_RECOVERY_VOTE_TIMEOUT] = {{"1s", "1001ms", "1h"}, {"999ms", "3600001ms", "1"}},
	[POLICY_RECOVERY_HOLD] = {{"100ms", "101ms", "1min"}, {"99ms", "61s", "0s", "100"}},
	[POLICY_RECOVERY_SETTLE] = {{"1500ms", "10min"}, {"1499ms", "1s", "601s", "0s", "1500"}},
	[POLICY_RECOVERY_RETRY_PAUSE] = {{"0s", "1ms", "1h"}, {"0", "3601s"}},
	[POLICY_RECOVERY_RESET_TRIES] = {{"1", "10"}, {"0", "11", "3s", "-1", "three", "1K"}},
	[POLICY_RECOVERY_NORMAL_TIMEOUT] = {{"1s", "1h"}, {"999ms", "61min", "300"}},
	[POLICY_RECOVERY_HOST_TIMEOUT] = {{"1s", "1h"}, {"999ms", "61min", "300"}},
	[POLICY_RECOVERY_OPERATION_TIMEOUT] = {{"1s", "1h"}, {"999ms", "61min", "330"}},
	[POLICY_RECOVERY_MOST_FREEZES] = {{"0", "1", "1000"}, {"1001", "-1", "any", "5s"}},
	[POLICY_RECOVERY_FREEZE_WINDOW] = {{"1s", "61s", "168h"},
					   {"999ms", "1001ms", "169h", "0s", "3600", "4294968s"}},
};

static int set_key(struct policy *policy, unsigned int key, const char *value, struct error *error)
{
	char text[128];
	int length = snprintf(text, sizeof(text), "[recovery 8086:10d3]\n%s = %s\n",
			      policy_recovery_key_name((enum policy_recovery_key)key), value);

	return policy_parse(policy, "key.conf", text, (size_t)length, error);
}

/* The value is there, and no other has changed. */
static void expect_legal(unsigned int changed, const char *value)
{
	struct policy *policy = new_policy();
	struct policy_resolved resolved;
	struct error error = {.text = ""};

	if (set_key(policy, changed, value, &error)) {
		fail_msg("%s", error.text);
	}
	resolved = resolved_of(policy, "8086:10d3");
	for (unsigned int i = 0; i < POLICY_RECOVERY_KEY_COUNT; i++) {
		enum policy_recovery_key key = (enum policy_recovery_key)i;

		assert_string_equal(policy_recovery_format(&resolved.values, key).text,
				    i == changed ? value : defaults[i]);
		assert_ptr_equal(resolved.from[i], i == changed ? &policy->recoveries[1] : NULL);
	}
	(void)policy_free(policy);
}

static void expect_illegal(unsigned int key, const char *value)
{
	struct policy *policy = new_policy();
	struct error error = {.text = ""};
	char wanted[128];

	(void)snprintf(wanted, sizeof(wanted), "key.conf:2: %s = %s: it may be ",
		       policy_recovery_key_name((enum policy_recovery_key)key), value);
	assert_int_equal(set_key(policy, key, value, &error), ERROR_INVALID_ARGUMENT);
	if (!strstr(error.text, wanted)) {
		fail_msg("\"%s\" is not in \"%s\"", wanted, error.text);
	}
	(void)policy_free(policy);
}

static void test_words(void **state)
{
	(void)state;
	for (unsigned int key = 0; key < POLICY_RECOVERY_KEY_COUNT; key++) {
		assert_non_null(words[key].legal[1]);
		assert_non_null(words[key].illegal[1]);
		for (unsigned int i = 0; i < 6 && words[key].legal[i]; i++) {
			expect_legal(key, words[key].legal[i]);
		}
		for (unsigned int i = 0; i < 6 && words[key].illegal[i]; i++) {
			expect_illegal(key, words[key].illegal[i]);
		}
		expect_legal(key, defaults[key]);
		expect_illegal(key, "");
	}
}

/* The same time in other units is shown with the largest that leaves it whole. */
static void test_times(void **state)
{
	static const struct {
		const char *text;
		const char *shown;
	} cases[] = {
		{"0ms", "0s"},       {"0h", "0s"},    {"1000ms", "1s"},    {"60s", "1min"},
		{"60000ms", "1min"}, {"60min", "1h"}, {"90s", "90s"},      {"1500ms", "1500ms"},
		{"0120s", "2min"},   {"61s", "61s"},  {"3600000ms", "1h"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[64];
		struct policy *policy;
		struct recovery_policy values;

		(void)snprintf(text, sizeof(text), "[recovery]\nretry-pause = %s\n", cases[i].text);
		policy = parse(text);
		values = default_of(policy);
		assert_string_equal(
			policy_recovery_format(&values, POLICY_RECOVERY_RETRY_PAUSE).text,
			cases[i].shown);
		(void)policy_free(policy);
	}
}

/* What is shown of any values makes them again. */
static void test_round_trip(void **state)
{
	struct policy *policy = parse("[recovery]\nmode = manual\nhold = 333ms\nescalate = no\n"
				      "first-reset = hot\nfreeze-window = 100min\n"
				      "most-freezes = 0\nfast-poll-for = 0h\n");
	struct recovery_policy values = default_of(policy);
	char text[1024] = "[recovery]\n";
	size_t used = strlen(text);
	struct policy *again;
	struct recovery_policy other;

	(void)state;
	for (unsigned int i = 0; i < POLICY_RECOVERY_KEY_COUNT; i++) {
		enum policy_recovery_key key = (enum policy_recovery_key)i;

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s = %s\n",
					 policy_recovery_key_name(key),
					 policy_recovery_format(&values, key).text);
	}
	again = parse(text);
	other = default_of(again);
	expect_same(&values, &other);
	assert_int_equal(other.freeze_window_seconds, 6000);
	assert_int_equal(other.hold, 333);
	(void)policy_free(policy);
	(void)policy_free(again);
}

/* -- which section applies -- */

static void expect_hold(const struct policy *policy, uint32_t phb, uint32_t pe_number,
			const struct policy_device *devices, size_t count, const char *name,
			uint32_t hold)
{
	struct recovery_policy values;

	policy_find_recovery(policy, phb, pe_number, devices, count, &values);
	assert_string_equal(values.name, name);
	assert_int_equal(values.hold, hold);
}

static void test_precedence(void **state)
{
	static const struct policy_device devices[] = {
		{0x1234, 0x5678}, {0x14e4, 0x1657}, {0x8086, 0x10d3}};
	static const struct policy_device other_order[] = {{0x8086, 0x10d3}, {0x14e4, 0x1657}};
	struct policy *policy = parse("[recovery]\nhold = 101ms\n"
				      "[recovery 8086:10d3]\nhold = 102ms\n"
				      "[recovery 14e4:1657]\nhold = 103ms\n"
				      "[recovery pe 0001:fd]\nhold = 104ms\n"
				      "[recovery pe \t 12345:0]\nhold = 105ms\n");

	(void)state;
	/* The PE itself, then the first device that has a section, then the default. */
	expect_hold(policy, 1, 0xfd, devices, 3, "pe 0001:fd", 104);
	expect_hold(policy, 1, 0xfd, NULL, 0, "pe 0001:fd", 104);
	expect_hold(policy, 0x12345, 0, devices, 3, "pe 12345:00", 105);
	expect_hold(policy, 1, 0xfe, devices, 3, "14e4:1657", 103);
	expect_hold(policy, 2, 0xfd, other_order, 2, "8086:10d3", 102);
	expect_hold(policy, UNKNOWN, UNKNOWN, other_order, 2, "8086:10d3", 102);
	expect_hold(policy, 1, UNKNOWN, other_order, 2, "8086:10d3", 102);
	expect_hold(policy, UNKNOWN, 0xfd, other_order, 2, "8086:10d3", 102);
	expect_hold(policy, 1, 0xfe, devices, 1, "default", 101);
	expect_hold(policy, 1, 0xfe, NULL, 0, "default", 101);
	(void)policy_free(policy);
}

/* The ways to write a section's name that mean the same. */
static void test_names(void **state)
{
	static const char *const names[] = {
		"default",
		"pe 0001:fd",
		"8086:10d3",
		"abcd:ef01",
		"abcd",
		"a-2",
		"abcdefghijklmnopqrstuvwxyz-0",
		"pe fffffffe:fffffffe",
	};
	struct policy *policy = parse("[recovery pe 1:0fd] ; a comment\n"
				      "[recovery default]# another\n"
				      "[recovery\t8086:10d3]\n"
				      "[recovery pe 0001:00fd]\n"
				      "[recovery  abcd:ef01]\r\n"
				      "[recovery abcd]\n"
				      "[recovery a-2]\n"
				      "[recovery abcdefghijklmnopqrstuvwxyz-0]\n"
				      "[recovery pe \t fffffffe:fffffffe]\n"
				      "[recovery]\n");

	(void)state;
	assert_int_equal(policy->recovery_count, sizeof(names) / sizeof(*names));
	for (size_t i = 0; i < policy->recovery_count; i++) {
		assert_string_equal(policy->recoveries[i].name, names[i]);
		assert_int_equal(policy->recoveries[i].is_set, !strchr(names[i], ':'));
	}
	(void)policy_free(policy);
}

static void test_numbers_of_pes_and_devices(void **state)
{
	static const char *const no_pes[] = {
		"",     ":",   "1",   "1:",    ":1",         "1:2:3",      "1:2 ",
		" 1:2", "g:1", "1:A", "0x1:2", "ffffffff:0", "0:ffffffff", "000000001:2"};
	static const char *const no_devices[] = {
		"",           "8086",      "8086:",     "8086:10d",  "8086:10d33",
		"08086:10d3", "8086:10D3", "8086-10d3", "808::10d3", "8086:10d3 "};
	struct policy_device device = {1, 2};
	uint32_t phb = 3;
	uint32_t pe_number = 4;

	(void)state;
	for (size_t i = 0; i < sizeof(no_pes) / sizeof(*no_pes); i++) {
		assert_false(policy_parse_pe(no_pes[i], &phb, &pe_number));
	}
	for (size_t i = 0; i < sizeof(no_devices) / sizeof(*no_devices); i++) {
		assert_false(policy_parse_device(no_devices[i], &device));
	}
	assert_int_equal(phb, 3);
	assert_int_equal(pe_number, 4);
	assert_int_equal(device.vendor, 1);
	assert_int_equal(device.device, 2);
	assert_true(policy_parse_pe("1a:fffffffe", &phb, &pe_number));
	assert_int_equal(phb, 0x1a);
	assert_int_equal(pe_number, 0xfffffffe);
	assert_true(policy_parse_device("abcd:0001", &device));
	assert_int_equal(device.vendor, 0xabcd);
	assert_int_equal(device.device, 1);
}

/* -- use -- */

static void expect_from(const struct policy *policy, const char *section,
			enum policy_recovery_key key, const char *value, const char *from)
{
	struct policy_resolved resolved = resolved_of(policy, section);

	assert_string_equal(policy_recovery_format(&resolved.values, key).text, value);
	if (from) {
		assert_non_null(resolved.from[key]);
		assert_string_equal(resolved.from[key]->name, from);
	} else {
		assert_null(resolved.from[key]);
	}
}

/* A section, what it uses, what that uses; devices and PEs use the default, sets nothing. */
static void test_use(void **state)
{
	struct policy *policy = parse("[recovery]\nhold = 101ms\nsettle = 2s\nretry-pause = 9s\n"
				      "[recovery 8086:10d3]\nuse = fast\nhold = 102ms\n"
				      "[recovery pe 1:fd]\nhold = 103ms\n"
				      "[recovery fast]\nuse = faster\nsettle = 3s\n"
				      "[recovery faster]\nsettle = 4s\nvote-timeout = 2s\n"
				      "[recovery 14e4:1657]\nuse = default\nsettle = 5s\n");

	(void)state;
	expect_from(policy, "8086:10d3", POLICY_RECOVERY_HOLD, "102ms", "8086:10d3");
	expect_from(policy, "8086:10d3", POLICY_RECOVERY_SETTLE, "3s", "fast");
	expect_from(policy, "8086:10d3", POLICY_RECOVERY_VOTE_TIMEOUT, "2s", "faster");
	expect_from(policy, "8086:10d3", POLICY_RECOVERY_RETRY_PAUSE, "1s", NULL);
	expect_from(policy, "pe 0001:fd", POLICY_RECOVERY_HOLD, "103ms", "pe 0001:fd");
	expect_from(policy, "pe 0001:fd", POLICY_RECOVERY_SETTLE, "2s", "default");
	expect_from(policy, "pe 0001:fd", POLICY_RECOVERY_VOTE_TIMEOUT, "10s", NULL);
	expect_from(policy, "14e4:1657", POLICY_RECOVERY_RETRY_PAUSE, "9s", "default");
	expect_from(policy, "14e4:1657", POLICY_RECOVERY_SETTLE, "5s", "14e4:1657");
	expect_from(policy, "fast", POLICY_RECOVERY_HOLD, "250ms", NULL);
	(void)policy_free(policy);
}

/* The default can be based on a set; then all that is based on it is too. */
static void test_use_of_default(void **state)
{
	struct policy *policy = parse("[recovery]\nuse = mine\n[recovery mine]\nhold = 1s\n"
				      "[recovery 8086:10d3]\nsettle = 3s\n");

	(void)state;
	expect_hold(policy, 1, 1, NULL, 0, "default (mine)", 1000);
	expect_from(policy, "8086:10d3", POLICY_RECOVERY_HOLD, "1s", "mine");
	(void)policy_free(policy);
}

/* A section that is nothing but a set's other name is called so. */
static void test_aliases(void **state)
{
	static const struct {
		const char *text;
		const char *name;
		bool manual;
	} cases[] = {
		{"[recovery pe 1:fd]\nuse = by-hand\n", "pe 0001:fd (by-hand)", true},
		{"[recovery pe 1:fd]\nuse = default\n", "pe 0001:fd (default)", false},
		{"[recovery pe 1:fd]\n", "pe 0001:fd", false},
		{"[recovery pe 1:fd]\nuse = by-hand\nhold = 1s\n", "pe 0001:fd", true},
		{"[recovery 8086:10d3]\nuse = by-hand\n", "8086:10d3 (by-hand)", true},
		{"[recovery]\nuse = by-hand\n", "default (by-hand)", true},
		{"[recovery pe 1:fd]\nuse = abcdefghijklmnopqrstuvwxyz-0\n"
		 "[recovery abcdefghijklmnopqrstuvwxyz-0]\nmode = manual\n",
		 "pe 0001:fd (abcdefghijklmnopqrstuvwxyz-0)", true},
	};
	const struct policy_device device = {0x8086, 0x10d3};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct policy *policy = new_policy();
		struct recovery_policy values;

		add(policy, "sets.conf", "[recovery by-hand]\nmode = manual\n");
		add(policy, "site.conf", cases[i].text);
		policy_find_recovery(policy, 1, 0xfd, &device, 1, &values);
		assert_string_equal(values.name, cases[i].name);
		assert_int_equal(values.manual, cases[i].manual);
		(void)policy_free(policy);
	}
}

/* Who asks without having checked gets an answer, whatever the sections say. */
static void test_unchecked(void **state)
{
	struct policy *policy = new_policy();
	struct error error;

	(void)state;
	add(policy, "test.conf",
	    "[recovery a]\nuse = b\nhold = 1s\n[recovery b]\nuse = a\nsettle = 3s\n"
	    "[recovery 8086:10d3]\nuse = a\n[recovery 14e4:1657]\nuse = missing\n");
	assert_int_equal(policy_check(policy, &error), ERROR_INVALID_ARGUMENT);
	assert_int_equal(policy_check(policy, NULL), ERROR_INVALID_ARGUMENT);
	expect_from(policy, "8086:10d3", POLICY_RECOVERY_HOLD, "1s", "a");
	expect_from(policy, "8086:10d3", POLICY_RECOVERY_SETTLE, "3s", "b");
	expect_from(policy, "14e4:1657", POLICY_RECOVERY_HOLD, "250ms", NULL);
	(void)policy_free(policy);
}

/* A long circle is told as far as the room for it goes. */
static void test_long_circle(void **state)
{
	struct policy *policy = new_policy();
	struct error error;

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		char text[128];

		(void)snprintf(text, sizeof(text), "[recovery set-%u]\nuse = set-%u\n", i,
			       (i + 1) % 100);
		add(policy, "test.conf", text);
	}
	assert_int_equal(policy_check(policy, &error), ERROR_INVALID_ARGUMENT);
	assert_non_null(strstr(error.text, "test.conf:2: use = set-1: that is a circle: set-0 uses "
					   "set-1, which uses set-2, which"));
	(void)policy_free(policy);
}

static void test_many_sections(void **state)
{
	struct policy *policy = new_policy();
	struct error error;

	(void)state;
	for (unsigned int i = 1; i <= POLICY_RECOVERIES_MAX; i++) {
		char text[64];
		int length = snprintf(text, sizeof(text), "\n[recovery pe 0:%x]\n", i);
		int r = policy_parse(policy, "many.conf", text, (size_t)length, &error);

		assert_int_equal(r, i < POLICY_RECOVERIES_MAX ? 0 : ERROR_INVALID_ARGUMENT);
	}
	assert_non_null(strstr(error.text, "many.conf:2: there are more than 1024 sections"));
	assert_int_equal(policy->recovery_count, POLICY_RECOVERIES_MAX);
	(void)policy_free(policy);
}

/* -- files -- */

static struct policy *load(const struct policy_folders *folders)
{
	struct policy *policy = NULL;
	struct error error;

	if (policy_load(folders, &policy, &error)) {
		fail_msg("%s", error.text);
	}
	return policy;
}

/* Section by section and key by key, in the order of folders and names. */
static void test_order(void **state)
{
	struct policy *policy;
	struct policy_resolved resolved;
	char wanted[PATH_MAX];

	(void)state;
	/* What it uses is in a later file. */
	place_write_file(place.first, "10-a.conf",
			 "[recovery 8086:10d3]\nuse = late\nhold = 1s\nsettle = 2s\n"
			 "[recovery]\nretry-pause = 2s\n");
	place_write_file(place.first, "20-b.conf",
			 "[recovery pe 1:fd]\nhold = 4s\n[recovery 8086:10d3]\nhold = 2s\n");
	place_write_file(
		place.second, "10-c.conf",
		"[recovery late]\nvote-timeout = 3s\n[recovery default]\nretry-pause = 3s\n"
		"[recovery pe 0001:00fd]\nuse = late\nsettle = 6s\n");
	policy = load(&place.folders);
	assert_int_equal(policy->recovery_count, 4);
	resolved = resolved_of(policy, "8086:10d3");
	assert_int_equal(resolved.values.hold, 2000);
	assert_int_equal(resolved.values.settle, 2000);
	assert_int_equal(resolved.values.vote_timeout, 3000);
	assert_int_equal(resolved.values.retry_pause, 1000);
	(void)snprintf(wanted, sizeof(wanted), "%s/20-b.conf", place.first);
	assert_string_equal(section_of(policy, "8086:10d3")->origins[POLICY_RECOVERY_HOLD].file,
			    wanted);
	assert_int_equal(section_of(policy, "8086:10d3")->origins[POLICY_RECOVERY_HOLD].line, 4);
	resolved = resolved_of(policy, "pe 0001:fd");
	assert_int_equal(resolved.values.hold, 4000);
	assert_int_equal(resolved.values.settle, 6000);
	assert_int_equal(resolved.values.vote_timeout, 3000);
	assert_int_equal(default_of(policy).retry_pause, 3000);
	(void)policy_free(policy);
}

/* A later file mends what an earlier one used. */
static void test_use_of_later_files(void **state)
{
	struct policy *policy;

	(void)state;
	place_write_file(place.first, "10-a.conf", "[recovery 8086:10d3]\nuse = gone\n");
	place_write_file(place.second, "10-b.conf", "[recovery 8086:10d3]\nuse = default\n");
	policy = load(&place.folders);
	expect_from(policy, "8086:10d3", POLICY_RECOVERY_HOLD, "250ms", NULL);
	(void)policy_free(policy);
}

/* Whatever is wrong, nothing applies, neither of the same file nor of others. */
static void test_all_or_nothing(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{"[window]\npage-sizes = 64K\n[recovery]\nhold = 99ms\n",
		 "/second/b.conf:4: hold = 99ms: it may be"},
		{"[recovery 8086:10d3]\nuse = missing\n[window]\npage-sizes = 64K\n",
		 "/second/b.conf:2: use = missing: there is no [recovery missing]"},
		{"[recovery site]\nuse = site\n", "/second/b.conf:2: use = site: that is a circle"},
		{"[recovery site]\nuse = default\n[recovery]\nuse = site\n",
		 "/second/b.conf:4: use = site: that is a circle: default uses site, which uses "
		 "default"},
		{"[recovery Site]\n", "/second/b.conf:1: [recovery Site] is no section"},
	};

	(void)state;
	place_write_file(place.first, "a.conf",
			 "[window]\npage-sizes = 4K\n[recovery]\nhold = 1s\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct policy *policy = NULL;
		struct error error = {.text = ""};

		place_write_file(place.second, "b.conf", cases[i].text);
		assert_int_equal(policy_load(&place.folders, &policy, &error),
				 ERROR_INVALID_ARGUMENT);
		assert_null(policy);
		if (!strstr(error.text, cases[i].words)) {
			fail_msg("\"%s\" is not in \"%s\"", cases[i].words, error.text);
		}
	}
}

/* -- what is shipped -- */

static struct policy *load_shipped(void)
{
	static const char *const paths[] = {SHIPPED_FOLDER};
	const struct policy_folders folders = {.paths = paths, .count = 1, .must_exist = true};

	return load(&folders);
}

/* It has the sets, and changes nothing until one of them is used. */
static void test_shipped(void **state)
{
	const struct recovery_policy expected = RECOVERY_POLICY_DEFAULT;
	struct policy *policy = load_shipped();
	struct recovery_policy values = default_of(policy);

	(void)state;
	expect_same(&values, &expected);
	assert_int_equal(policy->recovery_count, 4);
	assert_true(resolved_of(policy, "manual").values.manual);
	assert_false(resolved_of(policy, "aggressive").values.manual);
	assert_false(resolved_of(policy, "conservative").values.manual);
	for (size_t i = 0; i < policy->recovery_count; i++) {
		assert_true(policy->recoveries[i].is_set);
		assert_false(resolved_of(policy, policy->recoveries[i].name).values.injection);
	}
	(void)policy_free(policy);
}

/* The times that a recovery can't do without are the shortest legal ones. */
static void test_aggressive(void **state)
{
	static const struct {
		enum policy_recovery_key key;
		const char *shorter;
	} keys[] = {
		{POLICY_RECOVERY_FAST_POLL, "9ms"},
		{POLICY_RECOVERY_VOTE_TIMEOUT, "999ms"},
		{POLICY_RECOVERY_HOLD, "99ms"},
		{POLICY_RECOVERY_SETTLE, "1499ms"},
	};
	const struct recovery_policy usual = RECOVERY_POLICY_DEFAULT;
	struct policy *policy = load_shipped();
	struct recovery_policy values = resolved_of(policy, "aggressive").values;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		expect_legal(keys[i].key, policy_recovery_format(&values, keys[i].key).text);
		expect_illegal(keys[i].key, keys[i].shorter);
	}
	assert_int_equal(values.fast_poll, 10);
	assert_int_equal(values.vote_timeout, 1000);
	assert_int_equal(values.hold, 100);
	assert_int_equal(values.settle, 1500);
	assert_int_equal(values.retry_pause, 0);
	assert_int_equal(values.idle_poll, 100);
	assert_true(values.normal_timeout < usual.normal_timeout);
	(void)policy_free(policy);
}

static void test_conservative(void **state)
{
	const struct recovery_policy usual = RECOVERY_POLICY_DEFAULT;
	struct policy *policy = load_shipped();
	struct recovery_policy values = resolved_of(policy, "conservative").values;

	(void)state;
	assert_int_equal(values.first_reset, RECOVERY_RESET_FUNDAMENTAL);
	assert_true(values.hold > usual.hold && values.settle > usual.settle &&
		    values.vote_timeout > usual.vote_timeout &&
		    values.retry_pause > usual.retry_pause &&
		    values.normal_timeout > usual.normal_timeout &&
		    values.host_timeout > usual.host_timeout &&
		    values.operation_timeout > usual.operation_timeout);
	assert_true(values.most_freezes < usual.most_freezes &&
		    values.freeze_window_seconds > usual.freeze_window_seconds);
	(void)policy_free(policy);
}

/* As a site uses them. */
static void test_use_of_shipped_sets(void **state)
{
	const char *const paths[] = {SHIPPED_FOLDER, place.first};
	const struct policy_folders folders = {.paths = paths, .count = 2, .must_exist = true};
	const struct policy_device device = {0x8086, 0x10d3};
	struct recovery_policy values;
	struct policy *policy;

	(void)state;
	place_write_file(place.first, "site.conf",
			 "[recovery]\nuse = conservative\n[recovery 8086:10d3]\nuse = manual\n"
			 "[recovery aggressive]\nvote-timeout = 2s\n"
			 "[recovery pe 1:fd]\nuse = aggressive\n");
	policy = load(&folders);
	policy_find_recovery(policy, 1, 0xfe, &device, 1, &values);
	assert_string_equal(values.name, "8086:10d3 (manual)");
	assert_true(values.manual);
	assert_int_equal(values.most_freezes, 5);
	assert_int_equal(default_of(policy).most_freezes, 2);
	policy_find_recovery(policy, 1, 0xfd, &device, 1, &values);
	assert_string_equal(values.name, "pe 0001:fd (aggressive)");
	assert_int_equal(values.vote_timeout, 2000);
	assert_int_equal(values.hold, 100);
	(void)policy_free(policy);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, place_set_up, place_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_numbers_of_pes_and_devices),
		cmocka_unit_test(test_use),
		cmocka_unit_test(test_use_of_default),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_unchecked),
		cmocka_unit_test(test_long_circle),
		cmocka_unit_test(test_many_sections),
		TEST(test_order),
		TEST(test_use_of_later_files),
		TEST(test_all_or_nothing),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_aggressive),
		cmocka_unit_test(test_conservative),
		TEST(test_use_of_shipped_sets),
	};

	return cmocka_run_group_tests_name("policy recovery", tests, NULL, NULL);
}
