/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The story that `spaprctl pe watch` tells, of messages made by hand; and what status says of PEs.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/pe_story.h"
#include "cli/status.h"
#include "common/names.h"
#include "unit.h"

#define OWNER   ":1.5"
#define GROUP_2 BUS_PATH_GROUP_PREFIX "2"
#define SECOND  UINT64_C(1000000)

static const struct terminal plain = {.width = 80};

/* A story into memory. */
struct teller {
	char *output;
	size_t size;
	FILE *file;
	struct pe_story *story;
	struct pe_story_end end; /* of the last message */
};

static void teller_begin(struct teller *teller, bool json, const uint32_t *groups, size_t count)
{
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	*teller = (struct teller){.output = NULL};
	teller->file = open_memstream(&teller->output, &teller->size);
	assert_non_null(teller->file);
	teller->story = pe_story_new(teller->file, &plain, json, groups, count);
	assert_non_null(teller->story);
	pe_story_set_owner(teller->story, OWNER);
}

static void teller_expect(struct teller *teller, const char *expected)
{
	assert_int_equal(fclose(teller->file), 0);
	assert_string_equal(teller->output, expected);
	teller->story = pe_story_free(teller->story);
	free(teller->output);
}

/* A message that came so many microseconds after the start, which is 01:00:00.000007. */
static void tell(struct teller *teller, DBusMessage *message, const char *sender, uint64_t since)
{
	struct pe_story_time now = {.realtime = UINT64_C(3600) * SECOND + 7 + since,
				    .monotonic = 55 + since};

	assert_true(dbus_message_set_sender(message, sender));
	teller->end = pe_story_tell(teller->story, message, now);
	dbus_message_unref(message);
}

static DBusMessage *new_signal(const char *path, const char *member, uint32_t event,
			       const char *text)
{
	DBusMessage *signal = dbus_message_new_signal(path, BUS_INTERFACE_PE, member);

	assert_true(dbus_message_append_args(signal, DBUS_TYPE_UINT32, &event, DBUS_TYPE_INVALID));
	if (text) {
		assert_true(dbus_message_append_args(signal, DBUS_TYPE_STRING, &text,
						     DBUS_TYPE_INVALID));
	}
	return signal;
}

static DBusMessage *new_done(const char *path, uint32_t event, dbus_bool_t recovered,
			     const char *why)
{
	DBusMessage *signal = dbus_message_new_signal(path, BUS_INTERFACE_PE, "RecoveryDone");
	const dbus_uint32_t milliseconds = 2050;

	assert_true(dbus_message_append_args(signal, DBUS_TYPE_UINT32, &event, DBUS_TYPE_BOOLEAN,
					     &recovered, DBUS_TYPE_UINT32, &milliseconds,
					     DBUS_TYPE_STRING, &why, DBUS_TYPE_INVALID));
	return signal;
}

/* A property that changed, of either type. */
static DBusMessage *new_change(const char *interface, const char *property, const char *text,
			       uint32_t number)
{
	DBusMessage *signal =
		dbus_message_new_signal(GROUP_2, DBUS_INTERFACE_PROPERTIES, "PropertiesChanged");
	DBusMessageIter iter;
	DBusMessageIter array;
	DBusMessageIter entry;
	DBusMessageIter variant;

	dbus_message_iter_init_append(signal, &iter);
	assert_true(dbus_message_iter_append_basic(&iter, DBUS_TYPE_STRING, &interface));
	assert_true(dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &array));
	assert_true(dbus_message_iter_open_container(&array, DBUS_TYPE_DICT_ENTRY, NULL, &entry));
	assert_true(dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &property));
	assert_true(dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, text ? "s" : "u",
						     &variant));
	assert_true(text ? dbus_message_iter_append_basic(&variant, DBUS_TYPE_STRING, &text)
			 : dbus_message_iter_append_basic(&variant, DBUS_TYPE_UINT32, &number));
	assert_true(dbus_message_iter_close_container(&entry, &variant));
	assert_true(dbus_message_iter_close_container(&array, &entry));
	assert_true(dbus_message_iter_close_container(&iter, &array));
	assert_true(dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "s", &array));
	assert_true(dbus_message_iter_close_container(&iter, &array));
	return signal;
}

