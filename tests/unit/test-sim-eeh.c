/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* EEH of the simulated kernel: states, thawing, resets, injection, and what freezes a PE. */
#include <libfdt.h>

#include "sim/eeh.h"
#include "sim_model_fixture.h"

#define SECOND_GROUP 1U

/* How the model's owner is told of states. */
static unsigned int changes;
static uint32_t changed_group;

static void handle_pe_changed(void *userdata, uint32_t group)
{
	(void)userdata;
	changes++;
	changed_group = group;
}

static int set_up_eeh(void **state)
{
	struct fixture *fixture;

	(void)set_up(state);
	fixture = *state;
	for (size_t i = 0; i < fixture->host->phb_count; i++) {
		fixture->host->phbs[i].eeh = true;
	}
	changes = 0;
	fixture->model->pe_changed = handle_pe_changed;
	return 0;
}

static struct sim_group *group_of(const struct fixture *fixture, uint32_t number)
{
	return &fixture->model->groups[number];
}

/* An operation with a whole structure. Returns its result; *ret_blocks may be NULL. */
static int operate_timed(struct fixture *fixture, uint32_t operation, uint32_t *ret_blocks)
{
	struct vfio_eeh_pe_op op = {.argsz = sizeof(op), .op = operation};
	struct sim_argument argument = {.data = fixture->data, .size = sizeof(op)};
	int result;

	memcpy(fixture->data, &op, sizeof(op));
	result = sim_node_ioctl(fixture->container, &fixture->caller, VFIO_EEH_PE_OP, &argument);
	if (ret_blocks) {
		*ret_blocks = argument.blocks;
	}
	return result;
}

static int operate(struct fixture *fixture, uint32_t operation)
{
	return operate_timed(fixture, operation, NULL);
}

static int pe_state(struct fixture *fixture)
{
	return operate(fixture, VFIO_EEH_PE_GET_STATE);
}

static int freeze(struct fixture *fixture, uint32_t group, enum sim_freeze what)
{
	struct error error;

	return sim_eeh_freeze(fixture->model, group, what, &error);
}

static int inject(struct fixture *fixture, uint32_t type, uint32_t function)
{
	struct vfio_eeh_pe_op op = {
		.argsz = sizeof(op),
		.op = VFIO_EEH_PE_INJECT_ERR,
		.err = {.type = type, .func = function},
	};

	return struct_ioctl(fixture, fixture->container, VFIO_EEH_PE_OP, &op, sizeof(op));
}

/* One more group in the container; it is asked first then. */
static struct sim_node join_second(struct fixture *fixture)
{
	struct sim_node group;

	assert_int_equal(sim_model_open(fixture->model, GROUP_E1000E, &group), 0);
	assert_int_equal(join(fixture, group, fixture->container), 0);
	return group;
}

static void expect_words(const struct fixture *fixture, uint32_t firmware, uint32_t kernel)
{
	uint32_t words[SIM_EEH_SYSFS_WORDS] = {0};

	sim_eeh_sysfs_state(group_of(fixture, 0), words);
	assert_int_equal(words[0], firmware);
	assert_int_equal(words[1], kernel);
}

/* arguments */

