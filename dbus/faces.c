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

int face_append_text(DBusMessageIter *iter, const char *text)
{
	char copy[FACE_TEXT_SIZE];
	const char *valid = copy;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	bus_text_make_valid(copy);
	return face_append(iter, DBUS_TYPE_STRING, &valid);
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

/* A call that waits for the uid of its sender, and who goes on with it: one of the last six. */
struct question {
	struct service *service;
	struct bus_call *call;
	unsigned int space;
	struct group_face *group;
	struct device_face *device;
	space_continuation go_on_space;
	caller_continuation go_on_caller;
	group_continuation go_on_group;
	device_continuation go_on_device;
	group_continuation go_on_group_operator;
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

bool face_is_operator(const struct bus_sender *sender)
{
	uid_t uid = bus_sender_uid(sender);

	return uid == 0 || uid == geteuid();
}

static int check_space(const struct space *space, const struct bus_sender *sender,
		       struct error *error)
{
	uid_t uid = bus_sender_uid(sender);

	if (uid == 0 || uid == space->uid || strcmp(bus_sender_name(sender), space->owner) == 0) {
		return 0;
	}
	return error_set(error, ERROR_ACCESS_DENIED, 0,
			 "address space %u belongs to uid %u; only that user and root act on it, "
			 "you are uid %u",
			 space->number, (unsigned int)space->uid, (unsigned int)uid);
}

static int check_operator(const struct bus_sender *sender, struct error *error)
{
	if (face_is_operator(sender)) {
		return 0;
	}
	return error_set(error, ERROR_ACCESS_DENIED, 0,
			 "this is for root and the user that spaprd runs as, you are uid %u",
			 (unsigned int)bus_sender_uid(sender));
}

static int decide_space(const struct question *question, struct bus_sender *sender,
			struct error *error)
{
	struct space *space = find_space(question->service, question->space);
	int r;

	if (!space) {
		return error_set(error, ERROR_NOT_FOUND, 0, "address space %u is gone",
				 question->space);
	}
	r = check_space(space, sender, error);
	if (r) {
		return r;
	}
	if (question->go_on_space) {
		question->go_on_space(question->call, space->face);
	} else {
		question->go_on_caller(question->call, space->face, sender);
	}
	return 0;
}

static int decide_group(const struct question *question, struct bus_sender *sender,
			struct error *error)
{
	const struct group *group = question->group->group;
	int r;

	if (!group->space) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "group %" PRIu32 " is in no address space, and so nobody's to act "
				 "on: attach it first",
				 group->host->id);
	}
	r = check_space(group->space, sender, error);
	if (r) {
		return r;
	}
	if (question->go_on_group) {
		question->go_on_group(question->call, question->group, sender);
	} else {
		question->go_on_device(question->call, question->device);
	}
	return 0;
}

static int decide_operator(const struct question *question, struct bus_sender *sender,
			   struct error *error)
{
	int r = check_operator(sender, error);

	if (r) {
		return r;
	}
	if (question->go_on_service) {
		question->go_on_service(question->call, question->service);
	} else {
		question->go_on_group_operator(question->call, question->group, sender);
	}
	return 0;
}

static int decide(const struct question *question, struct bus_sender *sender, struct error *error)
{
	if (question->go_on_space || question->go_on_caller) {
		return decide_space(question, sender, error);
	}
	if (question->go_on_group || question->go_on_device) {
		return decide_group(question, sender, error);
	}
	return decide_operator(question, sender, error);
}

static void handle_sender(struct bus_sender *sender, const struct error *failure, void *userdata)
{
	struct question *question = userdata;
	struct error error;

	if (!sender) {
		bus_call_fail(question->call, failure);
	} else if (decide(question, sender, &error)) {
		bus_call_fail(question->call, &error);
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

void face_authorise_caller(struct bus_call *call, struct space_face *face,
			   caller_continuation go_on)
{
	ask(&(struct question){.service = face->service,
			       .call = call,
			       .space = face->space->number,
			       .go_on_caller = go_on});
}

void face_authorise_group(struct bus_call *call, struct group_face *face, group_continuation go_on)
{
	ask(&(struct question){
		.service = face->service, .call = call, .group = face, .go_on_group = go_on});
}

void face_authorise_device(struct bus_call *call, struct device_face *face,
			   device_continuation go_on)
{
	ask(&(struct question){
		.service = face->service,
		.call = call,
		.group = face->device->group->face,
		.device = face,
		.go_on_device = go_on,
	});
}

void face_authorise_group_operator(struct bus_call *call, struct group_face *face,
				   group_continuation go_on)
{
	ask(&(struct question){.service = face->service,
			       .call = call,
			       .group = face,
			       .go_on_group_operator = go_on});
}

void face_authorise_operator(struct bus_call *call, struct service *service,
			     service_continuation go_on)
{
	ask(&(struct question){.service = service, .call = call, .go_on_service = go_on});
}
