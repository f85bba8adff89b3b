/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

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

void write_file(const char *folder, const char *path, const char *text)
{
	char whole[PATH_MAX];
	FILE *file;

	(void)snprintf(whole, sizeof(whole), "%s/%s", folder, path);
	file = fopen(whole, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void make_device(const char *root, const char *name, const char *class)
{
	static const char *const files[] = {"vendor", "device", "class"};
	char path[128];

	(void)snprintf(path, sizeof(path), "kernel/iommu_groups/1/devices/%s", name);
	make_folder(root, path);
	(void)snprintf(path, sizeof(path), "bus/pci/devices/%s", name);
	make_folder(root, path);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		(void)snprintf(path, sizeof(path), "bus/pci/devices/%s/%s", name, files[i]);
		write_file(root, path, i == 2 ? class : "0x1234");
	}
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

/* -- the test -- */

struct stage stage;

static void make_host(bool eeh)
{
	static const char *const folders[] = {
		"kernel",
		"kernel/iommu_groups",
		"kernel/iommu_groups/1",
		"kernel/iommu_groups/1/devices",
		"kernel/iommu_groups/2",
		"kernel/iommu_groups/2/devices",
		"bus",
		"bus/pci",
		"bus/pci/devices",
		"policies",
	};

	(void)snprintf(stage.sysfs, sizeof(stage.sysfs), "/tmp/spaprd-test-XXXXXX");
	assert_non_null(mkdtemp(stage.sysfs));
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		make_folder(stage.sysfs, folders[i]);
	}
	make_device(stage.sysfs, BRIDGE, "0x060400");
	make_device(stage.sysfs, DEVICE, "0x020000");
	make_device(stage.sysfs, OTHER_DEVICE, "0x020000");
	if (eeh) {
		write_file(stage.sysfs, EEH_STATE_FILE, "0x00000078 0x00000000\n");
	}
	stage.kernel = (struct kernel){.operations = &operations, .sysfs_root = stage.sysfs};
	(void)snprintf(stage.policies, sizeof(stage.policies), "%s/policies", stage.sysfs);
	stage.policy_paths[0] = stage.policies;
	stage.folders = (struct policy_folders){.paths = stage.policy_paths, .count = 1};
}

static int set_up(void **state, bool eeh)
{
	sigset_t signals;
	struct error error;

	stage = (struct stage){.answers = 0};
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	assert_int_equal(bus_fixture_set_up(state), 0);
	stage.bus = *state;
	make_host(eeh);
	assert_int_equal(manager_new(stage.bus->event, &stage.kernel, false, "/proc/self/exe",
				     &stage.manager, &error),
			 0);
	return service_new(stage.bus->bus, stage.manager, NULL, &stage.service);
}

int service_fixture_set_up(void **state)
{
	return set_up(state, false);
}

int service_fixture_set_up_with_eeh(void **state)
{
	return set_up(state, true);
}

int service_fixture_tear_down(void **state)
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

DBusMessage *create_message(bool keep)
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
struct space *create(const char *role)
{
	DBusMessage *answer;

	assert_int_equal(setenv(ENV_ROLE, role, 1), 0);
	answer = bus_fixture_call(stage.bus, create_message(false));
	(void)unsetenv(ENV_ROLE);
	assert_int_equal(dbus_message_get_type(answer), DBUS_MESSAGE_TYPE_METHOD_RETURN);
	dbus_message_unref(answer);
	return stage.manager->spaces;
}

DBusMessage *space_message(const struct space *space, const char *method)
{
	char path[64];

	(void)snprintf(path, sizeof(path), BUS_PATH_SPACE_PREFIX "%u", space->number);
	return bus_fixture_message(path, BUS_INTERFACE_SPACE, method);
}

static void append_names(DBusMessageIter *value, const char *const *names)
{
	DBusMessageIter array;

	assert_true(dbus_message_iter_open_container(value, DBUS_TYPE_ARRAY, "s", &array));
	for (; *names; names++) {
		assert_true(dbus_message_iter_append_basic(&array, DBUS_TYPE_STRING, names));
	}
	assert_true(dbus_message_iter_close_container(value, &array));
}

static void append_option(DBusMessageIter *options, const struct option *option)
{
	DBusMessageIter entry;
	DBusMessageIter value;

	assert_true(dbus_message_iter_open_container(options, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
		    dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &option->name) &&
		    dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, option->signature,
						     &value));
	if (option->names) {
		append_names(&value, option->names);
	} else {
		assert_true(dbus_message_iter_append_basic(&value, option->signature[0],
							   &option->value));
	}
	assert_true(dbus_message_iter_close_container(&entry, &value) &&
		    dbus_message_iter_close_container(options, &entry));
}

