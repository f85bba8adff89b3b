/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is saved of a device before a reset of its PE, and put back after it. */
#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eeh/capability.h"
#include "eeh/snapshot.h"
#include "fake_device.h"
#include "unit.h"

#define TABLE   0x1010U /* of the fake device's MSI-X */
#define VECTORS 4U
#define EXPRESS 0x60U
#define MSIX    0xa0U
#define POWER   (0x40U + PCI_PM_CTRL)
#define ERRORS  0x140U
#define MASKED  PCI_MSIX_ENTRY_CTRL_MASKBIT

/* a fake device */

static int set_up(void **state)
{
	struct fake_device *fake = calloc(1, sizeof(*fake));

	assert_non_null(fake);
	fake_device_init(fake);
	*state = fake;
	return 0;
}

static int tear_down(void **state)
{
	struct fake_device *fake = *state;

	fake_device_done(fake);
	free(fake);
	return 0;
}

static struct worker_registers take(struct fake_device *fake)
{
	struct worker_registers registers;
	struct error error;

	memset(&registers, 0xaa, sizeof(registers));
	if (snapshot_take(&fake->device, &registers, &error) != 0) {
		fail_msg("%s", error.text);
	}
	fake->write_count = 0;
	return registers;
}

static void restore(struct fake_device *fake)
{
	struct error error;

	if (snapshot_restore(&fake->device, &error) != 0) {
		fail_msg("%s", error.text);
	}
}

static void expect_restore_fails(struct fake_device *fake, const char *words)
{
	struct error error = {.text = ""};

	assert_int_equal(snapshot_restore(&fake->device, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, "0001:01:00.0"));
	if (!strstr(error.text, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, error.text);
	}
}

static void put_vector(struct fake_device *fake, unsigned int vector, uint64_t address,
		       uint32_t data, uint32_t control)
{
	const uint32_t words[] = {htole32((uint32_t)address), htole32((uint32_t)(address >> 32)),
				  htole32(data), htole32(control)};

	fake_device_store(fake, TABLE + vector * 16, words, sizeof(words));
}

static void expect_vector(const struct fake_device *fake, unsigned int vector, uint64_t address,
			  uint32_t data, uint32_t control)
{
	uint32_t words[4];

	fake_device_load(fake, TABLE + vector * 16, words, sizeof(words));
	assert_int_equal(le32toh(words[0]) | (uint64_t)le32toh(words[1]) << 32, address);
	assert_int_equal(le32toh(words[2]), data);
	assert_int_equal(le32toh(words[3]), control);
}

static void fill_table(struct fake_device *fake)
{
	for (unsigned int i = 0; i < VECTORS; i++) {
		put_vector(fake, i, UINT64_C(0x1000000000000100) + UINT64_C(16) * i, 0x40 + i,
			   i % 2);
	}
}

static void expect_table(const struct fake_device *fake)
{
	for (unsigned int i = 0; i < VECTORS; i++) {
		expect_vector(fake, i, UINT64_C(0x1000000000000100) + UINT64_C(16) * i, 0x40 + i,
			      i % 2);
	}
}

/* As a reset does. */
static void disable_msix(struct fake_device *fake)
{
	fake_device_put_16(fake, MSIX + PCI_MSIX_FLAGS, 0x0003);
}

static void empty_table(struct fake_device *fake)
{
	disable_msix(fake);
	for (unsigned int i = 0; i < VECTORS; i++) {
		put_vector(fake, i, 0, 0, MASKED);
	}
}

/* What a reset of the PE leaves, after the kernel has put back its part. */
static void reset(struct fake_device *fake)
{
	fake_device_put_16(fake, PCI_COMMAND, PCI_COMMAND_MEMORY);
	fake_device_put_16(fake, EXPRESS + PCI_EXP_DEVCTL, 0x2810);
	fake_device_put_16(fake, EXPRESS + PCI_EXP_DEVCTL2, 0);
	fake_device_put_32(fake, ERRORS + PCI_ERR_UNCOR_MASK, 0);
	fake_device_put_32(fake, ERRORS + PCI_ERR_UNCOR_SEVER, 0x00062030);
	fake_device_put_32(fake, ERRORS + PCI_ERR_COR_MASK, 0);
	fake_device_put_32(fake, ERRORS + PCI_ERR_CAP, 0);
	empty_table(fake);
}