static void test_arguments_are_checked_as_measured(void **state)
{
	static const struct {
		uint32_t argsz;
		uint32_t flags;
		uint32_t op;
		int result;
	} cases[] = {
		{sizeof(struct vfio_eeh_pe_op), 0, VFIO_EEH_PE_GET_STATE, 0},
		{12, 0, VFIO_EEH_PE_GET_STATE, 0},
		{4096, 0, VFIO_EEH_PE_GET_STATE, 0},
		{11, 0, VFIO_EEH_PE_GET_STATE, -EINVAL},
		{0, 0, VFIO_EEH_PE_GET_STATE, -EINVAL},
		{sizeof(struct vfio_eeh_pe_op), 1, VFIO_EEH_PE_GET_STATE, -EINVAL},
		{sizeof(struct vfio_eeh_pe_op), 0, 77, -EINVAL},
		{sizeof(struct vfio_eeh_pe_op), 0, 10, -EINVAL},
		{12, 0, VFIO_EEH_PE_INJECT_ERR, -EINVAL},
		{39, 0, VFIO_EEH_PE_INJECT_ERR, -EINVAL},
	};
	struct fixture *fixture = *state;
	struct sim_argument nothing = {.data = NULL};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct vfio_eeh_pe_op op = {
			.argsz = cases[i].argsz,
			.flags = cases[i].flags,
			.op = cases[i].op,
		};

		assert_int_equal(
			struct_ioctl(fixture, fixture->container, VFIO_EEH_PE_OP, &op, sizeof(op)),
			cases[i].result);
	}
	assert_int_equal(
		sim_node_ioctl(fixture->container, &fixture->caller, VFIO_EEH_PE_OP, &nothing),
		-EFAULT);
}

static void test_healthy_pe(void **state)
{
	static const uint32_t operations[] = {
		VFIO_EEH_PE_DISABLE,     VFIO_EEH_PE_ENABLE,       VFIO_EEH_PE_GET_STATE,
		VFIO_EEH_PE_UNFREEZE_IO, VFIO_EEH_PE_UNFREEZE_DMA, VFIO_EEH_PE_CONFIGURE,
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		uint32_t blocks = 1;

		assert_int_equal(operate_timed(fixture, operations[i], &blocks), 0);
		assert_int_equal(blocks, 0);
		assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
	}
	assert_int_equal(changes, 0);
}

/* A host without EEH doesn't even look at the argument. */
static void test_no_eeh(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_eeh_pe_op op = {.argsz = 11, .flags = 1, .op = 77};
	struct sim_argument nothing = {.data = NULL};

	for (size_t i = 0; i < fixture->host->phb_count; i++) {
		fixture->host->phbs[i].eeh = false;
	}
	assert_int_equal(pe_state(fixture), -ENODEV);
	assert_int_equal(struct_ioctl(fixture, fixture->container, VFIO_EEH_PE_OP, &op, sizeof(op)),
			 -ENODEV);
	assert_int_equal(
		sim_node_ioctl(fixture->container, &fixture->caller, VFIO_EEH_PE_OP, &nothing),
		-ENODEV);
	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_BOTH), ERROR_EEH_UNAVAILABLE);
}

/* states */

static void test_freeze_and_thaw(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_BOTH), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_DISABLE), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_UNFREEZE_IO), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED_DMA);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_UNFREEZE_DMA), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_BOTH), 0);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_ENABLE), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
	assert_int_equal(group_of(fixture, 0)->pe.freezes, 2);
	assert_int_equal(freeze(fixture, UINT32_MAX, SIM_FREEZE_BOTH), ERROR_NOT_FOUND);
}

static void test_half_a_freeze(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_DMA), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED_DMA);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_UNFREEZE_IO), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED_DMA);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_UNFREEZE_DMA), 0);
	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_IO), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_UNAVAIL);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_UNFREEZE_IO), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
}

/* H45 */
static void test_opening_and_closing_thaw(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_BOTH), 0);
	sim_eeh_handle_device_open(group_of(fixture, 0));
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_DMA), 0);
	sim_eeh_handle_device_close(group_of(fixture, 0));
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
}

/* H43, H44 */
static void test_gone_for_good_looks_stopped_and_claims_to_thaw(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_PERMANENT), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_UNFREEZE_IO), 0);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_UNFREEZE_DMA), 0);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_ENABLE), 0);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_RESET_HOT), -EIO);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_RESET_FUNDAMENTAL), -EIO);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_RESET_DEACTIVATE), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED);
	assert_true(group_of(fixture, 0)->pe.io_stopped);
	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_BOTH), ERROR_EEH_UNAVAILABLE);
}

