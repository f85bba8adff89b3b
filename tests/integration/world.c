/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "world.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/memfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim/client.h"
#include "sim/launch.h"

#define CALL_TIMEOUT_MS 60000
#define WAIT_SECONDS    30

static char error_text[1024];

/* -- waiting -- */

void wait_for(bool (*condition)(void *userdata), void *userdata, const char *what)
{
	time_t deadline = time(NULL) + WAIT_SECONDS;

	while (!condition(userdata)) {
		if (time(NULL) > deadline) {
			fail_msg("waited %d s in vain: %s", WAIT_SECONDS, what);
		}
		(void)usleep(2000);
	}
}

/* -- set-up and tear-down -- */

DBusConnection *client_open(void)
{
	DBusError error = DBUS_ERROR_INIT;
	DBusConnection *client = dbus_bus_get_private(DBUS_BUS_SYSTEM, &error);

	if (!client) {
		fail_msg("no bus: %s", error.message);
	}
	dbus_connection_set_exit_on_disconnect(client, FALSE);
	return client;
}

void client_close(DBusConnection *client)
{
	dbus_connection_close(client);
	dbus_connection_unref(client);
}

static void program_path(const char *name, char ret_path[static PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", ret_path, PATH_MAX - 32);

	assert_true(length > 0);
	ret_path[length] = '\0';
	*strrchr(ret_path, '/') = '\0'; /* the tests' folder lies beside the programs */
	(void)snprintf(strrchr(ret_path, '/'), 32, "/%s", name);
}

/*
 * A program that root executes gets every capability that is not dropped here. What a process may
 * lock on the simulated host is a setting of that.
 */
static void set_limits(void)
{
	const struct rlimit locked = {LIMIT_LOCKED, LIMIT_LOCKED};
	const struct rlimit files = {LIMIT_FDS, LIMIT_FDS};

	if (setrlimit(RLIMIT_MEMLOCK, &locked) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0 ||
	    (geteuid() == 0 && prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0) < 0)) {
		_exit(126);
	}
}

enum kind {
	KIND_PLAIN,
	KIND_LIMITED,
	KIND_FREEZING,
	KIND_EEH,
};

/* Where the lab's hosts are emulated ones, a refused DMA doesn't freeze its PE. */
static void name_host(const struct world *world, enum kind kind, char *ret_name, size_t size)
{
	int length = snprintf(ret_name, size, "%s,faults=%s", world->host->name,
			      kind == KIND_FREEZING ? "freeze" : "ignore");

	if (kind == KIND_LIMITED) {
		(void)snprintf(ret_name + length, size - (size_t)length, ",memlock=%" PRIu64,
			       LIMIT_LOCKED);
	} else if (kind == KIND_EEH) {
		(void)snprintf(ret_name + length, size - (size_t)length, ",pace=0");
	}
}

static pid_t start_spaprd(const struct world *world, const char *host, bool limited)
{
	char path[PATH_MAX];
	char simulate[PATH_MAX + 16];
	pid_t pid;

	(void)snprintf(simulate, sizeof(simulate), "--simulate=%s", host);
	program_path("spaprd", path);
	pid = fork();
	if (pid == 0) {
		if (limited) {
			set_limits();
		}
		/* End in order when the test dies. */
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		execl(path, path, "--policy-dir", world->policies, world->real ? NULL : simulate,
		      NULL);
		_exit(127);
	}
	return pid;
}

static bool name_is_owned(void *userdata)
{
	struct world *world = userdata;

	assert_int_equal(waitpid(world->spaprd, NULL, WNOHANG), 0);
	return dbus_bus_name_has_owner(world->client, BUS_NAME, NULL);
}

static unsigned int count_fds(pid_t pid)
{
	char path[64];
	DIR *directory;
	unsigned int count = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	assert_non_null(directory);
	while (readdir(directory)) {
		count++;
	}
	(void)closedir(directory);
	return count;
}

/* An answer can be here before spaprd has closed the last fd of what it answered: look for a while.
 */
static unsigned int count_idle_fds(pid_t pid)
{
	unsigned int least = UINT_MAX;

	for (int i = 0; i < 10; i++) {
		unsigned int count = count_fds(pid);

		least = count < least ? count : least;
		(void)usleep(20000);
	}
	return least;
}

