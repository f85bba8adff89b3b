/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which host bridge groups lie below, and what they tell of it: on the simulated hosts' sysfs, as
 * it is and changed. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/names.h"
#include "host/topology.h"
#include "host/topology_private.h"
#include "sim/host.h"
#include "sim/sysfs.h"
#include "unit.h"

struct stage {
	struct sim_host *host;
	char *root;
	struct topology *topology;
};

static int set_up_host(void **state, const char *name)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	assert_non_null(stage);
	assert_int_equal(sim_host_new_builtin(name, &stage->host), 0);
	assert_int_equal(sim_sysfs_new(stage->host, &stage->root), 0);
	*state = stage;
	return 0;
}

static int set_up(void **state)
{
	return set_up_host(state, "powernv9");
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
	struct stage *stage = *state;

	(void)topology_free(stage->topology);
	(void)sim_sysfs_free(stage->root);
	(void)sim_host_free(stage->host);
	free(stage);
	return 0;
}

static const struct topology *look(struct stage *stage)
{
	struct error error = {.text = ""};

	stage->topology = topology_free(stage->topology);
	if (topology_read(stage->root, &stage->topology, &error)) {
		fail_msg("%s", error.text);
	}
	return stage->topology;
}

static void path_of(const struct stage *stage, const char *device, const char *name,
		    char ret_path[static PATH_MAX])
{
	(void)snprintf(ret_path, PATH_MAX, "%s/" SYSFS_PCI_DEVICES "/%s/%s", stage->root, device,
		       name);
}

static void remove_file(const struct stage *stage, const char *device, const char *name)
{
	char path[PATH_MAX];

	path_of(stage, device, name, path);
	assert_int_equal(unlink(path), 0);
}

static void link_node(const struct stage *stage, const char *device, const char *node)
{
	char path[PATH_MAX];
	char target[PATH_MAX];

	path_of(stage, device, "of_node", path);
	(void)snprintf(target, sizeof(target), "../../../" SYSFS_DEVICE_TREE "/%s", node);
	(void)unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static struct topology_phb *phb_of(const struct topology *topology, const char *device)
{
	const struct topology_device *found = topology_find_device(topology, device);

	assert_non_null(found);
	return topology_find_group(topology, found->group)->phb;
}

/* -- bare metal -- */

static void test_groups_have_their_phb(void **state)
{
	const struct topology *topology = look(*state);

	assert_int_equal(topology->eeh_firmware, EEH_FIRMWARE_OPAL);
	assert_int_equal(topology->phb_count, 6);
	for (size_t i = 0; i < topology->group_count; i++) {
		const struct topology_group *group = topology->groups[i];

		assert_non_null(group->phb);
		assert_int_equal(group->phb->id, group->phb_id);
		assert_int_equal(group->phb->domain, group->phb_id);
		assert_true(group->phb->eeh);
		assert_true(group->pe_number < group->phb->pe_count);
		assert_ptr_equal(topology_find_phb(topology, group->phb_id), group->phb);
	}
	assert_null(topology_find_phb(topology, 6));
}

/* PHB 5 has nothing but its root port, which is in no group. */
static void test_phb_without_groups(void **state)
{
	const struct topology_phb *phb = topology_find_phb(look(*state), 5);

	assert_non_null(phb);
	assert_true(phb->has_functions);
	assert_true(phb->eeh);
	assert_string_equal(phb->location, "pcie.5");
}

static void test_no_eeh(void **state)
{
	struct stage *stage = *state;

	remove_file(stage, "0005:00:00.0", SYSFS_EEH_STATE);
	assert_false(topology_find_phb(look(stage), 5)->eeh);
	assert_true(topology_find_phb(stage->topology, 5)->has_functions);
	remove_file(stage, "0004:00:00.0", SYSFS_EEH_STATE);
	assert_true(topology_find_phb(look(stage), 4)->eeh);
}

/* The node of a device says more than the number that its PHB wanted. */
static void test_node_before_number(void **state)
{
	struct stage *stage = *state;
	const struct topology *topology;

	link_node(stage, "0005:00:00.0", "pciex@600c3c0400000/pci@0");
	link_node(stage, "0004:00:00.0", "pciex@600c3c0500000/pci@0");
	link_node(stage, "0004:01:00.0", "pciex@600c3c0500000/pci@0/ethernet@0");
	topology = look(stage);
	assert_string_equal(topology_find_phb(topology, 4)->node, "pciex@600c3c0500000");
	assert_string_equal(topology_find_phb(topology, 5)->node, "pciex@600c3c0400000");
	assert_string_equal(phb_of(topology, "0004:01:00.0")->node, "pciex@600c3c0500000");
	/* They are in order all the same. */
	for (uint32_t i = 0; i < topology->phb_count; i++) {
		assert_int_equal(topology->phbs[i].domain, i);
	}
}

static void test_device_without_node(void **state)
{
	struct stage *stage = *state;

	remove_file(stage, "0001:01:00.0", "of_node");
	assert_string_equal(phb_of(look(stage), "0001:01:00.0")->node, "pciex@600c3c0100000");
	link_node(stage, "0001:01:00.0", "elsewhere@1");
	assert_string_equal(phb_of(look(stage), "0001:01:00.0")->node, "pciex@600c3c0100000");
	remove_file(stage, "0001:01:00.0", "of_node");
	remove_file(stage, "0001:00:00.0", "of_node");
	assert_string_equal(phb_of(look(stage), "0001:01:00.0")->node, "pciex@600c3c0100000");
}

/* A group whose name says nothing has devices that do. */
static void test_group_without_name(void **state)
{
	struct stage *stage = *state;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_IOMMU_GROUPS "/1/name", stage->root);
	assert_int_equal(unlink(path), 0);
	assert_string_equal(phb_of(look(stage), "0001:01:00.0")->node, "pciex@600c3c0100000");
	assert_int_equal(topology_find_group(stage->topology, 1)->phb_id, TOPOLOGY_UNKNOWN);
}

