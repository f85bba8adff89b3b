/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus/device_bind.h"

#include <string.h>

#include "broker/bind.h"
#include "dbus/faces.h"

/* -- the answer -- */

static int append_result(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct bind_answer *answer = object;
	const char *device = answer->results[i].device;
	const char *from = answer->results[i].from;
	const char *to = answer->results[i].to;

	return face_append_record(array, DBUS_TYPE_STRUCT, DBUS_TYPE_STRING, &device,
				  DBUS_TYPE_STRING, &from, DBUS_TYPE_STRING, &to,
				  DBUS_TYPE_INVALID);
}

static int append_results(DBusMessageIter *iter, void *userdata)
{
	struct bind_answer *answer = userdata;

	return face_append_array(iter, "(sss)", answer->result_count, append_result, answer);
}

/* The names of the kernel's drivers are ASCII, but libdbus aborts on what isn't. */
static void make_valid(struct bind_answer *answer)
{
	for (uint32_t i = 0; i < answer->result_count; i++) {
		bus_text_make_valid(answer->results[i].device);
		bus_text_make_valid(answer->results[i].from);
		bus_text_make_valid(answer->results[i].to);
	}
}

static void reply_results(void *userdata, const struct error *error,
			  const struct bind_answer *answer)
{
	static struct bind_answer copy;
	struct bus_call *call = userdata;

	if (error->code != ERROR_NONE) {
		struct error valid = *error;

		bus_text_make_valid(valid.text);
		bus_call_fail(call, &valid);
		return;
	}
	copy = *answer;
	make_valid(&copy);
	bus_call_reply_with(call, append_results, &copy);
}

/* Of the methods that don't tell what they have changed. */
static void reply_empty(void *userdata, const struct error *error, const struct bind_answer *answer)
{
	if (error->code != ERROR_NONE) {
		reply_results(userdata, error, answer);
	} else {
		bus_call_reply(userdata, DBUS_TYPE_INVALID);
	}
}

/* -- the arguments -- */

static int refuse_option(const char *name, const struct binding_order *order, struct error *error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, 0,
			 "option \"%.64s\" is not known; there is %s", name,
			 order->operation == BIND_BIND ? "force (b)" : "none yet");
}

static int read_options(DBusMessageIter *iter, struct binding_order *order, struct error *error)
{
	DBusMessageIter options;

	for (dbus_message_iter_recurse(iter, &options);
	     dbus_message_iter_get_arg_type(&options) == DBUS_TYPE_DICT_ENTRY;
	     (void)dbus_message_iter_next(&options)) {
		DBusMessageIter entry;
		DBusMessageIter value;
		const char *name = NULL;
		dbus_bool_t force = FALSE;

		dbus_message_iter_recurse(&options, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		(void)dbus_message_iter_next(&entry);
		dbus_message_iter_recurse(&entry, &value);
		if (order->operation != BIND_BIND || strcmp(name, "force") != 0) {
			return refuse_option(name, order, error);
		}
		if (dbus_message_iter_get_arg_type(&value) != DBUS_TYPE_BOOLEAN) {
			return error_set(error, ERROR_INVALID_ARGUMENT, 0,
					 "option \"force\" has the type \"b\"");
		}
		dbus_message_iter_get_basic(&value, &force);
		order->force = force;
	}
	return 0;
}

static void begin(struct bus_call *call, struct group_face *face, const struct binding_order *order,
		  binding_handler handler)
{
	struct error error;

	if (binding_begin(face->service->manager, face->group, order, handler, call, &error)) {
		bus_call_fail(call, &error);
	}
}

static void do_bind(struct bus_call *call, struct group_face *face, struct bus_sender *sender)
{
	struct binding_order order = {.operation = BIND_BIND};
	DBusMessageIter iter;

	(void)sender;
	(void)dbus_message_iter_init(bus_call_message(call), &iter);
	dbus_message_iter_get_basic(&iter, &order.driver);
	begin(call, face, &order, reply_empty);
}

static void do_bind_with(struct bus_call *call, struct group_face *face, struct bus_sender *sender)
{
	struct binding_order order = {.operation = BIND_BIND};
	DBusMessageIter iter;
	struct error error;

	(void)sender;
	(void)dbus_message_iter_init(bus_call_message(call), &iter);
	dbus_message_iter_get_basic(&iter, &order.driver);
	(void)dbus_message_iter_next(&iter);
	if (read_options(&iter, &order, &error)) {
		bus_call_fail(call, &error);
	} else {
		begin(call, face, &order, reply_results);
	}
}

static void do_restore(struct bus_call *call, struct group_face *face, struct bus_sender *sender)
{
	const struct binding_order order = {.operation = BIND_RESTORE};

	(void)sender;
	begin(call, face, &order, reply_empty);
}

static void do_restore_with(struct bus_call *call, struct group_face *face,
			    struct bus_sender *sender)
{
	struct binding_order order = {.operation = BIND_RESTORE};
	DBusMessageIter iter;
	struct error error;

	(void)sender;
	(void)dbus_message_iter_init(bus_call_message(call), &iter);
	if (read_options(&iter, &order, &error)) {
		bus_call_fail(call, &error);
	} else {
		begin(call, face, &order, reply_results);
	}
}

/* -- the methods -- */

/* The group is what is bound, as a whole. */
static void authorise(struct bus_call *call, const struct device_face *face,
		      group_continuation go_on)
{
	struct group_face *group = face->device->group->face;
	struct error error;

	if (group) {
		face_authorise_group_operator(call, group, go_on);
		return;
	}
	(void)error_set(&error, ERROR_NOT_FOUND, 0, "the group of %s is gone from the host",
			face->device->host->name);
	bus_call_fail(call, &error);
}

void device_handle_bind(struct bus_call *call, void *object)
{
	authorise(call, object, do_bind);
}

void device_handle_bind_with(struct bus_call *call, void *object)
{
	authorise(call, object, do_bind_with);
}

void device_handle_restore(struct bus_call *call, void *object)
{
	authorise(call, object, do_restore);
}

void device_handle_restore_with(struct bus_call *call, void *object)
{
	authorise(call, object, do_restore_with);
}
