/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the bus share: a daemon, a bus under test and a client of it, both on one loop.
 */
#pragma once

#include <stdbool.h>

#include "dbus/bus.h"
#include "dbus/bus_loop.h"
#include "dbus/object.h"
#include "support/private_bus.h"
#include "unit.h"

#define FIXTURE_SIGNALS_MAX 64

struct bus_client {
	DBusConnection *connection;
	struct bus_loop *loop;
};

struct bus_fixture {
	struct private_bus daemon;
	sd_event *event;
	struct bus *bus;
	struct bus_client client;
	DBusMessage *signals[FIXTURE_SIGNALS_MAX]; /* what the client has received */
	unsigned int signal_count;
};

/* cmocka set-up and tear-down: the bus owns BUS_NAME and the client records signals. */
int bus_fixture_set_up(void **state);
int bus_fixture_tear_down(void **state);

void bus_client_open(struct bus_fixture *fixture, struct bus_client *client);
void bus_client_close(struct bus_client *client);

/* A method call to BUS_NAME; interface may be NULL. */
DBusMessage *bus_fixture_message(const char *path, const char *interface, const char *member);

/* Send message (which is consumed) from the client and run the loop until its reply is there. */
DBusMessage *bus_fixture_call(struct bus_fixture *fixture, DBusMessage *message);

/* The same, when the reply is to be an error; returns its text (until the next such call). */
const char *bus_fixture_call_fails(struct bus_fixture *fixture, DBusMessage *message,
				   const char *error_name);

/* Run the loop until *flag is set. */
void bus_fixture_run_until(struct bus_fixture *fixture, const bool *flag);

/* Run the loop until all that was sent has arrived: a round trip from the client to the bus. */
void bus_fixture_settle(struct bus_fixture *fixture);

/* Forget the recorded signals. */
void bus_fixture_forget_signals(struct bus_fixture *fixture);

/* How many of the recorded signals have that name. */
unsigned int bus_fixture_count_signals(const struct bus_fixture *fixture, const char *member);
