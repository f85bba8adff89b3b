/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprd-bind: binding a group as one transaction, and giving it back. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "binder/state.h"
#include "binder_stage.h"
#include "common/cleanup.h"
#include "common/names.h"
#include "unit.h"

/* Everything is as it was at the start. */
static void expect_group_6_untouched(void)
{
	stage_expect_driver("0006:01:00.0", "e1000e");
	stage_expect_override("0006:01:00.0", "");
	stage_expect_driver("0006:01:00.1", "e1000e");
	stage_expect_override("0006:01:00.1", "pci-stub");
	stage_expect_driver("0006:01:00.2", "");
	stage_expect_override("0006:01:00.2", "");
}

static void expect_group_6_bound(void)
{
	static const char *const names[] = {"0006:01:00.0", "0006:01:00.1", "0006:01:00.2"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *name = names[i];

		stage_expect_driver(name, "vfio-pci");
		stage_expect_override(name, "vfio-pci");
	}
}

/* -- what works -- */

static void test_bind_and_restore(void **state)
{
	(void)state;
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	assert_string_equal(stage_answer.text, "");
	expect_group_6_bound();
	assert_int_equal(stage_answer.result_count, 3);
	assert_string_equal(stage_answer.results[0].device, "0006:01:00.0");
	assert_string_equal(stage_answer.results[0].from, "e1000e");
	assert_string_equal(stage_answer.results[0].to, "vfio-pci");
	assert_string_equal(stage_answer.results[2].from, "");
	assert_true(stage_has_record(6));
	assert_int_equal(stage_restore(6), ERROR_NONE);
	expect_group_6_untouched();
	assert_int_equal(stage_answer.result_count, 3);
	assert_string_equal(stage_answer.results[0].device, "0006:01:00.2");
	assert_string_equal(stage_answer.results[0].from, "vfio-pci");
	assert_string_equal(stage_answer.results[0].to, "");
	assert_false(stage_has_record(6));
	assert_int_equal(stage_restore(6), ERROR_NOT_FOUND);
}

/* What has the driver already is left alone, and is not given back either. */
static void test_only_what_has_to_change(void **state)
{
	(void)state;
	assert_int_equal(stage_bind(3, "vfio-pci", 0), ERROR_NONE);
	assert_int_equal(stage_answer.result_count, 1);
	assert_string_equal(stage_answer.results[0].device, "0003:01:00.1");
	assert_int_equal(stage_bind(3, "vfio-pci", 0), ERROR_NONE);
	assert_int_equal(stage_answer.result_count, 0);
	assert_int_equal(stage.write_count, 0);
	assert_int_equal(stage_restore(3), ERROR_NONE);
	stage_expect_driver("0003:01:00.0", "vfio-pci");
	stage_expect_driver("0003:01:00.1", "e1000e");
}

/* The driver is taken before it is written down, and the override cleared by a newline. */
static void test_order_of_writes(void **state)
{
	(void)state;
	assert_int_equal(stage_bind(3, "vfio-pci", 0), ERROR_NONE);
	assert_int_equal(stage.write_count, 4);
	assert_string_equal(stage.writes[0], "bus/pci/drivers/e1000e/unbind=0003:01:00.1");
	assert_string_equal(stage.writes[1],
			    "bus/pci/devices/0003:01:00.1/driver_override=vfio-pci");
	assert_string_equal(stage.writes[2], "bus/pci/drivers_probe=0003:01:00.1");
	assert_string_equal(stage.writes[3],
			    "bus/pci/devices/0003:01:00.1/driver_override=vfio-pci");
	assert_int_equal(stage_restore(3), ERROR_NONE);
	assert_string_equal(stage.writes[stage.write_count - 1],
			    "bus/pci/devices/0003:01:00.1/driver_override=\n");
}

/* What was there before the first of two calls is what comes back. */
static void test_second_driver(void **state)
{
	(void)state;
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	assert_int_equal(stage_bind(6, "nvme", 0), ERROR_NONE);
	stage_expect_driver("0006:01:00.1", "nvme");
	assert_int_equal(stage_restore(6), ERROR_NONE);
	expect_group_6_untouched();
}

