/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The broker's objects without a bus: manager, address spaces and the simulator's verbs. */
#include <fcntl.h>
#include <inttypes.h>

#include "broker/manager.h"
#include "broker/programs.h"
#include "broker/simulator.h"
#include "sim/eeh.h"
#include "sim_fixture.h"

#define GROUP_FREE       0U
#define GROUP_NOT_VIABLE 3U
#define GROUP_UNBOUND    4U

struct stage {
	struct sim_fixture *sim;
	sd_event *event;
	struct manager *manager;
	struct simulator *simulator;
	char worker[PATH_MAX];
	/* what the observer saw */
	unsigned int added;
	unsigned int removed;
	unsigned int containers;
	unsigned int changes;
	char why[64];
	/* what the last answer was */
	bool answered;
	struct error error;
	struct sim_statistics statistics;
	uint32_t rule;
	size_t rules;
};

static struct stage stage;

/* -- the observer -- */

static void handle_space_added(void *userdata, struct space *space)
{
	(void)userdata;
	(void)space;
	stage.added++;
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
	stage.changes |= what;
}

static void handle_container_added(void *userdata, struct space *space,
				   const struct worker_container *container)
{
	(void)userdata;
	(void)space;
	assert_string_equal(container->iommu_type, "spapr-tce-v2");
	stage.containers++;
}

static void handle_container_changed(void *userdata, struct space *space,
				     const struct worker_container *container)
{
	(void)userdata;
	(void)space;
	(void)container;
}

static void handle_container_removed(void *userdata, struct space *space,
				     const struct worker_container *container)
{
	(void)userdata;
	(void)space;
	(void)container;
	stage.containers--;
}

static void handle_group_changed(void *userdata, struct group *group)
{
	(void)userdata;
	(void)group;
}

static const struct manager_observer observer = {
	.space_added = handle_space_added,
	.space_removed = handle_space_removed,
	.space_changed = handle_space_changed,
	.container_added = handle_container_added,
	.container_changed = handle_container_changed,
	.container_removed = handle_container_removed,
	.group_changed = handle_group_changed,
};

static const struct space_attach_options plain;

/* -- set-up -- */

static void handle_lost(void *userdata)
{
	(void)userdata;
	fail_msg("the simulated host is lost");
}

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
	return simulator_new(stage.event, stage.sim->kernel, handle_lost, NULL, &stage.simulator);
}

static int tear_down(void **state)
{
	stage.manager = manager_free(stage.manager);
	stage.simulator = simulator_free(stage.simulator);
	stage.event = sd_event_unref(stage.event);
	return sim_fixture_tear_down(state);
}

/* -- asking -- */

static void handle_answer(void *userdata, const struct worker_answer *answer)
{
	(void)userdata;
	stage.answered = true;
	stage.error = answer->error;
}

/* Run the loop until the answer is there; it must be the expected code. */
static void expect(int r, enum error_code code)
{
	if (r == 0) {
		while (!stage.answered) {
			assert_true(sd_event_run(stage.event, 30000000) > 0);
		}
		r = (int)stage.error.code;
	}
	stage.answered = false;
	if (r != (int)code) {
		fail_msg("code %d instead of %d: %s", r, (int)code, stage.error.text);
	}
}

static struct space *open_space(const char *name)
{
	struct space_options options = {.name = name, .owner = ":1.1", .uid = 1000};
	struct space *space = NULL;

	expect(space_new(stage.manager, &options, handle_answer, NULL, &space, &stage.error),
	       ERROR_NONE);
	return space;
}

static void close_space(struct space *space)
{
	expect(space_close(space, handle_answer, NULL, &stage.error), ERROR_NONE);
}

static void attach(struct space *space, uint32_t id, enum error_code code)
{
	struct group *group = NULL;

	assert_int_equal(manager_find_group(stage.manager, id, &group, NULL), 0);
	expect(space_attach_group(space, group, &plain, handle_answer, NULL, &stage.error), code);
}

/* -- tests -- */

