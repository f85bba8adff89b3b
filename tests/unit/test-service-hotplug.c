/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices and groups that come and go on the bus, as the kernel's uevents tell, and devices that
 * the kernel asks back. The uevents are the test's own, and so is sysfs. */
#include <errno.h>
#include <ftw.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/hotplug.h"
#include "broker/pe_private.h"
#include "broker/release.h"
#include "common/clock.h"
#include "played_pe.h"
#include "service_fixture.h"

#define NEW_DEVICE "0002:01:00.0"
#define NEW_GROUP  7U

#define GROUP_PATH      "/org/spaprd1/group/1"
#define NEW_GROUP_PATH  "/org/spaprd1/group/7"
#define DEVICE_PATH     "/org/spaprd1/device/0000_01_00_0"
#define OTHER_PATH      "/org/spaprd1/device/0000_01_00_1"
#define BRIDGE_PATH     "/org/spaprd1/device/0000_00_01_0"
#define NEW_DEVICE_PATH "/org/spaprd1/device/0002_01_00_0"

/* -- the kernel's socket -- */

static int uevents[2];  /* the kernel's end, and ours */
static int next_error;  /* of the next recvmsg from it */
static uint32_t sender; /* who sent what comes from it; 0: the kernel */
static unsigned int asked_for_holders;
static struct hotplug *hotplug;
static volatile struct played_pes *played;

/* The linker's names for what it wraps. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	struct sockaddr_nl *address = message->msg_name;
	ssize_t size;

	if (fd != uevents[1]) {
		return __real_recvmsg(fd, message, flags);
	}
	if (next_error) {
		errno = next_error;
		next_error = 0;
		return -1;
	}
	size = __real_recvmsg(fd, message, flags);
	if (size > 0) {
		address->nl_family = AF_NETLINK;
		address->nl_pid = sender;
		message->msg_namelen = sizeof(*address);
	}
	return size;
}

static int open_uevents(struct kernel *kernel)
{
	(void)kernel;
	return uevents[1];
}

static int find_holders(struct kernel *kernel, const char *path, pid_t *ret_pids, size_t most)
{
	(void)kernel;
	assert_string_equal(path, "/dev/vfio/1");
	assert_true(most > 0);
	ret_pids[0] = 1234;
	asked_for_holders++;
	return 1;
}

static void send_bytes(const void *bytes, size_t size)
{
	assert_int_equal(send(uevents[0], bytes, size, MSG_NOSIGNAL), size);
}

static void tell_pci(const char *action, const char *device)
{
	char text[512];
	int size = snprintf(text, sizeof(text),
			    "%s@/devices/%s%cACTION=%s%cDEVPATH=/devices/%s%cSUBSYSTEM=pci%c"
			    "PCI_SLOT_NAME=%s",
			    action, device, 0, action, 0, device, 0, 0, device);

	send_bytes(text, (size_t)size + 1);
}

static void tell_node(const char *action, unsigned int group)
{
	char text[512];
	int size = snprintf(text, sizeof(text),
			    "%s@/devices/virtual/vfio/%u%cACTION=%s%cDEVPATH=/devices/virtual/vfio/"
			    "%u%cSUBSYSTEM=vfio%cDEVNAME=vfio/%u",
			    action, group, 0, action, 0, group, 0, 0, group);

	send_bytes(text, (size_t)size + 1);
}

/* -- sysfs -- */

static void make_folder(const char *format, const char *device)
{
	char path[256];
	int length = snprintf(path, sizeof(path), "%s/", stage.sysfs);

	(void)snprintf(path + length, sizeof(path) - (size_t)length, "%s%s", format, device);
	(void)mkdir(path, 0700);
}

static void join(const char *device, unsigned int group)
{
	char path[256];
	char target[64];

	(void)snprintf(path, sizeof(path), "kernel/iommu_groups/%u", group);
	make_folder(path, "");
	make_folder(path, "/devices");
	make_folder(path, "/devices/");
	(void)snprintf(path, sizeof(path), "kernel/iommu_groups/%u/devices/", group);
	make_folder(path, device);
	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/iommu_group", stage.sysfs,
		       device);
	(void)snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%u", group);
	assert_int_equal(symlink(target, path), 0);
}

