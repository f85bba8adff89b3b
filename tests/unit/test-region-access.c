/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registers of a device, by its fd and through memory. */
#include "region_fixture.h"

/* registers */

static void test_little_endian(void **state)
{
	static const uint8_t bytes[] = {0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};
	static const uint64_t values[] = {
		[1] = 0x88, [2] = 0x7788, [4] = 0x55667788, [8] = UINT64_C(0x1122334455667788)};

	(void)state;
	for (uint32_t size = 1; size <= 8; size *= 2) {
		struct host host;
		uint64_t value = 0;

		host_init(&host);
		read_all(&host);
		memcpy(host.bytes + 0x100, bytes, sizeof(bytes));
		assert_int_equal(
			region_read(&host.device, find(&host, 0), 0x100, size, &value, NULL), 0);
		assert_int_equal(value, values[size]);
		assert_int_equal(host.last_size, size);
		assert_int_equal(
			region_write(&host.device, find(&host, 0), 0x200, size, value, NULL), 0);
		assert_memory_equal(host.bytes + 0x200, bytes, size);
		assert_int_equal(host.bytes[0x200 + size], 0);
		assert_int_equal(host.accesses, 2);
		host_done(&host);
	}
}

static void test_place(void **state)
{
	static const struct {
		uint32_t index;
		uint64_t offset;
		uint32_t size;
		enum error_code code;
		const char *words;
	} cases[] = {
		{0, 0, 0, ERROR_INVALID_ARGUMENT, "1, 2, 4 or 8 bytes, not 0"},
		{0, 0, 3, ERROR_INVALID_ARGUMENT, "1, 2, 4 or 8 bytes, not 3"},
		{0, 0, 16, ERROR_INVALID_ARGUMENT, "1, 2, 4 or 8 bytes, not 16"},
		{0, 2, 4, ERROR_INVALID_ARGUMENT, "offset 0x2 in region 0"},
		{0, 4, 8, ERROR_INVALID_ARGUMENT, "not a multiple of the 8"},
		{0, BAR_SIZE, 1, ERROR_INVALID_ARGUMENT, "1 bytes at offset 0x4000 are not"},
		{0, UINT64_MAX - 7, 8, ERROR_INVALID_ARGUMENT, "offset 0xfffffffffffffff8"},
		{2, 0x20, 4, ERROR_INVALID_ARGUMENT, "region 2 of device 0001:01:00.0, which has"},
		{EXTRA, BAR_SIZE, 4, ERROR_INVALID_ARGUMENT, "which has 0x4000 bytes"},
	};
	struct host host;

	(void)state;
	host_init(&host);
	read_all(&host);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {.text = ""};
		uint64_t value = 77;

		assert_int_equal(region_read(&host.device, find(&host, cases[i].index),
					     cases[i].offset, cases[i].size, &value, &error),
				 cases[i].code);
		expect_words(&error, cases[i].words);
		assert_int_equal(value, 77);
		assert_int_equal(region_write(&host.device, find(&host, cases[i].index),
					      cases[i].offset, cases[i].size, 0, &error),
				 cases[i].code);
	}
	assert_int_equal(host.accesses, 0);
	host_done(&host);
}

static void test_flags_are_respected(void **state)
{
	struct error error;
	struct host host;
	uint64_t value = 0;

	(void)state;
	host_init(&host);
	put_region(&host, 10, VFIO_REGION_INFO_FLAG_WRITE, 0x1000);
	read_all(&host);
	assert_int_equal(region_write(&host.device, find(&host, EXTRA), 0, 4, 1, &error),
			 ERROR_UNSUPPORTED);
	expect_words(&error, "region 9 of device 0001:01:00.0 can't be written");
	assert_int_equal(region_read(&host.device, find(&host, EXTRA), 0, 4, &value, NULL), 0);
	assert_int_equal(region_read(&host.device, find(&host, 10), 0, 4, &value, &error),
			 ERROR_UNSUPPORTED);
	expect_words(&error, "can't be read");
	assert_int_equal(region_write(&host.device, find(&host, 10), 0, 4, 1, NULL), 0);
	/* A value that would be cut. */
	assert_int_equal(region_write(&host.device, find(&host, 10), 0, 2, 0x10000, &error),
			 ERROR_INVALID_ARGUMENT);
	expect_words(&error, "0x10000 has more than 2 bytes");
	assert_int_equal(host.accesses, 2);
	host_done(&host);
}

