/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drivers of the simulated host that are bound and unbound: what was measured of a real kernel, by
 * the answers of the files and by what sysfs, the nodes and the uevents show.
 */
#include "sim/binding.h"

#include <stdio.h>

#include "sim/function.h"
#include "sim/hotplug.h"
#include "sim_device_fixture.h"

#define NIC     "0003:01:00.1" /* on e1000e */
#define UNBOUND "0004:01:00.0"
#define BRIDGE  "0004:00:00.0"
#define REQ     VFIO_PCI_REQ_IRQ_INDEX

#define DEVICES "bus/pci/devices/"
#define DRIVERS "bus/pci/drivers/"
#define PROBE   "bus/pci/drivers_probe"

static int write_bytes(struct fixture *fixture, const char *path, const char *text, size_t size)
{
	return sim_binding_write(fixture->model, path, text, size, false);
}

static int write_text(struct fixture *fixture, const char *path, const char *text)
{
	return write_bytes(fixture, path, text, strlen(text));
}

static const struct sim_function *find(const struct fixture *fixture, const char *device)
{
	return fixture->model->functions[sim_host_find_device(fixture->host, device)];
}

static void expect_driver(const struct fixture *fixture, const char *device, const char *driver)
{
	assert_string_equal(find(fixture, device)->driver, driver);
}

static void test_files_that_are_not_there(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(write_text(fixture, DRIVERS "nouveau/bind", NIC), -ENOENT);
	assert_int_equal(write_text(fixture, DRIVERS "nouveau/unbind", NIC), -ENOENT);
	assert_int_equal(write_text(fixture, DEVICES "0077:00:00.0/driver_override", "x"), -ENOENT);
	assert_int_equal(write_text(fixture, DEVICES UNBOUND "/driver/unbind", UNBOUND), -ENOENT);
	assert_int_equal(write_text(fixture, DEVICES NIC "/remove", "1"), -EACCES);
	assert_int_equal(write_text(fixture, "bus/pci/rescan", "1"), -EACCES);
	assert_int_equal(write_text(fixture, "", "1"), -EACCES);
}

static void test_probing(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(write_text(fixture, PROBE, "bogus"), -ENODEV);
	assert_int_equal(write_text(fixture, PROBE, "\n"), -ENODEV);
	assert_int_equal(write_text(fixture, PROBE, "0077:00:00.0"), -ENODEV);
	/* What is bound already stays so. */
	assert_int_equal(write_text(fixture, PROBE, NIC), 0);
	expect_driver(fixture, NIC, "e1000e");
	/* No driver of that name: success, and nothing is bound. */
	assert_int_equal(write_text(fixture, DEVICES UNBOUND "/driver_override", "none"), 0);
	assert_int_equal(write_text(fixture, PROBE, UNBOUND), 0);
	expect_driver(fixture, UNBOUND, "");
	/* Cleared: the natural one. */
	assert_int_equal(write_text(fixture, DEVICES UNBOUND "/driver_override", "\n"), 0);
	assert_int_equal(write_text(fixture, PROBE, UNBOUND "\n"), 0);
	expect_driver(fixture, UNBOUND, "e1000e");
}

static void test_override(void **state)
{
	struct fixture *fixture = *state;
	static char longest[SIM_ATTRIBUTE_MAX];
	const struct sim_function *function = find(fixture, UNBOUND);
	const char *path = DEVICES UNBOUND "/driver_override";

	assert_int_equal(write_text(fixture, path, "vfio-pci\n"), 0);
	assert_string_equal(function->override, "vfio-pci");
	assert_int_equal(write_bytes(fixture, path, "", 0), 0);
	assert_string_equal(function->override, "vfio-pci");
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(write_bytes(fixture, path, longest, sizeof(longest)), -EINVAL);
	assert_string_equal(function->override, "vfio-pci");
	assert_int_equal(write_text(fixture, path, "two\nlines"), 0);
	assert_string_equal(function->override, "two");
	assert_int_equal(write_bytes(fixture, path, "", 1), 0); /* a zero byte clears */
	assert_string_equal(function->override, "");
	/* Neither unbinds. */
	assert_int_equal(write_text(fixture, DEVICES NIC "/driver_override", "vfio-pci"), 0);
	expect_driver(fixture, NIC, "e1000e");
}

