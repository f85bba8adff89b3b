/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices by the methods of org.spaprd1.Device: what they have, registers, interrupts that really
 * ring. Opening and closing edu takes a real host seconds, so few tests do. Of edu's BAR only whole
 * registers are touched, of e1000e's none: an emulated host ends with a machine check where a
 * device doesn't answer.
 */
#include <endian.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "eeh.h"
#include "open_device.h"

#define EDU_ID          0x00U /* registers of 4 bytes in BAR 0 (docs/specs/edu of QEMU) */
#define EDU_LIVENESS    0x04U
#define EDU_INTERRUPTS  0x24U
#define EDU_RAISE       0x60U
#define EDU_ACKNOWLEDGE 0x64U
#define EDU_IDENTITY    0x010000edU
#define EDU_BAR_SIZE    0x100000U

#define RING_TIMEOUT_MS 20000
#define QUIET_MS        200 /* in which nothing rings */

/* -- a device in an address space of its own, open -- */

struct stage {
	const struct world *world;
	char *space;
	char path[64];
	struct open_device device;
};

static void find_path(const struct world *world, const char *name, char *ret_path, size_t size)
{
	DBusMessage *reply = call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER,
				  "GetDevice", NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID);
	const char *path = NULL;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &path,
					  DBUS_TYPE_INVALID));
	(void)snprintf(ret_path, size, "%s", path);
	dbus_message_unref(reply);
}

static struct stage stage_open(const struct world *world, const char *name)
{
	struct stage stage = {.world = world, .space = space_create(world->client, "devices")};

	find_path(world, name, stage.path, sizeof(stage.path));
	attach(world->client, stage.space, name, NULL);
	stage.device = open_device(world, world->client, name, NULL);
	return stage;
}

static void stage_close(struct stage *stage)
{
	open_device_close(&stage->device);
	space_close(stage->world->client, stage->space);
	wait_until_nothing_is_left(stage->world);
}

/* -- calls -- */

static DBusMessage *message_of(const struct stage *stage, const char *method)
{
	return dbus_message_new_method_call(BUS_NAME, stage->path, BUS_INTERFACE_DEVICE, method);
}

static void call_index(const struct stage *stage, const char *method, uint32_t index,
		       const char *refusal)
{
	DBusMessage *reply = call(stage->world->client, stage->path, BUS_INTERFACE_DEVICE, method,
				  refusal, DBUS_TYPE_UINT32, &index, DBUS_TYPE_INVALID);

	if (reply) {
		dbus_message_unref(reply);
	}
}

static uint64_t read_region(const struct stage *stage, uint32_t region, uint64_t offset,
			    uint32_t size, const char *refusal)
{
	dbus_uint64_t where = offset;
	dbus_uint64_t value = 0;
	DBusMessage *reply =
		call(stage->world->client, stage->path, BUS_INTERFACE_DEVICE, "ReadRegion", refusal,
		     DBUS_TYPE_UINT32, &region, DBUS_TYPE_UINT64, &where, DBUS_TYPE_UINT32, &size,
		     DBUS_TYPE_INVALID);

	if (reply) {
		assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT64, &value,
						  DBUS_TYPE_INVALID));
		dbus_message_unref(reply);
	}
	return value;
}

static void write_region(const struct stage *stage, uint32_t region, uint64_t offset, uint32_t size,
			 uint64_t value, const char *refusal)
{
	dbus_uint64_t where = offset;
	dbus_uint64_t what = value;
	DBusMessage *reply =
		call(stage->world->client, stage->path, BUS_INTERFACE_DEVICE, "WriteRegion",
		     refusal, DBUS_TYPE_UINT32, &region, DBUS_TYPE_UINT64, &where, DBUS_TYPE_UINT32,
		     &size, DBUS_TYPE_UINT64, &what, DBUS_TYPE_INVALID);

	if (reply) {
		dbus_message_unref(reply);
	}
}