static void test_lookups(void **state)
{
	struct group *group = NULL;
	struct host_device *device = NULL;

	(void)state;
	assert_int_equal(stage.manager->group_count, 5);
	assert_int_equal(manager_find_group(stage.manager, 2, &group, &stage.error), 0);
	assert_int_equal(group->host->id, 2);
	assert_int_equal(manager_find_group(stage.manager, 99, &group, &stage.error),
			 ERROR_NOT_FOUND);
	assert_non_null(strstr(stage.error.text, "99"));
	assert_int_equal(manager_find_device(stage.manager, EDU, &device, &stage.error), 0);
	assert_int_equal(device->host->vendor, 0x1234);
	assert_int_equal(manager_find_device(stage.manager, "nonsense", &device, &stage.error),
			 ERROR_NOT_FOUND);
}

/* The host of this test is powernv9. */
static void test_sharing(void **state)
{
	static const struct {
		enum policy_sharing sharing;
		enum host_kind kind;
		bool share;
	} cases[] = {
		{POLICY_SHARING_AUTO, HOST_KIND_POWERNV, false},
		{POLICY_SHARING_AUTO, HOST_KIND_PSERIES, false},
		{POLICY_SHARING_AUTO, HOST_KIND_TYPE1, true},
		{POLICY_SHARING_YES, HOST_KIND_POWERNV, true},
		{POLICY_SHARING_NO, HOST_KIND_TYPE1, false},
	};

	(void)state;
	assert_int_equal(stage.manager->topology->kind, HOST_KIND_POWERNV);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		stage.manager->policy.sharing = cases[i].sharing;
		stage.manager->topology->kind = cases[i].kind;
		assert_int_equal(manager_attach_options(stage.manager).share, cases[i].share);
	}
}

/* Each group of a host with EEH has a PE, which goes by what is loaded. */
static void test_pes(void **state)
{
	char folder[] = "/tmp/spaprd-test-XXXXXX";
	const char *const paths[] = {folder};
	const struct policy_folders folders = {.paths = paths, .count = 1};
	char path[PATH_MAX];
	FILE *file;

	(void)state;
	for (size_t i = 0; i < stage.manager->group_count; i++) {
		assert_true(stage.manager->groups[i]->host->eeh);
		assert_non_null(stage.manager->groups[i]->pe);
		assert_ptr_equal(pe_group(stage.manager->groups[i]->pe), stage.manager->groups[i]);
	}
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/a.conf", folder);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs("[recovery 8086:10d3]\nmode = manual\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(manager_use_policies(stage.manager, &folders, &stage.error), 0);
	assert_true(pe_policy(stage.manager->groups[1]->pe)->manual);
	assert_false(pe_policy(stage.manager->groups[0]->pe)->manual);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(manager_reload(stage.manager, &stage.error), 0);
	assert_false(pe_policy(stage.manager->groups[1]->pe)->manual);
	assert_int_equal(rmdir(folder), 0);
}

static void test_life_of_a_space(void **state)
{
	struct space *space = open_space("one");

	(void)state;
	assert_int_equal(stage.added, 1);
	assert_int_equal(space->number, 0);
	attach(space, GROUP_FREE, ERROR_NONE);
	assert_int_equal(space->container_count, 1);
	assert_int_equal(space->window_count, 1);
	assert_int_equal(stage.containers, 1);
	assert_int_equal(stage.changes, SPACE_CHANGED_WINDOWS | SPACE_CHANGED_CONTAINERS);
	assert_ptr_equal(stage.manager->groups[0]->space, space);
	close_space(space);
	assert_int_equal(stage.removed, 1);
	assert_string_equal(stage.why, "");
	assert_int_equal(stage.containers, 0);
	assert_null(stage.manager->groups[0]->space);
	assert_int_equal(stage.manager->space_count, 0);
	assert_int_equal(sim_fixture_statistics(stage.sim).open_groups, 0);
}

