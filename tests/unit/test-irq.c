/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interrupts of a device: what is wired, also after what fails, and after resets. */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/worker_protocol.h"
#include "host/kernel.h"
#include "unit.h"
#include "vfio/device.h"
#include "vfio/irq.h"

#define FD       7
#define INTX     VFIO_PCI_INTX_IRQ_INDEX
#define MSI      VFIO_PCI_MSI_IRQ_INDEX
#define MSIX     VFIO_PCI_MSIX_IRQ_INDEX
#define ERR      VFIO_PCI_ERR_IRQ_INDEX
#define REQ      VFIO_PCI_REQ_IRQ_INDEX
#define VECTORS  6U
#define NONE     (-1)
#define FAIL_MAX 4U

/* The kernel's side (vfio_pci_intrs.c): eventfds by their numbers. */
struct host {
	struct kernel kernel;
	struct device device;
	uint32_t count[VFIO_PCI_NUM_IRQS];
	int info;         /* of GET_IRQ_INFO for a kind that has some; 0: as it is */
	bool dynamic;     /* messages can be added */
	uint32_t kind;    /* that is on; VFIO_PCI_NUM_IRQS: none */
	uint32_t enabled; /* messages that were allocated */
	int wired[VECTORS];
	bool masked;
	int error;
	int request;
	unsigned int calls;             /* of SET_IRQS */
	unsigned int fail_at[FAIL_MAX]; /* these calls fail, from 1 on … */
	int result[FAIL_MAX];           /* … with that */
	unsigned int disables;
	bool silent; /* its config space reads as ones */
};

static int answer_info(const struct host *host, struct vfio_irq_info *info)
{
	assert_int_equal(info->argsz, sizeof(*info));
	if (info->index >= VFIO_PCI_NUM_IRQS || (info->index == ERR && host->count[ERR] == 0)) {
		return -EINVAL;
	}
	if (host->info) {
		return host->info;
	}
	info->count = host->count[info->index];
	info->flags = VFIO_IRQ_INFO_EVENTFD;
	if (info->index == INTX) {
		info->flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
	} else if (info->index != MSIX || !host->dynamic) {
		info->flags |= VFIO_IRQ_INFO_NORESIZE;
	}
	return 0;
}

static void switch_off(struct host *host)
{
	for (uint32_t i = 0; i < VECTORS; i++) {
		host->wired[i] = NONE;
	}
	host->kind = VFIO_PCI_NUM_IRQS;
	host->enabled = 0;
	host->masked = false;
}

static int event_at(const struct vfio_irq_set *set, uint32_t i)
{
	int32_t event;

	memcpy(&event, set->data + i * sizeof(event), sizeof(event));
	return event;
}

/* vfio_msi_set_block: after a failure none of the block is left. */
static int set_block(struct host *host, const struct vfio_irq_set *set, int result)
{
	bool refused = !host->dynamic && set->start + set->count > host->enabled;

	for (uint32_t i = 0; i < set->count; i++) {
		host->wired[set->start + i] = result || refused ? NONE : event_at(set, i);
	}
	return result ? result : refused ? -EINVAL : 0;
}

static int trigger(struct host *host, const struct vfio_irq_set *set, int result)
{
	bool fresh = host->kind == VFIO_PCI_NUM_IRQS;
	int r;

	if (!fresh && host->kind != set->index) {
		return -EINVAL;
	}
	if (set->flags & VFIO_IRQ_SET_DATA_NONE) {
		assert_int_equal(set->count, 0);
		host->disables++;
		if (result || fresh) {
			return result ? result : -EINVAL;
		}
		switch_off(host);
		return 0;
	}
	if (fresh) {
		host->kind = set->index;
		host->enabled = set->start + set->count;
	}
	r = set->index == INTX && result && !fresh ? result : set_block(host, set, result);
	if (r != 0 && fresh) {
		switch_off(host);
	}
	return r;
}

static int take_result(const struct host *host)
{
	for (unsigned int i = 0; i < FAIL_MAX; i++) {
		if (host->fail_at[i] == host->calls) {
			return host->result[i];
		}
	}
	return 0;
}

