/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resets, and groups that are kept after their address space was closed, as the broker sees them:
 * over real workers on a simulated host. */
#include <signal.h>
#include <string.h>

#include "broker/manager.h"
#include "broker/programs.h"
#include "broker/quarantine.h"
#include "broker/reset.h"
#include "sim/eeh.h"
#include "sim_fixture.h"

#define EDU    "0000:01:00.0" /* in group 0 */
#define E1000E "0001:01:00.0" /* in group 1 */

struct stage {
	struct sim_fixture *sim;
	sd_event *event;
	struct manager *manager;
	char worker[PATH_MAX];
	unsigned int removed;
	char why[64];
	unsigned int group_changes;
	bool answered;
	struct error error;
	size_t answer_size;
};

static struct stage stage;

/* -- the observer -- */

static void handle_space(void *userdata, struct space *space)
{
	(void)userdata;
	(void)space;
}

static void handle_space_removed(void *userdata, struct space *space, const char *why)
{
	(void)userdata;
	(void)space;
	stage.removed++;
	(void)snprintf(stage.why, sizeof(stage.why), "%s", why ? why : "");
}

static void handle_space_changed(void *userdata, struct space *space, unsigned int what)
{
	(void)userdata;
	(void)space;
	(void)what;
}

static void handle_container(void *userdata, struct space *space,
			     const struct worker_container *container)
{
	(void)userdata;
	(void)space;
	(void)container;
}

static void handle_group_changed(void *userdata, struct group *group)
{
	(void)userdata;
	(void)group;
	stage.group_changes++;
}

static const struct manager_observer observer = {
	.space_added = handle_space,
	.space_removed = handle_space_removed,
	.space_changed = handle_space_changed,
	.container_added = handle_container,
	.container_changed = handle_container,
	.container_removed = handle_container,
	.group_changed = handle_group_changed,
};

/* -- set-up -- */

static int set_up(void **state)
{
	sigset_t signals;
	struct error error;

	stage = (struct stage){.event = NULL};
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)sim_fixture_set_up(state);
	stage.sim = *state;
	assert_int_equal(program_find("../spaprd-worker", ENV_WORKER, stage.worker), 0);
	assert_true(sd_event_new(&stage.event) >= 0);
	assert_int_equal(manager_new(stage.event, stage.sim->kernel, true, stage.worker,
				     &stage.manager, &error),
			 0);
	manager_observe(stage.manager, &observer, NULL);
	return 0;
}

static int tear_down(void **state)
{
	stage.manager = manager_free(stage.manager);
	stage.event = sd_event_unref(stage.event);
	return sim_fixture_tear_down(state);
}

/* -- asking -- */

static void handle_answer(void *userdata, const struct worker_answer *answer)
{
	(void)userdata;
	stage.answered = true;
	stage.error = answer->error;
	stage.answer_size = answer->size;
}

static void run_once(void)
{
	assert_true(sd_event_run(stage.event, 30000000) > 0);
}

/* Run the loop until the answer is there; it must be the expected code. */
static void expect(int r, enum error_code code)
{
	if (r == 0) {
		while (!stage.answered) {
			run_once();
		}
		r = (int)stage.error.code;
	}
	stage.answered = false;
	if (r != (int)code) {
		fail_msg("code %d instead of %d: %s", r, (int)code, stage.error.text);
	}
}

static void expect_words(const char *words)
{
	if (!strstr(stage.error.text, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, stage.error.text);
	}
}

static struct space *open_space(void)
{
	struct space_options options = {.name = "one", .owner = ":1.1", .uid = 1000};
	struct space *space = NULL;

	expect(space_new(stage.manager, &options, handle_answer, NULL, &space, &stage.error),
	       ERROR_NONE);
	return space;
}

static struct group *find_group(uint32_t id)
{
	struct group *group = NULL;

	assert_int_equal(manager_find_group(stage.manager, id, &group, NULL), 0);
	return group;
}

static void attach(struct space *space, uint32_t id, enum error_code code)
{
	static const struct space_attach_options plain;

	expect(space_attach_group(space, find_group(id), &plain, handle_answer, NULL, &stage.error),
	       code);
}

static struct host_device *open_in(struct space *space, uint32_t id, const char *name)
{
	struct host_device *device = NULL;

	attach(space, id, ERROR_NONE);
	assert_int_equal(manager_find_device(stage.manager, name, &device, NULL), 0);
	expect(device_open(stage.manager, device, handle_answer, NULL, &stage.error), ERROR_NONE);
	return device;
}

