/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups and devices on the bus. Their objects come and go with what the host has; their faces stay
 * from the first time on, for calls that are under way, with no object while the host doesn't have
 * them (broker/device.h).
 */
#pragma once

#include "dbus/faces.h"

/* All that the manager has. 0 or -errno. */
int host_objects_add(struct service *service);

/* Takes the objects away and frees the faces. */
void host_objects_remove(struct service *service);

/* What the manager's observer is told; the userdata is the service. */
void host_objects_handle_group_added(void *userdata, struct group *group);
void host_objects_handle_group_removed(void *userdata, struct group *group);
void host_objects_handle_device_added(void *userdata, struct host_device *device);
void host_objects_handle_device_removed(void *userdata, struct host_device *device);
void host_objects_handle_group_devices_changed(void *userdata, struct group *group);
void host_objects_handle_driver_changed(void *userdata, struct host_device *device);
void host_objects_handle_viability_changed(void *userdata, struct group *group);
void host_objects_handle_release_requested(void *userdata, struct host_device *device,
					   uint32_t seconds, const char *why);
