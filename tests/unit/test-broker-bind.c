/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The broker's end of spaprd-bind: who may ask, and what becomes of helpers that fail or hang. */
#include <fcntl.h>
#include <inttypes.h>

#include "broker/bind.h"
#include "broker/delegation.h"
#include "broker/holders.h"
#include "broker/manager.h"
#include "broker/programs.h"
#include "sim_fixture.h"

#define GROUP_EDU_NUMBER 0U
#define GROUP_MIXED      3U
#define GROUP_UNBOUND    4U

#define UNBIND "attribute:bus/pci/drivers/e1000e/unbind"
#define PROBE  "attribute:bus/pci/drivers_probe"

struct stage {
	struct sim_fixture *sim;
	sd_event *event;
	struct manager *manager;
	char worker[PATH_MAX];
	char helper[PATH_MAX];
	/* what the last answer was */
	unsigned int answers;
	struct error error;
	bool has_answer;
	struct bind_answer answer;
};

static struct stage stage;

/* -- an observer that has nothing to do -- */

static void handle_space(void *userdata, struct space *space)
{
	(void)userdata;
	(void)space;
}

static void handle_space_removed(void *userdata, struct space *space, const char *why)
{
	(void)userdata;
	(void)space;
	(void)why;
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

static void handle_group(void *userdata, struct group *group)
{
	(void)userdata;
	(void)group;
}

static const struct manager_observer observer = {
	.space_added = handle_space,
	.space_removed = handle_space_removed,
	.space_changed = handle_space_changed,
	.container_added = handle_container,
	.container_changed = handle_container,
	.container_removed = handle_container,
	.group_changed = handle_group,
};

static int set_up(void **state)
{
	sigset_t signals;
	struct error error;

	stage = (struct stage){.event = NULL};
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)unsetenv(ENV_BIND);
	assert_int_equal(program_find("../spaprd-bind", ENV_BIND, stage.helper), 0);
	assert_int_equal(setenv(ENV_BIND, stage.helper, 1), 0);
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

static void handle_result(void *userdata, const struct error *error,
			  const struct bind_answer *answer)
{
	assert_ptr_equal(userdata, &stage);
	stage.answers++;
	stage.error = *error;
	stage.has_answer = answer != NULL;
	if (answer) {
		stage.answer = *answer;
	}
}

static struct group *group_of(uint32_t number)
{
	struct group *group = NULL;

	assert_int_equal(manager_find_group(stage.manager, number, &group, NULL), 0);
	return group;
}

static int begin(uint32_t number, enum bind_operation operation, const char *driver)
{
	const struct binding_order order = {.operation = operation, .driver = driver};

	stage.answers = 0;
	return binding_begin(stage.manager, group_of(number), &order, handle_result, &stage,
			     &stage.error);
}

static void run_loop(void)
{
	assert_true(sd_event_run(stage.event, 30000000) > 0);
}

static int finish(void)
{
	while (stage.answers == 0) {
		run_loop();
	}
	assert_int_equal(stage.answers, 1);
	return (int)stage.error.code;
}

static int ask(uint32_t number, enum bind_operation operation, const char *driver)
{
	int r = begin(number, operation, driver);

	return r ? r : finish();
}

static void run_until_idle(void)
{
	while (stage.manager->bindings) {
		run_loop();
	}
}

static void expect_words(const char *words)
{
	if (!strstr(stage.error.text, words)) {
		fail_msg("\"%s\" does not say \"%s\"", stage.error.text, words);
	}
}

static void expect_driver(const char *device, const char *driver)
{
	char text[TOPOLOGY_DRIVER_SIZE];

	topology_read_driver(stage.manager->topology,
			     topology_find_device(stage.manager->topology, device), text);
	assert_string_equal(text, driver);
}

#define SIBLING "0003:01:00.1"

/* -- tests -- */

static void test_bind_and_restore(void **state)
{
	(void)state;
	assert_int_equal(ask(GROUP_MIXED, BIND_BIND, ""), ERROR_NONE);
	assert_int_equal(stage.answer.result_count, 1);
	assert_string_equal(stage.answer.results[0].device, SIBLING);
	assert_string_equal(stage.answer.results[0].from, "e1000e");
	assert_string_equal(stage.answer.results[0].to, "vfio-pci");
	expect_driver(SIBLING, "vfio-pci");
	run_until_idle();
	assert_int_equal(ask(GROUP_MIXED, BIND_RESTORE, ""), ERROR_NONE);
	expect_driver(SIBLING, "e1000e");
	assert_int_equal(ask(GROUP_MIXED, BIND_RESTORE, ""), ERROR_NOT_FOUND);
	run_until_idle();
}

static void test_kernel_that_refuses(void **state)
{
	static const char *const operations[] = {UNBIND, PROBE};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		sim_fixture_fail_next(stage.sim, operations[i], 0, EIO);
		assert_int_equal(ask(GROUP_MIXED, BIND_BIND, ""), ERROR_KERNEL);
		expect_words("EIO");
		assert_null(strstr(stage.error.text, "could not be put back"));
		expect_driver(SIBLING, "e1000e");
		run_until_idle();
		assert_int_equal(ask(GROUP_MIXED, BIND_RESTORE, ""), ERROR_NOT_FOUND);
	}
}