/* H48 */
static void test_fenced_bridge(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_UNAVAILABLE), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_UNAVAIL);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_UNFREEZE_IO), -EIO);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_ENABLE), -EIO);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_RESET_HOT), -EIO);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_UNAVAIL);
	/* The host is through. */
	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_BOTH), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_ENABLE), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
}

/* resets */

static void test_reset_blocks_and_deactivate_thaws(void **state)
{
	struct fixture *fixture = *state;
	uint32_t blocks = 0;

	sim_group_add_device(group_of(fixture, 0));
	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_BOTH), 0);
	assert_int_equal(operate_timed(fixture, VFIO_EEH_PE_RESET_HOT, &blocks), 0);
	assert_in_range(blocks, 3800, 5100);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED);
	assert_int_equal(operate_timed(fixture, VFIO_EEH_PE_RESET_DEACTIVATE, &blocks), 0);
	assert_int_equal(blocks, 4);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_CONFIGURE), 0);
	assert_int_equal(operate_timed(fixture, VFIO_EEH_PE_RESET_FUNDAMENTAL, &blocks), 0);
	assert_in_range(blocks, 250, 3800);
	/* What wasn't frozen doesn't look so meanwhile. */
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
	assert_true(group_of(fixture, 0)->pe.reset_asserted);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_RESET_DEACTIVATE), 0);
	assert_false(group_of(fixture, 0)->pe.reset_asserted);
	sim_group_remove_device(group_of(fixture, 0));
}

static void test_reset_with_no_device_open(void **state)
{
	struct fixture *fixture = *state;
	uint32_t blocks = 0;

	assert_int_equal(operate_timed(fixture, VFIO_EEH_PE_RESET_HOT, &blocks), 0);
	assert_in_range(blocks, 1800, 1810);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_RESET_DEACTIVATE), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
}

/* An LPAR doesn't freeze the PE before (H52), has a state of its own, and sleeps in the kernel. */
static void test_reset_on_an_lpar(void **state)
{
	struct fixture *fixture = *state;
	uint32_t blocks = 0;

	fixture->host->platform = SIM_PSERIES;
	assert_int_equal(operate_timed(fixture, VFIO_EEH_PE_RESET_HOT, &blocks), 0);
	assert_int_equal(blocks, 250);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_RESET);
	assert_false(group_of(fixture, 0)->pe.io_stopped);
	assert_int_equal(operate_timed(fixture, VFIO_EEH_PE_RESET_DEACTIVATE, &blocks), 0);
	assert_int_equal(blocks, 1800);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_DMA), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED_DMA);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_ENABLE), 0);
	fixture->host->platform = SIM_POWERNV;
}

/* several groups */

/* H42 */
static void test_all_groups_up_to_the_first_that_is_not_0(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node second = join_second(fixture);

	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_DMA), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED_DMA);
	/* Now the one that is asked first isn't healthy, either. */
	assert_int_equal(freeze(fixture, SECOND_GROUP, SIM_FREEZE_BOTH), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_ENABLE), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
	/* A failure keeps the others from being operated on. */
	assert_int_equal(freeze(fixture, SECOND_GROUP, SIM_FREEZE_PERMANENT), 0);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_RESET_HOT), -EIO);
	assert_false(group_of(fixture, 0)->pe.reset_asserted);
	sim_node_close(second);
}

static void test_times_of_several_groups_add_up(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node second = join_second(fixture);
	uint32_t blocks = 0;

	assert_int_equal(operate_timed(fixture, VFIO_EEH_PE_RESET_HOT, &blocks), 0);
	assert_in_range(blocks, 3600, 3620);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_RESET_DEACTIVATE), 0);
	sim_node_close(second);
}

/* injection */

