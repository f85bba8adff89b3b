/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A participant of libspaprd: how it joins and leaves, the service and the bus that come and go,
 * and the loop that all of it runs in. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "client_fixture.h"
#include "unit.h"

/* -- joining and leaving -- */

static void test_join_and_leave(void **state)
{
	struct world *world = *state;

	assert_int_equal(
		spaprd_pe_join(world->client, GROUP, &all_callbacks, world, &world->pe, NULL), 0);
	assert_int_equal(spaprd_pe_is_joined(world->pe), 0);
	expect_log(world, "membership 0 ;");
	assert_int_equal(spaprd_pe_is_joined(world->pe), 1);
	assert_int_equal(spaprd_pe_group(world->pe), GROUP);
	expect_calls(world, "Join 3;");
	assert_null(spaprd_pe_leave(world->pe));
	expect_calls(world, "Leave 3 7;");
	assert_null(spaprd_pe_leave(NULL));
	assert_null(spaprd_client_free(NULL));
	/* Nobody is there any more to hear it. */
	peer_signal(world, "ErrorDetected", 5, "frozen");
	expect_silence(world);
}

static void test_callbacks_that_can_not_be(void **state)
{
	struct world *world = *state;
	struct spaprd_pe_callbacks wrong = all_callbacks;
	struct spaprd_pe *pe = NULL;
	struct spaprd_error error;

	wrong.size = sizeof(wrong) - 1;
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &wrong, world, &pe, &error), -EINVAL);
	assert_int_equal(error.errnum, -EINVAL);
	assert_non_null(strstr(error.text, "size"));
	wrong.size = sizeof(wrong);
	wrong.error_detected = NULL;
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &wrong, world, &pe, &error), -EINVAL);
	assert_non_null(strstr(error.text, "error_detected"));
	assert_null(pe);
	expect_silence(world);
}

/* It is told once, and tried again: twice in vain, for that is told once, too. */
static void test_a_refused_join_is_tried_again(void **state)
{
	struct world *world = *state;

	peer_tell(world, "Fail", BUS_ERROR_PREFIX "NotFound");
	assert_int_equal(
		spaprd_pe_join(world->client, GROUP, &all_callbacks, world, &world->pe, NULL), 0);
	expect_log(world, "membership -2 as it was told;");
	peer_tell(world, "Fail", BUS_ERROR_PREFIX "NotFound");
	expect_calls(world, "Join 3;Join 3;");
	expect_log(world, "membership 0 ;");
	expect_calls(world, "Join 3;");
}

static void test_access_denied_is_the_end(void **state)
{
	struct world *world = *state;

	peer_tell(world, "Fail", DBUS_ERROR_ACCESS_DENIED);
	assert_int_equal(
		spaprd_pe_join(world->client, GROUP, &all_callbacks, world, &world->pe, NULL), 0);
	expect_log(world, "membership -13 as it was told;");
	expect_calls(world, "Join 3;");
	for (int i = 0; i < 12; i++) {
		(void)spaprd_client_wait(world->client, 100);
	}
	expect_silence(world);
}

static void test_an_answer_that_can_not_be(void **state)
{
	struct world *world = *state;

	peer_tell(world, "Fail", "type");
	assert_int_equal(
		spaprd_pe_join(world->client, GROUP, &all_callbacks, world, &world->pe, NULL), 0);
	expect_log(world, "membership -71 spaprd's answer can't be right: \"ss\" instead of "
			  "\"u\";");
}

/* The cookie that comes later is given back. */
static void test_leaving_before_the_answer(void **state)
{
	struct world *world = *state;

	peer_tell(world, "Hold", "");
	assert_int_equal(
		spaprd_pe_join(world->client, GROUP, &all_callbacks, world, &world->pe, NULL), 0);
	expect_calls(world, "Join 3;");
	(void)spaprd_pe_leave(world->pe);
	peer_tell(world, "Release", "");
	expect_calls(world, "Leave 3 7;");
	expect_silence(world);
}

