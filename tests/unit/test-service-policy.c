/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups on the bus, as their callers and policy want them; and policies on their way to workers.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "service_fixture.h"

/* -- the options of AttachGroup -- */

static void test_refused_options(void **state)
{
	static const char *const one[] = {DEVICE, NULL};
	static const char *const foreign[] = {DEVICE, OTHER_DEVICE, "0009:01:00.0", NULL};
	static const struct {
		struct option option;
		const char *words;
	} cases[] = {
		{{"page-size", "s", {.str = (char *)"4K"}, NULL},
		 "option \"page-size\" is not known; there are iommu-type (s), own-container (b) "
		 "and "
		 "balloon-allowed (as)"},
		{{"iommu-type", "u", {.u32 = 7}, NULL},
		 "option \"iommu-type\" has the type \"s\", not \"u\""},
		{{"own-container", "s", {.str = (char *)"yes"}, NULL},
		 "option \"own-container\" has the type \"b\", not \"s\""},
		{{"balloon-allowed", "b", {.bool_val = TRUE}, NULL},
		 "option \"balloon-allowed\" has the type \"as\", not \"b\""},
		{{"iommu-type", "s", {.str = (char *)"spapr-tce-v3"}, NULL},
		 "there is no \"spapr-tce-v3\"; there are spapr-tce-v2, spapr-tce, type1v2 and "
		 "type1"},
		{{"iommu-type", "s", {.str = (char *)""}, NULL}, "there is no \"\""},
		{{"balloon-allowed", "as", {.u64 = 0}, one}, "missing: " OTHER_DEVICE},
		{{"balloon-allowed", "as", {.u64 = 0}, foreign},
		 "device \"0009:01:00.0\" is not in group 1"},
	};
	struct space *space = create("honest");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *text = bus_fixture_call_fails(
			stage.bus, attach_message_with(space, GROUP, &cases[i].option),
			BUS_ERROR_PREFIX "InvalidArgument");

		if (!strstr(text, cases[i].words)) {
			fail_msg("\"%s\" is not in \"%s\"", cases[i].words, text);
		}
		assert_int_equal(space->container_count, 0);
		assert_null(stage.manager->groups[0]->space);
	}
}

/* Sharing by policy, and the container's life with its groups. */
static void test_shared_container(void **state)
{
	struct space *space = create("honest");

	(void)state;
	use_policy("[window]\ncontainer-sharing = yes\niommu-type = spapr-tce\n");
	succeed(attach_message(space, GROUP));
	bus_fixture_forget_signals(stage.bus);
	succeed(attach_message(space, OTHER_GROUP));
	assert_int_equal(space->container_count, 1);
	assert_int_equal(space->containers[0].group_count, 2);
	assert_string_equal(space->containers[0].iommu_type, "spapr-tce");
	assert_int_equal(stage.manager->groups[0]->container_id,
			 stage.manager->groups[1]->container_id);
	assert_true(signals_of_have(space, "/group/2"));
	bus_fixture_forget_signals(stage.bus);
	detach_group(space, GROUP);
	assert_int_equal(space->container_count, 1);
	assert_null(stage.manager->groups[0]->space);
	assert_ptr_equal(stage.manager->groups[1]->space, space);
	assert_int_equal(bus_fixture_count_signals(stage.bus, "InterfacesRemoved"), 0);
	detach_group(space, OTHER_GROUP);
	bus_fixture_settle(stage.bus);
	assert_int_equal(bus_fixture_count_signals(stage.bus, "InterfacesRemoved"), 1);
	assert_int_equal(space->container_count, 0);
}

/* The caller's word goes before the policy's. */
static void test_options_before_policy(void **state)
{
	const struct option own = {"own-container", "b", {.bool_val = TRUE}, NULL};
	const struct option shared = {"own-container", "b", {.bool_val = FALSE}, NULL};
	const struct option type = {"iommu-type", "s", {.str = (char *)"type1"}, NULL};
	struct space *space = create("honest");

	(void)state;
	use_policy("[window]\ncontainer-sharing = yes\niommu-type = spapr-tce\n");
	succeed(attach_message_with(space, GROUP, &type));
	assert_string_equal(space->containers[0].iommu_type, "type1");
	succeed(attach_message_with(space, OTHER_GROUP, &own));
	assert_int_equal(space->container_count, 2);
	assert_string_equal(space->containers[1].iommu_type, "spapr-tce");
	detach_group(space, GROUP);
	detach_group(space, OTHER_GROUP);
	/* It can keep a group alone, and not have containers shared that policy keeps apart. */
	use_policy("[window]\ncontainer-sharing = no\n");
	succeed(attach_message(space, GROUP));
	succeed(attach_message_with(space, OTHER_GROUP, &shared));
	assert_int_equal(space->container_count, 2);
}

