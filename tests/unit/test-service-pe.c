/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Pe: operations, Check, and who may call what. And the opening of devices. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "pe_stage.h"

/* -- operations -- */

static const struct {
	const char *method;
	const char *kind; /* of Reset */
	uint32_t operation;
	const char *name;
} operations[] = {
	{"Enable", NULL, WORKER_PE_ENABLE, "enable"},
	{"Disable", NULL, WORKER_PE_DISABLE, "disable"},
	{"UnfreezeIo", NULL, WORKER_PE_UNFREEZE_IO, "unfreeze-io"},
	{"UnfreezeDma", NULL, WORKER_PE_UNFREEZE_DMA, "unfreeze-dma"},
	{"Configure", NULL, WORKER_PE_CONFIGURE, "configure"},
	{"Reset", "hot", WORKER_PE_RESET_HOT, "reset-hot"},
	{"Reset", "fundamental", WORKER_PE_RESET_FUNDAMENTAL, "reset-fundamental"},
	{"Reset", "deactivate", WORKER_PE_DEACTIVATE, "deactivate"},
};

#define OPERATION_COUNT (sizeof(operations) / sizeof(*operations))

static DBusMessage *operation_message(size_t i)
{
	return operations[i].kind ? pe_message_with("Reset", DBUS_TYPE_STRING, &operations[i].kind,
						    DBUS_TYPE_INVALID)
				  : pe_message(operations[i].method);
}

static DBusMessage *reset_message(const char *kind)
{
	return pe_message_with("Reset", DBUS_TYPE_STRING, &kind, DBUS_TYPE_INVALID);
}

static DBusMessage *inject_message(void)
{
	dbus_uint32_t type = 1;
	dbus_uint32_t function = 3;
	dbus_uint64_t address = 0x3fe000000000;
	dbus_uint64_t mask = 0xfffff000;

	return pe_message_with("Inject", DBUS_TYPE_UINT32, &type, DBUS_TYPE_UINT32, &function,
			       DBUS_TYPE_UINT64, &address, DBUS_TYPE_UINT64, &mask,
			       DBUS_TYPE_INVALID);
}

struct last_operation {
	char name[32];
	dbus_uint32_t milliseconds;
	char outcome[32];
};

static struct last_operation get_last_operation(void)
{
	struct last_operation last = {.milliseconds = 0};
	const char *text = NULL;
	DBusMessageIter value;
	DBusMessageIter fields;
	DBusMessage *answer = pe_get("LastOperation", &value);

	dbus_message_iter_recurse(&value, &fields);
	dbus_message_iter_get_basic(&fields, &text);
	(void)snprintf(last.name, sizeof(last.name), "%s", text);
	(void)dbus_message_iter_next(&fields);
	dbus_message_iter_get_basic(&fields, &last.milliseconds);
	(void)dbus_message_iter_next(&fields);
	dbus_message_iter_get_basic(&fields, &text);
	(void)snprintf(last.outcome, sizeof(last.outcome), "%s", text);
	dbus_message_unref(answer);
	return last;
}

/* The interface is there for a group that has a PE, and for no other. */
static void test_where_it_is(void **state)
{
	DBusMessage *message =
		bus_fixture_message(BUS_PATH_GROUP_PREFIX "2", BUS_INTERFACE_PE, "Check");

	(void)state;
	(void)pe_call_fails(pe_client(), message, DBUS_ERROR_UNKNOWN_INTERFACE);
	assert_string_equal(pe_get_text("State"), "unknown");
	assert_string_equal(pe_get_text("Recovery"), "idle");
	assert_string_equal(pe_get_text("Policy"), "default");
	assert_int_equal(pe_get_number("Freezes"), 0);
	assert_int_equal(pe_get_number("FreezesLeft"), 5);
	assert_int_equal(pe_get_number("Participants"), 0);
	assert_string_equal(get_last_operation().name, "");
	assert_string_equal(get_last_operation().outcome, "");
}

/* The host's code is there before there was an event. */
static void test_location(void **state)
{
	static const char *const folders[] = {"firmware", "firmware/devicetree",
					      "firmware/devicetree/base",
					      "firmware/devicetree/base/slot"};
	static const char code[] = "UOPWR.SLOT1";
	char path[256];
	char link[256];
	FILE *file;

	(void)state;
	assert_string_equal(pe_get_text("Location"), "");
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", stage.sysfs, folders[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	(void)snprintf(link, sizeof(link), "%s/bus/pci/devices/" BRIDGE "/of_node", stage.sysfs);
	assert_int_equal(symlink(path, link), 0);
	(void)snprintf(path, sizeof(path), "%s/%s/ibm,slot-location-code", stage.sysfs, folders[3]);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(code, sizeof(code), 1, file), 1);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(pe_get_text("Location"), code);
}

