/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking devices from their drivers and giving them back, and the words about groups that can't be
 * had. Every test leaves the devices as they were.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

#define RESULTS_MAX 4U

/* -- what the kernel says -- */

static void read_sysfs(const struct world *world, const char *device, const char *file,
		       char *ret_text, size_t size)
{
	char path[PATH_MAX];
	FILE *stream;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/%s",
		       world->kernel->sysfs_root, device, file);
	stream = fopen(path, "re");
	assert_non_null(stream);
	if (!fgets(ret_text, (int)size, stream)) {
		ret_text[0] = '\0';
	}
	ret_text[strcspn(ret_text, "\n")] = '\0';
	(void)fclose(stream);
}

/* "" for none. */
static void expect_driver(const struct world *world, const char *device, const char *driver)
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	ssize_t length;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/driver",
		       world->kernel->sysfs_root, device);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	assert_string_equal(length > 0 ? strrchr(target, '/') + 1 : "", driver);
}

static void expect_words(const char *words)
{
	if (!strstr(last_error_text(), words)) {
		fail_msg("\"%s\" does not say \"%s\"", last_error_text(), words);
	}
}

/* -- calls -- */

struct device_path {
	char text[128];
};

static struct device_path path_of(const struct world *world, const char *device)
{
	DBusMessage *reply = call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER,
				  "GetDevice", NULL, DBUS_TYPE_STRING, &device, DBUS_TYPE_INVALID);
	struct device_path path;
	const char *text = NULL;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &text,
					  DBUS_TYPE_INVALID));
	(void)snprintf(path.text, sizeof(path.text), "%s", text);
	dbus_message_unref(reply);
	return path;
}

struct result {
	char texts[3][64]; /* device, from, to */
};

static unsigned int read_results(DBusMessage *reply, struct result results[static RESULTS_MAX])
{
	DBusMessageIter arguments;
	DBusMessageIter array;
	unsigned int count = 0;

	assert_string_equal(dbus_message_get_signature(reply), "a(sss)");
	(void)dbus_message_iter_init(reply, &arguments);
	dbus_message_iter_recurse(&arguments, &array);
	for (; dbus_message_iter_get_arg_type(&array) == DBUS_TYPE_STRUCT;
	     (void)dbus_message_iter_next(&array)) {
		DBusMessageIter entry;

		assert_true(count < RESULTS_MAX);
		dbus_message_iter_recurse(&array, &entry);
		for (size_t i = 0; i < 3; i++) {
			const char *text = NULL;

			dbus_message_iter_get_basic(&entry, &text);
			(void)snprintf(results[count].texts[i], sizeof(results[count].texts[i]),
				       "%s", text);
			(void)dbus_message_iter_next(&entry);
		}
		count++;
	}
	dbus_message_unref(reply);
	return count;
}

/* A method that takes options, and tells what it has changed; without any. */
static DBusMessage *call_with(const struct world *world, const char *device, const char *method,
			      const char *driver)
{
	DBusMessage *message = dbus_message_new_method_call(BUS_NAME, path_of(world, device).text,
							    BUS_INTERFACE_DEVICE, method);
	DBusError error = DBUS_ERROR_INIT;
	DBusMessageIter arguments;
	DBusMessageIter options;
	DBusMessage *reply;

	assert_non_null(message);
	dbus_message_iter_init_append(message, &arguments);
	assert_true(!driver ||
		    dbus_message_iter_append_basic(&arguments, DBUS_TYPE_STRING, &driver));
	assert_true(
		dbus_message_iter_open_container(&arguments, DBUS_TYPE_ARRAY, "{sv}", &options));
	assert_true(dbus_message_iter_close_container(&arguments, &options));
	reply = dbus_connection_send_with_reply_and_block(world->client, message, 60000, &error);
	dbus_message_unref(message);
	if (!reply) {
		fail_msg("%s: %s", method, error.message);
	}
	return reply;
}

static DBusMessage *bind_device(const struct world *world, const char *device, const char *driver,
				const char *refusal)
{
	if (!refusal) {
		return call_with(world, device, "BindWith", driver);
	}
	return call(world->client, path_of(world, device).text, BUS_INTERFACE_DEVICE, "Bind",
		    refusal, DBUS_TYPE_STRING, &driver, DBUS_TYPE_INVALID);
}

