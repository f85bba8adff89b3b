/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus/object.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/names.h"
#include "dbus/bus_private.h"

/* Signals */

/* Send a signal that was built with the result r. Takes over message. */
static int signal_send(struct bus *bus, DBusMessage *message, int r)
{
	if (r == 0) {
		r = connection_send(bus->connection, message);
	}
	if (message) {
		dbus_message_unref(message);
	}
	return r;
}

/* The ObjectManager tells of the objects below it, not of its own. */
static bool is_managed(const struct bus_object *object)
{
	static const char prefix[] = BUS_PATH_MANAGER "/";

	return object->node->bus->name_owned &&
	       strncmp(object->node->path, prefix, sizeof(prefix) - 1) == 0;
}

static int append_interface_names(DBusMessageIter *iter, const struct bus_object *object)
{
	DBusMessageIter names = DBUS_MESSAGE_ITER_INIT_CLOSED;
	int r = 0;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "s", &names)) {
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < object->interface_count && r == 0; i++) {
		if (!dbus_message_iter_append_basic(&names, DBUS_TYPE_STRING,
						    &object->interfaces[i].interface->name)) {
			r = -ENOMEM;
		}
	}
	return container_close(iter, &names, r);
}

/* A signal of the ObjectManager about an object: its path, then what append adds. */
static int send_managed(const struct bus_object *object, const char *signal,
			int (*append)(DBusMessageIter *iter, const struct bus_object *object))
{
	DBusMessage *message =
		dbus_message_new_signal(BUS_PATH_MANAGER, INTERFACE_OBJECT_MANAGER, signal);
	DBusMessageIter iter;
	int r = -ENOMEM;

	if (message) {
		dbus_message_iter_init_append(message, &iter);
		if (dbus_message_iter_append_basic(&iter, DBUS_TYPE_OBJECT_PATH,
						   &object->node->path)) {
			r = append(&iter, object);
		}
	}
	return signal_send(object->node->bus, message, r);
}

/* Objects */

static unsigned int interface_count(const struct bus_interface *const *interfaces)
{
	unsigned int count = 0;

	while (interfaces[count]) {
		count++;
	}
	return count;
}

static bool interface_is_valid(const struct bus_interface *interface)
{
	unsigned int count = 0;

	while (interface->properties && interface->properties[count].name) {
		count++;
	}
	return count <= BUS_PROPERTIES_MAX && interface->xml && interface->name;
}

static struct bus_object *object_new(struct bus_node *node,
				     const struct bus_interface *const *interfaces, void *userdata)
{
	unsigned int count = interface_count(interfaces);
	struct bus_object *object =
		calloc(1, sizeof(*object) + count * sizeof(object->interfaces[0]));

	if (!object) {
		return NULL;
	}
	object->node = node;
	object->userdata = userdata;
	object->interface_count = count;
	for (unsigned int i = 0; i < count; i++) {
		object->interfaces[i].interface = interfaces[i];
	}
	node->object = object;
	return object;
}

static void object_free(struct bus_object *object)
{
	struct bus_node *node = object->node;

	if (object->is_changed) {
		TAILQ_REMOVE(&node->bus->changed, object, changed);
	}
	node->object = NULL;
	node_release(node);
	free(object);
}

int bus_object_add(struct bus *bus, const char *path, const struct bus_interface *const *interfaces,
		   void *object, struct bus_object **ret_object)
{
	struct bus_object *added;
	struct bus_node *node;

	for (unsigned int i = 0; interfaces[i]; i++) {
		if (!interface_is_valid(interfaces[i])) {
			return -EINVAL;
		}
	}
	if (!dbus_validate_path(path, NULL)) {
		return -EINVAL;
	}
	node = node_get(bus, path);
	if (!node || node->object) {
		return node ? -EEXIST : -ENOMEM;
	}
	added = object_new(node, interfaces, object);
	if (!added) {
		node_release(node);
		return -ENOMEM;
	}
	if (is_managed(added)) {
		int r = send_managed(added, "InterfacesAdded", interfaces_append);

		if (r < 0) {
			object_free(added);
			return r;
		}
	}
	*ret_object = added;
	return 0;
}

struct bus_object *bus_object_remove(struct bus_object *object)
{
	int r;

	if (!object) {
		return NULL;
	}
	r = is_managed(object) ? send_managed(object, "InterfacesRemoved", append_interface_names)
			       : 0;
	if (r < 0) {
		log_error("Failed to tell the bus that %s is gone: %s, ignoring",
			  object->node->path, errno_name(-r));
	}
	object_free(object);
	return NULL;
}

const char *bus_object_path(const struct bus_object *object)
{
	return object->node->path;
}

static struct object_interface *object_find_interface(struct bus_object *object, const char *name)
{
	for (unsigned int i = 0; i < object->interface_count; i++) {
		if (strcmp(object->interfaces[i].interface->name, name) == 0) {
			return &object->interfaces[i];
		}
	}
	return NULL;
}

/* Changes */

static int append_changes(DBusMessageIter *iter, const struct object_interface *changes,
			  void *userdata)
{
	DBusMessageIter invalidated = DBUS_MESSAGE_ITER_INIT_CLOSED;
	int r;

	if (!dbus_message_iter_append_basic(iter, DBUS_TYPE_STRING, &changes->interface->name)) {
		return -ENOMEM;
	}
	r = properties_append(iter, changes->interface, userdata, changes->changed);
	if (r < 0) {
		return r;
	}
	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "s", &invalidated)) {
		return -ENOMEM;
	}
	return container_close(iter, &invalidated, 0);
}