static uint64_t read_config(const struct stage *stage, uint64_t offset, uint32_t size)
{
	return read_region(stage, VFIO_PCI_CONFIG_REGION_INDEX, offset, size, NULL);
}

static void write_config(const struct stage *stage, uint64_t offset, uint32_t size, uint64_t value)
{
	write_region(stage, VFIO_PCI_CONFIG_REGION_INDEX, offset, size, value, NULL);
}

static void decode_memory(const struct stage *stage, bool on)
{
	uint64_t command = read_config(stage, PCI_COMMAND, 2);

	command = on ? command | PCI_COMMAND_MEMORY : command & ~(uint64_t)PCI_COMMAND_MEMORY;
	write_config(stage, PCI_COMMAND, 2, command);
}

/* A register's number as edu has it: the registers have the byte order of QEMU's target, and a
 * POWER one counts as big-endian. */
static uint32_t edu_number(const struct stage *stage, uint32_t value)
{
	return stage->world->host->has_tce ? __builtin_bswap32(value) : value;
}

static uint32_t read_edu(const struct stage *stage, uint64_t offset)
{
	return edu_number(stage, (uint32_t)read_region(stage, 0, offset, 4, NULL));
}

static void write_edu(const struct stage *stage, uint64_t offset, uint32_t value)
{
	write_region(stage, 0, offset, 4, edu_number(stage, value), NULL);
}

/* By the device's fd, as a program that has it does: nothing arms an interrupt by that. */
static void write_edu_directly(const struct stage *stage, uint64_t offset, uint32_t value)
{
	uint32_t bytes = htole32(edu_number(stage, value));

	assert_int_equal(
		kernel_write(stage->device.kernel, stage->device.fd, offset, &bytes, sizeof(bytes)),
		sizeof(bytes));
}

/* The entry of an array whose first number is `index`. */
static bool find_entry(DBusMessage *reply, uint32_t index, DBusMessageIter *ret_rest)
{
	DBusMessageIter iter;
	DBusMessageIter array;

	assert_true(dbus_message_iter_init(reply, &iter));
	dbus_message_iter_recurse(&iter, &array);
	for (; dbus_message_iter_get_arg_type(&array) == DBUS_TYPE_STRUCT;
	     (void)dbus_message_iter_next(&array)) {
		dbus_uint32_t number = 0;

		dbus_message_iter_recurse(&array, ret_rest);
		dbus_message_iter_get_basic(ret_rest, &number);
		(void)dbus_message_iter_next(ret_rest);
		if (number == index) {
			return true;
		}
	}
	return false;
}

/* -- regions -- */

struct region {
	uint32_t flags;
	uint64_t size;
	uint64_t offset;
};

static bool find_region(const struct stage *stage, uint32_t index, struct region *ret_region)
{
	DBusMessage *reply = call(stage->world->client, stage->path, BUS_INTERFACE_DEVICE,
				  "Regions", NULL, DBUS_TYPE_INVALID);
	DBusMessageIter rest;
	bool found = find_entry(reply, index, &rest);

	if (found) {
		dbus_message_iter_get_basic(&rest, &ret_region->flags);
		(void)dbus_message_iter_next(&rest);
		dbus_message_iter_get_basic(&rest, &ret_region->size);
		(void)dbus_message_iter_next(&rest);
		dbus_message_iter_get_basic(&rest, &ret_region->offset);
	}
	dbus_message_unref(reply);
	return found;
}

static void check_regions(const struct stage *stage)
{
	struct region region = {.size = 0};

	assert_true(find_region(stage, VFIO_PCI_BAR0_REGION_INDEX, &region));
	assert_int_equal(region.size, EDU_BAR_SIZE);
	assert_int_equal(region.flags & 7U, 7);
	assert_int_equal(region.offset, 0);
	assert_true(find_region(stage, VFIO_PCI_CONFIG_REGION_INDEX, &region));
	assert_true(region.size >= 256);
	assert_int_equal(region.offset, stage->device.config_offset);
	/* What the device doesn't have isn't there. */
	assert_false(find_region(stage, VFIO_PCI_BAR1_REGION_INDEX, &region));
	assert_false(find_region(stage, VFIO_PCI_ROM_REGION_INDEX, &region));
}

