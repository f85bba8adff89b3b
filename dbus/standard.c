/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The standard interfaces, as tables like our own. Their handlers get the node. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "dbus/bus_private.h"

/* Introspectable */

static const char peer_xml[] = "  <interface name=\"org.freedesktop.DBus.Peer\">\n"
			       "    <method name=\"Ping\"/>\n"
			       "    <method name=\"GetMachineId\">\n"
			       "      <arg name=\"machine_uuid\" type=\"s\" direction=\"out\"/>\n"
			       "    </method>\n"
			       "  </interface>\n";

static void write_node(FILE *file, const struct bus_node *node)
{
	const struct bus_interface *interface;
	const struct bus_node *child = NULL;

	(void)fputs(DBUS_INTROSPECT_1_0_XML_DOCTYPE_DECL_NODE "<node>\n", file);
	(void)fputs(peer_xml, file);
	for (unsigned int i = 0; (interface = standard_interface(node, i)); i++) {
		(void)fputs(interface->xml, file);
	}
	for (unsigned int i = 0; node->object && i < node->object->interface_count; i++) {
		(void)fprintf(file, "  %s\n", node->object->interfaces[i].interface->xml);
	}
	TAILQ_FOREACH(child, &node->children, siblings)
	{
		(void)fprintf(file, "  <node name=\"%s\"/>\n", node_name(child));
	}
	(void)fputs("</node>\n", file);
}

static void handle_introspect(struct bus_call *call, void *object)
{
	char *text cleanup(cleanup_free) = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (file) {
		write_node(file, object);
	}
	if (!file || fclose(file) != 0) {
		bus_call_fail_named(call, DBUS_ERROR_NO_MEMORY, "No memory for the description");
		return;
	}
	bus_call_reply(call, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
}

/* Properties */

struct property_reply {
	const struct bus_object *object;
	const struct bus_interface *interface; /* NULL: all, where the caller may leave it open */
	const struct bus_property *property;
};

/* The interface of that name, standard ones included; NULL when the node has none such. */
static const struct bus_interface *find_interface(const struct bus_node *node, const char *name)
{
	const struct bus_object *object = node->object;
	const struct bus_interface *interface;

	for (unsigned int i = 0; i < object->interface_count; i++) {
		if (strcmp(object->interfaces[i].interface->name, name) == 0) {
			return object->interfaces[i].interface;
		}
	}
	for (unsigned int i = 0; (interface = standard_interface(node, i)); i++) {
		if (strcmp(interface->name, name) == 0) {
			return interface;
		}
	}
	return NULL;
}

/* An empty interface name stands for any interface, as the specification allows. */
static const struct bus_property *find_property(const struct bus_node *node, const char *interface,
						const char *name)
{
	const struct bus_property *property = NULL;

	if (interface[0] != '\0') {
		const struct bus_interface *found = find_interface(node, interface);

		return found ? property_find(found, name) : NULL;
	}
	for (unsigned int i = 0; i < node->object->interface_count && !property; i++) {
		property = property_find(node->object->interfaces[i].interface, name);
	}
	return property;
}

/* Find a property, or answer the call with what is missing and return NULL. */
static const struct bus_property *require_property(struct bus_call *call,
						   const struct bus_node *node,
						   const char *interface, const char *name)
{
	const struct bus_property *property = find_property(node, interface, name);

	if (property) {
		return property;
	}
	if (interface[0] != '\0' && !find_interface(node, interface)) {
		bus_call_fail_named(call, DBUS_ERROR_UNKNOWN_INTERFACE,
				    "%s has no interface \"%s\"", node->path, interface);
	} else {
		bus_call_fail_named(call, DBUS_ERROR_UNKNOWN_PROPERTY,
				    "%s has no property \"%s\" in interface \"%s\"", node->path,
				    name, interface);
	}
	return NULL;
}

static int append_property(DBusMessageIter *iter, void *userdata)
{
	const struct property_reply *reply = userdata;

	return property_append(iter, reply->property, reply->object->userdata);
}

static void handle_get(struct bus_call *call, void *object)
{
	struct property_reply reply = {.object = ((struct bus_node *)object)->object};
	const char *interface = NULL;
	const char *name = NULL;

	(void)bus_call_read(call, DBUS_TYPE_STRING, &interface, DBUS_TYPE_STRING, &name,
			    DBUS_TYPE_INVALID);
	reply.property = require_property(call, object, interface, name);
	if (reply.property) {
		bus_call_reply_with(call, append_property, &reply);
	}
}

static void handle_set(struct bus_call *call, void *object)
{
	DBusMessageIter iter;
	const char *interface = NULL;
	const char *name = NULL;

	dbus_message_iter_init(bus_call_message(call), &iter);
	dbus_message_iter_get_basic(&iter, &interface);
	dbus_message_iter_next(&iter);
	dbus_message_iter_get_basic(&iter, &name);
	if (require_property(call, object, interface, name)) {
		bus_call_fail_named(call, DBUS_ERROR_PROPERTY_READ_ONLY,
				    "Property \"%s\" can only be read", name);
	}
}

static int append_all(DBusMessageIter *iter, const struct bus_object *object)
{
	DBusMessageIter dict = DBUS_MESSAGE_ITER_INIT_CLOSED;
	int r = 0;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "{sv}", &dict)) {
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < object->interface_count && r == 0; i++) {
		r = properties_append_entries(&dict, object->interfaces[i].interface,
					      object->userdata, PROPERTIES_ALL);
	}
	return container_close(iter, &dict, r);
}

