/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the bus tells of the host's bridges, memory and places is what the files of its device tree
 * and its sysfs say. */
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "world.h"

#define VALUE_SIZE 4096

/* -- files -- */

/* A property of a node: its size, or -1 when there is none. */
static ssize_t read_property(const struct world *world, const char *node, const char *name,
			     unsigned char ret_value[static VALUE_SIZE])
{
	char path[PATH_MAX];
	cleanup(cleanup_file) FILE *file = NULL;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_DEVICE_TREE "/%s/%s",
		       world->kernel->sysfs_root, node, name);
	file = fopen(path, "re");
	return file ? (ssize_t)fread(ret_value, 1, VALUE_SIZE, file) : -1;
}

static uint64_t big_endian(const unsigned char *bytes, size_t count)
{
	uint64_t value = 0;

	for (size_t i = 0; i < count; i++) {
		value = value << 8 | bytes[i];
	}
	return value;
}

/* Cell number i of a property; false when it has none. */
static bool read_cell(const struct world *world, const char *node, const char *name, size_t i,
		      uint64_t *ret_value)
{
	unsigned char value[VALUE_SIZE];
	ssize_t size = read_property(world, node, name, value);

	if (size < (ssize_t)(4 * (i + 1))) {
		return false;
	}
	*ret_value = big_endian(value + 4 * i, 4);
	return true;
}

/* "" when there is none. */
static void read_string(const struct world *world, const char *node, const char *name,
			char ret_text[static 128])
{
	unsigned char value[VALUE_SIZE];
	ssize_t size = read_property(world, node, name, value);

	ret_text[0] = '\0';
	if (size > 0) {
		(void)snprintf(ret_text, 128, "%.*s", (int)size, (const char *)value);
	}
}

/* Calls a function for each entry of a folder below sysfs; how often it said true. */
static unsigned int count_entries(const struct world *world, const char *folder,
				  bool (*matches)(const struct world *world, const char *name,
						  const void *userdata),
				  const void *userdata)
{
	char path[PATH_MAX];
	struct dirent *entry;
	unsigned int count = 0;
	DIR *directory;

	(void)snprintf(path, sizeof(path), "%s/%s", world->kernel->sysfs_root, folder);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		count += entry->d_name[0] != '.' && matches(world, entry->d_name, userdata);
	}
	if (directory) {
		(void)closedir(directory);
	}
	return count;
}

/* -- what the bus tells of a bridge -- */

/* The variant's value under a key. */
static bool find_key(const DBusMessageIter *phb, const char *key, DBusMessageIter *ret_value)
{
	DBusMessageIter iter = *phb;
	DBusMessageIter entries;

	for (dbus_message_iter_recurse(&iter, &entries);
	     dbus_message_iter_get_arg_type(&entries) == DBUS_TYPE_DICT_ENTRY;
	     (void)dbus_message_iter_next(&entries)) {
		DBusMessageIter entry;
		const char *name = NULL;

		dbus_message_iter_recurse(&entries, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		(void)dbus_message_iter_next(&entry);
		if (strcmp(name, key) == 0) {
			dbus_message_iter_recurse(&entry, ret_value);
			return true;
		}
	}
	return false;
}

static bool find_number(const DBusMessageIter *phb, const char *key, uint64_t *ret_number)
{
	DBusMessageIter value;
	DBusBasicValue basic = {.u64 = 0};
	int type;

	if (!find_key(phb, key, &value)) {
		return false;
	}
	type = dbus_message_iter_get_arg_type(&value);
	dbus_message_iter_get_basic(&value, &basic);
	assert_true(type == DBUS_TYPE_UINT32 || type == DBUS_TYPE_UINT64 ||
		    type == DBUS_TYPE_BOOLEAN);
	*ret_number = type == DBUS_TYPE_UINT64 ? basic.u64 : basic.u32;
	return true;
}

static const char *find_text(const DBusMessageIter *phb, const char *key)
{
	DBusMessageIter value;
	const char *text = "";

	if (find_key(phb, key, &value)) {
		assert_int_equal(dbus_message_iter_get_arg_type(&value), DBUS_TYPE_STRING);
		dbus_message_iter_get_basic(&value, &text);
	}
	return text;
}

/* Whether the bus has the cell of the node, and has none when the node has none. */
static void expect_cell(const struct world *world, const DBusMessageIter *phb, const char *key,
			const char *property, size_t i)
{
	const char *node = find_text(phb, "Node");
	uint64_t expected = 0;
	uint64_t found = 0;
	bool there = read_cell(world, node, property, i, &expected);

	assert_int_equal(find_number(phb, key, &found), there);
	if (found != expected) {
		fail_msg("%s of %s is 0x%" PRIx64 ", but %s is 0x%" PRIx64, key, node, found,
			 property, expected);
	}
}

static void expect_tce_sizes(const struct world *world, const DBusMessageIter *phb)
{
	const char *node = find_text(phb, "Node");
	uint64_t expected = 0;
	uint64_t found = 0;
	uint64_t shift;

	for (size_t i = 0; read_cell(world, node, "ibm,supported-tce-sizes", i, &shift); i++) {
		expected |= UINT64_C(1) << shift;
	}
	assert_int_equal(find_number(phb, "TceSizes", &found), expected != 0);
	assert_int_equal(found, expected);
}

struct domain {
	char prefix[8]; /* "0001:" */
};

static bool is_in_domain(const struct world *world, const char *name, const void *userdata)
{
	const struct domain *domain = userdata;

	(void)world;
	return strncmp(name, domain->prefix, strlen(domain->prefix)) == 0;
}

static bool has_eeh(const struct world *world, const char *name, const void *userdata)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/" SYSFS_EEH_STATE,
		       world->kernel->sysfs_root, name);
	return is_in_domain(world, name, userdata) && access(path, F_OK) == 0;
}

