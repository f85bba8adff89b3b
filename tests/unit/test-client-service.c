/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libspaprd with spaprd itself, on a simulated host and on a bus of the test's own. */
#include <dbus/dbus.h>
#include <errno.h>
#include <signal.h>
#include <spaprd/pe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/names.h"
#include "support/private_bus.h"
#include "unit.h"

#define GROUP    1U
#define PATIENCE 20000 /* ms: a recovery holds and settles for two seconds */

struct world {
	struct private_bus bus;
	pid_t service;
	DBusConnection *owner; /* of the address space */
	struct spaprd_client *client;
	struct spaprd_pe *pe;
	char log[1024]; /* what the callbacks were told */
	enum spaprd_vote first_vote;
};

/* -- spaprd, and an address space with the group -- */

static void start_service(struct world *world)
{
	assert_int_equal(setenv(ENV_WORKER, WORKER, 1), 0);
	assert_int_equal(setenv(ENV_SIMHOST, SIMHOST, 1), 0);
	world->service = fork();
	assert_true(world->service >= 0);
	if (world->service == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)execl(SERVICE, "spaprd", "--simulate=powernv9,pace=0", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < PATIENCE / 20; i++) {
		if (dbus_bus_name_has_owner(world->owner, BUS_NAME, NULL)) {
			return;
		}
		(void)usleep(20000);
	}
	fail_msg("spaprd did not come");
}

static void stop_service(struct world *world)
{
	(void)kill(world->service, SIGTERM);
	(void)waitpid(world->service, NULL, 0);
}

/* Send a call, which must work; the reply is the caller's. */
static DBusMessage *call(struct world *world, DBusMessage *message)
{
	DBusError error = DBUS_ERROR_INIT;
	DBusMessage *reply =
		dbus_connection_send_with_reply_and_block(world->owner, message, PATIENCE, &error);

	dbus_message_unref(message);
	if (!reply) {
		fail_msg("%s: %s", error.name, error.message);
	}
	return reply;
}

static void append_no_options(DBusMessage *message)
{
	DBusMessageIter iter;
	DBusMessageIter dictionary;

	dbus_message_iter_init_append(message, &iter);
	assert_true(dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &dictionary));
	assert_true(dbus_message_iter_close_container(&iter, &dictionary));
}

static void attach_group(struct world *world)
{
	const dbus_uint32_t group = GROUP;
	const char *path = NULL;
	DBusMessage *message = dbus_message_new_method_call(
		BUS_NAME, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "CreateAddressSpace");
	DBusMessage *reply;

	append_no_options(message);
	reply = call(world, message);
	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &path,
					  DBUS_TYPE_INVALID));
	message = dbus_message_new_method_call(BUS_NAME, path, BUS_INTERFACE_SPACE, "AttachGroup");
	assert_true(dbus_message_append_args(message, DBUS_TYPE_UINT32, &group, DBUS_TYPE_INVALID));
	append_no_options(message);
	dbus_message_unref(call(world, message));
	dbus_message_unref(reply);
}

