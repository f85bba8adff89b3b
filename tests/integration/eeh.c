/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "eeh.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Longer than anything that a PE of an emulated host takes. */
#define SIGNAL_TIMEOUT_MS 60000U
#define RESET_TRIES       6U

uint64_t now_in_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* -- observers -- */

struct observer observer_open(const struct world *world, const char *device)
{
	struct observer observer = {.connection = client_open(),
				    .group = group_of(world->client, device)};
	DBusError error = DBUS_ERROR_INIT;
	char rule[192];

	(void)snprintf(observer.path, sizeof(observer.path), BUS_PATH_GROUP_PREFIX "%" PRIu32,
		       observer.group);
	(void)snprintf(rule, sizeof(rule),
		       "type='signal',interface='" BUS_INTERFACE_PE "',path='%s'", observer.path);
	dbus_bus_add_match(observer.connection, rule, &error);
	if (dbus_error_is_set(&error)) {
		fail_msg("%s: %s", rule, error.message);
	}
	return observer;
}

void observer_close(struct observer *observer)
{
	if (observer->connection) {
		client_close(observer->connection);
	}
	observer->connection = NULL;
	observer->cookie = 0;
}

void observer_join(struct observer *observer)
{
	DBusMessage *reply = call(observer->connection, observer->path, BUS_INTERFACE_PE, "Join",
				  NULL, DBUS_TYPE_INVALID);

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &observer->cookie,
					  DBUS_TYPE_INVALID));
	dbus_message_unref(reply);
	assert_int_not_equal(observer->cookie, 0);
}

static void drop(DBusMessage *reply)
{
	if (reply) {
		dbus_message_unref(reply);
	}
}

void observer_leave(struct observer *observer, const char *refusal)
{
	drop(call(observer->connection, observer->path, BUS_INTERFACE_PE, "Leave", refusal,
		  DBUS_TYPE_UINT32, &observer->cookie, DBUS_TYPE_INVALID));
}

void observer_vote(const struct observer *observer, uint32_t event, const char *verdict,
		   const char *refusal)
{
	drop(call(observer->connection, observer->path, BUS_INTERFACE_PE, "Vote", refusal,
		  DBUS_TYPE_UINT32, &observer->cookie, DBUS_TYPE_UINT32, &event, DBUS_TYPE_STRING,
		  &verdict, DBUS_TYPE_INVALID));
}

/* -- signals -- */

static void read_text(DBusMessageIter *iter, struct pe_signal *signal)
{
	const char *text = NULL;

	dbus_message_iter_get_basic(iter, &text);
	(void)snprintf(signal->text, sizeof(signal->text), "%s", text);
}

/* All begin with the event; what follows are a text, or a flag, a time and a text. */
static void read_signal(DBusMessage *message, struct pe_signal *ret_signal)
{
	DBusMessageIter iter;
	dbus_bool_t recovered = FALSE;

	*ret_signal = (struct pe_signal){.when = now_in_ms()};
	(void)snprintf(ret_signal->name, sizeof(ret_signal->name), "%s",
		       dbus_message_get_member(message));
	assert_true(dbus_message_iter_init(message, &iter));
	dbus_message_iter_get_basic(&iter, &ret_signal->event);
	(void)dbus_message_iter_next(&iter);
	if (dbus_message_iter_get_arg_type(&iter) == DBUS_TYPE_STRING) {
		read_text(&iter, ret_signal);
	} else if (dbus_message_iter_get_arg_type(&iter) == DBUS_TYPE_BOOLEAN) {
		dbus_message_iter_get_basic(&iter, &recovered);
		(void)dbus_message_iter_next(&iter);
		dbus_message_iter_get_basic(&iter, &ret_signal->milliseconds);
		(void)dbus_message_iter_next(&iter);
		read_text(&iter, ret_signal);
	}
	ret_signal->recovered = recovered;
}

bool observer_next(const struct observer *observer, unsigned int milliseconds,
		   struct pe_signal *ret_signal)
{
	uint64_t deadline = now_in_ms() + milliseconds;

	for (;;) {
		DBusMessage *message = dbus_connection_pop_message(observer->connection);
		uint64_t now = now_in_ms();

		if (message && dbus_message_has_interface(message, BUS_INTERFACE_PE) &&
		    dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_SIGNAL) {
			read_signal(message, ret_signal);
			dbus_message_unref(message);
			return true;
		}
		drop(message);
		if (!message && now >= deadline) {
			return false;
		}
		if (!message) {
			(void)dbus_connection_read_write(observer->connection,
							 (int)(deadline - now));
		}
	}
}

