/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls to devices that a worker has open: their regions and interrupts. */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "sim/eeh.h"
#include "worker_fixture.h"

/* Of the simulated powernv9: edu, with an e1000e as the second one. */
#define EDU   "0000:01:00.0"
#define E1000 "0001:01:00.0"

/* Its registers are as wide as the machine's, and big-endian on POWER, as QEMU has them. */
#define EDU_IDENTIFICATION 0xed000001U
#define EDU_LIVENESS       0x04U
#define EDU_RAISE          0x60U
#define EDU_LOWER          0x64U

#define INTX   VFIO_PCI_INTX_IRQ_INDEX
#define MSIX   VFIO_PCI_MSIX_IRQ_INDEX
#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX

#define MSIX_AT 0xa0U /* of the e1000e */

struct called {
	enum worker_device_call call;
	uint32_t index;
	uint32_t start;
	uint32_t size;
	uint64_t offset;
	uint64_t value;
};

static int call_with_fds(struct fixture *fixture, uint32_t group, const struct called *called,
			 const int *fds, unsigned int count)
{
	struct worker_call_device body = {
		.group = group,
		.call = called->call,
		.index = called->index,
		.start = called->start,
		.size = called->size,
		.offset = called->offset,
		.value = called->value,
	};
	const char *name = group == 0 ? EDU : E1000;

	memcpy(body.name, name, strlen(name));
	return request(fixture, WORKER_CALL_DEVICE, &body, sizeof(body), fds, count, NULL);
}

static int call(struct fixture *fixture, uint32_t group, struct called called)
{
	return call_with_fds(fixture, group, &called, NULL, 0);
}

static int set_irqs(struct fixture *fixture, uint32_t group, uint32_t index, uint32_t start,
		    const int *fds, unsigned int count)
{
	const struct called called = {
		.call = WORKER_DEVICE_SET_IRQS, .index = index, .start = start};

	return call_with_fds(fixture, group, &called, fds, count);
}

static uint64_t read_region(struct fixture *fixture, uint32_t group, uint32_t index,
			    uint64_t offset, uint32_t size)
{
	uint64_t value = 0;

	assert_int_equal(call(fixture, group,
			      (struct called){.call = WORKER_DEVICE_READ_REGION,
					      .index = index,
					      .offset = offset,
					      .size = size}),
			 0);
	assert_int_equal(last_answer.head.size, sizeof(value));
	memcpy(&value, last_answer.body, sizeof(value));
	return value;
}

static void write_region(struct fixture *fixture, uint32_t group, uint32_t index, uint64_t offset,
			 uint32_t size, uint64_t value)
{
	assert_int_equal(call(fixture, group,
			      (struct called){.call = WORKER_DEVICE_WRITE_REGION,
					      .index = index,
					      .offset = offset,
					      .size = size,
					      .value = value}),
			 0);
	assert_int_equal(last_answer.head.size, 0);
}

static int make_event(void)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(event >= 0);
	return event;
}

static uint64_t count_rings(int event)
{
	uint64_t count = 0;

	(void)!read(event, &count, sizeof(count));
	return count;
}

/* Have the kernel ring as if the device had. */
static int loop_back(struct fixture *fixture, int fd, uint32_t index, uint32_t start)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.start = start,
		.count = 1,
	};

	return kernel_ioctl(fixture->kernel, fd, VFIO_DEVICE_SET_IRQS, &set);
}

/* A host with both devices open, and a copy of each one's fd. */
static void open_both(struct fixture *fixture, int ret_fds[2])
{
	fixture_open(fixture);
	assert_int_equal(attach(fixture, 0), 0);
	assert_int_equal(attach(fixture, 1), 0);
	assert_int_equal(open_device(fixture, 0, EDU, -1, &ret_fds[0]), 0);
	assert_int_equal(open_device(fixture, 1, E1000, -1, &ret_fds[1]), 0);
}