/* With an option, or NULL. */
DBusMessage *attach_message_with(const struct space *space, dbus_uint32_t group,
				 const struct option *option)
{
	DBusMessage *message = space_message(space, "AttachGroup");
	DBusMessageIter arguments;
	DBusMessageIter options;

	dbus_message_iter_init_append(message, &arguments);
	assert_true(
		dbus_message_iter_append_basic(&arguments, DBUS_TYPE_UINT32, &group) &&
		dbus_message_iter_open_container(&arguments, DBUS_TYPE_ARRAY, "{sv}", &options));
	if (option) {
		append_option(&options, option);
	}
	assert_true(dbus_message_iter_close_container(&arguments, &options));
	return message;
}

DBusMessage *attach_message(const struct space *space, dbus_uint32_t group)
{
	return attach_message_with(space, group, NULL);
}

void succeed(DBusMessage *message)
{
	DBusMessage *answer = bus_fixture_call(stage.bus, message);

	if (dbus_message_get_type(answer) == DBUS_MESSAGE_TYPE_ERROR) {
		fail_msg("%s", dbus_message_get_error_name(answer));
	}
	dbus_message_unref(answer);
}

void detach_group(const struct space *space, dbus_uint32_t group)
{
	DBusMessage *message = space_message(space, "DetachGroup");

	assert_true(dbus_message_append_args(message, DBUS_TYPE_UINT32, &group, DBUS_TYPE_INVALID));
	succeed(message);
}

/* Whether one of the recorded signals about the space or its containers has a text somewhere. */
bool signals_of_have(const struct space *space, const char *text)
{
	char prefix[64];
	bool found = false;

	bus_fixture_settle(stage.bus);
	(void)snprintf(prefix, sizeof(prefix), BUS_PATH_SPACE_PREFIX "%u", space->number);
	for (unsigned int i = 0; i < stage.bus->signal_count && !found; i++) {
		DBusMessage *signal = stage.bus->signals[i];
		const char *path = dbus_message_get_path(signal);
		char *bytes = NULL;
		int size = 0;

		if (dbus_message_has_member(signal, "PropertiesChanged") &&
		    strncmp(path, prefix, strlen(prefix)) == 0) {
			assert_true(dbus_message_marshal(signal, &bytes, &size));
			found = memmem(bytes, (size_t)size, text, strlen(text)) != NULL;
			dbus_free(bytes);
		}
	}
	return found;
}

void run_until_gone(const struct space *space)
{
	while (stage.manager->spaces == space) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
}

/* Whether the last signal of that name has a text somewhere. */
bool last_signal_has(const char *member, const char *text)
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

/* -- asking the worker -- */

void handle_answer(void *userdata, const struct worker_answer *answer)
{
	(void)userdata;
	stage.answers++;
	stage.last_code = answer->error.code;
}

void run_until_answers(unsigned int count)
{
	while (stage.answers < count) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
}

void add_memory(struct space *space, uint32_t flags)
{
	struct worker_memory memory = {.size = 4096, .flags = flags};

	stage.answers = 0;
	assert_int_equal(space_request(space, WORKER_ADD_MEMORY, &memory, sizeof(memory), NULL, 0,
				       handle_answer, NULL, NULL),
			 0);
	while (stage.answers == 0) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	assert_int_equal(stage.last_code, ERROR_NONE);
}

/* -- policies -- */

void use_policy(const char *text)
{
	struct error error;

	write_file(stage.policies, "test.conf", text);
	if (manager_use_policies(stage.manager, &stage.folders, &error)) {
		fail_msg("%s", error.text);
	}
}
