/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.AddressSpace */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "broker/reset.h"
#include "common/cleanup.h"
#include "common/names.h"
#include "dbus/faces.h"
#include "dbus/interface_xml.h"
#include "dbus/space_methods.h"
#include "dbus/space_signals.h"

#define LOCKED_COMPONENTS 3U

/* -- shared with the files of space_methods.h -- */

void space_forward(struct bus_call *call, struct space_face *face, enum worker_request_type type,
		   const void *body, size_t size, worker_answer_handler handler)
{
	struct error error;

	bus_call_drop_arguments(call);
	if (space_request(face->space, type, body, size, NULL, 0, handler, call, &error)) {
		bus_call_fail(call, &error);
	}
}

/* The call is answered here unless the answer is a success of the right size. */
static bool answer_is(struct bus_call *call, const struct worker_answer *answer, bool right_size,
		      size_t size)
{
	struct error error;

	if (answer->error.code != ERROR_NONE) {
		bus_call_fail(call, &answer->error);
		return false;
	}
	if (!right_size) {
		(void)error_set(&error, ERROR_KERNEL, EPROTO,
				"the worker answered %zu bytes instead of %zu", answer->size, size);
		bus_call_fail(call, &error);
	}
	return right_size;
}

bool space_answer_has(struct bus_call *call, const struct worker_answer *answer, size_t size)
{
	return answer_is(call, answer, answer->size == size, size);
}

bool space_answer_begins(struct bus_call *call, const struct worker_answer *answer, size_t size)
{
	bool right_size =
		answer->size >= size && (answer->size - size) % sizeof(struct worker_skipped) == 0;

	return answer_is(call, answer, right_size, size);
}

/* -- memory -- */

static void reply_memory_id(void *userdata, const struct worker_answer *answer)
{
	struct bus_call *call = userdata;

	if (space_answer_begins(call, answer, sizeof(struct worker_memory))) {
		const struct worker_memory *memory = answer->body;

		bus_call_reply(call, DBUS_TYPE_UINT32, &memory->id, DBUS_TYPE_INVALID);
	}
}

static void do_add_memory(struct bus_call *call, struct space_face *face)
{
	cleanup(cleanup_fd) int fd = -1;
	struct worker_memory body = {.id = 0};
	dbus_uint64_t offset = 0;
	dbus_uint64_t gpa = 0;
	dbus_uint64_t size = 0;
	dbus_uint32_t flags = 0;
	struct error error;
	int r = bus_call_read(call, DBUS_TYPE_UNIX_FD, &fd, DBUS_TYPE_UINT64, &offset,
			      DBUS_TYPE_UINT64, &gpa, DBUS_TYPE_UINT64, &size, DBUS_TYPE_UINT32,
			      &flags, DBUS_TYPE_INVALID);

	if (r < 0) {
		(void)error_set(
			&error, r == -EBADF ? ERROR_INVALID_ARGUMENT : ERROR_QUOTA_EXCEEDED, -r,
			"%s",
			r == -EBADF ? "the message has no fd for the memory; send one with it"
				    : "spaprd has no file left for the memory: try again later");
		bus_call_fail(call, &error);
		return;
	}
	body.offset = offset;
	body.gpa = gpa;
	body.size = size;
	body.flags = flags;
	bus_call_drop_arguments(call);
	if (space_request(face->space, WORKER_ADD_MEMORY, &body, sizeof(body), &fd, 1,
			  reply_memory_id, call, &error)) {
		bus_call_fail(call, &error);
	}
}

static void do_remove_memory(struct bus_call *call, struct space_face *face)
{
	struct worker_remove_memory body = {.id = 0};

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &body.id, DBUS_TYPE_INVALID);
	space_forward(call, face, WORKER_REMOVE_MEMORY, &body, sizeof(body), face_reply_empty);
}

/* -- windows -- */

static void reply_window(void *userdata, const struct worker_answer *answer)
{
	struct bus_call *call = userdata;

	if (space_answer_has(call, answer, sizeof(struct worker_window))) {
		const struct worker_window *window = answer->body;
		dbus_uint64_t start = window->start;
		dbus_uint64_t size = window->size;

		bus_call_reply(call, DBUS_TYPE_UINT64, &start, DBUS_TYPE_UINT64, &size,
			       DBUS_TYPE_UINT32, &window->page_shift, DBUS_TYPE_UINT32,
			       &window->levels, DBUS_TYPE_INVALID);
	}
}

