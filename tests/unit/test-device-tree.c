/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device tree made of the kernel's files is the one that the kernel has them from; how much
 * memory it speaks of, whatever is written there. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libfdt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/names.h"
#include "host/device_tree.h"
#include "host/phb.h"
#include "host/topology.h"
#include "sim/host.h"
#include "sim/hosts.h"
#include "sim/sysfs.h"
#include "unit.h"

#define NOBODY 65534

/* -- the same tree -- */

static bool has_made_up_name(const char *node, const void *value, int size)
{
	size_t length = strcspn(node, "@");

	return (size_t)size == length + 1 && memcmp(value, node, length) == 0;
}

static unsigned int expect_properties(const void *one, int node, const void *other, int same,
				      const char *path)
{
	unsigned int count = 0;
	int property;

	fdt_for_each_property_offset(property, one, node)
	{
		const char *name = NULL;
		int size = 0;
		int other_size = 0;
		const void *value = fdt_getprop_by_offset(one, property, &name, &size);
		const void *found = fdt_getprop(other, same, name, &other_size);

		assert_non_null(value);
		if (strcmp(name, "name") == 0 && !found) {
			assert_true(has_made_up_name(fdt_get_name(one, node, NULL), value, size));
			continue;
		}
		if (!found || size != other_size || memcmp(value, found, (size_t)size) != 0) {
			fail_msg("%s has another %s", path, name);
		}
		count++;
	}
	return count;
}

/* Whether each node and property of one tree is in the other; how many properties there were. */
static unsigned int expect_within(const void *one, const void *other)
{
	unsigned int count = 0;

	for (int node = 0; node >= 0; node = fdt_next_node(one, node, NULL)) {
		char path[PATH_MAX];
		int same;

		assert_int_equal(fdt_get_path(one, node, path, sizeof(path)), 0);
		same = fdt_path_offset(other, path);
		if (same < 0) {
			fail_msg("%s is missing", path);
		}
		count += expect_properties(one, node, other, same, path);
	}
	return count;
}

static void expect_same_phbs(const struct device_tree *one, const struct device_tree *other)
{
	bool opal = device_tree_is_powernv(one);
	struct topology_phb *phbs[2] = {NULL, NULL};
	size_t counts[2] = {0, 0};

	assert_int_equal(phb_read_all(one, opal, &phbs[0], &counts[0]), 0);
	assert_int_equal(phb_read_all(other, opal, &phbs[1], &counts[1]), 0);
	assert_true(counts[0] >= 3);
	assert_int_equal(counts[0], counts[1]);
	assert_memory_equal(phbs[0], phbs[1], counts[0] * sizeof(*phbs[0]));
	free(phbs[0]);
	free(phbs[1]);
}

static void expect_same_answers(const struct device_tree *one, const struct device_tree *other)
{
	struct device_tree_memory memory = device_tree_read_memory(one);
	struct device_tree_memory other_memory = device_tree_read_memory(other);
	bool opal = device_tree_is_powernv(one);

	assert_int_equal(device_tree_is_powernv(other), opal);
	assert_int_equal(device_tree_is_pseries(other), device_tree_is_pseries(one));
	assert_true(memory.installed > 0);
	assert_int_equal(other_memory.installed, memory.installed);
	assert_int_equal(other_memory.maximum, memory.maximum);
	assert_int_equal(phb_read_eeh_firmware(one, opal), phb_read_eeh_firmware(other, opal));
	expect_same_phbs(one, other);
}

static void path_in(char ret_path[static PATH_MAX], const char *root, const char *name)
{
	assert_true(snprintf(ret_path, PATH_MAX, "%s/%s", root, name) < PATH_MAX);
}

