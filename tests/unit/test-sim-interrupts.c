/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VFIO_DEVICE_SET_IRQS of the simulated host. The answers were measured on an emulated POWER9 host
 * where the test says nothing else. */
#include "sim_device_fixture.h"

#include <fcntl.h>

#define EDU_RAISE       0x60U
#define EDU_ACKNOWLEDGE 0x64U

static void expect_irq(struct fixture *fixture, struct sim_node device, uint32_t index, int result,
		       uint32_t flags, uint32_t count)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};

	assert_int_equal(device_ioctl(fixture, device, VFIO_DEVICE_GET_IRQ_INFO, &info,
				      sizeof(info), NULL, 0),
			 result);
	assert_int_equal(info.flags, flags);
	assert_int_equal(info.count, count);
}

static void test_irqs_of_edu(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	struct vfio_irq_info info = {.argsz = 12};

	expect_irq(fixture, device, 0, 0, 0x7, 1);
	expect_irq(fixture, device, 1, 0, 0x9, 1);
	expect_irq(fixture, device, 2, 0, 0x9, 0);
	expect_irq(fixture, device, 3, -EINVAL, 0, 0);
	expect_irq(fixture, device, 4, 0, 0x9, 1);
	expect_irq(fixture, device, 5, -EINVAL, 0, 0);
	assert_int_equal(device_ioctl(fixture, device, VFIO_DEVICE_GET_IRQ_INFO, &info,
				      sizeof(info), NULL, 0),
			 -EINVAL);
	sim_node_close(device);
}

static void test_irqs_of_e1000e(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);

	expect_irq(fixture, card.device, 0, 0, 0x7, 1);
	expect_irq(fixture, card.device, 1, 0, 0x9, 1);
	expect_irq(fixture, card.device, 2, 0, 0x9, 5);
	expect_irq(fixture, card.device, 3, 0, 0x9, 1);
	expect_irq(fixture, card.device, 4, 0, 0x9, 1);
	close_all(&card);
}

static void test_arguments(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	struct vfio_irq_set set = {.argsz = 4};
	int bell = new_eventfd();

	assert_int_equal(
		device_ioctl(fixture, device, VFIO_DEVICE_SET_IRQS, &set, sizeof(set), NULL, 0),
		-EINVAL);
	/* Two eventfds are said to come, with room for none. */
	set = (struct vfio_irq_set){.argsz = sizeof(set), .flags = 0x24, .count = 1};
	assert_int_equal(
		device_ioctl(fixture, device, VFIO_DEVICE_SET_IRQS, &set, sizeof(set), NULL, 0),
		-EINVAL);
	/* There is room, but it can't be read. */
	set.argsz += 4;
	assert_int_equal(
		device_ioctl(fixture, device, VFIO_DEVICE_SET_IRQS, &set, sizeof(set), NULL, 0),
		-EFAULT);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, 9, 0, 0, NULL), -EINVAL);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, INTX, 0, 5, NULL), -EINVAL);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, INTX, 1, 0, NULL), -EINVAL);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, INTX, 0, UINT32_MAX, NULL),
			 -EINVAL);
	assert_int_equal(set_irqs(fixture, device, 0, INTX, 0, 1, NULL), -EINVAL);
	assert_int_equal(set_irqs(fixture, device, NONE | BOOLEAN | TRIGGER, INTX, 0, 1, NULL),
			 -EINVAL);
	assert_int_equal(set_irqs(fixture, device, 1U << 20 | NONE | TRIGGER, INTX, 0, 1, NULL),
			 -EINVAL);
	assert_int_equal(set_irqs(fixture, device, NONE, INTX, 0, 1, NULL), -ENOTTY);
	/* What edu lacks. */
	assert_int_equal(set_eventfd(fixture, device, MSIX, 0, bell), -EINVAL);
	assert_int_equal(set_eventfd(fixture, device, VFIO_PCI_ERR_IRQ_INDEX, 0, bell), -EINVAL);
	(void)fd_close(bell);
	sim_node_close(device);
}