static DBusMessage *new_owner(const char *before, const char *now)
{
	DBusMessage *signal =
		dbus_message_new_signal(DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "NameOwnerChanged");
	const char *name = BUS_NAME;

	assert_true(dbus_message_append_args(signal, DBUS_TYPE_STRING, &name, DBUS_TYPE_STRING,
					     &before, DBUS_TYPE_STRING, &now, DBUS_TYPE_INVALID));
	return signal;
}

/* -- stories -- */

static void tell_all(struct teller *teller)
{
	tell(teller, new_change(BUS_INTERFACE_PE, "State", "stopped", 0), OWNER, 0);
	tell(teller, new_signal(GROUP_2, "Frozen", 7, "stopped"), OWNER, 1);
	tell(teller, new_change(BUS_INTERFACE_PE, "FreezesLeft", NULL, 4), OWNER, 2);
	tell(teller, new_signal(GROUP_2, "ErrorDetected", 7, "frozen"), OWNER, 1501);
	tell(teller, new_signal(GROUP_2, "MmioEnabled", 7, NULL), OWNER, SECOND);
	tell(teller, new_signal(GROUP_2, "SlotReset", 7, NULL), OWNER, 2 * SECOND);
	tell(teller, new_signal(GROUP_2, "Resume", 7, NULL), OWNER, 2 * SECOND + 5);
	assert_false(teller->end.done);
	tell(teller, new_done(GROUP_2, 7, TRUE, "a reset\033[31m"), OWNER, 2 * SECOND + 6);
	assert_true(teller->end.done);
	assert_true(teller->end.recovered);
	assert_int_equal(teller->end.event, 7);
	tell(teller, new_change(BUS_INTERFACE_PE, "Recovery", "idle", 0), OWNER, 2 * SECOND + 7);
	tell(teller, new_signal(GROUP_2, "Disconnect", 8, NULL), OWNER, 3 * SECOND);
	tell(teller, new_done(GROUP_2, 8, FALSE, "too many"), OWNER, 3 * SECOND + 1);
	assert_true(teller->end.done);
	assert_false(teller->end.recovered);
}

/* An event that was asked for has no freeze to be told. */
static void test_an_event_that_began_before(void **state)
{
	struct teller teller;

	(void)state;
	teller_begin(&teller, false, NULL, 0);
	pe_story_begin(teller.story, 2, 7, 55);
	tell(&teller, new_signal(GROUP_2, "ErrorDetected", 7, "frozen"), OWNER, SECOND);
	tell(&teller, new_signal(GROUP_2, "Frozen", 7, "stopped"), OWNER, SECOND + 1);
	tell(&teller, new_signal(GROUP_2, "Frozen", 8, "stopped"), OWNER, SECOND + 2);
	teller_expect(&teller, "01:00:01.000007   +1.000000 s  group 2    error-detected: frozen\n"
			       "01:00:01.000008   +1.000001 s  group 2    frozen: stopped\n"
			       "01:00:01.000009   +0.000000 s  group 2    frozen: stopped\n");
}

static void test_a_story(void **state)
{
	struct teller teller;

	(void)state;
	teller_begin(&teller, false, NULL, 0);
	tell_all(&teller);
	teller_expect(
		&teller,
		"01:00:00.000007                group 2    state: stopped\n"
		"01:00:00.000008   +0.000000 s  group 2    frozen: stopped\n"
		"01:00:00.000009   +0.000001 s  group 2    freezes-left: 4\n"
		"01:00:00.001508   +0.001500 s  group 2    error-detected: frozen\n"
		"01:00:01.000007   +0.999999 s  group 2    mmio-enabled\n"
		"01:00:02.000007   +1.999999 s  group 2    slot-reset\n"
		"01:00:02.000012   +2.000004 s  group 2    resume\n"
		"01:00:02.000013   +2.000005 s  group 2    recovery-done: recovered after 2.050 s: "
		"a reset?[31m\n"
		"01:00:02.000014                group 2    recovery: idle\n"
		"01:00:03.000007                group 2    disconnect\n"
		"01:00:03.000008                group 2    recovery-done: failed after 2.050 s: "
		"too many\n");
}