static void test_refused_groups(void **state)
{
	struct space *space = open_space("one");
	struct space *other = open_space("two");

	(void)state;
	attach(space, GROUP_NOT_VIABLE, ERROR_GROUP_NOT_VIABLE);
	assert_non_null(strstr(stage.error.text, "is bound to e1000e"));
	assert_null(stage.manager->groups[GROUP_NOT_VIABLE]->space);
	attach(space, GROUP_UNBOUND, ERROR_GROUP_NOT_VIABLE);
	assert_non_null(strstr(stage.error.text, "ENOENT"));
	attach(space, GROUP_FREE, ERROR_NONE);
	attach(other, GROUP_FREE, ERROR_GROUP_BUSY);
	assert_non_null(strstr(stage.error.text, "\"one\""));
	close_space(space);
	attach(other, GROUP_FREE, ERROR_NONE);
	close_space(other);
}

static void test_closing(void **state)
{
	struct space *space = open_space("one");

	(void)state;
	assert_int_equal(space_close(space, NULL, NULL, &stage.error), 0);
	assert_int_equal(space_close(space, NULL, NULL, &stage.error), ERROR_BUSY);
	attach(space, GROUP_FREE, ERROR_BUSY);
	while (stage.removed == 0) {
		assert_true(sd_event_run(stage.event, 30000000) > 0);
	}
}

static void test_end(void **state)
{
	struct space *space = open_space("one");

	(void)state;
	attach(space, GROUP_FREE, ERROR_NONE);
	space_end(space);
	space_end(space); /* changes nothing */
	while (stage.removed == 0) {
		assert_true(sd_event_run(stage.event, 30000000) > 0);
	}
	assert_int_equal(stage.removed, 1);
	assert_string_equal(stage.why, "");
	assert_null(stage.manager->groups[0]->space);
	assert_int_equal(sim_fixture_statistics(stage.sim).open_groups, 0);
}

static void test_lost_worker(void **state)
{
	struct space *space = open_space("one");

	(void)state;
	attach(space, GROUP_FREE, ERROR_NONE);
	worker_process_kill(space->worker, SIGKILL);
	while (stage.removed == 0) {
		assert_true(sd_event_run(stage.event, 30000000) > 0);
	}
	assert_non_null(strstr(stage.why, "SIGKILL"));
	assert_null(stage.manager->groups[0]->space);
}

/* The group that was being attached when the worker died is free again. */
static void test_worker_lost_during_attach(void **state)
{
	struct space *space = open_space("one");
	struct group *group = stage.manager->groups[0];

	(void)state;
	worker_process_kill(space->worker, SIGSTOP);
	assert_int_equal(
		space_attach_group(space, group, &plain, handle_answer, NULL, &stage.error), 0);
	assert_ptr_equal(group->space, space);
	worker_process_kill(space->worker, SIGKILL);
	expect(0, ERROR_WORKER_LOST);
	while (stage.removed == 0) {
		assert_true(sd_event_run(stage.event, 30000000) > 0);
	}
	assert_null(group->space);
}

static void test_stop(void **state)
{
	(void)state;
	(void)open_space("one");
	(void)open_space("two");
	manager_stop(stage.manager);
	assert_int_equal(sd_event_loop(stage.event), 0);
	assert_int_equal(stage.removed, 2);
	assert_null(stage.manager->spaces);
}

/* -- the simulator's verbs -- */

static void handle_reply(void *userdata, const struct sim_control_reply *reply)
{
	(void)userdata;
	stage.answered = true;
	stage.error.code = reply->code;
	stage.statistics = reply->statistics;
	stage.rule = reply->rule;
	stage.rules = reply->rule_count;
}

static void test_verbs(void **state)
{
	(void)state;
	expect(simulator_statistics(stage.simulator, handle_reply, NULL, &stage.error), ERROR_NONE);
	assert_int_equal(stage.statistics.kernel_damage, 0);
	expect(simulator_dma_read(stage.simulator, EDU, 0, 16, handle_reply, NULL, &stage.error),
	       ERROR_DMA_FAULT);
	expect(simulator_dma_write(stage.simulator, "nothing", 0, "x", 1, handle_reply, NULL,
				   &stage.error),
	       ERROR_NOT_FOUND);
	expect(simulator_fail_next(stage.simulator, "nonsense", 0, 5, handle_reply, NULL,
				   &stage.error),
	       ERROR_INVALID_ARGUMENT);
	expect(simulator_delay(stage.simulator, "VFIO_SET_IOMMU", 1, handle_reply, NULL,
			       &stage.error),
	       ERROR_NONE);
}

