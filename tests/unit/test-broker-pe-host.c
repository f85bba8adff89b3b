/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PEs of the broker with real workers, on a simulated host whose resets take no time. */
#include <inttypes.h>

#include "broker/device.h"
#include "broker/manager.h"
#include "broker/programs.h"
#include "broker/simulator.h"
#include "deaf_observer.h"
#include "sim/eeh.h"
#include "sim_fixture.h"

#define E1000E       "0001:01:00.0"
#define E1000E_GROUP 1U

struct stage {
	struct sim_fixture sim;
	sd_event *event;
	struct manager *manager;
	struct simulator *simulator;
	char worker[PATH_MAX];
	struct space *space;
	struct pe *pe;
	unsigned int done;
	bool recovered;
	char why[RECOVERY_TEXT_SIZE];
	unsigned int answers;
	struct error error;
	struct pe_answer answer;
	int device; /* that was opened */
};

static struct stage stage;

/* -- observers -- */

static void handle_pe_changed(void *userdata, struct pe *pe, unsigned int what)
{
	(void)userdata;
	(void)pe;
	(void)what;
}

static void handle_pe_signalled(void *userdata, struct pe *pe, const struct recovery_action *action)
{
	(void)userdata;
	(void)pe;
	if (action->kind == RECOVERY_ACTION_DONE) {
		stage.done++;
		stage.recovered = action->recovered;
		(void)snprintf(stage.why, sizeof(stage.why), "%s", action->text);
	}
}

static const struct pe_observer pe_observer = {
	.changed = handle_pe_changed,
	.signalled = handle_pe_signalled,
};

/* -- set-up -- */

static void handle_lost(void *userdata)
{
	(void)userdata;
	fail_msg("the simulated host is lost");
}

static void start_host(void)
{
	int connection = -1;

	assert_int_equal(
		sim_launch(simhost_program(), "powernv9,pace=0", &connection, &stage.sim.pid), 0);
	assert_int_equal(sim_kernel_new(connection, &stage.sim.kernel), 0);
	assert_int_equal(sim_connection_new(stage.sim.kernel, &stage.sim.control), 0);
}

#define run_until(condition)                                                  \
	do {                                                                  \
		for (unsigned int runs_ = 0; !(condition); runs_++) {         \
			assert_true(runs_ < 100000);                          \
			assert_true(sd_event_run(stage.event, 20000000) > 0); \
		}                                                             \
	} while (0)

static void handle_answer(void *userdata, const struct worker_answer *answer)
{
	(void)userdata;
	stage.answers++;
	stage.error = answer->error;
	if (answer->fd_count == 1) {
		stage.device = dup(answer->fds[0]);
	}
}

/* Of a request that must work. */
static void expect(int r)
{
	unsigned int before = stage.answers;

	if (r == 0) {
		run_until(stage.answers > before);
		r = (int)stage.error.code;
	}
	if (r != 0) {
		fail_msg("%s", stage.error.text);
	}
}

static void attach(uint32_t group)
{
	static const struct space_attach_options plain;

	stage.pe = stage.manager->groups[group]->pe;
	assert_non_null(stage.pe);
	expect(space_attach_group(stage.space, stage.manager->groups[group], &plain, handle_answer,
				  NULL, &stage.error));
	run_until(pe_condition(stage.pe) == PE_NORMAL);
}

static int set_up(void **state)
{
	struct space_options options = {.name = "one", .owner = ":1.1", .uid = 1000};
	sigset_t signals;

	(void)state;
	stage = (struct stage){.device = -1};
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	start_host();
	assert_int_equal(program_find("../spaprd-worker", ENV_WORKER, stage.worker), 0);
	assert_true(sd_event_new(&stage.event) >= 0);
	assert_int_equal(manager_new(stage.event, stage.sim.kernel, true, stage.worker,
				     &stage.manager, &stage.error),
			 0);
	manager_observe(stage.manager, &deaf_observer, NULL);
	manager_observe_pes(stage.manager, &pe_observer, NULL);
	assert_int_equal(
		simulator_new(stage.event, stage.sim.kernel, handle_lost, NULL, &stage.simulator),
		0);
	expect(space_new(stage.manager, &options, handle_answer, NULL, &stage.space, &stage.error));
	return 0;
}

