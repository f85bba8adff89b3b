/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A group that is handed to a program which owns its container, as a VMM does. */
#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

#define ALLOWED "[access]\ndelegate = yes\n"

static char *group_path(DBusConnection *client, const char *device)
{
	char *path = NULL;

	assert_true(asprintf(&path, BUS_PATH_GROUP_PREFIX "%" PRIu32, group_of(client, device)) >
		    0);
	return path;
}

static void expect_words(const char *words)
{
	if (!strstr(last_error_text(), words)) {
		fail_msg("\"%s\" does not say \"%s\"", last_error_text(), words);
	}
}

/* The group's fd, or -1 after the refusal. */
static int delegate(DBusConnection *client, const char *group, const char *refusal)
{
	DBusMessage *reply =
		call(client, group, BUS_INTERFACE_GROUP, "Delegate", refusal, DBUS_TYPE_INVALID);
	int fd = -1;

	if (reply) {
		assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_UNIX_FD, &fd,
						  DBUS_TYPE_INVALID));
		dbus_message_unref(reply);
	}
	return fd;
}

static void expect_delegated(DBusConnection *client, const char *group, const char *owner)
{
	char *text = get_text(client, group, BUS_INTERFACE_GROUP, "Delegated");

	assert_string_equal(text, owner);
	free(text);
}

/* What is waited for: the group is nobody's. */
struct end {
	DBusConnection *client;
	const char *group;
};

static bool has_ended(void *userdata)
{
	const struct end *end = userdata;
	char *text = get_text(end->client, end->group, BUS_INTERFACE_GROUP, "Delegated");
	bool ended = *text == '\0';

	free(text);
	return ended;
}

/* Use it as a VMM would: a container of its own. Returns the container. */
static int use_group(const struct world *world, int group)
{
	struct kernel *kernel = world->kernel;
	unsigned long type =
		world->host->has_tce ? VFIO_SPAPR_TCE_v2_IOMMU : (unsigned long)VFIO_TYPE1v2_IOMMU;
	int container = kernel_open_node(kernel, NODE_CONTAINER);

	assert_true(container >= 0);
	assert_int_equal(kernel_ioctl(kernel, group, VFIO_GROUP_SET_CONTAINER, &container), 0);
	assert_int_equal(kernel_ioctl_value(kernel, container, VFIO_SET_IOMMU, type), 0);
	return container;
}

/* -- tests -- */

static void test_off_by_default(void **state)
{
	const struct world *world = *state;
	char *group = group_path(world->client, world->host->edu);

	assert_int_equal(delegate(world->client, group, "org.freedesktop.DBus.Error.AccessDenied"),
			 -1);
	expect_words("beyond its TCE tables");
	expect_words("delegate = yes in [access]");
	expect_delegated(world->client, group, "");
	free(group);
}

static void test_a_vmm_has_it(void **state)
{
	const struct world *world = *state;
	DBusConnection *vmm = client_open();
	char *group = group_path(world->client, world->host->edu);
	struct end end = {.client = world->client, .group = group};
	char *space = space_create(world->client, "other");
	int container;
	int fd;

	set_policy(world, ALLOWED, NULL);
	fd = delegate(vmm, group, NULL);
	expect_delegated(world->client, group, dbus_bus_get_unique_name(vmm));
	container = use_group(world, fd);
	/* Nobody else gets it meanwhile. */
	attach(world->client, space, world->host->edu, "GroupBusy");
	expect_words("was delegated to");
	assert_int_equal(delegate(world->client, group, "GroupBusy"), -1);
	/* Its end: first the connection. */
	client_close(vmm);
	attach(world->client, space, world->host->edu, "GroupBusy");
	(void)kernel_close(world->kernel, fd);
	(void)kernel_close(world->kernel, container);
	wait_for(has_ended, &end, "the end of a delegation");
	attach(world->client, space, world->host->edu, NULL);
	space_close(world->client, space);
	free(group);
	wait_until_nothing_is_left(world);
}

static void test_what_is_refused(void **state)
{
	const struct world *world = *state;
	char *group = group_path(world->client, world->host->edu);
	char *space = space_create(world->client, "holds it");

	set_policy(world, ALLOWED, NULL);
	attach(world->client, space, world->host->edu, NULL);
	assert_int_equal(delegate(world->client, group, "GroupBusy"), -1);
	expect_words("detach it first");
	space_close(world->client, space);
	free(group);
	group = group_path(world->client, world->host->not_viable);
	assert_int_equal(delegate(world->client, group, "GroupNotViable"), -1);
	expect_words(world->host->sibling);
	free(group);
	if (world->host->unbound) {
		group = group_path(world->client, world->host->unbound);
		assert_int_equal(delegate(world->client, group, "GroupNotViable"), -1);
		free(group);
	}
	wait_until_nothing_is_left(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_off_by_default, forget_policy),
		cmocka_unit_test_teardown(test_a_vmm_has_it, forget_policy),
		cmocka_unit_test_teardown(test_what_is_refused, forget_policy),
	};

	return cmocka_run_group_tests(tests, world_start_eeh, world_stop);
}