static void test_verbs_about_rules(void **state)
{
	struct sim_rule rule = {.errnum = 5};

	(void)state;
	sim_rule_name(&rule, "VFIO_EEH_PE_RESET_HOT");
	expect(simulator_add_rule(stage.simulator, &rule, handle_reply, NULL, &stage.error),
	       ERROR_NONE);
	assert_int_equal(stage.rule, 1);
	expect(simulator_list_rules(stage.simulator, handle_reply, NULL, &stage.error), ERROR_NONE);
	assert_int_equal(stage.rules, 1);
	expect(simulator_remove_rule(stage.simulator, 2, handle_reply, NULL, &stage.error),
	       ERROR_NOT_FOUND);
	expect(simulator_clear_rules(stage.simulator, handle_reply, NULL, &stage.error),
	       ERROR_NONE);
	expect(simulator_list_rules(stage.simulator, handle_reply, NULL, &stage.error), ERROR_NONE);
	assert_int_equal(stage.rules, 0);
	rule.errnum = 0;
	expect(simulator_add_rule(stage.simulator, &rule, handle_reply, NULL, &stage.error),
	       ERROR_INVALID_ARGUMENT);
}

static void test_verbs_about_hardware(void **state)
{
	(void)state;
	expect(simulator_freeze(stage.simulator, 0, SIM_FREEZE_DMA, handle_reply, NULL,
				&stage.error),
	       ERROR_NONE);
	expect(simulator_freeze(stage.simulator, 4096, SIM_FREEZE_DMA, handle_reply, NULL,
				&stage.error),
	       ERROR_NOT_FOUND);
	expect(simulator_dump(stage.simulator, 0, 0, 9, handle_reply, NULL, &stage.error),
	       ERROR_NONE);
	expect(simulator_dump(stage.simulator, 4096, 0, 9, handle_reply, NULL, &stage.error),
	       ERROR_NOT_FOUND);
	expect(simulator_plug(stage.simulator, EDU, handle_reply, NULL, &stage.error), ERROR_BUSY);
	expect(simulator_unplug(stage.simulator, EDU, handle_reply, NULL, &stage.error),
	       ERROR_NONE);
	expect(simulator_unplug(stage.simulator, EDU, handle_reply, NULL, &stage.error),
	       ERROR_NOT_FOUND);
	expect(simulator_plug(stage.simulator, EDU, handle_reply, NULL, &stage.error), ERROR_NONE);
}

/* Verbs that wait are bounded, and all are answered. */
static void handle_count(void *userdata, const struct sim_control_reply *reply)
{
	(void)reply;
	(*(unsigned int *)userdata)++;
}

static void test_many_verbs(void **state)
{
	unsigned int sent = 0;
	unsigned int answered = 0;

	(void)state;
	while (simulator_statistics(stage.simulator, handle_count, &answered, &stage.error) == 0) {
		sent++;
		assert_true(sent < 100000);
	}
	assert_int_equal(stage.error.code, ERROR_BUSY);
	while (answered < sent) {
		assert_true(sd_event_run(stage.event, 30000000) > 0);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_lookups),
		TEST(test_sharing),
		TEST(test_pes),
		TEST(test_life_of_a_space),
		TEST(test_refused_groups),
		TEST(test_closing),
		TEST(test_end),
		TEST(test_lost_worker),
		TEST(test_worker_lost_during_attach),
		TEST(test_stop),
		TEST(test_verbs),
		TEST(test_verbs_about_rules),
		TEST(test_verbs_about_hardware),
		TEST(test_many_verbs),
	};

	return cmocka_run_group_tests_name("manager", tests, NULL, NULL);
}
