/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Broken trees, lists and policies, the same ones each time: cut off everywhere, with bits turned
 * over, and those that somebody would write on purpose. */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "fuzz/fuzz.h"
#include "sim/host.h"
#include "sim/hosts.h"
#include "sim/sysfs.h"
#include "unit/unit.h"

#define FLIPS       60
#define SEED        UINT64_C(0x9e3779b97f4a7c15)
#define ABSURD      0xfffffff0U
#define LARGE_TREE  (24U << 20)
#define MANY        100000U
#define SYSFS_EVERY 10

/* xorshift64 */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A step with which no run takes long, whatever the size. */
static size_t step_for(size_t size)
{
	return size / 60 | 1;
}

/* -- cut off and turned over -- */

typedef int (*target_function)(const uint8_t *data, size_t size, struct error *error);

static void cut_everywhere(target_function target, const uint8_t *data, size_t size)
{
	struct error error;

	for (size_t end = 0; end < size; end += step_for(size)) {
		(void)target(data, end, &error);
	}
}

static void turn_bits(target_function target, const uint8_t *data, size_t size)
{
	uint64_t random = SEED;
	uint8_t *copy = malloc(size);
	struct error error;

	assert_non_null(copy);
	for (int i = 0; i < FLIPS; i++) {
		memcpy(copy, data, size);
		for (uint64_t flips = 1 + next_random(&random) % 4; flips > 0; flips--) {
			uint64_t where = next_random(&random) % (size * 8);

			copy[where / 8] ^= (uint8_t)(1U << where % 8);
		}
		(void)target(copy, size, &error);
	}
	free(copy);
}

/* A byte replaced by one that means something in a list, and lines taken out. */
static void mangle_text(target_function target, const uint8_t *data, size_t size)
{
	static const char bytes[] = "\n[]=#; \t0xfg-/.:,\xff";
	uint64_t random = SEED;
	uint8_t *copy = malloc(size);
	struct error error;

	assert_non_null(copy);
	for (int i = 0; i < FLIPS; i++) {
		size_t begin = (size_t)(next_random(&random) % size);
		size_t length = (size_t)(next_random(&random) % 100);
		size_t left = size;

		memcpy(copy, data, size);
		copy[next_random(&random) % size] =
			(uint8_t)bytes[next_random(&random) % (sizeof(bytes) - 1)];
		if (i % 2 && begin + length < size) {
			memmove(copy + begin, copy + begin + length, size - begin - length);
			left -= length;
		}
		(void)target(copy, left, &error);
	}
	free(copy);
}

static void test_trees_cut_off_and_turned_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < sim_builtin_host_count; i++) {
		const struct sim_builtin_host *host = &sim_builtin_hosts[i];
		struct error error;

		if (!host->fdt) {
			continue;
		}
		assert_int_equal(fuzz_host(host->fdt, host->fdt_size, &error), 0);
		cut_everywhere(fuzz_host, host->fdt, host->fdt_size);
		turn_bits(fuzz_host, host->fdt, host->fdt_size);
		assert_int_equal(fuzz_tree(host->fdt, host->fdt_size, &error), 0);
		cut_everywhere(fuzz_tree, host->fdt, host->fdt_size);
		turn_bits(fuzz_tree, host->fdt, host->fdt_size);
	}
}

static void test_lists_cut_off_and_turned_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < sim_builtin_host_count; i++) {
		const struct sim_builtin_host *host = &sim_builtin_hosts[i];

		cut_everywhere(fuzz_device_list, host->list, host->list_size);
		turn_bits(fuzz_device_list, host->list, host->list_size);
		mangle_text(fuzz_device_list, host->list, host->list_size);
	}
}

