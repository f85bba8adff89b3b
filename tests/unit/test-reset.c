/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resets of devices: which way is taken, what each refusal of the kernel means, and what lets a
 * group go. */
#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"
#include "vfio/reset.h"

#define DEVICES     3
#define HITS_MAX    20
#define CONFIG_SIZE 256
#define GROUP_FD    40 /* and the next one, of the second group */
#define CONTAINER   50
#define DEVICE_FD   60 /* and the next ones */

/* One bus with devices, and the groups that have them. */
struct host {
	struct kernel kernel;
	uint8_t config[DEVICES][CONFIG_SIZE];
	bool silent[DEVICES];
	bool stuck[DEVICES]; /* it stays a bus master */
	bool works;          /* VFIO_DEVICE_FLAGS_RESET */
	int function_result;
	int info_result;
	int bus_result;
	int state;            /* of the PE */
	int assert_result[2]; /* the first time, and then */
	int deactivate_result;
	int reopen_result;
	bool wanted_by_reset;  /* it is -ENODEV once a reset was tried, which is EAGAIN */
	bool wanted_by_assert; /* the same once one of the PE was */
	unsigned int hits;     /* devices on the bus */
	uint32_t hit_group[HITS_MAX];
	char log[256]; /* what was asked */
	unsigned int asserts;
	struct group groups[2];
	struct device devices[DEVICES];
};

static void note(struct host *host, const char *word)
{
	size_t used = strlen(host->log);

	(void)snprintf(host->log + used, sizeof(host->log) - used, "%s%s", used ? " " : "", word);
}

static int assert_pe(struct host *host)
{
	if (host->wanted_by_assert) {
		host->reopen_result = -ENODEV;
	}
	return host->assert_result[host->asserts++ > 0];
}

static int operate_pe(struct host *host, const struct vfio_eeh_pe_op *op)
{
	switch (op->op) {
	case VFIO_EEH_PE_GET_STATE:
		return host->state;
	case VFIO_EEH_PE_RESET_HOT:
		note(host, "hot");
		return assert_pe(host);
	case VFIO_EEH_PE_RESET_FUNDAMENTAL:
		note(host, "fundamental");
		return assert_pe(host);
	case VFIO_EEH_PE_RESET_DEACTIVATE:
		note(host, "deactivate");
		if (host->deactivate_result != 0) {
			return host->deactivate_result;
		}
		host->state = 0;
		for (size_t i = 0; i < DEVICES; i++) {
			host->silent[i] = false;
		}
		return 0;
	default:
		assert_int_equal(op->op, VFIO_EEH_PE_CONFIGURE);
		note(host, "configure");
		return 0;
	}
}

static int tell_hits(const struct host *host, struct vfio_pci_hot_reset_info *info)
{
	size_t room = (info->argsz - sizeof(*info)) / sizeof(info->devices[0]);

	info->count = host->hits;
	for (unsigned int i = 0; i < host->hits && i < room; i++) {
		info->devices[i] = (struct vfio_pci_dependent_device){
			.group_id = host->hit_group[i],
			.segment = 1,
			.bus = 2,
			.devfn = (uint8_t)i,
		};
	}
	return host->hits > room ? -ENOSPC : host->info_result;
}

static int reset_bus(struct host *host, const struct vfio_pci_hot_reset *reset)
{
	char word[64];
	size_t used;

	assert_int_equal(reset->argsz, sizeof(*reset) + reset->count * sizeof(int32_t));
	used = (size_t)snprintf(word, sizeof(word), "bus");
	for (uint32_t i = 0; i < reset->count; i++) {
		used += (size_t)snprintf(word + used, sizeof(word) - used, ":%d",
					 reset->group_fds[i]);
	}
	note(host, word);
	return host->bus_result;
}

