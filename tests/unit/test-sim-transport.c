/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What travels between a process and the simulated host beyond structures: fds in them, nodes that
 * calls make, bytes of regions, uevents; and calls that take their time. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include "sim_fixture.h"

#define E1000E        "0001:01:00.0"
#define CONFIG_OFFSET (UINT64_C(7) << 40)

static int set_up_fast(void **state)
{
	struct sim_fixture *fixture = calloc(1, sizeof(*fixture));
	int connection = -1;

	assert_non_null(fixture);
	assert_int_equal(
		sim_launch(simhost_program(), "powernv9,pace=0", &connection, &fixture->pid), 0);
	assert_int_equal(sim_kernel_new(connection, &fixture->kernel), 0);
	assert_int_equal(sim_connection_new(fixture->kernel, &fixture->control), 0);
	*state = fixture;
	return 0;
}

static int open_device(struct kernel *kernel, const struct sim_space *space, const char *name)
{
	return kernel_ioctl(kernel, space->group, VFIO_GROUP_GET_DEVICE_FD,
			    (void *)(uintptr_t)name);
}

static void test_bytes_of_regions(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	int device = open_device(kernel, &space, EDU);
	uint16_t ids[2] = {0, 0};
	uint16_t command = 6;
	char byte = 0;

	assert_true(device >= 0);
	assert_true(fcntl(device, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(kernel_read(kernel, device, CONFIG_OFFSET, ids, sizeof(ids)), 4);
	assert_int_equal(ids[0], 0x1234);
	assert_int_equal(ids[1], 0x11e8);
	assert_int_equal(kernel_write(kernel, device, CONFIG_OFFSET + 4, &command, 2), 2);
	command = 0;
	assert_int_equal(kernel_read(kernel, device, CONFIG_OFFSET + 4, &command, 2), 2);
	assert_int_equal(command & 6, 6);
	assert_int_equal(kernel_read(kernel, space.container, 0, &byte, 1), -EINVAL);
	assert_int_equal(kernel_write(kernel, space.group, 0, &byte, 1), -EINVAL);
	assert_int_equal(kernel_read(kernel, fixture->control, 0, &byte, 1), -ENOTTY);
	assert_int_equal(kernel_read(kernel, -1, 0, &byte, 1), -EBADF);
	(void)kernel_close(kernel, device);
	sim_space_close(kernel, &space);
}

/* More bytes than one message carries. */
static void test_large_transfers(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_E1000E);
	int device = open_device(kernel, &space, E1000E);
	uint16_t command = 2;
	static uint8_t bytes[1 << 17];

	assert_true(device >= 0);
	assert_int_equal(kernel_write(kernel, device, CONFIG_OFFSET + 4, &command, 2), 2);
	memset(bytes, 0xee, sizeof(bytes));
	assert_int_equal(kernel_read(kernel, device, 0, bytes, sizeof(bytes)), sizeof(bytes));
	assert_true(memchr(bytes + sizeof(bytes) - 64, 0xee, 64) == NULL);
	(void)kernel_close(kernel, device);
	sim_space_close(kernel, &space);
}

static void test_regions_are_mapped(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	int device = open_device(kernel, &space, EDU);
	void *registers = NULL;

	assert_int_equal(kernel_map(kernel, device, 0, MIB, PROT_READ | PROT_WRITE, &registers), 0);
	assert_int_equal(kernel_map(kernel, device, CONFIG_OFFSET, 4096, PROT_READ, &registers),
			 -EINVAL);
	assert_int_equal(kernel_map(kernel, space.container, 0, 4096, PROT_READ, &registers),
			 -ENODEV);
	/* A kernel can't pin what isn't memory. */
	assert_int_equal(sim_register(kernel, space.container, registers, MIB), -EFAULT);
	assert_int_equal(kernel_unmap(kernel, registers, MIB), 0);
	(void)kernel_close(kernel, device);
	sim_space_close(kernel, &space);
}

/* Send count times the same eventfd, but for one field. */
static int set_interrupts(struct kernel *kernel, int device, uint32_t count, int event,
			  int32_t special)
{
	static uint8_t message[sizeof(struct vfio_irq_set) + 2048 * sizeof(int32_t)]
		__attribute__((aligned(8)));
	struct vfio_irq_set *set = (struct vfio_irq_set *)message;
	int32_t *fds = (int32_t *)(message + sizeof(*set));

	*set = (struct vfio_irq_set){
		.argsz = (uint32_t)(sizeof(*set) + count * sizeof(int32_t)),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.count = count,
	};
	for (uint32_t i = 0; i < count; i++) {
		fds[i] = event;
	}
	fds[count - 1] = special;
	return kernel_ioctl(kernel, device, VFIO_DEVICE_SET_IRQS, set);
}

static void test_fds_in_structures(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_E1000E);
	int device = open_device(kernel, &space, E1000E);
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct vfio_irq_set raise = {
		.argsz = sizeof(raise),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.count = 3,
	};
	uint64_t count = 0;

	assert_true(device >= 0);
	assert_true(event >= 0);
	assert_int_equal(set_interrupts(kernel, device, 3, event, -1), 0);
	assert_int_equal(kernel_ioctl(kernel, device, VFIO_DEVICE_SET_IRQS, &raise), 0);
	assert_int_equal(read(event, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 2);
	assert_int_equal(set_interrupts(kernel, device, 3, event, 9999), -EBADF);
	assert_int_equal(set_interrupts(kernel, device, 3, event, fixture->control), -EINVAL);
	/* More than the device has, and more than one message carries. */
	assert_int_equal(set_interrupts(kernel, device, 2048, event, event), -EINVAL);
	assert_int_equal(kernel_ioctl_value(kernel, device, VFIO_DEVICE_RESET, 0), 0);
	cleanup_fd(&event);
	(void)kernel_close(kernel, device);
	sim_space_close(kernel, &space);
}

static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct opening {
	struct kernel *kernel;
	const struct sim_space *space;
	int device;
	double ended;
};

static void *open_slowly(void *argument)
{
	struct opening *opening = argument;

	opening->device = open_device(opening->kernel, opening->space, EDU);
	opening->ended = now();
	return NULL;
}

/* Opening edu resets its bus, which takes a real host 1.8 s. */
static void test_call_that_blocks_holds_up_nobody(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct opening opening = {.kernel = kernel, .space = &space, .device = -1};
	double started = now();
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, open_slowly, &opening), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(kernel_ioctl_value(kernel, space.container, VFIO_CHECK_EXTENSION,
						    VFIO_SPAPR_TCE_v2_IOMMU),
				 1);
	}
	assert_true(now() - started < 1.0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(opening.device >= 0);
	assert_true(opening.ended - started > 1.5);
	(void)kernel_close(kernel, opening.device);
	sim_space_close(kernel, &space);
}

