/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "common/cleanup.h"
#include "common/names.h"

#define MALFORMED "spaprd's answer can't be right: "

static int say_no_memory(struct error *error)
{
	return error_say(error, "there is no memory for what spaprd describes");
}

/* Add an element to an array, filled with zeros; NULL when there is no memory. */
static void *array_add(void **array, size_t *count, size_t size)
{
	char *larger = reallocarray(*array, *count + 1, size);

	if (!larger) {
		return NULL;
	}
	*array = larger;
	memset(larger + *count * size, 0, size);
	return larger + (*count)++ * size;
}

/* -- values: each reader knows the signature of its value -- */

/* Reads a property's value into a member; 0, -ENOMEM, or -ERANGE for a value that can't be. */
typedef int (*value_reader)(DBusMessageIter *value, void *member);

/* For all basic types: the member has the width that D-Bus writes. */
static int read_basic(DBusMessageIter *value, void *member)
{
	dbus_message_iter_get_basic(value, member);
	return 0;
}

static int read_bool(DBusMessageIter *value, void *member)
{
	dbus_bool_t wide = FALSE;

	dbus_message_iter_get_basic(value, &wide);
	*(bool *)member = wide;
	return 0;
}

static void read_next(DBusMessageIter *iter, void *ret_value)
{
	dbus_message_iter_get_basic(iter, ret_value);
	(void)dbus_message_iter_next(iter);
}

static int read_strings(DBusMessageIter *value, void *member)
{
	struct model_strings *strings = member;
	DBusMessageIter entries;

	dbus_message_iter_recurse(value, &entries);
	while (dbus_message_iter_get_arg_type(&entries) != DBUS_TYPE_INVALID) {
		const char **item = array_add((void **)&strings->items, &strings->count,
					      sizeof(*strings->items));

		if (!item) {
			return -ENOMEM;
		}
		read_next(&entries, item);
	}
	return 0;
}

static int compare_addresses(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_windows(const void *a, const void *b)
{
	return compare_addresses(((const struct model_window *)a)->range.start,
				 ((const struct model_window *)b)->range.start);
}

static int compare_memories(const void *a, const void *b)
{
	return compare_addresses(((const struct model_memory *)a)->range.start,
				 ((const struct model_memory *)b)->range.start);
}

static void sort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	/* qsort wants an array even for no elements. */
	if (count > 0) {
		qsort(items, count, size, compare);
	}
}

static int read_windows(DBusMessageIter *value, void *member)
{
	struct model_windows *windows = member;
	DBusMessageIter entries;

	dbus_message_iter_recurse(value, &entries);
	while (dbus_message_iter_get_arg_type(&entries) != DBUS_TYPE_INVALID) {
		struct model_window *window = array_add((void **)&windows->items, &windows->count,
							sizeof(*windows->items));
		DBusMessageIter entry;
		struct error error;

		if (!window) {
			return -ENOMEM;
		}
		dbus_message_iter_recurse(&entries, &entry);
		read_next(&entry, &window->range.start);
		read_next(&entry, &window->range.size);
		read_next(&entry, &window->page_shift);
		read_next(&entry, &window->levels);
		if (model_window_check(window, &error)) {
			return -ERANGE;
		}
		(void)dbus_message_iter_next(&entries);
	}
	sort(windows->items, windows->count, sizeof(*windows->items), compare_windows);
	return 0;
}

static int read_memories(DBusMessageIter *value, void *member)
{
	struct model_memories *memories = member;
	DBusMessageIter entries;

	dbus_message_iter_recurse(value, &entries);
	while (dbus_message_iter_get_arg_type(&entries) != DBUS_TYPE_INVALID) {
		struct model_memory *memory = array_add((void **)&memories->items, &memories->count,
							sizeof(*memories->items));
		DBusMessageIter entry;

		if (!memory) {
			return -ENOMEM;
		}
		dbus_message_iter_recurse(&entries, &entry);
		read_next(&entry, &memory->id);
		read_next(&entry, &memory->range.start);
		read_next(&entry, &memory->range.size);
		read_next(&entry, &memory->offset);
		read_next(&entry, &memory->flags);
		if (!range_is_valid(memory->range.start, memory->range.size)) {
			return -ERANGE;
		}
		(void)dbus_message_iter_next(&entries);
	}
	sort(memories->items, memories->count, sizeof(*memories->items), compare_memories);
	return 0;
}