static void open_and_forget(const struct world *world, const char *name)
{
	DBusMessage *reply = call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER,
				  "GetDevice", NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID);
	const char *path = NULL;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &path,
					  DBUS_TYPE_INVALID));
	dbus_message_unref(
		call(world->client, path, BUS_INTERFACE_DEVICE, "Open", NULL, DBUS_TYPE_INVALID));
	dbus_message_unref(reply);
}

static void warm_up(const struct world *world, enum kind kind)
{
	const char *const devices[] = {world->host->edu, world->host->nic};
	char *space = space_create(world->client, "warm-up");

	attach(world->client, space, devices[0], NULL);
	if (kind == KIND_EEH) {
		/* A PE whose devices have been open keeps what their interrupts ring. */
		attach(world->client, space, devices[1], NULL);
		open_and_forget(world, devices[0]);
		open_and_forget(world, devices[1]);
	}
	space_close(world->client, space);
}

/* A simulated host beside spaprd, which both reach. */
static int start_shared_host(struct world *world, char *host, size_t size)
{
	char program[PATH_MAX];
	char path[64];
	int connection = -1;

	(void)snprintf(path, sizeof(path), "%s/host.sock", world->policies);
	program_path("spaprd-simhost", program);
	if (sim_launch_listening(program, host, path, &connection, &world->simhost) < 0 ||
	    sim_kernel_new(connection, &world->kernel) < 0) {
		return -1;
	}
	(void)snprintf(host, size, "unix:%s", path);
	return 0;
}

static int start(void **state, enum kind kind, const char *name)
{
	static struct world world;
	char host[PATH_MAX];

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	world = (struct world){.bus = PRIVATE_BUS_NONE, .policies = "/tmp/spaprd-policies-XXXXXX"};
	world.real = lab_host_is_real();
	world.page_size = sysconf(_SC_PAGESIZE);
	world.host = lab_host_find();
	*state = &world;
	if (!world.host) {
		print_error("no host that these tests know\n");
		return -1;
	}
	if (!mkdtemp(world.policies) || private_bus_start(&world.bus) < 0) {
		return -1;
	}
	if (name) {
		(void)snprintf(host, sizeof(host), "%s", name);
	} else {
		name_host(&world, kind, host, sizeof(host));
	}
	if (kind == KIND_EEH && (world.real ? kernel_linux_new(&world.kernel)
					    : start_shared_host(&world, host, sizeof(host))) < 0) {
		return -1;
	}
	world.client = client_open();
	world.spaprd = start_spaprd(&world, host, kind == KIND_LIMITED);
	if (world.spaprd < 0) {
		return -1;
	}
	wait_for(name_is_owned, &world, "spaprd owns its name");
	/* Once through, so that what is opened on first use is open. */
	if (!name) {
		warm_up(&world, kind);
	}
	world.idle_fds = count_idle_fds(world.spaprd);
	return 0;
}

int world_start(void **state)
{
	return start(state, KIND_PLAIN, NULL);
}

int world_start_limited(void **state)
{
	return start(state, KIND_LIMITED, NULL);
}

int world_start_freezing(void **state)
{
	return start(state, KIND_FREEZING, NULL);
}

int world_start_eeh(void **state)
{
	return start(state, KIND_EEH, NULL);
}

int world_start_on(void **state, const char *name)
{
	return start(state, KIND_EEH, name);
}

static void policy_path(const struct world *world, char *ret_path, size_t size)
{
	(void)snprintf(ret_path, size, "%s/test.conf", world->policies);
}

static void remove_policies(const struct world *world)
{
	char path[64];

	policy_path(world, path, sizeof(path));
	(void)unlink(path);
	(void)rmdir(world->policies);
}