static DBusMessage *restore(const struct world *world, const char *device, const char *refusal)
{
	if (!refusal) {
		return call_with(world, device, "RestoreWith", NULL);
	}
	return call(world->client, path_of(world, device).text, BUS_INTERFACE_DEVICE, "Restore",
		    refusal, DBUS_TYPE_INVALID);
}

/* The one device that was changed. */
static void expect_change(DBusMessage *reply, const char *device, const char *from, const char *to)
{
	struct result results[RESULTS_MAX];

	assert_int_equal(read_results(reply, results), 1);
	assert_string_equal(results[0].texts[0], device);
	assert_string_equal(results[0].texts[1], from);
	assert_string_equal(results[0].texts[2], to);
}

static void expect_no_change(DBusMessage *reply)
{
	struct result results[RESULTS_MAX];

	assert_int_equal(read_results(reply, results), 0);
}

/* -- a group whose one function is the host's -- */

/* The refusal names each device, its driver and the way out; the way is taken; and back. */
static void test_group_that_is_not_viable(void **state)
{
	const struct world *world = *state;
	const char *device = world->host->not_viable;
	const char *sibling = world->host->sibling;
	char *space = space_create(world->client, "bind");
	char before[64];
	char after[64];

	read_sysfs(world, sibling, SYSFS_OVERRIDE, before, sizeof(before));
	expect_driver(world, sibling, "e1000e");
	attach(world->client, space, device, "GroupNotViable");
	expect_words(device);
	expect_words("is bound to vfio-pci");
	expect_words(sibling);
	expect_words("is bound to e1000e");
	expect_words("spaprctl bind ");

	expect_change(bind_device(world, device, "", NULL), sibling, "e1000e", "vfio-pci");
	expect_driver(world, sibling, "vfio-pci");
	/* A second time there is nothing to be done, and nothing is forgotten. */
	expect_no_change(bind_device(world, sibling, "vfio-pci", NULL));
	attach(world->client, space, device, NULL);

	/* While it is attached nobody takes it away. */
	(void)restore(world, device, "GroupBusy");
	expect_words("detach it first");
	(void)bind_device(world, device, "", "GroupBusy");
	expect_driver(world, sibling, "vfio-pci");
	detach(world->client, space, device, NULL);

	expect_change(restore(world, device, NULL), sibling, "vfio-pci", "e1000e");
	expect_driver(world, sibling, "e1000e");
	expect_driver(world, device, "vfio-pci");
	read_sysfs(world, sibling, SYSFS_OVERRIDE, after, sizeof(after));
	assert_string_equal(after, before);
	attach(world->client, space, device, "GroupNotViable");
	(void)restore(world, device, "NotFound");
	expect_words("was bound by spaprd");
	space_close(world->client, space);
}

/* Back and forth many times: nothing wears out. */
static void test_again_and_again(void **state)
{
	const struct world *world = *state;
	const char *sibling = world->host->sibling;

	for (unsigned int i = 0; i < 5; i++) {
		expect_change(bind_device(world, sibling, "", NULL), sibling, "e1000e", "vfio-pci");
		expect_change(restore(world, sibling, NULL), sibling, "vfio-pci", "e1000e");
	}
}

/* -- a device without a driver -- */

static void test_unbound_device(void **state)
{
	const struct world *world = *state;
	const char *device = world->host->unbound;
	char override[64];
	char *space;

	if (!device) {
		skip_because("the host has no device without a driver");
	}
	space = space_create(world->client, "bind");
	attach(world->client, space, device, "GroupNotViable");
	expect_words("has no driver");
	expect_words("spaprctl bind ");
	expect_change(bind_device(world, device, "", NULL), device, "", "vfio-pci");
	read_sysfs(world, device, SYSFS_OVERRIDE, override, sizeof(override));
	assert_string_equal(override, "vfio-pci");
	attach(world->client, space, device, NULL);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
	expect_change(restore(world, device, NULL), device, "vfio-pci", "");
	expect_driver(world, device, "");
	read_sysfs(world, device, SYSFS_OVERRIDE, override, sizeof(override));
	assert_string_equal(override, "(null)");
}

/* -- refusals -- */