static void close_both(struct fixture *fixture, const int fds[2])
{
	(void)kernel_close(fixture->kernel, fds[0]);
	(void)kernel_close(fixture->kernel, fds[1]);
	fixture_close(fixture);
}

/* what there is */

static void test_info(void **state)
{
	struct worker_device_info info;
	struct fixture fixture;
	int fds[2];

	(void)state;
	open_both(&fixture, fds);
	assert_int_equal(call(&fixture, 1, (struct called){.call = WORKER_DEVICE_INFO}), 0);
	assert_int_equal(last_answer.head.size, sizeof(info));
	memcpy(&info, last_answer.body, sizeof(info));
	assert_int_equal(info.flags, VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET);
	assert_int_equal(info.regions, 9);
	assert_int_equal(info.irqs, 5);
	assert_int_equal(info.reset_works, 1);
	close_both(&fixture, fds);
}

static void test_regions(void **state)
{
	struct worker_region regions[4];
	struct worker_area area;
	struct fixture fixture;
	int fds[2];

	(void)state;
	open_both(&fixture, fds);
	/* As powernv9 answers: BAR 0, 1 and 3, config space. */
	assert_int_equal(call(&fixture, 1, (struct called){.call = WORKER_DEVICE_REGIONS}), 0);
	assert_int_equal(last_answer.head.size, sizeof(regions));
	memcpy(regions, last_answer.body, sizeof(regions));
	assert_int_equal(regions[2].index, 3);
	assert_int_equal(regions[2].size, 0x4000);
	assert_int_equal(regions[2].offset, UINT64_C(3) << 40);
	assert_int_equal(regions[2].flags, 0xf);
	assert_int_equal(regions[2].capabilities, 1);
	assert_int_equal(regions[3].index, CONFIG);
	assert_int_equal(regions[3].size, 0x1000);
	assert_int_equal(
		call(&fixture, 1, (struct called){.call = WORKER_DEVICE_AREAS, .index = 3}), 0);
	assert_int_equal(last_answer.head.size, sizeof(area));
	memcpy(&area, last_answer.body, sizeof(area));
	assert_int_equal(area.offset, 0);
	assert_int_equal(area.size, 0x4000);
	assert_int_equal(
		call(&fixture, 1, (struct called){.call = WORKER_DEVICE_AREAS, .index = CONFIG}),
		0);
	assert_int_equal(last_answer.head.size, 0);
	assert_int_equal(
		call(&fixture, 1, (struct called){.call = WORKER_DEVICE_AREAS, .index = 2}),
		ERROR_NOT_FOUND);
	expect_text("has no region 2; those that it has: 0, 1, 3, 7");
	assert_int_equal(
		call(&fixture, 1,
		     (struct called){.call = WORKER_DEVICE_FIND_REGION, .offset = 1, .value = 2}),
		ERROR_NOT_FOUND);
	expect_text("type 0x1 and subtype 0x2");
	assert_int_equal(call(&fixture, 1,
			      (struct called){.call = WORKER_DEVICE_FIND_REGION,
					      .offset = UINT64_C(0x100000000)}),
			 ERROR_INVALID_ARGUMENT);
	expect_text("32 bits");
	close_both(&fixture, fds);
}

static void test_irqs(void **state)
{
	struct worker_irq irqs[5];
	struct fixture fixture;
	int fds[2];

	(void)state;
	open_both(&fixture, fds);
	assert_int_equal(call(&fixture, 1, (struct called){.call = WORKER_DEVICE_IRQS}), 0);
	assert_int_equal(last_answer.head.size, sizeof(irqs));
	memcpy(irqs, last_answer.body, sizeof(irqs));
	assert_int_equal(irqs[MSIX].index, MSIX);
	assert_int_equal(irqs[MSIX].count, 5);
	assert_int_equal(irqs[MSIX].flags, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE);
	/* edu has no MSI-X, and is no PCI Express device. */
	assert_int_equal(call(&fixture, 0, (struct called){.call = WORKER_DEVICE_IRQS}), 0);
	assert_int_equal(last_answer.head.size, 3 * sizeof(irqs[0]));
	close_both(&fixture, fds);
}

