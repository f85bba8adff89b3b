/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups that are handed to a VMM: who may have one, and when it is free again. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "broker/delegation.h"
#include "broker/manager.h"
#include "common/clock.h"
#include "common/names.h"
#include "policy_place.h"
#include "sim_fixture.h"

#define GROUP_NOT_VIABLE 3U
#define GROUP_UNBOUND    4U

#define OWNER ":1.7"

static struct {
	struct sim_fixture *sim;
	sd_event *event;
	struct manager *manager;
	unsigned int changes;
	struct error error;
} stage;

/* -- a node that can't be opened -- */

static int node_refusal;
static unsigned int node_tries;

static int refuse_node(struct kernel *kernel, const char *path)
{
	(void)kernel;
	(void)path;
	node_tries++;
	return node_refusal;
}

static void refuse_nodes(int r)
{
	static struct kernel_operations operations;

	operations = *stage.sim->kernel->operations;
	operations.open_node = refuse_node;
	stage.sim->kernel->operations = &operations;
	node_refusal = r;
}

/* -- the stage -- */

static void handle_group_changed(void *userdata, struct group *group)
{
	(void)userdata;
	(void)group;
	stage.changes++;
}

static const struct manager_observer observer = {.group_changed = handle_group_changed};

static void use_policy(const char *text)
{
	place_write_file(place.first, "a.conf", text);
	if (manager_use_policies(stage.manager, &place.folders, &stage.error)) {
		fail_msg("%s", stage.error.text);
	}
}

static int set_up(void **state)
{
	assert_int_equal(place_set_up(state), 0);
	assert_int_equal(sim_fixture_set_up(state), 0);
	stage.sim = *state;
	stage.changes = 0;
	node_tries = 0;
	assert_true(sd_event_new(&stage.event) >= 0);
	assert_int_equal(manager_new(stage.event, stage.sim->kernel, true, "no worker",
				     &stage.manager, &stage.error),
			 0);
	manager_observe(stage.manager, &observer, NULL);
	return 0;
}

static int tear_down(void **state)
{
	stage.manager = manager_free(stage.manager);
	stage.event = sd_event_unref(stage.event);
	assert_int_equal(sim_fixture_tear_down(state), 0);
	return place_tear_down(state);
}

static int delegate(uint32_t number, int *ret_fd)
{
	return delegation_begin(stage.manager, stage.manager->groups[number], OWNER, 1000, ret_fd,
				&stage.error);
}

static void expect_refused(uint32_t number, enum error_code code, const char *words)
{
	int fd = -1;

	assert_int_equal(delegate(number, &fd), code);
	assert_int_equal(fd, -1);
	if (!strstr(stage.error.text, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, stage.error.text);
	}
}

/* Whether the fd is that of the very group, and nobody else has it. */
static void expect_group(int fd)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};

	assert_true(fd >= 0);
	assert_int_equal(kernel_ioctl(stage.sim->kernel, fd, VFIO_GROUP_GET_STATUS, &status), 0);
	assert_int_equal(status.flags, VFIO_GROUP_FLAGS_VIABLE);
	assert_int_equal(kernel_open_node(stage.sim->kernel, NODE_GROUP_PREFIX "0"), -EBUSY);
}

/* -- tests -- */

static void test_h5_not_unless_policy_allows_it(void **state)
{
	int fd = -1;

	(void)state;
	expect_refused(0, ERROR_ACCESS_DENIED, "write beyond its TCE tables");
	use_policy("[access]\ndelegate = no\n");
	expect_refused(0, ERROR_ACCESS_DENIED, "delegate = yes in [access]");
	assert_int_equal(stage.changes, 0);
	use_policy("[access]\ndelegate = yes\n");
	assert_int_equal(delegate(0, &fd), 0);
	(void)kernel_close(stage.sim->kernel, fd);
}

static void test_one_at_a_time(void **state)
{
	struct group *group = stage.manager->groups[0];
	int fd = -1;

	(void)state;
	use_policy("[access]\ndelegate = yes\n");
	assert_string_equal(delegation_owner(group), "");
	assert_int_equal(delegate(0, &fd), 0);
	expect_group(fd);
	assert_int_equal(stage.changes, 1);
	assert_string_equal(delegation_owner(group), OWNER);
	assert_int_equal(delegation_check(group, &stage.error), ERROR_GROUP_BUSY);
	expect_refused(0, ERROR_GROUP_BUSY, "was delegated to " OWNER " of uid 1000");
	/* Its end, with nothing left open. */
	(void)kernel_close(stage.sim->kernel, fd);
	delegation_owner_left(group);
	assert_string_equal(delegation_owner(group), "");
	assert_int_equal(delegation_check(group, &stage.error), 0);
	assert_int_equal(stage.changes, 2);
	assert_int_equal(delegate(0, &fd), 0);
	(void)kernel_close(stage.sim->kernel, fd);
}

