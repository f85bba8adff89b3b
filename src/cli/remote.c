/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/remote.h"

#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "common/cleanup.h"
#include "common/names.h"

#define INTERFACE_OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

/* Send a call that returns a path. */
static int call_path(struct client *client, DBusMessage *call, char **ret_path, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	const char *path = NULL;
	char *copy;
	int r = client_call(client, call, "o", &reply, error);

	if (r) {
		return r;
	}
	(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &path, DBUS_TYPE_INVALID);
	copy = strdup(path);
	if (!copy) {
		return error_say(error, "there is no memory for a path");
	}
	*ret_path = copy;
	return 0;
}

/* -- the model -- */

int remote_read_model(struct client *client, struct model **ret_model, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *get_all =
		client_prepare(BUS_PATH_MANAGER, DBUS_INTERFACE_PROPERTIES, "GetAll");
	cleanup(cleanup_message) DBusMessage *get_objects =
		client_prepare(BUS_PATH_MANAGER, INTERFACE_OBJECT_MANAGER, "GetManagedObjects");
	cleanup(cleanup_message) DBusMessage *host = NULL;
	cleanup(cleanup_message) DBusMessage *objects = NULL;
	const char *interface = BUS_INTERFACE_MANAGER;
	int r;

	get_all = client_message_if(get_all &&
					    dbus_message_append_args(get_all, DBUS_TYPE_STRING,
								     &interface, DBUS_TYPE_INVALID),
				    get_all);
	r = client_call(client, get_all, "a{sv}", &host, error);
	if (r) {
		return r;
	}
	r = client_call(client, get_objects, "a{oa{sa{sv}}}", &objects, error);
	if (r) {
		return r;
	}
	return model_new(host, objects, ret_model, error);
}

/* -- address spaces -- */

static dbus_bool_t append_name(DBusMessageIter *dictionary, const char *name)
{
	const char *key = "name";
	DBusMessageIter entry;
	DBusMessageIter value;

	return dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
	       dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key) &&
	       dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "s", &value) &&
	       dbus_message_iter_append_basic(&value, DBUS_TYPE_STRING, &name) &&
	       dbus_message_iter_close_container(&entry, &value) &&
	       dbus_message_iter_close_container(dictionary, &entry);
}

/* Append options: the name, or none when it is NULL. */
static dbus_bool_t append_options(DBusMessage *call, const char *name)
{
	DBusMessageIter arguments;
	DBusMessageIter dictionary;

	dbus_message_iter_init_append(call, &arguments);
	return dbus_message_iter_open_container(&arguments, DBUS_TYPE_ARRAY, "{sv}", &dictionary) &&
	       (!name || append_name(&dictionary, name)) &&
	       dbus_message_iter_close_container(&arguments, &dictionary);
}

int remote_create_space(struct client *client, const char *name, char **ret_path,
			struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "CreateAddressSpace");

	call = client_message_if(call && append_options(call, name), call);
	return call_path(client, call, ret_path, error);
}

int remote_close_space(struct client *client, const char *space, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(space, BUS_INTERFACE_SPACE, "Close");

	return client_call_void(client, call, error);
}

int remote_attach_group(struct client *client, const char *space, uint32_t group,
			char **ret_container, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(space, BUS_INTERFACE_SPACE, "AttachGroup");

	call = client_message_if(call &&
					 dbus_message_append_args(call, DBUS_TYPE_UINT32, &group,
								  DBUS_TYPE_INVALID) &&
					 append_options(call, NULL),
				 call);
	return call_path(client, call, ret_container, error);
}

int remote_add_memory(struct client *client, const char *space, int fd, uint64_t offset,
		      struct range gpa, uint32_t flags, uint32_t *ret_id, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(space, BUS_INTERFACE_SPACE, "AddMemory");
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	dbus_uint32_t id = 0;
	int r;

	call = client_message_if(
		call && dbus_message_append_args(call, DBUS_TYPE_UNIX_FD, &fd, DBUS_TYPE_UINT64,
						 &offset, DBUS_TYPE_UINT64, &gpa.start,
						 DBUS_TYPE_UINT64, &gpa.size, DBUS_TYPE_UINT32,
						 &flags, DBUS_TYPE_INVALID),
		call);
	r = client_call(client, call, "u", &reply, error);
	if (r) {
		return r;
	}
	(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &id, DBUS_TYPE_INVALID);
	*ret_id = id;
	return 0;
}

/* -- windows and mappings -- */