static void do_create_window(struct bus_call *call, struct space_face *face)
{
	struct worker_window body = {.start = 0};
	dbus_uint64_t start = 0;
	dbus_uint64_t size = 0;

	(void)bus_call_read(call, DBUS_TYPE_UINT64, &start, DBUS_TYPE_UINT64, &size,
			    DBUS_TYPE_UINT32, &body.page_shift, DBUS_TYPE_UINT32, &body.levels,
			    DBUS_TYPE_UINT32, &body.flags, DBUS_TYPE_INVALID);
	body.start = start;
	body.size = size;
	space_forward(call, face, WORKER_CREATE_WINDOW, &body, sizeof(body), reply_window);
}

static void do_remove_window(struct bus_call *call, struct space_face *face)
{
	struct worker_remove_window body = {.start = 0};
	dbus_uint64_t start = 0;

	(void)bus_call_read(call, DBUS_TYPE_UINT64, &start, DBUS_TYPE_INVALID);
	body.start = start;
	space_forward(call, face, WORKER_REMOVE_WINDOW, &body, sizeof(body), face_reply_empty);
}

/* -- mappings -- */

static void do_map(struct bus_call *call, struct space_face *face)
{
	struct worker_map body = {.iova = 0};
	dbus_uint64_t iova = 0;
	dbus_uint64_t gpa = 0;
	dbus_uint64_t size = 0;

	(void)bus_call_read(call, DBUS_TYPE_UINT64, &iova, DBUS_TYPE_UINT64, &gpa, DBUS_TYPE_UINT64,
			    &size, DBUS_TYPE_UINT32, &body.prot, DBUS_TYPE_INVALID);
	body.iova = iova;
	body.gpa = gpa;
	body.size = size;
	space_forward(call, face, WORKER_MAP, &body, sizeof(body), face_reply_empty);
}

static void do_unmap(struct bus_call *call, struct space_face *face)
{
	struct worker_unmap body = {.iova = 0};
	dbus_uint64_t iova = 0;
	dbus_uint64_t size = 0;

	(void)bus_call_read(call, DBUS_TYPE_UINT64, &iova, DBUS_TYPE_UINT64, &size,
			    DBUS_TYPE_INVALID);
	body.iova = iova;
	body.size = size;
	space_forward(call, face, WORKER_UNMAP, &body, sizeof(body), face_reply_empty);
}

static void reply_translation(void *userdata, const struct worker_answer *answer)
{
	struct bus_call *call = userdata;

	if (space_answer_has(call, answer, sizeof(struct worker_translation))) {
		const struct worker_translation *translation = answer->body;
		dbus_uint64_t gpa = translation->gpa;
		dbus_uint64_t left = translation->left;

		bus_call_reply(call, DBUS_TYPE_UINT64, &gpa, DBUS_TYPE_UINT64, &left,
			       DBUS_TYPE_UINT32, &translation->prot, DBUS_TYPE_INVALID);
	}
}

static void do_translate(struct bus_call *call, struct space_face *face)
{
	struct worker_translate body = {.iova = 0};
	dbus_uint64_t iova = 0;

	(void)bus_call_read(call, DBUS_TYPE_UINT64, &iova, DBUS_TYPE_INVALID);
	body.iova = iova;
	space_forward(call, face, WORKER_TRANSLATE, &body, sizeof(body), reply_translation);
}

/* A worker_mapping is four uint64_t in the order of the contract, so the body is the array. */
static void reply_mappings(void *userdata, const struct worker_answer *answer)
{
	struct bus_call *call = userdata;
	const dbus_uint64_t *quads = answer->body;
	size_t count = answer->size / sizeof(struct worker_mapping);

	_Static_assert(sizeof(struct worker_mapping) == 4 * sizeof(dbus_uint64_t), "four numbers");
	if (space_answer_has(call, answer, count * sizeof(struct worker_mapping))) {
		bus_call_reply(call, DBUS_TYPE_ARRAY, DBUS_TYPE_UINT64, &quads, (int)(4 * count),
			       DBUS_TYPE_INVALID);
	}
}

