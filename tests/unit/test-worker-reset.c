/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resets by a worker, and what it does not let go in the end. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <signal.h>
#include <string.h>

#include "common/cleanup.h"
#include "sim/eeh.h"
#include "worker_fixture.h"

/* Of the simulated powernv9: edu, which is reset with its bus, and an e1000e, which is
 * only reset by its power states. */
#define DEVICE_0 "0000:01:00.0"
#define DEVICE_1 "0001:01:00.0"

static const char *const all_resets[] = {"VFIO_DEVICE_RESET", "VFIO_DEVICE_PCI_HOT_RESET",
					 "VFIO_EEH_PE_OP"};

/* An operation fails from now on; VFIO_EEH_PE_OP but for the first one, which asks for the state.
 */
static void fail_for_good(struct fixture *fixture, const char *operation, uint32_t skip, int errnum)
{
	struct sim_rule rule = {.errnum = errnum, .skip = skip};
	struct sim_control_reply reply = SIM_CONTROL_REPLY_NONE;

	sim_rule_name(&rule, operation);
	assert_int_equal(sim_control_add_rule(fixture->control, 9, &rule), 0);
	assert_int_equal(sim_control_receive(fixture->control, &reply), 0);
	assert_int_equal(reply.code, ERROR_NONE);
	sim_control_reply_done(&reply);
}

static void fail_all_resets(struct fixture *fixture)
{
	for (size_t i = 0; i < sizeof(all_resets) / sizeof(*all_resets); i++) {
		fail_for_good(fixture, all_resets[i], i == 2 ? 1 : 0, EIO);
	}
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

/* Attach a group and open its device, which becomes a bus master. */
static void open_master(struct fixture *fixture, uint32_t group, const char *name, int *ret_fd)
{
	const uint16_t wanted = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	assert_int_equal(attach(fixture, group), 0);
	assert_int_equal(open_device(fixture, group, name, -1, ret_fd), 0);
	assert_int_equal(access_command(fixture, *ret_fd, &wanted) & PCI_COMMAND_MASTER,
			 PCI_COMMAND_MASTER);
}

static int reset_device(struct fixture *fixture, uint32_t group, const char *name)
{
	struct worker_device body = {.group = group};

	memcpy(body.name, name, strnlen(name, sizeof(body.name)));
	return request(fixture, WORKER_RESET_DEVICE, &body, sizeof(body), NULL, 0, NULL);
}

static int release(struct fixture *fixture, uint32_t group, uint32_t flags)
{
	struct worker_release body = {.group = group, .flags = flags};

	return request(fixture, WORKER_RELEASE_GROUP, &body, sizeof(body), NULL, 0, NULL);
}

/* Windows and mappings are as before, and the device is none to do DMA any more. */
static void test_reset_device(void **state)
{
	struct worker_translate where = {.iova = 0x1000};
	struct fixture fixture;
	int fd = -1;

	(void)state;
	fixture_open(&fixture);
	open_master(&fixture, 1, DEVICE_1, &fd);
	assert_int_equal(add_memory(&fixture, 0, 0x10000, NULL), 0);
	assert_int_equal(map(&fixture, 0x1000, 0, 0x1000, 3), 0);
	assert_int_equal(reset_device(&fixture, 1, DEVICE_1), 0);
	assert_int_equal(last_answer.head.size, 0);
	assert_int_equal(access_command(&fixture, fd, NULL) & PCI_COMMAND_MASTER, 0);
	assert_int_equal(request(&fixture, WORKER_TRANSLATE, &where, sizeof(where), NULL, 0, NULL),
			 0);
	(void)kernel_close(fixture.kernel, fd);
	fixture_close(&fixture);
}

static void test_reset_refusals(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(reset_device(&fixture, 1, DEVICE_1), ERROR_NOT_FOUND);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(reset_device(&fixture, 1, DEVICE_1), ERROR_NOT_FOUND);
	expect_text("not open");
	assert_int_equal(reset_device(&fixture, 1, "0001:01:00.0ABCD"), ERROR_INVALID_ARGUMENT);
	assert_int_equal(release(&fixture, 1, 0), ERROR_NOT_FOUND);
	assert_int_equal(release(&fixture, 1, 2), ERROR_INVALID_ARGUMENT);
	fixture_close(&fixture);
}

/* VFIO_DEVICE_RESET would say that it worked. */
static void test_reset_frozen(void **state)
{
	struct fixture fixture;
	struct worker_pe pe;
	int fd = -1;

	(void)state;
	fixture_open(&fixture);
	open_master(&fixture, 1, DEVICE_1, &fd);
	fixture_freeze(&fixture, 1, SIM_FREEZE_BOTH);
	assert_int_equal(reset_device(&fixture, 1, DEVICE_1), ERROR_FROZEN);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_LOOK, &pe), 0);
	assert_int_equal(pe.number, 2);
	(void)kernel_close(fixture.kernel, fd);
	fixture_close(&fixture);
}

