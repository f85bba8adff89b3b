/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices and groups that come and go, in a sysfs of the test's own. */
#include "host/topology_change.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char root[] = "/tmp/test-change-XXXXXX";
static struct topology *topology;

/* What was told, "+group 1, +0000:00:01.0": signs, and numbers or names. */
static char told[512];

static void handle(void *userdata, enum topology_event event, struct topology_group *group,
		   struct topology_device *device)
{
	size_t used = strlen(told);
	char what[32];

	(void)userdata;
	if (device) {
		assert_int_equal(device->group, group->id);
		(void)snprintf(what, sizeof(what), "%s", device->name);
	} else {
		(void)snprintf(what, sizeof(what), "group %u", group->id);
	}
	(void)snprintf(told + used, sizeof(told) - used, "%s%s%s", used > 0 ? ", " : "",
		       event == TOPOLOGY_GROUP_ADDED || event == TOPOLOGY_DEVICE_ADDED ? "+" : "-",
		       what);
}

static const struct topology_listener listener = {.happened = handle};

#define expect_told(text)                        \
	do {                                     \
		assert_string_equal(told, text); \
		told[0] = '\0';                  \
	} while (0)

/* -- the host -- */

static void make_folder(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void make_folder(const char *format, ...)
{
	char path[256];
	va_list arguments;
	int length = snprintf(path, sizeof(path), "%s/", root);

	va_start(arguments, format);
	(void)vsnprintf(path + length, sizeof(path) - (size_t)length, format, arguments);
	va_end(arguments);
	for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(path, 0755);
		*slash = '/';
	}
	(void)mkdir(path, 0755);
}

static void write_number(const char *device, const char *attribute, unsigned int number)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", root, device, attribute);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fprintf(file, "0x%x\n", number) > 0);
	assert_int_equal(fclose(file), 0);
}

static void make_link(const char *target, const char *device, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", root, device, name);
	(void)unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static void plug_without_group(const char *device)
{
	make_folder("bus/pci/devices/%s", device);
	write_number(device, "vendor", 0x8086);
	write_number(device, "device", 0x10d3);
	write_number(device, "class", 0x020000);
}

static void join(const char *device, unsigned int group)
{
	char path[256];
	char target[256];

	make_folder("kernel/iommu_groups/%u/devices", group);
	(void)snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%u", group);
	make_link(target, device, "iommu_group");
	(void)snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%u/devices/%s", root, group,
		       device);
	(void)snprintf(target, sizeof(target), "../../../../bus/pci/devices/%s", device);
	assert_int_equal(symlink(target, path), 0);
}

static void plug(const char *device, unsigned int group)
{
	plug_without_group(device);
	join(device, group);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static void remove_folder(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void unplug(const char *device, unsigned int group)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "bus/pci/devices/%s", device);
	remove_folder(path);
	(void)snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%u/devices/%s", root, group,
		       device);
	assert_int_equal(unlink(path), 0);
}

static void remove_group(unsigned int group)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "kernel/iommu_groups/%u", group);
	remove_folder(path);
}

#define BRIDGE "0000:00:00.0"
#define FIRST  "0000:01:00.0"
#define SECOND "0000:01:00.1"
#define OTHER  "0001:01:00.0"

