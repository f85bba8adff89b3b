/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libspapr on simulated hosts: devices and EEH. */
#include <sys/eventfd.h>

#include "libspapr_fixture.h"
#include "sim/eeh.h"
#include "vfio/device.h"
#include "vfio/irq.h"

/* devices */

static struct spapr_device *open_edu(struct stage *stage)
{
	struct spapr_device *device = NULL;

	check(spapr_device_open(stage->space, GROUP, EDU, -1, -1, &device, &last));
	return device;
}

static void test_devices(void **state)
{
	struct stage *stage = *state;
	struct spapr_region regions[16];
	struct spapr_device *device = NULL;
	unsigned int count = 0;
	uint64_t value = 0;

	refused(spapr_device_open(stage->space, GROUP, EDU, -1, -1, &device, &last),
		SPAPR_ERROR_NOT_FOUND, "group 0 is not attached");
	attach(stage, GROUP);
	refused(spapr_device_open(stage->space, GROUP, "0009:01:00.0", -1, -1, &device, &last),
		SPAPR_ERROR_NOT_FOUND, "0009:01:00.0");
	refused(spapr_device_open(stage->space, GROUP, "a b", -1, -1, &device, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "name of a device");
	refused(spapr_device_open(stage->space, GROUP, EDU, 9999, -1, &device, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "fd 9999");
	refused(spapr_device_open(stage->space, GROUP, EDU, -1, 9999, &device, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "fd 9999");
	assert_null(device);
	device = open_edu(stage);
	assert_true(spapr_device_fd(device) >= 0);
	refused(spapr_device_open(stage->space, GROUP, EDU, -1, -1, &device, &last),
		SPAPR_ERROR_BUSY, "open here already");
	check(spapr_device_regions(device, regions, 16, &count, &last));
	assert_true(count >= 2 && count <= 16);
	assert_int_equal(regions[0].index, BAR0);
	assert_int_equal(regions[0].size, MIB);
	refused(spapr_region_find(device, 1, 1, regions, &last), SPAPR_ERROR_NOT_FOUND, "");
	check(spapr_region_read(device, CONFIG, 0, 4, &value, &last));
	assert_int_equal(value, 0x11e81234);
	refused(spapr_region_read(device, CONFIG, 2, 4, &value, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "0x2");
	refused(spapr_region_read(device, 99, 0, 4, &value, &last), SPAPR_ERROR_NOT_FOUND, "99");
	check(spapr_region_write(device, CONFIG, 4, 2, 6, &last));
	check(spapr_device_reset(device, &last));
	check(spapr_region_read(device, CONFIG, 4, 2, &value, &last));
	assert_int_equal(value & 4, 0);
	check(spapr_region_write(device, CONFIG, 4, 2, 6, &last));
	check(spapr_space_reset(stage->space, &last));
	check(spapr_region_read(device, CONFIG, 4, 2, &value, &last));
	assert_int_equal(value & 4, 0);
	check(spapr_device_close(device, &last));
	check(spapr_space_reset(stage->space, &last));
	device = open_edu(stage);
	/* Its handle goes along. */
	check(spapr_group_detach(stage->space, GROUP, &last));
	assert_null(stage->space->devices);
}

static uint32_t fail_for_good(struct stage *stage, const char *operation, uint32_t skip)
{
	struct sim_rule rule = {.errnum = EIO, .skip = skip};
	struct sim_control_reply reply;

	sim_rule_name(&rule, operation);
	assert_int_equal(sim_control_add_rule(stage->sim->control, 8, &rule), 0);
	reply = sim_fixture_reply(stage->sim, 8);
	assert_int_equal(reply.code, ERROR_NONE);
	return reply.rule;
}

/* Its group is kept, and let go when it can be stopped. */
static void test_a_device_that_can_not_be_stopped(void **state)
{
	static const char *const resets[] = {"VFIO_DEVICE_RESET", "VFIO_DEVICE_PCI_HOT_RESET",
					     "VFIO_EEH_PE_OP"};
	struct stage *stage = *state;
	uint32_t rules[3];

	attach_with_memory(stage);
	check(spapr_map(stage->space, 0, 0, PAGE, 3, &last));
	check(spapr_region_write(open_edu(stage), CONFIG, 4, 2, 6, &last));
	for (unsigned int i = 0; i < 3; i++) {
		rules[i] = fail_for_good(stage, resets[i], i == 2 ? 1 : 0);
	}
	refused(spapr_space_close(stage->space, &last), SPAPR_ERROR_QUARANTINED,
		"group 0, device 0000:01:00.0");
	assert_int_equal(sim_fixture_statistics(stage->sim).attached_groups, 1);
	assert_int_equal(sim_fixture_statistics(stage->sim).mapped_tces, 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(sim_control_remove_rule(stage->sim->control, 9, rules[i]), 0);
		assert_int_equal(sim_fixture_reply(stage->sim, 9).code, ERROR_NONE);
	}
	check(spapr_space_close(stage->space, &last));
	assert_int_equal(sim_fixture_statistics(stage->sim).open_groups, 0);
	/* It is like a new one. */
	attach_with_memory(stage);
	check(spapr_map(stage->space, 0, 0, PAGE, 3, &last));
	check(spapr_space_close(stage->space, &last));
}

/* Another program has its device open, which keeps it; the handle here is of no use any more. */
static void test_a_group_that_others_hold(void **state)
{
	struct spapr_device *device;
	struct stage *stage = *state;
	int copy;

	attach(stage, GROUP);
	check(spapr_group_attach(stage->space, GROUP_2, SPAPR_ATTACH_SHARE, &last));
	device = open_edu(stage);
	copy = dup(spapr_device_fd(device));
	refused(spapr_group_detach(stage->space, GROUP, &last), SPAPR_ERROR_BUSY, "group 0");
	assert_null(stage->space->devices);
	(void)kernel_close(stage->sim->kernel, copy);
	check(spapr_group_detach(stage->space, GROUP, &last));
}

/* The kernel leaves it as it is while there is another fd of it. */
static void test_a_device_that_is_closed_is_no_bus_master(void **state)
{
	struct stage *stage = *state;
	struct kernel *kernel = stage->sim->kernel;
	struct spapr_device *device;
	uint16_t command = 0;
	uint64_t offset;
	int copy;

	attach(stage, GROUP);
	device = open_edu(stage);
	offset = device->device->config_offset + 4;
	check(spapr_region_write(device, CONFIG, 4, 2, 6, &last));
	copy = dup(spapr_device_fd(device));
	assert_int_equal(kernel_read(kernel, copy, offset, &command, 2), 2);
	assert_int_equal(command, htole16(6));
	check(spapr_device_close(device, &last));
	assert_int_equal(kernel_read(kernel, copy, offset, &command, 2), 2);
	assert_int_equal(command, htole16(2));
	(void)kernel_close(kernel, copy);
}

static void test_mapped_registers(void **state)
{
	struct stage *stage = *state;
	struct spapr_device *device;
	struct spapr_area area = {.size = 0};
	unsigned int count = 0;
	uint64_t value = 0;

	attach(stage, GROUP);
	device = open_edu(stage);
	check(spapr_region_write(device, CONFIG, 4, 2, 6, &last));
	check(spapr_region_areas(device, BAR0, &area, 1, &count, &last));
	assert_int_equal(count, 1);
	assert_int_equal(area.size, MIB);
	assert_null(area.address);
	check(spapr_region_map(device, BAR0, &last));
	check(spapr_region_areas(device, BAR0, &area, 1, &count, &last));
	assert_non_null(area.address);
	check(spapr_region_read(device, BAR0, 0, 4, &value, &last));
	assert_int_equal(value, *(volatile uint32_t *)area.address);
	check(spapr_region_unmap(device, BAR0, &last));
	check(spapr_region_areas(device, BAR0, &area, 1, &count, &last));
	assert_null(area.address);
	refused(spapr_region_map(device, CONFIG, &last), SPAPR_ERROR_UNSUPPORTED, "");
	refused(spapr_region_unmap(device, 99, &last), SPAPR_ERROR_NOT_FOUND, "99");
}

static void test_interrupts(void **state)
{
	struct stage *stage = *state;
	struct spapr_device *device;
	struct spapr_irq irqs[8];
	unsigned int count = 0;
	int event = eventfd(0, EFD_CLOEXEC);
	int many[2] = {event, event};

	attach(stage, GROUP);
	device = open_edu(stage);
	check(spapr_device_irqs(device, irqs, 8, &count, &last));
	assert_true(count >= 2 && count <= 8);
	assert_int_equal(irqs[1].index, MSI);
	assert_int_equal(irqs[1].count, 1);
	refused(spapr_irq_set(device, MSI, 0, many, 2, &last), SPAPR_ERROR_INVALID_ARGUMENT, "2");
	refused(spapr_irq_set(device, MSI, 0, many, 0, &last), SPAPR_ERROR_INVALID_ARGUMENT, "0");
	refused(spapr_irq_set(device, 99, 0, many, 1, &last), SPAPR_ERROR_NOT_FOUND, "kind 99");
	many[0] = 9999;
	refused(spapr_irq_set(device, MSI, 0, many, 1, &last), SPAPR_ERROR_INVALID_ARGUMENT,
		"fd 9999");
	refused(spapr_irq_set(device, MSI, 0, &stage->memory, 1, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "");
	check(spapr_irq_set(device, MSI, 0, &event, 1, &last));
	refused(spapr_irq_mask(device, MSI, &last), SPAPR_ERROR_UNSUPPORTED, "");
	refused(spapr_irq_unmask(device, MSI, &last), SPAPR_ERROR_UNSUPPORTED, "");
	check(spapr_irq_disable(device, MSI, &last));
	refused(spapr_irq_disable(device, MSI, &last), SPAPR_ERROR_NOT_FOUND, "");
	(void)close(event);
}

/* EEH */

static void freeze(struct stage *stage)
{
	assert_int_equal(sim_control_freeze(stage->sim->control, 91, GROUP, SIM_FREEZE_BOTH), 0);
	assert_int_equal(sim_fixture_reply(stage->sim, 91).code, ERROR_NONE);
}

static uint32_t condition(struct stage *stage)
{
	struct spapr_eeh_look look;

	check(spapr_eeh_look(stage->space, GROUP, &look, &last));
	return look.condition;
}

static void test_eeh(void **state)
{
	struct stage *stage = *state;
	struct spapr_device *device;
	struct spapr_eeh_look look;
	uint64_t command = 0;

	refused(spapr_eeh_look(stage->space, GROUP, &look, &last), SPAPR_ERROR_NOT_FOUND,
		"group 0");
	attach(stage, GROUP);
	assert_int_equal(condition(stage), SPAPR_EEH_NORMAL);
	refused(spapr_eeh_operate(stage->space, GROUP, 1, &last), SPAPR_ERROR_INVALID_ARGUMENT,
		"operation 1");
	refused(spapr_eeh_operate(stage->space, GROUP, 10, &last), SPAPR_ERROR_INVALID_ARGUMENT,
		"operation 10");
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_ENABLE, &last));
	device = open_edu(stage);
	check(spapr_region_write(device, CONFIG, 4, 2, 6, &last));
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_SAVE, &last));
	freeze(stage);
	check(spapr_eeh_look(stage->space, GROUP, &look, &last));
	assert_int_equal(look.condition, SPAPR_EEH_STOPPED);
	assert_int_equal(look.devices, 1);
	assert_int_equal(look.silent, 1);
	assert_string_equal(spapr_eeh_condition_text(look.condition), "MMIO and DMA stopped");
	refused(spapr_device_close(device, &last), SPAPR_ERROR_FROZEN, "would thaw it");
	refused(spapr_device_reset(device, &last), SPAPR_ERROR_FROZEN, "");
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_RESET_HOT, &last));
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_DEACTIVATE, &last));
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_CONFIGURE, &last));
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_ENABLE, &last));
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_RESTORE, &last));
	assert_int_equal(condition(stage), SPAPR_EEH_NORMAL);
	check(spapr_region_read(device, CONFIG, 4, 2, &command, &last));
	assert_int_equal(command & 6, 6);
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_RESET_FUNDAMENTAL, &last));
	refused(spapr_region_read(device, CONFIG, 4, 2, &command, &last), SPAPR_ERROR_BUSY,
		"asserted");
	refused(spapr_irq_disable(device, MSI, &last), SPAPR_ERROR_BUSY, "asserted");
	refused(spapr_device_reset(device, &last), SPAPR_ERROR_BUSY, "asserted");
	refused(spapr_space_reset(stage->space, &last), SPAPR_ERROR_FROZEN, "asserted");
	refused(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_SAVE, &last), SPAPR_ERROR_BUSY,
		"asserted");
	refused(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_RESTORE, &last), SPAPR_ERROR_BUSY,
		"asserted");
	refused(spapr_device_close(device, &last), SPAPR_ERROR_BUSY, "asserted");
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_DEACTIVATE, &last));
	check(spapr_device_close(device, &last));
}

