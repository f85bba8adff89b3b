/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "dbus/sender.h"
#include "test-bus-fixture.h"

/* What one lookup came to. */
struct lookup {
	struct bus_sender *sender;
	struct error error;
	unsigned int calls;
	bool done;
	struct bus_sender_watch *watch; /* made in the callback when gone is set */
	bool *gone;
	struct bus *again_on; /* look the same name up from inside the callback */
	const char *again_name;
	struct lookup *again;
};

static void handle_gone(void *userdata)
{
	*(bool *)userdata = true;
}

static void handle_ready(struct bus_sender *sender, const struct error *error, void *userdata)
{
	struct lookup *lookup = userdata;

	assert_true((sender != NULL) != (error != NULL));
	lookup->sender = sender;
	lookup->calls++;
	lookup->done = true;
	if (error) {
		lookup->error = *error;
	}
	if (sender && lookup->gone) {
		assert_int_equal(
			bus_sender_watch(sender, handle_gone, lookup->gone, &lookup->watch), 0);
	}
	if (lookup->again) {
		int r = bus_sender_get(lookup->again_on, lookup->again_name, handle_ready,
				       lookup->again);

		assert_true(r == 0 || r == -ENOTCONN);
	}
}

static const char *client_name(const struct bus_client *client)
{
	return dbus_bus_get_unique_name(client->connection);
}

static void test_known_after_the_first_time(void **state)
{
	struct bus_fixture *fixture = *state;
	const char *name = client_name(&fixture->client);
	struct lookup first = {.done = false};
	struct lookup second = {.done = false};

	assert_int_equal(bus_sender_get(fixture->bus, name, handle_ready, &first), 0);
	assert_false(first.done);
	assert_int_equal(bus_sender_get(fixture->bus, name, handle_ready, &second), 0);
	bus_fixture_run_until(fixture, &first.done);
	assert_true(second.done);
	assert_ptr_equal(first.sender, second.sender);
	assert_string_equal(bus_sender_name(first.sender), name);
	assert_int_equal(bus_sender_uid(first.sender), getuid());
	second.done = false;
	assert_int_equal(bus_sender_get(fixture->bus, name, handle_ready, &second), 0);
	assert_true(second.done);
	assert_int_equal(second.calls, 2);
}

static void test_refused_names(void **state)
{
	struct bus_fixture *fixture = *state;
	struct lookup lookup = {.done = false};
	static const char *const names[] = {"", "org.spaprd1", "1.1", ":1.1 ", "x y"};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(bus_sender_get(fixture->bus, names[i], handle_ready, &lookup),
				 -EINVAL);
	}
	assert_int_equal(lookup.calls, 0);
}

/* It left before it was asked for: there is an error, and nothing is remembered. */
static void test_left_before_the_question(void **state)
{
	struct bus_fixture *fixture = *state;
	struct lookup lookup = {.done = false};
	struct lookup again = {.done = false};

	lookup.again_on = fixture->bus;
	lookup.again_name = ":1.4711";
	lookup.again = &again;
	assert_int_equal(bus_sender_get(fixture->bus, ":1.4711", handle_ready, &lookup), 0);
	bus_fixture_run_until(fixture, &lookup.done);
	assert_int_equal(lookup.error.code, ERROR_NOT_FOUND);
	bus_fixture_run_until(fixture, &again.done);
	assert_int_equal(again.error.code, ERROR_NOT_FOUND);
	assert_int_equal(lookup.calls + again.calls, 2);
}

/* It leaves while the question is under way: whichever way it goes, there is one answer. */
static void test_leaves_during_the_question(void **state)
{
	struct bus_fixture *fixture = *state;

	for (unsigned int i = 0; i < 50; i++) {
		struct bus_client client;
		bool gone = false;
		struct lookup lookup = {.gone = &gone};
		char name[64];

		bus_client_open(fixture, &client);
		(void)snprintf(name, sizeof(name), "%s", client_name(&client));
		if (i % 2) {
			bus_client_close(&client);
		}
		assert_int_equal(bus_sender_get(fixture->bus, name, handle_ready, &lookup), 0);
		if (i % 2 == 0) {
			bus_client_close(&client);
		}
		bus_fixture_run_until(fixture, &lookup.done);
		if (lookup.watch) {
			bus_fixture_run_until(fixture, &gone);
			lookup.watch = bus_sender_unwatch(lookup.watch);
		}
		lookup.done = false;
		assert_int_equal(bus_sender_get(fixture->bus, name, handle_ready, &lookup), 0);
		assert_false(lookup.done);
		bus_fixture_run_until(fixture, &lookup.done);
		assert_int_equal(lookup.error.code, ERROR_NOT_FOUND);
	}
}