/* taking */

static void test_all_is_read(void **state)
{
	struct fake_device *fake = *state;
	struct worker_registers registers;

	fill_table(fake);
	registers = take(fake);
	assert_string_equal(registers.name, "0001:01:00.0");
	assert_int_equal(registers.config_size, WORKER_CONFIG_SIZE);
	assert_memory_equal(registers.config, fake->config, WORKER_CONFIG_SIZE);
	assert_int_equal(registers.aer_offset, ERRORS);
	assert_int_equal(registers.aer_size, WORKER_AER_SIZE);
	assert_memory_equal(registers.aer, fake->config + ERRORS, WORKER_AER_SIZE);
	assert_int_equal(registers.msix_entries, VECTORS);
	assert_non_null(fake->device.snapshot);
	assert_non_null(fake->device.free_snapshot);
}

static void test_devices_without_capabilities(void **state)
{
	struct fake_device *fake = *state;
	struct worker_registers registers;

	fake_device_put_16(fake, PCI_STATUS, 0);
	fake->device.config_size = WORKER_CONFIG_SIZE;
	registers = take(fake);
	assert_int_equal(registers.config_size, WORKER_CONFIG_SIZE);
	assert_int_equal(registers.aer_offset, 0);
	assert_int_equal(registers.aer_size, 0);
	assert_int_equal(registers.msix_entries, 0);
	fake_device_put_16(fake, PCI_COMMAND, 0);
	restore(fake);
	assert_true(fake_device_get_16(fake, PCI_COMMAND) & PCI_COMMAND_MASTER);
	assert_int_equal(fake->write_count, 1);
}

/* A list that comes back to where it was ends all the same, and so do the others. */
static void test_lists_that_loop(void **state)
{
	struct fake_device *fake = *state;
	struct worker_registers registers;

	fake->config[0x61] = 0x40;
	fake_device_put_32(fake, 0x100, 0x10010003);
	registers = take(fake);
	assert_int_equal(registers.config_size, WORKER_CONFIG_SIZE);
	assert_int_equal(registers.msix_entries, 0);
	assert_int_equal(registers.aer_size, 0);
	fake->config[0x61] = 0x60;
	assert_int_equal(take(fake).msix_entries, 0);
}

/* Capabilities whose registers would lie beyond the end are none. */
static void test_lists_that_run_off_the_end(void **state)
{
	struct fake_device *fake = *state;

	fill_table(fake);
	fake->config[0x61] = 0xfc;
	memcpy(fake->config + 0xfc, "\x11\x00\x03\x80", 4);
	assert_int_equal(take(fake).msix_entries, 0);
	memcpy(fake->config + 0xf4, fake->config + 0xa0, 12);
	fake->config[0x61] = 0xf4;
	assert_int_equal(take(fake).msix_entries, VECTORS);
	/* Device control of one at 0xf8 is beyond. */
	fake->config[0x51] = 0xf8;
	memcpy(fake->config + 0xf8, "\x10\x00\x02\x00\xff\xff\xff\xff", 8);
	assert_int_equal(take(fake).msix_entries, 0);
	restore(fake);
	/* The last place that AER fits into, and the next. */
	memcpy(fake->config + 0xfb8, fake->config + ERRORS, WORKER_AER_SIZE);
	fake_device_put_32(fake, 0x100, 0xfb810003);
	assert_int_equal(take(fake).aer_offset, 0xfb8);
	fake_device_put_32(fake, 0xfbc, 0x00020001);
	fake_device_put_32(fake, 0x100, 0xfbc10003);
	assert_int_equal(take(fake).aer_size, 0);
	/* Back into the first 256 bytes. */
	fake_device_put_32(fake, 0xf0, 0x00020001);
	fake_device_put_32(fake, 0x100, 0x0f010003);
	assert_int_equal(take(fake).aer_size, 0);
	fake_device_put_32(fake, 0x100, UINT32_MAX);
	assert_int_equal(take(fake).aer_size, 0);
}

