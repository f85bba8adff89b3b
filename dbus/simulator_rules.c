/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus/simulator_rules.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "dbus/faces.h"

/* The options of a rule, in the words of the bus. */
static const struct {
	const char *name;
	int type;
	size_t offset;
} rule_options[] = {
	{"errno", DBUS_TYPE_INT32, offsetof(struct sim_rule, errnum)},
	{"result", DBUS_TYPE_INT32, offsetof(struct sim_rule, result)},
	{"milliseconds", DBUS_TYPE_UINT32, offsetof(struct sim_rule, milliseconds)},
	{"skip", DBUS_TYPE_UINT32, offsetof(struct sim_rule, skip)},
	{"every", DBUS_TYPE_UINT32, offsetof(struct sim_rule, every)},
	{"times", DBUS_TYPE_UINT32, offsetof(struct sim_rule, times)},
};

#define RULE_OPTION_COUNT (sizeof(rule_options) / sizeof(*rule_options))

static int read_option(struct sim_rule *rule, const char *key, DBusMessageIter *variant,
		       struct error *error)
{
	DBusMessageIter value;
	int type;

	dbus_message_iter_recurse(variant, &value);
	type = dbus_message_iter_get_arg_type(&value);
	for (size_t i = 0; i < RULE_OPTION_COUNT; i++) {
		if (strcmp(rule_options[i].name, key) == 0 && rule_options[i].type == type) {
			dbus_message_iter_get_basic(&value, (char *)rule + rule_options[i].offset);
			return 0;
		}
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, 0,
			 "option \"%.64s\" with a value of type '%c' is not known; there are errno "
			 "(i), result (i), milliseconds (u), skip (u), every (u) and times (u)",
			 key, type);
}

int simulator_rule_read(const struct bus_call *call, struct sim_rule *rule, struct error *error)
{
	DBusMessageIter arguments;
	DBusMessageIter dictionary;
	const char *operation = NULL;

	(void)dbus_message_iter_init(bus_call_message(call), &arguments);
	dbus_message_iter_get_basic(&arguments, &operation);
	sim_rule_name(rule, operation);
	(void)dbus_message_iter_next(&arguments);
	dbus_message_iter_recurse(&arguments, &dictionary);
	while (dbus_message_iter_get_arg_type(&dictionary) == DBUS_TYPE_DICT_ENTRY) {
		DBusMessageIter entry;
		const char *key = NULL;
		int code;

		dbus_message_iter_recurse(&dictionary, &entry);
		dbus_message_iter_get_basic(&entry, &key);
		(void)dbus_message_iter_next(&entry);
		code = read_option(rule, key, &entry, error);
		if (code) {
			return code;
		}
		(void)dbus_message_iter_next(&dictionary);
	}
	return 0;
}

static int append_variant(DBusMessageIter *entry, int type, const void *value)
{
	const char signature[] = {(char)type, '\0'};
	DBusMessageIter variant;

	if (!dbus_message_iter_open_container(entry, DBUS_TYPE_VARIANT, signature, &variant)) {
		return -ENOMEM;
	}
	if (face_append(&variant, type, value) < 0) {
		dbus_message_iter_abandon_container(entry, &variant);
		return -ENOMEM;
	}
	return dbus_message_iter_close_container(entry, &variant) ? 0 : -ENOMEM;
}

static int append_option(DBusMessageIter *dictionary, const char *name, int type, const void *value)
{
	DBusMessageIter entry;

	if (!dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry)) {
		return -ENOMEM;
	}
	if (face_append(&entry, DBUS_TYPE_STRING, &name) < 0 ||
	    append_variant(&entry, type, value) < 0) {
		dbus_message_iter_abandon_container(dictionary, &entry);
		return -ENOMEM;
	}
	return dbus_message_iter_close_container(dictionary, &entry) ? 0 : -ENOMEM;
}

/* Those that were given, which are those that are not 0. */
static int append_options(DBusMessageIter *iter, const struct sim_rule *rule)
{
	DBusMessageIter dictionary;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "{sv}", &dictionary)) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < RULE_OPTION_COUNT; i++) {
		const void *value = (const char *)rule + rule_options[i].offset;
		uint32_t number;

		memcpy(&number, value, sizeof(number));
		if (number != 0 && append_option(&dictionary, rule_options[i].name,
						 rule_options[i].type, value) < 0) {
			dbus_message_iter_abandon_container(iter, &dictionary);
			return -ENOMEM;
		}
	}
	return dbus_message_iter_close_container(iter, &dictionary) ? 0 : -ENOMEM;
}

static int append_rule(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct sim_control_reply *reply = object;
	const struct sim_listed_rule *rule = &reply->rules[i];
	const char *operation = rule->rule.operation;
	DBusMessageIter entry;

	if (!dbus_message_iter_open_container(array, DBUS_TYPE_STRUCT, NULL, &entry)) {
		return -ENOMEM;
	}
	if (face_append(&entry, DBUS_TYPE_UINT32, &rule->id) < 0 ||
	    face_append(&entry, DBUS_TYPE_STRING, &operation) < 0 ||
	    face_append(&entry, DBUS_TYPE_UINT32, &rule->acted) < 0 ||
	    append_options(&entry, &rule->rule) < 0) {
		dbus_message_iter_abandon_container(array, &entry);
		return -ENOMEM;
	}
	return dbus_message_iter_close_container(array, &entry) ? 0 : -ENOMEM;
}

int simulator_rules_append(DBusMessageIter *iter, void *userdata)
{
	struct sim_control_reply *reply = userdata;

	return face_append_array(iter, "(usua{sv})", (uint32_t)reply->rule_count, append_rule,
				 reply);
}
