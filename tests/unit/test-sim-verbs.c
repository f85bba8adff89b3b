/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verbs do, seen through the seam: a PE that freezes and is recovered, devices that come
 * and go, rules for parts of a call, dumps. Blocking calls take a tenth of their time.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

#include "sim/eeh.h"
#include "sim_fixture.h"

#define HOST         "powernv9,pace=10"
#define E1000E       "0001:01:00.0"
#define HOT_FAST     300 /* less than a tenth of what a hot reset takes */
#define GROUP_NUMBER 0U
#define E1000E_GROUP 1U

static int set_up(void **state)
{
	struct sim_fixture *fixture = calloc(1, sizeof(*fixture));
	int connection = -1;

	assert_non_null(fixture);
	assert_int_equal(sim_launch(simhost_program(), HOST, &connection, &fixture->pid), 0);
	assert_int_equal(sim_kernel_new(connection, &fixture->kernel), 0);
	assert_int_equal(sim_connection_new(fixture->kernel, &fixture->control), 0);
	*state = fixture;
	return 0;
}

static unsigned long milliseconds_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long)now.tv_sec * 1000 + (unsigned long)now.tv_nsec / 1000000;
}

/* verbs */

static int freeze(struct sim_fixture *fixture, uint32_t group, uint32_t what)
{
	assert_int_equal(sim_control_freeze(fixture->control, 1, group, what), 0);
	return (int)sim_fixture_reply(fixture, 1).code;
}

static int unplug(struct sim_fixture *fixture, const char *device)
{
	assert_int_equal(sim_control_unplug(fixture->control, 2, device), 0);
	return (int)sim_fixture_reply(fixture, 2).code;
}

/* Its user has let it go: then it goes by itself. */
static void wait_until_unplugged(struct sim_fixture *fixture, const char *device)
{
	unsigned long begin = milliseconds_now();
	int code;

	do {
		code = unplug(fixture, device);
	} while (code == ERROR_BUSY && milliseconds_now() - begin < 5000);
	assert_int_equal(code, ERROR_NOT_FOUND);
}

static int plug(struct sim_fixture *fixture, const char *device)
{
	assert_int_equal(sim_control_plug(fixture->control, 3, device), 0);
	return (int)sim_fixture_reply(fixture, 3).code;
}

static int dma_write(struct sim_fixture *fixture, const char *device, uint64_t iova)
{
	assert_int_equal(sim_control_dma_write(fixture->control, 4, device, iova, "data", 4), 0);
	return (int)sim_fixture_reply(fixture, 4).code;
}

static void add_rule(struct sim_fixture *fixture, const char *operation, struct sim_rule rule)
{
	sim_rule_name(&rule, operation);
	assert_int_equal(sim_control_add_rule(fixture->control, 5, &rule), 0);
	assert_int_equal(sim_fixture_reply(fixture, 5).code, ERROR_NONE);
}

/* calls */

static int eeh(struct kernel *kernel, int container, uint32_t operation)
{
	struct vfio_eeh_pe_op op = {.argsz = sizeof(op), .op = operation};

	return kernel_ioctl(kernel, container, VFIO_EEH_PE_OP, &op);
}

static int open_device(struct kernel *kernel, int group, const char *name)
{
	char text[32];
	int device;

	(void)snprintf(text, sizeof(text), "%s", name);
	device = kernel_ioctl(kernel, group, VFIO_GROUP_GET_DEVICE_FD, text);
	assert_true(device >= 0);
	return device;
}

/* An eventfd for the only interrupt of an index. */
static int set_irq(struct kernel *kernel, int device, uint32_t index)
{
	uint32_t argument[6] = {
		sizeof(argument),
		VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		index,
		0,
		1,
	};
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	memcpy(&argument[5], &fd, sizeof(fd));
	assert_int_equal(kernel_ioctl(kernel, device, VFIO_DEVICE_SET_IRQS, argument), 0);
	return fd;
}