static void test_bridge_keeps_its_driver(void **state)
{
	(void)state;
	assert_int_equal(stage_bind(5, "vfio-pci", 0), ERROR_NONE);
	assert_int_equal(stage_answer.result_count, 1);
	stage_expect_driver("0005:00:00.0", "pcieport");
	stage_expect_driver("0005:01:00.0", "vfio-pci");
	assert_int_equal(stage_bind(7, "vfio-pci", 0), ERROR_UNSUPPORTED);
	stage_expect_words("nothing but bridges");
	stage_expect_driver("0007:00:00.0", "pcieport");
}

/* -- refusals before anything is touched -- */

static void expect_refused(const struct bind_request *request, int code, const char *words)
{
	stage.write_count = 0;
	binder_serve(&stage.binder, request, &stage_answer);
	assert_int_equal(stage_answer.code, code);
	stage_expect_words(words);
	assert_int_equal(stage.write_count, 0);
	assert_false(stage_has_record(request->group));
}

static void test_bad_requests(void **state)
{
	const struct bind_request good = {
		.version = BIND_PROTOCOL_VERSION,
		.operation = BIND_BIND,
		.group = 4,
		.device_count = 1,
		.driver = "vfio-pci",
		.devices = {"0004:01:00.0"},
	};
	static const char *const drivers[] = {"", "../x", "a/b", ".", "vfio pci"};
	static const char *const names[] = {"", "../0004:01:00.0", "0004/01", "..", "a\nb"};
	struct bind_request bad = good;

	(void)state;
	bad.version++;
	expect_refused(&bad, ERROR_INVALID_ARGUMENT, "makes no sense");
	bad = good;
	bad.flags = 2;
	expect_refused(&bad, ERROR_INVALID_ARGUMENT, "makes no sense");
	bad = good;
	bad.reserved = 1;
	expect_refused(&bad, ERROR_INVALID_ARGUMENT, "makes no sense");
	bad = good;
	bad.device_count = BIND_DEVICES_MAX + 1;
	expect_refused(&bad, ERROR_INVALID_ARGUMENT, "makes no sense");
	bad = good;
	bad.operation = 99;
	expect_refused(&bad, ERROR_INVALID_ARGUMENT, "there is no operation 99");
	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++) {
		bad = good;
		(void)snprintf(bad.driver, sizeof(bad.driver), "%s", drivers[i]);
		expect_refused(&bad, ERROR_INVALID_ARGUMENT, "makes no sense");
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		bad = good;
		(void)snprintf(bad.devices[0], sizeof(bad.devices[0]), "%s", names[i]);
		expect_refused(&bad, ERROR_INVALID_ARGUMENT, "makes no sense");
	}
	bad = good;
	memset(bad.driver, 'x', sizeof(bad.driver)); /* not terminated */
	expect_refused(&bad, ERROR_INVALID_ARGUMENT, "makes no sense");
	bad = good;
	bad.operation = BIND_RESTORE; /* which takes no devices */
	expect_refused(&bad, ERROR_INVALID_ARGUMENT, "makes no sense");
	bad.device_count = 0;
	bad.flags = BIND_FORCE;
	expect_refused(&bad, ERROR_INVALID_ARGUMENT, "makes no sense");
	bad.operation = BIND_HOLDERS;
	expect_refused(&bad, ERROR_INVALID_ARGUMENT, "makes no sense");
}

static void test_devices_that_are_not_the_group(void **state)
{
	struct bind_request request = {
		.version = BIND_PROTOCOL_VERSION,
		.operation = BIND_BIND,
		.group = 3,
		.device_count = 1,
		.driver = "vfio-pci",
		.devices = {"0003:01:00.1"},
	};

	(void)state;
	expect_refused(&request, ERROR_INVALID_ARGUMENT,
		       "0003:01:00.0 is in group 3, too: a group is bound as a whole");
	request.device_count = 3;
	(void)snprintf(request.devices[1], BIND_NAME_SIZE, "0003:01:00.0");
	(void)snprintf(request.devices[2], BIND_NAME_SIZE, "0004:01:00.0");
	expect_refused(&request, ERROR_INVALID_ARGUMENT, "has 2 devices, and not the 3");
	request.group = 99;
	expect_refused(&request, ERROR_NOT_FOUND, "group 99");
}