/* The areas of a region, whose sizes are summed up. */
static unsigned int count_areas(const struct stage *stage, uint32_t index, uint64_t *ret_size)
{
	DBusMessage *reply = call(stage->world->client, stage->path, BUS_INTERFACE_DEVICE,
				  "SparseAreas", NULL, DBUS_TYPE_UINT32, &index, DBUS_TYPE_INVALID);
	unsigned int count = 0;
	DBusMessageIter iter;
	DBusMessageIter array;

	*ret_size = 0;
	assert_true(dbus_message_iter_init(reply, &iter));
	for (dbus_message_iter_recurse(&iter, &array);
	     dbus_message_iter_get_arg_type(&array) == DBUS_TYPE_STRUCT;
	     (void)dbus_message_iter_next(&array)) {
		dbus_uint64_t size = 0;
		DBusMessageIter area;

		dbus_message_iter_recurse(&array, &area);
		(void)dbus_message_iter_next(&area);
		dbus_message_iter_get_basic(&area, &size);
		*ret_size += size;
		count++;
	}
	dbus_message_unref(reply);
	return count;
}

static void check_areas(const struct stage *stage)
{
	uint64_t size = 0;

	assert_int_equal(count_areas(stage, VFIO_PCI_BAR0_REGION_INDEX, &size), 1);
	assert_int_equal(size, EDU_BAR_SIZE);
	assert_int_equal(count_areas(stage, VFIO_PCI_CONFIG_REGION_INDEX, &size), 0);
	call_index(stage, "SparseAreas", VFIO_PCI_BAR1_REGION_INDEX, "NotFound");
	call_index(stage, "SparseAreas", 77, "NotFound");
}

static void check_types(const struct stage *stage)
{
	dbus_uint32_t type = 0x800010de;
	dbus_uint32_t subtype = 1;

	(void)call(stage->world->client, stage->path, BUS_INTERFACE_DEVICE, "FindRegion",
		   "NotFound", DBUS_TYPE_UINT32, &type, DBUS_TYPE_UINT32, &subtype,
		   DBUS_TYPE_INVALID);
	type = 0;
	subtype = 0;
	(void)call(stage->world->client, stage->path, BUS_INTERFACE_DEVICE, "FindRegion",
		   "NotFound", DBUS_TYPE_UINT32, &type, DBUS_TYPE_UINT32, &subtype,
		   DBUS_TYPE_INVALID);
}

static void test_regions(void **state)
{
	struct stage stage = stage_open(*state, ((struct world *)*state)->host->edu);

	check_regions(&stage);
	check_areas(&stage);
	check_types(&stage);
	stage_close(&stage);
}

/* -- registers -- */

/* Config space is what the host says of the device. */
static void test_config_space(void **state)
{
	const struct world *world = *state;
	const char *const devices[] = {world->host->edu, world->host->nic};

	for (size_t i = 0; i < 2; i++) {
		struct stage stage = stage_open(world, devices[i]);
		uint64_t class =
			get_number(world->client, stage.path, BUS_INTERFACE_DEVICE, "Class");
		uint64_t vendor =
			get_number(world->client, stage.path, BUS_INTERFACE_DEVICE, "Vendor");
		uint64_t device =
			get_number(world->client, stage.path, BUS_INTERFACE_DEVICE, "Device");

		assert_int_equal(read_config(&stage, PCI_VENDOR_ID, 2), vendor);
		assert_int_equal(read_config(&stage, PCI_VENDOR_ID, 4), device << 16 | vendor);
		assert_int_equal(read_config(&stage, PCI_CLASS_REVISION, 4) >> 8, class);
		assert_int_equal(read_config(&stage, PCI_CLASS_PROG, 1), class & 0xff);
		/* What is written is there, and nothing else. */
		write_config(&stage, PCI_INTERRUPT_LINE, 1, 0x5a);
		assert_int_equal(read_config(&stage, PCI_INTERRUPT_LINE, 1), 0x5a);
		write_config(&stage, PCI_INTERRUPT_LINE, 1, 0xa5);
		assert_int_equal(read_config(&stage, PCI_INTERRUPT_LINE, 1), 0xa5);
		stage_close(&stage);
	}
}