static void test_policies_cut_off_and_turned_over(void **state)
{
	static const char text[] =
		"# a site's own\n[window] ; of all hosts\niommu-type = spapr-tce-v2\n"
		"container-sharing = yes\ndefault-window: swap\n"
		"page-sizes = 4K 0x10000 16M 1G\nmost-tces = 256M\r\n"
		"table-piece = 4194304\n\tshared-detach = replay\n"
		"memory-files = sealed unsealed hugetlbfs tmpfs\n"
		"[recovery]\nidle-poll = 500ms\nfast-poll: 50ms ; soon\nfast-poll-for = 0s\n"
		"vote-timeout = 1min\nnormal-timeout = 30s\nhost-timeout = 1h\n"
		"[recovery slow] # a set\nuse = default\nhold = 500ms\nsettle = 5s\n"
		"retry-pause = 10s\nreset-tries = 0x5\noperation-timeout = 600s\n"
		"[recovery 8086:10d3]\nuse = slow\nmode = manual\ninjection = yes\n"
		"[recovery pe 0001:fd]\nfirst-reset = fundamental\nescalate = no\n"
		"most-freezes = 0\nfreeze-window = 24h\n";
	const uint8_t *data = (const uint8_t *)text;
	struct error error;

	(void)state;
	assert_int_equal(fuzz_policy(data, sizeof(text) - 1, &error), 0);
	cut_everywhere(fuzz_policy, data, sizeof(text) - 1);
	turn_bits(fuzz_policy, data, sizeof(text) - 1);
	mangle_text(fuzz_policy, data, sizeof(text) - 1);
}

/* -- on purpose -- */

/* Every property of a tree in turn becomes absurd, its length the same. */
static void make_absurd(uint8_t *fdt, int property)
{
	int size = 0;
	const char *name = NULL;
	const void *value = fdt_getprop_by_offset(fdt, property, &name, &size);
	uint8_t *bytes = fdt + ((const uint8_t *)value - fdt);

	for (int i = 0; i + 4 <= size; i += 4) {
		fdt32_st(bytes + i, ABSURD);
	}
}

static size_t absurd_properties(const struct sim_builtin_host *host)
{
	uint8_t *copy = malloc(host->fdt_size);
	size_t count = 0;
	int node = 0;
	int property;

	assert_non_null(copy);
	for (; node >= 0; node = fdt_next_node(host->fdt, node, NULL)) {
		fdt_for_each_property_offset(property, host->fdt, node)
		{
			struct error error;

			memcpy(copy, host->fdt, host->fdt_size);
			make_absurd(copy, property);
			(void)fuzz_host(copy, host->fdt_size, &error);
			assert_int_equal(fuzz_tree(copy, host->fdt_size, &error), 0);
			count++;
		}
	}
	free(copy);
	return count;
}

static void test_absurd_cells_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sim_builtin_host_count; i++) {
		if (sim_builtin_hosts[i].fdt) {
			assert_true(absurd_properties(&sim_builtin_hosts[i]) > 100);
		}
	}
}

struct tree {
	uint8_t *fdt;
};

static void begin_tree(struct tree *tree, size_t room)
{
	fdt32_t ranges[7] = {cpu_to_fdt32(0x2000000), 0, cpu_to_fdt32(0x80000000)};

	tree->fdt = calloc(1, room);
	assert_non_null(tree->fdt);
	assert_int_equal(fdt_create(tree->fdt, (int)room), 0);
	assert_int_equal(fdt_finish_reservemap(tree->fdt), 0);
	assert_int_equal(fdt_begin_node(tree->fdt, ""), 0);
	assert_int_equal(fdt_property_string(tree->fdt, "compatible", "ibm,powernv"), 0);
	assert_int_equal(fdt_begin_node(tree->fdt, "pciex@0"), 0);
	assert_int_equal(fdt_property_string(tree->fdt, "compatible", "ibm,ioda3-phb"), 0);
	assert_int_equal(fdt_property_u64(tree->fdt, "ibm,opal-phbid", 0), 0);
	assert_int_equal(fdt_property_u32(tree->fdt, "ibm,opal-num-pes", 0x200), 0);
	assert_int_equal(fdt_property_u32(tree->fdt, "ibm,opal-reserved-pe", 0x1ff), 0);
	assert_int_equal(fdt_property(tree->fdt, "ranges", ranges, sizeof(ranges)), 0);
}

static void begin_device(struct tree *tree, uint32_t address, uint32_t class_code)
{
	fdt32_t reg[5] = {cpu_to_fdt32(address)};

	assert_int_equal(fdt_begin_node(tree->fdt, "device"), 0);
	assert_int_equal(fdt_property_u32(tree->fdt, "vendor-id", 0x1014), 0);
	assert_int_equal(fdt_property_u32(tree->fdt, "class-code", class_code), 0);
	assert_int_equal(fdt_property(tree->fdt, "reg", reg, sizeof(reg)), 0);
}

static void end_node(struct tree *tree)
{
	assert_int_equal(fdt_end_node(tree->fdt), 0);
}