/* The caller is told when it takes long; the helper goes on, and nobody disturbs it. */
static void test_kernel_that_does_not_answer(void **state)
{
	struct error error;

	(void)state;
	stage.manager->bind_timeout = 50;
	sim_fixture_delay(stage.sim, UNBIND, 1500);
	assert_int_equal(begin(GROUP_MIXED, BIND_BIND, ""), 0);
	assert_int_equal(binding_check(stage.manager, group_of(GROUP_MIXED), &error), ERROR_BUSY);
	assert_int_equal(binding_check(stage.manager, group_of(GROUP_UNBOUND), &error), 0);
	assert_int_equal(finish(), ERROR_BUSY);
	expect_words("can't be interrupted");
	assert_false(stage.has_answer);
	assert_int_equal(begin(GROUP_MIXED, BIND_RESTORE, ""), ERROR_BUSY);
	expect_words("are being bound");
	assert_int_equal(binding_check(stage.manager, group_of(GROUP_MIXED), &error), ERROR_BUSY);
	stage.answers = 0;
	run_until_idle();
	/* Nobody is called twice; and it has come to its end. */
	assert_int_equal(stage.answers, 0);
	expect_driver(SIBLING, "vfio-pci");
	stage.manager->bind_timeout = BINDING_TIMEOUT;
	assert_int_equal(ask(GROUP_MIXED, BIND_RESTORE, ""), ERROR_NONE);
	run_until_idle();
}

/* Who has closed the group and kept a device is not found by any list of open nodes: the kernel
 * waits for that one, and so the helper does. */
static void test_device_that_stays_open(void **state)
{
	struct kernel *kernel = stage.sim->kernel;
	int container;
	int group;
	int device;

	(void)state;
	assert_int_equal(ask(GROUP_UNBOUND, BIND_BIND, ""), ERROR_NONE);
	container = kernel_open_node(kernel, NODE_CONTAINER);
	group = kernel_open_node(kernel, "/dev/vfio/4");
	assert_int_equal(sim_join(kernel, group, container), 0);
	assert_int_equal(
		kernel_ioctl_value(kernel, container, VFIO_SET_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU), 0);
	device = kernel_ioctl(kernel, group, VFIO_GROUP_GET_DEVICE_FD, (void *)"0004:01:00.0");
	assert_true(device >= 0);
	(void)kernel_close(kernel, group);
	/* What a helper inherits in spite of all it lets go of: else it would wait for itself. */
	assert_int_equal(fcntl(device, F_SETFD, 0), 0);
	stage.manager->bind_timeout = 100;
	assert_int_equal(ask(GROUP_UNBOUND, BIND_RESTORE, ""), ERROR_BUSY);
	expect_words("has a device open");
	/* The link has gone, and that means nothing. */
	expect_driver("0004:01:00.0", "");
	assert_int_equal(kernel_open_node(kernel, "/dev/vfio/4"), -EBUSY);
	assert_non_null(stage.manager->bindings);
	(void)kernel_close(kernel, device);
	run_until_idle();
	assert_int_equal(kernel_open_node(kernel, "/dev/vfio/4"), -ENOENT);
	assert_int_equal(begin(GROUP_UNBOUND, BIND_RESTORE, ""), 0);
	assert_int_equal(finish(), ERROR_NOT_FOUND);
	(void)kernel_close(kernel, container);
	run_until_idle();
}

