/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registers of edu: by reads and writes of the device file, and through a mapping. */
#include "sim_device_fixture.h"

#include <sys/mman.h>

#define LIVENESS    0x04U
#define FACTORIAL   0x08U
#define STATUS      0x20U
#define INTERRUPTS  0x24U
#define RAISE       0x60U
#define ACKNOWLEDGE 0x64U
#define SOURCE      0x80U
#define DESTINATION 0x88U
#define COUNT       0x90U
#define COMMAND     0x98U
#define BUFFER      0x40000U
#define RUN         1U
#define TO_MEMORY   2U
#define INTERRUPT   4U

static uint32_t read_32(struct sim_node device, uint64_t offset)
{
	uint32_t value = 0;

	assert_int_equal(device_read(device, offset, &value, sizeof(value)), sizeof(value));
	return be32toh(value);
}

static void write_32(struct sim_node device, uint64_t offset, uint32_t value)
{
	value = htobe32(value);
	assert_int_equal(device_write(device, offset, &value, sizeof(value)), sizeof(value));
}

static uint64_t read_64(struct sim_node device, uint64_t offset)
{
	uint64_t value = 0;

	assert_int_equal(device_read(device, offset, &value, sizeof(value)), sizeof(value));
	return be64toh(value);
}

static void write_64(struct sim_node device, uint64_t offset, uint64_t value)
{
	value = htobe64(value);
	assert_int_equal(device_write(device, offset, &value, sizeof(value)), sizeof(value));
}

/* Memory of the test behind IOVA 0. */
static struct buffer *map_buffer(struct fixture *fixture, uint64_t size, uint32_t flags)
{
	struct buffer *buffer = calloc(1, sizeof(*buffer));

	buffer->bytes = calloc(1, size);
	buffer->size = size;
	assert_int_equal(register_pieces(fixture, USER_ADDRESS, size,
					 one_piece(&buffer_operations, buffer, size, 12)),
			 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, size, flags), 0);
	return buffer;
}

static void transfer(struct sim_node device, uint64_t source, uint64_t destination, uint64_t count,
		     uint64_t command)
{
	write_64(device, SOURCE, source);
	write_64(device, DESTINATION, destination);
	write_64(device, COUNT, count);
	write_64(device, COMMAND, command);
	assert_int_equal(read_64(device, COMMAND), command & ~(uint64_t)RUN);
}

static void test_identification(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	uint32_t raw = 0;

	assert_int_equal(device_read(device, 0, &raw, sizeof(raw)), sizeof(raw));
	assert_int_equal(le32toh(raw), 0xed000001);
	assert_int_equal(read_32(device, 0), 0x010000ed);
	write_32(device, LIVENESS, 0x12345678);
	assert_int_equal(read_32(device, LIVENESS), ~0x12345678U);
	sim_node_close(device);
	device = open_edu(fixture);
	/* No reset touches its registers. */
	assert_int_equal(read_32(device, LIVENESS), ~0x12345678U);
	sim_node_close(device);
}

static void test_little_endian_on_x86(void **state)
{
	struct fixture *fixture = *state;
	struct opened edu = open_all(fixture, "/dev/vfio/7", "0000:01:00.0", VFIO_TYPE1v2_IOMMU);
	uint64_t source = htole64(0x123456789a);
	uint32_t value = 0;

	assert_int_equal(device_read(edu.device, 0, &value, sizeof(value)), sizeof(value));
	assert_int_equal(le32toh(value), 0x010000ed);
	assert_int_equal(device_write(edu.device, SOURCE, &source, sizeof(source)), 8);
	assert_int_equal(device_read(edu.device, SOURCE, &value, sizeof(value)), sizeof(value));
	assert_int_equal(le32toh(value), 0x3456789a);
	close_all(&edu);
}