static int handle_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct host *host = (struct host *)kernel;

	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return host->reopen_result;
	case VFIO_EEH_PE_OP:
		assert_int_equal(fd, CONTAINER);
		return operate_pe(host, argument);
	case VFIO_DEVICE_GET_INFO:
		((struct vfio_device_info *)argument)->flags =
			host->works ? VFIO_DEVICE_FLAGS_RESET : 0;
		return 0;
	case VFIO_DEVICE_RESET:
		note(host, "function");
		if (host->wanted_by_reset) {
			host->reopen_result = -ENODEV;
			host->function_result = -EAGAIN;
			host->bus_result = -EAGAIN;
		}
		/* The kernel puts the command register back. */
		assert_true(host->stuck[fd - DEVICE_FD] || host->silent[fd - DEVICE_FD] ||
			    !(host->config[fd - DEVICE_FD][PCI_COMMAND] & PCI_COMMAND_MASTER));
		return host->function_result;
	case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
		return tell_hits(host, argument);
	default:
		assert_int_equal(request, VFIO_DEVICE_PCI_HOT_RESET);
		return reset_bus(host, argument);
	}
}

static ssize_t handle_read(struct kernel *kernel, int fd, uint64_t offset, void *data, size_t size)
{
	const struct host *host = (const struct host *)kernel;

	if (host->silent[fd - DEVICE_FD]) {
		memset(data, 0xff, size);
	} else {
		memcpy(data, host->config[fd - DEVICE_FD] + offset, size);
	}
	return (ssize_t)size;
}

static ssize_t handle_write(struct kernel *kernel, int fd, uint64_t offset, const void *data,
			    size_t size)
{
	struct host *host = (struct host *)kernel;

	assert_int_equal(offset, PCI_COMMAND);
	if (!host->stuck[fd - DEVICE_FD]) {
		memcpy(host->config[fd - DEVICE_FD] + offset, data, size);
	}
	return (ssize_t)size;
}

static void handle_close(struct kernel *kernel, int fd)
{
	(void)kernel;
	(void)fd;
}

static const struct kernel_operations operations = {
	.ioctl = handle_ioctl,
	.read = handle_read,
	.write = handle_write,
	.close = handle_close,
};

/* A capability at an offset, the last of its list. */
static void add_capability(struct host *host, size_t device, uint8_t at, uint8_t id)
{
	uint8_t *config = host->config[device];

	config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	config[at] = id;
	config[at + 1] = config[PCI_CAPABILITY_LIST];
	config[PCI_CAPABILITY_LIST] = at;
}

/* Device 0 and 1 in group 1, device 2 in group 2. The first is open. */
static void host_init(struct host *host)
{
	*host = (struct host){
		.kernel = {.operations = &operations},
		.works = true,
		.reopen_result = 99,
		.hits = 1,
		.hit_group = {1, 1, 2},
	};
	for (size_t i = 0; i < DEVICES; i++) {
		struct device *device = &host->devices[i];

		*device = (struct device){
			.kernel = &host->kernel,
			.fd = DEVICE_FD + (int)i,
			.config_size = CONFIG_SIZE,
		};
		(void)snprintf(device->name, sizeof(device->name), "0001:02:00.%zu", i);
		host->config[i][PCI_COMMAND] = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	}
	for (int i = 0; i < 2; i++) {
		host->groups[i] = (struct group){
			.kernel = &host->kernel,
			.number = 1 + (uint32_t)i,
			.fd = GROUP_FD + i,
			.attached = true,
			.container_fd = CONTAINER,
		};
	}
	host->groups[0].devices = &host->devices[0];
}

static void open_all(struct host *host)
{
	host->devices[0].next = &host->devices[1];
	host->groups[1].devices = &host->devices[2];
	host->hits = 3;
}

static int run_reset(struct host *host, bool alone, unsigned int groups, bool all,
		     struct error *error)
{
	const struct group *list[] = {&host->groups[0], &host->groups[1]};
	struct reset_scope scope = {
		.group = &host->groups[0],
		.pe_is_alone = alone,
		.groups = list,
		.group_count = groups,
		.all = all,
	};

	error->text[0] = '\0';
	host->log[0] = '\0';
	host->asserts = 0;
	group_forget_resets(&host->groups[0]);
	group_forget_resets(&host->groups[1]);
	return device_reset(&host->devices[0], &scope, error);
}

static int run_stop(struct host *host, bool alone, struct error *error)
{
	const struct group *list[] = {&host->groups[0]};
	struct reset_scope scope = {
		.group = &host->groups[0],
		.pe_is_alone = alone,
		.groups = list,
		.group_count = 1,
		.all = true,
	};

	error->text[0] = '\0';
	host->log[0] = '\0';
	host->asserts = 0;
	return group_stop(&scope, error);
}

