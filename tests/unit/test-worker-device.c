/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that a worker opens: what it hands out, keeps, refuses, and closes in the end. */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "sim/eeh.h"
#include "worker_fixture.h"

#define MIB UINT64_C(0x100000)

/* Of the simulated powernv9: edu, with an e1000e as the second one. */
#define DEVICE_0 "0000:01:00.0"
#define DEVICE_1 "0001:01:00.0"

/* Opening edu resets its bus: 1.8 s, of which so many percent are to be seen. */
#define SLOW_HOST "powernv9,pace=60"

static uint64_t open_devices(struct fixture *fixture)
{
	return fixture_statistics(fixture).open_devices;
}

/* Last closes are noticed some time after they happened. */
static void expect_open_devices(struct fixture *fixture, uint64_t count)
{
	for (int i = 0; i < 200 && open_devices(fixture) != count; i++) {
		(void)usleep(10000);
	}
	assert_int_equal(open_devices(fixture), count);
}

/* So is the close of a group that was detached. */
static void expect_no_open_group(struct fixture *fixture)
{
	for (int i = 0; i < 200 && fixture_statistics(fixture).open_groups > 0; i++) {
		(void)usleep(10000);
	}
	assert_int_equal(fixture_statistics(fixture).open_groups, 0);
}

static uint16_t read_vendor(struct fixture *fixture, int fd)
{
	struct vfio_region_info info = {.argsz = sizeof(info),
					.index = VFIO_PCI_CONFIG_REGION_INDEX};
	uint16_t vendor = 0;

	assert_int_equal(kernel_ioctl(fixture->kernel, fd, VFIO_DEVICE_GET_REGION_INFO, &info), 0);
	assert_int_equal(kernel_read(fixture->kernel, fd, info.offset, &vendor, sizeof(vendor)),
			 sizeof(vendor));
	return vendor;
}

static void test_open(void **state)
{
	struct fixture fixture;
	int fd = -1;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(open_device(&fixture, 0, DEVICE_0, -1, &fd), 0);
	assert_int_equal(read_vendor(&fixture, fd), 0x1234);
	assert_int_equal(open_devices(&fixture), 1);
	(void)kernel_close(fixture.kernel, fd);
	/* The worker's own copy keeps it open. */
	(void)usleep(50000);
	assert_int_equal(open_devices(&fixture), 1);
	assert_int_equal(open_device(&fixture, 0, DEVICE_0, -1, &fd), 0);
	assert_int_equal(read_vendor(&fixture, fd), 0x1234);
	(void)kernel_close(fixture.kernel, fd);
	assert_int_equal(detach(&fixture, 0), 0);
	expect_open_devices(&fixture, 0);
	fixture_close(&fixture);
}

/* A device that is open isn't opened again, which would reset nothing, but thaw a frozen PE. */
static void test_open_again(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(open_device(&fixture, 1, DEVICE_1, -1, NULL), 0);
	fixture_fail(&fixture, "VFIO_GROUP_GET_DEVICE_FD", 0, EIO);
	fixture_freeze(&fixture, 1, SIM_FREEZE_BOTH);
	assert_int_equal(open_device(&fixture, 1, DEVICE_1, -1, NULL), 0);
	assert_true(fixture_take_back(&fixture));
	fixture_close(&fixture);
}