static void handle_return(DBusPendingCall *pending, void *userdata)
{
	unsigned int *changes = userdata;

	(void)pending;
	*changes = bus_fixture_count_signals(stage.bus, "PropertiesChanged");
}

/* Each comes to the worker as what it is; the answer comes after the new properties. */
static void test_operations(void **state)
{
	(void)state;
	(void)pe_attach();
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		DBusMessage *message = operation_message(i);
		DBusPendingCall *pending = NULL;
		DBusMessage *answer;
		unsigned int changes = 0;

		bus_fixture_forget_signals(stage.bus);
		assert_true(dbus_connection_send_with_reply(pe_client()->connection, message,
							    &pending, 10000));
		dbus_message_unref(message);
		assert_true(dbus_pending_call_set_notify(pending, handle_return, &changes, NULL));
		while (!dbus_pending_call_get_completed(pending)) {
			assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
		}
		answer = dbus_pending_call_steal_reply(pending);
		dbus_pending_call_unref(pending);
		if (dbus_message_get_type(answer) != DBUS_MESSAGE_TYPE_METHOD_RETURN) {
			fail_msg("%s: %s", operations[i].name, dbus_message_get_error_name(answer));
		}
		dbus_message_unref(answer);
		assert_true(changes > 0);
		assert_int_equal(pe_script->asked[operations[i].operation], 1);
		assert_string_equal(get_last_operation().name, operations[i].name);
		assert_int_equal(get_last_operation().milliseconds, 7);
		assert_string_equal(get_last_operation().outcome, "done");
	}
	assert_string_equal(pe_get_text("State"), "normal");
}

static void test_unknown_reset(void **state)
{
	(void)state;
	(void)pe_attach();
	assert_non_null(strstr(pe_call_fails(pe_client(), reset_message("cold"), "InvalidArgument"),
			       "hot, fundamental and deactivate"));
	assert_int_equal(pe_script->asked[WORKER_PE_RESET_HOT], 0);
	assert_string_equal(get_last_operation().name, "");
}

/* A group that nobody has is nobody's to act on, not even for root. */
static void test_group_in_no_space(void **state)
{
	static const char *const others[] = {"Check", "Recover", "Join"};

	(void)state;
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		(void)pe_call_fails(pe_client(), operation_message(i), "NotFound");
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		assert_non_null(strstr(
			pe_call_fails(pe_client(), pe_message(others[i]), "NotFound"), "group 1"));
	}
	assert_int_equal(pe_get_number("Participants"), 0);
}

static void test_no_eeh(void **state)
{
	(void)state;
	pe_script->no_eeh = 1;
	succeed(attach_message(create("pe"), GROUP));
	(void)pe_call_fails(pe_client(), pe_message("Enable"), "EehUnavailable");
	(void)pe_call_fails(pe_client(), pe_message("Check"), "EehUnavailable");
}

static void test_many_groups(void **state)
{
	struct space *space;

	(void)state;
	use_policy("[window]\ncontainer-sharing = yes\n");
	space = pe_attach();
	succeed(attach_message(space, OTHER_GROUP));
	assert_non_null(strstr(
		pe_call_fails(pe_client(), pe_message("UnfreezeIo"), "EehManyGroups"), " 2"));
	(void)pe_call_fails(pe_client(), pe_message("Join"), "EehManyGroups");
	detach_group(space, OTHER_GROUP);
	succeed(pe_message("UnfreezeIo"));
}

/* The firmware's word is passed on, with the time that it took; it may be no UTF-8. */
static void test_failed_operation(void **state)
{
	const char *text;

	(void)state;
	(void)pe_attach();
	pe_script->failing = WORKER_PE_RESET_FUNDAMENTAL;
	pe_script->failure = ERROR_KERNEL;
	text = pe_call_fails(pe_client(), reset_message("fundamental"), "KernelError");
	assert_non_null(strstr(text, "the firmware said no ?"));
	assert_non_null(strstr(text, " ms"));
	assert_string_equal(get_last_operation().name, "reset-fundamental");
	assert_string_equal(get_last_operation().outcome, "KernelError");
}

/* H44: the kernel says that it thawed the PE, and the state says otherwise. */
static void test_h44_success_that_is_none(void **state)
{
	(void)state;
	use_policy("[recovery]\nmode = manual\n");
	(void)pe_attach();
	pe_script_set(pe_script, 2);
	pe_script->idle = WORKER_PE_UNFREEZE_IO;
	(void)pe_call_fails(pe_client(), pe_message("UnfreezeIo"), "RecoveryFailed");
	assert_string_equal(get_last_operation().outcome, "RecoveryFailed");
}