static void test_capabilities_end_where_the_space_ends(void **state)
{
	struct fake_device *fake = *state;

	fake->config[PCI_CAPABILITY_LIST] = 0xf4;
	fake->config[0xf4] = PCI_CAP_ID_MSIX;
	assert_int_equal(capability_find(fake->config, PCI_CAP_ID_MSIX, 12), 0xf4);
	assert_int_equal(capability_find(fake->config, PCI_CAP_ID_MSIX, 13), 0);
	fake_device_put_32(fake, 0x100, 0xff010003);
	fake_device_put_32(fake, 0xff0, 0x00010001);
	assert_int_equal(capability_find_extended(&fake->device, PCI_EXT_CAP_ID_ERR, 16), 0xff0);
	assert_int_equal(capability_find_extended(&fake->device, PCI_EXT_CAP_ID_ERR, 17), 0);
}

static void test_pointers_into_the_header(void **state)
{
	struct fake_device *fake = *state;

	fake_device_put_32(fake, PCI_CLASS_REVISION, 0x00030011); /* would be MSI-X */
	fake->config[PCI_CACHE_LINE_SIZE] = FAKE_BAR;
	fake->config[PCI_CAPABILITY_LIST] = PCI_CLASS_REVISION;
	assert_int_equal(take(fake).msix_entries, 0);
	fake->config[PCI_CAPABILITY_LIST] = 0x40;
	fake->config[0x40] = 0xff;
	assert_int_equal(take(fake).msix_entries, 0);
}

/* A table that can't be reached is not an error. */
static void test_tables_out_of_reach(void **state)
{
	struct fake_device *fake = *state;

	fake_device_put_32(fake, 0xa4, 0x1010 | 7);
	assert_int_equal(take(fake).msix_entries, 0);
	fake_device_put_32(fake, 0xa4, 0x1010 | 2); /* a BAR that isn't there */
	assert_int_equal(take(fake).msix_entries, 0);
	fake_device_put_32(fake, 0xa4, 0x1010 | FAKE_BAR);
	assert_int_equal(take(fake).msix_entries, VECTORS);
	fake->bar_size = TABLE + VECTORS * 16 - 1;
	assert_int_equal(take(fake).msix_entries, 0);
	fake->bar_size = TABLE + VECTORS * 16;
	assert_int_equal(take(fake).msix_entries, VECTORS);
	fake->bar_flags &= ~(uint32_t)VFIO_REGION_INFO_FLAG_MMAP;
	assert_int_equal(take(fake).msix_entries, 0);
	fake->bar_flags |= VFIO_REGION_INFO_FLAG_MMAP;
	fake->map_result = -EINVAL;
	assert_int_equal(take(fake).msix_entries, 0);
	fake->map_result = 0;
	fake_device_put_16(fake, PCI_COMMAND, PCI_COMMAND_MASTER);
	assert_int_equal(take(fake).msix_entries, 0);
}

static void test_a_frozen_device_keeps_its_earlier_snapshot(void **state)
{
	struct fake_device *fake = *state;
	struct worker_registers registers;
	struct snapshot *earlier;

	(void)take(fake);
	earlier = fake->device.snapshot;
	fake->frozen = true;
	registers = take(fake);
	assert_ptr_equal(fake->device.snapshot, earlier);
	assert_string_equal(registers.name, "0001:01:00.0");
	assert_int_equal(registers.config_size, 0);
	assert_int_equal(registers.aer_size, 0);
	assert_int_equal(registers.msix_entries, 0);
	assert_int_equal(registers.config[0], 0);
	fake->frozen = false;
	reset(fake);
	restore(fake);
	assert_true(fake_device_get_16(fake, PCI_COMMAND) & PCI_COMMAND_MASTER);
}