static void test_refusals(void **state)
{
	static const char *const names[] = {
		"", "0000:01:00.0 x", "0000:01:00.0\t", "0000:01:00.\x80", "0000:01:00.0ABCD",
	};
	struct worker_open_device reserved = {.events = 4, .name = DEVICE_0};
	int events[2] = {eventfd(0, EFD_CLOEXEC), -1};
	struct fixture fixture;

	(void)state;
	events[1] = events[0];
	fixture_open(&fixture);
	assert_int_equal(open_device(&fixture, 0, DEVICE_0, -1, NULL), ERROR_NOT_FOUND);
	assert_int_equal(attach(&fixture, 0), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(open_device(&fixture, 0, names[i], -1, NULL),
				 ERROR_INVALID_ARGUMENT);
		expect_text("the name of a device has 1 to 15 printable characters");
	}
	assert_int_equal(
		request(&fixture, WORKER_OPEN_DEVICE, &reserved, sizeof(reserved), NULL, 0, NULL),
		ERROR_INVALID_ARGUMENT);
	reserved.events = WORKER_EVENT_ERROR;
	assert_int_equal(
		request(&fixture, WORKER_OPEN_DEVICE, &reserved, sizeof(reserved), events, 2, NULL),
		ERROR_INVALID_ARGUMENT);
	expect_text("the flags 0x1 speak of 1 eventfds, and 2 came along");
	/* One of another group, and one that isn't. */
	assert_int_equal(open_device(&fixture, 0, DEVICE_1, -1, NULL), ERROR_NOT_FOUND);
	expect_text("open device " DEVICE_1);
	assert_int_equal(open_device(&fixture, 0, "0000:01:00.7", -1, NULL), ERROR_NOT_FOUND);
	assert_int_equal(open_devices(&fixture), 0);
	assert_int_equal(open_device(&fixture, 0, DEVICE_0, -1, NULL), 0);
	(void)fd_close(events[0]);
	fixture_close(&fixture);
}

/* Whatever fails, nothing of the device is left open, and the next try works. */
static void test_each_step_fails(void **state)
{
	static const char *const steps[] = {
		"VFIO_EEH_PE_GET_STATE",
		"VFIO_GROUP_GET_DEVICE_FD",
		"VFIO_DEVICE_GET_REGION_INFO",
		"VFIO_DEVICE_SET_IRQS",
	};
	cleanup(cleanup_fd) int event = eventfd(0, EFD_CLOEXEC);
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_int_equal(attach(&fixture, 1), 0);
		fixture_fail(&fixture, steps[i], 0, EIO);
		assert_int_equal(open_device(&fixture, 1, DEVICE_1, event, NULL), ERROR_KERNEL);
		assert_int_equal(last_answer.head.errnum, EIO);
		expect_text(DEVICE_1);
		assert_false(fixture_take_back(&fixture));
		expect_open_devices(&fixture, 0);
		assert_int_equal(open_device(&fixture, 1, DEVICE_1, event, NULL), 0);
		assert_int_equal(open_devices(&fixture), 1);
		assert_int_equal(detach(&fixture, 1), 0);
		expect_open_devices(&fixture, 0);
		expect_no_open_group(&fixture);
	}
	fixture_close(&fixture);
}

static void test_error_event(void **state)
{
	cleanup(cleanup_fd) int event = eventfd(0, EFD_CLOEXEC);
	cleanup(cleanup_fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(open_device(&fixture, 1, DEVICE_1, null, NULL), ERROR_INVALID_ARGUMENT);
	expect_text("no eventfd");
	/* One is set where the device has the interrupt, */
	fixture_fail(&fixture, "VFIO_DEVICE_SET_IRQS", 0, ENOMEM);
	assert_int_equal(open_device(&fixture, 1, DEVICE_1, event, NULL), ERROR_KERNEL);
	expect_text("of kind 3 (ERR) of device " DEVICE_1);
	/* not where nobody wants it, and not where there is none. */
	fixture_fail(&fixture, "VFIO_DEVICE_SET_IRQS", 0, ENOMEM);
	assert_int_equal(open_device(&fixture, 1, DEVICE_1, -1, NULL), 0);
	assert_int_equal(open_device(&fixture, 0, DEVICE_0, event, NULL), 0);
	assert_true(fixture_take_back(&fixture));
	fixture_close(&fixture);
}

/* H45: opening a device thaws its PE, and what it was frozen for would be lost. */
static void test_h45_frozen(void **state)
{
	static const uint32_t kinds[] = {SIM_FREEZE_IO, SIM_FREEZE_DMA, SIM_FREEZE_BOTH};
	static const uint32_t numbers[] = {5, 4, 2};
	struct fixture fixture;
	struct worker_pe pe;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		fixture_freeze(&fixture, 1, kinds[i]);
		assert_int_equal(open_device(&fixture, 1, DEVICE_1, -1, NULL), ERROR_FROZEN);
		expect_text("would thaw it");
		assert_int_equal(open_devices(&fixture), 0);
		assert_int_equal(operate(&fixture, 1, WORKER_PE_LOOK, &pe), 0);
		assert_int_equal(pe.number, numbers[i]);
		assert_int_equal(operate(&fixture, 1, WORKER_PE_ENABLE, &pe), 0);
		assert_int_equal(pe.number, 0);
	}
	assert_int_equal(open_device(&fixture, 1, DEVICE_1, -1, NULL), 0);
	fixture_close(&fixture);
}

