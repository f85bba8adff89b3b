/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operations on a PE, one to one with the kernel's, and what its state is afterwards: those of
 * a caller that recovers by itself. Policy leaves it alone (mode = manual).
 */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "eeh.h"
#include "open_device.h"

#define MANUAL QUICK_POLICY "mode = manual\n"
/* Without a look in between: one that is under way keeps a group from joining. */
#define SHARED                                                                      \
	"[recovery]\nmode = manual\nidle-poll = 1h\nfast-poll-for = 0s\n[window]\n" \
	"container-sharing = yes\n"
#define MAY_INJECT  MANUAL "injection = yes\n"
#define MEMORY_SIZE UINT64_C(0x100000)

/* Of an ordinary user, as the lab's guest and most machines have one without a name. */
#define ORDINARY_UID 1000U

/* Freeze it, and wait until that is told of, and known that policy leaves it alone. */
static void freeze_and_wait(const struct world *world, const struct eeh_stage *stage,
			    const char *device, enum freeze what, const char *state)
{
	freeze_pe(world, device, what);
	assert_string_equal(observer_expect(&stage->observer, "Frozen").text, state);
	pe_wait_for_text(world, &stage->observer, "Recovery", "awaiting-request");
	pe_expect_check(world, &stage->observer, state);
}

/* -- states -- */

struct operation_case {
	const char *operation;
	const char *state; /* afterwards */
};

static void run_cases(const struct world *world, const char *device, enum freeze what,
		      const char *frozen, const struct operation_case *cases)
{
	struct eeh_stage stage = eeh_stage_open(world, device, MANUAL);

	pe_expect_check(world, &stage.observer, "normal");
	freeze_and_wait(world, &stage, device, what, frozen);
	for (; cases->operation; cases++) {
		pe_operate(world, &stage.observer, cases->operation, NULL);
		/* It is known with the answer, and is no other when it is looked at again. */
		pe_expect_text(world, &stage.observer, "State", cases->state);
		pe_expect_check(world, &stage.observer, cases->state);
		/* What was waiting for a request is over, once that has been looked at twice. */
		if (strcmp(cases->state, "normal") == 0) {
			pe_wait_for_text(world, &stage.observer, "Recovery", "idle");
		}
	}
	eeh_stage_close(world, &stage);
}

static void test_thaw_of_both(void **state)
{
	static const struct operation_case cases[] = {
		{"Disable", "stopped"},   {"UnfreezeIo", "stopped-dma"}, {"UnfreezeDma", "normal"},
		{"UnfreezeIo", "normal"}, {"UnfreezeDma", "normal"},     {"Configure", "normal"},
		{.operation = NULL},
	};

	skip_without_freezes((const struct world *)*state);
	run_cases(*state, ((const struct world *)*state)->host->nic, FREEZE_BOTH, "stopped", cases);
}

static void test_thaw_of_dma(void **state)
{
	static const struct operation_case cases[] = {
		{"UnfreezeIo", "stopped-dma"}, {"UnfreezeDma", "normal"}, {.operation = NULL}};

	skip_without_freezes((const struct world *)*state);
	run_cases(*state, ((const struct world *)*state)->host->nic, FREEZE_DMA, "stopped-dma",
		  cases);
}

/* The kernel's number is that of a bridge that the host recovers (H43). */
static void test_h43_mmio_alone_is_stopped(void **state)
{
	static const struct operation_case cases[] = {{"UnfreezeIo", "normal"},
						      {.operation = NULL}};

	skip_without_freezes((const struct world *)*state);
	run_cases(*state, ((const struct world *)*state)->host->nic, FREEZE_IO, "unavailable",
		  cases);
}

static void test_enable_thaws(void **state)
{
	static const struct operation_case cases[] = {
		{"Enable", "normal"}, {"Enable", "normal"}, {.operation = NULL}};

	skip_without_freezes((const struct world *)*state);
	run_cases(*state, ((const struct world *)*state)->host->nic, FREEZE_BOTH, "stopped", cases);
}