static void expect_eeh(const struct world *world, const DBusMessageIter *phb)
{
	struct domain domain;
	uint64_t number = 0;
	uint64_t found = 0;

	assert_true(find_number(phb, "Domain", &number));
	(void)snprintf(domain.prefix, sizeof(domain.prefix), "%04x:", (unsigned int)number);
	assert_int_equal(find_number(phb, "Eeh", &found),
			 count_entries(world, SYSFS_PCI_DEVICES, is_in_domain, &domain) > 0);
	assert_int_equal(found, count_entries(world, SYSFS_PCI_DEVICES, has_eeh, &domain) > 0);
	assert_int_equal(found, world->host->has_eeh);
}

static void expect_window(const struct world *world, const DBusMessageIter *phb)
{
	DBusMessageIter value;
	DBusMessageIter fields;
	uint64_t start = 1;
	uint64_t size = 0;

	assert_true(find_key(phb, "DefaultWindow", &value));
	dbus_message_iter_recurse(&value, &fields);
	dbus_message_iter_get_basic(&fields, &start);
	assert_true(dbus_message_iter_next(&fields));
	dbus_message_iter_get_basic(&fields, &size);
	assert_int_equal(start, 0);
	assert_int_equal(size, world->host->default_window);
}

static void expect_answer(const struct world *world, const DBusMessageIter *phb, const char *key,
			  const char *property)
{
	unsigned char value[VALUE_SIZE];
	const char *node = find_text(phb, "Node");
	bool partition = strcmp(world->host->kind, "pseries") == 0;
	uint64_t found = 0;

	assert_int_equal(find_number(phb, key, &found), partition);
	assert_int_equal(found, partition && read_property(world, node, property, value) > 0);
}

static void check_phb(const struct world *world, const DBusMessageIter *phb)
{
	const char *node = find_text(phb, "Node");
	char kind[128];

	read_string(world, node, "compatible", kind);
	assert_string_not_equal(kind, "");
	assert_string_equal(find_text(phb, "Kind"), kind);
	expect_cell(world, phb, "Id", "ibm,opal-phbid", 1);
	expect_cell(world, phb, "Pes", "ibm,opal-num-pes", 0);
	expect_cell(world, phb, "ReservedPe", "ibm,opal-reserved-pe", 0);
	expect_cell(world, phb, "Liobn", "ibm,dma-window", 0);
	if (strcmp(world->host->kind, "pseries") == 0) {
		expect_cell(world, phb, "Msis", "ibm,pe-total-#msi", 0);
	} else {
		expect_cell(world, phb, "Msis", "ibm,opal-msi-ranges", 1);
	}
	expect_tce_sizes(world, phb);
	expect_window(world, phb);
	expect_answer(world, phb, "Ddw", "ibm,ddw-applicable");
	expect_answer(world, phb, "DdwReset", "ibm,ddw-extensions");
	expect_eeh(world, phb);
}

static bool is_phb(const struct world *world, const char *name, const void *userdata)
{
	char type[128];

	(void)userdata;
	read_string(world, name, "device_type", type);
	return strcmp(type, "pci") == 0 || strcmp(type, "pciex") == 0;
}

static void test_phbs(void **state)
{
	const struct world *world = *state;
	DBusMessage *reply =
		get_property(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "Phbs");
	DBusMessageIter iter;
	DBusMessageIter value;
	DBusMessageIter phbs;
	unsigned int count = 0;

	assert_true(dbus_message_iter_init(reply, &iter));
	dbus_message_iter_recurse(&iter, &value);
	for (dbus_message_iter_recurse(&value, &phbs);
	     dbus_message_iter_get_arg_type(&phbs) == DBUS_TYPE_ARRAY;
	     (void)dbus_message_iter_next(&phbs)) {
		check_phb(world, &phbs);
		count++;
	}
	dbus_message_unref(reply);
	assert_int_equal(count > 0, world->host->has_tce);
	assert_int_equal(count, world->host->has_tce
					? count_entries(world, SYSFS_DEVICE_TREE, is_phb, NULL)
					: 0);
}

