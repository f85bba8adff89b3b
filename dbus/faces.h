/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the interface files of this folder share; see dbus/service.h for the words. */
#pragma once

#include "broker/device.h"
#include "broker/manager.h"
#include "broker/pe.h"
#include "broker/simulator.h"
#include "broker/space.h"
#include "dbus/object.h"
#include "dbus/sender.h"

struct service {
	struct bus *bus;
	struct manager *manager;
	struct simulator *simulator; /* NULL on a real host */
	struct bus_object *object;
};

struct pe_client;

/* The last operation on a PE that a client asked for. */
struct pe_last_operation {
	const char *name; /* "" before the first */
	uint32_t milliseconds;
	const char *outcome;
};

struct group_face {
	struct service *service;
	struct group *group;
	struct bus_object *object;               /* NULL while the host doesn't have the group */
	bool shows_pe;                           /* the object has org.spaprd1.Pe */
	struct bus_sender_watch *delegate_watch; /* who has the group by Delegate, or NULL */
	/* of a group that has a PE: */
	struct pe_client *clients; /* that have joined */
	struct pe_last_operation last_operation;
};

struct device_face {
	struct service *service;
	struct host_device *device;
	struct bus_object *object; /* NULL while the host doesn't have the device */
};

struct container_face {
	struct container_face *next;
	struct space_face *space;
	struct worker_container container;
	struct bus_object *object;
};

struct space_face {
	struct service *service;
	struct space *space;
	struct bus_object *object;
	struct bus_sender_watch *owner_watch; /* NULL once the owner has left */
	bool owner_left;
	struct container_face *containers;
};

extern const struct bus_interface manager_interface;
extern const struct bus_interface simulator_interface;
extern const struct bus_interface group_interface;
extern const struct bus_interface pe_interface;
extern const struct bus_interface device_interface;
extern const struct bus_interface space_interface;
extern const struct bus_interface container_interface;

/* -- paths -- */

#define FACE_PATH_SIZE 96

struct face_path {
	char text[FACE_PATH_SIZE];
};

struct face_path face_group_path(uint32_t group);
struct face_path face_device_path(const char *name);
struct face_path face_space_path(unsigned int space);
struct face_path face_container_path(unsigned int space, uint32_t container);

/* -- values for property getters: 0 or -ENOMEM -- */

int face_append(DBusMessageIter *iter, int type, const void *value);
int face_append_path(DBusMessageIter *iter, const char *path);

#define FACE_TEXT_SIZE 256

/* A string of another program's, or of the host's, which may not be UTF-8: what is not becomes a
 * question mark, and what is longer than FACE_TEXT_SIZE is cut. */
int face_append_text(DBusMessageIter *iter, const char *text);

/*
 * A structure (DBUS_TYPE_STRUCT) or one entry of a dictionary (DBUS_TYPE_DICT_ENTRY) of basic
 * values: pairs of a type and a pointer to the value, up to DBUS_TYPE_INVALID.
 */
int face_append_record(DBusMessageIter *iter, int container, int first_type,
		       const void *first_value, ...);

/* Appends entry number i of an object's array. 0 or -ENOMEM. */
typedef int (*face_append_entry)(void *object, uint32_t i, DBusMessageIter *array);

/* An array of count entries; signature is that of one entry. */
int face_append_array(DBusMessageIter *iter, const char *signature, uint32_t count,
		      face_append_entry append, void *object);

/* -- answers of workers -- */

/* Answers a call (the userdata) with nothing, or with the answer's error. */
void face_reply_empty(void *userdata, const struct worker_answer *answer);

/* -- authorisation -- */

typedef void (*space_continuation)(struct bus_call *call, struct space_face *face);

/*
 * Go on with a call when its sender may act on the address space: its owner, the owner's uid, or
 * root. Else the call is answered with ERROR_ACCESS_DENIED. May go on later, when the sender's uid
 * is known; the face is looked up again then, since it may be gone.
 */
void face_authorise(struct bus_call *call, struct space_face *face, space_continuation go_on);

/* The sender may be used during the call. */
typedef void (*caller_continuation)(struct bus_call *call, struct space_face *face,
				    struct bus_sender *sender);

/* The same for what depends on who of them it is. */
void face_authorise_caller(struct bus_call *call, struct space_face *face,
			   caller_continuation go_on);

typedef void (*group_continuation)(struct bus_call *call, struct group_face *face,
				   struct bus_sender *sender);

/* The same by the address space that has the group when the sender's uid is known; ERROR_NOT_FOUND
 * when none has. */
void face_authorise_group(struct bus_call *call, struct group_face *face, group_continuation go_on);

typedef void (*device_continuation)(struct bus_call *call, struct device_face *face);

/* The same for a device of the group. */
void face_authorise_device(struct bus_call *call, struct device_face *face,
			   device_continuation go_on);

typedef void (*service_continuation)(struct bus_call *call, struct service *service);

/* The same for what only root and the user that spaprd runs as may do. */
void face_authorise_operator(struct bus_call *call, struct service *service,
			     service_continuation go_on);

/* For a group, whoever has it. */
void face_authorise_group_operator(struct bus_call *call, struct group_face *face,
				   group_continuation go_on);

/* Whether it is root or the user that spaprd runs as. */
bool face_is_operator(const struct bus_sender *sender);