static bool rings(int eventfd, int milliseconds)
{
	struct pollfd wait = {.fd = eventfd, .events = POLLIN};

	return poll(&wait, 1, milliseconds) == 1;
}

/* EEH */

/* What stands in a device's file in sysfs. */
static void expect_sysfs(struct sim_fixture *fixture, const char *device, const char *expected)
{
	char path[PATH_MAX];
	char text[64] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/eeh_pe_state",
		       fixture->kernel->sysfs_root, device);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	(void)fclose(file);
	assert_string_equal(text, expected);
}

/* H49: the caller of a reset waits, all others go on. */
struct reset {
	struct kernel *kernel;
	int container;
	int result;
	unsigned long took;
};

static void *reset_hot(void *argument)
{
	struct reset *reset = argument;
	unsigned long begin = milliseconds_now();

	reset->result = eeh(reset->kernel, reset->container, VFIO_EEH_PE_RESET_HOT);
	reset->took = milliseconds_now() - begin;
	return NULL;
}

static void test_recovery_of_a_frozen_pe(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(kernel, MIB);
	struct reset reset = {.kernel = kernel, .container = space.container};
	int device = open_device(kernel, space.group, EDU);
	unsigned long begin;
	pthread_t thread;

	assert_int_equal(sim_register(kernel, space.container, memory.bytes, MIB), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, 0, memory.bytes, MIB), 0);
	assert_int_equal(dma_write(fixture, EDU, 0), 0);
	expect_sysfs(fixture, EDU, "0x00000078 0x00000800\n");
	assert_int_equal(freeze(fixture, GROUP_NUMBER, SIM_FREEZE_BOTH), 0);
	assert_int_equal(eeh(kernel, space.container, VFIO_EEH_PE_GET_STATE),
			 VFIO_EEH_PE_STATE_STOPPED);
	expect_sysfs(fixture, EDU, "0x00000000 0x00000801\n");
	assert_int_equal(dma_write(fixture, EDU, 0), ERROR_DMA_FAULT);
	begin = milliseconds_now();
	assert_int_equal(pthread_create(&thread, NULL, reset_hot, &reset), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(
			kernel_ioctl_value(kernel, space.container, VFIO_CHECK_EXTENSION, VFIO_EEH),
			1);
	}
	assert_true(milliseconds_now() - begin < HOT_FAST);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reset.result, 0);
	assert_true(reset.took >= HOT_FAST);
	assert_int_equal(eeh(kernel, space.container, VFIO_EEH_PE_RESET_DEACTIVATE), 0);
	assert_int_equal(eeh(kernel, space.container, VFIO_EEH_PE_CONFIGURE), 0);
	assert_int_equal(eeh(kernel, space.container, VFIO_EEH_PE_GET_STATE),
			 VFIO_EEH_PE_STATE_NORMAL);
	expect_sysfs(fixture, EDU, "0x00000078 0x00000800\n");
	/* Windows and mappings are as they were. */
	memset(memory.bytes, 0, 4);
	assert_int_equal(dma_write(fixture, EDU, 0), 0);
	assert_memory_equal(memory.bytes, "data", 4);
	(void)kernel_close(kernel, device);
	sim_test_memory_done(kernel, &memory);
	sim_space_close(kernel, &space);
}

/* H45 */
static void test_closing_the_device_thaws(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	int device = open_device(kernel, space.group, EDU);

	assert_int_equal(freeze(fixture, GROUP_NUMBER, SIM_FREEZE_BOTH), 0);
	(void)kernel_close(kernel, device);
	assert_int_equal(eeh(kernel, space.container, VFIO_EEH_PE_GET_STATE),
			 VFIO_EEH_PE_STATE_NORMAL);
	sim_space_close(kernel, &space);
}