static void test_location_is_kept(void **state)
{
	const struct topology *topology = look(*state);

	assert_string_equal(topology_find_device(topology, "0001:01:00.0")->location, "pcie.1");
	assert_string_equal(topology_find_device(topology, "0002:01:00.0")->location, "sw0_up");
}

/* -- partitions -- */

static void test_partition(void **state)
{
	const struct topology *topology = look(*state);

	assert_int_equal(topology->eeh_firmware, EEH_FIRMWARE_RTAS);
	assert_int_equal(topology->phb_count, 5);
	for (uint32_t i = 0; i < topology->phb_count; i++) {
		const struct topology_phb *phb = &topology->phbs[i];

		assert_int_equal(phb->domain, i);
		assert_int_equal(phb->id, PHB_UNKNOWN);
		assert_int_equal(phb->liobn, 0x80000000 + 0x100 * i);
		assert_true(phb->ddw && phb->ddw_reset);
		assert_true(phb->has_functions);
		assert_false(phb->eeh);
	}
	assert_int_equal(phb_of(topology, "0003:00:02.0")->domain, 3);
}

/* A group of a partition stays when its devices go: its number leads to the PHB. What is plugged in
 * tells that there is EEH. */
static void test_group_without_devices(void **state)
{
	struct stage *stage = *state;
	int index = sim_host_find_device(stage->host, "0000:00:01.0");
	const struct topology *topology;
	struct topology_group *group;

	assert_int_equal(sim_sysfs_remove_device(stage->root, stage->host, (size_t)index), 0);
	topology = look(stage);
	group = topology_find_group(topology, 0);
	assert_int_equal(group->device_count, 0);
	assert_ptr_equal(group->phb, topology_find_phb(topology, 0));
	assert_false(group->phb->has_functions);
	group = topology_find_group(topology, 1);
	group->eeh = true;
	topology_place_group(topology, group);
	assert_true(group->phb->eeh);
}

/* -- others -- */

static void test_type1(void **state)
{
	const struct topology *topology = look(*state);

	assert_int_equal(topology->phb_count, 0);
	assert_null(topology->phbs);
	assert_int_equal(topology->eeh_firmware, EEH_FIRMWARE_NONE);
	assert_int_equal(topology->memory_installed, topology->memory_max);
	assert_true(topology->memory_max > 0);
	for (size_t i = 0; i < topology->group_count; i++) {
		assert_null(topology->groups[i]->phb);
	}
}

#define TEST(function, set_up) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_groups_have_their_phb, set_up),
		TEST(test_phb_without_groups, set_up),
		TEST(test_no_eeh, set_up),
		TEST(test_node_before_number, set_up),
		TEST(test_device_without_node, set_up),
		TEST(test_group_without_name, set_up),
		TEST(test_location_is_kept, set_up),
		TEST(test_partition, set_up_pseries),
		TEST(test_group_without_devices, set_up_pseries),
		TEST(test_type1, set_up_x86),
	};

	return cmocka_run_group_tests_name("topology-phb", tests, NULL, NULL);
}
