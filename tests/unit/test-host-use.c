/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host itself uses is not taken from it, unless it is forced. */
#include <stdio.h>
#include <string.h>

#include "binder_stage.h"
#include "unit.h"

#define NVME "sys/devices/pci/0005:01:00.0"
#define NIC  "sys/devices/pci/0006:01:00.1"

static void add_disk(const char *path, const char *name, const char *number)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "%s/%s/dev", path, name);
	stage_write_file(text, number);
	(void)snprintf(text, sizeof(text), "sys/class/block/%s", name);
	{
		char target[256];

		(void)snprintf(target, sizeof(target), "%s/%s", path, name);
		stage_link(text, target);
	}
}

static void add_interface(const char *path, const char *name)
{
	char link[256];
	char target[256];

	(void)snprintf(target, sizeof(target), "%s/net/%s", path, name);
	(void)snprintf(link, sizeof(link), "%s/net/%s/mtu", path, name);
	stage_write_file(link, "1500\n");
	(void)snprintf(link, sizeof(link), "sys/class/net/%s", name);
	stage_link(link, target);
}

static void expect_busy(uint32_t group, const char *words)
{
	assert_int_equal(stage_bind(group, "vfio-pci", 0), ERROR_BUSY);
	stage_expect_words(words);
	assert_int_equal(stage.write_count, 0);
	assert_false(stage_has_record(group));
}

/* Forced, it goes; then everything is put back for the next case. */
static void expect_force(uint32_t group)
{
	assert_int_equal(stage_bind(group, "vfio-pci", BIND_FORCE), ERROR_NONE);
	assert_int_equal(stage_restore(group), ERROR_NONE);
}

/* -- disks -- */

static void test_disk_that_is_not_mounted(void **state)
{
	(void)state;
	add_disk(NVME "/nvme/nvme0", "nvme0n1", "259:0\n");
	assert_int_equal(stage_bind(5, "vfio-pci", 0), ERROR_NONE);
}

static void test_mounted_disk(void **state)
{
	(void)state;
	add_disk(NVME "/nvme/nvme0", "nvme0n1", "259:0\n");
	stage_write_file("proc/1/mountinfo",
			 "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
			 "30 22 259:0 / /srv rw,noatime shared:7 - xfs /dev/nvme0n1 rw\n");
	expect_busy(5, "the host uses 0005:01:00.0: its disk /dev/nvme0n1 is mounted at /srv");
	expect_force(5);
}

/* A partition has a number of its own. */
static void test_mounted_partition(void **state)
{
	(void)state;
	add_disk(NVME "/nvme/nvme0", "nvme0n1", "259:0\n");
	add_disk(NVME "/nvme/nvme0/nvme0n1", "nvme0n1p2", "259:2\n");
	stage_write_file("proc/1/mountinfo", "30 22 259:2 / /home rw - xfs /dev/nvme0n1p2 rw\n");
	expect_busy(5, "/dev/nvme0n1p2 is mounted at /home");
}

/* btrfs has numbers of its own: the source tells. */
static void test_mount_by_its_source(void **state)
{
	(void)state;
	add_disk(NVME "/nvme/nvme0", "nvme0n1", "259:0\n");
	stage_write_file("proc/1/mountinfo",
			 "30 22 0:35 /@ /data rw shared:1 master:2 - btrfs /dev/nvme0n1 rw\n");
	expect_busy(5, "is mounted at /data");
}

/* Through dm: the volume is mounted, and what it is made of is in use. */
static void test_volume_on_a_disk(void **state)
{
	(void)state;
	add_disk(NVME "/nvme/nvme0", "nvme0n1", "259:0\n");
	add_disk("sys/devices/virtual/block", "dm-3", "253:3\n");
	stage_write_file("sys/devices/virtual/block/dm-3/dm/name", "host-root\n");
	stage_write_file(NVME "/nvme/nvme0/nvme0n1/holders/dm-3", "");
	stage_write_file("proc/1/mountinfo", "30 22 253:3 / /var rw - ext4 /dev/mapper/x rw\n");
	expect_busy(5, "/dev/dm-3 is mounted at /var");
	stage_write_file("proc/1/mountinfo", "30 22 8:1 / / rw - ext4 /dev/sda1 rw\n");
	stage_write_file("proc/swaps", "Filename Type Size Used Priority\n"
				       "/dev/mapper/host-root partition 8 0 -2\n");
	expect_busy(5, "/dev/dm-3 is a swap");
	expect_force(5);
}

/* With native multipath the disk is the subsystem's. */
static void test_disk_of_a_subsystem(void **state)
{
	(void)state;
	stage_write_file(NVME "/nvme/nvme0/dev", "242:0\n");
	add_disk("sys/devices/virtual/nvme-subsystem/nvme-subsys0", "nvme0n1", "259:0\n");
	stage_link("sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0", NVME "/nvme/nvme0");
	stage_write_file("proc/1/mountinfo", "30 22 259:0 / /srv rw - xfs /dev/nvme0n1 rw\n");
	expect_busy(5, "/dev/nvme0n1 is mounted at /srv");
}