/* Each way that fails is followed by the next one. */
static void test_other_ways(void **state)
{
	struct fixture fixture;
	int fd = -1;

	(void)state;
	fixture_open(&fixture);
	open_master(&fixture, 1, DEVICE_1, &fd);
	for (size_t i = 0; i < 2; i++) {
		fail_for_good(&fixture, all_resets[i], 0, EIO);
		assert_int_equal(reset_device(&fixture, 1, DEVICE_1), 0);
	}
	/* The bus, and then the PE. */
	fail_for_good(&fixture, all_resets[2], 1, EIO);
	assert_int_equal(reset_device(&fixture, 1, DEVICE_1), ERROR_KERNEL);
	expect_text("reset the bus of device " DEVICE_1);
	expect_text("reset device " DEVICE_1);
	expect_text("reset the PE of group 1: the firmware refuses it");
	assert_true(fixture_take_back(&fixture));
	/* Nor could the reset be ended. */
	assert_int_equal(reset_device(&fixture, 1, DEVICE_1), ERROR_BUSY);
	expect_text("is asserted");
	assert_int_equal(operate(&fixture, 1, WORKER_PE_DEACTIVATE, NULL), 0);
	assert_int_equal(reset_device(&fixture, 1, DEVICE_1), 0);
	(void)kernel_close(fixture.kernel, fd);
	fixture_close(&fixture);
}

static void test_reset_space(void **state)
{
	struct worker_reset resets[2];
	struct fixture fixture;
	int fds[2] = {-1, -1};

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(request(&fixture, WORKER_RESET_SPACE, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(last_answer.head.size, 0);
	open_master(&fixture, 0, DEVICE_0, &fds[0]);
	open_master(&fixture, 1, DEVICE_1, &fds[1]);
	assert_int_equal(request(&fixture, WORKER_RESET_SPACE, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(last_answer.head.size, sizeof(resets));
	memcpy(resets, last_answer.body, sizeof(resets));
	/* The e1000e has only a reset by its power states, and goes with its bus, first. */
	assert_string_equal(resets[0].name, DEVICE_1);
	assert_int_equal(resets[0].way, WORKER_RESET_BUS);
	assert_string_equal(resets[1].name, DEVICE_0);
	assert_int_equal(resets[1].way, WORKER_RESET_FUNCTION);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(resets[i].errnum, 0);
		assert_int_equal(access_command(&fixture, fds[i], NULL) & PCI_COMMAND_MASTER, 0);
	}
	/* One that fails doesn't keep the other one from being reset. */
	fixture_freeze(&fixture, 0, SIM_FREEZE_BOTH);
	assert_int_equal(request(&fixture, WORKER_RESET_SPACE, NULL, 0, NULL, 0, NULL), 0);
	memcpy(resets, last_answer.body, sizeof(resets));
	assert_int_equal(resets[0].way, WORKER_RESET_BUS);
	assert_int_equal(resets[1].way, WORKER_RESET_FAILED);
	assert_non_null(strstr(resets[1].why, "recover it"));
	(void)kernel_close(fixture.kernel, fds[0]);
	(void)kernel_close(fixture.kernel, fds[1]);
	fixture_close(&fixture);
}

/* While something takes long with a group, it isn't reset; and the reverse. */
static void test_reset_meets_another_job(void **state)
{
	struct fixture fixture;
	uint64_t id;
	int fd = -1;

	(void)state;
	fixture_open(&fixture);
	open_master(&fixture, 1, DEVICE_1, &fd);
	fixture_delay(&fixture, "VFIO_EEH_PE_OP", 200);
	id = send_operate(&fixture, 1, WORKER_PE_LOOK);
	assert_int_equal(request(&fixture, WORKER_RESET_SPACE, NULL, 0, NULL, 0, NULL), ERROR_BUSY);
	assert_int_equal(reset_device(&fixture, 1, DEVICE_1), ERROR_BUSY);
	receive_answer(&fixture, &last_answer);
	assert_int_equal(last_answer.head.id, id);
	fixture_delay(&fixture, "VFIO_DEVICE_PCI_HOT_RESET", 200);
	id = send_request(&fixture, WORKER_RESET_SPACE, NULL, 0, NULL, 0);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_LOOK, NULL), ERROR_BUSY);
	receive_answer(&fixture, &last_answer);
	assert_int_equal(last_answer.head.id, id);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_LOOK, NULL), 0);
	(void)kernel_close(fixture.kernel, fd);
	fixture_close(&fixture);
}