/* Ends the PHB and the tree. What refuses it, "" for nothing, must say these words. */
static void expect(struct tree *tree, const char *words)
{
	struct error error = {.text = ""};
	int r;

	end_node(tree);
	end_node(tree);
	assert_int_equal(fdt_finish(tree->fdt), 0);
	assert_int_equal(fuzz_tree(tree->fdt, fdt_totalsize(tree->fdt), &error), 0);
	r = fuzz_host(tree->fdt, fdt_totalsize(tree->fdt), &error);
	assert_int_equal(r, *words ? ERROR_INVALID_ARGUMENT : 0);
	if (!strstr(error.text, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, error.text);
	}
	free(tree->fdt);
}

static void test_phandles_in_a_circle(void **state)
{
	struct tree tree;

	(void)state;
	begin_tree(&tree, 1 << 16);
	assert_int_equal(fdt_property_u32(tree.fdt, "phandle", 1), 0);
	assert_int_equal(fdt_property_u32(tree.fdt, "interrupt-parent", 2), 0);
	begin_device(&tree, 0, 0x020000);
	assert_int_equal(fdt_property_u32(tree.fdt, "phandle", 2), 0);
	assert_int_equal(fdt_property_u32(tree.fdt, "interrupt-parent", 1), 0);
	assert_int_equal(fdt_property_u32(tree.fdt, "linux,phandle", 2), 0);
	end_node(&tree);
	expect(&tree, "");
}

static void test_absurd_addresses(void **state)
{
	struct tree tree;

	(void)state;
	begin_tree(&tree, 1 << 16);
	begin_device(&tree, UINT32_MAX, 0xffffffff);
	end_node(&tree);
	expect(&tree, "");
}

static void test_many_devices(void **state)
{
	struct tree tree;

	(void)state;
	begin_tree(&tree, LARGE_TREE);
	for (uint32_t i = 0; i < MANY; i++) {
		begin_device(&tree, i << 8, 0x020000);
		end_node(&tree);
	}
	expect(&tree, "at most 16384 devices");
}

/* As many as there may be; all of them on buses without a bridge. */
static void test_most_devices(void **state)
{
	struct tree tree;

	(void)state;
	begin_tree(&tree, LARGE_TREE);
	for (uint32_t i = 0; i < SIM_DEVICES_MAX; i++) {
		begin_device(&tree, i << 8, 0x020000);
		end_node(&tree);
	}
	expect(&tree, "");
}

static void test_many_nodes(void **state)
{
	struct tree tree;

	(void)state;
	begin_tree(&tree, LARGE_TREE);
	for (uint32_t i = 0; i < 2 * MANY; i++) {
		assert_int_equal(fdt_begin_node(tree.fdt, "n"), 0);
		end_node(&tree);
	}
	expect(&tree, "more than 131072 nodes");
}

static void test_deep_nesting(void **state)
{
	struct tree tree;

	(void)state;
	begin_tree(&tree, LARGE_TREE);
	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(fdt_begin_node(tree.fdt, "n"), 0);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		end_node(&tree);
	}
	expect(&tree, "deep");
	/* Bridges below bridges, on all the buses that there are and on more. */
	begin_tree(&tree, 1 << 18);
	for (uint32_t i = 0; i < 60; i++) {
		begin_device(&tree, i << 16, 0x060400);
	}
	for (uint32_t i = 0; i < 60; i++) {
		end_node(&tree);
	}
	expect(&tree, "no PCI device in an IOMMU group");
}

static void test_many_phbs(void **state)
{
	struct tree tree;

	(void)state;
	begin_tree(&tree, 1 << 20);
	for (uint32_t i = 0; i < 2000; i++) {
		fdt32_t ranges[7] = {cpu_to_fdt32(0x2000000), 0, cpu_to_fdt32(0x80000000)};

		assert_int_equal(fdt_begin_node(tree.fdt, "phb"), 0);
		assert_int_equal(fdt_property_string(tree.fdt, "compatible", "ibm,ioda3-phb"), 0);
		assert_int_equal(fdt_property(tree.fdt, "ranges", ranges, sizeof(ranges)), 0);
		assert_int_equal(fdt_property_u32(tree.fdt, "ibm,opal-num-pes", 256), 0);
		end_node(&tree);
	}
	expect(&tree, "at most 1024 PHBs");
}