static void plug_without_group(const char *device)
{
	static const char *const files[] = {"vendor", "device", "class"};
	char path[128];

	make_folder("bus/pci/devices/", device);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		(void)snprintf(path, sizeof(path), "bus/pci/devices/%s/%s", device, files[i]);
		write_file(stage.sysfs, path, "0x1234");
	}
}

static void plug(const char *device, unsigned int group)
{
	plug_without_group(device);
	join(device, group);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static void remove_folder(const char *path)
{
	char whole[256];

	(void)snprintf(whole, sizeof(whole), "%s/%s", stage.sysfs, path);
	assert_int_equal(nftw(whole, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void unplug(const char *device, unsigned int group)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "bus/pci/devices/%s", device);
	remove_folder(path);
	(void)snprintf(path, sizeof(path), "kernel/iommu_groups/%u/devices/%s", group, device);
	remove_folder(path);
}

/* All that group 1 has, and the group. */
static void unplug_group(void)
{
	unplug(DEVICE, GROUP);
	unplug(OTHER_DEVICE, GROUP);
	unplug(BRIDGE, GROUP);
	remove_folder("kernel/iommu_groups/1");
	tell_node("remove", GROUP);
	tell_pci("remove", DEVICE);
	tell_pci("remove", OTHER_DEVICE);
	tell_pci("remove", BRIDGE);
}

/* -- set-up -- */

static struct kernel_operations operations;

static int start(int r)
{
	static const char *const devices[] = {BRIDGE, DEVICE, OTHER_DEVICE};
	struct error error;

	if (r != 0) {
		return r;
	}
	for (size_t i = 0; i < 3; i++) {
		join(devices[i], GROUP);
	}
	played = played_pes_new();
	next_error = 0;
	sender = 0;
	asked_for_holders = 0;
	operations = *stage.kernel.operations;
	operations.open_uevents = open_uevents;
	operations.find_holders = find_holders;
	stage.kernel.operations = &operations;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, uevents), 0);
	assert_int_equal(hotplug_new(stage.manager, &hotplug, &error), 0);
	bus_fixture_settle(stage.bus);
	bus_fixture_forget_signals(stage.bus);
	return 0;
}

static int set_up(void **state)
{
	return start(service_fixture_set_up(state));
}

static int set_up_with_eeh(void **state)
{
	return start(service_fixture_set_up_with_eeh(state));
}

static int tear_down(void **state)
{
	hotplug = hotplug_free(hotplug);
	(void)close(uevents[0]);
	played_pes_free(played);
	return service_fixture_tear_down(state);
}

/* -- what the bus was told -- */

/* What is said twice in a row, of two interfaces, is one word. */
static void add_word(char *text, size_t size, const char *sign, const char *path)
{
	const char *last = strrchr(text, ' ');
	size_t used = strlen(text);
	char word[64];

	(void)snprintf(word, sizeof(word), "%s%s", sign, path);
	if (strcmp(last ? last + 1 : text, word) != 0) {
		(void)snprintf(text + used, size - used, "%s%s", used > 0 ? " " : "", word);
	}
}

/* Until all that waits in one of spaprd's own fds was read, and what it says of that is there. */
static void settle(int fd)
{
	struct pollfd waits = {.fd = fd, .events = POLLIN};

	while (poll(&waits, 1, 0) > 0) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	bus_fixture_settle(stage.bus);
}

/* The signals about devices and groups in their order: "+path" and "-path" for objects, "~path" for
 * properties. */
static void expect_signals(const char *expected)
{
	char text[1024] = "";

	settle(uevents[1]);
	for (unsigned int i = 0; i < stage.bus->signal_count; i++) {
		DBusMessage *signal = stage.bus->signals[i];
		const char *path = dbus_message_get_path(signal);
		const char *sign = "~";
		DBusMessageIter arguments;

		if (dbus_message_has_member(signal, "InterfacesAdded") ||
		    dbus_message_has_member(signal, "InterfacesRemoved")) {
			assert_true(dbus_message_iter_init(signal, &arguments));
			dbus_message_iter_get_basic(&arguments, &path);
			sign = dbus_message_has_member(signal, "InterfacesAdded") ? "+" : "-";
		} else if (!dbus_message_has_member(signal, "PropertiesChanged")) {
			continue;
		}
		if (strstr(path, "/group/") || strstr(path, "/device/")) {
			add_word(text, sizeof(text), sign, path);
		}
	}
	assert_string_equal(text, expected);
	bus_fixture_forget_signals(stage.bus);
}

