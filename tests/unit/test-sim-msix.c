/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The MSI-X table of a simulated device, as a program sees it that has mapped it. */
#include "sim_device_fixture.h"

#include <sys/mman.h>

#include "sim/eeh.h"

#define TABLE     REGION(3)
#define VECTORS   5U
#define FIFTH     (size_t)16 /* its first word */
#define PAGE      0x1000U
#define RESET_BIT 0x04000000U /* of e1000e's control register */

struct table {
	struct opened card;
	volatile uint32_t *words;
};

static uint32_t word(const struct table *table, unsigned int vector, unsigned int which)
{
	return le32toh(table->words[vector * 4 + which]);
}

static bool is_masked(const struct table *table, unsigned int vector)
{
	return word(table, vector, 3) & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

static bool is_empty(const struct table *table, unsigned int vector)
{
	return word(table, vector, 0) == 0 && word(table, vector, 1) == 0 &&
	       word(table, vector, 2) == 0 && is_masked(table, vector);
}

static bool is_all_empty(const struct table *table)
{
	for (unsigned int i = 0; i < VECTORS; i++) {
		if (!is_empty(table, i)) {
			return false;
		}
	}
	return true;
}

static void map_table(struct table *table)
{
	uint64_t at = 0;
	int fd = -1;

	assert_int_equal(sim_device_map(table->card.device.device_file, TABLE, PAGE,
					PROT_READ | PROT_WRITE, &fd, &at),
			 0);
	table->words = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)at);
	assert_ptr_not_equal(table->words, MAP_FAILED);
}

static struct table open_table(struct fixture *fixture)
{
	struct table table = {.card = open_e1000e(fixture)};

	map_table(&table);
	return table;
}

static void close_table(struct table *table)
{
	(void)munmap((void *)(uintptr_t)table->words, PAGE);
	close_all(&table->card);
}

/* Two vectors, the second without an eventfd. */
static void enable_two(struct fixture *fixture, const struct table *table)
{
	int bell = new_eventfd();
	int bells[] = {bell, -1};

	assert_int_equal(
		set_irqs(fixture, table->card.device, EVENTFD | TRIGGER, MSIX, 0, 2, bells), 0);
	(void)fd_close(bell);
}

static void expect_two(const struct table *table)
{
	assert_false(is_masked(table, 0));
	assert_true(is_masked(table, 1));
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(word(table, i, 0) % 4, 0);
		assert_true(word(table, i, 0) != 0 || word(table, i, 1) != 0);
	}
	assert_int_not_equal(word(table, 0, 2), word(table, 1, 2));
	for (unsigned int i = 2; i < VECTORS; i++) {
		assert_true(is_empty(table, i));
	}
}

static int operate(struct fixture *fixture, struct sim_node container, uint32_t operation)
{
	struct vfio_eeh_pe_op op = {.argsz = sizeof(op), .op = operation};

	return struct_ioctl(fixture, container, VFIO_EEH_PE_OP, &op, sizeof(op));
}

static void reset_pe(struct fixture *fixture, struct sim_node container)
{
	assert_int_equal(operate(fixture, container, VFIO_EEH_PE_RESET_HOT), 0);
	assert_int_equal(operate(fixture, container, VFIO_EEH_PE_RESET_DEACTIVATE), 0);
}

static void test_the_kernel_writes_it(void **state)
{
	struct fixture *fixture = *state;
	struct table table = open_table(fixture);
	uint32_t data;

	assert_true(is_all_empty(&table));
	enable_two(fixture, &table);
	expect_two(&table);
	/* Who frees messages masks them, and leaves the rest. */
	data = word(&table, 0, 2);
	assert_int_equal(set_eventfd(fixture, table.card.device, MSIX, 0, -1), 0);
	assert_true(is_masked(&table, 0));
	assert_int_equal(set_irqs(fixture, table.card.device, NONE | TRIGGER, MSIX, 0, 0, NULL), 0);
	for (unsigned int i = 0; i < VECTORS; i++) {
		assert_true(is_masked(&table, i));
	}
	assert_int_equal(word(&table, 0, 2), data);
	close_table(&table);
}

/* The BAR's file is made when it is first needed. */
static void test_it_is_there_when_it_is_mapped_later(void **state)
{
	struct fixture *fixture = *state;
	struct table table = {.card = open_e1000e(fixture)};

	enable_two(fixture, &table);
	map_table(&table);
	expect_two(&table);
	close_table(&table);
}

