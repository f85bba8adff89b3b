/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus/faces.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/names.h"

/* -- paths -- */

struct face_path face_group_path(uint32_t group)
{
	struct face_path path;

	(void)snprintf(path.text, sizeof(path.text), BUS_PATH_GROUP_PREFIX "%" PRIu32, group);
	return path;
}

struct face_path face_device_path(const char *name)
{
	struct face_path path;

	(void)snprintf(path.text, sizeof(path.text), BUS_PATH_DEVICE_PREFIX "%s", name);
	for (char *c = path.text + strlen(BUS_PATH_DEVICE_PREFIX); *c; c++) {
		if (*c == ':' || *c == '.') {
			*c = '_';
		}
	}
	return path;
}

struct face_path face_space_path(unsigned int space)
{
	struct face_path path;

	(void)snprintf(path.text, sizeof(path.text), BUS_PATH_SPACE_PREFIX "%u", space);
	return path;
}

struct face_path face_container_path(unsigned int space, uint32_t container)
{
	struct face_path path;

	(void)snprintf(path.text, sizeof(path.text), BUS_PATH_SPACE_PREFIX "%u/container/%" PRIu32,
		       space, container);
	return path;
}

/* -- values -- */

int face_append(DBusMessageIter *iter, int type, const void *value)
{
	return dbus_message_iter_append_basic(iter, type, value) ? 0 : -ENOMEM;
}

int face_append_path(DBusMessageIter *iter, const char *path)
{
	return face_append(iter, DBUS_TYPE_OBJECT_PATH, &path);
}

int face_append_record(DBusMessageIter *iter, int container, int first_type,
		       const void *first_value, ...)
{
	const void *value = first_value;
	DBusMessageIter entry;
	va_list fields;
	int r = 0;

	if (!dbus_message_iter_open_container(iter, container, NULL, &entry)) {
		return -ENOMEM;
	}
	va_start(fields, first_value);
	for (int type = first_type; r == 0 && type != DBUS_TYPE_INVALID;) {
		r = face_append(&entry, type, value);
		type = va_arg(fields, int);
		value = type == DBUS_TYPE_INVALID ? NULL : va_arg(fields, const void *);
	}
	va_end(fields);
	if (r < 0) {
		dbus_message_iter_abandon_container(iter, &entry);
		return r;
	}
	return dbus_message_iter_close_container(iter, &entry) ? 0 : -ENOMEM;
}

int face_append_array(DBusMessageIter *iter, const char *signature, uint32_t count,
		      face_append_entry append, void *object)
{
	DBusMessageIter array;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, signature, &array)) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (append(object, i, &array) < 0) {
			dbus_message_iter_abandon_container(iter, &array);
			return -ENOMEM;
		}
	}
	return dbus_message_iter_close_container(iter, &array) ? 0 : -ENOMEM;
}

/* -- answers -- */

void face_reply_empty(void *userdata, const struct worker_answer *answer)
{
	struct bus_call *call = userdata;

	if (answer->error.code != ERROR_NONE) {
		bus_call_fail(call, &answer->error);
	} else {
		bus_call_reply(call, DBUS_TYPE_INVALID);
	}
}

/* -- authorisation -- */

/* A call that waits for the uid of its sender. */
struct question {
	struct service *service;
	struct bus_call *call;
	unsigned int space;
	space_continuation go_on_space; /* one of the two is set */
	service_continuation go_on_service;
};

static struct space *find_space(struct service *service, unsigned int number)
{
	struct space *space = service->manager->spaces;

	while (space && space->number != number) {
		space = space->next;
	}
	return space;
}

static void decide_space(const struct question *question, const struct bus_sender *sender)
{
	struct space *space = find_space(question->service, question->space);
	uid_t uid = bus_sender_uid(sender);
	struct error error;

	if (!space) {
		(void)error_set(&error, ERROR_NOT_FOUND, 0, "address space %u is gone",
				question->space);
		bus_call_fail(question->call, &error);
	} else if (uid != 0 && uid != space->uid) {
		(void)error_set(
			&error, ERROR_ACCESS_DENIED, 0,
			"address space %u belongs to uid %u; only that user and root act on "
			"it, you are uid %u",
			space->number, (unsigned int)space->uid, (unsigned int)uid);
		bus_call_fail(question->call, &error);
	} else {
		question->go_on_space(question->call, space->face);
	}
}

static void decide_service(const struct question *question, const struct bus_sender *sender)
{
	uid_t uid = bus_sender_uid(sender);
	struct error error;

	if (uid != 0 && uid != geteuid()) {
		(void)error_set(&error, ERROR_ACCESS_DENIED, 0,
				"this is for root and the user that spaprd runs as, you are uid %u",
				(unsigned int)uid);
		bus_call_fail(question->call, &error);
	} else {
		question->go_on_service(question->call, question->service);
	}
}

static void handle_sender(struct bus_sender *sender, const struct error *error, void *userdata)
{
	struct question *question = userdata;

	if (!sender) {
		bus_call_fail(question->call, error);
	} else if (question->go_on_space) {
		decide_space(question, sender);
	} else {
		decide_service(question, sender);
	}
	free(question);
}

static void ask(const struct question *template)
{
	struct question *question = malloc(sizeof(*question));
	struct error error;
	int r = -ENOMEM;

	if (question) {
		*question = *template;
		r = bus_sender_get(question->service->bus, bus_call_sender(question->call),
				   handle_sender, question);
	}
	if (r < 0) {
		(void)error_set(&error, ERROR_KERNEL, -r, "can't ask the bus who you are");
		bus_call_fail(template->call, &error);
		free(question);
	}
}

void face_authorise(struct bus_call *call, struct space_face *face, space_continuation go_on)
{
	if (strcmp(bus_call_sender(call), face->space->owner) == 0) {
		go_on(call, face);
		return;
	}
	ask(&(struct question){.service = face->service,
			       .call = call,
			       .space = face->space->number,
			       .go_on_space = go_on});
}

void face_authorise_operator(struct bus_call *call, struct service *service,
			     service_continuation go_on)
{
	ask(&(struct question){.service = service, .call = call, .go_on_service = go_on});
}
