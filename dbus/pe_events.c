/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Pe: ListEvents and Log, what the record has. */
#include <errno.h>
#include <string.h>

#include "dbus/pe_methods.h"

#define MICROSECONDS_PER_MILLISECOND 1000

/* -- ListEvents -- */

/* An event of the record, and what the host says of its PE. */
struct listed_event {
	const struct group_face *face;
	const char *location;
	const struct record_event *event;
};

static int append_number(DBusMessageIter *value, uint32_t number)
{
	return face_append(value, DBUS_TYPE_UINT32, &number);
}

static int get_event(void *object, DBusMessageIter *value)
{
	return append_number(value, ((struct listed_event *)object)->event->number);
}

static int get_group(void *object, DBusMessageIter *value)
{
	return append_number(value, ((struct listed_event *)object)->face->group->host->id);
}

static int get_phb(void *object, DBusMessageIter *value)
{
	return append_number(value, ((struct listed_event *)object)->face->group->host->phb_id);
}

static int get_pe(void *object, DBusMessageIter *value)
{
	return append_number(value, ((struct listed_event *)object)->face->group->host->pe_number);
}

static int get_location(void *object, DBusMessageIter *value)
{
	return face_append_text(value, ((struct listed_event *)object)->location);
}

static int append_device(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct topology_group *host = ((struct listed_event *)object)->face->group->host;

	return face_append_text(array, host->devices[i]->name);
}

static int get_devices(void *object, DBusMessageIter *value)
{
	const struct topology_group *host = ((struct listed_event *)object)->face->group->host;

	return face_append_array(value, "s", (uint32_t)host->device_count, append_device, object);
}

static int get_policy(void *object, DBusMessageIter *value)
{
	const struct group *group = ((struct listed_event *)object)->face->group;

	return face_append_text(value, pe_policy(group->pe)->name);
}

static int get_began(void *object, DBusMessageIter *value)
{
	dbus_uint64_t began = ((struct listed_event *)object)->event->began;

	return face_append(value, DBUS_TYPE_UINT64, &began);
}

static int get_source(void *object, DBusMessageIter *value)
{
	const struct record_event *event = ((struct listed_event *)object)->event;

	return face_append_text(value, record_source_name(event->source));
}

static int get_state(void *object, DBusMessageIter *value)
{
	const struct record_event *event = ((struct listed_event *)object)->event;

	return face_append_text(value, pe_condition_text(event->condition));
}

static int get_outcome(void *object, DBusMessageIter *value)
{
	const struct record_event *event = ((struct listed_event *)object)->event;

	return face_append_text(value, record_outcome_name(event->outcome));
}

static int get_why(void *object, DBusMessageIter *value)
{
	return face_append_text(value, ((struct listed_event *)object)->event->why);
}

static int get_milliseconds(void *object, DBusMessageIter *value)
{
	uint64_t took = ((struct listed_event *)object)->event->took;

	return append_number(value, (uint32_t)(took / MICROSECONDS_PER_MILLISECOND));
}

/* Close a container that was filled with the result r. */
static int close_filled(DBusMessageIter *iter, DBusMessageIter *container, int r)
{
	if (r < 0) {
		dbus_message_iter_abandon_container_if_open(iter, container);
		return r;
	}
	return dbus_message_iter_close_container(iter, container) ? 0 : -ENOMEM;
}

static int fill_step(DBusMessageIter *iter, const struct record_step *step)
{
	dbus_uint64_t since = step->since;
	dbus_uint64_t took = step->took;
	int r = face_append(iter, DBUS_TYPE_UINT64, &since);

	if (r == 0) {
		r = face_append(iter, DBUS_TYPE_UINT64, &took);
	}
	if (r == 0) {
		r = face_append_text(iter, step->name);
	}
	return r == 0 ? face_append_text(iter, step->text) : r;
}

static int append_step(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct record_event *event = ((struct listed_event *)object)->event;
	DBusMessageIter structure = DBUS_MESSAGE_ITER_INIT_CLOSED;

	if (!dbus_message_iter_open_container(array, DBUS_TYPE_STRUCT, NULL, &structure)) {
		return -ENOMEM;
	}
	return close_filled(array, &structure, fill_step(&structure, &event->steps[i]));
}

