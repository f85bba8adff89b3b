/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Manager */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/names.h"
#include "dbus/faces.h"
#include "dbus/interface_xml.h"
#include "dbus/manager_topology.h"

/* -- CreateAddressSpace -- */

/* A call of CreateAddressSpace, until the worker has answered. */
struct creation {
	struct service *service;
	struct bus_call *call;
	unsigned int space;
	const char *name; /* belongs to the call's message */
	bool keep;
};

static int read_option(struct creation *creation, const char *key, DBusMessageIter *variant,
		       struct error *error)
{
	DBusMessageIter value;
	int type;

	dbus_message_iter_recurse(variant, &value);
	type = dbus_message_iter_get_arg_type(&value);
	if (strcmp(key, "name") == 0 && type == DBUS_TYPE_STRING) {
		dbus_message_iter_get_basic(&value, &creation->name);
		if (strlen(creation->name) > SPACE_NAME_MAX) {
			return error_set(error, ERROR_INVALID_ARGUMENT, 0,
					 "a name has at most %d bytes, this one has %zu",
					 SPACE_NAME_MAX, strlen(creation->name));
		}
		return 0;
	}
	if (strcmp(key, "keep") == 0 && type == DBUS_TYPE_BOOLEAN) {
		dbus_bool_t keep = FALSE;

		dbus_message_iter_get_basic(&value, &keep);
		creation->keep = keep;
		return 0;
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, 0,
			 "option \"%.64s\" with a value of type '%c' is not known; there are name "
			 "(s) and keep (b)",
			 key, type);
}

static int read_options(struct creation *creation, struct error *error)
{
	DBusMessageIter arguments;
	DBusMessageIter dictionary;

	(void)dbus_message_iter_init(bus_call_message(creation->call), &arguments);
	dbus_message_iter_recurse(&arguments, &dictionary);
	while (dbus_message_iter_get_arg_type(&dictionary) == DBUS_TYPE_DICT_ENTRY) {
		DBusMessageIter entry;
		const char *key = NULL;
		int r;

		dbus_message_iter_recurse(&dictionary, &entry);
		dbus_message_iter_get_basic(&entry, &key);
		(void)dbus_message_iter_next(&entry);
		r = read_option(creation, key, &entry, error);
		if (r) {
			return r;
		}
		(void)dbus_message_iter_next(&dictionary);
	}
	return 0;
}

static void creation_fail(struct creation *creation, const struct error *error)
{
	bus_call_fail(creation->call, error);
	free(creation);
}

static void handle_space_ready(void *userdata, const struct worker_answer *answer)
{
	struct creation *creation = userdata;
	struct face_path path = face_space_path(creation->space);
	const char *text = path.text;

	if (answer->error.code != ERROR_NONE) {
		creation_fail(creation, &answer->error);
		return;
	}
	bus_call_reply(creation->call, DBUS_TYPE_OBJECT_PATH, &text, DBUS_TYPE_INVALID);
	free(creation);
}

static void handle_owner_gone(void *userdata)
{
	struct space_face *face = userdata;

	face->owner_watch = bus_sender_unwatch(face->owner_watch);
	face->owner_left = true;
	bus_object_changed(face->object, BUS_INTERFACE_SPACE, "Owner", NULL);
	if (!face->space->keep) {
		space_end(face->space);
	}
}

static void handle_creator(struct bus_sender *sender, const struct error *failure, void *userdata)
{
	struct creation *creation = userdata;
	struct space_options options = {.name = creation->name, .keep = creation->keep};
	struct bus_sender_watch *watch = NULL;
	struct space_face *face;
	struct space *space;
	struct error error;

	if (!sender) {
		creation_fail(creation, failure);
		return;
	}
	options.owner = bus_sender_name(sender);
	options.uid = bus_sender_uid(sender);
	creation->space = creation->service->manager->next_space;
	if (space_new(creation->service->manager, &options, handle_space_ready, creation, &space,
		      &error)) {
		creation_fail(creation, &error);
		return;
	}
	creation->name = NULL;
	bus_call_drop_arguments(creation->call);
	face = space->face;
	if (!face || bus_sender_watch(sender, handle_owner_gone, face, &watch) < 0) {
		/* Nobody would end it: the creation is answered when the worker is gone. */
		log_write(LOG_ERR, LOG_SPACE(space->number),
			  "no memory to watch the owner: closing");
		space_end(space);
		return;
	}
	face->owner_watch = watch;
}

static void handle_create_address_space(struct bus_call *call, void *object)
{
	struct service *service = object;
	struct creation *creation = calloc(1, sizeof(*creation));
	struct error error;
	int r;

	if (!creation) {
		(void)error_set(&error, ERROR_KERNEL, ENOMEM, "no memory for an address space");
		bus_call_fail(call, &error);
		return;
	}
	creation->service = service;
	creation->call = call;
	creation->name = "";
	if (read_options(creation, &error)) {
		creation_fail(creation, &error);
		return;
	}
	r = bus_sender_get(service->bus, bus_call_sender(call), handle_creator, creation);
	if (r < 0) {
		(void)error_set(&error, ERROR_KERNEL, -r, "can't ask the bus who you are");
		creation_fail(creation, &error);
	}
}