/* A group that comes while the others are reset is not let go with them: a space with a group that
 * counts as held could not be closed any more. */
static void test_reset_meets_attach(void **state)
{
	struct fixture fixture;
	uint64_t reset;
	int fd = -1;

	(void)state;
	fixture_open(&fixture);
	open_master(&fixture, 1, DEVICE_1, &fd);
	(void)kernel_close(fixture.kernel, fd);
	fixture_delay(&fixture, "VFIO_DEVICE_PCI_HOT_RESET", 300);
	reset = send_request(&fixture, WORKER_RESET_SPACE, NULL, 0, NULL, 0);
	assert_int_equal(attach(&fixture, 0), 0);
	receive_answer(&fixture, &last_answer);
	assert_int_equal(last_answer.head.id, reset);
	assert_int_equal(last_answer.head.code, 0);
	fixture_close(&fixture);
}

/* H40: a group whose device is not stopped is not let go. */
static void test_h40_detach(void **state)
{
	struct fixture fixture;
	int fd = -1;

	(void)state;
	fixture_open(&fixture);
	open_master(&fixture, 1, DEVICE_1, &fd);
	(void)kernel_close(fixture.kernel, fd);
	fail_all_resets(&fixture);
	assert_int_equal(detach(&fixture, 1), ERROR_QUARANTINED);
	expect_text(DEVICE_1);
	assert_int_equal(fixture_statistics(&fixture).attached_groups, 1);
	assert_int_equal(fixture_statistics(&fixture).open_devices, 1);
	assert_true(fixture_take_back(&fixture));
	assert_int_equal(detach(&fixture, 1), 0);
	fixture_close(&fixture);
}

