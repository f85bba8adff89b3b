/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on PEs by a worker: each of them, beside each other and beside everything else. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "sim/eeh.h"
#include "worker_fixture.h"

#define MIB UINT64_C(0x100000)

/* An e1000e, the device of group 1 of the simulated powernv9. */
#define DEVICE_1 "0001:01:00.0"

#define STATE_NORMAL      0
#define STATE_STOPPED     2
#define STATE_STOPPED_DMA 4

static const enum worker_pe_operation all_operations[] = {
	WORKER_PE_LOOK,
	WORKER_PE_ENABLE,
	WORKER_PE_DISABLE,
	WORKER_PE_UNFREEZE_IO,
	WORKER_PE_UNFREEZE_DMA,
	WORKER_PE_RESET_HOT,
	WORKER_PE_RESET_FUNDAMENTAL,
	WORKER_PE_DEACTIVATE,
	WORKER_PE_CONFIGURE,
	WORKER_PE_INJECT,
	WORKER_PE_SAVE,
	WORKER_PE_RESTORE,
	WORKER_PE_VERIFY,
	WORKER_PE_ISOLATE,
};

#define OPERATIONS (sizeof(all_operations) / sizeof(all_operations[0]))

/* The state of the PE of group 1 after an operation that works. */
static void expect_state(struct fixture *fixture, enum worker_pe_operation operation,
			 uint32_t number)
{
	struct worker_pe pe;
	int r = operate(fixture, 1, operation, &pe);

	if (r) {
		fail_msg("operation %d: %s", (int)operation, (const char *)last_answer.body);
	}
	assert_int_equal(pe.number, number);
	assert_int_equal(pe.reserved, 0);
}

static void expect_answer(struct fixture *fixture, uint64_t id, enum error_code code)
{
	receive_answer(fixture, &last_answer);
	assert_int_equal(last_answer.head.id, id);
	assert_int_equal(last_answer.head.code, code);
}

static uint64_t send_map(struct fixture *fixture, uint64_t iova)
{
	struct worker_map body = {.iova = iova, .gpa = 0, .size = PAGE, .prot = 3};

	return send_request(fixture, WORKER_MAP, &body, sizeof(body), NULL, 0);
}

static uint64_t send_detach(struct fixture *fixture, uint32_t group)
{
	struct worker_detach body = {.group = group};

	return send_request(fixture, WORKER_DETACH_GROUP, &body, sizeof(body), NULL, 0);
}

static int attach_shared(struct fixture *fixture, uint32_t group, uint32_t *ret_container)
{
	struct worker_attach body = {
		.group = group, .container_id = 100 + group, .flags = WORKER_ATTACH_SHARE};
	struct worker_container container;
	char node[32];
	int fds[2];
	int r;

	(void)snprintf(node, sizeof(node), "/dev/vfio/%u", group);
	fds[0] = kernel_open_node(fixture->kernel, "/dev/vfio/vfio");
	fds[1] = kernel_open_node(fixture->kernel, node);
	assert_true(fds[0] >= 0 && fds[1] >= 0);
	r = request(fixture, WORKER_ATTACH_GROUP, &body, sizeof(body), fds, 2, NULL);
	(void)kernel_close(fixture->kernel, fds[0]);
	(void)kernel_close(fixture->kernel, fds[1]);
	if (r == 0) {
		memcpy(&container, last_answer.body, sizeof(container));
		*ret_container = container.container_id;
	}
	return r;
}