/* With messages on, the end of the program would have the kernel write to BARs that aren't there.
 */
static void test_messages_are_off_in_a_reset(void **state)
{
	struct stage *stage = *state;
	struct spapr_device *device;
	struct irq *irq;
	int event = eventfd(0, EFD_CLOEXEC);

	attach(stage, GROUP);
	device = open_edu(stage);
	check(spapr_irq_set(device, MSI, 0, &event, 1, &last));
	irq = irq_find(device->device, MSI);
	assert_non_null(irq);
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_SAVE, &last));
	/* One that can't be switched off stays. */
	sim_fixture_fail_next(stage->sim, "VFIO_DEVICE_SET_IRQS", 0, EIO);
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_RESET_HOT, &last));
	assert_false(irq->lost);
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_DEACTIVATE, &last));
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_RESET_HOT, &last));
	assert_true(irq->lost);
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_DEACTIVATE, &last));
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_CONFIGURE, &last));
	/* Off and on, once: what rings between is lost. */
	sim_fixture_fail_next(stage->sim, "VFIO_DEVICE_SET_IRQS", 2, EIO);
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_RESTORE, &last));
	assert_false(irq->lost);
	refused(spapr_irq_disable(device, MSI, &last), SPAPR_ERROR_KERNEL, "EIO");
	check(spapr_irq_disable(device, MSI, &last));
	(void)close(event);
}