static void test_policy(void **state)
{
	const struct world *world = *state;
	const char *device = world->host->not_viable;

	(void)bind_device(world, device, "e1000e", DBUS_ERROR_ACCESS_DENIED);
	expect_words("bind-drivers = vfio-pci");
	set_policy(world, "[access]\nbind-devices = class:01\n", NULL);
	(void)bind_device(world, device, "", DBUS_ERROR_ACCESS_DENIED);
	expect_words("bind-devices = class:01");
	set_policy(world, "[access]\nbind-devices = none\n", NULL);
	(void)bind_device(world, device, "", DBUS_ERROR_ACCESS_DENIED);
	/* Allowed by policy, but there is no such driver. */
	set_policy(world, "[access]\nbind-drivers = no-such-driver\n", NULL);
	(void)bind_device(world, device, "", "InvalidArgument");
	expect_words("modprobe no-such-driver");
	/* The exact device is enough, when the group has others that are allowed too. */
	set_policy(world, "[access]\nbind-devices = 8086:10d3\n", NULL);
	expect_change(bind_device(world, device, "", NULL), world->host->sibling, "e1000e",
		      "vfio-pci");
	/* Giving back needs no rule. */
	set_policy(world, "[access]\nbind-devices = none\n", NULL);
	expect_change(restore(world, device, NULL), world->host->sibling, "vfio-pci", "e1000e");
}

static void append_option(DBusMessage *message, const char *name, int type, const void *value)
{
	const char signature[] = {(char)type, '\0'};
	DBusMessageIter arguments;
	DBusMessageIter options;
	DBusMessageIter entry;
	DBusMessageIter variant;
	const char *driver = "";

	dbus_message_iter_init_append(message, &arguments);
	assert_true(dbus_message_iter_append_basic(&arguments, DBUS_TYPE_STRING, &driver));
	assert_true(
		dbus_message_iter_open_container(&arguments, DBUS_TYPE_ARRAY, "{sv}", &options));
	assert_true(dbus_message_iter_open_container(&options, DBUS_TYPE_DICT_ENTRY, NULL, &entry));
	assert_true(dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &name));
	assert_true(
		dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant));
	assert_true(dbus_message_iter_append_basic(&variant, type, value));
	assert_true(dbus_message_iter_close_container(&entry, &variant));
	assert_true(dbus_message_iter_close_container(&options, &entry));
	assert_true(dbus_message_iter_close_container(&arguments, &options));
}

/* BindWith with one option. The reply, or NULL with the error's name. */
static DBusMessage *bind_with(const struct world *world, const char *device, const char *name,
			      int type, const void *value, char ret_error[static 128])
{
	DBusMessage *message = dbus_message_new_method_call(BUS_NAME, path_of(world, device).text,
							    BUS_INTERFACE_DEVICE, "BindWith");
	DBusError error = DBUS_ERROR_INIT;
	DBusMessage *reply;

	assert_non_null(message);
	append_option(message, name, type, value);
	reply = dbus_connection_send_with_reply_and_block(world->client, message, 60000, &error);
	dbus_message_unref(message);
	(void)snprintf(ret_error, 128, "%s", reply ? "" : error.name);
	dbus_error_free(&error);
	return reply;
}

/* The methods that tell nothing. */
static void test_plain(void **state)
{
	const struct world *world = *state;
	const char *sibling = world->host->sibling;
	const char *any = "";
	DBusMessage *reply;

	reply = call(world->client, path_of(world, sibling).text, BUS_INTERFACE_DEVICE, "Bind",
		     NULL, DBUS_TYPE_STRING, &any, DBUS_TYPE_INVALID);
	assert_string_equal(dbus_message_get_signature(reply), "");
	dbus_message_unref(reply);
	expect_driver(world, sibling, "vfio-pci");
	reply = call(world->client, path_of(world, sibling).text, BUS_INTERFACE_DEVICE, "Restore",
		     NULL, DBUS_TYPE_INVALID);
	assert_string_equal(dbus_message_get_signature(reply), "");
	dbus_message_unref(reply);
	expect_driver(world, sibling, "e1000e");
}