static void check_rebuilt(const char *host_name)
{
	struct sim_host *host = NULL;
	struct device_tree *given = NULL;
	struct device_tree *rebuilt = NULL;
	struct device_tree *found = NULL;
	char path[PATH_MAX];
	char *root = NULL;
	struct error error = {.text = ""};

	if (sim_host_open(host_name, &host, &error)) {
		fail_msg("%s", error.text);
	}
	assert_int_equal(sim_sysfs_new(host, &root), 0);
	path_in(path, root, SYSFS_FDT);
	assert_int_equal(device_tree_load(path, &given), 0);
	assert_int_equal(unlink(path), 0);
	path_in(path, root, SYSFS_DEVICE_TREE);
	assert_int_equal(device_tree_rebuild(path, &rebuilt), 0);
	assert_true(expect_within(device_tree_blob(given), device_tree_blob(rebuilt)) > 100);
	(void)expect_within(device_tree_blob(rebuilt), device_tree_blob(given));
	expect_same_answers(given, rebuilt);
	assert_int_equal(device_tree_find(root, &found), 0);
	expect_same_answers(given, found);
	free(given);
	free(rebuilt);
	free(found);
	(void)sim_sysfs_free(root);
	(void)sim_host_free(host);
}

static void test_simulated_hosts(void **state)
{
	(void)state;
	check_rebuilt("powernv8");
	check_rebuilt("powernv9");
	check_rebuilt("powernv10");
	check_rebuilt("pseries");
}

static void test_captured_trees(void **state)
{
	(void)state;
	check_rebuilt(TREES "/powernv8.dtb");
	check_rebuilt(TREES "/pseries.dtb");
}

/* A real kernel's files, and the tree that it has them from. */
static void check_captured_files(const char *tree, const char *files)
{
	struct device_tree *given = NULL;
	struct device_tree *rebuilt = NULL;

	assert_int_equal(device_tree_load(tree, &given), 0);
	assert_int_equal(device_tree_rebuild(files, &rebuilt), 0);
	expect_same_answers(given, rebuilt);
	free(given);
	free(rebuilt);
}

static void test_captured_files(void **state)
{
	(void)state;
	check_captured_files(TREES "/powernv8.dtb", TREES "/powernv8-base");
	check_captured_files(TREES "/pseries.dtb", TREES "/pseries-base");
}