/* H46 */
static void test_nobody_is_told_of_a_freeze(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_E1000E);
	int device = open_device(kernel, space.group, E1000E);
	int uevents = kernel_open_uevents(kernel);
	int irq = set_irq(kernel, device, VFIO_PCI_ERR_IRQ_INDEX);

	assert_true(uevents >= 0);
	assert_int_equal(freeze(fixture, E1000E_GROUP, SIM_FREEZE_BOTH), 0);
	assert_int_equal(eeh(kernel, space.container, VFIO_EEH_PE_GET_STATE),
			 VFIO_EEH_PE_STATE_STOPPED);
	assert_false(rings(irq, 50));
	assert_false(rings(uevents, 0));
	(void)close(irq);
	(void)kernel_close(kernel, uevents);
	(void)kernel_close(kernel, device);
	sim_space_close(kernel, &space);
}

/* The firmware sometimes can't ("Error -6"): that is had by a rule, which changes nothing else. */
static void test_a_fundamental_reset_that_fails(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	int device = open_device(kernel, space.group, EDU);

	assert_int_equal(freeze(fixture, GROUP_NUMBER, SIM_FREEZE_DMA), 0);
	sim_fixture_fail_next(fixture, "VFIO_EEH_PE_RESET_FUNDAMENTAL", 0, EIO);
	assert_int_equal(eeh(kernel, space.container, VFIO_EEH_PE_GET_STATE),
			 VFIO_EEH_PE_STATE_STOPPED_DMA);
	assert_int_equal(eeh(kernel, space.container, VFIO_EEH_PE_RESET_FUNDAMENTAL), -EIO);
	assert_int_equal(eeh(kernel, space.container, VFIO_EEH_PE_GET_STATE),
			 VFIO_EEH_PE_STATE_STOPPED_DMA);
	assert_int_equal(eeh(kernel, space.container, VFIO_EEH_PE_RESET_FUNDAMENTAL), 0);
	assert_int_equal(eeh(kernel, space.container, VFIO_EEH_PE_RESET_DEACTIVATE), 0);
	/* By the name of the whole ioctl. */
	sim_fixture_fail_next(fixture, "VFIO_EEH_PE_OP", 1, EBUSY);
	assert_int_equal(eeh(kernel, space.container, VFIO_EEH_PE_CONFIGURE), 0);
	assert_int_equal(eeh(kernel, space.container, VFIO_EEH_PE_GET_STATE), -EBUSY);
	(void)kernel_close(kernel, device);
	sim_space_close(kernel, &space);
}

static void test_freezes_that_make_no_sense(void **state)
{
	struct sim_fixture *fixture = *state;

	assert_int_equal(freeze(fixture, 4096, SIM_FREEZE_BOTH), ERROR_NOT_FOUND);
	assert_int_equal(freeze(fixture, GROUP_NUMBER, 0), ERROR_INVALID_ARGUMENT);
	assert_int_equal(freeze(fixture, GROUP_NUMBER, 5), ERROR_INVALID_ARGUMENT);
	assert_int_equal(freeze(fixture, GROUP_NUMBER, UINT32_MAX), ERROR_INVALID_ARGUMENT);
	assert_int_equal(freeze(fixture, GROUP_NUMBER, SIM_FREEZE_PERMANENT), 0);
	assert_int_equal(freeze(fixture, GROUP_NUMBER, SIM_FREEZE_BOTH), ERROR_EEH_UNAVAILABLE);
}

/* plugging */