static bool has_uevent(int uevents, const char *action)
{
	char text[4096];
	ssize_t size;

	while ((size = recv(uevents, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
		text[size] = '\0';
		if (strncmp(text, action, strlen(action)) == 0 && strstr(text, EDU)) {
			return true;
		}
	}
	return false;
}

static void test_uevents(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	int first = kernel_open_uevents(kernel);
	int second = kernel_open_uevents(kernel);
	char path[PATH_MAX];
	char byte;

	assert_true(first >= 0 && second >= 0);
	assert_int_equal(recv(first, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/" EDU, kernel->sysfs_root);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(sim_control_unplug(fixture->control, 1, EDU), 0);
	assert_int_equal(sim_fixture_reply(fixture, 1).code, ERROR_NONE);
	/* The device is gone from sysfs when the host has answered. */
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(kernel_open_node(kernel, GROUP_EDU), -ENOENT);
	assert_true(has_uevent(first, "remove@"));
	assert_true(has_uevent(second, "remove@"));
	(void)kernel_close(kernel, second);
	assert_int_equal(sim_control_plug(fixture->control, 2, EDU), 0);
	assert_int_equal(sim_fixture_reply(fixture, 2).code, ERROR_NONE);
	assert_true(has_uevent(first, "add@/devices/"));
	assert_int_equal(access(path, F_OK), 0);
	(void)kernel_close(kernel, first);
}

/* The names that stand for /dev come and go with the nodes. */
static void test_names_of_nodes(void **state)
{
	struct sim_fixture *fixture = *state;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/vfio/0", sim_kernel_dev_root(fixture->kernel));
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(sim_control_unplug(fixture->control, 1, EDU), 0);
	assert_int_equal(sim_fixture_reply(fixture, 1).code, ERROR_NONE);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(sim_control_plug(fixture->control, 2, EDU), 0);
	assert_int_equal(sim_fixture_reply(fixture, 2).code, ERROR_NONE);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(sim_kernel_page_shift(fixture->kernel), 12);
}

static void test_locked_bytes(void **state)
{
	struct sim_fixture *fixture = *state;
	struct sim_space space = sim_space_open(fixture->kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(fixture->kernel, MIB);
	uint64_t bytes = 1;

	assert_int_equal(sim_kernel_locked(fixture->kernel, &bytes), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(sim_register(fixture->kernel, space.container, memory.bytes, MIB), 0);
	assert_int_equal(sim_kernel_locked(fixture->kernel, &bytes), 0);
	assert_int_equal(bytes, MIB);
	sim_space_close(fixture->kernel, &space);
	sim_test_memory_done(fixture->kernel, &memory);
}

/* H23: a process that executes another program is another caller to its own container. */
static void test_new_program(void **state)
{
	struct sim_fixture *fixture = *state;
	static const struct sim_kernel_options options = {.careful = true, .new_program = true};
	struct sim_space space = sim_space_open(fixture->kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(fixture->kernel, MIB);
	struct kernel *kernel = NULL;
	int connection = -1;

	assert_int_equal(sim_register(fixture->kernel, space.container, memory.bytes, MIB), 0);
	assert_int_equal(sim_connection_new(fixture->kernel, &connection), 0);
	assert_int_equal(sim_kernel_new_with(connection, &options, &kernel), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, 0, memory.bytes, MIB), -EPERM);
	assert_int_equal(sim_fixture_statistics(fixture).caller_locked_bytes, 0);
	assert_int_equal(sim_fixture_statistics(fixture).locked_bytes, MIB);
	kernel = kernel_free(kernel);
	sim_space_close(fixture->kernel, &space);
	sim_test_memory_done(fixture->kernel, &memory);
}

static void test_bad_pointers(void **state)
{
	struct sim_fixture *fixture = *state;
	static const struct sim_kernel_options options = {.careful = true};
	struct sim_space space = sim_space_open(fixture->kernel, GROUP_EDU);
	struct kernel *kernel = NULL;
	int connection = -1;
	uint8_t *pages =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *name;

	assert_int_equal(sim_connection_new(fixture->kernel, &connection), 0);
	assert_int_equal(sim_kernel_new_with(connection, &options, &kernel), 0);
	assert_int_equal(
		kernel_ioctl_value(kernel, space.container, VFIO_IOMMU_SPAPR_REGISTER_MEMORY, 8),
		-EFAULT);
	assert_int_equal(kernel_ioctl_value(kernel, space.group, VFIO_GROUP_SET_CONTAINER, 8),
			 -EFAULT);
	/* A string that ends before its page does, and one that doesn't. */
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(munmap(pages + 4096, 4096), 0);
	name = (char *)pages + 4096 - sizeof("0009:09:09.0");
	memcpy(name, "0009:09:09.0", sizeof("0009:09:09.0"));
	assert_int_equal(kernel_ioctl(kernel, space.group, VFIO_GROUP_GET_DEVICE_FD, name),
			 -ENODEV);
	name[sizeof("0009:09:09.0") - 1] = 'x';
	assert_int_equal(kernel_ioctl(kernel, space.group, VFIO_GROUP_GET_DEVICE_FD, name),
			 -EFAULT);
	/* A structure of which only the part is there that is needed. */
	memset(pages, 0, 4096);
	pages[4096 - 16] = 255;
	assert_int_equal(kernel_ioctl(kernel, space.container, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
				      pages + 4096 - 16),
			 -EFAULT);
	pages[4096 - 16] = 16;
	assert_int_equal(kernel_ioctl(kernel, space.container, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
				      pages + 4096 - 16),
			 0);
	kernel = kernel_free(kernel);
	assert_int_equal(munmap(pages, 4096), 0);
	sim_space_close(fixture->kernel, &space);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_fast, sim_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_bytes_of_regions),
		TEST(test_large_transfers),
		TEST(test_regions_are_mapped),
		TEST(test_fds_in_structures),
		cmocka_unit_test_setup_teardown(test_call_that_blocks_holds_up_nobody,
						sim_fixture_set_up, sim_fixture_tear_down),
		TEST(test_uevents),
		TEST(test_names_of_nodes),
		TEST(test_locked_bytes),
		TEST(test_new_program),
		TEST(test_bad_pointers),
	};

	return cmocka_run_group_tests_name("sim-transport", tests, NULL, NULL);
}