static void expect_words(const struct error *error, const char *words)
{
	if (!strstr(error->text, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, error->text);
	}
}

static void test_means(void **state)
{
	struct reset_means means;
	struct host host;

	(void)state;
	host_init(&host);
	means = reset_read_means(&host.devices[0]);
	assert_true(means.works && !means.function_level && !means.by_power);
	assert_true(reset_is_enough(&means));
	add_capability(&host, 0, 0x40, PCI_CAP_ID_PM);
	means = reset_read_means(&host.devices[0]);
	assert_true(means.by_power);
	assert_false(reset_is_enough(&means));
	host.config[0][0x40 + PCI_PM_CTRL] = PCI_PM_CTRL_NO_SOFT_RESET;
	means = reset_read_means(&host.devices[0]);
	assert_false(means.by_power);
	host.config[0][0x40 + PCI_PM_CTRL] = 0;
	add_capability(&host, 0, 0x60, PCI_CAP_ID_EXP);
	means = reset_read_means(&host.devices[0]);
	assert_false(means.function_level);
	host.config[0][0x60 + PCI_EXP_DEVCAP + 3] = PCI_EXP_DEVCAP_FLR >> 24;
	means = reset_read_means(&host.devices[0]);
	assert_true(means.function_level && means.by_power);
	assert_true(reset_is_enough(&means));
	host.works = false;
	means = reset_read_means(&host.devices[0]);
	assert_false(reset_is_enough(&means));
	add_capability(&host, 1, 0x50, PCI_CAP_ID_AF);
	host.config[1][0x50 + PCI_AF_CAP] = PCI_AF_CAP_FLR;
	means = reset_read_means(&host.devices[1]);
	assert_false(means.function_level);
	host.config[1][0x50 + PCI_AF_CAP] = PCI_AF_CAP_FLR | PCI_AF_CAP_TP;
	/* A list that never ends. */
	host.config[1][0x51] = 0x50;
	means = reset_read_means(&host.devices[1]);
	assert_true(means.function_level);
}

static void test_order_of_ways(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	assert_int_equal(run_reset(&host, true, 1, false, &error), 0);
	assert_string_equal(host.log, "function");
	assert_int_equal(host.devices[0].reset_way, WORKER_RESET_FUNCTION);
	assert_int_equal(host.config[0][PCI_COMMAND], PCI_COMMAND_MEMORY);
	host.function_result = -EIO;
	assert_int_equal(run_reset(&host, true, 1, false, &error), 0);
	assert_string_equal(host.log, "function bus:40");
	assert_int_equal(host.devices[0].reset_way, WORKER_RESET_BUS);
	host.bus_result = -ENOTTY;
	assert_int_equal(run_reset(&host, true, 1, false, &error), 0);
	assert_string_equal(host.log, "function bus:40 hot deactivate configure");
	assert_int_equal(host.devices[0].reset_way, WORKER_RESET_PE);
	assert_int_equal(run_reset(&host, false, 1, false, &error), ERROR_KERNEL);
	assert_string_equal(host.log, "function bus:40");
	assert_int_equal(host.devices[0].reset_way, WORKER_RESET_FAILED);
	expect_words(&error, "reset device 0001:02:00.0");
	expect_words(&error, "reset the bus of device 0001:02:00.0");
	expect_words(&error, "no EEH for a reset of its PE alone");
	/* Power states come after the bus. */
	add_capability(&host, 0, 0x40, PCI_CAP_ID_PM);
	host.function_result = 0;
	assert_int_equal(run_reset(&host, true, 1, false, &error), 0);
	assert_string_equal(host.log, "bus:40 function");
}

struct refused {
	int result;
	int code;
	const char *words;
};

