/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dictionaries a{sv} of the bus as plain structures: a table says which entries there are, with
 * which signature, and where they go.
 */
#pragma once

#include <dbus/dbus.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#define PROPERTIES_MALFORMED "spaprd's answer can't be right: "

/* Reads an entry's value into a member; 0, -ENOMEM, or -ERANGE for a value that can't be. */
typedef int (*value_reader)(DBusMessageIter *value, void *member);

struct property {
	const char *name;
	const char *signature;
	value_reader read;
	size_t member;
};

/* Strings of a message. */
struct property_strings {
	const char **items;
	size_t count;
};

/*
 * Read a dictionary into the members of an object. The table, of at most 32 properties, ends with
 * one that has no name. Entries that it doesn't have are skipped. The error names the object and
 * the entry that is not as it should be.
 */
int properties_read(const struct property *table, const char *object_name,
		    DBusMessageIter *dictionary, void *object, struct error *error);

/* The same, but any may be missing: its member stays as it is. */
int properties_read_some(const struct property *table, const char *object_name,
			 DBusMessageIter *dictionary, void *object, struct error *error);

/* -- readers -- */

/* For all basic types: the member has the width that D-Bus writes. */
int property_read_basic(DBusMessageIter *value, void *member);
int property_read_bool(DBusMessageIter *value, void *member);

/* A struct property_strings, whose items are freed by its owner. */
int property_read_strings(DBusMessageIter *value, void *member);

/* -- for readers -- */

/* Read a basic value and step to the next. */
void property_read_next(DBusMessageIter *iter, void *ret_value);

/* Add an element to an array, filled with zeros; NULL when there is no memory. */
void *property_array_add(void **array, size_t *count, size_t size);

int property_say_no_memory(struct error *error);
