/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plug.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PCI_DEVICES "/sys/bus/pci/devices/"
#define OUR_DRIVER  "vfio-pci"

/* Write to a file of the kernel's, without any of the test's own checks: for child processes. */
static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0) {
		(void)close(fd);
	}
	return written == (ssize_t)strlen(text) ? 0 : -1;
}

/* In a process of its own, which may have to wait for long. */
static pid_t write_beside(const char *path, const char *text)
{
	pid_t child = fork();

	if (child == 0) {
		/* The kernel waits for who has the device open: not for this one. */
		(void)close_range(STDERR_FILENO + 1, ~0U, 0);
		_exit(write_text(path, text) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	assert_true(child > 0);
	return child;
}

static void verb(const struct world *world, const char *name, const char *device)
{
	dbus_message_unref(call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, name,
				NULL, DBUS_TYPE_STRING, &device, DBUS_TYPE_INVALID));
}

void plug_device_path(const char *device, char ret_path[static PLUG_PATH_SIZE])
{
	(void)snprintf(ret_path, PLUG_PATH_SIZE, BUS_PATH_DEVICE_PREFIX "%s", device);
	for (char *c = ret_path + strlen(BUS_PATH_DEVICE_PREFIX); *c; c++) {
		if (*c == ':' || *c == '.') {
			*c = '_';
		}
	}
}

/* -- out -- */

bool plug_can_remove(const struct world *world, const char *device)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), PCI_DEVICES "%s/remove", device);
	return !world->real || access(path, W_OK) == 0;
}

struct removal plug_begin_removal(const struct world *world, const char *device)
{
	struct removal removal = {.child = 0};
	char path[PATH_MAX];

	(void)snprintf(removal.device, sizeof(removal.device), "%s", device);
	if (world->real) {
		(void)snprintf(path, sizeof(path), PCI_DEVICES "%s/remove", device);
		removal.child = write_beside(path, "1");
	} else {
		verb(world, "Unplug", device);
	}
	return removal;
}

/* -- what the bus shows -- */

struct wanted {
	const struct world *world;
	const char *device;
};

bool plug_is_shown(const struct world *world, const char *device)
{
	DBusMessage *message = dbus_message_new_method_call(BUS_NAME, BUS_PATH_MANAGER,
							    BUS_INTERFACE_MANAGER, "GetDevice");
	DBusMessage *reply;

	assert_non_null(message);
	assert_true(
		dbus_message_append_args(message, DBUS_TYPE_STRING, &device, DBUS_TYPE_INVALID));
	reply = dbus_connection_send_with_reply_and_block(world->client, message, -1, NULL);
	dbus_message_unref(message);
	if (reply) {
		dbus_message_unref(reply);
	}
	return reply != NULL;
}

static bool is_hidden(void *userdata)
{
	const struct wanted *wanted = userdata;

	return !plug_is_shown(wanted->world, wanted->device);
}

static bool is_shown(void *userdata)
{
	return !is_hidden(userdata);
}

static bool has_our_driver(void *userdata)
{
	const struct wanted *wanted = userdata;
	char path[PLUG_PATH_SIZE];
	char *driver;
	bool ours;

	plug_device_path(wanted->device, path);
	driver = get_text(wanted->world->client, path, BUS_INTERFACE_DEVICE, "Driver");
	ours = strcmp(driver, OUR_DRIVER) == 0;
	free(driver);
	return ours;
}

void plug_end_removal(const struct world *world, struct removal *removal)
{
	struct wanted wanted = {world, removal->device};
	int status = 0;

	if (removal->child > 0) {
		assert_int_equal(waitpid(removal->child, &status, 0), removal->child);
		assert_int_equal(status, 0);
		removal->child = 0;
	}
	wait_for(is_hidden, &wanted, "a device that was pulled out is gone from the bus");
}

/* -- in -- */

static void run_beside(const char *path, const char *text)
{
	int status = 0;
	pid_t child = write_beside(path, text);

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Its natural driver takes it when it comes: what was chosen before is forgotten. */
static void bind(const char *device)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), PCI_DEVICES "%s/driver_override", device);
	run_beside(path, OUR_DRIVER);
	(void)snprintf(path, sizeof(path), PCI_DEVICES "%s/driver/unbind", device);
	if (access(path, F_OK) == 0) {
		run_beside(path, device);
	}
	run_beside("/sys/bus/pci/drivers_probe", device);
}

void plug_put_back(const struct world *world, const char *device)
{
	struct wanted wanted = {world, device};

	if (world->real) {
		run_beside("/sys/bus/pci/rescan", "1");
		bind(device);
	} else {
		verb(world, "Plug", device);
	}
	wait_for(is_shown, &wanted, "a device that was put back is on the bus");
	wait_for(has_our_driver, &wanted, "a device that was put back is bound to " OUR_DRIVER);
}