static int answer_set(struct host *host, const struct vfio_irq_set *set)
{
	bool events = set->flags & VFIO_IRQ_SET_DATA_EVENTFD;
	int result;

	host->calls++;
	result = take_result(host);
	assert_true(set->index < VFIO_PCI_NUM_IRQS);
	assert_int_equal(set->argsz, sizeof(*set) + (events ? set->count * sizeof(int32_t) : 0));
	assert_true(set->start + set->count <= host->count[set->index]);
	if (set->flags & VFIO_IRQ_SET_ACTION_TRIGGER) {
		if (set->index <= MSIX) {
			return trigger(host, set, result);
		}
		if (result == 0) {
			*(set->index == ERR ? &host->error : &host->request) =
				events ? event_at(set, 0) : NONE;
		}
		return result;
	}
	assert_int_equal(set->index, INTX);
	assert_int_equal(set->count, 1);
	if (host->kind != INTX) {
		return -EINVAL;
	}
	if (result == 0) {
		host->masked = set->flags & VFIO_IRQ_SET_ACTION_MASK;
	}
	return result;
}

static int host_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct host *host = (struct host *)kernel;

	assert_int_equal(fd, FD);
	if (request == VFIO_DEVICE_GET_IRQ_INFO) {
		return answer_info(host, argument);
	}
	assert_int_equal(request, VFIO_DEVICE_SET_IRQS);
	return answer_set(host, argument);
}

/* Class and revision. */
static ssize_t host_read(struct kernel *kernel, int fd, uint64_t offset, void *data, size_t size)
{
	assert_int_equal(fd, FD);
	assert_int_equal(offset, PCI_CLASS_REVISION);
	memset(data, ((const struct host *)kernel)->silent ? 0xff : 2, size);
	return (ssize_t)size;
}

static void host_init(struct host *host)
{
	static const struct kernel_operations operations = {
		.ioctl = host_ioctl,
		.read = host_read,
	};
	struct error error;

	*host = (struct host){
		.kernel = {.operations = &operations},
		.count = {[INTX] = 1, [MSI] = 2, [MSIX] = VECTORS, [ERR] = 1, [REQ] = 1},
		.error = NONE,
		.request = NONE,
	};
	switch_off(host);
	host->device = (struct device){
		.kernel = &host->kernel,
		.name = "0001:01:00.0",
		.fd = FD,
		.config_size = 256,
	};
	if (irqs_read(&host->device, VFIO_PCI_NUM_IRQS, &error) != 0) {
		fail_msg("%s", error.text);
	}
}

static void host_done(struct host *host)
{
	irqs_done(&host->device);
	assert_null(host->device.irqs);
}

static void fail_call(struct host *host, unsigned int ahead, int result)
{
	for (unsigned int i = 0; i < FAIL_MAX; i++) {
		if (host->result[i] == 0) {
			host->fail_at[i] = host->calls + ahead;
			host->result[i] = result;
			return;
		}
	}
	fail();
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void make_events(int *ret_events, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		ret_events[i] = eventfd(0, EFD_CLOEXEC);
		assert_true(ret_events[i] >= 0);
	}
}

static int set(struct host *host, uint32_t index, uint32_t start, const int *events, uint32_t count,
	       struct error *error)
{
	return irq_set(&host->device, index, start, events, count, error);
}

/* Set fresh eventfds, which must work. */
static void wire(struct host *host, uint32_t index, uint32_t start, int *ret_events, uint32_t count)
{
	struct error error = {.text = ""};

	make_events(ret_events, count);
	if (set(host, index, start, ret_events, count, &error) != 0) {
		fail_msg("%s", error.text);
	}
}

/* They are wired from 0 on in the kernel, and open. */
static void expect_wired(const struct host *host, uint32_t index, const int *events, uint32_t count)
{
	assert_int_equal(host->kind, index);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(host->wired[i], events[i]);
		assert_true(events[i] == NONE || is_open(events[i]));
	}
	for (uint32_t i = count; i < VECTORS; i++) {
		assert_int_equal(host->wired[i], NONE);
	}
}

static void expect_words(const struct error *error, const char *words)
{
	if (!strstr(error->text, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, error->text);
	}
}

/* what there is */