struct pe_signal observer_expect(const struct observer *observer, const char *name)
{
	struct pe_signal signal;

	if (!observer_next(observer, SIGNAL_TIMEOUT_MS, &signal)) {
		fail_msg("waited %u ms in vain for %s of %s", SIGNAL_TIMEOUT_MS, name,
			 observer->path);
	}
	if (strcmp(signal.name, name) != 0) {
		fail_msg("%s of event %" PRIu32 " (\"%s\") came, not %s", signal.name, signal.event,
			 signal.text, name);
	}
	return signal;
}

struct pe_signal observer_expect_done(const struct observer *observer, bool recovered)
{
	struct pe_signal signal;

	do {
		if (!observer_next(observer, SIGNAL_TIMEOUT_MS, &signal)) {
			fail_msg("waited %u ms in vain for RecoveryDone of %s", SIGNAL_TIMEOUT_MS,
				 observer->path);
		}
	} while (strcmp(signal.name, "RecoveryDone") != 0);
	if (signal.recovered != recovered) {
		fail_msg("event %" PRIu32 " was %srecovered: %s", signal.event,
			 signal.recovered ? "" : "not ", signal.text);
	}
	return signal;
}

uint32_t observer_answer_error(const struct observer *observer, const char *verdict)
{
	struct pe_signal signal = {.name = ""};

	do {
		if (!observer_next(observer, SIGNAL_TIMEOUT_MS, &signal)) {
			fail_msg("waited %u ms in vain for ErrorDetected of %s", SIGNAL_TIMEOUT_MS,
				 observer->path);
		}
	} while (strcmp(signal.name, "ErrorDetected") != 0);
	observer_vote(observer, signal.event, verdict, NULL);
	return signal.event;
}

/* -- stages -- */

struct eeh_stage eeh_stage_open(const struct world *world, const char *device, const char *policy)
{
	struct eeh_stage stage;

	set_policy(world, policy, NULL);
	stage.space = space_create(world->client, "eeh");
	attach(world->client, stage.space, device, NULL);
	stage.observer = observer_open(world, device);
	return stage;
}

void eeh_stage_release(const struct world *world, struct eeh_stage *stage)
{
	observer_close(&stage->observer);
	space_close(world->client, stage->space);
}

void eeh_stage_close(const struct world *world, struct eeh_stage *stage)
{
	eeh_stage_release(world, stage);
	wait_until_nothing_is_left(world);
}

/* -- methods -- */

static bool is_reset(const char *operation)
{
	return operation[0] >= 'a' && operation[0] <= 'z';
}

void pe_operate(const struct world *world, const struct observer *observer, const char *operation,
		const char *refusal)
{
	if (is_reset(operation)) {
		drop(call(world->client, observer->path, BUS_INTERFACE_PE, "Reset", refusal,
			  DBUS_TYPE_STRING, &operation, DBUS_TYPE_INVALID));
	} else {
		drop(call(world->client, observer->path, BUS_INTERFACE_PE, operation, refusal,
			  DBUS_TYPE_INVALID));
	}
}

unsigned int pe_reset_stubbornly(const struct world *world, const struct observer *observer,
				 const char *kind)
{
	for (unsigned int tries = 0; tries < RESET_TRIES; tries++) {
		struct pe_reply reply = pe_receive(pe_send(world->client, observer, "Reset", kind));

		if (reply.error[0] == '\0') {
			return tries;
		}
		assert_string_equal(reply.error, BUS_ERROR_PREFIX "KernelError");
		assert_non_null(strstr(reply.text, "EIO"));
		/* The emulated hosts' firmware refuses every other request, of which a hot reset is
		 * two: one more of another kind, and it is the other one's turn. */
		if (strcmp(kind, "fundamental") != 0) {
			(void)pe_receive(pe_send(world->client, observer, "Reset", "fundamental"));
		}
	}
	fail_msg("the firmware refuses each %s reset", kind);
	return 0;
}