struct pair {
	struct bus_sender_watch *mine;
	struct bus_sender_watch *other;
	bool gone;
};

/* Ends its own watch and another one of the same sender. */
static void handle_gone_ending_both(void *userdata)
{
	struct pair *pair = userdata;

	pair->gone = true;
	pair->mine = bus_sender_unwatch(pair->mine);
	pair->other = bus_sender_unwatch(pair->other);
}

static struct bus_sender *known_sender(struct bus_fixture *fixture, const struct bus_client *client)
{
	struct lookup lookup = {.done = false};

	assert_int_equal(bus_sender_get(fixture->bus, client_name(client), handle_ready, &lookup),
			 0);
	bus_fixture_run_until(fixture, &lookup.done);
	assert_non_null(lookup.sender);
	return lookup.sender;
}

static void test_watches(void **state)
{
	struct bus_fixture *fixture = *state;
	struct bus_client client;
	struct bus_sender *sender;
	struct bus_sender_watch *kept = NULL;
	struct bus_sender_watch *ended = NULL;
	struct pair pair = {.gone = false};
	bool kept_gone = false;
	bool ended_gone = false;
	bool other_gone = false;

	bus_client_open(fixture, &client);
	sender = known_sender(fixture, &client);
	assert_int_equal(bus_sender_watch(sender, handle_gone, &kept_gone, &kept), 0);
	assert_int_equal(bus_sender_watch(sender, handle_gone, &ended_gone, &ended), 0);
	assert_int_equal(bus_sender_watch(sender, handle_gone, &other_gone, &pair.other), 0);
	assert_int_equal(bus_sender_watch(sender, handle_gone_ending_both, &pair, &pair.mine), 0);
	ended = bus_sender_unwatch(ended);
	bus_client_close(&client);
	bus_fixture_run_until(fixture, &kept_gone);
	assert_true(pair.gone);
	assert_false(other_gone);
	assert_false(ended_gone);
	kept = bus_sender_unwatch(kept);
	assert_null(bus_sender_unwatch(NULL));
}

static void test_others_leaving_are_ignored(void **state)
{
	struct bus_fixture *fixture = *state;
	struct bus_sender *sender = known_sender(fixture, &fixture->client);
	struct bus_sender_watch *watch = NULL;
	bool gone = false;

	assert_int_equal(bus_sender_watch(sender, handle_gone, &gone, &watch), 0);
	for (unsigned int i = 0; i < 20; i++) {
		struct bus_client client;

		bus_client_open(fixture, &client);
		bus_client_close(&client);
	}
	bus_fixture_settle(fixture);
	assert_false(gone);
	watch = bus_sender_unwatch(watch);
}

static void test_bus_freed_during_the_question(void **state)
{
	struct bus_fixture *fixture = *state;
	struct lookup lookup = {.done = false};
	struct lookup again = {.done = false};
	struct bus_sender *sender = known_sender(fixture, &fixture->client);
	struct bus_sender_watch *watch = NULL;
	bool gone = false;

	assert_int_equal(bus_sender_watch(sender, handle_gone, &gone, &watch), 0);
	lookup.again_on = fixture->bus;
	lookup.again_name = ":1.4712";
	lookup.again = &again;
	assert_int_equal(bus_sender_get(fixture->bus, ":1.4711", handle_ready, &lookup), 0);
	fixture->bus = bus_free(fixture->bus);
	assert_int_equal(lookup.calls, 1);
	assert_null(lookup.sender);
	assert_int_equal(again.calls, 0);
	assert_false(gone);
	watch = bus_sender_unwatch(watch);
}

static void test_connection_lost_during_the_question(void **state)
{
	struct bus_fixture *fixture = *state;
	struct lookup lookup = {.done = false};

	assert_int_equal(bus_sender_get(fixture->bus, ":1.4711", handle_ready, &lookup), 0);
	private_bus_stop(&fixture->daemon);
	bus_fixture_run_until(fixture, &lookup.done);
	assert_int_equal(lookup.calls, 1);
	assert_null(lookup.sender);
	assert_int_equal(bus_sender_get(fixture->bus, ":1.4711", handle_ready, &lookup), -ENOTCONN);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, bus_fixture_set_up, bus_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_known_after_the_first_time),
		TEST(test_refused_names),
		TEST(test_left_before_the_question),
		TEST(test_leaves_during_the_question),
		TEST(test_watches),
		TEST(test_others_leaving_are_ignored),
		TEST(test_bus_freed_during_the_question),
		TEST(test_connection_lost_during_the_question),
	};

	return cmocka_run_group_tests_name("bus-sender", tests, NULL, NULL);
}