/* registers */

static void test_registers(void **state)
{
	struct fixture fixture;
	int fds[2];

	(void)state;
	open_both(&fixture, fds);
	assert_int_equal(read_region(&fixture, 0, 0, 0, 4), EDU_IDENTIFICATION);
	write_region(&fixture, 0, 0, EDU_LIVENESS, 4, 0x12345678);
	assert_int_equal(read_region(&fixture, 0, 0, EDU_LIVENESS, 4), 0xedcba987);
	assert_int_equal(read_region(&fixture, 0, CONFIG, 0, 2), 0x1234);
	assert_int_equal(read_region(&fixture, 0, CONFIG, 2, 1), 0xe8);
	assert_int_equal(call(&fixture, 0,
			      (struct called){.call = WORKER_DEVICE_READ_REGION,
					      .index = 0,
					      .offset = 2,
					      .size = 4}),
			 ERROR_INVALID_ARGUMENT);
	expect_text("offset 0x2");
	assert_int_equal(
		call(&fixture, 0,
		     (struct called){.call = WORKER_DEVICE_WRITE_REGION, .index = 1, .size = 4}),
		ERROR_NOT_FOUND);
	fixture_fail(&fixture, "read:0", 0, EIO);
	assert_int_equal(
		call(&fixture, 0,
		     (struct called){.call = WORKER_DEVICE_READ_REGION, .index = 0, .size = 4}),
		ERROR_KERNEL);
	expect_text("read 4 bytes at 0x0 of region 0 of device " EDU);
	close_both(&fixture, fds);
}

static void test_memory_that_is_off(void **state)
{
	struct fixture fixture;
	uint64_t command;
	int fds[2];

	(void)state;
	open_both(&fixture, fds);
	command = read_region(&fixture, 0, CONFIG, PCI_COMMAND, 2);
	write_region(&fixture, 0, CONFIG, PCI_COMMAND, 2, command & ~(uint64_t)PCI_COMMAND_MEMORY);
	/* The kernel isn't asked. */
	fixture_fail(&fixture, "read:0", 0, ENODEV);
	assert_int_equal(
		call(&fixture, 0,
		     (struct called){.call = WORKER_DEVICE_READ_REGION, .index = 0, .size = 4}),
		ERROR_INVALID_ARGUMENT);
	expect_text("without bit 1 (memory)");
	assert_true(fixture_take_back(&fixture));
	write_region(&fixture, 0, CONFIG, PCI_COMMAND, 2, command);
	assert_int_equal(read_region(&fixture, 0, 0, 0, 4), EDU_IDENTIFICATION);
	close_both(&fixture, fds);
}

/* interrupts */

/* The device asserts its line until it is told otherwise: whoever looks at it rings again. */
static void test_intx_is_armed_by_access(void **state)
{
	cleanup(cleanup_fd) int event = make_event();
	struct fixture fixture;
	int fds[2];

	(void)state;
	open_both(&fixture, fds);
	assert_int_equal(set_irqs(&fixture, 0, INTX, 0, &event, 1), 0);
	write_region(&fixture, 0, 0, EDU_RAISE, 4, 2);
	assert_true(count_rings(event) >= 1);
	assert_int_equal(count_rings(event), 0);
	(void)read_region(&fixture, 0, 0, 0, 4);
	assert_int_equal(count_rings(event), 1);
	/* Config space is none of its registers. */
	(void)read_region(&fixture, 0, CONFIG, 0, 4);
	assert_int_equal(count_rings(event), 0);
	assert_int_equal(call(&fixture, 0, (struct called){.call = WORKER_DEVICE_MASK_IRQ}), 0);
	(void)read_region(&fixture, 0, 0, 0, 4);
	assert_int_equal(count_rings(event), 0);
	assert_int_equal(call(&fixture, 0, (struct called){.call = WORKER_DEVICE_UNMASK_IRQ}), 0);
	assert_int_equal(count_rings(event), 1);
	write_region(&fixture, 0, 0, EDU_LOWER, 4, 2);
	(void)count_rings(event);
	(void)read_region(&fixture, 0, 0, 0, 4);
	assert_int_equal(count_rings(event), 0);
	assert_int_equal(call(&fixture, 0, (struct called){.call = WORKER_DEVICE_DISABLE_IRQ}), 0);
	write_region(&fixture, 0, 0, EDU_RAISE, 4, 2);
	assert_int_equal(count_rings(event), 0);
	close_both(&fixture, fds);
}