static void test_driver_that_is_not_there(void **state)
{
	(void)state;
	assert_int_equal(stage_bind(6, "mlx5_vfio_pci", 0), ERROR_INVALID_ARGUMENT);
	stage_expect_words("modprobe mlx5_vfio_pci");
	assert_int_equal(stage.write_count, 0);
	expect_group_6_untouched();
}

/* -- steps that fail -- */

/* How many writes a whole bind of group 6 takes. */
static unsigned int count_writes(void)
{
	unsigned int count;

	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	count = stage.write_count;
	assert_int_equal(stage_restore(6), ERROR_NONE);
	return count;
}

static void test_each_failing_write_is_undone(void **state)
{
	unsigned int count = count_writes();

	(void)state;
	assert_int_equal(count, 11);
	for (unsigned int i = 1; i <= count; i++) {
		stage.fail_at = i;
		stage.fail_times = 1;
		stage.fail_errno = EPERM;
		assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_KERNEL);
		stage_expect_words("the kernel refused to");
		stage_expect_words("EPERM");
		assert_null(strstr(stage_answer.text, "could not be put back"));
		assert_int_equal(stage_answer.result_count, 0);
		expect_group_6_untouched();
		assert_false(stage_has_record(6));
	}
}

/* drivers_probe says that it worked: only the link tells. */
static void test_driver_that_does_not_take_it(void **state)
{
	(void)state;
	assert_int_equal(stage_bind(6, "lazy", 0), ERROR_KERNEL);
	stage_expect_words("0006:01:00.0: driver lazy did not take it: it is bound to none");
	expect_group_6_untouched();
	assert_false(stage_has_record(6));
}

/* What can't be undone is told, stays written down, and can be given back later. */
static void test_what_can_not_be_undone(void **state)
{
	unsigned int count = count_writes();

	(void)state;
	for (unsigned int i = 1; i <= count; i++) {
		stage.fail_at = i;
		stage.fail_times = 1000;
		stage.fail_errno = EIO;
		assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_KERNEL);
		/* Where the very first unbinding is refused there is only an override to clear. */
		stage_expect_words("could not be put back");
		assert_true(stage_has_record(6));
		stage.fail_at = 0;
		assert_int_equal(stage_restore(6), ERROR_NONE);
		expect_group_6_untouched();
		assert_false(stage_has_record(6));
	}
}

/* One device that can't be given back doesn't keep the others, and stays written down. */
static void test_restore_that_fails(void **state)
{
	(void)state;
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	stage.fail_at = 4; /* the first of the second device */
	stage.fail_times = 1;
	stage.fail_errno = EBUSY;
	assert_int_equal(stage_restore(6), ERROR_KERNEL);
	stage_expect_words("0006:01:00.1: the kernel refused to unbind it from vfio-pci");
	assert_int_equal(stage_answer.result_count, 2);
	stage_expect_driver("0006:01:00.0", "e1000e");
	stage_expect_driver("0006:01:00.1", "vfio-pci");
	stage_expect_driver("0006:01:00.2", "");
	assert_true(stage_has_record(6));
	stage.fail_at = 0;
	assert_int_equal(stage_restore(6), ERROR_NONE);
	assert_int_equal(stage_answer.result_count, 1);
	expect_group_6_untouched();
}

/* -- devices that vanish -- */