/* It ends when the last connection to it is closed. */
static int stop_shared_host(struct world *world)
{
	int status = 0;

	world->kernel = kernel_free(world->kernel);
	if (world->simhost > 0) {
		(void)waitpid(world->simhost, &status, 0);
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

int world_stop(void **state)
{
	struct world *world = *state;
	int status = -1;

	if (world->spaprd > 0) {
		(void)kill(world->spaprd, SIGTERM);
		(void)waitpid(world->spaprd, &status, 0);
	}
	if (world->client) {
		client_close(world->client);
	}
	private_bus_stop(&world->bus);
	if (stop_shared_host(world) < 0) {
		status = -1;
	}
	remove_policies(world);
	dbus_shutdown();
	/* A sanitizer's finding is an exit status too. */
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* -- calls -- */

const char *last_error_text(void)
{
	return error_text;
}

static bool is_refusal(const char *name, const char *refusal)
{
	if (strchr(refusal, '.')) {
		return strcmp(name, refusal) == 0;
	}
	return strncmp(name, BUS_ERROR_PREFIX, strlen(BUS_ERROR_PREFIX)) == 0 &&
	       strcmp(name + strlen(BUS_ERROR_PREFIX), refusal) == 0;
}

DBusMessage *call_message(DBusConnection *client, DBusMessage *message, const char *refusal)
{
	DBusError error = DBUS_ERROR_INIT;
	const char *method = dbus_message_get_member(message);
	DBusMessage *reply =
		dbus_connection_send_with_reply_and_block(client, message, CALL_TIMEOUT_MS, &error);

	if (reply && refusal) {
		fail_msg("%s worked, it should have been refused with %s", method, refusal);
	}
	if (!reply) {
		(void)snprintf(error_text, sizeof(error_text), "%s", error.message);
		if (!refusal || !is_refusal(error.name, refusal)) {
			fail_msg("%s: expected %s, got %s: %s", method,
				 refusal ? refusal : "success", error.name, error.message);
		}
		dbus_error_free(&error);
	}
	dbus_message_unref(message);
	return reply;
}

DBusMessage *call(DBusConnection *client, const char *path, const char *interface,
		  const char *method, const char *refusal, int first_type, ...)
{
	DBusMessage *message = dbus_message_new_method_call(BUS_NAME, path, interface, method);
	va_list arguments;

	assert_non_null(message);
	va_start(arguments, first_type);
	assert_true(dbus_message_append_args_valist(message, first_type, arguments));
	va_end(arguments);
	return call_message(client, message, refusal);
}

/* A call whose answer has nothing that matters. */
static void call_done(DBusMessage *reply)
{
	if (reply) {
		dbus_message_unref(reply);
	}
}

DBusMessage *get_property(DBusConnection *client, const char *path, const char *interface,
			  const char *name)
{
	return call(client, path, DBUS_INTERFACE_PROPERTIES, "Get", NULL, DBUS_TYPE_STRING,
		    &interface, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID);
}

static DBusMessage *open_property(DBusConnection *client, const char *path, const char *interface,
				  const char *name, DBusMessageIter *ret_value)
{
	DBusMessage *reply = get_property(client, path, interface, name);
	DBusMessageIter iter;

	assert_true(dbus_message_iter_init(reply, &iter));
	dbus_message_iter_recurse(&iter, ret_value);
	return reply;
}

uint64_t get_number(DBusConnection *client, const char *path, const char *interface,
		    const char *name)
{
	DBusMessageIter value;
	DBusMessage *reply = open_property(client, path, interface, name, &value);
	DBusBasicValue basic = {.u64 = 0};
	uint64_t number = 0;
	int type = dbus_message_iter_get_arg_type(&value);

	dbus_message_iter_get_basic(&value, &basic);
	if (type == DBUS_TYPE_UINT64) {
		number = basic.u64;
	} else if (type == DBUS_TYPE_UINT32) {
		number = basic.u32;
	} else if (type == DBUS_TYPE_UINT16) {
		number = basic.u16;
	} else if (type == DBUS_TYPE_BOOLEAN) {
		number = basic.bool_val;
	} else {
		fail_msg("%s has type '%c'", name, type);
	}
	dbus_message_unref(reply);
	return number;
}

char *get_text(DBusConnection *client, const char *path, const char *interface, const char *name)
{
	DBusMessageIter value;
	DBusMessage *reply = open_property(client, path, interface, name, &value);
	const char *text = NULL;
	char *copy;

	dbus_message_iter_get_basic(&value, &text);
	copy = strdup(text);
	assert_non_null(copy);
	dbus_message_unref(reply);
	return copy;
}

unsigned int get_count(DBusConnection *client, const char *path, const char *interface,
		       const char *name)
{
	DBusMessageIter value;
	DBusMessage *reply = open_property(client, path, interface, name, &value);
	unsigned int count = (unsigned int)dbus_message_iter_get_element_count(&value);

	dbus_message_unref(reply);
	return count;
}

/* -- the contract's methods -- */

uint32_t group_of(DBusConnection *client, const char *device)
{
	DBusMessage *reply = call(client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "GetDevice",
				  NULL, DBUS_TYPE_STRING, &device, DBUS_TYPE_INVALID);
	const char *path = NULL;
	char *group;
	uint32_t id;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &path,
					  DBUS_TYPE_INVALID));
	group = get_text(client, path, BUS_INTERFACE_DEVICE, "Group");
	id = (uint32_t)get_number(client, group, BUS_INTERFACE_GROUP, "Id");
	free(group);
	dbus_message_unref(reply);
	return id;
}

/* An option that is a basic value or, with the signature "as", names up to a NULL. */
static void append_option(DBusMessageIter *dictionary, const char *key, const char *signature,
			  const void *option)
{
	DBusMessageIter entry;
	DBusMessageIter value;
	DBusMessageIter array;

	assert_true(
		dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry));
	assert_true(dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key));
	assert_true(dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &value));
	if (strcmp(signature, "as") == 0) {
		assert_true(dbus_message_iter_open_container(&value, DBUS_TYPE_ARRAY, "s", &array));
		for (const char *const *names = option; *names; names++) {
			assert_true(
				dbus_message_iter_append_basic(&array, DBUS_TYPE_STRING, names));
		}
		assert_true(dbus_message_iter_close_container(&value, &array));
	} else {
		assert_true(dbus_message_iter_append_basic(&value, signature[0], option));
	}
	assert_true(dbus_message_iter_close_container(&entry, &value));
	assert_true(dbus_message_iter_close_container(dictionary, &entry));
}

