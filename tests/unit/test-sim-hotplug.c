/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the simulated host that come and go, and what tells of it. */
#include "sim/hotplug.h"

#include <stdio.h>

#include "sim_device_fixture.h"

#define EVENTS_MAX 16U
#define REQ        VFIO_PCI_REQ_IRQ_INDEX

/* What the model told of, in order. */
struct told {
	char event[EVENTS_MAX][1024];
	size_t size[EVENTS_MAX];
	size_t count;
};

static void handle_event(void *userdata, const char *uevent, size_t size)
{
	struct told *told = userdata;

	assert_true(told->count < EVENTS_MAX);
	assert_true(size <= sizeof(told->event[0]));
	assert_int_equal(uevent[size - 1], '\0');
	memcpy(told->event[told->count], uevent, size);
	told->size[told->count++] = size;
}

static void handle_change(void *userdata, size_t device, bool present)
{
	char text[64];
	int length = snprintf(text, sizeof(text), "%s %zu", present ? "here" : "gone", device);

	handle_event(userdata, text, (size_t)length + 1);
}

static void listen_to(struct fixture *fixture, struct told *told)
{
	*told = (struct told){.count = 0};
	fixture->model->emit = handle_event;
	fixture->model->changed = handle_change;
	fixture->model->userdata = told;
}

/* Its header, and each of its variables, which comes with a line end. */
static void expect_event(const struct told *told, size_t i, const char *header,
			 const char *variables)
{
	const char *at = told->event[i];
	const char *end = at + told->size[i];
	char text[1024] = "";
	size_t used = 0;

	assert_true(i < told->count);
	assert_string_equal(at, header);
	for (at += strlen(at) + 1; at < end; at += strlen(at) + 1) {
		if (strncmp(at, "SEQNUM=", 7) != 0) {
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s\n", at);
		} else {
			assert_ptr_equal(at + strlen(at) + 1, end);
		}
	}
	if (variables) {
		assert_string_equal(text, variables);
	}
}

#define PATH "/devices/pci0000:00/0000:00:00.0/0000:01:00.0"
#define VARIABLES                                                                              \
	"OF_NAME=device\nOF_FULLNAME=/pciex@600c3c0000000/pci@0/device@0\nOF_COMPATIBLE_N=0\n" \
	"PCI_CLASS=FF00\nPCI_ID=1234:11E8\nPCI_SUBSYS_ID=1AF4:1100\nPCI_SLOT_NAME=0000:01:00.0\n"
#define MODALIAS "MODALIAS=pci:v00001234d000011E8sv00001AF4sd00001100bc00scFFi00\n"

/* The variables are those of the real host's files named uevent. */
static void test_events_of_unplugging(void **state)
{
	struct fixture *fixture = *state;
	struct told told;

	listen_to(fixture, &told);
	assert_int_equal(sim_hotplug_unplug(fixture->model, EDU, NULL), 0);
	assert_int_equal(told.count, 5);
	expect_event(&told, 0, "remove@" PATH "/vfio-dev/vfio0",
		     "ACTION=remove\nDEVPATH=" PATH "/vfio-dev/vfio0\nSUBSYSTEM=vfio-dev\n");
	expect_event(&told, 1, "gone 1", "");
	expect_event(&told, 2, "remove@/devices/virtual/vfio/0",
		     "ACTION=remove\nDEVPATH=/devices/virtual/vfio/0\nSUBSYSTEM=vfio\n"
		     "MAJOR=246\nMINOR=0\nDEVNAME=vfio/0\n");
	expect_event(&told, 3, "unbind@" PATH,
		     "ACTION=unbind\nDEVPATH=" PATH "\nSUBSYSTEM=pci\n" VARIABLES);
	expect_event(&told, 4, "remove@" PATH,
		     "ACTION=remove\nDEVPATH=" PATH "\nSUBSYSTEM=pci\n" VARIABLES MODALIAS);
	assert_non_null(memmem(told.event[4], told.size[4], "SEQNUM=4", 9));
}

static void test_events_of_plugging(void **state)
{
	struct fixture *fixture = *state;
	struct told told;

	assert_int_equal(sim_hotplug_unplug(fixture->model, EDU, NULL), 0);
	listen_to(fixture, &told);
	assert_int_equal(sim_hotplug_plug(fixture->model, EDU, NULL), 0);
	assert_int_equal(told.count, 5);
	expect_event(&told, 0, "here 1", "");
	expect_event(&told, 1, "add@" PATH,
		     "ACTION=add\nDEVPATH=" PATH "\nSUBSYSTEM=pci\n" VARIABLES MODALIAS);
	expect_event(&told, 2, "add@/devices/virtual/vfio/0", NULL);
	expect_event(&told, 3, "add@" PATH "/vfio-dev/vfio0", NULL);
	expect_event(&told, 4, "bind@" PATH,
		     "ACTION=bind\nDEVPATH=" PATH
		     "\nSUBSYSTEM=pci\nDRIVER=vfio-pci\n" VARIABLES MODALIAS);
}