static int append_properties(DBusMessageIter *iter, void *userdata)
{
	const struct property_reply *reply = userdata;

	if (!reply->interface) {
		return append_all(iter, reply->object);
	}
	return properties_append(iter, reply->interface, reply->object->userdata, PROPERTIES_ALL);
}

static void handle_get_all(struct bus_call *call, void *object)
{
	struct bus_node *node = object;
	struct property_reply reply = {.object = node->object};
	const char *interface = NULL;

	(void)bus_call_read(call, DBUS_TYPE_STRING, &interface, DBUS_TYPE_INVALID);
	if (interface[0] != '\0') {
		reply.interface = find_interface(node, interface);
		if (!reply.interface) {
			bus_call_fail_named(call, DBUS_ERROR_UNKNOWN_INTERFACE,
					    "%s has no interface \"%s\"", node->path, interface);
			return;
		}
	}
	bus_call_reply_with(call, append_properties, &reply);
}

/* ObjectManager */

static int append_managed_object(DBusMessageIter *dict, const struct bus_node *node)
{
	DBusMessageIter entry = DBUS_MESSAGE_ITER_INIT_CLOSED;
	int r;

	if (!dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry)) {
		return -ENOMEM;
	}
	r = dbus_message_iter_append_basic(&entry, DBUS_TYPE_OBJECT_PATH, &node->path)
		    ? interfaces_append(&entry, node->object)
		    : -ENOMEM;
	return container_close(dict, &entry, r);
}

