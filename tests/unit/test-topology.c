/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/device_tree.h"
#include "host/topology.h"
#include "unit.h"

/* A sysfs of the test's own, in a temporary folder. */
static char root[] = "/tmp/test-topology-XXXXXX";

static void path_of(char ret_path[static 256], const char *name)
{
	(void)snprintf(ret_path, 256, "%s/%s", root, name);
}

static void make_folder(const char *name)
{
	char path[256];

	path_of(path, name);
	for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(path, 0755);
		*slash = '/';
	}
	(void)mkdir(path, 0755);
}

static void write_file(const char *name, const void *bytes, size_t size)
{
	char path[256];
	FILE *file;

	path_of(path, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

static void make_link(const char *target, const char *name)
{
	char path[256];

	path_of(path, name);
	(void)unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static void add_device(const char *name, unsigned int group, const char *driver)
{
	char path[128];
	char target[128];

	(void)snprintf(path, sizeof(path), "bus/pci/devices/%s", name);
	make_folder(path);
	(void)snprintf(path, sizeof(path), "bus/pci/devices/%s/vendor", name);
	write_text(path, "0x8086\n");
	(void)snprintf(path, sizeof(path), "bus/pci/devices/%s/device", name);
	write_text(path, "0x10d3\n");
	(void)snprintf(path, sizeof(path), "bus/pci/devices/%s/class", name);
	write_text(path, "0x020000\n");
	if (driver) {
		(void)snprintf(path, sizeof(path), "bus/pci/devices/%s/driver", name);
		(void)snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
		make_link(target, path);
	}
	(void)snprintf(path, sizeof(path), "kernel/iommu_groups/%u/devices", group);
	make_folder(path);
	(void)snprintf(path, sizeof(path), "kernel/iommu_groups/%u/devices/%s", group, name);
	(void)snprintf(target, sizeof(target), "../../../../bus/pci/devices/%s", name);
	make_link(target, path);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static int set_up(void **state)
{
	(void)state;
	memset(root + strlen(root) - 6, 'X', 6);
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void add_text(char *blob, const char *name, const char *text)
{
	assert_int_equal(fdt_property(blob, name, text, (int)strlen(text) + 1), 0);
}

/* A tree with 2 GiB and 1 GiB of memory. */
static size_t make_tree(char *blob, size_t size, const char *compatible, const char *type)
{
	const fdt64_t low[2] = {cpu_to_fdt64(0), cpu_to_fdt64(UINT64_C(2) << 30)};
	const fdt64_t high[2] = {cpu_to_fdt64(UINT64_C(1) << 40), cpu_to_fdt64(1U << 30)};

	assert_int_equal(fdt_create(blob, (int)size), 0);
	assert_int_equal(fdt_finish_reservemap(blob), 0);
	assert_int_equal(fdt_begin_node(blob, ""), 0);
	assert_int_equal(fdt_property_u32(blob, "#address-cells", 2), 0);
	assert_int_equal(fdt_property_u32(blob, "#size-cells", 2), 0);
	add_text(blob, "compatible", compatible);
	add_text(blob, "device_type", type);
	assert_int_equal(fdt_begin_node(blob, "memory@0"), 0);
	add_text(blob, "device_type", "memory");
	assert_int_equal(fdt_property(blob, "reg", low, (int)sizeof(low)), 0);
	assert_int_equal(fdt_end_node(blob), 0);
	assert_int_equal(fdt_begin_node(blob, "memory@10000000000"), 0);
	add_text(blob, "device_type", "memory");
	assert_int_equal(fdt_property(blob, "reg", high, (int)sizeof(high)), 0);
	assert_int_equal(fdt_end_node(blob), 0);
	assert_int_equal(fdt_begin_node(blob, "rtas"), 0);
	assert_int_equal(fdt_end_node(blob), 0);
	assert_int_equal(fdt_end_node(blob), 0);
	assert_int_equal(fdt_finish(blob), 0);
	return fdt_totalsize(blob);
}

static void write_tree(const char *compatible, const char *type)
{
	char blob[4096];
	size_t size = make_tree(blob, sizeof(blob), compatible, type);

	make_folder("firmware");
	write_file("firmware/fdt", blob, size);
}

static struct topology *read_well(void)
{
	struct topology *topology = NULL;
	struct error error = {.text = ""};

	if (topology_read(root, &topology, &error)) {
		fail_msg("%s", error.text);
	}
	return topology;
}

static void test_empty_host(void **state)
{
	struct topology *topology = read_well();

	(void)state;
	assert_int_equal(topology->group_count, 0);
	assert_int_equal(topology->kind, HOST_KIND_TYPE1);
	assert_true(topology->memory_max > 0);
	assert_null(topology_find_group(topology, 0));
	assert_null(topology_find_device(topology, "0000:01:00.0"));
	assert_null(topology_free(topology));
	assert_null(topology_free(NULL));
}

static void check_kind(const char *compatible, const char *type, enum host_kind kind)
{
	struct topology *topology;

	write_tree(compatible, type);
	topology = read_well();
	assert_int_equal(topology->kind, kind);
	assert_int_equal(topology->memory_max, UINT64_C(3) << 30);
	(void)topology_free(topology);
}

static void test_kinds(void **state)
{
	(void)state;
	check_kind("ibm,powernv", "", HOST_KIND_POWERNV);
	check_kind("qemu,pseries", "chrp", HOST_KIND_PSERIES);
	check_kind("linux,dummy-virt", "", HOST_KIND_TYPE1);
	assert_string_equal(host_kind_name(HOST_KIND_POWERNV), "powernv");
	assert_string_equal(host_kind_name(HOST_KIND_PSERIES), "pseries");
	assert_string_equal(host_kind_name(HOST_KIND_TYPE1), "type1");
}

static void test_groups_and_devices(void **state)
{
	const struct topology_group *group;
	const struct topology_device *device;
	struct topology *topology;
	char driver[TOPOLOGY_DRIVER_SIZE];

	(void)state;
	add_device("0001:01:00.1", 12, "e1000e");
	add_device("0001:01:00.0", 12, "vfio-pci");
	add_device("0000:01:00.0", 3, NULL);
	write_text("kernel/iommu_groups/12/name", "domain1-pe1fd\n");
	topology = read_well();
	assert_int_equal(topology->group_count, 2);
	group = topology_find_group(topology, 12);
	assert_non_null(group);
	assert_int_equal(group->device_count, 2);
	assert_string_equal(group->devices[0]->name, "0001:01:00.0");
	assert_int_equal(group->phb_id, 1);
	assert_int_equal(group->pe_number, 0x1fd);
	assert_false(topology_group_is_viable(topology, group));
	group = topology_find_group(topology, 3);
	assert_int_equal(group->phb_id, TOPOLOGY_UNKNOWN);
	assert_int_equal(group->pe_number, TOPOLOGY_UNKNOWN);
	assert_true(topology_group_is_viable(topology, group));
	device = topology_find_device(topology, "0001:01:00.1");
	assert_int_equal(device->vendor, 0x8086);
	assert_int_equal(device->device, 0x10d3);
	assert_int_equal(device->class, 0x020000);
	topology_read_driver(topology, device, driver);
	assert_string_equal(driver, "e1000e");
	/* Drivers are looked up when asked for. */
	make_link("../../../../bus/pci/drivers/vfio-pci", "bus/pci/devices/0001:01:00.1/driver");
	assert_true(topology_group_is_viable(topology, topology_find_group(topology, 12)));
	(void)topology_free(topology);
}

static void test_explanation(void **state)
{
	struct error error;
	struct topology *topology;

	(void)state;
	add_device("0001:01:00.1", 12, "e1000e");
	add_device("0001:01:00.0", 12, "vfio-pci");
	add_device("0000:01:00.0", 3, NULL);
	topology = read_well();
	(void)error_set(&error, ERROR_GROUP_NOT_VIABLE, 0, "group 12");
	topology_explain_group(topology, topology_find_group(topology, 12), &error);
	assert_non_null(strstr(error.text, "0001:01:00.1 is bound to e1000e: unbind it"));
	assert_non_null(strstr(error.text, "0001:01:00.0 is bound to vfio-pci;"));
	assert_non_null(strstr(error.text, "\"spaprctl bind 12\""));
	(void)error_set(&error, ERROR_GROUP_NOT_VIABLE, 0, "group 3");
	topology_explain_group(topology, topology_find_group(topology, 3), &error);
	assert_non_null(strstr(error.text, "0000:01:00.0 has no driver"));
	assert_non_null(strstr(error.text, "bind a device of group 3 to vfio-pci"));
	assert_non_null(strstr(error.text, "\"spaprctl bind 3\""));
	/* A variant of vfio-pci will do. */
	make_link("../../../../bus/pci/drivers/mlx5_vfio_pci",
		  "bus/pci/devices/0000:01:00.0/driver");
	(void)error_set(&error, ERROR_GROUP_BUSY, 0, "group 3");
	topology_explain_group(topology, topology_find_group(topology, 3), &error);
	assert_non_null(strstr(error.text, "0000:01:00.0 is bound to mlx5_vfio_pci"));
	assert_null(strstr(error.text, "to vfio-pci"));
	assert_null(strstr(error.text, "spaprctl"));
	(void)topology_free(topology);
}

static void check_refused(const char *word)
{
	struct topology *topology = NULL;
	struct error error = {.text = ""};

	assert_int_equal(topology_read(root, &topology, &error), ERROR_KERNEL);
	assert_null(topology);
	if (!strstr(error.text, word)) {
		fail_msg("\"%s\" does not name %s", error.text, word);
	}
}

static void test_bad_numbers(void **state)
{
	static const char *const bad[] = {"", "\n", "none\n", "0x\n", "0x12345\n", "12 34\n"};

	(void)state;
	add_device("0000:01:00.0", 3, NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		write_text("bus/pci/devices/0000:01:00.0/vendor", bad[i]);
		check_refused("0000:01:00.0/vendor");
	}
}

static void test_bad_tree(void **state)
{
	char blob[4096];
	size_t size = make_tree(blob, sizeof(blob), "ibm,powernv", "");
	char path[256];
	struct device_tree *tree = NULL;

	(void)state;
	make_folder("firmware");
	write_file("firmware/fdt", blob, size / 2);
	check_refused("EBADMSG");
	write_text("firmware/fdt", "");
	check_refused("EBADMSG");
	path_of(path, "firmware/fdt");
	assert_int_equal(truncate(path, 17 << 20), 0);
	check_refused("EFBIG");
	assert_int_equal(device_tree_load("/nonexistent", &tree), -ENOENT);
}

/* What the kernel would never write must do no harm either. */
static void test_odd_names(void **state)
{
	struct topology *topology;

	(void)state;
	add_device("0000:01:00.0", 3, NULL);
	make_folder("kernel/iommu_groups/17x");
	make_folder("kernel/iommu_groups/4294967295");
	make_folder("kernel/iommu_groups/3/devices/platform-device");
	write_text("kernel/iommu_groups/3/name", "domain99999999999999-pezz\n");
	topology = read_well();
	assert_int_equal(topology->group_count, 1);
	assert_int_equal(topology->groups[0]->device_count, 1);
	assert_int_equal(topology->groups[0]->pe_number, TOPOLOGY_UNKNOWN);
	(void)topology_free(topology);
}

/* -- EEH -- */

static void write_state(const char *device, const char *text)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "bus/pci/devices/%s/eeh_pe_state", device);
	write_text(path, text);
}

/* One device of the group has the file, and it isn't the first. */
static void test_eeh_groups(void **state)
{
	struct topology *topology;

	(void)state;
	add_device("0001:01:00.0", 12, NULL);
	add_device("0001:01:00.1", 12, NULL);
	add_device("0000:01:00.0", 3, NULL);
	write_state("0001:01:00.1", "0x00000078 0x00000000\n");
	topology = read_well();
	assert_true(topology_find_group(topology, 12)->eeh);
	assert_false(topology_find_group(topology, 3)->eeh);
	(void)topology_free(topology);
}

/* The kernel finds a group's PE by its first device; others may be of a child PE. */
static void test_h50_state_of_first_device(void **state)
{
	struct topology *topology;
	uint32_t words[2] = {1, 2};

	(void)state;
	add_device("0001:01:00.1", 12, NULL);
	add_device("0001:01:00.0", 12, NULL);
	write_state("0001:01:00.0", "0x00000000 0x00000801\n");
	write_state("0001:01:00.1", "0x00000078 0x00000000\n");
	topology = read_well();
	assert_int_equal(
		topology_read_eeh_state(topology, topology_find_group(topology, 12), words), 0);
	assert_int_equal(words[0], 0);
	assert_int_equal(words[1], 0x801);
	(void)topology_free(topology);
}

static void test_bad_states(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"0x00000000\n",
		"0x00000000 801\n",
		"0x00000000 0x00000801 0x1\n",
		"0x00000000 0x000008010\n",
		"no such device\n",
	};
	const struct topology_group *group;
	struct topology *topology;
	uint32_t words[2] = {1, 2};
	char path[256];

	(void)state;
	add_device("0001:01:00.0", 12, NULL);
	make_folder("kernel/iommu_groups/13/devices");
	write_state("0001:01:00.0", "0xfffffffb 0x00000000");
	topology = read_well();
	group = topology_find_group(topology, 12);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		write_state("0001:01:00.0", bad[i]);
		assert_int_equal(topology_read_eeh_state(topology, group, words), -ENODATA);
	}
	path_of(path, "bus/pci/devices/0001:01:00.0/eeh_pe_state");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(topology_read_eeh_state(topology, group, words), -ENOENT);
	assert_int_equal(
		topology_read_eeh_state(topology, topology_find_group(topology, 13), words),
		-ENODEV);
	assert_int_equal(words[0], 1);
	assert_int_equal(words[1], 2);
	(void)topology_free(topology);
}

/* -- locations -- */

#define TREE   "firmware/devicetree/base"
#define SLOT   TREE "/pciex@1/pci@0"
#define BRIDGE "devices/pci0001:00/0001:00:00.0"

/* A device behind a bridge, as the kernel lays them out, and nodes for the bridge and the device.
 */
static void add_nested_device(void)
{
	add_device("0001:01:00.0", 12, NULL);
	make_folder(BRIDGE "/0001:01:00.0");
	make_folder(SLOT "/ethernet@0");
	make_link("../../../" SLOT, BRIDGE "/of_node");
	make_link("../../../../" SLOT "/ethernet@0", BRIDGE "/0001:01:00.0/of_node");
}

static void check_location(const char *expected)
{
	struct topology *topology = read_well();
	const struct topology_device *device = topology_find_device(topology, "0001:01:00.0");
	char location[TOPOLOGY_LOCATION_SIZE] = "before";

	assert_non_null(device);
	topology_read_location(topology, device, location);
	assert_string_equal(location, expected);
	(void)topology_free(topology);
}

/* The device's folder is a link in a real sysfs. */
static void link_device(void)
{
	char path[256];

	path_of(path, "bus/pci/devices/0001:01:00.0");
	for (const char *const *file = (const char *const[]){"vendor", "device", "class", NULL};
	     *file; file++) {
		char from[512];
		char to[512];

		(void)snprintf(from, sizeof(from), "%s/%s", path, *file);
		(void)snprintf(to, sizeof(to), "%s/" BRIDGE "/0001:01:00.0/%s", root, *file);
		assert_int_equal(rename(from, to), 0);
	}
	assert_int_equal(rmdir(path), 0);
	make_link("../../../" BRIDGE "/0001:01:00.0", "bus/pci/devices/0001:01:00.0");
}

static void test_location(void **state)
{
	(void)state;
	add_nested_device();
	link_device();
	check_location("");
	write_file(TREE "/pciex@1/ibm,loc-code", "UOPWR.PHB", 10);
	check_location("UOPWR.PHB");
	write_file(SLOT "/ibm,slot-location-code", "UOPWR.SLOT1", 12);
	check_location("UOPWR.SLOT1");
	write_file(SLOT "/ethernet@0/ibm,loc-code", "UOPWR.SLOT1-T1", 15);
	check_location("UOPWR.SLOT1-T1");
	write_file(SLOT "/ethernet@0/ibm,slot-location-code", "UOPWR.SLOT1-C1", 15);
	check_location("UOPWR.SLOT1-C1");
}

/* A virtual function has no node: the bridge's counts. */
static void test_location_without_node(void **state)
{
	char path[256];

	(void)state;
	add_nested_device();
	link_device();
	write_file(SLOT "/ibm,slot-location-code", "UOPWR.SLOT1", 12);
	path_of(path, BRIDGE "/0001:01:00.0/of_node");
	assert_int_equal(unlink(path), 0);
	check_location("UOPWR.SLOT1");
}

/* Text without an end, with an odd character, empty or too long is none, and what lies outside of
 * the tree is none either. */
static void test_bad_locations(void **state)
{
	static char endless[TOPOLOGY_LOCATION_SIZE + 1];

	(void)state;
	add_nested_device();
	link_device();
	write_file(TREE "/pciex@1/ibm,loc-code", "UOPWR.PHB", 10);
	write_file(SLOT "/ibm,loc-code", "UOPWR", 5);
	check_location("UOPWR.PHB");
	write_file(SLOT "/ibm,loc-code", "U\xffPWR", 6);
	check_location("UOPWR.PHB");
	write_file(SLOT "/ibm,loc-code", "U\nPWR", 6);
	check_location("UOPWR.PHB");
	write_file(SLOT "/ibm,loc-code", "\0", 2);
	check_location("UOPWR.PHB");
	memset(endless, 'x', sizeof(endless) - 1);
	write_file(SLOT "/ibm,loc-code", endless, sizeof(endless));
	check_location("UOPWR.PHB");
	make_folder("firmware/devicetree/baseless");
	write_file("firmware/devicetree/baseless/ibm,loc-code", "elsewhere", 10);
	make_link("../../../../firmware/devicetree/baseless", BRIDGE "/0001:01:00.0/of_node");
	check_location("");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_empty_host),
		TEST(test_kinds),
		TEST(test_groups_and_devices),
		TEST(test_explanation),
		TEST(test_bad_numbers),
		TEST(test_bad_tree),
		TEST(test_odd_names),
		TEST(test_eeh_groups),
		TEST(test_h50_state_of_first_device),
		TEST(test_bad_states),
		TEST(test_location),
		TEST(test_location_without_node),
		TEST(test_bad_locations),
	};

	return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