static int read_range(DBusMessageIter *value, void *member)
{
	struct range *range = member;
	DBusMessageIter pair;

	dbus_message_iter_recurse(value, &pair);
	read_next(&pair, &range->start);
	read_next(&pair, &range->size);
	return range->size == 0 || range_is_valid(range->start, range->size) ? 0 : -ERANGE;
}

/* Components that this version doesn't know are skipped. */
static int read_locked(DBusMessageIter *value, void *member)
{
	struct model_locked *locked = member;
	const struct {
		const char *name;
		uint64_t *bytes;
	} components[] = {
		{"pins", &locked->pins},
		{"tables", &locked->tables},
		{"leaks", &locked->leaks},
	};
	DBusMessageIter entries;

	dbus_message_iter_recurse(value, &entries);
	while (dbus_message_iter_get_arg_type(&entries) != DBUS_TYPE_INVALID) {
		DBusMessageIter entry;
		const char *name = NULL;

		dbus_message_iter_recurse(&entries, &entry);
		read_next(&entry, &name);
		for (size_t i = 0; i < sizeof(components) / sizeof(*components); i++) {
			if (strcmp(components[i].name, name) == 0) {
				dbus_message_iter_get_basic(&entry, components[i].bytes);
			}
		}
		(void)dbus_message_iter_next(&entries);
	}
	return 0;
}

static int read_page_size(DBusMessageIter *value, void *member)
{
	uint32_t *size = member;

	dbus_message_iter_get_basic(value, size);
	return is_power_of_two(*size) ? 0 : -ERANGE;
}

/* -- properties: one table for each interface -- */

struct property {
	const char *name;
	const char *signature;
	value_reader read;
	size_t member;
};

#define HOST(member)      offsetof(struct model_host, member)
#define GROUP(member)     offsetof(struct model_group, member)
#define DEVICE(member)    offsetof(struct model_device, member)
#define SPACE(member)     offsetof(struct model_space, member)
#define CONTAINER(member) offsetof(struct model_container, member)

static const struct property host_properties[] = {
	{"Version", "s", read_basic, HOST(version)},
	{"Host", "s", read_basic, HOST(kind)},
	{"Simulated", "b", read_bool, HOST(simulated)},
	{"PageSize", "u", read_page_size, HOST(page_size)},
	{"IommuTypes", "as", read_strings, HOST(iommu_types)},
	{"MemoryMax", "t", read_basic, HOST(memory_max)},
	{"LockedBytes", "t", read_basic, HOST(locked_bytes)},
	{.name = NULL},
};

static const struct property group_properties[] = {
	{"Id", "u", read_basic, GROUP(id)},
	{"Viable", "b", read_bool, GROUP(viable)},
	{"Devices", "ao", read_strings, GROUP(devices)},
	{"AddressSpace", "o", read_basic, GROUP(space)},
	{"Container", "o", read_basic, GROUP(container)},
	{"PeNumber", "u", read_basic, GROUP(pe_number)},
	{"PhbId", "u", read_basic, GROUP(phb_id)},
	{.name = NULL},
};

static const struct property device_properties[] = {
	{"Name", "s", read_basic, DEVICE(name)},
	{"Vendor", "q", read_basic, DEVICE(vendor)},
	{"Device", "q", read_basic, DEVICE(device)},
	{"Class", "u", read_basic, DEVICE(class)},
	{"Driver", "s", read_basic, DEVICE(driver)},
	{"Group", "o", read_basic, DEVICE(group)},
	{.name = NULL},
};

