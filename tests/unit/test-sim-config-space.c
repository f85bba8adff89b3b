/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Config space as vfio-pci lets a program see it: what is virtual, what can be written, what is
 * hidden (vfio_pci_config.c). */
#include "sim/config_space.h"
#include "sim/hotplug.h"
#include "sim_device_fixture.h"

#define E1000E_POWER    0xc8U
#define E1000E_MSI      0xd0U
#define E1000E_EXPRESS  0xe0U
#define E1000E_MSIX     0xa0U
#define E1000E_ERRORS   0x100U
#define E1000E_SERIAL   0x140U
#define UNASSIGNED      0x60U
#define CONFIG_PCI      256U
#define CONFIG_EXPRESS  4096U
#define FIRST_EXTENDED  0x100U
#define SECOND_EXTENDED 0x140U

static void test_header(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	uint8_t header[64];

	assert_int_equal(device_read(device, CONFIG, header, sizeof(header)), sizeof(header));
	assert_memory_equal(header, "\x34\x12\xe8\x11\x02\x01\x10\x00\x10\x00\xff\x00", 12);
	assert_memory_equal(header + PCI_SUBSYSTEM_VENDOR_ID, "\xf4\x1a\x00\x11", 4);
	assert_int_equal(header[PCI_INTERRUPT_PIN], 1);
	assert_int_equal(header[PCI_CAPABILITY_LIST], 0x40);
	sim_node_close(device);
}

static void test_odd_accesses(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	uint8_t whole[16];
	uint8_t part[16];

	assert_int_equal(device_read(device, CONFIG, whole, sizeof(whole)), sizeof(whole));
	for (size_t from = 0; from < 8; from++) {
		for (size_t size = 1; size <= 8; size++) {
			assert_int_equal(device_read(device, CONFIG + from, part, size), size);
			assert_memory_equal(part, whole + from, size);
		}
	}
	sim_node_close(device);
}

/* opening */

static void test_open_enables_memory_and_clears_bus_master(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);

	assert_int_equal(config_read(device, PCI_COMMAND, 2), 0x102);
	set_command(device, PCI_COMMAND_MASTER, 0);
	assert_int_equal(config_read(device, PCI_COMMAND, 2), 0x106);
	sim_node_close(device);
	device = open_edu(fixture);
	assert_int_equal(config_read(device, PCI_COMMAND, 2), 0x102);
	sim_node_close(device);
}

static void test_read_only_fields(void **state)
{
	static const uint8_t fields[] = {PCI_VENDOR_ID,       PCI_DEVICE_ID,     PCI_STATUS,
					 PCI_REVISION_ID,     PCI_CLASS_DEVICE,  PCI_HEADER_TYPE,
					 PCI_CAPABILITY_LIST, PCI_INTERRUPT_PIN, PCI_SUBSYSTEM_ID};
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);

	for (size_t i = 0; i < sizeof(fields); i++) {
		uint32_t before = config_read(device, fields[i], 1);

		config_write(device, fields[i], 1, ~before);
		assert_int_equal(config_read(device, fields[i], 1), before);
	}
	config_write(device, PCI_INTERRUPT_LINE, 1, 0x5a);
	assert_int_equal(config_read(device, PCI_INTERRUPT_LINE, 1), 0x5a);
	sim_node_close(device);
}

/* What no capability has is the function's own (be2net). */
static void test_unassigned_bytes_can_be_written(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);

	config_write(device, UNASSIGNED, 4, 0x12345678);
	assert_int_equal(config_read(device, UNASSIGNED, 4), 0x12345678);
	sim_node_close(device);
}

/* BARs */

static void test_bar_sizing(void **state)
{
	static const struct {
		uint8_t offset;
		uint32_t mask;
	} bars[] = {
		{PCI_BASE_ADDRESS_0, 0xfffe0000}, {PCI_BASE_ADDRESS_1, 0xfffe0000},
		{PCI_BASE_ADDRESS_2, 0},          {PCI_BASE_ADDRESS_3, 0xffffc000},
		{PCI_BASE_ADDRESS_4, 0},          {PCI_ROM_ADDRESS, 0},
	};
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);

	assert_int_equal(config_read(card.device, PCI_BASE_ADDRESS_1, 4), 0x80020000);
	for (size_t i = 0; i < sizeof(bars) / sizeof(bars[0]); i++) {
		config_write(card.device, bars[i].offset, 4, UINT32_MAX);
		assert_int_equal(config_read(card.device, bars[i].offset, 4), bars[i].mask);
		config_write(card.device, bars[i].offset, 4, 0x40123456);
		assert_int_equal(config_read(card.device, bars[i].offset, 4),
				 0x40123456 & bars[i].mask);
	}
	close_all(&card);
}