/* What was asked for, whether it worked and how long it took are to be seen afterwards. */
static void expect_last_operation(const struct world *world, const struct observer *observer,
				  const char *name, const char *outcome)
{
	DBusMessage *reply =
		get_property(world->client, observer->path, BUS_INTERFACE_PE, "LastOperation");
	DBusMessageIter iter;
	DBusMessageIter value;
	DBusMessageIter fields;
	const char *text = NULL;

	assert_true(dbus_message_iter_init(reply, &iter));
	dbus_message_iter_recurse(&iter, &value);
	dbus_message_iter_recurse(&value, &fields);
	dbus_message_iter_get_basic(&fields, &text);
	assert_string_equal(text, name);
	assert_true(dbus_message_iter_next(&fields) && dbus_message_iter_next(&fields));
	dbus_message_iter_get_basic(&fields, &text);
	assert_string_equal(text, outcome);
	dbus_message_unref(reply);
}

static void reset_and_deactivate(const struct world *world, const char *kind, const char *name)
{
	struct eeh_stage stage = eeh_stage_open(world, world->host->nic, MANUAL);
	uint32_t freezes = pe_number(world, &stage.observer, "Freezes");
	struct pe_signal signal;

	(void)pe_reset_stubbornly(world, &stage.observer, kind);
	expect_last_operation(world, &stage.observer, name, "done");
	/* A reset that a caller has asserted is no freeze. */
	assert_false(observer_next(&stage.observer, 300, &signal));
	pe_operate(world, &stage.observer, "deactivate", NULL);
	pe_operate(world, &stage.observer, "Configure", NULL);
	pe_expect_check(world, &stage.observer, "normal");
	assert_int_equal(pe_number(world, &stage.observer, "Freezes"), freezes);
	eeh_stage_close(world, &stage);
}

static void test_hot_reset(void **state)
{
	skip_without_eeh((const struct world *)*state);
	reset_and_deactivate(*state, "hot", "reset-hot");
}

static void test_fundamental_reset(void **state)
{
	skip_without_eeh((const struct world *)*state);
	refuse_a_reset(*state);
	reset_and_deactivate(*state, "fundamental", "reset-fundamental");
}

static void test_unknown_reset(void **state)
{
	const struct world *world = *state;
	struct eeh_stage stage;

	skip_without_eeh(world);
	stage = eeh_stage_open(world, world->host->nic, MANUAL);
	pe_operate(world, &stage.observer, "warm", "InvalidArgument");
	assert_non_null(strstr(last_error_text(), "fundamental"));
	eeh_stage_close(world, &stage);
}

/* -- who can be operated on -- */

static void test_h42_groups_that_share_a_container(void **state)
{
	static const char *const operations[] = {
		"Enable", "Disable", "UnfreezeIo", "UnfreezeDma", "Configure", "hot", "deactivate"};
	const struct world *world = *state;
	char other[32];
	struct eeh_stage stage;

	skip_without_eeh(world);
	stage = eeh_stage_open(world, world->host->nic, SHARED);
	pe_expect_check(world, &stage.observer, "normal");
	attach(world->client, stage.space, world->host->edu, NULL);
	(void)snprintf(other, sizeof(other), "shares it with %u",
		       group_of(world->client, world->host->edu));
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		pe_operate(world, &stage.observer, operations[i], "EehManyGroups");
		if (!strstr(last_error_text(), other)) {
			fail_msg("\"%s\" does not name %s", last_error_text(), other);
		}
	}
	/* Alone again, it can be. */
	detach(world->client, stage.space, world->host->edu, NULL);
	pe_operate(world, &stage.observer, "Enable", NULL);
	pe_expect_check(world, &stage.observer, "normal");
	eeh_stage_close(world, &stage);
}

static void test_group_without_a_space(void **state)
{
	const struct world *world = *state;
	struct observer observer;

	skip_without_eeh(world);
	observer = observer_open(world, world->host->nic);
	pe_operate(world, &observer, "Enable", "NotFound");
	pe_operate(world, &observer, "hot", "NotFound");
	observer_close(&observer);
}