static void test_each(void **state)
{
	struct worker_operate_pe inject = {.group = 1, .operation = WORKER_PE_INJECT};
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	expect_state(&fixture, WORKER_PE_LOOK, STATE_NORMAL);
	fixture_freeze(&fixture, 1, SIM_FREEZE_BOTH);
	expect_state(&fixture, WORKER_PE_LOOK, STATE_STOPPED);
	expect_state(&fixture, WORKER_PE_DISABLE, STATE_STOPPED);
	expect_state(&fixture, WORKER_PE_UNFREEZE_IO, STATE_STOPPED_DMA);
	expect_state(&fixture, WORKER_PE_UNFREEZE_DMA, STATE_NORMAL);
	fixture_freeze(&fixture, 1, SIM_FREEZE_BOTH);
	expect_state(&fixture, WORKER_PE_ENABLE, STATE_NORMAL);
	fixture_freeze(&fixture, 1, SIM_FREEZE_BOTH);
	expect_state(&fixture, WORKER_PE_RESET_HOT, STATE_STOPPED);
	expect_state(&fixture, WORKER_PE_DEACTIVATE, STATE_NORMAL);
	fixture_freeze(&fixture, 1, SIM_FREEZE_BOTH);
	expect_state(&fixture, WORKER_PE_RESET_FUNDAMENTAL, STATE_STOPPED);
	expect_state(&fixture, WORKER_PE_DEACTIVATE, STATE_NORMAL);
	expect_state(&fixture, WORKER_PE_CONFIGURE, STATE_NORMAL);
	/* The firmware of this host injects nothing. */
	assert_int_equal(
		request(&fixture, WORKER_OPERATE_PE, &inject, sizeof(inject), NULL, 0, NULL),
		ERROR_UNSUPPORTED);
	inject.error_type = 7;
	assert_int_equal(
		request(&fixture, WORKER_OPERATE_PE, &inject, sizeof(inject), NULL, 0, NULL),
		ERROR_INVALID_ARGUMENT);
	fixture_close(&fixture);
}

static void test_inject(void **state)
{
	struct worker_operate_pe inject = {
		.group = 0, .operation = WORKER_PE_INJECT, .error_function = 6, .mask = 0xfff};
	struct fixture fixture;

	(void)state;
	fixture_open_on(&fixture, "powernv8,pace=0");
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(
		request(&fixture, WORKER_OPERATE_PE, &inject, sizeof(inject), NULL, 0, NULL), 0);
	fixture_close(&fixture);
}

static uint16_t access_command(struct fixture *fixture, int fd, const uint16_t *value)
{
	struct vfio_region_info info = {.argsz = sizeof(info),
					.index = VFIO_PCI_CONFIG_REGION_INDEX};
	uint16_t command = 0;

	assert_int_equal(kernel_ioctl(fixture->kernel, fd, VFIO_DEVICE_GET_REGION_INFO, &info), 0);
	if (value) {
		assert_int_equal(kernel_write(fixture->kernel, fd, info.offset + PCI_COMMAND, value,
					      sizeof(*value)),
				 sizeof(*value));
	}
	assert_int_equal(kernel_read(fixture->kernel, fd, info.offset + PCI_COMMAND, &command,
				     sizeof(command)),
			 sizeof(command));
	return command;
}

/* What a reset takes of a device is put back, and a device that is isolated does no DMA. */
static void test_save_and_restore(void **state)
{
	const uint16_t wanted = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	struct worker_registers registers;
	struct fixture fixture;
	struct worker_pe pe;
	int fd = -1;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_SAVE, &pe), 0);
	assert_int_equal(last_answer.head.size, sizeof(pe));
	assert_int_equal(pe.devices, 0);
	assert_int_equal(open_device(&fixture, 1, DEVICE_1, -1, &fd), 0);
	assert_int_equal(access_command(&fixture, fd, &wanted) & wanted, wanted);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_SAVE, &pe), 0);
	assert_int_equal(pe.devices, 1);
	assert_int_equal(pe.silent, 0);
	assert_true(pe.nanoseconds > 0);
	assert_int_equal(last_answer.head.size, sizeof(pe) + sizeof(registers));
	memcpy(&registers, last_answer.body + sizeof(pe), sizeof(registers));
	assert_string_equal(registers.name, DEVICE_1);
	assert_int_equal(registers.config_size, WORKER_CONFIG_SIZE);
	assert_int_equal(registers.config[0], 0x86);
	expect_state(&fixture, WORKER_PE_RESET_HOT, STATE_NORMAL);
	expect_state(&fixture, WORKER_PE_DEACTIVATE, STATE_NORMAL);
	assert_int_equal(access_command(&fixture, fd, NULL) & PCI_COMMAND_MASTER, 0);
	expect_state(&fixture, WORKER_PE_RESTORE, STATE_NORMAL);
	assert_int_equal(access_command(&fixture, fd, NULL) & wanted, wanted);
	expect_state(&fixture, WORKER_PE_ISOLATE, STATE_NORMAL);
	assert_int_equal(access_command(&fixture, fd, NULL) & PCI_COMMAND_MASTER, 0);
	/* What is frozen has no registers to be saved. */
	fixture_freeze(&fixture, 1, SIM_FREEZE_BOTH);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_SAVE, &pe), 0);
	assert_int_equal(pe.silent, 1);
	memcpy(&registers, last_answer.body + sizeof(pe), sizeof(registers));
	assert_int_equal(registers.config_size, 0);
	(void)kernel_close(fixture.kernel, fd);
	fixture_close(&fixture);
}

