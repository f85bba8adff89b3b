/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Pe: recoveries as clients see them, their votes, and the record. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "pe_stage.h"

/* Recoveries of the tests are short: what they wait for is as little as policies allow. */
#define SHORT "[recovery]\nhold = 100ms\nsettle = 1500ms\n"

#define FROZEN 2U

/* Lines that the property Log has at most, and events that have more together. */
#define LOG_LINES_MAX 64U
#define LOG_EVENTS    40U

/* -- helpers -- */

static void freeze(void)
{
	bus_fixture_forget_signals(stage.bus);
	pe_script_set(pe_script, FROZEN);
	dbus_message_unref(pe_call(pe_client(), pe_message("Check")));
}

static DBusMessage *vote_message(dbus_uint32_t cookie, dbus_uint32_t event, const char *verdict)
{
	return pe_message_with("Vote", DBUS_TYPE_UINT32, &cookie, DBUS_TYPE_UINT32, &event,
			       DBUS_TYPE_STRING, &verdict, DBUS_TYPE_INVALID);
}

static DBusMessage *leave_message(dbus_uint32_t cookie)
{
	return pe_message_with("Leave", DBUS_TYPE_UINT32, &cookie, DBUS_TYPE_INVALID);
}

static DBusMessage *list_message(dbus_uint32_t from, dbus_uint32_t most)
{
	return pe_message_with("ListEvents", DBUS_TYPE_UINT32, &from, DBUS_TYPE_UINT32, &most,
			       DBUS_TYPE_INVALID);
}

static DBusMessage *detach_message(const struct space *space)
{
	DBusMessage *message = space_message(space, "DetachGroup");
	dbus_uint32_t group = GROUP;

	assert_true(dbus_message_append_args(message, DBUS_TYPE_UINT32, &group, DBUS_TYPE_INVALID));
	return message;
}

/* Whether the last event was recovered, as RecoveryDone says it. */
static bool was_recovered(void)
{
	dbus_uint32_t event = 0;
	dbus_uint32_t milliseconds = 0;
	dbus_bool_t recovered = FALSE;
	const char *why = NULL;

	assert_true(dbus_message_get_args(stage.bus->signals[pe_find_signal("RecoveryDone")], NULL,
					  DBUS_TYPE_UINT32, &event, DBUS_TYPE_BOOLEAN, &recovered,
					  DBUS_TYPE_UINT32, &milliseconds, DBUS_TYPE_STRING, &why,
					  DBUS_TYPE_INVALID));
	assert_int_equal(event, pe_signal_event("Frozen"));
	assert_true(why[0] != '\0');
	return recovered;
}

/* The string that follows the number of a signal's event. */
static const char *second_text(const char *member)
{
	dbus_uint32_t event = 0;
	const char *text = NULL;

	assert_true(dbus_message_get_args(stage.bus->signals[pe_find_signal(member)], NULL,
					  DBUS_TYPE_UINT32, &event, DBUS_TYPE_STRING, &text,
					  DBUS_TYPE_INVALID));
	return text;
}

static void check_order(const char *const *members)
{
	for (size_t i = 0; members[i + 1]; i++) {
		if (pe_find_signal(members[i]) >= pe_find_signal(members[i + 1])) {
			fail_msg("%s came after %s", members[i], members[i + 1]);
		}
	}
}

/* Whether the property had the value, in a signal that came before that member. */
static bool told_before(const char *property, const char *value, const char *member)
{
	unsigned int end = pe_find_signal(member);

	for (unsigned int i = 0; i < end; i++) {
		if (pe_signal_tells(stage.bus->signals[i], property, value)) {
			return true;
		}
	}
	return false;
}

/* -- the stories -- */