/* -- policies -- */

static struct worker_translation translation; /* the last one */

static void handle_translation(void *userdata, const struct worker_answer *answer)
{
	handle_answer(userdata, answer);
	if (answer->size == sizeof(translation)) {
		memcpy(&translation, answer->body, sizeof(translation));
	}
}

static int ask(struct space *space)
{
	const struct worker_translate body = {.iova = 0};

	return space_request(space, WORKER_TRANSLATE, &body, sizeof(body), NULL, 0,
			     handle_translation, NULL, NULL);
}

/* What the worker was told last, and how often it was told something. */
static void expect_told(struct space *space, uint64_t page_sizes, uint64_t times)
{
	stage.answers = 0;
	assert_int_equal(ask(space), 0);
	run_until_answers(1);
	assert_int_equal(translation.gpa, page_sizes);
	assert_int_equal(translation.left, times);
}

static DBusMessage *reload_message(void)
{
	return bus_fixture_message(BUS_PATH_MANAGER, BUS_INTERFACE_MANAGER, "Reload");
}

/* A worker is told before it does anything, and of each change; a bad file changes nothing. */
static void test_reload(void **state)
{
	struct space *space = create("honest");
	struct space *later;
	const char *text;

	(void)state;
	expect_told(space, 0, 1);
	succeed(reload_message()); /* from nowhere: nothing happens */
	expect_told(space, 0, 1);
	use_policy("[window]\npage-sizes = 4K\n");
	expect_told(space, 0x1000, 2);
	later = create("honest");
	expect_told(later, 0x1000, 1);
	write_file(stage.policies, "test.conf", "[window]\npage-sizes = 64K\n");
	expect_told(space, 0x1000, 2);
	succeed(reload_message());
	expect_told(space, 0x10000, 3);
	expect_told(later, 0x10000, 2);
	write_file(stage.policies, "test.conf",
		   "[window]\npage-sizes = 2M\ncontainer-sharing = no\nfaults = none\n");
	text = bus_fixture_call_fails(stage.bus, reload_message(),
				      BUS_ERROR_PREFIX "InvalidArgument");
	assert_non_null(strstr(text, "/policies/test.conf:4: \"faults\" is no key"));
	expect_told(space, 0x10000, 3);
	assert_int_equal(stage.manager->policy.sharing, POLICY_SHARING_AUTO);
	/* Nor does a good section apply beside a bad one. */
	write_file(stage.policies, "test.conf",
		   "[window]\npage-sizes = 2M\n[recovery]\nuse = missing\n");
	text = bus_fixture_call_fails(stage.bus, reload_message(),
				      BUS_ERROR_PREFIX "InvalidArgument");
	assert_non_null(strstr(text, "/policies/test.conf:4: use = missing: there is no"));
	expect_told(space, 0x10000, 3);
	/* With an empty file there are the defaults again. */
	write_file(stage.policies, "test.conf", "");
	succeed(reload_message());
	expect_told(space, 0, 4);
}

/* A worker with no room for one more request has the policy before the next one is sent. */
static void test_reload_while_calls_wait(void **state)
{
	struct space *space = create("honest");
	unsigned int sent = 0;
	bool due;
	int refused;

	(void)state;
	worker_process_kill(space->worker, SIGSTOP);
	while (ask(space) == 0) {
		sent++;
	}
	use_policy("[window]\npage-sizes = 16M\n");
	due = space->policy_due;
	refused = ask(space);
	worker_process_kill(space->worker, SIGCONT);
	assert_true(due);
	assert_int_equal(refused, ERROR_QUOTA_EXCEEDED);
	run_until_answers(sent);
	assert_int_equal(translation.left, 1);
	expect_told(space, 0x1000000, 2);
	assert_false(space->policy_due);
}

/* A worker that won't have the policy: none at the start, and later one that stays as it was. */
static void test_defiant_workers(void **state)
{
	struct space *stubborn = create("stubborn");

	(void)state;
	use_policy("[window]\npage-sizes = 4K\n");
	expect_told(stubborn, 0, 2);
	assert_int_equal(setenv(ENV_ROLE, "defiant", 1), 0);
	(void)bus_fixture_call_fails(stage.bus, create_message(false),
				     BUS_ERROR_PREFIX "WorkerLost");
	(void)unsetenv(ENV_ROLE);
	run_until_gone(stage.manager->spaces == stubborn ? NULL : stage.manager->spaces);
	assert_ptr_equal(stage.manager->spaces, stubborn);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, service_fixture_set_up, service_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_refused_options),         TEST(test_shared_container),
		TEST(test_options_before_policy),   TEST(test_reload),
		TEST(test_reload_while_calls_wait), TEST(test_defiant_workers),
	};

	return service_fixture_main("service policy", tests);
}