static void check_bar(const struct stage *stage)
{

	decode_memory(stage, true);
	assert_int_equal(read_edu(stage, EDU_ID), EDU_IDENTITY);
	write_edu(stage, EDU_LIVENESS, 0x12345678);
	assert_int_equal(read_edu(stage, EDU_LIVENESS), ~0x12345678U);
	/* As it was: where it has no reset it would keep that. */
	write_edu(stage, EDU_LIVENESS, UINT32_MAX);
	assert_int_equal(read_edu(stage, EDU_LIVENESS), 0);
}

static void check_wrong_accesses(const struct stage *stage)
{
	struct region config = {.size = 0};

	decode_memory(stage, true);
	(void)read_region(stage, 0, 0, 3, "InvalidArgument");
	(void)read_region(stage, 0, 0, 0, "InvalidArgument");
	(void)read_region(stage, 0, 2, 4, "InvalidArgument");
	(void)read_region(stage, 0, EDU_BAR_SIZE, 4, "InvalidArgument");
	(void)read_region(stage, 0, UINT64_MAX - 3, 4, "InvalidArgument");
	(void)read_region(stage, VFIO_PCI_BAR1_REGION_INDEX, 0, 4, "NotFound");
	(void)read_region(stage, 77, 0, 4, "NotFound");
	write_region(stage, 0, 2, 4, 0, "InvalidArgument");
	write_region(stage, VFIO_PCI_CONFIG_REGION_INDEX, PCI_INTERRUPT_LINE, 1, 0x100,
		     "InvalidArgument");
	write_region(stage, 0, EDU_BAR_SIZE, 4, 0, "InvalidArgument");
	write_region(stage, 77, 0, 4, 0, "NotFound");
	assert_true(find_region(stage, VFIO_PCI_CONFIG_REGION_INDEX, &config));
	(void)read_region(stage, VFIO_PCI_CONFIG_REGION_INDEX, config.size, 1, "InvalidArgument");
	(void)read_region(stage, VFIO_PCI_CONFIG_REGION_INDEX, 1, 2, "InvalidArgument");
	assert_int_equal(read_edu(stage, EDU_ID), EDU_IDENTITY);
}

/* A device that doesn't decode its addresses doesn't answer: the host would end. */
static void check_decoding(const struct stage *stage)
{

	decode_memory(stage, false);
	(void)read_region(stage, 0, EDU_ID, 4, "InvalidArgument");
	write_region(stage, 0, EDU_LIVENESS, 4, 0, "InvalidArgument");
	decode_memory(stage, true);
	assert_int_equal(read_edu(stage, EDU_ID), EDU_IDENTITY);
}

static void test_bar(void **state)
{
	struct stage stage = stage_open(*state, ((struct world *)*state)->host->edu);

	check_bar(&stage);
	check_wrong_accesses(&stage);
	check_decoding(&stage);
	stage_close(&stage);
}

/* -- interrupts -- */

static int event_new(void)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(event >= 0);
	return event;
}

/* Whether it rings within that time; it has not rung then any more. */
static bool rings_within(int event, int milliseconds)
{
	struct pollfd item = {.fd = event, .events = POLLIN};
	uint64_t count = 0;

	if (poll(&item, 1, milliseconds) != 1) {
		return false;
	}
	assert_int_equal(read(event, &count, sizeof(count)), sizeof(count));
	return true;
}

static void expect_ring(int event)
{
	if (!rings_within(event, RING_TIMEOUT_MS)) {
		fail_msg("the interrupt does not ring");
	}
}