static void test_intx(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	int first = new_eventfd();
	int second = new_eventfd();

	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, INTX, 0, 0, NULL), -EINVAL);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, INTX, 0, 1, NULL), -EINVAL);
	assert_int_equal(set_irqs(fixture, device, NONE | MASK, INTX, 0, 1, NULL), -EINVAL);
	assert_int_equal(set_eventfd(fixture, device, INTX, 0, first), 0);
	assert_int_equal(set_eventfd(fixture, device, INTX, 0, second), 0);
	assert_int_equal(set_irqs(fixture, device, NONE | MASK, INTX, 0, 1, NULL), 0);
	assert_int_equal(set_irqs(fixture, device, NONE | UNMASK, INTX, 0, 1, NULL), 0);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, INTX, 0, 1, NULL), 0);
	assert_int_equal(rings(first), 0);
	assert_int_equal(rings(second), 1);
	assert_int_equal(set_eventfd(fixture, device, MSI, 0, first), -EINVAL);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, INTX, 0, 0, NULL), 0);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, INTX, 0, 0, NULL), -EINVAL);
	(void)fd_close(first);
	(void)fd_close(second);
	sim_node_close(device);
}

/* vfio_pci_set_intx_trigger: -1 leaves it on, without a bell. */
static void test_intx_eventfds(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	int bell = new_eventfd();
	int no_bell = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fd = bell;

	assert_int_equal(set_eventfd(fixture, device, INTX, 0, SIM_FD_CLOSED), -EBADF);
	assert_int_equal(set_eventfd(fixture, device, INTX, 0, no_bell), -EINVAL);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, INTX, 0, 0, NULL), -EINVAL);
	assert_int_equal(set_eventfd(fixture, device, INTX, 0, -1), 0);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, INTX, 0, 1, NULL), 0);
	assert_int_equal(set_irqs(fixture, device, EVENTFD | MASK, INTX, 0, 1, &fd), -ENOTTY);
	assert_int_equal(set_eventfd(fixture, device, INTX, 0, bell), 0);
	assert_int_equal(set_eventfd(fixture, device, INTX, 0, SIM_FD_CLOSED), -EBADF);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, INTX, 0, 1, NULL), 0);
	assert_int_equal(rings(bell), 1);
	(void)fd_close(no_bell);
	(void)fd_close(bell);
	sim_node_close(device);
}

static void edu_write(struct sim_node device, uint64_t offset, uint32_t value)
{
	value = htobe32(value);
	assert_int_equal(device_write(device, offset, &value, sizeof(value)), sizeof(value));
}