static void test_a_device_in_use_is_asked_back(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct sim_space other = sim_space_open(kernel, GROUP_E1000E);
	int device = open_device(kernel, space.group, EDU);
	int neighbour = open_device(kernel, other.group, E1000E);
	int irq = set_irq(kernel, device, VFIO_PCI_REQ_IRQ_INDEX);
	int other_irq = set_irq(kernel, neighbour, VFIO_PCI_REQ_IRQ_INDEX);
	struct vfio_device_info info = {.argsz = sizeof(info)};

	assert_int_equal(unplug(fixture, EDU), 0);
	assert_true(rings(irq, 5000));
	assert_int_equal(unplug(fixture, EDU), ERROR_BUSY);
	assert_int_equal(plug(fixture, EDU), ERROR_BUSY);
	/* It works up to its end; and the neighbour isn't asked. */
	assert_int_equal(kernel_ioctl(kernel, device, VFIO_DEVICE_GET_INFO, &info), 0);
	assert_false(rings(other_irq, 50));
	(void)kernel_close(kernel, device);
	wait_until_unplugged(fixture, EDU);
	assert_int_equal(dma_write(fixture, EDU, 0), ERROR_NOT_FOUND);
	assert_int_equal(kernel_ioctl(kernel, neighbour, VFIO_DEVICE_GET_INFO, &info), 0);
	assert_int_equal(eeh(kernel, other.container, VFIO_EEH_PE_GET_STATE), 0);
	sim_space_close(kernel, &space);
	assert_int_equal(plug(fixture, EDU), 0);
	assert_int_equal(plug(fixture, EDU), ERROR_BUSY);
	space = sim_space_open(kernel, GROUP_EDU);
	(void)close(irq);
	(void)close(other_irq);
	(void)kernel_close(kernel, neighbour);
	sim_space_close(kernel, &other);
	sim_space_close(kernel, &space);
}

/* rules */

static void test_rules_for_regions(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	int device = open_device(kernel, space.group, EDU);
	const uint64_t config = UINT64_C(7) << 40;
	uint16_t vendor = 0;

	add_rule(fixture, "read:7", (struct sim_rule){.errnum = EIO, .every = 2});
	add_rule(fixture, "write:7", (struct sim_rule){.errnum = EFAULT, .times = 1});
	for (int i = 0; i < 4; i++) {
		assert_int_equal(kernel_read(kernel, device, config, &vendor, sizeof(vendor)),
				 i % 2 ? -EIO : (int)sizeof(vendor));
	}
	assert_int_equal(vendor, 0x1234);
	assert_int_equal(kernel_write(kernel, device, config + 4, &vendor, 2), -EFAULT);
	assert_int_equal(kernel_write(kernel, device, config + 4, &vendor, 2), 2);
	(void)kernel_close(kernel, device);
	sim_space_close(kernel, &space);
}

/* Where read and write go on counts, and no other node. */
static void test_rules_for_regions_at_the_position(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	int device = open_device(kernel, space.group, EDU);
	uint32_t value = 0;

	add_rule(fixture, "read:0", (struct sim_rule){.errnum = EIO, .times = 1});
	assert_int_equal(kernel_read(kernel, space.group, 0, &value, sizeof(value)), -EINVAL);
	assert_int_equal(kernel_read(kernel, device, UINT64_MAX, &value, sizeof(value)), -EIO);
	assert_int_equal(kernel_read(kernel, device, UINT64_MAX, &value, sizeof(value)),
			 (int)sizeof(value));
	(void)kernel_close(kernel, device);
	sim_space_close(kernel, &space);
}

struct late_read {
	struct kernel *kernel;
	int device;
	int result;
};

static void *read_late(void *argument)
{
	struct late_read *late = argument;
	uint16_t vendor = 0;

	late->result = (int)kernel_read(late->kernel, late->device, UINT64_C(7) << 40, &vendor,
					sizeof(vendor));
	return NULL;
}

/* One that came while it waited is not the one that fails. */
static void test_what_begins_late_is_what_fails(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct late_read late = {
		.kernel = kernel,
		.device = open_device(kernel, space.group, EDU),
	};
	struct late_read next = late;
	unsigned long begin = milliseconds_now();
	pthread_t thread;

	add_rule(fixture, "read:7",
		 (struct sim_rule){.errnum = EIO, .milliseconds = 2000, .times = 1});
	assert_int_equal(pthread_create(&thread, NULL, read_late, &late), 0);
	(void)usleep(500 * 1000);
	(void)read_late(&next);
	assert_true(milliseconds_now() - begin < 1900);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(next.result, 2);
	assert_int_equal(late.result, -EIO);
	(void)kernel_close(kernel, late.device);
	sim_space_close(kernel, &space);
}