static void expect_silence(int event)
{
	if (rings_within(event, QUIET_MS)) {
		fail_msg("the interrupt rings");
	}
}

static void set_irqs(const struct stage *stage, uint32_t index, uint32_t start, const int *events,
		     unsigned int count, const char *refusal)
{
	DBusMessage *message = message_of(stage, "SetIrqs");
	DBusMessageIter arguments;
	DBusMessageIter array;
	DBusMessage *reply;

	dbus_message_iter_init_append(message, &arguments);
	assert_true(dbus_message_iter_append_basic(&arguments, DBUS_TYPE_UINT32, &index));
	assert_true(dbus_message_iter_append_basic(&arguments, DBUS_TYPE_UINT32, &start));
	assert_true(dbus_message_iter_open_container(&arguments, DBUS_TYPE_ARRAY, "h", &array));
	for (unsigned int i = 0; i < count; i++) {
		assert_true(dbus_message_iter_append_basic(&array, DBUS_TYPE_UNIX_FD, &events[i]));
	}
	assert_true(dbus_message_iter_close_container(&arguments, &array));
	reply = call_message(stage->world->client, message, refusal);
	if (reply) {
		dbus_message_unref(reply);
	}
}

/* Have the kernel ring an interrupt as if the device had raised it. 0 or -errno. */
static int loop_back(const struct stage *stage, uint32_t index, uint32_t number)
{
	union {
		struct vfio_irq_set set;
		unsigned char bytes[sizeof(struct vfio_irq_set) + 1];
	} argument = {.set = {
			      .argsz = sizeof(argument.set) + 1,
			      .flags = VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER,
			      .index = index,
			      .start = number,
			      .count = 1,
		      }};

	argument.bytes[sizeof(argument.set)] = 1;
	return kernel_ioctl(stage->device.kernel, stage->device.fd, VFIO_DEVICE_SET_IRQS,
			    &argument.set);
}

static uint32_t count_irqs(const struct stage *stage, uint32_t index)
{
	DBusMessage *reply = call(stage->world->client, stage->path, BUS_INTERFACE_DEVICE, "Irqs",
				  NULL, DBUS_TYPE_INVALID);
	dbus_uint32_t count = 0;
	DBusMessageIter rest;

	if (find_entry(reply, index, &rest)) {
		(void)dbus_message_iter_next(&rest);
		dbus_message_iter_get_basic(&rest, &count);
	}
	dbus_message_unref(reply);
	return count;
}

static void test_irqs(void **state)
{
	const struct world *world = *state;
	struct stage stage = stage_open(world, world->host->edu);

	assert_int_equal(count_irqs(&stage, VFIO_PCI_INTX_IRQ_INDEX), 1);
	assert_int_equal(count_irqs(&stage, VFIO_PCI_MSI_IRQ_INDEX), 1);
	assert_int_equal(count_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX), 0);
	/* It is no PCI Express device. */
	assert_int_equal(count_irqs(&stage, VFIO_PCI_ERR_IRQ_INDEX), 0);
	assert_int_equal(count_irqs(&stage, VFIO_PCI_REQ_IRQ_INDEX), 1);
	stage_close(&stage);
	stage = stage_open(world, world->host->nic);
	assert_int_equal(count_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX), 5);
	assert_int_equal(count_irqs(&stage, VFIO_PCI_ERR_IRQ_INDEX), 1);
	stage_close(&stage);
}

static void test_msix(void **state)
{
	struct stage stage = stage_open(*state, ((struct world *)*state)->host->nic);
	const int events[] = {event_new(), event_new(), event_new()};

	set_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0, events, 2, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(loop_back(&stage, VFIO_PCI_MSIX_IRQ_INDEX, i), 0);
		expect_ring(events[i]);
		expect_silence(events[1 - i]);
	}
	/* One more behind them, which leaves them alone. */
	set_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 2, &events[2], 1, NULL);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(loop_back(&stage, VFIO_PCI_MSIX_IRQ_INDEX, i), 0);
		expect_ring(events[i]);
	}
	/* Another one instead of the first. */
	set_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0, &events[2], 1, NULL);
	assert_int_equal(loop_back(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0), 0);
	expect_ring(events[2]);
	expect_silence(events[0]);
	call_index(&stage, "DisableIrq", VFIO_PCI_MSIX_IRQ_INDEX, NULL);
	assert_int_not_equal(loop_back(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0), 0);
	expect_silence(events[2]);
	stage_close(&stage);
	for (unsigned int i = 0; i < 3; i++) {
		(void)close(events[i]);
	}
}