static const struct property space_properties[] = {
	{"Name", "s", read_basic, SPACE(name)},
	{"Owner", "s", read_basic, SPACE(owner)},
	{"Uid", "u", read_basic, SPACE(uid)},
	{"Memory", "a(utttu)", read_memories, SPACE(memory)},
	{"Windows", "a(ttuu)", read_windows, SPACE(windows)},
	{"Containers", "ao", read_strings, SPACE(containers)},
	{"Mappings", "t", read_basic, SPACE(mappings)},
	{"MappedBytes", "t", read_basic, SPACE(mapped_bytes)},
	{"LockedBytes", "t", read_basic, SPACE(locked_bytes)},
	{"Locked", "a{st}", read_locked, SPACE(locked)},
	{.name = NULL},
};

static const struct property container_properties[] = {
	{"IommuType", "s", read_basic, CONTAINER(iommu_type)},
	{"Groups", "ao", read_strings, CONTAINER(groups)},
	{"PageSizes", "t", read_basic, CONTAINER(page_sizes)},
	{"DefaultWindow", "(tt)", read_range, CONTAINER(default_window)},
	{"MaxWindows", "u", read_basic, CONTAINER(max_windows)},
	{"MaxLevels", "u", read_basic, CONTAINER(max_levels)},
	{"Eeh", "b", read_bool, CONTAINER(eeh)},
	{.name = NULL},
};

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
		return error_say(error, MALFORMED "%s of %s is not of type %s", property->name,
				 path, property->signature);
	}
	r = property->read(value, (char *)object + property->member);
	if (r == -ENOMEM) {
		return say_no_memory(error);
	}
	if (r < 0) {
		return error_say(error, MALFORMED "%s of %s has a value that is out of range",
				 property->name, path);
	}
	return 0;
}

static int check_complete(const struct property *table, unsigned int seen, const char *path,
			  struct error *error)
{
	for (unsigned int i = 0; table[i].name; i++) {
		if (!(seen & 1U << i)) {
			return error_say(error, MALFORMED "%s has no property %s", path,
					 table[i].name);
		}
	}
	return 0;
}

/* Read a dictionary a{sv} into the members of an object. */
static int read_properties(const struct property *table, const char *path,
			   DBusMessageIter *dictionary, void *object, struct error *error)
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
		read_next(&entry, &name);
		dbus_message_iter_recurse(&entry, &value);
		while (table[i].name && strcmp(table[i].name, name) != 0) {
			i++;
		}
		if (!table[i].name) {
			continue;
		}
		if (seen & 1U << i) {
			return error_say(error, MALFORMED "%s has two properties %s", path, name);
		}
		seen |= 1U << i;
		r = read_property(&table[i], path, &value, object, error);
		if (r) {
			return r;
		}
	}
	return check_complete(table, seen, path, error);
}

/* -- objects -- */

/* Read a number that ends at `end` (a character or the terminating zero); NULL if there is none. */
static const char *read_number(const char *text, char end, uint32_t *ret_number)
{
	uint64_t number = 0;
	const char *c = text;

	for (; *c >= '0' && *c <= '9' && number <= UINT32_MAX; c++) {
		number = 10 * number + (uint64_t)(*c - '0');
	}
	if (c == text || *c != end || number > UINT32_MAX) {
		return NULL;
	}
	*ret_number = (uint32_t)number;
	return c;
}

static bool read_space_path(const char *path, uint32_t *ret_number)
{
	size_t prefix = strlen(BUS_PATH_SPACE_PREFIX);

	return strncmp(path, BUS_PATH_SPACE_PREFIX, prefix) == 0 &&
	       read_number(path + prefix, '\0', ret_number);
}