/* A call that is sent again with the memory that it needs is one call. */
static void test_a_call_is_counted_once(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = {
		.container = kernel_open_node(kernel, NODE_CONTAINER),
		.group = kernel_open_node(kernel, GROUP_EDU),
	};
	struct sim_test_memory memory = sim_test_memory_new(kernel, MIB);

	assert_int_equal(sim_join(kernel, space.group, space.container), 0);
	assert_int_equal(
		kernel_ioctl_value(kernel, space.container, VFIO_SET_IOMMU, VFIO_SPAPR_TCE_IOMMU),
		0);
	assert_int_equal(kernel_ioctl_value(kernel, space.container, VFIO_IOMMU_ENABLE, 0), 0);
	sim_fixture_fail_next(fixture, "VFIO_IOMMU_MAP_DMA", 1, ENOMEM);
	assert_int_equal(sim_map_dma(kernel, space.container, 0, memory.bytes, MIB), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, MIB, memory.bytes, MIB), -ENOMEM);
	assert_int_equal(sim_map_dma(kernel, space.container, MIB, memory.bytes, MIB), 0);
	sim_test_memory_done(kernel, &memory);
	sim_space_close(kernel, &space);
}

/* tables */

static void test_dump(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(kernel, MIB);
	struct sim_control_reply reply;

	assert_int_equal(sim_register(kernel, space.container, memory.bytes, MIB), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, 0x4000, memory.bytes, 0x3000), 0);
	assert_int_equal(
		sim_map_dma(kernel, space.container, 0x7000, memory.bytes + 0x3000, 0x1000), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, 0x9000, memory.bytes, 0x1000), 0);
	assert_int_equal(sim_control_dump(fixture->control, 6, GROUP_NUMBER, 0, 1), 0);
	reply = sim_fixture_reply(fixture, 6);
	assert_int_equal(reply.code, ERROR_NONE);
	assert_int_equal(reply.dump->window_count, 1);
	assert_int_equal(reply.dump->window[0].size, UINT64_C(1) << 31);
	assert_int_equal(reply.dump->window[0].mapped, 5);
	/* Neighbours that continue each other are one. */
	assert_int_equal(reply.dump->entry_count, 1);
	assert_int_equal(reply.dump->more, 1);
	assert_int_equal(reply.dump->entry[0].iova, 0x4000);
	assert_int_equal(reply.dump->entry[0].size, 0x4000);
	assert_int_equal(reply.dump->entry[0].ua, (uintptr_t)memory.bytes);
	assert_int_equal(reply.dump->entry[0].permissions, 3);
	sim_control_reply_done(&reply);
	assert_int_equal(sim_control_dump(fixture->control, 7, GROUP_NUMBER, 0x8000, 9), 0);
	reply = sim_fixture_reply(fixture, 7);
	assert_int_equal(reply.dump->entry_count, 1);
	assert_int_equal(reply.dump->entry[0].iova, 0x9000);
	assert_int_equal(reply.dump->more, 0);
	sim_control_reply_done(&reply);
	assert_int_equal(sim_control_dump(fixture->control, 8, E1000E_GROUP, 0, 9), 0);
	reply = sim_fixture_reply(fixture, 8);
	assert_int_equal(reply.dump->window_count, 0);
	assert_int_equal(reply.dump->entry_count, 0);
	sim_control_reply_done(&reply);
	assert_int_equal(sim_control_dump(fixture->control, 9, 4096, 0, 9), 0);
	assert_int_equal(sim_fixture_reply(fixture, 9).code, ERROR_NOT_FOUND);
	sim_test_memory_done(kernel, &memory);
	sim_space_close(kernel, &space);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, sim_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_recovery_of_a_frozen_pe),
		TEST(test_closing_the_device_thaws),
		TEST(test_nobody_is_told_of_a_freeze),
		TEST(test_a_fundamental_reset_that_fails),
		TEST(test_freezes_that_make_no_sense),
		TEST(test_a_device_in_use_is_asked_back),
		TEST(test_rules_for_regions),
		TEST(test_rules_for_regions_at_the_position),
		TEST(test_what_begins_late_is_what_fails),
		TEST(test_a_call_is_counted_once),
		TEST(test_dump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
