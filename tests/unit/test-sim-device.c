/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an open device of a simulated host answers: information, resets, features. The numbers were
 * measured on an emulated POWER9 host. */
#include "sim/function.h"
#include "sim_device_fixture.h"

#define GROUP_TWO_FUNCTIONS "/dev/vfio/3"
#define HOT_RESET_MAX       4U

union hot_reset_info {
	struct vfio_pci_hot_reset_info head;
	uint8_t bytes[sizeof(struct vfio_pci_hot_reset_info) +
		      HOT_RESET_MAX * sizeof(struct vfio_pci_dependent_device)];
};

static void test_set_up_and_tear_down(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);

	assert_int_equal(statistics(fixture).open_devices, 1);
	sim_node_close(device);
	assert_int_equal(statistics(fixture).open_devices, 0);
}

/* opening */

static void test_open_checks_the_name_first(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = SIM_NODE_NOTHING;
	struct sim_node group;

	assert_int_equal(sim_model_open(fixture->model, GROUP_E1000E, &group), 0);
	assert_int_equal(open_device(fixture, group, E1000E, &device, NULL), -EINVAL);
	assert_int_equal(open_device(fixture, group, EDU, &device, NULL), -ENODEV);
	assert_int_equal(open_device(fixture, group, "", &device, NULL), -ENODEV);
	assert_int_equal(open_device(fixture, group, "0001:01:00.0x", &device, NULL), -ENODEV);
	assert_int_equal(open_device(fixture, group, "0001:01:00.0 vf_token=1", &device, NULL),
			 -EINVAL);
	assert_int_equal(join(fixture, group, fixture->container), 0);
	assert_int_equal(open_device(fixture, group, "0001:01:00.0  ", &device, NULL), 0);
	sim_node_close(device);
	sim_node_close(group);
}

static void test_open_needs_an_iommu(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node container;
	struct sim_node device = SIM_NODE_NOTHING;
	struct sim_node group;

	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/vfio", &container), 0);
	assert_int_equal(sim_model_open(fixture->model, GROUP_E1000E, &group), 0);
	assert_int_equal(join(fixture, group, container), 0);
	assert_int_equal(open_device(fixture, group, E1000E, &device, NULL), -EINVAL);
	sim_node_close(group);
	sim_node_close(container);
}

static void test_open_blocks_for_one_reset(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node first = SIM_NODE_NOTHING;
	struct sim_node second = SIM_NODE_NOTHING;
	uint32_t blocks = 0;

	assert_int_equal(open_device(fixture, fixture->group, EDU, &first, &blocks), 0);
	assert_int_equal(blocks, 1815);
	assert_int_equal(open_device(fixture, fixture->group, EDU, &second, &blocks), 0);
	assert_int_equal(blocks, 0);
	assert_int_equal(statistics(fixture).open_devices, 1);
	sim_node_close(first);
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0),
			 -EBUSY);
	sim_node_close(second);
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
}

static void test_open_of_an_unknown_pointer(void **state)
{
	struct fixture *fixture = *state;
	struct sim_argument argument = {.data = NULL};

	assert_int_equal(sim_node_ioctl(fixture->group, &fixture->caller, VFIO_GROUP_GET_DEVICE_FD,
					&argument),
			 -EFAULT);
}

static void test_open_device_keeps_the_container(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	struct sim_node again = SIM_NODE_NOTHING;

	sim_node_close(fixture->group);
	fixture->group = SIM_NODE_NOTHING;
	assert_int_equal(sim_model_open(fixture->model, GROUP_EDU, &again), -EBUSY);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	sim_node_close(device);
	assert_int_equal(statistics(fixture).registered_bytes, 0);
	assert_int_equal(sim_model_open(fixture->model, GROUP_EDU, &fixture->group), 0);
}

/* information */