static void test_two_participants(void **state)
{
	struct world *world = *state;
	struct spaprd_pe *other = NULL;

	join_group(world);
	assert_int_equal(spaprd_pe_join(world->client, 4, &all_callbacks, world, &other, NULL), 0);
	expect_log(world, "membership 0 ;");
	expect_calls(world, "Join 4;");
	world->vote[SPAPRD_STEP_ERROR_DETECTED] = SPAPRD_VOTE_CAN_RECOVER;
	peer_signal_at(world, BUS_PATH_GROUP_PREFIX "4", "ErrorDetected", 9, "frozen");
	expect_log(world, "error-detected 9 1;");
	expect_calls(world, "Vote 4 8 9 can-recover;");
}

/* -- the service and the bus come and go -- */

static void test_a_service_that_comes_later(void **state)
{
	struct world *world = *state;

	assert_int_equal(
		spaprd_pe_join(world->client, GROUP, &all_callbacks, world, &world->pe, NULL), 0);
	for (int i = 0; i < PATIENCE / 10 && !world->log[0]; i++) {
		(void)spaprd_client_wait(world->client, 10);
	}
	assert_int_equal(strncmp(world->log, "membership -112 ", 16), 0);
	world->log[0] = '\0';
	assert_int_equal(spaprd_pe_vote(world->pe, 1, SPAPRD_STEP_ERROR_DETECTED,
					SPAPRD_VOTE_NEED_RESET, NULL),
			 -ENOTCONN);
	peer_start(world);
	expect_log(world, "membership 0 ;");
	expect_calls(world, "Join 3;");
}

static void test_a_service_that_is_started_again(void **state)
{
	struct world *world = *state;

	join_group(world);
	peer_signal(world, "ErrorDetected", 5, "frozen");
	expect_log(world, "error-detected 5 1;");
	peer_stop(world);
	expect_log(world, "membership -112 spaprd has left the bus;");
	peer_start(world);
	expect_log(world, "membership 0 ;");
	expect_calls(world, "Join 3;");
	/* What was under way before is not any more. */
	assert_int_equal(spaprd_pe_vote(world->pe, 5, SPAPRD_STEP_ERROR_DETECTED,
					SPAPRD_VOTE_NEED_RESET, NULL),
			 -ESTALE);
	peer_signal(world, "SlotReset", 5, "");
	expect_silence(world);
}

/* The answer to the first Join never comes; what a check was told is told. */
static void test_a_service_that_ends_before_it_answers(void **state)
{
	struct world *world = *state;

	peer_tell(world, "Hold", "");
	assert_int_equal(
		spaprd_pe_join(world->client, GROUP, &all_callbacks, world, &world->pe, NULL), 0);
	expect_calls(world, "Join 3;");
	peer_stop(world);
	peer_start(world);
	expect_log(world, "membership 0 ;");
	expect_calls(world, "Join 3;");
	peer_tell(world, "Hold", "");
	assert_int_equal(spaprd_pe_check(world->pe, NULL), 0);
	expect_calls(world, "Check 3;");
	peer_stop(world);
	for (int i = 0; i < PATIENCE / 10 && !strstr(world->log, "checked"); i++) {
		(void)spaprd_client_wait(world->client, 10);
	}
	assert_non_null(strstr(world->log, "checked -112 "));
}

static void test_a_bus_that_ends(void **state)
{
	struct world *world = *state;
	struct spaprd_pe *pe = NULL;
	struct pollfd fd = {.fd = spaprd_client_fd(world->client), .events = POLLIN};

	join_group(world);
	private_bus_stop(&world->bus);
	assert_int_equal(poll(&fd, 1, PATIENCE), 1);
	expect_log(world, "membership -104 the bus closed the connection;");
	assert_int_equal(spaprd_pe_dispatch(world->client), -ECONNRESET);
	assert_int_equal(spaprd_client_wait(world->client, -1), -ECONNRESET);
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &all_callbacks, world, &pe, NULL),
			 -ECONNRESET);
	assert_int_equal(spaprd_pe_check(world->pe, NULL), -ECONNRESET);
	assert_null(pe);
}

static void test_no_bus(void **state)
{
	struct spaprd_client *client = NULL;
	struct spaprd_error error;

	(void)state;
	assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:abstract=spaprd-none", 1), 0);
	assert_int_equal(spaprd_client_connect_blocking(&client, &error), -ECONNREFUSED);
	assert_non_null(strstr(error.text, "can't reach the system bus"));
	assert_null(client);
	dbus_shutdown(); /* it has the address */
}

/* -- the loop -- */

