/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/names.h"
#include "dbus/faces.h"
#include "dbus/host_objects.h"
#include "dbus/pe_methods.h"
#include "dbus/space_signals.h"

/* -- address spaces and containers -- */

static const struct bus_interface *const space_interfaces[] = {&space_interface, NULL};
static const struct bus_interface *const container_interfaces[] = {&container_interface, NULL};

static struct container_face *container_face_free(struct container_face *face)
{
	face->object = bus_object_remove(face->object);
	free(face);
	return NULL;
}

static void space_face_free(struct space_face *face)
{
	while (face->containers) {
		struct container_face *next = face->containers->next;

		(void)container_face_free(face->containers);
		face->containers = next;
	}
	face->owner_watch = bus_sender_unwatch(face->owner_watch);
	face->object = bus_object_remove(face->object);
	free(face);
}

static void handle_space_added(void *userdata, struct space *space)
{
	struct service *service = userdata;
	struct space_face *face = calloc(1, sizeof(*face));
	int r = -ENOMEM;

	if (face) {
		face->service = service;
		face->space = space;
		r = bus_object_add(service->bus, face_space_path(space->number).text,
				   space_interfaces, face, &face->object);
	}
	if (r < 0) {
		log_write(LOG_ERR, LOG_SPACE(space->number), "can't show it on the bus: %s",
			  errno_name(-r));
		free(face);
		return;
	}
	space->face = face;
}

static void emit_worker_lost(struct service *service, const struct space *space, const char *why)
{
	struct face_path path = face_space_path(space->number);
	const char *text = path.text;
	int r = bus_object_emit(service->object, BUS_INTERFACE_MANAGER, "WorkerLost",
				DBUS_TYPE_OBJECT_PATH, &text, DBUS_TYPE_STRING, &why,
				DBUS_TYPE_INVALID);

	if (r < 0) {
		log_write(LOG_WARNING, LOG_SPACE(space->number),
			  "can't tell that the worker is lost: %s, ignoring", errno_name(-r));
	}
}

static void handle_space_removed(void *userdata, struct space *space, const char *why)
{
	struct service *service = userdata;

	if (why) {
		emit_worker_lost(service, space, why);
	}
	if (space->face) {
		space_face_free(space->face);
		space->face = NULL;
	}
}

/* The last word of a change to the structure; what asked for the change is answered next. */
static void handle_space_changed(void *userdata, struct space *space, unsigned int what)
{
	struct service *service = userdata;
	struct space_face *face = space->face;

	if (!face) {
		return;
	}
	if (what & SPACE_CHANGED_MEMORY) {
		bus_object_changed(face->object, BUS_INTERFACE_SPACE, "Memory", NULL);
	}
	if (what & SPACE_CHANGED_WINDOWS) {
		bus_object_changed(face->object, BUS_INTERFACE_SPACE, "Windows", NULL);
	}
	if (what & SPACE_CHANGED_CONTAINERS) {
		bus_object_changed(face->object, BUS_INTERFACE_SPACE, "Containers", NULL);
	}
	if (what & (SPACE_CHANGED_MEMORY | SPACE_CHANGED_CONTAINERS)) {
		bus_object_changed(face->object, BUS_INTERFACE_SPACE, "BalloonInhibited", NULL);
	}
	bus_flush_changes(service->bus);
}

static void handle_container_added(void *userdata, struct space *space,
				   const struct worker_container *container)
{
	struct service *service = userdata;
	struct space_face *space_face = space->face;
	struct container_face *face = NULL;
	int r = -ENOMEM;

	if (!space_face) {
		return;
	}
	face = calloc(1, sizeof(*face));
	if (face) {
		face->space = space_face;
		face->container = *container;
		face->container.iommu_type[WORKER_IOMMU_TYPE_SIZE - 1] = '\0';
		r = bus_object_add(service->bus,
				   face_container_path(space->number, container->container_id).text,
				   container_interfaces, face, &face->object);
	}
	if (r < 0) {
		log_write(LOG_ERR, LOG_SPACE(space->number),
			  "can't show container %u on the bus: %s, ignoring",
			  container->container_id, errno_name(-r));
		free(face);
		return;
	}
	face->next = space_face->containers;
	space_face->containers = face;
}

static bool groups_differ(const struct worker_container *a, const struct worker_container *b)
{
	return a->group_count != b->group_count ||
	       memcmp(a->groups, b->groups, a->group_count * sizeof(*a->groups)) != 0;
}