static void test_info(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	struct vfio_device_info info;

	assert_int_equal(get_info(fixture, device, &info, 20), 0);
	assert_int_equal(info.argsz, 20);
	assert_int_equal(info.flags, VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI);
	assert_int_equal(info.num_regions, 9);
	assert_int_equal(info.num_irqs, 5);
	assert_int_equal(info.cap_offset, 0);
	assert_int_equal(get_info(fixture, device, &info, 16), 0);
	assert_int_equal(info.cap_offset, 0xaaaaaaaa);
	assert_int_equal(get_info(fixture, device, &info, 15), -EINVAL);
	assert_int_equal(get_info(fixture, device, &info, 4), -EINVAL);
	sim_node_close(device);
}

/* A structure at the end of the caller's memory. */
static void test_less_memory_than_promised(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	struct vfio_device_info info = {.argsz = sizeof(info)};
	union hot_reset_info reset = {.head = {.argsz = sizeof(reset)}};

	assert_int_equal(device_ioctl(fixture, device, VFIO_DEVICE_GET_INFO, &info, 16, NULL, 0),
			 -EFAULT);
	assert_int_equal(device_ioctl(fixture, device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &reset,
				      sizeof(reset.head), NULL, 0),
			 -EFAULT);
	sim_node_close(device);
}

static void test_unknown_calls(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	struct sim_argument argument = {.data = NULL};
	uint32_t nothing = 0;

	assert_int_equal(device_ioctl(fixture, device, 0x3b99, &nothing, 4, NULL, 0), -ENOTTY);
	assert_int_equal(sim_node_ioctl(device, &fixture->caller, VFIO_DEVICE_GET_INFO, &argument),
			 -EFAULT);
	assert_int_equal(sim_node_ioctl(device, &fixture->caller, 0x3b99, &argument), -ENOTTY);
	sim_node_close(device);
}

/* resets */

static void test_reset_clears_registers_and_keeps_config(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	struct sim_argument argument = {.data = NULL};
	uint32_t value = 5;

	set_command(card.device, PCI_COMMAND_MASTER, 0);
	assert_int_equal(device_write(card.device, REGION(1), &value, 4), 4);
	assert_int_equal(
		sim_node_ioctl(card.device, &fixture->caller, VFIO_DEVICE_RESET, &argument), 0);
	/* 34 ms were measured, where opening takes 20. */
	assert_in_range(argument.blocks, 30, 40);
	assert_int_equal(device_read(card.device, REGION(1), &value, 4), 4);
	assert_int_equal(value, 0);
	assert_int_equal(config_read(card.device, PCI_COMMAND, 2), 0x106);
	close_all(&card);
}

static void test_device_that_cannot_be_reset(void **state)
{
	struct fixture *fixture = *state;
	int index = sim_host_find_device(fixture->host, EDU);
	struct sim_argument argument = {.data = NULL};
	struct vfio_device_info info;
	struct sim_node device = SIM_NODE_NOTHING;
	uint32_t blocks = 1;

	fixture->host->devices[index].reset = SIM_RESET_NONE;
	assert_int_equal(open_device(fixture, fixture->group, EDU, &device, &blocks), 0);
	assert_int_equal(blocks, 0);
	assert_int_equal(get_info(fixture, device, &info, sizeof(info)), 0);
	assert_int_equal(info.flags, VFIO_DEVICE_FLAGS_PCI);
	assert_int_equal(sim_node_ioctl(device, &fixture->caller, VFIO_DEVICE_RESET, &argument),
			 -EINVAL);
	sim_node_close(device);
}

static int get_hot_reset_info(struct fixture *fixture, struct sim_node device, uint32_t argsz,
			      union hot_reset_info *info)
{
	memset(info, 0, sizeof(*info));
	info->head.argsz = argsz;
	return device_ioctl(fixture, device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info,
			    sizeof(*info), NULL, 0);
}