static void freeze(struct world *world)
{
	const dbus_uint32_t group = GROUP;
	const char *what = "both";
	DBusMessage *message = dbus_message_new_method_call(BUS_NAME, BUS_PATH_MANAGER,
							    BUS_INTERFACE_SIMULATOR, "Freeze");

	assert_true(dbus_message_append_args(message, DBUS_TYPE_UINT32, &group, DBUS_TYPE_STRING,
					     &what, DBUS_TYPE_INVALID));
	dbus_message_unref(call(world, message));
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->bus = PRIVATE_BUS_NONE;
	assert_int_equal(private_bus_start(&world->bus), 0);
	world->owner = dbus_bus_get_private(DBUS_BUS_SYSTEM, NULL);
	assert_non_null(world->owner);
	dbus_connection_set_exit_on_disconnect(world->owner, FALSE);
	start_service(world);
	assert_int_equal(spaprd_client_connect_blocking(&world->client, NULL), 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	world->client = spaprd_client_free(world->client);
	stop_service(world);
	dbus_connection_close(world->owner);
	dbus_connection_unref(world->owner);
	private_bus_stop(&world->bus);
	free(world);
	dbus_shutdown();
	return 0;
}

/* -- the participant -- */

static void note(struct world *world, const char *text)
{
	size_t used = strlen(world->log);

	(void)snprintf(world->log + used, sizeof(world->log) - used, "%s;", text);
}

static enum spaprd_vote error_detected(void *userdata, struct spaprd_pe *pe, uint32_t event,
				       enum spaprd_channel channel)
{
	struct world *world = userdata;

	(void)pe;
	(void)event;
	note(world, channel == SPAPRD_CHANNEL_FROZEN ? "frozen" : "another channel");
	return world->first_vote;
}

static enum spaprd_vote mmio_enabled(void *userdata, struct spaprd_pe *pe, uint32_t event)
{
	note(userdata, "mmio-enabled");
	/* A late one. */
	assert_int_equal(
		spaprd_pe_vote(pe, event, SPAPRD_STEP_MMIO_ENABLED, SPAPRD_VOTE_RECOVERED, NULL),
		0);
	return SPAPRD_VOTE_LATER;
}

static enum spaprd_vote slot_reset(void *userdata, struct spaprd_pe *pe, uint32_t event)
{
	(void)pe;
	(void)event;
	note(userdata, "slot-reset");
	return SPAPRD_VOTE_RECOVERED;
}

static void resume(void *userdata, struct spaprd_pe *pe, uint32_t event)
{
	(void)pe;
	(void)event;
	note(userdata, "resume");
}

static void disconnect(void *userdata, struct spaprd_pe *pe, uint32_t event)
{
	(void)pe;
	(void)event;
	note(userdata, "disconnect");
}

static void done(void *userdata, struct spaprd_pe *pe, uint32_t event, int recovered,
		 uint32_t milliseconds, const char *why)
{
	(void)pe;
	(void)event;
	(void)milliseconds;
	(void)why;
	note(userdata, recovered ? "recovered" : "failed");
}

static void membership(void *userdata, struct spaprd_pe *pe, int errnum, const char *text)
{
	(void)pe;
	(void)text;
	note(userdata, errnum == 0 ? "joined" : errnum == -EHOSTDOWN ? "left" : strerror(-errnum));
}

static void vote_failed(void *userdata, struct spaprd_pe *pe, uint32_t event, int errnum,
			const char *text)
{
	(void)pe;
	(void)event;
	(void)errnum;
	note(userdata, text);
}

static const struct spaprd_pe_callbacks callbacks = {
	.size = sizeof(callbacks),
	.error_detected = error_detected,
	.mmio_enabled = mmio_enabled,
	.slot_reset = slot_reset,
	.resume = resume,
	.disconnect = disconnect,
	.done = done,
	.membership = membership,
	.vote_failed = vote_failed,
};

static void expect_log(struct world *world, const char *expected)
{
	for (int i = 0; i < PATIENCE / 20 && strcmp(world->log, expected) != 0; i++) {
		(void)spaprd_client_wait(world->client, 20);
	}
	assert_string_equal(world->log, expected);
	world->log[0] = '\0';
}

static void join(struct world *world)
{
	assert_int_equal(spaprd_pe_join(world->client, GROUP, &callbacks, world, &world->pe, NULL),
			 0);
	expect_log(world, "joined;");
}

/* -- recoveries -- */

static void recover(struct world *world, enum spaprd_vote vote, const char *expected)
{
	attach_group(world);
	join(world);
	world->first_vote = vote;
	freeze(world);
	assert_int_equal(spaprd_pe_check(world->pe, NULL), 0);
	expect_log(world, expected);
}

static void test_recovery_without_a_reset(void **state)
{
	recover(*state, SPAPRD_VOTE_CAN_RECOVER, "frozen;mmio-enabled;resume;recovered;");
}

static void test_recovery_with_a_reset(void **state)
{
	recover(*state, SPAPRD_VOTE_NEED_RESET, "frozen;slot-reset;resume;recovered;");
}

static void test_giving_up(void **state)
{
	recover(*state, SPAPRD_VOTE_DISCONNECT, "frozen;disconnect;failed;");
}

static void test_spaprd_is_started_again(void **state)
{
	struct world *world = *state;

	attach_group(world);
	join(world);
	stop_service(world);
	expect_log(world, "left;");
	start_service(world);
	attach_group(world);
	for (int i = 0; i < PATIENCE / 20 && !spaprd_pe_is_joined(world->pe); i++) {
		(void)spaprd_client_wait(world->client, 20);
	}
	/* The first try may have come before the group was attached. */
	assert_int_equal(spaprd_pe_is_joined(world->pe), 1);
	world->log[0] = '\0';
	world->first_vote = SPAPRD_VOTE_CAN_RECOVER;
	freeze(world);
	expect_log(world, "frozen;mmio-enabled;resume;recovered;");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_recovery_without_a_reset),
		TEST(test_recovery_with_a_reset),
		TEST(test_giving_up),
		TEST(test_spaprd_is_started_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