static int get_steps(void *object, DBusMessageIter *value)
{
	const struct record_event *event = ((struct listed_event *)object)->event;

	return face_append_array(value, "(ttss)", event->step_count, append_step, object);
}

static int get_steps_left_out(void *object, DBusMessageIter *value)
{
	return append_number(value, ((struct listed_event *)object)->event->steps_left_out);
}

static int append_bytes(DBusMessageIter *iter, const uint8_t *bytes, size_t size)
{
	DBusMessageIter array = DBUS_MESSAGE_ITER_INIT_CLOSED;
	int r;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "y", &array)) {
		return -ENOMEM;
	}
	r = dbus_message_iter_append_fixed_array(&array, DBUS_TYPE_BYTE, &bytes, (int)size)
		    ? 0
		    : -ENOMEM;
	return close_filled(iter, &array, r);
}

static int fill_registers(DBusMessageIter *iter, const struct record_registers *registers)
{
	int r = face_append_text(iter, registers->device);

	if (r == 0) {
		r = append_bytes(iter, registers->config, registers->config_size);
	}
	if (r == 0) {
		r = append_number(iter, registers->aer_offset);
	}
	return r == 0 ? append_bytes(iter, registers->aer, registers->aer_size) : r;
}

static int append_registers(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct record_event *event = ((struct listed_event *)object)->event;
	DBusMessageIter structure = DBUS_MESSAGE_ITER_INIT_CLOSED;

	if (!dbus_message_iter_open_container(array, DBUS_TYPE_STRUCT, NULL, &structure)) {
		return -ENOMEM;
	}
	return close_filled(array, &structure, fill_registers(&structure, &event->registers[i]));
}

static int get_registers(void *object, DBusMessageIter *value)
{
	const struct record_event *event = ((struct listed_event *)object)->event;

	return face_append_array(value, "(sayuay)", event->register_count, append_registers,
				 object);
}

/* The keys of an event, as the XML has them. */
static const struct event_key {
	const char *name;
	const char *signature;
	int (*get)(void *object, DBusMessageIter *value);
} event_keys[] = {
	{"Event", "u", get_event},
	{"Group", "u", get_group},
	{"Phb", "u", get_phb},
	{"Pe", "u", get_pe},
	{"Location", "s", get_location},
	{"Devices", "as", get_devices},
	{"Policy", "s", get_policy},
	{"Began", "t", get_began},
	{"Source", "s", get_source},
	{"State", "s", get_state},
	{"Outcome", "s", get_outcome},
	{"Why", "s", get_why},
	{"Milliseconds", "u", get_milliseconds},
	{"Steps", "a(ttss)", get_steps},
	{"StepsLeftOut", "u", get_steps_left_out},
	{"Registers", "a(sayuay)", get_registers},
};

#define EVENT_KEY_COUNT (sizeof(event_keys) / sizeof(*event_keys))

static int append_variant(DBusMessageIter *iter, const struct event_key *key, void *object)
{
	DBusMessageIter value = DBUS_MESSAGE_ITER_INIT_CLOSED;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_VARIANT, key->signature, &value)) {
		return -ENOMEM;
	}
	return close_filled(iter, &value, key->get(object, &value));
}

static int append_key(void *object, uint32_t i, DBusMessageIter *dictionary)
{
	const struct event_key *key = &event_keys[i];
	DBusMessageIter entry = DBUS_MESSAGE_ITER_INIT_CLOSED;
	int r;

	if (!dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry)) {
		return -ENOMEM;
	}
	r = face_append(&entry, DBUS_TYPE_STRING, &key->name);
	return close_filled(dictionary, &entry, r == 0 ? append_variant(&entry, key, object) : r);
}

/* Which events a call asks for. */
struct listing {
	const struct group_face *face;
	char location[TOPOLOGY_LOCATION_SIZE];
	const struct record *record;
	unsigned int first; /* index in the record */
	uint32_t count;
};

static int append_event(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct listing *listing = object;
	struct listed_event listed = {
		.face = listing->face,
		.location = listing->location,
		.event = record_event(listing->record, listing->first + i),
	};

	return face_append_array(array, "{sv}", EVENT_KEY_COUNT, append_key, &listed);
}

