/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PE and who takes part in its recoveries: joining, voting, leaving; and what policy says. */
#include <string.h>

#include "pe_fixture.h"

static struct pe *attach_quiet(struct space *space, uint32_t group)
{
	struct recovery_policy policy = stage_quick_policy();
	struct pe *pe = stage_pe(group);

	policy.idle_poll = 3600000;
	policy.fast_poll = 10;
	policy.fast_poll_for = 0;
	stage_use(pe, &policy);
	(void)stage_attach(space, group);
	stage_run_until(pe_condition(pe) == PE_NORMAL);
	return pe;
}

static uint32_t join(struct pe *pe, const char *client)
{
	uint32_t cookie = 0;

	if (pe_join(pe, client, &cookie, &stage.error)) {
		fail_msg("%s", stage.error.text);
	}
	assert_int_not_equal(cookie, 0);
	return cookie;
}

/* Freeze it, and wait until the step asks for votes. */
static uint32_t freeze(struct pe *pe)
{
	unsigned int before = stage_count(RECOVERY_ACTION_ERROR_DETECTED);

	stage.played->pes[pe_group(pe)->host->id].number = 2;
	(void)stage_check(pe);
	stage_run_until(stage_count(RECOVERY_ACTION_ERROR_DETECTED) > before);
	return stage_last(RECOVERY_ACTION_ERROR_DETECTED)->action.event;
}

static int vote(struct pe *pe, const char *client, uint32_t cookie, uint32_t event,
		const char *verdict)
{
	return pe_vote(pe, client, cookie, event, verdict, &stage.error);
}

/* -- the object -- */

static void test_new_pe(void **state)
{
	const struct recovery_policy standard = RECOVERY_POLICY_DEFAULT;
	struct pe *pe = stage_pe(0);

	(void)state;
	assert_non_null(pe);
	assert_ptr_equal(pe_group(pe), stage.manager->groups[0]);
	assert_int_equal(pe_condition(pe), PE_UNKNOWN);
	assert_int_equal(pe_phase(pe), RECOVERY_IDLE);
	assert_int_equal(pe_freezes(pe), 0);
	assert_int_equal(pe_freezes_left(pe), standard.most_freezes);
	assert_int_equal(pe_participants(pe), 0);
	assert_string_equal(pe_policy(pe)->name, "default");
	assert_null(record_event(pe_record(pe), 0));
	assert_false(pe_has_client(pe, ":1.1"));
	assert_null(pe_free(NULL));
}

/* -- participants -- */

static void test_join_and_leave(void **state)
{
	struct space *space = stage_space();
	struct pe *pe = attach_quiet(space, 0);
	struct pe *other = attach_quiet(space, 1);
	uint32_t first = join(pe, ":1.1");
	uint32_t second = join(pe, ":1.1");
	uint32_t third = join(other, ":1.2");

	(void)state;
	assert_true(first != second && second != third && first != third);
	assert_int_equal(pe_participants(pe), 2);
	assert_true(stage.changed & PE_CHANGED_CLIENTS);
	assert_true(pe_has_client(pe, ":1.1"));
	assert_false(pe_has_client(pe, ":1.2"));
	assert_false(pe_has_client(pe, ":1.11"));
	assert_int_equal(pe_leave(pe, ":1.2", first, &stage.error), ERROR_ACCESS_DENIED);
	assert_int_equal(pe_leave(pe, ":1.2", third, &stage.error), ERROR_NOT_JOINED);
	assert_int_equal(pe_leave(pe, ":1.1", first, &stage.error), 0);
	assert_int_equal(pe_leave(pe, ":1.1", first, &stage.error), ERROR_NOT_JOINED);
	assert_int_equal(pe_participants(pe), 1);
	assert_true(pe_has_client(pe, ":1.1"));
	pe_forget_client(pe, ":1.1");
	assert_int_equal(pe_participants(pe), 0);
	assert_int_equal(pe_participants(other), 1);
	/* Nobody has it a second time. */
	assert_true(join(pe, ":1.1") > third);
}

