/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Simulator: the verbs of the simulated host, for tests and for trying things out. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/names.h"
#include "dbus/faces.h"
#include "dbus/interface_xml.h"
#include "dbus/simulator_rules.h"
#include "sim/eeh.h"

/* Whether a verb was refused; then its call is answered. */
static bool is_refused(struct bus_call *call, const struct sim_control_reply *reply)
{
	if (reply->code != ERROR_NONE) {
		bus_call_fail_named(call, error_bus_name(reply->code), "%s", reply->text);
		return true;
	}
	return false;
}

static void reply_nothing(void *userdata, const struct sim_control_reply *reply)
{
	struct bus_call *call = userdata;

	if (!is_refused(call, reply)) {
		bus_call_reply(call, DBUS_TYPE_INVALID);
	}
}

static void reply_data(void *userdata, const struct sim_control_reply *reply)
{
	struct bus_call *call = userdata;

	if (!is_refused(call, reply)) {
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
	STATISTIC(open_containers),  STATISTIC(open_groups),         STATISTIC(open_devices),
	STATISTIC(attached_groups),  STATISTIC(containers),          STATISTIC(registered_regions),
	STATISTIC(registered_bytes), STATISTIC(pinned_bytes),        STATISTIC(leaked_pinned_bytes),
	STATISTIC(windows),          STATISTIC(table_bytes),         STATISTIC(mapped_tces),
	STATISTIC(locked_bytes),     STATISTIC(leaked_locked_bytes), STATISTIC(live_mms),
	STATISTIC(connections),      STATISTIC(kernel_damage),
};

static int append_statistics(DBusMessageIter *iter, void *userdata)
{
	const char *statistics = userdata;
	DBusMessageIter dictionary;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "{st}", &dictionary)) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < sizeof(statistics_table) / sizeof(*statistics_table); i++) {
		const uint64_t *value = (const void *)(statistics + statistics_table[i].offset);

		if (face_append_record(&dictionary, DBUS_TYPE_DICT_ENTRY, DBUS_TYPE_STRING,
				       &statistics_table[i].name, DBUS_TYPE_UINT64, value,
				       DBUS_TYPE_INVALID) < 0) {
			dbus_message_iter_abandon_container(iter, &dictionary);
			return -ENOMEM;
		}
	}
	return dbus_message_iter_close_container(iter, &dictionary) ? 0 : -ENOMEM;
}

static void reply_statistics(void *userdata, const struct sim_control_reply *reply)
{
	struct bus_call *call = userdata;

	if (!is_refused(call, reply)) {
		struct sim_statistics statistics = reply->statistics;

		bus_call_reply_with(call, append_statistics, &statistics);
	}
}

/* -- DumpTces -- */

static int append_window(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct sim_dump_window *window = &((const struct sim_dump *)object)->window[i];

	return face_append_record(array, DBUS_TYPE_STRUCT, DBUS_TYPE_UINT64, &window->start,
				  DBUS_TYPE_UINT64, &window->size, DBUS_TYPE_UINT32,
				  &window->page_shift, DBUS_TYPE_UINT32, &window->levels,
				  DBUS_TYPE_UINT64, &window->mapped, DBUS_TYPE_INVALID);
}

static int append_entry(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct sim_dump_entry *tces = &((const struct sim_dump *)object)->entry[i];

	return face_append_record(array, DBUS_TYPE_STRUCT, DBUS_TYPE_UINT64, &tces->iova,
				  DBUS_TYPE_UINT64, &tces->ua, DBUS_TYPE_UINT64, &tces->size,
				  DBUS_TYPE_UINT32, &tces->permissions, DBUS_TYPE_INVALID);
}

static int append_dump(DBusMessageIter *iter, void *userdata)
{
	struct sim_dump *dump = userdata;
	dbus_bool_t more = dump->more != 0;

	if (face_append_array(iter, "(ttuut)", dump->window_count, append_window, dump) < 0 ||
	    face_append_array(iter, "(tttu)", dump->entry_count, append_entry, dump) < 0) {
		return -ENOMEM;
	}
	return face_append(iter, DBUS_TYPE_BOOLEAN, &more);
}

static void reply_dump(void *userdata, const struct sim_control_reply *reply)
{
	struct bus_call *call = userdata;

	if (!is_refused(call, reply)) {
		bus_call_reply_with(call, append_dump, reply->dump);
	}
}

/* -- rules -- */

static void reply_rule(void *userdata, const struct sim_control_reply *reply)
{
	struct bus_call *call = userdata;

	if (!is_refused(call, reply)) {
		bus_call_reply(call, DBUS_TYPE_UINT32, &reply->rule, DBUS_TYPE_INVALID);
	}
}

