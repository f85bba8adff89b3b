/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of org.spaprd1.Pe share: a host with EEH for its first group, over a worker whose
 * PE does as the test says (pe_worker.h). */
#pragma once

#include <time.h>

#include "pe_worker.h"
#include "service_fixture.h"

/* A user that is neither root nor spaprd. */
#define OTHER_UID 65534

/* The only one there is. */
extern struct pe_script *pe_script;

/* cmocka set-up and tear-down. */
int pe_stage_set_up(void **state);
int pe_stage_tear_down(void **state);

#define pe_stage_main(name, tests) \
	(getenv(ENV_ROLE) ? pe_worker_play() : cmocka_run_group_tests_name(name, tests, NULL, NULL))

#define PE_TEST(function) \
	cmocka_unit_test_setup_teardown(function, pe_stage_set_up, pe_stage_tear_down)

/* An address space that has the group with the PE, as the bus's client sees it. The PE has been
 * looked at. */
struct space *pe_attach(void);

/* A connection of another user, or NULL when the test can't be one: it is skipped then. */
struct bus_client *pe_open_stranger(struct bus_client *client);

/* -- calls -- */

DBusMessage *pe_message(const char *method);

/* With the arguments as dbus_message_append_args takes them. */
DBusMessage *pe_message_with(const char *method, int first_type, ...);

/* Send a message, which is consumed, from some connection; the answer. */
DBusMessage *pe_call(const struct bus_client *client, DBusMessage *message);

/* The same, for an answer that is an error of that name (without a prefix: one of ours); its text,
 * until the next such call. */
const char *pe_call_fails(const struct bus_client *client, DBusMessage *message, const char *name);

/* The number that a method without arguments answers. */
dbus_uint32_t pe_call_number(const struct bus_client *client, const char *method);

/* The client that the fixture has. */
const struct bus_client *pe_client(void);

/* -- properties -- */

/* The answer to Get; the value is in ret_value as long as it is. */
DBusMessage *pe_get(const char *name, DBusMessageIter *ret_value);

dbus_uint32_t pe_get_number(const char *name);

/* Until the next call. */
const char *pe_get_text(const char *name);

/* -- waiting -- */

/* One turn of the loop, for who waits for something: until a deadline, when the test fails. */
time_t pe_deadline(void);
void pe_run_until(time_t end, const char *what);

/* -- signals -- */

/* Run the loop until a signal of that name is there that was not before pe_forget_signals. */
void pe_await(const char *member);

/* Likewise until a property has that value. */
void pe_await_text(const char *property, const char *text);

/* The index of the first recorded signal of that name; fails when there is none. */
unsigned int pe_find_signal(const char *member);

/* Of a PropertiesChanged of the PE: whether it has that string value of a property. */
bool pe_signal_tells(DBusMessage *signal, const char *property, const char *value);

/* The number that a signal of ours begins with. */
dbus_uint32_t pe_signal_event(const char *member);