static void test_messages(void **state)
{
	struct fixture fixture;
	int events[5];
	int fds[2];

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		events[i] = make_event();
	}
	open_both(&fixture, fds);
	assert_int_equal(set_irqs(&fixture, 1, MSIX, 0, events, 2), 0);
	assert_int_equal(set_irqs(&fixture, 1, MSIX, 2, events + 2, 3), 0);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(loop_back(&fixture, fds[1], MSIX, i), 0);
		assert_int_equal(count_rings(events[i]), 1);
	}
	assert_int_equal(set_irqs(&fixture, 1, MSIX, 4, events, 2), ERROR_INVALID_ARGUMENT);
	expect_text("2 eventfds from interrupt 4 on");
	assert_int_equal(set_irqs(&fixture, 1, INTX, 0, events, 1), ERROR_INVALID_ARGUMENT);
	expect_text("disable them first");
	assert_int_equal(set_irqs(&fixture, 1, MSIX, 0, NULL, 0), ERROR_INVALID_ARGUMENT);
	expect_text("no eventfds");
	assert_int_equal(
		call(&fixture, 1, (struct called){.call = WORKER_DEVICE_MASK_IRQ, .index = MSIX}),
		ERROR_UNSUPPORTED);
	/* One that fails leaves the others. */
	fixture_fail(&fixture, "VFIO_DEVICE_SET_IRQS", 0, ENOMEM);
	assert_int_equal(set_irqs(&fixture, 1, MSIX, 1, events + 3, 2), ERROR_KERNEL);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(loop_back(&fixture, fds[1], MSIX, i), 0);
		assert_int_equal(count_rings(events[i]), 1);
	}
	assert_int_equal(call(&fixture, 1,
			      (struct called){.call = WORKER_DEVICE_DISABLE_IRQ, .index = MSIX}),
			 0);
	assert_int_equal(loop_back(&fixture, fds[1], MSIX, 0), -EINVAL);
	assert_int_equal(call(&fixture, 1,
			      (struct called){.call = WORKER_DEVICE_DISABLE_IRQ, .index = MSIX}),
			 ERROR_NOT_FOUND);
	close_both(&fixture, fds);
	for (size_t i = 0; i < 5; i++) {
		(void)close(events[i]);
	}
}