static void test_intx_is_automasked(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	int bell = new_eventfd();

	assert_int_equal(set_eventfd(fixture, device, INTX, 0, bell), 0);
	edu_write(device, EDU_RAISE, 1);
	edu_write(device, EDU_RAISE, 2);
	assert_int_equal(rings(bell), 1);
	assert_int_equal(config_read(device, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT,
			 PCI_STATUS_INTERRUPT);
	/* The device still asserts it. */
	assert_int_equal(set_irqs(fixture, device, NONE | UNMASK, INTX, 0, 1, NULL), 0);
	assert_int_equal(rings(bell), 1);
	edu_write(device, EDU_ACKNOWLEDGE, 3);
	assert_int_equal(config_read(device, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, 0);
	assert_int_equal(set_irqs(fixture, device, NONE | UNMASK, INTX, 0, 1, NULL), 0);
	assert_int_equal(rings(bell), 0);
	edu_write(device, EDU_RAISE, 1);
	assert_int_equal(rings(bell), 1);
	(void)fd_close(bell);
	sim_node_close(device);
}

static void test_intx_unmask_eventfd(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	const uint64_t one = 1;
	int bell = new_eventfd();
	int unmask = new_eventfd();
	int none = -1;

	assert_int_equal(set_eventfd(fixture, device, INTX, 0, bell), 0);
	assert_int_equal(set_irqs(fixture, device, EVENTFD | UNMASK, INTX, 0, 1, &unmask), 0);
	assert_int_equal(set_irqs(fixture, device, EVENTFD | UNMASK, INTX, 0, 1, &unmask), -EBUSY);
	edu_write(device, EDU_RAISE, 1);
	assert_int_equal(rings(bell), 1);
	assert_true(sim_functions_tick(fixture->model));
	assert_int_equal(rings(bell), 0);
	assert_int_equal(write(unmask, &one, sizeof(one)), sizeof(one));
	assert_true(sim_functions_tick(fixture->model));
	assert_int_equal(rings(bell), 1);
	assert_int_equal(rings(unmask), 0);
	assert_int_equal(set_irqs(fixture, device, EVENTFD | UNMASK, INTX, 0, 1, &none), 0);
	assert_false(sim_functions_tick(fixture->model));
	(void)fd_close(bell);
	(void)fd_close(unmask);
	sim_node_close(device);
}

static void test_intx_disabled_by_the_command_register(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	int bell = new_eventfd();

	assert_int_equal(set_eventfd(fixture, device, INTX, 0, bell), 0);
	set_command(device, PCI_COMMAND_INTX_DISABLE, 0);
	edu_write(device, EDU_RAISE, 1);
	assert_int_equal(set_irqs(fixture, device, NONE | UNMASK, INTX, 0, 1, NULL), 0);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, INTX, 0, 1, NULL), 0);
	assert_int_equal(rings(bell), 0);
	set_command(device, 0, PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(rings(bell), 1);
	(void)fd_close(bell);
	sim_node_close(device);
}

static void test_msi(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	int bell = new_eventfd();

	assert_int_equal(set_eventfd(fixture, device, MSI, 0, bell), 0);
	assert_int_equal(set_eventfd(fixture, device, INTX, 0, bell), -EINVAL);
	/* A message is a write of the device's. */
	edu_write(device, EDU_RAISE, 1);
	assert_int_equal(rings(bell), 0);
	set_command(device, PCI_COMMAND_MASTER, 0);
	edu_write(device, EDU_RAISE, 1);
	edu_write(device, EDU_RAISE, 1);
	assert_int_equal(rings(bell), 2);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, MSI, 0, 1, NULL), 0);
	assert_int_equal(rings(bell), 1);
	assert_int_equal(set_irqs(fixture, device, NONE | MASK, MSI, 0, 1, NULL), -ENOTTY);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, MSI, 0, 0, NULL), 0);
	edu_write(device, EDU_RAISE, 1);
	assert_int_equal(rings(bell), 0);
	/* pci_alloc_irq_vectors of none */
	assert_int_equal(set_irqs(fixture, device, EVENTFD | TRIGGER, MSI, 0, 0, NULL), -ERANGE);
	(void)fd_close(bell);
	sim_node_close(device);
}

static void test_msix(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	int bells[2] = {new_eventfd(), new_eventfd()};

	assert_int_equal(set_irqs(fixture, card.device, EVENTFD | TRIGGER, MSIX, 0, 2, bells), 0);
	assert_int_equal(set_eventfd(fixture, card.device, MSIX, 1, -1), 0);
	assert_int_equal(set_irqs(fixture, card.device, EVENTFD | TRIGGER, MSIX, 4, 2, bells),
			 -EINVAL);
	/* Without dynamic MSI-X there are no more than those enabled together. */
	assert_int_equal(set_eventfd(fixture, card.device, MSIX, 2, bells[0]), -EINVAL);
	assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, MSIX, 0, 1, NULL), 0);
	assert_int_equal(rings(bells[0]), 1);
	assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, MSIX, 1, 1, NULL), 0);
	assert_int_equal(rings(bells[1]), 0);
	assert_int_equal(set_irqs(fixture, card.device, NONE | MASK, MSIX, 0, 1, NULL), -ENOTTY);
	assert_int_equal(set_eventfd(fixture, card.device, MSIX, 0, SIM_FD_CLOSED), -EBADF);
	/* The old one had gone before. */
	assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, MSIX, 0, 1, NULL), 0);
	assert_int_equal(rings(bells[0]), 0);
	assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, MSIX, 0, 0, NULL), 0);
	assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, MSIX, 0, 0, NULL), -EINVAL);
	(void)fd_close(bells[0]);
	(void)fd_close(bells[1]);
	close_all(&card);
}