char *space_create(DBusConnection *client, const char *name)
{
	DBusMessage *message = dbus_message_new_method_call(
		BUS_NAME, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "CreateAddressSpace");
	DBusMessageIter iter;
	DBusMessageIter options;
	DBusMessage *reply;
	const char *path = NULL;
	char *copy;

	dbus_message_iter_init_append(message, &iter);
	assert_true(dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &options));
	if (name) {
		append_option(&options, "name", "s", &name);
	}
	assert_true(dbus_message_iter_close_container(&iter, &options));
	reply = call_message(client, message, NULL);
	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &path,
					  DBUS_TYPE_INVALID));
	copy = strdup(path);
	dbus_message_unref(reply);
	return copy;
}

void space_close(DBusConnection *client, const char *space)
{
	call_done(call(client, space, BUS_INTERFACE_SPACE, "Close", NULL, DBUS_TYPE_INVALID));
	free((void *)space);
}

static void append_attach_options(DBusMessageIter *iter, const struct attach_options *options)
{
	dbus_bool_t own = options->own_container;
	DBusMessageIter dictionary;

	assert_true(dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "{sv}", &dictionary));
	if (options->iommu_type) {
		append_option(&dictionary, "iommu-type", "s", &options->iommu_type);
	}
	if (own) {
		append_option(&dictionary, "own-container", "b", &own);
	}
	if (options->balloon_allowed) {
		append_option(&dictionary, "balloon-allowed", "as", options->balloon_allowed);
	}
	assert_true(dbus_message_iter_close_container(iter, &dictionary));
}

char *attach_with(DBusConnection *client, const char *space, const char *device,
		  const struct attach_options *options, const char *refusal)
{
	uint32_t group = group_of(client, device);
	DBusMessage *message =
		dbus_message_new_method_call(BUS_NAME, space, BUS_INTERFACE_SPACE, "AttachGroup");
	DBusMessageIter iter;
	DBusMessage *reply;
	const char *path = NULL;
	char *copy;

	dbus_message_iter_init_append(message, &iter);
	assert_true(dbus_message_iter_append_basic(&iter, DBUS_TYPE_UINT32, &group));
	append_attach_options(&iter, options);
	reply = call_message(client, message, refusal);
	if (!reply) {
		return NULL;
	}
	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &path,
					  DBUS_TYPE_INVALID));
	copy = strdup(path);
	dbus_message_unref(reply);
	return copy;
}

void attach(DBusConnection *client, const char *space, const char *device, const char *refusal)
{
	static const struct attach_options none;

	free(attach_with(client, space, device, &none, refusal));
}

void detach(DBusConnection *client, const char *space, const char *device, const char *refusal)
{
	uint32_t group = group_of(client, device);

	call_done(call(client, space, BUS_INTERFACE_SPACE, "DetachGroup", refusal, DBUS_TYPE_UINT32,
		       &group, DBUS_TYPE_INVALID));
}