static void test_hot_reset_info(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	union hot_reset_info info;

	assert_int_equal(get_hot_reset_info(fixture, card.device, sizeof(info), &info), 0);
	assert_int_equal(info.head.count, 1);
	assert_int_equal(info.head.devices[0].group_id, 1);
	assert_int_equal(info.head.devices[0].segment, 1);
	assert_int_equal(info.head.devices[0].bus, 1);
	assert_int_equal(info.head.devices[0].devfn, 0);
	assert_int_equal(get_hot_reset_info(fixture, card.device, 12, &info), -ENOSPC);
	assert_int_equal(info.head.count, 1);
	assert_int_equal(info.head.devices[0].segment, 0);
	assert_int_equal(get_hot_reset_info(fixture, card.device, 11, &info), -EINVAL);
	close_all(&card);
}

static int hot_reset(struct fixture *fixture, struct sim_node device, uint32_t argsz,
		     uint32_t count, const int32_t *index, struct sim_node *nodes)
{
	union {
		struct vfio_pci_hot_reset head;
		uint8_t bytes[sizeof(struct vfio_pci_hot_reset) + HOT_RESET_MAX * sizeof(int32_t)];
	} reset = {.head = {.argsz = argsz, .count = count}};
	struct sim_argument_fd fds[4];

	for (size_t i = 0; i < 4; i++) {
		reset.head.group_fds[i] = i < count ? index[i] : 0;
		fds[i] = (struct sim_argument_fd){.node = nodes[i], .fd = -1};
	}
	return device_ioctl(fixture, device, VFIO_DEVICE_PCI_HOT_RESET, &reset, sizeof(reset), fds,
			    4);
}

static void test_hot_reset(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	struct sim_node nodes[4] = {card.group, fixture->group, card.container, SIM_NODE_NOTHING};
	uint32_t value = 5;

	assert_int_equal(device_write(card.device, REGION(1), &value, 4), 4);
	assert_int_equal(hot_reset(fixture, card.device, 16, 0, NULL, nodes), -EINVAL);
	assert_int_equal(hot_reset(fixture, card.device, 8, 1, (int32_t[]){0}, nodes), -EINVAL);
	assert_int_equal(hot_reset(fixture, card.device, 20, 2, (int32_t[]){0, 1}, nodes), -EINVAL);
	assert_int_equal(hot_reset(fixture, card.device, 16, 1, (int32_t[]){-1}, nodes), -EBADF);
	assert_int_equal(hot_reset(fixture, card.device, 16, 1, (int32_t[]){-2}, nodes), -EBADF);
	assert_int_equal(hot_reset(fixture, card.device, 16, 1, (int32_t[]){2}, nodes), -EINVAL);
	assert_int_equal(hot_reset(fixture, card.device, 16, 1, (int32_t[]){3}, nodes), -EINVAL);
	/* Of another group than the devices of the bus. */
	assert_int_equal(hot_reset(fixture, card.device, 16, 1, (int32_t[]){1}, nodes), -EINVAL);
	assert_int_equal(device_read(card.device, REGION(1), &value, 4), 4);
	assert_int_equal(value, 5);
	assert_int_equal(hot_reset(fixture, card.device, 16, 1, (int32_t[]){0}, nodes), 0);
	assert_int_equal(device_read(card.device, REGION(1), &value, 4), 4);
	assert_int_equal(value, 0);
	close_all(&card);
}

static void test_hot_reset_on_a_root_bus(void **state)
{
	struct fixture *fixture = *state;
	int index = sim_host_find_device(fixture->host, EDU);
	struct sim_node nodes[4] = {fixture->group};
	struct sim_node device = open_edu(fixture);
	int parent = fixture->host->devices[index].parent;
	union hot_reset_info info;

	fixture->host->devices[index].parent = -1;
	assert_int_equal(get_hot_reset_info(fixture, device, sizeof(info), &info), -ENODEV);
	assert_int_equal(hot_reset(fixture, device, 16, 1, (int32_t[]){0}, nodes), -ENODEV);
	fixture->host->devices[index].parent = parent;
	sim_node_close(device);
}