static unsigned int count_devices(const char *group_path)
{
	const char *interface = BUS_INTERFACE_GROUP;
	const char *name = "Devices";
	DBusMessage *message =
		bus_fixture_message(group_path, "org.freedesktop.DBus.Properties", "Get");
	DBusMessageIter arguments;
	DBusMessageIter value;
	DBusMessage *answer;
	unsigned int count;

	assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &interface,
					     DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID));
	answer = bus_fixture_call(stage.bus, message);
	assert_true(dbus_message_iter_init(answer, &arguments));
	dbus_message_iter_recurse(&arguments, &value);
	count = (unsigned int)dbus_message_iter_get_element_count(&value);
	dbus_message_unref(answer);
	return count;
}

static struct host_device *find_device(const char *name)
{
	struct host_device *device = NULL;

	return manager_find_device(stage.manager, name, &device, NULL) ? NULL : device;
}

static struct group *find_group(uint32_t id)
{
	struct group *group = NULL;

	return manager_find_group(stage.manager, id, &group, NULL) ? NULL : group;
}

/* -- what comes and goes -- */

static void test_device_of_a_new_group(void **state)
{
	(void)state;
	plug(NEW_DEVICE, NEW_GROUP);
	tell_pci("add", NEW_DEVICE);
	expect_signals("+" NEW_GROUP_PATH " +" NEW_DEVICE_PATH " ~" NEW_GROUP_PATH);
	assert_int_equal(count_devices(NEW_GROUP_PATH), 1);
	/* Once more says nothing. */
	tell_pci("add", NEW_DEVICE);
	tell_pci("change", NEW_DEVICE);
	expect_signals("");
	unplug(NEW_DEVICE, NEW_GROUP);
	remove_folder("kernel/iommu_groups/7");
	tell_pci("remove", NEW_DEVICE);
	expect_signals("~" NEW_GROUP_PATH " -" NEW_DEVICE_PATH " -" NEW_GROUP_PATH);
	bus_fixture_call_fails(stage.bus,
			       bus_fixture_message(NEW_GROUP_PATH, BUS_INTERFACE_GROUP, "Delegate"),
			       DBUS_ERROR_UNKNOWN_OBJECT);
}

static void test_device_comes_back(void **state)
{
	struct host_device *device = find_device(DEVICE);
	const void *face = device->face;

	(void)state;
	unplug(DEVICE, GROUP);
	tell_pci("remove", DEVICE);
	expect_signals("~" GROUP_PATH " -" DEVICE_PATH);
	assert_int_equal(count_devices(GROUP_PATH), 2);
	assert_null(find_device(DEVICE));
	/* Whoever has the record knows by it. */
	assert_true(device->gone);
	assert_int_equal(device_check_present(device, NULL), ERROR_NOT_FOUND);
	plug(DEVICE, GROUP);
	tell_pci("add", DEVICE);
	expect_signals("+" DEVICE_PATH " ~" GROUP_PATH);
	assert_ptr_equal(find_device(DEVICE), device);
	assert_ptr_equal(device->face, face);
	assert_false(device->gone);
	assert_int_equal(count_devices(GROUP_PATH), 3);
}

/* The uevents of a removal are read when the next device is there already. */
static void test_away_for_a_moment(void **state)
{
	(void)state;
	tell_pci("remove", DEVICE);
	tell_pci("add", DEVICE);
	expect_signals("~" GROUP_PATH " -" DEVICE_PATH " +" DEVICE_PATH " ~" GROUP_PATH);
}

static void run_until(bool (*condition)(void))
{
	while (!condition()) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
}

static bool new_device_is_there(void)
{
	return find_device(NEW_DEVICE) != NULL;
}

/* On powernv a device is told of before it has its group. */
static void test_group_comes_after_its_device(void **state)
{
	(void)state;
	plug_without_group(NEW_DEVICE);
	tell_pci("add", NEW_DEVICE);
	expect_signals("");
	join(NEW_DEVICE, NEW_GROUP);
	run_until(new_device_is_there);
	expect_signals("+" NEW_GROUP_PATH " +" NEW_DEVICE_PATH " ~" NEW_GROUP_PATH);
}

