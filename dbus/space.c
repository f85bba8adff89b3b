/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.AddressSpace */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "dbus/faces.h"
#include "dbus/interface_xml.h"

/* Send a request; when it can't be sent, the call is answered here. */
static void request(struct bus_call *call, struct space_face *face, enum worker_request_type type,
		    const void *body, size_t size, worker_answer_handler handler)
{
	struct error error;

	bus_call_drop_fds(call);
	if (space_request(face->space, type, body, size, NULL, 0, handler, call, &error)) {
		bus_call_fail(call, &error);
	}
}

/* Whether an answer is a success with a body of that size; else the call is answered here. */
static bool answer_has(struct bus_call *call, const struct worker_answer *answer, size_t size)
{
	struct error error;

	if (answer->error.code != ERROR_NONE) {
		bus_call_fail(call, &answer->error);
		return false;
	}
	if (answer->size != size) {
		(void)error_set(&error, ERROR_KERNEL, EPROTO,
				"the worker answered %zu bytes instead of %zu", answer->size, size);
		bus_call_fail(call, &error);
		return false;
	}
	return true;
}

/* -- groups -- */

static bool has_options(struct bus_call *call, int position, struct error *error)
{
	DBusMessageIter arguments;
	DBusMessageIter dictionary;
	DBusMessageIter entry;
	const char *key = NULL;

	(void)dbus_message_iter_init(bus_call_message(call), &arguments);
	for (int i = 0; i < position; i++) {
		(void)dbus_message_iter_next(&arguments);
	}
	dbus_message_iter_recurse(&arguments, &dictionary);
	if (dbus_message_iter_get_arg_type(&dictionary) == DBUS_TYPE_INVALID) {
		return false;
	}
	dbus_message_iter_recurse(&dictionary, &entry);
	dbus_message_iter_get_basic(&entry, &key);
	(void)error_set(error, ERROR_INVALID_ARGUMENT, 0,
			"option \"%.64s\" is not known; there are none yet", key);
	return true;
}

/* The group that the call's first argument names. */
static int read_group(struct bus_call *call, const struct space_face *face,
		      struct group **ret_group, struct error *error)
{
	DBusMessageIter arguments;
	dbus_uint32_t id = 0;

	(void)dbus_message_iter_init(bus_call_message(call), &arguments);
	dbus_message_iter_get_basic(&arguments, &id);
	return manager_find_group(face->service->manager, id, ret_group, error);
}

/* The container's path needs the space's number, which the call doesn't hold. */
struct attachment {
	struct bus_call *call;
	unsigned int space;
};

static void reply_container(void *userdata, const struct worker_answer *answer)
{
	struct attachment *attachment = userdata;

	if (answer_has(attachment->call, answer, sizeof(struct worker_container))) {
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
	struct space_attach_options options = {.share = false};
	struct group *group = NULL;
	struct error error;

	if (!attachment) {
		(void)error_set(&error, ERROR_KERNEL, ENOMEM, "no memory for the request");
		bus_call_fail(call, &error);
		return;
	}
	attachment->call = call;
	attachment->space = face->space->number;
	if (has_options(call, 1, &error) || read_group(call, face, &group, &error)) {
		bus_call_fail(call, &error);
		return;
	}
	bus_call_drop_fds(call);
	if (space_attach_group(face->space, group, &options, reply_container, attachment, &error)) {
		bus_call_fail(call, &error);
		return;
	}
	(void)steal_pointer(attachment); /* reply_container frees it */
}

static void reply_detached(void *userdata, const struct worker_answer *answer)
{
	struct bus_call *call = userdata;

	if (answer_has(call, answer, sizeof(struct worker_detached))) {
		bus_call_reply(call, DBUS_TYPE_INVALID);
	}
}

static void do_detach_group(struct bus_call *call, struct space_face *face)
{
	struct group *group = NULL;
	struct error error;

	if (read_group(call, face, &group, &error)) {
		bus_call_fail(call, &error);
		return;
	}
	bus_call_drop_fds(call);
	if (space_detach_group(face->space, group, reply_detached, call, &error)) {
		bus_call_fail(call, &error);
	}
}

/* -- memory -- */

static void reply_memory_id(void *userdata, const struct worker_answer *answer)
{
	struct bus_call *call = userdata;

	if (answer_has(call, answer, sizeof(struct worker_memory))) {
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
		(void)error_set(&error, ERROR_KERNEL, -r, "can't take the fd");
		bus_call_fail(call, &error);
		return;
	}
	body.offset = offset;
	body.gpa = gpa;
	body.size = size;
	body.flags = flags;
	bus_call_drop_fds(call);
	if (space_request(face->space, WORKER_ADD_MEMORY, &body, sizeof(body), &fd, 1,
			  reply_memory_id, call, &error)) {
		bus_call_fail(call, &error);
	}
}

static void do_remove_memory(struct bus_call *call, struct space_face *face)
{
	struct worker_remove_memory body = {.id = 0};

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &body.id, DBUS_TYPE_INVALID);
	request(call, face, WORKER_REMOVE_MEMORY, &body, sizeof(body), face_reply_empty);
}

/* -- windows -- */

