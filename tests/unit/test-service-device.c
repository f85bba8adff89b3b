/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Device: regions, registers and interrupts, as a client of the bus sees them. */
#include <linux/vfio.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "broker/device_alarm.h"
#include "pe_stage.h"
#include "played_pe.h"

#define DEVICE_PATH BUS_PATH_DEVICE_PREFIX "0000_01_00_0"
#define BAR_SIZE    0x100000U

static volatile struct played_pes *played;

static volatile struct played_device *device(void)
{
	return &played->pes[GROUP].device;
}

static int set_up(void **state)
{
	played = played_pes_new();
	assert_non_null(played);
	device()->reset_works = true;
	return service_fixture_set_up(state);
}

static int tear_down(void **state)
{
	int r = service_fixture_tear_down(state);

	played_pes_free(played);
	return r;
}

static struct host_device *record(void)
{
	struct host_device *found = NULL;

	assert_int_equal(manager_find_device(stage.manager, DEVICE, &found, NULL), 0);
	return found;
}

/* -- calls -- */

static DBusMessage *message_of(const char *method, int first_type, ...)
{
	DBusMessage *message = bus_fixture_message(DEVICE_PATH, BUS_INTERFACE_DEVICE, method);
	va_list values;

	va_start(values, first_type);
	assert_true(dbus_message_append_args_valist(message, first_type, values));
	va_end(values);
	return message;
}

static DBusMessage *plain(const char *method)
{
	return message_of(method, DBUS_TYPE_INVALID);
}

static DBusMessage *with_index(const char *method, dbus_uint32_t index)
{
	return message_of(method, DBUS_TYPE_UINT32, &index, DBUS_TYPE_INVALID);
}

static DBusMessage *read_message(dbus_uint32_t region, dbus_uint64_t offset, dbus_uint32_t size)
{
	return message_of("ReadRegion", DBUS_TYPE_UINT32, &region, DBUS_TYPE_UINT64, &offset,
			  DBUS_TYPE_UINT32, &size, DBUS_TYPE_INVALID);
}

static DBusMessage *write_message(dbus_uint32_t region, dbus_uint64_t offset, dbus_uint32_t size,
				  dbus_uint64_t value)
{
	return message_of("WriteRegion", DBUS_TYPE_UINT32, &region, DBUS_TYPE_UINT64, &offset,
			  DBUS_TYPE_UINT32, &size, DBUS_TYPE_UINT64, &value, DBUS_TYPE_INVALID);
}

static DBusMessage *set_message(dbus_uint32_t index, dbus_uint32_t start, int fd,
				unsigned int count)
{
	DBusMessage *message = message_of("SetIrqs", DBUS_TYPE_UINT32, &index, DBUS_TYPE_UINT32,
					  &start, DBUS_TYPE_INVALID);
	DBusMessageIter arguments;
	DBusMessageIter array;

	dbus_message_iter_init_append(message, &arguments);
	assert_true(dbus_message_iter_open_container(&arguments, DBUS_TYPE_ARRAY, "h", &array));
	for (unsigned int i = 0; i < count; i++) {
		assert_true(dbus_message_iter_append_basic(&array, DBUS_TYPE_UNIX_FD, &fd));
	}
	assert_true(dbus_message_iter_close_container(&arguments, &array));
	return message;
}

static void fail_with(DBusMessage *message, const char *name, const char *words)
{
	const char *text = pe_call_fails(&stage.bus->client, message, name);

	if (!strstr(text, words)) {
		fail_msg("\"%s\" does not have \"%s\"", text, words);
	}
}

static struct space *open_device(void)
{
	struct space *space = create("honest");

	succeed(attach_message(space, GROUP));
	succeed(plain("Open"));
	return space;
}

/* -- what there is -- */

static void expect_numbers(DBusMessageIter *entry, const uint64_t *numbers, const char *types)
{
	for (size_t i = 0; types[i]; i++) {
		dbus_uint64_t number = 0;

		assert_int_equal(dbus_message_iter_get_arg_type(entry), types[i]);
		if (types[i] == DBUS_TYPE_UINT32) {
			dbus_uint32_t small = 0;

			dbus_message_iter_get_basic(entry, &small);
			number = small;
		} else {
			dbus_message_iter_get_basic(entry, &number);
		}
		assert_int_equal(number, numbers[i]);
		(void)dbus_message_iter_next(entry);
	}
}

/* Entry i of an array is these numbers, and there are so many. */
static void expect_entry(DBusMessage *answer, int i, int count, const uint64_t *numbers,
			 const char *types)
{
	DBusMessageIter iter;
	DBusMessageIter array;
	DBusMessageIter entry;

	assert_true(dbus_message_iter_init(answer, &iter));
	assert_int_equal(dbus_message_iter_get_element_count(&iter), count);
	dbus_message_iter_recurse(&iter, &array);
	for (int skipped = 0; skipped < i; skipped++) {
		(void)dbus_message_iter_next(&array);
	}
	dbus_message_iter_recurse(&array, &entry);
	expect_numbers(&entry, numbers, types);
}