static void test_host_without_eeh(void **state)
{
	const struct world *world = *state;
	struct observer observer;

	if (world->host->has_eeh) {
		skip_because("the host has EEH");
	}
	observer = observer_open(world, world->host->nic);
	pe_operate(world, &observer, "Enable", DBUS_ERROR_UNKNOWN_INTERFACE);
	observer_close(&observer);
}

/* -- errors on request -- */

static void inject(const struct world *world, const struct observer *observer, uint32_t type,
		   const char *refusal)
{
	uint32_t function = 0;
	uint64_t address = 0;
	DBusMessage *reply =
		call(world->client, observer->path, BUS_INTERFACE_PE, "Inject", refusal,
		     DBUS_TYPE_UINT32, &type, DBUS_TYPE_UINT32, &function, DBUS_TYPE_UINT64,
		     &address, DBUS_TYPE_UINT64, &address, DBUS_TYPE_INVALID);

	if (reply) {
		dbus_message_unref(reply);
	}
}

static void test_h52_injection_needs_policy(void **state)
{
	const struct world *world = *state;
	struct eeh_stage stage;

	skip_without_eeh(world);
	stage = eeh_stage_open(world, world->host->nic, MANUAL);
	inject(world, &stage.observer, 0, DBUS_ERROR_ACCESS_DENIED);
	assert_non_null(strstr(last_error_text(), "injection = yes"));
	/* With it the answer is the kernel's: of a type that there isn't, on every host. */
	set_policy(world, MAY_INJECT, NULL);
	inject(world, &stage.observer, 9, "InvalidArgument");
	pe_expect_check(world, &stage.observer, "normal");
	eeh_stage_close(world, &stage);
}

/* The child's answer is its exit status, for an assertion of its own would be lost. */
static int inject_as_ordinary_user(const char *path)
{
	uint32_t number = 0;
	uint64_t address = 0;
	DBusConnection *client;
	DBusMessage *message;
	DBusMessage *reply;
	DBusError error = DBUS_ERROR_INIT;

	if (setgroups(0, NULL) < 0 || setgid(ORDINARY_UID) < 0 || setuid(ORDINARY_UID) < 0) {
		return 2;
	}
	client = dbus_bus_get_private(DBUS_BUS_SYSTEM, NULL);
	if (!client) {
		return 3;
	}
	message = dbus_message_new_method_call(BUS_NAME, path, BUS_INTERFACE_PE, "Inject");
	(void)dbus_message_append_args(message, DBUS_TYPE_UINT32, &number, DBUS_TYPE_UINT32,
				       &number, DBUS_TYPE_UINT64, &address, DBUS_TYPE_UINT64,
				       &address, DBUS_TYPE_INVALID);
	reply = dbus_connection_send_with_reply_and_block(client, message, 10000, &error);
	return !reply && dbus_error_has_name(&error, DBUS_ERROR_ACCESS_DENIED) ? 0 : 1;
}

static void test_injection_is_for_operators(void **state)
{
	const struct world *world = *state;
	struct eeh_stage stage;
	int status = -1;
	pid_t pid;

	skip_without_eeh(world);
	if (geteuid() != 0) {
		skip_because("only root can be somebody else");
	}
	stage = eeh_stage_open(world, world->host->nic, MAY_INJECT);
	pid = fork();
	if (pid == 0) {
		_exit(inject_as_ordinary_user(stage.observer.path));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	eeh_stage_close(world, &stage);
}

/* -- devices -- */

static void test_open_device(void **state)
{
	const struct world *world = *state;
	struct open_device device;
	struct open_device again;
	struct eeh_stage stage;

	skip_without_eeh(world);
	stage = eeh_stage_open(world, world->host->nic, MANUAL);
	device = open_device(world, world->client, world->host->nic, NULL);
	open_device_make_master(&device);
	/* Once more is no reset. */
	again = open_device(world, world->client, world->host->nic, NULL);
	assert_true(open_device_is_master(&device));
	assert_true(open_device_is_master(&again));
	open_device_close(&device);
	open_device_close(&again);
	eeh_stage_close(world, &stage);
}

static void test_h45_frozen_devices_are_not_opened(void **state)
{
	const struct world *world = *state;
	struct open_device device;
	struct eeh_stage stage;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, MANUAL);
	freeze_and_wait(world, &stage, world->host->nic, FREEZE_BOTH, "stopped");
	device = open_device(world, world->client, world->host->nic, "Frozen");
	assert_int_equal(device.fd, -1);
	pe_expect_check(world, &stage.observer, "stopped");
	pe_operate(world, &stage.observer, "Enable", NULL);
	pe_wait_for_text(world, &stage.observer, "Recovery", "idle");
	device = open_device(world, world->client, world->host->nic, NULL);
	open_device_close(&device);
	eeh_stage_close(world, &stage);
}