static void reply_rules(void *userdata, const struct sim_control_reply *reply)
{
	struct bus_call *call = userdata;

	if (!is_refused(call, reply)) {
		struct sim_control_reply copy = *reply;

		bus_call_reply_with(call, simulator_rules_append, &copy);
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

static void do_add_rule(struct bus_call *call, struct service *service)
{
	struct sim_rule rule = {.skip = 0};
	struct error error;
	int code = simulator_rule_read(call, &rule, &error);

	if (!code) {
		code = simulator_add_rule(service->simulator, &rule, reply_rule, call, &error);
	}
	fail_if(call, code, &error);
}

static void do_remove_rule(struct bus_call *call, struct service *service)
{
	dbus_uint32_t id = 0;
	struct error error;

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &id, DBUS_TYPE_INVALID);
	fail_if(call, simulator_remove_rule(service->simulator, id, reply_nothing, call, &error),
		&error);
}

static void do_clear_rules(struct bus_call *call, struct service *service)
{
	struct error error;

	fail_if(call, simulator_clear_rules(service->simulator, reply_nothing, call, &error),
		&error);
}

static void do_rules(struct bus_call *call, struct service *service)
{
	struct error error;

	fail_if(call, simulator_list_rules(service->simulator, reply_rules, call, &error), &error);
}

static const struct {
	const char *name;
	enum sim_freeze what;
} freeze_table[] = {
	{"io", SIM_FREEZE_IO},
	{"dma", SIM_FREEZE_DMA},
	{"both", SIM_FREEZE_BOTH},
	{"permanent", SIM_FREEZE_PERMANENT},
	{"unavailable", SIM_FREEZE_UNAVAILABLE},
};

static int read_freeze(const char *name, enum sim_freeze *ret_what, struct error *error)
{
	for (size_t i = 0; i < sizeof(freeze_table) / sizeof(*freeze_table); i++) {
		if (strcmp(freeze_table[i].name, name) == 0) {
			*ret_what = freeze_table[i].what;
			return 0;
		}
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, 0,
			 "nothing is called \"%.64s\" that can be frozen; there are io, dma, both, "
			 "permanent and unavailable",
			 name);
}

static void do_freeze(struct bus_call *call, struct service *service)
{
	enum sim_freeze what = SIM_FREEZE_BOTH;
	const char *name = NULL;
	dbus_uint32_t group = 0;
	struct error error;
	int code;

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &group, DBUS_TYPE_STRING, &name,
			    DBUS_TYPE_INVALID);
	code = read_freeze(name, &what, &error);
	if (!code) {
		code = simulator_freeze(service->simulator, group, what, reply_nothing, call,
					&error);
	}
	fail_if(call, code, &error);
}

static void do_unplug(struct bus_call *call, struct service *service)
{
	const char *device = NULL;
	struct error error;

	(void)bus_call_read(call, DBUS_TYPE_STRING, &device, DBUS_TYPE_INVALID);
	fail_if(call, simulator_unplug(service->simulator, device, reply_nothing, call, &error),
		&error);
}

static void do_plug(struct bus_call *call, struct service *service)
{
	const char *device = NULL;
	struct error error;

	(void)bus_call_read(call, DBUS_TYPE_STRING, &device, DBUS_TYPE_INVALID);
	fail_if(call, simulator_plug(service->simulator, device, reply_nothing, call, &error),
		&error);
}

static void do_dump_tces(struct bus_call *call, struct service *service)
{
	dbus_uint32_t group = 0;
	dbus_uint64_t from = 0;
	dbus_uint32_t most = 0;
	struct error error;

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &group, DBUS_TYPE_UINT64, &from,
			    DBUS_TYPE_UINT32, &most, DBUS_TYPE_INVALID);
	fail_if(call,
		simulator_dump(service->simulator, group, from, most, reply_dump, call, &error),
		&error);
}

static void do_statistics(struct bus_call *call, struct service *service)
{
	struct error error;

	fail_if(call, simulator_statistics(service->simulator, reply_statistics, call, &error),
		&error);
}

/* All of them are for root and the user that spaprd runs as. */
#define FOR_OPERATORS(verb)                                            \
	static void handle_##verb(struct bus_call *call, void *object) \
	{                                                              \
		face_authorise_operator(call, object, do_##verb);      \
	}

FOR_OPERATORS(dma_read)
FOR_OPERATORS(dma_write)
FOR_OPERATORS(freeze)
FOR_OPERATORS(fail_next)
FOR_OPERATORS(delay)
FOR_OPERATORS(add_rule)
FOR_OPERATORS(remove_rule)
FOR_OPERATORS(clear_rules)
FOR_OPERATORS(rules)
FOR_OPERATORS(unplug)
FOR_OPERATORS(plug)
FOR_OPERATORS(dump_tces)
FOR_OPERATORS(statistics)

static const struct bus_method methods[] = {
	{"DmaRead", "stu", "ay", handle_dma_read},
	{"DmaWrite", "stay", "", handle_dma_write},
	{"Freeze", "us", "", handle_freeze},
	{"FailNext", "sui", "", handle_fail_next},
	{"Delay", "su", "", handle_delay},
	{"AddRule", "sa{sv}", "u", handle_add_rule},
	{"RemoveRule", "u", "", handle_remove_rule},
	{"ClearRules", "", "", handle_clear_rules},
	{"Rules", "", "a(usua{sv})", handle_rules},
	{"Unplug", "s", "", handle_unplug},
	{"Plug", "s", "", handle_plug},
	{"DumpTces", "utu", "a(ttuut)a(tttu)b", handle_dump_tces},
	{"Statistics", "", "a{st}", handle_statistics},
	{.name = NULL},
};

const struct bus_interface simulator_interface = {
	.name = BUS_INTERFACE_SIMULATOR,
	.methods = methods,
	.xml = interface_xml_simulator,
};