/* The kernel's reset would wait for the device's close, and nobody could close it any more. */
static void test_no_reset_of_what_is_wanted_back(void **state)
{
	struct sim_control_reply reply = SIM_CONTROL_REPLY_NONE;
	struct fixture fixture;
	int fd = -1;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(open_device(&fixture, 1, DEVICE_1, -1, &fd), 0);
	assert_int_equal(sim_control_unplug(fixture.control, 2, DEVICE_1), 0);
	assert_int_equal(sim_control_receive(fixture.control, &reply), 0);
	assert_int_equal(reply.code, 0);
	sim_control_reply_done(&reply);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_RESET_HOT, NULL), ERROR_BUSY);
	expect_text("the kernel wants " DEVICE_1 " back");
	assert_int_equal(operate(&fixture, 1, WORKER_PE_RESET_FUNDAMENTAL, NULL), ERROR_BUSY);
	/* Nothing is asserted. */
	assert_int_equal(operate(&fixture, 1, WORKER_PE_SAVE, NULL), 0);
	expect_state(&fixture, WORKER_PE_LOOK, STATE_NORMAL);
	(void)kernel_close(fixture.kernel, fd);
	fixture_close(&fixture);
}

static void test_verify(void **state)
{
	static const char *const steps[] = {
		"VFIO_GROUP_GET_STATUS",
		"VFIO_IOMMU_SPAPR_TCE_GET_INFO",
	};
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, MIB, NULL), 0);
	assert_int_equal(map(&fixture, 0, 0, MIB, 3), 0);
	expect_state(&fixture, WORKER_PE_RESET_HOT, STATE_NORMAL);
	expect_state(&fixture, WORKER_PE_DEACTIVATE, STATE_NORMAL);
	expect_state(&fixture, WORKER_PE_VERIFY, STATE_NORMAL);
	assert_int_equal(fixture_statistics(&fixture).mapped_tces, 0x100);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		fixture_fail(&fixture, steps[i], 0, EIO);
		assert_int_equal(operate(&fixture, 1, WORKER_PE_VERIFY, NULL),
				 ERROR_RECOVERY_FAILED);
		assert_int_equal(last_answer.head.errnum, EIO);
		expect_state(&fixture, WORKER_PE_VERIFY, STATE_NORMAL);
	}
	fixture_close(&fixture);
}

/* An operation of the kernel's that fails says so, and leaves the PE to the next one. */
static void test_each_fails(void **state)
{
	static const struct {
		enum worker_pe_operation operation;
		const char *name;
	} cases[] = {
		{WORKER_PE_ENABLE, "VFIO_EEH_PE_ENABLE"},
		{WORKER_PE_DISABLE, "VFIO_EEH_PE_DISABLE"},
		{WORKER_PE_UNFREEZE_IO, "VFIO_EEH_PE_UNFREEZE_IO"},
		{WORKER_PE_UNFREEZE_DMA, "VFIO_EEH_PE_UNFREEZE_DMA"},
		{WORKER_PE_RESET_HOT, "VFIO_EEH_PE_RESET_HOT"},
		{WORKER_PE_RESET_FUNDAMENTAL, "VFIO_EEH_PE_RESET_FUNDAMENTAL"},
		{WORKER_PE_DEACTIVATE, "VFIO_EEH_PE_RESET_DEACTIVATE"},
		{WORKER_PE_CONFIGURE, "VFIO_EEH_PE_CONFIGURE"},
	};
	struct fixture fixture;
	struct worker_pe pe;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fixture_fail(&fixture, cases[i].name, 0, EIO);
		assert_int_equal(operate(&fixture, 1, cases[i].operation, NULL), ERROR_KERNEL);
		assert_int_equal(last_answer.head.errnum, EIO);
		expect_text("group 1");
		fixture_fail(&fixture, cases[i].name, 0, ENODEV);
		assert_int_equal(operate(&fixture, 1, cases[i].operation, NULL),
				 ERROR_EEH_UNAVAILABLE);
		assert_int_equal(operate(&fixture, 1, cases[i].operation, NULL), 0);
	}
	fixture_fail(&fixture, "VFIO_EEH_PE_GET_STATE", 0, EIO);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_CONFIGURE, &pe), 0);
	assert_int_equal(pe.number, WORKER_PE_NUMBER_UNKNOWN);
	expect_state(&fixture, WORKER_PE_LOOK, STATE_NORMAL);
	fixture_close(&fixture);
}