static void test_refusals(void **state)
{
	int fd;

	(void)state;
	use_policy("[access]\ndelegate = yes\n");
	expect_refused(GROUP_NOT_VIABLE, ERROR_GROUP_NOT_VIABLE, "is bound to e1000e");
	expect_refused(GROUP_UNBOUND, ERROR_GROUP_NOT_VIABLE, "has no driver");
	fd = kernel_open_node(stage.sim->kernel, NODE_GROUP_PREFIX "0");
	assert_true(fd >= 0);
	expect_refused(0, ERROR_GROUP_BUSY, "another program has it open");
	(void)kernel_close(stage.sim->kernel, fd);
	stage.manager->groups[0]->gone = true;
	expect_refused(0, ERROR_NOT_FOUND, "was unplugged");
	stage.manager->groups[0]->gone = false;
	assert_int_equal(stage.changes, 0);
}

/* The owner has passed the fd on: the group is taken until that is closed, too. */
static void test_left_behind(void **state)
{
	struct group *group = stage.manager->groups[0];
	int fd = -1;

	(void)state;
	use_policy("[access]\ndelegate = yes\n");
	assert_int_equal(delegate(0, &fd), 0);
	delegation_owner_left(group);
	assert_string_equal(delegation_owner(group), OWNER);
	expect_refused(0, ERROR_GROUP_BUSY, "somebody still has its node open");
	/* Told twice, nothing more happens. */
	delegation_owner_left(group);
	assert_true(sd_event_run(stage.event, 10000000) > 0);
	assert_string_equal(delegation_owner(group), OWNER);
	(void)kernel_close(stage.sim->kernel, fd);
	while (*delegation_owner(group)) {
		assert_true(sd_event_run(stage.event, 10000000) > 0);
	}
	assert_int_equal(delegate(0, &fd), 0);
	(void)kernel_close(stage.sim->kernel, fd);
}

/* Who wants the group needn't wait for the next try. */
static void test_free_for_who_wants_it(void **state)
{
	struct group *group = stage.manager->groups[0];
	int fd = -1;

	(void)state;
	use_policy("[access]\ndelegate = yes\n");
	assert_int_equal(delegate(0, &fd), 0);
	delegation_owner_left(group);
	assert_int_equal(delegation_check(group, &stage.error), ERROR_GROUP_BUSY);
	(void)kernel_close(stage.sim->kernel, fd);
	assert_int_equal(delegation_check(group, &stage.error), 0);
	assert_string_equal(delegation_owner(group), "");
	/* Its coming, its owner's leaving, and its end. */
	assert_int_equal(stage.changes, 3);
}

/* That the node can't be opened for want of something says nothing of who has it. */
static void test_not_free_for_want_of_files(void **state)
{
	struct group *group = stage.manager->groups[0];
	int fd = -1;

	(void)state;
	use_policy("[access]\ndelegate = yes\n");
	assert_int_equal(delegate(0, &fd), 0);
	refuse_nodes(-EMFILE);
	delegation_owner_left(group);
	assert_string_equal(delegation_owner(group), OWNER);
	/* This does: the group's devices are unbound, or gone. */
	node_refusal = -ENOENT;
	assert_int_equal(delegation_check(group, &stage.error), 0);
	(void)kernel_close(stage.sim->kernel, fd);
}

/* The pauses between tries grow, so that a VMM that runs on doesn't keep spaprd awake. */
static void test_tries_grow_rare(void **state)
{
	struct group *group = stage.manager->groups[0];
	uint64_t last = 0;
	uint64_t pause = 0;
	int fd = -1;

	(void)state;
	use_policy("[access]\ndelegate = yes\n");
	assert_int_equal(delegate(0, &fd), 0);
	refuse_nodes(-EBUSY);
	delegation_owner_left(group);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t begin = clock_microseconds();

		while (node_tries < i + 2) {
			assert_true(sd_event_run(stage.event, 10000000) > 0);
		}
		last = pause;
		pause = clock_microseconds() - begin;
	}
	assert_true(pause > last + last / 2);
	(void)kernel_close(stage.sim->kernel, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_h5_not_unless_policy_allows_it, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_one_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_left_behind, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_free_for_who_wants_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_free_for_want_of_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tries_grow_rare, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