static void test_options(void **state)
{
	const struct world *world = *state;
	const dbus_bool_t yes = TRUE;
	const char *text = "yes";
	char error[128];

	assert_null(
		bind_with(world, world->host->sibling, "forced", DBUS_TYPE_BOOLEAN, &yes, error));
	assert_string_equal(error, BUS_ERROR_PREFIX "InvalidArgument");
	assert_null(
		bind_with(world, world->host->sibling, "force", DBUS_TYPE_STRING, &text, error));
	assert_string_equal(error, BUS_ERROR_PREFIX "InvalidArgument");
	expect_driver(world, world->host->sibling, "e1000e");
}

/* -- a device that the host uses -- */

/* The network interface of a device, if it has one. */
static bool find_interface(const struct world *world, const char *device,
			   char ret_name[static IFNAMSIZ])
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;
	bool found = false;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/net",
		       world->kernel->sysfs_root, device);
	directory = opendir(path);
	while (directory && !found && (entry = readdir(directory))) {
		found = entry->d_name[0] != '.';
		if (found) {
			(void)snprintf(ret_name, IFNAMSIZ, "%.15s", entry->d_name);
		}
	}
	if (directory) {
		(void)closedir(directory);
	}
	return found;
}

static struct sockaddr address_of(uint32_t number)
{
	const struct sockaddr_in internet = {
		.sin_family = AF_INET,
		.sin_addr = {.s_addr = htonl(number)},
	};
	struct sockaddr address;

	memcpy(&address, &internet, sizeof(address));
	return address;
}

static void add_default_route(const char *interface)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char name[IFNAMSIZ];
	struct ifreq request = {.ifr_flags = 0};
	struct rtentry route = {.rt_flags = RTF_UP};

	assert_true(fd >= 0);
	(void)snprintf(name, sizeof(name), "%.15s", interface);
	memcpy(request.ifr_name, name, sizeof(name));
	request.ifr_addr = address_of(0xc0000201); /* 192.0.2.1, of RFC 5737 */
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &request), 0);
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	route.rt_dst = address_of(0);
	route.rt_genmask = address_of(0);
	route.rt_dev = name;
	assert_int_equal(ioctl(fd, SIOCADDRT, &route), 0);
	(void)close(fd);
}

static void test_interface_with_the_default_route(void **state)
{
	const struct world *world = *state;
	const char *sibling = world->host->sibling;
	const dbus_bool_t yes = TRUE;
	char interface[IFNAMSIZ];
	char error[128];
	DBusMessage *reply;

	if (!world->real) {
		skip_because("a simulated host has no network");
	}
	if (strcmp(world->host->kind, "pseries") == 0) {
		skip_because(
			"an LPAR's kernel dies when an interface comes up whose group VFIO had "
			"(iommu_range_alloc)");
	}
	assert_true(find_interface(world, sibling, interface));
	add_default_route(interface);
	(void)bind_device(world, sibling, "", "Busy");
	expect_words(interface);
	expect_words("default route");
	expect_driver(world, sibling, "e1000e");
	reply = bind_with(world, sibling, "force", DBUS_TYPE_BOOLEAN, &yes, error);
	assert_non_null(reply);
	expect_change(reply, sibling, "e1000e", "vfio-pci");
	expect_change(restore(world, sibling, NULL), sibling, "vfio-pci", "e1000e");
}

/* -- who has a node open -- */

static void test_holder_is_named(void **state)
{
	const struct world *world = *state;
	const char *device = world->host->edu;
	char *space = space_create(world->client, "bind");
	char words[128];
	char node[64];
	int fd;

	(void)snprintf(node, sizeof(node), NODE_GROUP_PREFIX "%" PRIu32,
		       group_of(world->client, device));
	fd = kernel_open_node(world->kernel, node);
	assert_true(fd >= 0);
	attach(world->client, space, device, "GroupBusy");
	(void)snprintf(words, sizeof(words), "process %d (", (int)getpid());
	expect_words(words);
	(void)snprintf(words, sizeof(words), "has %s open", node);
	expect_words(words);
	(void)kernel_close(world->kernel, fd);
	attach(world->client, space, device, NULL);
	space_close(world->client, space);
}