/* The manager ends while a helper is at work: nobody is called. */
static void test_manager_that_ends(void **state)
{
	(void)state;
	sim_fixture_delay(stage.sim, UNBIND, 100);
	assert_int_equal(begin(GROUP_MIXED, BIND_BIND, ""), 0);
	binding_forget_all(stage.manager);
	assert_null(stage.manager->bindings);
	assert_int_equal(stage.answers, 0);
}

static void test_helper_that_is_not_there(void **state)
{
	(void)state;
	assert_int_equal(setenv(ENV_BIND, "/nonexistent/spaprd-bind", 1), 0);
	assert_int_equal(begin(GROUP_MIXED, BIND_BIND, ""), ERROR_KERNEL);
	expect_words("spaprd-bind.socket");
	expect_words("ENOENT");
	assert_null(stage.manager->bindings);
}

static void test_helper_that_says_nothing(void **state)
{
	(void)state;
	assert_int_equal(setenv(ENV_BIND, "/bin/true", 1), 0);
	assert_int_equal(ask(GROUP_MIXED, BIND_BIND, ""), ERROR_KERNEL);
	expect_words("ended without an answer about group 3");
	run_until_idle();
}

static void test_policy(void **state)
{
	static const char text[] = "[access]\nbind-devices = class:01\nbind-drivers = nvme\n";
	struct policy *policy = NULL;

	(void)state;
	/* No policy: the defaults. */
	assert_int_equal(begin(GROUP_MIXED, BIND_BIND, "e1000e"), ERROR_ACCESS_DENIED);
	expect_words("bind-drivers = vfio-pci");
	assert_int_equal(policy_new(&policy), 0);
	assert_int_equal(policy_parse(policy, "x", text, strlen(text), NULL), 0);
	stage.manager->policies = policy;
	assert_int_equal(begin(GROUP_MIXED, BIND_BIND, "vfio-pci"), ERROR_ACCESS_DENIED);
	expect_words("bind-drivers = nvme");
	assert_int_equal(begin(GROUP_MIXED, BIND_BIND, ""), ERROR_ACCESS_DENIED);
	expect_words("0003:01:00.0 (8086:10d3) of group 3 may not be bound");
	assert_null(stage.manager->bindings);
}

static void ignore_answer(void *userdata, const struct worker_answer *answer)
{
	unsigned int *count = userdata;

	assert_int_equal(answer->error.code, ERROR_NONE);
	(*count)++;
}

