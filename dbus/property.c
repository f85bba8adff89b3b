/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "dbus/bus_private.h"

const struct bus_property *property_find(const struct bus_interface *interface, const char *name)
{
	for (const struct bus_property *property = interface->properties;
	     property && property->name; property++) {
		if (strcmp(property->name, name) == 0) {
			return property;
		}
	}
	return NULL;
}

int container_close(DBusMessageIter *iter, DBusMessageIter *container, int r)
{
	if (r < 0) {
		dbus_message_iter_abandon_container_if_open(iter, container);
		return r;
	}
	return dbus_message_iter_close_container(iter, container) ? 0 : -ENOMEM;
}

int property_append(DBusMessageIter *iter, const struct bus_property *property, void *object)
{
	DBusMessageIter value = DBUS_MESSAGE_ITER_INIT_CLOSED;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_VARIANT, property->signature,
					      &value)) {
		return -ENOMEM;
	}
	return container_close(iter, &value, property->get(object, &value));
}

static int property_append_entry(DBusMessageIter *dict, const struct bus_property *property,
				 void *object)
{
	DBusMessageIter entry = DBUS_MESSAGE_ITER_INIT_CLOSED;
	int r;

	if (!dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry)) {
		return -ENOMEM;
	}
	r = dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &property->name)
		    ? property_append(&entry, property, object)
		    : -ENOMEM;
	return container_close(dict, &entry, r);
}

int properties_append_entries(DBusMessageIter *dict, const struct bus_interface *interface,
			      void *object, uint64_t mask)
{
	const struct bus_property *properties = interface->properties;
	int r = 0;

	for (unsigned int i = 0; properties && properties[i].name && r == 0; i++) {
		if (mask & (UINT64_C(1) << i)) {
			r = property_append_entry(dict, &properties[i], object);
		}
	}
	return r;
}

int properties_append(DBusMessageIter *iter, const struct bus_interface *interface, void *object,
		      uint64_t mask)
{
	DBusMessageIter dict = DBUS_MESSAGE_ITER_INIT_CLOSED;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "{sv}", &dict)) {
		return -ENOMEM;
	}
	return container_close(iter, &dict,
			       properties_append_entries(&dict, interface, object, mask));
}

static int interface_append(DBusMessageIter *dict, const struct bus_interface *interface,
			    void *object)
{
	DBusMessageIter entry = DBUS_MESSAGE_ITER_INIT_CLOSED;
	int r;

	if (!dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry)) {
		return -ENOMEM;
	}
	r = dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &interface->name)
		    ? properties_append(&entry, interface, object, PROPERTIES_ALL)
		    : -ENOMEM;
	return container_close(dict, &entry, r);
}

int interfaces_append(DBusMessageIter *iter, const struct bus_object *object)
{
	DBusMessageIter dict = DBUS_MESSAGE_ITER_INIT_CLOSED;
	int r = 0;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "{sa{sv}}", &dict)) {
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < object->interface_count && r == 0; i++) {
		r = interface_append(&dict, object->interfaces[i].interface, object->userdata);
	}
	return container_close(iter, &dict, r);
}
