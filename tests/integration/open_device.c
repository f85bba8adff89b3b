/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "open_device.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define VECTOR_WORDS (PCI_MSIX_ENTRY_SIZE / sizeof(uint32_t))
#define CAPABILITIES 48 /* more than fit: a list that goes round ends */
#define VECTOR_DATA  0x4d534958U

/* -- opening -- */

static int take_fd(DBusMessage *reply)
{
	int fd = -1;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_UNIX_FD, &fd, DBUS_TYPE_INVALID));
	dbus_message_unref(reply);
	return fd;
}

struct open_device open_device(const struct world *world, DBusConnection *client, const char *name,
			       const char *refusal)
{
	struct vfio_region_info config = {.argsz = sizeof(config),
					  .index = VFIO_PCI_CONFIG_REGION_INDEX};
	struct open_device device = OPEN_DEVICE_NONE;
	DBusMessage *reply = call(client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "GetDevice",
				  NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID);
	const char *path = NULL;
	DBusMessage *opened;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &path,
					  DBUS_TYPE_INVALID));
	opened = call(client, path, BUS_INTERFACE_DEVICE, "Open", refusal, DBUS_TYPE_INVALID);
	dbus_message_unref(reply);
	if (!opened) {
		return device;
	}
	device.kernel = world->kernel;
	device.fd = take_fd(opened);
	assert_int_equal(
		kernel_ioctl(device.kernel, device.fd, VFIO_DEVICE_GET_REGION_INFO, &config), 0);
	device.config_offset = config.offset;
	memset(device.interrupts, 0xff, sizeof(device.interrupts));
	return device;
}

void open_device_close(struct open_device *device)
{
	if (device->fd < 0) {
		return;
	}
	for (size_t i = 0; i < OPEN_DEVICE_VECTORS; i++) {
		if (device->interrupts[i] >= 0) {
			(void)close(device->interrupts[i]);
		}
	}
	device->fd = kernel_close(device->kernel, device->fd);
}

/* -- config space -- */

static void read_config(const struct open_device *device, uint64_t offset, void *data, size_t size)
{
	assert_int_equal(
		kernel_read(device->kernel, device->fd, device->config_offset + offset, data, size),
		size);
}

static uint16_t read_config_16(const struct open_device *device, uint64_t offset)
{
	uint16_t value = 0;

	read_config(device, offset, &value, sizeof(value));
	return le16toh(value);
}

static uint8_t read_config_8(const struct open_device *device, uint64_t offset)
{
	uint8_t value = 0;

	read_config(device, offset, &value, sizeof(value));
	return value;
}

bool open_device_is_master(const struct open_device *device)
{
	return read_config_16(device, PCI_COMMAND) & PCI_COMMAND_MASTER;
}