/* The kernel saves and restores around its own resets; a card's own doesn't touch it. */
static void test_resets_of_the_function_leave_it(void **state)
{
	struct fixture *fixture = *state;
	struct table table = open_table(fixture);
	uint32_t control = htole32(RESET_BIT);

	enable_two(fixture, &table);
	assert_int_equal(
		device_ioctl(fixture, table.card.device, VFIO_DEVICE_RESET, &control, 0, NULL, 0),
		0);
	expect_two(&table);
	table.words[FIFTH] = htole32(0x1000);
	assert_int_equal(device_write(table.card.device, REGION(0), &control, sizeof(control)),
			 sizeof(control));
	assert_int_equal(word(&table, 4, 0), 0x1000);
	table.words[FIFTH] = 0;
	expect_two(&table);
	close_table(&table);
}

static void test_a_reset_of_the_pe_empties_it(void **state)
{
	struct fixture *fixture = *state;
	struct table table = open_table(fixture);

	enable_two(fixture, &table);
	reset_pe(fixture, table.card.container);
	(void)sim_functions_tick(fixture->model);
	assert_true(is_all_empty(&table));
	/* Its own reset finds MSI-X off, and so puts nothing back. */
	assert_int_equal(
		device_ioctl(fixture, table.card.device, VFIO_DEVICE_RESET, &(int){0}, 0, NULL, 0),
		0);
	assert_true(is_all_empty(&table));
	/* A vector that is set again is written again. */
	enable_two(fixture, &table);
	assert_false(is_masked(&table, 0));
	close_table(&table);
}

/* What a program puts back stays. */
static void test_a_program_may_write_it(void **state)
{
	struct fixture *fixture = *state;
	struct table table = open_table(fixture);

	table.words[0] = htole32(0xfee00000);
	table.words[2] = htole32(0x4020);
	table.words[3] = 0;
	(void)sim_functions_tick(fixture->model);
	assert_int_equal(word(&table, 0, 0), 0xfee00000);
	assert_int_equal(word(&table, 0, 2), 0x4020);
	assert_false(is_masked(&table, 0));
	close_table(&table);
}

static void test_a_frozen_pe_reads_as_ones(void **state)
{
	struct fixture *fixture = *state;
	struct table table = open_table(fixture);
	struct error error;

	enable_two(fixture, &table);
	assert_int_equal(sim_eeh_freeze(fixture->model, 1, SIM_FREEZE_BOTH, &error), 0);
	(void)sim_functions_tick(fixture->model);
	assert_int_equal(word(&table, 0, 0), UINT32_MAX);
	assert_int_equal(word(&table, 4, 3), UINT32_MAX);
	assert_int_equal(operate(fixture, table.card.container, VFIO_EEH_PE_UNFREEZE_IO), 0);
	(void)sim_functions_tick(fixture->model);
	expect_two(&table);
	close_table(&table);
}

static void test_closing_empties_it(void **state)
{
	struct fixture *fixture = *state;
	struct table table = open_table(fixture);

	enable_two(fixture, &table);
	sim_node_close(table.card.device);
	assert_int_equal(open_device(fixture, table.card.group, E1000E, &table.card.device, NULL),
			 0);
	assert_true(is_all_empty(&table));
	close_table(&table);
}

/* Nothing that the kernel does enables messages again: SET_IRQS must. */
static void test_messages_are_off_after_a_reset_of_the_pe(void **state)
{
	static const uint32_t raise = 1;
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	uint32_t value = htole32(raise);
	int bell = new_eventfd();

	assert_int_equal(set_eventfd(fixture, device, MSI, 0, bell), 0);
	set_command(device, PCI_COMMAND_MASTER, 0);
	assert_int_equal(device_write(device, 0x60, &value, sizeof(value)), sizeof(value));
	assert_int_equal(rings(bell), 1);
	reset_pe(fixture, fixture->container);
	set_command(device, PCI_COMMAND_MASTER, 0);
	assert_int_equal(device_write(device, 0x60, &value, sizeof(value)), sizeof(value));
	assert_int_equal(rings(bell), 0);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, MSI, 0, 0, NULL), 0);
	assert_int_equal(set_eventfd(fixture, device, MSI, 0, bell), 0);
	assert_int_equal(device_write(device, 0x60, &value, sizeof(value)), sizeof(value));
	assert_int_equal(rings(bell), 1);
	(void)fd_close(bell);
	sim_node_close(device);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		MODEL_TEST(test_the_kernel_writes_it),
		MODEL_TEST(test_it_is_there_when_it_is_mapped_later),
		MODEL_TEST(test_resets_of_the_function_leave_it),
		MODEL_TEST(test_a_reset_of_the_pe_empties_it),
		MODEL_TEST(test_a_program_may_write_it),
		MODEL_TEST(test_a_frozen_pe_reads_as_ones),
		MODEL_TEST(test_closing_empties_it),
		MODEL_TEST(test_messages_are_off_after_a_reset_of_the_pe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
