/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening and closing a device, its config space, and the group's part in it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/kernel.h"
#include "unit.h"
#include "vfio/device.h"
#include "vfio/group.h"

#define GROUP_FD      1007
#define DEVICE_FD     1020
#define CONTAINER_FD  1008
#define CONFIG_OFFSET (UINT64_C(7) << 40)
#define CONFIG_SIZE   4096

/* What the kernel answers, and what became of it. */
struct host {
	struct kernel kernel;
	int open; /* the result; 0: an fd */
	int info; /* likewise */
	uint32_t flags;
	int region;
	uint64_t config_size;
	int irq_info;
	uint32_t irq_count;
	int set_irqs;
	int unset;
	int event; /* that was set */
	int set_request;
	int request_event;
	unsigned int opened;
	unsigned int closed;
	unsigned int closed_before_unset;
	int deactivate; /* the result of ending a reset */
	unsigned int deactivated;
	unsigned int closed_before_deactivate;
	ssize_t moves; /* at most so many bytes at a time, or -errno; 0: all */
	unsigned char config[CONFIG_SIZE];
	unsigned int writes;
};

static int answer_info(const struct host *host, struct vfio_device_info *info)
{
	assert_int_equal(info->argsz, sizeof(*info));
	info->flags = host->flags;
	info->num_regions = VFIO_PCI_NUM_REGIONS;
	info->num_irqs = VFIO_PCI_NUM_IRQS;
	return host->info;
}

/* There is config space and nothing else. */
static int answer_region(const struct host *host, struct vfio_region_info *info)
{
	assert_int_equal(info->argsz, sizeof(*info));
	assert_in_range(info->index, 0, VFIO_PCI_NUM_REGIONS - 1);
	if (info->index != VFIO_PCI_CONFIG_REGION_INDEX) {
		return -EINVAL;
	}
	info->offset = CONFIG_OFFSET;
	info->size = host->config_size;
	return host->region;
}

static int answer_irq(const struct host *host, struct vfio_irq_info *info)
{
	assert_in_range(info->index, 0, VFIO_PCI_NUM_IRQS - 1);
	info->flags = VFIO_IRQ_INFO_EVENTFD;
	info->count = info->index < VFIO_PCI_ERR_IRQ_INDEX ? 0 : host->irq_count;
	return host->irq_info;
}

static int answer_set_irqs(struct host *host, const struct vfio_irq_set *set)
{
	assert_int_equal(set->argsz, sizeof(*set) + sizeof(int32_t));
	assert_int_equal(set->flags, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER);
	assert_int_equal(set->start, 0);
	assert_int_equal(set->count, 1);
	if (set->index == VFIO_PCI_REQ_IRQ_INDEX) {
		memcpy(&host->request_event, set->data, sizeof(host->request_event));
		return host->set_request;
	}
	assert_int_equal(set->index, VFIO_PCI_ERR_IRQ_INDEX);
	memcpy(&host->event, set->data, sizeof(host->event));
	return host->set_irqs;
}

static int host_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct host *host = (struct host *)kernel;

	switch (request) {
	case VFIO_GROUP_GET_DEVICE_FD:
		assert_int_equal(fd, GROUP_FD);
		assert_string_equal(argument, "0001:01:00.0");
		if (host->open < 0) {
			return host->open;
		}
		return DEVICE_FD + (int)host->opened++;
	case VFIO_DEVICE_GET_INFO:
		return answer_info(host, argument);
	case VFIO_DEVICE_GET_REGION_INFO:
		return answer_region(host, argument);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return answer_irq(host, argument);
	case VFIO_DEVICE_SET_IRQS:
		return answer_set_irqs(host, argument);
	case VFIO_EEH_PE_OP:
		assert_int_equal(fd, CONTAINER_FD);
		assert_int_equal(((struct vfio_eeh_pe_op *)argument)->op,
				 VFIO_EEH_PE_RESET_DEACTIVATE);
		host->deactivated++;
		host->closed_before_deactivate = host->closed;
		return host->deactivate;
	case VFIO_GROUP_UNSET_CONTAINER:
		host->closed_before_unset = host->closed;
		return host->unset;
	default:
		fail();
		return -ENOTTY;
	}
}