static void test_wrong_interrupts(void **state)
{
	const struct world *world = *state;
	struct stage stage = stage_open(world, world->host->nic);
	int event = event_new();
	int file = open("/dev/null", O_RDWR | O_CLOEXEC);
	int many[6] = {event, event, event, event, event, event};

	set_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0, many, 6, "InvalidArgument");
	set_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 5, &event, 1, "InvalidArgument");
	set_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX, UINT32_MAX, &event, 1, "InvalidArgument");
	set_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0, NULL, 0, "InvalidArgument");
	set_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0, &file, 1, "InvalidArgument");
	set_irqs(&stage, VFIO_PCI_ERR_IRQ_INDEX, 0, &file, 1, "InvalidArgument");
	set_irqs(&stage, VFIO_PCI_ERR_IRQ_INDEX, 1, &event, 1, "InvalidArgument");
	set_irqs(&stage, 5, 0, &event, 1, "NotFound");
	/* One kind at a time. */
	set_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0, &event, 1, NULL);
	set_irqs(&stage, VFIO_PCI_INTX_IRQ_INDEX, 0, &event, 1, "InvalidArgument");
	call_index(&stage, "MaskIrq", VFIO_PCI_MSIX_IRQ_INDEX, "Unsupported");
	call_index(&stage, "UnmaskIrq", VFIO_PCI_MSIX_IRQ_INDEX, "Unsupported");
	call_index(&stage, "MaskIrq", VFIO_PCI_INTX_IRQ_INDEX, "NotFound");
	call_index(&stage, "MaskIrq", 5, "NotFound");
	call_index(&stage, "DisableIrq", 5, "NotFound");
	assert_int_equal(loop_back(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0), 0);
	expect_ring(event);
	stage_close(&stage);
	stage = stage_open(world, world->host->edu);
	set_irqs(&stage, VFIO_PCI_ERR_IRQ_INDEX, 0, &event, 1, "NotFound");
	stage_close(&stage);
	(void)close(file);
	(void)close(event);
}

/* The device raises its line, and what masks and unmasks it is as on a host. */
static void check_intx(const struct stage *stage)
{
	int event = event_new();

	decode_memory(stage, true);
	set_irqs(stage, VFIO_PCI_INTX_IRQ_INDEX, 0, &event, 1, NULL);
	write_edu_directly(stage, EDU_RAISE, 1);
	expect_ring(event);
	/* Masked since, although the line is up still. */
	expect_silence(event);
	/* An access to the BAR arms it again. */
	assert_int_equal(read_edu(stage, EDU_INTERRUPTS), 1);
	expect_ring(event);
	/* The line goes down, and so the access arms it and no more. */
	write_edu(stage, EDU_ACKNOWLEDGE, 1);
	(void)rings_within(event, QUIET_MS);
	assert_int_equal(read_edu(stage, EDU_INTERRUPTS), 0);
	expect_silence(event);
	write_edu_directly(stage, EDU_RAISE, 2);
	expect_ring(event);
	write_edu(stage, EDU_ACKNOWLEDGE, 2);
	(void)rings_within(event, QUIET_MS);
	(void)close(event);
}