DBusPendingCall *pe_send(DBusConnection *connection, const struct observer *observer,
			 const char *method, const char *argument)
{
	DBusMessage *message =
		dbus_message_new_method_call(BUS_NAME, observer->path, BUS_INTERFACE_PE, method);
	DBusPendingCall *pending = NULL;

	if (argument) {
		assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &argument,
						     DBUS_TYPE_INVALID));
	}
	assert_true(dbus_connection_send_with_reply(connection, message, &pending,
						    (int)SIGNAL_TIMEOUT_MS));
	assert_non_null(pending);
	dbus_message_unref(message);
	dbus_connection_flush(connection);
	return pending;
}

struct pe_reply pe_receive(DBusPendingCall *pending)
{
	struct pe_reply reply = {.error = ""};
	const char *text = NULL;
	DBusMessage *message;

	dbus_pending_call_block(pending);
	message = dbus_pending_call_steal_reply(pending);
	dbus_pending_call_unref(pending);
	assert_non_null(message);
	if (dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_ERROR) {
		(void)snprintf(reply.error, sizeof(reply.error), "%s",
			       dbus_message_get_error_name(message));
	}
	if (dbus_message_get_args(message, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID)) {
		(void)snprintf(reply.text, sizeof(reply.text), "%s", text);
	}
	dbus_message_unref(message);
	return reply;
}

void pe_expect_check(const struct world *world, const struct observer *observer, const char *state)
{
	struct pe_reply reply = pe_receive(pe_send(world->client, observer, "Check", NULL));

	if (reply.error[0] != '\0' || strcmp(reply.text, state) != 0) {
		fail_msg("Check says \"%s%s%s\", not \"%s\"", reply.error,
			 reply.error[0] != '\0' ? ": " : "", reply.text, state);
	}
}

uint32_t pe_recover(DBusConnection *client, const struct observer *observer, const char *refusal)
{
	DBusMessage *reply = call(client, observer->path, BUS_INTERFACE_PE, "Recover", refusal,
				  DBUS_TYPE_INVALID);
	uint32_t event = 0;

	if (reply) {
		assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &event,
						  DBUS_TYPE_INVALID));
		dbus_message_unref(reply);
	}
	return event;
}

/* -- properties -- */

struct awaited_text {
	const struct world *world;
	const struct observer *observer;
	const char *name;
	const char *text;
};

static bool has_text(void *userdata)
{
	const struct awaited_text *awaited = userdata;
	char *text = get_text(awaited->world->client, awaited->observer->path, BUS_INTERFACE_PE,
			      awaited->name);
	bool is_there = strcmp(text, awaited->text) == 0;

	free(text);
	return is_there;
}

void pe_wait_for_text(const struct world *world, const struct observer *observer, const char *name,
		      const char *text)
{
	struct awaited_text awaited = {world, observer, name, text};

	wait_for(has_text, &awaited, text);
}

uint32_t pe_number(const struct world *world, const struct observer *observer, const char *name)
{
	return (uint32_t)get_number(world->client, observer->path, BUS_INTERFACE_PE, name);
}

void pe_expect_text(const struct world *world, const struct observer *observer, const char *name,
		    const char *text)
{
	char *found = get_text(world->client, observer->path, BUS_INTERFACE_PE, name);

	assert_string_equal(found, text);
	free(found);
}

/* -- the record -- */

/* One event of ListEvents; its dictionary. The reply is the caller's to unref. */
static DBusMessage *list_event(const struct world *world, const struct observer *observer,
			       uint32_t event, DBusMessageIter *ret_dictionary)
{
	uint32_t most = 1;
	DBusMessage *reply =
		call(world->client, observer->path, BUS_INTERFACE_PE, "ListEvents", NULL,
		     DBUS_TYPE_UINT32, &event, DBUS_TYPE_UINT32, &most, DBUS_TYPE_INVALID);
	DBusMessageIter iter;
	DBusMessageIter events;

	assert_true(dbus_message_iter_init(reply, &iter));
	dbus_message_iter_recurse(&iter, &events);
	if (dbus_message_iter_get_arg_type(&events) != DBUS_TYPE_ARRAY) {
		fail_msg("%s has no record of event %" PRIu32, observer->path, event);
	}
	dbus_message_iter_recurse(&events, ret_dictionary);
	return reply;
}