static size_t cut(const struct host *host, size_t size)
{
	return host->moves > 0 && (size_t)host->moves < size ? (size_t)host->moves : size;
}

static ssize_t host_read(struct kernel *kernel, int fd, uint64_t offset, void *data, size_t size)
{
	const struct host *host = (const struct host *)kernel;

	assert_true(fd >= DEVICE_FD);
	assert_true(offset >= CONFIG_OFFSET && offset - CONFIG_OFFSET + size <= CONFIG_SIZE);
	if (host->moves < 0) {
		return host->moves;
	}
	memcpy(data, host->config + (offset - CONFIG_OFFSET), cut(host, size));
	return (ssize_t)cut(host, size);
}

static ssize_t host_write(struct kernel *kernel, int fd, uint64_t offset, const void *data,
			  size_t size)
{
	struct host *host = (struct host *)kernel;

	assert_true(fd >= DEVICE_FD);
	assert_true(offset >= CONFIG_OFFSET && offset - CONFIG_OFFSET + size <= CONFIG_SIZE);
	host->writes++;
	if (host->moves < 0) {
		return host->moves;
	}
	memcpy(host->config + (offset - CONFIG_OFFSET), data, cut(host, size));
	return (ssize_t)cut(host, size);
}

static void host_close(struct kernel *kernel, int fd)
{
	if (fd != GROUP_FD) {
		((struct host *)kernel)->closed++;
	}
}

static struct host make_host(void)
{
	static const struct kernel_operations operations = {
		.ioctl = host_ioctl,
		.read = host_read,
		.write = host_write,
		.close = host_close,
	};

	return (struct host){
		.kernel = {.operations = &operations},
		.config_size = CONFIG_SIZE,
		.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
		.irq_count = 1,
		.event = -1,
		.request_event = -1,
		.config = {0x86, 0x80, 0xd3, 0x10, 0x06, 0x04},
	};
}