static int append_listing(DBusMessageIter *iter, void *userdata)
{
	struct listing *listing = userdata;

	return face_append_array(iter, "a{sv}", listing->count, append_event, listing);
}

/* Numbers rise from the oldest event on. */
static void choose_events(struct listing *listing, uint32_t from, uint32_t most)
{
	const struct record_event *event;

	while ((event = record_event(listing->record, listing->first)) && event->number < from) {
		listing->first++;
	}
	while ((most == 0 || listing->count < most) &&
	       record_event(listing->record, listing->first + listing->count)) {
		listing->count++;
	}
}

void pe_face_handle_list_events(struct bus_call *call, void *object)
{
	const struct group_face *face = object;
	struct listing listing = {.face = face, .record = pe_record(face->group->pe)};
	dbus_uint32_t from = 0;
	dbus_uint32_t most = 0;

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &from, DBUS_TYPE_UINT32, &most,
			    DBUS_TYPE_INVALID);
	pe_face_read_location(face, listing.location);
	choose_events(&listing, from, most);
	bus_call_reply_with(call, append_listing, &listing);
}

/* -- Log -- */

/* What is shown of a step, or of the end of an event. */
struct log_line {
	dbus_uint64_t when;
	const char *name;
	const char *text;
};

/* An event has a line for each step and, when it has ended, one for that. */
static unsigned int count_lines_of(const struct record_event *event)
{
	return event->step_count + (event->outcome != RECORD_RUNNING);
}

static struct log_line find_line(const struct record_event *event, unsigned int i)
{
	if (i == event->step_count) {
		return (struct log_line){event->began + event->took,
					 record_outcome_name(event->outcome), event->why};
	}
	return (struct log_line){event->began + event->steps[i].since, event->steps[i].name,
				 event->steps[i].text};
}

static unsigned int count_lines(const struct record *record)
{
	const struct record_event *event;
	unsigned int count = 0;

	for (unsigned int i = 0; (event = record_event(record, i)); i++) {
		count += count_lines_of(event);
	}
	return count;
}

static int fill_line(DBusMessageIter *iter, const struct log_line *line)
{
	int r = face_append(iter, DBUS_TYPE_UINT64, &line->when);

	if (r == 0) {
		r = face_append_text(iter, line->name);
	}
	return r == 0 ? face_append_text(iter, line->text) : r;
}

static int append_line(DBusMessageIter *array, const struct log_line *line)
{
	DBusMessageIter structure = DBUS_MESSAGE_ITER_INIT_CLOSED;

	if (!dbus_message_iter_open_container(array, DBUS_TYPE_STRUCT, NULL, &structure)) {
		return -ENOMEM;
	}
	return close_filled(array, &structure, fill_line(&structure, line));
}

/* All lines of an event but the first ones. */
static int append_lines_of(DBusMessageIter *array, const struct record_event *event,
			   unsigned int first)
{
	int r = 0;

	for (unsigned int i = first; i < count_lines_of(event) && r == 0; i++) {
		const struct log_line line = find_line(event, i);

		r = append_line(array, &line);
	}
	return r;
}

/* All lines but the first `skip`. */
static int append_lines(DBusMessageIter *array, const struct record *record, unsigned int skip)
{
	const struct record_event *event;
	int r = 0;

	for (unsigned int i = 0; (event = record_event(record, i)) && r == 0; i++) {
		unsigned int count = count_lines_of(event);

		r = append_lines_of(array, event, skip);
		skip -= skip < count ? skip : count;
	}
	return r;
}

int pe_face_get_log(void *object, DBusMessageIter *value)
{
	const struct record *record = pe_record(((const struct group_face *)object)->group->pe);
	unsigned int count = count_lines(record);
	DBusMessageIter array = DBUS_MESSAGE_ITER_INIT_CLOSED;

	if (!dbus_message_iter_open_container(value, DBUS_TYPE_ARRAY, "(tss)", &array)) {
		return -ENOMEM;
	}
	return close_filled(value, &array,
			    append_lines(&array, record,
					 count > PE_LOG_LINES_MAX ? count - PE_LOG_LINES_MAX : 0));
}