/* Nobody has joined: a reset, and all that belongs to it. */
static void test_unaware(void **state)
{
	static const char *const order[] = {"Frozen", "ErrorDetected", "SlotReset",
					    "Resume", "RecoveryDone",  NULL};

	(void)state;
	use_policy(SHORT);
	(void)pe_attach();
	freeze();
	pe_await("RecoveryDone");
	assert_true(was_recovered());
	check_order(order);
	assert_int_equal(bus_fixture_count_signals(stage.bus, "MmioEnabled"), 0);
	assert_int_equal(bus_fixture_count_signals(stage.bus, "Disconnect"), 0);
	assert_string_equal(second_text("Frozen"), "stopped");
	assert_string_equal(second_text("ErrorDetected"), "frozen");
	assert_true(told_before("State", "stopped", "Frozen"));
	assert_true(told_before("Recovery", "slot-reset", "SlotReset"));
	assert_true(told_before("Recovery", "idle", "RecoveryDone"));
	assert_true(told_before("State", "normal", "RecoveryDone"));
	assert_int_equal(pe_get_number("Freezes"), 1);
	assert_int_equal(pe_get_number("FreezesLeft"), 4);
	assert_true(pe_script->asked[WORKER_PE_RESET_HOT] > 0);
}

/* All can recover: no reset. Each signal comes with the properties that led to it. */
static void test_thaw(void **state)
{
	static const char *const order[] = {"Frozen", "ErrorDetected", "MmioEnabled",
					    "Resume", "RecoveryDone",  NULL};
	dbus_uint32_t cookies[2];
	dbus_uint32_t event;

	(void)state;
	(void)pe_attach();
	cookies[0] = pe_call_number(pe_client(), "Join");
	cookies[1] = pe_call_number(pe_client(), "Join");
	assert_true(cookies[0] != 0 && cookies[0] != cookies[1]);
	assert_int_equal(pe_get_number("Participants"), 2);
	freeze();
	pe_await("ErrorDetected");
	assert_true(told_before("Recovery", "error-detected", "ErrorDetected"));
	assert_string_equal(pe_get_text("Recovery"), "error-detected");
	event = pe_signal_event("ErrorDetected");
	succeed(vote_message(cookies[0], event, "can-recover"));
	assert_string_equal(pe_get_text("Recovery"), "error-detected");
	succeed(vote_message(cookies[1], event, "can-recover"));
	pe_await("MmioEnabled");
	assert_true(told_before("Recovery", "mmio-enabled", "MmioEnabled"));
	assert_true(told_before("State", "stopped-dma", "MmioEnabled"));
	succeed(vote_message(cookies[0], event, "recovered"));
	succeed(vote_message(cookies[1], event, "can-recover"));
	pe_await("RecoveryDone");
	assert_true(was_recovered());
	check_order(order);
	assert_int_equal(pe_script->asked[WORKER_PE_RESET_HOT], 0);
	assert_string_equal(pe_get_text("State"), "normal");
}

static void test_frozen_in_other_ways(void **state)
{
	static const struct {
		uint32_t number;
		const char *name;
	} cases[] = {{4, "stopped-dma"}, {5, "unavailable"}};

	(void)state;
	(void)pe_attach();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		dbus_uint32_t cookie = pe_call_number(pe_client(), "Join");

		bus_fixture_forget_signals(stage.bus);
		pe_script_set(pe_script, cases[i].number);
		succeed(pe_message("Check"));
		pe_await("ErrorDetected");
		assert_string_equal(second_text("Frozen"), cases[i].name);
		assert_string_equal(second_text("ErrorDetected"), "frozen");
		succeed(vote_message(cookie, pe_signal_event("Frozen"), "can-recover"));
		pe_await("MmioEnabled");
		succeed(vote_message(cookie, pe_signal_event("Frozen"), "recovered"));
		pe_await("RecoveryDone");
		assert_true(was_recovered());
		succeed(leave_message(cookie));
	}
}

/* The host recovers the bridge above; then there is a reset, whatever is voted. */
static void test_unavailable(void **state)
{
	dbus_uint32_t cookie;
	dbus_uint32_t event;

	(void)state;
	use_policy(SHORT "idle-poll = 20ms\n");
	(void)pe_attach();
	cookie = pe_call_number(pe_client(), "Join");
	bus_fixture_forget_signals(stage.bus);
	pe_script_set_unavailable(pe_script);
	pe_await("Frozen");
	event = pe_signal_event("Frozen");
	assert_string_equal(second_text("Frozen"), "unavailable");
	assert_string_equal(pe_get_text("Recovery"), "awaiting-host");
	(void)pe_call_fails(pe_client(), vote_message(cookie, event, "can-recover"), "VoteClosed");
	pe_script_set(pe_script, FROZEN);
	pe_await("ErrorDetected");
	assert_string_equal(second_text("ErrorDetected"), "unavailable");
	succeed(vote_message(cookie, event, "can-recover"));
	pe_await("SlotReset");
	assert_int_equal(bus_fixture_count_signals(stage.bus, "MmioEnabled"), 0);
	succeed(vote_message(cookie, event, "recovered"));
	pe_await("RecoveryDone");
	assert_true(was_recovered());
}

