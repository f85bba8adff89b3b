/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/pe_events.h"

#include <errno.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/names.h"

/* -- values -- */

static int read_steps(DBusMessageIter *value, void *member)
{
	struct pe_steps *steps = member;
	DBusMessageIter entries;

	dbus_message_iter_recurse(value, &entries);
	while (dbus_message_iter_get_arg_type(&entries) != DBUS_TYPE_INVALID) {
		struct pe_step *step = property_array_add((void **)&steps->items, &steps->count,
							  sizeof(*steps->items));
		DBusMessageIter entry;

		if (!step) {
			return -ENOMEM;
		}
		dbus_message_iter_recurse(&entries, &entry);
		property_read_next(&entry, &step->since);
		property_read_next(&entry, &step->took);
		property_read_next(&entry, &step->name);
		property_read_next(&entry, &step->text);
		(void)dbus_message_iter_next(&entries);
	}
	return 0;
}

static struct pe_bytes read_bytes(DBusMessageIter *iter)
{
	struct pe_bytes bytes = {.bytes = NULL};
	DBusMessageIter array;
	int count = 0;

	dbus_message_iter_recurse(iter, &array);
	dbus_message_iter_get_fixed_array(&array, &bytes.bytes, &count);
	bytes.size = (size_t)count;
	(void)dbus_message_iter_next(iter);
	return bytes;
}

static int read_registers(DBusMessageIter *value, void *member)
{
	struct pe_registers_list *list = member;
	DBusMessageIter entries;

	dbus_message_iter_recurse(value, &entries);
	while (dbus_message_iter_get_arg_type(&entries) != DBUS_TYPE_INVALID) {
		struct pe_registers *registers = property_array_add(
			(void **)&list->items, &list->count, sizeof(*list->items));
		DBusMessageIter entry;

		if (!registers) {
			return -ENOMEM;
		}
		dbus_message_iter_recurse(&entries, &entry);
		property_read_next(&entry, &registers->device);
		registers->config = read_bytes(&entry);
		property_read_next(&entry, &registers->aer_offset);
		registers->aer = read_bytes(&entry);
		(void)dbus_message_iter_next(&entries);
	}
	return 0;
}

/* -- events -- */

#define EVENT(member) offsetof(struct pe_event, member)

static const struct property event_properties[] = {
	{"Event", "u", property_read_basic, EVENT(number)},
	{"Group", "u", property_read_basic, EVENT(group)},
	{"Phb", "u", property_read_basic, EVENT(phb)},
	{"Pe", "u", property_read_basic, EVENT(pe)},
	{"Location", "s", property_read_basic, EVENT(location)},
	{"Devices", "as", property_read_strings, EVENT(devices)},
	{"Policy", "s", property_read_basic, EVENT(policy)},
	{"Began", "t", property_read_basic, EVENT(began)},
	{"Source", "s", property_read_basic, EVENT(source)},
	{"State", "s", property_read_basic, EVENT(state)},
	{"Outcome", "s", property_read_basic, EVENT(outcome)},
	{"Why", "s", property_read_basic, EVENT(why)},
	{"Milliseconds", "u", property_read_basic, EVENT(milliseconds)},
	{"Steps", "a(ttss)", read_steps, EVENT(steps)},
	{"StepsLeftOut", "u", property_read_basic, EVENT(steps_left_out)},
	{"Registers", "a(sayuay)", read_registers, EVENT(registers)},
	{.name = NULL},
};

static int keep_reply(struct pe_events *events, DBusMessage *reply, struct error *error)
{
	DBusMessage **place = property_array_add((void **)&events->replies, &events->reply_count,
						 sizeof(DBusMessage *));

	if (!place) {
		return property_say_no_memory(error);
	}
	*place = dbus_message_ref(reply);
	return 0;
}

int pe_events_add(struct pe_events *events, DBusMessage *reply, struct error *error)
{
	DBusMessageIter arguments;
	DBusMessageIter entries;
	int r = keep_reply(events, reply, error);

	(void)dbus_message_iter_init(reply, &arguments);
	dbus_message_iter_recurse(&arguments, &entries);
	while (r == 0 && dbus_message_iter_get_arg_type(&entries) != DBUS_TYPE_INVALID) {
		struct pe_event *event = property_array_add((void **)&events->items, &events->count,
							    sizeof(*events->items));

		r = event ? properties_read(event_properties, "an event", &entries, event, error)
			  : property_say_no_memory(error);
		(void)dbus_message_iter_next(&entries);
	}
	return r;
}

int pe_events_read(struct client *client, const char *path, uint32_t from, uint32_t most,
		   struct pe_events *events, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(path, BUS_INTERFACE_PE, "ListEvents");
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	int r;

	call = client_message_if(call && dbus_message_append_args(call, DBUS_TYPE_UINT32, &from,
								  DBUS_TYPE_UINT32, &most,
								  DBUS_TYPE_INVALID),
				 call);
	r = client_call(client, call, "aa{sv}", &reply, error);
	return r ? r : pe_events_add(events, reply, error);
}

static int compare_events(const void *a, const void *b)
{
	const struct pe_event *first = a;
	const struct pe_event *second = b;

	if (first->began != second->began) {
		return first->began > second->began ? 1 : -1;
	}
	return (first->number > second->number) - (first->number < second->number);
}

void pe_events_sort(struct pe_events *events)
{
	/* qsort wants an array even for no elements. */
	if (events->count > 0) {
		qsort(events->items, events->count, sizeof(*events->items), compare_events);
	}
}

void pe_events_drop_last(struct pe_events *events)
{
	const struct pe_event *event = &events->items[--events->count];

	free(event->devices.items);
	free(event->steps.items);
	free(event->registers.items);
}

void pe_events_done(struct pe_events *events)
{
	while (events->count > 0) {
		pe_events_drop_last(events);
	}
	for (size_t i = 0; i < events->reply_count; i++) {
		dbus_message_unref(events->replies[i]);
	}
	free(events->items);
	free(events->replies);
	*events = PE_EVENTS_NONE;
}