/* No reset of an e1000e works any more. */
static void fail_resets(void)
{
	static const char *const operations[] = {"VFIO_DEVICE_RESET", "VFIO_DEVICE_PCI_HOT_RESET",
						 "VFIO_EEH_PE_OP"};

	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		struct sim_rule rule = {.errnum = EIO};
		struct sim_control_reply reply;

		sim_rule_name(&rule, operations[i]);
		assert_int_equal(sim_control_add_rule(stage.sim->control, 70 + i, &rule), 0);
		reply = sim_fixture_reply(stage.sim, 70 + i);
		sim_control_reply_done(&reply);
	}
}

static void mend_resets(void)
{
	struct sim_control_reply reply;

	assert_int_equal(sim_control_clear_rules(stage.sim->control, 79), 0);
	reply = sim_fixture_reply(stage.sim, 79);
	sim_control_reply_done(&reply);
}

/* Close a space, which leaves group 1 in quarantine. Returns its keeper. */
static struct worker_process *quarantine(void)
{
	struct space *space = open_space();
	struct worker_process *worker = space->worker;

	(void)open_in(space, 1, E1000E);
	attach(space, 0, ERROR_NONE);
	fail_resets();
	expect(space_close(space, handle_answer, NULL, &stage.error), ERROR_NONE);
	/* Like any other. */
	assert_int_equal(stage.removed, 1);
	assert_string_equal(stage.why, "");
	assert_int_equal(stage.manager->space_count, 0);
	assert_null(find_group(1)->space);
	assert_null(quarantine_reason(stage.manager, find_group(0)));
	assert_non_null(quarantine_reason(stage.manager, find_group(1)));
	assert_non_null(strstr(quarantine_reason(stage.manager, find_group(1)), E1000E ": "));
	return worker;
}

/* -- tests -- */

static void test_device_reset(void **state)
{
	struct space *space = open_space();
	struct host_device *device = NULL;

	(void)state;
	assert_int_equal(manager_find_device(stage.manager, E1000E, &device, NULL), 0);
	expect(device_reset(stage.manager, device, handle_answer, NULL, &stage.error),
	       ERROR_NOT_FOUND);
	attach(space, 1, ERROR_NONE);
	expect(device_reset(stage.manager, device, handle_answer, NULL, &stage.error),
	       ERROR_NOT_FOUND);
	expect_words("is not open");
	expect(device_open(stage.manager, device, handle_answer, NULL, &stage.error), ERROR_NONE);
	expect(device_reset(stage.manager, device, handle_answer, NULL, &stage.error), ERROR_NONE);
	fail_resets();
	expect(device_reset(stage.manager, device, handle_answer, NULL, &stage.error),
	       ERROR_KERNEL);
	expect_words(E1000E);
	mend_resets();
	expect(space_close(space, handle_answer, NULL, &stage.error), ERROR_NONE);
	assert_null(quarantine_reason(stage.manager, find_group(1)));
}

static void test_space_reset(void **state)
{
	struct space *space = open_space();

	(void)state;
	expect(space_reset(space, handle_answer, NULL, &stage.error), ERROR_NONE);
	assert_int_equal(stage.answer_size, 0);
	(void)open_in(space, 0, EDU);
	(void)open_in(space, 1, E1000E);
	expect(space_reset(space, handle_answer, NULL, &stage.error), ERROR_NONE);
	assert_int_equal(stage.answer_size, 2 * sizeof(struct worker_reset));
	fail_resets();
	expect(space_reset(space, handle_answer, NULL, &stage.error), ERROR_KERNEL);
	expect_words("not reset:");
	expect_words(EDU ": ");
	expect_words(E1000E ": ");
	mend_resets();
	assert_int_equal(space_close(space, NULL, NULL, &stage.error), 0);
	expect(space_reset(space, handle_answer, NULL, &stage.error), ERROR_BUSY);
	while (stage.removed == 0) {
		run_once();
	}
}

/* The answer comes though the space is closed meanwhile. */
static void test_space_reset_meets_close(void **state)
{
	struct space *space = open_space();

	(void)state;
	(void)open_in(space, 1, E1000E);
	sim_fixture_delay(stage.sim, "VFIO_DEVICE_PCI_HOT_RESET", 200);
	assert_int_equal(space_reset(space, handle_answer, NULL, &stage.error), 0);
	assert_int_equal(space_close(space, NULL, NULL, &stage.error), 0);
	while (stage.removed == 0) {
		run_once();
	}
	assert_true(stage.answered);
}

