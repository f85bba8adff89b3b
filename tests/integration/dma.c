/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dma.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* -- QEMU's edu device (docs/specs/edu of QEMU): offsets in BAR 0 -- */

#define EDU_BAR_SIZE        0x100000
#define EDU_DMA_SOURCE      0x80
#define EDU_DMA_DESTINATION 0x88
#define EDU_DMA_COUNT       0x90
#define EDU_DMA_COMMAND     0x98
#define EDU_BUFFER          0x40000
#define EDU_RUN             1U
#define EDU_TO_MEMORY       2U

#define PCI_COMMAND        4
#define PCI_COMMAND_MEMORY 2U
#define PCI_COMMAND_MASTER 4U

static int open_attribute(const char *device, const char *attribute)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, attribute);
	fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0) {
		fail_msg("can't open %s", path);
	}
	return fd;
}

static void edu_enable(const char *device)
{
	int config = open_attribute(device, "config");
	uint16_t command = 0;

	assert_int_equal(pread(config, &command, sizeof(command), PCI_COMMAND), sizeof(command));
	command = htole16((uint16_t)(le16toh(command) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
	assert_int_equal(pwrite(config, &command, sizeof(command), PCI_COMMAND), sizeof(command));
	(void)close(config);
}

/* The device's registers. */
struct edu {
	volatile uint8_t *bar;
	bool big_endian;
};

/* QEMU gives the registers the target's byte order, and a POWER target counts as big-endian. */
static void edu_write(const struct edu *edu, unsigned int offset, uint64_t value)
{
	*(volatile uint64_t *)(edu->bar + offset) =
		edu->big_endian ? htobe64(value) : htole64(value);
}

static uint64_t edu_read(const struct edu *edu, unsigned int offset)
{
	uint64_t value = *(volatile uint64_t *)(edu->bar + offset);

	return edu->big_endian ? be64toh(value) : le64toh(value);
}

static void edu_transfer(const struct edu *edu, uint64_t source, uint64_t destination,
			 uint32_t size, uint64_t command)
{
	edu_write(edu, EDU_DMA_SOURCE, source);
	edu_write(edu, EDU_DMA_DESTINATION, destination);
	edu_write(edu, EDU_DMA_COUNT, size);
	edu_write(edu, EDU_DMA_COMMAND, command | EDU_RUN);
	/* The device takes 100 ms for each transfer. */
	for (int i = 0; i < 10000; i++) {
		if (!(edu_read(edu, EDU_DMA_COMMAND) & EDU_RUN)) {
			return;
		}
		(void)usleep(1000);
	}
	fail_msg("the edu device does not finish a DMA");
}

static void copy_by_edu(const struct world *world, const char *device, uint64_t source,
			uint64_t target, uint32_t size)
{
	int fd = open_attribute(device, "resource0");
	void *bar = mmap(NULL, EDU_BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	const struct edu edu = {.bar = bar, .big_endian = world->host->has_tce};

	(void)close(fd);
	assert_true(bar != MAP_FAILED);
	edu_transfer(&edu, source, EDU_BUFFER, size, 0);
	edu_transfer(&edu, EDU_BUFFER, target, size, EDU_TO_MEMORY);
	assert_int_equal(munmap(bar, EDU_BAR_SIZE), 0);
}

/* -- the simulated host -- */

/* A fault leaves what was read before in the device, as with edu's buffer. */
static unsigned char device_buffer[DMA_MAX];

static DBusMessage *simulator_call(const struct world *world, DBusMessage *message)
{
	DBusMessage *reply =
		dbus_connection_send_with_reply_and_block(world->client, message, 60000, NULL);

	dbus_message_unref(message);
	return reply; /* NULL: a fault */
}

static DBusMessage *simulator_message(const char *method)
{
	return dbus_message_new_method_call(BUS_NAME, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR,
					    method);
}

static void copy_by_simulator(const struct world *world, const char *device, uint64_t source,
			      uint64_t target, uint32_t size)
{
	DBusMessage *message = simulator_message("DmaRead");
	const unsigned char *bytes = device_buffer;
	DBusMessage *reply;
	int count = 0;

	assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &device, DBUS_TYPE_UINT64,
					     &source, DBUS_TYPE_UINT32, &size, DBUS_TYPE_INVALID));
	reply = simulator_call(world, message);
	if (reply) {
		const unsigned char *data = NULL;

		assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE,
						  &data, &count, DBUS_TYPE_INVALID));
		assert_int_equal(count, size);
		memcpy(device_buffer, data, size);
		dbus_message_unref(reply);
	}
	message = simulator_message("DmaWrite");
	assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &device, DBUS_TYPE_UINT64,
					     &target, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &bytes,
					     (int)size, DBUS_TYPE_INVALID));
	reply = simulator_call(world, message);
	if (reply) {
		dbus_message_unref(reply);
	}
}

void dma_prepare(const struct world *world, const char *device)
{
	if (world->real) {
		edu_enable(device);
	}
}

void dma_copy(const struct world *world, const char *device, uint64_t source, uint64_t target,
	      uint32_t size)
{
	assert_true(size <= DMA_MAX);
	if (world->real) {
		copy_by_edu(world, device, source, target, size);
	} else {
		copy_by_simulator(world, device, source, target, size);
	}
}
