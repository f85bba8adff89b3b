/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulated host's sysfs tree against the listing of a real powernv9 host. */
#include <fcntl.h>
#include <libfdt.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "sim/host.h"
#include "sim/sysfs.h"
#include "sim_fixture.h"

struct tree {
	struct sim_host *host;
	char *root;
};

static int set_up(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	assert_int_equal(sim_host_new_builtin("powernv9", &tree->host), 0);
	assert_int_equal(sim_sysfs_new(tree->host, &tree->root), 0);
	*state = tree;
	return 0;
}

static int tear_down(void **state)
{
	struct tree *tree = *state;
	char *root = strdup(tree->root);

	tree->root = sim_sysfs_free(tree->root);
	assert_int_equal(access(root, F_OK), -1);
	free(root);
	tree->host = sim_host_free(tree->host);
	free(tree);
	return 0;
}

static void expect_file(struct tree *tree, const char *path, const char *text)
{
	char full[PATH_MAX];
	char content[4096];
	FILE *file;
	size_t size;

	(void)snprintf(full, sizeof(full), "%s/%s", tree->root, path);
	file = fopen(full, "re");
	assert_non_null(file);
	size = fread(content, 1, sizeof(content) - 1, file);
	content[size] = '\0';
	cleanup_file(&file);
	assert_string_equal(content, text);
}

static void expect_link(struct tree *tree, const char *path, const char *target)
{
	char full[PATH_MAX];
	char content[PATH_MAX];
	ssize_t size;

	(void)snprintf(full, sizeof(full), "%s/%s", tree->root, path);
	size = readlink(full, content, sizeof(content) - 1);
	assert_true(size > 0);
	content[size] = '\0';
	assert_string_equal(content, target);
	/* It leads somewhere. */
	assert_int_equal(access(full, F_OK), 0);
}

static void expect_none(struct tree *tree, const char *path)
{
	char full[PATH_MAX];
	struct stat status;

	(void)snprintf(full, sizeof(full), "%s/%s", tree->root, path);
	assert_int_equal(lstat(full, &status), -1);
	assert_int_equal(errno, ENOENT);
}

static void test_groups(void **state)
{
	struct tree *tree = *state;

	expect_file(tree, "kernel/iommu_groups/0/name", "domain0-pe1fd\n");
	expect_file(tree, "kernel/iommu_groups/1/name", "domain1-pefd\n");
	expect_file(tree, "kernel/iommu_groups/2/name", "domain2-pefd\n");
	expect_file(tree, "kernel/iommu_groups/3/name", "domain3-pe1fd\n");
	expect_file(tree, "kernel/iommu_groups/4/name", "domain4-pefd\n");
	expect_none(tree, "kernel/iommu_groups/5");
	expect_file(tree, "kernel/iommu_groups/0/type", "unknown\n");
	expect_file(tree, "kernel/iommu_groups/0/reserved_regions", "");
	expect_link(tree, "kernel/iommu_groups/0/devices/0000:01:00.0",
		    "../../../../devices/pci0000:00/0000:00:00.0/0000:01:00.0");
	expect_link(tree, "kernel/iommu_groups/3/devices/0003:01:00.1",
		    "../../../../devices/pci0003:00/0003:00:00.0/0003:01:00.1");
}

static void test_device_files(void **state)
{
	struct tree *tree = *state;

	expect_file(tree, "bus/pci/devices/0000:01:00.0/vendor", "0x1234\n");
	expect_file(tree, "bus/pci/devices/0000:01:00.0/device", "0x11e8\n");
	expect_file(tree, "bus/pci/devices/0000:01:00.0/class", "0x00ff00\n");
	expect_file(tree, "bus/pci/devices/0000:01:00.0/revision", "0x10\n");
	expect_file(tree, "bus/pci/devices/0000:01:00.0/subsystem_vendor", "0x1af4\n");
	expect_file(tree, "bus/pci/devices/0000:01:00.0/subsystem_device", "0x1100\n");
	expect_file(tree, "bus/pci/devices/0000:01:00.0/driver_override", "vfio-pci\n");
	expect_file(tree, "bus/pci/devices/0000:01:00.0/eeh_pe_config_addr", "0x1fd\n");
	expect_file(tree, "bus/pci/devices/0001:01:00.0/eeh_pe_config_addr", "0xfd\n");
	expect_file(tree, "bus/pci/devices/0003:01:00.1/devspec",
		    "/pciex@600c3c0300000/pci@0/ethernet@0,1\n");
	expect_file(tree, "bus/pci/devices/0004:01:00.0/driver_override", "(null)\n");
	expect_file(tree, "bus/pci/devices/0004:01:00.0/class", "0x020000\n");
	expect_file(tree, "bus/pci/devices/0005:00:00.0/class", "0x060400\n");
	expect_none(tree, "bus/pci/devices/0004:01:00.0/driver");
	expect_none(tree, "bus/pci/devices/0000:00:00.0/iommu_group");
	expect_none(tree, "bus/pci/devices/0000:00:00.0/driver");
}