/* H40: nobody has a group whose device may do DMA. */
static void test_h40_kept_groups_stay_claimed(void **state)
{
	struct space *space;

	(void)state;
	(void)quarantine();
	space = open_space();
	attach(space, 0, ERROR_NONE);
	attach(space, 1, ERROR_QUARANTINED);
	expect_words("spaprctl release 1");
	expect(quarantine_release(stage.manager, find_group(0), false, handle_answer, NULL,
				  &stage.error),
	       ERROR_NOT_FOUND);
	expect(quarantine_release(stage.manager, find_group(1), false, handle_answer, NULL,
				  &stage.error),
	       ERROR_QUARANTINED);
	assert_non_null(quarantine_reason(stage.manager, find_group(1)));
	mend_resets();
	stage.group_changes = 0;
	assert_int_equal(quarantine_release(stage.manager, find_group(1), false, handle_answer,
					    NULL, &stage.error),
			 0);
	assert_int_equal(quarantine_release(stage.manager, find_group(1), false, handle_answer,
					    NULL, &stage.error),
			 ERROR_BUSY);
	expect(0, ERROR_NONE);
	assert_null(quarantine_reason(stage.manager, find_group(1)));
	assert_int_equal(stage.group_changes, 1);
	while (stage.manager->keepers) {
		run_once();
	}
	attach(space, 1, ERROR_NONE);
	expect(space_close(space, handle_answer, NULL, &stage.error), ERROR_NONE);
	assert_int_equal(sim_fixture_statistics(stage.sim).open_groups, 0);
}

static void test_release_anyway(void **state)
{
	(void)state;
	(void)quarantine();
	expect(quarantine_release(stage.manager, find_group(1), true, handle_answer, NULL,
				  &stage.error),
	       ERROR_NONE);
	assert_null(quarantine_reason(stage.manager, find_group(1)));
	while (stage.manager->keepers) {
		run_once();
	}
	mend_resets();
}

static void handle_attached(void *userdata, const struct worker_answer *answer)
{
	*(enum error_code *)userdata = answer->error.code;
}

/* What waits for a worker that becomes a keeper is answered while its space is still there. */
static void test_requests_end_with_the_space(void **state)
{
	static const struct space_attach_options plain;
	struct space *space = open_space();
	enum error_code code = ERROR_NONE;

	(void)state;
	(void)open_in(space, 1, E1000E);
	fail_resets();
	assert_int_equal(space_attach_group(space, find_group(0), &plain, handle_attached, &code,
					    &stage.error),
			 0);
	for (int i = 0; i < 500 && sim_fixture_statistics(stage.sim).attached_groups < 2; i++) {
		(void)usleep(1000);
	}
	(void)usleep(20000);
	assert_int_equal(space_close(space, handle_answer, NULL, &stage.error), 0);
	/* Both answers are there before the first is read, after which something more is asked. */
	for (int i = 0; i < 500 && sim_fixture_statistics(stage.sim).windows > 0; i++) {
		(void)usleep(1000);
	}
	(void)usleep(20000);
	expect(0, ERROR_NONE);
	assert_int_equal(code, ERROR_WORKER_LOST);
	assert_int_equal(stage.removed, 1);
	assert_non_null(quarantine_reason(stage.manager, find_group(1)));
	mend_resets();
}

/* The kernel has let the group go then. */
static void test_keeper_dies(void **state)
{
	struct worker_process *keeper = quarantine();

	(void)state;
	stage.group_changes = 0;
	worker_process_kill(keeper, SIGKILL);
	while (stage.manager->keepers) {
		run_once();
	}
	assert_null(quarantine_reason(stage.manager, find_group(1)));
	assert_int_equal(stage.group_changes, 1);
	mend_resets();
}

/* A frozen PE is none that a reset helps. */
static void test_frozen(void **state)
{
	struct space *space = open_space();
	struct host_device *device = open_in(space, 1, E1000E);
	struct sim_control_reply reply;
	int r;

	(void)state;
	assert_int_equal(sim_control_freeze(stage.sim->control, 80, 1, SIM_FREEZE_BOTH), 0);
	reply = sim_fixture_reply(stage.sim, 80);
	sim_control_reply_done(&reply);
	r = device_reset(stage.manager, device, handle_answer, NULL, &stage.error);
	while (r == 0 && !stage.answered) {
		run_once();
	}
	stage.answered = false;
	/* A look that is under way may have found it before: then it is being recovered. */
	assert_true(stage.error.code == ERROR_FROZEN || stage.error.code == ERROR_BUSY);
	expect(space_close(space, handle_answer, NULL, &stage.error), ERROR_NONE);
	assert_null(quarantine_reason(stage.manager, find_group(1)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_device_reset),
		TEST(test_space_reset),
		TEST(test_space_reset_meets_close),
		TEST(test_h40_kept_groups_stay_claimed),
		TEST(test_release_anyway),
		TEST(test_requests_end_with_the_space),
		TEST(test_keeper_dies),
		TEST(test_frozen),
	};

	return cmocka_run_group_tests_name("quarantine", tests, NULL, NULL);
}