/* H45: so does the last close. The worker's copy is the last as long as the group is here. */
static void test_h45_close_of_a_client(void **state)
{
	struct fixture fixture;
	struct worker_pe pe;
	int fd = -1;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(open_device(&fixture, 1, DEVICE_1, -1, &fd), 0);
	fixture_freeze(&fixture, 1, SIM_FREEZE_BOTH);
	(void)kernel_close(fixture.kernel, fd);
	(void)usleep(50000);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_LOOK, &pe), 0);
	assert_int_equal(pe.number, 2);
	assert_int_equal(pe.devices, 1);
	assert_int_equal(pe.silent, 1);
	fixture_close(&fixture);
}

/* What has no EEH is opened all the same. */
static void test_without_eeh(void **state)
{
	struct fixture fixture;
	struct worker_pe pe;

	(void)state;
	fixture_open_on(&fixture, "pseries,pace=0");
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(operate(&fixture, 0, WORKER_PE_LOOK, &pe), ERROR_EEH_UNAVAILABLE);
	assert_int_equal(open_device(&fixture, 0, "0000:00:01.0", -1, NULL), 0);
	fixture_close(&fixture);
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	/* The container has, the PE has not. */
	fixture_fail(&fixture, "VFIO_EEH_PE_GET_STATE", 0, ENODEV);
	assert_int_equal(open_device(&fixture, 1, DEVICE_1, -1, NULL), 0);
	fixture_close(&fixture);
}

static int attach_shared(struct fixture *fixture, uint32_t group)
{
	struct worker_attach body = {
		.group = group, .container_id = 100 + group, .flags = WORKER_ATTACH_SHARE};
	char node[] = "/dev/vfio/0";
	int fds[2];
	int r;

	node[sizeof(node) - 2] = (char)('0' + group);
	fds[0] = kernel_open_node(fixture->kernel, "/dev/vfio/vfio");
	fds[1] = kernel_open_node(fixture->kernel, node);
	assert_true(fds[0] >= 0 && fds[1] >= 0);
	r = request(fixture, WORKER_ATTACH_GROUP, &body, sizeof(body), fds, 2, NULL);
	(void)kernel_close(fixture->kernel, fds[0]);
	(void)kernel_close(fixture->kernel, fds[1]);
	return r;
}

/* Groups that share a container have their devices opened, and leave with them. */
static void test_shared(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach_shared(&fixture, 0), 0);
	assert_int_equal(attach_shared(&fixture, 1), 0);
	assert_int_equal(open_device(&fixture, 0, DEVICE_0, -1, NULL), 0);
	assert_int_equal(open_device(&fixture, 1, DEVICE_1, -1, NULL), 0);
	assert_int_equal(open_devices(&fixture), 2);
	assert_int_equal(detach(&fixture, 0), 0);
	expect_open_devices(&fixture, 1);
	assert_int_equal(fixture_statistics(&fixture).attached_groups, 1);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_LOOK, NULL), 0);
	fixture_close(&fixture);
}

static uint64_t send_map(struct fixture *fixture, uint64_t iova)
{
	struct worker_map body = {.iova = iova, .gpa = 0, .size = PAGE, .prot = 3};

	return send_request(fixture, WORKER_MAP, &body, sizeof(body), NULL, 0);
}

static void expect_answer(struct fixture *fixture, uint64_t id, enum error_code code)
{
	receive_answer(fixture, &last_answer);
	assert_int_equal(last_answer.head.id, id);
	assert_int_equal(last_answer.head.code, code);
}