/* One that has none gets none. */
static void test_a_frozen_device_gets_no_snapshot(void **state)
{
	struct fake_device *fake = *state;

	fake->frozen = true;
	assert_int_equal(take(fake).config_size, 0);
	assert_null(fake->device.snapshot);
	restore(fake);
	assert_int_equal(fake->write_count, 0);
}

/* Errors of the kernel's are no answer, wherever they come. */
static void test_reads_that_fail_keep_the_earlier_snapshot(void **state)
{
	static const uint64_t places[] = {PCI_CLASS_REVISION, 0x80, ERRORS + 0x20};
	struct fake_device *fake = *state;
	struct snapshot *earlier;

	(void)take(fake);
	earlier = fake->device.snapshot;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		fake->fail_read = places[i];
		assert_int_equal(take(fake).config_size, 0);
		assert_ptr_equal(fake->device.snapshot, earlier);
	}
	/* The list of extended capabilities may be out of reach. */
	fake->fail_read = 0x100;
	assert_int_equal(take(fake).aer_size, 0);
	assert_ptr_not_equal(fake->device.snapshot, earlier);
}

/* Frozen at each read of those that a snapshot takes. */
static void test_a_freeze_in_between_keeps_the_earlier_snapshot(void **state)
{
	struct fake_device *fake = *state;
	unsigned int reads = 1;
	struct snapshot *earlier;

	(void)take(fake);
	earlier = fake->device.snapshot;
	for (;; reads++) {
		struct worker_registers registers;

		fake->freeze_after = reads;
		registers = take(fake);
		if (!fake->frozen) {
			break;
		}
		fake->frozen = false;
		assert_int_equal(registers.config_size, 0);
		assert_ptr_equal(fake->device.snapshot, earlier);
	}
	assert_true(reads > 4);
}

/* Config space answers again, but memory doesn't yet. */
static void test_a_silent_table_keeps_the_earlier_one(void **state)
{
	static const uint8_t ones[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct fake_device *fake = *state;

	fill_table(fake);
	assert_int_equal(take(fake).msix_entries, VECTORS);
	fake_device_store(fake, TABLE + 3 * 16, ones, sizeof(ones));
	fake->config[PCI_INTERRUPT_LINE] = 11;
	assert_int_equal(take(fake).msix_entries, 0);
	fake->config[PCI_INTERRUPT_LINE] = 0;
	empty_table(fake);
	restore(fake);
	expect_table(fake);
	assert_int_equal(fake->config[PCI_INTERRUPT_LINE], 11);
}

/* Memory that was switched off behind our back raises SIGBUS. */
static void test_memory_that_is_gone_is_survived(void **state)
{
	struct fake_device *fake = *state;

	fill_table(fake);
	(void)take(fake);
	disable_msix(fake);
	assert_int_equal(ftruncate(fake->bar, 0), 0);
	assert_int_equal(take(fake).msix_entries, 0);
	expect_restore_fails(fake, "MSI-X table");
	assert_int_equal(ftruncate(fake->bar, FAKE_BAR_SIZE), 0);
	restore(fake);
	expect_table(fake);
}

/* Also on threads that leave signals to others (slow_pool.c): a fault that is blocked ends the
 * process (force_sig_info_to_task). */
static void test_memory_that_is_gone_is_survived_without_signals(void **state)
{
	struct fake_device *fake = *state;
	sigset_t all;
	sigset_t before;
	sigset_t after;

	fill_table(fake);
	(void)take(fake);
	disable_msix(fake);
	assert_int_equal(ftruncate(fake->bar, 0), 0);
	(void)sigfillset(&all);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &all, &before), 0);
	assert_int_equal(take(fake).msix_entries, 0);
	expect_restore_fails(fake, "MSI-X table");
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, &after), 0);
	assert_int_equal(sigismember(&after, SIGBUS), 1);
}

/* putting back */

static void test_without_a_snapshot_nothing_happens(void **state)
{
	struct fake_device *fake = *state;

	reset(fake);
	restore(fake);
	assert_int_equal(fake->write_count, 0);
	assert_false(fake_device_get_16(fake, PCI_COMMAND) & PCI_COMMAND_MASTER);
}

