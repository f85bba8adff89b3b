/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Simulator: the verbs of the simulated host, for tests and for trying things out. */
#include <errno.h>
#include <stddef.h>

#include "common/names.h"
#include "dbus/faces.h"
#include "dbus/interface_xml.h"

static void reply_nothing(void *userdata, const struct sim_control_reply *reply)
{
	struct bus_call *call = userdata;

	if (reply->code != ERROR_NONE) {
		bus_call_fail_named(call, error_bus_name(reply->code), "%s", reply->text);
	} else {
		bus_call_reply(call, DBUS_TYPE_INVALID);
	}
}

static void reply_data(void *userdata, const struct sim_control_reply *reply)
{
	struct bus_call *call = userdata;

	if (reply->code != ERROR_NONE) {
		bus_call_fail_named(call, error_bus_name(reply->code), "%s", reply->text);
	} else {
		bus_call_reply(call, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &reply->data,
			       (int)reply->size, DBUS_TYPE_INVALID);
	}
}

/* -- Statistics -- */

#define STATISTIC(member)                                        \
	{                                                        \
#member, offsetof(struct sim_statistics, member) \
	}

static const struct {
	const char *name;
	size_t offset;
} statistics_table[] = {
	STATISTIC(open_containers),
	STATISTIC(open_groups),
	STATISTIC(attached_groups),
	STATISTIC(containers),
	STATISTIC(registered_regions),
	STATISTIC(registered_bytes),
	STATISTIC(pinned_bytes),
	STATISTIC(leaked_pinned_bytes),
	STATISTIC(windows),
	STATISTIC(table_bytes),
	STATISTIC(mapped_tces),
	STATISTIC(locked_bytes),
	STATISTIC(leaked_locked_bytes),
	STATISTIC(live_mms),
	STATISTIC(connections),
	STATISTIC(kernel_damage),
};

static int append_statistic(DBusMessageIter *dictionary, const char *name, const uint64_t *value)
{
	DBusMessageIter entry;

	if (!dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry)) {
		return -ENOMEM;
	}
	if (face_append(&entry, DBUS_TYPE_STRING, &name) < 0 ||
	    face_append(&entry, DBUS_TYPE_UINT64, value) < 0) {
		dbus_message_iter_abandon_container(dictionary, &entry);
		return -ENOMEM;
	}
	return dbus_message_iter_close_container(dictionary, &entry) ? 0 : -ENOMEM;
}

static int append_statistics(DBusMessageIter *iter, void *userdata)
{
	const char *statistics = userdata;
	DBusMessageIter dictionary;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "{st}", &dictionary)) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < sizeof(statistics_table) / sizeof(*statistics_table); i++) {
		const uint64_t *value = (const void *)(statistics + statistics_table[i].offset);

		if (append_statistic(&dictionary, statistics_table[i].name, value) < 0) {
			dbus_message_iter_abandon_container(iter, &dictionary);
			return -ENOMEM;
		}
	}
	return dbus_message_iter_close_container(iter, &dictionary) ? 0 : -ENOMEM;
}

static void reply_statistics(void *userdata, const struct sim_control_reply *reply)
{
	struct bus_call *call = userdata;

	if (reply->code != ERROR_NONE) {
		bus_call_fail_named(call, error_bus_name(reply->code), "%s", reply->text);
	} else {
		struct sim_statistics statistics = reply->statistics;

		bus_call_reply_with(call, append_statistics, &statistics);
	}
}

/* -- methods -- */

static void fail_if(struct bus_call *call, int r, const struct error *error)
{
	if (r) {
		bus_call_fail(call, error);
	}
}

static void do_dma_read(struct bus_call *call, struct service *service)
{
	const char *device = NULL;
	dbus_uint64_t iova = 0;
	dbus_uint32_t size = 0;
	struct error error;

	(void)bus_call_read(call, DBUS_TYPE_STRING, &device, DBUS_TYPE_UINT64, &iova,
			    DBUS_TYPE_UINT32, &size, DBUS_TYPE_INVALID);
	fail_if(call,
		simulator_dma_read(service->simulator, device, iova, size, reply_data, call,
				   &error),
		&error);
}

static void do_dma_write(struct bus_call *call, struct service *service)
{
	const char *device = NULL;
	const void *data = NULL;
	int size = 0;
	dbus_uint64_t iova = 0;
	struct error error;

	(void)bus_call_read(call, DBUS_TYPE_STRING, &device, DBUS_TYPE_UINT64, &iova,
			    DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &data, &size, DBUS_TYPE_INVALID);
	fail_if(call,
		simulator_dma_write(service->simulator, device, iova, data, (uint32_t)size,
				    reply_nothing, call, &error),
		&error);
}

static void do_fail_next(struct bus_call *call, struct service *service)
{
	const char *operation = NULL;
	dbus_uint32_t skip = 0;
	dbus_int32_t errnum = 0;
	struct error error;

	(void)bus_call_read(call, DBUS_TYPE_STRING, &operation, DBUS_TYPE_UINT32, &skip,
			    DBUS_TYPE_INT32, &errnum, DBUS_TYPE_INVALID);
	fail_if(call,
		simulator_fail_next(service->simulator, operation, skip, errnum, reply_nothing,
				    call, &error),
		&error);
}

static void do_delay(struct bus_call *call, struct service *service)
{
	const char *operation = NULL;
	dbus_uint32_t milliseconds = 0;
	struct error error;

	(void)bus_call_read(call, DBUS_TYPE_STRING, &operation, DBUS_TYPE_UINT32, &milliseconds,
			    DBUS_TYPE_INVALID);
	fail_if(call,
		simulator_delay(service->simulator, operation, milliseconds, reply_nothing, call,
				&error),
		&error);
}

static void do_statistics(struct bus_call *call, struct service *service)
{
	struct error error;

	fail_if(call, simulator_statistics(service->simulator, reply_statistics, call, &error),
		&error);
}

static void handle_dma_read(struct bus_call *call, void *object)
{
	face_authorise_operator(call, object, do_dma_read);
}

static void handle_dma_write(struct bus_call *call, void *object)
{
	face_authorise_operator(call, object, do_dma_write);
}

static void handle_fail_next(struct bus_call *call, void *object)
{
	face_authorise_operator(call, object, do_fail_next);
}

static void handle_delay(struct bus_call *call, void *object)
{
	face_authorise_operator(call, object, do_delay);
}

static void handle_statistics(struct bus_call *call, void *object)
{
	face_authorise_operator(call, object, do_statistics);
}

static const struct bus_method methods[] = {
	{"DmaRead", "stu", "ay", handle_dma_read},      {"DmaWrite", "stay", "", handle_dma_write},
	{"FailNext", "sui", "", handle_fail_next},      {"Delay", "su", "", handle_delay},
	{"Statistics", "", "a{st}", handle_statistics}, {.name = NULL},
};

const struct bus_interface simulator_interface = {
	.name = BUS_INTERFACE_SIMULATOR,
	.methods = methods,
	.xml = interface_xml_simulator,
};