static DBusPendingCall *begin(const struct bus_client *client, DBusMessage *message)
{
	DBusPendingCall *pending = NULL;

	assert_true(dbus_connection_send_with_reply(client->connection, message, &pending, 30000));
	dbus_message_unref(message);
	return pending;
}

static DBusMessage *finish(DBusPendingCall *pending)
{
	DBusMessage *answer;

	while (!dbus_pending_call_get_completed(pending)) {
		assert_true(sd_event_run(stage.bus->event, 30000000) > 0);
	}
	answer = dbus_pending_call_steal_reply(pending);
	dbus_pending_call_unref(pending);
	return answer;
}

static void finish_with(DBusPendingCall *pending, const char *error_name)
{
	DBusMessage *answer = finish(pending);
	const char *name = dbus_message_get_error_name(answer);

	assert_string_equal(name ? name : "", error_name);
	dbus_message_unref(answer);
}

static void run_until_asked(uint32_t operation, uint32_t count)
{
	time_t end = pe_deadline();

	while (pe_script->asked[operation] < count) {
		pe_run_until(end, "a request to the worker");
	}
}

/* One at a time; what waits for nothing goes on. */
static void test_busy(void **state)
{
	struct space *space = pe_attach();
	dbus_uint32_t group = GROUP;
	DBusMessage *message = space_message(space, "DetachGroup");
	DBusPendingCall *pending;

	(void)state;
	pe_script->held = WORKER_PE_CONFIGURE;
	pending = begin(pe_client(), pe_message("Configure"));
	run_until_asked(WORKER_PE_CONFIGURE, 1);
	assert_non_null(
		strstr(pe_call_fails(pe_client(), pe_message("Enable"), "Busy"), "configure"));
	assert_true(dbus_message_append_args(message, DBUS_TYPE_UINT32, &group, DBUS_TYPE_INVALID));
	(void)pe_call_fails(pe_client(), message, "Busy");
	succeed(pe_message("Check"));
	pe_script->held = 0;
	finish_with(pending, "");
	assert_int_equal(pe_script->asked[WORKER_PE_ENABLE], 0);
	succeed(pe_message("Enable"));
	detach_group(space, GROUP);
}

static void test_worker_lost(void **state)
{
	struct space *space = pe_attach();
	DBusPendingCall *pending;

	(void)state;
	pe_script->held = WORKER_PE_CONFIGURE;
	pending = begin(pe_client(), pe_message("Configure"));
	run_until_asked(WORKER_PE_CONFIGURE, 1);
	worker_process_kill(space->worker, SIGKILL);
	finish_with(pending, BUS_ERROR_PREFIX "WorkerLost");
	run_until_gone(space);
	(void)pe_call_fails(pe_client(), pe_message("Configure"), "NotFound");
	assert_string_equal(get_last_operation().outcome, "WorkerLost");
	assert_string_equal(pe_get_text("State"), "unknown");
}

/* What waits when spaprd itself ends is answered, and so does not leak. */
static void test_end_with_calls_waiting(void **state)
{
	DBusPendingCall *pending[3];

	(void)state;
	(void)pe_attach();
	(void)pe_call_number(pe_client(), "Join");
	pe_script->held = WORKER_PE_LOOK;
	pending[0] = begin(pe_client(), pe_message("Check"));
	run_until_asked(WORKER_PE_LOOK, pe_script->asked[WORKER_PE_LOOK] + 1);
	pending[1] = begin(pe_client(), pe_message("Check"));
	pending[2] = begin(pe_client(), pe_message("Configure"));
	bus_fixture_settle(stage.bus);
	stage.service = service_free(stage.service);
	stage.manager = manager_free(stage.manager);
	for (size_t i = 0; i < 3; i++) {
		finish_with(pending[i], BUS_ERROR_PREFIX "WorkerLost");
	}
}

/* -- Check -- */

static void test_check(void **state)
{
	static const struct {
		uint32_t number;
		const char *name;
	} cases[] = {{2, "stopped"}, {4, "stopped-dma"}, {5, "unavailable"}, {0, "normal"}};

	(void)state;
	use_policy("[recovery]\nmode = manual\n");
	(void)pe_attach();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *name = NULL;
		DBusMessage *answer;

		pe_script_set(pe_script, cases[i].number);
		answer = pe_call(pe_client(), pe_message("Check"));
		assert_true(dbus_message_get_args(answer, NULL, DBUS_TYPE_STRING, &name,
						  DBUS_TYPE_INVALID));
		assert_string_equal(name, cases[i].name);
		dbus_message_unref(answer);
		assert_string_equal(pe_get_text("State"), cases[i].name);
		pe_await_text("Recovery", cases[i].number == 0 ? "idle" : "awaiting-request");
	}
}