static void test_device_links(void **state)
{
	struct tree *tree = *state;

	expect_link(tree, "bus/pci/devices/0000:01:00.0",
		    "../../../devices/pci0000:00/0000:00:00.0/0000:01:00.0");
	expect_link(tree, "bus/pci/devices/0000:01:00.0/driver",
		    "../../../../bus/pci/drivers/vfio-pci");
	expect_link(tree, "bus/pci/devices/0003:01:00.1/driver",
		    "../../../../bus/pci/drivers/e1000e");
	expect_link(tree, "bus/pci/drivers/e1000e/0003:01:00.1",
		    "../../../../devices/pci0003:00/0003:00:00.0/0003:01:00.1");
	expect_link(tree, "bus/pci/devices/0000:01:00.0/iommu_group",
		    "../../../../kernel/iommu_groups/0");
	expect_link(tree, "bus/pci/devices/0000:01:00.0/subsystem", "../../../../bus/pci");
	expect_link(tree, "bus/pci/devices/0003:01:00.1/of_node",
		    "../../../../firmware/devicetree/base/pciex@600c3c0300000/pci@0/ethernet@0,1");
	expect_link(tree, "bus/pci/devices/0000:00:00.0/of_node",
		    "../../../firmware/devicetree/base/pciex@600c3c0000000/pci@0");
}

/* Lines as the real host has them: 13 for a device, 17 for a bridge. */
static void test_resources(void **state)
{
	static const char none[] = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
	struct tree *tree = *state;
	char text[2048] = "0x000600c000000000 0x000600c0000fffff 0x0000000000040200\n";
	size_t used = strlen(text);

	for (int i = 1; i < 13; i++, used += strlen(none)) {
		(void)snprintf(text + used, sizeof(text) - used, "%s", none);
	}
	expect_file(tree, "bus/pci/devices/0000:01:00.0/resource", text);
	assert_int_equal(SIM_RESOURCES, 17);
}

static size_t read_bytes(struct tree *tree, const char *path, uint8_t *bytes, size_t size)
{
	char full[PATH_MAX];
	ssize_t length;
	int fd;

	(void)snprintf(full, sizeof(full), "%s/%s", tree->root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	length = read(fd, bytes, size);
	cleanup_fd(&fd);
	assert_true(length >= 0);
	return (size_t)length;
}

static void test_config_space(void **state)
{
	static const uint8_t edu[] = {0x34, 0x12, 0xe8, 0x11, 0, 0, 0, 0, 0x10, 0, 0xff, 0};
	struct tree *tree = *state;
	uint8_t config[512];

	assert_int_equal(
		read_bytes(tree, "bus/pci/devices/0000:01:00.0/config", config, sizeof(config)),
		256);
	assert_memory_equal(config, edu, sizeof(edu));
	assert_int_equal(config[0x0e], 0);
	assert_memory_equal(config + 0x2c, "\xf4\x1a\x00\x11", 4);
	(void)read_bytes(tree, "bus/pci/devices/0003:01:00.0/config", config, sizeof(config));
	assert_int_equal(config[0x0e], 0x80);
	(void)read_bytes(tree, "bus/pci/devices/0003:00:00.0/config", config, sizeof(config));
	assert_int_equal(config[0x0e], 0x01);
}

static void test_device_tree(void **state)
{
	static uint8_t fdt[65536] __attribute__((aligned(8)));
	struct tree *tree = *state;
	uint8_t property[8];
	size_t size = read_bytes(tree, SYSFS_FDT, fdt, sizeof(fdt));

	assert_int_equal(fdt_check_full(fdt, size), 0);
	assert_true(fdt_path_offset(fdt, "/pciex@600c3c0500000") > 0);
	assert_int_equal(read_bytes(tree,
				    "firmware/devicetree/base/pciex@600c3c0300000/ibm,opal-phbid",
				    property, sizeof(property)),
			 8);
	assert_memory_equal(property, "\0\0\0\0\0\0\0\3", 8);
	expect_none(tree, "firmware/devicetree/base/pciex@600c3c0000000/pci@0/device@0/"
			  "spaprd,driver");
}

/* With hardly any fd left the tree goes all the same. */
static void test_removal_without_fds(void **state)
{
	struct tree *tree = *state;
	char *root = strdup(tree->root);
	int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit limit;
	struct rlimit low;

	assert_true(lowest >= 0);
	(void)close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)lowest + 2;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	tree->root = sim_sysfs_free(tree->root);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	tree->root = root;
	assert_int_equal(access(root, F_OK), -1);
}

/* trees that are none */

static void test_host_from_a_bad_tree(void **state)
{
	static const char garbage[64] __attribute__((aligned(8))) = "no device tree";
	static uint8_t empty[256] __attribute__((aligned(8)));
	struct sim_host *host = NULL;

	(void)state;
	assert_int_equal(sim_host_new("garbage", garbage, sizeof(garbage), &host), -EBADMSG);
	assert_int_equal(fdt_create_empty_tree(empty, sizeof(empty)), 0);
	assert_int_equal(sim_host_new("empty", empty, sizeof(empty), &host), -EBADMSG);
	assert_int_equal(sim_host_new_builtin("vax", &host), -ENODEV);
	assert_null(host);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_groups),
		TEST(test_device_files),
		TEST(test_device_links),
		TEST(test_resources),
		TEST(test_config_space),
		TEST(test_device_tree),
		TEST(test_removal_without_fds),
		cmocka_unit_test(test_host_from_a_bad_tree),
	};

	return cmocka_run_group_tests_name("sim-sysfs", tests, NULL, NULL);
}