static void test_injection_needs_firmware_that_can(void **state)
{
	struct fixture *fixture = *state;
	const void *tree = fixture->host->fdt;
	void *power8 = malloc(fixture->host->fdt_size);
	static const char compatible[] = "ibm,power8-pciex\0ibm,ioda2-phb";
	const char *node = fixture->host->phbs[0].node;

	assert_int_equal(inject(fixture, 0, 0), -EIO);
	assert_int_equal(inject(fixture, 1, 19), -EIO);
	assert_int_equal(inject(fixture, 9, 0), -ERANGE);
	assert_int_equal(inject(fixture, 0, 99), -EINVAL);
	assert_int_equal(inject(fixture, 0, 20), -EINVAL);
	memcpy(power8, tree, fixture->host->fdt_size);
	assert_int_equal(fdt_setprop_inplace(power8, fdt_subnode_offset(power8, 0, node),
					     "compatible", compatible, sizeof(compatible)),
			 0);
	fixture->host->fdt = power8;
	assert_int_equal(inject(fixture, 0, 0), 0);
	assert_int_equal(inject(fixture, 9, 0), -ERANGE);
	assert_int_equal(inject(fixture, 9, 99), -EINVAL);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
	fixture->host->fdt = tree;
	free(power8);
}

/* H52 */
static void test_injection_on_an_lpar_breaks_the_devices(void **state)
{
	struct fixture *fixture = *state;

	fixture->host->platform = SIM_PSERIES;
	assert_int_equal(inject(fixture, 2, 0), -EINVAL);
	assert_int_equal(inject(fixture, 0, 99), -EINVAL);
	assert_int_equal(inject(fixture, 1, 2), -ERANGE);
	assert_int_equal(inject(fixture, 1, 19), -ERANGE);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
	assert_int_equal(inject(fixture, 1, 6), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED);
	fixture->host->platform = SIM_POWERNV;
}

/* DMA */

static struct buffer *map_buffer(struct fixture *fixture)
{
	struct buffer *buffer = calloc(1, sizeof(*buffer));

	buffer->size = MIB;
	buffer->bytes = calloc(1, buffer->size);
	assert_int_equal(register_pieces(fixture, USER_ADDRESS, MIB,
					 one_piece(&buffer_operations, buffer, MIB, 12)),
			 0);
	assert_int_equal(map(fixture, 0, USER_ADDRESS, MIB, READ_WRITE), 0);
	return buffer;
}

static int dma_write(struct fixture *fixture, uint64_t iova, const char *data)
{
	struct error error;

	return sim_model_dma_write(fixture->model, EDU, iova, data, (uint32_t)strlen(data), &error);
}

/* H16 */
static void test_refused_dma_freezes_the_pe(void **state)
{
	struct fixture *fixture = *state;
	struct buffer *buffer = map_buffer(fixture);

	assert_int_equal(dma_write(fixture, 0x10, "before"), 0);
	assert_memory_equal(buffer->bytes + 0x10, "before", 6);
	assert_int_equal(dma_write(fixture, 2 * MIB, "beyond"), ERROR_DMA_FAULT);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED);
	assert_int_equal(dma_write(fixture, 0x10, "frozen"), ERROR_DMA_FAULT);
	assert_memory_equal(buffer->bytes + 0x10, "before", 6);
	assert_int_equal(group_of(fixture, 0)->pe.freezes, 1);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_UNFREEZE_IO), 0);
	assert_int_equal(dma_write(fixture, 0x10, "frozen"), ERROR_DMA_FAULT);
	/* That one never reached the IOMMU, which would have frozen MMIO again. */
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED_DMA);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_ENABLE), 0);
	assert_int_equal(dma_write(fixture, 0x10, "thawed"), 0);
	assert_memory_equal(buffer->bytes + 0x10, "thawed", 6);
}

static void test_no_dma_during_a_reset(void **state)
{
	struct fixture *fixture = *state;

	(void)map_buffer(fixture);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_RESET_HOT), 0);
	assert_int_equal(dma_write(fixture, 0, "reset"), ERROR_DMA_FAULT);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_RESET_DEACTIVATE), 0);
	assert_int_equal(dma_write(fixture, 0, "works"), 0);
}