static void reply_window(void *userdata, const struct worker_answer *answer)
{
	struct bus_call *call = userdata;

	if (answer_has(call, answer, sizeof(struct worker_window))) {
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
	request(call, face, WORKER_CREATE_WINDOW, &body, sizeof(body), reply_window);
}

static void do_remove_window(struct bus_call *call, struct space_face *face)
{
	struct worker_remove_window body = {.start = 0};
	dbus_uint64_t start = 0;

	(void)bus_call_read(call, DBUS_TYPE_UINT64, &start, DBUS_TYPE_INVALID);
	body.start = start;
	request(call, face, WORKER_REMOVE_WINDOW, &body, sizeof(body), face_reply_empty);
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
	request(call, face, WORKER_MAP, &body, sizeof(body), face_reply_empty);
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
	request(call, face, WORKER_UNMAP, &body, sizeof(body), face_reply_empty);
}

static void reply_translation(void *userdata, const struct worker_answer *answer)
{
	struct bus_call *call = userdata;

	if (answer_has(call, answer, sizeof(struct worker_translation))) {
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
	request(call, face, WORKER_TRANSLATE, &body, sizeof(body), reply_translation);
}

/* A worker_mapping is four uint64_t in the order of the contract, so the body is the array. */
static void reply_mappings(void *userdata, const struct worker_answer *answer)
{
	struct bus_call *call = userdata;
	const dbus_uint64_t *quads = answer->body;
	size_t count = answer->size / sizeof(struct worker_mapping);

	_Static_assert(sizeof(struct worker_mapping) == 4 * sizeof(dbus_uint64_t), "four numbers");
	if (answer_has(call, answer, count * sizeof(struct worker_mapping))) {
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
	request(call, face, WORKER_LIST_MAPPINGS, &body, sizeof(body), reply_mappings);
}

/* -- the end -- */

static void do_close(struct bus_call *call, struct space_face *face)
{
	struct error error;

	bus_call_drop_fds(call);
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

FOR_OWNER(attach_group)
FOR_OWNER(detach_group)
FOR_OWNER(add_memory)
FOR_OWNER(remove_memory)
FOR_OWNER(create_window)
FOR_OWNER(remove_window)
FOR_OWNER(map)
FOR_OWNER(unmap)
FOR_OWNER(translate)
FOR_OWNER(list_mappings)
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
	DBusMessageIter entry;

	if (!dbus_message_iter_open_container(array, DBUS_TYPE_STRUCT, NULL, &entry)) {
		return -ENOMEM;
	}
	if (face_append(&entry, DBUS_TYPE_UINT32, &memory->id) < 0 ||
	    face_append(&entry, DBUS_TYPE_UINT64, &memory->gpa) < 0 ||
	    face_append(&entry, DBUS_TYPE_UINT64, &memory->size) < 0 ||
	    face_append(&entry, DBUS_TYPE_UINT64, &memory->offset) < 0 ||
	    face_append(&entry, DBUS_TYPE_UINT32, &memory->flags) < 0) {
		dbus_message_iter_abandon_container(array, &entry);
		return -ENOMEM;
	}
	return dbus_message_iter_close_container(array, &entry) ? 0 : -ENOMEM;
}

static int append_window(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct worker_window *window = &((struct space *)object)->windows[i];
	DBusMessageIter entry;

	if (!dbus_message_iter_open_container(array, DBUS_TYPE_STRUCT, NULL, &entry)) {
		return -ENOMEM;
	}
	if (face_append(&entry, DBUS_TYPE_UINT64, &window->start) < 0 ||
	    face_append(&entry, DBUS_TYPE_UINT64, &window->size) < 0 ||
	    face_append(&entry, DBUS_TYPE_UINT32, &window->page_shift) < 0 ||
	    face_append(&entry, DBUS_TYPE_UINT32, &window->levels) < 0) {
		dbus_message_iter_abandon_container(array, &entry);
		return -ENOMEM;
	}
	return dbus_message_iter_close_container(array, &entry) ? 0 : -ENOMEM;
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

/* Memory that a container has locked: devices go on using the pages that a balloon gave away. */
static int get_balloon_inhibited(void *object, DBusMessageIter *value)
{
	const struct space *space = ((struct space_face *)object)->space;
	dbus_bool_t inhibited = FALSE;

	for (uint32_t i = 0; space->memory_count > 0 && i < space->container_count; i++) {
		inhibited = inhibited || space->containers[i].balloon_inhibited;
	}

	return face_append(value, DBUS_TYPE_BOOLEAN, &inhibited);
}

static const struct bus_method methods[] = {
	{"AttachGroup", "ua{sv}", "o", handle_attach_group},
	{"DetachGroup", "u", "", handle_detach_group},
	{"AddMemory", "htttu", "u", handle_add_memory},
	{"RemoveMemory", "u", "", handle_remove_memory},
	{"CreateWindow", "ttuuu", "ttuu", handle_create_window},
	{"RemoveWindow", "t", "", handle_remove_window},
	{"Map", "tttu", "", handle_map},
	{"Unmap", "tt", "", handle_unmap},
	{"Translate", "t", "ttu", handle_translate},
	{"ListMappings", "tu", "at", handle_list_mappings},
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
	{"BalloonInhibited", "b", get_balloon_inhibited, BUS_PROPERTY_CHANGES},
	{.name = NULL},
};

const struct bus_interface space_interface = {
	.name = BUS_INTERFACE_SPACE,
	.methods = methods,
	.properties = properties,
	.xml = interface_xml_address_space,
};