static void test_regions(void **state)
{
	static const uint64_t first[] = {0, 7, BAR_SIZE, 0, 0};
	static const uint64_t third[] = {9, 15, 0x10000, UINT64_C(9) << 40, 2};
	static const uint64_t area[] = {0x8000, 0x1000};
	dbus_uint32_t type = PLAYED_REGION_TYPE;
	dbus_uint32_t subtype = PLAYED_REGION_SUBTYPE;
	dbus_uint32_t index = 0;
	DBusMessage *answer;

	(void)state;
	(void)open_device();
	answer = bus_fixture_call(stage.bus, plain("Regions"));
	expect_entry(answer, 0, 3, first, "uuttt");
	expect_entry(answer, 2, 3, third, "uuttt");
	dbus_message_unref(answer);
	answer = bus_fixture_call(stage.bus, with_index("SparseAreas", 9));
	expect_entry(answer, 1, 2, area, "tt");
	dbus_message_unref(answer);
	assert_int_equal(device()->last.index, 9);
	answer = bus_fixture_call(stage.bus,
				  message_of("FindRegion", DBUS_TYPE_UINT32, &type,
					     DBUS_TYPE_UINT32, &subtype, DBUS_TYPE_INVALID));
	assert_true(
		dbus_message_get_args(answer, NULL, DBUS_TYPE_UINT32, &index, DBUS_TYPE_INVALID));
	dbus_message_unref(answer);
	assert_int_equal(index, 9);
	assert_int_equal(device()->last.offset, PLAYED_REGION_TYPE);
	assert_int_equal(device()->last.value, PLAYED_REGION_SUBTYPE);
}

static void test_registers(void **state)
{
	dbus_uint64_t value = 0;
	DBusMessage *answer;

	(void)state;
	(void)open_device();
	succeed(write_message(7, 0x10, 8, UINT64_C(0x1122334455667788)));
	assert_int_equal(device()->last.index, 7);
	assert_int_equal(device()->last.offset, 0x10);
	assert_int_equal(device()->last.size, 8);
	answer = bus_fixture_call(stage.bus, read_message(0, 0x2000, 4));
	assert_true(
		dbus_message_get_args(answer, NULL, DBUS_TYPE_UINT64, &value, DBUS_TYPE_INVALID));
	dbus_message_unref(answer);
	assert_int_equal(value, 0x55667788);
	assert_int_equal(device()->last.offset, 0x2000);
}

static void test_wrong_registers(void **state)
{
	static const dbus_uint32_t sizes[] = {0, 3, 16};

	(void)state;
	(void)open_device();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		fail_with(read_message(7, 0, sizes[i]), "InvalidArgument", "1, 2, 4 or 8");
		fail_with(write_message(7, 0, sizes[i], 0), "InvalidArgument", "1, 2, 4 or 8");
	}
	fail_with(write_message(7, 0, 2, 0x10000), "InvalidArgument", "0x10000");
	assert_int_equal(device()->calls[WORKER_DEVICE_WRITE_REGION], 0);
}

/* -- interrupts -- */

static void test_irqs(void **state)
{
	static const uint64_t msix[] = {VFIO_PCI_MSIX_IRQ_INDEX, 9, 40};
	DBusMessage *answer;

	(void)state;
	(void)open_device();
	answer = bus_fixture_call(stage.bus, plain("Irqs"));
	expect_entry(answer, 1, 4, msix, "uuu");
	dbus_message_unref(answer);
}

static void test_set_irqs(void **state)
{
	static const struct {
		const char *method;
		enum worker_device_call call;
	} others[] = {{"MaskIrq", WORKER_DEVICE_MASK_IRQ},
		      {"UnmaskIrq", WORKER_DEVICE_UNMASK_IRQ},
		      {"DisableIrq", WORKER_DEVICE_DISABLE_IRQ}};
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	(void)open_device();
	succeed(set_message(VFIO_PCI_MSIX_IRQ_INDEX, 32, fd, 8));
	assert_int_equal(device()->fds, 8);
	assert_int_equal(device()->last.index, VFIO_PCI_MSIX_IRQ_INDEX);
	assert_int_equal(device()->last.start, 32);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		succeed(with_index(others[i].method, VFIO_PCI_INTX_IRQ_INDEX));
		assert_int_equal(device()->last.call, others[i].call);
		assert_int_equal(device()->last.index, VFIO_PCI_INTX_IRQ_INDEX);
	}
	(void)close(fd);
}