static void test_disconnect(void **state)
{
	static const char *const order[] = {"Frozen", "ErrorDetected", "Disconnect", "RecoveryDone",
					    NULL};
	struct space *space;
	dbus_uint32_t cookie;
	struct bus_client stranger;

	(void)state;
	use_policy(SHORT);
	space = pe_attach();
	cookie = pe_call_number(pe_client(), "Join");
	freeze();
	pe_await("ErrorDetected");
	succeed(vote_message(cookie, pe_signal_event("Frozen"), "disconnect"));
	pe_await("RecoveryDone");
	assert_false(was_recovered());
	check_order(order);
	assert_true(told_before("Recovery", "failed", "RecoveryDone"));
	(void)pe_call_fails(pe_client(), pe_message("Enable"), "RecoveryFailed");
	if (pe_open_stranger(&stranger)) {
		/* An owner who is no operator neither begins anew nor lets the group go. */
		space->uid = OTHER_UID;
		(void)pe_call_fails(&stranger, pe_message("Recover"), DBUS_ERROR_ACCESS_DENIED);
		(void)pe_call_fails(&stranger, detach_message(space), "RecoveryFailed");
		bus_client_close(&stranger);
	}
	assert_string_equal(pe_get_text("Recovery"), "failed");
	succeed(leave_message(cookie));
	bus_fixture_forget_signals(stage.bus);
	assert_true(pe_call_number(pe_client(), "Recover") != 0);
	pe_await("RecoveryDone");
	assert_true(last_signal_has("RecoveryDone", "reset"));
	assert_string_equal(pe_get_text("Recovery"), "idle");
	detach_group(space, GROUP);
}

static void test_operator_detaches_a_failed_pe(void **state)
{
	struct space *space;

	(void)state;
	use_policy("[recovery]\nmost-freezes = 0\n");
	space = pe_attach();
	freeze();
	pe_await("RecoveryDone");
	assert_false(was_recovered());
	assert_int_equal(bus_fixture_count_signals(stage.bus, "Disconnect"), 1);
	assert_int_equal(pe_get_number("FreezesLeft"), 0);
	detach_group(space, GROUP);
	assert_string_equal(pe_get_text("State"), "unknown");
}

static void test_manual(void **state)
{
	dbus_uint32_t event;

	(void)state;
	use_policy(SHORT "mode = manual\n");
	(void)pe_attach();
	freeze();
	pe_await("Frozen");
	assert_string_equal(pe_get_text("Recovery"), "awaiting-request");
	assert_int_equal(bus_fixture_count_signals(stage.bus, "ErrorDetected"), 0);
	event = pe_call_number(pe_client(), "Recover");
	assert_int_equal(event, pe_signal_event("Frozen"));
	(void)pe_call_fails(pe_client(), pe_message("Recover"), "Busy");
	pe_await("RecoveryDone");
	assert_true(was_recovered());
}