static void test_device_that_vanishes(void **state)
{
	(void)state;
	stage.vanishing = "0006:01:00.1";
	stage.vanish_at = 5;
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_KERNEL);
	stage_expect_words("0006:01:00.1");
	stage_expect_driver("0006:01:00.0", "e1000e");
	stage_expect_driver("0006:01:00.2", "");
	stage_expect_words("0006:01:00.1 was unplugged");
	stage.vanish_at = 0;
	/* What is gone needs nothing. */
	assert_int_equal(stage_restore(6), ERROR_NONE);
	assert_false(stage_has_record(6));
}

static void path_of_root(const char *name, char ret_path[static PATH_MAX])
{
	(void)snprintf(ret_path, PATH_MAX, "%s/%s", stage.root, name);
}

/* It was unplugged, and came back in a group that others have. */
static void test_device_that_is_in_another_group(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	path_of_root("sys/" SYSFS_IOMMU_GROUPS "/6/devices/0006:01:00.1", path);
	assert_int_equal(unlink(path), 0);
	stage_link("sys/" SYSFS_IOMMU_GROUPS "/4/devices/0006:01:00.1",
		   "sys/devices/pci/0006:01:00.1");
	assert_int_equal(stage_restore(6), ERROR_NONE);
	assert_int_equal(stage_answer.result_count, 2);
	for (unsigned int i = 0; i < stage.write_count; i++) {
		assert_null(strstr(stage.writes[i], "0006:01:00.1"));
	}
	stage_expect_driver("0006:01:00.1", "vfio-pci");
	stage_expect_driver("0006:01:00.0", "e1000e");
	assert_false(stage_has_record(6));
}

/* As the kernel does with another device in the slot: there is no driver_override any more. */
static void give_to_nvme(const char *device)
{
	char path[PATH_MAX];
	char name[128];

	(void)snprintf(name, sizeof(name), "sys/devices/pci/%s/driver", device);
	path_of_root(name, path);
	(void)unlink(path);
	stage_link(name, "sys/" SYSFS_PCI_DRIVERS "/nvme");
	(void)snprintf(name, sizeof(name), "sys/devices/pci/%s/" SYSFS_OVERRIDE, device);
	stage_write_file(name, "(null)\n");
}

/* What is written down of the one that was there before is not for its successor. */
static void test_device_that_is_another_one(void **state)
{
	(void)state;
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	give_to_nvme("0006:01:00.0");
	assert_int_equal(stage_restore(6), ERROR_NONE);
	stage_expect_driver("0006:01:00.0", "nvme");
	stage_expect_override("0006:01:00.0", "");
	stage_expect_driver("0006:01:00.1", "e1000e");
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	give_to_nvme("0006:01:00.1");
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	expect_group_6_bound();
	assert_int_equal(stage_restore(6), ERROR_NONE);
	stage_expect_driver("0006:01:00.1", "nvme");
	stage_expect_override("0006:01:00.1", "");
}

/* -- records -- */

static void expect_distrusted(const char *words)
{
	assert_int_equal(stage_restore(6), ERROR_KERNEL);
	stage_expect_words(words);
	assert_int_equal(stage.write_count, 0);
	assert_int_equal(stage_bind(6, "nvme", 0), ERROR_KERNEL);
	assert_int_equal(stage.write_count, 0);
	expect_group_6_bound();
}

/* Root does what is written there: it has to be root's own. */
static void test_records_that_others_can_write(void **state)
{
	char folder[PATH_MAX];
	char record[PATH_MAX];
	char moved[PATH_MAX];

	(void)state;
	path_of_root("state", folder);
	path_of_root("state/group-6", record);
	path_of_root("moved", moved);
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	assert_int_equal(chmod(folder, 0777), 0);
	expect_distrusted("somebody else may write to the folder");
	assert_int_equal(chmod(folder, 0700), 0);
	assert_int_equal(chmod(record, 0620), 0);
	expect_distrusted("somebody else may have written");
	assert_int_equal(chmod(record, 0600), 0);
	assert_int_equal(rename(record, moved), 0);
	assert_int_equal(symlink(moved, record), 0);
	expect_distrusted("ELOOP");
	assert_int_equal(unlink(record), 0);
	assert_int_equal(rename(moved, record), 0);
	assert_int_equal(rename(folder, moved), 0);
	assert_int_equal(symlink(moved, folder), 0);
	expect_distrusted("can't keep the record");
	assert_int_equal(unlink(folder), 0);
	assert_int_equal(rename(moved, folder), 0);
	assert_int_equal(stage_restore(6), ERROR_NONE);
	expect_group_6_untouched();
}

