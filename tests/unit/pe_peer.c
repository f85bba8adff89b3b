/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pe_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/names.h"
#include "support/fake_service.h"

bool pe_peer_simulated = true;

static char asked[256]; /* the last call of Pe or Simulator, in words */

static void append(DBusMessageIter *iter, int type, const void *value)
{
	(void)dbus_message_iter_append_basic(iter, type, value);
}

static void open_container(DBusMessageIter *iter, int type, const char *contents,
			   DBusMessageIter *inner)
{
	(void)dbus_message_iter_open_container(iter, type, contents, inner);
}

static void close_container(DBusMessageIter *iter, DBusMessageIter *inner)
{
	(void)dbus_message_iter_close_container(iter, inner);
}

/* An entry of a dictionary with a basic value. */
static void append_entry(DBusMessageIter *dictionary, const char *name, int type, const void *value)
{
	const char signature[] = {(char)type, '\0'};
	DBusMessageIter entry;
	DBusMessageIter variant;

	open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append(&entry, DBUS_TYPE_STRING, &name);
	open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant);
	append(&variant, type, value);
	close_container(&entry, &variant);
	close_container(dictionary, &entry);
}

static void append_text(DBusMessageIter *dictionary, const char *name, const char *text)
{
	append_entry(dictionary, name, DBUS_TYPE_STRING, &text);
}

static void append_path(DBusMessageIter *dictionary, const char *name, const char *path)
{
	append_entry(dictionary, name, DBUS_TYPE_OBJECT_PATH, &path);
}

static void append_number(DBusMessageIter *dictionary, const char *name, dbus_uint32_t number)
{
	append_entry(dictionary, name, DBUS_TYPE_UINT32, &number);
}

static void append_wide(DBusMessageIter *dictionary, const char *name, dbus_uint64_t number)
{
	append_entry(dictionary, name, DBUS_TYPE_UINT64, &number);
}

/* An array of one string or path, or of none. */
static void append_array(DBusMessageIter *dictionary, const char *name, int type, const char *item)
{
	const char contents[] = {(char)type, '\0'};
	const char signature[] = {'a', (char)type, '\0'};
	DBusMessageIter entry;
	DBusMessageIter variant;
	DBusMessageIter array;

	open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append(&entry, DBUS_TYPE_STRING, &name);
	open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant);
	open_container(&variant, DBUS_TYPE_ARRAY, contents, &array);
	if (item) {
		append(&array, type, &item);
	}
	close_container(&variant, &array);
	close_container(&entry, &variant);
	close_container(dictionary, &entry);
}

static void append_no_phbs(DBusMessageIter *dictionary)
{
	static const char *const name = "Phbs";
	DBusMessageIter entry;
	DBusMessageIter variant;
	DBusMessageIter array;

	open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append(&entry, DBUS_TYPE_STRING, &name);
	open_container(&entry, DBUS_TYPE_VARIANT, "aa{sv}", &variant);
	open_container(&variant, DBUS_TYPE_ARRAY, "a{sv}", &array);
	close_container(&variant, &array);
	close_container(&entry, &variant);
	close_container(dictionary, &entry);
}

static void append_host(DBusMessage *reply)
{
	dbus_bool_t is_simulated = pe_peer_simulated;
	DBusMessageIter iter;
	DBusMessageIter dictionary;

	dbus_message_iter_init_append(reply, &iter);
	open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &dictionary);
	append_text(&dictionary, "Version", "1");
	append_text(&dictionary, "Host", "powernv");
	append_entry(&dictionary, "Simulated", DBUS_TYPE_BOOLEAN, &is_simulated);
	append_number(&dictionary, "PageSize", 65536);
	append_array(&dictionary, "IommuTypes", DBUS_TYPE_STRING, NULL);
	append_wide(&dictionary, "MemoryMax", 0);
	append_wide(&dictionary, "LockedBytes", 0);
	append_wide(&dictionary, "MemoryInstalled", 0);
	append_no_phbs(&dictionary);
	append_text(&dictionary, "EehFirmware", "opal");
	close_container(&iter, &dictionary);
}

