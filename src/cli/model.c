/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/properties.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/names.h"

/* -- values: each reader knows the signature of its value -- */

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
		struct model_window *window = property_array_add(
			(void **)&windows->items, &windows->count, sizeof(*windows->items));
		DBusMessageIter entry;
		struct error error;

		if (!window) {
			return -ENOMEM;
		}
		dbus_message_iter_recurse(&entries, &entry);
		property_read_next(&entry, &window->range.start);
		property_read_next(&entry, &window->range.size);
		property_read_next(&entry, &window->page_shift);
		property_read_next(&entry, &window->levels);
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
		struct model_memory *memory = property_array_add(
			(void **)&memories->items, &memories->count, sizeof(*memories->items));
		DBusMessageIter entry;

		if (!memory) {
			return -ENOMEM;
		}
		dbus_message_iter_recurse(&entries, &entry);
		property_read_next(&entry, &memory->id);
		property_read_next(&entry, &memory->range.start);
		property_read_next(&entry, &memory->range.size);
		property_read_next(&entry, &memory->offset);
		property_read_next(&entry, &memory->flags);
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
	property_read_next(&pair, &range->start);
	property_read_next(&pair, &range->size);
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
		property_read_next(&entry, &name);
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

#define HOST(member)      offsetof(struct model_host, member)
#define GROUP(member)     offsetof(struct model_group, member)
#define PE(member)        offsetof(struct model_pe, member)
#define DEVICE(member)    offsetof(struct model_device, member)
#define SPACE(member)     offsetof(struct model_space, member)
#define CONTAINER(member) offsetof(struct model_container, member)

static const struct property host_properties[] = {
	{"Version", "s", property_read_basic, HOST(version)},
	{"Host", "s", property_read_basic, HOST(kind)},
	{"Simulated", "b", property_read_bool, HOST(simulated)},
	{"PageSize", "u", read_page_size, HOST(page_size)},
	{"IommuTypes", "as", property_read_strings, HOST(iommu_types)},
	{"MemoryMax", "t", property_read_basic, HOST(memory_max)},
	{"LockedBytes", "t", property_read_basic, HOST(locked_bytes)},
	{"MemoryInstalled", "t", property_read_basic, HOST(memory_installed)},
	{"Phbs", "aa{sv}", model_read_phbs, HOST(phbs)},
	{"EehFirmware", "s", property_read_basic, HOST(eeh_firmware)},
	{.name = NULL},
};

static const struct property group_properties[] = {
	{"Id", "u", property_read_basic, GROUP(id)},
	{"Viable", "b", property_read_bool, GROUP(viable)},
	{"Devices", "ao", property_read_strings, GROUP(devices)},
	{"AddressSpace", "o", property_read_basic, GROUP(space)},
	{"Container", "o", property_read_basic, GROUP(container)},
	{"PeNumber", "u", property_read_basic, GROUP(pe_number)},
	{"PhbId", "u", property_read_basic, GROUP(phb_id)},
	{.name = NULL},
};

/* What an older spaprd doesn't tell. */
static const struct property newer_group_properties[] = {
	{"Quarantine", "s", property_read_basic, GROUP(quarantine)},
	{.name = NULL},
};

static const struct property pe_properties[] = {
	{"State", "s", property_read_basic, PE(state)},
	{"Recovery", "s", property_read_basic, PE(recovery)},
	{"Freezes", "u", property_read_basic, PE(freezes)},
	{"FreezesLeft", "u", property_read_basic, PE(freezes_left)},
	{"Participants", "u", property_read_basic, PE(participants)},
	{"Policy", "s", property_read_basic, PE(policy)},
	{"Location", "s", property_read_basic, PE(location)},
	{.name = NULL},
};

/* What an older spaprd doesn't tell. */
static const struct property newer_device_properties[] = {
	{"Open", "b", property_read_bool, DEVICE(open)},
	{"ResetWorks", "b", property_read_bool, DEVICE(reset_works)},
	{.name = NULL},
};

static const struct property device_properties[] = {
	{"Name", "s", property_read_basic, DEVICE(name)},
	{"Vendor", "q", property_read_basic, DEVICE(vendor)},
	{"Device", "q", property_read_basic, DEVICE(device)},
	{"Class", "u", property_read_basic, DEVICE(class)},
	{"Driver", "s", property_read_basic, DEVICE(driver)},
	{"Group", "o", property_read_basic, DEVICE(group)},
	{"Location", "s", property_read_basic, DEVICE(location)},
	{.name = NULL},
};

static const struct property space_properties[] = {
	{"Name", "s", property_read_basic, SPACE(name)},
	{"Owner", "s", property_read_basic, SPACE(owner)},
	{"Uid", "u", property_read_basic, SPACE(uid)},
	{"Memory", "a(utttu)", read_memories, SPACE(memory)},
	{"Windows", "a(ttuu)", read_windows, SPACE(windows)},
	{"Containers", "ao", property_read_strings, SPACE(containers)},
	{"Mappings", "t", property_read_basic, SPACE(mappings)},
	{"MappedBytes", "t", property_read_basic, SPACE(mapped_bytes)},
	{"LockedBytes", "t", property_read_basic, SPACE(locked_bytes)},
	{"Locked", "a{st}", read_locked, SPACE(locked)},
	{.name = NULL},
};