/* What else is asked of a PE that is being recovered, and the recovery is none the worse. */
static void test_busy(void **state)
{
	static const char *const methods[] = {"Enable",      "Disable",   "UnfreezeIo",
					      "UnfreezeDma", "Configure", "Recover"};
	struct space *space = pe_attach();
	dbus_uint32_t cookie = pe_call_number(pe_client(), "Join");
	const char *state_now = NULL;
	DBusMessage *answer;
	char number[32];

	(void)state;
	freeze();
	pe_await("ErrorDetected");
	(void)snprintf(number, sizeof(number), "event %u", pe_signal_event("Frozen"));
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		const char *text = pe_call_fails(pe_client(), pe_message(methods[i]), "Busy");

		if (!strstr(text, number)) {
			fail_msg("%s: \"%s\" does not have \"%s\"", methods[i], text, number);
		}
	}
	(void)pe_call_fails(pe_client(), detach_message(space), "Busy");
	(void)pe_call_fails(pe_client(),
			    bus_fixture_message(BUS_PATH_DEVICE_PREFIX "0000_01_00_0",
						BUS_INTERFACE_DEVICE, "Open"),
			    "Frozen");
	answer = pe_call(pe_client(), pe_message("Check"));
	assert_true(dbus_message_get_args(answer, NULL, DBUS_TYPE_STRING, &state_now,
					  DBUS_TYPE_INVALID));
	assert_string_equal(state_now, "stopped");
	dbus_message_unref(answer);
	succeed(vote_message(cookie, pe_signal_event("Frozen"), "can-recover"));
	pe_await("MmioEnabled");
	succeed(vote_message(cookie, pe_signal_event("Frozen"), "recovered"));
	pe_await("RecoveryDone");
	assert_true(was_recovered());
	assert_int_equal(pe_script->asked[WORKER_PE_ENABLE], 0);
}

/* -- participants -- */

/* Each vote that is refused has its name, and changes nothing. */
static void test_refused_votes(void **state)
{
	struct bus_client other;
	dbus_uint32_t cookie;
	dbus_uint32_t late;
	dbus_uint32_t event;

	(void)state;
	(void)pe_attach();
	cookie = pe_call_number(pe_client(), "Join");
	(void)pe_call_fails(pe_client(), vote_message(cookie, 1, "can-recover"), "NotFound");
	(void)pe_call_fails(pe_client(), vote_message(cookie + 100, 1, "can-recover"), "NotJoined");
	freeze();
	pe_await("ErrorDetected");
	event = pe_signal_event("Frozen");
	late = pe_call_number(pe_client(), "Join");
	bus_client_open(stage.bus, &other);
	(void)pe_call_fails(pe_client(), vote_message(cookie, event + 1, "can-recover"),
			    "NotFound");
	(void)pe_call_fails(pe_client(), vote_message(cookie, event, "maybe"), "InvalidArgument");
	(void)pe_call_fails(pe_client(), vote_message(cookie, event, "recovered"),
			    "InvalidArgument");
	(void)pe_call_fails(pe_client(), vote_message(cookie, event, "none"), "InvalidArgument");
	(void)pe_call_fails(&other, vote_message(cookie, event, "disconnect"),
			    DBUS_ERROR_ACCESS_DENIED);
	(void)pe_call_fails(pe_client(), vote_message(late, event, "disconnect"), "VoteClosed");
	(void)pe_call_fails(pe_client(), vote_message(0, event, "disconnect"), "NotJoined");
	assert_string_equal(pe_get_text("Recovery"), "error-detected");
	/* The next step doesn't begin before this one's vote was tried once more. */
	pe_script->held = WORKER_PE_UNFREEZE_IO;
	succeed(vote_message(cookie, event, "can-recover"));
	(void)pe_call_fails(pe_client(), vote_message(cookie, event, "disconnect"), "VoteClosed");
	pe_script->held = 0;
	pe_await("MmioEnabled");
	(void)pe_call_fails(pe_client(), vote_message(late, event, "recovered"), "VoteClosed");
	succeed(vote_message(cookie, event, "recovered"));
	pe_await("RecoveryDone");
	assert_true(was_recovered());
	(void)pe_call_fails(pe_client(), vote_message(cookie, event, "recovered"), "NotFound");
	bus_client_close(&other);
}

static void test_leave(void **state)
{
	struct bus_client other;
	dbus_uint32_t cookie;

	(void)state;
	(void)pe_attach();
	bus_client_open(stage.bus, &other);
	cookie = pe_call_number(pe_client(), "Join");
	(void)pe_call_fails(&other, leave_message(cookie), DBUS_ERROR_ACCESS_DENIED);
	assert_int_equal(pe_get_number("Participants"), 1);
	bus_fixture_forget_signals(stage.bus);
	succeed(leave_message(cookie));
	assert_true(last_signal_has("PropertiesChanged", "Participants"));
	assert_int_equal(pe_get_number("Participants"), 0);
	(void)pe_call_fails(pe_client(), leave_message(cookie), "NotJoined");
	assert_true(pe_call_number(pe_client(), "Join") != cookie);
	bus_client_close(&other);
}