static bool group_is_missing(void)
{
	return find_group(GROUP) == NULL;
}

static void test_group_goes_after_its_devices(void **state)
{
	struct group *group = find_group(GROUP);

	(void)state;
	unplug(DEVICE, GROUP);
	unplug(OTHER_DEVICE, GROUP);
	unplug(BRIDGE, GROUP);
	tell_pci("remove", DEVICE);
	tell_pci("remove", OTHER_DEVICE);
	tell_pci("remove", BRIDGE);
	settle(uevents[1]);
	assert_ptr_equal(find_group(GROUP), group);
	assert_int_equal(count_devices(GROUP_PATH), 0);
	bus_fixture_forget_signals(stage.bus);
	remove_folder("kernel/iommu_groups/1");
	run_until(group_is_missing);
	expect_signals("-" GROUP_PATH);
	plug(DEVICE, GROUP);
	tell_pci("add", DEVICE);
	expect_signals("+" GROUP_PATH " +" DEVICE_PATH " ~" GROUP_PATH);
	assert_ptr_equal(find_group(GROUP), group);
}

static void test_lost_uevents(void **state)
{
	(void)state;
	unplug(DEVICE, GROUP);
	plug(NEW_DEVICE, NEW_GROUP);
	next_error = ENOBUFS;
	/* Of something that is none of ours. */
	send_bytes("add@/x", sizeof("add@/x"));
	expect_signals("~" GROUP_PATH " -" DEVICE_PATH " +" NEW_GROUP_PATH " +" NEW_DEVICE_PATH
		       " ~" NEW_GROUP_PATH);
}

static void test_messages_of_others(void **state)
{
	static char large[UINT16_MAX];

	(void)state;
	sender = 1000;
	tell_pci("remove", DEVICE);
	expect_signals("");
	sender = 0;
	memset(large, 'x', sizeof(large));
	send_bytes(large, sizeof(large));
	send_bytes("remove@/devices/0000:01:00.0\0", 30);
	expect_signals("");
	assert_non_null(find_device(DEVICE));
}

static void test_socket_ends(void **state)
{
	(void)state;
	(void)close(uevents[0]);
	uevents[0] = -1;
	bus_fixture_settle(stage.bus);
	assert_non_null(find_device(DEVICE));
}

static void test_kernel_without_uevents(void **state)
{
	struct hotplug *other = NULL;
	struct error error;
	int kept = uevents[1];

	(void)state;
	uevents[1] = -EPROTONOSUPPORT;
	assert_int_equal(hotplug_new(stage.manager, &other, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, "EPROTONOSUPPORT"));
	uevents[1] = kept;
}

static void test_drivers(void **state)
{
	(void)state;
	tell_pci("bind", DEVICE);
	expect_signals("~" DEVICE_PATH " ~" GROUP_PATH);
	tell_pci("unbind", DEVICE);
	settle(uevents[1]);
	assert_true(last_signal_has("PropertiesChanged", "Viable"));
	bus_fixture_forget_signals(stage.bus);
	tell_node("add", GROUP);
	expect_signals("~" GROUP_PATH);
	/* Nobody knows them. */
	tell_pci("bind", "0009:01:00.0");
	tell_node("remove", 9);
	expect_signals("");
}

static void test_eeh_comes_with_a_device(void **state)
{
	struct group *group;

	(void)state;
	plug(NEW_DEVICE, 2);
	write_file(stage.sysfs, "bus/pci/devices/" NEW_DEVICE "/eeh_pe_state",
		   "0x00000078 0x00000000\n");
	tell_pci("add", NEW_DEVICE);
	/* The object has another interface then. */
	expect_signals("+" NEW_DEVICE_PATH " -/org/spaprd1/group/2 +/org/spaprd1/group/2");
	group = find_group(2);
	assert_non_null(group->pe);
	unplug(NEW_DEVICE, 2);
	tell_pci("remove", NEW_DEVICE);
	expect_signals("~/org/spaprd1/group/2 -" NEW_DEVICE_PATH);
	assert_non_null(group->pe);
}

/* -- in an address space -- */

static struct space *attach_group(void)
{
	struct space *space = create("honest");