/* An fd that is no eventfd, but looks like one: the kernel drops what it had before. */
static void test_no_eventfd(void **state)
{
	cleanup(cleanup_fd) int event = make_event();
	cleanup(cleanup_fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct fixture fixture;
	int wrong[2];
	int fds[2];

	(void)state;
	open_both(&fixture, fds);
	assert_int_equal(set_irqs(&fixture, 1, MSIX, 0, &event, 1), 0);
	assert_int_equal(set_irqs(&fixture, 1, MSIX, 0, &null, 1), ERROR_INVALID_ARGUMENT);
	expect_text("fd 0 of those for interrupts of device " E1000 " is no eventfd");
	wrong[0] = event;
	wrong[1] = fds[0];
	assert_int_equal(set_irqs(&fixture, 1, MSIX, 0, wrong, 2), ERROR_INVALID_ARGUMENT);
	assert_int_equal(loop_back(&fixture, fds[1], MSIX, 0), 0);
	assert_int_equal(count_rings(event), 1);
	close_both(&fixture, fds);
}

/* Errors and requests are told to the broker, by eventfds that come with the opening. */
static void test_own_interrupts(void **state)
{
	static const uint32_t indexes[] = {VFIO_PCI_ERR_IRQ_INDEX, VFIO_PCI_REQ_IRQ_INDEX};
	static const enum worker_device_call calls[] = {
		WORKER_DEVICE_MASK_IRQ, WORKER_DEVICE_UNMASK_IRQ, WORKER_DEVICE_DISABLE_IRQ};
	struct worker_open_device body = {
		.group = 1, .events = WORKER_EVENT_ERROR | WORKER_EVENT_REQUEST, .name = E1000};
	int events[] = {make_event(), make_event()};
	struct fixture fixture;
	int fd;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(
		request(&fixture, WORKER_OPEN_DEVICE, &body, sizeof(body), events, 2, NULL), 0);
	fd = steal_fd(&fixture.last_fd);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(loop_back(&fixture, fd, indexes[i], 0), 0);
		assert_int_equal(count_rings(events[i]), 1);
		assert_int_equal(count_rings(events[1 - i]), 0);
		assert_int_equal(set_irqs(&fixture, 1, indexes[i], 0, events, 1),
				 ERROR_INVALID_ARGUMENT);
		expect_text("are this service's own");
		for (size_t j = 0; j < 3; j++) {
			assert_int_equal(
				call(&fixture, 1,
				     (struct called){.call = calls[j], .index = indexes[i]}),
				ERROR_INVALID_ARGUMENT);
			expect_text("are this service's own");
		}
		assert_int_equal(loop_back(&fixture, fd, indexes[i], 0), 0);
		assert_int_equal(count_rings(events[i]), 1);
	}
	(void)kernel_close(fixture.kernel, fd);
	fixture_close(&fixture);
	(void)close(events[0]);
	(void)close(events[1]);
}

static void test_request_event_alone(void **state)
{
	struct worker_open_device body = {.group = 0, .events = WORKER_EVENT_REQUEST, .name = EDU};
	cleanup(cleanup_fd) int event = make_event();
	struct fixture fixture;
	int fd;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(
		request(&fixture, WORKER_OPEN_DEVICE, &body, sizeof(body), &event, 1, NULL), 0);
	fd = steal_fd(&fixture.last_fd);
	assert_int_equal(loop_back(&fixture, fd, VFIO_PCI_REQ_IRQ_INDEX, 0), 0);
	assert_int_equal(count_rings(event), 1);
	(void)kernel_close(fixture.kernel, fd);
	fixture_close(&fixture);
}

/* What the kernel forgets of messages when a PE is reset is made good (WORKER_PE_RESTORE). */
static void test_messages_after_a_recovery(void **state)
{
	static const enum worker_pe_operation steps[] = {
		WORKER_PE_UNFREEZE_IO, WORKER_PE_RESET_HOT, WORKER_PE_DEACTIVATE,
		WORKER_PE_CONFIGURE,   WORKER_PE_RESTORE,   WORKER_PE_VERIFY,
	};
	int events[] = {make_event(), make_event()};
	struct fixture fixture;
	int fds[2];

	(void)state;
	open_both(&fixture, fds);
	assert_int_equal(set_irqs(&fixture, 1, MSIX, 0, events, 2), 0);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_SAVE, NULL), 0);
	fixture_freeze(&fixture, 1, SIM_FREEZE_BOTH);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_int_equal(operate(&fixture, 1, steps[i], NULL), 0);
		if (steps[i] == WORKER_PE_CONFIGURE) {
			assert_false(read_region(&fixture, 1, CONFIG, MSIX_AT + 2, 2) &
				     PCI_MSIX_FLAGS_ENABLE);
		}
	}
	assert_true(read_region(&fixture, 1, CONFIG, MSIX_AT + 2, 2) & PCI_MSIX_FLAGS_ENABLE);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(loop_back(&fixture, fds[1], MSIX, i), 0);
		assert_int_equal(count_rings(events[i]), 1);
	}
	close_both(&fixture, fds);
	(void)close(events[0]);
	(void)close(events[1]);
}