/* A helper that hangs may outlive the spaprd that started it. */
static void test_one_at_a_time(void **state)
{
	cleanup(cleanup_fd) int lock = -1;
	struct error error;

	(void)state;
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	assert_int_equal(state_lock(stage.state, 6, &lock, &error), 0);
	assert_int_equal(stage_restore(6), ERROR_BUSY);
	stage_expect_words("another spaprd-bind is at work for group 6");
	assert_int_equal(stage_bind(6, "nvme", 0), ERROR_BUSY);
	assert_int_equal(stage.write_count, 0);
	/* Other groups are not its business. */
	assert_int_equal(stage_bind(4, "vfio-pci", 0), ERROR_NONE);
	lock = fd_close(lock);
	assert_int_equal(stage_restore(6), ERROR_NONE);
	expect_group_6_untouched();
}

static void test_driver_with_blanks(void **state)
{
	char path[PATH_MAX];

	(void)state;
	stage_write_file("sys/" SYSFS_PCI_DRIVERS "/two  words/uevent", "");
	path_of_root("sys/devices/pci/0006:01:00.0/driver", path);
	assert_int_equal(unlink(path), 0);
	stage_link("sys/devices/pci/0006:01:00.0/driver", "sys/" SYSFS_PCI_DRIVERS "/two  words");
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	expect_group_6_bound();
	assert_int_equal(stage_restore(6), ERROR_NONE);
	stage_expect_driver("0006:01:00.0", "two  words");
}

static void expect_bad_record(const char *text)
{
	stage_write_file("state/group-6", text);
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_KERNEL);
	stage_expect_words("group-6");
	stage_expect_words("makes no sense");
	assert_int_equal(stage.write_count, 0);
	assert_int_equal(stage_restore(6), ERROR_KERNEL);
	assert_int_equal(stage.write_count, 0);
}

static void test_bad_records(void **state)
{
	static const char *const texts[] = {
		"",
		"end\n",
		"spaprd-bind 2\nend\n",
		"spaprd-bind 1\n",
		"spaprd-bind 1\ndevice 0006:01:00.0 e1000e\n",
		"spaprd-bind 1\ndevice 0006:01:00.0\nend\n",
		"spaprd-bind 1\ndevice 0006:01:00.0 \nend\n",
		"spaprd-bind 1\ndevice 0006:01:00.0:and:more e1000e\nend\n",
		"spaprd-bind 1\ndevice 0006:01:00.0 -\ndevice 0006:01:00.0 -\nend\n",
		"spaprd-bind 1\noverride 0006:01:00.0 x\nend\n",
		"spaprd-bind 1\ndevice 0006:01:00.0 -\noverride 0006:01:00.0\nend\n",
		"spaprd-bind 1\nelse\nend\n",
		"spaprd-bind 1\nend\nmore\n",
		"spaprd-bind 1\nend",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		expect_bad_record(texts[i]);
	}
	expect_group_6_untouched();
}

/* Nothing is touched when it can't be written down first. */
static void test_record_that_can_not_be_written(void **state)
{
	(void)state;
	stage_write_file("state", "a file, and no folder");
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_KERNEL);
	assert_int_equal(stage.write_count, 0);
	expect_group_6_untouched();
	/* A full disk: /dev/full answers ENOSPC, but no file can be made in it. */
	assert_int_equal(unlink(stage.state), 0);
	stage.binder.state = "/proc/self";
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_KERNEL);
	stage_expect_words("can't keep the record /proc/self/group-6");
	assert_int_equal(stage.write_count, 0);
	expect_group_6_untouched();
}

