/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Pe: its methods and properties. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/names.h"
#include "dbus/interface_xml.h"
#include "dbus/pe_methods.h"

/* -- operations -- */

/* A call that waits for the PE. It may be answered after the service is gone. */
struct operation {
	struct bus_call *call;
	struct group *group;
	const char *name; /* static */
	uint64_t began;   /* CLOCK_MONOTONIC, ms */
};

static struct operation *operation_new(struct bus_call *call, struct group_face *face,
				       const char *name)
{
	struct operation *operation = malloc(sizeof(*operation));
	struct error error;

	if (!operation) {
		(void)error_set(&error, ERROR_KERNEL, ENOMEM, "no memory for the operation");
		bus_call_fail(call, &error);
		return NULL;
	}
	*operation = (struct operation){
		.call = call, .group = face->group, .name = name, .began = clock_milliseconds()};
	bus_call_drop_arguments(call);
	return operation;
}

/* What was asked for is not under way: the call is answered here. */
static void operation_refuse(struct operation *operation, const struct error *error)
{
	bus_call_fail(operation->call, error);
	free(operation);
}

/* "RecoveryFailed": a code as it is named on the bus, without the prefix. */
static const char *short_name(enum error_code code)
{
	return code == ERROR_NONE ? "done" : strrchr(error_bus_name(code), '.') + 1;
}

/* The new properties arrive before the answer. */
static void flush_changes(const struct group *group)
{
	const struct group_face *face = group->face;

	if (face) {
		bus_flush_changes(face->service->bus);
	}
}

static void note_operation(const struct operation *operation, uint32_t milliseconds,
			   enum error_code code)
{
	struct group_face *face = operation->group->face;

	if (face) {
		face->last_operation.name = operation->name;
		face->last_operation.milliseconds = milliseconds;
		face->last_operation.outcome = short_name(code);
		bus_object_changed(face->object, BUS_INTERFACE_PE, "LastOperation", NULL);
	}
}

static void handle_operated(void *userdata, const struct pe_answer *answer)
{
	struct operation *operation = userdata;
	struct error error = answer->error;
	uint32_t milliseconds = answer->milliseconds;

	if (error.code != ERROR_NONE) {
		/* What failed may have no time of its own; what its caller waited it has. */
		milliseconds = (uint32_t)(clock_milliseconds() - operation->began);
		error_append(&error, "; that took %u ms", (unsigned int)milliseconds);
	}
	note_operation(operation, milliseconds, error.code);
	flush_changes(operation->group);
	if (error.code != ERROR_NONE) {
		bus_call_fail(operation->call, &error);
	} else {
		bus_call_reply(operation->call, DBUS_TYPE_INVALID);
	}
	free(operation);
}

static void operate(struct bus_call *call, struct group_face *face, const char *name,
		    const struct worker_operate_pe *request)
{
	struct operation *operation = operation_new(call, face, name);
	struct error error;

	if (operation && pe_operate(face->group->pe, request, handle_operated, operation, &error)) {
		operation_refuse(operation, &error);
	}
}

/* Each of them is for who may act on the address space: first that, then the work. */
#define FOR_OWNER(method)                                                \
	static void handle_##method(struct bus_call *call, void *object) \
	{                                                                \
		face_authorise_group(call, object, do_##method);         \
	}

#define OPERATION(method, name, number)                                         \
	static void do_##method(struct bus_call *call, struct group_face *face, \
				struct bus_sender *sender)                      \
	{                                                                       \
		const struct worker_operate_pe request = {                      \
			.group = face->group->host->id,                         \
			.operation = (number),                                  \
		};                                                              \
                                                                                \
		(void)sender;                                                   \
		operate(call, face, name, &request);                            \
	}                                                                       \
	FOR_OWNER(method)

OPERATION(enable, "enable", WORKER_PE_ENABLE)
OPERATION(disable, "disable", WORKER_PE_DISABLE)
OPERATION(unfreeze_io, "unfreeze-io", WORKER_PE_UNFREEZE_IO)
OPERATION(unfreeze_dma, "unfreeze-dma", WORKER_PE_UNFREEZE_DMA)
OPERATION(configure, "configure", WORKER_PE_CONFIGURE)

