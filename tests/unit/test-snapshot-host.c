/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The same as test-snapshot.c, on the simulated host: what a reset of a PE takes comes back. */
#include <endian.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/eventfd.h>

#include "eeh/snapshot.h"
#include "sim/eeh.h"
#include "sim_fixture.h"
#include "vfio/device.h"
#include "vfio/irq.h"

#define MASKED  PCI_MSIX_ENTRY_CTRL_MASKBIT
#define MSIX_AT 0xa0U /* of the e1000e */

struct stage {
	struct sim_fixture *sim;
	int container;
	int group;
	struct device *device;
};

static int set_up_stage(void **state, const char *group, const char *name)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	struct kernel *kernel;
	struct error error;
	void *sim = NULL;

	assert_non_null(stage);
	assert_int_equal(sim_fixture_set_up(&sim), 0);
	stage->sim = sim;
	kernel = stage->sim->kernel;
	stage->container = kernel_open_node(kernel, "/dev/vfio/vfio");
	stage->group = kernel_open_node(kernel, group);
	assert_int_equal(sim_join(kernel, stage->group, stage->container), 0);
	assert_int_equal(kernel_ioctl_value(kernel, stage->container, VFIO_SET_IOMMU,
					    VFIO_SPAPR_TCE_v2_IOMMU),
			 0);
	assert_int_equal(
		device_open(kernel, stage->group, name, DEVICE_EVENTS_NONE, &stage->device, &error),
		0);
	*state = stage;
	return 0;
}

static int set_up_e1000e(void **state)
{
	return set_up_stage(state, GROUP_E1000E, "0001:01:00.0");
}

static int set_up_edu(void **state)
{
	return set_up_stage(state, GROUP_EDU, EDU);
}

static int tear_down_stage(void **state)
{
	struct stage *stage = *state;
	struct kernel *kernel = stage->sim->kernel;
	void *sim = stage->sim;

	(void)device_close(stage->device);
	(void)kernel_close(kernel, stage->group);
	(void)kernel_close(kernel, stage->container);
	free(stage);
	return sim_fixture_tear_down(&sim);
}

static void operate(struct stage *stage, uint32_t operation)
{
	struct vfio_eeh_pe_op op = {.argsz = sizeof(op), .op = operation};

	assert_int_equal(kernel_ioctl(stage->sim->kernel, stage->container, VFIO_EEH_PE_OP, &op),
			 0);
}

static void freeze_stage(struct stage *stage, uint32_t group)
{
	assert_int_equal(sim_control_freeze(stage->sim->control, 91, group, SIM_FREEZE_BOTH), 0);
	assert_int_equal(sim_fixture_reply(stage->sim, 91).code, ERROR_NONE);
}

static uint16_t command(const struct stage *stage)
{
	uint16_t value = 0;

	assert_int_equal(device_read_config(stage->device, PCI_COMMAND, &value, sizeof(value)), 0);
	return le16toh(value);
}

static void master_bus(const struct stage *stage)
{
	uint16_t value = htole16((uint16_t)(command(stage) | PCI_COMMAND_MASTER));

	assert_int_equal(device_write_config(stage->device, PCI_COMMAND, &value, sizeof(value)), 0);
}

static struct worker_registers take_stage(struct stage *stage)
{
	struct worker_registers registers;
	struct error error;

	assert_int_equal(snapshot_take(stage->device, &registers, &error), 0);
	return registers;
}

/* The first vector's words. */
static void load_vector(const struct stage *stage, uint32_t ret_words[static 4])
{
	void *address = NULL;

	assert_int_equal(kernel_map(stage->sim->kernel, stage->device->fd, UINT64_C(3) << 40, 4096,
				    PROT_READ, &address),
			 0);
	for (unsigned int i = 0; i < 4; i++) {
		ret_words[i] = ((volatile uint32_t *)address)[i];
	}
	assert_int_equal(kernel_unmap(stage->sim->kernel, address, 4096), 0);
}

static void enable_msix(const struct stage *stage, int event)
{
	union {
		struct vfio_irq_set set;
		uint8_t bytes[sizeof(struct vfio_irq_set) + sizeof(int32_t)];
	} argument = {
		.set = {.argsz = sizeof(argument),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_MSIX_IRQ_INDEX,
			.count = 1},
	};
	int32_t number = event;

	memcpy(argument.bytes + sizeof(argument.set), &number, sizeof(number));
	assert_int_equal(kernel_ioctl(stage->sim->kernel, stage->device->fd, VFIO_DEVICE_SET_IRQS,
				      &argument),
			 0);
}