static void test_refusals_of_access(void **state)
{
	static const struct {
		ssize_t moves;
		enum error_code code;
		const char *words;
	} cases[] = {
		{2, ERROR_KERNEL, "EIO"},
		{-EIO, ERROR_KERNEL, "the device doesn't answer"},
		{-EINVAL, ERROR_UNSUPPORTED, "doesn't let programs"},
		{-ENODEV, ERROR_NOT_FOUND, "the device is gone"},
		{-ENOMEM, ERROR_KERNEL, "ENOMEM"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {.text = ""};
		struct host host;
		uint64_t value = 77;

		host_init(&host);
		read_all(&host);
		host.moves = cases[i].moves;
		assert_int_equal(region_read(&host.device, find(&host, 0), 0x10, 4, &value, &error),
				 cases[i].code);
		expect_words(&error, cases[i].words);
		expect_words(&error, "read 4 bytes at 0x10 of region 0 of device 0001:01:00.0");
		assert_int_equal(value, 77);
		assert_int_equal(region_write(&host.device, find(&host, 0), 0x10, 4, 1, &error),
				 cases[i].code);
		expect_words(&error, "write 4 bytes at 0x10 of region 0");
		host_done(&host);
	}
}

/* A kernel before 5.9 would go to a bus on which nobody answers: a machine check. */
static void test_bar_that_is_not_decoded(void **state)
{
	struct error error;
	struct host host;
	uint64_t value;

	(void)state;
	host_init(&host);
	read_all(&host);
	/* BAR 2 is of I/O ports, the others are memory. */
	assert_int_equal(region_read(&host.device, find(&host, 0), 0, 4, &value, NULL), 0);
	assert_int_equal(region_read(&host.device, find(&host, 6), 0, 4, &value, NULL), 0);
	assert_int_equal(region_read(&host.device, find(&host, 2), 0, 4, &value, &error),
			 ERROR_INVALID_ARGUMENT);
	expect_words(&error, "command register is 0x0002, without bit 0 (I/O)");
	expect_words(&error, "region 7, offset 4");
	host.config[PCI_COMMAND] = PCI_COMMAND_IO;
	assert_int_equal(region_read(&host.device, find(&host, 2), 0, 4, &value, NULL), 0);
	assert_int_equal(host.accesses, 3);
	assert_int_equal(region_write(&host.device, find(&host, 0), 0, 4, 1, &error),
			 ERROR_INVALID_ARGUMENT);
	expect_words(&error, "device 0001:01:00.0 doesn't answer in region 0");
	expect_words(&error, "without bit 1 (memory)");
	assert_int_equal(region_read(&host.device, find(&host, 6), 0, 4, &value, &error),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(host.accesses, 3);
	/* Config space and what a vendor's driver adds are no BARs. */
	assert_int_equal(region_read(&host.device, find(&host, 7), 4, 2, &value, NULL), 0);
	assert_int_equal(value, PCI_COMMAND_IO);
	assert_int_equal(region_read(&host.device, find(&host, EXTRA), 0, 4, &value, NULL), 0);
	assert_int_equal(host.accesses, 4);
	/* Mapped or not: it would be SIGBUS. */
	host.config[PCI_COMMAND] = 0;
	assert_int_equal(region_map(&host.device, find(&host, 0), NULL), 0);
	assert_int_equal(region_read(&host.device, find(&host, 0), 0, 4, &value, &error),
			 ERROR_INVALID_ARGUMENT);
	host_done(&host);
}

/* While a reset is asserted its BARs are lost, and the kernel would let the access through. */
static void test_config_space_that_is_silent(void **state)
{
	struct error error;
	struct host host;
	uint64_t value;

	(void)state;
	host_init(&host);
	read_all(&host);
	memset(host.config, 0xff, sizeof(host.config));
	assert_int_equal(region_read(&host.device, find(&host, 0), 0, 4, &value, &error),
			 ERROR_FROZEN);
	expect_words(&error, "0001:01:00.0 doesn't answer, so region 0 is not accessed");
	assert_int_equal(region_write(&host.device, find(&host, 2), 0, 4, 1, &error), ERROR_FROZEN);
	host.no_config = -ENODEV;
	assert_int_equal(region_read(&host.device, find(&host, 0), 0, 4, &value, &error),
			 ERROR_FROZEN);
	expect_words(&error, "ENODEV");
	assert_int_equal(host.accesses, 0);
	host_done(&host);
}

static void wire_intx(struct host *host, struct irq *irq)
{
	static int event = -1;

	*irq = (struct irq){
		.index = VFIO_PCI_INTX_IRQ_INDEX,
		.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED,
		.count = 1,
		.enabled = 1,
		.events = &event,
	};
	host->device.irqs = irq;
	host->device.irq_count = 1;
}

/* As QEMU does (vfio_intx_eoi). */
static void test_access_arms_intx(void **state)
{
	struct error error;
	struct host host;
	struct irq irq;
	uint64_t value;

	(void)state;
	host_init(&host);
	read_all(&host);
	assert_int_equal(region_read(&host.device, find(&host, 0), 0, 4, &value, NULL), 0);
	assert_int_equal(host.unmasks, 0);
	wire_intx(&host, &irq);
	assert_int_equal(region_read(&host.device, find(&host, 0), 0, 4, &value, NULL), 0);
	assert_int_equal(host.unmasks, 1);
	assert_int_equal(region_write(&host.device, find(&host, 0), 0, 4, 1, NULL), 0);
	assert_int_equal(host.unmasks, 2);
	/* Through memory as well; and what comes of it isn't the access's matter. */
	assert_int_equal(region_map(&host.device, find(&host, 0), NULL), 0);
	host.unmask = -EINVAL;
	assert_int_equal(region_write(&host.device, find(&host, 0), 0, 4, 1, NULL), 0);
	assert_int_equal(host.unmasks, 3);
	/* Not where nothing was accessed, by other regions, when masked, or not wired. */
	assert_int_equal(region_read(&host.device, find(&host, 0), 1, 4, &value, &error),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(region_read(&host.device, find(&host, 7), 0, 4, &value, NULL), 0);
	assert_int_equal(region_read(&host.device, find(&host, EXTRA), 0, 4, &value, NULL), 0);
	irq.masked = true;
	assert_int_equal(region_read(&host.device, find(&host, 0), 0, 4, &value, NULL), 0);
	irq.masked = false;
	irq.enabled = 0;
	assert_int_equal(region_read(&host.device, find(&host, 0), 0, 4, &value, NULL), 0);
	assert_int_equal(host.unmasks, 3);
	host_done(&host);
}

/* mapping */

static void test_map(void **state)
{
	const uint32_t there = 0x44332211;
	struct region *region;
	struct host host;
	uint64_t value;
	uint8_t back[4];

	(void)state;
	host_init(&host);
	read_all(&host);
	region = find(&host, 0);
	assert_int_equal(region_map(&host.device, region, NULL), 0);
	assert_int_equal(host.maps, 1);
	assert_int_equal(host.last_prot, PROT_READ | PROT_WRITE);
	assert_non_null(region->areas[0].address);
	assert_int_equal(region_map(&host.device, region, NULL), 0);
	assert_int_equal(host.maps, 1);
	/* Registers are reached through memory now. */
	assert_int_equal(pwrite(host.file, "\x11\x22\x33\x44", 4, 0x3ffc), 4);
	assert_int_equal(region_read(&host.device, region, 0x3ffc, 4, &value, NULL), 0);
	assert_int_equal(value, there);
	for (uint32_t size = 1; size <= 8; size *= 2) {
		const uint64_t wanted = UINT64_C(0x1122334455667788) >> (64 - 8 * size);

		assert_int_equal(region_write(&host.device, region, 0x40, size, wanted, NULL), 0);
		assert_int_equal(region_read(&host.device, region, 0x40, size, &value, NULL), 0);
		assert_int_equal(value, wanted);
	}
	assert_int_equal(region_write(&host.device, region, 8, 4, there, NULL), 0);
	assert_int_equal(pread(host.file, back, 4, 8), 4);
	assert_memory_equal(back, "\x11\x22\x33\x44", 4);
	assert_int_equal(host.accesses, 0);
	region_unmap(&host.device, region);
	region_unmap(&host.device, region);
	assert_int_equal(host.maps, 0);
	assert_int_equal(region_read(&host.device, region, 0x40, 4, &value, NULL), 0);
	assert_int_equal(host.accesses, 1);
	host_done(&host);
}

/* What is between the areas goes by the fd. */
static void test_map_areas(void **state)
{
	struct region *region;
	struct host host;
	uint64_t value;

	(void)state;
	host_init(&host);
	read_all(&host);
	region = find(&host, EXTRA);
	assert_int_equal(region_map(&host.device, region, NULL), 0);
	assert_int_equal(host.maps, 2);
	assert_int_equal(host.last_prot, PROT_READ);
	assert_int_equal(region_read(&host.device, region, 0xff8, 8, &value, NULL), 0);
	assert_int_equal(region_read(&host.device, region, 0x2000, 8, &value, NULL), 0);
	assert_int_equal(host.accesses, 0);
	assert_int_equal(region_read(&host.device, region, 0x1000, 8, &value, NULL), 0);
	assert_int_equal(region_read(&host.device, region, 0x1ff8, 8, &value, NULL), 0);
	assert_int_equal(host.accesses, 2);
	host_done(&host);
}

static void test_partial_map_is_undone(void **state)
{
	static const struct {
		int result;
		enum error_code code;
		const char *words;
	} cases[] = {
		{-ENOMEM, ERROR_KERNEL, "ENOMEM"},
		{-EINVAL, ERROR_UNSUPPORTED, "doesn't let programs map that"},
		{-ENODEV, ERROR_NOT_FOUND, "the device is gone"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {.text = ""};
		struct region *region;
		struct host host;

		host_init(&host);
		read_all(&host);
		region = find(&host, EXTRA);
		host.map_result = cases[i].result;
		host.fail_map = 2;
		assert_int_equal(region_map(&host.device, region, &error), cases[i].code);
		expect_words(&error, cases[i].words);
		expect_words(&error, "map 0x2000 bytes at 0x2000 of region 9");
		assert_int_equal(host.maps, 0);
		assert_null(region->areas[0].address);
		assert_null(region->areas[1].address);
		assert_int_equal(region_map(&host.device, region, NULL), 0);
		assert_int_equal(host.maps, 2);
		host_done(&host);
	}
}

/* A BAR of less than a page is mapped with the rest of it, and used up to its own end. */
static void test_map_of_less_than_a_page(void **state)
{
	struct region *region;
	struct host host;

	(void)state;
	host_init(&host);
	put_region(&host, 0, BOTH | VFIO_REGION_INFO_FLAG_MMAP, 0x80);
	read_all(&host);
	region = find(&host, 0);
	assert_int_equal(region_map(&host.device, region, NULL), 0);
	assert_int_equal(region->areas[0].size, 0x80);
	assert_int_equal(region->areas[0].mapped, 0x1000);
	assert_int_equal(region_write(&host.device, region, 0x80, 4, 1, NULL),
			 ERROR_INVALID_ARGUMENT);
	host_done(&host);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_little_endian),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_flags_are_respected),
		cmocka_unit_test(test_refusals_of_access),
		cmocka_unit_test(test_bar_that_is_not_decoded),
		cmocka_unit_test(test_config_space_that_is_silent),
		cmocka_unit_test(test_access_arms_intx),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_map_areas),
		cmocka_unit_test(test_partial_map_is_undone),
		cmocka_unit_test(test_map_of_less_than_a_page),
	};

	return cmocka_run_group_tests_name("region access", tests, NULL, NULL);
}