/* As many as one message of the bus may carry. */
static void test_too_many_eventfds(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	(void)open_device();
	succeed(set_message(VFIO_PCI_MSIX_IRQ_INDEX, 0, fd, 16));
	assert_int_equal(device()->fds, 16);
	fail_with(set_message(VFIO_PCI_MSIX_IRQ_INDEX, 0, fd, 17), "InvalidArgument",
		  "17 eventfds; pass 1 to 16");
	fail_with(set_message(VFIO_PCI_MSIX_IRQ_INDEX, 0, fd, 0), "InvalidArgument",
		  "0 eventfds; pass 1 to 16");
	assert_int_equal(device()->calls[WORKER_DEVICE_SET_IRQS], 1);
	(void)close(fd);
}

static void ring_error(void)
{
	const uint64_t one = 1;
	int event = device_alarm_error_event(stage.manager, record());

	assert_int_equal(write(event, &one, sizeof(one)), sizeof(one));
	bus_fixture_settle(stage.bus);
}

static void test_alarms(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t count = 0;

	(void)state;
	(void)open_device();
	succeed(set_message(VFIO_PCI_ERR_IRQ_INDEX, 0, fd, 1));
	ring_error();
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	fail_with(set_message(VFIO_PCI_ERR_IRQ_INDEX, 0, fd, 2), "InvalidArgument", "has one");
	fail_with(set_message(VFIO_PCI_REQ_IRQ_INDEX, 0, STDERR_FILENO, 1), "InvalidArgument",
		  "no eventfd");
	succeed(with_index("DisableIrq", VFIO_PCI_ERR_IRQ_INDEX));
	ring_error();
	assert_int_equal(read(fd, &count, sizeof(count)), -1);
	(void)close(fd);
}

/* -- who, and when -- */

/* One call of each method. */
static DBusMessage *any_message(size_t i, int fd)
{
	dbus_uint32_t zero = 0;

	switch (i) {
	case 0:
		return plain("Regions");
	case 1:
		return with_index("SparseAreas", 0);
	case 2:
		return message_of("FindRegion", DBUS_TYPE_UINT32, &zero, DBUS_TYPE_UINT32, &zero,
				  DBUS_TYPE_INVALID);
	case 3:
		return read_message(7, 0, 4);
	case 4:
		return write_message(7, 0, 4, 0);
	case 5:
		return plain("Irqs");
	case 6:
		return set_message(VFIO_PCI_MSIX_IRQ_INDEX, 0, fd, 1);
	case 7:
		return set_message(VFIO_PCI_REQ_IRQ_INDEX, 0, fd, 1);
	case 8:
		return with_index("MaskIrq", 0);
	case 9:
		return with_index("UnmaskIrq", 0);
	case 10:
		return with_index("DisableIrq", 0);
	case 11:
		return with_index("DisableIrq", VFIO_PCI_REQ_IRQ_INDEX);
	default:
		return NULL;
	}
}

#define MESSAGES 12

static void test_device_that_is_not_open(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct space *space;

	(void)state;
	for (size_t i = 0; i < MESSAGES; i++) {
		fail_with(any_message(i, fd), "NotFound", "in no address space");
	}
	space = create("honest");
	succeed(attach_message(space, GROUP));
	for (size_t i = 0; i < MESSAGES; i++) {
		fail_with(any_message(i, fd), "NotFound", "not open: call its Open first");
	}
	succeed(plain("Open"));
	for (size_t i = 0; i < MESSAGES; i++) {
		succeed(any_message(i, fd));
	}
	detach_group(space, GROUP);
	for (size_t i = 0; i < MESSAGES; i++) {
		fail_with(any_message(i, fd), "NotFound", "in no address space");
	}
	(void)close(fd);
}

static void test_stranger(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct bus_client stranger;

	(void)state;
	(void)open_device();
	if (!pe_open_stranger(&stranger)) {
		(void)close(fd);
		skip();
	}
	for (size_t i = 0; i < MESSAGES; i++) {
		(void)pe_call_fails(&stranger, any_message(i, fd), DBUS_ERROR_ACCESS_DENIED);
	}
	for (size_t i = 0; i < WORKER_DEVICE_CALL_COUNT; i++) {
		assert_int_equal(device()->calls[i], 0);
	}
	bus_client_close(&stranger);
	(void)close(fd);
}

static void test_refusal_of_the_worker(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	(void)open_device();
	device()->code = ERROR_BUSY;
	for (size_t i = 0; i + 1 < MESSAGES; i++) {
		fail_with(any_message(i, fd), "Busy", "the played device says so");
	}
	(void)close(fd);
}

struct waiting {
	DBusPendingCall *pending[MESSAGES];
	int fd;
};

/* Calls of every method wait for the worker. */
static struct waiting begin_all(void)
{
	struct waiting waiting = {.fd = eventfd(0, EFD_CLOEXEC)};

