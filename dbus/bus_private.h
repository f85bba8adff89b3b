/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the bus share: the bus itself, the tree of paths, and their inner calls. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "dbus/bus.h"
#include "dbus/bus_loop.h"
#include "dbus/call.h"
#include "dbus/object.h"

#define INTERFACE_OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

struct bus {
	sd_event *event;
	DBusConnection *connection;
	struct bus_loop *loop;
	bool filtering;
	bool closing;
	bool name_owned;
	bus_disconnected disconnected;
	void *disconnected_userdata;
	void *nodes;   /* a tsearch tree of struct bus_node, by path */
	void *senders; /* a tsearch tree of struct bus_sender, by name */
	LIST_HEAD(bus_sender_list, bus_sender) asking; /* senders whose uid is not known yet */
	TAILQ_HEAD(bus_object_list, bus_object) changed;
	sd_event_source *flush; /* a defer source, on while objects are in `changed` */
};

/* One path: an object, or only a step on the way to some. */
struct bus_node {
	const char *path; /* owned; first, as it is the key of bus->nodes */
	struct bus *bus;
	struct bus_node *parent; /* NULL for "/" */
	TAILQ_HEAD(bus_node_list, bus_node) children;
	TAILQ_ENTRY(bus_node) siblings;
	struct bus_object *object; /* NULL for a step */
};

struct object_interface {
	const struct bus_interface *interface;
	uint64_t changed; /* one bit for each property */
};

struct bus_object {
	struct bus_node *node;
	void *userdata;
	bool is_changed; /* in bus->changed */
	TAILQ_ENTRY(bus_object) changed;
	unsigned int interface_count;
	struct object_interface interfaces[];
};

/* bus.c */

/* Send a message, which stays the caller's. 0 (also when the connection is lost) or -ENOMEM. */
int connection_send(DBusConnection *connection, DBusMessage *message);

/* The negative errno that comes nearest to a libdbus error that is set. */
int errno_of_dbus_error(const DBusError *error);

/* node.c */

struct bus_node *node_find(struct bus *bus, const char *path);

/* Find or make the node of a valid path and those above it. NULL: no memory. */
struct bus_node *node_get(struct bus *bus, const char *path);

/* Remove a node that is not used any more, and so upwards. */
void node_release(struct bus_node *node);

/* The last element of the node's path. */
const char *node_name(const struct bus_node *node);

/* property.c */

#define PROPERTIES_ALL UINT64_MAX

const struct bus_property *property_find(const struct bus_interface *interface, const char *name);

/*
 * Close a container of iter after the result r; on failure give it up. Either way its iterator
 * holds nothing any more. Returns r, or -ENOMEM when closing fails.
 */
int container_close(DBusMessageIter *iter, DBusMessageIter *container, int r);

/* Append the value in a variant. 0 or -errno, then the message is spoilt; so below. */
int property_append(DBusMessageIter *iter, const struct bus_property *property, void *object);

/* Append a{sv} of the properties in the mask of one interface. */
int properties_append(DBusMessageIter *iter, const struct bus_interface *interface, void *object,
		      uint64_t mask);

/* The entries alone, to an a{sv} that is open. */
int properties_append_entries(DBusMessageIter *dict, const struct bus_interface *interface,
			      void *object, uint64_t mask);

/* Append a{sa{sv}}: all interfaces of the object with their properties. */
int interfaces_append(DBusMessageIter *iter, const struct bus_object *object);

/* call.c */

struct bus_call *bus_call_new(DBusConnection *connection, DBusMessage *message);

/* From now on the answer must have this method's signature. */
void bus_call_set_method(struct bus_call *call, const struct bus_method *method);

/* standard.c */

/*
 * The standard interfaces of a node by number, NULL past the last. Their handlers get the node, not
 * an object. libdbus answers those of Peer itself.
 */
const struct bus_interface *standard_interface(const struct bus_node *node, unsigned int number);

/* dispatch.c */

/* Answer a method call that came in. NEED_MEMORY: nothing was done, the message will come again. */
DBusHandlerResult dispatch_call(struct bus *bus, DBusMessage *message);

/* object.c */

int objects_init(struct bus *bus);
void objects_done(struct bus *bus);

/* sender.c */

int senders_init(struct bus *bus);
void senders_done(struct bus *bus);

/* A NameOwnerChanged of the bus: is it the end of a sender? */
void senders_handle_owner_changed(struct bus *bus, DBusMessage *message);

/* The connection is lost: end the lookups that are under way. */
void senders_handle_disconnected(struct bus *bus);
