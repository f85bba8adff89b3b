/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PEs of the broker over workers that play them (played_pe.h). A worker here is the test's own
 * program, started anew. The host is a tree of folders: group N has the device "0001:NN:00.0" (in
 * hexadecimal) in PE N of PHB 1, and its file eeh_pe_state says nothing until a test writes it.
 */
#pragma once

#include <stdlib.h>

#include "broker/device.h"
#include "broker/manager.h"
#include "broker/pe_private.h"
#include "lying_worker.h"
#include "played_pe.h"
#include "unit.h"

#define ENV_ROLE "SPAPRD_TEST_ROLE"

#define STAGE_SIGNALS_MAX 1024U
#define STAGE_ANSWERS_MAX 256U

struct stage_signal {
	uint32_t group;
	struct recovery_action action;
	enum pe_condition condition; /* of the PE when it came */
};

struct stage {
	sd_event *event;
	char root[32];
	char policies[48]; /* a folder below it */
	const char *policy_paths[1];
	struct policy_folders folders;
	struct kernel kernel;
	struct manager *manager;
	volatile struct played_pes *played;
	/* what the observers saw */
	struct stage_signal signals[STAGE_SIGNALS_MAX];
	unsigned int signal_count;
	unsigned int changed; /* PE_CHANGED_* */
	unsigned int device_changes;
	/* answers */
	struct pe_answer answers[STAGE_ANSWERS_MAX];
	unsigned int answer_count;
	unsigned int other_answers; /* of workers */
	struct error other_error;
	struct error error;
};

extern struct stage stage;

/* cmocka set-up: two groups, or as many as there are played ones. */
int pe_fixture_set_up(void **state);
int pe_fixture_set_up_many(void **state);
int pe_fixture_tear_down(void **state);

#define pe_fixture_main(name, tests)                            \
	(getenv(ENV_ROLE) ? lying_worker_play(getenv(ENV_ROLE)) \
			  : cmocka_run_group_tests_name(name, tests, NULL, NULL))

/* An address space with a worker that plays. */
struct space *stage_space(void);

/* Have the group attached, alone or shared, and its PE. */
struct pe *stage_attach(struct space *space, uint32_t group);
void stage_share(struct space *space, uint32_t group);

struct pe *stage_pe(uint32_t group);

/* Times that tests can wait for; everything else as built in. */
struct recovery_policy stage_quick_policy(void);
void stage_use(struct pe *pe, const struct recovery_policy *policy);

/* The text as the only policy file, which applies then. */
void stage_load_policy(const char *text);

/* What sysfs tells of a group's PE; NULL: the file is gone. */
void stage_write_state(uint32_t group, const char *text);

/* Run the loop: for a time, or until something is so (30 s at most). */
void stage_run(unsigned int milliseconds);

#define stage_run_until(condition)                                                            \
	do {                                                                                  \
		uint64_t limit_ = pe_now() + 30000000;                                        \
		while (!(condition)) {                                                        \
			if (pe_now() > limit_) {                                              \
				fail_msg("%s:%d: never: %s", __FILE__, __LINE__, #condition); \
			}                                                                     \
			assert_true(sd_event_run(stage.event, 50000) >= 0);                   \
		}                                                                             \
	} while (0)

/* Counts and keeps the answer. */
void stage_handle_answer(void *userdata, const struct pe_answer *answer);
void stage_handle_other_answer(void *userdata, const struct worker_answer *answer);

/* One operation, whose answer is returned. A refusal is an answer with that code. */
struct pe_answer stage_operate(struct pe *pe, uint32_t operation);
struct pe_answer stage_check(struct pe *pe);

/* How many signals of that kind came, and the last one. */
unsigned int stage_count(enum recovery_action_kind kind);
const struct stage_signal *stage_last(enum recovery_action_kind kind);

/* Run until the PE's recovery has ended once more; its last signal. */
const struct recovery_action *stage_run_until_done(void);

/* The newest event of a PE. */
const struct record_event *stage_event(const struct pe *pe);
const struct record_step *stage_step(const struct pe *pe, const char *name);

/* How often the worker was asked for an operation. */
uint32_t stage_asked(uint32_t group, uint32_t operation);