/* As was measured for 8 bytes at 0. */
static void test_wrong_sizes(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	uint16_t half = 0;

	assert_int_equal(read_64(device, 0), UINT64_MAX);
	assert_int_equal(device_read(device, 0, &half, sizeof(half)), sizeof(half));
	assert_int_equal(half, UINT16_MAX);
	assert_int_equal(device_write(device, LIVENESS, &half, sizeof(half)), sizeof(half));
	assert_int_equal(read_32(device, LIVENESS), 0);
	/* What is no register, and its buffer, which only DMA reaches. */
	assert_int_equal(read_32(device, 0x40), UINT32_MAX);
	assert_int_equal(read_32(device, BUFFER), UINT32_MAX);
	assert_int_equal(read_32(device, RAISE), UINT32_MAX);
	write_32(device, SOURCE, 7);
	assert_int_equal(read_64(device, SOURCE), 7);
	assert_int_equal(read_32(device, SOURCE), 7);
	assert_int_equal(read_32(device, SOURCE + 4), UINT32_MAX);
	sim_node_close(device);
}

static void test_factorial(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	int bell = new_eventfd();

	assert_int_equal(set_eventfd(fixture, device, INTX, 0, bell), 0);
	write_32(device, FACTORIAL, 5);
	assert_int_equal(read_32(device, FACTORIAL), 120);
	write_32(device, FACTORIAL, 12);
	assert_int_equal(read_32(device, FACTORIAL), 479001600);
	write_32(device, FACTORIAL, UINT32_MAX);
	assert_int_equal(read_32(device, FACTORIAL), 0);
	assert_int_equal(rings(bell), 0);
	write_32(device, STATUS, 0xff);
	assert_int_equal(read_32(device, STATUS), 0x80);
	write_32(device, FACTORIAL, 0);
	assert_int_equal(read_32(device, FACTORIAL), 1);
	assert_int_equal(rings(bell), 1);
	assert_int_equal(read_32(device, INTERRUPTS), 1);
	write_32(device, ACKNOWLEDGE, 1);
	assert_int_equal(read_32(device, INTERRUPTS), 0);
	(void)fd_close(bell);
	sim_node_close(device);
}

/* DMA */

static void test_dma_there_and_back(void **state)
{
	struct fixture *fixture = *state;
	struct buffer *buffer = map_buffer(fixture, 64 * KIB, READ_WRITE);
	struct sim_node device = open_edu(fixture);
	int bell = new_eventfd();

	assert_int_equal(set_eventfd(fixture, device, INTX, 0, bell), 0);
	set_command(device, PCI_COMMAND_MASTER, 0);
	memcpy(buffer->bytes + 0xff8, "over the border", 16);
	transfer(device, 0xff8, BUFFER + 100, 16, RUN);
	assert_int_equal(rings(bell), 0);
	transfer(device, BUFFER + 100, 0x8000, 16, RUN | TO_MEMORY | INTERRUPT);
	assert_memory_equal(buffer->bytes + 0x8000, "over the border", 16);
	assert_int_equal(rings(bell), 1);
	assert_int_equal(read_32(device, INTERRUPTS), 0x100);
	(void)fd_close(bell);
	sim_node_close(device);
}

static void test_dma_needs_bus_mastering(void **state)
{
	struct fixture *fixture = *state;
	struct buffer *buffer = map_buffer(fixture, 4 * KIB, READ_WRITE);
	struct sim_node device = open_edu(fixture);

	transfer(device, BUFFER, 0, 16, RUN | TO_MEMORY);
	memset(buffer->bytes, 1, 16);
	transfer(device, 0, BUFFER, 16, RUN);
	set_command(device, PCI_COMMAND_MASTER, 0);
	transfer(device, BUFFER, 0x100, 16, RUN | TO_MEMORY);
	assert_int_equal(buffer->bytes[0x100], 0);
	sim_node_close(device);
}

/* The command ends all the same, and the buffer keeps what it had. */
static void test_blocked_dma(void **state)
{
	struct fixture *fixture = *state;
	struct buffer *buffer = map_buffer(fixture, 4 * KIB, VFIO_DMA_MAP_FLAG_READ);
	struct sim_node device = open_edu(fixture);

	fixture->host->settings.freezes = false;
	set_command(device, PCI_COMMAND_MASTER, 0);
	memcpy(buffer->bytes, "fresh", 5);
	transfer(device, 0, BUFFER, 5, RUN);
	transfer(device, 16 * MIB, BUFFER, 5, RUN);
	transfer(device, BUFFER, 0x100, 5, RUN | TO_MEMORY); /* may not be written */
	assert_int_equal(buffer->bytes[0x100], 0);
	assert_int_equal(unmap(fixture, 0, 4 * KIB), 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, 4 * KIB, READ_WRITE), 0);
	transfer(device, BUFFER, 0x100, 5, RUN | TO_MEMORY);
	assert_memory_equal(buffer->bytes + 0x100, "fresh", 5);
	sim_node_close(device);
	fixture->host->settings.freezes = true;
}