/* Both functions of a card are hit, so that both must be vfio-pci's. */
static void test_hot_reset_of_two_functions(void **state)
{
	struct fixture *fixture = *state;
	int index = sim_host_find_device(fixture->host, "0003:01:00.1");
	char *driver = fixture->model->functions[index]->driver;
	char before[sizeof(fixture->model->functions[index]->driver)];
	union hot_reset_info info;
	struct sim_node nodes[4];
	struct opened card;

	memcpy(before, driver, sizeof(before));
	(void)snprintf(driver, sizeof(before), "%s", SIM_DRIVER_VFIO);
	sim_group_update(&fixture->model->groups[3]);
	card = open_all(fixture, GROUP_TWO_FUNCTIONS, "0003:01:00.0", VFIO_SPAPR_TCE_v2_IOMMU);
	nodes[0] = nodes[1] = nodes[2] = nodes[3] = card.group;
	assert_int_equal(get_hot_reset_info(fixture, card.device, sizeof(info), &info), 0);
	assert_int_equal(info.head.count, 2);
	assert_int_equal(info.head.devices[1].devfn, 1);
	assert_int_equal(info.head.devices[1].group_id, 3);
	assert_int_equal(get_hot_reset_info(fixture, card.device, 20, &info), -ENOSPC);
	assert_int_equal(info.head.count, 2);
	assert_int_equal(hot_reset(fixture, card.device, 16, 1, (int32_t[]){0}, nodes), 0);
	memcpy(driver, before, sizeof(before));
	assert_int_equal(hot_reset(fixture, card.device, 16, 1, (int32_t[]){0}, nodes), -EINVAL);
	close_all(&card);
	sim_group_update(&fixture->model->groups[3]);
}

/* A card one of whose functions isn't isolated. */
static int set_up_card(void **state)
{
	return set_up_list(state, "[device 0000:00:01.0]\nclass = 0x060400\nvendor = 1\n"
				  "device = 1\ngroup = none\nbridge = none\n"
				  "[device 0000:01:00.0]\ndriver = vfio-pci\ngroup = 0\n"
				  "vendor = 1\ndevice = 2\nbridge = 0000:00:01.0\n"
				  "[device 0000:01:00.1]\ngroup = none\n"
				  "vendor = 1\ndevice = 3\nbridge = 0000:00:01.0\n");
}

/* vfio_pci_fill_devs looks for the group of those only that there is room for. */
static void test_hot_reset_info_of_what_is_not_isolated(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_all(fixture, GROUP_EDU, "0000:01:00.0", VFIO_TYPE1v2_IOMMU);
	union hot_reset_info info;

	assert_int_equal(get_hot_reset_info(fixture, card.device, sizeof(info.head), &info),
			 -ENOSPC);
	assert_int_equal(info.head.count, 2);
	assert_int_equal(get_hot_reset_info(fixture, card.device, sizeof(info), &info), -EPERM);
	close_all(&card);
}

/* features */

static int feature(struct fixture *fixture, struct sim_node device, uint32_t argsz, uint32_t flags)
{
	struct vfio_device_feature feature = {.argsz = argsz, .flags = flags};

	return device_ioctl(fixture, device, VFIO_DEVICE_FEATURE, &feature, sizeof(feature), NULL,
			    0);
}

static void test_features(void **state)
{
	const uint32_t get = VFIO_DEVICE_FEATURE_GET;
	const uint32_t set = VFIO_DEVICE_FEATURE_SET;
	const uint32_t probe = VFIO_DEVICE_FEATURE_PROBE;
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);

	assert_int_equal(feature(fixture, device, 4, probe | 1), -EINVAL);
	assert_int_equal(feature(fixture, device, 8, 1U << 31), -EINVAL);
	assert_int_equal(feature(fixture, device, 8, get | set | 3), -EINVAL);
	assert_int_equal(feature(fixture, device, 8, probe | set | 0), -ENOTTY);
	assert_int_equal(feature(fixture, device, 8, probe | get | 1), -ENOTTY);
	assert_int_equal(feature(fixture, device, 8, probe | set | 6), -ENOTTY);
	assert_int_equal(feature(fixture, device, 8, probe | get | 0xffff), -ENOTTY);
	assert_int_equal(feature(fixture, device, 8, probe | set | 3), 0);
	assert_int_equal(feature(fixture, device, 8, probe | 3), 0);
	assert_int_equal(feature(fixture, device, 8, probe | get | 3), -EINVAL);
	assert_int_equal(feature(fixture, device, 8, probe | set | 4), 0);
	assert_int_equal(feature(fixture, device, 8, set | 4), -EINVAL);
	assert_int_equal(feature(fixture, device, 8, 3), -EINVAL);
	sim_node_close(device);
}

