/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.AddressSpace: AttachGroup and DetachGroup. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "dbus/space_methods.h"

/* -- the options of AttachGroup -- */

struct attach_arguments {
	struct group *group;
	struct space_attach_options options;
	const char **balloon_names; /* owned; the names belong to the call's message */
	size_t balloon_count;
};

static void cleanup_arguments(struct attach_arguments *arguments)
{
	free(arguments->balloon_names);
}

static int read_iommu_type(struct attach_arguments *arguments, DBusMessageIter *value,
			   struct error *error)
{
	static const char *const types[] = {"spapr-tce-v2", "spapr-tce", "type1v2", "type1"};
	char *wanted = arguments->options.iommu_type;
	const char *type = NULL;

	dbus_message_iter_get_basic(value, &type);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (strcmp(types[i], type) == 0) {
			memset(wanted, 0, WORKER_IOMMU_TYPE_SIZE);
			(void)snprintf(wanted, WORKER_IOMMU_TYPE_SIZE, "%s", type);
			return 0;
		}
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, 0,
			 "option \"iommu-type\": there is no \"%.32s\"; there are spapr-tce-v2, "
			 "spapr-tce, type1v2 and type1",
			 type);
}

static int read_own_container(struct attach_arguments *arguments, DBusMessageIter *value,
			      struct error *error)
{
	dbus_bool_t own = FALSE;

	(void)error;
	dbus_message_iter_get_basic(value, &own);
	if (own) {
		arguments->options.share = false;
	}
	return 0;
}

static int read_balloon_allowed(struct attach_arguments *arguments, DBusMessageIter *value,
				struct error *error)
{
	size_t count = (size_t)dbus_message_iter_get_element_count(value);
	DBusMessageIter array;

	free(arguments->balloon_names); /* of the same option, given before */
	arguments->balloon_names = calloc(count + 1, sizeof(*arguments->balloon_names));
	arguments->balloon_count = 0;
	if (!arguments->balloon_names) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the names");
	}
	dbus_message_iter_recurse(value, &array);
	while (arguments->balloon_count < count) {
		dbus_message_iter_get_basic(&array,
					    &arguments->balloon_names[arguments->balloon_count++]);
		(void)dbus_message_iter_next(&array);
	}
	return 0;
}

static const struct attach_option {
	const char *name;
	const char *signature;
	int (*read)(struct attach_arguments *arguments, DBusMessageIter *value,
		    struct error *error);
} attach_options[] = {
	{"iommu-type", "s", read_iommu_type},
	{"own-container", "b", read_own_container},
	{"balloon-allowed", "as", read_balloon_allowed},
};

static int read_option(struct attach_arguments *arguments, const char *name,
		       DBusMessageIter *variant, struct error *error)
{
	const struct attach_option *option = NULL;
	DBusMessageIter value;
	char *signature;
	int r;

	for (size_t i = 0; i < sizeof(attach_options) / sizeof(*attach_options); i++) {
		if (strcmp(attach_options[i].name, name) == 0) {
			option = &attach_options[i];
		}
	}
	if (!option) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "option \"%.64s\" is not known; there are iommu-type (s), "
				 "own-container (b) and balloon-allowed (as)",
				 name);
	}
	dbus_message_iter_recurse(variant, &value);
	signature = dbus_message_iter_get_signature(&value);
	if (!signature) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the options");
	}
	r = strcmp(signature, option->signature) == 0
		    ? option->read(arguments, &value, error)
		    : error_set(error, ERROR_INVALID_ARGUMENT, 0,
				"option \"%s\" has the type \"%s\", not \"%.64s\"", name,
				option->signature, signature);
	dbus_free(signature);
	return r;
}

/* -- arguments -- */

/* The group that the call's first argument names; the iterator goes on to the next. */
static int read_group(const struct space_face *face, DBusMessageIter *arguments,
		      struct group **ret_group, struct error *error)
{
	dbus_uint32_t id = 0;

	dbus_message_iter_get_basic(arguments, &id);
	(void)dbus_message_iter_next(arguments);
	return manager_find_group(face->service->manager, id, ret_group, error);
}