static void test_bind_and_unbind_files(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(write_text(fixture, DRIVERS "vfio-pci/bind", UNBOUND), -ENODEV);
	assert_int_equal(write_text(fixture, DRIVERS "vfio-pci/unbind", UNBOUND), -ENODEV);
	assert_int_equal(write_text(fixture, DRIVERS "e1000e/unbind", EDU), -ENODEV);
	assert_int_equal(write_text(fixture, DRIVERS "e1000e/bind", "bogus"), -ENODEV);
	assert_int_equal(write_text(fixture, DRIVERS "e1000e/bind", NIC), -EBUSY);
	assert_int_equal(write_text(fixture, DRIVERS "e1000e/unbind", NIC), 0);
	expect_driver(fixture, NIC, "");
	assert_int_equal(write_text(fixture, DRIVERS "e1000e/unbind", NIC), -ENODEV);
	assert_int_equal(write_text(fixture, DEVICES NIC "/driver_override", "vfio-pci"), 0);
	assert_int_equal(write_text(fixture, DRIVERS "e1000e/bind", NIC), -ENODEV);
	assert_int_equal(write_text(fixture, DRIVERS "vfio-pci/bind", NIC), 0);
	expect_driver(fixture, NIC, "vfio-pci");
	assert_int_equal(write_text(fixture, DEVICES NIC "/driver/unbind", EDU), -ENODEV);
	assert_int_equal(write_text(fixture, DEVICES NIC "/driver/unbind", NIC), 0);
	expect_driver(fixture, NIC, "");
}

/* vfio-pci's probe refuses a bridge: the errno depends on the way. */
static void test_bridge(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(write_text(fixture, DRIVERS "pcieport/unbind", BRIDGE),
			 *find(fixture, BRIDGE)->driver ? 0 : -ENODEV);
	assert_int_equal(write_text(fixture, DEVICES BRIDGE "/driver_override", "vfio-pci"), 0);
	assert_int_equal(write_text(fixture, PROBE, BRIDGE), -EINVAL);
	assert_int_equal(write_text(fixture, DRIVERS "vfio-pci/bind", BRIDGE), -EAGAIN);
	expect_driver(fixture, BRIDGE, "");
}

static void bind_to_vfio(struct fixture *fixture, const char *device)
{
	char path[128];

	(void)snprintf(path, sizeof(path), DEVICES "%s/driver_override", device);
	assert_int_equal(write_text(fixture, path, "vfio-pci"), 0);
	assert_int_equal(write_text(fixture, PROBE, device), 0);
	expect_driver(fixture, device, "vfio-pci");
}

static void test_groups(void **state)
{
	struct fixture *fixture = *state;
	const struct sim_group *mixed = &fixture->model->groups[3];
	const struct sim_group *alone = &fixture->model->groups[4];
	struct sim_node node;

	assert_false(mixed->viable);
	assert_int_equal(write_text(fixture, DRIVERS "e1000e/unbind", NIC), 0);
	assert_true(mixed->viable);
	bind_to_vfio(fixture, NIC);
	assert_true(mixed->viable);
	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/4", &node), -ENOENT);
	bind_to_vfio(fixture, UNBOUND);
	assert_true(alone->has_node);
	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/4", &node), 0);
	sim_node_close(node);
	assert_int_equal(write_text(fixture, DRIVERS "vfio-pci/unbind", UNBOUND), 0);
	assert_false(alone->has_node);
}

/* VFIO has the group: the host's driver may not. */
static void test_driver_beside_a_container(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(write_text(fixture, DRIVERS "vfio-pci/unbind", EDU), 0);
	bind_to_vfio(fixture, EDU);
	assert_int_equal(write_text(fixture, DRIVERS "e1000e/unbind", NIC), 0);
	bind_to_vfio(fixture, NIC);
	{
		struct opened card =
			open_all(fixture, "/dev/vfio/3", "0003:01:00.0", VFIO_SPAPR_TCE_v2_IOMMU);

		assert_int_equal(write_text(fixture, DRIVERS "vfio-pci/unbind", NIC), 0);
		assert_int_equal(write_text(fixture, DEVICES NIC "/driver_override", "e1000e"), 0);
		assert_int_equal(write_text(fixture, PROBE, NIC), -EBUSY);
		expect_driver(fixture, NIC, "");
		close_all(&card);
	}
	assert_int_equal(write_text(fixture, PROBE, NIC), 0);
	expect_driver(fixture, NIC, "e1000e");
}

/* -- uevents -- */

struct told {
	char headers[16][128];
	size_t count;
};

static void handle_event(void *userdata, const char *uevent, size_t size)
{
	struct told *told = userdata;

	(void)size;
	assert_true(told->count < 16);
	(void)snprintf(told->headers[told->count++], sizeof(told->headers[0]), "%s", uevent);
}