static void test_a_story_for_programs(void **state)
{
	struct teller teller;

	(void)state;
	teller_begin(&teller, true, NULL, 0);
	tell(&teller, new_change(BUS_INTERFACE_PE, "State", "stopped", 0), OWNER, 0);
	tell(&teller, new_signal(GROUP_2, "Frozen", 7, "stopped"), OWNER, 1);
	tell(&teller, new_change(BUS_INTERFACE_PE, "Participants", NULL, 3), OWNER, 2);
	tell(&teller, new_signal(GROUP_2, "SlotReset", 7, NULL), OWNER, 3);
	tell(&teller, new_done(GROUP_2, 7, TRUE, "a \"reset\""), OWNER, 4);
	tell(&teller, new_owner(OWNER, ""), DBUS_SERVICE_DBUS, 5);
	teller_expect(&teller,
		      "{\"time_us\": 3600000007, \"group\": 2, \"event\": null, \"since_us\": "
		      "null, \"what\": \"state\", \"value\": \"stopped\"}\n"
		      "{\"time_us\": 3600000008, \"group\": 2, \"event\": 7, \"since_us\": 0, "
		      "\"what\": \"frozen\", \"state\": \"stopped\"}\n"
		      "{\"time_us\": 3600000009, \"group\": 2, \"event\": 7, \"since_us\": 1, "
		      "\"what\": \"participants\", \"value\": \"3\"}\n"
		      "{\"time_us\": 3600000010, \"group\": 2, \"event\": 7, \"since_us\": 2, "
		      "\"what\": \"slot-reset\"}\n"
		      "{\"time_us\": 3600000011, \"group\": 2, \"event\": 7, \"since_us\": 3, "
		      "\"what\": \"recovery-done\", \"recovered\": true, \"milliseconds\": 2050, "
		      "\"why\": \"a \\\"reset\\\"\"}\n"
		      "{\"time_us\": 3600000012, \"what\": \"service\", \"value\": \"ended\"}\n");
}

/* Two at once: each has its own time. */
static void test_two_groups(void **state)
{
	struct teller teller;

	(void)state;
	teller_begin(&teller, false, NULL, 0);
	tell(&teller, new_signal(GROUP_2, "Frozen", 7, "stopped"), OWNER, 0);
	tell(&teller, new_signal(BUS_PATH_GROUP_PREFIX "31", "Frozen", 8, "stopped"), OWNER, 10);
	tell(&teller, new_signal(GROUP_2, "Resume", 7, NULL), OWNER, 20);
	tell(&teller, new_signal(BUS_PATH_GROUP_PREFIX "31", "Resume", 8, NULL), OWNER, 20);
	teller_expect(&teller, "01:00:00.000007   +0.000000 s  group 2    frozen: stopped\n"
			       "01:00:00.000017   +0.000000 s  group 31   frozen: stopped\n"
			       "01:00:00.000027   +0.000020 s  group 2    resume\n"
			       "01:00:00.000027   +0.000010 s  group 31   resume\n");
}