struct reset_kind {
	const char *kind;
	const char *name;
	enum worker_pe_operation operation;
};

static const struct reset_kind *find_reset_kind(const char *kind, struct error *error)
{
	static const struct reset_kind table[] = {
		{"hot", "reset-hot", WORKER_PE_RESET_HOT},
		{"fundamental", "reset-fundamental", WORKER_PE_RESET_FUNDAMENTAL},
		{"deactivate", "deactivate", WORKER_PE_DEACTIVATE},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (strcmp(table[i].kind, kind) == 0) {
			return &table[i];
		}
	}
	(void)error_set(error, ERROR_INVALID_ARGUMENT, 0,
			"no reset is called \"%.64s\"; there are hot, fundamental and deactivate",
			kind);
	return NULL;
}

static void do_reset(struct bus_call *call, struct group_face *face, struct bus_sender *sender)
{
	struct worker_operate_pe request = {.group = face->group->host->id};
	const struct reset_kind *found;
	const char *kind = NULL;
	struct error error;

	(void)sender;
	(void)bus_call_read(call, DBUS_TYPE_STRING, &kind, DBUS_TYPE_INVALID);
	found = find_reset_kind(kind, &error);
	if (!found) {
		bus_call_fail(call, &error);
		return;
	}
	request.operation = found->operation;
	operate(call, face, found->name, &request);
}

static void do_inject(struct bus_call *call, struct group_face *face, struct bus_sender *sender)
{
	struct worker_operate_pe request = {.group = face->group->host->id,
					    .operation = WORKER_PE_INJECT};
	dbus_uint64_t address = 0;
	dbus_uint64_t mask = 0;

	(void)sender;
	(void)bus_call_read(call, DBUS_TYPE_UINT32, &request.error_type, DBUS_TYPE_UINT32,
			    &request.error_function, DBUS_TYPE_UINT64, &address, DBUS_TYPE_UINT64,
			    &mask, DBUS_TYPE_INVALID);
	request.address = address;
	request.mask = mask;
	operate(call, face, "inject", &request);
}

FOR_OWNER(reset)

static void handle_inject(struct bus_call *call, void *object)
{
	face_authorise_group_operator(call, object, do_inject);
}

/* -- Check -- */

static void handle_checked(void *userdata, const struct pe_answer *answer)
{
	struct operation *operation = userdata;
	const char *state = pe_condition_state(answer->condition);

	flush_changes(operation->group);
	if (answer->error.code != ERROR_NONE) {
		bus_call_fail(operation->call, &answer->error);
	} else {
		bus_call_reply(operation->call, DBUS_TYPE_STRING, &state, DBUS_TYPE_INVALID);
	}
	free(operation);
}

/* For everybody: it changes nothing, and any number of them is one look. */
static void handle_check(struct bus_call *call, void *object)
{
	struct group_face *face = object;
	struct operation *operation = operation_new(call, face, "check");
	struct error error;

	if (operation && pe_check(face->group->pe, handle_checked, operation, &error)) {
		operation_refuse(operation, &error);
	}
}

/* -- recovery -- */

static void do_recover(struct bus_call *call, struct group_face *face, struct bus_sender *sender)
{
	uint32_t event = 0;
	struct error error;

	if (pe_recover(face->group->pe, face_is_operator(sender), &event, &error)) {
		bus_call_fail(call, &error);
		return;
	}
	flush_changes(face->group);
	bus_call_reply(call, DBUS_TYPE_UINT32, &event, DBUS_TYPE_INVALID);
}

FOR_OWNER(recover)

/* -- participants -- */

/* A client with cookies of one PE: they end when it leaves the bus. */
struct pe_client {
	struct pe_client *next;
	struct group_face *face;
	struct bus_sender_watch *watch;
	char *name;
};

static struct pe_client *client_free(struct pe_client *client)
{
	if (client) {
		client->watch = bus_sender_unwatch(client->watch);
		free(client->name);
		free(client);
	}
	return NULL;
}