static void append_pe(DBusMessageIter *interfaces, uint32_t group)
{
	const char *name = BUS_INTERFACE_PE;
	bool failed = group == GROUP_FAILS;
	DBusMessageIter entry;
	DBusMessageIter dictionary;

	open_container(interfaces, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append(&entry, DBUS_TYPE_STRING, &name);
	open_container(&entry, DBUS_TYPE_ARRAY, "{sv}", &dictionary);
	append_text(&dictionary, "State", failed ? "stopped" : "normal");
	append_text(&dictionary, "Recovery", failed ? "failed" : "idle");
	append_number(&dictionary, "Freezes", failed ? 6 : 1);
	append_number(&dictionary, "FreezesLeft", failed ? 0 : 4);
	append_number(&dictionary, "Participants", 1);
	append_text(&dictionary, "Policy", "default");
	append_text(&dictionary, "Location", failed ? "" : "U78D3.ND1-P1-C3");
	append_number(&dictionary, "Novelty", 1);
	close_container(&entry, &dictionary);
	close_container(interfaces, &entry);
}

static void append_group(DBusMessageIter *objects, uint32_t group, const char *device)
{
	const char *name = BUS_INTERFACE_GROUP;
	dbus_bool_t viable = TRUE;
	char path_text[64];
	const char *path = path_text;
	DBusMessageIter object;
	DBusMessageIter interfaces;
	DBusMessageIter entry;
	DBusMessageIter dictionary;

	(void)snprintf(path_text, sizeof(path_text), BUS_PATH_GROUP_PREFIX "%u", group);
	open_container(objects, DBUS_TYPE_DICT_ENTRY, NULL, &object);
	append(&object, DBUS_TYPE_OBJECT_PATH, &path);
	open_container(&object, DBUS_TYPE_ARRAY, "{sa{sv}}", &interfaces);
	if (group != GROUP_NO_PE) {
		append_pe(&interfaces, group);
	}
	open_container(&interfaces, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append(&entry, DBUS_TYPE_STRING, &name);
	open_container(&entry, DBUS_TYPE_ARRAY, "{sv}", &dictionary);
	append_number(&dictionary, "Id", group);
	append_entry(&dictionary, "Viable", DBUS_TYPE_BOOLEAN, &viable);
	append_array(&dictionary, "Devices", DBUS_TYPE_OBJECT_PATH, device);
	append_path(&dictionary, "AddressSpace", "/");
	append_path(&dictionary, "Container", "/");
	append_number(&dictionary, "PeNumber", group == GROUP_RIGHT ? 0xfd : UINT32_MAX);
	append_number(&dictionary, "PhbId", group == GROUP_RIGHT ? 1 : UINT32_MAX);
	close_container(&entry, &dictionary);
	close_container(&interfaces, &entry);
	close_container(&object, &interfaces);
	close_container(objects, &object);
}

static void append_device(DBusMessageIter *objects, const char *path, const char *address,
			  const char *group)
{
	const char *name = BUS_INTERFACE_DEVICE;
	const dbus_uint16_t id = 0x8086;
	DBusMessageIter object;
	DBusMessageIter interfaces;
	DBusMessageIter entry;
	DBusMessageIter dictionary;

	open_container(objects, DBUS_TYPE_DICT_ENTRY, NULL, &object);
	append(&object, DBUS_TYPE_OBJECT_PATH, &path);
	open_container(&object, DBUS_TYPE_ARRAY, "{sa{sv}}", &interfaces);
	open_container(&interfaces, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append(&entry, DBUS_TYPE_STRING, &name);
	open_container(&entry, DBUS_TYPE_ARRAY, "{sv}", &dictionary);
	append_text(&dictionary, "Name", address);
	append_entry(&dictionary, "Vendor", DBUS_TYPE_UINT16, &id);
	append_entry(&dictionary, "Device", DBUS_TYPE_UINT16, &id);
	append_number(&dictionary, "Class", 0x020000);
	append_text(&dictionary, "Driver", "vfio-pci");
	append_path(&dictionary, "Group", group);
	append_text(&dictionary, "Location", "");
	close_container(&entry, &dictionary);
	close_container(&interfaces, &entry);
	close_container(&object, &interfaces);
	close_container(objects, &object);
}

#define DEVICE_RIGHT BUS_PATH_DEVICE_PREFIX "0001_0a_00_0"
#define DEVICE_FAILS BUS_PATH_DEVICE_PREFIX "0000_02_00_0"

static void append_objects(DBusMessage *reply)
{
	DBusMessageIter iter;
	DBusMessageIter objects;

	dbus_message_iter_init_append(reply, &iter);
	open_container(&iter, DBUS_TYPE_ARRAY, "{oa{sa{sv}}}", &objects);
	append_group(&objects, GROUP_BROKEN, NULL);
	append_group(&objects, GROUP_NO_PE, NULL);
	append_group(&objects, GROUP_FAILS, DEVICE_FAILS);
	append_group(&objects, GROUP_RIGHT, DEVICE_RIGHT);
	append_device(&objects, DEVICE_RIGHT, "0001:0a:00.0", BUS_PATH_GROUP_PREFIX "2");
	append_device(&objects, DEVICE_FAILS, "0000:02:00.0", BUS_PATH_GROUP_PREFIX "3");
	close_container(&iter, &objects);
}

/* -- the record -- */

static void append_steps(DBusMessageIter *dictionary)
{
	const dbus_uint64_t times[] = {1500, 0, 512250, 500000};
	const char *texts[] = {"vote", ":1.7 need-reset", "reset-hot", "stopped \x1b[31m"};
	const char *name = "Steps";
	DBusMessageIter entry;
	DBusMessageIter variant;
	DBusMessageIter array;

	open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append(&entry, DBUS_TYPE_STRING, &name);
	open_container(&entry, DBUS_TYPE_VARIANT, "a(ttss)", &variant);
	open_container(&variant, DBUS_TYPE_ARRAY, "(ttss)", &array);
	for (size_t i = 0; i < 4; i += 2) {
		DBusMessageIter step;

		open_container(&array, DBUS_TYPE_STRUCT, NULL, &step);
		append(&step, DBUS_TYPE_UINT64, &times[i]);
		append(&step, DBUS_TYPE_UINT64, &times[i + 1]);
		append(&step, DBUS_TYPE_STRING, &texts[i]);
		append(&step, DBUS_TYPE_STRING, &texts[i + 1]);
		close_container(&array, &step);
	}
	close_container(&variant, &array);
	close_container(&entry, &variant);
	close_container(dictionary, &entry);
}

static void append_bytes(DBusMessageIter *iter, unsigned char count)
{
	DBusMessageIter array;

	open_container(iter, DBUS_TYPE_ARRAY, "y", &array);
	for (unsigned char i = 0; i < count; i++) {
		append(&array, DBUS_TYPE_BYTE, &i);
	}
	close_container(iter, &array);
}

static void append_registers(DBusMessageIter *dictionary)
{
	const char *devices[] = {"0001:0a:00.0", "0001:0a:00.1"};
	const char *name = "Registers";
	const dbus_uint32_t offset = 0x100;
	DBusMessageIter entry;
	DBusMessageIter variant;
	DBusMessageIter array;

	open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	append(&entry, DBUS_TYPE_STRING, &name);
	open_container(&entry, DBUS_TYPE_VARIANT, "a(sayuay)", &variant);
	open_container(&variant, DBUS_TYPE_ARRAY, "(sayuay)", &array);
	for (size_t i = 0; i < 2; i++) {
		DBusMessageIter record;

		open_container(&array, DBUS_TYPE_STRUCT, NULL, &record);
		append(&record, DBUS_TYPE_STRING, &devices[i]);
		append_bytes(&record, i == 0 ? 18 : 0);
		append(&record, DBUS_TYPE_UINT32, &offset);
		append_bytes(&record, i == 0 ? 4 : 0);
		close_container(&array, &record);
	}
	close_container(&variant, &array);
	close_container(&entry, &variant);
	close_container(dictionary, &entry);
}

static void append_event(DBusMessageIter *events, uint32_t number, dbus_uint64_t began,
			 const char *outcome)
{
	bool running = strcmp(outcome, "running") == 0;
	DBusMessageIter event;

	open_container(events, DBUS_TYPE_ARRAY, "{sv}", &event);
	append_number(&event, "Event", number);
	append_number(&event, "Group", GROUP_RIGHT);
	append_number(&event, "Phb", 1);
	append_number(&event, "Pe", 0xfd);
	append_text(&event, "Location", "U78D3.ND1-P1-C3");
	append_array(&event, "Devices", DBUS_TYPE_STRING, "0001:0a:00.0");
	append_text(&event, "Policy", "default");
	append_wide(&event, "Began", began);
	append_text(&event, "Source", "poll");
	append_text(&event, "State", "MMIO and DMA stopped");
	append_text(&event, "Outcome", outcome);
	append_text(&event, "Why", running ? "" : "after a hot reset");
	append_number(&event, "Milliseconds", running ? 0 : 4123);
	append_steps(&event);
	append_number(&event, "StepsLeftOut", running ? 0 : 3);
	append_registers(&event);
	close_container(events, &event);
}

/* Group 2 has the events 7 and 9. */
static void append_events(DBusMessage *call, DBusMessage *reply, uint32_t group)
{
	dbus_uint32_t from = 0;
	dbus_uint32_t most = 0;
	DBusMessageIter iter;
	DBusMessageIter events;

	(void)dbus_message_get_args(call, NULL, DBUS_TYPE_UINT32, &from, DBUS_TYPE_UINT32, &most,
				    DBUS_TYPE_INVALID);
	dbus_message_iter_init_append(reply, &iter);
	open_container(&iter, DBUS_TYPE_ARRAY, "a{sv}", &events);
	if (group == GROUP_RIGHT && from <= 7) {
		append_event(&events, 7, 1700000000123456, "recovered");
	}
	if (group == GROUP_RIGHT && from <= 9 && (most == 0 || from > 7)) {
		append_event(&events, 9, 1700000100000000, "running");
	}
	close_container(&iter, &events);
}

/* -- answers -- */

static void send_signal(uint32_t group, const char *member, const char *text)
{
	const dbus_uint32_t event = 9;
	const dbus_uint32_t milliseconds = 4123;
	dbus_bool_t recovered = group == GROUP_RIGHT;
	char path[64];
	DBusMessage *signal;

	(void)snprintf(path, sizeof(path), BUS_PATH_GROUP_PREFIX "%u", group);
	signal = dbus_message_new_signal(path, BUS_INTERFACE_PE, member);
	(void)dbus_message_append_args(signal, DBUS_TYPE_UINT32, &event, DBUS_TYPE_INVALID);
	if (strcmp(member, "RecoveryDone") == 0) {
		(void)dbus_message_append_args(signal, DBUS_TYPE_BOOLEAN, &recovered,
					       DBUS_TYPE_UINT32, &milliseconds, DBUS_TYPE_STRING,
					       &text, DBUS_TYPE_INVALID);
	} else if (text) {
		(void)dbus_message_append_args(signal, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
	}
	fake_service_send(signal);
}

static void send_story(uint32_t group)
{
	/* None is told of a PE that did not freeze again. */
	if (group == GROUP_RIGHT) {
		send_signal(group, "Frozen", "stopped");
	}
	send_signal(group, "ErrorDetected", "frozen");
	send_signal(group, "SlotReset", NULL);
	send_signal(group, "Resume", NULL);
	send_signal(group, "RecoveryDone", group == GROUP_RIGHT ? "a hot reset" : "no reset helps");
}

/* "Reset 2 hot". */
static void remember(DBusMessage *call)
{
	size_t used = (size_t)snprintf(asked, sizeof(asked), "%s %s", dbus_message_get_member(call),
				       strrchr(dbus_message_get_path(call), '/') + 1);
	DBusMessageIter iter;

	if (!dbus_message_iter_init(call, &iter)) {
		return;
	}
	do {
		DBusBasicValue value;
		int type = dbus_message_iter_get_arg_type(&iter);

		dbus_message_iter_get_basic(&iter, &value);
		used += type == DBUS_TYPE_STRING
				? (size_t)snprintf(asked + used, sizeof(asked) - used, " %s",
						   value.str)
				: (size_t)snprintf(asked + used, sizeof(asked) - used, " %llx",
						   type == DBUS_TYPE_UINT64
							   ? (unsigned long long)value.u64
							   : (unsigned long long)value.u32);
	} while (dbus_message_iter_next(&iter));
}

static DBusMessage *answer_pe(DBusMessage *call, uint32_t group)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	const dbus_uint32_t event = 9;
	const char *state = "stopped-dma";

	if (dbus_message_has_member(call, "ListEvents")) {
		append_events(call, reply, group);
		return reply;
	}
	remember(call);
	if (group == GROUP_BROKEN) {
		(void)dbus_message_append_args(reply, DBUS_TYPE_UINT64, &(dbus_uint64_t){1},
					       DBUS_TYPE_INVALID);
	} else if (dbus_message_has_member(call, "Recover")) {
		/* All of it before the answer: it has to wait. */
		send_story(group);
		(void)dbus_message_append_args(reply, DBUS_TYPE_UINT32, &event, DBUS_TYPE_INVALID);
	} else if (group == GROUP_FAILS) {
		dbus_message_unref(reply);
		return dbus_message_new_error(call, BUS_ERROR_PREFIX "Busy", "event 4 goes on");
	} else if (dbus_message_has_member(call, "Check")) {
		(void)dbus_message_append_args(reply, DBUS_TYPE_STRING, &state, DBUS_TYPE_INVALID);
	}
	return reply;
}

static void append_last_operation(DBusMessage *reply)
{
	const char *name = "reset-hot";
	const char *outcome = "done";
	const dbus_uint32_t milliseconds = 412;
	DBusMessageIter iter;
	DBusMessageIter variant;
	DBusMessageIter fields;

	dbus_message_iter_init_append(reply, &iter);
	open_container(&iter, DBUS_TYPE_VARIANT, "(sus)", &variant);
	open_container(&variant, DBUS_TYPE_STRUCT, NULL, &fields);
	append(&fields, DBUS_TYPE_STRING, &name);
	append(&fields, DBUS_TYPE_UINT32, &milliseconds);
	append(&fields, DBUS_TYPE_STRING, &outcome);
	close_container(&variant, &fields);
	close_container(&iter, &variant);
}

DBusMessage *pe_peer_answer(DBusMessage *call)
{
	const char *last = strrchr(dbus_message_get_path(call), '/') + 1;
	const char *text = asked;
	DBusMessage *reply;

	if (dbus_message_has_interface(call, BUS_INTERFACE_PE)) {
		return answer_pe(call, (uint32_t)strtoul(last, NULL, 10));
	}
	reply = dbus_message_new_method_return(call);
	if (dbus_message_has_member(call, "Get")) {
		append_last_operation(reply);
	} else if (dbus_message_has_member(call, "GetAll")) {
		append_host(reply);
	} else if (dbus_message_has_member(call, "GetManagedObjects")) {
		append_objects(reply);
	} else if (dbus_message_has_member(call, "Asked")) {
		(void)dbus_message_append_args(reply, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
		asked[0] = '\0';
	} else if (dbus_message_has_member(call, "Story")) {
		send_story((uint32_t)strtoul(last, NULL, 10));
	} else {
		remember(call);
	}
	return reply;
}