/* Other groups, objects, interfaces, properties, types and senders. */
static void test_what_is_not_told(void **state)
{
	static const uint32_t groups[] = {2};
	struct teller teller;

	(void)state;
	teller_begin(&teller, false, groups, 1);
	tell(&teller, new_done(BUS_PATH_GROUP_PREFIX "3", 7, TRUE, ""), OWNER, 0);
	assert_false(teller.end.done);
	tell(&teller, new_done(GROUP_2, 7, TRUE, ""), ":1.6", 0);
	assert_false(teller.end.done);
	tell(&teller, new_signal(GROUP_2, "RecoveryDone", 7, NULL), OWNER, 0);
	assert_false(teller.end.done);
	tell(&teller, new_signal(GROUP_2 "x", "Frozen", 7, "stopped"), OWNER, 0);
	tell(&teller, new_signal("/org/spaprd1", "Frozen", 7, "stopped"), OWNER, 0);
	tell(&teller, new_signal(GROUP_2, "Novelty", 7, "stopped"), OWNER, 0);
	tell(&teller, new_signal(GROUP_2, "Frozen", 7, NULL), OWNER, 0);
	tell(&teller, new_change(BUS_INTERFACE_GROUP, "State", "stopped", 0), OWNER, 0);
	tell(&teller, new_change(BUS_INTERFACE_PE, "Novelty", "stopped", 0), OWNER, 0);
	tell(&teller, new_owner(OWNER, ""), ":1.6", 0);
	assert_false(teller.end.service);
	teller_expect(&teller, "");
}

static void test_a_service_that_is_started_again(void **state)
{
	struct teller teller;

	(void)state;
	teller_begin(&teller, false, NULL, 0);
	tell(&teller, new_signal(GROUP_2, "Frozen", 7, "stopped"), OWNER, 0);
	tell(&teller, new_owner(OWNER, ""), DBUS_SERVICE_DBUS, 1);
	assert_true(teller.end.service);
	tell(&teller, new_owner("", ":1.9"), DBUS_SERVICE_DBUS, 2);
	assert_false(teller.end.service);
	/* Who had the name is nobody any more, and its events are gone. */
	tell(&teller, new_signal(GROUP_2, "Resume", 7, NULL), OWNER, 3);
	tell(&teller, new_signal(GROUP_2, "Resume", 7, NULL), ":1.9", 4);
	teller_expect(&teller, "01:00:00.000007   +0.000000 s  group 2    frozen: stopped\n"
			       "spaprd has ended\n"
			       "spaprd has started\n"
			       "01:00:00.000011                group 2    resume\n");
}

/* -- status -- */

static void test_status_tells_of_pes(void **state)
{
	static struct model_group groups[] = {
		{.path = "/g/0", .id = 0, .viable = true, .space = "/s/1", .container = "/"},
		{.path = "/g/1", .id = 1, .viable = true, .space = "/s/1", .container = "/"},
		{.path = "/g/2", .id = 2, .viable = true, .space = "/s/1", .container = "/"},
	};
	static struct model_pe pes[] = {
		{.path = "/g/0", .state = "normal", .recovery = "idle"},
		{.path = "/g/1", .state = "stopped", .recovery = "resetting"},
	};
	static struct model_space spaces[] = {
		{.path = "/s/1", .number = 1, .name = "", .owner = ""}};
	const struct model model = {.host = {.version = "1", .kind = "powernv", .page_size = 4096},
				    .groups = groups,
				    .group_count = 3,
				    .pes = pes,
				    .pe_count = 2,
				    .spaces = spaces,
				    .space_count = 1};
	char *output = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&output, &size);

	(void)state;
	assert_int_equal(status_print_text(file, &plain, &model), 0);
	(void)fflush(file);
	assert_non_null(strstr(output, "space 1, stopped, recovery resetting\n"));
	assert_null(strstr(output, "normal"));
	status_print_json(file, &model);
	assert_int_equal(fclose(file), 0);
	assert_non_null(strstr(output, "\"pe\": {\n        \"state\": \"stopped\",\n        "
				       "\"recovery\": \"resetting\"\n      }"));
	assert_non_null(strstr(output, "\"pe\": null"));
	free(output);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_event_that_began_before),
		cmocka_unit_test(test_a_story),
		cmocka_unit_test(test_a_story_for_programs),
		cmocka_unit_test(test_two_groups),
		cmocka_unit_test(test_what_is_not_told),
		cmocka_unit_test(test_a_service_that_is_started_again),
		cmocka_unit_test(test_status_tells_of_pes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