/* While a reset is asserted the kernel has no messages on whose table it would write when the
 * worker dies; and who sets one of them afterwards has all. */
static void test_messages_are_off_in_a_reset(void **state)
{
	static const enum worker_pe_operation resets[] = {WORKER_PE_RESET_HOT,
							  WORKER_PE_RESET_FUNDAMENTAL};
	int events[] = {make_event(), make_event()};
	struct fixture fixture;
	int fds[2];

	(void)state;
	open_both(&fixture, fds);
	assert_int_equal(set_irqs(&fixture, 1, MSIX, 0, events, 2), 0);
	for (size_t i = 0; i < sizeof(resets) / sizeof(resets[0]); i++) {
		assert_int_equal(operate(&fixture, 1, resets[i], NULL), 0);
		assert_int_equal(loop_back(&fixture, fds[1], MSIX, 0), -EINVAL);
		assert_int_equal(operate(&fixture, 1, WORKER_PE_DEACTIVATE, NULL), 0);
		assert_int_equal(set_irqs(&fixture, 1, MSIX, 0, events, 1), 0);
		assert_true(read_region(&fixture, 1, CONFIG, MSIX_AT + 2, 2) &
			    PCI_MSIX_FLAGS_ENABLE);
		assert_int_equal(loop_back(&fixture, fds[1], MSIX, 1), 0);
		assert_int_equal(count_rings(events[1]), 1);
	}
	close_both(&fixture, fds);
	(void)close(events[0]);
	(void)close(events[1]);
}

/* refusals */

static void test_not_open(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(call(&fixture, 1, (struct called){.call = WORKER_DEVICE_INFO}),
			 ERROR_NOT_FOUND);
	expect_text("group 1 is not attached");
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(call(&fixture, 1, (struct called){.call = WORKER_DEVICE_INFO}),
			 ERROR_NOT_FOUND);
	expect_text("device " E1000 " of group 1 is not open; open it first");
	fixture_close(&fixture);
}

/* A PE job may close it, or reset it. */
static void test_busy(void **state)
{
	struct fixture fixture;
	struct answer answer;
	int fds[2];
	uint64_t id;

	(void)state;
	open_both(&fixture, fds);
	fixture_delay(&fixture, "VFIO_EEH_PE_OP", 300);
	id = send_operate(&fixture, 1, WORKER_PE_LOOK);
	assert_int_equal(call(&fixture, 1, (struct called){.call = WORKER_DEVICE_INFO}),
			 ERROR_BUSY);
	expect_text("group 1 is under way");
	assert_int_equal(call(&fixture, 0, (struct called){.call = WORKER_DEVICE_INFO}), 0);
	receive_answer(&fixture, &answer);
	assert_int_equal(answer.head.id, id);
	assert_int_equal(call(&fixture, 1, (struct called){.call = WORKER_DEVICE_INFO}), 0);
	close_both(&fixture, fds);
}

/* Without the reset's end it has no BARs: to write them, or the MSI-X table, would end some hosts.
 */
static void test_busy_while_a_reset_is_asserted(void **state)
{
	cleanup(cleanup_fd) int event = make_event();
	struct fixture fixture;
	int fds[2];

	(void)state;
	open_both(&fixture, fds);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_RESET_HOT, NULL), 0);
	fixture_fail(&fixture, "VFIO_DEVICE_SET_IRQS", 0, ENODEV);
	assert_int_equal(set_irqs(&fixture, 1, MSIX, 0, &event, 1), ERROR_BUSY);
	expect_text("a reset of the PE of group 1 is asserted");
	assert_true(fixture_take_back(&fixture));
	assert_int_equal(
		call(&fixture, 1, (struct called){.call = WORKER_DEVICE_READ_REGION, .size = 4}),
		ERROR_BUSY);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_DEACTIVATE, NULL), 0);
	assert_int_equal(set_irqs(&fixture, 1, MSIX, 0, &event, 1), 0);
	close_both(&fixture, fds);
}