static void reset_stage(struct stage *stage)
{
	operate(stage, VFIO_EEH_PE_RESET_FUNDAMENTAL);
	operate(stage, VFIO_EEH_PE_RESET_DEACTIVATE);
}

static void test_a_reset_of_the_pe_is_made_good(void **state)
{
	struct stage *stage = *state;
	struct worker_registers registers;
	struct error error;
	uint32_t before[4];
	uint32_t after[4];
	int event = eventfd(0, EFD_CLOEXEC);

	assert_true(event >= 0);
	enable_msix(stage, event);
	master_bus(stage);
	registers = take_stage(stage);
	assert_int_equal(registers.config_size, WORKER_CONFIG_SIZE);
	assert_int_equal(registers.aer_offset, 0x100);
	assert_int_equal(registers.msix_entries, 5);
	load_vector(stage, before);
	assert_false(le32toh(before[3]) & MASKED);
	freeze_stage(stage, 1);
	assert_int_equal(take_stage(stage).config_size, 0);
	assert_int_equal(snapshot_restore(stage->device, &error), ERROR_KERNEL);
	reset_stage(stage);
	assert_false(command(stage) & PCI_COMMAND_MASTER);
	load_vector(stage, after);
	assert_true(le32toh(after[3]) & MASKED);
	assert_int_equal(snapshot_restore(stage->device, &error), 0);
	assert_true(command(stage) & PCI_COMMAND_MASTER);
	load_vector(stage, after);
	assert_memory_equal(after, before, sizeof(before));
	assert_int_equal(snapshot_isolate(stage->device, &error), 0);
	assert_false(command(stage) & PCI_COMMAND_MASTER);
	(void)close(event);
}

static uint16_t msix_control(const struct stage *stage)
{
	uint16_t value = 0;

	assert_int_equal(
		device_read_config(stage->device, MSIX_AT + PCI_MSIX_FLAGS, &value, sizeof(value)),
		0);
	return le16toh(value);
}

static uint64_t count_rings(int event)
{
	uint64_t count = 0;

	(void)!read(event, &count, sizeof(count));
	return count;
}

/* As if the device had sent a message. */
static int loop_back(const struct stage *stage, uint32_t index, uint32_t vector)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.start = vector,
		.count = 1,
	};

	return kernel_ioctl(stage->sim->kernel, stage->device->fd, VFIO_DEVICE_SET_IRQS, &set);
}