/* A program that dies leaves its device to spaprd, so the freeze is not lost with it. */
static void test_h45_closing_thaws_nothing(void **state)
{
	const struct world *world = *state;
	struct open_device device;
	struct eeh_stage stage;

	skip_without_freezes(world);
	stage = eeh_stage_open(world, world->host->nic, MANUAL);
	device = open_device(world, world->client, world->host->nic, NULL);
	freeze_and_wait(world, &stage, world->host->nic, FREEZE_BOTH, "stopped");
	open_device_close(&device);
	(void)usleep(100000);
	pe_expect_check(world, &stage.observer, "stopped");
	pe_operate(world, &stage.observer, "Enable", NULL);
	eeh_stage_close(world, &stage);
}

/* -- meanwhile -- */

/* A reset takes seconds: nothing else waits for it, and only one thing at a time is done to a PE.
 */
static void test_h49_nothing_waits_for_a_reset(void **state)
{
	const struct world *world = *state;
	int fd = memory_new(MEMORY_SIZE);
	DBusPendingCall *pending;
	struct open_device device;
	struct pe_reply reply;
	struct eeh_stage stage;
	uint64_t began;

	if (!world->host->has_eeh) {
		(void)close(fd);
	}
	skip_without_eeh(world);
	stage = eeh_stage_open(world, world->host->nic, MANUAL);
	device = open_device(world, world->client, world->host->nic, NULL);
	(void)add_memory(world->client, stage.space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	slow_down_resets(world, 1500);
	began = now_in_ms();
	pending = pe_send(world->client, &stage.observer, "Reset", "hot");
	pe_operate(world, &stage.observer, "Enable", "Busy");
	pe_operate(world, &stage.observer, "hot", "Busy");
	detach(world->client, stage.space, world->host->nic, "Busy");
	map(world->client, stage.space, 0, 0, MEMORY_SIZE, PROT_DEVICE_BOTH, NULL);
	unmap(world->client, stage.space, 0, MEMORY_SIZE, NULL);
	attach(world->client, stage.space, world->host->edu, NULL);
	assert_false(dbus_pending_call_get_completed(pending));
	reply = pe_receive(pending);
	assert_string_equal(reply.error, "");
	assert_true(now_in_ms() - began >= 1000);
	slow_down_resets(world, 0);
	pe_operate(world, &stage.observer, "deactivate", NULL);
	pe_expect_check(world, &stage.observer, "normal");
	open_device_close(&device);
	(void)close(fd);
	eeh_stage_close(world, &stage);
}

#define TEST(function) cmocka_unit_test_teardown(function, forget_policy)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_thaw_of_both),
		TEST(test_thaw_of_dma),
		TEST(test_h43_mmio_alone_is_stopped),
		TEST(test_enable_thaws),
		TEST(test_hot_reset),
		TEST(test_fundamental_reset),
		TEST(test_unknown_reset),
		TEST(test_h42_groups_that_share_a_container),
		TEST(test_group_without_a_space),
		TEST(test_host_without_eeh),
		TEST(test_h52_injection_needs_policy),
		TEST(test_injection_is_for_operators),
		TEST(test_open_device),
		TEST(test_h45_frozen_devices_are_not_opened),
		TEST(test_h45_closing_thaws_nothing),
		TEST(test_h49_nothing_waits_for_a_reset),
	};

	return cmocka_run_group_tests_name("eeh-operations", tests, world_start_eeh, world_stop);
}