static void check_intx_masked(const struct stage *stage)
{
	int event = event_new();

	decode_memory(stage, true);
	call_index(stage, "MaskIrq", VFIO_PCI_INTX_IRQ_INDEX, "NotFound");
	set_irqs(stage, VFIO_PCI_INTX_IRQ_INDEX, 0, &event, 1, NULL);
	call_index(stage, "MaskIrq", VFIO_PCI_INTX_IRQ_INDEX, NULL);
	write_edu_directly(stage, EDU_RAISE, 1);
	expect_silence(event);
	/* Who masks wants it masked, whatever is accessed. */
	assert_int_equal(read_edu(stage, EDU_INTERRUPTS), 1);
	expect_silence(event);
	call_index(stage, "UnmaskIrq", VFIO_PCI_INTX_IRQ_INDEX, NULL);
	expect_ring(event);
	write_edu(stage, EDU_ACKNOWLEDGE, 1);
	(void)rings_within(event, QUIET_MS);
	call_index(stage, "DisableIrq", VFIO_PCI_INTX_IRQ_INDEX, NULL);
	write_edu_directly(stage, EDU_RAISE, 1);
	expect_silence(event);
	write_edu_directly(stage, EDU_ACKNOWLEDGE, 1);
	(void)close(event);
}

static void test_intx(void **state)
{
	struct stage stage = stage_open(*state, ((struct world *)*state)->host->edu);

	check_intx(&stage);
	call_index(&stage, "DisableIrq", VFIO_PCI_INTX_IRQ_INDEX, NULL);
	check_intx_masked(&stage);
	stage_close(&stage);
}

/* The kernel's eventfd is spaprd's, and the client's rings all the same. */
static void test_error_interrupt(void **state)
{
	struct stage stage = stage_open(*state, ((struct world *)*state)->host->nic);
	int event = event_new();

	set_irqs(&stage, VFIO_PCI_ERR_IRQ_INDEX, 0, &event, 1, NULL);
	assert_int_equal(loop_back(&stage, VFIO_PCI_ERR_IRQ_INDEX, 0), 0);
	expect_ring(event);
	call_index(&stage, "DisableIrq", VFIO_PCI_ERR_IRQ_INDEX, NULL);
	assert_int_equal(loop_back(&stage, VFIO_PCI_ERR_IRQ_INDEX, 0), 0);
	expect_silence(event);
	stage_close(&stage);
	(void)close(event);
}

static void test_request_interrupt(void **state)
{
	struct stage stage = stage_open(*state, ((struct world *)*state)->host->edu);
	int event = event_new();

	set_irqs(&stage, VFIO_PCI_REQ_IRQ_INDEX, 0, &event, 1, NULL);
	assert_int_equal(loop_back(&stage, VFIO_PCI_REQ_IRQ_INDEX, 0), 0);
	expect_ring(event);
	open_device_close(&stage.device);
	space_close(stage.world->client, stage.space);
	/* Nobody has taken it. When it was open once more it is as any other. */
	stage = stage_open(*state, ((struct world *)*state)->host->edu);
	expect_silence(event);
	stage_close(&stage);
	(void)close(event);
}

/* What the group had is nobody's when it comes again. */
static void test_interrupts_end_with_the_group(void **state)
{
	const struct world *world = *state;
	struct stage stage = stage_open(world, world->host->nic);
	int event = event_new();

	set_irqs(&stage, VFIO_PCI_ERR_IRQ_INDEX, 0, &event, 1, NULL);
	set_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0, &event, 1, NULL);
	stage_close(&stage);
	stage = stage_open(world, world->host->nic);
	assert_int_equal(loop_back(&stage, VFIO_PCI_ERR_IRQ_INDEX, 0), 0);
	assert_int_not_equal(loop_back(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0), 0);
	expect_silence(event);
	stage_close(&stage);
	(void)close(event);
}

/* -- when -- */