/* Each group's PHB is one of them, by its domain. */
static void test_groups_below_phbs(void **state)
{
	const struct world *world = *state;
	const char *const devices[] = {world->host->edu, world->host->nic, world->host->not_viable};
	DBusMessage *reply =
		get_property(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "Phbs");

	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices) && world->host->has_tce; i++) {
		DBusMessageIter iter;
		DBusMessageIter value;
		DBusMessageIter phbs;
		char path[64];
		unsigned int found = 0;
		uint64_t number;

		(void)snprintf(path, sizeof(path), BUS_PATH_GROUP_PREFIX "%" PRIu32,
			       group_of(world->client, devices[i]));
		number = get_number(world->client, path, BUS_INTERFACE_GROUP, "PhbId");
		assert_true(dbus_message_iter_init(reply, &iter));
		dbus_message_iter_recurse(&iter, &value);
		for (dbus_message_iter_recurse(&value, &phbs);
		     dbus_message_iter_get_arg_type(&phbs) == DBUS_TYPE_ARRAY;
		     (void)dbus_message_iter_next(&phbs)) {
			uint64_t domain = 0;

			assert_true(find_number(&phbs, "Domain", &domain));
			found += domain == number;
		}
		assert_int_equal(found, 1);
	}
	dbus_message_unref(reply);
}

/* -- the rest of the host -- */

struct memory {
	uint64_t sum;
};

/* Nodes of addresses and sizes of two cells, as those of the lab's hosts are. */
static bool is_memory(const struct world *world, const char *name, const void *userdata)
{
	struct memory *memory = *(struct memory *const *)userdata;
	unsigned char reg[VALUE_SIZE];
	char type[128];
	ssize_t size;

	read_string(world, name, "device_type", type);
	if (strcmp(type, "memory") != 0) {
		return false;
	}
	size = read_property(world, name, "reg", reg);
	for (ssize_t i = 0; i + 16 <= size; i += 16) {
		memory->sum += big_endian(reg + i + 8, 8);
	}
	return true;
}

static void test_memory(void **state)
{
	const struct world *world = *state;
	struct memory memory = {.sum = 0};
	struct memory *where = &memory;
	uint64_t installed = get_number(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER,
					"MemoryInstalled");
	uint64_t most =
		get_number(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "MemoryMax");

	assert_true(most >= installed);
	if (!world->host->has_tce) {
		struct sysinfo info;

		assert_int_equal(sysinfo(&info), 0);
		assert_int_equal(installed, (uint64_t)info.totalram * info.mem_unit);
		return;
	}
	assert_true(count_entries(world, SYSFS_DEVICE_TREE, is_memory, &where) > 0);
	assert_int_equal(installed, memory.sum);
}

static void test_eeh_firmware(void **state)
{
	const struct world *world = *state;
	char *name =
		get_text(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "EehFirmware");

	if (strcmp(world->host->kind, "powernv") == 0) {
		assert_string_equal(name, "opal");
	} else if (world->host->has_tce) {
		assert_string_equal(name, "rtas");
	} else {
		assert_string_equal(name, "");
	}
	free(name);
}

/* What the device's own node says. */
static void check_location(const struct world *world, const char *device)
{
	char link[PATH_MAX];
	char node[PATH_MAX] = "";
	char path[64];
	char expected[128] = "";
	const char *below;
	char *location;

	(void)snprintf(link, sizeof(link), "%s/" SYSFS_PCI_DEVICES "/%s/of_node",
		       world->kernel->sysfs_root, device);
	(void)!readlink(link, node, sizeof(node) - 1);
	below = strstr(node, SYSFS_DEVICE_TREE "/");
	assert_int_equal(below != NULL, world->host->has_tce);
	if (below) {
		read_string(world, below + strlen(SYSFS_DEVICE_TREE "/"), "ibm,loc-code", expected);
		assert_string_not_equal(expected, "");
	}
	(void)snprintf(path, sizeof(path), BUS_PATH_DEVICE_PREFIX "%s", device);
	for (char *c = path + strlen(BUS_PATH_DEVICE_PREFIX); *c; c++) {
		if (*c == ':' || *c == '.') {
			*c = '_';
		}
	}
	location = get_text(world->client, path, BUS_INTERFACE_DEVICE, "Location");
	assert_string_equal(location, expected);
	free(location);
}

static void test_locations(void **state)
{
	const struct world *world = *state;

	check_location(world, world->host->edu);
	check_location(world, world->host->nic);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phbs),      cmocka_unit_test(test_groups_below_phbs),
		cmocka_unit_test(test_memory),    cmocka_unit_test(test_eeh_firmware),
		cmocka_unit_test(test_locations),
	};

	return cmocka_run_group_tests_name("topology", tests, world_start_eeh, world_stop);
}