static void wire(const struct stage *stage, uint32_t index, int *ret_events, uint32_t count)
{
	struct error error;

	for (uint32_t i = 0; i < count; i++) {
		ret_events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	if (irq_set(stage->device, index, 0, ret_events, count, &error) != 0) {
		fail_msg("%s", error.text);
	}
}

/* A reset of the PE takes MSI-X enable and the table, and the kernel doesn't notice. */
static void test_wired_messages_come_back(void **state)
{
	struct stage *stage = *state;
	struct error error = {.text = ""};
	uint32_t before[4];
	uint32_t after[4];
	int events[2];

	wire(stage, VFIO_PCI_MSIX_IRQ_INDEX, events, 2);
	assert_true(msix_control(stage) & PCI_MSIX_FLAGS_ENABLE);
	master_bus(stage);
	(void)take_stage(stage);
	load_vector(stage, before);
	freeze_stage(stage, 1);
	reset_stage(stage);
	assert_false(msix_control(stage) & PCI_MSIX_FLAGS_ENABLE);
	if (snapshot_restore(stage->device, &error) != 0) {
		fail_msg("%s", error.text);
	}
	assert_true(msix_control(stage) & PCI_MSIX_FLAGS_ENABLE);
	load_vector(stage, after);
	assert_memory_equal(after, before, sizeof(before));
	assert_true(command(stage) & PCI_COMMAND_MASTER);
	assert_int_equal(loop_back(stage, VFIO_PCI_MSIX_IRQ_INDEX, 1), 0);
	assert_int_equal(count_rings(events[0]), 0);
	assert_int_equal(count_rings(events[1]), 1);
}

/* Nothing was saved, and interrupts were lost all the same. */
static void test_wired_messages_without_a_snapshot(void **state)
{
	struct stage *stage = *state;
	int event;

	wire(stage, VFIO_PCI_MSIX_IRQ_INDEX, &event, 1);
	reset_stage(stage);
	assert_false(msix_control(stage) & PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(snapshot_restore(stage->device, NULL), 0);
	assert_true(msix_control(stage) & PCI_MSIX_FLAGS_ENABLE);
}

static void test_wiring_that_fails(void **state)
{
	struct stage *stage = *state;
	struct error error = {.text = ""};
	int event;

	wire(stage, VFIO_PCI_MSIX_IRQ_INDEX, &event, 1);
	master_bus(stage);
	(void)take_stage(stage);
	reset_stage(stage);
	sim_fixture_fail_next(stage->sim, "VFIO_DEVICE_SET_IRQS", 1, ENOSPC);
	assert_int_equal(snapshot_restore(stage->device, &error), ERROR_QUOTA_EXCEEDED);
	assert_non_null(strstr(error.text, "of kind 2 (MSI-X) of device 0001:01:00.0"));
	assert_false(command(stage) & PCI_COMMAND_MASTER);
	assert_int_equal(snapshot_restore(stage->device, &error), 0);
	assert_true(msix_control(stage) & PCI_MSIX_FLAGS_ENABLE);
	assert_true(command(stage) & PCI_COMMAND_MASTER);
}

static void test_wired_line_comes_back(void **state)
{
	struct stage *stage = *state;
	int event;

	wire(stage, VFIO_PCI_INTX_IRQ_INDEX, &event, 1);
	(void)take_stage(stage);
	reset_stage(stage);
	assert_int_equal(snapshot_restore(stage->device, NULL), 0);
	assert_int_equal(loop_back(stage, VFIO_PCI_INTX_IRQ_INDEX, 0), 0);
	assert_int_equal(count_rings(event), 1);
}

/* A device without MSI-X, AER or PCI Express. */
static void test_an_edu_is_made_good(void **state)
{
	struct stage *stage = *state;
	struct worker_registers registers;
	struct error error;

	master_bus(stage);
	registers = take_stage(stage);
	assert_int_equal(registers.config_size, WORKER_CONFIG_SIZE);
	assert_int_equal(registers.aer_size, 0);
	assert_int_equal(registers.msix_entries, 0);
	reset_stage(stage);
	assert_false(command(stage) & PCI_COMMAND_MASTER);
	assert_int_equal(snapshot_restore(stage->device, &error), 0);
	assert_true(command(stage) & PCI_COMMAND_MASTER);
}

static void test_refusals_of_the_host(void **state)
{
	struct stage *stage = *state;
	struct error error = {.text = ""};

	master_bus(stage);
	sim_fixture_fail_next(stage->sim, "mmap:3", 0, EINVAL);
	assert_int_equal(take_stage(stage).msix_entries, 0);
	sim_fixture_fail_next(stage->sim, "VFIO_DEVICE_GET_REGION_INFO", 0, EINVAL);
	assert_int_equal(take_stage(stage).msix_entries, 0);
	assert_int_equal(take_stage(stage).msix_entries, 5);
	reset_stage(stage);
	sim_fixture_fail_next(stage->sim, "write:7", 0, EIO);
	assert_int_equal(snapshot_restore(stage->device, &error), ERROR_KERNEL);
	assert_int_equal(error.errnum, EIO);
	sim_fixture_fail_next(stage->sim, "mmap:3", 0, ENOMEM);
	assert_int_equal(snapshot_restore(stage->device, &error), ERROR_KERNEL);
	assert_int_equal(error.errnum, ENOMEM);
	assert_non_null(strstr(error.text, "MSI-X table (BAR 3, 0x0)"));
	assert_false(command(stage) & PCI_COMMAND_MASTER);
	assert_int_equal(snapshot_restore(stage->device, &error), 0);
	assert_true(command(stage) & PCI_COMMAND_MASTER);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_reset_of_the_pe_is_made_good, set_up_e1000e,
						tear_down_stage),
		cmocka_unit_test_setup_teardown(test_wired_messages_come_back, set_up_e1000e,
						tear_down_stage),
		cmocka_unit_test_setup_teardown(test_wired_messages_without_a_snapshot,
						set_up_e1000e, tear_down_stage),
		cmocka_unit_test_setup_teardown(test_wiring_that_fails, set_up_e1000e,
						tear_down_stage),
		cmocka_unit_test_setup_teardown(test_wired_line_comes_back, set_up_edu,
						tear_down_stage),
		cmocka_unit_test_setup_teardown(test_an_edu_is_made_good, set_up_edu,
						tear_down_stage),
		cmocka_unit_test_setup_teardown(test_refusals_of_the_host, set_up_e1000e,
						tear_down_stage),
	};

	return cmocka_run_group_tests_name("snapshots on a host", tests, NULL, NULL);
}