	device()->held = true;
	for (size_t i = 0; i + 1 < MESSAGES; i++) {
		DBusMessage *message = any_message(i, waiting.fd);

		assert_true(dbus_connection_send_with_reply(stage.bus->client.connection, message,
							    &waiting.pending[i], 30000));
		dbus_message_unref(message);
	}
	bus_fixture_settle(stage.bus);
	return waiting;
}

/* How many of them were answered with that error. */
static unsigned int end_all(struct waiting *waiting, const char *error)
{
	unsigned int count = 0;

	for (size_t i = 0; i + 1 < MESSAGES; i++) {
		DBusMessage *answer;

		while (!dbus_pending_call_get_completed(waiting->pending[i])) {
			assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
		}
		answer = dbus_pending_call_steal_reply(waiting->pending[i]);
		count += dbus_message_is_error(answer, error);
		dbus_message_unref(answer);
		dbus_pending_call_unref(waiting->pending[i]);
	}
	(void)close(waiting->fd);
	return count;
}

static void test_worker_that_dies(void **state)
{
	struct space *space = open_device();
	struct waiting waiting = begin_all();

	(void)state;
	worker_process_kill(space->worker, SIGKILL);
	assert_int_equal(end_all(&waiting, BUS_ERROR_PREFIX "WorkerLost"), MESSAGES - 1);
	run_until_gone(space);
}

/* The calls are answered before the group is out of the worker. */
static void test_group_that_leaves(void **state)
{
	struct space *space = open_device();
	struct waiting waiting = begin_all();
	dbus_uint32_t group = GROUP;
	DBusMessage *message = space_message(space, "DetachGroup");

	(void)state;
	assert_true(dbus_message_append_args(message, DBUS_TYPE_UINT32, &group, DBUS_TYPE_INVALID));
	assert_true(dbus_connection_send(stage.bus->client.connection, message, NULL));
	dbus_message_unref(message);
	bus_fixture_settle(stage.bus);
	device()->held = false;
	assert_int_equal(end_all(&waiting, BUS_ERROR_PREFIX "WorkerLost"), 0);
	while (stage.manager->groups[0]->space) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	assert_false(record()->open);
	fail_with(plain("Regions"), "NotFound", "in no address space");
}

static void test_client_that_leaves(void **state)
{
	struct bus_client other;
	DBusMessage *message;

	(void)state;
	(void)open_device();
	device()->held = true;
	bus_client_open(stage.bus, &other);
	message = plain("Regions");
	assert_true(dbus_connection_send(other.connection, message, NULL));
	dbus_message_unref(message);
	while (device()->calls[WORKER_DEVICE_REGIONS] == 0) {
		assert_true(sd_event_run(stage.bus->event, 10000) >= 0);
	}
	bus_client_close(&other);
	device()->held = false;
	succeed(plain("Regions"));
}

/* -- ResetWorks -- */

static bool reset_works(void)
{
	const char *interface = BUS_INTERFACE_DEVICE;
	const char *name = "ResetWorks";
	DBusMessage *message = bus_fixture_message(DEVICE_PATH, DBUS_INTERFACE_PROPERTIES, "Get");
	DBusMessage *answer;
	DBusMessageIter iter;
	DBusMessageIter value;
	dbus_bool_t works = FALSE;

	assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &interface,
					     DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID));
	answer = bus_fixture_call(stage.bus, message);
	assert_true(dbus_message_iter_init(answer, &iter));
	dbus_message_iter_recurse(&iter, &value);
	dbus_message_iter_get_basic(&value, &works);
	dbus_message_unref(answer);
	return works;
}

static void test_reset_works(void **state)
{
	struct space *space = create("honest");

	(void)state;
	succeed(attach_message(space, GROUP));
	assert_false(reset_works());
	bus_fixture_forget_signals(stage.bus);
	succeed(plain("Open"));
	while (!record()->described) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	bus_fixture_settle(stage.bus);
	assert_true(last_signal_has("PropertiesChanged", "ResetWorks"));
	assert_true(reset_works());
	bus_fixture_forget_signals(stage.bus);
	detach_group(space, GROUP);
	assert_true(reset_works());
	assert_false(last_signal_has("PropertiesChanged", "ResetWorks"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_regions),
		TEST(test_registers),
		TEST(test_wrong_registers),
		TEST(test_irqs),
		TEST(test_set_irqs),
		TEST(test_too_many_eventfds),
		TEST(test_alarms),
		TEST(test_device_that_is_not_open),
		TEST(test_stranger),
		TEST(test_refusal_of_the_worker),
		TEST(test_worker_that_dies),
		TEST(test_group_that_leaves),
		TEST(test_client_that_leaves),
		TEST(test_reset_works),
	};

	return service_fixture_main("service-device", tests);
}