/* vfio_msi_set_block: one that fails takes the whole block with it. */
static void test_msix_block_that_fails(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	int bell = new_eventfd();
	int fds[3] = {bell, SIM_FD_CLOSED, bell};

	assert_int_equal(set_irqs(fixture, card.device, EVENTFD | TRIGGER, MSIX, 0, 3, fds),
			 -EBADF);
	/* It wasn't on, and isn't. */
	assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, MSIX, 0, 0, NULL), -EINVAL);
	fds[1] = bell;
	assert_int_equal(set_irqs(fixture, card.device, EVENTFD | TRIGGER, MSIX, 0, 3, fds), 0);
	fds[1] = SIM_FD_CLOSED;
	assert_int_equal(set_irqs(fixture, card.device, EVENTFD | TRIGGER, MSIX, 0, 3, fds),
			 -EBADF);
	assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, MSIX, 0, 3, NULL), 0);
	/* The third was not reached. */
	assert_int_equal(rings(bell), 1);
	(void)fd_close(bell);
	close_all(&card);
}

static void test_booleans(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	int bells[2] = {new_eventfd(), new_eventfd()};
	union {
		struct vfio_irq_set set;
		uint8_t bytes[sizeof(struct vfio_irq_set) + 2];
	} some = {
		.set = {.argsz = sizeof(some),
			.flags = BOOLEAN | TRIGGER,
			.index = MSIX,
			.count = 2},
	};

	some.set.data[0] = 0;
	some.set.data[1] = 1;
	assert_int_equal(set_irqs(fixture, card.device, EVENTFD | TRIGGER, MSIX, 0, 2, bells), 0);
	assert_int_equal(device_ioctl(fixture, card.device, VFIO_DEVICE_SET_IRQS, &some,
				      sizeof(some), NULL, 0),
			 0);
	assert_int_equal(rings(bells[0]), 0);
	assert_int_equal(rings(bells[1]), 1);
	(void)fd_close(bells[0]);
	(void)fd_close(bells[1]);
	close_all(&card);
}

/* Dynamic MSI-X, where the kernel's interrupt domain can (vfio_msi_alloc_irq). */
static void test_msix_grows_on_x86(void **state)
{
	struct fixture *fixture = *state;
	int bell = new_eventfd();
	struct opened card;

	assert_int_equal(sim_host_find_device(fixture->host, "0000:02:00.0") >= 0, 1);
	card = open_all(fixture, "/dev/vfio/8", "0000:02:00.0", VFIO_TYPE1v2_IOMMU);
	expect_irq(fixture, card.device, 2, 0, 0x1, 5);
	assert_int_equal(set_eventfd(fixture, card.device, MSIX, 0, bell), 0);
	assert_int_equal(set_eventfd(fixture, card.device, MSIX, 4, bell), 0);
	assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, MSIX, 4, 1, NULL), 0);
	assert_int_equal(rings(bell), 1);
	(void)fd_close(bell);
	close_all(&card);
}

static void test_error_and_request(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	int bell = new_eventfd();

	for (uint32_t index = VFIO_PCI_ERR_IRQ_INDEX; index <= VFIO_PCI_REQ_IRQ_INDEX; index++) {
		assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, index, 0, 1, NULL),
				 -EINVAL);
		assert_int_equal(set_eventfd(fixture, card.device, index, 0, bell), 0);
		assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, index, 0, 1, NULL),
				 0);
		assert_int_equal(rings(bell), 1);
		assert_int_equal(set_irqs(fixture, card.device, NONE | MASK, index, 0, 1, NULL),
				 -ENOTTY);
		assert_int_equal(set_eventfd(fixture, card.device, index, 0, -1), 0);
		assert_int_equal(set_eventfd(fixture, card.device, index, 0, -1), 0);
		assert_int_equal(set_eventfd(fixture, card.device, index, 0, bell), 0);
		assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, index, 0, 0, NULL),
				 0);
		assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, index, 0, 0, NULL),
				 -EINVAL);
	}
	(void)fd_close(bell);
	close_all(&card);
}

/* The last close lets go of all. */
static void test_close_disables(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	int bell = new_eventfd();

	assert_int_equal(set_eventfd(fixture, card.device, MSIX, 0, bell), 0);
	assert_int_equal(set_eventfd(fixture, card.device, VFIO_PCI_REQ_IRQ_INDEX, 0, bell), 0);
	sim_node_close(card.device);
	assert_int_equal(open_device(fixture, card.group, E1000E, &card.device, NULL), 0);
	assert_int_equal(set_irqs(fixture, card.device, NONE | TRIGGER, MSIX, 0, 0, NULL), -EINVAL);
	assert_int_equal(set_eventfd(fixture, card.device, INTX, 0, bell), 0);
	assert_int_equal(
		set_irqs(fixture, card.device, NONE | TRIGGER, VFIO_PCI_REQ_IRQ_INDEX, 0, 1, NULL),
		-EINVAL);
	(void)fd_close(bell);
	close_all(&card);
}

