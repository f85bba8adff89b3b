/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host made to measure: as many PEs as a test wants. */
#include <libfdt.h>

#include "sim/host.h"
#include "support/many_pes.h"
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set_up(void **state)
{
	char *folder = strdup("/tmp/spaprd-test-XXXXXX");

	assert_non_null(folder);
	assert_non_null(mkdtemp(folder));
	*state = folder;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const files[] = {"tree.dts", "devices.ini"};
	char *folder = *state;
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(folder), 0);
	free(folder);
	return 0;
}

static struct sim_host *make_host(const char *folder, unsigned int count)
{
	struct sim_host *host = NULL;
	struct error error = {.code = 0};
	char text[PATH_MAX];

	(void)snprintf(text, sizeof(text), "%s,pace=0", folder);
	assert_int_equal(many_pes_write(folder, count), 0);
	if (sim_host_open(text, &host, &error) != 0) {
		fail_msg("%s", error.text);
	}
	return host;
}

static void expect_location(const struct sim_host *host, const struct sim_device *device,
			    unsigned int group)
{
	char wanted[MANY_PES_NAME_SIZE];
	char path[PATH_MAX];
	const char *location;
	int node;

	many_pes_name_location(group, wanted);
	(void)snprintf(path, sizeof(path), "/%s", device->of_path);
	node = fdt_path_offset(host->fdt, path);
	assert_true(node >= 0);
	location = fdt_getprop(host->fdt, node, "ibm,loc-code", NULL);
	assert_non_null(location);
	assert_string_equal(location, wanted);
}

/* Every group is a PE of its own with one function, which vfio-pci has. */
static void expect_pes(const struct sim_host *host, unsigned int count)
{
	assert_int_equal(host->pe_count, count);
	assert_int_equal(host->device_count, 2 * count);
	assert_int_equal(host->phb_count, (count + MANY_PES_SLOTS - 1) / MANY_PES_SLOTS);
	for (unsigned int group = 0; group < count; group++) {
		char name[MANY_PES_NAME_SIZE];
		const struct sim_device *device;
		int index;

		many_pes_name_device(group, name);
		index = sim_host_find_device(host, name);
		assert_true(index >= 0);
		device = &host->devices[index];
		assert_int_equal(device->group, group);
		assert_string_equal(device->driver, SIM_DRIVER_VFIO);
		assert_true(host->phbs[device->phb].eeh);
		assert_int_equal(device->pe, host->pes[group].number);
		expect_location(host, device, group);
	}
}

static void test_each_function_is_a_pe(void **state)
{
	static const unsigned int counts[] = {1, MANY_PES_SLOTS, MANY_PES_SLOTS + 1, 256};

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		struct sim_host *host = make_host(*state, counts[i]);

		expect_pes(host, counts[i]);
		(void)sim_host_free(host);
	}
}

static void test_none_or_too_many_are_refused(void **state)
{
	char path[PATH_MAX];

	assert_int_equal(many_pes_write(*state, 0), -EINVAL);
	assert_int_equal(many_pes_write(*state, MANY_PES_MAX + 1), -EINVAL);
	(void)snprintf(path, sizeof(path), "%s/nowhere", (const char *)*state);
	assert_int_equal(many_pes_write(path, 1), -ENOENT);
	(void)snprintf(path, sizeof(path), "%s/tree.dts", (const char *)*state);
	assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_function_is_a_pe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_none_or_too_many_are_refused, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
