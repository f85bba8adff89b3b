/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replies made by hand, right ones and wrong ones. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/model.h"
#include "common/names.h"
#include "unit.h"

/* What is done to one property of a reply. */
enum damage {
	DAMAGE_NONE,
	DAMAGE_MISSING,
	DAMAGE_TWICE,
	DAMAGE_TYPE,
	DAMAGE_VALUE, /* right type, impossible value */
};

struct scenario {
	const char *path;     /* of the object that is damaged */
	const char *property; /* of it */
	enum damage damage;
	bool strangers;     /* also what this version doesn't know */
	const char *rename; /* the path of that object instead */
};

/* -- appending -- */

typedef void (*append_value)(DBusMessageIter *iter, bool damaged);

struct entry {
	const char *name;
	const char *signature;
	append_value append;
};

static void append_basic(DBusMessageIter *iter, int type, const void *value)
{
	assert_true(dbus_message_iter_append_basic(iter, type, value));
}

static void append_string(DBusMessageIter *iter, const char *text)
{
	append_basic(iter, DBUS_TYPE_STRING, &text);
}

static void append_path(DBusMessageIter *iter, const char *path)
{
	append_basic(iter, DBUS_TYPE_OBJECT_PATH, &path);
}

static void append_number(DBusMessageIter *iter, dbus_uint32_t number)
{
	append_basic(iter, DBUS_TYPE_UINT32, &number);
}

static void append_wide(DBusMessageIter *iter, dbus_uint64_t number)
{
	append_basic(iter, DBUS_TYPE_UINT64, &number);
}

static void begin(DBusMessageIter *iter, int type, const char *contents, DBusMessageIter *inner)
{
	assert_true(dbus_message_iter_open_container(iter, type, contents, inner));
}

static void end(DBusMessageIter *iter, DBusMessageIter *inner)
{
	assert_true(dbus_message_iter_close_container(iter, inner));
}