static void test_kinds(void **state)
{
	struct host host;

	(void)state;
	host_init(&host);
	assert_int_equal(host.device.irq_count, 5);
	assert_int_equal(irq_find(&host.device, MSIX)->count, VECTORS);
	assert_true(irq_find(&host.device, MSIX)->flags & VFIO_IRQ_INFO_NORESIZE);
	assert_true(irq_find(&host.device, INTX)->flags & VFIO_IRQ_INFO_MASKABLE);
	assert_null(irq_find(&host.device, VFIO_PCI_NUM_IRQS));
	assert_false(irq_is_wired(&host.device, MSIX));
	irqs_done(&host.device);
	/* As edu has it. */
	host.count[MSIX] = 0;
	host.count[ERR] = 0;
	assert_int_equal(irqs_read(&host.device, VFIO_PCI_NUM_IRQS, NULL), 0);
	assert_int_equal(host.device.irq_count, 3);
	assert_null(irq_find(&host.device, MSIX));
	assert_null(irq_find(&host.device, ERR));
	host_done(&host);
}

static void test_refusals_of_info(void **state)
{
	static const struct {
		int info;
		uint32_t count;
		enum error_code code;
		const char *words;
	} cases[] = {
		{-ENODEV, 5, ERROR_NOT_FOUND, "the device is gone"},
		{-EIO, 5, ERROR_KERNEL, "ask for interrupts 0 of device 0001:01:00.0"},
		{0, WORKER_IRQS_MAX + 1, ERROR_KERNEL, "65 kinds of interrupts; at most 64"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {.text = ""};
		struct host host;

		host_init(&host);
		irqs_done(&host.device);
		host.info = cases[i].info;
		assert_int_equal(irqs_read(&host.device, cases[i].count, &error), cases[i].code);
		expect_words(&error, cases[i].words);
		assert_null(host.device.irqs);
		host_done(&host);
	}
}

/* setting */

static void test_set(void **state)
{
	struct host host;
	int events[VECTORS];
	int other;

	(void)state;
	host_init(&host);
	wire(&host, MSIX, 0, events, 3);
	expect_wired(&host, MSIX, events, 3);
	assert_int_equal(host.enabled, 3);
	assert_true(irq_is_wired(&host.device, MSIX));
	/* One in the middle, in its place. */
	wire(&host, MSIX, 1, &other, 1);
	assert_false(is_open(events[1]));
	events[1] = other;
	expect_wired(&host, MSIX, events, 3);
	assert_int_equal(host.calls, 2);
	assert_int_equal(host.disables, 0);
	host_done(&host);
	for (uint32_t i = 0; i < 3; i++) {
		assert_false(is_open(events[i]));
	}
}

static void test_set_not_from_the_first(void **state)
{
	struct host host;
	int events[] = {NONE, NONE, NONE, NONE};

	(void)state;
	host_init(&host);
	wire(&host, MSIX, 2, events + 2, 2);
	expect_wired(&host, MSIX, events, 4);
	wire(&host, MSIX, 0, events, 1);
	expect_wired(&host, MSIX, events, 4);
	assert_int_equal(host.disables, 0);
	host_done(&host);
}

/* POWER's kernel can't add messages to those that are enabled. */
static void test_extend(void **state)
{
	struct host host;
	int events[VECTORS];

	(void)state;
	host_init(&host);
	wire(&host, MSIX, 0, events, 2);
	wire(&host, MSIX, 2, events + 2, 3);
	expect_wired(&host, MSIX, events, 5);
	assert_int_equal(host.enabled, 5);
	assert_int_equal(host.disables, 1);
	assert_int_equal(host.calls, 3);
	host_done(&host);
}

static void test_extend_where_the_kernel_can(void **state)
{
	struct host host;
	int events[VECTORS];

	(void)state;
	host_init(&host);
	irqs_done(&host.device);
	host.dynamic = true;
	assert_int_equal(irqs_read(&host.device, VFIO_PCI_NUM_IRQS, NULL), 0);
	wire(&host, MSIX, 0, events, 2);
	wire(&host, MSIX, 2, events + 2, 3);
	expect_wired(&host, MSIX, events, 5);
	assert_int_equal(host.enabled, 2);
	assert_int_equal(host.disables, 0);
	host_done(&host);
}

static void test_bounds(void **state)
{
	static const struct {
		uint32_t index;
		uint32_t start;
		uint32_t count;
		enum error_code code;
		const char *words;
	} cases[] = {
		{MSIX, 0, 0, ERROR_INVALID_ARGUMENT, "no eventfds for interrupts 2 (MSI-X)"},
		{MSIX, 6, 1, ERROR_INVALID_ARGUMENT, "from interrupt 6 on"},
		{MSIX, 5, 2, ERROR_INVALID_ARGUMENT, "2 eventfds from interrupt 5 on"},
		{MSIX, UINT32_MAX, 2, ERROR_INVALID_ARGUMENT, "has 6 interrupts 2 (MSI-X)"},
		{INTX, 0, 2, ERROR_INVALID_ARGUMENT, "has 1 interrupts 0 (INTx)"},
		{ERR, 1, 1, ERROR_INVALID_ARGUMENT, "has 1 interrupts 3 (ERR)"},
		{5, 0, 1, ERROR_NOT_FOUND, "has no interrupts 5 (of a vendor)"},
		{UINT32_MAX, 0, 1, ERROR_NOT_FOUND, "has no interrupts 4294967295"},
	};
	struct host host;

	(void)state;
	host_init(&host);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {.text = ""};
		int events[2];

		make_events(events, cases[i].count);
		assert_int_equal(
			set(&host, cases[i].index, cases[i].start, events, cases[i].count, &error),
			cases[i].code);
		expect_words(&error, cases[i].words);
		expect_words(&error, "0001:01:00.0");
		for (uint32_t j = 0; j < cases[i].count; j++) {
			assert_false(is_open(events[j]));
		}
	}
	assert_int_equal(host.calls, 0);
	host_done(&host);
}

