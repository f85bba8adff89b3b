/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Device */
#include "broker/device.h"
#include "broker/reset.h"
#include "common/names.h"
#include "dbus/device_bind.h"
#include "dbus/device_methods.h"
#include "dbus/interface_xml.h"

/* -- Open -- */

static void handle_opened(void *userdata, const struct worker_answer *answer)
{
	struct bus_call *call = userdata;

	if (answer->error.code != ERROR_NONE) {
		bus_call_fail(call, &answer->error);
	} else {
		bus_call_reply(call, DBUS_TYPE_UNIX_FD, &answer->fds[0], DBUS_TYPE_INVALID);
	}
}

static void do_open(struct bus_call *call, struct device_face *face)
{
	struct error error;

	if (device_open(face->service->manager, face->device, handle_opened, call, &error)) {
		bus_call_fail(call, &error);
	}
}

static void handle_open(struct bus_call *call, void *object)
{
	face_authorise_device(call, object, do_open);
}

/* -- Reset -- */

static void do_reset(struct bus_call *call, struct device_face *face)
{
	struct error error;

	if (device_reset(face->service->manager, face->device, face_reply_empty, call, &error)) {
		bus_call_fail(call, &error);
	}
}

static void handle_reset(struct bus_call *call, void *object)
{
	face_authorise_device(call, object, do_reset);
}

/* -- for the other files -- */

void device_forward(struct bus_call *call, struct device_face *face,
		    const struct worker_call_device *request, device_answer_handler handler)
{
	struct error error;

	if (device_call(face->device, request, NULL, 0, handler, call, &error)) {
		bus_call_fail(call, &error);
	}
}

void device_reply_empty(void *userdata, const struct device_answer *answer)
{
	struct bus_call *call = userdata;

	if (answer->error.code != ERROR_NONE) {
		bus_call_fail(call, &answer->error);
	} else {
		bus_call_reply(call, DBUS_TYPE_INVALID);
	}
}

/* -- properties -- */

static int get_name(void *object, DBusMessageIter *value)
{
	const struct device_face *face = object;
	const char *name = face->device->host->name;

	return face_append(value, DBUS_TYPE_STRING, &name);
}

static int get_vendor(void *object, DBusMessageIter *value)
{
	const struct device_face *face = object;

	return face_append(value, DBUS_TYPE_UINT16, &face->device->host->vendor);
}

static int get_device(void *object, DBusMessageIter *value)
{
	const struct device_face *face = object;

	return face_append(value, DBUS_TYPE_UINT16, &face->device->host->device);
}

static int get_class(void *object, DBusMessageIter *value)
{
	const struct device_face *face = object;

	return face_append(value, DBUS_TYPE_UINT32, &face->device->host->class);
}

static int get_driver(void *object, DBusMessageIter *value)
{
	const struct device_face *face = object;
	char driver[TOPOLOGY_DRIVER_SIZE];
	const char *text = driver;

	topology_read_driver(face->service->manager->topology, face->device->host, driver);
	return face_append(value, DBUS_TYPE_STRING, &text);
}

static int get_group(void *object, DBusMessageIter *value)
{
	const struct device_face *face = object;

	return face_append_path(value, face_group_path(face->device->host->group).text);
}

static int get_location(void *object, DBusMessageIter *value)
{
	const struct device_face *face = object;

	return face_append_text(value, face->device->host->location);
}

static int get_open(void *object, DBusMessageIter *value)
{
	const struct device_face *face = object;
	dbus_bool_t open = face->device->open;

	return face_append(value, DBUS_TYPE_BOOLEAN, &open);
}

static int get_release_deadline(void *object, DBusMessageIter *value)
{
	const struct device_face *face = object;
	dbus_uint64_t deadline = face->device->release_deadline;

	return face_append(value, DBUS_TYPE_UINT64, &deadline);
}

static int get_reset_works(void *object, DBusMessageIter *value)
{
	const struct device_face *face = object;
	dbus_bool_t works = face->device->reset_works;

	return face_append(value, DBUS_TYPE_BOOLEAN, &works);
}

static const struct bus_method methods[] = {
	{"Open", "", "h", handle_open},
	{"Bind", "s", "", device_handle_bind},
	{"BindWith", "sa{sv}", "a(sss)", device_handle_bind_with},
	{"Restore", "", "", device_handle_restore},
	{"RestoreWith", "a{sv}", "a(sss)", device_handle_restore_with},
	{"Regions", "", "a(uuttt)", device_handle_regions},
	{"SparseAreas", "u", "a(tt)", device_handle_sparse_areas},
	{"FindRegion", "uu", "u", device_handle_find_region},
	{"ReadRegion", "utu", "t", device_handle_read_region},
	{"WriteRegion", "utut", "", device_handle_write_region},
	{"Irqs", "", "a(uuu)", device_handle_irqs},
	{"SetIrqs", "uuah", "", device_handle_set_irqs},
	{"MaskIrq", "u", "", device_handle_mask_irq},
	{"UnmaskIrq", "u", "", device_handle_unmask_irq},
	{"DisableIrq", "u", "", device_handle_disable_irq},
	{"Reset", "", "", handle_reset},
	{.name = NULL},
};

static const struct bus_property properties[] = {
	{"Name", "s", get_name, BUS_PROPERTY_CONSTANT},
	{"Vendor", "q", get_vendor, BUS_PROPERTY_CONSTANT},
	{"Device", "q", get_device, BUS_PROPERTY_CONSTANT},
	{"Class", "u", get_class, BUS_PROPERTY_CONSTANT},
	{"Driver", "s", get_driver, BUS_PROPERTY_CHANGES},
	{"Group", "o", get_group, BUS_PROPERTY_CONSTANT},
	{"Location", "s", get_location, BUS_PROPERTY_CONSTANT},
	{"Open", "b", get_open, BUS_PROPERTY_CHANGES},
	{"ReleaseDeadline", "t", get_release_deadline, BUS_PROPERTY_CHANGES},
	{"ResetWorks", "b", get_reset_works, BUS_PROPERTY_CHANGES},
	{.name = NULL},
};

static const struct bus_signal signals[] = {
	{"ReleaseRequested", "us"},
	{.name = NULL},
};

const struct bus_interface device_interface = {
	.name = BUS_INTERFACE_DEVICE,
	.methods = methods,
	.properties = properties,
	.signals = signals,
	.xml = interface_xml_device,
};