static int send_changes(struct bus_object *object, struct object_interface *changes)
{
	DBusMessage *message = dbus_message_new_signal(
		object->node->path, DBUS_INTERFACE_PROPERTIES, "PropertiesChanged");
	DBusMessageIter iter;
	int r = -ENOMEM;

	if (message) {
		dbus_message_iter_init_append(message, &iter);
		r = append_changes(&iter, changes, object->userdata);
	}
	r = signal_send(object->node->bus, message, r);
	if (r == 0) {
		changes->changed = 0;
	}
	return r;
}

static int flush_object(struct bus_object *object)
{
	int r = 0;

	for (unsigned int i = 0; i < object->interface_count && r == 0; i++) {
		if (object->interfaces[i].changed) {
			r = send_changes(object, &object->interfaces[i]);
		}
	}
	return r;
}

/* What can't be sent for lack of memory stays marked and goes out with the next change. */
void bus_flush_changes(struct bus *bus)
{
	struct bus_object *object;

	while ((object = TAILQ_FIRST(&bus->changed))) {
		int r = flush_object(object);

		if (r < 0) {
			log_error("Failed to tell the bus what changed in %s: %s, ignoring",
				  object->node->path, errno_name(-r));
			break;
		}
		TAILQ_REMOVE(&bus->changed, object, changed);
		object->is_changed = false;
	}
}

static int handle_flush(sd_event_source *source, void *userdata)
{
	(void)source;
	bus_flush_changes(userdata);
	return 0;
}

static void mark_changed(struct object_interface *changes, const char *name)
{
	const struct bus_property *property = property_find(changes->interface, name);

	assert(property);
	if (property && property->flags == BUS_PROPERTY_CHANGES) {
		changes->changed |= UINT64_C(1) << (property - changes->interface->properties);
	}
}

void bus_object_changed(struct bus_object *object, const char *interface, ...)
{
	struct object_interface *changes = object ? object_find_interface(object, interface) : NULL;
	struct bus *bus;
	const char *name;
	va_list names;

	assert(changes || !object);
	if (!changes || !object->node->bus->name_owned) {
		return;
	}
	bus = object->node->bus;
	va_start(names, interface);
	while ((name = va_arg(names, const char *))) {
		mark_changed(changes, name);
	}
	va_end(names);
	if (!changes->changed) {
		return;
	}
	if (!object->is_changed) {
		object->is_changed = true;
		TAILQ_INSERT_TAIL(&bus->changed, object, changed);
	}
	(void)sd_event_source_set_enabled(bus->flush, SD_EVENT_ONESHOT);
}

int objects_init(struct bus *bus)
{
	int r;

	TAILQ_INIT(&bus->changed);
	r = sd_event_add_defer(bus->event, &bus->flush, handle_flush, bus);
	return r < 0 ? r : sd_event_source_set_enabled(bus->flush, SD_EVENT_OFF);
}

void objects_done(struct bus *bus)
{
	assert(!bus->nodes);
	if (bus->flush) {
		(void)sd_event_source_disable_unref(bus->flush);
	}
}

/* Signals of our own interfaces */

static const struct bus_signal *find_signal(struct bus_object *object, const char *interface,
					    const char *name)
{
	struct object_interface *found = object_find_interface(object, interface);

	for (const struct bus_signal *signal = found ? found->interface->signals : NULL;
	     signal && signal->name; signal++) {
		if (strcmp(signal->name, name) == 0) {
			return signal;
		}
	}
	return NULL;
}

static int check_and_send(struct bus_object *object, const struct bus_signal *signal,
			  DBusMessage *message, int r)
{
	if (r == 0 && !dbus_message_has_signature(message, signal->signature)) {
		r = -EINVAL;
	}
	return signal_send(object->node->bus, message, r);
}

int bus_object_emit(struct bus_object *object, const char *interface, const char *signal,
		    int first_type, ...)
{
	const struct bus_signal *found = object ? find_signal(object, interface, signal) : NULL;
	DBusMessage *message;
	va_list values;
	bool done;

	if (!found || !object->node->bus->name_owned) {
		return found || !object ? 0 : -EINVAL;
	}
	message = dbus_message_new_signal(object->node->path, interface, signal);
	va_start(values, first_type);
	done = message && dbus_message_append_args_valist(message, first_type, values);
	va_end(values);
	return check_and_send(object, found, message, done ? 0 : -ENOMEM);
}

int bus_object_emit_with(struct bus_object *object, const char *interface, const char *signal,
			 bus_append append, void *userdata)
{
	const struct bus_signal *found = object ? find_signal(object, interface, signal) : NULL;
	DBusMessageIter iter;
	DBusMessage *message;
	int r = -ENOMEM;

	if (!found || !object->node->bus->name_owned) {
		return found || !object ? 0 : -EINVAL;
	}
	message = dbus_message_new_signal(object->node->path, interface, signal);
	if (message) {
		dbus_message_iter_init_append(message, &iter);
		r = append(&iter, userdata);
	}
	return check_and_send(object, found, message, r);
}
