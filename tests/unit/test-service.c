/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The broker's objects on the bus, over workers that lie. A worker here is this very program,
 * started anew with a role to play: SPAPRD_TEST_ROLE says how it describes itself. The host is a
 * tree of folders with two groups that have no devices.
 */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/manager.h"
#include "common/cleanup.h"
#include "common/names.h"
#include "common/packet.h"
#include "dbus/service.h"
#include "test-bus-fixture.h"

#define ENV_ROLE "SPAPRD_TEST_ROLE"

#define GROUP       1U
#define OTHER_GROUP 2U

/* -- the worker -- */

struct lie {
	struct worker_description description;
	struct worker_memory memory;
	struct worker_container container;
};

static void reply(const struct worker_request *request, const void *body, size_t size)
{
	struct worker_reply head = {
		.version = WORKER_PROTOCOL_VERSION,
		.type = request->type,
		.id = request->id,
		.size = (uint32_t)size,
	};

	(void)packet_send(WORKER_SOCKET_FD, &head, sizeof(head), body, size, NULL, 0);
}

static void name_type(struct lie *lie, const char *type)
{
	(void)snprintf(lie->container.iommu_type, sizeof(lie->container.iommu_type), "%s", type);
}

static void attach(struct lie *lie, const struct worker_attach *attach, const char *role)
{
	lie->description.container_count = 1;
	lie->container.container_id = attach->container_id;
	lie->container.group_count = 1;
	lie->container.balloon_inhibited = 1;
	lie->container.groups[0] = attach->group;
	name_type(lie, "spapr-tce-v2");
	if (strcmp(role, "thief") == 0) {
		lie->container.groups[0] = OTHER_GROUP;
	} else if (strcmp(role, "stranger") == 0) {
		lie->container.groups[0] = 77;
	} else if (strcmp(role, "text") == 0) {
		name_type(lie, "\xff\xfe");
	} else if (strcmp(role, "endless") == 0) {
		memset(lie->container.iommu_type, 'x', sizeof(lie->container.iommu_type));
	}
}

static void describe(const struct worker_request *request, const struct lie *lie)
{
	char body[sizeof(*lie)];
	size_t size = sizeof(lie->description);

	memcpy(body, &lie->description, size);
	if (lie->description.memory_count > 0) {
		memcpy(body + size, &lie->memory, sizeof(lie->memory));
		size += sizeof(lie->memory);
	}
	if (lie->description.container_count > 0) {
		memcpy(body + size, &lie->container, sizeof(lie->container));
		size += sizeof(lie->container);
	}
	reply(request, body, size);
}

static int play(const char *role)
{
	static _Alignas(uint64_t) char buffer[WORKER_MESSAGE_MAX];
	struct lie lie = {.description = {.container_count = 0}};
	struct packet_fds fds;

	while (packet_receive(WORKER_SOCKET_FD, buffer, sizeof(buffer), &fds, NULL) > 0) {
		struct worker_request request;

		memcpy(&request, buffer, sizeof(request));
		packet_fds_done(&fds);
		if (request.type == WORKER_DESCRIBE) {
			describe(&request, &lie);
		} else if (request.type == WORKER_ATTACH_GROUP) {
			attach(&lie, (const void *)(buffer + sizeof(request)), role);
			reply(&request, &lie.container, sizeof(lie.container));
		} else if (request.type == WORKER_ADD_MEMORY) {
			lie.description.memory_count = 1;
			reply(&request, &lie.memory, sizeof(lie.memory));
		} else if (request.type == WORKER_CLOSE && strcmp(role, "silent") != 0) {
			reply(&request, NULL, 0);
			return 0;
		}
	}
	return 0;
}

/* -- the host -- */