/* -- the other methods -- */

static void reply_path(struct bus_call *call, const char *path)
{
	bus_call_reply(call, DBUS_TYPE_OBJECT_PATH, &path, DBUS_TYPE_INVALID);
}

static void handle_get_group(struct bus_call *call, void *object)
{
	struct service *service = object;
	dbus_uint32_t id = 0;
	struct group *group;
	struct error error;

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &id, DBUS_TYPE_INVALID);
	if (manager_find_group(service->manager, id, &group, &error)) {
		bus_call_fail(call, &error);
	} else {
		reply_path(call, face_group_path(id).text);
	}
}

static void handle_get_device(struct bus_call *call, void *object)
{
	struct service *service = object;
	const char *name = NULL;
	struct host_device *device;
	struct error error;

	(void)bus_call_read(call, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID);
	if (manager_find_device(service->manager, name, &device, &error)) {
		bus_call_fail(call, &error);
	} else {
		reply_path(call, face_device_path(name).text);
	}
}

static void do_reload(struct bus_call *call, struct service *service)
{
	struct error error;

	if (manager_reload(service->manager, &error)) {
		bus_call_fail(call, &error);
	} else {
		bus_call_reply(call, DBUS_TYPE_INVALID);
	}
}

static void handle_reload(struct bus_call *call, void *object)
{
	face_authorise_operator(call, object, do_reload);
}

/* -- properties -- */

static int get_version(void *object, DBusMessageIter *value)
{
	const char *version = SPAPRD_VERSION;

	(void)object;
	return face_append(value, DBUS_TYPE_STRING, &version);
}

static int get_host(void *object, DBusMessageIter *value)
{
	const struct service *service = object;
	const char *name = host_kind_name(service->manager->topology->kind);

	return face_append(value, DBUS_TYPE_STRING, &name);
}

static int get_simulated(void *object, DBusMessageIter *value)
{
	const struct service *service = object;
	dbus_bool_t simulated = service->manager->simulated;

	return face_append(value, DBUS_TYPE_BOOLEAN, &simulated);
}

static int get_page_size(void *object, DBusMessageIter *value)
{
	dbus_uint32_t size = (dbus_uint32_t)sysconf(_SC_PAGESIZE);

	(void)object;
	return face_append(value, DBUS_TYPE_UINT32, &size);
}

#define IOMMU_TYPES_PER_HOST 2U

static int append_iommu_type(void *object, uint32_t i, DBusMessageIter *array)
{
	static const char *const spapr[IOMMU_TYPES_PER_HOST] = {"spapr-tce-v2", "spapr-tce"};
	static const char *const type1[IOMMU_TYPES_PER_HOST] = {"type1v2", "type1"};
	const struct service *service = object;
	bool is_type1 = service->manager->topology->kind == HOST_KIND_TYPE1;

	return face_append(array, DBUS_TYPE_STRING, is_type1 ? &type1[i] : &spapr[i]);
}

static int get_iommu_types(void *object, DBusMessageIter *value)
{
	return face_append_array(value, "s", IOMMU_TYPES_PER_HOST, append_iommu_type, object);
}

static int get_memory_max(void *object, DBusMessageIter *value)
{
	const struct service *service = object;

	return face_append(value, DBUS_TYPE_UINT64, &service->manager->topology->memory_max);
}

static int get_locked_bytes(void *object, DBusMessageIter *value)
{
	const struct service *service = object;
	dbus_uint64_t bytes = manager_locked_bytes(service->manager);

	return face_append(value, DBUS_TYPE_UINT64, &bytes);
}

static const struct bus_method methods[] = {
	{"CreateAddressSpace", "a{sv}", "o", handle_create_address_space},
	{"GetGroup", "u", "o", handle_get_group},
	{"GetDevice", "s", "o", handle_get_device},
	{"Reload", "", "", handle_reload},
	{.name = NULL},
};

static const struct bus_property properties[] = {
	{"Version", "s", get_version, BUS_PROPERTY_CONSTANT},
	{"Host", "s", get_host, BUS_PROPERTY_CONSTANT},
	{"Simulated", "b", get_simulated, BUS_PROPERTY_CONSTANT},
	{"PageSize", "u", get_page_size, BUS_PROPERTY_CONSTANT},
	{"IommuTypes", "as", get_iommu_types, BUS_PROPERTY_CONSTANT},
	{"MemoryMax", "t", get_memory_max, BUS_PROPERTY_CONSTANT},
	{"MemoryInstalled", "t", manager_get_memory_installed, BUS_PROPERTY_CONSTANT},
	{"Phbs", "aa{sv}", manager_get_phbs, BUS_PROPERTY_SILENT},
	{"EehFirmware", "s", manager_get_eeh_firmware, BUS_PROPERTY_CONSTANT},
	{"LockedBytes", "t", get_locked_bytes, BUS_PROPERTY_SILENT},
	{.name = NULL},
};

static const struct bus_signal signals[] = {
	{"WorkerLost", "os"},
	{.name = NULL},
};

const struct bus_interface manager_interface = {
	.name = BUS_INTERFACE_MANAGER,
	.methods = methods,
	.properties = properties,
	.signals = signals,
	.xml = interface_xml_manager,
};