static void test_what_is_the_same_is_not_written(void **state)
{
	struct fake_device *fake = *state;

	fill_table(fake);
	(void)take(fake);
	fake->read_only = true;
	restore(fake);
	assert_int_equal(fake->write_count, 0);
}

static void test_only_what_differs_is_written(void **state)
{
	static const struct {
		uint64_t at;
		size_t size;
		uint8_t bit; /* of the first byte */
	} registers[] = {
		{PCI_CACHE_LINE_SIZE, 1, 0x40},
		{PCI_LATENCY_TIMER, 1, 0x40},
		{PCI_INTERRUPT_LINE, 1, 0x40},
		{PCI_BASE_ADDRESS_0, 4, 0x40},
		{PCI_BASE_ADDRESS_5, 4, 0x40},
		{PCI_ROM_ADDRESS, 4, 0x40},
		{EXPRESS + PCI_EXP_DEVCTL, 2, 0x40},
		{EXPRESS + PCI_EXP_DEVCTL2, 2, 0x40},
		{ERRORS + PCI_ERR_UNCOR_MASK, 4, 0x10},
		{ERRORS + PCI_ERR_UNCOR_SEVER, 4, 0x10},
		{ERRORS + PCI_ERR_COR_MASK, 4, 0x40},
		{ERRORS + PCI_ERR_CAP, 4, 0x40},
		{PCI_COMMAND, 2, 0x40},
	};
	struct fake_device *fake = *state;

	(void)take(fake);
	for (size_t i = 0; i < sizeof(registers) / sizeof(*registers); i++) {
		uint8_t before[FAKE_CONFIG_SIZE];

		memcpy(before, fake->config, sizeof(before));
		fake->config[registers[i].at] ^= registers[i].bit;
		fake->write_count = 0;
		restore(fake);
		assert_memory_equal(fake->config, before, sizeof(before));
		assert_int_equal(fake->write_count, 1);
		assert_int_equal(fake->writes[0].at, registers[i].at);
		assert_int_equal(fake->writes[0].size, registers[i].size);
	}
}

/* Bits that vfio-pci or the kernel owns stay as they are, also where all else is written. */
static void test_what_is_others_is_left_alone(void **state)
{
	struct fake_device *fake = *state;

	(void)take(fake);
	fake->config[0x52] ^= 0x01;                                        /* MSI's enable bit */
	fake->config[0xa3] ^= 0x80;                                        /* MSI-X's */
	fake->config[EXPRESS + PCI_EXP_LNKCTL] ^= 0x40;                    /* link control */
	fake->config[PCI_STATUS + 1] = 0xf9;                               /* cleared by writing */
	fake_device_put_16(fake, EXPRESS + PCI_EXP_DEVCTL2, 0x0025);       /* ARI */
	fake_device_put_32(fake, ERRORS + PCI_ERR_UNCOR_MASK, 0x80100000); /* not writable */
	fake_device_put_32(fake, ERRORS + PCI_ERR_UNCOR_STATUS, 0x4000);
	restore(fake);
	assert_int_equal(fake->write_count, 0);
}

/* Never FLR, which is what this bit would be. */
static void test_device_control_does_not_reset(void **state)
{
	struct fake_device *fake = *state;

	fake_device_put_16(fake, EXPRESS + PCI_EXP_DEVCTL, 0xa81f);
	(void)take(fake);
	fake_device_put_16(fake, EXPRESS + PCI_EXP_DEVCTL, 0x2810);
	restore(fake);
	assert_int_equal(fake_device_get_16(fake, EXPRESS + PCI_EXP_DEVCTL), 0x281f);
}

