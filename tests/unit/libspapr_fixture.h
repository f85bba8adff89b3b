/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests of libspapr: a space on a simulated host, of which nothing may be left. */
#pragma once

#include <dirent.h>

#include <spapr/spapr.h>

#include "libspapr/handles.h"
#include "sim_fixture.h"

#define GROUP   0U
#define GROUP_2 2U
#define SIZE    (4 * MIB)
#define PAGE    UINT64_C(0x10000)
#define SECOND  (UINT64_C(1) << 59)
#define LIOBN   UINT64_C(0x80000001)
#define BAR0    0
#define CONFIG  7
#define MSI     1

struct stage {
	struct sim_fixture *sim;
	struct spapr_host *host;
	struct spapr_space *space;
	int memory;
	unsigned int fds; /* open before a space has something */
};

static inline unsigned int count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(directory);
	while (readdir(directory)) {
		count++;
	}
	(void)closedir(directory);
	return count;
}

static inline struct sim_fixture *launch(const char *host)
{
	struct sim_fixture *fixture = calloc(1, sizeof(*fixture));
	int connection = -1;

	assert_non_null(fixture);
	assert_int_equal(sim_launch(simhost_program(), host, &connection, &fixture->pid), 0);
	assert_int_equal(sim_kernel_new(connection, &fixture->kernel), 0);
	assert_int_equal(sim_connection_new(fixture->kernel, &fixture->control), 0);
	return fixture;
}

static inline int set_up_on(const char *host, void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	struct spapr_error error;

	assert_non_null(stage);
	stage->sim = launch(host);
	assert_int_equal(spapr_host_new(stage->sim->kernel, &stage->host), 0);
	assert_int_equal(spapr_space_new(stage->host, NULL, &stage->space, &error), 0);
	stage->memory = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(stage->memory, (off_t)SIZE), 0);
	/* The way to the simulated host is made with the first use of it. */
	(void)kernel_close(stage->sim->kernel,
			   kernel_open_node(stage->sim->kernel, NODE_CONTAINER));
	stage->fds = count_fds();
	*state = stage;
	return 0;
}

static inline int set_up(void **state)
{
	return set_up_on("powernv9,pace=0", state);
}

static inline int set_up_x86(void **state)
{
	return set_up_on("x86,pace=0", state);
}

/* Nothing is left of anything that a test does. */
static inline int tear_down(void **state)
{
	struct stage *stage = *state;
	void *sim = stage->sim;
	struct sim_statistics left;

	stage->space = spapr_space_free(stage->space);
	left = sim_fixture_statistics(stage->sim);
	assert_int_equal(left.open_groups, 0);
	assert_int_equal(left.containers, 0);
	assert_int_equal(left.locked_bytes, 0);
	assert_int_equal(left.open_devices, 0);
	assert_int_equal(count_fds(), stage->fds);
	(void)close(stage->memory);
	/* The kernel is the fixture's. */
	free(stage->host);
	free(stage);
	return sim_fixture_tear_down(&sim);
}

static struct spapr_error last;

/* What must work. */
static inline void check(int code)
{
	if (code) {
		fail_msg("%s", last.text);
	}
}

static inline void refused(int code, enum spapr_error_code wanted, const char *words)
{
	if (code != (int)wanted || (uint32_t)code != last.code || !strstr(last.text, words)) {
		fail_msg("%d instead of %d: %s", code, (int)wanted, code ? last.text : "it works");
	}
}

static inline void attach(struct stage *stage, uint32_t group)
{
	check(spapr_group_attach(stage->space, group, 0, &last));
}

/* With memory at 0. */
static inline void attach_with_memory(struct stage *stage)
{
	check(spapr_memory_add(stage->space, stage->memory, 0, 0, SIZE, 0, NULL, &last));
	attach(stage, GROUP);
}

#define ON_POWERNV9(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define ON_X86(test)      cmocka_unit_test_setup_teardown(test, set_up_x86, tear_down)