/* As many as the bus lets one connection wait for, and more than wait for one PE. */
#define FLOOD 100U

/* However many ask, few looks come of it; and those that are too many are told. */
static void test_check_flood(void **state)
{
	DBusPendingCall *pending[FLOOD];
	unsigned int refused = 0;
	uint32_t before;

	(void)state;
	(void)pe_attach();
	before = pe_script->asked[WORKER_PE_LOOK];
	pe_script->held = WORKER_PE_LOOK;
	for (size_t i = 0; i < FLOOD; i++) {
		pending[i] = begin(pe_client(), pe_message("Check"));
	}
	bus_fixture_settle(stage.bus);
	pe_script->held = 0;
	for (size_t i = 0; i < FLOOD; i++) {
		DBusMessage *answer = finish(pending[i]);

		if (dbus_message_get_type(answer) == DBUS_MESSAGE_TYPE_ERROR) {
			assert_string_equal(dbus_message_get_error_name(answer),
					    BUS_ERROR_PREFIX "QuotaExceeded");
			refused++;
		}
		dbus_message_unref(answer);
	}
	assert_int_equal(refused, FLOOD - PE_CHECKS_MAX);
	assert_in_range(pe_script->asked[WORKER_PE_LOOK] - before, 1, 5);
	succeed(pe_message("Check"));
}

/* -- rights -- */

static void test_inject(void **state)
{
	struct space *space;

	(void)state;
	space = pe_attach();
	assert_non_null(
		strstr(pe_call_fails(pe_client(), inject_message(), DBUS_ERROR_ACCESS_DENIED),
		       "injection = yes"));
	assert_int_equal(pe_script->asked[WORKER_PE_INJECT], 0);
	use_policy("[recovery]\ninjection = yes\n");
	succeed(inject_message());
	assert_int_equal(pe_script->asked[WORKER_PE_INJECT], 1);
	assert_int_equal(pe_script->last.group, GROUP);
	assert_int_equal(pe_script->last.error_type, 1);
	assert_int_equal(pe_script->last.error_function, 3);
	assert_int_equal(pe_script->last.address, 0x3fe000000000);
	assert_int_equal(pe_script->last.mask, 0xfffff000);
	assert_string_equal(get_last_operation().name, "inject");
	detach_group(space, GROUP);
	(void)pe_call_fails(pe_client(), inject_message(), "NotFound");
}

/* Another user may look, and do nothing. */
static void test_stranger(void **state)
{
	static const char *const others[] = {"Recover", "Join"};
	struct bus_client stranger;

	(void)state;
	use_policy("[recovery]\ninjection = yes\n");
	(void)pe_attach();
	if (!pe_open_stranger(&stranger)) {
		skip();
	}
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		(void)pe_call_fails(&stranger, operation_message(i), DBUS_ERROR_ACCESS_DENIED);
		assert_int_equal(pe_script->asked[operations[i].operation], 0);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		(void)pe_call_fails(&stranger, pe_message(others[i]), DBUS_ERROR_ACCESS_DENIED);
	}
	(void)pe_call_fails(&stranger, inject_message(), DBUS_ERROR_ACCESS_DENIED);
	dbus_message_unref(pe_call(&stranger, pe_message("Check")));
	assert_string_equal(pe_get_text("Recovery"), "idle");
	assert_int_equal(pe_get_number("Participants"), 0);
	bus_client_close(&stranger);
}

/* The user of the address space may act on its PE, and still not inject. */
static void test_owner_who_is_no_operator(void **state)
{
	struct bus_client stranger;
	DBusMessage *answer;

	(void)state;
	use_policy("[recovery]\ninjection = yes\n");
	pe_attach()->uid = OTHER_UID;
	if (!pe_open_stranger(&stranger)) {
		skip();
	}
	answer = pe_call(&stranger, pe_message("Configure"));
	assert_int_equal(dbus_message_get_type(answer), DBUS_MESSAGE_TYPE_METHOD_RETURN);
	dbus_message_unref(answer);
	assert_true(pe_call_number(&stranger, "Join") != 0);
	(void)pe_call_fails(&stranger, inject_message(), DBUS_ERROR_ACCESS_DENIED);
	assert_int_equal(pe_script->asked[WORKER_PE_INJECT], 0);
	bus_client_close(&stranger);
}