	succeed(attach_message(space, GROUP));
	bus_fixture_settle(stage.bus);
	bus_fixture_forget_signals(stage.bus);
	return space;
}

static void test_group_in_use_goes(void **state)
{
	struct space *space = attach_group();
	struct group *group = find_group(GROUP);

	(void)state;
	unplug_group();
	while (!group->gone) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	/* It is there as long as its address space has it. */
	assert_ptr_equal(group->space, space);
	assert_ptr_equal(find_group(GROUP), group);
	run_until(group_is_missing);
	assert_null(group->space);
	assert_int_equal(space->container_count, 0);
	bus_fixture_settle(stage.bus);
	/* Its properties first, then its devices' objects and its own. */
	assert_true(last_signal_has("InterfacesRemoved", GROUP_PATH));
	assert_int_equal(bus_fixture_count_signals(stage.bus, "InterfacesRemoved"), 5);
	bus_fixture_forget_signals(stage.bus);
	/* Another one under the number is free. */
	plug(DEVICE, GROUP);
	tell_pci("add", DEVICE);
	expect_signals("+" GROUP_PATH " +" DEVICE_PATH " ~" GROUP_PATH);
	assert_ptr_equal(find_group(GROUP), group);
	succeed(attach_message(space, GROUP));
}

/* It is back before its address space has let go of the one before. */
static void test_group_in_use_is_another_one(void **state)
{
	struct space *space = attach_group();
	struct group *group = find_group(GROUP);

	(void)state;
	unplug_group();
	while (!group->gone) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	plug(DEVICE, GROUP);
	tell_pci("add", DEVICE);
	while (group->space || group->gone) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	assert_ptr_equal(find_group(GROUP), group);
	assert_int_equal(count_devices(GROUP_PATH), 1);
	succeed(attach_message(space, GROUP));
}

/* Its devices were unbound: the group is there, and is not in its container any more. */
static void test_node_goes(void **state)
{
	struct space *space = attach_group();
	struct group *group = find_group(GROUP);

	(void)state;
	tell_node("remove", GROUP);
	while (group->space) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	assert_int_equal(space->container_count, 0);
	assert_ptr_equal(find_group(GROUP), group);
}

static bool was_asked_twice(void)
{
	return played->pes[GROUP].detaches == 2;
}

/* A worker that is busy with the group is asked once more, and always as gently as may be. */
static void test_worker_is_busy(void **state)
{
	struct space *space = attach_group();
	struct group *group = find_group(GROUP);

	(void)state;
	played->pes[GROUP].detach_code = ERROR_BUSY;
	tell_node("remove", GROUP);
	run_until(was_asked_twice);
	assert_int_equal(played->pes[GROUP].detach_flags,
			 WORKER_DETACH_FORCE | WORKER_DETACH_IF_GONE);
	played->pes[GROUP].detach_code = 0;
	while (group->space) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	bus_fixture_settle(stage.bus);
	assert_null(group->taking);
	assert_int_equal(space->container_count, 0);
}

/* It has left in another way meanwhile: who gets it next keeps it. */
static void test_left_before_it_was_taken(void **state)
{
	struct space *space = attach_group();
	struct group *group = find_group(GROUP);

	(void)state;
	played->pes[GROUP].detach_code = ERROR_BUSY;
	release_take(stage.manager, group, false);
	while (played->pes[GROUP].detaches == 0) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	bus_fixture_settle(stage.bus);
	assert_non_null(group->taking);
	played->pes[GROUP].detach_code = 0;
	detach_group(space, GROUP);
	assert_null(group->space);
	assert_null(group->taking);
}

/* The uevent is of a node that was there before: the worker knows better. */
static void test_worker_has_the_group(void **state)
{
	struct space *space = attach_group();
	struct group *group = find_group(GROUP);

	(void)state;
	played->pes[GROUP].detach_code = ERROR_GROUP_BUSY;
	tell_node("remove", GROUP);
	tell_node("add", GROUP);
	while (group->taking || played->pes[GROUP].detaches == 0) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	assert_ptr_equal(group->space, space);
	assert_int_equal(played->pes[GROUP].detaches, 1);
}