static bool read_container_path(const char *path, uint32_t *ret_number)
{
	static const char infix[] = "/container/";
	size_t prefix = strlen(BUS_PATH_SPACE_PREFIX);
	const char *rest = NULL;
	uint32_t space;

	if (strncmp(path, BUS_PATH_SPACE_PREFIX, prefix) == 0) {
		rest = read_number(path + prefix, '/', &space);
	}
	return rest && strncmp(rest, infix, strlen(infix)) == 0 &&
	       read_number(rest + strlen(infix), '\0', ret_number);
}

static int read_group(struct model *model, const char *path, DBusMessageIter *dictionary,
		      struct error *error)
{
	struct model_group *group =
		array_add((void **)&model->groups, &model->group_count, sizeof(*group));

	if (!group) {
		return say_no_memory(error);
	}
	group->path = path;
	return read_properties(group_properties, path, dictionary, group, error);
}

static int read_device(struct model *model, const char *path, DBusMessageIter *dictionary,
		       struct error *error)
{
	struct model_device *device =
		array_add((void **)&model->devices, &model->device_count, sizeof(*device));

	if (!device) {
		return say_no_memory(error);
	}
	device->path = path;
	return read_properties(device_properties, path, dictionary, device, error);
}

static int read_space(struct model *model, const char *path, DBusMessageIter *dictionary,
		      struct error *error)
{
	struct model_space *space =
		array_add((void **)&model->spaces, &model->space_count, sizeof(*space));

	if (!space) {
		return say_no_memory(error);
	}
	space->path = path;
	if (!read_space_path(path, &space->number)) {
		return error_say(error, MALFORMED "%.128s is not the path of an address space",
				 path);
	}
	return read_properties(space_properties, path, dictionary, space, error);
}

static int read_container(struct model *model, const char *path, DBusMessageIter *dictionary,
			  struct error *error)
{
	struct model_container *container =
		array_add((void **)&model->containers, &model->container_count, sizeof(*container));

	if (!container) {
		return say_no_memory(error);
	}
	container->path = path;
	if (!read_container_path(path, &container->number)) {
		return error_say(error, MALFORMED "%.128s is not the path of a container", path);
	}
	return read_properties(container_properties, path, dictionary, container, error);
}

static int read_interface(struct model *model, const char *path, const char *interface,
			  DBusMessageIter *dictionary, struct error *error)
{
	static const struct {
		const char *interface;
		int (*read)(struct model *model, const char *path, DBusMessageIter *dictionary,
			    struct error *error);
	} table[] = {
		{BUS_INTERFACE_GROUP, read_group},
		{BUS_INTERFACE_DEVICE, read_device},
		{BUS_INTERFACE_SPACE, read_space},
		{BUS_INTERFACE_CONTAINER, read_container},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (strcmp(interface, table[i].interface) == 0) {
			return table[i].read(model, path, dictionary, error);
		}
	}
	return 0;
}

static int read_object(struct model *model, DBusMessageIter *object, struct error *error)
{
	DBusMessageIter entry;
	DBusMessageIter interfaces;
	const char *path = NULL;

	dbus_message_iter_recurse(object, &entry);
	read_next(&entry, &path);
	dbus_message_iter_recurse(&entry, &interfaces);
	while (dbus_message_iter_get_arg_type(&interfaces) != DBUS_TYPE_INVALID) {
		DBusMessageIter pair;
		const char *interface = NULL;
		int r;

		dbus_message_iter_recurse(&interfaces, &pair);
		read_next(&pair, &interface);
		r = read_interface(model, path, interface, &pair, error);
		if (r) {
			return r;
		}
		(void)dbus_message_iter_next(&interfaces);
	}
	return 0;
}

static int read_objects(struct model *model, struct error *error)
{
	DBusMessageIter arguments;
	DBusMessageIter objects;

	(void)dbus_message_iter_init(model->objects_reply, &arguments);
	dbus_message_iter_recurse(&arguments, &objects);
	while (dbus_message_iter_get_arg_type(&objects) != DBUS_TYPE_INVALID) {
		int r = read_object(model, &objects, error);

		if (r) {
			return r;
		}
		(void)dbus_message_iter_next(&objects);
	}
	return 0;
}

