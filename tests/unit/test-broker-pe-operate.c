/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations that clients ask for: what comes of them, and when they are refused. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "pe_fixture.h"

/* A PE that isn't polled, in an address space of its own. */
static struct pe *attach_quiet(struct space *space, uint32_t group)
{
	struct recovery_policy policy = stage_quick_policy();
	struct pe *pe = stage_pe(group);

	policy.idle_poll = 3600000;
	policy.fast_poll = 3600000;
	policy.manual = true;
	stage_use(pe, &policy);
	(void)stage_attach(space, group);
	stage_run_until(pe_condition(pe) == PE_NORMAL);
	return pe;
}

static void expect(struct pe_answer answer, enum error_code code, const char *text)
{
	if (answer.error.code != code || (text && !strstr(answer.error.text, text))) {
		fail_msg("code %d, not %d: %s", (int)answer.error.code, (int)code,
			 answer.error.text);
	}
}

/* -- results -- */

static void test_each_operation(void **state)
{
	static const struct {
		uint32_t operation;
		uint32_t number;
		enum pe_condition after;
	} cases[] = {
		{WORKER_PE_DISABLE, 0, PE_NORMAL},
		{WORKER_PE_CONFIGURE, 0, PE_NORMAL},
		{WORKER_PE_ENABLE, 2, PE_NORMAL},
		{WORKER_PE_UNFREEZE_IO, 2, PE_STOPPED_DMA},
		{WORKER_PE_UNFREEZE_DMA, 4, PE_NORMAL},
		{WORKER_PE_RESET_HOT, 0, PE_STOPPED},
		{WORKER_PE_DEACTIVATE, 2, PE_NORMAL},
		{WORKER_PE_RESET_FUNDAMENTAL, 0, PE_STOPPED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct space *space = stage_space();
		struct pe *pe = attach_quiet(space, 0);
		struct pe_answer answer;

		stage.played->pes[0].number = cases[i].number;
		answer = stage_operate(pe, cases[i].operation);
		expect(answer, ERROR_NONE, NULL);
		assert_int_equal(answer.condition, cases[i].after);
		assert_int_equal(pe_condition(pe), cases[i].after);
		assert_int_equal(answer.milliseconds, 7);
		assert_int_equal(stage_asked(0, cases[i].operation), 1);
		stage.played->pes[0].number = 0;
		space_end(space);
		stage_run_until(stage.manager->space_count == 0);
	}
}

static void handle_told_answer(void *userdata, const struct pe_answer *answer)
{
	unsigned int *ret_changed = userdata;

	assert_int_equal(answer->error.code, ERROR_NONE);
	*ret_changed = stage.changed | PE_CHANGED_LOG;
}

/* Who is answered has been told what it has come to. */
static void test_state_is_told_before_the_answer(void **state)
{
	const struct worker_operate_pe reset = {.operation = WORKER_PE_RESET_HOT};
	struct pe *pe = attach_quiet(stage_space(), 0);
	unsigned int changed = 0;

	(void)state;
	stage.changed = 0;
	assert_int_equal(pe_operate(pe, &reset, handle_told_answer, &changed, &stage.error), 0);
	stage_run_until(changed != 0);
	assert_true(changed & PE_CHANGED_STATE);
	changed = 0;
	stage.changed = 0;
	stage.played->pes[0].number = 0;
	assert_int_equal(pe_check(pe, handle_told_answer, &changed, &stage.error), 0);
	stage_run_until(changed != 0);
	assert_true(changed & PE_CHANGED_STATE);
}

static void test_refusal_of_the_kernel(void **state)
{
	struct pe *pe = attach_quiet(stage_space(), 0);
	uint32_t looks = stage_asked(0, WORKER_PE_LOOK);

	(void)state;
	stage.played->pes[0].operations[WORKER_PE_RESET_FUNDAMENTAL] =
		(struct played_operation){.failures = 1, .code = ERROR_KERNEL, .errnum = EIO};
	expect(stage_operate(pe, WORKER_PE_RESET_FUNDAMENTAL), ERROR_KERNEL, "played worker");
	assert_int_equal(stage.answers[0].error.errnum, EIO);
	/* The kernel has frozen the PE before it asked the firmware. */
	assert_true(pe->asserted);
	/* What it has come to is looked at. */
	stage_run_until(stage_asked(0, WORKER_PE_LOOK) > looks);
	expect(stage_operate(pe, WORKER_PE_RESET_FUNDAMENTAL), ERROR_NONE, NULL);
}

/* What never reached the kernel has asserted nothing. */
static void test_refusal_of_the_worker(void **state)
{
	struct pe *pe = attach_quiet(stage_space(), 0);

	(void)state;
	stage.played->pes[0].operations[WORKER_PE_RESET_HOT] =
		(struct played_operation){.failures = 1, .code = ERROR_BUSY};
	expect(stage_operate(pe, WORKER_PE_RESET_HOT), ERROR_BUSY, NULL);
	assert_false(pe->asserted);
}

static void check_false_success(uint32_t operation, uint32_t number, const char *flags,
				const char *text)
{
	struct space *space = stage_space();
	struct pe *pe = attach_quiet(space, 0);

	stage_write_state(0, flags);
	stage.played->pes[0].number = number;
	stage.played->pes[0].operations[operation].idle = true;
	expect(stage_operate(pe, operation), ERROR_RECOVERY_FAILED, text);
	stage.played->pes[0].operations[operation].idle = false;
	stage.played->pes[0].number = 0;
	space_end(space);
	stage_run_until(stage.manager->space_count == 0);
}

#define GONE_FLAGS    "0x00000002 0x00000801\n"
#define STOPPED_FLAGS "0x00000000 0x00000801\n"

/* The kernel says that it worked. */
static void test_h44_unfreeze_of_what_is_gone(void **state)
{
	(void)state;
	check_false_success(WORKER_PE_UNFREEZE_IO, 2, GONE_FLAGS, "gone for good");
	check_false_success(WORKER_PE_UNFREEZE_DMA, 2, GONE_FLAGS, "gone for good");
	check_false_success(WORKER_PE_ENABLE, 2, GONE_FLAGS, "gone for good");
	check_false_success(WORKER_PE_UNFREEZE_IO, 2, STOPPED_FLAGS, "MMIO and DMA stopped");
	check_false_success(WORKER_PE_UNFREEZE_DMA, 4, STOPPED_FLAGS, "DMA stopped");
	check_false_success(WORKER_PE_ENABLE, 4, STOPPED_FLAGS, "stopped-dma");
	check_false_success(WORKER_PE_DEACTIVATE, 2, STOPPED_FLAGS, "deactivate");
	check_false_success(WORKER_PE_RESET_HOT, 2, GONE_FLAGS, "reset-hot");
}

/* -- an asserted reset -- */

static void test_asserted_reset_is_no_freeze(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	struct pe *pe = attach_quiet(stage_space(), 0);

	(void)state;
	stage_use(pe, &policy); /* that would recover */
	expect(stage_operate(pe, WORKER_PE_RESET_HOT), ERROR_NONE, NULL);
	assert_int_equal(stage_check(pe).condition, PE_STOPPED);
	stage_run(100);
	assert_int_equal(stage_check(pe).condition, PE_STOPPED);
	assert_int_equal(stage.signal_count, 0);
	assert_int_equal(pe_freezes(pe), 0);
	expect(stage_operate(pe, WORKER_PE_DEACTIVATE), ERROR_NONE, NULL);
	/* From here on it is one. */
	stage.played->pes[0].number = 2;
	assert_true(stage_run_until_done()->recovered);
}

/* Enable doesn't end it; deactivate does, and Recover, which has it reset once more. */
static void test_ends_of_an_asserted_reset(void **state)
{
	struct pe *pe = attach_quiet(stage_space(), 0);
	uint32_t event = 0;

	(void)state;
	expect(stage_operate(pe, WORKER_PE_RESET_HOT), ERROR_NONE, NULL);
	expect(stage_operate(pe, WORKER_PE_ENABLE), ERROR_NONE, NULL);
	assert_true(pe->asserted);
	expect(stage_operate(pe, WORKER_PE_DEACTIVATE), ERROR_NONE, NULL);
	assert_false(pe->asserted);
	expect(stage_operate(pe, WORKER_PE_RESET_HOT), ERROR_NONE, NULL);
	assert_true(pe->asserted);
	assert_int_equal(pe_recover(pe, false, &event, &stage.error), 0);
	assert_false(pe->asserted);
	assert_true(stage_run_until_done()->recovered);
	assert_int_equal(pe_condition(pe), PE_NORMAL);
}

/* -- refused -- */

static void test_one_operation_at_a_time(void **state)
{
	const struct worker_operate_pe request = {.operation = WORKER_PE_CONFIGURE};
	struct pe *pe = attach_quiet(stage_space(), 0);
	uint32_t event = 0;

	(void)state;
	stage.played->pes[0].operations[WORKER_PE_CONFIGURE].held = true;
	assert_int_equal(pe_operate(pe, &request, stage_handle_answer, NULL, &stage.error), 0);
	stage_run_until(stage_asked(0, WORKER_PE_CONFIGURE) == 1);
	expect(stage_operate(pe, WORKER_PE_ENABLE), ERROR_BUSY, "configure");
	assert_int_equal(pe_recover(pe, true, &event, &stage.error), ERROR_BUSY);
	assert_int_equal(pe_check_detach(pe, true, &stage.error), ERROR_BUSY);
	/* A Check has what is known, at once. */
	assert_int_equal(pe_check(pe, stage_handle_answer, NULL, &stage.error), 0);
	assert_int_equal(stage.answer_count, 1);
	assert_int_equal(stage.answers[0].condition, PE_NORMAL);
	stage.played->pes[0].operations[WORKER_PE_CONFIGURE].held = false;
	stage_run_until(stage.answer_count == 2);
	assert_int_equal(stage_asked(0, WORKER_PE_ENABLE), 0);
	expect(stage_operate(pe, WORKER_PE_ENABLE), ERROR_NONE, NULL);
}

static void test_injection(void **state)
{
	struct recovery_policy policy;
	struct pe *pe = attach_quiet(stage_space(), 0);

	(void)state;
	expect(stage_operate(pe, WORKER_PE_INJECT), ERROR_ACCESS_DENIED, "injection = yes");
	assert_int_equal(stage_asked(0, WORKER_PE_INJECT), 0);
	policy = *pe_policy(pe);
	policy.injection = true;
	policy.manual = false;
	stage_use(pe, &policy);
	expect(stage_operate(pe, WORKER_PE_INJECT), ERROR_NONE, NULL);
	assert_true(stage_run_until_done()->recovered);
	assert_int_equal(stage_event(pe)->source, RECORD_BY_OPERATION);
}

static void test_group_that_is_nowhere(void **state)
{
	uint32_t number = 0;

	(void)state;
	expect(stage_operate(stage_pe(1), WORKER_PE_ENABLE), ERROR_NOT_FOUND, "attach it first");
	assert_int_equal(pe_recover(stage_pe(1), true, &number, &stage.error), ERROR_NOT_FOUND);
	assert_int_equal(pe_join(stage_pe(1), ":1.1", &number, &stage.error), ERROR_NOT_FOUND);
	assert_int_equal(pe_check_detach(stage_pe(1), false, &stage.error), 0);
}

static void test_closing_space(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach_quiet(space, 0);

	(void)state;
	assert_int_equal(space_close(space, NULL, NULL, &stage.error), 0);
	assert_int_not_equal(stage_operate(pe, WORKER_PE_ENABLE).error.code, ERROR_NONE);
	assert_int_equal(pe_condition(pe), PE_UNKNOWN);
	stage_run_until(stage.manager->space_count == 0);
	expect(stage_operate(pe, WORKER_PE_ENABLE), ERROR_NOT_FOUND, NULL);
}

/* -- the middle of it -- */

static void begin_held(struct pe *pe, uint32_t operation)
{
	const struct worker_operate_pe request = {.operation = operation};

	stage.played->pes[0].operations[operation].held = true;
	assert_int_equal(pe_operate(pe, &request, stage_handle_answer, NULL, &stage.error), 0);
	stage_run_until(stage_asked(0, operation) == 1);
}

/* When the worker of a closing address space is killed, in seconds from now. */
static uint64_t seconds_to_live(const struct space *space)
{
	uint64_t when = 0;

	assert_true(sd_event_source_get_time(space->close_deadline, &when) >= 0);
	return (when - pe_now()) / 1000000;
}

/* A reset may take the kernel minutes, and a worker that is killed in it leaves the PE blocked. */
static void test_h49_close_waits_for_a_reset(void **state)
{
	struct space *quick = stage_space();
	struct space *space = stage_space();
	struct pe *pe = attach_quiet(space, 0);

	(void)state;
	assert_int_equal(space_close(quick, NULL, NULL, &stage.error), 0);
	assert_in_range(seconds_to_live(quick), 30, 60);
	begin_held(pe, WORKER_PE_RESET_HOT);
	assert_int_equal(space_close(space, NULL, NULL, &stage.error), 0);
	assert_in_range(seconds_to_live(space), 330, 360);
	stage.played->pes[0].operations[WORKER_PE_RESET_HOT].held = false;
	stage_run_until(stage.manager->space_count == 0);
}

static void test_worker_that_dies(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach_quiet(space, 0);

	(void)state;
	begin_held(pe, WORKER_PE_CONFIGURE);
	worker_process_kill(space->worker, SIGKILL);
	stage_run_until(stage.answer_count == 1);
	expect(stage.answers[0], ERROR_WORKER_LOST, NULL);
	stage_run_until(stage.manager->space_count == 0);
	assert_int_equal(pe_condition(pe), PE_UNKNOWN);
	assert_int_equal(stage.answer_count, 1);
}

static void test_space_closed_in_the_middle(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach_quiet(space, 0);

	(void)state;
	begin_held(pe, WORKER_PE_CONFIGURE);
	assert_int_equal(space_close(space, NULL, NULL, &stage.error), 0);
	assert_int_equal(stage.answer_count, 1);
	expect(stage.answers[0], ERROR_WORKER_LOST, "being closed");
	stage.played->pes[0].operations[WORKER_PE_CONFIGURE].held = false;
	stage_run_until(stage.manager->space_count == 0);
	assert_int_equal(stage.answer_count, 1);
	/* The group is as new. */
	(void)attach_quiet(stage_space(), 0);
	expect(stage_operate(pe, WORKER_PE_CONFIGURE), ERROR_NONE, NULL);
}

/* spaprd ends while a client waits. */
static void test_end_in_the_middle(void **state)
{
	struct pe *pe = attach_quiet(stage_space(), 0);

	(void)state;
	begin_held(pe, WORKER_PE_CONFIGURE);
	assert_int_equal(stage.answer_count, 0);
	worker_process_kill(stage.manager->spaces->worker, SIGKILL);
	stage.manager = manager_free(stage.manager);
	assert_int_equal(stage.answer_count, 1);
	expect(stage.answers[0], ERROR_WORKER_LOST, NULL);
}

/* A look holds the group in the worker: detaching it waits for that. */
static void test_detach_waits_for_a_look(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach_quiet(space, 0);
	unsigned int before = stage.other_answers;

	(void)state;
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = true;
	assert_int_equal(pe_check(pe, stage_handle_answer, NULL, &stage.error), 0);
	stage_run_until(stage_asked(0, WORKER_PE_LOOK) == 2);
	assert_int_equal(space_detach_group(space, stage.manager->groups[0], false,
					    stage_handle_other_answer, NULL, &stage.error),
			 0);
	stage_run(50);
	assert_int_equal(stage.answer_count, 0);
	/* The worker isn't asked before: it would refuse. */
	assert_non_null(pe->first_turn);
	assert_ptr_equal(pe->current, &pe->look->turn);
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = false;
	stage_run_until(stage.other_answers > before);
	assert_int_equal(stage.other_error.code, ERROR_NONE);
	assert_int_equal(stage.answer_count, 1);
	assert_int_equal(stage.answers[0].error.code, ERROR_NONE);
	assert_null(stage.manager->groups[0]->space);
	assert_int_equal(pe_condition(pe), PE_UNKNOWN);
}

/* It is watched on. */
static void test_detach_that_fails(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach_quiet(space, 0);
	unsigned int before = stage.other_answers;

	(void)state;
	stage.played->pes[0].detach_code = ERROR_MEMORY_IN_USE;
	assert_int_equal(space_detach_group(space, stage.manager->groups[0], false,
					    stage_handle_other_answer, NULL, &stage.error),
			 0);
	stage_run_until(stage.other_answers > before);
	assert_int_equal(stage.other_error.code, ERROR_MEMORY_IN_USE);
	assert_int_equal(stage_check(pe).condition, PE_NORMAL);
}

/* The group leaves, and who waits for a look behind that is told. */
static void test_check_behind_a_detach(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach_quiet(space, 0);

	(void)state;
	assert_int_equal(space_detach_group(space, stage.manager->groups[0], false,
					    stage_handle_other_answer, NULL, &stage.error),
			 0);
	assert_int_equal(pe_check(pe, stage_handle_answer, NULL, &stage.error), 0);
	stage_run_until(stage.answer_count == 1);
	expect(stage.answers[0], ERROR_NOT_FOUND, "left the address space");
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, pe_fixture_set_up, pe_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_each_operation),
		TEST(test_state_is_told_before_the_answer),
		TEST(test_refusal_of_the_kernel),
		TEST(test_refusal_of_the_worker),
		TEST(test_h44_unfreeze_of_what_is_gone),
		TEST(test_asserted_reset_is_no_freeze),
		TEST(test_ends_of_an_asserted_reset),
		TEST(test_one_operation_at_a_time),
		TEST(test_injection),
		TEST(test_group_that_is_nowhere),
		TEST(test_closing_space),
		TEST(test_h49_close_waits_for_a_reset),
		TEST(test_worker_that_dies),
		TEST(test_space_closed_in_the_middle),
		TEST(test_end_in_the_middle),
		TEST(test_detach_waits_for_a_look),
		TEST(test_detach_that_fails),
		TEST(test_check_behind_a_detach),
	};

	return pe_fixture_main("broker-pe-operate", tests);
}