static void test_low_power(void **state)
{
	const uint32_t enter = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY;
	const uint32_t leave = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT;
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);

	assert_int_equal(feature(fixture, device, 8, enter), 0);
	assert_int_equal(feature(fixture, device, 8, enter), -EINVAL);
	assert_int_equal(feature(fixture, device, 8, leave), 0);
	assert_int_equal(feature(fixture, device, 8, leave), 0);
	assert_int_equal(feature(fixture, device, 8, enter), 0);
	sim_node_close(device);
}

static void test_low_power_with_wakeup(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	struct vfio_device_low_power_entry_with_wakeup entry = {.wakeup_eventfd = -1};
	union {
		struct vfio_device_feature head;
		uint8_t bytes[sizeof(struct vfio_device_feature) + sizeof(entry)];
	} enter = {.head = {.argsz = sizeof(enter), .flags = VFIO_DEVICE_FEATURE_SET | 4}};
	int bell = new_eventfd();
	struct sim_argument_fd fd = {.node = SIM_NODE_NOTHING, .fd = bell};
	uint32_t value;

	memcpy(enter.head.data, &entry, sizeof(entry));
	assert_int_equal(
		device_ioctl(fixture, device, VFIO_DEVICE_FEATURE, &enter, sizeof(enter), &fd, 1),
		-EINVAL);
	entry.wakeup_eventfd = SIM_FD_CLOSED;
	memcpy(enter.head.data, &entry, sizeof(entry));
	assert_int_equal(
		device_ioctl(fixture, device, VFIO_DEVICE_FEATURE, &enter, sizeof(enter), &fd, 1),
		-EBADF);
	entry.wakeup_eventfd = 0;
	memcpy(enter.head.data, &entry, sizeof(entry));
	assert_int_equal(
		device_ioctl(fixture, device, VFIO_DEVICE_FEATURE, &enter, sizeof(enter), &fd, 1),
		0);
	assert_int_equal(rings(bell), 0);
	assert_int_equal(device_read(device, 0, &value, 4), 4);
	assert_int_equal(rings(bell), 1);
	assert_int_equal(device_read(device, 0, &value, 4), 4);
	assert_int_equal(rings(bell), 0);
	(void)fd_close(bell);
	sim_node_close(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL_TEST(test_set_up_and_tear_down),
		MODEL_TEST(test_open_checks_the_name_first),
		MODEL_TEST(test_open_needs_an_iommu),
		MODEL_TEST(test_open_blocks_for_one_reset),
		MODEL_TEST(test_open_of_an_unknown_pointer),
		MODEL_TEST(test_open_device_keeps_the_container),
		MODEL_TEST(test_info),
		MODEL_TEST(test_less_memory_than_promised),
		MODEL_TEST(test_unknown_calls),
		MODEL_TEST(test_reset_clears_registers_and_keeps_config),
		MODEL_TEST(test_device_that_cannot_be_reset),
		MODEL_TEST(test_hot_reset_info),
		MODEL_TEST(test_hot_reset),
		MODEL_TEST(test_hot_reset_on_a_root_bus),
		MODEL_TEST(test_hot_reset_of_two_functions),
		cmocka_unit_test_setup_teardown(test_hot_reset_info_of_what_is_not_isolated,
						set_up_card, tear_down),
		MODEL_TEST(test_features),
		MODEL_TEST(test_low_power),
		MODEL_TEST(test_low_power_with_wakeup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
