/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver: from a message to the handler of its method, or to the standard error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "dbus/bus_private.h"

/* What a lookup by names came to. */
struct target {
	bool interface_known;
	bool ambiguous;
	const struct bus_method *method;
	void *object;
};

static const struct bus_method *find_method(const struct bus_interface *interface, const char *name)
{
	for (const struct bus_method *method = interface->methods; method && method->name;
	     method++) {
		if (strcmp(method->name, name) == 0) {
			return method;
		}
	}
	return NULL;
}

/* Take one interface into account. Returns whether that settles it. */
static bool consider(struct target *target, const struct bus_interface *interface, void *object,
		     const char *wanted, const char *member)
{
	const struct bus_method *method;

	if (wanted && strcmp(interface->name, wanted) != 0) {
		return false;
	}
	target->interface_known = true;
	method = find_method(interface, member);
	if (method) {
		target->ambiguous = target->method != NULL;
		target->method = method;
		target->object = object;
	}
	return wanted || target->ambiguous;
}

static struct target find_target(struct bus_node *node, const char *wanted, const char *member)
{
	struct target target = {.method = NULL};
	const struct bus_object *object = node->object;
	const struct bus_interface *interface;

	for (unsigned int i = 0; object && i < object->interface_count; i++) {
		if (consider(&target, object->interfaces[i].interface, object->userdata, wanted,
			     member)) {
			return target;
		}
	}
	for (unsigned int i = 0; (interface = standard_interface(node, i)); i++) {
		if (consider(&target, interface, node, wanted, member)) {
			return target;
		}
	}
	return target;
}

/* Refusals */

/* " org.spaprd1.Device org.freedesktop.DBus.Introspectable": what the node has. NULL: no memory. */
static char *list_interfaces(const struct bus_node *node)
{
	const struct bus_interface *interface;
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file) {
		return NULL;
	}
	for (unsigned int i = 0; i < node->object->interface_count; i++) {
		(void)fprintf(file, " %s", node->object->interfaces[i].interface->name);
	}
	for (unsigned int i = 0; (interface = standard_interface(node, i)); i++) {
		(void)fprintf(file, " %s", interface->name);
	}
	(void)fclose(file);
	return text;
}

static void refuse_interface(struct bus_call *call, const struct bus_node *node,
			     const char *interface)
{
	char *names cleanup(cleanup_free) = list_interfaces(node);

	bus_call_fail_named(call, DBUS_ERROR_UNKNOWN_INTERFACE, "%s has no interface %s; it has%s",
			    node->path, interface, names ? names : " others");
}

static void refuse_object(struct bus_call *call)
{
	bus_call_fail_named(call, DBUS_ERROR_UNKNOWN_OBJECT, "There is no object %s",
			    dbus_message_get_path(bus_call_message(call)));
}

static void refuse_method(struct bus_call *call, const struct bus_node *node, const char *interface,
			  const char *member, bool ambiguous)
{
	if (ambiguous) {
		bus_call_fail_named(call, DBUS_ERROR_UNKNOWN_METHOD,
				    "%s has %s in more than one interface; name the interface",
				    node->path, member);
	} else if (interface) {
		bus_call_fail_named(call, DBUS_ERROR_UNKNOWN_METHOD,
				    "Interface %s has no method %s", interface, member);
	} else {
		bus_call_fail_named(call, DBUS_ERROR_UNKNOWN_METHOD,
				    "No interface of %s has a method %s", node->path, member);
	}
}

static void refuse_signature(struct bus_call *call, const struct bus_method *method)
{
	bus_call_fail_named(call, DBUS_ERROR_INVALID_ARGS,
			    "%s takes arguments of the types (%s), not (%s)", method->name,
			    method->in, dbus_message_get_signature(bus_call_message(call)));
}

/* Dispatching */

static void call_target(struct bus_call *call, struct bus_node *node)
{
	DBusMessage *message = bus_call_message(call);
	const char *interface = dbus_message_get_interface(message);
	const char *member = dbus_message_get_member(message);
	struct target target = find_target(node, interface, member);

	if (target.method && !target.ambiguous) {
		bus_call_set_method(call, target.method);
		if (dbus_message_has_signature(message, target.method->in)) {
			target.method->handler(call, target.object);
		} else {
			refuse_signature(call, target.method);
		}
	} else if (!node->object) {
		refuse_object(call);
	} else if (interface && !target.interface_known) {
		refuse_interface(call, node, interface);
	} else {
		refuse_method(call, node, interface, member, target.ambiguous);
	}
}

DBusHandlerResult dispatch_call(struct bus *bus, DBusMessage *message)
{
	struct bus_node *node = node_find(bus, dbus_message_get_path(message));
	struct bus_call *call = bus_call_new(bus->connection, message);

	if (!call) {
		return DBUS_HANDLER_RESULT_NEED_MEMORY;
	}
	if (node) {
		call_target(call, node);
	} else {
		refuse_object(call);
	}
	return DBUS_HANDLER_RESULT_HANDLED;
}