static void do_list_mappings(struct bus_call *call, struct space_face *face)
{
	struct worker_list body = {.from = 0};
	dbus_uint64_t from = 0;

	(void)bus_call_read(call, DBUS_TYPE_UINT64, &from, DBUS_TYPE_UINT32, &body.most,
			    DBUS_TYPE_INVALID);
	body.from = from;
	space_forward(call, face, WORKER_LIST_MAPPINGS, &body, sizeof(body), reply_mappings);
}

/* -- resets and the end -- */

static void do_reset(struct bus_call *call, struct space_face *face)
{
	struct error error;

	bus_call_drop_arguments(call);
	if (space_reset(face->space, face_reply_empty, call, &error)) {
		bus_call_fail(call, &error);
	}
}

static void do_close(struct bus_call *call, struct space_face *face)
{
	struct error error;

	bus_call_drop_arguments(call);
	if (space_close(face->space, face_reply_empty, call, &error)) {
		bus_call_fail(call, &error);
	}
}

/* Each method is for the owner: first that, then the work. */
#define FOR_OWNER(method)                                                \
	static void handle_##method(struct bus_call *call, void *object) \
	{                                                                \
		face_authorise(call, object, do_##method);               \
	}

FOR_OWNER(add_memory)
FOR_OWNER(remove_memory)
FOR_OWNER(create_window)
FOR_OWNER(remove_window)
FOR_OWNER(map)
FOR_OWNER(unmap)
FOR_OWNER(translate)
FOR_OWNER(list_mappings)
FOR_OWNER(reset)
FOR_OWNER(close)

/* -- properties -- */

static int get_name(void *object, DBusMessageIter *value)
{
	const struct space_face *face = object;
	const char *name = face->space->name;

	return face_append(value, DBUS_TYPE_STRING, &name);
}

static int get_owner(void *object, DBusMessageIter *value)
{
	const struct space_face *face = object;
	const char *owner = face->owner_left ? "" : face->space->owner;

	return face_append(value, DBUS_TYPE_STRING, &owner);
}

static int get_uid(void *object, DBusMessageIter *value)
{
	const struct space_face *face = object;
	dbus_uint32_t uid = face->space->uid;

	return face_append(value, DBUS_TYPE_UINT32, &uid);
}

static int append_memory(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct worker_memory *memory = &((struct space *)object)->memory[i];

	return face_append_record(array, DBUS_TYPE_STRUCT, DBUS_TYPE_UINT32, &memory->id,
				  DBUS_TYPE_UINT64, &memory->gpa, DBUS_TYPE_UINT64, &memory->size,
				  DBUS_TYPE_UINT64, &memory->offset, DBUS_TYPE_UINT32,
				  &memory->flags, DBUS_TYPE_INVALID);
}

static int append_window(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct worker_window *window = &((struct space *)object)->windows[i];

	return face_append_record(array, DBUS_TYPE_STRUCT, DBUS_TYPE_UINT64, &window->start,
				  DBUS_TYPE_UINT64, &window->size, DBUS_TYPE_UINT32,
				  &window->page_shift, DBUS_TYPE_UINT32, &window->levels,
				  DBUS_TYPE_INVALID);
}

static int append_container(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct space *space = object;
	struct face_path path =
		face_container_path(space->number, space->containers[i].container_id);

	return face_append_path(array, path.text);
}

static int get_memory(void *object, DBusMessageIter *value)
{
	struct space *space = ((struct space_face *)object)->space;

	return face_append_array(value, "(utttu)", space->memory_count, append_memory, space);
}

static int get_windows(void *object, DBusMessageIter *value)
{
	struct space *space = ((struct space_face *)object)->space;

	return face_append_array(value, "(ttuu)", space->window_count, append_window, space);
}

static int get_containers(void *object, DBusMessageIter *value)
{
	struct space *space = ((struct space_face *)object)->space;

	return face_append_array(value, "o", space->container_count, append_container, space);
}

static int get_mappings(void *object, DBusMessageIter *value)
{
	const struct space_face *face = object;

	return face_append(value, DBUS_TYPE_UINT64, &face->space->counts.mappings);
}

static int get_mapped_bytes(void *object, DBusMessageIter *value)
{
	const struct space_face *face = object;

	return face_append(value, DBUS_TYPE_UINT64, &face->space->counts.mapped_bytes);
}

static int get_locked_bytes(void *object, DBusMessageIter *value)
{
	const struct space_face *face = object;

	dbus_uint64_t bytes = space_locked_bytes(face->space);

	return face_append(value, DBUS_TYPE_UINT64, &bytes);
}

static int append_locked(void *object, uint32_t i, DBusMessageIter *dictionary)
{
	const struct worker_counts *counts = &((struct space *)object)->counts;
	const struct {
		const char *name;
		uint64_t bytes;
	} components[LOCKED_COMPONENTS] = {
		{"pins", counts->locked_pins},
		{"tables", counts->locked_tables},
		{"leaks", counts->locked_leaks},
	};

	return face_append_record(dictionary, DBUS_TYPE_DICT_ENTRY, DBUS_TYPE_STRING,
				  &components[i].name, DBUS_TYPE_UINT64, &components[i].bytes,
				  DBUS_TYPE_INVALID);
}

static int get_locked(void *object, DBusMessageIter *value)
{
	struct space *space = ((struct space_face *)object)->space;

	return face_append_array(value, "{st}", LOCKED_COMPONENTS, append_locked, space);
}

/* A worker starts with the limit of spaprd, or with what the simulated host has for each process.
 */
static int get_locked_limit(void *object, DBusMessageIter *value)
{
	const struct space_face *face = object;
	dbus_uint64_t limit = face->service->manager->kernel->locked_limit;

	return face_append(value, DBUS_TYPE_UINT64, &limit);
}

static int get_balloon_inhibited(void *object, DBusMessageIter *value)
{
	const struct space_face *face = object;
	dbus_bool_t inhibited = space_inhibits_balloon(face->space);

	return face_append(value, DBUS_TYPE_BOOLEAN, &inhibited);
}

static const struct bus_method methods[] = {
	{"AttachGroup", "ua{sv}", "o", space_handle_attach_group},
	{"DetachGroup", "u", "", space_handle_detach_group},
	{"AddMemory", "htttu", "u", handle_add_memory},
	{"RemoveMemory", "u", "", handle_remove_memory},
	{"CreateWindow", "ttuuu", "ttuu", handle_create_window},
	{"RemoveWindow", "t", "", handle_remove_window},
	{"DescribeForGuest", "", "ay", space_handle_describe_for_guest},
	{"Map", "tttu", "", handle_map},
	{"Unmap", "tt", "", handle_unmap},
	{"MapMany", "at", "", space_handle_map_many},
	{"UnmapMany", "at", "", space_handle_unmap_many},
	{"Translate", "t", "ttu", handle_translate},
	{"ListMappings", "tu", "at", handle_list_mappings},
	{"Plan", "tuua{sv}", "a(tuuttts)us", space_handle_plan},
	{"Reset", "", "", handle_reset},
	{"Close", "", "", handle_close},
	{.name = NULL},
};

static const struct bus_property properties[] = {
	{"Name", "s", get_name, BUS_PROPERTY_CONSTANT},
	{"Owner", "s", get_owner, BUS_PROPERTY_CHANGES},
	{"Uid", "u", get_uid, BUS_PROPERTY_CONSTANT},
	{"Memory", "a(utttu)", get_memory, BUS_PROPERTY_CHANGES},
	{"Windows", "a(ttuu)", get_windows, BUS_PROPERTY_CHANGES},
	{"Containers", "ao", get_containers, BUS_PROPERTY_CHANGES},
	{"Mappings", "t", get_mappings, BUS_PROPERTY_SILENT},
	{"MappedBytes", "t", get_mapped_bytes, BUS_PROPERTY_SILENT},
	{"LockedBytes", "t", get_locked_bytes, BUS_PROPERTY_SILENT},
	{"Locked", "a{st}", get_locked, BUS_PROPERTY_SILENT},
	{"LockedLimit", "t", get_locked_limit, BUS_PROPERTY_CONSTANT},
	{"BalloonInhibited", "b", get_balloon_inhibited, BUS_PROPERTY_CHANGES},
	{.name = NULL},
};

const struct bus_interface space_interface = {
	.name = BUS_INTERFACE_SPACE,
	.methods = methods,
	.properties = properties,
	.signals = space_signals,
	.xml = interface_xml_address_space,
};
