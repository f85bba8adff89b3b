/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Group */
#include <errno.h>

#include "common/names.h"
#include "dbus/faces.h"
#include "dbus/interface_xml.h"

static int get_id(void *object, DBusMessageIter *value)
{
	const struct group_face *face = object;

	return face_append(value, DBUS_TYPE_UINT32, &face->group->host->id);
}

static int get_viable(void *object, DBusMessageIter *value)
{
	const struct group_face *face = object;
	dbus_bool_t viable =
		topology_group_is_viable(face->service->manager->topology, face->group->host);

	return face_append(value, DBUS_TYPE_BOOLEAN, &viable);
}

static int append_device(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct group_face *face = object;

	return face_append_path(array, face_device_path(face->group->host->devices[i]->name).text);
}

static int get_devices(void *object, DBusMessageIter *value)
{
	const struct group_face *face = object;

	return face_append_array(value, "o", (uint32_t)face->group->host->device_count,
				 append_device, object);
}

static int get_address_space(void *object, DBusMessageIter *value)
{
	const struct group_face *face = object;
	const struct space *space = face->group->space;

	return face_append_path(value, space ? face_space_path(space->number).text : "/");
}

static int get_container(void *object, DBusMessageIter *value)
{
	const struct group_face *face = object;
	const struct group *group = face->group;

	if (!group->space || group->container_id == 0) {
		return face_append_path(value, "/");
	}
	return face_append_path(
		value, face_container_path(group->space->number, group->container_id).text);
}

static int get_pe_number(void *object, DBusMessageIter *value)
{
	const struct group_face *face = object;

	return face_append(value, DBUS_TYPE_UINT32, &face->group->host->pe_number);
}

static int get_phb_id(void *object, DBusMessageIter *value)
{
	const struct group_face *face = object;

	return face_append(value, DBUS_TYPE_UINT32, &face->group->host->phb_id);
}

static const struct bus_property properties[] = {
	{"Id", "u", get_id, BUS_PROPERTY_CONSTANT},
	{"Viable", "b", get_viable, BUS_PROPERTY_SILENT},
	{"Devices", "ao", get_devices, BUS_PROPERTY_CHANGES},
	{"AddressSpace", "o", get_address_space, BUS_PROPERTY_CHANGES},
	{"Container", "o", get_container, BUS_PROPERTY_CHANGES},
	{"PeNumber", "u", get_pe_number, BUS_PROPERTY_CONSTANT},
	{"PhbId", "u", get_phb_id, BUS_PROPERTY_CONSTANT},
	{.name = NULL},
};

const struct bus_interface group_interface = {
	.name = BUS_INTERFACE_GROUP,
	.properties = properties,
	.xml = interface_xml_group,
};
