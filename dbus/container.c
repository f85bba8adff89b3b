/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Container */
#include <errno.h>

#include "common/names.h"
#include "dbus/faces.h"
#include "dbus/interface_xml.h"

static int get_iommu_type(void *object, DBusMessageIter *value)
{
	const struct container_face *face = object;
	const char *type = face->container.iommu_type;

	return face_append(value, DBUS_TYPE_STRING, &type);
}

static int append_group(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct container_face *face = object;

	return face_append_path(array, face_group_path(face->container.groups[i]).text);
}

static int get_groups(void *object, DBusMessageIter *value)
{
	const struct container_face *face = object;

	return face_append_array(value, "o", face->container.group_count, append_group, object);
}

static int get_page_sizes(void *object, DBusMessageIter *value)
{
	const struct container_face *face = object;

	return face_append(value, DBUS_TYPE_UINT64, &face->container.page_sizes);
}

static int get_default_window(void *object, DBusMessageIter *value)
{
	const struct worker_container *container =
		&((const struct container_face *)object)->container;

	return face_append_record(value, DBUS_TYPE_STRUCT, DBUS_TYPE_UINT64,
				  &container->default_window_start, DBUS_TYPE_UINT64,
				  &container->default_window_size, DBUS_TYPE_INVALID);
}

static int get_max_windows(void *object, DBusMessageIter *value)
{
	const struct container_face *face = object;

	return face_append(value, DBUS_TYPE_UINT32, &face->container.max_windows);
}

static int get_max_levels(void *object, DBusMessageIter *value)
{
	const struct container_face *face = object;

	return face_append(value, DBUS_TYPE_UINT32, &face->container.max_levels);
}

static int get_eeh(void *object, DBusMessageIter *value)
{
	const struct container_face *face = object;
	dbus_bool_t eeh = face->container.eeh != 0;

	return face_append(value, DBUS_TYPE_BOOLEAN, &eeh);
}

static const struct bus_property properties[] = {
	{"IommuType", "s", get_iommu_type, BUS_PROPERTY_CONSTANT},
	{"Groups", "ao", get_groups, BUS_PROPERTY_CHANGES},
	{"PageSizes", "t", get_page_sizes, BUS_PROPERTY_CONSTANT},
	{"DefaultWindow", "(tt)", get_default_window, BUS_PROPERTY_CONSTANT},
	{"MaxWindows", "u", get_max_windows, BUS_PROPERTY_CONSTANT},
	{"MaxLevels", "u", get_max_levels, BUS_PROPERTY_CONSTANT},
	{"Eeh", "b", get_eeh, BUS_PROPERTY_CONSTANT},
	{.name = NULL},
};

const struct bus_interface container_interface = {
	.name = BUS_INTERFACE_CONTAINER,
	.properties = properties,
	.xml = interface_xml_container,
};