static void test_bar_of_64_bits(void **state)
{
	struct fixture *fixture = *state;
	int index = sim_host_find_device(fixture->host, EDU);
	struct sim_resource *bar = &fixture->host->devices[index].resource[2];
	struct sim_node device;

	/* Prefetchable, 8 GiB. */
	*bar = (struct sim_resource){
		.start = UINT64_C(0x6000200000000),
		.end = UINT64_C(0x60003ffffffff),
		.flags = 0x14220c,
	};
	device = open_edu(fixture);
	config_write(device, PCI_BASE_ADDRESS_2, 4, UINT32_MAX);
	config_write(device, PCI_BASE_ADDRESS_3, 4, UINT32_MAX);
	assert_int_equal(config_read(device, PCI_BASE_ADDRESS_2, 4), 0xc);
	assert_int_equal(config_read(device, PCI_BASE_ADDRESS_3, 4), 0xfffffffe);
	sim_node_close(device);
	*bar = (struct sim_resource){.start = 0};
}

/* capabilities */

static void test_message_signalled_interrupts_are_enabled_by_the_ioctl(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	int bell = new_eventfd();

	config_write(card.device, E1000E_MSI + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
	assert_int_equal(
		config_read(card.device, E1000E_MSI + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE, 0);
	config_write(card.device, E1000E_MSI + PCI_MSI_ADDRESS_LO, 4, 0xfee00000);
	assert_int_equal(config_read(card.device, E1000E_MSI + PCI_MSI_ADDRESS_LO, 4), 0xfee00000);
	assert_int_equal(set_eventfd(fixture, card.device, MSI, 0, bell), 0);
	config_write(card.device, E1000E_MSI + PCI_MSI_FLAGS, 2, 0xf1);
	/* As many messages as the ioctl enabled. */
	assert_int_equal(config_read(card.device, E1000E_MSI + PCI_MSI_FLAGS, 1), 0x81);
	assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, MSI, 0, 0, NULL), 0);
	(void)fd_close(bell);
	close_all(&card);
}

/* How many messages a function has is in bits of its own, which no write reaches. */
static void test_messages_do_not_become_more(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	int bell = new_eventfd();
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = MSI};

	assert_int_equal(set_eventfd(fixture, card.device, MSI, 0, bell), 0);
	config_write(card.device, E1000E_MSI + PCI_MSI_FLAGS, 1,
		     PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QMASK);
	assert_int_equal(device_ioctl(fixture, card.device, VFIO_DEVICE_GET_IRQ_INFO, &info,
				      sizeof(info), NULL, 0),
			 0);
	assert_int_equal(info.count, 1);
	assert_int_equal(set_eventfd(fixture, card.device, MSI, 1, bell), -EINVAL);
	assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, MSI, 0, 0, NULL), 0);
	(void)fd_close(bell);
	close_all(&card);
}

static void test_msix_shows_what_the_ioctl_did(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	int bell = new_eventfd();

	assert_int_equal(config_read(card.device, E1000E_MSIX + PCI_MSIX_FLAGS, 2), 4);
	config_write(card.device, E1000E_MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE | 4);
	assert_int_equal(config_read(card.device, E1000E_MSIX + PCI_MSIX_FLAGS, 2), 4);
	assert_int_equal(set_eventfd(fixture, card.device, MSIX, 0, bell), 0);
	assert_int_equal(config_read(card.device, E1000E_MSIX + PCI_MSIX_FLAGS, 2),
			 PCI_MSIX_FLAGS_ENABLE | 4);
	sim_node_close(card.device);
	assert_int_equal(open_device(fixture, card.group, E1000E, &card.device, NULL), 0);
	assert_int_equal(config_read(card.device, E1000E_MSIX + PCI_MSIX_FLAGS, 2), 4);
	(void)fd_close(bell);
	close_all(&card);
}

/* As a powernv kernel, which leaves its devices awake. */
static void test_no_sleep_on_powernv(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	uint32_t value = 1;

	assert_int_equal(device_write(card.device, REGION(1), &value, 4), 4);
	config_write(card.device, E1000E_POWER + PCI_PM_CTRL, 2, 3);
	assert_int_equal(config_read(card.device, E1000E_POWER + PCI_PM_CTRL, 2) & 3, 0);
	assert_int_equal(device_read(card.device, REGION(1), &value, 4), 4);
	assert_int_equal(value, 1);
	close_all(&card);
}

