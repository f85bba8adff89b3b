/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Objects on the bus, described by static tables.
 *
 * Concepts
 *   interface  a table of methods, properties and signals, and the XML element that documents them
 *   object     a path, its interfaces, and the pointer that handlers and getters get
 *   driver     finds object, interface and method of a call, checks its signature, answers the
 *              standard interfaces (Introspectable, Properties, Peer, and ObjectManager on
 *              BUS_PATH_MANAGER) and refuses what isn't there with the standard errors
 *
 * The paths above an object need not be objects: they can be introspected all the same.
 */
#pragma once

#include "dbus/bus.h"
#include "dbus/call.h"

/* Owns the call from now on. The arguments have the signature of the method. */
typedef void (*bus_handler)(struct bus_call *call, void *object);

struct bus_method {
	const char *name;
	const char *in;  /* signature of the arguments */
	const char *out; /* signature of the answer; one that differs is answered with an error */
	bus_handler handler;
};

enum bus_property_flags {
	BUS_PROPERTY_CONSTANT, /* never changes while the object lives */
	BUS_PROPERTY_CHANGES,  /* PropertiesChanged carries the new value */
	BUS_PROPERTY_SILENT,   /* changes without a signal */
};

struct bus_property {
	const char *name;
	const char *signature;
	/* Append the value, of that signature, to an opened variant. 0 or -ENOMEM. */
	int (*get)(void *object, DBusMessageIter *value);
	enum bus_property_flags flags;
};

struct bus_signal {
	const char *name;
	const char *signature;
};

/* At most so many properties in one interface. */
#define BUS_PROPERTIES_MAX 64

struct bus_interface {
	const char *name;
	const struct bus_method *methods;      /* ends with a NULL name; NULL for none, as below */
	const struct bus_property *properties; /* ends with a NULL name */
	const struct bus_signal *signals;      /* ends with a NULL name */
	const char *xml;                       /* the <interface> element, dbus/interface_xml.h */
};

struct bus_object;

/*
 * Show an object at path with the interfaces listed up to a NULL; the list is copied, the tables
 * must be static. When the bus's name is owned, InterfacesAdded is sent at once, so a reply that
 * names the path comes after it. 0 or -errno: EEXIST when the path has an object, EINVAL for a path
 * or table that isn't valid, ENOMEM.
 */
int bus_object_add(struct bus *bus, const char *path, const struct bus_interface *const *interfaces,
		   void *object, struct bus_object **ret_object);

/*
 * Take the object away and send InterfacesRemoved. Changes not yet sent are dropped; calls in
 * progress stay valid. May be called by a handler of the object itself. Takes NULL, returns NULL.
 */
struct bus_object *bus_object_remove(struct bus_object *object);

const char *bus_object_path(const struct bus_object *object);

/*
 * Say that properties have changed: names, then NULL. One PropertiesChanged per interface is sent
 * at the end of the loop's iteration, with the values of that time. Silent properties may be named
 * and are left out. Takes NULL: of what has no object nothing is said.
 */
void bus_object_changed(struct bus_object *object, const char *interface, ...)
	__attribute__((sentinel));

/*
 * Send the changes of all objects now: before a reply, so that a client that keeps properties has
 * the new ones when its call returns.
 */
void bus_flush_changes(struct bus *bus);

/*
 * Send a signal with values as dbus_message_append_args takes them. Nothing is sent before the name
 * is owned, and for NULL. 0 or -errno: EINVAL when the table has no such signal or another
 * signature, ENOMEM.
 */
int bus_object_emit(struct bus_object *object, const char *interface, const char *signal,
		    int first_type, ...);

/* The same with the values that append adds. */
int bus_object_emit_with(struct bus_object *object, const char *interface, const char *signal,
			 bus_append append, void *userdata);
