/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sim_remote.h"

#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "common/cleanup.h"
#include "common/names.h"

/* As many entries as one answer of DumpTces may have. */
#define ENTRIES_AT_ONCE 1024U

static DBusMessage *prepare(const char *method)
{
	return client_prepare(BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, method);
}

static int complain_of_memory(struct error *error)
{
	return error_say(error, "there is no memory for spaprd's answer");
}

int sim_remote_freeze(struct client *client, uint32_t group, const char *what, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = prepare("Freeze");

	call = client_message_if(call && dbus_message_append_args(call, DBUS_TYPE_UINT32, &group,
								  DBUS_TYPE_STRING, &what,
								  DBUS_TYPE_INVALID),
				 call);
	return client_call_void(client, call, error);
}

static int call_with_device(struct client *client, const char *method, const char *device,
			    struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = prepare(method);

	call = client_message_if(call && dbus_message_append_args(call, DBUS_TYPE_STRING, &device,
								  DBUS_TYPE_INVALID),
				 call);
	return client_call_void(client, call, error);
}

int sim_remote_unplug(struct client *client, const char *device, struct error *error)
{
	return call_with_device(client, "Unplug", device, error);
}

int sim_remote_plug(struct client *client, const char *device, struct error *error)
{
	return call_with_device(client, "Plug", device, error);
}

int sim_remote_delay(struct client *client, const char *operation, uint32_t milliseconds,
		     struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = prepare("Delay");

	call = client_message_if(call && dbus_message_append_args(call, DBUS_TYPE_STRING,
								  &operation, DBUS_TYPE_UINT32,
								  &milliseconds, DBUS_TYPE_INVALID),
				 call);
	return client_call_void(client, call, error);
}

/* -- rules -- */

static const struct {
	const char *name;
	int type;
	size_t offset;
} rule_options[] = {
	{"errno", DBUS_TYPE_INT32, offsetof(struct sim_remote_rule, errnum)},
	{"result", DBUS_TYPE_INT32, offsetof(struct sim_remote_rule, result)},
	{"milliseconds", DBUS_TYPE_UINT32, offsetof(struct sim_remote_rule, milliseconds)},
	{"skip", DBUS_TYPE_UINT32, offsetof(struct sim_remote_rule, skip)},
	{"every", DBUS_TYPE_UINT32, offsetof(struct sim_remote_rule, every)},
	{"times", DBUS_TYPE_UINT32, offsetof(struct sim_remote_rule, times)},
};

#define RULE_OPTION_COUNT (sizeof(rule_options) / sizeof(*rule_options))

/* A message that can't be filled is thrown away as a whole, so nothing is undone here. */
static dbus_bool_t append_option(DBusMessageIter *dictionary, const char *name, int type,
				 const void *value)
{
	const char signature[] = {(char)type, '\0'};
	DBusMessageIter entry;
	DBusMessageIter variant;

	return dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
	       dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &name) &&
	       dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant) &&
	       dbus_message_iter_append_basic(&variant, type, value) &&
	       dbus_message_iter_close_container(&entry, &variant) &&
	       dbus_message_iter_close_container(dictionary, &entry);
}

static dbus_bool_t append_rule(DBusMessage *call, const struct sim_remote_rule *rule)
{
	DBusMessageIter iter;
	DBusMessageIter dictionary;

	dbus_message_iter_init_append(call, &iter);
	if (!dbus_message_iter_append_basic(&iter, DBUS_TYPE_STRING, &rule->operation) ||
	    !dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &dictionary)) {
		return FALSE;
	}
	for (size_t i = 0; i < RULE_OPTION_COUNT; i++) {
		const void *value = (const char *)rule + rule_options[i].offset;
		uint32_t number;

		memcpy(&number, value, sizeof(number));
		if (number != 0 && !append_option(&dictionary, rule_options[i].name,
						  rule_options[i].type, value)) {
			return FALSE;
		}
	}
	return dbus_message_iter_close_container(&iter, &dictionary);
}

int sim_remote_add_rule(struct client *client, const struct sim_remote_rule *rule, uint32_t *ret_id,
			struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = prepare("AddRule");
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	int r;

	call = client_message_if(call && append_rule(call, rule), call);
	r = client_call(client, call, "u", &reply, error);
	if (r == 0) {
		(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, ret_id,
					    DBUS_TYPE_INVALID);
	}
	return r;
}

int sim_remote_remove_rule(struct client *client, uint32_t id, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = prepare("RemoveRule");

	call = client_message_if(
		call && dbus_message_append_args(call, DBUS_TYPE_UINT32, &id, DBUS_TYPE_INVALID),
		call);
	return client_call_void(client, call, error);
}

int sim_remote_clear_rules(struct client *client, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = prepare("ClearRules");

	return client_call_void(client, call, error);
}