static void test_group_of_an_address_space(void **state)
{
	struct space_options options = {.name = "bind", .owner = ":1.1", .uid = 1000};
	static const struct space_attach_options plain;
	static const char text[] = "[access]\ndelegate = yes\n";
	struct space *space = NULL;
	unsigned int count = 0;
	int fd = -1;

	(void)state;
	assert_int_equal(policy_new(&stage.manager->policies), 0);
	assert_int_equal(policy_parse(stage.manager->policies, "x", text, strlen(text), NULL), 0);
	assert_int_equal(
		space_new(stage.manager, &options, ignore_answer, &count, &space, &stage.error), 0);
	while (count < 1) {
		run_loop();
	}
	assert_int_equal(space_attach_group(space, group_of(GROUP_EDU_NUMBER), &plain,
					    ignore_answer, &count, &stage.error),
			 0);
	assert_int_equal(begin(GROUP_EDU_NUMBER, BIND_BIND, ""), ERROR_GROUP_BUSY);
	expect_words("detach it first");
	while (count < 2) {
		run_loop();
	}
	assert_int_equal(begin(GROUP_EDU_NUMBER, BIND_RESTORE, ""), ERROR_GROUP_BUSY);
	/* And the other way round: nobody attaches what is being bound. */
	sim_fixture_delay(stage.sim, UNBIND, 200);
	assert_int_equal(begin(GROUP_MIXED, BIND_BIND, ""), 0);
	assert_int_equal(space_attach_group(space, group_of(GROUP_MIXED), &plain, ignore_answer,
					    &count, &stage.error),
			 ERROR_BUSY);
	expect_words("are being bound");
	assert_int_equal(delegation_begin(stage.manager, group_of(GROUP_MIXED), ":1.1", 0, &fd,
					  &stage.error),
			 ERROR_BUSY);
	expect_words("are being bound");
	assert_int_equal(fd, -1);
	assert_int_equal(finish(), ERROR_NONE);
	run_until_idle();
	assert_int_equal(space_close(space, ignore_answer, &count, &stage.error), 0);
	while (count < 3) {
		run_loop();
	}
}

/* -- who has a node -- */

static void handle_explained(void *userdata, const struct worker_answer *answer)
{
	struct error *error = userdata;

	*error = answer->error;
}

static void test_holders(void **state)
{
	const struct error busy = {.code = ERROR_GROUP_BUSY, .text = "The group is in use: x"};
	struct error told = {.code = ERROR_NONE};
	int fd = kernel_open_node(stage.sim->kernel, GROUP_EDU);
	char words[64];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(holders_explain(stage.manager, group_of(GROUP_EDU_NUMBER), &busy,
					 handle_explained, &told),
			 0);
	while (told.code == ERROR_NONE) {
		run_loop();
	}
	assert_int_equal(told.code, ERROR_GROUP_BUSY);
	(void)snprintf(words, sizeof(words), "The group is in use: x; process %d (", (int)getpid());
	assert_int_equal(strncmp(told.text, words, strlen(words)), 0);
	assert_non_null(strstr(told.text, ") has /dev/vfio/0 open"));
	(void)kernel_close(stage.sim->kernel, fd);
	run_until_idle();
}

/* Who has looks taken, which anybody may that may attach, doesn't keep operators from binding. */
static void test_many_looks(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < BINDINGS_MAX / 2; i++) {
		assert_int_equal(begin(GROUP_EDU_NUMBER, BIND_HOLDERS, ""), 0);
	}
	assert_int_equal(begin(GROUP_EDU_NUMBER, BIND_HOLDERS, ""), ERROR_BUSY);
	assert_int_equal(begin(GROUP_MIXED, BIND_BIND, ""), 0);
	run_until_idle();
	expect_driver(SIBLING, "vfio-pci");
	assert_int_equal(ask(GROUP_MIXED, BIND_RESTORE, ""), ERROR_NONE);
	run_until_idle();
}

/* Without a helper the error is what it was. */
static void test_holders_without_a_helper(void **state)
{
	const struct error busy = {.code = ERROR_GROUP_BUSY, .text = "The group is in use: x"};

	(void)state;
	assert_int_equal(setenv(ENV_BIND, "/nonexistent/spaprd-bind", 1), 0);
	assert_int_equal(holders_explain(stage.manager, group_of(GROUP_EDU_NUMBER), &busy,
					 handle_explained, NULL),
			 ERROR_GROUP_BUSY);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_bind_and_restore),
		TEST(test_kernel_that_refuses),
		TEST(test_kernel_that_does_not_answer),
		TEST(test_device_that_stays_open),
		TEST(test_manager_that_ends),
		TEST(test_helper_that_is_not_there),
		TEST(test_helper_that_says_nothing),
		TEST(test_policy),
		TEST(test_group_of_an_address_space),
		TEST(test_holders),
		TEST(test_many_looks),
		TEST(test_holders_without_a_helper),
	};

	return cmocka_run_group_tests_name("broker-bind", tests, NULL, NULL);
}