/* -- order: the bus has none -- */

static int compare_groups(const void *a, const void *b)
{
	return compare_addresses(((const struct model_group *)a)->id,
				 ((const struct model_group *)b)->id);
}

static int compare_devices(const void *a, const void *b)
{
	return strcmp(((const struct model_device *)a)->name,
		      ((const struct model_device *)b)->name);
}

static int compare_spaces(const void *a, const void *b)
{
	return compare_addresses(((const struct model_space *)a)->number,
				 ((const struct model_space *)b)->number);
}

static int compare_containers(const void *a, const void *b)
{
	return compare_addresses(((const struct model_container *)a)->number,
				 ((const struct model_container *)b)->number);
}

static void sort_objects(struct model *model)
{
	sort(model->groups, model->group_count, sizeof(*model->groups), compare_groups);
	sort(model->devices, model->device_count, sizeof(*model->devices), compare_devices);
	sort(model->spaces, model->space_count, sizeof(*model->spaces), compare_spaces);
	sort(model->containers, model->container_count, sizeof(*model->containers),
	     compare_containers);
}

/* -- the model -- */

int model_new(DBusMessage *host_reply, DBusMessage *objects_reply, struct model **ret_model,
	      struct error *error)
{
	struct model *model cleanup(cleanup_model) = NULL;
	DBusMessageIter arguments;
	int r;

	if (!dbus_message_has_signature(host_reply, "a{sv}") ||
	    !dbus_message_has_signature(objects_reply, "a{oa{sa{sv}}}")) {
		return error_say(error, MALFORMED "it is not a description of objects");
	}
	model = calloc(1, sizeof(*model));
	if (!model) {
		return say_no_memory(error);
	}
	model->host_reply = dbus_message_ref(host_reply);
	model->objects_reply = dbus_message_ref(objects_reply);
	(void)dbus_message_iter_init(host_reply, &arguments);
	r = read_properties(host_properties, BUS_PATH_MANAGER, &arguments, &model->host, error);
	if (r) {
		return r;
	}
	r = read_objects(model, error);
	if (r) {
		return r;
	}
	sort_objects(model);
	*ret_model = steal_pointer(model);
	return 0;
}

struct model *model_free(struct model *model)
{
	if (!model) {
		return NULL;
	}
	for (size_t i = 0; i < model->group_count; i++) {
		free(model->groups[i].devices.items);
	}
	for (size_t i = 0; i < model->space_count; i++) {
		free(model->spaces[i].memory.items);
		free(model->spaces[i].windows.items);
		free(model->spaces[i].containers.items);
	}
	for (size_t i = 0; i < model->container_count; i++) {
		free(model->containers[i].groups.items);
	}
	free(model->host.iommu_types.items);
	free(model->groups);
	free(model->devices);
	free(model->spaces);
	free(model->containers);
	dbus_message_unref(model->host_reply);
	dbus_message_unref(model->objects_reply);
	free(model);
	return NULL;
}

/* -- questions -- */

#define FIND(member)                                                                \
	const struct model_##member *model_find_##member(const struct model *model, \
							 const char *path)          \
	{                                                                           \
		for (size_t i = 0; i < model->member##_count; i++) {                \
			if (strcmp(model->member##s[i].path, path) == 0) {          \
				return &model->member##s[i];                        \
			}                                                           \
		}                                                                   \
		return NULL;                                                        \
	}

FIND(group)
FIND(device)
FIND(space)
FIND(container)

int model_window_check(const struct model_window *window, struct error *error)
{
	if (!range_is_valid(window->range.start, window->range.size) || window->page_shift > 63) {
		return error_say(error,
				 MALFORMED "a window at 0x%" PRIx64 " of 0x%" PRIx64
					   " bytes with pages of 2^%" PRIu32,
				 window->range.start, window->range.size, window->page_shift);
	}
	return 0;
}
