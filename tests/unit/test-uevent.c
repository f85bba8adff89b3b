/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's uevents: what is understood, and what is not taken for one. */
#include "host/uevent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A string literal with zeros inside, and its last zero. */
#define PARSE(text, uevent) uevent_parse((text), sizeof(text), (uevent))

#define PATH_DEVICE "/devices/pci0001:00/0001:00:00.0/0001:01:00.0"
#define DEVICE(action)                                                          \
	action "@" PATH_DEVICE "\0ACTION=" action "\0DEVPATH=" PATH_DEVICE      \
	       "\0SUBSYSTEM=pci\0PCI_CLASS=20000\0PCI_SLOT_NAME=0001:01:00.0\0" \
	       "SEQNUM=1234"
#define NODE(action, number)                                                                    \
	action "@/devices/virtual/vfio/" number "\0ACTION=" action                              \
	       "\0DEVPATH=/devices/virtual/vfio/" number "\0SUBSYSTEM=vfio\0MAJOR=246\0MINOR=4" \
	       "\0DEVNAME=vfio/" number "\0SEQNUM=7"

static void test_device(void **state)
{
	struct uevent uevent;

	(void)state;
	assert_true(PARSE(DEVICE("add"), &uevent));
	assert_int_equal(uevent.action, UEVENT_ADD);
	assert_int_equal(uevent.subject, UEVENT_PCI_DEVICE);
	assert_string_equal(uevent.name, "0001:01:00.0");
	assert_true(PARSE(DEVICE("remove"), &uevent));
	assert_int_equal(uevent.action, UEVENT_REMOVE);
	assert_true(PARSE(DEVICE("bind"), &uevent));
	assert_int_equal(uevent.action, UEVENT_BIND);
	assert_true(PARSE(DEVICE("unbind"), &uevent));
	assert_int_equal(uevent.action, UEVENT_UNBIND);
	assert_true(PARSE(DEVICE("change"), &uevent));
	assert_int_equal(uevent.action, UEVENT_CHANGE);
	assert_false(PARSE(DEVICE("explode"), &uevent));
}

static void test_node(void **state)
{
	struct uevent uevent;

	(void)state;
	assert_true(PARSE(NODE("remove", "17"), &uevent));
	assert_int_equal(uevent.action, UEVENT_REMOVE);
	assert_int_equal(uevent.subject, UEVENT_VFIO_GROUP);
	assert_int_equal(uevent.group, 17);
	assert_true(PARSE(NODE("add", "4294967294"), &uevent));
	assert_false(PARSE(NODE("add", "4294967295"), &uevent));
	assert_false(PARSE(NODE("add", "99999999999999999999"), &uevent));
	assert_false(PARSE(NODE("add", "noiommu-0"), &uevent));
	assert_false(PARSE(NODE("add", ""), &uevent));
	assert_false(PARSE(NODE("add", "7x"), &uevent));
}

/* A device with a name, and the same at the end of its path. */
static bool parse_named(const char *name)
{
	char text[512];
	struct uevent uevent;
	int length = snprintf(text, sizeof(text),
			      "add@/devices/%s%cACTION=add%cDEVPATH=/devices/%s%cSUBSYSTEM=pci%c"
			      "PCI_SLOT_NAME=%s",
			      name, 0, 0, name, 0, 0, name);

	return uevent_parse(text, (size_t)length + 1, &uevent);
}

static void test_names(void **state)
{
	static const char *const wrong[] = {
		"",
		"..",
		"0001:01:00",
		"0001:01:00.8",
		"0001:01:00.00",
		"001:01:00.0",
		"0001:1:00.0",
		"0001:01:0.0",
		"0001:01:00-0",
		"0001.01.00.0",
		"0001:01:00.0 ",
		"0001:001:00.0",
		"000000001:01:00.0",
		"0001:0G:00.0",
		"0001:01:00.",
		"123456789:01:00.0",
		"00000001:01:00.0",
	};

	(void)state;
	assert_true(parse_named("0001:01:00.0"));
	assert_true(parse_named("10000:e1:1f.7"));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_false(parse_named(wrong[i]));
	}
}