static int read_options(DBusMessageIter *iter, struct attach_arguments *arguments,
			struct error *error)
{
	DBusMessageIter dictionary;
	int r = 0;

	dbus_message_iter_recurse(iter, &dictionary);
	while (r == 0 && dbus_message_iter_get_arg_type(&dictionary) == DBUS_TYPE_DICT_ENTRY) {
		DBusMessageIter entry;
		const char *name = NULL;

		dbus_message_iter_recurse(&dictionary, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		(void)dbus_message_iter_next(&entry);
		r = read_option(arguments, name, &entry, error);
		(void)dbus_message_iter_next(&dictionary);
	}
	return r;
}

static int read_attach(struct bus_call *call, const struct space_face *face,
		       struct attach_arguments *arguments, struct error *error)
{
	DBusMessageIter iter;
	int r;

	arguments->options = manager_attach_options(face->service->manager);
	(void)dbus_message_iter_init(bus_call_message(call), &iter);
	r = read_group(face, &iter, &arguments->group, error);
	if (r == 0) {
		r = read_options(&iter, arguments, error);
	}
	if (r == 0) {
		r = group_allows_balloon(arguments->group, arguments->balloon_names,
					 arguments->balloon_count,
					 &arguments->options.balloon_allowed, error);
	}
	return r;
}

/* -- AttachGroup -- */

/* The container's path needs the space's number, which the call doesn't hold. */
struct attachment {
	struct bus_call *call;
	unsigned int space;
};

static void reply_container(void *userdata, const struct worker_answer *answer)
{
	struct attachment *attachment = userdata;

	if (space_answer_begins(attachment->call, answer, sizeof(struct worker_container))) {
		const struct worker_container *container = answer->body;
		struct face_path path =
			face_container_path(attachment->space, container->container_id);
		const char *text = path.text;

		bus_call_reply(attachment->call, DBUS_TYPE_OBJECT_PATH, &text, DBUS_TYPE_INVALID);
	}
	free(attachment);
}

static void do_attach_group(struct bus_call *call, struct space_face *face)
{
	cleanup(cleanup_free) struct attachment *attachment = malloc(sizeof(*attachment));
	cleanup(cleanup_arguments) struct attach_arguments arguments = {.group = NULL};
	struct error error;

	if (!attachment) {
		(void)error_set(&error, ERROR_KERNEL, ENOMEM, "no memory for the request");
		bus_call_fail(call, &error);
		return;
	}
	attachment->call = call;
	attachment->space = face->space->number;
	if (read_attach(call, face, &arguments, &error)) {
		bus_call_fail(call, &error);
		return;
	}
	bus_call_drop_arguments(call);
	if (space_attach_group(face->space, arguments.group, &arguments.options, reply_container,
			       attachment, &error)) {
		bus_call_fail(call, &error);
		return;
	}
	(void)steal_pointer(attachment); /* reply_container frees it */
}

/* -- DetachGroup -- */

static void reply_detached(void *userdata, const struct worker_answer *answer)
{
	struct bus_call *call = userdata;

	if (space_answer_has(call, answer, sizeof(struct worker_detached))) {
		bus_call_reply(call, DBUS_TYPE_INVALID);
	}
}

static void do_detach_group(struct bus_call *call, struct space_face *face,
			    struct bus_sender *sender)
{
	struct group *group = NULL;
	DBusMessageIter iter;
	struct error error;

	(void)dbus_message_iter_init(bus_call_message(call), &iter);
	if (read_group(face, &iter, &group, &error)) {
		bus_call_fail(call, &error);
		return;
	}
	bus_call_drop_arguments(call);
	if (space_detach_group(face->space, group, face_is_operator(sender), reply_detached, call,
			       &error)) {
		bus_call_fail(call, &error);
	}
}

void space_handle_attach_group(struct bus_call *call, void *object)
{
	face_authorise(call, object, do_attach_group);
}

void space_handle_detach_group(struct bus_call *call, void *object)
{
	face_authorise_caller(call, object, do_detach_group);
}