static void test_bus_mastering_comes_back_last(void **state)
{
	struct fake_device *fake = *state;
	uint8_t before[FAKE_CONFIG_SIZE];

	fill_table(fake);
	(void)take(fake);
	memcpy(before, fake->config, sizeof(before));
	reset(fake);
	restore(fake);
	/* MSI-X is enabled by SET_IRQS alone. */
	before[0xa3] &= 0x7f;
	assert_memory_equal(fake->config, before, sizeof(before));
	expect_table(fake);
	assert_true(fake->write_count > 1);
	assert_int_equal(fake->writes[fake->write_count - 1].at, PCI_COMMAND);
	for (size_t i = 0; i + 1 < fake->write_count; i++) {
		assert_int_not_equal(fake->writes[i].at, PCI_COMMAND);
	}
}

/* The table needs decoding; mastering waits all the same. */
static void test_decoding_comes_back_before_the_table(void **state)
{
	struct fake_device *fake = *state;

	fill_table(fake);
	(void)take(fake);
	reset(fake);
	fake_device_put_16(fake, PCI_COMMAND, 0);
	fake->bar_size = 0; /* so that the table fails */
	expect_restore_fails(fake, "MSI-X table");
	assert_int_equal(fake_device_get_16(fake, PCI_COMMAND), PCI_COMMAND_MEMORY);
}

/* Without decoding the table would not be there. */
static void test_no_table_without_decoding(void **state)
{
	struct fake_device *fake = *state;

	fill_table(fake);
	(void)take(fake);
	fake_device_put_16(fake, PCI_COMMAND, PCI_COMMAND_MASTER);
	(void)take(fake);
	empty_table(fake);
	restore(fake);
	expect_vector(fake, 0, 0, 0, MASKED);
}

/* Other registers of the BAR may act, and know no such access. */
static void test_only_the_table_is_touched(void **state)
{
	struct fake_device *fake = *state;
	uint8_t before[FAKE_BAR_SIZE];
	uint8_t after[FAKE_BAR_SIZE];

	memset(before, 0x5a, sizeof(before));
	fake_device_store(fake, 0, before, sizeof(before));
	fill_table(fake);
	fake_device_load(fake, 0, before, sizeof(before));
	(void)take(fake);
	empty_table(fake);
	restore(fake);
	fake_device_load(fake, 0, after, sizeof(after));
	assert_memory_equal(after, before, sizeof(before));
}

/* Whoever has enabled MSI-X again since the reset has new interrupts in it. */
static void test_a_newer_table_stays(void **state)
{
	struct fake_device *fake = *state;

	fill_table(fake);
	(void)take(fake);
	reset(fake);
	put_vector(fake, 0, UINT64_C(0x1000000000000900), 0x99, 0);
	fake_device_put_16(fake, MSIX + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE | 3);
	restore(fake);
	expect_vector(fake, 0, UINT64_C(0x1000000000000900), 0x99, 0);
	expect_vector(fake, 1, 0, 0, MASKED);
	assert_true(fake_device_get_16(fake, PCI_COMMAND) & PCI_COMMAND_MASTER);
}

/* What else the control word has is the device's. */
static void test_the_mask_alone_is_put_back_into_control(void **state)
{
	struct fake_device *fake = *state;

	fill_table(fake);
	(void)take(fake);
	disable_msix(fake);
	put_vector(fake, 0, 0, 0, 0x00070000 | MASKED);
	put_vector(fake, 1, UINT64_C(0x1000000000000110), 0x41, 0x00070001);
	restore(fake);
	expect_vector(fake, 0, UINT64_C(0x1000000000000100), 0x40, 0x00070000);
	expect_vector(fake, 1, UINT64_C(0x1000000000000110), 0x41, 0x00070001);
}