static void test_bad_requests(void **state)
{
	static const struct worker_operate_pe bad[] = {
		{.group = 1, .operation = 0},
		{.group = 1, .operation = WORKER_PE_OPERATION_COUNT},
		{.group = 1, .operation = UINT32_MAX},
		{.group = 1, .operation = WORKER_PE_LOOK, .error_type = 1},
		{.group = 1, .operation = WORKER_PE_RESET_HOT, .error_function = 1},
		{.group = 1, .operation = WORKER_PE_SAVE, .address = UINT64_C(1) << 40},
		{.group = 1, .operation = WORKER_PE_VERIFY, .mask = UINT64_C(1) << 63},
	};
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(request(&fixture, WORKER_OPERATE_PE, &bad[i], sizeof(bad[i]), NULL,
					 0, NULL),
				 ERROR_INVALID_ARGUMENT);
	}
	for (size_t i = 0; i < OPERATIONS; i++) {
		assert_int_equal(operate(&fixture, 0, all_operations[i], NULL), ERROR_NOT_FOUND);
	}
	expect_text("group 0 is not attached");
	/* None of them holds the group. */
	assert_int_equal(detach(&fixture, 1), 0);
	fixture_close(&fixture);
}

/* H42: the kernel would operate on the groups of the container one after the other, and tell the
 * state of the first that isn't normal. */
static void test_h42_several_groups(void **state)
{
	uint32_t container = 0;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach_shared(&fixture, 0, &container), 0);
	assert_int_equal(attach_shared(&fixture, 1, &container), 0);
	assert_int_equal(container, 100);
	fixture_freeze(&fixture, 0, SIM_FREEZE_BOTH);
	for (size_t i = 0; i < OPERATIONS; i++) {
		assert_int_equal(operate(&fixture, 1, all_operations[i], NULL),
				 ERROR_EEH_MANY_GROUPS);
		expect_text("group 1 shares container 100 with group 0");
	}
	assert_int_equal(detach(&fixture, 0), 0);
	expect_state(&fixture, WORKER_PE_LOOK, STATE_NORMAL);
	fixture_close(&fixture);
}

/* No group joins the container of one that is operated on. */
static void test_h42_nobody_joins(void **state)
{
	uint32_t container = 0;
	struct fixture fixture;
	uint64_t reset;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach_shared(&fixture, 0, &container), 0);
	fixture_delay(&fixture, "VFIO_EEH_PE_RESET_HOT", 1000);
	reset = send_operate(&fixture, 0, WORKER_PE_RESET_HOT);
	assert_int_equal(attach_shared(&fixture, 1, &container), 0);
	assert_int_equal(container, 101);
	expect_answer(&fixture, reset, ERROR_NONE);
	/* The reset goes on until it is deasserted, */
	fixture_fail(&fixture, "VFIO_EEH_PE_RESET_DEACTIVATE", 0, EIO);
	assert_int_equal(operate(&fixture, 0, WORKER_PE_DEACTIVATE, NULL), ERROR_KERNEL);
	/* which the firmware has refused. */
	assert_int_equal(attach_shared(&fixture, 2, &container), 0);
	assert_int_equal(container, 101);
	assert_int_equal(operate(&fixture, 0, WORKER_PE_DEACTIVATE, NULL), 0);
	assert_int_equal(detach(&fixture, 2), 0);
	assert_int_equal(detach(&fixture, 1), 0);
	assert_int_equal(attach_shared(&fixture, 2, &container), 0);
	assert_int_equal(container, 100);
	fixture_close(&fixture);
}