static int open_node(struct kernel *kernel, const char *path)
{
	(void)kernel;
	(void)path;
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void close_node(struct kernel *kernel, int fd)
{
	(void)kernel;
	(void)fd_close(fd);
}

static const struct kernel_operations operations = {.open_node = open_node, .close = close_node};

static void make_folder(const char *root, const char *path)
{
	char whole[PATH_MAX];

	(void)snprintf(whole, sizeof(whole), "%s/%s", root, path);
	assert_int_equal(mkdir(whole, 0700), 0);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

/* -- the test -- */

struct stage {
	struct bus_fixture *bus;
	char sysfs[32];
	struct kernel kernel;
	struct manager *manager;
	struct service *service;
	unsigned int answers;
	enum error_code last_code;
};

static struct stage stage;

static void make_host(void)
{
	static const char *const folders[] = {
		"kernel",
		"kernel/iommu_groups",
		"kernel/iommu_groups/1",
		"kernel/iommu_groups/1/devices",
		"kernel/iommu_groups/2",
		"kernel/iommu_groups/2/devices",
	};

	(void)snprintf(stage.sysfs, sizeof(stage.sysfs), "/tmp/spaprd-test-XXXXXX");
	assert_non_null(mkdtemp(stage.sysfs));
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		make_folder(stage.sysfs, folders[i]);
	}
	stage.kernel = (struct kernel){.operations = &operations, .sysfs_root = stage.sysfs};
}

static int set_up(void **state)
{
	sigset_t signals;
	struct error error;

	stage = (struct stage){.answers = 0};
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	assert_int_equal(bus_fixture_set_up(state), 0);
	stage.bus = *state;
	make_host();
	assert_int_equal(manager_new(stage.bus->event, &stage.kernel, false, "/proc/self/exe",
				     &stage.manager, &error),
			 0);
	return service_new(stage.bus->bus, stage.manager, NULL, &stage.service);
}

static int tear_down(void **state)
{
	stage.service = service_free(stage.service);
	stage.manager = manager_free(stage.manager);
	(void)nftw(stage.sysfs, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return bus_fixture_tear_down(state);
}

static void append_keep(DBusMessageIter *options)
{
	const char *key = "keep";
	dbus_bool_t keep = TRUE;
	DBusMessageIter entry;
	DBusMessageIter value;

	assert_true(dbus_message_iter_open_container(options, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
		    dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key) &&
		    dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "b", &value) &&
		    dbus_message_iter_append_basic(&value, DBUS_TYPE_BOOLEAN, &keep) &&
		    dbus_message_iter_close_container(&entry, &value) &&
		    dbus_message_iter_close_container(options, &entry));
}

static DBusMessage *create_message(bool keep)
{
	DBusMessage *message =
		bus_fixture_message(BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "CreateAddressSpace");
	DBusMessageIter arguments;
	DBusMessageIter options;

	dbus_message_iter_init_append(message, &arguments);
	assert_true(
		dbus_message_iter_open_container(&arguments, DBUS_TYPE_ARRAY, "{sv}", &options));
	if (keep) {
		append_keep(&options);
	}
	assert_true(dbus_message_iter_close_container(&arguments, &options));
	return message;
}

/* The newest address space, with a worker of that role. */
static struct space *create(const char *role)
{
	DBusMessage *answer;

	assert_int_equal(setenv(ENV_ROLE, role, 1), 0);
	answer = bus_fixture_call(stage.bus, create_message(false));
	(void)unsetenv(ENV_ROLE);
	assert_int_equal(dbus_message_get_type(answer), DBUS_MESSAGE_TYPE_METHOD_RETURN);
	dbus_message_unref(answer);
	return stage.manager->spaces;
}

static DBusMessage *attach_message(const struct space *space, dbus_uint32_t group)
{
	char path[64];
	DBusMessage *message;
	DBusMessageIter arguments;
	DBusMessageIter options;

	(void)snprintf(path, sizeof(path), BUS_PATH_SPACE_PREFIX "%u", space->number);
	message = bus_fixture_message(path, BUS_INTERFACE_SPACE, "AttachGroup");
	dbus_message_iter_init_append(message, &arguments);
	assert_true(
		dbus_message_iter_append_basic(&arguments, DBUS_TYPE_UINT32, &group) &&
		dbus_message_iter_open_container(&arguments, DBUS_TYPE_ARRAY, "{sv}", &options) &&
		dbus_message_iter_close_container(&arguments, &options));
	return message;
}

static void run_until_gone(const struct space *space)
{
	while (stage.manager->spaces == space) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
}

/* Whether the last signal of that name has a text somewhere. */
static bool last_signal_has(const char *member, const char *text)
{
	const DBusMessage *last = NULL;
	char *bytes = NULL;
	int size = 0;
	bool found;

	for (unsigned int i = 0; i < stage.bus->signal_count; i++) {
		if (dbus_message_has_member(stage.bus->signals[i], member)) {
			last = stage.bus->signals[i];
		}
	}
	assert_non_null(last);
	assert_true(dbus_message_marshal((DBusMessage *)last, &bytes, &size));
	found = memmem(bytes, (size_t)size, text, strlen(text)) != NULL;
	dbus_free(bytes);
	return found;
}

/* -- tests -- */

static void handle_answer(void *userdata, const struct worker_answer *answer)
{
	(void)userdata;
	stage.answers++;
	stage.last_code = answer->error.code;
}

/* A client that keeps what InterfacesAdded says must not believe that nobody owns the space. */
static void test_owner_in_signals(void **state)
{
	struct bus_client other;
	DBusPendingCall *pending = NULL;
	DBusMessage *message = create_message(true);
	const char *owner;

	(void)state;
	assert_int_equal(setenv(ENV_ROLE, "honest", 1), 0);
	bus_client_open(stage.bus, &other);
	owner = dbus_bus_get_unique_name(other.connection);
	assert_true(dbus_connection_send_with_reply(other.connection, message, &pending, 10000));
	dbus_message_unref(message);
	while (!dbus_pending_call_get_completed(pending)) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	dbus_pending_call_unref(pending);
	(void)unsetenv(ENV_ROLE);
	bus_fixture_settle(stage.bus);
	assert_true(last_signal_has("InterfacesAdded", owner));
	assert_int_equal(bus_fixture_count_signals(stage.bus, "PropertiesChanged"), 0);
	bus_client_close(&other);
	while (bus_fixture_count_signals(stage.bus, "PropertiesChanged") == 0) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	assert_true(last_signal_has("PropertiesChanged", "Owner"));
	assert_non_null(stage.manager->spaces);
}

static void test_honest_worker(void **state)
{
	struct space *space = create("honest");

	(void)state;
	dbus_message_unref(bus_fixture_call(stage.bus, attach_message(space, GROUP)));
	assert_int_equal(space->container_count, 1);
	assert_ptr_equal(stage.manager->groups[0].space, space);
}

static void handle_return(DBusPendingCall *pending, void *userdata)
{
	unsigned int *changes = userdata;

	(void)pending;
	*changes = bus_fixture_count_signals(stage.bus, "PropertiesChanged");
}

/* A client that keeps properties has the new ones when its call returns: space and group. */
static void test_changes_before_the_return(void **state)
{
	DBusMessage *message = attach_message(create("honest"), GROUP);
	DBusPendingCall *pending = NULL;
	unsigned int changes = 0;

	(void)state;
	assert_true(dbus_connection_send_with_reply(stage.bus->client.connection, message, &pending,
						    10000));
	dbus_message_unref(message);
	assert_true(dbus_pending_call_set_notify(pending, handle_return, &changes, NULL));
	while (!dbus_pending_call_get_completed(pending)) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	dbus_pending_call_unref(pending);
	assert_int_equal(changes, 2);
}

static bool balloon_is_inhibited(const struct space *space)
{
	const char *interface = BUS_INTERFACE_SPACE;
	const char *name = "BalloonInhibited";
	char path[64];
	DBusMessage *message;
	DBusMessage *answer;
	DBusMessageIter iter;
	DBusMessageIter value;
	dbus_bool_t inhibited = FALSE;

	(void)snprintf(path, sizeof(path), BUS_PATH_SPACE_PREFIX "%u", space->number);
	message = bus_fixture_message(path, DBUS_INTERFACE_PROPERTIES, "Get");
	assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &interface,
					     DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID));
	answer = bus_fixture_call(stage.bus, message);
	assert_true(dbus_message_iter_init(answer, &iter));
	dbus_message_iter_recurse(&iter, &value);
	dbus_message_iter_get_basic(&value, &inhibited);
	dbus_message_unref(answer);
	return inhibited;
}