static void test_a_device_that_is_not_restored(void **state)
{
	struct stage *stage = *state;

	attach(stage, GROUP);
	(void)open_edu(stage);
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_SAVE, &last));
	freeze(stage);
	refused(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_RESTORE, &last),
		SPAPR_ERROR_RECOVERY_FAILED, "does not answer");
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_ENABLE, &last));
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_RESTORE, &last));
}

/* The kernel's reset would wait for the device's close, and nobody could close it any more. */
static void test_no_reset_of_what_is_wanted_back(void **state)
{
	struct stage *stage = *state;
	struct spapr_device *device;

	attach(stage, GROUP);
	device = open_edu(stage);
	assert_int_equal(sim_control_unplug(stage->sim->control, 92, EDU), 0);
	assert_int_equal(sim_fixture_reply(stage->sim, 92).code, ERROR_NONE);
	refused(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_RESET_HOT, &last),
		SPAPR_ERROR_BUSY, "the kernel wants " EDU " back");
	refused(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_RESET_FUNDAMENTAL, &last),
		SPAPR_ERROR_BUSY, "the kernel wants " EDU " back");
	refused(spapr_device_reset(device, &last), SPAPR_ERROR_BUSY, "wants");
	/* Nothing is asserted. */
	check(spapr_device_close(device, &last));
}

