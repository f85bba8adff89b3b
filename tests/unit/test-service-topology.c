/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the bus tells of PCI host bridges and memory: only what is known. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service_fixture.h"

static DBusMessage *get(const char *path, const char *interface, const char *name)
{
	DBusMessage *message = bus_fixture_message(path, DBUS_INTERFACE_PROPERTIES, "Get");

	assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &interface,
					     DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID));
	return bus_fixture_call(stage.bus, message);
}

/* The value inside a reply's variant. */
static DBusMessageIter value_of(DBusMessage *reply)
{
	DBusMessageIter iter;
	DBusMessageIter value;

	assert_true(dbus_message_iter_init(reply, &iter));
	dbus_message_iter_recurse(&iter, &value);
	return value;
}

static void print_basic(FILE *file, DBusMessageIter *value)
{
	DBusBasicValue basic = {.u64 = 0};

	dbus_message_iter_get_basic(value, &basic);
	switch (dbus_message_iter_get_arg_type(value)) {
	case DBUS_TYPE_STRING:
		(void)fprintf(file, "s'%s'", basic.str);
		break;
	case DBUS_TYPE_BOOLEAN:
		(void)fprintf(file, "b%u", basic.bool_val);
		break;
	case DBUS_TYPE_UINT32:
		(void)fprintf(file, "u0x%x", basic.u32);
		break;
	case DBUS_TYPE_UINT64:
		(void)fprintf(file, "t0x%" PRIx64, basic.u64);
		break;
	default:
		fail();
	}
}

static void print_value(FILE *file, DBusMessageIter *value)
{
	DBusMessageIter fields;

	if (dbus_message_iter_get_arg_type(value) != DBUS_TYPE_STRUCT) {
		print_basic(file, value);
		return;
	}
	dbus_message_iter_recurse(value, &fields);
	do {
		print_basic(file, &fields);
	} while (dbus_message_iter_next(&fields));
}

/* Each PHB as a line. */
static char *print_phbs(void)
{
	DBusMessage *reply = get(BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "Phbs");
	DBusMessageIter value = value_of(reply);
	DBusMessageIter phbs;
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	for (dbus_message_iter_recurse(&value, &phbs);
	     dbus_message_iter_get_arg_type(&phbs) == DBUS_TYPE_ARRAY;
	     (void)dbus_message_iter_next(&phbs)) {
		DBusMessageIter entries;

		for (dbus_message_iter_recurse(&phbs, &entries);
		     dbus_message_iter_get_arg_type(&entries) == DBUS_TYPE_DICT_ENTRY;
		     (void)dbus_message_iter_next(&entries)) {
			DBusMessageIter entry;
			DBusMessageIter variant;
			const char *key = NULL;

			dbus_message_iter_recurse(&entries, &entry);
			dbus_message_iter_get_basic(&entry, &key);
			(void)dbus_message_iter_next(&entry);
			dbus_message_iter_recurse(&entry, &variant);
			(void)fprintf(file, "%s ", key);
			print_value(file, &variant);
			(void)fprintf(file, "; ");
		}
		(void)fprintf(file, "\n");
	}
	assert_int_equal(fclose(file), 0);
	dbus_message_unref(reply);
	return text;
}

static void expect_phbs(const char *expected)
{
	char *text = print_phbs();

	assert_string_equal(text, expected);
	free(text);
}

/* They are the topology's from then on. */
static void show_phbs(enum host_kind kind, const struct topology_phb *phbs, size_t count)
{
	struct topology *topology = stage.manager->topology;

	topology->kind = kind;
	topology->phbs = calloc(count, sizeof(*phbs));
	assert_non_null(topology->phbs);
	memcpy(topology->phbs, phbs, count * sizeof(*phbs));
	topology->phb_count = count;
}

static const struct topology_phb unknown = {
	.id = PHB_UNKNOWN,
	.domain = 3,
	.node = "pciex@3",
	.pe_count = PHB_UNKNOWN,
	.reserved_pe = PHB_UNKNOWN,
	.msi_count = PHB_UNKNOWN,
	.liobn = PHB_UNKNOWN,
};