static int tear_down(void **state)
{
	int status = -1;

	(void)state;
	cleanup_fd(&stage.device);
	stage.manager = manager_free(stage.manager);
	stage.simulator = simulator_free(stage.simulator);
	stage.event = sd_event_unref(stage.event);
	cleanup_fd(&stage.sim.control);
	stage.sim.kernel = kernel_free(stage.sim.kernel);
	assert_int_equal(waitpid(stage.sim.pid, &status, 0), stage.sim.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 0;
}

static void open_device(const char *name)
{
	struct host_device *device = NULL;

	assert_int_equal(manager_find_device(stage.manager, name, &device, NULL), 0);
	expect(device_open(stage.manager, device, handle_answer, NULL, &stage.error));
	assert_true(stage.device >= 0);
	assert_true(device->open);
}

static void handle_reply(void *userdata, const struct sim_control_reply *reply)
{
	(void)userdata;
	stage.answers++;
	stage.error.code = reply->code;
}

static void freeze(uint32_t group, enum sim_freeze what)
{
	expect(simulator_freeze(stage.simulator, group, what, handle_reply, NULL, &stage.error));
}

static void handle_pe_answer(void *userdata, const struct pe_answer *answer)
{
	(void)userdata;
	stage.answers++;
	stage.answer = *answer;
}

static struct pe_answer operate(uint32_t operation)
{
	const struct worker_operate_pe request = {.operation = operation};
	unsigned int before = stage.answers;

	assert_int_equal(pe_operate(stage.pe, &request, handle_pe_answer, NULL, &stage.error), 0);
	run_until(stage.answers > before);
	return stage.answer;
}

static const struct record_event *last_event(void)
{
	const struct record_event *event = NULL;

	for (unsigned int i = 0; record_event(pe_record(stage.pe), i); i++) {
		event = record_event(pe_record(stage.pe), i);
	}
	return event;
}

static void check_recovery(enum sim_freeze what, enum pe_condition condition)
{
	unsigned int before = stage.done;

	freeze(E1000E_GROUP, what);
	run_until(stage.done > before);
	if (!stage.recovered) {
		fail_msg("%s", stage.why);
	}
	assert_int_equal(pe_condition(stage.pe), PE_NORMAL);
	assert_int_equal(last_event()->condition, condition);
	assert_int_equal(last_event()->outcome, RECORD_RECOVERED);
}

/* -- tests -- */

static void test_location(void **state)
{
	struct host_device *device = NULL;
	char location[TOPOLOGY_LOCATION_SIZE];

	(void)state;
	assert_int_equal(manager_find_device(stage.manager, E1000E, &device, NULL), 0);
	topology_read_location(stage.manager->topology, device->host, location);
	assert_string_equal(location, "pcie.1");
}

static void test_recoveries(void **state)
{
	const struct record_event *event;

	(void)state;
	attach(E1000E_GROUP);
	open_device(E1000E);
	check_recovery(SIM_FREEZE_BOTH, PE_STOPPED);
	event = last_event();
	assert_int_equal(event->register_count, 1);
	assert_string_equal(event->registers[0].device, E1000E);
	assert_int_equal(event->registers[0].config_size, WORKER_CONFIG_SIZE);
	assert_memory_equal(event->registers[0].config, "\x86\x80\xd3\x10", 4);
	assert_int_equal(event->registers[0].aer_size, WORKER_AER_SIZE);
	check_recovery(SIM_FREEZE_DMA, PE_STOPPED_DMA);
	check_recovery(SIM_FREEZE_IO, PE_STOPPED_IO);
	assert_int_equal(pe_freezes(stage.pe), 3);
}

/* A reset by hand, step by step. */
static void test_operations(void **state)
{
	(void)state;
	attach(E1000E_GROUP);
	open_device(E1000E);
	assert_int_equal(operate(WORKER_PE_RESET_HOT).error.code, ERROR_NONE);
	assert_int_equal(operate(WORKER_PE_DEACTIVATE).error.code, ERROR_NONE);
	assert_int_equal(stage.answer.condition, PE_NORMAL);
	assert_int_equal(operate(WORKER_PE_CONFIGURE).error.code, ERROR_NONE);
	assert_int_equal(stage.done, 0);
}

static void test_h43_permanent_failure(void **state)
{
	(void)state;
	attach(E1000E_GROUP);
	freeze(E1000E_GROUP, SIM_FREEZE_PERMANENT);
	run_until(stage.done == 1);
	assert_false(stage.recovered);
	assert_int_equal(pe_condition(stage.pe), PE_GONE);
	assert_int_equal(pe_phase(stage.pe), RECOVERY_FAILED);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_location),
		TEST(test_recoveries),
		TEST(test_operations),
		TEST(test_h43_permanent_failure),
	};

	return cmocka_run_group_tests_name("broker-pe-host", tests, NULL, NULL);
}