/* Options that a later spaprd may have are passed over. */
static void read_option(DBusMessageIter *entry, struct sim_remote_rule *rule)
{
	const char *key = NULL;
	DBusMessageIter value;

	dbus_message_iter_get_basic(entry, &key);
	(void)dbus_message_iter_next(entry);
	dbus_message_iter_recurse(entry, &value);
	for (size_t i = 0; i < RULE_OPTION_COUNT; i++) {
		if (strcmp(rule_options[i].name, key) == 0 &&
		    rule_options[i].type == dbus_message_iter_get_arg_type(&value)) {
			dbus_message_iter_get_basic(&value, (char *)rule + rule_options[i].offset);
		}
	}
}

static void read_rule(DBusMessageIter *array, struct sim_remote_rule *rule)
{
	const char *operation = NULL;
	DBusMessageIter part;
	DBusMessageIter dictionary;

	dbus_message_iter_recurse(array, &part);
	dbus_message_iter_get_basic(&part, &rule->id);
	(void)dbus_message_iter_next(&part);
	dbus_message_iter_get_basic(&part, &operation);
	rule->operation = strdup(operation);
	(void)dbus_message_iter_next(&part);
	dbus_message_iter_get_basic(&part, &rule->acted);
	(void)dbus_message_iter_next(&part);
	dbus_message_iter_recurse(&part, &dictionary);
	while (dbus_message_iter_get_arg_type(&dictionary) == DBUS_TYPE_DICT_ENTRY) {
		DBusMessageIter entry;

		dbus_message_iter_recurse(&dictionary, &entry);
		read_option(&entry, rule);
		(void)dbus_message_iter_next(&dictionary);
	}
}

/* Make room for the entries of the array that the iterator is at, and go into it. */
static void *open_array(DBusMessageIter *iter, size_t size, size_t *ret_count,
			DBusMessageIter *ret_array)
{
	*ret_count = (size_t)dbus_message_iter_get_element_count(iter);
	dbus_message_iter_recurse(iter, ret_array);
	return calloc(*ret_count > 0 ? *ret_count : 1, size);
}

int sim_remote_list_rules(struct client *client, struct sim_remote_rules *ret_rules,
			  struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = prepare("Rules");
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	struct sim_remote_rules rules = SIM_REMOTE_RULES_NONE;
	bool complete = true;
	DBusMessageIter iter;
	DBusMessageIter array;
	size_t count;
	int r = client_call(client, call, "a(usua{sv})", &reply, error);

	if (r) {
		return r;
	}
	(void)dbus_message_iter_init(reply, &iter);
	rules.items = open_array(&iter, sizeof(*rules.items), &count, &array);
	for (size_t i = 0; rules.items && i < count; i++) {
		read_rule(&array, &rules.items[i]);
		complete = complete && rules.items[i].operation;
		rules.count++;
		(void)dbus_message_iter_next(&array);
	}
	if (!rules.items || !complete) {
		sim_remote_rules_done(&rules);
		return complain_of_memory(error);
	}
	*ret_rules = rules;
	return 0;
}

void sim_remote_rules_done(struct sim_remote_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		free(rules->items[i].operation);
	}
	free(rules->items);
	*rules = SIM_REMOTE_RULES_NONE;
}

/* -- TCEs -- */

/* The next value of a struct. */
static void take(DBusMessageIter *part, void *ret_value)
{
	dbus_message_iter_get_basic(part, ret_value);
	(void)dbus_message_iter_next(part);
}

static int read_windows(DBusMessageIter *iter, struct sim_remote_tces *tces, struct error *error)
{
	DBusMessageIter array;

	free(tces->windows);
	tces->windows = open_array(iter, sizeof(*tces->windows), &tces->window_count, &array);
	if (!tces->windows) {
		tces->window_count = 0;
		return complain_of_memory(error);
	}
	for (size_t i = 0; i < tces->window_count; i++) {
		struct sim_remote_window *window = &tces->windows[i];
		DBusMessageIter part;

		dbus_message_iter_recurse(&array, &part);
		take(&part, &window->range.start);
		take(&part, &window->range.size);
		take(&part, &window->page_shift);
		take(&part, &window->levels);
		take(&part, &window->mapped);
		(void)dbus_message_iter_next(&array);
	}
	return 0;
}

static int check_entry(const struct sim_remote_tces *tces, struct range range, struct error *error)
{
	const struct sim_remote_entry *last =
		tces->entry_count > 0 ? &tces->entries[tces->entry_count - 1] : NULL;

	if (!range_is_valid(range.start, range.size) || range.size == 0 ||
	    (last && range.start < last->range.start + last->range.size)) {
		return error_say(error,
				 "spaprd's answer can't be right: DumpTces returned TCEs in a wild "
				 "order");
	}
	return 0;
}