/* But a look, which changes nothing, is in nobody's way. What it found may be the other's. */
static void test_h42_joins_during_a_look(void **state)
{
	uint32_t container = 0;
	struct fixture fixture;
	uint64_t look;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach_shared(&fixture, 0, &container), 0);
	fixture_delay(&fixture, "VFIO_EEH_PE_GET_STATE", 1000);
	look = send_operate(&fixture, 0, WORKER_PE_LOOK);
	assert_int_equal(attach_shared(&fixture, 1, &container), 0);
	assert_int_equal(container, 100);
	expect_answer(&fixture, look, ERROR_EEH_MANY_GROUPS);
	fixture_close(&fixture);
}

/* The kernel's own flags of the PE of group 1, as its file shows them. */
static uint32_t read_kernel_flags(const struct fixture *fixture)
{
	char path[256];
	char text[64] = "";
	const char *second;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/" DEVICE_1 "/eeh_pe_state",
		       fixture->kernel->sysfs_root);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	assert_int_equal(fclose(file), 0);
	second = strchr(text, ' ');
	assert_non_null(second);
	return (uint32_t)strtoul(second, NULL, 16);
}

#define CONFIG_BLOCKED 4U /* EEH_PE_CFG_BLOCKED */

/* A reset that is not ended stays when the group goes: the next owner could not open its devices.
 * One that the firmware refuses leaves the PE so as well. */
static void test_asserted_reset_ends_with_the_group(void **state)
{
	static const int refusals[] = {0, EIO};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		fixture_open(&fixture);
		assert_int_equal(attach(&fixture, 1), 0);
		assert_int_equal(open_device(&fixture, 1, DEVICE_1, -1, NULL), 0);
		assert_int_equal(operate(&fixture, 1, WORKER_PE_RESET_HOT, NULL), 0);
		if (refusals[i]) {
			fixture_fail(&fixture, "VFIO_EEH_PE_RESET_HOT", 0, refusals[i]);
			assert_int_equal(operate(&fixture, 1, WORKER_PE_RESET_HOT, NULL),
					 ERROR_KERNEL);
		}
		assert_true(read_kernel_flags(&fixture) & CONFIG_BLOCKED);
		assert_int_equal(detach(&fixture, 1), 0);
		assert_false(read_kernel_flags(&fixture) & CONFIG_BLOCKED);
		fixture_close(&fixture);
	}
}

/* H49: a reset sleeps in the kernel for seconds. Maps, changes and other PEs' operations don't wait
 * for it, as the order of the replies tells. */
static void test_h49_beside(void **state)
{
	struct fixture fixture;
	uint64_t first;
	uint64_t second;

	(void)state;
	fixture_open(&fixture);
	for (uint32_t group = 0; group < 3; group++) {
		assert_int_equal(attach(&fixture, group), 0);
	}
	assert_int_equal(add_memory(&fixture, 0, MIB, NULL), 0);
	/* The first one takes longer than the second. */
	fixture_delay(&fixture, "VFIO_EEH_PE_RESET_FUNDAMENTAL", 2500);
	fixture_delay(&fixture, "VFIO_EEH_PE_RESET_HOT", 1200);
	first = send_operate(&fixture, 0, WORKER_PE_RESET_FUNDAMENTAL);
	second = send_operate(&fixture, 1, WORKER_PE_RESET_HOT);
	expect_answer(&fixture, send_map(&fixture, 0), ERROR_NONE);
	expect_answer(&fixture, send_operate(&fixture, 2, WORKER_PE_LOOK), ERROR_NONE);
	assert_int_equal(add_memory(&fixture, MIB, MIB, NULL), 0);
	assert_int_equal(unmap(&fixture, 0, PAGE), 0);
	expect_answer(&fixture, send_detach(&fixture, 2), ERROR_NONE);
	expect_answer(&fixture, second, ERROR_NONE);
	expect_answer(&fixture, send_map(&fixture, 0), ERROR_NONE);
	expect_answer(&fixture, first, ERROR_NONE);
	fixture_close(&fixture);
}