/* The close of a frozen PE's device would thaw it: it is reset before, or kept as it is. */
static void test_h40_frozen(void **state)
{
	struct fixture fixture;
	struct worker_pe pe;
	int fd = -1;

	(void)state;
	fixture_open(&fixture);
	open_master(&fixture, 1, DEVICE_1, &fd);
	fixture_freeze(&fixture, 1, SIM_FREEZE_BOTH);
	fail_for_good(&fixture, "VFIO_EEH_PE_OP", 1, EIO);
	assert_int_equal(detach(&fixture, 1), ERROR_QUARANTINED);
	expect_text("reset the PE of group 1");
	assert_true(fixture_take_back(&fixture));
	assert_int_equal(operate(&fixture, 1, WORKER_PE_LOOK, &pe), 0);
	assert_int_equal(pe.number, 2);
	(void)kernel_close(fixture.kernel, fd);
	assert_int_equal(detach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(operate(&fixture, 1, WORKER_PE_LOOK, &pe), 0);
	assert_int_equal(pe.number, 0);
	fixture_close(&fixture);
}

/* Close a space with groups 0 and 1, of which 1 can't be stopped. */
static void close_and_keep(struct fixture *fixture)
{
	struct worker_kept kept;
	int fds[2] = {-1, -1};

	open_master(fixture, 0, DEVICE_0, &fds[0]);
	assert_int_equal(add_memory(fixture, 0, 0x10000, NULL), 0);
	assert_int_equal(map(fixture, 0x1000, 0, 0x1000, 3), 0);
	open_master(fixture, 1, DEVICE_1, &fds[1]);
	/* Group 0 has no device open that could fail. */
	(void)kernel_close(fixture->kernel, fds[0]);
	assert_int_equal(detach(fixture, 0), 0);
	assert_int_equal(attach(fixture, 0), 0);
	(void)kernel_close(fixture->kernel, fds[1]);
	fail_all_resets(fixture);
	assert_int_equal(request(fixture, WORKER_CLOSE, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(last_answer.head.size, sizeof(kept));
	memcpy(&kept, last_answer.body, sizeof(kept));
	assert_int_equal(kept.group, 1);
	assert_string_equal(kept.name, DEVICE_1);
	assert_non_null(strstr(kept.why, "EIO"));
}

static void expect_only_kept(struct fixture *fixture)
{
	struct sim_statistics now = fixture_statistics(fixture);

	assert_int_equal(now.attached_groups, 1);
	assert_int_equal(now.open_devices, 1);
	assert_int_equal(now.mapped_tces, 0);
	assert_int_equal(now.pinned_bytes, 0);
	assert_int_equal(now.windows, 0);
}

static void test_h40_close_keeps(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	close_and_keep(&fixture);
	expect_only_kept(&fixture);
	/* Nothing else is served. */
	assert_int_equal(request(&fixture, WORKER_DESCRIBE, NULL, 0, NULL, 0, NULL), ERROR_BUSY);
	assert_int_equal(request(&fixture, WORKER_RESET_SPACE, NULL, 0, NULL, 0, NULL), ERROR_BUSY);
	assert_int_equal(release(&fixture, 0, 0), ERROR_NOT_FOUND);
	assert_int_equal(release(&fixture, 1, 0), ERROR_QUARANTINED);
	expect_text(DEVICE_1);
	expect_only_kept(&fixture);
	assert_true(fixture_take_back(&fixture));
	assert_int_equal(release(&fixture, 1, 0), 0);
	assert_int_equal(fixture_wait(&fixture), 0);
	fixture_close_host(&fixture);
}

static void test_release_anyway(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	close_and_keep(&fixture);
	assert_int_equal(release(&fixture, 1, WORKER_RELEASE_ANYWAY), 0);
	assert_int_equal(fixture_wait(&fixture), 0);
	fixture_close_host(&fixture);
}

/* A keeper whose broker ends tries for a while, and ends then. */
static void test_orphan_gives_up(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	close_and_keep(&fixture);
	fixture_close(&fixture);
}

/* An orphan that had no time to say what it keeps. It has the group until its device stops. */
static void test_orphan_stops_in_the_end(void **state)
{
	struct fixture fixture;
	int fd = -1;

	(void)state;
	fixture_open(&fixture);
	open_master(&fixture, 1, DEVICE_1, &fd);
	(void)kernel_close(fixture.kernel, fd);
	fail_all_resets(&fixture);
	fixture.socket = fd_close(fixture.socket);
	for (int i = 0; i < 50 && fixture_statistics(&fixture).windows > 0; i++) {
		(void)usleep(10000);
	}
	expect_only_kept(&fixture);
	assert_true(fixture_take_back(&fixture));
	assert_int_equal(fixture_wait(&fixture), 0);
	fixture_close_host(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset_device),
		cmocka_unit_test(test_reset_refusals),
		cmocka_unit_test(test_reset_frozen),
		cmocka_unit_test(test_other_ways),
		cmocka_unit_test(test_reset_space),
		cmocka_unit_test(test_reset_meets_another_job),
		cmocka_unit_test(test_reset_meets_attach),
		cmocka_unit_test(test_h40_detach),
		cmocka_unit_test(test_h40_frozen),
		cmocka_unit_test(test_h40_close_keeps),
		cmocka_unit_test(test_release_anyway),
		cmocka_unit_test(test_orphan_gives_up),
		cmocka_unit_test(test_orphan_stops_in_the_end),
	};

	return cmocka_run_group_tests_name("worker-reset", tests, NULL, NULL);
}