static void test_who_cannot_be_unplugged(void **state)
{
	struct fixture *fixture = *state;
	struct error error;

	assert_int_equal(sim_hotplug_unplug(fixture->model, "0000:77:00.0", &error),
			 ERROR_NOT_FOUND);
	assert_int_equal(sim_hotplug_unplug(fixture->model, "0000:00:00.0", &error),
			 ERROR_UNSUPPORTED);
	assert_non_null(strstr(error.text, "bridge"));
	assert_int_equal(sim_hotplug_plug(fixture->model, EDU, &error), ERROR_BUSY);
	assert_int_equal(sim_hotplug_plug(fixture->model, "0000:00:00.0", &error),
			 ERROR_UNSUPPORTED);
	assert_int_equal(sim_hotplug_unplug(fixture->model, E1000E, &error), 0);
	assert_int_equal(sim_hotplug_unplug(fixture->model, E1000E, &error), ERROR_NOT_FOUND);
	assert_int_equal(sim_hotplug_plug(fixture->model, E1000E, &error), 0);
}

static int get_status(struct fixture *fixture, struct sim_node group)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};

	return struct_ioctl(fixture, group, VFIO_GROUP_GET_STATUS, &status, sizeof(status));
}

/* Measured: "unbinding the only device of an attached group". */
static void test_group_without_devices(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_iommu_spapr_tce_info info = {.argsz = sizeof(info)};
	struct sim_node device = SIM_NODE_NOTHING;
	struct sim_node other;

	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), 0);
	assert_int_equal(sim_hotplug_unplug(fixture->model, EDU, NULL), 0);
	assert_int_equal(get_status(fixture, fixture->group), -ENODEV);
	assert_int_equal(open_device(fixture, fixture->group, EDU, &device, NULL), -ENODEV);
	assert_int_equal(join(fixture, fixture->group, fixture->container), -ENODEV);
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0),
			 -EINVAL);
	assert_int_equal(struct_ioctl(fixture, fixture->container, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
				      &info, sizeof(info)),
			 -EINVAL);
	assert_int_equal(register_memory(fixture, USER_ADDRESS, MIB), -EINVAL);
	assert_int_equal(locked(fixture), 0);
	assert_int_equal(sim_model_open(fixture->model, GROUP_EDU, &other), -ENOENT);
	/* The old fd stays what it is, until it is closed. */
	assert_int_equal(sim_hotplug_plug(fixture->model, EDU, NULL), 0);
	assert_int_equal(get_status(fixture, fixture->group), -ENODEV);
	/* The node is another group's by now, which opens whoever still has the old one. */
	assert_int_equal(sim_model_open(fixture->model, GROUP_EDU, &other), 0);
	assert_int_equal(get_status(fixture, other), 0);
	assert_int_equal(get_status(fixture, fixture->group), -ENODEV);
	assert_int_equal(join(fixture, fixture->group, fixture->container), -ENODEV);
	assert_int_equal(statistics(fixture).open_groups, 2);
	sim_node_close(fixture->group);
	assert_int_equal(sim_model_open(fixture->model, GROUP_EDU, &fixture->group), -EBUSY);
	assert_int_equal(get_status(fixture, other), 0);
	assert_int_equal(statistics(fixture).open_groups, 1);
	fixture->group = other;
	assert_int_equal(join(fixture, fixture->group, fixture->container), 0);
}

/* One function of two goes: the group stays, and now is viable. */
static void test_group_that_keeps_a_device(void **state)
{
	struct fixture *fixture = *state;
	struct sim_group *group = &fixture->model->groups[3];
	struct told told;

	assert_true(group->has_node);
	assert_false(group->viable);
	listen_to(fixture, &told);
	assert_int_equal(sim_hotplug_unplug(fixture->model, "0003:01:00.1", NULL), 0);
	assert_int_equal(told.count, 3);
	expect_event(&told, 1, "unbind@/devices/pci0003:00/0003:00:00.0/0003:01:00.1", NULL);
	assert_true(group->has_node);
	assert_true(group->viable);
	assert_int_equal(sim_hotplug_plug(fixture->model, "0003:01:00.1", NULL), 0);
	assert_false(group->viable);
	assert_int_equal(sim_hotplug_unplug(fixture->model, "0003:01:00.0", NULL), 0);
	assert_false(group->has_node);
	assert_int_equal(sim_hotplug_plug(fixture->model, "0003:01:00.0", NULL), 0);
}

/* A device without a driver has nothing to be bound to. */
static void test_device_without_a_driver(void **state)
{
	struct fixture *fixture = *state;
	struct told told;

	listen_to(fixture, &told);
	assert_int_equal(sim_hotplug_unplug(fixture->model, "0004:01:00.0", NULL), 0);
	assert_int_equal(told.count, 2);
	assert_int_equal(sim_hotplug_plug(fixture->model, "0004:01:00.0", NULL), 0);
	assert_int_equal(told.count, 4);
	expect_event(&told, 3, "add@/devices/pci0004:00/0004:00:00.0/0004:01:00.0", NULL);
}