/* While a group is operated on: a second operation and its leaving are refused, at once. */
static void test_busy(void **state)
{
	struct fixture fixture;
	uint64_t reset;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	fixture_delay(&fixture, "VFIO_EEH_PE_RESET_HOT", 1200);
	reset = send_operate(&fixture, 0, WORKER_PE_RESET_HOT);
	for (size_t i = 0; i < OPERATIONS; i++) {
		expect_answer(&fixture, send_operate(&fixture, 0, all_operations[i]), ERROR_BUSY);
	}
	expect_text("an operation on group 0 is under way");
	expect_answer(&fixture, send_open(&fixture, 0, "0000:01:00.0", -1), ERROR_BUSY);
	expect_answer(&fixture, send_detach(&fixture, 0), ERROR_BUSY);
	expect_text("group 0 can't leave container 100");
	expect_answer(&fixture, reset, ERROR_NONE);
	assert_int_equal(operate(&fixture, 0, WORKER_PE_DEACTIVATE, NULL), 0);
	assert_int_equal(detach(&fixture, 0), 0);
	fixture_close(&fixture);
}

/* What is under way is completed and answered before the end. */
static void test_close_while_resetting(void **state)
{
	struct fixture fixture;
	uint64_t reset;
	uint64_t close_id;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	fixture_delay(&fixture, "VFIO_EEH_PE_RESET_HOT", 500);
	reset = send_operate(&fixture, 0, WORKER_PE_RESET_HOT);
	close_id = send_request(&fixture, WORKER_CLOSE, NULL, 0, NULL, 0);
	expect_answer(&fixture, send_operate(&fixture, 1, WORKER_PE_LOOK), ERROR_BUSY);
	expect_text("being closed");
	expect_answer(&fixture, reset, ERROR_NONE);
	expect_answer(&fixture, close_id, ERROR_NONE);
	assert_int_equal(fixture_wait(&fixture), 0);
	fixture_close_host(&fixture);
}

static void test_urgent_close_while_resetting(void **state)
{
	struct fixture fixture;
	uint64_t reset;
	uint64_t close_id;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	fixture_delay(&fixture, "VFIO_EEH_PE_RESET_HOT", 500);
	reset = send_operate(&fixture, 0, WORKER_PE_RESET_HOT);
	expect_answer(&fixture, send_operate(&fixture, 0, WORKER_PE_LOOK), ERROR_BUSY);
	assert_int_equal(kill(fixture.worker, WORKER_URGENT_SIGNAL), 0);
	close_id = send_request(&fixture, WORKER_CLOSE, NULL, 0, NULL, 0);
	expect_answer(&fixture, reset, ERROR_NONE);
	expect_answer(&fixture, close_id, ERROR_NONE);
	assert_int_equal(fixture_wait(&fixture), 0);
	fixture_close_host(&fixture);
}

/* The broker is gone in the middle: the operation is completed, with nobody to hear of it. */
static void test_eof_while_resetting(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(open_device(&fixture, 1, DEVICE_1, -1, NULL), 0);
	fixture_delay(&fixture, "VFIO_EEH_PE_RESET_HOT", 500);
	(void)send_operate(&fixture, 0, WORKER_PE_RESET_HOT);
	(void)send_operate(&fixture, 1, WORKER_PE_RESET_HOT);
	fixture_close(&fixture);
}

/* The worker itself is killed: the simulated host has everything back when the reset is over. */
static void test_kill_while_resetting(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	fixture_delay(&fixture, "VFIO_EEH_PE_RESET_HOT", 500);
	(void)send_operate(&fixture, 0, WORKER_PE_RESET_HOT);
	(void)usleep(50000);
	assert_int_equal(kill(fixture.worker, SIGKILL), 0);
	assert_int_equal(fixture_wait(&fixture), -SIGKILL);
	fixture_close_host(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_inject),
		cmocka_unit_test(test_save_and_restore),
		cmocka_unit_test(test_no_reset_of_what_is_wanted_back),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_each_fails),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_h42_several_groups),
		cmocka_unit_test(test_h42_nobody_joins),
		cmocka_unit_test(test_h42_joins_during_a_look),
		cmocka_unit_test(test_asserted_reset_ends_with_the_group),
		cmocka_unit_test(test_h49_beside),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_close_while_resetting),
		cmocka_unit_test(test_urgent_close_while_resetting),
		cmocka_unit_test(test_eof_while_resetting),
		cmocka_unit_test(test_kill_while_resetting),
	};

	return cmocka_run_group_tests_name("worker-pe", tests, NULL, NULL);
}