static void expect_list_refused(const char *text, size_t size, const char *words)
{
	struct sim_host *host = NULL;
	struct error error = {.text = ""};
	struct sim_host_source source = {
		.name = "fuzz",
		.list_name = "list",
		.list = text,
		.list_size = size,
	};

	assert_int_equal(sim_host_new(&source, &host, &error), ERROR_INVALID_ARGUMENT);
	if (!strstr(error.text, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, error.text);
	}
}

static void test_lists_of_many(void **state)
{
	size_t room = (size_t)MANY * 64;
	char *text = malloc(room);
	size_t used = 0;

	(void)state;
	assert_non_null(text);
	for (uint32_t i = 0; i < MANY; i++) {
		used += (size_t)snprintf(text + used, room - used,
					 "[device %04x:%02x:%02x.%x]\ngroup = 1\n", i >> 16,
					 i >> 8 & 0xff, i >> 3 & 0x1f, i & 7);
	}
	expect_list_refused(text, used, "list:32769: a simulated host has at most 16384 devices");
	/* Bridges above bridges, all the way round. */
	used = 0;
	for (uint32_t i = 0; i < 256; i++) {
		used += (size_t)snprintf(text + used, room - used,
					 "[device 0000:%02x:00.0]\nclass = 0x060400\n"
					 "bridge = 0000:%02x:00.0\n",
					 i, (i + 1) & 0xff);
	}
	expect_list_refused(text, used, "in a circle");
	memset(text, 'a', room);
	expect_list_refused(text, room, "list:1: the line is longer");
	memset(text, '\n', room);
	expect_list_refused(text, room, "no PCI device");
	free(text);
}

static const struct sim_builtin_host *find_builtin(const char *name)
{
	for (size_t i = 0; i < sim_builtin_host_count; i++) {
		if (strcmp(sim_builtin_hosts[i].name, name) == 0) {
			return &sim_builtin_hosts[i];
		}
	}
	abort();
}

/* What still is a host makes a tree of files, and only below its root. */
static void test_sysfs_of_mutated_trees(void **state)
{
	const struct sim_builtin_host *builtin = find_builtin("powernv8");
	uint64_t random = SEED;
	uint8_t *copy;

	(void)state;
	copy = malloc(builtin->fdt_size);
	assert_non_null(copy);
	for (int i = 0; i < FLIPS; i++) {
		struct sim_host *host = NULL;
		struct error error;
		struct sim_host_source source = {.name = "fuzz",
						 .fdt_name = "tree",
						 .fdt = copy,
						 .fdt_size = builtin->fdt_size};
		uint64_t where = next_random(&random) % (builtin->fdt_size * 8);

		memcpy(copy, builtin->fdt, builtin->fdt_size);
		copy[where / 8] ^= (uint8_t)(1U << where % 8);
		if (sim_host_new(&source, &host, &error) == 0 && i % SYSFS_EVERY == 0) {
			char *root = NULL;

			assert_int_equal(sim_sysfs_new(host, &root), 0);
			(void)sim_sysfs_free(root);
		}
		(void)sim_host_free(host);
	}
	free(copy);
}

/* Whatever is done to it, the ledger says what its model says. */
static void test_ledgers(void **state)
{
	uint64_t random = SEED;

	(void)state;
	for (int i = 0; i < FLIPS; i++) {
		uint8_t bytes[2001];

		for (size_t j = 0; j < sizeof(bytes); j++) {
			bytes[j] = (uint8_t)(next_random(&random) >> 32);
		}
		fuzz_ledger(bytes, sizeof(bytes));
	}
	fuzz_ledger(NULL, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees_cut_off_and_turned_over),
		cmocka_unit_test(test_lists_cut_off_and_turned_over),
		cmocka_unit_test(test_policies_cut_off_and_turned_over),
		cmocka_unit_test(test_absurd_cells_everywhere),
		cmocka_unit_test(test_phandles_in_a_circle),
		cmocka_unit_test(test_absurd_addresses),
		cmocka_unit_test(test_many_devices),
		cmocka_unit_test(test_most_devices),
		cmocka_unit_test(test_many_nodes),
		cmocka_unit_test(test_deep_nesting),
		cmocka_unit_test(test_many_phbs),
		cmocka_unit_test(test_lists_of_many),
		cmocka_unit_test(test_sysfs_of_mutated_trees),
		cmocka_unit_test(test_ledgers),
	};

	return cmocka_run_group_tests_name("fuzz", tests, NULL, NULL);
}
