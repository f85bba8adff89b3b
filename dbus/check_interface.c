/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus/check_interface.h"

#include <expat.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define ANNOTATION_CHANGES "org.freedesktop.DBus.Property.EmitsChangedSignal"
#define SIGNATURE_SIZE     256 /* the longest that D-Bus allows, and a zero */
#define SEEN_MAX           256 /* members of one interface */

enum member_kind {
	MEMBER_NONE,
	MEMBER_METHOD,
	MEMBER_PROPERTY,
	MEMBER_SIGNAL,
};

struct check {
	const struct bus_interface *interface;
	FILE *report;
	XML_Parser parser;
	unsigned int differences;

	/* The member that is being read. */
	enum member_kind kind;
	char name[SIGNATURE_SIZE];
	char in[SIGNATURE_SIZE];
	char out[SIGNATURE_SIZE];
	char access[16];
	char changes[16];

	/* What the XML has so far, for what the table has in excess. */
	const void *seen[SEEN_MAX];
	unsigned int seen_count;
};

static void differ(struct check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void differ(struct check *check, const char *format, ...)
{
	va_list arguments;

	(void)fprintf(check->report, "%s: ", check->interface->name);
	va_start(arguments, format);
	(void)vfprintf(check->report, format, arguments);
	va_end(arguments);
	(void)fputc('\n', check->report);
	check->differences++;
}

static const char *attribute(const char **attributes, const char *name)
{
	for (; attributes[0]; attributes += 2) {
		if (strcmp(attributes[0], name) == 0) {
			return attributes[1];
		}
	}
	return NULL;
}

static void copy(char *target, size_t size, const char *text)
{
	(void)snprintf(target, size, "%s", text ? text : "");
}

static void see(struct check *check, const void *entry)
{
	for (unsigned int i = 0; i < check->seen_count; i++) {
		if (check->seen[i] == entry) {
			differ(check, "%s is in the XML twice", check->name);
			return;
		}
	}
	if (check->seen_count < SEEN_MAX) {
		check->seen[check->seen_count++] = entry;
	}
}

static bool was_seen(const struct check *check, const void *entry)
{
	for (unsigned int i = 0; i < check->seen_count; i++) {
		if (check->seen[i] == entry) {
			return true;
		}
	}
	return false;
}

/* A member of the XML is complete: look it up in the table. */

static void compare_text(struct check *check, const char *what, const char *table, const char *xml)
{
	if (strcmp(table, xml) != 0) {
		differ(check, "%s: %s is \"%s\" in the table and \"%s\" in the XML", check->name,
		       what, table, xml);
	}
}

static void compare_method(struct check *check)
{
	for (const struct bus_method *method = check->interface->methods; method && method->name;
	     method++) {
		if (strcmp(method->name, check->name) == 0) {
			see(check, method);
			compare_text(check, "the signature in", method->in, check->in);
			compare_text(check, "the signature out", method->out, check->out);
			return;
		}
	}
	differ(check, "method %s is only in the XML", check->name);
}

static const char *changes_of_flags(enum bus_property_flags flags)
{
	switch (flags) {
	case BUS_PROPERTY_CONSTANT:
		return "const";
	case BUS_PROPERTY_CHANGES:
		return "true";
	case BUS_PROPERTY_SILENT:
		return "false";
	}
	return "unknown";
}

static void compare_property(struct check *check)
{
	const struct bus_property *property = check->interface->properties;

	while (property && property->name && strcmp(property->name, check->name) != 0) {
		property++;
	}
	if (!property || !property->name) {
		differ(check, "property %s is only in the XML", check->name);
		return;
	}
	see(check, property);
	compare_text(check, "the type", property->signature, check->out);
	compare_text(check, "the access", "read", check->access);
	compare_text(check, "EmitsChangedSignal", changes_of_flags(property->flags),
		     check->changes);
}

static void compare_signal(struct check *check)
{
	for (const struct bus_signal *signal = check->interface->signals; signal && signal->name;
	     signal++) {
		if (strcmp(signal->name, check->name) == 0) {
			see(check, signal);
			compare_text(check, "the signature", signal->signature, check->out);
			return;
		}
	}
	differ(check, "signal %s is only in the XML", check->name);
}

/* Reading */

static void begin_member(struct check *check, enum member_kind kind, const char **attributes)
{
	check->kind = kind;
	copy(check->name, sizeof(check->name), attribute(attributes, "name"));
	check->in[0] = '\0';
	check->out[0] = '\0';
	if (kind == MEMBER_PROPERTY) {
		copy(check->out, sizeof(check->out), attribute(attributes, "type"));
		copy(check->access, sizeof(check->access), attribute(attributes, "access"));
		copy(check->changes, sizeof(check->changes), "true");
	}
}

static void add_argument(struct check *check, const char **attributes)
{
	const char *direction = attribute(attributes, "direction");
	const char *type = attribute(attributes, "type");
	bool out = check->kind == MEMBER_SIGNAL || (direction && strcmp(direction, "out") == 0);
	char *signature = out ? check->out : check->in;
	size_t used = strlen(signature);

	copy(signature + used, SIGNATURE_SIZE - used, type);
}

static void XMLCALL handle_start(void *userdata, const XML_Char *element,
				 const XML_Char **attributes)
{
	struct check *check = userdata;

	if (strcmp(element, "interface") == 0) {
		copy(check->name, sizeof(check->name), attribute(attributes, "name"));
		compare_text(check, "the name", check->interface->name, check->name);
	} else if (strcmp(element, "method") == 0) {
		begin_member(check, MEMBER_METHOD, attributes);
	} else if (strcmp(element, "property") == 0) {
		begin_member(check, MEMBER_PROPERTY, attributes);
	} else if (strcmp(element, "signal") == 0) {
		begin_member(check, MEMBER_SIGNAL, attributes);
	} else if (strcmp(element, "arg") == 0) {
		add_argument(check, attributes);
	} else if (strcmp(element, "annotation") == 0 && check->kind == MEMBER_PROPERTY) {
		const char *name = attribute(attributes, "name");

		if (name && strcmp(name, ANNOTATION_CHANGES) == 0) {
			copy(check->changes, sizeof(check->changes),
			     attribute(attributes, "value"));
		}
	} else {
		differ(check, "the XML has an element <%s> that this check doesn't know", element);
	}
}

static void XMLCALL handle_end(void *userdata, const XML_Char *element)
{
	struct check *check = userdata;

	if (strcmp(element, "method") == 0) {
		compare_method(check);
	} else if (strcmp(element, "property") == 0) {
		compare_property(check);
	} else if (strcmp(element, "signal") == 0) {
		compare_signal(check);
	} else {
		return;
	}
	check->kind = MEMBER_NONE;
}

static void report_unseen(struct check *check)
{
	const struct bus_interface *interface = check->interface;

	for (const struct bus_method *method = interface->methods; method && method->name;
	     method++) {
		if (!was_seen(check, method)) {
			differ(check, "method %s is only in the table", method->name);
		}
	}
	for (const struct bus_property *property = interface->properties;
	     property && property->name; property++) {
		if (!was_seen(check, property)) {
			differ(check, "property %s is only in the table", property->name);
		}
	}
	for (const struct bus_signal *signal = interface->signals; signal && signal->name;
	     signal++) {
		if (!was_seen(check, signal)) {
			differ(check, "signal %s is only in the table", signal->name);
		}
	}
}

unsigned int check_interface(const struct bus_interface *interface, FILE *report)
{
	struct check check = {.interface = interface, .report = report};
	size_t size = strlen(interface->xml);

	check.parser = XML_ParserCreate(NULL);
	if (!check.parser) {
		differ(&check, "no memory to read the XML");
		return check.differences;
	}
	XML_SetUserData(check.parser, &check);
	XML_SetElementHandler(check.parser, handle_start, handle_end);
	if (XML_Parse(check.parser, interface->xml, (int)size, 1) == XML_STATUS_OK) {
		report_unseen(&check);
	} else {
		differ(&check, "the XML can't be read, line %lu: %s",
		       (unsigned long)XML_GetCurrentLineNumber(check.parser),
		       XML_ErrorString(XML_GetErrorCode(check.parser)));
	}
	XML_ParserFree(check.parser);
	return check.differences;
}
