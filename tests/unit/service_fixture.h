/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The broker's objects on the bus, over workers that lie. A worker here is the test's own program,
 * started anew with a role to play (lying_worker.h): SPAPRD_TEST_ROLE names it. The host is a tree
 * of folders with two groups, the first with a bridge and two devices.
 */
#pragma once

#include <limits.h>
#include <stdlib.h>

#include "broker/manager.h"
#include "common/names.h"
#include "dbus/service.h"
#include "lying_worker.h"
#include "test-bus-fixture.h"

#define ENV_ROLE "SPAPRD_TEST_ROLE"

#define GROUP       1U
#define OTHER_GROUP LYING_WORKER_THEFT

#define BRIDGE       "0000:00:01.0"
#define DEVICE       "0000:01:00.0"
#define OTHER_DEVICE "0000:01:00.1"

/* Of the first group's PE, where the host has EEH, below the root of sysfs. */
#define EEH_STATE_FILE "bus/pci/devices/" BRIDGE "/eeh_pe_state"

struct stage {
	struct bus_fixture *bus;
	char sysfs[32];
	struct kernel kernel;
	struct manager *manager;
	struct service *service;
	char policies[48]; /* a folder */
	const char *policy_paths[1];
	struct policy_folders folders;
	unsigned int answers;
	enum error_code last_code;
};

/* The only one there is. */
extern struct stage stage;

/* cmocka set-up and tear-down. */
int service_fixture_set_up(void **state);
int service_fixture_set_up_with_eeh(void **state);
int service_fixture_tear_down(void **state);

/* The worker's part, when the program was started as one; else the tests. */
#define service_fixture_main(name, tests)                       \
	(getenv(ENV_ROLE) ? lying_worker_play(getenv(ENV_ROLE)) \
			  : cmocka_run_group_tests_name(name, tests, NULL, NULL))

/* -- calls -- */

/* A call of CreateAddressSpace. */
DBusMessage *create_message(bool keep);

/* The newest address space, with a worker of that role. */
struct space *create(const char *role);

/* A call of a method of an address space, without arguments. */
DBusMessage *space_message(const struct space *space, const char *method);

/* An option of AttachGroup: a basic value, or names up to a NULL. */
struct option {
	const char *name;
	const char *signature;
	DBusBasicValue value;
	const char *const *names;
};

/* A call of AttachGroup with an option, or NULL. */
DBusMessage *attach_message_with(const struct space *space, dbus_uint32_t group,
				 const struct option *option);
DBusMessage *attach_message(const struct space *space, dbus_uint32_t group);

/* Send a message, whose answer must not be an error. */
void succeed(DBusMessage *message);

void detach_group(const struct space *space, dbus_uint32_t group);

/* -- what became of it -- */

/* Whether one of the recorded signals about the space or its containers has a text somewhere. */
bool signals_of_have(const struct space *space, const char *text);

/* Whether the last signal of that name has a text somewhere. */
bool last_signal_has(const char *member, const char *text);

/* Run the loop until the space, the newest one, is no more. */
void run_until_gone(const struct space *space);

/* -- asking the worker -- */

/* Counts the answer and keeps its code. */
void handle_answer(void *userdata, const struct worker_answer *answer);
void run_until_answers(unsigned int count);

/* A section of the worker's, with WORKER_MEMORY_* flags. */
void add_memory(struct space *space, uint32_t flags);

/* -- policies -- */

/* Write a file below a folder. */
void write_file(const char *folder, const char *path, const char *text);

/* The text as the only policy file, which applies then. */
void use_policy(const char *text);