/* Leaves the value of a key. */
static void find_key(DBusMessageIter *dictionary, const char *key, DBusMessageIter *ret_value)
{
	for (; dbus_message_iter_get_arg_type(dictionary) == DBUS_TYPE_DICT_ENTRY;
	     (void)dbus_message_iter_next(dictionary)) {
		DBusMessageIter entry;
		const char *name = NULL;

		dbus_message_iter_recurse(dictionary, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		if (strcmp(name, key) == 0) {
			(void)dbus_message_iter_next(&entry);
			dbus_message_iter_recurse(&entry, ret_value);
			return;
		}
	}
	fail_msg("the record has no %s", key);
}

char *pe_event_text(const struct world *world, const struct observer *observer, uint32_t event,
		    const char *key)
{
	DBusMessageIter dictionary;
	DBusMessageIter value;
	DBusMessage *reply = list_event(world, observer, event, &dictionary);
	const char *text = NULL;
	char *copy;

	find_key(&dictionary, key, &value);
	dbus_message_iter_get_basic(&value, &text);
	copy = strdup(text);
	assert_non_null(copy);
	dbus_message_unref(reply);
	return copy;
}

struct step {
	uint64_t since;
	uint64_t took;
	const char *name;
	const char *text;
};

static struct step read_step(DBusMessageIter *steps)
{
	struct step step = {.since = 0};
	void *const fields[] = {&step.since, &step.took, &step.name, &step.text};
	DBusMessageIter iter;

	dbus_message_iter_recurse(steps, &iter);
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		dbus_message_iter_get_basic(&iter, fields[i]);
		(void)dbus_message_iter_next(&iter);
	}
	return step;
}

unsigned int pe_event_steps(const struct world *world, const struct observer *observer,
			    uint32_t event, const char *name, const char *words)
{
	DBusMessageIter dictionary;
	DBusMessageIter value;
	DBusMessageIter steps;
	DBusMessage *reply = list_event(world, observer, event, &dictionary);
	unsigned int count = 0;

	find_key(&dictionary, "Steps", &value);
	dbus_message_iter_recurse(&value, &steps);
	for (; dbus_message_iter_get_arg_type(&steps) == DBUS_TYPE_STRUCT;
	     (void)dbus_message_iter_next(&steps)) {
		struct step step = read_step(&steps);

		count += strcmp(step.name, name) == 0 && (!words || strstr(step.text, words));
	}
	dbus_message_unref(reply);
	return count;
}

void pe_print_event(const struct world *world, const struct observer *observer, uint32_t event)
{
	DBusMessageIter dictionary;
	DBusMessageIter value;
	DBusMessageIter steps;
	DBusMessage *reply = list_event(world, observer, event, &dictionary);

	find_key(&dictionary, "Steps", &value);
	dbus_message_iter_recurse(&value, &steps);
	for (; dbus_message_iter_get_arg_type(&steps) == DBUS_TYPE_STRUCT;
	     (void)dbus_message_iter_next(&steps)) {
		struct step step = read_step(&steps);

		print_message("event %" PRIu32 " %7" PRIu64 " ms (took %7" PRIu64 " us) %s: %s\n",
			      event, step.since / 1000, step.took, step.name, step.text);
	}
	dbus_message_unref(reply);
}

unsigned int pe_event_registers(const struct world *world, const struct observer *observer,
				uint32_t event)
{
	DBusMessageIter dictionary;
	DBusMessageIter value;
	DBusMessage *reply = list_event(world, observer, event, &dictionary);
	unsigned int count;

	find_key(&dictionary, "Registers", &value);
	count = (unsigned int)dbus_message_iter_get_element_count(&value);
	dbus_message_unref(reply);
	return count;
}

/* -- the simulated host -- */

void slow_down_resets(const struct world *world, uint32_t milliseconds)
{
	static const char *const operations[] = {"VFIO_EEH_PE_RESET_HOT",
						 "VFIO_EEH_PE_RESET_FUNDAMENTAL"};

	for (size_t i = 0; !world->real && i < 2; i++) {
		drop(call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, "Delay", NULL,
			  DBUS_TYPE_STRING, &operations[i], DBUS_TYPE_UINT32, &milliseconds,
			  DBUS_TYPE_INVALID));
	}
}

void refuse_a_reset(const struct world *world)
{
	const char *operation = "VFIO_EEH_PE_RESET_FUNDAMENTAL";
	uint32_t skip = 0;
	int32_t errnum = EIO;

	if (!world->real) {
		drop(call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, "FailNext",
			  NULL, DBUS_TYPE_STRING, &operation, DBUS_TYPE_UINT32, &skip,
			  DBUS_TYPE_INT32, &errnum, DBUS_TYPE_INVALID));
	}
}