/* Taking a device from VFIO would wait for whoever has the group. */
static void test_held_group_is_not_given_back(void **state)
{
	const struct world *world = *state;
	const char *sibling = world->host->sibling;
	char words[64];
	char node[64];
	int fd;

	(void)snprintf(node, sizeof(node), NODE_GROUP_PREFIX "%" PRIu32,
		       group_of(world->client, sibling));
	expect_change(bind_device(world, sibling, "", NULL), sibling, "e1000e", "vfio-pci");
	fd = kernel_open_node(world->kernel, node);
	assert_true(fd >= 0);
	(void)restore(world, sibling, "Busy");
	(void)snprintf(words, sizeof(words), "process %d (", (int)getpid());
	expect_words(words);
	expect_driver(world, sibling, "vfio-pci");
	(void)kernel_close(world->kernel, fd);
	expect_change(restore(world, sibling, NULL), sibling, "vfio-pci", "e1000e");
}

/* -- spaprctl -- */

/* Run it with some arguments; its output, and its exit status. */
static int run_spaprctl(const char *const *arguments, char *ret_text, size_t size)
{
	const char *whole[8] = {"spaprctl"};
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 32);
	size_t used = 0;
	int pipes[2];
	int status = -1;
	pid_t pid;

	assert_true(length > 0);
	path[length] = '\0';
	*strrchr(path, '/') = '\0';
	(void)snprintf(strrchr(path, '/'), 32, "/spaprctl");
	for (size_t i = 0; arguments[i]; i++) {
		whole[i + 1] = arguments[i];
	}
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(pipes[1], STDOUT_FILENO);
		(void)dup2(pipes[1], STDERR_FILENO);
		(void)execv(path, (char *const *)(uintptr_t)whole);
		_exit(127);
	}
	(void)close(pipes[1]);
	while (used + 1 < size && (length = read(pipes[0], ret_text + used, size - used - 1)) > 0) {
		used += (size_t)length;
	}
	ret_text[used] = '\0';
	(void)close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void expect_output(const char *text, const char *words)
{
	if (!strstr(text, words)) {
		fail_msg("\"%s\" does not say \"%s\"", text, words);
	}
}

static void test_spaprctl(void **state)
{
	const struct world *world = *state;
	const char *sibling = world->host->sibling;
	char group[16];
	char line[64];
	char text[2048];

	(void)snprintf(group, sizeof(group), "%" PRIu32, group_of(world->client, sibling));
	assert_int_equal(run_spaprctl((const char *[]){"bind", group, NULL}, text, sizeof(text)),
			 0);
	(void)snprintf(line, sizeof(line), "%s e1000e vfio-pci\n", sibling);
	expect_output(text, "DEVICE       FROM   TO\n");
	expect_output(text, line);
	assert_int_equal(run_spaprctl((const char *[]){"bind", sibling, NULL}, text, sizeof(text)),
			 0);
	assert_string_equal(text, "nothing had to be changed\n");
	assert_int_equal(run_spaprctl((const char *[]){"restore", "--json", sibling, NULL}, text,
				      sizeof(text)),
			 0);
	expect_output(text, "\"from\": \"vfio-pci\"");
	expect_output(text, "\"to\": \"e1000e\"");
	assert_int_equal(run_spaprctl((const char *[]){"restore", group, NULL}, text, sizeof(text)),
			 1);
	expect_output(text, "was bound by spaprd");
	assert_int_equal(run_spaprctl((const char *[]){"bind", "--driver", "e1000e", group, NULL},
				      text, sizeof(text)),
			 1);
	expect_output(text, "bind-drivers");
	assert_int_equal(
		run_spaprctl((const char *[]){"bind", "4294967295", NULL}, text, sizeof(text)), 1);
	expect_output(text, "there is no group 4294967295");
	assert_int_equal(run_spaprctl((const char *[]){"bind", NULL}, text, sizeof(text)), 2);
	expect_driver(world, sibling, "e1000e");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, forget_policy, forget_policy)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_group_that_is_not_viable),
		TEST(test_again_and_again),
		TEST(test_unbound_device),
		TEST(test_policy),
		TEST(test_plain),
		TEST(test_options),
		TEST(test_interface_with_the_default_route),
		TEST(test_holder_is_named),
		TEST(test_held_group_is_not_given_back),
		TEST(test_spaprctl),
	};

	return cmocka_run_group_tests_name("integration-bind", tests, world_start_eeh, world_stop);
}
