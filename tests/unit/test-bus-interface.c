/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The comparison of an interface's table with its XML, and the XML that is built in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/names.h"
#include "dbus/check_interface.h"
#include "dbus/interface_xml.h"
#include "unit.h"

static const struct bus_method methods[] = {
	{"Map", "tt", "u", NULL},
	{"Close", "", "", NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct bus_property properties[] = {
	{"Name", "s", NULL, BUS_PROPERTY_CONSTANT},
	{"Windows", "a(tt)", NULL, BUS_PROPERTY_CHANGES},
	{"Bytes", "t", NULL, BUS_PROPERTY_SILENT},
	{NULL, NULL, NULL, BUS_PROPERTY_CONSTANT},
};

static const struct bus_signal signals[] = {
	{"Lost", "os"},
	{NULL, NULL},
};

#define EMITS(value) \
	"<annotation name='org.freedesktop.DBus.Property.EmitsChangedSignal' value='" value "'/>"

#define XML_MAP                                                                              \
	"<method name='Map'><arg name='a' type='t' direction='in'/><arg name='b' type='t'/>" \
	"<arg name='c' type='u' direction='out'/></method>"
#define XML_CLOSE    "<method name='Close'/>"
#define XML_NAME     "<property name='Name' type='s' access='read'>" EMITS("const") "</property>"
#define XML_WINDOWS  "<property name='Windows' type='a(tt)' access='read'/>"
#define XML_BYTES    "<property name='Bytes' type='t' access='read'>" EMITS("false") "</property>"
#define XML_LOST     "<signal name='Lost'><arg type='o'/><arg type='s'/></signal>"
#define XML(members) "<interface name='a.Thing'>" members "</interface>"

/* Each case is the right XML but for one thing, and the report names that. */
static const struct {
	const char *xml;
	unsigned int differences;
	const char *report;
} cases[] = {
	{XML(XML_MAP XML_CLOSE XML_NAME XML_WINDOWS XML_BYTES XML_LOST), 0, ""},
	{XML(XML_LOST XML_BYTES XML_NAME XML_WINDOWS XML_CLOSE XML_MAP), 0, ""},
	{XML(XML_CLOSE XML_NAME XML_WINDOWS XML_BYTES XML_LOST), 1,
	 "method Map is only in the table"},
	{XML(XML_MAP XML_CLOSE XML_WINDOWS XML_BYTES XML_LOST), 1,
	 "property Name is only in the table"},
	{XML(XML_MAP XML_CLOSE XML_NAME XML_WINDOWS XML_BYTES), 1,
	 "signal Lost is only in the table"},
	{XML(XML_MAP XML_CLOSE "<method name='Open'/>" XML_NAME XML_WINDOWS XML_BYTES XML_LOST), 1,
	 "method Open is only in the XML"},
	{XML(XML_MAP XML_CLOSE XML_NAME XML_WINDOWS XML_BYTES XML_LOST
	     "<property name='Size' type='t' access='read'/>"),
	 1, "property Size is only in the XML"},
	{XML(XML_MAP XML_CLOSE XML_NAME XML_WINDOWS XML_BYTES XML_LOST "<signal name='Found'/>"), 1,
	 "signal Found is only in the XML"},
	{XML("<method name='Map'><arg type='t'/><arg type='c'/><arg type='u' direction='out'/>"
	     "</method>" XML_CLOSE XML_NAME XML_WINDOWS XML_BYTES XML_LOST),
	 1, "Map: the signature in is \"tt\" in the table and \"tc\" in the XML"},
	{XML(XML_MAP
	     "<method name='Close'><arg type='b' direction='out'/></method>" XML_NAME XML_WINDOWS
		     XML_BYTES XML_LOST),
	 1, "Close: the signature out is \"\" in the table and \"b\" in the XML"},
	{XML(XML_MAP XML_CLOSE "<property name='Name' type='o' access='read'>" EMITS(
		 "const") "</property>" XML_WINDOWS XML_BYTES XML_LOST),
	 1, "Name: the type is \"s\" in the table and \"o\" in the XML"},
	{XML(XML_MAP XML_CLOSE "<property name='Name' type='s' access='readwrite'>" EMITS(
		 "const") "</property>" XML_WINDOWS XML_BYTES XML_LOST),
	 1, "Name: the access is \"read\" in the table and \"readwrite\" in the XML"},
	{XML(XML_MAP XML_CLOSE
	     "<property name='Name' type='s' access='read'/>" XML_WINDOWS XML_BYTES XML_LOST),
	 1, "Name: EmitsChangedSignal is \"const\" in the table and \"true\" in the XML"},
	{XML(XML_MAP XML_CLOSE XML_NAME XML_WINDOWS
	     "<property name='Bytes' type='t' "
	     "access='read'>" EMITS("invalidates") "</property>" XML_LOST),
	 1, "Bytes: EmitsChangedSignal is \"false\" in the table and \"invalidates\" in the XML"},
	{XML(XML_MAP XML_CLOSE XML_NAME XML_WINDOWS XML_BYTES
	     "<signal name='Lost'><arg type='o'/></signal>"),
	 1, "Lost: the signature is \"os\" in the table and \"o\" in the XML"},
	{XML(XML_MAP XML_CLOSE XML_CLOSE XML_NAME XML_WINDOWS XML_BYTES XML_LOST), 1,
	 "Close is in the XML twice"},
	{"<interface name='a.Other'>" XML_MAP XML_CLOSE XML_NAME XML_WINDOWS XML_BYTES XML_LOST
	 "</interface>",
	 1, "the name is \"a.Thing\" in the table and \"a.Other\" in the XML"},
	{XML(XML_MAP XML_CLOSE XML_NAME XML_WINDOWS XML_BYTES XML_LOST "<metod name='Open'/>"), 1,
	 "an element <metod>"},
	{"<interface name='a.Thing'>", 1, "the XML can't be read"},
};

static void test_every_kind_of_difference(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct bus_interface interface = {
			.name = "a.Thing",
			.methods = methods,
			.properties = properties,
			.signals = signals,
			.xml = cases[i].xml,
		};
		char *text = NULL;
		size_t size = 0;
		FILE *report = open_memstream(&text, &size);
		unsigned int differences = check_interface(&interface, report);

		assert_int_equal(fclose(report), 0);
		if (differences != cases[i].differences || !strstr(text, cases[i].report)) {
			print_error("case %u: %s", i, text);
		}
		assert_int_equal(differences, cases[i].differences);
		assert_non_null(strstr(text, cases[i].report));
		free(text);
	}
}

/* An empty table must differ in each member of the contract's XML, and in nothing else. */
static void test_built_in_xml(void **state)
{
	static const struct {
		struct bus_interface interface;
		unsigned int members;
	} built_in[] = {
		{{.name = BUS_INTERFACE_MANAGER, .xml = interface_xml_manager}, 15},
		{{.name = BUS_INTERFACE_GROUP, .xml = interface_xml_group}, 11},
		{{.name = BUS_INTERFACE_PE, .xml = interface_xml_pe}, 29},
		{{.name = BUS_INTERFACE_DEVICE, .xml = interface_xml_device}, 27},
		{{.name = BUS_INTERFACE_SPACE, .xml = interface_xml_address_space}, 30},
		{{.name = BUS_INTERFACE_CONTAINER, .xml = interface_xml_container}, 7},
		{{.name = BUS_INTERFACE_SIMULATOR, .xml = interface_xml_simulator}, 13},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++) {
		char *text = NULL;
		size_t size = 0;
		FILE *report = open_memstream(&text, &size);
		unsigned int differences = check_interface(&built_in[i].interface, report);
		unsigned int lines = 0;

		assert_int_equal(fclose(report), 0);
		for (const char *line = text; (line = strstr(line, "is only in the XML")); line++) {
			lines++;
		}
		assert_int_equal(differences, built_in[i].members);
		assert_int_equal(lines, built_in[i].members);
		free(text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_of_difference),
		cmocka_unit_test(test_built_in_xml),
	};

	return cmocka_run_group_tests_name("bus-interface", tests, NULL, NULL);
}