static void test_device_that_is_not_open(void **state)
{
	const struct world *world = *state;
	struct stage stage = {.world = world, .space = space_create(world->client, "devices")};
	int event = event_new();

	find_path(world, world->host->nic, stage.path, sizeof(stage.path));
	(void)read_region(&stage, VFIO_PCI_CONFIG_REGION_INDEX, 0, 2, "NotFound");
	attach(world->client, stage.space, world->host->nic, NULL);
	(void)read_region(&stage, VFIO_PCI_CONFIG_REGION_INDEX, 0, 2, "NotFound");
	assert_non_null(strstr(last_error_text(), "Open"));
	set_irqs(&stage, VFIO_PCI_ERR_IRQ_INDEX, 0, &event, 1, "NotFound");
	space_close(world->client, stage.space);
	wait_until_nothing_is_left(world);
	(void)close(event);
}

static bool reset_works(void *userdata)
{
	const struct stage *stage = userdata;

	return get_number(stage->world->client, stage->path, BUS_INTERFACE_DEVICE, "ResetWorks");
}

static void test_reset(void **state)
{
	const struct world *world = *state;
	struct stage stage = stage_open(world, world->host->nic);
	int event = event_new();
	DBusMessage *reply;

	wait_for(reset_works, &stage, "it is known that the device can be reset");
	open_device_make_master(&stage.device);
	set_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0, &event, 1, NULL);
	reply = call(world->client, stage.path, BUS_INTERFACE_DEVICE, "Reset", NULL,
		     DBUS_TYPE_INVALID);
	dbus_message_unref(reply);
	assert_false(open_device_is_master(&stage.device));
	assert_int_equal(loop_back(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0), 0);
	expect_ring(event);
	stage_close(&stage);
	(void)close(event);
}

/* -- EEH -- */

/* While a reset is asserted the registers are not there. */
static void test_asserted_reset(void **state)
{
	const struct world *world = *state;
	struct observer observer;
	struct stage stage;

	skip_without_eeh(world);
	stage = stage_open(world, world->host->nic);
	observer = observer_open(world, world->host->nic);
	(void)pe_reset_stubbornly(world, &observer, "hot");
	(void)read_region(&stage, VFIO_PCI_CONFIG_REGION_INDEX, 0, 2, "Busy");
	write_region(&stage, VFIO_PCI_CONFIG_REGION_INDEX, PCI_INTERRUPT_LINE, 1, 1, "Busy");
	call_index(&stage, "DisableIrq", VFIO_PCI_MSIX_IRQ_INDEX, "Busy");
	pe_operate(world, &observer, "deactivate", NULL);
	assert_int_not_equal(read_config(&stage, PCI_VENDOR_ID, 2), 0xffff);
	observer_close(&observer);
	stage_close(&stage);
}

/* A reset of the PE takes the MSI-X table and the enable bit behind the kernel's back. */
static void test_interrupts_after_a_recovery(void **state)
{
	const struct world *world = *state;
	const int events[] = {event_new(), event_new()};
	struct observer observer;
	struct stage stage;

	skip_without_freezes(world);
	set_policy(world, QUICK_POLICY, NULL);
	stage = stage_open(world, world->host->nic);
	observer = observer_open(world, world->host->nic);
	set_irqs(&stage, VFIO_PCI_MSIX_IRQ_INDEX, 0, events, 2, NULL);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	(void)observer_expect_done(&observer, true);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(loop_back(&stage, VFIO_PCI_MSIX_IRQ_INDEX, i), 0);
		expect_ring(events[i]);
	}
	observer_close(&observer);
	stage_close(&stage);
	(void)close(events[0]);
	(void)close(events[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_regions),
		cmocka_unit_test(test_config_space),
		cmocka_unit_test(test_bar),
		cmocka_unit_test(test_irqs),
		cmocka_unit_test(test_msix),
		cmocka_unit_test(test_wrong_interrupts),
		cmocka_unit_test(test_intx),
		cmocka_unit_test(test_error_interrupt),
		cmocka_unit_test(test_request_interrupt),
		cmocka_unit_test(test_interrupts_end_with_the_group),
		cmocka_unit_test(test_device_that_is_not_open),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_asserted_reset),
		cmocka_unit_test_teardown(test_interrupts_after_a_recovery, forget_policy),
	};

	return cmocka_run_group_tests_name("devices", tests, world_start_eeh, world_stop);
}