static int open_on(struct host *host, int event, struct device **ret_device, struct error *error)
{
	const struct device_events events = {.error = event, .request = -1};

	return device_open(&host->kernel, GROUP_FD, "0001:01:00.0", events, ret_device, error);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int make_event(void)
{
	int event = eventfd(0, EFD_CLOEXEC);

	assert_true(event >= 0);
	return event;
}

static void test_open(void **state)
{
	struct host host = make_host();
	struct device *device = NULL;
	int event = make_event();

	(void)state;
	assert_int_equal(open_on(&host, event, &device, NULL), 0);
	assert_string_equal(device->name, "0001:01:00.0");
	assert_int_equal(device->fd, DEVICE_FD);
	assert_int_equal(device->config_offset, CONFIG_OFFSET);
	assert_int_equal(device->config_size, CONFIG_SIZE);
	assert_int_equal(host.event, event);
	assert_null(device->snapshot);
	assert_true(is_open(event));
	assert_null(device_close(device));
	assert_false(is_open(event));
	assert_int_equal(host.closed, 1);
	assert_null(device_close(NULL));
}

/* A plain PCI device has no error interrupt, and a caller may not want it. */
static void test_without_interrupt(void **state)
{
	struct host host = make_host();
	struct device *device = NULL;

	(void)state;
	host.irq_info = -EINVAL;
	host.set_irqs = -EIO;
	assert_int_equal(open_on(&host, make_event(), &device, NULL), 0);
	device = device_close(device);
	host.irq_info = 0;
	host.irq_count = 0;
	assert_int_equal(open_on(&host, make_event(), &device, NULL), 0);
	device = device_close(device);
	host.irq_count = 1;
	assert_int_equal(open_on(&host, -1, &device, NULL), 0);
	assert_int_equal(host.event, -1);
	device = device_close(device);
	assert_int_equal(host.closed, 3);
}

static void expect_words(const struct error *error, const char *words)
{
	if (!strstr(error->text, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, error->text);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		int errnum;
		enum error_code code;
		const char *words;
	} cases[] = {
		{ENODEV, ERROR_NOT_FOUND, "no such device"},
		{EBUSY, ERROR_GROUP_BUSY, "somebody else"},
		{EPERM, ERROR_GROUP_BUSY, "another owner"},
		{EINVAL, ERROR_KERNEL, "in a container"},
		{EIO, ERROR_KERNEL, "EIO"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct host host = make_host();
		struct device *device = NULL;
		struct error error = {.text = ""};
		int event = make_event();

		host.open = -cases[i].errnum;
		assert_int_equal(open_on(&host, event, &device, &error), cases[i].code);
		expect_words(&error, cases[i].words);
		expect_words(&error, "open device 0001:01:00.0");
		assert_null(device);
		assert_int_equal(host.opened, 0);
		assert_int_equal(host.closed, 0);
		assert_false(is_open(event));
	}
}

/* What follows the opening and fails closes the device again. */
static void test_later_refusals(void **state)
{
	static const struct {
		uint64_t size;
		int info;
		int region;
		int irq_info;
		int set_irqs;
		int set_request;
		enum error_code code;
		const char *words;
	} cases[] = {
		{CONFIG_SIZE, -EIO, 0, 0, 0, 0, ERROR_KERNEL, "ask what device 0001:01:00.0 is"},
		{CONFIG_SIZE, -ENODEV, 0, 0, 0, 0, ERROR_NOT_FOUND, "gone"},
		{CONFIG_SIZE, 0, -EIO, 0, 0, 0, ERROR_KERNEL, "ask for region 7"},
		{CONFIG_SIZE, 0, -ENODEV, 0, 0, 0, ERROR_NOT_FOUND, "gone"},
		{CONFIG_SIZE, 0, 1, 0, 0, 0, ERROR_KERNEL, "positive result 1"},
		{CONFIG_SIZE, 0, -EINVAL, 0, 0, 0, ERROR_UNSUPPORTED, "0x0 bytes of config"},
		{0x20, 0, 0, 0, 0, 0, ERROR_UNSUPPORTED, "0x20 bytes of config space"},
		{CONFIG_SIZE, 0, 0, -EIO, 0, 0, ERROR_KERNEL, "ask for interrupts 0"},
		{CONFIG_SIZE, 0, 0, 0, -EINVAL, 0, ERROR_INVALID_ARGUMENT, "no eventfd"},
		{CONFIG_SIZE, 0, 0, 0, -EBADF, 0, ERROR_INVALID_ARGUMENT, "no eventfd"},
		{CONFIG_SIZE, 0, 0, 0, -ENODEV, 0, ERROR_NOT_FOUND, "gone"},
		{CONFIG_SIZE, 0, 0, 0, -ENOMEM, 0, ERROR_KERNEL, "ENOMEM"},
		{CONFIG_SIZE, 0, 0, 0, 3, 0, ERROR_KERNEL, "positive result 3"},
		{CONFIG_SIZE, 0, 0, 0, 0, -EIO, ERROR_KERNEL, "of kind 4 (REQ)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct host host = make_host();
		struct device *device = NULL;
		struct error error = {.text = ""};
		struct device_events events = {.error = make_event(), .request = make_event()};

		host.info = cases[i].info;
		host.region = cases[i].region;
		host.irq_info = cases[i].irq_info;
		host.set_irqs = cases[i].set_irqs;
		host.set_request = cases[i].set_request;
		host.config_size = cases[i].size;
		assert_int_equal(device_open(&host.kernel, GROUP_FD, "0001:01:00.0", events,
					     &device, &error),
				 cases[i].code);
		expect_words(&error, cases[i].words);
		assert_null(device);
		assert_int_equal(host.opened, 1);
		assert_int_equal(host.closed, 1);
		assert_false(is_open(events.error));
		assert_false(is_open(events.request));
	}
}

/* The device's fd is one of VFIO's, but not of PCI. */
static void test_no_pci_device(void **state)
{
	struct host host = make_host();
	struct device *device = NULL;
	struct error error;

	(void)state;
	host.flags = VFIO_DEVICE_FLAGS_PLATFORM;
	assert_int_equal(open_on(&host, -1, &device, &error), ERROR_UNSUPPORTED);
	expect_words(&error, "no PCI device (flags 0x4)");
	assert_int_equal(host.closed, 1);
}

static void test_reset_works(void **state)
{
	struct host host = make_host();
	struct device *device = NULL;

	(void)state;
	assert_int_equal(open_on(&host, -1, &device, NULL), 0);
	assert_true(device_reset_works(device));
	device = device_close(device);
	host.flags = VFIO_DEVICE_FLAGS_PCI;
	assert_int_equal(open_on(&host, -1, &device, NULL), 0);
	assert_false(device_reset_works(device));
	assert_null(device_close(device));
}

/* The kernel wants devices back by an interrupt of its own. */
static void test_request_event(void **state)
{
	struct device_events events = {.error = -1, .request = make_event()};
	struct host host = make_host();
	struct device *device = NULL;

	(void)state;
	assert_int_equal(device_open(&host.kernel, GROUP_FD, "0001:01:00.0", events, &device, NULL),
			 0);
	assert_int_equal(host.request_event, events.request);
	assert_int_equal(host.event, -1);
	assert_true(is_open(events.request));
	assert_null(device_close(device));
	assert_false(is_open(events.request));
}

static void test_config(void **state)
{
	static const unsigned char bytes[] = {1, 2, 3, 4};
	struct host host = make_host();
	struct device *device = NULL;
	unsigned char back[4] = "";

	(void)state;
	assert_int_equal(open_on(&host, -1, &device, NULL), 0);
	assert_int_equal(device_write_config(device, 0x40, bytes, 4), 0);
	assert_int_equal(device_read_config(device, 0x40, back, 4), 0);
	assert_memory_equal(back, bytes, 4);
	assert_int_equal(device_read_config(device, CONFIG_SIZE - 4, back, 4), 0);
	/* Past its end lies another region. */
	assert_int_equal(device_read_config(device, CONFIG_SIZE - 3, back, 4), -EINVAL);
	assert_int_equal(device_write_config(device, CONFIG_SIZE - 3, bytes, 4), -EINVAL);
	assert_int_equal(device_read_config(device, UINT64_MAX, back, 4), -EINVAL);
	host.moves = 2;
	assert_int_equal(device_read_config(device, 0x40, back, 4), -EIO);
	assert_int_equal(device_write_config(device, 0x40, bytes, 4), -EIO);
	host.moves = -ENXIO;
	assert_int_equal(device_read_config(device, 0x40, back, 4), -ENXIO);
	assert_int_equal(device_write_config(device, 0x40, bytes, 4), -ENXIO);
	assert_null(device_close(device));
}

static void test_answers(void **state)
{
	struct host host = make_host();
	struct device *device = NULL;

	(void)state;
	assert_int_equal(open_on(&host, -1, &device, NULL), 0);
	assert_true(device_answers(device));
	/* The ids are vfio-pci's own, so that they never answer otherwise. */
	memset(host.config, 0xff, 4);
	assert_true(device_answers(device));
	memset(host.config + PCI_CLASS_REVISION, 0xff, 3);
	assert_true(device_answers(device));
	host = make_host();
	memset(host.config + PCI_CLASS_REVISION, 0xff, 4);
	assert_false(device_answers(device));
	host = make_host();
	host.moves = -EIO;
	assert_false(device_answers(device));
	assert_null(device_close(device));
}

/* A device stops to be a bus master, and only one that was becomes one again. */
static void test_h16_quiesce(void **state)
{
	struct host host = make_host();
	struct device *device = NULL;

	(void)state;
	assert_int_equal(open_on(&host, -1, &device, NULL), 0);
	device_quiesce(device);
	assert_int_equal(host.config[PCI_COMMAND], PCI_COMMAND_MEMORY);
	assert_int_equal(host.config[PCI_COMMAND + 1], 4);
	device_go_on(device);
	assert_int_equal(host.config[PCI_COMMAND], PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	device_go_on(device);
	assert_int_equal(host.writes, 2);
	host.config[PCI_COMMAND] = PCI_COMMAND_MEMORY;
	device_quiesce(device);
	device_go_on(device);
	assert_int_equal(host.config[PCI_COMMAND], PCI_COMMAND_MEMORY);
	/* One that doesn't answer is left alone. */
	memset(host.config, 0xff, PCI_CLASS_REVISION + 4);
	device_quiesce(device);
	device_go_on(device);
	assert_int_equal(host.writes, 2);
	assert_null(device_close(device));
}

static unsigned int freed;

static struct snapshot *free_snapshot(struct snapshot *snapshot)
{
	freed += snapshot != NULL;
	return NULL;
}

static void add_device(struct host *host, struct group *group)
{
	struct device *device = NULL;

	assert_int_equal(open_on(host, -1, &device, NULL), 0);
	device->next = group->devices;
	device->snapshot = (struct snapshot *)host;
	device->free_snapshot = free_snapshot;
	group->devices = device;
}

/* H24: the kernel keeps a group in its container as long as a device of it is open. */
static void test_h24_devices_are_closed_first(void **state)
{
	struct host host = make_host();
	struct group group = {
		.kernel = &host.kernel, .number = 7, .fd = GROUP_FD, .attached = true};

	(void)state;
	freed = 0;
	add_device(&host, &group);
	add_device(&host, &group);
	assert_ptr_equal(group_find_device(&group, "0001:01:00.0"), group.devices);
	assert_null(group_find_device(&group, "0001:01:00.1"));
	assert_null(group_find_device(&group, ""));
	assert_int_equal(group_detach(&group, NULL), 0);
	assert_int_equal(host.closed_before_unset, 2);
	assert_int_equal(freed, 2);
	assert_null(group.devices);
	assert_null(group_find_device(&group, "0001:01:00.0"));
	assert_false(group.attached);
	group_done(&group);
}

/* What another program has open doesn't keep ours open. */
static void test_done_closes_devices(void **state)
{
	struct host host = make_host();
	struct group group = {
		.kernel = &host.kernel, .number = 7, .fd = GROUP_FD, .attached = true};
	struct error error;

	(void)state;
	host.unset = -EBUSY;
	add_device(&host, &group);
	assert_int_equal(group_detach(&group, &error), ERROR_BUSY);
	assert_non_null(strstr(error.text, "another program has a device"));
	assert_true(group.attached);
	assert_int_equal(host.closed, 1);
	add_device(&host, &group);
	group_done(&group);
	assert_int_equal(host.closed, 2);
}

/* A device that is closed while its PE's reset is asserted has no BARs, where the kernel writes
 * when it switches MSI-X off; and who opens it next is refused. A firmware that can't end the reset
 * keeps nothing open. */
static void test_asserted_reset_ends_before_devices_are_closed(void **state)
{
	static const int results[] = {0, -EIO};

	(void)state;
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		struct host host = make_host();
		struct group group = {.kernel = &host.kernel,
				      .number = 7,
				      .fd = GROUP_FD,
				      .attached = true,
				      .container_fd = CONTAINER_FD,
				      .reset_asserted = true};

		host.deactivate = results[i];
		add_device(&host, &group);
		group_done(&group);
		assert_int_equal(host.deactivated, 1);
		assert_int_equal(host.closed_before_deactivate, 0);
		assert_int_equal(host.closed, 1);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_without_interrupt),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_later_refusals),
		cmocka_unit_test(test_no_pci_device),
		cmocka_unit_test(test_reset_works),
		cmocka_unit_test(test_request_event),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_h16_quiesce),
		cmocka_unit_test(test_h24_devices_are_closed_first),
		cmocka_unit_test(test_done_closes_devices),
		cmocka_unit_test(test_asserted_reset_ends_before_devices_are_closed),
	};

	return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