static void test_events(void **state)
{
	struct fixture *fixture = *state;
	struct told told = {.count = 0};

	fixture->model->emit = handle_event;
	fixture->model->userdata = &told;
	bind_to_vfio(fixture, UNBOUND);
	assert_int_equal(told.count, 3);
	assert_string_equal(told.headers[0], "add@/devices/virtual/vfio/4");
	assert_string_equal(told.headers[1],
			    "add@/devices/pci0004:00/0004:00:00.0/0004:01:00.0/vfio-dev/vfio4");
	assert_string_equal(told.headers[2], "bind@/devices/pci0004:00/0004:00:00.0/0004:01:00.0");
	told.count = 0;
	assert_int_equal(write_text(fixture, DRIVERS "vfio-pci/unbind", UNBOUND), 0);
	assert_int_equal(told.count, 3);
	assert_string_equal(told.headers[0],
			    "remove@/devices/pci0004:00/0004:00:00.0/0004:01:00.0/vfio-dev/vfio4");
	assert_string_equal(told.headers[1], "remove@/devices/virtual/vfio/4");
	assert_string_equal(told.headers[2],
			    "unbind@/devices/pci0004:00/0004:00:00.0/0004:01:00.0");
	told.count = 0;
	assert_int_equal(write_text(fixture, DRIVERS "e1000e/unbind", NIC), 0);
	assert_int_equal(told.count, 1);
}

/* -- a device that is open -- */

static int unbind_edu(struct fixture *fixture, bool again)
{
	return sim_binding_write(fixture->model, DRIVERS "vfio-pci/unbind", EDU, strlen(EDU),
				 again);
}

static void test_open_device_keeps_the_writer_waiting(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	struct sim_node again = SIM_NODE_NOTHING;
	int bell = new_eventfd();

	assert_int_equal(set_eventfd(fixture, device, REQ, 0, bell), 0);
	assert_int_equal(unbind_edu(fixture, false), -EINPROGRESS);
	assert_int_equal(rings(bell), 1);
	assert_int_equal(unbind_edu(fixture, true), -EINPROGRESS);
	assert_int_equal(rings(bell), 0);
	/* The link goes before the driver does. */
	assert_int_equal(write_text(fixture, DEVICES EDU "/driver/unbind", EDU), -ENOENT);
	assert_int_equal(open_device(fixture, fixture->group, EDU, &again, NULL), -ENODEV);
	/* Writing the override does not wait. */
	assert_int_equal(write_text(fixture, DEVICES EDU "/driver_override", "\n"), 0);
	assert_true(sim_hotplug_tick(fixture->model, 0));
	assert_true(sim_hotplug_tick(fixture->model, 10000));
	assert_int_equal(rings(bell), 1);
	sim_node_close(device);
	assert_false(sim_hotplug_tick(fixture->model, 10001));
	assert_int_equal(unbind_edu(fixture, true), 0);
	expect_driver(fixture, EDU, "");
	bind_to_vfio(fixture, EDU);
	assert_int_equal(unbind_edu(fixture, false), 0);
	(void)fd_close(bell);
}

/* An unplug that comes meanwhile: all of it goes. */
static void test_unplug_while_unbinding(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);

	assert_int_equal(unbind_edu(fixture, false), -EINPROGRESS);
	assert_int_equal(sim_hotplug_unplug(fixture->model, EDU, NULL), 0);
	assert_int_equal(sim_hotplug_unplug(fixture->model, EDU, NULL), ERROR_BUSY);
	sim_node_close(device);
	assert_false(sim_hotplug_tick(fixture->model, 1));
	assert_null(find(fixture, EDU));
	assert_int_equal(unbind_edu(fixture, true), 0);
	assert_int_equal(unbind_edu(fixture, false), -ENODEV);
}

/* Plugged in again it has the driver of the start. */
static void test_plugging_forgets_the_override(void **state)
{
	struct fixture *fixture = *state;

	bind_to_vfio(fixture, UNBOUND);
	assert_int_equal(sim_hotplug_unplug(fixture->model, UNBOUND, NULL), 0);
	assert_int_equal(sim_hotplug_plug(fixture->model, UNBOUND, NULL), 0);
	expect_driver(fixture, UNBOUND, "");
	assert_string_equal(find(fixture, UNBOUND)->override, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL_TEST(test_files_that_are_not_there),
		MODEL_TEST(test_probing),
		MODEL_TEST(test_override),
		MODEL_TEST(test_bind_and_unbind_files),
		MODEL_TEST(test_bridge),
		MODEL_TEST(test_groups),
		MODEL_TEST(test_driver_beside_a_container),
		MODEL_TEST(test_events),
		MODEL_TEST(test_open_device_keeps_the_writer_waiting),
		MODEL_TEST(test_unplug_while_unbinding),
		MODEL_TEST(test_plugging_forgets_the_override),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