static void test_disk_of_another_device(void **state)
{
	(void)state;
	/* Its name begins alike. */
	add_disk("sys/devices/pci/0005:01:00.00", "sdb", "8:16\n");
	stage_write_file("proc/1/mountinfo", "30 22 8:16 / /srv rw - xfs /dev/sdb rw\n");
	assert_int_equal(stage_bind(5, "vfio-pci", 0), ERROR_NONE);
}

/* What can't be seen is not taken for unused. */
static void test_mounts_that_can_not_be_read(void **state)
{
	char path[PATH_MAX];

	(void)state;
	add_disk(NVME "/nvme/nvme0", "nvme0n1", "259:0\n");
	(void)snprintf(path, sizeof(path), "%s/1/mountinfo", stage.proc);
	assert_int_equal(remove(path), 0);
	assert_int_equal(stage_bind(5, "vfio-pci", 0), ERROR_KERNEL);
	stage_expect_words("can't see");
	assert_int_equal(stage.write_count, 0);
	/* This process's own will do. */
	stage_write_file("proc/self/mountinfo", "30 22 259:0 / /srv rw - xfs /dev/nvme0n1 rw\n");
	expect_busy(5, "is mounted at /srv");
}

/* -- interfaces -- */

#define ROUTE_HEAD "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"

static void test_interface_without_default_route(void **state)
{
	(void)state;
	add_interface(NIC, "eth1");
	stage_write_file("proc/net/route",
			 ROUTE_HEAD "eth0 00000000 0100A8C0 0003 0 0 0 00000000 0 0 0\n"
				    "eth1 0000A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
				    /* half of everything: it is no default route */
				    "eth1 00000000 0100A8C0 0003 0 0 0 00000080 0 0 0\n");
	stage_write_file("proc/net/ipv6_route",
			 "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
			 "00000000000000000000000000000000 ffffffff 1 0 00200200 eth1\n");
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
}

static void test_default_route(void **state)
{
	(void)state;
	add_interface(NIC, "eth1");
	stage_write_file("proc/net/route",
			 ROUTE_HEAD "eth1 00000000 0100A8C0 0003 0 0 0 00000000 0 0 0\n");
	expect_busy(6, "the host uses 0006:01:00.1: its interface eth1 carries the default route:");
	expect_force(6);
}

static void test_default_route_of_ipv6(void **state)
{
	(void)state;
	add_interface(NIC, "eth1");
	stage_write_file("proc/net/ipv6_route",
			 "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
			 "fe800000000000000000000000000001 00000400 1 0 00000003 eth1\n");
	expect_busy(6, "interface eth1 carries the default route");
}

/* A VLAN on a bond on the interface. */
static void test_default_route_above(void **state)
{
	(void)state;
	add_interface(NIC, "eth1");
	add_interface("sys/devices/virtual", "bond0");
	add_interface("sys/devices/virtual", "bond0.7");
	stage_link(NIC "/net/eth1/master", "sys/devices/virtual/net/bond0");
	stage_link("sys/devices/virtual/net/bond0/upper_bond0.7",
		   "sys/devices/virtual/net/bond0.7");
	stage_write_file("proc/net/route",
			 ROUTE_HEAD "bond0.7 00000000 0100A8C0 0003 0 0 0 00000000 0 0 0\n");
	expect_busy(6, "its interface eth1 carries the default route of bond0.7");
}

/* Two that are above each other, which no kernel makes: it ends. */
static void test_interfaces_in_a_circle(void **state)
{
	(void)state;
	add_interface(NIC, "eth1");
	add_interface("sys/devices/virtual", "br0");
	stage_link(NIC "/net/eth1/master", "sys/devices/virtual/net/br0");
	stage_link("sys/devices/virtual/net/br0/master", NIC "/net/eth1");
	assert_int_equal(stage_bind(6, "vfio-pci", 0), ERROR_NONE);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, binder_stage_set_up, binder_stage_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_disk_that_is_not_mounted),
		TEST(test_mounted_disk),
		TEST(test_mounted_partition),
		TEST(test_mount_by_its_source),
		TEST(test_volume_on_a_disk),
		TEST(test_disk_of_a_subsystem),
		TEST(test_disk_of_another_device),
		TEST(test_mounts_that_can_not_be_read),
		TEST(test_interface_without_default_route),
		TEST(test_default_route),
		TEST(test_default_route_of_ipv6),
		TEST(test_default_route_above),
		TEST(test_interfaces_in_a_circle),
	};

	return cmocka_run_group_tests_name("host-use", tests, NULL, NULL);
}
