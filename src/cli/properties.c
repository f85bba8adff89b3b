/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/properties.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"

int property_say_no_memory(struct error *error)
{
	return error_say(error, "there is no memory for what spaprd describes");
}

void *property_array_add(void **array, size_t *count, size_t size)
{
	char *larger = reallocarray(*array, *count + 1, size);

	if (!larger) {
		return NULL;
	}
	*array = larger;
	memset(larger + *count * size, 0, size);
	return larger + (*count)++ * size;
}

/* -- values -- */

int property_read_basic(DBusMessageIter *value, void *member)
{
	dbus_message_iter_get_basic(value, member);
	return 0;
}

int property_read_bool(DBusMessageIter *value, void *member)
{
	dbus_bool_t wide = FALSE;

	dbus_message_iter_get_basic(value, &wide);
	*(bool *)member = wide;
	return 0;
}

void property_read_next(DBusMessageIter *iter, void *ret_value)
{
	dbus_message_iter_get_basic(iter, ret_value);
	(void)dbus_message_iter_next(iter);
}

int property_read_strings(DBusMessageIter *value, void *member)
{
	struct property_strings *strings = member;
	DBusMessageIter entries;

	dbus_message_iter_recurse(value, &entries);
	while (dbus_message_iter_get_arg_type(&entries) != DBUS_TYPE_INVALID) {
		const char **item = property_array_add((void **)&strings->items, &strings->count,
						       sizeof(*strings->items));

		if (!item) {
			return -ENOMEM;
		}
		property_read_next(&entries, item);
	}
	return 0;
}

/* -- dictionaries -- */

static bool has_signature(DBusMessageIter *iter, const char *signature)
{
	char *found = dbus_message_iter_get_signature(iter);
	bool same = found && strcmp(found, signature) == 0;

	dbus_free(found);
	return same;
}

static int read_property(const struct property *property, const char *path, DBusMessageIter *value,
			 void *object, struct error *error)
{
	int r;

	if (!has_signature(value, property->signature)) {
		return error_say(error, PROPERTIES_MALFORMED "%s of %s is not of type %s",
				 property->name, path, property->signature);
	}
	r = property->read(value, (char *)object + property->member);
	if (r == -ENOMEM) {
		return property_say_no_memory(error);
	}
	if (r < 0) {
		return error_say(error,
				 PROPERTIES_MALFORMED "%s of %s has a value that is out of range",
				 property->name, path);
	}
	return 0;
}

static int check_complete(const struct property *table, unsigned int seen, const char *path,
			  struct error *error)
{
	for (unsigned int i = 0; table[i].name; i++) {
		if (!(seen & 1U << i)) {
			return error_say(error, PROPERTIES_MALFORMED "%s has no property %s", path,
					 table[i].name);
		}
	}
	return 0;
}

static int read_entries(const struct property *table, const char *object_name,
			DBusMessageIter *dictionary, void *object, unsigned int *ret_seen,
			struct error *error)
{
	DBusMessageIter entries;
	unsigned int seen = 0;

	dbus_message_iter_recurse(dictionary, &entries);
	for (; dbus_message_iter_get_arg_type(&entries) != DBUS_TYPE_INVALID;
	     (void)dbus_message_iter_next(&entries)) {
		DBusMessageIter entry;
		DBusMessageIter value;
		const char *name = NULL;
		unsigned int i = 0;
		int r;

		dbus_message_iter_recurse(&entries, &entry);
		property_read_next(&entry, &name);
		dbus_message_iter_recurse(&entry, &value);
		while (table[i].name && strcmp(table[i].name, name) != 0) {
			i++;
		}
		if (!table[i].name) {
			continue;
		}
		if (seen & 1U << i) {
			return error_say(error, PROPERTIES_MALFORMED "%s has two properties %s",
					 object_name, name);
		}
		seen |= 1U << i;
		r = read_property(&table[i], object_name, &value, object, error);
		if (r) {
			return r;
		}
	}
	*ret_seen = seen;
	return 0;
}

int properties_read(const struct property *table, const char *object_name,
		    DBusMessageIter *dictionary, void *object, struct error *error)
{
	unsigned int seen = 0;
	int r = read_entries(table, object_name, dictionary, object, &seen, error);

	return r ? r : check_complete(table, seen, object_name, error);
}

int properties_read_some(const struct property *table, const char *object_name,
			 DBusMessageIter *dictionary, void *object, struct error *error)
{
	unsigned int seen = 0;

	return read_entries(table, object_name, dictionary, object, &seen, error);
}