static void test_host_without_phbs(void **state)
{
	(void)state;
	expect_phbs("");
}

static void test_bare_metal(void **state)
{
	struct topology_phb phbs[2] = {{.id = 0}, unknown};

	(void)state;
	phbs[0] = (struct topology_phb){
		.node = "pciex@1",
		.kind = "ibm,power9-pciex",
		.location = "UOPWR-P1-C5",
		.has_functions = true,
		.eeh = true,
		.pe_count = 0x200,
		.reserved_pe = 0x1ff,
		.msi_count = 0xff8,
		.tce_sizes = 0x40211000,
		.window = {0, 0x80000000},
		.liobn = PHB_UNKNOWN,
	};
	show_phbs(HOST_KIND_POWERNV, phbs, 2);
	expect_phbs("Id u0x0; Domain u0x0; Node s'pciex@1'; Kind s'ibm,power9-pciex'; "
		    "Location s'UOPWR-P1-C5'; Pes u0x200; ReservedPe u0x1ff; "
		    "TceSizes t0x40211000; DefaultWindow t0x0t0x80000000; Eeh b1; Msis u0xff8; \n"
		    "Domain u0x3; Node s'pciex@3'; \n");
}

static void test_partition(void **state)
{
	struct topology_phb phbs[2] = {unknown, unknown};

	(void)state;
	phbs[0].ddw = true;
	phbs[0].ddw_reset = true;
	phbs[0].liobn = 0x80000300;
	phbs[0].has_functions = true;
	show_phbs(HOST_KIND_PSERIES, phbs, 2);
	expect_phbs("Domain u0x3; Node s'pciex@3'; Ddw b1; DdwReset b1; Liobn u0x80000300; "
		    "Eeh b0; \n"
		    "Domain u0x3; Node s'pciex@3'; Ddw b0; DdwReset b0; \n");
}

/* A node's name is not always text. */
static void test_odd_name(void **state)
{
	struct topology_phb phb = unknown;

	(void)state;
	(void)snprintf(phb.node, sizeof(phb.node), "p\xff");
	show_phbs(HOST_KIND_POWERNV, &phb, 1);
	expect_phbs("Domain u0x3; Node s'p?'; \n");
}

static void expect_basic(const char *path, const char *interface, const char *name,
			 const char *expected)
{
	DBusMessage *reply = get(path, interface, name);
	DBusMessageIter value = value_of(reply);
	char text[128] = "";
	FILE *file = fmemopen(text, sizeof(text), "w");

	assert_non_null(file);
	print_basic(file, &value);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(text, expected);
	dbus_message_unref(reply);
}

static void test_memory_and_firmware(void **state)
{
	(void)state;
	stage.manager->topology->memory_installed = 0x1000;
	stage.manager->topology->memory_max = 0x3000;
	expect_basic(BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "MemoryInstalled", "t0x1000");
	expect_basic(BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "MemoryMax", "t0x3000");
	expect_basic(BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "EehFirmware", "s''");
	stage.manager->topology->eeh_firmware = EEH_FIRMWARE_RTAS;
	expect_basic(BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "EehFirmware", "s'rtas'");
}

static void test_location(void **state)
{
	static const char path[] = BUS_PATH_DEVICE_PREFIX "0000_01_00_0";
	struct topology_device *device = topology_find_device(stage.manager->topology, DEVICE);

	(void)state;
	assert_non_null(device);
	expect_basic(path, BUS_INTERFACE_DEVICE, "Location", "s''");
	(void)snprintf(device->location, sizeof(device->location), "UOPWR-P1-C5-T1");
	expect_basic(path, BUS_INTERFACE_DEVICE, "Location", "s'UOPWR-P1-C5-T1'");
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, service_fixture_set_up, service_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_host_without_phbs), TEST(test_bare_metal),          TEST(test_partition),
		TEST(test_odd_name),          TEST(test_memory_and_firmware), TEST(test_location),
	};

	return service_fixture_main("service-topology", tests);
}