static void run_until_participants(dbus_uint32_t count)
{
	time_t end = pe_deadline();

	while (pe_participants(stage.manager->groups[0]->pe) != count) {
		pe_run_until(end, "the end of a client");
	}
}

/* A flood ends at the limit, and goes with the connection that made it. */
static void test_join_flood(void **state)
{
	struct bus_client other;

	(void)state;
	(void)pe_attach();
	bus_client_open(stage.bus, &other);
	for (unsigned int i = 0; i < RECOVERY_PARTICIPANTS_MAX; i++) {
		(void)pe_call_number(&other, "Join");
		bus_fixture_forget_signals(stage.bus);
	}
	(void)pe_call_fails(&other, pe_message("Join"), "QuotaExceeded");
	(void)pe_call_fails(pe_client(), pe_message("Join"), "QuotaExceeded");
	assert_int_equal(pe_get_number("Participants"), RECOVERY_PARTICIPANTS_MAX);
	bus_client_close(&other);
	run_until_participants(0);
	(void)pe_call_number(pe_client(), "Join");
	assert_int_equal(pe_get_number("Participants"), 1);
}

/* A connection's last cookie is not its only one: each ends by itself, and all with it. */
static void test_client_that_leaves_and_joins(void **state)
{
	struct bus_client other;
	DBusMessage *answer;
	dbus_uint32_t cookie;

	(void)state;
	(void)pe_attach();
	(void)pe_call_number(pe_client(), "Join");
	bus_client_open(stage.bus, &other);
	cookie = pe_call_number(&other, "Join");
	(void)pe_call_number(&other, "Join");
	answer = pe_call(&other, leave_message(cookie));
	assert_int_equal(dbus_message_get_type(answer), DBUS_MESSAGE_TYPE_METHOD_RETURN);
	dbus_message_unref(answer);
	assert_int_equal(pe_get_number("Participants"), 2);
	bus_client_close(&other);
	run_until_participants(1);
	bus_fixture_settle(stage.bus);
	assert_true(last_signal_has("PropertiesChanged", "Participants"));
}

/* In the middle of an event that is need-reset for the rest of it. */
static void test_client_lost_in_the_middle(void **state)
{
	struct bus_client other;
	dbus_uint32_t cookie;
	dbus_uint32_t event;

	(void)state;
	use_policy(SHORT);
	(void)pe_attach();
	bus_client_open(stage.bus, &other);
	cookie = pe_call_number(pe_client(), "Join");
	(void)pe_call_number(&other, "Join");
	freeze();
	pe_await("ErrorDetected");
	event = pe_signal_event("Frozen");
	succeed(vote_message(cookie, event, "can-recover"));
	assert_string_equal(pe_get_text("Recovery"), "error-detected");
	bus_client_close(&other);
	pe_await("SlotReset");
	assert_int_equal(bus_fixture_count_signals(stage.bus, "MmioEnabled"), 0);
	succeed(vote_message(cookie, event, "recovered"));
	pe_await("RecoveryDone");
	assert_true(was_recovered());
}

/* The service goes with participants and a recovery under way. */
static void test_end_in_the_middle(void **state)
{
	(void)state;
	(void)pe_attach();
	(void)pe_call_number(pe_client(), "Join");
	freeze();
	pe_await("ErrorDetected");
}

/* -- the record -- */