/* Calls that wait for something while their object goes: the sender's name must be asked for. */
static void test_call_under_way(void **state)
{
	DBusMessage *message = bus_fixture_message(DEVICE_PATH, BUS_INTERFACE_DEVICE, "Open");
	DBusPendingCall *pending = NULL;
	DBusMessage *answer;

	(void)state;
	(void)attach_group();
	assert_true(dbus_connection_send_with_reply(stage.bus->client.connection, message, &pending,
						    -1));
	dbus_message_unref(message);
	dbus_connection_flush(stage.bus->client.connection);
	unplug_group();
	while (!dbus_pending_call_get_completed(pending)) {
		assert_true(sd_event_run(stage.bus->event, 10000000) > 0);
	}
	answer = dbus_pending_call_steal_reply(pending);
	dbus_pending_call_unref(pending);
	/* Before, or after: but an answer. */
	assert_non_null(answer);
	dbus_message_unref(answer);
	run_until(group_is_missing);
}

/* -- devices that are asked back -- */

static struct host_device *open_device(void)
{
	succeed(bus_fixture_message(DEVICE_PATH, BUS_INTERFACE_DEVICE, "Open"));
	bus_fixture_settle(stage.bus);
	bus_fixture_forget_signals(stage.bus);
	return find_device(DEVICE);
}

static void ring(const struct host_device *device)
{
	const uint64_t one = 1;

	if (!device) {
		fail_msg("there is no such device");
		return;
	}
	assert_int_equal(write(device->request_event, &one, sizeof(one)), sizeof(one));
	settle(device->request_event);
}

/* Whether a change of the device's was told that has a text in it. */
static bool device_told(const char *text)
{
	bool found = false;

	for (unsigned int i = 0; i < stage.bus->signal_count; i++) {
		DBusMessage *signal = stage.bus->signals[i];
		char *bytes = NULL;
		int size = 0;

		if (dbus_message_has_member(signal, "PropertiesChanged") &&
		    dbus_message_has_path(signal, DEVICE_PATH)) {
			assert_true(dbus_message_marshal(signal, &bytes, &size));
			found = found || memmem(bytes, (size_t)size, text, strlen(text)) != NULL;
			dbus_free(bytes);
		}
	}
	return found;
}

/* Who hears of a request finds the device so. */
static void expect_release_is_the_last_word(void)
{
	bool requested = false;

	for (unsigned int i = 0; i < stage.bus->signal_count; i++) {
		DBusMessage *signal = stage.bus->signals[i];

		assert_false(requested && dbus_message_has_path(signal, DEVICE_PATH) &&
			     dbus_message_has_member(signal, "PropertiesChanged"));
		requested = requested || dbus_message_has_member(signal, "ReleaseRequested");
	}
	assert_true(requested);
}

static void test_release_is_requested_once(void **state)
{
	struct space *space = attach_group();
	struct host_device *device = open_device();
	const struct pe *pe = device->group->pe;
	uint64_t before = clock_microseconds();
	uint64_t deadline;

	(void)state;
	assert_true(device->open);
	ring(device);
	deadline = device->release_deadline;
	assert_true(deadline >= before + UINT64_C(30000000));
	assert_int_equal(bus_fixture_count_signals(stage.bus, "ReleaseRequested"), 1);
	assert_true(last_signal_has("ReleaseRequested", "the kernel wants the device back"));
	assert_true(device_told("ReleaseDeadline"));
	assert_true(device_told("Driver"));
	expect_release_is_the_last_word();
	/* A reset of the PE would wait for the device's close. */
	assert_int_equal(pe ? pe_check_reset(pe, NULL) : ERROR_BUSY, ERROR_BUSY);
	ring(device);
	assert_int_equal(bus_fixture_count_signals(stage.bus, "ReleaseRequested"), 1);
	assert_int_equal(device->release_deadline, deadline);
	/* The owner lets go of it. */
	detach_group(space, GROUP);
	assert_int_equal(pe ? pe_check_reset(pe, NULL) : 0, 0);
	assert_int_equal(device->release_deadline, 0);
	assert_false(device->open);
	assert_null(device->release_timer);
}

static bool first_device_is_closed(void)
{
	return !find_device(DEVICE)->open;
}