uint32_t add_memory(DBusConnection *client, const char *space, int fd, uint64_t offset,
		    uint64_t gpa, uint64_t size, uint32_t flags, const char *refusal)
{
	DBusMessage *reply =
		call(client, space, BUS_INTERFACE_SPACE, "AddMemory", refusal, DBUS_TYPE_UNIX_FD,
		     &fd, DBUS_TYPE_UINT64, &offset, DBUS_TYPE_UINT64, &gpa, DBUS_TYPE_UINT64,
		     &size, DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID);
	uint32_t id = 0;

	if (reply) {
		assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &id,
						  DBUS_TYPE_INVALID));
		dbus_message_unref(reply);
	}
	return id;
}

void remove_memory(DBusConnection *client, const char *space, uint32_t id, const char *refusal)
{
	call_done(call(client, space, BUS_INTERFACE_SPACE, "RemoveMemory", refusal,
		       DBUS_TYPE_UINT32, &id, DBUS_TYPE_INVALID));
}

struct window create_window(DBusConnection *client, const char *space, struct window wanted,
			    const char *refusal)
{
	uint32_t flags = 0;
	struct window made = {.start = 0};
	DBusMessage *reply = call(client, space, BUS_INTERFACE_SPACE, "CreateWindow", refusal,
				  DBUS_TYPE_UINT64, &wanted.start, DBUS_TYPE_UINT64, &wanted.size,
				  DBUS_TYPE_UINT32, &wanted.page_shift, DBUS_TYPE_UINT32,
				  &wanted.levels, DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID);

	if (reply) {
		assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT64, &made.start,
						  DBUS_TYPE_UINT64, &made.size, DBUS_TYPE_UINT32,
						  &made.page_shift, DBUS_TYPE_UINT32, &made.levels,
						  DBUS_TYPE_INVALID));
		dbus_message_unref(reply);
	}
	return made;
}

void remove_window(DBusConnection *client, const char *space, uint64_t start, const char *refusal)
{
	call_done(call(client, space, BUS_INTERFACE_SPACE, "RemoveWindow", refusal,
		       DBUS_TYPE_UINT64, &start, DBUS_TYPE_INVALID));
}

void make_room(DBusConnection *client, const struct lab_host *host, const char *space)
{
	if (host->default_windows > 1) {
		remove_window(client, space, host->second_window, NULL);
	}
}

void map(DBusConnection *client, const char *space, uint64_t iova, uint64_t gpa, uint64_t size,
	 uint32_t prot, const char *refusal)
{
	call_done(call(client, space, BUS_INTERFACE_SPACE, "Map", refusal, DBUS_TYPE_UINT64, &iova,
		       DBUS_TYPE_UINT64, &gpa, DBUS_TYPE_UINT64, &size, DBUS_TYPE_UINT32, &prot,
		       DBUS_TYPE_INVALID));
}

void unmap(DBusConnection *client, const char *space, uint64_t iova, uint64_t size,
	   const char *refusal)
{
	call_done(call(client, space, BUS_INTERFACE_SPACE, "Unmap", refusal, DBUS_TYPE_UINT64,
		       &iova, DBUS_TYPE_UINT64, &size, DBUS_TYPE_INVALID));
}

void set_policy(const struct world *world, const char *text, const char *refusal)
{
	char path[64];
	FILE *file;

	policy_path(world, path, sizeof(path));
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	call_done(call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "Reload", refusal,
		       DBUS_TYPE_INVALID));
}

int forget_policy(void **state)
{
	set_policy(*state, "", NULL);
	return 0;
}

int memory_new(uint64_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return fd;
}

/* Whether there are pages behind it: a memfd can be made without, but not mapped. */
static bool can_be_mapped(int fd, uint64_t size)
{
	void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return address != MAP_FAILED && munmap(address, size) == 0;
}

int memory_new_huge(const struct world *world, uint64_t size, unsigned int page_shift)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	uint64_t page_kib = UINT64_C(1) << (page_shift - 10);
	char name[32];
	int fd;

	/* What the simulated host takes for huge pages (spaprd-simhost(8)). */
	(void)snprintf(name, sizeof(name), "hugetlb-%" PRIu64 "K", page_kib);
	if (world->real) {
		flags |= MFD_HUGETLB | page_shift << MFD_HUGE_SHIFT;
	}
	fd = memfd_create(name, flags);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 || !can_be_mapped(fd, size)) {
		if (fd >= 0) {
			(void)close(fd);
		}
		return -1;
	}
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return fd;
}