static void test_too_many_participants(void **state)
{
	struct pe *pe = attach_quiet(stage_space(), 0);
	uint32_t cookie = 7;

	(void)state;
	for (unsigned int i = 0; i < RECOVERY_PARTICIPANTS_MAX; i++) {
		(void)join(pe, ":1.1");
	}
	assert_int_equal(pe_join(pe, ":1.2", &cookie, &stage.error), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(cookie, 7);
	assert_int_equal(pe_participants(pe), RECOVERY_PARTICIPANTS_MAX);
	assert_false(pe_has_client(pe, ":1.2"));
	/* When all cookies have been given away there is none, rather than one twice. */
	pe_forget_client(pe, ":1.1");
	stage.manager->next_cookie = UINT32_MAX;
	assert_int_equal(join(pe, ":1.2"), UINT32_MAX);
	assert_int_equal(pe_join(pe, ":1.2", &cookie, &stage.error), ERROR_QUOTA_EXCEEDED);
}

/* What a program has set up until it joins is kept for after a reset. */
static void test_join_saves_devices(void **state)
{
	struct pe *pe = attach_quiet(stage_space(), 0);

	(void)state;
	(void)join(pe, ":1.1");
	stage_run_until(stage_asked(0, WORKER_PE_SAVE) == 1 && !pe->save);
	/* Many at a time are one more. */
	stage.played->pes[0].operations[WORKER_PE_SAVE].held = true;
	for (unsigned int i = 0; i < 10; i++) {
		(void)join(pe, ":1.1");
	}
	stage.played->pes[0].operations[WORKER_PE_SAVE].held = false;
	assert_int_equal(stage_check(pe).error.code, ERROR_NONE);
	assert_in_range(stage_asked(0, WORKER_PE_SAVE), 2, 3);
}

/* A worker that saves what cannot be is not believed. */
static void check_save_lie(enum played_lie lie)
{
	struct pe *pe = attach_quiet(stage_space(), 0);

	stage.played->pes[0].lie = lie;
	(void)join(pe, ":1.1");
	stage_run_until(stage.manager->space_count == 0);
	assert_null(stage.manager->groups[0]->space);
	pe_forget_client(pe, ":1.1");
}

static void test_lies_about_registers(void **state)
{
	(void)state;
	check_save_lie(PLAYED_STRANGER);
	check_save_lie(PLAYED_ENDLESS);
	check_save_lie(PLAYED_CONFIG);
	check_save_lie(PLAYED_AER);
	check_save_lie(PLAYED_OFFSET);
}

/* -- votes -- */

static void test_bad_votes(void **state)
{
	struct pe *pe = attach_quiet(stage_space(), 0);
	uint32_t cookie = join(pe, ":1.1");
	uint32_t silent = join(pe, ":1.3");
	uint32_t late;
	uint32_t event;

	(void)state;
	assert_int_equal(vote(pe, ":1.1", cookie, 1, "can-recover"), ERROR_NOT_FOUND);
	event = freeze(pe);
	assert_int_equal(vote(pe, ":1.2", cookie + 99, event, "can-recover"), ERROR_NOT_JOINED);
	assert_int_equal(vote(pe, ":1.2", cookie, event, "can-recover"), ERROR_ACCESS_DENIED);
	assert_int_equal(vote(pe, ":1.1", cookie, event + 1, "can-recover"), ERROR_NOT_FOUND);
	assert_int_equal(vote(pe, ":1.1", cookie, event, "perhaps"), ERROR_INVALID_ARGUMENT);
	assert_non_null(strstr(stage.error.text, "perhaps"));
	assert_int_equal(vote(pe, ":1.1", cookie, event, ""), ERROR_INVALID_ARGUMENT);
	assert_int_equal(vote(pe, ":1.1", cookie, event, "none"), ERROR_INVALID_ARGUMENT);
	assert_int_equal(vote(pe, ":1.1", cookie, event, "recovered"), ERROR_INVALID_ARGUMENT);
	late = join(pe, ":1.2");
	assert_int_equal(vote(pe, ":1.2", late, event, "can-recover"), ERROR_VOTE_CLOSED);
	assert_int_equal(vote(pe, ":1.1", cookie, event, "can-recover"), 0);
	assert_int_equal(vote(pe, ":1.1", cookie, event, "can-recover"), ERROR_VOTE_CLOSED);
	assert_int_equal(pe_phase(pe), RECOVERY_ERROR_DETECTED);
	assert_int_equal(vote(pe, ":1.3", silent, event, "can-recover"), 0);
	stage_run_until(stage_count(RECOVERY_ACTION_MMIO_ENABLED) == 1);
	assert_int_equal(vote(pe, ":1.1", cookie, event, "recovered"), 0);
	assert_int_equal(vote(pe, ":1.3", silent, event, "recovered"), 0);
	assert_true(stage_run_until_done()->recovered);
	assert_int_equal(stage_asked(0, WORKER_PE_RESET_HOT), 0);
	assert_int_equal(vote(pe, ":1.1", cookie, event, "recovered"), ERROR_NOT_FOUND);
}

static void test_votes_are_recorded(void **state)
{
	struct pe *pe = attach_quiet(stage_space(), 0);
	uint32_t cookie = join(pe, ":1.77");
	uint32_t event = freeze(pe);
	const struct record_step *step;

	(void)state;
	assert_int_equal(vote(pe, ":1.77", cookie, event, "disconnect"), 0);
	assert_false(stage_run_until_done()->recovered);
	step = stage_step(pe, "vote");
	assert_non_null(step);
	assert_non_null(strstr(step->text, ":1.77"));
	assert_non_null(strstr(step->text, "disconnect"));
	assert_non_null(strstr(step->text, "error-detected"));
	assert_int_equal(stage_event(pe)->outcome, RECORD_FAILED);
	assert_int_equal(pe_phase(pe), RECOVERY_FAILED);
}

/* Who leaves the bus in the middle counts as unaware: a reset. */
static void test_client_that_vanishes(void **state)
{
	struct pe *pe = attach_quiet(stage_space(), 0);
	uint32_t stays = join(pe, ":1.1");
	uint32_t event;

	(void)state;
	(void)join(pe, ":1.2");
	(void)join(pe, ":1.2");
	event = freeze(pe);
	assert_int_equal(vote(pe, ":1.1", stays, event, "can-recover"), 0);
	pe_forget_client(pe, ":1.2");
	stage_run_until(stage_count(RECOVERY_ACTION_SLOT_RESET) == 1);
	assert_int_equal(stage_asked(0, WORKER_PE_RESET_HOT), 1);
	assert_int_equal(vote(pe, ":1.1", stays, event, "recovered"), 0);
	assert_true(stage_run_until_done()->recovered);
	assert_non_null(strstr(stage_step(pe, "leave")->text, "left the bus"));
}

/* -- policy -- */

static void test_policy_is_found(void **state)
{
	struct pe *pe = stage_pe(1);

	(void)state;
	stage_load_policy("[recovery pe 0001:01]\nidle-poll = 2s\ninjection = yes\n");
	assert_true(stage.changed & PE_CHANGED_POLICY);
	assert_string_equal(pe_policy(pe)->name, "pe 0001:01");
	assert_int_equal(pe_policy(pe)->idle_poll, 2000);
	assert_true(pe_policy(pe)->injection);
	assert_string_equal(pe_policy(stage_pe(0))->name, "default");
	stage_load_policy("[recovery 8086:10d3]\nmost-freezes = 2\n");
	assert_string_equal(pe_policy(pe)->name, "8086:10d3");
	assert_int_equal(pe_freezes_left(pe), 2);
	assert_int_equal(pe_policy(pe)->idle_poll, 1000);
}

/* A policy that can't be had changes nothing. */
static void test_bad_policy(void **state)
{
	(void)state;
	stage_load_policy("[recovery default]\nidle-poll = 2s\n");
	stage.changed = 0;
	stage.policy_paths[0] = "/nonexistent";
	stage.folders.must_exist = true;
	assert_int_equal(manager_reload(stage.manager, &stage.error), ERROR_INVALID_ARGUMENT);
	assert_int_equal(pe_policy(stage_pe(0))->idle_poll, 2000);
	assert_int_equal(stage.changed, 0);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, pe_fixture_set_up, pe_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_new_pe),
		TEST(test_join_and_leave),
		TEST(test_too_many_participants),
		TEST(test_join_saves_devices),
		TEST(test_lies_about_registers),
		TEST(test_bad_votes),
		TEST(test_votes_are_recorded),
		TEST(test_client_that_vanishes),
		TEST(test_policy_is_found),
		TEST(test_bad_policy),
	};

	return pe_fixture_main("broker-pe", tests);
}