/* What VFIO lets go frozen stays so (measured): the next owner finds it. */
static void test_release(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_BOTH), 0);
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	expect_words(fixture, 0, 0x801);
	assert_int_equal(join(fixture, fixture->group, fixture->container), 0);
	assert_int_equal(
		value_ioctl(fixture, fixture->container, VFIO_SET_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU),
		0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED);
	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_PERMANENT), 0);
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	expect_words(fixture, 2, 0x801);
}

/* As under emulation. */
static void test_hosts_that_do_not_freeze(void **state)
{
	struct fixture *fixture = *state;

	(void)map_buffer(fixture);
	fixture->host->settings.freezes = false;
	assert_int_equal(dma_write(fixture, 2 * MIB, "beyond"), ERROR_DMA_FAULT);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_NORMAL);
	assert_int_equal(dma_write(fixture, 0, "works"), 0);
}

/* what others see */

static void test_sysfs_words(void **state)
{
	struct fixture *fixture = *state;

	expect_words(fixture, 0x78, 0x800);
	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_BOTH), 0);
	expect_words(fixture, 0, 0x801);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED);
	/* Thawing piece by piece leaves the kernel's own mark. */
	assert_int_equal(operate(fixture, VFIO_EEH_PE_UNFREEZE_IO), 0);
	expect_words(fixture, 0x28, 0x801);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_UNFREEZE_DMA), 0);
	expect_words(fixture, 0x78, 0x801);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_RESET_HOT), 0);
	expect_words(fixture, 0x78, 0x805);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_RESET_DEACTIVATE), 0);
	expect_words(fixture, 0x78, 0x800);
}

static void test_who_is_told_of_changes(void **state)
{
	struct fixture *fixture = *state;

	changed_group = UINT32_MAX;
	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_BOTH), 0);
	assert_int_equal(changes, 1);
	assert_int_equal(changed_group, 0);
	assert_int_equal(freeze(fixture, 0, SIM_FREEZE_BOTH), 0);
	assert_int_equal(pe_state(fixture), VFIO_EEH_PE_STATE_STOPPED);
	assert_int_equal(changes, 1);
	assert_int_equal(operate(fixture, VFIO_EEH_PE_ENABLE), 0);
	assert_int_equal(changes, 2);
	assert_int_equal(freeze(fixture, SECOND_GROUP, SIM_FREEZE_IO), 0);
	assert_int_equal(changes, 3);
	assert_int_equal(changed_group, SECOND_GROUP);
}

#define EEH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_eeh, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		EEH_TEST(test_arguments_are_checked_as_measured),
		EEH_TEST(test_healthy_pe),
		EEH_TEST(test_no_eeh),
		EEH_TEST(test_freeze_and_thaw),
		EEH_TEST(test_half_a_freeze),
		EEH_TEST(test_opening_and_closing_thaw),
		EEH_TEST(test_gone_for_good_looks_stopped_and_claims_to_thaw),
		EEH_TEST(test_fenced_bridge),
		EEH_TEST(test_reset_blocks_and_deactivate_thaws),
		EEH_TEST(test_reset_with_no_device_open),
		EEH_TEST(test_reset_on_an_lpar),
		EEH_TEST(test_all_groups_up_to_the_first_that_is_not_0),
		EEH_TEST(test_times_of_several_groups_add_up),
		EEH_TEST(test_injection_needs_firmware_that_can),
		EEH_TEST(test_injection_on_an_lpar_breaks_the_devices),
		EEH_TEST(test_refused_dma_freezes_the_pe),
		EEH_TEST(test_no_dma_during_a_reset),
		EEH_TEST(test_release),
		EEH_TEST(test_hosts_that_do_not_freeze),
		EEH_TEST(test_sysfs_words),
		EEH_TEST(test_who_is_told_of_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