/* -- what is left -- */

/* The number behind a key of /proc/PID/status, -1 when the process is gone. */
static long read_status(pid_t pid, const char *key)
{
	char path[64];
	char line[256];
	long number = -1;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) == 0) {
			number = strtol(line + strlen(key), NULL, 10);
		}
	}
	if (file) {
		(void)fclose(file);
	}
	return number;
}

static bool is_worker_of(pid_t pid, const char *space)
{
	char path[64];
	char arguments[512] = "";
	char wanted[64];
	size_t size = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	file = fopen(path, "re");
	if (file) {
		size = fread(arguments, 1, sizeof(arguments) - 1, file);
		(void)fclose(file);
	}
	for (size_t i = 0; i + 1 < size; i++) {
		if (arguments[i] == '\0') {
			arguments[i] = ' ';
		}
	}
	(void)snprintf(wanted, sizeof(wanted), "--space %s",
		       space ? space + strlen(BUS_PATH_SPACE_PREFIX) : "");
	return strstr(arguments, "spaprd-worker") && strstr(arguments, wanted);
}

/* The first child of spaprd that is a worker, of one space or (NULL) of any; 0 for none. */
static pid_t find_worker(const struct world *world, const char *space)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	assert_non_null(directory);
	while (!found && (entry = readdir(directory))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && read_status(pid, "PPid:") == world->spaprd &&
		    is_worker_of(pid, space)) {
			found = pid;
		}
	}
	(void)closedir(directory);
	return found;
}

pid_t worker_pid(const struct world *world, const char *space)
{
	return find_worker(world, space);
}

uint64_t get_statistic(const struct world *world, const char *name)
{
	DBusMessage *reply = call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR,
				  "Statistics", NULL, DBUS_TYPE_INVALID);
	DBusMessageIter iter;
	DBusMessageIter dictionary;
	uint64_t value = UINT64_MAX;

	assert_true(dbus_message_iter_init(reply, &iter));
	dbus_message_iter_recurse(&iter, &dictionary);
	while (dbus_message_iter_get_arg_type(&dictionary) == DBUS_TYPE_DICT_ENTRY) {
		DBusMessageIter entry;
		const char *key = NULL;

		dbus_message_iter_recurse(&dictionary, &entry);
		dbus_message_iter_get_basic(&entry, &key);
		(void)dbus_message_iter_next(&entry);
		if (strcmp(key, name) == 0) {
			dbus_message_iter_get_basic(&entry, &value);
		}
		(void)dbus_message_iter_next(&dictionary);
	}
	dbus_message_unref(reply);
	assert_true(value != UINT64_MAX);
	return value;
}

uint64_t locked_bytes_of(const struct world *world, pid_t worker)
{
	return world->real ? (uint64_t)read_status(worker, "VmLck:") * 1024
			   : get_statistic(world, "locked_bytes");
}

/* What nothing_is_left found last, for the test's report. */
static char found_left[128];

static bool is_left(uint64_t number, uint64_t idle, const char *what)
{
	(void)snprintf(found_left, sizeof(found_left), "%s: %" PRIu64 ", idle %" PRIu64, what,
		       number, idle);
	return number != idle;
}

static bool nothing_is_left(void *userdata)
{
	static const char *const statistics[] = {
		"open_containers", "open_groups",        "open_devices",
		"containers",      "registered_regions", "pinned_bytes",
		"windows",         "locked_bytes",       "mapped_tces"};
	const struct world *world = userdata;

	if (is_left((uint64_t)find_worker(world, NULL), 0, "worker") ||
	    is_left(count_fds(world->spaprd), world->idle_fds, "fds of spaprd")) {
		return false;
	}
	for (size_t i = 0; !world->real && i < sizeof(statistics) / sizeof(*statistics); i++) {
		if (is_left(get_statistic(world, statistics[i]), 0, statistics[i])) {
			return false;
		}
	}
	return true;
}

void wait_until_nothing_is_left(const struct world *world)
{
	found_left[0] = '\0';
	wait_for(nothing_is_left, (void *)world, found_left);
	if (!world->real) {
		assert_int_equal(get_statistic(world, "kernel_damage"), 0);
	}
}