/* Memory is locked when there are both sections and a container. */
static void test_balloon(void **state)
{
	struct space *space = create("honest");
	struct worker_memory memory = {.size = 4096};

	(void)state;
	assert_int_equal(space_request(space, WORKER_ADD_MEMORY, &memory, sizeof(memory), NULL, 0,
				       handle_answer, NULL, NULL),
			 0);
	while (stage.answers == 0) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	assert_int_equal(stage.last_code, ERROR_NONE);
	assert_false(balloon_is_inhibited(space));
	dbus_message_unref(bus_fixture_call(stage.bus, attach_message(space, GROUP)));
	assert_true(balloon_is_inhibited(space));
}

/* A description that can't be true ends its worker, and nobody else's. */
static void test_lies(void **state)
{
	static const char *const roles[] = {"thief", "stranger", "text", "endless"};
	struct space *honest = create("honest");

	(void)state;
	dbus_message_unref(bus_fixture_call(stage.bus, attach_message(honest, OTHER_GROUP)));
	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
		struct space *liar = create(roles[i]);

		(void)bus_fixture_call_fails(stage.bus, attach_message(liar, GROUP),
					     BUS_ERROR_PREFIX "WorkerLost");
		run_until_gone(liar);
		assert_ptr_equal(stage.manager->spaces, honest);
		assert_ptr_equal(stage.manager->groups[1].space, honest);
		assert_null(stage.manager->groups[0].space);
	}
	assert_int_equal(honest->container_count, 1);
}

/* What waits when spaprd itself ends is answered, and so does not leak. */
static void test_end_with_calls_waiting(void **state)
{
	struct worker_map map = {.size = 4096};
	struct space *space = create("silent");

	(void)state;
	assert_int_equal(space_request(space, WORKER_MAP, &map, sizeof(map), NULL, 0, handle_answer,
				       NULL, NULL),
			 0);
	assert_int_equal(space_request(space, WORKER_CREATE_WINDOW, &(struct worker_window){0},
				       sizeof(struct worker_window), NULL, 0, handle_answer, NULL,
				       NULL),
			 0);
	assert_int_equal(space_close(space, handle_answer, NULL, NULL), 0);
	stage.service = service_free(stage.service);
	stage.manager = manager_free(stage.manager);
	assert_int_equal(stage.answers, 3);
	assert_int_equal(stage.last_code, ERROR_WORKER_LOST);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_owner_in_signals),
		TEST(test_honest_worker),
		TEST(test_changes_before_the_return),
		TEST(test_balloon),
		TEST(test_lies),
		TEST(test_end_with_calls_waiting),
	};
	const char *role = getenv(ENV_ROLE);

	if (role) {
		return play(role);
	}
	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