static void test_refused_dma_freezes_the_pe(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);

	assert_true(fixture->host->settings.freezes);
	set_command(device, PCI_COMMAND_MASTER, 0);
	write_64(device, SOURCE, 16 * MIB);
	write_64(device, DESTINATION, BUFFER);
	write_64(device, COUNT, 16);
	write_64(device, COMMAND, RUN);
	assert_true(fixture->model->groups[0].pe.io_stopped);
	assert_int_equal(read_32(device, 0), UINT32_MAX);
	sim_node_close(device);
	assert_false(fixture->model->groups[0].pe.io_stopped);
}

static void test_dma_outside_the_buffer(void **state)
{
	struct fixture *fixture = *state;
	struct buffer *buffer = map_buffer(fixture, 64 * KIB, READ_WRITE);
	struct sim_node device = open_edu(fixture);

	memset(buffer->bytes, 7, 64 * KIB);
	set_command(device, PCI_COMMAND_MASTER, 0);
	transfer(device, 0, BUFFER, 4097, RUN);
	transfer(device, 0, BUFFER + 1, 4096, RUN);
	transfer(device, 0, BUFFER - 1, 16, RUN);
	transfer(device, 0, 0, 16, RUN);
	transfer(device, 0, UINT64_MAX, 16, RUN);
	transfer(device, 0, BUFFER, UINT64_MAX, RUN);
	transfer(device, 0, BUFFER, 0, RUN);
	transfer(device, BUFFER, 0, 4096, RUN | TO_MEMORY);
	assert_int_equal(buffer->bytes[0], 0);
	assert_int_equal(buffer->bytes[4095], 0);
	assert_int_equal(buffer->bytes[4096], 7);
	sim_node_close(device);
}

/* mapped */

struct registers {
	uint8_t *bytes;
};