/* The kernel drops the block of a call with one fd that is none, and isn't asked. */
static void test_no_eventfd(void **state)
{
	struct error error = {.text = ""};
	struct host host;
	int events[2];
	int wrong[2];

	(void)state;
	host_init(&host);
	wire(&host, MSIX, 0, events, 2);
	make_events(wrong, 1);
	wrong[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(wrong[1] >= 0);
	assert_int_equal(set(&host, MSIX, 0, wrong, 2, &error), ERROR_INVALID_ARGUMENT);
	expect_words(&error, "fd 1 of those");
	assert_false(is_open(wrong[0]));
	assert_false(is_open(wrong[1]));
	wrong[0] = NONE;
	assert_int_equal(set(&host, MSIX, 0, wrong, 1, &error), ERROR_INVALID_ARGUMENT);
	assert_int_equal(host.calls, 1);
	expect_wired(&host, MSIX, events, 2);
	host_done(&host);
}

static void test_one_kind_at_a_time(void **state)
{
	static const uint32_t kinds[] = {INTX, MSI, MSIX};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct error error = {.text = ""};
		struct host host;
		int events[4];

		host_init(&host);
		wire(&host, kinds[i], 0, events, 1);
		make_events(events + 1, 1);
		assert_int_equal(set(&host, kinds[(i + 1) % 3], 0, events + 1, 1, &error),
				 ERROR_INVALID_ARGUMENT);
		expect_words(&error, "disable them first");
		assert_false(is_open(events[1]));
		assert_int_equal(host.calls, 1);
		/* These two don't matter. */
		wire(&host, ERR, 0, events + 2, 1);
		wire(&host, REQ, 0, events + 3, 1);
		assert_int_equal(host.error, events[2]);
		assert_int_equal(host.request, events[3]);
		assert_int_equal(irq_disable(&host.device, kinds[i], NULL), 0);
		wire(&host, kinds[(i + 1) % 3], 0, events, 1);
		expect_wired(&host, kinds[(i + 1) % 3], events, 1);
		host_done(&host);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		int result;
		enum error_code code;
		const char *words;
	} cases[] = {
		{-EINVAL, ERROR_INVALID_ARGUMENT, "an fd is no eventfd, or a program with"},
		{-EBADF, ERROR_INVALID_ARGUMENT, "an fd is no eventfd"},
		{-ENODEV, ERROR_NOT_FOUND, "the device is gone"},
		{-ENOSPC, ERROR_QUOTA_EXCEEDED, "no interrupts left"},
		{-EBUSY, ERROR_KERNEL, "the line is in use"},
		{-EIO, ERROR_KERNEL, "set eventfds for interrupts 0 to 2 of kind 2 (MSI-X)"},
		{2, ERROR_QUOTA_EXCEEDED, "the host has 2 messages for device 0001:01:00.0, not 3"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {.text = ""};
		struct host host;
		int events[3];

		host_init(&host);
		make_events(events, 3);
		fail_call(&host, 1, cases[i].result);
		assert_int_equal(set(&host, MSIX, 0, events, 3, &error), cases[i].code);
		expect_words(&error, cases[i].words);
		assert_false(irq_is_wired(&host.device, MSIX));
		assert_int_equal(host.calls, 1);
		for (uint32_t j = 0; j < 3; j++) {
			assert_false(is_open(events[j]));
		}
		wire(&host, INTX, 0, events, 1);
		host_done(&host);
	}
}

/* The block that the kernel has dropped comes back. */
static void test_failure_leaves_what_was(void **state)
{
	struct error error = {.text = ""};
	struct host host;
	int events[4];
	int more[2];

	(void)state;
	host_init(&host);
	wire(&host, MSIX, 0, events, 4);
	make_events(more, 2);
	fail_call(&host, 1, -EINVAL);
	assert_int_equal(set(&host, MSIX, 1, more, 2, &error), ERROR_INVALID_ARGUMENT);
	expect_wired(&host, MSIX, events, 4);
	assert_int_equal(host.disables, 0);
	assert_false(is_open(more[0]));
	host_done(&host);
}

static void test_failure_to_extend_leaves_what_was(void **state)
{
	static const unsigned int failing[] = {1, 2}; /* to disable, to enable all */

	(void)state;
	for (size_t i = 0; i < sizeof(failing) / sizeof(failing[0]); i++) {
		struct error error = {.text = ""};
		struct host host;
		int events[2];
		int more[2];

		host_init(&host);
		wire(&host, MSIX, 0, events, 2);
		make_events(more, 2);
		fail_call(&host, failing[i], -EIO);
		assert_int_equal(set(&host, MSIX, 2, more, 2, &error), ERROR_KERNEL);
		expect_wired(&host, MSIX, events, 2);
		assert_int_equal(host.enabled, 2);
		assert_false(irq_find(&host.device, MSIX)->lost);
		host_done(&host);
	}
}

/* What can't be had back is said, and the next call makes all of it again. */
static void test_what_is_lost_can_be_set_again(void **state)
{
	struct error error = {.text = ""};
	struct host host;
	int events[2];
	int more[2];

	(void)state;
	host_init(&host);
	wire(&host, MSIX, 0, events, 2);
	make_events(more, 2);
	fail_call(&host, 2, 3); /* there are only three messages … */
	fail_call(&host, 4, -ENOMEM);
	assert_int_equal(set(&host, MSIX, 2, more, 2, &error), ERROR_QUOTA_EXCEEDED);
	expect_words(&error, "the host has 3 messages for device 0001:01:00.0, not 4");
	expect_words(&error, "what was set before is off now");
	assert_int_equal(host.kind, VFIO_PCI_NUM_IRQS);
	assert_true(irq_is_wired(&host.device, MSIX));
	assert_true(is_open(events[0]));
	wire(&host, MSIX, 1, events + 1, 1);
	expect_wired(&host, MSIX, events, 2);
	assert_int_equal(host.enabled, 2);
	assert_false(irq_find(&host.device, MSIX)->lost);
	host_done(&host);
}

/* masking */

static void test_mask(void **state)
{
	struct error error;
	struct host host;
	int event;

	(void)state;
	host_init(&host);
	assert_int_equal(irq_mask(&host.device, INTX, &error), ERROR_NOT_FOUND);
	expect_words(&error, "no eventfds are set for interrupts 0 (INTx)");
	assert_int_equal(irq_mask(&host.device, MSIX, &error), ERROR_UNSUPPORTED);
	expect_words(&error, "interrupts 2 (MSI-X) of device 0001:01:00.0 can't be masked");
	assert_int_equal(irq_unmask(&host.device, ERR, &error), ERROR_UNSUPPORTED);
	assert_int_equal(irq_unmask(&host.device, 9, &error), ERROR_NOT_FOUND);
	wire(&host, INTX, 0, &event, 1);
	assert_int_equal(irq_mask(&host.device, INTX, NULL), 0);
	assert_true(host.masked);
	irq_rearm(&host.device);
	assert_true(host.masked);
	assert_int_equal(irq_unmask(&host.device, INTX, NULL), 0);
	assert_false(host.masked);
	/* By itself, as it rang. */
	host.masked = true;
	irq_rearm(&host.device);
	assert_false(host.masked);
	host_done(&host);
}

static void test_refusals_of_mask(void **state)
{
	static const struct {
		int result;
		enum error_code code;
		const char *words;
	} cases[] = {
		{-EINVAL, ERROR_NOT_FOUND, "a program with the device's fd has disabled it"},
		{-ENOTTY, ERROR_UNSUPPORTED, "can't be masked"},
		{-ENODEV, ERROR_NOT_FOUND, "the device is gone"},
		{-EIO, ERROR_KERNEL, "mask interrupts 0 (INTx) of device 0001:01:00.0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {.text = ""};
		struct host host;
		int event;

		host_init(&host);
		wire(&host, INTX, 0, &event, 1);
		fail_call(&host, 1, cases[i].result);
		assert_int_equal(irq_mask(&host.device, INTX, &error), cases[i].code);
		expect_words(&error, cases[i].words);
		/* An access arms it still. */
		host.masked = true;
		irq_rearm(&host.device);
		assert_false(host.masked);
		host_done(&host);
	}
}

/* ending, and beginning again */

static void test_disable(void **state)
{
	struct error error;
	struct host host;
	int events[2];

	(void)state;
	host_init(&host);
	assert_int_equal(irq_disable(&host.device, MSIX, &error), ERROR_NOT_FOUND);
	assert_int_equal(host.calls, 0);
	wire(&host, MSIX, 0, events, 2);
	fail_call(&host, 1, -EIO);
	assert_int_equal(irq_disable(&host.device, MSIX, &error), ERROR_KERNEL);
	expect_words(&error, "disable interrupts 2 (MSI-X) of device 0001:01:00.0");
	expect_wired(&host, MSIX, events, 2);
	assert_int_equal(irq_disable(&host.device, MSIX, NULL), 0);
	assert_int_equal(host.kind, VFIO_PCI_NUM_IRQS);
	assert_false(is_open(events[0]));
	assert_false(is_open(events[1]));
	assert_int_equal(irq_disable(&host.device, MSIX, NULL), ERROR_NOT_FOUND);
	/* A program with the device's fd was faster. */
	wire(&host, MSIX, 0, events, 2);
	switch_off(&host);
	assert_int_equal(irq_disable(&host.device, MSIX, NULL), 0);
	assert_false(is_open(events[0]));
	/* A mask doesn't outlive what it masked. */
	wire(&host, INTX, 0, events, 1);
	assert_int_equal(irq_mask(&host.device, INTX, NULL), 0);
	assert_int_equal(irq_disable(&host.device, INTX, NULL), 0);
	wire(&host, INTX, 0, events, 1);
	assert_false(host.masked);
	host.masked = true;
	irq_rearm(&host.device);
	assert_false(host.masked);
	wire(&host, ERR, 0, events, 1);
	assert_int_equal(irq_disable(&host.device, ERR, NULL), 0);
	assert_int_equal(host.error, NONE);
	host_done(&host);
}

static void test_rewire(void **state)
{
	struct host host;
	int events[] = {NONE, NONE, NONE};
	int error;
	int request;

	(void)state;
	host_init(&host);
	assert_int_equal(device_rewire(&host.device, NULL), 0);
	assert_int_equal(host.calls, 0);
	wire(&host, MSIX, 1, events + 1, 2);
	wire(&host, ERR, 0, &error, 1);
	wire(&host, REQ, 0, &request, 1);
	/* The kernel believes that they are on: they go off and on. */
	assert_int_equal(device_rewire(&host.device, NULL), 0);
	assert_int_equal(host.disables, 1);
	assert_int_equal(host.calls, 5);
	expect_wired(&host, MSIX, events, 3);
	assert_int_equal(host.error, error);
	/* Or it doesn't. */
	switch_off(&host);
	assert_int_equal(device_rewire(&host.device, NULL), 0);
	expect_wired(&host, MSIX, events, 3);
	host_done(&host);
}

/* Before a reset of its PE: messages go off, and come back with their eventfds. */
static void test_unwire(void **state)
{
	struct error error = {.text = ""};
	struct host host;
	int events[3];
	int line;

	(void)state;
	host_init(&host);
	irq_unwire(&host.device);
	assert_int_equal(host.calls, 0);
	wire(&host, MSIX, 0, events, 2);
	irq_unwire(&host.device);
	assert_int_equal(host.kind, VFIO_PCI_NUM_IRQS);
	assert_true(is_open(events[0]));
	irq_unwire(&host.device);
	assert_int_equal(host.calls, 2);
	assert_int_equal(device_rewire(&host.device, &error), 0);
	expect_wired(&host, MSIX, events, 2);
	/* Or by who sets one of them. */
	irq_unwire(&host.device);
	wire(&host, MSIX, 2, events + 2, 1);
	expect_wired(&host, MSIX, events, 3);
	/* What stays on isn't lost. */
	fail_call(&host, 1, -EIO);
	irq_unwire(&host.device);
	expect_wired(&host, MSIX, events, 3);
	assert_false(irq_find(&host.device, MSIX)->lost);
	/* A line is nothing in the device's memory. */
	assert_int_equal(irq_disable(&host.device, MSIX, NULL), 0);
	wire(&host, INTX, 0, &line, 1);
	irq_unwire(&host.device);
	expect_wired(&host, INTX, &line, 1);
	host_done(&host);
}

/* A mask is put back, what was masked since it rang is not. */
static void test_rewire_intx(void **state)
{
	struct host host;
	int event;

	(void)state;
	host_init(&host);
	wire(&host, INTX, 0, &event, 1);
	host.masked = true;
	assert_int_equal(device_rewire(&host.device, NULL), 0);
	assert_false(host.masked);
	assert_int_equal(irq_mask(&host.device, INTX, NULL), 0);
	assert_int_equal(device_rewire(&host.device, NULL), 0);
	assert_true(host.masked);
	expect_wired(&host, INTX, &event, 1);
	host_done(&host);
}

static void test_rewire_fails(void **state)
{
	struct error error = {.text = ""};
	struct host host;
	int events[3];

	(void)state;
	host_init(&host);
	wire(&host, MSIX, 0, events, 2);
	fail_call(&host, 2, -EIO);
	assert_int_equal(device_rewire(&host.device, &error), ERROR_KERNEL);
	expect_words(&error, "set eventfds for interrupts 0 to 1 of kind 2 (MSI-X)");
	assert_int_equal(host.kind, VFIO_PCI_NUM_IRQS);
	assert_true(is_open(events[0]));
	assert_int_equal(device_rewire(&host.device, &error), 0);
	expect_wired(&host, MSIX, events, 2);
	/* Or one sets them again. */
	fail_call(&host, 2, 1);
	assert_int_equal(device_rewire(&host.device, &error), ERROR_QUOTA_EXCEEDED);
	wire(&host, MSIX, 0, events, 1);
	expect_wired(&host, MSIX, events, 2);
	host_done(&host);
}

/* The kernel would write an MSI-X table that is out of reach: the end of some hosts. */
static void test_silent_device(void **state)
{
	struct error error = {.text = ""};
	struct host host;
	int events[2];
	int more;

	(void)state;
	host_init(&host);
	wire(&host, MSIX, 0, events, 2);
	host.silent = true;
	make_events(&more, 1);
	assert_int_equal(set(&host, MSIX, 0, &more, 1, &error), ERROR_FROZEN);
	expect_words(&error, "0001:01:00.0 doesn't answer, so its interrupts 2 (MSI-X) stay");
	assert_false(is_open(more));
	assert_int_equal(irq_disable(&host.device, MSIX, &error), ERROR_FROZEN);
	assert_int_equal(device_rewire(&host.device, &error), ERROR_FROZEN);
	assert_int_equal(host.calls, 1);
	expect_wired(&host, MSIX, events, 2);
	/* Others take no memory of the device. */
	wire(&host, ERR, 0, &more, 1);
	host.silent = false;
	assert_int_equal(irq_disable(&host.device, MSIX, &error), 0);
	host.silent = true;
	wire(&host, INTX, 0, events, 1);
	assert_int_equal(irq_disable(&host.device, INTX, NULL), 0);
	host_done(&host);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_refusals_of_info),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_not_from_the_first),
		cmocka_unit_test(test_extend),
		cmocka_unit_test(test_extend_where_the_kernel_can),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_no_eventfd),
		cmocka_unit_test(test_one_kind_at_a_time),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_failure_leaves_what_was),
		cmocka_unit_test(test_failure_to_extend_leaves_what_was),
		cmocka_unit_test(test_what_is_lost_can_be_set_again),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_refusals_of_mask),
		cmocka_unit_test(test_disable),
		cmocka_unit_test(test_rewire),
		cmocka_unit_test(test_unwire),
		cmocka_unit_test(test_rewire_intx),
		cmocka_unit_test(test_rewire_fails),
		cmocka_unit_test(test_silent_device),
	};

	return cmocka_run_group_tests_name("irq", tests, NULL, NULL);
}
