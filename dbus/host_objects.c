/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus/host_objects.h"

#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/names.h"
#include "dbus/group_delegate.h"
#include "dbus/pe_methods.h"

/* -- devices -- */

static struct device_face *device_face_of(struct service *service, struct host_device *device)
{
	struct device_face *face = device->face;

	if (!face) {
		face = calloc(1, sizeof(*face));
		if (face) {
			face->service = service;
			face->device = device;
			device->face = face;
		}
	}
	return face;
}

static int show_device(struct service *service, struct host_device *device)
{
	static const struct bus_interface *const interfaces[] = {&device_interface, NULL};
	struct device_face *face = device_face_of(service, device);

	if (!face || face->object) {
		return face ? 0 : -ENOMEM;
	}
	return bus_object_add(service->bus, face_device_path(device->host->name).text, interfaces,
			      face, &face->object);
}

static void hide_device(struct host_device *device)
{
	struct device_face *face = device->face;

	if (face) {
		face->object = bus_object_remove(face->object);
	}
}

static void free_devices(struct host_device *devices)
{
	for (struct host_device *device = devices; device; device = device->next) {
		hide_device(device);
		free(device->face);
		device->face = NULL;
	}
}

/* -- groups -- */

static struct group_face *group_face_of(struct service *service, struct group *group)
{
	struct group_face *face = group->face;

	if (!face) {
		face = calloc(1, sizeof(*face));
		if (face) {
			face->service = service;
			face->group = group;
			group->face = face;
		}
	}
	return face;
}

static int show_group(struct service *service, struct group *group)
{
	static const struct bus_interface *const plain[] = {&group_interface, NULL};
	static const struct bus_interface *const with_pe[] = {&group_interface, &pe_interface,
							      NULL};
	struct group_face *face = group_face_of(service, group);

	if (!face || face->object) {
		return face ? 0 : -ENOMEM;
	}
	face->shows_pe = group->pe != NULL;
	return bus_object_add(service->bus, face_group_path(group->host->id).text,
			      face->shows_pe ? with_pe : plain, face, &face->object);
}

static void hide_group(struct group *group)
{
	struct group_face *face = group->face;

	if (face) {
		face->object = bus_object_remove(face->object);
	}
}

static void free_group(struct group *group)
{
	struct group_face *face = group->face;

	hide_group(group);
	free_devices(group->devices);
	free_devices(group->gone_devices);
	group->face = NULL;
	if (face) {
		pe_face_forget_clients(face);
		group_forget_delegate(face);
		free(face);
	}
}

/* -- all of them -- */

int host_objects_add(struct service *service)
{
	const struct manager *manager = service->manager;

	for (size_t i = 0; i < manager->group_count; i++) {
		struct group *group = manager->groups[i];
		int r = show_group(service, group);

		for (struct host_device *device = group->devices; r == 0 && device;
		     device = device->next) {
			r = show_device(service, device);
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

void host_objects_remove(struct service *service)
{
	const struct manager *manager = service->manager;

	for (size_t i = 0; i < manager->group_count; i++) {
		free_group(manager->groups[i]);
	}
	for (size_t i = 0; i < manager->gone_group_count; i++) {
		free_group(manager->gone_groups[i]);
	}
}

/* -- what comes and goes -- */

static void report(int r, const struct group *group, const char *name)
{
	if (r < 0) {
		log_write(LOG_ERR, LOG_GROUP(group->host->id), "can't show %s on the bus: %s", name,
			  errno_name(-r));
	}
}

void host_objects_handle_group_added(void *userdata, struct group *group)
{
	report(show_group(userdata, group), group, "it");
}

void host_objects_handle_group_removed(void *userdata, struct group *group)
{
	struct service *service = userdata;

	bus_flush_changes(
		service->bus); /* it is in no address space any more, and has no devices */
	hide_group(group);
}

void host_objects_handle_device_added(void *userdata, struct host_device *device)
{
	report(show_device(userdata, device), device->group, device->host->name);
}

void host_objects_handle_device_removed(void *userdata, struct host_device *device)
{
	struct service *service = userdata;

	bus_flush_changes(service->bus); /* its group doesn't have it any more */
	hide_device(device);
}

void host_objects_handle_group_devices_changed(void *userdata, struct group *group)
{
	struct group_face *face = group->face;

	if (!face || !face->object) {
		return;
	}
	if (face->shows_pe != (group->pe != NULL)) {
		/* The first device that the host has EEH for: the object has an interface more. */
		hide_group(group);
		report(show_group(userdata, group), group, "it");
		return;
	}
	bus_object_changed(face->object, BUS_INTERFACE_GROUP, "Devices", "Viable", NULL);
}

void host_objects_handle_driver_changed(void *userdata, struct host_device *device)
{
	const struct device_face *face = device->face;

	if (face && face->object) {
		bus_object_changed(face->object, BUS_INTERFACE_DEVICE, "Driver", NULL);
	}
	host_objects_handle_viability_changed(userdata, device->group);
}

void host_objects_handle_viability_changed(void *userdata, struct group *group)
{
	const struct group_face *face = group->face;

	(void)userdata;
	if (face && face->object) {
		bus_object_changed(face->object, BUS_INTERFACE_GROUP, "Viable", NULL);
	}
}

void host_objects_handle_release_requested(void *userdata, struct host_device *device,
					   uint32_t seconds, const char *why)
{
	const struct device_face *face = device->face;
	struct service *service = userdata;
	int r;

	if (!face || !face->object) {
		return;
	}
	bus_flush_changes(service->bus); /* who hears it finds it so */
	r = bus_object_emit(face->object, BUS_INTERFACE_DEVICE, "ReleaseRequested",
			    DBUS_TYPE_UINT32, &seconds, DBUS_TYPE_STRING, &why, DBUS_TYPE_INVALID);
	if (r < 0) {
		log_write(LOG_WARNING, LOG_GROUP(device->group->host->id),
			  "can't tell that %s is asked back: %s, ignoring", device->host->name,
			  errno_name(-r));
	}
}