static const struct property container_properties[] = {
	{"IommuType", "s", property_read_basic, CONTAINER(iommu_type)},
	{"Groups", "ao", property_read_strings, CONTAINER(groups)},
	{"PageSizes", "t", property_read_basic, CONTAINER(page_sizes)},
	{"DefaultWindow", "(tt)", read_range, CONTAINER(default_window)},
	{"MaxWindows", "u", property_read_basic, CONTAINER(max_windows)},
	{"MaxLevels", "u", property_read_basic, CONTAINER(max_levels)},
	{"Eeh", "b", property_read_bool, CONTAINER(eeh)},
	{.name = NULL},
};

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
		property_array_add((void **)&model->groups, &model->group_count, sizeof(*group));
	DBusMessageIter again = *dictionary;
	int r;

	if (!group) {
		return property_say_no_memory(error);
	}
	group->path = path;
	group->quarantine = "";
	r = properties_read(group_properties, path, dictionary, group, error);
	return r ? r : properties_read_some(newer_group_properties, path, &again, group, error);
}

static int read_pe(struct model *model, const char *path, DBusMessageIter *dictionary,
		   struct error *error)
{
	struct model_pe *pe =
		property_array_add((void **)&model->pes, &model->pe_count, sizeof(*pe));

	if (!pe) {
		return property_say_no_memory(error);
	}
	pe->path = path;
	return properties_read(pe_properties, path, dictionary, pe, error);
}

static int read_device(struct model *model, const char *path, DBusMessageIter *dictionary,
		       struct error *error)
{
	struct model_device *device =
		property_array_add((void **)&model->devices, &model->device_count, sizeof(*device));
	DBusMessageIter again = *dictionary;
	int r;

	if (!device) {
		return property_say_no_memory(error);
	}
	device->path = path;
	r = properties_read(device_properties, path, dictionary, device, error);
	return r ? r : properties_read_some(newer_device_properties, path, &again, device, error);
}

static int read_space(struct model *model, const char *path, DBusMessageIter *dictionary,
		      struct error *error)
{
	struct model_space *space =
		property_array_add((void **)&model->spaces, &model->space_count, sizeof(*space));

	if (!space) {
		return property_say_no_memory(error);
	}
	space->path = path;
	if (!read_space_path(path, &space->number)) {
		return error_say(error,
				 PROPERTIES_MALFORMED "%.128s is not the path of an address space",
				 path);
	}
	return properties_read(space_properties, path, dictionary, space, error);
}

static int read_container(struct model *model, const char *path, DBusMessageIter *dictionary,
			  struct error *error)
{
	struct model_container *container = property_array_add(
		(void **)&model->containers, &model->container_count, sizeof(*container));

	if (!container) {
		return property_say_no_memory(error);
	}
	container->path = path;
	if (!read_container_path(path, &container->number)) {
		return error_say(
			error, PROPERTIES_MALFORMED "%.128s is not the path of a container", path);
	}
	return properties_read(container_properties, path, dictionary, container, error);
}

static int read_interface(struct model *model, const char *path, const char *interface,
			  DBusMessageIter *dictionary, struct error *error)
{
	static const struct {
		const char *interface;
		int (*read)(struct model *model, const char *path, DBusMessageIter *dictionary,
			    struct error *error);
	} table[] = {
		{BUS_INTERFACE_GROUP, read_group},         {BUS_INTERFACE_PE, read_pe},
		{BUS_INTERFACE_DEVICE, read_device},       {BUS_INTERFACE_SPACE, read_space},
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
	property_read_next(&entry, &path);
	dbus_message_iter_recurse(&entry, &interfaces);
	while (dbus_message_iter_get_arg_type(&interfaces) != DBUS_TYPE_INVALID) {
		DBusMessageIter pair;
		const char *interface = NULL;
		int r;

		dbus_message_iter_recurse(&interfaces, &pair);
		property_read_next(&pair, &interface);
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
		return error_say(error, PROPERTIES_MALFORMED "it is not a description of objects");
	}
	model = calloc(1, sizeof(*model));
	if (!model) {
		return property_say_no_memory(error);
	}
	model->host_reply = dbus_message_ref(host_reply);
	model->objects_reply = dbus_message_ref(objects_reply);
	(void)dbus_message_iter_init(host_reply, &arguments);
	r = properties_read(host_properties, BUS_PATH_MANAGER, &arguments, &model->host, error);
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
	free(model->host.phbs.items);
	free(model->groups);
	free(model->pes);
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
FIND(pe)
FIND(device)
FIND(space)
FIND(container)

int model_window_check(const struct model_window *window, struct error *error)
{
	if (!range_is_valid(window->range.start, window->range.size) || window->page_shift > 63) {
		return error_say(error,
				 PROPERTIES_MALFORMED "a window at 0x%" PRIx64 " of 0x%" PRIx64
						      " bytes with pages of 2^%" PRIu32,
				 window->range.start, window->range.size, window->page_shift);
	}
	return 0;
}
