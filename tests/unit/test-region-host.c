/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Regions on the simulated host: through memory and through the fd it is the same. */
#include <endian.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "sim/eeh.h"
#include "sim_fixture.h"
#include "vfio/device.h"
#include "vfio/region.h"

#define E1000E "0001:01:00.0"
/* Plain memory of the e1000e: its flash. */
#define FLASH 1U

struct stage {
	struct sim_fixture *sim;
	int container;
	int group;
	struct device *device;
};

static int set_up_stage(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	struct kernel *kernel;
	struct error error;
	void *sim = NULL;

	assert_non_null(stage);
	assert_int_equal(sim_fixture_set_up(&sim), 0);
	stage->sim = sim;
	kernel = stage->sim->kernel;
	stage->container = kernel_open_node(kernel, "/dev/vfio/vfio");
	stage->group = kernel_open_node(kernel, GROUP_E1000E);
	assert_int_equal(sim_join(kernel, stage->group, stage->container), 0);
	assert_int_equal(kernel_ioctl_value(kernel, stage->container, VFIO_SET_IOMMU,
					    VFIO_SPAPR_TCE_v2_IOMMU),
			 0);
	assert_int_equal(device_open(kernel, stage->group, E1000E, DEVICE_EVENTS_NONE,
				     &stage->device, &error),
			 0);
	*state = stage;
	return 0;
}

static int tear_down_stage(void **state)
{
	struct stage *stage = *state;
	struct kernel *kernel = stage->sim->kernel;
	void *sim = stage->sim;

	(void)device_close(stage->device);
	(void)kernel_close(kernel, stage->group);
	(void)kernel_close(kernel, stage->container);
	free(stage);
	return sim_fixture_tear_down(&sim);
}

static struct region *find(const struct stage *stage, uint32_t index)
{
	struct region *region = NULL;

	assert_int_equal(region_find(stage->device, index, &region, NULL), 0);
	return region;
}

static uint64_t read_at(const struct stage *stage, uint32_t index, uint64_t offset, uint32_t size)
{
	struct error error = {.text = ""};
	uint64_t value = 0;

	if (region_read(stage->device, find(stage, index), offset, size, &value, &error) != 0) {
		fail_msg("%s", error.text);
	}
	return value;
}

/* An access of the kernel's, or none: the seam is asked to refuse it. */
static void expect_no_pread(const struct stage *stage)
{
	uint64_t value = 0;

	assert_int_equal(region_read(stage->device, find(stage, FLASH), 0x40, 4, &value, NULL),
			 ERROR_NOT_FOUND);
}

static void test_mapped(void **state)
{
	const struct stage *stage = *state;
	struct region *region = find(stage, FLASH);

	assert_int_equal(region->area_count, 1);
	assert_int_equal(region_write(stage->device, region, 0x40, 4, 0x12345678, NULL), 0);
	assert_int_equal(region_map(stage->device, region, NULL), 0);
	assert_int_equal(read_at(stage, FLASH, 0x40, 4), 0x12345678);
	assert_int_equal(read_at(stage, FLASH, 0x40, 1), 0x78);
	assert_int_equal(region_write(stage->device, region, 0x42, 2, 0xabcd, NULL), 0);
	sim_fixture_fail_next(stage->sim, "read:1", 0, ENODEV);
	assert_int_equal(read_at(stage, FLASH, 0x40, 8), 0xabcd5678);
	region_unmap(stage->device, region);
	expect_no_pread(stage);
	assert_int_equal(read_at(stage, FLASH, 0x40, 4), 0xabcd5678);
}

/* SIGBUS would end this process. */
static void test_memory_that_is_off(void **state)
{
	const struct stage *stage = *state;
	struct region *region = find(stage, FLASH);
	struct region *config = find(stage, VFIO_PCI_CONFIG_REGION_INDEX);
	uint64_t command = read_at(stage, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2);
	struct error error;
	uint64_t value;

	assert_int_equal(region_map(stage->device, region, NULL), 0);
	assert_int_equal(region_write(stage->device, config, PCI_COMMAND, 2,
				      command & ~(uint64_t)PCI_COMMAND_MEMORY, NULL),
			 0);
	assert_int_equal(region_read(stage->device, region, 0, 4, &value, &error),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(region_write(stage->device, config, PCI_COMMAND, 2, command, NULL), 0);
	assert_int_equal(read_at(stage, FLASH, 0, 4), 0);
}

/* While its reset is asserted a device has no BARs, whoever asks. */
static void test_reset_that_is_asserted(void **state)
{
	const struct stage *stage = *state;
	struct vfio_eeh_pe_op op = {.argsz = sizeof(op), .op = VFIO_EEH_PE_RESET_HOT};
	struct error error;
	uint64_t value;

	assert_int_equal(region_map(stage->device, find(stage, FLASH), NULL), 0);
	assert_int_equal(kernel_ioctl(stage->sim->kernel, stage->container, VFIO_EEH_PE_OP, &op),
			 0);
	assert_int_equal(region_read(stage->device, find(stage, FLASH), 0, 4, &value, &error),
			 ERROR_FROZEN);
	op.op = VFIO_EEH_PE_RESET_DEACTIVATE;
	assert_int_equal(kernel_ioctl(stage->sim->kernel, stage->container, VFIO_EEH_PE_OP, &op),
			 0);
	assert_int_equal(read_at(stage, FLASH, 0, 4), 0);
}

static void test_closing_unmaps(void **state)
{
	struct stage *stage = *state;
	unsigned char resident;
	void *address;

	assert_int_equal(region_map(stage->device, find(stage, FLASH), NULL), 0);
	address = find(stage, FLASH)->areas[0].address;
	assert_int_equal(mincore(address, 1, &resident), 0);
	stage->device = device_close(stage->device);
	assert_int_equal(mincore(address, 1, &resident), -1);
	assert_int_equal(errno, ENOMEM);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mapped, set_up_stage, tear_down_stage),
		cmocka_unit_test_setup_teardown(test_memory_that_is_off, set_up_stage,
						tear_down_stage),
		cmocka_unit_test_setup_teardown(test_reset_that_is_asserted, set_up_stage,
						tear_down_stage),
		cmocka_unit_test_setup_teardown(test_closing_unmaps, set_up_stage, tear_down_stage),
	};

	return cmocka_run_group_tests_name("regions on a host", tests, NULL, NULL);
}