static void test_open_device_is_asked_back(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	struct sim_node again = SIM_NODE_NOTHING;
	struct told told;
	int bell = new_eventfd();

	assert_int_equal(set_eventfd(fixture, device, REQ, 0, bell), 0);
	assert_int_equal(value_ioctl(fixture, device, VFIO_DEVICE_RESET, 0), 0);
	listen_to(fixture, &told);
	assert_int_equal(sim_hotplug_unplug(fixture->model, EDU, NULL), 0);
	assert_int_equal(rings(bell), 1);
	assert_int_equal(sim_hotplug_unplug(fixture->model, EDU, NULL), ERROR_BUSY);
	assert_int_equal(sim_hotplug_plug(fixture->model, EDU, NULL), ERROR_BUSY);
	assert_int_equal(rings(bell), 0);
	/* All that has gone is its place in the class. */
	assert_int_equal(told.count, 1);
	assert_int_equal(open_device(fixture, fixture->group, EDU, &again, NULL), -ENODEV);
	assert_int_equal(value_ioctl(fixture, device, VFIO_DEVICE_RESET, 0), -EAGAIN);
	assert_int_equal(get_status(fixture, fixture->group), 0);
	assert_int_equal(set_irqs(fixture, device, NONE | TRIGGER, REQ, 0, 1, NULL), 0);
	assert_int_equal(rings(bell), 1);
	assert_true(sim_hotplug_tick(fixture->model, 1000));
	assert_true(sim_hotplug_tick(fixture->model, 10999));
	assert_int_equal(rings(bell), 0);
	assert_true(sim_hotplug_tick(fixture->model, 11000));
	assert_int_equal(rings(bell), 1);
	assert_true(sim_hotplug_tick(fixture->model, 20999));
	assert_int_equal(rings(bell), 0);
	assert_true(sim_hotplug_tick(fixture->model, 21500));
	assert_int_equal(rings(bell), 1);
	sim_node_close(device);
	assert_int_equal(told.count, 1);
	assert_false(sim_hotplug_tick(fixture->model, 22000));
	assert_int_equal(told.count, 5);
	assert_int_equal(get_status(fixture, fixture->group), -ENODEV);
	assert_false(sim_hotplug_tick(fixture->model, 60000));
	assert_int_equal(told.count, 5);
	(void)fd_close(bell);
}

/* With nobody to ask, the removal waits all the same. */
static void test_open_device_without_a_request_eventfd(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node first = open_edu(fixture);
	struct sim_node second = open_edu(fixture);

	assert_int_equal(sim_hotplug_unplug(fixture->model, EDU, NULL), 0);
	assert_true(sim_hotplug_tick(fixture->model, 0));
	sim_node_close(first);
	assert_true(sim_hotplug_tick(fixture->model, 1));
	sim_node_close(second);
	assert_false(sim_hotplug_tick(fixture->model, 2));
	assert_null(fixture->model->functions[sim_host_find_device(fixture->host, EDU)]);
}

/* What comes back is another device than the one that went. */
static void test_plugged_in_again_it_is_fresh(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);

	config_write(card.device, 0x60, 4, 0x1234);
	close_all(&card);
	card = open_e1000e(fixture);
	close_all(&card);
	assert_int_equal(sim_hotplug_unplug(fixture->model, E1000E, NULL), 0);
	assert_int_equal(sim_hotplug_plug(fixture->model, E1000E, NULL), 0);
	card = open_e1000e(fixture);
	assert_int_equal(card.blocks, 20);
	assert_int_equal(config_read(card.device, 0x60, 4), 0);
	close_all(&card);
}

/* Numbers in vfio-dev are given again. */
static void test_numbers_of_devices(void **state)
{
	struct fixture *fixture = *state;
	struct told told;

	assert_int_equal(sim_hotplug_unplug(fixture->model, EDU, NULL), 0);
	assert_int_equal(sim_hotplug_unplug(fixture->model, E1000E, NULL), 0);
	listen_to(fixture, &told);
	assert_int_equal(sim_hotplug_plug(fixture->model, E1000E, NULL), 0);
	assert_int_equal(sim_hotplug_plug(fixture->model, EDU, NULL), 0);
	expect_event(&told, 3, "add@/devices/pci0001:00/0001:00:00.0/0001:01:00.0/vfio-dev/vfio0",
		     NULL);
	expect_event(&told, 8, "add@" PATH "/vfio-dev/vfio1", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL_TEST(test_events_of_unplugging),
		MODEL_TEST(test_events_of_plugging),
		MODEL_TEST(test_who_cannot_be_unplugged),
		MODEL_TEST(test_group_without_devices),
		MODEL_TEST(test_group_that_keeps_a_device),
		MODEL_TEST(test_device_without_a_driver),
		MODEL_TEST(test_open_device_is_asked_back),
		MODEL_TEST(test_open_device_without_a_request_eventfd),
		MODEL_TEST(test_plugged_in_again_it_is_fresh),
		MODEL_TEST(test_numbers_of_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