static void test_writes_that_fail_are_named(void **state)
{
	static const struct {
		uint64_t at;
		const char *name;
	} rows[] = {
		{PCI_INTERRUPT_LINE, "write interrupt line (0x3c)"},
		{PCI_BASE_ADDRESS_0, "write BAR 0 (0x10)"},
		{EXPRESS + PCI_EXP_DEVCTL, "write device control (0x68)"},
		{EXPRESS + PCI_EXP_DEVCTL2, "write device control 2 (0x88)"},
		{ERRORS + PCI_ERR_UNCOR_MASK, "write uncorrectable error mask (0x148)"},
		{ERRORS + PCI_ERR_UNCOR_SEVER, "write uncorrectable error severity (0x14c)"},
		{ERRORS + PCI_ERR_COR_MASK, "write correctable error mask (0x154)"},
		{ERRORS + PCI_ERR_CAP, "write error capabilities and control (0x158)"},
		{PCI_COMMAND, "write command (0x4)"},
	};
	struct fake_device *fake = *state;

	(void)take(fake);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		reset(fake);
		fake->config[PCI_INTERRUPT_LINE] = 0;
		fake_device_put_32(fake, PCI_BASE_ADDRESS_0, 0);
		fake->write_count = 0;
		fake->fail_write = rows[i].at;
		expect_restore_fails(fake, rows[i].name);
		/* A device that isn't whole does not begin to work. */
		assert_false(fake_device_get_16(fake, PCI_COMMAND) & PCI_COMMAND_MASTER);
	}
}

static void test_reads_that_fail_are_named(void **state)
{
	struct fake_device *fake = *state;

	(void)take(fake);
	reset(fake);
	fake->fail_read = ERRORS + PCI_ERR_COR_MASK;
	expect_restore_fails(fake, "read correctable error mask (0x154)");
	fake->fail_read = MSIX + PCI_MSIX_FLAGS;
	expect_restore_fails(fake, "read MSI-X control (0xa2)");
	fake->fail_read = PCI_CLASS_REVISION;
	expect_restore_fails(fake, "does not answer");
	assert_false(fake_device_get_16(fake, PCI_COMMAND) & PCI_COMMAND_MASTER);
}

static void test_registers_that_do_not_keep_are_named(void **state)
{
	struct fake_device *fake = *state;

	(void)take(fake);
	reset(fake);
	fake->fixed[EXPRESS + PCI_EXP_DEVCTL] = 0x02;
	expect_restore_fails(fake, "device control (0x68)");
	expect_restore_fails(fake, "reads 0x281d where 0x281f");
	assert_false(fake_device_get_16(fake, PCI_COMMAND) & PCI_COMMAND_MASTER);
	fake->fixed[EXPRESS + PCI_EXP_DEVCTL] = 0;
	fake->fixed[PCI_COMMAND] = PCI_COMMAND_MASTER;
	expect_restore_fails(fake, "command (0x4)");
}

/* A table of 257 entries whose last is the first again. */
static void test_a_table_that_does_not_keep_is_named(void **state)
{
	struct fake_device *fake = *state;
	const uint32_t data = htole32(0x77);

	fake_device_put_16(fake, 0xa2, 0x8100);
	fake_device_put_32(fake, 0xa4, FAKE_BAR);
	fake_device_store(fake, 256 * 16 + 8, &data, sizeof(data));
	assert_int_equal(take(fake).msix_entries, 257);
	fake_device_put_16(fake, 0xa2, 0x0100);
	fake->aliased = true;
	expect_restore_fails(fake, "entry 0 of the MSI-X table");
	assert_int_equal(fake->write_count, 0);
}

static void test_a_device_that_is_silent_again_is_told(void **state)
{
	struct fake_device *fake = *state;

	(void)take(fake);
	fake->frozen = true;
	expect_restore_fails(fake, "does not answer");
	assert_int_equal(fake->write_count, 0);
}

/* power states */

static void test_a_sleeping_device_is_woken_first(void **state)
{
	struct fake_device *fake = *state;

	(void)take(fake);
	reset(fake);
	fake->config[POWER] = 3;
	restore(fake);
	assert_int_equal(fake->config[POWER], 0);
	assert_int_equal(fake->writes[0].at, POWER);
}