/* A process that was killed between its steps leaves a record, and perhaps half of a new one. */
static void test_after_a_crash(void **state)
{
	(void)state;
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	stage_write_file("state/group-6.new", "spaprd-bind 1\ndev");
	assert_int_equal(stage_bind(6, "nvme", 0), ERROR_NONE);
	assert_int_equal(stage_restore(6), ERROR_NONE);
	expect_group_6_untouched();
}

/* -- users -- */

static void test_node_that_is_open(void **state)
{
	(void)state;
	stage_write_file("proc/1234/comm", "qemu-system-ppc\n");
	stage.holder = 1234;
	/* Nothing of the group is VFIO's yet. */
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	assert_int_equal(stage_restore(6), ERROR_BUSY);
	stage_expect_words("process 1234 (qemu-system-ppc) has /dev/vfio/6 open: end it first");
	assert_int_equal(stage.write_count, 0);
	/* Nor may a driver of the host's come to a group that somebody has. */
	stage.holder = 0;
	assert_int_equal(stage_restore(6), ERROR_NONE);
	stage.holder = 1234;
	assert_int_equal(stage_bind(4, "nvme", 0), ERROR_BUSY);
	assert_int_equal(stage.write_count, 0);
	assert_int_equal(stage_bind(4, "vfio-pci", 0), ERROR_NONE);
}

/* Who can't be seen may be there. */
static void test_users_that_can_not_be_found(void **state)
{
	(void)state;
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
	stage.holders_errno = EACCES;
	assert_int_equal(stage_restore(6), ERROR_KERNEL);
	stage_expect_words("can't find who has group 6 open");
	assert_int_equal(stage.write_count, 0);
	expect_group_6_bound();
}

static int ask_holders(void)
{
	const struct bind_request request = {
		.version = BIND_PROTOCOL_VERSION,
		.operation = BIND_HOLDERS,
		.group = 3,
	};

	binder_serve(&stage.binder, &request, &stage_answer);
	return (int)stage_answer.code;
}

static void test_holders(void **state)
{
	(void)state;
	assert_int_equal(ask_holders(), ERROR_NONE);
	assert_int_equal(stage_answer.holder_count, 0);
	stage.holder = 77;
	stage_write_file("proc/77/comm", "bad\x1b[31m name\n");
	assert_int_equal(ask_holders(), ERROR_NONE);
	assert_int_equal(stage_answer.holder_count, 1);
	assert_int_equal(stage_answer.holders[0].pid, 77);
	assert_string_equal(stage_answer.holders[0].name, "bad?[31m name");
	stage.holder = 78; /* it has just ended */
	assert_int_equal(ask_holders(), ERROR_NONE);
	assert_string_equal(stage_answer.holders[0].name, "?");
	stage.holders_errno = EACCES;
	assert_int_equal(ask_holders(), ERROR_KERNEL);
	stage_expect_words("EACCES");
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, binder_stage_set_up, binder_stage_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_bind_and_restore),
		TEST(test_only_what_has_to_change),
		TEST(test_order_of_writes),
		TEST(test_second_driver),
		TEST(test_bridge_keeps_its_driver),
		TEST(test_bad_requests),
		TEST(test_devices_that_are_not_the_group),
		TEST(test_driver_that_is_not_there),
		TEST(test_each_failing_write_is_undone),
		TEST(test_driver_that_does_not_take_it),
		TEST(test_what_can_not_be_undone),
		TEST(test_restore_that_fails),
		TEST(test_device_that_vanishes),
		TEST(test_device_that_is_in_another_group),
		TEST(test_device_that_is_another_one),
		TEST(test_bad_records),
		TEST(test_records_that_others_can_write),
		TEST(test_one_at_a_time),
		TEST(test_driver_with_blanks),
		TEST(test_record_that_can_not_be_written),
		TEST(test_after_a_crash),
		TEST(test_node_that_is_open),
		TEST(test_users_that_can_not_be_found),
		TEST(test_holders),
	};

	return cmocka_run_group_tests_name("binder", tests, NULL, NULL);
}