static void test_function_refusals(void **state)
{
	static const struct refused refusals[] = {
		{-EINVAL, ERROR_UNSUPPORTED, "no reset of its own"},
		{-ENOTTY, ERROR_UNSUPPORTED, "none of the kernel's ways"},
		{-EAGAIN, ERROR_KERNEL, "at something else"},
		{-ENODEV, ERROR_KERNEL, "the device is gone"},
		{-EIO, ERROR_KERNEL, "EIO"},
		{1, ERROR_KERNEL, "reset device"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		struct error error;
		struct host host;

		host_init(&host);
		host.function_result = refusals[i].result;
		host.info_result = -ENODEV;
		assert_int_equal(run_reset(&host, false, 1, false, &error), refusals[i].code);
		assert_int_equal(error.code, refusals[i].code);
		expect_words(&error, refusals[i].words);
		expect_words(&error, "no bridge resets its bus");
	}
}

static void test_bus_refusals(void **state)
{
	static const struct refused infos[] = {
		{-ENODEV, ERROR_UNSUPPORTED, "no bridge resets its bus"},
		{-EPERM, ERROR_UNSUPPORTED, "in no IOMMU group"},
		{-ENOTTY, ERROR_UNSUPPORTED, "resets no bus"},
		{-EINVAL, ERROR_KERNEL, "another idea"},
	};
	static const struct refused resets[] = {
		{-ENODEV, ERROR_UNSUPPORTED, "no bridge resets its bus"},
		{-EINVAL, ERROR_UNSUPPORTED, "bind all to vfio-pci"},
		{-EPERM, ERROR_UNSUPPORTED, "belongs to somebody else"},
		{-ENOTTY, ERROR_UNSUPPORTED, "has worked"},
		{-EAGAIN, ERROR_KERNEL, "at something else"},
		{-EBADF, ERROR_KERNEL, "EBADF"},
	};
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	host.works = false;
	for (size_t i = 0; i < sizeof(infos) / sizeof(*infos); i++) {
		host.info_result = infos[i].result;
		assert_int_equal(run_reset(&host, false, 1, false, &error), infos[i].code);
		expect_words(&error, infos[i].words);
		assert_string_equal(host.log, "");
	}
	host.info_result = 0;
	for (size_t i = 0; i < sizeof(resets) / sizeof(*resets); i++) {
		host.bus_result = resets[i].result;
		assert_int_equal(run_reset(&host, false, 1, false, &error), resets[i].code);
		expect_words(&error, resets[i].words);
		assert_string_equal(host.log, "bus:40");
	}
}

/* What is not ours is not hit, and all of it is named. */
static void test_foreign_devices(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	host.works = false;
	host.hits = 3;
	host.hit_group[1] = 7;
	assert_int_equal(run_reset(&host, false, 1, true, &error), ERROR_UNSUPPORTED);
	expect_words(&error, "0001:02:00.1 (group 7) 0001:02:00.2 (group 2)");
	assert_string_equal(host.log, "");
}

/* More than are asked for at first. */
static void test_many_devices(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	host.works = false;
	host.hits = HITS_MAX;
	for (size_t i = 0; i < HITS_MAX; i++) {
		host.hit_group[i] = 1;
	}
	assert_int_equal(run_reset(&host, false, 2, true, &error), 0);
	/* Each group once, and none that isn't hit. */
	assert_string_equal(host.log, "bus:40");
}

static void test_bystanders(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	host.works = false;
	open_all(&host);
	assert_int_equal(run_reset(&host, true, 2, false, &error), ERROR_UNSUPPORTED);
	assert_string_equal(host.log, "");
	expect_words(&error, "would hit 0001:02:00.1, which is open, too: reset the address space");
	expect_words(&error, "a reset of its PE would hit 0001:02:00.1");
	assert_int_equal(host.config[1][PCI_COMMAND], PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(run_reset(&host, true, 2, true, &error), 0);
	assert_string_equal(host.log, "bus:40:41");
	for (size_t i = 0; i < DEVICES; i++) {
		assert_int_equal(host.devices[i].reset_way, WORKER_RESET_BUS);
		assert_int_equal(host.config[i][PCI_COMMAND], PCI_COMMAND_MEMORY);
	}
}

static void test_pe_refusals(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	host.works = false;
	host.info_result = -ENODEV;
	/* The firmware may do it the next time. */
	host.assert_result[0] = -EIO;
	assert_int_equal(run_reset(&host, true, 1, false, &error), 0);
	assert_string_equal(host.log, "hot fundamental deactivate configure");
	/* What was sound is so again. */
	host.assert_result[1] = -EIO;
	assert_int_equal(run_reset(&host, true, 1, false, &error), ERROR_KERNEL);
	assert_string_equal(host.log, "hot fundamental fundamental deactivate");
	expect_words(&error, "the firmware refuses it");
	assert_false(host.groups[0].reset_asserted);
	host.assert_result[0] = -ENODEV;
	assert_int_equal(run_reset(&host, true, 1, false, &error), ERROR_UNSUPPORTED);
	assert_string_equal(host.log, "hot");
}

/* VFIO_DEVICE_RESET would answer 0. */
static void test_frozen(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	host.state = 2;
	assert_int_equal(run_reset(&host, true, 1, false, &error), ERROR_FROZEN);
	assert_string_equal(host.log, "");
	expect_words(&error, "group 1 is in state 2");
}

/* What the kernel says isn't all. */
static void test_result_is_checked(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	host.stuck[0] = true;
	assert_int_equal(run_reset(&host, false, 1, false, &error), ERROR_KERNEL);
	expect_words(&error, "is still a bus master (command 0x6) after its reset");
	host.stuck[0] = false;
	host.silent[0] = true;
	assert_int_equal(run_reset(&host, false, 1, false, &error), ERROR_KERNEL);
	expect_words(&error, "does not answer after its reset");
}

/* A reset of the PE would wait for ever then. */
static void test_wanted_back(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	host.reopen_result = -ENODEV;
	assert_int_equal(run_reset(&host, true, 1, false, &error), ERROR_BUSY);
	assert_string_equal(host.log, "");
	host.state = 2;
	assert_int_equal(run_stop(&host, true, &error), 0);
	assert_string_equal(host.log, "");
	assert_int_equal(host.config[0][PCI_COMMAND], PCI_COMMAND_MEMORY);
	host.silent[0] = true; /* gone */
	assert_int_equal(run_stop(&host, true, &error), 0);
	host.silent[0] = false;
	host.stuck[0] = true;
	host.config[0][PCI_COMMAND] = PCI_COMMAND_MASTER;
	assert_int_equal(run_stop(&host, true, &error), ERROR_QUARANTINED);
}

/* The same when it begins in the middle: no reset of the PE follows. */
static void test_wanted_back_meanwhile(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	host.wanted_by_reset = true;
	assert_int_equal(run_stop(&host, true, &error), 0);
	assert_string_equal(host.log, "function bus:40");
	assert_true(host.groups[0].stopped);
	assert_int_equal(host.groups[0].obstacle.why[0], '\0');
	host.reopen_result = 99;
	assert_int_equal(run_reset(&host, true, 1, false, &error), ERROR_KERNEL);
	assert_string_equal(host.log, "function bus:40");
	expect_words(&error, "the kernel is taking a device of its PE away");
}

/* No reset that the firmware refused is tried again then, and it is ended before the close. */
static void test_wanted_back_while_a_reset_is_refused(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	host.state = 2;
	host.assert_result[0] = -EIO;
	host.wanted_by_assert = true;
	assert_int_equal(run_stop(&host, true, &error), 0);
	assert_string_equal(host.log, "hot deactivate");
	assert_true(host.groups[0].stopped);
}

/* H40: a device that is closed while its PE's reset is asserted is a bus master in the end. */
static void test_h40_stop_asserted(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	host.reopen_result = -ENODEV;
	host.groups[0].reset_asserted = true;
	host.silent[0] = true;
	host.deactivate_result = -EIO;
	assert_int_equal(run_stop(&host, true, &error), ERROR_QUARANTINED);
	assert_string_equal(host.log, "deactivate");
	expect_words(&error, "can't be ended");
	/* It can be tried again. */
	host.deactivate_result = 0;
	assert_int_equal(run_stop(&host, true, &error), 0);
	assert_string_equal(host.log, "deactivate");
	assert_false(host.groups[0].reset_asserted);
}

/* What a reset has switched off, nothing switches on again but the device's owner. */
static void test_master_stays_off(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	assert_int_equal(run_reset(&host, true, 1, false, &error), 0);
	group_go_on(&host.groups[0]);
	assert_int_equal(host.config[0][PCI_COMMAND] & PCI_COMMAND_MASTER, 0);
	/* Nor what comes before a round of resets, when this one is refused. */
	host.config[0][PCI_COMMAND] |= PCI_COMMAND_MASTER;
	group_quiesce(&host.groups[0]);
	host.state = 2;
	assert_int_equal(run_reset(&host, true, 1, true, &error), ERROR_FROZEN);
	group_go_on(&host.groups[0]);
	assert_int_equal(host.config[0][PCI_COMMAND] & PCI_COMMAND_MASTER, 0);
}

static void test_h40_stop(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	host.devices[0].next = &host.devices[1];
	host.hits = 2;
	assert_int_equal(run_stop(&host, false, &error), 0);
	assert_string_equal(host.log, "function function");
	assert_true(host.groups[0].stopped);
	/* One that fails: the other is stopped all the same, and it is said which. */
	host.stuck[0] = true;
	host.config[0][PCI_COMMAND] = PCI_COMMAND_MASTER;
	host.config[1][PCI_COMMAND] = PCI_COMMAND_MASTER;
	assert_int_equal(run_stop(&host, false, &error), ERROR_QUARANTINED);
	assert_int_equal(host.config[1][PCI_COMMAND], 0);
	assert_false(host.groups[0].stopped);
	assert_string_equal(host.groups[0].obstacle.device, "0001:02:00.0");
	assert_non_null(strstr(host.groups[0].obstacle.why, "bus master"));
	/* Together with its bus one reset is enough for both. */
	host.stuck[0] = false;
	host.works = false;
	assert_int_equal(run_stop(&host, false, &error), 0);
	assert_string_equal(host.log, "bus:40");
	assert_int_equal(host.groups[0].obstacle.why[0], '\0');
}

/* Its devices' close would thaw it. */
static void test_h40_stop_frozen(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	host.state = 2;
	host.silent[0] = true;
	host.config[0][PCI_COMMAND] = 0;
	host.assert_result[0] = -EIO;
	host.assert_result[1] = -EIO;
	assert_int_equal(run_stop(&host, true, &error), ERROR_QUARANTINED);
	/* It stays frozen. */
	assert_string_equal(host.log, "hot fundamental fundamental");
	assert_int_equal(host.state, 2);
	assert_true(host.groups[0].reset_asserted);
	host.assert_result[0] = 0;
	assert_int_equal(run_stop(&host, true, &error), 0);
	assert_string_equal(host.log, "hot deactivate configure");
	assert_false(host.groups[0].reset_asserted);
	/* A reset that leaves the bus master on, as it finds it. */
	host.state = 2;
	host.config[0][PCI_COMMAND] = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	host.assert_result[0] = -EIO;
	host.assert_result[1] = 0;
	assert_int_equal(run_stop(&host, true, &error), 0);
	assert_string_equal(host.log, "hot fundamental deactivate configure");
	assert_int_equal(host.config[0][PCI_COMMAND], PCI_COMMAND_MEMORY);
	host.assert_result[0] = 0;
	/* What a client has left asserted was no reset if the firmware refused it, and its end
	 * thaws. */
	host.groups[0].reset_asserted = true;
	assert_int_equal(run_stop(&host, true, &error), 0);
	assert_string_equal(host.log, "hot deactivate configure");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_means),
		cmocka_unit_test(test_order_of_ways),
		cmocka_unit_test(test_function_refusals),
		cmocka_unit_test(test_bus_refusals),
		cmocka_unit_test(test_foreign_devices),
		cmocka_unit_test(test_many_devices),
		cmocka_unit_test(test_bystanders),
		cmocka_unit_test(test_pe_refusals),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_result_is_checked),
		cmocka_unit_test(test_wanted_back),
		cmocka_unit_test(test_wanted_back_meanwhile),
		cmocka_unit_test(test_wanted_back_while_a_reset_is_refused),
		cmocka_unit_test(test_h40_stop_asserted),
		cmocka_unit_test(test_master_stays_off),
		cmocka_unit_test(test_h40_stop),
		cmocka_unit_test(test_h40_stop_frozen),
	};

	return cmocka_run_group_tests_name("reset", tests, NULL, NULL);
}