static void cleanup_client(struct pe_client **client)
{
	(void)client_free(*client);
}

static void forget_client(struct group_face *face, const char *name)
{
	for (struct pe_client **link = &face->clients; *link; link = &(*link)->next) {
		struct pe_client *client = *link;

		if (strcmp(client->name, name) == 0) {
			*link = client->next;
			(void)client_free(client);
			return;
		}
	}
}

void pe_face_forget_clients(struct group_face *face)
{
	while (face->clients) {
		struct pe_client *client = face->clients;

		face->clients = client->next;
		(void)client_free(client);
	}
}

static void handle_client_gone(void *userdata)
{
	struct pe_client *client = userdata;
	struct group_face *face = client->face;

	pe_forget_client(face->group->pe, client->name);
	forget_client(face, client->name);
}

static bool is_watched(const struct group_face *face, const char *name)
{
	const struct pe_client *client = face->clients;

	while (client && strcmp(client->name, name) != 0) {
		client = client->next;
	}
	return client;
}

/* One watch for all cookies of a client. 0 or -ENOMEM. */
static int watch_client(struct group_face *face, struct bus_sender *sender)
{
	cleanup(cleanup_client) struct pe_client *client = NULL;

	if (is_watched(face, bus_sender_name(sender))) {
		return 0;
	}
	client = calloc(1, sizeof(*client));
	if (!client) {
		return -ENOMEM;
	}
	client->face = face;
	client->name = strdup(bus_sender_name(sender));
	if (!client->name ||
	    bus_sender_watch(sender, handle_client_gone, client, &client->watch) < 0) {
		return -ENOMEM;
	}
	client->next = face->clients;
	face->clients = steal_pointer(client);
	return 0;
}

static void unwatch_client(struct group_face *face, const char *name)
{
	if (!pe_has_client(face->group->pe, name)) {
		forget_client(face, name);
	}
}

static int join(struct group_face *face, struct bus_sender *sender, uint32_t *ret_cookie,
		struct error *error)
{
	if (watch_client(face, sender) < 0) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a participant");
	}
	return pe_join(face->group->pe, bus_sender_name(sender), ret_cookie, error);
}

static void do_join(struct bus_call *call, struct group_face *face, struct bus_sender *sender)
{
	uint32_t cookie = 0;
	struct error error;

	if (join(face, sender, &cookie, &error)) {
		unwatch_client(face, bus_sender_name(sender));
		bus_call_fail(call, &error);
		return;
	}
	flush_changes(face->group);
	bus_call_reply(call, DBUS_TYPE_UINT32, &cookie, DBUS_TYPE_INVALID);
}

FOR_OWNER(join)

/* Leave and Vote are for the connection that joined, which the cookie says. */
static void handle_leave(struct bus_call *call, void *object)
{
	struct group_face *face = object;
	dbus_uint32_t cookie = 0;
	struct error error;

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &cookie, DBUS_TYPE_INVALID);
	if (pe_leave(face->group->pe, bus_call_sender(call), cookie, &error)) {
		bus_call_fail(call, &error);
		return;
	}
	unwatch_client(face, bus_call_sender(call));
	flush_changes(face->group);
	bus_call_reply(call, DBUS_TYPE_INVALID);
}

static void handle_vote(struct bus_call *call, void *object)
{
	struct group_face *face = object;
	dbus_uint32_t cookie = 0;
	dbus_uint32_t event = 0;
	const char *verdict = NULL;
	struct error error;

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &cookie, DBUS_TYPE_UINT32, &event,
			    DBUS_TYPE_STRING, &verdict, DBUS_TYPE_INVALID);
	if (pe_vote(face->group->pe, bus_call_sender(call), cookie, event, verdict, &error)) {
		bus_call_fail(call, &error);
		return;
	}
	flush_changes(face->group);
	bus_call_reply(call, DBUS_TYPE_INVALID);
}

/* -- properties -- */

static int append_string(DBusMessageIter *value, const char *text)
{
	return face_append(value, DBUS_TYPE_STRING, &text);
}