/* An opening goes on beside maps, changes, and the openings of other groups' devices. */
static void test_beside(void **state)
{
	struct worker_remove_window remove = {.start = 0x1234};
	struct worker_detach leave = {.group = 0};
	struct fixture fixture;
	uint64_t first;
	uint64_t quick;

	(void)state;
	fixture_open_on(&fixture, SLOW_HOST);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, MIB, NULL), 0);
	first = send_open(&fixture, 0, DEVICE_0, -1);
	expect_answer(&fixture, send_map(&fixture, 0), ERROR_NONE);
	expect_answer(
		&fixture,
		send_request(&fixture, WORKER_REMOVE_WINDOW, &remove, sizeof(remove), NULL, 0),
		ERROR_NOT_FOUND);
	expect_answer(&fixture, send_open(&fixture, 0, DEVICE_0, -1), ERROR_BUSY);
	expect_answer(&fixture, send_operate(&fixture, 0, WORKER_PE_LOOK), ERROR_BUSY);
	expect_answer(&fixture,
		      send_request(&fixture, WORKER_DETACH_GROUP, &leave, sizeof(leave), NULL, 0),
		      ERROR_BUSY);
	expect_text("an operation on group 0 is under way");
	quick = send_open(&fixture, 1, DEVICE_1, -1);
	expect_answer(&fixture, quick, ERROR_NONE);
	assert_true(fixture.last_fd >= 0);
	expect_answer(&fixture, first, ERROR_NONE);
	assert_true(fixture.last_fd >= 0);
	assert_int_equal(open_devices(&fixture), 2);
	assert_int_equal(unmap(&fixture, 0, PAGE), 0);
	assert_int_equal(detach(&fixture, 0), 0);
	fixture_close(&fixture);
}

/* The broker goes while a device is being opened. */
static void test_eof_while_opening(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open_on(&fixture, SLOW_HOST);
	assert_int_equal(attach(&fixture, 0), 0);
	(void)send_open(&fixture, 0, DEVICE_0, -1);
	fixture_close(&fixture);
}

static void test_kill_with_devices(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(open_device(&fixture, 0, DEVICE_0, -1, NULL), 0);
	assert_int_equal(kill(fixture.worker, SIGKILL), 0);
	assert_int_equal(fixture_wait(&fixture), -SIGKILL);
	expect_open_devices(&fixture, 0);
	fixture_close_host(&fixture);
}

/* Replies that wait for room keep their fd, also when the device is closed meanwhile. */
static void test_full_socket(void **state)
{
	struct worker_request head = {.version = WORKER_PROTOCOL_VERSION,
				      .type = WORKER_OPEN_DEVICE,
				      .size = sizeof(struct worker_open_device)};
	struct worker_open_device body = {.group = 1, .name = DEVICE_1};
	struct fixture fixture;
	uint64_t received = 0;
	int flags;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(open_device(&fixture, 1, DEVICE_1, -1, NULL), 0);
	flags = fcntl(fixture.socket, F_GETFL);
	assert_int_equal(fcntl(fixture.socket, F_SETFL, flags | O_NONBLOCK), 0);
	for (unsigned int full = 0; full < 100;) {
		head.id = received + 1;
		if (packet_send(fixture.socket, &head, sizeof(head), &body, sizeof(body), NULL,
				0) == 0) {
			received++;
		} else {
			(void)usleep(1000);
			full++;
		}
	}
	assert_true(received > 10);
	assert_int_equal(fcntl(fixture.socket, F_SETFL, flags), 0);
	for (uint64_t i = 1; i <= received; i++) {
		expect_answer(&fixture, i, ERROR_NONE);
		assert_true(fixture.last_fd >= 0);
	}
	assert_int_equal(read_vendor(&fixture, fixture.last_fd), 0x8086);
	fixture_close(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_again),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_each_step_fails),
		cmocka_unit_test(test_error_event),
		cmocka_unit_test(test_h45_frozen),
		cmocka_unit_test(test_h45_close_of_a_client),
		cmocka_unit_test(test_without_eeh),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_beside),
		cmocka_unit_test(test_eof_while_opening),
		cmocka_unit_test(test_kill_with_devices),
		cmocka_unit_test(test_full_socket),
	};

	return cmocka_run_group_tests_name("worker-device", tests, NULL, NULL);
}