/* A group of two, one alone, and a bridge that is in none. */
static int set_up(void **state)
{
	(void)state;
	memset(root + strlen(root) - 6, 'X', 6);
	assert_non_null(mkdtemp(root));
	plug_without_group(BRIDGE);
	plug(FIRST, 3);
	plug(SECOND, 3);
	plug(OTHER, 1);
	assert_int_equal(topology_read(root, &topology, NULL), 0);
	assert_int_equal(topology->group_count, 2);
	told[0] = '\0';
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	topology = topology_free(topology);
	return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static bool look(const char *device)
{
	bool grouped = false;

	assert_int_equal(topology_look_at_device(topology, device, &listener, &grouped, NULL), 0);
	return grouped;
}

/* -- tests -- */

static void test_nothing(void **state)
{
	(void)state;
	assert_true(look(FIRST));
	assert_false(look(BRIDGE));
	assert_false(look("0009:00:00.0"));
	assert_int_equal(topology_lose_device(topology, "0009:00:00.0", &listener, NULL), 0);
	assert_int_equal(topology_look_at_all(topology, &listener, NULL), 0);
	expect_told("");
}

static void test_one_of_two_goes(void **state)
{
	struct topology_group *group = topology_find_group(topology, 3);
	struct topology_device *first = topology_find_device(topology, FIRST);
	int owner = 0;

	(void)state;
	first->owner = &owner;
	unplug(FIRST, 3);
	assert_false(look(FIRST));
	expect_told("-" FIRST);
	assert_null(topology_find_device(topology, FIRST));
	assert_int_equal(group->device_count, 1);
	assert_string_equal(group->devices[0]->name, SECOND);
	/* Whoever has the record still reads it. */
	assert_string_equal(first->name, FIRST);
	/* Another card in its place has its record, and is itself. */
	plug(FIRST, 3);
	write_number(FIRST, "device", 0x1533);
	assert_true(look(FIRST));
	expect_told("+" FIRST);
	assert_ptr_equal(topology_find_device(topology, FIRST), first);
	assert_int_equal(first->device, 0x1533);
	assert_ptr_equal(first->owner, &owner);
	assert_ptr_equal(group->devices[0], first);
}

static void test_group_goes_with_its_last_device(void **state)
{
	struct topology_group *group = topology_find_group(topology, 1);
	int owner = 0;

	(void)state;
	group->owner = &owner;
	unplug(OTHER, 1);
	remove_group(1);
	assert_false(look(OTHER));
	expect_told("-" OTHER ", -group 1");
	assert_null(topology_find_group(topology, 1));
	assert_int_equal(topology->group_count, 1);
	plug(OTHER, 1);
	assert_true(look(OTHER));
	expect_told("+group 1, +" OTHER);
	assert_ptr_equal(topology_find_group(topology, 1), group);
	assert_ptr_equal(group->owner, &owner);
	assert_int_equal(topology->groups[0]->id, 1);
}

static void test_group_goes_later(void **state)
{
	(void)state;
	unplug(OTHER, 1);
	assert_false(look(OTHER));
	expect_told("-" OTHER);
	assert_int_equal(topology_look_at_groups(topology, &listener, NULL), 0);
	expect_told("");
	remove_group(1);
	assert_int_equal(topology_look_at_groups(topology, &listener, NULL), 0);
	expect_told("-group 1");
}

/* On powernv a device is there before its group. */
static void test_group_comes_later(void **state)
{
	(void)state;
	plug_without_group("0002:01:00.0");
	assert_false(look("0002:01:00.0"));
	expect_told("");
	join("0002:01:00.0", 7);
	assert_true(look("0002:01:00.0"));
	expect_told("+group 7, +0002:01:00.0");
}

static void test_eeh_is_known_when_the_group_is_told(void **state)
{
	(void)state;
	plug("0002:01:00.0", 7);
	write_number("0002:01:00.0", "eeh_pe_state", 0);
	assert_true(look("0002:01:00.0"));
	assert_true(topology_find_group(topology, 7)->eeh);
	expect_told("+group 7, +0002:01:00.0");
}

static void test_away_for_a_moment(void **state)
{
	(void)state;
	/* The uevent of its going is read when the next one is there already. */
	assert_int_equal(topology_lose_device(topology, FIRST, &listener, NULL), 0);
	expect_told("-" FIRST);
	assert_true(look(FIRST));
	expect_told("+" FIRST);
}

static void test_another_one_under_the_name(void **state)
{
	(void)state;
	write_number(FIRST, "vendor", 0x15b3);
	assert_true(look(FIRST));
	expect_told("-" FIRST ", +" FIRST);
	unplug(FIRST, 3);
	plug(FIRST, 9);
	assert_true(look(FIRST));
	expect_told("-" FIRST ", +group 9, +" FIRST);
	assert_int_equal(topology_find_device(topology, FIRST)->group, 9);
}

static void test_everything_is_compared(void **state)
{
	(void)state;
	unplug(OTHER, 1);
	remove_group(1);
	unplug(SECOND, 3);
	plug("0003:01:00.0", 4);
	make_folder("kernel/iommu_groups/5/devices");
	assert_int_equal(topology_look_at_all(topology, &listener, NULL), 0);
	expect_told("-" OTHER ", -group 1, -" SECOND ", +group 4, +0003:01:00.0, +group 5");
}

/* What can't be read is left as it was, and the rest is compared all the same. */
static void test_unreadable(void **state)
{
	struct error error;
	bool grouped = false;
	char path[256];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/class", root, FIRST);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(topology_look_at_device(topology, FIRST, &listener, &grouped, &error),
			 ERROR_KERNEL);
	assert_non_null(strstr(error.text, FIRST "/class"));
	assert_non_null(topology_find_device(topology, FIRST));
	unplug(OTHER, 1);
	assert_int_equal(topology_look_at_all(topology, &listener, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, FIRST "/class"));
	expect_told("-" OTHER);
}

static void test_links_that_make_no_sense(void **state)
{
	static const char *const targets[] = {"..", "../7x", "../", "7", "../-1", "../4294967295"};

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		plug_without_group("0002:01:00.0");
		make_link(targets[i], "0002:01:00.0", "iommu_group");
		assert_false(look("0002:01:00.0"));
	}
	expect_told("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_of_two_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_group_goes_with_its_last_device, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_group_goes_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_group_comes_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_eeh_is_known_when_the_group_is_told, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_away_for_a_moment, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_another_one_under_the_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_everything_is_compared, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unreadable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_links_that_make_no_sense, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("topology-change", tests, NULL, NULL);
}