int remote_create_window(struct client *client, const char *space,
			 const struct model_window *wanted, struct model_window *ret_window,
			 struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(space, BUS_INTERFACE_SPACE, "CreateWindow");
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	struct model_window window = {.levels = 0};
	dbus_uint32_t flags = 0;
	int r;

	call = client_message_if(
		call && dbus_message_append_args(call, DBUS_TYPE_UINT64, &wanted->range.start,
						 DBUS_TYPE_UINT64, &wanted->range.size,
						 DBUS_TYPE_UINT32, &wanted->page_shift,
						 DBUS_TYPE_UINT32, &wanted->levels,
						 DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID),
		call);
	r = client_call(client, call, "ttuu", &reply, error);
	if (r) {
		return r;
	}
	(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT64, &window.range.start,
				    DBUS_TYPE_UINT64, &window.range.size, DBUS_TYPE_UINT32,
				    &window.page_shift, DBUS_TYPE_UINT32, &window.levels,
				    DBUS_TYPE_INVALID);
	r = model_window_check(&window, error);
	if (r) {
		return r;
	}
	*ret_window = window;
	return 0;
}

int remote_map(struct client *client, const char *space, const struct remote_mapping *mapping,
	       struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(space, BUS_INTERFACE_SPACE, "Map");
	dbus_uint32_t prot = (dbus_uint32_t)mapping->prot;

	call = client_message_if(
		call && dbus_message_append_args(call, DBUS_TYPE_UINT64, &mapping->range.start,
						 DBUS_TYPE_UINT64, &mapping->gpa, DBUS_TYPE_UINT64,
						 &mapping->range.size, DBUS_TYPE_UINT32, &prot,
						 DBUS_TYPE_INVALID),
		call);
	return client_call_void(client, call, error);
}

/* Quads of iova, gpa, size, prot, as structures. */
static int read_mappings(const uint64_t *quads, size_t number_count,
			 struct remote_mappings *ret_mappings, struct error *error)
{
	cleanup(cleanup_free) struct remote_mapping *items = NULL;
	size_t count = number_count / 4;

	if (number_count % 4 != 0) {
		return error_say(error,
				 "spaprd's answer can't be right: ListMappings returned %zu "
				 "numbers, which are not quads",
				 number_count);
	}
	items = calloc(count + 1, sizeof(*items)); /* one more: no special case for none */
	if (!items) {
		return error_say(error, "there is no memory for the mappings");
	}
	for (size_t i = 0; i < count; i++) {
		const uint64_t *quad = quads + 4 * i;

		items[i] = (struct remote_mapping){
			.range = {quad[0], quad[2]}, .gpa = quad[1], .prot = quad[3]};
		if (!range_is_valid(quad[0], quad[2])) {
			return error_say(error,
					 "spaprd's answer can't be right: mapping %zu has the "
					 "range %s",
					 i, range_format(items[i].range).text);
		}
	}
	ret_mappings->items = steal_pointer(items);
	ret_mappings->count = count;
	return 0;
}

int remote_list_mappings(struct client *client, const char *space, uint32_t most,
			 struct remote_mappings *ret_mappings, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(space, BUS_INTERFACE_SPACE, "ListMappings");
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	const uint64_t *quads = NULL;
	dbus_uint64_t from = 0;
	int count = 0;
	int r;

	call = client_message_if(call && dbus_message_append_args(call, DBUS_TYPE_UINT64, &from,
								  DBUS_TYPE_UINT32, &most,
								  DBUS_TYPE_INVALID),
				 call);
	r = client_call(client, call, "at", &reply, error);
	if (r) {
		return r;
	}
	(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_ARRAY, DBUS_TYPE_UINT64, &quads, &count,
				    DBUS_TYPE_INVALID);
	return read_mappings(quads, (size_t)count, ret_mappings, error);
}

/* -- DMA -- */

int remote_dma_write(struct client *client, const char *device, uint64_t iova, const void *data,
		     uint32_t size, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, "DmaWrite");

	call = client_message_if(
		call && dbus_message_append_args(call, DBUS_TYPE_STRING, &device, DBUS_TYPE_UINT64,
						 &iova, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &data,
						 (int)size, DBUS_TYPE_INVALID),
		call);
	return client_call_void(client, call, error);
}

int remote_dma_read(struct client *client, const char *device, uint64_t iova, void *data,
		    uint32_t size, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, "DmaRead");
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	const unsigned char *bytes = NULL;
	int count = 0;
	int r;

	call = client_message_if(
		call && dbus_message_append_args(call, DBUS_TYPE_STRING, &device, DBUS_TYPE_UINT64,
						 &iova, DBUS_TYPE_UINT32, &size, DBUS_TYPE_INVALID),
		call);
	r = client_call(client, call, "ay", &reply, error);
	if (r) {
		return r;
	}
	(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &bytes, &count,
				    DBUS_TYPE_INVALID);
	if ((uint32_t)count != size) {
		return error_say(error,
				 "spaprd's answer can't be right: DmaRead returned %d bytes "
				 "instead of %u",
				 count, size);
	}
	memcpy(data, bytes, size);
	return 0;
}