/* The value of a key in an event, which is left at it. */
static void find_key(DBusMessageIter event, const char *key, DBusMessageIter *ret_value)
{
	while (dbus_message_iter_get_arg_type(&event) == DBUS_TYPE_DICT_ENTRY) {
		DBusMessageIter entry;
		const char *name = NULL;

		dbus_message_iter_recurse(&event, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		if (strcmp(name, key) == 0) {
			(void)dbus_message_iter_next(&entry);
			dbus_message_iter_recurse(&entry, ret_value);
			return;
		}
		(void)dbus_message_iter_next(&event);
	}
	fail_msg("an event has no key %s", key);
}

static dbus_uint32_t number_of(DBusMessageIter event, const char *key)
{
	dbus_uint32_t number = 0;
	DBusMessageIter value;

	find_key(event, key, &value);
	assert_int_equal(dbus_message_iter_get_arg_type(&value), DBUS_TYPE_UINT32);
	dbus_message_iter_get_basic(&value, &number);
	return number;
}

static const char *text_of(DBusMessageIter event, const char *key)
{
	const char *text = NULL;
	DBusMessageIter value;

	find_key(event, key, &value);
	assert_int_equal(dbus_message_iter_get_arg_type(&value), DBUS_TYPE_STRING);
	dbus_message_iter_get_basic(&value, &text);
	return text;
}

/* The events of an answer to ListEvents, at most two of them. */
static unsigned int read_events(DBusMessage *answer, DBusMessageIter events[2])
{
	unsigned int count = 0;
	DBusMessageIter iter;
	DBusMessageIter array;

	assert_true(dbus_message_has_signature(answer, "aa{sv}"));
	assert_true(dbus_message_iter_init(answer, &iter));
	dbus_message_iter_recurse(&iter, &array);
	while (dbus_message_iter_get_arg_type(&array) == DBUS_TYPE_ARRAY) {
		assert_true(count < 2);
		dbus_message_iter_recurse(&array, &events[count++]);
		(void)dbus_message_iter_next(&array);
	}
	return count;
}

static void check_registers(DBusMessageIter event)
{
	const unsigned char *bytes = NULL;
	const char *device = NULL;
	dbus_uint32_t offset = 0;
	DBusMessageIter value;
	DBusMessageIter list;
	DBusMessageIter fields;
	DBusMessageIter array;
	int count = 0;

	find_key(event, "Registers", &value);
	dbus_message_iter_recurse(&value, &list);
	assert_int_equal(dbus_message_iter_get_arg_type(&list), DBUS_TYPE_STRUCT);
	dbus_message_iter_recurse(&list, &fields);
	dbus_message_iter_get_basic(&fields, &device);
	assert_string_equal(device, DEVICE);
	(void)dbus_message_iter_next(&fields);
	dbus_message_iter_recurse(&fields, &array);
	dbus_message_iter_get_fixed_array(&array, (void *)&bytes, &count);
	assert_int_equal(count, WORKER_CONFIG_SIZE);
	assert_memory_equal(bytes, "\x34\x12\x78\x56", 4);
	(void)dbus_message_iter_next(&fields);
	dbus_message_iter_get_basic(&fields, &offset);
	assert_int_equal(offset, 0x100);
	(void)dbus_message_iter_next(&fields);
	dbus_message_iter_recurse(&fields, &array);
	dbus_message_iter_get_fixed_array(&array, (void *)&bytes, &count);
	assert_int_equal(count, WORKER_AER_SIZE);
	assert_memory_equal(bytes, "\x01\x00\x02", 3);
}

/* Each step has its time within the event. */
static unsigned int count_steps(DBusMessageIter event, const char *name)
{
	uint64_t end = 1000 * (uint64_t)(number_of(event, "Milliseconds") + 1);
	unsigned int found = 0;
	DBusMessageIter value;
	DBusMessageIter steps;

	find_key(event, "Steps", &value);
	dbus_message_iter_recurse(&value, &steps);
	while (dbus_message_iter_get_arg_type(&steps) == DBUS_TYPE_STRUCT) {
		dbus_uint64_t since = 0;
		dbus_uint64_t took = 0;
		const char *step = NULL;
		DBusMessageIter fields;

		dbus_message_iter_recurse(&steps, &fields);
		dbus_message_iter_get_basic(&fields, &since);
		(void)dbus_message_iter_next(&fields);
		dbus_message_iter_get_basic(&fields, &took);
		(void)dbus_message_iter_next(&fields);
		dbus_message_iter_get_basic(&fields, &step);
		assert_true(since <= end);
		found += strcmp(step, name) == 0;
		(void)dbus_message_iter_next(&steps);
	}
	return found;
}

static unsigned int count_log_lines(const char *name)
{
	unsigned int found = 0;
	dbus_uint64_t last = 0;
	DBusMessageIter value;
	DBusMessageIter lines;
	DBusMessage *answer = pe_get("Log", &value);

	dbus_message_iter_recurse(&value, &lines);
	while (dbus_message_iter_get_arg_type(&lines) == DBUS_TYPE_STRUCT) {
		dbus_uint64_t when = 0;
		const char *step = NULL;
		DBusMessageIter fields;

		dbus_message_iter_recurse(&lines, &fields);
		dbus_message_iter_get_basic(&fields, &when);
		assert_true(when >= last);
		last = when;
		(void)dbus_message_iter_next(&fields);
		dbus_message_iter_get_basic(&fields, &step);
		found += strcmp(step, name) == 0;
		(void)dbus_message_iter_next(&lines);
	}
	dbus_message_unref(answer);
	return found;
}

static void thaw(dbus_uint32_t cookie)
{
	freeze();
	pe_await("ErrorDetected");
	succeed(vote_message(cookie, pe_signal_event("Frozen"), "can-recover"));
	pe_await("MmioEnabled");
	succeed(vote_message(cookie, pe_signal_event("Frozen"), "recovered"));
	pe_await("RecoveryDone");
}

static void test_list_events(void **state)
{
	DBusMessageIter events[2];
	DBusMessage *answer;
	dbus_uint32_t cookie;
	dbus_uint32_t first;

	(void)state;
	(void)pe_attach();
	answer = pe_call(pe_client(), list_message(0, 0));
	assert_int_equal(read_events(answer, events), 0);
	dbus_message_unref(answer);
	cookie = pe_call_number(pe_client(), "Join");
	thaw(cookie);
	first = pe_signal_event("Frozen");
	freeze();
	pe_await("ErrorDetected");
	answer = pe_call(pe_client(), list_message(0, 0));
	assert_int_equal(read_events(answer, events), 2);
	assert_int_equal(number_of(events[0], "Event"), first);
	assert_int_equal(number_of(events[1], "Event"), pe_signal_event("Frozen"));
	assert_int_equal(number_of(events[0], "Group"), GROUP);
	assert_int_equal(number_of(events[0], "Phb"), TOPOLOGY_UNKNOWN);
	assert_int_equal(number_of(events[0], "Pe"), TOPOLOGY_UNKNOWN);
	assert_string_equal(text_of(events[0], "Location"), "");
	assert_string_equal(text_of(events[0], "Policy"), "default");
	assert_string_equal(text_of(events[0], "Source"), "check");
	assert_string_equal(text_of(events[0], "State"), pe_condition_text(PE_STOPPED));
	assert_string_equal(text_of(events[0], "Outcome"), "recovered");
	assert_true(text_of(events[0], "Why")[0] != '\0');
	assert_string_equal(text_of(events[1], "Outcome"), "running");
	assert_int_equal(number_of(events[1], "Milliseconds"), 0);
	assert_int_equal(number_of(events[0], "StepsLeftOut"), 0);
	assert_int_equal(count_steps(events[0], "vote"), 2);
	assert_int_equal(count_steps(events[0], "unfreeze-io"), 1);
	check_registers(events[0]);
	dbus_message_unref(answer);
	assert_int_equal(count_log_lines("vote"), 2);
	assert_int_equal(count_log_lines("unfreeze-dma"), 1);
	assert_int_equal(count_log_lines("recovered"), 1);
	assert_int_equal(count_log_lines("running"), 0);
}

/* What a worker says may be anything, and goes into the record. */
static void test_foreign_text(void **state)
{
	DBusMessageIter value;
	DBusMessage *answer;
	char *bytes = NULL;
	int size = 0;

	(void)state;
	(void)pe_attach();
	pe_script->failing = WORKER_PE_SAVE;
	pe_script->failure = ERROR_KERNEL;
	thaw(pe_call_number(pe_client(), "Join"));
	answer = pe_call(pe_client(), list_message(0, 0));
	assert_true(dbus_message_marshal(answer, &bytes, &size));
	assert_non_null(memmem(bytes, (size_t)size, "the firmware said no ?", 22));
	dbus_free(bytes);
	dbus_message_unref(answer);
	answer = pe_get("Log", &value);
	assert_true(dbus_message_marshal(answer, &bytes, &size));
	assert_non_null(memmem(bytes, (size_t)size, "the firmware said no ?", 22));
	dbus_free(bytes);
	dbus_message_unref(answer);
}

/* The log has the last lines of many events. */
static void test_long_log(void **state)
{
	dbus_uint32_t cookie;
	DBusMessageIter value;
	DBusMessageIter lines;
	DBusMessage *answer;
	unsigned int count = 0;

	(void)state;
	use_policy("[recovery]\nmost-freezes = 1000\n");
	(void)pe_attach();
	cookie = pe_call_number(pe_client(), "Join");
	for (unsigned int i = 0; i < LOG_EVENTS; i++) {
		thaw(cookie);
	}
	answer = pe_get("Log", &value);
	dbus_message_iter_recurse(&value, &lines);
	while (dbus_message_iter_get_arg_type(&lines) == DBUS_TYPE_STRUCT) {
		count++;
		(void)dbus_message_iter_next(&lines);
	}
	dbus_message_unref(answer);
	assert_int_equal(count, LOG_LINES_MAX);
	assert_true(count_log_lines("recovered") > 1);
	assert_true(count_log_lines("recovered") < LOG_EVENTS);
}

static void test_list_some_events(void **state)
{
	DBusMessageIter events[2];
	DBusMessage *answer;
	dbus_uint32_t cookie;
	dbus_uint32_t first;
	dbus_uint32_t second;

	(void)state;
	(void)pe_attach();
	cookie = pe_call_number(pe_client(), "Join");
	thaw(cookie);
	first = pe_signal_event("Frozen");
	thaw(cookie);
	second = pe_signal_event("Frozen");
	assert_true(second > first);
	answer = pe_call(pe_client(), list_message(0, 1));
	assert_int_equal(read_events(answer, events), 1);
	assert_int_equal(number_of(events[0], "Event"), first);
	dbus_message_unref(answer);
	answer = pe_call(pe_client(), list_message(second, 0));
	assert_int_equal(read_events(answer, events), 1);
	assert_int_equal(number_of(events[0], "Event"), second);
	dbus_message_unref(answer);
	answer = pe_call(pe_client(), list_message(second + 1, UINT32_MAX));
	assert_int_equal(read_events(answer, events), 0);
	dbus_message_unref(answer);
}

/* The worker is gone in the middle: the event ends, and is kept. */
static void test_aborted_event(void **state)
{
	struct space *space = pe_attach();
	DBusMessageIter events[2];
	DBusMessage *answer;

	(void)state;
	(void)pe_call_number(pe_client(), "Join");
	freeze();
	pe_await("ErrorDetected");
	worker_process_kill(space->worker, SIGKILL);
	pe_await("RecoveryDone");
	assert_false(was_recovered());
	answer = pe_call(pe_client(), list_message(0, 0));
	assert_int_equal(read_events(answer, events), 1);
	assert_string_equal(text_of(events[0], "Outcome"), "aborted");
	dbus_message_unref(answer);
	assert_string_equal(pe_get_text("Recovery"), "idle");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		PE_TEST(test_unaware),
		PE_TEST(test_thaw),
		PE_TEST(test_frozen_in_other_ways),
		PE_TEST(test_unavailable),
		PE_TEST(test_disconnect),
		PE_TEST(test_operator_detaches_a_failed_pe),
		PE_TEST(test_manual),
		PE_TEST(test_busy),
		PE_TEST(test_refused_votes),
		PE_TEST(test_leave),
		PE_TEST(test_join_flood),
		PE_TEST(test_client_that_leaves_and_joins),
		PE_TEST(test_client_lost_in_the_middle),
		PE_TEST(test_end_in_the_middle),
		PE_TEST(test_list_events),
		PE_TEST(test_list_some_events),
		PE_TEST(test_foreign_text),
		PE_TEST(test_long_log),
		PE_TEST(test_aborted_event),
	};

	return pe_stage_main("service PE recovery", tests);
}