/* All objects below the node; the depth is that of the paths. */
static int append_managed_below(DBusMessageIter *dict, const struct bus_node *node)
{
	const struct bus_node *child = NULL;
	int r = 0;

	TAILQ_FOREACH(child, &node->children, siblings)
	{
		if (child->object) {
			r = append_managed_object(dict, child);
		}
		if (r == 0) {
			r = append_managed_below(dict, child);
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int append_managed(DBusMessageIter *iter, void *userdata)
{
	DBusMessageIter dict = DBUS_MESSAGE_ITER_INIT_CLOSED;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "{oa{sa{sv}}}", &dict)) {
		return -ENOMEM;
	}
	return container_close(iter, &dict, append_managed_below(&dict, userdata));
}

static void handle_get_managed_objects(struct bus_call *call, void *object)
{
	bus_call_reply_with(call, append_managed, object);
}

/* Tables */

static const struct bus_method introspectable_methods[] = {
	{"Introspect", "", "s", handle_introspect},
	{NULL, NULL, NULL, NULL},
};

static const struct bus_interface introspectable = {
	.name = DBUS_INTERFACE_INTROSPECTABLE,
	.methods = introspectable_methods,
	.xml = "  <interface name=\"org.freedesktop.DBus.Introspectable\">\n"
	       "    <method name=\"Introspect\">\n"
	       "      <arg name=\"xml_data\" type=\"s\" direction=\"out\"/>\n"
	       "    </method>\n"
	       "  </interface>\n",
};

static const struct bus_method properties_methods[] = {
	{"Get", "ss", "v", handle_get},
	{"Set", "ssv", "", handle_set},
	{"GetAll", "s", "a{sv}", handle_get_all},
	{NULL, NULL, NULL, NULL},
};

static const struct bus_interface properties = {
	.name = DBUS_INTERFACE_PROPERTIES,
	.methods = properties_methods,
	.xml = "  <interface name=\"org.freedesktop.DBus.Properties\">\n"
	       "    <method name=\"Get\">\n"
	       "      <arg name=\"interface_name\" type=\"s\" direction=\"in\"/>\n"
	       "      <arg name=\"property_name\" type=\"s\" direction=\"in\"/>\n"
	       "      <arg name=\"value\" type=\"v\" direction=\"out\"/>\n"
	       "    </method>\n"
	       "    <method name=\"Set\">\n"
	       "      <arg name=\"interface_name\" type=\"s\" direction=\"in\"/>\n"
	       "      <arg name=\"property_name\" type=\"s\" direction=\"in\"/>\n"
	       "      <arg name=\"value\" type=\"v\" direction=\"in\"/>\n"
	       "    </method>\n"
	       "    <method name=\"GetAll\">\n"
	       "      <arg name=\"interface_name\" type=\"s\" direction=\"in\"/>\n"
	       "      <arg name=\"properties\" type=\"a{sv}\" direction=\"out\"/>\n"
	       "    </method>\n"
	       "    <signal name=\"PropertiesChanged\">\n"
	       "      <arg name=\"interface_name\" type=\"s\"/>\n"
	       "      <arg name=\"changed_properties\" type=\"a{sv}\"/>\n"
	       "      <arg name=\"invalidated_properties\" type=\"as\"/>\n"
	       "    </signal>\n"
	       "  </interface>\n",
};

static const struct bus_method object_manager_methods[] = {
	{"GetManagedObjects", "", "a{oa{sa{sv}}}", handle_get_managed_objects},
	{NULL, NULL, NULL, NULL},
};

static const struct bus_interface object_manager = {
	.name = INTERFACE_OBJECT_MANAGER,
	.methods = object_manager_methods,
	.xml = "  <interface name=\"" INTERFACE_OBJECT_MANAGER "\">\n"
	       "    <method name=\"GetManagedObjects\">\n"
	       "      <arg name=\"objects\" type=\"a{oa{sa{sv}}}\" direction=\"out\"/>\n"
	       "    </method>\n"
	       "    <signal name=\"InterfacesAdded\">\n"
	       "      <arg name=\"object\" type=\"o\"/>\n"
	       "      <arg name=\"interfaces\" type=\"a{sa{sv}}\"/>\n"
	       "    </signal>\n"
	       "    <signal name=\"InterfacesRemoved\">\n"
	       "      <arg name=\"object\" type=\"o\"/>\n"
	       "      <arg name=\"interfaces\" type=\"as\"/>\n"
	       "    </signal>\n"
	       "  </interface>\n",
};

const struct bus_interface *standard_interface(const struct bus_node *node, unsigned int number)
{
	switch (number) {
	case 0:
		return &introspectable;
	case 1:
		return node->object ? &properties : NULL;
	case 2:
		return strcmp(node->path, BUS_PATH_MANAGER) == 0 ? &object_manager : NULL;
	default:
		return NULL;
	}
}