static int append_number(DBusMessageIter *value, uint32_t number)
{
	return face_append(value, DBUS_TYPE_UINT32, &number);
}

static const struct pe *pe_of(void *object)
{
	return ((const struct group_face *)object)->group->pe;
}

static int get_state(void *object, DBusMessageIter *value)
{
	return append_string(value, pe_condition_state(pe_condition(pe_of(object))));
}

static int get_recovery(void *object, DBusMessageIter *value)
{
	return append_string(value, recovery_phase_name(pe_phase(pe_of(object))));
}

static int get_freezes(void *object, DBusMessageIter *value)
{
	return append_number(value, pe_freezes(pe_of(object)));
}

static int get_freezes_left(void *object, DBusMessageIter *value)
{
	return append_number(value, pe_freezes_left(pe_of(object)));
}

static int get_participants(void *object, DBusMessageIter *value)
{
	return append_number(value, pe_participants(pe_of(object)));
}

static int get_policy(void *object, DBusMessageIter *value)
{
	return face_append_text(value, pe_policy(pe_of(object))->name);
}

void pe_face_read_location(const struct group_face *face,
			   char ret_location[static TOPOLOGY_LOCATION_SIZE])
{
	const struct topology_group *host = face->group->host;

	ret_location[0] = '\0';
	if (host->device_count > 0) {
		topology_read_location(face->service->manager->topology, host->devices[0],
				       ret_location);
	}
}

static int get_location(void *object, DBusMessageIter *value)
{
	char location[TOPOLOGY_LOCATION_SIZE];

	pe_face_read_location(object, location);
	return face_append_text(value, location);
}

static int get_last_operation(void *object, DBusMessageIter *value)
{
	const struct pe_last_operation *last = &((const struct group_face *)object)->last_operation;
	const char *name = last->name ? last->name : "";
	const char *outcome = last->outcome ? last->outcome : "";

	return face_append_record(value, DBUS_TYPE_STRUCT, DBUS_TYPE_STRING, &name,
				  DBUS_TYPE_UINT32, &last->milliseconds, DBUS_TYPE_STRING, &outcome,
				  DBUS_TYPE_INVALID);
}

static const struct bus_method methods[] = {
	{"Enable", "", "", handle_enable},
	{"Disable", "", "", handle_disable},
	{"UnfreezeIo", "", "", handle_unfreeze_io},
	{"UnfreezeDma", "", "", handle_unfreeze_dma},
	{"Configure", "", "", handle_configure},
	{"Reset", "s", "", handle_reset},
	{"Inject", "uutt", "", handle_inject},
	{"Check", "", "s", handle_check},
	{"Recover", "", "u", handle_recover},
	{"Join", "", "u", handle_join},
	{"Leave", "u", "", handle_leave},
	{"Vote", "uus", "", handle_vote},
	{"ListEvents", "uu", "aa{sv}", pe_face_handle_list_events},
	{.name = NULL},
};

static const struct bus_property properties[] = {
	{"State", "s", get_state, BUS_PROPERTY_CHANGES},
	{"Recovery", "s", get_recovery, BUS_PROPERTY_CHANGES},
	{"Freezes", "u", get_freezes, BUS_PROPERTY_CHANGES},
	{"FreezesLeft", "u", get_freezes_left, BUS_PROPERTY_CHANGES},
	{"Policy", "s", get_policy, BUS_PROPERTY_CHANGES},
	{"Participants", "u", get_participants, BUS_PROPERTY_CHANGES},
	{"Location", "s", get_location, BUS_PROPERTY_SILENT},
	{"LastOperation", "(sus)", get_last_operation, BUS_PROPERTY_CHANGES},
	{"Log", "a(tss)", pe_face_get_log, BUS_PROPERTY_SILENT},
	{.name = NULL},
};

const struct bus_interface pe_interface = {
	.name = BUS_INTERFACE_PE,
	.methods = methods,
	.properties = properties,
	.signals = pe_face_signals,
	.xml = interface_xml_pe,
};