/* What each call has no use for: every other field, and fds. */
static void test_fields_of_no_use(void **state)
{
	static const struct {
		enum worker_device_call call;
		const char *uses; /* of "iszovf": index, start, size, offset, value, fds */
	} cases[] = {
		{WORKER_DEVICE_INFO, ""},           {WORKER_DEVICE_REGIONS, ""},
		{WORKER_DEVICE_AREAS, "i"},         {WORKER_DEVICE_FIND_REGION, "ov"},
		{WORKER_DEVICE_READ_REGION, "izo"}, {WORKER_DEVICE_WRITE_REGION, "izov"},
		{WORKER_DEVICE_IRQS, ""},           {WORKER_DEVICE_SET_IRQS, "isf"},
		{WORKER_DEVICE_MASK_IRQ, "i"},      {WORKER_DEVICE_UNMASK_IRQ, "i"},
		{WORKER_DEVICE_DISABLE_IRQ, "i"},
	};
	static const char fields[] = "iszovf";
	cleanup(cleanup_fd) int event = make_event();
	struct fixture fixture;
	int fds[2];

	(void)state;
	open_both(&fixture, fds);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (const char *field = fields; *field; field++) {
			const struct called called = {
				.call = cases[i].call,
				.index = *field == 'i',
				.start = *field == 's',
				.size = *field == 'z',
				.offset = *field == 'o',
				.value = *field == 'v',
			};

			if (strchr(cases[i].uses, *field)) {
				continue;
			}
			assert_int_equal(call_with_fds(&fixture, 1, &called, &event, *field == 'f'),
					 ERROR_INVALID_ARGUMENT);
			expect_text("has no use for some of what came along");
		}
	}
	close_both(&fixture, fds);
}

static void test_bad_requests(void **state)
{
	static const uint32_t calls[] = {0, WORKER_DEVICE_CALL_COUNT, UINT32_MAX};
	struct worker_call_device body = {.group = 1, .call = WORKER_DEVICE_INFO, .reserved = 1};
	struct fixture fixture;
	int fds[2];

	(void)state;
	open_both(&fixture, fds);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		assert_int_equal(call(&fixture, 1, (struct called){.call = calls[i]}),
				 ERROR_INVALID_ARGUMENT);
		expect_text("there is no call");
	}
	memcpy(body.name, E1000, sizeof(E1000));
	assert_int_equal(request(&fixture, WORKER_CALL_DEVICE, &body, sizeof(body), NULL, 0, NULL),
			 ERROR_INVALID_ARGUMENT);
	expect_text("reserved");
	body.reserved = 0;
	memset(body.name, 'x', sizeof(body.name));
	assert_int_equal(request(&fixture, WORKER_CALL_DEVICE, &body, sizeof(body), NULL, 0, NULL),
			 ERROR_INVALID_ARGUMENT);
	memset(body.name, 0, sizeof(body.name));
	memcpy(body.name, "\xff\n", 2);
	assert_int_equal(request(&fixture, WORKER_CALL_DEVICE, &body, sizeof(body), NULL, 0, NULL),
			 ERROR_INVALID_ARGUMENT);
	expect_text("printable characters");
	close_both(&fixture, fds);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_regions),
		cmocka_unit_test(test_irqs),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_memory_that_is_off),
		cmocka_unit_test(test_intx_is_armed_by_access),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_no_eventfd),
		cmocka_unit_test(test_own_interrupts),
		cmocka_unit_test(test_request_event_alone),
		cmocka_unit_test(test_messages_after_a_recovery),
		cmocka_unit_test(test_messages_are_off_in_a_reset),
		cmocka_unit_test(test_not_open),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_busy_while_a_reset_is_asserted),
		cmocka_unit_test(test_fields_of_no_use),
		cmocka_unit_test(test_bad_requests),
	};

	return cmocka_run_group_tests_name("worker-device-call", tests, NULL, NULL);
}