static void test_power_management(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_all(fixture, "/dev/vfio/8", "0000:02:00.0", VFIO_TYPE1v2_IOMMU);
	uint32_t value = 1;

	assert_int_equal(
		config_read(card.device, E1000E_POWER + PCI_PM_PMC, 2) & PCI_PM_CAP_PME_MASK, 0);
	assert_int_equal(device_write(card.device, REGION(1), &value, 4), 4);
	config_write(card.device, E1000E_POWER + PCI_PM_CTRL, 2, 3);
	assert_int_equal(config_read(card.device, E1000E_POWER + PCI_PM_CTRL, 2) & 3, 3);
	assert_int_equal(device_read(card.device, REGION(1), &value, 4), -EIO);
	config_write(card.device, E1000E_POWER + PCI_PM_CTRL, 2, 0);
	assert_int_equal(device_read(card.device, REGION(1), &value, 4), 4);
	assert_int_equal(value, 0);
	close_all(&card);
}

static void test_function_reset_by_config_space(void **state)
{
	struct fixture *fixture = *state;
	int index = sim_host_find_device(fixture->host, E1000E);
	uint8_t *capabilities = fixture->host->devices[index].config + E1000E_EXPRESS + 4;
	struct opened card = open_e1000e(fixture);
	uint32_t value = 5;

	/* The card has no FLR: the bit does nothing, and reads as 0. */
	assert_int_equal(device_write(card.device, REGION(1), &value, 4), 4);
	config_write(card.device, E1000E_EXPRESS + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(config_read(card.device, E1000E_EXPRESS + PCI_EXP_DEVCTL, 2) &
				 PCI_EXP_DEVCTL_BCR_FLR,
			 0);
	assert_int_equal(device_read(card.device, REGION(1), &value, 4), 4);
	assert_int_equal(value, 5);
	close_all(&card);
	/* One that has. */
	capabilities[3] |= PCI_EXP_DEVCAP_FLR >> 24;
	assert_int_equal(sim_hotplug_unplug(fixture->model, E1000E, NULL), 0);
	assert_int_equal(sim_hotplug_plug(fixture->model, E1000E, NULL), 0);
	card = open_e1000e(fixture);
	assert_int_equal(device_write(card.device, REGION(1), &value, 4), 4);
	config_write(card.device, E1000E_EXPRESS + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(config_read(card.device, E1000E_EXPRESS + PCI_EXP_DEVCTL, 2) &
				 PCI_EXP_DEVCTL_BCR_FLR,
			 0);
	assert_int_equal(device_read(card.device, REGION(1), &value, 4), 4);
	assert_int_equal(value, 0);
	close_all(&card);
}

static void test_error_reporting(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);

	assert_int_equal(config_read(card.device, E1000E_ERRORS, 4), 0x14020001);
	config_write(card.device, E1000E_ERRORS + PCI_ERR_COR_MASK, 4, PCI_ERR_COR_RCVR);
	assert_int_equal(config_read(card.device, E1000E_ERRORS + PCI_ERR_COR_MASK, 4),
			 PCI_ERR_COR_RCVR);
	/* The serial number isn't writable. */
	config_write(card.device, E1000E_SERIAL + 4, 4, 0);
	assert_int_equal(config_read(card.device, E1000E_SERIAL + 4, 4), 0xff123456);
	close_all(&card);
}

/* lists, which are given here */

static struct sim_device make_device(uint8_t *config, size_t size)
{
	memset(config, 0, size);
	return (struct sim_device){
		.name = "0000:01:00.0",
		.driver = SIM_DRIVER_VFIO,
		.config = config,
		.config_size = size,
	};
}

static uint32_t read_space(struct sim_config_space *space, uint64_t offset, size_t size)
{
	uint32_t value = 0;

	assert_int_equal(sim_config_space_read(space, SIM_CONFIG_ANSWERS, offset, &value, size),
			 size);
	return le32toh(value);
}

static void test_hidden_capabilities(void **state)
{
	uint8_t config[CONFIG_PCI];
	struct sim_device device = make_device(config, sizeof(config));
	struct sim_config_space *space;

	(void)state;
	config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
	config[PCI_CAPABILITY_LIST] = 0x40;
	config[0x40] = PCI_CAP_ID_SLOTID; /* hidden */
	config[0x41] = 0x50;
	config[0x50] = PCI_CAP_ID_MSIX;
	config[0x51] = 0x60;
	config[0x60] = 0x7f; /* nobody knows it */
	config[0x61] = 0x70;
	config[0x70] = PCI_CAP_ID_VNDR;
	config[0x72] = 8;
	space = sim_config_space_new(&device);
	sim_config_space_open(space);
	assert_int_equal(read_space(space, PCI_CAPABILITY_LIST, 1), 0x50);
	assert_int_equal(read_space(space, 0x50, 2), 0x7000 | PCI_CAP_ID_MSIX);
	assert_int_equal(read_space(space, 0x70, 2), PCI_CAP_ID_VNDR);
	assert_int_equal(sim_config_space_count_irqs(space, MSIX), 1);
	assert_int_equal(sim_config_space_count_irqs(space, MSI), 0);
	assert_null(sim_config_space_free(space));
	/* A list of hidden ones alone is none. */
	config[0x41] = 0;
	space = sim_config_space_new(&device);
	sim_config_space_open(space);
	assert_int_equal(read_space(space, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, 0);
	assert_int_equal(read_space(space, PCI_CAPABILITY_LIST, 1), 0);
	assert_null(sim_config_space_free(space));
}

static void put_32(uint8_t *bytes, uint32_t value)
{
	value = htole32(value);
	memcpy(bytes, &value, sizeof(value));
}

static void test_hidden_extended_capabilities(void **state)
{
	uint8_t config[CONFIG_EXPRESS];
	struct sim_device device = make_device(config, sizeof(config));
	struct sim_config_space *space;

	(void)state;
	config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
	config[PCI_CAPABILITY_LIST] = 0x40;
	config[0x40] = PCI_CAP_ID_EXP;
	config[0x42] = 2;
	/* The first is hidden, but the list begins there. */
	put_32(config + FIRST_EXTENDED, SECOND_EXTENDED << 20 | 1U << 16 | PCI_EXT_CAP_ID_PASID);
	put_32(config + SECOND_EXTENDED, 0x180U << 20 | 1U << 16 | PCI_EXT_CAP_ID_DSN);
	put_32(config + 0x180, 0x1c0U << 20 | 1U << 16 | PCI_EXT_CAP_ID_SECPCI);
	put_32(config + 0x1c0, 1U << 16 | PCI_EXT_CAP_ID_ATS);
	space = sim_config_space_new(&device);
	sim_config_space_open(space);
	assert_int_equal(read_space(space, FIRST_EXTENDED, 4), SECOND_EXTENDED << 20);
	assert_int_equal(read_space(space, SECOND_EXTENDED, 4),
			 0x1c0U << 20 | 1U << 16 | PCI_EXT_CAP_ID_DSN);
	assert_int_equal(read_space(space, 0x1c0, 4), 1U << 16 | PCI_EXT_CAP_ID_ATS);
	assert_int_equal(sim_config_space_count_irqs(space, VFIO_PCI_ERR_IRQ_INDEX), 1);
	assert_null(sim_config_space_free(space));
}

/* Whatever the bytes are, all stays within bounds. */
static void test_broken_lists(void **state)
{
	static const uint8_t ids[] = {0x01, 0x05, 0x07, 0x08, 0x09, 0x10, 0x11, 0x12, 0x13};
	uint8_t config[CONFIG_EXPRESS];
	struct sim_device device = make_device(config, sizeof(config));
	uint8_t seen[CONFIG_EXPRESS];
	unsigned int asks;

	(void)state;
	for (unsigned int round = 0; round < 256; round++) {
		struct sim_config_space *space;

		for (size_t i = 0; i < sizeof(config); i++) {
			config[i] = (uint8_t)(i * round + (i >> 3) * 7 + round);
		}
		config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
		config[PCI_CAPABILITY_LIST] = (uint8_t)round;
		config[round | 0x40U] = ids[round % sizeof(ids)];
		config[0xfc] = ids[round % sizeof(ids)];
		put_32(config + 0xffc, round);
		space = sim_config_space_new(&device);
		assert_non_null(space);
		sim_config_space_open(space);
		assert_int_equal(sim_config_space_write(space, SIM_CONFIG_ANSWERS, 0, config,
							sizeof(config), &asks),
				 sizeof(config));
		assert_int_equal(
			sim_config_space_read(space, SIM_CONFIG_ANSWERS, 0, seen, sizeof(seen)),
			sizeof(seen));
		sim_config_space_close(space);
		assert_null(sim_config_space_free(space));
	}
}

static void test_device_without_known_bytes(void **state)
{
	struct sim_device device = {
		.driver = SIM_DRIVER_VFIO,
		.vendor = 0x1234,
		.device = 0x5678,
		.class_code = 0x020000,
		.resource[0] = {.start = 0x10000, .end = 0x1ffff, .flags = 0x200},
	};
	struct sim_config_space *space = sim_config_space_new(&device);
	uint32_t ones = UINT32_MAX;
	unsigned int asks;

	(void)state;
	sim_config_space_open(space);
	assert_int_equal(read_space(space, 0, 4), 0x56781234);
	assert_int_equal(read_space(space, PCI_CLASS_DEVICE, 2), 0x0200);
	assert_int_equal(sim_config_space_write(space, SIM_CONFIG_ANSWERS, PCI_BASE_ADDRESS_0,
						&ones, 4, &asks),
			 4);
	assert_int_equal(read_space(space, PCI_BASE_ADDRESS_0, 4), 0xffff0000);
	assert_true(sim_config_space_has_memory(space));
	assert_null(sim_config_space_free(space));
}

/* a PE that is frozen, or being reset */

static void test_frozen_config_space(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	struct sim_group *group = &fixture->model->groups[0];
	uint32_t value = 0;

	group->pe.io_stopped = true;
	/* What vfio-pci has itself still answers. */
	assert_int_equal(config_read(device, PCI_VENDOR_ID, 4), 0x11e81234);
	assert_int_equal(config_read(device, PCI_COMMAND, 2), 0xfbff);
	assert_int_equal(config_read(device, PCI_REVISION_ID, 4), UINT32_MAX);
	config_write(device, UNASSIGNED, 4, 1);
	/* An emulated host's answers as ever. */
	fixture->host->settings.freezes = false;
	assert_int_equal(config_read(device, PCI_REVISION_ID, 1), 0x10);
	fixture->host->settings.freezes = true;
	group->pe.io_stopped = false;
	assert_int_equal(config_read(device, UNASSIGNED, 4), 0);
	group->pe.reset_asserted = true;
	assert_int_equal(config_read(device, PCI_VENDOR_ID, 4), 0x11e81234);
	assert_int_equal(device_read(device, CONFIG + PCI_REVISION_ID, &value, 1), -ENODEV);
	assert_int_equal(device_write(device, CONFIG + PCI_COMMAND, &value, 2), -ENODEV);
	group->pe.reset_asserted = false;
	sim_node_close(device);
}

/* After a reset of its PE the function decodes nothing until its user enables memory again. */
static void test_reset_of_the_pe_loses_the_command_register(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	uint32_t value = 0;

	set_command(device, PCI_COMMAND_MASTER, 0);
	sim_group_reset_functions(&fixture->model->groups[0]);
	assert_int_equal(config_read(device, PCI_COMMAND, 2), 0x100);
	assert_int_equal(device_read(device, 0, &value, 4), 4);
	assert_int_equal(value, UINT32_MAX);
	set_command(device, PCI_COMMAND_MEMORY, 0);
	assert_int_equal(device_read(device, 0, &value, 4), 4);
	assert_int_equal(be32toh(value), 0x010000ed);
	sim_node_close(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL_TEST(test_header),
		MODEL_TEST(test_odd_accesses),
		MODEL_TEST(test_open_enables_memory_and_clears_bus_master),
		MODEL_TEST(test_read_only_fields),
		MODEL_TEST(test_unassigned_bytes_can_be_written),
		MODEL_TEST(test_bar_sizing),
		MODEL_TEST(test_bar_of_64_bits),
		MODEL_TEST(test_message_signalled_interrupts_are_enabled_by_the_ioctl),
		MODEL_TEST(test_messages_do_not_become_more),
		MODEL_TEST(test_msix_shows_what_the_ioctl_did),
		MODEL_TEST(test_no_sleep_on_powernv),
		cmocka_unit_test_setup_teardown(test_power_management, set_up_x86, tear_down),
		MODEL_TEST(test_function_reset_by_config_space),
		MODEL_TEST(test_error_reporting),
		MODEL_TEST(test_frozen_config_space),
		MODEL_TEST(test_reset_of_the_pe_loses_the_command_register),
		cmocka_unit_test(test_hidden_capabilities),
		cmocka_unit_test(test_hidden_extended_capabilities),
		cmocka_unit_test(test_broken_lists),
		cmocka_unit_test(test_device_without_known_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