static void map_registers(struct sim_node device, struct registers *registers)
{
	uint64_t offset = 0;
	int fd = -1;
	void *address;

	assert_int_equal(sim_device_map(device.device_file, 0, 0x100000, PROT_READ | PROT_WRITE,
					&fd, &offset),
			 0);
	address = mmap(NULL, 0x100000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	assert_ptr_not_equal(address, MAP_FAILED);
	registers->bytes = address;
}

static void unmap_registers(const struct registers *registers)
{
	(void)munmap(registers->bytes, 0x100000);
}

static uint32_t load_32(const struct registers *registers, uint64_t offset)
{
	uint32_t value;

	memcpy(&value, registers->bytes + offset, sizeof(value));
	return be32toh(value);
}

static void store_32(const struct registers *registers, uint64_t offset, uint32_t value)
{
	value = htobe32(value);
	memcpy(registers->bytes + offset, &value, sizeof(value));
}

static uint64_t load_64(const struct registers *registers, uint64_t offset)
{
	uint64_t value;

	memcpy(&value, registers->bytes + offset, sizeof(value));
	return be64toh(value);
}

static void store_64(const struct registers *registers, uint64_t offset, uint64_t value)
{
	value = htobe64(value);
	memcpy(registers->bytes + offset, &value, sizeof(value));
}

static void test_mapped_registers(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	struct registers registers;

	write_32(device, LIVENESS, 1);
	map_registers(device, &registers);
	assert_int_equal(load_32(&registers, 0), 0x010000ed);
	assert_int_equal(load_32(&registers, LIVENESS), ~1U);
	assert_int_equal(load_32(&registers, BUFFER), UINT32_MAX);
	assert_int_equal(load_32(&registers, 0xffffc), UINT32_MAX);
	store_32(&registers, LIVENESS, 0x1234);
	store_32(&registers, FACTORIAL, 5);
	assert_true(sim_functions_tick(fixture->model));
	assert_int_equal(load_32(&registers, LIVENESS), ~0x1234U);
	assert_int_equal(load_32(&registers, FACTORIAL), 120);
	/* Both ways lead to the same registers. */
	assert_int_equal(read_32(device, FACTORIAL), 120);
	write_32(device, LIVENESS, 5);
	assert_int_equal(load_32(&registers, LIVENESS), ~5U);
	/* One that can't be written. */
	store_32(&registers, 0, 0);
	assert_true(sim_functions_tick(fixture->model));
	assert_int_equal(load_32(&registers, 0), 0x010000ed);
	unmap_registers(&registers);
	sim_node_close(device);
	assert_false(sim_functions_tick(fixture->model));
}

static void test_dma_by_mapped_registers(void **state)
{
	struct fixture *fixture = *state;
	struct buffer *buffer = map_buffer(fixture, 64 * KIB, READ_WRITE);
	struct sim_node device = open_edu(fixture);
	struct registers registers;
	int bell = new_eventfd();

	assert_int_equal(set_eventfd(fixture, device, MSI, 0, bell), 0);
	set_command(device, PCI_COMMAND_MASTER, 0);
	map_registers(device, &registers);
	memcpy(buffer->bytes, "by a mapping", 12);
	store_64(&registers, SOURCE, 0);
	store_64(&registers, DESTINATION, BUFFER);
	store_64(&registers, COUNT, 12);
	store_64(&registers, COMMAND, RUN);
	assert_true(sim_functions_tick(fixture->model));
	assert_int_equal(load_64(&registers, COMMAND), 0);
	store_64(&registers, SOURCE, BUFFER);
	store_64(&registers, DESTINATION, 0x2000);
	store_64(&registers, COMMAND, RUN | TO_MEMORY | INTERRUPT);
	assert_true(sim_functions_tick(fixture->model));
	assert_int_equal(load_64(&registers, COMMAND), TO_MEMORY | INTERRUPT);
	assert_memory_equal(buffer->bytes + 0x2000, "by a mapping", 12);
	assert_int_equal(rings(bell), 1);
	assert_int_equal(load_32(&registers, INTERRUPTS), 0x100);
	store_32(&registers, ACKNOWLEDGE, 0x100);
	assert_true(sim_functions_tick(fixture->model));
	assert_int_equal(load_32(&registers, INTERRUPTS), 0);
	store_32(&registers, RAISE, 2);
	assert_true(sim_functions_tick(fixture->model));
	store_32(&registers, RAISE, 2);
	assert_true(sim_functions_tick(fixture->model));
	assert_int_equal(rings(bell), 2);
	(void)fd_close(bell);
	unmap_registers(&registers);
	sim_node_close(device);
}

/* A program may cut the file that it maps: then there is nothing, and nobody falls. */
static void test_mapped_file_that_is_cut(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	uint64_t offset = 0;
	int fd = -1;

	assert_int_equal(sim_device_map(device.device_file, 0, 0x1000, PROT_READ, &fd, &offset), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_true(sim_functions_tick(fixture->model));
	assert_int_equal(read_32(device, 0), 0x010000ed);
	sim_node_close(device);
}

static void test_mapped_registers_of_a_frozen_pe(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	struct registers registers;

	map_registers(device, &registers);
	fixture->model->groups[0].pe.io_stopped = true;
	assert_true(sim_functions_tick(fixture->model));
	assert_int_equal(load_32(&registers, 0), UINT32_MAX);
	store_32(&registers, LIVENESS, 3);
	fixture->model->groups[0].pe.io_stopped = false;
	assert_true(sim_functions_tick(fixture->model));
	assert_int_equal(load_32(&registers, 0), 0x010000ed);
	assert_int_equal(load_32(&registers, LIVENESS), 0);
	unmap_registers(&registers);
	sim_node_close(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL_TEST(test_identification),
		cmocka_unit_test_setup_teardown(test_little_endian_on_x86, set_up_x86, tear_down),
		MODEL_TEST(test_wrong_sizes),
		MODEL_TEST(test_factorial),
		MODEL_TEST(test_dma_there_and_back),
		MODEL_TEST(test_dma_needs_bus_mastering),
		MODEL_TEST(test_blocked_dma),
		MODEL_TEST(test_refused_dma_freezes_the_pe),
		MODEL_TEST(test_dma_outside_the_buffer),
		MODEL_TEST(test_mapped_registers),
		MODEL_TEST(test_dma_by_mapped_registers),
		MODEL_TEST(test_mapped_file_that_is_cut),
		MODEL_TEST(test_mapped_registers_of_a_frozen_pe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