static void test_what_does_not_agree(void **state)
{
	struct uevent uevent = {.group = 5};

	(void)state;
	/* Header and keys. */
	assert_false(PARSE("add@" PATH_DEVICE "\0ACTION=remove\0DEVPATH=" PATH_DEVICE
			   "\0SUBSYSTEM=pci\0PCI_SLOT_NAME=0001:01:00.0",
			   &uevent));
	assert_false(PARSE("add@/devices/other\0ACTION=add\0DEVPATH=" PATH_DEVICE
			   "\0SUBSYSTEM=pci\0PCI_SLOT_NAME=0001:01:00.0",
			   &uevent));
	assert_false(PARSE("addition@" PATH_DEVICE "\0ACTION=add\0DEVPATH=" PATH_DEVICE
			   "\0SUBSYSTEM=pci\0PCI_SLOT_NAME=0001:01:00.0",
			   &uevent));
	/* Path and name. */
	assert_false(PARSE("add@" PATH_DEVICE "\0ACTION=add\0DEVPATH=" PATH_DEVICE
			   "\0SUBSYSTEM=pci\0PCI_SLOT_NAME=0001:01:00.1",
			   &uevent));
	assert_false(
		PARSE("add@/devices/virtual/vfio/7\0ACTION=add\0DEVPATH=/devices/virtual/vfio/7"
		      "\0SUBSYSTEM=vfio\0DEVNAME=vfio/8",
		      &uevent));
	/* Twice. */
	assert_false(PARSE(DEVICE("add") "\0PCI_SLOT_NAME=0001:01:00.0", &uevent));
	assert_false(PARSE(DEVICE("add") "\0ACTION=add", &uevent));
	assert_int_equal(uevent.group, 5);
}

static void test_what_is_missing(void **state)
{
	struct uevent uevent;

	(void)state;
	assert_false(PARSE("add@/x\0DEVPATH=/x\0SUBSYSTEM=pci\0PCI_SLOT_NAME=x", &uevent));
	assert_false(PARSE("add@/x\0ACTION=add\0SUBSYSTEM=pci", &uevent));
	assert_false(PARSE("add@/x\0ACTION=add\0DEVPATH=/x", &uevent));
	assert_false(PARSE("add@/x\0ACTION=add\0DEVPATH=/x\0SUBSYSTEM=pci", &uevent));
	assert_false(PARSE("add@/x\0ACTION=add\0DEVPATH=/x\0SUBSYSTEM=vfio", &uevent));
	assert_false(PARSE("add@/x\0ACTION=add\0DEVPATH=/x\0SUBSYSTEM=net", &uevent));
	assert_false(PARSE("libudev", &uevent));
	assert_false(PARSE("", &uevent));
	assert_false(uevent_parse("", 0, &uevent));
	assert_false(PARSE("add@/x\0NONSENSE", &uevent));
}

/* Each beginning of a uevent is nothing, and reads nothing behind it: that is the sanitizer's. */
static void test_cut_off(void **state)
{
	static const char whole[] = DEVICE("add");
	struct uevent uevent;

	(void)state;
	for (size_t size = 0; size < sizeof(whole) - sizeof("\0SEQNUM=1234"); size++) {
		char *copy = malloc(size + 1);

		assert_non_null(copy);
		memcpy(copy, whole, size);
		/* It ends in the middle of a string, or where one ends. */
		assert_false(uevent_parse(copy, size, &uevent));
		free(copy);
	}
}

static void test_garbage(void **state)
{
	char bytes[300];
	struct uevent uevent;
	unsigned int seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t size = (size_t)rand_r(&seed) % sizeof(bytes);

		for (size_t i = 0; i < size; i++) {
			bytes[i] = "add@/=\0ACTIONDEVPATH:."[(size_t)rand_r(&seed) % 22];
		}
		assert_false(uevent_parse(bytes, size, &uevent));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device),          cmocka_unit_test(test_node),
		cmocka_unit_test(test_names),           cmocka_unit_test(test_what_does_not_agree),
		cmocka_unit_test(test_what_is_missing), cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests_name("uevent", tests, NULL, NULL);
}
