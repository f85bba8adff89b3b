/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulated hosts' sysfs trees against the listings of the lab's hosts. */
#include <fcntl.h>
#include <libfdt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "sim/host.h"
#include "sim/sysfs.h"
#include "sim_fixture.h"

struct tree {
	struct sim_host *host;
	char *root;
};

static int set_up_host(void **state, const char *host)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	assert_int_equal(sim_host_new_builtin(host, &tree->host), 0);
	assert_int_equal(sim_sysfs_new(tree->host, &tree->root), 0);
	*state = tree;
	return 0;
}

static int set_up(void **state)
{
	return set_up_host(state, "powernv9");
}

static int set_up_powernv8(void **state)
{
	return set_up_host(state, "powernv8");
}

static int set_up_pseries(void **state)
{
	return set_up_host(state, "pseries");
}

static int set_up_x86(void **state)
{
	return set_up_host(state, "x86");
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
	static const uint8_t edu[] = {0x34, 0x12, 0xe8, 0x11, 0, 1, 0x10, 0, 0x10, 0, 0xff, 0};
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

static void test_what_the_listing_says_of_a_device(void **state)
{
	struct tree *tree = *state;

	expect_file(tree, "bus/pci/devices/0001:01:00.0/uevent",
		    "DRIVER=vfio-pci\nOF_NAME=ethernet\n"
		    "OF_FULLNAME=/pciex@600c3c0100000/pci@0/ethernet@0\nOF_COMPATIBLE_N=0\n"
		    "PCI_CLASS=20000\nPCI_ID=8086:10D3\nPCI_SUBSYS_ID=8086:0000\n"
		    "PCI_SLOT_NAME=0001:01:00.0\n"
		    "MODALIAS=pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00\n");
	expect_file(tree, "bus/pci/devices/0000:00:00.0/modalias",
		    "pci:v00001014d000004C1sv00001014sd00000000bc06sc04i00\n");
	expect_file(tree, "bus/pci/devices/0000:00:00.0/eeh_mode", "0x203\n");
	expect_file(tree, "bus/pci/devices/0000:00:00.0/eeh_pe_config_addr", "0x1fe\n");
	expect_file(tree, "bus/pci/devices/0000:01:00.0/eeh_mode", "0x200\n");
	expect_file(tree, "bus/pci/devices/0000:01:00.0/eeh_pe_state", "0x00000078 0x00000800\n");
	expect_file(tree, "bus/pci/devices/0000:01:00.0/reset_method", "bus\n");
	expect_file(tree, "bus/pci/devices/0001:01:00.0/reset_method", "pm bus\n");
	expect_file(tree, "bus/pci/devices/0003:01:00.1/reset_method", "pm\n");
	expect_none(tree, "bus/pci/devices/0000:00:00.0/reset_method");
	expect_file(tree, "bus/pci/devices/0000:00:00.0/enable", "1\n");
	expect_file(tree, "bus/pci/devices/0000:01:00.0/enable", "0\n");
	expect_file(tree, "bus/pci/devices/0003:01:00.1/enable", "1\n");
	expect_file(tree, "bus/pci/devices/0004:01:00.0/power_state", "unknown\n");
	expect_file(tree, "bus/pci/devices/0000:00:00.0/secondary_bus_number", "1\n");
	expect_file(tree, "bus/pci/devices/0000:01:00.0/numa_node", "0\n");
}

static void expect_size(struct tree *tree, const char *path, off_t size)
{
	struct stat status;
	char full[PATH_MAX];

	(void)snprintf(full, sizeof(full), "%s/%s", tree->root, path);
	assert_int_equal(stat(full, &status), 0);
	assert_int_equal(status.st_size, size);
}

static void test_bars_have_files_of_their_size(void **state)
{
	struct tree *tree = *state;

	expect_size(tree, "bus/pci/devices/0000:01:00.0/resource0", 0x100000);
	expect_size(tree, "bus/pci/devices/0001:01:00.0/resource3", 0x4000);
	expect_none(tree, "bus/pci/devices/0001:01:00.0/resource2");
	expect_size(tree, "bus/pci/devices/0001:01:00.0/config", 4096);
	expect_size(tree, "bus/pci/devices/0000:01:00.0/config", 256);
	expect_none(tree, "bus/pci/devices/0000:00:00.0/resource14");
}

static void test_classes(void **state)
{
	struct tree *tree = *state;

	expect_link(tree, "class/vfio/0", "../../devices/virtual/vfio/0");
	expect_file(tree, "class/vfio/3/uevent", "MAJOR=246\nMINOR=3\nDEVNAME=vfio/3\n");
	expect_file(tree, "class/vfio/3/dev", "246:3\n");
	/* No device of that group is bound to vfio-pci. */
	expect_none(tree, "class/vfio/4");
	expect_link(tree, "class/iommu/iommu-phb0005", "../../devices/virtual/iommu/iommu-phb0005");
	expect_link(tree, "bus/pci/devices/0000:01:00.0/iommu",
		    "../../../virtual/iommu/iommu-phb0000");
	expect_none(tree, "kernel/mm/hugepages");
	expect_file(tree, "module/vfio_pci/parameters/disable_idle_d3", "N\n");
	expect_file(tree, "firmware/devicetree/base/pciex@600c3c0000000/name", "pciex");
}

static void test_huge_pages(void **state)
{
	struct tree *tree = *state;

	expect_file(tree, "kernel/mm/hugepages/hugepages-16384kB/nr_hugepages", "0\n");
	expect_file(tree, "kernel/mm/hugepages/hugepages-16777216kB/free_hugepages", "0\n");
}

static void test_pseries(void **state)
{
	struct tree *tree = *state;

	expect_file(tree, "kernel/iommu_groups/3/name", "domain3-pe0\n");
	expect_link(tree, "kernel/iommu_groups/3/devices/0003:00:02.0",
		    "../../../../devices/pci0003:00/0003:00:02.0");
	expect_link(tree, "bus/pci/devices/0000:00:01.0/of_node",
		    "../../../firmware/devicetree/base/pci@800000020000000/legacy-device@1");
	expect_link(tree, "bus/pci/devices/0000:00:01.0/iommu",
		    "../../virtual/iommu/iommu-phb0000");
	expect_none(tree, "bus/pci/devices/0000:00:01.0/eeh_mode");
	expect_none(tree, "bus/pci/devices/0000:00:01.0/eeh_pe_state");
	expect_none(tree, "bus/pci/devices/0000:00:01.0/reset_method");
	expect_file(tree, "bus/pci/devices/0000:00:01.0/numa_node", "-1\n");
	expect_file(tree, "bus/pci/devices/0001:00:01.0/uevent",
		    "DRIVER=vfio-pci\nOF_NAME=ethernet\n"
		    "OF_FULLNAME=/pci@800000020000001/ethernet@1\nOF_TYPE=network\n"
		    "OF_COMPATIBLE_N=0\nOF_ALIAS_0=net0\nPCI_CLASS=20000\nPCI_ID=8086:10D3\n"
		    "PCI_SUBSYS_ID=8086:0000\nPCI_SLOT_NAME=0001:00:01.0\n"
		    "MODALIAS=pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00\n");
	expect_file(tree, "kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
}

static void test_x86(void **state)
{
	struct tree *tree = *state;

	expect_none(tree, "firmware/fdt");
	expect_none(tree, "firmware/devicetree");
	expect_none(tree, "kernel/iommu_groups/7/name");
	expect_file(tree, "kernel/iommu_groups/7/type", "DMA\n");
	expect_file(tree, "kernel/iommu_groups/7/reserved_regions",
		    "0x00000000fee00000 0x00000000feefffff msi\n");
	expect_link(tree, "bus/pci/devices/0000:01:00.0",
		    "../../../devices/pci0000:00/0000:00:02.0/0000:01:00.0");
	expect_link(tree, "bus/pci/devices/0000:01:00.0/iommu", "../../../virtual/iommu/dmar0");
	expect_link(tree, "bus/pci/devices/0000:00:02.0/driver",
		    "../../../bus/pci/drivers/pcieport");
	/* What the lab's emulated IOMMU says. */
	expect_file(tree, "class/iommu/dmar0/intel-iommu/cap", "d2008c222f0686\n");
	expect_none(tree, "bus/pci/devices/0000:01:00.0/of_node");
	expect_none(tree, "bus/pci/devices/0000:01:00.0/devspec");
	expect_none(tree, "bus/pci/devices/0000:01:00.0/eeh_mode");
}

/* devices that come and go */

static size_t find_device(const struct tree *tree, const char *name)
{
	int index = sim_host_find_device(tree->host, name);

	assert_true(index >= 0);
	return (size_t)index;
}

static void remove_device(struct tree *tree, const char *name)
{
	assert_int_equal(sim_sysfs_remove_device(tree->root, tree->host, find_device(tree, name)),
			 0);
}

static void add_device(struct tree *tree, const char *name)
{
	assert_int_equal(sim_sysfs_add_device(tree->root, tree->host, find_device(tree, name)), 0);
}

static void test_group_goes_with_its_last_device(void **state)
{
	struct tree *tree = *state;

	remove_device(tree, "0003:01:00.0");
	expect_none(tree, "bus/pci/devices/0003:01:00.0");
	expect_none(tree, "bus/pci/drivers/vfio-pci/0003:01:00.0");
	expect_none(tree, "devices/pci0003:00/0003:00:00.0/0003:01:00.0");
	expect_none(tree, "class/iommu/iommu-phb0003/devices/0003:01:00.0");
	expect_none(tree, "kernel/iommu_groups/3/devices/0003:01:00.0");
	/* Another is left, but none that VFIO has. */
	expect_none(tree, "class/vfio/3");
	expect_none(tree, "devices/virtual/vfio/3");
	expect_file(tree, "kernel/iommu_groups/3/name", "domain3-pe1fd\n");
	remove_device(tree, "0003:01:00.1");
	expect_none(tree, "kernel/iommu_groups/3");
	remove_device(tree, "0003:01:00.1");
	add_device(tree, "0003:01:00.0");
	add_device(tree, "0003:01:00.0");
	add_device(tree, "0003:01:00.1");
	expect_file(tree, "kernel/iommu_groups/3/name", "domain3-pe1fd\n");
	test_groups(state);
	test_device_files(state);
	test_device_links(state);
	test_classes(state);
}

static void test_bridge_takes_along_what_is_below(void **state)
{
	struct tree *tree = *state;

	remove_device(tree, "0000:00:00.0");
	expect_none(tree, "bus/pci/devices/0000:01:00.0");
	expect_none(tree, "kernel/iommu_groups/0");
	assert_int_equal(
		sim_sysfs_add_device(tree->root, tree->host, find_device(tree, "0000:01:00.0")),
		-ENODEV);
	add_device(tree, "0000:00:00.0");
	add_device(tree, "0000:01:00.0");
	test_device_links(state);
}

static void test_group_of_an_lpar_stays(void **state)
{
	struct tree *tree = *state;

	remove_device(tree, "0000:00:01.0");
	expect_none(tree, "bus/pci/devices/0000:00:01.0");
	expect_none(tree, "class/vfio/0");
	expect_file(tree, "kernel/iommu_groups/0/name", "domain0-pe0\n");
}

static void test_eeh_state(void **state)
{
	struct tree *tree = *state;
	const uint32_t frozen[2] = {0, 0x801};

	assert_int_equal(sim_sysfs_write_eeh_state(tree->root, tree->host,
						   find_device(tree, "0000:01:00.0"), frozen),
			 0);
	expect_file(tree, "bus/pci/devices/0000:01:00.0/eeh_pe_state", "0x00000000 0x00000801\n");
	remove_device(tree, "0000:01:00.0");
	assert_int_equal(sim_sysfs_write_eeh_state(tree->root, tree->host,
						   find_device(tree, "0000:01:00.0"), frozen),
			 0);
	expect_none(tree, "devices/pci0000:00/0000:00:00.0/0000:01:00.0");
}

struct writer {
	struct tree *tree;
	size_t device;
	atomic_bool ends;
	int result;
};

static void *write_on(void *userdata)
{
	static const uint32_t words[][2] = {{0, 0x801}, {0x78, 0x800}};
	struct writer *writer = userdata;

	for (unsigned int i = 0; writer->result == 0 && !writer->ends; i++) {
		writer->result = sim_sysfs_write_eeh_state(writer->tree->root, writer->tree->host,
							   writer->device, words[i % 2]);
	}
	return NULL;
}

/* A kernel's file is never half written. */
static void test_eeh_state_is_whole_at_any_time(void **state)
{
	struct writer writer = {.tree = *state};
	char path[PATH_MAX];
	unsigned int wrong = 0;
	pthread_t thread;

	writer.device = find_device(writer.tree, "0000:01:00.0");
	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/0000:01:00.0/eeh_pe_state",
		       writer.tree->root);
	assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
	for (unsigned int i = 0; i < 20000; i++) {
		char text[64] = "";
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		wrong += fd < 0 || read(fd, text, sizeof(text)) != 22;
		(void)close(fd);
	}
	writer.ends = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(writer.result, 0);
	assert_int_equal(wrong, 0);
}

static void test_no_eeh_state_without_eeh(void **state)
{
	struct tree *tree = *state;
	const uint32_t words[2] = {0, 0};

	assert_int_equal(sim_sysfs_write_eeh_state(tree->root, tree->host,
						   find_device(tree, "0000:00:01.0"), words),
			 0);
	expect_none(tree, "bus/pci/devices/0000:00:01.0/eeh_pe_state");
}

#define TEST(name)          cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_ON(host, name) cmocka_unit_test_setup_teardown(name, set_up_##host, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_what_the_listing_says_of_a_device),
		TEST(test_bars_have_files_of_their_size),
		TEST(test_classes),
		TEST_ON(powernv8, test_huge_pages),
		TEST_ON(pseries, test_pseries),
		TEST_ON(x86, test_x86),
		TEST(test_group_goes_with_its_last_device),
		TEST(test_bridge_takes_along_what_is_below),
		TEST_ON(pseries, test_group_of_an_lpar_stays),
		TEST(test_eeh_state),
		TEST(test_eeh_state_is_whole_at_any_time),
		TEST_ON(pseries, test_no_eeh_state_without_eeh),
		TEST(test_groups),
		TEST(test_device_files),
		TEST(test_device_links),
		TEST(test_resources),
		TEST(test_config_space),
		TEST(test_device_tree),
		TEST(test_removal_without_fds),
	};

	return cmocka_run_group_tests_name("sim-sysfs", tests, NULL, NULL);
}