static void handle_container_changed(void *userdata, struct space *space,
				     const struct worker_container *container)
{
	struct space_face *space_face = space->face;

	(void)userdata;
	for (struct container_face *face = space_face ? space_face->containers : NULL; face;
	     face = face->next) {
		if (face->container.container_id == container->container_id) {
			bool groups = groups_differ(&face->container, container);

			face->container = *container;
			if (groups) {
				bus_object_changed(face->object, BUS_INTERFACE_CONTAINER, "Groups",
						   NULL);
			}
			return;
		}
	}
}

static void handle_container_removed(void *userdata, struct space *space,
				     const struct worker_container *container)
{
	struct space_face *space_face = space->face;

	(void)userdata;
	for (struct container_face **link = space_face ? &space_face->containers : NULL;
	     link && *link; link = &(*link)->next) {
		struct container_face *face = *link;

		if (face->container.container_id == container->container_id) {
			*link = face->next;
			(void)container_face_free(face);
			return;
		}
	}
}

static void handle_group_changed(void *userdata, struct group *group)
{
	struct group_face *face = group->face;

	(void)userdata;
	if (face) {
		bus_object_changed(face->object, BUS_INTERFACE_GROUP, "AddressSpace", "Container",
				   "Delegated", "Quarantine", NULL);
	}
}

/* Whoever opened it is answered next. */
static void handle_device_changed(void *userdata, struct host_device *device, unsigned int what)
{
	struct service *service = userdata;
	const struct device_face *face = device->face;

	if (face) {
		if (what & DEVICE_CHANGED_OPEN) {
			bus_object_changed(face->object, BUS_INTERFACE_DEVICE, "Open", NULL);
		}
		if (what & DEVICE_CHANGED_RELEASE) {
			bus_object_changed(face->object, BUS_INTERFACE_DEVICE, "ReleaseDeadline",
					   NULL);
		}
		if (what & DEVICE_CHANGED_RESET_WORKS) {
			bus_object_changed(face->object, BUS_INTERFACE_DEVICE, "ResetWorks", NULL);
		}
		bus_flush_changes(service->bus);
	}
}

static const struct manager_observer observer = {
	.space_added = handle_space_added,
	.space_removed = handle_space_removed,
	.space_changed = handle_space_changed,
	.container_added = handle_container_added,
	.container_changed = handle_container_changed,
	.container_removed = handle_container_removed,
	.group_changed = handle_group_changed,
	.mappings_replayed = space_handle_mappings_replayed,
	.memory_skipped = space_handle_memory_skipped,
	.device_changed = handle_device_changed,
	.group_added = host_objects_handle_group_added,
	.group_removed = host_objects_handle_group_removed,
	.device_added = host_objects_handle_device_added,
	.device_removed = host_objects_handle_device_removed,
	.group_devices_changed = host_objects_handle_group_devices_changed,
	.driver_changed = host_objects_handle_driver_changed,
	.viability_changed = host_objects_handle_viability_changed,
	.release_requested = host_objects_handle_release_requested,
};

/* -- what is there from the start -- */

static int add_manager(struct service *service)
{
	static const struct bus_interface *const real[] = {&manager_interface, NULL};
	static const struct bus_interface *const simulated[] = {&manager_interface,
								&simulator_interface, NULL};

	return bus_object_add(service->bus, BUS_PATH_MANAGER, service->simulator ? simulated : real,
			      service, &service->object);
}

static void cleanup_service(struct service **service)
{
	(void)service_free(*service);
}

int service_new(struct bus *bus, struct manager *manager, struct simulator *simulator,
		struct service **ret_service)
{
	cleanup(cleanup_service) struct service *service = calloc(1, sizeof(*service));
	int r;

	if (!service) {
		return -ENOMEM;
	}
	service->bus = bus;
	service->manager = manager;
	service->simulator = simulator;
	manager_observe(manager, &observer, service);
	manager_observe_pes(manager, &pe_face_observer, service);
	r = add_manager(service);
	if (r < 0) {
		return r;
	}
	r = host_objects_add(service);
	if (r < 0) {
		return r;
	}
	*ret_service = steal_pointer(service);
	return 0;
}

struct service *service_free(struct service *service)
{
	if (!service) {
		return NULL;
	}
	for (struct space *space = service->manager->spaces; space; space = space->next) {
		handle_space_removed(service, space, NULL);
	}
	host_objects_remove(service);
	service->object = bus_object_remove(service->object);
	free(service);
	return NULL;
}