/* A host whose fdt this user can't read is read as well. */
static void test_topology_without_fdt(void **state)
{
	struct sim_host *host = NULL;
	struct topology *with = NULL;
	struct topology *without = NULL;
	struct error error = {.text = ""};
	char path[PATH_MAX];
	char *root = NULL;

	(void)state;
	assert_int_equal(sim_host_new_builtin("powernv9", &host), 0);
	assert_int_equal(sim_sysfs_new(host, &root), 0);
	assert_int_equal(topology_read(root, &with, &error), 0);
	path_in(path, root, SYSFS_FDT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(topology_read(root, &without, &error), 0);
	assert_int_equal(without->kind, HOST_KIND_POWERNV);
	assert_int_equal(without->memory_max, with->memory_max);
	assert_int_equal(without->phb_count, 6);
	assert_memory_equal(without->phbs, with->phbs, 6 * sizeof(*with->phbs));
	(void)topology_free(with);
	(void)topology_free(without);
	(void)sim_sysfs_free(root);
	(void)sim_host_free(host);
}

/* What only root may read, a service that isn't root doesn't need. */
static void test_files_of_roots_alone(void **state)
{
	bool is_root = geteuid() == 0;
	struct sim_host *host = NULL;
	struct device_tree *given = NULL;
	struct device_tree *found = NULL;
	char path[PATH_MAX];
	char secret[PATH_MAX];
	char *root = NULL;
	int r;

	(void)state;
	(void)unsetenv("XDG_RUNTIME_DIR"); /* which would be root's alone as well */
	assert_int_equal(sim_host_new_builtin("pseries", &host), 0);
	assert_int_equal(sim_sysfs_new(host, &root), 0);
	path_in(path, root, SYSFS_FDT);
	assert_int_equal(device_tree_load(path, &given), 0);
	assert_int_equal(chmod(path, 0), 0);
	path_in(secret, root, SYSFS_DEVICE_TREE "/security-password");
	assert_int_equal(close(open(secret, O_WRONLY | O_CREAT | O_CLOEXEC, 0)), 0);
	assert_int_equal(is_root ? seteuid(NOBODY) : 0, 0);
	r = device_tree_find(root, &found);
	assert_int_equal(is_root ? seteuid(0) : 0, 0);
	assert_int_equal(r, 0);
	expect_same_answers(given, found);
	assert_null(fdt_getprop(device_tree_blob(found), 0, "security-password", NULL));
	free(given);
	free(found);
	(void)sim_sysfs_free(root);
	(void)sim_host_free(host);
}

/* -- files that are no tree's -- */

static char folder[] = "/tmp/test-device-tree-XXXXXX";

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static int make_folder(void **state)
{
	(void)state;
	memset(folder + strlen(folder) - 6, 'X', 6);
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *name, const void *bytes, size_t size)
{
	char path[PATH_MAX];
	FILE *file;

	path_in(path, folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void make_node(const char *name)
{
	char path[PATH_MAX];

	path_in(path, folder, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static int rebuild(struct device_tree **ret_tree)
{
	return device_tree_rebuild(folder, ret_tree);
}

static void test_odd_files(void **state)
{
	struct device_tree *tree = NULL;
	const void *blob;
	char path[PATH_MAX];

	(void)state;
	make_node("node@1");
	write_file("node@1/name", "node", 5);
	write_file("node@1/empty", "", 0);
	make_node("other@2");
	write_file("other@2/name", "another", 8);
	path_in(path, folder, "fifo");
	assert_int_equal(mkfifo(path, 0644), 0);
	path_in(path, folder, "loop");
	assert_int_equal(symlink(".", path), 0);
	path_in(path, folder, "link");
	assert_int_equal(symlink("/etc/passwd", path), 0);
	path_in(path, folder, "gone");
	assert_int_equal(symlink("nothing", path), 0);
	assert_int_equal(rebuild(&tree), 0);
	blob = device_tree_blob(tree);
	assert_int_equal(fdt_check_full(blob, fdt_totalsize(blob)), 0);
	assert_true(fdt_totalsize(blob) < 1024);
	assert_true(fdt_path_offset(blob, "/node@1") > 0);
	assert_null(fdt_getprop(blob, fdt_path_offset(blob, "/node@1"), "name", NULL));
	assert_non_null(fdt_getprop(blob, fdt_path_offset(blob, "/node@1"), "empty", NULL));
	assert_string_equal(fdt_getprop(blob, fdt_path_offset(blob, "/other@2"), "name", NULL),
			    "another");
	assert_null(fdt_getprop(blob, 0, "link", NULL));
	assert_null(fdt_getprop(blob, 0, "gone", NULL));
	assert_null(fdt_getprop(blob, 0, "fifo", NULL));
	assert_true(fdt_path_offset(blob, "/loop") < 0);
	free(tree);
}

static void test_folder_itself(void **state)
{
	struct device_tree *tree = NULL;
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(device_tree_rebuild("/nonexistent", &tree), -ENOENT);
	path_in(path, folder, "link");
	assert_int_equal(symlink(folder, path), 0);
	assert_int_equal(device_tree_rebuild(path, &tree), -ENOTDIR);
	assert_int_equal(device_tree_find("/nonexistent", &tree), -ENOENT);
	assert_null(tree);
}

static void grow_file(const char *name, off_t size)
{
	char path[PATH_MAX];

	write_file(name, "", 0);
	path_in(path, folder, name);
	assert_int_equal(truncate(path, size), 0);
}

static void test_too_large(void **state)
{
	struct device_tree *tree = NULL;

	(void)state;
	grow_file("a", 8 << 20);
	assert_int_equal(rebuild(&tree), 0);
	free(tree);
	tree = NULL;
	grow_file("a", (8 << 20) + 1);
	assert_int_equal(rebuild(&tree), -EFBIG);
	/* Each may be, all together not. */
	grow_file("a", 6 << 20);
	grow_file("b", 6 << 20);
	assert_int_equal(rebuild(&tree), 0);
	free(tree);
	tree = NULL;
	grow_file("c", 6 << 20);
	assert_int_equal(rebuild(&tree), -EFBIG);
	assert_null(tree);
}

/* So many nodes within each other, the root not counted. */
static void make_deep(unsigned int depth)
{
	char name[2 * 64] = "";

	for (unsigned int i = 0; i < depth; i++) {
		(void)snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s",
			       i > 0 ? "/n" : "n");
		make_node(name);
	}
}

static void test_deep(void **state)
{
	struct device_tree *tree = NULL;

	(void)state;
	make_deep(31);
	assert_int_equal(rebuild(&tree), 0);
	free(tree);
}

static void test_too_deep(void **state)
{
	struct device_tree *tree = NULL;

	(void)state;
	make_deep(32);
	assert_int_equal(rebuild(&tree), -ELOOP);
	assert_null(tree);
}

/* -- memory -- */

#define MIB (UINT64_C(1) << 20)
#define LMB (UINT64_C(256) << 20)

static _Alignas(8) char blob[65536];

static void begin_tree(uint32_t address_cells, uint32_t size_cells)
{
	assert_int_equal(fdt_create(blob, sizeof(blob)), 0);
	assert_int_equal(fdt_finish_reservemap(blob), 0);
	assert_int_equal(fdt_begin_node(blob, ""), 0);
	assert_int_equal(fdt_property_string(blob, "device_type", "chrp"), 0);
	assert_int_equal(fdt_property_u32(blob, "#address-cells", address_cells), 0);
	assert_int_equal(fdt_property_u32(blob, "#size-cells", size_cells), 0);
}

static void add_cells(const char *name, const uint32_t *cells, size_t count)
{
	fdt32_t value[64];

	assert_true(count <= 64);
	for (size_t i = 0; i < count; i++) {
		value[i] = cpu_to_fdt32(cells[i]);
	}
	assert_int_equal(fdt_property(blob, name, value, (int)(count * sizeof(*value))), 0);
}

#define CELLS(name, ...)                                   \
	add_cells((name), (const uint32_t[]){__VA_ARGS__}, \
		  sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void begin_memory(const char *name)
{
	assert_int_equal(fdt_begin_node(blob, name), 0);
	assert_int_equal(fdt_property_string(blob, "device_type", "memory"), 0);
}

static void end_node(void)
{
	assert_int_equal(fdt_end_node(blob), 0);
}

static struct device_tree_memory end_tree(void)
{
	end_node();
	assert_int_equal(fdt_finish(blob), 0);
	assert_int_equal(fdt_check_full(blob, sizeof(blob)), 0);
	return device_tree_read_memory((const struct device_tree *)(const void *)blob);
}

static void expect_bytes(uint64_t installed, uint64_t maximum)
{
	struct device_tree_memory memory = end_tree();

	assert_int_equal(memory.installed, installed);
	assert_int_equal(memory.maximum, maximum);
}

/* A node that isn't available could become so. */
static void test_memory_nodes(void **state)
{
	(void)state;
	begin_tree(2, 2);
	begin_memory("memory@0");
	CELLS("reg", 0, 0, 0, 0x10000000, 0x20, 0, 0, 0x20000000);
	end_node();
	begin_memory("memory@100000000000");
	CELLS("reg", 0x1000, 0, 1, 0);
	assert_int_equal(fdt_property_string(blob, "status", "disabled"), 0);
	end_node();
	expect_bytes(768 * MIB, 4096 * MIB + 768 * MIB);
	begin_tree(1, 1);
	begin_memory("memory");
	CELLS("reg", 0, 0x40000000);
	end_node();
	expect_bytes(1024 * MIB, 1024 * MIB);
}

static void test_no_memory(void **state)
{
	(void)state;
	begin_tree(2, 2);
	expect_bytes(0, 0);
	begin_tree(3, 2);
	begin_memory("memory");
	CELLS("reg", 0, 0, 0, 0, 0x40000000);
	end_node();
	expect_bytes(0, 0);
	begin_tree(2, 0);
	begin_memory("memory");
	CELLS("reg", 0, 0, 0, 0x40000000);
	end_node();
	expect_bytes(0, 0);
	/* A part of an entry is none. */
	begin_tree(2, 2);
	begin_memory("memory");
	CELLS("reg", 0, 0, 0);
	end_node();
	expect_bytes(0, 0);
	begin_tree(2, 2);
	begin_memory("memory");
	end_node();
	expect_bytes(0, 0);
}

static void begin_partition(uint32_t rma)
{
	begin_tree(2, 2);
	begin_memory("memory@0");
	CELLS("reg", 0, 0, 0, rma);
	end_node();
	assert_int_equal(fdt_begin_node(blob, "ibm,dynamic-reconfiguration-memory"), 0);
}

static void end_partition(uint32_t high, uint32_t low)
{
	end_node();
	assert_int_equal(fdt_begin_node(blob, "rtas"), 0);
	CELLS("ibm,lrdr-capacity", high, low, 0, 0x10000000, 8);
	end_node();
}

/* As QEMU describes a partition of 512 MiB, 256 MiB plugged in, that may grow to 4 GiB; the block
 * of the memory node is reserved. */
static void test_blocks(void **state)
{
	(void)state;
	begin_partition(0x10000000);
	CELLS("ibm,lmb-size", 0, 0x10000000);
	CELLS("ibm,dynamic-memory", 4, 0, 0, 0x80000000, 0, 0, 0xa0, 0, 0x10000000, 0x80000001, 0,
	      0, 8, 0, 0x40000000, 0x80000004, 0, 0, 8, 0, 0x50000000, 0x80000005, 0, 0, 0);
	end_partition(1, 0);
	expect_bytes(3 * LMB, 4096 * MIB);
}

/* The same as rows. Without a capacity all blocks count. */
static void test_rows_of_blocks(void **state)
{
	(void)state;
	begin_partition(0x10000000);
	CELLS("ibm,lmb-size", 0, 0x10000000);
	CELLS("ibm,dynamic-memory-v2", 3, 1, 0, 0, 0x80000000, 0, 0xa0, 2, 0, 0x10000000,
	      0x80000001, 0, 8, 16, 0, 0x40000000, 0x80000004, 0, 0);
	end_partition(0, 0);
	expect_bytes(3 * LMB, 18 * LMB);
}

/* A block that a memory node has already isn't counted twice, a row for what it has beyond. */
static void test_blocks_in_nodes(void **state)
{
	(void)state;
	begin_partition(0x20000000);
	CELLS("ibm,lmb-size", 0, 0x10000000);
	CELLS("ibm,dynamic-memory-v2", 1, 4, 0, 0, 0x80000000, 0, 8);
	end_partition(0, 0);
	expect_bytes(4 * LMB, 4 * LMB);
}

static void test_absurd_blocks(void **state)
{
	(void)state;
	/* Without a size, with half an entry. */
	begin_partition(0x10000000);
	CELLS("ibm,dynamic-memory-v2", 1, 4, 0, 0, 0x80000000, 0, 8);
	end_partition(0, 0);
	expect_bytes(LMB, LMB);
	begin_partition(0x10000000);
	CELLS("ibm,lmb-size", 0, 0x10000000);
	CELLS("ibm,dynamic-memory-v2", 9, 4, 0, 0, 0x80000000, 0);
	CELLS("ibm,dynamic-memory", 9, 0, 0, 0x80000000, 0, 0);
	end_partition(0, 0);
	expect_bytes(LMB, LMB);
	/* More than there are addresses: a lot, and not a little. */
	begin_partition(0x10000000);
	CELLS("ibm,lmb-size", 0x80000000, 0);
	CELLS("ibm,dynamic-memory-v2", 1, 0xffffffff, 0, 0, 0, 0, 8);
	end_partition(0, 0);
	expect_bytes(UINT64_MAX, UINT64_MAX);
	/* Nowhere: not installed. */
	begin_partition(0x10000000);
	CELLS("ibm,lmb-size", 0x80000000, 0);
	CELLS("ibm,dynamic-memory-v2", 1, 1, 0xffffffff, 0, 0, 0, 8);
	end_partition(0, 0);
	expect_bytes(LMB, UINT64_C(1) << 63);
}

#define FILES(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simulated_hosts),
		cmocka_unit_test(test_captured_trees),
		cmocka_unit_test(test_captured_files),
		cmocka_unit_test(test_topology_without_fdt),
		cmocka_unit_test(test_files_of_roots_alone),
		FILES(test_odd_files),
		FILES(test_folder_itself),
		FILES(test_too_large),
		FILES(test_deep),
		FILES(test_too_deep),
		cmocka_unit_test(test_memory_nodes),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_rows_of_blocks),
		cmocka_unit_test(test_blocks_in_nodes),
		cmocka_unit_test(test_absurd_blocks),
	};

	return cmocka_run_group_tests_name("device-tree", tests, NULL, NULL);
}