static void test_eeh_of_a_frozen_group(void **state)
{
	struct spapr_device *device = NULL;
	struct stage *stage = *state;

	attach(stage, GROUP);
	freeze(stage);
	refused(spapr_device_open(stage->space, GROUP, EDU, -1, -1, &device, &last),
		SPAPR_ERROR_FROZEN, "would thaw it");
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_UNFREEZE_IO, &last));
	check(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_UNFREEZE_DMA, &last));
	assert_int_equal(condition(stage), SPAPR_EEH_NORMAL);
	refused(spapr_eeh_inject(stage->space, GROUP, 77, 0, 0, 0, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "");
}

static void test_eeh_wants_a_group_alone(void **state)
{
	struct stage *stage = *state;
	struct spapr_eeh_look look;

	attach(stage, GROUP);
	check(spapr_group_attach(stage->space, GROUP_2, SPAPR_ATTACH_SHARE, &last));
	refused(spapr_eeh_look(stage->space, GROUP, &look, &last), SPAPR_ERROR_EEH_MANY_GROUPS,
		"group 2");
	refused(spapr_eeh_operate(stage->space, GROUP, SPAPR_EEH_ENABLE, &last),
		SPAPR_ERROR_EEH_MANY_GROUPS, "group 2");
	assert_string_equal(spapr_eeh_condition_text(99), spapr_eeh_condition_text(0));
}

static void test_hosts_without_eeh(void **state)
{
	struct spapr_eeh_look look;
	struct stage *stage = *state;

	attach(stage, 7);
	refused(spapr_eeh_look(stage->space, 7, &look, &last), SPAPR_ERROR_EEH_UNAVAILABLE,
		"group 7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_POWERNV9(test_devices),
		ON_POWERNV9(test_a_device_that_can_not_be_stopped),
		ON_POWERNV9(test_a_group_that_others_hold),
		ON_POWERNV9(test_a_device_that_is_closed_is_no_bus_master),
		ON_POWERNV9(test_mapped_registers),
		ON_POWERNV9(test_interrupts),
		ON_POWERNV9(test_eeh),
		ON_POWERNV9(test_messages_are_off_in_a_reset),
		ON_POWERNV9(test_a_device_that_is_not_restored),
		ON_POWERNV9(test_no_reset_of_what_is_wanted_back),
		ON_POWERNV9(test_eeh_of_a_frozen_group),
		ON_POWERNV9(test_eeh_wants_a_group_alone),
		ON_X86(test_hosts_without_eeh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