static void test_one_that_slept_sleeps_again_last(void **state)
{
	struct fake_device *fake = *state;

	fake->config[POWER] = 3;
	(void)take(fake);
	reset(fake);
	fake->config[POWER] = 0;
	restore(fake);
	assert_int_equal(fake->config[POWER], 3);
	assert_int_equal(fake->writes[fake->write_count - 1].at, POWER);
	/* D1 only where there is one. */
	fake->config[POWER] = 1;
	(void)take(fake);
	restore(fake);
	assert_int_equal(fake->config[POWER], 0);
	fake_device_put_16(fake, 0x40 + PCI_PM_PMC, PCI_PM_CAP_D1);
	fake->config[POWER] = 1;
	(void)take(fake);
	restore(fake);
	assert_int_equal(fake->config[POWER], 1);
}

/* isolation */

static void test_isolation(void **state)
{
	struct fake_device *fake = *state;
	struct error error = {.text = ""};

	assert_int_equal(snapshot_isolate(&fake->device, &error), 0);
	assert_int_equal(fake_device_get_16(fake, PCI_COMMAND),
			 PCI_COMMAND_MEMORY | PCI_COMMAND_SERR);
	assert_int_equal(fake->write_count, 1);
	assert_int_equal(snapshot_isolate(&fake->device, &error), 0);
	assert_int_equal(fake->write_count, 1);
	fake_device_put_16(fake, PCI_COMMAND, PCI_COMMAND_MASTER);
	fake->frozen = true;
	assert_int_equal(snapshot_isolate(&fake->device, &error), 0);
	assert_int_equal(fake->write_count, 1);
	fake->frozen = false;
	fake->fail_write = PCI_COMMAND;
	assert_int_equal(snapshot_isolate(&fake->device, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, "write command"));
	fake->fail_write = FAKE_NOWHERE;
	fake->fixed[PCI_COMMAND] = PCI_COMMAND_MASTER;
	assert_int_equal(snapshot_isolate(&fake->device, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, "reads 0x4"));
}

#define FAKE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FAKE_TEST(test_all_is_read),
		FAKE_TEST(test_devices_without_capabilities),
		FAKE_TEST(test_lists_that_loop),
		FAKE_TEST(test_lists_that_run_off_the_end),
		FAKE_TEST(test_capabilities_end_where_the_space_ends),
		FAKE_TEST(test_pointers_into_the_header),
		FAKE_TEST(test_tables_out_of_reach),
		FAKE_TEST(test_a_frozen_device_keeps_its_earlier_snapshot),
		FAKE_TEST(test_a_frozen_device_gets_no_snapshot),
		FAKE_TEST(test_reads_that_fail_keep_the_earlier_snapshot),
		FAKE_TEST(test_a_freeze_in_between_keeps_the_earlier_snapshot),
		FAKE_TEST(test_a_silent_table_keeps_the_earlier_one),
		FAKE_TEST(test_memory_that_is_gone_is_survived),
		FAKE_TEST(test_memory_that_is_gone_is_survived_without_signals),
		FAKE_TEST(test_without_a_snapshot_nothing_happens),
		FAKE_TEST(test_what_is_the_same_is_not_written),
		FAKE_TEST(test_only_what_differs_is_written),
		FAKE_TEST(test_what_is_others_is_left_alone),
		FAKE_TEST(test_device_control_does_not_reset),
		FAKE_TEST(test_bus_mastering_comes_back_last),
		FAKE_TEST(test_decoding_comes_back_before_the_table),
		FAKE_TEST(test_no_table_without_decoding),
		FAKE_TEST(test_only_the_table_is_touched),
		FAKE_TEST(test_a_newer_table_stays),
		FAKE_TEST(test_the_mask_alone_is_put_back_into_control),
		FAKE_TEST(test_writes_that_fail_are_named),
		FAKE_TEST(test_reads_that_fail_are_named),
		FAKE_TEST(test_registers_that_do_not_keep_are_named),
		FAKE_TEST(test_a_table_that_does_not_keep_is_named),
		FAKE_TEST(test_a_device_that_is_silent_again_is_told),
		FAKE_TEST(test_a_sleeping_device_is_woken_first),
		FAKE_TEST(test_one_that_slept_sleeps_again_last),
		FAKE_TEST(test_isolation),
	};

	return cmocka_run_group_tests_name("snapshots", tests, NULL, NULL);
}