void open_device_make_master(const struct open_device *device)
{
	uint16_t command = read_config_16(device, PCI_COMMAND);

	command = htole16((uint16_t)(command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
	assert_int_equal(kernel_write(device->kernel, device->fd,
				      device->config_offset + PCI_COMMAND, &command,
				      sizeof(command)),
			 sizeof(command));
}

/* Where the capability begins, 0 when there is none. */
static uint8_t find_capability(const struct open_device *device, uint8_t id)
{
	uint8_t at = 0;

	if (read_config_16(device, PCI_STATUS) & PCI_STATUS_CAP_LIST) {
		at = read_config_8(device, PCI_CAPABILITY_LIST) & 0xfcU;
	}
	for (unsigned int i = 0; i < CAPABILITIES && at != 0; i++) {
		if (read_config_8(device, at) == id) {
			return at;
		}
		at = read_config_8(device, at + 1U) & 0xfcU;
	}
	return 0;
}

/* -- the MSI-X table, which lies in a BAR -- */

struct table {
	void *mapping;
	size_t size;
	volatile uint32_t *entries;
	unsigned int count; /* at most OPEN_DEVICE_VECTORS; 0: there is no table */
};

static unsigned int count_vectors(const struct open_device *device, uint8_t capability)
{
	unsigned int count =
		(read_config_16(device, capability + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1U;

	return count < OPEN_DEVICE_VECTORS ? count : OPEN_DEVICE_VECTORS;
}

/* Only while nothing resets the device: what doesn't decode memory can't be touched. */
static struct table table_map(const struct open_device *device)
{
	uint8_t capability = find_capability(device, PCI_CAP_ID_MSIX);
	struct vfio_region_info region = {.argsz = sizeof(region)};
	struct table table = {.count = 0};
	uint32_t where = 0;

	if (capability == 0) {
		return table;
	}
	assert_true(read_config_16(device, PCI_COMMAND) & PCI_COMMAND_MEMORY);
	read_config(device, capability + PCI_MSIX_TABLE, &where, sizeof(where));
	where = le32toh(where);
	region.index = where & PCI_MSIX_TABLE_BIR;
	assert_int_equal(
		kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_GET_REGION_INFO, &region), 0);
	table.size = region.size;
	assert_int_equal(kernel_map(device->kernel, device->fd, region.offset, table.size,
				    PROT_READ | PROT_WRITE, &table.mapping),
			 0);
	table.entries =
		(volatile uint32_t *)((char *)table.mapping + (where & PCI_MSIX_TABLE_OFFSET));
	table.count = count_vectors(device, capability);
	return table;
}

static void table_unmap(const struct open_device *device, struct table *table)
{
	if (table->mapping) {
		assert_int_equal(kernel_unmap(device->kernel, table->mapping, table->size), 0);
	}
}

static void enable_interrupts(struct open_device *device, unsigned int count)
{
	union {
		struct vfio_irq_set set;
		unsigned char
			bytes[sizeof(struct vfio_irq_set) + OPEN_DEVICE_VECTORS * sizeof(int)];
	} argument = {.set = {
			      .argsz = (uint32_t)(sizeof(argument.set) + count * sizeof(int)),
			      .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			      .index = VFIO_PCI_MSIX_IRQ_INDEX,
			      .count = count,
		      }};

	for (unsigned int i = 0; i < count; i++) {
		device->interrupts[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		assert_true(device->interrupts[i] >= 0);
		memcpy(argument.bytes + sizeof(argument.set) + i * sizeof(int),
		       &device->interrupts[i], sizeof(int));
	}
	assert_int_equal(
		kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_SET_IRQS, &argument.set), 0);
}

void open_device_use_msix(struct open_device *device)
{
	struct table table = table_map(device);

	if (!table.entries) {
		fail_msg("the device has no MSI-X table");
		return;
	}
	enable_interrupts(device, table.count);
	table.entries[(table.count - 1) * VECTOR_WORDS + PCI_MSIX_ENTRY_DATA / sizeof(uint32_t)] =
		htole32(VECTOR_DATA);
	table_unmap(device, &table);
}

/* -- all of it -- */

struct open_device_registers open_device_read(const struct open_device *device)
{
	struct open_device_registers registers = {.vector_count = 0};
	struct table table = table_map(device);

	for (uint64_t i = 0; i < OPEN_DEVICE_CONFIG; i += sizeof(uint32_t)) {
		read_config(device, i, registers.config + i, sizeof(uint32_t));
	}
	for (size_t i = 0; i < table.count * VECTOR_WORDS; i++) {
		registers.vectors[i] = table.entries[i];
	}
	registers.vector_count = table.count;
	table_unmap(device, &table);
	memset(registers.config + PCI_STATUS, 0, sizeof(uint16_t));
	if (table.count > 0) {
		memset(registers.config + find_capability(device, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS,
		       0, sizeof(uint16_t));
	}
	return registers;
}

void open_device_expect_same(const struct open_device_registers *before,
			     const struct open_device_registers *after)
{
	for (unsigned int i = 0; i < OPEN_DEVICE_CONFIG; i++) {
		if (before->config[i] != after->config[i]) {
			fail_msg("config space: 0x%02x at 0x%02x was 0x%02x before",
				 after->config[i], i, before->config[i]);
		}
	}
	assert_int_equal(before->vector_count, after->vector_count);
	for (size_t i = 0; i < before->vector_count * VECTOR_WORDS; i++) {
		if (before->vectors[i] != after->vectors[i]) {
			fail_msg("MSI-X table: 0x%08x in word %zu was 0x%08x before",
				 le32toh(after->vectors[i]), i, le32toh(before->vectors[i]));
		}
	}
}
