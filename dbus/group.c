/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Group */
#include <errno.h>

#include "broker/quarantine.h"
#include "common/names.h"
#include "dbus/faces.h"
#include "dbus/group_delegate.h"
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
	const struct host_device *device = face->group->devices;

	while (i-- > 0) {
		device = device->next;
	}
	return face_append_path(array, face_device_path(device->host->name).text);
}

/* Those on the bus, which the host may have lost already. */
static int get_devices(void *object, DBusMessageIter *value)
{
	const struct group_face *face = object;
	uint32_t count = 0;

	for (const struct host_device *device = face->group->devices; device;
	     device = device->next) {
		count++;
	}
	return face_append_array(value, "o", count, append_device, object);
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

static int get_quarantine(void *object, DBusMessageIter *value)
{
	const struct group_face *face = object;
	const char *why = quarantine_reason(face->service->manager, face->group);

	return face_append_text(value, why ? why : "");
}

/* -- Release -- */

static void do_release(struct bus_call *call, struct group_face *face, struct bus_sender *sender)
{
	dbus_bool_t anyway = FALSE;
	struct error error;

	(void)sender;
	(void)bus_call_read(call, DBUS_TYPE_BOOLEAN, &anyway, DBUS_TYPE_INVALID);
	bus_call_drop_arguments(call);
	if (quarantine_release(face->service->manager, face->group, anyway, face_reply_empty, call,
			       &error)) {
		bus_call_fail(call, &error);
	}
}

static void handle_release(struct bus_call *call, void *object)
{
	face_authorise_group_operator(call, object, do_release);
}

static const struct bus_method methods[] = {
	{"Delegate", "", "h", group_handle_delegate},
	{"Release", "b", "", handle_release},
	{.name = NULL},
};

static const struct bus_property properties[] = {
	{"Id", "u", get_id, BUS_PROPERTY_CONSTANT},
	{"Viable", "b", get_viable, BUS_PROPERTY_CHANGES},
	{"Devices", "ao", get_devices, BUS_PROPERTY_CHANGES},
	{"AddressSpace", "o", get_address_space, BUS_PROPERTY_CHANGES},
	{"Container", "o", get_container, BUS_PROPERTY_CHANGES},
	{"PeNumber", "u", get_pe_number, BUS_PROPERTY_CONSTANT},
	{"PhbId", "u", get_phb_id, BUS_PROPERTY_CONSTANT},
	{"Delegated", "s", group_get_delegated, BUS_PROPERTY_CHANGES},
	{"Quarantine", "s", get_quarantine, BUS_PROPERTY_CHANGES},
	{.name = NULL},
};

const struct bus_interface group_interface = {
	.name = BUS_INTERFACE_GROUP,
	.methods = methods,
	.properties = properties,
	.xml = interface_xml_group,
};