/* Nothing waits, and the fd says when there is something. */
static void test_the_fd(void **state)
{
	struct world *world = *state;
	struct pollfd fd = {.fd = spaprd_client_fd(world->client), .events = POLLIN};

	join_group(world);
	while (poll(&fd, 1, 50) > 0) {
		assert_int_equal(spaprd_pe_dispatch(world->client), 0);
	}
	assert_int_equal(spaprd_pe_dispatch(world->client), 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
	peer_signal(world, "Disconnect", 5, "");
	assert_int_equal(poll(&fd, 1, PATIENCE), 1);
	assert_string_equal(world->log, "");
	expect_log(world, "disconnect 5;");
	assert_int_equal(spaprd_client_wait(world->client, 0), 0);
}

/* The test dispatches: libspaprd has no part in that. */
static void test_a_connection_of_the_callers(void **state)
{
	struct world *world = *state;
	DBusConnection *connection = dbus_bus_get_private(DBUS_BUS_SYSTEM, NULL);
	struct spaprd_client *client = NULL;
	struct spaprd_pe *pe = NULL;
	struct spaprd_pe *late = NULL;

	assert_non_null(connection);
	assert_int_equal(spaprd_client_new(connection, &client, NULL), 0);
	peer_tell(world, "Fail", BUS_ERROR_PREFIX "Busy");
	assert_int_equal(spaprd_pe_join(client, GROUP, &all_callbacks, world, &pe, NULL), 0);
	while (strcmp(world->log, "membership -16 as it was told;") != 0) {
		assert_true(dbus_connection_read_write_dispatch(connection, PATIENCE));
	}
	world->log[0] = '\0';
	assert_int_equal(spaprd_client_wait(client, PATIENCE), 0); /* for the retry */
	while (strcmp(world->log, "membership 0 ;") != 0) {
		(void)spaprd_client_wait(client, 10);
		assert_true(dbus_connection_read_write_dispatch(connection, 10));
	}
	peer_tell(world, "Hold", "");
	assert_int_equal(spaprd_pe_join(client, 4, &all_callbacks, world, &late, NULL), 0);
	dbus_connection_flush(connection);
	expect_calls(world, "Join 3;Join 3;Join 4;");
	assert_null(spaprd_client_free(client));
	dbus_connection_flush(connection);
	expect_calls(world, "Leave 3 7;");
	/* The connection is as it was; a cookie that came too late is given back. */
	peer_tell(world, "Release", "");
	while (strcmp(world->calls, "Leave 4 8;") != 0) {
		assert_true(dbus_connection_read_write_dispatch(connection, 10));
		peer_read_calls(world);
	}
	world->calls[0] = '\0';
	dbus_connection_close(connection);
	assert_int_equal(spaprd_client_new(connection, &client, NULL), -ECONNRESET);
	dbus_connection_unref(connection);
}

/* All is freed with the client: the leak sanitizer watches. */
static void test_free_with_everything_under_way(void **state)
{
	struct world *world = *state;
	struct spaprd_pe *pe = NULL;

	join_group(world);
	peer_tell(world, "Hold", "");
	assert_int_equal(spaprd_pe_check(world->pe, NULL), 0);
	expect_calls(world, "Check 3;");
	for (uint32_t group = 10; group < 20; group++) {
		assert_int_equal(
			spaprd_pe_join(world->client, group, &all_callbacks, world, &pe, NULL), 0);
	}
	world->client = spaprd_client_free(world->client);
	assert_string_equal(world->log, "");
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, client_fixture_set_up_with_peer, \
					client_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_join_and_leave),
		TEST(test_callbacks_that_can_not_be),
		TEST(test_a_refused_join_is_tried_again),
		TEST(test_access_denied_is_the_end),
		TEST(test_an_answer_that_can_not_be),
		TEST(test_leaving_before_the_answer),
		TEST(test_two_participants),
		cmocka_unit_test_setup_teardown(test_a_service_that_comes_later,
						client_fixture_set_up, client_fixture_tear_down),
		TEST(test_a_service_that_is_started_again),
		TEST(test_a_service_that_ends_before_it_answers),
		TEST(test_a_bus_that_ends),
		cmocka_unit_test(test_no_bus),
		TEST(test_the_fd),
		TEST(test_a_connection_of_the_callers),
		TEST(test_free_with_everything_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