/* Appends a dictionary entry with a variant of an unexpected type. */
static void append_stranger(DBusMessageIter *dictionary, const char *name)
{
	DBusMessageIter entry;
	DBusMessageIter variant;

	begin(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append_string(&entry, name);
	begin(&entry, DBUS_TYPE_VARIANT, "g", &variant);
	append_basic(&variant, DBUS_TYPE_SIGNATURE, &(const char *){"a{sv}"});
	end(&entry, &variant);
	end(dictionary, &entry);
}

static void append_entry(DBusMessageIter *dictionary, const struct entry *property, bool damaged)
{
	DBusMessageIter entry;
	DBusMessageIter variant;

	begin(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append_string(&entry, property->name);
	begin(&entry, DBUS_TYPE_VARIANT, property->signature, &variant);
	property->append(&variant, damaged);
	end(&entry, &variant);
	end(dictionary, &entry);
}

static void append_properties(DBusMessageIter *iter, const struct entry *table, const char *path,
			      const struct scenario *scenario)
{
	DBusMessageIter dictionary;

	begin(iter, DBUS_TYPE_ARRAY, "{sv}", &dictionary);
	for (; table->name; table++) {
		bool here = scenario->property && strcmp(scenario->path, path) == 0 &&
			    strcmp(scenario->property, table->name) == 0;
		enum damage damage = here ? scenario->damage : DAMAGE_NONE;

		if (damage == DAMAGE_TYPE) {
			append_stranger(&dictionary, table->name);
		} else if (damage != DAMAGE_MISSING) {
			append_entry(&dictionary, table, damage == DAMAGE_VALUE);
		}
		if (damage == DAMAGE_TWICE) {
			append_entry(&dictionary, table, false);
		}
	}
	if (scenario->strangers) {
		append_stranger(&dictionary, "Novelty");
	}
	end(iter, &dictionary);
}

/* -- the host, and one object of each kind -- */

#define GROUP_PATH     "/org/spaprd1/group/7"
#define DEVICE_PATH    "/org/spaprd1/device/0001_01_00_0"
#define SPACE_PATH     "/org/spaprd1/space/3"
#define CONTAINER_PATH "/org/spaprd1/space/3/container/12"

#define VALUE(name, code)                                     \
	static void name(DBusMessageIter *iter, bool damaged) \
	{                                                     \
		(void)damaged;                                \
		code;                                         \
	}

static void append_paths(DBusMessageIter *iter, const char *first, const char *second)
{
	DBusMessageIter array;

	begin(iter, DBUS_TYPE_ARRAY, "o", &array);
	append_path(&array, first);
	if (second) {
		append_path(&array, second);
	}
	end(iter, &array);
}

static void append_types(DBusMessageIter *iter, bool damaged)
{
	DBusMessageIter array;

	(void)damaged;
	begin(iter, DBUS_TYPE_ARRAY, "s", &array);
	append_string(&array, "spapr-tce-v2");
	end(iter, &array);
}

static void append_memory(DBusMessageIter *iter, bool damaged)
{
	DBusMessageIter array;
	DBusMessageIter entry;

	begin(iter, DBUS_TYPE_ARRAY, "(utttu)", &array);
	begin(&array, DBUS_TYPE_STRUCT, NULL, &entry);
	append_number(&entry, 5);
	append_wide(&entry, 0x10000);
	append_wide(&entry, damaged ? 0 : 0x20000);
	append_wide(&entry, 0x3000);
	append_number(&entry, 1);
	end(&array, &entry);
	end(iter, &array);
}

static void append_window(DBusMessageIter *array, uint64_t start, uint64_t size, uint32_t shift)
{
	DBusMessageIter entry;

	begin(array, DBUS_TYPE_STRUCT, NULL, &entry);
	append_wide(&entry, start);
	append_wide(&entry, size);
	append_number(&entry, shift);
	append_number(&entry, 2);
	end(array, &entry);
}

static void append_windows(DBusMessageIter *iter, bool damaged)
{
	DBusMessageIter array;

	begin(iter, DBUS_TYPE_ARRAY, "(ttuu)", &array);
	append_window(&array, UINT64_C(1) << 63, UINT64_C(1) << 63, damaged ? 64 : 16);
	append_window(&array, 0, 0x80000000, 12);
	end(iter, &array);
}

static void append_component(DBusMessageIter *iter, const char *name, uint64_t bytes)
{
	DBusMessageIter entry;

	begin(iter, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append_string(&entry, name);
	append_wide(&entry, bytes);
	end(iter, &entry);
}

/* With one that a later version may have. */
static void append_locked(DBusMessageIter *iter, bool damaged)
{
	DBusMessageIter dictionary;

	(void)damaged;
	begin(iter, DBUS_TYPE_ARRAY, "{st}", &dictionary);
	append_component(&dictionary, "tables", 20);
	append_component(&dictionary, "novelty", 4000);
	append_component(&dictionary, "pins", 1);
	end(iter, &dictionary);
}

static void append_default_window(DBusMessageIter *iter, bool damaged)
{
	DBusMessageIter pair;

	begin(iter, DBUS_TYPE_STRUCT, NULL, &pair);
	append_wide(&pair, 0x1000);
	append_wide(&pair, damaged ? UINT64_MAX : 0);
	end(iter, &pair);
}

static void append_flag(DBusMessageIter *iter, bool damaged)
{
	dbus_bool_t flag = TRUE;

	(void)damaged;
	append_basic(iter, DBUS_TYPE_BOOLEAN, &flag);
}

static void append_identifier(DBusMessageIter *iter, bool damaged)
{
	dbus_uint16_t identifier = 0x1234;

	(void)damaged;
	append_basic(iter, DBUS_TYPE_UINT16, &identifier);
}

static void append_phb_window(DBusMessageIter *iter, bool damaged)
{
	DBusMessageIter pair;

	begin(iter, DBUS_TYPE_STRUCT, NULL, &pair);
	append_wide(&pair, 0);
	append_wide(&pair, damaged ? 0 : 0x80000000);
	end(iter, &pair);
}

VALUE(append_text, append_string(iter, "text"))
VALUE(append_nothing, append_string(iter, ""))
VALUE(append_seven, append_number(iter, 7))
VALUE(append_zero, append_number(iter, 0))
VALUE(append_unknown, append_number(iter, UINT32_MAX))
VALUE(append_amount, append_wide(iter, UINT64_C(1) << 40))
VALUE(append_page_size, append_number(iter, damaged ? 5000 : 65536))
VALUE(append_group_path, append_path(iter, GROUP_PATH))
VALUE(append_space_path, append_path(iter, SPACE_PATH))
VALUE(append_container_path, append_path(iter, CONTAINER_PATH))
VALUE(append_devices, append_paths(iter, DEVICE_PATH, "/org/spaprd1/device/gone"))
VALUE(append_groups, append_paths(iter, GROUP_PATH, NULL))
VALUE(append_containers, append_paths(iter, CONTAINER_PATH, NULL))

VALUE(append_no, append_basic(iter, DBUS_TYPE_BOOLEAN, &(dbus_bool_t){FALSE}))

/* All that may be known, with one that a later version may have; and of another that it is there.
 * Which of its entries is damaged when it is, and how, is in phb_damage. */
static const struct entry phb[] = {
	{"Domain", "u", append_seven},
	{"Node", "s", append_text},
	{"Id", "u", append_seven},
	{"Kind", "s", append_text},
	{"Location", "s", append_text},
	{"Pes", "u", append_seven},
	{"ReservedPe", "u", append_seven},
	{"TceSizes", "t", append_amount},
	{"Ddw", "b", append_flag},
	{"DdwReset", "b", append_no},
	{"DefaultWindow", "(tt)", append_phb_window},
	{"Liobn", "u", append_seven},
	{"Eeh", "b", append_no},
	{"Msis", "u", append_seven},
	{.name = NULL},
};

static struct scenario phb_damage = {.path = ""};

static void append_phbs(DBusMessageIter *iter, bool damaged)
{
	static const struct entry scarce[] = {
		{"Node", "s", append_text}, {"Domain", "u", append_zero}, {.name = NULL}};
	const struct scenario sound = {.path = "", .strangers = true};
	DBusMessageIter array;

	begin(iter, DBUS_TYPE_ARRAY, "a{sv}", &array);
	append_properties(&array, phb, "", damaged ? &phb_damage : &sound);
	append_properties(&array, scarce, "", &sound);
	end(iter, &array);
}

static const struct entry host[] = {
	{"Version", "s", append_text},
	{"Host", "s", append_text},
	{"Simulated", "b", append_flag},
	{"PageSize", "u", append_page_size},
	{"IommuTypes", "as", append_types},
	{"MemoryMax", "t", append_amount},
	{"LockedBytes", "t", append_amount},
	{"MemoryInstalled", "t", append_amount},
	{"Phbs", "aa{sv}", append_phbs},
	{"EehFirmware", "s", append_text},
	{.name = NULL},
};

static const struct entry group[] = {
	{"Id", "u", append_seven},
	{"Viable", "b", append_flag},
	{"Devices", "ao", append_devices},
	{"AddressSpace", "o", append_space_path},
	{"Container", "o", append_container_path},
	{"PeNumber", "u", append_unknown},
	{"PhbId", "u", append_seven},
	{.name = NULL},
};

static const struct entry device[] = {
	{"Name", "s", append_text},         {"Vendor", "q", append_identifier},
	{"Device", "q", append_identifier}, {"Class", "u", append_seven},
	{"Driver", "s", append_nothing},    {"Group", "o", append_group_path},
	{"Location", "s", append_text},     {.name = NULL},
};

static const struct entry space[] = {
	{"Name", "s", append_text},
	{"Owner", "s", append_nothing},
	{"Uid", "u", append_seven},
	{"Memory", "a(utttu)", append_memory},
	{"Windows", "a(ttuu)", append_windows},
	{"Containers", "ao", append_containers},
	{"Mappings", "t", append_amount},
	{"MappedBytes", "t", append_amount},
	{"LockedBytes", "t", append_amount},
	{"Locked", "a{st}", append_locked},
	{.name = NULL},
};

static const struct entry container[] = {
	{"IommuType", "s", append_text},   {"Groups", "ao", append_groups},
	{"PageSizes", "t", append_amount}, {"DefaultWindow", "(tt)", append_default_window},
	{"MaxWindows", "u", append_seven}, {"MaxLevels", "u", append_seven},
	{"Eeh", "b", append_flag},         {.name = NULL},
};

static const struct object {
	const char *path;
	const char *interface;
	const struct entry *properties;
} objects[] = {
	{GROUP_PATH, BUS_INTERFACE_GROUP, group},
	{DEVICE_PATH, BUS_INTERFACE_DEVICE, device},
	{CONTAINER_PATH, BUS_INTERFACE_CONTAINER, container},
	{SPACE_PATH, BUS_INTERFACE_SPACE, space},
};

#define OBJECT_COUNT (sizeof(objects) / sizeof(*objects))

static void append_object(DBusMessageIter *dictionary, const struct object *object,
			  const struct scenario *scenario)
{
	bool renamed = scenario->rename && strcmp(scenario->path, object->path) == 0;
	DBusMessageIter entry;
	DBusMessageIter interfaces;
	DBusMessageIter pair;

	begin(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append_path(&entry, renamed ? scenario->rename : object->path);
	begin(&entry, DBUS_TYPE_ARRAY, "{sa{sv}}", &interfaces);
	if (scenario->strangers) {
		begin(&interfaces, DBUS_TYPE_DICT_ENTRY, NULL, &pair);
		append_string(&pair, "org.example.Unheard");
		append_properties(&pair, host, "", scenario);
		end(&interfaces, &pair);
	}
	begin(&interfaces, DBUS_TYPE_DICT_ENTRY, NULL, &pair);
	append_string(&pair, object->interface);
	append_properties(&pair, object->properties, object->path, scenario);
	end(&interfaces, &pair);
	end(&entry, &interfaces);
	end(dictionary, &entry);
}

/* Make the two replies and the model of them. */
static int make_model(const struct scenario *scenario, size_t object_count,
		      struct model **ret_model, struct error *error)
{
	DBusMessage *host_reply = dbus_message_new(DBUS_MESSAGE_TYPE_METHOD_RETURN);
	DBusMessage *objects_reply = dbus_message_new(DBUS_MESSAGE_TYPE_METHOD_RETURN);
	DBusMessageIter iter;
	DBusMessageIter dictionary;
	int r;

	dbus_message_iter_init_append(host_reply, &iter);
	append_properties(&iter, host, BUS_PATH_MANAGER, scenario);
	dbus_message_iter_init_append(objects_reply, &iter);
	begin(&iter, DBUS_TYPE_ARRAY, "{oa{sa{sv}}}", &dictionary);
	for (size_t i = 0; i < object_count; i++) {
		append_object(&dictionary, &objects[i], scenario);
	}
	end(&iter, &dictionary);
	r = model_new(host_reply, objects_reply, ret_model, error);
	dbus_message_unref(host_reply);
	dbus_message_unref(objects_reply);
	return r;
}

/* -- tests -- */

static void test_empty_host(void **state)
{
	struct scenario scenario = {.path = NULL};
	struct model *model = NULL;
	struct error error;

	(void)state;
	assert_int_equal(make_model(&scenario, 0, &model, &error), 0);
	assert_int_equal(model->host.page_size, 65536);
	assert_true(model->host.simulated);
	assert_int_equal(model->host.iommu_types.count, 1);
	assert_int_equal(model->group_count, 0);
	assert_null(model_find_group(model, GROUP_PATH));
	assert_null(model_free(model));
	assert_null(model_free(NULL));
}

static void check_space(const struct model_space *found)
{
	assert_non_null(found);
	assert_int_equal(found->number, 3);
	assert_int_equal(found->memory.count, 1);
	assert_int_equal(found->memory.items[0].id, 5);
	assert_int_equal(found->memory.items[0].range.start, 0x10000);
	assert_int_equal(found->memory.items[0].range.size, 0x20000);
	assert_int_equal(found->memory.items[0].offset, 0x3000);
	assert_int_equal(found->windows.count, 2);
	/* Sorted, though they came in the other order. */
	assert_int_equal(found->windows.items[0].range.start, 0);
	assert_true(found->windows.items[1].range.start == UINT64_C(1) << 63);
	assert_int_equal(found->windows.items[1].levels, 2);
	assert_string_equal(found->containers.items[0], CONTAINER_PATH);
	assert_int_equal(found->locked.pins, 1);
	assert_int_equal(found->locked.tables, 20);
	assert_int_equal(found->locked.leaks, 0);
}

static void test_full_host(void **state)
{
	/* What a later version adds is skipped. */
	struct scenario scenario = {.strangers = true};
	const struct model_group *found;
	struct model *model = NULL;
	struct error error;

	(void)state;
	assert_int_equal(make_model(&scenario, OBJECT_COUNT, &model, &error), 0);
	found = model_find_group(model, GROUP_PATH);
	assert_non_null(found);
	assert_int_equal(found->id, 7);
	assert_int_equal(found->pe_number, MODEL_UNKNOWN);
	assert_int_equal(found->devices.count, 2);
	assert_int_equal(model_find_device(model, DEVICE_PATH)->vendor, 0x1234);
	assert_int_equal(model_find_container(model, CONTAINER_PATH)->number, 12);
	assert_int_equal(model_find_container(model, CONTAINER_PATH)->default_window.size, 0);
	check_space(model_find_space(model, SPACE_PATH));
	model = model_free(model);
}

static void test_phbs(void **state)
{
	struct scenario scenario = {.path = NULL};
	const struct model_phb *found;
	struct model *model = NULL;
	struct error error;

	(void)state;
	assert_int_equal(make_model(&scenario, OBJECT_COUNT, &model, &error), 0);
	assert_int_equal(model->host.phbs.count, 2);
	found = &model->host.phbs.items[0]; /* sorted */
	assert_int_equal(found->domain, 0);
	assert_string_equal(found->node, "text");
	assert_string_equal(found->kind, "");
	assert_string_equal(found->location, "");
	assert_int_equal(found->id, MODEL_UNKNOWN);
	assert_int_equal(found->pes, MODEL_UNKNOWN);
	assert_int_equal(found->reserved_pe, MODEL_UNKNOWN);
	assert_int_equal(found->msis, MODEL_UNKNOWN);
	assert_int_equal(found->liobn, MODEL_UNKNOWN);
	assert_int_equal(found->tce_sizes, 0);
	assert_int_equal(found->default_window.size, 0);
	assert_int_equal(found->ddw, MODEL_ANSWER_UNKNOWN);
	assert_int_equal(found->eeh, MODEL_ANSWER_UNKNOWN);
	found++;
	assert_int_equal(found->domain, 7);
	assert_string_equal(found->kind, "text");
	assert_int_equal(found->pes, 7);
	assert_int_equal(found->default_window.size, 0x80000000);
	assert_int_equal(found->ddw, MODEL_ANSWER_YES);
	assert_int_equal(found->ddw_reset, MODEL_ANSWER_NO);
	assert_int_equal(found->eeh, MODEL_ANSWER_NO);
	assert_string_equal(model_find_device(model, DEVICE_PATH)->location, "text");
	model = model_free(model);
}

static void check_refused(const struct scenario *scenario, const char *words)
{
	struct model *model = NULL;
	struct error error = {.code = ERROR_NONE};

	assert_int_equal(make_model(scenario, OBJECT_COUNT, &model, &error), ERROR_KERNEL);
	assert_null(model);
	assert_non_null(strstr(error.text, words));
	assert_non_null(strstr(error.text, scenario->path));
	assert_non_null(strstr(error.text, scenario->property));
}

static void check_damages(const char *path, const struct entry *table)
{
	for (; table->name; table++) {
		struct scenario scenario = {.path = path, .property = table->name};

		scenario.damage = DAMAGE_MISSING;
		check_refused(&scenario, "has no property");
		scenario.damage = DAMAGE_TWICE;
		check_refused(&scenario, "has two properties");
		scenario.damage = DAMAGE_TYPE;
		check_refused(&scenario, "is not of type");
	}
}

static void test_each_property_is_checked(void **state)
{
	(void)state;
	check_damages(BUS_PATH_MANAGER, host);
	for (size_t i = 0; i < OBJECT_COUNT; i++) {
		check_damages(objects[i].path, objects[i].properties);
	}
}

static void test_values_are_checked(void **state)
{
	static const struct scenario table[] = {
		{BUS_PATH_MANAGER, "PageSize", DAMAGE_VALUE, false, NULL},
		{SPACE_PATH, "Memory", DAMAGE_VALUE, false, NULL},
		{SPACE_PATH, "Windows", DAMAGE_VALUE, false, NULL},
		{CONTAINER_PATH, "DefaultWindow", DAMAGE_VALUE, false, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		check_refused(&table[i], "out of range");
	}
}

/* Some must be there, all must be right. */
static void test_phbs_are_checked(void **state)
{
	static const struct scenario damages[] = {
		{"", "Domain", DAMAGE_MISSING, false, NULL},
		{"", "Node", DAMAGE_MISSING, false, NULL},
		{"", "Pes", DAMAGE_TWICE, false, NULL},
		{"", "Kind", DAMAGE_TYPE, false, NULL},
		{"", "DefaultWindow", DAMAGE_VALUE, false, NULL},
	};
	static const struct scenario scenario = {BUS_PATH_MANAGER, "Phbs", DAMAGE_VALUE, false,
						 NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
		phb_damage = damages[i];
		check_refused(&scenario, "out of range");
	}
}

static void test_paths_are_checked(void **state)
{
	static const struct scenario table[] = {
		{.path = SPACE_PATH, .rename = "/org/spaprd1/space"},
		{.path = SPACE_PATH, .rename = "/org/spaprd1/space/x"},
		{.path = SPACE_PATH, .rename = "/org/spaprd1/space/3x"},
		{.path = SPACE_PATH, .rename = "/org/spaprd1/space/4294967296"},
		{.path = SPACE_PATH, .rename = "/org/spaprd1/space/99999999999999999999999999"},
		{.path = CONTAINER_PATH, .rename = "/org/spaprd1/space/3"},
		{.path = CONTAINER_PATH, .rename = "/org/spaprd1/space/3/container/x"},
		{.path = CONTAINER_PATH, .rename = "/org/spaprd1/space/x/container/1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct model *model = NULL;
		struct error error = {.code = ERROR_NONE};

		assert_int_equal(make_model(&table[i], OBJECT_COUNT, &model, &error), ERROR_KERNEL);
		assert_non_null(strstr(error.text, "is not the path of"));
	}
}

static void test_other_messages_are_refused(void **state)
{
	DBusMessage *message = dbus_message_new(DBUS_MESSAGE_TYPE_METHOD_RETURN);
	struct model *model = NULL;
	struct error error = {.code = ERROR_NONE};

	(void)state;
	assert_int_equal(model_new(message, message, &model, &error), ERROR_KERNEL);
	assert_null(model);
	dbus_message_unref(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_host),
		cmocka_unit_test(test_full_host),
		cmocka_unit_test(test_each_property_is_checked),
		cmocka_unit_test(test_values_are_checked),
		cmocka_unit_test(test_phbs),
		cmocka_unit_test(test_phbs_are_checked),
		cmocka_unit_test(test_paths_are_checked),
		cmocka_unit_test(test_other_messages_are_refused),
	};
	int failures = cmocka_run_group_tests(tests, NULL, NULL);

	dbus_shutdown();
	return failures;
}