static int read_entries(DBusMessageIter *iter, struct sim_remote_tces *tces, struct error *error)
{
	size_t count = (size_t)dbus_message_iter_get_element_count(iter);
	struct sim_remote_entry *entries =
		reallocarray(tces->entries, tces->entry_count + count + 1, sizeof(*entries));
	DBusMessageIter array;

	if (!entries) {
		return complain_of_memory(error);
	}
	tces->entries = entries;
	dbus_message_iter_recurse(iter, &array);
	for (size_t i = 0; i < count; i++) {
		struct sim_remote_entry entry = {.address = 0};
		uint32_t permissions = 0;
		DBusMessageIter part;
		int r;

		dbus_message_iter_recurse(&array, &part);
		take(&part, &entry.range.start);
		take(&part, &entry.address);
		take(&part, &entry.range.size);
		take(&part, &permissions);
		entry.readable = permissions & 1U;
		entry.writable = permissions & 2U;
		r = check_entry(tces, entry.range, error);
		if (r) {
			return r;
		}
		tces->entries[tces->entry_count++] = entry;
		(void)dbus_message_iter_next(&array);
	}
	return 0;
}

/* One answer's worth, from an IOVA on. */
static int read_some(struct client *client, uint32_t group, uint64_t from,
		     struct sim_remote_tces *tces, bool *ret_more, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = prepare("DumpTces");
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	const uint32_t most = ENTRIES_AT_ONCE;
	size_t before = tces->entry_count;
	dbus_bool_t more = FALSE;
	DBusMessageIter iter;
	int r;

	call = client_message_if(
		call && dbus_message_append_args(call, DBUS_TYPE_UINT32, &group, DBUS_TYPE_UINT64,
						 &from, DBUS_TYPE_UINT32, &most, DBUS_TYPE_INVALID),
		call);
	r = client_call(client, call, "a(ttuut)a(tttu)b", &reply, error);
	if (r) {
		return r;
	}
	(void)dbus_message_iter_init(reply, &iter);
	r = read_windows(&iter, tces, error);
	if (r == 0) {
		(void)dbus_message_iter_next(&iter);
		r = read_entries(&iter, tces, error);
	}
	if (r == 0) {
		(void)dbus_message_iter_next(&iter);
		dbus_message_iter_get_basic(&iter, &more);
		*ret_more = more && tces->entry_count > before;
	}
	return r;
}

int sim_remote_read_tces(struct client *client, uint32_t group, struct sim_remote_tces *ret_tces,
			 struct error *error)
{
	struct sim_remote_tces tces = SIM_REMOTE_TCES_NONE;
	uint64_t from = 0;
	bool more = true;

	while (more) {
		int r = read_some(client, group, from, &tces, &more, error);

		if (r) {
			sim_remote_tces_done(&tces);
			return r;
		}
		if (more) {
			const struct range *last = &tces.entries[tces.entry_count - 1].range;

			from = last->start + last->size;
			more = from > last->start; /* behind the last address is nothing */
		}
	}
	*ret_tces = tces;
	return 0;
}

void sim_remote_tces_done(struct sim_remote_tces *tces)
{
	free(tces->windows);
	free(tces->entries);
	*tces = SIM_REMOTE_TCES_NONE;
}

/* -- statistics -- */

int sim_remote_read_counters(struct client *client, struct sim_remote_counters *ret_counters,
			     struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = prepare("Statistics");
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	struct sim_remote_counters counters = SIM_REMOTE_COUNTERS_NONE;
	bool complete = true;
	DBusMessageIter iter;
	DBusMessageIter array;
	size_t count;
	int r = client_call(client, call, "a{st}", &reply, error);

	if (r) {
		return r;
	}
	(void)dbus_message_iter_init(reply, &iter);
	counters.items = open_array(&iter, sizeof(*counters.items), &count, &array);
	for (size_t i = 0; counters.items && i < count; i++) {
		const char *name = NULL;
		DBusMessageIter part;

		dbus_message_iter_recurse(&array, &part);
		take(&part, &name);
		take(&part, &counters.items[i].value);
		counters.items[i].name = strdup(name);
		complete = complete && counters.items[i].name;
		counters.count++;
		(void)dbus_message_iter_next(&array);
	}
	if (!counters.items || !complete) {
		sim_remote_counters_done(&counters);
		return complain_of_memory(error);
	}
	*ret_counters = counters;
	return 0;
}

void sim_remote_counters_done(struct sim_remote_counters *counters)
{
	for (size_t i = 0; i < counters->count; i++) {
		free(counters->items[i].name);
	}
	free(counters->items);
	*counters = SIM_REMOTE_COUNTERS_NONE;
}