/* -- devices -- */

#define DEVICE_PATH BUS_PATH_DEVICE_PREFIX "0000_01_00_0"

static DBusMessage *open_message(void)
{
	return bus_fixture_message(DEVICE_PATH, BUS_INTERFACE_DEVICE, "Open");
}

static bool device_is_said_to_be_open(void)
{
	const char *interface = BUS_INTERFACE_DEVICE;
	const char *name = "Open";
	DBusMessage *message = bus_fixture_message(DEVICE_PATH, DBUS_INTERFACE_PROPERTIES, "Get");
	dbus_bool_t open = FALSE;
	DBusMessage *answer;
	DBusMessageIter iter;
	DBusMessageIter value;

	assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &interface,
					     DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID));
	answer = bus_fixture_call(stage.bus, message);
	assert_true(dbus_message_iter_init(answer, &iter));
	dbus_message_iter_recurse(&iter, &value);
	dbus_message_iter_get_basic(&value, &open);
	dbus_message_unref(answer);
	return open;
}

/* The worker's fd arrives, and it is told that the device is open until its group leaves. */
static void test_open_device(void **state)
{
	struct space *space = pe_attach();
	struct stat expected;
	struct stat status;
	DBusMessage *answer;
	unsigned int changes;
	int fd = -1;

	(void)state;
	assert_false(device_is_said_to_be_open());
	answer = pe_call(pe_client(), open_message());
	assert_true(dbus_message_get_args(answer, NULL, DBUS_TYPE_UNIX_FD, &fd, DBUS_TYPE_INVALID));
	dbus_message_unref(answer);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(stat("/dev/zero", &expected), 0);
	assert_int_equal(status.st_rdev, expected.st_rdev);
	(void)fd_close(fd);
	changes = bus_fixture_count_signals(stage.bus, "PropertiesChanged");
	/* What the worker says of the device is asked once it is open. */
	assert_in_range(changes, 1, 2);
	assert_true(last_signal_has("PropertiesChanged", changes == 1 ? "Open" : "ResetWorks"));
	assert_true(device_is_said_to_be_open());
	succeed(open_message());
	assert_int_equal(pe_script->opened, 2);
	detach_group(space, GROUP);
	assert_false(device_is_said_to_be_open());
}

static void test_open_refused(void **state)
{
	struct bus_client stranger;
	struct space *space;

	(void)state;
	(void)pe_call_fails(pe_client(), open_message(), "NotFound");
	use_policy("[recovery]\nmode = manual\n");
	space = pe_attach();
	pe_script->open_failure = ERROR_GROUP_BUSY;
	assert_non_null(strstr(pe_call_fails(pe_client(), open_message(), "GroupBusy"),
			       "the firmware said no ?"));
	pe_script->open_failure = ERROR_NONE;
	assert_false(device_is_said_to_be_open());
	pe_script_set(pe_script, 2);
	succeed(pe_message("Check"));
	(void)pe_call_fails(pe_client(), open_message(), "Frozen");
	assert_int_equal(pe_script->opened, 1);
	pe_await_text("Recovery", "awaiting-request");
	pe_script_set(pe_script, 0);
	succeed(pe_message("Check"));
	pe_await_text("Recovery", "idle");
	if (pe_open_stranger(&stranger)) {
		(void)pe_call_fails(&stranger, open_message(), DBUS_ERROR_ACCESS_DENIED);
		space->uid = OTHER_UID;
		dbus_message_unref(pe_call(&stranger, open_message()));
		assert_int_equal(pe_script->opened, 2);
		bus_client_close(&stranger);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		PE_TEST(test_where_it_is),
		PE_TEST(test_location),
		PE_TEST(test_operations),
		PE_TEST(test_unknown_reset),
		PE_TEST(test_group_in_no_space),
		PE_TEST(test_no_eeh),
		PE_TEST(test_many_groups),
		PE_TEST(test_failed_operation),
		PE_TEST(test_h44_success_that_is_none),
		PE_TEST(test_busy),
		PE_TEST(test_worker_lost),
		PE_TEST(test_end_with_calls_waiting),
		PE_TEST(test_check),
		PE_TEST(test_check_flood),
		PE_TEST(test_inject),
		PE_TEST(test_stranger),
		PE_TEST(test_owner_who_is_no_operator),
		PE_TEST(test_open_device),
		PE_TEST(test_open_refused),
	};

	return pe_stage_main("service PE", tests);
}