/* A program that never reads its bell doesn't stop the host. */
static void test_full_eventfd(void **state)
{
	const uint64_t most = UINT64_MAX - 1;
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	int bell = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(set_eventfd(fixture, device, INTX, 0, bell), 0);
	assert_int_equal(write(bell, &most, sizeof(most)), sizeof(most));
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, INTX, 0, 1, NULL), 0);
	(void)fd_close(bell);
	sim_node_close(device);
}

/* eventfds that write */

static int set_write_event(struct fixture *fixture, struct sim_node device, uint64_t offset,
			   uint64_t value, uint32_t flags, int fd)
{
	struct vfio_device_ioeventfd event = {
		.argsz = sizeof(event),
		.flags = flags,
		.offset = offset,
		.data = value,
		.fd = fd < 0 ? fd : 0,
	};
	struct sim_argument_fd given = {.node = SIM_NODE_NOTHING, .fd = fd};

	return device_ioctl(fixture, device, VFIO_DEVICE_IOEVENTFD, &event, sizeof(event), &given,
			    1);
}

static void test_eventfd_that_writes(void **state)
{
	const uint64_t one = 1;
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	int bell = new_eventfd();
	uint32_t value = 0;

	assert_int_equal(set_write_event(fixture, card.device, 0x3818, 0x1234, 3, bell), -EINVAL);
	assert_int_equal(set_write_event(fixture, card.device, 0x1fffe, 0x1234, 4, bell), -EINVAL);
	assert_int_equal(set_write_event(fixture, card.device, REGION(2), 0x1234, 4, bell),
			 -EINVAL);
	assert_int_equal(set_write_event(fixture, card.device, CONFIG, 0x1234, 4, bell), -EINVAL);
	assert_int_equal(set_write_event(fixture, card.device, REGION(3) + 0x4c, 0, 8, bell),
			 -EINVAL);
	assert_int_equal(set_write_event(fixture, card.device, 0x3818, 0x1234, 4, -1), -ENODEV);
	assert_int_equal(set_write_event(fixture, card.device, 0x3818, 0x1234, 4, bell), 0);
	assert_int_equal(set_write_event(fixture, card.device, 0x3818, 0x1234, 4, bell), -EEXIST);
	assert_int_equal(write(bell, &one, sizeof(one)), sizeof(one));
	assert_true(sim_functions_tick(fixture->model));
	assert_int_equal(device_read(card.device, 0x3818, &value, 4), 4);
	assert_int_equal(le32toh(value), 0x1234);
	assert_int_equal(set_write_event(fixture, card.device, 0x3818, 0x1234, 4, -1), 0);
	assert_false(sim_functions_tick(fixture->model));
	assert_int_equal(set_write_event(fixture, card.device, 0x3818, 0x1234, 4, bell), 0);
	(void)fd_close(bell);
	close_all(&card);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL_TEST(test_irqs_of_edu),
		MODEL_TEST(test_irqs_of_e1000e),
		MODEL_TEST(test_arguments),
		MODEL_TEST(test_intx),
		MODEL_TEST(test_intx_eventfds),
		MODEL_TEST(test_intx_is_automasked),
		MODEL_TEST(test_intx_unmask_eventfd),
		MODEL_TEST(test_intx_disabled_by_the_command_register),
		MODEL_TEST(test_msi),
		MODEL_TEST(test_msix),
		MODEL_TEST(test_msix_block_that_fails),
		MODEL_TEST(test_booleans),
		MODEL_TEST(test_error_and_request),
		MODEL_TEST(test_close_disables),
		MODEL_TEST(test_full_eventfd),
		MODEL_TEST(test_eventfd_that_writes),
		cmocka_unit_test_setup_teardown(test_msix_grows_on_x86, set_up_x86, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