static void test_release_at_the_deadline(void **state)
{
	struct space *space = attach_group();
	struct host_device *device = open_device();

	(void)state;
	use_policy("[access]\nrelease-timeout = 1s\n");
	ring(device);
	run_until(first_device_is_closed);
	assert_int_equal(played->pes[GROUP].detach_flags, WORKER_DETACH_FORCE);
	assert_int_equal(device->release_deadline, 0);
	assert_int_equal(space->container_count, 0);
	/* Nobody here has it any more, and the kernel still asks. */
	assert_int_equal(asked_for_holders, 0);
	ring(device);
	assert_int_equal(asked_for_holders, 1);
	/* It rings on: once is enough, for the next hour. */
	ring(device);
	assert_int_equal(asked_for_holders, 1);
	device->holders_named = 1;
	ring(device);
	assert_int_equal(asked_for_holders, 2);
	assert_int_equal(device->release_deadline, 0);
	tell_pci("unbind", DEVICE);
	settle(uevents[1]);
	assert_int_equal(device->request_event, -1);
}

/* The kernel has it back before its worker has said so. */
static void test_unbound_before_the_group_has_left(void **state)
{
	struct space *space = attach_group();
	struct host_device *device = open_device();

	(void)state;
	/* One that is late, of a driver that it had before. */
	tell_pci("unbind", DEVICE);
	settle(uevents[1]);
	assert_true(device->open);
	ring(device);
	tell_pci("unbind", DEVICE);
	settle(uevents[1]);
	assert_false(device->open);
	assert_int_equal(device->release_deadline, 0);
	assert_int_equal(device->request_event, -1);
	assert_true(device_told("Open"));
	assert_ptr_equal(find_group(GROUP)->space, space);
}

/* What rang before the device was closed is read after it. */
static void test_ring_before_the_close(void **state)
{
	const uint64_t one = 1;
	struct host_device *device = attach_group() ? open_device() : NULL;

	(void)state;
	if (!device) {
		fail_msg("there is no such device");
		return;
	}
	ring(device);
	assert_int_equal(write(device->request_event, &one, sizeof(one)), sizeof(one));
	device_forget(stage.manager, device);
	settle(device->request_event);
	assert_int_equal(asked_for_holders, 0);
	ring(device);
	assert_int_equal(asked_for_holders, 1);
}

/* Who gets the group next is not asked for what the one before did not do. */
static void test_deadline_ends_with_its_owner(void **state)
{
	struct space *space = attach_group();
	struct host_device *device = open_device();

	(void)state;
	use_policy("[access]\nrelease-timeout = 1s\n");
	ring(device);
	succeed(space_message(space, "Close"));
	assert_int_equal(device->release_deadline, 0);
	assert_null(device->release_timer);
	space = attach_group();
	device = open_device();
	assert_true(device->request_event >= 0);
	assert_ptr_equal(find_group(GROUP)->space, space);
	assert_null(find_group(GROUP)->taking);
}

#define TEST(name)          cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_WITH_EEH(name) cmocka_unit_test_setup_teardown(name, set_up_with_eeh, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_device_of_a_new_group),
		TEST(test_device_comes_back),
		TEST(test_away_for_a_moment),
		TEST(test_group_comes_after_its_device),
		TEST(test_group_goes_after_its_devices),
		TEST(test_lost_uevents),
		TEST(test_messages_of_others),
		TEST(test_socket_ends),
		TEST(test_kernel_without_uevents),
		TEST(test_drivers),
		TEST(test_eeh_comes_with_a_device),
		TEST(test_group_in_use_goes),
		TEST_WITH_EEH(test_group_in_use_goes),
		TEST(test_group_in_use_is_another_one),
		TEST(test_node_goes),
		TEST_WITH_EEH(test_node_goes),
		TEST(test_worker_is_busy),
		TEST(test_left_before_it_was_taken),
		TEST(test_worker_has_the_group),
		TEST(test_call_under_way),
		TEST(test_release_is_requested_once),
		TEST_WITH_EEH(test_release_is_requested_once),
		TEST(test_release_at_the_deadline),
		TEST_WITH_EEH(test_release_at_the_deadline),
		TEST(test_deadline_ends_with_its_owner),
		TEST(test_unbound_before_the_group_has_left),
		TEST(test_ring_before_the_close),
	};

	return service_fixture_main("service-hotplug", tests);
}
